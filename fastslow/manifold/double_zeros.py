"""Double zeros: places where a function has an extremum near zero along a curve F = 0.

Along F = 0, followed by (-F_y, F_x), the derivative of G is D = F_x G_y - F_y G_x, and that of D is E, made in the
same way. On an arc on which E does not vanish, G has at most two zeros, and one extremum, at the regular common zero
z of F and D. Its sign at z against that of E tells whether there are none, one (double) or two. Where E vanishes
too, the next derivative that does not is looked at: if z is the zero of the one before and exact, and all others are
zero there exactly, G has no other zero on the arc, and that multiplicity there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.exact_tangency import algebraic_zeros, double_zero
from fastslow.manifold.isolation import Coordinate, confirmed
from fastslow.manifold.plane_field import PlaneField
from fastslow.manifold.tubes import single_arcs, tubes_along
from fastslow.systems.algebraic import Number
from fastslow.systems.balls import Ball, enclosed
from fastslow.systems.expression_facts import exact_value
from fastslow.systems.expressions import Expression, add, derivative, multiply, negative

Array = NDArray[np.float64]

_REACHES = (1e-6, 1e-5, 1e-4)
_WIDER = 1e-3
"""Zeros of higher multiplicity leave wider boxes."""
_MOST_TIMES = 5
"""Half lengths of the arcs that are tried, in units of the window."""
_BITS = 1024
_SHARE = 1e-6
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Resolved:
    """The common zeros of F and G in a small box.

    Attributes
    ----------
    single : list of pairs of Number
        Proved zeros, two of them where they are a close pair.
    double : pair of Number or None
        A zero that is double, or of a higher multiplicity, proved by exact arithmetic.
    times : int
        That multiplicity.
    doubtful : pair of Coordinate or None
        The extremum, where G is zero to 1024 bits and no more is known, or so close to zero that doubles cannot hold
        the pair of zeros apart.
    doubt : str
        What there can be, in words.
    """

    single: list[tuple[Number, ...]] = field(default_factory=list)
    double: tuple[Number, ...] | None = None
    times: int = 2
    doubtful: tuple[Coordinate, ...] | None = None
    doubt: str = ""


def along_curve(f: Expression, g: Expression, names: Sequence[str]) -> Expression:
    """Return the derivative F_x G_y - F_y G_x of G along F = 0."""
    x, y = names
    return add(multiply(derivative(f, x), derivative(g, y)), negative(multiply(derivative(f, y), derivative(g, x))))


def resolved(
    f: Expression, g: Expression, names: Sequence[str], bounds: Sequence[tuple[Fraction, Fraction]], box: Array
) -> Resolved | None:
    """Tell which common zeros two formulas have in a small box that subdivision did not decide; None where that fails.

    Parameters
    ----------
    f, g : Expression
        The formulas; f has a regular zero set in the box.
    names : sequence of str
        The two variables.
    bounds : sequence of pairs of Fraction
        The window.
    box : ndarray, shape (2, 2)
        Lower and upper ends.
    """
    plane = PlaneField(f, names, bounds)
    slope = along_curve(f, g, names)
    chain = [g, slope, along_curve(f, slope, names)]
    scaled = (box - plane.low[:, None]) / plane.width[:, None]
    centre = scaled.mean(axis=1)
    _, gradient = plane.at(centre)
    if not np.linalg.norm(gradient) > 0:
        return None
    along = np.array([-gradient[1], gradient[0]]) / np.linalg.norm(gradient)
    start = plane.on_curve(centre, np.array([along[1], -along[0]]))
    regions = []
    for reach in (*_REACHES, _WIDER):
        tubes = tubes_along(np.stack([start - reach * along, start + reach * along]), 0.7)
        if not (single_arcs(plane, tubes, np.arange(1))[0] and tubes.hold(scaled[None])[0]):
            continue
        around = np.stack([start - 1.5 * reach, start + 1.5 * reach], axis=1)
        if around.min() < 0 or around.max() > 1:
            break
        region = plane.low[:, None] + plane.width[:, None] * around
        regions.append(region)
        balls = _balls(names, region)
        if not enclosed(slope, balls).contains(0):
            # G is monotone, though so slowly that doubles did not tell.
            single = confirmed([f, g], names, region, _SHARE)
            if single is not None:
                return Resolved(single=[single])
        turn = enclosed(chain[-1], balls)
        if reach == _WIDER or not (turn > 0 or turn < 0):
            continue
        # E keeps its sign, so that D has one zero on the arc at most.
        extremum = confirmed([f, slope], names, region, _SHARE)
        if extremum is None:
            continue
        told = _by_extremum(f, g, names, plane.width, extremum, turn, balls)
        return told if told is None or told.doubtful is None else _exactly(f, g, slope, names, region, told)
    return _multiple(f, chain, names, regions)


def _balls(names: Sequence[str], region: Array) -> dict[str, Ball]:
    return {
        name: flint.arb(low).union(flint.arb(high)) for name, (low, high) in zip(names, region.tolist(), strict=True)
    }


def _multiple(
    f: Expression, chain: list[Expression], names: Sequence[str], regions: Sequence[Array]
) -> Resolved | None:
    """Return the zero of higher multiplicity on an arc, where it is rational and proved; None where that fails."""
    for times in range(3, _MOST_TIMES + 1):
        chain.append(along_curve(f, chain[-1], names))
        for region in regions:
            if enclosed(chain[-1], _balls(names, region)).contains(0):
                continue
            zero = confirmed([f, chain[-2]], names, region, _SHARE)
            if zero is not None and all(v.exact is not None for v in zero):
                at = {name: v.exact for name, v in zip(names, zero, strict=True) if v.exact is not None}
                if all(exact_value(e, at) == 0 for e in chain[:-2]):
                    return Resolved(double=zero, times=times)
    return None


def _exactly(
    f: Expression, g: Expression, slope: Expression, names: Sequence[str], region: Array, told: Resolved
) -> Resolved:
    """Try exact arithmetic where digits do not tell."""
    assert told.doubtful is not None
    zero = double_zero(f, g, slope, names, region, told.doubtful)
    if zero is not None:
        return Resolved(double=zero)
    known = algebraic_zeros(f, g, names, region)
    if known is None:
        return told
    singles: list[tuple[Number, ...]] = [(v.x, v.y) for v in known if v.multiplicity == 1]
    doubles = [(v.x, v.y) for v in known if v.multiplicity == 2]
    return Resolved(single=singles, double=doubles[0] if doubles else None)


def _by_extremum(
    f: Expression,
    g: Expression,
    names: Sequence[str],
    width: Array,
    at: tuple[Coordinate, ...],
    turn: Ball,
    region: Mapping[str, Ball],
) -> Resolved | None:
    values = {name: v.exact for name, v in zip(names, at, strict=True)}
    if None not in values.values() and exact_value(g, values) == 0:
        return Resolved(double=at)
    with flint.ctx.workprec(_BITS):
        balls = dict(zip(names, (v.ball(_BITS) for v in at), strict=True))
        height = enclosed(g, balls)
        # In the time of (-F_y, F_x) from the extremum G = 0 is at most (2 |G| / |E|)^(1/2) away.
        slopes = [enclosed(derivative(f, name), region) for name in names]
        speed = sum((v * v for v in slopes), flint.arb(0)).abs_upper().sqrt()  # v**2 of a ball with 0 in it is NaN
        reach = (2 * height.abs_upper() / turn.abs_lower()).sqrt() * speed
        pair_within = f"two less than 1e{math.ceil(math.log10(max(2 * float(reach.upper()), _LEAST)))} apart"
        if height.contains(0):
            doubt = f"zero and double to {_BITS} bits, which is either one double point, or {pair_within}, or none"
            return Resolved(doubtful=at, doubt=doubt)
        if height * turn > 0:
            return Resolved()
        away = float((-2 * height / turn).mid())
        gradient = [float(enclosed(derivative(f, name), balls).mid()) for name in names]
    step = math.sqrt(abs(away)) * np.array([-gradient[1], gradient[0]])
    middle = np.array([float(v.ball().mid()) for v in at])
    side = 0.4 * float(np.linalg.norm(step / width)) * width
    pair: list[tuple[Number, ...]] = []
    for guess in (middle + step, middle - step):
        zero = confirmed([f, g], names, np.stack([guess - side, guess + side], axis=1), _SHARE)
        if zero is None:
            return Resolved(doubtful=at, doubt=f"at most {pair_within}, too close for doubles")
        pair.append(zero)
    return Resolved(single=pair)
