"""Formulas as quotients of polynomials in the variables and in the function values that occur, and their factors.

x*(1 - x) - x*y/(1 + x) is x (1 - x^2 - y) / (1 + x), and x*exp(-x) - x*y is x (exp(-x) - y): a factor of f is a curve
of its own, which crosses the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import flint

from fastslow.systems.divided_differences import divided_difference
from fastslow.systems.expression_facts import LARGEST_DEGREE, as_polynomial, is_constant, nodes, substituted
from fastslow.systems.expressions import (
    ONE,
    BeyondDoubles,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    add,
    hermite_order,
    hermite_rows,
    multiply,
    power,
)
from fastslow.systems.polynomials import Polynomial, fraction, rational

_MOST_GENERATORS = 12
_MOST_TERMS = 1500


class TooLong(ArithmeticError):
    """A quotient with more terms than are worth multiplying out."""


@dataclass(frozen=True, eq=False)
class Factored:
    """A formula as a product: unit * parts[0] ** multiplicities[0] * ...

    Attributes
    ----------
    parts : tuple of Expression
        Distinct, irreducible as polynomials in the variables and in the function values.
    multiplicities : tuple of int
        How often each occurs.
    unit : Expression
        The denominators and the constant: it has no zero where the formula is finite.
    undivided : tuple of Fraction
        The c for which a part vanishes on x = c identically, x the first name, and is not divided by x - c.
    """

    parts: tuple[Expression, ...]
    multiplicities: tuple[int, ...]
    unit: Expression
    undivided: tuple[Fraction, ...]


def factored(entries: Sequence[Expression], names: Sequence[str], lines: Sequence[Fraction] = ()) -> Factored:
    """Return a product of formulas as a product of distinct factors that cannot be taken apart further.

    A formula that has no factors is kept as it is written, so that it keeps its digits; one that is too long to be
    multiplied out counts as one that has none. One that vanishes on a line x = c or y = c without a factor that shows
    it, as x + exp(x) - 1 does, is divided by x - c; `lines` are values of c of the first variable that are tried beside
    others.
    """
    undivided: set[Fraction] = set()
    found: dict[str, tuple[Expression, int]] = {}
    units: list[Expression] = []
    stack = [(entry, 1) for entry in reversed(entries)]
    while stack:
        e, times = stack.pop()
        match e:
            case Product(factors):
                stack += [(factor, times) for factor in reversed(factors)]
            case Power(base, exponent) if exponent > 0:
                stack.append((base, times * exponent))
            case Power() | Number():
                units.append(power(e, times))
            case _:
                parts, unit = _split(e, names)
                units += [power(unit, times)] if unit != ONE else []
                for part, multiplicity in parts:
                    hidden = _without_line(part, names, lines)
                    if hidden and hidden.factors:
                        stack += [(factor, times * multiplicity) for factor in hidden.factors]
                        continue
                    undivided |= {hidden.at} if hidden and hidden.name == names[0] else set()
                    text = str(part)
                    before = found.get(text, (part, 0))[1]
                    found[text] = (part, before + times * multiplicity)
    return Factored(
        tuple(part for part, _ in found.values()),
        tuple(count for _, count in found.values()),
        multiply(*units),
        tuple(sorted(undivided)),
    )


@dataclass(frozen=True)
class _Line:
    """A line on which a formula vanishes, and what the formula is divided into; nothing where it is not divided."""

    name: str
    at: Fraction
    factors: tuple[Expression, ...]


def _without_line(e: Expression, names: Sequence[str], lines: Sequence[Fraction]) -> _Line | None:
    for k, name in enumerate(names):
        c = _line_in(e, [name, *names[:k], *names[k + 1 :]], lines if k == 0 else ())
        if c is not None:
            quotient = divided_difference(e, name, c)
            line = add(Variable(name), Number(-c))
            return _Line(name, c, () if quotient is None else (quotient, line))
    return None


def _line_in(e: Expression, names: Sequence[str], lines: Sequence[Fraction]) -> Fraction | None:
    """Return the c for which a formula that is no polynomial vanishes on x = c identically; None where none is found.

    Candidates are given lines, 0 and the rational zeros of the arguments of functions, since exp(0) = 1 and the like.
    That it vanishes is proved by multiplying out.
    """
    if all(isinstance(node, Variable | Sum | Product) or _is_power(node) or is_constant(node) for node in nodes(e)):
        return None
    for line in sorted(_candidates(e, names).union(lines), key=lambda c: (abs(c), c)):
        try:
            there = substituted(e, {names[0]: line})
        except (BeyondDoubles, ZeroDivisionError):
            continue
        if vanishes(there, names):
            return line
    return None


def vanishes(e: Expression, names: Sequence[str]) -> bool:
    """Whether a formula is 0 identically, as far as multiplying out tells."""
    try:
        return bool(Quotients(names).of(e)[0] == 0)
    except (TooLong, BeyondDoubles, ZeroDivisionError):
        return False


def _is_power(e: Expression) -> bool:
    return isinstance(e, Power) and e.exponent > 0


def _candidates(e: Expression, names: Sequence[str]) -> set[Fraction]:
    found = {Fraction(0)}
    for node in nodes(e):
        if isinstance(node, Call) and not is_constant(node):
            quotient = Quotients(names)
            try:
                above, _ = quotient.of(node.argument)
            except (TooLong, BeyondDoubles, ZeroDivisionError):
                continue
            for part, _ in above.factor()[1]:
                terms = {powers: fraction(value) for powers, value in part.to_dict().items()}
                first = tuple(int(i == 0) for i in range(len(above.context().gens())))
                if first in terms and all(powers == first or not any(powers) for powers in terms):
                    found.add(-terms.get((0,) * len(first), Fraction(0)) / terms[first])
    return found


def _split(e: Expression, names: Sequence[str]) -> tuple[list[tuple[Expression, int]], Expression]:
    """Return the factors of a sum or of a function with their multiplicities, and what is left: denominators."""
    if not isinstance(e, Sum):
        return [(e, 1)], ONE
    try:
        quotient = Quotients(names)
        above, below = quotient.of(e)
    except (TooLong, BeyondDoubles, ZeroDivisionError):
        return [(e, 1)], ONE
    constant, parts = above.factor()
    if len(parts) == 1 and parts[0][1] == 1 and _names_in(e) <= _names_in(quotient.written(parts[0][0])):
        return [(e, 1)], ONE
    unit = multiply(Number(fraction(constant)), power(quotient.written(below), -1))
    return [(quotient.written(part), int(multiplicity)) for part, multiplicity in parts], unit


def _names_in(e: Expression) -> set[str]:
    return {node.name for node in nodes(e) if isinstance(node, Variable)}


class Quotients:
    """Formulas as pairs (numerator, denominator) of polynomials without a common factor."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.calls: list[Call] = []
        generators = (*self.names, *(f"u{i}_" for i in range(_MOST_GENERATORS)))
        self.context = flint.fmpq_mpoly_ctx.get(generators, flint.Ordering.lex)
        self.symbols = self.context.gens()
        self.one = self.symbols[0] * 0 + 1
        self.known: dict[int, tuple[Polynomial, Polynomial]] = {}

    def of(self, e: Expression) -> tuple[Polynomial, Polynomial]:
        if id(e) not in self.known:
            self.known[id(e)] = self.find(e)
        return self.known[id(e)]

    def find(self, e: Expression) -> tuple[Polynomial, Polynomial]:
        match e:
            case Number(value):
                return self.one * rational(value), self.one
            case Variable(name):
                return self.symbols[self.names.index(name)], self.one
            case Sum(terms):
                above, below = self.of(terms[0])
                for term in terms[1:]:
                    more, under = self.of(term)
                    above, below = self.reduced(above * under + more * below, below * under)
                return above, below
            case Product(factors):
                above, below = self.one, self.one
                for factor in factors:
                    more, under = self.of(factor)
                    above, below = self.reduced(above * more, below * under)
                return above, below
            case Power(base, exponent):
                above, below = self.of(base)
                if exponent < 0 and above == 0:
                    raise ZeroDivisionError
                above, below = (self.powered(p, abs(exponent)) for p in (above, below))
                return (above, below) if exponent > 0 else (below, above)
            case Call(function, argument):
                if (order := hermite_order(function)) is not None:
                    above, below = self.of(argument)
                    if below.is_constant():
                        *_, last = hermite_rows(above * (1 / below.to_dict()[(0,) * len(self.symbols)]), order)
                        return last, self.one
                return self.generator(e), self.one
        raise TypeError(f"{e!r} is no expression")

    def powered(self, p: Polynomial, exponent: int) -> Polynomial:
        total = self.one
        for _ in range(exponent):
            total = self.checked(total * p)
        return total

    def generator(self, e: Call) -> Polynomial:
        if e not in self.calls:
            if len(self.calls) == _MOST_GENERATORS:
                raise TooLong
            self.calls.append(e)
        return self.symbols[len(self.names) + self.calls.index(e)]

    def reduced(self, above: Polynomial, below: Polynomial) -> tuple[Polynomial, Polynomial]:
        if not below.is_constant():
            common = above.gcd(below)
            above, below = divmod(above, common)[0], divmod(below, common)[0]
        return self.checked(above), self.checked(below)

    @staticmethod
    def checked(p: Polynomial) -> Polynomial:
        if len(p) > _MOST_TERMS or p.total_degree() > LARGEST_DEGREE:
            raise TooLong
        return p

    def written(self, p: Polynomial) -> Expression:
        """Return a polynomial as a formula in the variables and calls."""
        atoms = [*(Variable(name) for name in self.names), *self.calls]
        return written(p, atoms)


