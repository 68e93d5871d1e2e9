"""One step of Rodas5P for LANES states of the polynomial family abreast; see `lanes`.

All numbers of the lanes are in one array `w`, a block of LANES for each name, since the
compiler has to see that two names never mean the same memory. LANES is so large that it
makes vector instructions of the loops instead of unrolling them.

Each lane has its own system, with its own table; the chart is the same for all. What is the same for all comes in
tuples, not arrays: the references to an array are counted in each call, which would take a third of the time.
"""

import math

import numpy as np
from numba import njit

from fastslow.core.polynomial import CHART, COLUMNS, DIRECTION, FIRST, ORIGIN, SCALED, SIZE, SLOW_RATE
from fastslow.core.tableau import GAMMA, A, C

LANES = 16
K0, K1, K2, K3, K4, K5, K6, K7, L0, L1, L2, L3, L4, L5, L6, L7 = (LANES * k for k in range(16))
"""Blocks: the stages of both unknowns, ..."""
U, Y, END_U, END_Y, TIME, STEP, STEP_BEFORE, IDEAL_BEFORE = (LANES * k for k in range(16, 24))
"""... states, clocks and what the step control remembers, ..."""
X, Z, INVERSE, FAST, SLOW, M00, M01, M10, M11, ERROR, IDEAL = (LANES * k for k in range(24, 35))
"""... the place, 1 / weight, the field, the inverse of I / gamma - h J, ..."""
F0, F1, F2, G0, G1, G2, A0, A1, A2, B0, B1, B2, FLOOR = (LANES * k for k in range(35, 48))
"""... the polynomials of the table with their derivatives, the absolute tolerance of y, ..."""
FACTOR, RATE, TABLE = (LANES * k for k in range(48, 51))
"""... the constants of both equations, and the table: a block for each column and power of x, the lowest first."""
FIXED_POWERS = 16
"""So many powers have their code written out: their places are constants, which the compiler needs for vectors."""
ROW_0, ROW_4, ROW_8, ROW_12 = (np.int64(k) for k in (0, 4, 8, 12))
COLUMN_0, COLUMN_1, COLUMN_2, COLUMN_3, COLUMN_4, COLUMN_5 = (np.int64(k) for k in range(COLUMNS))
"""Constants for LLVM, but no literals for numba, which compiles a function again for each literal."""

_ROOMY = 20.0
"""Beyond this |z|, tanh z is 1 to rounding."""

LANE = njit(cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, fastmath={"contract"})
"""With fused multiply-adds."""
INLINED_LANE = njit(
    cache=True,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    fastmath={"contract"},
    forceinline=True,
)
"""Part of its caller, so that a column that is a constant there is one here."""


@INLINED_LANE
def find_places(w, chart, u, y):
    """Write x, z and 1 / weight for the states in the blocks `u` and `y`; see `polynomial.place`."""
    kind, origin, size, bent = chart
    if kind == 0.0:
        for i in range(LANES):
            inverse = 1.0 / math.sqrt(1.0 + bent * w[y + i] * w[y + i])
            w[INVERSE + i] = inverse
            w[Z + i] = w[u + i] * inverse
            w[X + i] = w[Z + i]
    else:
        for i in range(LANES):
            # tanh z = n / d from z / 64, by Lambert's fraction and six doublings tanh 2z = 2 n d / (d^2 + n^2)
            inverse = 1.0 / math.sqrt(1.0 + bent * w[y + i] * w[y + i])
            w[INVERSE + i] = inverse
            w[Z + i] = w[u + i] * inverse
            z = min(max(w[Z + i], -_ROOMY), _ROOMY) * 0.015625
            s = z * z
            n = z * (1.0 + s * (0.1282051282051282 + s * (0.0027972027972027972 + s * 7.400007400007401e-06)))
            d = 1.0 + s * (0.46153846153846156 + s * (0.023310023310023312 + s * 0.0002072002072002072))
            n, d = 2.0 * n * d, d * d + n * n
            n, d = 2.0 * n * d, d * d + n * n
            n, d = 2.0 * n * d, d * d + n * n
            n, d = 2.0 * n * d, d * d + n * n
            n, d = 2.0 * n * d, d * d + n * n
            n, d = 2.0 * n * d, d * d + n * n
            w[X + i] = origin + size * n / d


