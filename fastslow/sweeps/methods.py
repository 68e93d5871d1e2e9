"""How the cells of a phase map are filled: from boundary curves, computed once, or by integration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import is_valid
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.columns import FateTable, fates, forbidden
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.halves import fate
from fastslow.separatrices.thresholds import edge_starts
from fastslow.sweeps.fates import FATES, NOT_VALID, fate_code, fate_codes
from fastslow.sweeps.one_by_one import ExactOneByOne, SingularOneByOne
from fastslow.sweeps.plane import Column, Plane
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.system import FastSlowSystem, Start

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
_MOST_ALONE = 300
"""Values of a parameter up to which systems without energy are studied one by one."""
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


class Exact(_FromBoundary):
    """Fills cells from the boundary of the full system, and integrates those that it does not decide."""

    def __init__(self, rtol: float) -> None:
        from fastslow.boundary.full import full_boundary

        super().__init__(lambda c: full_boundary(c.family, c.axis, starts=c.reach, tolerance=_TOLERANCE))
        self._rtol, self._integrate = rtol, _ode(_TIGHT_RTOL)

    def __call__(self, column: Column) -> Codes:
        codes = super().__call__(column)
        unsure = codes == FATES.index("undecided")  # beside boundaries that are no stable manifolds
        decided, parted = codes != FATES.index(NOT_VALID), np.zeros_like(unsure)
        if decided.any():
            values = [float(value) for value in column.values]
            near = decided & self.boundary(column).near(values, column.starts, _DOUBTFUL * _TOLERANCE)
            codes = self._parted(column, codes, unsure & ~near)
            parted = unsure & (codes != FATES.index("undecided"))
            unsure = (unsure & ~parted) | near
        return _with_cycles(column, _integrated(column, codes, unsure, self._integrate), parted, self._rtol)

    def _parted(self, column: Column, codes: Codes, unsure: NDArray[np.bool_]) -> Codes:
        """Decide starts that orbits along the window's edge part: one of each interval between these and the curves."""
        codes = codes.copy()
        for i in np.flatnonzero(unsure.sum(axis=1) > 1):
            try:
                settling = Settling(critical_manifold(column.family.at(column.values[i])))
                edges = edge_starts(settling)
            except InputError:
                continue
            if not edges:
                continue
            cuts = np.sort(np.append(self.boundary(column).thresholds_at([float(column.values[i])])[0], edges))
            place = np.searchsorted(cuts, column.starts)
            apart = np.abs(column.starts[:, None] - cuts).min(axis=1) > _DOUBTFUL * _TOLERANCE * np.abs(cuts).max()
            for k in np.unique(place[unsure[i]]):
                mine = np.flatnonzero(unsure[i] & apart & (place == k))
                if len(mine):
                    start = Start(settling.system.start_fast, Fraction(float(column.starts[mine[len(mine) // 2]])))
                    codes[i, mine] = fate_code(fate(settling.system, settling.run(start))[0])
        return codes


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


def _with_cycles(column: Column, codes: Codes, known: NDArray[np.bool_], rtol: float) -> Codes:
    """Tell cycles from each other, which grow and shrink along a strip: by one start of each member to each run."""
    cycles = np.array([FATES.index(f"{size} oscillation") for size in ("relaxation", "small")], np.int8)
    open_ = np.isin(codes, cycles) & ~known
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


class Singular(_FromBoundary):
    """Fills cells from the boundary of the singular limit, and tells where that may be wrong."""

    def __init__(self, rtol: float) -> None:
        from fastslow.boundary.singular import singular_boundary

        super().__init__(lambda column: singular_boundary(column.family, column.axis))

    def doubtful(self, column: Column) -> NDArray[np.bool_]:
        """Return which cells of a column the full system may give another fate."""
        from fastslow.boundary.doubt import doubtful_starts

        valid = [i for i, value in enumerate(column.values) if is_valid(column.family, value)]
        found = np.zeros((len(column.values), len(column.starts)), dtype=bool)
        if valid:
            values = np.array([float(column.values[i]) for i in valid])
            found[valid] = doubtful_starts(self.boundary(column), values, column.starts)
        return found


def reasons(column: Column, fill: Fill) -> Iterator[str]:
    """Say why cells of a column are not decided: of the boundary, or of the first of its starts."""
    if isinstance(fill, Exact):
        yield from fill.boundary(column).unresolved
    elif isinstance(fill, Singular):
        yield from (name for name in fill.boundary(column).names if name.startswith("undecided"))
    try:
        system = column.family.at(column.values[0])
        start = Start(system.start_fast, Fraction(float(column.starts[0])))
        settling = Settling(critical_manifold(system))
        run = settling.flow.orbit(start) if isinstance(fill, SingularOneByOne) else settling.run(start)
    except InputError as error:
        yield str(error)
    else:
        if run.undecided:
            yield run.verdict


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


METHODS = ("exact", "singular", "ode")


def filling(plane: Plane, method: str, rtol: float) -> Fill:
    """Return what fills cells of a plane by a method, with a relative tolerance."""
    by_name: dict[str, Callable[[float], Fill]] = {"exact": Exact, "singular": Singular, "ode": _ode}
    if isinstance(plane.system, FormulaSystem):
        by_name["singular"] = SingularOneByOne
    return (ExactOneByOne if method == "exact" and one_by_one(plane) else by_name[method])(rtol)


def one_by_one(plane: Plane) -> bool:
    """Whether an exact map is filled for one value of the parameters after the other.

    So are those of formulas; and those of polynomials without energy but where there are very many values: a boundary
    that may consist of cycles costs as much as a hundred values, of which it looks at a few.
    """
    system, starts = plane.system, plane.start_axis
    if isinstance(system, FormulaSystem):
        return True
    few = starts is None or ((plane.x if starts is plane.y else plane.y).count or 2) <= _MOST_ALONE
    return few and system.energy_polynomial is None


@functools.lru_cache(maxsize=1)
def _table(column: Column, rtol: float) -> FateTable:
    """Return the integrated fates of a column, kept for whoever asks for the same one next."""
    return fates(column.family.build, column.values, column.starts, rtol=rtol)


def limits(column: Column, rtol: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return (x, y) where each cell's solution tends to, NaN where to no point, and which tend to a cycle."""
    found = _table(column, rtol)
    cycles = np.array([k for k, name in enumerate(found.fates) if "oscillation" in name], dtype=np.int64)
    cycle = np.isin(found.fate, cycles)
    stays = (found.fate >= 0) & ~cycle
    leaves = np.array([k for k, name in enumerate(found.fates) if name.startswith("leaves the window")], np.int64)
    stays &= ~np.isin(found.fate, leaves)
    return np.where(stays, found.x, np.nan), np.where(stays, found.y, np.nan), cycle


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
