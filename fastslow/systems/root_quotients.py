"""The functions of ``core.root_quotients`` by name: atanq<k>, sinq<k> and erfq<k>, k = 0, 1, ...

With them a zero x = c of a formula with atan, log, sin, cos, tan or erf can be divided out. They are not part of the
language of formulas.
"""

from __future__ import annotations

import math
import re
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

LARGEST_ROOT_QUOTIENT = 8
"""The last k that is at hand."""
FAMILIES = ("atanq", "sinq", "erfq")
"""In the order of the kernel's numbers."""
ROOT_QUOTIENTS = tuple((family, k) for family in FAMILIES for k in range(LARGEST_ROOT_QUOTIENT + 1))
_NAME = re.compile(rf"({'|'.join(FAMILIES)})([0-9])", re.ASCII)


def root_quotient_of(name: str) -> tuple[str, int] | None:
    """Return the family and k of a name, None for any other."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found and int(found[2]) <= LARGEST_ROOT_QUOTIENT else None


def root_quotient(family: str, order: int, s: Any) -> NDArray[np.float64]:
    """Return the function of doubles."""
    from fastslow.core.root_quotients import root_quotients

    values = np.asarray(s, dtype=np.float64)
    out = np.empty(values.size)
    root_quotients(FAMILIES.index(family), order, np.ascontiguousarray(values).ravel(), out)
    return out.reshape(values.shape)


def root_quotient_ball(family: str, order: int, s: Any) -> Any:
    """Return an enclosure on a flint ball."""
    if not s.is_finite() or (family == "atanq" and not s > -1):
        return flint.arb("nan")
    if family == "sinq":
        # |S_k'| <= S_(k+1)(0) where s >= 0, and elsewhere at most that at the lower end
        middle, edge = s.mid(), min(flint.arb(0), s.lower())
        slope = flint.arb(0) if s.is_exact() else abs(_point(family, order + 1, edge))
        return _point(family, order, middle) + (s - middle) * slope * flint.arb(0, 1)
    if s.is_exact():
        return _point(family, order, s)
    return _point(family, order, s.lower()).union(_point(family, order, s.upper()))


def _point(family: str, order: int, s: Any) -> Any:
    half = flint.arb(1) / 2
    if family == "sinq":
        scale = flint.arb(math.factorial(order)) / math.factorial(2 * order + 1)
        return (-s / 4).hypgeom_0f1(order + 3 * half) * scale
    if family == "erfq":
        return (-s).hypgeom_1f1(order + half, order + 3 * half) / (2 * order + 1)
    return (-s).hypgeom_2f1(order + 1, order + half, order + 3 * half) / (2 * order + 1)
