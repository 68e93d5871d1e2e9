"""Every component of a curve F = 0 in the unit square, followed in proved tubes; outside the tubes F has no zero.

The curve is followed from its points on the window's edge and from its branch points. What is left of the window
when tubes, patches and boxes without a zero are taken out is cut again and again; where a box is left that Newton's
method takes to the curve, another component (an isola) is followed from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.plane_field import PlaneField
from fastslow.manifold.tubes import Patch, Tubes, proved_tubes

Array = NDArray[np.float64]

_LONGEST_STEPS = ((0.03, math.inf), (0.008, math.inf), (0.03, 0.5), (0.002, math.inf))
"""Of the window, and of the length |grad F| / |F''|: that is the way to where two branches almost cross."""
_SHORTEST_STEP = 1e-9
_LARGEST_TURN = 0.93
"""Smallest cosine of the turn of the tangent in a step."""
_MOST_STEPS = 30_000
_FIRST_CUTS = 32
_SMALLEST_BOX = 2.0**-22
_COARSE_BOX = 2.0**-10
"""No smaller boxes are made where following has failed."""
_MOST_FAILURES = 2
_MOST_BOXES = 60_000
_PIECE = 0.005
"""Distance of the points of an arc, in units of the window."""


@dataclass(frozen=True, eq=False)
class End:
    """Where a chain ends: point `edge` of the window's edge, or a half arc of patch `patch`, or a box without proof."""

    edge: int = -1
    patch: int = -1
    half: int = -1
    lost: int = -1


@dataclass(frozen=True, eq=False)
class Chain:
    """A component, or its part between branch points: proved tubes from `start` to `finish`, both None where closed."""

    tubes: Tubes
    start: End | None
    finish: End | None

    @property
    def closed(self) -> bool:
        """Whether the chain returns to its first joint."""
        return self.start is None


@dataclass(eq=False)
class Components:
    """All chains of a curve, and what was not proved, in words and as boxes of the unit square."""

    chains: list[Chain] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    boxes: Array = field(default_factory=lambda: np.empty((0, 2, 2)))


def components(plane: PlaneField, edges: Array, patches: list[Patch], lost: list[Array]) -> Components:
    """Follow every component of F = 0 in the unit square.

    Parameters
    ----------
    plane : PlaneField
        The formula F.
    edges : ndarray, shape (K, 2)
        All points of the curve on the edge of the square; it is crossed there.
    patches : list of Patch
        Round the branch points.
    lost : list of ndarray, shape (2, 2)
        Boxes round points where the curve may be singular in another way; it is not followed there.
    """
    walker = _Walker(plane, edges, patches, lost)
    walker.from_ends()
    walker.from_boxes()
    return walker.found


