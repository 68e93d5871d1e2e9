"""The search for the limit cycles round one equilibrium: fixed points of a return map."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.ode.cycles import Turn
from fastslow.ode.return_maps import ReturnMap
from fastslow.ode.trajectories import Trajectory
from fastslow.ode.undivided import meets, told

_COARSE, _FINE, _FINEST = 1e-8, 1e-10, 1e-12
"""Tolerances of the search, of its roots, and of the cycles that are returned."""
_LOWEST, _HIGHEST, _SAMPLES = 3e-4, 100.0, 40
"""Starts of the search above an equilibrium, in heights of the special points, in a geometric series."""
_HEIGHTS = (Kind.EQUILIBRIUM, Kind.FOLD, Kind.CROSSING)
_CLOSE = 1e-5
"""Steps of the return map, in units of the height, at which Newton's method takes over."""
_FIXED = 1e-7
"""The same at the finer tolerance, at which P(Y) = Y counts as such."""
_WEAK, _BESIDE = 1e-2, 1e-3
"""Where a multiplier is this near to one, P(Y) - Y must change sign over this share of the cycle's height."""
_MOST_DIPS = 14
_FAMILY = 4
"""So many neighbouring heights at which P(Y) = Y are no accident."""
_MOST_ROOT_STEPS, _MOST_NEWTON_STEPS, _MOST_TURNS = 60, 8, 12
_LOST = 0.3
"""Errors on the way that are as large as the cycle leave nothing of it."""
_SAME = 1e-3


@dataclass(frozen=True)
class Found:
    """A cycle: its period, the error of that, one turn, and the integral of the divergence."""

    period: float
    period_error: float
    turn: Turn
    exponent: float


def same(a: Turn, b: Turn) -> bool:
    """Whether two turns go over the same ranges."""
    width, height = float(np.ptp(b.x)), b.height
    corners = [(c.x.min() / width, c.x.max() / width, c.y.min() / height, c.y.max() / height) for c in (a, b)]
    return all(abs(u - v) <= _SAME for u, v in zip(*corners, strict=True))


def _dips(steps: dict[float, float]) -> list[tuple[float, float]]:
    """Return the intervals round the local minima of |P(Y) - Y| where it does not change sign."""
    rows = sorted(steps.items())
    found = []
    for (low, a), (_, b), (high, c) in zip(rows, rows[1:], rows[2:], strict=False):
        if (a > 0.0) == (b > 0.0) == (c > 0.0) and abs(b) < min(abs(a), abs(c)):
            found.append((low, high))
    return found


