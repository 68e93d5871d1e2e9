"""Exact thresholds of the full system: where stable manifolds of saddles and cycles meet the line of starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.flow.flow_graph import Basin, basins_of, forbidden
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.clocks import in_pieces
from fastslow.ode.event_sets import section
from fastslow.ode.limit_cycles import LimitCycle, cycles_of
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.separatrices.cycle_walls import CycleWall, cycle_walls
from fastslow.separatrices.first_order import singular_crossing
from fastslow.separatrices.halves import (
    LEAVES,
    Backward,
    Forward,
    Separatrix,
    edge_orbits,
    fate,
    limits,
    rates,
    separatrices,
    typical_height,
)
from fastslow.separatrices.intervals import BESIDE, intervals_between, merged, same_fate
from fastslow.systems.algebraic import Rational, compare
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem, Start

_RTOL = 1e-11
_INSIDE_STEP = np.array([0.25, 0.5, 0.75])
_LATER = 1.2


@dataclass(frozen=True, eq=False)
class Threshold:
    """A start (start_fast, y) on the stable manifold of a saddle, or on an unstable cycle, where the fate changes.

    Attributes
    ----------
    y : float
        Slow coordinate of the start.
    saddle : SpecialPoint or CycleWall
        The saddle whose stable manifold it is on, or the unstable limit cycle.
    below, above : str
        Fates of the starts just below and just above y.
    below_node, above_node : str
        Ids of the points where they end.
    singular : float or None
        The boundary of the singular limit that it tends to as slow_rate -> 0, None where there is none.
    first_order : float or None
        That boundary with the correction of first order in the slow rate, None where the law is another.
    note : str
        What limits the threshold, or why there is no `singular` or `first_order`, in words.
    """

    y: float
    saddle: SpecialPoint | CycleWall
    below: str
    above: str
    below_node: str
    above_node: str
    singular: float | None
    first_order: float | None
    note: str

    @property
    def where(self) -> str:
        """What parts the fates, in words."""
        return threshold_on(self.saddle.id)


def threshold_on(id: str) -> str:
    """Return what parts the fates at a threshold, in words, from the id of its saddle or cycle."""
    return f"unstable cycle {id}" if id.startswith("C") else f"stable manifold of {id}"


@dataclass(frozen=True, eq=False)
class LineOfStarts:
    """The starts (start_fast, y) of the full system by their fates.

    Attributes
    ----------
    thresholds : tuple of Threshold
        In order of y.
    basins : tuple of Basin
        Open intervals of one fate, in order of y.
    """

    thresholds: tuple[Threshold, ...]
    basins: tuple[Basin, ...]


@dataclass(frozen=True, eq=False)
class _Crossing:
    """The place y where a stable half meets the line of starts for the `order`-th time on its way back.

    `order` is None where the saddle itself is on the line.
    """

    y: float
    half: Separatrix
    order: int | None


def thresholds(system: FastSlowSystem | Settling | str) -> tuple[Threshold, ...]:
    """Return the starts (start_fast, y) at which the fate in the full system changes, in order of y."""
    settling = system if isinstance(system, Settling) else Settling(critical_manifold(system_of(system)))
    forward, backward = Forward(settling.manifold), Backward(settling.manifold)
    halves, cycles = separatrices(forward, backward), cycles_of(settling.manifold).cycles
    return line_of_starts(settling, forward, backward, halves, basins_of(settling.flow), cycles=cycles).thresholds


def line_of_starts(
    settling: Settling,
    forward: Forward,
    backward: Backward,
    halves: Sequence[Separatrix],
    singular: Sequence[Basin],
    known: Sequence[Trajectory] = (),
    cycles: Sequence[LimitCycle] = (),
) -> LineOfStarts:
    """Return basins and thresholds of the full system on the line of starts.

    In the plane, basins on the line of starts are bounded by W^s(saddle) and that line. The stable manifold is
    followed backwards in time from the saddle along its stable eigenvector; backwards it attracts, so the crossing
    is as exact as the integration (relative 1e-12 where it is not tangent). Of each interval in between, one start
    is followed to its fate, and more where the singular limit has boundaries.

    Parameters
    ----------
    settling, forward : Settling and Forward
        Follow the starts: the second one first, it knows more ways to infinity.
    backward : Backward
        Follows the orbits that touch the window's edge.
    halves : sequence of Separatrix
        All halves, the unstable ones to check the fates with.
    singular : sequence of Basin
        The basins of the singular limit, to tell which of its boundaries the thresholds tend to.
    known : sequence of Trajectory
        Starts whose fates are known already; an interval with one of them needs no other.
    cycles : sequence of LimitCycle
        The limit cycles: unstable ones part the starts inside them from those outside.
    """
    stable = [half for half in halves if half.kind == "stable"]
    crossings = [c for half in (*stable, *edge_orbits(settling, backward)) for c in _crossings(settling, half)]
    crossings += _saddles_on_line(settling, stable)
    bottom, top = settling.system.slow_ends
    crossings = sorted((c for c in crossings if bottom < c.y < top), key=lambda c: c.y)
    rounds = [wall for wall in cycle_walls(settling.system, cycles) if bottom < wall.y < top]
    heights = [*(c.y for c in crossings), *(wall.y for wall in rounds)]
    intervals = intervals_between(settling, forward, heights, singular, known)
    found = [
        threshold
        for crossing in crossings
        if crossing.half.saddle.is_a(Kind.EQUILIBRIUM)
        and (threshold := _threshold(settling, backward, halves, singular, intervals, crossing)) is not None
    ]
    found += [threshold for wall in rounds if (threshold := _on_cycle(wall, intervals)) is not None]
    return LineOfStarts(tuple(sorted(found, key=lambda t: t.y)), merged(settling.system, intervals))


def _on_cycle(wall: CycleWall, intervals: list[Basin]) -> Threshold | None:
    below = next(b for b in intervals if b.high == wall.y)
    above = next(b for b in intervals if b.low == wall.y)
    if same_fate(below, above):
        return None
    fates = (below.verdict, above.verdict, below.destination, above.destination)
    return Threshold(wall.y, wall, *fates, None, None, "the cycle parts starts inside it from starts outside")


def _threshold(
    settling: Settling,
    backward: Backward,
    halves: Sequence[Separatrix],
    singular: Sequence[Basin],
    intervals: list[Basin],
    crossing: _Crossing,
) -> Threshold | None:
    """Return the threshold at a crossing, None where the fate is the same on both sides."""
    saddle = crossing.half.saddle
    below = next(b for b in intervals if b.high == crossing.y)
    above = next(b for b in intervals if b.low == crossing.y)
    notes = []
    expected = _ends_beside(halves, saddle)
    if expected is not None and {below.destination, above.destination} != expected:
        distance = BESIDE * (abs(crossing.y) or typical_height(settling.manifold))
        beside = (Fraction(crossing.y + s * distance) for s in (-1.0, 1.0))
        runs = (settling.run(Start(settling.system.start_fast, y)) for y in beside)
        near = [Basin(crossing.y, crossing.y, *fate(settling.system, run)) for run in runs]
        thin = any(basin.high - basin.low < distance for basin in (below, above))
        if thin or (same_fate(near[0], below) and same_fate(near[1], above)):
            # Orbits that follow one repelling arc backward come exponentially close to each other.
            notes.append(f"another boundary is nearer to it than {BESIDE:g} of its size")
        else:
            notes.append("farther away the fate is another: a boundary that is no stable manifold lies in between")
        below, above = near
    if same_fate(below, above):
        return None
    limit = singular_crossing(backward.flow, crossing.half, crossing.order)
    notes.insert(0, limit.note)
    if limit.y is not None and any(_inside(b, limit.y) and not b.verdict.startswith(LEAVES) for b in singular):
        notes.append("the fate does not change there in the singular limit")
    return Threshold(
        crossing.y,
        saddle,
        below.verdict,
        above.verdict,
        below.destination,
        above.destination,
        limit.y,
        limit.first_order,
        "; ".join(notes),
    )


def _inside(basin: Basin, y: float) -> bool:
    """Whether y lies between the ends of a basin, and is none of them but for rounding."""
    return basin.low < y < basin.high and not any(math.isclose(y, v, rel_tol=1e-12) for v in (basin.low, basin.high))


def _ends_beside(halves: Sequence[Separatrix], saddle: SpecialPoint) -> set[str] | None:
    """Return the ids of the points where orbits on either side of W^s(saddle) end, None where not all are known.

    Orbits beside the stable manifold follow a half of the unstable one; beside a saddle-node, one side ends there.
    """
    own = [half for half in halves if half.saddle is saddle and half.kind == "unstable"]
    ends = {half.end.id for half in own if half.end is not None}
    whole = len(own) == (2 if saddle.stability is Stability.SADDLE else 1) and all(half.end for half in own)
    if not whole:
        return None
    return ends if saddle.stability is Stability.SADDLE else ends | {saddle.id}


def parting_starts(settling: Settling) -> list[float]:
    """Return the starts y on orbits that can part fates: stable halves of saddles, and orbits that touch the window.

    Other boundaries are cycles, and slow manifolds that run to infinity.
    """
    backward = Backward(settling.manifold)
    halves = separatrices(settling, backward, "stable")
    crossings = [c for half in (*halves, *edge_orbits(settling, backward)) for c in _crossings(settling, half)]
    return sorted(crossing.y for crossing in (*crossings, *_saddles_on_line(settling, halves)))


def edge_starts(settling: Settling) -> list[float]:
    """Return the starts y of the orbits that touch the window's edge: they part those that leave it from others."""
    halves = edge_orbits(settling, Backward(settling.manifold))
    return [crossing.y for half in halves for crossing in _crossings(settling, half)]


