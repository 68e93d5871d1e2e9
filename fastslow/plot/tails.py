"""Tails to infinity: a and R against time with the predicted powers, and the local slopes on their way to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.plot.style import INK, NEUTRAL, fate_color, new_figure
from fastslow.plot.time_courses import png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.flow.tail_law import TailLaw
    from fastslow.ode.simulation import Simulation
    from fastslow.scales.scaling import Scaling

_MOST_ROWS = 6
_ROW_HEIGHT = 3.5
_FAST_SHADE = 0.5
"""The fast variable has the colour of the slow one, lighter."""
_TRIANGLE = (0.55, 0.75)
"""Where a triangle begins and ends on the logarithmic axis of time."""
_APART = 0.045
"""Distance of a triangle from its curve, as a fraction of the axis."""
_AROUND = 0.6
"""The axis of slopes shows the predicted ones and so much of their size around them."""


def tails_figure(results: Sequence[Scaling], *, width: float = 9.6) -> Figure:
    """Return a figure with a row for each tail, `tails` on the left and `local_slopes` on the right.

    Parameters
    ----------
    results : sequence of Scaling
        Those with a predicted power and a solution; at most six are drawn.
    width : float
        In inches.
    """
    shown = results[:_MOST_ROWS]
    with new_figure(width, _ROW_HEIGHT * len(shown)) as figure:
        axes = figure.subplots(len(shown), 2, squeeze=False, gridspec_kw={"hspace": 0.46, "wspace": 0.33})
        margin = 0.5 / (_ROW_HEIGHT * len(shown))
        figure.subplots_adjust(left=0.06, right=0.975, top=1.0 - 1.15 * margin, bottom=0.95 * margin)
        for (left, right), result in zip(axes, shown, strict=True):
            tails(left, result)
            local_slopes(right, result)
            left.set_title(_title(result), fontsize=9.5, loc="left", pad=10)
            right.legend(loc="lower right", bbox_to_anchor=(1.01, 0.99), ncols=3, handlelength=2.2, columnspacing=1.4)
    return figure


def tails_png(results: Sequence[Scaling], dpi: int = 150) -> bytes:
    """Return the figure as a PNG file that carries the version and the model."""
    return png_of(tails_figure(results), results[0].system, dpi)


def tails(axes: Axes, result: Scaling) -> Axes:
    """Draw |y| and |x - x_0| of a solution against time, both logarithmic, and return the axes.

    Dashed lines are the predicted laws with their prefactors, triangles their slopes.
    """
    law, run = _drawable(result)
    color, (fast, slow) = fate_color(result.fate, []), _names(result, law)
    curves: list[tuple[NDArray[np.float64], str, Fraction | None, float | None, float]] = [
        (np.abs(run.y), slow, law.exponent, law.prefactor, 1.0)
    ]
    if law.fast_exponent is not None:
        away = np.abs(run.x - law.pole)
        curves.append((away, fast, law.fast_exponent, law.fast_prefactor, _FAST_SHADE))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(float(run.t[0]), float(run.t[-1]))
    for values, name, _, _, shade in curves:
        axes.plot(run.t[values > 0], values[values > 0], color=color, alpha=shade, linewidth=2.4, label=name)
    axes.autoscale(axis="x", enable=False)
    low, high = (math.log10(v) for v in axes.get_ylim())
    axes.set_ylim(10.0**low, 10.0**high)
    for values, name, exponent, prefactor, _ in curves:
        assert exponent is not None and prefactor is not None
        axes.plot(run.t, prefactor * run.t ** float(exponent), color=INK, linewidth=0.9, linestyle=(0, (6, 3)))
        _triangle(axes, exponent, prefactor, high - low)
        at = (float(run.t[-1]), float(values[-1]))
        axes.annotate(name, at, xytext=(5, 0), textcoords="offset points", va="center", color=color, fontsize=11)
    axes.set_xlabel("time τ")
    return axes


def local_slopes(axes: Axes, result: Scaling) -> Axes:
    """Draw the local slopes against log time, with dashed lines at the predicted exponents, and return the axes.

    The slope of the falling fast variable is drawn with its sign changed.
    """
    law, run = _drawable(result)
    color, (fast, slow) = fate_color(result.fate, []), _names(result, law)
    assert law.exponent is not None
    exponents = {law.exponent}
    axes.plot(result.t, result.slope_y, color=color, linewidth=2.0, label=f"d log {slow} / d log τ")
    if len(result.slope_x) and law.fast_exponent is not None:
        exponents.add(-law.fast_exponent)
        label = f"−d log {fast} / d log τ"
        axes.plot(result.t, -result.slope_x, color=color, alpha=_FAST_SHADE, linewidth=2.0, label=label)
    for exponent in exponents:
        axes.axhline(float(exponent), color=INK, linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
        axes.annotate(
            str(exponent),
            (0.0, float(exponent)),
            xycoords=("axes fraction", "data"),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=9,
            color=INK,
        )
    axes.set_xscale("log")
    axes.set_xlim(float(run.t[0]), float(run.t[-1]))
    low, high = min(exponents), max(exponents)
    axes.set_ylim(float(low) * (1.0 - _AROUND), float(high) * (1.0 + _AROUND))
    axes.set_xlabel("time τ")
    axes.set_ylabel("local slope")
    return axes


def _drawable(result: Scaling) -> tuple[TailLaw, Simulation]:
    """Return the law and the solution of a result that has both."""
    law, run = result.predicted, result.simulation
    if law is None or law.exponent is None or run is None:
        raise InputError("result", result.status, "has no predicted power of time to draw", "See its verdict")
    return law, run


def _names(result: Scaling, law: TailLaw) -> tuple[str, str]:
    x, y = result.system.fast[0], result.system.slow[0]
    return f"|{x}|" if law.pole == 0 else f"|{x} − {law.pole:.4g}|", f"|{y}|"


def _title(result: Scaling) -> str:
    """Return the predicted law in the paper's notation, and what was fitted."""
    law, (_, slow) = result.predicted, _names(result, _drawable(result)[0])
    assert law is not None and law.exponent is not None
    if law.exponent == 1:
        power = rf"{slow} $\to {law.prefactor:.4g}\,τ$"
    elif 0.0 < law.rate < math.inf:
        power = rf"{slow} $\to ({law.rate:.4g}\,τ)^{{{law.exponent}}}$"
    else:
        power = rf"{slow} $\to {law.prefactor:.4g}\,τ^{{{law.exponent}}}$"
    case = "" if law.case == "general" else f", case ({law.case})" if law.case in ("i", "ii") else f", {law.case}"
    fit = result.fitted
    fitted = "not asymptotic yet" if fit is None else f"fitted exponent {fit.exponent:.9g} ± {fit.error:.0e}"
    on_line = result.start.fast == result.system.start_fast
    start = f"{result.system.slow[0]}$_0$ = {float(result.start.slow):g}" if on_line else f"from {result.origin}"
    return f"{start}:  {power}{case};  {fitted}"


def _triangle(axes: Axes, exponent: Fraction, prefactor: float, decades: float) -> None:
    """Draw a triangle whose hypotenuse has the predicted slope: below a rising curve, above a falling one."""
    left, right = (math.log10(v) for v in axes.get_xlim())
    begin, end = (10.0 ** (left + at * (right - left)) for at in _TRIANGLE)
    shift = 10.0 ** (-_APART * decades * (1 if exponent > 0 else -1))
    first, last = (shift * prefactor * t ** float(exponent) for t in (begin, end))
    axes.plot([begin, end, end, begin], [first, first, last, first], color=NEUTRAL, linewidth=1.1, zorder=1)
    middle = math.sqrt(first * last)
    text = str(exponent).replace("-", "−")
    axes.annotate(text, (end, middle), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9, color=INK)