@INLINED_LANE
def four_powers(w, row):
    """Go on with Horner's rule over the powers row + 3 ... row in the columns f_1, f_2, g_0 and g_1."""
    k = TABLE + row * COLUMNS * LANES
    for i in range(LANES):
        x = w[X + i]
        f1, f2, g0, g1 = w[F1 + i], w[F2 + i], w[G0 + i], w[G1 + i]
        f1, f2 = f1 * x + w[k + 19 * LANES + i], f2 * x + w[k + 20 * LANES + i]
        g0, g1 = g0 * x + w[k + 21 * LANES + i], g1 * x + w[k + 22 * LANES + i]
        f1, f2 = f1 * x + w[k + 13 * LANES + i], f2 * x + w[k + 14 * LANES + i]
        g0, g1 = g0 * x + w[k + 15 * LANES + i], g1 * x + w[k + 16 * LANES + i]
        f1, f2 = f1 * x + w[k + 7 * LANES + i], f2 * x + w[k + 8 * LANES + i]
        g0, g1 = g0 * x + w[k + 9 * LANES + i], g1 * x + w[k + 10 * LANES + i]
        w[F1 + i], w[F2 + i] = f1 * x + w[k + LANES + i], f2 * x + w[k + 2 * LANES + i]
        w[G0 + i], w[G1 + i] = g0 * x + w[k + 3 * LANES + i], g1 * x + w[k + 4 * LANES + i]


@INLINED_LANE
def four_powers_outside(w, row):
    """Go on with Horner's rule over the powers row + 3 ... row in the columns f_0 and g_2."""
    k = TABLE + row * COLUMNS * LANES
    for i in range(LANES):
        x = w[X + i]
        f0, g2 = w[F0 + i], w[G2 + i]
        f0, g2 = f0 * x + w[k + 18 * LANES + i], g2 * x + w[k + 23 * LANES + i]
        f0, g2 = f0 * x + w[k + 12 * LANES + i], g2 * x + w[k + 17 * LANES + i]
        f0, g2 = f0 * x + w[k + 6 * LANES + i], g2 * x + w[k + 11 * LANES + i]
        w[F0 + i], w[G2 + i] = f0 * x + w[k + i], g2 * x + w[k + 5 * LANES + i]


@INLINED_LANE
def four_powers_and_slopes(w, column, row):
    """Go on with Horner's rule in a column and its derivative over the powers row + 3 ... row."""
    k = TABLE + (row * COLUMNS + column) * LANES
    for i in range(LANES):
        x = w[X + i]
        slope, q = w[A0 + column * LANES + i], w[F0 + column * LANES + i]
        slope, q = slope * x + q, q * x + w[k + 3 * COLUMNS * LANES + i]
        slope, q = slope * x + q, q * x + w[k + 2 * COLUMNS * LANES + i]
        slope, q = slope * x + q, q * x + w[k + COLUMNS * LANES + i]
        w[A0 + column * LANES + i] = slope * x + q
        w[F0 + column * LANES + i] = q * x + w[k + i]


@INLINED_LANE
def evaluate_column_and_slope(w, column, powers):
    """Go on with Horner's rule in a column, of degree below `powers`, and its derivative."""
    for row in range(powers - 1, FIXED_POWERS - 1, -1):
        k = TABLE + (row * COLUMNS + column) * LANES
        for i in range(LANES):
            w[A0 + column * LANES + i] = w[A0 + column * LANES + i] * w[X + i] + w[F0 + column * LANES + i]
            w[F0 + column * LANES + i] = w[F0 + column * LANES + i] * w[X + i] + w[k + i]
    if powers > 12:
        four_powers_and_slopes(w, column, ROW_12)
    if powers > 8:
        four_powers_and_slopes(w, column, ROW_8)
    if powers > 4:
        four_powers_and_slopes(w, column, ROW_4)
    if powers > 0:
        four_powers_and_slopes(w, column, ROW_0)


