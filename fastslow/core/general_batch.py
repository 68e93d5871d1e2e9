"""`batch.advance_each` for any field and events, called through pointers."""

from numba import njit, types

from fastslow.core.batch import advance_each
from fastslow.core.signatures import EVENTS, FIELD, MATRIX, VECTOR

STACK = types.float64[:, :, ::1]


@njit(
    types.void(
        FIELD,
        EVENTS,
        MATRIX,
        MATRIX,
        MATRIX,
        MATRIX,
        types.int64[:, ::1],
        VECTOR,
        MATRIX,
        MATRIX,
        STACK,
        STACK,
        types.int64[::1],
    ),
    cache=True,
    nogil=True,
)
def advance_batch(
    field, events, p, event_p, u, clock, counters, options, scales, event_options, event_memory, hits, status
):
    """`advance_each` through pointers."""
    advance_each(
        field, events, p, event_p, u, clock, counters, options, scales, event_options, event_memory, hits, status
    )
