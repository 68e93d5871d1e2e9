"""Singular orbits: fast jumps at frozen slow variable chained with slow drift along attracting arcs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import flint
import numpy as np

from fastslow.flow.crossings import EXCHANGE, GAINS, JUMP, LOSES, TO_THE_MIDDLE, CrossingReport, crossing_report
from fastslow.flow.landing import fast_value
from fastslow.flow.line_orbits import line_orbit
from fastslow.flow.segments import Segment as Segment
from fastslow.flow.segments import SegmentKind as SegmentKind
from fastslow.flow.segments import SingularOrbit as SingularOrbit
from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.curves import CURVED, Curve, Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.systems.algebraic import Number, Rational, compare
from fastslow.systems.balls import enclosed
from fastslow.systems.polynomials import rational
from fastslow.systems.system import Start

_MOST_SEGMENTS = 200


@dataclass(frozen=True, eq=False)
class _At:
    """Where an orbit is: on an arc at a slow value, or at a special point."""

    x: float
    y: float
    exact_y: Number
    arc: Arc | None = None
    node: SpecialPoint | None = None


class SingularFlow:
    """The flow of the singular limit on a critical manifold.

    Every decision (which arc a jump meets first, which way it drifts, what stands at its end) is
    made by comparing exact numbers, so an orbit is wrong only if the manifold is.
    """

    def __init__(self, manifold: CriticalManifold) -> None:
        self.manifold, self.system = manifold, manifold.system
        self._crossings: dict[str, CrossingReport] = {}

    @cached_property
    def _arcs_at(self) -> dict[str, list[Arc]]:
        table: dict[str, list[Arc]] = {}
        for arc in self.manifold.arcs:
            for point in {arc.start.id, arc.end.id}:
                table.setdefault(point, []).append(arc)
        return table

    def arcs_at(self, point: SpecialPoint) -> list[Arc]:
        """Return the arcs that end at a special point."""
        return self._arcs_at.get(point.id, [])

    # Jumps --------------------------------------------------------------------------------------

    def land(
        self, x: float, y: Number, y_value: float, direction: int, leaving: SpecialPoint | None = None
    ) -> _At | None:
        """Return the first zero of f from (x, y) in a direction of the fast variable, None where there is none."""
        best: _At | None = None
        for arc in self.manifold.arcs:
            if arc.rise == 0 or not arc.spans(y):
                continue
            here = _At(fast_value(arc, y_value), y_value, y, arc=arc)
            best = _nearer(best, here, x, direction)
        for point in self.manifold.points:
            if point is leaving or not math.isfinite(point.y) or point.exact_y is None:
                continue
            if compare(point.exact_y, y) == 0:
                best = _nearer(best, _At(point.x, y_value, y, node=point), x, direction)
        return best

    def depart(self, start: Start) -> tuple[int, _At | None]:
        """Return the direction of the first jump (0 where the start is at rest) and where it lands."""
        x, y = float(start.fast), Rational(start.slow)
        direction = self.system.sign("f", Rational(start.fast), y)
        if direction == 0:
            return 0, self._resting_at(start)
        return direction, self.land(x, y, float(start.slow), direction)

    def edge(self, direction: int) -> float:
        """Return the edge of the window in a direction of the fast variable."""
        return float(self.system.upper if direction > 0 else self.system.lower)

    def edge_name(self, point: SpecialPoint) -> str:
        """Return the variable whose bound a point on the window's edge is on."""
        # No orbit passes an edge that is an invariant line: at its ends orbits leave along it.
        sides = {self.system.lower, self.system.upper} - set(self.system.invariant_lines)
        at_side = point.x in map(float, sides)
        return (self.system.fast if at_side else self.system.slow)[0]

    def _resting_at(self, start: Start) -> _At | None:
        x, y = float(start.fast), Rational(start.slow)
        for point in self.manifold.points:
            if point.exact_x is None or point.exact_y is None:
                continue
            if compare(point.exact_x, Rational(start.fast)) == 0 and compare(point.exact_y, y) == 0:
                return _At(x, float(start.slow), y, node=point)
        for arc in self.manifold.arcs:
            if not _may_lie_on(arc.curve, start):
                continue
            if arc.rise == 0 and min(arc.start.x, arc.end.x) <= x <= max(arc.start.x, arc.end.x):
                return _At(x, float(start.slow), y, arc=arc)
            if arc.rise and arc.spans(y) and abs(fast_value(arc, float(start.slow)) - x) <= 1e-9 * (1 + abs(x)):
                return _At(x, float(start.slow), y, arc=arc)
        return None

    # Orbits --------------------------------------------------------------------------------------

    def orbit(self, start: Start) -> SingularOrbit:
        """Return the singular orbit of a start, with its verdict.

        Raises
        ------
        InputError
            If the start cannot be used in this model.
        """
        self.system.check_start(start)
        return line_orbit(self, start) or _Walk(self, start).run()

    def drift_from(self, arc: Arc, x: float, y: float, before: tuple[Segment, ...] = ()) -> SingularOrbit:
        """Return the orbit of the slow flow from a place on an attracting arc, in doubles, after some segments."""
        start = Start(Fraction(x), Fraction(y))
        walk = _Walk(self, start)
        walk.segments += before
        return walk.follow(_At(x, y, Rational(start.slow), arc=arc))

    def energy_drop(self, a: tuple[float, float], b: tuple[float, float]) -> float | None:
        """Return the energy at a minus the energy at b, with the limit at infinity."""
        first, second = self._energy(a), self._energy(b)
        return None if first is None or second is None else first - second

    def _energy(self, at: tuple[float, float]) -> float | None:
        x, y = at
        if math.isinf(y):
            return self.system.energy_at_infinity(x, 1 if y > 0 else -1)
        value = self.system.energy(np.array([x]), np.array([y]))
        return None if value is None else float(value[0])

    def fate_of(self, point: SpecialPoint) -> str:
        """Return the name of the fate of orbits that end at a special point."""
        named = self.system.fate(point.x, point.y)
        if named is not None:
            return named
        if point.kind is Kind.INFINITY:
            return f"leaves to {self.system.slow[0]} = {'+' if point.y > 0 else '-'}infinity"
        return f"settles at {point.id}"

    def crossing(self, point: SpecialPoint) -> CrossingReport:
        """Return what a crossing is and how orbits pass it."""
        if point.id not in self._crossings:
            self._crossings[point.id] = crossing_report(self.system, point)
        return self._crossings[point.id]

    def crossing_jump(self, point: SpecialPoint) -> int:
        """Return the direction of the jump of orbits that come to a crossing, 0 where they go on along a branch."""
        if any(curve.shape is Shape.FAST_LINE for curve in point.curves):
            return 0
        report = self.crossing(point)
        return report.side if report.passage == JUMP or report.f_xxx > 0.0 else 0

    def jump_direction(self, fold: SpecialPoint) -> int:
        """Return the direction of the jump at a fold, from its attracting to its repelling side; 0 if none."""
        arcs = [arc for arc in self.arcs_at(fold) if arc.curve is _folded_curve(fold)]
        attracting = [arc for arc in arcs if arc.stability is FastStability.ATTRACTING]
        repelling = [arc for arc in arcs if arc.stability is FastStability.REPELLING]
        if len(attracting) != 1 or len(repelling) != 1:
            return 0
        return 1 if repelling[0].other_end(fold).x > attracting[0].other_end(fold).x else -1


