"""Relaxation cycles: their periods to two orders, folds, crossings and excitability of the singular limit."""

import math
from fractions import Fraction

import pytest

import fastslow as fs
from fastslow.flow.crossings import crossing_reports
from fastslow.flow.generic_points import excitable_equilibria, fold_reports
from fastslow.flow.relaxation import FIRST_AIRY_ZERO, relaxation_cycles
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.systems.system import Start

S = fs.FastSlowSystem


def flow(system):
    return SingularFlow(fs.critical_manifold(system))


def test_the_period_of_van_der_pol_to_two_orders():
    """In units of mu times the fast time: (3 - 2 log 2) mu + 3 * 2.338107 mu^(-1/3) (Dorodnitsyn 1947)."""
    (cycle,) = relaxation_cycles(flow(fs.van_der_pol()))
    assert cycle.folds == ("F1", "F2") and cycle.landings == ((2.0, 2 / 3), (-2.0, -2 / 3))
    assert cycle.slow_period == pytest.approx(3 - 2 * math.log(2), rel=1e-13)
    assert cycle.fold_constant == pytest.approx(3 * FIRST_AIRY_ZERO, rel=1e-13)


def test_the_zero_of_the_airy_function():
    from scipy.special import ai_zeros

    assert pytest.approx(-ai_zeros(1)[0][0], rel=1e-15) == FIRST_AIRY_ZERO


def remainders(cycle, periods):
    """Return what is left of the periods after one and after two orders."""
    return [[period - cycle.at(rate, orders=k) for rate, period in periods] for k in (1, 2)]


def is_of_the_next_order(first, second):
    """Of one order the rest is slow_rate^(-1/3) as large, of both log slow_rate: equal steps for equal ratios."""
    assert first[2] / first[1] == pytest.approx(100 ** (1 / 3), rel=0.1)
    assert second[2] - second[1] == pytest.approx(second[1] - second[0], rel=0.3)
    assert abs(second[2]) < 0.1 * abs(first[2])


def test_the_period_of_van_der_pol_against_the_literature():
    known = [
        (1 / mu**2, mu * period) for mu, period in ((10, 19.0783695669), (100, 162.837071092), (1000, 1614.40112581))
    ]
    (cycle,) = relaxation_cycles(flow(fs.van_der_pol()))
    is_of_the_next_order(*remainders(cycle, known))


def test_the_period_where_no_symmetry_helps_against_the_full_system():
    """A branch of second degree in y, different folds, and g that depends on y."""
    f, g = "y + 1/5*y**2 + x - x**3/3", "1/10 - x + 1/5*x*y"
    systems = [S([f], g, slow_rate=rate) for rate in ("1/200", "1/20000", "1/2000000")]
    periods = [(float(s.slow_rate), fs.limit_cycles(s).cycles[0].period) for s in systems]
    (cycle,) = relaxation_cycles(flow(systems[0]))
    is_of_the_next_order(*remainders(cycle, periods))


def test_folds_with_their_conditions():
    """On y = x^3/3 - x: f_xx = -2 x, f_y = 1, g = a - x."""
    left, right = fold_reports(flow(fs.van_der_pol("1/2")))
    assert (left.kind, left.f_xx, left.f_y, left.g) == ("jump point", 2.0, 1.0, 1.5)
    assert left.landing == (2.0, 2 / 3) and left.next == "F2"
    assert (right.kind, right.landing) == ("jump point", (-2.0, -2 / 3))
    kinds = [[r.kind for r in fold_reports(flow(system))] for system in (
        fs.van_der_pol(1), fs.van_der_pol("3/2"), S(["y + x - x**3/3"], "x - 1"), S(["y - x**3"], "x + 1"),
    )]  # fmt: skip
    assert kinds == [
        ["jump point", "canard point"],
        ["jump point", "left by the slow flow"],
        ["left by the slow flow", "folded saddle"],
        ["degenerate"],
    ]


def test_crossings_are_transcritical_or_pitchfork_points():
    """X' = x (y - x) and x (y - x^2); a ratio of 1 is the passage along the line, which is delayed."""

    def report(f, g, **options):
        system = S(f, g, **options)
        manifold = fs.critical_manifold(system)
        return crossing_reports(system, manifold.points)[0]

    up, down = report(["x", "y - x"], "1"), report(["x", "y - x"], "-1")
    assert up.kind == down.kind == "transcritical point"
    assert (up.f_xx, up.f_xy, up.f_yy) == (-2.0, 1.0, 0.0)
    assert (up.ratio, down.ratio) == (1.0, -1.0)
    assert up.passage.startswith("canard") and down.passage.startswith("exchange")
    both = [report(["x - y", "x - 2*y"], g) for g in ("1", "-1")]  # ratio 3/2 / (1/2)
    assert [r.ratio for r in both] == pytest.approx([-3.0, 3.0])
    assert [r.passage.split(":")[0] for r in both] == ["exchange of stability", "jump"]
    fork = report(["x", "y - x**2"], "1")
    assert (fork.kind, fork.f_xxx, fork.f_xy) == ("pitchfork point", -6.0, 1.0)
    assert report(["x", "y - x"], "y").kind == "equilibrium"


def test_the_threshold_of_an_excitable_neuron_is_where_starts_begin_to_jump():
    neuron = fs.fitzhugh_nagumo(current=0)
    (found,) = excitable_equilibria(flow(neuron))
    assert (found.equilibrium, found.fold, found.folds) == ("E1", "F1", ("F2",))
    rest = fs.analyze(neuron).point("E1")
    kicks = [(found.threshold + side, rest.y) for side in (-1e-6, 1e-6)]
    orbits = [flow(neuron).orbit(Start(*map(Fraction, kick))) for kick in kicks]
    assert [len(orbit.segments) for orbit in orbits] == [2, 4]
    assert not list(excitable_equilibria(flow(fs.van_der_pol(0))))
    # a fold whose other side leads to a second rest: switching, no excitability
    switch = S(["y + x - x**3/3"], "2*y + x", slow_rate="1/100")
    assert not list(excitable_equilibria(flow(switch)))
