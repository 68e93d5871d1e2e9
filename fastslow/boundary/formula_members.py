"""The members of a family of formulas in doubles, for many values of its parameter at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.boxed_curves import every_zero, monotone_runs
from fastslow.bifurcation.equations import tangency
from fastslow.bifurcation.formula_curves import branches_of
from fastslow.bifurcation.functions import Formula, enclose, restricted, values
from fastslow.bifurcation.over_parameter import ZeroOverParameter
from fastslow.boundary.cuts import Cut
from fastslow.boundary.members import Path, Touch
from fastslow.core.polynomial_events import SECTION
from fastslow.core.tape import tape_curve
from fastslow.errors import InputError
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.continuation import ContinuationOptions, trace_curve
from fastslow.manifold.many_boxes import has_no_zero
from fastslow.manifold.on_line import touched_ends
from fastslow.manifold.special_points import Kind
from fastslow.separatrices.halves import touched_from_inside
from fastslow.systems.algebraic import Ball
from fastslow.systems.chart import Chart, line_constant
from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import Call, Expression, Number, Variable, add, multiply, negative, power
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import formulas_of
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.tapes import curve_parameters, member_tapes, tape

FloatArray = NDArray[np.float64]

_ON_LEVEL = 1e-12
"""Distance from an invariant line y = c, in units of the window, within which an equilibrium is on it."""
_TOUCH = 1e-12
"""Distance from the window's edge, in units of the window, at which an orbit that touches it is begun."""
_OPTIONS = ContinuationOptions(max_step=0.005)


