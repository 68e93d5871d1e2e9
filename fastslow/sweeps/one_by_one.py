"""How the cells of a phase map of formulas are filled: for each value of the parameter by itself.

The boundaries of polynomial systems are followed in the parameter (``fastslow.sweeps.methods``). Here each member is
studied by itself, and its starts are looked up between the heights that part them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.flow.flow_graph import orbits_between
from fastslow.flow.singular_orbit import SingularFlow, SingularOrbit
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.member_points import NotTraced, points_only
from fastslow.manifold.special_points import Kind
from fastslow.ode.columns import forbidden
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.thresholds import parting_starts
from fastslow.sweeps.cycle_spans import CycleSpans, MemberSettling
from fastslow.sweeps.fates import FATES, NOT_VALID, fate_code
from fastslow.sweeps.plane import Column
from fastslow.systems.families import Family
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.system import FastSlowSystem, Start

Codes = NDArray[np.int8]
Heights = NDArray[np.float64]
MemberFates = Callable[[int, FastSlowSystem, Heights], Codes]

_UNDECIDED = FATES.index("undecided")
_KEPT = 256
"""Critical manifolds that are kept for the fields of the cells whose fates they gave."""
FOLLOWED = 9
"""Starts that are followed between two heights that part fates, at least: there may be cycles between them."""
_BESIDE = 1e-7
"""Distance from such a height, relative to the range of starts, within which starts are followed ..."""
_RTOL, _TIGHT_RTOL = 1e-9, 1e-12
"""... with the second of these tolerances."""


@functools.lru_cache(maxsize=_KEPT)
def member_at(family: Family, value: Fraction) -> FastSlowSystem:
    """Return a member of a family."""
    return family.at(value)


@functools.lru_cache(maxsize=_KEPT)
def manifold_of(system: FastSlowSystem) -> CriticalManifold:
    """Return the critical manifold of a member."""
    return critical_manifold(system)


@functools.lru_cache(maxsize=_KEPT)
def _orbits(manifold: CriticalManifold) -> tuple[tuple[float, float, SingularOrbit], ...]:
    return tuple(orbits_between(SingularFlow(manifold)))


def intervals(manifold: CriticalManifold, starts: Heights) -> Iterator[tuple[NDArray[np.bool_], SingularOrbit]]:
    """Yield which starts lie between two neighbouring special heights, and the singular orbit from there.

    A start at such a height counts to what is below it, one on the lower edge of the window to what is above.
    """
    bottom = manifold.system.slow_ends[0]
    for low, high, orbit in _orbits(manifold):
        inside = ((low < starts) | ((starts == low) & (low == bottom))) & (starts <= high)
        if inside.any():
            yield inside, orbit


class _OneByOne:
    """Fills cells one value of the parameter after the other."""

    def __init__(self, rtol: float) -> None:
        self._rtol = rtol

    def __call__(self, column: Column) -> Codes:
        codes = np.full((len(column.values), len(column.starts)), FATES.index(NOT_VALID), np.int8)
        members: list[FastSlowSystem | None] = []
        for value in column.values:
            try:
                members.append(member_at(column.family, value))
            except InputError:
                members.append(None)
        fates = self.member_by_member(column, members)
        for i, system in enumerate(members):
            if system is None:
                continue
            allowed = ~forbidden(system, column.starts)
            if allowed.any():
                try:
                    codes[i, allowed] = fates(i, system, column.starts[allowed])
                except InputError:
                    codes[i, allowed] = _UNDECIDED  # this value may be what cannot be studied, and not the next one
        return codes

    def member_by_member(self, column: Column, members: Sequence[FastSlowSystem | None]) -> MemberFates:
        """Return what gives the codes of the fates of starts of a member, by its number."""
        raise NotImplementedError


class SingularOneByOne(_OneByOne):
    """Fills cells by singular orbits, one for each interval of starts between special heights."""

    def member_by_member(self, column: Column, members: Sequence[FastSlowSystem | None]) -> MemberFates:
        """Return what gives the codes of the fates of starts of a member, by its number."""
        return self.fates

    def fates(self, number: int, system: FastSlowSystem, starts: Heights) -> Codes:
        """Return the codes of the fates of starts of one member."""
        codes = np.full(len(starts), _UNDECIDED, np.int8)
        for inside, orbit in intervals(manifold_of(system), starts):
            codes[inside] = fate_code(orbit.verdict)
        return codes

    def doubtful(self, column: Column) -> NDArray[np.bool_]:
        """Return which cells of a column the full system may give another fate."""
        found = np.zeros((len(column.values), len(column.starts)), dtype=bool)
        for i, value in enumerate(column.values):
            try:
                manifold = manifold_of(member_at(column.family, value))
            except InputError:
                continue
            found[i] = not manifold.complete or _in_doubt(manifold, column)
        return found


def _in_doubt(manifold: CriticalManifold, column: Column) -> NDArray[np.bool_]:
    from fastslow.boundary.doubt import doubtful_formula_starts

    system = manifold.system
    assert isinstance(system, FormulaSystem)
    neighbours = itertools.pairwise(_orbits(manifold))
    thresholds = [high for (_, high, a), (_, _, b) in neighbours if fate_code(a.verdict) != fate_code(b.verdict)]
    equilibria = [(point.x, point.y) for point in manifold.of_kind(Kind.EQUILIBRIUM)]
    return doubtful_formula_starts(system, equilibria, thresholds, column.starts)


class ExactOneByOne(_OneByOne):
    """Fills cells between the starts on stable manifolds of saddles, and on orbits that touch the window's edge.

    Between two of these some starts are followed, and where two of them have different fates, those in between: cycles
    part fates, too.
    """

    def member_by_member(self, column: Column, members: Sequence[FastSlowSystem | None]) -> MemberFates:
        """Return what gives the codes of the fates of starts of a member, by its number.

        Of formulas the special points alone are asked first; where they do not suffice, the curves are traced.
        """
        formulas = [member if isinstance(member, FormulaSystem) else None for member in members]
        points: Sequence[CriticalManifold | None] = points_only(column.family, column.values, formulas)
        spans = CycleSpans(points, lambda i: manifold_of(member_at(column.family, column.values[i])))
        rtol = min(self._rtol, _RTOL)

        def fates(number: int, system: FastSlowSystem, starts: Heights) -> Codes:
            known = points[number] or manifold_of(system)
            return self.fates(MemberSettling(known, spans, number, rtol=rtol), starts)

        return fates

    def fates(self, settling: Settling, starts: Heights) -> Codes:
        """Return the codes of the fates of starts of one member."""
        codes, known = np.full(len(starts), _UNDECIDED, np.int8), np.zeros(len(starts), dtype=bool)
        system, order = settling.system, np.argsort(starts)

        def follow(cell: int) -> int:
            if not known[cell]:
                run = settling.run(Start(system.start_fast, Fraction(float(starts[cell]))))
                codes[cell], known[cell] = fate_code(run.verdict), True
            return int(codes[cell])

        on_line = system.chart_of(system.start_fast) is None
        if on_line or len(starts) <= FOLLOWED:
            for cell in order.tolist():
                follow(cell)
            return codes
        try:
            cuts = np.array(parting_starts(settling))
        except NotTraced:
            assert isinstance(settling, MemberSettling)
            cuts = np.array(parting_starts(settling.whole))
        place = np.searchsorted(cuts, starts)
        near = np.abs(starts[:, None] - cuts).min(axis=1, initial=np.inf) <= _BESIDE * np.ptp(starts)
        for k in np.unique(place[~near]):
            _fill(order[(place == k)[order] & ~near[order]], codes, follow)
        settling.rtol = _TIGHT_RTOL
        for cell in np.flatnonzero(near).tolist():
            follow(cell)
        return codes


def _fill(cells: NDArray[np.int64], codes: Codes, follow: Callable[[int], int]) -> None:
    """Give cells in order their codes: follow some, and of those between two with different fates more."""
    some = np.unique(np.linspace(0, len(cells) - 1, min(FOLLOWED, len(cells))).round().astype(int))
    for first, last in itertools.pairwise([*some, some[-1]]):
        open_ = [(int(first), int(last))]
        while open_:
            low, high = open_.pop()
            a, b = follow(cells[low]), follow(cells[high])
            if a == b != _UNDECIDED:
                codes[cells[low:high]] = a
            elif high - low > 1:
                middle = (low + high) // 2
                open_ += [(low, middle), (middle, high)]
