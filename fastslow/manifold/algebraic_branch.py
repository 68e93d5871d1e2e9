"""Components of a smooth algebraic curve p(x, y) = 0 of degree two or more in y, cut at their special points.

Between neighbouring roots of the discriminant and of the leading coefficient in y the curve is a fixed
number of disjoint graphs. A start on each of them, isolated exactly, meets every component: isolas too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_curve
from fastslow.errors import InputError
from fastslow.manifold.certificates import critical_abscissae, rational_between
from fastslow.manifold.continuation import ContinuationOptions, TracedCurve, trace_curve
from fastslow.manifold.curves import Curve
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import Ball, Number, Rational, compare, nearest_double, real_roots
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, at_fast, dense, enclose, packed, rational

_FAR = 1e8
_OPTIONS = ContinuationOptions(max_step=0.005)
_BRANCHES_OF_A_NODE = 2
_PASSES = 0.1
"""A curve passes a crossing where the polygon is nearer to it than this part of a step."""
_BITS = 1024


@dataclass(frozen=True, eq=False)
class Component:
    """A traced component: points in order, and the special points on it with their places in that order.

    `closed` components begin and end at the same special point.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    nodes: tuple[tuple[float, SpecialPoint], ...]
    closed: bool


def components(
    system: PolynomialSystem, curve: Curve, points: list[SpecialPoint], scale: float
) -> tuple[list[Component], list[str]]:
    """Trace every component of a curve in the window.

    Parameters
    ----------
    system : PolynomialSystem
        Gives the window.
    curve : Curve
        Of degree two or more in the slow variable.
    points : list of SpecialPoint
        The special points on the curve.
    scale : float
        Typical size of the slow variable.

    Returns
    -------
    components : list of Component
    lost : list of str
        What the traced curves did not pass exactly once, in words; empty where they are proved to be all.

    Raises
    ------
    InputError
        If the curve has a singular point in the window that is no simple crossing, or is not followed to an end.
    """
    tracer = _Tracer(system, curve, points, scale)
    found: list[TracedCurve] = []
    for x, heights in tracer.cells():
        for i, y in enumerate(heights):
            if i not in {k for traced in found for k in tracer.met(x, heights, traced)}:
                found.append(tracer.trace((x, tracer.to_chart(y))))
    lost = [
        f"{curve.equation}: {len(heights)} sheets at x = {x:.6g}, {len(seen)} traced"
        for x, heights in tracer.cells()
        if sorted(seen := [k for traced in found for k in tracer.met(x, heights, traced)]) != list(range(len(heights)))
    ]
    parts, missed = tracer.split(found)
    return parts, lost + missed


