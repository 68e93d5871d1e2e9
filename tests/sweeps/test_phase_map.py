"""Phase maps: three methods against each other, and against single analyses."""

import math
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.sweeps.fates import FATES, fate_code
from fastslow.sweeps.phase_map import phase_map
from fastslow.systems.families import axis_of, family_of
from fastslow.systems.system import Start
from tests import naive

FIVE = [1] * 5
FIG5_LEFT = fs.TwoLayer(FIVE, [1, -1, 0, 1, 1])
FIG5_RIGHT = fs.TwoLayer(FIVE, [1, 1, -1, 0, 1])


def _named(found):
    return np.array(found.fates)[found.index]


def test_every_word_of_a_verdict_has_a_name():
    assert FATES[fate_code("learning")] == "learning"
    assert FATES[fate_code("settles at E12")] == "settles"
    assert FATES[fate_code("leaves to w = -infinity")] == "leaves to -infinity"
    assert FATES[fate_code("leaves the window of v, at its upper edge")] == "leaves the window"
    assert FATES[fate_code("undecided: not settled by t = 3")] == "undecided"


@pytest.mark.parametrize("system", [FIG5_LEFT, FIG5_RIGHT], ids=["left", "right"])
def test_figure_5_exactly(system):
    """The computed boundary and brute force give every cell the same fate."""
    k = 3 if system is FIG5_LEFT else 4
    axes = f"c_star[{k}]=-5:5:60", "a0=-15:15:61"
    exact, ode = (phase_map(system, *axes, method=method) for method in ("exact", "ode"))
    np.testing.assert_array_equal(_named(exact), _named(ode))
    assert set(exact.fates) == {"learning", "unlearning", "not valid"}  # a0 = 0 is no start
    assert np.all((_named(exact) == "not valid") == (exact.y.values == 0.0)[:, None])


def test_the_singular_limit_is_the_limit():
    """At a small slow rate the map is that of the singular limit but for few cells at the boundary; at 1 for more."""
    axes = "c_star[3]=-5:5:50", "a0=0.5:15:50"
    singular = _named(phase_map(FIG5_LEFT, *axes, method="singular"))
    wrong = []
    for rate in ("1", "1/100", "1/10000"):
        system = family_of(FIG5_LEFT, "slow_rate").at(rate)
        wrong.append(np.count_nonzero(_named(phase_map(system, *axes, method="exact")) != singular))
    assert wrong[0] > wrong[1] >= wrong[2] <= 1


@pytest.mark.parametrize("method", ["exact", "singular", "ode"])
def test_axes_can_be_exchanged(method):
    axes = "c_star[3]=-3:3:9", "a0=1:12:7"
    upright, lying = phase_map(FIG5_LEFT, *axes, method=method), phase_map(FIG5_LEFT, *axes[::-1], method=method)
    np.testing.assert_array_equal(_named(upright), _named(lying).T)


@pytest.mark.parametrize("method", ["exact", "singular", "ode"])
def test_two_parameters(method):
    """Every cell against the analysis of its own system."""
    found = phase_map(FIG5_LEFT, "c_star[3]=-4:4:5", "c_star[2]=-3:1:4", a0=7, method=method)
    family = family_of(FIG5_LEFT, "c_star[3]", "c_star[2]")
    for j, q in enumerate(found.y.exact_values):
        for i, p in enumerate(found.x.exact_values):
            (orbit,) = fs.analyze(family.at(p, q), [7]).orbits
            wanted = orbit.verdict.singular if method == "singular" else orbit.verdict.ode
            assert _named(found)[j, i] == wanted, (p, q)


@pytest.mark.parametrize("seed", range(6))
def test_random_planes(seed):
    rng = np.random.default_rng(seed)
    c, c_star = naive.random_coefficients(700 + seed)
    name = f"{rng.choice(['c', 'c_star'])}[{rng.integers(2, len(c) + 1)}]"
    system = fs.TwoLayer(c, c_star, Fraction(int(rng.integers(1, 30)), 10))
    axes = f"{name}=-3:3:24", "a0=-6:6:41"
    exact, ode = (phase_map(system, *axes, method=method) for method in ("exact", "ode"))
    np.testing.assert_array_equal(_named(exact), _named(ode))


@pytest.mark.parametrize("method", ["exact", "singular", "ode"])
def test_where_the_model_is_not_valid(method):
    found = phase_map(FIG5_LEFT, "c[1]=-1:1:5", "a0=1:5:3", method=method)
    assert np.all((_named(found) == "not valid") == (found.x.values == 0.0)[None, :])
    note = found.notes[0]
    assert "c[1] = 0" in note and "c_1" in note


