"""The curves of f = 0 where f is a formula, and their special points, isolated by subdivision in the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.manifold.curves import Curve, Shape
from fastslow.manifold.double_zeros import resolved
from fastslow.manifold.exact_tangency import vanishes_at_critical_point
from fastslow.manifold.isolation import Coordinate, Isolated, confirmed, isolate
from fastslow.manifold.plane_field import PlaneField
from fastslow.manifold.special_points import Candidate, Kind, SpecialPoint, classified, join, numbered
from fastslow.manifold.tubes import Patch, patch_about
from fastslow.systems.algebraic import FIRST_BITS, Ball, Number, Rational, compare, nearest_double, rational_in
from fastslow.systems.balls import enclosed
from fastslow.systems.expression_factors import factored
from fastslow.systems.expression_facts import exact_value, nodes, substituted
from fastslow.systems.expressions import ZERO, Expression, Variable, derivative, multiply
from fastslow.systems.formula_system import FormulaSystem

Array = NDArray[np.float64]
Bounds = list[tuple[Fraction, Fraction]]

_BRANCH_BITS = 1024
"""A critical point where F is not told from 0 with so many bits is taken for a branch point."""
_NAMES = {
    Kind.FOLD: "folds",
    Kind.EQUILIBRIUM: "equilibria",
    Kind.CROSSING: "crossings",
    Kind.BOUNDARY: "points at a kink",
}
_MOST_ZEROS = 250
"""Curves with more folds take minutes."""
_MARGIN = 1e-5
"""How far round an undecided box a critical point is looked for, in units of the window."""
_LOST = 0.01
"""Half width of the box round a singular point without proof in which a curve is not followed, in the same units."""


@dataclass(frozen=True, eq=False)
class Blurred:
    """A number of which only an enclosure is known."""

    enclosure: Ball
    exact = None

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return the enclosure, whatever `bits`."""
        return self.enclosure


@dataclass(eq=False)
class Geometry:
    """The curves of a system of formulas, their special points, and what following them needs.

    Attributes
    ----------
    curves : list of Curve
        The factors of f that have zeros, lines one for each root.
    points : list of SpecialPoint
        Folds, equilibria, crossings and branch points.
    patches : dict
        For each implicit curve the patches round its branch points, with those points.
    lost : dict
        For each implicit curve the singular points without proof.
    undecided : list of str
        What was not decided, in words.
    """

    curves: list[Curve] = field(default_factory=list)
    points: list[SpecialPoint] = field(default_factory=list)
    patches: dict[Curve, list[tuple[Patch, SpecialPoint]]] = field(default_factory=dict)
    lost: dict[Curve, list[SpecialPoint]] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)


def bounds_of(system: FormulaSystem) -> Bounds:
    """Return the window, exact."""
    assert system.slow_lower is not None and system.slow_upper is not None
    return [(system.lower, system.upper), (system.slow_lower, system.slow_upper)]


def formula_geometry(system: FormulaSystem, cuts: Sequence[Expression] = ()) -> Geometry:
    """Return the curves and the special points of f = 0 in the window, every one or named as undecided.

    The points where k = 0, for each k of `cuts`, count as points on the boundary.

    Raises
    ------
    InputError
        If f has no zero in the window, or zeros that should be isolated seem to form curves.
    """
    return _Search(system, cuts).run()


