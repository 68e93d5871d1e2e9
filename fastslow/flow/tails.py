"""Regions from which the end of a trajectory is proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.curves import CURVED, Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import nearest_double, real_roots
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Univariate, by_slow_power, fraction, rational
from fastslow.systems.system import FastSlowSystem

_BEYOND = 1e300
"""Stands for infinity in the arrays of the kernel."""


@dataclass(frozen=True)
class Tail:
    """The region beside an attracting arc y = h(x), up to its end, that no solution leaves.

    Let y = G(x) be the curve g = 0, let h and G be monotone in the same direction for x between the end and
    `last`, with no special point in between, and let g fall with y: so G is on the side of h on which the field
    points towards x_end. On h the field is slow and points along the arc, on G it is fast
    and points towards x_end, between them it does both: a solution between them stays, and as it is
    monotone it goes to the end, an equilibrium or infinity.
    """

    x_end: float
    side: float
    last: float
    sign: float
    y_last: float
    y_end: float
    node: SpecialPoint

    def holds(self, system: FastSlowSystem, x: float, y: float) -> bool:
        """Whether a state is strictly inside the region."""
        if not (self.side * self.x_end < self.side * x < self.side * self.last):
            return False
        if not (self.sign * self.y_last < self.sign * y < self.sign * self.y_end):
            return False
        return self.side * system.f(x, y) < 0.0 < self.sign * system.g(x, y)


def tails_of(manifold: CriticalManifold) -> list[Tail]:
    """Return the regions of all attracting arcs that end at an equilibrium or at infinity.

    The proof needs that no other curve of f = 0 comes between h and G, so there are none where the manifold
    has more than one curve that is not a line.
    """
    system = manifold.system
    if not isinstance(system, PolynomialSystem):
        return []
    curved = [b for b in manifold.branches if b.curve.shape in CURVED]
    g = by_slow_power(system.slow_field)
    arcs = [arc for arc in manifold.arcs if _may_have_one(arc)]
    if len(curved) != 1 or len(g) != 2 or not arcs:
        return []
    # G = -g_0 / g_1 must be regular and monotone between the end and `last`.
    turn = g[0] * g[1].derivative() - g[0].derivative() * g[1]
    roots = [root for p in (g[1], turn) if p.degree() > 0 for root in real_roots(p, system.lower, system.upper)]
    stops = [nearest_double(root) for root in roots]
    return [tail for arc in arcs if (tail := _tail_of(arc, g[1], turn, stops)) is not None]


def _may_have_one(arc: Arc) -> bool:
    node = arc.target
    ends_here = node.kind is Kind.INFINITY or node.is_a(Kind.EQUILIBRIUM)
    return arc.curve.shape is Shape.GRAPH and arc.flow != 0 and ends_here and arc.stability is FastStability.ATTRACTING


def _tail_of(arc: Arc, slope_of_g: Univariate, turn: Univariate, stops: Sequence[float]) -> Tail | None:
    """Return the region along an attracting arc of a graph to its end, None where there is none."""
    node = arc.target
    last, side = arc.other_end(node).x, 1.0 if arc.other_end(node).x > node.x else -1.0
    for x in stops:
        if side * (x - node.x) > 1e-12 and side * (last - x) > 0:
            last = x
    middle = rational(Fraction(0.5 * (node.x + last)))
    sign = float(arc.rise * arc.flow)
    if side * sign * fraction(turn(middle)) >= 0:
        return None  # G falls where h rises
    if fraction(slope_of_g(middle)) >= 0:
        return None  # G is on the other side of h
    if last == arc.other_end(node).x:
        y_last = arc.other_end(node).y
    else:
        constant, slope = (p(rational(Fraction(last))) for p in by_slow_power(arc.curve.polynomial))
        y_last = float(-fraction(constant) / fraction(slope))
    low, high = (max(-_BEYOND, min(_BEYOND, y)) for y in (y_last, node.y))
    return Tail(node.x, side, last, sign, low, high, node)