def _saddles_on_line(settling: Settling, stable: Sequence[Separatrix]) -> list[_Crossing]:
    """Return the saddles that are on the line of starts, where their stable manifolds cross it."""
    system, found = settling.system, []
    line = Rational(system.start_fast)
    for point in settling.manifold.of_kind(Kind.EQUILIBRIUM):
        halves = [half for half in stable if half.saddle is point]
        if point.exact_x is None or compare(point.exact_x, line) != 0 or forbidden(system, point.y):
            continue
        if {half.start.fast > system.start_fast for half in halves} == {True, False}:
            found.append(_Crossing(point.y, halves[0], None))
    return found


def _crossings(settling: Settling, half: Separatrix) -> list[_Crossing]:
    """Return where a stable half meets the line of starts, in the order in which it does so backward in time."""
    system = settling.system
    times = _rough_times(system, half)
    chart = system.chart_of(half.start.fast, half.start.slow)
    if not len(times) or chart is None or chart != system.chart_of(system.start_fast, half.start.slow):
        return []
    x, y = float(half.start.fast), float(half.start.slow)
    height = abs(half.saddle.y) or typical_height(settling.manifold)
    field = system.field_parameters(chart, -1.0)
    pieces = in_pieces(
        field,
        chart.state_of(half.start.fast, half.start.slow),
        _LATER * float(times[-1]),
        rtol=_RTOL,
        atol=np.array([1e-16, 1e-16 * (1.0 if chart.slow else height)]),
        limits=limits(rates(system, x, y)[0]),
        output="final",
        events=section(field, float(system.start_fast), terminal=[len(times) == 1, False]),
    )
    found = []
    for order, hit in enumerate(h for piece in pieces for h in piece.events if h.index == 0):
        try:
            y = float(chart.from_state(hit.state)[1])
            system.check_start(Start(system.start_fast, Fraction(y)))
        except InputError:
            continue
        found.append(_Crossing(y, half, order))
    return found


def _rough_times(system: FastSlowSystem, half: Separatrix) -> NDArray[np.float64]:
    """Return the times at which the path of a half crosses the line of starts, within a quarter of a step.

    Between the steps x is Hermite's cubic, so that a crossing back and forth within one is seen.
    """
    path = half.trajectory
    if len(path.t) < 2:
        return np.empty(0)
    slope = -system.partial("f", 0, 0, path.x, path.y)  # backward in time
    step, s = np.diff(path.t)[:, None], _INSIDE_STEP
    a, b = path.x[:-1, None], path.x[1:, None]
    between = (
        a + (b - a) * s * s * (3 - 2 * s) + step * s * (1 - s) * (slope[:-1, None] * (1 - s) - slope[1:, None] * s)
    )
    x = np.concatenate((a, between), axis=1).ravel()
    t = (path.t[:-1, None] + step * np.array([0.0, *_INSIDE_STEP])).ravel()
    above = np.append(x, path.x[-1]) > float(system.start_fast)
    return np.asarray(np.append(t, path.t[-1])[1:][above[1:] != above[:-1]])
