"""The singular limit of a stable manifold where it meets the line of starts, and the first correction in slow_rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from fastslow.flow.singular_orbit import Segment, SegmentKind, SingularFlow, SingularOrbit
from fastslow.manifold.on_line import heights_of
from fastslow.manifold.special_points import SpecialPoint
from fastslow.separatrices.halves import Separatrix
from fastslow.systems.algebraic import Number, nearest_double
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, by_slow_power, rational
from fastslow.systems.system import FastSlowSystem

_BITS = 128
_INTEGRAL_BITS = 64
_ACCURACY = 2.0**-48
_NODES, _PIECES = 20, 16


@dataclass(frozen=True)
class SingularCrossing:
    """Where a stable manifold meets the line of starts in the singular limit.

    Attributes
    ----------
    y : float or None
        The slow value, None where the singular limit of the manifold does not meet the line.
    first_order : float or None
        With the correction of first order in the slow rate, None where the law is another.
    note : str
        What limits it, or why there is none.
    """

    y: float | None
    first_order: float | None
    note: str


def singular_crossing(backward: SingularFlow, half: Separatrix, order: int | None) -> SingularCrossing:
    """Return the singular limit of the `order`-th place (from 0) where a stable half meets the line of starts.

    With order None it is the saddle itself, which the slow rate does not move.

    Backward in time a stable half is, in the limit, a singular orbit of the time-reversed system: fast fibres at
    frozen y, and repelling arcs up to their folds.

    - Along the fast fibre of a saddle (x*, y*) on an attracting arc,
      y = y* - slow_rate * integral from start_fast to x* of g / f dx at y = y*, up to O(slow_rate^2).
    - Along a repelling arc, y = h - slow_rate g / f_x at (start_fast, h), up to O(slow_rate^2).
    - From a fold the distance goes like slow_rate^(2/3): no first order.

    Parameters
    ----------
    backward : SingularFlow
        The singular flow of the time-reversed system.
    half : Separatrix
        A stable half in the full system.

    References
    ----------
    Krupa and Szmolyan, SIAM J. Math. Anal. 33 (2001) 286, for the fold.
    """
    system, saddle = backward.system, half.saddle
    if order is None:
        return SingularCrossing(saddle.y, saddle.y, f"{saddle.id} is on the line of starts")
    orbit = backward.orbit(half.start)
    place = float(system.start_fast)
    met = [k for k, s in enumerate(orbit.segments) if (s.start[0] - place) * (s.end[0] - place) < 0.0]
    if order >= len(met):
        return SingularCrossing(None, None, _missed(orbit, saddle))
    k = met[order]
    segment = orbit.segments[k]
    if segment.kind is SegmentKind.SLOW:
        return _on_arc(system, segment)
    if k == 0:
        return _on_fibre(system, saddle)
    before = orbit.segments[k - 1]
    rate = "slow_rate^(2/3)"
    if before.node is not None and not before.delayed:
        return SingularCrossing(
            segment.start[1], None, f"limited by the fold {before.node.id}: its distance to the singular value is of "
            f"order {rate}, so there is no first-order term"
        )  # fmt: skip
    return SingularCrossing(segment.start[1], None, "limited by a delayed exit from an invariant line: no first order")


def _missed(orbit: SingularOrbit, saddle: SpecialPoint) -> str:
    origin = f"comes from {orbit.node.id}" if orbit.node is not None else "ends elsewhere"
    if orbit.undecided:
        origin = f"is {orbit.verdict}"
    return f"in the singular limit the stable manifold of {saddle.id} {origin} and does not meet the line of starts"


def _on_fibre(system: FastSlowSystem, saddle: SpecialPoint) -> SingularCrossing:
    """The fast fibre y = y* of the saddle. f and g vanish together at its end: both are divided by x - x*."""
    assert saddle.exact_x is not None and saddle.exact_y is not None
    drift = drift_along_fibre(system, saddle.exact_x, saddle.exact_y, system.start_fast)
    if drift is None:
        return SingularCrossing(saddle.y, None, f"{saddle.id} is a fold: no first order")
    first = saddle.y - float(system.slow_rate) * drift
    return SingularCrossing(saddle.y, first, f"on the fast fibre of {saddle.id}")


def drift_along_fibre(system: FastSlowSystem, x: Number, y: Number, start: Fraction) -> float | None:
    """Return the integral of g / f dx at frozen y from `start` to an equilibrium (x, y), None where it diverges."""
    if not isinstance(system, PolynomialSystem):
        return _drift_by_quadrature(system, nearest_double(x), nearest_double(y), float(start))
    with flint.ctx.workprec(_BITS):
        root = x.ball(_BITS)
        linear = flint.arb_poly([-root, 1])
        f, g = (divmod(_frozen(p, y.ball(_BITS)), linear)[0] for p in (system.fast_field, system.slow_field))
    with flint.ctx.workprec(_INTEGRAL_BITS):
        upper, lower = flint.acb_poly(g), flint.acb_poly(f)
        value = flint.acb.integral(
            lambda z, _: upper(z) / lower(z), rational(start), root, rel_tol=flint.arb(_ACCURACY)
        ).real
    return float(value.mid()) if value.is_finite() else None


def _drift_by_quadrature(system: FastSlowSystem, x: float, y: float, start: float) -> float | None:
    """Return the integral of g / f at frozen y where f and g vanish together at its end x, by Gauss-Legendre rules."""
    if system.partial("f", 1, 0, x, y) == 0.0:
        return None
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(start, x, _PIECES + 1)
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (edges[1:] - edges[:-1])
    at = middle[:, None] + half[:, None] * nodes
    f, g = (system.partial(of, 0, 0, at, y) for of in ("f", "g"))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.sum(half[:, None] * weights * g / f))
    return value if math.isfinite(value) else None


def _frozen(p: Polynomial, y: Any) -> Any:
    """Return x -> p(x, y) for a ball y."""
    total = flint.arb_poly([])
    for row in reversed(by_slow_power(p)):
        total = total * y + flint.arb_poly(row)
    return total


def _on_arc(system: FastSlowSystem, segment: Segment) -> SingularCrossing:
    """The repelling arc y = h(x), and the slow manifold y = h + slow_rate y_1 beside it: f_y y_1 h' = g."""
    arc, place = segment.arc, system.start_fast
    assert arc is not None
    heights = [y for y in heights_of(system, arc.curve, place) if arc.spans(y)]
    low, high = sorted((segment.start[1], segment.end[1]))
    h = next(v for v in map(nearest_double, heights) if low <= v <= high)
    f_x = float(system.partial("f", 1, 0, float(place), h))
    first = h - float(system.slow_rate) * system.g(float(place), h) / f_x
    return SingularCrossing(h, first, f"on the repelling arc {arc.id}, where the starts meet it")
