"""Curves F(u; p) = 0 with exact answers, as compiled functions of the CURVE type."""

import math

from numba import njit

from fastslow.core.signatures import CURVE


@njit(CURVE.signature)
def circle(u, p, residual, jacobian, tests):
    """x^2 + y^2 = p[0]^2; test functions x - p[1] and y - p[2] if there is room for them."""
    residual[0] = u[0] ** 2 + u[1] ** 2 - p[0] ** 2
    jacobian[0, 0] = 2.0 * u[0]
    jacobian[0, 1] = 2.0 * u[1]
    if tests.size == 2:
        tests[0] = u[0] - p[1]
        tests[1] = u[1] - p[2]
    return 0


@njit(CURVE.signature)
def lemniscate(u, p, residual, jacobian, tests):
    """(x^2 + y^2)^2 = x^2 - y^2 + p[0]; crosses itself at the origin for p[0] = 0."""
    x, y = u[0], u[1]
    square = x * x + y * y
    residual[0] = square * square - x * x + y * y - p[0]
    jacobian[0, 0] = 4.0 * x * square - 2.0 * x
    jacobian[0, 1] = 4.0 * y * square + 2.0 * y
    return 0


@njit(CURVE.signature)
def cubic(u, p, residual, jacobian, tests):
    """Y + p[0] x - x^3 / 3 = 0 in (x, y): folds of y at x = +-sqrt(p[0]), y = -+2/3 p[0]^(3/2)."""
    x, y = u[0], u[1]
    residual[0] = y + p[0] * x - x * x * x / 3.0
    jacobian[0, 0] = p[0] - x * x
    jacobian[0, 1] = 1.0
    return 0


@njit(CURVE.signature)
def scaled_cubic(u, p, residual, jacobian, tests):
    """The cubic with p[0] = 1 in (x, y) = (u / p), the residual times p[2]."""
    x, y = u[0] / p[0], u[1] / p[1]
    residual[0] = p[2] * (y + x - x * x * x / 3.0)
    jacobian[0, 0] = p[2] * (1.0 - x * x) / p[0]
    jacobian[0, 1] = p[2] / p[1]
    return 0


@njit(CURVE.signature)
def cusp_section(u, p, residual, jacobian, tests):
    """Mu + p[0] x - x^3 = 0 in (x, mu)."""
    residual[0] = u[1] + p[0] * u[0] - u[0] ** 3
    jacobian[0, 0] = p[0] - 3.0 * u[0] ** 2
    jacobian[0, 1] = 1.0
    return 0


@njit(CURVE.signature)
def cusp_folds(u, p, residual, jacobian, tests):
    """F = mu + lam x - x^3 = 0 and f_x = 0 in (x, mu, lam): lam = 3 x^2, mu = -2 x^3, a cusp at 0."""
    x, mu, lam = u[0], u[1], u[2]
    residual[0] = mu + lam * x - x**3
    residual[1] = lam - 3.0 * x * x
    jacobian[0, 0] = lam - 3.0 * x * x
    jacobian[0, 1] = 1.0
    jacobian[0, 2] = x
    jacobian[1, 0] = -6.0 * x
    jacobian[1, 1] = 0.0
    jacobian[1, 2] = 1.0
    return 0


@njit(CURVE.signature)
def reactor(u, p, residual, jacobian, tests):
    """U = D (1 - u) exp(4.5 u) in (u, D): folds of D at (1/3, exp(-1.5)/2) and (2/3, 2 exp(-3))."""
    x, rate = u[0], u[1]
    gain = math.exp(4.5 * x)
    residual[0] = rate * (1.0 - x) * gain - x
    jacobian[0, 0] = rate * gain * (3.5 - 4.5 * x) - 1.0
    jacobian[0, 1] = (1.0 - x) * gain
    return 0


@njit(CURVE.signature)
def bratu(u, p, residual, jacobian, tests):
    """U'' + lam exp(u) = 0, u(0) = u(1) = 0, by second differences; unknowns (inner values, lam)."""
    m = u.size - 1
    square = 1.0 / (m + 1) ** 2
    for i in range(m):
        below = u[i - 1] if i > 0 else 0.0
        above = u[i + 1] if i < m - 1 else 0.0
        grow = math.exp(u[i])
        residual[i] = below - 2.0 * u[i] + above + square * u[m] * grow
        for j in range(m):
            jacobian[i, j] = 0.0
        jacobian[i, i] = -2.0 + square * u[m] * grow
        if i > 0:
            jacobian[i, i - 1] = 1.0
        if i < m - 1:
            jacobian[i, i + 1] = 1.0
        jacobian[i, m] = square * grow
    return 0


