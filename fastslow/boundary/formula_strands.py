"""Special points of a family of formulas followed in its parameter, and where two of them meet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.boxed_curves import Bounds, curves_in, every_zero, monotone_runs
from fastslow.bifurcation.brackets import snapped
from fastslow.bifurcation.equations import tangency
from fastslow.bifurcation.events import Event
from fastslow.bifurcation.formula_curves import branches_of
from fastslow.bifurcation.functions import Formula, restricted
from fastslow.bifurcation.loci import Role
from fastslow.bifurcation.over_parameter import ZeroOverParameter
from fastslow.systems.algebraic import nearest_double
from fastslow.systems.formula_families import FormulaFamily

Values = NDArray[np.float64]

_SNAP = 1e-9
"""Values of the parameter that agree so well, in units of its interval, are one."""


@dataclass(frozen=True, eq=False)
class FormulaStrand:
    """A special point for all parameters between two values: x, or y, or both, solve formulas.

    Attributes
    ----------
    role : Role
        What it is.
    low, high : float
        The interval of the parameter.
    also : tuple of Role
        Nothing; other strands say what else is there.
    """

    role: Role
    low: float
    high: float
    _moving: ZeroOverParameter = field(repr=False)
    """The coordinates that move."""
    _fixed: tuple[float | None, float | None] = field(repr=False)
    """x and y where they do not move; NaN for a point that is a whole line."""
    also: tuple[Role, ...] = ()

    def at(self, s: Values) -> tuple[Values, Values]:
        """Return (x, y) at parameters in [low, high]."""
        s = np.asarray(s, dtype=np.float64)
        known, _ = self._moving.at(s)
        moving = iter(known)
        x, y = (next(moving) if fixed is None else np.full(s.shape, fixed) for fixed in self._fixed)
        return x, y

    def spans(self, low: float, high: float) -> bool:
        """Whether it is there at all parameters of an interval."""
        return self.low <= low and high <= self.high


@dataclass(frozen=True, eq=False)
class Source:
    """Formulas whose common zeros are special points of one role, in a box that may lack x, which then is fixed.

    Attributes
    ----------
    role : Role
        What they are.
    functions : list of Formula
        In x unless it is fixed, y and the parameter.
    bounds : sequence of pairs of Fraction
        The box of these variables.
    fixed : (float or None, float or None)
        x and y where they do not move; NaN for a whole line.
    on : list of Formula
        The factors of f that vanish at the points, in x, y and the parameter.
    """

    role: Role
    functions: list[Formula]
    bounds: Bounds
    fixed: tuple[float | None, float | None]
    on: list[Formula]


def formula_strands(sources: Sequence[Source], bounds: Bounds) -> tuple[list[FormulaStrand], list[float], list[str]]:
    """Return all special points of a family as strands, where these begin or end, and what is not proved.

    Parameters
    ----------
    sources : sequence of Source
        What special points the family has.
    bounds : sequence of pairs of Fraction
        Of x, y and the parameter.
    """
    found: list[FormulaStrand] = []
    cuts: list[float] = []
    notes: list[str] = []
    low, high = (float(end) for end in bounds[-1])
    least = _SNAP * (high - low)
    for source in sources:
        name = source.functions[0].names[-1]
        boxed = curves_in(source.functions, {}, source.bounds, f"{source.role} points over {name}", turns=True)
        notes += boxed.notes
        own = [nearest_double(value) for value in boxed.critical]
        cuts += own
        size = np.array([float(side[1] - side[0]) for side in source.bounds[:-1]])
        for curve in boxed.traced:
            for points in monotone_runs(curve):
                first, last = (snapped(float(points[k, -1]), [low, high, *own], least) for k in (0, -1))
                if last - first > least:
                    moving = ZeroOverParameter(source.functions, np.ascontiguousarray(points.T), size)
                    found.append(FormulaStrand(source.role, first, last, moving, source.fixed))
    return found, cuts, notes


def sources_of(formulas: FormulaFamily, start: Fraction, bounds: Bounds) -> Iterator[Source]:
    """Yield all kinds of special points of a family.

    Parameters
    ----------
    start : Fraction
        The fast coordinate of the line of starts.
    bounds : sequence of pairs of Fraction
        Of x, y and the parameter.
    """
    assert len(formulas.names) == len(bounds)
    moving = (None, None)
    for branch in branches_of(formulas, bounds):
        q = branch.q
        if not q.degrees()[0]:
            yield Source(Role.LINE, [restricted(q, 0, start)], [bounds[1], bounds[2]], (np.nan, None), [q])
            continue
        for g in branch.slow_field.factors():
            yield Source(Role.EQUILIBRIUM, [q, g], bounds, moving, [q])
        for name, p in branch.others:
            if name > branch.equation and p.degrees()[0]:
                yield Source(Role.CROSSING, [q, p], bounds, moving, [q, p])
        if not q.degrees()[1]:
            continue
        if not branch.repeated:
            yield Source(Role.FOLD, [q, q.derivative(0)], bounds, moving, [q])
        for role, x in ((Role.START, start), *((Role.EDGE, edge) for edge in bounds[0])):
            on_line = restricted(q, 0, x)
            if not on_line.is_constant():
                yield Source(role, [on_line], [bounds[1], bounds[2]], (float(x), None), [q])


def meetings(formulas: FormulaFamily, start: Fraction, bounds: Bounds) -> tuple[list[Event], list[str]]:
    """Return the parameters at which special points of two kinds are one point, isolated, and what is not proved."""
    found: list[Event] = []
    notes: list[str] = []
    for kind, functions, box, fixed in _meetings(formulas, start, bounds):
        zeros, known = every_zero(functions, box)
        if not known:
            notes.append(f"Not shown: all parameters of this kind: {kind}.")
        for middle, balls in zeros:
            x, y = (fixed, float(middle[0])) if fixed is not None else (float(middle[0]), float(middle[1]))
            found.append(Event(kind, float(middle[-1]), float(balls[-1].rad()), x, y))
    return found, notes


def _meetings(
    formulas: FormulaFamily, start: Fraction, bounds: Bounds
) -> Iterator[tuple[str, list[Formula], Bounds, float | None]]:
    for branch in branches_of(formulas, bounds):
        q, parts = branch.q, branch.slow_field.factors()
        q_x, q_y = q.derivative(0), q.derivative(1)
        if q.degrees()[0] and q.degrees()[1] and not branch.repeated:
            yield "cusp", [q, q_x, q_x.derivative(0)], bounds, None
            yield "branch point", [q, q_x, q_y], bounds, None
            for g in parts:
                yield "canard point", [q, q_x, g], bounds, None
            for _, p in branch.others:
                yield "fold at crossing", [q, q_x, p], bounds, None
            for kind, x in (("on the line of starts", start), *(("at the window's edge", e) for e in bounds[0])):
                on_line = [restricted(p, 0, x) for p in (q, q_x)]
                yield f"fold {kind}", on_line, [bounds[1], bounds[2]], float(x)
                yield (
                    f"vertical tangent {kind}",
                    [on_line[0], on_line[0].derivative(0)],
                    [bounds[1], bounds[2]],
                    float(x),
                )
        for g in parts:
            yield "saddle-node", [q, g, tangency(q, g)], bounds, None
            for name, p in branch.others:
                if name > branch.equation:
                    yield "equilibrium at crossing", [q, p, g], bounds, None
            on_line = [restricted(p, 0, start) for p in (q, g)]
            yield "equilibrium on the line of starts", on_line, [bounds[1], bounds[2]], float(start)
        for g, other in itertools.combinations(parts, 2):
            yield "saddle-node", [q, g, other], bounds, None
