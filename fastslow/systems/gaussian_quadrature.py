"""Integrals of a function and Hermite polynomials over the Gaussian, on panels that are halved where it is rough.

The functions psi_k = h_k(x) phi(x)^(1/2), with the normalised h_k = He_k / sqrt(k!) and the standard normal
density phi, are bounded by 1 and come from a recursion that loses no digits; a function sigma enters as
u = sigma phi^(1/2), so that b_k = E[sigma h_k] is the integral of u psi_k and E[sigma^2] that of u^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError

FloatArray = NDArray[np.float64]
RealFunction = Callable[[FloatArray], FloatArray]

EDGE = 38.0
"""phi(38) is 1e-314: nothing beyond is a double."""
_POINTS = 24
_ROUNDING = 2.0**-52
_FIRST_WIDTH = 2.0
_DEEPEST = 50
_CHANGE = 2e-15
"""A panel is fine where halving it changes no coefficient by more, in units of the norm."""
_MOST_PANELS = 800
_FAR = 2.0
"""Of a function that is infinite beyond, one says that it grows too fast."""
_LARGEST_NORM = 1e140
_SLOWER = "It must grow slower than exp(x**2/4), and E[sigma(z)^2] fit a double"


@dataclass(frozen=True, eq=False)
class Projection:
    """A function in the space of the Gaussian.

    Attributes
    ----------
    b : ndarray, shape (K + 1,)
        b_k = E[sigma h_k], k = 0, ..., K.
    errors : ndarray, shape (K + 1,)
        Estimates of their errors: differences of two resolutions, and rounding.
    norm : float
        E[sigma^2]^(1/2).
    x, weights, u : ndarray
        The nodes, their weights and the values sigma phi^(1/2) there.
    """

    b: FloatArray
    errors: FloatArray
    norm: float
    x: FloatArray
    weights: FloatArray
    u: FloatArray

    def fine_edges(self) -> FloatArray:
        """Return the ends of the panels that had to be halved beyond the usual: where the function is rough."""
        x, outermost = self.x.reshape(-1, _POINTS), np.polynomial.legendre.leggauss(_POINTS)[0][-1]
        middle, half = (x[:, 0] + x[:, -1]) / 2, (x[:, -1] - x[:, 0]) / (2 * outermost)
        fine = half < 0.49 * _FIRST_WIDTH / 2
        return np.unique(np.concatenate((middle - half, middle + half))[np.tile(fine, 2)].round(12))

    def residual(self, b: FloatArray) -> float:
        """Return E[(sigma - sum_k b_k h_k)^2]^(1/2), of which about 1e-15 of the norm is rounding."""
        left = self.u.copy()
        for value, psi in zip(b, hermite_functions(self.x, len(b) - 1), strict=True):
            left -= value * psi
        return math.sqrt(float(self.weights @ left**2))


def hermite_functions(x: FloatArray, order: int) -> FloatArray:
    """Return psi_k(x) = He_k(x) / sqrt(k!) phi(x)^(1/2), k = 0, ..., order; the first axis is k."""
    psi = np.empty((order + 1, *x.shape))
    psi[0] = np.exp(-(x**2) / 4) / (2 * math.pi) ** 0.25
    if order:
        psi[1] = x * psi[0]
    for k in range(1, order):
        psi[k + 1] = (x * psi[k] - math.sqrt(k) * psi[k - 1]) / math.sqrt(k + 1)
    return psi


def project(
    sigma: RealFunction, order: int, splits: Sequence[float], refuse: Callable[[str, str], InputError]
) -> Projection:
    """Return the coefficients b_0, ..., b_order of a function.

    Gauss-Legendre panels between -38 and 38, split where the function has kinks, are halved until no coefficient and
    no part of the norm changes: rough places that nobody named are found, too. What is narrower than a tenth and
    nothing beside it tells of, may be missed.

    Parameters
    ----------
    sigma : callable
        The function, of arrays.
    order : int
        The last k.
    splits : sequence of float
        Where it has kinks or jumps.
    refuse : callable
        The error for a rule that is broken and a way out.

    Raises
    ------
    InputError
        If the function is not finite, grows too fast, or cannot be resolved.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)

    def integrate(low: FloatArray, high: FloatArray) -> tuple[FloatArray, ...]:
        half = (high - low) / 2
        x = low[:, None] + half[:, None] * (1 + nodes)
        values = sigma(x)
        _check_finite(x, values, refuse)
        psi = hermite_functions(x, order)
        u = values * psi[0]
        w = half[:, None] * weights
        rows = np.einsum("pi,kpi->pk", w * u, psi)
        sizes = np.einsum("pi,kpi->pk", w * np.abs(u), np.abs(psi))
        if float(np.abs(u).max()) > _LARGEST_NORM:
            raise refuse("grows too fast", _SLOWER)
        square = np.einsum("pi,pi->p", w, u * u)[:, None]
        return np.hstack([rows, square]), np.hstack([sizes, square]), x, w, u

    inner = [s for s in splits if abs(s) < EDGE]
    edges = np.unique(np.concatenate([np.arange(-EDGE, EDGE + 1.0, _FIRST_WIDTH), inner]))
    low, high = edges[:-1], edges[1:]
    whole = integrate(low, high)[0]
    total, error, size = (np.zeros(order + 2) for _ in range(3))
    kept: list[tuple[FloatArray, ...]] = []
    count = 0
    for _ in range(_DEEPEST):
        middle = (low + high) / 2
        lows, highs = np.stack([low, middle], axis=1).ravel(), np.stack([middle, high], axis=1).ravel()
        parts, sizes, x, w, u = integrate(lows, highs)
        pairs = parts.reshape(-1, 2, order + 2)
        refined = pairs.sum(axis=1)
        change = np.abs(refined - whole)
        square = total[-1] + refined[:, -1].sum()
        limit = _CHANGE * np.append(np.full(order + 1, math.sqrt(square)), square)
        rough = (change > limit).any(axis=1)
        fine, fine_halves = ~rough, np.repeat(~rough, 2)
        total += refined[fine].sum(axis=0)
        error += change[fine].sum(axis=0)
        size += sizes[fine_halves].sum(axis=0)
        kept.append(tuple(array[fine_halves].ravel() for array in (x, w, u)))
        count += int(fine.sum())
        if not rough.any():
            break
        if count + 2 * int(rough.sum()) > _MOST_PANELS + 2 * len(inner):
            raise refuse("varies too fast to be resolved", "Give a smoother function")
        low, high, whole = lows[~fine_halves], highs[~fine_halves], parts[~fine_halves]
    else:
        place = float(low[0])
        rule = f"is not square integrable, or too rough, near x = {place:.6g}"
        raise refuse(rule, "E[sigma(z)^2] must be finite for a standard normal z")
    x, w, u = (np.concatenate([piece[i] for piece in kept]) for i in range(3))
    outer = np.abs(x) > EDGE - 2
    if float(w[outer] @ u[outer] ** 2) > _ROUNDING**2 * float(total[-1]):
        raise refuse("grows too fast for E[sigma(z)^2] to be finite", _SLOWER)
    if total[-1] == 0.0:
        raise refuse("vanishes wherever it was evaluated", "Give a function that is not zero")
    return Projection(total[:-1], error[:-1] + 4 * _ROUNDING * size[:-1], math.sqrt(total[-1]), x, w, u)


def _check_finite(x: FloatArray, values: FloatArray, refuse: Callable[[str, str], InputError]) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    place = float(min(x[bad], key=abs))
    if np.isinf(values[x == place]).any() and abs(place) > _FAR:
        raise refuse(f"grows too fast: it is beyond doubles at x = {place:.4g}", _SLOWER)
    raise refuse(f"is not finite and real at x = {place:.6g}", "It must be real for every x")
