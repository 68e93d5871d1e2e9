"""The thresholds of the singular limit between two events: which special points bound the fates there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.delays import Gate, Moving, Surroundings, delay_values, delayed_strands, gates_of
from fastslow.bifurcation.loci import Role
from fastslow.flow.flow_graph import Basin, forbidden
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import SpecialPoint
from fastslow.systems.families import Family
from fastslow.systems.system import Start

Values = NDArray[np.float64]

_SAME_HEIGHT = 1e-9


class Followed(Protocol):
    """A special point that is followed in the parameter."""

    @property
    def role(self) -> Role:
        """What it is."""

    def at(self, s: Values) -> tuple[Values, Values]:
        """Return (x, y) at parameters."""


@dataclass(frozen=True)
class Fate:
    """A fate in the singular limit.

    Attributes
    ----------
    verdict : str
        Its name.
    node : str
        What its orbits end at: "stable equilibrium", "infinity", or empty.
    """

    verdict: str
    node: str


@dataclass(frozen=True, eq=False)
class Piece:
    """The thresholds between two neighbouring events, in order of y, and the fates between them.

    Attributes
    ----------
    low, high : float
        The interval of the parameter.
    sample : Fraction
        The parameter at which the fates were computed.
    thresholds : tuple
        The special points whose slow values bound the fates.
    fates : tuple of Fate
        One more than thresholds, from y = -infinity to infinity.
    delayed : bool
        Whether orbits pass a delayed loss of stability, whose events are not proved to be all.
    unmatched : tuple of float
        Thresholds at the sample that belong to no special point that was followed.
    """

    low: float
    high: float
    sample: Fraction
    thresholds: tuple[Followed, ...]
    fates: tuple[Fate, ...]
    delayed: bool = False
    unmatched: tuple[float, ...] = field(default=())

    def heights(self, s: Values) -> Values:
        """Return the thresholds at parameters of the interval, shape (thresholds, len(s))."""
        return np.array([point.at(s)[1] for point in self.thresholds]).reshape(len(self.thresholds), len(s))


def sample_between(low: float, high: float) -> Fraction:
    """Return a parameter near the middle with few digits, so that exact arithmetic is fast."""
    middle, width = Fraction(0.5 * (low + high)), Fraction(high) - Fraction(low)
    bits = max(0, 4 - (width.numerator.bit_length() - width.denominator.bit_length()))
    rounded = Fraction(round(middle * 2**bits), 2**bits)
    return rounded if low < rounded < high else middle


def flow_at(family: Family, sample: Fraction) -> SingularFlow:
    """Return the singular flow of one member of a family."""
    return SingularFlow(critical_manifold(family.at(sample)))


def pieces_between(
    family: Family,
    around: Surroundings,
    strands: Sequence[Moving],
    low: float,
    high: float,
    also: Callable[[SingularFlow], Sequence[float]] = lambda _: (),
) -> list[Piece]:
    """Return the pieces between two events, cut further where delayed exits change their order.

    `also` gives further slow values at which the fates of a member may change.
    """
    sample = sample_between(low, high)
    flow = flow_at(family, sample)
    gates = gates_of(around, strands, flow, float(sample))
    pieces = []
    for a, b in itertools.pairwise([low, *delay_values(strands, gates, low, high), high]):
        if a < b:
            here = sample_between(a, b)
            flow = flow if here == sample else flow_at(family, here)
            pieces.append(_piece(around, strands, gates, flow, here, a, b, also(flow)))
    return pieces


def _piece(
    around: Surroundings,
    strands: Sequence[Moving],
    gates: Sequence[Gate],
    flow: SingularFlow,
    sample: Fraction,
    low: float,
    high: float,
    also: Sequence[float],
) -> Piece:
    """Return the thresholds over an interval without events, from orbits at one parameter in it.

    The fate can change at the height of a special point that is seen from the line of starts and, where orbits pass
    a delayed loss of stability, at starts whose exit is at the height of a special point. One orbit between each
    two neighbouring candidates decides.
    """
    here = np.array([float(sample)])
    active: list[Followed] = [strand for strand in strands if strand.spans(low, high)]
    start = float(flow.system.start_fast)
    places = [strand.at(here) for strand in active]
    active = [
        strand
        for strand, ((x,), (y,)) in zip(active, places, strict=True)
        if math.isfinite(y) and (math.isnan(x) or around.sees(float(sample), float(y), float(x), start))
    ]
    active += delayed_strands(strands, gates, low, high, float(sample))
    basins = _basins_between(flow, [*(float(strand.at(here)[1][0]) for strand in active), *also])
    heights = np.array([strand.at(here)[1][0] for strand in active])
    nodes = {point.id: point for point in flow.manifold.points}
    thresholds: list[Followed] = []
    fates = [fate_of(basins[0], nodes)]
    unmatched = []
    order = list(Role)
    for below, above in itertools.pairwise(basins):
        if (below.verdict, below.destination) == (above.verdict, above.destination):
            continue
        y = above.low
        near = np.flatnonzero(np.abs(heights - y) <= _SAME_HEIGHT * (1.0 + abs(y)))
        if not len(near):
            unmatched.append(y)
            continue
        thresholds.append(min((active[k] for k in near), key=lambda strand: order.index(strand.role)))
        fates.append(fate_of(above, nodes))
    return Piece(low, high, sample, tuple(thresholds), tuple(fates), bool(gates), tuple(unmatched))


def fate_of(basin: Basin, nodes: dict[str, SpecialPoint]) -> Fate:
    """Return the fate of a basin, with what kind of point it ends at."""
    point = nodes.get(basin.destination)
    if point is None:
        return Fate(basin.verdict, "")
    return Fate(basin.verdict, f"{point.stability} {point.kind}" if point.stability else str(point.kind))


def _basins_between(flow: SingularFlow, heights: list[float]) -> tuple[Basin, ...]:
    """Return the fates of starts by one orbit between each two neighbouring candidates for thresholds."""
    bottom, top = flow.system.slow_ends
    cuts = [bottom, *sorted({y for y in heights if bottom < y < top}), top]
    basins: list[Basin] = []
    for low, high in itertools.pairwise(cuts):
        middle = Fraction(_middle(low, high))
        if math.isfinite(low) and math.isfinite(high) and high - low <= _SAME_HEIGHT * (1.0 + abs(low)):
            continue
        orbit = flow.orbit(Start(flow.system.start_fast, middle))
        destination = orbit.node.id if orbit.node is not None and not orbit.undecided else ""
        last = basins[-1] if basins else None
        if (
            last
            and (last.verdict, last.destination) == (orbit.verdict, destination)
            and not forbidden(flow.system, low)
        ):
            basins[-1] = Basin(last.low, high, orbit.verdict, destination)
        else:
            basins.append(Basin(low, high, orbit.verdict, destination))
    return tuple(basins)


def _middle(low: float, high: float) -> float:
    if math.isinf(low) and math.isinf(high):
        return 1.0
    if math.isinf(low):
        return high - 1.0
    if math.isinf(high):
        return low + 1.0
    return 0.5 * (low + high)
