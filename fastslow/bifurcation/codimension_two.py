"""Bifurcations of folds and equilibria followed in two parameters, with the points of codimension 2 on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram
from fastslow.bifurcation.elimination import exact_points, specialised
from fastslow.bifurcation.equations import (
    Branch,
    Problem,
    Test,
    branches,
    checked_polynomials,
    two_parameters,
    typical_size,
)
from fastslow.bifurcation.functions import sign_along
from fastslow.bifurcation.hopf import focal_polynomial
from fastslow.bifurcation.one_parameter import trace_pair
from fastslow.bifurcation.space_curves import Array, SpaceCurve, middle_of, proved_zero, traced_through
from fastslow.errors import CertificateError
from fastslow.manifold.certificates import CommonCurveError
from fastslow.manifold.continuation import TracedCurve
from fastslow.systems.families import Axis, Family
from fastslow.systems.polynomials import Polynomial
from fastslow.systems.system import FastSlowSystem

_SECTIONS = 8
"""Lines in each direction of the plane of parameters from which curves are started."""
_FOUND_AT = 1e-7
"""Codimension-2 points of one kind nearer than this, relative to the axes, are one."""


def continued_twice(family: Family, sample: FastSlowSystem, axes: tuple[Axis, Axis], kind: str) -> Diagram:
    """Follow the bifurcations of folds or of equilibria in two parameters.

    Start points are the exact bifurcation points in one parameter on some lines, where the other one is fixed; a curve
    that meets none of these lines is missing. See ``continuation.continued``.
    """
    ranges = [(axis.low, axis.high) for axis in axes]
    system = checked_polynomials(family, ranges)
    window = (sample.lower, sample.upper)
    curves: list[BifurcationCurve] = []
    points: list[BifurcationPoint] = []
    notes = ["In two parameters it is not shown that no curve is missing."]
    for branch in branches(system):
        for problem in two_parameters(branch, kind):
            found, at, said = _follow(problem, window, ranges, len(curves))
            curves += found
            points += at
            notes += said
    return Diagram(
        family, sample, axes, kind, tuple(curves), once(points, axes), False, (), tuple(dict.fromkeys(notes))
    )


def _follow(
    problem: Problem,
    window: tuple[Fraction, Fraction],
    ranges: Sequence[tuple[Fraction, Fraction]],
    taken: int,
) -> tuple[list[BifurcationCurve], list[BifurcationPoint], list[str]]:
    places, notes = _starts(problem, window, ranges)
    if not any(len(points) for _, _, points in places):
        return [], [], notes
    kinds = bifurcation_tests(problem)
    heights = np.concatenate([points[:, 1] for _, _, points in places])
    lower = np.array([float(window[0]), -np.inf, *(float(low) for low, _ in ranges)])
    upper = np.array([float(window[1]), np.inf, *(float(high) for _, high in ranges)])
    tests = {str(i): test[2] for i, test in enumerate(kinds)}
    space = SpaceCurve(problem.equations, tests, lower, upper, typical_size(heights))
    traced, missed = traced_through(space, places)
    notes += [f"{text} ({problem.kind} of {problem.branch.equation})." for text in missed if "not followed" in text]
    curves, found, said = followed(problem, kinds, space, traced, taken)
    return curves, found, [*notes, *said]


def bifurcation_tests(problem: Problem) -> list[Test]:
    """Return the tests of a curve in two parameters; on Hopf curves also that of Bautin points."""
    branch = problem.branch
    if problem.kind != "hopf":
        return list(problem.tests)
    focal = focal_polynomial(branch.q * branch.rest, branch.slow_rate * branch.slow_field)
    return [*problem.tests, ("Bautin", "", focal)]


def followed(
    problem: Problem, kinds: Sequence[Test], space: SpaceCurve, traced: Sequence[TracedCurve], taken: int
) -> tuple[list[BifurcationCurve], list[BifurcationPoint], list[str]]:
    """Return traced curves with the points of codimension 2 on them, and what is to be said of them.

    Parameters
    ----------
    kinds : sequence of (str, str, function)
        The tests of the curves, see `bifurcation_tests`.
    taken : int
        Number of curves before these.
    """
    branch = problem.branch
    notes: list[str] = []
    curves: list[BifurcationCurve] = []
    points: list[BifurcationPoint] = []
    saddles = False
    for each in traced:
        whole = space.outer(each.points)
        everywhere = {i for i, test in enumerate(kinds) if sign_along(test[2], whole) == 0}
        notes += [f"Every point of a {problem.kind} curve is a {kinds[i][0]} point; not listed." for i in everywhere]
        located = [
            _located(problem, kinds, int(event.kind), space.outer(event.point), event.index + 1)
            for event in sorted(each.events, key=lambda e: e.arclength)
            if event.kind != "branch point" and int(event.kind) not in everywhere
        ]
        curve = _curve(problem, whole, located, each, kinds)
        parts = [curve] if problem.kind != "hopf" else _without_saddles(curve)
        saddles = saddles or sum(len(part.x) for part in parts) < len(curve.x)
        parts = [replace(part, id=f"C{taken + len(curves) + k + 1}") for k, part in enumerate(parts)]
        curves += parts
        for _, point in located:
            own = tuple(part.id for part in parts if np.any((part.x == point.x) & (part.y == point.y)))
            if own and not _spurious(branch, point):
                points.append(replace(point, curves=own))
    if saddles:
        notes.append("Zeros of the trace with a negative determinant (neutral saddles) are left out.")
    return curves, points, notes


def _located(
    problem: Problem, kinds: Sequence[Test], which: int, at: Array, index: int
) -> tuple[int, BifurcationPoint]:
    """Return the zero of a test near a point of a curve, proved if that is possible, and its place among the points."""
    kind, note, test = kinds[which]
    balls = proved_zero((*problem.equations, test), at)
    radius = float("inf")
    if balls is not None:
        at, radius = middle_of(balls), max(float(ball.rad()) for ball in balls)
    x, y, p, q = at.tolist()
    return index, BifurcationPoint(kind, x, y, (p, q), (), balls is not None, radius, note=note)


def _spurious(branch: Branch, point: BifurcationPoint) -> bool:
    """Whether a zero of a test is no such bifurcation: Bautin on neutral saddles, BT with a linear part of zero."""
    at = np.array([[point.x, point.y, *point.parameters]])
    if point.kind == "Bautin":
        return sign_along(branch.rest, at) * sign_along(branch.jacobian, at) <= 0
    if point.kind == "Bogdanov-Takens":
        f, g = branch.q * branch.rest, branch.slow_field
        return all(sign_along(p.derivative(k), at) == 0 for p in (f, g) for k in (0, 1))
    return False


def _without_saddles(curve: BifurcationCurve) -> list[BifurcationCurve]:
    """Return the parts of a curve of zeros of the trace on which these are Hopf points."""
    runs: list[slice] = []
    for word, piece in curve.pieces():
        if word == "neutral saddle":
            continue
        if runs and runs[-1].stop == piece.start + 1:
            runs[-1] = slice(runs[-1].start, piece.stop)
        else:
            runs.append(piece)
    whole = len(runs) == 1 and runs[0] == slice(0, len(curve.x))
    return [
        replace(
            curve,
            x=curve.x[run],
            y=curve.y[run],
            parameters=curve.parameters[:, run],
            stability=curve.stability[run],
            closed=curve.closed and whole,
        )
        for run in runs
    ]


def _starts(
    problem: Problem, window: tuple[Fraction, Fraction], ranges: Sequence[tuple[Fraction, Fraction]]
) -> tuple[list[tuple[int, float, Array]], list[str]]:
    """Return for lines q = const and p = const the points (x, y, p, q) of the curve on them."""
    places: list[tuple[int, float, Array]] = []
    unknown = set()
    for fixed, (low, high) in reversed([*enumerate(ranges)]):
        for k in range(_SECTIONS):
            value = low + (high - low) * Fraction(2 * k + 1, 2 * _SECTIONS)
            try:
                rows = _on_line(
                    [specialised(p, 2 + fixed, value) for p in problem.equations], window, ranges[1 - fixed]
                )
            except (CertificateError, CommonCurveError):
                unknown.add(f"No start points for {problem.kind} curves of {problem.branch.equation} on some lines.")
                continue
            points = np.insert(np.array(rows).reshape(-1, 3), 2 + fixed, float(value), axis=1)
            places.append((2 + fixed, float(value), points))
    return places, sorted(unknown)


def _on_line(
    equations: Sequence[Polynomial], window: tuple[Fraction, Fraction], between: tuple[Fraction, Fraction]
) -> list[Array]:
    """Return common zeros (x, y, p) of three equations: all of them where y is rational, else by tracing two."""
    found = exact_points(equations, window, between)
    if found is not None:
        return [middle_of(point.balls()) for point in found[0]]
    if any(p.is_zero() for p in equations):
        return []
    first, second, test = equations
    part = trace_pair((first, second), {"zero": test}, window, between, "")
    return [part.space.outer(event.point) for curve in part.traced for event in curve.events_of("zero")]


def _curve(
    problem: Problem,
    points: Array,
    located: Sequence[tuple[int, BifurcationPoint]],
    traced: TracedCurve,
    kinds: Sequence[Test],
) -> BifurcationCurve:
    """Return a curve with its points of codimension 2 among its points, and what each arc between these is."""
    pieces: list[Array] = []
    words: list[str] = []
    last = 0
    for index, at in [*located, (len(points), None)]:
        arc = points[last:index]
        words += [_word(problem, arc, kinds)] * len(arc)
        pieces.append(arc)
        if at is not None:
            pieces.append(np.array([[at.x, at.y, *at.parameters]]))
            words.append("center")
        last = index
    whole = np.concatenate(pieces)
    return BifurcationCurve(
        "",
        problem.kind,
        problem.branch.equation,
        whole[:, 0],
        whole[:, 1],
        np.ascontiguousarray(whole[:, 2:].T),
        tuple(words),
        traced.closed,
        (traced.stop_reasons[0].sentence, traced.stop_reasons[1].sentence),
    )


def _word(problem: Problem, arc: Array, kinds: Sequence[Test]) -> str:
    """Return what an arc of Hopf points is: the sign of the first Lyapunov coefficient, or neutral saddles."""
    if problem.kind != "hopf" or not len(arc):
        return ""
    branch = problem.branch
    if sign_along(branch.rest, arc) * sign_along(branch.jacobian, arc) * sign_along(branch.slow_rate, arc) < 0:
        return "neutral saddle"
    across = sign_along(branch.rest, arc) * sign_along(branch.q.derivative(1), arc)  # of f_y
    return {1: "supercritical", 0: "center", -1: "subcritical"}[sign_along(kinds[-1][2], arc) * across]


def once(points: Sequence[BifurcationPoint], axes: Sequence[Axis]) -> tuple[BifurcationPoint, ...]:
    """Return points in order of their parameters, those on several curves once, the certified copy if there is one."""
    widths = [float(axis.high - axis.low) for axis in axes]
    kept: list[BifurcationPoint] = []
    for point in sorted(points, key=lambda p: not p.certified):
        for k, other in enumerate(kept):
            apart = max(abs(a - b) / w for a, b, w in zip(point.parameters, other.parameters, widths, strict=True))
            if point.kind == other.kind and apart < _FOUND_AT and abs(point.x - other.x) < 1e-4:
                kept[k] = replace(other, curves=tuple(dict.fromkeys((*other.curves, *point.curves))))
                break
        else:
            kept.append(point)
    return tuple(sorted(kept, key=lambda p: (p.parameters, p.x, p.y)))
