"""Saddle-saddle connections in a parameter: Figure 7's, and waves with exact speeds."""

import math
from fractions import Fraction

import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.connections import connections
from fastslow.separatrices.full_graph import full_graph
from fastslow.systems.polynomials import rational
from tests import naive

FIG7 = ([1, 1, 1], [1, -2, 1])
ETA = 0.29660602
"""Figure 7's slow rate below which learning appears, by an independent calculation."""


def full(system):
    return full_graph(Settling(critical_manifold(system)))


@pytest.fixture(scope="module")
def fig7():
    return connections(fs.TwoLayer(*FIG7), "slow_rate", ("0.2", "0.4"), samples=8)


def test_the_connection_of_figure_7(fig7):
    (found,) = fig7.found
    assert fig7.unresolved == ()
    assert found.value == pytest.approx(ETA, abs=6e-9)
    assert 0 < found.error < 1e-9
    # From (0, 0), whose unstable half is the limit a0 -> 0 of the starts, to the saddle on the branch.
    (R, a) = next((float(x), float(y)) for x, y, _ in naive.Network(*FIG7).alpha_roots() if x > 0)
    assert (found.source, found.target, found.side) == ("E3", "E4", 1)
    assert found.source_at == (0.0, 0.0)
    assert found.target_at == pytest.approx((R, a), rel=1e-14)
    assert (found.below, found.above) == ("learning (E5)", "unlearning (I2)")


def test_the_full_graph_differs_on_both_sides(fig7):
    value = fig7.found[0].value
    below, above = (full(fs.TwoLayer(*FIG7, slow_rate=value * (1 + s * 1e-5))) for s in (-1, 1))
    ends = [{(e.start, e.side): e.end for e in g.edges if e.kind == "unstable"} for g in (below, above)]
    assert {key for key in ends[0] if ends[0][key] != ends[1][key]} == {("E3", 1)}
    assert len([t for t in below.thresholds if t.y > 0]) == 1
    assert 0 < min(t.y for t in below.thresholds if t.y > 0) < 1e-3
    assert [t for t in above.thresholds if t.y > 0] == []


def test_the_connection_against_scipy(fig7):
    value = fig7.found[0].value
    network = naive.Network(*FIG7)
    assert naive.ode_fate(network, 1e-4, slow_rate=value * 0.999) == "learning"
    assert naive.ode_fate(network, 1e-4, slow_rate=value * 1.001) == "unlearning"


def test_another_parameter_and_back():
    """The curve of connections in the plane of c*_2 and the slow rate, found along both axes."""
    system = fs.TwoLayer(*FIG7, slow_rate="1/4")
    (found,) = connections(system, "c_star_2", ("-2.05", "-1.95"), samples=2).found
    assert found.parameter == "c_star[2]"
    there = fs.TwoLayer([1, 1, 1], [1, found.value, 1])
    (again,) = connections(there, "slow_rate", ("0.2", "0.3"), samples=2).found
    assert again.value == pytest.approx(0.25, abs=1e-9)
    assert (found.below, found.above) == ("unlearning (I2)", "learning (E5)")


def test_only_the_saddles_that_are_asked_for():
    system = fs.TwoLayer(*FIG7)
    (found,) = connections(system, "slow_rate", ("0.2", "0.4"), source="E3", target="E4", samples=1).found
    assert found.value == pytest.approx(ETA, abs=6e-9)
    assert connections(system, "slow_rate", ("0.2", "0.4"), source="E4", samples=1).found == ()
    assert connections(system, "slow_rate", ("0.31", "0.4"), samples=2).found == ()


def test_a_travelling_wave_of_nagumo():
    """The wave u' = v, v' = -c v - u (1 - u)(u - a), which has no energy for c != 0.

    v = u (1 - u) / sqrt 2 joins 0 to 1 at the speed c = sqrt 2 (a - 1/2).
    """
    (x, y), a = fs.variables("x", "y"), Fraction(1, 3)

    def wave(c):
        return fs.FastSlowSystem([y], -rational(c) * y - x * (1 - x) * (x - rational(a)), window=(-1, 2))

    exact = math.sqrt(2) * (float(a) - 0.5)
    result = connections(wave, "c", (exact - 0.03, exact + 0.02), samples=1)
    (found,) = result.found
    assert found.value == pytest.approx(exact, abs=1e-9)
    assert abs(found.value - exact) <= found.error
    assert (found.source_at, found.target_at) == ((0.0, 0.0), (1.0, 0.0))
    assert found.below.endswith("upper edge") and found.above.endswith("lower edge")


def test_where_equilibria_change_it_is_said():
    result = connections(fs.TwoLayer([1, 1, 1], [1, "-12/5", 1]), "c_star_2", ("-2.5", "-2.4"), samples=1)
    assert result.found == ()
    (text,) = result.unresolved
    assert "the equilibria change" in text


@pytest.mark.parametrize(
    ("parameter", "between", "field"),
    [
        ("foo", (0, 1), "parameter"),
        ("c_star_4", (0, 1), "parameter"),
        ("c", (0, 1), "parameter"),
        ("slow_rate", (1, "1/2"), "between"),
        ("slow_rate", (-1, 1), "slow_rate"),
        ("slow_rate", 5, "between"),
        ("slow_rate", (1, 2, 3), "between"),
        (5, (0, 1), "parameter"),
    ],
)
def test_bad_input(parameter, between, field):
    with pytest.raises(fs.InputError) as caught:
        connections(fs.TwoLayer(*FIG7), parameter, between)
    assert caught.value.field == field


@pytest.mark.parametrize("samples", [0, 2.5, "many"])
def test_a_scan_needs_steps(samples):
    with pytest.raises(fs.InputError, match="samples = "):
        connections(fs.TwoLayer(*FIG7), "slow_rate", (1, 2), samples=samples)


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_saddle_that_is_not_there(name):
    with pytest.raises(fs.InputError, match=f"{name} = 'E9'.*Saddles there: E1, E3, E4"):
        connections("fig7", "slow_rate", ("1/5", "2/5"), samples=1, **{name: "E9"})


@pytest.mark.parametrize("system", [None, lambda value: value])
def test_what_is_no_system(system):
    with pytest.raises(fs.InputError, match="model"):
        connections(system, "slow_rate", (1, 2))
