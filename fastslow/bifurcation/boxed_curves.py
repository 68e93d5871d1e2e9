"""Curves of formulas in a box of (x, y, parameters): found by subdivision, none missing, and then followed.

For n - 1 equations in n variables u, the last of which is a parameter p, the points at one p change in number only
where the determinant of the derivatives by the other variables vanishes too, or where the curve meets a face of the
box. Those are n equations in n variables, and n - 1 in n - 1: all of their zeros are isolated by interval arithmetic.
Between two neighbouring values of p among them one section shows every curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

import numpy as np

from fastslow.bifurcation.elimination import cells
from fastslow.bifurcation.functions import Array, Formula, determinant
from fastslow.bifurcation.space_curves import FormulaCurve, middle_of, traced_through
from fastslow.errors import CertificateError, InputError
from fastslow.manifold.continuation import TracedCurve
from fastslow.manifold.isolation import Coordinate, Isolated, isolate
from fastslow.manifold.many_boxes import has_no_zero
from fastslow.systems.algebraic import Ball, Number, Rational, compare, nearest_double
from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import Expression
from fastslow.systems.expressions import Number as Exact

Bounds = Sequence[tuple[Fraction, Fraction]]

_SPARE_SECTIONS = 8
"""Values of the parameter at which points are isolated, where the critical ones are not known."""
_SAME_BITS = 512
"""Critical values that are alike with so many bits are one."""


@dataclass(frozen=True, eq=False)
class BoxedCurves:
    """All curves of formulas in a box.

    Attributes
    ----------
    space : FormulaCurve
        What is followed.
    traced : list of TracedCurve
        The curves.
    sections : list of (float, int)
        Values of the last variable, and how many points are there.
    critical : list
        Between neighbouring ones of these values the number of points is fixed.
    notes : list of str
        What is not shown, in words; empty where no curve is missing.
    """

    space: FormulaCurve
    traced: list[TracedCurve]
    sections: list[tuple[float, int]]
    critical: list[Number] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def zeros_of(functions: Sequence[Formula], bounds: Bounds) -> Isolated | None:
    """Return all common zeros of n functions of n variables in a box; None where they cannot be isolated."""
    return _isolated([p.expression for p in functions], functions[0].names, bounds)


def _isolated(functions: Sequence[Expression], names: Sequence[str], bounds: Bounds) -> Isolated | None:
    if any(isinstance(e, Exact) and e.value != 0 for e in functions):
        return Isolated([], [])
    if any(isinstance(e, Exact) for e in functions):
        return None
    try:
        found = isolate(functions, names, bounds)
    except CertificateError:
        return None
    return found if found.finished else None


def every_zero(functions: Sequence[Formula], bounds: Bounds) -> tuple[list[tuple[Array, tuple[Ball, ...]]], bool]:
    """Return the common zeros that could be isolated, middles with enclosures, and whether these are proved to be all.

    Where a function is constant there are none: conditions that vanish identically are not meant.
    """
    if any(p.is_constant() for p in functions):
        return [], True
    result = zeros_of(functions, bounds)
    zeros = [] if result is None else [coordinates(zero) for zero in result.zeros]
    return zeros, result is not None and not result.undecided


def curves_in(
    equations: Sequence[Formula], tests: dict[str, Formula], bounds: Bounds, name: str, turns: bool = False
) -> BoxedCurves:
    """Return all curves of n - 1 formulas in n variables in a box.

    Parameters
    ----------
    tests : dict of str to Formula
        Functions whose zeros on the curves are wanted as events.
    bounds : sequence of pairs of Fraction
        The box; its last side is that of the parameter along which sections are made.
    name : str
        Of the curves, for the notes.
    turns : bool
        Whether turning points of the parameter are wanted as events, of the kind "fold".
    """
    names, place = equations[0].names, len(bounds) - 1
    lower, upper = (np.array([float(pair[k]) for pair in bounds]) for k in (0, 1))
    space = FormulaCurve(tuple(equations), dict(tests), lower, upper, turns=turns)
    if has_no_zero([p.expression for p in equations], names, bounds):
        return BoxedCurves(space, [], [])
    critical, notes = _critical(equations, bounds, name)
    places: list[tuple[int, float, Array]] = []
    for value in cells(critical, bounds[-1]):
        try:
            at = [substituted(p.expression, {names[-1]: value}) for p in equations]
        except InputError as error:
            notes.append(f"Not shown: the section of the {name} at {names[-1]} = {float(value):.6g} ({error}).")
            continue
        found = _isolated(at, names[:-1], bounds[:-1])
        if found is None or found.undecided:
            what = "is not known" if found is None else f"has {len(found.undecided)} small boxes not decided"
            notes.append(f"Not shown: the section of the {name} at {names[-1]} = {float(value):.6g} {what}.")
        if found is not None:
            rows = [[*map(nearest_double, zero), float(value)] for zero in found.zeros]
            places.append((place, float(value), np.array(rows).reshape(-1, place + 1)))
    traced, missed = traced_through(space, places)
    notes += [f"Not shown: {text} ({name})." for text in missed]
    return BoxedCurves(space, traced, [(value, len(points)) for _, value, points in places], critical, notes)


def _critical(equations: Sequence[Formula], bounds: Bounds, name: str) -> tuple[list[Number], list[str]]:
    """Return, in order, the parameters between which the number of points is fixed, and what is not shown of them."""
    names, n = equations[0].names, len(bounds)
    found: list[Number] = []
    notes: list[str] = []

    def take(result: Isolated | None, what: str) -> None:
        if result is None:
            notes.append(f"Not shown: all {what} of the {name}.")
            low, high = bounds[-1]
            found.extend(Rational(low + (high - low) * Fraction(k, _SPARE_SECTIONS)) for k in range(1, _SPARE_SECTIONS))
            return
        found.extend(zero[-1] for zero in result.zeros)
        for box in result.undecided:
            ends = [Fraction(float(end)) for end in box[-1]]
            notes.append(
                f"Not shown: {what} of the {name} near {names[-1]} = {float(ends[0]):.9g}, where two may meet."
            )
            found.extend(Rational(end) for end in ends if bounds[-1][0] < end < bounds[-1][1])

    turning = determinant([[p.derivative(k) for k in range(n - 1)] for p in equations])
    take(zeros_of([*equations, turning], bounds), "turning points")
    for k in range(n - 1):
        rest = [j for j in range(n) if j != k]
        for edge in bounds[k]:
            on_face = [substituted(p.expression, {names[k]: edge}) for p in equations]
            if any((line := p.line(k)) is not None and line[0] == edge for p in equations):
                continue  # the curve lies in this face, and none leaves it
            ends = f"ends at {names[k]} = {float(edge):g}"
            take(_isolated(on_face, [names[j] for j in rest], [bounds[j] for j in rest]), ends)
    return _distinct(found), notes


def monotone_runs(curve: TracedCurve) -> list[Array]:
    """Return the points of a curve in runs along which the last variable, the parameter, rises.

    Its turning points, events of the kind "fold", end them.
    """
    if not curve.converged or len(curve.points) < 2:
        return []
    turns = curve.events_of("fold")
    at = np.array([event.index + 1 for event in turns], dtype=int)
    points = np.insert(curve.points, at, np.array([e.point for e in turns]).reshape(-1, curve.points.shape[1]), axis=0)
    if curve.closed and turns:
        begin = int(np.argmin(points[:, -1]))
        points = np.concatenate((points[begin:], points[1 : begin + 1]))
    steps = np.sign(np.diff(points[:, -1]))
    ends = [0, *(np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist(), len(steps)]
    runs = [points[a : b + 1] for a, b in pairwise(ends)]
    return [run if run[-1, -1] > run[0, -1] else run[::-1] for run in runs if run[-1, -1] != run[0, -1]]


def _distinct(values: Sequence[Number]) -> list[Number]:
    kept: list[Number] = []
    for value in sorted(values, key=cmp_to_key(_compared)):
        if not kept or _compared(kept[-1], value) < 0:
            kept.append(value)
    return kept


def _compared(a: Number, b: Number) -> int:
    return compare(a, b, _SAME_BITS)


def coordinates(zero: Sequence[Coordinate]) -> tuple[Array, tuple[Ball, ...]]:
    """Return the middle of an isolated zero and its enclosures."""
    balls = tuple(coordinate.ball() for coordinate in zero)
    return middle_of(balls), balls
