"""The ranges of x of relaxation cycles along a family: computed for some members, and asked for those in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from fastslow.flow.relaxation import covers, passes_folds, spans_of
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.member_points import NotTraced
from fastslow.manifold.special_points import Kind
from fastslow.ode.cycles import Turn
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.systems.chart import Chart
from fastslow.systems.system import Start

Spans = tuple[tuple[float, float], ...]

_ALIKE = 0.2
"""Largest change of a span between two members, as a share of it, for those in between to be told by them."""

_PATIENCE = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""Shares of the time after which others ask whether a member oscillates, at which it is asked here first; ..."""
_TURNS = 4
"""So many turns are expected to tell."""
_CLOSED = 1e-6
"""... before that time it is believed where two turns differ by less than this share of their height."""


class CycleSpans:
    """The spans of the closed singular orbits of members in order of a parameter.

    They are asked for of a member only where its neighbours on both sides, with the same order of folds, crossings
    and equilibria of one fast stability as all in between, have other cycles, or spans by which the answer differs.

    Parameters
    ----------
    known : sequence of CriticalManifold or None
        The special points of the members.
    trace : callable
        The critical manifold of a member with its curves, by its number.
    """

    def __init__(self, known: Sequence[CriticalManifold | None], trace: Callable[[int], CriticalManifold]) -> None:
        self._known, self.trace = known, trace
        self._spans: dict[int, Spans] = {}
        self.rung = 0

    @cached_property
    def _orders(self) -> list[tuple[tuple[str, bool], ...] | None]:
        return [None if manifold is None else _order(manifold) for manifold in self._known]

    def of(self, number: int) -> Spans:
        """Return the spans of a member."""
        if number not in self._spans:
            self._spans[number] = spans_of(SingularFlow(self.trace(number)))
        return self._spans[number]

    def relaxes(self, number: int, low: float, high: float) -> bool:
        """Whether an oscillation of a member over a range of x has most of a relaxation cycle in it."""
        first = last = number
        order = self._orders[number]
        while order and first > 0 and self._orders[first - 1] == order:
            first -= 1
        while order and last + 1 < len(self._known) and self._orders[last + 1] == order:
            last += 1
        while first < number < last:
            one, other = self.of(first), self.of(last)
            answer = covers(one, low, high)
            if _alike(one, other) and answer == covers(other, low, high):
                return answer
            middle = (first + last) // 2
            first, last = (middle, last) if middle <= number else (first, middle)
        return covers(self.of(number), low, high)


class MemberSettling(Settling):
    """Follows starts of a member; where only its special points are known, its curves are traced when they matter.

    What is a relaxation oscillation its neighbours tell.
    """

    def __init__(self, manifold: CriticalManifold, spans: CycleSpans, number: int, *, rtol: float) -> None:
        super().__init__(manifold, rtol=rtol)
        self._spans, self._number, self._early = spans, number, False

    @cached_property
    def whole(self) -> Settling:
        """The same with the curves."""
        return Settling(self._spans.trace(self._number), rtol=self.rtol)

    def run(self, start: Start) -> Trajectory:
        """Integrate from a start until its fate is known."""
        try:
            return super().run(start)
        except NotTraced:
            self.whole.rtol = self.rtol
            return self.whole.run(start)

    def _followed(self, start: Start, chart: Chart) -> Trajectory:
        """Integrate for ever longer times, first for that of the run before: most cycles are closed early."""
        for patience in _PATIENCE[self._spans.rung :] if self.system.energy_polynomial is None else ():
            self._early = patience < 1.0
            result = self._attempt(start, chart, self.solver, patience)
            taken = result.final_time / self.horizon
            if not result.undecided and (taken < patience or result.oscillates):
                rising = np.diff(result.y) > 0.0
                tops = int(np.count_nonzero(rising[:-1] & ~rising[1:]))
                needed = min(taken, patience) * (min(1.0, _TURNS / tops) if result.oscillates else 1.0)
                self._spans.rung = next(k for k, share in enumerate(_PATIENCE) if share >= needed)
                return result
        self._early = False
        return super()._followed(start, chart)

    def _oscillation(self, turn: Turn) -> str:
        if self._early and abs(turn.step) > _CLOSED * turn.height:
            return "undecided: not closed yet"
        return super()._oscillation(turn)

    def relaxes(self, low: float, high: float) -> bool:
        """Whether an oscillation over a range of x is a relaxation oscillation."""
        return passes_folds(self.manifold, low, high) or self._spans.relaxes(self._number, low, high)


def _order(manifold: CriticalManifold) -> tuple[tuple[str, bool], ...]:
    """Return the folds, crossings and equilibria in order of x, with the fast stability of the last."""
    found = []
    for point in sorted(manifold.points, key=lambda p: (p.x, p.y)):
        if point.kind is not Kind.BOUNDARY:
            slope = float(manifold.system.partial("f", 1, 0, point.x, point.y))
            found.append((str(point.kind), point.is_a(Kind.EQUILIBRIUM) and slope > 0.0))
    return tuple(found)


def _alike(one: Spans, other: Spans) -> bool:
    return len(one) == len(other) and all(
        max(abs(a - c), abs(b - d)) <= _ALIKE * (b - a) for (a, b), (c, d) in zip(one, other, strict=True)
    )
