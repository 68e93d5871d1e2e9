"""The slow manifold beside an attracting arc of f = 0: its first-order correction, and the flow on it to infinity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import flint
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import CertificateError, InputError
from fastslow.manifold.certificates import critical_abscissae
from fastslow.systems.algebraic import RealRoot, nearest_double
from fastslow.systems.polynomial_system import PolynomialSystem, exactly
from fastslow.systems.polynomials import Polynomial, Univariate, by_slow_power, rational
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

FloatArray = NDArray[np.float64]
Series = Any
"""A flint ``arb_series``: the first terms of a power series, each an enclosure."""

_ORDER = 4
"""Order in the slow rate to which the slow manifold is followed."""
_FIRST_BITS, _MOST_BITS = 192, 1 << 14
_ACCURATE_BITS = 64
_NODES = 16
_RESOLVED = 1e-13
"""Size of the last Chebyshev coefficients, relative to the largest value, at which a panel is resolved."""
_STEEPEST = 8.0
"""Most that log(dt / d depth) may change over a panel: then the quadrature is exact to rounding."""
_WIDEST, _NARROWEST = 4.0, 1e-4
_NEARBY = 0.5
"""How far, in depth, a state may be from the critical manifold for a search to begin."""
_FAR = 40.0
"""Depth, in the width of the window, at which it is asked whether a slow manifold attracts and leads to the pole."""
_DEEPEST = 600.0
"""Largest |log y| and |log(x - x_0)|: a little less than doubles hold."""


def first_order_correction(system: FastSlowSystem | str, x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Return X_1 of the slow manifold x = X_0(y) + slow_rate X_1(y) + O(slow_rate^2) beside f(X_0(y), y) = 0.

    At first order the invariance x' = X'(y) y' is f_x X_1 = g X_0', and X_0' = -f_y / f_x, so

        X_1 = -g f_y / f_x^2.

    For the two-layer network on a = h(R) it is alpha / (T' h'^2 S' (1 - R^2)).

    Parameters
    ----------
    system : FastSlowSystem or str
        The system, a preset or a file; its slow rate is not part of X_1.
    x, y : array_like
        Points on the critical manifold with f_x != 0.

    Returns
    -------
    ndarray
        X_1, in units of x. Infinite or not a number at folds, where f_x = 0: the distance from the critical manifold
        is there of the order of slow_rate^(1/3) in x and slow_rate^(2/3) in y, and no power series in it holds.

    References
    ----------
    Fenichel, J. Differential Equations 31 (1979) 53; Kuehn, Multiple Time Scale Dynamics (2015), chapters 3 and 5.
    """
    system = system_of(system)
    try:
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError("x, y", (x, y), "must be numbers, of one shape", "Give the coordinates of points") from None
    f_x, f_y = system.partial("f", 1, 0, x, y), system.partial("f", 0, 1, x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-system.partial("g", 0, 0, x, y) * f_y / f_x**2)


@dataclass(frozen=True)
class Place:
    """A place on the slow manifold beside a pole x_0.

    Attributes
    ----------
    depth : float
        -log |xi - x_0|, with xi the point of the critical manifold at the same y.
    log_pace : float
        log(dt / d depth).
    relative_shift : float
        (x - xi) / (xi - x_0).
    log_height, sign : float
        log |y| and the sign of y.
    error : float
        Estimate of the relative errors of the speed and of x - x_0: what the last order in the slow rate changed.
    """

    depth: float
    log_pace: float
    relative_shift: float
    log_height: float
    sign: float
    error: float

    @property
    def values(self) -> tuple[float, float, float]:
        """The quantities that are interpolated."""
        return self.log_pace, self.relative_shift, self.log_height


@dataclass(frozen=True)
class Followed:
    """States at the first of the wanted times, and the time and state to which the slow manifold was followed.

    `infinite` where it ended because doubles do not reach further.
    """

    x: FloatArray
    y: FloatArray
    time: float
    end: tuple[float, float]
    infinite: bool


