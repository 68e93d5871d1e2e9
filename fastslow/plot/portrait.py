"""The portrait of an analysis: critical manifold, special points and orbits in the plane of x and y."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from fastslow.plot.labels import Label, label_points
from fastslow.plot.style import ARCS, CYCLES, INK, LABELS, POINTS, SEPARATRIX, fate_color, new_figure
from fastslow.plot.titles import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.analysis import Analysis
    from fastslow.results import ArcResult, OrbitResult, Point, SegmentResult

Frame = tuple[float, float, float, float]

_MOST_THRESHOLD_LABELS = 4
_GREY = "#555555"
_BESIDE = 0.15
"""Room beside what is drawn, as a share of its width."""
_SMALL = 3.6
"""Inches: on narrower axes thresholds are told with four digits."""
_LABEL_WIDTH = (0.74, 0.48)
"""Inches that a threshold and its mark take, with six digits and with four."""


def portrait_figure(analysis: Analysis, *, size: tuple[float, float] = (9.2, 5.6), full_system: bool = True) -> Figure:
    """Return a figure with the portrait and its legend beside it.

    Parameters
    ----------
    analysis : Analysis
        What to draw.
    size : (float, float)
        Width and height in inches.
    full_system : bool
        Whether to draw the trajectories of the full system as well.
    """
    with new_figure(*size) as figure:
        axes = figure.add_axes((0.09, 0.105, 0.605, 0.80))
        portrait(axes, analysis, full_system=full_system)
        axes.legend(loc="upper left", bbox_to_anchor=(1.06, 1.01), handlelength=2.8, labelspacing=0.55)
    return figure


def portrait_png(analysis: Analysis, dpi: int = 150) -> bytes:
    """Return the portrait as a PNG file that carries the version and the model."""
    import io
    import json

    from fastslow import __version__

    stream = io.BytesIO()
    metadata = {"Software": f"fastslow {__version__}", "Description": json.dumps(analysis.model.table)}
    portrait_figure(analysis).savefig(stream, dpi=dpi, format="png", metadata=metadata)
    return stream.getvalue()


def portrait(
    axes: Axes, analysis: Analysis, *, full_system: bool = True, names: bool = True, frame: Frame | None = None
) -> Axes:
    """Draw the portrait on given axes and return them.

    `names` are the ids of the special points; `frame` is (left, right, low, high), where it is not to be chosen.

    Attracting arcs are solid, repelling dashed, neutral dotted; small triangles show the slow flow. Orbits of
    the singular limit have the colour of their fate in the full system, jumps dashed and drift solid.
    """
    width = float(axes.get_position().width * axes.figure.bbox.width / axes.figure.dpi)
    left, right, low, high = _frame(analysis, width) if frame is None else frame
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    _arcs(axes, analysis)
    axes.plot([], [], linestyle="none", marker=">", color=INK, markersize=5, label="slow flow")
    if full_system:
        _trajectories(axes, analysis)
        _limit_cycles(axes, analysis)
    _orbits(axes, analysis)
    _stable_manifolds(axes, analysis)
    _special_points(axes, analysis)
    at = (left, right, low, high)
    labels = _thresholds(axes, analysis, at, small=width < _SMALL)
    if names:
        labels += _names(analysis, at) + _to_infinity(analysis, at)
    label_points(axes, labels)
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    two_layer = analysis.model.name == "two_layer"
    axes.set_xlabel("alignment R" if two_layer else f"{x} (fast)")
    axes.set_ylabel("second-layer scale a" if two_layer else f"{y} (slow)")
    axes.set_title(title(analysis), fontsize=9.5, loc="left")
    return axes


def background(axes: Axes, analysis: Analysis, frame: Frame) -> Axes:
    """Draw the critical manifold and the special points alone, for x and y in frame = (left, right, low, high)."""
    axes.set_xlim(*frame[:2])
    axes.set_ylim(*frame[2:])
    _arcs(axes, analysis)
    _special_points(axes, analysis)
    return axes


def _frame(analysis: Analysis, width: float) -> Frame:
    """Return (left, right, low, high), for axes of a width in inches: room for the orbits and what they meet."""
    system = analysis.system
    left, right = float(system.lower), float(system.upper)
    heights = [0.0]
    widths = []
    reached = {p.id for p in analysis.points if p.kind in ("fold", "equilibrium", "crossing")}
    outer: list[float] = []
    for orbit in analysis.orbits:
        heights.append(orbit.start[1])
        for segment in orbit.segments:
            lands = segment.kind == "jump" or segment.node in reached or segment.delayed
            (heights if lands else outer).extend(y for _, y in (segment.start, segment.end) if math.isfinite(y))
            widths += [x for x, y in (segment.start, segment.end)]
        if orbit.trajectory.node and math.isinf(orbit.trajectory.final[1]):
            heights.append(1.5 * orbit.start[1])
        elif math.isfinite(orbit.trajectory.final[1]):
            outer += [min(orbit.trajectory.y), max(orbit.trajectory.y)]
    stable = [cycle for cycle in analysis.limit_cycles.cycles if cycle.stability == "stable"]
    heights += [y for cycle in stable for y in (min(cycle.y), max(cycle.y))]
    # What only leaves the picture, or overshoots it, may widen it but not crush the rest.
    room = 0.6 * (max(heights) - min(heights))
    heights += [min(max(y, min(heights) - room), max(heights) + room) for y in outer]
    heights += [t.y for t in analysis.thresholds if any(t.y * o.start[1] > 0 for o in analysis.orbits)]
    if len(heights) == 1 or not analysis.orbits:
        heights += [point.y for point in analysis.points if point.finite]
        widths = [left, right]
    else:
        near = max(abs(h) for h in heights)
        heights += [p.y for p in analysis.points if p.finite and abs(p.y) <= 1.2 * near and _seen(p.x, widths)]
    bottom, top = system.slow_ends
    low, high = max(min(heights), bottom), min(max(heights), top)
    margin = 0.08 * (high - low or 1.0)
    span = right - left
    if widths and min(widths) >= -1e-12 and analysis.system.invariant_window:
        left, span = 0.0, right
    elif widths and max(widths) <= 1e-12 and analysis.system.invariant_window:
        right, span = 0.0, -left
    elif widths and not analysis.system.invariant_window:
        # Of a window that the orbits do not fill, the part in which something happens.
        seen = [x for orbit in analysis.orbits for x in orbit.trajectory.x]
        seen += [x for cycle in stable for x in cycle.x]
        seen += [p.x for p in analysis.points if p.finite and p.kind in ("fold", "equilibrium") and low <= p.y <= high]
        near, far = min(widths + seen), max(widths + seen)
        left, right = max(left, near - _BESIDE * (far - near)), min(right, far + _BESIDE * (far - near))
        span = right - left
    # Room for the labels of thresholds beside the line of starts.
    label = _LABEL_WIDTH[int(width < _SMALL)]
    room = label * 1.06 / max(width - label, label)
    before, after = (room if left == 0 else 0.06), (room if right == 0 else 0.06)
    return (left - before * span, right + after * span, low - margin, high + margin)


def _seen(x: float, widths: list[float]) -> bool:
    return bool(widths) and min(widths) - 0.05 <= x <= max(widths) + 0.05


def _arcs(axes: Axes, analysis: Analysis) -> None:
    labelled: set[str] = set()
    low, high = axes.get_ylim()
    for branch in analysis.branches:
        for arc in branch.arcs:
            x, y = _drawn(arc, low, high)
            if len(x) < 2:
                continue
            kind = arc.fast_stability
            label = None if kind in labelled else f"f = 0, {LABELS[kind]}"
            labelled.add(kind)
            axes.plot(x, y, **ARCS[kind], label=label, zorder=2, solid_capstyle="butt")
            _slow_arrow(axes, arc, x, y)


def _drawn(arc: ArcResult, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of an arc with some room beyond the frame, so that no far point is drawn."""
    x, y = np.asarray(arc.x), np.asarray(arc.y)
    room = high - low
    y_clipped = np.clip(y, low - room, high + room)
    keep = (y_clipped == y) | (np.roll(y_clipped == y, 1)) | (np.roll(y_clipped == y, -1))
    if len(x) and np.all(x == x[0]):
        return x[keep], y_clipped[keep]
    return x[keep], y[keep]


