"""Symmetric network of finite width and batch: its field in (R, Q, a), and the mean of one step of SGD.

The state is the alignment R of each neuron with the teacher, the overlap Q of any two neurons, and the scale a.
With S(R) = sum_k b_k b*_k R^k, Y(q) = sum_k b_k^2 q^k, kappa = 1/m and nu = gamma/(m delta), delta = n/d,

    R' = a (1 - R^2) S' - a^2 (1 - kappa) (1 - Q) R Y'(Q) - (nu/2) D1 R
    Q' = 2 a R (1 - Q) S' - 2 a^2 (1 - Q) Y'(Q) (kappa + (1 - kappa) Q) + nu (D2 - D1 Q)
    a' = rate (S - a ((1 - kappa) Y(Q) + kappa Y(1)))
    D1 = a^2 E[rho psi],   D2 = a^2 E[rho mu^2],   over a normal z, the teacher's pre-activation,

rho the mean square of the residual given z, psi and mu those of sigma'^2 and sigma'. Of a Hermite series they come
from Mehler's formula: the mean of a series in h_j(u) given z is the same series with coefficients times R^j, at z. All
are polynomials in z, so that Gauss-Hermite quadrature is exact. Of a function they are given as Chebyshev series in
t = (2/pi) arcsin R: A0, A1, A2, B0, B1, B2, C in

    D1/a^2 = A0 + a A1 + a^2 (A2 + kappa (Y(1) - Y(R^2)) E[sigma'^2]),
    D2/a^2 = B0 + a B1 + a^2 (B2 + kappa (Y(1) - Y(R^2)) C).

p = [kappa, nu, rate, noise variance, K, N, L, E[sigma'^2]] and, one after the other: b_k b*_k, b_k^2 (K numbers each),
the coefficients of E[sigma* sigma''] and E[sigma_j sigma_i''] in powers of R and of Q (K each). Then, of a function
(N = 0), seven series of L coefficients; of a series (L = 0) b_k (K numbers), the series of sigma'^2 (2K - 1), the
teacher at the N nodes, the weights (N), h_j at the nodes (N rows of 2K - 1).
"""

import numpy as np
from numba import njit, types

from fastslow.core.signatures import FIELD, MATRIX, VECTOR

KAPPA, NU, RATE, VARIANCE, ORDER, NODES, LENGTH, STEEPNESS, FIRST = range(9)
_LEAST_COSINE = 1e-8
"""The slope of arcsin is infinite at 1."""


@njit(cache=True, error_model="numpy")
def _power_series(c, x):
    """Return (q, q', q'') of q = sum_k c[k-1] x^k, by Horner's rule."""
    value, first, second = 0.0, 0.0, 0.0
    for k in range(len(c) - 1, -1, -1):
        second = second * x + 2.0 * first
        first = first * x + value
        value = value * x + c[k]
    # value is q / x
    return value * x, value + x * first, 2.0 * first + x * second


@njit(cache=True, error_model="numpy")
def _diffusion(p, R, a, out):
    """Write D1, D2 and their derivatives by R and a: rows D1, D2, columns value, d/dR, d/da."""
    order = int(p[ORDER])
    y = p[FIRST + order : FIRST + 2 * order]
    overlap, slope, _ = _power_series(y, R * R)
    own, _, _ = _power_series(y, 1.0)
    spread, spread_R = p[KAPPA] * (own - overlap), -2.0 * R * p[KAPPA] * slope
    if int(p[LENGTH]) > 0:
        _diffusion_of_function(p, R, a, spread, spread_R, out)
    else:
        _diffusion_of_series(p, R, a, spread, spread_R, out)


