"""The boundary between the fates of the full system: critical starts as curves in a parameter."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import is_valid
from fastslow.boundary.curves import BoundaryCurve, Corner, FullBoundary, Strip, check_line_at_rest
from fastslow.boundary.cuts import Cut, cuts_of
from fastslow.boundary.formula_members import FormulaMembers
from fastslow.boundary.members import Members
from fastslow.boundary.sheets import Sheet, sheets_of
from fastslow.boundary.warm import Warm
from fastslow.errors import InputError
from fastslow.flow.flow_graph import forbidden
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.halves import LEAVES, fate
from fastslow.separatrices.thresholds import edge_starts
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import formula_member
from fastslow.systems.system import Start

FloatArray = NDArray[np.float64]

_PLACES = (0.382, 0.809)
"""Where between two curves starts are followed: two, as there may be a boundary that is no stable manifold."""
_MORE_PLACES = (0.02, 0.13, 0.25, 0.382, 0.5, 0.62, 0.75, 0.87, 0.98)
"""More where there may be cycles."""
_SAMPLE = 0.41
_THIN, _TIGHT_RTOL = 1e-4, 1e-12
_SAME, _MEETS = 1e-5, 1e-3
_SLIVER = 1e-4
_INSIDE, _UNDECIDED = Fraction(31, 83), ("undecided", "")


@dataclass(frozen=True, eq=False)
class _Wall:
    """A sheet in a strip with the fates on both sides; without a sheet, the forbidden start y = 0."""

    sheet: Sheet | None
    warm: Warm
    below: str
    above: str

    def at(self, p: FloatArray) -> FloatArray:
        return np.zeros(np.shape(p)) if self.sheet is None else self.sheet.at(p)

    def saddle_at(self, p: FloatArray) -> FloatArray:
        """Return x of the saddle at sorted values of the parameter, NaN where it is not known."""
        if self.sheet is None:
            return np.full(len(p), np.nan)
        inside = 1e-9 * (self.sheet.high - self.sheet.low)
        path = self.warm.path(self.sheet.half.saddle, np.clip(p, self.sheet.low + inside, self.sheet.high - inside))
        return np.full(len(p), np.nan) if path is None else path.x


@dataclass(frozen=True, eq=False)
class _Strip:
    low: float
    high: float
    walls: list[_Wall]
    fates: tuple[str, ...]


def full_boundary(
    family: Family,
    axis: Axis,
    *,
    starts: tuple[float, float] | None = None,
    cuts: Sequence[Cut] | None = None,
    tolerance: float = 1e-9,
) -> FullBoundary:
    """Return the critical starts y_c(p) of the full system as curves in one parameter of a family.

    The parameter's interval is cut, exactly, where equilibria collide, cross or leave to infinity. In between, the
    stable halves of each saddle are followed backward in time to the line of starts at Chebyshev points of the
    parameter, more of them until the interpolants are right at points that they do not know; where a half begins or
    stops to reach the line the place is bisected. Between such changes the order of the curves is constant, as they
    are orbits, and the fates between them are those of two starts each at one value of the parameter.

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

    Raises
    ------
    InputError
        If the family has not one parameter, or does not depend on it as a polynomial.
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
    strips: list[_Strip] = []
    corners: list[Corner] = []
    gaps: list[tuple[float, float]] = []
    for a, b in itertools.pairwise(ends):
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
    corners = sorted(inside, key=lambda corner: (corner.parameter, corner.y))
    curves = [*_joined(strips), *_upright(strips, wanted)]
    public = tuple(Strip(s.low, s.high, tuple(wall.at for wall in s.walls), s.fates) for s in strips)
    return FullBoundary(
        family, axis, tuple(curves), tuple(corners), tuple(gaps), tuple(dict.fromkeys(unresolved)), public
    )


def _cuts_of(members: Members | FormulaMembers, unresolved: list[str]) -> list[Cut]:
    return cuts_of(members) if isinstance(members, Members) else members.cuts(unresolved)


def _between(
    members: Members | FormulaMembers,
    low: float,
    high: float,
    tolerance: float,
    wanted: tuple[float, float],
    unresolved: list[str],
) -> tuple[list[_Strip], list[Corner]]:
    """Return the strips of an interval without cuts, and the corners inside it."""
    origin = _simple(low, high, _SAMPLE)
    first = _Fates(members, origin)
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
        followed = followed or _Fates(members, _simple(a, b, 0.5))
        strips.append(followed.strip(a, b, inside, warm, wanted, unresolved))
    for at in changes:
        corners += _change_at(at, sheets.found, warm, unresolved, high - low)
    return strips, corners


def _apart(sheets: Sequence[Sheet], p: float) -> bool:
    y = sorted(float(sheet.at(np.array([p]))[0]) for sheet in sheets)
    return all(b - a > _THIN * max(abs(a), abs(b)) for a, b in itertools.pairwise(y))


def _simple(low: float, high: float, share: float) -> Fraction:
    """Return a rational with a small denominator inside an interval: exact arithmetic is faster with it."""
    value = Fraction(low + share * (high - low))
    simple = value.limit_denominator(max(1009, math.ceil(100.0 / (high - low))))
    return simple if low < simple < high else value


