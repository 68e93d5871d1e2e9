"""Adaptive integration of an autonomous stiff system u' = F(u; p) by Rodas5P.

`advance` takes a trajectory on by a limited number of steps and leaves all it
needs to go on in its arrays, so that a caller can work in pieces: pieces give
the same numbers, bit for bit, as one go. Zeros of event functions are sought by
`fastslow.core.step_events`; the public module is `fastslow.ode.integrate`.

Arrays of `advance` (n unknowns, m events):

clock (5,)
    TIME, END, the STEP to try next (0: choose one), and the controller's memory.
counters (8,) of int64
    Set all to 0 at a start; ROWS and HITS to 0 to empty the buffers.
options (6,)
    RTOL, MAX_STEP, MIN_STEP, MAX_STEPS, PIECE_STEPS, OUTPUT.
scales (2, n)
    Absolute tolerances; bounds on |u_i|, beyond which the run stops.
times (k,), rows (k or more, 1 + n)
    Output as (t, u): rows for the requested times, or for each accepted step.
event_options (3, m), event_memory (2, m), hits (c, 4 + n)
    See `step_events`.
"""

import math

import numpy as np

from fastslow.core.calls import call_events, call_field
from fastslow.core.planar_step import take_step
from fastslow.core.rodas5p import (
    HELPER,
    JACOBIAN,
    SLOPE,
    STAGES,
    STATE,
    STEP_FINE,
    STEP_OUTSIDE,
    WORK_ROWS,
    all_finite,
    dense_state,
    prepare_dense,
)
from fastslow.core.step_events import (
    HIT_TIME,
    HITS_PER_STEP,
    NO_TERMINAL,
    SCAN_FAILED,
    check_end,
    remember_start,
    scan_step,
    to_be_located,
)

DONE = 0
EVENT = 1
MAX_STEPS_REACHED = 2
STEP_TOO_SMALL = 3
GROWTH = 4
OUTSIDE = 5
SINGULAR = 6
EVENTS_OUTSIDE = 7
PAUSED = 10
"""The piece is used up or a buffer is full: empty the buffers and call again."""

TIME, END, STEP, STEP_BEFORE, IDEAL_BEFORE = range(5)
ACCEPTED, REJECTED, ROWS, HITS, NEXT_TIME, AFTER_REJECTION, FIELD_CALLS, CAUSE = range(8)
RTOL, MAX_STEP, MIN_STEP, MAX_STEPS, PIECE_STEPS, OUTPUT = range(6)
ATOL, BOUND = range(2)
FINAL_STATE, EVERY_STEP, AT_TIMES = range(3)

SAFETY = 0.9
SHRINK = 0.2
GROW = 8.0
SHRINK_OUTSIDE = 0.25
EXPONENT = 1.0 / 5.0
MOST_GROWTH = 1.0
"""Largest step in units of 1 / the rate of growth. An L-stable method damps motion away from a saddle when its step is
many times longer, and where that motion is below the tolerance it sees no error."""
LEAST_ERROR = 1e-8
MOST_IDEAL = 1e-2**-EXPONENT
EPSILON = np.finfo(np.float64).eps
LEAST_STEP = 1e-300
"""Near t = 0, where the resolution of the clock sets no bound."""


@HELPER
def first_step(u, slope, jacobian, options, scales, span):
    """Length of a first step from |F| and |u''| = |J F|, both in units of the tolerance.

    Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.4, with the exact second
    derivative in place of a trial Euler step.
    """
    n = u.shape[0]
    size, first, second = 0.0, 0.0, 0.0
    for i in range(n):
        scale = scales[ATOL, i] + options[RTOL] * abs(u[i])
        bend = 0.0
        for j in range(n):
            bend += jacobian[i, j] * slope[j]
        size = max(size, abs(u[i]) / scale)
        first = max(first, abs(slope[i]) / scale)
        second = max(second, abs(bend) / scale)
    h = 1e-3 * span
    if size > 1e-5 and first > 1e-5:
        h = min(h, 0.01 * size / first)
    steepest = max(first, second)
    if steepest > 1e-15:
        h = min(h, max((0.01 / steepest) ** EXPONENT, 1e-6 * h))
    return h


