"""Fast-slow systems with polynomial f and g: exact polynomials stand behind every answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, reduce
from typing import Any

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.algebraic import Ball, Number
from fastslow.systems.chart import Chart, ChartKind, chart_at, with_slow, without_lines
from fastslow.systems.expression_factors import nested, polynomial_of, written
from fastslow.systems.expressions import Expression, Variable, multiply
from fastslow.systems.formulas import parse_polynomial
from fastslow.systems.polynomials import (
    Polynomial,
    by_fast_power,
    by_slow_power,
    dense,
    enclose,
    exact_sign,
    formatted,
    fraction,
    packed,
    rational,
    vertical_line,
)
from fastslow.systems.slow_lines import SlowFactors, charted, packed_in, slow_factors
from fastslow.systems.system import FastSlowSystem, numbers_of
from fastslow.systems.tapes import tape

_LARGEST_DEGREE = 256
_LARGEST_COEFFICIENT = 1e280
"""Coefficients beyond this leave no room for products and derivatives in doubles."""


@dataclass(frozen=True)
class Factor:
    """A factor of f and the name of the curve on which it vanishes."""

    polynomial: Polynomial
    equation: str = ""


class PolynomialSystem(FastSlowSystem):
    """A fast-slow system with polynomial f and g; every finite value of the slow variable is covered.

    Parameters
    ----------
    factors : Polynomial, text, or a sequence of Polynomial, Factor or text
        f or its factors.
    slow_field : Polynomial or text
        The slow right-hand side g, without the slow rate.
    **options
        As for ``FastSlowSystem``.

    Raises
    ------
    InputError
        If a value cannot be used, or f or g is no polynomial.
    """

    def __init__(
        self,
        factors: Polynomial | str | Sequence[Polynomial | Factor | str],
        slow_field: Polynomial | str,
        **options: Any,
    ) -> None:
        super().__init__(factors, slow_field, **{"kind": "polynomial", **options})
        listed = [factors] if isinstance(factors, str) or not isinstance(factors, Sequence) else factors
        self.factors = tuple(self._as_factor(entry, i) for i, entry in enumerate(listed))
        if not self.factors:
            raise InputError("factors", factors, "is empty", "Give at least one factor of f")
        self.slow_field = self._as_polynomial(slow_field, "slow_field")
        if self.slow_field.is_zero():
            raise InputError("slow_field", "0", "must not vanish identically", "Without slow flow nothing moves")
        self._check_range()
        self.notes = self._start_notes()

    def _as_factor(self, entry: Polynomial | Factor | str, index: int) -> Factor:
        if isinstance(entry, Factor):
            return entry
        p = self._as_polynomial(entry, f"factors[{index}]")
        if p.is_zero():
            raise InputError(f"factors[{index}]", "0", "must not vanish identically", "Then every point is at rest")
        return Factor(p)

    def _as_polynomial(self, entry: Polynomial | str, field_name: str) -> Polynomial:
        names = (self.fast[0], self.slow[0])
        if isinstance(entry, Expression):
            if (p := polynomial_of(entry, names)) is None:
                raise InputError(field_name, str(entry), "is no polynomial", "Build a FormulaSystem")
            return p
        if isinstance(entry, str):
            return parse_polynomial(entry, names, field_name, numbers_of(self.parameters))
        context = getattr(entry, "context", None)
        if context is None or tuple(context().names()) != names:
            raise InputError(
                field_name,
                entry,
                f"must be a polynomial in {names[0]} and {names[1]}",
                "Build it from fastslow.variables or give it as text",
            )
        return entry

    def _check_range(self) -> None:
        for p, label in [(factor.polynomial, "factors") for factor in self.factors] + [(self.slow_field, "slow_field")]:
            if p.total_degree() > _LARGEST_DEGREE or len(p.to_dict()) > 4000:
                raise InputError(label, formatted(p), f"is of a degree beyond {_LARGEST_DEGREE}", "Lower the degree")
            try:
                array = packed(p)
            except OverflowError:
                array = np.array([math.inf])
            if not np.all(np.abs(array) < _LARGEST_COEFFICIENT):
                raise InputError(
                    label,
                    formatted(p),
                    f"has coefficients beyond {_LARGEST_COEFFICIENT:g}, which doubles cannot hold",
                    "Rescale the variables",
                )

    # Text -----------------------------------------------------------------------------------------

    def formula(self) -> tuple[str, str]:
        """Return f and g as text."""
        f = " * ".join(f"({formatted(factor.polynomial)})" for factor in self.factors)
        return f, formatted(self.slow_field)

    def _formulas(self) -> dict[str, Any]:
        return {"f": [formatted(factor.polynomial) for factor in self.factors], "g": formatted(self.slow_field)}

    # Arrays for the kernels -----------------------------------------------------------------------

    @cached_property
    def _irreducible(self) -> tuple[Fraction, list[tuple[Polynomial, int]]]:
        """The constant and the irreducible factors of f, with multiplicities."""
        constant, parts = self.fast_field.factor()
        return fraction(constant), list(parts)

    @cached_property
    def invariant_lines(self) -> tuple[Fraction, ...]:
        """The rational x for which x = const is a simple factor of f: solutions never meet or leave these lines."""
        found = (vertical_line(part) for part, multiplicity in self._irreducible[1] if multiplicity == 1)
        return tuple(sorted(line[0] for line in found if line is not None))

    @cached_property
    def slow_factors(self) -> SlowFactors:
        """The slow field without the lines y = const on which it vanishes."""
        names = (self.fast[0], self.slow[0])
        g = written(self.slow_field, [Variable(name) for name in names])
        # A line y = c is a common root of the coefficients of all powers of x.
        common = reduce(lambda a, b: a.gcd(b), by_fast_power(self.slow_field))
        return slow_factors(g, names, None) if common.degree() > 0 else SlowFactors((), g)

    def chart_of(self, x: Fraction, y: Fraction | None = None) -> Chart | None:
        """Return the chart of the region between invariant lines that holds a point."""
        chart = chart_at(x, self.invariant_lines)
        if chart is None:
            return None
        has_pole = chart.kind is not ChartKind.BESIDE and any(
            _has_pole(part, chart.origin) for part, _ in self._irreducible[1]
        )
        return with_slow(replace(chart, scaled=has_pole), y, self.slow_lines, bounded=False)

    def factors_in(self, chart: Chart) -> list[Polynomial]:
        """Return the factors of f without the invariant lines of a chart, which its coordinate takes care of."""
        constant, left = without_lines(*self._irreducible, chart)
        left = left or [self.fast_field * 0 + 1]
        left[0] = left[0] * rational(constant)
        return left

    def field_parameters(self, chart: Chart, direction: float = 1.0) -> NDArray[np.float64]:
        """Return the parameter array of ``core.polynomial.polynomial_field`` in a chart, 1 forward or -1 backward."""
        left = self.factors_in(chart)
        head = np.array(
            [direction, self.slow_rate, chart.kind, chart.origin, chart.size, chart.scaled], dtype=np.float64
        )
        if chart.slow is not None:
            names = (self.fast[0], self.slow[0])
            f = multiply(*(written(p, [Variable(name) for name in names]) for p in left))
            return np.concatenate((head, [-1.0], charted([f, self.slow_factors.without(chart.slow)], names, chart)))
        table = _table(left, self.slow_field)
        if table is not None:
            return np.concatenate([head, [0.0, len(table)], table.ravel()])
        variables = [Variable(self.fast[0]), Variable(self.slow[0])]
        f = multiply(*(nested(p, variables) for p in left))
        steps = tape([f, nested(self.slow_field, variables)], (self.fast[0], self.slow[0]))
        return np.concatenate([head, [-1.0], steps])

    # Values and derivatives, exact polynomials behind them ---------------------------------------------

    def f(self, x: float, y: float) -> float:
        """Return the fast right-hand side f(x, y)."""
        return float(math.prod(_evaluate(coefficients, x, y) for coefficients in self._dense_factors))

    def g(self, x: float, y: float) -> float:
        """Return the slow right-hand side g(x, y), without the slow rate."""
        return float(_evaluate(self._dense_g, x, y))

    @cached_property
    def _dense_factors(self) -> list[NDArray[np.float64]]:
        return [dense(factor.polynomial) for factor in self.factors]

    @cached_property
    def _dense_g(self) -> NDArray[np.float64]:
        return dense(self.slow_field)

    def partial(self, of: str, fast: int, slow: int, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the partial derivative of "f" or "g" (without the slow rate), exact but for the last rounding."""
        p = self.derivative(of, fast, slow)
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return np.asarray(_evaluate(dense(p), x, y))

    def time_reversed(self) -> PolynomialSystem:
        """Return the system x' = -f, y' = -slow_rate g."""
        first, *rest = self.factors
        backward = PolynomialSystem(
            [Factor(-first.polynomial, first.equation), *rest], -self.slow_field, **self._options_backward()
        )
        if self.energy_polynomial is not None:
            backward.energy_polynomial = -self.energy_polynomial
        return backward

    def packed(self, of: str, chart: Chart | None = None) -> NDArray[np.float64]:
        """Return "f" or "g" as ``core.polynomial_events`` reads it, g in a chart of y up to a positive factor."""
        names = (self.fast[0], self.slow[0])
        if chart is None or chart.slow is None or of == "f":
            return packed_in(self.derivative(of, 0, 0), names, chart or Chart())
        return np.concatenate(([-1.0], charted([self.slow_factors.rising(chart.slow)], names, chart)))

    def derivative(self, of: str, fast: int, slow: int) -> Polynomial:
        """Return a partial derivative of "f" or "g", exact."""
        p = {"f": self.fast_field, "g": self.slow_field}[of]
        for variable, order in enumerate((fast, slow)):
            for _ in range(order):
                p = p.derivative(variable)
        return p

    def enclose(self, of: str, fast: int, slow: int, x: Ball, y: Ball) -> Ball:
        """Return an enclosure of a partial derivative on flint's balls."""
        return enclose(self.derivative(of, fast, slow), x, y)

    def sign(self, of: str, x: Number, y: Number) -> int:
        """Return the sign of "f" or "g" at a point, exact where its coordinates are."""
        return sign_at(self.derivative(of, 0, 0), x, y)

    @cached_property
    def fast_field(self) -> Polynomial:
        """The product f of the factors, exact; its derivatives are ``fast_field.derivative(k)``."""
        return math.prod((factor.polynomial for factor in self.factors[1:]), start=self.factors[0].polynomial)

    def energy(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64] | None:
        """Return the Lyapunov function of the system at points, or None where the model has none."""
        if self.energy_polynomial is None:
            return None
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return np.asarray(_evaluate(dense(self.energy_polynomial), x, y))


