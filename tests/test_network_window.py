"""`analyze` for a network of given size: until when two variables speak for it."""

import json
import math

import pytest
from fastslow_cli.main import main

import fastslow as fs

SIZE = {"n": 10**4, "d": 10**4, "m": 10**6, "gamma": 0.01}


@pytest.fixture(scope="module")
def found():
    return fs.analyze("fig3-right", [5, 6], **SIZE)


def test_each_orbit_has_its_window(found):
    for orbit, a0 in zip(found.orbits, (5, 6), strict=True):
        own, window = fs.validity_window("fig3-right", a0, **SIZE), orbit.window
        assert (window.tau, window.limited_by, dict(window.times)) == (own.tau, own.limited_by, own.times)
        assert window.decided == orbit.trajectory.t[-1] and not window.valid


def test_it_is_said_with_a_warning_and_kept(found, tmp_path):
    text = " ".join(found.summary().split())
    window = found.orbits[0].window
    assert f"Warning: a0 = 5: With n = 10000, d = 10000, m = 1e+06, gamma = 0.01 two variables speak for SGD only until τ = {window.tau:.4g}" in text  # fmt: skip  # noqa: E501
    assert f"limited by {window.limited_by}" in text
    again = fs.load(found.save(tmp_path / "analysis.json"))
    assert again == found and again.orbits[1].window == found.orbits[1].window
    document = json.loads((tmp_path / "analysis.json").read_text())["orbits"][0]["window"]
    assert document["limited_by"] == window.limited_by and document["tau"] == window.tau
    assert set(document["times"]) == {"permutation symmetry", "batch noise", "self-interaction", "step length"}


def test_without_a_size_nothing_is_added():
    found = fs.analyze("fig7", 1)
    assert found.orbits[0].window is None and "SGD" not in found.summary()


def test_a_network_that_nothing_limits():
    found = fs.analyze("fig7", 1, n=10**9, d=10**4, m=10**9, gamma=1)
    (orbit,) = found.orbits
    assert orbit.window.valid and orbit.window.tau == math.inf and orbit.window.document()["tau"] is None
    assert "Warning" not in found.summary() and "nothing was found that ends a comparison" in found.summary()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fig7", "--a0", "1", "--n", "100"], "d and m: is missing beside n"),
        (["fig7", "--a0", "1", "--gamma", "1"], "n and d and m: is missing beside gamma"),
        (["fig7", "--a0", "1", "--n", "1", "--d", "0", "--m", "1"], "d = 0: must be a positive number"),
        (["fig7", "--a0", "1", "--n", "1", "--d", "1", "--m", "1", "--gamma", "0"], "gamma = 0.0: must be a positive"),
        (["fig7", "--a0", "1", "--n", "1.5", "--d", "1", "--m", "1"], "'1.5' is not a valid integer"),
        (["van_der_pol", "--n", "1", "--d", "1", "--m", "1"], "is no two-layer network"),
        (["--c", "1,1", "--c-star", "1,1", "--n", "1", "--d", "1", "--m", "1"], "ask for a start"),
        (["fig7", "--a0", "1," * 101 + "1", "--n", "1", "--d", "1", "--m", "1"], "too many for windows"),
    ],
)
def test_bad_input_is_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["analyze", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "") and message in " ".join(err.split())
