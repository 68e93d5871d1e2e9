"""Phase maps and phase boundaries: fates as areas, computed boundaries as curves over them, corners named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.plot.style import INK, NEUTRAL, RC, fate_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.sweeps.phase_map import PhaseMap
    from fastslow.systems.families import Axis

_STRENGTH = 0.42
"""Share of the colour of a fate in its area; the rest is white, so that curves stand out."""
_MOST_PIXELS = 1500

LIMITS: dict[str, dict[str, Any]] = {
    "ode": {"color": INK, "linestyle": "-", "linewidth": 1.7},
    "singular": {"color": INK, "linestyle": (0, (4, 2.2)), "linewidth": 1.2},
}
_LABELS = {"ode": "boundary, full system", "singular": "boundary, singular limit"}
_CORNER: dict[str, Any] = {"marker": "o", "s": 30, "facecolor": "white", "edgecolor": INK, "linewidth": 1.3}


class Boundary(Protocol):
    """The boundary of either limit, as far as it is drawn."""

    @property
    def axis(self) -> Axis:
        """The parameter."""

    @property
    def curves(self) -> Sequence[Any]:
        """The curves, with `parameter` and `y`."""

    @property
    def corners(self) -> Sequence[Any]:
        """The corners, with `kind`, `parameter` and `y`."""

    @property
    def limit(self) -> str:
        """The limit, "singular" or "ode"."""


def phase_map_figure(
    found: PhaseMap, boundaries: Sequence[Boundary] = (), *, size: tuple[float, float] = (7.6, 5.6)
) -> Figure:
    """Return a figure of a phase map with boundary curves over it."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        phase_map(figure.add_axes((0.1, 0.11, 0.86, 0.74)), found, boundaries)
    return figure


def phase_map(axes: Axes, found: PhaseMap, boundaries: Sequence[Boundary] = ()) -> Axes:
    """Draw the fates of the cells, the boundaries over them and the corners, named; return the axes."""
    from matplotlib.patches import Patch

    step = [max(1, -(-n // _MOST_PIXELS)) for n in found.index.shape]
    seen: list[str] = []
    colors = np.array([_area(name, seen) for name in found.fates])
    (x0, x1), (y0, y1) = (_edges(axis.values) for axis in (found.x, found.y))
    image = colors[np.asarray(found.index[:: step[0], :: step[1]])]
    axes.imshow(image, origin="lower", extent=(x0, x1, y0, y1), aspect="auto", interpolation="nearest", zorder=0)
    handles: list[Any] = [
        Patch(facecolor=tuple(color), edgecolor=NEUTRAL, linewidth=0.5, label=name)
        for color, name in zip(colors, found.fates, strict=True)
    ]
    upright = found.y.name == found.plane.slow_start
    for boundary in boundaries:
        handles += _curves(axes, boundary, upright, (x0, x1, y0, y1))
    return _framed(axes, (x0, x1, y0, y1), (found.x.name, found.y.name), handles)


def boundary_figure(
    boundaries: Sequence[Boundary],
    start_name: str,
    starts: tuple[float, float],
    *,
    size: tuple[float, float] = (7.6, 5.6),
) -> Figure:
    """Return a figure of phase boundaries alone, with their corners."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.1, 0.11, 0.86, 0.76))
        axis = boundaries[0].axis
        frame = (float(axis.low), float(axis.high), *starts)
        handles = [handle for boundary in boundaries for handle in _curves(axes, boundary, True, frame)]
        _framed(axes, frame, (axis.name, start_name), handles)
    return figure


def axis_label(name: str) -> str:
    """Return the paper's notation for a parameter or a start."""
    head, _, rest = name.partition("[")
    if rest and head in ("c", "c_star"):
        star = "^*" if head == "c_star" else ""
        return rf"$c{star}_{{{rest.rstrip(']')}}}$"
    named = {"a0": r"initial scale $\bar a$", "slow_rate": r"slow rate $\eta$", "noise": r"noise $\sigma_\varepsilon$"}
    return named.get(name, name)


Frame = tuple[float, float, float, float]


def _framed(axes: Axes, frame: Frame, names: tuple[str, str], handles: list[Any]) -> Axes:
    axes.set_xlim(frame[:2])
    axes.set_ylim(frame[2:])
    axes.set_xlabel(axis_label(names[0]))
    axes.set_ylabel(axis_label(names[1]))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, handlelength=2.0)
    return axes


def _curves(axes: Axes, boundary: Boundary, upright: bool, frame: Frame) -> list[Any]:
    """Draw the curves and corners of one boundary; return the handles of the legend."""
    from matplotlib.lines import Line2D

    style = LIMITS[boundary.limit]
    for curve in boundary.curves:
        along = np.asarray(curve.parameter), np.clip(curve.y, -1e300, 1e300)
        axes.plot(*(along if upright else along[::-1]), **style, zorder=4)
    placed: list[NDArray[np.float64]] = []
    for corner in boundary.corners:
        at = (corner.parameter, corner.y) if upright else (corner.y, corner.parameter)
        share = (np.array(at) - frame[::2]) / (np.array(frame[1::2]) - frame[::2])
        if not (np.isfinite(share).all() and (share >= 0.0).all() and (share <= 1.0).all()):
            continue
        axes.scatter(*at, **_CORNER, zorder=6)
        if all(np.abs(share - other).max() > 0.05 for other in placed):
            placed.append(share)
            right, low = share[0] < 0.6, share[1] < 0.8
            axes.annotate(
                f"{corner.kind}\n({corner.parameter:.6g}, {corner.y:.6g})",
                at,
                (9 if right else -9, 7 if low else -7),
                textcoords="offset points",
                ha="left" if right else "right",
                va="bottom" if low else "top",
                fontsize=7.5,
                color=INK,
                zorder=7,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.72, "pad": 1.2},
            )
    return [Line2D([], [], **style, label=_LABELS[boundary.limit])]


def _edges(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the edges of the area of cells that have their values in the middle."""
    half = 0.5 * (values[-1] - values[0]) / (len(values) - 1)
    return float(values[0] - half), float(values[-1] + half)


def _area(name: str, seen: list[str]) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    plain = {"not valid": (1.0, 1.0, 1.0), "undecided": (0.72, 0.72, 0.72), "set aside": (0.45, 0.45, 0.45)}
    if name in plain:
        return plain[name]
    return tuple(1.0 - _STRENGTH * (1.0 - part) for part in to_rgb(fate_color(name, seen)))
