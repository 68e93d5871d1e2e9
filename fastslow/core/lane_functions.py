"""Functions of formulas for LANES numbers at once: without calls and branches where they are common.

So loops over lanes become vector instructions. Errors are some units in the last place, as those of `functions`.
"""

import math

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from fastslow.core.decorators import FUSED, IN_LOOP
from fastslow.core.functions import function_and_slope, function_value
from fastslow.core.lane_blocks import ARGUMENT, GRADIENT, LANES, VALUE
from fastslow.core.operations import COSH, EXP, PHI, POWER, RELU, SIGMOID, SILU, SOFTPLUS, SQRT, TANH

_ROUNDING = 1.5 * 2.0**52
"""Added to a number it leaves the nearest integer in the lowest bits of the sum."""
_LARGEST, _SMALLEST = 709.0, -708.0
"""From where on exp is infinite, as in `functions`, and 0: there 2^n is no normal number."""
_LOG2_E = 1.0 / math.log(2.0)
_LOG_2, _LOG_2_REST = math.floor(math.log(2.0) * 2.0**32) / 2.0**32, 1.9082149292705877e-10
"""log 2 as a number of 32 bits, times which integers are exact, and the rest."""
_ROOMY = 20.0
"""Beyond this |z|, tanh z is 1 to rounding."""
_SMALL = 0.25
"""Below this |x| the series of the derivative of (exp(x) - 1) / x is the better one."""


@intrinsic
def _power_of_two(typing_context, shifted):
    def generate(context, builder, signature, arguments):
        bits, integer = arguments[0], ir.IntType(64)
        bits = builder.shl(builder.bitcast(bits, integer), integer(52))
        return builder.bitcast(builder.add(bits, integer(1023 << 52)), ir.DoubleType())

    return types.float64(types.float64), generate


def power_of_two(shifted):
    """Return 2^n for _ROUNDING + n, with n from -1022 to 1023."""
    return math.ldexp(1.0, int(shifted - _ROUNDING)) if math.isfinite(shifted) else math.nan


@overload(power_of_two, inline="always")
def _compile_power_of_two(shifted):
    return lambda shifted: _power_of_two(shifted)


@IN_LOOP
def exponential_parts(x):
    """Return (2^n, exp(r) - 1) with x = n log 2 + r and |r| <= log(2) / 2, for x in the range of exp."""
    x = _LARGEST if x > _LARGEST else x
    x = _SMALLEST if x < _SMALLEST else x
    shifted = x * _LOG2_E + _ROUNDING
    n = shifted - _ROUNDING
    r = (x - n * _LOG_2) - n * _LOG_2_REST
    # Taylor's polynomial of degree 13 in parts that do not wait for each other: the next term is below 1e-17 r
    square = r * r
    fourth = square * square
    low = (0.5 + r * (1.0 / 6.0)) + square * (1.0 / 24.0 + r * (1.0 / 120.0))
    middle = (1.0 / 720.0 + r * (1.0 / 5040.0)) + square * (1.0 / 40320.0 + r * (1.0 / 362880.0))
    high = (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) + square * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0))
    q = low + fourth * (middle + fourth * high)
    return power_of_two(shifted), r + square * q


@IN_LOOP
def exponential(x):
    """Return exp(x); 0 where that is no normal number."""
    power, rest = exponential_parts(x)
    value = power + power * rest
    value = 0.0 if x < _SMALLEST else value
    return math.inf if x >= _LARGEST else value


@IN_LOOP
def tangent(z):
    """Return (n, d, e) with tanh z = n / d and 1 - tanh^2 z = e / d^2, for |z| up to _ROOMY, beyond which both stay."""
    # from z / 64 by Lambert's fraction and six doublings tanh 2z = 2 n d / (d^2 + n^2)
    z = _ROOMY if z > _ROOMY else z
    z = (-_ROOMY if z < -_ROOMY else z) * 0.015625
    s = z * z
    n = z * (1.0 + s * (0.1282051282051282 + s * (0.0027972027972027972 + s * 7.400007400007401e-06)))
    d = 1.0 + s * (0.46153846153846156 + s * (0.023310023310023312 + s * 0.0002072002072002072))
    # of d^2 - n^2 each doubling makes its square
    e = (d - n) * (d + n)
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    n, d = 2.0 * n * d, d * d + n * n
    n, d = 2.0 * n * d, d * d + n * n
    n, d = 2.0 * n * d, d * d + n * n
    n, d = 2.0 * n * d, d * d + n * n
    n, d = 2.0 * n * d, d * d + n * n
    return 2.0 * n * d, d * d + n * n, e * e


@IN_LOOP
def exponential_quotient(x):
    """Return (exp(x) - 1) / x."""
    power, rest = exponential_parts(x)
    value = (power * rest + (power - 1.0)) / x
    value = 1.0 if x == 0.0 else value
    return math.inf if x >= _LARGEST else value


@IN_LOOP
def slope_of_quotient(x, quotient):
    """Return the derivative of (exp(x) - 1) / x: its series to x^10, or (exp(x) - quotient) / x."""
    series = 1.0 / 3991680.0 + x * (1.0 / 43545600.0)
    series = 1.0 / 45360.0 + x * (1.0 / 403200.0 + x * series)
    series = 1.0 / 840.0 + x * (1.0 / 5760.0 + x * series)
    series = 1.0 / 30.0 + x * (1.0 / 144.0 + x * series)
    series = 0.5 + x * (1.0 / 3.0 + x * (1.0 / 8.0 + x * series))
    direct = (exponential(x) - quotient) / x
    return series if abs(x) < _SMALL else direct


