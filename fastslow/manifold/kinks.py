"""Windows cut where abs, relu and leaky_relu have their kinks, and what was found in the pieces put together again.

A kink at a rational value of one variable cuts the window. Along a curve k(x, y) = 0 the formula is followed in the
whole window once for each sign of k, its curves are cut where they meet k = 0, and the parts on the right side kept.
Kinks in kinks, as of abs(x - abs(x + y)), are found in the pieces, in which the inner ones are gone.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import flint
import numpy as np

from fastslow.errors import InputError
from fastslow.manifold.arcs import Arc, Branch, CriticalManifold
from fastslow.manifold.curves import Curve, Shape
from fastslow.manifold.isolation import isolate
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability, numbered
from fastslow.systems.algebraic import Number, Rational, compare
from fastslow.systems.balls import enclosed
from fastslow.systems.expression_factors import polynomial_of, written
from fastslow.systems.expression_facts import nodes, rebuilt
from fastslow.systems.expressions import ONE, ZERO, Call, Expression, Variable, evaluate, multiply
from fastslow.systems.expressions import Number as Constant
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomials import rational

_SLOPES = {
    "abs": (Constant(Fraction(-1)), ONE),
    "relu": (ZERO, ONE),
    "leaky_relu": (Constant(Fraction(1, 100)), ONE),
}
"""The slopes below and above the kink."""
_NEAR = 1e-9
_BITS = 256
_MOST_CURVES = 3
"""Each doubles the work."""

Box = dict[str, tuple[Fraction, Fraction]]
Sides = tuple[tuple[Expression, int], ...]
"""Curves k = 0, and the sign of k on the wanted side."""


@dataclass(eq=False)
class Cuts:
    """The values of the two variables at which a window is cut, the k of curves k = 0, and kinks that stay."""

    names: tuple[str, str]
    x: list[Fraction] = field(default_factory=list)
    y: list[Fraction] = field(default_factory=list)
    curves: list[Expression] = field(default_factory=list)
    left: list[Expression] = field(default_factory=list)
    nested: bool = False

    def add(self, piece: FormulaSystem, sides: Sides, whole: FormulaSystem) -> None:
        """Take in the edges of a piece and the curves at its sides."""
        for own, low, high, ends in (
            (self.x, piece.lower, piece.upper, (whole.lower, whole.upper)),
            (self.y, piece.slow_lower, piece.slow_upper, (whole.slow_lower, whole.slow_upper)),
        ):
            own += [v for v in (low, high) if v is not None and v not in ends and v not in own]
        known = {str(k) for k in self.curves}
        self.curves += [k for k, _ in sides if str(k) not in known]

    def on_cut(self, point: SpecialPoint) -> bool:
        """Whether a point lies on a cut, as far as it can be told."""
        for value, number, cuts in ((point.x, point.exact_x, self.x), (point.y, point.exact_y, self.y)):
            for cut in cuts:
                near = abs(value - float(cut)) < _NEAR * (1 + abs(value))
                if near and number is not None and compare(number, Rational(cut)) == 0:
                    return True
        if not self.curves:
            return False
        with flint.ctx.workprec(_BITS):
            numbers = (given(point.exact_x), given(point.exact_y))
            at = {name: number.ball(_BITS) for name, number in zip(self.names, numbers, strict=True)}
            return any(enclosed(k, at).contains(0) for k in self.curves)


def kinks_of(system: FormulaSystem, known: int = 0) -> Cuts:
    """Return where the window has to be cut for f and g to be smooth in its pieces, apart from kinks in kinks.

    More than some curves stay, the number of `known` ones included.
    """
    cuts = Cuts(system.names)
    assert system.slow_lower is not None and system.slow_upper is not None
    bounds = {system.fast[0]: (system.lower, system.upper), system.slow[0]: (system.slow_lower, system.slow_upper)}
    for e in (*system.fast_expressions, system.unit, system.slow_expression):
        for node in nodes(e):
            if not (isinstance(node, Call) and node.function in _SLOPES):
                continue
            used = {part.name for part in nodes(node.argument) if isinstance(part, Variable)}
            if not used:
                continue
            if len(used) == 1:
                (name,) = used
                roots = isolate([node.argument], [name], [bounds[name]])
                exact = [root[0].exact for root in roots.zeros]
                if not roots.undecided and None not in exact:
                    own = cuts.x if name == system.fast[0] else cuts.y
                    own += [
                        v for v in exact if v is not None and bounds[name][0] < v < bounds[name][1] and v not in own
                    ]
                    continue
            if e is not system.slow_expression and e is not system.unit and not _is_known(node.argument, cuts):
                if any(isinstance(part, Call) and part.function in _SLOPES for part in nodes(node.argument)):
                    cuts.nested = True
                else:
                    (cuts.left if len(cuts.curves) + known == _MOST_CURVES else cuts.curves).append(node.argument)
    cuts.x.sort()
    cuts.y.sort()
    return cuts


def _is_known(e: Expression, cuts: Cuts) -> bool:
    return any(_side(e, k, cuts.names) for k in cuts.curves)


def _side(e: Expression, k: Expression, names: tuple[str, str]) -> int:
    """Return the sign of a formula where k > 0, if it is a multiple of k; 0 if it is not."""
    if str(e) == str(k):
        return 1
    p, q = (polynomial_of(v, names) for v in (e, k))
    if p is None or q is None or p == 0 or q == 0:
        return 0
    ratio = next(iter(p.to_dict().values())) / next(iter(q.to_dict().values()))
    return (1 if ratio > 0 else -1) if p == q * ratio else 0


def pieces(system: FormulaSystem, cuts: Cuts, around: Sides = ()) -> Iterator[tuple[FormulaSystem, Sides]]:
    """Yield the system in each piece of the window and on each side of the curves, its formulas smooth there.

    What is left of kinks in kinks is added to `cuts`; `around` are sides that are known before.
    """
    for piece, own in _pieces(system, cuts):
        sides = (*around, *own)
        inner = kinks_of(piece, len(sides)) if cuts.nested else Cuts(system.names)
        if inner.x or inner.y or inner.curves:
            yield from pieces(piece, inner, sides)
            cuts.left += [k for k in inner.left if k not in cuts.left]
        else:
            cuts.left += [k for k in inner.left if k not in cuts.left]
            yield piece, sides


def _pieces(system: FormulaSystem, cuts: Cuts) -> Iterator[tuple[FormulaSystem, Sides]]:
    assert system.slow_lower is not None and system.slow_upper is not None
    for low, high in itertools.pairwise([system.lower, *cuts.x, system.upper]):
        for below, above in itertools.pairwise([system.slow_lower, *cuts.y, system.slow_upper]):
            box = {system.fast[0]: (low, high), system.slow[0]: (below, above)}
            for signs in itertools.product((-1, 1), repeat=len(cuts.curves)):
                sides = tuple(zip(cuts.curves, signs, strict=True))
                piece = copy.copy(system)
                piece.lower, piece.upper, piece.slow_lower, piece.slow_upper = low, high, below, above
                smooth = (_smooth(e, box, sides) for e in system.fast_expressions)
                piece.fast_expressions = tuple(_simplified(e, system.names) for e in smooth)
                piece.unit, piece.slow_expression = (
                    _smooth(e, box, sides) for e in (system.unit, system.slow_expression)
                )
                piece._derivatives = {}
                piece.__dict__.pop("fast_expression", None)
                yield piece, tuple((_smooth(k, box, ()), sign) for k, sign in sides)


def _simplified(e: Expression, names: tuple[str, str]) -> Expression:
    """Return a polynomial multiplied out, so that what cancels is gone."""
    polynomial = polynomial_of(e, names)
    return e if polynomial is None else written(polynomial, [Variable(name) for name in names])


def on_side(part: CriticalManifold, sides: Sides) -> CriticalManifold:
    """Return what lies on the wanted sides of the curves: arcs do not cross them, as they end there."""
    if not sides:
        return part
    names, left = part.system.fast + part.system.slow, list(part.unmatched)

    def wanted(arc: Arc) -> bool:
        for k, sign in sides:
            values = sign * evaluate(k, dict(zip(names, (arc.x, arc.y), strict=True)))
            far = values[int(np.argmax(np.abs(values)))]
            if not abs(far) > _NEAR:
                left.append(f"{arc.curve.equation}: arc {arc.id} was not told from the kink {k} = 0")
            if far < 0.0:
                return False
        return True

    branches = [replace(b, arcs=tuple(arc for arc in b.arcs if wanted(arc))) for b in part.branches]
    branches = [b for b in branches if b.arcs]
    ends = {id(point) for b in branches for arc in b.arcs for point in (arc.start, arc.end)}
    points = tuple(point for point in part.points if id(point) in ends)
    return replace(part, branches=tuple(branches), points=points, complete=not left, unmatched=tuple(left))


def _smooth(e: Expression, box: Box, sides: Sides) -> Expression:
    """Return a formula in which every kink is replaced by what it is in a box, where that is one, or at its side."""
    first, second = box
    names = first, second

    def new(node: Expression) -> Expression | None:
        if not (isinstance(node, Call) and node.function in _SLOPES):
            return None
        signs = (sign * _side(node.argument, k, names) for k, sign in sides)
        if sign := next(filter(None, signs), 0):
            return multiply(_SLOPES[node.function][int(sign > 0)], node.argument)
        sign = _sign_in(node.argument, box)
        return multiply(_SLOPES[node.function][int(sign > 0)], node.argument) if sign else None

    return rebuilt(e, new)


def _sign_in(e: Expression, box: Box) -> int:
    """Return the sign of a formula in one variable inside an interval, 0 where it is not one, or more are in it."""
    used = {part.name for part in nodes(e) if isinstance(part, Variable)}
    if len(used) > 1:
        return 0
    value = enclosed(e, {name: flint.arb(rational((ends[0] + ends[1]) / 2)) for name, ends in box.items()})
    if not used:
        return 1 if value > 0 else -1 if value < 0 else 0
    (name,) = used
    low, high = box[name]
    roots = isolate([e], [name], [box[name]])
    inside = any(compare(root, Rational(low)) != 0 and compare(root, Rational(high)) != 0 for (root,) in roots.zeros)
    if inside or roots.undecided:
        return 0
    return 1 if value > 0 else -1 if value < 0 else 0


class Glue:
    """The critical manifolds of the pieces of a window, made one."""

    def __init__(self, system: FormulaSystem, cuts: Cuts, parts: list[CriticalManifold]) -> None:
        self.system, self.cuts = system, cuts
        self.unmatched = [sentence for part in parts for sentence in part.unmatched]
        self.curves: list[tuple[Curve, Curve]] = []
        self.arcs = [replace(arc, curve=self.curve(arc.curve)) for part in parts for arc in part.arcs]
        self.points = [point for part in parts for point in part.points]

    def whole(self) -> CriticalManifold:
        """Return the critical manifold of the whole window."""
        on_cuts = [point for point in self.points if self.cuts.on_cut(point)]
        kept = [point for point in self.points if point not in on_cuts]
        groups: list[list[SpecialPoint]] = []
        for point in on_cuts:
            group = next((group for group in groups if _same_place(group[0], point)), None)
            if group is None:
                groups.append([point])
            else:
                group.append(point)
        kept += [point for group in groups for point in self.merged(group)]
        kept = [replace(point, curves=tuple(dict.fromkeys(map(self.curve, point.curves)))) for point in kept]
        special = numbered([point for point in kept if point.kind is not Kind.BOUNDARY])
        edges = [p for p in kept if p.kind is Kind.BOUNDARY]
        points = [*special, *(replace(p, id=f"W{k}") for k, p in enumerate(edges, start=1))]
        at = {id(point.exact_x): point for point in points}
        branches: list[Branch] = []
        for _, curve in {id(curve): (None, curve) for _, curve in self.curves}.values():
            own = [arc for arc in self.arcs if arc.curve is curve]
            if own:
                name = f"B{len(branches) + 1}"
                arcs = tuple(
                    replace(arc, id=f"{name}.{k}", start=at[id(arc.start.exact_x)], end=at[id(arc.end.exact_x)])
                    for k, arc in enumerate(own, start=1)
                )
                branches.append(Branch(name, curve, arcs))
        return CriticalManifold(self.system, tuple(branches), tuple(points), not self.unmatched, tuple(self.unmatched))

    def curve(self, local: Curve) -> Curve:
        """Return the curve of the whole window that a curve of a piece is part of."""
        known = next((whole for part, whole in self.curves if part is local or whole is local), None)
        if known is None:
            known = next((whole for _, whole in self.curves if _same_curve(whole, local)), None)
            if known is None:
                known, e = local, self.system.fast_expressions[local.factor]
                if _is_curved(e, self.system.names):
                    if local.shape is Shape.SLOW_LINE:
                        rule = f"vanishes along a piece of the line {local.equation}, between kinks"
                        raise InputError("f", str(e), rule, "Change a coefficient a little")
                    # a line in this piece, it may be
                    known = replace(local, expression=e, equation=f"{e} = 0", shape=Shape.IMPLICIT, position=None)
                    known = next((whole for _, whole in self.curves if _same_curve(whole, known)), known)
            self.curves.append((local, known))
        return known

    def merged(self, group: list[SpecialPoint]) -> list[SpecialPoint]:
        """Return what stands at one place on a cut, the arcs that end there joined or made to end at it."""
        ends = [arc for arc in self.arcs for end in (arc.start, arc.end) if any(end is point for point in group)]
        pair = None
        if len(ends) == 2 and ends[0].curve is ends[1].curve:
            pair = _towards(ends[0], group, True), _towards(ends[1], group, False)
        special = [point for point in group if point.kind is not Kind.BOUNDARY]
        first = special[0] if special else group[0]
        on_edge = first.exact_x is not None and any(
            compare(number, Rational(edge)) == 0
            for number, edges in (
                (first.exact_x, (self.system.lower, self.system.upper)),
                (first.exact_y, (self.system.slow_lower, self.system.slow_upper)),
            )
            for edge in edges
            if number is not None and edge is not None
        )
        turns = all(kind in (Kind.FOLD, Kind.BOUNDARY) for point in special for kind in (point.kind, *point.also))
        if turns and not on_edge and pair is not None:
            # one side may have its fold here, where the curve goes on into the other
            a, b = pair
            if (a.stability, a.flow, a.rise) == (b.stability, b.flow, b.rise):
                self.arcs[self.arcs.index(ends[0])] = replace(
                    a, end=b.end, x=np.concatenate([a.x, b.x[1:]]), y=np.concatenate([a.y, b.y[1:]])
                )
                self.arcs.remove(ends[1])
                return []
        if not special and not on_edge:
            if not ends:
                return []
            if pair is not None:
                first = replace(first, kind=Kind.FOLD, multiplicity={Kind.FOLD: 1}, note="corner at a kink")
            elif len(ends) > 2 and all(_is_rational(point) for point in group):
                # Then it is exact that they end at one place.
                note = f"{len(ends)} arcs meet at a kink"
                first = replace(first, kind=Kind.CROSSING, multiplicity={Kind.CROSSING: 1}, note=note)
            else:
                where = f"({first.x:.9g}, {first.y:.9g})"
                self.unmatched.append(f"{len(ends)} arcs end at the kink at {where}, which was not decided")
        if special:
            kinds = list(dict.fromkeys(kind for point in special for kind in (point.kind, *point.also)))
            kinds = sorted((k for k in kinds if k is not Kind.BOUNDARY), key=list(Kind).index)
            if pair is not None and pair[0].rise != pair[1].rise and Kind.FOLD not in kinds:
                kinds = sorted([*kinds, Kind.FOLD], key=list(Kind).index)
            many = {kind: max(1, *(point.multiplicity.get(kind, 0) for point in special)) for kind in kinds}
            notes = dict.fromkeys([*(point.note for point in special if point.note), "at a kink"])
            if len({point.stability for point in special if point.is_a(Kind.EQUILIBRIUM)}) > 1:
                # Left and right of the kink the linearisation is another one.
                first = replace(first, stability=Stability.CENTER, eigenvalues=())
            first = replace(first, kind=kinds[0], also=tuple(kinds[1:]), multiplicity=many, note="; ".join(notes))
        curves = tuple(dict.fromkeys(self.curve(curve) for point in group for curve in point.curves))
        first = replace(first, curves=curves)
        for i, arc in enumerate(self.arcs):
            for name, end in (("start", arc.start), ("end", arc.end)):
                if any(end is point for point in group):
                    self.arcs[i] = replace(self.arcs[i], **{name: first})  # type: ignore[arg-type]
        return [first]


def _is_curved(e: Expression, names: tuple[str, str]) -> bool:
    return {node.name for node in nodes(e) if isinstance(node, Variable)} == set(names)


def _towards(arc: Arc, group: list[SpecialPoint], last: bool) -> Arc:
    """Return an arc so turned that it ends (or begins) at a place."""
    if any((arc.end if last else arc.start) is point for point in group):
        return arc
    return replace(arc, start=arc.end, end=arc.start, flow=-arc.flow, rise=-arc.rise, x=arc.x[::-1], y=arc.y[::-1])


def _same_place(a: SpecialPoint, b: SpecialPoint) -> bool:
    if abs(a.x - b.x) > _NEAR * (1 + abs(a.x)) or abs(a.y - b.y) > _NEAR * (1 + abs(a.y)):
        return False
    return compare(given(a.exact_x), given(b.exact_x)) == 0 and compare(given(a.exact_y), given(b.exact_y)) == 0


def _is_rational(point: SpecialPoint) -> bool:
    return all(getattr(number, "exact", None) is not None for number in (point.exact_x, point.exact_y))


def _same_curve(a: Curve, b: Curve) -> bool:
    if a.shape is not b.shape or a.factor != b.factor:
        return False
    return a.shape is Shape.IMPLICIT or compare(given(a.position), given(b.position)) == 0


def given(number: Number | None) -> Number:
    """Return a coordinate that is known to be there."""
    assert number is not None
    return number