@njit(CURVE.signature)
def quartic_oval(u, p, residual, jacobian, tests):
    """((x - p0) / p2)^4 + ((y - p1) / p3)^2 + p4 (x - p0)(y - p1) / (p2 p3) = 1: an isola for abs(p4) < 1."""
    x, y = (u[0] - p[0]) / p[2], (u[1] - p[1]) / p[3]
    residual[0] = x**4 + y * y + p[4] * x * y - 1.0
    jacobian[0, 0] = (4.0 * x**3 + p[4] * y) / p[2]
    jacobian[0, 1] = (2.0 * y + p[4] * x) / p[3]
    return 0


@njit(CURVE.signature)
def sharp_corner(u, p, residual, jacobian, tests):
    """X y = p[0]: radius of curvature sqrt(2 p[0]) at the corner, which is crossed straight on only for p[0] = 0."""
    residual[0] = u[0] * u[1] - p[0]
    jacobian[0, 0] = u[1]
    jacobian[0, 1] = u[0]
    return 0


@njit(CURVE.signature)
def pitchfork(u, p, residual, jacobian, tests):
    """X (mu - x^2) = p[0] and z = x + mu in (x, mu, z): the branch x = 0 is crossed at the origin for p[0] = 0."""
    residual[0] = u[0] * (u[1] - u[0] ** 2) - p[0]
    residual[1] = u[2] - u[0] - u[1]
    jacobian[0, 0] = u[1] - 3.0 * u[0] ** 2
    jacobian[0, 1] = u[0]
    jacobian[0, 2] = 0.0
    jacobian[1, 0] = -1.0
    jacobian[1, 1] = -1.0
    jacobian[1, 2] = 1.0
    return 0


@njit(CURVE.signature)
def logarithm(u, p, residual, jacobian, tests):
    """Y = x log x: its domain ends at the origin."""
    if u[0] <= 0.0:
        return 1
    residual[0] = u[1] - u[0] * math.log(u[0])
    jacobian[0, 0] = -math.log(u[0]) - 1.0
    jacobian[0, 1] = 1.0
    return 0


@njit(CURVE.signature)
def fenced_circle(u, p, residual, jacobian, tests):
    """The unit circle, which refuses every point outside the window p = (lower, upper)."""
    for j in range(2):
        if not p[j] <= u[j] <= p[2 + j]:
            return 1
    residual[0] = u[0] ** 2 + u[1] ** 2 - 1.0
    jacobian[0, 0] = 2.0 * u[0]
    jacobian[0, 1] = 2.0 * u[1]
    return 0


@njit(CURVE.signature)
def twins(u, p, residual, jacobian, tests):
    """(y - g)(y - g - p[0]) = 0 with g = sin(p[1] x) / p[1]: two branches a distance p[0] apart."""
    z = u[1] - math.sin(p[1] * u[0]) / p[1]
    slope = math.cos(p[1] * u[0])
    residual[0] = z * (z - p[0])
    jacobian[0, 1] = 2.0 * z - p[0]
    jacobian[0, 0] = -slope * jacobian[0, 1]
    return 0


@njit(CURVE.signature)
def exponential(u, p, residual, jacobian, tests):
    """Log x = y: x spans many orders of magnitude."""
    if u[0] <= 0.0:
        return 1
    residual[0] = math.log(u[0]) - u[1]
    jacobian[0, 0] = 1.0 / u[0]
    jacobian[0, 1] = -1.0
    return 0


TWO_LAYER_FOLDS = ((0.1273197829255744, 8.355460829310433), (0.3750902989999298, 20.890890458762808))


@njit(CURVE.signature)
def two_layer(u, p, residual, jacobian, tests):
    """2 S'(R) - a T'(R) = 0 in (R, v), a = p[0] sinh v, for the network with c = 1, c* = (1, -1, 1, 1, 1).

    S(z) = sum k! c*_k c_k z^k and T(R) = sum k! c_k^2 R^(2k); `TWO_LAYER_FOLDS` are its folds (R, a) of R > 0.
    """
    z, a = u[0], p[0] * math.sinh(u[1])
    s1 = 1.0 + z * (-4.0 + z * (18.0 + z * (96.0 + z * 600.0)))
    s2 = -4.0 + z * (36.0 + z * (288.0 + z * 2400.0))
    q = z * z
    t1 = z * (2.0 + q * (8.0 + q * (36.0 + q * (192.0 + q * 1200.0))))
    t2 = 2.0 + q * (24.0 + q * (180.0 + q * (1344.0 + q * 10800.0)))
    residual[0] = 2.0 * s1 - a * t1
    jacobian[0, 0] = 2.0 * s2 - a * t2
    jacobian[0, 1] = -p[0] * math.cosh(u[1]) * t1
    return 0
