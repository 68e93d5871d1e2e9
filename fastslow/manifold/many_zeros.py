"""The common zeros of formulas with parameters, for many values of these at once: each proved, in doubles.

What ``isolation`` does for one system; the boxes of all are cut and tested together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.isolation import Bounds, Search
from fastslow.manifold.many_boxes import halved, middles
from fastslow.systems.expressions import Expression

Array = NDArray[np.float64]

_TOGETHER = 64
"""Values whose boxes are cut together."""
_MOST = 4000
"""Boxes of one value."""
_SHRINKINGS = 6
_BESIDE = 1e-14
"""Distance from the edge, in units of the box, within which a zero is not told from it."""


@dataclass(frozen=True, eq=False)
class ManyZeros:
    """The zeros of n formulas in n variables for M values of the parameters.

    Attributes
    ----------
    number : ndarray of int, shape (Z,)
        The value that each zero belongs to.
    box : ndarray, shape (Z, n, 2)
        Small boxes, each with exactly one zero.
    lost : ndarray of bool, shape (M,)
        The values of which not all zeros are known.
    """

    number: NDArray[np.int64]
    box: Array
    lost: NDArray[np.bool_]


def many_zeros(
    functions: Sequence[Expression], names: Sequence[str], bounds: Bounds, parameters: Sequence[str], values: Array
) -> ManyZeros:
    """Find every common zero of n formulas in n variables in a box, for each value of the parameters.

    Parameters
    ----------
    functions : sequence of Expression
        In the variables and the parameters.
    names, parameters : sequence of str
        The n variables, and m parameters.
    bounds : sequence of pairs of Fraction
        The box of the variables. Where a zero is not told from its edge, the value counts as lost.
    values : ndarray, shape (M, m, 2)
        Lower and upper bounds of each value of the parameters.
    """
    found = []
    for first in range(0, len(values), _TOGETHER):
        part = _Many(functions, names, bounds, parameters, values[first : first + _TOGETHER]).search()
        found.append(ManyZeros(part.number + first, part.box, part.lost))
    return ManyZeros(*(np.concatenate([getattr(p, name) for p in found]) for name in ("number", "box", "lost")))


class _Many(Search):
    """Boxes here have a side for each variable and each parameter, and one for the number of their value."""

    def __init__(
        self,
        functions: Sequence[Expression],
        names: Sequence[str],
        bounds: Bounds,
        parameters: Sequence[str],
        values: Array,
    ) -> None:
        super().__init__(functions, names, bounds, parameters)
        self.width = np.concatenate([self.width, np.full(len(parameters) + 1, np.inf)])  # these are not cut
        self.values_given = values
        self.lost = np.zeros(len(values), dtype=bool)
        self.wide: list[Array] = []
        self.tight: list[Array] = []

    def search(self) -> ManyZeros:
        first, count = self.first_boxes(), len(self.values_given)
        numbers = np.repeat(np.arange(count, dtype=np.float64), len(first))
        boxes = np.concatenate(
            [
                np.tile(first, (count, 1, 1)),
                np.repeat(self.values_given, len(first), axis=0),
                np.stack([numbers, numbers], axis=-1)[:, None, :],
            ],
            axis=1,
        )
        while len(boxes):
            boxes = self.without_single_zeros(*self.reduced(boxes))
            number = _numbers(boxes)
            self.lost[number[self.small(boxes)]] = True
            self.lost |= np.bincount(number, minlength=count) > _MOST
            boxes = halved(boxes[~self.lost[number]], self.width)
        return self.each_once()

    def keep(self, wide: Array, tight: Array) -> None:
        """Keep the zeros that are the only ones in boxes."""
        self.wide.append(wide)
        self.tight.append(tight)

    def each_once(self) -> ManyZeros:
        """Return the zeros in the window, each once, in boxes as small as doubles make them."""
        n = self.n
        wide = np.concatenate([np.empty((0, len(self.width), 2)), *self.wide])
        box = wide.copy()
        box[:, :n] = np.concatenate([np.empty((0, n, 2)), *self.tight])
        for _ in range(_SHRINKINGS):
            with np.errstate(all="ignore"):
                _, images, _, _ = self.krawczyk(box, middles(box))
            for j, (low, high) in enumerate(images):
                box[:, j, 0] = np.fmax(box[:, j, 0], low)
                box[:, j, 1] = np.fmin(box[:, j, 1], high)
        number, box, wide = _numbers(box), box[:, :n], wide[:, :n]
        window = self.window
        edge = _BESIDE * np.ptp(window, axis=1)
        outside = ((box[:, :, 1] < window[:, 0]) | (box[:, :, 0] > window[:, 1])).any(axis=1)
        inside = ((box[:, :, 0] > window[:, 0] + edge) & (box[:, :, 1] < window[:, 1] - edge)).all(axis=1)
        self.lost[number[~outside & ~inside]] = True
        kept: list[int] = []
        own: dict[int, list[int]] = {}
        for k in np.flatnonzero(inside & ~self.lost[number]).tolist():
            others = own.setdefault(int(number[k]), [])
            if any(_within(box[k], wide[j]) for j in others):
                continue  # the same zero
            if any((box[k, :, 0] <= box[j, :, 1]).all() and (box[j, :, 0] <= box[k, :, 1]).all() for j in others):
                self.lost[number[k]] = True
            others.append(k)
            kept.append(k)
        chosen = np.array(kept, dtype=np.int64)
        return ManyZeros(number[chosen], box[chosen], self.lost)


def _within(box: Array, other: Array) -> bool:
    return bool((box[:, 0] >= other[:, 0]).all() and (box[:, 1] <= other[:, 1]).all())


def _numbers(boxes: Array) -> NDArray[np.int64]:
    return boxes[:, -1, 0].astype(np.int64)
