"""Direct integration of the full system from a start to where it settles, or until its tail is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.core.settling import settling_events
from fastslow.flow.integrate import EventSet, Limits, integrate
from fastslow.flow.solution import Solution, Status
from fastslow.manifold.algebraic import nearest_double, real_roots
from fastslow.manifold.critical_manifold import Arc, CriticalManifold, FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.systems.polynomials import by_slow_power
from fastslow.systems.system import FastSlowSystem, Start

Solver = Literal["rodas5p", "LSODA", "Radau"]

_NEAR = 1e-6
"""Size of the neighbourhood of an attracting equilibrium in which a trajectory counts as settled."""
_HORIZON = 1e15
_OSCILLATION_TIME = 8.0
"""How long, in slow time, a trajectory of a system without energy is followed before it is called undecided."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A solution of the full system from a start.

    Attributes
    ----------
    start : Start
        The exact start.
    t, x, y : ndarray
        Times and states, one for each accepted step.
    verdict : str
        The fate, or "undecided: ..." with the reason.
    node : SpecialPoint or None
        Where it ends.
    end : tuple of float
        The limit (x, y); y infinite where the tail to infinity is proved.
    final_time : float
        Time at which the fate was known.
    solver : str
        The method that gave the result.
    proof : str
        Why the fate is known.
    """

    start: Start
    t: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    verdict: str
    node: SpecialPoint | None
    end: tuple[float, float]
    final_time: float
    solver: str
    proof: str
    system: FastSlowSystem = field(repr=False)

    @property
    def undecided(self) -> bool:
        """Whether the integration gave no verdict."""
        return self.verdict.startswith("undecided")

    @cached_property
    def time_scale_ratio(self) -> NDArray[np.float64]:
        """|lambda_s / lambda_f| at each point: eigenvalues of the Jacobian, smaller over larger modulus."""
        (a, b), (c, d) = self.system.jacobian(self.x, self.y)
        trace, determinant = a + d, a * d - b * c
        root = np.sqrt((trace**2 / 4 - determinant).astype(np.complex128))
        larger = np.maximum(np.abs(trace / 2 + root), np.abs(trace / 2 - root))
        # The product of both is the determinant: no cancellation in the smaller one.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(determinant) / larger**2
        return np.asarray(np.where(larger > 0, np.minimum(ratio, 1.0), 1.0))

    @property
    def energy(self) -> NDArray[np.float64] | None:
        """The energy of the model at each point, None where it has none."""
        return self.system.energy(self.x, self.y)


@dataclass(frozen=True)
class _Tail:
    """The region beside an attracting arc to infinity that no solution leaves.

    Next to a pole let |h| and |G| fall away from the pole, where y = h(x) is the arc and y = G(x) the curve
    g = 0, and let no special point lie nearer to the pole than `last`. On h = y the field points to larger
    |y|, on G = y towards the pole, and in between both: every solution that enters leaves to (pole, infinity).
    """

    pole: float
    side: float
    last: float
    sign: float
    node: SpecialPoint


class Settling:
    """Follows starts of one system to their fates, with the same equilibria and tails for all."""

    def __init__(self, manifold: CriticalManifold, *, rtol: float = 1e-9, solver: Solver = "rodas5p") -> None:
        self.manifold, self.system = manifold, manifold.system
        self.rtol, self.solver = rtol, solver
        kinds = (Stability.STABLE, Stability.CENTER)
        self.targets = [p for p in manifold.points if p.stability in kinds and not _on_slow_line(p)]
        self.tails = [tail for arc in manifold.arcs if (tail := _tail_of(self.system, arc)) is not None]
        self.exits = not self.system.invariant_window

    @cached_property
    def _event_parameters(self) -> NDArray[np.float64]:
        rows: list[float] = []
        for point in self.targets:
            rows += [point.x, point.y, *self._neighbourhood(point)]
        for tail in self.tails:
            rows += [tail.pole, tail.side, tail.last, tail.sign]
        edges = [float(self.system.lower), float(self.system.upper)] if self.exits else []
        head = [len(self.targets), len(self.tails), float(self.exits), 4 + len(rows) + len(edges)]
        return np.array([*map(float, head), *rows, *edges, *self.system.field_parameters])

    def _neighbourhood(self, point: SpecialPoint) -> tuple[float, float]:
        width = float(self.system.upper - self.system.lower)
        height = abs(point.y) if point.y else 1.0
        size = _NEAR
        for other in self.manifold.of_kind(Kind.EQUILIBRIUM):
            if other is not point:
                away = math.hypot((other.x - point.x) / width, (other.y - point.y) / height)
                size = min(size, max(1e-3 * away, 1e-14))
        return size * width, size * height

    @cached_property
    def _events(self) -> EventSet:
        count = len(self.targets) + len(self.tails) + 2 * int(self.exits)
        return EventSet(
            settling_events,
            count,
            directions=[-1] * count,
            terminal=[True] * count,
            tolerance=0.0,
            parameters=self._event_parameters,
        )

    @property
    def horizon(self) -> float:
        """The largest time followed."""
        rate = float(self.system.slow_rate)
        has_energy = self.system.energy(np.zeros(1), np.zeros(1)) is not None
        return _HORIZON / min(rate, 1.0) if has_energy else _OSCILLATION_TIME * self._slow_time()

    def _slow_time(self) -> float:
        heights = [abs(p.y) for p in self.manifold.points if math.isfinite(p.y)]
        return max(1.0, *heights, 1.0) / float(self.system.slow_rate)

    def run(self, start: Start) -> Trajectory:
        """Integrate from a start until its fate is known.

        Rodas5P first; where it fails LSODA and then Radau (scipy) take over.
        """
        self.system.check_start(start)
        solvers: list[Solver] = [self.solver, *(s for s in ("LSODA", "Radau") if s != self.solver)]
        result = None
        for solver in solvers:
            result = self._attempt(start, solver)
            if not result.undecided or result.proof == "time":
                return result
        assert result is not None
        return result

    def _attempt(self, start: Start, solver: Solver) -> Trajectory:
        x, y = float(start.fast), float(start.slow)
        u = np.array([float(self.system.to_chart(x)), y])
        if not np.all(np.isfinite(u)):
            return self._on_invariant_line(start)
        solution = integrate(
            polynomial_field,
            self.system.field_parameters,
            u,
            (0.0, self.horizon),
            rtol=self.rtol,
            atol=np.array([1e-3 * self.rtol, 1e-3 * self.rtol]),
            events=self._events,
            limits=Limits(max_steps=200_000, growth=np.array([1e300, 1e14])),
            solver=solver,
        )
        return self._judged(start, solution, solver)

    def _on_invariant_line(self, start: Start) -> Trajectory:
        x, y = float(start.fast), float(start.slow)
        text = "undecided: the start lies on an invariant line, which the integration would never leave"
        return Trajectory(
            start, np.zeros(1), np.array([x]), np.array([y]), text, None, (x, y), 0.0, "none", "time", self.system
        )

    def _judged(self, start: Start, solution: Solution, solver: Solver) -> Trajectory:
        t, x, y = solution.t, self.system.from_chart(solution.u[:, 0]), solution.u[:, 1]
        end = (float(x[-1]), float(y[-1]))
        node: SpecialPoint | None = None
        proof = ""
        if solution.status is Status.EVENT:
            hit = next(
                e for e in reversed(solution.events) if e.time == solution.final_time or e is solution.events[-1]
            )
            verdict, node, end, proof = self._fate_of_event(hit.index, end)
        elif solution.status is Status.DONE:
            verdict, proof = self._long_run(t, y), "time"
        else:
            verdict = f"undecided: {solution.sentence}"
        return Trajectory(start, t, x, y, verdict, node, end, float(solution.final_time), solver, proof, self.system)

    def _fate_of_event(
        self, index: int, end: tuple[float, float]
    ) -> tuple[str, SpecialPoint | None, tuple[float, float], str]:
        if index < len(self.targets):
            point = self.targets[index]
            named = self.system.fate(point.x, point.y) or f"settles at {point.id}"
            return named, point, (point.x, point.y), f"within {_NEAR:g} of the equilibrium {point.id}"
        if index < len(self.targets) + len(self.tails):
            tail = self.tails[index - len(self.targets)]
            point = tail.node
            fate = self.system.fate(point.x, point.y)
            named = fate or f"leaves to {self.system.slow[0]} = {'+' if point.y > 0 else '-'}infinity"
            return named, point, (point.x, point.y), "inside the region next to the pole that no solution leaves"
        return f"leaves the window of {self.system.fast[0]}", None, end, "left the window"

    def _long_run(self, t: NDArray[np.float64], y: NDArray[np.float64]) -> str:
        """Name a trajectory that never settled: an oscillation if the last peaks of y agree, else undecided."""
        inner = (y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:])
        peaks = y[1:-1][inner]
        spread = np.ptp(y[len(y) // 2 :])
        if len(peaks) >= 4 and spread > 0 and np.ptp(peaks[-3:]) <= 1e-3 * spread:
            return "relaxation oscillation"
        return f"undecided: not settled by t = {t[-1]:.3g}"


def _on_slow_line(point: SpecialPoint) -> bool:
    return all(curve.shape is Shape.SLOW_LINE for curve in point.curves)


def _tail_of(system: FastSlowSystem, arc: Arc) -> _Tail | None:
    """Return the region next to the pole that an attracting arc runs to, None where there is none."""
    node = arc.target
    if arc.curve.shape is not Shape.GRAPH or arc.flow == 0 or node.kind is not Kind.INFINITY:
        return None
    g = by_slow_power(system.slow_field)
    if arc.stability is not FastStability.ATTRACTING or len(g) != 2:
        return None
    last, side = arc.other_end(node).x, 1.0 if arc.other_end(node).x > node.x else -1.0
    # G = -g_0 / g_1 must be regular and monotone between the pole and `last`.
    for p in (g[1], g[0].derivative() * g[1] - g[0] * g[1].derivative()):
        for root in real_roots(p, system.lower, system.upper) if p.degree() > 0 else []:
            x = nearest_double(root)
            if side * (x - node.x) > 0 and side * (last - x) > 0:
                last = x
    return _Tail(node.x, side, last, math.copysign(1.0, node.y), node)
