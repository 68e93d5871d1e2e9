"""Relaxation cycles of the singular limit, and their periods to two orders in the slow rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from fastslow.flow.landing import fast_value
from fastslow.flow.singular_orbit import Segment, SegmentKind, SingularFlow
from fastslow.manifold.arcs import CriticalManifold, FastStability
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.system import FastSlowSystem

FIRST_AIRY_ZERO = 2.338107410459767
"""The smallest zero of Ai(-s), where the solution of u' = u^2 + s that leaves the attracting branch blows up."""
_MOST_OF_IT = 0.8
_NODES, _MOST_PANELS, _AGREEMENT = 20, 256, 1e-13


@dataclass(frozen=True)
class RelaxationCycle:
    """A closed singular orbit of drifts and jumps.

    Attributes
    ----------
    folds : tuple of str
        Ids of the folds it jumps at, the smallest first.
    landings : tuple of (float, float)
        Where it lands after each.
    slow_period : float
        The integral of dy / g over its drifts: the period is slow_period / slow_rate to leading order.
    fold_constant : float or None
        The next order: the period is slow_period / slow_rate + fold_constant slow_rate^(-1/3) + O(log slow_rate).
        None where another passage than that of a generic fold decides it.
    note : str
        Why there is no next order.
    slow_rate : float
        That of the system.
    span : (float, float)
        The least and the largest x on it.

    References
    ----------
    E. F. Mishchenko and N. Kh. Rozov, Differential Equations with Small Parameters and Relaxation Oscillations, 1980;
    M. Krupa and P. Szmolyan, SIAM J. Math. Anal. 33 (2001) 286.
    """

    folds: tuple[str, ...]
    landings: tuple[tuple[float, float], ...]
    slow_period: float
    fold_constant: float | None
    note: str
    slow_rate: float
    span: tuple[float, float]

    @property
    def period(self) -> float:
        """The period at the slow rate of the system, in the fast time, to as many orders as are known."""
        return self.at(self.slow_rate)

    def at(self, slow_rate: float, orders: int = 2) -> float:
        """Return the period at a slow rate, to leading order or with the correction of the folds."""
        next_order = 0.0 if self.fold_constant is None or orders < 2 else self.fold_constant * slow_rate ** (-1 / 3)
        return self.slow_period / slow_rate + next_order


Closed = tuple[Segment, ...]
"""The segments of one turn of a closed singular orbit, from a jump on."""

_KNOWN: WeakKeyDictionary[CriticalManifold, tuple[Closed, ...]] = WeakKeyDictionary()
"""The graph, the trajectories and the analysis of one manifold ask for the same cycles."""


def closed_orbits(flow: SingularFlow) -> tuple[Closed, ...]:
    """Return the closed singular orbits that the jumps at folds lead to, in order of their folds."""
    if flow.manifold not in _KNOWN:
        found: dict[tuple[str, ...], Closed] = {}
        for fold in flow.manifold.of_kind(Kind.FOLD):
            segments = _closed(flow, fold)
            if segments:
                found.setdefault(folds_of(segments), segments)
        _KNOWN[flow.manifold] = tuple(found[key] for key in sorted(found))
    return _KNOWN[flow.manifold]


def folds_of(closed: Closed) -> tuple[str, ...]:
    """Return the ids of the folds that a closed orbit jumps at, the smallest first."""
    order = [fold.id for fold in _folds(closed)]
    turn = order.index(min(order))
    return tuple(order[turn:] + order[:turn])


def spans_of(flow: SingularFlow) -> tuple[tuple[float, float], ...]:
    """Return the least and the largest x on each closed singular orbit."""
    return tuple(_span(segments) for segments in closed_orbits(flow))


def relaxation_cycles(flow: SingularFlow) -> tuple[RelaxationCycle, ...]:
    """Return the relaxation cycles that the jumps at folds lead to.

    Notes
    -----
    At a fold with A = f_xx / 2 and B = f_y g the solution passes y_fold by slow_rate^(2/3) W g (A B)^(-1/3) before it
    jumps, W = 2.338... (``FIRST_AIRY_ZERO``): from X' = A X^2 + slow_rate B t. The time for that is added; and the
    drift after the jump begins as much further on, which takes the time 1 / g(landing) for each unit of y away.
    """
    return tuple(_cycle(flow.system, segments) for segments in closed_orbits(flow))


def is_relaxation(flow: SingularFlow, low: float, high: float) -> bool:
    """Whether an oscillation over a range of x is a relaxation oscillation, and no small one as after a Hopf point.

    It passes folds on both sides, or most of the range of a relaxation cycle of the singular limit.
    """
    return passes_folds(flow.manifold, low, high) or covers(spans_of(flow), low, high)


def passes_folds(manifold: CriticalManifold, low: float, high: float) -> bool:
    """Whether a range of x has folds on both sides in it."""
    return sum(low < fold.x < high for fold in manifold.of_kind(Kind.FOLD)) >= 2


def covers(spans: Iterable[tuple[float, float]], low: float, high: float) -> bool:
    """Whether a range of x has most of one of the spans of relaxation cycles in it."""
    return any(min(high, b) - max(low, a) >= _MOST_OF_IT * (b - a) for a, b in spans)


