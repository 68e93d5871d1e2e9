"""The folds or the equilibria of one branch followed in one parameter, with all special points on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import flint
import numpy as np

from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint
from fastslow.bifurcation.elimination import cells, critical_values, exact_points, section, specialised
from fastslow.bifurcation.equations import Problem, typical_size
from fastslow.bifurcation.functions import enclose
from fastslow.bifurcation.hopf import lyapunov_coefficient
from fastslow.bifurcation.space_curves import Array, SpaceCurve, middle_of, proved_zero, traced_through
from fastslow.errors import CertificateError
from fastslow.manifold.certificates import CommonCurveError
from fastslow.manifold.continuation import TracedCurve
from fastslow.systems.algebraic import Ball, RealRoot, nearest_double
from fastslow.systems.polynomials import Polynomial

_LETTER = {"fold": "F", "equilibrium": "E"}
_SAME_PLACE = 1e-6
"""Special points of several kinds that are nearer, in steps of the curve, are one point of it."""
_ON_CURVE = 2e-3
"""Largest distance of a special point from the polygon of its curve, in scaled variables."""


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
    name = f"{problem.kind} curves of {problem.branch.equation}"
    special, everywhere, notes = _exact_special(problem, pair, window, between)
    tests = {str(i): test[2] for i, test in enumerate(problem.tests)} if special is None else {}
    part = trace_pair(pair, tests, window, between, name)
    notes += part.notes
    located = special if special is not None else _proved_events(problem, pair, part.space, part.traced)
    return assembled(problem, part, located, everywhere, notes, taken)


def assembled(
    problem: Problem, part: TracedPair, located: Sequence[Located], everywhere: list[int], notes: list[str], taken: int
) -> Followed:
    """Return traced curves with the special points that were located on them, and what each arc between these is.

    Parameters
    ----------
    everywhere : list of int
        Tests that vanish on a whole curve.
    taken : int
        Number of curves before these.
    """
    space, traced = part.space, part.traced
    judged = [(at, _point(problem, at)) for at in located]
    special_points = [(at, point) for at, point in judged if point is not None]
    letter, curves = _LETTER[problem.kind], []
    for k, each in enumerate(traced):
        own = f"{letter}{taken + k + 1}"
        curves.append(_curve(own, problem, space, each, [at.middle for at, _ in special_points]))
    notes += [
        f"Every point of a curve of {problem.branch.equation} is a {problem.tests[i][0]}; not listed."
        for i in (everywhere if curves else [])
        if problem.tests[i][0] != "hopf" or any("saddle" not in curve.stability for curve in curves)
    ]
    points = []
    for at, point in special_points:
        near = (space.distance(each, at.middle)[0] < _ON_CURVE for each in traced)
        points.append(replace(point, curves=tuple(curve.id for curve, on in zip(curves, near, strict=True) if on)))
    return Followed(curves, points, part.sections, part.critical, notes)


@dataclass(frozen=True, eq=False)
class TracedPair:
    """The traced curves of two equations in (x, y, p), the sections they were started from, and what is not shown."""

    space: SpaceCurve
    traced: list[TracedCurve]
    sections: list[tuple[float, int]]
    critical: list[RealRoot]
    notes: list[str]


def trace_pair(
    pair: tuple[Polynomial, Polynomial],
    tests: dict[str, Polynomial],
    window: tuple[Fraction, Fraction],
    between: tuple[Fraction, Fraction],
    name: str,
) -> TracedPair:
    """Trace all curves of two equations in (x, y, p) from exact sections, and check that none is missing.

    Parameters
    ----------
    tests : dict of str to Polynomial
        Functions whose zeros on the curves are wanted as events.
    name : str
        Of the curves, for the notes on what is not shown.
    """
    critical = critical_values(*pair, window, between)
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
        at = [(nearest_double(zero.x), nearest_double(zero.y), float(value)) for zero in zeros]
        plane = [specialised(p, 2, value) for p in pair]
        if not all(zero.certified or proved_zero(plane, (x, y)) for zero, (x, y, _) in zip(zeros, at, strict=True)):
            notes.append(f"Not shown: the section of the {name} at {float(value):.6g} has candidates not told apart.")
        exact.append((2, float(value), np.array(at).reshape(-1, 3)))
    heights = np.concatenate([np.empty(0), *(points[:, 1] for _, _, points in exact)])
    lower = np.array([float(window[0]), -np.inf, float(between[0])])
    upper = np.array([float(window[1]), np.inf, float(between[1])])
    space = SpaceCurve(pair, tests, lower, upper, typical_size(heights))
    traced, missed = traced_through(space, exact)
    notes += [f"Not shown: {text} ({name})." for text in missed]
    return TracedPair(space, traced, [(value, len(points)) for _, value, points in exact], critical, notes)


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
            notes.append(f"Not shown: special points ({kind}) of {problem.branch.equation}: {error}.")
            continue
        if points is None:
            return None, [], []
        isolated, alone = points
        if not alone:
            everywhere.append(i)
        for each in isolated:
            middle = middle_of(each.balls())
            balls = each.balls() if each.certified else proved_zero((*pair, test), middle)
            found.append(Located(i, middle, balls))
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
    own: str, problem: Problem, space: SpaceCurve, traced: TracedCurve, special: Sequence[Array]
) -> BifurcationCurve:
    """Return a curve with its special points among its points, and the stability of each arc between these."""
    branch = problem.branch
    points = space.outer(traced.points)
    rows: list[tuple[float, Array]] = []
    for middle in special:
        gap, k = space.distance(traced, middle)
        if gap < _ON_CURVE:
            step = (traced.points[k + 1] - traced.points[k]) / traced.scales
            share = float(((space.inner(middle) - traced.points[k]) / traced.scales) @ step / (step @ step))
            place = k + min(max(share, 0.0), 1.0)
            if not any(abs(place - other) < _SAME_PLACE for other, _ in rows):
                rows.append((place, middle))
    # A special point takes the place of a point of the curve that it equals, as at the curve's ends.
    kept = np.array([k for k in range(len(points)) if not any(abs(k - place) < _SAME_PLACE for place, _ in rows)])
    order = np.concatenate((kept, [place for place, _ in rows]))
    sorting = np.argsort(order, kind="stable")
    points = np.concatenate((points[kept], *(middle[None] for _, middle in rows)))[sorting]
    judge = branch.fold_stability if problem.kind == "fold" else branch.equilibrium_stability
    signs = branch.scalar_signs(points)
    cuts = {*np.flatnonzero(sorting >= len(kept)).tolist()}
    cuts |= {*(np.flatnonzero(signs[1:] != signs[:-1]) + 1).tolist()}
    stability = ["center"] * len(points)
    ends = [-1, *sorted(cuts), len(points)]
    for low, high in pairwise(ends):
        begin = low if low >= 0 and signs[low] != signs[low - 1] else low + 1
        if begin < high:
            stability[begin:high] = [judge(points[begin:high])] * (high - begin)
        elif low >= 0 and high < len(points):
            # Nothing lies between two special points: the first one says what the arc between them is.
            stability[low] = judge(points[low : high + 1].mean(axis=0, keepdims=True))
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


def _point(problem: Problem, at: Located) -> BifurcationPoint | None:
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
        (),
        at.balls is not None,
        radius,
        note=note,
    )
    if kind == "saddle-node":
        q, g = branch.q, branch.slow_field
        minors = (q.derivative(i) * g.derivative(2) - q.derivative(2) * g.derivative(i) for i in (0, 1))
        if all(enclose(minor, *balls).contains(0) for minor in minors):
            return replace(found, kind="branch point")
    if kind == "hopf":
        if not enclose(branch.slow_rate * branch.rest * branch.jacobian, *balls) > 0:
            return None  # a neutral saddle, or a zero of higher order
        value = lyapunov_coefficient(branch.q * branch.rest, branch.slow_rate * branch.slow_field, balls)
        word = "supercritical" if value < 0 else ("subcritical" if value > 0 else "degenerate")
        known = float(value.mid()) if value.is_finite() else None
        return replace(found, lyapunov=known, note=word)
    if kind == "canard point":
        determinant = enclose(-branch.rest * branch.q.derivative(1) * branch.slow_field.derivative(0), *balls)
        if determinant.contains(0):
            # g_x = 0 there: two equilibria meet on the fold, and the slow flow does not turn to the other side.
            return replace(found, kind="saddle-node") if problem.kind == "fold" else None
        if determinant < 0:
            return replace(found, note="a saddle: passed from repelling to attracting (faux canard)")
    if kind == "singular point":
        q = branch.q
        hessian = q.derivative(0).derivative(0) * q.derivative(1).derivative(1) - q.derivative(0).derivative(1) ** 2
        value = enclose(hessian, *balls)
        word = "branch point" if value < 0 else ("isola centre" if value > 0 else "singular point")
        return replace(found, kind=word, note=f"{branch.equation} is singular there" if value.contains(0) else "")
    return found
