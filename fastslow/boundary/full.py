"""The boundary between the fates of the full system: critical starts as curves in a parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import is_valid
from fastslow.boundary.curves import Corner, FullBoundary, Strip, check_line_at_rest
from fastslow.boundary.cuts import Cut, cuts_of
from fastslow.boundary.fates import BISECTED, THIN, Fates, by_cycles, simple_inside
from fastslow.boundary.formula_members import FormulaMembers
from fastslow.boundary.members import Members
from fastslow.boundary.sheets import Sheet, sheets_of
from fastslow.boundary.walls import (
    CYCLES_CHANGE,
    WalledStrip,
    continues,
    joined,
    upright,
)
from fastslow.boundary.warm import Warm
from fastslow.errors import InputError
from fastslow.flow.flow_graph import forbidden
from fastslow.progress import Progress, counted
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import formula_member

FloatArray = NDArray[np.float64]

_SAMPLE = 0.41
_CORNER = 1e-9
_MEETS, _ON_LEVEL = 1e-3, 1e-15
_BESIDE, _TIGHT, _FARTHER = 2.0, 1e-12, 1e-6
"""Where a curve is looked at beside its end, in units of rounding, with which tolerance, and as a share of it."""
_INSIDE = Fraction(31, 83)


def full_boundary(
    family: Family,
    axis: Axis,
    *,
    starts: tuple[float, float] | None = None,
    cuts: Sequence[Cut] | None = None,
    tolerance: float = 1e-9,
    progress: Progress | None = None,
) -> FullBoundary:
    """Return the critical starts y_c(p) of the full system as curves in one parameter of a family.

    The parameter's interval is cut, exactly, where equilibria collide, cross or leave to infinity; of formulas where
    interval arithmetic isolates these, and changes of the orbits that touch the window's edge. In between, the stable
    halves of each saddle are followed backward in time to the line of starts at Chebyshev points of the parameter, more
    of them until the interpolants are right at points that they do not know; where a half begins or stops to reach the
    line the place is bisected. Between such changes the order of the curves is constant, as they are orbits, and the
    fates between them are those of two starts each at one value of the parameter. Where there may be limit cycles, in
    systems without an energy, fates are compared at several values, and changes bisected.

    Parameters
    ----------
    family : Family
        In one parameter.
    axis : Axis
        Its interval.
    starts : pair of float, optional
        The range of y that is wanted; what is outside is left out. All unless given.
    cuts : sequence of Cut, optional
        Values of the parameter at which equilibria change, where they are known already.
    tolerance : float
        Of the interpolants: relative to y, or to the length of the interval where a curve is steep.
    progress : callable, optional
        Called as progress(intervals done, all), the intervals between values at which equilibria change.

    Raises
    ------
    InputError
        If the family has not one parameter, or depends on it neither as a polynomial nor by formulas.
    """
    if len(family.names) != 1 or family.names != (axis.name,):
        raise InputError("axis", str(axis), f"must be of the one parameter of the family, {', '.join(family.names)}")
    check_line_at_rest(axis)
    unresolved: list[str] = []
    formulas = formula_member(family, ((axis.low, axis.high),))
    members = Members(family, axis) if formulas is None else FormulaMembers(family, axis, formulas)
    known = cuts if cuts is not None else _cuts_of(members, unresolved)
    places = sorted(known, key=lambda cut: cut.value)
    if axis.low < 0 < axis.high and not all(is_valid(family, end * _INSIDE) for end in (axis.low, axis.high)):
        # A slow rate or a noise is positive on one side only.
        places = sorted([*(cut for cut in places if cut.value), Cut("model not valid", 0.0)], key=lambda cut: cut.value)
    low, high = float(axis.low), float(axis.high)
    ends = [low, *(cut.value for cut in places), high]
    bottom, top = members.sample.slow_ends
    wanted = (bottom, top) if starts is None else (max(starts[0], bottom), min(starts[1], top))
    strips: list[WalledStrip] = []
    corners: list[Corner] = []
    gaps: list[tuple[float, float]] = []
    for a, b in counted(list(itertools.pairwise(ends)), progress):
        try:
            new, changes = _between(members, a, b, tolerance, wanted, unresolved)
        except InputError as error:
            gaps.append((a, b))
            unresolved.append(f"between {a:.9g} and {b:.9g}: {error}")
            continue
        strips += new
        corners += changes
    for cut in places:
        corners += _corners_at(cut, strips)
    inside = (corner for corner in corners if not (corner.y < wanted[0] or corner.y > wanted[1]))
    corners = _once(sorted(inside, key=lambda corner: (corner.parameter, corner.y)))
    inner = {corner.parameter: corner.kind for corner in corners if not corner.certified}
    curves = [*joined(strips), *upright(strips, wanted, inner)]
    public = tuple(Strip(s.low, s.high, tuple(wall.at for wall in s.walls), s.fates) for s in strips)
    return FullBoundary(
        family, axis, tuple(curves), tuple(corners), tuple(gaps), tuple(dict.fromkeys(unresolved)), public
    )


def _once(corners: Sequence[Corner]) -> list[Corner]:
    """Return corners in order, those of the curves on both sides of a cut that agree once."""
    kept: list[Corner] = []
    for corner in corners:
        last = kept[-1] if kept else None
        same = last is not None and (last.kind, last.parameter) == (corner.kind, corner.parameter)
        if last is None or not same or abs(last.y - corner.y) > _CORNER * max(1.0, abs(corner.y)):
            kept.append(corner)
    return kept


def _cuts_of(members: Members | FormulaMembers, unresolved: list[str]) -> list[Cut]:
    return cuts_of(members) if isinstance(members, Members) else members.cuts(unresolved)


def _between(
    members: Members | FormulaMembers,
    low: float,
    high: float,
    tolerance: float,
    wanted: tuple[float, float],
    unresolved: list[str],
) -> tuple[list[WalledStrip], list[Corner]]:
    """Return the strips of an interval without cuts, and the corners inside it."""
    origin = simple_inside(low, high, _SAMPLE)
    first = Fates(members, origin)
    warm = Warm(members, first.settling.manifold, float(origin))
    unresolved += [f"between {low:.9g} and {high:.9g} {point.id} is degenerate" for point in warm.degenerate]
    sheets = sheets_of(warm, low, high, tolerance, wanted)
    unresolved += sheets.unresolved
    changes = _distinct(sheets.changes, 1e-9 * (high - low))
    places = [low, *_distinct([*changes, *sheets.fades], 1e-9 * (high - low)), high]
    strips, corners = [], []
    for a, b in itertools.pairwise(places):
        slack = 1e-7 * (b - a)
        inside = [sheet for sheet in sheets.found if sheet.low <= a + slack and sheet.high >= b - slack]
        for sheet in sheets.found:
            if sheet not in inside and min(sheet.high, b) - max(sheet.low, a) > 0.01 * (b - a):
                unresolved.append(f"between {a:.9g} and {b:.9g} a curve of critical starts is known in parts only")
        followed = first if a < float(origin) < b and _apart(inside, float(origin)) else None
        followed = followed or Fates(members, simple_inside(a, b, 0.5))
        if warm.system.energy_polynomial is not None:
            strips.append(followed.strip(a, b, inside, warm, wanted, unresolved))
            continue
        parts, cycles = by_cycles(followed, a, b, inside, warm, wanted, unresolved)
        strips += parts
        corners += [Corner(CYCLES_CHANGE, at, math.nan, math.nan, BISECTED * (b - a), False) for at in cycles]
    for at in changes:
        beside = [strip for strip in strips if at in (strip.low, strip.high)]
        walls = [wall.sheet for strip in beside for wall in strip.walls]
        # Where no fate changes a half begins or ends to cross among starts that have one fate.
        changed = len({strip.fates for strip in beside}) > 1
        felt = [sheet for sheet in sheets.found if changed or sheet in walls]
        corners += _change_at(at, felt, sheets.found, warm, unresolved, high - low)
    return strips, corners


def _apart(sheets: Sequence[Sheet], p: float) -> bool:
    y = sorted(float(sheet.at(np.array([p]))[0]) for sheet in sheets)
    return all(b - a > THIN * max(abs(a), abs(b)) for a, b in itertools.pairwise(y))


def _distinct(values: Sequence[float], least: float) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > least:
            kept.append(value)
    return kept


# Corners ------------------------------------------------------------------------------------------


def _change_at(
    at: float, felt: Sequence[Sheet], sheets: Sequence[Sheet], warm: Warm, unresolved: list[str], span: float
) -> list[Corner]:
    """Return the corners at which sheets begin or end between cuts: what they tend to there tells the kind."""
    here = np.array([at])
    radius = 4.0 * math.ulp(at) + 1e-12 * span
    corners = []
    for sheet in felt:
        if at not in (sheet.low, sheet.high):
            continue
        y = _last_crossing(sheet, at, warm)
        near = _MEETS * max(abs(y), warm.height)
        others = [s for s in sheets if s is not sheet and s.low <= at <= s.high]
        meets = any(abs(float(s.at(here)[0]) - y) <= near for s in others)
        path = warm.path(sheet.half.saddle, here)
        x = float(path.x[0]) if path is not None else math.nan
        rests = [point.y for point in warm.points if point.x == float(warm.system.start_fast)]
        rest = next((r for r in rests if abs(r - y) <= _MEETS * warm.height), None)
        level = next((c for c in warm.members.levels if abs(y - c) <= _ON_LEVEL * warm.height), None)
        if meets and warm.is_touch(sheet.half):
            kind = "orbits that touch the window's edge meet"
        elif rest is not None:
            kind, y = "saddle-saddle connection", rest
        elif abs(y) >= 1e3 * warm.highest:
            kind = "critical start at infinity"
        elif abs(y) <= _MEETS * warm.height and forbidden(warm.system, 0.0):
            kind, y = "critical start at rest", 0.0
        elif level is not None:
            kind, y = "critical start comes to an invariant line", level
        elif meets:
            kind = "saddle-saddle connection"
        elif (end := _connected(sheet, at, y, near, warm)) is not None:
            kind, y = "saddle-saddle connection", end
        else:
            kind = "unresolved change"
            unresolved.append(f"at {at:.12g} a curve of critical starts ends at {y:.9g} for no reason that was found")
        corners.append(Corner(kind, at, y, x, radius, False))
    return corners


def _connected(sheet: Sheet, at: float, y: float, near: float, warm: Warm) -> float | None:
    """Return where an unstable half of a saddle crosses the line of starts at the end of a sheet that goes there.

    Along a slow manifold halves part so fast that the sheet comes no nearer to it in doubles: then the next one ahead.
    """
    before = float(sheet.at(np.array([at + _FARTHER * (sheet.low + sheet.high - 2.0 * at)]))[0])
    ahead = [u for u in warm.unstable_crossings(at) if abs(u - y) <= near or (u - y) * (y - before) > 0.0]
    return min(ahead, key=lambda u: abs(u - y), default=None)


def _last_crossing(sheet: Sheet, at: float, warm: Warm) -> float:
    """Return y of a sheet beside the end `at`: it may tend to a limit there as slowly as a logarithm."""
    beside = at + math.copysign(_BESIDE * math.ulp(at), sheet.low + sheet.high - 2.0 * at)
    y = (
        float(warm.crossings([(sheet.half, beside)], _TIGHT)[0][sheet.order])
        if not warm.is_touch(sheet.half)
        else math.nan
    )
    return y if math.isfinite(y) else float(sheet.at(np.array([at]))[0])


def _corners_at(cut: Cut, strips: Sequence[WalledStrip]) -> list[Corner]:
    """Return the corners on a cut: the ends of curves that do not go on beyond it."""
    left = [wall for strip in strips if strip.high == cut.value for wall in strip.walls if wall.sheet is not None]
    right = [wall for strip in strips if strip.low == cut.value for wall in strip.walls if wall.sheet is not None]
    corners = []
    for mine, others in ((left, right), (right, left)):
        for wall in mine:
            if any(continues(wall, other, cut.value) for other in others):
                continue
            at = np.array([cut.value])
            y, x = float(wall.at(at)[0]), float(wall.saddle_at(at)[0])
            corners.append(Corner(cut.kind, cut.value, y, x, cut.radius, True))
    return corners
