"""How orbits pass a point where branches of the critical manifold cross."""

from __future__ import annotations

import math

from fastslow.systems.system import FastSlowSystem


def passage_ratio(system: FastSlowSystem, x: float, y: float) -> float:
    """Return g f_xy / (|g| sqrt(f_xy^2 - f_xx f_yy)) at a crossing f = f_x = f_y = 0.

    Below 1 orbits go on along the attracting branch, above 1 they jump, at 1 they follow a canard: where one branch is
    a line x = const, the loss of its stability is delayed.

    References
    ----------
    M. Krupa and P. Szmolyan, Nonlinearity 14 (2001) 1473, theorem 2.1.
    """
    f_xx, f_xy, f_yy = (float(system.partial("f", *order, x, y)) for order in ((2, 0), (1, 1), (0, 2)))
    spread = f_xy * f_xy - f_xx * f_yy
    return math.copysign(1.0, system.g(x, y)) * f_xy / math.sqrt(spread) if spread > 0.0 else math.nan
