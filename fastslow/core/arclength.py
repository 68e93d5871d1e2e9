"""Pseudo-arclength continuation of F(u; p) = 0, F: R^n -> R^(n-1), in one compiled kernel.

One call of `trace` follows one branch in one direction. The kernel is compiled once, over the
function-pointer type of the curve, and serves every model from the disk cache.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, typeof, types

from fastslow.core.corrector import (
    DIVERGED,
    LEAN,
    OUTSIDE_DOMAIN,
    SINGULAR,
    Window,
    correct,
    evaluate_scaled,
    helper,
    largest_residual,
    make_work,
    renew_row_weights,
    tangent_and_determinant,
)  # fmt: skip
from fastslow.core.curve_events import Step, event_values, locate_event, make_scratch
from fastslow.core.signatures import CURVE, MATRIX, VECTOR

# why a trace stopped
LEFT_WINDOW = 0
CLOSED = 1
FULL_LENGTH = 2
FULL_POINTS = 3
STEP_TOO_SMALL = 4
LEFT_DOMAIN = 5
NO_START = 6
SINGULAR_START = 7
RETRACED = 8

LANDED = 0
# an edge that the tangent meets at a smaller angle is touched, not crossed
GRAZING = 1e-6
# a step that turns by `turn` and whose chord is not halfway between its two tangents has jumped
MAX_KINK = 5e-4
MAX_KINK_PER_TURN = 0.2


class StepOptions(NamedTuple):
    """Lengths in scaled variables, angles in radians."""

    first_step: float
    min_step: float
    max_step: float
    max_angle: float
    max_length: float


@helper
def copy(source, target):
    """A loop compiles in a fraction of the time of a slice assignment, which brings its error messages."""
    for j in range(source.size):
        target[j] = source[j]


@helper
def leaves_at_once(u, tangent, window):
    """Whether u is on an edge of the window and the tangent points out of it."""
    for j in range(u.size):
        if (u[j] >= window.upper[j] and tangent[j] > GRAZING) or (u[j] <= window.lower[j] and tangent[j] < -GRAZING):
            return True
    return False


@helper
def advance(curve, p, u0, t0, h, curvature, window, work, u1, t1):
    """Take one step of length h, cut where it meets the edge of the window.

    Return (iterations or negative status, determinant, whether u1 is on the edge and leaves).
    """
    n = u0.size
    cut = False
    # first the edges that the tangent meets within the step, then the plane at distance h
    for edge in range(n + 1):
        reach, bound = h, 0.0
        if edge < n:
            if t0[edge] == 0.0:
                continue
            bound = window.upper[edge] if t0[edge] > 0.0 else window.lower[edge]
            reach = (bound - u0[edge]) / (window.scales[edge] * t0[edge])
            if not reach < h:
                continue
            cut = True
        plane = 0.0
        for j in range(n):
            # the parabola through the last two tangents saves an iteration
            bend = 0.5 * reach * reach * curvature[j]
            u1[j] = u0[j] + window.scales[j] * (reach * t0[j] + bend)
            work.border[j] = t0[j] if edge == n else (1.0 if j == edge else 0.0)
            plane -= work.border[j] * bend
        if edge < n:
            u1[edge] = bound
            plane = 0.0
        status = correct(curve, p, u1, plane, 0.2 * reach + 1e-13, window, work)
        if status < 0:
            if edge == n:
                return status, 0.0, False
            continue
        determinant = tangent_and_determinant(t0, t1, work)
        if edge == n:
            break
        u1[edge] = bound
        if t1[edge] * t0[edge] > 0.0 and abs(t1[edge]) > GRAZING:
            return status, determinant, True
    if cut:
        # the curve must not leave the window and come back within the step
        for j in range(n):
            middle = 0.5 * (u0[j] + u1[j]) + 0.125 * h * window.scales[j] * (t0[j] - t1[j])
            slack = 1e-12 * window.scales[j]
            if not window.lower[j] - slack <= middle <= window.upper[j] + slack:
                return DIVERGED, 0.0, False
    return status, determinant, False


@helper
def measure(u0, t0, u1, t1, scales):
    """Return (length along t0, chord, turning angle, kink) of a step in scaled variables.

    The kink is the angle between the chord and the mean of the two tangents: of second order on
    one smooth branch, of the size of the turning angle after a jump to a neighbouring branch.
    """
    length, square, turn, along, mean = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(u0.size):
        d = (u1[j] - u0[j]) / scales[j]
        length += d * t0[j]
        square += d * d
        turn += (t1[j] - t0[j]) ** 2
        along += d * (t0[j] + t1[j])
        mean += (t0[j] + t1[j]) ** 2
    kink = 0.0
    if square > 1e-24:
        kink = np.sqrt(max(0.0, 1.0 - along * along / (square * mean)))
    return length, np.sqrt(square), np.sqrt(turn), kink


@helper
def hides_two_folds(step, folds, chord, scales):
    """Whether the slope of a coordinate, as a parabola from the ends of the step, nearly dips through zero."""
    for j in folds:
        a, b = step.t0[j], step.t1[j]
        if a * b > 0.0:
            move = (step.u1[j] - step.u0[j]) / (scales[j] * chord)
            # slope = a + c x + e x^2 on 0 <= x <= 1 with the right end and mean
            c = 6.0 * move - 4.0 * a - 2.0 * b
            e = b - a - c
            x = -0.5 * c / e if e != 0.0 else 0.0
            if 0.0 < x < 1.0 and (a + 0.5 * c * x) * a < 0.05 * min(abs(a), abs(b)) * abs(a):
                return True
    return False


@helper
def meets_start(start, start_tangent, u0, t0, u1, t1, scales):
    """1.0 or -1.0 where the step passes through the start, along or against its tangent; 0.0 elsewhere.

    2.0 where a shorter step must decide: the error of the cubic through both ends falls with the fourth
    power of the step, the distance to a different strand stays.
    """
    length, distance, square, along, turned = 0.0, 0.0, 0.0, 1.0, 0.0
    for j in range(start.size):
        d = (start[j] - u0[j]) / scales[j]
        length += t0[j] * (u1[j] - u0[j]) / scales[j]
        distance += d * t0[j]
        square += d * d
        along += t0[j] * t1[j]
        turned += start_tangent[j] * t0[j]
    if not 0.0 < distance <= length * (1.0 + 1e-8) or square > 2.0 * distance * distance:
        return 0.0
    x = distance / length
    arc = 2.0 * length / along
    apart = 0.0
    for j in range(start.size):
        chord = (u1[j] - u0[j]) / scales[j]
        d0, d1 = arc * t0[j], arc * t1[j]
        move = x * (d0 + x * ((3.0 * chord - 2.0 * d0 - d1) + x * (d0 + d1 - 2.0 * chord)))
        apart = max(apart, abs((start[j] - u0[j]) / scales[j] - move))
    if abs(turned) < 0.8 or apart > 0.05 * length:
        return 0.0
    if apart > 1e-4 * length + 1e-13:
        return 2.0
    return 1.0 if turned > 0.0 else -1.0


@helper
def locate_all(curve, p, step, turn, roughness, folds, window, work, scratch, first, points, marks, lengths):
    """Write every event of one step, in order, from row `first`; return how many, or a negative status."""
    count = first
    for which in range(scratch.left.size):
        a, b = scratch.left[which], scratch.right[which]
        if not ((a > 0.0 >= b) or (a < 0.0 <= b)):
            continue
        if which < folds.size and max(abs(a), abs(b)) < 1e-13:
            continue  # a coordinate that does not move at all
        status, distance = locate_event(curve, p, step, which, roughness, folds, window, work, scratch)
        if status < 0:
            return status
        if count == points.shape[0]:
            break
        row = count
        while row > first and lengths[row - 1, 2] > distance:
            copy(lengths[row - 1], lengths[row])
            marks[row, 0] = marks[row - 1, 0]
            copy(points[row - 1], points[row])
            row -= 1
        square = 0.0
        for j in range(step.u0.size):
            square += ((scratch.point[j] - step.u0[j]) / window.scales[j]) ** 2
        part = turn * distance / step.length
        lengths[row, 2] = distance
        lengths[row, 0] = np.sqrt(square) * (1.0 + part * part / 24.0)
        lengths[row, 1] = largest_residual(work)
        marks[row, 0] = which
        copy(scratch.point, points[row])
        count += 1
    return count - first


WINDOW, OPTIONS = typeof(Window(*3 * [np.zeros(1)])), typeof(StepOptions(*5 * [0.0]))
WORK, SCRATCH = typeof(make_work(2, 0)), typeof(make_scratch(2, 1))
INDICES, INDEX_ROWS = types.int64[::1], types.int64[:, ::1]
TRACE = types.int64(
    CURVE, VECTOR, VECTOR, VECTOR, types.float64, WINDOW, INDICES, OPTIONS, WORK, SCRATCH,
    MATRIX, MATRIX, MATRIX, MATRIX, MATRIX, INDEX_ROWS, INDICES,
)  # fmt: skip


@njit(TRACE, cache=True, **LEAN)
def trace(
    curve, p, start, tangent, direction, window, folds, options, work, scratch,
    points, tangents, measures, event_points, event_measures, event_marks, counts,
):  # fmt: skip
    """Follow the curve from `start`; return why it stopped (one of the constants above).

    curve, p : the function (`signatures.CURVE`) and its parameters.
    start, tangent : a point of the curve to rounding error and a unit tangent there, in scaled variables.
    direction : 1.0 or -1.0; only with 1.0 are event functions reported that are zero at the start itself.
    folds : coordinates whose folds (zeros of the tangent component) are wanted.
    points, tangents (capacity, n), measures (capacity, 2: arclength, residual) : written.
    event_points (events, n), event_measures (events, 3: arclength, residual, distance in its step) : written.
    event_marks (events, 2) : kind (fold index, then branch point, then tests) and preceding point.
    work, scratch : `make_work(n, tests)`, `make_scratch(n, folds + 1 + tests)`.
    counts (3,) : points, events, rejected steps.
    """
    n = start.size
    kinds = scratch.values.size
    left, right, begin, largest_rows = scratch.left, scratch.right, scratch.begin, scratch.largest_rows
    counts[2] = 0
    copy(start, points[0])
    copy(tangent, tangents[0])
    copy(tangent, work.border)
    status = correct(curve, p, points[0], 0.0, 1e-3, window, work)
    if status < 0:
        counts[0], counts[1] = 0, 0
        return LEFT_DOMAIN if status == OUTSIDE_DOMAIN else (SINGULAR_START if status == SINGULAR else NO_START)
    determinant = tangent_and_determinant(work.border, tangents[0], work)
    determinant *= renew_row_weights(window, work)
    event_values(tangents[0], determinant, folds, work.tests, left)
    copy(left, begin)
    measures[0, 0] = 0.0
    measures[0, 1] = largest_residual(work)
    for i in range(n - 1):
        largest_rows[i] = 1.0 / work.row_weights[i]
    counts[1] = 0
    # not the literal 0, for which `locate_all` would be compiled a second time
    k, events, h = 0, counts[1], options.first_step
    for j in range(n):
        scratch.curvature[j] = 0.0
    # a zero at the start itself would be seen by neither direction
    for which in range(kinds if direction > 0.0 else 0):
        if left[which] == 0.0 and events < event_points.shape[0]:
            copy(points[0], event_points[events])
            event_measures[events, 0] = 0.0
            event_measures[events, 1] = measures[0, 1]
            event_marks[events, 0] = which
            event_marks[events, 1] = 0
            events += 1
    rejected = False
    while True:
        counts[0] = k + 1
        counts[1] = events
        u0, t0 = points[k], tangents[k]
        if leaves_at_once(u0, t0, window):
            return LEFT_WINDOW
        remaining = options.max_length - measures[k, 0]
        if remaining <= 1e-12:
            return FULL_LENGTH
        if k + 1 == points.shape[0] or events == event_points.shape[0]:
            return FULL_POINTS
        u1, t1 = points[k + 1], tangents[k + 1]
        h = min(h, options.max_step, remaining)
        status, determinant, landed = advance(curve, p, u0, t0, h, scratch.curvature, window, work, u1, t1)
        turn, kink, closing, shorten, found = 0.0, 0.0, 0.0, 0.5, 0
        if status > 0:
            iterations = status
            event_values(t1, determinant, folds, work.tests, right)
            measures[k + 1, 1] = largest_residual(work)
            closing = meets_start(points[0], tangents[0], u0, t0, u1, t1, window.scales) if k > 1 else 0.0
            if abs(closing) == 1.0:
                copy(points[0], u1)
                measures[k + 1, 1] = measures[0, 1]
                for j in range(n):
                    t1[j] = closing * tangents[0, j]
                for which in range(kinds):
                    # the determinant and the tangent turn with the direction, the tests do not
                    right[which] = begin[which] * (closing if which <= folds.size else 1.0)
                    if right[which] == 0.0:
                        right[which] = left[which]  # it was reported at the start
            length, chord, turn, kink = measure(u0, t0, u1, t1, window.scales)
            step = Step(u0, t0, u1, t1, length)
            if not length > 0.0 or closing == 2.0 or kink > MAX_KINK + MAX_KINK_PER_TURN * turn:
                status = DIVERGED
            elif turn > options.max_angle:
                status = DIVERGED
                shorten = max(0.1, min(0.5, 0.7 * options.max_angle / turn))
            elif h > 1e-3 * options.max_step and hides_two_folds(step, folds, chord, window.scales):
                status = DIVERGED
            if status > 0:
                roughness = 0.0
                for i in range(n - 1):
                    largest_rows[i] = max(largest_rows[i], 1.0 / work.row_weights[i])
                    roughness = max(roughness, 1e-13 * largest_rows[i] * work.row_weights[i])
                found = locate_all(
                    curve, p, step, turn, roughness, folds, window, work, scratch, events,
                    event_points, event_marks, event_measures,
                )  # fmt: skip
                status = min(found, 0)
        if status < 0:
            h *= shorten
            rejected = True
            counts[2] += 1
            if h < options.min_step:
                return LEFT_DOMAIN if status == OUTSIDE_DOMAIN else STEP_TOO_SMALL
            continue
        for event in range(events, events + found):
            event_measures[event, 0] += measures[k, 0]
            event_marks[event, 1] = k
        events += found
        for j in range(n):
            scratch.curvature[j] = (t1[j] - t0[j]) / chord if chord > 1e-9 else 0.0
        k += 1
        # a chord and its turning angle give the length of an arc to fourth order
        measures[k, 0] = measures[k - 1, 0] + chord * (1.0 + turn * turn / 24.0)
        copy(right, left)
        if closing != 0.0 or landed:
            counts[0] = k + 1
            counts[1] = events
            return LEFT_WINDOW if closing == 0.0 else (CLOSED if closing > 0.0 else RETRACED)
        if found > 0:
            evaluate_scaled(curve, p, u1, window, work)
        left[folds.size] *= renew_row_weights(window, work)
        straightness = np.sqrt(0.5 * (MAX_KINK + MAX_KINK_PER_TURN * turn) / max(kink, 1e-12))
        grow = min(0.5 * options.max_angle / max(turn, 1e-12), straightness)
        most = 1.0 if rejected or iterations == 5 else (2.0 if iterations < 5 else 0.6)
        h *= max(0.3, min(grow, most))
        rejected = False
