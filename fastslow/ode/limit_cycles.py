"""Limit cycles of the full system: all fixed points of the return maps round its equilibria, stable or not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.cycles import Turn
from fastslow.ode.return_maps import ReturnMap
from fastslow.ode.solution import FloatArray
from fastslow.ode.trajectories import Trajectory
from fastslow.systems.model_files import system_of
from fastslow.systems.system import FastSlowSystem

_COARSE, _FINE, _FINEST = 1e-8, 1e-10, 1e-12
"""Tolerances of the search, of its roots, and of the cycles that are returned."""
_LOWEST, _HIGHEST, _SAMPLES = 3e-4, 100.0, 40
"""Starts of the search above an equilibrium, in heights of the special points, in a geometric series."""
_HEIGHTS = (Kind.EQUILIBRIUM, Kind.FOLD, Kind.CROSSING)
_CLOSE = 1e-5
"""Steps of the return map, in units of the height, at which Newton's method takes over."""
_ISOLATED = 1e-6
"""A multiplier this near to one belongs to closed orbits side by side, or to a cycle that doubles do not show."""
_FAMILY = 4
"""So many neighbouring heights at which P(Y) = Y are no accident."""
_MOST_EQUILIBRIA, _MOST_ROOT_STEPS, _MOST_NEWTON_STEPS, _MOST_TURNS = 12, 60, 8, 12
_RESIDUAL, _STRAYED = 1e-8, 1e-2
"""Step of the return map, and distance from the true orbit on the way, in units of the size of a converged cycle."""
_SAME = 1e-3


@dataclass(frozen=True)
class LimitCycle:
    """An isolated periodic orbit of the full system at its slow rate.

    Attributes
    ----------
    id : str
        C1, C2, ... from the inside out, round the equilibria in their order.
    stability : str
        "stable" or "unstable".
    kind : str
        "relaxation oscillation" where it passes folds on both sides, else "small oscillation".
    period : float
        In the fast time.
    period_error : float
        Change of the period from a tolerance of 1e-10 to one of 1e-12.
    exponent : float
        Integral of the divergence over one period.
    multiplier : float
        exp(exponent), the derivative of the return map: 0 or infinite where that is beyond doubles.
    encloses : tuple of str
        Ids of the equilibria inside.
    certainty : str
        "converged", or "guess" where the residual or the errors on the way (along canards) are large.
    residual : float
        |P(Y) - Y| of the return map P, in units of the height of the cycle.
    strayed : float
        Bound on the distance of the computed from the true orbit on the way, in units of its size.
    x, y : tuple of float
        The steps of one turn.
    """

    id: str
    stability: str
    kind: str
    period: float
    period_error: float
    exponent: float
    multiplier: float
    encloses: tuple[str, ...]
    certainty: str
    residual: float
    strayed: float
    x: tuple[float, ...] = field(repr=False)
    y: tuple[float, ...] = field(repr=False)

    @property
    def amplitude(self) -> tuple[float, float]:
        """The ranges of x and of y."""
        return max(self.x) - min(self.x), max(self.y) - min(self.y)

    def is_near(self, x: float, y: float) -> bool:
        """Whether a point is on the cycle, up to a hundredth of its size."""
        width, height = self.amplitude
        u, v = (np.asarray(self.x) - x) / width, (np.asarray(self.y) - y) / height
        du, dv = np.diff(u), np.diff(v)
        share = np.clip(-(u[:-1] * du + v[:-1] * dv) / np.maximum(du**2 + dv**2, 1e-300), 0.0, 1.0)
        return bool(np.hypot(u[:-1] + share * du, v[:-1] + share * dv).min() <= 0.01)


@dataclass(frozen=True)
class LimitCycles:
    """The limit cycles of a system.

    Attributes
    ----------
    cycles : tuple of LimitCycle
        Those that were found.
    notes : tuple of str
        What was seen and is no limit cycle, or could not be resolved, in words.
    """

    cycles: tuple[LimitCycle, ...] = ()
    notes: tuple[str, ...] = ()


