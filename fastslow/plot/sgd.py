"""Time courses of trained networks over the two-variable system: alignment, second layer, loss."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastslow.errors import FastSlowError
from fastslow.plot.style import INK, LEARNING, MANIFOLD, NEUTRAL, UNLEARNING, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.ode.simulation import Simulation
    from fastslow.sgd.simulation import SGDRun

_MOST_LINES = 20
"""Up to this many replicas are drawn one by one; of more, the band alone."""
_PANELS = (("R", "alignment R", "R_mean", "R_std"), ("a", "second-layer scale a", "a_mean", "a_std"))


def sgd_figure(run: SGDRun, *, size: tuple[float, float] = (8.6, 7.6)) -> Figure:
    """Return a figure of R, a and the test loss against tau.

    Thick: the median over replicas, in a band of their middle 80 %. Light band: mean plus and minus one standard
    deviation over the neurons of a replica, averaged. Dark: the two-variable system from (0, a0), infinite width.

    Parameters
    ----------
    run : SGDRun
        Trained networks.
    size : (float, float)
        Width and height in inches.
    """
    ode = _two_variables(run)
    with new_figure(*size) as figure:
        axes = figure.subplots(3, 1, sharex=True, gridspec_kw={"hspace": 0.12})
        figure.subplots_adjust(left=0.11, right=0.97, top=0.87, bottom=0.08)
        for axis, (_, label, mean, spread) in zip(axes, _PANELS, strict=False):
            _band(axis, run, mean, UNLEARNING, spread)
            axis.set_ylabel(label)
        _band(axes[2], run, "test_loss", LEARNING)
        axes[2].set_ylabel("test loss E")
        if ode is not None:
            energy = ode.energy
            assert energy is not None
            for axis, values in zip(axes, (ode.x, ode.y, energy), strict=True):
                axis.plot(ode.t, values, color=INK, linewidth=1.2, linestyle=(0, (5, 1.6)), zorder=6, label="ODE")
        axes[2].set_xlabel("time τ = γ · steps / m")
        axes[0].set_title(_title(run), fontsize=9.5, loc="left", pad=22)
        axes[0].legend(loc="lower left", bbox_to_anchor=(-0.01, 0.97), ncols=4, handlelength=2.4)
        for axis in axes:
            axis.margins(x=0.01)
            axis.axhline(0.0, color=NEUTRAL, linewidth=0.6, zorder=0) if axis is axes[0] else None
        figure.align_ylabels(axes)
    return figure


def spread_figure(run: SGDRun, *, neurons: bool = False, size: tuple[float, float] = (8.6, 6.4)) -> Figure:
    """Return a figure of how neurons part: the spread of their alignments, and the mean alignment, against tau.

    Blue: replicas of SGD. Green: equation (16), without the noise of batches. Dashed: a small spread by linear theory,
    exp(int mu_perp dtau) at infinite width and that of the finite width, and below the alignment of equal neurons.
    Dotted: when the growth reaches (1/2) ln d, from which on neurons are not alike. See ``fastslow.symmetry``.

    Parameters
    ----------
    run : SGDRun
        Trained networks of two neurons at least.
    neurons : bool
        Whether equation (16) is integrated and drawn.
    size : (float, float)
        Width and height in inches.
    """
    from fastslow.sgd.symmetry import symmetry

    found = symmetry(run, neurons=neurons)
    with new_figure(*size) as figure:
        above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.12})
        figure.subplots_adjust(left=0.11, right=0.97, top=0.89, bottom=0.09)
        for axis, values in ((above, found.spread), (below, run.course("R_mean"))):
            axis.plot(run.tau, values[:_MOST_LINES].T, color=UNLEARNING, linewidth=1.6, alpha=0.8)
            axis.get_lines()[0].set_label("SGD")
        if found.neurons is not None:
            style: dict[str, Any] = {"color": MANIFOLD, "linewidth": 1.6, "label": "equation (16)"}
            above.plot(found.neurons.tau, found.neurons.R.std(axis=1), **style)
            below.plot(found.neurons.tau, found.neurons.R.mean(axis=1), **style)
        laws = (
            ("infinite width", INK, (0, (5, 1.6)), found.infinite, found.R_infinite),
            ("finite width", LEARNING, (0, (2.5, 1.2)), found.finite, found.R_finite),
        )
        for label, color, dashes, growth, alignment in laws:
            style = {"color": color, "linestyle": dashes, "linewidth": 1.4, "label": label}
            above.plot(found.grid[: len(growth)], found.predicted(growth), **style)
            below.plot(found.grid[: len(alignment)], alignment, **style)
        if np.isfinite(found.expected):
            for axis in (above, below):
                axis.axvline(found.expected, color=NEUTRAL, linestyle=":", linewidth=1.4, zorder=0)
            above.text(found.expected, 0.02, " ½ ln d ", transform=above.get_xaxis_transform(), color=NEUTRAL)
        lowest = np.nanmin(np.where(found.spread > 0.0, found.spread, np.nan))
        above.set(yscale="log", ylim=(0.5 * lowest, 1.5), ylabel="spread of R over neurons")
        below.set(ylabel="mean alignment R", xlabel="time τ = γ · steps / m", xlim=(0.0, run.tau[-1]))
        above.set_title(_title(run), fontsize=9.5, loc="left", pad=22)
        above.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.97), ncols=4, handlelength=2.4)
        figure.align_ylabels((above, below))
    return figure


def sgd_png(run: SGDRun, dpi: int = 150) -> bytes:
    """Return the figure as a PNG file that carries the version and the model."""
    from fastslow.plot.time_courses import png_of

    return png_of(sgd_figure(run), run.system, dpi)


def _two_variables(run: SGDRun) -> Simulation | None:
    """Return the solution of the two-variable system at evenly spaced times; None where it takes no such start."""
    from fastslow.ode.simulation import simulate

    end = float(run.tau[-1])
    try:
        return simulate(run.system, run.options["a0"], end, times=np.linspace(0.0, end, 1000))
    except FastSlowError:
        return None


def _band(axis: Axes, run: SGDRun, name: str, color: str, spread: str | None = None) -> None:
    values = run.course(name)
    with warnings.catch_warnings():
        # times that no replica reached
        warnings.simplefilter("ignore", RuntimeWarning)
        low, middle, high = np.nanquantile(values, (0.1, 0.5, 0.9), axis=0)
        deviation = None if spread is None else np.nanmean(run.course(spread), axis=0)
    style: dict[str, Any] = {"color": color, "linewidth": 0.0}
    if deviation is not None:
        axis.fill_between(
            run.tau, middle - deviation, middle + deviation, alpha=0.15, label="± 1 s.d. over neurons", **style
        )
    if len(values) > 1:
        axis.fill_between(run.tau, low, high, alpha=0.35, label="80 % of replicas", **style)
    if 1 < len(values) <= _MOST_LINES:
        axis.plot(run.tau, values.T, color=color, linewidth=0.5, alpha=0.6)
    label = "SGD, median" if len(values) > 1 else "SGD"
    axis.plot(run.tau, middle, color=color, linewidth=2.0, zorder=5, label=label)


def _title(run: SGDRun) -> str:
    o = run.options
    replicas = f"{o['replicas']} replicas, " if o["replicas"] > 1 else ""
    return (
        f"{replicas}n = {o['n']:g}, d = {o['d']:g}, m = {o['m']}, γ = {o['gamma']:g}, a0 = {o['a0']:g}, "
        f"noise {float(run.system.noise):g} ({o['method']}, {o['dtype']})"
    )
