"""Zeros of event functions within one accepted Rodas5P step.

The dense output is sampled at several points of the step, so that several zeros
in one step are found, also of one function. Between neighbours of opposite sign
a bracketing root-finder locates a crossing; where |g| has a minimum between
neighbours of the same sign, the minimum is sought: below zero it is a pair of
crossings, within the tolerance of zero a tangential zero. Each crossing is then
improved by fresh Rodas5P steps from the start of the step, of a length found by
the secant method, so that its state has the accuracy of the integrator and not
that of the interpolant.

A value within its tolerance counts as zero when signs are compared: a start on
the zero set is no event, and rounding noise round a limit g -> 0 makes none. A
zero that is entered but not left before the last step is therefore not reported.

event_options (3, m): WANTED direction (1 rising, -1 falling, 0 both), TERMINAL
(LOCATED stops the run at a crossing; tangential zeros never stop it; AT_STEP_END stops
it at the end of the first step that ends with a negative value), TOLERANCE.
event_memory (2, m): last SIGN outside the tolerance, and whether INSIDE it now.
hits (c, 4 + n): time, index, kind, direction (0 for tangential), state.
"""

import numpy as np

from fastslow.core.calls import call_events
from fastslow.core.planar_step import take_step
from fastslow.core.rodas5p import HELPER, STEP_FINE, dense_state

WANTED, TERMINAL, TOLERANCE = range(3)
LOCATED, AT_STEP_END = 1.0, 2.0
SIGN, INSIDE = range(2)
HIT_TIME, HIT_INDEX, HIT_KIND, HIT_DIRECTION, HIT_STATE = range(5)
CROSSING, TANGENTIAL = range(2)
NO_TERMINAL = -1
SCAN_FAILED = -2

SUBINTERVALS = 8
EDGE = 1e-5
"""Fraction of the step between its ends and the next samples: they give the slopes at the ends."""
FRACTIONS = np.array([0.0, EDGE, *(np.arange(1, SUBINTERVALS) / SUBINTERVALS), 1.0 - EDGE, 1.0])
"""Fractions of the step at which the event functions are sampled."""
SAMPLES = FRACTIONS.shape[0]
HITS_PER_STEP = 2 * SAMPLES
"""Room that one step may need for the hits of one event function."""
ROOT_WIDTH = 1e-15
GOLDEN = 0.3819660112501051
MINIMUM_ROUNDS = 45
SECANT_ROUNDS = 10
SECANT_START = 1e-4
SECANT_REACH = 0.05
"""A refined zero farther than this fraction of the step from the interpolant's is not believed."""


@HELPER
def outside_sign(value, tolerance):
    """Sign of `value`, 0.0 where it is within the tolerance of zero."""
    if abs(value) <= tolerance:
        return 0.0
    return 1.0 if value > 0.0 else -1.0


@HELPER
def remember_start(values, event_options, event_memory):
    """Set the memory from the values at the start of a run."""
    for i in range(values.shape[0]):
        event_memory[SIGN, i] = outside_sign(values[i], event_options[TOLERANCE, i])
        # a start on the zero set is not the entry into a zero
        event_memory[INSIDE, i] = 0.0


@HELPER
def value_at(events, event_p, index, u, work, theta, point, values):
    """Value of one event function at the fraction `theta` of the step."""
    dense_state(u, work, theta, point)
    call_events(events, point, event_p, values)
    return values[index]


@HELPER
def find_root(events, event_p, index, u, work, low, value_low, high, value_high, point, values):
    """Zero between `low` and `high`, where the values have opposite signs, by Chandrupatla's method (1997)."""
    if value_low == 0.0 or value_low * value_high > 0.0:
        # the sign changed just before this bracket, within the tolerance of zero
        return low
    x1, x2, x3 = high, low, low
    f1, f2, f3 = value_high, value_low, value_low
    best = high
    share = 0.5
    for _ in range(100):
        x = x1 + share * (x2 - x1)
        f = value_at(events, event_p, index, u, work, x, point, values)
        if (f > 0.0) == (f1 > 0.0):
            x3, f3 = x1, f1
        else:
            x3, f3 = x2, f2
            x2, f2 = x1, f1
        x1, f1 = x, f
        best = x1 if abs(f1) < abs(f2) else x2
        narrow = ROOT_WIDTH / abs(x2 - x1)
        if f1 == 0.0 or f2 == 0.0 or narrow > 0.5:
            break
        share = 0.5
        if f3 == f2:
            continue
        xi = (x1 - x2) / (x3 - x2)
        phi = (f1 - f2) / (f3 - f2)
        if phi * phi < xi and (1.0 - phi) * (1.0 - phi) < 1.0 - xi:
            share = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
        share = min(max(share, narrow), 1.0 - narrow)
    return best


