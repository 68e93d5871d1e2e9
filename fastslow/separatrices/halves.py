"""Separatrices of the full system: the halves of the stable and unstable manifolds of its saddles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastslow.flow.singular_orbit import SingularFlow, SingularOrbit
from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.member_points import PointsOnly
from fastslow.manifold.on_line import touched_ends
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.centers import center_at
from fastslow.ode.clocks import in_pieces, joined
from fastslow.ode.integrate import Limits
from fastslow.ode.trajectories import Settling, Solver, Trajectory
from fastslow.separatrices.corners import corners_of
from fastslow.systems.chart import Chart
from fastslow.systems.system import FastSlowSystem, Start

_DEPARTURE = 1e-7
"""Distance from the saddle at which a half is begun, in units of the window and of the height; the error is quadratic
in it."""
_SHARE_OF_GAP = 1e-3
"""The same, as a share of the distance to the nearest other equilibrium, where that is less."""
_CENTER_DEPARTURE, _CENTER_SHARE = 1e-4, 1e-2
"""The same along a centre direction, where the flow is of higher order: outside what counts as settled."""
_TOUCH = 1e-12
"""Distance from the window's edge, in units of the window, at which an orbit counts as touching it."""
_VERTICAL, _AT_REST = 1e-9, 1e-6
_HORIZON, _FIRST_STEP = 1e15, 1e-2
"""The largest time followed and the first step, in units of 1 / the fastest rate at the beginning."""
_TO_LEAVE, _TO_SETTLE, _PATIENCE = 20.0, 1e3, 20.0
"""How long it may take to leave the saddle, in units of 1 / the slowest rate; how many times as long to settle, or
without an energy how many horizons."""
_FAR = 1e6
"""Size of the slow variable, in heights of the highest special point, beyond which a half comes from infinity."""

LEAVES = "leaves the window"

Half = Literal["stable", "unstable"]

_OPPOSITE = {
    FastStability.ATTRACTING: FastStability.REPELLING,
    FastStability.REPELLING: FastStability.ATTRACTING,
    Stability.STABLE: Stability.UNSTABLE,
    Stability.UNSTABLE: Stability.STABLE,
}


