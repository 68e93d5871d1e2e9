"""The members of a family in doubles, for many values of its parameter at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastslow.core.equilibrium_path import follow_zero
from fastslow.core.polynomial_events import SECTION
from fastslow.errors import InputError
from fastslow.flow.flow_graph import forbidden
from fastslow.manifold.arcs import CriticalManifold
from fastslow.systems.chart import Chart, without_lines
from fastslow.systems.families import Axis, Family
from fastslow.systems.family_polynomials import polynomials_of
from fastslow.systems.polynomial_system import exactly
from fastslow.systems.polynomials import Polynomial, by_slow_power, coefficients, fraction, rational, vertical_line
from fastslow.systems.system import FastSlowSystem

FloatArray = NDArray[np.float64]


class Members:
    """x' = f, y' = slow_rate g for all values of one parameter p: arrays of coefficients that are polynomials in p.

    Attributes
    ----------
    parts : list of (Polynomial, int)
        The irreducible factors of f over the rationals, in (x, y, p), and their multiplicities.
    fast_field, slow_field, slow_rate : Polynomial
        f, g and the slow rate.
    sample : FastSlowSystem
        Some member.

    Raises
    ------
    InputError
        If the family is not polynomial in the parameter, or an invariant line x = const moves with it.
    """

    def __init__(self, family: Family, axis: Axis) -> None:
        self.family, self.axis = family, axis
        polynomials = polynomials_of(family, [(axis.low, axis.high)])
        self.slow_field, self.slow_rate = polynomials.slow_field, polynomials.slow_rate
        self.fast_field = polynomials.fast_field
        self.constant, parts = self.fast_field.factor()
        self.parts: list[tuple[Polynomial, int]] = [(part, int(times)) for part, times in parts]
        for part, times in self.parts:
            if part.degrees()[:2] == (1, 0) and part.degrees()[2] > 0 and times == 1:
                raise InputError(
                    axis.name,
                    str(axis),
                    "moves a line x = const of f = 0",
                    "Take the coordinate x - p, in which the line is at rest",
                )
        self.sample = self._sample()
        self._rows = {id(part): _rows(part) for part, _ in self.parts}
        self._rate = _rows(self.slow_rate)[0, 0]
        self._slow = _rows(self.slow_field)
        self._eliminated: dict[int, list[FloatArray]] = {}

    def _sample(self) -> FastSlowSystem:
        for k in (31, 17, 53):
            value = self.axis.low + (self.axis.high - self.axis.low) * Fraction(k, 83)
            try:
                return self.family.at(value)
            except InputError:
                continue
        return self.family.at(self.axis.low + (self.axis.high - self.axis.low) * Fraction(44, 83))

    @property
    def chart(self) -> Chart | None:
        """The chart of the line of starts."""
        return self.sample.chart_of(self.sample.start_fast)

    def slow_rates(self, values: FloatArray) -> FloatArray:
        """Return the slow rate at each value."""
        return np.asarray(np.polynomial.polynomial.polyval(values, self._rate))

    def fields(self, values: FloatArray, chart: Chart, direction: float) -> FloatArray:
        """Return the parameters of ``core.polynomial.polynomial_field`` at each value, shape (n, np).

        As ``FastSlowSystem.field_parameters`` does for one system, with a table of one size for all.
        """
        constant, left = without_lines(fraction(self.constant), self.parts, chart)
        head = np.zeros((len(values), 8))
        head[:, :6] = [direction, 0.0, *map(float, (chart.kind, chart.origin, chart.size, chart.scaled))]
        head[:, 1] = self.slow_rates(values)
        product = math.prod(left, start=self.slow_field * 0 + 1)
        first, second = _rows(product) * float(constant), self._slow
        several = sum(len({powers[:2] for powers in part.to_dict()}) > 1 for part in left) > 1
        if not several and max(first.shape[1], second.shape[1]) <= 3:
            table = np.zeros((len(values), max(len(first), len(second)), 6))
            for at, rows in ((0, first), (3, second)):
                table[:, : len(rows), at : at + rows.shape[1]] = _at(rows, values)
            head[:, 7] = table.shape[1]
            return np.concatenate((head, table[:, ::-1].reshape(len(values), -1)), axis=1)
        listed = [_rows(part) for part in left] or [np.ones((1, 1, 1))]
        listed[0] = listed[0] * float(constant)
        head[:, 6] = len(listed)
        blocks = [head[:, :7]]
        for rows in (*listed, second):
            size = np.tile(np.array(rows.shape[:2], dtype=np.float64), (len(values), 1))
            blocks += [size, _at(rows, values).reshape(len(values), -1)]
        return np.concatenate(blocks, axis=1)

    def touches(self, manifold: CriticalManifold, origin: float) -> list[Touch]:
        """Return no orbits: those that touch the edge of a window of x only are not followed in the parameter."""
        return []

    def touching(self, touch: Touch, origin: float, values: FloatArray) -> Path:
        """Return where a touch is at values of the parameter; there are none."""
        raise NotImplementedError

    def line_events(self, count: int) -> FloatArray:
        """Return the parameters of the event of ``Warm``: the line of starts is crossed."""
        return np.tile([float(SECTION), 5.0, float(self.sample.start_fast), 0.0, 0.0], (count, 1))

    def crossed_once(self) -> bool:
        """Whether no orbit can return to the line of starts: there f is c y^m, and y = 0 forbidden."""
        rows = by_slow_power(exactly(self.sample, "a boundary in a parameter").fast_field)
        at_line = [fraction(row(rational(self.sample.start_fast))) for row in rows]
        terms = [k for k, value in enumerate(at_line) if value]
        return len(terms) == 1 and (terms[0] == 0 or forbidden(self.sample, 0.0))

    @cached_property
    def levels(self) -> list[float]:
        """The c for which y = c is invariant: an orbit that begins on it exactly stays on it."""
        parts = [part for part, _ in self.slow_field.factor()[1] if part.degrees() == (0, 1, 0)]
        rows = [coefficients(part, 1) for part in parts]
        return [float(-fraction(zero(0, 0, 0)) / fraction(one(0, 0, 0))) for zero, one in rows]

    def part_of(self, x: float, y: float, p: float) -> int:
        """Return the number of the factor of f that vanishes at a point."""
        return min(range(len(self.parts)), key=lambda k: self._size(k, x, y, p))

    def follow(
        self, part: int, place: tuple[float, float], origin: float, values: FloatArray, unit: FloatArray
    ) -> Path:
        """Return the equilibrium at `place` for p = origin at sorted values of p; NaN where it is lost."""
        x, y = place
        first, second = self._pair(part, x, y, origin)
        found = np.empty((len(values), 2))
        middle = int(np.searchsorted(values, origin))
        for some in (slice(middle, None), slice(middle - 1, None, -1) if middle else slice(0, 0)):
            wanted = np.ascontiguousarray(values[some])
            places = np.empty((len(wanted), 2))
            reached = follow_zero(first, second, np.array([origin, x, y]), unit, wanted, places)
            places[reached:] = np.nan  # too far away: the curves f = 0 and g = 0 cannot be told apart there
            found[some] = places
        return Path(part, values, found[:, 0], found[:, 1])

    def _pair(self, part: int, x: float, y: float, p: float) -> tuple[FloatArray, FloatArray]:
        """Return two polynomials whose common zero is an equilibrium on a factor of f.

        Far out f = 0 and g = 0 are nearly parallel and their zero is ill-conditioned; a root x of their resultant,
        without its factors at infinity, is not, and y is that of the one that is a graph over x.
        """
        q = self.parts[part][0]
        graph = next((curve for curve in (q, self.slow_field) if curve.degrees()[1] == 1), None)
        if graph is None or q.degrees()[1] == 0 or self.slow_field.degrees()[1] == 0:
            return self._rows[id(q)], self._slow
        if part not in self._eliminated:
            factors = q.resultant(self.slow_field, 1).factor()[1]
            self._eliminated[part] = [_rows(e) for e, _ in factors if e.degrees()[0] > 0]

        def distance(rows: FloatArray) -> float:
            value, slope, _ = (float(v[0]) for v in _values(_at(rows, np.array([p])), np.array([x]), np.array([y])))
            return abs(value) / (abs(slope) or 1e-300)

        nearest = min(self._eliminated[part], key=distance)
        return nearest, self._rows[id(q)] if graph is q else self._slow

    def _size(self, k: int, x: float, y: float, p: float) -> float:
        """Return the distance of a point from the curve of a factor, to first order."""
        rows = _at(self._rows[id(self.parts[k][0])], np.array([p]))
        value, by_x, by_y = (float(v[0]) for v in _values(rows, np.array([x]), np.array([y])))
        return abs(value) / (math.hypot(by_x, by_y) or 1e-300)

    def jacobians(self, path: Path) -> FloatArray:
        """Return the Jacobians of (f, slow_rate g) along a path of equilibria, shape (n, 2, 2)."""
        p, x, y = path.parameter, path.x, path.y
        rest = np.full(len(p), float(fraction(self.constant)))
        own = np.zeros((2, len(p)))
        for k, (part, times) in enumerate(self.parts):
            value, by_x, by_y = _values(_at(self._rows[id(part)], p), x, y)
            if k == path.part:
                own = np.array([by_x, by_y])
            else:
                rest = rest * value**times
        _, g_x, g_y = _values(_at(self._slow, p), x, y)
        rate = self.slow_rates(p)
        return np.array([[rest * own[0], rest * own[1]], [rate * g_x, rate * g_y]]).transpose(2, 0, 1)


@dataclass(frozen=True, eq=False)
class Path:
    """An equilibrium at values of the parameter, a zero of the factor number `part` and of g."""

    part: int
    parameter: FloatArray
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class Touch:
    """A point of the window's edge at which orbits touch it from inside, or a corner at which they leave.

    Attributes
    ----------
    place : (float, float)
        Where it is in one member.
    across : int or None
        The variable that is fixed on the edge; None at a corner.
    inward : (float, float)
        The step to the beginning of the orbit backward in time.
    """

    place: tuple[float, float]
    across: int | None
    inward: tuple[float, float]


def lines_of(parts: Sequence[tuple[Polynomial, int]]) -> list[Fraction]:
    """Return the x of the factors x - const."""
    return [line[0] for part, _ in parts if (line := vertical_line(part)) is not None]


def _rows(p: Polynomial) -> FloatArray:
    """Return the coefficients C[i, j, k] at x^i y^j p^k as doubles."""
    degrees = p.degrees()
    coefficients = np.zeros(tuple(max(degree, 0) + 1 for degree in degrees))
    for powers, value in p.to_dict().items():
        coefficients[powers] = float(fraction(value))
    return coefficients


def _at(rows: FloatArray, values: FloatArray) -> FloatArray:
    """Return the coefficients in (x, y) at each value, shape (n, I, J)."""
    total = np.zeros((len(values), *rows.shape[:2]))
    for k in range(rows.shape[2] - 1, -1, -1):
        total = total * values[:, None, None] + rows[:, :, k]
    return total


def coefficients_at(p: Polynomial, values: FloatArray) -> FloatArray:
    """Return the coefficients C[n, i, j] at x^i y^j of a polynomial in (x, y, p) for each value of p."""
    return _at(_rows(p), values)


def values_at(p: Polynomial, values: FloatArray) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Return a polynomial in (x, y, p), for values of p, as a function of places x and y, one for each value."""
    c = coefficients_at(p, values)
    return lambda x, y: _values(c, x, y)[0]


def slow_powers(c: FloatArray, x: FloatArray) -> FloatArray:
    """Return the coefficients at y^j of sum_ij c[n, i, j] x^i y^j at each x, shape (n, len(x), J)."""
    return np.ascontiguousarray(np.einsum("nij,xi->nxj", c, x[:, None] ** np.arange(c.shape[1])))


def _values(c: FloatArray, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (q, q_x, q_y) of sum_ij c[n, i, j] x_n^i y_n^j at each n."""
    value, by_x, by_y = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for i in range(c.shape[1] - 1, -1, -1):
        row, slope = np.zeros_like(x), np.zeros_like(x)
        for j in range(c.shape[2] - 1, -1, -1):
            slope = slope * y + row
            row = row * y + c[:, i, j]
        by_x = by_x * x + value
        value = value * x + row
        by_y = by_y * x + slope
    return value, by_x, by_y
