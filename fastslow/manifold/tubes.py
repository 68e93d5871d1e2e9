"""Proofs about a curve F = 0 in the unit square: tubes that hold one arc of it each, patches round its branch points.

A tube is the parallelogram |s| <= reach, |n| <= width about a chord, s along and n across. Where F_n does not
vanish in it and |F| at the chord's middle plus |F_s| reach is below |F_n| width / 2, the curve in the tube is one
graph n(s) with |n| <= width / 2. A patch is a parallelogram about a critical point c of F with F(c) = 0, its sides
along the two directions in which the second derivative vanishes: where the mixed derivative is more than twice the
other two, the curve in it is c and four arcs from c to its four sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.plane_field import PlaneField
from fastslow.systems.balls import enclosed
from fastslow.systems.expressions import derivative
from fastslow.systems.intervals import Interval, added, multiplied

Array = NDArray[np.float64]

_OVERLAP = 1.3
"""How far tubes reach beyond their chords, so that they overlap."""
_WIDTHS = (0.7, 0.35, 0.12, 0.04)
"""Half widths that are tried, in units of half the chord."""
_SHORTEST = 1e-8
_NEIGHBOURS = 6
_MOST_PAIRS = 3_000_000
"""So many distances are taken one by one; beyond, a tree pays for its import."""
_JOINT = 1e-10
"""Half length of the segment across the curve on which a joint is proved."""
_PATCHES = [0.1 * 2.0**-k for k in range(18)]
_LARGEST_RATIO = 0.5


@dataclass(frozen=True, eq=False)
class Tubes:
    """Consecutive tubes along a chain of points on a curve.

    Attributes
    ----------
    joints : ndarray, shape (N + 1, 2)
        Points on the curve.
    centre, along, across : ndarray, shape (N, 2)
        Middles of the chords, unit vectors along and across.
    half : ndarray, shape (N,)
        Half lengths of the chords.
    width : ndarray, shape (N,)
        Half widths.
    """

    joints: Array
    centre: Array
    along: Array
    across: Array
    half: Array
    width: Array
    _tree: Any = None

    def coordinates(self, points: Array) -> tuple[Array, Array]:
        """Return (s, n) of P points in N tubes, both of shape (P, N)."""
        away = points[:, None, :] - self.centre[None, :, :]
        return np.einsum("pni,ni->pn", away, self.along), np.einsum("pni,ni->pn", away, self.across)

    def hold(self, boxes: Array) -> NDArray[np.bool_]:
        """Return for each box whether it is seen to lie in one tube; only tubes near its middle are looked at."""
        low, high = self._ends
        found: NDArray[np.bool_] = np.all((boxes[:, :, 0] >= low) & (boxes[:, :, 1] <= high), axis=1)
        if found.any():
            found[found] = self._hold(boxes[found])
        return found

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        """The least and the largest coordinates in the tubes."""
        size = np.abs(self.along) * (_OVERLAP * self.half)[:, None] + np.abs(self.across) * self.width[:, None]
        return (self.centre - size).min(axis=0), (self.centre + size).max(axis=0)

    def _hold(self, boxes: Array) -> NDArray[np.bool_]:
        middle, size = boxes.mean(axis=2), (boxes[:, :, 1] - boxes[:, :, 0]) / 2
        near = self._nearest(middle)
        away = middle[:, None, :] - self.centre[near]
        along, across = self.along[near], self.across[near]
        s = np.abs((away * along).sum(axis=2)) + (np.abs(along) * size[:, None, :]).sum(axis=2)
        n = np.abs((away * across).sum(axis=2)) + (np.abs(across) * size[:, None, :]).sum(axis=2)
        inside = (s <= _OVERLAP * self.half[near] - 1e-13) & (n <= self.width[near] - 1e-13)
        return np.asarray(inside.any(axis=1))

    def _nearest(self, points: Array) -> NDArray[np.intp]:
        """Return the numbers of the tubes whose middles are next to points, shape (P, k)."""
        count = min(_NEIGHBOURS, len(self.half))
        if len(points) * len(self.half) <= _MOST_PAIRS:
            distance = np.square(points[:, None, :] - self.centre[None, :, :]).sum(axis=2)
            return np.argpartition(distance, count - 1, axis=1)[:, :count]
        if self._tree is None:
            from scipy.spatial import cKDTree

            object.__setattr__(self, "_tree", cKDTree(self.centre))
        _, near = self._tree.query(points, k=count)
        return np.asarray(near).reshape(len(points), -1)


def tubes_along(joints: Array, width: Array | float) -> Tubes:
    """Return the tubes about the chords between consecutive points."""
    chord = np.diff(joints, axis=0)
    half = np.linalg.norm(chord, axis=1) / 2
    along = chord / (2 * half[:, None])
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return Tubes(joints, (joints[1:] + joints[:-1]) / 2, along, across, half, np.broadcast_to(width, half.shape) * half)


def proved_tubes(
    field: PlaneField, joints: Array, closed: bool, edges: Array, known_ends: tuple[bool, bool]
) -> Tubes | None:
    """Return proved tubes along a chain of points on F = 0, with more points where needed; None where that fails.

    Parameters
    ----------
    field : PlaneField
        The formula.
    joints : ndarray, shape (N, 2)
        Points on the curve.
    closed : bool
        Whether the last joint is the first.
    edges : ndarray, shape (K, 2)
        The points of the curve on the window's edge: a tube may hold one beyond each end of its chord.
    known_ends : (bool, bool)
        Whether the first and the last joint are proved already.
    """
    while True:
        width, proved = np.zeros(len(joints) - 1), np.zeros(len(joints) - 1, dtype=bool)
        for choice in _WIDTHS:
            tubes = tubes_along(joints, choice)
            left = np.flatnonzero(~proved)
            good = left[single_arcs(field, tubes, left) & _few_edges(tubes, left, edges)]
            width[good], proved[good] = choice, True
            if proved.all():
                break
        if proved.all():
            tubes = tubes_along(joints, width)
            return tubes if _joined(field, tubes, closed, known_ends) else None
        tubes = tubes_along(joints, 1.0)
        bad = np.flatnonzero(~proved)
        if tubes.half[bad].min() < _SHORTEST or len(joints) > 20_000:
            return None
        middle = field.on_curve(tubes.centre[bad], tubes.across[bad])
        moved = np.linalg.norm(middle - tubes.centre[bad], axis=1)
        inside = np.all((middle >= 0.0) & (middle <= 1.0), axis=1)
        if not np.all((moved <= tubes.half[bad]) & inside):
            return None
        joints = np.insert(joints, bad + 1, middle, axis=0)


def point_between(plane: PlaneField, tubes: Tubes, places: tuple[float, float], ends: Array) -> Array:
    """Return a point of the curve between two ends that are closer than its points, none where that is not sure."""
    guess = ends.mean(axis=0)
    _, gradient = plane.at(guess)
    if not np.linalg.norm(gradient) > 0:
        return np.empty((0, 2))
    point = plane.on_curve(guess, gradient / np.linalg.norm(gradient))
    s, n = (v[0] for v in tubes.coordinates(point[None]))
    inside = (np.abs(n) <= tubes.width) & (np.abs(s) <= tubes.half * (1 + 1e-9))
    at = np.flatnonzero(inside) + (s[inside] / tubes.half[inside] + 1) / 2
    last = len(tubes.half)
    between = any((places[0] < v < places[1]) or (places[0] < v + last < places[1]) for v in at.tolist())
    in_patch = places[0] < 0 or (places[1] > last and not len(at))
    return point[None] if between or in_patch else np.empty((0, 2))


def single_arcs(field: PlaneField, tubes: Tubes, chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether each of the chosen tubes is proved to hold one graph of the curve, within half its width."""
    reach, width = _OVERLAP * tubes.half[chosen], tubes.width[chosen]
    along, across, centre = tubes.along[chosen], tubes.across[chosen], tubes.centre[chosen]
    size = np.abs(along) * reach[:, None] + np.abs(across) * width[:, None] + 1e-13
    boxes = np.stack([centre - size, centre + size], axis=2)
    with np.errstate(all="ignore"):
        _, gradient = field.enclosures(boxes)
        value, middle = field.values(centre)
        hessian = field.hessians(boxes)
        s, n = (_dot(v, gradient) for v in (along, across))
        bend, mixed, spread = (_form(hessian, p, q) for p, q in ((along, along), (along, across), (across, across)))
        for slope, v, rows in ((s, along, (bend, mixed)), (n, across, (mixed, spread))):
            change = added(multiplied(rows[0], (-reach, reach)), multiplied(rows[1], (-width, width)))
            centred = added(_dot(v, middle), change)
            known = np.isfinite(centred[0]) & np.isfinite(centred[1])
            slope[0][known] = np.fmax(slope[0], centred[0])[known]
            slope[1][known] = np.fmin(slope[1], centred[1])[known]
        least = np.where(n[0] > 0, n[0], -n[1])
        most = np.maximum(np.abs(value[0]), np.abs(value[1])) + np.maximum(np.abs(s[0]), np.abs(s[1])) * reach
        return np.asarray((least > 0) & (most * (1 + 1e-12) < 0.5 * least * width))


