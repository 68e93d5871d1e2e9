"""The critical manifold: branches, cut at special points into arcs of one fast stability and one slow direction."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.algebraic_branch import Component, components
from fastslow.manifold.arcs import Arc, Branch, CriticalManifold, FastStability
from fastslow.manifold.certificates import critical_abscissae, rational_between, rational_inside
from fastslow.manifold.curves import Curve, Shape, irreducible_curves
from fastslow.manifold.formula_manifold import formula_manifold
from fastslow.manifold.special_points import Kind, SpecialPoint, end_point, finite_points
from fastslow.manifold.tracing import Trace, trace_graph
from fastslow.systems.algebraic import Number, Rational, RealRoot, compare, nearest_double, real_roots
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomial_system import PolynomialSystem, exactly, sign_at
from fastslow.systems.polynomials import Polynomial, at_fast, by_slow_power, evaluate, fraction, rational
from fastslow.systems.system import FastSlowSystem

_LINE_POINTS = 65

Points = NDArray[np.float64]


def critical_manifold(system: FastSlowSystem) -> CriticalManifold:
    """Return the critical manifold of a planar system, traced and certified.

    For systems of formulas see ``formula_manifold``. In polynomial systems every irreducible factor of
    f gives a branch. Special points are isolated exactly; graphs y = h(x) are traced by pseudo-arclength
    continuation and the events found on the way are matched with the exact points, both ways.

    Raises
    ------
    InputError
        If f and g vanish together on a curve, or f has no zero in the window.
    """
    if isinstance(system, FormulaSystem):
        return formula_manifold(system)
    system = exactly(system, "the critical manifold")
    curves = irreducible_curves(system)
    return _Builder(system, curves, finite_points(system, curves)).build()


class _Builder:
    def __init__(self, system: PolynomialSystem, curves: list[Curve], points: list[SpecialPoint]) -> None:
        self.system, self.curves, self.points = system, curves, points
        self.ends: list[SpecialPoint] = []
        self.unmatched: list[str] = []
        self.scale = _typical_height(points)

    def build(self) -> CriticalManifold:
        branches = []
        for number, curve in enumerate(self.curves, start=1):
            build = {
                Shape.FAST_LINE: self.fast_line,
                Shape.SLOW_LINE: self.slow_line,
                Shape.GRAPH: self.graph,
                Shape.ALGEBRAIC: self.algebraic,
            }
            branches.append(Branch(f"B{number}", curve, tuple(build[curve.shape](curve, f"B{number}"))))
        return CriticalManifold(
            self.system, tuple(branches), (*self.points, *self.ends), not self.unmatched, tuple(self.unmatched)
        )

    def on(self, curve: Curve) -> list[SpecialPoint]:
        return [point for point in self.points if curve in point.curves]

    def end(self, kind: Kind, x: float, y: float, curve: Curve, exact_x: Number | None) -> SpecialPoint:
        number = sum(point.kind is kind for point in self.ends) + 1
        point = end_point(kind, number, x, y, curve, exact_x)
        self.ends.append(point)
        return point

    # Lines need no continuation -----------------------------------------------------------------

    def fast_line(self, curve: Curve, branch: str) -> list[Arc]:
        assert isinstance(curve.position, RealRoot)
        position, x = curve.position, nearest_double(curve.position)
        inner = sorted(self.on(curve), key=lambda p: p.y)
        nodes = [
            self.end(Kind.INFINITY, x, -math.inf, curve, position),
            *inner,
            self.end(Kind.INFINITY, x, math.inf, curve, position),
        ]
        arcs = []
        for i, (a, b) in enumerate(itertools.pairwise(nodes), start=1):
            sample = Rational(rational_inside(a.exact_y, b.exact_y))
            stability, slow = self.signs(curve, position, sample)
            low = a.y if math.isfinite(a.y) else min(b.y if math.isfinite(b.y) else 0.0, 0.0) - 1e8 * self.scale
            high = b.y if math.isfinite(b.y) else max(a.y if math.isfinite(a.y) else 0.0, 0.0) + 1e8 * self.scale
            y = self.scale * np.sinh(
                np.linspace(math.asinh(low / self.scale), math.asinh(high / self.scale), _LINE_POINTS)
            )
            y[0], y[-1] = low, high
            arcs.append(Arc(f"{branch}.{i}", curve, a, b, stability, slow, 1, np.full(_LINE_POINTS, x), y))
        return arcs

    def slow_line(self, curve: Curve, branch: str) -> list[Arc]:
        assert curve.position is not None
        y = nearest_double(curve.position)
        nodes = sorted(self.on(curve), key=lambda p: p.x)
        edges = [(self.system.lower, 0), (self.system.upper, len(nodes) + 1)]
        for edge, place in edges:
            exact = Rational(edge)
            if not any(compare(_fast(p), exact) == 0 for p in nodes):
                point = SpecialPoint(
                    f"W{sum(p.kind is Kind.BOUNDARY for p in self.ends) + 1}",
                    Kind.BOUNDARY,
                    float(edge),
                    y,
                    (curve,),
                    exact_x=exact,
                    exact_y=curve.position,
                )
                self.ends.append(point)
                nodes.insert(place, point)
        arcs = []
        for i, (a, b) in enumerate(itertools.pairwise(nodes), start=1):
            x = np.linspace(a.x, b.x, _LINE_POINTS)
            arcs.append(Arc(f"{branch}.{i}", curve, a, b, FastStability.NEUTRAL, 0, 0, x, np.full(_LINE_POINTS, y)))
        return arcs

    # Graphs are traced ---------------------------------------------------------------------------

    def graph(self, curve: Curve, branch: str) -> list[Arc]:
        rows = by_slow_power(curve.polynomial)
        poles = critical_abscissae(curve.polynomial, self.system.lower, self.system.upper)
        edges: list[Number] = [Rational(self.system.lower), *poles, Rational(self.system.upper)]
        arcs: list[Arc] = []
        inside = sorted(self.on(curve), key=lambda p: p.x)
        for left, right in itertools.pairwise(edges):
            if compare(left, right) == 0:
                continue
            nodes = [p for p in inside if compare(left, _fast(p)) <= 0 and compare(_fast(p), right) <= 0]
            nodes = self.with_ends(curve, rows, nodes, left, right, poles)
            trace = trace_graph(self.system, curve, nodes, self.others(curve), self.scale)
            self.unmatched += trace.unmatched
            arcs += self.arcs_of(curve, branch, rows, nodes, trace, len(arcs) + 1)
        return arcs

    def others(self, curve: Curve) -> list[Polynomial]:
        """Polynomials whose zeros on a traced curve are special points: g and the other curves."""
        found = [self.system.slow_field]
        for other in self.curves:
            if other is not curve and other.polynomial not in found:
                found.append(other.polynomial)
        return found

    def with_ends(
        self,
        curve: Curve,
        rows: list[flint.fmpq_poly],
        nodes: list[SpecialPoint],
        left: Number,
        right: Number,
        poles: list[RealRoot],
    ) -> list[SpecialPoint]:
        """Add infinity at poles, and points on the window's edge where no special point is."""
        nodes = list(nodes)
        for edge, side in ((left, 1), (right, -1)):
            if any(edge is pole for pole in poles):
                sign = _side_of_pole(rows, edge, side)
                point = self.end(Kind.INFINITY, nearest_double(edge), sign * math.inf, curve, edge)
            elif not any(compare(_fast(p), edge) == 0 for p in nodes):
                value = edge.exact  # type: ignore[attr-defined]
                height = -fraction(rows[0](rational(value))) / fraction(rows[1](rational(value)))
                point = SpecialPoint(
                    f"W{sum(p.kind is Kind.BOUNDARY for p in self.ends) + 1}",
                    Kind.BOUNDARY,
                    float(value),
                    float(height),
                    (curve,),
                    exact_x=edge,
                    exact_y=Rational(height),
                )
                self.ends.append(point)
            else:
                continue
            nodes.insert(0 if side > 0 else len(nodes), point)
        return nodes

    def arcs_of(
        self,
        curve: Curve,
        branch: str,
        rows: list[flint.fmpq_poly],
        nodes: list[SpecialPoint],
        trace: Trace,
        first: int,
    ) -> list[Arc]:
        arcs = []
        for number, (a, b) in enumerate(itertools.pairwise(nodes), start=first):
            x = rational_between(_fast(a), _fast(b))
            y = -fraction(rows[0](rational(x))) / fraction(rows[1](rational(x)))
            stability, slow = self.signs(curve, Rational(x), Rational(y))
            p = curve.polynomial
            slope = -fraction(p.derivative(0)(rational(x), rational(y))) / fraction(rows[1](rational(x)))
            rise = 1 if slope > 0 else -1
            xs, ys = trace.between(a, b)
            arcs.append(Arc(f"{branch}.{number}", curve, a, b, stability, slow * rise, rise, xs, ys))
        return arcs

    # Other algebraic curves are traced from a start in each cell -------------------------------------

    def algebraic(self, curve: Curve, branch: str) -> list[Arc]:
        found, lost = components(self.system, curve, self.on(curve), self.scale)
        self.unmatched += lost
        arcs: list[Arc] = []
        for part in found:
            nodes = list(part.nodes)
            if part.closed and nodes:
                nodes.append((nodes[0][0] + len(part.x) - 1, nodes[0][1]))
            elif not part.closed:
                nodes = self.with_open_ends(curve, part, nodes)
            x, y = (np.concatenate((v, v[1:])) for v in (part.x, part.y)) if part.closed else (part.x, part.y)
            for (i, a), (j, b) in itertools.pairwise(nodes):
                inside = slice(math.floor(i) + 1, math.ceil(j))
                xs, ys = x[inside], y[inside]
                for node, place in ((a, 0), (b, len(xs) + 1)):
                    if math.isfinite(node.y):
                        xs, ys = np.insert(xs, min(place, len(xs)), node.x), np.insert(ys, min(place, len(ys)), node.y)
                arcs.append(self.algebraic_arc(f"{branch}.{len(arcs) + 1}", curve, a, b, xs, ys))
        return arcs

    def with_open_ends(
        self, curve: Curve, part: Component, nodes: list[tuple[float, SpecialPoint]]
    ) -> list[tuple[float, SpecialPoint]]:
        """Add the window's edge or infinity where an open component ends at no special point."""
        last = len(part.x) - 1
        for place in (0, last):
            if any(abs(at - place) < 1e-6 for at, _ in nodes):
                continue
            x, y = float(part.x[place]), float(part.y[place])
            edge = next((e for e in (self.system.lower, self.system.upper) if float(e) == x), None)
            if edge is None:
                poles = critical_abscissae(curve.polynomial, self.system.lower, self.system.upper)
                pole = min(poles, key=lambda p: abs(nearest_double(p) - x), default=Rational(Fraction(x)))
                point = self.end(Kind.INFINITY, nearest_double(pole), math.copysign(math.inf, y), curve, pole)
            else:
                number = sum(p.kind is Kind.BOUNDARY for p in self.ends) + 1
                # isolated with multiplicity: the tangent may be vertical there
                heights = real_roots(at_fast(curve.polynomial, rational(edge)))
                height = min(heights, key=lambda v: abs(nearest_double(v) - y))
                point = SpecialPoint(
                    f"W{number}", Kind.BOUNDARY, x, y, (curve,), exact_x=Rational(edge), exact_y=height
                )
                self.ends.append(point)
            nodes.append((float(place), point))
        return sorted(nodes, key=lambda pair: pair[0])

    def algebraic_arc(self, name: str, curve: Curve, a: SpecialPoint, b: SpecialPoint, x: Points, y: Points) -> Arc:
        """Return an arc with the signs of f_x and g where f_x is largest: they do not change along it."""
        (f_x, _), _ = self.system.jacobian(x, y)
        k = int(np.argmax(np.abs(f_x)))
        stability = FastStability.REPELLING if f_x[k] > 0 else FastStability.ATTRACTING
        g = [self.system.g(float(u), float(v)) for u, v in zip(x, y, strict=True)]
        largest = max(g, key=abs)
        rise = 1 if b.y > a.y else -1
        if curve.repeated:
            stability = FastStability.NEUTRAL
        return Arc(name, curve, a, b, stability, rise * (1 if largest > 0 else -1), rise, x, y)

    def signs(self, curve: Curve, x: RealRoot, y: RealRoot) -> tuple[FastStability, int]:
        """Return fast stability and the sign of g at a point of `curve` that is not special: exact, or enclosures."""
        if curve.repeated:
            return FastStability.NEUTRAL, sign_at(self.system.slow_field, x, y)
        f_x = self.system.fast_field.derivative(0)
        stability = {1: FastStability.REPELLING, -1: FastStability.ATTRACTING, 0: FastStability.NEUTRAL}
        return stability[sign_at(f_x, x, y)], sign_at(self.system.slow_field, x, y)


def _fast(point: SpecialPoint) -> Number:
    assert point.exact_x is not None
    return point.exact_x


def _side_of_pole(rows: list[flint.fmpq_poly], pole: Number, side: int) -> int:
    """Return the sign of h = -p_0 / p_1 next to a pole, on its right (side 1) or left (-1).

    Next to the pole p_0 keeps its sign there and p_1 the sign of its first derivative that does not vanish.
    """
    with flint.ctx.workprec(1024):
        x = pole.ball(1024)
        above = evaluate(rows[0], x)
        slope, order = rows[1].derivative(), 1
        while evaluate(slope, x).contains(0):
            slope, order = slope.derivative(), order + 1
        below = evaluate(slope, x)
        sign = (1 if above > 0 else -1) * (1 if below > 0 else -1) * (side if order % 2 else 1)
    return -sign


def _typical_height(points: list[SpecialPoint]) -> float:
    """Return a scale of the slow variable: the median of |y| over the special points that are not at zero."""
    heights = sorted(abs(point.y) for point in points if point.y != 0)
    return heights[len(heights) // 2] if heights else 1.0