class _Walker:
    def __init__(self, plane: PlaneField, edges: Array, patches: list[Patch], lost: list[Array]) -> None:
        self.plane, self.edges, self.patches, self.lost = plane, edges, patches, lost
        self.settled = list(lost)
        self.used_edges: set[int] = set()
        self.used_halves: set[tuple[int, int]] = set()
        self.found = Components()

    # Where to begin --------------------------------------------------------------------------------------

    def from_ends(self) -> None:
        for k, point in enumerate(self.edges):
            if k not in self.used_edges:
                tangent = self.tangent(point)
                inward = _inward(point, tangent)
                if inward is None:
                    self.used_edges.add(k)
                    self.touch(point)
                    continue
                self.follow(point, inward, End(edge=k))
        for k, patch in enumerate(self.patches):
            for half in range(4):
                if (k, half) not in self.used_halves:
                    start = patch.exit(self.plane, half)
                    tangent = self.tangent(start)
                    away = start - patch.centre
                    self.follow(start, tangent if tangent @ away > 0 else -tangent, End(patch=k, half=half))

    def touch(self, corner: Array) -> None:
        """Keep the box at a corner of the window in which the curve is proved to be the corner alone.

        There F_x and F_y keep their signs, so that F grows, or falls, along every line into the window.
        """
        inward = np.where(corner < 0.5, 1.0, -1.0)
        for size in (2.0**-k for k in range(4, 20)):
            box = np.sort(np.stack([corner, corner + size * inward], axis=1), axis=1)
            _, slopes = self.plane.enclosures(box[None])
            signs = [
                s * ((low[0] > 0) * 1.0 - (high[0] < 0) * 1.0) for s, (low, high) in zip(inward, slopes, strict=True)
            ]
            if signs[0] * signs[1] > 0:
                self.settled.append(box)
                return
        where = self.plane.real(corner)
        self.found.left_over.append(f"the curve touches the window at ({where[0]:.6g}, {where[1]:.6g})")

    def from_boxes(self) -> None:
        """Follow what the boxes that are left lead to, until none is left."""
        ends = np.linspace(0.0, 1.0, _FIRST_CUTS + 1)
        i, j = np.divmod(np.arange(_FIRST_CUTS**2), _FIRST_CUTS)
        boxes = np.stack([np.stack([ends[i], ends[i + 1]], 1), np.stack([ends[j], ends[j + 1]], 1)], axis=1)
        failed = 0
        while True:
            boxes = self.without(boxes, self.found.chains)
            with np.errstate(all="ignore"):
                value, _ = self.plane.enclosures(boxes)
            boxes = boxes[~((value[0] > 0) | (value[1] < 0))]
            while failed <= _MOST_FAILURES and len(boxes) and (start := self.start_in(boxes)) is not None:
                before = len(self.found.chains)
                self.follow(start, self.tangent(start), None)
                if len(self.found.chains) == before:
                    failed += 1
                    boxes = boxes[np.abs(boxes.mean(axis=2) - start).max(axis=1) > 1e-3]
                    continue
                boxes = self.without(boxes, self.found.chains[before:])
            if not len(boxes):
                return
            side = boxes[0, 0, 1] - boxes[0, 0, 0]
            if side < _SMALLEST_BOX or len(boxes) > _MOST_BOXES or (failed and side < _COARSE_BOX):
                self.found.boxes = boxes
                return
            boxes = _quartered(boxes)

    def without(self, boxes: Array, chains: list[Chain]) -> Array:
        for chain in chains:
            boxes = boxes[~chain.tubes.hold(boxes)] if len(boxes) else boxes
        for patch in self.patches:
            boxes = boxes[~patch.hold(boxes)] if len(boxes) else boxes
        for box in self.settled:
            inside = (boxes[:, :, 0] >= box[:, 0]) & (boxes[:, :, 1] <= box[:, 1])
            boxes = boxes[~inside.all(axis=1)]
        return boxes

    def start_in(self, boxes: Array) -> Array | None:
        """Return a point of the curve near a box and in no tube, None where Newton's method finds none."""
        middle, size = boxes.mean(axis=2), float((boxes[0, :, 1] - boxes[0, :, 0]).max())
        moved = middle.copy()
        with np.errstate(all="ignore"):
            for _ in range(12):
                value, gradient = self.plane.at(moved)
                moved = moved - (value / np.einsum("ij,ij->i", gradient, gradient))[:, None] * gradient
            value, gradient = self.plane.at(moved)
            converged = np.abs(value) <= 1e-11 * np.linalg.norm(gradient, axis=1)
        near = converged & (np.abs(moved - middle) <= 2 * size).all(axis=1) & ((moved > 0) & (moved < 1)).all(axis=1)
        candidates = moved[near]
        thin = np.stack([candidates, candidates], axis=2)
        outside = self.without(thin, self.found.chains) if len(thin) else thin
        return outside[0, :, 0] if len(outside) else None

    # Following -------------------------------------------------------------------------------------------

    def tangent(self, point: Array) -> Array:
        _, gradient = self.plane.at(point)
        tangent = np.array([-gradient[1], gradient[0]])
        return np.asarray(tangent / np.linalg.norm(tangent))

    def follow(self, start: Array, tangent: Array, end: End | None) -> None:
        """Follow the curve from a point, prove the chain, and keep it."""
        for longest, share in _LONGEST_STEPS:
            joints, finish, closed = self.joints(start, tangent, end, longest, share)
            first = end
            if end is None and not closed:
                # An open component from a point inside: the other way too.
                back, first, _ = self.joints(start, -tangent, End(), longest, share)
                joints = [*back[:0:-1], *joints]
                if first is None:
                    continue
            if not closed and finish is None:
                continue
            known = tuple(e is not None and e.patch < 0 for e in (first, finish))
            tubes = proved_tubes(self.plane, np.array(joints), closed, self.edges, known)  # type: ignore[arg-type]
            if tubes is not None:
                self.keep(Chain(tubes, None if closed else first, None if closed else finish))
                return
        if end is not None:
            self.use(end)
        where = self.plane.real(start)
        self.found.left_over.append(f"the curve from ({where[0]:.9g}, {where[1]:.9g}) was not followed to a proved end")

    def keep(self, chain: Chain) -> None:
        for end in (chain.start, chain.finish):
            if end is not None:
                if end.edge in self.used_edges or (end.patch, end.half) in self.used_halves:
                    self.found.left_over.append("two chains end at one point")
                self.use(end)
        self.found.chains.append(chain)

    def use(self, end: End) -> None:
        if end.edge >= 0:
            self.used_edges.add(end.edge)
        if end.patch >= 0:
            self.used_halves.add((end.patch, end.half))

    def joints(
        self, start: Array, tangent: Array, end: End | None, longest: float, share: float
    ) -> tuple[list[Array], End | None, bool]:
        """Return points along the curve, where they end (None: nowhere), and whether they come back to the start."""
        p, t, step = start, tangent, min(0.01, longest)
        joints = [start]
        for _ in range(_MOST_STEPS):
            if share < math.inf:
                _, gradient = self.plane.at(p)
                bend = max(float(np.linalg.norm(self.plane.hessian_at(p))), 1e-300)
                step = min(step, share * float(np.linalg.norm(gradient)) / bend)
            step = min(step, longest, *(0.5 * float(np.linalg.norm(p - patch.centre)) for patch in self.patches))
            k = self.edge_ahead(p, t, step, end.edge if end is not None and len(joints) < 3 else -1)
            if k >= 0:
                return [*joints, self.edges[k]], End(edge=k), False
            q = self.corrected(p + step * t, step)
            if q is None or (turned := self.direction(q, t)) is None:
                step *= 0.5
                if step < _SHORTEST_STEP:
                    return joints, None, False
                continue
            if end is None and len(joints) > 2 and _between(start, p, q):
                return [*joints, start], None, True
            joints.append(q)
            for i, patch in enumerate(self.patches):
                if np.abs(patch.coordinates(q)).max() <= 0.8 * patch.size:
                    return joints, End(patch=i, half=patch.half_of(q)), False
            for i, box in enumerate(self.lost):
                if np.all((q >= box[:, 0]) & (q <= box[:, 1])):
                    return joints, End(lost=i), False
            straight = float(turned @ t) > 0.99
            p, t = q, turned
            step *= 1.5 if straight else 0.8
        return joints, None, False

    def corrected(self, guess: Array, step: float) -> Array | None:
        """Return the point of the curve next to a guess, None where there is none inside the window."""
        q = guess
        for _ in range(8):
            if not np.all((q > 0.0) & (q < 1.0)):
                return None
            value, gradient = self.plane.at(q)
            square = float(gradient @ gradient)
            if not (square > 0 and math.isfinite(square)):
                return None
            change = float(value) / square * gradient
            q = q - change
            size = float(np.linalg.norm(change))
            if np.linalg.norm(q - guess) > 0.3 * step:
                return None
            if size < 1e-14:
                break
        return q if size < 1e-11 and np.all((q > 0.0) & (q < 1.0)) else None

    def direction(self, point: Array, before: Array) -> Array | None:
        t = self.tangent(point)
        t = t if t @ before > 0 else -t
        return t if t @ before > _LARGEST_TURN else None

    def edge_ahead(self, p: Array, t: Array, step: float, begun: int) -> int:
        """Return the number of a point on the window's edge that the next step reaches, -1 where there is none."""
        if not len(self.edges):
            return -1
        away = self.edges - p
        distance = np.linalg.norm(away, axis=1)
        ahead = (distance <= 1.5 * step) & (away @ t > 0.93 * distance) & (distance > 1e-13)
        for k in np.flatnonzero(ahead)[np.argsort(distance[ahead])]:
            if int(k) != begun and self.direction(self.edges[k], t) is not None:
                return int(k)
        return -1