class _Search:
    def __init__(self, system: FormulaSystem, cuts: Sequence[Expression]) -> None:
        self.system, self.names, self.bounds = system, list(system.names), bounds_of(system)
        self.cuts = cuts
        self.found: list[Candidate] = []
        self.geometry = Geometry()
        self.branch: list[tuple[Curve, Patch, Candidate]] = []
        self.lost: list[tuple[Curve, Candidate]] = []

    def run(self) -> Geometry:
        factors = zip(self.system.fast_expressions, self.system.multiplicities, strict=True)
        groups = [group for i, (e, n) in enumerate(factors) if (group := self.curves_of(i, e, n > 1))]
        for i, group in enumerate(groups):
            if group[0].shape is Shape.IMPLICIT:
                self.folds(group[0])
            self.equilibria(group)
            for k in self.cuts:
                self.meetings(Kind.BOUNDARY, group, k, group)
            for other in groups[:i]:
                if not (group[0].shape is other[0].shape and group[0].shape is not Shape.IMPLICIT):
                    self.meetings(Kind.CROSSING, group, _expression(other[0]), [*other, *group])
        points = [classified(self.system, candidate) for candidate in self.found]
        named = numbered(points)
        at = {id(point.exact_x): point for point in named}
        order = [Shape.IMPLICIT, Shape.FAST_LINE, Shape.SLOW_LINE]
        result = self.geometry
        result.curves = sorted((curve for group in groups for curve in group), key=lambda c: order.index(c.shape))
        result.points = named
        for curve, patch, candidate in self.branch:
            result.patches.setdefault(curve, []).append((patch, at[id(candidate.x)]))
        for curve, candidate in self.lost:
            result.lost.setdefault(curve, []).append(at[id(candidate.x)])
        return result

    # Curves -----------------------------------------------------------------------------------------------

    def curves_of(self, factor: int, e: Expression, repeated: bool) -> list[Curve]:
        used = {node.name for node in nodes(e) if isinstance(node, Variable)}
        if not used:
            if not exact_value(e, {}):
                raise InputError("f", str(e), "vanishes in a part of the window", "Then every point there is at rest")
            return []
        if used == set(self.names):
            return [Curve(None, f"{e} = 0", Shape.IMPLICIT, None, repeated, e, self.system.names, factor)]
        k = self.names.index(used.pop())
        name, shape = self.names[k], (Shape.FAST_LINE, Shape.SLOW_LINE)[k]
        roots = self.isolated([e], [name], [self.bounds[k]], f"{e} = 0")
        for box in roots.undecided:
            self.geometry.undecided.append(
                f"{e} may have any number of zeros at {name} = {box.mean():.12g} +- {np.ptp(box) / 2:.1e}"
            )
        ordered = sorted((root[0] for root in roots.zeros), key=nearest_double)
        both = self.system.names
        return [
            Curve(None, f"{name} = {nearest_double(root):g}", shape, root, repeated, e, both, factor)
            for root in ordered
        ]

    def isolated(self, functions: list[Expression], names: list[str], bounds: Bounds, what: str) -> Isolated:
        result = isolate(functions, names, bounds)
        if not result.finished:
            raise InputError(
                "f, g",
                what,
                "has zeros in the window that cannot be isolated: they are very many, or seem to form a curve",
                "Narrow the window, divide a common factor out of the system, or change a coefficient",
            )
        if len(result.zeros) > _MOST_ZEROS:
            raise InputError(
                "f, g", what, f"has {len(result.zeros)} zeros in the window, beyond {_MOST_ZEROS}", "Narrow the window"
            )
        return result

    # Special points -----------------------------------------------------------------------------------------

    def folds(self, curve: Curve) -> None:
        e = _expression(curve)
        slope = derivative(e, self.names[0])
        result = self.isolated([e, slope], self.names, self.bounds, f"{e} = 0 with its derivative {slope}")
        for x, y in result.zeros:
            join(self.found, Candidate(x, y, {Kind.FOLD: 1}, [curve], True))
        covered: list[Array] = []
        for box in result.undecided:
            if not any(_inside(box, other) for other in covered):
                covered += self.singular(curve, box)

    def singular(self, curve: Curve, box: Array) -> list[Array]:
        """Look into a small box that may hold folds; return boxes that are settled."""
        e = _expression(curve)
        plane = PlaneField(e, self.names, self.bounds)
        room = _MARGIN * plane.width
        around = [
            (max(Fraction(low), Fraction(box[k, 0] - room[k])), min(Fraction(high), Fraction(box[k, 1] + room[k])))
            for k, (low, high) in enumerate(self.bounds)
        ]
        settled = []
        for x, y in isolate([derivative(e, name) for name in self.names], self.names, around).zeros:
            proved = self.vanishes(e, x, y)
            if proved is None:
                continue
            level = self.known_zero(derivative(e, self.names[0], 2), x, y)
            patch = patch_about(plane, plane.scaled(np.array([nearest_double(x), nearest_double(y)])), level)
            if patch is None or not patch.no_fold:
                continue
            kinds = {Kind.CROSSING: 1} | ({Kind.FOLD: 1} if patch.fold else {})
            candidate = Candidate(x, y, kinds, [curve], proved)
            join(self.found, candidate)
            self.branch.append((curve, patch, next(c for c in self.found if c.same_place(candidate))))
            if not proved:
                where = self.place(x, y)
                self.geometry.undecided.append(
                    f"{curve.equation} seems to cross itself at {where}: it is zero there to {_BRANCH_BITS} bits"
                )
            scaled = (box - plane.low[:, None]) / plane.width[:, None]
            if patch.hold(scaled[None])[0]:
                half = 0.5 * patch.size * np.abs(patch.directions).sum(axis=1) * plane.width
                centre = np.array([nearest_double(x), nearest_double(y)])
                settled.append(np.stack([centre - half, centre + half], axis=1))
        if not any(_inside(box, other) for other in settled):
            if self.resolved(Kind.FOLD, [curve], e, derivative(e, self.names[0]), box):
                return settled
            self.undecided(Kind.FOLD, [curve], box)
            _, (g_x, g_y) = plane.enclosures(((box - plane.low[:, None]) / plane.width[:, None])[None])
            if not any(v[0][0] > 0 or v[1][0] < 0 for v in (g_x, g_y)):
                self.lost.append((curve, self.found[-1]))
        return settled

    def vanishes(self, e: Expression, x: Coordinate, y: Coordinate) -> bool | None:
        """Whether a formula is zero at a point: True where that is proved, None where it is not zero."""
        if self.known_zero(e, x, y):
            return True
        if self.on_hidden_line(e, x, y) or vanishes_at_critical_point(e, self.names, x.zero.box, (x, y)):
            return True
        with flint.ctx.workprec(_BRANCH_BITS):
            value = enclosed(e, dict(zip(self.names, (x.ball(_BRANCH_BITS), y.ball(_BRANCH_BITS)), strict=True)))
            return False if value.contains(0) else None

    def known_zero(self, e: Expression, x: Coordinate, y: Coordinate) -> bool:
        """Whether a formula is zero at a rational point."""
        if x.exact is None or y.exact is None:
            return False
        return exact_value(e, dict(zip(self.names, (x.exact, y.exact), strict=True))) == 0

    def on_hidden_line(self, e: Expression, x: Coordinate, y: Coordinate) -> bool:
        """Whether a critical point lies on a line x = c or y = c on which the formula is zero throughout.

        There one slope is zero too; where the other has a zero in the box in which the critical point is the only
        one, that is it.
        """
        for k, (v, name) in enumerate(zip((x, y), self.names, strict=True)):
            c = rational_in(v.ball())
            if c is None or substituted(e, {name: c}) != ZERO:
                continue
            across = substituted(derivative(e, name), {name: c})
            inside = x.zero.box[k, 0] <= c <= x.zero.box[k, 1]
            if inside and confirmed([across], [self.names[1 - k]], x.zero.box[1 - k : 2 - k], 1e-6) is not None:
                return True
        return False

    def equilibria(self, group: list[Curve]) -> None:
        self.meetings(Kind.EQUILIBRIUM, group, self.system.slow_expression, group)

    def meetings(self, kind: Kind, group: list[Curve], other: Expression, curves: list[Curve]) -> None:
        e = _expression(group[0])
        what = f"{e} = 0 together with {other} = 0"
        parts = _powers(other, self.names)
        radical = multiply(*(part for part, _ in parts))
        result = self.isolated([e, radical], self.names, self.bounds, what)
        for x, y in result.zeros:
            here = [curve for curve in curves if _lies_on(curve, x, y)]
            # The product of the parts is zero once, so that one of them is.
            times = {n for _, n in self.zero_in(parts, x, y)}
            join(self.found, Candidate(x, y, {kind: max(times)}, here, len(times) == 1))
        for box in result.undecided:
            middle = [Blurred(flint.arb(float(low)).union(flint.arb(float(high)))) for low, high in box]
            here = [curve for curve in curves if _lies_on(curve, *middle)]
            near = self.zero_in(parts, *middle)
            part, n = near[0] if len(near) == 1 else (radical, 0)
            if here and near and not (n and self.resolved(kind, here, e, part, box, n)):
                self.undecided(kind, here, box)

    def zero_in(self, parts: list[tuple[Expression, int]], x: Number, y: Number) -> list[tuple[Expression, int]]:
        """Return the parts that are not told from zero at a place."""
        at = dict(zip(self.names, (x.ball(), y.ball()), strict=True))
        return [(part, n) for part, n in parts if enclosed(part, at).contains(0)] if len(parts) > 1 else parts

    def resolved(
        self, kind: Kind, curves: list[Curve], f: Expression, g: Expression, box: Array, times: int = 1
    ) -> bool:
        """Settle a small box with a double zero, a close pair, or an extremum close to zero, where that is proved.

        Multiplicities are those of zeros of g, `times` as often.
        """
        result = resolved(f, g, self.names, self.bounds, box)
        if result is None:
            return False
        for x, y in result.single:
            join(self.found, Candidate(x, y, {kind: times}, list(curves), True))
        if result.double is not None:
            x, y = result.double
            join(self.found, Candidate(x, y, {kind: result.times * times}, list(curves), True))
        if result.doubtful is not None:
            x, y = result.doubtful
            self.doubtful(kind, curves, x, y, result.doubt)
        return True

    def undecided(self, kind: Kind, curves: list[Curve], box: Array) -> None:
        x, y = (Blurred(flint.arb(float(low)).union(flint.arb(float(high)))) for low, high in box)
        self.found.append(Candidate(x, y, {kind: 2}, curves, False))
        size = max(float(v.ball().rad()) for v in (x, y))
        self.geometry.undecided.append(
            f"any number of {_NAMES[kind]} of {curves[0].equation} within {size:.1e} of {self.place(x, y)}"
        )

    def doubtful(self, kind: Kind, curves: list[Curve], x: Number, y: Number, doubt: str) -> None:
        join(self.found, Candidate(x, y, {kind: 2}, list(curves), False))
        self.geometry.undecided.append(f"{_NAMES[kind]} of {curves[0].equation} at {self.place(x, y)}: {doubt}")

    def place(self, x: Number, y: Number) -> str:
        return f"({nearest_double(x):.9g}, {nearest_double(y):.9g})"


