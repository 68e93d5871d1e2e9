"""Time scales along a solution against log time, with the power of the tail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastslow.plot.style import INK, MANIFOLD, NEUTRAL, OTHER_FATES, new_figure
from fastslow.plot.time_courses import first_time, from_time, start_title, time_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.flow.branch_scales import PoleScales
    from fastslow.flow.singular_course import SingularCourse
    from fastslow.scales.timescales import TimeScales

_IN_TAIL = 0.1
"""A solution is in the tail of a branch once the powers at the pole give its ratio to so much."""

_PAPER = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}


def time_scales_figure(
    scales: TimeScales,
    poles: Sequence[PoleScales] = (),
    course: SingularCourse | None = None,
    *,
    size: tuple[float, float] = (8.6, 5.6),
) -> Figure:
    """Return a figure of |lambda_s / lambda_f| and the alignment of the fast direction against log time.

    Parameters
    ----------
    scales : TimeScales
        Of the solution, from ``fastslow.scales.timescales``.
    poles : sequence of PoleScales, optional
        Powers on the branches to infinity, from ``fastslow.flow.branch_scales``; that of the tail is drawn.
    course : SingularCourse, optional
        The singular orbit, whose jumps are marked.
    size : (float, float)
        Width and height in inches.
    """
    with new_figure(*size) as figure:
        axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.2, "height_ratios": (1.6, 1)})
        figure.subplots_adjust(left=0.11, right=0.97, top=0.85, bottom=0.10)
        time_scales_courses(list(axes), scales, poles, course)
        legend = axes[0].legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2, handlelength=2.6)
        pad = 36 if len(legend.get_texts()) > 2 else 21
        axes[0].set_title(start_title(scales), fontsize=9.5, loc="left", pad=pad)
    return figure


def time_scales_courses(
    axes: Sequence[Axes],
    scales: TimeScales,
    poles: Sequence[PoleScales] = (),
    course: SingularCourse | None = None,
) -> Sequence[Axes]:
    """Draw the ratio of the eigenvalues on the first of two axes and the alignment on the second; return them."""
    ratio, alignment = axes
    fast = scales.system.fast[0]
    left = first_time(scales)
    kept = from_time(scales.t, left)
    t, some = np.maximum(scales.t[kept], left), scales.ratio[kept] > 0.0
    ratio.plot(t[some], scales.ratio[kept][some], color=INK, linewidth=1.3, zorder=4, label="along the solution")
    ratio.set_yscale("log")
    ratio.axhline(
        scales.epsilon,
        color=MANIFOLD,
        linewidth=1.2,
        linestyle=(0, (6, 2)),
        zorder=3,
        label=rf"average $\varepsilon = \Lambda_s/\Lambda_f$ = {scales.epsilon:.3g}",
    )
    low, high = ratio.get_ylim()
    for pole in poles:
        tail = in_tail(scales, pole)
        if tail.any() and pole.exponent is not None:
            _power(ratio, scales, pole, tail)
    ratio.set_ylim(low, max(high, 1.0))
    alignment.plot(t, scales.alignment[kept], color=INK, linewidth=1.3, zorder=4)
    alignment.axhline(scales.mean_alignment, color=MANIFOLD, linewidth=1.2, linestyle=(0, (6, 2)), zorder=3)
    alignment.text(
        1.0,
        1.03,
        f"average {_near_one(scales.mean_alignment)}",
        transform=alignment.transAxes,
        ha="right",
        fontsize=8.5,
    )
    alignment.set_ylim(-0.04, 1.06)
    jumps = [time for time in (course.jump_times if course is not None else ()) if time > 0.0]
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlim(*time_limits(scales))
        for i, time in enumerate(jumps):
            label = "jumps of the singular limit" if i == 0 and axis is ratio else None
            axis.axvline(time, color=NEUTRAL, linewidth=1.2, linestyle=":", zorder=1, label=label)
    ratio.set_ylabel(r"$|\lambda_s/\lambda_f|$")
    alignment.set_ylabel(rf"$|v_f\cdot e_{fast}|$" if len(fast) == 1 else f"alignment with {fast}")
    alignment.set_xlabel("time τ")
    return axes


def _near_one(value: float) -> str:
    return f"1 − {1.0 - value:.2g}" if 0.0 < 1.0 - value < 1e-3 else f"{value:.3g}"


def in_tail(scales: TimeScales, pole: PoleScales) -> np.ndarray:
    """Return which points of a solution have the ratio of the tail towards a pole, from one of them to the last."""
    distance = np.abs(scales.x - pole.node.x)
    if pole.exponent is None or pole.decay is None or not np.isfinite(scales.y[-1]):
        return np.zeros(len(scales.t), dtype=bool)
    side = np.sign(scales.y) == np.sign(pole.node.y)
    side &= np.sign(scales.x - pole.node.x) == np.sign(pole.arc.other_end(pole.node).x - pole.node.x)
    with np.errstate(divide="ignore"):
        gap = np.abs(scales.ratio / (pole.coefficient * distance ** float(pole.exponent)) - 1.0)
    off = np.flatnonzero(~(side & (gap <= _IN_TAIL)))
    first = off[-1] + 1 if len(off) else 0
    return np.arange(len(scales.t)) >= first


def _power(axis: Axes, scales: TimeScales, pole: PoleScales, tail: np.ndarray) -> None:
    """Draw the ratio that the exact orders at the pole give for where the solution is."""
    assert pole.exponent is not None and pole.decay is not None
    fast, x0 = scales.system.fast[0], pole.node.x
    distance = f"|{fast}|" if x0 == 0 else f"|{fast} - {x0:.4g}|"
    slope = pole.exponent / pole.decay
    predicted = pole.coefficient * np.abs(scales.x[tail] - x0) ** float(pole.exponent)
    axis.plot(
        scales.t[tail],
        predicted,
        color=OTHER_FATES[0],
        linewidth=4.0,
        alpha=0.55,
        zorder=2,
        label=f"predicted tail: {pole.coefficient:.4g} {distance}$^{{{pole.exponent}}}$, slope $-${slope} in the limit",
    )