@HELPER
def find_minimum(events, event_p, index, u, work, low, high, sign, floor, point, values):
    """Minimum of sign * g between `low` and `high` by golden section, as (theta, value); stops below `floor`."""
    best, least = high, np.inf
    x = low + GOLDEN * (high - low)
    for _ in range(MINIMUM_ROUNDS):
        value = sign * value_at(events, event_p, index, u, work, x, point, values)
        if value < least:
            if least < np.inf:
                if x < best:
                    high = best
                else:
                    low = best
            best, least = x, value
        elif x < best:
            low = x
        else:
            high = x
        if least < floor:
            break
        # a new point in the longer of the two parts
        x = best + GOLDEN * (high - best) if high - best > best - low else best - GOLDEN * (best - low)
    return best, least


@HELPER
def write_hit(field, events, p, event_p, index, zero, u, t, h, work, pivots, hit, point, values):
    """Fill one row of `hits` for `zero` (theta, kind, direction), improved by fresh steps of the secant method."""
    n = u.shape[0]
    theta = zero[0]
    dense_state(u, work, theta, point)
    hit[HIT_TIME] = t + theta * h
    hit[HIT_INDEX] = index
    hit[HIT_KIND] = zero[1]
    hit[HIT_DIRECTION] = zero[2]
    for i in range(n):
        hit[HIT_STATE + i] = point[i]

    # the first two lengths are those of the interpolant and, for a slope, one beside it
    now, before, value_before = theta, theta, 0.0
    ahead = SECANT_START if theta < 0.5 else -SECANT_START
    for r in range(SECANT_ROUNDS):
        trouble = take_step(field, p, u, now * h, work, pivots, point)
        if trouble != STEP_FINE or call_events(events, point, event_p, values) != 0 or not np.isfinite(values[index]):
            return
        value = values[index]
        done = zero[1] == TANGENTIAL or value == 0.0
        change = ahead
        if r > 0 and not done:
            # equal values: the differences are down to rounding
            done = value == value_before
            if not done:
                change = -value * (now - before) / (value - value_before)
                done = abs(change) <= ROOT_WIDTH
        if done or r == SECANT_ROUNDS - 1:
            hit[HIT_TIME] = t + now * h
            for i in range(n):
                hit[HIT_STATE + i] = point[i]
            return
        if not abs(now + change - theta) <= SECANT_REACH:
            return
        before, value_before = now, value
        now += change


@HELPER
def add_bracket(brackets, count, low, value_low, high, value_high, kind, toward):
    """Append one bracket; the number of brackets now."""
    brackets[count, 0] = low
    brackets[count, 1] = value_low
    brackets[count, 2] = high
    brackets[count, 3] = value_high
    brackets[count, 4] = kind
    brackets[count, 5] = toward
    return count + 1


@HELPER
def note_zeros(events, event_p, index, u, work, table, event_options, event_memory, brackets, point, values):
    """Bracket the zeros of one event function; how many there are.

    A bracket is (low, value, high, value, kind, direction); that of a tangential zero has no width.
    """
    tolerance = event_options[TOLERANCE, index]
    last = event_memory[SIGN, index]
    inside = event_memory[INSIDE, index] == 1.0
    left, value_left = 0.0, table[0, index]
    count = 0
    for j in range(1, SAMPLES):
        here, value_here = FRACTIONS[j], table[j, index]
        sign = outside_sign(value_here, tolerance)
        if sign == 0.0:
            inside = last != 0.0
            continue
        if last == -sign:
            count = add_bracket(brackets, count, left, value_left, here, value_here, CROSSING, sign)
        elif last == sign:
            low, value_low = left, value_left
            search = inside
            if not inside and j >= 2:
                middle = sign * table[j - 1, index]
                low, value_low = FRACTIONS[j - 2], table[j - 2, index]
                search = 0.0 < middle < sign * value_low and middle <= sign * value_here
            if search:
                theta, value = find_minimum(events, event_p, index, u, work, low, here, sign, -tolerance, point, values)
                dip = sign * value
                if value < -tolerance:
                    count = add_bracket(brackets, count, low, value_low, theta, dip, CROSSING, -sign)
                    count = add_bracket(brackets, count, theta, dip, here, value_here, CROSSING, sign)
                elif value <= tolerance:
                    count = add_bracket(brackets, count, theta, dip, theta, dip, TANGENTIAL, 0.0)
        last = sign
        left, value_left = here, value_here
        inside = False
    event_memory[SIGN, index] = last
    event_memory[INSIDE, index] = 1.0 if inside else 0.0
    return count


