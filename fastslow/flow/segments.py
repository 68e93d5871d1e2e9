"""The pieces of singular orbits, and what becomes of a start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fastslow.manifold.arcs import Arc
from fastslow.manifold.special_points import SpecialPoint
from fastslow.systems.system import Start


class SegmentKind(StrEnum):
    """A fast jump at frozen slow variable, or slow drift along an arc."""

    JUMP = "jump"
    SLOW = "slow"


@dataclass(frozen=True, eq=False)
class Segment:
    """A piece of a singular orbit.

    Attributes
    ----------
    kind : SegmentKind
        Jump or slow drift.
    start, end : tuple of float
        (x, y) of its ends; y may be infinite.
    arc : Arc or None
        The arc that is drifted along, or on which a jump lands (None where it lands on no arc).
    node : SpecialPoint or None
        The special point it ends at.
    energy_drop : float or None
        Energy at the start minus energy at the end, where the model has an energy.
    duration : str
        "fast", "slow", or "infinite" where the end is only approached.
    delayed : bool
        Whether the drift goes on along a repelling arc after a crossing (delayed loss of stability).
    """

    kind: SegmentKind
    start: tuple[float, float]
    end: tuple[float, float]
    arc: Arc | None
    node: SpecialPoint | None
    energy_drop: float | None
    duration: str
    delayed: bool = False


@dataclass(frozen=True, eq=False)
class SingularOrbit:
    """The orbit of a start in the singular limit slow_rate -> 0.

    Attributes
    ----------
    start : Start
        The exact start.
    segments : tuple of Segment
        The staircase, in order.
    verdict : str
        The fate, or "undecided: ..." with the reason.
    end : tuple of float
        The limit (x, y).
    node : SpecialPoint or None
        The special point that is the limit.
    """

    start: Start
    segments: tuple[Segment, ...]
    verdict: str
    end: tuple[float, float]
    node: SpecialPoint | None

    @property
    def undecided(self) -> bool:
        """Whether the singular limit gives no verdict."""
        return self.verdict.startswith("undecided")
