"""Where stable manifolds meet the line of starts, for many values of the parameter at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.brackets import sign_change
from fastslow.boundary.formula_members import FormulaMembers
from fastslow.boundary.members import Members, Path
from fastslow.core.polynomial import polynomial_field
from fastslow.core.polynomial_events import polynomial_events
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.integrate import EventSet, Limits, integrate, integrate_batch
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.halves import Backward, separatrices, typical_height
from fastslow.systems.polynomials import by_slow_power, fraction, rational

FloatArray = NDArray[np.float64]

ROUGH_RTOL = 1e-4
"""Of the way back, to see which halves cross."""
MOST_HITS = 8
_DEPARTURE, _SHARE_OF_GAP = 1e-7, 1e-3
_VERTICAL = 1e-9
_FIRST_STEP, _HORIZON = 1e-2, 1e15
_FAR = 1e4
"""Size of y, in heights of the highest special point, at which the way back counts as coming from infinity."""
_CYCLE_TIME, _TO_LEAVE = 160.0, 40.0
_SAME_ENERGY = 1e-12
_FEW = 4


@dataclass(frozen=True, eq=False)
class HalfKey:
    """A stable half: the number of its saddle among the equilibria of the interval, and its side."""

    saddle: int
    side: int


class Warm:
    """The saddles of an interval of the parameter without cuts, and the crossings of their stable halves.

    Parameters
    ----------
    members : Members or FormulaMembers
        The family in doubles.
    manifold : CriticalManifold
        Of one member in the interval.
    origin : float
        Its value of the parameter.
    """

    def __init__(self, members: Members | FormulaMembers, manifold: CriticalManifold, origin: float) -> None:
        self.members, self.manifold, self.origin = members, manifold, origin
        system = manifold.system
        self.system = system
        self.chart = members.chart
        self.height = typical_height(manifold)
        self.highest = max(self.height, *(abs(p.y) for p in manifold.points if math.isfinite(p.y)))
        self.width = float(system.upper - system.lower)
        self.points = manifold.of_kind(Kind.EQUILIBRIUM)
        self._parts: dict[int, int] = {}
        self.once = members.crossed_once()
        self.halves = [
            HalfKey(number, side)
            for number, point in enumerate(self.points)
            if point.stability is Stability.SADDLE and self._may_reach(point)
            for side in (1, -1)
        ]
        self.touches = members.touches(manifold, origin)
        self.halves += [HalfKey(len(self.points) + k, 1) for k in range(len(self.touches))]

    def is_touch(self, half: HalfKey) -> bool:
        """Whether a half is an orbit that touches the window's edge, or comes from its corner, and not of a saddle."""
        return half.saddle >= len(self.points)

    def name(self, half: HalfKey) -> str:
        """Return what a half is, in words."""
        if self.is_touch(half):
            return f"the orbit that touches the window's edge at {self.touches[half.saddle - len(self.points)].place}"
        return f"the stable manifold of {self.points[half.saddle].id} on side {half.side}"

    @property
    def degenerate(self) -> list[SpecialPoint]:
        """Equilibria whose linearisation does not decide, in the whole interval."""
        return [point for point in self.points if point.stability is Stability.CENTER]

    def _may_reach(self, saddle: SpecialPoint) -> bool:
        """Whether energy lets orbits from the line of starts come to a saddle."""
        chart, system = self.chart, self.system
        if chart is None or not (chart.holds(saddle.x) or saddle.x in [float(line) for line in chart.lines]):
            return False
        q = system.energy_polynomial
        if q is None or system.energy(saddle.x, saddle.y) is None:
            return True
        rows = by_slow_power(q)
        at_line = [fraction(row(rational(system.start_fast))) for row in rows]
        if any(at_line[1:]):
            return True
        here, there = float(system.energy(saddle.x, saddle.y)), float(at_line[0])  # type: ignore[arg-type]
        return here < there - _SAME_ENERGY * max(abs(here), abs(there))

    def path(self, number: int, values: FloatArray) -> Path | None:
        """Return an equilibrium at sorted values of the parameter."""
        if number >= len(self.points):
            return self.members.touching(self.touches[number - len(self.points)], self.origin, values)
        point = self.points[number]
        unit = np.array([self.width, abs(point.y) or self.height])
        if number not in self._parts:
            self._parts[number] = self.members.part_of(point.x, point.y, self.origin)
        return self.members.follow(self._parts[number], (point.x, point.y), self.origin, values, unit)

    def crossings(self, requests: Sequence[tuple[HalfKey, float]], rtol: float) -> FloatArray:
        """Return y where each half meets the line of starts at a value of the parameter, shape (n, MOST_HITS).

        In the order backward in time; the rest is NaN. A row begins with infinity where the saddle was lost.
        """
        result = np.full((len(requests), MOST_HITS), np.nan)
        if not requests or self.chart is None:
            return result
        values = np.unique([p for _, p in requests])
        paths = [self.path(number, values) for number in range(len(self.points))]
        known = np.array([[path.x, path.y] if path else np.full((2, len(values)), np.nan) for path in paths])
        states, rates, rows = [], [], []
        for saddle in dict.fromkeys(half.saddle for half, _ in requests):
            mine = [k for k, (half, _) in enumerate(requests) if half.saddle == saddle]
            path = paths[saddle] if saddle < len(paths) else self.path(saddle, values)
            if path is None:
                result[mine, 0] = np.inf
                continue
            at = np.searchsorted(values, [requests[k][1] for k in mine])
            step, rate = self._departures(saddle, path, known)
            sides = np.array([requests[k][0].side for k in mine])
            flat = (step[:, 1] == 0.0) & np.isin(path.y, self.members.levels)
            level = flat[at]
            if level.any():
                result[mine, 0] = np.where(
                    level, self._on_level(saddle, path, known)[at, (sides > 0).astype(int)], np.nan
                )
            step[flat] = np.nan
            start = np.stack([path.x, path.y], axis=1)[at] + sides[:, None] * step[at]
            fine = np.array([math.isfinite(x) and self.chart.holds(x) for x in start[:, 0]]) & np.isfinite(start).all(
                axis=1
            )
            states.append(start[fine])
            rates.append(rate[at][fine])
            rows += [k for k, good in zip(mine, fine, strict=True) if good]
        if rows:
            wanted = np.array([requests[k][1] for k in rows])
            hits = self._followed(wanted, np.concatenate(states), np.concatenate(rates), rtol)
            for k, ys in zip(rows, hits, strict=True):
                result[k, : len(ys)] = ys[:MOST_HITS]
        return result

    def unstable_crossings(self, value: float) -> list[float]:
        """Return y where the unstable halves of the saddles cross the line of starts at a value of the parameter."""
        from scipy.interpolate import CubicHermiteSpline

        manifold, found = critical_manifold(self.members.family.at(Fraction(value))), list[float]()
        system, start = manifold.system, float(manifold.system.start_fast)
        for half in separatrices(Settling(manifold), Backward(manifold), "unstable"):
            t, x, y = half.trajectory.t, half.trajectory.x, half.trajectory.y
            speed, drift = system.partial("f", 0, 0, x, y), float(system.slow_rate) * system.partial("g", 0, 0, x, y)
            across, along = CubicHermiteSpline(t, x - start, speed), CubicHermiteSpline(t, y, drift)
            for k in np.flatnonzero((x[:-1] - start) * (x[1:] - start) < 0.0)[:MOST_HITS]:
                found.append(float(along(sign_change(partial(_value, across), float(t[k]), float(t[k + 1])))))
        return found

    def _on_level(self, saddle: int, path: Path, known: FloatArray) -> FloatArray:
        """Return y where the halves of a saddle on an invariant line y = const meet the line of starts, shape (n, 2).

        On side -1 and 1; NaN where an equilibrium is in the way, or the line of starts on the other side. To follow the
        half could take as long as it likes, beside a collision.
        """
        start = float(self.system.start_fast)
        others = np.delete(known, saddle, axis=0)
        between = (others[:, 1] == path.y) & ((others[:, 0] - path.x) * (others[:, 0] - start) < 0.0)
        reaches = np.stack([(start - path.x) * side > 0.0 for side in (-1, 1)]) & ~between.any(axis=0)
        return np.where(reaches, path.y, np.nan).T

    def _departures(self, saddle: int, path: Path, known: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the step from the saddle to the beginning of its half on side 1, and rates there, shape (n, 2).

        The rates are the fastest and that of leaving the saddle backward in time. The step is NaN where the half lies
        on an invariant line.
        """
        if saddle >= len(self.points):
            inward = np.array(self.touches[saddle - len(self.points)].inward)
            size = np.abs(self.members.jacobians(path)).max(axis=(1, 2))
            return np.tile(inward, (len(path.x), 1)), np.tile(np.where(size > 0.0, size, 1.0)[:, None], 2)
        unit = np.stack([np.full(len(path.x), self.width), np.where(path.y != 0.0, np.abs(path.y), self.height)])
        others = np.delete(known, saddle, axis=0)
        gaps = np.hypot((others[:, 0] - path.x) / unit[0], (others[:, 1] - path.y) / unit[1])
        # A saddle that leaves to infinity may come as near to the line of starts as it likes.
        aside = np.abs(path.x - float(self.system.start_fast)) / self.width
        aside = np.where(aside == 0.0, 1.0, aside)
        gap = np.nanmin(np.vstack([gaps, aside]), axis=0)
        jacobian = self.members.jacobians(path)
        (a, b), (c, d) = jacobian.transpose(1, 2, 0)
        half, determinant = (a + d) / 2, a * d - b * c
        root = np.sqrt(np.maximum(half * half - determinant, 0.0))
        larger = np.where(half >= 0.0, half + root, half - root)
        smaller = determinant / np.where(larger == 0.0, 1.0, larger)
        stable = np.minimum(larger, smaller)
        # On an invariant line y = const the half stays on it to the last digit.
        level = (c == 0.0) & (np.abs(stable - a) <= _VERTICAL * (np.abs(a) + np.abs(d)))
        b, c = b * unit[1] / unit[0], c * unit[0] / unit[1]
        first, second = np.stack([b, stable - a]), np.stack([stable - d, c])
        vector = np.where(np.hypot(*first) >= np.hypot(*second), first, second)
        vector = vector / np.hypot(*vector)
        vector[1] = np.where(level, 0.0, vector[1])
        up = (vector[0] > 0.0) | ((vector[0] == 0.0) & (vector[1] > 0.0))
        vector = np.where(up, vector, -vector) * unit * np.minimum(_DEPARTURE, _SHARE_OF_GAP * gap)
        line = self.members.parts[path.part][0].degrees() == (1, 0, 0)
        on_line = line & (np.abs(vector[0]) <= _VERTICAL * np.hypot(*(vector / unit)) * unit[0])
        rates = np.maximum(np.abs(larger), np.abs(smaller)), np.abs(stable)
        return np.where(on_line, np.nan, vector).T, np.stack(rates, axis=1)

    def _followed(self, values: FloatArray, starts: FloatArray, rates: FloatArray, rtol: float) -> list[list[float]]:
        """Return y at the crossings of the line of starts backward in time."""
        chart, system = self.chart, self.system
        assert chart is not None
        field = self.members.fields(values, chart, -1.0)
        heights = np.abs(starts[:, 1])
        height = float(min(np.min(heights[heights > 0.0], initial=np.inf), self.height))
        head = self.members.line_events(len(values))
        end = _HORIZON / float(np.min(rates[:, 0]))
        if system.energy_polynomial is None:
            slow_time = max(1.0, *(abs(p.y) for p in self.manifold.points if math.isfinite(p.y)))
            end = _CYCLE_TIME * slow_time / float(np.min(self.members.slow_rates(values)))
            # Beside a collision of equilibria it takes long to leave the saddle.
            end += _TO_LEAVE / float(np.min(rates[:, 1], where=rates[:, 1] > 0.0, initial=np.max(rates)))
        options: dict[str, Any] = {
            "rtol": rtol,
            "atol": np.array([1e-16, 1e-16 * height]),
            "limits": Limits(
                max_steps=100_000,
                first_step=_FIRST_STEP / float(np.max(rates[:, 0])),
                growth=np.array([1e300, _FAR * max(self.highest, float(heights.max()))]),
            ),
        }
        states = chart.to_state(starts[:, 0], starts[:, 1])
        rows = np.concatenate((head, field), axis=1)
        if len(values) < _FEW:
            # not worth the threads
            runs = [
                integrate(polynomial_field, p, u, (0.0, end), output="final", events=self._line(row), **options)
                for p, u, row in zip(field, states, rows, strict=True)
            ]
            hits = [run.events for run in runs]
        else:
            batch = integrate_batch(polynomial_field, field, states, (0.0, end), events=self._line(rows), **options)
            hits = list(batch.events)
        return [[float(hit.state[1]) for hit in found if hit.index == 0] for found in hits]

    def _line(self, parameters: FloatArray) -> EventSet:
        return EventSet(polynomial_events, 2, terminal=[self.once, True], tolerance=0.0, parameters=parameters)


def _value(of: Callable[[float], Any], at: float) -> float:
    return float(of(at))