@dataclass(frozen=True)
class _Panel:
    """Interpolants of log pace, relative shift and log height over an interval of depths, 0 < v < 1 in it.

    `growth` is how much the log pace changes in it.
    """

    width: float
    coefficients: FloatArray
    growth: float

    def values(self, v: FloatArray) -> FloatArray:
        """Return the three quantities, one in a row, at v."""
        return np.asarray(chebyshev.chebval(2.0 * v - 1.0, self.coefficients))

    def time(self, v: FloatArray) -> FloatArray:
        """Return the time from 0 to v."""
        nodes, weights = _gauss()
        log_pace = self.values(np.multiply.outer(v, nodes))[0]
        return np.asarray(self.width * v * (np.exp(log_pace) @ weights))

    def place_of(self, times: FloatArray) -> FloatArray:
        """Return v where the time from 0 is as given, by Newton's method in this convex function."""
        grid = np.linspace(0.0, 1.0, 33)
        v = np.interp(times, self.time(grid), grid)
        for _ in range(6):
            pace = self.width * np.exp(self.values(v)[0])
            v = np.clip(v - (self.time(v) - times) / pace, 0.0, 1.0)
        return np.asarray(v)


@dataclass(frozen=True, eq=False)
class SlowTail:
    """The slow manifold beside a pole x_0 of a graph y = h(x) = -p_0(x) / p_1(x), on one side of it.

    It is x = xi + delta(xi) above y = h(xi). Its invariance, and the flow on it, are

        f(xi + delta, h) = (1 + delta') w,    d xi / dt = w = slow_rate g(xi + delta, h) / h',

    solved by delta <- delta - [f(xi + delta, h) - (1 + delta') w] / f_x from delta = 0; each turn gains one order in
    the slow rate. At first order delta = slow_rate X_1 (``first_order_correction``), w = slow_rate (g +
    slow_rate g_x X_1) / h'. The speed is the more sensitive: its corrections are powers of slow_rate g_x f_y / f_x^2,
    for the two-layer network R^4 (c_1 / c*_1)^2, whatever the ratio of the eigenvalues.

    Next to the pole g on the graph is a high power of s = |xi - x_0|, made of terms of order s, and y of order 1 / s.
    So everything is evaluated in ball arithmetic, with as many bits as this cancellation takes; x_0 may be any
    algebraic number.

    Attributes
    ----------
    system : FastSlowSystem
        The system.
    curve : Polynomial
        p_0 + p_1 y, a simple factor of f.
    pole : RealRoot
        x_0.
    side : int
        1 for x > x_0, -1 for x < x_0.
    """

    system: FastSlowSystem
    curve: Polynomial
    pole: RealRoot
    side: int
    _cache: dict[int, tuple[Any, Any, Any, Any]] = field(default_factory=dict, repr=False)

    def at(self, depth: float) -> Place | None:
        """Return the place at a depth; None where the manifold does not attract, or its flow leads away from the pole.

        Exact but for its `error` and rounding.
        """
        bits = self._bits(depth)
        while bits <= _MOST_BITS:
            with flint.ctx.workprec(bits):
                try:
                    return self._place(depth, *self._expanded(flint.arb(-depth).exp(), bits))
                except (CertificateError, ValueError):  # flint's ValueError: a divisor may be zero
                    bits *= 2
        return None

    def _place(self, depth: float, f_x: Any, height: Any, speeds: list[Any], shifts: list[Any]) -> Place | None:
        if min(value.rel_accuracy_bits() for value in (f_x, height, *speeds)) < _ACCURATE_BITS:
            raise CertificateError(f"the cancellation at depth {depth:g} takes more bits")
        s = flint.arb(-depth).exp()
        pace = -self.side * s / speeds[-1]
        if not (f_x < 0 and pace > 0):
            return None
        changes = (speeds[-1] / speeds[-2] - 1, (shifts[-1] - shifts[-2]) / s)
        return Place(
            depth,
            float(pace.log()),
            self.side * float(shifts[-1] / s),
            float(abs(height).log()),
            1.0 if height > 0 else -1.0,
            max(abs(float(change)) for change in changes),
        )

    def meets(self, x: float, y: float, tolerance: float) -> Place | None:
        """Return the place of a state; None unless it is on the slow manifold, and that is known to a tolerance.

        Both are relative to the distance from the pole. It attracts there and leads towards the pole, too; what
        comes nearer to the pole is not asked.
        """
        pole = nearest_double(self.pole)
        s = self.side * (x - pole)
        if not s > 0.0 or y == 0.0:
            return None
        depth = self._depth(y, -math.log(s))
        place = None if depth is None else self.at(depth)
        if place is None or not place.error <= tolerance:
            return None
        s = math.exp(-place.depth)
        there = pole + self.side * s * (1.0 + place.relative_shift)
        return place if abs(x - there) <= tolerance * s + 4e-16 * abs(pole) else None

    def follow(self, place: Place, times: FloatArray, tolerance: float) -> Followed:
        """Follow the slow manifold from a place towards the pole, to the last of the times or as far as it is known.

        Parameters
        ----------
        place : Place
            Where to begin, from ``meets``.
        times : ndarray
            Wanted times since then, increasing.
        tolerance : float
            Following ends where the estimated relative error exceeds it.

        Notes
        -----
        t(depth) is the integral of the pace: Chebyshev interpolation on panels, Gauss-Legendre quadrature, Newton's
        method for the depths at the wanted times.
        """
        depth, elapsed, width, done, infinite = place.depth, 0.0, 1.0, 0, False
        found = [np.empty((2, 0))]
        end = self._states(np.array([depth]), np.array([place.values]).T, place.sign)
        while elapsed < times[-1] and width > _NARROWEST and not infinite:
            panel = self._panel(depth, width, tolerance)
            if panel is None:
                width *= 0.5
                continue
            last = np.ones(1)
            duration = float(panel.time(last)[0])
            stop = int(np.searchsorted(times, elapsed + duration, side="right"))
            v = panel.place_of(times[done:stop] - elapsed)
            found.append(self._states(depth + v * width, panel.values(v), place.sign))
            done, elapsed, depth = stop, elapsed + duration, depth + width
            end = self._states(np.array([depth]), panel.values(last), place.sign)
            infinite = max(depth, abs(float(panel.values(last)[2, 0]))) > _DEEPEST
            width = min(2.0 * width, _WIDEST, 0.9 * width * _STEEPEST / max(panel.growth, 1.0))
        x, y = np.concatenate(found, axis=1)
        return Followed(x, y, elapsed, (float(end[0, 0]), float(end[1, 0])), infinite)

    # How ----------------------------------------------------------------------------------------------

    def _states(self, depth: FloatArray, values: FloatArray, sign: float) -> FloatArray:
        """Return x and y, two rows, at depths with the interpolated values there."""
        x = nearest_double(self.pole) + self.side * np.exp(-depth) * (1.0 + values[1])
        return np.array([x, sign * np.exp(values[2])])

    def _panel(self, begin: float, width: float, tolerance: float) -> _Panel | None:
        """Return the panel over an interval of depths, None where it must be narrower or the manifold is not known."""
        points = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        rows = []
        for point in points:
            place = self.at(begin + 0.5 * width * (1.0 + point))
            if place is None or not place.error <= tolerance:
                return None
            rows.append(place.values)
        values = np.array(rows)
        coefficients = np.asarray(chebyshev.chebfit(points, values, _NODES - 1))
        size = np.maximum(1.0, np.abs(values).max(axis=0))
        resolved = bool((np.abs(coefficients[-2:]) <= _RESOLVED * size).all())
        growth = float(np.ptp(values[:, 0]))
        return _Panel(width, coefficients, growth) if resolved and growth <= _STEEPEST else None

    def _depth(self, y: float, guess: float) -> float | None:
        """Return the depth at which h = y by Newton's method for log |h|, None where that is not near the guess."""
        depth, bits = guess, self._bits(guess)
        for _ in range(20):
            with flint.ctx.workprec(bits):
                s = flint.arb(-depth).exp()
                _, h = self._graph(s, bits, 2)
                ratio = h[0] / flint.arb(y)
                if not ratio > 0:
                    return None
                step = float(ratio.log() * h[0] / (h[1] * self.side * s))
            depth += step
            if not abs(depth - guess) < _NEARBY:
                return None
            if abs(step) <= 4e-16 * max(1.0, abs(depth)):
                break
        return depth

    def _bits(self, depth: float) -> int:
        """Return bits with which the pole is told from points at a depth."""
        return _FIRST_BITS + int(1.5 * (1 + self.pole.multiplicity) * max(depth, 0.0))

    def _expanded(self, s: Any, bits: int) -> tuple[Any, Any, list[Any], list[Any]]:
        """Return f_x, h, and the speeds w and shifts delta order by order, at xi = x_0 + side s, by series about xi."""
        numerator, denominator, cofactor, slow = self._coefficients(bits)
        xi, h = self._graph(s, bits, _ORDER + 2)
        others = _value(cofactor, xi, h)
        f_x = (_at(numerator, xi).derivative() + _at(denominator, xi).derivative() * h) * others
        rate, slope, inverse = flint.arb(rational(self.system.slow_rate)), h.derivative(), 1 / f_x
        shift, speeds, shifts = 0 * xi, [], []
        while True:
            x = xi + shift
            speed = rate * _value(slow, x, h) / slope
            speeds.append(speed[0])
            shifts.append(shift[0])
            if len(speeds) > _ORDER:
                return f_x[0], h[0], speeds, shifts
            f = (_at(numerator, x) + _at(denominator, x) * h) * _value(cofactor, x, h)
            shift = shift - (f - (1 + shift.derivative()) * speed) * inverse

    def _graph(self, s: Any, bits: int, terms: int) -> tuple[Series, Series]:
        """Return the series of xi and h(xi) about x_0 + side s."""
        numerator, denominator, *_ = self._coefficients(bits)
        xi = flint.arb_series([self.pole.ball(bits) + self.side * s, 1], prec=terms)
        return xi, -_at(numerator, xi) / _at(denominator, xi)

    def _coefficients(self, bits: int) -> tuple[Any, Any, Any, Any]:
        """Return p_0, p_1, f / (p_0 + p_1 y) and g as enclosed coefficients, by powers of x, then of y."""
        if bits not in self._cache:
            rows = by_slow_power(self.curve)
            system = exactly(self.system, "a slow manifold to infinity")
            cofactor, slow = system.fast_field / self.curve, system.slow_field
            univariate = [_enclosed(row) for row in rows]
            bivariate = [[_enclosed(row) for row in by_slow_power(p)] for p in (cofactor, slow)]
            self._cache[bits] = (univariate[0], univariate[1], bivariate[0], bivariate[1])
        return self._cache[bits]