def limit_cycles(model: FastSlowSystem | str) -> LimitCycles:
    """Return the limit cycles of the full system at its slow rate, stable and unstable.

    A cycle goes round an equilibrium that is not a saddle, and it crosses the line x = const through it above it. That
    line is cut where f changes sign; each piece is crossed by a cycle once at most, and cycles are the fixed points of
    its first return map P. They are found as sign changes of P(Y) - Y between sampled heights Y, forward and backward
    in time, and by iteration. Two cycles that are closer than samples, or one that attracts from one side only, may be
    missed; so are cycles that leave the window.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, the name of a preset, or the path of a TOML file.

    Raises
    ------
    InputError
        If the model cannot be used.

    Notes
    -----
    Where the model has an energy that falls along every solution there is no cycle, and nothing is computed.

    Examples
    --------
    >>> import fastslow as fs
    >>> (cycle,) = fs.limit_cycles(fs.van_der_pol(0, "1/100")).cycles      # mu = 10, time in units of 1 / mu
    >>> f"{cycle.period / 10:.8f}", cycle.stability
    ('19.07836957', 'stable')
    """
    system = system_of(model)
    if system.energy_polynomial is not None:
        return LimitCycles()
    return cycles_of(critical_manifold(system))


def cycles_of(manifold: CriticalManifold, trajectories: Iterable[Trajectory] = ()) -> LimitCycles:
    """Return the limit cycles of the system of a critical manifold; trajectories that oscillate give starts, too."""
    if manifold.system.energy_polynomial is not None:
        return LimitCycles()
    found: list[LimitCycle] = []
    notes: list[str] = []
    oscillating = [run for run in trajectories if run.oscillates]
    inner = [p for p in manifold.of_kind(Kind.EQUILIBRIUM) if _may_be_surrounded(p)]
    if len(inner) > _MOST_EQUILIBRIA:
        notes.append(f"cycles were looked for round {_MOST_EQUILIBRIA} of {len(inner)} equilibria")
    for point in inner[:_MOST_EQUILIBRIA]:
        search = _Search(manifold, point)
        for cycle in search.run(oscillating):
            if not any(_same(cycle, other) for other in found):
                found.append(cycle)
        notes += [note for note in search.notes if note not in notes]
    return LimitCycles(tuple(replace(c, id=f"C{k}") for k, c in enumerate(found, start=1)), tuple(notes))


def cycle_at(cycles: Sequence[LimitCycle], x: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray) -> str:
    """Return the id of the cycle that a path ends on, "" where it is on none of them."""
    return next((cycle.id for cycle in cycles if cycle.is_near(float(x[-1]), float(y[-1]))), "")


def _may_be_surrounded(point: SpecialPoint) -> bool:
    on_line = any(curve.shape is Shape.FAST_LINE for curve in point.curves)
    return point.stability is not Stability.SADDLE and not on_line


def _same(a: LimitCycle, b: LimitCycle) -> bool:
    width, height = b.amplitude
    corners = [(min(c.x) / width, max(c.x) / width, min(c.y) / height, max(c.y) / height) for c in (a, b)]
    return all(abs(u - v) <= _SAME for u, v in zip(*corners, strict=True))


