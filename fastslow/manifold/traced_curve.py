"""What following a curve takes and gives: the options, the curve, its special points, why it ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError

Array = NDArray[np.float64]


class StopReason(StrEnum):
    """Why a direction of a traced curve ended."""

    WINDOW = "window"
    CLOSED = "closed"
    LENGTH = "length"
    MAX_POINTS = "max points"
    MIN_STEP = "step below minimum"
    DOMAIN = "domain"
    NO_START = "no convergence at start"
    SINGULAR_START = "singular start"
    RETRACED = "retraced"

    @property
    def sentence(self) -> str:
        """What happened and, where it is not the end of the branch, what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    StopReason.WINDOW: "The branch leaves the window; the last point is on its edge.",
    StopReason.CLOSED: "The branch is a closed loop; the last point is the first one.",
    StopReason.LENGTH: "The branch reached the length that was asked for (max_length).",
    StopReason.MAX_POINTS: "The points that were allowed are used up; raise max_points or max_step.",
    StopReason.MIN_STEP: "No step longer than min_step could be taken: the curve is singular or not "
    "smooth here, or another branch is nearer than min_step.",
    StopReason.DOMAIN: "The branch reaches the edge of the domain of its equations.",
    StopReason.NO_START: "Newton's method from the start found no point of the curve in the window; "
    "give a start nearer to the curve.",
    StopReason.SINGULAR_START: "The curve has no unique tangent at the start (a crossing, or a degenerate "
    "equation); start at another point of the branch.",
    StopReason.RETRACED: "The branch came back to its start against its first direction, which no smooth "
    "curve does; lower max_step.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationOptions:
    """How a curve is followed; lengths are in scaled variables u / scale, angles in radians.

    Attributes
    ----------
    first_step, min_step, max_step : float
        Bounds of the distance between points.
    max_angle : float
        Largest turn of the tangent from one point to the next, below pi / 4.
    max_length : float
        Largest arclength in each direction.
    max_points : int
        Largest number of points, and of events, in each direction.
    """

    first_step: float = 2e-3
    min_step: float = 1e-10
    max_step: float = 2e-2
    max_angle: float = 0.2
    max_length: float = math.inf
    max_points: int = 20_000

    def __post_init__(self) -> None:
        if not 0.0 < self.min_step <= self.max_step < math.inf:
            raise InputError("min_step", self.min_step, "must be positive and not above a finite max_step")
        if not 0.0 < self.first_step < math.inf:
            raise InputError("first_step", self.first_step, "must be positive and finite")
        if not 0.0 < self.max_angle < 0.25 * math.pi:
            raise InputError("max_angle", self.max_angle, "must be between 0 and pi / 4 radians", "Try 0.2")
        if not self.max_length > 0.0:
            raise InputError("max_length", self.max_length, "must be positive", "Use math.inf for no bound")
        if self.max_points != int(self.max_points) or self.max_points < 2:
            raise InputError("max_points", self.max_points, "must be a whole number above 1")


@dataclass(frozen=True, slots=True)
class CurveEvent:
    """A special point of a curve.

    Attributes
    ----------
    kind : str
        "fold", "branch point", or the name of a test function.
    point : ndarray, shape (n,)
        On the curve to rounding error.
    arclength : float
        Along the joined curve, in scaled variables.
    index : int
        The point of the curve that precedes it.
    residual : float
        Largest abs(F_i) there.
    coordinate : int or None
        For a fold, the coordinate that turns back: its tangent component is zero.
    """

    kind: str
    point: Array
    arclength: float
    index: int
    residual: float
    coordinate: int | None = None


@dataclass(frozen=True, slots=True)
class TracedCurve:
    """A branch of F(u) = 0 as an ordered list of points, kept also where following it failed.

    Attributes
    ----------
    points, tangents : ndarray, shape (N, n)
        Points, and unit tangents in the scaled variables, in the direction of the list.
    arclength : ndarray, shape (N,)
        From the first point, in scaled variables, to fourth order in the distance of the points.
    events : tuple of CurveEvent
        In order of arclength.
    stop_reasons : (StopReason, StopReason)
        At the first and at the last point.
    closed : bool
        Whether the curve is a loop; then the last point equals the first.
    max_residual : float
        Largest abs(F_i) over all points.
    start_index : int
        The point to which the start was corrected.
    rejected_steps : int
    scales : ndarray, shape (n,)
    options : ContinuationOptions
    """

    points: Array
    tangents: Array
    arclength: Array
    events: tuple[CurveEvent, ...]
    stop_reasons: tuple[StopReason, StopReason]
    closed: bool
    max_residual: float
    start_index: int
    rejected_steps: int
    scales: Array
    options: ContinuationOptions

    @property
    def converged(self) -> bool:
        """Whether the start was on a regular branch, so that there is a curve at all."""
        return len(self.points) > 0

    @property
    def status_sentence(self) -> str:
        """What happened at both ends."""
        first, last = self.stop_reasons
        if first == last:
            return first.sentence
        return f"At the first point: {first.sentence} At the last point: {last.sentence}"

    def events_of(self, kind: str) -> tuple[CurveEvent, ...]:
        """The events of one kind, in order of arclength."""
        return tuple(event for event in self.events if event.kind == kind)