def _few_edges(tubes: Tubes, chosen: NDArray[np.intp], edges: Array) -> NDArray[np.bool_]:
    """Whether tubes hold no point on the window's edge between the ends of their chords, and one at most beyond each.

    Then what the tube holds of the curve inside the window between its joints is one arc: an arc that ended at the
    edge, or began there, would need a second end.
    """
    if not len(edges):
        return np.ones(len(chosen), dtype=bool)
    s, n = tubes.coordinates(edges)
    s, n, half = s[:, chosen], n[:, chosen], tubes.half[chosen]
    inside = (np.abs(n) <= tubes.width[chosen] + 1e-12) & (np.abs(s) <= _OVERLAP * half + 1e-12)
    between = (inside & (np.abs(s) < half - 1e-11)).any(axis=0)
    beyond = [(inside & side).sum(axis=0) for side in (s >= half - 1e-11, s <= -half + 1e-11)]
    return np.asarray(~between & (beyond[0] <= 1) & (beyond[1] <= 1))


def _joined(field: PlaneField, tubes: Tubes, closed: bool, known_ends: tuple[bool, bool]) -> bool:
    """Whether a zero is proved at every joint, inside both tubes that meet there."""
    last = len(tubes.half)
    places = np.arange(int(known_ends[0] and not closed), last + int(not closed and not known_ends[1]))
    if not len(places):
        return True
    after, before = np.minimum(places, last - 1), places - 1 if closed else np.maximum(places - 1, 0)
    with np.errstate(all="ignore"):
        ends = [field.values(tubes.joints[places] + sign * _JOINT * tubes.across[after])[0] for sign in (1, -1)]
    crosses = ((ends[0][0] > 0) & (ends[1][1] < 0)) | ((ends[0][1] < 0) & (ends[1][0] > 0))
    return bool(crosses.all() and (np.minimum(tubes.width[before], tubes.width[after]) > 10 * _JOINT).all())