@INLINED_LANE
def evaluate_table(w, powers):
    """Write the columns of the table at x."""
    for i in range(COLUMNS * LANES):
        w[F0 + i] = 0.0
    inside, outside = max(powers[1], powers[2], powers[3], powers[4]), max(powers[0], powers[5])
    for row in range(max(inside, outside) - 1, FIXED_POWERS - 1, -1):
        for column in range(COLUMNS):
            k = TABLE + (row * COLUMNS + column) * LANES
            for i in range(LANES):
                w[F0 + column * LANES + i] = w[F0 + column * LANES + i] * w[X + i] + w[k + i]
    if inside > 12:
        four_powers(w, ROW_12)
    if inside > 8:
        four_powers(w, ROW_8)
    if inside > 4:
        four_powers(w, ROW_4)
    if inside > 0:
        four_powers(w, ROW_0)
    if outside > 12:
        four_powers_outside(w, ROW_12)
    if outside > 8:
        four_powers_outside(w, ROW_8)
    if outside > 4:
        four_powers_outside(w, ROW_4)
    if outside > 0:
        four_powers_outside(w, ROW_0)


@INLINED_LANE
def evaluate_table_and_slopes(w, powers):
    """Write the columns of the table at x and their derivatives."""
    for i in range(2 * COLUMNS * LANES):
        w[F0 + i] = 0.0
    evaluate_column_and_slope(w, COLUMN_0, powers[0])
    evaluate_column_and_slope(w, COLUMN_1, powers[1])
    evaluate_column_and_slope(w, COLUMN_2, powers[2])
    evaluate_column_and_slope(w, COLUMN_3, powers[3])
    evaluate_column_and_slope(w, COLUMN_4, powers[4])
    evaluate_column_and_slope(w, COLUMN_5, powers[5])


@LANE
def chart_of(p):
    """Return (kind, origin, size, scaled) of the parameters of a field, the last 0 or 1."""
    return p[CHART], p[ORIGIN], p[SIZE], 1.0 if p[SCALED] != 0.0 else 0.0


@LANE
def load_system(w, i, p, s):
    """Give lane i the system with the parameters p[s]."""
    w[FACTOR + i] = p[s, DIRECTION] * p[s, SIZE] if p[s, CHART] == 1.0 else p[s, DIRECTION]
    w[RATE + i] = p[s, DIRECTION] * p[s, SLOW_RATE]
    rows = int(p[s, FIRST])
    for row in range(rows):
        for column in range(COLUMNS):
            w[TABLE + (row * COLUMNS + column) * LANES + i] = p[s, FIRST + 1 + (rows - 1 - row) * COLUMNS + column]


@LANE
def lane_field(w, chart, powers):
    """Write the field at the states in END_U and END_Y."""
    find_places(w, chart, END_U, END_Y)
    evaluate_table(w, powers)
    bend = chart[3]
    for i in range(LANES):
        y, inverse, fast, rate = w[END_Y + i], w[INVERSE + i], w[FACTOR + i], w[RATE + i]
        g = rate * (w[G0 + i] + y * (w[G1 + i] + y * w[G2 + i]))
        f = fast * (w[F0 + i] + y * (w[F1 + i] + y * w[F2 + i]))
        w[FAST + i] = inverse * ((1.0 + bend * y * y) * f + bend * w[Z + i] * y * g)
        w[SLOW + i] = g


