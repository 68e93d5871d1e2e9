"""The fates of starts between the curves of critical starts, and where they change although no curve ends."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np

from fastslow.boundary.formula_members import FormulaMembers
from fastslow.boundary.members import Members
from fastslow.boundary.sheets import Sheet
from fastslow.boundary.walls import PLACES, Wall, WalledStrip, starts_between
from fastslow.boundary.warm import Warm
from fastslow.flow.flow_graph import forbidden
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.limit_cycles import cycles_of
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.cycle_walls import cycle_walls
from fastslow.separatrices.halves import fate
from fastslow.separatrices.thresholds import edge_starts
from fastslow.systems.system import Start

_MORE_PLACES = (0.02, 0.13, 0.25, 0.382, 0.5, 0.62, 0.75, 0.87, 0.98)
"""More where there may be cycles."""
_CYCLE_SAMPLES, _CYCLE_PLACES = (0.02, 0.21, 0.61, 0.8, 0.98), (0.03, 0.27, 0.5, 0.73, 0.97)
"""Where fates are compared in a system that may have limit cycles: shares of a strip, and between two curves of it."""
_MOST_CHANGES = 2
BISECTED = 1e-6
"""Share of a strip to which a change of fates is bisected."""
_TOUCHES = 1e-6
"""Distance, relative, at which a start on an orbit that touches the window's edge is one of a curve."""
_ROUGHLY = 1e-3
"""Share of a strip to which the end of what is not followed is bisected."""
THIN, _TIGHT_RTOL = 1e-4, 1e-12
"""Relative distance of two curves from which on starts between them are followed with a smaller tolerance."""
_UNDECIDED = ("undecided", "")


class Fates:
    """The fates of starts of one member of the family."""

    def __init__(self, members: Members | FormulaMembers, value: Fraction) -> None:
        self.members, self.value = members, value
        self.settling = Settling(critical_manifold(members.family.at(value)))

    def strip(
        self,
        low: float,
        high: float,
        sheets: Sequence[Sheet],
        warm: Warm,
        wanted: tuple[float, float],
        unresolved: list[str],
    ) -> WalledStrip:
        """Return the strip with the walls at which the fate changes."""
        placed, heights, far = self._heights(sheets, warm, wanted)
        system, found = self.settling.system, []
        for a, b in itertools.pairwise(heights):
            places = _MORE_PLACES if system.energy_polynomial is None else PLACES
            ends = {self._fate(y, b - a <= THIN * max(abs(a), abs(b))) for y in starts_between(a, b, far, places)}
            inner = (y for y in self._touching if max(a, wanted[0]) < y < min(b, wanted[1]))
            touching = any(all(abs(y - wall) > _TOUCHES * max(abs(y), far) for wall in (a, b)) for y in inner)
            turning = any(a < y < b for y in self.turning(wanted))
            if touching or turning or len(ends) > 1:
                why = f"have several fates: {', '.join(sorted(verdict for verdict, _ in ends))}"
                why = "are parted by an unstable limit cycle, which is not followed" if turning else why
                why = "are parted by an orbit that touches the window's edge" if touching else why
                unresolved.append(f"at {float(self.value):.9g} starts between {a:.9g} and {b:.9g} {why}")
                ends = {_UNDECIDED}
            elif ends == {_UNDECIDED} and max(a, wanted[0]) < min(b, wanted[1]):
                unresolved.append(f"at {float(self.value):.9g} starts between {a:.9g} and {b:.9g} are undecided")
            found.append(ends.pop())
        walls, fates = [], [found[0][0]]
        for (_, sheet), before, after in zip(placed, found, found[1:], strict=False):
            if sheet is not None and before == after != _UNDECIDED:
                continue
            walls.append(Wall(sheet, warm, before[0], after[0]))
            fates.append(after[0])
        return WalledStrip(low, high, walls, tuple(fates))

    def told(
        self, sheets: Sequence[Sheet], warm: Warm, wanted: tuple[float, float], only: int | None = None
    ) -> list[tuple[str, str]]:
        """Return the fates of some starts between each two neighbouring sheets, or that of one of them."""
        _, heights, far = self._heights(sheets, warm, wanted)
        starts = [y for a, b in itertools.pairwise(heights) for y in starts_between(a, b, far, _CYCLE_PLACES)]
        return [self._fate(y, False) for y in (starts if only is None else starts[only : only + 1])]

    def _heights(
        self, sheets: Sequence[Sheet], warm: Warm, wanted: tuple[float, float]
    ) -> tuple[list[tuple[float, Sheet | None]], list[float], float]:
        """Return the sheets with their y here, the ends of the intervals between them, and how far they reach."""
        p, system = np.array([float(self.value)]), self.settling.system
        placed: list[tuple[float, Sheet | None]] = sorted(
            ((float(sheet.at(p)[0]), sheet) for sheet in sheets), key=lambda pair: pair[0]
        )
        # A curve on the window's edge, an invariant line, parts no starts.
        bottom, top = system.slow_ends
        placed = [pair for pair in placed if bottom < pair[0] < top]
        if forbidden(system, 0.0) and wanted[0] < 0.0 < wanted[1]:
            placed = sorted([*placed, (0.0, None)], key=lambda pair: pair[0])
        heights = [y for y, _ in placed]
        # Curves outside the starts that are wanted were left out: do not go beyond them without need.
        lowest = wanted[0] if not heights or wanted[0] < heights[0] else system.slow_ends[0]
        highest = wanted[1] if not heights or wanted[1] > heights[-1] else system.slow_ends[1]
        if heights and heights[0] > 0.0 and wanted[0] >= 0.0 and forbidden(system, 0.0):
            lowest = max(lowest, 0.0)
        if heights and heights[-1] < 0.0 and wanted[1] <= 0.0 and forbidden(system, 0.0):
            highest = min(highest, 0.0)
        far = max((abs(y) for y, _ in placed), default=0.0) or warm.height
        return placed, [lowest, *heights, highest], far

    @cached_property
    def _touching(self) -> list[float]:
        """The starts of orbits that touch the window's edge, which are not followed in the parameter."""
        return edge_starts(self.settling)

    def turning(self, wanted: tuple[float, float]) -> list[float]:
        """Return the starts on unstable limit cycles: they are not followed in the parameter."""
        return [y for y in self._turning if wanted[0] < y < wanted[1]]

    @cached_property
    def _turning(self) -> list[float]:
        system = self.settling.system
        if system.energy_polynomial is not None:
            return []
        return [wall.y for wall in cycle_walls(system, cycles_of(self.settling.manifold).cycles)]

    def _fate(self, y: float, tight: bool) -> tuple[str, str]:
        settling = copy.copy(self.settling)
        settling.rtol = _TIGHT_RTOL if tight else settling.rtol
        verdict, node = fate(settling.system, settling.run(Start(settling.system.start_fast, Fraction(y))))
        return _UNDECIDED if verdict.startswith("undecided") else (verdict, node)


