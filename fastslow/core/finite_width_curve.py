"""Curves of the three-variable system of finite width: its critical manifold, and its equilibria in the width.

Both are written in l = log |a|, with the equations of R and Q divided by a: the plane a = 0, where all is at rest but
a itself, is taken out, and the tails a -> infinity become straight.
"""

import numpy as np
from numba import njit

from fastslow.core.finite_width import KAPPA, NU, finite_width_field
from fastslow.core.signatures import CURVE


@njit(CURVE.signature, cache=True, error_model="numpy")
def critical_curve(u, p, residual, jacobian, tests):
    """R' = Q' = 0 in u = (R, Q, log |a|); p = parameters of the field, then the sign of a.

    Tests: the trace of the fast Jacobian divided by a, and a'.
    """
    a = p[len(p) - 1] * np.exp(u[2])
    state, du, slopes = np.array([u[0], u[1], a]), np.empty(3), np.empty((3, 3))
    if finite_width_field(state, p, du, slopes, True) != 0:
        return 1
    for i in range(2):
        residual[i] = du[i] / a
        jacobian[i, 0] = slopes[i, 0] / a
        jacobian[i, 1] = slopes[i, 1] / a
        jacobian[i, 2] = slopes[i, 2] - du[i] / a
    tests[0] = (slopes[0, 0] + slopes[1, 1]) / a
    tests[1] = du[2]
    return 0


@njit(CURVE.signature, cache=True, error_model="numpy")
def equilibrium_curve(u, p, residual, jacobian, tests):
    """R' = Q' = a' = 0 in u = (R, Q, log |a|, log 1/m); p = parameters, gamma/delta, then the sign of a.

    The noise gamma/(m delta) goes with the width. Test: c_1 c_2 - c_0 of the characteristic polynomial
    z^3 + c_2 z^2 + c_1 z + c_0, zero at a Hopf point.
    """
    a, kappa, ratio = p[len(p) - 1] * np.exp(u[2]), np.exp(u[3]), p[len(p) - 2]
    state, slopes = np.array([u[0], u[1], a]), np.empty((3, 3))
    q, du = p.copy(), np.empty(3)
    by_width, other = np.empty(3), np.empty(3)
    # The field is a quadratic polynomial in 1/m: a difference of step 1/(2 m) gives its slope exactly.
    q[KAPPA], q[NU] = 1.5 * kappa, 1.5 * kappa * ratio
    finite_width_field(state, q, by_width, slopes, False)
    q[KAPPA], q[NU] = 0.5 * kappa, 0.5 * kappa * ratio
    finite_width_field(state, q, other, slopes, False)
    by_width -= other
    q[KAPPA], q[NU] = kappa, kappa * ratio
    if finite_width_field(state, q, du, slopes, True) != 0:
        return 1
    for i in range(3):
        unit = a if i < 2 else 1.0
        residual[i] = du[i] / unit
        jacobian[i, 0] = slopes[i, 0] / unit
        jacobian[i, 1] = slopes[i, 1] / unit
        jacobian[i, 2] = (slopes[i, 2] - du[i] / unit) if i < 2 else a * slopes[i, 2]
        jacobian[i, 3] = by_width[i] / unit
    m = slopes
    c2 = -(m[0, 0] + m[1, 1] + m[2, 2])
    c1 = (
        m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0] + m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]
        + m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    )  # fmt: skip
    c0 = -(
        m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
        - m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
        + m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
    )
    tests[0] = c1 * c2 - c0
    return 0
