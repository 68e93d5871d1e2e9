"""`rosenbrock.run` built for the polynomial family, the same text without calls through pointers; one or many."""

from numba import njit, types

from fastslow.core.calls import BUILT_IN
from fastslow.core.rosenbrock import run
from fastslow.core.signatures import MATRIX, VECTOR


@njit(
    types.int64(
        VECTOR, VECTOR, VECTOR, VECTOR, types.int64[::1], VECTOR, MATRIX, VECTOR, MATRIX, MATRIX, MATRIX, MATRIX
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
    no_cfunc_wrapper=True,
)
def advance_polynomial(p, event_p, u, clock, counters, options, scales, times, rows, event_options, event_memory, hits):
    """`rosenbrock.advance` for `polynomial_field` and `polynomial_events`."""
    return run(
        BUILT_IN, BUILT_IN, p, event_p, u, clock, counters, options, scales, times, rows,
        event_options, event_memory, hits,
    )  # fmt: skip
