"""Folds and equilibria of systems of formulas in one parameter, and their bifurcations in two."""

from __future__ import annotations

from fastslow.bifurcation.boxed_curves import Bounds, BoxedCurves, coordinates, curves_in, zeros_of
from fastslow.bifurcation.codimension_two import bifurcation_tests, followed, once
from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram, merged
from fastslow.bifurcation.equations import Branch, Problem, one_parameter, parts_of, two_parameters
from fastslow.bifurcation.functions import Formula, sign_along
from fastslow.bifurcation.one_parameter import Located, TracedPair, assembled
from fastslow.bifurcation.space_curves import middle_of, proved_zero
from fastslow.manifold.many_boxes import has_no_zero
from fastslow.systems.expressions import ONE, multiply, power
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import FormulaFamily, formulas_of
from fastslow.systems.formula_system import FormulaSystem

_FAR = 1e-6
"""Least distance, in units of the box, from an isolated special point at which an event on a curve is another."""


def formula_diagram(family: Family, sample: FormulaSystem, axes: tuple[Axis, ...], kind: str) -> Diagram:
    """Return the folds or equilibria of a family of formulas in one parameter, or their bifurcations in two.

    The values of the last parameter at which curves turn, meet a face of the window or end are isolated with proof,
    and so are all points at one value between each two of them: `boxed_curves`. So it is shown, also in two
    parameters, that no curve is missing, or said where that could not be shown.

    Raises
    ------
    InputError
        If f or g cannot be written as a formula in the parameter, or neither depends on it.
    """
    formulas = formulas_of(family, sample)
    own = [axis for axis in axes if axis.name in family.names]
    bounds = [*formulas.window, *((axis.low, axis.high) for axis in own)]
    curves: list[BifurcationCurve] = []
    points: list[BifurcationPoint] = []
    sections: list[tuple[float, int]] = []
    notes: list[str] = []
    for branch in branches_of(formulas, bounds):
        reason = _left_out(branch, kind)
        if reason is not None:
            notes += [reason] if reason else []
            continue
        for problem in _problems(branch, kind, len(own)):
            if len(own) == 1:
                found = _followed(problem, bounds, len(curves))
                curves += found[0]
                points += found[1]
            else:
                found = _followed_twice(problem, bounds, len(curves))
                curves += found[0]
                points += found[1]
            sections += found[2]
            notes += found[3]
    complete = not any(note.startswith("Not shown") for note in notes)
    listed = merged(points, sample.upper - sample.lower) if len(own) == 1 else once(points, own)
    sections = sorted(sections) if len(own) == 1 else []
    return Diagram(
        family, sample, axes, kind, tuple(curves), listed, complete, tuple(sections), tuple(dict.fromkeys(notes))
    )


def branches_of(formulas: FormulaFamily, bounds: Bounds) -> list[Branch]:
    """Return the branches of the critical manifold of a family: the factors of f with x or y that may vanish."""
    names, parts = formulas.names, formulas.factors.parts
    rows = [(Formula(e, names), n) for e, n in zip(parts, formulas.factors.multiplicities, strict=True)]
    moving = [k for k, (p, _) in enumerate(rows) if max(p.degrees()[:2]) > 0]
    scalars = tuple(p for k, (p, n) in enumerate(rows) if k not in moving and n % 2)
    found = []
    vanishing = [k for k in moving if not has_no_zero([rows[k][0].expression], names, bounds)]
    for k in vanishing:
        q, times = rows[k]
        others = tuple((f"{rows[j][0]} = 0", rows[j][0]) for j in vanishing if j != k)
        powers = [power(p.expression, n) for j, (p, n) in enumerate(rows) if j != k]
        own = power(q.expression, times - 1) if times > 1 else ONE
        rest = Formula(multiply(formulas.factors.unit, own, *powers), names)
        slow, rate = Formula(formulas.slow_field, names), Formula(formulas.slow_rate, names)
        found.append(Branch(f"{q} = 0", q, rest, slow, rate, others, scalars, times > 1))
    return found


def _left_out(branch: Branch, kind: str) -> str | None:
    """Return why a branch has no curves of this kind, "" where nothing need be said; None where it may have some."""
    q = branch.q
    if kind == "fold":
        if not q.degrees()[1]:
            return ""
        if not q.degrees()[0]:
            return f"On {branch.equation} every point is neutral in x: it has no folds."
        if branch.repeated:
            return f"{branch.equation} is a repeated factor of f: every point of it is neutral, and it has no folds."
        return None
    if any(part.expression == q.expression for part in branch.slow_field.factors()):
        return f"Not shown: on {branch.equation} all points, or those of a whole curve, are at rest."
    return None


def _problems(branch: Branch, kind: str, parameters: int) -> list[Problem]:
    """Return the curves to be followed on a branch."""
    if parameters == 2:
        return two_parameters(branch, kind)
    whole = one_parameter(branch, kind)
    pairs = parts_of(*whole.equations) if kind == "equilibrium" else [whole.equations]
    return [Problem(whole.kind, branch, pair, whole.tests) for pair in pairs if not any(p.is_constant() for p in pair)]


_Found = tuple[list[BifurcationCurve], list[BifurcationPoint], list[tuple[float, int]], list[str]]


def _followed(problem: Problem, bounds: Bounds, taken: int) -> _Found:
    tests = {str(i): test[2] for i, test in enumerate(problem.tests)}
    name = f"{problem.kind} curves of {problem.branch.equation}"
    boxed = curves_in(problem.equations, tests, bounds, name)
    everywhere = _everywhere(problem, boxed)
    located = [at for i in range(len(problem.tests)) if i not in everywhere for at in _zeros(problem, i, boxed, bounds)]
    part = TracedPair(boxed.space, boxed.traced, boxed.sections, [], [])
    found = assembled(problem, part, located, everywhere, boxed.notes, taken)
    return found.curves, found.points, boxed.sections, found.notes


def _everywhere(problem: Problem, boxed: BoxedCurves) -> list[int]:
    """Return the tests that vanish on a whole curve."""
    return [
        i
        for i, (_, _, test) in enumerate(problem.tests)
        if any(sign_along(test, curve.points) == 0 for curve in boxed.traced)
    ]


def _zeros(problem: Problem, i: int, boxed: BoxedCurves, bounds: Bounds) -> list[Located]:
    """Return all zeros of a test on the curves: isolated, and where that is not decided those that were met."""
    kind, _, test = problem.tests[i]
    result = zeros_of([*problem.equations, test], bounds)
    found = [Located(i, *coordinates(zero)) for zero in result.zeros] if result is not None else []
    if result is not None and not result.undecided:
        return found
    boxed.notes.append(f"Not shown: all special points ({kind}) of {problem.branch.equation}.")
    size = boxed.space.upper - boxed.space.lower
    for event in (event for curve in boxed.traced for event in curve.events_of(str(i))):
        if all(max(abs(event.point - at.middle) / size) > _FAR for at in found):
            balls = proved_zero((*problem.equations, test), event.point)
            found.append(Located(i, event.point if balls is None else middle_of(balls), balls))
    return found


def _followed_twice(problem: Problem, bounds: Bounds, taken: int) -> _Found:
    kinds = bifurcation_tests(problem)
    tests = {str(i): test[2] for i, test in enumerate(kinds)}
    boxed = curves_in(problem.equations, tests, bounds, f"{problem.kind} curves of {problem.branch.equation}")
    curves, points, notes = followed(problem, kinds, boxed.space, boxed.traced, taken)
    return curves, points, boxed.sections, [*boxed.notes, *notes]
