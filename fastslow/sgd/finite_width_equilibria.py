"""All equilibria of the three-variable system of a finite width, isolated by interval arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.boxes import Array, Dual, Interval, rows, series, zeros_in_box
from fastslow.sgd.finite_width import FiniteWidth, Rest
from fastslow.sgd.noise_terms import noise_terms
from fastslow.systems.intervals import down, function_of_interval, up

_OUTSIDE = 1e-9
"""So far from the domain of correlations a point may lie by rounding."""
_NEAR = 1e-5
_SAME = 1e-5
_ANGLE_SLACK = 2.0**-44
_SERIES_SLACK = 1e-14
"""Relative rounding errors allowed for in an arcsine, and in a Chebyshev series."""
_TRIES = 12
"""Starts of Newton's method where nothing is proved."""


@dataclass(frozen=True)
class FiniteWidthEquilibrium:
    """An equilibrium of the system in (R, Q, a).

    Attributes
    ----------
    id : str
        "E1", "E2", ... in order of a.
    R, Q, a : float
        The state.
    stability : str
        "stable", "saddle" (with its number of unstable directions, as "saddle, 1 unstable"), "unstable", or "center"
        where the linearisation does not decide.
    eigenvalues : tuple of complex
        Of the linearisation in all three variables, ascending real parts.
    fast_eigenvalues : tuple of complex
        Of the fast part, (R, Q) at frozen a.
    certified : bool
        Whether it is proved that there is exactly one equilibrium within `radius`.
    radius : float
        Bound of the error of R and Q; that of a is of the same relative size.
    verdict : str
        What becomes of it as width and batch grow to infinity; see `fastslow.sgd.finite_width.Rest`.
    """

    id: str
    R: float
    Q: float
    a: float
    stability: str
    eigenvalues: tuple[complex, ...]
    fast_eigenvalues: tuple[complex, ...]
    certified: bool
    radius: float
    verdict: str

    @property
    def state(self) -> Array:
        """The three numbers."""
        return np.array([self.R, self.Q, self.a])


class Reduced:
    r"""The equations of rest in R and w = 1/m + (1 - 1/m) Q - R^2, as enclosures.

    With kappa = 1/m, nu = gamma/(m delta), s = kappa + (1 - kappa) Q = R^2 + w, away from a R S' = 0 both fast
    equations vanish where

        (1 - R^2) S' - a R ((1 - kappa) (1 - Q) Y'(Q) + (nu/2) D1/a^2) = 0
        2 S' w - nu a R (kappa D1 + (1 - kappa) D2)/a^2 = 0,

    the second by taking (1 - Q) Y'(Q) out of the first. w >= 0 is that teacher and neurons have possible correlations,
    w = 0 that the teacher lies in the span of the neurons, where all comes to rest without noise. Where a' = 0,
    a = S/N with N = (1 - kappa) Y(Q) + kappa Y(1), so that (R, w) in [-1, 1] x [0, 1] holds all equilibria with
    a != 0.
    """

    def __init__(self, network: FiniteWidth) -> None:
        system = network.system
        self.kappa, self.nu = _nearby(1.0 / network.m), _nearby(network.noise_rate)
        self.share = Interval(1.0, 1.0) - self.kappa
        zero = Fraction(0)
        s, y = [zero, *system.s], [zero, *system.t]
        slope, y_slope = ([k * v for k, v in enumerate(c)][1:] for c in (s, y))
        self.y, self.y_slope = _stacked([y]), _stacked([y_slope])
        self.own, self.own_slope = _enclosed(sum(y, zero)), _enclosed(sum(y_slope, zero))
        self.s = _stacked([s, slope])
        self.noisy = network.noise_rate > 0.0
        self.noise, self.steepness = network.noise, self.own_slope
        if self.noise is not None:
            self.steepness = _nearby(self.noise.steepness)
        elif self.noisy:
            self.terms = _stacked([_fractions(p) for part in noise_terms(system) for p in part])

    def __call__(self, R: Dual, w: Dual) -> tuple[Dual, Dual]:
        """Return both equations where a is at rest."""
        square = _squared(R)
        Q = (square + w - self.kappa) * (Interval(1.0, 1.0) / self.share)
        S, S1 = rows(series(self.s, R))
        (Y,), (Y1,) = rows(series(self.y, Q)), rows(series(self.y_slope, Q))
        a = S / (Y * self.share + self.kappa * self.own)
        one = (R * 0.0) + 1.0
        push = (one - Q) * Y1 * self.share
        second = S1 * w * 2.0
        if self.noisy:
            (own,), (slope,) = rows(series(self.y, square)), rows(series(self.y_slope, square))
            spread = (own * -1.0 + self.own) * self.kappa
            p = rows(series(self.terms, R) if self.noise is None else _chebyshev(self.noise.series, _angle(R)))
            slope = slope if self.noise is None else p[6]
            D1 = p[0] + a * (p[1] + a * (p[2] + spread * self.steepness))
            D2 = p[3] + a * (p[4] + a * (p[5] + spread * slope))
            push = push + D1 * (self.nu * 0.5)
            second = second - a * R * (D1 * self.kappa + D2 * self.share) * self.nu
        return (one - square) * S1 - a * R * push, second

    def outside(self, R: Interval, w: Interval) -> NDArray[np.bool_]:
        """Whether no equilibrium with possible correlations lies in a box: Q > 1, or with noise a R S' < 0."""
        square = np.where(R.contains_zero(), 0.0, np.minimum(R.low**2, R.high**2))
        beyond = square + w.low > 1.0 + _NEAR
        if not self.noisy:
            return np.asarray(beyond)
        S, S1 = rows(series(self.s, Dual(R, (R * 0.0, R * 0.0))))
        against = (R * S.value * S1.value).high < 0.0
        return np.asarray(beyond | (against & (w.low >= 0.0)))