@LANE
def lane_jacobian(w, chart, powers):
    """Write the field at the states in U and Y, and into M00 ... M11 its Jacobian; see `polynomial.planar_jacobian`."""
    find_places(w, chart, U, Y)
    evaluate_table_and_slopes(w, powers)
    bounded, origin, size, bent = chart
    for i in range(LANES):
        x, y, z, inverse = w[X + i], w[Y + i], w[Z + i], w[INVERSE + i]
        fast, rate = w[FACTOR + i], w[RATE + i]
        part = (x - origin) / size
        stretch = 1.0 + bounded * (size * (1.0 - part * part) - 1.0)
        f = fast * (w[F0 + i] + y * (w[F1 + i] + y * w[F2 + i]))
        f_z = fast * (w[A0 + i] + y * (w[A1 + i] + y * w[A2 + i])) * stretch
        f_y = fast * (w[F1 + i] + 2.0 * y * w[F2 + i])
        g = rate * (w[G0 + i] + y * (w[G1 + i] + y * w[G2 + i]))
        g_z = rate * (w[B0 + i] + y * (w[B1 + i] + y * w[B2 + i])) * stretch
        g_y = rate * (w[G1 + i] + 2.0 * y * w[G2 + i])
        weight = 1.0 + bent * (1.0 + y * y) * inverse - bent
        bend = bent * y * inverse
        turn = z * bend * inverse
        f_y -= turn * f_z
        g_y -= turn * g_z
        w[FAST + i] = weight * f + z * bend * g
        w[SLOW + i] = g
        w[M00 + i] = f_z + (bend * g + z * bend * g_z) * inverse
        w[M01 + i] = (
            bend * f + weight * f_y + z * bend * g_y + bent * g * (z * inverse * inverse * inverse - turn * bend)
        )
        w[M10 + i] = g_z * inverse
        w[M11 + i] = g_y


