"""The flow graph as a graph: special points in layers, attractors below, drift solid and jumps dashed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastslow.plot.style import INK, MANIFOLD, NEUTRAL, fate_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastslow.analysis import Analysis
    from fastslow.results import Point

_KINDS = {"fold": "fold", "crossing": "crossing", "start": "start", "infinity": "infinity"}


def flow_graph(axes: Axes, analysis: Analysis, *, repelling: bool = False) -> Axes:
    """Draw the flow graph of the singular limit on given axes and return them.

    A node is a special point: its id, and where it is. An edge is drift along an arc (solid) or a jump (dashed). A node
    is as many rows above the lowest as an orbit has edges left from there; attractors are filled with the colour of
    their verdict, and so are the ends of all edges that can lead to one of them only.

    Parameters
    ----------
    axes : Axes
        Axes; their frame is hidden.
    analysis : Analysis
        What to draw.
    repelling : bool
        Whether to draw drift along repelling arcs as well: no orbit of the singular limit takes it.
    """
    edges = {
        (edge.start, edge.end): edge
        for edge in analysis.flow.edges
        if edge.kind == "jump" or edge.stability == "attracting" or repelling
    }
    nodes = {id for pair in edges for id in pair}
    points = {point.id: point for point in analysis.points if point.id in nodes}
    after: dict[str, list[str]] = {id: [] for id in points}
    for start, end in edges:
        after[start].append(end)
    rows = {id: _height(id, after, frozenset()) for id in points}
    place = {}
    for row in set(rows.values()):
        members = sorted((id for id in points if rows[id] == row), key=lambda id: (points[id].x, points[id].y))
        for k, id in enumerate(members):
            place[id] = ((k + 0.5) / len(members), float(row))
    fates = _fates(analysis)
    for (start, end), edge in edges.items():
        reached = _reached(end, after, set())
        only = {fates[id] for id in reached if id in fates}
        color = fate_color(only.pop(), []) if len(only) == 1 else NEUTRAL
        bend = 0.12 if rows[start] - rows[end] > 1 else 0.0
        axes.annotate(
            "",
            place[end],
            place[start],
            arrowprops={
                "arrowstyle": "-|>",
                "color": color,
                "linewidth": 2.0 if edge.kind == "slow" else 1.5,
                "linestyle": "-" if edge.kind == "slow" else (0, (4, 2)),
                "shrinkA": 17,
                "shrinkB": 18,
                "mutation_scale": 14,
                "connectionstyle": f"arc3,rad={bend}",
            },
            zorder=2,
        )
    for id, (x, y) in place.items():
        _node(axes, points[id], (x, y), fates.get(id, ""))
    axes.set_xlim(0.02, 1.1)
    axes.set_ylim(-0.5, max(rows.values(), default=0) + 0.45)
    axes.set_axis_off()
    return axes


def _height(id: str, after: dict[str, list[str]], above: frozenset[str]) -> int:
    """Return the number of edges of the longest way on from a node, each node once."""
    return max((1 + _height(end, after, above | {id}) for end in after[id] if end not in above | {id}), default=0)


def _reached(id: str, after: dict[str, list[str]], seen: set[str]) -> set[str]:
    if id not in seen:
        seen.add(id)
        for end in after[id]:
            _reached(end, after, seen)
    return seen


def _fates(analysis: Analysis) -> dict[str, str]:
    """Return the verdict on orbits that end at each attractor."""
    found = {orbit.node: orbit.verdict.singular for orbit in analysis.orbits if orbit.node}
    return {basin.destination: basin.verdict for basin in analysis.flow.basins} | found


def _node(axes: Axes, point: Point, place: tuple[float, float], fate: str) -> None:
    color = fate_color(fate, []) if fate else "white"
    axes.annotate(
        point.id,
        place,
        ha="center",
        va="center",
        fontsize=10,
        fontweight="bold",
        color="white" if fate else INK,
        bbox={
            "boxstyle": "circle,pad=0.42" if point.kind != "infinity" else "round,pad=0.5",
            "facecolor": color,
            "edgecolor": color if fate else (MANIFOLD if point.kind != "start" else INK),
            "linewidth": 1.6,
        },
        zorder=4,
    )
    where = f"({point.x:.3g}, {point.y:.4g})" if math.isfinite(point.y) else f"({point.x:g}, {_infinity(point.y)})"
    kind = _KINDS.get(point.kind, point.stability)
    text = f"{fate}\n{where}" if fate else f"{kind}\n{where}"
    axes.annotate(
        text, place, (18, 4), textcoords="offset points", ha="left", va="center", fontsize=7.5, color=INK, zorder=3,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )  # fmt: skip


def _infinity(y: float) -> str:
    return f"{'+' if y > 0 else '−'}\N{INFINITY}"
