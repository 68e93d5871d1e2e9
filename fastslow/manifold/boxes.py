"""All common zeros of two functions in a rectangle, proved by interval arithmetic: subdivision and Krawczyk's test.

Every operation is rounded outwards, so that an `Interval` holds the exact result; arrays of boxes are treated at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.systems.intervals import added, down, multiplied, subtracted, up

Array = NDArray[np.float64]

_FIRST_PARTS = 16
"""Parts of each side at the start."""
_INFLATION = 0.1
"""Boxes are tested together with this share of their width around them, so that no zero is lost on a common edge."""
_LEAST_WIDTH = 1e-8
"""Smaller boxes are not cut any more: nothing is said of zeros that are nearer to each other, or multiple."""
_MOST_BOXES = 30_000
_POLISH = 4


class Interval:
    """Intervals [low, high], an array of them, closed under arithmetic with outward rounding."""

    __array_ufunc__ = None
    __slots__ = ("high", "low")

    def __init__(self, low: Array | float, high: Array | float) -> None:
        self.low, self.high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)

    @property
    def ends(self) -> tuple[Array, Array]:
        """The pair (low, high), as in ``systems.intervals``."""
        return self.low, self.high

    def __add__(self, other: Interval | float) -> Interval:
        return _sound(added(self.ends, _interval(other).ends))

    def __sub__(self, other: Interval | float) -> Interval:
        return _sound(subtracted(self.ends, _interval(other).ends))

    def __mul__(self, other: Interval | float) -> Interval:
        return _sound(multiplied(self.ends, _interval(other).ends))

    def __truediv__(self, other: Interval) -> Interval:
        with np.errstate(divide="ignore", invalid="ignore"):
            around = (other.low <= 0.0) & (other.high >= 0.0)
            inverse = _sound((down(1.0 / other.high), up(1.0 / other.low)))
        whole = Interval(np.where(around, -np.inf, inverse.low), np.where(around, np.inf, inverse.high))
        return self * whole

    __radd__, __rmul__ = __add__, __mul__

    def contains_zero(self) -> NDArray[np.bool_]:
        """Whether 0 lies in each."""
        return (self.low <= 0.0) & (self.high >= 0.0)


def _interval(value: Interval | float) -> Interval:
    return value if isinstance(value, Interval) else Interval(value, value)


def _sound(ends: tuple[Array, Array]) -> Interval:
    """Return an enclosure whose ends are known: infinity where nothing is."""
    low, high = ends
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


class Dual:
    """An interval with the intervals of its derivatives by both variables."""

    __slots__ = ("by", "value")

    def __init__(self, value: Interval, by: tuple[Interval, Interval]) -> None:
        self.value, self.by = value, by

    def __add__(self, other: Dual | Interval | float) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, (self.by[0] + other.by[0], self.by[1] + other.by[1]))
        return Dual(self.value + other, self.by)

    def __sub__(self, other: Dual | Interval | float) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value - other.value, (self.by[0] - other.by[0], self.by[1] - other.by[1]))
        return Dual(self.value - other, self.by)

    def __mul__(self, other: Dual | Interval | float) -> Dual:
        if isinstance(other, Dual):
            by = [self.by[k] * other.value + self.value * other.by[k] for k in (0, 1)]
            return Dual(self.value * other.value, (by[0], by[1]))
        return Dual(self.value * other, (self.by[0] * other, self.by[1] * other))

    def __truediv__(self, other: Dual) -> Dual:
        ratio = self.value / other.value
        by = [(self.by[k] - ratio * other.by[k]) / other.value for k in (0, 1)]
        return Dual(ratio, (by[0], by[1]))

    __radd__, __rmul__ = __add__, __mul__


def series(coefficients: Interval, x: Dual) -> Dual:
    """Return sum_k c_k x^k by Horner's rule, c_k = coefficients[k]: of many series at once where these are arrays."""
    value = Interval(coefficients.low[-1], coefficients.high[-1])
    slope = value * 0.0
    for low, high in zip(coefficients.low[-2::-1], coefficients.high[-2::-1], strict=True):
        slope = slope * x.value + value
        value = value * x.value + Interval(low, high)
    return Dual(value + x.value * 0.0, (slope * x.by[0], slope * x.by[1]))


def rows(many: Dual) -> list[Dual]:
    """Return the results of `series` one by one."""
    return [
        Dual(
            Interval(many.value.low[k], many.value.high[k]),
            (
                Interval(many.by[0].low[k], many.by[0].high[k]),
                Interval(many.by[1].low[k], many.by[1].high[k]),
            ),
        )
        for k in range(len(many.value.low))
    ]


Equations = Callable[[Dual, Dual], tuple[Dual, Dual]]
Outside = Callable[[Interval, Interval], NDArray[np.bool_]]


