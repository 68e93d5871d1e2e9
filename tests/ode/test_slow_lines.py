"""Invariant lines y = const: no solution crosses them, and nearness to them is followed as a logarithm."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.paths import follow
from fastslow.ode.trajectories import Settling
from fastslow.systems.families import family_of
from fastslow.systems.system import Start


def harvest(load):
    return family_of("pp2", "l").at(Fraction(load))


def in_logarithms(load, x, y, end):
    """Return (log u, log v) of pp2 at a time, by LSODA in these coordinates."""

    def field(_, s):
        u, v = np.exp(s)
        return [3 * (1 - u) - v - load * (5.0 if u < 1e-300 else -np.expm1(-5 * u) / u), 0.01 * (3 * u - 1)]

    found = solve_ivp(field, (0, end), [np.log(x), np.log(y)], "LSODA", rtol=1e-12, atol=1e-12, max_step=5.0)
    return found.y[:, -1]


@pytest.mark.parametrize("load", ["0.55", "0.575", "0.5925", "0.65", "0.9"])
@pytest.mark.parametrize("start", [(0.5, 2.9), (1.0, 2.0)])
def test_the_predator_returns_from_however_few(load, start):
    """From v = 3 the prey falls to e^(-v0 / ε), and v to e^(-v0 / (3 - 5 l)) before it comes back."""
    path = follow(harvest(load), Start(*map(Fraction, start)), 1000)
    expected = in_logarithms(float(load), *start, 1000.0)
    assert path.pieces[-1].solution.final_state == pytest.approx(expected, rel=1e-9, abs=1e-8)


def test_fates_near_the_branch_point():
    """All starts above v = 0 stay there: below l = 3/5 they end at the equilibrium in the middle."""
    rng = np.random.default_rng(0)
    for load in ("0.59", "0.597", "0.5995"):
        system = harvest(load)
        found = fs.ensemble(system, rng.uniform(0.01, 2.99, 8), rng.uniform(0.01, 1.09, 8))
        assert set(found.fate) == {"settles at E2"}
        assert (found.y > 0.0).all()


def test_a_solution_sinks_along_its_exponential():
    """With x' = 1 - x and y' = (x - 3) y / 10 the logarithm of y is known, far below the smallest double."""
    system = fs.FastSlowSystem("1 - x", "y*(x - 3)", slow_rate="1/10", window=(-1, 3))
    path = follow(system, Start(Fraction(3), Fraction(1)), 10_000)
    assert path.pieces[-1].solution.final_state[1] == pytest.approx(0.1 * (2.0 * (1.0 - np.exp(-1e4)) - 2e4), rel=1e-9)
    assert path.y[-1] == 0.0


FIELDS = [
    ("y + x - x**3/3", "(y - 1/5)*(x - 1/2)"),
    ("y + x - x**3/3", "(y + 1)*(1 - y)*(x - 1/3)"),
    ("y*exp(-x) - x", "sinh(y)*(1 - x)"),
    ("cos(3*x) + y", "(y - 1/3)*(y + 1/7)*sin(x - 1)"),
]


@pytest.mark.parametrize(("f", "g"), FIELDS)
def test_no_orbit_crosses_an_invariant_line(f, g):
    system = fs.FastSlowSystem(f, g, slow_rate="1/20", window=((-3, 3), ("-3/2", "3/2")))
    settling = Settling(critical_manifold(system))
    lines = np.array([float(c) for c in system.slow_lines])
    assert len(lines)
    rng = np.random.default_rng(3)
    for x, y in rng.uniform((-2.5, -1.4), (2.5, 1.4), (6, 2)):
        run = settling.run(Start(Fraction(x), Fraction(y)))
        sides = np.sign(run.y[:, None] - lines)
        assert (np.abs(sides - np.sign(y - lines)) < 2).all()  # 0 where a double cannot tell y from the line


def test_mirror_images_stay_mirror_images():
    """Y = c is the mirror; 2 c - y follows the same orbit below it."""
    upper = fs.FastSlowSystem("y - 1/4 - x", "(y - 1/4)*(x - 1)*(2 - x)", slow_rate="1/10", window=(-4, 4))
    lower = fs.FastSlowSystem("1/4 - y - x", "(y - 1/4)*(x - 1)*(2 - x)", slow_rate="1/10", window=(-4, 4))
    for y in (Fraction(1, 2), Fraction(3)):
        a = follow(upper, Start(Fraction(1, 3), y), 300)
        b = follow(lower, Start(Fraction(1, 3), Fraction(1, 2) - y), 300)
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_allclose(a.y - 0.25, 0.25 - b.y, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("rate", ["1/100", "1/1000"])
def test_cycles_that_come_close_to_a_slow_line(rate):
    """The predator-prey cycle with the window widened over y = 0, and the same cycle with f, g multiplied by h + x."""
    family = family_of("predator_prey", "slow_rate")
    (cycle,) = fs.limit_cycles(family.at(Fraction(rate))).cycles
    fields = ["x", "(1 - x)*(3/10 + x) - y"], "y*(x - 4/10*(3/10 + x))"
    (same,) = fs.limit_cycles(fs.FastSlowSystem(*fields, slow_rate=rate, window=(0, 2))).cycles
    assert max(same.y) == pytest.approx(max(cycle.y), rel=1e-9)
    assert same.exponent == pytest.approx(cycle.exponent, rel=1e-6)


def test_slow_drift_is_followed_to_its_end():
    """At m = 0.785 predators die out like e^(-0.016 t / 100), far beyond the time in which others settle."""
    system = family_of("predator_prey", "m").at(Fraction("0.785"))
    run = Settling(critical_manifold(system)).run(Start(Fraction(1, 2), Fraction(1, 5)))
    assert run.verdict == "leaves the window of y" and run.end[1] == pytest.approx(1e-3)


def test_weak_contraction_is_followed_to_its_end():
    """Just beyond the saddle-node of cycles of Morris and Lecar's fibre near 216.9 a turn changes little."""
    system = family_of("morris_lecar", "current").at(217)
    assert Settling(critical_manifold(system)).run(Start(Fraction(-30), Fraction(0))).verdict == "settles at E1"
