"""Points where branches of the critical manifold cross: what they are, and how orbits pass them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import flint

from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import Ball
from fastslow.systems.system import FastSlowSystem

_BITS = 256

CANARD = "canard: on along the same branch past its loss of stability, as on an invariant line (delay)"
JUMP = "jump: orbits leave the critical manifold"
EXCHANGE = "exchange of stability: on along the attracting branch"
TO_THE_MIDDLE = "from either side to the branch through it"
GAINS = "the branch through it gains stability"
LOSES = "the branch through it loses its stability: delayed where it is a line, else to one of the sides"


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
        At a transcritical point g f_xy / (|g| sqrt(f_xy^2 - f_xx f_yy)): below 1 orbits go on along the attracting
        branch, above 1 they jump, at 1 they follow a canard: where one branch is a line x = const, the loss of its
        stability is delayed.
    passage : str
        What orbits do that the slow flow brings there on an attracting arc.
    side : int
        The sign of the change of x with which they jump, or part from a branch that loses its stability; 0 where they
        do neither, or it is not told.

    Notes
    -----
    f does not depend on the slow rate. With u = x + y f_xy / f_xx a transcritical point is, in other units, u' = u^2 -
    y^2 + slow_rate lambda, y' = slow_rate, and lambda is the ratio. At a pitchfork point the branch through it is
    x = s y, s = -f_yy / (2 f_xy), and u = x - s y has u' = f_xy u y + f_xxx u^3 / 6 - slow_rate s g: orbits part from
    this branch to the side of -s g.

    References
    ----------
    M. Krupa and P. Szmolyan, Nonlinearity 14 (2001) 1473, theorems 2.1 and 4.1.
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
    side: int = 0


def crossing_reports(system: FastSlowSystem, points: tuple[SpecialPoint, ...]) -> tuple[CrossingReport, ...]:
    """Return what each crossing is and how orbits pass it."""
    return tuple(crossing_report(system, point) for point in points if point.is_a(Kind.CROSSING))


def crossing_report(system: FastSlowSystem, point: SpecialPoint) -> CrossingReport:
    """Return what a crossing is and how orbits pass it."""
    orders = (("f", 2, 0), ("f", 1, 1), ("f", 0, 2), ("f", 3, 0), ("g", 0, 0))
    balls = [derivative_at(system, *order, point) for order in orders]
    f_xx, f_xy, f_yy = balls[:3]
    a, b, c, d, slow = (0.0 if ball.contains(0) else middle(ball) for ball in balls)
    spread = f_xy * f_xy - f_xx * f_yy
    kind, ratio, passage, side = "degenerate", None, "", 0
    if slow == 0.0:
        kind = "equilibrium"
    elif any(curve.shape is Shape.SLOW_LINE for curve in point.curves):
        kind = "on a line y = const"
    elif a != 0.0 and spread > 0:
        kind = "transcritical point"
        ratio = math.copysign(1.0, slow) * b / math.sqrt(middle(spread))
        # 1 is not told from what is equal to it.
        canard = (f_xy * f_xy / spread - 1).contains(0) and ratio > 0.0
        passage = CANARD if canard else JUMP if ratio > 1.0 else EXCHANGE
        side = int(math.copysign(1.0, a)) if passage == JUMP else 0
    elif a == 0.0 and b != 0.0 and d != 0.0:
        # x' ~ f_xy x y + f_xxx x^3 / 6: the rest x = 0 loses its stability where f_xy g > 0.
        kind = "pitchfork point"
        passage = LOSES if b * slow > 0.0 else TO_THE_MIDDLE if d < 0.0 else GAINS
        side = int(math.copysign(1.0, c * b * slow)) if passage == LOSES and c != 0.0 else 0
    return CrossingReport(point.id, kind, a, b, c, d, slow, ratio, passage, side)


def derivative_at(system: FastSlowSystem, of: str, fast: int, slow: int, point: SpecialPoint) -> Ball:
    """Return an enclosure of a partial derivative at a special point."""
    assert point.exact_x is not None and point.exact_y is not None
    with flint.ctx.workprec(_BITS):
        return system.enclose(of, fast, slow, point.exact_x.ball(_BITS), point.exact_y.ball(_BITS))


def middle(ball: Ball) -> float:
    """Return the middle of an enclosure as a double."""
    return float(ball.mid())