def equilibria(network: FiniteWidth) -> tuple[list[FiniteWidthEquilibrium], bool]:
    """Return the equilibria with a != 0 whose correlations are possible, and whether it is proved that these are all.

    The states with a = 0 and S(R) = 0 are at rest too, for any Q: lines that no orbit from a0 != 0 ends at unless a
    decays to nothing. The proof is for the batch noise of an activation as its series of `batch_noise` give it, right
    to a relative 1e-9 or so.
    """
    reduced = Reduced(network)
    box = zeros_in_box(reduced, (-1.0, 0.0), (1.0, 1.0), reduced.outside)
    found = []
    kappa = 1.0 / network.m
    for (R, w), radius in zip(box.points, box.radii, strict=True):
        Q = (R * R + w - kappa) / (1.0 - kappa)
        if w < -_OUTSIDE or Q > 1.0 + _OUTSIDE or abs(R) > 1.0 + _OUTSIDE:
            continue
        found.append(_equilibrium(network, float(R), float(Q), float(radius.max())))
    left = [b for b in box.undecided if b[0, 0] * b[1, 0] <= 0.0 or (b[:, 0] ** 2).min() + b[0, 1] <= 1.0 + _NEAR]
    for e in _unproved(network, np.array(left).reshape(-1, 2, 2)):
        if not any(np.allclose(e.state, f.state, rtol=_NEAR, atol=_NEAR) for f in found):
            found.append(e)
    found.sort(key=lambda e: (e.a, e.R))
    named = [replace(e, id=f"E{k}") for k, e in enumerate(found, start=1)]
    return named, not left


def at_rest(equilibria: tuple[FiniteWidthEquilibrium, ...], rest: Rest) -> str:
    """Return the equilibrium at which an orbit came to rest, "" where it is none of them."""
    state = np.array([rest.R, rest.Q, rest.a])
    if not rest.settled:
        return ""
    for e in equilibria:
        if np.allclose(e.state, state, rtol=_SAME, atol=1e-9):
            return e.id
    return ""


