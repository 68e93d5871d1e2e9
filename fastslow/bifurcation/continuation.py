"""Folds and equilibria of a family continued in one parameter, with a proof that no curve is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from fastslow.bifurcation.codimension_two import continued_twice
from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram, merged
from fastslow.bifurcation.elimination import components
from fastslow.bifurcation.equations import Branch, branches, checked_polynomials, one_parameter
from fastslow.bifurcation.formula_curves import formula_diagram
from fastslow.bifurcation.one_parameter import follow
from fastslow.errors import InputError, suggestion
from fastslow.systems.algebraic import RealRoot
from fastslow.systems.families import Axis, Family, axis_of, family_of, parameters_of, start_names
from fastslow.systems.formula_families import formula_member
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

KINDS = ("fold", "equilibrium")


def continued(
    model: FastSlowSystem | str | Family, x: str | Axis, y: str | Axis | None = None, *, kind: str = "fold"
) -> Diagram:
    """Follow all folds or all equilibria of a model in one parameter, or their bifurcations in two.

    Folds are the curves {q = q_x = 0} and equilibria {q = g = 0} in (x, y, p), for each irreducible factor q of f.
    With two parameters the curves of codimension 1 are followed instead, in (x, y, p_1, p_2): cusps
    {q = q_x = q_xx = 0} and canard points {q = q_x = g = 0} of folds; saddle-nodes {q = g = det = 0}, Hopf points
    {q = g = trace = 0} and transcritical points {q_1 = q_2 = g = 0} of equilibria.

    Parameters
    ----------
    model : FastSlowSystem, str or Family
        A system, preset or model file; or a family in the parameters of the axes.
    x : str or Axis
        The first parameter and its interval, such as ``"c_star[2]=-2:2"``, or its name if the model has a range for it.
    y : str or Axis, optional
        The second parameter; or a start, such as a0: then the curves in the first parameter are meant to be seen
        against the slow variable.
    kind : {"fold", "equilibrium"}
        What to follow.

    Returns
    -------
    Diagram
        With one parameter and `complete`, no curve and no special point of rational y is missing in the window of x
        for |y| up to 1e8 times its typical size.

    Raises
    ------
    InputError
        If the kind is unknown, the axes do not fit the family, an end of a range gives no model, or a polynomial
        family is not polynomial in a parameter.

    Notes
    -----
    Systems of formulas are followed by ``formula_diagram``; there completeness is shown in two parameters too, within
    the window of x and y, by interval arithmetic.

    Completeness of polynomials: between neighbouring critical values of the projection to p (roots of discriminants
    and resultants, isolated exactly) the number of points at one p is fixed. One exact section there gives start
    points on every component, and the traced curves must meet each section exactly in its points. The special points
    come from exact elimination too where y is a rational function of x and p, otherwise from the traced curve, proved
    by an interval Newton method.
    """
    if kind not in KINDS:
        raise InputError("kind", kind, "is no kind of curve", suggestion(str(kind), list(KINDS)))
    family, axes = _family_and_axes(model, x, y)
    axis, parameters = axes[0], _parameter_axes(family, axes)
    sample = _checked_ends(family, parameters)
    formulas = formula_member(family, tuple((each.low, each.high) for each in parameters))
    if formulas is not None:
        diagram = formula_diagram(family, formulas, axes, kind)
        gone = _gaps(family, axis, []) if len(parameters) == 1 else []
        return replace(diagram, notes=(*gone, *diagram.notes))
    if len(parameters) == 2:
        return continued_twice(family, sample, (parameters[0], parameters[1]), kind)
    system = checked_polynomials(family, [(axis.low, axis.high)])
    window, between = (sample.lower, sample.upper), (axis.low, axis.high)
    curves: list[BifurcationCurve] = []
    points: list[BifurcationPoint] = []
    notes: list[str] = []
    sections: list[tuple[float, int]] = []
    criticals: list[RealRoot] = []
    for branch in branches(system):
        reason = _left_out(branch, kind)
        if reason is not None:
            notes += [reason] if reason else []
            continue
        problem = one_parameter(branch, kind)
        for pair in components(*problem.equations):
            found = follow(problem, pair, window, between, len(curves))
            curves += found.curves
            points += found.points
            notes += found.notes
            criticals += found.critical
            sections += found.sections
    complete = not any(note.startswith("Not shown") for note in notes)
    gaps = _gaps(family, axis, criticals)
    return Diagram(
        family,
        sample,
        axes,
        kind,
        tuple(curves),
        merged(points, sample.upper - sample.lower),
        complete,
        tuple(sorted(sections)),
        tuple(dict.fromkeys((*gaps, *notes))),
    )


def _family_and_axes(
    model: FastSlowSystem | str | Family, x: str | Axis, y: str | Axis | None
) -> tuple[Family, tuple[Axis, ...]]:
    given = {"x": x} if y is None else {"x": x, "y": y}
    if isinstance(model, Family):
        return model, tuple(axis_of(text, field) for field, text in given.items())
    system = system_of(model)
    axes = tuple(axis_of(text, field, system=system) for field, text in given.items())
    if len({each.name for each in axes}) < len(axes):
        raise InputError("y", str(axes[1]), "is the same as the first axis", "Name two different axes")
    slow = {system.slow[0], start_names(system)[1]} - set(parameters_of(system))
    if axes[0].name in slow:
        raise InputError("x", str(axes[0]), "is the slow variable, not a parameter", "Give it as y")
    return family_of(system, *(each.name for each in axes if each.name not in slow)), axes


def _parameter_axes(family: Family, axes: Sequence[Axis]) -> list[Axis]:
    """Check that the axes are those of the family's parameters, and return these in their order."""
    if len(axes) == 2 and axes[0].name == axes[1].name:
        raise InputError("y", str(axes[1]), "is the same as the first axis", "Name two different axes")
    wanted = [axis for axis in axes if axis.name in family.names]
    for axis in axes:
        if axis not in wanted and (axis is axes[0] or axis.name not in _slow_names(family, axes)):
            rule = f"is no parameter of the family in {', '.join(family.names)}"
            raise InputError("axis", axis.name, rule, "Build the family with family_of(model, name)")
    if tuple(axis.name for axis in wanted) != family.names:
        rule = "must be one for each parameter of the family, in its order"
        raise InputError("axis", ", ".join(map(str, axes)), rule, f"The parameters are {', '.join(family.names)}")
    return wanted


