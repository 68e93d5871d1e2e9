"""Series of normalised Hermite polynomials h_k = He_k / sqrt(k!), and the residuals of a two-layer network.

h_{k+1} = (x h_k - sqrt(k) h_{k-1}) / sqrt(k+1), a recursion that loses no digits, and h_k' = sqrt(k) h_{k-1}.
One pass over a batch of pre-activations gives activations, their slopes and all that SGD needs of them.
"""

import numpy as np
from numba import njit

GROUP = 16
"""Samples whose gradients are summed in one array of the precision of the batch; the groups are summed in double."""

_fast_sums = {"contract", "reassoc"}


@njit(cache=True, nogil=True, error_model="numpy")
def series(b, x):
    """Return sum_k b[k-1] h_k(x), k = 1, 2, ..., at one point."""
    total, before, now = 0.0, 0.0, 1.0
    for k in range(1, len(b) + 1):
        before, now = now, (x * now - np.sqrt(k - 1.0) * before) / np.sqrt(1.0 * k)
        total += b[k - 1] * now
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def series_at(b, x):
    """Return `series` at the points of an array."""
    out = np.empty(len(x))
    for j in range(len(x)):
        out[j] = series(b, x[j])
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_fast_sums)
def _activate(x, table, before, now, value, slope):
    """Write sigma(x) and sigma'(x); rows of the table: 1/sqrt(k), sqrt((k-1)/k), b_k, b_k sqrt(k)."""
    first, one = table[2, 0], table[0, 0]
    for j in range(len(x)):
        before[j] = one
        now[j] = x[j]
        value[j] = first * x[j]
        slope[j] = first
    for k in range(1, table.shape[1]):
        up, down, b, b_slope = table[0, k], table[1, k], table[2, k], table[3, k]
        for j in range(len(x)):
            h = now[j]
            new = x[j] * h * up - down * before[j]
            slope[j] += b_slope * h
            value[j] += b * new
            before[j] = new
        before, now = now, before


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_fast_sums)
def _weighted(a, value, zero):
    total = zero
    for j in range(len(a)):
        total += a[j] * value[j]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_fast_sums)
def _keep(residual, a, value, slope, row, gradient):
    for j in range(len(a)):
        row[j] = residual * a[j] * slope[j]
        gradient[j] += residual * value[j]


@njit(cache=True, nogil=True, error_model="numpy")
def residuals(pre, noise, a, table, b_star, gradients, losses):
    """Replace the pre-activations of a batch by l_si = r_s a_i sigma'(u_si).

    r_s = sigma*(u_s0) + noise_s - (1/m) sum_i a_i sigma(u_si) is the residual of sample s.

    Parameters
    ----------
    pre : array, shape (n, m + 1)
        Pre-activations u_si, column 0 the teacher's; overwritten by l, whose column 0 is zero.
    noise : array of double, shape (n,)
        Label noise.
    a : array, shape (m + 1,)
        Second layer behind a zero for the teacher, of the kind of `pre`.
    table, b_star : array
        See `_activate`; normalised coefficients of the teacher's link.
    gradients : array, shape (ceil(n / GROUP), m + 1)
        Gets sum_s r_s sigma(u_si) of each group of samples.
    losses : array of double, shape (ceil(n / GROUP),)
        Gets sum_s r_s^2 of each group.
    """
    n, width = pre.shape
    groups = gradients.shape[0]
    before, now = np.empty_like(a), np.empty_like(a)
    value, slope = np.empty_like(a), np.empty_like(a)
    for group in range(groups):
        gradient = gradients[group]
        gradient[:] = 0.0
        loss = 0.0
        for s in range(group * GROUP, min((group + 1) * GROUP, n)):
            row = pre[s]
            teacher = series(b_star, np.float64(row[0]))
            _activate(row, table, before, now, value, slope)
            student = np.float64(_weighted(a, value, 0.0 * a[0])) / (width - 1)
            residual = teacher + noise[s] - student
            # The kind of the batch, so that single precision stays single.
            now[0] = residual
            _keep(now[0], a, value, slope, row, gradient)
            loss += residual * residual
        losses[group] = loss
