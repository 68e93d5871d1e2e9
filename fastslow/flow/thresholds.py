"""Exact thresholds of the full system: where stable manifolds of saddles meet the line of starts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastslow.core.polynomial import polynomial_field
from fastslow.core.section import section_events
from fastslow.flow.integrate import EventSet, Limits, integrate
from fastslow.flow.solution import Status
from fastslow.flow.trajectories import Settling
from fastslow.manifold.special_points import SpecialPoint, Stability
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
        if saddle.stability is Stability.SADDLE and _can_be_reached(system, saddle, level)
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
    return [walls[0] - max(1.0, abs(walls[0])), *inner, walls[-1] + max(1.0, abs(walls[-1]))]


def _crossing(system: FastSlowSystem, saddle: SpecialPoint, side: float, level: float | None) -> float | None:
    """Return where one half of W^s(saddle) first meets the line of starts, None where it does not."""
    direction = _stable_direction(system, saddle)
    u = np.array([saddle.x, saddle.y])
    if system.invariant_window and saddle.x in (float(system.lower), float(system.upper)):
        return None  # its stable manifold is the invariant line
    u = u + side * _DEPARTURE * direction
    u[0] = float(system.to_chart(u[0]))
    parameters = system.field_parameters.copy()
    parameters[0] = -1.0
    solution = integrate(
        polynomial_field,
        parameters,
        u,
        (0.0, 1e12),
        rtol=_RTOL,
        atol=np.array([1e-16, 1e-16]) * max(1.0, abs(saddle.y)),
        output="final",
        events=EventSet(
            section_events,
            2,
            terminal=[True, True],
            tolerance=0.0,
            parameters=_section_parameters(system, level),
        ),
        limits=Limits(max_steps=100_000, growth=np.array([40.0 if system.invariant_window else 1e6, _FARTHEST])),
    )
    if solution.status is not Status.EVENT or solution.events[-1].index != 0:
        return None
    height = float(solution.final_state[1])
    try:
        system.check_start(Start(system.start_fast, Fraction(height)))
    except ValueError:
        return None
    return height


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


def _section_parameters(system: FastSlowSystem, level: float | None) -> np.ndarray:
    energy = packed(system.energy_polynomial) if level is not None else np.zeros(0)
    # On the line the energy is at the level: a margin lets the crossing be seen first.
    limit = 0.0 if level is None else level + 1e-6 * (1.0 + abs(level))
    head = [float(system.start_fast), *system.field_parameters[2:5], float(level is not None), limit]
    return np.concatenate((np.array(head), energy))


def _stable_direction(system: FastSlowSystem, saddle: SpecialPoint) -> np.ndarray:
    """Return the unit stable eigenvector of the Jacobian at a saddle, pointing to larger x."""
    value = min(v.real for v in saddle.eigenvalues)
    (a, b), (c, d) = system.jacobian(saddle.x, saddle.y)
    first, second = np.array([b, value - a]), np.array([value - d, c])
    vector = first if np.linalg.norm(first) >= np.linalg.norm(second) else second
    scaled = np.array(vector / np.linalg.norm(vector))
    return scaled if scaled[0] >= 0 else -scaled
