"""Tapes for LANES trajectories abreast; see `lanes` and, for tapes, `tape`.

All lanes do the same operations with the same registers; each has its own numbers. Each step is chosen once for all.
Behind the numbers, three blocks for each step, stand the operations (code, a, b), and behind these the registers:
(value, derivative by x, derivative by y), or values only.
"""

import numpy as np
from numba import njit

from fastslow.core.decorators import FUSED, INLINED
from fastslow.core.lane_arithmetic import add, affine, combine, combine_and_add, copy, multiply
from fastslow.core.lane_blocks import (
    ARGUMENT,
    EVALUATE,
    FORMULAS,
    GRADIENT,
    HEIGHT,
    LANES,
    SHAPE,
    VALUE,
    F,
    G,
    X,
)
from fastslow.core.lane_functions import lane_function
from fastslow.core.operations import AFFINE, CONSTANT, HEAD, PRODUCT, SUM, WIDTH
from fastslow.core.polynomial import FIRST

_NUMBERS = 3
_KINDS = WIDTH - _NUMBERS
_NO, _YES = np.bool_(False), np.bool_(True)
"""No literals for numba, which compiles a function again for each literal."""


@INLINED
def places_of(count):
    """Return where the operations and the registers of a tape of some steps are."""
    operations = FORMULAS + _NUMBERS * LANES * count
    return operations, operations + (_KINDS * count + LANES - 1) // LANES * LANES


@FUSED
def room_of_tape(p):
    """Return how many numbers the tape and its registers take."""
    count = int(p[0, FIRST])
    return places_of(count)[1] - FORMULAS + 3 * LANES * (2 + count)


@FUSED
def load_tape(w, i, p, s):
    """Give lane i the numbers of the parameters p[s]."""
    first = FIRST + HEAD + int(p[s, FIRST + 1]) + _KINDS
    for k in range(int(p[s, FIRST])):
        for j in range(_NUMBERS):
            w[FORMULAS + (_NUMBERS * k + j) * LANES + i] = p[s, first + WIDTH * k + j]


@FUSED
def load_operations(w, p):
    """Note the operations, which all systems share, and the registers of f and g."""
    count, outputs = int(p[0, FIRST]), int(p[0, FIRST + 1])
    w[SHAPE], w[SHAPE + 1], w[SHAPE + 2] = count, p[0, FIRST + HEAD], p[0, FIRST + HEAD + outputs - 1]
    at, first = places_of(count)[0], FIRST + HEAD + outputs
    for k in range(count):
        for j in range(_KINDS):
            w[at + _KINDS * k + j] = p[0, first + WIDTH * k + j]


@njit(EVALUATE.signature, cache=True, error_model="numpy", fastmath={"contract"})
def tape_values(w):
    """Write f and g."""
    count = int(w[SHAPE])
    at, registers = places_of(count)
    n, out = FORMULAS, registers + 2 * LANES
    copy(w, registers, X)
    copy(w, registers + LANES, HEIGHT)
    for _ in range(count):
        code, a, b = int(w[at]), registers + LANES * int(w[at + 1]), int(w[at + 2])
        if code == SUM:
            combine_and_add(w, out, n, a, n + LANES, registers + LANES * b, n + 2 * LANES)
        elif code == PRODUCT:
            add(w, ARGUMENT, a, n)
            add(w, VALUE, registers + LANES * b, n + LANES)
            multiply(w, out, ARGUMENT, VALUE)
        elif code == CONSTANT:
            copy(w, out, n)
        elif code == AFFINE:
            affine(w, out, n, a, n + LANES, n + 2 * LANES)
        else:
            affine(w, ARGUMENT, n, a, n + LANES, n + 2 * LANES)
            lane_function(w, code, b, _NO)
            copy(w, out, VALUE)
        at += _KINDS
        n += _NUMBERS * LANES
        out += LANES
    copy(w, F, registers + LANES * int(w[SHAPE + 1]))
    copy(w, G, registers + LANES * int(w[SHAPE + 2]))
    return 0


@njit(EVALUATE.signature, cache=True, error_model="numpy", fastmath={"contract"})
def tape_derivatives(w):
    """Write f and g and their derivatives."""
    count, width = int(w[SHAPE]), 3 * LANES
    at, registers = places_of(count)
    n, out = FORMULAS, registers + 2 * width
    copy(w, registers, X)
    copy(w, registers + width, HEIGHT)
    for i in range(LANES):
        w[registers + LANES + i], w[registers + 2 * LANES + i] = 1.0, 0.0
        w[registers + width + LANES + i], w[registers + width + 2 * LANES + i] = 0.0, 1.0
    for _ in range(count):
        code, a, b = int(w[at]), registers + width * int(w[at + 1]), int(w[at + 2])
        if code == SUM:
            b = registers + width * b
            combine_and_add(w, out, n, a, n + LANES, b, n + 2 * LANES)
            for k in range(LANES, width, LANES):
                combine(w, out + k, n, a + k, n + LANES, b + k)
        elif code == PRODUCT:
            b = registers + width * b
            add(w, ARGUMENT, a, n)
            add(w, VALUE, b, n + LANES)
            multiply(w, out, ARGUMENT, VALUE)
            for k in range(LANES, width, LANES):
                combine(w, out + k, ARGUMENT, b + k, VALUE, a + k)
        elif code == CONSTANT:
            copy(w, out, n)
            for i in range(LANES, width):
                w[out + i] = 0.0
        elif code == AFFINE:
            affine(w, out, n, a, n + LANES, n + 2 * LANES)
            for k in range(LANES, width, LANES):
                multiply(w, out + k, n, a + k)
        else:
            affine(w, ARGUMENT, n, a, n + LANES, n + 2 * LANES)
            lane_function(w, code, b, _YES)
            copy(w, out, VALUE)
            multiply(w, GRADIENT, GRADIENT, n)
            for k in range(LANES, width, LANES):
                multiply(w, out + k, GRADIENT, a + k)
        at += _KINDS
        n += _NUMBERS * LANES
        out += width
    f, g = registers + width * int(w[SHAPE + 1]), registers + width * int(w[SHAPE + 2])
    for k in range(0, width, LANES):
        copy(w, F + k, f + k)
        copy(w, G + k, g + k)
    return 0
