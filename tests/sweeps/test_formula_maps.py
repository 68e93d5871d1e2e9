"""Phase maps of systems of formulas, against the maps of the same orbits as polynomials and against integration."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.member_points import points_only
from fastslow.ode.trajectories import Settling
from fastslow.sweeps import one_by_one
from fastslow.sweeps.cycle_spans import CycleSpans
from fastslow.sweeps.phase_map import phase_map
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.model_files import study_from
from fastslow.systems.presets import system_of
from fastslow.systems.system import Start

UNIT = "exp(y/2)/(1 + x**2)"
"""A positive factor of both f and g: a change of time, which leaves the orbits as they are."""
CASES = {
    "van der Pol": ("y + x - x**3/3", "p - x", "1/20", "p=0:3/2:2", "y0=-3/5:3/5:14"),
    "a stable manifold": ("x**2 - 1 + y", "x - p*y", "1/2", "p=1/2:3/2:3", "y0=0:2:30"),
    "two curves": (["x", "y - x**2 + 1"], "x + p - y", "1/10", "p=1/2:1:2", "y0=1/4:2:12"),
}


def _named(found):
    return np.array(found.fates)[found.index]


def _models(name):
    f, g, rate, *axes = CASES[name]
    given = {"slow_rate": rate, "parameters": {"p": 1}, "start_fast": "1/2" if name == "two curves" else 0}
    plain = {"model": "polynomial", "f": f, "g": g, "window": [-3, 3]}
    product = " * ".join(f"({factor})" for factor in ([f] if isinstance(f, str) else f))
    hidden = {"model": "formula", "f": f"{product}*{UNIT}", "g": f"({g})*{UNIT}", "window": [[-3, 3], [-6, 6]]}
    polynomial, formula = (study_from(given | table).system for table in (plain, hidden))
    assert isinstance(formula, FormulaSystem) and not isinstance(polynomial, FormulaSystem)
    return polynomial, formula, axes


@pytest.mark.parametrize(
    ("name", "method"),
    [(n, m) for n in CASES for m in ("exact", "singular", "ode") if (n, m) != ("van der Pol", "ode")],
)
def test_the_same_map_as_of_polynomials(name, method):
    polynomial, formula, axes = _models(name)
    fields = {"jumps": method == "singular", "ends": method == "singular"}
    theirs, ours = (phase_map(system, *axes, method=method, **fields) for system in (polynomial, formula))
    np.testing.assert_array_equal(_named(ours), _named(theirs))
    assert len(theirs.fates) > 1 or name == "two curves"
    for field in ("jumps", "attractor", "end_fast", "end_slow", "doubtful"):
        if field in theirs.fields:
            np.testing.assert_allclose(ours.fields[field], theirs.fields[field], rtol=1e-12, atol=1e-14)


ML = """
fast = "v"
slow = "w"
f = "(I - 2*(v + 60) - 8*w*(v + 84) - 2.2*(1 + tanh((v + 1.2)/18))*(v - 120))/20"
g = "cosh((v - 2)/60)*((1 + tanh((v - 2)/30))/2 - w)"
slow_rate = 0.04
window = [[-80, 80], [-0.5, 1]]
start_fast = -40
[parameters]
I = { value = 90, range = [60, 120] }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ml.toml"
    path.write_text(ML)
    return str(path)


def test_a_file_is_mapped_exactly(model):
    """As single runs tell; at I = 60 the cell rests, at 120 it fires."""
    found = phase_map(model, "I=60:120:2", "w0=0.05:0.4:2")
    assert found.method == "exact" and found.fates == ("settles", "relaxation oscillation")
    np.testing.assert_array_equal(found.index, [[0, 1], [0, 1]])
    upright = phase_map(model, "w0=0.05:0.4:2", "I=60:120:2", method="singular", ends=True)
    np.testing.assert_array_equal(upright.index, found.index.T)
    names = np.array(upright.attractors)[upright.fields["attractor"]]
    assert names[1, 0] == "cycle" and names[0, 0].endswith("= 0") and np.isnan(upright.fields["end_fast"][1]).all()


def test_two_parameters(model):
    """Every cell as by a single run; starts outside the window are no starts."""
    axes, family = ("I=60:120:2", "slow_rate=1/25:1/2:2"), fs.family_of(model, "I", "slow_rate")
    exact, singular = (phase_map(model, *axes, a0="0.1", method=method) for method in ("exact", "singular"))
    for j, rate in enumerate(exact.y.exact_values):
        for i, current in enumerate(exact.x.exact_values):
            settling = Settling(critical_manifold(family.at(current, rate)))
            start = Start(settling.system.start_fast, Fraction(1, 10))
            assert settling.run(start).verdict.startswith(_named(exact)[j, i]), (current, rate)
            assert settling.flow.orbit(start).verdict.startswith(_named(singular)[j, i]), (current, rate)
    outside = phase_map(model, "I=60:120:2", "w0=-1:0:2", method="singular")
    assert (_named(outside)[0] == "not valid").all() and "w0 = -1" in outside.notes[0]


