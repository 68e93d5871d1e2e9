"""The equations of folds, equilibria and their bifurcations on each branch of the critical manifold of a family."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from fastslow.bifurcation.elimination import components
from fastslow.bifurcation.functions import Array, Formula, sign_along, values
from fastslow.errors import InputError
from fastslow.systems.families import Family
from fastslow.systems.family_polynomials import FamilyPolynomials, polynomials_of
from fastslow.systems.polynomials import Polynomial, formatted


@dataclass(frozen=True, eq=False)
class Branch:
    """One irreducible factor q of f, over the rationals, in (x, y, parameters), with what is made of it.

    On q = 0, with f = q r: f_x = r q_x, f_y = r q_y and f_xx = r q_xx where q_x = 0.

    Attributes
    ----------
    equation : str
        Its name, such as "a = h(R)".
    q, rest : Polynomial or Formula
        The factor and r = f / q.
    slow_field, slow_rate : Polynomial or Formula
        g and the slow rate eps.
    others : tuple of (str, Polynomial or Formula)
        The other irreducible factors of f, with their names.
    scalars : tuple of Polynomial
        The irreducible factors of f in the parameters only.
    repeated : bool
        Whether q occurs more than once in f.
    """

    equation: str
    q: Polynomial
    rest: Polynomial
    slow_field: Polynomial
    slow_rate: Polynomial
    others: tuple[tuple[str, Polynomial], ...]
    scalars: tuple[Polynomial, ...]
    repeated: bool

    @property
    def jacobian(self) -> Polynomial:
        """J = q_x g_y - q_y g_x: zero where q = 0 and g = 0 are tangent; the determinant is eps r J."""
        return tangency(self.q, self.slow_field)

    @property
    def trace(self) -> Polynomial:
        """The trace f_x + eps g_y of the full system on q = 0."""
        return self.rest * self.q.derivative(0) + self.slow_rate * self.slow_field.derivative(1)

    def equilibrium_stability(self, points: Array) -> str:
        """Return "stable", "saddle", "unstable" or "center" for an arc of equilibria without a zero of J, r or trace.

        Parameters
        ----------
        points : ndarray, shape (N, n)
            Points (x, y, parameters) on the arc.
        """
        determinant = sign_along(self.rest, points) * sign_along(self.jacobian, points)
        trace = sign_along(self.trace, points)
        if determinant < 0:
            return "saddle"
        if self.repeated or determinant == 0 or trace == 0:
            return "center"
        return "stable" if trace < 0 else "unstable"

    def fold_stability(self, points: Array) -> str:
        """Return on which side in x of an arc of folds the branch attracts: below where f_xx > 0."""
        bend = sign_along(self.rest, points) * sign_along(self.q.derivative(0).derivative(0), points)
        return {1: "attracting below", 0: "center", -1: "attracting above"}[bend]

    def scalar_signs(self, points: Array) -> Array:
        """Return the sign at points of the factors of f that depend on the parameters only."""
        return np.sign(math.prod((values(p, points)[0] for p in self.scalars), start=np.ones(len(points))))


def checked_polynomials(family: Family, ranges: Sequence[tuple[Fraction, Fraction]]) -> FamilyPolynomials:
    """Return the polynomials of a family.

    Raises
    ------
    InputError
        If they cannot be had, or do not depend on one of the parameters.
    """
    system = polynomials_of(family, ranges)
    for k, name in enumerate(family.names):
        everything = (*system.factors, system.slow_field, system.slow_rate)
        if all(p.degrees()[2 + k] <= 0 for p in everything):
            rule = "enters neither f nor g nor the slow rate"
            raise InputError("parameter", name, rule, "Vary a parameter of the equations")
    return system


def branches(system: FamilyPolynomials) -> list[Branch]:
    """Return the irreducible branches of the critical manifold of a family."""
    f = system.fast_field
    parts = list(f.factor()[1])
    scalars = tuple(part for part, power in parts if _in_parameters_only(part) and power % 2)
    parts = [(part, power) for part, power in parts if not _in_parameters_only(part)]
    names = [_name(part, system) for part, _ in parts]
    found = []
    for i, (part, power) in enumerate(parts):
        others = tuple((names[j], p) for j, (p, _) in enumerate(parts) if j != i)
        rest = f / part
        found.append(Branch(names[i], part, rest, system.slow_field, system.slow_rate, others, scalars, power > 1))
    return found


def _name(part: Polynomial, system: FamilyPolynomials) -> str:
    """Return the name that the model gives to a branch, or its equation as the model writes it."""
    shown = part
    for factor, equation in zip(system.factors, system.equations, strict=True):
        if (factor % part).is_zero():
            if equation:
                return equation
            shown = factor if (factor / part).is_constant() else part
            break
    text = formatted(shown)
    names = system.family.names
    return re.sub(r"\bparameter_(\d+)\b", lambda found: names[int(found[1]) - 1], text) + " = 0"


def _in_parameters_only(p: Polynomial) -> bool:
    return bool(max(p.degrees()[:2]) <= 0)


Test = tuple[str, str, Polynomial]
"""A kind of special point, with what else is there, and the function that vanishes."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A curve to be continued: n - 1 equations in n variables, and the functions whose zeros on it are wanted."""

    kind: str
    branch: Branch
    equations: tuple[Polynomial, ...]
    tests: tuple[Test, ...]


