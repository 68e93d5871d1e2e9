"""Verdicts and thresholds of the full system: against scipy, against first-order theory, and the singular limit."""

import random
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

import fastslow as fs
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.thresholds import thresholds
from fastslow.systems.system import Start
from tests import naive

FIVE = [1] * 5


def settling_of(c, c_star, slow_rate=1, **options):
    return Settling(critical_manifold(fs.TwoLayer(c, c_star, slow_rate)), **options)


def run_from(settling, a0):
    return settling.run(Start(Fraction(0), Fraction(a0)))


def upper_threshold(c, c_star, slow_rate):
    """The one threshold a0 > 0, from learning below to unlearning above."""
    (found,) = [t for t in thresholds(settling_of(c, c_star, slow_rate)) if t.y > 0]
    assert (found.below, found.above) == ("learning", "unlearning")
    return found


@pytest.mark.parametrize("block", range(4))
def test_verdicts_against_scipy(block):
    fates = []
    for seed in range(3000 + 5 * block, 3005 + 5 * block):
        c, c_star = naive.random_coefficients(seed, largest=6)
        network, settling = naive.Network(c, c_star), settling_of(c, c_star)
        edges = [t.y for t in thresholds(settling)]
        rng = random.Random(seed)
        for sign in (1, -1):
            a0 = sign * rng.choice([0.3, 1, 3]) * 10 ** rng.uniform(-0.5, 0.5)
            if any(abs(a0 - edge) < 0.02 * abs(edge) for edge in edges):
                continue
            trajectory = run_from(settling, a0)
            assert trajectory.verdict == naive.ode_fate(network, a0), (seed, a0)
            # The state where the fate was known is on scipy's solution, too.
            t = min(trajectory.final_time, 5.0)
            k = int(np.searchsorted(trajectory.t, t, side="right")) - 1
            R, a = naive.ode(network, a0, trajectory.t[k], rtol=1e-9, atol=1e-11).y[:, -1]
            np.testing.assert_allclose((trajectory.x[k], trajectory.y[k]), (R, a), rtol=1e-6, atol=1e-6)
            fates.append(trajectory.verdict)
    assert set(fates) == {"learning", "unlearning"} and len(fates) >= 7


@pytest.mark.parametrize("slow_rate", ["1/1000", "1/10", 1, 30])
@pytest.mark.parametrize("seed", range(4000, 4006))
def test_the_test_loss_never_grows(seed, slow_rate):
    c, c_star = naive.random_coefficients(seed, largest=6)
    network, settling = naive.Network(c, c_star), settling_of(c, c_star, slow_rate)
    for a0 in (0.4, 5, -2):
        trajectory = run_from(settling, a0)
        exact = np.array([float(network.loss(Fraction(R), Fraction(a))) for R, a in
                          zip(trajectory.x, trajectory.y, strict=True)])  # fmt: skip
        np.testing.assert_allclose(trajectory.energy, exact, rtol=1e-9, atol=1e-12 * exact[0])
        assert len(exact) > 20
        assert np.diff(exact).max() <= 1e-9 * exact[0]
        assert exact[-1] < exact[0]


SADDLE_LIMITED = [(FIVE, [1, -1, 1, 1, 1]), (FIVE, [1, -1, 1, -1, 1]), ([1, 1, 1], [1, -1, 1])]


@pytest.mark.parametrize(("c", "c_star"), SADDLE_LIMITED)
@pytest.mark.parametrize("slow_rate", [1, "1/100"])
def test_both_sides_of_a_threshold(c, c_star, slow_rate):
    settling = settling_of(c, c_star, slow_rate)
    edge = upper_threshold(c, c_star, slow_rate).y
    assert run_from(settling, edge * (1 - 1e-7)).verdict == "learning"
    assert run_from(settling, edge * (1 + 1e-7)).verdict == "unlearning"


def test_a_threshold_against_scipy_on_both_sides():
    """Forward runs by Radau from 1e-5 beside the threshold of Figure 4 (the whole shift from the fold is 6e-4)."""
    network = naive.Network(FIVE, [1, -1, 1, 1, 1])
    edge = upper_threshold(FIVE, [1, -1, 1, 1, 1], 1).y
    assert naive.ode_fate(network, edge - 1e-5) == "learning"
    assert naive.ode_fate(network, edge + 1e-5) == "unlearning"


@pytest.mark.parametrize(("c", "c_star"), SADDLE_LIMITED)
def test_saddle_limited_thresholds_tend_to_the_singular_boundary(c, c_star):
    """a0_c = a* - η ∫ g/f dR + O(η²): the boundary, the order and the coefficient."""
    network = naive.Network(c, c_star)
    (R, a), *_ = [(float(x), float(y)) for x, y, _ in network.alpha_roots() if x > 0]
    # Both g and f vanish at the saddle; the ratio stays finite.
    slope = -quad(lambda r: float(network.g(r, a)) / float(network.f(r, a)), 0.0, R * (1 - 1e-8), epsrel=1e-9)[0]
    shifts = [upper_threshold(c, c_star, rate).y - a for rate in ("1/100", "1/1000", "1/10000")]
    assert shifts[1] / shifts[2] == pytest.approx(10, rel=1e-4)
    assert shifts[0] / shifts[1] == pytest.approx(10, rel=1e-3)
    assert shifts[1] / 1e-3 == pytest.approx(slope, rel=1e-4)