@HELPER
def growth_rate(jacobian, direction):
    """Return the largest real part of an eigenvalue along the integration for one or two unknowns, 0 for more."""
    n = jacobian.shape[0]
    if n == 1:
        return direction * jacobian[0, 0]
    if n > 2:
        return 0.0
    half = 0.5 * direction * (jacobian[0, 0] + jacobian[1, 1])
    other = 0.5 * (jacobian[0, 0] - jacobian[1, 1])
    square = other * other + jacobian[0, 1] * jacobian[1, 0]
    root = math.sqrt(square) if square > 0.0 else 0.0
    if half >= 0.0:
        return half + root
    # the product of both eigenvalues is the determinant: no cancellation in the smaller one
    determinant = jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0]
    return determinant / (half - root) if square > 0.0 else half


@HELPER
def error_size(u, end, estimate, options, scales):
    """Largest component of the error estimate in units of the tolerance."""
    largest = 0.0
    for i in range(u.shape[0]):
        scale = scales[ATOL, i] + options[RTOL] * max(abs(u[i]), abs(end[i]))
        largest = max(largest, abs(estimate[i]) / scale)
    return largest


@HELPER
def growth_factor(ideal, h, clock, after_rejection):
    """Ratio of the next step to an accepted one: the predictive (PI) controller of Gustafsson (1994).

    `ideal` = error^(-1/5) is the ratio that the elementary controller would choose. The smaller of both is
    taken, as in RODAS (Hairer & Wanner, Solving Ordinary Differential Equations II, IV.8): the predictive
    one sees a trend in the error.
    """
    factor = SAFETY * ideal
    if clock[STEP_BEFORE] != 0.0:
        trend = h / clock[STEP_BEFORE] * ideal * ideal / clock[IDEAL_BEFORE]
        factor = min(factor, SAFETY * trend)
    if after_rejection:
        factor = min(factor, 1.0)
    return max(SHRINK, min(GROW, factor))


@HELPER
def write_rows(u, t, h, stop, work, point, counters, times, rows):
    """Dense output at the requested times up to `stop`, within the step from `t` to `t + h`."""
    while counters[NEXT_TIME] < times.shape[0]:
        wanted = times[counters[NEXT_TIME]]
        if (wanted - stop) * h > 0.0:
            return
        dense_state(u, work, (wanted - t) / h, point)
        row = counters[ROWS]
        rows[row, 0] = wanted
        for i in range(u.shape[0]):
            rows[row, 1 + i] = point[i]
        counters[ROWS] += 1
        counters[NEXT_TIME] += 1


