"""Limit cycles of the full system: periods, multipliers, nests of them, and what is no limit cycle."""

import math

import pytest

import fastslow as fs
from fastslow.documents import from_document, to_document
from fastslow.separatrices.full_graph import FullEdge, joined_to_cycles

S = fs.FastSlowSystem
CIRCLES = ["y - x*(x**2 + y**2 - 1)*(4 - x**2 - y**2)", "-x - y*(x**2 + y**2 - 1)*(4 - x**2 - y**2)"]
"""In polar coordinates r' = -r (r^2 - 1) (4 - r^2), angle' = -1: cycles r = 1, stable, and r = 2, unstable."""


def circles(**options):
    return S([CIRCLES[0]], CIRCLES[1], slow_rate=1, **options)


@pytest.mark.parametrize(
    ("slow_rate", "mu", "period"),
    [("1/100", 10, 19.0783695669), ("1/10000", 100, 162.837071092), ("1/1000000", 1000, 1614.40112581)],
)
def test_van_der_pol_periods(slow_rate, mu, period):
    """The variable of x'' - mu (1 - x^2) x' + x = 0 has its period in units of mu times the fast time."""
    (cycle,) = fs.limit_cycles(fs.van_der_pol(0, slow_rate)).cycles
    assert cycle.period / mu == pytest.approx(period, rel=1e-10)
    assert cycle.stability == "stable" and cycle.certainty == "converged" and cycle.encloses == ("E1",)
    assert cycle.period_error < 1e-9 * cycle.period


def test_nested_cycles_with_their_multipliers():
    """The divergence on the circle r = rho is r d(r' / r)/dr: -2 rho^2 (4 - rho^2) + 2 rho^2 (rho^2 - 1)."""
    found = fs.limit_cycles(circles())
    assert [(c.stability, c.encloses) for c in found.cycles] == [("stable", ("E1",)), ("unstable", ("E1",))]
    for rho, cycle in zip((1, 2), found.cycles, strict=True):
        exponent = 2 * math.pi * 2 * rho**2 * ((rho**2 - 1) - (4 - rho**2))
        assert cycle.period == pytest.approx(2 * math.pi, rel=1e-10)
        assert cycle.exponent == pytest.approx(exponent, rel=1e-8)
        assert cycle.amplitude == pytest.approx((2 * rho, 2 * rho), rel=1e-4)  # extrema lie between steps
        assert cycle.multiplier == pytest.approx(math.exp(exponent), rel=1e-5)
    assert not found.notes


def test_a_cycle_that_leaves_the_window_is_none():
    (cycle,) = fs.limit_cycles(circles(window=("-3/2", "3/2"))).cycles
    assert cycle.amplitude[0] == pytest.approx(2, rel=1e-4)


def test_a_cycle_round_three_equilibria():
    """Liénard: x' = y, y' = x - x^3 + y (3/2 - x^2): both foci repel, the cycle goes round them and the saddle."""
    system = S(["y"], "x - x**3 + y*(3/2 - x**2)", slow_rate=1, window=(-5, 5))
    cycles = fs.limit_cycles(system).cycles
    assert [(c.encloses, c.stability) for c in cycles] == [(("E1", "E2", "E3"), "stable")]


@pytest.mark.parametrize(
    "system",
    [
        S(["y"], "-x - x**3", slow_rate="1/10"),
        S(["x", "1 - y"], "y*(x - 1)", slow_rate="1/10", window=(0, 10)),
    ],
    ids=["Hamiltonian", "Lotka and Volterra"],
)
def test_closed_orbits_side_by_side_are_no_limit_cycles(system):
    found = fs.limit_cycles(system)
    assert not found.cycles
    assert "close side by side" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("a", "height", "kind"),
    [("0.9988", 0.03921829, "small"), ("0.99874045142", 0.1237072, "small"), ("0.998740451", 1.489509, "relaxation")],
)
def test_cycles_through_a_canard_explosion(a, height, kind):
    """Heights with scipy's DOP853 at 2.5e-14 (that of a = 0.9988 at 1e-13)."""
    (cycle,) = fs.limit_cycles(fs.van_der_pol(a)).cycles
    assert cycle.amplitude[1] == pytest.approx(height, rel=1e-4)
    assert (cycle.kind, cycle.stability) == (f"{kind} oscillation", "stable")
    assert cycle.certainty == "converged" or cycle.strayed > 1e-3


def test_what_doubles_cannot_tell_is_no_cycle_but_a_note():
    found = fs.limit_cycles(fs.van_der_pol("0.99874045125"))
    assert not found.cycles and "too steeply" in found.notes[0]


def test_a_cycle_that_is_born_unstable():
    """Below a subcritical Hopf point a stable focus lies inside an unstable cycle."""
    analysis = fs.analyze(fs.fitzhugh_nagumo(current="0.33"), starts=[(0, 0)])
    inner, outer = analysis.limit_cycles.cycles
    assert (inner.stability, outer.stability) == ("unstable", "stable")
    assert inner.amplitude[0] < outer.amplitude[0] and inner.encloses == outer.encloses == ("E1",)
    assert analysis.point("E1").stability == "stable"
    assert analysis.orbits[0].trajectory.cycle == outer.id
    assert from_document(to_document(analysis)) == analysis
    assert "C2, a stable relaxation oscillation" in analysis.summary()


def test_halves_of_separatrices_end_at_cycles():
    cycles = fs.limit_cycles(circles()).cycles
    inward = FullEdge("", "E2", "stable", 1, "from a repelling cycle", (3.0, 2.0), (0.0, 0.0))
    outward = FullEdge("E2", "", "unstable", 1, "to an attracting cycle", (0.5, 0.8), (0.0, 0.6))
    past = FullEdge("E2", "", "unstable", 1, "leaves the window of x", (0.5, 0.8), (0.0, 0.6))
    joined = joined_to_cycles((inward, outward, past), cycles)
    assert [(e.start, e.end) for e in joined] == [("C2", "E2"), ("E2", "C1"), ("E2", "")]


def polar(rate):
    """Return r' = r rate(r^2), angle' = -1."""
    return S([f"y + x*({rate})"], f"-x + y*({rate})", slow_rate=1)


def test_two_cycles_between_two_samples():
    found = fs.limit_cycles(polar("(1 - x**2 - y**2)*(101/100 - x**2 - y**2)")).cycles
    assert [c.stability for c in found] == ["stable", "unstable"]
    assert [c.amplitude[0] for c in found] == pytest.approx([2, 2 * 1.01**0.5], rel=1e-5)


def test_a_cycle_that_attracts_from_one_side_is_told_of():
    found = fs.limit_cycles(polar("(1 - x**2 - y**2)**2"))
    assert not found.cycles and "attracts from one side" in found.notes[0]


def test_a_weak_focus_is_no_cycle():
    assert fs.limit_cycles(S(["y - x**3"], "-x", slow_rate=1)).cycles == ()


def test_a_repelling_relaxation_cycle():
    """Van der Pol's with time reversed."""
    (cycle,) = fs.limit_cycles(S(["-y - x + x**3/3"], "x", slow_rate="1/100")).cycles
    assert cycle.stability == "unstable" and cycle.multiplier > 1e100
    assert cycle.period == pytest.approx(190.783695669, rel=1e-9)


def test_a_model_with_an_energy_has_none():
    assert fs.limit_cycles("fig4") == fs.LimitCycles()
