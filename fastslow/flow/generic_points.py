"""What folds and equilibria do to the orbits of the singular limit: the conditions of the local theorems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fastslow.flow.crossings import derivative_at, middle
from fastslow.flow.relaxation import jump_of
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow
from fastslow.manifold.arcs import FastStability
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.systems.system import Start

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
        derivative_at(flow.system, *o, point) for o in (("f", 2, 0), ("f", 0, 1), ("g", 0, 0), ("g", 1, 0))
    )
    still = point.is_a(Kind.EQUILIBRIUM)
    values = (middle(f_xx), middle(f_y), 0.0 if still else middle(g))
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
