"""Does a trajectory repeat itself at last? The return map of one turn, its derivative, and the error of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.manifold.special_points import SpecialPoint, Stability
from fastslow.ode.event_sets import section
from fastslow.ode.integrate import integrate
from fastslow.ode.solution import EventHit, Solution
from fastslow.systems.chart import Chart
from fastslow.systems.system import FastSlowSystem

_MOST_MAXIMA = 4
"""Maxima of y on one turn, at most."""
_LONGER, _SHORT = 2.0, 1e-6
"""How long the next turn is waited for, and how soon after its start a maximum is that start, in turns."""
_CLOSED, _AGREE = 1e-9, 0.1
"""What a turn misses of itself, as a share of its height, if it counts as closed; how far Newton's method may come to
another fixed point from the next turn, as a share of the step between both."""


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn of a planar trajectory, from a maximum of y, where g falls through zero, to another.

    With the divergence D of the field, the wedge product of the field F and a small displacement grows along the turn
    like exp(∫ D dt). That gives the derivative of the return map P of heights, and what becomes of errors.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
        States at the steps and at both ends.
    step : float
        P(Y) - Y.
    slope : float
        P'(Y).
    error : float
        Error of P(Y): those of the steps, at the tolerance of the integration, carried to the end.
    strayed : float
        The largest distance of the computed from the true orbit on the way, in units of the turn's size: large along
        a canard, where errors grow exponentially.
    exponent : float
        ∫ D dt over the turn: of a cycle, the logarithm of its multiplier.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    step: float
    slope: float
    error: float
    strayed: float
    exponent: float

    @property
    def height(self) -> float:
        """The difference of the largest and the smallest y."""
        return float(np.ptp(self.y))

    @property
    def to_limit(self) -> float:
        """The step of Newton's method from Y to the fixed point of P; infinite where P does not contract."""
        return self.step / (1.0 - self.slope) if self.slope < 1.0 else np.inf

    @property
    def uncertainty(self) -> float:
        """The error of `to_limit` that the error of P makes."""
        return self.error / (1.0 - self.slope) if self.slope < 1.0 else np.inf

    @property
    def doubt(self) -> str:
        """What the errors hide, in words."""
        if self.strayed * self.height > self.uncertainty:
            return f"errors grow to {self.strayed:.1g} of the size of a turn, as along a canard,"
        return "one turn changes less than its error"

    def closes(self, next_turn: Callable[[], Turn | None]) -> bool:
        """Whether P has a fixed point where Newton's method says, asked of the next turn where this is not closed.

        Beside two cycles that have just vanished in each other P contracts too, and Newton's method points at a fixed
        point that is not there: seen from the next turn it lies elsewhere.
        """
        if abs(self.step) <= _CLOSED * self.height:
            return True
        after = next_turn()
        if after is None or after.slope >= 1.0:
            return False
        miss = abs(after.y[0] + after.to_limit - self.y[0] - self.to_limit)
        return bool(miss <= _AGREE * abs(self.step) + self.uncertainty + after.uncertainty)

    def winds_round(self, point: SpecialPoint) -> bool:
        """Whether the polygon of the turn winds round a point."""
        angle = np.arctan2((self.y - point.y) / self.height, (self.x - point.x) / float(np.ptp(self.x)))
        angle = np.unwrap(angle)
        return bool(abs(angle[-1] - angle[0]) > math.pi)

    def shrinks_to(self, point: SpecialPoint, distance: float) -> bool:
        """Whether the turn surrounds an equilibrium, and P shrinks to within a distance of it.

        Where the eigenvalues are purely imaginary, P(Y) - Y is of third order: Newton's step is a third of the way, to
        the equilibrium if it attracts (its first Lyapunov coefficient is negative).
        """
        surrounds = self.x.min() < point.x < self.x.max() and self.y.min() < point.y < self.y.max()
        order = 3 if point.stability is Stability.CENTER else 1
        return bool(surrounds and abs(self.y[0] + order * self.to_limit - point.y) <= distance)


