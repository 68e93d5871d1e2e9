"""The critical starts of one interval of the parameter: every crossing of every stable half as a function of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.brackets import snapped
from fastslow.boundary.interpolants import Piece, Variable, fitted, lobatto, piecewise
from fastslow.boundary.warm import ROUGH_RTOL, HalfKey, Warm
from fastslow.flow.flow_graph import forbidden

FloatArray = NDArray[np.float64]

_FIRST, _LAST = 8, 32
"""Degrees of the interpolants that are tried; each is judged at the points that the next one adds."""
_CHECKS = (-0.93, 0.13, 0.71)
"""Where an interpolant is checked that is expected to be exact enough."""
_HOPELESS = 0.02
_SHARE, _TIGHTER_BESIDE, _LEAST_RTOL = 0.1, 1e-2, 1e-12
_SCAN = 12
_END = 1e-3
"""Nearest to an end of the interval, in the variable t of its cosine: y is analytic there and extrapolated."""
_SMALL = 1e-2
"""Height, in typical ones, below which errors are absolute."""
_BESIDE_CHANGE = 1e-10
_NEAR = 0.125
_SUSPICIOUS = 3
"""Depth of halving from which a jump is looked for."""
_GROWN = 10.0
_SNAP = 1e-5
"""Share of the interval that may be left out at an end of a sheet; more than _END leaves."""
_DEEPEST = 24
_JUMP = 0.3
_LEAST_WIDTH = 4e-16
_TIGHTER = 1e-5
_MARGIN = 0.01


@dataclass(frozen=True, eq=False)
class Sheet:
    """One crossing of one half over an interval of the parameter.

    Attributes
    ----------
    half, order : HalfKey and int
        Whose crossing it is, counted from 0 backward in time.
    low, high : float
        The interval of the parameter.
    pieces : list of Piece
        y there.
    """

    half: HalfKey
    order: int
    low: float
    high: float
    pieces: list[Piece] = field(repr=False)

    def at(self, p: FloatArray) -> FloatArray:
        """Return y at values of the parameter."""
        return piecewise(self.pieces)(p)

    @property
    def nodes(self) -> FloatArray:
        """Return values of the parameter that show the shape of the sheet."""
        inside = [piece.variable.to_parameter(lobatto(len(piece.series) - 1)) for piece in self.pieces]
        return np.unique(np.concatenate([[self.low], *inside, [self.high]]))


@dataclass(eq=False)
class _Task:
    """An interval on which a half is to be interpolated."""

    half: HalfKey
    variable: Variable
    depth: int = 0
    degree: int = _FIRST
    checked: bool = False
    steep: bool = False
    known: dict[int, FloatArray] = field(default_factory=dict)

    def wanted(self) -> list[int]:
        """Return the points to be computed: numbers among those of the last degree, negative for those to check at."""
        step = _LAST // self.degree
        numbers = [*range(0, _LAST + 1, step), *(range(-len(_CHECKS), 0) if self.checked else ())]
        return [k for k in numbers if k not in self.known]

    @property
    def rows(self) -> tuple[list[int], FloatArray]:
        """The numbers of the points of the interpolant that are known, in order, and the crossings there."""
        numbers = sorted(k for k in self.known if k >= 0)
        return numbers, np.array([self.known[k] for k in numbers])

    @property
    def beside(self) -> bool:
        """Whether it is beside a change, where small errors of the parameter are large ones of y."""
        return self.variable.kind != "cosine"

    def parameter(self, k: int) -> float:
        s = lobatto(_LAST)[k] if k >= 0 else _CHECKS[-k - 1]
        return float(self.variable.to_parameter(np.array([s]))[0])


@dataclass(eq=False)
class Sheets:
    """All sheets of an interval, where they begin or end inside it, and what could not be resolved.

    At `changes` a half begins or stops to cross; at `fades` a sheet leaves the starts that are wanted.
    """

    found: list[Sheet]
    changes: list[float]
    fades: list[float]
    unresolved: list[str]


def sheets_of(
    warm: Warm, low: float, high: float, tolerance: float, starts: tuple[float, float] = (-np.inf, np.inf)
) -> Sheets:
    """Return every crossing of every half on (low, high), to a relative tolerance.

    A rough scan tells which halves cross; those are interpolated by Chebyshev series whose degree is doubled until
    the one before is right at all new points, or the interval is halved. Where a half begins to cross, stops, or
    jumps, the place is bisected to rounding, and the logarithm of the distance to it is the variable beside it. What
    is outside `starts` is left out.
    """
    job = _Job(warm, low, high, tolerance, starts)
    job.run()
    return Sheets(job.joined(), sorted(job.changes), sorted(job.fades), job.unresolved)


class _Job:
    def __init__(self, warm: Warm, low: float, high: float, tolerance: float, starts: tuple[float, float]) -> None:
        self.starts = starts
        self.fades: set[float] = set()
        self.warm, self.low, self.high, self.tolerance = warm, low, high, tolerance
        self.pieces: dict[tuple[HalfKey, int], list[Piece]] = {}
        self.changes: list[float] = []
        self.unresolved: list[str] = []
        whole = (low, high)
        least = (high - low) * float(np.sin(0.5 * np.pi * _END)) ** 2
        self.whole = Variable(low + least, high - least, "cosine", whole)

    def run(self) -> None:
        tasks = self._scanned()
        while tasks:
            requests = [(task, k) for task in tasks for k in task.wanted()]
            for beside in (False, True):
                mine = [(task, k) for task, k in requests if task.beside == beside]
                found = self.warm.crossings([(task.half, task.parameter(k)) for task, k in mine], self.rtol(beside))
                for (task, k), row in zip(mine, found, strict=True):
                    task.known[k] = row
            # Beside a change nodes may be equal but for rounding; what that makes is no number, and is not accepted.
            with np.errstate(all="ignore"):
                tasks = [new for task in tasks for new in self._judged(task)]

    def rtol(self, beside: bool) -> float:
        """Return the tolerance of the way back, beside a change or not."""
        return max(_SHARE * self.tolerance * (_TIGHTER_BESIDE if beside else 1.0), _LEAST_RTOL)

    def _scanned(self) -> list[_Task]:
        """Return a task for each part of the interval in which a half crosses, or may."""
        halves = self.warm.halves
        values = self.whole.to_parameter(lobatto(_SCAN))
        rows = self.warm.crossings([(half, float(p)) for half in halves for p in values], ROUGH_RTOL)
        counts = _counts(rows).reshape(len(halves), len(values)) if halves else np.empty((0, 0))
        return [_Task(half, self.whole) for half, mine in zip(halves, counts, strict=True) if mine.any()]

    def _judged(self, task: _Task) -> list[_Task]:
        """Keep what a task gave where it is exact enough, else return what is to be done."""
        order, rows = task.rows
        counts = _counts(rows)
        if np.isinf(rows).any():
            return self._given_up(task, "the saddle was lost")
        differ = np.flatnonzero(counts[1:] != counts[:-1])
        if self._beyond_rest(rows) or (task.depth == 0 and not len(differ) and self._outside(rows)):
            return []
        if len(differ):
            k = int(differ[0])
            return self._at_change(task, order[k], order[k + 1], lambda row, left, right: _same_count(row, left))
        if not counts[0]:
            return []
        if task.degree == _FIRST:
            task.degree *= 2
            return [task]
        mine = rows[:, : counts[0]]
        forms, errors = self._forms(task, mine)
        error = max(errors)
        # Errors of Chebyshev interpolants fall geometrically: the one with all points is as good as the square.
        if error > self.tolerance and not task.checked and error**2 <= _SHARE * self.tolerance:
            task.checked = True
            return [task]
        if error <= self.tolerance or (task.checked and self._confirmed(task, mine, forms)):
            for k, form in enumerate(forms):
                self.pieces.setdefault((task.half, k), []).append(fitted(task.variable, mine[:, k], form))
            return []
        if task.degree < _LAST and error <= _HOPELESS:
            task.degree, task.checked = 2 * task.degree, False
            return [task]
        return self._halved(task, order, mine)

    def _outside(self, rows: FloatArray) -> bool:
        """Whether all crossings are on one side of the starts that are wanted."""
        below, above = self.starts
        y = rows[~np.isnan(rows)]
        margin = _MARGIN * (above - below) if np.isfinite(above - below) else 0.0
        return bool(len(y)) and bool(np.all(y < below - margin) or np.all(y > above + margin))

    def _beyond_rest(self, rows: FloatArray) -> bool:
        """Whether all crossings are on the other side of y = 0 than the starts that are wanted, and it is forbidden."""
        y = rows[~np.isnan(rows)]
        below, above = self.starts
        if not len(y) or not forbidden(self.warm.system, 0.0):
            return False
        return bool((below >= 0.0 and np.all(y < 0.0)) or (above <= 0.0 and np.all(y > 0.0)))

    def _leaves(self, begun: FloatArray, row: FloatArray) -> bool:
        """Whether the crossings have left the starts that are wanted on their way to a change, and go on to do so."""
        below, above = self.starts
        step = (row - begun)[~np.isnan(row)]
        y = row[~np.isnan(row)]
        return self._outside(row) and bool(np.all(np.where(y < below, step < 0.0, (y > above) & (step > 0.0))))

    def _forms(self, task: _Task, rows: FloatArray) -> tuple[list[bool], list[float]]:
        """Return of each crossing whether its logarithm is to be interpolated, and the error with half the degree."""
        p = task.variable.to_parameter(lobatto(task.degree))
        forms, errors = [], []
        for k, y in enumerate(rows.T):
            size = self._size(rows, p)[1::2, k]
            both = [False, True] if np.all(y > 0.0) or np.all(y < 0.0) else [False]
            found = [float(np.max(np.abs(fitted(task.variable, y[::2], f).at(p[1::2]) - y[1::2]) / size)) for f in both]
            forms.append(both[int(np.argmin(found))])
            errors.append(min(found))
        return forms, errors

    def _size(self, rows: FloatArray, p: FloatArray) -> FloatArray:
        """Return what errors of y are measured by.

        Where y is steep the distance from the curve counts: an error of the parameter weighs as much as one of y.
        """
        slope = np.abs(np.gradient(rows, p, axis=0)) * (self.high - self.low)
        return np.asarray(np.maximum(np.abs(rows), _SMALL * self.warm.height) + slope)

    def _confirmed(self, task: _Task, rows: FloatArray, forms: list[bool]) -> bool:
        """Whether the interpolant is right at points that it does not know."""
        checks = np.array([task.known[k] for k in range(-len(_CHECKS), 0)])
        if not np.all(_counts(checks) == rows.shape[1]):
            return False
        p = np.array([task.parameter(k) for k in range(-len(_CHECKS), 0)])
        nodes = task.variable.to_parameter(lobatto(task.degree))
        size = self._size(rows, nodes)
        return all(
            np.max(np.abs(fitted(task.variable, y, form).at(p) - checks[:, k]) / np.interp(p, nodes, size[:, k]))
            <= self.tolerance
            for k, (y, form) in enumerate(zip(rows.T, forms, strict=True))
        )

    def _halved(self, task: _Task, order: list[int], rows: FloatArray) -> list[_Task]:
        variable = task.variable
        logarithm = self._logarithm(variable, rows)
        if logarithm is not None:
            return [_Task(task.half, logarithm, task.depth + 1)]
        if task.depth >= _SUSPICIOUS and not task.steep:
            steps = np.abs(np.diff(rows, axis=0))
            step, column = np.unravel_index(int(np.argmax(steps)), steps.shape)
            if steps[step, column] > _JUMP * np.ptp(rows[:, column]):
                return self._at_change(
                    task,
                    order[step],
                    order[step + 1],
                    lambda row, left, right: bool(abs(row[column] - left[column]) < abs(row[column] - right[column])),
                )
        if task.depth >= _DEEPEST or variable.high - variable.low <= 1e-12 * (self.high - self.low):
            return self._given_up(task, "the curve could not be interpolated")
        return [_Task(task.half, half, task.depth + 1, steep=task.steep) for half in variable.split()]

    def _logarithm(self, variable: Variable, rows: FloatArray) -> Variable | None:
        """Return the logarithm of the distance to an end of the interval towards which y grows, None elsewhere."""
        if variable.kind != "cosine":
            return None
        sizes = np.abs(rows).max(axis=1)
        if variable.low == self.whole.low and sizes[0] >= _GROWN * max(self.warm.highest, sizes[-1]):
            return Variable(variable.low, variable.high, "above", (self.low, self.high))
        if variable.high == self.whole.high and sizes[-1] >= _GROWN * max(self.warm.highest, sizes[0]):
            return Variable(variable.low, variable.high, "below", (self.low, self.high))
        return None

    def _at_change(
        self, task: _Task, left: int, right: int, like_left: Callable[[FloatArray, FloatArray, FloatArray], bool]
    ) -> list[_Task]:
        """Bisect a change between two points of a task, and return the tasks on both sides."""
        a, b = task.parameter(left), task.parameter(right)
        row_a, row_b = task.known[left], task.known[right]
        first, last = row_a, row_b
        if task.depth >= _DEEPEST:
            return self._given_up(task, "too many changes")
        while b - a > _LEAST_WIDTH * max(abs(a), abs(b)):
            middle = 0.5 * (a + b)
            if not a < middle < b:
                break
            crossing, other = (row_a, row_b) if _counts(row_a[None])[0] else (row_b, row_a)
            begun = first if crossing is row_a else last
            if not _counts(other[None])[0] and self._leaves(begun, crossing):
                return self._faded(task, a if crossing is row_a else b, left=crossing is row_a)
            tight = b - a < _TIGHTER * (self.high - self.low)
            row = self.warm.crossings([(task.half, middle)], self.rtol(tight or task.beside))[0]
            if like_left(row, row_a, row_b):
                a, row_a = middle, row
            else:
                b, row_b = middle, row
        at = 0.5 * (a + b)
        changed = bool(_counts(row_a[None])[0] != _counts(row_b[None])[0])
        if not changed:
            # steep, not broken, where the jump has gone
            changed = bool(np.nanmax(np.abs(row_a - row_b), initial=0.0) > 0.3 * np.nanmax(np.abs(first - last)))
        if not changed:
            whole = task.variable
            parts = (Variable(whole.low, at, whole.kind, whole.of), Variable(at, whole.high, whole.kind, whole.of))
            return [_Task(task.half, part, task.depth + 1, steep=True) for part in parts if part.high > part.low]
        self.changes.append(at)
        return [
            new for side in ("below", "above") if self._crosses(task, at, side) for new in self._beside(task, at, side)
        ]

    def _faded(self, task: _Task, at: float, left: bool) -> list[_Task]:
        """Return the task on the side of a change on which a half crosses, outside the starts that are wanted."""
        self.fades.add(at)
        low, high = (task.variable.low, at) if left else (at, task.variable.high)
        part = Variable(low, high, task.variable.kind, task.variable.of)
        return [_Task(task.half, part, task.depth + 1)] if high > low else []

    @staticmethod
    def _crosses(task: _Task, at: float, side: str) -> bool:
        """Whether the half crosses at some known point on one side of a change."""
        rows = [row for k, row in task.known.items() if (task.parameter(k) < at) == (side == "below")]
        return bool(rows) and bool(_counts(np.array(rows)).any())

    def _beside(self, task: _Task, at: float, side: str) -> list[_Task]:
        """Return the tasks on one side of a change: the half next to it in the logarithm of the distance."""
        variable, least = task.variable, _BESIDE_CHANGE * (self.high - self.low)
        far = variable.low if side == "below" else variable.high
        if abs(far - at) <= 4.0 * least:
            return []
        if side == "below":
            middle = at - _NEAR * (at - variable.low)
            near = Variable(middle, at - least, "below", (self.low, at))
            rest = Variable(variable.low, middle, variable.kind, variable.of)
        else:
            middle = at + _NEAR * (variable.high - at)
            near = Variable(at + least, middle, "above", (at, self.high))
            rest = Variable(middle, variable.high, variable.kind, variable.of)
        return [_Task(task.half, part, task.depth + 1) for part in (rest, near)]

    def _given_up(self, task: _Task, why: str) -> list[_Task]:
        name = self.warm.name(task.half)
        where = f"between {task.variable.low:.9g} and {task.variable.high:.9g}"
        self.unresolved.append(f"{where}, {name}: {why}")
        return []

    def joined(self) -> list[Sheet]:
        """Return the pieces of each crossing that follow each other as one sheet, between changes."""
        changes = [self.low, *sorted(self.changes), self.high]
        least = _SNAP * (self.high - self.low)
        result = []
        for (half, order), pieces in self.pieces.items():
            pieces.sort(key=lambda piece: piece.variable.low)
            for run in _runs(pieces, least):
                low = snapped(run[0].variable.low, changes, least)
                high = snapped(run[-1].variable.high, changes, least)
                result.append(Sheet(half, order, low, high, run))
        return result


def _runs(pieces: Sequence[Piece], least: float) -> list[list[Piece]]:
    """Return the pieces in runs that follow each other."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        before = runs[-1][-1].variable if runs else None
        if before is not None and abs(piece.variable.low - before.high) == 0.0:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def _counts(rows: FloatArray) -> NDArray[np.int64]:
    """Return how many crossings each row has."""
    return np.asarray(np.sum(~np.isnan(rows), axis=1))


def _same_count(row: FloatArray, other: FloatArray) -> bool:
    return bool(_counts(row[None])[0] == _counts(other[None])[0])
