"""Equilibria with one zero eigenvalue: on which side the flow along the centre manifold leaves them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import Arc, FastStability
from fastslow.manifold.curves import CURVED
from fastslow.manifold.special_points import SpecialPoint, Stability

_SMALL = 1e-9
"""Size of f_x, as a share of the other eigenvalue, that counts as zero."""
_FAR_ENOUGH = 1e-4
"""Distance from the equilibrium, in units of the window and the height, at which an arc is joined."""


@dataclass(frozen=True, eq=False)
class Center:
    """An equilibrium with eigenvalues `strong` and 0.

    Its centre manifold is tangent to the kernel of the Jacobian J; the sign of w (x - x*, y - y*), with w J = 0, tells
    on which side of the strong manifold a state is. Beside it run arcs of the critical manifold, and the flow along it
    has the sign of the slow flow on them times that of f_x / strong.

    Attributes
    ----------
    point : SpecialPoint
        The equilibrium.
    strong : float
        The other eigenvalue.
    w : ndarray
        The left null vector of the Jacobian.
    arcs : dict
        The arc beside each half, by its side, 1 or -1; a side without one is not in the window.
    """

    point: SpecialPoint
    strong: float
    w: NDArray[np.float64]
    arcs: dict[int, Arc]

    def side(self, x: float, y: float, came_from: float) -> int:
        """Return the side of a state; a state that rounds to x* is on the side of the `came_from` that x began at."""
        away = x - self.point.x or math.copysign(math.ulp(0.0), came_from - self.point.x)
        return 1 if self.w[0] * away + self.w[1] * (y - self.point.y) > 0.0 else -1

    def leaves(self, side: int) -> bool:
        """Whether the flow along the centre manifold leaves the equilibrium on a side."""
        arc = self.arcs.get(side)
        if arc is None:
            return False
        with_slow_flow = (arc.stability is FastStability.ATTRACTING) == (self.strong < 0.0)
        return (arc.source is self.point) == with_slow_flow

    def on_arc(self, side: int, width: float, height: float) -> tuple[float, float]:
        """Return a point of the arc of a side, outside what counts as settled."""
        arc = self.arcs[side]
        x, y = (v if arc.start is self.point else v[::-1] for v in (arc.x, arc.y))
        away = np.hypot((x - self.point.x) / width, (y - self.point.y) / height)
        k = int(np.argmax(away >= _FAR_ENOUGH)) or len(x) // 2
        return float(x[k]), float(y[k])


def center_at(flow: SingularFlow, point: SpecialPoint) -> Center | None:
    """Return the centre manifold at an equilibrium with one zero eigenvalue; None at others and at folds."""
    values = [value for value in point.eigenvalues if value]
    if point.stability is not Stability.CENTER or len(values) != 1 or values[0].imag:
        return None
    (a, b), (c, d) = flow.system.jacobian(point.x, point.y)
    if abs(a) <= _SMALL * abs(values[0]) and len(point.curves) == 1:
        return None  # at a fold
    w = max(np.array([c, -a]), np.array([d, -b]), key=lambda row: float(np.hypot(*row)))
    arcs: dict[int, Arc] = {}
    for arc in flow.arcs_at(point):
        if arc.flow == 0 or arc.curve.shape not in CURVED or len(arc.x) < 2:
            continue
        k = 1 if arc.start is point else -2
        side = 1 if w @ (arc.x[k] - point.x, arc.y[k] - point.y) > 0.0 else -1
        if side in arcs:
            return None  # two curves cross there
        arcs[side] = arc
    return Center(point, values[0].real, w, arcs)
