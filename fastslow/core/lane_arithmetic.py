"""Arithmetic of blocks of LANES numbers wherever they lie in one array: the place of each is known only at run time.

The compiler cannot see that two such blocks are not one, and makes no vector instructions of a loop over them. These
are vector instructions from the outset.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from fastslow.core.lane_blocks import LANES

_WIDTH = 4
"""Numbers in one instruction, as in the loops of other kernels: parts just written are not soon read as one."""
_PART = ir.VectorType(ir.DoubleType(), _WIDTH)


def _on_blocks(operate):
    """Return how the compiler writes w[out] = operate(w[a], w[b], ...) for whole blocks."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        blocks = [builder.gep(data, [place]) for place in arguments[1:]]
        for k in range(0, LANES, _WIDTH):
            at = ir.Constant(ir.IntType(64), k)
            out, *operands = (builder.bitcast(builder.gep(block, [at]), _PART.as_pointer()) for block in blocks)
            numbers = [builder.load(operand, align=8) for operand in operands]
            builder.store(operate(builder, *numbers), out, align=8)
        return context.get_dummy_value()

    return generate


def _fused(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, ("contract",)), c, ("contract",))


@intrinsic
def _copy(typing_context, w, out, a):
    return types.void(w, out, a), _on_blocks(lambda builder, a: a)


@intrinsic
def _add(typing_context, w, out, a, b):
    return types.void(w, out, a, b), _on_blocks(lambda builder, a, b: builder.fadd(a, b))


@intrinsic
def _multiply(typing_context, w, out, a, b):
    return types.void(w, out, a, b), _on_blocks(lambda builder, a, b: builder.fmul(a, b))


@intrinsic
def _affine(typing_context, w, out, s, a, t, v):
    def operate(builder, s, a, t, v):
        return _fused(builder, s, builder.fadd(a, t), v)

    return types.void(w, out, s, a, t, v), _on_blocks(operate)


@intrinsic
def _combine(typing_context, w, out, s, a, t, b):
    def operate(builder, s, a, t, b):
        return _fused(builder, s, a, builder.fmul(t, b))

    return types.void(w, out, s, a, t, b), _on_blocks(operate)


@intrinsic
def _combine_and_add(typing_context, w, out, s, a, t, b, v):
    def operate(builder, s, a, t, b, v):
        return _fused(builder, s, a, _fused(builder, t, b, v))

    return types.void(w, out, s, a, t, b, v), _on_blocks(operate)


def copy(w, out, a):
    """Write the block `a` into the block `out`."""
    w[out : out + LANES] = w[a : a + LANES]


def add(w, out, a, b):
    """Write a + b."""
    w[out : out + LANES] = w[a : a + LANES] + w[b : b + LANES]


def multiply(w, out, a, b):
    """Write a b."""
    w[out : out + LANES] = w[a : a + LANES] * w[b : b + LANES]


def affine(w, out, s, a, t, v):
    """Write s (a + t) + v."""
    w[out : out + LANES] = w[s : s + LANES] * (w[a : a + LANES] + w[t : t + LANES]) + w[v : v + LANES]


def combine(w, out, s, a, t, b):
    """Write s a + t b."""
    w[out : out + LANES] = w[s : s + LANES] * w[a : a + LANES] + w[t : t + LANES] * w[b : b + LANES]


def combine_and_add(w, out, s, a, t, b, v):
    """Write s a + (t b + v)."""
    total = w[t : t + LANES] * w[b : b + LANES] + w[v : v + LANES]
    w[out : out + LANES] = w[s : s + LANES] * w[a : a + LANES] + total


@overload(copy, inline="always")
def _compile_copy(w, out, a):
    return lambda w, out, a: _copy(w, out, a)


@overload(add, inline="always")
def _compile_add(w, out, a, b):
    return lambda w, out, a, b: _add(w, out, a, b)


@overload(multiply, inline="always")
def _compile_multiply(w, out, a, b):
    return lambda w, out, a, b: _multiply(w, out, a, b)


@overload(affine, inline="always")
def _compile_affine(w, out, s, a, t, v):
    return lambda w, out, s, a, t, v: _affine(w, out, s, a, t, v)


@overload(combine, inline="always")
def _compile_combine(w, out, s, a, t, b):
    return lambda w, out, s, a, t, b: _combine(w, out, s, a, t, b)


@overload(combine_and_add, inline="always")
def _compile_combine_and_add(w, out, s, a, t, b, v):
    return lambda w, out, s, a, t, b, v: _combine_and_add(w, out, s, a, t, b, v)
