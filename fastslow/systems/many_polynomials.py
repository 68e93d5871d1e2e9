"""Many polynomials in x at once, in doubles, with a bound of the rounding of each coefficient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)
_PIECES = 16


@dataclass(frozen=True, eq=False)
class Polynomials:
    """S polynomials sum_k values[:, k] x^k.

    Attributes
    ----------
    values : ndarray, shape (S, n)
        Coefficients, the lowest power first.
    sizes : ndarray, shape (S, n)
        The same made of absolute values only. A coefficient is right to `rounding` times its size, where it is made of
        doubles that were rounded once, by a product and a difference.
    """

    values: Array
    sizes: Array

    @property
    def rounding(self) -> float:
        """Relative rounding of coefficients, of values, of Taylor and of Bernstein coefficients, with much to spare."""
        return _EPSILON * float(8 * self.values.shape[1] + 32)

    def __getitem__(self, rows: NDArray[np.int64]) -> Polynomials:
        return Polynomials(self.values[rows], self.sizes[rows])

    def __mul__(self, other: Polynomials) -> Polynomials:
        return Polynomials(_product(self.values, other.values), _product(self.sizes, other.sizes))

    def __sub__(self, other: Polynomials) -> Polynomials:
        length = max(self.values.shape[1], other.values.shape[1])
        a, b = _padded(self, length), _padded(other, length)
        return Polynomials(a.values - b.values, a.sizes + b.sizes)

    def derivative(self) -> Polynomials:
        """Return the derivatives."""
        k = np.arange(1, self.values.shape[1])
        return Polynomials(self.values[:, 1:] * k, self.sizes[:, 1:] * k)

    def without(self, power: int) -> Polynomials:
        """Return the polynomials divided by x^power; the coefficients below are known to be zero."""
        return Polynomials(self.values[:, power:], self.sizes[:, power:])

    def mirrored(self) -> Polynomials:
        """Return the polynomials of -x."""
        return Polynomials(self.values * (-1.0) ** np.arange(self.values.shape[1]), self.sizes)

    def __call__(self, x: Array) -> Array:
        """Return the values at x, one for each, shape (S,)."""
        return _horner(self.values, x)

    def on_grid(self, x: Array) -> Array:
        """Return the values of all at the same points, shape (S, m): faster, without a bound."""
        return np.asarray(self.values @ x ** np.arange(self.values.shape[1])[:, None])

    def size_at(self, x: Array) -> Array:
        """Return the sum of the absolute values of all terms at x; `rounding` times it bounds the error of a value."""
        return _horner(self.sizes, np.abs(x))

    def taylor(self, x: Array) -> Polynomials:
        """Return the polynomials in x - x_s about a point x_s for each, shape (S,)."""
        return Polynomials(_shifted(self.values, x), _shifted(self.sizes, np.abs(x)))

    def sign_up_to(self, length: Array) -> NDArray[np.int64]:
        """Return the sign of each on the interval [0, length], 0 where it is not shown to have one.

        On each of sixteen parts the Bernstein coefficients, between which the values are, have that sign.
        """
        scale = length[:, None] ** np.arange(self.values.shape[1])
        matrix = _bernstein(self.values.shape[1])
        values, sizes = (self.values * scale) @ matrix, (self.sizes * scale) @ matrix
        margin = self.rounding * sizes
        return np.where((values > margin).all(axis=1), 1, np.where((values < -margin).all(axis=1), -1, 0))


def polynomials(coefficients: Array) -> Polynomials:
    """Return polynomials of coefficients that are right to one rounding, the lowest power first."""
    return Polynomials(coefficients, np.abs(coefficients))


def _padded(p: Polynomials, length: int) -> Polynomials:
    more = ((0, 0), (0, length - p.values.shape[1]))
    return Polynomials(np.pad(p.values, more), np.pad(p.sizes, more))


def _product(a: Array, b: Array) -> Array:
    total = np.zeros((len(a), a.shape[1] + b.shape[1] - 1))
    for k in range(b.shape[1]):
        total[:, k : k + a.shape[1]] += a * b[:, k, None]
    return total


def _horner(coefficients: Array, x: Array) -> Array:
    total = np.zeros(len(x))
    for column in coefficients.T[::-1]:
        total = total * x + column
    return total


def _shifted(coefficients: Array, x: Array) -> Array:
    """Return Taylor coefficients by repeated division by x - x_s."""
    c = np.array(coefficients.T)
    for k in range(len(c)):
        for j in range(len(c) - 2, k - 1, -1):
            c[j] += x * c[j + 1]
    return np.asarray(c.T)


@cache
def _bernstein(length: int) -> Array:
    """Return the matrix from coefficients on [0, 1] to the Bernstein coefficients on its sixteen parts; none is < 0."""
    n, h = length - 1, 1.0 / _PIECES
    to_bernstein = np.array([[math.comb(j, i) / math.comb(n, i) for j in range(length)] for i in range(length)])
    parts = []
    for piece in range(_PIECES):
        u = piece * h
        shift = [
            [math.comb(k, i) * u ** (k - i) * h**i if i <= k else 0.0 for i in range(length)] for k in range(length)
        ]
        parts.append(np.array(shift) @ to_bernstein)
    return np.concatenate(parts, axis=1)
