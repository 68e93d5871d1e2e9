"""Bifurcation diagrams: folds or equilibria against a parameter, and their bifurcations in two parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastslow.plot.style import INK, LEARNING, MANIFOLD, NEUTRAL, REPELLING, UNLEARNING, new_figure
from fastslow.plot.time_courses import png_of
from fastslow.plot.titles import axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram

_DASHED, _DOTTED = (0, (4, 2)), (0, (1, 1.6))
_LINES: dict[str, dict[str, Any]] = {
    "stable": {"color": MANIFOLD, "linestyle": "-", "linewidth": 2.2},
    "unstable": {"color": REPELLING, "linestyle": _DASHED, "linewidth": 1.9},
    "saddle": {"color": INK, "linestyle": _DOTTED, "linewidth": 1.7},
    "center": {"color": NEUTRAL, "linestyle": "-", "linewidth": 1.4},
    "attracting below": {"color": UNLEARNING, "linestyle": "-", "linewidth": 2.0},
    "attracting above": {"color": LEARNING, "linestyle": _DASHED, "linewidth": 2.0},
    "saddle-node": {"color": MANIFOLD, "linestyle": "-", "linewidth": 2.0},
    "supercritical": {"color": UNLEARNING, "linestyle": "-", "linewidth": 2.0},
    "subcritical": {"color": UNLEARNING, "linestyle": _DASHED, "linewidth": 2.0},
    "hopf": {"color": UNLEARNING, "linestyle": _DOTTED, "linewidth": 2.0},
    "transcritical": {"color": NEUTRAL, "linestyle": "-", "linewidth": 1.1, "zorder": 3},
    "cusp": {"color": MANIFOLD, "linestyle": "-", "linewidth": 2.0},
    "canard point": {"color": LEARNING, "linestyle": _DASHED, "linewidth": 2.0},
}
_LINE_NAMES = {
    "center": "neutral or degenerate",
    "attracting below": "fold, branch attracts below in {x}",
    "attracting above": "fold, branch attracts above in {x}",
    "supercritical": "Hopf, supercritical",
    "subcritical": "Hopf, subcritical",
    "hopf": "Hopf, not decided",
    "saddle-node": "saddle-node of equilibria",
    "cusp": "cusp of folds",
}
_MARKS: dict[str, tuple[str, str, str]] = {
    "cusp": ("^", INK, "CP"),
    "canard point": ("D", "white", "C"),
    "fold at crossing": ("X", INK, "X"),
    "branch point": ("P", INK, "BP"),
    "isola centre": ("h", "white", "IC"),
    "singular point": ("h", NEUTRAL, "S"),
    "saddle-node": ("s", INK, "SN"),
    "transcritical": ("X", "white", "T"),
    "hopf": ("o", "white", "H"),
    "Bogdanov-Takens": ("s", INK, "BT"),
    "Bautin": ("o", INK, "GH"),
    "swallowtail": ("v", INK, "SW"),
    "canard point at cusp": ("D", INK, "CC"),
    "saddle-node at canard point": ("s", "white", "SC"),
    "transcritical at saddle-node": ("X", INK, "TS"),
    "saddle-node at transcritical": ("P", "white", "ST"),
}
_MARK_NAMES = {"hopf": "Hopf point", "Bautin": "Bautin (generalised Hopf)", "fold at crossing": "fold at a crossing"}
_ROOM = 0.08
"""Free space around what is drawn, as a fraction of the axis."""
_STEEP = 3.0
"""The slow axis shows special points and so many times the typical height of the curves."""
_OFFSETS = (
    (8, 6),
    (8, -13),
    (-8, 6),
    (-8, -13),
    (0, 12),
    (0, -19),
    (18, 0),
    (-18, 0),
    (16, 16),
    (-16, 16),
    (16, -25),
    (-16, -25),
)
_LABEL_SIZE = 9.0


def bifurcation_figure(diagram: Diagram) -> Figure:
    """Return a figure: in one parameter the fast and the slow variable against it, in two the plane of both.

    With a second axis of a start there is one panel, the slow variable in that range.
    """
    both = len(diagram.axes) == 1
    with new_figure(9.4, 7.4 if both else 5.2) as figure:
        panels = figure.subplots(2 if both else 1, 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(left=0.085, right=0.71, top=0.965, bottom=0.075 if both else 0.11, hspace=0.09)
        if len(diagram.family.names) == 2:
            two_parameters(panels[0], diagram)
        else:
            if both:
                against_parameter(panels[0], diagram, slow=False)
            against_parameter(panels[-1], diagram, slow=True)
            panels[-1].set_xlabel(axis_label(diagram.axes[0].name))
        handles = {label: handle for panel in panels for handle, label in zip(*_legend(panel), strict=True)}
        panels[0].legend(
            handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0,
            handlelength=2.6, labelspacing=0.7,
        )  # fmt: skip
    return figure


def bifurcation_png(diagram: Diagram, dpi: int = 150) -> bytes:
    """Return the figure as a PNG file that carries the version and a model of the family."""
    return png_of(bifurcation_figure(diagram), diagram.sample, dpi)


def against_parameter(axes: Axes, diagram: Diagram, *, slow: bool) -> Axes:
    """Draw the fast or the slow variable of all curves against the parameter, with the special points."""
    name = diagram.sample.slow[0] if slow else diagram.sample.fast[0]
    fast = diagram.sample.fast[0]
    drawn: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for curve in diagram.curves:
        height = curve.y if slow else curve.x
        for word, piece in curve.pieces():
            label = _LINE_NAMES.get(word, word).format(x=fast)
            axes.plot(curve.parameters[0, piece], height[piece], label=label, **_LINES[word])
        drawn.append((curve.parameters[0], height))
    axis = diagram.axes[0]
    axes.set_xlim(float(axis.low), float(axis.high))
    axes.set_ylim(*_slow_limits(diagram) if slow else _around(float(diagram.sample.lower), float(diagram.sample.upper)))
    axes.set_ylabel(name)
    _points(axes, diagram.points, [(p.parameters[0], p.y if slow else p.x) for p in diagram.points], drawn)
    return axes


def two_parameters(axes: Axes, diagram: Diagram) -> Axes:
    """Draw the curves of codimension 1 in the plane of two parameters, with the points of codimension 2."""
    first, second = diagram.axes
    for curve in diagram.curves:
        for word, piece in curve.pieces():
            style = _kind(curve, word)
            label = _LINE_NAMES.get(style, style)
            axes.plot(curve.parameters[0, piece], curve.parameters[1, piece], label=label, **_LINES[style])
    axes.set_xlim(*_around(float(first.low), float(first.high), 0.02))
    axes.set_ylim(*_around(float(second.low), float(second.high), 0.02))
    axes.set_xlabel(axis_label(first.name))
    axes.set_ylabel(axis_label(second.name))
    drawn = [(curve.parameters[0], curve.parameters[1]) for curve in diagram.curves]
    _points(axes, diagram.points, [(p.parameters[0], p.parameters[1]) for p in diagram.points], drawn)
    return axes


def _kind(curve: BifurcationCurve, word: str) -> str:
    return word if curve.kind == "hopf" and word in ("supercritical", "subcritical") else curve.kind


def _around(low: float, high: float, room: float = _ROOM) -> tuple[float, float]:
    return low - room * (high - low), high + room * (high - low)


def _slow_limits(diagram: Diagram) -> tuple[float, float]:
    """Return the range of the slow axis: what was asked for, or the special points and the typical heights."""
    if diagram.slow_axis is not None:
        return float(diagram.slow_axis.low), float(diagram.slow_axis.high)
    heights = [curve.y[np.isfinite(curve.y)] for curve in diagram.curves]
    whole = np.concatenate([*heights, [p.y for p in diagram.points]])
    if not len(whole):
        return -1.0, 1.0
    typical = _STEEP * float(np.median(np.abs(whole)))
    most = max([typical, *(abs(p.y) for p in diagram.points)])
    shown = whole[np.abs(whole) <= most]
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (-1.0, 1.0)
    return _around(low, high) if high > low else (low - 1.0, low + 1.0)


def _legend(axes: Axes) -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list(handles), list(labels)


def _points(
    axes: Axes,
    points: Sequence[BifurcationPoint],
    places: Sequence[tuple[float, float]],
    drawn: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> None:
    """Mark the special points within the axes, with a label where it covers least."""
    taken: list[tuple[float, float]] = []
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    lines = [axes.transData.transform(np.column_stack(pair)) for pair in drawn]
    inked = np.concatenate(lines) if lines else np.empty((0, 2))
    for place in places:
        inked = np.vstack((inked, axes.transData.transform(place)))
    labelled: list[tuple[str, float, float]] = []
    for point, (x, y) in zip(points, places, strict=True):
        if not (left <= x <= right and low <= y <= high):
            continue
        marker, face, short = _MARKS.get(point.kind, ("*", INK, point.kind))
        name = _MARK_NAMES.get(point.kind, point.kind)
        axes.scatter(
            [x], [y], marker=marker, s=46, facecolor=face, edgecolor=INK, linewidth=1.2, zorder=6, clip_on=False,
            label=f"{short}  {name}",
        )  # fmt: skip
        labelled.append((short, x, y))
    merged: dict[tuple[int, int], list[tuple[str, float, float]]] = {}
    for short, x, y in labelled:
        at = axes.transData.transform((x, y))
        merged.setdefault((round(at[0] / 3), round(at[1] / 3)), []).append((short, x, y))
    marks = axes.transData.transform([group[0][1:] for group in merged.values()]) if merged else np.empty((0, 2))
    for group in merged.values():
        text = ", ".join(dict.fromkeys(short for short, _, _ in group))
        _, x, y = group[0]
        at = axes.transData.transform((x, y))
        offset = min(_OFFSETS, key=lambda offset: _cover(at, offset, text, inked, taken, marks))
        taken.append(_middle(at, offset, text))
        axes.annotate(
            text, (x, y), xytext=offset, textcoords="offset points", fontsize=_LABEL_SIZE, color=INK, zorder=7,
            ha="left" if offset[0] > 0 else ("right" if offset[0] < 0 else "center"), va="bottom",
            annotation_clip=False,
        )  # fmt: skip


def _middle(at: NDArray[np.float64], offset: tuple[int, int], text: str) -> tuple[float, float]:
    """Return the middle of a label in pixels."""
    dots = 100.0 / 72.0
    shift = math.copysign(0.32 * _LABEL_SIZE * len(text), offset[0]) if offset[0] else 0.0
    return at[0] + dots * (offset[0] + shift), at[1] + dots * (offset[1] + 0.5 * _LABEL_SIZE)


def _cover(
    at: NDArray[np.float64],
    offset: tuple[int, int],
    text: str,
    inked: NDArray[np.float64],
    taken: Sequence[tuple[float, float]],
    marks: NDArray[np.float64],
) -> float:
    """Return how much of curves and labels a label at an offset covers, and whether another mark is nearer to it."""
    x, y = _middle(at, offset, text)
    dots = 100.0 / 72.0
    half = (dots * (0.34 * _LABEL_SIZE * len(text) + 2.0), dots * (0.5 * _LABEL_SIZE + 2.0))
    hidden = np.sum((np.abs(inked[:, 0] - x) < half[0]) & (np.abs(inked[:, 1] - y) < half[1]))
    labels = sum(abs(u - x) < 2.0 * half[0] and abs(v - y) < 2.0 * half[1] for u, v in taken)
    own = math.hypot(x - at[0], y - at[1])
    nearer = np.sum(np.hypot(marks[:, 0] - x, marks[:, 1] - y) < 0.95 * own)
    return float(hidden) + 50.0 * labels + 30.0 * float(nearer)
