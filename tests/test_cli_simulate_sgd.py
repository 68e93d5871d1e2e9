"""`fastslow simulate sgd` as a user meets it: contract, files, exit codes, bad input."""

import json

import numpy as np
import pytest
from fastslow_cli.main import main

import fastslow as fs

NETWORK = ["--c", "1,1,1", "--c-star", "1,-2,1", "--a0", "1", "--n", "40", "--d", "60", "--m", "8", "--gamma", "1/2"]
SGD = ["simulate", "sgd", *NETWORK, "--steps", "12", "--every", "4", "--seed", "5"]
PNG = b"\x89PNG\r\n\x1a\n"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*SGD, *arguments])
    return ended.value.code, *capsys.readouterr()


@pytest.mark.parametrize("method", ["gram", "direct"])
def test_json_follows_the_contract(method, capsys):
    code, out, err = run(capsys, "--replicas", "3", "--method", method, "--noise", "1/2", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["schema"] == "fastslow.sgd/1" and document["step"] == [0, 4, 8, 12]
    assert document["tau"] == [0.0, 0.25, 0.5, 0.75]
    same = fs.simulate_sgd(
        fs.TwoLayer([1, 1, 1], [1, -2, 1], noise="1/2"),
        1, n=40, d=60, m=8, gamma=0.5, steps=12, every=4, seed=5, replicas=3, method=method,
    )  # fmt: skip
    for name in ("R_mean", "R_std", "a_mean", "a_std", "test_loss"):
        assert np.shape(document[name]) == (3, 4)
        assert (np.array(document[name]) == same.course(name)).all()


def test_table_files_and_resume(capsys, tmp_path):
    state = tmp_path / "state.npz"
    code, out, _ = run(capsys, "--replicas", "2", "--checkpoint", str(state), "-o", str(tmp_path / "out"))
    assert code == 0 and len(out.splitlines()) == 9 and max(map(len, out.splitlines())) <= 120
    assert (tmp_path / "out" / "sgd.png").read_bytes().startswith(PNG)
    document = json.loads((tmp_path / "out" / "sgd.json").read_text())
    code, out, _ = run(capsys, "--replicas", "2", "--checkpoint", str(state), "--resume", "--json")
    assert code == 0 and json.loads(out) == document
    assert run(capsys, "--replicas", "3", "--checkpoint", str(state), "--resume")[0] == 2


def test_workers_keep_a_directory_that_is_resumed_without_them(capsys, tmp_path):
    state = ["--replicas", "2", "--checkpoint", str(tmp_path / "state"), "--json"]
    code, out, err = run(capsys, *state, "--workers", "1")
    assert (code, err) == (0, "") and json.loads(out) == json.loads(run(capsys, "--replicas", "2", "--json")[1])
    assert run(capsys, *state, "--resume") == (0, out, "")
    assert run(capsys, *state)[0] == 2


def test_an_interrupt_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    from fastslow.sgd.gram import GramSGD

    def interrupt(_):
        raise KeyboardInterrupt

    (tmp_path / "state").mkdir()
    monkeypatch.setattr(GramSGD, "step", interrupt)
    code, out, err = run(capsys, "--checkpoint", str(tmp_path / "state"))
    assert (code, out) == (130, "")
    assert "0 of 1 replicas are done" in err and "--resume" in err


def test_divergence_is_exit_code_3(capsys):
    code, out, _ = run(capsys, "--gamma", "1000")
    assert code == 3 and "Replica 0: Diverged at step" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--d", "9"], "d = 9: the Gram matrix of 9 vectors needs more than m + 1 = 9 dimensions"),
        (["--gamma", "0"], "gamma = 0.0: must be positive"),
        (["--n", "two"], "'two' is not a valid integer"),
        (["--method", "torch"], "method = 'torch': must be gram or direct"),
        (["--backend", "torch"], "backend = 'torch': trains the weights, not their Gram matrix"),
        (["--device", "cuda"], "device = 'cuda': the numpy backend computes on the cpu"),
        (["--workers", "-1"], "workers = -1: must be a whole number from 0"),
        (
            ["--workers", "1", "--checkpoint", __file__],
            "is a file, and an ensemble with workers is kept in a directory",
        ),
        (["--scheduler", "nowhere"], "the address must begin with tcp:// or tls://"),
        (["--resume"], "there is no checkpoint to go on from"),
    ],
)
def test_bad_input_is_exit_code_2(arguments, message, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "") and message in " ".join(err.split())


def test_picture_shows_replicas_and_the_two_variable_system():
    from fastslow.plot.sgd import sgd_figure

    run = fs.simulate_sgd("fig7", 1, n=40, d=60, m=8, gamma=0.5, steps=12, every=4, replicas=3)
    axes = sgd_figure(run).axes
    assert [axis.get_ylabel() for axis in axes] == ["alignment R", "second-layer scale a", "test loss E"]
    for axis, name in zip(axes, ("R_mean", "a_mean", "test_loss"), strict=True):
        lines = {line.get_label(): line for line in axis.get_lines()}
        np.testing.assert_array_equal(lines["SGD, median"].get_ydata(), np.median(run.course(name), axis=0))
        ode = fs.simulate("fig7", 1, 0.75)
        values = {"R_mean": ode.x, "a_mean": ode.y, "test_loss": ode.energy}[name]
        assert lines["ODE"].get_ydata()[-1] == pytest.approx(values[-1], rel=1e-6)