class _Search:
    """The cycles round one equilibrium."""

    def __init__(self, manifold: CriticalManifold, point: SpecialPoint) -> None:
        self.manifold, self.system, self.point = manifold, manifold.system, point
        inner = (p for p in manifold.points if p.kind in _HEIGHTS and p is not point)
        heights = [abs(p.y - point.y) for p in inner]
        self.height = max(heights, default=0.0) or max(1.0, abs(point.y))
        self.map = ReturnMap(self.system, point.x, self.height)
        self.notes: list[str] = []
        self.unresolved: list[tuple[float, float]] = []

    def run(self, oscillating: Sequence[Trajectory]) -> Iterator[LimitCycle]:
        """Yield the cycles from the inside out."""
        heights = self.height * np.geomspace(_LOWEST, _HIGHEST, _SAMPLES)
        seen = [y for run in oscillating for y in self.map.crossings(run.x, run.y) if y > self.point.y]
        starts = [y for y in (*(self.point.y + heights), *seen) if self.map.allows(y)]
        cycles: list[tuple[float, LimitCycle]] = []
        for direction in (1.0, -1.0):
            for low, high in self.brackets(starts, direction):
                y = self.root(low, high, direction)
                if y is None:
                    self.unresolved.append((low, high))
                    continue
                cycle = self.polished(y, direction)
                if cycle is not None and not any(_same(cycle, other) for _, other in cycles):
                    cycles.append((cycle.amplitude[1], cycle))
        self.note_unresolved([cycle.y[0] for _, cycle in cycles])
        yield from (cycle for _, cycle in sorted(cycles, key=lambda entry: entry[0]))

    def note_unresolved(self, known: Sequence[float]) -> None:
        """Say where the map could not be followed, unless a cycle is known there: one that repels steeply looks so."""
        reach = 10.0 * _CLOSE * self.height
        open_ = [(a, b) for a, b in self.unresolved if not any(a - reach <= y <= b + reach for y in known)]
        for low, _ in open_[:1]:
            self.notes.append(
                f"the return map round {self.point.id} changes too steeply to be followed near "
                f"{self.system.slow[0]} = {low:.9g}: there may be a cycle with canards"
            )

    def brackets(self, starts: Sequence[float], direction: float) -> list[tuple[float, float]]:
        """Return pairs of heights between which P(Y) - Y changes sign; equal ones where Y is nearly fixed."""
        steps = dict(self.steps(starts, direction))
        # Where the map contracts, the images are nearer to a fixed point than the starts.
        images = [y + step for y, step in steps.items() if y + step - self.point.y > _CLOSE * self.height]
        fresh: list[float] = []
        for y in sorted(images):
            if self.map.allows(y) and (not fresh or y - fresh[-1] > _CLOSE * self.height):
                fresh.append(y)
        if self.is_family(steps):
            self.note_family()
            return []
        steps |= dict(self.steps(fresh, direction))
        found = [(y, y) for y, step in steps.items() if abs(step) <= _CLOSE * (y - self.point.y)]
        for (a, step_a), (b, step_b) in pairwise(sorted(steps.items())):
            if (step_a > 0.0) != (step_b > 0.0) and not any(a <= y <= b for y, _ in found):
                found.append((a, b))
        return found

    def is_family(self, steps: dict[float, float]) -> bool:
        """Whether P(Y) = Y, up to errors, at several neighbouring heights: closed orbits side by side."""
        fixed = [abs(step) <= _CLOSE * (y - self.point.y) for y, step in sorted(steps.items())]
        return any(all(fixed[k : k + _FAMILY]) for k in range(len(fixed) - _FAMILY + 1))

    def note_family(self) -> None:
        note = f"orbits round {self.point.id} close side by side: no limit cycle is isolated there"
        if note not in self.notes:
            self.notes.append(note)

    def steps(self, starts: Sequence[float], direction: float) -> Iterator[tuple[float, float]]:
        """Yield (Y, P(Y) - Y) where P is defined."""
        for y, image in zip(starts, self.map.images(starts, direction, _COARSE), strict=True):
            if image is not None and image > self.point.y:
                yield y, image - y

    def root(self, low: float, high: float, direction: float) -> float | None:
        """Return a fixed point between two heights by regula falsi (Illinois); None where the map jumps there."""
        a, b = low, high
        if a == b:
            return a
        p, q = (self.step(y, direction) for y in (a, b))
        if p is None or q is None or (p > 0.0) == (q > 0.0):
            # The errors of the coarse search are as large as the steps: along canards, say.
            return self.iterated(a, direction) or self.iterated(b, direction)
        for k in range(_MOST_ROOT_STEPS):
            y = a + p / (p - q) * (b - a) if k % 3 < 2 else 0.5 * (a + b)
            if not a < y < b:
                y = 0.5 * (a + b)
            step = self.step(y, direction)
            if step is None:
                return None
            if abs(step) <= _CLOSE * (y - self.point.y):
                return y
            if (step > 0.0) == (p > 0.0):
                a, p, q = y, step, 0.5 * q
            else:
                b, q, p = y, step, 0.5 * p
            if b - a <= 4e-16 * max(abs(a), abs(b)):
                return None
        return 0.5 * (a + b)

    def iterated(self, y: float, direction: float) -> float | None:
        """Return a fixed point that the map itself runs to from a height, None where it does not in a few turns."""
        for _ in range(_MOST_TURNS):
            step = self.step(y, direction, _FINEST)
            if step is None or y + step <= self.point.y:
                return None
            y += step
            if abs(step) <= _CLOSE * (y - self.point.y):
                return y
        return None

    def step(self, y: float, direction: float, rtol: float = _FINE) -> float | None:
        """Return P(Y) - Y, None where the orbit does not return."""
        image = self.map.images([y], direction, rtol)[0]
        return None if image is None else image - y

    def polished(self, y: float, direction: float) -> LimitCycle | None:
        """Return the cycle at a height by Newton's method, in the direction of time in which the map contracts."""
        first = self.map.turn(y, direction, _FINE)
        if first is None:
            return None
        if first[1].exponent > 0.0:
            other = self.map.turn(y, -direction, _FINE)
            if other is not None and other[1].exponent < 0.0:
                direction, first = -direction, other
        rough = self.fixed(y, direction, _FINE)
        fine = None if rough is None else self.fixed(rough[0], direction, _FINEST)
        if rough is None or fine is None:
            return None
        _, period, turn = fine
        if abs(turn.slope - 1.0) <= _ISOLATED:
            self.note_family()
            return None
        if abs(turn.slope - 1.0) <= 10.0 * turn.error / turn.height:
            self.unresolved.append((y, y))
            return None
        if turn.height <= 1e-6 * self.height * _LOWEST:
            return None  # the equilibrium itself
        return self.cycle(period, abs(period - rough[1]), turn, direction)

    def fixed(self, y: float, direction: float, rtol: float) -> tuple[float, float, Turn] | None:
        """Return the fixed point beside y with the period and the turn there; None where there is none."""
        last = math.inf
        for _ in range(_MOST_NEWTON_STEPS):
            found = self.map.turn(y, direction, rtol)
            if found is None or not found[1].height > 0.0:
                return None
            period, turn = found
            if abs(turn.step) <= 3.0 * rtol * turn.height or abs(turn.step) > 0.5 * last or turn.slope == 1.0:
                break  # the rest is rounding
            last = abs(turn.step)
            after = y + turn.step / (1.0 - turn.slope)
            y = after if after > self.point.y and abs(after - y) < turn.height else y + turn.step
        return y, period, turn

    def cycle(self, period: float, period_error: float, turn: Turn, direction: float) -> LimitCycle:
        exponent = direction * turn.exponent
        residual = abs(turn.step) / turn.height
        passed = [p for p in self.manifold.of_kind(Kind.FOLD) if turn.x.min() < p.x < turn.x.max()]
        inside = [p.id for p in self.manifold.of_kind(Kind.EQUILIBRIUM) if _surrounds(turn, p)]
        sure = residual <= _RESIDUAL and turn.strayed <= _STRAYED
        return LimitCycle(
            id="",
            stability="stable" if exponent < 0.0 else "unstable",
            kind="relaxation oscillation" if len(passed) >= 2 else "small oscillation",
            period=period,
            period_error=period_error,
            exponent=exponent,
            multiplier=math.exp(exponent) if exponent < 700.0 else math.inf,
            encloses=tuple(inside),
            certainty="converged" if sure else "guess",
            residual=residual,
            strayed=turn.strayed,
            x=tuple(turn.x.tolist()),
            y=tuple(turn.y.tolist()),
        )


def _surrounds(turn: Turn, point: SpecialPoint) -> bool:
    """Whether the polygon of a turn winds round a point."""
    angle = np.unwrap(np.arctan2((turn.y - point.y) / turn.height, (turn.x - point.x) / float(np.ptp(turn.x))))
    return bool(abs(angle[-1] - angle[0]) > math.pi)
