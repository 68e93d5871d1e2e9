"""The fates of the same starts in many systems of one family: what a phase map is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.core.polynomial import SLOW_RATE
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.abreast import follow
from fastslow.ode.column_ends import ends_of
from fastslow.ode.ensembles import ensemble
from fastslow.ode.solution import LEAST_RTOL
from fastslow.ode.trajectories import HORIZON, Settling
from fastslow.progress import Progress
from fastslow.systems.members import Build, Members
from fastslow.systems.system import FastSlowSystem, Start

Array = NDArray[np.float64]

UNDECIDED, FORBIDDEN, REFUSED = -1, -2, -3
"""Instead of a fate: it is not known; no start is allowed there; there is no such system."""
_WORDS = ("no system", "no start", "undecided")


@dataclass(frozen=True, eq=False)
class FateTable:
    """The fates of N starts in S systems.

    Attributes
    ----------
    values : tuple of Fraction
        The parameter of each system.
    starts : ndarray, shape (N,)
        Slow coordinates of the starts.
    fate : ndarray of int, shape (S, N)
        Index into `fates`, or UNDECIDED, FORBIDDEN or REFUSED.
    fates : tuple of str
        The fates in words.
    x, y : ndarray, shape (S, N)
        The limit of each solution, y infinite where it leaves to infinity; the last state where the fate is not known.
    steps : ndarray of int, shape (S, N)
        Steps tried.
    refused : dict
        Why a system cannot be built, by its number.
    again : int
        How many runs were followed again with the exact analysis of their system.
    """

    values: tuple[Fraction, ...]
    starts: Array
    fate: NDArray[np.int64]
    fates: tuple[str, ...]
    x: Array
    y: Array
    steps: NDArray[np.int64]
    refused: dict[int, str] = field(default_factory=dict)
    again: int = 0

    @property
    def names(self) -> NDArray[np.str_]:
        """The fate of each start in words."""
        return np.array([*self.fates, *_WORDS])[self.fate]

    @property
    def node(self) -> NDArray[np.str_]:
        """What each solution ends at: "equilibrium", "infinity", or "" where that is not known."""
        kinds = np.where(np.isfinite(self.y), "equilibrium", "infinity")
        return np.where(self.fate >= 0, kinds, "")

    @property
    def undecided(self) -> int:
        """How many fates are not known."""
        return int((self.fate == UNDECIDED).sum())


def fates(
    family: Build,
    values: Sequence[Fraction],
    starts: ArrayLike,
    *,
    rtol: float = 1e-8,
    progress: Progress | None = None,
) -> FateTable:
    """Follow the same starts in many systems of one family until each fate is proved.

    Parameters
    ----------
    family : callable
        The system at a value of the parameter. Where the equations are quadratic in the parameter, which five members
        show exactly, only these are built.
    values : sequence of Fraction
        Values of the parameter.
    starts : array_like, shape (N,)
        Slow coordinates of the starts, on the line of starts.
    rtol : float
        Relative tolerance of the steps.
    progress : callable, optional
        Called as progress(starts done, all starts).

    Raises
    ------
    InputError
        For starts that are not finite, no values, or a tolerance that cannot be used. Starts and values that the model
        does not allow have codes of their own.

    Notes
    -----
    Every fate has the proof that it has in `ensemble`: inside a neighbourhood of an attracting equilibrium, or inside a
    region towards infinity that no solution leaves (``fastslow.ode.column_ends``). Runs that meet none of the ends that
    are found cheaply are followed again by `ensemble` with the exact analysis of their system, and so are all of
    systems of another form.
    """
    y = np.atleast_1d(np.asarray(starts, dtype=np.float64))
    if y.ndim != 1 or not len(y):
        raise InputError("starts", y.shape, "must be one-dimensional and not empty")
    if not np.isfinite(y).all():
        at = int(np.flatnonzero(~np.isfinite(y))[0])
        raise InputError(f"starts[{at}]", y[at], "must be finite")
    if not len(values):
        raise InputError("values", "none", "must not be empty")
    if not LEAST_RTOL <= rtol < 1.0:
        raise InputError("rtol", rtol, f"must be from {LEAST_RTOL:g} to below 1")
    return _Columns(Members(family, values), y, rtol, progress).run()


class _Columns:
    def __init__(self, members: Members, starts: Array, rtol: float, progress: Progress | None) -> None:
        self.members, self.starts, self.rtol, self.progress = members, starts, rtol, progress
        shape = len(members.values), len(starts)
        self.fate = np.full(shape, REFUSED)
        self.x, self.y = np.full(shape, np.nan), np.broadcast_to(starts, shape).copy()
        self.steps = np.zeros(shape, np.int64)
        self.names: list[str] = []

    def run(self) -> FateTable:
        again = 0
        done = self.together()
        left = [i for i in range(len(self.fate)) if i not in done or (self.fate[i] == UNDECIDED).any()]
        for i in left:
            system = self.members[i]
            if system is not None:
                if i not in done:
                    self.fate[i] = UNDECIDED
                    self.fate[i, forbidden(system, self.starts)] = FORBIDDEN
                cells = np.flatnonzero(self.fate[i] == UNDECIDED)
                again += len(cells)
                self.alone(i, system, cells)
            if self.progress is not None:
                self.progress(int((self.fate != UNDECIDED).sum()), self.fate.size)
        return FateTable(
            tuple(self.members.values),
            self.starts,
            self.fate,
            tuple(self.names),
            self.x,
            self.y,
            self.steps,
            self.members.refused,
            again,
        )

    def number(self, fate: str) -> int:
        """Return the number of a fate."""
        if fate not in self.names:
            self.names.append(fate)
        return self.names.index(fate)

    def together(self) -> set[int]:
        """Follow the starts of all systems that have a table; the numbers of these."""
        tables = self.members.tables()
        ends = None if tables is None else ends_of(tables)
        if tables is None or ends is None:
            return set()
        words = [[tables.model.fate(*end) for end in zip(*row, strict=True)] for row in self.limits(ends.x, ends.y)]
        if any(word is None for row in words for word in row):
            return set()  # fates that are named after points, whose names only the exact analysis knows
        width = ends.x.shape[1]
        meaning = np.full((len(words), width + 1), UNDECIDED)
        for row, own in zip(meaning, words, strict=True):
            row[: len(own)] = [self.number(str(word)) for word in own]
        allowed = np.flatnonzero(~forbidden(tables.model, self.starts))
        count = len(tables.columns)
        system = np.repeat(np.arange(count), len(allowed))
        x0 = float(tables.model.start_fast)
        states = np.tile(tables.chart.to_state(np.full(len(allowed), x0), self.starts[allowed]), (count, 1))
        horizon = HORIZON / min(1.0, float(tables.fields[:, SLOW_RATE].min()))
        _, codes, steps = follow(
            tables.fields, ends.events, system, states, horizon, rtol=self.rtol, progress=self.progress
        )
        end = np.where((codes >= 0) & (codes < width), codes, width)
        cells = np.ix_(tables.columns, allowed)
        shape = count, len(allowed)
        found = meaning[system, end]
        here = tables.chart.from_state(states)
        limits = (np.pad(v, ((0, 0), (0, 1)))[system, end] for v in (ends.x, ends.y))
        for target, limit, last in zip((self.x, self.y), limits, here, strict=True):
            target[cells] = np.where(found >= 0, limit, last).reshape(shape)
        self.fate[tables.columns] = FORBIDDEN
        self.fate[cells], self.steps[cells] = found.reshape(shape), steps.reshape(shape)
        return set(tables.columns.tolist()) | set(self.members.refused)

    @staticmethod
    def limits(x: Array, y: Array) -> list[tuple[list[float], list[float]]]:
        """Return the limits of each system without the places that are not used."""
        used = ~np.isnan(x)
        return [(a[u].tolist(), b[u].tolist()) for a, b, u in zip(x, y, used, strict=True)]

    def alone(self, number: int, system: FastSlowSystem, cells: NDArray[np.int64]) -> None:
        """Follow starts of one system with its exact analysis."""
        if not len(cells):
            return
        settling = Settling(critical_manifold(system))
        found = ensemble(settling, self.starts[cells], rtol=self.rtol)
        points, words = {point.id: point for point in settling.manifold.points}, found.fate
        for i, cell in enumerate(cells):
            node = found.node[i]
            self.steps[number, cell] += found.steps[i]
            self.x[number, cell], self.y[number, cell] = found.x[i], found.y[i]
            if node >= 0 or i in found.elsewhere:
                self.fate[number, cell] = self.number(str(words[i]))
            if node >= 0:
                point = points[found.nodes[node]]
                self.x[number, cell], self.y[number, cell] = point.x, point.y


def forbidden(system: FastSlowSystem, starts: Array) -> NDArray[np.bool_]:
    """Return which starts a model does not allow."""

    def fails(y: float) -> bool:
        try:
            system.check_start(Start(system.start_fast, Fraction(y)))
        except InputError:
            return True
        return False

    # The extremes and those nearest to zero can fail; the others are asked only where one of these does.
    extremes = {int(starts.argmin()), int(starts.argmax()), int(np.abs(starts).argmin())}
    if not any(fails(float(starts[i])) for i in extremes):
        return np.zeros(len(starts), np.bool_)
    return np.array([fails(float(y)) for y in starts])