@LANE
def lane_step(w, chart, powers):
    """Write into END_U and END_Y the states after one step of each lane, into K7 and L7 the error estimates."""
    for i in range(LANES):
        h = w[STEP + i]
        a, b = 1.0 / GAMMA - h * w[M00 + i], -h * w[M01 + i]
        c, d = -h * w[M10 + i], 1.0 / GAMMA - h * w[M11 + i]
        inverse = 1.0 / (a * d - b * c)
        w[M00 + i], w[M01 + i], w[M10 + i], w[M11 + i] = d * inverse, -b * inverse, -c * inverse, a * inverse
        r, q = h * w[FAST + i], h * w[SLOW + i]
        w[K0 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L0 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[1][0] * w[K0 + i]
        w[END_Y + i] = w[Y + i] + A[1][0] * w[L0 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = C[1][0] * w[K0 + i] + w[STEP + i] * w[FAST + i]
        q = C[1][0] * w[L0 + i] + w[STEP + i] * w[SLOW + i]
        w[K1 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L1 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[2][0] * w[K0 + i] + A[2][1] * w[K1 + i]
        w[END_Y + i] = w[Y + i] + A[2][0] * w[L0 + i] + A[2][1] * w[L1 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = C[2][0] * w[K0 + i] + C[2][1] * w[K1 + i] + w[STEP + i] * w[FAST + i]
        q = C[2][0] * w[L0 + i] + C[2][1] * w[L1 + i] + w[STEP + i] * w[SLOW + i]
        w[K2 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L2 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[3][0] * w[K0 + i] + A[3][1] * w[K1 + i] + A[3][2] * w[K2 + i]
        w[END_Y + i] = w[Y + i] + A[3][0] * w[L0 + i] + A[3][1] * w[L1 + i] + A[3][2] * w[L2 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = C[3][0] * w[K0 + i] + C[3][1] * w[K1 + i] + C[3][2] * w[K2 + i] + w[STEP + i] * w[FAST + i]
        q = C[3][0] * w[L0 + i] + C[3][1] * w[L1 + i] + C[3][2] * w[L2 + i] + w[STEP + i] * w[SLOW + i]
        w[K3 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L3 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[4][0] * w[K0 + i] + A[4][1] * w[K1 + i] + A[4][2] * w[K2 + i] + A[4][3] * w[K3 + i]
        w[END_Y + i] = w[Y + i] + A[4][0] * w[L0 + i] + A[4][1] * w[L1 + i] + A[4][2] * w[L2 + i] + A[4][3] * w[L3 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = (
            C[4][0] * w[K0 + i]
            + C[4][1] * w[K1 + i]
            + C[4][2] * w[K2 + i]
            + C[4][3] * w[K3 + i]
            + w[STEP + i] * w[FAST + i]
        )
        q = (
            C[4][0] * w[L0 + i]
            + C[4][1] * w[L1 + i]
            + C[4][2] * w[L2 + i]
            + C[4][3] * w[L3 + i]
            + w[STEP + i] * w[SLOW + i]
        )
        w[K4 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L4 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = (
            w[U + i]
            + A[5][0] * w[K0 + i]
            + A[5][1] * w[K1 + i]
            + A[5][2] * w[K2 + i]
            + A[5][3] * w[K3 + i]
            + A[5][4] * w[K4 + i]
        )
        w[END_Y + i] = (
            w[Y + i]
            + A[5][0] * w[L0 + i]
            + A[5][1] * w[L1 + i]
            + A[5][2] * w[L2 + i]
            + A[5][3] * w[L3 + i]
            + A[5][4] * w[L4 + i]
        )
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = (
            C[5][0] * w[K0 + i]
            + C[5][1] * w[K1 + i]
            + C[5][2] * w[K2 + i]
            + C[5][3] * w[K3 + i]
            + C[5][4] * w[K4 + i]
            + w[STEP + i] * w[FAST + i]
        )
        q = (
            C[5][0] * w[L0 + i]
            + C[5][1] * w[L1 + i]
            + C[5][2] * w[L2 + i]
            + C[5][3] * w[L3 + i]
            + C[5][4] * w[L4 + i]
            + w[STEP + i] * w[SLOW + i]
        )
        w[K5 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L5 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] += w[K5 + i]
        w[END_Y + i] += w[L5 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = (
            C[6][0] * w[K0 + i]
            + C[6][1] * w[K1 + i]
            + C[6][2] * w[K2 + i]
            + C[6][3] * w[K3 + i]
            + C[6][4] * w[K4 + i]
            + C[6][5] * w[K5 + i]
            + w[STEP + i] * w[FAST + i]
        )
        q = (
            C[6][0] * w[L0 + i]
            + C[6][1] * w[L1 + i]
            + C[6][2] * w[L2 + i]
            + C[6][3] * w[L3 + i]
            + C[6][4] * w[L4 + i]
            + C[6][5] * w[L5 + i]
            + w[STEP + i] * w[SLOW + i]
        )
        w[K6 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L6 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] += w[K6 + i]
        w[END_Y + i] += w[L6 + i]
    lane_field(w, chart, powers)
    for i in range(LANES):
        r = (
            C[7][0] * w[K0 + i]
            + C[7][1] * w[K1 + i]
            + C[7][2] * w[K2 + i]
            + C[7][3] * w[K3 + i]
            + C[7][4] * w[K4 + i]
            + C[7][5] * w[K5 + i]
            + C[7][6] * w[K6 + i]
            + w[STEP + i] * w[FAST + i]
        )
        q = (
            C[7][0] * w[L0 + i]
            + C[7][1] * w[L1 + i]
            + C[7][2] * w[L2 + i]
            + C[7][3] * w[L3 + i]
            + C[7][4] * w[L4 + i]
            + C[7][5] * w[L5 + i]
            + C[7][6] * w[L6 + i]
            + w[STEP + i] * w[SLOW + i]
        )
        w[K7 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L7 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] += w[K7 + i]
        w[END_Y + i] += w[L7 + i]
