"""Formulas as lists of steps in a parameter array: one compiled evaluator serves every model.

A tape is [steps, outputs, o_1, o_2, ..., (operation, a, b), (operation, a, b), ...]. Registers 0, ..., n - 1 are
the variables, and step i writes register n + i from registers (or a constant) a and b; o_k is the register of
output k. Derivatives are carried along with the values.
"""

import math

import numpy as np
from numba import njit

from fastslow.core.root_quotients import root_quotient, root_quotient_and_slope
from fastslow.core.signatures import CURVE

HELPER = njit(cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

CONSTANT, SUM, PRODUCT, SHIFTED, SCALED, POWER, HERMITE = range(7)
(
    EXP, LOG, SQRT, SIN, COS, TAN, SINH, COSH, TANH, ATAN,
    ERF, ABS, SIGN, RELU, SIGMOID, SOFTPLUS, GELU, SILU, LEAKY_RELU, PHI, ROOT_QUOTIENT,
) = range(7, 28)  # fmt: skip
FAMILY = 16
"""The number of a root quotient is its family times this, plus its order."""

HEAD = 2
WIDTH = 3
_BELL = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_ROOT = math.sqrt(0.5)
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


@HELPER
def integer_power(x, n):
    """Return x^n for an integer n >= 0 by repeated squaring."""
    total = 1.0
    while n > 0:
        if n & 1:
            total *= x
        x *= x
        n >>= 1
    return total


@HELPER
def sigmoid(x):
    """Return 1 / (1 + exp(-x)) without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@HELPER
def function_and_slope(code, x):
    """Return the value and the derivative of a function; not a number outside its domain, and no exception."""
    if code == EXP:
        e = math.exp(x) if x < 709.0 else math.inf
        return e, e
    if code == TANH:
        t = math.tanh(x)
        return t, 1.0 - t * t
    if code in (COSH, SINH):
        large = abs(x) > 709.0
        c = math.inf if large else math.cosh(x)
        s = math.copysign(math.inf, x) if large else math.sinh(x)
        return (c, s) if code == COSH else (s, c)
    if code == LOG:
        return (math.log(x), 1.0 / x) if x > 0.0 else (math.nan, math.nan)
    if code == SQRT:
        if not x > 0.0:
            return (0.0, math.inf) if x == 0.0 else (math.nan, math.nan)
        root = math.sqrt(x)
        return root, 0.5 / root
    if code in (SIN, COS, TAN):
        if not math.isfinite(x):
            return math.nan, math.nan
        s, c = math.sin(x), math.cos(x)
        if code == SIN:
            return s, c
        if code == COS:
            return c, -s
        return (s / c, 1.0 / (c * c)) if c != 0.0 else (math.nan, math.nan)
    if code == ATAN:
        return math.atan(x), 1.0 / (1.0 + x * x)
    if code == ERF:
        return math.erf(x), _TWO_OVER_ROOT_PI * math.exp(-x * x)
    if code == ABS:
        return abs(x), 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)
    if code == SIGN:
        return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0), 0.0
    if code == RELU:
        return max(x, 0.0), 1.0 if x > 0.0 else (0.0 if x < 0.0 else 0.5)
    if code == LEAKY_RELU:
        return (x, 1.0) if x > 0.0 else (x / 100.0, 0.01 if x < 0.0 else 0.505)
    if code == SIGMOID:
        s = sigmoid(x)
        return s, s * (1.0 - s)
    if code == SOFTPLUS:
        return max(x, 0.0) + math.log1p(math.exp(-abs(x))), sigmoid(x)
    if code == GELU:
        below = 0.5 * (1.0 + math.erf(_HALF_ROOT * x))
        return x * below, below + x * _BELL * math.exp(-0.5 * x * x)
    s = sigmoid(x)  # SILU
    return x * s, s + x * s * (1.0 - s)


@HELPER
def hermite_and_slope(order, x):
    """Return He_k(x) and k He_(k-1)(x)."""
    before, now = 0.0, 1.0
    for k in range(order):
        before, now = now, x * now - k * before
    return now, order * before


@HELPER
def phi(order, x):
    """Return phi_k(x), see ``fastslow.systems.exponential_quotients``, by series without cancellation or far out."""
    if not math.isfinite(x):
        return math.inf if x > 0.0 else (0.0 if x < 0.0 else math.nan)
    term = 1.0
    for k in range(2, order):
        term /= k
    if abs(x) > 30.0:
        value, factorial = (math.exp(x) if x < 709.0 else math.inf), 1.0
        for k in range(order):
            value = (value - factorial) / x
            factorial /= k + 1
        return value
    total, size, j = 0.0, abs(x), 0
    if x >= 0.0:
        term /= order
        while term > 1e-18 * total:
            total += term
            j += 1
            term *= size / (j + order)
        return total
    while j < size or term > 1e-18 * total:
        total += term / (j + order)
        j += 1
        term *= size / j
    return math.exp(x) * total


@HELPER
def phi_and_slope(order, x):
    """Return phi_k(x) and its derivative phi_k - k phi_(k+1)."""
    value = phi(order, x)
    return value, value - order * phi(order + 1, x)


@HELPER
def run_tape(p, offset, variables, work):
    """Fill `work` with (value, derivatives by the variables) of each register; the variables' rows are set already."""
    count = int(p[offset])
    at = offset + HEAD + int(p[offset + 1])
    for i in range(count):
        row = variables + i
        code, a = int(p[at]), int(p[at + 1])
        b = p[at + 2]
        at += WIDTH
        if code == CONSTANT:
            work[row, 0] = b
            for k in range(1, variables + 1):
                work[row, k] = 0.0
        elif code == SUM:
            other = int(b)
            for k in range(variables + 1):
                work[row, k] = work[a, k] + work[other, k]
        elif code == PRODUCT:
            other = int(b)
            left, right = work[a, 0], work[other, 0]
            work[row, 0] = left * right
            for k in range(1, variables + 1):
                work[row, k] = left * work[other, k] + work[a, k] * right
        elif code == SHIFTED:
            work[row, 0] = work[a, 0] + b
            for k in range(1, variables + 1):
                work[row, k] = work[a, k]
        elif code == SCALED:
            for k in range(variables + 1):
                work[row, k] = work[a, k] * b
        else:
            x = work[a, 0]
            if code == POWER:
                n = int(b)
                if n >= 0:
                    below = integer_power(x, n - 1)
                    value, slope = below * x, n * below
                else:
                    inverse = 1.0 / x if x != 0.0 else math.inf
                    value = integer_power(inverse, -n)
                    slope = n * value * inverse
            elif code == HERMITE:
                value, slope = hermite_and_slope(int(b), x)
            elif code == PHI:
                value, slope = phi_and_slope(int(b), x)
            elif code == ROOT_QUOTIENT:
                value, slope = root_quotient_and_slope(int(b) // FAMILY, int(b) % FAMILY, x)
            else:
                value, slope = function_and_slope(code, x)
            work[row, 0] = value
            for k in range(1, variables + 1):
                work[row, k] = slope * work[a, k]


@HELPER
def run_tape_values(p, offset, variables, work):
    """`run_tape` without derivatives: `work` has one value for each register."""
    count = int(p[offset])
    at = offset + HEAD + int(p[offset + 1])
    for i in range(count):
        code, a = int(p[at]), int(p[at + 1])
        b = p[at + 2]
        at += WIDTH
        if code == CONSTANT:
            value = b
        elif code == SUM:
            value = work[a] + work[int(b)]
        elif code == PRODUCT:
            value = work[a] * work[int(b)]
        elif code == SHIFTED:
            value = work[a] + b
        elif code == SCALED:
            value = work[a] * b
        elif code == POWER:
            n, x = int(b), work[a]
            value = integer_power(x, n) if n >= 0 else integer_power(1.0 / x if x != 0.0 else math.inf, -n)
        elif code == HERMITE:
            value = hermite_and_slope(int(b), work[a])[0]
        elif code == PHI:
            value = phi(int(b), work[a])
        elif code == ROOT_QUOTIENT:
            value = root_quotient(int(b) // FAMILY, int(b) % FAMILY, work[a])
        else:
            value = function_and_slope(code, work[a])[0]
        work[variables + i] = value


@HELPER
def planar_values(p, offset, x, y):
    """Return the two outputs of a tape in x and y."""
    work = np.empty(2 + int(p[offset]))
    work[0], work[1] = x, y
    run_tape_values(p, offset, 2, work)
    return work[int(p[offset + HEAD])], work[int(p[offset + HEAD + 1])]


@HELPER
def planar_value(p, offset, x, y):
    """Return the first output of a tape in x and y."""
    work = np.empty(2 + int(p[offset]))
    work[0], work[1] = x, y
    run_tape_values(p, offset, 2, work)
    return work[int(p[offset + HEAD])]


@HELPER
def planar_derivatives(p, offset, x, y):
    """Return (f, f_x, f_y, g, g_x, g_y) for the two outputs f and g of a tape in x and y."""
    work = np.empty((2 + int(p[offset]), 3))
    work[0, 0], work[0, 1], work[0, 2] = x, 1.0, 0.0
    work[1, 0], work[1, 1], work[1, 2] = y, 0.0, 1.0
    run_tape(p, offset, 2, work)
    f, g = int(p[offset + HEAD]), int(p[offset + HEAD + 1])
    return work[f, 0], work[f, 1], work[f, 2], work[g, 0], work[g, 1], work[g, 2]


@njit(CURVE.signature, cache=True, error_model="numpy")
def tape_curve(u, p, residual, jacobian, tests):
    """The curve of the first n - 1 outputs of a tape in n variables; the other outputs are its test functions.

    p = [n, tape].
    """
    n = int(p[0])
    work = np.empty((n + int(p[1]), n + 1))
    for i in range(n):
        work[i, 0] = u[i]
        for k in range(1, n + 1):
            work[i, k] = 1.0 if k == i + 1 else 0.0
    run_tape(p, 1, n, work)
    total = 0.0
    for i in range(int(p[2])):
        row = int(p[1 + HEAD + i])
        if i < n - 1:
            residual[i] = work[row, 0]
            total += work[row, 0]
            for k in range(n):
                jacobian[i, k] = work[row, 1 + k]
                total += 0.0 * work[row, 1 + k]
        else:
            tests[i - n + 1] = work[row, 0]
    return 0 if math.isfinite(total) else 1