def _distinct(values: Sequence[float], least: float) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > least:
            kept.append(value)
    return kept


class _Fates:
    """The fates of starts of one member of the family."""

    def __init__(self, members: Members | FormulaMembers, value: Fraction) -> None:
        self.value = value
        self.settling = Settling(critical_manifold(members.family.at(value)))

    def strip(
        self,
        low: float,
        high: float,
        sheets: Sequence[Sheet],
        warm: Warm,
        wanted: tuple[float, float],
        unresolved: list[str],
    ) -> _Strip:
        """Return the strip with the walls at which the fate changes."""
        p, system = np.array([float(self.value)]), self.settling.system
        placed: list[tuple[float, Sheet | None]] = sorted(
            ((float(sheet.at(p)[0]), sheet) for sheet in sheets), key=lambda pair: pair[0]
        )
        if forbidden(system, 0.0) and wanted[0] < 0.0 < wanted[1]:
            placed = sorted([*placed, (0.0, None)], key=lambda pair: pair[0])
        heights = [y for y, _ in placed]
        # Curves outside the starts that are wanted were left out: do not go beyond them without need.
        lowest = wanted[0] if not heights or wanted[0] < heights[0] else system.slow_ends[0]
        highest = wanted[1] if not heights or wanted[1] > heights[-1] else system.slow_ends[1]
        if heights and heights[0] > 0.0 and wanted[0] >= 0.0 and forbidden(system, 0.0):
            lowest = max(lowest, 0.0)
        if heights and heights[-1] < 0.0 and wanted[1] <= 0.0 and forbidden(system, 0.0):
            highest = min(highest, 0.0)
        heights = [lowest, *heights, highest]
        far = max((abs(y) for y, _ in placed), default=0.0) or warm.height
        found = []
        for a, b in itertools.pairwise(heights):
            places = _MORE_PLACES if system.energy_polynomial is None else _PLACES
            ends = {self._fate(y, b - a <= _THIN * max(abs(a), abs(b))) for y in _starts(a, b, far, places)}
            touching = any(max(a, wanted[0]) < y < min(b, wanted[1]) for y in self._touching)
            if touching or len(ends) > 1:
                why = "are parted by an orbit that touches the window's edge"
                why = why if touching else f"have several fates: {', '.join(sorted(verdict for verdict, _ in ends))}"
                unresolved.append(f"at {float(self.value):.9g} starts between {a:.9g} and {b:.9g} {why}")
                ends = {_UNDECIDED}
            found.append(ends.pop())
        walls, fates = [], [found[0][0]]
        for (_, sheet), before, after in zip(placed, found, found[1:], strict=False):
            if sheet is not None and before == after != _UNDECIDED:
                continue
            walls.append(_Wall(sheet, warm, before[0], after[0]))
            fates.append(after[0])
        return _Strip(low, high, walls, tuple(fates))

    @cached_property
    def _touching(self) -> list[float]:
        """The starts of orbits that touch the window's edge, which are not followed in the parameter."""
        return edge_starts(self.settling)

    def _fate(self, y: float, tight: bool) -> tuple[str, str]:
        settling = copy.copy(self.settling)
        settling.rtol = _TIGHT_RTOL if tight else settling.rtol
        verdict, node = fate(settling.system, settling.run(Start(settling.system.start_fast, Fraction(y))))
        return _UNDECIDED if verdict.startswith("undecided") else (verdict, node)


def _starts(low: float, high: float, far: float, places: tuple[float, ...] = _PLACES) -> list[float]:
    """Return starts inside an interval of y."""
    if math.isinf(low) and math.isinf(high):
        return [far * share for share in places]
    if math.isinf(low):
        return [high - (abs(high) or far) * share for share in (_PLACES[1], 2.0)]
    if math.isinf(high):
        return [low + (abs(low) or far) * share for share in (_PLACES[1], 2.0)]
    return [low + share * (high - low) for share in places]


# Corners ------------------------------------------------------------------------------------------


def _change_at(at: float, sheets: Sequence[Sheet], warm: Warm, unresolved: list[str], span: float) -> list[Corner]:
    """Return the corners at which sheets begin or end between cuts: what they tend to there tells the kind."""
    here = np.array([at])
    radius = 4.0 * math.ulp(at) + 1e-12 * span
    corners = []
    for sheet in sheets:
        if at not in (sheet.low, sheet.high):
            continue
        y = float(sheet.at(here)[0])
        others = [s for s in sheets if s is not sheet and s.low <= at <= s.high]
        meets = any(abs(float(s.at(here)[0]) - y) <= _MEETS * max(abs(y), warm.height) for s in others)
        path = warm.path(sheet.half.saddle, here)
        x = float(path.x[0]) if path is not None else math.nan
        rests = [point.y for point in warm.points if point.x == float(warm.system.start_fast)]
        rest = next((r for r in rests if abs(r - y) <= _MEETS * warm.height), None)
        if meets or rest is not None:
            kind, y = "saddle-saddle connection", y if rest is None else rest
        elif abs(y) >= 1e3 * warm.highest:
            kind = "critical start at infinity"
        elif abs(y) <= _MEETS * warm.height and forbidden(warm.system, 0.0):
            kind, y = "critical start at rest", 0.0
        else:
            kind = "unresolved change"
            unresolved.append(f"at {at:.12g} a curve of critical starts ends at {y:.9g} for no reason that was found")
        corners.append(Corner(kind, at, y, x, radius, False))
    return corners


