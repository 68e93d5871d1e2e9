"""Canard points and singular Hopf points near a model, in each of its parameters, to first order in the slow rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from fastslow.bifurcation.functions import Formula
from fastslow.errors import InputError
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.exact import exact
from fastslow.systems.expressions import evaluate
from fastslow.systems.families import Family, family_of, parameters_of
from fastslow.systems.formula_families import formulas_of
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.system import FastSlowSystem

_Partial = Callable[[str, int, int, float, float], float]
"""The partial derivative of "f" or "g" so many times by x and by y, at x and y."""
_Member = Callable[[float], _Partial | None]
"""The derivatives at a value of a parameter, None where the model is not valid."""

_MOST_PARAMETERS, _MOST_FOLDS, _MOST_STEPS = 6, 6, 15
_STEP, _REACHED = 1e-4, 1e-10
"""Step of difference quotients, and of Newton's method at its end, in units of the parameter or of 1."""
_ZERO = 1e-9
"""A slope below this in units of the other derivatives is rounding."""
_NEARBY = 2.0
"""How far from its value a parameter is followed, in units of the value or of 1."""


@dataclass(frozen=True)
class CanardPoint:
    """A canard point of a model in one parameter, all others as they are.

    Attributes
    ----------
    fold : str
        The fold that becomes it.
    parameter : str
        The parameter.
    present : float
        Its value in the model.
    value : float
        Its value at which the fold is an equilibrium.
    x, y : float
        Where that is.
    criticality : float
        The number A of Krupa and Szmolyan: the Hopf bifurcation is supercritical where it is negative.
    hopf_slope, canard_slope : float
        The Hopf point is at value + hopf_slope slow_rate + ..., the maximal canard likewise.
    slow_rate : float
        That of the model.

    References
    ----------
    M. Krupa and P. Szmolyan, SIAM J. Math. Anal. 33 (2001) 286, theorems 3.1 and 3.2, J. Differ. Equ. 174 (2001) 312.
    """

    fold: str
    parameter: str
    present: float
    value: float
    x: float
    y: float
    criticality: float
    hopf_slope: float
    canard_slope: float
    slow_rate: float

    @property
    def kind(self) -> str:
        """The kind of the Hopf bifurcation."""
        return "supercritical" if self.criticality < 0.0 else "subcritical" if self.criticality > 0.0 else "degenerate"

    @property
    def hopf(self) -> float:
        """The parameter of the Hopf point, to first order in the slow rate."""
        return self.value + self.hopf_slope * self.slow_rate

    @property
    def canard(self) -> float:
        """The parameter of the maximal canard, to first order in the slow rate."""
        return self.value + self.canard_slope * self.slow_rate


def canard_points(system: FastSlowSystem, points: tuple[SpecialPoint, ...]) -> tuple[CanardPoint, ...]:
    """Return the canard points to which the folds of a model come when one of its own parameters is varied.

    A parameter that does not reach one within twice its size (or 2) is left out, so are folded saddles. A system with
    an energy has none.

    Parameters
    ----------
    system : FastSlowSystem
        With numbers in its `parameters`; the slow rate is not varied.
    points : tuple of SpecialPoint
        Special points of its critical manifold.
    """
    if system.energy_polynomial is not None:
        return ()
    known = parameters_of(system)
    names = [name for name in system.parameters if name in known and name != "slow_rate"]
    folds = [p for p in points if p.is_a(Kind.FOLD) and p.multiplicity.get(Kind.FOLD, 1) == 1]
    if not folds or not any(p.is_a(Kind.EQUILIBRIUM) for p in points):
        return ()
    found: dict[tuple[str, ...], tuple[float, CanardPoint]] = {}
    for name in names[:_MOST_PARAMETERS]:
        member = _members(system, name)
        start = float(exact(system.parameters[name], name))
        for fold in folds[:_MOST_FOLDS]:
            point = _canard_point(member, float(system.slow_rate), name, start, fold)
            if point is None or not system.lower <= point.x <= system.upper:
                continue
            # Folds that meet on the way come to one place: it belongs to the one that is nearer.
            place = (name, *(f"{number:.8g}" for number in (point.value, point.x, point.y)))
            away = abs(point.x - fold.x)
            if place not in found or away < found[place][0]:
                found[place] = away, point
    return tuple(point for _, point in found.values())


def _members(system: FastSlowSystem, name: str) -> _Member:
    """Return the members of the family in one parameter by their derivatives.

    Each value of a parameter of formulas would be a new model, whose domain is proved again: their derivatives are
    taken with the parameter as a variable.
    """
    family = family_of(system, name)
    return _of_formulas(family, system) if isinstance(system, FormulaSystem) else _of_polynomials(family)


def _of_polynomials(family: Family) -> _Member:
    def member(value: float) -> _Partial | None:
        try:
            system = family.at(Fraction(value))
        except InputError:
            return None
        return lambda of, i, j, x, y: float(system.partial(of, i, j, x, y))

    return member


