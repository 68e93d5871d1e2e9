"""Batches of analyses: against single ones, resumed, in processes, with points that fail."""

import json

import numpy as np
import pytest

import fastslow as fs
from fastslow.errors import SweepInterrupted
from fastslow.sweeps.fates import fate_code
from fastslow.systems.families import family_of
from tests.test_cli import run

FIG4 = fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1])


def test_each_point_is_its_analysis(tmp_path):
    batch = fs.analyses(FIG4, ["c_star[3]=-2:1:2", "a0=5:10:2"], store=tmp_path)
    for n, (i, j) in enumerate(np.ndindex(2, 2)):
        value, a0 = batch.axes[0].exact_values[i], batch.axes[1].exact_values[j]
        wanted = fs.analyze(family_of(FIG4, "c_star[3]").at(value), [a0])
        assert fs.load(tmp_path / "records" / f"{n}.json") == wanted
        (orbit,) = wanted.orbits
        assert batch["ode"][i, j] == fate_code(orbit.verdict.ode)
        assert (batch["final_fast"][i, j], batch["final_slow"][i, j]) == orbit.final
        assert batch["thresholds"][i, j] == len(wanted.thresholds) and batch["agree"][i, j] == orbit.agree


def test_an_interrupted_batch_is_resumed(tmp_path):
    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    axes = ["c_star[3]=0:1:3"]
    with pytest.raises(SweepInterrupted):
        fs.analyses(FIG4, axes, a0=5, store=tmp_path, progress=stop)
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["0.json"]
    before = (tmp_path / "records" / "0.json").stat().st_mtime_ns
    batch = fs.analyses(FIG4, axes, a0=5, store=tmp_path, resume=True)
    assert (tmp_path / "records" / "0.json").stat().st_mtime_ns == before
    assert {path.name for path in (tmp_path / "records").iterdir()} == {"0.json", "1.json", "2.json"}
    assert batch["thresholds"].min() >= 0
    with pytest.raises(fs.InputError):
        fs.analyses(FIG4, axes, a0=6, store=tmp_path, resume=True)


def test_the_command_sets_aside_what_is_not_valid(tmp_path):
    """At c_1 = 0 there is no network."""
    done = run("batch", "--c", "1,1,1", "--c-star", "1,-1,1", "--axis", "c[1]=0:1:2", "--a0", "3", "-o", str(tmp_path))
    assert done.returncode == 3, done.stderr
    assert "set aside, point (0,): InputError" in done.stdout
    assert json.loads((tmp_path / "records" / "1.json").read_text())["schema"] == "fastslow.analysis/1"
    assert not (tmp_path / "records" / "0.json").exists()


@pytest.mark.parametrize(
    ("axes", "a0", "field"),
    [
        ([], 5, "axes"),
        (["c_star[3]=0:1"], 5, "axes"),
        (["foo=0:1:2"], 5, "axes"),
        (["c_star[3]=0:1:2"] * 2, 5, "axes"),
        (["c_star[3]=0:1:2"], None, "a0"),
        (["c_star[3]=0:1:2"], 0, "a0"),
        (["a0=1:2:2"], 5, "a0"),
    ],
)
def test_bad_input(axes, a0, field):
    with pytest.raises(fs.InputError) as caught:
        fs.analyses(FIG4, axes, a0=a0)
    assert caught.value.field == field
