"""The flow graph of the full system at its slow rate, beside that of the singular limit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fastslow.flow.flow_graph import Basin, basins_of, forbidden
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import Arc, CriticalManifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind
from fastslow.ode.limit_cycles import LimitCycle, cycle_at, cycles_of
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.separatrices.halves import LEAVES, Backward, Forward, Separatrix, fate, separatrices
from fastslow.separatrices.thresholds import Threshold, line_of_starts
from fastslow.systems.system import FastSlowSystem

GRAPH_RTOL = 1e-6
"""Tolerance with which halves are followed to their ends; where they meet the line of starts is found more exactly."""


@dataclass(frozen=True)
class FullEdge:
    """An orbit of the full system that joins two special points.

    Attributes
    ----------
    start, end : str
        Ids of points or of limit cycles, in the direction of time; empty where the orbit ends at none.
    kind : str
        "unstable" from a saddle, "stable" to a saddle, "line" along an invariant line.
    side : int
        1 where it leaves its saddle to larger x (to larger y where it is vertical), -1 to smaller, 0 on a line.
    note : str
        What is known where an end is empty: that it crosses the window's edge, a cycle, or "unresolved: ...".
    x, y : tuple of float
        The steps of the integration from the saddle on, empty on a line.
    """

    start: str
    end: str
    kind: str
    side: int
    note: str = ""
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class FullGraph:
    """Where everything goes in the full system, at its slow rate.

    Attributes
    ----------
    edges : tuple of FullEdge
        The halves of the stable and unstable manifolds of the saddles, and the orbits on invariant lines.
    thresholds : tuple of Threshold
        Where stable manifolds and unstable cycles part the starts (start_fast, y), in order of y.
    basins : tuple of Basin
        The starts (start_fast, y) by fate, in order of y.
    differences : tuple of str
        What is not as in the singular limit, in words.
    """

    edges: tuple[FullEdge, ...]
    thresholds: tuple[Threshold, ...]
    basins: tuple[Basin, ...]
    differences: tuple[str, ...]


def full_graph(
    settling: Settling,
    singular: Sequence[Basin] | None = None,
    known: Sequence[Trajectory] = (),
    cycles: Sequence[LimitCycle] | None = None,
) -> FullGraph:
    """Return the flow graph of the full system and how it differs from the singular limit.

    Parameters
    ----------
    settling : Settling
        Follows starts of the system.
    singular : sequence of Basin, optional
        The basins of the singular limit, where they are known.
    known : sequence of Trajectory
        Starts that were followed already.
    cycles : sequence of LimitCycle, optional
        The limit cycles; looked for unless given.

    Notes
    -----
    In the plane the halves of the saddles' manifolds, with the equilibria and infinity, are the skeleton of the
    phase portrait. Where the model has no energy there may also be cycles: halves that do not settle say so.
    """
    manifold = settling.manifold
    singular = basins_of(settling.flow) if singular is None else singular
    forward, backward = Forward(manifold, rtol=GRAPH_RTOL), Backward(manifold, rtol=GRAPH_RTOL)
    halves = separatrices(forward, backward)
    cycles = cycles_of(manifold, known).cycles if cycles is None else cycles
    line = line_of_starts(settling, forward, backward, halves, singular, known, cycles)
    edges = (*map(_edge, halves), *_line_edges(manifold))
    differences = (
        *_other_ends(settling.flow, halves),
        *_other_basins(settling.system, line.basins, singular, line.thresholds),
    )
    return FullGraph(edges, line.thresholds, line.basins, tuple(differences))


def joined_to_cycles(edges: Sequence[FullEdge], cycles: Sequence[LimitCycle]) -> tuple[FullEdge, ...]:
    """Return the edges with the ids of the limit cycles at which they begin or end."""
    joined = []
    for edge in edges:
        open_end = (edge.kind == "stable" and not edge.start) or (edge.kind == "unstable" and not edge.end)
        id = cycle_at(cycles, edge.x, edge.y) if open_end and "cycle" in edge.note else ""
        backward = edge.kind == "stable"
        joined.append(
            replace(edge, start=id if backward else edge.start, end=edge.end if backward else id) if id else edge
        )
    return tuple(joined)


def _edge(half: Separatrix) -> FullEdge:
    other = half.end.id if half.end is not None else ""
    x, y = (tuple(values.tolist()) for values in half.path())
    ends = (half.saddle.id, other) if half.kind == "unstable" else (other, half.saddle.id)
    return FullEdge(*ends, half.kind, half.side, "" if other else _note(half), x, y)


def _note(half: Separatrix) -> str:
    verdict = half.trajectory.verdict
    if half.trajectory.undecided:
        return f"unresolved: {verdict.removeprefix('undecided: ')}"
    if "oscillation" in verdict:
        return "to an attracting cycle" if half.kind == "unstable" else "from a repelling cycle"
    verdict, _ = fate(half.trajectory.system, half.trajectory)
    return verdict if half.kind == "unstable" else verdict.replace("leaves", "enters")


def _line_edges(manifold: CriticalManifold) -> Iterator[FullEdge]:
    """Yield the orbits on invariant lines x = const, where the flow is that of y alone."""
    for branch in manifold.branches:
        if branch.curve.shape is not Shape.FAST_LINE:
            continue
        for arcs in _between_rests(branch.arcs):
            first, last = (arcs[0].start, arcs[-1].end)[:: arcs[0].flow]
            yield FullEdge(first.id, last.id, "line", 0)


def _between_rests(arcs: Sequence[Arc]) -> Iterator[list[Arc]]:
    """Yield the runs of arcs of a line between equilibria (or infinity): mere crossings do not stop the flow."""
    run: list[Arc] = []
    for arc in arcs:
        run.append(arc)
        if arc.end.is_a(Kind.EQUILIBRIUM) or arc.end.kind in (Kind.INFINITY, Kind.BOUNDARY):
            yield run
            run = []


# Differences ---------------------------------------------------------------------------------------------------------


def _other_ends(flow: SingularFlow, halves: Sequence[Separatrix]) -> Iterator[str]:
    """Say which unstable halves end elsewhere than the singular orbit from the same point beside the saddle."""
    x, y = flow.system.fast[0], flow.system.slow[0]
    for half in halves:
        if half.kind != "unstable" or half.trajectory.undecided or forbidden(flow.system, float(half.start.slow)):
            continue  # along a line of fast equilibria there is no singular orbit
        orbit = flow.orbit(half.start)
        limit, ours = (fate(flow.system, result) for result in (orbit, half.trajectory))
        if orbit.undecided or limit == ours:
            continue
        variable = x if float(half.start.fast) != half.saddle.x else y
        yield (
            f"from {half.saddle.id} to {'larger' if half.side > 0 else 'smaller'} {variable} the singular limit "
            f"gives {_named(*limit)}, the full system {_named(*ours)}"
        )


def _named(verdict: str, node: str) -> str:
    return f"{verdict} ({node})" if node else verdict


def _other_basins(
    system: FastSlowSystem, full: Sequence[Basin], singular: Sequence[Basin], thresholds: Sequence[Threshold]
) -> Iterator[str]:
    """Say which starts have another fate, except between a threshold and the boundary it tends to."""
    name = f"{system.slow[0]}0"
    moved = [sorted((t.y, t.singular)) for t in thresholds if t.singular is not None]
    cuts = [*sorted({b.low for b in (*full, *singular)}), system.slow_ends[1]]
    for low, high in itertools.pairwise(cuts):
        ours, limit = (next(b for b in basins if b.low <= low < b.high) for basins in (full, singular))
        ends = (_named(ours.verdict, ours.destination), _named(limit.verdict, limit.destination))
        undecided = any(b.verdict.startswith("undecided") for b in (ours, limit))
        leaves = all(b.verdict.startswith(LEAVES) for b in (ours, limit))  # the limit does not say at which edge
        if not undecided and not leaves and ends[0] != ends[1] and not any(a <= low and high <= b for a, b in moved):
            where = _interval(low, high, name)
            yield f"for {where} the singular limit gives {ends[1]}, the full system {ends[0]}"


def _interval(low: float, high: float, name: str) -> str:
    if math.isinf(low) or math.isinf(high):
        return f"{name} < {high:.9g}" if math.isinf(low) else f"{name} > {low:.9g}"
    return f"{low:.9g} < {name} < {high:.9g}"
