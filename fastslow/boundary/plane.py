"""The curve in a plane of two parameters on which one start is critical."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fastslow.boundary.curves import FullBoundary
from fastslow.boundary.full import full_boundary
from fastslow.errors import InputError
from fastslow.systems.families import Axis, Family

_ROWS = 33
_XTOL = 1e-13
_JUMP = 0.15
"""Distance between rows, as a share of the plane's width, beyond which two points are not joined."""


@dataclass(frozen=True, eq=False)
class CriticalLine:
    """A part of the curve {(p, q): y_c(p, q) = a0}.

    Attributes
    ----------
    x, y : ndarray
        The two parameters at points of it, in order of the second.
    below, above : str
        The fates of the start at smaller and larger first parameter.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    below: str
    above: str


def boundary_in_two(
    family: Family, x_axis: Axis, y_axis: Axis, a0: float, *, rows: int = _ROWS, tolerance: float = 1e-9
) -> tuple[CriticalLine, ...]:
    """Return where in a plane of two parameters the fate of the start (start_fast, a0) changes in the full system.

    On rows of constant second parameter, the places where a critical start y_c passes a0 are the roots of its
    interpolant; those of neighbouring rows with the same fates on both sides are joined, the nearest first. The values
    of the parameter at which the fates change for all starts beside a0 are taken too.

    Parameters
    ----------
    family : Family
        In two parameters, those of the axes.
    a0 : float
        Slow coordinate of the start.
    rows : int
        How many rows.

    Raises
    ------
    InputError
        If the family has not these two parameters.
    """
    if family.names != (x_axis.name, y_axis.name):
        names = f"{x_axis.name}, {y_axis.name}"
        raise InputError("axes", names, f"must be of the parameters {', '.join(family.names)}")
    heights = [y_axis.low + (y_axis.high - y_axis.low) * Fraction(k, rows - 1) for k in range(rows)]
    width = float(x_axis.high - x_axis.low)
    open_: list[list[tuple[float, float, str, str]]] = []
    done: list[list[tuple[float, float, str, str]]] = []
    for q in heights:
        member = Family((x_axis.name,), lambda p, q=q: family.build(p, q))
        reach = abs(a0) or 1.0
        boundary = full_boundary(member, x_axis, starts=(a0 - 0.1 * reach, a0 + 0.1 * reach), tolerance=tolerance)
        points = _row(boundary, a0)
        going: list[list[tuple[float, float, str, str]]] = []
        for place, below, above in points:
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
    return tuple(
        CriticalLine(np.array([p[0] for p in line]), np.array([p[1] for p in line]), *line[0][2:])
        for line in (*done, *open_)
    )


def _excess(value: Callable[[NDArray[np.float64]], NDArray[np.float64]], a0: float, p: float) -> float:
    return float(value(np.array([p]))[0]) - a0


def _expected(line: Sequence[tuple[float, float, str, str]]) -> float:
    """Return where a line is expected in the next row."""
    return line[-1][0] if len(line) < 2 else 2.0 * line[-1][0] - line[-2][0]


def _row(boundary: FullBoundary, a0: float) -> list[tuple[float, str, str]]:
    """Return the values of the parameter at which the fate of a start changes, with the fates on both sides."""
    from scipy.optimize import brentq

    places = {math.nextafter(strip.low, math.inf) for strip in boundary.strips if strip.low > float(boundary.axis.low)}
    for curve in boundary.curves:
        if curve.value is None:
            continue
        value = curve.value
        excess = curve.y - a0
        for k in np.flatnonzero((excess[1:] > 0.0) != (excess[:-1] > 0.0)):
            a, b = float(curve.parameter[k]), float(curve.parameter[k + 1])
            ends = [_excess(value, a0, p) for p in (a, b)]
            if ends[0] * ends[1] <= 0.0 and a < b:
                excess_at = partial(_excess, value, a0)
                places.add(float(brentq(excess_at, a, b, xtol=_XTOL * max(abs(a), abs(b)))))
    found = []
    ordered = [float(boundary.axis.low), *sorted(places), float(boundary.axis.high)]
    for before, place, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
        codes = boundary.fates_at([0.5 * (before + place), 0.5 * (place + after)], [a0])
        below, above = (boundary.names[code] if code >= 0 else "unknown" for code in codes[:, 0])
        if below != above:
            found.append((place, below, above))
    return found