def one_parameter(branch: Branch, kind: str) -> Problem:
    """Return the curve of folds or of equilibria of a branch in one parameter."""
    q, g = branch.q, branch.slow_field
    q_x = q.derivative(0)
    if kind == "fold":
        tests = [
            ("cusp", "", q_x.derivative(0)),
            ("singular point", "", q.derivative(1)),
            ("canard point", "", g),
            *(("fold at crossing", name, p) for name, p in branch.others),
        ]
        equations = (q, q_x)
    else:
        tests = [
            ("saddle-node", "", branch.jacobian),
            ("hopf", "", branch.trace),
            *(("transcritical", name, p) for name, p in branch.others),
        ]
        if q.degrees()[1] > 0:
            tests.append(("canard point", "", q_x))
        equations = (q, g)
    kept = tuple(test for test in tests if not test[2].is_constant())
    return Problem(kind, branch, equations, kept)


def two_parameters(branch: Branch, kind: str) -> list[Problem]:
    """Return the curves of codimension 1 of a branch, as curves in two parameters."""
    q, g = branch.q, branch.slow_field
    q_x, q_y = q.derivative(0), q.derivative(1)
    q_xx, jacobian, trace = q_x.derivative(0), branch.jacobian, branch.trace
    found: list[Problem] = []
    if kind == "fold":
        crossing = tuple(("fold at crossing", name, p) for name, p in branch.others)
        higher: tuple[Test, ...] = (("swallowtail", "", q_xx.derivative(0)), ("canard point at cusp", "", g))
        found.append(Problem("cusp", branch, (q, q_x, q_xx), (*higher, *crossing)))
        degenerate: tuple[Test, ...] = (
            ("canard point at cusp", "", q_xx),
            ("saddle-node at canard point", "", g.derivative(0)),
        )
        found.append(Problem("canard point", branch, (q, q_x, g), (*degenerate, *crossing)))
    else:
        meets = tuple(("transcritical at saddle-node", name, p) for name, p in branch.others)
        for first, second in parts_of(q, g):
            if not isinstance(second, Formula) and second.degrees()[1] <= 0:
                # Below the curve in the plane of x and the parameters, e(x, p) = 0: J = 0 where e_x = 0.
                turning = second.derivative(0)
                along = turning.derivative(0)
            else:
                turning = tangency(first, second)
                # The derivative of J along q = 0.
                along = q_x * turning.derivative(1) - q_y * turning.derivative(0)
            nodes: tuple[Test, ...] = (("cusp", "", along), ("Bogdanov-Takens", "", trace))
            found.append(Problem("saddle-node", branch, (first, second, turning), (*nodes, *meets)))
        for slow in _slow_parts(q, g):
            if not branch.repeated:
                found.append(Problem("hopf", branch, (q, slow, trace), (("Bogdanov-Takens", "", jacobian),)))
            for name, p in branch.others:
                if name > branch.equation:
                    turning = ("saddle-node at transcritical", name, jacobian)
                    found.append(Problem("transcritical", branch, (q, p, slow), (turning,)))
        for first, second in combinations(_slow_parts(q, g), 2):
            turning = ("saddle-node at transcritical", str(second), tangency(q, first))
            found.append(Problem("transcritical", branch, (q, first, second), (turning,)))
    return [
        Problem(p.kind, p.branch, p.equations, tuple(t for t in p.tests if not t[2].is_constant()))
        for p in found
        if not any(e.is_constant() for e in p.equations)
    ]


def tangency(first: Polynomial, second: Polynomial) -> Polynomial:
    """Return p_x q_y - p_y q_x of two functions: zero where their zero sets touch."""
    return first.derivative(0) * second.derivative(1) - first.derivative(1) * second.derivative(0)


def parts_of(q: Polynomial, g: Polynomial) -> list[tuple[Polynomial, Polynomial]]:
    """Return pairs of equations for the parts of {q = g = 0} that elimination, or the factors of a formula, tell."""
    return [(q, part) for part in g.factors()] if isinstance(g, Formula) else components(q, g)


def _slow_parts(q: Polynomial, g: Polynomial) -> list[Polynomial]:
    return g.factors() if isinstance(g, Formula) else [g]


def typical_size(heights: Array) -> float:
    """Return a typical size of the slow variable from some of its values."""
    sizes = np.abs(heights[np.isfinite(heights) & (heights != 0.0)])
    return float(np.median(sizes)) if len(sizes) and math.isfinite(np.median(sizes)) else 1.0
