"""The system of finite width as a fast-slow system: two fast variables R and Q, one slow variable a."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.sgd.finite_width import FiniteWidth, finite_width
from fastslow.sgd.finite_width_equilibria import FiniteWidthEquilibrium, equilibria
from fastslow.sgd.finite_width_grid import Grid, Plane
from fastslow.systems.system import FastSlowSystem

if TYPE_CHECKING:
    from fastslow.manifold.traced_curve import TracedCurve

Array = NDArray[np.float64]

_MOST_BRANCHES = 60
_ON_CURVE = 1e-6
_LOOP = 0.03
"""Above the share of its length by which a chord of the continuation misses its arc."""
_LOW, _HIGH = 1e-2, 30.0
"""Default window of |a|: share of the smallest and multiple of the largest at rest."""


@dataclass(frozen=True, eq=False)
class FiniteWidthArc:
    """A piece of a branch with one fast stability.

    Attributes
    ----------
    id : str
        As "B1.2".
    fast_stability : str
        "attracting", "saddle" (one unstable direction) or "repelling" in (R, Q) at frozen a.
    start, end : str
        The special points at its ends, or "edge" for that of the window.
    R, Q, a : ndarray, shape (N,)
        Its points, on the manifold to rounding.
    """

    id: str
    fast_stability: str
    start: str
    end: str
    R: Array = field(repr=False)
    Q: Array = field(repr=False)
    a: Array = field(repr=False)


@dataclass(frozen=True)
class FiniteWidthPoint:
    """A fold (the fast Jacobian is singular, a turns), a Hopf point of the fast system, or a crossing of branches."""

    id: str
    kind: str
    R: float
    Q: float
    a: float
    residual: float

    @property
    def state(self) -> Array:
        """The three numbers."""
        return np.array([self.R, self.Q, self.a])


@dataclass(frozen=True, eq=False)
class FiniteWidthManifold:
    """The critical manifold R' = Q' = 0, a != 0, of a network of finite width, and the equilibria of its full system.

    Attributes
    ----------
    network : FiniteWidth
        The system.
    window : (float, float)
        The range of |a|.
    branches : tuple of tuple of FiniteWidthArc
        The arcs of each branch, one after the other.
    points : tuple of FiniteWidthPoint
        Folds, fast Hopf points and crossings, located on the curve to rounding: converged, not proved to be all.
    equilibria : tuple of FiniteWidthEquilibrium
        With a != 0; those outside the window too.
    certified : bool
        Whether it is proved that there are no other equilibria, and that each of these is one.
    unmet : tuple of str
        Equilibria within the window that no traced branch passes; none unless a branch is missing.
    """

    network: FiniteWidth
    window: tuple[float, float]
    branches: tuple[tuple[FiniteWidthArc, ...], ...] = field(repr=False)
    points: tuple[FiniteWidthPoint, ...]
    equilibria: tuple[FiniteWidthEquilibrium, ...]
    certified: bool
    unmet: tuple[str, ...]

    @property
    def arcs(self) -> tuple[FiniteWidthArc, ...]:
        """All arcs."""
        return tuple(arc for branch in self.branches for arc in branch)

    def of_kind(self, kind: str) -> tuple[FiniteWidthPoint, ...]:
        """Return the special points of a kind: "fold", "hopf" or "crossing"."""
        return tuple(point for point in self.points if point.kind == kind)


def finite_width_manifold(
    system: FastSlowSystem | str | FiniteWidth,
    m: float | None = None,
    gamma: float = 0.0,
    delta: float = 1.0,
    *,
    window: tuple[float, float] | None = None,
) -> FiniteWidthManifold:
    r"""Return the critical manifold of a network of finite width in (R, Q, a), its folds, and the equilibria.

    The curves R' = Q' = 0 are followed by pseudo-arclength continuation in (R, Q, log |a|) from every change of sign
    of their reduced equation on a fine grid, and from every equilibrium. The equilibria are isolated by interval
    arithmetic.

    Parameters
    ----------
    system : TwoLayer, str or FiniteWidth
        The network, or a preset or file, or what `finite_width` returns; then without m, gamma and delta.
    m, gamma, delta : float
        Width, above 1; learning rate; samples of a batch per dimension.
    window : (float, float), optional
        The range of \|a\|; by default from below the lowest to above the highest equilibrium.

    Examples
    --------
    >>> import fastslow as fs
    >>> found = fs.finite_width_manifold("fig6-right", m=4000)
    >>> [(e.id, round(e.a, 4), e.stability, e.verdict) for e in found.equilibria if e.a > 1]
    [('E3', 4.6831, 'saddle, 1 unstable', 'learning'), ('E4', 5.4667, 'stable', 'unlearning')]
    """
    network = system if isinstance(system, FiniteWidth) else finite_width(system, _needed(m), gamma, delta)
    if network.m <= 1.0:
        raise InputError("m", network.m, "must be above 1", "One neuron has no overlap Q")
    rest, certified = equilibria(network)
    low, high = _window(network, rest, window)
    plane = Plane(network)
    curves = _traced(network, plane, rest, low, high)
    return _assembled(network, (low, high), curves, rest, certified)


def _needed(m: float | None) -> float:
    if m is None:
        raise InputError("m", m, "is missing", "For example m=1000")
    return m


def _window(
    network: FiniteWidth, rest: list[FiniteWidthEquilibrium], window: tuple[float, float] | None
) -> tuple[float, float]:
    if window is not None:
        low, high = window
        if not 0.0 < low < high < math.inf:
            raise InputError("window", window, "must be 0 < low < high", "A range of |a|")
        return float(low), float(high)
    model = network.system
    scales = [abs(e.a) for e in rest if e.a] or [1.0]
    scales.append(math.sqrt(float(model.teacher_norm) / float(sum(model.t))))
    return min(_LOW * min(scales), _LOW), _HIGH * max(scales)


def _traced(
    network: FiniteWidth, plane: Plane, rest: list[FiniteWidthEquilibrium], low: float, high: float
) -> list[tuple[float, TracedCurve]]:
    """Return the branches, each with the sign of a."""
    curves: list[tuple[float, TracedCurve]] = []
    for sign in (1.0, -1.0):
        grid = Grid(plane, sign, low, high)
        for e in rest:
            if e.a * sign > 0.0 and low <= abs(e.a) <= high and e.certified:
                _follow(network, sign, np.array([e.R, e.Q, math.log(abs(e.a))]), low, high, curves, grid)
        for R in _lines(network):
            middle = 0.5 * (math.log(low) + math.log(high))
            _follow(network, sign, np.array([R, 1.0, middle]), low, high, curves, grid)
        for _ in range(_MOST_BRANCHES):
            start = grid.next()
            if start is None:
                break
            _follow(network, sign, start, low, high, curves, grid, _LOOP)
    return curves


def _lines(network: FiniteWidth) -> list[float]:
    """Return the R of the lines Q = 1 on which all is at rest without noise: (1 - R^2) S' = 0."""
    if network.noise_rate > 0.0:
        return []
    slope = np.array([float(v) * k for k, v in enumerate(network.system.s, start=1)])
    roots = np.polynomial.polynomial.polyroots(np.trim_zeros(slope, "b"))
    real = roots[(np.abs(roots.imag) < 1e-9) & (np.abs(roots.real) < 1.0)].real
    return [-1.0, *sorted(map(float, real)), 1.0]


