"""Event functions that tell when the fate of a trajectory is known."""

import numpy as np
from numba import njit

from fastslow.core.polynomial import fast_coordinate, polynomial_field
from fastslow.core.signatures import EVENTS


@njit(EVENTS.signature, cache=True)
def settling_events(u, p, values):
    """Functions of a state of ``polynomial_field`` that fall through zero when the fate is decided.

    p = [number of targets, number of tails, exits, length of the lists, x_1, y_1, r_1, s_1, ..., tail 1, ..., field].

    Target k: inside the ellipse ((x - x_k) / r_k)^2 + ((y - y_k) / s_k)^2 < 1.
    Tail [x_end, side, x_last, sign, y_last, y_end]: inside the region between the curves f = 0 and g = 0
    towards the end of an attracting arc, which no solution leaves (``fastslow.flow.trajectories``).
    Exits: if not 0, the last two values are x - lower and upper - x with the window's edges, which stand
    before the field.
    """
    targets = int(p[0])
    tails = int(p[1])
    exits = int(p[2])
    base = int(p[3])
    field = p[base:]
    x, stretch = fast_coordinate(u[0], field[2], field[3], field[4])
    y = u[1]
    for k in range(targets):
        i = 4 + 4 * k
        values[k] = ((x - p[i]) / p[i + 2]) ** 2 + ((y - p[i + 1]) / p[i + 3]) ** 2 - 1.0
    if tails > 0:
        du = np.empty(2)
        jacobian = np.empty((2, 2))
        if polynomial_field(u, field, du, jacobian) != 0:
            return 1
        for k in range(tails):
            i = 4 + 4 * targets + 6 * k
            side = p[i + 1]
            sign = p[i + 3]
            beyond = max(side * (x - p[i + 2]), side * (p[i] - x))
            beyond = max(beyond, max(sign * (p[i + 4] - y), sign * (y - p[i + 5])))
            values[targets + k] = max(beyond, max(side * stretch * du[0], -sign * du[1]))
    if exits > 0:
        values[targets + tails] = x - p[base - 2]
        values[targets + tails + 1] = p[base - 1] - x
    return 0
