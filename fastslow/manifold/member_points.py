"""The special points of many systems of formulas of one family, found and proved together, without their curves.

Of one system ``formula_manifold`` takes a tenth of a second, most of it to prove the arcs between the special points.
What becomes of a solution of the full system depends on the points alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.manifold.arcs import Branch, CriticalManifold
from fastslow.manifold.curves import Curve, Shape
from fastslow.manifold.formula_points import Blurred
from fastslow.manifold.many_zeros import many_zeros
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability, numbered
from fastslow.systems.algebraic import Number, Rational, nearest_double
from fastslow.systems.expression_factors import factored, polynomial_of
from fastslow.systems.expression_facts import nodes, substituted
from fastslow.systems.expressions import ZERO, Call, Expression, Variable, derivative
from fastslow.systems.families import Family
from fastslow.systems.formula_families import FormulaFamily, formulas_of
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.intervals import added, multiplied, rounded_out, subtracted
from fastslow.systems.polynomials import vertical_line
from fastslow.systems.system import FastSlowSystem

Array = NDArray[np.float64]

_NOT_SMOOTH = ("abs", "sign", "relu", "leaky_relu")


class NotTraced(Exception):
    """Asked for the curves of a critical manifold of which only the points are known."""


class PointsOnly(CriticalManifold):
    """The special points of a critical manifold whose curves are not traced; who asks for these gets `NotTraced`."""

    def __init__(self, system: FastSlowSystem, points: tuple[SpecialPoint, ...]) -> None:
        for name, value in (("system", system), ("points", points), ("complete", True), ("unmatched", ())):
            object.__setattr__(self, name, value)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Not known."""
        raise NotTraced


