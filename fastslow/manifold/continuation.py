"""A curve F(u; p) = 0 in a window: followed both ways from a start, with its special points located.

The numbers come from the kernel `fastslow.core.arclength.trace`; here the input is checked, the two
directions are joined, and each status becomes a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import config
from numpy.typing import ArrayLike, NDArray

from fastslow.core import arclength as kernel
from fastslow.core.corrector import Window, make_work
from fastslow.core.curve_events import make_scratch
from fastslow.core.signatures import CURVE
from fastslow.errors import InputError
from fastslow.manifold.traced_curve import Array, ContinuationOptions, CurveEvent, StopReason, TracedCurve

__all__ = ["ContinuationOptions", "CurveEvent", "StopReason", "TracedCurve", "trace_curve"]

_REASONS = {
    kernel.LEFT_WINDOW: StopReason.WINDOW,
    kernel.CLOSED: StopReason.CLOSED,
    kernel.FULL_LENGTH: StopReason.LENGTH,
    kernel.FULL_POINTS: StopReason.MAX_POINTS,
    kernel.STEP_TOO_SMALL: StopReason.MIN_STEP,
    kernel.LEFT_DOMAIN: StopReason.DOMAIN,
    kernel.NO_START: StopReason.NO_START,
    kernel.SINGULAR_START: StopReason.SINGULAR_START,
    kernel.RETRACED: StopReason.RETRACED,
}


@dataclass(frozen=True, slots=True)
class _Half:
    """What the kernel wrote for one direction."""

    reason: StopReason
    points: Array
    tangents: Array
    measures: Array
    event_points: Array
    event_measures: Array
    event_marks: NDArray[np.int64]
    rejected: int


def trace_curve(
    curve: Callable[..., int],
    parameters: ArrayLike,
    start: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    scales: ArrayLike | None = None,
    fold_coordinates: Iterable[int] = (),
    test_names: Sequence[str] = (),
    options: ContinuationOptions | None = None,
) -> TracedCurve:
    """Follow the curve F(u; p) = 0, F: R^n -> R^(n-1), through a window, by pseudo-arclength continuation.

    The point at distance h along the unit tangent t of the last point u_k solves
    F(u) = 0, t . (u - u_k) / scale = h by Newton's method; the next tangent spans the null
    space of the Jacobian. Steps are as long as the turn of the tangent, the iteration count and
    the agreement of chord and tangents allow. F is never evaluated outside the window.

    Parameters
    ----------
    curve : compiled function
        ``curve(u, p, residual, jacobian, tests) -> int``, compiled with
        ``numba.njit(CURVE.signature)``: writes F (n-1,), dF_i/du_j (n-1, n), analytic, and its test
        functions; returns 0, or a positive number outside its domain. F should be O(1)-smooth
        relative to `scales`; its rows may have any units.
    parameters : array_like, shape (m,)
        Passed on as `p`.
    start : array_like, shape (n,)
        A guess inside the window, moved onto the curve by the shortest corrections.
    lower, upper : array_like, shape (n,)
        The window; infinite where there is no bound.
    scales : array_like, shape (n,), optional
        The unit of length of each variable: the width of the window, or max(1, abs(start)) where
        that is infinite.
    fold_coordinates : iterable of int
        The coordinates whose turning points are wanted.
    test_names : sequence of str
        One for each test function that `curve` writes.
    options : ContinuationOptions, optional
        Step sizes and limits.

    Returns
    -------
    TracedCurve
        Both directions joined, ordered so that the largest component of the tangent at the start
        is positive. A start that fails gives no points and the reason.

    Raises
    ------
    InputError
        A value that cannot be used, before anything is computed.

    Notes
    -----
    A part of the curve outside the window that is thinner than the sagitta of one step can be passed
    over. Branch points are crossed straight on. A pair of zeros of one test function within one step
    is not seen; a pair of folds is, down to about 1e-3 max_step.

    References
    ----------
    H. B. Keller, Numerical solution of bifurcation and nonlinear eigenvalue problems, 1977.
    W. Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria, SIAM, 2000.
    """
    options = options if options is not None else ContinuationOptions()
    compiled = not config.DISABLE_JIT  # type: ignore[attr-defined]  # set from the environment
    if compiled and CURVE.signature not in getattr(curve, "nopython_signatures", ()):
        raise InputError(
            "curve", curve, "must be compiled for the CURVE type", "Decorate it with @njit(CURVE.signature)"
        )
    u = _vector("start", start, None)
    n = u.size
    if n < 2:
        raise InputError("start", start, "a curve needs at least two variables")
    p = _vector("parameters", parameters, None)
    low, high = _bounds(lower, upper, n)
    if not (np.all(low <= u) and np.all(u <= high)):
        raise InputError("start", start, "must lie in the window lower <= u <= upper", "Move it or widen the window")
    width = high - low
    unit = np.where(np.isfinite(width), width, np.maximum(1.0, np.abs(u)))
    if scales is not None:
        unit = _vector("scales", scales, n)
        if not np.all(unit > 0.0):
            raise InputError("scales", scales, "must be positive", "Leave it out to use the window's widths")
    folds = np.array(list(fold_coordinates), dtype=np.int64).reshape(-1)
    if folds.size and not (folds.min() >= 0 and folds.max() < n):
        raise InputError("fold_coordinates", tuple(folds), f"must be indices from 0 to {n - 1}")
    if isinstance(test_names, str):
        raise InputError("test_names", test_names, "must be a sequence of names", "Put the name in a tuple")

    window = Window(low, high, unit)

    on_curve, tangent, failure = _settle(curve, p, u, window, len(test_names))

    def run(direction: float) -> _Half:
        return _run(curve, p, on_curve, direction * tangent, direction, window, folds, len(test_names), options)

    ahead = _nothing(failure, n) if failure is not None else run(1.0)
    closed = ahead.reason is StopReason.CLOSED
    back = run(-1.0) if len(ahead.points) and not closed else None
    return _join(back, ahead, folds, test_names, unit, options)


def _settle(
    curve: Callable[..., int], p: Array, guess: Array, window: Window, test_count: int
) -> tuple[Array, Array, StopReason | None]:
    """Move a guess onto the curve by the shortest scaled corrections (Gauss-Newton); also the unit tangent there.

    A correction that leaves the window is projected, and the next ones move along that edge.
    """
    n = guess.size
    residual, jacobian, tests = np.zeros(n - 1), np.zeros((n - 1, n)), np.zeros(test_count)
    lower, upper, scales = window
    u, step, size, previous = guess.copy(), np.zeros(n), math.inf, math.inf
    free = np.ones(n, dtype=bool)
    for _ in range(60):
        if curve(u, p, residual, jacobian, tests) != 0 or not (
            np.isfinite(residual).all() and np.isfinite(jacobian).all()
        ):
            if previous == math.inf:
                return u, step, StopReason.DOMAIN
            step = 0.5 * step
            u = u - scales * step
            continue
        scaled = jacobian * scales
        rows = np.abs(scaled).max(axis=1)
        rows[rows == 0.0] = 1.0
        scaled /= rows[:, None]
        left, singular, right = np.linalg.svd(scaled)
        if not singular[-1] > 1e-12 * max(1.0, singular[0]):
            return u, step, StopReason.SINGULAR_START
        if size <= 1e-14 or (previous <= 1e-10 and size >= 0.5 * previous):
            tangent = right[-1] * np.sign(right[-1][np.argmax(np.abs(right[-1]))])
            return u, np.ascontiguousarray(tangent), None
        previous = size
        step = -(right[:-1].T @ ((left.T @ (residual / rows)) / singular))
        if not free.all():
            step = np.zeros(n)
            step[free] = -np.linalg.lstsq(scaled[:, free], residual / rows, rcond=None)[0]
        # no further than half the window at once: a wild correction is rarely a good one
        size = float(np.max(np.abs(step)))
        step *= min(1.0, 0.5 / max(size, 0.5))
        moved = u + scales * step
        u = np.clip(moved, lower, upper)
        if (u != moved).any():
            free = u == moved
            size = math.inf
    return u, step, StopReason.NO_START


def _nothing(reason: StopReason, n: int) -> _Half:
    none, marks = np.empty((0, n)), np.empty((0, 2), np.int64)
    return _Half(reason, none, none, np.empty((0, 2)), none, np.empty((0, 2)), marks, 0)


def _run(
    curve: Callable[..., int],
    p: Array,
    start: Array,
    tangent: Array,
    direction: float,
    window: Window,
    folds: NDArray[np.int64],
    test_count: int,
    options: ContinuationOptions,
) -> _Half:
    """Call the kernel for one direction and keep what it wrote."""
    n, capacity = start.size, int(options.max_points)
    steps = kernel.StepOptions(
        options.first_step, options.min_step, options.max_step, options.max_angle, options.max_length
    )
    points, tangents, event_points = (np.empty((capacity, n)) for _ in range(3))
    measures, event_measures = np.empty((capacity, 2)), np.empty((capacity, 3))
    event_marks = np.empty((capacity, 2), np.int64)
    counts = np.zeros(3, np.int64)
    status = kernel.trace(
        curve, p, start, tangent, direction, window, folds, steps,
        make_work(n, test_count), make_scratch(n, folds.size + 1 + test_count),
        points, tangents, measures, event_points, event_measures, event_marks, counts,
    )  # fmt: skip
    size, events, rejected = (int(count) for count in counts)
    return _Half(
        _REASONS[int(status)],
        points[:size].copy(),
        tangents[:size].copy(),
        measures[:size].copy(),
        event_points[:events].copy(),
        event_measures[:events, :2].copy(),
        event_marks[:events].copy(),
        rejected,
    )


def _join(
    back: _Half | None,
    ahead: _Half,
    folds: NDArray[np.int64],
    test_names: Sequence[str],
    scales: Array,
    options: ContinuationOptions,
) -> TracedCurve:
    """Put the reversed backward half before the forward half."""
    kinds: list[tuple[str, int | None]] = [("fold", int(j)) for j in folds]
    kinds += [("branch point", None), *((str(name), None) for name in test_names)]
    points, tangents, arclength = ahead.points, ahead.tangents, ahead.measures[:, 0]
    offset, origin = 0, 0.0
    if back is not None:
        offset, origin = len(back.points) - 1, float(back.measures[-1, 0])
        points = np.concatenate((back.points[:0:-1], points))
        tangents = np.concatenate((-back.tangents[:0:-1], tangents))
        arclength = np.concatenate((origin - back.measures[:0:-1, 0], origin + arclength))

    def turns_at_start(coordinate: int) -> bool:
        """Whether a tangent component that is zero at the start changes its sign there."""
        closed = ahead.reason is StopReason.CLOSED
        before, after = -2 if closed else max(offset - 1, 0), min(offset + 1, len(tangents) - 1)
        return bool(tangents[before, coordinate] * tangents[after, coordinate] < 0.0)

    def events_of(half: _Half, sign: int) -> list[CurveEvent]:
        events = []
        for point, (position, residual), (kind, index) in zip(
            half.event_points, half.event_measures.tolist(), half.event_marks.tolist(), strict=True
        ):
            name, coordinate = kinds[kind]
            if position == 0.0 and coordinate is not None and not turns_at_start(coordinate):
                continue
            before = offset + index if sign > 0 else offset - 1 - index
            events.append(CurveEvent(name, point, origin + sign * position, before, residual, coordinate))
        return events[::sign]

    events = (events_of(back, -1) if back is not None else []) + events_of(ahead, 1)
    halves = (ahead,) if back is None else (back, ahead)
    residuals = [float(half.measures[:, 1].max()) for half in halves if len(half.measures)]
    return TracedCurve(
        points=points,
        tangents=tangents,
        arclength=arclength,
        events=tuple(events),
        stop_reasons=(halves[0].reason, ahead.reason),
        closed=ahead.reason is StopReason.CLOSED,
        max_residual=max(residuals, default=math.inf),
        start_index=offset,
        rejected_steps=sum(half.rejected for half in halves),
        scales=scales,
        options=options,
    )


def _vector(field: str, value: Any, size: int | None, *, infinite: bool = False) -> Array:
    """A contiguous float vector of finite numbers (or of infinite ones too), or an InputError."""
    try:
        vector = np.ascontiguousarray(value, dtype=np.float64).copy()
    except (TypeError, ValueError):
        raise InputError(field, value, "must be an array of real numbers") from None
    if np.ndim(value) != 1 or (size is not None and vector.size != size):
        raise InputError(field, value, f"must be a vector of {'any length' if size is None else f'length {size}'}")
    if np.isnan(vector).any() or not (infinite or np.isfinite(vector).all()):
        raise InputError(field, value, "must not contain NaN" if infinite else "must contain finite numbers only")
    return vector


def _bounds(lower: ArrayLike, upper: ArrayLike, n: int) -> tuple[Array, Array]:
    low = _vector("lower", lower, n, infinite=True)
    high = _vector("upper", upper, n, infinite=True)
    if not np.all(low < high):
        raise InputError("lower", lower, f"must be below upper = {upper!r} in every variable")
    return low, high
