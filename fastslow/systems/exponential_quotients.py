"""The functions phi_k: what is left of exp after k terms of its series, over x^k.

phi_1(x) = (e^x - 1) / x and phi_(k+1)(x) = (phi_k(x) - 1/k!) / x are entire, with phi_k(0) = 1/k!, positive and
increasing, since phi_k(x) = int_0^1 e^((1 - t) x) t^(k - 1) dt / (k - 1)!, and phi_k' = phi_k - k phi_(k+1). With them
a zero x = c of a formula with exp, tanh, sinh, ... can be divided out (``hidden_lines``). They are not part of the
language of formulas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

LARGEST_PHI = 12
"""The last of them that is at hand."""
_SERIES = 30.0
"""The series serve |x| up to this size; beyond, the recurrence loses nothing, as k is less than |x| / 2."""
_TERMS, _REST = 140, 1e-18
"""Number of coefficients, and the size of terms of e^|x| from which on they are left out: smaller beside the sum."""
_NAME = re.compile(r"phi([1-9][0-9]?)", re.ASCII)


def phi_order(name: str) -> int | None:
    """Return k for the name phi<k>, None for any other."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found and int(found[1]) <= LARGEST_PHI else None


def phi(order: int, x: Any) -> NDArray[np.float64]:
    """Return phi_k of doubles.

    For small x >= 0 it is sum_j x^j / (j + k)!, for small x < 0 e^x sum_j |x|^j / (j! (j + k) (k - 1)!): neither has
    cancellation.
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        if order == 1:
            safe = np.where(x == 0.0, 1.0, x)
            return np.asarray(np.where(x == 0.0, 1.0, np.where(np.isinf(x), np.maximum(x, 0.0), np.expm1(x) / safe)))
        far = np.exp(x)
        for k in range(order):
            far = (far - 1.0 / math.factorial(k)) / x
        far = np.where(np.isinf(x), np.maximum(x, 0.0), far)
        found = np.where(np.abs(x) > _SERIES, far, np.nan)
        left = np.asarray((x >= -_SERIES) & (x < 0.0))
        right = np.asarray((x >= 0.0) & (x <= _SERIES))
        if left.any():
            found[left] = np.exp(x[left]) * _series(_coefficients(order)[0], -x[left])
        if right.any():
            found[right] = _series(_coefficients(order)[1], x[right])
        return found


@cache
def _coefficients(order: int) -> tuple[list[float], list[float]]:
    """Return the coefficients of |x|^j / j! in the series for x < 0, beside e^x, and in that for x > 0."""
    below = [1.0 / ((j + order) * math.factorial(order - 1)) for j in range(_TERMS)]
    return below, [math.factorial(j) / math.factorial(j + order) for j in range(_TERMS)]


def _series(coefficients: Sequence[float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sum_j c_j x^j / j! for x >= 0 and falling c_j, up to terms below rounding."""
    last, term, size = 0, 1.0, float(np.max(x))
    while term > _REST:
        last += 1
        term *= size / last
    total = np.full_like(x, coefficients[last])
    for j in range(last, 0, -1):
        total *= x
        total *= 1.0 / j
        total += coefficients[j - 1]
    return total


def phi_ball(order: int, x: Any) -> Any:
    """Return an enclosure of phi_k on a flint ball: it rises, so that the ends bound it."""
    if not x.is_finite():
        return flint.arb("nan")
    ends = [x.mid()] if x.is_exact() else [x.lower(), x.upper()]
    # phi_k(x) = 1F1(1; k + 1; x) / k!
    low, *high = (end.hypgeom_1f1(1, order + 1) / math.factorial(order) for end in ends)
    return low.union(high[0]) if high else low
