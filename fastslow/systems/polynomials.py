"""Exact polynomials in one fast and one slow variable, and the arrays that kernels read.

The exact type is flint's ``fmpq_mpoly``: sums, products, derivatives,
factorisation and resultants over the rationals.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError

Polynomial = Any
"""A flint ``fmpq_mpoly`` in the two variables of a system (flint carries no types)."""

Univariate = Any
"""A flint ``fmpq_poly``."""


def variables(fast: str = "x", slow: str = "y") -> tuple[Polynomial, Polynomial]:
    """Return the two variables as exact polynomials to build a system from.

    Examples
    --------
    >>> x, y = variables("x", "y")
    >>> str(y + x - x**3 / 3)
    '-1/3*x^3 + x + y'
    """
    for name in (fast, slow):
        if not name.isascii() or not name.isidentifier():
            raise InputError("variables", name, "must be an ASCII name", "Rename the variable")
    x, y = flint.fmpq_mpoly_ctx.get((fast, slow), flint.Ordering.lex).gens()
    return x, y


def rational(value: Fraction | int) -> Any:
    """Return a fraction as flint's ``fmpq``."""
    return flint.fmpq(value.numerator, value.denominator)


def fraction(value: Any) -> Fraction:
    """Return flint's ``fmpq`` as a fraction."""
    return Fraction(int(value.p), int(value.q))


def polynomial(terms: dict[tuple[int, int], Fraction], names: tuple[str, str]) -> Polynomial:
    """Return the polynomial with coefficient ``terms[i, j]`` at x^i y^j."""
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.lex)
    return context.from_dict({powers: rational(value) for powers, value in terms.items() if value})


def by_slow_power(p: Polynomial) -> list[Univariate]:
    """Return [p_0, p_1, ...] with p(x, y) = sum_j p_j(x) y^j; the list ends with a non-zero entry (or is [0])."""
    return _collect(p, 0)


def by_fast_power(p: Polynomial) -> list[Univariate]:
    """Return [p_0, p_1, ...] with p(x, y) = sum_i p_i(y) x^i."""
    return _collect(p, 1)


def _collect(p: Polynomial, inner: int) -> list[Univariate]:
    degrees = p.degrees()
    rows = [[flint.fmpq(0)] * (max(degrees[inner], 0) + 1) for _ in range(max(degrees[1 - inner], 0) + 1)]
    for powers, value in p.to_dict().items():
        rows[powers[1 - inner]][powers[inner]] = value
    return [flint.fmpq_poly(row) for row in rows]


def at_slow(p: Polynomial, value: Any) -> Univariate:
    """Return x -> p(x, value) for an exact rational `value` (flint ``fmpq``)."""
    return _horner(by_slow_power(p), value)


def at_fast(p: Polynomial, value: Any) -> Univariate:
    """Return y -> p(value, y) for an exact rational `value` (flint ``fmpq``)."""
    return _horner(by_fast_power(p), value)


def _horner(rows: list[Univariate], value: Any) -> Univariate:
    total = flint.fmpq_poly([])
    for row in reversed(rows):
        total = total * value + row
    return total


def at_value(p: Polynomial, variable: int, value: Fraction) -> Polynomial:
    """Return a polynomial at a value of one of its variables, in the same context."""
    return p.subs({str(p.context().names()[variable]): rational(value)})


def univariate(p: Polynomial, variable: int) -> Univariate:
    """Return a polynomial of which one variable is left as a univariate one."""
    terms = p.to_dict()
    row = [flint.fmpq(0)] * (max((powers[variable] for powers in terms), default=0) + 1)
    for powers, value in terms.items():
        row[powers[variable]] = value
    return flint.fmpq_poly(row)


def coefficients(p: Polynomial, variable: int) -> list[Polynomial]:
    """Return [p_0, p_1, ...], polynomials in the other variables, with p = sum_i p_i u^i; no zero at the end."""
    context = p.context()
    rows: list[dict[tuple[int, ...], object]] = [{} for _ in range(max(p.degrees()[variable], 0) + 1)]
    for powers, value in p.to_dict().items():
        rest = tuple(0 if k == variable else power for k, power in enumerate(powers))
        rows[powers[variable]][rest] = value
    return [context.from_dict(row) for row in rows]


def vertical_line(p: Polynomial) -> tuple[Fraction, Fraction] | None:
    """Return (x, slope) of a polynomial slope (X - x) in its first variable alone, None for any other."""
    first, *others = p.degrees()
    if first != 1 or any(degree > 0 for degree in others):
        return None
    constant, slope = univariate(p, 0)
    return -fraction(constant) / fraction(slope), fraction(slope)


def evaluate(p: Any, x: Any) -> Any:
    """Return p(x) for a univariate polynomial of flint at a ball, an enclosure."""
    return flint.arb_poly(p)(x)


def enclose(p: Polynomial, *balls: Any) -> Any:
    """Return an enclosure of p at flint's balls, one for each variable, with the working precision."""
    total = flint.arb(0)
    for powers, value in p.to_dict().items():
        # By products: flint's power of a ball round zero is NaN.
        factors = [ball for ball, power in zip(balls, powers, strict=True) for _ in range(int(power))]
        total += math.prod(factors, start=flint.arb(value))
    return total


def exact_sign(p: Polynomial, x: Fraction, y: Fraction) -> int:
    """Return the sign of p(x, y), -1, 0 or 1; exact."""
    value = fraction(p(rational(x), rational(y)))
    return int(value > 0) - int(value < 0)


def dense(p: Polynomial) -> NDArray[np.float64]:
    """Return the coefficients as doubles, C[i, j] at x^i y^j.

    Raises
    ------
    OverflowError
        If a coefficient is beyond the range of doubles.
    """
    degrees = p.degrees()
    coefficients = np.zeros((max(degrees[0], 0) + 1, max(degrees[1], 0) + 1))
    for (i, j), value in p.to_dict().items():
        coefficients[i, j] = float(fraction(value))
    return coefficients


def packed(p: Polynomial) -> NDArray[np.float64]:
    """Return [rows, columns, C[0, 0], C[0, 1], ...], the layout that ``fastslow.core.polynomial`` reads."""
    coefficients = dense(p)
    return np.concatenate((np.array(coefficients.shape, dtype=np.float64), coefficients.ravel()))


def formatted(p: Polynomial) -> str:
    """Return the polynomial as text, the way a person writes it."""
    text = re.sub(r"\^(\d+)", r"^\1", str(p))
    return re.sub(r"(?<![\w.])1\*", "", text)
