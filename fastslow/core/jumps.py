"""How far the slow variable moves while the fast one jumps: dy/dx = rate g / f up to the first zero of f."""

import math

from numba import njit


@njit(cache=True)
def polynomial(row, y):
    """Return sum_j row[j] y^j."""
    value = 0.0
    for j in range(row.shape[0] - 1, -1, -1):
        value = value * y + row[j]
    return value


@njit(cache=True)
def slope(row, y):
    """Return sum_j j row[j] y^(j - 1)."""
    value = 0.0
    for j in range(row.shape[0] - 1, 0, -1):
        value = value * y + j * row[j]
    return value


@njit(cache=True)
def jump_moves(f, g, rates, nodes, side, heights, low, high):
    """Widen [low, high] to the y that orbits from (nodes[0], heights) take on their way to the first zero of f.

    By Heun's method in x. Where f vanishes within a step the orbit ends on f = 0, found to first order.

    Parameters
    ----------
    f, g : (S, n, J) arrays
        Coefficients of y^j at the nodes in each of S systems.
    rates : (S,) array
        Slow rates.
    nodes : (n,) array
        Fast coordinates, from the line of starts outward.
    side : float
        1 or -1, the sign of f with which orbits go along the nodes; the others stay.
    heights, low, high : (S, N) arrays
        Starts, and the least and the largest y on the way so far.
    """
    for s in range(heights.shape[0]):
        for k in range(heights.shape[1]):
            y = heights[s, k]
            speed = side * polynomial(f[s, 0], y)
            if not speed > 0.0:
                continue
            by_x = rates[s] * polynomial(g[s, 0], y) / speed
            for i in range(1, nodes.shape[0]):
                step = abs(nodes[i] - nodes[i - 1])
                ahead = y + step * by_x
                speed = side * polynomial(f[s, i], ahead)
                after = y
                if speed > 0.0:
                    after = y + 0.5 * step * (by_x + rates[s] * polynomial(g[s, i], ahead) / speed)
                    speed = side * polynomial(f[s, i], after)
                landed = not speed > 0.0
                if landed:
                    after = y
                    here, by_y = side * polynomial(f[s, i], y), side * slope(f[s, i], y)
                    if here > 0.0 and by_x * by_y < 0.0:
                        after = y + math.copysign(min(abs(here / by_y), abs(step * by_x)), by_x)
                else:
                    by_x = rates[s] * polynomial(g[s, i], after) / speed
                y = after
                low[s, k], high[s, k] = min(low[s, k], y), max(high[s, k], y)
                if landed or not math.isfinite(y):
                    break