def test_a_member_that_is_a_polynomial_is_no_other_kind_of_system():
    """At p = 0 f is a polynomial; its window bounds y as that of its neighbours does, so that orbits leave it."""
    table = {"model": "formula", "f": "x - y/(1 + p*x**2)", "g": "1", "slow_rate": "1/10", "parameters": {"p": 1}}
    for value in (1, 0):
        system = study_from(table | {"window": [[-1, 1], [-1, 1]], "parameters": {"p": value}}).system
        found = phase_map(system, "p=0:1:2", "y0=-1/2:1/2:2", method="ode")
        assert found.fates == ("leaves the window",)
        assert isinstance(found.system, FormulaSystem) and isinstance(
            fs.family_of(found.system, "p").at(0), FormulaSystem
        )


def test_members_that_need_a_window_of_both_variables_are_refused_at_once():
    table = {"model": "formula", "f": "x - y*exp(p*x)", "g": "1/3 - x", "window": [-2, 2], "parameters": {"p": 0}}
    for method in ("exact", "singular", "ode"):
        with pytest.raises(fs.InputError, match="must bound both variables"):
            phase_map(study_from(table).system, "p=0:1:3", "y0=0:1:2", method=method)


def test_the_range_of_a_parameter_is_its_axis(model):
    """A name alone is the range of the model file, and of starts the window."""
    system = system_of(model)
    axis = fs.axis_of("I", "x", 3, system)
    assert axis.values.tolist() == [60.0, 90.0, 120.0]
    assert fs.axis_of("w0", "y", 4, system).values.tolist() == [-0.5, 0.0, 0.5, 1.0]
    for name, word in (("slow_rate", "no range"), ("v0", "no parameter"), ("J", "no parameter")):
        with pytest.raises(fs.InputError, match=word):
            fs.axis_of(name, "x", 3, system)
    with pytest.raises(fs.InputError, match="NAME=LOW:HIGH"):
        fs.axis_of("I", "x", 3)


@pytest.mark.parametrize(
    ("name", "axes", "a0"),
    [
        ("morris_lecar", ("current=80:110:3", "gCa=4:5:2"), "1/10"),
        ("predator_prey", ("m=2/5:7/10:7", "h=1/5:3/10:2"), "1/5"),
        ("predator_prey", ("m=2/5:3/5:2", "y0=1/20:9/20:14"), None),
    ],
)
def test_points_alone_give_the_same_map(name, axes, a0, monkeypatch):
    """As the curves of each member do; these are traced for few."""
    traced = []
    manifold_of = one_by_one.manifold_of
    monkeypatch.setattr(one_by_one, "manifold_of", lambda system: traced.append(system) or manifold_of(system))
    ours = phase_map(name, *axes, a0=a0)
    few = len({id(system) for system in traced})
    traced.clear()
    monkeypatch.setattr(one_by_one, "points_only", lambda family, values, members: [None] * len(members))
    theirs = phase_map(name, *axes, a0=a0)
    np.testing.assert_array_equal(_named(ours), _named(theirs))
    members = ours.index.size if a0 else ours.x.count
    assert len(ours.fates) > 1 and few <= members / 2 < members <= len(traced)


def test_neighbours_tell_what_relaxes():
    """Between members with like spans and order of points none is traced; one of another order is."""
    family = fs.family_of("predator_prey", "m")
    values = [Fraction(2, 5) + Fraction(k, 100) for k in range(9)]
    members = [family.at(value) for value in values]
    asked = []

    def trace(number):
        asked.append(number)
        return critical_manifold(members[number])

    known = points_only(family, values, members)
    spans = CycleSpans(known, trace)
    (low, high), *_ = spans.of(4)
    asked.clear()
    assert spans.relaxes(2, low, high) and sorted(asked) == [0, 8]
    asked.clear()
    assert not spans.relaxes(3, low, low + (high - low) / 2) and not asked
    known[5] = None  # so that its neighbours end two runs
    spans = CycleSpans(known, trace)
    assert spans.relaxes(2, low, high) and sorted(asked) == [0, 4]
    assert spans.relaxes(5, low, high) and sorted(asked) == [0, 4, 5]


def test_polynomials_in_two_parameters_without_a_boundary_for_each_row():
    axes = "current=0:1:6", "b=1/2:3/2:2"
    exact, integrated = (phase_map("fitzhugh_nagumo", *axes, a0=0, method=method) for method in ("exact", "ode"))
    np.testing.assert_array_equal(_named(exact), _named(integrated))
    assert set(exact.fates) == {"settles", "relaxation oscillation"}
