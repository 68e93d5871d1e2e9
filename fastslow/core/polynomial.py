"""Fields and curves made of bivariate polynomials: one compiled kernel serves every polynomial model.

A polynomial is stored in the parameter array as [rows, columns, C[0,0], C[0,1], ...]
with C[i,j] the coefficient of x^i y^j.
"""

import math

from numba import njit

from fastslow.core.signatures import CURVE, FIELD


@njit(cache=True)
def evaluate(p, offset, x, y):
    """Return (q, q_x, q_y, next offset) of the polynomial stored at `offset`, by Horner's rule in both variables."""
    rows = int(p[offset])
    columns = int(p[offset + 1])
    start = offset + 2
    value = 0.0
    value_x = 0.0
    value_y = 0.0
    for i in range(rows - 1, -1, -1):
        base = start + i * columns
        row = 0.0
        row_y = 0.0
        for j in range(columns - 1, -1, -1):
            row_y = row_y * y + row
            row = row * y + p[base + j]
        value_x = value_x * x + value
        value = value * x + row
        value_y = value_y * x + row_y
    return value, value_x, value_y, start + rows * columns


@njit(CURVE.signature, cache=True)
def polynomial_curve(u, p, residual, jacobian, tests):
    """Curve q(x, s sinh v) = 0 in u = (x, v), with other polynomials as its test functions.

    The slow coordinate v = asinh(y / s) follows a branch to |y| ~ 1e8 in a few
    steps and is linear near y = 0.

    p = [s, number of tests, q, test 1, test 2, ...].
    """
    scale = p[0]
    y = scale * math.sinh(u[1])
    value, value_x, value_y, offset = evaluate(p, 2, u[0], y)
    residual[0] = value
    jacobian[0, 0] = value_x
    jacobian[0, 1] = value_y * scale * math.cosh(u[1])
    for k in range(int(p[1])):
        test, _, _, offset = evaluate(p, offset, u[0], y)
        tests[k] = test
    return 0 if math.isfinite(value) else 1


@njit(cache=True)
def fast_coordinate(z, kind, origin, size):
    """Return (x, dx/dz) for the charts of ``fastslow.systems.chart``: plain, between two lines, beside one line."""
    if kind == 0.0:
        return z, 1.0
    if kind == 1.0:
        sech = 1.0 / math.cosh(min(abs(z), 300.0))
        return origin + size * math.tanh(z), size * sech * sech
    growth = math.exp(min(z, 700.0))
    return origin + size * growth, size * growth


@njit(FIELD.signature, cache=True)
def polynomial_field(u, p, du, jacobian):
    """Field (x', y') = direction (prod_k f_k(x, y), slow_rate g(x, y)), and its Jacobian.

    p = [direction, slow_rate, chart, origin, size, number of factors, f_1, f_2, ..., g].

    Chart 0: u = (x, y). Otherwise u = (z, y), see ``fast_coordinate``, for a field with the invariant
    lines of the chart left out of its factors: then z' = size prod_k f_k between two lines and
    z' = prod_k f_k beside one; nearness to the lines never underflows.
    """
    direction = p[0]
    slow_rate = p[1]
    factors = int(p[5])
    x, stretch = fast_coordinate(u[0], p[2], p[3], p[4])
    y = u[1]
    value = p[4] if p[2] == 1.0 else 1.0
    value_x = 0.0
    value_y = 0.0
    offset = 6
    for _ in range(factors):
        q, q_x, q_y, offset = evaluate(p, offset, x, y)
        value_x = value_x * q + value * q_x
        value_y = value_y * q + value * q_y
        value = value * q
    g, g_x, g_y, offset = evaluate(p, offset, x, y)
    du[0] = direction * value
    du[1] = direction * slow_rate * g
    jacobian[0, 0] = direction * value_x * stretch
    jacobian[0, 1] = direction * value_y
    jacobian[1, 0] = direction * slow_rate * g_x * stretch
    jacobian[1, 1] = direction * slow_rate * g_y
    return 0 if math.isfinite(du[0]) and math.isfinite(du[1]) else 1
