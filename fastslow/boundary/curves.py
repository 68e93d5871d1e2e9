"""Boundaries between fates as curves in a parameter: the results of ``fastslow.boundary``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.families import Axis, Family

FloatArray = NDArray[np.float64]

_LOW = 1e-2


@dataclass(frozen=True, eq=False)
class BoundaryCurve:
    """A curve y(p) of critical starts, or a line p = const across which the fate changes.

    Attributes
    ----------
    kind : str
        Of the full system: "stable manifold" of a saddle; "window's edge", orbits that touch it or leave at a corner;
        "equilibria change" or "limit cycles change" on a line p = const. In the singular limit what bounds the fates:
        "fold", "equilibrium" (a saddle), "crossing", "line", "line of starts" (the manifold meets it), "window's
        edge", "delayed exit".
    parameter, y : ndarray, shape (n,)
        Points on it, in order of the parameter.
    x : ndarray or None
        Fast coordinate of the saddle or special point at each, where there is one.
    below, above : str
        Fates of the starts with smaller and larger y; at p = const of smaller and larger p.
    value : callable or None
        y at values of the parameter between the first and the last, as exact as the curve was computed.
    """

    kind: str
    parameter: FloatArray
    y: FloatArray
    x: FloatArray | None
    below: str
    above: str
    value: Callable[[FloatArray], FloatArray] | None = field(default=None, repr=False)

    @property
    def changes_fate(self) -> bool:
        """Whether the fate changes, not only the place where the orbits end."""
        return self.below != self.above


@dataclass(frozen=True)
class Corner:
    """A point where curves begin, end or meet.

    Attributes
    ----------
    kind : str
        What happens there.
    parameter : float
        Its value.
    y, x : float
        The start on the boundary, and the fast coordinate of the equilibrium that is responsible; NaN where there is
        none.
    radius : float
        A bound on the error of the parameter where `certified`, else an estimate.
    certified : bool
        Whether the parameter is proved.
    """

    kind: str
    parameter: float
    y: float
    x: float
    radius: float
    certified: bool


@dataclass(frozen=True, eq=False)
class Strip:
    """An open interval of the parameter in which the same curves part the starts in the same order.

    Attributes
    ----------
    low, high : float
        Its ends.
    walls : tuple of callable
        y(p) of each curve from below, vectorised in p.
    fates : tuple of str
        Between them, one more than walls.
    """

    low: float
    high: float
    walls: tuple[Callable[[FloatArray], FloatArray], ...]
    fates: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FullBoundary:
    """Where the fate of a start of the full system changes, in the plane of a parameter and of y at the start.

    Attributes
    ----------
    family, axis
        The systems, and the interval of the parameter.
    curves : tuple of BoundaryCurve
        The boundary.
    corners : tuple of Corner
        In order of the parameter.
    gaps : tuple of (float, float)
        Intervals of the parameter in which nothing is known.
    unresolved : tuple of str
        What could not be decided, in words.
    strips : tuple of Strip
        The intervals of the parameter between structure changes.
    """

    family: Family
    axis: Axis
    curves: tuple[BoundaryCurve, ...]
    corners: tuple[Corner, ...]
    gaps: tuple[tuple[float, float], ...]
    unresolved: tuple[str, ...]
    strips: tuple[Strip, ...] = field(repr=False)

    @property
    def limit(self) -> str:
        """The level of description, "ode"."""
        return "ode"

    @property
    def complete(self) -> bool:
        """Whether nothing is left undecided."""
        return not self.gaps and not self.unresolved

    def thresholds_at(self, values: ArrayLike) -> list[FloatArray]:
        """Return the critical starts y at each value of the parameter, in order."""
        values = np.atleast_1d(np.asarray(values, dtype=np.float64))
        found: list[list[float]] = [[] for _ in values]
        for curve in self.curves:
            if curve.value is None or not len(curve.parameter):
                continue
            at = np.flatnonzero((values >= curve.parameter[0]) & (values <= curve.parameter[-1]))
            for k, y in zip(at, curve.value(values[at]), strict=True):
                found[k].append(float(y))
        return [np.array(sorted(each)) for each in found]

    @property
    def names(self) -> tuple[str, ...]:
        """The fates, in the order of the codes of `fates_at`."""
        return tuple(dict.fromkeys(fate for strip in self.strips for fate in strip.fates))

    @property
    def ends(self) -> tuple[float, ...]:
        """The values of the parameter at which strips begin and end."""
        return tuple(sorted({end for strip in self.strips for end in (strip.low, strip.high)}))

    def fates_at(self, values: ArrayLike, y: ArrayLike) -> NDArray[np.int16]:
        """Return the fates of all starts (values[i], y[j]): codes, indices of `names`, of shape (len(values), len(y)).

        A start on a curve counts as above it, a parameter on the end of a strip as in the next; the code is -1 where
        nothing is known.
        """
        values, y = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (values, y))
        names = self.names
        order = np.argsort(y, kind="stable")
        ranked = y[order]
        codes = np.full((len(values), len(y)), -1, dtype=np.int16)
        for k, strip in enumerate(self.strips):
            last = k == len(self.strips) - 1
            inside = (values >= strip.low) & ((values <= strip.high) if last else (values < strip.high))
            columns = np.flatnonzero(inside)
            if not len(columns):
                continue
            first = np.array([np.searchsorted(ranked, wall(values[columns])) for wall in strip.walls], dtype=np.int64)
            fates = np.array([names.index(fate) for fate in strip.fates], dtype=np.int16)
            for i, column in enumerate(columns):
                cuts = np.concatenate(([0], first[:, i], [len(y)])) if len(first) else np.array([0, len(y)])
                codes[column, order] = np.repeat(fates, np.diff(np.maximum.accumulate(cuts)))
        return codes

    def near(self, values: ArrayLike, y: ArrayLike, tolerance: float) -> NDArray[np.bool_]:
        """Return which starts (values[i], y[j]) an error of a curve could put on its other side.

        That is an error of `tolerance` relative to y (to a hundredth of the largest |y[j]| where the curve is lower),
        or to the interval of the parameter; so it is measured in ``full_boundary``. The ends of strips count as curves.
        """
        values, y = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (values, y))
        aside = tolerance * float(self.axis.high - self.axis.low)
        order = np.argsort(y, kind="stable")
        ranked, least = y[order], _LOW * float(np.abs(y).max())
        found = np.zeros((len(values), len(y)), dtype=bool)
        for strip in self.strips:
            columns = np.flatnonzero((values >= strip.low) & (values <= strip.high))
            at = values[columns]
            for wall in strip.walls:
                heights = np.stack([wall(np.clip(at + step, strip.low, strip.high)) for step in (-aside, 0.0, aside)])
                reach = tolerance * np.maximum(np.abs(heights), least)
                first = np.searchsorted(ranked, (heights - reach).min(axis=0))
                last = np.searchsorted(ranked, (heights + reach).max(axis=0), side="right")
                for k in np.flatnonzero(first < last):
                    found[columns[k], order[first[k] : last[k]]] = True
        inner = np.array([end for end in self.ends if float(self.axis.low) < end < float(self.axis.high)])
        if len(inner):
            found[np.abs(values[:, None] - inner).min(axis=1) <= aside] = True
        return found


def check_line_at_rest(axis: Axis) -> None:
    """Raise InputError where the line of starts itself is what varies."""
    if axis.name == "start_fast":
        rule = "moves the line of starts, and boundaries are curves of starts on one line"
        raise InputError("start_fast", str(axis), rule, "Use phase-map --method ode")