def _slow_arrow(axes: Axes, arc: ArcResult, x: np.ndarray, y: np.ndarray) -> None:
    """Put a triangle at the middle of the visible part of an arc, along the slow flow."""
    if not arc.flow:
        return
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
    if inside.sum() < 2:
        dense_y = np.linspace(max(y.min(), low), min(y.max(), high), 5)
        if dense_y[0] >= dense_y[-1] or not np.all(x == x[0]):
            return
        x, y = np.full(5, x[0]), dense_y
        x, y = (x, y) if arc.y[0] < arc.y[-1] else (x[::-1], y[::-1])
        inside = np.ones(5, dtype=bool)
    u = (x[inside] - left) / (right - left) * 1.2
    v = (y[inside] - low) / (high - low)
    length = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(u), np.diff(v)))))
    if length[-1] < 0.035:
        return
    a, b = ((0.46, 0.54) if arc.flow > 0 else (0.54, 0.46)) if length[-1] > 0.1 else ((0.3, 0.7)[:: arc.flow])
    at = [np.interp(s * length[-1], length, w) for s in (a, b) for w in (x[inside], y[inside])]
    axes.annotate(
        "",
        xy=(at[2], at[3]),
        xytext=(at[0], at[1]),
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 0, "mutation_scale": 14, "alpha": 0.85},
        zorder=6,
        annotation_clip=True,
    )


