"""The flow graph: special points, starts and infinity, joined by slow arcs and jumps; attractors and basins."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from fastslow.flow.relaxation import closed_orbits, folds_of, jump_of
from fastslow.flow.singular_orbit import Segment, SegmentKind, SingularFlow, SingularOrbit
from fastslow.manifold.arcs import FastStability
from fastslow.manifold.certificates import rational_inside
from fastslow.manifold.curves import Shape
from fastslow.manifold.on_line import heights_of
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.systems.algebraic import Number, Rational, compare, nearest_double
from fastslow.systems.system import FastSlowSystem, Start


@dataclass(frozen=True)
class Edge:
    """An edge of the flow graph.

    Attributes
    ----------
    start, end : str
        Ids of points.
    kind : SegmentKind
        A slow arc or a jump. A jump ends at the special point that the slow flow of the arc it lands on runs to.
    arc : str
        The arc that is followed, or on which the jump lands.
    stability : str
        Fast stability of a slow arc.
    landing : tuple of float or None
        Where a jump lands.
    delayed : bool
        Whether a slow arc is followed past a crossing by delayed loss of stability.
    """

    start: str
    end: str
    kind: SegmentKind
    arc: str = ""
    stability: str = ""
    landing: tuple[float, float] | None = None
    delayed: bool = False


@dataclass(frozen=True)
class Basin:
    """An open interval of starts (start_fast, y) with one fate.

    Attributes
    ----------
    low, high : float
        Its ends.
    verdict : str
        The fate.
    destination : str
        Id of the point where the orbits end, empty for a cycle or where the window is left.
    """

    low: float
    high: float
    verdict: str
    destination: str


@dataclass(frozen=True, eq=False)
class FlowGraph:
    """Where everything goes in the singular limit.

    Attributes
    ----------
    points : tuple of SpecialPoint
        The nodes.
    edges : tuple of Edge
        Slow arcs with their direction, and jumps from folds, crossings and starts.
    attractors : tuple of str
        Ids of the points that orbits end at.
    basins : tuple of Basin
        The starts (start_fast, y) by fate, in order of y.
    cycles : tuple of tuple of str
        Relaxation cycles, each by the folds it jumps at.
    """

    points: tuple[SpecialPoint, ...]
    edges: tuple[Edge, ...]
    attractors: tuple[str, ...]
    basins: tuple[Basin, ...]
    cycles: tuple[tuple[str, ...], ...] = ()

    def tree(self) -> str:
        """Return the graph as text, one line for each edge that orbits can follow, below the point it leaves."""
        lines = []
        for point in self.points:
            leaving = [
                edge for edge in self.edges if edge.start == point.id and edge.stability != FastStability.REPELLING
            ]
            if not leaving and point.id not in self.attractors:
                continue
            mark = "  (attractor)" if point.id in self.attractors else ""
            stability = f" {point.stability}" if point.stability else ""
            lines.append(f"{point.id} {point.kind}{stability} ({point.x:.6g}, {point.y:.6g}){mark}")
            for edge in leaving:
                landing = f" landing at ({edge.landing[0]:.6g}, {edge.landing[1]:.6g})" if edge.landing else ""
                delayed = ", loss of stability delayed" if edge.delayed else ""
                via = f" on {edge.arc}" if edge.arc else ""
                lines.append(f"  └─ {edge.kind}{via}{landing}{delayed} → {edge.end}")
        return "\n".join(lines)


def flow_graph(flow: SingularFlow, orbits: tuple[SingularOrbit, ...] = ()) -> FlowGraph:
    """Return the flow graph of a singular flow, with the orbits' starts as nodes.

    Attractors are where the orbits from (start_fast, y), the jumps and the listed orbits end.
    """
    manifold = flow.manifold
    edges = []
    for arc in manifold.arcs:
        if arc.flow:
            delayed = _is_delayed(flow, arc)
            edges.append(
                Edge(arc.source.id, arc.target.id, SegmentKind.SLOW, arc.id, str(arc.stability), None, delayed)
            )
    ends: set[str] = set()
    for point in manifold.points:
        jump = jump_of(flow, point) if point.is_a(Kind.FOLD) or point.is_a(Kind.CROSSING) else None
        if jump is not None and jump.node is not None:
            edges.append(Edge(point.id, jump.node.id, SegmentKind.JUMP, landing=jump.end))
        elif jump is not None and jump.arc is not None:
            edges.append(Edge(point.id, jump.arc.target.id, SegmentKind.JUMP, jump.arc.id, "", jump.end))
    points = list(manifold.points)
    for number, orbit in enumerate(orbits, start=1):
        name = f"S{number}"
        x, y = float(orbit.start.fast), float(orbit.start.slow)
        points.append(SpecialPoint(name, Kind.START, x, y, ()))
        edges += _start_edges(name, orbit.segments)
        if orbit.node is not None and not orbit.undecided:
            ends.add(orbit.node.id)
    basins = basins_of(flow)
    ends |= {basin.destination for basin in basins if basin.destination}
    ends |= {point.id for point in manifold.points if point.stability is Stability.STABLE}
    attractors = tuple(point.id for point in manifold.points if point.id in ends)
    cycles = tuple(folds_of(closed) for closed in closed_orbits(flow))
    return FlowGraph(tuple(points), tuple(edges), attractors, basins, cycles)


def _start_edges(name: str, segments: tuple[Segment, ...]) -> list[Edge]:
    if not segments:
        return []
    first = segments[0]
    if first.node is not None and first.kind is SegmentKind.JUMP:
        return [Edge(name, first.node.id, SegmentKind.JUMP, landing=first.end)]
    arc = first.arc
    if arc is None or not arc.flow:
        return []
    landing = first.end if first.kind is SegmentKind.JUMP else first.start
    return [Edge(name, arc.target.id, first.kind, arc.id, "", landing)]


def _is_delayed(flow: SingularFlow, arc: Any) -> bool:
    """Whether orbits follow this repelling arc of an invariant line out of a crossing where it was attracting."""
    if arc.curve.shape is not Shape.FAST_LINE or arc.stability is not FastStability.REPELLING:
        return False
    source = arc.source
    if not source.is_a(Kind.CROSSING) or source.is_a(Kind.EQUILIBRIUM):
        return False
    return any(
        other.curve is arc.curve and other.target is source and other.stability is FastStability.ATTRACTING
        for other in flow.arcs_at(source)
    )


def orbits_between(flow: SingularFlow) -> Iterator[tuple[float, float, SingularOrbit]]:
    """Yield (low, high, orbit): the open intervals of starts (start_fast, y) without special points, in order of y.

    The fate, the place where orbits end and the number of jumps can change only at the slow value of a special point
    or where the line of starts meets the critical manifold; one orbit in each interval between them decides it.
    """
    system = flow.system
    cuts: list[Number] = [p.exact_y for p in flow.manifold.points if p.exact_y is not None and math.isfinite(p.y)]
    for branch in flow.manifold.branches:
        cuts += heights_of(system, branch.curve, system.start_fast)
    bounds: list[Number | None] = [None, *_distinct(cuts), None]
    if system.slow_window is not None:
        bottom, top = map(Rational, system.slow_window)
        bounds = [*_distinct([bottom, top, *(cut for cut in cuts if compare(bottom, cut) < 0 < compare(top, cut))])]
    for low, high in itertools.pairwise(bounds):
        orbit = flow.orbit(Start(system.start_fast, rational_inside(low, high)))
        a = -math.inf if low is None else nearest_double(low)
        b = math.inf if high is None else nearest_double(high)
        yield a, b, orbit


def basins_of(flow: SingularFlow) -> tuple[Basin, ...]:
    """Return the fates of all starts (start_fast, y), as open intervals of y."""
    return joined_basins(flow, orbits_between(flow))


def joined_basins(flow: SingularFlow, orbits: Iterable[tuple[float, float, SingularOrbit]]) -> tuple[Basin, ...]:
    """Return the basins that the orbits of `orbits_between` tell, neighbours of one fate as one."""
    basins: list[Basin] = []
    for a, b, orbit in orbits:
        destination = orbit.node.id if orbit.node is not None and not orbit.undecided else ""
        last = basins[-1] if basins else None
        same = last and (last.verdict, last.destination) == (orbit.verdict, destination)
        if last and same and not forbidden(flow.system, a):
            basins[-1] = Basin(last.low, b, orbit.verdict, destination)
        else:
            basins.append(Basin(a, b, orbit.verdict, destination))
    return tuple(basins)


def forbidden(system: FastSlowSystem, y: float) -> bool:
    """Whether starts at y are not allowed, so that basins must not be joined across it."""
    try:
        system.check_start(Start(system.start_fast, Fraction(y)))
    except ValueError:
        return True
    return False


def _distinct(numbers: list[Number]) -> list[Number]:
    kept: list[Number] = []
    for number in sorted(numbers, key=cmp_to_key(compare)):
        if not kept or compare(kept[-1], number) != 0:
            kept.append(number)
    return kept
