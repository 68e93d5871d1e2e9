"""Event functions of states of ``polynomial_field``: a fate decided, or a section reached."""

from numba import njit

from fastslow.core.decorators import HELPER
from fastslow.core.polynomial import CHART, SIZE, evaluate_value, place, products
from fastslow.core.signatures import EVENTS
from fastslow.core.tape import planar_values

SETTLING, SECTION = range(2)


@HELPER
def settling_events(u, p, values):
    """Functions that are negative when the fate is decided.

    p = [SETTLING, offset of the field, targets, tails, exits, x_1, y_1, r_1, s_1, ..., tail 1, ..., edges, field].

    Target k: inside the ellipse ((x - x_k) / r_k)^2 + ((y - y_k) / s_k)^2 < 1.
    Tail [x_end, side, x_last, sign, y_last, y_end]: inside the region between the curves f = 0 and g = 0
    towards the end of an attracting arc, which no solution leaves (``fastslow.flow.tails``).
    Exits: 0, or 2 or 4 last values x - lower, upper - x, y - lower and upper - y with the window's edges.
    """
    base, targets, tails = int(p[1]), int(p[2]), int(p[3])
    field = p[base:]
    x, y = place(u, field)
    for k in range(targets):
        i = 5 + 4 * k
        values[k] = ((x - p[i]) / p[i + 2]) ** 2 + ((y - p[i + 1]) / p[i + 3]) ** 2 - 1.0
    if tails > 0:
        f, g = products(x, y, field)
        if field[CHART] != 0.0:
            f *= field[SIZE]  # x' has the sign of this
        for k in range(tails):
            i = 5 + 4 * targets + 6 * k
            side = p[i + 1]
            sign = p[i + 3]
            beyond = max(side * (x - p[i + 2]), side * (p[i] - x))
            beyond = max(beyond, max(sign * (p[i + 4] - y), sign * (y - p[i + 5])))
            values[targets + k] = max(beyond, max(side * f, -sign * g))
    for k in range(0, int(p[4]), 2):
        edge = base - int(p[4]) + k
        z = x if k == 0 else y
        values[targets + tails + k] = z - p[edge]
        values[targets + tails + k + 1] = p[edge + 1] - z
    return 0


@HELPER
def section_events(u, p, values):
    """Values (x - x_0, E_0 - E): a section x = const reached, or an energy level passed.

    p = [SECTION, offset of the field, x_0, has energy, E_0, E, field]. Without an energy the second value is 1. E is
    a polynomial, or -1 and a tape.
    """
    x, y = place(u, p[int(p[1]) :])
    values[0] = x - p[2]
    values[1] = 1.0
    if p[3] != 0.0:
        values[1] = p[4] - (planar_values(p, 6, x, y)[0] if p[5] < 0.0 else evaluate_value(p, 5, x, y)[0])
    return 0


@njit(EVENTS.signature, cache=True)
def polynomial_events(u, p, values):
    """The event functions that the first parameter names."""
    if p[0] == SETTLING:
        return settling_events(u, p, values)
    return section_events(u, p, values)