def _dot(v: Array, gradient: list[Interval]) -> Interval:
    return added(multiplied((v[:, 0], v[:, 0]), gradient[0]), multiplied((v[:, 1], v[:, 1]), gradient[1]))


@dataclass(frozen=True, eq=False)
class Patch:
    """The neighbourhood of a branch point: four arcs leave it along the first and the second direction, both ways.

    Attributes
    ----------
    centre : ndarray, shape (2,)
    directions : ndarray, shape (2, 2)
        Columns, unit vectors tangent to the two branches.
    size : float
        Half length of its sides.
    no_fold : bool
        Whether F_x vanishes on the curve in it at the centre only.
    fold : bool
        Whether then one of the branches has its fold there.
    """

    centre: Array
    directions: Array
    size: float
    no_fold: bool
    fold: bool = False

    def coordinates(self, points: Array) -> Array:
        """Return points in units of the two directions."""
        return np.asarray((points - self.centre) @ np.linalg.inv(self.directions).T)

    def hold(self, boxes: Array) -> NDArray[np.bool_]:
        """Return whether each box lies in the patch."""
        corners = np.stack([boxes[:, (0, 1), (i, j)] for i in (0, 1) for j in (0, 1)], axis=1)
        return np.asarray((np.abs(self.coordinates(corners)) <= self.size * (1 - 1e-9)).all(axis=(1, 2)))

    def exit(self, field: PlaneField, half: int) -> Array:
        """Return the point on half arc 0, 1, 2 or 3 at seven tenths of the patch."""
        axis, sign = divmod(half, 2)
        start = self.centre + (1 - 2 * sign) * 0.7 * self.size * self.directions[:, axis]
        return field.on_curve(start, self.directions[:, 1 - axis])

    def half_of(self, point: Array) -> int:
        """Return the number of the half arc on which a point of the curve lies."""
        u, v = self.coordinates(point)
        return int(u < 0) if abs(u) > abs(v) else 2 + int(v < 0)


