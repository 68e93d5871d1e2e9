"""The batch noise of an activation that is evaluated and not expanded: seven functions of the alignment R.

With y(q) = sum_k b_k^2 q^k and sigma, sigma' at u = R z + (1 - R^2)^(1/2) x, x and z standard normal,

    D1/a^2 = A0 + a A1 + a^2 (A2 + (1/m) (y(1) - y(R^2)) E[sigma'^2]),
    D2/a^2 = B0 + a B1 + a^2 (B2 + (1/m) (y(1) - y(R^2)) C),
    s = E_x[sigma], mu = E_x[sigma'], psi = E_x[sigma'^2], rho = (sigma*(z) - a s)^2 + noise^2,

A_i = E_z[rho_i psi] and B_i = E_z[rho_i mu^2] with the powers rho_i of a in rho, C = E_z[mu^2].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.sgd.exact_activation import ExactActivation
from fastslow.sgd.network import Network
from fastslow.systems.expressions import evaluate
from fastslow.systems.gaussian_quadrature import project

FloatArray = NDArray[np.float64]

_FAR, _NEARER = 16.0, 14.0
"""Normal numbers beyond are left out; to leave out those beyond 14 must make no difference."""
_POINTS = 16
_PANELS = (16, 32, 64, 128)
_CLOSE = 1e-9
"""Two resolutions, and a series and its function, may differ by this share."""
_ROUNDING = 1e-13
_HOPELESS = 0.5
_DEGREES = (31, 47, 95, 191, 383)
_STEPS = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
"""Beside a kink a mean over x varies on the scale of (1 - R^2)^(1/2): panels end at so many of these."""
_MOST_KINKS = 12
_LEVEL = 1e-3
"""Below this |R| a mean over x does not vary fast with z."""


@dataclass(frozen=True, eq=False)
class BatchNoise:
    """The seven functions as Chebyshev series in t = (2/pi) arcsin R, in which those of a kink are smooth up to R = 1.

    Attributes
    ----------
    series : ndarray, shape (7, L)
        Coefficients of A0, A1, A2, B0, B1, B2, C.
    steepness : float
        E[sigma'^2].
    """

    series: FloatArray
    steepness: float

    def at(self, R: FloatArray) -> FloatArray:
        """Return the seven functions, the first axis, at alignments."""
        from numpy.polynomial.chebyshev import chebval

        return np.asarray(chebval(np.arcsin(np.clip(R, -1.0, 1.0)) * (2.0 / math.pi), self.series.T))


def batch_noise(activation: ExactActivation, network: Network) -> BatchNoise:
    r"""Return the functions for an activation and the teacher and the label noise of a network.

    Fourth moments of a Hermite series say little of those of its function: E[sigma'^4] of ReLU is 1/2, of its series
    cut at 5, 8 and 15 it is 0.41, 4.1 and 1.8e5.

    Raises
    ------
    InputError
        If the moments are infinite, or cannot be resolved.
    """
    return _of_function(activation.text, tuple(map(float, network.b_star)), network.noise)


@lru_cache(maxsize=64)
def _of_function(text: str, b_star: tuple[float, ...], noise: float) -> BatchNoise:
    activation = ExactActivation.of_text(text)

    def refuse(rule: str) -> InputError:
        return InputError("activation", text, rule, "Leave the noise of the batches out: gamma = 0")

    if len(activation.kinks) > _MOST_KINKS:
        raise refuse(f"has {len(activation.kinks)} kinks, more than {_MOST_KINKS}, for the noise of its batches")
    star, rough = np.array(b_star), _rough_places(activation)
    trial = [math.sin(angle) for angle in (-1.5, -0.4, 0.9, 1.55)]
    for panels, finer in pairwise(_PANELS):
        coarse = _angles(activation, rough, star, noise, trial, panels, _NEARER)
        fine = _angles(activation, rough, star, noise, trial, finer)
        scale = np.abs(fine).max(axis=1, keepdims=True)
        change = np.abs(coarse - fine) / np.maximum(scale, 1e-300)
        if (change <= _CLOSE).all():
            break
        if not (change <= _HOPELESS).all():
            raise refuse("grows too fast for the fourth moments of the noise of its batches")
    else:
        raise refuse("varies too fast for the fourth moments of the noise of its batches")
    for degree in _DEGREES:
        series = _interpolated(
            lambda t: _angles(activation, rough, star, noise, np.sin(t * math.pi / 2), panels), degree + 1
        )
        share = np.abs(series) / np.maximum(np.abs(series).sum(axis=1, keepdims=True), 1e-300)
        if (share[:, -4:] <= _CLOSE).all():
            # the last coefficients are rounding
            kept = int(np.flatnonzero((share > _ROUNDING).any(axis=0))[-1]) + 1
            return BatchNoise(series[:, :kept], float(series[6].sum()))
    raise refuse("has noise of its batches that varies too fast with R")


def _interpolated(functions: Callable[[FloatArray], FloatArray], length: int) -> FloatArray:
    from numpy.polynomial.chebyshev import chebpts1, chebvander

    t = chebpts1(length)
    values = functions(t)
    series = values @ chebvander(t, length - 1) * (2.0 / length)
    series[:, 0] /= 2.0
    return np.asarray(series)


def _assembled(
    teacher: FloatArray, noise: float, weight: FloatArray, s: FloatArray, mu: FloatArray, psi: FloatArray
) -> FloatArray:
    """Return the seven functions from the means over x, shape (R, z), and the teacher and the weights at the z."""
    powers = np.array([(teacher**2 + noise**2) + 0.0 * s, -2.0 * teacher * s, s**2])
    return np.concatenate([(powers * psi) @ weight, (powers * mu**2) @ weight, [mu**2 @ weight]])


def _rough_places(activation: ExactActivation) -> FloatArray:
    """Return where panels have to end that resolve the slope of the activation."""

    def refuse(rule: str, way_out: str) -> InputError:
        return InputError("activation", activation.text, f"has a slope that {rule}", way_out)

    slope = project(lambda x: evaluate(activation.slope, {"x": x}), 0, activation.kinks, refuse)
    return np.union1d(slope.fine_edges(), activation.kinks)


def _angles(
    activation: ExactActivation,
    rough: FloatArray,
    star: FloatArray,
    noise: float,
    R: Iterable[float],
    panels: int,
    far: float = _FAR,
) -> FloatArray:
    """Return the seven functions at alignments, shape (7, len(R))."""
    return np.stack([_quadrature(activation, rough, star, noise, float(v), panels, far) for v in R], axis=1)


def _quadrature(
    activation: ExactActivation, rough: FloatArray, star: FloatArray, noise: float, R: float, panels: int, far: float
) -> FloatArray:
    c = math.sqrt((1.0 - R) * (1.0 + R))
    base = np.linspace(-far, far, panels + 1)
    places = np.array(activation.kinks)
    near = c * np.concatenate((-_STEPS, _STEPS))
    beside = np.concatenate(((places[:, None] + near).ravel(), rough)) / (R if abs(R) > _LEVEL else _LEVEL)
    z, weight = _normal(np.unique(np.concatenate((base, np.clip(beside, -far, far))))[None])
    z, weight = z[0], weight[0]
    y = R * z[:, None]
    cuts = np.clip((rough - y) / c, -far, far)
    x, share = _normal(np.sort(np.concatenate((np.broadcast_to(base, (len(z), len(base))), cuts), axis=1), axis=1))
    value, slope = activation(y + c * x)
    s, mu, psi = ((v * share).sum(axis=1) for v in (value, slope, slope**2))
    teacher = hermite_table(z, len(star) + 1)[:, 1:] @ star
    return _assembled(teacher, noise, weight, s[None], mu[None], psi[None])[:, 0]


def _normal(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes between the edges of each row, and their weights under the normal density."""
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    half = np.diff(edges)[..., None] / 2.0
    x = edges[:, :-1, None] + half * (1.0 + nodes)
    density = half * weights * np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return x.reshape(len(edges), -1), density.reshape(len(edges), -1)


def hermite_table(x: FloatArray, count: int) -> FloatArray:
    """Return normalised Hermite polynomials h_0, ..., h_(count-1) at points, a row each."""
    table = np.ones((len(x), count))
    for k in range(1, count):
        before = table[:, k - 2] if k > 1 else 0.0
        table[:, k] = (x * table[:, k - 1] - math.sqrt(k - 1.0) * before) / math.sqrt(k)
    return table