def _trajectories(axes: Axes, analysis: Analysis) -> None:
    rate = f"{float(analysis.system.slow_rate):g}"
    for i, orbit in enumerate(analysis.orbits):
        path = orbit.trajectory
        if len(path.t) < 2:
            continue
        label = f"full system, slow rate {rate}" if i == 0 else None
        axes.plot(path.x, path.y, color=INK, linewidth=0.9, alpha=0.75, zorder=5, label=label)


def _limit_cycles(axes: Axes, analysis: Analysis) -> None:
    named: set[str] = set()
    for cycle in analysis.limit_cycles.cycles:
        label = None if cycle.stability in named else f"{cycle.stability} limit cycle"
        named.add(cycle.stability)
        axes.plot(cycle.x, cycle.y, **CYCLES[cycle.stability], zorder=5.5, label=label)


def _orbits(axes: Axes, analysis: Analysis) -> None:
    seen: list[str] = []
    named: set[str] = set()
    top, bottom = max(axes.get_ylim()), min(axes.get_ylim())
    for orbit in analysis.orbits:
        fate = orbit.verdict.singular
        color = fate_color(fate, seen)
        for segment in orbit.segments:
            x, y = _segment_points(analysis, segment, bottom, top)
            slow = segment.kind == "slow"
            label = textwrap.fill(f"{fate}: {'drift' if slow else 'jump'}", 27)
            style: dict[str, Any] = (
                {"linestyle": "-", "linewidth": 3.2} if slow else {"linestyle": (0, (5, 1.6)), "linewidth": 1.8}
            )
            axes.plot(
                x,
                y,
                color=color,
                alpha=0.9,
                zorder=4,
                label=None if label in named else label,
                **style,
                solid_capstyle="round",
            )
            named.add(label)
            if not slow:
                _jump_arrow(axes, segment, color)
        _start(axes, orbit, color)


def _start(axes: Axes, orbit: OrbitResult, color: str) -> None:
    axes.plot(*orbit.start, marker="o", markersize=6, color=color, markeredgecolor="white", zorder=7, clip_on=False)


def _jump_arrow(axes: Axes, segment: SegmentResult, color: str) -> None:
    (x0, y0), (x1, _) = segment.start, segment.end
    left, right = axes.get_xlim()
    if abs(x1 - x0) < 0.04 * (right - left):
        return
    middle = x0 + 0.55 * (x1 - x0)
    axes.annotate(
        "",
        xy=(middle + 0.02 * (x1 - x0), y0),
        xytext=(middle, y0),
        arrowprops={"arrowstyle": "-|>", "color": color, "lw": 0, "mutation_scale": 15},
        zorder=6,
    )


def _segment_points(analysis: Analysis, segment: SegmentResult, low: float, high: float) -> tuple[Any, Any]:
    """Return the points of a segment: a straight jump, or the part of its arc between its ends."""
    (x0, y0), (x1, y1) = segment.start, segment.end
    if segment.kind == "jump":
        return (x0, x1), (y0, y1)
    arc = next((a for b in analysis.branches for a in b.arcs if a.id == segment.arc), None)
    far = 2 * high - low if y1 > 0 else 2 * low - high
    end = y1 if math.isfinite(y1) else far
    if arc is None:
        return (x0, x1), (y0, end)
    x, y = np.asarray(arc.x), np.asarray(arc.y)
    inside = (y > min(y0, end)) & (y < max(y0, end))
    order = np.argsort(y[inside]) if end > y0 else np.argsort(-y[inside])
    xs, ys = [x0, *x[inside][order]], [y0, *y[inside][order]]
    if math.isfinite(y1):
        xs, ys = [*xs, x1], [*ys, y1]
    return xs, ys


