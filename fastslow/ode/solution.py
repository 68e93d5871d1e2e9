"""What an integration is asked and what it answers: events, limits, statuses, solutions; and checks of input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError

FloatArray = NDArray[np.float64]
Compiled = Callable[..., int]
"""A numba function with the signature of `FIELD` or `EVENTS` in `fastslow.core.signatures`."""

LEAST_RTOL = 1e-14
MOST_UNKNOWNS = 64
FIRST_PIECE = 1000
"""Steps of the first piece of work; later ones are sized by the clock."""


class Status(StrEnum):
    """Why an integration ended, in the order of the kernel's codes."""

    DONE = "done"
    EVENT = "event"
    MAX_STEPS = "max steps"
    STEP_TOO_SMALL = "step too small"
    GROWTH = "growth limit"
    OUTSIDE = "outside the domain"
    SINGULAR = "singular matrix"
    EVENTS_OUTSIDE = "events outside their domain"


STATUSES = tuple(Status)
SENTENCES = {
    Status.DONE: "Reached the end of the time span, t = {t}.",
    Status.EVENT: "Stopped by a terminal event at t = {t}.",
    Status.MAX_STEPS: "Stopped at t = {t} after the largest allowed number of steps.",
    Status.STEP_TOO_SMALL: "Stopped at t = {t}: the tolerance needs a step below the smallest one.",
    Status.GROWTH: "Stopped at t = {t}: a component passed its growth limit.",
    Status.OUTSIDE: "Stopped at t = {t}: the right-hand side is outside its domain or not finite there.",
    Status.SINGULAR: "Stopped at t = {t}: the matrix of the step is singular for every step length.",
    Status.EVENTS_OUTSIDE: "Stopped at t = {t}: an event function is outside its domain or not finite.",
}


def sentence(status: Status, t: float) -> str:
    """Why an integration ended, in words."""
    return SENTENCES[status].format(t=shown(t))


def shown(t: float) -> str:
    """The shortest text that reads back to the same number."""
    return repr(float(t)).removesuffix(".0")


@dataclass(frozen=True)
class EventSet:
    """Functions whose zeros along a solution are wanted.

    Parameters
    ----------
    function : compiled function of type EVENTS
        ``function(u, p, values) -> 0``, or a positive number outside its domain. Each step is sampled at ten points
        (and dips between them are followed): a function that oscillates faster than the solution needs a
        `Limits.max_step`.
    count : int
        Length of `values`.
    directions : sequence of int, optional
        1 for rising values, -1 for falling, 0 for both and for tangential zeros, along the integration.
    terminal : sequence of bool or "step end", optional
        Whether a crossing ends the run; tangential zeros never do. "step end": a function that is negative at the
        end of a step ends the run there, and its zeros are not located, which costs a tenth.
    tolerance : float or sequence of float
        Values this close to zero count as zero where signs are compared; a minimum of |value| below it is a
        tangential zero. In the units of the event function.
    parameters : array_like, optional
        Parameters of the event functions; those of the field unless given.
    """

    function: Compiled
    count: int
    directions: Sequence[int] | None = None
    terminal: Sequence[bool | Literal["step end"]] | None = None
    tolerance: float | Sequence[float] = 1e-10
    parameters: ArrayLike | None = None

    def options(self) -> FloatArray:
        """The kernel's (3, count) array of directions, terminal flags and tolerances."""
        if isinstance(self.count, bool) or not isinstance(self.count, int | np.integer) or self.count < 1:
            raise InputError("events.count", self.count, "must be a whole number, at least 1")
        rows = np.zeros((3, self.count))
        marks = np.asarray(self.terminal, dtype=object)
        terminal = None if self.terminal is None else np.where(marks == "step end", 2.0, marks).tolist()
        given = (("directions", self.directions), ("terminal", terminal), ("tolerance", self.tolerance))
        for row, (name, value) in zip(rows, given, strict=True):
            if value is None:
                continue
            array = real_numbers(f"events.{name}", value)
            if array.shape not in {(), (self.count,)} or (array.ndim == 0 and name != "tolerance"):
                raise InputError(f"events.{name}", value, f"must have {self.count} values, one for each function")
            row[:] = array
        if not np.isin(rows[0], (-1.0, 0.0, 1.0)).all():
            raise InputError("events.directions", self.directions, "must be -1, 0 or 1")
        if not np.isin(rows[1], (0.0, 1.0, 2.0)).all():
            raise InputError("events.terminal", self.terminal, 'must be true, false or "step end"')
        if not (np.isfinite(rows[2]).all() and (rows[2] >= 0.0).all()):
            raise InputError("events.tolerance", self.tolerance, "must be finite and not negative")
        return rows


@dataclass(frozen=True)
class Limits:
    """Bounds on an integration.

    Parameters
    ----------
    max_steps : int
        Steps tried, accepted or not.
    max_step, min_step : float
        Largest and smallest step, in time units.
    first_step : float, optional
        Length of the first step; chosen from F and its Jacobian unless given.
    growth : float or array_like
        The run stops when |u_i| exceeds it, for any i.
    """

    max_steps: int = 1_000_000
    max_step: float = np.inf
    min_step: float = 0.0
    first_step: float | None = None
    growth: ArrayLike = np.inf


@dataclass(frozen=True)
class EventHit:
    """A zero of an event function: `kind` is crossing or tangential, `direction` 0 for tangential ones."""

    index: int
    time: float
    state: FloatArray
    kind: Literal["crossing", "tangential"]
    direction: int