def test_another_model():
    """The equilibrium of van der Pol's system is stable for |a| > 1; else there is a cycle."""
    found = phase_map(fs.van_der_pol(slow_rate="1/50"), "a=-3/2:3/2:7", "y0=-1/3:1/3:2", method="ode")
    stable = np.abs(found.x.values) > 1.0
    assert np.all(_named(found)[:, stable] == "settles")
    assert np.all(_named(found)[:, np.abs(found.x.values) < 1.0] == "relaxation oscillation")


@pytest.mark.parametrize("method", ["exact", "singular", "ode"])
@pytest.mark.parametrize("x", ["slow_rate=-1:2:7", "noise=-1:2:7", "slow_rate=-2:-1:3"])
def test_models_that_are_valid_on_one_side(method, x):
    """A slow rate is positive, a noise not negative; nothing is set aside or undecided on the other side."""
    found = phase_map(fs.TwoLayer([1, 1, 1], [1, -1, 1]), x, "a0=1:4:4", method=method)
    valid = found.x.values > 0.0 if x.startswith("slow_rate") else found.x.values >= 0.0
    assert np.all((_named(found) != "not valid") == valid[None, :])
    assert set(found.fates) <= {"learning", "unlearning", "not valid"}


def test_cycles_of_one_strip_are_told_apart():
    """At a large slow rate van der Pol's cycle is a small one near its birth; the boundaries do not say so."""
    axes = "a=-3/4:0:2", "slow_rate=1/100:2:2"
    exact, ode = (phase_map(fs.van_der_pol(), *axes, a0="1/3", method=method) for method in ("exact", "ode"))
    np.testing.assert_array_equal(_named(exact), _named(ode))
    assert {"small oscillation", "relaxation oscillation"} <= set(exact.fates)


def test_starts_parted_at_the_edge_of_the_window(tmp_path):
    """An orbit that touches the window's edge is no stable manifold, but parts the starts that leave from others."""
    model = tmp_path / "model.toml"
    model.write_text(
        'model = "polynomial"\nfast = "x"\nslow = "y"\nslow_rate = "1/10"\ng = "x - y + 1/3"\n'
        'f = "-(x^2 + y^2 - r)*(x + y - 2)"\n[parameters]\nr = 1\n'
    )
    axes = "r=-2:2:5", "y0=-2:2:9"
    exact, ode = (phase_map(str(model), *axes, method=method) for method in ("exact", "ode"))
    np.testing.assert_array_equal(_named(exact), _named(ode))
    assert {"settles", "leaves the window"} <= set(exact.fates)
    # The circle crosses itself at r = 0 only: one value is left out, not the chunk.
    assert np.all((_named(ode) == "undecided") == (ode.x.values == 0.0)[None, :])
    with pytest.raises(fs.InputError, match="start_fast"):
        phase_map(str(model), "start_fast=-1:1:3", "y0=-2:2:3")


@pytest.mark.parametrize(
    ("x", "y", "a0", "field"),
    [
        ("foo=1:2:3", "a0=1:2:3", None, "x"),
        ("c_star[9]=1:2:3", "a0=1:2:3", None, "x"),
        ("a0=1:2:3", "a0=1:2:3", None, "y"),
        ("c_star[2]=1:2:3", "c_star[3]=1:2:3", None, "a0"),
        ("c_star[2]=1:2:3", "a0=1:2:3", 5, "a0"),
        ("c_star[2]=2:1:3", "a0=1:2:3", None, "x"),
        ("c_star[2]=1:2", "a0=1:2:0", None, "y"),
        ("c_star[2]=1:2:3", "c_star[3]=1:2:3", 0, "a0"),
        ("c_star[2]=1:2:1000000", "a0=1:2:1000000", None, "x"),
    ],
)
def test_bad_input(x, y, a0, field):
    with pytest.raises(fs.InputError) as caught:
        phase_map(FIG5_LEFT, x, y, a0=a0)
    assert caught.value.field.startswith(field)


def test_a_tolerance_is_checked_before_the_work():
    with pytest.raises(fs.InputError, match="rtol"):
        phase_map(FIG5_LEFT, "c_star[2]=1:2:3", "a0=1:2:3", rtol=float("nan"))


def test_axes_with_a_default_count():
    assert axis_of("a0=1:2", "y", 100).count == 100


