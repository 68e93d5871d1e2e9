"""Cycles, spirals and canards of systems without an energy: what becomes of them in the full system."""

import math
from fractions import Fraction

import pytest

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.ode.cycles import last_turns
from fastslow.ode.trajectories import Settling
from fastslow.systems.chart import Chart
from fastslow.systems.system import Start

S = fs.FastSlowSystem


def orbit(a, start=(2, 0)):
    return fs.analyze(fs.van_der_pol(a, "1/100"), starts=[start]).orbits[0]


def settled(system, start=(2, 0), **options):
    settling = Settling(fs.critical_manifold(system), **options)
    return settling.run(Start(*(Fraction(v) for v in start)))


def turns(system, start, time, rtol):
    field = system.field_parameters(Chart())
    run = fs.integrate(polynomial_field, field, start, (0, time), rtol=rtol)
    found = list(last_turns(system, Chart(), field, run))
    for turn, next_turn in found:
        after = next_turn()
        assert after is not None
        assert after.y[0] == pytest.approx(turn.y[-1], rel=1e-12)
    return [turn for turn, _ in found]


def test_the_return_map_of_a_linear_spiral():
    """X' = y - x/50, y' = -x/10: P(Y) = Y exp(-T/100) with T = 2 pi / sqrt(1/10 - 1/100^2)."""
    found = turns(S(["y - x/50"], "-x", slow_rate="1/10"), (1, 0), 200, 1e-10)
    slope = math.exp(-2 * math.pi / math.sqrt(0.1 - 1e-4) / 100)
    assert len(found) == 4
    for k, turn in enumerate(found, start=1):
        assert turn.slope == pytest.approx(slope**k, rel=1e-7)
        assert turn.step == pytest.approx((slope**k - 1) * turn.y[0], rel=1e-6)
        assert turn.to_limit == pytest.approx(-turn.y[0], rel=1e-6)
        assert turn.uncertainty < 1e-6


def test_a_weak_focus_shrinks_as_its_lyapunov_coefficient_says():
    """At a = 1 the amplitude r of x - 1 has r' = -r^3 / 8: P'(A) = 1 - 3 pi A^2 / (4 rate^(3/2)) for heights A."""
    turn = turns(fs.van_der_pol(1, "1/100"), (1.005, -2 / 3), 2000, 1e-12)[0]
    shrinking = 3 * math.pi / 4 * (turn.height / 2) ** 2 / 0.01**1.5
    assert 1 - turn.slope == pytest.approx(shrinking, rel=0.1)


@pytest.mark.parametrize(
    ("a", "fate"),
    [
        ("6/5", "settles at E1"),
        ("10001/10000", "settles at E1"),
        (1, "settles at E1"),
        ("0.9999", "small oscillation"),
        ("0.9995", "small oscillation"),
        ("0.9988", "small oscillation"),
        ("0.99874045142", "small oscillation"),
        ("0.998740451", "relaxation oscillation"),
        ("0.99874", "relaxation oscillation"),
        ("0.9", "relaxation oscillation"),
    ],
)
def test_van_der_pol_from_its_hopf_point_to_its_canards(a, fate):
    """With scipy's DOP853 at 1e-12 and smaller; at a = 1 with the first Lyapunov coefficient, -1/8."""
    assert settled(fs.van_der_pol(a, "1/100")).verdict == fate


def test_an_unstable_focus_beside_an_attracting_arc_is_no_place_to_settle_at():
    """Eigenvalues 0.00155 +- 0.141 i at x = 1.00006; on the cycle x has a range of 0.2164 (scipy's DOP853 at 1e-12)."""
    a = Fraction(50003, 50000) - Fraction(161, 1000) * (Fraction(50003, 50000) ** 3 / 3 - Fraction(50003, 50000))
    system = S(["y + x - x**3/3"], f"{a} - x + 161/1000*y", slow_rate="1/50", window=(-4, 4))
    run = settled(system)
    late = run.x[run.t > 0.9 * run.t[-1]]
    assert run.verdict == "small oscillation"
    assert late.max() - late.min() == pytest.approx(0.2164, rel=1e-3)


@pytest.mark.parametrize("rtol", [1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize(("a", "height"), [("0.99874045142", 0.1237072), ("0.998740451", 1.489509)])
def test_beside_a_canard_explosion_the_tolerance_does_not_matter(a, height, rtol):
    """Heights max y - min y of the cycles with scipy's DOP853 at 2.5e-14."""
    run = settled(fs.van_der_pol(a, "1/100"), rtol=rtol)
    late = run.t > 0.9 * run.t[-1]
    assert run.y[late].max() - run.y[late].min() == pytest.approx(height, rel=1e-3)
    assert run.verdict == ("small" if height < 1 else "relaxation") + " oscillation"


def test_errors_along_a_canard_are_seen():
    """At 1e-9 the cycle of height 0.1237072 comes out as 0.1163."""
    turn = turns(fs.van_der_pol("0.99874045142", "1/100"), (2, 0), 3000, 1e-9)[0]
    assert 0.005 < abs(turn.height - 0.1237072) < turn.uncertainty


def test_what_doubles_cannot_tell_is_undecided_with_the_reason():
    found = orbit("0.99874045125")
    assert found.verdict.ode.startswith("undecided: errors grow") and "canard" in found.verdict.ode
    assert "canard explosion" in found.explanation
    assert not found.agree


@pytest.mark.parametrize(("a", "named"), [("0.9987", True), ("0.9", False)])
def test_an_agreement_beside_canards_names_them(a, named):
    found = orbit(a)
    assert found.agree
    assert ("canard" in found.explanation) == named


def test_closed_orbits_side_by_side_are_no_cycle():
    """Lotka and Volterra: x - ln x + 10 (y - ln y) is constant, and no orbit attracts another."""
    system = S(["x", "1 - y"], "y*(x - 1)", slow_rate="1/10", window=(0, 10))
    run = settled(system, ("3/2", 1))
    assert run.undecided and "less than its error" in run.verdict


def test_a_cycle_with_three_maxima_on_one_turn():
    """The jump to the left passes a maximum of y at x = 0, the one to the right two, at x = -1/2 and 1/2."""
    system = S(["y + x - x**3/3"], "x*(1 - 4*x**2)/15", slow_rate="1/100")
    steps = [abs(turn.step) / turn.height for turn in turns(system, (2, 0), 2000, 1e-9)]
    assert steps[2] < 1e-6 < 1e-3 < min(steps[0], steps[1])
    assert settled(system).verdict == "relaxation oscillation"


@pytest.mark.parametrize(("current", "verdict"), [("88.292", "settles at E1"), ("88.294", "relaxation oscillation")])
def test_no_cycle_is_believed_where_two_have_just_vanished(current, verdict):
    """By scipy's DOP853 at 1e-11 the saddle-node of cycles is between both values.

    Before it the map of a turn still contracts, and misses a fixed point by 2e-5 of its height.
    """
    system = fs.family_of("morris_lecar", "current").at(current)
    assert settled(system, (-40, "-1/10")).verdict == verdict
    assert fs.ensemble(system, [-0.1]).fate[0] == verdict