def _special_points(axes: Axes, analysis: Analysis) -> None:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    groups: dict[str, list[tuple[float, float]]] = {}
    for point in analysis.points:
        if point.at or not (left <= point.x <= right and low <= point.y <= high):
            continue
        name = point.stability if point.kind == "equilibrium" else point.kind
        if name in POINTS:
            groups.setdefault(name, []).append((point.x, point.y))
    for name in POINTS:
        if name in groups:
            xs, ys = zip(*groups[name], strict=True)
            axes.scatter(xs, ys, **POINTS[name], label=LABELS[name], zorder=8, clip_on=False)


def _names(analysis: Analysis, frame: Frame) -> list[Label]:
    """Name the folds, equilibria and crossings, so that the summary can be followed in the picture."""
    left, right, low, high = frame
    order = ("equilibrium", "fold", "crossing")
    named = sorted((p for p in analysis.points if p.kind in order and not p.at), key=lambda p: order.index(p.kind))
    inside = [p for p in named if left <= p.x <= right and low <= p.y <= high]
    return [
        Label((p.id,), (p.x, p.y), color=_GREY, style={"zorder": 7.5})
        for i, p in enumerate(inside)
        if p.kind != "crossing" or not any(_near(p, other, frame) for other in inside[:i])
    ]


def _near(one: Point, other: Point, frame: Frame) -> bool:
    left, right, low, high = frame
    return math.hypot((one.x - other.x) / (right - left), 1.6 * (one.y - other.y) / (high - low)) < 0.045


def _to_infinity(analysis: Analysis, frame: Frame) -> list[Label]:
    """Say of the first orbit that leaves to infinity where it does."""
    low, high = frame[2:]
    for orbit in analysis.orbits:
        x, y = orbit.final
        if math.isinf(y) and orbit.node:
            sign, edge, arrow = ("+", high, "↑") if y > 0 else ("-", low, "↓")
            line_x, line_y = _segment_points(analysis, orbit.segments[-1], low, high)
            order = np.argsort(line_y)
            leaves = float(np.interp(edge, np.asarray(line_y)[order], np.asarray(line_x)[order]))
            up = -3.0 if y > 0 else 3.0
            offsets = tuple((side * away, up) for away in (8, 14, 24) for side in (1, -1))
            texts = (f"{arrow} to ({x:g}, {sign}\N{INFINITY})", f"{arrow} {sign}\N{INFINITY}")
            color = fate_color(orbit.verdict.singular, [])
            return [Label(texts, (leaves, edge), offsets, 8.0, color, {"zorder": 7})]
    return []


def _stable_manifolds(axes: Axes, analysis: Analysis) -> None:
    """Draw the stable manifolds that part the starts, from the saddle back to the line of starts and beyond."""
    parting = {threshold.saddle for threshold in analysis.thresholds}
    label: str | None = "stable manifold, full system"
    for edge in analysis.full_flow.edges:
        if edge.kind == "stable" and edge.end in parting:
            axes.plot(edge.x, edge.y, **SEPARATRIX, zorder=3, label=label)
            label = None


def _thresholds(axes: Axes, analysis: Analysis, frame: Frame, *, small: bool) -> list[Label]:
    """Mark the thresholds of the full system on the line of starts, and return their values as labels."""
    (low, high), x = frame[2:], float(analysis.system.start_fast)
    labels = []
    for i, threshold in enumerate(t for t in analysis.thresholds if low <= t.y <= high):
        # On the side away from the saddle, where no orbit from this start can be; a cycle is on both sides.
        saddle = next((point for point in analysis.points if point.id == threshold.saddle), None)
        side = -1 if saddle is None or saddle.x >= x else 1
        axes.plot(
            [x],
            [threshold.y],
            marker=(3, 0, -90 * side),
            markersize=9,
            color=INK,
            markerfacecolor="#f0e442",
            zorder=9,
            linestyle="none",
            clip_on=False,
            label="threshold of the full system" if i == 0 else None,
        )
        if i < _MOST_THRESHOLD_LABELS:
            # Above or below the stable manifold and never on it, where its dashes would be read as a sign.
            text, size = (f"{threshold.y:.4g}", 6.5) if small else (f"{threshold.y:.6g}", 7.5)
            offsets = tuple((side * away, up) for away in (6, 10) for up in (3, -3))
            labels.append(Label((text,), (x, threshold.y), offsets, size, INK, {"zorder": 8}))
    return labels
