"""What continuation in parameters gives: curves, special points on them, and how complete they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.families import Axis, Family
from fastslow.systems.system import FastSlowSystem

Array = NDArray[np.float64]

_SAME = 1e-9
"""Special points of one kind nearer than this, relative to the window, are one point found on two branches."""


@dataclass(frozen=True, eq=False)
class BifurcationCurve:
    """One connected curve of folds, equilibria or bifurcation points.

    Attributes
    ----------
    id : str
        F1, F2, ... for folds, E1, E2, ... for equilibria; C1, C2, ... in two parameters.
    kind : str
        "fold", "equilibrium"; in two parameters "cusp", "canard point", "saddle-node", "hopf", "transcritical".
    equation : str
        The branch of the critical manifold that it is on.
    x, y : ndarray, shape (N,)
        Fast and slow variable.
    parameters : ndarray, shape (m, N)
        A row for each parameter of the family.
    stability : tuple of str
        For each point. Equilibria: "stable", "saddle" or "unstable" at the slow rate of the system, "center" where a
        sign of trace or determinant is zero. Folds: the side in x on which the branch attracts, "attracting below" or
        "attracting above". Hopf curves: "supercritical", "subcritical", or "neutral saddle" where the determinant is
        negative. Otherwise empty strings.
    closed : bool
        Whether the last point is the first one.
    ends : (str, str)
        Why it ends, in words.
    """

    id: str
    kind: str
    equation: str
    x: Array
    y: Array
    parameters: Array
    stability: tuple[str, ...]
    closed: bool = False
    ends: tuple[str, str] = ("", "")

    def pieces(self) -> Iterator[tuple[str, slice]]:
        """Yield runs of points of one stability; neighbouring runs share their end point."""
        kept = [_of_step(*pair) for pair in pairwise(self.stability)]
        begin = 0
        for k in range(1, len(kept) + 1):
            if k == len(kept) or kept[k] != kept[begin]:
                yield kept[begin], slice(begin, k + 1)
                begin = k


def _of_step(first: str, last: str) -> str:
    return last if first in ("", "center") else first


@dataclass(frozen=True, eq=False)
class BifurcationPoint:
    """A special point of a curve.

    Attributes
    ----------
    kind : str
        On folds: "cusp", "canard point", "fold at crossing", "branch point", "isola centre". On equilibria:
        "saddle-node", "branch point", "transcritical", "hopf", "canard point". In two parameters: "cusp",
        "swallowtail", "Bogdanov-Takens", "Bautin", "canard point", "crossing", ....
    x, y : float
        Fast and slow variable.
    parameters : tuple of float
    curves : tuple of str
        The ids of the curves through it.
    certified : bool
        Whether it is proved to exist within `radius`: by exact isolation or by an interval Newton method.
    radius : float
        Largest error of a coordinate, before the last rounding; infinite where it is not certified.
    lyapunov : float or None
        First Lyapunov coefficient of a Hopf point (`hopf.lyapunov_coefficient`).
    note : str
        For a Hopf point "supercritical" or "subcritical".
    """

    kind: str
    x: float
    y: float
    parameters: tuple[float, ...]
    curves: tuple[str, ...] = ()
    certified: bool = False
    radius: float = float("inf")
    lyapunov: float | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Diagram:
    """Curves in one or two parameters of a family, with their special points.

    Attributes
    ----------
    family : Family
    sample : FastSlowSystem
        A member of it: names of the variables and other parameters are read from it.
    axes : tuple of Axis
        One for each parameter; a second axis of a start shows the slow variable against one parameter.
    kind : str
        "fold" or "equilibrium".
    curves : tuple of BifurcationCurve
    points : tuple of BifurcationPoint
    complete : bool
        Whether it is shown that no curve is missing: the curves meet every exact section, one between each pair of
        neighbouring critical values of the parameter, in exactly the points that are there. In two parameters
        claimed of systems of formulas only.
    sections : tuple of (float, int)
        These sections: the parameter and the number of points.
    notes : tuple of str
        What a reader must know: gaps, curves that are left out, what was not shown.
    """

    family: Family
    sample: FastSlowSystem
    axes: tuple[Axis, ...]
    kind: str
    curves: tuple[BifurcationCurve, ...]
    points: tuple[BifurcationPoint, ...]
    complete: bool
    sections: tuple[tuple[float, int], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def slow_axis(self) -> Axis | None:
        """The second axis, where it is that of a start and not of a parameter."""
        return self.axes[1] if len(self.axes) > len(self.family.names) else None

    def points_of(self, kind: str) -> tuple[BifurcationPoint, ...]:
        """Return the special points of one kind."""
        return tuple(point for point in self.points if point.kind == kind)


def merged(points: Sequence[BifurcationPoint], width: Fraction) -> tuple[BifurcationPoint, ...]:
    """Return points in order of their parameters; those found on two branches once, with the curves of both."""
    kept: list[BifurcationPoint] = []
    near = _SAME * float(width)
    for point in points:
        for k, other in enumerate(kept):
            apart = [abs(point.x - other.x), abs(point.y - other.y) / max(1.0, abs(point.y))]
            apart += [abs(a - b) for a, b in zip(point.parameters, other.parameters, strict=True)]
            if point.kind == other.kind and max(apart) <= near:
                curves = tuple(dict.fromkeys((*other.curves, *point.curves)))
                kept[k] = replace(other, curves=curves, certified=other.certified or point.certified)
                break
        else:
            kept.append(point)
    return tuple(sorted(kept, key=lambda p: (p.parameters, p.x, p.y)))