@njit(cache=True, error_model="numpy")
def _diffusion_of_series(p, R, a, spread, spread_R, out):
    """Do it by quadrature over z; spread is what the other neurons' own parts add to rho/a^2."""
    order, nodes = int(p[ORDER]), int(p[NODES])
    size = 2 * order - 1
    first = FIRST + 4 * order
    b = p[first : first + order]
    e = p[first + order : first + order + size]
    teacher = p[first + order + size : first + order + size + nodes]
    weight = p[first + order + size + nodes : first + order + size + 2 * nodes]
    table = first + order + size + 2 * nodes
    for i in range(2):
        for k in range(3):
            out[i, k] = 0.0
    for s in range(nodes):
        h = p[table + s * size : table + (s + 1) * size]
        mean, mean_R, mu, mu_R, psi, psi_R = 0.0, 0.0, 0.0, 0.0, e[0], 0.0
        power, before = 1.0, 0.0  # R^(j-1) and, for its derivative, R^(j-2)
        for j in range(1, size):
            if j <= order:
                mean += b[j - 1] * power * R * h[j]
                mean_R += j * b[j - 1] * power * h[j]
                mu += b[j - 1] * np.sqrt(1.0 * j) * power * h[j - 1]
                mu_R += b[j - 1] * np.sqrt(1.0 * j) * (j - 1.0) * before * h[j - 1]
            psi += e[j] * power * R * h[j]
            psi_R += e[j] * j * power * h[j]
            before = power
            power *= R
        gap = teacher[s] - a * mean
        rho = gap * gap + p[VARIANCE] + a * a * spread
        rho_R = -2.0 * a * gap * mean_R + a * a * spread_R
        rho_a = -2.0 * gap * mean + 2.0 * a * spread
        out[0, 0] += weight[s] * rho * psi
        out[0, 1] += weight[s] * (rho_R * psi + rho * psi_R)
        out[0, 2] += weight[s] * rho_a * psi
        out[1, 0] += weight[s] * rho * mu * mu
        out[1, 1] += weight[s] * (rho_R * mu * mu + 2.0 * rho * mu * mu_R)
        out[1, 2] += weight[s] * rho_a * mu * mu
    for i in range(2):
        out[i, 2] = a * a * out[i, 2] + 2.0 * a * out[i, 0]
        out[i, 0] *= a * a
        out[i, 1] *= a * a


@njit(cache=True, error_model="numpy")
def _diffusion_of_function(p, R, a, spread, spread_R, out):
    """Do it by the seven series."""
    first, length = FIRST + 4 * int(p[ORDER]), int(p[LENGTH])
    x = min(max(R, -1.0), 1.0)
    t, t_R = np.arcsin(x) * (2.0 / np.pi), (2.0 / np.pi) / max(np.sqrt((1.0 - x) * (1.0 + x)), _LEAST_COSINE)
    value, by_t = np.zeros(7), np.zeros(7)
    now, before, slope_now, slope_before = 1.0, t, 0.0, 1.0  # T_0, T_(-1) and their slopes
    for k in range(length):
        for i in range(7):
            value[i] += p[first + i * length + k] * now
            by_t[i] += p[first + i * length + k] * slope_now
        slope_now, slope_before = 2.0 * (t * slope_now + now) - slope_before, slope_now
        now, before = 2.0 * t * now - before, now
    for i in range(2):
        v, w = value[3 * i : 3 * i + 3], by_t[3 * i : 3 * i + 3]
        factor, factor_t = (p[STEEPNESS], 0.0) if i == 0 else (value[6], by_t[6])
        square = v[2] + spread * factor
        out[i, 0] = a * a * (v[0] + a * (v[1] + a * square))
        out[i, 1] = a * a * t_R * (w[0] + a * (w[1] + a * (w[2] + spread * factor_t))) + a**4 * spread_R * factor
        out[i, 2] = a * (2.0 * v[0] + a * (3.0 * v[1] + 4.0 * a * square))
    # both are not negative and D2 <= D1, which rounding breaks where the residual is zero
    out[0, 0] = max(out[0, 0], 0.0)
    out[1, 0] = min(max(out[1, 0], 0.0), out[0, 0])


@njit(FIELD.signature, cache=True, error_model="numpy")
def finite_width_field(u, p, du, jacobian, with_jacobian):
    """Right-hand side in u = (R, Q, a); see the head of this file."""
    R, Q, a = u[0], u[1], u[2]
    kappa, nu, rate, order = p[KAPPA], p[NU], p[RATE], int(p[ORDER])
    S, S1, S2 = _power_series(p[FIRST : FIRST + order], R)
    y = p[FIRST + order : FIRST + 2 * order]
    Y, Y1, Y2 = _power_series(y, Q)
    own, _, _ = _power_series(y, 1.0)
    d = np.zeros((2, 3))
    if nu != 0.0:
        _diffusion(p, R, a, d)
    push = (1.0 - kappa) * (1.0 - Q) * Y1
    share = kappa + (1.0 - kappa) * Q
    du[0] = a * (1.0 - R * R) * S1 - a * a * R * push - 0.5 * nu * d[0, 0] * R
    du[1] = 2.0 * a * (1.0 - Q) * (R * S1 - a * Y1 * share) + nu * (d[1, 0] - d[0, 0] * Q)
    du[2] = rate * (S - a * ((1.0 - kappa) * Y + kappa * own))
    if with_jacobian:
        jacobian[0, 0] = a * ((1.0 - R * R) * S2 - 2.0 * R * S1) - a * a * push - 0.5 * nu * (d[0, 1] * R + d[0, 0])
        jacobian[0, 1] = -a * a * R * (1.0 - kappa) * ((1.0 - Q) * Y2 - Y1)
        jacobian[0, 2] = (1.0 - R * R) * S1 - 2.0 * a * R * push - 0.5 * nu * d[0, 2] * R
        jacobian[1, 0] = 2.0 * a * (1.0 - Q) * (S1 + R * S2) + nu * (d[1, 1] - d[0, 1] * Q)
        jacobian[1, 1] = (
            -2.0 * a * (R * S1 - a * Y1 * share)
            - 2.0 * a * a * (1.0 - Q) * (Y2 * share + Y1 * (1.0 - kappa))
            - nu * d[0, 0]
        )
        jacobian[1, 2] = 2.0 * (1.0 - Q) * (R * S1 - 2.0 * a * Y1 * share) + nu * (d[1, 2] - d[0, 2] * Q)
        jacobian[2, 0] = rate * S1
        jacobian[2, 1] = -rate * a * (1.0 - kappa) * Y1
        jacobian[2, 2] = -rate * ((1.0 - kappa) * Y + kappa * own)
    return 0 if np.isfinite(du[0]) and np.isfinite(du[1]) and np.isfinite(du[2]) else 1


