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
from numba import njit

from fastslow.core.linalg import lu_factor, lu_solve

HELPER = njit(cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions called by other kernels only: without wrappers for Python they compile in half the time, and
with numpy's error model a division by zero gives an infinity and no exception."""

STEP_FINE = 0
STEP_OUTSIDE = 1
"""The right-hand side was outside its domain, or not finite, at a stage."""
STEP_SINGULAR = 2

STAGES = 8
GAMMA = 0.21193756319429014

A = np.zeros((6, 5))
A[1, :1] = 3.0
A[2, :2] = 2.849394379747939, 0.45842242204463923
A[3, :3] = -6.954028509809101, 2.489845061869568, -10.358996098473584
A[4, :4] = 2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641
A[5, :5] = -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946

C = np.zeros((STAGES, STAGES - 1))
C[1, :1] = -14.155112264123755
C[2, :2] = -17.97296035885952, -2.859693295451294
C[3, :3] = 147.12150275711716, -1.41221402718213, 71.68940251302358
C[4, :4] = 165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306
C[5, :5] = 24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471
C[6, :6] = (
    30.91273214028599,
    -3.1208243349937974,
    77.79954646070892,
    34.28646028294783,
    -19.097331116725623,
    -28.087943162872662,
)
C[7, :7] = (
    37.80277123390563,
    -3.2571969029072276,
    112.26918849496327,
    66.9347231244047,
    -40.06618937091002,
    -54.66780262877968,
    -9.48861652309627,
)

H = np.array(
    [
        [
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ],
        [
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ],
        [
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ],
    ]
)


SLOPE = STAGES
"""Rows of `work`: the stages k_1 ... k_8 (the last is the error estimate), then F at the step's start, ..."""
RATE = SLOPE + 1
"""... F at a stage, overwritten by the right-hand side of the linear system, ..."""
STATE = RATE + 1
"""... the state at the end of the step, ..."""
DENSE = STATE + 1
"""... three rows of coefficients of the dense output, and from here on the Jacobian at the step's start, ..."""
JACOBIAN = DENSE + 3
"""... n rows for it, n for the Jacobians at the stages (not used), and n for I / gamma - h J or its LU factors."""
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
                    end[i] = u[i]
                    for j in range(s):
                        end[i] += A[s, j] * work[j, i]
                else:
                    end[i] += work[s - 1, i]
            if field(end, p, rate, spare) != 0:
                return STEP_OUTSIDE
        for i in range(n):
            rate[i] *= h
            for j in range(s):
                rate[i] += C[s, j] * work[j, i]
            if not np.isfinite(rate[i]):
                return STEP_OUTSIDE
        lu_solve(matrix, pivots, rate)
        for i in range(n):
            work[s, i] = rate[i]
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
                total += H[r, s] * work[s, i]
            work[DENSE + r, i] = total


@HELPER
def dense_state(u, work, theta, point):
    """Write into `point` the state at the fraction `theta` of the step from `u` (order 4)."""
    for i in range(u.shape[0]):
        bend = work[DENSE, i] + theta * (work[DENSE + 1, i] + theta * work[DENSE + 2, i])
        point[i] = (1.0 - theta) * u[i] + theta * (work[STATE, i] + (1.0 - theta) * bend)