def _corners_at(cut: Cut, strips: Sequence[_Strip]) -> list[Corner]:
    """Return the corners on a cut: the ends of curves that do not go on beyond it."""
    left = [wall for strip in strips if strip.high == cut.value for wall in strip.walls if wall.sheet is not None]
    right = [wall for strip in strips if strip.low == cut.value for wall in strip.walls if wall.sheet is not None]
    corners = []
    for mine, others in ((left, right), (right, left)):
        for wall in mine:
            if any(_continues(wall, other, cut.value) for other in others):
                continue
            at = np.array([cut.value])
            y, x = float(wall.at(at)[0]), float(wall.saddle_at(at)[0])
            corners.append(Corner(cut.kind, cut.value, y, x, cut.radius, True))
    return corners


# Curves -------------------------------------------------------------------------------------------


def _continues(wall: _Wall, other: _Wall, at: float) -> bool:
    """Whether a wall goes on as another one across a value of the parameter."""
    if wall.sheet is None or other.sheet is None or (wall.below, wall.above) != (other.below, other.above):
        return False
    a, b = (float(w.at(np.array([at]))[0]) for w in (wall, other))
    return abs(a - b) <= _SAME * max(abs(a), abs(b), wall.warm.height)


def _joined(strips: Sequence[_Strip]) -> list[BoundaryCurve]:
    """Return the walls as curves, joined across the ends of strips where they go on with the same fates."""
    open_: list[list[tuple[_Strip, _Wall]]] = []
    done: list[list[tuple[_Strip, _Wall]]] = []
    for strip in strips:
        going: list[list[tuple[_Strip, _Wall]]] = []
        for wall in strip.walls:
            if wall.sheet is None:
                continue
            before = next(
                (c for c in open_ if c[-1][0].high == strip.low and _continues(c[-1][1], wall, strip.low)), None
            )
            if before is not None:
                open_.remove(before)
            going.append([*(before or []), (strip, wall)])
        done += open_
        open_ = going
    return [_curve(chain) for chain in (*done, *open_)]


def _curve(chain: Sequence[tuple[_Strip, _Wall]]) -> BoundaryCurve:
    parameter, y, x = [], [], []
    for strip, wall in chain:
        assert wall.sheet is not None
        nodes = wall.sheet.nodes
        within = nodes[(nodes > strip.low) & (nodes < strip.high)]
        nodes = np.concatenate(([strip.low], within, [strip.high]))
        parameter.append(nodes)
        y.append(wall.at(nodes))
        x.append(wall.saddle_at(nodes))
    value = partial(_along, [strip.high for strip, _ in chain[:-1]], [wall.at for _, wall in chain])
    wall = chain[0][1]
    return BoundaryCurve(
        "stable manifold",
        np.concatenate(parameter),
        np.concatenate(y),
        np.concatenate(x),
        wall.below,
        wall.above,
        value,
    )


def _along(ends: Sequence[float], parts: Sequence[Callable[[FloatArray], FloatArray]], p: FloatArray) -> FloatArray:
    """Return y(p) of parts that follow each other."""
    which = np.searchsorted(np.asarray(ends), p, side="right")
    result = np.empty(np.shape(p))
    for k in np.unique(which):
        result[which == k] = parts[k](p[which == k])
    return result


def _upright(strips: Sequence[_Strip], wanted: tuple[float, float]) -> list[BoundaryCurve]:
    """Return the lines p = const between two strips across which the fate of the starts that are wanted changes."""
    found = []
    for left, right in itertools.pairwise(strips):
        if left.high != right.low:
            continue
        at = np.array([left.high])
        sides = [[float(wall.at(at)[0]) for wall in strip.walls] for strip in (left, right)]
        inside = {y for y in (*sides[0], *sides[1]) if wanted[0] < y < wanted[1]}
        heights = [wanted[0], *sorted(inside), wanted[1]]
        for a, b in itertools.pairwise(heights):
            finite = [abs(y) for y in (a, b) if math.isfinite(y)]
            if b - a <= _SLIVER * max([1.0, *finite]):
                continue
            middle = _starts(a, b, 1.0)[0]
            before, after = (
                strip.fates[int(np.searchsorted(np.array(side), middle))]
                for strip, side in zip((left, right), sides, strict=True)
            )
            if before != after and not (before.startswith(LEAVES) and after.startswith(LEAVES)):
                y = np.array([a, b])
                found.append(BoundaryCurve("equilibria change", np.repeat(at, 2), y, None, before, after))
    return found
