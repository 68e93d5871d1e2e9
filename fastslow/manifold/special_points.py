"""Folds, equilibria, crossings and infinity: every special point of the critical manifold, with its certificate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import flint

from fastslow.manifold.certificates import also_vanishes, common_zeros
from fastslow.manifold.curves import Curve, Shape
from fastslow.systems.algebraic import Number, RealRoot, compare, nearest_double, radius
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, rational
from fastslow.systems.system import FastSlowSystem

_EIGENVALUE_BITS = 512


class Kind(StrEnum):
    """What happens at a special point, in the order in which it names the point."""

    EQUILIBRIUM = "equilibrium"
    FOLD = "fold"
    CROSSING = "crossing"
    INFINITY = "infinity"
    BOUNDARY = "boundary"
    START = "start"


_LETTER = {
    Kind.EQUILIBRIUM: "E",
    Kind.FOLD: "F",
    Kind.CROSSING: "X",
    Kind.INFINITY: "I",
    Kind.BOUNDARY: "W",
    Kind.START: "S",
}


class Stability(StrEnum):
    """Stability of an equilibrium of the full system; CENTER where the linearisation does not decide."""

    STABLE = "stable"
    SADDLE = "saddle"
    UNSTABLE = "unstable"
    CENTER = "center"


@dataclass(frozen=True, eq=False)
class SpecialPoint:
    """A special point of the critical manifold.

    Attributes
    ----------
    id : str
        F1, E1, X1, I1, W1, ... by kind and place.
    kind : Kind
        What it is first of all.
    also : tuple of Kind
        What else it is: a fold that is an equilibrium is a canard point, and so on.
    x, y : float
        Fast and slow coordinate, the doubles nearest to the exact values; y may be infinite.
    curves : tuple of Curve
        The curves it lies on; the first names its branch.
    multiplicity : dict
        Multiplicity as each kind: of a fold as a root of p_x on p = 0 (2 is a cusp), of an equilibrium as a root of g.
    stability : Stability or None
        Of an equilibrium, in the full system at its slow rate.
    eigenvalues : tuple of complex
        Of the full system at an equilibrium, larger modulus first.
    certified : bool
        Whether existence, uniqueness and multiplicity were proved.
    radius : float
        Half width of the first enclosure of the coordinates.
    note : str
        What is degenerate about it, in words.
    """

    id: str
    kind: Kind
    x: float
    y: float
    curves: tuple[Curve, ...]
    also: tuple[Kind, ...] = ()
    multiplicity: dict[Kind, int] = field(default_factory=dict)
    stability: Stability | None = None
    eigenvalues: tuple[complex, ...] = ()
    certified: bool = True
    radius: float = 0.0
    note: str = ""
    exact_x: Number | None = field(default=None, repr=False)
    exact_y: Number | None = field(default=None, repr=False)

    def is_a(self, kind: Kind | str) -> bool:
        """Whether the point is of this kind, first of all or also."""
        return kind in (self.kind, *self.also)

    def __repr__(self) -> str:
        return f"<{self.id} {self.kind} ({self.x:.9g}, {self.y:.9g}){' ' + self.stability if self.stability else ''}>"


@dataclass(eq=False)
class Candidate:
    """A place at which something happens, not yet classified."""

    x: Number
    y: Number
    kinds: dict[Kind, int]
    curves: list[Curve]
    certified: bool

    def same_place(self, other: Candidate) -> bool:
        """Whether both are one point, as far as it can be told."""
        if isinstance(self.x, RealRoot) and isinstance(other.x, RealRoot):
            if not self.x.same(other.x):
                return False
        elif compare(self.x, other.x) != 0:
            return False
        return compare(self.y, other.y) == 0


def finite_points(system: PolynomialSystem, curves: list[Curve]) -> list[SpecialPoint]:
    """Return every fold, equilibrium and crossing of the curves in the window, each place once, in order of x.

    Folds are p = p_x = 0 on a curve p = 0, equilibria p = g = 0, crossings p = q = 0
    with another curve; all are isolated exactly (``certificates.common_zeros``).
    """
    found: list[Candidate] = []
    for i, curve in enumerate(curves):
        p = curve.polynomial
        if curve.shape in (Shape.GRAPH, Shape.ALGEBRAIC):
            _collect(found, system, Kind.FOLD, p, p.derivative(0), [curve])
        if _first_of_its_polynomial(curves, i):
            siblings = [c for c in curves if c.polynomial == p]
            _collect(found, system, Kind.EQUILIBRIUM, p, system.slow_field, siblings)
            for j in range(i):
                other = curves[j]
                if _first_of_its_polynomial(curves, j) and other.polynomial != p and not _parallel(curve, other):
                    relatives = [c for c in curves if c.polynomial == other.polynomial]
                    _collect(found, system, Kind.CROSSING, p, other.polynomial, relatives + siblings)
    return numbered([classified(system, candidate) for candidate in found])


def _parallel(a: Curve, b: Curve) -> bool:
    return a.shape == b.shape and a.shape in (Shape.FAST_LINE, Shape.SLOW_LINE)


def _first_of_its_polynomial(curves: list[Curve], index: int) -> bool:
    """Lines at several roots of one polynomial are several curves; their points are found together."""
    return all(other.polynomial != curves[index].polynomial for other in curves[:index])


def _collect(
    found: list[Candidate],
    system: PolynomialSystem,
    kind: Kind,
    p: Polynomial,
    q: Polynomial,
    curves: Iterable[Curve],
) -> None:
    for zero in common_zeros(p, q, system.lower, system.upper):
        here = [curve for curve in curves if _lies_on(curve, zero.x, zero.y)]
        own, multiplicity = kind, zero.multiplicity
        if kind is Kind.FOLD and p.degrees()[1] > 1 and also_vanishes(p.derivative(1), zero):
            own, multiplicity = Kind.CROSSING, 1  # the curve crosses itself
        join(found, Candidate(zero.x, zero.y, {own: multiplicity}, here, zero.certified or own is Kind.CROSSING))


def join(found: list[Candidate], candidate: Candidate) -> None:
    """Add a candidate to a list, or what it is to the one that is already at its place."""
    twin = next((other for other in found if other.same_place(candidate)), None)
    if twin is None:
        found.append(candidate)
        return
    for kind, multiplicity in candidate.kinds.items():
        twin.kinds[kind] = max(twin.kinds.get(kind, 0), multiplicity)
    twin.curves += [curve for curve in candidate.curves if curve not in twin.curves]
    twin.certified = twin.certified and candidate.certified


def _lies_on(curve: Curve, x: Number, y: Number) -> bool:
    """Whether a zero of the polynomial of `curve` is on it: matters for lines at several roots of one polynomial."""
    if curve.position is None or getattr(curve.position, "exact", None) is not None:
        return True
    value = x if curve.shape is Shape.FAST_LINE else y
    return bool(value.ball().overlaps(curve.position.ball()))


def classified(system: FastSlowSystem, candidate: Candidate) -> SpecialPoint:
    """Return the special point at a candidate, with its stability where it is an equilibrium."""
    kinds = [kind for kind in Kind if kind in candidate.kinds]
    curves = candidate.curves
    if kinds[0] is Kind.EQUILIBRIUM and len(curves) > 1:
        # An equilibrium on an invariant line belongs to the line; the branch only meets it there.
        curves = sorted(curves, key=lambda c: c.shape is not Shape.FAST_LINE)
    point = SpecialPoint(
        id="",
        kind=kinds[0],
        x=nearest_double(candidate.x) + 0.0,
        y=nearest_double(candidate.y) + 0.0,
        curves=tuple(curves),
        also=tuple(kinds[1:]),
        multiplicity=dict(candidate.kinds),
        certified=candidate.certified,
        radius=max(radius(candidate.x), radius(candidate.y)),
        exact_x=candidate.x,
        exact_y=candidate.y,
    )
    if Kind.EQUILIBRIUM in kinds:
        stability, eigenvalues = _linearised(system, candidate.x, candidate.y)
        point = replace(point, stability=stability, eigenvalues=eigenvalues)
    return replace(point, note=_degeneracy(point))


def _linearised(system: FastSlowSystem, x: Number, y: Number) -> tuple[Stability, tuple[complex, ...]]:
    """Return stability and eigenvalues; the signs of trace and determinant are proved or the answer is CENTER."""
    with flint.ctx.workprec(_EIGENVALUE_BITS):
        at = (x.ball(_EIGENVALUE_BITS), y.ball(_EIGENVALUE_BITS))
        f_x, f_y = (system.enclose("f", 1 - k, k, *at) for k in (0, 1))
        rate = flint.arb(rational(system.slow_rate))
        g_x, g_y = (rate * system.enclose("g", 1 - k, k, *at) for k in (0, 1))
        trace, determinant = f_x + g_y, f_x * g_y - f_y * g_x
        discriminant = trace * trace / 4 - determinant
        root = flint.acb(discriminant.mid()).sqrt()
        both = [trace / 2 + sign * root for sign in (1, -1)]
        values = sorted((complex(float(v.real.mid()), float(v.imag.mid())) for v in both), key=abs, reverse=True)
        if determinant < 0:
            stability = Stability.SADDLE
        elif determinant > 0 and trace < 0:
            stability = Stability.STABLE
        elif determinant > 0 and trace > 0:
            stability = Stability.UNSTABLE
        else:
            stability = Stability.CENTER
            # What the enclosures cannot tell from zero is zero, not the rounding of its middle.
            if determinant.contains(0):
                values = [complex(float(trace.mid())), 0j] if not trace.contains(0) else [0j, 0j]
            else:
                values = [complex(0.0, v.imag) for v in values]
    return stability, tuple(complex(v.real + 0.0, v.imag + 0.0) for v in values)


def _degeneracy(point: SpecialPoint) -> str:
    notes = []
    if point.is_a(Kind.FOLD) and point.is_a(Kind.EQUILIBRIUM):
        notes.append("canard point: a fold that is an equilibrium")
    if point.multiplicity.get(Kind.FOLD, 1) > 1:
        cusp = "cusp (hysteresis point): " if point.multiplicity[Kind.FOLD] == 2 and point.certified else ""
        notes.append(f"{cusp}fold of multiplicity {point.multiplicity[Kind.FOLD]}")
    if point.is_a(Kind.CROSSING) and point.is_a(Kind.EQUILIBRIUM):
        notes.append("a crossing that is an equilibrium")
    elif point.multiplicity.get(Kind.EQUILIBRIUM, 1) > 1:
        notes.append(f"equilibrium of multiplicity {point.multiplicity[Kind.EQUILIBRIUM]}")
    if point.is_a(Kind.CROSSING) and point.is_a(Kind.FOLD):
        notes.append("a fold at a crossing")
    if point.stability is Stability.CENTER:
        zero = any(v == 0 for v in point.eigenvalues)
        notes.append("zero eigenvalue" if zero else "purely imaginary eigenvalues")
    return "; ".join(notes)


def numbered(points: list[SpecialPoint]) -> list[SpecialPoint]:
    """Return the points in order of (x, y) with their ids."""
    counts: dict[Kind, int] = {}
    named = []
    for point in sorted(points, key=lambda p: (p.x, p.y)):
        counts[point.kind] = counts.get(point.kind, 0) + 1
        named.append(replace(point, id=f"{_LETTER[point.kind]}{counts[point.kind]}"))
    return named


def end_point(kind: Kind, number: int, x: float, y: float, curve: Curve, exact_x: Number | None) -> SpecialPoint:
    """Return a point at infinity or on the window's edge, where a branch ends."""
    return SpecialPoint(f"{_LETTER[kind]}{number}", kind, x, y, (curve,), exact_x=exact_x)
