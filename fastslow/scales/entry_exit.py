"""Delayed loss of stability along an invariant line, as it is predicted and as it is seen in the full system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastslow.errors import InputError
from fastslow.flow.delay import exit_height
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow, SingularOrbit
from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.ode.event_sets import section
from fastslow.ode.paths import Path, follow
from fastslow.ode.trajectories import Settling
from fastslow.systems.algebraic import Rational
from fastslow.systems.exact import Real, exact
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

_DISTANCE = 1e-3
_PATIENCE = 4
"""The fate may be known while a solution is still beside the line: it is followed so many times longer."""


@dataclass(frozen=True, eq=False)
class Passage:
    """A passage along an invariant line x = const over the point where it begins to repel.

    Attributes
    ----------
    line : float
        The constant of the line.
    crossing : SpecialPoint
        Where the line begins to repel; without the delay the solution would leave it there.
    distance : float
        |x - line| at which the solution counts as come or gone.
    entry, exit : tuple of float
        (t, y) where the full system comes and goes; exit is None where it had not gone when the run ended.
    predicted : float or None
        Exit for the entry that was seen, by the entry-exit relation; it differs from the exit seen by
        the order of distance * slow_rate. None where the integral never returns to zero.
    singular : tuple of float or None
        (entry, exit) of the singular orbit, which comes to the line at frozen y; it differs from what is seen by the
        order of slow_rate. None where the singular orbit does not pass there.
    """

    line: float
    crossing: SpecialPoint
    distance: float
    entry: tuple[float, float]
    exit: tuple[float, float] | None
    predicted: float | None
    singular: tuple[float, float] | None

    @property
    def error(self) -> float | None:
        """Exit seen minus exit predicted from the entry seen."""
        return None if self.exit is None or self.predicted is None else self.exit[1] - self.predicted

    def document(self) -> dict[str, Any]:
        """Return the passage as plain data for JSON."""
        return {
            "line": self.line,
            "crossing": self.crossing.id,
            "distance": self.distance,
            "entry": list(self.entry),
            "exit": None if self.exit is None else list(self.exit),
            "predicted": self.predicted,
            "error": self.error,
            "singular": None if self.singular is None else list(self.singular),
        }


def entry_exit(
    system: FastSlowSystem | CriticalManifold | str,
    start: Start | Real | tuple[Real, Real],
    tau: Real | None = None,
    *,
    distance: Real = _DISTANCE,
) -> tuple[Passage, ...]:
    """Return the passages along invariant lines of the solution from a start, in order of time.

    The solution is followed in the coordinate that puts the line at infinity, so it may come as near as
    exp(-1 / slow_rate) without rounding onto the line. For each time that it comes within `distance` of a line
    where that attracts and drifts towards a point where it begins to repel, the exit is predicted by

        integral from y_in to y_out of f_x(x, y) / g(x, y) dy = 0.

    Parameters
    ----------
    system : FastSlowSystem, CriticalManifold or str
        The system that is followed, a preset or a file; its critical manifold, if one is at hand, saves time.
    start : Start, number or pair
        Not on an invariant line; a number is a slow coordinate on the line of starts.
    tau : number, optional
        Time to follow it for; until its fate is known, and some more, unless given.
    distance : number
        Where passages begin and end; positive, small against the distances between the branches.

    Raises
    ------
    InputError
        If the start lies on an invariant line, or an argument is not positive.

    References
    ----------
    Schecter, SIAM J. Math. Anal. 16 (1985) 1142; De Maesschalck, J. Differ. Equ. 244 (2008) 1448.
    """
    manifold = system if isinstance(system, CriticalManifold) else critical_manifold(system_of(system))
    system = manifold.system
    start = start_of(system, start)
    size = float(exact(distance, "distance"))
    if size <= 0.0:
        raise InputError("distance", size, "must be positive", "It is where a passage begins and ends")
    chart = system.chart_of(start.fast, start.slow)
    if chart is None:
        rule = "lies on an invariant line, which its solution never leaves"
        raise InputError(f"start {system.fast[0]}", float(start.fast), rule, "Start beside the line")
    lines = [line for line in chart.lines if any(_losses(manifold, float(line)))]
    if not lines:
        return ()
    if tau is None:
        tau = _PATIENCE * Settling(manifold).run(start).final_time
        if not tau:
            return ()  # its fate is known where it starts
    orbit = SingularFlow(manifold).orbit(start)
    passages: list[Passage] = []
    for line in lines:
        x = float(line)
        side = 1.0 if start.fast > line else -1.0
        path = follow(system, start, tau, events=section(system.field_parameters(chart), x + side * size))
        for entry, gone in _visits(path, x, side, size):
            passage = _passage(manifold, x, size, entry, gone, _of_orbit(orbit, x))
            if passage is not None:
                passages.append(passage)
    return tuple(sorted(passages, key=lambda passage: passage.entry[0]))


def _visits(
    path: Path, line: float, side: float, size: float
) -> Iterator[tuple[tuple[float, float], tuple[float, float] | None]]:
    """Yield (t, y) of each coming within `size` of a line and of the going after it, None where it stays."""
    entry = (0.0, float(path.y[0])) if side * (path.x[0] - line) < size else None
    for time, hit in path.events:
        if hit.index != 0:
            continue
        here = (time, float(path.chart.from_state(hit.state)[1]))
        if hit.direction * side < 0.0:
            entry = here
        elif entry is not None:
            yield entry, here
            entry = None
    if entry is not None:
        yield entry, None


def _losses(manifold: CriticalManifold, line: float) -> Iterator[tuple[Arc, Arc]]:
    """Yield the pairs of an attracting arc of a line and the repelling one that the slow flow goes on along."""
    arcs = [arc for arc in manifold.arcs if arc.curve.shape is Shape.FAST_LINE and arc.start.x == arc.end.x == line]
    for arc in arcs:
        if arc.stability is not FastStability.ATTRACTING or not arc.flow or arc.target.is_a(Kind.EQUILIBRIUM):
            continue
        for onward in arcs:
            goes_on = onward is not arc and onward.flow and onward.source is arc.target
            if goes_on and onward.stability is FastStability.REPELLING:
                yield arc, onward


def _passage(
    manifold: CriticalManifold,
    line: float,
    size: float,
    entry: tuple[float, float],
    gone: tuple[float, float] | None,
    singular: tuple[float, float] | None,
) -> Passage | None:
    """Return the passage of a visit, None where it came to the line where that does not attract or stays so."""
    y = Rational(exact(entry[1], "y"))
    for arc, onward in _losses(manifold, line):
        low, high = sorted((arc.source.y, arc.target.y))
        if not arc.spans(y):
            continue
        if gone is not None and low < gone[1] < high:
            return None  # it only grazed the line
        predicted = exit_height(manifold.system, onward, entry[1])
        of_orbit = singular if singular is not None and low <= singular[0] <= high else None
        return Passage(line, arc.target, size, entry, gone, predicted, of_orbit)
    return None


def _of_orbit(orbit: SingularOrbit, line: float) -> tuple[float, float] | None:
    """Return where a singular orbit comes to a line and leaves it after a delay."""
    for i, segment in enumerate(orbit.segments):
        if segment.delayed and segment.start[0] == line:
            before = orbit.segments[i - 1]
            entry = before.start[1] if before.kind is SegmentKind.SLOW else segment.start[1]
            return entry, segment.end[1]
    return None
