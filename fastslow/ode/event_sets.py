"""The events of trajectories; their functions are in ``fastslow.core.polynomial_events``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from fastslow.core.polynomial_events import SECTION, SETTLING, polynomial_events
from fastslow.ode.solution import EventSet, FloatArray
from fastslow.systems.chart import Chart, ChartKind

NEVER = 1e300
"""A coordinate that no state reaches, far beyond the depth of a line."""
_NEAR_DEPTH = 1e6
"""Depth |w| of an ellipse round an equilibrium on a line y = const, in a chart in which that line is at infinity."""


def section(
    field: FloatArray,
    x: float,
    quantity: FloatArray | None = None,
    level: float = 0.0,
    *,
    directions: Sequence[int] | None = None,
    terminal: Sequence[bool] | None = None,
) -> EventSet:
    """Return the events 0: the line at x is crossed; 1: the quantity (an energy, say) passes the level, falling.

    Parameters
    ----------
    field : ndarray
        Parameters of the field that is followed, which name its chart.
    quantity : ndarray, optional
        A function of (x, y), in a chart of y of (x, w), as ``core.polynomial.evaluate_value`` reads it, such as a
        packed polynomial.
    """
    energy = np.zeros(0) if quantity is None else quantity
    head = [SECTION, 5.0 + len(energy), x, float(quantity is not None), level]
    return EventSet(
        polynomial_events,
        2,
        directions=directions,
        terminal=terminal,
        tolerance=0.0,
        parameters=np.concatenate((head, energy, field)),
    )


def settling(
    field: FloatArray,
    targets: Sequence[Sequence[float]] = (),
    tails: Sequence[Sequence[float]] = (),
    window: Sequence[float] = (),
    chart: Chart | None = None,
) -> EventSet | None:
    """Return the events that end a run when its fate is known; None where there are none.

    Parameters
    ----------
    targets : sequence of (x, y, r, s)
        Ellipses round attracting equilibria.
    tails : sequence of (x_end, side, x_last, sign, y_last, y_end)
        Regions towards the ends of attracting arcs (``fastslow.flow.tails``).
    window : (lower, upper) or (lower, upper, lower, upper), optional
        Edges of x, and of y, that end a run.
    chart : Chart, optional
        The chart of the states; targets, tails and window are given in x and y.
    """
    if chart is not None and chart.slow is not None:
        targets = [_target_in(chart.slow, *row) for row in targets]
        tails = [_tail_in(chart.slow, *row) for row in tails]
        window = (*window[:2], *edges_in(chart.slow, *window[2:]))
    fates, exits = len(targets) + len(tails), len(window)
    if not fates + exits:
        return None
    rows = [number for row in (*targets, *tails, window) for number in row]
    head = [SETTLING, 5.0 + len(rows), len(targets), len(tails), exits]
    # No solution leaves what decides its fate, so that it is enough to ask at the end of each step.
    at_step_end: Literal["step end"] = "step end"
    terminal = [at_step_end if i < fates else True for i in range(fates + exits)]
    return EventSet(
        polynomial_events,
        fates + exits,
        directions=[-1] * (fates + exits),
        terminal=terminal,
        tolerance=0.0,
        parameters=np.concatenate((head, rows, field)),
    )


def edges_in(slow: Chart, *edges: float) -> tuple[float, ...]:
    """Return the edges of y as bounds of its coordinate in a chart; beyond a line they are never reached."""
    ends = sorted(slow.clipped(edge) for edge in edges)
    return tuple(max(-NEVER, min(end, NEVER)) for end in ends)


def _target_in(slow: Chart, x: float, y: float, r: float, s: float) -> tuple[float, float, float, float]:
    """Return the ellipse round an equilibrium in a chart of y; one whose target is on a line goes far towards it."""
    low, high = sorted((slow.clipped(y - s), slow.clipped(y + s)))
    if low == high or (slow.kind is ChartKind.BETWEEN and math.isinf(low) and math.isinf(high)):
        return x, NEVER**0.5, r, 1.0  # on the other side of a line
    low, high = max(low, min(high, 0.0) - _NEAR_DEPTH), min(high, max(low, 0.0) + _NEAR_DEPTH)
    return x, (low + high) / 2, r, (high - low) / 2


def _tail_in(
    slow: Chart, x_end: float, side: float, x_last: float, sign: float, y_last: float, y_end: float
) -> tuple[float, ...]:
    """Return the region of a tail in a chart of y."""
    turned = sign * slow.orientation
    inside = slow.kind is ChartKind.PLAIN or slow.holds(y_last)
    last = slow.clipped(y_last) if inside else turned * NEVER
    end = turned * NEVER if sign * y_end >= NEVER else slow.clipped(y_end)
    return x_end, side, x_last, turned, last, max(-NEVER, min(end, NEVER))