def _of_formulas(family: Family, system: FormulaSystem) -> _Member:
    try:
        formulas = formulas_of(family, system)
    except InputError:  # a parameter that only the slow rate depends on, or none does
        return lambda value: None
    fields = {"f": Formula(formulas.fast_field, formulas.names), "g": Formula(formulas.slow_field, formulas.names)}

    @cache
    def derivative(of: str, i: int, j: int) -> Formula:
        return (
            derivative(of, i - 1, j).derivative(0) if i else derivative(of, 0, j - 1).derivative(1) if j else fields[of]
        )

    def member(value: float) -> _Partial:
        return lambda of, i, j, x, y: float(
            evaluate(derivative(of, i, j).expression, dict(zip(formulas.names, (x, y, value), strict=True)))
        )

    return member


def _canard_point(member: _Member, slow_rate: float, name: str, start: float, fold: SpecialPoint) -> CanardPoint | None:
    """Return the canard point by the secant method for g = 0 on the fold."""
    size = max(1.0, abs(start))
    before, now = start, start + _STEP * size
    place = _fold_of(member, start, fold.x, fold.y)
    if place is None:
        return None
    g, x, y = place[0]("g", 0, 0, *place[1:]), *place[1:]
    for _ in range(_MOST_STEPS):
        place = _fold_of(member, now, x, y)
        if place is None:
            return None
        x, y = place[1:]
        last, g = g, place[0]("g", 0, 0, x, y)
        if g == last:
            return None
        step = -g * (now - before) / (g - last)
        before, now = now, now + step
        if not abs(now - start) <= _NEARBY * size:
            return None
        if abs(step) <= _REACHED * size:
            break
    else:
        return None
    place, slope = _fold_of(member, now, x, y), _slope(member, now, x, y, _STEP * size)
    if place is None or slope is None or slope == 0.0:
        return None
    return _normal_form(place[0], slow_rate, fold.id, name, (start, now), *place[1:], slope)


def _slope(member: _Member, value: float, x: float, y: float, step: float) -> float | None:
    """Return dg / d parameter along the folds at a parameter."""
    sides = [_fold_of(member, value + k * step, x, y) for k in (1, -1)]
    values = [side[0]("g", 0, 0, *side[1:]) for side in sides if side is not None]
    return (values[0] - values[1]) / (2.0 * step) if len(values) == 2 else None


def _fold_of(member: _Member, value: float, x: float, y: float) -> tuple[_Partial, float, float] | None:
    """Return the derivatives at a parameter and its fold f = f_x = 0 beside (x, y), by Newton's method."""
    partial = member(value)
    if partial is None:
        return None
    for _ in range(20):
        f, f_x, f_y, f_xx, f_xy = (partial("f", *o, x, y) for o in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1)))
        determinant = f_x * f_xy - f_y * f_xx
        if determinant == 0.0 or not math.isfinite(determinant):
            return None
        dx, dy = (f_y * f_x - f_xy * f) / determinant, (f_xx * f - f_x * f_x) / determinant
        x, y = x + dx, y + dy
        if abs(dx) + abs(dy) <= 1e-14 * (1.0 + abs(x) + abs(y)):
            break
    return (partial, x, y) if abs(f) + abs(f_x) < 1e-6 else None


def _normal_form(
    partial: _Partial,
    slow_rate: float,
    fold: str,
    name: str,
    values: tuple[float, float],
    x: float,
    y: float,
    slope: float,
) -> CanardPoint | None:
    """Return the canard point with what its normal form says; None where it is none.

    With X = 2 xi / f_xx and Y = -2 eta / (f_xx f_y) the system is xi' = -eta h_1 + xi^2 h_2, eta' = e (xi h_4 - l h_5 +
    eta h_6), e = -slow_rate f_y g_x > 0, h_1 = 1 + a_2 xi, h_2 = 1 + a_3 xi, h_4 = 1 + a_4 xi, h_6 = a_5. Then
    A = -a_2 + 3 a_3 - 2 a_4 - 2 a_5, and l is -a_5 e / 2 at the Hopf point, -(a_5 / 2 + A / 8) e at the canard.
    """

    def at(of: str, i: int, j: int) -> float:
        return partial(of, i, j, x, y)

    f_xx, f_y, g_x = at("f", 2, 0), at("f", 0, 1), at("g", 1, 0)
    if not f_y * g_x < 0.0 or f_xx == 0.0:
        return None
    if abs(g_x) <= _ZERO * (abs(at("g", 0, 1)) + abs(at("g", 2, 0)) + abs(at("g", 1, 1))):
        return None  # on a line y = const where g vanishes: g_x is rounding
    a_2 = 2.0 * at("f", 1, 1) / (f_xx * f_y)
    a_3 = 2.0 * at("f", 3, 0) / (3.0 * f_xx**2)
    a_4 = at("g", 2, 0) / (f_xx * g_x)
    a_5 = -at("g", 0, 1) / (f_y * g_x)
    number = -a_2 + 3.0 * a_3 - 2.0 * a_4 - 2.0 * a_5
    # l = -(dg / d parameter) f_xx / (2 g_x) times the parameter; e = -f_y g_x slow_rate.
    scale = 2.0 * g_x * f_y * g_x / (slope * f_xx)
    hopf, canard = -a_5 / 2.0 * scale, -(a_5 / 2.0 + number / 8.0) * scale
    return CanardPoint(fold, name, *values, x, y, number, hopf, canard, slow_rate)
