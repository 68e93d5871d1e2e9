"""The activation itself in place of its Hermite series: values and slopes of the formula, moments for the test loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.systems.activations import MOST_ORDERS, hermite_expansion
from fastslow.systems.expression_facts import kinks
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import Expression, derivative, evaluate
from fastslow.systems.gaussian_quadrature import Projection, hermite_functions, project
from fastslow.systems.hermite_forms import Dual, closed_dual
from fastslow.systems.two_layer import TwoLayer

FloatArray = NDArray[np.float64]

_SAME = 1e-6
"""Two calculations of b_1 that differ by more, in units of the norm, are of different functions."""


@dataclass(frozen=True, eq=False)
class ExactActivation:
    """A centred activation sigma(u) - E[sigma(z)], given by a formula that is evaluated and not expanded.

    Attributes
    ----------
    text : str
        The formula.
    sigma, slope : Expression
        The formula in x and its derivative.
    mean : float
        E[sigma(z)], which the model leaves out.
    nodes : Projection
        Nodes and weights that integrate it over the Gaussian, split at its kinks.
    kinks : tuple of float
        Where it has kinks.
    """

    text: str
    sigma: Expression
    slope: Expression
    mean: float
    nodes: Projection
    kinks: tuple[float, ...]

    @classmethod
    def of(cls, system: TwoLayer) -> ExactActivation:
        """Return the activation that a model was made from.

        Raises
        ------
        InputError
            If the model knows its coefficients only, or the formula jumps: SGD sees no slope there, the series one.
        """
        text = system.table().get("activation")
        if not isinstance(text, str):
            way_out = "Give the activation as text: --activation relu, or two_layer('relu', ...)"
            raise InputError("exact_activation", True, "the model has Hermite coefficients and no formula", way_out)
        return cls.of_text(text)

    @classmethod
    def where_known(cls, system: TwoLayer) -> ExactActivation | None:
        """Return the activation that a model was made from, None where its series is all that is known or all of it.

        That is so of coefficients, of a formula that jumps, and of a polynomial of no higher order.
        """
        text = system.table().get("activation")
        if not isinstance(text, str) or hermite_expansion(text, len(system.c)).tail == 0.0:
            return None
        try:
            return cls.of_text(text)
        except InputError:
            return None

    @classmethod
    def of_text(cls, text: str) -> ExactActivation:
        """Return the activation of a formula; see `of`."""
        return _read(text)

    def __call__(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the centred activation and its slope."""
        values = {"x": u}
        return evaluate(self.sigma, values) - self.mean, evaluate(self.slope, values)

    def moments(self, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the kernel of the activation wants, at pre-activations s z of variances s^2.

        Parameters
        ----------
        variance : ndarray, shape (m,)
            The variances.

        Returns
        -------
        b : ndarray, shape (101, m)
            b_k(s) = E[sigma(s z) h_k(z)], k = 0, ..., 100, of the centred activation.
        rest : ndarray, shape (m,)
            E[sigma(s z)^2] - sum_k b_k(s)^2, what the orders beyond add to the square.
        """
        different, place = np.unique(np.round(variance, 12), return_inverse=True)
        found = [self._unit if v == 1.0 else self._moments(float(np.sqrt(v))) for v in different]
        b, rest = (np.array([pair[i] for pair in found]) for i in (0, 1))
        return b[place].T, rest[place]

    def dual(self, gram: FloatArray, means: FloatArray) -> FloatArray | None:
        """Return E[sigma(u_i) sigma(u_j)] of the centred activation, u ~ N(0, gram), where it is known in closed form.

        Parameters
        ----------
        gram : ndarray, shape (m, m)
            The covariances.
        means : ndarray, shape (m,)
            E[sigma(u_i)] of the centred activation.
        """
        if self._dual is None:
            return None
        variance = np.diag(gram)
        # With s = sigma + mean: E[sigma_i sigma_j] = E[s_i s_j] - mean (E[s_i] + E[s_j]) + mean^2.
        shift = self.mean * (means[:, None] + means + self.mean)
        return np.asarray(self._dual(variance[:, None], variance[None, :], gram) - shift)

    @cached_property
    def _dual(self) -> Dual | None:
        return closed_dual(self.sigma)

    @cached_property
    def _unit(self) -> tuple[FloatArray, float]:
        return self._moments(1.0)

    def _moments(self, s: float) -> tuple[FloatArray, float]:
        x, weights = self.nodes.x, self.nodes.weights
        # In y = s z the nodes stay where they are, and the kinks between them.
        psi = hermite_functions(x / s, MOST_ORDERS)
        u = (evaluate(self.sigma, {"x": x}) - self.mean) * psi[0]
        b = psi @ (weights * u) / s
        return b, max(float(weights @ u**2) / s - float(b @ b), 0.0)


@lru_cache(maxsize=64)
def _read(text: str) -> ExactActivation:
    sigma = parse_expression(text, field="activation")

    def refuse(rule: str, way_out: str) -> InputError:
        return InputError("activation", text, rule, way_out)

    corners = kinks(sigma)
    nodes = project(lambda x: evaluate(sigma, {"x": x}), MOST_ORDERS, corners, refuse)
    slope = derivative(sigma, "x")
    # Stein's lemma, E[sigma'] = E[z sigma], holds where there is no jump.
    density = hermite_functions(nodes.x, 0)[0] ** 2
    steepness = float(nodes.weights @ (density * evaluate(slope, {"x": nodes.x})))
    if not abs(steepness - nodes.b[1]) <= _SAME * nodes.norm:
        rule = f"the activation {text} jumps, so that its slope trains another network than its series"
        raise InputError("exact_activation", True, rule, "Leave exact_activation (--exact-activation) out")
    return ExactActivation(text, sigma, slope, float(nodes.b[0]), nodes, corners)
