"""Where two phase maps of one plane differ, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastslow.sweeps.fates import FATES
from fastslow.sweeps.phase_map import PhaseMap
from fastslow.systems.families import family_of

_MOST_EXPLAINED = 40
"""Parts of a map that are analysed to explain them, a tenth of a second each."""


@dataclass(frozen=True)
class Difference:
    """A connected part of a map where another method gives another fate.

    Attributes
    ----------
    method : str
        The other method.
    cells : int
        The number of cells.
    fate, other_fate : str
        The fates by this method and the other.
    place : dict
        The axes' values at a cell in the middle of the part.
    explanation : str
        Why, as the analysis of that cell tells it; empty where that finds no reason.
    """

    method: str
    cells: int
    fate: str
    other_fate: str
    place: dict[str, float]
    explanation: str


def compared(found: PhaseMap, other: PhaseMap) -> tuple[Difference, ...]:
    """Return where two maps of the same plane differ, the largest parts first, each explained.

    The explanation is that of ``fastslow.analyze`` for the cell in the middle of each part. Methods of the same level,
    "exact" and "ode", must not differ: a part where they do has none.
    """
    from scipy import ndimage

    names, others = (np.array([*map(FATES.index, m.fates)], np.int8)[m.index] for m in (found, other))
    parts: list[tuple[int, ...]] = []
    for code, other_code in np.unique(np.stack([names, others])[:, names != others], axis=1).T:
        mask = (names == code) & (others == other_code)
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        depth = ndimage.distance_transform_cdt(np.pad(mask, 1))[1:-1, 1:-1]
        middles = ndimage.maximum_position(depth, labels, range(1, count + 1))
        parts += [(size, *map(int, place)) for size, place in zip(sizes.tolist(), np.array(middles), strict=True)]
    parts.sort(reverse=True)
    return tuple(
        _difference(found, other, cells, (row, column), told=i < _MOST_EXPLAINED)
        for i, (cells, row, column) in enumerate(parts)
    )


def _difference(found: PhaseMap, other: PhaseMap, cells: int, place: tuple[int, int], *, told: bool) -> Difference:
    from fastslow.analysis import analyze

    plane = found.plane
    at = {axis.name: axis.exact_values[i] for axis, i in zip((plane.y, plane.x), place, strict=True)}
    fate, other_fate = (m.fates[m.index[place]] for m in (found, other))
    explanation = ""
    if told and "singular" in (found.method, other.method):
        parameters = {name: value for name, value in at.items() if name != plane.slow_start}
        system = family_of(plane.system, *parameters).at(*parameters.values())
        start = at.get(plane.slow_start, plane.start)
        assert start is not None
        (orbit,) = analyze(system, [start]).orbits
        explanation = orbit.explanation
    elif not told:
        explanation = "a small part; only the largest are analysed"
    return Difference(
        other.method, cells, fate, other_fate, {name: float(value) for name, value in at.items()}, explanation
    )
