"""The system of finite width in a picture: critical manifold and orbits in (R, a), overlaps, equilibria by width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastslow.plot.style import ARCS, INK, LABELS, NEUTRAL, POINTS, fate_color, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.sgd.finite_width_fates import FiniteWidthFates
    from fastslow.sgd.finite_width_manifold import FiniteWidthManifold
    from fastslow.sgd.width_diagram import WidthDiagram

_STYLES = {"attracting": "attracting", "saddle": "repelling", "repelling": "repelling"}
_WIDE = 40.0
"""Where the heights differ by more than this factor, they are drawn on a logarithmic scale beyond 1."""
_TIMES = 40_000


def finite_width_figure(
    manifold: FiniteWidthManifold,
    *,
    fates: FiniteWidthFates | None = None,
    starts: Sequence[float] = (),
    widths: WidthDiagram | None = None,
    size: tuple[float, float] = (11.0, 5.6),
) -> Figure:
    """Return a figure: left (R, a), right above (R, Q), right below the equilibria against the width, if given.

    Parameters
    ----------
    manifold : FiniteWidthManifold
        What to draw.
    fates : FiniteWidthFates, optional
        Its thresholds are marked on the line of starts.
    starts : sequence of float
        Starts a0 whose solutions are drawn.
    widths : WidthDiagram, optional
        For the third panel.
    size : (float, float)
        Width and height in inches.
    """
    with new_figure(*size) as figure:
        grid = figure.add_gridspec(
            2 if widths is not None else 1, 2, width_ratios=(1.3, 1.0),
            left=0.065, right=0.985, top=0.91, bottom=0.2, wspace=0.2, hspace=0.42,
        )  # fmt: skip
        plane = figure.add_subplot(grid[:, 0])
        heights = _heights(manifold, fates, starts)
        _plane(plane, manifold, fates, heights, _sides(manifold, starts))
        overlaps = figure.add_subplot(grid[0, 1])
        _overlaps(overlaps, manifold, heights)
        overlaps.set_xlim(plane.get_xlim())
        _solutions(plane, overlaps, manifold, fates, starts)
        if widths is not None:
            width_equilibria(figure.add_subplot(grid[1, 1]), widths, m=manifold.network.m)
        network = manifold.network
        figure.text(
            0.065, 0.945, f"m = {network.m:g}, γ = {network.gamma:g}, n/d = {network.delta:g}, "
            f"noise {float(network.system.noise):g}", fontsize=9.5,
        )  # fmt: skip
        handles, labels = plane.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(
            unique.values(), unique.keys(), loc="lower left", bbox_to_anchor=(0.055, 0.005), ncols=5, handlelength=2.6
        )
    return figure


def finite_width_plane(
    axes: Axes, manifold: FiniteWidthManifold, *, fates: FiniteWidthFates | None = None, starts: Sequence[float] = ()
) -> Axes:
    """Draw the critical manifold of a width in (R, a), its equilibria, thresholds and solutions; return the axes."""
    _plane(axes, manifold, fates, _heights(manifold, fates, starts), _sides(manifold, starts))
    _solutions(axes, None, manifold, fates, starts)
    return axes


def finite_width_png(
    manifold: FiniteWidthManifold,
    *,
    fates: FiniteWidthFates | None = None,
    starts: Sequence[float] = (),
    widths: WidthDiagram | None = None,
    dpi: int = 150,
) -> bytes:
    """Return the figure as a PNG file that carries the version and the model."""
    from fastslow.plot.time_courses import png_of

    figure = finite_width_figure(manifold, fates=fates, starts=starts, widths=widths)
    return png_of(figure, manifold.network.system, dpi)


def _heights(
    manifold: FiniteWidthManifold, fates: FiniteWidthFates | None, starts: Sequence[float]
) -> tuple[float, float]:
    """Return the range of a: equilibria, folds, starts, thresholds."""
    values = [0.0, *(e.a for e in manifold.equilibria), *(p.a for p in manifold.points), *starts]
    values += [t.a0 for t in fates.thresholds] if fates is not None else []
    if starts:
        # the side on which nothing starts is of no interest
        sides = {math.copysign(1.0, a0) for a0 in starts}
        values = [v for v in values if v == 0.0 or math.copysign(1.0, v) in sides]
    low, high = min(values), max(values)
    room = 0.12 * (high - low)
    return (low - room if low < 0.0 else -0.04 * high), (high + room if high > 0.0 else -0.04 * low)


def _sides(manifold: FiniteWidthManifold, starts: Sequence[float]) -> tuple[float, float]:
    """Return the range of R: the side to which all starts go, or both."""
    first = math.copysign(1.0, float(manifold.network.system.s[0]))
    sides = {first * math.copysign(1.0, a0) for a0 in starts}
    return (-1.04 if -1.0 in sides or not sides else -0.06), (1.04 if 1.0 in sides or not sides else 0.06)


def _plane(
    axes: Axes,
    manifold: FiniteWidthManifold,
    fates: FiniteWidthFates | None,
    heights: tuple[float, float],
    sides: tuple[float, float],
) -> None:
    model = manifold.network.system
    low, high = heights
    for side in (-1.0, 1.0):
        R = side * np.concatenate((np.geomspace(1e-4, 0.1, 200), np.linspace(0.1, 1.0, 400)[1:]))
        a = model.h(R)
        axes.plot(
            R, np.where(np.abs(a) < 1e6, a, np.nan), color=NEUTRAL, linewidth=1.0, zorder=2, label="infinite width"
        )
    for arc in manifold.arcs:
        axes.plot(arc.R, arc.a, **ARCS[_STYLES[arc.fast_stability]], zorder=3, label=_name(arc.fast_stability))
    axes.axhline(0.0, zorder=1, **ARCS["neutral"])
    for point in manifold.points:
        if low <= point.a <= high:
            kind = "fold" if point.kind == "fold" else "crossing" if point.kind == "crossing" else "center"
            label = {"fold": "fold", "crossing": "crossing"}.get(point.kind, "fast Hopf point")
            axes.scatter(point.R, point.a, zorder=8, label=label, **POINTS[kind])
    for e in manifold.equilibria:
        if low <= e.a <= high:
            kind = e.stability.split(",")[0]
            axes.scatter(e.R, e.a, zorder=9, label=LABELS[kind], **POINTS[kind])
    for threshold in fates.thresholds if fates is not None else ():
        if low <= threshold.a0 <= high:
            axes.plot(
                0.0, threshold.a0, marker="_", markersize=18, markeredgewidth=2.0, color=INK, zorder=9,
                linestyle="none", label="threshold",
            )  # fmt: skip
    axes.set_ylim(low, high)
    if high > _WIDE or low < -_WIDE:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_xlim(*sides)
    axes.set_xlabel("alignment R")
    axes.set_ylabel("second-layer scale a")


def _name(stability: str) -> str:
    return "attracting" if stability == "attracting" else "not attracting"


def _overlaps(axes: Axes, manifold: FiniteWidthManifold, heights: tuple[float, float]) -> None:
    """Draw Q against R, with Q = R^2 of infinite width."""
    low, high = heights
    R = np.linspace(-1.0, 1.0, 401)
    axes.plot(R, R**2, color=NEUTRAL, linewidth=1.0, zorder=2)
    for arc in manifold.arcs:
        inside = (arc.a >= low) & (arc.a <= high)
        style = ARCS[_STYLES[arc.fast_stability]]
        axes.plot(np.where(inside, arc.R, np.nan), np.where(inside, arc.Q, np.nan), **style, zorder=3)
    for e in manifold.equilibria:
        if low <= e.a <= high:
            axes.scatter(e.R, e.Q, zorder=9, **POINTS[e.stability.split(",")[0]])
    axes.set_xlabel("alignment R")
    axes.set_ylabel("overlap Q")
    axes.set_ylim(-0.06, 1.06)


def _solutions(
    plane: Axes,
    overlaps: Axes | None,
    manifold: FiniteWidthManifold,
    fates: FiniteWidthFates | None,
    starts: Sequence[float],
) -> None:
    network, overlap = manifold.network, fates.overlap if fates is not None else 0.0
    for a0 in starts:
        end = network.rest((0.0, overlap, a0))
        last = max(end.tau, 1.0) if end.settled else 1e3
        course = network.solve((0.0, overlap, a0), np.append(0.0, np.geomspace(1e-5 / abs(a0), last, _TIMES)))
        color = fate_color(end.verdict, [])
        name = end.verdict if end.settled else "does not come to rest"
        plane.plot(course.R, course.a, color=color, linewidth=1.8, zorder=6, label=name)
        plane.plot(0.0, a0, marker="o", markersize=5, color=color, zorder=7)
        if overlaps is not None:
            overlaps.plot(course.R, course.Q, color=color, linewidth=1.8, zorder=6)


def width_equilibria(axes: Axes, widths: WidthDiagram, *, m: float | None = None) -> Axes:
    """Draw a of the equilibria against the width, with what is found there, and a line at width m; return the axes."""
    for branch in widths.branches:
        stable = branch.unstable == 0
        for mask, style in ((stable, ARCS["attracting"]), (~stable, ARCS["repelling"])):
            # neighbours belong to both, so that the line has no gap
            wide = mask | np.append(mask[1:], False)
            axes.plot(np.where(wide, branch.m, np.nan), np.where(wide, branch.a, np.nan), **style, zorder=3)
    for point in widths.points:
        kind = "fold" if point.kind == "saddle-node" else "center"
        axes.scatter(point.m, point.a, zorder=8, **POINTS[kind])
    for a0, found in widths.critical.items():
        for critical in found:
            axes.plot(critical.m, a0, marker="|", markersize=12, markeredgewidth=2.0, color=INK, zorder=9)
    if m is not None:
        axes.axvline(m, color=NEUTRAL, linewidth=1.0, linestyle=":", zorder=1)
    axes.set_xscale("log")
    a = np.concatenate([branch.a for branch in widths.branches]) if widths.branches else np.ones(1)
    if (a > 0.0).all():
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=min(1.0, float(np.abs(a).max())))
    axes.set_xlim(*widths.between)
    axes.set_xlabel("width m")
    axes.set_ylabel("a at rest")
    return axes