def slow_tails(system: FastSlowSystem) -> tuple[SlowTail, ...]:
    """Return the attracting slow manifolds whose flow leads to infinity at a pole of a graph y = h(x) in the window.

    Graphs are the simple factors p_0(x) + p_1(x) y of f; near a pole y is unbounded. Curves of higher degree in y, and
    y = const, are left out.
    """
    if not isinstance(system, PolynomialSystem):
        return ()  # y is bounded there
    depth = _FAR - math.log(float(system.upper - system.lower))
    tails = []
    for curve, multiplicity in system.fast_field.factor()[1]:
        if multiplicity > 1 or curve.degrees()[1] != 1:
            continue
        for pole in critical_abscissae(curve, system.lower, system.upper):
            sides = [side for side, edge in ((1, system.upper), (-1, system.lower)) if pole.exact != edge]
            both = [SlowTail(system, curve, pole, side) for side in sides]
            tails += [tail for tail in both if tail.at(depth) is not None]
    return tuple(tails)


@cache
def _gauss() -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of Gauss-Legendre quadrature on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    return 0.5 * (1.0 + nodes), 0.5 * weights


def _enclosed(p: Univariate) -> list[Any]:
    return [flint.arb(value) for value in p.coeffs()]


def _at(coefficients: list[Any], x: Series) -> Series:
    """Return a univariate polynomial of a series, by Horner's rule."""
    total = 0 * x
    for value in reversed(coefficients):
        total = total * x + value
    return total


def _value(rows: list[list[Any]], x: Series, y: Series) -> Series:
    """Return a polynomial of two series, by Horner's rule in y."""
    total = 0 * x
    for row in reversed(rows):
        total = total * y + _at(row, x)
    return total