@dataclass(frozen=True)
class BoxZeros:
    """What `zeros_in_box` found.

    Attributes
    ----------
    points : ndarray, shape (N, 2)
        Middles of boxes that hold exactly one zero each.
    radii : ndarray, shape (N, 2)
        Half the widths of these boxes.
    undecided : ndarray, shape (U, 2, 2)
        Low and high corners of boxes about which nothing could be said; none where the list is proved to be complete.
    """

    points: Array
    radii: Array
    undecided: Array

    @property
    def complete(self) -> bool:
        """Whether it is proved that there is no other zero."""
        return not len(self.undecided)


def zeros_in_box(
    equations: Equations, lower: tuple[float, float], upper: tuple[float, float], outside: Outside | None = None
) -> BoxZeros:
    """Return all common zeros of two functions in a rectangle, each with a box in which it is the only one.

    A box is dropped where a function has no zero by its interval or by the mean value theorem, or where Krawczyk's
    operator K misses it; it holds one zero where K lies within it; otherwise it is cut to K, or in two.

    Parameters
    ----------
    equations : callable
        Takes both variables as `Dual` and returns both functions.
    lower, upper : (float, float)
        The rectangle. Zeros a little outside of it may be found too.
    outside : callable, optional
        Takes both variables as `Interval` and says which boxes lie where no zero is wanted.

    References
    ----------
    R. E. Moore, R. B. Kearfott, M. J. Cloud, Introduction to Interval Analysis, SIAM, 2009, chapter 8.
    """
    edges = [np.linspace(lower[k], upper[k], _FIRST_PARTS + 1) for k in (0, 1)]
    corners = (
        np.meshgrid(edges[0][:-1], edges[1][:-1], indexing="ij"),
        np.meshgrid(edges[0][1:], edges[1][1:], indexing="ij"),
    )
    low, high = (np.stack([c.ravel() for c in corner]) for corner in corners)
    found: list[tuple[Array, Array, Array]] = []
    undecided, work = [], 0
    while low.shape[1]:
        work += low.shape[1]
        if work > _MOST_BOXES:
            undecided.append(np.stack((low, high)))
            break
        margin = _INFLATION * (high - low) + 1e-15
        wide_low, wide_high = low - margin, high + margin
        if outside is not None:
            with np.errstate(all="ignore"):
                wanted = ~outside(Interval(wide_low[0], wide_high[0]), Interval(wide_low[1], wide_high[1]))
            low, high, wide_low, wide_high = (v[:, wanted] for v in (low, high, wide_low, wide_high))
        keep, inner, cut_low, cut_high, smear = _krawczyk(equations, wide_low, wide_high)
        found += [
            (wide_low[:, k], wide_high[:, k], 0.5 * (cut_low[:, k] + cut_high[:, k])) for k in np.flatnonzero(inner)
        ]
        cut_low, cut_high = np.maximum(cut_low, low), np.minimum(cut_high, high)
        keep &= ~inner & (cut_low <= cut_high).all(axis=0)
        width = cut_high - cut_low
        tiny = keep & (width <= _LEAST_WIDTH).all(axis=0)
        if tiny.any():
            undecided.append(np.stack((cut_low, cut_high))[:, :, tiny])
        keep &= ~tiny
        low, high, width, old, smear = (v[:, keep] for v in (cut_low, cut_high, width, high - low, smear))
        # a box that was not cut much is halved where the functions vary most across it
        stuck = (width > 0.6 * old).any(axis=0)
        side = np.argmax(np.where(width > _LEAST_WIDTH, smear * width, -1.0), axis=0)
        middle = 0.5 * (low + high)[side, np.arange(low.shape[1])]
        first, second = high.copy(), low[:, stuck].copy()
        columns = np.flatnonzero(stuck)
        first[side[columns], columns] = middle[columns]
        second[side[columns], np.arange(len(columns))] = middle[columns]
        low, high = np.concatenate((low, second), axis=1), np.concatenate((first, high[:, stuck]), axis=1)
    points, radii = _distinct(equations, found)
    left = np.concatenate(undecided, axis=2).transpose(2, 0, 1) if undecided else np.empty((0, 2, 2))
    return BoxZeros(points, radii, left)


def _evaluated(equations: Equations, low: Array, high: Array) -> tuple[Dual, Dual]:
    zero, one = Interval(np.zeros(low.shape[1]), np.zeros(low.shape[1])), np.ones(low.shape[1])
    unit = Interval(one, one)
    with np.errstate(all="ignore"):
        return equations(Dual(Interval(low[0], high[0]), (unit, zero)), Dual(Interval(low[1], high[1]), (zero, unit)))


