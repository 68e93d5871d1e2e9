"""How the cells of a phase map are filled: from boundary curves, computed once, or by integration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import is_valid
from fastslow.errors import InputError
from fastslow.ode.columns import FateTable, fates, forbidden
from fastslow.sweeps.fates import FATES, NOT_VALID, fate_codes
from fastslow.sweeps.plane import Column
from fastslow.systems.system import FastSlowSystem

Codes = NDArray[np.int8]
"""Indices into FATES, a row for each value of the parameter and a column for each start."""
Fill = Callable[[Column], Codes]

_BESIDE = 1e-12
"""Distance from the end of a piece of a boundary, relative to the axis, within which the member itself is asked."""


_TOLERANCE = 1e-7
"""Of the curves of a map of the full system, and ..."""
_DOUBTFUL = 10.0
"""... how many of it a cell may be away from a curve at most to be integrated instead."""
_TIGHT_RTOL = 1e-12
_FEW = 32
"""Values of the parameter whose doubtful cells are integrated together."""


class _FromBoundary:
    """Fills cells from the boundary of one limit, which is computed once for each family and axis."""

    def __init__(self, compute: Callable[[Column], Any]) -> None:
        self._compute = compute
        self._kept: dict[str, Any] = {}

    def boundary(self, column: Column) -> Any:
        """Return the boundary in the plane of a column."""
        if column.key not in self._kept:
            self._kept.clear()
            self._kept[column.key] = self._compute(column)
        return self._kept[column.key]

    def __call__(self, column: Column) -> Codes:
        try:
            boundary = self.boundary(column)
        except InputError:
            if any(is_valid(column.family, value) for value in column.values):
                raise
            return np.full((len(column.values), len(column.starts)), FATES.index(NOT_VALID), np.int8)
        values = np.array([float(value) for value in column.values])
        index = boundary.fates_at(values, column.starts)
        # Index -1, the last: nothing is known there.
        codes = np.append(fate_codes(boundary.names), np.int8(FATES.index("undecided")))[index]
        reach = _BESIDE * float(column.axis.high - column.axis.low)
        near = np.abs(values[:, None] - np.asarray(boundary.ends)).min(axis=1, initial=np.inf) <= reach
        return _marked(column, codes, np.flatnonzero((index < 0).any(axis=1) | near))


def _exact(rtol: float) -> Fill:
    from fastslow.boundary.full import full_boundary

    def compute(column: Column) -> Any:
        return full_boundary(column.family, column.axis, starts=column.reach, tolerance=_TOLERANCE)

    outline, integrate = _FromBoundary(compute), _ode(_TIGHT_RTOL)

    def fill(column: Column) -> Codes:
        codes = outline(column)
        unsure = codes == FATES.index("undecided")  # beside boundaries that are no stable manifolds
        decided = codes != FATES.index(NOT_VALID)
        if decided.any():
            values = [float(value) for value in column.values]
            unsure |= decided & outline.boundary(column).near(values, column.starts, _DOUBTFUL * _TOLERANCE)
        return _with_cycles(column, _integrated(column, codes, unsure, integrate), rtol)

    return fill


def _integrated(column: Column, codes: Codes, unsure: NDArray[np.bool_], integrate: Fill) -> Codes:
    """Return the codes with those of some cells from their integration."""
    rows = np.flatnonzero(unsure.any(axis=1))
    for some in (rows[k : k + _FEW] for k in range(0, len(rows), _FEW)):
        starts = np.flatnonzero(unsure[some].any(axis=0))
        few = tuple(column.values[i] for i in some)
        found = integrate(replace(column, values=few, starts=column.starts[starts]))
        here = np.ix_(some, starts)
        codes[here] = np.where(unsure[here], found, codes[here])
    return codes


def _with_cycles(column: Column, codes: Codes, rtol: float) -> Codes:
    """Tell cycles from each other, which grow and shrink along a strip: by one start of each member to each run."""
    cycles = np.array([FATES.index(f"{size} oscillation") for size in ("relaxation", "small")], np.int8)
    open_ = np.isin(codes, cycles)
    while open_.any():
        start = int(open_.sum(axis=0).argmax())
        rows = np.flatnonzero(open_[:, start])
        found = fates(column.family.build, [column.values[i] for i in rows], column.starts[[start]], rtol=rtol)
        verdicts = [found.fates[k] if k >= 0 else "undecided" for k in found.fate[:, 0]]
        for i, code in zip(rows, fate_codes(verdicts), strict=True):
            others = np.flatnonzero(codes[i] != codes[i, start])
            run = slice(others[others < start].max(initial=-1) + 1, others[others > start].min(initial=codes.shape[1]))
            codes[i, run] = code if code in cycles else FATES.index("undecided")
            open_[i, run] = False
    return codes


def _singular(rtol: float) -> Fill:
    from fastslow.boundary.singular import singular_boundary

    return _FromBoundary(lambda column: singular_boundary(column.family, column.axis))


def _ode(rtol: float) -> Fill:
    def fill(column: Column) -> Codes:
        try:
            return followed(column)
        except InputError:
            # One value may be what cannot be followed, where a curve of f crosses itself say.
            codes = np.full((len(column.values), len(column.starts)), FATES.index("undecided"), np.int8)
            failed = 0
            for i, value in enumerate(column.values):
                try:
                    codes[i] = followed(replace(column, values=(value,)))[0]
                except InputError:
                    failed += 1
            if failed == len(codes):
                raise
            return codes

    def followed(column: Column) -> Codes:
        found = _table(column, rtol)
        # Below zero: undecided, forbidden and refused; the last two are marked below.
        codes = np.append(fate_codes(found.fates), np.int8(FATES.index("undecided")))[np.maximum(found.fate, -1)]
        return _marked(column, codes, np.array(sorted(found.refused), dtype=np.int64))

    return fill


METHODS: dict[str, Callable[[float], Fill]] = {"exact": _exact, "singular": _singular, "ode": _ode}
"""For each method, by its relative tolerance, what fills cells."""


@functools.lru_cache(maxsize=1)
def _table(column: Column, rtol: float) -> FateTable:
    """Return the integrated fates of a column, kept for whoever asks for the same one next."""
    return fates(column.family.build, column.values, column.starts, rtol=rtol)


def final_energies(column: Column, rtol: float) -> NDArray[np.float64]:
    """Return the energy at the end of each cell's solution, its limit where y runs to infinity; NaN where none is."""
    found = _table(column, rtol)
    energies = np.full(found.fate.shape, np.nan)
    for i, value in enumerate(column.values):
        known = found.fate[i] >= 0
        if not known.any():
            continue
        system, x, y = column.family.at(value), found.x[i], found.y[i]
        finite = known & np.isfinite(y)
        energies[i, finite] = system.energy(x[finite], y[finite])
        for k in np.flatnonzero(known & np.isinf(y)):
            limit = system.energy_at_infinity(float(x[k]), int(np.sign(y[k])))
            energies[i, k] = np.nan if limit is None else limit
    return energies


def _marked(column: Column, codes: Codes, suspects: NDArray[np.int64]) -> Codes:
    """Mark the cells where there is no model, which is asked for the suspects, or no start."""
    system: FastSlowSystem | None = None
    for i in dict.fromkeys((*suspects.tolist(), *range(len(codes)))):
        if system is not None and i not in suspects:
            break
        try:
            system = column.family.at(column.values[i])
        except InputError:
            codes[i] = FATES.index(NOT_VALID)
    if system is not None:
        codes[:, forbidden(system, column.starts)] = FATES.index(NOT_VALID)
    return codes
