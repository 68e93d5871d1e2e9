"""One step of Rodas5P for LANES states of one family abreast; see `lanes`.

Each lane has its own system; the chart is the same for all, and so is the form of the equations: a table, or
a tape. What is the same for all comes in tuples, not arrays: the references to an array are counted in each call,
which would take a third of the time.
"""

import math

import numpy as np

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.lane_blocks import (
    END_U,
    END_Y,
    F_X,
    F_Y,
    FACTOR,
    FAST,
    FORMULAS,
    G_X,
    G_Y,
    HEIGHT,
    INVERSE,
    K0,
    K1,
    K2,
    K3,
    K4,
    K5,
    K6,
    K7,
    L0,
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
    L7,
    LANES,
    M00,
    M01,
    M10,
    M11,
    RATE,
    SLOW,
    STEP,
    F,
    G,
    U,
    X,
    Y,
    Z,
)
from fastslow.core.lane_functions import exponential, tangent
from fastslow.core.lane_tables import load_powers, load_table, room_of_table
from fastslow.core.lane_tapes import load_operations, load_tape, room_of_tape
from fastslow.core.polynomial import CHART, DIRECTION, FORM, ORIGIN, SCALED, SIZE, SLOW_RATE
from fastslow.core.tableau import GAMMA, A, C


@INLINED
def find_places(w, chart, u, y):
    """Write x, z and 1 / weight for the states in the blocks `u` and `y`; see `polynomial.place`."""
    kind, origin, size, bent = chart
    if kind == 1.0:
        for i in range(LANES):
            w[HEIGHT + i] = w[y + i]
            inverse = 1.0 / math.sqrt(1.0 + bent * w[y + i] * w[y + i])
            w[INVERSE + i] = inverse
            w[Z + i] = w[u + i] * inverse
            n, d, _ = tangent(w[Z + i])
            w[X + i] = origin + size * n / d
        return
    for i in range(LANES):
        w[HEIGHT + i] = w[y + i]
        w[INVERSE + i] = 1.0 / math.sqrt(1.0 + bent * w[y + i] * w[y + i])
        w[Z + i] = w[u + i] * w[INVERSE + i]
        w[X + i] = w[Z + i]
    if kind != 0.0:
        for i in range(LANES):
            w[X + i] = origin + size * exponential(w[Z + i])


@FUSED
def chart_of(p):
    """Return (kind, origin, size, scaled) of the parameters of a field, the last 0 or 1."""
    return p[CHART], p[ORIGIN], p[SIZE], 1.0 if p[SCALED] != 0.0 else 0.0


@FUSED
def room_for(p):
    """Return room for the lanes of systems with parameters p, with what they share."""
    taped = p[0, FORM] < 0.0
    size = FORMULAS + (room_of_tape(p) if taped else room_of_table(p))
    w = np.zeros(size + 8)
    first = (-w.ctypes.data // 8) % 8  # no block lies across two lines of the cache
    w = w[first : first + size]
    if taped:
        load_operations(w, p)
    else:
        load_powers(w, p)
    return w


@FUSED
def load_system(w, i, p, s):
    """Give lane i the system with the parameters p[s]."""
    w[FACTOR + i] = p[s, DIRECTION] * p[s, SIZE] if p[s, CHART] == 1.0 else p[s, DIRECTION]
    w[RATE + i] = p[s, DIRECTION] * p[s, SLOW_RATE]
    if p[s, FORM] < 0.0:
        load_tape(w, i, p, s)
    else:
        load_table(w, i, p, s)


@FUSED
def lane_field(values, w, chart):
    """Write the field at the states in END_U and END_Y."""
    find_places(w, chart, END_U, END_Y)
    values(w)
    bend = chart[3]
    for i in range(LANES):
        y, inverse = w[END_Y + i], w[INVERSE + i]
        f, g = w[FACTOR + i] * w[F + i], w[RATE + i] * w[G + i]
        w[FAST + i] = inverse * ((1.0 + bend * y * y) * f + bend * w[Z + i] * y * g)
        w[SLOW + i] = g


@FUSED
def lane_jacobian(derivatives, w, chart):
    """Write the field at the states in U and Y, and into M00 ... M11 its Jacobian; see `polynomial.planar_jacobian`."""
    find_places(w, chart, U, Y)
    derivatives(w)
    kind, origin, size, bent = chart
    # dx/dz = flat + linear s + square s^2, s = (x - origin) / size
    flat, linear, square = 1.0, 0.0, 0.0
    if kind == 1.0:
        flat, square = size, -size
    elif kind == 2.0:
        flat, linear = 0.0, size
    for i in range(LANES):
        y, z, inverse = w[Y + i], w[Z + i], w[INVERSE + i]
        fast, rate = w[FACTOR + i], w[RATE + i]
        part = (w[X + i] - origin) / size
        stretch = flat + part * (linear + square * part)
        f, f_z, f_y = fast * w[F + i], fast * w[F_X + i] * stretch, fast * w[F_Y + i]
        g, g_z, g_y = rate * w[G + i], rate * w[G_X + i] * stretch, rate * w[G_Y + i]
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


@FUSED
def lane_step(values, w, chart):
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
    lane_field(values, w, chart)
    for i in range(LANES):
        r = C[1][0] * w[K0 + i] + w[STEP + i] * w[FAST + i]
        q = C[1][0] * w[L0 + i] + w[STEP + i] * w[SLOW + i]
        w[K1 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L1 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[2][0] * w[K0 + i] + A[2][1] * w[K1 + i]
        w[END_Y + i] = w[Y + i] + A[2][0] * w[L0 + i] + A[2][1] * w[L1 + i]
    lane_field(values, w, chart)
    for i in range(LANES):
        r = C[2][0] * w[K0 + i] + C[2][1] * w[K1 + i] + w[STEP + i] * w[FAST + i]
        q = C[2][0] * w[L0 + i] + C[2][1] * w[L1 + i] + w[STEP + i] * w[SLOW + i]
        w[K2 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L2 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[3][0] * w[K0 + i] + A[3][1] * w[K1 + i] + A[3][2] * w[K2 + i]
        w[END_Y + i] = w[Y + i] + A[3][0] * w[L0 + i] + A[3][1] * w[L1 + i] + A[3][2] * w[L2 + i]
    lane_field(values, w, chart)
    for i in range(LANES):
        r = C[3][0] * w[K0 + i] + C[3][1] * w[K1 + i] + C[3][2] * w[K2 + i] + w[STEP + i] * w[FAST + i]
        q = C[3][0] * w[L0 + i] + C[3][1] * w[L1 + i] + C[3][2] * w[L2 + i] + w[STEP + i] * w[SLOW + i]
        w[K3 + i] = w[M00 + i] * r + w[M01 + i] * q
        w[L3 + i] = w[M10 + i] * r + w[M11 + i] * q
        w[END_U + i] = w[U + i] + A[4][0] * w[K0 + i] + A[4][1] * w[K1 + i] + A[4][2] * w[K2 + i] + A[4][3] * w[K3 + i]
        w[END_Y + i] = w[Y + i] + A[4][0] * w[L0 + i] + A[4][1] * w[L1 + i] + A[4][2] * w[L2 + i] + A[4][3] * w[L3 + i]
    lane_field(values, w, chart)
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
    lane_field(values, w, chart)
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
    lane_field(values, w, chart)
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
    lane_field(values, w, chart)
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
