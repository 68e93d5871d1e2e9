"""Ensembles of planar systems, tables or tapes: sixteen trajectories at a time in each thread, for speed.

One step of Rodas5P is a chain of operations that wait for each other, so that a
processor idles through most of it. Here sixteen go abreast, each with its
own steps, through loops that the compiler turns into vector instructions; a lane whose
trajectory ends takes the next start. Five to seven times faster than one after the other.

A trajectory does not depend on its neighbours. It differs from that of `rosenbrock.run`
by rounding and by an exponent of the step control (13/64 for 1/5, for the sake of square roots).
"""

import math

import numpy as np
from numba import njit, types

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.lane_blocks import (
    ATOL,
    END,
    END_U,
    END_Y,
    ERROR,
    EVALUATE,
    FACTOR,
    FAST,
    FLOOR,
    G0,
    G1,
    HEIGHT,
    IDEAL,
    IDEAL_BEFORE,
    K7,
    L7,
    LANES,
    M00,
    M01,
    M10,
    M11,
    MAX_STEPS,
    NOT_FINITE,
    REACHED_END,
    RTOL,
    SLOW,
    STEP,
    STEP_BEFORE,
    STEP_TOO_SMALL,
    STOP,
    TIME,
    TOO_MANY_STEPS,
    TURNED_AT_EDGE,
    F,
    U,
    X,
    Y,
    Z,
)
from fastslow.core.lane_step import chart_of, lane_jacobian, lane_step, load_system, room_for
from fastslow.core.rosenbrock import MOST_GROWTH
from fastslow.core.signatures import MATRIX, VECTOR
from fastslow.core.tape import address

_SAFETY, _SHRINK, _GROW, _SHRINK_OUTSIDE, _LEAST_ERROR, _MOST_IDEAL = 0.9, 0.2, 8.0, 0.25, 1e-8, 2.5
_TINY_STEP = 1e-14
_ENERGY_MARGIN = 1e-9


@INLINED
def judge(w, options):
    """Write the size of the error of each lane in units of the tolerance, and error^(-13/64)."""
    rtol = options[RTOL]
    for i in range(LANES):
        scale_u = options[ATOL] + rtol * max(abs(w[U + i]), abs(w[END_U + i]))
        scale_y = w[FLOOR + i] + rtol * max(abs(w[Y + i]), abs(w[END_Y + i]))
        error = max(max(abs(w[K7 + i]) / scale_u, abs(w[L7 + i]) / scale_y), _LEAST_ERROR)
        eighth = math.sqrt(math.sqrt(math.sqrt(error)))
        sixteenth = math.sqrt(eighth)
        w[ERROR + i] = error
        w[IDEAL + i] = 1.0 / (eighth * sixteenth * math.sqrt(math.sqrt(sixteenth)))


@FUSED
def first_step(w, i, options):
    """Return the length of a first step of lane i; see `rosenbrock.first_step`."""
    rtol = options[RTOL]
    scale_u = options[ATOL] + rtol * abs(w[U + i])
    scale_y = w[FLOOR + i] + rtol * abs(w[Y + i])
    bend_u = w[M00 + i] * w[FAST + i] + w[M01 + i] * w[SLOW + i]
    bend_y = w[M10 + i] * w[FAST + i] + w[M11 + i] * w[SLOW + i]
    size = max(abs(w[U + i]) / scale_u, abs(w[Y + i]) / scale_y)
    first = max(abs(w[FAST + i]) / scale_u, abs(w[SLOW + i]) / scale_y)
    steepest = max(first, max(abs(bend_u) / scale_u, abs(bend_y) / scale_y))
    h = 1e-3 * options[END]
    if size > 1e-5 and first > 1e-5:
        h = min(h, 0.01 * size / first)
    if steepest > 1e-15:
        h = min(h, max((0.01 / steepest) ** 0.2, 1e-6 * h))
    return h


@INLINED
def growth_rate(w, i):
    """Return the largest real part of an eigenvalue of lane i; see `rosenbrock.growth_rate`."""
    a, b, c, d = w[M00 + i], w[M01 + i], w[M10 + i], w[M11 + i]
    half, other = 0.5 * (a + d), 0.5 * (a - d)
    square = other * other + b * c
    root = math.sqrt(square) if square > 0.0 else 0.0
    if half >= 0.0:
        return half + root
    return (a * d - b * c) / (half - root) if square > 0.0 else half