@IN_LOOP
def logistic(x):
    """Return 1 / (1 + exp(-x)) and its derivative."""
    e = exponential(-abs(x))
    inverse = 1.0 / (1.0 + e)
    return (inverse if x >= 0.0 else e * inverse), e * inverse * inverse


@IN_LOOP
def softened(x):
    """Return log(1 + exp(x)) and its derivative."""
    e = exponential(-abs(x))
    inverse = 1.0 / (1.0 + e)
    # log(1 + e) = 2 artanh(s), s = e / (2 + e) <= 1/3: Taylor's series in parts; the next term is below 1e-17 s
    s = e / (2.0 + e)
    q = s * s
    square = q * q
    fourth = square * square
    low = (1.0 + q * (1.0 / 3.0)) + square * (1.0 / 5.0 + q * (1.0 / 7.0))
    middle = (1.0 / 9.0 + q * (1.0 / 11.0)) + square * (1.0 / 13.0 + q * (1.0 / 15.0))
    high = (1.0 / 17.0 + q * (1.0 / 19.0)) + square * (1.0 / 21.0 + q * (1.0 / 23.0))
    highest = (1.0 / 25.0 + q * (1.0 / 27.0)) + square * (1.0 / 29.0 + q * (1.0 / 31.0))
    series = low + fourth * (middle + fourth * (high + fourth * highest))
    return (x if x > 0.0 else 0.0) + 2.0 * s * series, (inverse if x >= 0.0 else e * inverse)


@FUSED
def lane_powers(w, order):
    """`power_and_slope` of the arguments."""
    if order > 0:
        for i in range(LANES):
            w[GRADIENT + i] = w[ARGUMENT + i]
    else:
        for i in range(LANES):
            w[GRADIENT + i] = 1.0 / w[ARGUMENT + i]
    for i in range(LANES):
        w[ARGUMENT + i] = w[GRADIENT + i]
        w[VALUE + i] = 1.0
    left = abs(order) - 1
    while left > 0:
        if left & 1:
            for i in range(LANES):
                w[VALUE + i] *= w[ARGUMENT + i]
        left >>= 1
        if left > 0:
            for i in range(LANES):
                w[ARGUMENT + i] *= w[ARGUMENT + i]
    if order > 0:
        for i in range(LANES):
            below, x = w[VALUE + i], w[GRADIENT + i]
            w[VALUE + i], w[GRADIENT + i] = below * x, order * below
    else:
        for i in range(LANES):
            value, inverse = w[VALUE + i] * w[GRADIENT + i], w[GRADIENT + i]
            w[VALUE + i], w[GRADIENT + i] = value, order * value * inverse


@FUSED
def lane_function(w, code, order, with_slope):
    """Write a function of the arguments, and where it is wanted, or costs little, its derivative."""
    if code == POWER:
        lane_powers(w, order)
    elif code == TANH:
        for i in range(LANES):
            n, d, e = tangent(w[ARGUMENT + i])
            inverse = 1.0 / d
            w[VALUE + i] = n * inverse
            w[GRADIENT + i] = e * inverse * inverse
    elif code == EXP:
        for i in range(LANES):
            w[VALUE + i] = exponential(w[ARGUMENT + i])
            w[GRADIENT + i] = w[VALUE + i]
    elif code == SIGMOID:
        for i in range(LANES):
            w[VALUE + i], w[GRADIENT + i] = logistic(w[ARGUMENT + i])
    elif code == SILU:
        for i in range(LANES):
            x = w[ARGUMENT + i]
            s, slope = logistic(x)
            w[VALUE + i], w[GRADIENT + i] = x * s, s + x * slope
    elif code == SOFTPLUS:
        for i in range(LANES):
            w[VALUE + i], w[GRADIENT + i] = softened(w[ARGUMENT + i])
    elif code == RELU:
        for i in range(LANES):
            x = w[ARGUMENT + i]
            w[VALUE + i] = 0.0 if x <= 0.0 else x
            w[GRADIENT + i] = 1.0 if x > 0.0 else (0.5 if x == 0.0 else 0.0)
    elif code == COSH:
        for i in range(LANES):
            x = w[ARGUMENT + i]
            e = exponential(abs(x))
            half, rest = 0.5 * e, 0.5 / e
            w[VALUE + i], w[GRADIENT + i] = half + rest, math.copysign(half - rest, x)
    elif code == SQRT:
        for i in range(LANES):
            w[VALUE + i] = math.sqrt(w[ARGUMENT + i])
            w[GRADIENT + i] = 0.5 / w[VALUE + i]
    elif code == PHI and order == 1:
        for i in range(LANES):
            w[VALUE + i] = exponential_quotient(w[ARGUMENT + i])
        if with_slope:
            for i in range(LANES):
                w[GRADIENT + i] = slope_of_quotient(w[ARGUMENT + i], w[VALUE + i])
    elif with_slope:
        for i in range(LANES):
            w[VALUE + i], w[GRADIENT + i] = function_and_slope(code, order, w[ARGUMENT + i])
    else:
        for i in range(LANES):
            w[VALUE + i] = function_value(code, order, w[ARGUMENT + i])
