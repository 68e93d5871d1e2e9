"""The continue command: its document, its summary, its picture, exit codes."""

import json

import pytest

from tests.test_cli import run

FOLDS = ("continue", "--c", "1,1,1", "--c-star", "1,-1,1", "--kind", "fold", "--x", "c_star[2]=-3:3")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("out")
    done = run(*FOLDS, "--json", "-o", str(directory))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), directory


def test_the_document(written):
    document, directory = written
    assert document["schema"] == "fastslow.continuation/1"
    assert document["complete"] is True
    assert document["x"] == {"name": "c_star[2]", "low": -3.0, "high": 3.0}
    assert "y" not in document
    for curve in document["curves"]:
        lengths = {len(curve[key]) for key in ("x", "R", "a", "stability")}
        assert len(lengths) == 1 and curve["kind"] == "fold" and curve["branch"] == "a = h(R)"
    cusp = next(point for point in document["points"] if point["kind"] == "cusp")
    assert (cusp["x"], cusp["R"], cusp["a"]) == pytest.approx((-99 / 64, 1 / 3, 27 / 16), abs=1e-14)
    assert cusp["certified"] is True
    assert json.loads((directory / "continuation.json").read_text()) == document
    assert (directory / "bifurcation.png").read_bytes().startswith(b"\x89PNG")


def test_the_summary(written):
    text = (written[1] / "continuation.txt").read_text()
    assert text.startswith("Folds for c_star[2] from -3 to 3, slow rate 1\n")
    assert "cusp" in text and "-1.546875" in text and "1.6875" in text
    assert "Complete: no curve is missing" in text
    assert run(*FOLDS).stdout == text


def test_two_parameters(tmp_path):
    model = tmp_path / "model.toml"
    model.write_text('model = "polynomial"\nf = "y"\ng = "m + n*y + x^2 + x*y"\nparameters = {m = 0, n = 0}\n')
    arguments = ("continue", str(model), "--kind", "equilibrium", "--x", "m=-1:1", "--y", "n=-1:1")
    done = run(*arguments, "--json", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [curve["kind"] for curve in document["curves"]] == ["saddle-node", "hopf"]
    assert document["complete"] is False
    (point,) = document["points"]
    # The variables of this model are called x and y: they are written as fast and slow.
    assert [point[key] for key in ("kind", "x", "y", "fast", "slow")] == ["Bogdanov-Takens", 0.0, 0.0, 0.0, 0.0]
    words = run(*arguments)
    assert "Bogdanov-Takens" in words.stdout
    assert "it is not shown that no curve is missing" in words.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--kind", "folds", "--x", "c_star[2]=-1:1"), "Did you mean 'fold'"),
        (("--kind", "fold", "--x", "c_star[9]=-1:1"), "is no parameter of this model"),
        (("--kind", "fold", "--x", "noise=0:1"), "enters neither f nor g"),
        (("--kind", "fold", "--x", "c_star[2]=1:-1"), "is a reversed range"),
        (("--kind", "fold", "--x", "c[2]=1:2", "--y", "c[2]=1:2"), "is the same as the first axis"),
        (("--kind", "fold", "--x", "c[1]=0:1"), "where there is no model"),
        (("--kind", "fold", "--x", "c_star[2]=-1:1:10"), "has a COUNT"),
        (("--kind", "fold", "--x", "a0=-1:1"), "is the slow variable"),
        (("--kind", "fold"), "Missing option '--x'"),
    ],
)
def test_bad_input(changes, message):
    done = run("continue", "fig4", *changes)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_gap_is_said():
    done = run("continue", "fig4", "--kind", "fold", "--x", "c[1]=-1:1")
    assert done.returncode == 0
    assert "Gap: at c[1] = 0 there is no model" in done.stdout
