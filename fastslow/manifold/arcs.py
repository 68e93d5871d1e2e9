"""What the critical manifold is made of: branches, cut at special points into arcs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.curves import Curve
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import Number, compare
from fastslow.systems.system import FastSlowSystem


class FastStability(StrEnum):
    """Stability of the points of an arc as equilibria of the fast equation, the sign of f_x."""

    ATTRACTING = "attracting"
    REPELLING = "repelling"
    NEUTRAL = "neutral"


@dataclass(frozen=True, eq=False)
class Arc:
    """A piece of a branch between two neighbouring special points.

    Attributes
    ----------
    id : str
        Branch and number, such as B1.2.
    curve : Curve
        The curve it is part of.
    start, end : SpecialPoint
        Its ends, in the direction of its arrays.
    stability : FastStability
        Sign of f_x, the same all along; proved at an exact point.
    flow : int
        1 where the slow flow runs from `start` to `end`, -1 against, 0 where the arc is neutral.
    rise : int
        1 where the slow variable grows from `start` to `end`, -1 where it falls, 0 on a line y = const.
    x, y : ndarray
        Points from `start` to `end`; an infinite end is left out.
    """

    id: str
    curve: Curve
    start: SpecialPoint
    end: SpecialPoint
    stability: FastStability
    flow: int
    rise: int
    x: NDArray[np.float64] = field(repr=False)
    y: NDArray[np.float64] = field(repr=False)

    @property
    def source(self) -> SpecialPoint:
        """The end that the slow flow leaves."""
        return self.start if self.flow >= 0 else self.end

    @property
    def target(self) -> SpecialPoint:
        """The end that the slow flow runs to."""
        return self.end if self.flow >= 0 else self.start

    def other_end(self, point: SpecialPoint) -> SpecialPoint:
        """Return the end that is not `point`."""
        return self.end if point is self.start else self.start

    def spans(self, y: Number) -> bool:
        """Whether the slow value y lies strictly between the ends."""
        if self.rise == 0:
            return False
        low, high = (self.start, self.end) if self.rise > 0 else (self.end, self.start)
        return _below(low, y) and _above(high, y)


def _below(point: SpecialPoint, y: Number) -> bool:
    return point.y == -math.inf or (math.isfinite(point.y) and compare(_slow(point), y) < 0)


def _above(point: SpecialPoint, y: Number) -> bool:
    return point.y == math.inf or (math.isfinite(point.y) and compare(_slow(point), y) > 0)


def _slow(point: SpecialPoint) -> Number:
    assert point.exact_y is not None
    return point.exact_y


@dataclass(frozen=True, eq=False)
class Branch:
    """One irreducible curve of the critical manifold, with its arcs in order."""

    id: str
    curve: Curve
    arcs: tuple[Arc, ...]

    @property
    def equation(self) -> str:
        """The equation of the branch, such as "a = h(R)"."""
        return self.curve.equation


@dataclass(frozen=True, eq=False)
class CriticalManifold:
    """All branches and special points of f = 0 in the window.

    Attributes
    ----------
    system : FastSlowSystem
        The system it belongs to.
    branches : tuple of Branch
        Every irreducible curve of f = 0 with points in the window.
    points : tuple of SpecialPoint
        Finite special points, then the ends at infinity and on the window's edge.
    complete : bool
        Whether every traced event was matched with a certificate and every certificate with the trace.
    unmatched : tuple of str
        What was left over, in words.
    """

    system: FastSlowSystem
    branches: tuple[Branch, ...]
    points: tuple[SpecialPoint, ...]
    complete: bool
    unmatched: tuple[str, ...] = ()

    @property
    def arcs(self) -> tuple[Arc, ...]:
        """All arcs of all branches."""
        return tuple(arc for branch in self.branches for arc in branch.arcs)

    def of_kind(self, kind: Kind | str) -> tuple[SpecialPoint, ...]:
        """Return the points of one kind, first of all or also."""
        return tuple(point for point in self.points if point.is_a(Kind(kind)))