def last_turns(
    system: FastSlowSystem, chart: Chart, field: NDArray[np.float64], solution: Solution
) -> Iterator[tuple[Turn, Callable[[], Turn | None]]]:
    """Yield the last turns of a solution, as if a turn had one, two, ... maxima of y, as far as there are as many.

    Beside each comes a function that integrates the turn after it, None where it does not come round.

    Parameters
    ----------
    system : FastSlowSystem
        The system of the solution.
    chart : Chart
        The coordinates of its states.
    field : ndarray
        Parameters of the field in these coordinates.
    solution : Solution
        With a row for each step.
    """
    x, y = chart.from_state(solution.u)
    g = system.partial("g", 0, 0, x, y)
    falls = np.flatnonzero((g[:-1] > 0.0) & (g[1:] <= 0.0))
    if len(falls) < 2:
        return

    def with_maxima(state: NDArray[np.float64], span: float) -> tuple[Solution, list[EventHit]]:
        events = section(field, 0.0, system.packed("g", chart), directions=[0, 1], terminal=[False, False])
        run = integrate(
            polynomial_field, field, state, (0.0, span), rtol=solution.rtol, atol=solution.atol, events=events
        )
        return run, [hit for hit in run.events if hit.index == 1]

    def turn_between(run: Solution, first: EventHit, last: EventHit) -> Turn:
        inner = (run.t > first.time) & (run.t < last.time)
        t = np.concatenate(([first.time], run.t[inner], [last.time]))
        u = np.concatenate(([first.state], run.u[inner], [last.state]))
        return turn_of(system, t, *chart.from_state(u), solution.rtol)

    def turn_after(first: EventHit, last: EventHit, maxima: int) -> Turn | None:
        period = last.time - first.time
        run, found = with_maxima(last.state, _LONGER * period)
        later = [hit for hit in found if hit.time > _SHORT * period]
        here = replace(last, time=0.0)
        return turn_between(run, here, later[maxima - 1]) if len(later) >= maxima else None

    # The same steps once more, now with the maxima located on them.
    k = int(falls[-_MOST_MAXIMA - 1 :][0])
    again, tops = with_maxima(solution.u[k], float(solution.t[-1] - solution.t[k]))
    for maxima, first in enumerate(tops[-2 : -_MOST_MAXIMA - 2 : -1], 1):
        yield turn_between(again, first, tops[-1]), partial(turn_after, first, tops[-1], maxima)


def turn_of(
    system: FastSlowSystem,
    t: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    rtol: float,
    direction: float = 1.0,
) -> Turn:
    """Return what the steps t, x, y of a turn tell of its return map.

    The turn goes from a section to the same section: g = 0, or a line x = const; P is the map of y on either.
    `direction` is -1 where time was reversed.
    """
    rate = direction * float(system.slow_rate)
    u, v = direction * system.partial("f", 0, 0, x, y), rate * system.partial("g", 0, 0, x, y)
    growth = np.diff(t) * _means(system, direction, t, x, y, u, v)
    # Wedge products of the field with an error of the step's size; the errors count as independent.
    made = rtol * np.hypot(x * v, y * u)
    carried = np.zeros_like(made)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for k, factor in enumerate(np.exp(growth)):
            carried[k + 1] = np.hypot(carried[k] * factor, made[k + 1])
        width, height = float(np.ptp(x)), float(np.ptp(y))
        distance = carried / np.hypot(u * height, v * width)
        # On the section g = 0 the field is (f, 0), on x = const a displacement is (0, dy): the wedge product over f.
        slope = float(np.exp(growth.sum())) * abs(float(u[0] / u[-1]))
        error = float(carried[-1] / abs(u[-1]))
    return Turn(x, y, float(y[-1] - y[0]), slope, error, float(distance.max()), float(growth.sum()))


def _means(
    system: FastSlowSystem,
    direction: float,
    t: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the means of the divergence over the steps, by cubic Hermite interpolation; (u, v) is the field."""
    rate = float(system.slow_rate)
    d = system.partial("f", 1, 0, x, y) + rate * system.partial("g", 0, 1, x, y)
    along_x = system.partial("f", 2, 0, x, y) + rate * system.partial("g", 1, 1, x, y)
    along_y = system.partial("f", 1, 1, x, y) + rate * system.partial("g", 0, 2, x, y)
    slope = along_x * u + along_y * v
    return np.asarray(direction * ((d[:-1] + d[1:]) / 2.0 - np.diff(t) * np.diff(slope) / 12.0))
