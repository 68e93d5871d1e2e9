"""Formulas as lists of steps in a parameter array: one compiled evaluator serves every model.

A tape is [steps, outputs, o_1, o_2, ..., (operation, a, b, s, t, v), (operation, a, b, s, t, v), ...]. Registers
0, ..., n - 1 are the variables, and step i writes register n + i; o_k is the register of output k. With r_a and r_b
the registers that a step names:

constant    s
affine      s (r_a + t) + v
sum         s r_a + t r_b + v
product     (r_a + s) (r_b + t)
a function  F(s (r_a + t) + v), of order b where it has one

Numbers belong to the steps since a step costs more than its arithmetic. Derivatives are carried along with the values.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from fastslow.core.decorators import FUSED
from fastslow.core.functions import function_and_slope, function_value
from fastslow.core.operations import AFFINE, CONSTANT, HEAD, PRODUCT, SUM, WIDTH
from fastslow.core.signatures import CURVE

ROOM = 192
"""Numbers that fit on the stack; an array would be made anew in each call, which takes as long as two exponentials."""

_POINTER = types.CPointer(types.float64)


@intrinsic
def _stack(typing_context):
    def generate(context, builder, signature, arguments):
        return cgutils.alloca_once(builder, ir.DoubleType(), size=ROOM)

    return _POINTER(), generate


@intrinsic
def _address(typing_context, array):
    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return _POINTER(array), generate


def stack():
    """Return room for ROOM numbers, for as long as the caller runs."""
    return np.empty(ROOM)


def address(array):
    """Return where an array of floats lies, to be used while the array itself is in use."""
    return array


@overload(stack)
def _compile_stack():
    return lambda: _stack()


@overload(address)
def _compile_address(array):
    return lambda array: _address(array)


@FUSED
def run_tape(p, at, count, variables, work):
    """Write (value, derivatives by the variables) of each register behind those of the variables.

    `p` and `work` are addresses, `at` the place of the first of `count` steps.
    """
    width = variables + 1
    for row in range(variables * width, (variables + count) * width, width):
        code, a, b = int(p[at]), int(p[at + 1]) * width, int(p[at + 2])
        s, t, v = p[at + 3], p[at + 4], p[at + 5]
        at += WIDTH
        if code == SUM:
            b *= width
            work[row] = s * work[a] + t * work[b] + v
            for k in range(1, width):
                work[row + k] = s * work[a + k] + t * work[b + k]
        elif code == PRODUCT:
            b *= width
            left, right = work[a] + s, work[b] + t
            work[row] = left * right
            for k in range(1, width):
                work[row + k] = left * work[b + k] + work[a + k] * right
        elif code == CONSTANT:
            work[row] = s
            for k in range(1, width):
                work[row + k] = 0.0
        else:
            x, slope = s * (work[a] + t) + v, s
            if code != AFFINE:
                x, slope = function_and_slope(code, b, x)
                slope *= s
            work[row] = x
            for k in range(1, width):
                work[row + k] = slope * work[a + k]


@FUSED
def run_tape_values(p, at, count, variables, work):
    """`run_tape` without derivatives: one value for each register."""
    for row in range(variables, variables + count):
        code, a, b = int(p[at]), int(p[at + 1]), int(p[at + 2])
        s, t, v = p[at + 3], p[at + 4], p[at + 5]
        at += WIDTH
        if code == SUM:
            work[row] = s * work[a] + t * work[b] + v
        elif code == PRODUCT:
            work[row] = (work[a] + s) * (work[b] + t)
        elif code == CONSTANT:
            work[row] = s
        else:
            x = s * (work[a] + t) + v
            work[row] = x if code == AFFINE else function_value(code, b, x)


@FUSED
def planar_values(p, offset, x, y):
    """Return the first and the last output of a tape in x and y."""
    count, outputs = int(p[offset]), int(p[offset + 1])
    f, g = int(p[offset + HEAD]), int(p[offset + HEAD + outputs - 1])
    if count + 2 <= ROOM:
        work = stack()
        work[0], work[1] = x, y
        run_tape_values(address(p), offset + HEAD + outputs, count, 2, work)
        return work[f], work[g]
    heap = np.empty(2 + count)
    heap[0], heap[1] = x, y
    run_tape_values(address(p), offset + HEAD + outputs, count, 2, address(heap))
    return heap[f], heap[g]


@FUSED
def planar_derivatives(p, offset, x, y):
    """Return (f, f_x, f_y, g, g_x, g_y) for the two outputs f and g of a tape in x and y."""
    count = int(p[offset])
    f, g = 3 * int(p[offset + HEAD]), 3 * int(p[offset + HEAD + 1])
    if 3 * (count + 2) <= ROOM:
        work = stack()
        work[0], work[1], work[2], work[3], work[4], work[5] = x, 1.0, 0.0, y, 0.0, 1.0
        run_tape(address(p), offset + HEAD + 2, count, 2, work)
        return work[f], work[f + 1], work[f + 2], work[g], work[g + 1], work[g + 2]
    heap = np.empty(3 * (2 + count))
    heap[0], heap[1], heap[2], heap[3], heap[4], heap[5] = x, 1.0, 0.0, y, 0.0, 1.0
    run_tape(address(p), offset + HEAD + 2, count, 2, address(heap))
    return heap[f], heap[f + 1], heap[f + 2], heap[g], heap[g + 1], heap[g + 2]


@njit(CURVE.signature, cache=True, error_model="numpy")
def tape_curve(u, p, residual, jacobian, tests):
    """The curve of the first n - 1 outputs of a tape in n variables; the other outputs are its test functions.

    p = [n, tape].
    """
    n, count, outputs = int(p[0]), int(p[1]), int(p[2])
    work = np.empty((n + count) * (n + 1))
    for i in range(n):
        row = i * (n + 1)
        work[row] = u[i]
        for k in range(1, n + 1):
            work[row + k] = 1.0 if k == i + 1 else 0.0
    run_tape(address(p), 1 + HEAD + outputs, count, n, address(work))
    total = 0.0
    for i in range(outputs):
        row = int(p[1 + HEAD + i]) * (n + 1)
        if i < n - 1:
            residual[i] = work[row]
            total += work[row]
            for k in range(n):
                jacobian[i, k] = work[row + 1 + k]
                total += 0.0 * work[row + 1 + k]
        else:
            tests[i - n + 1] = work[row]
    return 0 if math.isfinite(total) else 1
