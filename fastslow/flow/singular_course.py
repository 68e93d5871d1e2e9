"""A singular orbit in time: jumps take none, drift along an arc the time of the reduced flow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.flow.branch_scales import on_graph
from fastslow.flow.singular_orbit import Segment, SegmentKind, SingularFlow, SingularOrbit
from fastslow.manifold.arcs import Arc, CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.exact import Real, exact
from fastslow.systems.polynomial_system import exactly
from fastslow.systems.polynomials import Univariate, at_fast, by_slow_power, fraction, rational
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

_HALF = np.array([[0.2386191860831969, 0.6612093864662645, 0.9324695142031521],
                  [0.46791393457269104, 0.3607615730481386, 0.17132449237917036]])  # fmt: skip
_NODES, _WEIGHTS = np.concatenate((-_HALF[0, ::-1], _HALF[0])), np.concatenate((_HALF[1, ::-1], _HALF[1]))
"""Gauss and Legendre's rule with six nodes."""
_FIRST_LEVELS, _LEVELS, _MOST_LEVELS, _PER_LEVEL = 30, 50, 1000, 8
"""Halvings of the distance to the start; to the end, down to doubles; to infinity; and points in each."""
_TOLERANCE, _ROUNDING, _MOST_HALVINGS, _MOST_OPEN = 1e-11, 1e-15, 40, 20_000

Rate = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class CoursePiece:
    """A jump or a drift of a singular orbit in time.

    Attributes
    ----------
    segment : Segment
        The piece of the orbit.
    t, x, y : ndarray
        Times and states: for a jump its two ends at one time, for a drift points along the arc.
    energy : ndarray or None
        Energy of the model at the points.
    """

    segment: Segment
    t: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    energy: NDArray[np.float64] | None

    @property
    def jumps(self) -> bool:
        """Whether it is a jump."""
        return self.segment.kind is SegmentKind.JUMP


@dataclass(frozen=True, eq=False)
class SingularCourse:
    """A singular orbit over the time [0, tau], in the fast time.

    Attributes
    ----------
    orbit : SingularOrbit
        The orbit.
    pieces : tuple of CoursePiece
        Jumps and drifts in order, cut at tau.
    tau : float
        The time.
    """

    orbit: SingularOrbit
    pieces: tuple[CoursePiece, ...]
    tau: float

    @property
    def jump_times(self) -> tuple[float, ...]:
        """When it jumps; the first jump is at 0."""
        return tuple(float(piece.t[0]) for piece in self.pieces if piece.jumps)


def singular_course(
    model: CriticalManifold | FastSlowSystem | str, start: Start | Real | tuple[Real, Real], tau: Real
) -> SingularCourse:
    r"""Return the singular orbit of a start with its times, up to the time tau.

    `model` is a system, a preset or file, or a critical manifold that was computed before; `start` a start, a pair
    or a start on the line of starts.

    On y = h(x) the reduced flow dy/dtau = slow_rate g takes

        tau = \int h'(x) / (slow_rate g(x, h(x))) dx,

    on a line x = const \int dy / (slow_rate g). The integrands are exact rational functions, in the distance to
    the end that is approached, so that time is right however long the approach lasts. On other algebraic curves
    the integral over y is a trapezoidal sum over the points of the arc, of second order in their distance.

    Raises
    ------
    InputError
        If the start cannot be used.
    """
    manifold = model if isinstance(model, CriticalManifold) else critical_manifold(system_of(model))
    orbit, end = SingularFlow(manifold).orbit(start_of(manifold.system, start)), float(exact(tau, "tau"))
    pieces: list[CoursePiece] = []
    now = 0.0
    for segment in orbit.segments:
        if now >= end:
            break
        if segment.kind is SegmentKind.JUMP:
            (x0, y0), (x1, y1) = segment.start, segment.end
            t, x, y = np.array([now, now]), np.array([x0, x1]), np.array([y0, y1])
        else:
            t, x, y = _drift(manifold.system, segment, end - now)
            t = now + t
            now = float(t[-1])
        pieces.append(CoursePiece(segment, t, x, y, manifold.system.energy(x, y)))
    return SingularCourse(orbit, tuple(pieces), end)