@pytest.mark.parametrize("value", ["1/3", "-2"])
def test_cells_beside_a_curve(value):
    """Also those nearer to a critical start than the curves of a map are computed."""
    p = Fraction(value)
    y = max(threshold.y for threshold in fs.thresholds(family_of(FIG5_LEFT, "c_star[3]").at(p)))
    low, high = (Fraction(y + side * 3e-8) for side in (-1, 1))
    found = phase_map(FIG5_LEFT, f"c_star[3]={p - 1}:{p + 1}:3", f"a0={low}:{high}:2")
    assert _named(found)[:, 1].tolist() == ["learning", "unlearning"]


def test_the_loss_at_the_end():
    """That of the equilibrium where the analysis ends; where it unlearns the limit (1/2) sum_{k >= 2} k! c*_k^2."""
    found = phase_map(FIG5_LEFT, "c_star[3]=-4:4:5", "a0=1:13:4", loss=True)
    family = family_of(FIG5_LEFT, "c_star[3]")
    for i, value in enumerate(found.x.exact_values):
        system = family.at(value)
        for j, a0 in enumerate(found.y.values):
            if _named(found)[j, i] == "unlearning":
                wanted = 0.5 * sum(math.factorial(k) * float(c) ** 2 for k, c in enumerate(system.c_star, 1) if k > 1)
            else:
                (orbit,) = fs.analyze(system, [a0]).orbits
                wanted = float(system.energy(*orbit.final))
            assert found.loss[j, i] == pytest.approx(wanted, rel=1e-9), (value, a0)
    assert found.document()["loss"] == found.loss.tolist()


@pytest.mark.parametrize("method", ["exact", "singular"])
def test_jumps_and_attractors(method):
    """Each cell against the analysis of its own system: the jumps of the singular orbit, and where the orbit ends."""
    found = phase_map(FIG5_LEFT, "c_star[3]=-4:4:5", "a0=1:14:4", method=method, jumps=True, ends=True)
    family = family_of(FIG5_LEFT, "c_star[3]")
    jumps, attractor, fast, slow = (found.fields[k] for k in ("jumps", "attractor", "end_fast", "end_slow"))
    for i, value in enumerate(found.x.exact_values):
        for j, orbit in enumerate(fs.analyze(family.at(value), found.y.values.tolist()).orbits):
            assert jumps[j, i] == sum(segment.kind == "jump" for segment in orbit.segments)
            wanted = (0.0, math.inf) if _named(found)[j, i] == "unlearning" else orbit.final
            assert (fast[j, i], slow[j, i]) == pytest.approx(wanted, rel=1e-9), (value, found.y.values[j])
            name = "infinity" if math.isinf(wanted[1]) else "R = 1" if wanted[0] == 1.0 else "a = h(R)"
            assert found.attractors[attractor[j, i]] == name
    assert {1, 2} <= set(jumps.ravel().tolist()) and len(np.unique(attractor)) == 3
    document = found.document()
    assert document["attractors"] == list(found.attractors) and document["jumps"] == jumps.tolist()
    assert document["end_slow"][-1][0] == "inf"


def test_orbits_that_leave_the_window():
    """They are parted by orbits that touch its edge, y0 = 6.0 here; each cell against its own trajectory."""
    found = phase_map(fs.van_der_pol(), "a=1/2:2:3", "y0=-8:8:9")
    family = family_of(fs.van_der_pol(), "a")
    for i, value in enumerate(found.x.exact_values):
        settling = Settling(critical_manifold(family.at(value)))
        for j, y in enumerate(found.y.exact_values):
            verdict = settling.run(Start(Fraction(0), y)).verdict
            assert _named(found)[j, i] == FATES[fate_code(verdict)], (value, y)
    assert set(found.fates) == {"settles", "relaxation oscillation", "leaves the window"}


def test_cycles_are_attractors():
    found = phase_map(fs.van_der_pol(), "a=0:3/2:2", "y0=-1/2:1/2:2", ends=True)
    names = np.array(found.attractors)[found.fields["attractor"]]
    assert set(names[:, 0]) == {"cycle"} and "cycle" not in names[:, 1]
    assert np.isnan(found.fields["end_fast"][:, 0]).all() and found.fields["end_fast"][0, 1] == pytest.approx(1.5)


def test_no_loss_of_what_has_none():
    with pytest.raises(fs.InputError, match="no energy"):
        phase_map(fs.van_der_pol(), "a=0:1:3", "y0=0:1:3", loss=True)
    with pytest.raises(fs.InputError, match="full system"):
        phase_map(FIG5_LEFT, "c_star[3]=0:1:3", "a0=1:2:3", method="singular", loss=True)
