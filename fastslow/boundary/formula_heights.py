"""Two special points of formulas at one slow value: the parameters at which that is so, isolated.

A fold, a crossing, and the points of f = 0 on the line of starts or at the window's edge let orbits pass beside them:
jumps land elsewhere where one of them comes to the height y of another special point. For two kinds of points these are
the zeros of their formulas in both fast coordinates, y and the parameter: as many formulas as unknowns.

Points that merge have one height too, and there these equations are degenerate. Beside a fold of q = 0 Rolle's theorem
tells that nothing else happens: q(., y) with a double zero and another one has a zero of q_xx between them, and with
two double zeros one of q_xxx.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.boxed_curves import coordinates, zeros_of
from fastslow.bifurcation.brackets import sign_change
from fastslow.bifurcation.functions import Formula
from fastslow.bifurcation.heights import HeightEvent
from fastslow.bifurcation.loci import Role
from fastslow.bifurcation.strands import clustered
from fastslow.boundary.formula_strands import FormulaStrand, Source
from fastslow.manifold.many_boxes import has_no_zero
from fastslow.systems.expression_facts import rebuilt
from fastslow.systems.expressions import Expression, Variable, add
from fastslow.systems.formula_families import FormulaFamily

Values = NDArray[np.float64]
Bounds = list[tuple[Fraction, Fraction]]

_NODES = 48
_OPEN = (Role.FOLD, Role.CROSSING, Role.START, Role.EDGE)
_APART = Fraction(1, 100)
"""Distance of two points of one kind, in widths of the window, up to which Rolle's theorem must exclude them."""
_MOST_BOXES = 20_000
_OTHER = "other x"
"""The fast coordinate of the second point, or how far it is from the first: no name in a model has a space."""
_SAME = 1e-9
"""Parameters that agree so well, in units of the interval, are one."""


class Sight(Protocol):
    """What tells whether two points see each other along the fast direction."""

    def sees(self, s: float, y: float, a: float, b: float) -> bool:
        """Whether f(., y) seems to have no zero strictly between two fast coordinates; in doubt yes."""


def heights_met(around: Sight, strands: Sequence[FormulaStrand], low: float, high: float) -> list[HeightEvent]:
    """Return the parameters in an interval at which two points, one of them open to jumps, have one height.

    Found by evaluation at nodes that crowd at the ends of the interval.
    """
    s = clustered(low, high, _NODES)
    active = [strand for strand in strands if strand.spans(low, high) and strand.role is not Role.LINE]
    rows = [strand.at(s)[1] for strand in active]
    found = []
    for (a, ya), (b, yb) in itertools.combinations(zip(active, rows, strict=True), 2):
        if a.role not in _OPEN and b.role not in _OPEN:
            continue
        gap = ya - yb
        for k in np.flatnonzero(gap[:-1] * gap[1:] < 0.0):
            value = sign_change(partial(_gap, a, b), float(s[k]), float(s[k + 1]))
            (xa,), (y,) = a.at(np.array([value]))
            (xb,), _ = b.at(np.array([value]))
            if around.sees(value, float(y), float(xa), float(xb)):
                found.append(_event((a.role, b.role), value, abs(value) * 1e-15, float(xa), float(y), float(xb), False))
    return found


def heights_proved(
    formulas: FormulaFamily,
    sources: Sequence[Source],
    around: Sight,
    met: Sequence[HeightEvent],
    local: Sequence[float],
) -> tuple[list[HeightEvent], list[str]]:
    """Return the events at which two heights are equal, with those that evaluation missed, and what is not proved.

    Parameters
    ----------
    met : sequence of HeightEvent
        What evaluation found.
    local : sequence of float
        Parameters at which points begin, end or merge.
    """
    events, notes = list(met), list[str]()
    first, last = min(local), max(local)
    for pair in _pairs(formulas, sources):
        zeros, proved = pair.zeros()
        if not proved:
            notes.append(f"Not shown: all parameters at which {pair.what}.")
        for s, radius, xa, y, xb in zeros:
            near = _SAME * (last - first)
            known = [k for k, event in enumerate(events) if abs(event.parameter - s) <= near]
            for k in known:
                events[k] = replace(events[k], parameter=s, radius=radius, certified=True)
            merged = any(abs(value - s) <= near for value in local)
            if not known and not merged and around.sees(s, y, xa, xb):
                events.append(_event(pair.roles, s, radius, xa, y, xb, True))
    return sorted(events, key=lambda event: event.parameter), notes


def _event(
    roles: tuple[Role, Role], s: float, radius: float, xa: float, y: float, xb: float, certified: bool
) -> HeightEvent:
    kind = f"{roles[0]} and {roles[1]} at one height"
    return HeightEvent(kind, s, radius, xa, y, (), certified, None, (), xb, ())


def _gap(a: FormulaStrand, b: FormulaStrand, value: float) -> float:
    here = np.array([value])
    return float(a.at(here)[1][0] - b.at(here)[1][0])


