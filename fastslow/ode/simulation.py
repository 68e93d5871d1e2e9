"""Simulation: one solution of the full system at wanted times, up to any time that means anything."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.errors import InputError
from fastslow.flow.slow_manifold import SlowTail, slow_tails
from fastslow.ode.event_sets import settling
from fastslow.ode.integrate import integrate
from fastslow.ode.rest import resting_place
from fastslow.ode.solution import LEAST_RTOL, Solution, Status, sentence, shown
from fastslow.ode.trajectories import Solver
from fastslow.systems.algebraic import Rational
from fastslow.systems.chart import Chart, ChartKind
from fastslow.systems.exact import Real
from fastslow.systems.expressions import Number, Variable, add, negative
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomial_system import PolynomialSystem, exactly
from fastslow.systems.polynomials import rational, variables
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

FloatArray = NDArray[np.float64]

LONGEST = 1e100
"""Largest tau: beyond it products of the time and the state leave the range of doubles."""
MOST_POINTS = 1_000_000
_MOST_RTOL = 0.1
_DENSE = 0.1
"""Dense output is some ten times less accurate than the steps: these get a tenth of the tolerance."""
_FIRST_TIME, _LEAST_RANGE = 0.01, 1e3
_PIECE, _TAIL_PIECE = 10.0, 2.0
"""Growth of the time from one question to the next: is the solution at rest, or on a slow manifold?"""
_LATE = 1e3
"""Local time after which a step that the clock cannot resolve is tried again with the clock at zero."""
LEFT = "left the window"


@dataclass(frozen=True, eq=False)
class Simulation:
    """A solution of x' = f, y' = slow_rate g at given times.

    Attributes
    ----------
    system : FastSlowSystem
        The system.
    start : Start
        The exact start.
    t, x, y : ndarray
        Times, in units of the fast time, and states. Where the run ended early: the times until then, and the end.
    status : str
        "done", "left the window", or the limit that ended it (``fastslow.ode.solution.Status``).
    sentence : str
        The same in words.
    switch_time : float or None
        From when on the solution was followed on a slow manifold towards infinity, None where it was not.
    switch_error : float or None
        Estimated relative error of the slow manifold there; it falls from there on.
    n_steps : int
        Steps of the integration; 0 where the solver does not count them.
    rtol : float
        The tolerance asked for.
    solver : str
        The integrator.
    """

    system: FastSlowSystem = field(repr=False)
    start: Start
    t: FloatArray = field(repr=False)
    x: FloatArray = field(repr=False)
    y: FloatArray = field(repr=False)
    status: str
    sentence: str
    switch_time: float | None
    switch_error: float | None
    n_steps: int
    rtol: float
    solver: Solver

    @property
    def final(self) -> tuple[float, float]:
        """The last state (x, y)."""
        return float(self.x[-1]), float(self.y[-1])

    @property
    def energy(self) -> FloatArray | None:
        """The energy of the model (the test loss of a network) at each time, None where it has none."""
        return self.system.energy(self.x, self.y)

    def document(self) -> dict[str, Any]:
        """Return the run as a JSON document, schema ``fastslow.trajectory/1``; the states under the variables' names.

        `model` is what a model file would say, from which the system is built again exactly.
        """
        energy = self.energy
        return {
            "schema": "fastslow.trajectory/1",
            "status": self.status,
            "sentence": self.sentence,
            "model": self.system.table(),
            "start": [float(self.start.fast), float(self.start.slow)],
            "rtol": self.rtol,
            "solver": self.solver,
            "steps": self.n_steps,
            "switch_time": self.switch_time,
            "switch_error": self.switch_error,
            "tau": self.t.tolist(),
            self.system.fast[0]: self.x.tolist(),
            self.system.slow[0]: self.y.tolist(),
            "loss": None if energy is None else energy.tolist(),
        }


def simulate(
    system: FastSlowSystem | str,
    start: Start | Real | tuple[Real, Real],
    tau: float,
    *,
    rtol: float = 1e-10,
    points: int = 200,
    times: ArrayLike | None = None,
    solver: Solver = "rodas5p",
) -> Simulation:
    """Return the solution of the full system from a start, at times up to tau.

    It is integrated in coordinates in which invariant lines are at infinity. Where it comes to lie on an attracting
    slow manifold that runs to infinity at a pole of y = h(x), the manifold is followed instead of integrated
    (``fastslow.flow.slow_manifold``), as soon as its estimated relative error is below `rtol`: so times of
    1e12 or 1e30 cost no more than 1e6, and nothing cancels.

    Parameters
    ----------
    system : FastSlowSystem or str
        The system, the name of a preset such as "fig4", or the path of a TOML file.
    start : Start or number
        The start, or its slow coordinate on the line of starts: the initial scale a0 of a network. Exact.
    tau : float
        The last time, in units of the fast time; positive, at most 1e100.
    rtol : float
        Relative tolerance of the states at the times, from 1e-14 to below 0.1, as far as the problem is
        well-conditioned: a start next to a threshold magnifies any error.
    points : int
        Number of times, spaced evenly in the logarithm from a hundredth of the fastest time of the start (but at
        most tau / 1000) to tau.
    times : array_like, optional
        The times themselves, increasing, from 0 to tau, instead of `points`.
    solver : "rodas5p", "LSODA" or "Radau"
        The integrator; the last two are scipy's.

    Returns
    -------
    Simulation
        Also where the run ended early; see its `status` and `sentence`.

    Raises
    ------
    InputError
        For an argument that cannot be used, before any work.

    Examples
    --------
    >>> import fastslow as fs
    >>> run = simulate(fs.TwoLayer(c=[1, 1, 1], c_star=[1, -1, 1]), 5, 1e12)
    >>> print(run.status, round(run.final[0] * run.final[1], 3))
    done 1.0
    """
    system = system_of(system)
    start = start_of(system, start)
    tau = _number("tau", tau, "a positive time")
    if not 0.0 < tau <= LONGEST:
        raise InputError("tau", tau, f"must be positive and at most {LONGEST:g}", "For example 1e6")
    rtol = _number("rtol", rtol, "a small number")
    if not LEAST_RTOL <= rtol < _MOST_RTOL:
        raise InputError("rtol", rtol, f"must be from {LEAST_RTOL:g} to below {_MOST_RTOL:g}", "For example 1e-10")
    if solver not in get_args(Solver):
        raise InputError("solver", solver, f"must be one of {', '.join(get_args(Solver))}", "rodas5p is the fastest")
    wanted = _log_times(system, start, tau, points) if times is None else _given_times(times, tau)
    return _Run(system, start, wanted, tau, rtol, solver).simulation()


def _number(name: str, value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(name, value, f"must be {what}", "Give one finite number") from None
    if not math.isfinite(number):
        raise InputError(name, number, "must be finite", f"Give {what}")
    return number


def _given_times(times: ArrayLike, tau: float) -> FloatArray:
    try:
        wanted = np.array(times, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("times", times, "must be numbers", "Give an increasing list") from None
    if wanted.ndim != 1 or not 1 <= wanted.size <= MOST_POINTS or not np.isfinite(wanted).all():
        raise InputError("times", times, f"must be a list of 1 to {MOST_POINTS} finite times", "Give fewer")
    if wanted[0] < 0.0 or wanted[-1] > tau or (np.diff(wanted) <= 0.0).any():
        raise InputError("times", times, f"must increase and lie from 0 to tau = {tau:g}", "Sort them")
    return wanted


def _log_times(system: FastSlowSystem, start: Start, tau: float, points: int) -> FloatArray:
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or not 2 <= points <= MOST_POINTS:
        raise InputError("points", points, f"must be a whole number from 2 to {MOST_POINTS}", "For example 200")
    first = min(_FIRST_TIME * _fastest_time(system, start), tau / _LEAST_RANGE)
    return np.geomspace(first, tau, points)  # its ends are exact


def _fastest_time(system: FastSlowSystem, start: Start) -> float:
    """Return the time in which a solution leaves the start by its own size: of the fast flow, or an eigenvalue."""
    x, y = float(start.fast), float(start.slow)
    drift = abs(system.f(x, y)) / float(system.upper - system.lower)
    (a, b), (c, d) = system.jacobian(x, y)
    rate = drift + max(abs(a), abs(d), math.sqrt(abs(b)) * math.sqrt(abs(c)))
    return float(1.0 / rate) if 0.0 < rate < math.inf else math.inf


class _Run:
    """One run: the state, and what has been found so far."""

    def __init__(
        self, system: FastSlowSystem, start: Start, wanted: FloatArray, tau: float, rtol: float, solver: Solver
    ) -> None:
        self.system, self.start, self.wanted, self.tau = system, start, wanted, tau
        self.rtol, self.solver = rtol, solver
        self.t, self.x, self.y = 0.0, float(start.fast), float(start.slow)
        self.rows = np.empty((3, wanted.size))
        self.count = self.n_steps = 0
        self.switch: tuple[float, float] | None = None

    def simulation(self) -> Simulation:
        if self.count < self.wanted.size and self.wanted[0] == 0.0:
            self._keep(np.array([[self.x], [self.y]]))
        status, sentence = self._ended()
        rows = self.rows[:, : self.count]
        if status != Status.DONE and (not self.count or rows[0, -1] < self.t):
            rows = np.column_stack((rows, (self.t, self.x, self.y)))
        t, x, y = rows
        time, error = self.switch or (None, None)
        return Simulation(
            self.system, self.start, t, x, y, str(status), sentence, time, error, self.n_steps, self.rtol, self.solver
        )

    def _keep(self, states: FloatArray) -> None:
        """Keep states, two rows, at the next wanted times."""
        stop = self.count + states.shape[1]
        self.rows[0, self.count : stop] = self.wanted[self.count : stop]
        self.rows[1:, self.count : stop] = states
        self.count = stop

    def _stay(self, x: float, y: float) -> None:
        """Keep one state at all times that are left."""
        left = self.wanted.size - self.count
        self._keep(np.array([[x] * left, [y] * left]))

    def _ended(self) -> tuple[str, str]:
        """Run to the end; return the status and what it is in words."""
        start, system = self.start, self.system
        fast, slow = (system.sign(of, Rational(start.fast), Rational(start.slow)) for of in ("f", "g"))
        if fast == slow == 0:
            self._stay(self.x, self.y)
            return Status.DONE, "The start is an equilibrium, where the solution stays."
        chart = system.chart_of(start.fast, start.slow)
        left = system.leaves_at_once(start)
        if left and (chart is not None or left != system.fast[0]):
            return LEFT, f"The start points out of the window of {left}."
        self.chart = chart or Chart()
        # the state u in the chart beside (x, y): next to an invariant line x does not tell it
        self.u = self.chart.state_of(start.fast, start.slow)
        moving = system if chart is not None else _on_line(system, start.fast)
        self.field = moving.field_parameters(self.chart)
        inside = (self.chart.kind is ChartKind.BETWEEN or chart is None) and system.slow_window is None
        self.events = settling(self.field, window=() if inside else system.edges, chart=self.chart)
        tails = slow_tails(system) if chart is not None else ()
        pause = _fastest_time(system, start)
        piece = _TAIL_PIECE if tails else _PIECE
        while self.t < self.tau:
            # In pieces: to ask where the solution is, and because steps are not resolved in any span.
            solution = self._integrate(min(self.tau, max(piece * self.t, self.t + pause)))
            if solution.status is Status.EVENT:
                edge = system.edge_left(solution.events[-1].index)
                return LEFT, f"Left the window of {edge} at t = {shown(self.t)}."
            if solution.status is not Status.DONE:
                return solution.status, sentence(solution.status, self.t)
            if self.t < self.tau and (rest := resting_place(moving, self.x, self.y, self.rtol)):
                # At an equilibrium rounding would bound the steps, and their number grow with the time.
                self._stay(*rest)
                break
            for tail in tails:
                if self.t < self.tau and self._follow(tail):
                    rule = f"{system.slow[0]} runs to infinity, beyond what doubles hold"
                    return Status.GROWTH, f"Stopped at t = {shown(self.t)}: {rule}."
        return Status.DONE, f"Reached the end, t = {shown(self.tau)}."

    def _integrate(self, until: float) -> Solution:
        """Integrate on to a time; the clock is set to zero again where steps become too small for it."""
        rtol = max(_DENSE * self.rtol, LEAST_RTOL)
        while True:
            begin = self.t
            stop = int(np.searchsorted(self.wanted, until, side="right"))
            times = np.minimum(self.wanted[self.count : stop] - begin, until - begin)
            solution = integrate(
                polynomial_field,
                self.field,
                self.u,
                (0.0, until - begin),
                rtol=rtol,
                atol=1e-3 * rtol * self.chart.units(self.y),
                output=times if times.size else "final",
                events=self.events,
                solver=self.solver,
            )
            self.n_steps += solution.n_steps
            self.u = solution.final_state
            self.x, self.y = map(float, self.chart.from_state(self.u))
            self.t = until if solution.status is Status.DONE else begin + solution.final_time
            if times.size:
                self._keep(np.array(self.chart.from_state(solution.u)))
            if solution.status is not Status.STEP_TOO_SMALL or solution.final_time < _LATE:
                return solution

    def _follow(self, tail: SlowTail) -> bool:
        """Follow a slow manifold to infinity if the state is on it; return whether doubles end before the time does."""
        place = tail.meets(self.x, self.y, self.rtol)
        if place is None:
            return False
        found = tail.follow(place, np.append(self.wanted[self.count :], self.tau) - self.t, self.rtol)
        if self.switch is None and found.time > 0.0:
            self.switch = self.t, place.error
        wanted = self.wanted.size - self.count
        done = len(found.x) > wanted
        self._keep(np.array([found.x, found.y])[:, :wanted])
        self.t = self.tau if done else self.t + found.time
        self.x, self.y = (float(found.x[-1]), float(found.y[-1])) if done else found.end
        self.u = self.chart.to_state(self.x, self.y)
        return found.infinite and not done


def _on_line(system: FastSlowSystem, x: Fraction) -> FastSlowSystem:
    """Return a system with the same slow flow that keeps to the invariant line at x."""
    if isinstance(system, FormulaSystem):
        towards = add(Number(x), negative(Variable(system.fast[0])))
        options = {"fast": system.fast, "slow": system.slow, "slow_rate": system.slow_rate, "window": system.window}
        return FormulaSystem([towards], system.slow_expression, start_fast=x, **options)
    system = exactly(system, "a start on an invariant line")
    fast, _ = variables(system.fast[0], system.slow[0])
    return PolynomialSystem(
        [rational(x) - fast],
        system.slow_field,
        fast=system.fast,
        slow=system.slow,
        slow_rate=system.slow_rate,
        window=(system.lower, system.upper),
        start_fast=x,
    )
