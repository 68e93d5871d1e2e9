"""One legend for several axes of a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase
    from matplotlib.legend import Legend


def shared_legend(
    figure: FigureBase, axes: Iterable[Axes], rename: Callable[[str], str] = str, **options: Any
) -> Legend:
    """Put one legend below several axes, with what they have in common told once, and return it.

    Parameters
    ----------
    figure : Figure or SubFigure
        Where the legend goes: at the bottom in the middle, unless `options` say otherwise.
    axes : iterable of Axes
        What they draw is told; a legend of their own is taken from them.
    rename : callable, optional
        What an entry is called; those that are called the same are one, and "" is left out.
    **options
        As ``Figure.legend`` takes them.
    """
    told: dict[str, Any] = {}
    for panel in axes:
        legend = panel.get_legend()
        if legend is None:
            handles, names = panel.get_legend_handles_labels()
        else:
            handles, names = [h for h in legend.legend_handles if h is not None], [t.get_text() for t in legend.texts]
            legend.remove()
        for handle, name in zip(handles, names, strict=True):
            told.setdefault(rename(name), handle)
    told.pop("", None)
    options = {"loc": "lower center", "handlelength": 2.6, **options}
    return figure.legend(list(told.values()), list(told), **options)
