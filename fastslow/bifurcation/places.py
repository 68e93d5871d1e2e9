"""Where the loci of special points meet at one parameter value, and what that is."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint

from fastslow.bifurcation.loci import FAST, PARAMETER, SLOW, Loci, Locus, Meeting, Place, Role
from fastslow.systems.algebraic import Ball, RealRoot
from fastslow.systems.polynomials import Polynomial, coefficients, evaluate, rational, univariate

_BITS = 320

_ALONE = {
    Role.FOLD: "cusp",
    Role.EQUILIBRIUM: "saddle-node",
    Role.CROSSING: "tangent curves",
    Role.VERTICAL: "double vertical tangent",
    Role.POLE: "double pole",
    Role.LINE: "double line",
}
_PAIRS = {
    (Role.FOLD, Role.VERTICAL): "branch point",
    (Role.FOLD, Role.EQUILIBRIUM): "canard point",
    (Role.FOLD, Role.CROSSING): "fold at crossing",
    (Role.EQUILIBRIUM, Role.CROSSING): "equilibrium at crossing",
    (Role.FOLD, Role.FOLD): "cusp",
    (Role.EQUILIBRIUM, Role.EQUILIBRIUM): "saddle-node",
    (Role.CROSSING, Role.CROSSING): "three curves at one point",
    (Role.EQUILIBRIUM, Role.VERTICAL): "equilibrium at a vertical tangent",
    (Role.CROSSING, Role.VERTICAL): "crossing at a vertical tangent",
}
_THROUGH_INFINITY = "{} through infinity"


def located(
    loci: Loci, meeting: Meeting, value: RealRoot, window: tuple[Fraction, Fraction]
) -> list[tuple[str, float, float, bool]]:
    """Return (kind, x, y, isolated) of a meeting at one parameter: none where the points that meet are not real."""
    a, b = meeting.first, meeting.second
    with flint.ctx.workprec(_BITS):
        s = value.ball(_BITS)
        if b is None:
            kind = _THROUGH_INFINITY.format(a.places[0].role)
            return [(kind, x, math.inf, True) for x in _line_positions(loci, a, s, value, window)]
        try:
            shared, certified = _common_roots(a, b, s, value), True
        except (ValueError, ArithmeticError):
            shared, certified = _near_roots(a, b, s, value), False
        found = []
        for u in shared:
            if a.variable == SLOW:
                kind, _ = _named(a, b)
                found += [(kind, x, float(u.mid()), certified) for x in _line_positions(loci, a, s, value, window)]
                continue
            if u < flint.arb(rational(window[0])) or u > flint.arb(rational(window[1])):
                continue
            kind, places = _named(a, b)
            heights = _heights(loci, places, u, s)
            found += [(kind, float(u.mid()), y, certified) for y in heights]
        return found


def _named(a: Locus, b: Locus) -> tuple[str, tuple[Place, ...]]:
    """Return what it is that two loci meet, and as what they do."""
    if a is b:
        place = a.places[0]
        return _ALONE.get(place.role, f"double {place.role}"), (place,)
    pairs = [(p, q) for p in a.places for q in b.places if p.curve is None or q.curve is None or p.curve == q.curve]
    order = list(Role)
    pairs = [(p, q) if order.index(p.role) <= order.index(q.role) else (q, p) for p, q in pairs]
    for p, q in pairs:
        if p.role is Role.POLE:
            if q.role is Role.POLE:
                return _ALONE[q.role], (p, q)
            if q.role in (Role.START, Role.EDGE):
                return f"infinity on the {q.role}" if q.role is Role.START else f"infinity at the {q.role}", (p, q)
            return _THROUGH_INFINITY.format(q.role), (p, q)
    for roles, kind in _PAIRS.items():
        for p, q in pairs:
            if (p.role, q.role) == roles:
                return kind, (p, q)
    p, q = min(pairs, key=lambda pair: (order.index(pair[1].role), order.index(pair[0].role)))
    return f"{p.role} {'on' if q.role is Role.START else 'at'} the {q.role}", (p, q)


def _along(p: Polynomial, variable: int, s: Ball, value: RealRoot | None = None) -> list[Ball]:
    """Return the coefficients of u -> p(u, s) as balls, without leading ones that are zero, exactly."""
    rows = [univariate(row, PARAMETER) for row in coefficients(p, variable)]
    while value is not None and len(rows) > 1 and (rows[-1].numer() % value.polynomial).is_zero():
        rows.pop()
    return [evaluate(row, s) for row in rows]


def _isolated(row: list[Ball]) -> list[Ball]:
    """Return the real roots of a polynomial with real balls as coefficients; ValueError where one is multiple."""
    if len(row) < 2:
        return []
    if len(row) == 2:
        return [-row[0] / row[1]]
    roots = flint.acb_poly([flint.acb(c) for c in row]).roots(tol=flint.arb(2) ** (-_BITS // 4))
    return [root.real for root in roots if root.imag.contains(0)]


def _common_roots(a: Locus, b: Locus, s: Ball, value: RealRoot) -> list[Ball]:
    """Return the real u with a = b = 0 at s, of one locus its double roots."""
    if a is b:
        slope = _along(a.polynomial.derivative(a.variable), a.variable, s, value)
        p = flint.arb_poly(_along(a.polynomial, a.variable, s, value))
        return [u for u in _isolated(slope) if _contains_zero(p(u))]
    low, high = sorted((a, b), key=lambda locus: locus.polynomial.degrees()[locus.variable])
    q = flint.arb_poly(_along(high.polynomial, high.variable, s, value))
    try:
        roots = _isolated(_along(low.polynomial, low.variable, s, value))
    except (ValueError, ArithmeticError):
        q = flint.arb_poly(_along(low.polynomial, low.variable, s, value))
        roots = _isolated(_along(high.polynomial, high.variable, s, value))
    return [u for u in roots if _contains_zero(q(u))]


def _contains_zero(value: Any) -> bool:
    return bool(value.contains(0))


def _near_roots(a: Locus, b: Locus, s: Ball, value: RealRoot) -> list[Ball]:
    """Return the u that seem to be common roots, where multiple ones forbid enclosures: not proved."""
    import numpy as np

    rows = [np.array([float(c.mid()) for c in _along(q.polynomial, q.variable, s, value)]) for q in (a, b)]
    if a is b:
        rows[1] = np.polynomial.polynomial.polyder(rows[0])
    size = [np.polynomial.polynomial.Polynomial(np.abs(row)) for row in rows]
    roots = np.polynomial.polynomial.polyroots(rows[1])
    near = [z.real for z in roots if abs(z.imag) < 1e-4 * (1 + abs(z))]
    kept: list[float] = []
    for u in near:
        if abs(np.polynomial.polynomial.polyval(u, rows[0])) > 1e-6 * float(size[0](abs(u))):
            continue
        if not any(abs(u - v) < 1e-3 * (1 + abs(v)) for v in kept):
            kept.append(float(u))
    return [flint.arb(u) for u in kept]


def _line_positions(
    loci: Loci, locus: Locus, s: Ball, value: RealRoot, window: tuple[Fraction, Fraction]
) -> list[float]:
    """Return where the lines x = const in the window are on which the points of a locus move."""
    found = []
    for place in locus.places:
        if place.curve is None or loci.curves[place.curve].polynomial.degrees()[FAST] <= 0:
            continue
        for x in _isolated(_along(loci.curves[place.curve].polynomial, FAST, s, value)):
            if float(window[0]) <= float(x.mid()) <= float(window[1]) and float(x.mid()) not in found:
                found.append(float(x.mid()))
    return found


def _heights(loci: Loci, places: tuple[Place, ...], x: Ball, s: Ball) -> list[float]:
    """Return the slow values at which the places of a meeting at x are one place; infinity at a pole."""
    curve = next((place.curve for place in places if place.curve is not None), None)
    if curve is None or loci.curves[curve].polynomial.degrees()[SLOW] <= 0:
        return [math.nan]
    if any(place.role is Role.POLE for place in places):
        return [math.inf]
    rows = _above(loci.curves[curve].polynomial, x, s)
    if len(rows) == 2:
        return [math.inf if rows[1].contains(0) else float((-rows[0] / rows[1]).mid())]
    conditions = [place.condition for place in places if place.condition is not None]
    try:
        roots = _isolated(rows)
    except (ValueError, ArithmeticError):  # a vertical tangent: two sheets meet
        try:
            roots = _isolated([k * c for k, c in enumerate(rows)][1:])
        except (ValueError, ArithmeticError):
            return [math.nan]
        conditions.append(loci.curves[curve].polynomial)
    values = [(y, [_value(condition, x, y, s) for condition in conditions]) for y in roots]
    return [float(y.mid()) for y, zero in values if all(v.contains(0) for v in zero)]


def _above(p: Polynomial, x: Ball, s: Ball) -> list[Ball]:
    rows = [flint.arb(0)] * (p.degrees()[SLOW] + 1)
    for (i, j, k), value in p.to_dict().items():
        rows[j] += flint.arb(value) * x**i * s**k
    return rows


def _value(p: Polynomial, x: Ball, y: Ball, s: Ball) -> Ball:
    total = flint.arb(0)
    for (i, j, k), value in p.to_dict().items():
        total += flint.arb(value) * x**i * y**j * s**k
    return total
