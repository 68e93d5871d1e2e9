"""Starts on invariant lines: one variable moves, and the singular limit and the full system agree."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.systems.system import Start

X = ["x", "y - 1/2 - x"], "(y - 1)*(y + 1)*(3 - y)"  # lines x = 0, y = 1, -1, 3
HIDDEN = "exp(x) - 1 - x*y - x**2", "sinh(y - 1/3)*(2 - y)"  # lines x = 0, y = 1/3, 2


def both(system, x, y):
    manifold = critical_manifold(system)
    start = Start(Fraction(x), Fraction(y))
    singular, full = SingularFlow(manifold).orbit(start), Settling(manifold).run(start)
    assert (singular.verdict, singular.end) == (full.verdict, full.end)
    return singular


@pytest.mark.parametrize("y", ["1", "-1", "3"])
@pytest.mark.parametrize("x", ["-2", "-1/10", "1/3", "2"])
def test_along_y_the_next_zero_of_f_is_the_end(x, y):
    """F = x (y - 1/2 - x): x = 0 or x = y - 1/2, whichever attracts, unless it runs to the edge."""
    orbit = both(fs.FastSlowSystem(*X), x, y)
    c, x = float(Fraction(y)), float(Fraction(x))
    attracting, other = (c - 0.5, 0.0) if c > 0.5 else (0.0, c - 0.5)
    if (x - other) * (attracting - other) > 0.0:
        assert orbit.end == (attracting, c) and orbit.verdict.startswith("settles at")
    else:
        assert orbit.verdict == "leaves the window of x"


@pytest.mark.parametrize(("y", "end"), [("-2", -1.0), ("0", -1.0), ("2", 3.0), ("4", 3.0)])
def test_along_x_the_next_zero_of_g_is_the_end(y, end):
    """G = (y^2 - 1) (3 - y): on x = 0 orbits go to -1 or 3, past the loss of stability at y = 1/2."""
    orbit = both(fs.FastSlowSystem(*X), 0, y)
    assert orbit.end == (0.0, end) and orbit.verdict.startswith("settles at")


def test_lines_of_formulas_that_show_no_factor():
    system = fs.FastSlowSystem(*HIDDEN, window=((-1, 2), (-1, "5/2")))
    assert system.slow_lines == (Fraction(1, 3), Fraction(2)) and system.invariant_lines == (Fraction(0),)
    on_x, on_y = both(system, 0, 1), both(system, "1/2", "1/3")
    assert on_x.verdict.startswith(("settles", "leaves")) and on_y.verdict.startswith(("settles", "leaves"))
    run = fs.simulate(system, (Fraction(1, 2), Fraction(1, 3)), 0.5)
    assert np.ptp(run.y) == 0.0 and run.y[0] == pytest.approx(1 / 3, abs=1e-16)
