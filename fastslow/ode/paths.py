"""A solution of the full system followed to a given time, whatever it does, with its dense output."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.errors import InputError
from fastslow.ode.integrate import EventHit, EventSet, Limits, integrate
from fastslow.ode.solution import Solution, Status, number
from fastslow.systems.chart import Chart
from fastslow.systems.exact import Real, exact
from fastslow.systems.system import FastSlowSystem, Start

RTOL = 1e-10
_MOST_STEPS = 100_000
_LATE, _MOST_CLOCKS = 1e3, 8
"""A jump after this time may need steps below the resolution of the clock, which is then set to zero."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a solution on its own clock, which was zero at the time `begin`, and meant to go to `end`."""

    begin: float
    end: float
    state: NDArray[np.float64]
    solution: Solution


@dataclass(frozen=True, eq=False)
class Path:
    """A solution followed to a given time: its pieces in the chart, and its steps in the variables."""

    system: FastSlowSystem
    chart: Chart
    rtol: float
    pieces: tuple[Piece, ...]
    t: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    stopped: str

    @property
    def events(self) -> tuple[tuple[float, EventHit], ...]:
        """Times and hits of the events, in order."""
        return tuple((piece.begin + hit.time, hit) for piece in self.pieces for hit in piece.solution.events)

    def at(self, piece: Piece, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the states (x, y) at times of a piece's clock: the same steps again, with their dense output."""
        solution = _integrate(self.system, self.chart, piece.state, piece.end, self.rtol, output=times)
        return self.chart.from_state(solution.u)


def follow(
    system: FastSlowSystem, start: Start, tau: Real, *, rtol: float = RTOL, events: EventSet | None = None
) -> Path:
    """Follow the solution from a start over [0, tau], whatever it does.

    Raises
    ------
    InputError
        If tau is not positive or the start cannot be used.
    """
    end = float(exact(tau, "tau"))
    if end <= 0.0:
        raise InputError("tau", end, "must be positive", "It is the time to follow the solution for")
    rtol = number("rtol", rtol)
    system.check_start(start)
    chart = system.chart_of(start.fast, start.slow)
    if chart is None:
        if Fraction(float(start.fast)) != start.fast:
            rule = f"lies on the invariant line {system.fast[0]} = {start.fast}, which no double holds"
            raise InputError(f"start {system.fast[0]}", float(start.fast), rule, "Rescale the fast variable")
        chart = Chart()  # in the plain coordinate the line stays exactly invariant
    state = chart.state_of(start.fast, start.slow)
    pieces: list[Piece] = []
    begin = 0.0
    for _ in range(_MOST_CLOCKS):
        solution = _integrate(system, chart, state, end - begin, rtol, events=events)
        pieces.append(Piece(begin, end - begin, state, solution))
        if solution.status is not Status.STEP_TOO_SMALL or solution.final_time < _LATE:
            break
        begin, state = begin + solution.final_time, solution.final_state
    last = pieces[-1].solution
    t = np.concatenate([piece.begin + piece.solution.t for piece in pieces])
    u = np.concatenate([piece.solution.u for piece in pieces])
    keep = np.concatenate(([True], np.diff(t) > 0.0))
    stopped = "" if last.status is Status.DONE else last.sentence
    if len(t[keep]) < 2:
        raise InputError("start", (float(start.fast), float(start.slow)), f"cannot be followed: {last.sentence}")
    return Path(system, chart, rtol, tuple(pieces), t[keep], *chart.from_state(u[keep]), stopped)


def _integrate(
    system: FastSlowSystem,
    chart: Chart,
    state: NDArray[np.float64],
    end: float,
    rtol: float,
    *,
    output: NDArray[np.float64] | None = None,
    events: EventSet | None = None,
) -> Solution:
    return integrate(
        polynomial_field,
        system.field_parameters(chart),
        state,
        (0.0, end),
        rtol=rtol,
        atol=1e-3 * rtol * chart.units(float(state[1])),
        output="steps" if output is None else output,
        events=events,
        limits=Limits(max_steps=_MOST_STEPS if output is None else _MOST_STEPS + 1, growth=1e300),
    )
