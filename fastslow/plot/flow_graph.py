"""The flow graph as a graph: special points in layers, attractors below, drift solid and jumps dashed."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastslow.plot.style import INK, MANIFOLD, NEUTRAL, fate_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastslow.analysis import Analysis
    from fastslow.results import Point

Place = tuple[float, float]
Pair = tuple[str, str]
Slot = tuple[str, str, int]
"""(node, "", 0), or (start, end, row) where an edge passes a row."""

_BESIDE = 0.7
"""Share of a node's room to the right of it, where it is told what it is."""
_BOW = 0.35
"""Height of an edge between nodes of one row."""
_PASSING = 0.45
"""Room for an edge that passes a row, as a share of that for a node."""
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
    place, ways = _layout(points, rows, list(edges))
    fates = _fates(analysis)
    for (start, end), edge in edges.items():
        reached = _reached(end, after, set())
        only = {fates[id] for id in reached if id in fates}
        color = fate_color(only.pop(), []) if len(only) == 1 else NEUTRAL
        _arrow(axes, ways[start, end], color, slow=edge.kind == "slow")
    for id, (x, y) in place.items():
        _node(axes, points[id], (x, y), fates.get(id, ""))
    for name, slow in (("drift along an arc", True), ("jump", False)):
        axes.plot([], [], color=NEUTRAL, **_line(slow), label=name)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(-0.5, max(rows.values(), default=0) + 0.45)
    axes.set_axis_off()
    return axes


def _height(id: str, after: dict[str, list[str]], above: frozenset[str]) -> int:
    """Return the number of edges of the longest way on from a node, each node once."""
    return max((1 + _height(end, after, above | {id}) for end in after[id] if end not in above | {id}), default=0)


def _layout(
    points: dict[str, Point], rows: dict[str, int], edges: list[Pair]
) -> tuple[dict[str, Place], dict[Pair, list[Place]]]:
    """Return the place of each node, and the places through which each edge goes.

    An edge that passes a row has a slot of its own there (Sugiyama, Tagawa and Toda 1981), so that it meets no node.
    Slots stand in the order in which they are found from the attractors backwards, so that trees do not cross.
    """
    ways: dict[Pair, list[Slot]] = {}
    row: dict[Slot, int] = {(id, "", 0): rows[id] for id in points}
    before: dict[Slot, list[Slot]] = {slot: [] for slot in row}
    for start, end in edges:
        step = -1 if rows[end] < rows[start] else 1
        passed = [(start, end, k) for k in range(rows[start] + step, rows[end], step)]
        row |= {slot: slot[2] for slot in passed}
        ways[start, end] = [(start, "", 0), *passed, (end, "", 0)]
        for one, other in itertools.pairwise(ways[start, end]):
            before.setdefault(other, []).append(one)
    order: dict[Slot, None] = {}

    def find(slot: Slot) -> None:
        if slot not in order:
            order[slot] = None
            for earlier in sorted(before.get(slot, ()), key=lambda s: (row[s], points[s[0]].x, s)):
                find(earlier)

    for slot in sorted((s for s in row if not s[1]), key=lambda s: (row[s], points[s[0]].x, s)):
        find(slot)
    place = {}
    for k in {*row.values()}:
        line = [slot for slot in order if row[slot] == k]
        widths = [_PASSING if slot[1] else 1.0 for slot in line]
        for slot, width, right in zip(line, widths, itertools.accumulate(widths), strict=True):
            place[slot] = ((right - (0.5 if slot[1] else _BESIDE) * width) / sum(widths), float(k))
    return {id: place[id, "", 0] for id in points}, {pair: [place[slot] for slot in way] for pair, way in ways.items()}


def _arrow(axes: Axes, way: list[Place], color: str, *, slow: bool) -> None:
    """Draw an edge through the places of its way, from the rim of its first node to that of the last."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    t = np.linspace(0.0, 1.0, 30)
    s = t if len(way) == 2 else t * t * (3.0 - 2.0 * t)
    parts = [np.stack((x0 + s * (x1 - x0), y0 + t * (y1 - y0)), 1) for (x0, y0), (x1, y1) in itertools.pairwise(way)]
    if way[0][1] == way[-1][1]:  # in one row, as of a cycle: there above, back below
        parts[0][:, 1] += _BOW * np.sin(np.pi * t) * np.sign(way[-1][0] - way[0][0])

    def between(start: Any, end: Any, *, shrinkA: float, shrinkB: float, **patches: Any) -> Path:
        at = axes.transData.transform(np.concatenate(parts))
        length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))))
        kept = np.linspace(shrinkA, length[-1] - shrinkB, 60)
        return Path(np.stack([np.interp(kept, length, v) for v in at.T], axis=1))

    connection: Any = between  # any callable will do
    arrow = FancyArrowPatch(
        way[0], way[-1], connectionstyle=connection, arrowstyle="-|>", color=color, shrinkA=17, shrinkB=18,
        mutation_scale=14, zorder=2, **_line(slow),
    )  # fmt: skip
    axes.add_patch(arrow)


def _line(slow: bool) -> dict[str, Any]:
    return {"linewidth": 2.0, "linestyle": "-"} if slow else {"linewidth": 1.5, "linestyle": (0, (4, 2))}


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
