"""What is studied: a fast-slow system, its equations written once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.chart import Chart, ChartKind, chart_between, without_lines
from fastslow.systems.exact import Real, exact, plain
from fastslow.systems.formulas import parse_polynomial
from fastslow.systems.polynomials import (
    Polynomial,
    by_slow_power,
    dense,
    formatted,
    fraction,
    packed,
    rational,
    vertical_line,
)

RESERVED_NAMES = frozenset(
    (
        *("arc", "arcs", "at", "branch", "final", "flow", "from", "id", "kind", "loss", "node", "note", "proof"),
        *("model", "radius", "rtol", "schema", "segments", "sentence", "solver", "start", "status", "steps"),
        *("switch_error", "switch_time", "tau", "to"),
    )
)
"""Words that name other things beside the variables in records."""
_LARGEST_DEGREE = 256
_LARGEST_START = 1e30
_LARGEST_COEFFICIENT = 1e280
"""Coefficients beyond this leave no room for products and derivatives in doubles."""


@dataclass(frozen=True)
class Factor:
    """A factor of f and the name of the curve on which it vanishes."""

    polynomial: Polynomial
    equation: str = ""


@dataclass(frozen=True)
class Start:
    """An initial condition, exact."""

    fast: Fraction
    slow: Fraction


class FastSlowSystem:
    """The planar fast-slow system x' = f(x, y), y' = slow_rate g(x, y) with polynomial f and g.

    Time is the fast time. The critical manifold is f = 0; it is kept as a union of
    the zero sets of the factors of f.

    Parameters
    ----------
    factors : Polynomial, text, or a sequence of Polynomial, Factor or text
        f or its factors, as polynomials of ``fastslow.variables`` or as text such as ``"y + x - x**3/3"``.
    slow_field : Polynomial or text
        The slow right-hand side g, without the slow rate.
    fast, slow : tuple of str
        Names of the fast and slow variables. Analysis needs one of each; the type is open to more.
    slow_rate : number, optional
        The factor of g, positive; the singular limit is slow_rate -> 0.
    window : pair of numbers, optional
        Bounds of the fast variable; every finite value of the slow variable is covered.
    start_fast : number, optional
        Fast coordinate of starts for which only the slow coordinate is given.
    parameters : mapping, optional
        What the system was made from, for records and for the reader.
    name, title : str, optional
        Short name for records and a line for the reader.
    kind : str, optional
        What a model file calls the constructor and its parameters; "polynomial" writes the equations out.
    source : mapping, optional
        Entries of the model file that `table` repeats as they were: formulas in parameters, and these.

    Raises
    ------
    InputError
        If a value cannot be used; the message names it.

    Notes
    -----
    To add a model, build the polynomials and call this constructor (see ``classics.py``);
    a model with more to tell sets ``energy_polynomial`` and overrides ``fate`` and ``theorem`` (see ``two_layer.py``).
    """

    def __init__(
        self,
        factors: Polynomial | str | Sequence[Polynomial | Factor | str],
        slow_field: Polynomial | str,
        *,
        fast: tuple[str, ...] = ("x",),
        slow: tuple[str, ...] = ("y",),
        slow_rate: Real = 1,
        window: tuple[Real, Real] = (-3, 3),
        start_fast: Real = 0,
        parameters: Mapping[str, Any] | None = None,
        name: str = "system",
        title: str = "",
        kind: str = "polynomial",
        source: Mapping[str, Any] | None = None,
    ) -> None:
        if len(fast) != 1 or len(slow) != 1:
            raise InputError("fast, slow", (fast, slow), "must be one name each in a planar system", "Give one of each")
        for label, word in (("fast", fast[0]), ("slow", slow[0])):
            if not word.isidentifier() or not word.isascii() or word in RESERVED_NAMES:
                rule = f"must be an ASCII name, and none of {', '.join(sorted(RESERVED_NAMES))}"
                raise InputError(label, word, rule, "Rename the variable")
        if fast[0] == slow[0]:
            raise InputError("slow", slow[0], "must differ from the name of the fast variable", "Rename one of them")
        self.fast, self.slow = fast, slow
        self.name, self.title, self.kind = name, title, kind
        self.parameters: Mapping[str, Any] = dict(parameters or {})
        self._source = dict(source or {})
        self.slow_rate = exact(slow_rate, "slow_rate")
        if self.slow_rate <= 0:
            raise InputError("slow_rate", slow_rate, "must be positive", "The singular limit is slow_rate -> 0")
        self.lower, self.upper = exact(window[0], "window[0]"), exact(window[1], "window[1]")
        if self.lower >= self.upper:
            raise InputError("window", tuple(window), "must have its lower end below its upper end", "Swap the ends")
        self.start_fast = exact(start_fast, "start_fast")
        if not self.lower <= self.start_fast <= self.upper:
            raise InputError("start_fast", start_fast, "must lie inside the window", "Widen the window")
        listed = [factors] if isinstance(factors, str) or not isinstance(factors, Sequence) else factors
        self.factors = tuple(self._as_factor(entry, i) for i, entry in enumerate(listed))
        if not self.factors:
            raise InputError("factors", factors, "is empty", "Give at least one factor of f")
        self.slow_field = self._as_polynomial(slow_field, "slow_field")
        if self.slow_field.is_zero():
            raise InputError("slow_field", "0", "must not vanish identically", "Without slow flow nothing moves")
        self._check_range()

    def _as_factor(self, entry: Polynomial | Factor | str, index: int) -> Factor:
        if isinstance(entry, Factor):
            return entry
        p = self._as_polynomial(entry, f"factors[{index}]")
        if p.is_zero():
            raise InputError(f"factors[{index}]", "0", "must not vanish identically", "Then every point is at rest")
        return Factor(p)

    def _as_polynomial(self, entry: Polynomial | str, field_name: str) -> Polynomial:
        names = (self.fast[0], self.slow[0])
        if isinstance(entry, str):
            return parse_polynomial(entry, names, field_name)
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

    def table(self) -> dict[str, Any]:
        """Return what a model file says to build this system again, exactly."""
        if self.kind != "polynomial":
            return {"model": self.kind, **self.parameters}
        return {
            "model": "polynomial",
            "name": self.name,
            "title": self.title,
            "fast": self.fast[0],
            "slow": self.slow[0],
            "f": [formatted(factor.polynomial) for factor in self.factors],
            "g": formatted(self.slow_field),
            "window": [plain(self.lower), plain(self.upper)],
            "slow_rate": plain(self.slow_rate),
            "start_fast": plain(self.start_fast),
            **self._source,
        }

    def written_out(self) -> dict[str, Any]:
        """Return the table with every parameter that can be varied in it; the same as `table` for most models."""
        return self.table()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(f'{k}={v}' for k, v in self.parameters.items())}>"

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

    @property
    def invariant_window(self) -> bool:
        """Whether both edges of the window are invariant lines, so that no solution leaves it."""
        return self.lower in self.invariant_lines and self.upper in self.invariant_lines

    def chart_of(self, x: Fraction) -> Chart | None:
        """Return the chart of the region of x between invariant lines; None on such a line."""
        if x in self.invariant_lines:
            return None
        below = max((line for line in self.invariant_lines if line < x), default=None)
        above = min((line for line in self.invariant_lines if line > x), default=None)
        chart = chart_between(below, above)
        has_pole = chart.kind is not ChartKind.BESIDE and any(
            _has_pole(part, chart.origin) for part, _ in self._irreducible[1]
        )
        return replace(chart, scaled=has_pole)

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
        table = _table(left, self.slow_field)
        if table is not None:
            return np.concatenate([head, [0.0, len(table)], table.ravel()])
        return np.concatenate([head, [len(left)], *(packed(p) for p in [*left, self.slow_field])])

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
        """Return the partial derivative of "f" or "g" (without the slow rate), exact but for the last rounding.

        Parameters
        ----------
        of : {"f", "g"}
            The right-hand side.
        fast, slow : int
            Orders of the derivative in x and in y.
        x, y : array_like
            Points.
        """
        p = {"f": self.fast_field, "g": self.slow_field}[of]
        for variable, order in enumerate((fast, slow)):
            for _ in range(order):
                p = p.derivative(variable)
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return np.asarray(_evaluate(dense(p), x, y))

    def jacobian(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the Jacobian of (f, slow_rate g) at points, shape (2, 2, ...)."""
        rows = [[self.partial(of, 1 - k, k, x, y) for k in (0, 1)] for of in ("f", "g")]
        matrix = np.array(rows)
        matrix[1] *= float(self.slow_rate)
        return matrix

    @cached_property
    def fast_field(self) -> Polynomial:
        """The product f of the factors, exact; its derivatives are ``fast_field.derivative(k)``."""
        return math.prod((factor.polynomial for factor in self.factors[1:]), start=self.factors[0].polynomial)

    # What a model may add -------------------------------------------------------------------------------

    energy_polynomial: Polynomial | None = None
    """A Lyapunov function: it falls along every solution that is not at rest. None where the model has none."""
    energy_name = "energy"

    def energy(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64] | None:
        """Return the Lyapunov function of the system at points, or None where the model has none."""
        if self.energy_polynomial is None:
            return None
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return np.asarray(_evaluate(dense(self.energy_polynomial), x, y))

    def energy_at_infinity(self, x: float, sign: int) -> float | None:
        """Return the limit of the energy as y -> sign * infinity on the branch with its pole at x."""
        return None

    def fate(self, x: float, y: float) -> str | None:
        """Return the name of the fate that ends at (x, y), y possibly infinite; None for the generic wording."""
        return None

    def theorem(self, start: Start) -> tuple[str, tuple[str, ...]]:
        """Return what theorems say of a start, and the reasons."""
        return "not covered", ("no theorem is known for this model",)

    def check_start(self, start: Start) -> None:
        """Raise InputError where a start cannot be used."""
        if not self.lower <= start.fast <= self.upper:
            raise InputError(
                f"start {self.fast[0]}",
                float(start.fast),
                f"must lie in the window [{float(self.lower):g}, {float(self.upper):g}]",
                "Move the start" if self.invariant_window else "Widen the window or move the start",
            )
        if abs(start.slow) > _LARGEST_START:
            rule = f"must be at most {_LARGEST_START:g} in size"
            raise InputError(f"start {self.slow[0]}", float(start.slow), rule, "Rescale the slow variable")

    notes: tuple[str, ...] = ()
    """Remarks on the input that the reader should see."""


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
