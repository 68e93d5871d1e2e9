"""A common zero of two polynomials in (x, y) followed in a parameter p of theirs."""

import math

import numpy as np
from numba import njit

_MOST_NEWTON = 12
_LEAST_PART, _LONGEST = 1e-13, 0.3


@njit(cache=True)
def at_parameter(q, p, values):
    """Write sum_k q[i, j, k] p^k into values[i, j]."""
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            total = 0.0
            for k in range(q.shape[2] - 1, -1, -1):
                total = total * p + q[i, j, k]
            values[i, j] = total


@njit(cache=True)
def value_and_slopes(c, x, y):
    """Return (q, q_x, q_y) of sum_ij c[i, j] x^i y^j."""
    value, by_x, by_y = 0.0, 0.0, 0.0
    for i in range(c.shape[0] - 1, -1, -1):
        row, slope = 0.0, 0.0
        for j in range(c.shape[1] - 1, -1, -1):
            slope = slope * y + row
            row = row * y + c[i, j]
        by_x = by_x * x + value
        value = value * x + row
        by_y = by_y * x + slope
    return value, by_x, by_y


@njit(cache=True)
def corrected(first, second, x, y, unit):
    """Return (x, y, determinant, distance moved in units) by Newton's method; the distance is infinite where it fails.

    The last step is taken where it no longer gets smaller: nothing but rounding is left.
    """
    x0, y0 = x, y
    before = math.inf
    for _ in range(_MOST_NEWTON):
        f, f_x, f_y = value_and_slopes(first, x, y)
        g, g_x, g_y = value_and_slopes(second, x, y)
        det = f_x * g_y - f_y * g_x
        if det == 0.0 or not math.isfinite(det):
            return x, y, 0.0, math.inf
        dx, dy = (f * g_y - f_y * g) / det, (f_x * g - f * g_x) / det
        x, y = x - dx, y - dy
        size = math.hypot(dx / unit[0], dy / max(unit[1], abs(y)))
        if size <= 1e-15 or (size < 1e-9 and size >= 0.1 * before):
            return x, y, det, math.hypot((x - x0) / unit[0], (y - y0) / max(unit[1], abs(y0)))
        if not size < 2.0 * before:
            break
        before = size
    return x, y, 0.0, math.inf


@njit(cache=True)
def follow_zero(first, second, start, unit, values, found):
    """Follow the zero near `start` = (p, x, y) to each of `values`, in order; returns to how many.

    The Jacobian's determinant keeps its sign along a path without folds, and has the other one at the zero that
    would be met beyond a fold: a jump to a neighbour is seen. Steps that fail are halved.

    Parameters
    ----------
    first, second : (I, J, K) arrays
        Coefficients of x^i y^j p^k.
    start : (3,) array
        A value of the parameter and the zero there.
    unit : (2,) array
        Units of x and y.
    values : (n,) array
        Values of the parameter, each next to the one before.
    found : (n, 2) array
        Receives (x, y).
    """
    a = np.empty(first.shape[:2])
    b = np.empty(second.shape[:2])
    p, x, y = start[0], start[1], start[2]
    at_parameter(first, p, a)
    at_parameter(second, p, b)
    x, y, sign, moved = corrected(a, b, x, y, unit)
    if not math.isfinite(moved):
        return 0
    for k in range(values.shape[0]):
        target = values[k]
        whole = target - p
        step = whole
        while p != target:
            if abs(target - p) < abs(step):
                step = target - p
            after = target if step == target - p else p + step
            at_parameter(first, after, a)
            at_parameter(second, after, b)
            new_x, new_y, det, moved = corrected(a, b, x, y, unit)
            if det * sign > 0.0 and moved < _LONGEST:
                p, x, y, sign = after, new_x, new_y, det
                step *= 2.0
            else:
                step *= 0.5
                if abs(step) < _LEAST_PART * abs(whole) or p + step == p:
                    return k
        found[k, 0], found[k, 1] = x, y
    return values.shape[0]
