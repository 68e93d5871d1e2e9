"""The critical manifold of a finite width without Q: one function of R and a, and where it changes its sign."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.sgd.finite_width import FiniteWidth
from fastslow.sgd.noise_terms import noise_terms

Array = NDArray[np.float64]

_ROWS, _HEIGHTS = 161, 240
"""The grid in R, each sign, and in log |a| on which branches are looked for."""


class Plane:
    """The critical manifold without Q, as the zero set of one function of R and a.

    See `fastslow.sgd.finite_width_equilibria.Reduced`.
    """

    def __init__(self, network: FiniteWidth) -> None:
        self.network, self.model = network, network.system
        self.kappa, self.nu = 1.0 / network.m, network.noise_rate
        self.y = np.array([0.0, *map(float, self.model.t)])
        self.noise = network.noise
        exact = self.noise is not None or self.nu == 0.0
        self.terms = None if exact else [[_floats(p) for p in part] for part in noise_terms(self.model)]

    def excess(self, R: Array, a: Array) -> tuple[Array, Array]:
        """Return w = 1/m + (1 - 1/m) Q - R^2 on the manifold, and D1/a^2."""
        if self.nu == 0.0:
            return np.zeros(np.broadcast_shapes(R.shape, a.shape)), np.zeros(1)
        from numpy.polynomial.polynomial import polyder, polyval

        spread = self.kappa * (self.y.sum() - polyval(R * R, self.y))
        if self.noise is not None:
            terms = list(self.noise.at(R))
            factors = (self.noise.steepness, terms[6])
        else:
            slope = polyder(self.y)
            terms = [polyval(R, p) for part in self.terms or [] for p in part]
            factors = (slope.sum(), polyval(R * R, slope))
        D1, D2 = (
            terms[i] + a * (terms[i + 1] + a * (terms[i + 2] + spread * factor))
            for i, factor in zip((0, 3), factors, strict=True)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            w = self.nu * a * R * (self.kappa * D1 + (1.0 - self.kappa) * D2) / (2.0 * self.model.S(R, 1))
        return w, D1

    def overlap(self, R: Array, a: Array) -> Array:
        """Return Q on the manifold."""
        return np.asarray((R * R + self.excess(R, a)[0] - self.kappa) / (1.0 - self.kappa))

    def value(self, R: Array, a: Array) -> Array:
        """Return R'/a on the surface Q' = 0 there."""
        from numpy.polynomial.polynomial import polyder, polyval

        w, D1 = self.excess(R, a)
        with np.errstate(over="ignore", invalid="ignore"):
            Q = (R * R + w - self.kappa) / (1.0 - self.kappa)
            push = (1.0 - self.kappa) * (1.0 - Q) * polyval(Q, polyder(self.y)) + 0.5 * self.nu * D1
            return np.asarray((1.0 - R * R) * self.model.S(R, 1) - a * R * push)


def _floats(p: Any) -> Array:
    return np.array([float(int(v.p) / int(v.q)) for v in p.coeffs()] or [0.0])


class Grid:
    """Cells in R and log |a| in which the reduced equation changes its sign, and which no branch has passed yet."""

    def __init__(self, plane: Plane, sign: float, low: float, high: float) -> None:
        near = np.geomspace(1e-6, 0.05, _ROWS // 4)
        half = np.concatenate((near, np.linspace(0.05, 0.95, _ROWS // 2)[1:-1], (1.0 - near)[::-1], [1.0]))
        self.R, self.l = np.concatenate((-half[::-1], half)), np.linspace(math.log(low), math.log(high), _HEIGHTS)
        self.plane, self.sign = plane, sign
        R, a = self.R[:, None], sign * np.exp(self.l)[None, :]
        value = plane.value(R, a)
        right = (a * R * plane.model.S(R, 1) > 0.0) & np.isfinite(value)
        up = value > 0.0

        def corners(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
            return [mask[:-1, :-1], mask[1:, :-1], mask[:-1, 1:], mask[1:, 1:]]

        mixed = np.any(corners(up), axis=0) & ~np.all(corners(up), axis=0)
        self.open = mixed & np.all(corners(right), axis=0)

    def next(self) -> Array | None:
        """Return a start in a cell that is open, and close it."""
        cells = np.argwhere(self.open)
        if not len(cells):
            return None
        i, j = cells[len(cells) // 2]
        self.open[i, j] = False
        R, height = 0.5 * (self.R[i] + self.R[i + 1]), 0.5 * (self.l[j] + self.l[j + 1])
        Q = float(self.plane.overlap(np.array(R), np.array(self.sign * math.exp(height))))
        return np.array([R, min(Q, 1.0), height])

    def close(self, points: Array) -> None:
        """Close the cells along a curve, and those beside them."""
        x = np.interp(points[:, 0], self.R, np.arange(len(self.R)))
        y = np.interp(points[:, 2], self.l, np.arange(len(self.l)))
        parts = int(np.ceil(2.0 * max(np.abs(np.diff(x)).max(initial=0.0), np.abs(np.diff(y)).max(initial=0.0)))) + 1
        share = np.linspace(0.0, 1.0, parts, endpoint=False)
        x = np.append((x[:-1, None] + share * np.diff(x)[:, None]).ravel(), x[-1])
        y = np.append((y[:-1, None] + share * np.diff(y)[:, None]).ravel(), y[-1])
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                i = np.clip(x.astype(int) + dx, 0, self.open.shape[0] - 1)
                j = np.clip(y.astype(int) + dy, 0, self.open.shape[1] - 1)
                self.open[i, j] = False
