"""The right-hand sides of a family as exact polynomials in the variables and the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint

from fastslow.errors import InputError
from fastslow.systems.families import Family
from fastslow.systems.polynomial_system import PolynomialSystem, exactly
from fastslow.systems.polynomials import Polynomial, rational

_MOST_DEGREE = 16
_PURPOSE = "an exact equation in the parameters"
_WAY_OUT = "A phase map by method ode serves any formulas"
_CHECKS = 3
"""Values beyond those that determine the polynomials, at which they must agree."""


@dataclass(frozen=True)
class FamilyPolynomials:
    """f = product of factors and g of a family, exact polynomials (flint ``fmpq_mpoly``) in (x, y, p_1, ..., p_m).

    Attributes
    ----------
    family : Family
        Whose right-hand sides they are.
    factors : tuple of Polynomial
        The factors of f, as the systems of the family list them.
    equations : tuple of str
        Their names, empty where they have none.
    slow_field : Polynomial
        g, without the slow rate.
    slow_rate : Polynomial
        The slow rate, a polynomial in the parameters.
    """

    family: Family
    factors: tuple[Polynomial, ...]
    equations: tuple[str, ...]
    slow_field: Polynomial
    slow_rate: Polynomial

    @property
    def fast_field(self) -> Polynomial:
        """The product f of the factors."""
        product = self.factors[0]
        for factor in self.factors[1:]:
            product = product * factor
        return product


def polynomials_of(family: Family, ranges: Sequence[tuple[Fraction, Fraction]]) -> FamilyPolynomials:
    """Return the right-hand sides of a family as polynomials in its parameters too.

    They are interpolated exactly from members of the family with parameters in the given ranges, and checked at
    further ones; this is exact for every family that is polynomial of degree up to 16 in each parameter.

    Parameters
    ----------
    family : Family
        In one or more parameters.
    ranges : sequence of (low, high)
        An interval for each parameter; values at which the model is not valid are avoided.

    Raises
    ------
    InputError
        If the family is not polynomial in a parameter, or has too few valid members.
    """
    sample = _member(family, ranges)
    names = (sample.fast[0], sample.slow[0], *(f"parameter_{k + 1}" for k in range(len(family.names))))
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.lex)

    def rows(values: tuple[Fraction, ...]) -> list[Polynomial]:
        """The factors, g and the slow rate with the first parameters at `values`, the others still variables."""
        k = len(values)
        if k == len(ranges):
            return _extended(exactly(family.at(*values), _PURPOSE, _WAY_OUT), context)
        return _interpolated(lambda value: rows((*values, value)), context.gen(2 + k), ranges[k], family.names[k])

    *factors, slow_field, slow_rate = rows(())
    equations = tuple(factor.equation for factor in sample.factors)
    return FamilyPolynomials(family, tuple(factors), equations, slow_field, slow_rate)


def _member(family: Family, ranges: Sequence[tuple[Fraction, Fraction]]) -> PolynomialSystem:
    """Return some member of a family."""
    last: InputError | None = None
    for k in range(1, 8):
        try:
            member = family.at(*(low + (high - low) * Fraction(k, 7 + j) for j, (low, high) in enumerate(ranges, 1)))
            break
        except InputError as error:
            last = error
    else:
        assert last is not None
        raise last
    return exactly(member, _PURPOSE, _WAY_OUT)


def _extended(system: PolynomialSystem, context: flint.fmpq_mpoly_ctx) -> list[Polynomial]:
    zeros = (0,) * (context.nvars() - 2)
    listed = [*(factor.polynomial for factor in system.factors), system.slow_field]
    found = [context.from_dict({(*powers, *zeros): v for powers, v in p.to_dict().items()}) for p in listed]
    return [*found, context.constant(rational(system.slow_rate))]


def _interpolated(
    rows: Callable[[Fraction], list[Polynomial]],
    variable: Polynomial,
    between: tuple[Fraction, Fraction],
    name: str,
) -> list[Polynomial]:
    """Return polynomials in one more variable by Newton's divided differences, until more values change nothing."""
    low, high = between
    product = variable**0
    result: list[Polynomial] = []
    unchanged = invalid = 0
    pieces = 2 * (_MOST_DEGREE + _CHECKS) + 1
    for k in sorted(range(1, pieces), key=lambda k: (7 * k) % pieces):  # spread over the interval
        node = low + (high - low) * Fraction(k, pieces)
        try:
            here = rows(node)
        except InputError:
            invalid += 1
            if invalid > _MOST_DEGREE:
                raise
            continue
        result = result or [0 * variable] * len(here)
        if len(here) != len(result):
            raise InputError(name, f"{low}:{high}", "changes the number of factors of f", "Give f as one product")
        at_node = {str(variable): rational(node)}
        missing = [new - old.subs(at_node) for new, old in zip(here, result, strict=True)]
        unchanged = 0 if any(missing) else unchanged + 1
        if product.total_degree() > _MOST_DEGREE and not unchanged:
            break
        if unchanged == _CHECKS:
            return result
        weight = 1 / product.subs(at_node).leading_coefficient()
        result = [old + rest * weight * product for old, rest in zip(result, missing, strict=True)]
        product *= variable - rational(node)
    raise InputError(
        name,
        f"{low}:{high}",
        f"does not enter the equations as a polynomial of degree up to {_MOST_DEGREE}",
        "Multiply the equations by a common denominator, or vary another parameter",
    )
