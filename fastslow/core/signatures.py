"""The numba types of the functions that kernels take as arguments.

A kernel with an explicit signature over these first-class function types is
compiled once, cached on disk and serves every model; a plain lazily compiled
kernel would be compiled again for every function passed to it.

All arrays are C-contiguous float64. Functions write into their output arrays
and return 0, or a positive number where the point is outside their domain.
"""

from numba import types

from fastslow.core import compile_aside

compile_aside()

VECTOR = types.float64[::1]
MATRIX = types.float64[:, ::1]

FIELD = types.FunctionType(types.int64(VECTOR, VECTOR, VECTOR, MATRIX, types.boolean))
"""field(u, p, du, jacobian, with_jacobian): the right-hand side of u' = F(u; p) and, if it is wanted, dF_i/du_j."""

CURVE = types.FunctionType(types.int64(VECTOR, VECTOR, VECTOR, MATRIX, VECTOR))
"""curve(u, p, residual, jacobian, tests): F: R^n -> R^(n-1), its (n-1, n) Jacobian, and test functions."""

EVENTS = types.FunctionType(types.int64(VECTOR, VECTOR, VECTOR))
"""events(u, p, values): functions whose zeros along a solution are wanted."""
