"""The fates of the starts of the full system between the places where stable manifolds meet their line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from fastslow.flow.flow_graph import Basin, forbidden
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.separatrices.halves import LEAVES, Forward, fate, typical_height
from fastslow.systems.system import FastSlowSystem, Start

BESIDE = 1e-6
"""Distance, relative to the size, within which rounding may decide the fate of a start beside a threshold."""
_THIN = 1e-4
"""Relative width of an interval in which more accuracy is asked for."""
_INSIDE = 0.382
"""Where in an interval its start is taken: not in the middle, where an equilibrium may be."""
_BISECTED = 1e-12
"""Relative width to which a boundary that is no stable manifold is bisected."""
_UNDECIDED = "undecided"

Fate = tuple[str, str]
"""The verdict, and the id of the point where an orbit ends."""


def intervals_between(
    settling: Settling,
    forward: Forward,
    heights: Sequence[float],
    singular: Sequence[Basin],
    known: Sequence[Trajectory],
) -> list[Basin]:
    """Return the intervals of starts between given heights, each with its fate.

    A forbidden 0 and invariant lines y = const are walls, too: orbits do not pass them.

    One start in each interval is followed, and one in each part to which the singular limit gives another fate: there
    may be boundaries that are no stable manifolds of saddles, such as the slow manifold of a repelling arc that runs
    to infinity. These are bisected.
    """
    system = settling.system
    bottom, top = system.slow_ends
    barred = [0.0] if forbidden(system, 0.0) else []
    walls = sorted(y for y in {*heights, *barred, *map(float, system.slow_lines)} if bottom < y < top)
    far = max((abs(wall) for wall in walls), default=0.0) or typical_height(settling.manifold)

    def follow(y: float, *, exactly: bool) -> Fate:
        start = Start(system.start_fast, Fraction(y))
        run = settling.run(start) if exactly else forward.run(start)
        return fate(system, settling.run(start) if run.undecided else run)

    told = [
        run
        for run in known
        if run.start.fast == system.start_fast
        and not run.undecided
        and all(abs(float(run.start.slow) - wall) > BESIDE * (abs(wall) or far) for wall in walls)
    ]
    intervals: list[Basin] = []
    for low, high in itertools.pairwise([bottom, *walls, top]):
        found = {float(run.start.slow): fate(system, run) for run in told if low < run.start.slow < high}
        if not found:
            y = _place_inside(low, high, far)
            found[y] = follow(y, exactly=high - low <= _THIN * abs(y))
        parts = [part for part in singular if _wide(low, high, part, far)]
        for part in (part for part in parts if not _same(part, found)):
            y = _place_inside(max(low, part.low), min(high, part.high), far)
            found[y] = follow(y, exactly=False)
        if len(set(found.values())) > 1:
            for part in (part for part in parts if not any(part.low < y < part.high for y in found)):
                y = _place_inside(max(low, part.low), min(high, part.high), far)
                found[y] = follow(y, exactly=False)
        intervals += _parted(low, high, found, follow)
    return intervals


def merged(system: FastSlowSystem, intervals: Sequence[Basin]) -> tuple[Basin, ...]:
    """Return the intervals, those that meet in an allowed start and have the same fate as one."""
    kept = list(intervals[:1])
    for basin in intervals[1:]:
        if same_fate(kept[-1], basin) and not forbidden(system, basin.low):
            kept[-1] = replace(kept[-1], high=basin.high)
        else:
            kept.append(basin)
    return tuple(kept)


def same_fate(a: Basin, b: Basin) -> bool:
    """Whether two basins have the same verdict and destination."""
    return (a.verdict, a.destination) == (b.verdict, b.destination)


def _place_inside(low: float, high: float, far: float) -> float:
    if math.isinf(low) and math.isinf(high):
        return _INSIDE * far
    if math.isinf(low):
        return high - (abs(high) or far)
    return low + (abs(low) or far) if math.isinf(high) else low + _INSIDE * (high - low)


def _wide(low: float, high: float, part: Basin, far: float) -> bool:
    """Whether an interval and a basin of the singular limit have more in common than rounding makes."""
    low, high = max(low, part.low), min(high, part.high)
    return high - low > BESIDE * max(abs(end) for end in (low, high, far) if math.isfinite(end))


def _same(part: Basin, found: dict[float, Fate]) -> bool:
    """Whether a basin of the singular limit has a fate that was found; that does not say at which edge it leaves."""
    if part.verdict.startswith(LEAVES):
        return any(verdict.startswith(LEAVES) for verdict, _ in found.values())
    return (part.verdict, part.destination) in found.values() or part.verdict.startswith(_UNDECIDED)


def _parted(low: float, high: float, found: dict[float, Fate], follow: Callable[..., Fate]) -> Iterator[Basin]:
    """Yield the parts of an interval with one fate each; the boundaries between starts of different fates bisected."""
    decided = {y: one for y, one in found.items() if not one[0].startswith(_UNDECIDED)} or found
    (here, now), *rest = sorted(decided.items())
    begin = low
    while rest:
        there, then = rest[0]
        if now == then:
            here = rest.pop(0)[0]
            continue
        # A third fate in between is met first, and the others after it.
        while there - here > _BISECTED * max(abs(here), abs(there)):
            y = 0.5 * (here + there)
            one = follow(y, exactly=True)
            if one == now or one[0].startswith(_UNDECIDED):
                here = y
            else:
                there, then = y, one
        yield Basin(begin, there, *now)
        begin = here = there
        now = then
    yield Basin(begin, high, *now)