@dataclass(frozen=True, eq=False)
class Separatrix:
    """One half of the stable or unstable manifold of a saddle (or of a degenerate equilibrium that has one).

    Attributes
    ----------
    saddle : SpecialPoint
        The equilibrium; of an orbit that touches the window's edge, where it does.
    kind : "stable" or "unstable"
        Stable halves are followed backward in time, unstable ones forward.
    side : int
        1 where it leaves the saddle to larger x (to larger y where it is vertical), else -1.
    start : Start
        The point beside the saddle at which it is begun.
    trajectory : Trajectory
        From `start` on; of a stable half, in the time-reversed system.
    """

    saddle: SpecialPoint
    kind: Half
    side: int
    start: Start
    trajectory: Trajectory = field(repr=False)

    @property
    def end(self) -> SpecialPoint | None:
        """Where it goes to, or comes from; None where that is no special point or is not known."""
        return None if self.trajectory.undecided else self.trajectory.node

    @property
    def verdict(self) -> str:
        """What becomes of it in words, for a stable half backward in time."""
        return self.trajectory.verdict

    def path(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (x, y) along it from the saddle on."""
        x, y = self.trajectory.x, self.trajectory.y
        return np.concatenate(([self.saddle.x], x)), np.concatenate(([self.saddle.y], y))


class Forward(Settling):
    """Follows points beside equilibria forward in time.

    The first step and the horizon are in units of the rates there: an L-stable method that begins beside a saddle
    with a step many times longer than 1 / rate would damp the motion away from it, and see no error.
    """

    def __init__(self, manifold: CriticalManifold, *, rtol: float = 1e-9) -> None:
        super().__init__(manifold, rtol=rtol)
        self.tails += corners_of(manifold)

    def run(self, start: Start) -> Trajectory:
        """Integrate until it is known where the orbit ends, or until it is beyond all special points."""
        chart = self.system.chart_of(start.fast, start.slow)
        if chart is None or start.slow in self.system.slow_lines:
            return self._along_the_line(start, chart)
        result = self._decided_at_once(start, chart) or self._followed(start, chart)
        if result.node is not None or result.verdict.startswith(LEAVES):
            return result
        result = self._at_rest(result) or self._to_infinity(result)
        return self._along_slow_manifold(result) if result.undecided else result

    def _attempt(
        self, start: Start, chart: Chart, solver: Solver, patience: float = 1.0, *, rtol: float | None = None
    ) -> Trajectory:
        x, y = float(start.fast), float(start.slow)
        rtol = rtol or self.rtol
        fast, slow = rates(self.system, x, y)
        leaving = _TO_LEAVE / slow if slow else 0.0
        end = patience * self.horizon + leaving
        if self.system.energy_polynomial is not None:
            end = _HORIZON / fast + _TO_SETTLE * leaving
        field, events = self.equations(chart)
        state = chart.state_of(start.fast, start.slow)
        pieces = in_pieces(
            field,
            state,
            end,
            rtol=rtol,
            atol=1e-3 * rtol * np.array([1.0, 1.0 if chart.slow else abs(y) or 1.0]),
            events=events,
            limits=limits(fast, growth=(1e300, max(_FAR * self._height, 2.0 * abs(state[1])))),
            solver=solver,
        )
        return self._judged(start, chart, joined(pieces), solver)

    @cached_property
    def _height(self) -> float:
        return max((abs(p.y) for p in self.manifold.points if math.isfinite(p.y)), default=0.0) or 1.0

    def _at_rest(self, result: Trajectory) -> Trajectory | None:
        """Name the equilibrium that a trajectory came to and that is no target, as on a line y = const of f = 0."""
        x, y = result.end
        width = float(self.system.upper - self.system.lower)
        for point in self.manifold.of_kind(Kind.EQUILIBRIUM):
            near = math.hypot((x - point.x) / width, (y - point.y) / self._height) <= _AT_REST
            if near and point.stability is Stability.STABLE:
                return replace(result, verdict=self.flow.fate_of(point), node=point, end=(point.x, point.y))
        return None

    def _to_infinity(self, result: Trajectory) -> Trajectory:
        """Name the infinity of a trajectory with very large y: the one it is nearest to."""
        x, y = result.end
        ends = [p for p in self.manifold.of_kind(Kind.INFINITY) if p.y * y > 0]
        if abs(y) < _FAR * self._height or not ends:
            return result
        node = min(ends, key=lambda p: abs(p.x - x))
        proof = f"{self.system.slow[0]} passed {_FAR:g} times the height of every special point"
        return replace(result, verdict=self.flow.fate_of(node), node=node, end=(node.x, node.y), proof=proof)


class Backward(Forward):
    """Follows points of a system backward in time to where they come from."""

    def __init__(self, manifold: CriticalManifold, *, rtol: float = 1e-9) -> None:
        super().__init__(time_reversed(manifold), rtol=rtol)


def fate(system: FastSlowSystem, result: Trajectory | SingularOrbit) -> tuple[str, str]:
    """Return the verdict, with the edge where the window is left, and the id of the point where an orbit ends."""
    if result.verdict.startswith(LEAVES):
        number = 0 if result.verdict.endswith(f" {system.fast[0]}") else 1
        low, high = (float(system.lower), float(system.upper)) if number == 0 else system.slow_ends
        upper = result.end[number] > (low + high) / 2
        return f"{result.verdict} at its {'upper' if upper else 'lower'} edge", ""
    return result.verdict, result.node.id if result.node is not None and not result.undecided else ""


def time_reversed(manifold: CriticalManifold) -> CriticalManifold:
    """Return the critical manifold of the system with time reversed: x' = -f, y' = -slow_rate g.

    The curves and points are the same, with the same ids; stabilities and slow directions are opposite.
    """
    system = manifold.system
    reversed_system = system.time_reversed()
    points = {id(point): _reversed_point(point) for point in manifold.points}
    if isinstance(manifold, PointsOnly):
        return PointsOnly(reversed_system, tuple(points.values()))

    def turned(arc: Arc) -> Arc:
        stability = FastStability(_OPPOSITE.get(arc.stability, arc.stability))
        start, end = points[id(arc.start)], points[id(arc.end)]
        return replace(arc, stability=stability, flow=-arc.flow, start=start, end=end)

    branches = tuple(replace(b, arcs=tuple(turned(arc) for arc in b.arcs)) for b in manifold.branches)
    return replace(manifold, system=reversed_system, branches=branches, points=tuple(points.values()))


def _reversed_point(point: SpecialPoint) -> SpecialPoint:
    if point.stability is None:
        return point
    stability = Stability(_OPPOSITE.get(point.stability, point.stability))
    return replace(point, stability=stability, eigenvalues=tuple(-value for value in point.eigenvalues))


def separatrices(settling: Settling, backward: Backward, only: Half | None = None) -> tuple[Separatrix, ...]:
    """Return every half of a stable or unstable manifold (or of one kind only) that leaves an equilibrium.

    These are the four halves of a saddle; the two strong halves of an equilibrium with one zero eigenvalue, and
    those of its centre manifold that are unique. Halves that lie on an invariant line x = const are left out.
    """
    result = []
    for point in settling.manifold.of_kind(Kind.EQUILIBRIUM):
        for kind, side, start in departures(settling.flow, point):
            if only not in (None, kind):
                continue
            run = settling.run if kind == "unstable" else backward.run
            result.append(Separatrix(point, kind, side, start, run(start)))
    return tuple(result)


def edge_orbits(settling: Settling, backward: Backward) -> tuple[Separatrix, ...]:
    """Return the orbits that touch an edge of the window from inside, followed backward in time from there.

    They part the starts that leave the window from those that do not. Where the window is invariant there are none.
    """
    system, found = settling.system, []
    for point in (*settling.manifold.of_kind(Kind.BOUNDARY), *touched_ends(system)):
        touched = touched_from_inside(system, point)
        if touched is None:
            continue
        across, inward = touched
        ends = (float(system.lower), float(system.upper)) if across == 0 else system.slow_ends
        step = np.zeros(2)
        step[across] = inward * _TOUCH * (ends[1] - ends[0])
        start = _beside(system, point, step)
        if start is not None:
            found.append(Separatrix(point, "stable", int(inward), start, backward.run(start)))
    return tuple(found)


def touched_from_inside(system: FastSlowSystem, point: SpecialPoint) -> tuple[int, float] | None:
    """Return the variable that is fixed on the edge at a point of it, and the side that is inside.

    None where orbits touch the edge there from outside.
    """
    across = 0 if point.x in (float(system.lower), float(system.upper)) else 1
    ends = (float(system.lower), float(system.upper)) if across == 0 else system.slow_ends
    inward = 1.0 if (point.x, point.y)[across] == ends[0] else -1.0
    # On f = 0 at an edge of x the solution has x'' = slow_rate f_y g, on g = 0 at one of y y'' = slow_rate g_x f.
    turn = float(system.partial("fg"[across], across, 1 - across, point.x, point.y))
    inside = inward * turn * (system.g if across == 0 else system.f)(point.x, point.y) > 0.0
    return (across, inward) if inside else None


def departures(flow: SingularFlow, point: SpecialPoint) -> Iterator[tuple[Half, int, Start]]:
    """Yield kind, side and beginning of each half of an equilibrium."""
    system = flow.system
    if point.stability not in (Stability.SADDLE, Stability.CENTER) or any(v.imag for v in point.eigenvalues):
        return
    unit, gap = surroundings(flow, point)
    for value in sorted((v.real for v in point.eigenvalues if v.real), reverse=True):
        direction = eigenvector(system, point, value, unit)
        if abs(direction[0]) <= _VERTICAL * unit[0] and _on_fast_line(point):
            continue  # along the line, where the flow is known exactly
        for side in (1, -1):
            start = _beside(system, point, side * min(_DEPARTURE, _SHARE_OF_GAP * gap) * direction)
            if start is not None:
                yield "unstable" if value > 0.0 else "stable", side, start
    if point.stability is Stability.CENTER:
        yield from _center_departures(flow, point, unit, gap)


def _center_departures(
    flow: SingularFlow, point: SpecialPoint, unit: NDArray[np.float64], gap: float
) -> Iterator[tuple[Half, int, Start]]:
    """Yield the halves of the centre manifold that are unique: outgoing where the other eigenvalue attracts."""
    center = center_at(flow, point)
    if center is None:
        return
    direction = eigenvector(flow.system, point, 0.0, unit)
    along = 1 if float(center.w @ direction) > 0.0 else -1
    for half in center.arcs:
        leaves, side = center.leaves(half), half * along
        start = _beside(flow.system, point, side * min(_CENTER_DEPARTURE, _CENTER_SHARE * gap) * direction)
        if start is not None and leaves == (center.strong < 0.0):
            yield "unstable" if leaves else "stable", side, start


def surroundings(flow: SingularFlow, point: SpecialPoint) -> tuple[NDArray[np.float64], float]:
    """Return the units of x and y near an equilibrium, and the distance to the nearest other one in these units."""
    system = flow.system
    unit = np.array([float(system.upper - system.lower), abs(point.y) or typical_height(flow.manifold)])
    others = [p for p in flow.manifold.of_kind(Kind.EQUILIBRIUM) if p is not point]
    gaps = (math.hypot((p.x - point.x) / unit[0], (p.y - point.y) / unit[1]) for p in others)
    return unit, min(gaps, default=1.0)


def typical_height(manifold: CriticalManifold) -> float:
    """Return a scale of the slow variable: the median of |y| over the special points that are not at zero."""
    heights = sorted(abs(p.y) for p in manifold.points if p.y and math.isfinite(p.y))
    return heights[len(heights) // 2] if heights else 1.0


def eigenvector(
    system: FastSlowSystem, point: SpecialPoint, value: float, unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the eigenvector of the Jacobian, of length one in the units of x and y, to larger x (or y)."""
    jacobian = system.jacobian(point.x, point.y) * unit / unit[:, None]
    (a, b), (c, d) = jacobian
    rows = np.array([[b, value - a], [value - d, c]])
    vector = max(rows, key=lambda row: float(np.hypot(*row)))
    vector = vector / np.hypot(*vector)
    up = vector[0] > 0.0 or (vector[0] == 0.0 and vector[1] > 0.0)
    return np.asarray((vector if up else -vector) * unit)


def limits(rate: float, growth: tuple[float, float] = (np.inf, np.inf)) -> Limits:
    """Return the limits of the way from a saddle, with a first step in units of 1 / the fastest rate there."""
    return Limits(max_steps=100_000, first_step=_FIRST_STEP / rate, growth=np.array(growth))


def rates(system: FastSlowSystem, x: float, y: float) -> tuple[float, float]:
    """Return the larger and the smaller modulus of the eigenvalues of the Jacobian."""
    (a, b), (c, d) = system.jacobian(x, y)
    half, determinant = (a + d) / 2, a * d - b * c
    root = np.sqrt(complex(half * half - determinant))
    larger = float(max(abs(half + root), abs(half - root))) or 1.0
    return larger, abs(float(determinant)) / larger


def _beside(system: FastSlowSystem, point: SpecialPoint, step: NDArray[np.float64]) -> Start | None:
    """Return the start at `step` from a point, None outside the window."""
    start = Start(Fraction(point.x + float(step[0])), Fraction(point.y + float(step[1])))
    low, high = system.slow_ends
    inside = system.lower <= start.fast <= system.upper and low <= start.slow <= high
    return start if inside else None


def _on_fast_line(point: SpecialPoint) -> bool:
    return any(curve.shape is Shape.FAST_LINE for curve in point.curves)
