"""Folds and equilibria of a family continued in one parameter, with a proof that no curve is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram
from fastslow.bifurcation.elimination import cells, components, critical_values, enclosed, exact_points, section
from fastslow.bifurcation.equations import Branch, Problem, branches, one_parameter, typical_size
from fastslow.bifurcation.hopf import lyapunov_coefficient
from fastslow.bifurcation.space_curves import Array, SpaceCurve, middle_of, proved_zero, traced_through
from fastslow.errors import CertificateError, InputError
from fastslow.manifold.certificates import CommonCurveError
from fastslow.manifold.continuation import TracedCurve
from fastslow.systems.algebraic import Ball, RealRoot, nearest_double
from fastslow.systems.families import Axis, Family, start_names
from fastslow.systems.family_polynomials import polynomials_of
from fastslow.systems.model_files import suggestion
from fastslow.systems.polynomials import Polynomial, formatted

KINDS = ("fold", "equilibrium")
_LETTER = {"fold": "F", "equilibrium": "E"}
_ON_CURVE = 2e-3
"""Largest distance of a special point from the polygon of its curve, in scaled variables."""
_SAME = 1e-9
"""Special points of one kind nearer than this, relative to the window, are one point found on two branches."""


def continued(family: Family, axis: Axis, second: Axis | None = None, *, kind: str = "fold") -> Diagram:
    """Follow all folds or all equilibria of a family in one parameter, or their bifurcations in two.

    Folds are the curves {q = q_x = 0} and equilibria {q = g = 0} in (x, y, p), for each irreducible factor q of f.
    With two parameters the curves of codimension 1 are followed instead, in (x, y, p_1, p_2): cusps
    {q = q_x = q_xx = 0} and canard points {q = q_x = g = 0} of folds; saddle-nodes {q = g = det = 0}, Hopf points
    {q = g = trace = 0} and transcritical points {q_1 = q_2 = g = 0} of equilibria.

    Parameters
    ----------
    family : Family
        In the parameter of `axis`, and in that of `second` if that is a parameter.
    axis : Axis
        The interval of the first parameter.
    second : Axis, optional
        That of the second parameter; or of a start, such as a0: then the curves in the first parameter are meant to
        be seen against the slow variable.
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
        If the kind is unknown, the axes do not fit the family, an end of a range gives no model, or the family is
        not polynomial in a parameter.

    Notes
    -----
    Completeness: between neighbouring critical values of the projection to p (roots of discriminants and resultants,
    isolated exactly) the number of points at one p is fixed. One exact section there gives start points on every
    component, and the traced curves must meet each section exactly in its points. The special points come from exact
    elimination too where y is a rational function of x and p, otherwise from the traced curve, proved by an interval
    Newton method.
    """
    if kind not in KINDS:
        raise InputError("kind", kind, "is no kind of curve", suggestion(str(kind), list(KINDS)))
    axes = (axis,) if second is None else (axis, second)
    parameters = _parameter_axes(family, axes)
    sample = _checked_ends(family, parameters)
    if len(parameters) == 2:
        from fastslow.bifurcation.codimension_two import continued_twice

        return continued_twice(family, sample, (parameters[0], parameters[1]), kind)
    system = polynomials_of(family, [(axis.low, axis.high)])
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


def _checked_ends(family: Family, axes: Sequence[Axis]) -> Any:
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
                raise InputError("axis", text, f"ends where there is no model ({where}: {error})", "Move the end") from None
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


@dataclass(frozen=True, eq=False)
class Followed:
    """The curves of one problem, their special points, and what was checked."""

    curves: list[BifurcationCurve]
    points: list[BifurcationPoint]
    sections: list[tuple[float, int]]
    critical: list[RealRoot]
    notes: list[str]


def follow(
    problem: Problem,
    pair: tuple[Polynomial, Polynomial],
    window: tuple[Fraction, Fraction],
    between: tuple[Fraction, Fraction],
    taken: int,
) -> Followed:
    """Trace every curve of a part of a problem in one parameter from exact sections; locate its special points.

    Parameters
    ----------
    pair : (Polynomial, Polynomial)
        Its equations, one of `components`.
    taken : int
        Number of curves before these.
    """
    critical = critical_values(*pair, window, between)
    name = f"{problem.kind} curves of {problem.branch.equation}"
    notes = [
        f"Not shown: all of the {name} within one value of the parameter, {nearest_double(value):.9g}."
        for value in critical
        if _at_one_parameter(pair)
    ]
    exact: list[tuple[int, float, Array]] = []
    for value in cells(critical, between):
        try:
            zeros = section(*pair, value, window)
        except (CertificateError, CommonCurveError) as error:
            notes.append(f"Not shown: the section of the {name} at {float(value):.6g} is not known ({error}).")
            continue
        if not all(zero.certified for zero in zeros):
            notes.append(f"Not shown: the section of the {name} at {float(value):.6g} has candidates not told apart.")
        at = [(nearest_double(zero.x), nearest_double(zero.y), float(value)) for zero in zeros]
        exact.append((2, float(value), np.array(at).reshape(-1, 3)))
    heights = np.concatenate([np.empty(0), *(points[:, 1] for _, _, points in exact)])
    lower = np.array([float(window[0]), -np.inf, float(between[0])])
    upper = np.array([float(window[1]), np.inf, float(between[1])])
    special, everywhere, unproved = _exact_special(problem, pair, window, between)
    tests = {str(i): test[2] for i, test in enumerate(problem.tests)} if special is None else {}
    space = SpaceCurve(pair, tests, lower, upper, typical_size(heights))
    traced, missed = traced_through(space, exact)
    notes += unproved + [f"Not shown: {text} ({name})." for text in missed]
    located = special if special is not None else _proved_events(problem, pair, space, traced)
    letter, curves, points = _LETTER[problem.kind], [], []
    for k, each in enumerate(traced):
        curves.append(_curve(f"{letter}{taken + k + 1}", problem, space, each, located))
    for i in everywhere if curves else []:
        if problem.tests[i][0] != "hopf" or any("saddle" not in curve.stability for curve in curves):
            notes.append(f"Every point of a curve of {problem.branch.equation} is a {problem.tests[i][0]}; not listed.")
    for at in located:
        on = tuple(c.id for c, t in zip(curves, traced, strict=True) if space.distance(t, at.middle)[0] < _ON_CURVE)
        point = _point(problem, at, on)
        if point is not None:
            points.append(point)
    return Followed(curves, points, [(value, len(p)) for _, value, p in exact], critical, notes)


def _at_one_parameter(pair: tuple[Polynomial, Polynomial]) -> bool:
    return any(max(p.degrees()[:2]) <= 0 for p in pair)


@dataclass(frozen=True, eq=False)
class Located:
    """A zero of a test function: which test, where."""

    test: int
    middle: Array
    balls: tuple[Ball, ...] | None


def _exact_special(
    problem: Problem,
    pair: tuple[Polynomial, Polynomial],
    window: tuple[Fraction, Fraction],
    between: tuple[Fraction, Fraction],
) -> tuple[list[Located] | None, list[int], list[str]]:
    """Return all zeros of all tests, the tests that vanish on a whole curve, and what is not shown.

    None in place of the zeros where y is not rational in x and p.
    """
    found: list[Located] = []
    everywhere, notes = [], []
    for i, (kind, _, test) in enumerate(problem.tests):
        try:
            points = exact_points((*pair, test), window, between)
        except (CertificateError, CommonCurveError) as error:
            notes.append(f"Not shown: {kind} points of {problem.branch.equation} ({error}).")
            continue
        if points is None:
            return None, [], []
        isolated, alone = points
        if not alone:
            everywhere.append(i)
        for each in isolated:
            balls = each.balls()
            found.append(Located(i, middle_of(balls), balls if each.certified else None))
    return found, everywhere, notes


def _proved_events(
    problem: Problem, pair: tuple[Polynomial, Polynomial], space: SpaceCurve, traced: Sequence[TracedCurve]
) -> list[Located]:
    """Return the zeros of tests that the traced curves met, proved where they are regular."""
    found = []
    for curve in traced:
        for event in curve.events:
            if event.kind == "branch point":
                continue
            test = int(event.kind)
            at = space.outer(event.point)
            balls = proved_zero((*pair, problem.tests[test][2]), at)
            found.append(Located(test, at if balls is None else middle_of(balls), balls))
    return found


def _curve(
    own: str, problem: Problem, space: SpaceCurve, traced: TracedCurve, located: Sequence[Located]
) -> BifurcationCurve:
    """Return a curve with its special points among its points, and the stability of each arc between these."""
    branch = problem.branch
    points = space.outer(traced.points)
    rows: list[tuple[float, Array]] = []
    for at in located:
        gap, k = space.distance(traced, at.middle)
        if gap < _ON_CURVE:
            step = (traced.points[k + 1] - traced.points[k]) / traced.scales
            share = float(((space.inner(at.middle) - traced.points[k]) / traced.scales) @ step / (step @ step))
            rows.append((k + min(max(share, 0.0), 1.0), at.middle))
    order = np.concatenate((np.arange(len(points), dtype=float), [place for place, _ in rows]))
    sorting = np.argsort(order, kind="stable")
    points = np.concatenate((points, *(middle[None] for _, middle in rows)))[sorting]
    judge = branch.fold_stability if problem.kind == "fold" else branch.equilibrium_stability
    signs = branch.scalar_signs(points)
    cuts = {*np.flatnonzero(sorting >= len(traced.points)).tolist()}
    cuts |= {*(np.flatnonzero(signs[1:] != signs[:-1]) + 1).tolist()}
    stability = ["center"] * len(points)
    ends = [-1, *sorted(cuts), len(points)]
    for low, high in zip(ends, ends[1:], strict=False):
        begin = low if low >= 0 and signs[low] != signs[low - 1] else low + 1
        if begin < high:
            stability[begin:high] = [judge(points[begin:high])] * (high - begin)
    sentences = tuple(reason.sentence for reason in traced.stop_reasons)
    return BifurcationCurve(
        own,
        problem.kind,
        branch.equation,
        points[:, 0],
        points[:, 1],
        np.ascontiguousarray(points[:, 2:].T),
        tuple(stability),
        traced.closed,
        (sentences[0], sentences[1]),
    )


def _point(problem: Problem, at: Located, on: tuple[str, ...]) -> BifurcationPoint | None:
    """Return a special point with what its second test says; None where it is none."""
    kind, note, _ = problem.tests[at.test]
    branch = problem.branch
    balls = at.balls if at.balls is not None else tuple(flint.arb(float(v)) for v in at.middle)
    radius = max(float(ball.rad()) for ball in balls) if at.balls is not None else float("inf")
    found = BifurcationPoint(
        kind,
        float(at.middle[0]),
        float(at.middle[1]),
        tuple(float(v) for v in at.middle[2:]),
        on,
        at.balls is not None,
        radius,
        note=note,
    )
    if kind == "saddle-node":
        q, g = problem.equations
        minors = (q.derivative(i) * g.derivative(2) - q.derivative(2) * g.derivative(i) for i in (0, 1))
        if all(enclosed(minor, balls).contains(0) for minor in minors):
            return replace(found, kind="branch point")
    if kind == "hopf":
        if not enclosed(branch.slow_rate * branch.rest * branch.jacobian, balls) > 0:
            return None  # a neutral saddle, or a zero of higher order
        value = lyapunov_coefficient(branch.q * branch.rest, branch.slow_rate * branch.slow_field, balls)
        word = "supercritical" if value < 0 else ("subcritical" if value > 0 else "degenerate")
        return replace(found, lyapunov=float(value.mid()), note=word)
    if kind == "singular point":
        q = branch.q
        hessian = q.derivative(0).derivative(0) * q.derivative(1).derivative(1) - q.derivative(0).derivative(1) ** 2
        value = enclosed(hessian, balls)
        word = "branch point" if value < 0 else ("isola centre" if value > 0 else "singular point")
        return replace(found, kind=word, note=f"{formatted(q)} = 0 is singular there" if value.contains(0) else "")
    return found


def merged(points: Sequence[BifurcationPoint], width: Fraction) -> tuple[BifurcationPoint, ...]:
    """Return points in order of their parameters; those found on two branches once, with the curves of both."""
    kept: list[BifurcationPoint] = []
    near = _SAME * float(width)
    for point in points:
        for k, other in enumerate(kept):
            apart = [abs(point.x - other.x), abs(point.y - other.y) / max(1.0, abs(point.y))]
            apart += [abs(a - b) for a, b in zip(point.parameters, other.parameters, strict=True)]
            if point.kind == other.kind and max(apart) <= near:
                curves = tuple(dict.fromkeys((*other.curves, *point.curves)))
                kept[k] = replace(other, curves=curves, certified=other.certified or point.certified)
                break
        else:
            kept.append(point)
    return tuple(sorted(kept, key=lambda p: (p.parameters, p.x, p.y)))


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