def by_cycles(
    middle: Fates,
    low: float,
    high: float,
    sheets: Sequence[Sheet],
    warm: Warm,
    wanted: tuple[float, float],
    unresolved: list[str],
) -> tuple[list[WalledStrip], list[float]]:
    """Return strips, cut where fates change although no curve ends: limit cycles may do that, which no cut shows.

    Fates are compared at a few values of the parameter; a change between two of them is bisected.
    """
    samples = sorted(
        [middle, *(Fates(middle.members, simple_inside(low, high, share)) for share in _CYCLE_SAMPLES)],
        key=lambda each: each.value,
    )
    told = [sample.told(sheets, warm, wanted) for sample in samples]
    found = changes_of([sample.value for sample in samples], told)
    if len(found) > _MOST_CHANGES:
        unresolved.append(f"between {low:.9g} and {high:.9g} fates change more often than was followed")
        return [WalledStrip(low, high, [], (_UNDECIDED[0],))], []

    def bisected(a: Fraction, b: Fraction, k: int, known: tuple[str, str], ends: bool) -> float:
        """Return where in [a, b] a start ceases to have a fate, or begins to."""
        while b - a > BISECTED * (high - low):
            between = Fates(middle.members, simple_inside(float(a), float(b), 0.5))
            same = between.told(sheets, warm, wanted, only=k)[0] == known
            a, b = (between.value, b) if same == ends else (a, between.value)
        return float((a + b) / 2)

    def without_turning(a: Fraction, b: Fraction) -> float:
        """Return where in [a, b] no start is on an unstable cycle any more, or b."""
        while b - a > _ROUGHLY * (high - low):
            between = Fates(middle.members, simple_inside(float(a), float(b), 0.5))
            a, b = (between.value, b) if between.turning(wanted) else (a, between.value)
        return float(b)

    places: list[float] = []
    for a, b, k, before, after in found:
        first = bisected(a, b, k, before, ends=True)
        beyond = Fates(middle.members, simple_inside(first, first + 4.0 * BISECTED * (high - low), 0.5))
        places.append(first)
        if beyond.told(sheets, warm, wanted, only=k)[0] == _UNDECIDED:
            places.append(bisected(beyond.value, b, k, after, ends=False))
        else:
            # A cycle is born with an unstable one, which may soon leave the line of starts.
            first += _ROUGHLY * (high - low)
            grown = Fates(middle.members, simple_inside(first, 0.5 * (first + float(b)), 0.01))
            if grown.turning(wanted):
                places.append(without_turning(grown.value, b))
    ends = [low, *places, high]
    strips = []
    for left, right in itertools.pairwise(ends):
        own = [sample for sample in samples if left < float(sample.value) < right]
        away = [abs(float(sample.value) - 0.5 * (left + right)) for sample in own]
        known = own[int(np.argmin(away))] if own else Fates(middle.members, simple_inside(left, right, 0.5))
        strips.append(known.strip(left, right, sheets, warm, wanted, unresolved))
    unresolved.append(
        f"limit cycles: between events fates were compared at {len(samples)} values of the parameter, and cycles that "
        "come and go between two of them are not seen"
    )
    return strips, places


_Change = tuple[Fraction, Fraction, int, tuple[str, str], tuple[str, str]]


def changes_of(values: Sequence[Fraction], told: Sequence[Sequence[tuple[str, str]]]) -> list[_Change]:
    """Return, in order, where fates change: two values, the number of a start, and its fates at both.

    Values at which the fate of a start is undecided are passed over.
    """
    found: list[_Change] = []
    last: dict[int, tuple[Fraction, tuple[str, str]]] = {}
    for value, fates in zip(values, told, strict=True):
        for k, here in enumerate(fates):
            if here == _UNDECIDED:
                continue
            before = last.get(k)
            last[k] = value, here
            if before is not None and before[1] != here and all(b <= before[0] for _, b, *_ in found):
                found.append((before[0], value, k, before[1], here))
    return found


def simple_inside(low: float, high: float, share: float) -> Fraction:
    """Return a rational with a small denominator inside an interval: exact arithmetic is faster with it."""
    value = Fraction(low + share * (high - low))
    simple = value.limit_denominator(max(1009, math.ceil(100.0 / (high - low))))
    return simple if low < simple < high else value
