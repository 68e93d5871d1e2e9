"""Pieces of a line x = const that the flow returns to themselves: who crosses there goes to a known cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_field
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.special_points import Kind
from fastslow.ode.cycles import Turn
from fastslow.ode.event_sets import section
from fastslow.ode.integrate import Limits, integrate_batch
from fastslow.ode.return_maps import ReturnMap, inside_window
from fastslow.systems.chart import Chart
from fastslow.systems.system import FastSlowSystem

_SHARE = 1e-2
"""Half the height of such a piece, as a share of the height of a turn."""
_PERIODS = 2.0
"""How long a crossing is waited for."""
_RTOL = 1e-8


@dataclass(frozen=True)
class CycleTrap:
    """The piece from `low` to `high` of a line at `x`, which orbits cross with the sign of f; P maps it into itself.

    In the plane the return map P of a piece of a line that is nowhere tangential to the field is monotone: if its ends
    come back into it, so do all points between them, where no equilibrium lies between the turns of both ends, and each
    orbit tends to a cycle through the piece.

    Attributes
    ----------
    x, low, high : float
        The piece.
    sign : int
        The direction in which x crosses.
    period : float
        The time of a turn.
    verdict : str
        The fate of who crosses it.
    """

    x: float
    low: float
    high: float
    sign: int
    period: float
    verdict: str

    def holds(
        self, system: FastSlowSystem, chart: Chart, field: NDArray[np.float64], states: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Return which orbits from states in a chart, shape (N, 2), cross the line next time in this piece."""
        inside = inside_window(system.edges, chart)
        found = integrate_batch(
            polynomial_field,
            field,
            states,
            (0.0, _PERIODS * self.period),
            rtol=_RTOL,
            atol=0.1 * _RTOL * np.array([1.0, min((self.high - self.low) / _SHARE, 1.0)]),
            events=section(field, self.x, inside, 0.0, directions=[self.sign, 1], terminal=[True, True]),
            limits=Limits(max_steps=100_000),
        )
        crossed = np.array([len(events) > 0 and events[-1].index == 0 for events in found.events])
        y = chart.from_state(found.final_states)[1]
        return np.asarray(crossed & (self.low < y) & (y < self.high))


def trap_of(manifold: CriticalManifold, turn: Turn, verdict: str) -> CycleTrap | None:
    """Return the trap at the beginning of a turn; None where the map does not contract enough to show one."""
    system, x, y, near = manifold.system, float(turn.x[0]), float(turn.y[0]), _SHARE * turn.height
    low, high = y - near, y + near
    returns = ReturnMap(system, x, turn.height)
    if not (returns.allows(low) and returns.allows(high) and returns.same_piece(low, high)):
        return None
    found = [returns.turn(start, 1.0, _RTOL) for start in (low, y, high)]
    turns = [one[1] for one in found if one is not None]
    if len(turns) < len(found) or not all(low < float(one.y[-1]) < high for one in turns):
        return None
    if any(len({one.winds_round(point) for one in turns}) > 1 for point in manifold.of_kind(Kind.EQUILIBRIUM)):
        return None
    period = max(one[0] for one in found if one is not None)
    return CycleTrap(x, low, high, 1 if system.f(x, y) > 0.0 else -1, period, verdict)