@HELPER
def run(field, events, p, event_p, u, clock, counters, options, scales, times, rows, event_options, event_memory, hits):
    """Take (clock, u) on by one piece; see the module for the arrays. Returns the status."""
    n = u.shape[0]
    m = event_options.shape[1]
    work = np.empty((WORK_ROWS + 3 * n, n))
    pivots = np.empty(n, np.int64)
    slope, end, estimate = work[SLOPE], work[STATE], work[STAGES - 1]
    jacobian = work[JACOBIAN : JACOBIAN + n]
    point = np.empty(n)
    values = np.empty(m)
    direction = 1.0 if clock[END] >= clock[TIME] else -1.0
    mode = int(options[OUTPUT])
    located = to_be_located(event_options)
    if located and counters[ACCEPTED] == 0:
        if call_events(events, u, event_p, values) != 0 or not all_finite(values):
            return EVENTS_OUTSIDE
        remember_start(values, event_options, event_memory)

    fresh, longest = True, options[MAX_STEP]
    attempts = 0
    while True:
        t = clock[TIME]
        left = clock[END] - t
        if left * direction <= 0.0:
            return DONE
        if counters[ACCEPTED] + counters[REJECTED] >= options[MAX_STEPS]:
            return MAX_STEPS_REACHED
        if attempts >= options[PIECE_STEPS]:
            return PAUSED
        if mode == EVERY_STEP and counters[ROWS] >= rows.shape[0]:
            return PAUSED
        if located and counters[HITS] + m * HITS_PER_STEP > hits.shape[0]:
            return PAUSED
        if fresh:
            counters[FIELD_CALLS] += 1
            if call_field(field, u, p, slope, jacobian, True) != 0:
                return OUTSIDE
            trouble = 0.0
            for i in range(n):
                trouble += 0.0 * slope[i]
                for j in range(n):
                    trouble += 0.0 * jacobian[i, j]
            if trouble != 0.0:
                # zero times an infinity or NaN
                return OUTSIDE
            fresh = False
            longest = options[MAX_STEP]
            rate = growth_rate(jacobian, direction)
            at_rest = error_size(u, u, slope, options, scales) == 0.0
            if rate * longest > MOST_GROWTH and not at_rest:
                longest = MOST_GROWTH / rate
        least = max(options[MIN_STEP], 10.0 * EPSILON * abs(t), LEAST_STEP)
        if clock[STEP] == 0.0:
            clock[STEP] = direction * max(first_step(u, slope, jacobian, options, scales, abs(left)), least)

        # land on the end; the last two steps share what is left, so that none is a sliver
        h = direction * min(abs(clock[STEP]), longest)
        if abs(h) < least:
            if abs(left) > least or counters[AFTER_REJECTION] == 1:
                if counters[CAUSE] == STEP_FINE:
                    return STEP_TOO_SMALL
                return OUTSIDE if counters[CAUSE] == STEP_OUTSIDE else SINGULAR
            # the clock cannot tell the parts of what is left: one step, or none
            h = left
        last = abs(left) <= abs(h) * (1.0 + 1e-12)
        if last:
            h = left
        elif abs(left) < 1.2 * abs(h):
            h = 0.5 * left

        attempts += 1
        counters[FIELD_CALLS] += 7
        counters[CAUSE] = take_step(field, p, u, h, work, pivots, end)
        if counters[CAUSE] != STEP_FINE:
            counters[REJECTED] += 1
            counters[AFTER_REJECTION] = 1
            clock[STEP] = SHRINK_OUTSIDE * h
            continue
        error = max(error_size(u, end, estimate, options, scales), LEAST_ERROR)
        ideal = error**-EXPONENT
        if error > 1.0:
            counters[REJECTED] += 1
            counters[AFTER_REJECTION] = 1
            clock[STEP] = h * max(SHRINK, SAFETY * ideal)
            continue

        clock[STEP] = h * growth_factor(ideal, h, clock, counters[AFTER_REJECTION] == 1)
        clock[STEP_BEFORE] = h
        clock[IDEAL_BEFORE] = min(ideal, MOST_IDEAL)
        counters[AFTER_REJECTION] = 0
        fresh = True
        stop = clock[END] if last else t + h
        if located or mode == AT_TIMES:
            prepare_dense(work)
        terminal = NO_TERMINAL
        if located:
            first_hit = counters[HITS]
            terminal, found = scan_step(
                field, events, p, event_p, u, t, h, work, pivots, event_options, event_memory, hits, first_hit
            )
            if terminal == SCAN_FAILED:
                return EVENTS_OUTSIDE
            counters[HITS] += found
            if terminal != NO_TERMINAL:
                stop = hits[terminal, HIT_TIME]
        if m > 0 and terminal == NO_TERMINAL:
            terminal = check_end(events, event_p, stop, end, event_options, hits, counters[HITS], values)
            if terminal == SCAN_FAILED:
                return EVENTS_OUTSIDE
            if terminal != NO_TERMINAL:
                counters[HITS] += 1
        counters[ACCEPTED] += 1
        if mode == AT_TIMES:
            write_rows(u, t, h, stop, work, point, counters, times, rows)
        clock[TIME] = stop
        for i in range(n):
            u[i] = end[i] if terminal == NO_TERMINAL else hits[terminal, 4 + i]
        if mode == EVERY_STEP:
            rows[counters[ROWS], 0] = stop
            for i in range(n):
                rows[counters[ROWS], 1 + i] = u[i]
            counters[ROWS] += 1
        if terminal != NO_TERMINAL:
            return EVENT
        for i in range(n):
            if abs(u[i]) > scales[BOUND, i]:
                return GROWTH
