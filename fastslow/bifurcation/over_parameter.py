"""A common zero of formulas as a function of a parameter: a traced curve, refined by Newton's method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.functions import Array, Formula
from fastslow.systems.interval_tapes import Tape

_STEPS, _NEAR = 8, 0.02
"""Steps of Newton's method from a place on a traced curve, and how far they may lead, in units of the window."""


@dataclass(frozen=True, eq=False)
class ZeroOverParameter:
    """m coordinates in which m formulas vanish, at values of a parameter, the last variable of the formulas.

    Attributes
    ----------
    functions : sequence of Formula
        The m formulas, in the coordinates and the parameter.
    points : ndarray, shape (m + 1, n)
        Coordinates and parameter along the curve, the parameter rising.
    size : ndarray, shape (m,)
        The width of the window in each coordinate.
    """

    functions: Sequence[Formula]
    points: Array
    size: Array

    @cached_property
    def _solved(self) -> Tape:
        """The formulas, and their derivatives by the coordinates, row by row."""
        m = len(self.functions)
        slopes = [p.derivative(k) for p in self.functions for k in range(m)]
        return Tape([p.expression for p in (*self.functions, *slopes)], self.functions[0].names)

    def at(self, s: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return the coordinates at values of the parameter, shape (m, len(s)), and whether they were refined.

        Outside the curve, and where Newton's method leads away from it, the nearest point that is known is returned.
        """
        m = len(self.functions)
        u = np.array([np.interp(s, self.points[-1], row) for row in self.points[:-1]]).reshape(m, len(s))
        first, known = u, u
        least, kept = np.full(s.shape, np.inf), (s >= self.points[-1, 0]) & (s <= self.points[-1, -1])
        for _ in range(_STEPS):
            rows = [np.broadcast_to(v, s.shape) for v in self._solved.doubles([*u, s])]
            value, matrix = np.stack(rows[:m], axis=1), np.stack(rows[m:], axis=1).reshape(-1, m, m)
            error = np.abs(value).max(axis=1)
            with np.errstate(all="ignore"):
                # At a double zero, an end of the curve, steps lead away.
                least, known = np.where(error < least, error, least), np.where(error < least, u, known)
                regular = np.abs(np.linalg.det(matrix)) > 0.0
                matrix[~regular] = np.eye(m)
                step = np.linalg.solve(matrix, value[:, :, None])[:, :, 0].T
                near = regular & np.all(np.abs(u - step - first) <= _NEAR * self.size[:, None], axis=0)
            kept &= near
            u = np.where(near, u - step, u)
        return known, kept
