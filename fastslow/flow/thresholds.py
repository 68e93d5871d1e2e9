"""Exact thresholds of the full system: where stable manifolds of saddles meet the line of starts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastslow.core.polynomial import polynomial_field
from fastslow.core.polynomial_events import SECTION, polynomial_events
from fastslow.flow.integrate import EventSet, Limits, integrate
from fastslow.flow.solution import Status
from fastslow.flow.trajectories import Settling
from fastslow.manifold.special_points import SpecialPoint, Stability
from fastslow.systems.chart import Chart
from fastslow.systems.polynomials import at_fast, fraction, packed, rational
from fastslow.systems.system import FastSlowSystem, Start

_DEPARTURE = 1e-7
"""Distance from the saddle at which the backward integration starts; the error is quadratic in it."""
_RTOL = 1e-13
_FARTHEST = 1e9


@dataclass(frozen=True, eq=False)
class Threshold:
    """A start (start_fast, y) on the stable manifold of a saddle, where the fate changes.

    Attributes
    ----------
    y : float
        Slow coordinate of the start.
    saddle : SpecialPoint
        The saddle whose stable manifold it is on.
    below, above : str
        Fates of the starts just below and just above y.
    below_node, above_node : str
        Ids of the points where they end.
    """

    y: float
    saddle: SpecialPoint
    below: str
    above: str
    below_node: str
    above_node: str


def thresholds(settling: Settling) -> tuple[Threshold, ...]:
    """Return the starts (start_fast, y) at which the fate in the full system changes, in order of y.

    In the plane, basins on the line of starts are bounded by W^s(saddle) and that line. The stable
    manifold is followed backwards in time from the saddle along its stable eigenvector; backwards it
    attracts, so the crossing is as exact as the integration (relative 1e-12 where it is not tangent).
    """
    system = settling.system
    level = _energy_of_starts(system)
    crossings = [
        (y, saddle)
        for saddle in settling.manifold.points
        if _bounds_a_basin(saddle) and _can_be_reached(system, saddle, level)
        for side in (1.0, -1.0)
        if (y := _crossing(system, saddle, side, level)) is not None
    ]
    crossings.sort(key=lambda pair: pair[0])
    heights = [y for y, _ in crossings]
    fates = [settling.run(Start(system.start_fast, Fraction(sample))) for sample in _samples(heights)]
    result = []
    for i, (y, saddle) in enumerate(crossings):
        a, b = _neighbours(heights, i)
        below, above = fates[a], fates[b]
        names = tuple(t.node.id if t.node is not None else "" for t in (below, above))
        if (below.verdict, names[0]) != (above.verdict, names[1]):
            result.append(Threshold(y, saddle, below.verdict, above.verdict, names[0], names[1]))
    return tuple(result)


def _bounds_a_basin(point: SpecialPoint) -> bool:
    """Whether a point has a one-dimensional (strong) stable manifold: a saddle, or a saddle-node with one."""
    if point.stability is Stability.SADDLE:
        return True
    return point.stability is Stability.CENTER and sorted(v.real for v in point.eigenvalues)[0] < 0.0


def _neighbours(heights: list[float], i: int) -> tuple[int, int]:
    """Return the indices of the samples below and above threshold i: see `_samples`."""
    samples = _samples(heights)
    below = max(k for k, s in enumerate(samples) if s < heights[i])
    above = min(k for k, s in enumerate(samples) if s > heights[i])
    return below, above


def _samples(heights: list[float]) -> list[float]:
    """Return one start in each interval between thresholds; zero is a wall between the signs."""
    if not heights:
        return []
    walls = sorted({*heights, 0.0})
    inner = [0.5 * (a + b) for a, b in itertools.pairwise(walls)]
    # Beyond the outermost by their own size; where zero is the outermost, by that of the others.
    far = max(abs(wall) for wall in walls)
    return [walls[0] - (abs(walls[0]) or far), *inner, walls[-1] + (abs(walls[-1]) or far)]


def _crossing(system: FastSlowSystem, saddle: SpecialPoint, side: float, level: float | None) -> float | None:
    """Return where one half of W^s(saddle) first meets the line of starts, None where it does not."""
    chart = system.chart_of(system.start_fast)
    if chart is None or not chart.holds(saddle.x):
        return None  # an invariant line lies between
    height = max(abs(saddle.y), 1e-300)
    width = float(system.upper - system.lower)
    value, direction = _stable_direction(system, saddle)
    direction = direction / math.hypot(direction[0] / width, direction[1] / height)
    x, y = np.array([saddle.x, saddle.y]) + side * _DEPARTURE * direction
    if not chart.holds(x):
        return None
    solution = integrate(
        polynomial_field,
        system.field_parameters(chart, -1.0),
        chart.to_state(x, y),
        (0.0, 1e15 / abs(value)),
        rtol=_RTOL,
        atol=np.array([1e-16, 1e-16 * height]),
        output="final",
        events=EventSet(
            polynomial_events,
            2,
            terminal=[True, True],
            tolerance=0.0,
            parameters=_section_parameters(system, chart, level),
        ),
        limits=Limits(max_steps=100_000, growth=np.array([_FARTHEST * width, _FARTHEST * height])),
    )
    if solution.status is not Status.EVENT or solution.events[-1].index != 0:
        return None
    start = float(solution.final_state[1])
    try:
        system.check_start(Start(system.start_fast, Fraction(start)))
    except ValueError:
        return None
    return start


def _energy_of_starts(system: FastSlowSystem) -> float | None:
    """Return the energy on the line of starts where it is the same all along, else None.

    Backwards in time energy grows, so what has passed that level never meets the line again.
    """
    if system.energy_polynomial is None:
        return None
    along = at_fast(system.energy_polynomial, rational(system.start_fast))
    return float(fraction(along[0])) if along.degree() <= 0 else None


def _can_be_reached(system: FastSlowSystem, saddle: SpecialPoint, level: float | None) -> bool:
    energy = system.energy(saddle.x, saddle.y)
    return level is None or energy is None or float(energy) < level


def _section_parameters(system: FastSlowSystem, chart: Chart, level: float | None) -> np.ndarray:
    energy = packed(system.energy_polynomial) if level is not None else np.zeros(0)
    # On the line the energy is at the level: a margin lets the crossing be seen first.
    limit = 0.0 if level is None else level + 1e-6 * abs(level)
    head = [SECTION, 5 + len(energy), float(system.start_fast), float(level is not None), limit]
    return np.concatenate((head, energy, system.field_parameters(chart, -1.0)))


def _stable_direction(system: FastSlowSystem, point: SpecialPoint) -> tuple[float, np.ndarray]:
    """Return the stable eigenvalue of the Jacobian and its eigenvector, pointing to larger x."""
    value = min(v.real for v in point.eigenvalues)
    (a, b), (c, d) = system.jacobian(point.x, point.y)
    first, second = np.array([b, value - a]), np.array([value - d, c])
    vector = first if np.linalg.norm(first) >= np.linalg.norm(second) else second
    unit = np.array(vector / np.linalg.norm(vector))
    return value, unit if unit[0] >= 0 else -unit
