"""Two special points at one slow value: where jumps begin to land elsewhere although nothing changes locally."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import flint
import numpy as np

from fastslow.bifurcation.brackets import sign_change
from fastslow.bifurcation.events import Event, Events
from fastslow.bifurcation.loci import FAST, PARAMETER, SLOW, Role
from fastslow.bifurcation.strands import Strand, clustered
from fastslow.systems.algebraic import RealRoot, nearest_double, radius, real_roots
from fastslow.systems.polynomials import Polynomial, Univariate, fraction, univariate

_NODES, _FINER = 48, 33
_EQUAL = 1e-12
"""Heights that agree so well at every node are equal for all parameters."""
_NEAR = 1e-8
"""Parameters that agree so well are one, and heights at an exact parameter are equal."""
_MOST_DEGREE = 400
"""Product of the degrees of two heights up to which their resultant is computed."""


@dataclass(frozen=True, eq=False)
class HeightEvent(Event):
    """An event at which two special points of different places have one slow value.

    Attributes
    ----------
    second_x : float
        Fast coordinate of the other point.
    strands : tuple of Strand
        The two points.
    """

    second_x: float = math.nan
    strands: tuple[Strand, ...] = field(default=(), repr=False)


def height_events(events: Events, strands: Sequence[Strand], every: bool = False) -> tuple[HeightEvent, ...]:
    """Return the parameters at which two special points see each other along the fast direction.

    The order of the heights decides where jumps land. Between neighbouring local events the heights are analytic;
    their differences are evaluated at nodes that crowd at both ends, the nearest approaches at finer ones, and each
    change of sign is refined to the last digits. An even number of changes between two nodes of a nearest approach
    would be missed: `certified` is False on what is found here.

    Parameters
    ----------
    events : Events
        The local events.
    strands : sequence of Strand
        The special points.
    every : bool
        Whether to keep those that no jump feels: with a zero of f between the two points, or where neither is a
        fold or an end of a curve.
    """
    f = events.loci.polynomials.fast_field
    found: list[HeightEvent] = []
    for low, high, active in _intervals(events, strands):
        for a, b, s in _equal_heights(active, low, high, every):
            if min(s - low, high - s) <= _EQUAL * (1.0 + abs(s)):
                continue  # points that merge in the event at the end of the interval
            (xa,), (y,) = a.at(np.array([s]))
            (xb,), _ = b.at(np.array([s]))
            if every or sees(f, s, float(y), float(xa), float(xb)):
                kind = f"{a.role} and {b.role} at one height"
                found.append(
                    HeightEvent(kind, s, abs(s) * 1e-15, float(xa), float(y), (), False, None, (), float(xb), (a, b))
                )
    return tuple(sorted(found, key=lambda event: event.parameter))


def _intervals(events: Events, strands: Sequence[Strand]) -> list[tuple[float, float, list[Strand]]]:
    """Return the intervals between local events and the points, two or more, that have heights of their own there."""
    axis = events.axis
    cuts = sorted({float(axis.low), float(axis.high), *(event.parameter for event in events.events)})
    found = []
    for low, high in itertools.pairwise(cuts):
        active = [strand for strand in strands if strand.spans(low, high) and strand.role is not Role.LINE]
        if len(active) > 1:
            found.append((low, high, active))
    return found


def are_compared(events: Events, strands: Sequence[Strand]) -> bool:
    """Whether anywhere the order of heights matters, which is found by evaluation and not proved."""
    return any(_lets_pass(strand) for _, _, active in _intervals(events, strands) for strand in active)


def certified_heights(
    events: Events, strands: Sequence[Strand], found: Sequence[HeightEvent]
) -> tuple[tuple[HeightEvent, ...], bool]:
    """Return the events of `height_events`, isolated exactly, those it missed too, and whether these are all.

    The slow values of a locus q(x, s) = 0 on a curve p(x, y, s) = 0 are roots y of the resultant of q and p in x. Two
    heights are equal only at real roots s of the resultant in y of two of these, or of the discriminant of one. Such a
    root is an event where heights of points in the window agree at it; nothing is proved where degrees are too high.
    """
    values = _exact_values(events, strands)
    if values is None:
        return tuple(found), False
    left, kept = list(found), list[HeightEvent]()
    local = [event.parameter for event in events.events]
    f = events.loci.polynomials.fast_field
    for value in values:
        s = nearest_double(value)
        reach = _NEAR * (1.0 + abs(s))
        known = [event for event in left if abs(event.parameter - s) <= reach]
        for event in known:
            left.remove(event)
            kept.append(replace(event, parameter=s, radius=radius(value), certified=True, value=value))
        if known or any(abs(other - s) <= reach for other in local):
            continue
        for a, b in _agreeing(strands, s):
            (xa,), (y,) = a.at(np.array([s]))
            (xb,), _ = b.at(np.array([s]))
            if sees(f, s, float(y), float(xa), float(xb)):
                kind, place = f"{a.role} and {b.role} at one height", (float(xa), float(y))
                kept.append(HeightEvent(kind, s, radius(value), *place, (), True, value, (), float(xb), (a, b)))
    return tuple(sorted([*kept, *left], key=lambda event: event.parameter)), not left


def _agreeing(strands: Sequence[Strand], s: float) -> list[tuple[Strand, Strand]]:
    """Return the points that have one height at a parameter and not beside it, one of which lets orbits pass."""
    active = [strand for strand in strands if strand.low < s < strand.high and strand.role is not Role.LINE]
    found = []
    for a, b in itertools.combinations(active, 2):
        if not (_lets_pass(a) or _lets_pass(b)):
            continue
        at = np.array([s, 0.5 * (s + max(a.low, b.low)), 0.5 * (s + min(a.high, b.high))])
        first, second = a.at(at)[1], b.at(at)[1]
        same = np.abs(first - second) <= _NEAR * (1.0 + np.abs(first))
        if same[0] and not same.all():
            found.append((a, b))
    return found


def _exact_values(events: Events, strands: Sequence[Strand]) -> list[RealRoot] | None:
    """Return all parameters in the interval at which two heights can be equal, None where that takes too long."""
    loci = {id(strand.locus): strand for strand in strands if strand.role is not Role.LINE}
    heights: list[tuple[Polynomial, bool]] = []
    for key, strand in loci.items():
        passes = any(_lets_pass(other) for other in strands if id(other.locus) == key)
        heights += [(factor, passes) for factor in _height_polynomials(events, strand)]
    conditions: dict[str, Univariate] = {}
    for (first, a), (second, b) in itertools.combinations_with_replacement(heights, 2):
        if not (a or b) or (first == second and first.degrees()[SLOW] < 2):
            continue
        if first.degrees()[SLOW] * second.degrees()[SLOW] > _MOST_DEGREE:
            return None
        name = first.context().names()[SLOW]
        values = first.discriminant(name) if first == second else first.resultant(second, name)
        for factor, _ in univariate(values, PARAMETER).numer().factor()[1]:
            if factor.degree() > 0:
                conditions[str(factor)] = flint.fmpq_poly(factor)
    return [root for p in conditions.values() for root in real_roots(p, events.axis.low, events.axis.high)]


def _height_polynomials(events: Events, strand: Strand) -> list[Polynomial]:
    """Return the irreducible polynomials in y and s that the slow values of a locus solve."""
    locus = strand.locus
    q = locus.polynomial
    if locus.variable != SLOW:
        place = locus.place(strand.role)
        assert place is not None
        assert place.curve is not None
        q = events.loci.curves[place.curve].polynomial.resultant(q, q.context().names()[FAST])
    return [factor for factor, _ in q.factor()[1] if factor.degrees()[SLOW] > 0]


def _lets_pass(strand: Strand) -> bool:
    """Whether an orbit along the fast direction can begin or pass here: elsewhere the manifold is in its way."""
    return any(role in (Role.FOLD, Role.START, Role.EDGE) for role in (strand.role, *strand.also))


def _equal_heights(active: list[Strand], low: float, high: float, every: bool) -> list[tuple[Strand, Strand, float]]:
    s = clustered(low, high, _NODES)
    y = np.array([strand.at(s)[1] for strand in active])
    found: list[tuple[Strand, Strand, float]] = []
    first, second = np.triu_indices(len(active), 1)
    apart = y[first] - y[second]
    size = 1.0 + np.abs(y[first]) + np.abs(y[second])
    same = np.all(np.abs(apart) <= _EQUAL * size, axis=1)
    finite = np.all(np.isfinite(apart), axis=1)
    passing = np.array([every or _lets_pass(strand) for strand in active])
    for pair in np.flatnonzero(~same & finite & (passing[first] | passing[second])):
        a, b, d = active[first[pair]], active[second[pair]], apart[pair]
        brackets = [(s[k], s[k + 1]) for k in np.flatnonzero(d[:-1] * d[1:] < 0)]
        near = np.abs(d)
        for k in 1 + np.flatnonzero((near[1:-1] < near[:-2]) & (near[1:-1] < near[2:]) & (d[:-2] * d[2:] > 0)):
            finer = np.linspace(s[k - 1], s[k + 1], _FINER)
            e = a.at(finer)[1] - b.at(finer)[1]
            brackets += [(finer[j], finer[j + 1]) for j in np.flatnonzero(e[:-1] * e[1:] < 0)]
        found += [(a, b, _refined(a, b, *bracket)) for bracket in dict.fromkeys(brackets)]
    return found


def _refined(a: Strand, b: Strand, low: float, high: float) -> float:
    """Return where two heights are equal, between parameters where their difference has different signs."""

    def apart(s: float) -> float:
        at = np.array([s])
        return float(a.at(at)[1][0] - b.at(at)[1][0])

    return sign_change(apart, low, high)


def sees(f: Polynomial, s: float, y: float, a: float, b: float) -> bool:
    """Whether f(., y) seems to have no zero strictly between two fast coordinates; in doubt yes."""
    if not math.isfinite(a) or not math.isfinite(b) or a == b:
        return True
    row = np.zeros(f.degrees()[0] + 1)
    for (i, j, k), value in f.to_dict().items():
        row[int(i)] += float(fraction(value)) * y ** int(j) * s ** int(k)
    roots = np.polynomial.polynomial.polyroots(row)
    low, high = min(a, b), max(a, b)
    margin = 1e-4 * (high - low)
    real = roots.real[np.abs(roots.imag) < 1e-7 * (1 + np.abs(roots))]
    return not np.any((real > low + margin) & (real < high - margin))
