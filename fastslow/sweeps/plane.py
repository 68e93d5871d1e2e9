"""The plane of a phase map: which of its axes are parameters, and which coordinates of the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import MISSING, InputError, suggestion
from fastslow.systems.exact import Real, exact
from fastslow.systems.families import Axis, Family, family_of, parameters_of, start_names
from fastslow.systems.system import FastSlowSystem, Start

_MOST_CELLS = 10**9
"""A map is looked at as a whole, a byte a cell."""


@dataclass(frozen=True, eq=False)
class Column:
    """Systems of one family in one parameter, each with the same starts (start_fast, y).

    Attributes
    ----------
    family : Family
        In one parameter.
    axis : Axis
        The whole axis of that parameter.
    values : tuple of Fraction
        The values of the parameter that are wanted.
    starts : ndarray
        The slow coordinates of the starts.
    reach : (float, float)
        The range of starts in the whole plane.
    key : str
        What tells this family from others of the same plane.
    """

    family: Family
    axis: Axis
    values: tuple[Fraction, ...]
    starts: NDArray[np.float64]
    reach: tuple[float, float]
    key: str = ""


@dataclass(frozen=True)
class Plane:
    """A grid of two axes over a model.

    Attributes
    ----------
    system : FastSlowSystem
        The model with the parameters that do not vary.
    x, y : Axis
        The axes, with counts.
    start : Fraction or None
        The slow coordinate of all starts, where no axis is that.
    """

    system: FastSlowSystem
    x: Axis
    y: Axis
    start: Fraction | None

    @property
    def slow_start(self) -> str:
        """The name of an axis of slow coordinates of starts."""
        return start_names(self.system)[1]

    @property
    def start_axis(self) -> Axis | None:
        """The axis of slow coordinates of starts, if there is one."""
        return next((axis for axis in (self.x, self.y) if axis.name == self.slow_start), None)

    def columns(self, rows: slice, columns: slice) -> Iterator[tuple[Column, tuple[slice, slice], bool]]:
        """Yield (cells, rows and columns of the part that they fill, whether values run along columns of it)."""
        xs, ys = self.x.exact_values[columns], self.y.exact_values[rows]
        whole = slice(0, len(ys)), slice(0, len(xs))
        along = self.start_axis
        if along is not None:
            upright = along is self.y
            axis, values, heights = (self.x, xs, ys) if upright else (self.y, ys, xs)
            starts, reach = np.array([float(v) for v in heights]), (float(along.low), float(along.high))
            yield Column(family_of(self.system, axis.name), axis, values, starts, reach), whole, upright
        else:
            assert self.start is not None
            height = float(self.start)
            other, starts, reach = family_of(self.system, self.y.name), np.array([height]), (height, height)
            for j, value in enumerate(ys):
                try:
                    family = family_of(other.at(value), self.x.name)
                except InputError:
                    continue  # the whole row is not valid
                yield Column(family, self.x, xs, starts, reach, str(value)), (slice(j, j + 1), whole[1]), True


def plane_of(system: FastSlowSystem, x: Axis, y: Axis, start: Real | None = None) -> Plane:
    """Return the plane of two axes, checked.

    Raises
    ------
    InputError
        If an axis names nothing that can vary, both name the same, or it is not told where orbits start.
    """
    slow_start = start_names(system)[1]
    known = (*parameters_of(system), slow_start)
    for label, axis in (("x", x), ("y", y)):
        if axis.name not in known:
            rule = "is no parameter of this model that can be varied, and no start"
            raise InputError(label, axis.name, rule, suggestion(axis.name, list(known)))
        if axis.count is None:
            raise InputError(label, str(axis), "must have a number of values", f"For example {axis}:100")
    if x.name == y.name:
        raise InputError("y", y.name, "is the other axis, too", "Give two different axes")
    if (x.count or 0) * (y.count or 0) > _MOST_CELLS:
        raise InputError("x, y", f"{x}, {y}", f"have more than {_MOST_CELLS} cells", "Take fewer values")
    if slow_start in (x.name, y.name):
        if start is not None:
            raise InputError(slow_start, str(start), "is an axis already", f"Leave out --{slow_start}")
        return Plane(system, x, y, None)
    if start is None:
        way_out = f"Give --a0 5, or make {slow_start} an axis: --y {slow_start}=1/2:15:100"
        raise InputError(slow_start, MISSING, "is missing, and it tells where orbits start", way_out)
    height = exact(start, slow_start)
    system.check_start(Start(system.start_fast, height))
    return Plane(system, x, y, height)
