"""All common zeros of n formulas in n variables, in a box: found, proved single, refined on demand.

Boxes are subdivided. A box goes where a formula cannot vanish, or where Krawczyk's operator
K(X) = c - C F(c) + (1 - C F'(X)) (X - c), which keeps every zero, leaves nothing of it. A box Y with
K(Y) in its interior holds exactly one zero. What is neither when the boxes are small is undecided.

References
----------
A. Neumaier, Interval Methods for Systems of Equations, Cambridge, 1990, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.errors import CertificateError
from fastslow.manifold.many_boxes import clusters, halved, inverses, middles
from fastslow.systems.algebraic import FIRST_BITS, Ball, Rational, compare, rational_in
from fastslow.systems.expression_facts import exact_value
from fastslow.systems.expressions import Expression, derivative
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.intervals import Interval, added, multiplied, rounded_out, subtracted

Array = NDArray[np.float64]
Bounds = Sequence[tuple[Fraction, Fraction]]

_SMALLEST = 2.0**-27
"""Boxes narrower than this part of the window are not cut again: near a double zero doubles tell no more."""
_MOST_BOXES = 20_000
_MOST_ZEROS = 1000
_FIRST_CUTS = (64, 16, 8, 4)
"""Into how many parts each side of the window is cut at first, for 1, 2, ... variables."""
_MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class Zero:
    """A common zero of formulas, the only one in `box`, proved.

    Attributes
    ----------
    tape : Tape
        The formulas, then their derivatives row by row.
    box : ndarray, shape (n, 2)
        Lower and upper ends.
    """

    tape: Tape
    box: Array
    _cache: dict[int, list[Ball]] = field(default_factory=dict, repr=False)

    def balls(self, bits: int = FIRST_BITS) -> list[Ball]:
        """Return enclosures of the coordinates computed with `bits` bits, by Krawczyk's operator."""
        if bits not in self._cache:
            known = [k for k in self._cache if k < bits]
            first = self._cache[max(known)] if known else self._first()
            with flint.ctx.workprec(bits + 32):
                self._cache[bits] = self._refined(first, bits)
        return self._cache[bits]

    def _first(self) -> list[Ball]:
        """Return a small box in the first one with a proved zero, which is this one; the first box where that fails."""
        return _tight(self.tape, self.box, 1e-9) or [_hull(low, high) for low, high in self.box.tolist()]

    def _refined(self, x: list[Ball], bits: int) -> list[Ball]:
        for _ in range(_MOST_STEPS):
            new = _krawczyk(self.tape, x)
            if new is None:
                break
            if not all(v.overlaps(w) and v.is_finite() for v, w in zip(new, x, strict=True)):
                break
            narrower = [v.intersection(w) for v, w in zip(new, x, strict=True)]
            done = all(v.rad() * 8 > w.rad() * 7 for v, w in zip(narrower, x, strict=True))
            x = narrower
            if done:
                return x
        if not all(v.rel_accuracy_bits() > 40 or abs(v) < 1e-12 for v in x):
            raise CertificateError(f"the zero near {[float(v.mid()) for v in x]} could not be refined")
        return x

    def holds(self, balls: Sequence[Ball]) -> bool:
        """Whether balls lie in the box in which the zero is the only one."""
        ends = self.box.tolist()
        return all(v >= flint.arb(low) and v <= flint.arb(high) for v, (low, high) in zip(balls, ends, strict=True))


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A coordinate of a common zero, a number that can be refined; `exact` where it was proved to be rational."""

    zero: Zero
    index: int
    exact: Fraction | None = None

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return an enclosure computed with `bits` bits."""
        if self.exact is not None:
            return Rational(self.exact).ball(bits)
        return self.zero.balls(bits)[self.index]


@dataclass(frozen=True, eq=False)
class Isolated:
    """What `isolate` found.

    Attributes
    ----------
    zeros : list of tuple of Coordinate
        All zeros in the box apart from those in `undecided`, its edges included.
    undecided : list of ndarray, shape (n, 2)
        Small boxes in which there may be any number of zeros.
    finished : bool
        False where boxes or zeros became too many: then none are given, and one box holds what was not decided.
    """

    zeros: list[tuple[Coordinate, ...]]
    undecided: list[Array]
    finished: bool = True