@njit(types.void(VECTOR, VECTOR, types.float64), cache=True, error_model="numpy")
def _mean_step(u, p, h):
    """Move u by the mean of one step of SGD of length h = gamma/m, with the exact normalisation.

    The mean gradient of neuron i is, by Stein's lemma, a (S' w* - (a/m) sum_j Y'(Q_ij) w_j + q w_i) with
    q = E[r sigma''(u_i)]; the noise of the batch adds h^2 D1/delta to the norms and h^2 D2/delta to the overlaps.
    """
    R, Q, a = u[0], u[1], u[2]
    kappa, nu, order = p[KAPPA], p[NU], int(p[ORDER])
    S, S1, _ = _power_series(p[FIRST : FIRST + order], R)
    y = p[FIRST + order : FIRST + 2 * order]
    Y, Y1, _ = _power_series(y, Q)
    own, own_slope, _ = _power_series(y, 1.0)
    curved = FIRST + 2 * order
    pull, _, _ = _power_series(p[curved : curved + order], R)
    push, _, _ = _power_series(p[curved + order : curved + 2 * order], Q)
    push_own, _, _ = _power_series(p[curved + order : curved + 2 * order], 1.0)
    d = np.zeros((2, 3))
    if nu != 0.0:
        _diffusion(p, R, a, d)
    star = h * a * S1
    # the sum over the other neurons weighs (m - 1) kappa = 1 - kappa
    others = -h * a * a * Y1 * (1.0 - kappa)
    self_ = 1.0 + h * a * (pull - a * (kappa * push_own + (1.0 - kappa) * push)) - h * a * a * kappa * own_slope
    # x = w_j (another), g = the mean of the other m - 1: <g, g> = (1 + (m - 2) Q)/(m - 1), <w_j, g> the same
    shared = kappa / (1.0 - kappa) * (1.0 - Q) + Q if kappa < 1.0 else 0.0
    norm = (
        self_ * self_ + star * star + others * others * shared
        + 2.0 * self_ * (star * R + others * Q) + 2.0 * star * others * R + h * nu * d[0, 0]
    )  # fmt: skip
    # <g_i, g_j>, each the mean over all but one: (m - 2) common neurons, and w_j in g_i, w_i in g_j
    inverse = kappa / (1.0 - kappa) if kappa < 1.0 else 0.0
    crossed = Q + (inverse - inverse * inverse) * (1.0 - Q)
    cross = (
        self_ * self_ * Q + star * star + others * others * crossed
        + 2.0 * self_ * (star * R + others * shared) + 2.0 * star * others * R + h * nu * d[1, 0]
    )  # fmt: skip
    root = np.sqrt(norm)
    u[0] = (self_ * R + star + others * R) / root
    u[1] = cross / norm
    u[2] = a + h * p[RATE] * (S - a * ((1.0 - kappa) * Y + kappa * own))


@njit(types.void(VECTOR, VECTOR, types.float64, types.boolean, types.int64[::1], MATRIX), cache=True, nogil=True)
def iterate(u, p, h, euler, step, rows):
    """Write the states at increasing steps into rows: of `_mean_step`, or of u + h F(u), equation (8)."""
    du, unused = np.zeros(3), np.zeros((3, 3))
    done = 0
    for row in range(len(step)):
        while done < step[row]:
            if euler:
                finite_width_field(u, p, du, unused, False)
                for i in range(3):
                    u[i] += h * du[i]
            else:
                _mean_step(u, p, h)
            done += 1
        for i in range(3):
            rows[row, i] = u[i]
