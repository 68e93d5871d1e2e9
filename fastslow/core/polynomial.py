"""Fields and curves made of bivariate polynomials, and fields made of tapes: one compiled kernel serves every model.

A polynomial is stored in the parameter array as [rows, columns, C[0,0], C[0,1], ...]
with C[i,j] the coefficient of x^i y^j.
"""

import math

from numba import njit

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.functions import hyperbolic_tangent
from fastslow.core.signatures import CURVE, FIELD
from fastslow.core.tape import planar_derivatives, planar_values


@FUSED
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


@FUSED
def evaluate_value(p, offset, x, y):
    """Return (q, next offset): `evaluate` without the derivatives."""
    rows = int(p[offset])
    columns = int(p[offset + 1])
    start = offset + 2
    value = 0.0
    for i in range(rows - 1, -1, -1):
        base = start + i * columns
        row = 0.0
        for j in range(columns - 1, -1, -1):
            row = row * y + p[base + j]
        value = value * x + row
    return value, start + rows * columns


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


DIRECTION, SLOW_RATE, CHART, ORIGIN, SIZE, SCALED, FORM, FIRST = range(8)
"""Places in the parameters of `polynomial_field`."""
COLUMNS = 6
"""Of the table of a field that is at most quadratic in y: f_0, f_1, f_2, g_0, g_1, g_2, polynomials in x."""


@INLINED
def fast_coordinate(z, kind, origin, size):
    """Return (x, dx/dz) for the charts of ``fastslow.systems.chart``: plain, between two lines, beside one line."""
    if kind == 1.0:
        x, slope = hyperbolic_tangent(z)
        return origin + size * x, size * slope
    if kind == 0.0:
        return z, 1.0
    growth = math.exp(min(z, 700.0))
    return origin + size * growth, size * growth


@INLINED
def place(u, p):
    """Return (x, y) of a state of `polynomial_field` with the parameters p."""
    z = u[0]
    if p[SCALED] != 0.0:
        z /= math.sqrt(1.0 + u[1] * u[1])
    return fast_coordinate(z, p[CHART], p[ORIGIN], p[SIZE])[0], u[1]


@INLINED
def from_table(x, y, p):
    """Return (f, g) at a point from the table of `polynomial_field`."""
    f0, f1, f2, g0, g1, g2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(int(p[FIRST])):
        k = FIRST + 1 + COLUMNS * i
        f0 = f0 * x + p[k]
        f1 = f1 * x + p[k + 1]
        f2 = f2 * x + p[k + 2]
        g0 = g0 * x + p[k + 3]
        g1 = g1 * x + p[k + 4]
        g2 = g2 * x + p[k + 5]
    return f0 + y * (f1 + y * f2), g0 + y * (g1 + y * g2)


@INLINED
def products(x, y, p):
    """Return (f, g) at a point without the invariant lines, from the table or the tape of `polynomial_field`."""
    return from_table(x, y, p) if p[FORM] == 0.0 else planar_values(p, FIRST, x, y)


@INLINED
def slopes(z, y, p):
    """Return (x', y') of `polynomial_field` as (z', y')."""
    x = fast_coordinate(z, p[CHART], p[ORIGIN], p[SIZE])[0]
    fast = p[DIRECTION]
    if p[CHART] == 1.0:
        fast *= p[SIZE]
    rate = p[DIRECTION] * p[SLOW_RATE]
    value, g = products(x, y, p)
    return fast * value, rate * g


