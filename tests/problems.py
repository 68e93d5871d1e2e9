"""Curves F(u; p) = 0 and equations u' = F(u; p) with known answers, as compiled functions."""

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


# Right-hand sides u' = F(u; p) of stiff problems. Compiled at their first use: a test that needs one pays for one.


@njit
def prothero_robinson(u, p, du, jacobian, with_jacobian):
    """X' = -p0 (x - sin t) + cos t in (x, t), autonomous: from (0, 0) x = sin t, whatever the stiffness p0."""
    du[0], du[1] = -p[0] * (u[0] - math.sin(u[1])) + math.cos(u[1]), 1.0
    jacobian[0, 0], jacobian[0, 1] = -p[0], p[0] * math.cos(u[1]) - math.sin(u[1])
    jacobian[1, 0], jacobian[1, 1] = 0.0, 0.0
    return 0


@njit
def kaps(u, p, du, jacobian, with_jacobian):
    """X' = -(2 + p0) x + p0 y^2, y' = x - y - y^2: from (1, 1) x = exp(-2t), y = exp(-t), whatever p0.

    P. Kaps, in: Workshop on numerical solution of stiff differential equations, Bielefeld 1981.
    """
    x, y = u
    du[0], du[1] = -(2.0 + p[0]) * x + p[0] * y * y, x - y - y * y
    jacobian[0, 0], jacobian[0, 1] = -(2.0 + p[0]), 2.0 * p[0] * y
    jacobian[1, 0], jacobian[1, 1] = 1.0, -1.0 - 2.0 * y
    return 0


@njit
def linear(u, p, du, jacobian, with_jacobian):
    """U' = M u with the n x n matrix M in p, row by row."""
    n = u.size
    for i in range(n):
        du[i] = 0.0
        for j in range(n):
            jacobian[i, j] = p[n * i + j]
            du[i] += jacobian[i, j] * u[j]
    return 0


@njit
def robertson(u, p, du, jacobian, with_jacobian):
    """Robertson's three reactions, rates 0.04, 1e4 and 3e7, from (1, 0, 0); see `STIFF_ENDS`."""
    x, y, z = u
    du[0] = -0.04 * x + 1e4 * y * z
    du[2] = 3e7 * y * y
    du[1] = -du[0] - du[2]
    jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = -0.04, 1e4 * z, 1e4 * y
    jacobian[2, 0], jacobian[2, 1], jacobian[2, 2] = 0.0, 6e7 * y, 0.0
    for j in range(3):
        jacobian[1, j] = -jacobian[0, j] - jacobian[2, j]
    return 0


@njit
def oregonator(u, p, du, jacobian, with_jacobian):
    """The Belousov-Zhabotinsky reaction, from (1, 2, 3); see `STIFF_ENDS`."""
    x, y, z = u
    du[0] = 77.27 * (y + x * (1.0 - 8.375e-6 * x - y))
    du[1] = (z - (1.0 + x) * y) / 77.27
    du[2] = 0.161 * (x - z)
    jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = 77.27 * (1.0 - 1.675e-5 * x - y), 77.27 * (1.0 - x), 0.0
    jacobian[1, 0], jacobian[1, 1], jacobian[1, 2] = -y / 77.27, -(1.0 + x) / 77.27, 1.0 / 77.27
    jacobian[2, 0], jacobian[2, 1], jacobian[2, 2] = 0.161, 0.0, -0.161
    return 0


@njit
def pyrolysis(u, p, du, jacobian, with_jacobian):
    """Problem E5 of Enright, Hull and Lindberg, from (1.76e-3, 0, 0, 0); see `STIFF_ENDS`."""
    a, b, c, d = 7.89e-10, 1.1e7, 1.13e9, 1.13e3
    x, y, z, w = u
    du[0] = -a * x - b * x * z
    du[1] = a * x - c * y * z
    du[3] = b * x * z - d * w
    du[2] = du[1] - du[3]
    for i in range(4):
        for j in range(4):
            jacobian[i, j] = 0.0
    jacobian[0, 0], jacobian[0, 2] = -a - b * z, -b * x
    jacobian[1, 0], jacobian[1, 1], jacobian[1, 2] = a, -c * z, -c * y
    jacobian[3, 0], jacobian[3, 2], jacobian[3, 3] = b * z, b * x, -d
    for j in range(4):
        jacobian[2, j] = jacobian[1, j] - jacobian[3, j]
    return 0


