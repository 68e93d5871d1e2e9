"""Double zeros of one formula along the zero set of another, proved by exact arithmetic.

A formula is a quotient of polynomials in x, y and the function values that occur (exp(4*x), say), taken for further
unknowns: what holds for all their values holds for the actual ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.certificates import CommonCurveError, CommonZero, also_vanishes, common_zeros
from fastslow.manifold.isolation import Coordinate, confirmed
from fastslow.systems.algebraic import rational_in
from fastslow.systems.balls import enclosed
from fastslow.systems.expression_factors import Quotients, TooLong, polynomial_of
from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import BeyondDoubles, Call, Expression, Number, derivative
from fastslow.systems.polynomials import Polynomial, rational

Array = NDArray[np.float64]

_SHARE = 1e-6


@dataclass(frozen=True)
class Square:
    """That g times a part of `lead` is rest times root^2 on f = 0, up to the denominators of f and g."""

    root: Expression
    rest: Expression
    lead: Expression


def double_zero(
    f: Expression, g: Expression, slope: Expression, names: Sequence[str], region: Array, at: Sequence[Coordinate]
) -> tuple[Coordinate, ...] | None:
    """Return the double zero of g on the curve f = 0 where it is proved to be one, None where it is not.

    Parameters
    ----------
    f, g : Expression
        The formulas.
    slope : Expression
        The derivative of g along f = 0.
    names : sequence of str
        The two variables.
    region : ndarray, shape (2, 2)
        A box in which f = 0 is one arc, on which g has two zeros at most, counted with multiplicity.
    at : pair of Coordinate
        The only common zero of f and the slope in it.

    Notes
    -----
    Either f is linear in one of the unknowns: with that eliminated g is a multiple of a square, whose root has a
    simple zero on the arc. Or `at` has a rational coordinate, and f, g and the slope have a common factor on that line.
    """
    balls = {
        name: flint.arb(low).union(flint.arb(high)) for name, (low, high) in zip(names, region.tolist(), strict=True)
    }
    for square in _squares(f, g, names):
        if not any(enclosed(e, balls).contains(0) for e in (square.rest, square.lead)):
            zero = confirmed([f, square.root], names, region, _SHARE)
            if zero is not None:
                return zero
    for k, name in enumerate(names):
        c = rational_in(at[k].ball())
        if c is not None and region[k, 0] < c < region[k, 1]:
            shared = _shared([substituted(e, {name: c}) for e in (f, g, slope)], names)
            if shared is not None and confirmed([shared], [names[1 - k]], region[1 - k : 2 - k], _SHARE) is not None:
                return tuple(at)
    return None


def vanishes_at_critical_point(f: Expression, names: Sequence[str], box: Array, at: Sequence[Coordinate]) -> bool:
    """Whether f is proved to be zero at `at`, the only zero of both its slopes in a box.

    Either one coordinate is rational, and f and its slopes have a common factor with a zero on that line. Or f is a
    polynomial, and one of its zeros with a zero slope, where the other is zero too, lies in the box.
    """
    slopes = [derivative(f, name) for name in names]
    for k, name in enumerate(names):
        c = rational_in(at[k].ball())
        if c is not None and box[k, 0] <= c <= box[k, 1]:
            shared = _shared([substituted(e, {name: c}) for e in (f, *slopes)], names)
            if shared is not None and confirmed([shared], [names[1 - k]], box[1 - k : 2 - k], _SHARE) is not None:
                return True
    known = algebraic_zeros(f, slopes[0], names, box, complete=False) or []
    other = polynomial_of(slopes[1], (names[0], names[1]))
    return other is not None and any(_within(v, box) and also_vanishes(other, v) for v in known)


def _within(zero: CommonZero, box: Array) -> bool:
    return all(
        v.ball() > float(low) and v.ball() < float(high) for v, (low, high) in zip((zero.x, zero.y), box, strict=True)
    )


def algebraic_zeros(
    f: Expression, g: Expression, names: Sequence[str], region: Array, complete: bool = True
) -> list[CommonZero] | None:
    """Return all common zeros in a box, with their multiplicities, of formulas that are polynomials; None for others.

    None too where a multiplicity is not proved, and these are to be `complete`.
    """
    x, y = names
    p, q = (polynomial_of(e, (x, y)) for e in (f, g))
    if p is None or q is None:
        return None
    low, high = (Fraction(float(v)) for v in region[0])
    try:
        found = common_zeros(p, q, low, high)
    except CommonCurveError:
        return None
    heights = flint.arb(float(region[1, 0])).union(flint.arb(float(region[1, 1])))
    inside = [zero for zero in found if zero.y.ball().overlaps(heights)]
    return inside if not complete or all(zero.certified for zero in inside) else None


def _squares(f: Expression, g: Expression, names: Sequence[str]) -> Iterator[Square]:
    quotients = Quotients(names)
    try:
        below, above = quotients.of(f)[0], quotients.of(g)[0]
        for number, degree in enumerate(below.degrees()):
            if degree == 1:
                free, lead = _rows(below, number)
                rest = _eliminated(above, number, -free, lead)
                norm, others = _norm(rest, quotients)
                for root, multiplicity in norm.factor()[1] if not norm.is_zero() else []:
                    if multiplicity == 2:
                        left = divmod(norm, root * root)[0]
                        yield Square(*(quotients.written(p) for p in (root, left, lead * others)))
    except (TooLong, BeyondDoubles, ZeroDivisionError):
        return


def _rows(p: Polynomial, number: int) -> list[Polynomial]:
    """Return the coefficients of the powers of the symbol of a number."""
    rows: list[dict[tuple[int, ...], object]] = [{} for _ in range(int(p.degrees()[number]) + 1)]
    for powers, value in p.to_dict().items():
        rows[powers[number]][(*powers[:number], 0, *powers[number + 1 :])] = value
    return [p.context().from_dict(row) for row in rows]


def _eliminated(p: Polynomial, number: int, above: Polynomial, below: Polynomial) -> Polynomial:
    """Return p with above/below for the symbol of a number, times the power of `below` that makes it a polynomial."""
    rows = _rows(p, number)
    total, power = rows[-1], below
    for row in reversed(rows[:-1]):
        total = Quotients.checked(total * above + row * power)
        power = Quotients.checked(power * below)
    return total


def _norm(p: Polynomial, quotients: Quotients) -> tuple[Polynomial, Polynomial]:
    """Return (p q, q) with q so that the square roots of numbers are gone from p q."""
    others = quotients.one
    for number, call in enumerate(quotients.calls, start=len(quotients.names)):
        match call:
            case Call("sqrt", Number(value)):
                root = quotients.symbols[number]
                twin = _eliminated(p, number, -root, quotients.one)
                if twin == p:
                    continue
                whole = p * twin
                rows, p = _rows(whole, number), whole * 0
                for k, row in enumerate(rows[::2]):
                    p = quotients.checked(p + row * rational(value**k))
                others = quotients.checked(others * twin)
    return p, others


def _shared(formulas: Sequence[Expression], names: Sequence[str]) -> Expression | None:
    """Return the common factor of formulas, as numerators; None where there is none."""
    quotients = Quotients(names)
    try:
        first, *others = (quotients.of(e)[0] for e in formulas)
    except (TooLong, BeyondDoubles, ZeroDivisionError):
        return None
    for other in others:
        first = first.gcd(other)
    return None if first.is_constant() else quotients.written(first)