def _slow_names(family: Family, axes: Sequence[Axis]) -> tuple[str, str]:
    sample = _checked_ends(family, [axis for axis in axes if axis.name in family.names])
    return sample.slow[0], start_names(sample)[1]


def _checked_ends(family: Family, axes: Sequence[Axis]) -> FastSlowSystem:
    """Return a member of the family; its ends must be models."""
    member = None
    if len(axes) == len(family.names):
        corners: list[tuple[Fraction, ...]] = [()]
        for axis in axes:
            corners = [(*corner, end) for corner in corners for end in (axis.low, axis.high)]
        for corner in corners:
            try:
                member = family.at(*corner)
            except InputError as error:
                where = ", ".join(f"{name} = {value}" for name, value in zip(family.names, corner, strict=True))
                text = "; ".join(map(str, axes))
                raise InputError(
                    "axis", text, f"ends where there is no model ({where}: {error})", "Move the end"
                ) from None
    if member is None:
        rule = "must have one axis for each parameter of the family"
        raise InputError("axis", "; ".join(map(str, axes)), rule, f"Its parameters are {', '.join(family.names)}")
    return member


def _left_out(branch: Branch, kind: str) -> str | None:
    """Return why a branch has no curves of this kind, "" where nothing need be said; None where it may have some."""
    q = branch.q
    if kind == "fold":
        if q.degrees()[1] <= 0:
            return ""
        if q.degrees()[0] <= 0:
            return f"On {branch.equation} every point is neutral in x: it has no folds."
        if branch.repeated:
            return f"{branch.equation} is a repeated factor of f: every point of it is neutral, and it has no folds."
        return None
    if not q.gcd(branch.slow_field).is_constant():
        return f"Not shown: on {branch.equation} all points, or those of a whole curve, are at rest."
    return None


def _gaps(family: Family, axis: Axis, critical: Sequence[RealRoot]) -> list[str]:
    """Say at which parameters inside the range there is no model: among 0 and the rational critical values."""
    values = {Fraction(0), *(value for root in critical if (value := root.exact) is not None)}
    notes = []
    for value in sorted(v for v in values if axis.low < v < axis.high):
        try:
            family.at(value)
        except InputError as error:
            notes.append(f"Gap: at {axis.name} = {value} there is no model ({error})")
    return notes
