"""`rosenbrock.run` for any field and events, called through pointers."""

from numba import njit, types

from fastslow.core.rosenbrock import run
from fastslow.core.signatures import EVENTS, FIELD, MATRIX, VECTOR


@njit(EVENTS.signature, cache=True)
def no_events(u, p, values):
    """What to pass as `events` where there are none."""
    return 0


@njit(
    types.int64(
        FIELD,
        EVENTS,
        VECTOR,
        VECTOR,
        VECTOR,
        VECTOR,
        types.int64[::1],
        VECTOR,
        MATRIX,
        VECTOR,
        MATRIX,
        MATRIX,
        MATRIX,
        MATRIX,
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
    no_cfunc_wrapper=True,
)
def advance(
    field, events, p, event_p, u, clock, counters, options, scales, times, rows, event_options, event_memory, hits
):
    """`run` for any field and events, called through pointers."""
    return run(
        field, events, p, event_p, u, clock, counters, options, scales, times, rows, event_options, event_memory, hits
    )
