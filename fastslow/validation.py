"""Theorem, singular limit, full system: do the levels agree on a start, and if not, why?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastslow.errors import MISSING, InputError
from fastslow.flow.flow_graph import Basin, forbidden
from fastslow.flow.singular_orbit import SegmentKind, SingularOrbit
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.trajectories import Trajectory
from fastslow.results import WindowResult
from fastslow.separatrices.thresholds import Threshold
from fastslow.systems.system import FastSlowSystem, Start
from fastslow.systems.two_layer import TwoLayer

_MOST_WINDOWS = 100
"""Starts with a window, about a second each."""
_CLOSE_SCALES = 0.1
"""A local time-scale ratio above this makes a fast jump drift while it jumps."""
_JUMP_SHARE = 0.9
_BESIDE = 1 / 6
"""Distance of an equilibrium from a fold with canards: this many slow rates, in units of the window."""


@dataclass(frozen=True)
class Comparison:
    """Whether singular limit and full system agree on a start.

    Attributes
    ----------
    agree : bool
        Same fate and same destination.
    explained : bool
        True where they agree, or where a disagreement has a cause that was computed.
    explanation : str
        The cause, or what they agree on.
    """

    agree: bool
    explained: bool
    explanation: str


@dataclass(frozen=True)
class ScaleRatio:
    """The largest |lambda_s / lambda_f| along a trajectory before its fate was known, and where it was."""

    value: float
    x: float
    y: float
    t: float


def scale_ratio(trajectory: Trajectory, until: int | None = None) -> ScaleRatio:
    """Return the largest ratio of the local time scales along a trajectory, and its place."""
    ratio = trajectory.time_scale_ratio[:until]
    i = int(np.argmax(ratio))
    return ScaleRatio(float(ratio[i]), float(trajectory.x[i]), float(trajectory.y[i]), float(trajectory.t[i]))


def first_jump_ends(orbit: SingularOrbit, trajectory: Trajectory) -> int:
    """Return the number of points of a trajectory before it is near the end of the singular orbit's first jump."""
    if not orbit.segments or orbit.segments[0].kind is not SegmentKind.JUMP:
        return 1
    (a, _), (b, _) = orbit.segments[0].start, orbit.segments[0].end
    near = np.flatnonzero(np.abs(trajectory.x - b) <= (1.0 - _JUMP_SHARE) * abs(b - a))
    return max(int(near[0]), 1) if len(near) else len(trajectory.x)


def drift_during_jump(system: FastSlowSystem, orbit: SingularOrbit) -> float | None:
    """Return how far the slow variable moves during the first jump, to first order in the slow rate.

    The integral of slow_rate g / f dx over the first 90 % of the jump at frozen y (to its end it diverges,
    since f vanishes there); None where the orbit does not begin with a jump.
    """
    if not orbit.segments or orbit.segments[0].kind is not SegmentKind.JUMP:
        return None
    (a, y), (b, _) = orbit.segments[0].start, orbit.segments[0].end
    x = a + _JUMP_SHARE * (b - a) * (np.arange(2000) + 0.5) / 2000
    ratio = [float(system.slow_rate) * system.g(v, y) / f if (f := system.f(v, y)) else math.inf for v in x]
    return float(np.sum(ratio)) * _JUMP_SHARE * (b - a) / 2000


def compare_levels(
    system: FastSlowSystem,
    orbit: SingularOrbit,
    trajectory: Trajectory,
    basins: tuple[Basin, ...],
    thresholds: tuple[Threshold, ...],
    points: tuple[SpecialPoint, ...],
) -> Comparison:
    """Compare the singular orbit of a start with its trajectory in the full system.

    A disagreement is explained where the start lies between the places that the two levels give the same
    boundary, where the slow variable drifts by the distance to the boundary while it jumps, or where the
    time scales are close on the way.
    """
    if orbit.verdict == trajectory.verdict and _same_end(system, orbit, trajectory):
        where = f" at {orbit.node.id}" if orbit.node is not None and math.isfinite(orbit.node.y) else ""
        canard = _near_canard(system, points) if trajectory.oscillates else ""
        beside = f", although {canard}" if canard else ""
        return Comparison(True, True, f"singular limit and full system agree: {orbit.verdict}{where}{beside}")
    levels = (
        f"singular limit: {_named(orbit)}; full system at slow rate {float(system.slow_rate):g}: {_named(trajectory)}"
    )
    if orbit.undecided:
        return Comparison(False, True, f"{levels}. The singular limit is degenerate here")
    canard = _near_canard(system, points)
    if trajectory.undecided:
        cause = f": {canard}" if canard else ""
        return Comparison(False, bool(canard), f"{levels}. The integration was not decided{cause}")
    causes, found = _causes(system, orbit, trajectory, basins, thresholds)
    if trajectory.oscillates and canard:
        causes, found = [canard, *causes], True
    return Comparison(False, found, f"{levels}. {'; '.join(causes)}")


def _same_end(system: FastSlowSystem, orbit: SingularOrbit, trajectory: Trajectory) -> bool:
    """Whether both end at the same point, or leave the window on the same side."""
    if orbit.node is not None and trajectory.node is not None:
        return orbit.node.id == trajectory.node.id
    if "leaves the window" in orbit.verdict:
        middle = float(system.lower + system.upper) / 2
        return (orbit.end[0] > middle) == (trajectory.end[0] > middle)
    return True


def _named(result: SingularOrbit | Trajectory) -> str:
    return f"{result.verdict} ({result.node.id})" if result.node is not None else result.verdict