def _unproved(network: FiniteWidth, boxes: Array) -> list[FiniteWidthEquilibrium]:
    """Return what there is at rest in boxes about which nothing could be said, by Newton's method from some of them.

    Multiple equilibria, as a rule: a perfect copy of the teacher, R^2 = Q = 1 and loss 0, is one.
    """
    kappa = 1.0 / network.m
    found: list[FiniteWidthEquilibrium] = []
    corner = [R for R in (-1.0, 1.0) if _touches(boxes, R)]
    middles = boxes.mean(axis=1)[:: max(1, len(boxes) // _TRIES)]
    places = [(R, 1.0) for R in corner] + [(float(R), float((R * R + w - kappa) / (1.0 - kappa))) for R, w in middles]
    for R, Q in places:
        at = network.equilibrium_near((R, Q, _height(network, R, Q)))
        exact = (R in corner) and np.abs(network.rates((R, Q, _height(network, R, Q)))[0]).max() < 1e-13
        if exact:
            at = np.array([R, Q, _height(network, R, Q)])
        if at is None or abs(at[0]) > 1.0 + _OUTSIDE or at[1] > 1.0 + _OUTSIDE:
            continue
        if any(np.allclose(at, e.state, rtol=_NEAR, atol=_NEAR) for e in found) or abs(at[2]) < _OUTSIDE:
            continue
        e = _equilibrium(network, float(at[0]), float(at[1]), _NEAR)
        found.append(replace(e, certified=False, stability="center" if exact else e.stability))
    return found


def _touches(boxes: Array, R: float) -> bool:
    """Whether one of the boxes touches the corner w = 0, R = 1 or -1."""
    near = (boxes[:, 0, 0] - _NEAR <= R) & (boxes[:, 1, 0] + _NEAR >= R) & (boxes[:, 0, 1] <= _NEAR)
    return bool(near.any())


def _height(network: FiniteWidth, R: float, Q: float) -> float:
    """Return the a at which a' = 0."""
    model, kappa = network.system, 1.0 / network.m
    y = np.array([0.0, *(float(v) for v in model.t)])
    return float(model.S(R)) / float((1.0 - kappa) * np.polyval(y[::-1], Q) + kappa * y.sum())


def _equilibrium(network: FiniteWidth, R: float, Q: float, radius: float) -> FiniteWidthEquilibrium:
    a = _height(network, R, Q)
    state = np.array([R, Q, a])
    jacobian = network.rates(state)[1]
    values, fast = np.linalg.eigvals(jacobian), np.linalg.eigvals(jacobian[:2, :2])
    values, fast = (v[np.argsort(v.real)] for v in (values, fast))
    # the corner R^2 = Q = 1 is at rest at every width
    verdict = "learning" if abs(R) == 1.0 and Q == 1.0 else network.fate_of(state)
    return FiniteWidthEquilibrium(
        "", R, Q, a, _stability(values), tuple(map(complex, values)), tuple(map(complex, fast)), True, radius, verdict
    )


def _stability(values: Any) -> str:
    small = 1e-15 * float(np.abs(values).max())
    up = int((values.real > small).sum())
    if (np.abs(values.real) <= small).any():
        return "center"
    if up == 0:
        return "stable"
    return "unstable" if up == len(values) else f"saddle, {up} unstable"


def _squared(x: Dual) -> Dual:
    """Return x^2 with a value that is not negative."""
    v = x.value
    low, high = np.abs(v.low), np.abs(v.high)
    least = np.where(v.contains_zero(), 0.0, np.minimum(low, high))
    most = np.maximum(low, high)
    value = Interval(np.maximum(np.nextafter(least * least, -np.inf), 0.0), np.nextafter(most * most, np.inf))
    return Dual(value, (v * x.by[0] * 2.0, v * x.by[1] * 2.0))


def _angle(R: Dual) -> Dual:
    """Return (2/pi) arcsin R, infinitely steep at the ends."""
    square = _squared(R).value
    root = function_of_interval(
        "sqrt", (np.maximum(down(1.0 - square.high), 0.0), np.maximum(up(1.0 - square.low), 0.0))
    )
    turn = 2.0 / math.pi
    ends = (np.arcsin(np.clip(v, -1.0, 1.0)) * turn for v in R.value.ends)
    low, high = next(ends) - _ANGLE_SLACK, next(ends) + _ANGLE_SLACK
    slope = Interval(down(turn * (1.0 - _ANGLE_SLACK) / root[1]), up(turn * (1.0 + _ANGLE_SLACK) / root[0]))
    return Dual(Interval(low, high), (slope * R.by[0], slope * R.by[1]))


def _chebyshev(series_: Array, t: Dual) -> Dual:
    """Return Chebyshev series, a row each, by P(t0) + P'(t0)(t - t0) and a bound of P'': |T_k''| <= k^2 (k^2 - 1)/3.

    In powers of t the coefficients would be large and of both signs.
    """
    from numpy.polynomial.chebyshev import chebder, chebval

    k = np.arange(series_.shape[1])
    rough = (np.abs(series_) @ np.stack((k * k, k * k * (k * k - 1) / 3.0), axis=1))[:, :, None]
    error = _SERIES_SLACK * (np.abs(series_).sum(axis=1, keepdims=True) + rough[:, 0])
    middle = np.clip(0.5 * (t.value.low + t.value.high), -1.0, 1.0)
    reach = up(np.maximum(t.value.high - middle, middle - t.value.low))
    value, slope = (np.asarray(chebval(middle, c), dtype=np.float64) for c in (series_.T, chebder(series_.T)))
    bend = up(rough[:, 1] * reach * (1.0 + _SERIES_SLACK))
    steep = Interval(slope - bend - error * k[-1] ** 2, slope + bend + error * k[-1] ** 2)
    line = Interval(slope, slope) * Interval(-reach, reach)
    rest = up(0.5 * bend * reach) + error * (1.0 + k[-1] ** 2 * reach)
    return Dual(line + Interval(value - rest, value + rest), (steep * t.by[0], steep * t.by[1]))


def _nearby(value: float) -> Interval:
    """Return an interval round a double that was rounded once."""
    return (
        Interval(value, value) if value == 0.0 else Interval(np.nextafter(value, 0.0), np.nextafter(value, 2 * value))
    )


def _enclosed(value: Fraction) -> Interval:
    middle = float(value)
    if Fraction(middle) == value:
        return Interval(middle, middle)
    return Interval(math.nextafter(middle, -math.inf), math.nextafter(middle, math.inf))


def _fractions(p: Any) -> list[Fraction]:
    return [Fraction(int(v.p), int(v.q)) for v in p.coeffs()] or [Fraction(0)]


def _stacked(series_: list[list[Fraction]]) -> Interval:
    """Return enclosures of the coefficients of some series, shape (terms, series, 1)."""
    length = max(map(len, series_))
    rows_ = [[_enclosed(v) for v in c] + [Interval(0.0, 0.0)] * (length - len(c)) for c in series_]
    low, high = (
        np.array([[float(getattr(v, name)) for v in row] for row in rows_]).T[:, :, None] for name in ("low", "high")
    )
    return Interval(low, high)
