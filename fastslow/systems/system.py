"""What is studied: a fast-slow system, its equations written once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.chart import Chart
from fastslow.systems.exact import Real, exact, plain
from fastslow.systems.parameters import check_used, read_parameters

if TYPE_CHECKING:
    from fastslow.systems.algebraic import Ball, Number
    from fastslow.systems.slow_lines import SlowFactors

RESERVED_NAMES = frozenset(
    (
        *("arc", "arcs", "at", "branch", "final", "flow", "from", "id", "kind", "loss", "node", "note", "proof"),
        *("model", "radius", "rtol", "schema", "segments", "sentence", "solver", "start", "status", "steps"),
        *("switch_error", "switch_time", "tau", "to"),
    )
)
"""Words that name other things beside the variables in records."""
_LARGEST_START = 1e30

Window = Sequence[Any]
"""Bounds (low, high) of the fast variable, or ((low, high), (low, high)) of the fast and the slow one."""


@dataclass(frozen=True)
class Start:
    """An initial condition, exact."""

    fast: Fraction
    slow: Fraction


class FastSlowSystem:
    """The planar fast-slow system x' = f(x, y), y' = slow_rate g(x, y).

    Time is the fast time. The critical manifold is f = 0; it is kept as a union of the zero sets of the factors of f.

    Called by this name it gives a ``PolynomialSystem`` where f and g are polynomials, for which everything is exact
    and every finite y is covered, and a ``FormulaSystem`` otherwise, which needs a window of both variables.

    Parameters
    ----------
    factors : text, Polynomial or Expression, or a sequence of these
        f or its factors, as text such as ``"y + x - x**3/3"`` or ``"x*exp(-x) - y"``, as polynomials of
        ``fastslow.variables``, or as formulas.
    slow_field : text, Polynomial or Expression
        The slow right-hand side g, without the slow rate.
    fast, slow : tuple of str
        Names of the fast and slow variables. Analysis needs one of each; the type is open to more.
    slow_rate : number, optional
        The factor of g, positive; the singular limit is slow_rate -> 0.
    window : pair of numbers, or pair of pairs, optional
        Bounds of the fast variable, or of the fast and the slow variable.
    start_fast : number, optional
        Fast coordinate of starts for which only the slow coordinate is given: 0, or the middle of a window without it.
    parameters : mapping, optional
        Numbers that the text of f and g name, each alone or as {"value": 1, "range": (0, 2)}; a range is what an axis
        without bounds takes. Of other kinds, what the system was made from.
    name, title : str, optional
        Short name for records and a line for the reader.
    kind : str, optional
        What a model file calls the constructor and its parameters; "polynomial" and "formula" write the equations out.
    source : mapping, optional
        Entries of the model file that `table` repeats as they were: formulas in parameters, and these.

    Raises
    ------
    InputError
        If a value cannot be used; the message names it.

    Notes
    -----
    To add a model, build its f and g and call this constructor (see ``classics.py``); a model with more to tell
    derives from ``PolynomialSystem``, sets ``energy_polynomial`` and overrides ``fate`` and ``theorem``
    (see ``two_layer.py``).

    Examples
    --------
    >>> import fastslow as fs
    >>> fs.FastSlowSystem("y + x - x**3/3", "a - x", parameters={"a": "1/2"}).formula()
    ('(-1/3*x^3 + x + y)', '-x + 1/2')
    """

    slow_lower: Fraction | None = None
    slow_upper: Fraction | None = None
    """Bounds of the slow variable; None where every value is covered."""

    def __new__(cls, *formulas: Any, **options: Any) -> FastSlowSystem:
        """Choose the class by what f and g are."""
        if cls is FastSlowSystem:
            from fastslow.systems.formula_system import class_for

            cls = class_for(*formulas, **options)
        return super().__new__(cls)

    def __init__(
        self,
        factors: Any,
        slow_field: Any,
        *,
        fast: tuple[str, ...] = ("x",),
        slow: tuple[str, ...] = ("y",),
        slow_rate: Real = 1,
        window: Window = (-3, 3),
        start_fast: Real | None = None,
        parameters: Mapping[str, Any] | None = None,
        name: str = "system",
        title: str = "",
        kind: str = "formula",
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
        if kind in ("polynomial", "formula"):
            self._read_parameters(factors, slow_field, source is None)
        self.slow_rate = exact(slow_rate, "slow_rate")
        if self.slow_rate <= 0:
            raise InputError("slow_rate", slow_rate, "must be positive", "The singular limit is slow_rate -> 0")
        self._set_window(window)
        if start_fast is None:
            start_fast = 0 if self.lower < 0 < self.upper else (self.lower + self.upper) / 2
        self.start_fast = exact(start_fast, "start_fast")
        if not self.lower <= self.start_fast <= self.upper:
            raise InputError("start_fast", start_fast, "must lie inside the window", "Widen the window")

    def _read_parameters(self, factors: Any, slow_field: Any, written_here: bool) -> None:
        """Keep the parameters as numbers, and where f and g are texts in these, the texts: to build other members."""
        values, written = read_parameters(self.parameters, (self.fast[0], self.slow[0]))
        self.parameters = {name: plain(value) for name, value in values.items()}
        listed = list(factors) if isinstance(factors, list | tuple) else [factors]
        if written_here and all(isinstance(entry, str) for entry in (*listed, slow_field)):
            check_used(values, [*listed, slow_field])
            self._source = {"f": listed, "g": slow_field, "parameters": written}

    def _set_window(self, window: Window) -> None:
        if len(window) == 2 and not any(isinstance(end, Sequence) and not isinstance(end, str) for end in window):
            self.lower, self.upper = _interval(window, "window")
            return
        if len(window) != 2:
            raise InputError("window", window, "must be a pair", "Write window = [-3, 3] or [[-3, 3], [-1, 1]]")
        self.lower, self.upper = _interval(window[0], "window[0]")
        self.slow_lower, self.slow_upper = _interval(window[1], "window[1]")

    # What a kind of system must have ------------------------------------------------------------------

    def formula(self) -> tuple[str, str]:
        """Return f and g as text."""
        raise NotImplementedError

    def _formulas(self) -> dict[str, Any]:
        """Return f and g as `table` writes them."""
        raise NotImplementedError

    def f(self, x: float, y: float) -> float:
        """Return the fast right-hand side f(x, y)."""
        raise NotImplementedError

    def g(self, x: float, y: float) -> float:
        """Return the slow right-hand side g(x, y), without the slow rate."""
        raise NotImplementedError

    def partial(self, of: str, fast: int, slow: int, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return a partial derivative of "f" or "g" (without the slow rate), exact but for rounding.

        Parameters
        ----------
        of : {"f", "g"}
            The right-hand side.
        fast, slow : int
            Orders of the derivative in x and in y.
        x, y : array_like
            Points.
        """
        raise NotImplementedError

    def enclose(self, of: str, fast: int, slow: int, x: Ball, y: Ball) -> Ball:
        """Return an enclosure of a partial derivative of "f" or "g" on flint's balls, with the working precision.

        It is not finite where the function is not proved to be.
        """
        raise NotImplementedError

    def sign(self, of: str, x: Number, y: Number) -> int:
        """Return the sign of "f" or "g" at a point: -1 and 1 are proved, 0 is zero or not told from it."""
        raise NotImplementedError

    undivided_lines: tuple[Fraction, ...] = ()
    """Invariant lines x = const that are no factor of f: near them its values are rounding."""

    @property
    def invariant_lines(self) -> tuple[Fraction, ...]:
        """The rational x for which x = const is a simple factor of f: solutions never meet or leave these lines."""
        raise NotImplementedError

    @property
    def slow_lines(self) -> tuple[Fraction, ...]:
        """The rational y for which y = const is a simple factor of g: solutions never meet or leave these lines."""
        return tuple(line for line, _ in self.slow_factors.lines)

    @property
    def slow_factors(self) -> SlowFactors:
        """The slow field without the lines y = const of the window on which it vanishes."""
        raise NotImplementedError

    def chart_of(self, x: Fraction, y: Fraction | None = None) -> Chart | None:
        """Return the chart of the region between invariant lines that holds a point.

        Parameters
        ----------
        x : Fraction
            On a line x = const of f the answer is None.
        y : Fraction, optional
            Without it, and on a line y = const of g, y is its own coordinate.
        """
        raise NotImplementedError

    def field_parameters(self, chart: Chart, direction: float = 1.0) -> NDArray[np.float64]:
        """Return the parameter array of ``core.polynomial.polynomial_field`` in a chart, 1 forward or -1 backward."""
        raise NotImplementedError

    def packed(self, of: str, chart: Chart | None = None) -> NDArray[np.float64]:
        """Return "f" or "g" as ``core.polynomial_events`` reads it, g in a chart of y up to a positive factor."""
        raise NotImplementedError

    def time_reversed(self) -> FastSlowSystem:
        """Return the system x' = -f, y' = -slow_rate g."""
        raise NotImplementedError

    # What all have ------------------------------------------------------------------------------------

    @property
    def invariant_window(self) -> bool:
        """Whether both edges of the window are invariant lines, so that no solution leaves it."""
        return self.lower in self.invariant_lines and self.upper in self.invariant_lines

    def table(self) -> dict[str, Any]:
        """Return what a model file says to build this system again, exactly."""
        if self.kind not in ("polynomial", "formula"):
            return {"model": self.kind, **self.parameters}
        return {
            "model": self.kind,
            "name": self.name,
            "title": self.title,
            "fast": self.fast[0],
            "slow": self.slow[0],
            **self._formulas(),
            "window": self.window,
            "slow_rate": plain(self.slow_rate),
            "start_fast": plain(self.start_fast),
            **self._source,
        }

    @property
    def slow_window(self) -> tuple[Fraction, Fraction] | None:
        """Bounds of the slow variable at which a solution leaves the window; None where there are none."""
        return None

    @property
    def slow_ends(self) -> tuple[float, float]:
        """The bounds of the slow variable, infinite where every value is covered."""
        if self.slow_window is None:
            return -math.inf, math.inf
        return float(self.slow_window[0]), float(self.slow_window[1])

    @property
    def edges(self) -> tuple[float, ...]:
        """The bounds at which a solution leaves the window: of x, and then of y where it has any."""
        return tuple(map(float, (self.lower, self.upper, *(self.slow_window or ()))))

    def edge_left(self, number: int) -> str:
        """Return the name of the variable that the bound `edges[number]` is of."""
        return (self.fast if number < 2 else self.slow)[0]

    def leaves_at_once(self, start: Start) -> str:
        """Return the variable in which the field points out of the window at a start on its edge, or an empty text."""
        from fastslow.systems.algebraic import Rational

        at = Rational(start.fast), Rational(start.slow)
        bounds: tuple[tuple[Fraction, ...], ...] = ((self.lower, self.upper), self.slow_window or ())
        for of, name, value, ends in zip("fg", (*self.fast, *self.slow), (start.fast, start.slow), bounds, strict=True):
            if value in ends and self.sign(of, *at) * (1 if value == ends[-1] else -1) > 0:
                return name
        return ""

    @property
    def window(self) -> list[Any]:
        """Bounds of the fast variable, or of the fast and the slow one, as a model file writes them."""
        bounds = [plain(self.lower), plain(self.upper)]
        if self.slow_lower is None or self.slow_upper is None:
            return bounds
        return [bounds, [plain(self.slow_lower), plain(self.slow_upper)]]

    def _options_backward(self) -> dict[str, Any]:
        return {
            "fast": self.fast,
            "slow": self.slow,
            "slow_rate": self.slow_rate,
            "window": self.window,
            "start_fast": self.start_fast,
            "name": f"{self.name} backward",
        }

    def written_out(self) -> dict[str, Any]:
        """Return the table with every parameter that can be varied in it; the same as `table` for most models."""
        return self.table()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(f'{k}={v}' for k, v in self.parameters.items())}>"

    def jacobian(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the Jacobian of (f, slow_rate g) at points, shape (2, 2, ...)."""
        rows = [[self.partial(of, 1 - k, k, x, y) for k in (0, 1)] for of in ("f", "g")]
        matrix = np.array(rows)
        matrix[1] *= float(self.slow_rate)
        return matrix

    # What a model may add -------------------------------------------------------------------------------

    energy_polynomial: Any = None
    """A Lyapunov function: it falls along every solution that is not at rest. None where the model has none."""
    energy_name = "energy"

    def energy(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64] | None:
        """Return the Lyapunov function of the system at points, or None where the model has none."""
        return None

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

    def _start_notes(self) -> tuple[str, ...]:
        """Return a remark where all starts of which only the slow coordinate is given lie on an invariant line."""
        if self.start_fast not in self.invariant_lines:
            return ()
        line = f"{self.fast[0]} = {self.start_fast}"
        return (f"no solution leaves the line {line}, on which starts lie unless start_fast says otherwise",)


def numbers_of(parameters: Mapping[str, Any] | None) -> dict[str, Fraction]:
    """Return the parameters that are numbers, exact: formulas may name these."""
    found = {}
    for name, entry in (parameters or {}).items():
        value = entry.get("value") if isinstance(entry, Mapping) else entry
        if isinstance(value, int | float | str | Fraction) and not isinstance(value, bool):
            try:
                found[name] = exact(value, f"parameters.{name}")
            except InputError as error:
                if not isinstance(value, str) or error.rule != "is no number":
                    raise
    return found


def _interval(ends: Sequence[Any], field: str) -> tuple[Fraction, Fraction]:
    if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise InputError(field, ends, "must be a pair of numbers", "Write window = [-3, 3] or [[-3, 3], [-1, 1]]")
    low, high = (exact(end, f"{field}[{i}]") for i, end in enumerate(ends))
    if low >= high:
        raise InputError(field, tuple(ends), "must have its lower end below its upper end", "Swap the ends")
    return low, high