def edge_points(system: FormulaSystem, curve: Curve) -> tuple[list[tuple[Number, Number]], list[str]]:
    """Return the points of a curve on the four edges of the window, each once, and what was not decided.

    Raises
    ------
    InputError
        If an edge belongs to the curve.
    """
    e, bounds = _expression(curve), bounds_of(system)
    found: list[tuple[Number, Number]] = []
    undecided = []
    for k, name in enumerate(system.names):
        other = system.names[1 - k]
        for edge in bounds[k]:
            along = substituted(e, {name: edge})
            result = isolate([along], [other], [bounds[1 - k]]) if along != ZERO else None
            if result is None or not result.finished:
                raise InputError(
                    "window",
                    float(edge),
                    f"has its edge {name} = {float(edge):g} on the curve {curve.equation}",
                    "Move this edge a little",
                )
            for box in result.undecided:
                where = f"{name} = {float(edge):g}, {other} = {box.mean():.9g} +- {np.ptp(box) / 2:.1e}"
                undecided.append(
                    f"{curve.equation} touches the window's edge near {where}, or comes close; move the edge"
                )
            for (value,) in result.zeros:
                point: tuple[Number, Number] = (Rational(edge), value) if k == 0 else (value, Rational(edge))
                if not any(compare(a, point[0]) == 0 and compare(b, point[1]) == 0 for a, b in found):
                    found.append(point)
    return found, undecided


def lost_box(plane: PlaneField, point: SpecialPoint) -> Array:
    """Return the box of the unit square round a singular point without proof, in which the curve is not followed."""
    centre = plane.scaled(np.array([point.x, point.y]))
    return np.stack([centre - _LOST, centre + _LOST], axis=1)


def _powers(e: Expression, names: Sequence[str]) -> list[tuple[Expression, int]]:
    """Return the factors of a formula and how often they occur where one does more than once, else the formula."""
    found = factored([e], names)
    if max(found.multiplicities, default=1) == 1:
        return [(e, 1)]
    return list(zip(found.parts, found.multiplicities, strict=True))


def _expression(curve: Curve) -> Expression:
    assert curve.expression is not None
    return curve.expression


def _lies_on(curve: Curve, x: Number, y: Number) -> bool:
    if curve.position is None:
        return True
    value = x if curve.shape is Shape.FAST_LINE else y
    return bool(value.ball().overlaps(curve.position.ball()))


def _inside(box: Array, other: Array) -> bool:
    return bool(np.all(box[:, 0] >= other[:, 0]) and np.all(box[:, 1] <= other[:, 1]))
