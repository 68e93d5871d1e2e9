"""`fastslow simulate ode` as a user meets it: contract, files, exit codes, bad input."""

import csv
import itertools
import json
import math
import os
import subprocess
import sys

import pytest

FASTSLOW = [sys.executable, "-c", "from fastslow_cli.main import main; main()", "simulate", "ode"]
FIG6 = ["--c", "1,1,1", "--c-star", "1,-1,1", "--a0", "5"]


def run(*arguments, cwd=None):
    return subprocess.run(
        [*FASTSLOW, *arguments], capture_output=True, text=True, cwd=cwd, env=dict(os.environ), timeout=120, check=False
    )


def test_json_follows_the_contract():
    done = run(*FIG6, "--tau", "1e12", "--points", "50", "--json")
    assert done.returncode == 0 and done.stderr == ""
    document = json.loads(done.stdout)
    assert document["schema"] == "fastslow.trajectory/1" and document["status"] == "done"
    tau, R, a, loss = (document[name] for name in ("tau", "R", "a", "loss"))
    assert len(tau) == len(R) == len(a) == len(loss) == 50
    assert document["start"] == [0.0, 5.0] and tau[-1] == 1e12
    assert (R[0], a[0]) == (pytest.approx(5 * tau[0], rel=0.02), pytest.approx(5, rel=1e-3))
    for s, t in itertools.pairwise(tau):
        assert math.log(t / s) == pytest.approx(math.log(tau[-1] / tau[0]) / 49, rel=1e-9)
    assert a[-1] / (6e12) ** (1 / 3) == pytest.approx(0.99964, abs=1e-5)
    assert R[-1] * a[-1] == pytest.approx(1, abs=3e-4)
    assert loss[-1] == pytest.approx(4, abs=2e-4) and max(y - x for x, y in itertools.pairwise(loss)) < 0
    assert 0 < document["switch_time"] < 1e4 and document["switch_error"] < document["rtol"] == 1e-10
    assert document["model"] == {"model": "two_layer", "c": [1, 1, 1], "c_star": [1, -1, 1], "slow_rate": 1, "noise": 0}


def test_presets_other_names_and_no_loss():
    done = run("fitzhugh_nagumo", "--tau", "50", "--points", "4", "--rtol", "1e-6", "--solver", "LSODA", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0 and document["loss"] is None
    assert (document["rtol"], document["solver"]) == (1e-6, "LSODA")
    assert len(document["v"]) == len(document["w"]) == 4


def test_slow_rate_and_a_start_in_the_plane():
    """On R = 1 the slow equation is a' = rate (5 - 9 a) for this network."""
    done = run(*FIG6[:4], "--start", "1,3", "--slow-rate", "1/9", "--tau", "2", "--points", "2", "--json")
    document = json.loads(done.stdout)
    assert document["R"] == [1.0, 1.0]
    assert document["a"][1] == pytest.approx(5 / 9 + (3 - 5 / 9) * math.exp(-2), rel=1e-9)


def test_a_table_to_read():
    done = run(*FIG6, "--tau", "1e6")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) <= 40 and max(map(len, lines)) <= 100
    assert lines[0] == "Reached the end, t = 1000000." and "slow manifold" in lines[1]
    assert lines[3].split() == ["tau", "R", "a", "loss"]
    rows = [[float(word) for word in line.split()] for line in lines[4:28]]
    assert rows[0][0] < 1e-3 and rows[0][2] == pytest.approx(5)
    assert rows[-1][:3] == [
        1e6,
        pytest.approx(0.0055813778994669855, rel=1e-9),
        pytest.approx(175.24585166793, rel=1e-9),
    ]


def test_output_directory(tmp_path):
    out = tmp_path / "a" / "b"
    done = run("fig4", "--a0", "9", "--tau", "300", "--points", "30", "--json", "-o", str(out))
    assert done.returncode == 0 and "Wrote" in done.stderr
    assert {p.name for p in out.iterdir()} == {"trajectory.json", "trajectory.csv", "time_courses.png"}
    assert (out / "time_courses.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "trajectory.json").read_text() == done.stdout
    document = json.loads(done.stdout)
    names, *rows = csv.reader((out / "trajectory.csv").read_text().splitlines())
    assert names == ["tau", "R", "a", "loss"]
    assert [[float(v) for v in column] for column in zip(*rows, strict=True)] == [document[n] for n in names]


def test_an_early_end_has_its_own_exit_code(tmp_path):
    (tmp_path / "m.toml").write_text(
        'model = "polynomial"\nf = "1 + x**2"\ng = "1"\nstarts = [[0, 0]]\nwindow = [-3, 1]\n'
    )
    done = run("m.toml", "--tau", "10", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.returncode == 3 and document["status"] == "left the window"
    assert document["tau"][-1] == pytest.approx(math.pi / 4, rel=1e-9)


def test_a_start_that_leaves_at_once_has_no_picture(tmp_path):
    (tmp_path / "m.toml").write_text('model = "polynomial"\nf = "x - y"\ng = "1"\nwindow = [-3, 1]\n')
    done = run("m.toml", "--start", "1,0", "--tau", "10", "-o", "out", cwd=tmp_path)
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"trajectory.json", "trajectory.csv"}


BAD = {
    "no tau": (["fig6-right"], ["--tau"]),
    "no start": ([*FIG6[:4], "--tau", "1"], ["--a0", "missing"]),
    "several of the model": (["fig4", "--tau", "1"], ["MODEL", "several starts", "--a0"]),
    "several given": (["fig4", "--a0", "1,2", "--tau", "1"], ["--a0", "several starts"]),
    "a0 and start": (["fig4", "--a0", "1", "--start", "0,2", "--tau", "1"], ["several starts"]),
    "a0 text": (["fig4", "--a0", "x", "--tau", "1"], ["--a0", "no number"]),
    "a0 zero": (["fig4", "--a0", "0", "--tau", "1"], ["a0", "zero"]),
    "outside": (["fig4", "--start", "2,1", "--tau", "1"], ["start R", "window"]),
    "tau text": (["fig4", "--a0", "1", "--tau", "long"], ["tau", "'long'"]),
    "tau negative": (["fig4", "--a0", "1", "--tau", "-1"], ["tau", "positive"]),
    "tau infinite": (["fig4", "--a0", "1", "--tau", "inf"], ["tau", "finite"]),
    "tau beyond": (["fig4", "--a0", "1", "--tau", "1e200"], ["tau", "1e+100"]),
    "rtol": (["fig4", "--a0", "1", "--tau", "1", "--rtol", "1e-20"], ["rtol", "1e-14"]),
    "points": (["fig4", "--a0", "1", "--tau", "1", "--points", "1"], ["points", "2"]),
    "points text": (["fig4", "--a0", "1", "--tau", "1", "--points", "few"], ["--points"]),
    "solver": (["fig4", "--a0", "1", "--tau", "1", "--solver", "euler"], ["solver", "rodas5p"]),
    "model": (["fig44", "--a0", "1", "--tau", "1"], ["fig44", "Did you mean fig4"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case, tmp_path):
    arguments, wanted = BAD[case]
    done = run(*arguments, "-o", str(tmp_path / "out"))
    assert done.returncode == 2 and done.stdout == ""
    assert "Traceback" not in done.stderr
    message = next(line for line in done.stderr.splitlines() if line.startswith("Error:"))
    for piece in wanted:
        assert piece in message
