"""Delayed loss of stability in a parameter: orbits that leave an invariant line at the height of a special point.

A solution that comes to a line x = const at y_in stays on it past the crossing at which it turns repelling, until

    W(y_in, y_out) = integral from y_in to y_out of f_x / g dy = 0.

Its fate changes where y_out is the height of a special point, so starts have further thresholds: the y_in of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.brackets import sign_change
from fastslow.bifurcation.events import Events
from fastslow.bifurcation.heights import sees
from fastslow.bifurcation.loci import FAST, PARAMETER, SLOW, Role
from fastslow.bifurcation.strands import Strand, clustered
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import Arc, FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind
from fastslow.systems.polynomials import Polynomial, fraction

Values = NDArray[np.float64]

_QUADRATURE, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_PIECES = 8
_NODES = 32
_NEWTON = 60
_OUTWARD = 40


class Moving(Protocol):
    """A special point that is followed in a parameter."""

    @property
    def role(self) -> Role:
        """What it is first of all."""

    @property
    def also(self) -> tuple[Role, ...]:
        """What else it is."""

    @property
    def low(self) -> float:
        """Where its interval begins."""

    @property
    def high(self) -> float:
        """Where it ends."""

    def at(self, s: Values) -> tuple[Values, Values]:
        """Return (x, y) at parameters."""

    def spans(self, low: float, high: float) -> bool:
        """Whether it is there at all parameters of an interval."""


class Surroundings(Protocol):
    """What is asked of a family: the fields along a line x = const, and beside it."""

    def rate(self, x: float, y: Values, s: Values) -> Values:
        """Return f_x / g on the line at slow values of shape (len(s), ...)."""

    def on_line(self, point: Moving, arc: Arc, s: float) -> bool:
        """Whether a special point moves on the line of an arc."""

    def sees(self, s: float, y: float, a: float, b: float) -> bool:
        """Whether f(., y) seems to have no zero strictly between two fast coordinates; in doubt yes."""


@dataclass(frozen=True)
class PolynomialSurroundings:
    """The fields of a family of polynomials."""

    events: Events

    def rate(self, x: float, y: Values, s: Values) -> Values:
        """Return f_x / g on the line at slow values of shape (len(s), ...)."""
        polynomials = self.events.loci.polynomials
        f_x, g = (_beside(p, x) for p in (polynomials.fast_field.derivative(FAST), polynomials.slow_field))
        return _along(f_x, y, s) / _along(g, y, s)

    def on_line(self, point: Moving, arc: Arc, s: float) -> bool:
        """Whether a special point moves on the line of an arc, which must be the same for all parameters."""
        if not isinstance(point, Strand) or point.locus.variable != SLOW:
            return False
        degrees, x = arc.curve.polynomial.degrees(), arc.target.x
        for place in point.locus.places:
            if place.curve is None:
                continue
            p = self.events.loci.curves[place.curve].polynomial
            if p.degrees()[SLOW] <= 0 and p.degrees()[PARAMETER] <= 0 and p.degrees()[FAST] == degrees[0]:
                value = sum(float(fraction(v)) * x ** int(powers[0]) for powers, v in p.to_dict().items())
                if abs(value) <= 1e-12:
                    return True
        return False

    def sees(self, s: float, y: float, a: float, b: float) -> bool:
        """Whether f(., y) seems to have no zero strictly between two fast coordinates; in doubt yes."""
        return sees(self.events.loci.polynomials.fast_field, s, y, a, b)


@dataclass(frozen=True, eq=False)
class Line:
    """An invariant line x = const of a family, with the equilibria on it."""

    x: float
    equilibria: tuple[Moving, ...]
    around: Surroundings

    def rate(self, y: Values, s: Values) -> Values:
        """Return f_x / g at slow values of shape (len(s), ...)."""
        return self.around.rate(self.x, y, s)

    def way(self, low: Values, high: Values, s: Values) -> Values:
        """Return W(low, high) for arrays of the length of s; NaN where an equilibrium lies between."""
        edges = np.linspace(0.0, 1.0, _PIECES + 1)
        t = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 / _PIECES * _QUADRATURE).ravel()
        weights = np.tile(0.5 / _PIECES * _WEIGHTS, _PIECES)
        y = low[:, None] + (high - low)[:, None] * t
        with np.errstate(all="ignore"):
            total = (high - low) * (self.rate(y, s) @ weights)
        for equilibrium in self.equilibria:
            at = equilibrium.at(s)[1]
            total = np.where((at - low) * (at - high) <= 0.0, np.nan, total)
        return np.asarray(total)


@dataclass(frozen=True, eq=False)
class Gate:
    """A crossing on a line that orbits pass with delay: they come from `side` of it, up to the first of `stops`."""

    line: Line
    crossing: Moving
    side: float
    stops: tuple[Moving, ...]


@dataclass(frozen=True, eq=False)
class DelayedStrand:
    """The starts whose orbits leave a line at the height of a special point, for parameters in an interval."""

    low: float
    high: float
    line: Line = field(repr=False)
    leaves_at: Moving = field(repr=False)
    near: float = field(repr=False)
    middle: float = field(repr=False)
    role: Role = Role.DELAYED

    def at(self, s: Values) -> tuple[Values, Values]:
        """Return (x, y) at parameters of the interval: the line, and the slow value at which it is met."""
        s = np.asarray(s, dtype=np.float64)
        nodes, known = self._known
        return np.full_like(s, self.line.x), self._polished(np.interp(s, nodes, known), s)

    @cached_property
    def _known(self) -> tuple[Values, Values]:
        """Nodes in the parameter and the slow values there, found one from the other."""
        nodes = np.unique(np.concatenate((clustered(self.low, self.high, _NODES), [self.middle])))
        known = np.empty_like(nodes)
        middle = int(np.searchsorted(nodes, self.middle))
        for order in (range(middle, len(nodes)), range(middle - 1, -1, -1)):
            y = np.array([self.near])
            for k in order:
                y = self._polished(y, nodes[k : k + 1])
                known[k] = y[0]
        return nodes, known

    def _polished(self, y: Values, s: Values) -> Values:
        """Return y_in by Newton's method, kept on the side of the crossings on which it is."""
        target = self.leaves_at.at(s)[1]
        for _ in range(_NEWTON):
            with np.errstate(all="ignore"):
                step = self.line.way(y, target, s) / self.line.rate(y[:, None], s)[:, 0]
            step = np.where(np.isfinite(step), step, 0.0)
            y = y + np.clip(step, -0.5 * np.abs(y - target), 0.5 * np.abs(y - target))
            if np.all(np.abs(step) <= 1e-14 * (1.0 + np.abs(y))):
                break
        return y

    def spans(self, low: float, high: float) -> bool:
        """Whether it is there at all parameters of an interval."""
        return self.low <= low and high <= self.high