def _follow(
    network: FiniteWidth,
    sign: float,
    start: Array,
    low: float,
    high: float,
    curves: list[tuple[float, TracedCurve]],
    grid: Grid,
    share_of_chord: float = 1e-3,
) -> None:
    """Trace the branch through a start, unless it is there already."""
    from fastslow.core.finite_width_curve import critical_curve
    from fastslow.manifold.continuation import ContinuationOptions, trace_curve

    if _known(start, sign, curves):
        return
    least = -1.0 / (network.m - 1.0)
    lower, upper = np.array([-1.0, least, math.log(low)]), np.array([1.0, 1.0, math.log(high)])
    curve = trace_curve(
        critical_curve, np.append(network.parameters, sign), np.clip(start, lower, upper), lower=lower, upper=upper,
        scales=(1.0, 1.0, 3.0), fold_coordinates=(2,), test_names=("hopf", "equilibrium"),
        options=ContinuationOptions(max_points=6000, max_step=0.03),
    )  # fmt: skip
    if not curve.converged:
        return
    grid.close(curve.points)
    if _known(curve.points[curve.start_index], sign, curves, share_of_chord):
        return
    if not any(other == sign and _same(curve, known) for other, known in curves):
        curves.append((sign, curve))


def _same(one: TracedCurve, other: TracedCurve) -> bool:
    """Whether two curves have the same ends, or are loops through the same point."""
    if one.closed or other.closed:
        return one.closed and other.closed and _known(one.points[0], 0.0, [(0.0, other)], _LOOP)
    ends = other.points[[0, -1]]
    return any(np.allclose(one.points[[0, -1]], pair, rtol=0.0, atol=_ON_CURVE) for pair in (ends, ends[::-1]))


