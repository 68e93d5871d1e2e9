"""Regions beside an invariant line, beyond all zeros of the field, from which solutions go to infinity along it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import flint

from fastslow.flow.tails import Tail
from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind
from fastslow.systems.polynomial_system import exactly
from fastslow.systems.polynomials import Polynomial, by_slow_power, evaluate

_HALVINGS = 6
_BEYOND = 1e300
"""Stands for infinity in the arrays of the kernel."""


def corners_of(manifold: CriticalManifold) -> list[Tail]:
    """Return the corners at the ends of all invariant lines along which an attracting arc runs to infinity."""
    if not manifold.of_kind(Kind.INFINITY):
        return []
    return [
        tail
        for arc in manifold.arcs
        if arc.curve.shape is Shape.FAST_LINE
        and arc.stability is FastStability.ATTRACTING
        and arc.target.kind is Kind.INFINITY
        for tail in _corners(manifold, arc)
    ]


def _corners(manifold: CriticalManifold, arc: Arc) -> Iterator[Tail]:
    """Yield the corners {x between the line and `last`, sign y > y_last} on both sides of a line, in the window.

    With y_last beyond all zeros of g and of the other factors of f above [line, last], f points to the line and g
    to infinity throughout, so that no solution leaves the corner and y grows without end.
    """
    system = exactly(manifold.system, "an end at infinity")
    line, sign = float(arc.x[0]), math.copysign(1.0, arc.target.y)
    curves = [branch.curve for branch in manifold.branches if branch.curve.shape is not Shape.FAST_LINE]
    polynomials = [*(curve.polynomial for curve in curves), system.slow_field]
    for edge in (float(system.lower), float(system.upper)):
        if edge == line:
            continue
        for halving in range(1, _HALVINGS):
            last = line + (edge - line) * 0.5**halving
            heights = [_highest_zero(p, line, last) for p in polynomials]
            height = max((h for h in heights if h is not None), default=0.0)
            side = 1.0 if last > line else -1.0
            y = sign * 2.0 * (height or 1.0)
            if None not in heights and side * system.f(last, y) < 0.0 < sign * system.g(last, y):
                # x may round to the line itself, so the region of the kernel goes beyond it.
                yield Tail(line - side, side, last, sign, y, sign * _BEYOND, arc.target)
                break


def _highest_zero(p: Polynomial, a: float, b: float) -> float | None:
    """Return a bound on |y| at the zeros of p(x, y) with x in [a, b] (Cauchy's), None where there is none."""
    x = flint.arb((a + b) / 2, abs(b - a) / 2)
    *lower, leading = [evaluate(row, x) for row in by_slow_power(p)]
    if leading.contains(0):
        return None
    least = float(leading.abs_lower())
    return max((float(row.abs_upper()) / least for row in lower), default=0.0) + (1.0 if len(lower) > 1 else 0.0)
