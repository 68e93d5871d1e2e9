"""fastslow timescales as a user meets it."""

import json
import os
import subprocess
import sys

import pytest

FASTSLOW = [sys.executable, "-c", "from fastslow_cli.main import main; main()", "timescales"]


def run(*arguments):
    return subprocess.run(
        [*FASTSLOW, *arguments], capture_output=True, text=True, env={**os.environ}, timeout=120, check=False
    )


def test_json_is_one_document_with_the_known_numbers():
    done = run("fig2-left", "--tau", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["schema"] == "fastslow.timescales/1"
    assert document["model"]["c_star"] == [1, -1, 1, -1, 1]
    (only,) = document["runs"]
    assert only["start"] == [0, 4] and only["tau"] == 10
    assert only["epsilon"] == pytest.approx(0.27, abs=0.005)
    assert only["mean_alignment"] == pytest.approx(0.09, abs=0.005)
    assert only["epsilon"] == only["mean_slow"] / only["mean_fast"]
    assert only["holds"] is False and only["complex_pair"] is False and only["passages"] == []
    assert set(only["closest"]) == {"tau", "R", "a", "ratio"}
    assert {branch["end"] for branch in document["branches"]} == {"inf", "-inf"}
    for branch in document["branches"]:
        assert branch["predicted"] == 5
        assert branch["measured"] == pytest.approx(5, abs=1e-9)
        assert branch["fast_coefficient"] == [-1, 0]


def test_files_and_text_with_a_delayed_loss_of_stability(tmp_path):
    model = ("--c", "1,1", "--c-star", "1,1/2", "--slow-rate", "1/1000", "--a0", "1/5")
    done = run(*model, "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "delayed loss of stability along R = 1" in done.stdout
    assert "R is the fast variable and a the slow one" in done.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"timescales.json", "time-courses-1.png", "timescales-1.png"}
    document = json.loads((tmp_path / "out" / "timescales.json").read_text())
    (passage,) = document["runs"][0]["passages"]
    assert passage["line"] == 1 and passage["exit"][1] == pytest.approx(passage["predicted"], abs=2e-5)
    assert passage["singular"][0] == 0.2
    assert (tmp_path / "out" / "timescales-1.png").read_bytes().startswith(b"\x89PNG")


def test_measured_orders():
    """Figure 4's late jump: order 1 on both arcs, 2/3 at the fold in between."""
    done = run("fig4", "--a0", "9", "--orders", "--json")
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout)["runs"]
    resolved = [order for order in only["orders"] if order["fitted"] is not None]
    assert [order["kind"] for order in resolved] == ["critical manifold", "fold", "critical manifold"]
    for order, power in zip(resolved, (1, 2 / 3, 1), strict=True):
        assert order["agrees"] and order["predicted"]["exponent"] == power
        assert order["fitted"]["exponent"] == pytest.approx(power, abs=1e-3)
        assert order["fitted"]["prefactor"] == pytest.approx(order["predicted"]["prefactor"], rel=1e-3)
        assert len(order["slopes"]) == len(order["distances"]) - 1 == len(order["slow_rates"]) - 1
    text = run("fig4", "--a0", "9,10", "--orders").stdout
    assert "a beyond the fold" in text and "not resolved" in text
    assert "no fold, and no arc" in run("fig2-right", "--orders").stdout
    assert "orders" not in json.loads(run("fig4", "--json").stdout)["runs"][0]


def test_a_run_that_ends_early_is_not_certain(tmp_path):
    model = tmp_path / "blow.toml"
    model.write_text('model = "polynomial"\nf = "x**2 + y"\ng = "1"\n')
    done = run(str(model), "--start", "1,0", "--tau", "10")
    assert done.returncode == 3, done.stderr
    assert "Stopped at t = " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("fig4", "--tau", "0"), "tau"),
        (("fig4", "--tau", "soon"), "tau"),
        (("fig4", "--a0", "0"), "a0"),
        (("no-such-preset",), "MODEL"),
        (("fig4", "-o", "/dev/null/x"), "-o"),
    ],
)
def test_bad_input_is_told_and_nothing_is_printed(arguments, word):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert word in done.stderr and "Traceback" not in done.stderr


def test_help_documents_the_fields():
    text = run("--help").stdout
    for field in ("fastslow.timescales/1", "mean_alignment", "epsilon", "passages", "decay", "Exit codes"):
        assert field in text