def isolate(functions: Sequence[Expression], names: Sequence[str], bounds: Bounds) -> Isolated:
    """Find every common zero of n formulas in n variables in a box.

    Parameters
    ----------
    functions : sequence of Expression
        As many as variables.
    names : sequence of str
        The variables.
    bounds : sequence of pairs of Fraction
        The box.
    """
    search = Search(functions, names, bounds)
    undecided, finished = search.run()
    if not finished:
        whole = np.stack([undecided[:, :, 0].min(axis=0), undecided[:, :, 1].max(axis=0)], axis=1)
        return Isolated([], [whole], False)
    return Isolated(search.found(), clusters(undecided, 16 * _SMALLEST * search.width), True)


def confirmed(
    functions: Sequence[Expression], names: Sequence[str], box: Array, share: float
) -> tuple[Coordinate, ...] | None:
    """Return the zero in a box to which Newton's method leads from its middle, proved to be one; None where that fails.

    Krawczyk's test in balls is made on boxes round it, the least of them `share` of the box wide.
    """
    tape = Tape([*functions, *(derivative(f, name) for f in functions for name in names)], names)
    found = _tight(tape, box, share)
    if found is None:
        return None
    # Rounded inwards: the zero is proved to be the only one in these balls, not beyond.
    ends = [[math.nextafter(float(v.lower()), math.inf), math.nextafter(float(v.upper()), -math.inf)] for v in found]
    return _point(Zero(tape, np.array(ends)), functions)


def _tight(tape: Tape, box: Array, share: float) -> list[Ball] | None:
    """Return a box inside a given one that is proved to hold exactly one zero, None where none is found.

    Newton's method leads from the middle to its middle; it is 1/2, 1/8, ... of the box wide, at least `share`.
    """
    n, middle, side = len(box), box.mean(axis=1), np.ptp(box, axis=1)
    for _ in range(8):
        values = np.array([float(v) for v in tape.doubles(list(middle))])
        with np.errstate(all="ignore"):
            middle = middle - inverses(values[n:].reshape(1, n, n))[0] @ values[:n]
    if not np.all((middle > box[:, 0]) & (middle < box[:, 1])):
        return None
    part = 0.5
    while part > share:
        tried = np.stack([middle - part * side, middle + part * side], axis=1)
        with flint.ctx.workprec(2 * FIRST_BITS):
            x = [_hull(low, high) for low, high in tried.tolist()]
            image = _krawczyk(tape, x)
            inside = image is not None and all(v.contains_interior(w) for v, w in zip(x, image, strict=True))
        if inside and np.all(tried[:, 0] >= box[:, 0]) and np.all(tried[:, 1] <= box[:, 1]):
            return x
        part *= 0.25
    return None


def _krawczyk(tape: Tape, x: list[Ball]) -> list[Ball] | None:
    """Return Krawczyk's operator on a box of balls, None where it is not defined."""
    n = len(x)
    middle = [v.mid() for v in x]
    values, slopes = tape.balls(middle)[:n], tape.balls(x)[n:]
    inverse = _inverse([[slopes[i * n + j].mid() for j in range(n)] for i in range(n)])
    if inverse is None:
        return None
    image = []
    for i in range(n):
        value = middle[i] - sum((inverse[i][k] * values[k] for k in range(n)), start=flint.arb(0))
        for j in range(n):
            product = sum((inverse[i][k] * slopes[k * n + j] for k in range(n)), start=flint.arb(0))
            value += ((1 if i == j else 0) - product) * (x[j] - middle[j])
        image.append(value)
    return image


