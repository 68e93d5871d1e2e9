"""One style for all pictures: the same colours and marks for the same things, colour-blind safe, readable in grey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNING = "#d55e00"
UNLEARNING = "#0072b2"
OTHER_FATES = ("#cc79a7", "#8b6f00", "#56b4e9", "#6a3d9a")
"""Fates that are neither learning nor unlearning, in order of appearance (after Okabe and Ito)."""
MANIFOLD = "#1b7f5c"
REPELLING = "#7fb8a4"
NEUTRAL = "#9a9a9a"
INK = "#222222"

ARCS: dict[str, dict[str, Any]] = {
    "attracting": {"color": MANIFOLD, "linestyle": "-", "linewidth": 2.2},
    "repelling": {"color": REPELLING, "linestyle": (0, (4, 2)), "linewidth": 1.8},
    "neutral": {"color": NEUTRAL, "linestyle": ":", "linewidth": 1.4},
}

SEPARATRIX: dict[str, Any] = {"color": INK, "linestyle": (0, (7, 1.5, 1.2, 1.5)), "linewidth": 1.3}
"""Stable manifolds of saddles in the full system: the borders of its basins."""

CYCLES: dict[str, dict[str, Any]] = {
    "stable": {"color": "#e69f00", "linestyle": "-", "linewidth": 2.0},
    "unstable": {"color": "#e69f00", "linestyle": (0, (2, 1.5)), "linewidth": 2.0},
}
"""Limit cycles of the full system."""

POINTS: dict[str, dict[str, Any]] = {
    "fold": {"marker": "D", "s": 34, "facecolor": "white", "edgecolor": INK, "linewidth": 1.3},
    "stable": {"marker": "o", "s": 58, "facecolor": INK, "edgecolor": INK, "linewidth": 1.3},
    "saddle": {"marker": "s", "s": 40, "facecolor": "white", "edgecolor": INK, "linewidth": 1.3},
    "unstable": {"marker": "o", "s": 52, "facecolor": "white", "edgecolor": INK, "linewidth": 1.3},
    "center": {"marker": "h", "s": 66, "facecolor": "#bbbbbb", "edgecolor": INK, "linewidth": 1.3},
    "crossing": {"marker": "x", "s": 34, "color": INK, "linewidth": 1.3},
}

LABELS = {
    "fold": "fold",
    "stable": "stable equilibrium",
    "saddle": "saddle",
    "unstable": "unstable equilibrium",
    "center": "center (degenerate)",
    "crossing": "crossing",
    "attracting": "attracting",
    "repelling": "repelling",
    "neutral": "neutral",
}

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "pdf.fonttype": 42,
    "svg.hashsalt": "fastslow",
}
"""What all pictures have in common, as matplotlib's parameters: ``matplotlib.pyplot.style.use(STYLE)``."""


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Give a figure of a size in inches, in the style; matplotlib's parameters are then as they were."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def fate_color(fate: str, seen: list[str]) -> str:
    """Return the colour of a fate; other fates than learning and unlearning get colours in order of `seen`."""
    if fate in ("learning", "unlearning"):
        return LEARNING if fate == "learning" else UNLEARNING
    if fate not in seen:
        seen.append(fate)
    return OTHER_FATES[seen.index(fate) % len(OTHER_FATES)]
