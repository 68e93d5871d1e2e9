"""Limits and powers of a tail, extrapolated from times that are evenly spaced in the logarithm, with errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PER_DECADE = 16
_STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
"""The central difference of order 8, to be correlated with values at equal distances."""
_WINDOWS = (1, 2, 3, 4, 6)
"""Decades of time, back from the end, that fits use."""
_ORDERS = 8
_SAFETY = 3.0
"""Errors are so many times the largest of the differences between neighbouring orders and windows."""


@dataclass(frozen=True)
class Estimate:
    """A limit that was extrapolated, and its error."""

    value: float
    error: float


@dataclass(frozen=True)
class Fit:
    """The law |y| ~ prefactor t^exponent as it is read off a solution, with errors."""

    exponent: float
    error: float
    prefactor: float
    prefactor_error: float


def log_slope(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return d log(values) / d log t at all but the outer four times, which are evenly spaced in the logarithm."""
    step = math.log(t[-1] / t[0]) / (len(t) - 1)
    return np.asarray(np.correlate(np.log(values), _STENCIL, "valid") / step)


def _windows(t: FloatArray) -> list[slice]:
    """Return the last 1, 2, 3, ... decades of time, as far as there are so many."""
    lengths = [PER_DECADE * decades + 1 for decades in _WINDOWS]
    return [slice(len(t) - length, None) for length in lengths if length <= len(t)]


_Row = list[tuple[float, float]]
"""Values and their noise, from order 0 on."""


def _best(table: list[_Row]) -> Estimate | None:
    """Return the value of the least error: that is from the spread over orders and over a longer window."""
    found: list[Estimate] = []
    for row, longer in pairwise(table):
        for k in range(2, min(len(row), len(longer))):
            value, noise = row[k]
            spread = [abs(value - row[k - 1][0]), abs(row[k - 1][0] - row[k - 2][0]), abs(value - longer[k][0])]
            found.append(Estimate(value, _SAFETY * (max(spread) + noise)))
    return min(found, key=lambda estimate: estimate.error, default=None)


def limit_at_zero(t: FloatArray, z: FloatArray, values: FloatArray, noise: float) -> Estimate | None:
    """Return the limit of a series in z at z = 0."""
    table: list[_Row] = []
    for window in _windows(t):
        w, q = z[window] / z[window].max(), values[window]
        row: _Row = []
        for k in range(_ORDERS):
            powers = np.vander(w, k + 1, increasing=True)
            inverse = np.linalg.pinv(powers, rcond=1e-14)
            c = inverse @ q
            rms = float(np.sqrt(np.mean((powers @ c - q) ** 2)))
            row.append((float(c[0]), max(rms, noise * float(np.abs(q).max())) * float(np.linalg.norm(inverse[0]))))
        table.append(row)
    return _best(table)


def power_fit(t: FloatArray, y: FloatArray, speed: FloatArray, r: float, noise: float) -> Fit | None:
    """Return the law from speeds v = z^m (c_0 + c_1 z + ...), z = y^(-1/r): p = 1 + m / r."""
    exponents: list[_Row] = []
    prefactors: list[_Row] = []
    for window in _windows(t):
        height, v = y[window], speed[window]
        if not (v > 0).all():
            continue
        rows = _window_fit(height / height.min(), v / v[0], r, noise, (math.log(height.min()), math.log(v[0])))
        exponents.append([row[0] for row in rows])
        prefactors.append([row[1] for row in rows])
    exponent, prefactor = _best(exponents), _best(prefactors)
    if exponent is None or prefactor is None:
        return None
    factor = math.exp(prefactor.value)
    return Fit(exponent.value, exponent.error, factor, factor * math.expm1(min(prefactor.error, 700.0)))


def _window_fit(
    height: FloatArray, v: FloatArray, r: float, noise: float, logs: tuple[float, float]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return (1 / p, noise) and (log of the prefactor, noise) for the orders 0, 1, ... in one window.

    The coefficients c enter linearly; m is found by Gauss-Newton, from the value of the order before.
    `logs` are the logarithms of the units of the heights and speeds.
    """
    z, ones = height ** (-1.0 / r), np.ones_like(v)
    log_z = np.log(z)
    m = float(np.polyfit(log_z, np.log(v), 1)[0])
    rows = []
    for k in range(_ORDERS):
        step, c, model = 1.0, ones, ones
        inverse: FloatArray = np.empty((0, 0))
        for _ in range(30):
            columns = z[:, None] ** (m + np.arange(k + 1)) / v[:, None]
            c = np.asarray(np.linalg.lstsq(columns, ones, rcond=1e-14)[0])
            model = columns @ c
            inverse = np.asarray(np.linalg.pinv(np.column_stack((columns, log_z * model)), rcond=1e-14))
            step = float(inverse[-1] @ ones)
            m += min(max(step, -1.0), 1.0)
            if abs(step) <= 1e-12:
                break
        p = 1.0 + m / r
        if abs(step) > 1e-6 or p <= 0.0 or c[0] <= 0.0:
            break
        sigma = max(float(np.sqrt(np.mean((model - 1.0) ** 2))), noise)
        # log prefactor = (log p + log(slow_rate K)) / p, and slow_rate K = c_0 v_0 y_0^(m / r).
        log_factor = (math.log(p) + math.log(c[0]) + logs[1] + (p - 1.0) * logs[0]) / p
        along = (inverse[0] / c[0] + inverse[-1] / r * (1.0 / p + logs[0] - log_factor)) / p
        noises = (np.linalg.norm(inverse[-1]) / (r * p**2), np.linalg.norm(along))
        rows.append(((1.0 / p, sigma * float(noises[0])), (log_factor, sigma * float(noises[1]))))
    return rows
