"""Canard points and singular Hopf points near a model, in each of its parameters, to first order in the slow rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.exact import exact
from fastslow.systems.families import Family, family_of, parameters_of
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.system import FastSlowSystem

_MOST_PARAMETERS, _MOST_FOLDS, _MOST_STEPS = 6, 6, 15
_MOST_OF_FORMULAS = 2
"""Parameters of a model of formulas that are varied."""
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

    A parameter that does not reach one within twice its size (or 2) is left out, so are folded saddles. Of a model of
    formulas the first two parameters are varied, and the fold next to an equilibrium is followed. A system with an
    energy has none.

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
    rests = [p.x for p in points if p.is_a(Kind.EQUILIBRIUM)]
    if not folds or not rests:
        return ()
    if not isinstance(system, PolynomialSystem):
        # Each value of a parameter is a new model of formulas, whose domain is proved again.
        names, folds = names[:_MOST_OF_FORMULAS], [min(folds, key=lambda p: min(abs(p.x - x) for x in rests))]
    found = []
    for name in names[:_MOST_PARAMETERS]:
        family, value = family_of(system, name), exact(system.parameters[name], name)
        for fold in folds[:_MOST_FOLDS]:
            point = _canard_point(family, name, float(value), fold)
            if point is not None and system.lower <= point.x <= system.upper:
                found.append(point)
    return tuple(found)


def _canard_point(family: Family, name: str, start: float, fold: SpecialPoint) -> CanardPoint | None:
    """Return the canard point by the secant method for g = 0 on the fold."""
    size = max(1.0, abs(start))
    before, now = start, start + _STEP * size
    place = _fold_of(family, start, fold.x, fold.y)
    if place is None:
        return None
    g, x, y = place[0].g(*place[1:]), *place[1:]
    for _ in range(_MOST_STEPS):
        place = _fold_of(family, now, x, y)
        if place is None:
            return None
        x, y = place[1:]
        last, g = g, place[0].g(x, y)
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
    place, slope = _fold_of(family, now, x, y), _slope(family, now, x, y, _STEP * size)
    if place is None or slope is None or slope == 0.0:
        return None
    return _normal_form(place[0], fold.id, name, (start, now), *place[1:], slope)


def _slope(family: Family, value: float, x: float, y: float, step: float) -> float | None:
    """Return dg / d parameter along the folds at a parameter."""
    sides = [_fold_of(family, value + k * step, x, y) for k in (1, -1)]
    values = [side[0].g(*side[1:]) for side in sides if side is not None]
    return (values[0] - values[1]) / (2.0 * step) if len(values) == 2 else None


def _fold_of(family: Family, value: float, x: float, y: float) -> tuple[FastSlowSystem, float, float] | None:
    """Return the system at a parameter and its fold f = f_x = 0 beside (x, y), by Newton's method."""
    try:
        system = family.at(Fraction(value))
    except InputError:
        return None
    for _ in range(20):
        f, f_x, f_y, f_xx, f_xy = (
            float(system.partial("f", *o, x, y)) for o in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1))
        )
        determinant = f_x * f_xy - f_y * f_xx
        if determinant == 0.0 or not math.isfinite(determinant):
            return None
        dx, dy = (f_y * f_x - f_xy * f) / determinant, (f_xx * f - f_x * f_x) / determinant
        x, y = x + dx, y + dy
        if abs(dx) + abs(dy) <= 1e-14 * (1.0 + abs(x) + abs(y)):
            break
    return (system, x, y) if abs(f) + abs(f_x) < 1e-6 else None


def _normal_form(
    system: FastSlowSystem, fold: str, name: str, values: tuple[float, float], x: float, y: float, slope: float
) -> CanardPoint | None:
    """Return the canard point with what its normal form says; None where it is none.

    With X = 2 xi / f_xx and Y = -2 eta / (f_xx f_y) the system is xi' = -eta h_1 + xi^2 h_2, eta' = e (xi h_4 - l h_5 +
    eta h_6), e = -slow_rate f_y g_x > 0, h_1 = 1 + a_2 xi, h_2 = 1 + a_3 xi, h_4 = 1 + a_4 xi, h_6 = a_5. Then
    A = -a_2 + 3 a_3 - 2 a_4 - 2 a_5, and l is -a_5 e / 2 at the Hopf point, -(a_5 / 2 + A / 8) e at the canard.
    """

    def at(of: str, i: int, j: int) -> float:
        return float(system.partial(of, i, j, x, y))

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
    return CanardPoint(fold, name, *values, x, y, number, hopf, canard, float(system.slow_rate))
