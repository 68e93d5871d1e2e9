"""The events of trajectories; their functions are in ``fastslow.core.polynomial_events``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fastslow.core.polynomial_events import SECTION, SETTLING, polynomial_events
from fastslow.ode.solution import EventSet, FloatArray


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
        A function of (x, y) as ``core.polynomial.evaluate_value`` reads it, such as a packed polynomial.
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
    """
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
