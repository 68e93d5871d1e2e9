"""Direct integration of the full system from a start to where it settles, or until its tail is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial_events import polynomial_events
from fastslow.flow.landing import fast_value
from fastslow.flow.line_orbits import PROOF, line_orbit
from fastslow.flow.relaxation import is_relaxation
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.flow.tails import Tail, tails_of
from fastslow.manifold.arcs import CriticalManifold, FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.centers import Center, center_at
from fastslow.ode.clocks import in_pieces, joined
from fastslow.ode.cycles import Turn, last_turns
from fastslow.ode.event_sets import settling
from fastslow.ode.integrate import EventSet, Limits
from fastslow.ode.solution import Solution, Status
from fastslow.ode.undivided import lost_line, told
from fastslow.systems.algebraic import Rational, compare
from fastslow.systems.chart import Chart, ChartKind
from fastslow.systems.system import FastSlowSystem, Start

Solver = Literal["rodas5p", "LSODA", "Radau"]

_NEAR = 1e-6
"""Size of the neighbourhood of an attracting equilibrium in which a trajectory counts as settled."""
HORIZON = 1e15
_SLOW_ENOUGH, _ON_ARC = 1e-6, 1e-4
"""Ratio of time scales, and relative distance to an arc, from which the slow flow takes over where time runs out."""
_OSCILLATION_TIME = 8.0
"""How long, in slow time, a trajectory of a system without energy is followed before it is called undecided."""
_PATIENCE, _MOST_PATIENCE = 20.0, 1000.0
"""How many times longer it is followed when it neither settled nor oscillated, at least and at most, ..."""
_FOLDINGS = 30.0
"""... so that a distance to an attracting equilibrium can shrink e^30 times."""
_MOST_DRIFTING, _BESIDE_LINE = 1e6, 1e-3
"""At most so many times longer while it drifts, in few steps: one way, or within this share of its height beside a line
y = const."""
_TIGHT = 1e-13
"""Tolerance where the errors of the first run leave the fate open, as beside canards."""
_REPEATS = 1e-2
"""Distance to a cycle or to an equilibrium, as a share of the size of a turn, at which it counts as reached."""


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

    @property
    def oscillates(self) -> bool:
        """Whether it goes to a cycle."""
        return self.verdict.endswith("oscillation")

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


class Settling:
    """Follows starts of one system to their fates, with the same equilibria and tails for all."""

    def __init__(self, manifold: CriticalManifold, *, rtol: float = 1e-9, solver: Solver = "rodas5p") -> None:
        self.manifold, self.system = manifold, manifold.system
        self.flow = SingularFlow(manifold)
        self.rtol, self.solver = rtol, solver
        kinds = (Stability.STABLE, Stability.CENTER)
        self.targets = [p for p in manifold.points if p.stability in kinds and not _on_slow_line(p)]
        # A degenerate equilibrium that repels in one direction is no place to end at.
        self.targets = [p for p in self.targets if all(v.real <= 0.0 for v in p.eigenvalues)]
        found = (center_at(self.flow, point) for point in self.targets)
        self.centers = {center.point.id: center for center in found if center is not None}
        self._beyond: dict[tuple[str, int], Trajectory | None] = {}
        tails = tails_of(manifold)
        # A tail to infinity ends a run; one to an equilibrium is asked only where the run did not get there.
        self.tails = [tail for tail in tails if tail.node.kind is Kind.INFINITY]
        self.funnels = [tail for tail in tails if tail.node.kind is not Kind.INFINITY]
        self.oscillations: list[tuple[Turn, str]] = []
        """The last turns of the runs that oscillate, with their verdicts."""
        self._equations: dict[Chart, tuple[NDArray[np.float64], EventSet | None]] = {}

    def equations(self, chart: Chart) -> tuple[NDArray[np.float64], EventSet | None]:
        """Return the parameters of the field in a chart, and the events that tell the fate of a trajectory."""
        if chart not in self._equations:
            field = self.system.field_parameters(chart)
            targets = [(point.x, point.y, *self._neighbourhood(point)) for point in self.targets]
            tails = [(t.x_end, t.side, t.last, t.sign, t.y_last, t.y_end) for t in self.tails]
            exits = self.system.edges if chart.kind is not ChartKind.BETWEEN or self.system.slow_window else ()
            self._equations[chart] = field, settling(field, targets, tails, exits, chart)
        return self._equations[chart]

    def _neighbourhood(self, point: SpecialPoint) -> tuple[float, float]:
        width = float(self.system.upper - self.system.lower)
        height = abs(point.y) if point.y else 1.0
        size = _NEAR
        for other in self.manifold.of_kind(Kind.EQUILIBRIUM):
            if other is not point:
                away = math.hypot((other.x - point.x) / width, (other.y - point.y) / height)
                size = min(size, max(1e-3 * away, 1e-14))
        return size * width, size * height

    @property
    def horizon(self) -> float:
        """The largest time followed."""
        rate = float(self.system.slow_rate)
        has_energy = self.system.energy_polynomial is not None
        return HORIZON / min(rate, 1.0) if has_energy else _OSCILLATION_TIME * self._slow_time()

    @property
    def patience(self) -> float:
        """How many times longer a run is followed that neither settled nor oscillated."""
        rates = [abs(value.real) for point in self.targets for value in point.eigenvalues if value.real]
        needed = _FOLDINGS / (min(rates) * self.horizon) if rates else 0.0
        return min(max(needed, _PATIENCE), _MOST_PATIENCE)

    def _slow_time(self) -> float:
        heights = [abs(p.y) for p in self.manifold.points if math.isfinite(p.y)]
        return max(1.0, *heights, 1.0) / float(self.system.slow_rate)

    def run(self, start: Start) -> Trajectory:
        """Integrate from a start until its fate is known.

        Rodas5P first; where it fails LSODA and then Radau (scipy) take over.
        """
        self.system.check_start(start)
        chart = self.system.chart_of(start.fast, start.slow)
        if chart is None or start.slow in self.system.slow_lines:
            return self._along_the_line(start, chart)
        at_once = self._decided_at_once(start, chart)
        if at_once is not None:
            return at_once
        solvers: list[Solver] = [self.solver, *(s for s in ("LSODA", "Radau") if s != self.solver)]
        result = self._followed(start, chart)
        if result.undecided and result.proof not in ("time", "steps", "errors", "weak"):
            others = (self._attempt(start, chart, solver) for solver in solvers[1:])
            result = next((other for other in others if not other.undecided), result)
        return self._along_slow_manifold(result) if result.undecided else result

    def _followed(self, start: Start, chart: Chart) -> Trajectory:
        """Integrate; without an energy also longer, and with a smaller tolerance, as far as either is needed."""
        patience, rtol = 1.0, self.rtol
        while True:
            result = self._attempt(start, chart, self.solver, patience, rtol=rtol)
            if self.system.energy_polynomial is not None or not result.undecided:
                return result
            if result.proof == "time" and patience < _PATIENCE:
                patience = self.patience
            elif result.proof == "time" and patience < _MOST_DRIFTING and self._drifts(result):
                patience *= _PATIENCE
            elif result.proof in ("errors", "weak") and rtol > _TIGHT:
                rtol = _TIGHT
            elif result.proof == "weak" and patience < _PATIENCE:
                patience = self.patience
            else:
                return result

    def _drifts(self, result: Trajectory) -> bool:
        """Whether y has lately gone one way, or along a line y = const, which takes as long as it has come near."""
        near = _BESIDE_LINE * min(1.0, float(np.ptp(result.y)))
        late = np.diff(result.y[result.t >= 0.5 * result.t[-1]])
        one_way = len(late) > 0 and bool((late > 0.0).all() or (late < 0.0).all())
        return one_way or any(abs(result.y[-1] - float(c)) <= near for c in self.system.slow_lines)

    def _along_slow_manifold(self, result: Trajectory) -> Trajectory:
        """Conclude a trajectory that is too slow to be integrated from where it is on the manifold.

        Where the fast rate is a million times the slow one and the state is on an attracting arc, it stays
        within order slow/fast of it (Fenichel) and follows the slow flow.
        """
        ratio = float(result.time_scale_ratio[-1])
        if len(result.t) < 2 or ratio > _SLOW_ENOUGH:
            return result
        x, y = result.end
        for arc in self.manifold.arcs:
            attracts = arc.stability is FastStability.ATTRACTING and arc.spans(Rational(Fraction(y)))
            if attracts and abs(fast_value(arc, y) - x) <= _ON_ARC * abs(x):
                rest = self.flow.drift_from(arc, x, y)
                proof = f"on the slow manifold from t = {result.t[-1]:.3g} on, where |λ_s/λ_f| = {ratio:.1g}"
                return replace(result, verdict=rest.verdict, node=rest.node, end=rest.end, proof=proof)
        return result

    def _attempt(
        self, start: Start, chart: Chart, solver: Solver, patience: float = 1.0, *, rtol: float | None = None
    ) -> Trajectory:
        y = float(start.slow)
        rtol = rtol or self.rtol
        height = max(abs(y), *(abs(p.y) for p in self.manifold.points if math.isfinite(p.y)), 1.0)
        field, events = self.equations(chart)
        state = chart.state_of(start.fast, start.slow)
        try:
            pieces = in_pieces(
                field,
                state,
                patience * self.horizon,
                rtol=rtol,
                atol=1e-3 * rtol * chart.units(y),
                events=events,
                limits=Limits(max_steps=100_000, growth=np.array([1e300, max(1e12 * height, 2.0 * abs(state[1]))])),
                solver=solver,
            )
        except ValueError as error:
            # scipy's event location gives up where an event function only touches zero.
            return self._at(start, f"undecided: {solver} failed ({error})", "")
        return self._judged(start, chart, joined(pieces), solver)

    def _at(
        self, start: Start, verdict: str, proof: str, node: SpecialPoint | None = None, solver: str = "none"
    ) -> Trajectory:
        """Return a trajectory that is only its start, and its limit at `node`."""
        x, y = float(start.fast), float(start.slow)
        end = (x, y) if node is None else (node.x, node.y)
        return Trajectory(
            start, np.zeros(1), np.array([x]), np.array([y]), verdict, node, end, 0.0, solver, proof, self.system
        )

    def _decided_at_once(self, start: Start, chart: Chart) -> Trajectory | None:
        """Return the trajectory of a start whose fate is known before any step, else None."""
        x, y = float(start.fast), float(start.slow)
        for point in self.manifold.of_kind(Kind.EQUILIBRIUM):
            if point.exact_x is not None and point.exact_y is not None and (point.x, point.y) == (x, y):
                same = compare(point.exact_x, Rational(start.fast)) == 0 == compare(point.exact_y, Rational(start.slow))
                if same and point.stability is not Stability.STABLE:
                    return self._at(start, f"undecided: at rest at the {point.stability} {point.id}", "at rest", point)
        if left := self.system.leaves_at_once(start):
            return self._at(start, f"leaves the window of {left}", "points out of the window")
        _, events = self.equations(chart)
        if events is not None:
            values = np.empty(events.count)
            polynomial_events(chart.state_of(start.fast, start.slow), np.asarray(events.parameters), values)
            inside = np.flatnonzero(values[: len(self.targets) + len(self.tails)] < 0.0)
            if len(inside):
                verdict, node, _, proof = self._fate_of_event(int(inside[0]), (x, y), x)
                return self._at(start, verdict, proof, node)
        return None

    def _along_the_line(self, start: Start, chart: Chart | None) -> Trajectory:
        """Return the trajectory of a start on an invariant line, where the singular limit is the full system."""
        orbit = line_orbit(self.flow, start)
        if orbit is None:
            return self._at(start, "undecided: at rest on an invariant line", "at rest")
        run = self._at(start, "", "") if chart is None else self._attempt(start, chart, self.solver)
        return replace(run, verdict=orbit.verdict, proof=PROOF, node=orbit.node, end=orbit.end)

    def _judged(self, start: Start, chart: Chart, solution: Solution, solver: Solver) -> Trajectory:
        t, (x, y) = solution.t, chart.from_state(solution.u)
        end = (float(x[-1]), float(y[-1]))
        node: SpecialPoint | None = None
        proof = ""
        if solution.status is Status.EVENT:
            verdict, node, end, proof = self._fate_of_event(solution.events[-1].index, end, float(start.fast))
        elif funnel := next((tail for tail in self.funnels if tail.holds(self.system, *end)), None):
            verdict, node, end, proof = self._fate_of_tail(funnel)
        elif solution.status in (Status.DONE, Status.MAX_STEPS) and self.system.energy_polynomial is None:
            verdict, node, proof = self._long_run(chart, solution)
            end = (node.x, node.y) if node is not None else end
        elif solution.status is Status.DONE:
            verdict, proof = f"undecided: not settled by t = {t[-1]:.3g}", "time"
        else:
            verdict = f"undecided: {solution.sentence}"
            proof = "steps" if solution.status is Status.MAX_STEPS else ""
        if (line := lost_line(self.system, x, y)) is not None:
            verdict, node, proof = f"undecided: {told(self.system, line)}", None, ""
        return Trajectory(start, t, x, y, verdict, node, end, float(solution.final_time), solver, proof, self.system)

    def _fate_of_event(
        self, index: int, end: tuple[float, float], came_from: float
    ) -> tuple[str, SpecialPoint | None, tuple[float, float], str]:
        if index < len(self.targets):
            point = self.targets[index]
            center = self.centers.get(point.id)
            if center is not None and center.leaves(side := center.side(*end, came_from)):
                return self._fate_beyond(center, side, end)
            named = self.flow.fate_of(point)
            return named, point, (point.x, point.y), f"within {_NEAR:g} of the equilibrium {point.id}"
        if index < len(self.targets) + len(self.tails):
            return self._fate_of_tail(self.tails[index - len(self.targets)])
        edge = self.system.edge_left(index - len(self.targets) - len(self.tails))
        return f"leaves the window of {edge}", None, end, "left the window"

    def _fate_beyond(
        self, center: Center, side: int, end: tuple[float, float]
    ) -> tuple[str, SpecialPoint | None, tuple[float, float], str]:
        run, id = self.beyond(center, side), center.point.id
        if run is None:
            return f"undecided: comes back to {id}", None, end, ""
        return run.verdict, run.node, run.end, f"leaves {id} along its centre manifold, and is then {run.proof}"

    def beyond(self, center: Center, side: int) -> Trajectory | None:
        """Return how it goes on on a side on which orbits leave an equilibrium; None while that is being found."""
        key = center.point.id, side
        if key not in self._beyond:
            self._beyond[key] = None
            width = float(self.system.upper - self.system.lower)
            x, y = center.on_arc(side, width, abs(center.point.y) or 1.0)
            self._beyond[key] = self.run(Start(Fraction(x), Fraction(y)))
        return self._beyond[key]

    def _fate_of_tail(self, tail: Tail) -> tuple[str, SpecialPoint, tuple[float, float], str]:
        point = tail.node
        named = self.flow.fate_of(point)
        return named, point, (point.x, point.y), f"inside the region towards {point.id} that no solution leaves"

    def _long_run(self, chart: Chart, solution: Solution) -> tuple[str, SpecialPoint | None, str]:
        """Name a trajectory that went on to the end: verdict, node and proof.

        It oscillates where the map of heights of one turn has an attracting fixed point beside it (Newton's method),
        and settles where that fixed point is the equilibrium in the middle.
        """
        field, _ = self.equations(chart)
        open_fate = f"undecided: not settled by t = {solution.t[-1]:.3g}", None, "time"
        if solution.status is Status.MAX_STEPS:
            open_fate = f"undecided: {solution.sentence}", None, "steps"
        for turn, next_turn in last_turns(self.system, chart, field, solution):
            allowed = _REPEATS * turn.height
            if not (turn.strayed <= _REPEATS and turn.uncertainty <= allowed):
                kind = "errors" if turn.strayed > _REPEATS else "weak"
                open_fate = f"undecided: {turn.doubt} at tolerance {solution.rtol:g}", None, kind
            elif abs(turn.to_limit) <= allowed:
                if turn.closes(next_turn):
                    return self._oscillation(turn), None, "the map of one turn contracts to a fixed point beside it"
            elif point := next((p for p in self.targets if turn.shrinks_to(p, allowed)), None):
                return self.flow.fate_of(point), point, f"the map of one turn contracts to {point.id}"
        return open_fate

    def _oscillation(self, turn: Turn) -> str:
        relaxes = self.relaxes(float(turn.x.min()), float(turn.x.max()))
        verdict = "relaxation oscillation" if relaxes else "small oscillation"
        self.oscillations.append((turn, verdict))
        return verdict

    def relaxes(self, low: float, high: float) -> bool:
        """Whether an oscillation over a range of x is a relaxation oscillation."""
        return is_relaxation(self.flow, low, high)


def _on_slow_line(point: SpecialPoint) -> bool:
    return all(curve.shape is Shape.SLOW_LINE for curve in point.curves)