def _may_lie_on(curve: Curve, start: Start) -> bool:
    """Whether a start is on a curve: exact for polynomials, by an enclosure for formulas."""
    if curve.expression is None:
        return bool(curve.polynomial(rational(start.fast), rational(start.slow)) == 0)
    at = (flint.arb(rational(v)) for v in (start.fast, start.slow))
    return bool(enclosed(curve.expression, dict(zip(curve.names, at, strict=True))).contains(0))


def _side_of(arc: Arc, point: SpecialPoint) -> int:
    """Return on which side of a special point at its end an arc lies."""
    inner = arc.x[1] if arc.start is point else arc.x[-2]
    return 1 if inner > point.x else -1


def _folded_curve(fold: SpecialPoint) -> object:
    return next((curve for curve in fold.curves if curve.shape in CURVED), fold.curves[0])


def _nearer(best: _At | None, other: _At, x: float, direction: int) -> _At | None:
    ahead = (other.x - x) * direction
    if ahead <= 0:
        return best
    if best is None:
        return other
    gap = (best.x - x) * direction - ahead
    # A special point and an arc at the same place: the point knows more.
    return other if gap > 0 or (gap == 0 and other.node is not None) else best


class _Walk:
    """One orbit being followed."""

    def __init__(self, flow: SingularFlow, start: Start) -> None:
        self.flow, self.start = flow, start
        self.segments: list[Segment] = []
        self.jumped_at: set[str] = set()

    def run(self) -> SingularOrbit:
        x, y = float(self.start.fast), float(self.start.slow)
        direction, at = self.flow.depart(self.start)
        if direction == 0:
            if at is None:
                return self.finish("undecided: the start is at rest but on no known arc", (x, y), None)
        else:
            at = self.jump((x, y), at, direction)
        return self.follow(at)

    def follow(self, at: _At | None) -> SingularOrbit:
        """Go on from a place on the manifold until the orbit ends; None is outside the window."""
        x, y = float(self.start.fast), float(self.start.slow)
        while at is not None and len(self.segments) < _MOST_SEGMENTS:
            outcome = self.from_node(at) if at.node is not None else self.from_arc(at)
            if isinstance(outcome, SingularOrbit):
                return outcome
            at = outcome
        if at is None:
            name = self.flow.system.fast[0]
            end = self.segments[-1].end if self.segments else (x, y)
            return self.finish(f"leaves the window of {name}", end, None)
        return self.finish("undecided: the orbit did not end", self.segments[-1].end, None)

    def finish(self, verdict: str, end: tuple[float, float], node: SpecialPoint | None) -> SingularOrbit:
        return SingularOrbit(self.start, tuple(self.segments), verdict, end, node)

    def add(self, kind: SegmentKind, a: tuple[float, float], at: _At, duration: str, delayed: bool = False) -> None:
        b = (at.x, at.y)
        drop = self.flow.energy_drop(a, b)
        self.segments.append(Segment(kind, a, b, at.arc, at.node, drop, duration, delayed))

    def jump(self, a: tuple[float, float], at: _At | None, direction: int) -> _At | None:
        """Add a jump to where it lands, or out of the window."""
        if at is None:
            edge = (self.flow.edge(direction), a[1])
            drop = self.flow.energy_drop(a, edge)
            self.segments.append(Segment(SegmentKind.JUMP, a, edge, None, None, drop, "fast"))
        else:
            self.add(SegmentKind.JUMP, a, at, "fast")
        return at

    # On an arc -------------------------------------------------------------------------------------

    def from_arc(self, at: _At) -> SingularOrbit | _At | None:
        arc = at.arc
        assert arc is not None
        if arc.stability is not FastStability.ATTRACTING:
            return self.finish(f"undecided: at rest on the {arc.stability} arc {arc.id}", (at.x, at.y), None)
        if arc.flow == 0:
            return self.finish(f"undecided: no slow direction on {arc.id}", (at.x, at.y), None)
        return self.drift(at, arc)

    def drift(self, at: _At, arc: Arc) -> SingularOrbit | _At | None:
        target = arc.target
        ends_here = target.is_a(Kind.EQUILIBRIUM) or target.kind is Kind.INFINITY
        y = target.exact_y if target.exact_y is not None else at.exact_y
        arrived = _At(target.x, target.y, y, arc=arc, node=target)
        self.add(SegmentKind.SLOW, (at.x, at.y), arrived, "infinite" if ends_here else "slow")
        return self.arrive(arrived, entry=at)

    # At a special point ---------------------------------------------------------------------------

    def arrive(self, at: _At, entry: _At) -> SingularOrbit | _At | None:
        """Go on from a special point that was reached by drift along `at.arc` from `entry`."""
        point, arc = at.node, at.arc
        assert point is not None and arc is not None
        end = (point.x, point.y)
        if point.is_a(Kind.EQUILIBRIUM) and point.is_a(Kind.FOLD) and point.multiplicity[Kind.FOLD] % 2:
            return self.finish(f"undecided: {point.id} is a canard point", end, point)
        if point.is_a(Kind.EQUILIBRIUM) or point.kind is Kind.INFINITY:
            return self.finish(self.flow.fate_of(point), end, point)
        if point.kind is Kind.BOUNDARY:
            return self.finish(f"leaves the window of {self.flow.edge_name(point)}", end, point)
        if point.is_a(Kind.CROSSING):
            return self.cross(at, entry)
        return self.jump_or_pass(at)

    def jump_or_pass(self, at: _At) -> SingularOrbit | _At | None:
        """Jump at a fold, or drift on where the branch goes on attracting (a cusp)."""
        point, arc = at.node, at.arc
        assert point is not None
        direction = self.flow.jump_direction(point)
        if direction == 0:
            onward = [a for a in self.flow.arcs_at(point) if a is not arc and a.source is point and a.flow]
            onward = [a for a in onward if a.stability is FastStability.ATTRACTING]
            if len(onward) == 1:
                return self.drift(at, onward[0])
            return self.finish(f"undecided: degenerate fold {point.id}", (at.x, at.y), point)
        return self.jump_from(point, direction)

    def cross(self, at: _At, entry: _At) -> SingularOrbit | _At | None:
        """Pass a crossing: exchange of stability, a jump, or delayed loss of stability along an invariant line."""
        point, arc = at.node, at.arc
        assert point is not None and arc is not None
        onward = [a for a in self.flow.arcs_at(point) if a is not arc and a.flow and a.source is point]
        same = [a for a in onward if a.curve is arc.curve]
        attracting = [a for a in onward if a.stability is FastStability.ATTRACTING]
        if arc.curve.shape is Shape.FAST_LINE and same and same[0].stability is FastStability.REPELLING:
            return self.delayed(at, entry, same[0])
        if len(attracting) == 1 and attracting[0].curve.shape is Shape.FAST_LINE:
            return self.drift(at, attracting[0])
        others = [curve for curve in point.curves if curve is not arc.curve]
        if len(attracting) == 1 and attracting[0].curve is arc.curve and others and all(c.repeated for c in others):
            return self.drift(at, attracting[0])  # f_x has a double zero there, and orbits stay near
        if direction := self.flow.crossing_jump(point):
            return self.jump_from(point, direction)
        report = self.flow.crossing(point)
        if report.passage == LOSES:
            # Orbits part from the branch that loses its stability to one side.
            attracting = [a for a in attracting if _side_of(a, point) == report.side] if report.side else []
        if report.passage in (EXCHANGE, TO_THE_MIDDLE, GAINS, LOSES) and len(attracting) == 1:
            return self.drift(at, attracting[0])
        if not onward:
            return self.finish(f"leaves the window of {self.flow.system.fast[0]}", (at.x, at.y), point)
        return self.finish(f"undecided: passage through the crossing {point.id}", (at.x, at.y), point)

    def jump_from(self, point: SpecialPoint, direction: int) -> SingularOrbit | _At | None:
        """Jump at a fold or crossing; an orbit that was there before goes round for ever."""
        if point.id in self.jumped_at:
            return self.finish("relaxation oscillation", (point.x, point.y), None)
        self.jumped_at.add(point.id)
        assert point.exact_y is not None
        landed = self.flow.land(point.x, point.exact_y, point.y, direction, leaving=point)
        return self.jump((point.x, point.y), landed, direction)

    def delayed(self, at: _At, entry: _At, arc: Arc) -> SingularOrbit | _At | None:
        """Stay on an invariant line past its loss of stability until the way in and the way out balance.

        The orbit leaves to the side that it came from; one that starts on the line never leaves it.
        """
        origin = next((s.start[0] for s in reversed(self.segments) if s.start[0] != at.x), at.x)
        if origin == at.x:
            return self.finish("undecided: the start lies on an invariant line", (at.x, at.y), at.node)
        direction = 1 if origin > at.x else -1
        from fastslow.flow.delay import exit_height  # rare, and its quadrature nodes take time to make

        height = exit_height(self.flow.system, arc, entry.y)
        if height is None and self.flow.system.slow_window is not None:
            end = (at.x, float(self.flow.system.slow_window[arc.target.y > arc.source.y]))
            return self.finish(f"leaves the window of {self.flow.system.slow[0]}", end, None)
        if height is None:
            return self.finish(f"undecided: no exit from {arc.id}", (at.x, at.y), at.node)
        out = _At(at.x, height, Rational(Fraction(height)), arc=arc)
        self.add(SegmentKind.SLOW, (at.x, at.y), out, "slow", delayed=True)
        return self.jump((out.x, out.y), self.flow.land(out.x, out.exact_y, out.y, direction), direction)

    def from_node(self, at: _At) -> SingularOrbit | _At | None:
        """Go on from a special point that a jump met exactly, or on which the start lies."""
        point = at.node
        assert point is not None
        end = (point.x, point.y)
        onward = [a for a in self.flow.arcs_at(point) if a.flow and a.source is point]
        onward = [a for a in onward if a.stability is FastStability.ATTRACTING]
        holds = point.stability is Stability.CENTER and not onward and not point.is_a(Kind.FOLD)
        if point.stability is Stability.STABLE or holds:
            return self.finish(self.flow.fate_of(point), end, point)
        passed = point.is_a(Kind.CROSSING) and not point.is_a(Kind.EQUILIBRIUM)
        if (passed or point.kind is Kind.BOUNDARY) and len(onward) == 1:
            return self.drift(at, onward[0])
        if point.is_a(Kind.FOLD) and point.multiplicity[Kind.FOLD] % 2 == 0 and len(onward) == 1:
            return self.drift(at, onward[0])
        if point.kind is Kind.FOLD and any(
            a.target is point and a.stability is FastStability.ATTRACTING for a in self.flow.arcs_at(point)
        ):
            # The slow flow pushes the orbit over the fold, as it does those that land beside it.
            return self.jump_or_pass(at)
        return self.finish(f"undecided: on the separatrix of {point.id}", end, point)