def patch_about(field: PlaneField, centre: Array, level: bool = False) -> Patch | None:
    """Return the largest patch about a critical point with F = 0 that is proved, None where there is none.

    There is none where the second derivative is definite (an isolated point) or degenerate. With `level` it is known
    that F_xx = 0 there: the branch with this slope has its fold at the point, if no derivative says otherwise.
    """
    (a, b), (_, d) = field.hessian_at(centre)
    root = b * b - a * d
    if not root > 0:
        return None
    # a u^2 + 2 b u v + d v^2 = 0 without cancellation
    q = -(b + math.copysign(math.sqrt(root), b))
    directions = np.array([[q, d], [a, q]])
    directions = directions / np.linalg.norm(directions, axis=0)
    inverse = np.linalg.inv(directions)
    found = None
    for size in _PATCHES:
        reach = size * np.abs(directions).sum(axis=1) * (1 + 1e-9) + 1e-12
        box = np.stack([centre - reach, centre + reach], axis=1)[None]
        if box.min() < 0.0 or box.max() > 1.0:
            continue
        with np.errstate(all="ignore"):
            rows = [(float(low[0]), float(high[0])) for low, high in field.hessians(box)]
        uu, uv, vv = (_form(rows, directions[:, i], directions[:, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
        least = max(uv[0], -uv[1])
        most = max(abs(end) for row in (uu, vv) for end in row)
        if not (least > 0 and most < _LARGEST_RATIO * least * (1 - 1e-9)):
            continue
        ratio = most / least
        slope = (1 - math.sqrt(1 - ratio**2)) / ratio * (1 + 1e-9) if ratio > 1e-8 else ratio
        fan = (-slope, slope)
        # F_x / u on the arcs along u, and F_x / v on those along v
        clear = []
        for one, other in ((uu, vv), (vv, uu)):
            along, across = (inverse[0, 0], inverse[1, 0]) if one is uu else (inverse[1, 0], inverse[0, 0])
            low, high = added(
                _thin(along, added(one, multiplied(uv, fan))), _thin(across, added(uv, multiplied(other, fan)))
            )
            clear.append(bool(low > 1e-12 * least or high < -1e-12 * least))
        if all(clear):
            return Patch(centre, directions, size, True)
        if level and any(clear) and _folds_once(field, centre, directions, clear.index(False), size, slope):
            return Patch(centre, directions, size, True, True)
        found = found or Patch(centre, directions, size, False)
    return found


def _folds_once(field: PlaneField, centre: Array, directions: Array, axis: int, size: float, slope: float) -> bool:
    """Whether the branch with the slope 0 at a branch point has no other fold in the patch.

    With y = w x, both from the branch point, F / x^2 = G(x, w), and the branch is a graph w(x), w(0) = 0, as G_w is not
    zero. Where G_x is not zero either, w' keeps its sign, and y' = w + x w' is zero at x = 0 only. G_x is a mean of
    (F_xxx + 3 w F_xxy + 3 w^2 F_xyy + w^3 F_yyy) / 6, and G_w one of F_xy + w F_yy.
    """
    u, v = np.abs(directions[:, axis]), np.abs(directions[:, 1 - axis])
    if not u[0] - slope * v[0] > 0:
        return False
    steepest = (u[1] + slope * v[1]) / (u[0] - slope * v[0]) * (1 + 1e-9) + 1e-14
    reach = size * (u + slope * v) * (1 + 1e-9) + 1e-12
    low, high = field.real(np.maximum(centre - reach, 0.0)), field.real(np.minimum(centre + reach, 1.0))
    at = {name: flint.arb(a).union(flint.arb(b)) for name, a, b in zip(field.names, low, high, strict=True)}
    w = flint.arb(0, steepest * float(field.width[1]) / float(field.width[0]) * (1 + 1e-9))
    x, y = field.names
    f_xx, f_yy = (derivative(field.expression, name, 2) for name in (x, y))
    third = [derivative(f_xx, x), derivative(f_xx, y), derivative(f_yy, x), derivative(f_yy, y)]
    a, b, c, d = (enclosed(e, at) for e in third)
    across = enclosed(derivative(derivative(field.expression, x), y), at) + w * enclosed(f_yy, at)
    along = a + w * (3 * b + w * (3 * c + w * d))  # flint's square of an interval with 0 in it is NaN
    return all(value > 0 or value < 0 for value in (across, along))


def _thin(value: float, interval: Interval) -> Interval:
    return multiplied((float(value), float(value)), interval)


def _form(rows: Sequence[Interval], p: Array, q: Array) -> Interval:
    """Enclosure of p^T H q, the rounding of the products of p and q included."""
    total: Interval = (0.0, 0.0)
    for i, j, row in ((0, 0, rows[0]), (0, 1, rows[1]), (1, 0, rows[1]), (1, 1, rows[2])):
        thin = multiplied((p[..., i], p[..., i]), (q[..., j], q[..., j]))
        total = added(total, multiplied(thin, row))
    return total