class Search:
    """The cycles round one equilibrium."""

    def __init__(self, manifold: CriticalManifold, point: SpecialPoint) -> None:
        self.manifold, self.system, self.point = manifold, manifold.system, point
        inner = (p for p in manifold.points if p.kind in _HEIGHTS and p is not point)
        heights = [abs(p.y - point.y) for p in inner]
        self.height = max(heights, default=0.0) or max(1.0, abs(point.y))
        self.map = ReturnMap(self.system, point.x, self.height)
        self.notes: list[str] = []
        self.unresolved: list[tuple[float, float]] = []

    def run(self, oscillating: Sequence[Trajectory]) -> Iterator[Found]:
        """Yield the cycles from the inside out."""
        heights = self.height * np.geomspace(_LOWEST, _HIGHEST, _SAMPLES)
        seen = [y for run in oscillating for y in self.map.crossings(run.x, run.y) if y > self.point.y]
        starts = [y for y in (*(self.point.y + heights), *seen) if self.map.allows(y)]
        cycles: list[Found] = []
        for direction in (1.0, -1.0):
            for low, high in self.brackets(starts, direction):
                y = self.root(low, high, direction)
                if y is None:
                    self.unresolved.append((low, high))
                    continue
                cycle = self.polished(y, direction)
                if cycle is not None and not any(same(cycle.turn, other.turn) for other in cycles):
                    cycles.append(cycle)
        self.note_unresolved([float(cycle.turn.y[0]) for cycle in cycles])
        yield from sorted(cycles, key=lambda cycle: cycle.turn.height)

    def note_unresolved(self, known: Sequence[float]) -> None:
        """Say where the map could not be followed, unless a cycle is known there: one that repels steeply looks so."""
        reach = 10.0 * _CLOSE * self.height
        open_ = [(a, b) for a, b in self.unresolved if not any(a - reach <= y <= b + reach for y in known)]
        for low, _ in open_[:1]:
            self.notes.append(
                f"the return map round {self.point.id} changes too steeply to be followed near "
                f"{self.system.slow[0]} = {low:.9g}: there may be a cycle with canards or a long delay"
            )

    def brackets(self, starts: Sequence[float], direction: float) -> list[tuple[float, float]]:
        """Return pairs of heights between which P(Y) - Y changes sign; equal ones where Y is nearly fixed."""
        steps = dict(self.steps(starts, direction))
        # Where the map contracts, the images are nearer to a fixed point than the starts.
        images = [y + step for y, step in steps.items() if y + step - self.point.y > _CLOSE * self.height]
        fresh: list[float] = []
        for y in sorted(images):
            if self.map.allows(y) and (not fresh or y - fresh[-1] > _CLOSE * self.height):
                fresh.append(y)
        if self.is_family(steps, direction):
            self.note_family()
            return []
        steps |= dict(self.steps(fresh, direction))
        steps |= {y: step for low, high in _dips(steps) for y, step in self.dip(low, high, direction)}
        ordered = sorted(steps.items())
        found = [
            (y, y)
            for k, (y, step) in enumerate(ordered)
            if abs(step) <= _CLOSE * (y - self.point.y)
            and abs(step) <= min(abs(other) for _, other in ordered[max(k - 1, 0) : k + 2])
        ]
        for (a, step_a), (b, step_b) in pairwise(ordered):
            if (step_a > 0.0) != (step_b > 0.0) and not any(a <= y <= b for y, _ in found):
                found.append((a, b))
        return found

    def dip(self, low: float, high: float, direction: float) -> Iterator[tuple[float, float]]:
        """Yield steps on the way to the least |P(Y) - Y| between two heights, until it changes sign or nearly vanishes.

        There two cycles may lie close together, or one that attracts from one side only. Golden section.
        """
        share = 0.5 * (math.sqrt(5.0) - 1.0)
        inner = [high - share * (high - low), low + share * (high - low)]
        values = [self.step(y, direction, _COARSE) for y in inner]
        sign = values[0]
        for _ in range(_MOST_DIPS):
            if values[0] is None or values[1] is None or sign is None:
                return
            yield from zip(inner, (values[0], values[1]), strict=True)
            if values[0] * sign <= 0.0 or values[1] * sign <= 0.0 or high - low <= _CLOSE * self.height:
                return
            if abs(values[0]) < abs(values[1]):
                high, inner = inner[1], [inner[1] - share * (inner[1] - low), inner[0]]
                values = [self.step(inner[0], direction, _COARSE), values[0]]
            else:
                low, inner = inner[0], [inner[1], inner[0] + share * (high - inner[0])]
                values = [values[1], self.step(inner[1], direction, _COARSE)]

    def is_family(self, steps: dict[float, float], direction: float) -> bool:
        """Whether P(Y) = Y, up to errors, at several neighbouring heights: closed orbits side by side."""
        heights = sorted(steps)
        fixed = [abs(steps[y]) <= _CLOSE * (y - self.point.y) for y in heights]
        for k in range(len(fixed) - _FAMILY + 1):
            if all(fixed[k : k + _FAMILY]):
                again = [(y, self.step(y, direction)) for y in heights[k : k + _FAMILY]]
                if all(step is not None and abs(step) <= _FIXED * (y - self.point.y) for y, step in again):
                    return True
        return False

    def note_family(self) -> None:
        note = f"orbits round {self.point.id} close side by side: no limit cycle is isolated there"
        if note not in self.notes:
            self.notes.append(note)

    def steps(self, starts: Sequence[float], direction: float) -> Iterator[tuple[float, float]]:
        """Yield (Y, P(Y) - Y) where P is defined."""
        for y, image in zip(starts, self.map.images(starts, direction, _COARSE), strict=True):
            if image is not None and image > self.point.y:
                yield y, image - y

    def root(self, low: float, high: float, direction: float) -> float | None:
        """Return a fixed point between two heights by regula falsi (Illinois); None where the map jumps there."""
        a, b = low, high
        if a == b:
            return a
        p, q = (self.step(y, direction) for y in (a, b))
        if p is None or q is None or (p > 0.0) == (q > 0.0):
            # The errors of the coarse search are as large as the steps: along canards, say.
            return self.iterated(a, direction) or self.iterated(b, direction)
        for k in range(_MOST_ROOT_STEPS):
            y = a + p / (p - q) * (b - a) if k % 3 < 2 else 0.5 * (a + b)
            if not a < y < b:
                y = 0.5 * (a + b)
            step = self.step(y, direction)
            if step is None:
                return None
            if abs(step) <= _CLOSE * (y - self.point.y):
                return y
            if (step > 0.0) == (p > 0.0):
                a, p, q = y, step, 0.5 * q
            else:
                b, q, p = y, step, 0.5 * p
            if b - a <= 4e-16 * max(abs(a), abs(b)):
                return None
        return 0.5 * (a + b)

    def iterated(self, y: float, direction: float) -> float | None:
        """Return a fixed point that the map itself runs to from a height, None where it does not in a few turns."""
        for _ in range(_MOST_TURNS):
            step = self.step(y, direction, _FINEST)
            if step is None or y + step <= self.point.y:
                return None
            y += step
            if abs(step) <= _CLOSE * (y - self.point.y):
                return y
        return None

    def step(self, y: float, direction: float, rtol: float = _FINE) -> float | None:
        """Return P(Y) - Y, None where the orbit does not return."""
        image = self.map.images([y], direction, rtol)[0]
        return None if image is None else image - y

    def polished(self, y: float, direction: float) -> Found | None:
        """Return the cycle at a height by Newton's method, in the direction of time in which the map contracts."""
        first = self.map.turn(y, direction, _FINE)
        if first is None:
            return None
        if first[1].exponent > 0.0:
            other = self.map.turn(y, -direction, _FINE)
            if other is not None and other[1].exponent < 0.0:
                direction, first = -direction, other
        rough = self.fixed(y, direction, _FINE)
        fine = None if rough is None else self.fixed(rough[0], direction, _FINEST)
        if rough is None or fine is None:
            return None
        _, period, turn = fine
        for line in map(float, self.system.undivided_lines):
            if meets(line, turn.x).any():
                self.notes.append(
                    f"a turn round {self.point.id} that seems to close is no cycle for sure: {told(self.system, line)}"
                )
                return None
        if abs(turn.slope - 1.0) <= _WEAK and not self.crosses(turn, direction):
            return None
        if abs(turn.slope - 1.0) <= 10.0 * turn.error / turn.height:
            self.unresolved.append((y, y))
            return None
        if turn.strayed > _LOST:
            self.unresolved.append((y, y))
            return None
        if turn.height <= 1e-6 * self.height * _LOWEST:
            return None  # the equilibrium itself
        return Found(period, abs(period - rough[1]), turn, direction * turn.exponent)

    def crosses(self, turn: Turn, direction: float) -> bool:
        """Whether P(Y) - Y changes sign at a turn; where it only touches zero, a note says so."""
        y, reach = float(turn.y[0]), _BESIDE * turn.height
        sides = [self.step(y + side, direction) for side in (-reach, reach) if y + side > self.point.y]
        if len(sides) < 2 or sides[0] is None or sides[1] is None or sides[0] * sides[1] < 0.0:
            return len(sides) == 2
        near_rest = y - self.point.y <= 0.1 * _LOWEST * self.height
        if not near_rest and abs(turn.step) <= 0.1 * min(abs(sides[0]), abs(sides[1])):
            self.notes.append(
                f"the return map round {self.point.id} touches the identity near {self.system.slow[0]} = {y:.6g}: a "
                "cycle that attracts from one side only, or two that are too close to be told apart"
            )
        return False

    def fixed(self, y: float, direction: float, rtol: float) -> tuple[float, float, Turn] | None:
        """Return the fixed point beside y with the period and the turn there; None where there is none."""
        last = math.inf
        for _ in range(_MOST_NEWTON_STEPS):
            found = self.map.turn(y, direction, rtol)
            if found is None or not found[1].height > 0.0:
                return None
            period, turn = found
            if abs(turn.step) <= 3.0 * rtol * turn.height or abs(turn.step) > 0.5 * last or turn.slope == 1.0:
                break  # the rest is rounding
            last = abs(turn.step)
            after = y + turn.step / (1.0 - turn.slope)
            y = after if after > self.point.y and abs(after - y) < turn.height else y + turn.step
        return y, period, turn
