"""Two special points at one slow value: where jumps begin to land elsewhere although nothing changes locally."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fastslow.bifurcation.brackets import sign_change
from fastslow.bifurcation.events import Event, Events
from fastslow.bifurcation.loci import Role
from fastslow.bifurcation.strands import Strand, clustered
from fastslow.systems.polynomials import Polynomial, fraction

_NODES, _FINER = 48, 33
_EQUAL = 1e-12
"""Heights that agree so well at every node are equal for all parameters."""


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