@dataclass(frozen=True)
class Solution:
    """A trajectory; `t` (k,) and `u` (k, n) are the output asked for, `final_*` where the run ended."""

    t: FloatArray
    u: FloatArray
    status: Status
    sentence: str
    events: tuple[EventHit, ...]
    final_time: float
    final_state: FloatArray
    n_steps: int
    n_rejected: int
    n_field_calls: int
    solver: str
    rtol: float
    atol: FloatArray


@dataclass(frozen=True)
class BatchSolution:
    """Ends of N trajectories: `final_states` (N, n), `statuses`, and the `events` of each."""

    final_times: FloatArray
    final_states: FloatArray
    statuses: tuple[Status, ...]
    events: tuple[tuple[EventHit, ...], ...]
    n_steps: NDArray[np.int64]
    n_rejected: NDArray[np.int64]
    rtol: float
    atol: FloatArray


def plan(
    n: int, t_span: tuple[float, float], rtol: float, atol: ArrayLike, limits: Limits
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The kernel's clock, options and scales."""
    span = real_numbers("t_span", t_span)
    if span.shape != (2,) or not np.isfinite(span).all():
        raise InputError("t_span", t_span, "must be two finite times")
    if abs(0.5 * span[1] - 0.5 * span[0]) > 0.5 * np.finfo(float).max:
        raise InputError("t_span", t_span, "must be shorter than the largest double")
    accuracy = real_numbers("rtol", rtol)
    if accuracy.shape != () or not LEAST_RTOL <= accuracy < 1.0:
        raise InputError("rtol", rtol, f"must be one number from {LEAST_RTOL:g} to below 1")
    if not isinstance(limits, Limits):
        raise InputError("limits", limits, "must be a Limits", "For example Limits(max_steps=1000)")
    scales = np.empty((2, n))
    for row, name, value in ((0, "atol", atol), (1, "limits.growth", limits.growth)):
        array = real_numbers(name, value)
        if array.shape not in {(), (n,)} or not (array > 0.0).all():
            raise InputError(name, value, f"must be positive, one number or {n} numbers")
        scales[row] = array
    if not np.isfinite(scales[0]).all():
        raise InputError("atol", atol, "must be finite")
    most, longest, shortest = (
        number(f"limits.{name}", getattr(limits, name)) for name in ("max_steps", "max_step", "min_step")
    )
    if not most >= 1:
        raise InputError("limits.max_steps", limits.max_steps, "must be at least 1")
    if not longest > 0.0:
        raise InputError("limits.max_step", limits.max_step, "must be positive")
    if not 0.0 <= shortest <= longest:
        raise InputError("limits.min_step", limits.min_step, "must be from 0 to max_step")
    clock = np.array([span[0], span[1], 0.0, 0.0, 0.0])
    if limits.first_step is not None:
        first = number("limits.first_step", limits.first_step)
        if not 0.0 < first < np.inf or first < shortest:
            raise InputError("limits.first_step", limits.first_step, "must be positive, finite and at least min_step")
        clock[2] = np.copysign(first, span[1] - span[0])
    options = np.array([float(accuracy), longest, shortest, most, FIRST_PIECE, 0.0])
    return clock, options, scales


def number(name: str, value: Any) -> float:
    """One real number, NaN where it is None."""
    array = real_numbers(name, value)
    if array.shape != ():
        raise InputError(name, value, "must be one number")
    return float(array)


def check_size(name: str, n: int) -> None:
    """Refuse systems without unknowns, or with more than the dense linear algebra is meant for."""
    if not 1 <= n <= MOST_UNKNOWNS:
        raise InputError(name, n, f"must have 1 to {MOST_UNKNOWNS} components")


def vector(name: str, value: ArrayLike) -> FloatArray:
    """A finite one-dimensional copy."""
    return _finite(name, value, 1)


def _finite(name: str, value: ArrayLike, ndim: int) -> FloatArray:
    array = real_numbers(name, value)
    if array.ndim != ndim:
        raise InputError(name, value, f"must be an array of {ndim} dimension(s), has {array.ndim}")
    if not np.isfinite(array).all():
        raise InputError(name, value, "must be finite")
    return array


def real_numbers(name: str, value: Any) -> FloatArray:
    """A copy as an array of doubles."""
    try:
        return np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(name, value, "must be real numbers") from error


def table(name: str, value: ArrayLike, count: int | None) -> FloatArray:
    """A two-dimensional array; with `count`, one row or that many, and a vector is one row."""
    array = _finite(name, np.atleast_2d(real_numbers(name, value)) if count is not None else value, 2)
    if count is not None and array.shape[0] not in {1, count}:
        raise InputError(name, value, f"must have 1 or {count} rows")
    return array


def output_times(output: Any, begin: float, end: float) -> FloatArray | None:
    """The requested times in order, or None where `output` is a word."""
    if isinstance(output, str):
        if output not in {"steps", "final"}:
            raise InputError("output", output, "must be 'steps', 'final' or an array of times")
        return None
    times = vector("output", output)
    low, high = min(begin, end), max(begin, end)
    if times.size and not (low <= times.min() and times.max() <= high):
        raise InputError("output", output, "must lie within t_span")
    if (np.diff(times) * np.copysign(1.0, end - begin) < 0.0).any():
        raise InputError("output", output, "must run from the start of t_span to its end")
    return times


def event_parameters(events: EventSet | None, p: FloatArray) -> FloatArray:
    """The parameters that the event functions get."""
    own = own_parameters(events)
    return p if own is None else vector("events.parameters", own)


def own_parameters(events: EventSet | None) -> ArrayLike | None:
    """The parameters that events have of their own, if any."""
    if events is not None and not isinstance(events, EventSet):
        raise InputError("events", events, "must be an EventSet", "It takes the compiled function and how many it has")
    return None if events is None else events.parameters
