"""The special points of a family as plane algebraic curves, and the parameter values at which these meet.

In a family with one parameter s every special point of the critical manifold has a coordinate u that solves
q(u, s) = 0: the fast coordinate x where it moves along a curve, the slow coordinate y where it moves on a line
x = const. Between neighbouring real roots of the discriminants and mutual resultants of all q the real u are
simple, keep their number and their order (cylindrical algebraic decomposition), so nothing can happen there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.systems.family_polynomials import FamilyPolynomials
from fastslow.systems.polynomials import Polynomial, Univariate, at_value, coefficients, formatted, rational, univariate


class Role(StrEnum):
    """What the points of a locus are; the order names a point that is several things."""

    POLE = "infinity"
    FOLD = "fold"
    EQUILIBRIUM = "equilibrium"
    CROSSING = "crossing"
    VERTICAL = "vertical tangent"
    LINE = "line"
    START = "line of starts"
    EDGE = "window's edge"
    DELAYED = "delayed exit"


FAST, SLOW, PARAMETER = 0, 1, 2
"""The places of x, y and s among the variables of a family's polynomials."""


@dataclass(frozen=True, eq=False)
class CurveFamily:
    """An irreducible factor p(x, y, s) of f, with its multiplicity in f."""

    polynomial: Polynomial
    multiplicity: int

    @property
    def moves(self) -> bool:
        """Whether it is neither a line x = const nor a line y = const."""
        degrees = self.polynomial.degrees()
        return bool(degrees[FAST] > 0 and degrees[SLOW] > 0)


@dataclass(frozen=True, eq=False)
class Place:
    """One meaning of a locus: its points lie on `curve` and solve `condition` = 0 too.

    `condition` is None for a pole and a line; `curve` is None for the line of starts and the window's edge as such.
    """

    role: Role
    curve: int | None
    condition: Polynomial | None = None


@dataclass(frozen=True, eq=False)
class Locus:
    """An irreducible q(u, s) that special points solve, u being x or (`variable` 1) y.

    Attributes
    ----------
    polynomial : Polynomial
        Irreducible, in u and s.
    variable : int
        0 where u is the fast coordinate, 1 where it is the slow one.
    places : tuple of Place
        What these points are.
    """

    polynomial: Polynomial
    variable: int
    places: tuple[Place, ...]

    def at(self, value: Fraction) -> Univariate:
        """Return u -> q(u, value), exact."""
        return univariate(at_value(self.polynomial, PARAMETER, value), self.variable)

    def place(self, role: Role) -> Place | None:
        """Return the first meaning with a role."""
        return next((place for place in self.places if place.role is role), None)


@dataclass(frozen=True, eq=False)
class Meeting:
    """Parameter values, the roots of `values`, at which a locus meets another, itself, or (None) y = infinity."""

    values: Univariate
    first: Locus
    second: Locus | None


@dataclass(frozen=True, eq=False)
class Loci:
    """All loci of a family of one parameter.

    Attributes
    ----------
    polynomials : FamilyPolynomials
        Of the family.
    curves : tuple of CurveFamily
        The irreducible factors of f.
    loci : tuple of Locus
        The special points.
    ends : tuple of Locus
        The slow values at which curves meet the line of starts and the window's edges.
    degenerate : tuple of Univariate
        Their roots are parameter values at which a whole curve or locus degenerates.
    """

    polynomials: FamilyPolynomials
    curves: tuple[CurveFamily, ...]
    loci: tuple[Locus, ...]
    ends: tuple[Locus, ...]
    degenerate: tuple[Univariate, ...]


class _Collector:
    def __init__(self) -> None:
        self.found: dict[tuple[str, int], tuple[Polynomial, list[Place]]] = {}
        self.degenerate: list[Univariate] = []

    def add(self, q: Polynomial, variable: int, place: Place) -> None:
        """Add the irreducible factors of q, which is free of the other variable."""
        for part, _ in q.factor()[1]:
            if part.degrees()[variable] <= 0:
                self.degenerate.append(univariate(part, PARAMETER))
                continue
            places = self.found.setdefault((formatted(part), variable), (part, []))[1]
            places.append(place)

    def loci(self) -> tuple[Locus, ...]:
        order = list(Role)
        return tuple(
            Locus(q, variable, tuple(sorted(places, key=lambda place: order.index(place.role))))
            for (_, variable), (q, places) in self.found.items()
        )