def test_a_fold_limited_threshold_moves_with_the_power_two_thirds():
    """Figure 7's system: the boundary is a fold, and the threshold is below it by about η^(2/3)."""
    c, c_star = [1, 1, 1], [1, -2, 1]
    fold = 0.3766204985257595
    shifts = [upper_threshold(c, c_star, rate).y - fold for rate in ("1e-4", "1e-5", "1e-6")]
    assert max(shifts) < 0
    first, second = shifts[0] / shifts[1], shifts[1] / shifts[2]
    assert second == pytest.approx(10 ** (2 / 3), rel=1e-2)
    assert abs(second - 10 ** (2 / 3)) < abs(first - 10 ** (2 / 3))


def test_the_saddle_connection_of_figure_7():
    """At slow rate 1 everything unlearns; learning appears below η_c = 0.2966."""
    c, c_star = [1, 1, 1], [1, -2, 1]
    assert [t for t in thresholds(settling_of(c, c_star, "0.2970")) if t.y > 0] == []
    assert 0 < upper_threshold(c, c_star, "0.2960").y < 0.02
    assert naive.ode_fate(naive.Network(c, c_star), 0.05, slow_rate=0.25) == "learning"
    assert run_from(settling_of(c, c_star, "1/4"), 0.05).verdict == "learning"
    assert run_from(settling_of(c, c_star, "0.35"), 0.001).verdict == "unlearning"


def test_figure_7_disagrees_with_a_computed_cause():
    result = fs.analyze("fig7", a0=["3/10", 1])
    first, second = result.orbits
    assert (first.verdict.singular, first.verdict.ode) == ("learning", "unlearning")
    assert not first.agree and first.explained
    for part in (
        "no threshold near that of the singular limit",
        "0.37662",
        "during the first jump a drifts by",
        "0.0766 away",
    ):
        assert part in first.explanation
    network = naive.Network([1, 1, 1], [1, -2, 1])
    # The drift it names is ∫ g/f over nine tenths of the jump from 0 to R = 1.
    drift = quad(lambda r: float(network.g(r, 0.3)) / float(network.f(r, 0.3)), 0.0, 0.9, limit=200)[0]
    named = float(first.explanation.split("drifts by ")[1].split(",")[0])
    assert named == pytest.approx(drift, rel=1e-2)
    assert second.agree and second.explained
    assert result.explained


@pytest.mark.parametrize("a0", [0.3, 0.5])
def test_delayed_loss_of_stability_on_the_line(a0):
    """With c = (1, 1), c* = (1, 1/2): on R = 1 the drift to 2/3 passes h(1) = 3/5; the exit balances ∫ f_R/g da."""
    c, c_star = [1, 1], [1, Fraction(1, 2)]
    network = naive.Network(c, c_star)

    def rate(a):
        return float(network.f_R(1, a)) / float(network.g(1, a))

    exit_at = brentq(lambda y: quad(rate, a0, y, epsabs=1e-13)[0], 0.6 + 1e-6, 2 / 3 - 1e-9, xtol=1e-14)
    orbit = SingularFlow(critical_manifold(fs.TwoLayer(c, c_star))).orbit(Start(Fraction(0), Fraction(a0)))
    ends = [s.end for s in orbit.segments]
    assert [s.delayed for s in orbit.segments] == [False, False, True, False, False]
    assert ends[:2] == [(1.0, a0), (1.0, 0.6)]
    assert ends[2] == (1.0, pytest.approx(exit_at, rel=1e-11))
    landing = ends[3]
    assert float(network.h(Fraction(landing[0]))) == pytest.approx(exit_at, rel=1e-11)
    assert ends[4] == (0.5, 2.0)
    # In the full system the same, up to an error of the order of the slow rate.
    errors = []
    for slow_rate in ("1/100", "1/1000", "1/10000"):
        trajectory = run_from(settling_of(c, c_star, slow_rate), a0)
        highest = int(np.argmax(trajectory.x))
        middle = (1 + landing[0]) / 2
        leaving = highest + int(np.argmax(trajectory.x[highest:] < middle))
        jump = slice(leaving - 1, leaving + 1)
        errors.append(np.interp(-middle, -trajectory.x[jump], trajectory.y[jump]) - exit_at)
    assert abs(errors[2]) < 5e-5
    assert abs(errors[1]) < 5e-4
    assert 9 < errors[1] / errors[2] < 11


def test_delayed_loss_of_stability_in_a_panel_of_figure_8():
    orbit = fs.analyze("fig8-3-3", a0=1).orbits[0]
    network = naive.Network([1] * 7, [1, Fraction("1.67"), Fraction("1.67"), 1, 1, 1, 1])
    assert naive.value(network.S, 1) / naive.value(network.T, 1) > network.h(Fraction(1))
    (delayed,) = [s for s in orbit.segments if s.delayed]
    balance = quad(lambda a: float(network.f_R(1, a)) / float(network.g(1, a)), 1, delayed.end[1], epsabs=1e-9)[0]
    depth = quad(lambda a: float(network.f_R(1, a)) / float(network.g(1, a)), 1, float(network.h(Fraction(1))))[0]
    assert depth < 0 and abs(balance) < 1e-4 * abs(depth)
    assert (orbit.verdict.singular, orbit.verdict.ode) == ("learning", "learning")


@pytest.mark.parametrize("solver", ["rodas5p", "LSODA", "Radau"])
def test_solvers_agree_on_the_fate(solver):
    settling = settling_of(FIVE, [1, -1, 1, 1, 1], solver=solver)
    for a0, verdict in ((5, "learning"), (9, "learning"), (10, "unlearning")):
        trajectory = run_from(settling, a0)
        assert (trajectory.verdict, trajectory.solver) == (verdict, solver)
