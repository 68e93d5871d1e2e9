"""Labels of points, put where they hide least of what is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastslow.plot.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

Offset = tuple[float, float]
"""Of the nearest corner or edge of a text from its point, in points (1/72 inch): its signs tell the side."""

AROUND: tuple[Offset, ...] = (
    (6, 4), (6, -4), (-6, 4), (-6, -4), (0, 7), (0, -7), (8, 0), (-8, 0), (11, 9), (11, -9), (-11, 9), (-11, -9),
)  # fmt: skip
_LETTER, _LINE = 0.6, 1.15
"""Width of a letter and height of a line, as shares of the font size: generous for DejaVu Sans."""
_APART = 2.0
"""Points between the places at which a line is looked at."""
_MARK = 4.0
"""Half the width of a mark, in points."""


@dataclass(frozen=True)
class Label:
    """What may stand at a point: the first of `texts` that fits beside it, at one of `offsets`, the first is best."""

    texts: tuple[str, ...]
    point: tuple[float, float]
    offsets: tuple[Offset, ...] = AROUND
    size: float = 7.0
    color: str = INK
    style: dict[str, Any] = field(default_factory=dict)


def label_points(axes: Axes, labels: Sequence[Label]) -> None:
    """Write labels beside points of axes, each where it hides least of lines, marks and other labels.

    Parameters
    ----------
    axes : Axes
        Axes on which everything else is drawn already.
    labels : sequence of Label
        In order of importance: a later one makes way.
    """
    axes.get_xlim(), axes.get_ylim()  # settles limits that matplotlib chooses
    ink = _ink(axes)
    scale = 72.0 / axes.figure.dpi
    frame = np.array(axes.bbox.extents) * scale
    places = axes.transData.transform(np.reshape([label.point for label in labels], (-1, 2))) * scale
    taken: list[NDArray[np.float64]] = []
    for at, label in zip(places, labels, strict=True):
        rivals = places[
            [other.offsets == label.offsets for other in labels]
        ]  # the reader takes the nearest for its point
        best: tuple[float, str, Offset, NDArray[np.float64]] | None = None
        for (k, text), (i, offset) in itertools.product(enumerate(label.texts), enumerate(label.offsets)):
            box = _box(at, offset, _LETTER * label.size * len(text), _LINE * label.size)
            hidden = np.all((ink > box[:2] - 1.0) & (ink < box[2:] + 1.0), axis=1).sum()
            over = sum(float(np.all((box[:2] < other[2:]) & (other[:2] < box[2:]))) for other in taken)
            outside = float(np.maximum(frame[:2] - box[:2], 0.0).sum() + np.maximum(box[2:] - frame[2:], 0.0).sum())
            middle = 0.5 * (box[:2] + box[2:])
            foreign = float(np.hypot(*(rivals - middle).T).min() < np.hypot(*(at - middle)) - 1e-6)
            cost = float(hidden) + 30.0 * over + 10.0 * foreign + 0.5 * outside + 0.3 * i + 1.5 * k
            if best is None or cost < best[0]:
                best = (cost, text, offset, box)
        assert best is not None
        _, text, (right, up), box = best
        taken.append(box)
        axes.annotate(
            text,
            label.point,
            xytext=(right, up),
            textcoords="offset points",
            ha="left" if right > 0 else "right" if right < 0 else "center",
            va="bottom" if up > 0 else "top" if up < 0 else "center",
            fontsize=label.size,
            color=label.color,
            bbox={"boxstyle": "round,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            annotation_clip=False,
            **label.style,
        )


def _box(at: NDArray[np.float64], offset: Offset, width: float, height: float) -> NDArray[np.float64]:
    """Return (left, low, right, high) of a text at an offset from a place."""
    (right, up), size = offset, np.array([width, height])
    sides = np.array([np.sign(right), np.sign(up)])
    low = at + offset + np.where(sides > 0, 0.0, np.where(sides < 0, -size, -0.5 * size))
    return np.concatenate((low, low + size))


def _ink(axes: Axes) -> NDArray[np.float64]:
    """Return places, in points, where lines, marks and arrows are drawn inside the axes."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path
    from matplotlib.text import Annotation

    scale, frame = 72.0 / axes.figure.dpi, axes.bbox.extents
    found = [np.empty((0, 2))]
    arrows: list[Any] = [
        text.xy for text in axes.texts if isinstance(text, Annotation) and text.arrow_patch is not None
    ]
    scatters = [group for group in axes.collections if isinstance(group, PathCollection)]
    groups = [np.reshape(arrows, (-1, 2)), *(np.asarray(group.get_offsets()) for group in scatters)]
    for line in axes.lines:
        if line.get_linestyle() == "None":
            groups.append(np.asarray(line.get_xydata(), dtype=float))
            continue
        left, low, right, high = frame
        path = line.get_transform().transform_path(line.get_path())
        path = path.cleaned(remove_nans=True, clip=(left, low, right, high))
        at, codes = np.asarray(path.vertices) * scale, np.asarray(path.codes)
        for start, end, code in zip(at[:-1], at[1:], codes[1:], strict=True):
            if code == Path.LINETO:
                count = 2 + int(np.hypot(*(end - start)) / _APART)
                found.append(np.linspace(start, end, count))
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-_MARK, _MARK, 4)]), axis=-1).reshape(-1, 2)
    # To hide a mark is worse than to hide a line.
    found += [(scale * axes.transData.transform(marks)[:, None] + grid).reshape(-1, 2) for marks in groups]
    return np.concatenate(found)
