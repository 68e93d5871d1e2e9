"""A formula and its derivatives over the unit square, the window scaled to it: in doubles and in enclosures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.expressions import Expression, derivative
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.intervals import Interval, added, multiplied, rounded_out, subtracted, up

Array = NDArray[np.float64]
_DIRTY = 1e-14
"""Rounding of scaled points, in units of the window."""


class PlaneField:
    """A formula F in two variables on a window, in coordinates that run from 0 to 1.

    Boxes have the shape (N, 2, 2): variable, then lower and upper end. They are cut to the window;
    what is enclosed holds for the part inside.
    """

    def __init__(self, e: Expression, names: Sequence[str], bounds: Sequence[tuple[Fraction, Fraction]]) -> None:
        x, y = names
        first = [e, derivative(e, x), derivative(e, y)]
        second = [derivative(first[1], x), derivative(first[1], y), derivative(first[2], y)]
        self.expression, self.names = e, (x, y)
        self.low = np.array([rounded_out(low)[0] for low, _ in bounds])
        self.width = np.array([up(rounded_out(high)[1] - low) for (_, high), low in zip(bounds, self.low, strict=True)])
        self._first, self._second = Tape(first, names), Tape(first + second, names)

    def scaled(self, points: Array) -> Array:
        """Return points of the window in coordinates from 0 to 1."""
        return np.asarray((points - self.low) / self.width)

    def real(self, points: Array) -> Array:
        """Return points of the window as they are."""
        return np.asarray(self.low + points * self.width)

    def at(self, points: Array) -> tuple[Array, Array]:
        """Return values and scaled gradients at points, shapes (N,) and (N, 2), in doubles."""
        p = self.real(points)
        value, f_x, f_y = (np.broadcast_to(v, p.shape[:-1]) for v in self._first.doubles([p[..., 0], p[..., 1]]))
        return value, np.stack([f_x, f_y], axis=-1) * self.width

    def hessian_at(self, point: Array) -> Array:
        """Return the scaled second derivatives at a point, in doubles."""
        p = self.real(point)
        *_, f_xx, f_xy, f_yy = (float(v) for v in self._second.doubles([p[0], p[1]]))
        return np.array([[f_xx, f_xy], [f_xy, f_yy]]) * np.outer(self.width, self.width)

    def on_curve(self, points: Array, across: Array, steps: int = 8) -> Array:
        """Return points moved along directions onto F = 0 by Newton's method."""
        moved = np.array(points)
        for _ in range(steps):
            value, gradient = self.at(moved)
            slope = np.einsum("...i,...i->...", gradient, across)
            with np.errstate(all="ignore"):
                moved = moved - (value / slope)[..., None] * across
        return moved

    def _sides(self, boxes: Array) -> list[Interval]:
        """Return real intervals that hold the boxes."""
        cut = np.clip(boxes, 0.0, 1.0)
        sides = []
        for j in (0, 1):
            thin = (float(self.width[j]), float(self.width[j]))
            sides.append(added((float(self.low[j]),) * 2, multiplied(thin, (cut[:, j, 0], cut[:, j, 1]))))
        return sides

    def values(self, points: Array) -> tuple[Interval, list[Interval]]:
        """Return enclosures of F and its scaled gradient at points, their rounding included."""
        boxes = np.stack([points - _DIRTY, points + _DIRTY], axis=2)
        (value, *slopes), _ = self._first.intervals(self._sides(boxes))
        return value, [multiplied((float(w), float(w)), slope) for w, slope in zip(self.width, slopes, strict=True)]

    def enclosures(self, boxes: Array) -> tuple[Interval, list[Interval]]:
        """Return enclosures of F and of its scaled gradient over boxes, centred forms used."""
        sides = self._sides(boxes)
        (value, f_x, f_y, f_xx, f_xy, f_yy), jumps = self._second.intervals(sides)
        centre = [low + 0.5 * (high - low) for low, high in sides]
        (at, g_x, g_y), _ = self._first.intervals([(c, c) for c in centre])
        away = [subtracted(side, (c, c)) for side, c in zip(sides, centre, strict=True)]
        slopes = []
        for natural, middle, rows, jump in ((f_x, g_x, (f_xx, f_xy), jumps[1]), (f_y, g_y, (f_xy, f_yy), jumps[2])):
            centred = added(middle, added(multiplied(rows[0], away[0]), multiplied(rows[1], away[1])))
            slopes.append(_narrower(natural, centred, jump))
        centred = added(at, added(multiplied(slopes[0], away[0]), multiplied(slopes[1], away[1])))
        value = _narrower(value, centred, jumps[0])
        return value, [multiplied((float(w), float(w)), slope) for w, slope in zip(self.width, slopes, strict=True)]

    def hessians(self, boxes: Array) -> tuple[Interval, Interval, Interval]:
        """Return enclosures of the scaled second derivatives xx, xy, yy over boxes; NaN where the gradient may jump."""
        results, jumps = self._second.intervals(self._sides(boxes))
        jump = jumps[1] | jumps[2]
        rows = []
        for (low, high), (i, j) in zip(results[3:], ((0, 0), (0, 1), (1, 1)), strict=True):
            thin = rounded_out(Fraction(float(self.width[i])) * Fraction(float(self.width[j])))
            entry = multiplied(thin, (low, high))
            rows.append((np.where(jump, np.nan, entry[0]), np.where(jump, np.nan, entry[1])))
        return rows[0], rows[1], rows[2]


def _narrower(natural: Interval, centred: Interval, jump: NDArray[np.bool_]) -> Interval:
    """The intersection of two enclosures; the centred one counts where it is known and the function does not jump."""
    counts = ~jump & ~np.isnan(centred[0]) & ~np.isnan(centred[1])
    return (
        np.where(counts, np.fmax(natural[0], centred[0]), natural[0]),
        np.where(counts, np.fmin(natural[1], centred[1]), natural[1]),
    )
