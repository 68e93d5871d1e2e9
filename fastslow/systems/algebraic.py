"""Real algebraic numbers as roots that are isolated exactly and refined on demand.

Isolation (which roots are real, with which multiplicity) is flint's: factors
over the rationals, then rigorous enclosures of the roots of each factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import flint

from fastslow.errors import CertificateError
from fastslow.systems.polynomials import Univariate, evaluate, fraction, rational

FIRST_BITS = 128
"""Precision of the first enclosure: radii near 1e-30."""
MOST_BITS = 4096
"""Precision beyond which two numbers that cannot be told apart are called equal."""
_LARGEST_DENOMINATOR = 4096

Ball = Any
"""A flint ``arb``: a real interval."""


class Number(Protocol):
    """A real number that can be enclosed as tightly as wanted."""

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return an enclosure computed with `bits` bits."""
        ...


@dataclass(frozen=True, eq=False)
class RealRoot:
    """A real root of an irreducible polynomial with integer coefficients.

    Attributes
    ----------
    polynomial : flint.fmpz_poly
        Irreducible, so that two numbers are equal iff polynomial and enclosure agree.
    seed : flint.arb
        A ball that holds this root and no other root of `polynomial`.
    multiplicity : int
        Multiplicity in the polynomial that was isolated.
    """

    polynomial: Any
    seed: Ball
    multiplicity: int = 1
    _cache: dict[int, Ball] = field(default_factory=dict, repr=False)

    @property
    def exact(self) -> Fraction | None:
        """The value, where it is rational."""
        if self.polynomial.degree() != 1:
            return None
        return Fraction(-int(self.polynomial[0]), int(self.polynomial[1]))

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return an enclosure computed with `bits` bits, by Newton's method in interval arithmetic."""
        if bits not in self._cache:
            self._cache[bits] = self._refined(bits)
        return self._cache[bits]

    def _refined(self, bits: int) -> Ball:
        with flint.ctx.workprec(bits):
            if (value := self.exact) is not None:
                return flint.arb(rational(value))
            slope = self.polynomial.derivative()
            x = self.seed
            for _ in range(bits.bit_length() + 4):
                middle = x.mid()
                steep = evaluate(slope, x)
                if steep.contains(0):
                    break
                step = middle - evaluate(self.polynomial, middle) / steep
                if not step.overlaps(x):
                    break
                narrower = step.intersection(x)
                if not narrower.rad() < x.rad():
                    return narrower
                x = narrower
            else:
                return x
            near = [r.real for r, _ in self.polynomial.complex_roots() if r.imag == 0 and r.real.overlaps(self.seed)]
            if len(near) != 1:
                raise CertificateError(f"the root near {float(self.seed.mid()):.17g} could not be refined")
            return near[0]

    def same(self, other: RealRoot) -> bool:
        """Whether both are the same number; exact."""
        return bool(self.polynomial == other.polynomial and self.seed.overlaps(other.seed))


