"""Families of systems along one parameter, and the tables of all their members at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import COLUMNS, FIRST, SLOW_RATE
from fastslow.errors import InputError
from fastslow.systems.chart import Chart, ChartKind
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, fraction, rational
from fastslow.systems.system import FastSlowSystem

Build = Callable[[Fraction], FastSlowSystem]
"""The member of a family at a value of its parameter."""

_NODES = 5
"""So many members tell that the others are quadratic in the parameter, and check it twice."""
_DEGREE = 2

Exact = dict[tuple[int, int], Any]
"""Entries of a table, exact, by power of x and column."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The fields of the members of a family in one chart.

    Attributes
    ----------
    chart : Chart
        The chart, the same for all.
    columns : ndarray of int, shape (S,)
        The numbers of the members that have a table in this chart.
    fields : ndarray, shape (S, np)
        Their parameters of ``core.polynomial.polynomial_field``.
    samples : list of dict
        Exact entries of the members that were built; what is a polynomial of degree four in the parameter and
        vanishes at all of them, vanishes.
    model : FastSlowSystem
        One of them.
    """

    chart: Chart
    columns: NDArray[np.int64]
    fields: NDArray[np.float64]
    samples: list[Exact]
    model: FastSlowSystem

    def column(self, number: int) -> NDArray[np.float64]:
        """Return a column f_0, f_1, f_2, g_0, g_1 or g_2 of all tables, the lowest power of x first, shape (S, n)."""
        return self.fields[:, FIRST + 1 + number :: COLUMNS][:, ::-1]


@dataclass(eq=False)
class Members:
    """The members of a family at a list of values, built when they are asked for.

    Attributes
    ----------
    refused : dict
        Why a member cannot be built, by its number.
    """

    family: Build
    values: Sequence[Fraction]
    refused: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._built: dict[int, FastSlowSystem | None] = {}

    def __getitem__(self, number: int) -> FastSlowSystem | None:
        """Return a member; None where its model does not allow the value."""
        if number not in self._built:
            try:
                self._built[number] = self.family(self.values[number])
            except InputError as error:
                self._built[number], self.refused[number] = None, str(error)
        return self._built[number]

    def tables(self, start_fast: Fraction | None = None) -> Tables | None:
        """Return the tables of the members in the chart of their starts; None where that is no table.

        The entries are quadratic in the parameter where five members are on one parabola, exactly; then no other
        member is built, but where an entry vanishes: models may refuse that. Otherwise all are built.
        """
        count = len(self.values)
        nodes = sorted({round(i * (count - 1) / (_NODES - 1)) for i in range(_NODES)})
        built = [(i, system) for i in nodes if (system := self[i]) is not None]
        if not built:
            return None
        model = built[0][1]
        chart = model.chart_of(model.start_fast if start_fast is None else start_fast)
        if chart is None or chart.kind is ChartKind.BESIDE or any(system.slow_lines for _, system in built):
            return None  # lanes of tables have no chart of y
        samples = [_entries(system, chart) for _, system in built]
        if all(sample is not None for sample in samples) and len(built) == _NODES < count:
            found = self._interpolated(chart, nodes, samples, model)
            if found is not None:
                return found
        everyone = [(i, system) for i in range(count) if (system := self[i]) is not None]
        tabled = [(i, system, entries) for i, system in everyone if (entries := _entries(system, chart)) is not None]
        if not tabled:
            return None
        rows = 1 + max(power for *_, entries in tabled for power, _ in entries)
        fields = np.array([_packed(_head(system, chart), entries, rows) for _, system, entries in tabled])
        columns = np.array([i for i, *_ in tabled])
        return Tables(chart, columns, fields, [entries for *_, entries in tabled], model)

    def _interpolated(self, chart: Chart, nodes: list[int], samples: list[Any], model: FastSlowSystem) -> Tables | None:
        at = [rational(self.values[i]) for i in nodes]
        if len({str(v) for v in at}) < _NODES:
            return None
        rows = 1 + max(power for sample in samples for power, _ in sample)
        fields = np.tile(_packed(_head(model, chart), samples[0], rows), (len(self.values), 1))
        suspects: set[int] = set()
        for key in sorted({key for sample in samples for key in sample}):
            ordinates = [sample.get(key, rational(Fraction(0))) for sample in samples]
            law = _parabola(at, ordinates)
            if law is None:
                return None
            if not law[1] and not law[2]:
                continue
            power, column = key
            place = SLOW_RATE if column < 0 else FIRST + 1 + (rows - 1 - power) * COLUMNS + column
            exact = [law[0] + (v := rational(value)) * (law[1] + v * law[2]) for value in self.values]
            fields[:, place] = [float(fraction(value)) for value in exact]
            suspects |= {i for i, value in enumerate(exact) if not value or (column < 0 and value < 0)}
        columns = [i for i in range(len(self.values)) if i not in suspects or self[i] is not None]
        return Tables(chart, np.array(columns), fields[columns], samples, model)


def _head(system: FastSlowSystem, chart: Chart) -> list[float]:
    return [1.0, float(system.slow_rate), float(chart.kind), float(chart.origin), float(chart.size), chart.scaled, 0.0]


def _packed(head: list[float], entries: Exact, rows: int) -> NDArray[np.float64]:
    table = np.zeros((rows, COLUMNS))
    for (power, column), value in entries.items():
        if column >= 0:
            table[rows - 1 - power, column] = float(fraction(value))
    return np.concatenate([head, [rows], table.ravel()])


def _entries(system: FastSlowSystem, chart: Chart) -> Exact | None:
    """Return the entries of the table of a member, and the slow rate as (0, -1); None where it has none."""
    if not isinstance(system, PolynomialSystem):
        return None
    if system.chart_of(chart.origin if chart.lines else system.start_fast) != chart:
        return None
    left = system.factors_in(chart)
    g: Polynomial = system.slow_field
    f: Polynomial = math.prod(left[1:], start=left[0])
    many = sum(len(factor) > 1 for factor in left) > 1
    if many or max(f.degrees()[1], g.degrees()[1]) > _DEGREE:
        return None
    found = {(int(i), int(j)): value for (i, j), value in f.to_dict().items()}
    found |= {(int(i), int(j) + 3): value for (i, j), value in g.to_dict().items()}
    return found | {(0, -1): rational(system.slow_rate)}


def _parabola(at: list[Any], ordinates: list[Any]) -> tuple[Any, Any, Any] | None:
    """Return the coefficients of the quadratic polynomial through exact points, None where there is none."""
    if all(value == ordinates[0] for value in ordinates):
        zero = ordinates[0] - ordinates[0]
        return ordinates[0], zero, zero
    (u, v, w), (p, q, r) = at[:3], ordinates[:3]
    first, second = (q - p) / (v - u), (r - q) / (w - v)
    bend = (second - first) / (w - u)
    law = (p - u * first + u * v * bend, first - (u + v) * bend, bend)
    fits = all(law[0] + x * (law[1] + x * law[2]) == y for x, y in zip(at, ordinates, strict=True))
    return law if fits else None
