"""Walls between the fates of starts, strip by strip of the parameter, and the curves that they make."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fastslow.boundary.curves import BoundaryCurve
from fastslow.boundary.sheets import Sheet
from fastslow.boundary.warm import Warm
from fastslow.separatrices.halves import LEAVES

FloatArray = NDArray[np.float64]

PLACES = (0.382, 0.809)
"""Where between two curves starts are followed: two, as there may be a boundary that is no stable manifold."""
CYCLES_CHANGE = "limit cycles change"
"""The kind of a line p = const at which fates change although no equilibrium does."""
_SAME = 1e-5
_SLIVER = 1e-4


@dataclass(frozen=True, eq=False)
class Wall:
    """A sheet in a strip with the fates on both sides; without a sheet, the forbidden start y = 0."""

    sheet: Sheet | None
    warm: Warm
    below: str
    above: str

    def at(self, p: FloatArray) -> FloatArray:
        return np.zeros(np.shape(p)) if self.sheet is None else self.sheet.at(p)

    def saddle_at(self, p: FloatArray) -> FloatArray:
        """Return x of the saddle at sorted values of the parameter, NaN where it is not known."""
        if self.sheet is None:
            return np.full(len(p), np.nan)
        inside = 1e-9 * (self.sheet.high - self.sheet.low)
        path = self.warm.path(self.sheet.half.saddle, np.clip(p, self.sheet.low + inside, self.sheet.high - inside))
        return np.full(len(p), np.nan) if path is None else path.x


@dataclass(frozen=True, eq=False)
class WalledStrip:
    low: float
    high: float
    walls: list[Wall]
    fates: tuple[str, ...]


def continues(wall: Wall, other: Wall, at: float) -> bool:
    """Whether a wall goes on as another one across a value of the parameter."""
    if wall.sheet is None or other.sheet is None or (wall.below, wall.above) != (other.below, other.above):
        return False
    a, b = (float(w.at(np.array([at]))[0]) for w in (wall, other))
    return abs(a - b) <= _SAME * max(abs(a), abs(b), wall.warm.height)


def joined(strips: Sequence[WalledStrip]) -> list[BoundaryCurve]:
    """Return the walls as curves, joined across the ends of strips where they go on with the same fates."""
    open_: list[list[tuple[WalledStrip, Wall]]] = []
    done: list[list[tuple[WalledStrip, Wall]]] = []
    for strip in strips:
        going: list[list[tuple[WalledStrip, Wall]]] = []
        for wall in strip.walls:
            if wall.sheet is None:
                continue
            before = next(
                (c for c in open_ if c[-1][0].high == strip.low and continues(c[-1][1], wall, strip.low)), None
            )
            if before is not None:
                open_.remove(before)
            going.append([*(before or []), (strip, wall)])
        done += open_
        open_ = going
    return [_curve(chain) for chain in (*done, *open_)]


def _curve(chain: Sequence[tuple[WalledStrip, Wall]]) -> BoundaryCurve:
    parameter, y, x = [], [], []
    for strip, wall in chain:
        assert wall.sheet is not None
        nodes = wall.sheet.nodes
        within = nodes[(nodes > strip.low) & (nodes < strip.high)]
        nodes = np.concatenate(([strip.low], within, [strip.high]))
        parameter.append(nodes)
        y.append(wall.at(nodes))
        x.append(wall.saddle_at(nodes))
    value = partial(_along, [strip.high for strip, _ in chain[:-1]], [wall.at for _, wall in chain])
    wall = chain[0][1]
    assert wall.sheet is not None
    return BoundaryCurve(
        "window's edge" if wall.warm.is_touch(wall.sheet.half) else "stable manifold",
        np.concatenate(parameter),
        np.concatenate(y),
        np.concatenate(x),
        wall.below,
        wall.above,
        value,
    )


def _along(ends: Sequence[float], parts: Sequence[Callable[[FloatArray], FloatArray]], p: FloatArray) -> FloatArray:
    """Return y(p) of parts that follow each other."""
    which = np.searchsorted(np.asarray(ends), p, side="right")
    result = np.empty(np.shape(p))
    for k in np.unique(which):
        result[which == k] = parts[k](p[which == k])
    return result


def upright(
    strips: Sequence[WalledStrip], wanted: tuple[float, float], kinds: Mapping[float, str]
) -> list[BoundaryCurve]:
    """Return the lines p = const between two strips across which the fate of the starts that are wanted changes.

    `kinds` tells what happens at values of the parameter at which the equilibria do not change.
    """
    found = []
    for left, right in itertools.pairwise(strips):
        if left.high != right.low:
            continue
        at = np.array([left.high])
        sides = [[float(wall.at(at)[0]) for wall in strip.walls] for strip in (left, right)]
        inside = {y for y in (*sides[0], *sides[1]) if wanted[0] < y < wanted[1]}
        heights = [wanted[0], *sorted(inside), wanted[1]]
        for a, b in itertools.pairwise(heights):
            finite = [abs(y) for y in (a, b) if math.isfinite(y)]
            if b - a <= _SLIVER * max([1.0, *finite]):
                continue
            middle = starts_between(a, b, 1.0)[0]
            before, after = (
                strip.fates[int(np.searchsorted(np.array(side), middle))]
                for strip, side in zip((left, right), sides, strict=True)
            )
            if before != after and not (before.startswith(LEAVES) and after.startswith(LEAVES)):
                y, kind = np.array([a, b]), kinds.get(left.high, "equilibria change")
                found.append(BoundaryCurve(kind, np.repeat(at, 2), y, None, before, after))
    return found


def starts_between(low: float, high: float, far: float, places: tuple[float, ...] = PLACES) -> list[float]:
    """Return starts inside an interval of y."""
    if math.isinf(low) and math.isinf(high):
        return [far * share for share in places]
    if math.isinf(low):
        return [high - (abs(high) or far) * share for share in (PLACES[1], 2.0)]
    if math.isinf(high):
        return [low + (abs(low) or far) * share for share in (PLACES[1], 2.0)]
    return [low + share * (high - low) for share in places]