def jump_of(flow: SingularFlow, fold: SpecialPoint) -> Segment | None:
    """Return the jump at a fold or crossing that the slow flow pushes orbits over; None where there is no such jump.

    Its end is infinite in no coordinate: a jump out of the window ends on the edge, on no arc and at no point.
    """
    if fold.is_a(Kind.EQUILIBRIUM):
        return None
    direction = flow.crossing_jump(fold) if fold.is_a(Kind.CROSSING) else flow.jump_direction(fold)
    arrives = any(a.target is fold and a.stability is FastStability.ATTRACTING for a in flow.arcs_at(fold))
    if not direction or not arrives:
        return None
    assert fold.exact_y is not None
    landed = flow.land(fold.x, fold.exact_y, fold.y, direction, leaving=fold)
    start = (fold.x, fold.y)
    if landed is None:
        return Segment(SegmentKind.JUMP, start, (flow.edge(direction), fold.y), None, None, None, "fast")
    return Segment(SegmentKind.JUMP, start, (landed.x, landed.y), landed.arc, landed.node, None, "fast")


def _closed(flow: SingularFlow, fold: SpecialPoint) -> Closed:
    """Return the periodic part of the orbit that jumps at a fold, from a jump on; empty where it is not periodic."""
    first = jump_of(flow, fold)
    if first is None or first.arc is None:
        return ()
    orbit = flow.drift_from(first.arc, *first.end, before=(first,))
    if orbit.verdict != "relaxation oscillation":
        return ()
    closing = orbit.segments[-1].node
    jumps = [k for k, s in enumerate(orbit.segments) if s.kind is SegmentKind.JUMP]
    last = max(k for k in jumps if closing is not None and orbit.segments[k].start == (closing.x, closing.y))
    return orbit.segments[last:]


def _cycle(system: FastSlowSystem, segments: Closed) -> RelaxationCycle:
    drifts = [s for s in segments if s.kind is SegmentKind.SLOW]
    jumps = [s for s in segments if s.kind is SegmentKind.JUMP]
    folds = _folds(segments)
    order = [fold.id for fold in folds]
    turn = order.index(min(order))
    constants = [_at_fold(system, fold, jump.end) for fold, jump in zip(folds, jumps, strict=False)]
    note = ""
    if any(s.delayed for s in segments) or len(folds) != len(jumps) or len(drifts) != len(jumps):
        note = "it passes a crossing, where other powers of the slow rate come in"
    elif any(value is None for value in constants):
        note = "a fold is degenerate"
    landings = [jump.end for jump in jumps]
    return RelaxationCycle(
        folds_of(segments),
        tuple(landings[turn:] + landings[:turn]),
        math.fsum(drift_time(system, s) for s in drifts),
        None if note else math.fsum(value for value in constants if value is not None),
        note,
        float(system.slow_rate),
        _span(segments),
    )


def _folds(closed: Closed) -> list[SpecialPoint]:
    """Return the folds of a closed orbit in the order of its jumps."""
    # Each drift that ends at a fold is followed by a jump there, the last one by the first.
    drifts = [s for s in closed if s.kind is SegmentKind.SLOW]
    folds = [s.node for s in drifts if s.node is not None and s.node.is_a(Kind.FOLD)]
    return [folds[-1], *folds[:-1]]


def _span(closed: Closed) -> tuple[float, float]:
    ends = [x for s in closed for x in (s.start[0], s.end[0])]
    return min(ends), max(ends)


def _at_fold(system: FastSlowSystem, fold: SpecialPoint, landing: tuple[float, float]) -> float | None:
    """Return the share of a fold in the fold constant, None where the fold is no generic jump point."""
    bend = float(system.partial("f", 2, 0, fold.x, fold.y)) / 2.0
    across = float(system.partial("f", 0, 1, fold.x, fold.y))
    g, beyond = system.g(fold.x, fold.y), system.g(*landing)
    strength = bend * across * g
    if fold.multiplicity.get(Kind.FOLD, 1) > 1 or not strength > 0.0 or beyond == 0.0:
        return None
    return float(FIRST_AIRY_ZERO * strength ** (-1 / 3) * (1.0 - g / beyond))


def drift_time(system: FastSlowSystem, segment: Segment) -> float:
    """Return the integral of dy / g along a drift, the time in units of 1 / slow_rate.

    With y = y_0 + (y_1 - y_0) (1 - cos pi s) / 2 the integrand is smooth in s also where the arc ends at a fold.
    Gauss and Legendre's rule on 1, 2, 4, ... panels until two sums agree.
    """
    arc = segment.arc
    assert arc is not None
    (_, y0), (_, y1) = segment.start, segment.end
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    last, panels = math.inf, 1
    while True:
        s = ((np.arange(panels)[:, None] + 0.5 * (nodes + 1.0)) / panels).ravel()
        y = y0 + (y1 - y0) * np.sin(0.5 * np.pi * s) ** 2
        pace = np.array([1.0 / system.g(fast_value(arc, float(v)), float(v)) for v in y])
        slope = 0.5 * np.pi * (y1 - y0) * np.sin(np.pi * s)
        total = float(np.sum(np.tile(weights, panels) * pace * slope)) / (2.0 * panels)
        if abs(total - last) <= _AGREEMENT * abs(total) or panels >= _MOST_PANELS:
            return total
        last, panels = total, 2 * panels
