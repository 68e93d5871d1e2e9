"""Exact values of a parameter at which equilibria collide, meet a line or leave to infinity."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint

from fastslow.boundary.members import Members, lines_of
from fastslow.flow.flow_graph import forbidden
from fastslow.systems.algebraic import RealRoot, nearest_double, radius, real_roots
from fastslow.systems.polynomials import (
    Polynomial,
    Univariate,
    at_fast,
    at_value,
    by_slow_power,
    coefficients,
    rational,
    univariate,
)

_X, _Y, _P = range(3)


@dataclass(frozen=True)
class Cut:
    """A value of the parameter at which the equilibria, or the field on the line of starts, may change.

    Attributes
    ----------
    kind : str
        What happens there.
    value, radius : float
        The value, and a bound on its error.
    """

    kind: str
    value: float
    radius: float = 0.0


def cuts_of(members: Members) -> list[Cut]:
    """Return the cuts of a family in the open interval of its axis, in order; exact, and more than are needed.

    The equilibria on a curve q = 0 of f are the zeros of the resultant e(x; p) of q and g. They change in number or
    kind only where e has a double root, where two such e have a common root, at a line x = const of f or an edge of
    the window, at a pole of the curve, or, without an energy, where the trace of the Jacobian vanishes.
    """
    axis, found = members.axis, list[Cut]()
    for kind, condition in _conditions(members):
        if condition.degree() < 1:
            continue
        for root in real_roots(condition, axis.low, axis.high):
            value = nearest_double(root)
            if float(axis.low) < value < float(axis.high) and not any(
                abs(value - cut.value) <= 1e-13 * max(1.0, abs(value)) for cut in found
            ):
                found.append(Cut(kind, value, radius(root)))
    return sorted(found, key=lambda cut: cut.value)


def _conditions(members: Members) -> Iterator[tuple[str, Univariate]]:
    """Yield polynomials in the parameter that vanish at the cuts, and what they mean."""
    system, g = members.sample, members.slow_field
    simple = [part for part, times in members.parts if times == 1]
    lines = lines_of(members.parts)
    edges = [*dict.fromkeys([*lines, system.lower, system.upper])]
    roots: list[Polynomial] = []
    unreached = _beyond_reach(members)
    for q in simple:
        if q.degrees()[_Y] < 1:
            continue
        own = [e for e, _ in q.resultant(g, _Y).factor()[1] if e.degrees()[_X] > 0]
        for e in own:
            yield from _collisions(members, "equilibria collide", e)
            if unreached and q.degrees() == (0, 1, 0):
                continue
            for pole in (q, g):
                for factor in _factors(coefficients(pole, _Y)[-1]):
                    if factor.degrees()[_X] > 0:
                        yield "equilibrium at infinity", _in_parameter(e.resultant(factor, _X))
            for x in edges:
                kind = "crossing meets equilibrium" if x in lines else "equilibrium on the window's edge"
                yield kind, _in_parameter(at_value(e, _X, x))
            yield "equilibrium on the line of starts", _in_parameter(at_value(e, _X, system.start_fast))
            if system.energy_polynomial is None:
                trace = members.fast_field.derivative(_X) + members.slow_rate * g.derivative(_Y)
                for factor in _factors(q.resultant(trace, _Y)):
                    if factor.degrees()[_X] > 0 and factor != e:
                        yield "trace vanishes", _in_parameter(e.resultant(factor, _X))
        roots += own
    for first, second in itertools.combinations(roots, 2):
        if first != second:
            yield "equilibria collide", _in_parameter(first.resultant(second, _X))
    for line in lines:
        for e in _factors(at_value(g, _X, line)):
            if e.degrees()[_Y] > 0:
                yield "equilibria collide", _in_parameter(e.discriminant(_Y))
                yield "equilibrium at infinity", _in_parameter(coefficients(e, _Y)[-1])
    on_line = [e for e in _factors(at_value(members.fast_field, _X, system.start_fast)) if e.degrees()[_P] > 0]
    for e in on_line:
        if e.degrees()[_Y] > 0:
            yield "tangency to the line of starts", _in_parameter(e.discriminant(_Y))
            if forbidden(system, 0.0):
                yield "start at rest", _in_parameter(at_value(e, _Y, Fraction(0)))
        yield "start at rest", _in_parameter(coefficients(e, _Y)[-1])


def _beyond_reach(members: Members) -> bool:
    """Whether y = 0 and the line of starts have one and the same energy, so that no start comes to rest on y = 0."""
    q, system = members.sample.energy_polynomial, members.sample
    if q is None or not forbidden(system, 0.0):
        return False
    on_axis, on_line = by_slow_power(q)[0], at_fast(q, rational(system.start_fast))
    return bool(on_axis.degree() <= 0 and on_line.degree() <= 0 and on_axis == on_line)


def _collisions(members: Members, kind: str, e: Polynomial) -> Iterator[tuple[str, Univariate]]:
    """Yield the discriminant's factors at whose roots the number of real roots in the window changes."""
    system, axis = members.sample, members.axis
    condition = _in_parameter(e.discriminant(_X))
    if condition.degree() < 1:
        return
    found = real_roots(condition, axis.low, axis.high)
    places = [axis.low, *(Fraction(nearest_double(root)) for root in found), axis.high]
    between = [(a + b) / 2 for a, b in itertools.pairwise(places)]
    counts = [_count(e, value, system.lower, system.upper) for value in between]
    kept: list[RealRoot] = [
        root for root, (a, b) in zip(found, itertools.pairwise(counts), strict=True) if a != b or a is None
    ]
    for polynomial in {str(root.polynomial): root.polynomial for root in kept}.values():
        yield kind, flint.fmpq_poly(polynomial)


def _count(e: Polynomial, value: Fraction, low: Fraction, high: Fraction) -> int | None:
    """Return the number of real roots x in the window for a value of the parameter."""
    p = univariate(at_value(e, _P, value), _X)
    return len(real_roots(p, low, high)) if p.degree() > 0 else None


def _factors(p: Polynomial) -> Sequence[Polynomial]:
    return [factor for factor, _ in p.factor()[1]] if p else []


def _in_parameter(p: Polynomial) -> Univariate:
    """Return a polynomial in p alone; zero where it also has another variable."""
    return univariate(p, _P) if all(p.degrees()[k] <= 0 for k in (_X, _Y)) else flint.fmpq_poly([])
