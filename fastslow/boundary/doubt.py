"""Where the singular limit may give a start another fate than the system at its slow rate.

The limit takes jumps for instantaneous. At a slow rate eta > 0 the slow variable moves on the way from the line of
starts to the critical manifold: dy/dx = eta g / f. A fate is in doubt where this way crosses a height y* that parts
the fates of the limit, at the slow rate or at twice it. To first order that is the shift

    y_c = y* - eta * integral of g / f dx        beside the height of a saddle,

it is of order (eta g)^(2/3) at a fold, where f is small over a width of order (eta g)^(1/3), and it is not small where
f itself is, as at small y where f is proportional to y: there x is not fast.

The limit also takes the two rates at an equilibrium for apart. Near a fold they are not, and its stability changes, and
cycles grow, at parameters that the slow rate moves (Hopf, canards). All starts are in doubt where an equilibrium has
complex eigenvalues at the slow rate or at twice it.

What is not looked at: moves during later jumps, which matter where a fold and another special point have nearly one
height, and orbits along an invariant line that has lost its stability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.boundary.members import coefficients_at, slow_powers, values_at
from fastslow.boundary.singular import SingularBoundary
from fastslow.flow.flow_graph import forbidden
from fastslow.systems.polynomial_system import exactly

Values = NDArray[np.float64]

_RATES = (1.0, 2.0)
"""Multiples of the slow rate: the second leaves room for what the first order neglects."""
_NODES = 129
_SAMPLES = 256
"""Starts of one parameter that are followed where there are more; beside thresholds they are dense."""
_NEAREST = 14
"""The nearest of those beside a threshold are 2^-14 of the range of starts away."""


def doubtful_starts(boundary: SingularBoundary, values: ArrayLike, starts: ArrayLike) -> NDArray[np.bool_]:
    """Return which starts (values[i], starts[j]) the full system may give another fate, shape (n, m).

    Parameters
    ----------
    boundary : SingularBoundary
        Of the singular limit.
    values : array_like, shape (n,)
        Parameters in its interval.
    starts : array_like, shape (m,)
        Slow coordinates of starts.
    """
    exactly(boundary.sample, "an estimate of the jumps")
    s, y = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (values, starts))
    thresholds = boundary.thresholds_at(s)
    system = boundary.sample
    rest = np.array([np.isfinite(t) and forbidden(system, float(t)) for t in thresholds.ravel()], dtype=bool)
    thresholds = np.where(rest.reshape(thresholds.shape), np.inf, thresholds)  # orbits do not cross what is at rest
    heights = _followed(thresholds, y)
    margin = int(heights.shape[1] > len(y))  # where not all starts are followed, up to the next one that is
    low, high = heights.copy(), heights.copy()
    for share in _RATES:
        _widen(boundary, s, heights, share, low, high)
    found = np.repeat(_has_focus(boundary, s)[:, None], len(y), axis=1)
    for i, row in enumerate(heights):
        for threshold in thresholds[i][np.isfinite(thresholds[i])]:
            passing = np.flatnonzero((low[i] <= threshold) & (threshold <= high[i]))
            if len(passing):
                # and all between these and the threshold: orbits do not overtake each other
                first, last = row[max(passing[0] - margin, 0)], row[min(passing[-1] + margin, len(row) - 1)]
                found[i] |= (min(first, threshold) <= y) & (y <= max(last, threshold))
    return found


def _followed(thresholds: Values, y: Values) -> Values:
    """Return the starts that are followed for each parameter, in order: all, or some and more beside thresholds."""
    if len(y) <= _SAMPLES:
        return np.tile(np.sort(y), (len(thresholds), 1))
    low, high = float(y.min()), float(y.max())
    steps = (high - low) * 2.0 ** -np.arange(1.0, _NEAREST + 1.0)
    beside = thresholds[:, :, None] + np.concatenate((-steps, steps))
    beside = np.clip(np.nan_to_num(beside, posinf=high, neginf=low), low, high).reshape(len(thresholds), -1)
    spread = np.tile(np.linspace(low, high, _SAMPLES), (len(thresholds), 1))
    return np.asarray(np.sort(np.concatenate((spread, beside), axis=1), axis=1))


def _widen(boundary: SingularBoundary, s: Values, heights: Values, share: float, low: Values, high: Values) -> None:
    """Widen [low, high] to the y on the first jumps from heights, at a share of the slow rate."""
    from fastslow.core.jumps import jump_moves

    assert boundary.events is not None
    polynomials, system = boundary.events.loci.polynomials, boundary.sample
    rates = np.array([float(c[0, 0]) for c in coefficients_at(polynomials.slow_rate, s)]) * share
    f, g = (coefficients_at(p, s) for p in (polynomials.fast_field, polynomials.slow_field))
    start = float(system.start_fast)
    for side, edge in ((1.0, float(system.upper)), (-1.0, float(system.lower))):
        # Nodes are dense at the line of starts, where f may be small.
        nodes = start + (edge - start) * (1.0 - np.cos(np.linspace(0.0, 0.5 * np.pi, _NODES)))
        if (edge - start) * side > 0.0:
            jump_moves(slow_powers(f, nodes), slow_powers(g, nodes), rates, nodes, side, heights, low, high)


def _has_focus(boundary: SingularBoundary, s: Values) -> NDArray[np.bool_]:
    """Return at which parameters an equilibrium has complex eigenvalues."""
    assert boundary.events is not None
    polynomials = boundary.events.loci.polynomials
    f, g = polynomials.fast_field, polynomials.slow_field
    partials = [values_at(p.derivative(k), s) for p in (f, g) for k in (0, 1)]
    rate = np.array([float(c[0, 0]) for c in coefficients_at(polynomials.slow_rate, s)])
    found = np.zeros(len(s), dtype=bool)
    for strand in boundary.equilibria:
        here = (strand.low <= s) & (s <= strand.high)
        if not here.any():
            continue
        place = np.full((2, len(s)), np.nan)
        place[:, here] = strand.at(s[here])
        with np.errstate(invalid="ignore"):
            f_x, f_y, g_x, g_y = (partial(*place) for partial in partials)
            for share in _RATES:
                found |= (f_x - share * rate * g_y) ** 2 + 4.0 * share * rate * f_y * g_x < 0.0
    return found
