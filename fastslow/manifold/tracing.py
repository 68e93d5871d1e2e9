"""Graphs y = h(x) traced by continuation, and their events matched with the exact special points, both ways."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import polynomial_curve
from fastslow.manifold.certificates import rational_between
from fastslow.manifold.continuation import ContinuationOptions, CurveEvent, TracedCurve, trace_curve
from fastslow.manifold.curves import Curve
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, by_slow_power, exact_sign, fraction, packed, rational

_FAR = 1e8
"""How far a branch is followed towards infinity, in units of its typical height."""
_MATCH = 1e-9
"""Largest distance between a located event and its certificate, relative to the window."""
_TOO_CLOSE = 1e-6
"""Distance to a neighbour below which a trace in doubles may not separate special points."""
_OPTIONS = ContinuationOptions(max_step=0.008)


@dataclass(frozen=True, eq=False)
class Trace:
    """Points of one component of a graph in order of x, and what could not be matched."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    unmatched: tuple[str, ...] = ()
    located: dict[str, float] = field(default_factory=dict)

    def between(self, a: SpecialPoint, b: SpecialPoint) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points strictly between two special points, with their exact places where these are finite."""
        inside = (self.x > a.x) & (self.x < b.x)
        x, y = self.x[inside], self.y[inside]
        if math.isfinite(a.y):
            x, y = np.insert(x, 0, a.x), np.insert(y, 0, a.y)
        if math.isfinite(b.y):
            x, y = np.append(x, b.x), np.append(y, b.y)
        return x, y


def trace_graph(
    system: PolynomialSystem,
    curve: Curve,
    nodes: list[SpecialPoint],
    others: list[Polynomial],
    scale: float,
) -> Trace:
    """Trace the component of a graph p_0(x) + p_1(x) y = 0 between the first and the last of `nodes`.

    The continuation runs in (x, asinh(y / scale)), so that a branch is followed towards a pole to
    |y| ~ 1e8 in a few steps and nothing depends on the size of y.

    Parameters
    ----------
    nodes : list of SpecialPoint
        All special points of the component in order of x, its ends included.
    others : list of Polynomial
        Polynomials whose zeros on the curve are equilibria (the first) and crossings.
    scale : float
        Typical size of the slow variable.
    """
    parameters = np.concatenate(
        [np.array([scale, float(len(others))]), packed(curve.polynomial), *(packed(q) for q in others)]
    )
    tracer = _Tracer(system, curve, parameters, others, scale, nodes)
    traced = tracer.trace(tracer.start_between(nodes[0], nodes[1]), tracer.lower, tracer.upper)
    if not traced.converged:
        return Trace(np.empty(0), np.empty(0), (f"{curve.equation}: {traced.status_sentence}",))
    order = np.argsort(traced.points[:, 0], kind="stable")
    x, y = traced.points[order, 0], scale * np.sinh(traced.points[order, 1])
    located, unmatched = tracer.match(traced)
    return Trace(x, y, tuple(unmatched), located)


class _Tracer:
    def __init__(
        self,
        system: PolynomialSystem,
        curve: Curve,
        parameters: NDArray[np.float64],
        others: list[Polynomial],
        scale: float,
        nodes: list[SpecialPoint],
    ) -> None:
        self.curve, self.parameters, self.scale, self.nodes = curve, parameters, scale, nodes
        self.rows = by_slow_power(curve.polynomial)
        self.lower, self.upper = float(system.lower), float(system.upper)
        self.tests = others
        self.test_names = ("equilibrium", *(f"crossing {k}" for k in range(1, len(others))))
        heights = [abs(node.y) for node in nodes if math.isfinite(node.y)]
        self.reach = math.asinh(max([_FAR, *(100.0 * h / scale for h in heights)]))

    def start_between(self, a: SpecialPoint, b: SpecialPoint) -> tuple[float, float]:
        assert a.exact_x is not None and b.exact_x is not None
        x = rational_between(a.exact_x, b.exact_x)
        return float(x), math.asinh(float(self.exact_height(x)) / self.scale)

    def trace(self, start: tuple[float, float], low: float, high: float) -> TracedCurve:
        return trace_curve(
            polynomial_curve,
            self.parameters,
            np.array(start),
            lower=np.array([low, -self.reach]),
            upper=np.array([high, self.reach]),
            scales=np.array([high - low, 10.0]),
            fold_coordinates=(1,),
            test_names=self.test_names,
            options=_OPTIONS,
        )

    def match(self, traced: TracedCurve) -> tuple[dict[str, float], list[str]]:
        """Pair events with certificates; look again, closely, for a certificate that the first trace did not meet."""
        located: dict[str, float] = {}
        left_over = []
        for event in traced.events:
            node = self.certificate_of(event, traced)
            if node is not None:
                located[f"{node.id} {_kind(event)}"] = float(event.point[0])
            elif not self.is_rounding(event, traced):
                left_over.append(
                    f"{event.kind} at x = {event.point[0]:.12g} on {self.curve.equation} has no certificate"
                )
        for i, node in enumerate(self.nodes[1:-1], start=1):
            for kind in (Kind.FOLD, Kind.EQUILIBRIUM, Kind.CROSSING):
                changes_sign = node.multiplicity.get(kind, 0) % 2 == 1
                if changes_sign and f"{node.id} {kind}" not in located and not self.seen_closely(i, kind):
                    left_over.append(f"{kind} {node.id} at x = {node.x:.12g} was not met by the trace")
        return located, left_over

    def certificate_of(self, event: CurveEvent, traced: TracedCurve) -> SpecialPoint | None:
        """Return the point of this kind at the event, or, where g cancels and places it badly, on the same step."""
        low, high = sorted(traced.points[event.index : event.index + 2, 0])
        slack = _MATCH * (self.upper - self.lower)
        near = [
            node
            for node in self.nodes
            if node.is_a(_kind(event)) and (abs(node.x - event.point[0]) <= slack or low <= node.x <= high)
        ]
        return min(near, key=lambda node: abs(node.x - float(event.point[0])), default=None)

    def is_rounding(self, event: CurveEvent, traced: TracedCurve) -> bool:
        """Whether an event is only rounding: its function has the same exact sign at the points before and after it.

        Where g cancels to rounding (next to a pole) or a branch ends on another one, doubles see sign changes
        that are not there.
        """
        if event.kind == "fold":
            q = self.curve.polynomial.derivative(0)
        elif event.kind == "branch point":
            return False
        else:
            q = self.tests[self.test_names.index(event.kind)]
        before, after = (Fraction(float(x)) for x in traced.points[event.index : event.index + 2, 0])
        signs = [exact_sign(q, x, self.exact_height(x)) for x in (before, after)]
        return 0 in signs or signs[0] == signs[1]

    def seen_closely(self, i: int, kind: Kind) -> bool:
        """Trace a window that holds node i and no other special point, and ask for exactly this event.

        Where doubles cannot tell the neighbours apart the exact signs on both sides must differ instead.
        """
        node, before, after = self.nodes[i], self.nodes[i - 1], self.nodes[i + 1]
        low, _ = self.start_between(before, node)
        high, _ = self.start_between(node, after)
        start = (low, self.height(low))
        if not node.x - low > _TOO_CLOSE or not high - node.x > _TOO_CLOSE:
            return self.signs_between(before, node, kind) != self.signs_between(node, after, kind)
        traced = self.trace(start, low, high)
        return any(_kind(event) is kind for event in traced.events)

    def signs_between(self, a: SpecialPoint, b: SpecialPoint, kind: Kind) -> tuple[int, ...]:
        """Return the exact signs between two special points of the functions that vanish at a kind of point."""
        assert a.exact_x is not None and b.exact_x is not None
        x = rational_between(a.exact_x, b.exact_x)
        y = self.exact_height(x)
        if kind is Kind.FOLD:
            return (exact_sign(self.curve.polynomial.derivative(0), x, y),)
        tests = self.tests[:1] if kind is Kind.EQUILIBRIUM else self.tests[1:]
        return tuple(exact_sign(q, x, y) for q in tests)

    def exact_height(self, x: Fraction) -> Fraction:
        value = rational(x)
        return -fraction(self.rows[0](value)) / fraction(self.rows[1](value))

    def height(self, x: float) -> float:
        return math.asinh(float(self.exact_height(Fraction(x))) / self.scale)


def _kind(event: CurveEvent) -> Kind:
    word = event.kind.split()[0]
    return Kind.CROSSING if word == "branch" else Kind(word)