def gates_of(around: Surroundings, strands: Sequence[Moving], flow: SingularFlow, sample: float) -> list[Gate]:
    """Return the crossings at which orbits of a member stay on a line x = const that turns repelling there."""
    found = []
    here = np.array([sample])
    for arc in flow.manifold.arcs:
        point = arc.target
        if arc.curve.shape is not Shape.FAST_LINE or arc.stability is not FastStability.ATTRACTING or not arc.flow:
            continue
        if not point.is_a(Kind.CROSSING) or point.is_a(Kind.EQUILIBRIUM):
            continue
        onward = [a for a in flow.arcs_at(point) if a.curve is arc.curve and a is not arc and a.source is point]
        if not any(a.stability is FastStability.REPELLING for a in onward):
            continue
        own = [t for t in strands if t.low <= sample <= t.high and around.on_line(t, arc, sample)]
        crossings = [t for t in own if Role.CROSSING in (t.role, *t.also)]
        equilibria = [t for t in own if Role.EQUILIBRIUM in (t.role, *t.also)]
        nearest = min(crossings, key=lambda t: abs(float(t.at(here)[1][0]) - point.y), default=None)
        if nearest is not None:
            others = [t for t in crossings if t is not nearest]
            line = Line(point.x, tuple(equilibria), around)
            found.append(Gate(line, nearest, 1.0 if arc.source.y > point.y else -1.0, (*others, *equilibria)))
    return found


