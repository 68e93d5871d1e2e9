"""Piecewise Chebyshev interpolants in a parameter, in variables that resolve square roots and powers at their ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_BEYOND = 5e-3
"""How far a series in t is continued beyond its ends, where it is analytic."""
_REST = float(np.log(8.0))
"""How much of the logarithm of a distance is split off at the far end, where other singularities are near."""


@dataclass(frozen=True)
class Variable:
    """A variable s in [-1, 1] for p in [low, high].

    Attributes
    ----------
    low, high : float
        What s = -1 and s = 1 stand for.
    kind : str
        "cosine": p = middle - half cos(pi t) with t affine in s, and `middle`, `half` those of `of`: a square root
        at an end of `of` becomes analytic. "above": log(p - of[0]) is affine in s, "below": log(of[1] - p) is:
        powers of the distance become exponentials.
    of : tuple of float
        The interval that the variable belongs to.
    """

    low: float
    high: float
    kind: str
    of: tuple[float, float]

    def inner(self, p: FloatArray) -> FloatArray:
        """Return t, or the logarithm."""
        a, b = self.of
        if self.kind == "cosine":
            # from the nearer end, for the sake of the digits
            below, above = (2.0 * np.arcsin(np.sqrt(np.clip(d / (b - a), 0.0, 1.0))) / np.pi for d in (p - a, b - p))
            return np.where(below < 0.5, below, 1.0 - above)
        distance = p - a if self.kind == "above" else b - p
        return np.log(np.maximum(distance, 1e-300))

    def to_parameter(self, s: FloatArray) -> FloatArray:
        """Return p for s."""
        a, b = self.of
        first, last = self.inner(np.array([self.low, self.high]))
        t = first + (last - first) * (np.asarray(s) + 1.0) / 2.0
        if self.kind == "cosine":
            below, above = ((b - a) * np.sin(0.5 * np.pi * d) ** 2 for d in (t, 1.0 - t))
            p = np.where(t < 0.5, a + below, b - above)
        else:
            p = a + np.exp(t) if self.kind == "above" else b - np.exp(t)
        return np.asarray(np.clip(p, self.low, self.high))

    def from_parameter(self, p: FloatArray) -> FloatArray:
        """Return s for p; where p is beyond an end, a little beyond 1 in size."""
        first, last = self.inner(np.array([self.low, self.high]))
        s = 2.0 * (self.inner(p) - first) / (last - first) - 1.0
        return np.asarray(np.clip(s, -1.0 - _BEYOND, 1.0 + _BEYOND) if self.kind == "cosine" else np.clip(s, -1.0, 1.0))

    def split(self) -> tuple[Variable, Variable]:
        """Return its two parts: halves, or a little beside a place that is resolved by the logarithm and the rest."""
        s = 0.0
        if self.kind != "cosine":
            first, last = self.inner(np.array([self.low, self.high]))
            s = (1.0 if self.kind == "above" else -1.0) * (1.0 - min(1.0, 2.0 * _REST / abs(float(last - first))))
        middle = float(self.to_parameter(np.array([s]))[0])
        return Variable(self.low, middle, self.kind, self.of), Variable(middle, self.high, self.kind, self.of)


@dataclass(frozen=True, eq=False)
class Piece:
    """y on [low, high] as a Chebyshev series in a variable, or sign e^series."""

    variable: Variable
    series: FloatArray
    sign: float

    def at(self, p: FloatArray) -> FloatArray:
        """Return y at values of the parameter."""
        value = np.polynomial.chebyshev.chebval(self.variable.from_parameter(p), self.series)
        return np.asarray(self.sign * np.exp(value) if self.sign else value)


def lobatto(n: int) -> FloatArray:
    """Return the n + 1 points -cos(pi k / n); those for n / 2 are every second one."""
    return np.asarray(-np.cos(np.pi * np.arange(n + 1) / n))


def fitted(variable: Variable, y: FloatArray, logarithmic: bool = False) -> Piece:
    """Return the interpolant through y, or through log |y|, at the Lobatto points of a variable."""
    sign = float(np.sign(y[0])) if logarithmic else 0.0
    values = np.log(np.abs(y)) if logarithmic else y
    n = len(y) - 1
    angles = np.pi * np.arange(n + 1) / n
    weights = np.ones(n + 1)
    weights[[0, -1]] = 0.5
    # s_k = -cos(angle_k) = cos(pi - angle_k)
    series = np.cos(np.outer(np.arange(n + 1), np.pi - angles)) @ (weights * values) * 2.0 / n
    series[[0, -1]] *= 0.5
    return Piece(variable, series, sign)


def piecewise(pieces: Sequence[Piece]) -> Callable[[FloatArray], FloatArray]:
    """Return y(p) from pieces in order of p; a value beyond an end belongs to the piece there."""
    starts = np.array([piece.variable.low for piece in pieces[1:]])

    def value(p: FloatArray) -> FloatArray:
        p = np.asarray(p, dtype=np.float64)
        result = np.empty(p.shape)
        which = np.searchsorted(starts, p, side="right")
        for k in np.unique(which):
            result[which == k] = pieces[k].at(p[which == k])
        return result

    return value
