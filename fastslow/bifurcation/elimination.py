"""Exact sections and special points of curves in (x, y, p), by elimination of the slow variable y.

A space curve {F_1 = F_2 = 0} lies above the plane curve Res_y(F_1, F_2) = 0 in (x, p). Between two neighbouring
critical values of its projection to p the number of its points at one p is fixed, so one exact section there meets
every component, closed ones too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import flint

from fastslow.manifold.certificates import CommonCurveError, CommonZero, common_zeros, rational_between
from fastslow.systems.algebraic import FIRST_BITS, MOST_BITS, Ball, Number, Rational, RealRoot, compare, real_roots
from fastslow.systems.polynomials import (
    Polynomial,
    Univariate,
    at_value,
    by_fast_power,
    coefficients,
    enclose,
    rational,
)

_DISCRIMINATION_BITS = 1024
SLOW = 1
"""Place of y among the variables (x, y, p)."""


def without(p: Polynomial, place: int) -> Polynomial:
    """Return a polynomial that does not depend on one variable in a context that lacks it."""
    names = [str(name) for k, name in enumerate(p.context().names()) if k != place]
    context = flint.fmpq_mpoly_ctx.get(tuple(names), flint.Ordering.lex)
    return context.from_dict({(*e[:place], *e[place + 1 :]): v for e, v in p.to_dict().items()})


def specialised(p: Polynomial, place: int, value: Fraction) -> Polynomial:
    """Return a polynomial at a value of one variable, in a context that lacks it."""
    return without(at_value(p, place, value), place)


def slow_rows(p: Polynomial) -> list[Polynomial]:
    """Return [p_0, p_1, ...] in (x, p) with p = sum_j p_j y^j."""
    return [without(row, SLOW) for row in coefficients(p, SLOW)]


def irreducible(p: Polynomial) -> list[Polynomial]:
    """Return the irreducible factors of a polynomial that is not zero, each once."""
    return [factor for factor, _ in p.factor()[1]]


def _in_parameter(p: Polynomial) -> Univariate:
    """Return a polynomial in (x, p) that does not depend on x as one in p."""
    return by_fast_power(p)[0]


def critical_values(
    first: Polynomial, second: Polynomial, window: tuple[Fraction, Fraction], between: tuple[Fraction, Fraction]
) -> list[RealRoot]:
    """Return parameters outside which the real zeros of two polynomials with x in the window are locally constant.

    Parameters
    ----------
    first, second : Polynomial
        Coprime, in (x, y, p).
    window : (Fraction, Fraction)
        Of x.
    between : (Fraction, Fraction)
        Of p, ends included.

    Returns
    -------
    list of RealRoot
        All such parameters and perhaps more, in order, each once.
    """
    rows = slow_rows(first), slow_rows(second)
    projection = _resultant(first, second)
    x, fast_name = projection.context().gens()[0], str(projection.context().names()[0])
    curves = irreducible(projection)
    found: list[Univariate] = []
    for i, curve in enumerate(curves):
        degree = curve.degrees()[0]
        if degree <= 0:
            found.append(_in_parameter(curve))
            continue
        found += [_in_parameter(curve.subs({fast_name: rational(edge)}) + 0 * x) for edge in window]
        if degree > 1:
            found.append(_in_parameter(curve.discriminant(fast_name)))
        found += [_in_parameter(curve.resultant(other, fast_name)) for other in curves[:i] if other.degrees()[0] > 0]
        found.append(_escapes(curve, rows, fast_name))
    if 2 not in (len(rows[0]), len(rows[1])):
        # Several y above one x may meet: they are told apart by y.
        fast, slow = first.context().gens()[:2]
        heights = without(first.resultant(second, str(fast)), 0)
        above = [curve for curve in irreducible(heights) if curve.degrees()[0] > 0]
        name = str(slow)
        found += [_in_parameter(curve.discriminant(name)) for curve in above if curve.degrees()[0] > 1]
        found += [_in_parameter(a.resultant(b, name)) for i, a in enumerate(above) for b in above[:i]]
    product = flint.fmpq_poly([1])
    for p in found:
        if p.degree() > 0:
            product = product * p // product.gcd(p)
    return real_roots(product, *between) if product.degree() > 0 else []


def _resultant(first: Polynomial, second: Polynomial) -> Polynomial:
    """Return Res_y of two polynomials in (x, y, p); for one without y, that one itself."""
    if first.degrees()[SLOW] <= 0:
        return without(first, SLOW)
    if second.degrees()[SLOW] <= 0:
        return without(second, SLOW)
    return without(first.resultant(second, str(first.context().names()[SLOW])), SLOW)


def _escapes(curve: Polynomial, rows: tuple[list[Polynomial], list[Polynomial]], fast_name: str) -> Univariate:
    """Return a polynomial in p whose roots are those at which a point above the plane curve may go to infinity."""
    leading = []
    for each in rows:
        reduced = list(each)
        # On this curve the leading coefficients that it divides are zero.
        while reduced and (reduced[-1].is_zero() or (reduced[-1] % curve).is_zero()):
            reduced.pop()
        if len(reduced) > 1:
            leading.append(_in_parameter(curve.resultant(reduced[-1], fast_name)))
    if not leading:
        return flint.fmpq_poly([1])
    return leading[0] if len(leading) == 1 else leading[0].gcd(leading[1])


def components(first: Polynomial, second: Polynomial) -> list[tuple[Polynomial, Polynomial]]:
    """Return pairs of equations in (x, y, parameters) for the parts of {first = second = 0} that elimination tells.

    Where an equation is linear in y, each pair is that one and an irreducible factor of the resultant: the curve in
    x and the parameters below, without the factors at whose zeros y is infinite. Otherwise the pair itself.
    """
    graph, other = (first, second) if first.degrees()[SLOW] == 1 else (second, first)
    if graph.degrees()[SLOW] != 1:
        return [(first, second)]
    context, pole = first.context(), slow_rows(graph)[1]
    parts = []
    for curve in irreducible(_resultant(graph, other)):
        if not (pole % curve).is_zero():
            lifted = context.from_dict({(e[0], 0, *e[1:]): v for e, v in curve.to_dict().items()})
            parts.append((graph, lifted))
    return parts


def cells(critical: Sequence[Number], between: tuple[Fraction, Fraction]) -> list[Fraction]:
    """Return one rational parameter in each open interval between neighbouring critical values and the ends."""
    ends: list[Number] = [Rational(between[0]), *critical, Rational(between[1])]
    return [rational_between(a, b) for a, b in pairwise(ends) if compare(a, b) < 0]


def section(
    first: Polynomial, second: Polynomial, value: Fraction, window: tuple[Fraction, Fraction]
) -> list[CommonZero]:
    """Return all common zeros (x, y) of two polynomials in (x, y, p) at one p, with x in the window.

    Raises
    ------
    CommonCurveError
        If the zeros at this parameter form a curve.
    """
    p, q = specialised(first, 2, value), specialised(second, 2, value)
    if p.is_zero() or q.is_zero():
        raise CommonCurveError("an equation vanishes identically at this parameter")
    zeros: list[CommonZero] = []
    for factor in irreducible(p):
        for zero in common_zeros(factor, q, *window):
            known = (compare(zero.x, z.x, 512) == 0 == compare(zero.y, z.y, 512) for z in zeros)
            if not any(known):
                zeros.append(zero)
    return zeros


@dataclass(frozen=True, eq=False)
class SpacePoint:
    """An algebraic point (x, y, p) with y = -lower(x, p) / upper(x, p)."""

    x: Number
    p: Number
    lower: Polynomial
    upper: Polynomial
    certified: bool

    def balls(self, bits: int = FIRST_BITS) -> tuple[Ball, Ball, Ball]:
        """Return enclosures of x, y, p."""
        work = bits
        while True:
            with flint.ctx.workprec(work):
                at = (self.x.ball(work), self.p.ball(work))
                y = -enclose(self.lower, *at) / enclose(self.upper, *at)
            if (y.is_finite() and y.rad() < flint.arb(2) ** (-bits // 2)) or work >= MOST_BITS:
                return at[0], y, at[1]
            work *= 2


def exact_points(
    equations: Sequence[Polynomial], window: tuple[Fraction, Fraction], between: tuple[Fraction, Fraction]
) -> tuple[list[SpacePoint], bool] | None:
    """Return all isolated real common zeros of three polynomials in (x, y, p), x and p within their bounds.

    Also whether there are no others: not where the three vanish together on a whole curve. None where none of the
    three is linear in y, so that y is not a rational function of x and p.
    """
    if any(p.is_constant() and not p.is_zero() for p in equations):
        return [], True
    graph = next((p for p in equations if p.degrees()[SLOW] == 1), None)
    if graph is None:
        return None
    lower, upper = slow_rows(graph)
    first, second = (_on_graph(p, lower, upper) for p in equations if p is not graph)
    if first.is_zero() or second.is_zero():
        return [], False
    points, isolated = [], True
    for curve in irreducible(first):
        if (upper % curve).is_zero():
            continue  # a common pole: y is at infinity there
        rest = second
        for pole in irreducible(upper):
            while not rest.is_zero() and (rest % pole).is_zero():
                rest = rest / pole  # no zeros beyond the poles are lost
        if (rest % curve).is_zero():
            isolated = False
            continue
        for zero in common_zeros(curve, rest, *window) if not rest.is_constant() else []:
            if not _within(zero.y, between) or _vanishes(upper, zero.x, zero.y):
                continue
            points.append(SpacePoint(zero.x, zero.y, lower, upper, zero.certified))
    return points, isolated


def _on_graph(p: Polynomial, lower: Polynomial, upper: Polynomial) -> Polynomial:
    """Return p on y = -lower / upper, times the power of `upper` that makes it a polynomial."""
    rows = slow_rows(p)
    total = 0 * lower
    for j, row in enumerate(rows):
        total += row * (-lower) ** j * upper ** (len(rows) - 1 - j)
    return total


def _within(number: Number, between: tuple[Fraction, Fraction]) -> bool:
    low, high = (Rational(end) for end in between)
    return compare(number, low, 512) >= 0 and compare(number, high, 512) <= 0


def _vanishes(p: Polynomial, x: Number, y: Number) -> bool:
    with flint.ctx.workprec(_DISCRIMINATION_BITS):
        return bool(enclose(p, x.ball(_DISCRIMINATION_BITS), y.ball(_DISCRIMINATION_BITS)).contains(0))
