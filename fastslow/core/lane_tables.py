"""Polynomials of the family for LANES trajectories abreast: tables that are at most quadratic in y; see `lanes`.

Each lane has its own table: a block for each column and power of x, the lowest first.
"""

import numpy as np
from numba import njit

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.lane_blocks import (
    A0,
    A1,
    A2,
    B0,
    B1,
    B2,
    EVALUATE,
    F0,
    F1,
    F2,
    F_X,
    F_Y,
    FORMULAS,
    G0,
    G1,
    G2,
    G_X,
    G_Y,
    HEIGHT,
    LANES,
    SHAPE,
    F,
    G,
    X,
)
from fastslow.core.polynomial import COLUMNS, FIRST

FIXED_POWERS = 16
"""So many powers have their code written out: their places are constants, which the compiler needs for vectors."""
ROW_0, ROW_4, ROW_8, ROW_12 = (np.int64(k) for k in (0, 4, 8, 12))
COLUMN_0, COLUMN_1, COLUMN_2, COLUMN_3, COLUMN_4, COLUMN_5 = (np.int64(k) for k in range(COLUMNS))
"""Constants for LLVM, but no literals for numba, which compiles a function again for each literal."""


@INLINED
def four_powers(w, row):
    """Go on with Horner's rule over the powers row + 3 ... row in the columns f_1, f_2, g_0 and g_1."""
    k = FORMULAS + row * COLUMNS * LANES
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


@INLINED
def four_powers_outside(w, row):
    """Go on with Horner's rule over the powers row + 3 ... row in the columns f_0 and g_2."""
    k = FORMULAS + row * COLUMNS * LANES
    for i in range(LANES):
        x = w[X + i]
        f0, g2 = w[F0 + i], w[G2 + i]
        f0, g2 = f0 * x + w[k + 18 * LANES + i], g2 * x + w[k + 23 * LANES + i]
        f0, g2 = f0 * x + w[k + 12 * LANES + i], g2 * x + w[k + 17 * LANES + i]
        f0, g2 = f0 * x + w[k + 6 * LANES + i], g2 * x + w[k + 11 * LANES + i]
        w[F0 + i], w[G2 + i] = f0 * x + w[k + i], g2 * x + w[k + 5 * LANES + i]


@INLINED
def four_powers_and_slopes(w, column, row):
    """Go on with Horner's rule in a column and its derivative over the powers row + 3 ... row."""
    k = FORMULAS + (row * COLUMNS + column) * LANES
    for i in range(LANES):
        x = w[X + i]
        slope, q = w[A0 + column * LANES + i], w[F0 + column * LANES + i]
        slope, q = slope * x + q, q * x + w[k + 3 * COLUMNS * LANES + i]
        slope, q = slope * x + q, q * x + w[k + 2 * COLUMNS * LANES + i]
        slope, q = slope * x + q, q * x + w[k + COLUMNS * LANES + i]
        w[A0 + column * LANES + i] = slope * x + q
        w[F0 + column * LANES + i] = q * x + w[k + i]


@INLINED
def evaluate_column_and_slope(w, column, powers):
    """Go on with Horner's rule in a column, of degree below `powers`, and its derivative."""
    for row in range(powers - 1, FIXED_POWERS - 1, -1):
        k = FORMULAS + (row * COLUMNS + column) * LANES
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


@INLINED
def evaluate_table(w, powers):
    """Write the columns of the table at x."""
    for i in range(COLUMNS * LANES):
        w[F0 + i] = 0.0
    inside, outside = max(powers[1], powers[2], powers[3], powers[4]), max(powers[0], powers[5])
    for row in range(max(inside, outside) - 1, FIXED_POWERS - 1, -1):
        for column in range(COLUMNS):
            k = FORMULAS + (row * COLUMNS + column) * LANES
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


@INLINED
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


@INLINED
def powers_of(w):
    """Return for each column of the tables how many powers of x, from the lowest, occur in it."""
    powers = w[SHAPE], w[SHAPE + 1], w[SHAPE + 2], w[SHAPE + 3], w[SHAPE + 4], w[SHAPE + 5]
    return int(powers[0]), int(powers[1]), int(powers[2]), int(powers[3]), int(powers[4]), int(powers[5])


@njit(EVALUATE.signature, cache=True, error_model="numpy", fastmath={"contract"})
def table_values(w):
    """Write f and g."""
    evaluate_table(w, powers_of(w))
    for i in range(LANES):
        y = w[HEIGHT + i]
        w[F + i] = w[F0 + i] + y * (w[F1 + i] + y * w[F2 + i])
        w[G + i] = w[G0 + i] + y * (w[G1 + i] + y * w[G2 + i])
    return 0


@njit(EVALUATE.signature, cache=True, error_model="numpy", fastmath={"contract"})
def table_derivatives(w):
    """Write f and g and their derivatives."""
    evaluate_table_and_slopes(w, powers_of(w))
    for i in range(LANES):
        y = w[HEIGHT + i]
        w[F + i] = w[F0 + i] + y * (w[F1 + i] + y * w[F2 + i])
        w[F_X + i] = w[A0 + i] + y * (w[A1 + i] + y * w[A2 + i])
        w[F_Y + i] = w[F1 + i] + 2.0 * y * w[F2 + i]
        w[G + i] = w[G0 + i] + y * (w[G1 + i] + y * w[G2 + i])
        w[G_X + i] = w[B0 + i] + y * (w[B1 + i] + y * w[B2 + i])
        w[G_Y + i] = w[G1 + i] + 2.0 * y * w[G2 + i]
    return 0


@FUSED
def room_of_table(p):
    """Return how many numbers the tables take."""
    return max(int(p[0, FIRST]), FIXED_POWERS) * COLUMNS * LANES


@FUSED
def load_table(w, i, p, s):
    """Give lane i the table of the parameters p[s]."""
    rows = int(p[s, FIRST])
    for row in range(rows):
        for column in range(COLUMNS):
            w[FORMULAS + (row * COLUMNS + column) * LANES + i] = p[s, FIRST + 1 + (rows - 1 - row) * COLUMNS + column]


@FUSED
def load_powers(w, p):
    """Note how many powers of x occur in each column of the tables of all systems."""
    rows = int(p[0, FIRST])
    for s in range(p.shape[0]):
        for row in range(rows):
            for column in range(COLUMNS):
                if p[s, FIRST + 1 + row * COLUMNS + column] != 0.0:
                    w[SHAPE + column] = max(w[SHAPE + column], rows - row)
