"""Intervals of doubles, arrays of them at once, rounded outwards.

An interval is a pair (low, high) of arrays. Sums, products, quotients and roots are rounded outwards
by one double. Of the other functions of numpy and scipy a relative error of 2^-44 is allowed for,
several hundred times what is documented of them. NaN ends say that nothing is known: a pole, a
logarithm of a negative number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from fastslow.systems.exponential_quotients import LARGEST_PHI, phi
from fastslow.systems.root_quotients import LARGEST_ROOT_QUOTIENT, ROOT_QUOTIENTS, root_quotient

Interval = tuple[Any, Any]
"""Lower and upper ends, arrays of one shape or doubles."""

_SLACK = 2.0**-44
_TINY = 1e-300
_TURN = 2.0 * math.pi
_FAR_ANGLE = 1e6
"""Beyond this a sine is only known to lie in [-1, 1]."""


def down(value: Any) -> Any:
    """Return the next smaller double."""
    return np.nextafter(value, -np.inf)


def up(value: Any) -> Any:
    """Return the next larger double."""
    return np.nextafter(value, np.inf)


def added(a: Interval, b: Interval) -> Interval:
    """Return an enclosure of a + b."""
    return down(a[0] + b[0]), up(a[1] + b[1])


def subtracted(a: Interval, b: Interval) -> Interval:
    """Return an enclosure of a - b."""
    return down(a[0] - b[1]), up(a[1] - b[0])


def multiplied(a: Interval, b: Interval) -> Interval:
    """Return an enclosure of a b."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one[0], float) and one[0] == one[1]:
            ends = (other[0] * one[0], other[1] * one[0]) if one[0] >= 0 else (other[1] * one[0], other[0] * one[0])
            return down(ends[0]), up(ends[1])
    p, q, r, s = a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]
    low = np.minimum(np.minimum(p, q), np.minimum(r, s))
    high = np.maximum(np.maximum(p, q), np.maximum(r, s))
    return down(low), up(high)


def rounded_out(value: Fraction) -> Interval:
    """Return the doubles around a fraction."""
    near = float(value)
    if Fraction(near) == value:
        return near, near
    return math.nextafter(near, -math.inf), math.nextafter(near, math.inf)


def powered_interval(a: Interval, exponent: int) -> Interval:
    """Return an enclosure of an integer power."""
    n = abs(exponent)
    ends = _power_of(a[0], n), _power_of(a[1], n)
    if n % 2:
        low, high = ends[0][0], ends[1][1]
    else:
        astride = (a[0] <= 0) & (a[1] >= 0)
        low = np.where(astride, 0.0, np.maximum(np.minimum(ends[0][0], ends[1][0]), 0.0))
        high = np.maximum(ends[0][1], ends[1][1])
        low = np.where(np.isnan(high), np.nan, low)
    if exponent > 0:
        return low, high
    bad = ~((low > 0) | (high < 0))
    return np.where(bad, np.nan, down(1.0 / high)), np.where(bad, np.nan, up(1.0 / low))


def function_of_interval(function: str, a: Interval) -> Interval:
    """Return an enclosure of a listed function, not one of the Hermite polynomials."""
    low, high = _ENCLOSURES[function](a)
    unknown = np.isnan(a[0]) | np.isnan(a[1])
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _power_of(x: Any, n: int) -> Interval:
    """Enclosure of x^n for thin x, n > 0, by squaring."""
    total: Interval | None = None
    square: Interval = (x, x)
    while n:
        if n & 1:
            total = square if total is None else multiplied(total, square)
        n >>= 1
        if n:
            square = multiplied(square, square)
    assert total is not None
    return total


def _about(value: Any) -> Interval:
    error = np.abs(value) * _SLACK + _TINY
    return value - error, value + error


def _rising(function: Callable[[Any], Any], lowest: float = -math.inf, highest: float = math.inf) -> Any:
    def enclosure(a: Interval) -> Interval:
        return np.maximum(_about(function(a[0]))[0], lowest), np.minimum(_about(function(a[1]))[1], highest)

    return enclosure


def _expit(x: Any) -> Any:
    from scipy.special import expit

    return expit(x)


def _erf(x: Any) -> Any:
    from scipy.special import erf

    return erf(x)


def _ndtr(x: Any) -> Any:
    from scipy.special import ndtr

    return ndtr(x)


def _log(a: Interval) -> Interval:
    low, high = _about(np.log(a[0]))[0], _about(np.log(a[1]))[1]
    return np.where(a[0] == 0, -np.inf, low), high


def _sqrt(a: Interval) -> Interval:
    return np.maximum(down(np.sqrt(a[0])), np.where(np.isnan(np.sqrt(a[0])), np.nan, 0.0)), up(np.sqrt(a[1]))


