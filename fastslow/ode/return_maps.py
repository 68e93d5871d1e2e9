"""The first return map of the full system on a line x = const, and turns from it to itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.ode.cycles import Turn, turn_of
from fastslow.ode.event_sets import NEVER, edges_in, section
from fastslow.ode.integrate import EventSet, Limits, integrate
from fastslow.ode.solution import FloatArray, Solution, Status
from fastslow.systems.chart import Chart
from fastslow.systems.exact import exact
from fastslow.systems.polynomials import packed, rational, variables
from fastslow.systems.system import FastSlowSystem

_SLOW_TIMES = 100.0
"""How long a return may take, in units of the height of the special points over the slow rate."""
_MOST_STEPS = 200_000
_MOST_CROSSINGS = 6
"""Crossings of the line in other pieces of it before one returns to the piece it left."""
_PROBES = 16


class ReturnMap:
    """Where orbits that leave the line x = section upward or downward in x cross it next in the same way.

    Parameters
    ----------
    system : FastSlowSystem
        The system.
    x : float
        The section.
    height : float
        A size of y: the heights of the special points.
    """

    def __init__(self, system: FastSlowSystem, x: float, height: float) -> None:
        self.system, self.x, self.height = system, x, height
        self._on_line = system.chart_of(exact(x, "x")) is None
        self._fields: dict[tuple[Chart, float], FloatArray] = {}
        self._events: dict[tuple[Chart, float, int], EventSet] = {}
        self._horizon = _SLOW_TIMES * max(height, 1.0) / min(float(system.slow_rate), 1.0)

    def allows(self, y: float) -> bool:
        """Whether orbits cross the section at a height: it is no place at rest, and not beyond the window."""
        bounds = self.system.slow_window
        if self._on_line or (bounds is not None and not bounds[0] < y < bounds[1]):
            return False
        f = self.system.f(self.x, y)
        return math.isfinite(f) and f != 0.0

    def crossings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[float]:
        """Return the last heights at which a polygon crosses the section."""
        at = np.flatnonzero((x[:-1] - self.x) * (x[1:] - self.x) < 0.0)[-2:]
        share = (self.x - x[at]) / (x[at + 1] - x[at])
        return [float(v) for v in y[at] + share * (y[at + 1] - y[at])]

    def images(self, starts: Sequence[float], direction: float, rtol: float) -> list[float | None]:
        """Return P(Y) for heights Y, None where the orbit does not return to the same piece of the line."""
        found: list[float | None] = []
        for y in starts:
            path = self._around(y, direction, rtol, steps=False)
            found.append(None if path is None else float(path[2][-1]))
        return found

    def turn(self, y: float, direction: float, rtol: float) -> tuple[float, Turn] | None:
        """Return the time of one turn from a height on the section, and the turn; None where it does not return."""
        path = self._around(y, direction, rtol, steps=True)
        if path is None:
            return None
        return float(path[0][-1]), turn_of(self.system, *path, rtol, direction)

    def _around(
        self, y: float, direction: float, rtol: float, steps: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
        """Return times and states of the turn from a height, to the first return to its piece of the line."""
        chart = self.system.chart_of(Fraction(self.x), Fraction(y))
        assert chart is not None
        sign = 1 if direction * self.system.f(self.x, y) > 0.0 else -1
        at, now = float(chart.slow_coordinate.coordinate_of(Fraction(y))), 0.0
        t: list[NDArray[np.float64]] = [np.zeros(1)]
        u: list[NDArray[np.float64]] = []
        for _ in range(_MOST_CROSSINGS):
            state = self._leaving(chart, at, sign)
            run = self._run(chart, state, direction, sign, rtol, self._horizon - now, steps)
            hit = run.events[-1] if run.status is Status.EVENT else None
            if hit is None or hit.index != 0:
                return None
            t.append(now + run.t[1:] if steps else np.array([now + run.final_time]))
            u.append(run.u if not u else run.u[1:])
            now, at = now + float(run.final_time), float(run.final_state[1])
            if self.same_piece(y, float(chart.slow_coordinate.from_chart(at))):
                x, heights = chart.from_state(np.concatenate(u))
                return np.concatenate(t) if steps else np.array([0.0, now]), x, heights
        return None

    def _leaving(self, chart: Chart, w: float, sign: int) -> FloatArray:
        """Return the state on the section at a coordinate of y, on the side that the orbit leaves to."""
        x, y = self.x, chart.slow_coordinate.from_chart(w)
        for _ in range(8):
            state = chart.to_state(x, y)
            state[1] = w
            if (float(chart.from_state(state)[0]) - self.x) * sign >= 0.0:
                break
            x += sign * 4e-16 * max(abs(x), 1e-300)
        return state

    def _run(
        self, chart: Chart, state: FloatArray, direction: float, sign: int, rtol: float, time: float, steps: bool
    ) -> Solution:
        key = (chart, direction, sign)
        if (chart, direction) not in self._fields:
            self._fields[chart, direction] = self.system.field_parameters(chart, direction)
        field = self._fields[chart, direction]
        if key not in self._events:
            inside = inside_window(self.system.edges, chart)
            self._events[key] = section(field, self.x, inside, 0.0, directions=[sign, 1], terminal=[True, True])
        return integrate(
            polynomial_field,
            field,
            state,
            (0.0, time),
            rtol=rtol,
            atol=0.01 * rtol * chart.units(self.height),
            output="steps" if steps else "final",
            events=self._events[key],
            limits=Limits(max_steps=_MOST_STEPS, growth=np.array([1e300, 1e9 * self.height])),
        )

    def same_piece(self, a: float, b: float) -> bool:
        """Whether f has one sign on the line between two heights."""
        values = self.system.partial("f", 0, 0, self.x, np.linspace(a, b, _PROBES))
        return bool((values > 0.0).all() or (values < 0.0).all())


def inside_window(edges: tuple[float, ...], chart: Chart) -> FloatArray:
    """Return the polynomial (x - lower) (upper - x), and the same of y where it is bounded: negative beyond an edge.

    In a chart of y its edges are those of the coordinate, but for edges that no orbit reaches.
    """
    product = variables()[0] * 0 + 1
    in_chart = (*edges[:2], *edges_in(chart.slow_coordinate, *edges[2:]))
    for variable, low, high in zip(variables(), in_chart[::2], in_chart[1::2], strict=False):
        product *= variable - rational(Fraction(low)) if low > -NEVER else 1
        product *= rational(Fraction(high)) - variable if high < NEVER else 1
    return packed(product)
