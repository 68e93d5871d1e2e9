"""Time courses of a start: the full system over the singular orbit, and the staircase of the energy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from fastslow.plot.style import INK, NEUTRAL, fate_color, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from fastslow.flow.singular_course import CoursePiece, SingularCourse
    from fastslow.systems.system import FastSlowSystem, Start

Quantity = Literal["x", "y", "energy"]
Levels = Literal["beside", "inside", "nowhere"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

_MANY_SIZES = 30.0
"""From this ratio on a scale of one sign is drawn logarithmically."""
_MOST_LEVELS = 8
_LEVEL_APART = 0.08
"""Levels nearer to another one, as a share of the axis, are drawn but not told inside the axes."""
_BESIDE = 1.5
"""Room before the first time and after the last, so that a jump there is not on the edge."""


class Run(Protocol):
    """A solution of the full system: what ``Trajectory``, ``TimeScales`` and ``Simulation`` have in common."""

    @property
    def start(self) -> Start:
        """The exact start."""
        ...

    @property
    def t(self) -> NDArray[np.float64]:
        """Times."""
        ...

    @property
    def x(self) -> NDArray[np.float64]:
        """Fast variable."""
        ...

    @property
    def y(self) -> NDArray[np.float64]:
        """Slow variable."""
        ...

    @property
    def energy(self) -> NDArray[np.float64] | None:
        """Energy of the model, None where it has none."""
        ...

    @property
    def system(self) -> FastSlowSystem:
        """The system."""
        ...


def time_courses_figure(
    run: Run, course: SingularCourse | None = None, *, size: tuple[float, float] = (8.6, 7.4)
) -> Figure:
    """Return a figure of alignment, scale and test loss against log time; of a model without energy two panels.

    Parameters
    ----------
    run : Run
        The full system: a ``Trajectory``, ``TimeScales`` or ``Simulation``.
    course : SingularCourse, optional
        The singular orbit of the same start, from ``fastslow.flow.singular_course``.
    size : (float, float)
        Width and height in inches.
    """
    panels = 2 if run.energy is None else 3
    with new_figure(size[0], size[1] * panels / 3) as figure:
        axes = figure.subplots(panels, 1, sharex=True, gridspec_kw={"hspace": 0.12})
        told = run.energy is not None and course is not None and course.jump_times
        right = 0.79 if told else 0.97  # the levels of the energy are told beside it
        figure.subplots_adjust(left=0.125, right=right, top=1.0 - 0.29 / panels, bottom=0.24 / panels)
        time_courses(list(axes), run, course)
        axes[0].set_title(start_title(run), fontsize=9.5, loc="left", pad=22)
        axes[0].legend(loc="lower left", bbox_to_anchor=(-0.01, 0.98), ncols=3, handlelength=2.6)
        figure.align_ylabels(axes)
    return figure


def time_courses_png(run: Run, course: SingularCourse | None = None, dpi: int = 150) -> bytes:
    """Return the figure as a PNG file that carries the version and the model."""
    return png_of(time_courses_figure(run, course), run.system, dpi)


def png_of(figure: Figure, system: FastSlowSystem, dpi: int = 150) -> bytes:
    """Return a figure as a PNG file that carries the version and the model."""
    import io
    import json

    from fastslow import __version__

    stream = io.BytesIO()
    metadata = {"Software": f"fastslow {__version__}", "Description": json.dumps(system.table())}
    figure.savefig(stream, dpi=dpi, format="png", metadata=metadata)
    return stream.getvalue()


def time_courses(axes: Sequence[Axes], run: Run, course: SingularCourse | None = None) -> Sequence[Axes]:
    """Draw x, y and, where there is a third of the axes, the energy against log time; return the axes.

    The full system is a thin dark line. The singular orbit has the colour of its fate, drift solid and jumps
    dashed; its time is that of the reduced flow. Dotted levels are the energy before and after each jump.
    """
    for axis, quantity in zip(axes, QUANTITIES[: len(_drawn(run))], strict=False):
        time_course(axis, run, quantity, course, levels="beside")
        axis.set_xlabel("")
        if axis is not axes[0]:
            for line in axis.lines:
                line.set_label("_")
    axes[-1].set_xlabel("time τ")
    return axes


def time_course(
    axes: Axes, run: Run, quantity: Quantity, course: SingularCourse | None = None, *, levels: Levels = "inside"
) -> Axes:
    """Draw one quantity of a solution against log time, as `time_courses` does, and return the axes.

    Parameters
    ----------
    axes : Axes
        Axes; several solutions may be drawn on the same.
    run : Run
        The full system.
    quantity : str
        "x", "y" or "energy".
    course : SingularCourse, optional
        The singular orbit of the same start.
    levels : str
        Where the levels of the energy are told: "beside" the axes, "inside" or "nowhere".
    """
    index = QUANTITIES.index(quantity)
    values = _drawn(run)[index]
    left = first_time(run)
    shown = from_time(run.t, left)
    alone = not axes.lines
    axes.plot(np.maximum(run.t[shown], left), values[shown], color=INK, linewidth=1.0, zorder=5, label="full system")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xscale("log")
    ends = time_limits(run)
    axes.set_xlim(ends if alone else (min(ends[0], axes.get_xlim()[0]), max(ends[1], axes.get_xlim()[1])))
    axes.set_ylabel(_names(run.system)[index])
    if quantity == "y":
        _scale_slow(axes, values[shown])
    if course is not None:
        _overlay(axes, index, course, left)
        if quantity == "energy" and levels != "nowhere":
            _levels(axes, course, beside=levels == "beside")
    axes.set_xlabel("time τ")
    return axes


def _drawn(of: Run | CoursePiece) -> list[NDArray[np.float64]]:
    """Return what the panels show: both variables and, where the model has one, the energy."""
    return [of.x, of.y] if of.energy is None else [of.x, of.y, of.energy]


def first_time(run: Run) -> float:
    """Return a time to begin a logarithmic axis with: some time before the fast variable has moved by a hundredth."""
    away = np.abs(run.x - float(run.start.fast))
    moved = np.flatnonzero(away > 0.01 * away.max())
    positive = run.t[run.t > 0.0]
    time = float(run.t[moved[0]]) if len(moved) else float(positive[0])
    return max(0.3 * time, float(positive[0]))


def time_limits(run: Run) -> tuple[float, float]:
    """Return the ends of a logarithmic axis of time."""
    return first_time(run) / _BESIDE, _BESIDE * float(run.t[-1])


def from_time(t: NDArray[np.float64], left: float) -> slice:
    """Return the points from the last at or before a time on; that is drawn there."""
    return slice(max(int(np.searchsorted(t, left, side="right")) - 1, 0), None)


def start_title(run: Run) -> str:
    """Return the start and the slow rate of a run in words."""
    system, x, y = run.system, float(run.start.fast), float(run.start.slow)
    return f"from ({system.fast[0]}, {system.slow[0]}) = ({x:.6g}, {y:.6g}), slow rate {float(system.slow_rate):g}"


def _names(system: FastSlowSystem) -> tuple[str, str, str]:
    if system.kind == "two_layer":
        return "alignment R", "second-layer scale a", "test loss E"
    return f"{system.fast[0]} (fast)", f"{system.slow[0]} (slow)", system.energy_name


def _scale_slow(axis: Axes, values: NDArray[np.float64]) -> None:
    """Draw a slow variable of one sign logarithmically where it covers many sizes, as on the way to infinity."""
    sizes = np.abs(values)
    least = float(sizes.min())
    if values.min() < 0.0 < values.max() or sizes.max() <= _MANY_SIZES * least:
        return
    if values[0] > 0.0:
        axis.set_yscale("log")
    else:
        axis.set_yscale("symlog", linthresh=least)


def _overlay(axes: Axes, index: int, course: SingularCourse, left: float) -> None:
    color = fate_color(course.orbit.verdict, [])
    named: set[str] = set()
    until = " until it repeats itself" if course.orbit.verdict == "relaxation oscillation" else ""
    for piece in course.pieces:
        what = "singular limit, jump" if piece.jumps else f"singular limit, drift{until}"
        kept = slice(None) if piece.jumps else from_time(piece.t, left)
        t = np.maximum(piece.t[kept], left)  # what begins at time zero begins at the edge of a logarithmic axis
        style: dict[str, Any] = (
            {"linestyle": (0, (5, 1.6)), "linewidth": 1.8} if piece.jumps else {"linestyle": "-", "linewidth": 3.2}
        )
        label = None if what in named else what
        values = _drawn(piece)[index][kept]
        axes.plot(t, values, color=color, alpha=0.8, zorder=4, label=label, solid_capstyle="butt", **style)
        named.add(what)


def _levels(axis: Axes, course: SingularCourse, *, beside: bool) -> None:
    """Draw the energy before and after each jump as levels with their values, and what the jump takes."""
    jumps = [piece for piece in course.pieces if piece.jumps and piece.energy is not None][: _MOST_LEVELS // 2]
    levels: list[tuple[float, str]] = []
    for number, piece in enumerate(jumps, start=1):
        before, after = _ends(piece)
        if beside:
            levels += [
                (before, f"before jump {number}: {before:.5g}"),
                (after, f"after: {after:.5g} (ΔE {before - after:.3g})"),
            ]
        else:
            levels += [(before, f"{before:.4g}"), (after, f"{after:.4g}")]
    for value, _ in levels:
        axis.axhline(value, color=NEUTRAL, linestyle=":", linewidth=1.0, zorder=1)
    low, high = axis.get_ylim()
    low, high = min([low, *(value for value, _ in levels)]), max([high, *(value for value, _ in levels)])
    high += (0.03 if beside else 0.09) * (high - low)
    axis.set_ylim(low, high)
    place = [(value - low) / (high - low) for value, _ in levels]
    if beside:
        for (_, text), height in zip(levels, _apart(place, 0.085), strict=True):
            axis.text(1.01, height, text, transform=axis.transAxes, fontsize=7.5, va="center", color=INK)
        return
    told: list[float] = []
    for (_, text), height in zip(levels, place, strict=True):
        if all(abs(height - other) > _LEVEL_APART for other in told):
            axis.annotate(
                text, (0.995, height), (0, 2.5), xycoords="axes fraction", textcoords="offset points",
                fontsize=7.5, ha="right", color=INK, zorder=6,
            )  # fmt: skip
            told.append(height)


def _ends(piece: CoursePiece) -> tuple[float, float]:
    assert piece.energy is not None
    return float(piece.energy[0]), float(piece.energy[-1])


def _apart(heights: list[float], least: float) -> list[float]:
    """Return heights moved apart so that texts at them do not overlap, in the same order."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    for below, above in itertools.pairwise(order):
        moved[above] = max(moved[above], moved[below] + least)
    for i, k in enumerate(reversed(order)):
        moved[k] = min(moved[k], 1.0 - i * least)
    return moved
