"""The curve in a plane of two parameters on which one start is critical."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastslow.boundary.curves import FullBoundary
from fastslow.boundary.full import full_boundary
from fastslow.boundary.singular import SingularBoundary, singular_boundary
from fastslow.errors import InputError
from fastslow.progress import Progress, counted
from fastslow.systems.families import Axis, Family

_ROWS = 21
_APART = 0.5
"""Distance, in rows, from which a line that the columns give is not one that the rows gave."""
_XTOL = 1e-13
_POINTS = 129
"""Values of the parameter in a row at which fates are compared, beside the points of the curves."""
_JUMP = 0.15
"""Distance between rows, as a share of the plane's width, beyond which two points are not joined."""


Limit = Literal["ode", "singular"]
Compute = Callable[[Family, Axis], FullBoundary | SingularBoundary]


@dataclass(frozen=True, eq=False)
class CriticalLine:
    """A part of the curve {(p, q): y_c(p, q) = a0}.

    Attributes
    ----------
    x, y : ndarray
        The two parameters at points of it.
    across : str
        The parameter that was varied to find it.
    below, above : str
        The fates of the start at smaller and larger values of that parameter.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    across: str
    below: str
    above: str


def boundary_in_two(
    family: Family,
    x_axis: Axis,
    y_axis: Axis,
    a0: float,
    *,
    rows: int = _ROWS,
    limit: Limit = "ode",
    tolerance: float = 1e-9,
    progress: Progress | None = None,
) -> tuple[CriticalLine, ...]:
    """Return where in a plane of two parameters the fate of the start (start_fast, a0) changes.

    On rows of constant second parameter, the places where a critical start y_c passes a0, or all fates change, are
    bisected on the boundary of the row; those of neighbouring rows with the same fates on both sides are joined, the
    nearest first. Columns of constant first parameter give the parts that run along the rows.

    Parameters
    ----------
    family : Family
        In two parameters, those of the axes.
    a0 : float
        Slow coordinate of the start.
    rows : int
        How many rows and columns.
    limit : {"ode", "singular"}
        The full system, or the limit slow_rate -> 0.
    tolerance : float
        Of the boundaries of the full system.
    progress : callable, optional
        Called as progress(rows and columns done, all).

    Raises
    ------
    InputError
        If the family has not these two parameters.
    """
    if family.names != (x_axis.name, y_axis.name):
        names = f"{x_axis.name}, {y_axis.name}"
        raise InputError("axes", names, f"must be of the parameters {', '.join(family.names)}")

    def halfway(offset: int) -> Progress | None:
        return None if progress is None else lambda done, total: progress(offset + done, 2 * total)

    def compute(member: Family, axis: Axis) -> FullBoundary | SingularBoundary:
        if limit == "singular":
            return singular_boundary(member, axis)
        reach = 0.1 * (abs(a0) or 1.0)
        return full_boundary(member, axis, starts=(a0 - reach, a0 + reach), tolerance=tolerance)

    turned = Family(family.names[::-1], lambda q, p: family.build(p, q))
    along_rows = _scanned(family, x_axis, y_axis, a0, rows, compute, halfway(0))
    along_columns = _scanned(turned, y_axis, x_axis, a0, rows, compute, halfway(rows))
    size = np.array([float(axis.high - axis.low) for axis in (x_axis, y_axis)])
    found = [_line(part, x_axis.name) for part in along_rows]
    known = [np.stack((line.x, line.y), axis=-1) / size for line in found]
    for part in along_columns:
        line = _line(part, y_axis.name)
        points = np.stack((line.y, line.x), axis=-1)  # what was varied comes first
        away = np.array([all(_distance(p, other) > _APART / rows for other in known) for p in points / size])
        for run in _runs(away):
            x, y = points[run].T
            if len(x) > 1:
                found.append(CriticalLine(x, y, y_axis.name, line.below, line.above))
    return tuple(found)


_Line = list[tuple[float, float, str, str]]


def _scanned(
    family: Family, across: Axis, along: Axis, a0: float, rows: int, compute: Compute, progress: Progress | None
) -> list[_Line]:
    """Return the lines that are met by varying the first parameter on rows of the second: (first, second, fates)."""
    width = float(across.high - across.low)
    heights = [along.low + (along.high - along.low) * Fraction(k, rows - 1) for k in range(rows)]
    open_: list[_Line] = []
    done: list[_Line] = []
    for q in counted(heights, progress):
        member = Family((across.name,), lambda p, q=q: family.build(p, q))
        boundary = compute(member, across)
        going: list[_Line] = []
        for place, below, above in _row(boundary, a0):
            fitting = [
                line
                for line in open_
                if line[-1][2:] == (below, above) and abs(_expected(line) - place) <= _JUMP * width
            ]
            best = min(fitting, key=lambda line: abs(_expected(line) - place), default=None)
            if best is not None:
                open_.remove(best)
            going.append([*(best or []), (place, float(q), below, above)])
        done += open_
        open_ = going
    return [*done, *open_]


def _line(points: _Line, across: str) -> CriticalLine:
    (first, second), (below, above) = zip(*(p[:2] for p in points), strict=True), points[0][2:]
    return CriticalLine(np.array(first), np.array(second), across, below, above)


def _distance(point: NDArray[np.float64], polygon: NDArray[np.float64]) -> float:
    """Return the distance of a point to a polygon."""
    if len(polygon) == 1:
        return float(np.hypot(*(point - polygon[0])))
    start, step = polygon[:-1], np.diff(polygon, axis=0)
    share = np.clip(np.sum((point - start) * step, axis=1) / np.maximum(np.sum(step**2, axis=1), 1e-300), 0.0, 1.0)
    return float(np.min(np.hypot(*(point - start - share[:, None] * step).T)))


def _runs(mask: NDArray[np.bool_]) -> list[slice]:
    """Return the runs of True, with a neighbour on each side so that lines meet."""
    ends = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [slice(max(0, a - 1), min(len(mask), b + 1)) for a, b in zip(ends[::2], ends[1::2], strict=True)]


def _expected(line: _Line) -> float:
    """Return where a line is expected in the next row."""
    return line[-1][0] if len(line) < 2 else 2.0 * line[-1][0] - line[-2][0]


def _row(boundary: FullBoundary | SingularBoundary, a0: float) -> list[tuple[float, str, str]]:
    """Return the values of the parameter at which the fate of a start changes, with the fates on both sides."""
    nodes = [curve.parameter for curve in boundary.curves]
    low, high = float(boundary.axis.low), float(boundary.axis.high)
    grid = np.unique(np.concatenate([np.linspace(low, high, _POINTS), boundary.ends, *nodes]))
    codes = boundary.fates_at(grid, [a0])[:, 0]
    found = []
    for k in np.flatnonzero((codes[1:] != codes[:-1]) & (codes[1:] >= 0) & (codes[:-1] >= 0)):
        left, right = float(grid[k]), float(grid[k + 1])
        while right - left > _XTOL * max(abs(left), abs(right), high - low):
            middle = 0.5 * (left + right)
            if boundary.fates_at([middle], [a0])[0, 0] == codes[k]:
                left = middle
            else:
                right = middle
        found.append((0.5 * (left + right), boundary.names[codes[k]], boundary.names[codes[k + 1]]))
    return found
