"""The picture of a phase map: fates as areas, boundaries computed as curves over them, corners named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastslow.plot.style import INK, NEUTRAL, RC, fate_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.boundary.curves import Boundary
    from fastslow.sweeps.phase_map import PhaseMap

_PALE = 0.45
"""Share of the colour of a fate in its area; the rest is white, so that curves stand out."""
_MOST_PIXELS = 1500

LIMITS: dict[str, dict[str, Any]] = {
    "ode": {"color": INK, "linestyle": "-", "linewidth": 1.6},
    "singular": {"color": INK, "linestyle": (0, (4, 2.5)), "linewidth": 1.3},
}
_LIMIT_LABELS = {"ode": "boundary, full system", "singular": "boundary, singular limit"}


def phase_map_figure(
    found: PhaseMap, boundaries: Sequence[Boundary] = (), *, size: tuple[float, float] = (7.4, 5.6)
) -> Figure:
    """Return a figure of a phase map with boundary curves over it."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.11, 0.11, 0.85, 0.72))
        phase_map(axes, found, boundaries)
        axes.set_title(_title(found), fontsize=9.5, loc="left", pad=30)
    return figure


def phase_map(axes: Axes, found: PhaseMap, boundaries: Sequence[Boundary] = ()) -> Axes:
    """Draw the fates of the cells, the boundaries over them and the corners, named; return the axes."""
    from matplotlib.patches import Patch

    step = [max(1, -(-n // _MOST_PIXELS)) for n in found.index.shape]
    seen: list[str] = []
    colors = np.array([_area(name, seen) for name in found.fates])
    (x0, x1), (y0, y1) = (_edges(axis.values) for axis in (found.x, found.y))
    image = colors[np.asarray(found.index[:: step[0], :: step[1]])]
    axes.imshow(
        image, origin="lower", extent=(x0, x1, y0, y1), aspect="auto", interpolation="nearest", zorder=0
    )
    handles: list[Any] = [
        Patch(facecolor=color, edgecolor=NEUTRAL, linewidth=0.5, label=name)
        for color, name in zip(colors, found.fates, strict=True)
    ]
    for boundary in boundaries:
        handles += boundary_curves(axes, boundary, upright=found.y.name == boundary.start_name)
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_xlabel(axis_label(found.x.name))
    axes.set_ylabel(axis_label(found.y.name))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, handlelength=2.2)
    return axes


def _edges(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the edges of the area of cells that have their values in the middle."""
    half = 0.5 * (values[-1] - values[0]) / (len(values) - 1)
    return float(values[0] - half), float(values[-1] + half)


def axis_label(name: str) -> str:
    """Return the paper's notation for a parameter or a start."""
    head, _, rest = name.partition("[")
    k = rest.rstrip("]")
    if rest and head in ("c", "c_star"):
        star = "^*" if head == "c_star" else ""
        return rf"$c{star}_{{{k}}}$"
    named = {"a0": r"initial scale $\bar a$", "slow_rate": r"slow rate $\eta$", "noise": r"noise $\sigma_\varepsilon$"}
    return named.get(name, name)


def _area(name: str, seen: list[str]) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    if name == "not valid":
        return (1.0, 1.0, 1.0)
    if name == "undecided":
        return (0.75, 0.75, 0.75)
    red, green, blue = to_rgb(fate_color(name, seen))
    return (1 - _PALE * (1 - red), 1 - _PALE * (1 - green), 1 - _PALE * (1 - blue))