def written(p: Polynomial, atoms: Sequence[Expression]) -> Expression:
    """Return a polynomial as a formula in given atoms."""
    terms = []
    for powers, value in p.to_dict().items():
        factors = [power(atom, int(n)) for atom, n in zip(atoms, powers, strict=False) if n]
        terms.append(multiply(Number(fraction(value)), *factors))
    return add(*terms)


def nested(p: Polynomial, atoms: Sequence[Expression]) -> Expression:
    """Return a polynomial as Horner's rule has it in given atoms, which takes the fewest operations."""

    def rule(terms: dict[tuple[int, ...], Fraction], atoms: Sequence[Expression]) -> Expression:
        if not atoms:
            return Number(sum(terms.values(), Fraction(0)))
        total, above = add(), 0
        for k in sorted({powers[0] for powers in terms}, reverse=True):
            inner = rule({powers[1:]: value for powers, value in terms.items() if powers[0] == k}, atoms[1:])
            total, above = add(multiply(total, power(atoms[0], above - k)) if above else total, inner), k
        return multiply(total, power(atoms[0], above)) if above else total

    return rule({tuple(map(int, powers)): fraction(value) for powers, value in p.to_dict().items()}, atoms)


def polynomial_of(e: Expression, names: tuple[str, str]) -> Polynomial | None:
    """Return the polynomial in two variables that a formula is, also where denominators cancel; None for others."""
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.lex)
    x, y = context.gens()
    found = as_polynomial(e, dict(zip(names, (x, y), strict=True)))
    if found is not None:
        return found
    quotient = Quotients(names)
    try:
        above, below = quotient.of(e)
    except (TooLong, BeyondDoubles, ZeroDivisionError):
        return None
    if not below.is_constant() or any(degree > 0 for degree in above.degrees()[2:]):
        return None
    scale = 1 / below.to_dict()[(0,) * len(below.degrees())]
    return context.from_dict({powers[:2]: value * scale for powers, value in above.to_dict().items()})