@dataclass(frozen=True, eq=False)
class OnGraph:
    """The number y = -p_0(x) / p_1(x) on the graph p_0 + p_1 y = 0 above an algebraic x."""

    x: RealRoot
    constant: Univariate
    slope: Univariate

    @property
    def exact(self) -> Fraction | None:
        """The value, where x is rational."""
        if (x := self.x.exact) is None:
            return None
        return fraction(-self.constant(rational(x)) / self.slope(rational(x)))

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return an enclosure computed with `bits` bits, more where cancellation asks for it."""
        work = bits
        while True:
            with flint.ctx.workprec(work):
                x = self.x.ball(work)
                y = -evaluate(self.constant, x) / evaluate(self.slope, x)
            if (y.is_finite() and y.rel_accuracy_bits() >= bits // 2) or work >= MOST_BITS:
                return y
            work *= 2


@dataclass(frozen=True, eq=False)
class RootAbove:
    """A simple root y of p(x, .) above an algebraic x, told from the others by its nearness to `guess`."""

    x: RealRoot
    rows: tuple[Univariate, ...]
    guess: Ball

    exact = None

    def ball(self, bits: int = FIRST_BITS) -> Ball:
        """Return an enclosure computed with `bits` bits."""
        near = [y for y in roots_above(self.x, self.rows, bits) if y.overlaps(self.guess)]
        return near[0] if len(near) == 1 else self.guess


def roots_above(x: RealRoot, rows: tuple[Univariate, ...], bits: int) -> list[Ball]:
    """Return enclosures of the real roots y of sum_j rows_j(x) y^j, all simple, leading row non-zero at x.

    Raises
    ------
    CertificateError
        If the roots cannot be isolated (a multiple root).
    """
    with flint.ctx.workprec(2 * bits):
        point = x.ball(2 * bits)
        p = flint.acb_poly([flint.acb(evaluate(row, point)) for row in rows])
        try:
            roots = p.roots(tol=flint.arb(2) ** -bits)
        except (ValueError, ArithmeticError) as error:
            where = f"multiple roots at the algebraic coordinate {float(point.mid()):.9g}"
            raise CertificateError(f"{where} cannot be isolated; change a coefficient a little") from error
        # The polynomial is real, so an isolated root whose enclosure meets the axis lies on it.
        return sorted((r.real for r in roots if r.imag.contains(0)), key=lambda r: float(r.mid()))


def shared_above(x: RealRoot, p: Sequence[Univariate], q: Sequence[Univariate]) -> tuple[Univariate, ...]:
    """Return the greatest common divisor of sum_j p_j(x) y^j and sum_j q_j(x) y^j at an algebraic x; exact.

    By Euclid's algorithm in the field Q(x), whose elements are polynomials modulo that of x.
    """
    modulus = flint.fmpq_poly(x.polynomial)

    def reduced(rows: Sequence[Univariate]) -> list[Univariate]:
        left = [row % modulus for row in rows]
        while left and not left[-1]:
            left.pop()
        if not left:
            return []
        common, inverse, _ = left[-1].xgcd(modulus)
        return [row * inverse * (1 / common[0]) % modulus for row in left]

    a, b = reduced(p), reduced(q)
    while b:
        while len(a) >= len(b):
            lead, shift = a[-1], len(a) - len(b)
            a = [row - (lead * b[j - shift] if j >= shift else 0) for j, row in enumerate(a)][:-1]
            a = [row % modulus for row in a]
            while a and not a[-1]:
                a.pop()
        a, b = b, reduced(a)
    return tuple(a)


def simple_above(x: RealRoot, rows: Sequence[Univariate]) -> tuple[Univariate, ...]:
    """Return a polynomial in y with the same roots as a given one above an algebraic x, each of them simple."""
    repeated = shared_above(x, rows, [j * row for j, row in enumerate(rows)][1:])
    if len(repeated) < 2:
        return tuple(rows)
    # the quotient by the divisor, which has leading coefficient 1
    modulus, left = flint.fmpq_poly(x.polynomial), list(rows)
    found: list[Univariate] = []
    while len(left) >= len(repeated):
        lead, shift = left[-1] % modulus, len(left) - len(repeated)
        found.insert(0, lead)
        left = [row - (lead * repeated[j - shift] if j >= shift else 0) for j, row in enumerate(left)][:-1]
    return tuple(found)


def real_roots(p: Univariate, lower: Fraction | None = None, upper: Fraction | None = None) -> list[RealRoot]:
    """Return all real roots of p in [lower, upper], in order, with their multiplicities; exact.

    Parameters
    ----------
    p : flint.fmpq_poly
        Not the zero polynomial.
    lower, upper : Fraction, optional
        Bounds, themselves included.
    """
    roots: list[RealRoot] = []
    with flint.ctx.workprec(FIRST_BITS):
        for irreducible, multiplicity in p.numer().factor()[1]:
            for enclosure, _ in irreducible.complex_roots():
                if enclosure.imag == 0:
                    root = RealRoot(irreducible, enclosure.real, multiplicity)
                    if (lower is None or at_least(root, lower)) and (upper is None or at_most(root, upper)):
                        roots.append(root)
    return sorted(roots, key=_by_value)


def at_least(root: RealRoot, bound: Fraction) -> bool:
    """Whether root >= bound; exact."""
    value = root.exact
    return value >= bound if value is not None else compare(root, Rational(bound)) > 0


def at_most(root: RealRoot, bound: Fraction) -> bool:
    """Whether root <= bound; exact."""
    value = root.exact
    return value <= bound if value is not None else compare(root, Rational(bound)) < 0


def Rational(value: Fraction) -> RealRoot:
    """Return a rational number as an algebraic number."""
    with flint.ctx.workprec(FIRST_BITS):
        return RealRoot(flint.fmpz_poly([-value.numerator, value.denominator]), flint.arb(rational(value)))


def compare(a: Number, b: Number, bits: int = MOST_BITS) -> int:
    """Return the sign of a - b: -1 or 1 is proved; 0 means equal, or not told apart with `bits` bits."""
    exact_a, exact_b = getattr(a, "exact", None), getattr(b, "exact", None)
    if exact_a is not None and exact_b is not None:
        return int(exact_a > exact_b) - int(exact_a < exact_b)
    if isinstance(a, RealRoot) and isinstance(b, RealRoot) and a.same(b):
        return 0
    work = FIRST_BITS
    while work <= bits:
        x, y = a.ball(work), b.ball(work)
        if x < y:
            return -1
        if x > y:
            return 1
        work *= 4
    return 0


def nearest_double(number: Number) -> float:
    """Return the double nearest to the number."""
    value = getattr(number, "exact", None)
    if value is not None:
        return float(value)
    ball = number.ball()
    return 0.0 if ball.contains(0) else float(ball.mid())  # where 0 cannot be told apart, it is the simplest


def rational_in(ball: Ball) -> Fraction | None:
    """Return a fraction of small denominator in a ball, None where there is none."""
    near = Fraction(float(ball.mid())).limit_denominator(_LARGEST_DENOMINATOR)
    return near if ball.overlaps(Rational(near).ball()) else None


def radius(number: Number) -> float:
    """Return the radius of the first enclosure, as a double; 0 where the value is exact."""
    return 0.0 if getattr(number, "exact", None) is not None else float(number.ball().rad())


class _ByValue:
    """Sort key that compares enclosures and refines where they overlap."""

    def __init__(self, root: RealRoot) -> None:
        self.root = root

    def __lt__(self, other: _ByValue) -> bool:
        return compare(self.root, other.root) < 0


_by_value = _ByValue