class FormulaMembers:
    """x' = f, y' = slow_rate g for all values of one parameter p, with formulas in (x, y, p).

    What ``Members`` is for polynomials.

    Attributes
    ----------
    parts : list of (Formula, int)
        The factors of f and their multiplicities.
    sample : FastSlowSystem
        Some member.
    bounds : list of pairs of Fraction
        The window of x and y, and the interval of p.

    Raises
    ------
    InputError
        If f and g are no formulas in the parameter, or an invariant line x = const moves with it.
    """

    def __init__(self, family: Family, axis: Axis, sample: FormulaSystem) -> None:
        self.family, self.axis = family, axis
        self.sample: FastSlowSystem = sample
        self._formulas = formulas_of(family, sample)
        self.names = self._formulas.names
        self.bounds = [*self._formulas.window, (axis.low, axis.high)]
        self.slow_field = Formula(self._formulas.slow_field, self.names)
        self.fast_field = Formula(self._formulas.fast_field, self.names)
        rows = zip(self._formulas.factors.parts, self._formulas.factors.multiplicities, strict=True)
        self.parts = [(Formula(e, self.names), n) for e, n in rows]
        for part, times in self.parts:
            if part.variables == {self.names[0], self.names[2]} and times == 1:
                raise InputError(
                    axis.name,
                    str(axis),
                    "moves a line x = const of f = 0",
                    "Take the coordinate x - p, in which the line is at rest",
                )
        everything = [self.fast_field, self.slow_field]
        self._slopes = Tape([p.derivative(k).expression for p in everything for k in (0, 1)], self.names)
        self._rate = Tape([self._formulas.slow_rate], self.names)
        self._traced: dict[tuple[object, ...], ZeroOverParameter] = {}

    @property
    def chart(self) -> Chart | None:
        """The chart of the line of starts."""
        return self.sample.chart_of(self.sample.start_fast)

    def slow_rates(self, values: FloatArray) -> FloatArray:
        """Return the slow rate at each value."""
        (rate,) = self._rate.doubles([np.zeros_like(values), np.zeros_like(values), values])
        return np.broadcast_to(np.asarray(rate, dtype=np.float64), values.shape).copy()

    def fields(self, values: FloatArray, chart: Chart, direction: float) -> FloatArray:
        """Return the parameters of ``core.polynomial.polynomial_field`` at each value, shape (n, np)."""
        lines = [line for k in range(len(self.parts)) if (line := self._line(k)) is not None and line[0] in chart.lines]
        constant = Number(line_constant(lines, chart))
        left = [
            power(part.expression, times)
            for k, (part, times) in enumerate(self.parts)
            if (line := self._line(k)) is None or line[0] not in chart.lines
        ]
        f = multiply(self._formulas.factors.unit, constant, *left)
        own = member_tapes(tape([f, self.slow_field.expression], self.names), values)
        head = np.zeros((len(values), 7))
        head[:, :6] = [direction, 0.0, *map(float, (chart.kind, chart.origin, chart.size, chart.scaled))]
        head[:, 1], head[:, 6] = self.slow_rates(values), -1.0
        return np.concatenate((head, own), axis=1)

    def line_events(self, count: int) -> FloatArray:
        """Return the parameters of the events of ``Warm``: the line of starts is crossed, or the window is left."""
        x, y = self.names[:2]
        away = [_share(name, low, high) for name, (low, high) in zip((x, y), self._formulas.window, strict=True)]
        # The larger of two numbers a and b is a + relu(b - a).
        larger = add(away[0], Call("relu", add(away[1], negative(away[0]))))
        quantity = np.concatenate(([-1.0], tape([larger], (x, y))))
        head = [SECTION, 5.0 + len(quantity), float(self.sample.start_fast), 1.0, 1.0]
        return np.tile(np.concatenate((head, quantity)), (count, 1))

    def crossed_once(self) -> bool:
        """Whether it is shown that no orbit can return to the line of starts: f has no zero on it."""
        (x, _, _), start = self.names, self.sample.start_fast
        on_line = substituted(self.fast_field.expression, {x: start})
        return not isinstance(on_line, Number) and has_no_zero([on_line], self.names[1:], self.bounds[1:])

    def _line(self, number: int) -> tuple[Fraction, Fraction] | None:
        """Return (c, slope) where a factor is slope (x - c)."""
        part, times = self.parts[number]
        return part.line(0) if times == 1 else None

    def part_of(self, x: float, y: float, p: float) -> int:
        """Return the number of the factor of f that vanishes at a point."""
        return min(range(len(self.parts)), key=lambda k: _distance(self.parts[k][0], x, y, p))

    def follow(
        self, part: int, place: tuple[float, float], origin: float, values: FloatArray, unit: FloatArray
    ) -> Path:
        """Return the equilibrium at `place` for p = origin at sorted values of p; NaN where it is lost."""
        x, y = self._zero(
            [self.parts[part][0], self._slow_factor(*place, origin)], self.bounds, [*place, origin], values
        )
        height = float(self.bounds[1][1] - self.bounds[1][0])
        for level in self.levels:
            y = np.where(np.abs(y - level) <= _ON_LEVEL * height, level, y)
        return Path(part, values, x, y)

    @cached_property
    def _slow_factors(self) -> list[Formula]:
        return self.slow_field.factors()

    @cached_property
    def levels(self) -> list[float]:
        """The c for which y = c is invariant: an orbit that begins on it exactly stays on it."""
        return [float(line[0]) for part in self._slow_factors if (line := part.line(1)) is not None]

    def _slow_factor(self, x: float, y: float, p: float) -> Formula:
        """Return the factor of g that vanishes at a point: beside a crossing of two of them g has a double zero."""
        return min(self._slow_factors, key=lambda part: _distance(part, x, y, p))

    def _zero(
        self, functions: list[Formula], bounds: list[tuple[Fraction, Fraction]], place: list[float], values: FloatArray
    ) -> FloatArray:
        """Return the zero of formulas that is at a place at sorted values of p, NaN where it is lost."""
        key = (*map(str, functions), *place)
        if key not in self._traced:
            size = np.array([float(high - low) for low, high in bounds[:-1]])
            self._traced[key] = ZeroOverParameter(functions, _monotone(functions, bounds, place), size)
        found, known = self._traced[key].at(values)
        return np.where(known, found, np.nan)

    # Edges of the window ------------------------------------------------------------------------------------

    def touches(self, manifold: CriticalManifold, origin: float) -> list[Touch]:
        """Return where orbits of the member at p = origin touch the window's edge from inside, and its corners."""
        system, found = manifold.system, []
        ends = [tuple(map(float, side)) for side in self.bounds[:2]]
        reach = [_TOUCH * (high - low) for low, high in ends]
        for point in (*manifold.of_kind(Kind.BOUNDARY), *touched_ends(system)):
            inward = touched_from_inside(system, point)
            if inward is not None:
                across, sign = inward
                step = (sign * reach[0], 0.0) if across == 0 else (0.0, sign * reach[1])
                found.append(Touch((point.x, point.y), across, step))
        for i, j in itertools.product((0, 1), (0, 1)):
            x, y, signs = ends[0][i], ends[1][j], (2 * i - 1, 2 * j - 1)
            if system.f(x, y) * signs[0] > 0.0 and system.g(x, y) * signs[1] > 0.0:
                found.append(Touch((x, y), None, (-signs[0] * reach[0], -signs[1] * reach[1])))
        return found

    def touching(self, touch: Touch, origin: float, values: FloatArray) -> Path:
        """Return where a touch is at sorted values of p; NaN where it is lost."""
        place = [np.full(len(values), v) for v in touch.place]
        part = self.part_of(*touch.place, origin)
        if touch.across is not None:
            along = 1 - touch.across
            touched = self.parts[part][0] if touch.across == 0 else self.slow_field
            (function,), bounds = self._on(touch.across, Fraction(touch.place[touch.across]), [touched])
            (place[along],) = self._zero([function], bounds, [touch.place[along], origin], values)
        return Path(part, values, place[0], place[1])

    def jacobians(self, path: Path) -> FloatArray:
        """Return the Jacobians of (f, slow_rate g) along a path of equilibria, shape (n, 2, 2)."""
        p = path.parameter
        f_x, f_y, g_x, g_y = (np.broadcast_to(v, p.shape) for v in self._slopes.doubles([path.x, path.y, p]))
        rate = self.slow_rates(p)
        return np.array([[f_x, f_y], [rate * g_x, rate * g_y]]).transpose(2, 0, 1)

    # Cuts ---------------------------------------------------------------------------------------------------

    def cuts(self, unresolved: list[str]) -> list[Cut]:
        """Return the values of p at which the equilibria, or f on the line of starts, may change; isolated.

        Where that could not be decided it is said in `unresolved`.
        """
        found: list[Cut] = []
        low, high = float(self.axis.low), float(self.axis.high)
        for kind, functions, bounds in self._conditions():
            zeros, known = every_zero(functions, bounds)
            if not known:
                unresolved.append(f"not all values of {self.axis.name} are known at which: {kind}")
            for middle, balls in zeros:
                if kind == "Hopf point" and self._is_saddle(balls):
                    continue
                value = float(middle[-1])
                if low < value < high and all(abs(value - cut.value) > 1e-13 * max(1.0, abs(value)) for cut in found):
                    found.append(Cut(kind, value, float(balls[-1].rad())))
        return sorted(found, key=lambda cut: cut.value)

    def _is_saddle(self, balls: tuple[Ball, ...]) -> bool:
        """Whether it is shown that an equilibrium is a saddle; where its trace vanishes too nothing changes."""
        f, g = self.fast_field, self.slow_field
        return bool(enclose(f.derivative(0) * g.derivative(1) - f.derivative(1) * g.derivative(0), *balls) < 0)

    def _conditions(self) -> Iterator[tuple[str, list[Formula], list[tuple[Fraction, Fraction]]]]:
        """Yield formulas whose common zeros are cuts, with their box, and what happens there."""
        start = self.sample.start_fast
        for branch in branches_of(self._formulas, self.bounds):
            q, parts = branch.q, branch.slow_field.factors()
            for g in parts:
                yield "equilibria collide", [q, g, tangency(q, g)], self.bounds
                yield "Hopf point", [q, g, branch.trace], self.bounds
                for name, p in branch.others:
                    if name > branch.equation:
                        yield "crossing meets equilibrium", [q, p, g], self.bounds
                for value in self.bounds[1]:
                    edge, bounds = self._on(1, value, [g])
                    yield "orbits touch the window's edge elsewhere", [*edge, edge[0].derivative(0)], bounds
                for place, value in (*((k, v) for k in (0, 1) for v in self.bounds[k]), (0, start)):
                    kind = "the line of starts" if (place, value) == (0, start) else "the window's edge"
                    yield f"equilibrium on {kind}", *self._on(place, value, [q, g])
            for g, other in itertools.combinations(parts, 2):
                yield "equilibria collide", [q, g, other], self.bounds
            for value in self.bounds[0]:
                edge, bounds = self._on(0, value, [q])
                yield "orbits touch the window's edge elsewhere", [*edge, edge[0].derivative(0)], bounds
            on_line, bounds = self._on(0, start, [q])
            yield "tangency to the line of starts", [*on_line, on_line[0].derivative(0)], bounds

        for function in (self.fast_field, self.slow_field):
            for x, y in itertools.product(*self.bounds[:2]):
                there = substituted(function.expression, {self.names[0]: x, self.names[1]: y})
                yield "the flow at a corner of the window", [Formula(there, self.names[2:])], self.bounds[2:]

    def _on(
        self, place: int, value: Fraction, functions: list[Formula]
    ) -> tuple[list[Formula], list[tuple[Fraction, Fraction]]]:
        """Return functions on a side of the box, and the box that is left."""
        on_side = [restricted(p, place, value) for p in functions]
        return on_side, [self.bounds[k] for k in range(3) if k != place]


