"""The critical manifold of a system of formulas: curves followed in proved tubes, cut at their special points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.manifold.arcs import Arc, Branch, CriticalManifold, FastStability
from fastslow.manifold.certificates import rational_between
from fastslow.manifold.curves import Curve, Shape
from fastslow.manifold.formula_points import Geometry, bounds_of, edge_points, formula_geometry, lost_box
from fastslow.manifold.implicit_branch import Chain, End, components, fine_points
from fastslow.manifold.isolation import confirmed
from fastslow.manifold.kinks import Cuts, Glue, kinks_of, on_side, pieces
from fastslow.manifold.kinks import given as _number
from fastslow.manifold.plane_field import PlaneField
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.manifold.tubes import Patch, Tubes, point_between
from fastslow.systems.algebraic import FIRST_BITS, Ball, Number, Rational, compare, nearest_double
from fastslow.systems.expressions import Expression, Variable, add, multiply
from fastslow.systems.expressions import Number as Constant
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomials import rational

Array = NDArray[np.float64]

_LINE_POINTS = 65
_SIGN_BITS = 512
_MOST_SENTENCES = 6
_PATCH_POINTS = 16
_TOO_CLOSE = 1e-5
"""Points of an arc this close to its ends are left out, in units of the window."""
_NEAR_CURVE = (1e-12, 1e-10)
"""Half lengths of the segments across the curve, in units of the window, on which signs are proved."""
_STABILITY = {1: FastStability.REPELLING, -1: FastStability.ATTRACTING, 0: FastStability.NEUTRAL}


def formula_manifold(system: FormulaSystem) -> CriticalManifold:
    """Return the critical manifold of a system of formulas in its window, traced and certified.

    Folds f = f_x = 0, equilibria f = g = 0, crossings of factors and branch points f = f_x = f_y = 0 of one factor
    are isolated by subdivision with interval arithmetic; curves are followed in tubes that are proved to hold one arc
    each, and F is proved not to vanish elsewhere. What could not be decided is listed in `unmatched`.

    Raises
    ------
    InputError
        If f has no zero in the window, or zeros that should be isolated form a curve.
    """
    cuts = kinks_of(system)
    cut = plain = _attempt(system, cuts)
    if cuts.curves and (isinstance(cut, InputError) or cut.unmatched):
        plain = _attempt(system, replace(cuts, curves=[]))  # many a kink does not matter
    built = [found for found in (cut, plain) if not isinstance(found, InputError)]
    if not built and isinstance(cut, InputError):
        raise cut
    whole = min(built, key=lambda m: len(m.unmatched))
    if not whole.branches and whole.complete:
        raise InputError("f", system.formula()[0], "has no zero in the window", "Widen the window")
    return replace(whole, unmatched=_told(whole.unmatched, [*cuts.curves, *cuts.left]))


def _attempt(system: FormulaSystem, cuts: Cuts) -> CriticalManifold | InputError:
    try:
        return _in_pieces(system, cuts)
    except InputError as error:
        return error


def _in_pieces(system: FormulaSystem, cuts: Cuts) -> CriticalManifold:
    if not (cuts.x or cuts.y or cuts.curves or cuts.nested):
        return _Builder(system, formula_geometry(system)).build()
    parts, every = [], Cuts(system.names)
    for piece, sides in pieces(system, cuts):
        parts.append(on_side(_Builder(piece, formula_geometry(piece, [k for k, _ in sides])).build(), sides))
        every.add(piece, sides, system)
    return Glue(system, every, parts).whole()


def _told(sentences: Sequence[str], kinks: Sequence[Expression]) -> tuple[str, ...]:
    """Return what was not decided, its first sentences where there are many."""
    told = list(sentences[:_MOST_SENTENCES])
    if len(sentences) > _MOST_SENTENCES:
        told.append(f"and {len(sentences) - _MOST_SENTENCES} more")
    if sentences:
        told += [
            f"f has a kink along {kink} = 0, on which curves are not followed"
            for kink in dict.fromkeys(map(str, kinks))
        ]
    return tuple(told)


@dataclass(frozen=True, eq=False)
class _Path:
    """A chain with the pieces in the patches at its ends: fine points, their places, and the ends as special points."""

    points: Array
    places: Array
    start: SpecialPoint | None
    finish: SpecialPoint | None


class _Builder:
    def __init__(self, system: FormulaSystem, geometry: Geometry) -> None:
        self.system, self.geometry, self.bounds = system, geometry, bounds_of(system)
        self.points = geometry.points
        self.ends: list[SpecialPoint] = []
        self.unmatched = list(geometry.undecided)

    def build(self) -> CriticalManifold:
        branches: list[Branch] = []
        for curve in self.geometry.curves:
            name = f"B{len(branches) + 1}"
            arcs = self.implicit(curve, name) if curve.shape is Shape.IMPLICIT else self.line(curve, name)
            if arcs:
                branches.append(Branch(name, curve, tuple(arcs)))
        points = (*self.points, *self.ends)
        return CriticalManifold(self.system, tuple(branches), points, not self.unmatched, tuple(self.unmatched))

    def on(self, curve: Curve) -> list[SpecialPoint]:
        return [point for point in self.points if curve in point.curves]

    def edge(self, curve: Curve, x: Number, y: Number) -> SpecialPoint:
        """Return the special point on the window's edge at a place, a new one where there is none."""
        for point in self.on(curve):
            if compare(_number(point.exact_x), x) == 0 and compare(_number(point.exact_y), y) == 0:
                return point
        point = SpecialPoint(
            f"W{len(self.ends) + 1}",
            Kind.BOUNDARY,
            nearest_double(x),
            nearest_double(y),
            (curve,),
            exact_x=x,
            exact_y=y,
        )
        self.ends.append(point)
        return point

    # Lines --------------------------------------------------------------------------------------------------

    def line(self, curve: Curve, branch: str) -> list[Arc]:
        position = _number(curve.position)
        vertical = curve.shape is Shape.FAST_LINE
        low, high = self.bounds[1 if vertical else 0]
        ends = [
            self.edge(curve, position, Rational(v)) if vertical else self.edge(curve, Rational(v), position)
            for v in (low, high)
        ]
        along = (lambda p: p.y) if vertical else (lambda p: p.x)
        inner = [p for p in self.on(curve) if all(p is not end for end in ends)]
        nodes = [ends[0], *sorted(inner, key=along), ends[1]]
        arcs = []
        for number, (a, b) in enumerate(itertools.pairwise(nodes), start=1):
            name, steps = f"{branch}.{number}", np.linspace(along(a), along(b), _LINE_POINTS)
            constant = np.full(_LINE_POINTS, nearest_double(position))
            if not vertical:
                arcs.append(Arc(name, curve, a, b, FastStability.NEUTRAL, 0, 0, steps, constant))
                continue
            middle = Rational(rational_between(_number(a.exact_y), _number(b.exact_y)))
            f_x, g = self.signs(name, [(position.ball(256), middle.ball(256))], curve.repeated)
            arcs.append(Arc(name, curve, a, b, _STABILITY[f_x], g, 1, constant, steps))
        return arcs

    # Implicit curves ------------------------------------------------------------------------------------------

    def implicit(self, curve: Curve, branch: str) -> list[Arc]:
        assert curve.expression is not None
        plane = PlaneField(curve.expression, self.system.names, self.bounds)
        places, undecided = edge_points(self.system, curve)
        self.unmatched += undecided
        edges = [self.edge(curve, x, y) for x, y in places]
        patches = self.geometry.patches.get(curve, [])
        lost = self.geometry.lost.get(curve, [])
        at_edges = plane.scaled(np.array([[p.x, p.y] for p in edges]).reshape(-1, 2))
        at_edges = np.where(at_edges > 1 - 1e-14, 1.0, np.where(at_edges < 1e-14, 0.0, at_edges))
        found = components(plane, at_edges, [patch for patch, _ in patches], [lost_box(plane, p) for p in lost])
        self.unmatched += [f"{curve.equation}: {sentence}" for sentence in found.left_over]
        if len(found.boxes):
            self.unmatched.append(_boxes_in_words(curve, plane, found.boxes))
        paths = [self.path(plane, chain, edges, patches, lost) for chain in found.chains]
        nodes: list[list[tuple[float, Ball, SpecialPoint]]] = [[] for _ in paths]
        for point in self.on(curve):
            if point not in edges and point not in lost and all(point is not p for _, p in patches):
                where = self.place(plane, point, found.chains, patches)
                if where is None:
                    self.unmatched.append(f"{point.id} lies on no traced part of {curve.equation}")
                else:
                    nodes[where[0]].append((where[1], where[2], point))
        arcs: list[Arc] = []
        for chain, path, own in zip(found.chains, paths, nodes, strict=True):
            arcs += self.arcs_of(plane, curve, branch, chain, path, own, len(arcs) + 1)
        return arcs

    def path(
        self,
        plane: PlaneField,
        chain: Chain,
        edges: list[SpecialPoint],
        patches: list[tuple[Patch, SpecialPoint]],
        lost: list[SpecialPoint],
    ) -> _Path:
        points, places = fine_points(plane, chain.tubes)
        nodes: list[SpecialPoint | None] = []
        for end, first in ((chain.start, True), (chain.finish, False)):
            nodes.append(_node(end, edges, patches, lost))
            if end is None or end.patch < 0:
                continue
            # From the branch point to the first joint, or from the last one back.
            patch, joint = patches[end.patch][0], chain.tubes.joints[0 if first else -1]
            axis = end.half // 2
            reach = patch.coordinates(joint)[axis]
            share = np.arange(1, _PATCH_POINTS) / _PATCH_POINTS
            guess = patch.centre + share[:, None] * reach * patch.directions[:, axis]
            inner = plane.on_curve(guess, patch.directions[:, 1 - axis])
            if first:
                points, places = np.concatenate([inner, points]), np.concatenate([share - 1, places])
            else:
                points, places = (
                    np.concatenate([points, inner[::-1]]),
                    np.concatenate([places, places[-1] + 1 - share[::-1]]),
                )
        return _Path(points, places, nodes[0], nodes[1])

    def place(
        self,
        plane: PlaneField,
        point: SpecialPoint,
        chains: Sequence[Chain],
        patches: Sequence[tuple[Patch, SpecialPoint]],
    ) -> tuple[int, float, Ball] | None:
        """Return (chain, place on it, the place within the tube as a ball) of a special point."""
        at = plane.scaled(np.array([point.x, point.y]))
        for i, chain in enumerate(chains):
            tubes = chain.tubes
            s, n = (v[0] for v in tubes.coordinates(at[None]))
            inside = np.flatnonzero((np.abs(n) <= tubes.width) & (s <= tubes.half) & (s >= -tubes.half * 1.2))
            if len(inside):
                k = int(inside[0])
                share = (float(s[k]) / float(tubes.half[k]) + 1) / 2
                return i, k + min(max(share, 0.0), 1.0 - 1e-9), self.along(plane, tubes, k, point)
        for number, (patch, _) in enumerate(patches):
            if np.abs(patch.coordinates(at)).max() <= patch.size:
                half = patch.half_of(at)
                for i, chain in enumerate(chains):
                    for end, first in ((chain.start, True), (chain.finish, False)):
                        if end is not None and (end.patch, end.half) == (number, half):
                            joint = chain.tubes.joints[0 if first else -1]
                            axis = half // 2
                            share = float(patch.coordinates(at)[axis] / patch.coordinates(joint)[axis])
                            last = len(chain.tubes.half)
                            where = share - 1 if first else last + 1 - share
                            return i, where, flint.arb(where)
        return None

    def along(self, plane: PlaneField, tubes: Tubes, k: int, point: SpecialPoint) -> Ball:
        """Return the coordinate along tube k of a point, with many digits: two points may be close."""
        with flint.ctx.workprec(FIRST_BITS):
            total = flint.arb(0)
            for j, number in enumerate((point.exact_x, point.exact_y)):
                value = (_number(number).ball() - float(plane.low[j])) / float(plane.width[j])
                total += float(tubes.along[k, j]) * (value - float(tubes.centre[k, j]))
            return total.mid()

    def arcs_of(
        self,
        plane: PlaneField,
        curve: Curve,
        branch: str,
        chain: Chain,
        path: _Path,
        own: list[tuple[float, Ball, SpecialPoint]],
        first: int,
    ) -> list[Arc]:
        ordered = sorted(own, key=lambda entry: (int(entry[0] // 1), entry[1]))
        nodes = [(place, point) for place, _, point in ordered]
        points, places = path.points, path.places
        if path.start is not None and path.finish is not None:
            # Points in a patch have places before the first tube or after the last.
            first_place, last_place = min(0.0, math.floor(places[0])), max(1.0, math.ceil(places[-1]))
            nodes = [(first_place, path.start), *nodes, (last_place, path.finish)]
        elif nodes:
            last = float(len(chain.tubes.half))
            nodes.append((nodes[0][0] + last, nodes[0][1]))
            points, places = np.concatenate([points, points[1:]]), np.concatenate([places, places[1:] + last])
        else:
            self.unmatched.append(f"{curve.equation}: a closed curve without a fold, which cannot be")
        arcs = []
        for number, ((i, a), (j, b)) in enumerate(itertools.pairwise(nodes), start=first):
            inner = points[(places > i) & (places < j)]
            ends = plane.scaled(np.array([[a.x, a.y], [b.x, b.y]]))
            # Next to a fold doubles cannot tell the heights of a point and of the fold apart.
            inner = inner[np.abs(inner[:, None, :] - ends).max(axis=2).min(axis=1) > _TOO_CLOSE]
            if not len(inner):
                inner = point_between(plane, chain.tubes, (i, j), ends)
            name = f"{branch}.{number}"
            boxes = self.candidates(plane, inner) if len(inner) else iter(())
            near = inner[len(inner) // 2] if len(inner) else ends.mean(axis=0)
            boxes = itertools.chain(boxes, _midpoint(plane, a, b, near))
            f_x, g = self.signs(name, boxes, curve.repeated)
            real = plane.real(inner)
            x = np.concatenate([[a.x], real[:, 0], [b.x]])
            y = np.concatenate([[a.y], real[:, 1], [b.y]])
            rise = compare(_number(b.exact_y), _number(a.exact_y)) or (1 if y[len(y) // 2] > a.y else -1)
            arcs.append(Arc(name, curve, a, b, _STABILITY[f_x], rise * g, rise, x, y))
        return arcs

    def candidates(self, plane: PlaneField, inner: Array) -> Iterable[tuple[Ball, Ball]]:
        """Yield boxes that hold a point of the curve between two special points, the best for f_x and g first."""
        real = plane.real(inner)
        f_x = np.abs(self.system.partial("f", 1, 0, real[:, 0], real[:, 1]))
        g = np.abs(self.system.partial("g", 0, 0, real[:, 0], real[:, 1]))
        for k in (int(np.argmax(f_x)), int(np.argmax(g)), len(inner) // 2):
            _, gradient = plane.at(inner[k])
            across = gradient / np.linalg.norm(gradient)
            for size in _NEAR_CURVE:
                ends = np.stack([inner[k] - size * across, inner[k] + size * across])
                (low, high), _ = plane.values(ends)
                if (low[0] > 0 and high[1] < 0) or (high[0] < 0 and low[1] > 0):
                    box = plane.real(ends)
                    yield tuple(_hull(box[:, j]) for j in (0, 1))
                    break

    def signs(self, name: str, boxes: Iterable[tuple[Ball, Ball]], repeated: bool) -> tuple[int, int]:
        """Return the signs of f_x and g, each proved at one point of an arc, on which they do not change."""
        signs = [0, 0]
        with flint.ctx.workprec(_SIGN_BITS):
            for x, y in boxes:
                for k, (of, order) in enumerate((("f", 1), ("g", 0))):
                    if signs[k] == 0 and not (k == 0 and repeated):
                        value = self.system.enclose(of, order, 0, x, y)
                        signs[k] = 1 if value > 0 else -1 if value < 0 else 0
                if signs[1] and (signs[0] or repeated):
                    break
        if (signs[0] == 0 and not repeated) or signs[1] == 0:
            self.unmatched.append(f"the sign of {'g' if signs[0] or repeated else 'f_x'} on {name} was not proved")
        return signs[0], signs[1]


def _midpoint(plane: PlaneField, a: SpecialPoint, b: SpecialPoint, at: Array) -> Iterable[tuple[Ball, Ball]]:
    """Yield a point of the curve between two special points that are close: half way along a straight coordinate.

    The coordinate is taken from a point near them, and the curve's point with this coordinate with many digits.
    """
    ends = plane.scaled(np.array([[a.x, a.y], [b.x, b.y]]))
    if np.abs(ends - at).max() > 2 * _TOO_CLOSE:
        return
    _, gradient = plane.at(at)
    if not np.isfinite(gradient).all() or not gradient.any():
        return
    along = [Fraction(float(v)) for v in np.array([-gradient[1], gradient[0]]) / plane.width]
    with flint.ctx.workprec(_SIGN_BITS):
        total = flint.arb(0)
        for point in (a, b):
            for weight, number in zip(along, (point.exact_x, point.exact_y), strict=True):
                total += flint.arb(rational(weight)) * _number(number).ball(_SIGN_BITS) / 2
        half_way = total.mid().fmpq()
    names = plane.names
    line = add(
        *(multiply(Constant(weight), Variable(name)) for weight, name in zip(along, names, strict=True)),
        Constant(Fraction(-int(half_way.p), int(half_way.q))),
    )
    real = plane.real(at)
    box = np.stack([real - 1e-6 * plane.width, real + 1e-6 * plane.width], axis=1)
    zero = confirmed([plane.expression, line], names, box, 1e-9)
    if zero is not None:
        yield zero[0].ball(_SIGN_BITS), zero[1].ball(_SIGN_BITS)


def _node(
    end: End | None, edges: list[SpecialPoint], patches: list[tuple[Patch, SpecialPoint]], lost: list[SpecialPoint]
) -> SpecialPoint | None:
    if end is None:
        return None
    return edges[end.edge] if end.edge >= 0 else patches[end.patch][1] if end.patch >= 0 else lost[end.lost]


def _boxes_in_words(curve: Curve, plane: PlaneField, boxes: Array) -> str:
    middle, size = plane.real(boxes[0].mean(axis=1)), float((boxes[0, :, 1] - boxes[0, :, 0]).max())
    return (
        f"{curve.equation}: {len(boxes)} boxes of {size:.1e} of the window, the first at "
        f"({middle[0]:.9g}, {middle[1]:.9g}), were not decided"
    )


def _hull(ends: Array) -> Ball:
    # A hair wider than the rounded ends.
    low, high = (Fraction(float(v)) for v in (ends.min(), ends.max()))
    slack = Fraction(1, 2**50) * max(abs(low), abs(high))
    return flint.arb(rational(low - slack)).union(flint.arb(rational(high + slack)))
