"""Event function of a section x = const."""

import math

from numba import njit

from fastslow.core.signatures import EVENTS


@njit(EVENTS.signature, cache=True)
def section_event(u, p, values):
    """Values (x - p[0],) of a state of ``polynomial_field``; p = [x_0, chart, middle, half width]."""
    x = u[0]
    if p[1] != 0.0:
        x = p[2] + p[3] * math.tanh(u[0])
    values[0] = x - p[0]
    return 0