@njit
def pyrolysis_reduced(u, p, du, jacobian, with_jacobian):
    """`pyrolysis` in (y_1, y_2, y_4): y_3 = y_2 - y_4 for all time."""
    a, b, c, d = 7.89e-10, 1.1e7, 1.13e9, 1.13e3
    x, y, w = u
    z = y - w
    du[0], du[1], du[2] = -a * x - b * x * z, a * x - c * y * z, b * x * z - d * w
    jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = -a - b * z, -b * x, b * x
    jacobian[1, 0], jacobian[1, 1], jacobian[1, 2] = a, -c * (y + z), c * y
    jacobian[2, 0], jacobian[2, 1], jacobian[2, 2] = b * z, b * x, -b * x - d
    return 0


@njit
def hires(u, p, du, jacobian, with_jacobian):
    """Photomorphogenesis in eight reactions, from (1, 0, 0, 0, 0, 0, 0, 0.0057); see `STIFF_ENDS`."""
    product = 280.0 * u[5] * u[7]
    du[0] = -1.71 * u[0] + 0.43 * u[1] + 8.32 * u[2] + 0.0007
    du[1] = 1.71 * u[0] - 8.75 * u[1]
    du[2] = -10.03 * u[2] + 0.43 * u[3] + 0.035 * u[4]
    du[3] = 8.32 * u[1] + 1.71 * u[2] - 1.12 * u[3]
    du[4] = -1.745 * u[4] + 0.43 * u[5] + 0.43 * u[6]
    du[5] = -product + 0.69 * u[3] + 1.71 * u[4] - 0.43 * u[5] + 0.69 * u[6]
    du[6] = product - 1.81 * u[6]
    du[7] = -du[6]
    for i in range(8):
        for j in range(8):
            jacobian[i, j] = 0.0
    jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = -1.71, 0.43, 8.32
    jacobian[1, 0], jacobian[1, 1] = 1.71, -8.75
    jacobian[2, 2], jacobian[2, 3], jacobian[2, 4] = -10.03, 0.43, 0.035
    jacobian[3, 1], jacobian[3, 2], jacobian[3, 3] = 8.32, 1.71, -1.12
    jacobian[4, 4], jacobian[4, 5], jacobian[4, 6] = -1.745, 0.43, 0.43
    jacobian[5, 3], jacobian[5, 4], jacobian[5, 6] = 0.69, 1.71, 0.69
    jacobian[5, 5], jacobian[5, 7] = -280.0 * u[7] - 0.43, -280.0 * u[5]
    jacobian[6, 5], jacobian[6, 6], jacobian[6, 7] = 280.0 * u[7], -1.81, 280.0 * u[5]
    for j in range(8):
        jacobian[7, j] = -jacobian[6, j]
    return 0


@njit
def van_der_pol(u, p, du, jacobian, with_jacobian):
    """X'' - p0 (1 - x^2) x' + x = 0 in (x, x'); see `VAN_DER_POL_PERIODS`."""
    x, v = u
    du[0], du[1] = v, p[0] * (1.0 - x * x) * v - x
    jacobian[0, 0], jacobian[0, 1] = 0.0, 1.0
    jacobian[1, 0], jacobian[1, 1] = -2.0 * p[0] * x * v - 1.0, p[0] * (1.0 - x * x)
    return 0


STIFF_ENDS = {
    "robertson": (
        robertson,
        (1.0, 0.0, 0.0),
        1e11,
        (0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050),
    ),
    "oregonator": (
        oregonator,
        (1.0, 2.0, 3.0),
        360.0,
        (0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3),
    ),
    "pyrolysis": (
        pyrolysis,
        (1.76e-3, 0.0, 0.0, 0.0),
        1e13,
        (0.1152903278711829e-290, 0.8867655517642120e-22, 0.8854814626268838e-22, 0.0),
    ),
    "hires": (
        hires,
        (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057),
        321.8122,
        (
            0.7371312573325668e-3,
            0.1442485726316185e-3,
            0.5888729740967575e-4,
            0.1175651343283149e-2,
            0.2386356198831331e-2,
            0.6238968252742796e-2,
            0.2849998395185769e-2,
            0.2850001604814231e-2,
        ),
    ),
}
"""Field, start, end of time and state there: F. Mazzia, C. Magherini, Test Set for Initial Value Problem Solvers,
release 2.4 (2008), and for Robertson E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, IV.10."""

VAN_DER_POL_PERIODS = {10.0: 19.0783695669, 100.0: 162.837071092, 1000.0: 1614.40112581}
"""Periods to twelve digits, by an implicit Runge-Kutta method of order 5 at relative tolerances to 1e-12."""