@INLINED
def slopes_and_derivatives(z, y, p):
    """Return z', y' and their derivatives: (f, f_z, f_y, g, g_z, g_y)."""
    x, stretch = fast_coordinate(z, p[CHART], p[ORIGIN], p[SIZE])
    fast = p[DIRECTION]
    if p[CHART] == 1.0:
        fast *= p[SIZE]
    rate = p[DIRECTION] * p[SLOW_RATE]
    if p[FORM] == 0.0:
        rows = int(p[FIRST])
        f0, f1, f2, g0, g1, g2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        a0, a1, a2, b0, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(rows):
            k = FIRST + 1 + COLUMNS * i
            a0 = a0 * x + f0
            a1 = a1 * x + f1
            a2 = a2 * x + f2
            b0 = b0 * x + g0
            b1 = b1 * x + g1
            b2 = b2 * x + g2
            f0 = f0 * x + p[k]
            f1 = f1 * x + p[k + 1]
            f2 = f2 * x + p[k + 2]
            g0 = g0 * x + p[k + 3]
            g1 = g1 * x + p[k + 4]
            g2 = g2 * x + p[k + 5]
        return (
            fast * (f0 + y * (f1 + y * f2)),
            fast * (a0 + y * (a1 + y * a2)) * stretch,
            fast * (f1 + 2.0 * y * f2),
            rate * (g0 + y * (g1 + y * g2)),
            rate * (b0 + y * (b1 + y * b2)) * stretch,
            rate * (g1 + 2.0 * y * g2),
        )
    value, value_x, value_y, g, g_x, g_y = planar_derivatives(p, FIRST, x, y)
    return fast * value, fast * value_x * stretch, fast * value_y, rate * g, rate * g_x * stretch, rate * g_y


@INLINED
def planar_field(u, y, p):
    """Return (u', y') of `polynomial_field`."""
    if p[SCALED] == 0.0:
        return slopes(u, y, p)
    square = 1.0 + y * y
    inverse = 1.0 / math.sqrt(square)
    z = u * inverse
    fast, slow = slopes(z, y, p)
    return inverse * (square * fast + y * z * slow), slow


@INLINED
def planar_jacobian(u, y, p):
    """Return (u', du'/du, du'/dy, y', dy'/du, dy'/dy) of `polynomial_field`."""
    if p[SCALED] == 0.0:
        return slopes_and_derivatives(u, y, p)
    weight = math.sqrt(1.0 + y * y)
    bend = y / weight  # dweight / dy; the second derivative is 1 / weight^3
    z = u / weight
    turn = z * bend / weight  # -dz/dy at constant u
    fast, fast_z, fast_y, slow, slow_z, slow_y = slopes_and_derivatives(z, y, p)
    fast_y -= turn * fast_z
    slow_y -= turn * slow_z
    by_u = fast_z + (bend * slow + z * bend * slow_z) / weight
    by_y = bend * fast + weight * fast_y + z * bend * slow_y + slow * (z / weight**3 - turn * bend)
    return weight * fast + z * bend * slow, by_u, by_y, slow, slow_z / weight, slow_y


@njit(FIELD.signature, cache=True, error_model="numpy")
def polynomial_field(u, p, du, jacobian, with_jacobian):
    """Field (x', y') = direction (f(x, y), slow_rate g(x, y)), and its Jacobian.

    p = [direction, slow_rate, chart, origin, size, scaled, 0, rows, table] where f and g are polynomials at most
    quadratic in y, with a row (f_0, f_1, f_2, g_0, g_1, g_2) of the table for each power of x, the highest first.
    Otherwise p = [..., -1, tape] with the outputs f and g.

    Chart 0: u = (x, y). Otherwise u = (z, y), see ``fast_coordinate``, for a field with the invariant lines of the
    chart left out of f: then z' = size f between two lines and z' = f beside one; nearness to the lines never
    underflows.

    Scaled, if not 0: u = (z sqrt(1 + y^2), y), which tends to a constant where a branch leaves along z ~ 1 / y.
    """
    total = 0.0
    if with_jacobian:
        du[0], jacobian[0, 0], jacobian[0, 1], du[1], jacobian[1, 0], jacobian[1, 1] = planar_jacobian(u[0], u[1], p)
        total = 0.0 * (jacobian[0, 0] + jacobian[0, 1] + jacobian[1, 0] + jacobian[1, 1])
    else:
        du[0], du[1] = planar_field(u[0], u[1], p)
    # not zero where anything is infinite or not a number
    return 0 if total + 0.0 * (du[0] + du[1]) == 0.0 else 1
