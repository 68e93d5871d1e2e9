"""The network as SGD sees it: activation, teacher, one batch's residuals, and the exact loss of a Gram matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.core.hermite import GROUP, residuals, series_at
from fastslow.sgd.exact_activation import ExactActivation
from fastslow.systems.two_layer import TwoLayer

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """Coefficients of a student and its teacher.

    Attributes
    ----------
    b, b_star : ndarray
        Normalised Hermite coefficients b_k = c_k sqrt(k!), k = 1, 2, ..., of the activation and of the teacher's
        link, without zeros at their ends.
    noise : float
        Standard deviation of the label noise.
    slow_rate : float
        Factor of the step of the second layer, 1 in the paper.
    exact : ExactActivation or None
        The activation itself, which then takes the place of its series b.
    """

    b: FloatArray
    b_star: FloatArray
    noise: float
    slow_rate: float
    exact: ExactActivation | None = None

    @classmethod
    def of(cls, system: TwoLayer, exact_activation: bool = False) -> Network:
        """Return the network of a model, with the series of its activation or the activation itself."""
        own, star = (_normalised(c, system.normalised) for c in (system.c, system.c_star))
        exact = ExactActivation.of(system) if exact_activation else None
        return cls(own, star, float(system.noise), float(system.slow_rate), exact)

    def table(self, kind: str) -> NDArray[Any]:
        """Return what the kernel of the activation wants, in a precision."""
        k = np.arange(1.0, len(self.b) + 1.0)
        return np.array([1.0 / np.sqrt(k), np.sqrt((k - 1.0) / k), self.b, self.b * np.sqrt(k)]).astype(kind)

    def test_loss(self, gram: FloatArray, a: FloatArray) -> float:
        """Return E = (1/2) E_x[(sigma*(u_0) - (1/m) sum_i a_i sigma(u_i))^2] + (1/2) noise^2 for u ~ N(0, gram).

        With unit diagonal and correlations R_i with the teacher, Q_ij among students that is
        (1/2)(|sigma*|^2 - (2/m) sum_i a_i S(R_i) + (1/m^2) sum_ij a_i a_j Y(Q_ij)) + (1/2) noise^2. For any
        variances s^2 it uses h_k(s z) = sum_j sqrt(k!/l!) / (2^j j!) s^l (s^2 - 1)^j h_l(z), l = k - 2j. Of an exact
        activation Y is its dual where that is known in closed form (relu, erf, sin, ...); else the orders beyond 100
        enter at Q = 1 only: between two students they are at most tail^2 |Q|^101.

        Parameters
        ----------
        gram : ndarray, shape (m + 1, m + 1)
            <w_i, w_j>/d, index 0 the teacher's.
        a : ndarray, shape (m,)
            Second layer.
        """
        variance = np.diag(gram)
        scale = np.sqrt(variance)
        total, student, share, dual = 0.0, self.b, -a / len(a), None
        if self.exact is not None:
            student, rest = self.exact.moments(variance[1:])
            dual = self.exact.dual(gram[1:, 1:], student[0])
            total = float(rest @ share**2) if dual is None else float(share @ dual @ share)
        size = max(len(student), len(self.b_star))
        weighted = np.zeros((size + 1, len(scale)))
        weighted[:, 0] = _rescaled(self.b_star, variance[:1], size)[:, 0]
        if self.exact is None:
            weighted[:, 1:] = _rescaled(student, variance[1:], size) * share
        else:
            weighted[: len(student), 1:] = student * share
        correlation = gram / np.outer(scale, scale)
        power = np.ones_like(correlation)
        if dual is not None:
            correlation[1:, 1:] = power[1:, 1:] = 0.0
        for row in weighted:
            total += float(row @ (power @ row))
            power *= correlation
        return 0.5 * (total + self.noise**2)


def _normalised(c: Sequence[Fraction], already: bool) -> FloatArray:
    """Return the doubles c_k sqrt(k!); by logarithms, as k! may be beyond them."""
    values = [
        math.copysign(math.exp(math.log(abs(v)) + (0.0 if already else 0.5 * math.lgamma(k + 1.0))), v) if v else 0.0
        for k, v in enumerate(c, start=1)
    ]
    return np.trim_zeros(np.array(values), "b")


def _rescaled(b: FloatArray, variance: FloatArray, size: int) -> FloatArray:
    """Return the coefficients of sum_k b_k h_k(s z) in h_0(z), ..., h_size(z), a column a variance s^2."""
    out = np.zeros((size + 1, len(variance)))
    excess, scale = variance - 1.0, np.sqrt(variance)
    for order in range(size + 1):
        for j in range((len(b) - order) // 2 + 1):
            k = order + 2 * j
            if 1 <= k <= len(b) and b[k - 1] != 0.0:
                log = 0.5 * (math.lgamma(k + 1.0) - math.lgamma(order + 1.0)) - math.lgamma(j + 1.0) - j * math.log(2.0)
                out[order] += b[k - 1] * math.exp(log) * excess**j
        out[order] *= scale**order
    return out


class Batch:
    """Residuals of batches and the gradient of the second layer, summed over the blocks of a batch."""

    def __init__(self, network: Network, m: int, kind: str) -> None:
        self.network, self.kind = network, kind
        self._table = network.table(kind)
        self._a: NDArray[Any] = np.zeros(m + 1, kind)
        self.gradient, self.loss = np.zeros(m), 0.0

    def begin(self, a: FloatArray) -> None:
        """Begin a batch at a second layer."""
        self._a[1:] = a
        self.gradient, self.loss = np.zeros(len(a)), 0.0

    def add(self, pre: NDArray[Any], noise: FloatArray) -> None:
        """Replace pre-activations (samples, m + 1) by l_si = r_s a_i sigma'(u_si), a zero in the teacher's column."""
        if self.network.exact is not None:
            self._add_exact(self.network.exact, pre, noise)
            return
        groups = -(-len(pre) // GROUP)
        gradients, losses = np.empty((groups, pre.shape[1]), self.kind), np.empty(groups)
        residuals(pre, noise, self._a, self._table, self.network.b_star, gradients, losses)
        self.gradient += gradients[:, 1:].sum(axis=0, dtype=np.float64)
        self.loss += float(losses.sum())

    def _add_exact(self, activation: ExactActivation, pre: NDArray[Any], noise: FloatArray) -> None:
        """Do the same with the activation itself, in double precision."""
        a, star = self._a[1:].astype(np.float64), self.network.b_star
        value, slope = activation(pre[:, 1:].astype(np.float64))
        teacher = series_at(star, pre[:, 0].astype(np.float64))
        residual = teacher + noise - value @ a / len(a)
        self.gradient += residual @ value
        self.loss += float(residual @ residual)
        pre[:, 0] = 0.0
        pre[:, 1:] = residual[:, np.newaxis] * a * slope