def loci_of(polynomials: FamilyPolynomials, window: tuple[Fraction, Fraction], start_fast: Polynomial) -> Loci:
    """Return the loci of all special points of a family.

    Parameters
    ----------
    polynomials : FamilyPolynomials
        Of a family of one parameter.
    window : (lower, upper)
        Of the fast variable.
    start_fast : Polynomial
        The fast coordinate of the line of starts, a polynomial in the parameter.
    """
    f, g = polynomials.fast_field, polynomials.slow_field
    context = f.context()
    x = context.gen(FAST)
    names = context.names()
    collector = _Collector()
    curves = []
    for part, multiplicity in f.factor()[1]:
        if part.degrees()[FAST] <= 0 and part.degrees()[SLOW] <= 0:
            collector.degenerate.append(univariate(part, PARAMETER))
        else:
            curves.append(CurveFamily(part, multiplicity))
    for i, curve in enumerate(curves):
        p = curve.polynomial
        others = [(other.polynomial, Place(Role.CROSSING, i, other.polynomial)) for other in curves if other != curve]
        conditions = [(g, Place(Role.EQUILIBRIUM, i, g)), *others]
        if p.degrees()[SLOW] <= 0:  # lines x = const: their points move in y
            collector.add(p, FAST, Place(Role.LINE, i))
            for q, place in conditions:
                if q.degrees()[SLOW] > 0:
                    collector.add(_eliminated(p, q, names[FAST]), SLOW, place)
            continue
        if not curve.moves:
            collector.add(p, SLOW, Place(Role.LINE, i))
        else:
            rows = coefficients(p, SLOW)
            collector.add(rows[-1], FAST, Place(Role.POLE, i))
            if len(rows) > 2:
                collector.add(p.discriminant(names[SLOW]), FAST, Place(Role.VERTICAL, i, p.derivative(SLOW)))
            p_x = p.derivative(FAST)
            conditions.append((p_x, Place(Role.FOLD, i, p_x)))
        for q, place in conditions:
            if q.degrees()[SLOW] > 0 or q.degrees()[FAST] > 0:
                collector.add(_eliminated(p, q, names[SLOW]), FAST, place)
    ends = _Collector()
    for line, role in ((x - start_fast, Role.START), *((x - rational(edge), Role.EDGE) for edge in window)):
        collector.add(line, FAST, Place(role, None))
        for i, curve in enumerate(curves):
            above = curve.polynomial.resultant(line, names[FAST]) if curve.moves else curve.polynomial * 0
            if not above.is_zero():
                ends.add(above, SLOW, Place(role, i, line))
    return Loci(polynomials, tuple(curves), collector.loci(), ends.loci(), tuple(collector.degenerate))


def _eliminated(p: Polynomial, q: Polynomial, name: str) -> Polynomial:
    """Return what p and q require of the other variables; p has a positive degree in the one that is named."""
    variable = p.context().names().index(name)
    left = q if q.degrees()[variable] <= 0 else p.resultant(q, name)
    if left.is_zero():
        rule = f"vanishes on the whole curve {formatted(p)} = 0 for every parameter, so special points are not isolated"
        raise InputError("slow_field", formatted(q), rule, "Divide the common factor out of the system")
    return left


def meetings_of(loci: Loci) -> list[Meeting]:
    """Return all meetings of loci that can lie at one point of the plane, with themselves too."""
    found = []
    for a, b in itertools.chain(((a, a) for a in loci.loci), itertools.combinations(loci.loci, 2)):
        if a.variable != b.variable or (a is not b and not _on_a_common_curve(a, b)):
            continue
        name = a.polynomial.context().names()[a.variable]
        if a is not b:
            values = a.polynomial.resultant(b.polynomial, name)
        elif a.polynomial.degrees()[a.variable] > 1:
            values = a.polynomial.discriminant(name)
        else:
            continue
        found.append(Meeting(univariate(values, PARAMETER), a, b))
    for locus in loci.loci:
        if locus.variable == SLOW:
            leading = coefficients(locus.polynomial, SLOW)[-1]
            found.append(Meeting(univariate(leading, PARAMETER), locus, None))
    return found


def _on_a_common_curve(a: Locus, b: Locus) -> bool:
    """Whether points of both can be at one place: the line of starts and the window's edge are on every curve."""
    return bool(_curves(a.places) & _curves(b.places)) or any(
        place.curve is None for locus in (a, b) for place in locus.places
    )


def _curves(places: Iterable[Place]) -> set[int | None]:
    return {place.curve for place in places}