@HELPER
def to_be_located(event_options):
    """Whether any event function needs the scan of each step."""
    located = 0
    for index in range(event_options.shape[1]):
        located += event_options[TERMINAL, index] != AT_STEP_END
    return located > 0


@HELPER
def check_end(events, event_p, t, end, event_options, hits, first, values):
    """Write a row of `hits` where an event function of kind AT_STEP_END is negative at the end of a step.

    Returns its number, or NO_TERMINAL, or SCAN_FAILED.
    """
    if call_events(events, end, event_p, values) != 0:
        return SCAN_FAILED
    for index in range(event_options.shape[1]):
        if event_options[TERMINAL, index] == AT_STEP_END and values[index] < 0.0:
            hits[first, HIT_TIME] = t
            hits[first, HIT_INDEX] = index
            hits[first, HIT_KIND] = CROSSING
            hits[first, HIT_DIRECTION] = -1.0
            for i in range(end.shape[0]):
                hits[first, HIT_STATE + i] = end[i]
            return first
    return NO_TERMINAL


@HELPER
def scan_step(field, events, p, event_p, u, t, h, work, pivots, event_options, event_memory, hits, first):
    """Find all zeros in the step and write them, in order of time, into `hits` from row `first`.

    Returns (row of the first terminal crossing, or NO_TERMINAL, or SCAN_FAILED; number of rows written).
    Zeros after a terminal one are dropped.
    """
    n, m = u.shape[0], event_options.shape[1]
    point = np.empty(n)
    values = np.empty(m)
    table = np.empty((SAMPLES, m))
    for j in range(SAMPLES):
        dense_state(u, work, FRACTIONS[j], point)
        if call_events(events, point, event_p, values) != 0:
            return SCAN_FAILED, 0
        for i in range(m):
            if not np.isfinite(values[i]):
                return SCAN_FAILED, 0
            table[j, i] = values[i]

    brackets = np.empty((2 * SAMPLES, 6))
    zero = np.empty(3)
    row = first
    for index in range(m):
        if event_options[TERMINAL, index] == AT_STEP_END:
            continue
        count = note_zeros(events, event_p, index, u, work, table, event_options, event_memory, brackets, point, values)
        wanted = event_options[WANTED, index]
        for c in range(count):
            low, value_low, high, value_high = brackets[c, 0], brackets[c, 1], brackets[c, 2], brackets[c, 3]
            zero[1], zero[2] = brackets[c, 4], brackets[c, 5]
            if wanted != 0.0 and wanted != zero[2]:
                continue
            zero[0] = low
            if zero[1] == CROSSING:
                zero[0] = find_root(events, event_p, index, u, work, low, value_low, high, value_high, point, values)
            write_hit(field, events, p, event_p, index, zero, u, t, h, work, pivots, hits[row], point, values)
            row += 1

    direction = 1.0 if h > 0.0 else -1.0
    for r in range(first + 1, row):
        s = r
        while s > first and direction * (hits[s, HIT_TIME] - hits[s - 1, HIT_TIME]) < 0.0:
            for c in range(hits.shape[1]):
                hits[s, c], hits[s - 1, c] = hits[s - 1, c], hits[s, c]
            s -= 1
    for r in range(first, row):
        if hits[r, HIT_KIND] == CROSSING and event_options[TERMINAL, int(hits[r, HIT_INDEX])] == LOCATED:
            return r, r + 1 - first
    return NO_TERMINAL, row - first
