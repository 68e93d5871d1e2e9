"""The curves that the pieces of a singular boundary make, and the corners at their ends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import Event
from fastslow.bifurcation.loci import Role
from fastslow.bifurcation.strands import clustered
from fastslow.boundary.curves import BoundaryCurve, Corner
from fastslow.boundary.pieces import Fate, Followed, Piece

Values = NDArray[np.float64]

_POINTS = 48
_JOINED = 1e-6
"""Curves of neighbouring pieces whose ends agree so well are one."""


@dataclass(eq=False)
class _Open:
    kind: str
    below: Fate
    above: Fate
    values: list[Values]
    y: list[Values]
    x: list[Values]

    @property
    def end(self) -> tuple[float, float]:
        return float(self.values[-1][-1]), float(self.y[-1][-1])

    def closed(self) -> BoundaryCurve:
        values, y, x = (np.concatenate(rows) for rows in (self.values, self.y, self.x))
        return BoundaryCurve(self.kind, values, y, x, self.below.verdict, self.above.verdict)


def joined_pieces(
    pieces: Sequence[Piece], events: Sequence[Event], gaps: tuple[tuple[float, float], ...]
) -> tuple[tuple[BoundaryCurve, ...], tuple[Corner, ...]]:
    """Return the curves, joined over events that do not touch them, and the corners at their ends."""
    done: list[_Open] = []
    going: list[_Open] = []
    for piece in pieces:
        s = np.concatenate(([piece.low], clustered(piece.low, piece.high, _POINTS), [piece.high]))
        next_going = []
        for point, (below, above) in zip(piece.thresholds, itertools.pairwise(piece.fates), strict=True):
            x, y = _inside(point, s)
            kind = str(point.role)
            before = next((c for c in going if _continues(c, kind, below, above, float(s[0]), float(y[0]))), None)
            if before is None:
                before = _Open(kind, below, above, [s], [y], [x])
            else:
                going.remove(before)
                for rows, new in ((before.values, s), (before.y, y), (before.x, x)):
                    rows.append(new[1:])
            next_going.append(before)
        done += going
        going = next_going
    curves = tuple(sorted((c.closed() for c in done + going), key=lambda c: (c.parameter[0], c.y[0])))
    return curves, _corners(curves, events, gaps, pieces)


def _inside(point: Followed, s: Values) -> tuple[Values, Values]:
    with np.errstate(all="ignore"):
        x, y = (np.asarray(rows) for rows in point.at(s))
    for end, beside in ((0, 1), (-1, -2)):  # a pole has no sign of its own
        if np.isinf(y[end]):
            y[end] = np.copysign(y[end], y[beside])
    return x, y


def _continues(curve: _Open, kind: str, below: Fate, above: Fate, s: float, y: float) -> bool:
    value, end = curve.end
    near = abs(end - y) <= _JOINED * (1.0 + abs(y))
    return (curve.kind, curve.below, curve.above) == (kind, below, above) and value == s and near


def _corners(
    curves: tuple[BoundaryCurve, ...],
    events: Sequence[Event],
    gaps: tuple[tuple[float, float], ...],
    pieces: Sequence[Piece],
) -> tuple[Corner, ...]:
    ends = {pieces[0].low, pieces[-1].high} if pieces else set()
    found: list[Corner] = []
    for curve in curves:
        assert curve.x is not None
        for k in (0, -1):
            s, y, x = float(curve.parameter[k]), float(curve.y[k]), float(curve.x[k])
            if s in ends or any(_near(c.parameter, c.y, s, y) for c in found):
                continue
            if any(s in gap for gap in gaps):
                found.append(Corner("model not valid", s, y, x, 0.0, True))
                continue
            here = [event for event in events if event.parameter == s]
            at = [event for event in here if _near(s, event.y, s, y)]
            if at:
                event = at[0]
                found.append(Corner(event.kind, s, event.y, event.x, event.radius, event.certified))
            elif here:
                event = here[0]
                found.append(Corner(event.kind, s, y, x, event.radius, event.certified))
            else:  # only where delayed exits change their order is there no event
                found.append(Corner(str(Role.DELAYED), s, y, x, math.ulp(s), False))
    return tuple(sorted(found, key=lambda c: (c.parameter, c.y)))


def _near(s: float, y: float, t: float, z: float) -> bool:
    return s == t and (y == z or abs(y - z) <= _JOINED * (1.0 + abs(z)))