class Search:
    """The search for all zeros in a box.

    Boxes may have more sides than there are variables: `more` names of what is the same all over a box, not cut.
    """

    def __init__(
        self, functions: Sequence[Expression], names: Sequence[str], bounds: Bounds, more: Sequence[str] = ()
    ) -> None:
        self.n = len(names)
        self.tape = Tape([*functions, *(derivative(f, name) for f in functions for name in names)], [*names, *more])
        self.values = Tape(functions, self.tape.names)
        self.bounds = list(bounds)
        self.window = np.array([[rounded_out(low)[0], rounded_out(high)[1]] for low, high in bounds])
        self.width = self.window[:, 1] - self.window[:, 0]
        self.zeros: list[Zero] = []
        self.known = np.empty((0, self.n, 2))  # their boxes

    def run(self) -> tuple[Array, bool]:
        boxes = self.first_boxes()
        undecided: list[Array] = []
        while len(boxes):
            if len(boxes) > _MOST_BOXES or len(self.zeros) > _MOST_ZEROS:
                return np.concatenate([*undecided, boxes]), False
            left, contracting = self.reduced(boxes)
            left = self.without_single_zeros(left, contracting)
            small = self.small(left)
            if small.any():
                undecided.append(left[small])
            boxes = halved(left[~small], self.width)
        return (np.concatenate(undecided) if undecided else np.empty((0, self.n, 2))), True

    def small(self, boxes: Array) -> NDArray[np.bool_]:
        """Return which boxes are not cut again."""
        return np.asarray(np.all(np.ptp(boxes[:, : self.n], axis=2) <= _SMALLEST * self.width[: self.n], axis=1))

    def first_boxes(self) -> Array:
        """Return the window, cut into parts of one size."""
        cuts = _FIRST_CUTS[min(self.n, len(_FIRST_CUTS)) - 1]
        sides = []
        for low, high in self.window:
            ends = np.linspace(low, high, cuts + 1)
            ends[-1] = high
            sides.append(np.stack([ends[:-1], ends[1:]], axis=1))
        places = np.indices((cuts,) * self.n).reshape(self.n, -1)
        return np.stack([side[k] for side, k in zip(sides, places, strict=True)], axis=1)

    def krawczyk(self, boxes: Array, centre: Array) -> tuple[list[Interval], list[Interval], NDArray[np.bool_], Array]:
        """Return (values, K, where a value cannot vanish, norms of 1 - C F')."""
        n = self.n
        sides = [(boxes[:, j, 0], boxes[:, j, 1]) for j in range(len(self.tape.names))]
        results, jumps = self.tape.intervals(sides)
        slopes = [[results[n + i * n + j] for j in range(n)] for i in range(n)]
        at_centre, _ = self.values.intervals([*((centre[:, j], centre[:, j]) for j in range(n)), *sides[n:]])
        away = [subtracted(sides[j], (centre[:, j], centre[:, j])) for j in range(n)]
        excluded = np.zeros(len(boxes), dtype=bool)
        for i in range(n):
            # where a formula jumps inside the box its derivative does not bound its changes
            slopes[i] = [(np.where(jumps[i], np.nan, low), np.where(jumps[i], np.nan, high)) for low, high in slopes[i]]
            centred = at_centre[i]
            for j in range(n):
                centred = added(centred, multiplied(slopes[i][j], away[j]))
            for low, high in (results[i], centred):
                excluded |= (low > 0) | (high < 0)
        middle = np.stack([np.stack([(a + b) / 2 for a, b in row], axis=1) for row in slopes], axis=1)
        inverse = inverses(middle)
        images, norms = [], np.zeros(len(boxes))
        for i in range(n):
            image: Interval = (centre[:, i], centre[:, i])
            norm = np.zeros(len(boxes))
            for k in range(n):
                thin = (inverse[:, i, k], inverse[:, i, k])
                image = subtracted(image, multiplied(thin, at_centre[k]))
            for j in range(n):
                product: Interval = (np.zeros(len(boxes)), np.zeros(len(boxes)))
                for k in range(n):
                    product = added(product, multiplied((inverse[:, i, k], inverse[:, i, k]), slopes[k][j]))
                rest = subtracted((1.0, 1.0) if i == j else (0.0, 0.0), product)
                image = added(image, multiplied(rest, away[j]))
                norm = norm + np.maximum(np.abs(rest[0]), np.abs(rest[1])) * self.width[j] / self.width[i]
            images.append(image)
            norms = np.maximum(norms, norm)
        return results[:n], images, excluded, norms

    def reduced(self, boxes: Array) -> tuple[Array, Array]:
        """Return what is left of boxes, and for each the norm that says whether Newton's method contracts on it."""
        with np.errstate(all="ignore"):
            _, images, excluded, norms = self.krawczyk(boxes, middles(boxes))
            new = boxes.copy()
            for j, (low, high) in enumerate(images):
                known = np.isfinite(low) & np.isfinite(high)
                excluded |= known & ((low > boxes[:, j, 1]) | (high < boxes[:, j, 0]))
                new[:, j, 0] = np.where(known, np.maximum(boxes[:, j, 0], low), boxes[:, j, 0])
                new[:, j, 1] = np.where(known, np.minimum(boxes[:, j, 1], high), boxes[:, j, 1])
        return new[~excluded], norms[~excluded]

    def without_single_zeros(self, boxes: Array, norms: Array) -> Array:
        """Take out the boxes that lie in a larger one with exactly one zero, which is kept."""
        chosen = np.flatnonzero(norms < 0.9)
        if not len(chosen):
            return boxes
        tried = boxes[chosen]
        with np.errstate(all="ignore"):
            z, fixed = np.hsplit(middles(tried[:, : len(self.tape.names)]), [self.n])
            for _ in range(4):
                at = self.tape.doubles([*z.T, *fixed.T])
                at = [np.broadcast_to(np.asarray(v, dtype=np.float64), (len(z),)) for v in at]
                rows = np.stack(at[self.n :], axis=1).reshape(-1, self.n, self.n)
                z = z - np.einsum("kij,kj->ki", inverses(rows), np.stack(at[: self.n], axis=1))
            low, high = (tried[:, : self.n, k] for k in (0, 1))
            near = np.all((z > low - (high - low)) & (z < high + (high - low)), axis=1)
            tried, z, chosen = tried[near], z[near], chosen[near]
            if not len(chosen):
                return boxes
            low, high = (tried[:, : self.n, k] for k in (0, 1))
            margin = 0.1 * (high - low) + 1e-13 * self.width[: self.n] + 1e-15 * np.abs(z)
            wide = tried.copy()
            wide[:, : self.n] = np.stack([np.minimum(low, z) - margin, np.maximum(high, z) + margin], axis=2)
            _, images, _, _ = self.krawczyk(wide, z)
            tight = np.stack([np.stack(image, axis=1) for image in images], axis=1)
            proved = ((tight[:, :, 0] > wide[:, : self.n, 0]) & (tight[:, :, 1] < wide[:, : self.n, 1])).all(axis=1)
        self.keep(wide[proved], tight[proved])
        return np.delete(boxes, chosen[proved], axis=0)

    def keep(self, wide: Array, tight: Array) -> None:
        """Keep the zeros that are the only ones in boxes, and lie in tighter ones, each once."""
        for box, inner in zip(wide, tight, strict=True):
            inside = (inner[:, 0] >= self.known[:, :, 0]) & (inner[:, 1] <= self.known[:, :, 1])
            if not inside.all(axis=1).any():
                self.zeros.append(Zero(self.tape, box))
                self.known = np.concatenate([self.known, box[None]])

    def found(self) -> list[tuple[Coordinate, ...]]:
        """Return the zeros in the box, each once."""
        kept: list[Zero] = []
        for zero in self.zeros:
            kept += [] if any(other.holds(zero.balls()) for other in kept) else [zero]
        points = (_point(zero, self.values.expressions) for zero in kept)
        return [p for p in points if all(map(self.inside, p, self.bounds))]

    def inside(self, value: Coordinate, bounds: tuple[Fraction, Fraction]) -> bool:
        """Whether a coordinate lies within bounds, or cannot be told from one of them."""
        return compare(value, Rational(bounds[0])) >= 0 and compare(value, Rational(bounds[1])) <= 0


def _point(zero: Zero, functions: Sequence[Expression]) -> tuple[Coordinate, ...]:
    """Return the coordinates, as rational numbers where it is proved that these are the zero."""
    guesses = [rational_in(ball) for ball in zero.balls()]
    n = len(guesses)
    if all(guess is not None for guess in guesses):
        at = [Rational(guess).ball() for guess in guesses if guess is not None]
        values = dict(zip(zero.tape.names, guesses, strict=True))
        if zero.holds(at) and all(exact_value(f, values) == 0 for f in functions):
            return tuple(Coordinate(zero, j, guesses[j]) for j in range(n))
    return tuple(Coordinate(zero, j) for j in range(n))


def _inverse(m: list[list[Ball]]) -> list[list[Ball]] | None:
    n = len(m)
    try:
        inverse = flint.arb_mat(m).inv()
    except (ZeroDivisionError, ValueError, ArithmeticError):
        return None
    rows = [[inverse[i, j].mid() for j in range(n)] for i in range(n)]
    return rows if all(v.is_finite() for row in rows for v in row) else None


def _hull(low: float, high: float) -> Ball:
    return flint.arb(low).union(flint.arb(high))