def delay_values(strands: Sequence[Moving], gates: Sequence[Gate], low: float, high: float) -> list[float]:
    """Return the parameters in an interval at which orbits enter a line at one special height and leave at another.

    W(y_i, y_j) of pairs of special heights on the two sides of a gate is evaluated at nodes, and each change of its
    sign refined: the equation is transcendental, so that these values are not certified. Only points count that can
    be seen from the line.
    """
    s = clustered(low, high, _NODES)
    found: list[float] = []
    k = len(s) // 2
    for gate in gates:
        turn = gate.crossing.at(s)[1]
        before: list[tuple[Moving, Values]] = []
        after: list[tuple[Moving, Values]] = []
        for strand in strands:
            if not strand.spans(low, high) or strand is gate.crossing:
                continue
            x, y = strand.at(s)
            if math.isnan(x[k]) or gate.line.around.sees(float(s[k]), float(y[k]), float(x[k]), gate.line.x):
                (before if (y[k] - turn[k]) * gate.side > 0 else after).append((strand, y))
        for a, ya in before:
            for b, yb in after:
                apart = (ya - turn) * (yb - turn) < 0
                way = np.where(apart, gate.line.way(ya, yb, s), np.nan)
                with np.errstate(invalid="ignore"):
                    changes = np.flatnonzero(way[:-1] * way[1:] < 0)
                found += [sign_change(_way_between(gate.line, a, b), float(s[j]), float(s[j + 1])) for j in changes]
    return sorted(found)


def _way_between(line: Line, a: Moving, b: Moving) -> Callable[[float], float]:
    def way(value: float) -> float:
        here = np.array([value])
        return float(line.way(a.at(here)[1], b.at(here)[1], here)[0])

    return way


def delayed_strands(
    strands: Sequence[Moving], gates: Sequence[Gate], low: float, high: float, middle: float
) -> list[DelayedStrand]:
    """Return the starts whose orbits pass a gate and leave the line where a special point can be seen from it."""
    here = np.array([middle])
    found = []
    for gate in gates:
        turn = float(gate.crossing.at(here)[1][0])
        for strand in strands:
            (x,), (y,) = strand.at(here)
            if (y - turn) * gate.side >= 0.0 or not strand.spans(low, high):
                continue
            if math.isnan(x) or gate.line.around.sees(middle, float(y), float(x), gate.line.x):
                near = _entry(gate, turn, float(y), middle)
                if near is not None:
                    found.append(DelayedStrand(low, high, gate.line, strand, near, middle))
    return found


def _entry(gate: Gate, turn: float, leaves_at: float, s: float) -> float | None:
    """Return the y_in from which orbits leave at a height, None where there is none.

    The way W(y, leaves_at) is followed outward from the crossing up to the next crossing or equilibrium.
    """
    here, end = np.array([s]), np.array([leaves_at])

    def way(y: float) -> float:
        return float(gate.line.way(np.array([y]), end, here)[0])

    stops = [gate.side * (float(stop.at(here)[1][0]) - turn) for stop in gate.stops]
    limit = min((stop for stop in stops if stop > 0), default=math.inf)
    low, at_low = turn, way(turn)
    distance = 0.25 * abs(turn - leaves_at)
    for step in range(1, _OUTWARD):
        # Towards an equilibrium the way is infinite; away from all it grows.
        high = turn + gate.side * min(distance, (1.0 - 0.5**step) * limit)
        at_high = way(high)
        if math.isnan(at_high) or math.isnan(at_low):
            return None
        if at_low * at_high < 0.0:
            return sign_change(way, min(low, high), max(low, high))
        low, at_low = high, at_high
        distance *= 2.0
    return None


def _beside(p: Polynomial, x: float) -> Values:
    """Return the coefficients C[j, k] of y^j s^k in p(x, y, s) at a fixed x."""
    degrees = p.degrees()
    table = np.zeros((max(degrees[SLOW], 0) + 1, max(degrees[PARAMETER], 0) + 1))
    for (i, j, k), value in p.to_dict().items():
        table[int(j), int(k)] += float(fraction(value)) * x ** int(i)
    return table


def _along(table: Values, y: Values, s: Values) -> Values:
    rows = table @ s[None, :] ** np.arange(table.shape[1])[:, None]
    total = np.zeros_like(y)
    for row in rows[::-1]:
        total = total * y + row[:, None]
    return np.asarray(total)