def _inward(point: Array, tangent: Array) -> Array | None:
    """Return the tangent or its opposite, the one that leads into the unit square."""
    for t in (tangent, -tangent):
        at_low, at_high = point < 1e-13, point > 1 - 1e-13
        if np.all(t[at_low] > 0) and np.all(t[at_high] < 0):
            return t
    return None


def _between(point: Array, p: Array, q: Array) -> bool:
    """Whether a point lies next to the segment from p to q, and not at p."""
    chord, away = q - p, point - p
    length = float(np.linalg.norm(chord))
    s = float(away @ chord) / length
    return 0 < s <= length * (1 + 1e-9) and float(np.linalg.norm(away - s / length * chord)) < 0.3 * length


def _quartered(boxes: Array) -> Array:
    middle = boxes.mean(axis=2)
    parts = []
    for i in (0, 1):
        for j in (0, 1):
            part = boxes.copy()
            part[:, 0, 1 - i], part[:, 1, 1 - j] = middle[:, 0], middle[:, 1]
            parts.append(part)
    return np.concatenate(parts)


def fine_points(plane: PlaneField, tubes: Tubes) -> tuple[Array, Array]:
    """Return points on the curve along tubes, joints included, and their places: tube number and fraction."""
    points, places = [], []
    for count in np.unique(pieces := np.maximum(1, np.ceil(2 * tubes.half / _PIECE).astype(int))):
        chosen = np.flatnonzero(pieces == count)
        share = np.arange(count) / count
        guess = tubes.joints[chosen][:, None, :] + share[None, :, None] * np.diff(tubes.joints, axis=0)[chosen][:, None]
        across = np.broadcast_to(tubes.across[chosen][:, None, :], guess.shape)
        points.append(plane.on_curve(guess, across, 5).reshape(-1, 2))
        places.append((chosen[:, None] + share[None, :]).ravel())
    place = np.concatenate(places)
    order = np.argsort(place, kind="stable")
    return (
        np.concatenate([np.concatenate(points)[order], tubes.joints[-1:]]),
        np.append(place[order], float(len(tubes.half))),
    )