def _drift(
    system: FastSlowSystem, segment: Segment, most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return times, x and y along a drift, until its end or the time `most`."""
    arc = segment.arc
    assert arc is not None
    endless = segment.duration == "infinite"
    levels = _LEVELS if math.isfinite(segment.end[1]) else _MOST_LEVELS
    if arc.curve.shape is Shape.GRAPH:
        origin = segment.end[0]
        rows = tuple(_moved(p, origin) for p in by_slow_power(arc.curve.polynomial))
        t, u = _clock(_along_graph(system, arc, origin), segment.start[0] - origin, endless, most, levels)
        x, y = origin + u, -_value(rows[0], u) / _value(rows[1], u)
    elif arc.curve.shape is Shape.FAST_LINE:
        origin = segment.end[1]
        if math.isinf(origin):  # the distance to the start grows
            origin = segment.start[1]
            t, u = _outward(_along_line(system, arc, origin), math.copysign(1.0, segment.end[1]), most)
        else:
            t, u = _clock(_along_line(system, arc, origin), segment.start[1] - origin, endless, most, levels)
        y = origin + u
        x = np.full_like(y, segment.start[0])
    else:
        t, x, y = _over_polygon(system, segment, arc, most)
    if endless and math.isfinite(segment.end[1]) and t[-1] < most:
        # It has come as near to its rest as doubles go, and stays there.
        t, x, y = (np.append(v, last) for v, last in ((t, most), (x, segment.end[0]), (y, segment.end[1])))
    return t, x, y


def _along_graph(system: FastSlowSystem, arc: Arc, origin: float) -> Rate:
    """Return u -> dtau/du = h' / (slow_rate g) on y = h(x), with x = origin + u."""
    system = exactly(system, "a graph")
    constant, slope = by_slow_power(arc.curve.polynomial)
    g, k = on_graph(system.slow_field, arc.curve.polynomial)
    # h' = (p_0 p_1' - p_0' p_1) / p_1^2 and g = N / p_1^k.
    top = constant * slope.derivative() - constant.derivative() * slope
    below = g * rational(system.slow_rate)
    above, under, power = (_moved(p, origin) for p in (top, below, slope))
    if arc.target.x == origin:
        # What vanishes at the end that is approached does so exactly, also where no double is there.
        _vanish(under if arc.target.is_a(Kind.EQUILIBRIUM) else power, arc.target)
    return lambda u: _value(above, u) * _value(power, u) ** (k - 2) / _value(under, u)


def _along_line(system: FastSlowSystem, arc: Arc, origin: float) -> Rate:
    """Return u -> dtau/du = 1 / (slow_rate g) on a line x = const, with y = origin + u."""
    under = _moved(at_fast(exactly(system, "a line").slow_field, rational(Fraction(float(arc.x[0])))), origin)
    if arc.target.y == origin:
        _vanish(under, arc.target)
    rate = float(system.slow_rate)
    return lambda u: 1.0 / (rate * _value(under, u))


def _moved(p: Univariate, origin: float) -> NDArray[np.float64]:
    """Return the coefficients of u -> p(origin + u), exact but for the last rounding."""
    shift = flint.fmpq_poly([rational(Fraction(origin)), flint.fmpq(1)])
    return np.array([float(fraction(v)) for v in p(shift).coeffs()] or [0.0])


def _vanish(coefficients: NDArray[np.float64], end: SpecialPoint) -> None:
    if end.is_a(Kind.EQUILIBRIUM) or end.kind is Kind.INFINITY:
        coefficients[0] = 0.0


def _value(coefficients: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.polynomial.polynomial.polyval(u, coefficients))


def _clock(
    rate: Rate, u0: float, endless: bool, most: float, levels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and distances u from u0 to 0: points crowd at both ends, where the flow may be slow or fast."""
    shares = 0.5 ** (1.0 + np.arange(_FIRST_LEVELS * _PER_LEVEL, -1, -1) / _PER_LEVEL)
    u, t = np.concatenate(([u0], u0 * (1.0 - shares))), np.zeros(1)  # from the start to halfway
    for level in range(1, levels + 1, _LEVELS):
        steps = np.arange((level - 1) * _PER_LEVEL + 1, (level + _LEVELS - 1) * _PER_LEVEL + 1)
        u = np.concatenate((u, u0 * 0.5 ** (1.0 + steps / _PER_LEVEL)))
        t = np.concatenate((t, t[-1] + np.cumsum(_integrals(rate, u[len(t) - 1 : -1], u[len(t) :]))))
        if t[-1] >= most:
            return _until(rate, t, u, most)
    if not endless:
        t, u = np.append(t, t[-1] + _integrals(rate, u[-1:], np.zeros(1))), np.append(u, 0.0)
    return _until(rate, t, u, most)


def _outward(rate: Rate, sign: float, most: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and distances from 0 towards infinity, on a line."""
    u = sign * np.concatenate(([0.0], 2.0 ** (np.arange(-20 * _PER_LEVEL, 300 * _PER_LEVEL) / _PER_LEVEL)))
    return _until(rate, np.concatenate(([0.0], np.cumsum(_integrals(rate, u[:-1], u[1:])))), u, most)


def _until(
    rate: Rate, t: NDArray[np.float64], u: NDArray[np.float64], most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and distances up to the time `most`, the last by Newton's method."""
    if t[-1] <= most:
        return t, u
    i = int(np.searchsorted(t, most, side="right")) - 1
    if t[i] == most:
        return t[: i + 1], u[: i + 1]
    end = u[i : i + 1] + (most - t[i]) / (t[i + 1] - t[i]) * (u[i + 1] - u[i])
    for _ in range(4):
        end = end + (most - t[i] - _integrals(rate, u[i : i + 1], end)) / rate(end)
    return np.append(t[: i + 1], most), np.append(u[: i + 1], end)


def _integrals(rate: Rate, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the integrals over intervals; each is halved until two halves agree with the whole."""
    whole = _gauss(rate, low, high)
    totals, owner = np.zeros(len(low)), np.arange(len(low))
    for halving in range(_MOST_HALVINGS):
        middle = 0.5 * (low + high)
        left, right = _gauss(rate, low, middle), _gauss(rate, middle, high)
        # The width of an interval is known no better than its ends.
        size, width = np.maximum(np.abs(low), np.abs(high)), np.abs(high - low)
        tolerance = _TOLERANCE + _ROUNDING * np.divide(size, width, out=np.zeros_like(size), where=width > 0.0)
        done = np.abs(left + right - whole) <= tolerance * np.abs(left + right)
        if halving == _MOST_HALVINGS - 1 or np.count_nonzero(~done) > _MOST_OPEN:
            done[:] = True
        np.add.at(totals, owner[done], (left + right)[done])
        rest = ~done
        if not rest.any():
            break
        owner = np.concatenate((owner[rest], owner[rest]))
        low, high = np.concatenate((low[rest], middle[rest])), np.concatenate((middle[rest], high[rest]))
        whole = np.concatenate((left[rest], right[rest]))
    return totals


def _gauss(rate: Rate, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    half = 0.5 * (high - low)
    nodes = 0.5 * (low + high)[:, None] + half[:, None] * _NODES
    return np.asarray(half * np.sum(_WEIGHTS * rate(nodes), axis=1))


def _over_polygon(
    system: FastSlowSystem, segment: Segment, arc: Arc, most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return times, x and y at the points of an arc between the ends of a segment, until the time `most`."""
    (x0, y0), (x1, y1) = segment.start, segment.end
    low, high = min(y0, y1), max(y0, y1)
    inside = (arc.y > low) & (arc.y < high)
    order = np.flatnonzero(inside)[:: 1 if arc.flow > 0 else -1]
    endless = segment.duration == "infinite"
    x = np.concatenate(([x0], arc.x[order], [] if endless else [x1]))
    y = np.concatenate(([y0], arc.y[order], [] if endless else [y1]))
    pace = 1.0 / (float(system.slow_rate) * np.array([system.g(u, v) for u, v in zip(x, y, strict=True)]))
    t = np.concatenate(([0.0], np.cumsum(0.5 * np.diff(y) * (pace[1:] + pace[:-1]))))
    if t[-1] <= most:
        return t, x, y
    early, last = t < most, (most, np.interp(most, t, x), np.interp(most, t, y))
    t, x, y = (np.append(v[early], end) for v, end in zip((t, x, y), last, strict=True))
    return t, x, y
