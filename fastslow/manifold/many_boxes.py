"""Many boxes at once: halves, middles, hulls, and whether formulas have no common zero in one.

Boxes are arrays of shape (N, n, 2), lower and upper ends of n sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.expressions import Expression
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.intervals import rounded_out

Array = NDArray[np.float64]

_MOST_TRIED = 2000


def has_no_zero(
    functions: Sequence[Expression],
    names: Sequence[str],
    bounds: Sequence[tuple[Fraction, Fraction]],
    whole: Sequence[str] = (),
    most: int = _MOST_TRIED,
) -> bool:
    """Whether it is shown, by subdivision without Newton's method, that some formulas have no common zero in a box.

    There may be any number of formulas. Sides named in `whole` are not cut; about `most` boxes are tried.
    """
    tape = Tape(functions, names)
    boxes = np.array([[[rounded_out(low)[0], rounded_out(high)[1]] for low, high in bounds]])
    width = np.where([name in whole for name in names], np.inf, np.ptp(boxes[0], axis=1))
    tried = 0
    while len(boxes):
        tried += len(boxes)
        if tried > most:
            return False
        results, _ = tape.intervals([(boxes[:, j, 0], boxes[:, j, 1]) for j in range(len(names))])
        apart = np.any([(low > 0) | (high < 0) for low, high in results], axis=0)
        boxes = halved(boxes[~apart], width)
    return True


def halved(boxes: Array, width: Array) -> Array:
    """Return the halves of boxes, cut across their longest sides in units of `width`."""
    if not len(boxes):
        return boxes
    which = np.argmax((boxes[:, :, 1] - boxes[:, :, 0]) / width, axis=1)
    rows = np.arange(len(boxes))
    middle = middles(boxes)[rows, which]
    low, high = boxes.copy(), boxes.copy()
    low[rows, which, 1] = middle
    high[rows, which, 0] = middle
    return np.concatenate([low, high])


def middles(boxes: Array) -> Array:
    return boxes[:, :, 0] + 0.5 * (boxes[:, :, 1] - boxes[:, :, 0])


def inverses(matrices: Array) -> Array:
    """Inverses of matrices, roughly; zero where there is none."""
    if matrices.shape[1] == 1:
        return np.where(matrices == 0, 0.0, 1.0 / matrices)
    if matrices.shape[1] == 2:
        a, b, c, d = (matrices[:, i, j] for i in (0, 1) for j in (0, 1))
        adjugate = np.stack([np.stack([d, -b], axis=1), np.stack([-c, a], axis=1)], axis=1)
        determinant = a * d - b * c
        scale = np.where(determinant == 0, 0.0, 1.0 / determinant)
        return np.asarray(adjugate * scale[:, None, None])
    regular = np.linalg.det(matrices) != 0
    inverses = np.linalg.inv(np.where(regular[:, None, None], matrices, np.eye(matrices.shape[1])))
    return np.asarray(np.where(regular[:, None, None], inverses, 0.0))


def clusters(boxes: Array, slack: Array) -> list[Array]:
    """Return the hulls of boxes that are nearer than `slack` to each other."""
    hulls: list[Array] = []
    for box in boxes:
        joined = box
        apart = []
        for hull in hulls:
            if np.all((hull[:, 0] <= joined[:, 1] + slack) & (joined[:, 0] <= hull[:, 1] + slack)):
                joined = np.stack([np.minimum(hull[:, 0], joined[:, 0]), np.maximum(hull[:, 1], joined[:, 1])], axis=1)
            else:
                apart.append(hull)
        hulls = [*apart, joined]
    return hulls
