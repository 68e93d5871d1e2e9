"""Unstable limit cycles as boundaries between fates: where they cross the line of starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fastslow.ode.clocks import begins, in_pieces
from fastslow.ode.event_sets import section
from fastslow.ode.integrate import Limits
from fastslow.ode.limit_cycles import LimitCycle
from fastslow.systems.system import FastSlowSystem

_RTOL = 1e-12
_TURNS = 2.5
"""Followed backward, where the cycle attracts: the first turns forget how it was begun, the last one counts."""


@dataclass(frozen=True)
class CycleWall:
    """A start on an unstable limit cycle.

    Attributes
    ----------
    id : str
        Of the cycle.
    x, y : float
        The start.
    """

    id: str
    x: float
    y: float


def cycle_walls(system: FastSlowSystem, cycles: Sequence[LimitCycle]) -> list[CycleWall]:
    """Return the starts (start_fast, y) on unstable limit cycles, in order of y: they part inside from outside."""
    unstable = (cycle for cycle in cycles if cycle.exponent > 0.0 and cycle.certainty == "converged")
    x = float(system.start_fast)
    found = {CycleWall(cycle.id, x, y) for cycle in unstable for y in _heights(system, cycle)}
    return sorted(found, key=lambda wall: wall.y)


def _heights(system: FastSlowSystem, cycle: LimitCycle) -> Iterator[float]:
    if not min(cycle.x) < system.start_fast < max(cycle.x):
        return
    x, y = Fraction(cycle.x[0]), Fraction(cycle.y[0])
    chart = system.chart_of(x, y)
    assert chart is not None  # no cycle meets an invariant line
    field, end = system.field_parameters(chart, -1.0), _TURNS * cycle.period
    pieces = in_pieces(
        field,
        chart.state_of(x, y),
        end,
        rtol=_RTOL,
        atol=1e-3 * _RTOL * chart.units(float(y)),
        output="final",
        events=section(field, float(system.start_fast), terminal=[False, False]),
        limits=Limits(max_steps=200_000),
    )
    for begin, piece in zip(begins(pieces), pieces, strict=True):
        for hit in piece.events:
            if hit.index == 0 and end - cycle.period < begin + hit.time:
                yield float(chart.from_state(hit.state)[1])
