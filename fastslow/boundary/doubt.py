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
from fastslow.systems.formula_system import FormulaSystem
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
    low, high = heights.copy(), heights.copy()
    for share in _RATES:
        _widen(boundary, s, heights, share, low, high)
    found = np.repeat(_has_focus(boundary, s)[:, None], len(y), axis=1)
    for i, row in enumerate(heights):
        found[i] |= _passing(thresholds[i], row, low[i], high[i], y)
    return found


def doubtful_formula_starts(
    system: FormulaSystem, equilibria: ArrayLike, thresholds: ArrayLike, starts: ArrayLike
) -> NDArray[np.bool_]:
    """Return which starts of one system of formulas may have another fate at its slow rate, shape (m,).

    Parameters
    ----------
    system : FormulaSystem
        The system.
    equilibria : array_like, shape (k, 2)
        Its equilibria (x, y).
    thresholds : array_like, shape (n,)
        Heights y that part the fates of starts in the singular limit.
    starts : array_like, shape (m,)
        Slow coordinates of starts.
    """
    critical, y = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (thresholds, starts))
    places = np.asarray(equilibria, dtype=np.float64).reshape(-1, 2).T
    f_x, f_y, g_x, g_y = (system.partial(of, *order, *places) for of in "fg" for order in ((1, 0), (0, 1)))
    if any(_is_focus(f_x, f_y, g_x, g_y, share * float(system.slow_rate)).any() for share in _RATES):
        return np.ones(len(y), dtype=bool)
    if not len(critical):
        return np.zeros(len(y), dtype=bool)
    heights = _followed(critical[None], y)[0]
    return _passing(critical, heights, *_moves(system, heights), y)


def _passing(thresholds: Values, heights: Values, low: Values, high: Values, y: Values) -> NDArray[np.bool_]:
    """Return which starts y move over a threshold, of the moves [low, high] from some heights, in order."""
    found = np.zeros(len(y), dtype=bool)
    margin = int(len(heights) > len(y))  # where not all starts are followed, up to the next one that is
    for threshold in thresholds[np.isfinite(thresholds)]:
        passing = np.flatnonzero((low <= threshold) & (threshold <= high))
        if len(passing):
            # and all between these and the threshold: orbits do not overtake each other
            first, last = heights[max(passing[0] - margin, 0)], heights[min(passing[-1] + margin, len(heights) - 1)]
            found |= (min(first, threshold) <= y) & (y <= max(last, threshold))
    return found


def _moves(system: FormulaSystem, heights: Values) -> tuple[Values, Values]:
    """Return the least and the largest y on the first jumps from heights, as ``core.jumps`` does for polynomials."""
    y, rate = (v.ravel() for v in np.meshgrid(heights, np.array(_RATES) * float(system.slow_rate)))
    low, high = y.copy(), y.copy()
    start, ends = float(system.start_fast), np.array([float(system.lower), float(system.upper)])
    f = system.partial("f", 0, 0, start, y)
    going = np.flatnonzero(f)
    x, y, rate, side = np.full(len(going), start), y[going], rate[going], np.sign(f[going])
    width = ends[(side > 0.0).astype(int)] - start
    with np.errstate(all="ignore"):
        pace = rate * system.partial("g", 0, 0, x, y) / f[going]
        # Heun's method in x, with nodes that are dense at the line of starts, where f may be small.
        for share in 1.0 - np.cos(np.linspace(0.0, 0.5 * np.pi, _NODES))[1:]:
            step, x = start + share * width - x, start + share * width
            ahead = np.clip(y + step * pace, *system.slow_ends)
            speed = system.partial("f", 0, 0, x, ahead)
            after = np.clip(
                y + 0.5 * step * (pace + rate * system.partial("g", 0, 0, x, ahead) / speed), *system.slow_ends
            )
            end = system.partial("f", 0, 0, x, after)
            lands = ~((side * speed > 0.0) & (side * end > 0.0))
            # It lands where f = 0, found to first order, within what the step would be.
            here, slope = system.partial("f", 0, 0, x, y), system.partial("f", 0, 1, x, y)
            move = step * pace
            nears = (side * here > 0.0) & (side * slope * move < 0.0)
            landing = y + np.where(nears, np.sign(move) * np.minimum(np.abs(here / slope), np.abs(move)), 0.0)
            y = np.where(lands, landing, after)
            low[going], high[going] = np.minimum(low[going], y), np.maximum(high[going], y)
            pace = rate * system.partial("g", 0, 0, x, y) / end
            on = ~lands & np.isfinite(pace)
            going, x, y = going[on], x[on], y[on]
            rate, side, width, pace = rate[on], side[on], width[on], pace[on]
            if not len(going):
                break
    shape = len(_RATES), len(heights)
    return low.reshape(shape).min(axis=0), high.reshape(shape).max(axis=0)


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
                found |= _is_focus(f_x, f_y, g_x, g_y, share * rate)
    return found


def _is_focus(f_x: Values, f_y: Values, g_x: Values, g_y: Values, rate: float | Values) -> NDArray[np.bool_]:
    """Return where the Jacobian of (f, rate g) has complex eigenvalues."""
    return np.asarray((f_x - rate * g_y) ** 2 + 4.0 * rate * f_y * g_x < 0.0)
