"""Runs: seeds, checkpoints, divergence, bad input."""

import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd import simulation
from fastslow.sgd.simulation import COLUMNS

SMALL = {"n": 30, "d": 40, "m": 6, "gamma": 0.3, "steps": 24, "seed": 3, "every": 5}
BOTH = pytest.mark.parametrize("method", ["gram", "direct"])


def same(one, other):
    assert (one.step == other.step).all() and (one.ended == other.ended).all()
    assert one.sentences == other.sentences
    for name in ("records", "R", "a"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


@BOTH
def test_a_replica_does_not_depend_on_how_many_there_are(method):
    few, many = (fs.simulate_sgd("fig7", 1, **SMALL, replicas=p, method=method) for p in (2, 4))
    np.testing.assert_array_equal(few.records, many.records[:2])
    assert np.unique(many.R[:, 0]).size == 4
    again = fs.simulate_sgd("fig7", 1, **{**SMALL, "seed": 4}, replicas=2, method=method)
    assert (again.R != few.R).all()


@BOTH
def test_records(method):
    run = fs.simulate_sgd("fig7", 1, **SMALL, replicas=2, method=method)
    assert run.step.tolist() == [0, 5, 10, 15, 20, 24] and run.done
    np.testing.assert_allclose(run.tau, run.step * 0.3 / 6)
    assert np.isnan(run.course("train_loss")[:, 0]).all()
    for name in COLUMNS:
        assert np.isfinite(run.course(name)[:, 1:]).all()
    np.testing.assert_allclose(run.course("R_mean")[:, -1], run.R.mean(1), rtol=1e-12)
    np.testing.assert_allclose(run.course("a_std")[:, -1], run.a.std(1), rtol=1e-12)
    document = json.loads(json.dumps(run.document(), allow_nan=False))
    assert document["schema"] == "fastslow.sgd/1" and document["train_loss"][0][0] is None
    assert np.array(document["R_mean"]).shape == np.array(document["test_loss"]).shape == (2, 6)


def test_how_often_records_are_made_changes_nothing():
    often, seldom = (fs.simulate_sgd("fig7", 1, **{**SMALL, "every": e}) for e in (1, 24))
    np.testing.assert_array_equal(often.records[:, [0, -1]], seldom.records)


@BOTH
@pytest.mark.parametrize("at", [10, 24, 34])
def test_an_interrupt_and_a_kill_are_resumed_bit_for_bit(method, at, tmp_path, monkeypatch):
    arguments = {**SMALL, "replicas": 2, "method": method}
    whole = fs.simulate_sgd("fig7", 1, **arguments)
    interrupted, killed = tmp_path / "interrupted.npz", tmp_path / "killed.npz"

    def interrupt(done, _):
        if done == at:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fs.simulate_sgd("fig7", 1, **arguments, checkpoint=interrupted, progress=interrupt)
    same(fs.simulate_sgd("fig7", 1, **arguments, checkpoint=interrupted, resume=True), whole)
    same(fs.simulate_sgd("fig7", 1, **arguments, checkpoint=interrupted, resume=True), whole)

    class Killed(BaseException):
        pass

    def kill(done, _):
        if done == at:
            raise Killed

    # A file older than the end: some steps are made again.
    monkeypatch.setattr(simulation, "_CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(Killed):
        fs.simulate_sgd("fig7", 1, **arguments, checkpoint=killed, progress=kill)
    same(fs.simulate_sgd("fig7", 1, **arguments, checkpoint=killed, resume=True), whole)


KILLED = """
import os, signal, sys
import fastslow as fs
from fastslow.sgd import simulation
simulation._CHECKPOINT_SECONDS = 0.0
def kill(done, _):
    if done == 15:
        os.kill(os.getpid(), signal.SIGKILL)
fs.simulate_sgd("fig7", 1, n=30, d=40, m=6, gamma=0.3, steps=24, seed=3, every=5, checkpoint=sys.argv[1], progress=kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9(tmp_path):
    path = tmp_path / "state.npz"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert [file.name for file in tmp_path.iterdir()] == ["state.npz"]
    same(fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path, resume=True), fs.simulate_sgd("fig7", 1, **SMALL))


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path)
    whole = path.read_bytes()
    with pytest.raises(fs.InputError, match=r"is a file that is there already.*--resume"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path)
    with pytest.raises(fs.InputError, match=r"gamma is 0\.3 there, 0\.4 here"):
        fs.simulate_sgd("fig7", 1, **{**SMALL, "gamma": 0.4}, checkpoint=path, resume=True)
    with pytest.raises(fs.InputError, match="is of another run: c_star is"):
        fs.simulate_sgd("fig6-right", 1, **SMALL, checkpoint=path, resume=True)
    with pytest.raises(fs.InputError, match="is not there"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=tmp_path / "none.npz", resume=True)
    with pytest.raises(fs.InputError, match="no checkpoint"):
        fs.simulate_sgd("fig7", 1, **SMALL, resume=True)
    with pytest.raises(fs.InputError, match="cannot be written"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=tmp_path / "nowhere" / "state.npz")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(fs.RecordError, match="cut short"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path, resume=True)
    with np.load(io.BytesIO(whole)) as found:
        arrays = {name: found[name].copy() for name in found.files}
    arrays["records"][0, 0, 0] += 1e-12
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    with pytest.raises(fs.RecordError, match="edited"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path, resume=True)
    path.write_text("{}")
    with pytest.raises(fs.RecordError, match="no checkpoint"):
        fs.simulate_sgd("fig7", 1, **SMALL, checkpoint=path, resume=True)


@BOTH
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_divergence_is_told_with_its_step_and_keeps_the_record(method, dtype):
    run = fs.simulate_sgd("fig7", 5, **{**SMALL, "gamma": 300.0, "every": 1}, method=method, dtype=dtype)
    (end,), (sentence,) = run.ended, run.sentences
    assert not run.done and 0 <= end < 24
    assert f"Diverged at step {end + 1} of 24: " in sentence and "|a|" in sentence and "smaller gamma" in sentence
    assert np.isfinite(run.course("a_mean")[0, : end + 1]).all() and np.isnan(run.course("a_mean")[0, end + 1 :]).all()
    document = run.document()
    assert document["status"] == ["diverged"] and document["a_mean"][0][-1] is None


def test_overflow_of_high_powers_in_single_precision():
    c = [1] + [0] * 28 + [1]
    with pytest.raises(fs.InputError, match="overflow single precision"):
        fs.simulate_sgd(fs.TwoLayer(c, c), 1, **SMALL, dtype="float32")
    assert fs.simulate_sgd(fs.TwoLayer(c, c), 1, **SMALL).sentences[0].startswith("Diverged at step")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 0}, r"n = 0: the batch size must be a whole number from 1"),
        ({"n": 2.5}, r"n = 2\.5: the batch size must be a whole number"),
        ({"d": True}, r"d = True: the dimension"),
        ({"d": 7}, r"d = 7: .* more than m \+ 1 = 7 dimensions.*direct"),
        ({"m": -1}, r"m = -1: the width"),
        ({"m": "six"}, r"m = 'six': the width"),
        ({"gamma": 0}, r"gamma = 0: must be positive"),
        ({"gamma": float("nan")}, r"gamma = nan: must be a finite number"),
        ({"gamma": "x"}, r"gamma = 'x': must be a finite number"),
        ({"steps": 0}, r"steps = 0: the number of steps"),
        ({"seed": -1}, r"seed = -1: the seed must be a whole number from 0"),
        ({"replicas": 0}, r"replicas = 0"),
        ({"every": 25}, r"every = 25: .* from 1 to 24"),
        ({"m": 10**8, "d": 10**12, "every": 1}, r"m = .*GB of memory.*smaller m"),
        ({"every": 1, "steps": 10**10}, r"every = 1: records of more than"),
        ({"method": "exact"}, r"method = 'exact': must be gram or direct"),
        ({"dtype": "float16"}, r"dtype = 'float16': must be float64 or float32"),
        ({"threads": 0}, r"threads = 0"),
        ({"m": 10**6, "d": 10**9}, r"m = .*GB of memory.*smaller m"),
        ({"d": 10**12, "method": "direct"}, r"d = .*GB of memory.*method gram"),
    ],
)
def test_bad_input(changed, message):
    with pytest.raises(fs.InputError, match=message):
        fs.simulate_sgd("fig7", 1, **{**SMALL, **changed})


def test_bad_models_and_scales():
    with pytest.raises(fs.InputError, match="must be a two-layer network"):
        fs.simulate_sgd("van_der_pol", 1, **SMALL)
    with pytest.raises(fs.InputError, match=r"a0 = inf: must be a finite number"):
        fs.simulate_sgd("fig7", float("inf"), **SMALL)


def test_small_dimensions_go_the_direct_way():
    run = fs.simulate_sgd("fig7", 1, **{**SMALL, "d": 3}, method="direct")
    assert run.done and run.R.shape == (1, 6)


@BOTH
def test_one_neuron(method):
    run = fs.simulate_sgd("fig7", 1, **{**SMALL, "m": 1}, method=method)
    assert run.done and run.document()["Q_mean"][0][0] is None
