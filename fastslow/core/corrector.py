"""Newton's method onto a curve F(u) = 0, F: R^n -> R^(n-1), with one bordering row.

Lengths are measured in the scaled variables u / scale, so that no answer depends on the
units; u itself is what is stored, so that a variable of size 1e-8 keeps its relative accuracy.
The rows of the Jacobian are scaled as well, by numbers that are fixed during a step: the
determinant of the bordered matrix is then a smooth function along the step.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.core.options import DefaultOptions

from fastslow.core.linalg import lu_determinant_sign, lu_factor, lu_solve

DIVERGED = -1
OUTSIDE_DOMAIN = -2
SINGULAR = -3

# Nothing is allocated, so that counting references would only cost: half of the run time and a fifth
# of the compile time. A helper that is only called from kernels needs no Python wrapper either.
LEAN = {"error_model": "numpy"} | ({"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {})
helper = njit(**LEAN, no_cpython_wrapper=True, no_cfunc_wrapper=True)

MAX_ITERATIONS = 12
EPSILON = 2.220446049250313e-16


class Window(NamedTuple):
    """Where the curve may go, and the length unit of each variable."""

    lower: np.ndarray
    upper: np.ndarray
    scales: np.ndarray


class Work(NamedTuple):
    """The arrays that the corrector writes to, allocated once per curve."""

    residual: np.ndarray
    jacobian: np.ndarray
    tests: np.ndarray
    row_weights: np.ndarray
    border: np.ndarray
    matrix: np.ndarray
    correction: np.ndarray
    pivots: np.ndarray


def make_work(n: int, tests: int) -> Work:
    """The work arrays for n variables; called from Python, so that no kernel allocates."""
    m = n - 1
    return Work(
        np.zeros(m), np.zeros((m, n)), np.zeros(tests), np.ones(m), np.zeros(n), np.zeros((n, n)), np.zeros(n),
        np.zeros(2 * n, np.int64),
    )  # fmt: skip


@helper
def evaluate_scaled(curve, p, u, window, work):
    """Call the user's function; scaled Jacobian into `matrix`, minus the scaled residual into `correction`."""
    n = u.size
    if curve(u, p, work.residual, work.jacobian, work.tests) != 0:
        return OUTSIDE_DOMAIN
    total = 0.0
    for i in range(n - 1):
        work.correction[i] = -work.residual[i] * work.row_weights[i]
        total += work.correction[i]
        for j in range(n):
            work.matrix[i, j] = work.jacobian[i, j] * window.scales[j] * work.row_weights[i]
            total += work.matrix[i, j]
    # an infinity or a NaN anywhere makes this difference a NaN
    return 0 if total - total == 0.0 else OUTSIDE_DOMAIN


@helper
def largest_residual(work):
    """Return max abs(F_i) at the last evaluation."""
    largest = 0.0
    for i in range(work.residual.size):
        largest = max(largest, abs(work.residual[i]))
    return largest


@helper
def renew_row_weights(window, work):
    """Make the largest entries of the scaled Jacobian one; return by what the determinant is multiplied."""
    change = 1.0
    for i in range(work.row_weights.size):
        largest = 0.0
        for j in range(window.scales.size):
            largest = max(largest, abs(work.jacobian[i, j]) * window.scales[j])
        if largest > 0.0:
            change /= work.row_weights[i] * largest
            work.row_weights[i] = 1.0 / largest
    return change


@helper
def tangent_and_determinant(previous, tangent, work):
    """Write the unit tangent with tangent . previous > 0; return det [J; tangent], both from the last factors.

    With [J; b] z = e_n the tangent is z / |z|, and b = (b . t) t + a combination of rows of J,
    so that det [J; b] = (b . t) det [J; t].
    """
    n = tangent.size
    for j in range(n):
        tangent[j] = 0.0
    tangent[n - 1] = 1.0
    lu_solve(work.matrix, work.pivots, tangent)
    norm = 0.0
    along = 0.0
    for j in range(n):
        norm += tangent[j] * tangent[j]
        along += tangent[j] * previous[j]
    norm = np.sqrt(norm)
    if along < 0.0:
        norm = -norm
    determinant = lu_determinant_sign(work.matrix, work.pivots) * norm
    for j in range(n):
        tangent[j] /= norm
        determinant *= abs(work.matrix[j, j])
    return determinant


@helper
def clip(u, window, border):
    """Move u into the window; return what that takes off `border . u / scale`."""
    lost = 0.0
    for j in range(u.size):
        inside = min(max(u[j], window.lower[j]), window.upper[j])
        if inside != u[j]:
            lost += border[j] * (u[j] - inside) / window.scales[j]
            u[j] = inside
    return lost


@helper
def correct(curve, p, u, plane, limit, window, work):
    """Move u onto the curve within the plane of `work.border`; return the iteration count, or a negative status.

    `plane` is how far u is from the plane, `limit` the largest first correction that is
    believed. The iterates are projected onto the window: the function is never called outside,
    and where the solution is outside, the correction does not shrink and the point is refused.

    The corrections are iterated until they are negligible in every variable, relative to that
    variable, or until rounding stops them. The last factors, residual and tests belong to u.
    """
    n = u.size
    plane += clip(u, window, work.border)
    acceptable = min(1e-9, 1e-3 * limit) + 16.0 * EPSILON
    previous = np.inf
    settled = False
    for iteration in range(1, MAX_ITERATIONS + 1):
        status = evaluate_scaled(curve, p, u, window, work)
        if status != 0:
            return status
        for j in range(n):
            work.matrix[n - 1, j] = work.border[j]
        if lu_factor(work.matrix, work.pivots) != 0:
            return SINGULAR
        d = work.correction
        d[n - 1] = plane
        lu_solve(work.matrix, work.pivots, d)
        size = 0.0
        negligible = True
        nearly = True
        for j in range(n):
            size += d[j] * d[j]
            change = abs(d[j]) * window.scales[j]
            negligible = negligible and change <= 4.0 * EPSILON * abs(u[j])
            nearly = nearly and change <= 1e-9 * abs(u[j])
        size = np.sqrt(size)
        # a step of Newton's method from a relative distance of 1e-9 leaves nothing but rounding
        if negligible or (settled and size <= acceptable):
            return iteration
        # a slow start means that another branch is as near as this one
        if not size <= (limit if iteration == 1 else (0.3 if iteration == 2 else 0.5) * previous):
            return iteration if previous <= acceptable else DIVERGED
        for j in range(n):
            u[j] += window.scales[j] * d[j]
        plane = clip(u, window, work.border)
        previous = size
        settled = nearly
    return MAX_ITERATIONS if previous <= acceptable else DIVERGED