@INLINED
def fate(w, i, q, at, size):
    """Return the number of the function of `polynomial_events.settling_events` that is negative, or REACHED_END.

    `q` is an address, `at` the place of the parameters there, and `size` has the sign of dx/dz.
    A tail whose sign is 0 is a gate [low, 0, high, 0, level, 0] instead: inside where low < x < high and
    -y g_0 - y^2 g_1 / 2 < level.
    """
    targets, tails = int(q[at + 2]), int(q[at + 3])
    x, y = w[X + i], w[Y + i]
    for k in range(targets):
        j = at + 5 + 4 * k
        away, near = x - q[j], q[j + 2]
        # divisions only where they matter
        if -near < away < near and (away / near) ** 2 + ((y - q[j + 1]) / q[j + 3]) ** 2 < 1.0:
            return k
    if tails > 0:
        fast, slow = size * w[F + i], w[SLOW + i]  # with the sign of x'
        # E of a member with x' = -(...) E_x, y' = -slow_rate E_y, and a margin for rounding
        first = y * w[G0 + i]
        energy = -first - 0.5 * y * y * w[G1 + i] + _ENERGY_MARGIN * abs(first)
        for k in range(tails):
            j = at + 5 + 4 * targets + 6 * k
            side, sign = q[j + 1], q[j + 3]
            if sign == 0.0:
                if q[j] < x < q[j + 2] and energy < q[j + 4]:
                    return targets + k
                continue
            inside = side * q[j] < side * x < side * q[j + 2]
            if inside and sign * q[j + 4] < sign * y < sign * q[j + 5] and side * fast < 0.0 < sign * slow:
                return targets + k
    exits = int(q[at + 4])
    for k in range(0, exits, 2):
        edge, place = at + int(q[at + 1]) - exits + k, x if k == 0 else y
        if place < q[edge]:
            return targets + tails + k
        if place > q[edge + 1]:
            return targets + tails + k + 1
    return REACHED_END


@FUSED
def place_of(chart, z):
    """Return x at a z."""
    kind, origin, size, _ = chart
    if kind == 0.0:
        return z
    return origin + size * (math.tanh(z) if kind == 1.0 else math.exp(z))


