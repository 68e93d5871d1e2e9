"""All levels side by side: agreement, causes, document, picture, command."""

import json

import numpy as np
import pytest
from fastslow_cli.main import main

import fastslow as fs
from fastslow.levels.causes import _spread_shift
from fastslow.levels.level import DIRECT, FINITE, GRAM, MEAN_STEP, ODE, SINGULAR, THEOREM
from fastslow.plot.levels import levels_figure

SMALL = {"n": 300, "d": 300, "m": 10, "gamma": 0.05, "steps": 100, "replicas": 8}
COMMAND = ["validate", "fig7", "--a0", "1", "--n", "200", "--d", "200", "--m", "10", "--gamma", "0.05", "--steps", "60"]


@pytest.fixture(scope="module")
def narrow():
    return fs.validate("fig7", 1, **SMALL)


def test_width_is_named_as_what_changes_the_fate(narrow):
    assert [level.level for level in narrow.levels] == [THEOREM, SINGULAR, ODE, FINITE, MEAN_STEP, GRAM, DIRECT]
    assert [narrow.level(name).verdict for name in (THEOREM, SINGULAR, ODE)] == ["unlearning"] * 3
    assert [narrow.level(name).verdict for name in (FINITE, MEAN_STEP)] == ["learning"] * 2
    assert not narrow.agree and narrow.explained
    assert "self-interaction of 10 neurons does it alone" in narrow.explanation
    network = fs.finite_width("fig7", m=10, gamma=0.05)
    assert network.scaled(1, 0).rest(1).verdict == "learning"
    assert network.scaled(0, 1).rest(1).verdict == "unlearning"


def test_fate_at_finite_width_is_predicted(narrow):
    found = narrow.prediction
    assert found.verdict == found.singular == narrow.level(FINITE).verdict == "learning" and found.certified
    assert "jumps and drifts on the critical manifold predict learning" in narrow.explanation
    network = fs.finite_width("fig7", m=10, gamma=0.05)
    assert abs(network.rates((found.R, found.Q, found.a))[0]).max() < 1e-12
    assert narrow.document()["prediction"]["equilibria"] == found.equilibria


def test_z_is_the_distance_in_standard_errors(narrow):
    for name, course in ((FINITE, narrow.finite), (MEAN_STEP, narrow.mean_step)):
        level = narrow.level(name)
        scores = []
        for which in ("R", "a"):
            values = narrow.gram.course(f"{which}_mean")
            with np.errstate(divide="ignore", invalid="ignore"):
                error = values.std(axis=0, ddof=1) / np.sqrt(8)
                scores.append((values.mean(axis=0) - getattr(course, which)) / error)
        assert min(abs(np.array(scores) - level.z)[:, 1:].ravel()) < 1e-9
        assert level.consistent and abs(level.z) < level.critical and level.until == pytest.approx(0.5)
    assert narrow.level(ODE).consistent is False
    assert narrow.level(DIRECT).consistent and narrow.level(DIRECT).note == "8 replicas"


def test_a_large_network_agrees_at_every_level():
    system = fs.TwoLayer([1, 1, 1], [1, 1, 1])
    found = fs.validate(system, "1/2", n=20_000, d=20_000, m=100, gamma=0.001, steps=5, replicas=3)
    assert found.agree and found.explained and found.explanation.startswith("All levels that give a verdict agree: ")
    assert {level.verdict for level in found.levels} <= {"learning", "not covered", ""}
    assert found.level(DIRECT).verdict == "" and found.level(DIRECT).note.startswith("not run: ")


def test_spread_of_the_neurons_is_what_moves_the_scale_at_small_dimension():
    run = fs.simulate_sgd("fig7", 1, n=400, d=400, m=100, gamma=1, steps=100, replicas=16, every=5)
    network = fs.finite_width("fig7", m=100, gamma=1)
    shift, seen = _spread_shift(network, run, network.solve(1, run.tau), 1.0)
    error = run.course("a_mean")[:, -1].std(ddof=1) / 4
    assert abs(seen) > 3 * error and abs(shift - seen) < 2 * error


def test_parted_neurons_are_not_named_a_fate():
    found = fs.validate("fig3-left", 4, n=60, d=60, m=12, gamma=0.01, steps=200, replicas=4)
    assert found.window.times["permutation symmetry"] < found.gram.tau[-1]
    level = found.level(GRAM)
    assert level.verdict == "undecided: neurons have parted" and "The neurons part" in found.explanation
    assert found.level(FINITE).until <= found.window.times["permutation symmetry"]


def test_divergence_is_the_explanation():
    found = fs.validate("fig7", 5, n=20, d=30, m=2, gamma=50, steps=60, replicas=2)
    assert found.level(GRAM).verdict == "undecided: all replicas diverged"
    assert not found.agree and "Diverged at step" in found.explanation
    json.dumps(found.document(), allow_nan=False)
    assert found.level(ODE).z is None


def test_one_replica_gives_no_z():
    found = fs.validate("fig7", 1, **{**SMALL, "replicas": 1, "steps": 20})
    assert all(level.z is None for level in found.levels)
    assert found.level(GRAM).verdict in ("learning", "unlearning")


def test_picture_shows_every_course(narrow):
    figure = levels_figure(narrow)
    plane, R, a, Q = figure.axes
    assert [axis.get_ylabel() for axis in (R, a, Q)] == ["alignment R", "scale a", "overlap Q"]
    ends = {(round(line.get_xdata()[-1], 9), round(line.get_ydata()[-1], 9)) for line in plane.get_lines()}
    assert (round(narrow.finite.R[-1], 9), round(narrow.finite.a[-1], 9)) in ends
    assert (round(narrow.ode.x[-1], 9), round(narrow.ode.y[-1], 9)) in ends
    low, high = plane.get_ylim()
    assert low < narrow.gram.course("a_mean").min() and narrow.gram.course("a_mean").max() < high
    shaded = [patch for patch in R.patches if patch.get_alpha() is not None]
    assert len(shaded) == (narrow.window.tau < narrow.gram.tau[-1])


def test_command_prints_writes_and_ends_well(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, "--replicas", "4", "--seed", "2", "--json", "-o", str(tmp_path)])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert ended.value.code == 0 and "Wrote validation.json" in err
    assert document["schema"] == "fastslow.validation/1" and set(document["window"]) >= {"tau", "limited_by"}
    assert all({"level", "verdict", "z"} <= set(level) for level in document["levels"])
    assert isinstance(document["agree"], bool) and document["explanation"].endswith(".")
    assert json.loads((tmp_path / "validation.json").read_text()) == document
    assert (tmp_path / "validation.png").read_bytes().startswith(b"\x89PNG")
    again = fs.validate("fig7", 1, n=200, d=200, m=10, gamma=0.05, steps=60, replicas=4, seed=2)
    assert again.document()["courses"] == document["courses"]
    with pytest.raises(SystemExit):
        main([*COMMAND, "--replicas", "4", "--seed", "2"])
    table = capsys.readouterr().out
    assert table.startswith("level") and all(level["level"] in table for level in document["levels"])


@pytest.mark.parametrize(
    ("change", "told"),
    [(("--a0", "0"), "a0"), (("--d", "11"), "d"), (("--steps", "0"), "steps"), (("--gamma", "-1"), "gamma")],
)
def test_bad_input_is_refused(change, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, *change])
    assert ended.value.code == 2 and f"{told} = " in capsys.readouterr().err