def _pairs(formulas: FormulaFamily, sources: Sequence[Source]) -> Iterator[_Pair]:
    for a, b in itertools.combinations_with_replacement(sources, 2):
        if a.role not in _OPEN and b.role not in _OPEN:
            continue
        # Two points of one kind on a line x = const at one height are one point.
        if a is not b or len(a.bounds) == 3:
            yield _Pair(formulas, a, b)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two kinds of special points, whose heights are compared: the second at x + d where both are of one kind."""

    formulas: FormulaFamily
    first: Source
    second: Source

    @property
    def roles(self) -> tuple[Role, Role]:
        return self.first.role, self.second.role

    @property
    def what(self) -> str:
        return f"{self.roles[0]} and {self.roles[1]} have one height"

    @property
    def _same(self) -> bool:
        return self.first is self.second

    def _moved(self, e: Expression, to: Expression) -> Expression:
        name = self.formulas.names[0]
        return rebuilt(e, lambda node: to if isinstance(node, Variable) and node.name == name else None)

    def zeros(self) -> tuple[list[tuple[float, float, float, float, float]], bool]:
        """Return (s, radius, x, y, other x) of all equal heights of points that are apart, and whether they are all."""
        x, y, s = self.formulas.names
        width = self.first.bounds[0][1] - self.first.bounds[0][0]
        other = add(Variable(x), Variable(_OTHER)) if self._same else Variable(_OTHER)
        names, bounds, listed = list[str](), Bounds(), list[Expression]()
        if len(self.first.bounds) == 3:
            names, bounds = [x], [self.first.bounds[0]]
        listed += [p.expression for p in self.first.functions]
        if len(self.second.bounds) == 3:
            names.append(_OTHER)
            bounds.append((_APART * width, width) if self._same else self.second.bounds[0])
        listed += [self._moved(p.expression, other) for p in self.second.functions]
        names += [y, s]
        bounds += self.first.bounds[-2:]
        result = zeros_of([Formula(e, tuple(names)) for e in listed], bounds)
        if result is None:
            return [], False
        found = []
        for zero in result.zeros:
            middle, balls = coordinates(zero)
            place = dict(zip(names, map(float, middle), strict=True))
            xa, xb = self._fast(place)
            found.append((place[s], float(balls[-1].rad()), xa, place[y], xb))
        boxes = [dict(zip(names, box, strict=True)) for box in result.undecided]
        return found, all(self._merge(box) for box in boxes) and (not self._same or self._far_apart())

    def _fast(self, place: dict[str, float]) -> tuple[float, float]:
        x = self.formulas.names[0]
        xa, xb = (math.nan if of.fixed[0] is None else float(of.fixed[0]) for of in (self.first, self.second))
        xa = place.get(x, xa)
        return xa, place.get(_OTHER, xb) + (xa if self._same else 0.0)

    def _merge(self, box: dict[str, Sequence[float]]) -> bool:
        """Whether points in a box that have one height are one point: one is a fold, the other on the same curve."""
        if self._same:
            return False
        _, y, s = self.formulas.names
        folds = [
            a.on[0]
            for a, b in ((self.first, self.second), (self.second, self.first))
            if a.role is Role.FOLD and any(a.on[0].expression == q.expression for q in b.on)
        ]
        ends = [self._fast({name: float(box[name][k]) for name in box}) for k in (0, 1)]
        hull = min(*ends[0], *ends[1]), max(*ends[0], *ends[1])
        bounds = [
            (Fraction(a), Fraction(b)) for a, b in (hull, *((float(v[0]), float(v[1])) for v in (box[y], box[s])))
        ]
        return any(has_no_zero([q.derivative(0).derivative(0).expression], q.names, bounds) for q in folds)

    def _far_apart(self) -> bool:
        """Whether no two points of one kind nearer than `_APART` have one height, by Rolle's theorem.

        Between two crossings of q = 0 and another curve there is a zero of q_x, between two folds there are zeros of
        q_xx and of q_xxx.
        """
        x, y, s = self.formulas.names
        width = self.first.bounds[0][1] - self.first.bounds[0][0]
        orders = (2, 3) if self.first.role is Role.FOLD else (1,)
        between = [f"{_OTHER} {order}" for order in orders]
        names = (x, *between, y, s)
        bounds = [self.first.bounds[0], *((Fraction(0), _APART * width) for _ in orders), *self.first.bounds[-2:]]
        own = [p.expression for p in self.first.functions]
        for q in self.first.on:
            slopes = list(itertools.accumulate(range(max(orders)), lambda p, _: p.derivative(0), initial=q))
            moved = [
                self._moved(slopes[order].expression, add(Variable(x), Variable(name)))
                for order, name in zip(orders, between, strict=True)
            ]
            if has_no_zero([*own, *moved], names, bounds, between, _MOST_BOXES):
                return True
        return False