def _krawczyk(
    equations: Equations, low: Array, high: Array
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Array, Array, Array]:
    """Return (may hold a zero, holds exactly one, low and high of what is left, smear) of boxes, shape (2, N)."""
    middle = 0.5 * (low + high)
    over = _evaluated(equations, low, high)
    possible = over[0].value.contains_zero() & over[1].value.contains_zero()
    if not possible.all():
        # most boxes are dropped by the first test; the others are gone through it again
        keep, inner, cut_low, cut_high = possible.copy(), possible.copy(), low.copy(), high.copy()
        smear = np.ones_like(low)
        if possible.any():
            part = _krawczyk(equations, low[:, possible], high[:, possible])
            keep[possible], inner[possible] = part[0], part[1]
            cut_low[:, possible], cut_high[:, possible], smear[:, possible] = part[2:]
        return keep, inner, cut_low, cut_high, smear
    at = _evaluated(equations, middle, middle)
    about = [Interval(low[k], high[k]) - Interval(middle[k], middle[k]) for k in (0, 1)]
    keep = np.ones(low.shape[1], dtype=bool)
    with np.errstate(all="ignore"):
        for i in (0, 1):
            linear = at[i].value + over[i].by[0] * about[0] + over[i].by[1] * about[1]
            keep &= linear.contains_zero()
        jacobian = [[0.5 * (over[i].by[j].low + over[i].by[j].high) for j in (0, 1)] for i in (0, 1)]
        size = [[np.maximum(abs(over[i].by[j].low), abs(over[i].by[j].high)) for j in (0, 1)] for i in (0, 1)]
        det = jacobian[0][0] * jacobian[1][1] - jacobian[0][1] * jacobian[1][0]
        good = np.isfinite(det) & (det != 0.0)
        det = np.where(good, det, 1.0)
        inverse = [
            [jacobian[1][1] / det, -jacobian[0][1] / det],
            [-jacobian[1][0] / det, jacobian[0][0] / det],
        ]
        good &= np.isfinite(np.array(inverse)).all(axis=(0, 1))
        left_low, left_high, inner = low.copy(), high.copy(), good.copy()
        for i in (0, 1):
            row = [_interval_of(np.where(good, inverse[i][j], 0.0)) for j in (0, 1)]
            k = _interval_of(middle[i]) - row[0] * at[0].value - row[1] * at[1].value
            for j in (0, 1):
                rest = _interval_of(np.full(low.shape[1], float(i == j)))
                rest = rest - row[0] * over[0].by[j] - row[1] * over[1].by[j]
                k = k + rest * about[j]
            inner &= (k.low > low[i]) & (k.high < high[i])
            keep &= ~good | ((k.low <= high[i]) & (k.high >= low[i]))
            left_low[i] = np.where(good, np.maximum(low[i], k.low), low[i])
            left_high[i] = np.where(good, np.minimum(high[i], k.high), high[i])
        weight = np.maximum(1e-300, [np.nan_to_num(m, posinf=1e300) for m in map(np.maximum, *_scaled(size))])
    return keep, inner & keep, left_low, left_high, np.asarray(weight)


def _interval_of(values: Array) -> Interval:
    return Interval(values, values)


def _scaled(size: list[list[Array]]) -> list[list[Array]]:
    """Return the sizes of the derivatives, each row by its largest."""
    rows = []
    for row in size:
        top = np.maximum(np.maximum(row[0], row[1]), 1e-300)
        rows.append([np.nan_to_num(v / top, nan=1.0) for v in row])
    return rows


def _distinct(equations: Equations, found: list[tuple[Array, Array, Array]]) -> tuple[Array, Array]:
    """Polish the zeros by Newton's method, prove a small box around each, and keep one of each."""
    points: list[Array] = []
    radii: list[Array] = []
    for low, high, guess in found:
        at = np.clip(guess, low, high)
        for _ in range(_POLISH):
            values = _evaluated(equations, at[:, None], at[:, None])
            matrix = np.array([[0.5 * (v.by[j].low + v.by[j].high)[0] for j in (0, 1)] for v in values])
            right = np.array([0.5 * (v.value.low + v.value.high)[0] for v in values])
            at = np.clip(at - np.linalg.solve(matrix, right), low, high)
        radius, box = 0.5 * (high - low), (low, high)
        for share in (1e-15, 1e-13, 1e-11, 1e-9):
            r = share * np.maximum(1.0, np.abs(at))
            small = (at - r)[:, None], (at + r)[:, None]
            _, inner, cut_low, cut_high, _ = _krawczyk(equations, *small)
            if inner[0] and (cut_low[:, 0] >= low).all() and (cut_high[:, 0] <= high).all():
                radius, box = r, (small[0][:, 0], small[1][:, 0])
                break
        if any(
            ((box[0] <= p).all() and (p <= box[1]).all()) or (np.abs(p - at) <= radius + q).all()
            for p, q in zip(points, radii, strict=True)
        ):
            continue
        points.append(at)
        radii.append(radius)
    if not points:
        return np.empty((0, 2)), np.empty((0, 2))
    return np.array(points), np.array(radii)
