"""Curves F = 0 given by n - 1 polynomials in n variables, with polynomials as test functions: one compiled function.

The variables of the polynomials are z_k = u_k, or z_k = s_k sinh(u_k) for those that may become large.
"""

import math

from numba import njit

from fastslow.core.decorators import HELPER
from fastslow.core.signatures import CURVE


@HELPER
def monomial(u, p, offset, variables, scales):
    """Return the monomial at u whose powers are stored at `offset`, z_k = scales_k sinh(u_k) where a scale is given."""
    value = 1.0
    for k in range(variables):
        power = int(p[offset + k])
        if power > 0:
            scale = p[scales + k]
            z = u[k] if scale == 0.0 else scale * math.sinh(u[k])
            for _ in range(power):
                value *= z
    return value


@HELPER
def evaluate_sparse(u, p, offset, variables, scales):
    """Return (value, next offset) of the polynomial stored at `offset`."""
    terms = int(p[offset])
    offset += 1
    value = 0.0
    for _ in range(terms):
        value += p[offset] * monomial(u, p, offset + 1, variables, scales)
        offset += 1 + variables
    return value, offset


@njit(CURVE.signature, cache=True)
def space_curve(u, p, residual, jacobian, tests):
    """Polynomials F_1, ..., F_(n-1) of n variables, their exact derivatives, and test polynomials.

    p = [n, number of tests, s_1, ..., s_n, F_1, dF_1/dz_1, ..., dF_1/dz_n, F_2, ..., test 1, ...]; s_k = 0 stands for
    z_k = u_k. A polynomial is [terms, coefficient, powers of z_1, ..., z_n, coefficient, ...].
    """
    variables = int(p[0])
    offset = 2 + variables
    total = 0.0
    for i in range(variables - 1):
        residual[i], offset = evaluate_sparse(u, p, offset, variables, 2)
        total += residual[i]
        for k in range(variables):
            slope, offset = evaluate_sparse(u, p, offset, variables, 2)
            jacobian[i, k] = slope if p[2 + k] == 0.0 else slope * p[2 + k] * math.cosh(u[k])
    for k in range(int(p[1])):
        tests[k], offset = evaluate_sparse(u, p, offset, variables, 2)
    return 0 if math.isfinite(total) else 1
