"""Dark versions of pictures: the same hues, light and dark exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.plot.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER_LIGHTNESS, INK_LIGHTNESS = 0.21, 0.93
"""Lightness in the dark version of what is white, and of ink."""
_BRIGHT, _VIVID = 0.7, 0.14
"""Lightness and chroma beyond which a colour is the same in both versions."""
_LIFT = 0.8
"""Power of the darkness of a colour: below 1, since light lines on dark paper look thinner than the reverse."""
_COLORS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")

# Ottosson's OKLab (2020), in which a change of lightness alone looks like one.
_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                 [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                 [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def dark(figure: Figure) -> Figure:
    """Exchange light and dark in a figure, in place, and return it.

    Hues stay, so that the same things have the same colour in both versions. What is coloured by a colour map
    (an image of a quantity, filled contours) stays as it is; contour lines of a given colour do not.
    """
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, to_rgba_array
    from matplotlib.contour import ContourSet
    from matplotlib.figure import FigureBase
    from matplotlib.image import AxesImage
    from matplotlib.text import Annotation, Text

    figure.draw_without_rendering()  # ticks and legends are made when they are first drawn
    artists: dict[int, Any] = {id(artist): artist for artist in figure.findobj()}
    for artist in list(artists.values()):
        hidden: list[Artist | None] = [artist.get_bbox_patch()] if isinstance(artist, Text) else []
        hidden += [artist.arrow_patch] if isinstance(artist, Annotation) else []
        artists.update({id(part): part for part in hidden if part is not None})
    for artist in artists.values():
        if isinstance(artist, FigureBase | Axes):
            continue  # their colour is that of their patch, which is among the artists
        if isinstance(artist, AxesImage) and np.ndim(np.asarray(artist.get_array())) == 3:
            artist.set_data(exchanged(np.asarray(artist.get_array())))
        elif isinstance(artist, ContourSet):
            if artist.colors is not None:
                artist.set_cmap(ListedColormap(exchanged(to_rgba_array(artist.colors)).tolist()))
        elif not isinstance(artist, ScalarMappable) or artist.get_array() is None:
            _recolour(artist)
    ink = tuple(exchanged([_rgb(INK)])[0])
    for axes in figure.axes:
        axes.tick_params(which="both", colors=ink)
    return figure


def exchanged(colors: ArrayLike) -> NDArray[np.float64]:
    """Return colours (..., 3 or 4) in [0, 1] with light and dark exchanged; the fourth component stays."""
    rgba = np.array(colors, dtype=float)
    lab = np.cbrt(_linear(rgba[..., :3]) @ _LMS.T) @ _LAB.T
    darkest = float((np.cbrt(_linear(np.array(_rgb(INK))) @ _LMS.T) @ _LAB.T)[0])
    share = np.clip((1.0 - lab[..., 0]) / (1.0 - darkest), 0.0, 1.0) ** _LIFT
    # A bright yellow or amber stays, since a dark one is brown.
    bright = (lab[..., 0] > _BRIGHT) & (np.hypot(lab[..., 1], lab[..., 2]) > _VIVID)
    lab[..., 0] = np.where(bright, lab[..., 0], PAPER_LIGHTNESS + (INK_LIGHTNESS - PAPER_LIGHTNESS) * share)
    linear = (lab @ np.linalg.inv(_LAB).T) ** 3 @ np.linalg.inv(_LMS).T
    linear = np.clip(linear, 0.0, 1.0)
    rgba[..., :3] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgba


def _linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def _recolour(artist: Any) -> None:
    """Exchange the colours of an artist, those that it has."""
    from matplotlib.colors import to_rgba_array

    found = {}
    for name in _COLORS:
        if name == "color" and hasattr(artist, "get_facecolor"):
            continue  # that of a patch or collection stands for both its face and its edge
        if hasattr(artist, f"get_{name}") and hasattr(artist, f"set_{name}"):
            found[name] = to_rgba_array(getattr(artist, f"get_{name}")())
    for name, values in found.items():
        if len(values) and values[:, 3].any():  # what is transparent stays so, whatever the alpha of the artist
            new = exchanged(values)
            getattr(artist, f"set_{name}")(new if len(new) > 1 else tuple(new[0]))