def _known(point: Array, sign: float, curves: list[tuple[float, TracedCurve]], share_of_chord: float = 1e-3) -> bool:
    """Whether a point is nearer to a chord of a curve than a share of its length."""
    for other, curve in curves:
        if other != sign or len(curve.points) < 2:
            continue
        p, q = curve.points[:-1], curve.points[1:]
        chord = q - p
        length = np.maximum((chord**2).sum(axis=1), 1e-300)
        share = np.clip(((point - p) * chord).sum(axis=1) / length, 0.0, 1.0)
        away = np.abs(p + share[:, None] * chord - point)
        if (away.max(axis=1) <= share_of_chord * np.maximum(np.sqrt(length), 1e-4)).any():
            return True
    return False


def _assembled(
    network: FiniteWidth,
    window: tuple[float, float],
    curves: list[tuple[float, TracedCurve]],
    rest: list[FiniteWidthEquilibrium],
    certified: bool,
) -> FiniteWidthManifold:
    """Cut the branches into arcs at their special points, name all, and see that every equilibrium was met."""
    points: list[FiniteWidthPoint] = []
    named: list[tuple[float, TracedCurve, list[tuple[int, str, Array]]]] = []
    met: set[str] = set()
    for sign, curve in curves:
        cuts: list[tuple[int, str, Array]] = []
        for event in curve.events:
            state = np.array([event.point[0], event.point[1], sign * math.exp(event.point[2])])
            if event.kind == "equilibrium":
                met |= {e.id for e in rest if np.allclose(e.state, state, rtol=_ON_CURVE, atol=_ON_CURVE)}
                continue
            if event.kind == "hopf" and np.linalg.det(network.rates(state)[1][:2, :2]) <= 0.0:
                continue
            kind = "crossing" if event.kind == "branch point" else event.kind
            same = [p for p in points if p.kind == kind and np.allclose(p.state, state, rtol=_ON_CURVE, atol=1e-9)]
            if not same:
                name = f"{kind[0].upper() if kind != 'crossing' else 'X'}{1 + sum(p.kind == kind for p in points)}"
                same = [FiniteWidthPoint(name, kind, *map(float, (*state, event.residual)))]
                points += same
            cuts.append((event.index, same[0].id, event.point))
        named.append((sign, curve, cuts))
    crossings = [p for p in points if p.kind == "crossing"]
    branches = [_arcs(network, k, *parts, crossings) for k, parts in enumerate(named, start=1)]
    low, high = window
    unmet = tuple(e.id for e in rest if e.certified and low <= abs(e.a) <= high and e.id not in met)
    return FiniteWidthManifold(network, window, tuple(branches), tuple(points), tuple(rest), certified, unmet)


def _arcs(
    network: FiniteWidth,
    number: int,
    sign: float,
    curve: TracedCurve,
    cuts: list[tuple[int, str, Array]],
    crossings: list[FiniteWidthPoint],
) -> tuple[FiniteWidthArc, ...]:
    arcs = []
    first, last = (_edge(curve.points[k], sign, crossings) for k in (0, -1))
    cuts = [cut for cut in cuts if 0 <= cut[0] < len(curve.points) - 1]
    ends = [(-1, first, None), *cuts, (len(curve.points) - 1, last, None)]
    for k, ((begin, first, at), (end, last, until)) in enumerate(pairwise(ends), start=1):
        parts = [row[None] for row in (at,) if row is not None]
        parts.append(curve.points[begin + 1 : end + 1])
        parts += [row[None] for row in (until,) if row is not None]
        u = np.concatenate(parts)
        if len(u) < 2:
            continue
        a = sign * np.exp(u[:, 2])
        half = len(u) // 2
        middle = 0.5 * (u[half - 1] + u[half]) if len(u) == 2 else u[half]
        state = np.array([middle[0], middle[1], sign * math.exp(middle[2])])
        up = int((np.linalg.eigvals(network.rates(state)[1][:2, :2]).real > 0.0).sum())
        kind = ("attracting", "saddle", "repelling")[up]
        arcs.append(FiniteWidthArc(f"B{number}.{k}", kind, first, last, u[:, 0], u[:, 1], a))
    return tuple(arcs)


def _edge(end: Array, sign: float, crossings: list[FiniteWidthPoint]) -> str:
    """Return the crossing at the end of a branch, or "edge"."""
    state = np.array([end[0], end[1], sign * math.exp(end[2])])
    return next((p.id for p in crossings if np.allclose(p.state, state, rtol=_ON_CURVE, atol=_ON_CURVE)), "edge")