class _Tracer:
    def __init__(self, system: PolynomialSystem, curve: Curve, points: list[SpecialPoint], scale: float) -> None:
        self.system, self.curve, self.points, self.scale = system, curve, points, scale
        p: Polynomial = curve.polynomial
        self.nodes = [point for point in points if point.is_a(Kind.CROSSING) and _is_singular(p, point)]
        for node in self.nodes:
            _check_node(curve, node)
        heights = [abs(point.y) / scale for point in points]
        self.reach = math.asinh(max([_FAR, *(100 * h for h in heights)]))
        self.lower, self.upper = float(system.lower), float(system.upper)
        self.unit = np.array([self.upper - self.lower, 10.0])
        self.parameters = np.concatenate([np.array([scale, 0.0]), packed(p)])
        self.coefficients = dense(p)

    def cells(self) -> list[tuple[float, list[float]]]:
        """Return an x in each cell and the y of the curve there, isolated exactly."""
        p, system = self.curve.polynomial, self.system
        cuts: list[Number] = [
            Rational(system.lower),
            *critical_abscissae(p, system.lower, system.upper),
            Rational(system.upper),
        ]
        result = []
        for a, b in pairwise(cuts):
            if compare(a, b) != 0:
                x = rational_between(a, b)
                result.append((float(x), [nearest_double(y) for y in real_roots(at_fast(p, rational(x)))]))
        return result

    def met(self, x: float, heights: list[float], traced: TracedCurve) -> list[int]:
        """Return which of the heights at x a traced curve passes, by Newton's method in y from the polygon."""
        u, v = traced.points[:, 0], traced.points[:, 1]
        before = np.flatnonzero((u[:-1] <= x) != (u[1:] <= x))
        indices = []
        for i in before:
            guess = v[i] + (x - u[i]) / (u[i + 1] - u[i]) * (v[i + 1] - v[i])
            y = self.corrected(x, self.scale * math.sinh(guess))
            indices.append(min(range(len(heights)), key=lambda k: abs(heights[k] - y)) if heights else -1)
        return indices

    def corrected(self, x: float, y: float) -> float:
        for _ in range(50):
            value, slope = _evaluate(self.coefficients, x, y)
            if slope == 0.0:
                break
            y, last = y - value / slope, y
            if abs(y - last) <= 1e-14 * abs(y):
                break
        return y

    def to_chart(self, y: float) -> float:
        return math.asinh(y / self.scale)

    def trace(self, start: tuple[float, float]) -> TracedCurve:
        traced = trace_curve(
            polynomial_curve,
            self.parameters,
            np.array(start),
            lower=np.array([self.lower, -self.reach]),
            upper=np.array([self.upper, self.reach]),
            scales=self.unit,
            options=_OPTIONS,
        )
        if not traced.converged or any(reason not in ("window", "closed") for reason in traced.stop_reasons):
            raise InputError("factors", self.curve.equation, traced.status_sentence, "Narrow the window")
        return traced

    def place(self, at: tuple[float, float], traced: TracedCurve) -> tuple[float, float]:
        """Return (index, with a fraction, of the nearest place on the polygon; distance to it in scaled variables)."""
        points, target = traced.points / self.unit, np.array(at) / self.unit
        a, d = points[:-1], np.diff(points, axis=0)
        length = np.maximum(np.einsum("ij,ij->i", d, d), 1e-300)
        s = np.clip(np.einsum("ij,ij->i", target - a, d) / length, 0.0, 1.0)
        distance = np.linalg.norm(a + s[:, None] * d - target, axis=1)
        i = int(np.argmin(distance))
        return i + float(s[i]), float(distance[i])

    def passes(self, at: tuple[float, float], traced: TracedCurve) -> list[float]:
        """Return where a traced curve passes a crossing: the places where it is nearest, within a part of a step."""
        points, target = traced.points / self.unit, np.array(at) / self.unit
        a, d = points[:-1], np.diff(points, axis=0)
        length = np.maximum(np.einsum("ij,ij->i", d, d), 1e-300)
        s = np.clip(np.einsum("ij,ij->i", target - a, d) / length, 0.0, 1.0)
        distance = np.linalg.norm(a + s[:, None] * d - target, axis=1)
        around = np.concatenate(([distance[-1] if traced.closed else np.inf], distance, [np.inf]))
        if traced.closed:
            around[-1] = distance[0]
        near = (distance < around[:-2]) & (distance <= around[2:]) & (distance < _PASSES * np.sqrt(length))
        return [float(i + s[i]) for i in np.flatnonzero(near)]

    def split(self, found: list[TracedCurve]) -> tuple[list[Component], list[str]]:
        """Return the components with the special points that lie on each, every point on the nearest.

        A crossing lies on both its branches; whichever of them the continuation took there, arcs end at it.
        """
        nodes: list[list[tuple[float, SpecialPoint]]] = [[] for _ in found]
        for point in self.nodes:
            for i, traced in enumerate(found):
                nodes[i] += [(place, point) for place in self.passes((point.x, self.to_chart(point.y)), traced)]
        for point in self.points:
            if point in self.nodes:
                continue
            places = [self.place((point.x, self.to_chart(point.y)), traced) for traced in found]
            if places:
                i = min(range(len(found)), key=lambda k: places[k][1])
                nodes[i].append((places[i][0], point))
        passes = [sum(other is point for own in nodes for _, other in own) for point in self.nodes]
        lost = [
            f"{self.curve.equation}: {point.id} is a crossing of two branches, of which {count} were traced"
            for point, count in zip(self.nodes, passes, strict=True)
            if count != _BRANCHES_OF_A_NODE
        ]
        parts = [
            Component(
                traced.points[:, 0],
                self.scale * np.sinh(traced.points[:, 1]),
                tuple(sorted(own, key=lambda pair: pair[0])),
                traced.closed,
            )
            for traced, own in zip(found, nodes, strict=True)
        ]
        return parts, lost


def _evaluate(coefficients: NDArray[np.float64], x: float, y: float) -> tuple[float, float]:
    """Return (p, p_y) at a point."""
    along = np.polynomial.polynomial.polyval(x, coefficients)
    return (
        float(np.polynomial.polynomial.polyval(y, along)),
        float(np.polynomial.polynomial.polyval(y, np.polynomial.polynomial.polyder(along))),
    )


def _is_singular(p: Polynomial, point: SpecialPoint) -> bool:
    """Whether both slopes of p are zero at a crossing on p = 0, as far as digits tell."""
    return all(_at(p.derivative(k), point).contains(0) for k in (0, 1))


def _check_node(curve: Curve, point: SpecialPoint) -> None:
    """Refuse a singular point that is no crossing of two branches: the Hessian must be indefinite."""
    p = curve.polynomial
    xx, xy, yy = (_at(p.derivative(i).derivative(j), point) for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = xx * yy - xy * xy
    if determinant < 0:
        return
    what = "an isolated point" if determinant > 0 else "a singular point that is no simple crossing"
    raise InputError(
        "factors",
        curve.equation,
        f"has {what} at ({point.x:.6g}, {point.y:.6g})",
        "Change a coefficient a little, or move the window",
    )


def _at(p: Polynomial, point: SpecialPoint) -> Ball:
    assert point.exact_x is not None
    assert point.exact_y is not None
    with flint.ctx.workprec(_BITS):
        return enclose(p, point.exact_x.ball(_BITS), point.exact_y.ball(_BITS))
