"""Every parameter value at which the picture of critical manifold and slow flow can change, isolated exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

import flint

from fastslow.bifurcation.loci import PARAMETER, Loci, Locus, loci_of, meetings_of
from fastslow.bifurcation.places import located
from fastslow.errors import InputError
from fastslow.manifold.certificates import rational_between
from fastslow.systems.algebraic import Rational, RealRoot, compare, nearest_double, radius, real_roots
from fastslow.systems.families import Axis, Family
from fastslow.systems.family_polynomials import FamilyPolynomials, polynomials_of
from fastslow.systems.polynomials import Polynomial, Univariate, rational
from fastslow.systems.system import FastSlowSystem


@dataclass(frozen=True, eq=False)
class Event:
    """A parameter value at which the picture can change, and where.

    Attributes
    ----------
    kind : str
        "cusp", "canard point", "saddle-node", "fold at crossing", "equilibrium at crossing", "branch
        point", "... through infinity", "... on the line of starts", "... at the window's edge", "degenerate", ...
    parameter, radius : float
        The value, and the half width of the first enclosure.
    x, y : float
        Where, to the last digits of doubles; y may be infinite; both NaN where a whole curve is meant.
    also : tuple of str
        What else happens at this value and place.
    certified : bool
        Whether the place was isolated; the value always is, but for heights (``heights.height_events``).
    value : RealRoot or None
        The exact parameter.
    loci : tuple of Locus
        What meets; empty where the family degenerates as a whole.
    """

    kind: str
    parameter: float
    radius: float
    x: float
    y: float
    also: tuple[str, ...] = ()
    certified: bool = True
    value: RealRoot | None = field(default=None, repr=False)
    loci: tuple[Locus, ...] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class Events:
    """All events of a family over an interval of its parameter that are local, that is at one place of the plane.

    Between neighbouring events the special points in the window keep their number, kinds and order along every
    branch: proved, since all roots of the discriminants and resultants that could end this were isolated.

    Attributes
    ----------
    family : Family
        In one parameter.
    axis : Axis
        The interval.
    events : tuple of Event
        In order of the parameter.
    gaps : tuple of (float, float)
        Closed intervals, possibly single values, in which the model is not valid.
    complete : bool
        Whether all places were isolated.
    loci : Loci
        The curves of special points over the interval.
    """

    family: Family
    axis: Axis
    events: tuple[Event, ...]
    gaps: tuple[tuple[float, float], ...]
    complete: bool
    loci: Loci = field(repr=False)

    def of_kind(self, kind: str) -> tuple[Event, ...]:
        """Return the events that are of a kind, first of all or also."""
        return tuple(event for event in self.events if kind == event.kind or kind in event.also)


def events_of(family: Family, axis: Axis) -> Events:
    """Return every local event of a family of polynomial systems over an interval of its parameter.

    Folds, equilibria, crossings, poles, vertical tangents, the line of starts and the window's edge are plane
    algebraic curves q(x, s) = 0 over the parameter s (``loci.loci_of``). An event is a real point of the window
    where two of them, or one with itself, meet at one place; its parameter is a real root of a resultant or a
    discriminant.

    Parameters
    ----------
    family : Family
        In one parameter, polynomial in it.
    axis : Axis
        The interval; both ends are included.

    Raises
    ------
    InputError
        If the family is not polynomial, has no valid member, or f and g vanish together on a curve.

    References
    ----------
    Collins, Quantifier elimination by cylindrical algebraic decomposition (1975); Kuehn, Multiple Time Scale
    Dynamics (2015), chapters 3 and 8.
    """
    if len(family.names) != 1:
        raise InputError("family", family.names, "must have one parameter here", "Fix the others")
    polynomials = polynomials_of(family, [(axis.low, axis.high)])
    sample = _valid_member(family, axis)
    window = (sample.lower, sample.upper)
    loci = loci_of(polynomials, window, _start_fast(family, axis, polynomials))
    roots: dict[str, list[RealRoot]] = {}
    found: list[Event] = []
    for meeting in meetings_of(loci):
        for value in _values(meeting.values, axis, roots):
            met = (meeting.first,) if meeting.second in (None, meeting.first) else (meeting.first, meeting.second)
            found += [
                replace(_event(kind, value, x, y, isolated), loci=met)
                for kind, x, y, isolated in located(loci, meeting, value, window)
            ]
    for values in loci.degenerate:
        found += [_event("degenerate", value, math.nan, math.nan, True) for value in _values(values, axis, roots)]
    events = _merged(found)
    return Events(family, axis, events, _gaps(family, axis, events), all(e.certified for e in events), loci)


def _valid_member(family: Family, axis: Axis) -> FastSlowSystem:
    for k in range(1, 8):
        try:
            return family.at(axis.low + (axis.high - axis.low) * Fraction(k, 8))
        except InputError as error:
            last = error
    raise last


def _start_fast(family: Family, axis: Axis, polynomials: FamilyPolynomials) -> Polynomial:
    """Return the fast coordinate of starts: a number, or the parameter itself."""
    context = polynomials.slow_field.context()
    if family.names == ("start_fast",):
        return context.gen(PARAMETER)
    return context.constant(rational(_valid_member(family, axis).start_fast))


def _values(p: Univariate, axis: Axis, known: dict[str, list[RealRoot]]) -> list[RealRoot]:
    """Return the real roots in the interval; resultants share factors, each of which is isolated once."""
    if p.degree() <= 0:
        return []
    found = []
    for irreducible, _ in p.numer().factor()[1]:
        key = str(irreducible)
        if key not in known:
            known[key] = real_roots(flint.fmpq_poly(irreducible), axis.low, axis.high)
        found += known[key]
    return found


def _event(kind: str, value: RealRoot, x: float, y: float, certified: bool) -> Event:
    return Event(kind, nearest_double(value) + 0.0, radius(value), x + 0.0, y + 0.0, (), certified, value)


# In order ----------------------------------------------------------------------------------------------------


def _rank(kind: str) -> tuple[int, str]:
    order = ("branch point", "canard point", "cusp", "equilibrium at crossing", "saddle-node", "three curves")
    place = next((k for k, name in enumerate(order) if kind.startswith(name)), len(order))
    return (place + 3 * ("through infinity" in kind) + 6 * kind.endswith(("starts", "edge")), kind)


def _merged(found: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events in order, those at one value and place as one."""
    kept: list[list[Event]] = []
    for event in found:
        for group in kept:
            if _same(group[0], event):
                group.append(event)
                break
        else:
            kept.append([event])
    merged = []
    for group in kept:
        kinds = sorted({event.kind for event in group}, key=_rank)
        first = min(group, key=lambda event: (not event.certified, _rank(event.kind)))
        met = tuple({id(locus): locus for event in group for locus in event.loci}.values())
        merged.append(replace(first, kind=kinds[0], also=tuple(kinds[1:]), loci=met))
    return tuple(sorted(merged, key=cmp_to_key(_in_order)))


