"""The levels of one network in a picture: SGD over the critical manifold, and time courses with their window."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastslow.levels.level import GRAM
from fastslow.plot.portrait import background
from fastslow.plot.style import INK, LEARNING, NEUTRAL, fate_color, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.levels.validate import Validation

_MOST_LINES = 32
_FINITE: dict[str, Any] = {"color": "#cc79a7", "linewidth": 2.0, "linestyle": (0, (4, 1.4)), "zorder": 7}
_ODE: dict[str, Any] = {"color": INK, "linewidth": 1.6, "linestyle": (0, (1.2, 1.2)), "zorder": 6}


def levels_figure(found: Validation, *, size: tuple[float, float] = (11.0, 6.0)) -> Figure:
    """Return a figure: left the plane of R and a, in the form of the paper's Figure 7; right R, a and Q against tau.

    Thin: replicas of SGD, mean over neurons. Thick: their mean, with a band of one standard deviation of the replicas.
    Grey: times after the window in which two variables speak for the network.

    Parameters
    ----------
    found : Validation
        What to draw.
    size : (float, float)
        Width and height in inches.
    """
    with new_figure(*size) as figure:
        grid = figure.add_gridspec(
            3, 2, width_ratios=(1.35, 1.0), left=0.065, right=0.985, top=0.90, bottom=0.20, wspace=0.2, hspace=0.14
        )
        plane = figure.add_subplot(grid[:, 0])
        _plane(plane, found)
        axes = [figure.add_subplot(grid[0, 1])]
        axes += [figure.add_subplot(grid[row, 1], sharex=axes[0]) for row in (1, 2)]
        _courses(axes, found)
        figure.align_ylabels(axes)
        options = found.gram.options
        figure.text(
            0.065,
            0.945,
            f"n = {options['n']:g}, d = {options['d']:g}, m = {options['m']}, γ = {options['gamma']:g}, "
            f"a0 = {options['a0']:g}, noise {float(found.system.noise):g}, {options['replicas']} replicas",
            fontsize=9.5,
        )
        handles, labels = plane.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.055, 0.005), ncols=5, handlelength=2.6)
    return figure


def levels_png(found: Validation, dpi: int = 150) -> bytes:
    """Return the figure as a PNG file that carries the version and the model."""
    from fastslow.plot.time_courses import png_of

    return png_of(levels_figure(found), found.system, dpi)


def _color(found: Validation) -> str:
    verdict = found.level(GRAM).verdict
    return fate_color(verdict, []) if verdict in ("learning", "unlearning") else LEARNING


def _plane(axes: Axes, found: Validation) -> None:
    run, color = found.gram, _color(found)
    R, a = run.course("R_mean"), run.course("a_mean")
    background(axes, found.analysis, _frame(found))
    for k in range(min(len(R), _MOST_LINES)):
        axes.plot(R[k], a[k], color=color, linewidth=0.6, alpha=0.45, zorder=5)
    middle = _over_replicas(R)[0], _over_replicas(a)[0]
    axes.plot(*middle, color=color, linewidth=2.2, zorder=5.5, label=f"SGD, mean of {len(R)}")
    axes.plot(middle[0][-1], middle[1][-1], marker="o", markersize=5, color=color, markeredgecolor="white", zorder=9)
    axes.plot(found.finite.R, found.finite.a, label="finite width", **_FINITE)
    axes.plot(found.ode.x, found.ode.y, label="ODE, infinite width", **_ODE)
    axes.plot(0.0, run.options["a0"], marker="o", markersize=6, color=INK, zorder=9, clip_on=False)
    axes.set_xlabel("alignment R")
    axes.set_ylabel("second-layer scale a")


def _over_replicas(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of those that are left at each time; NaN where none is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=0)), np.asarray(np.nanstd(values, axis=0))


def _frame(found: Validation) -> tuple[float, float, float, float]:
    """Return (left, right, low, high): the side on which the start goes, all courses, and finite equilibria nearby."""
    run = found.gram
    R = np.concatenate([run.course("R_mean").ravel(), found.ode.x, found.finite.R])
    a = np.concatenate([run.course("a_mean").ravel(), found.ode.y, found.finite.a])
    low, high = min(0.0, float(np.nanmin(a))), max(0.0, float(np.nanmax(a)))
    reach = 1.5 * (high - low)
    near = [p.y for p in found.analysis.points if p.kind == "equilibrium" and p.finite and abs(p.y) <= reach]
    side = 1.0 if float(np.nanmean(R)) >= 0.0 else -1.0
    near = [y for y in near if y * run.options["a0"] > 0.0]
    low, high = min([low, *near]), max([high, *near])
    room = 0.06 * (high - low)
    left, right = sorted((-0.06 * side, 1.04 * side))
    return min(left, float(np.nanmin(R)) - 0.02), max(right, float(np.nanmax(R)) + 0.02), low - room, high + room


def _courses(axes: list[Axes], found: Validation) -> None:
    run, color = found.gram, _color(found)
    ode, finite = found.ode, found.finite
    panels = (
        ("alignment R", "R_mean", ode.x, finite.R),
        ("scale a", "a_mean", ode.y, finite.a),
        ("overlap Q", "Q_mean", ode.x**2, finite.Q),
    )
    for axis, (label, name, own, wide) in zip(axes, panels, strict=True):
        values = run.course(name)
        mean, spread = _over_replicas(values)
        axis.fill_between(run.tau, mean - spread, mean + spread, color=color, alpha=0.25, linewidth=0.0)
        axis.plot(run.tau, mean, color=color, linewidth=2.0, zorder=5)
        axis.plot(ode.t, own, **_ODE)
        axis.plot(finite.tau, wide, **_FINITE)
        axis.set_ylabel(label)
        axis.margins(x=0.01)
        if found.window.tau < run.tau[-1]:
            axis.axvspan(found.window.tau, float(run.tau[-1]), color=NEUTRAL, alpha=0.16, linewidth=0.0, zorder=0)
        axis.tick_params(labelbottom=axis is axes[-1])
    axes[-1].set_xlabel("time τ = γ · steps / m")
    if found.window.tau < run.tau[-1]:
        title = f"two variables valid until τ = {found.window.tau:.3g} ({found.window.limited_by})"
    else:
        title = "two variables valid over the whole run"
    axes[0].set_title(title, fontsize=9.0, loc="left")
