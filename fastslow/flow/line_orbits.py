"""Orbits that start on an invariant line, x = const of f or y = const of g: they stay on it, so one variable moves.

There the singular limit and the full system have the same orbits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastslow.flow.segments import Segment, SegmentKind, SingularOrbit
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind
from fastslow.systems.algebraic import Rational, compare
from fastslow.systems.system import Start

if TYPE_CHECKING:
    from fastslow.flow.singular_orbit import SingularFlow

PROOF = "on the invariant line the field has one sign up to there"


def line_orbit(flow: SingularFlow, start: Start) -> SingularOrbit | None:
    """Return the orbit of a start on an invariant line up to where the field vanishes; None for any other start.

    A start that is at rest is none of these.
    """
    system = flow.system
    if start.fast in system.invariant_lines:
        return _along_fast_line(flow, start)
    if start.slow in system.slow_lines and system.sign("f", Rational(start.fast), Rational(start.slow)):
        return _along_slow_line(flow, start)
    return None


def _along_fast_line(flow: SingularFlow, start: Start) -> SingularOrbit | None:
    """Return the drift along x = const, whatever its stability: all of f vanishes there."""
    x, y = float(start.fast), Rational(start.slow)
    on_line = [a for a in flow.manifold.arcs if a.curve.shape is Shape.FAST_LINE and a.start.x == a.end.x == x]
    here = [a for a in on_line if a.flow and a.spans(y)] or [
        a for a in on_line if a.flow and a.source.exact_y is not None and compare(a.source.exact_y, y) == 0
    ]
    if not here or (not here[0].spans(y) and here[0].source.is_a(Kind.EQUILIBRIUM)):
        return None
    segments: list[Segment] = []
    at = x, float(start.slow)
    while here:
        arc, node = here[0], here[0].target
        ends = node.is_a(Kind.EQUILIBRIUM) or node.kind is Kind.INFINITY
        end = node.x, node.y
        duration = "infinite" if ends else "slow"
        segments.append(Segment(SegmentKind.SLOW, at, end, arc, node, flow.energy_drop(at, end), duration))
        if ends or node.kind is Kind.BOUNDARY:
            verdict = flow.fate_of(node) if ends else f"leaves the window of {flow.edge_name(node)}"
            return SingularOrbit(start, tuple(segments), verdict, end, node)
        at = end
        here = [a for a in on_line if a.flow and a.source is node and a is not arc]
    return None


def _along_slow_line(flow: SingularFlow, start: Start) -> SingularOrbit:
    """Return the jump along y = const, where all of g vanishes and every zero of f is an equilibrium."""
    x, y = float(start.fast), Rational(start.slow)
    direction = flow.system.sign("f", Rational(start.fast), y)
    landed = flow.land(x, y, float(start.slow), direction)
    at = x, float(start.slow)
    end = (flow.edge(direction) if landed is None else landed.x), at[1]
    node, arc = (None, None) if landed is None else (landed.node, landed.arc)
    jump = Segment(SegmentKind.JUMP, at, end, arc, node, flow.energy_drop(at, end), "fast")
    if landed is None:
        verdict = f"leaves the window of {flow.system.fast[0]}"
    elif node is None:
        verdict = "undecided: it comes to rest at no known special point"
    else:
        verdict = flow.fate_of(node)
    return SingularOrbit(start, (jump,), verdict, end, node)
