"""The command line as a user meets it: output, contract, exit codes, bad input."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FASTSLOW = [sys.executable, "-c", "from fastslow_cli.main import main; main()"]


def run(*arguments, cwd=None, **environment):
    return subprocess.run(
        [*FASTSLOW, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def fig4():
    done = run("analyze", "fig4", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_json_follows_the_contract(fig4):
    assert fig4["schema"] == "fastslow.analysis/1"
    assert fig4["model"]["name"] == "two_layer"
    assert fig4["model"]["fast"] == ["R"]
    assert fig4["model"]["slow"] == ["a"]
    assert fig4["model"]["parameters"] == {"c": [1] * 5, "c_star": [1, -1, 1, 1, 1], "slow_rate": 1, "noise": 0}
    assert fig4["complete"] is True
    ids = {point["id"] for point in fig4["points"]}
    for branch in fig4["branches"]:
        for arc in branch["arcs"]:
            assert arc["fast_stability"] in {"attracting", "repelling", "neutral"}
            assert {arc["from"], arc["to"]} <= ids
            assert len(arc["R"]) == len(arc["a"]) >= 2
    kinds = {"fold", "equilibrium", "crossing", "infinity", "start"}
    for point in fig4["points"]:
        assert point["kind"] in kinds
        assert point["certified"] is True
        assert isinstance(point["multiplicity"], int)
        if point["kind"] == "equilibrium":
            assert point["stability"] in {"stable", "saddle", "unstable", "center"}
            assert len(point["eigenvalues"]) == 2
    for edge in fig4["graph"]["edges"]:
        assert {edge["from"], edge["to"]} <= ids
        assert edge["kind"] in {"jump", "slow"}
    assert [o["a0"] for o in fig4["orbits"]] == [5.0, 9.0, 10.0]
    assert [o["verdict"] for o in fig4["orbits"]] == [
        {"theorem": "not covered", "singular": "learning", "ode": "learning"},
        {"theorem": "not covered", "singular": "learning", "ode": "learning"},
        {"theorem": "unlearning", "singular": "unlearning", "ode": "unlearning"},
    ]
    assert fig4["orbits"][2]["final"] == {"R": 0.0, "a": "inf"}
    assert fig4["orbits"][1]["segments"][0]["loss_drop"] > 0
    (threshold,) = fig4["thresholds"]
    assert threshold["a0"] == pytest.approx(9.311751715419074, abs=1e-10)
    assert (threshold["below"], threshold["above"]) == ("learning", "unlearning")
    saddle = next(p for p in fig4["points"] if p["id"] == threshold["saddle"])
    assert saddle["stability"] == "saddle"


def test_alpha_roots_are_the_equilibria_on_the_graph(fig4):
    graph = next(b["id"] for b in fig4["branches"] if b["equation"] == "a = h(R)")
    roots = [(p["R"], p["a"]) for p in fig4["points"] if p["kind"] == "equilibrium" and p["branch"] == graph]
    assert roots == [pytest.approx((0.09431703499058393, 9.312353886016066), abs=1e-12)]


def test_same_results_from_coefficients_and_from_a_file(tmp_path, fig4):
    (tmp_path / "m.toml").write_text(
        'model = "two_layer"\nc = [1, 1, 1, 1, 1]\nc_star = ["1", "-1", 1, 1.0, 1]\na0 = [5, 9, 10]\n'
    )
    for arguments in (
        ("--c", "1,1,1,1,1", "--c-star", "1,-1,1,1,1", "--a0", "5,9,10"),
        (str(tmp_path / "m.toml"),),
    ):
        done = run("analyze", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == fig4


def test_summary_fits_a_screen_and_puts_fates_first():
    done = run("analyze", "fig4")
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert lines[2].startswith("a0  singular limit")
    assert "\x1b[" not in done.stdout
    assert max(map(len, lines)) <= 100


def test_a_disagreement_is_explained_and_is_no_failure():
    done = run("analyze", "fig7", "--json")
    assert done.returncode == 0
    orbits = {o["a0"]: o for o in json.loads(done.stdout)["orbits"]}
    for a0 in (0.1, 0.3):
        assert orbits[a0]["verdict"]["singular"] == "learning"
        assert orbits[a0]["verdict"]["ode"] == "unlearning"
        assert orbits[a0]["agree"] is False
        assert "drifts by" in orbits[a0]["explanation"]
    for a0 in (1.0, 2.0, 3.0, 5.0):
        assert orbits[a0]["agree"] is True


def test_slow_rate_changes_a_preset():
    done = run("analyze", "fig7", "--slow-rate", "1/1000", "--a0", "0.3", "--json")
    document = json.loads(done.stdout)
    assert document["model"]["parameters"]["slow_rate"] == 0.001
    assert document["model"]["table"]["slow_rate"] == "1/1000"
    assert document["orbits"][0]["verdict"]["ode"] == "learning"


def test_output_directory(tmp_path):
    out = tmp_path / "a" / "b"
    done = run("analyze", "fig4", "-o", str(out))
    assert done.returncode == 0
    assert {p.name for p in out.iterdir()} == {"analysis.json", "summary.txt", "portrait.png", "graph.graphml"}
    assert (out / "portrait.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "summary.txt").read_text() == done.stdout
    shown = run("show", str(out / "analysis.json"))
    assert shown.stdout == done.stdout
    tree = run("show", str(out / "analysis.json"), "--tree")
    assert "└─ jump" in tree.stdout


BAD = {
    "preset": (["fig44"], ["fig44", "Did you mean fig4"]),
    "file": (["missing.toml"], ["missing.toml", "cannot be read"]),
    "nothing": ([], ["--c", "--c-star"]),
    "only c": (["--c", "1,1"], ["--c-star"]),
    "both": (["fig4", "--c", "1,1", "--c-star", "1,1"], ["cannot be combined"]),
    "text": (["--c", "1,x", "--c-star", "1,1"], ["c[1]", "'x'", "no number"]),
    "nan": (["--c", "1,nan", "--c-star", "1,1"], ["c[1]", "finite"]),
    "empty": (["--c", "", "--c-star", "1,1"], ["c", "empty"]),
    "lengths": (["--c", "1,1,1", "--c-star", "1,1"], ["same length", "1,1,0"]),
    "c1": (["--c", "0,1", "--c-star", "1,1"], ["c_1"]),
    "a0 zero": (["fig4", "--a0", "0"], ["a0", "zero"]),
    "a0 text": (["fig4", "--a0", "five"], ["a0[0]", "'five'"]),
    "slow rate": (["fig4", "--slow-rate", "-1"], ["slow_rate", "positive"]),
    "noise": (["fig4", "--noise", "-1"], ["noise", "negative"]),
    "noise elsewhere": (["van_der_pol", "--noise", "1"], ["noise", "no key"]),
    "start": (["van_der_pol", "--start", "9,0"], ["start", "window"]),
    "start triple": (["van_der_pol", "--start", "1,2,3"], ["pair"]),
    "large": (["--c", ",".join(["1e200"] * 3), "--c-star", ",".join(["1e200"] * 3)], ["normalised"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case, tmp_path):
    arguments, wanted = BAD[case]
    done = run("analyze", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    message = next(line for line in done.stderr.splitlines() if line.startswith("Error:"))
    for piece in wanted:
        assert piece in message


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    done = run("analyze", "fig4", "-o", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "is a file" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_help_imports_no_numba():
    code = (
        "import sys\nfrom fastslow_cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('numba' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


def test_import_of_fastslow_compiles_and_imports_nothing():
    code = "import sys, fastslow\nprint(any(m in sys.modules for m in ('numba', 'numpy', 'flint', 'matplotlib')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_interrupt_exits_with_130(tmp_path):
    starts = ",".join(str(5 + k / 1000) for k in range(1, 4000))
    process = subprocess.Popen(
        [*FASTSLOW, "analyze", "fig4", "--a0", starts, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(4.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr


def test_presets_all_analyse():
    import fastslow as fs

    listed = run("presets").stdout
    for name in fs.PRESETS:
        assert name in listed
        result = fs.analyze(name)
        assert result.complete, name
        assert result.explained, name
        assert all(math.isfinite(p.x) for p in result.points)


def test_numbers_read_back_to_the_same_double(tmp_path):
    import fastslow as fs

    result = fs.analyze("fig3-right")
    path = result.save(tmp_path / "r.json")
    text = Path(path).read_text()
    fold = result.of_kind("fold")[0]
    assert repr(fold.x) in text
    assert fs.load(path) == result
