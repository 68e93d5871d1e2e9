"""The maximal canard: the parameter at which the attracting slow manifold continues as the repelling one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from fastslow.bifurcation.canard_series import CanardSeries, canard_series
from fastslow.bifurcation.diagrams import BifurcationPoint
from fastslow.errors import FastSlowError, InputError
from fastslow.systems.families import Family
from fastslow.systems.system import FastSlowSystem

_RTOL = 1e-13
_STEPS = 400
"""Steps along the critical manifold in which its arcs on both sides of the fold are followed."""
_SHARES = (0.5, 0.7)
"""How far out on the arcs the two runs start whose difference is the error estimate."""
_LEAST_CONTRACTION = 40.0
"""exp(-40) = 4e-18: from there on the slow manifold forgets where on it a solution started."""
_WIDENINGS = 30
_ORDERS = 6


@dataclass(frozen=True)
class MaximalCanard:
    """The maximal canard of a canard point at the slow rate of a family.

    Attributes
    ----------
    parameter : float
        Where the two slow manifolds meet on the section through the fold.
    error : float
        Difference to the value from other start points, and at least the tolerance of the root-finder.
    series : CanardSeries
        The asymptotic series; the start of the search.
    slow_rate : float
    """

    parameter: float
    error: float
    series: CanardSeries
    slow_rate: float


def maximal_canard(family: Family, point: BifurcationPoint) -> MaximalCanard:
    """Return the parameter of the maximal canard, by matching slow manifolds on the section x = x_fold.

    A solution from the attracting arc runs forward to the section, one from the repelling arc backward; where they
    arrive at the same y, the two slow manifolds are one. Solutions from anywhere on an arc come within exp(-K) of its
    slow manifold, with K = integral |f_x| dt along it.

    Parameters
    ----------
    family : Family
        In one parameter that is not the slow rate, whose members have the wanted slow rate.
    point : BifurcationPoint
        A canard point of it, from ``continued(family, axis)``.

    Raises
    ------
    InputError
        If the point is no simple canard point, or no slow passage leads through it from attracting to repelling.
    FastSlowError
        If the slow rate is too large: the slow manifolds are not defined well enough, or do not reach the section.
    """
    if len(family.names) != 1 or len(point.parameters) != 1:
        raise InputError("family", family.names, "must be in one parameter", "Build it with family_of(model, name)")
    centre = family.at(Fraction(point.parameters[0]))
    rate = float(centre.slow_rate)
    sides = _passage(centre, point)
    series = canard_series(family, point, _ORDERS)
    arcs = {side: _arc(centre, series, side) for side in sides}
    guess, spread = _guess(series, rate)
    found = [_root(partial(_mismatch, family, series, sides, arcs, share), guess, spread) for share in _SHARES]
    error = max(abs(found[0] - found[1]), 4.0 * np.finfo(float).eps * max(1.0, abs(found[0])))
    return MaximalCanard(found[0], error, series, rate)


def _guess(series: CanardSeries, rate: float) -> tuple[float, float]:
    """Return the sum of the series to its smallest term, and the size of that term."""
    terms = [abs(c) * rate**k for k, c in enumerate(series.coefficients)][1:]
    last = 1 + int(np.argmin(terms))
    return series.at(rate, last), max(terms[last - 1], 1e-12 * max(1.0, abs(series.coefficients[0])))


def _passage(system: FastSlowSystem, point: BifurcationPoint) -> tuple[int, int]:
    """Return the sides in x of the fold of the attracting and of the repelling arc that the passage joins."""
    bend = float(system.partial("f", 2, 0, point.x, point.y))
    across = float(system.partial("f", 0, 1, point.x, point.y))
    push = float(system.partial("g", 1, 0, point.x, point.y))
    # On f = 0 near the fold y ~ -f_xx xi^2 / (2 f_y), so that x' has the sign of -f_y g_x f_xx on both sides.
    direction = -across * push * bend
    attracting = -1 if bend > 0 else 1
    if not direction * attracting < 0:
        rule = "is passed by the slow flow from the repelling to the attracting arc (a faux canard)"
        raise InputError("point", (point.x, point.y), rule, "Take a canard point that is passed the other way")
    return attracting, -attracting


def _arc(system: FastSlowSystem, series: CanardSeries, side: int) -> list[tuple[float, float]]:
    """Return points of the critical manifold on one side of the fold, as far as stability and slow flow stay."""
    edge = float(system.upper if side > 0 else system.lower)
    step = (edge - series.x) / _STEPS
    if step * side <= 0.0:
        raise InputError("point", series.x, "is on the edge of the window", "Widen the window")
    x, y, signs = series.x, series.y, (0.0, 0.0)
    points: list[tuple[float, float]] = []
    for _ in range(_STEPS):
        slope = float(system.partial("f", 1, 0, x, y)), float(system.partial("f", 0, 1, x, y))
        before = y
        x += step
        y -= step * slope[0] / slope[1]
        for _ in range(8):
            y -= system.f(x, y) / float(system.partial("f", 0, 1, x, y))
        along = float(system.partial("f", 1, 0, x, y))
        now = (math.copysign(1.0, along), math.copysign(1.0, system.g(x, y)))
        reach = abs(edge - series.x) * max(1.0, abs(slope[0] / slope[1]))
        if not (math.isfinite(y) and abs(y - before) < 0.2 * reach) or (points and now != signs):
            break
        signs = now
        points.append((x, y))
    if len(points) < 2:
        raise InputError(
            "point", (series.x, series.y), "has no arc of the critical manifold beside it", "Widen the window"
        )
    return points


def _mismatch(
    family: Family,
    series: CanardSeries,
    sides: tuple[int, int],
    arcs: dict[int, list[tuple[float, float]]],
    share: float,
    value: float,
) -> float:
    """Return y on the section of the attracting slow manifold minus that of the repelling one."""
    system = family.at(Fraction(value))
    heights = []
    for side, direction in zip(sides, (1.0, -1.0), strict=True):
        points = arcs[side][: max(2, int(share * len(arcs[side])))]
        contraction = _contraction(system, points)
        if contraction < _LEAST_CONTRACTION:
            text = f"the slow manifold forgets its start only by exp(-{contraction:.3g}); lower the slow rate"
            raise FastSlowError(f"slow_rate = {float(system.slow_rate):g}: {text}.")
        heights.append(_height_at(system, points[-1], series.x, direction))
    return heights[0] - heights[1]


def _contraction(system: FastSlowSystem, points: list[tuple[float, float]]) -> float:
    """Return the integral of |f_x| dt along an arc, with dt = dy / (slow_rate g)."""
    x, y = np.array(points).T
    rate = np.abs(system.partial("f", 1, 0, x, y))
    speed = np.abs(float(system.slow_rate) * system.partial("g", 0, 0, x, y))
    weight = rate / np.maximum(speed, 1e-300)
    return float(np.sum(0.5 * (weight[1:] + weight[:-1]) * np.abs(np.diff(y))))


def _height_at(system: FastSlowSystem, start: tuple[float, float], x: float, direction: float) -> float:
    """Return y where the solution from a start first meets the line x."""
    from fastslow.core.polynomial import polynomial_field
    from fastslow.ode.event_sets import section
    from fastslow.ode.integrate import integrate
    from fastslow.ode.solution import Limits

    chart = system.chart_of(Fraction(x))
    if chart is None:
        raise InputError("point", x, "lies on an invariant line, which no canard crosses", "Take another point")
    field = system.field_parameters(chart, direction)
    crossing = section(field, x, terminal=(True, False))
    end = 1e4 / float(system.slow_rate)
    solution = integrate(
        polynomial_field, field, chart.to_state(*start), (0.0, end),
        rtol=_RTOL, atol=1e-15, output="final", events=crossing, limits=Limits(max_steps=200_000),
    )  # fmt: skip
    hits = [hit for hit in solution.events if hit.index == 0]
    if not hits:
        raise FastSlowError(f"A slow manifold does not reach the section x = {x:.9g}: {solution.sentence}")
    return float(chart.from_state(hits[0].state)[1])


def _root(mismatch: Callable[[float], float], guess: float, spread: float) -> float:
    """Return the zero of the mismatch next to a guess, from an interval that is widened until it holds it."""
    from scipy.optimize import brentq

    low = high = guess
    below = above = mismatch(guess)
    for _ in range(_WIDENINGS):
        if below * above <= 0.0 and low < high:
            return float(brentq(mismatch, low, high, xtol=1e-16, rtol=4.0 * np.finfo(float).eps, maxiter=100))
        low, high = guess - spread, guess + spread
        below, above = mismatch(low), mismatch(high)
        spread *= 2.0
    raise FastSlowError(f"No maximal canard was found near {guess:.9g}.")
