"""Small dense linear algebra for systems of a few unknowns.

A hand-written LU compiles in a tenth of the time of ``np.linalg.solve`` and is
faster below about twenty unknowns.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def lu_factor(a, pivots):
    """Replace `a` (n, n) by its LU factors with row pivoting; 0, or 1 where it is singular to working precision.

    The pivot is the element that is the largest part of what is left of its row: not a matter of units of the
    equations. An equation a_ii x_i = 0 thus remains what it is, and is solved by zero to the last bit.
    """
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            if not abs(a[i, j]) < np.inf:
                return 1
    for k in range(n):
        pivot, share = k, 0.0
        for i in range(k, n):
            largest = 0.0
            for j in range(k, n):
                largest = max(largest, abs(a[i, j]))
            if abs(a[i, k]) > share * largest:
                pivot, share = i, abs(a[i, k]) / largest
        pivots[k] = pivot
        if a[pivot, k] == 0.0:
            return 1
        if pivot != k:
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return 0


@njit(cache=True)
def lu_solve(lu, pivots, b):
    """Solve in place for the right-hand side `b` with the factors of `lu_factor`."""
    n = lu.shape[0]
    # all exchanges first: the rows of L took part in the later ones
    for k in range(n):
        pivot = pivots[k]
        if pivot != k:
            b[k], b[pivot] = b[pivot], b[k]
    for k in range(n):
        for i in range(k + 1, n):
            b[i] -= lu[i, k] * b[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            b[k] -= lu[k, j] * b[j]
        b[k] /= lu[k, k]


@njit(cache=True)
def lu_determinant_sign(lu, pivots):
    """Sign of the determinant, -1.0, 0.0 or 1.0, from the factors of `lu_factor`."""
    sign = 1.0
    for k in range(lu.shape[0]):
        if pivots[k] != k:
            sign = -sign
        if lu[k, k] < 0.0:
            sign = -sign
        elif lu[k, k] == 0.0:
            return 0.0
    return sign


@njit(cache=True, error_model="numpy")
def null_vector(a, v, order):
    """Write a unit vector v with a v = 0 for the k columns of `a`, which it destroys; 1 where it is not unique.

    `order` (k,) is integer work space.

    Gaussian elimination with complete pivoting needs no guess of the null space. Exactly
    k - 1 rows are eliminated, so that a nearly singular square or tall matrix is welcome too.
    """
    rows, columns = a.shape
    for j in range(columns):
        order[j] = j
    first = 0.0
    for k in range(columns - 1):
        row, column = k, k
        for i in range(k, rows):
            for j in range(k, columns):
                if abs(a[i, j]) > abs(a[row, column]):
                    row, column = i, j
        first = max(first, abs(a[row, column]))
        if not abs(a[row, column]) > 1e-13 * first:
            return 1
        for j in range(columns):
            a[k, j], a[row, j] = a[row, j], a[k, j]
        for i in range(rows):
            a[i, k], a[i, column] = a[i, column], a[i, k]
        order[k], order[column] = order[column], order[k]
        for i in range(k + 1, rows):
            factor = a[i, k] / a[k, k]
            for j in range(k, columns):
                a[i, j] -= factor * a[k, j]
    norm = 1.0
    v[order[columns - 1]] = 1.0
    for k in range(columns - 2, -1, -1):
        total = 0.0
        for j in range(k + 1, columns):
            total -= a[k, j] * v[order[j]]
        v[order[k]] = total / a[k, k]
        norm += v[order[k]] * v[order[k]]
    norm = np.sqrt(norm)
    for j in range(columns):
        v[j] /= norm
    return 0
