"""Many trajectories of one system in parallel; each is advanced by `rosenbrock.advance` and equals it bit for bit.

Every array of `advance` has a first axis over the N trajectories here; parameters
with one row serve all. Only final states and hits come out: no rows.
"""

import numpy as np
from numba import njit, prange, types

from fastslow.core.rosenbrock import PAUSED, advance
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
    parallel=True,
)
def advance_batch(
    field, events, p, event_p, u, clock, counters, options, scales, event_options, event_memory, hits, status
):
    """Advance by one piece each trajectory whose `status` is PAUSED, and write its new status."""
    for i in prange(u.shape[0]):
        # numba's loop index is unsigned, and unsigned with signed makes a float
        row = np.int64(i)
        if status[i] == PAUSED:
            status[i] = advance(
                field,
                events,
                p[min(row, p.shape[0] - 1)],
                event_p[min(row, event_p.shape[0] - 1)],
                u[i],
                clock[i],
                counters[i],
                options,
                scales,
                np.empty(0),
                np.empty((0, 0)),
                event_options,
                event_memory[i],
                hits[i],
            )
