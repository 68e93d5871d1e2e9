"""Where the numbers of LANES trajectories lie that are followed abreast; see `lanes`.

All are in one array `w`, a block of LANES for each name, since the compiler has to see that two names never mean
the same memory. LANES is so large that it makes vector instructions of the loops instead of unrolling them.
"""

from numba import types

from fastslow.core.signatures import VECTOR

LANES = 16
K0, K1, K2, K3, K4, K5, K6, K7, L0, L1, L2, L3, L4, L5, L6, L7 = (LANES * k for k in range(16))
"""Blocks: the stages of both unknowns, ..."""
U, Y, END_U, END_Y, TIME, STEP, STEP_BEFORE, IDEAL_BEFORE = (LANES * k for k in range(16, 24))
"""... states, clocks and what the step control remembers, ..."""
X, HEIGHT, Z, INVERSE, FAST, SLOW, M00, M01, M10, M11, ERROR, IDEAL, FLOOR = (LANES * k for k in range(24, 37))
"""... the place (x, y), z, 1 / weight, the field, the inverse of I / gamma - h J, errors, tolerance of small y, ..."""
F, F_X, F_Y, G, G_X, G_Y, FACTOR, RATE = (LANES * k for k in range(37, 45))
"""... f and g without the constants of their equations, with their derivatives, and these constants, ..."""
F0, F1, F2, G0, G1, G2, A0, A1, A2, B0, B1, B2 = (LANES * k for k in range(45, 57))
"""... the polynomials of a table, with their derivatives, ..."""
ARGUMENT, VALUE, GRADIENT = (LANES * k for k in range(57, 60))
"""... a function of a tape, ..."""
SHAPE, FORMULAS = LANES * 60, LANES * 61
"""... how long the table or the tape is, and last these themselves."""

EVALUATE = types.FunctionType(types.int64(VECTOR))
"""evaluate(w): write f and g, or both and their derivatives, at the places X and HEIGHT of all lanes.

Through a pointer, which costs nothing beside the work on LANES trajectories, what steps is compiled once for all kinds
of equations, and not again together with each.
"""

RTOL, ATOL, END, MAX_STEPS, STOP = range(5)
"""Options. ATOL is that of u, and of y in units of its start if that is below 1; STOP, whether a run ends when an
event function is negative, or at END only."""
REACHED_END, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, TURNED_AT_EDGE = -1, -2, -3, -4, -5
"""Codes of trajectories that ended otherwise than by an event, whose codes are their numbers; the last where a step may
have gone beyond an edge and come back."""
