"""All common zeros of two polynomials in a strip, proved: the certificate behind every special point.

For p = 0 and q = 0 in the fast variable x and the slow variable y, the
resultant in y has the x of every common zero among its roots. Its real roots
are isolated exactly; a root that belongs to no finite y (a common pole) is
recognised by exact division and dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import flint

from fastslow.errors import FastSlowError
from fastslow.systems.algebraic import (
    Number,
    OnGraph,
    RealRoot,
    RootAbove,
    nearest_double,
    real_roots,
    roots_above,
    shared_above,
    simple_above,
)
from fastslow.systems.polynomials import (
    Polynomial,
    Univariate,
    at_fast,
    at_slow,
    by_fast_power,
    by_slow_power,
    enclose,
    evaluate,
    formatted,
    rational,
)

_DISCRIMINATION_BITS = 1024
_LARGEST_FIELD = 40
"""Above numbers of higher degree common zeros are told by their digits and not by exact division."""


class CommonCurveError(FastSlowError, ValueError):
    """Two polynomials vanish together on a whole curve, so their common zeros are not isolated."""


@dataclass(frozen=True, eq=False)
class CommonZero:
    """A common zero (x, y); `certified` is False where two candidates could not be told apart."""

    x: Number
    y: Number
    multiplicity: int
    certified: bool = True


def common_zeros(p: Polynomial, q: Polynomial, lower: Fraction, upper: Fraction) -> list[CommonZero]:
    """Return every real common zero of p and q with lower <= x <= upper and finite y.

    Parameters
    ----------
    p : Polynomial
        Irreducible over the rationals.
    q : Polynomial
        Any polynomial that p does not divide.
    lower, upper : Fraction
        Window of the fast variable, edges included.

    Raises
    ------
    CommonCurveError
        If p divides q: the zeros form a curve.
    """
    if q.is_zero() or not (p.gcd(q)).is_constant():
        raise CommonCurveError(f"{formatted(p)} = 0 is a whole curve of common zeros with {formatted(q)}")
    degree_x, degree_y = p.degrees()
    if degree_y <= 0:
        return _on_fast_line(p, q, lower, upper)
    if degree_x <= 0:
        return _on_slow_line(p, q, lower, upper)
    return _on_curve(p, q, lower, upper)


def _on_fast_line(p: Polynomial, q: Polynomial, lower: Fraction, upper: Fraction) -> list[CommonZero]:
    """Zeros on the lines x = root of p."""
    zeros = []
    for x in real_roots(by_slow_power(p)[0], lower, upper):
        if (value := x.exact) is not None:
            along = at_fast(q, rational(value))
            zeros += [CommonZero(x, y, y.multiplicity) for y in real_roots(along)] if along.degree() > 0 else []
        else:
            zeros += [CommonZero(x, y, 1) for y in numbers_above(x, by_slow_power(q))]
    return zeros


def _on_slow_line(p: Polynomial, q: Polynomial, lower: Fraction, upper: Fraction) -> list[CommonZero]:
    """Zeros on the lines y = root of p."""
    zeros = []
    for y in real_roots(by_fast_power(p)[0]):
        if (value := y.exact) is not None:
            along = at_slow(q, rational(value))
            found = real_roots(along, lower, upper) if along.degree() > 0 else []
            zeros += [CommonZero(x, y, x.multiplicity) for x in found]
        else:
            within = (
                x
                for x in numbers_above(y, by_fast_power(q))
                if x.ball() >= flint.arb(rational(lower)) and x.ball() <= flint.arb(rational(upper))
            )
            zeros += [CommonZero(x, y, 1) for x in within]
    return zeros


def numbers_above(x: RealRoot, rows: list[Univariate]) -> list[Number]:
    """Return the real y with sum_j rows_j(x) y^j = 0, all of them simple.

    Raises
    ------
    CertificateError
        If there is a multiple root.
    """
    rows = list(rows)
    while rows and vanishes(rows[-1], x):
        rows.pop()
    if len(rows) < 2:
        return []
    if len(rows) == 2:
        return [OnGraph(x, rows[0], rows[1])]
    fixed = tuple(rows)
    return [RootAbove(x, fixed, guess) for guess in roots_above(x, fixed, 128)]


def vanishes(p: Univariate, x: RealRoot) -> bool:
    """Whether p(x) = 0; exact, since the polynomial of x is irreducible."""
    return bool((p.numer() % x.polynomial).is_zero())


def _on_curve(p: Polynomial, q: Polynomial, lower: Fraction, upper: Fraction) -> list[CommonZero]:
    """Zeros of p and q, both of positive degree in x, p of positive degree in y."""
    p_rows, q_rows = by_slow_power(p), by_slow_power(q)
    zeros = []
    for x in real_roots(_resultant(p, q, p_rows, q_rows), lower, upper):
        graph = next((rows for rows in (p_rows, q_rows) if len(rows) == 2 and not vanishes(rows[1], x)), None)
        other = q_rows if graph is p_rows else p_rows
        if graph is not None:
            y = OnGraph(x, graph[0], graph[1])
            if other is q_rows or len(p_rows) == 2 or _meets(other, y):
                zeros.append(CommonZero(x, y, x.multiplicity))
            continue
        if (value := x.exact) is not None:
            shared = at_fast(p, rational(value)).gcd(at_fast(q, rational(value)))
            roots = real_roots(shared) if shared.degree() > 0 else []
            # The multiplicity of x is shared by the points above it, complex ones too.
            alone = shared.degree() == 1 or len(q_rows) == 1
            known = alone or shared.degree() == x.multiplicity
            zeros += [CommonZero(x, y, x.multiplicity if alone else y.multiplicity, known) for y in roots]
            continue
        if x.polynomial.degree() > _LARGEST_FIELD:
            meeting = [y for y in numbers_above(x, p_rows) if _meets(q_rows, y)]
            certain = x.multiplicity == 1 and len(meeting) == 1 and not vanishes(p_rows[-1], x)
            zeros += [CommonZero(x, y, x.multiplicity, certain) for y in meeting]
            continue
        shared = shared_above(x, p_rows, q_rows)
        common = simple_above(x, shared)
        count, multiplicity = len(common) - 1, x.multiplicity
        if len(q_rows) == 1:
            known = len(common) == len(shared)
        else:
            # The multiplicity of x is the sum of those of the points above it, complex ones and infinity too.
            finite = not (vanishes(p_rows[-1], x) and vanishes(q_rows[-1], x))
            known = count == multiplicity or (count == 1 and finite)
            multiplicity = 1 if count == multiplicity else multiplicity
        zeros += [CommonZero(x, y, multiplicity, known) for y in numbers_above(x, list(common))]
    return zeros


def also_vanishes(q: Polynomial, zero: CommonZero) -> bool:
    """Whether another polynomial is zero at a common zero: by exact division, by digits where that would be long."""
    x, y = zero.x, zero.y
    if (value := getattr(x, "exact", None)) is not None and isinstance(y, RealRoot):
        return bool((at_fast(q, rational(value)).numer() % y.polynomial).is_zero())
    rows = by_slow_power(q)
    if not isinstance(y, RootAbove | OnGraph) or y.x.polynomial.degree() > _LARGEST_FIELD:
        with flint.ctx.workprec(_DISCRIMINATION_BITS):
            return bool(enclose(q, x.ball(_DISCRIMINATION_BITS), y.ball(_DISCRIMINATION_BITS)).contains(0))
    own = (y.constant, y.slope) if isinstance(y, OnGraph) else y.rows
    shared = shared_above(y.x, own, rows)
    # y is a root of the common divisor or, its polynomial having simple roots, of the other factor
    return len(shared) > 1 and (len(shared) == len(own) or _meets(list(shared), y))


def _meets(rows: list[Univariate], y: Number) -> bool:
    """Whether sum_j rows_j(x) y^j may be zero, judged with many digits."""
    with flint.ctx.workprec(_DISCRIMINATION_BITS):
        x = y.x.ball(_DISCRIMINATION_BITS)  # type: ignore[attr-defined]
        value, height = flint.arb(0), y.ball(_DISCRIMINATION_BITS)
        for row in reversed(rows):
            value = value * height + evaluate(row, x)
        return bool(value.contains(0))


def _resultant(p: Polynomial, q: Polynomial, p_rows: list[Univariate], q_rows: list[Univariate]) -> Univariate:
    if len(q_rows) == 1:
        return q_rows[0]
    if len(p_rows) == 2 and len(q_rows) == 2:
        return p_rows[0] * q_rows[1] - p_rows[1] * q_rows[0]
    names = p.context().names()
    return by_slow_power(p.resultant(q, names[1]))[0]


def critical_abscissae(p: Polynomial, lower: Fraction, upper: Fraction) -> list[RealRoot]:
    """Return the x in [lower, upper] between which p(x, .) has a fixed number of simple real roots.

    Where p is linear in y these are the poles, p_1(x) = 0; otherwise also the
    roots of the discriminant in y.
    """
    rows = by_slow_power(p)
    critical = rows[-1]
    if len(rows) > 2:
        names = p.context().names()
        critical = critical * by_slow_power(p.discriminant(names[1]))[0]
    return real_roots(critical, lower, upper) if critical.degree() > 0 else []


def rational_between(a: Number, b: Number) -> Fraction:
    """Return a simple rational strictly between two different numbers, a < b."""
    bits = 64
    while True:
        with flint.ctx.workprec(bits):
            low, high = a.ball(bits).upper(), b.ball(bits).lower()
            if low < high:
                return _simplest(_as_fraction(low), _as_fraction(high))
        bits *= 2
        if bits > 2 * 4096:
            raise CommonCurveError("two numbers that should differ could not be told apart")


def rational_inside(low: Number | None, high: Number | None) -> Fraction:
    """Return a rational strictly between two different numbers, None standing for infinity."""
    if low is None and high is None:
        return Fraction(1)
    if low is None:
        assert high is not None
        return Fraction(math.floor(nearest_double(high)) - 1)
    if high is None:
        return Fraction(math.ceil(nearest_double(low)) + 1)
    return rational_between(low, high)


def _as_fraction(value: object) -> Fraction:
    mantissa, exponent = value.man_exp()  # type: ignore[attr-defined]
    m, e = int(mantissa), int(exponent)
    return Fraction(m * 2**e) if e >= 0 else Fraction(m, 2**-e)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return a dyadic number close to the middle of (low, high), with few bits."""
    middle = (low + high) / 2
    width = high - low
    bits = max(0, 3 - (width.numerator.bit_length() - width.denominator.bit_length()))
    rounded = Fraction(round(middle * 2**bits), 2**bits)
    return rounded if low < rounded < high else middle
