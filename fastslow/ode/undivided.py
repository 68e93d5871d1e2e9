"""Invariant lines that no factor of f shows: where solutions come near them, f is rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.system import FastSlowSystem

_ROUNDING = 1e-9
"""Distance to such a line below which f may be mostly rounding."""


def meets(c: float, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which states of a path are within rounding of the line x = c, or beyond it: no solution passes it."""
    return np.asarray((np.abs(x - c) < _ROUNDING) | ((x - c) * (x[0] - c) <= 0.0))


def lost_line(system: FastSlowSystem, x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Return the undivided line that a path meets where it repels, or before it does; None where there is none.

    Where the line attracts all the way nothing is lost.
    """
    for c in map(float, system.undivided_lines):
        near = meets(c, x)
        if near.any() and np.any(system.partial("f", 1, 0, c, y[near.argmax() :]) > 0.0):
            return c
    return None


def told(system: FastSlowSystem, c: float) -> str:
    """Return why the fate of a path that meets the line x = c is not known, in words."""
    return f"at the invariant line {system.fast[0]} = {c:g} f is rounding"