def _cosh(a: Interval) -> Interval:
    small = np.where((a[0] <= 0) & (a[1] >= 0), 0.0, np.minimum(np.abs(a[0]), np.abs(a[1])))
    return np.maximum(_about(np.cosh(small))[0], 1.0), _about(np.cosh(np.maximum(np.abs(a[0]), np.abs(a[1]))))[1]


def _meets(a: Interval, place: float, period: float) -> Any:
    """Whether place + k period may lie in the interval for a whole k."""
    margin = 1e-9
    far = (np.abs(a[0]) > _FAR_ANGLE) | (np.abs(a[1]) > _FAR_ANGLE)
    first = np.ceil((a[0] - place - margin) / period)
    return far | ~(place + period * first > a[1] + margin)


def _sin(a: Interval) -> Interval:
    ends = np.sin(a[0]), np.sin(a[1])
    low, high = np.minimum(*ends) - _SLACK, np.maximum(*ends) + _SLACK
    low = np.where(_meets(a, -math.pi / 2, _TURN), -1.0, np.maximum(low, -1.0))
    return low, np.where(_meets(a, math.pi / 2, _TURN), 1.0, np.minimum(high, 1.0))


def _cos(a: Interval) -> Interval:
    ends = np.cos(a[0]), np.cos(a[1])
    low, high = np.minimum(*ends) - _SLACK, np.maximum(*ends) + _SLACK
    low = np.where(_meets(a, math.pi, _TURN), -1.0, np.maximum(low, -1.0))
    return low, np.where(_meets(a, 0.0, _TURN), 1.0, np.minimum(high, 1.0))


def _tan(a: Interval) -> Interval:
    pole = _meets(a, math.pi / 2, math.pi)
    low, high = _about(np.tan(a[0]))[0], _about(np.tan(a[1]))[1]
    return np.where(pole, np.nan, low), np.where(pole, np.nan, high)


def _abs(a: Interval) -> Interval:
    size = np.abs(a[0]), np.abs(a[1])
    return np.where((a[0] <= 0) & (a[1] >= 0), 0.0, np.minimum(*size)), np.maximum(*size)


def _root_quotient(family: str, order: int, s: Interval) -> Interval:
    if family != "sinq":
        return _about(root_quotient(family, order, s[1]))[0], _about(root_quotient(family, order, s[0]))[1]
    below = np.minimum(s[0], 0.0)  # where the size of the function and of its slope is largest
    largest = up(np.abs(root_quotient(family, order, below)) * (1.0 + _SLACK))
    if order == LARGEST_ROOT_QUOTIENT:
        return -largest, largest
    middle = 0.5 * (s[0] + s[1])
    reach = up(np.maximum(s[1] - middle, middle - s[0]))
    spread = up(up(np.abs(root_quotient(family, order + 1, below)) * (1.0 + _SLACK)) * reach) + _SLACK * largest
    value = root_quotient(family, order, middle)
    return np.maximum(down(value - spread), -largest), np.minimum(up(value + spread), largest)


_ENCLOSURES: dict[str, Callable[[Interval], Interval]] = {
    "exp": _rising(np.exp, lowest=0.0),
    "log": _log,
    "sqrt": _sqrt,
    "sin": _sin,
    "cos": _cos,
    "tan": _tan,
    "sinh": _rising(np.sinh),
    "cosh": _cosh,
    "tanh": _rising(np.tanh, -1.0, 1.0),
    "atan": _rising(np.arctan),
    "erf": _rising(_erf, -1.0, 1.0),
    "abs": _abs,
    "sign": lambda a: (np.where(a[0] > 0, 1.0, -1.0), np.where(a[1] < 0, -1.0, 1.0)),
    "relu": lambda a: (np.maximum(a[0], 0.0), np.maximum(a[1], 0.0)),
    "sigmoid": _rising(_expit, 0.0, 1.0),
    "softplus": _rising(lambda x: np.logaddexp(0.0, x), lowest=0.0),
    "gelu": lambda a: multiplied(a, _rising(_ndtr, 0.0, 1.0)(a)),
    "silu": lambda a: multiplied(a, _rising(_expit, 0.0, 1.0)(a)),
    "leaky_relu": lambda a: (
        down(np.where(a[0] > 0, a[0], down(a[0] / 100.0))),
        up(np.where(a[1] > 0, a[1], up(a[1] / 100.0))),
    ),
    **{f"phi{k}": _rising(partial(phi, k), lowest=0.0) for k in range(1, LARGEST_PHI + 1)},
    **{f"{family}{k}": partial(_root_quotient, family, k) for family, k in ROOT_QUOTIENTS},
}