@FUSED
def turned_at_edge(w, i, q, at, chart, before):
    """Whether x or y turned within the step before so near to an edge that it may have been beyond.

    `before` are z' and y' where that step began; they become those of now. What comes after a turn is no longer than
    the speed at the end of the step times its length.
    """
    exits, found = int(q[at + 4]), False
    for k in range(0, exits, 2):
        speed = w[SLOW + i] if k > 0 else w[FACTOR + i] * w[F + i]
        if speed * before[i, k // 2] < 0.0:
            edge = at + int(q[at + 1]) - exits + k
            turn = (w[HEIGHT + i] if k > 0 else w[Z + i]) - speed * w[STEP_BEFORE + i]
            beyond = turn if k > 0 else place_of(chart, turn)
            found = found or beyond < q[edge] or beyond > q[edge + 1]
        before[i, k // 2] = speed
    return found


@FUSED
def load(w, i, starts, here, options):
    """Set lane i to a start."""
    w[U + i], w[Y + i] = starts[here, 0], starts[here, 1]
    height = abs(starts[here, 1])
    w[FLOOR + i] = options[ATOL] * (height if 0.0 < height < 1.0 else 1.0)
    w[TIME + i], w[STEP + i], w[STEP_BEFORE + i] = 0.0, 0.0, 0.0


@njit(
    types.void(
        EVALUATE,
        EVALUATE,
        MATRIX,
        MATRIX,
        types.int64[::1],
        VECTOR,
        MATRIX,
        VECTOR,
        types.int64[::1],
        types.int64[::1],
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
    fastmath={"contract"},
    no_cfunc_wrapper=True,
)
def run_lanes(values, derivatives, p, event_p, system, options, starts, times, codes, steps):
    """Follow all starts, in place, to an event or to the end of time; see the module.

    Parameters
    ----------
    values, derivatives : EVALUATE
        `table_values` and `table_derivatives`, or `tape_values` and `tape_derivatives`.
    p : (S, np) array
        Parameters of `polynomial_field` with a table for each system, all with as many rows, or a tape for each,
        all with the same operations; all in the same chart.
    event_p : (S, ne) array
        Parameters of `settling_events` for each system, filled up with anything.
    system : (N,) integer array
        The system of each start.
    options : (5,) array
        RTOL, ATOL, END, MAX_STEPS, STOP.
    starts : (N, 2) array
        States; at the return the last ones.
    times, codes, steps : (N,) arrays
        Time, number of the event or code of the end, and steps tried, 0 at the call.
    """
    chart = chart_of(p[0])
    w = room_for(p)
    q = address(event_p.ravel())
    who = np.full(LANES, -1)
    fresh = np.zeros(LANES, np.bool_)
    rejected = np.zeros(LANES, np.bool_)
    before = np.zeros((LANES, 2))
    following, busy, count = 0, 0, starts.shape[0]
    for i in range(LANES):
        if following < count:
            who[i] = following
            following += 1
            busy += 1
            load(w, i, starts, who[i], options)
            load_system(w, i, p, system[who[i]])
            fresh[i] = True
    while busy > 0:
        lane_jacobian(derivatives, w, chart)
        loaded = False
        for i in range(LANES):
            if not fresh[i]:
                continue
            fresh[i] = False
            here = who[i]
            left = options[END] - w[TIME + i]
            code = REACHED_END
            if options[STOP] != 0.0 or left <= 0.0:
                at = system[here] * event_p.shape[1]
                code = fate(w, i, q, at, chart[2])
                if turned_at_edge(w, i, q, at, chart, before) and code < 0:
                    code = TURNED_AT_EDGE
            if code == REACHED_END and left > 0.0:
                if not abs(w[FAST + i]) + abs(w[SLOW + i]) < np.inf:
                    code = NOT_FINITE
                elif steps[here] >= options[MAX_STEPS]:
                    code = TOO_MANY_STEPS
                else:
                    if w[STEP + i] == 0.0:
                        w[STEP + i] = first_step(w, i, options)
                    rate = growth_rate(w, i)
                    at_rest = w[FAST + i] == 0.0 and w[SLOW + i] == 0.0
                    if rate * w[STEP + i] > MOST_GROWTH and not at_rest:
                        w[STEP + i] = MOST_GROWTH / rate
                    if w[STEP + i] > left:
                        w[STEP + i] = left
                    elif w[STEP + i] > 0.8 * left:
                        w[STEP + i] = 0.5 * left
                    if w[STEP + i] < _TINY_STEP * w[TIME + i]:
                        code = STEP_TOO_SMALL
                    else:
                        continue
            codes[here] = code
            times[here] = w[TIME + i]
            starts[here, 0], starts[here, 1] = w[U + i], w[Y + i]
            w[STEP + i] = 0.0
            rejected[i] = False
            before[i] = 0.0
            who[i] = -1
            busy -= 1
            if following < count:
                who[i] = following
                following += 1
                busy += 1
                load(w, i, starts, who[i], options)
                if system[who[i]] != system[here]:
                    load_system(w, i, p, system[who[i]])
                fresh[i] = True
                loaded = True
        if loaded:
            continue
        lane_step(values, w, chart)
        judge(w, options)
        for i in range(LANES):
            here = who[i]
            if here < 0:
                continue
            steps[here] += 1
            fresh[i] = True
            h = w[STEP + i]
            finite = abs(w[END_U + i]) + abs(w[END_Y + i]) < np.inf and w[ERROR + i] < np.inf
            if finite and w[ERROR + i] <= 1.0:
                ideal = w[IDEAL + i]
                factor = _SAFETY * ideal
                if w[STEP_BEFORE + i] != 0.0:
                    factor = min(factor, _SAFETY * h / w[STEP_BEFORE + i] * ideal * ideal / w[IDEAL_BEFORE + i])
                if rejected[i]:
                    factor = min(factor, 1.0)
                rejected[i] = False
                w[STEP_BEFORE + i] = h
                w[IDEAL_BEFORE + i] = min(ideal, _MOST_IDEAL)
                w[STEP + i] = h * max(_SHRINK, min(_GROW, factor))
                w[TIME + i] = options[END] if h == options[END] - w[TIME + i] else w[TIME + i] + h
                w[U + i], w[Y + i] = w[END_U + i], w[END_Y + i]
            else:
                rejected[i] = True
                w[STEP + i] = h * (max(_SHRINK, _SAFETY * w[IDEAL + i]) if finite else _SHRINK_OUTSIDE)
