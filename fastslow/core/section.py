"""Event functions for the way from a saddle to a section x = const."""

from numba import njit

from fastslow.core.polynomial import evaluate, fast_coordinate
from fastslow.core.signatures import EVENTS


@njit(EVENTS.signature, cache=True)
def section_events(u, p, values):
    """Values (x - x_0, E_0 - E) of a state of ``polynomial_field``.

    p = [x_0, chart, origin, size, has energy, E_0, E]. Without an energy the second value is 1.
    """
    x = fast_coordinate(u[0], p[1], p[2], p[3])[0]
    values[0] = x - p[0]
    values[1] = 1.0
    if p[4] != 0.0:
        values[1] = p[5] - evaluate(p, 6, x, u[1])[0]
    return 0
