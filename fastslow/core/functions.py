"""The functions of one number that formulas may have, and their derivatives."""

import math

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.operations import (
    ABS,
    ATAN,
    COS,
    COSH,
    ERF,
    EXP,
    FAMILY,
    GELU,
    HERMITE,
    LEAKY_RELU,
    LOG,
    PHI,
    POWER,
    RELU,
    ROOT_QUOTIENT,
    SIGMOID,
    SIGN,
    SIN,
    SINH,
    SOFTPLUS,
    SQRT,
    TAN,
    TANH,
)
from fastslow.core.root_quotients import root_quotient, root_quotient_and_slope

_PADE = 0.5
"""Below this |z| the rational function for tanh z is as good as rounding."""
_BELL = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_ROOT = math.sqrt(0.5)
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


@INLINED
def far_tangent(z):
    """Return (tanh z, 1 - tanh^2 z) from one exponential."""
    decay = math.exp(-2.0 * abs(z))
    x = (1.0 - decay) / (1.0 + decay)
    return (x if z > 0.0 else -x), 4.0 * decay / ((1.0 + decay) * (1.0 + decay))


@INLINED
def hyperbolic_tangent(z):
    """Return (tanh z, 1 - tanh^2 z), the second without cancellation."""
    if abs(z) < _PADE:
        s = z * z
        # the continued fraction of Lambert to seven terms; relative error below 2e-16
        x = z * (135135.0 + s * (17325.0 + s * (378.0 + s))) / (135135.0 + s * (62370.0 + s * (3150.0 + s * 28.0)))
        return x, 1.0 - x * x
    return far_tangent(z)


@FUSED
def integer_power(x, n):
    """Return x^n for an integer n >= 0 by repeated squaring."""
    total = 1.0
    while n > 0:
        if n & 1:
            total *= x
        x *= x
        n >>= 1
    return total


@FUSED
def sigmoid(x):
    """Return 1 / (1 + exp(-x)) without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@FUSED
def power(n, x):
    """Return x^n for an integer n."""
    return integer_power(x, n) if n >= 0 else integer_power(1.0 / x if x != 0.0 else math.inf, -n)


@FUSED
def power_and_slope(n, x):
    """Return x^n and n x^(n-1) for an integer n."""
    if n >= 0:
        below = integer_power(x, n - 1)
        return below * x, n * below
    inverse = 1.0 / x if x != 0.0 else math.inf
    value = integer_power(inverse, -n)
    return value, n * value * inverse


@FUSED
def hermite_and_slope(order, x):
    """Return He_k(x) and k He_(k-1)(x)."""
    before, now = 0.0, 1.0
    for k in range(order):
        before, now = now, x * now - k * before
    return now, order * before


@FUSED
def phi(order, x):
    """Return phi_k(x), see ``fastslow.systems.exponential_quotients``, by series without cancellation or far out."""
    if not math.isfinite(x):
        return math.inf if x > 0.0 else (0.0 if x < 0.0 else math.nan)
    if order == 1:
        return (math.expm1(x) if x < 709.0 else math.inf) / x if x != 0.0 else 1.0
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


@FUSED
def function_and_slope(code, order, x):
    """Return the value and the derivative of a function; not a number outside its domain, and no exception."""
    if code == EXP:
        e = math.exp(x) if x < 709.0 else math.inf
        return e, e
    if code == TANH:
        return hyperbolic_tangent(x)
    if code == POWER:
        return power_and_slope(order, x)
    if code == PHI:
        value = phi(order, x)
        return value, value - order * phi(order + 1, x)
    if code == HERMITE:
        return hermite_and_slope(order, x)
    if code == ROOT_QUOTIENT:
        return root_quotient_and_slope(order // FAMILY, order % FAMILY, x)
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


@FUSED
def function_value(code, order, x):
    """Return the value of `function_and_slope`, sooner where the derivative costs."""
    if code == EXP:
        return math.exp(x) if x < 709.0 else math.inf
    if code == TANH:
        return hyperbolic_tangent(x)[0]
    if code == POWER:
        return power(order, x)
    if code == COSH:
        e = math.exp(min(abs(x), 709.0))
        return 0.5 * e + 0.5 / e if abs(x) <= 709.0 else abs(x) * math.inf
    if code == ERF:
        return math.erf(x)
    if code == PHI:
        return phi(order, x)
    if code == ROOT_QUOTIENT:
        return root_quotient(order // FAMILY, order % FAMILY, x)
    return function_and_slope(code, order, x)[0]
