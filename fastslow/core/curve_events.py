"""Points on one step of a curve where something changes sign: folds, branch points, user tests."""

from typing import NamedTuple

import numpy as np

from fastslow.core.corrector import (
    DIVERGED,
    EPSILON,
    SINGULAR,
    correct,
    evaluate_scaled,
    helper,
    tangent_and_determinant,
)
from fastslow.core.linalg import lu_factor, lu_solve, null_vector


class Step(NamedTuple):
    """The two ends of one step, and the distance between them along the first tangent."""

    u0: np.ndarray
    t0: np.ndarray
    u1: np.ndarray
    t1: np.ndarray
    length: float


class Scratch(NamedTuple):
    """Event functions at both ends and at the start; the point being located, and what its polishing needs."""

    left: np.ndarray
    right: np.ndarray
    begin: np.ndarray
    values: np.ndarray
    largest_rows: np.ndarray
    curvature: np.ndarray
    point: np.ndarray
    tangent: np.ndarray
    extended: np.ndarray
    extended_right: np.ndarray
    cokernel: np.ndarray
    transposed: np.ndarray


def make_scratch(n: int, kinds: int) -> Scratch:
    """The arrays for n variables and so many event functions."""
    shapes = (
        (kinds,), (kinds,), (kinds,), (kinds,), (n - 1,), (n,), (n,), (n,),
        (2 * n, 2 * n), (2 * n,), (n - 1,), (n, n - 1),
    )  # fmt: skip
    return Scratch(*(np.zeros(shape) for shape in shapes))


@helper
def event_values(tangent, determinant, folds, tests, values):
    """Write the event functions: tangent components, the determinant, the user's tests, in this order."""
    count = folds.size
    for i in range(count):
        values[i] = tangent[folds[i]]
    values[count] = determinant
    for i in range(tests.size):
        values[count + 1 + i] = tests[i]


@helper
def point_on_step(curve, p, step, distance, window, work, scratch):
    """Put the point of the curve at `distance` along the first tangent into `scratch.point`.

    Return (iterations or negative status, determinant). The guess is the cubic through both ends.
    """
    n = step.u0.size
    x = distance / step.length
    along = 1.0
    for j in range(n):
        along += step.t0[j] * step.t1[j]
    arc = step.length * 2.0 / along
    plane = distance
    for j in range(n):
        chord = step.u1[j] - step.u0[j]
        d0 = window.scales[j] * arc * step.t0[j]
        d1 = window.scales[j] * arc * step.t1[j]
        move = x * (d0 + x * ((3.0 * chord - 2.0 * d0 - d1) + x * (d0 + d1 - 2.0 * chord)))
        scratch.point[j] = step.u0[j] + move
        plane -= step.t0[j] * move / window.scales[j]
        work.border[j] = step.t0[j]
    status = correct(curve, p, scratch.point, plane, 0.2 * step.length, window, work)
    if status < 0:
        return status, 0.0
    return status, tangent_and_determinant(step.t0, scratch.tangent, work)


@helper
def locate(curve, p, step, which, left, right, tolerance, folds, window, work, scratch):
    """Find the zero of event function `which` on a step by the Illinois method, with bisections.

    The values at the ends are `left` and `right`. The point stays in `scratch.point`.
    Return (0 or negative status, distance along the first tangent).
    """
    a, b, middle = 0.0, step.length, 0.0
    for iteration in range(1, 101):
        last = middle
        # the bisections bound the work where the function is flat or jumps
        middle = 0.5 * (a + b) if iteration % 6 == 0 else (a * right - b * left) / (right - left)
        if not a <= middle <= b:
            middle = 0.5 * (a + b)
        status, determinant = point_on_step(curve, p, step, middle, window, work, scratch)
        if status < 0:
            return status, middle
        event_values(scratch.tangent, determinant, folds, work.tests, scratch.values)
        value = scratch.values[which]
        if value == 0.0 or b - a <= tolerance or abs(middle - last) <= tolerance:
            return 0, middle
        if (value > 0.0) == (right > 0.0):
            b = middle
            right = value
            left *= 0.5
        else:
            a = middle
            left = value
            right *= 0.5
    return 0, middle