def _causes(
    system: FastSlowSystem,
    orbit: SingularOrbit,
    trajectory: Trajectory,
    basins: tuple[Basin, ...],
    thresholds: tuple[Threshold, ...],
) -> tuple[list[str], bool]:
    y = float(orbit.start.slow)
    name = f"{system.slow[0]}0"
    causes, found = [], False
    # Where orbits begin to leave the window is no boundary of the dynamics.
    inner = [b for a, b in pairwise(basins) if "window" not in a.verdict and "window" not in b.verdict]
    edges = [b.low for b in inner if math.isfinite(b.low) and b.low * y >= 0 and not forbidden(system, b.low)]
    nearest = min(edges, key=lambda edge: abs(edge - y), default=None)
    if orbit.start.fast == system.start_fast and nearest is not None:
        same = [t for t in thresholds if t.y * y > 0]
        match = min(same, key=lambda t: abs(t.y - nearest), default=None)
        if match is None:
            causes.append(f"the full system has no threshold near that of the singular limit, {name} = {nearest:.6g}")
        elif min(match.y, nearest) <= y <= max(match.y, nearest):
            causes.append(
                f"the start lies between the boundary of the singular limit, {name} = {nearest:.9g}, and that of the "
                f"full system, {name} = {match.y:.9g} ({match.where}): the boundary moves "
                "with the slow rate"
            )
            found = True
        drift = drift_during_jump(system, orbit)
        if drift is not None and abs(drift) >= 0.5 * abs(nearest - y):
            causes.append(
                f"during the first jump {system.slow[0]} drifts by {drift:.3g}, "
                f"and the boundary is {abs(nearest - y):.3g} away"
            )
            found = True
    node = trajectory.node
    if node is not None and node.stability is Stability.STABLE and _is_fast_repelling(system, node):
        causes.append(
            f"{node.id} repels in the fast direction and is stable only because the slow rate is beyond its Hopf point"
        )
        found = True
    ratio = scale_ratio(trajectory, first_jump_ends(orbit, trajectory))
    # Eigenvalues are real, and their ratio tells something, where the system has an energy.
    close = ratio.value >= _CLOSE_SCALES and system.energy_polynomial is not None
    causes.append(
        f"time scales: before the first landing |λ_s/λ_f| reaches {ratio.value:.3g} at ({system.fast[0]}, "
        f"{system.slow[0]}) = ({ratio.x:.4g}, {ratio.y:.4g}), τ = {ratio.t:.3g}"
        + (", so the fast variable is not fast there" if close else "")
    )
    return causes, found or close


def _near_canard(system: FastSlowSystem, points: tuple[SpecialPoint, ...]) -> str:
    """Return what to say of an equilibrium within order slow rate of a fold, "" where there is none.

    So near, the full system passes a Hopf point, small cycles that the singular limit does not have, and canards, which
    turn them into large ones within an exponentially small range of a parameter (Krupa and Szmolyan, J. Differ. Equ.
    174 (2001) 312).
    """
    reach = _BESIDE * float(system.slow_rate) * float(system.upper - system.lower)
    for equilibrium in (p for p in points if p.is_a(Kind.EQUILIBRIUM)):
        for fold in (p for p in points if p.is_a(Kind.FOLD)):
            away = math.hypot(equilibrium.x - fold.x, equilibrium.y - fold.y)
            if away <= reach:
                return (
                    f"{equilibrium.id} is {away:.3g} from the fold {fold.id}, within order of the slow rate: there the "
                    "full system has canards, and small cycles grow into large ones (canard explosion)"
                )
    return ""


def _is_fast_repelling(system: FastSlowSystem, node: SpecialPoint) -> bool:
    return float(system.jacobian(node.x, node.y)[0, 0]) > 0.0


def checked_sizes(system: FastSlowSystem, starts: tuple[Start, ...], **given: Any) -> dict[str, Any]:
    """Return the size of the network that `analyze` was given, none if there is none, or refuse it."""
    sizes = {name: value for name, value in given.items() if value is not None}
    if not sizes:
        return {}
    missing = [name for name in ("n", "d", "m") if name not in sizes]
    if missing:
        rule = f"is missing beside {', '.join(sizes)}"
        raise InputError(" and ".join(missing), MISSING, rule, "A network has n, d and m, and gamma (1)")
    if not isinstance(system, TwoLayer):
        rule = "is no two-layer network, so that n, d, m and gamma mean nothing"
        raise InputError("model", system.name, rule, "Leave them out")
    if not starts:
        raise InputError("a0", MISSING, "is missing, and n, d, m and gamma ask for a start", "Give a start")
    if len(starts) > _MOST_WINDOWS:
        rule = f"are too many for windows of a network, at most {_MOST_WINDOWS}"
        raise InputError("a0", f"{len(starts)} starts", rule, "Leave n, d, m and gamma out, or give fewer")
    from fastslow.sgd.window import check_sizes

    sizes.setdefault("gamma", 1.0)
    check_sizes(**sizes)
    return sizes


def window_of(system: FastSlowSystem, trajectory: Trajectory, start: Start, sizes: dict[str, Any]) -> WindowResult:
    """Return the window of a network of a size, beside the time when the fate of the two variables is certain."""
    from fastslow.sgd.window import validity_window

    found = validity_window(system, start, **sizes)
    return WindowResult(
        **sizes,
        tau=found.tau,
        limited_by=found.limited_by,
        times=tuple(found.times.items()),
        max_transverse_growth=found.max_transverse_growth,
        horizon=found.horizon,
        decided=float(trajectory.t[-1]),
    )
