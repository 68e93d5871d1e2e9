"""Functions for many numbers at once: as exact as rounding allows, and the same at the ends of what doubles hold."""

import math

import flint
import numpy as np
import pytest
from numba import njit

from fastslow.core import operations
from fastslow.core.functions import function_and_slope
from fastslow.core.lane_blocks import ARGUMENT, FORMULAS, GRADIENT, LANES, VALUE
from fastslow.core.lane_functions import lane_function
from fastslow.systems.expressions import FUNCTIONS

SPECIAL = [0.0, 5e-324, 1e-300, -1e-300, 1e-9, -1e-9, 0.25, -0.25, math.inf, -math.inf, 1e308, -1e308]
EDGES = [20.0, -20.0, 36.7, 700.0, -700.0, 708.9, -708.5, 709.5, -740.0, 745.0, -746.0, 1000.0, -1000.0]
RNG = np.random.default_rng(5)
POINTS = np.concatenate([RNG.uniform(-708, 709, 200), RNG.uniform(-20, 20, 400), RNG.normal(size=200) * 1e-3])


@njit
def _lanes(code, order, points, with_slope):
    w = np.zeros(FORMULAS)
    out = np.empty((2, len(points)))
    for low in range(0, len(points), LANES):
        count = min(LANES, len(points) - low)
        w[ARGUMENT : ARGUMENT + count] = points[low : low + count]
        lane_function(w, code, order, with_slope)
        out[0, low : low + count] = w[VALUE : VALUE + count]
        out[1, low : low + count] = w[GRADIENT : GRADIENT + count]
    return out


@njit
def _one_by_one(code, order, points):
    out = np.empty((2, len(points)))
    for i in range(len(points)):
        out[0, i], out[1, i] = function_and_slope(code, order, points[i])
    return out


def lanes(code, points, order=0):
    return _lanes(code, order, np.asarray(points, dtype=float), np.bool_(True))


def exact(function, x):
    """Return a function of numbers, correctly rounded or nearly so."""
    with flint.ctx.workprec(200):
        return np.array([float(function(flint.arb(v))) for v in x])


@pytest.mark.parametrize(
    ("name", "function", "ulps"),
    [
        ("exp", lambda v: v.exp(), 1.5),
        ("tanh", lambda v: v.tanh(), 8.0),
        ("sigmoid", lambda v: 1 / (1 + (-v).exp()), 3.0),
        ("silu", lambda v: v / (1 + (-v).exp()), 3.5),
        ("cosh", lambda v: v.cosh(), 2.0),
        ("softplus", lambda v: v.exp().log1p(), 3.0),
        ("phi", lambda v: (v.exp() - 1) / v, 4.0),
    ],
)
def test_errors_are_some_units_in_the_last_place(name, function, ulps):
    value = lanes(getattr(operations, name.upper()), POINTS, order=1)[0]
    wanted = exact(function, POINTS)
    normal = np.abs(wanted) > np.finfo(float).tiny
    assert normal.sum() > 700
    assert (np.abs(value - wanted)[normal] <= ulps * np.spacing(np.abs(wanted[normal]))).all()
    assert (np.abs(value[~normal]) <= np.finfo(float).tiny).all()


@pytest.mark.parametrize(
    ("name", "order"),
    [*((name, 0) for name in sorted(FUNCTIONS)), ("phi", 1), ("phi", 3), ("hermite", 4)]
    + [("power", order) for order in (1, 2, 3, 10, -1, -2, -5)],
)
def test_all_functions_are_those_of_single_numbers(name, order):
    code, points = getattr(operations, name.upper()), np.concatenate([POINTS, EDGES, SPECIAL])
    found, wanted = lanes(code, points, order), _one_by_one(code, order, points)
    # What is hardly a normal number may be 0, and a slope of one of the two has the rounding of what is near 1.
    for row, tiny in ((0, 1e-304), (1, 1e-15)):
        np.testing.assert_allclose(found[row], wanted[row], rtol=2e-14, atol=tiny)


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {"sign", "abs", "relu", "leaky_relu"}))
def test_what_is_not_a_number_gives_nothing_finite(name):
    assert not np.isfinite(lanes(getattr(operations, name.upper()), [math.nan])[0, 0])


def test_values_alone_are_those_beside_derivatives():
    for name in ("exp", "tanh", "phi", "log", "power"):
        code = getattr(operations, name.upper())
        alone = _lanes(code, 1, POINTS, np.bool_(False))[0]
        np.testing.assert_array_equal(alone, _lanes(code, 1, POINTS, np.bool_(True))[0])