@helper
def polish_branch_point(curve, p, step, tolerance, window, work, scratch):
    """Move `scratch.point` onto the branch point near it; 0, or negative where there is none.

    Solves F + m w = 0, J^T w = 0, w . w = 1 for (u, w, m): regular at a simple branch point,
    where the curve itself is singular. A curve that only comes close to a crossing gives a
    solution with m != 0. Derivatives of J are differences inside the window; with them the
    iteration is linear, with a factor of about 1e-9.
    """
    n = step.u0.size
    m = n - 1
    size = 2 * n
    matrix, pivots, right = scratch.extended, work.pivots, scratch.extended_right
    w, transposed = scratch.cokernel, scratch.transposed
    gap = 0.0
    u = scratch.point
    delta = min(1e-5, 1e-3 * step.length)
    previous = np.inf
    for iteration in range(12):
        for i in range(size):
            for j in range(size):
                matrix[i, j] = 0.0
        # evaluate at u + delta e_k and u - delta e_k for the columns of J^T w by u_k, then at u
        first = 0 if iteration > 0 else size
        for point in range(first, size + 1):
            k = point // 2
            centre, spread = 0.0, 0.0
            if point < size:
                centre = u[k]
                high = min(centre + delta * window.scales[k], window.upper[k])
                low = max(centre - delta * window.scales[k], window.lower[k])
                spread = (high - low) / window.scales[k]
                u[k] = high if point % 2 == 0 else low
            status = evaluate_scaled(curve, p, u, window, work)
            if point < size:
                u[k] = centre
                sign = 1.0 if point % 2 == 0 else -1.0
                for j in range(n):
                    for i in range(m):
                        matrix[m + j, k] += sign * w[i] * work.matrix[i, j] / spread
            if status != 0:
                return status
        if iteration == 0:
            for i in range(m):
                for j in range(n):
                    transposed[j, i] = work.matrix[i, j]
            if null_vector(transposed, w, pivots) != 0:
                return SINGULAR
            continue
        norm = 1.0
        for i in range(m):
            norm -= w[i] * w[i]
            right[i] = work.correction[i] - gap * w[i]
            matrix[i, n + i] = gap
            matrix[i, size - 1] = w[i]
            matrix[size - 1, n + i] = 2.0 * w[i]
        right[size - 1] = norm
        for j in range(n):
            right[m + j] = 0.0
            for i in range(m):
                matrix[i, j] = work.matrix[i, j]
                matrix[m + j, n + i] = work.matrix[i, j]
                right[m + j] -= work.matrix[i, j] * w[i]
        if lu_factor(matrix, pivots) != 0:
            return SINGULAR
        lu_solve(matrix, pivots, right)
        change = 0.0
        for j in range(n):
            change += right[j] * right[j]
        change = np.sqrt(change)
        if change <= EPSILON or (change >= 0.5 * previous and previous <= 1e-10):
            return 0 if abs(gap) <= tolerance else DIVERGED
        if not change <= 4.0 * step.length:
            return DIVERGED
        previous = change
        for j in range(n):
            u[j] = min(max(u[j] + window.scales[j] * right[j], window.lower[j]), window.upper[j])
        for i in range(m):
            w[i] += right[n + i]
        gap += right[size - 1]
    return DIVERGED


@helper
def locate_event(curve, p, step, which, roughness, folds, window, work, scratch):
    """Locate a sign change, and for det [J; t] tell a crossing from two branches that nearly touch.

    The point stays in `scratch.point`. Return (0 or negative status, distance along the first tangent).
    """
    left, right = scratch.left[which], scratch.right[which]
    status, distance = locate(curve, p, step, which, left, right, 1e-14 * step.length, folds, window, work, scratch)
    if which != folds.size:
        return status, distance
    # at a crossing of higher order the determinant must at least come down to zero, not jump
    vanishes = status == 0 and abs(scratch.values[which]) <= 1e-5 * min(abs(left), abs(right))
    polished = polish_branch_point(curve, p, step, roughness, window, work, scratch)
    if polished == 0:
        distance = 0.0
        for j in range(step.u0.size):
            distance += step.t0[j] * (scratch.point[j] - step.u0[j]) / window.scales[j]
        vanishes = -1e-3 * step.length <= distance <= 1.001 * step.length
    return 0 if vanishes else DIVERGED, distance