_SIGN_BITS = 1024


def exactly(system: FastSlowSystem, purpose: str, way_out: str = "Use method ode") -> PolynomialSystem:
    """Return a polynomial system as what it is, and refuse any other.

    Raises
    ------
    InputError
        If f or g is no polynomial; `purpose` says what needs them to be, `way_out` what does not.
    """
    if not isinstance(system, PolynomialSystem):
        f, g = system.formula()
        raise InputError("f, g", f"{f}; {g}", f"are no polynomials, which {purpose} needs", way_out)
    return system


def sign_at(p: Polynomial, x: Number, y: Number) -> int:
    """Return the sign of p at a point: exact where the coordinates are rational, else by enclosures of 1024 bits."""
    at_x, at_y = (getattr(v, "exact", None) for v in (x, y))
    if at_x is not None and at_y is not None:
        return exact_sign(p, at_x, at_y)
    with flint.ctx.workprec(_SIGN_BITS):
        total = enclose(p, x.ball(_SIGN_BITS), y.ball(_SIGN_BITS))
        return int(total > 0) - int(total < 0)


def _evaluate(coefficients: NDArray[np.float64], x: Any, y: Any) -> Any:
    """Return sum_ij C[i, j] x^i y^j for numbers or arrays, by Horner's rule."""
    total = 0.0 * x
    for row in coefficients[::-1]:
        inner = 0.0 * y
        for value in row[::-1]:
            inner = inner * y + value
        total = total * x + inner
    return total


def _has_pole(p: Polynomial, x: Fraction) -> bool:
    """Whether the graph p_0(x) + p_1(x) y = 0 leaves to infinity at x, to first order."""
    parts = by_slow_power(p)
    if len(parts) != 2:
        return False
    constant, slope, turn = (q(rational(x)) for q in (*parts, parts[1].derivative()))
    return bool(slope == 0 and constant != 0 and turn != 0)


def _table(factors: list[Polynomial], g: Polynomial) -> NDArray[np.float64] | None:
    """Return the table of ``core.polynomial.polynomial_field``, None where it is not the better form.

    Factors are multiplied out only where that loses no digits near f = 0: all but one of one term.
    """
    f: Polynomial = math.prod(factors[1:], start=factors[0])
    if sum(len(factor) > 1 for factor in factors) > 1 or max(f.degrees()[1], g.degrees()[1]) > 2:
        return None
    dense_f, dense_g = dense(f), dense(g)
    table = np.zeros((max(len(dense_f), len(dense_g)), 6))
    for first, block in ((0, dense_f), (3, dense_g)):
        table[: block.shape[0], first : first + block.shape[1]] = block
    return table[::-1]