def points_only(
    family: Family, values: Sequence[Fraction], members: Sequence[FormulaSystem | None]
) -> list[PointsOnly | None]:
    """Return the special points of members of a family in one parameter.

    Parameters
    ----------
    family : Family
        Of systems of formulas, in one parameter.
    values : sequence of Fraction
        Its values, ...
    members : sequence of FormulaSystem or None
        ... and the systems there.

    Returns
    -------
    list of PointsOnly or None
        None where there is no member, or where not every point and the stability of every equilibrium was proved.
        All equilibria, folds, crossings of factors of f with lines, and points on the window's edge are known.
    """
    sample = next((member for member in members if member is not None), None)
    try:
        search = None if sample is None else _search(family, sample, values)
    except InputError:
        search = None
    if search is None:
        return [None] * len(values)
    found = search.run()
    return [
        None if system is None or own is None else PointsOnly(system, tuple(numbered(own)))
        for system, own in zip(members, found, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Factor:
    """A factor of f or g: its curve, and (which variable, c) where it vanishes on a line only."""

    expression: Expression
    curve: Curve
    line: tuple[int, Fraction] | None


def _search(family: Family, sample: FormulaSystem, values: Sequence[Fraction]) -> _Search | None:
    """Return the search in a family whose formulas are smooth and have factors of a form that it knows."""
    formulas = formulas_of(family, sample)
    x, y, *_ = formulas.names
    everything = (formulas.fast_field, formulas.slow_field)
    if any(isinstance(n, Call) and n.function in _NOT_SMOOTH for e in everything for n in nodes(e)):
        return None
    slow = factored([formulas.slow_field], formulas.names)
    both = (x, y)
    kinds: list[list[_Factor]] = []
    for parts in (formulas.factors, slow):
        kinds.append([])
        for number, (e, times) in enumerate(zip(parts.parts, parts.multiplicities, strict=True)):
            used = _variables(e) & set(both)
            if not used:
                continue
            if times > 1 or (used == {y} and parts is formulas.factors):
                return None
            line = _line(e, both)
            shape = Shape.FAST_LINE if used == {x} else Shape.IMPLICIT
            position = Rational(line[1]) if line is not None else None
            curve = Curve(None, f"{e} = 0", shape, position, False, e, both, number)
            kinds[-1].append(_Factor(e, curve, line))
    return _Search(formulas, kinds[0], kinds[1], values)


def _line(e: Expression, names: tuple[str, str]) -> tuple[int, Fraction] | None:
    """Return (variable, c) of a factor that vanishes where a variable is c."""
    for k, order in enumerate((names, names[::-1])):
        polynomial = polynomial_of(e, order) if _variables(e) == {names[k]} else None
        if polynomial is not None and (line := vertical_line(polynomial)) is not None:
            return k, line[0]
    return None


def _variables(e: Expression) -> set[str]:
    return {node.name for node in nodes(e) if isinstance(node, Variable)}


class _Search:
    def __init__(
        self, formulas: FormulaFamily, fast: list[_Factor], slow: list[_Factor], values: Sequence[Fraction]
    ) -> None:
        self.formulas, self.fast, self.slow, self.values = formulas, fast, slow, values
        self.names = list(formulas.names[:2])
        self.parameter = list(formulas.names[2:])
        ends = np.array([rounded_out(value) for value in values])
        self.given = ends[:, None, :]
        self.found: list[list[SpecialPoint]] = [[] for _ in values]
        self.lost = np.zeros(len(values), dtype=bool)

    def run(self) -> list[list[SpecialPoint] | None]:
        """Return the points of each member, None where they are not known."""
        for q, g in itertools.product(self.fast, self.slow):
            self.meetings(Kind.EQUILIBRIUM, q, g.expression, (q.curve,), g.line)
        for q in self.fast:
            if q.curve.shape is Shape.IMPLICIT:
                self.meetings(Kind.FOLD, q, derivative(q.expression, self.names[0]), (q.curve,))
        for q, p in itertools.combinations(self.fast, 2):
            self.meetings(Kind.CROSSING, q, p.expression, (q.curve, p.curve), p.line)
        self.edges()
        found = [_without_twins(own) for own in self.found]
        return [None if lost or _touch(own) else own for own, lost in zip(found, self.lost, strict=True)]

    def meetings(
        self,
        kind: Kind,
        q: _Factor,
        other: Expression,
        curves: tuple[Curve, ...],
        line: tuple[int, Fraction] | None = None,
    ) -> None:
        """Add the points where a factor of f vanishes together with another formula."""
        lines = dict(known for known in (q.line, line) if known is not None)
        if q.line is not None and line is not None and q.line[0] == line[0]:
            return  # parallel, and not the same
        names = [name for k, name in enumerate(self.names) if k not in lines]
        at = {self.names[k]: c for k, c in lines.items()}
        if any(not low <= lines[k] <= high for k, (low, high) in enumerate(self.formulas.window) if k in lines):
            return
        functions = [substituted(e, at) for e, own in ((q.expression, q.line), (other, line)) if own is None]
        self.add(kind, functions, names, lines, curves)

    def add(
        self, kind: Kind, functions: list[Expression], names: list[str], known: dict[int, Fraction], curves: Any
    ) -> None:
        """Add the common zeros of formulas, with some coordinates known exactly."""
        if any(function == ZERO for function in functions):
            self.lost[:] = True
            return
        if not names:
            number, box = np.arange(len(self.values)), np.empty((len(self.values), 0, 2))
        else:
            bounds = [self.formulas.window[self.names.index(name)] for name in names]
            zeros = many_zeros(functions, names, bounds, self.parameter, self.given)
            self.lost |= zeros.lost
            number, box = zeros.number, zeros.box
        whole = np.empty((len(number), 2, 2))
        for k, name in enumerate(self.names):
            whole[:, k] = rounded_out(known[k]) if k in known else box[:, names.index(name)]
        own = self.linearised(number, whole) if kind is Kind.EQUILIBRIUM else [(None, ())] * len(number)
        for i, sides, (stability, eigenvalues) in zip(number.tolist(), whole, own, strict=True):
            if kind is Kind.EQUILIBRIUM and stability is None:
                self.lost[i] = True
            x, y = (Rational(known[k]) if k in known else _between(*sides[k].tolist()) for k in (0, 1))
            point = SpecialPoint(
                "",
                kind,
                nearest_double(x),
                nearest_double(y),
                curves,
                multiplicity={kind: 1},
                stability=stability,
                eigenvalues=eigenvalues,
                radius=float(np.ptp(sides, axis=1).max()) / 2,
                exact_x=x,
                exact_y=y,
            )
            self.found[i].append(point)

    def edges(self) -> None:
        """Add the points on the window's edge: of the curves, and the ends of lines."""
        lines = [q.line[1] for q in self.fast if q.line is not None]
        for q in self.fast:
            for k, ends in enumerate(self.formulas.window):
                for end in ends:
                    if q.line is not None:
                        if k == 1:
                            self.add(Kind.BOUNDARY, [], [], {0: q.line[1], 1: end}, (q.curve,))
                    elif k == 1 or end not in lines:
                        along = substituted(q.expression, {self.names[k]: end})
                        self.add(Kind.BOUNDARY, [along], [self.names[1 - k]], {k: end}, (q.curve,))

    def linearised(self, number: NDArray[np.int64], box: Array) -> list[tuple[Stability | None, tuple[complex, ...]]]:
        """Return stability and eigenvalues at equilibria, None where the signs are not proved."""
        formulas, sides = self.formulas, [(box[:, k, 0], box[:, k, 1]) for k in (0, 1)]
        sides.append((self.given[number, 0, 0], self.given[number, 0, 1]))
        slopes = [derivative(e, name) for e in (formulas.fast_field, formulas.slow_field) for name in self.names]
        (f_x, f_y, g_x, g_y, rate), _ = Tape([*slopes, formulas.slow_rate], formulas.names).intervals(sides)
        with np.errstate(all="ignore"):
            c, d = multiplied(rate, g_x), multiplied(rate, g_y)
            trace = added(f_x, d)
            determinant = subtracted(multiplied(f_x, d), multiplied(f_y, c))
            half, product = (0.5 * (low + high) for low, high in (trace, determinant))
            half = half / 2
            root = np.sqrt((half * half - product).astype(np.complex128))
            saddle, regular = determinant[1] < 0.0, determinant[0] > 0.0
            stable, unstable = regular & (trace[1] < 0.0), regular & (trace[0] > 0.0)
        found: list[tuple[Stability | None, tuple[complex, ...]]] = []
        for k in range(len(number)):
            values = sorted((complex(half[k] + root[k]), complex(half[k] - root[k])), key=abs, reverse=True)
            signs = ((saddle, Stability.SADDLE), (stable, Stability.STABLE), (unstable, Stability.UNSTABLE))
            stability = next((name for which, name in signs if which[k]), None)
            found.append((stability, tuple(complex(v.real + 0.0, v.imag + 0.0) for v in values)))
        return found


def _between(low: float, high: float) -> Number:
    return Blurred(flint.arb(low).union(flint.arb(high)))


def _without_twins(points: list[SpecialPoint]) -> list[SpecialPoint]:
    """Return points without those on the window's edge that are there for another reason, too."""

    def same(a: SpecialPoint, b: SpecialPoint) -> bool:
        # On an edge that is x = c or y = c for both, they are zeros of one function of the other variable.
        exact = (_exact(a.exact_x), _exact(a.exact_y)), (_exact(b.exact_x), _exact(b.exact_y))
        return (a.x, a.y) == (b.x, b.y) and any(v is not None and v == w for v, w in zip(*exact, strict=True))

    inner = [point for point in points if point.kind is not Kind.BOUNDARY]
    return [p for p in points if p.kind is not Kind.BOUNDARY or not any(same(p, other) for other in inner)]


def _exact(number: Number | None) -> Fraction | None:
    return getattr(number, "exact", None)


def _touch(points: list[SpecialPoint]) -> bool:
    """Whether two points may be one: a fold at an equilibrium, say."""
    return any(
        a.x - a.radius <= b.x + b.radius
        and b.x - b.radius <= a.x + a.radius
        and a.y - a.radius <= b.y + b.radius
        and b.y - b.radius <= a.y + a.radius
        and not (a.kind is Kind.BOUNDARY and b.kind is Kind.BOUNDARY)
        for a, b in itertools.combinations(points, 2)
    )
