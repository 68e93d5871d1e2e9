"""Many trajectories of one system in parallel; each is advanced by `rosenbrock.run` and equals it bit for bit.

Every array of `run` has a first axis over the N trajectories here; parameters
with one row serve all. Only final states and hits come out: no rows.
"""

import numpy as np
from numba import njit, prange

from fastslow.core.rosenbrock import PAUSED, run


@njit(cache=True, nogil=True, parallel=True)
def advance_each(
    field, events, p, event_p, u, clock, counters, options, scales, event_options, event_memory, hits, status
):
    """Advance by one piece each trajectory whose `status` is PAUSED, and write its new status.

    To be called from Python with BUILT_IN for field and events only; for others see `general_batch`.
    """
    for i in prange(u.shape[0]):
        # numba's loop index is unsigned, and unsigned with signed makes a float
        row = np.int64(i)
        if status[i] == PAUSED:
            status[i] = run(
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
