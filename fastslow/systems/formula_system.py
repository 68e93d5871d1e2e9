"""Fast-slow systems whose f and g are formulas that are no polynomials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import MISSING, InputError
from fastslow.systems.algebraic import Ball, Number
from fastslow.systems.balls import enclosed
from fastslow.systems.chart import Chart, chart_at, line_constant, with_slow
from fastslow.systems.expression_factors import Factored, factored, polynomial_of, vanishes, written
from fastslow.systems.expression_facts import nodes
from fastslow.systems.expressions import (
    Call,
    Expression,
    Variable,
    children,
    derivative,
    evaluate,
    multiply,
    negative,
    power,
)
from fastslow.systems.expressions import Number as Exact
from fastslow.systems.formulas import parse_formula
from fastslow.systems.polynomial_system import Factor, PolynomialSystem
from fastslow.systems.polynomials import rational, vertical_line
from fastslow.systems.slow_lines import SlowFactors, charted, slow_factors
from fastslow.systems.system import FastSlowSystem, numbers_of

_CHECK_BITS = 64
_MOST_BOXES = 400
"""Into which the window is cut to prove that f and g are finite in it."""
_LARGEST = 1e300
"""Beyond this a product of two values is no double."""
_SIGN_BITS = (128, 512, 1024)
_SAMPLED = 9
"""Values of each variable at which the signs of a factor are looked at."""
_KINKED = ("abs", "relu", "leaky_relu")


class FormulaSystem(FastSlowSystem):
    """A fast-slow system whose f and g are any formulas, on a window of both variables.

    Solutions that leave the window in either variable have left what is known of the system.

    Parameters
    ----------
    factors : text, Expression or Polynomial, or a sequence of these
        f or its factors.
    slow_field : text, Expression or Polynomial
        The slow right-hand side g, without the slow rate.
    **options
        As for ``FastSlowSystem``; `window` is a pair of pairs.

    Attributes
    ----------
    fast_expressions : tuple of Expression
        The distinct factors of f that may vanish in the window.
    multiplicities : tuple of int
        How often each of them occurs in f.
    unit : Expression
        What is left of f, proved to have no zero in the window.
    slow_expression : Expression
        g.
    undivided_lines : tuple of Fraction
        The c for which f vanishes on x = c without a factor x - c that could be divided out.

    Raises
    ------
    InputError
        If a value cannot be used, or f or g is not proved to be finite in the window.
    """

    def __init__(
        self,
        factors: str | Expression | Sequence[str | Expression],
        slow_field: str | Expression,
        **options: Any,
    ) -> None:
        super().__init__(factors, slow_field, **{"kind": "formula", **options})
        if self.slow_lower is None or self.slow_upper is None:
            rule = "must bound both variables of formulas that are no polynomials"
            raise InputError("window", options.get("window", MISSING), rule, "Write window = [[-3, 3], [-1, 1]]")
        constants = numbers_of(self.parameters)
        listed = [factors] if isinstance(factors, str | Expression) else list(factors)
        if not listed:
            raise InputError("factors", factors, "is empty", "Give at least one factor of f")
        entries = [self._read(entry, f"factors[{i}]", constants) for i, entry in enumerate(listed)]
        self.slow_expression = self._read(slow_field, "slow_field", constants)
        self._entries = tuple(entries)
        if vanishes(self.slow_expression, self.names):
            raise InputError("slow_field", "0", "must not vanish identically", "Without slow flow nothing moves")
        for i, entry in enumerate(entries):
            if vanishes(entry, self.names):
                raise InputError(f"factors[{i}]", "0", "must not vanish identically", "Then every point is at rest")
        self._check_finite([*entries, self.slow_expression])
        found = factored(entries, self.names, (self.lower, self.upper))
        zero_free = [self._has_no_zero(part) for part in found.parts]
        self.unit = multiply(found.unit, *_powers(found, zero_free))
        kept = [i for i, free in enumerate(zero_free) if not free]
        self.fast_expressions = tuple(found.parts[i] for i in kept)
        self.multiplicities = tuple(found.multiplicities[i] for i in kept)
        self._derivatives: dict[tuple[str, int, int], Expression] = {}
        self.undivided_lines = found.undivided
        remark = "is invariant, though no factor of f shows it: solutions near it are not resolved"
        hidden = (f"{self.fast[0]} = {c} {remark}" for c in found.undivided)
        self.notes = (*self._kinks(), *hidden, *self._start_notes())

    @property
    def slow_window(self) -> tuple[Fraction, Fraction]:
        """Bounds of the slow variable."""
        assert self.slow_lower is not None and self.slow_upper is not None
        return self.slow_lower, self.slow_upper

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two variables."""
        return self.fast[0], self.slow[0]

    def _read(self, entry: Any, field: str, constants: Mapping[str, Fraction]) -> Expression:
        if isinstance(entry, Expression):
            return entry
        if isinstance(entry, str):
            return parse_formula(entry, self.names, field, constants)
        polynomial = entry.polynomial if isinstance(entry, Factor) else entry
        context = getattr(polynomial, "context", None)
        if context is None or tuple(context().names()) != self.names:
            rule = f"must be a formula in {self.names[0]} and {self.names[1]}"
            raise InputError(field, entry, rule, "Give it as text")
        return written(polynomial, [Variable(name) for name in self.names])

    # What is proved of the formulas in the window ---------------------------------------------------------

    def _boxes(self) -> tuple[Ball, Ball]:
        return _ball(self.lower, self.upper), _ball(*self.slow_window)

    def _check_finite(self, formulas: Sequence[Expression]) -> None:
        """Refuse poles, logarithms and roots of negative numbers in the window, and jumps."""
        for e in formulas:
            for node in nodes(e):
                jumps = isinstance(node, Call) and node.function == "sign"
                if jumps and not self._holds(children(node)[0], _is_not_zero):
                    raise InputError("f, g", str(node), "jumps in the window", "Use tanh(k*x) with a large k")
            where = self._first_box(e, lambda ball: ball.is_finite() and abs(ball) < _LARGEST)
            if where is not None:
                x, y = where
                rule = f"is not proved to have finite values near {self.fast[0]} = {x:.6g}, {self.slow[0]} = {y:.6g}"
                way_out = "Keep poles, and logarithms and roots of what is not positive, outside the window"
                raise InputError("window", str(e), rule, way_out)

    def _has_no_zero(self, e: Expression) -> bool:
        # Values of both signs spare the attempt at a proof.
        sides = ((self.lower, self.upper), self.slow_window)
        x, y = (np.linspace(float(low), float(high), _SAMPLED) for low, high in sides)
        values = evaluate(e, dict(zip(self.names, np.meshgrid(x, y), strict=True)))
        return not (np.any(values < 0.0) and np.any(values > 0.0)) and self._holds(e, _is_not_zero, most=64)

    def _holds(self, e: Expression, holds: Any, most: int = _MOST_BOXES) -> bool:
        return self._first_box(e, holds, most) is None

    def _first_box(self, e: Expression, holds: Any, most: int = _MOST_BOXES) -> tuple[float, float] | None:
        """Return the middle of a box on which the enclosure of a formula is not as wanted, None where all are."""
        with flint.ctx.workprec(_CHECK_BITS):
            boxes, tried = [self._boxes()], 0
            while boxes:
                x, y = boxes.pop()
                if holds(enclosed(e, dict(zip(self.names, (x, y), strict=True)))):
                    continue
                tried += 1
                if tried > most:
                    return _shown(x), _shown(y)
                # Depth first: a pole is found at once, not after all boxes.
                boxes += [(half, other) for half in _halves(x) for other in _halves(y)]
        return None

    def _kinks(self) -> Iterator[str]:
        """Yield a remark for each kink in the window."""
        seen: set[str] = set()
        for e in (*self.fast_expressions, self.unit, self.slow_expression):
            for node in nodes(e):
                if isinstance(node, Call) and node.function in _KINKED and str(node) not in seen:
                    seen.add(str(node))
                    if not self._holds(node.argument, _is_not_zero, most=64):
                        yield f"{node} has a kink where {node.argument} = 0: derivatives jump there"

    # Text -----------------------------------------------------------------------------------------------

    def formula(self) -> tuple[str, str]:
        """Return f and g as text."""
        return " * ".join(f"({e})" for e in self._entries), str(self.slow_expression)

    def _formulas(self) -> dict[str, Any]:
        return {"f": [str(e) for e in self._entries], "g": str(self.slow_expression)}

    # Values and derivatives -----------------------------------------------------------------------------

    @cached_property
    def fast_expression(self) -> Expression:
        """The formula f, the product of its factors."""
        return multiply(self.unit, *(power(e, n) for e, n in self._factors))

    @property
    def _factors(self) -> list[tuple[Expression, int]]:
        return list(zip(self.fast_expressions, self.multiplicities, strict=True))

    def derivative(self, of: str, fast: int, slow: int) -> Expression:
        """Return a partial derivative of "f" or "g" as a formula, exact."""
        key = of, fast, slow
        if key not in self._derivatives:
            if fast:
                e = derivative(self.derivative(of, fast - 1, slow), self.names[0])
            elif slow:
                e = derivative(self.derivative(of, 0, slow - 1), self.names[1])
            else:
                e = {"f": self.fast_expression, "g": self.slow_expression}[of]
            self._derivatives[key] = e
        return self._derivatives[key]

    def f(self, x: float, y: float) -> float:
        """Return the fast right-hand side f(x, y)."""
        return float(self.partial("f", 0, 0, x, y))

    def g(self, x: float, y: float) -> float:
        """Return the slow right-hand side g(x, y), without the slow rate."""
        return float(self.partial("g", 0, 0, x, y))

    def partial(self, of: str, fast: int, slow: int, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return a partial derivative of "f" or "g" (without the slow rate), exact but for rounding."""
        return evaluate(self.derivative(of, fast, slow), dict(zip(self.names, (x, y), strict=True)))

    def enclose(self, of: str, fast: int, slow: int, x: Ball, y: Ball) -> Ball:
        """Return an enclosure of a partial derivative on flint's balls."""
        return enclosed(self.derivative(of, fast, slow), dict(zip(self.names, (x, y), strict=True)))

    def sign(self, of: str, x: Number, y: Number) -> int:
        """Return the sign of "f" or "g" at a point, by enclosures of up to 1024 bits."""
        for bits in _SIGN_BITS:
            with flint.ctx.workprec(bits):
                value = self.enclose(of, 0, 0, x.ball(bits), y.ball(bits))
                if value > 0 or value < 0:
                    return 1 if value > 0 else -1
        return 0

    # Charts and kernels ---------------------------------------------------------------------------------

    @cached_property
    def _lines(self) -> dict[int, tuple[Fraction, Fraction]]:
        """The simple factors slope (x - line), by their number."""
        polynomials = (polynomial_of(e, self.names) for e in self.fast_expressions)
        found = {
            i: vertical_line(p) for i, p in enumerate(polynomials) if p is not None and self.multiplicities[i] == 1
        }
        return {i: line for i, line in found.items() if line is not None}

    @property
    def factor_lines(self) -> dict[int, Fraction]:
        """The c of the simple factors of f that vanish on x = c only, by their number."""
        return {i: line for i, (line, _) in self._lines.items()}

    @cached_property
    def invariant_lines(self) -> tuple[Fraction, ...]:
        """The rational x for which x = const is a simple factor of f: solutions never meet or leave these lines."""
        return tuple(sorted(line for line, _ in self._lines.values()))

    @cached_property
    def slow_factors(self) -> SlowFactors:
        """The slow field without the lines y = const of the window on which it vanishes."""
        return slow_factors(self.slow_expression, self.names, self.slow_window)

    def chart_of(self, x: Fraction, y: Fraction | None = None) -> Chart | None:
        """Return the chart of the region between invariant lines that holds a point."""
        return with_slow(chart_at(x, self.invariant_lines), y, self.slow_lines, bounded=True)

    def field_parameters(self, chart: Chart, direction: float = 1.0) -> NDArray[np.float64]:
        """Return the parameter array of ``core.polynomial.polynomial_field`` in a chart, 1 forward or -1 backward."""
        head = [direction, float(self.slow_rate), chart.kind, float(chart.origin), float(chart.size), chart.scaled]
        out = {i for i, (line, _) in self._lines.items() if line in chart.lines}
        constant = line_constant([self._lines[i] for i in sorted(out)], chart)
        powers = [power(e, n) for i, (e, n) in enumerate(self._factors) if i not in out]
        f = multiply(self.unit, Exact(constant), *powers)
        g = self.slow_expression if chart.slow is None else self.slow_factors.without(chart.slow)
        return np.concatenate((head, [-1.0], charted([f, g], self.names, chart)))

    def packed(self, of: str, chart: Chart | None = None) -> NDArray[np.float64]:
        """Return "f" or "g" as ``core.polynomial_events`` reads it, g in a chart of y up to a positive factor."""
        e, chart = self.derivative(of, 0, 0), chart or Chart()
        if of == "g" and chart.slow is not None:
            e = self.slow_factors.rising(chart.slow)
        return np.concatenate(([-1.0], charted([e], self.names, chart)))

    def time_reversed(self) -> FormulaSystem:
        """Return the system x' = -f, y' = -slow_rate g."""
        first, *rest = self._entries
        return FormulaSystem([negative(first), *rest], negative(self.slow_expression), **self._options_backward())

    def check_start(self, start: Any) -> None:
        """Raise InputError where a start cannot be used."""
        super().check_start(start)
        low, high = self.slow_window
        if not low <= start.slow <= high:
            rule = f"must lie in the window [{float(low):g}, {float(high):g}]"
            raise InputError(f"start {self.slow[0]}", float(start.slow), rule, "Widen the window or move the start")


def as_formulas(system: FastSlowSystem) -> FormulaSystem:
    """Return a system that is written out, such as a member of a family whose f is a polynomial there, as formulas.

    So every member of a family of formulas is studied in the same window by the same means.
    """
    if isinstance(system, FormulaSystem):
        return system
    written = system.table()
    options = {name: getattr(system, name) for name in ("fast", "slow", "slow_rate", "window", "start_fast")}
    options |= {name: getattr(system, name) for name in ("name", "title", "parameters", "kind")}
    source = {name: written[name] for name in ("f", "g", "parameters") if name in written}
    return FormulaSystem(written["f"], written["g"], **options, source=source)


def class_for(factors: Any = None, slow_field: Any = None, **options: Any) -> type[FastSlowSystem]:
    """Return the class of system that f and g ask for."""
    names = options.get("fast", ("x",)), options.get("slow", ("y",))
    if any(not isinstance(name, tuple | list) or len(name) != 1 for name in names) or names[0] == names[1]:
        return PolynomialSystem  # which refuses these names
    fast, slow = names[0][0], names[1][0]
    listed = factors if isinstance(factors, Sequence) and not isinstance(factors, str) else [factors]
    texts = [(f"factors[{i}]", entry) for i, entry in enumerate(listed)] + [("slow_field", slow_field)]
    constants = numbers_of(options.get("parameters"))
    for field, entry in texts:
        e = parse_formula(entry, (fast, slow), field, constants) if isinstance(entry, str) else entry
        if isinstance(e, Expression) and polynomial_of(e, (fast, slow)) is None:
            return FormulaSystem
    return PolynomialSystem


def _powers(found: Factored, chosen: Sequence[bool]) -> list[Expression]:
    rows = zip(found.parts, found.multiplicities, chosen, strict=True)
    return [power(part, times) for part, times, wanted in rows if wanted]


def _ball(low: Fraction, high: Fraction) -> Ball:
    return flint.arb(rational(low)).union(flint.arb(rational(high)))


def _is_not_zero(ball: Ball) -> bool:
    return not ball.contains(0)


def _shown(x: Ball) -> float:
    """Return the middle of a small interval, 0 where it holds that."""
    return 0.0 if x.contains(0) or abs(float(x.mid())) < 1e-12 else float(x.mid())


def _halves(x: Ball) -> tuple[Ball, Ball]:
    middle = x.mid()
    return x.lower().union(middle), middle.union(x.upper())