def _same(a: Event, b: Event) -> bool:
    assert a.value is not None and b.value is not None
    return a.value.same(b.value) and all(
        u == v or (math.isnan(u) and math.isnan(v)) or abs(u - v) <= 1e-9 * (1 + abs(u))
        for u, v in ((a.x, b.x), (a.y, b.y))
    )


def _in_order(a: Event, b: Event) -> int:
    assert a.value is not None and b.value is not None
    sign = compare(a.value, b.value)
    return sign or (1 if (a.x, a.kind) > (b.x, b.kind) else -1)


def _gaps(family: Family, axis: Axis, events: tuple[Event, ...]) -> tuple[tuple[float, float], ...]:
    """Return where the model is not valid: whole intervals between events, events, and zero."""
    cuts: list[RealRoot] = [Rational(axis.low), Rational(axis.high)]
    cuts += [event.value for event in events if event.value is not None]
    if axis.low < 0 < axis.high:
        cuts.append(Rational(Fraction(0)))
    ordered = distinct(cuts)
    gaps: list[list[float]] = []

    def add(low: float, high: float) -> None:
        if gaps and gaps[-1][1] == low:
            gaps[-1][1] = high
        else:
            gaps.append([low, high])

    for i, cut in enumerate(ordered):
        if cut.exact is not None and not is_valid(family, cut.exact):
            add(nearest_double(cut), nearest_double(cut))
        if i + 1 < len(ordered) and not is_valid(family, rational_between(cut, ordered[i + 1])):
            add(nearest_double(cut), nearest_double(ordered[i + 1]))
    return tuple((low, high) for low, high in gaps)


def is_valid(family: Family, value: Fraction) -> bool:
    """Whether the family has a member at a value of its parameter."""
    try:
        family.at(value)
    except InputError:
        return False
    return True


def distinct(numbers: list[Any]) -> list[Any]:
    """Return real algebraic numbers in order, each once."""
    kept: list[Any] = []
    for number in sorted(numbers, key=cmp_to_key(compare)):
        if not kept or compare(kept[-1], number) != 0:
            kept.append(number)
    return kept
