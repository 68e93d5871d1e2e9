"""What folds, crossings and equilibria do to the orbits of the singular limit: the conditions of the local theorems."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import flint

from fastslow.flow.relaxation import jump_of
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow
from fastslow.manifold.arcs import FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.systems.algebraic import Ball
from fastslow.systems.system import FastSlowSystem, Start

_BITS = 256
_BEYOND = Fraction(1, 1000)
"""How far beyond the repelling arc a start is taken to see what a kick does, as a share of the way from the rest."""


@dataclass(frozen=True)
class FoldReport:
    """A fold f = f_x = 0 and the conditions of a generic one.

    Attributes
    ----------
    id : str
        The special point.
    kind : str
        "jump point": f_xx, f_y and g are not zero, and the slow flow on the attracting side runs to the fold;
        "left by the slow flow": it runs away; "canard point": g = 0 and f_y g_x < 0, so that the slow flow goes through
        from the attracting to the repelling side or back; "folded saddle": g = 0 and f_y g_x > 0; "degenerate".
    f_xx, f_y, g : float
        Non-degeneracy, transversality, and the slow right-hand side (without the slow rate).
    landing : (float, float) or None
        Where the jump ends, if there is one.
    target : str
        The arc it lands on, or the point it meets; empty where it leaves the window.
    next : str
        The point to which the slow flow runs from there.
    """

    id: str
    kind: str
    f_xx: float
    f_y: float
    g: float
    landing: tuple[float, float] | None = None
    target: str = ""
    next: str = ""


@dataclass(frozen=True)
class CrossingReport:
    """A point f = f_x = f_y = 0 where branches of the critical manifold cross.

    Attributes
    ----------
    id : str
        The special point.
    kind : str
        "transcritical point": f_xx is not 0, f_xx f_yy < f_xy^2; "pitchfork point": f_xx = 0, and f_xxx and f_xy are
        not; "on a line y = const" of fast equilibria, which is nowhere normally hyperbolic; "equilibrium" where g = 0;
        "degenerate".
    f_xx, f_xy, f_yy, f_xxx, g : float
        Derivatives there.
    ratio : float or None
        At a transcritical point g f_xy / (|g| sqrt(f_xy^2 - f_xx f_yy)).
    passage : str
        What orbits do that the slow flow brings there on an attracting arc.

    References
    ----------
    M. Krupa and P. Szmolyan, Nonlinearity 14 (2001) 1473.
    """

    id: str
    kind: str
    f_xx: float
    f_xy: float
    f_yy: float
    f_xxx: float
    g: float
    ratio: float | None = None
    passage: str = ""


@dataclass(frozen=True)
class Excitable:
    """A stable equilibrium from which a kick makes a long excursion in the singular limit.

    Attributes
    ----------
    equilibrium, fold : str
        The equilibrium, and the fold at which its arc ends.
    distance : float
        |x_equilibrium - x_fold|.
    threshold : float
        With y held at the equilibrium, kicks beyond this x, on the repelling arc, jump.
    peak : float
        Where the first jump lands.
    folds : tuple of str
        The folds at which the excursion jumps on its way back.
    """

    equilibrium: str
    fold: str
    distance: float
    threshold: float
    peak: float
    folds: tuple[str, ...]


def fold_reports(flow: SingularFlow) -> tuple[FoldReport, ...]:
    """Return what each fold is and where it makes orbits jump to."""
    return tuple(_fold(flow, point) for point in flow.manifold.of_kind(Kind.FOLD))


def _fold(flow: SingularFlow, point: SpecialPoint) -> FoldReport:
    f_xx, f_y, g, g_x = (
        _derivative(flow.system, *o, point) for o in (("f", 2, 0), ("f", 0, 1), ("g", 0, 0), ("g", 1, 0))
    )
    still = point.is_a(Kind.EQUILIBRIUM)
    values = (_double(f_xx), _double(f_y), 0.0 if still else _double(g))
    if f_xx.contains(0) or f_y.contains(0) or point.multiplicity.get(Kind.FOLD, 1) > 1:
        return FoldReport(point.id, "degenerate", *values)
    if still:
        kind = "degenerate" if g_x.contains(0) else "canard point" if f_y * g_x < 0 else "folded saddle"
        return FoldReport(point.id, kind, *values)
    jump = jump_of(flow, point)
    if jump is None:
        return FoldReport(point.id, "left by the slow flow", *values)
    target = jump.node.id if jump.node is not None else jump.arc.id if jump.arc is not None else ""
    after = jump.arc.target.id if jump.arc is not None and jump.node is None else ""
    return FoldReport(point.id, "jump point", *values, jump.end, target, after)


def crossing_reports(system: FastSlowSystem, points: tuple[SpecialPoint, ...]) -> tuple[CrossingReport, ...]:
    """Return what each crossing is and how orbits pass it."""
    return tuple(_crossing(system, point) for point in points if point.is_a(Kind.CROSSING))


def _crossing(system: FastSlowSystem, point: SpecialPoint) -> CrossingReport:
    orders = (("f", 2, 0), ("f", 1, 1), ("f", 0, 2), ("f", 3, 0), ("g", 0, 0))
    balls = [_derivative(system, *order, point) for order in orders]
    f_xx, f_xy, f_yy = balls[:3]
    a, b, c, d, slow = (0.0 if ball.contains(0) else _double(ball) for ball in balls)
    spread = f_xy * f_xy - f_xx * f_yy
    kind, ratio, passage = "degenerate", None, ""
    if slow == 0.0:
        kind = "equilibrium"
    elif any(curve.shape is Shape.SLOW_LINE for curve in point.curves):
        kind = "on a line y = const"
    elif a != 0.0 and spread > 0:
        kind = "transcritical point"
        ratio = math.copysign(1.0, slow) * b / math.sqrt(_double(spread))
        passage = _passage(ratio, canard=(f_xy * f_xy / spread - 1).contains(0) and ratio > 0.0)
    elif a == 0.0 and b != 0.0 and d != 0.0:
        # x' ~ f_xy x y + f_xxx x^3 / 6: the rest x = 0 loses its stability where f_xy g > 0.
        kind = "pitchfork point"
        if b * slow > 0.0:
            passage = "the branch through it loses its stability: delayed where it is a line, else to one of the sides"
        else:
            passage = (
                "from either side to the branch through it" if d < 0.0 else "the branch through it gains stability"
            )
    return CrossingReport(point.id, kind, a, b, c, d, slow, ratio, passage)


def _passage(ratio: float, canard: bool) -> str:
    if canard:
        return "canard: on along the same branch past its loss of stability, as on an invariant line (delay)"
    return (
        "jump: orbits leave the critical manifold"
        if ratio > 1.0
        else "exchange of stability: on along the attracting branch"
    )


def excitable_equilibria(flow: SingularFlow) -> Iterator[Excitable]:
    """Yield the stable equilibria on attracting arcs from which a kick leads over folds and back."""
    for rest in flow.manifold.of_kind(Kind.EQUILIBRIUM):
        if rest.stability is not Stability.STABLE or rest.exact_y is None or rest.exact_x is None:
            continue
        for arc in flow.arcs_at(rest):
            fold = arc.other_end(rest)
            if arc.stability is not FastStability.ATTRACTING or not fold.is_a(Kind.FOLD) or fold.is_a(Kind.EQUILIBRIUM):
                continue
            found = _excursion(flow, rest, fold)
            if found is not None:
                yield found


def _excursion(flow: SingularFlow, rest: SpecialPoint, fold: SpecialPoint) -> Excitable | None:
    """Return what a kick towards and beyond a fold does, None where it does not come back over another fold."""
    assert rest.exact_y is not None
    direction = 1 if fold.x > rest.x else -1
    hurdle = flow.land(rest.x, rest.exact_y, rest.y, direction, leaving=rest)
    if hurdle is None or hurdle.arc is None or hurdle.arc.stability is not FastStability.REPELLING:
        return None
    if hurdle.arc.curve.shape is Shape.FAST_LINE:
        return None  # no kick passes an invariant line
    gap = Fraction(hurdle.x) - Fraction(rest.x)
    x = Fraction(hurdle.x) + _BEYOND * gap
    if not flow.system.lower <= x <= flow.system.upper:
        return None
    orbit = flow.orbit(Start(x, Fraction(rest.y)))
    jumps = [s for s in orbit.segments if s.kind is SegmentKind.JUMP]
    folds = [
        s.node.id
        for s in orbit.segments
        if s.kind is SegmentKind.SLOW and s.node is not None and s.node.is_a(Kind.FOLD)
    ]
    if orbit.node is not rest or len(jumps) < 2 or not folds:
        return None
    return Excitable(rest.id, fold.id, abs(rest.x - fold.x), hurdle.x, jumps[0].end[0], tuple(folds))


def _derivative(system: FastSlowSystem, of: str, fast: int, slow: int, point: SpecialPoint) -> Ball:
    """Return an enclosure of a partial derivative at a special point."""
    assert point.exact_x is not None and point.exact_y is not None
    with flint.ctx.workprec(_BITS):
        return system.enclose(of, fast, slow, point.exact_x.ball(_BITS), point.exact_y.ball(_BITS))


def _double(ball: Ball) -> float:
    return float(ball.mid())
