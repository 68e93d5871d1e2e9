"""One step of Rodas5P and its dense output, for autonomous systems.

Rodas5P is a Rosenbrock method of 8 stages and order 5 with an embedded method
of order 4: stiffly accurate, L-stable, dense output of order 4. Coefficients:
G. Steinebach, "Construction of Rosenbrock-Wanner method Rodas5P and numerical
benchmarks within the Julia Differential Equations package", BIT Numer. Math.
63:27 (2023), doi:10.1007/s10543-023-00967-x.

With J the Jacobian at u, stage i solves

    (I / gamma - h J) k_i = h F(u + sum_j A_ij k_j) + sum_j C_ij k_j,    j < i.

Rows 7 and 8 of A are row 6 with ones appended, so the last arguments are
u_7 = u_6 + k_6, u_8 = u_7 + k_7, the end of the step is u_8 + k_8, and k_8 is
the error estimate. No term in dF/dt: the systems here are autonomous.
"""

import numpy as np

from fastslow.core.calls import call_field
from fastslow.core.decorators import HELPER
from fastslow.core.linalg import lu_factor, lu_solve
from fastslow.core.tableau import GAMMA, STAGES, A, C, H

STEP_FINE = 0
STEP_OUTSIDE = 1
"""The right-hand side was outside its domain, or not finite, at a stage."""
STEP_SINGULAR = 2

A_TABLE = np.array([row + (0.0,) * (5 - len(row)) for row in A])
C_TABLE = np.array([row + (0.0,) * (7 - len(row)) for row in C])
H_TABLE = np.array(H)

SLOPE = STAGES
"""Rows of `work`: the stages k_1 ... k_8 (the last is the error estimate), then F at the step's start, ..."""
RATE = SLOPE + 1
"""... F at a stage, overwritten by the right-hand side of the linear system, ..."""
STATE = RATE + 1
"""... the state at the end of the step, ..."""
DENSE = STATE + 1
"""... three rows of coefficients of the dense output, and from here on the Jacobian at the step's start, ..."""
JACOBIAN = DENSE + 3
"""... n rows for it, n for a field that fills in a Jacobian unasked, and n for I / gamma - h J or its factors."""
WORK_ROWS = JACOBIAN
"""Rows of `work`, of n numbers each, beside those 3 n: one array, since every argument costs compilation."""


@HELPER
def all_finite(vector):
    """Whether no element is infinite or NaN."""
    count = 0
    for x in vector:
        if np.isfinite(x):
            count += 1
    return count == vector.shape[0]


@HELPER
def step(field, p, u, h, work, pivots, end):
    """Write into `end` the state that one step of length `h` reaches from `u`; STEP_FINE or what went wrong.

    Needs F(u) and its Jacobian in rows SLOPE and JACOBIAN of `work`; leaves the stages there.
    """
    n = u.shape[0]
    rate = work[RATE]
    spare = work[JACOBIAN + n : JACOBIAN + 2 * n]
    matrix = work[JACOBIAN + 2 * n :]
    for i in range(n):
        for j in range(n):
            matrix[i, j] = -h * work[JACOBIAN + i, j]
        matrix[i, i] += 1.0 / GAMMA
    if lu_factor(matrix, pivots) != 0:
        return STEP_SINGULAR
    for s in range(STAGES):
        if s == 0:
            for i in range(n):
                rate[i] = work[SLOPE, i]
        else:
            for i in range(n):
                if s < 6:
                    argument = u[i]
                    for j in range(s):
                        argument += A_TABLE[s, j] * work[j, i]
                    end[i] = argument
                else:
                    end[i] += work[s - 1, i]
            if call_field(field, end, p, rate, spare, False) != 0:
                return STEP_OUTSIDE
        for i in range(n):
            total = h * rate[i]
            for j in range(s):
                total += C_TABLE[s, j] * work[j, i]
            if not np.isfinite(total):
                return STEP_OUTSIDE
            work[s, i] = total
        lu_solve(matrix, pivots, work[s])
    for i in range(n):
        end[i] += work[STAGES - 1, i]
        if not np.isfinite(end[i]):
            return STEP_OUTSIDE
    return STEP_FINE


@HELPER
def prepare_dense(work):
    """Coefficients of the dense output of the step whose stages are in `work`."""
    for i in range(work.shape[1]):
        for r in range(3):
            total = 0.0
            for s in range(STAGES):
                total += H_TABLE[r, s] * work[s, i]
            work[DENSE + r, i] = total


@HELPER
def dense_state(u, work, theta, point):
    """Write into `point` the state at the fraction `theta` of the step from `u` (order 4)."""
    for i in range(u.shape[0]):
        bend = work[DENSE, i] + theta * (work[DENSE + 1, i] + theta * work[DENSE + 2, i])
        point[i] = (1.0 - theta) * u[i] + theta * (work[STATE, i] + (1.0 - theta) * bend)
