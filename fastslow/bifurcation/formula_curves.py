"""Folds and equilibria of systems of formulas in one parameter, by continuation from proved sections."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram
from fastslow.core.tape import tape_curve
from fastslow.errors import InputError
from fastslow.manifold.continuation import ContinuationOptions, CurveEvent, TracedCurve, trace_curve
from fastslow.manifold.isolation import isolate
from fastslow.systems.algebraic import nearest_double
from fastslow.systems.expression_factors import factored
from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import Expression, Number, Variable, add, derivative, evaluate, multiply, negative
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.formulas import parse_formula
from fastslow.systems.model_files import parameter_values
from fastslow.systems.tapes import curve_parameters

Array = NDArray[np.float64]

_SECTIONS = 9
_ON_CURVE = 1e-6
"""Distance from a curve, in units of the window, at which a point of a section is on it."""
_OPTIONS = ContinuationOptions(max_step=0.01)


@dataclass(frozen=True, eq=False)
class _Equations:
    """What is followed on one factor of f: two formulas in (x, y, p), and test functions by name."""

    factor: Expression
    second: Expression
    tests: dict[str, Expression]


def formula_diagram(family: Family, sample: FormulaSystem, axes: tuple[Axis, ...], kind: str) -> Diagram:
    """Return the folds f = f_x = 0 or the equilibria f = g = 0 of a family of formulas over one parameter.

    At sections p = const every one of them is isolated with proof; the curves through them are followed in
    (x, y, p). A curve that meets no section is not found, so that the diagram is never called complete.

    Raises
    ------
    InputError
        If f or g cannot be written as a formula in the parameter.
    """
    problem = _Problem(sample, family.names[0], axes[0])
    curves: list[BifurcationCurve] = []
    points: list[BifurcationPoint] = []
    counts = dict.fromkeys(problem.sections, 0)
    notes = []
    for equations in problem.equations(kind):
        traced: list[TracedCurve] = []
        for value in problem.sections:
            places, undecided = problem.section(equations, value)
            counts[value] += len(places)
            if undecided:
                notes.append(f"Not shown: {undecided} small boxes at {problem.name} = {float(value):g} are undecided.")
            for place in places:
                if not any(problem.meets(curve, place) for curve in traced):
                    traced.append(problem.follow(equations, place))
                    if not traced[-1].converged:
                        at = ", ".join(f"{v:.9g}" for v in place)
                        notes.append(f"Not shown: the curve at ({at}): {traced[-1].status_sentence}")
        for curve in (curve for curve in traced if curve.converged):
            curves.append(problem.curve(equations, curve, kind, len(curves) + 1))
            points += problem.points(equations, curve, kind, curves[-1].id)
    notes.append(
        f"Not shown: curves that meet none of the {len(counts)} values of {problem.name} at which all points were "
        "isolated; f and g are no polynomials."
    )
    sections = tuple((float(value), count) for value, count in counts.items())
    ordered = tuple(sorted(points, key=lambda p: (p.parameters, p.x, p.y)))
    return Diagram(family, sample, axes, kind, tuple(curves), ordered, False, sections, tuple(dict.fromkeys(notes)))


class _Problem:
    def __init__(self, sample: FormulaSystem, name: str, axis: Axis) -> None:
        table, (fast, slow) = sample.table(), sample.names
        self.name, self.sample, self.names = name, sample, (fast, slow, name)
        values = {key: value for key, value in parameter_values(table).items() if key != name}
        entries = [parse_formula(text, self.names, f"f[{i}]", values) for i, text in enumerate(table["f"])]
        self.g = parse_formula(table["g"], self.names, "g", values)
        self.f = multiply(*entries)
        self.factors = factored(entries, self.names)
        self.rate: Expression = Variable(name) if name == "slow_rate" else Number(sample.slow_rate)
        self.bounds = [(sample.lower, sample.upper), sample.slow_window, (axis.low, axis.high)]
        self.low, self.high = (np.array([float(pair[k]) for pair in self.bounds]) for k in (0, 1))
        span = axis.high - axis.low
        self.sections = [axis.low + span * Fraction(k, _SECTIONS - 1) for k in range(_SECTIONS)]

    def equations(self, kind: str) -> list[_Equations]:
        """Return what is followed on each factor of f in both variables, or for equilibria on any."""
        x, y = self.names[:2]
        found = []
        parts = self.factors.parts
        for i, (e, multiplicity) in enumerate(zip(parts, self.factors.multiplicities, strict=True)):
            e_x, e_y = derivative(e, x), derivative(e, y)
            if kind == "fold":
                if multiplicity == 1 and e_x != Number(Fraction(0)) != e_y:
                    tests = {"cusp": derivative(e, x, 2), "canard point": self.g, "branch point": e_y}
                    found.append(_Equations(e, e_x, tests))
                continue
            trace = add(derivative(self.f, x), multiply(self.rate, derivative(self.g, y)))
            determinant = add(multiply(e_x, derivative(self.g, y)), negative(multiply(e_y, derivative(self.g, x))))
            tests = {"hopf": trace, "saddle-node": determinant}
            if len(parts) > 1:
                tests["transcritical"] = multiply(*parts[:i], *parts[i + 1 :])
            found.append(_Equations(e, self.g, tests))
        return found

    def section(self, equations: _Equations, value: Fraction) -> tuple[list[Array], int]:
        """Return all points at one value of the parameter, and the number of undecided boxes."""
        pair = [substituted(e, {self.name: value}) for e in (equations.factor, equations.second)]
        if all(not isinstance(e, Number) for e in pair):
            found = isolate(pair, self.names[:2], self.bounds[:2])
            places = [np.array([*map(nearest_double, zero), float(value)]) for zero in found.zeros]
            return places, len(found.undecided)
        return [], 0

    def follow(self, equations: _Equations, place: Array) -> TracedCurve:
        formulas = [equations.factor, equations.second, *equations.tests.values()]
        return trace_curve(
            tape_curve,
            curve_parameters(formulas, self.names),
            place,
            lower=self.low,
            upper=self.high,
            fold_coordinates=(2,),
            test_names=tuple(equations.tests),
            options=_OPTIONS,
        )

    def meets(self, curve: TracedCurve, place: Array) -> bool:
        """Whether a traced curve passes a place: between two of its points the chord is near enough."""
        if not curve.converged:
            return False
        points = (curve.points - self.low) / (self.high - self.low)
        at = (place - self.low) / (self.high - self.low)
        step = np.diff(points, axis=0)
        length = np.maximum((step**2).sum(axis=1), 1e-300)
        share = np.clip(((at - points[:-1]) * step).sum(axis=1) / length, 0.0, 1.0)
        away = np.linalg.norm(points[:-1] + share[:, None] * step - at, axis=1)
        # The sagitta of a step is below its length squared times the curvature that its turn shows.
        return bool(np.any(away <= np.maximum(_ON_CURVE, length)))

    def values(self, e: Expression, points: Array) -> Array:
        return evaluate(e, dict(zip(self.names, points.T, strict=True)))

    def stability(self, points: Array, kind: str) -> tuple[str, ...]:
        x, y = self.names[:2]
        if kind == "fold":
            bend = self.values(derivative(self.f, x, 2), points)
            return tuple("attracting below" if b > 0 else "attracting above" if b < 0 else "" for b in bend)
        f_x, f_y, g_x, g_y, rate = (
            self.values(e, points) for e in (*(derivative(of, v) for of in (self.f, self.g) for v in (x, y)), self.rate)
        )
        trace, determinant = f_x + rate * g_y, f_x * g_y - f_y * g_x
        words = np.where(determinant < 0, "saddle", np.where(trace < 0, "stable", "unstable"))
        return tuple(np.where((determinant == 0) | ((determinant > 0) & (trace == 0)), "center", words).tolist())

    def curve(self, equations: _Equations, curve: TracedCurve, kind: str, number: int) -> BifurcationCurve:
        points = curve.points
        ends = tuple(reason.sentence for reason in curve.stop_reasons)
        return BifurcationCurve(
            f"{kind[0].upper()}{number}",
            kind,
            f"{equations.factor} = 0",
            points[:, 0],
            points[:, 1],
            points[:, 2][None],
            self.stability(points, kind),
            curve.closed,
            (ends[0], ends[1]),
        )

    def points(self, equations: _Equations, curve: TracedCurve, kind: str, id: str) -> list[BifurcationPoint]:
        found = []
        for event in curve.events:
            name = self.name_of(equations, event, kind)
            if name is not None:
                x, y, p = map(float, event.point)
                found.append(BifurcationPoint(name, x, y, (p,), (id,)))
        return found

    def name_of(self, equations: _Equations, event: CurveEvent, kind: str) -> str | None:
        if event.kind in ("fold", "branch point") or (kind == "equilibrium" and event.kind == "saddle-node"):
            # Where p turns back, and where the determinant vanishes, are the same points but for crossings.
            return "branch point" if event.kind == "branch point" else "saddle-node" if event.kind != "fold" else None
        if event.kind == "hopf":
            determinant = self.values(equations.tests["saddle-node"], event.point[None])[0]
            rest = self.values(derivative(self.f, self.names[0]), event.point[None])[0]
            factor = self.values(derivative(equations.factor, self.names[0]), event.point[None])[0]
            return "hopf" if determinant * (rest / factor if factor else 1.0) > 0 else None
        return event.kind


def check_one_parameter(family: Family) -> None:
    """Refuse families of formulas in two parameters."""
    if len(family.names) != 1:
        rule = "are two parameters, which needs polynomial f and g"
        raise InputError("axes", ", ".join(family.names), rule, "Follow curves in one parameter at a time")