def _distance(part: Formula, x: float, y: float, p: float) -> float:
    """Return the distance of a point from the zeros of a formula in the plane, to first order."""
    at = np.array([[x, y, p]])
    value, by_x, by_y = (float(values(each, at)[0][0]) for each in (part, part.derivative(0), part.derivative(1)))
    return abs(value) / (float(np.hypot(by_x, by_y)) or 1e-300)


def _monotone(equations: list[Formula], bounds: list[tuple[Fraction, Fraction]], place: list[float]) -> FloatArray:
    """Return the points of a curve both ways from one of them until its last coordinate turns, that one rising."""
    names, last = equations[0].names, len(bounds) - 1
    low, high = (np.array([float(side[k]) for side in bounds]) for k in (0, 1))
    with np.errstate(all="ignore"):
        curve = trace_curve(
            tape_curve,
            curve_parameters([p.expression for p in equations], names),
            np.clip(place, low, high),
            lower=low,
            upper=high,
            fold_coordinates=(last,),
            options=_OPTIONS,
        )
    runs = monotone_runs(curve)
    if not runs:
        return np.array([place]).T
    start = np.asarray(place)
    nearest = min(runs, key=lambda run: float(np.abs((run - start) / (high - low)).max(axis=1).min()))
    return np.ascontiguousarray(nearest.T)


def _share(name: str, low: Fraction, high: Fraction) -> Expression:
    """Return the distance of a variable from the middle of an interval, in units of half of it."""
    middle, half = (low + high) / 2, (high - low) / 2
    return multiply(Number(1 / half), Call("abs", add(Variable(name), Number(-middle))))
