"""How the cells of a phase map are filled: from boundary curves, computed once, or by integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import is_valid
from fastslow.errors import InputError
from fastslow.ode.columns import fates, forbidden
from fastslow.sweeps.fates import FATES, NOT_VALID, fate_codes
from fastslow.sweeps.plane import Column
from fastslow.systems.system import FastSlowSystem

Codes = NDArray[np.int8]
"""Indices into FATES, a row for each value of the parameter and a column for each start."""
Fill = Callable[[Column], Codes]

_BESIDE = 1e-12
"""Distance from the end of a piece of a boundary, relative to the axis, within which the member itself is asked."""


class _FromBoundary:
    """Fills cells from the boundary of one limit, which is computed once for each family and axis."""

    def __init__(self, compute: Callable[[Column], Any]) -> None:
        self._compute = compute
        self._kept: dict[str, Any] = {}

    def __call__(self, column: Column) -> Codes:
        if column.key not in self._kept:
            self._kept.clear()
            try:
                self._kept[column.key] = self._compute(column)
            except InputError:
                if any(is_valid(column.family, value) for value in column.values):
                    raise
                return np.full((len(column.values), len(column.starts)), FATES.index(NOT_VALID), np.int8)
        boundary = self._kept[column.key]
        values = np.array([float(value) for value in column.values])
        index = boundary.fates_at(values, column.starts)
        # Index -1, the last: nothing is known there.
        codes = np.append(fate_codes(boundary.names), np.int8(FATES.index("undecided")))[index]
        reach = _BESIDE * float(column.axis.high - column.axis.low)
        near = np.abs(values[:, None] - np.asarray(boundary.ends)).min(axis=1, initial=np.inf) <= reach
        return _marked(column, codes, np.flatnonzero((index < 0).any(axis=1) | near))


def _exact(rtol: float) -> Fill:
    from fastslow.boundary.full import full_boundary

    filled = _FromBoundary(lambda column: full_boundary(column.family, column.axis, starts=column.reach))
    return lambda column: _with_cycles(column, _decided(column, filled(column), rtol), rtol)


def _decided(column: Column, codes: Codes, rtol: float) -> Codes:
    """Integrate the cells that lie beside boundaries which are no stable manifolds."""
    cells = codes == FATES.index("undecided")
    rows, starts = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    if len(rows):
        part = replace(column, values=tuple(column.values[i] for i in rows), starts=column.starts[starts])
        codes[cells] = _ode(rtol)(part)[cells[np.ix_(rows, starts)]]
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
        found = fates(column.family.build, column.values, column.starts, rtol=rtol)
        # Below zero: undecided, forbidden and refused; the last two are marked below.
        codes = np.append(fate_codes(found.fates), np.int8(FATES.index("undecided")))[np.maximum(found.fate, -1)]
        return _marked(column, codes, np.array(sorted(found.refused), dtype=np.int64))

    return fill


METHODS: dict[str, Callable[[float], Fill]] = {"exact": _exact, "singular": _singular, "ode": _ode}
"""For each method, by its relative tolerance, what fills cells."""


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
