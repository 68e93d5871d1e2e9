"""Infinitely many neurons with any law of initial overlaps: equation (16) as transport, by characteristics."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from fastslow.errors import InputError
from fastslow.ode.solution import FloatArray
from fastslow.sgd.network import Network
from fastslow.sgd.neurons import sampled, scales_of, times_of
from fastslow.systems.presets import network_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

_MOST_NODES = 5000


@dataclass(frozen=True, eq=False)
class MeanFieldRun:
    """A solution of the mean-field equation, as the nodes that carry its law.

    Attributes
    ----------
    tau : ndarray, shape (T,)
        Times; fewer than asked for where the run was given up, as `sentence` says.
    weights : ndarray, shape (N,)
        Share of the neurons that each node stands for.
    R, a : ndarray, shape (T, N)
        Alignment and second layer of each node.
    x : ndarray, shape (N, 1 + r)
        Coordinates of the nodes at the last time; the first is R.
    loss : ndarray, shape (T,)
        Test loss.
    done : bool
        Whether the last time was reached.
    sentence : str
        How it ended.
    """

    tau: FloatArray
    weights: FloatArray = field(repr=False)
    R: FloatArray = field(repr=False)
    a: FloatArray = field(repr=False)
    x: FloatArray = field(repr=False)
    loss: FloatArray = field(repr=False)
    done: bool
    sentence: str

    @property
    def R_mean(self) -> FloatArray:
        """Mean alignment, shape (T,)."""
        return np.asarray(self.R @ self.weights)

    @property
    def a_mean(self) -> FloatArray:
        """Mean second layer, shape (T,)."""
        return np.asarray(self.a @ self.weights)

    @property
    def R_std(self) -> FloatArray:
        """Standard deviation of the alignments over neurons, shape (T,)."""
        return np.sqrt(np.maximum(self.R**2 @ self.weights - self.R_mean**2, 0.0))


def mean_field(
    system: FastSlowSystem | str,
    a0: ArrayLike,
    times: ArrayLike,
    *,
    overlaps: ArrayLike,
    weights: ArrayLike | None = None,
    rtol: float = 1e-8,
) -> MeanFieldRun:
    r"""Integrate the mean field of equation (16): m -> infinity for any law of the neurons' initial overlaps.

    A neuron is (x, a): x the coordinates of its direction along the teacher, x_0 = R, and along r further directions
    that neurons may share; the rest of it, of length sqrt(1 - \|x\|^2), is orthogonal to that of all others, so that
    the overlap of two neurons is x . x'. Their law mu solves the transport equation d mu/dtau + div(mu v) = 0 with

        dx/dtau = a (S'(R) (e_0 - R x) - int a' Y'(x . x') (x' - (x . x') x) dmu(x', a'))
        da/dtau = slow_rate (S(R) - int a' Y(x . x') dmu(x', a')).

    Its characteristics are followed from the nodes of a quadrature, which carry their weights: exact for a law that is
    a sum of such points, and as good as the quadrature is for any other. The overlaps of neurons with one common law
    and no shared direction are Q_ij = R_i R_j; all of them equal is the two-variable system.

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    a0 : float or array_like, shape (N,)
        Second layer at the start.
    times : array_like, shape (T,)
        Increasing times from 0 on.
    overlaps : array_like, shape (N,) or (N, 1 + r)
        R of each node at the start, or all its coordinates, \|x\| <= 1.
    weights : array_like, shape (N,), optional
        Positive; they are divided by their sum. Equal unless given.
    rtol : float
        Tolerance of the explicit method (Dormand and Prince, order 8).

    Returns
    -------
    MeanFieldRun
        A step costs some N^2 operations.

    References
    ----------
    arXiv:2602.07378, equation (16), where S and Y lack k!. S. Mei, A. Montanari, P.-M. Nguyen, PNAS 115 (2018).

    Examples
    --------
    >>> import fastslow as fs
    >>> law = fs.gaussian_overlaps(10**4)
    >>> run = fs.mean_field("fig3-left", 4, [0, 0.05, 0.2], overlaps=law[0], weights=law[1])
    >>> [round(float(v), 3) for v in run.R_std]
    [0.01, 0.337, 0.442]
    """
    model = network_of(system)
    x = _coordinates(overlaps)
    count, width = x.shape
    a = scales_of(a0, count, "nodes")
    p = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if p.shape != (count,) or not np.isfinite(p).all() or not (p > 0.0).all():
        raise InputError("weights", weights, f"must be {count} positive numbers, one for each node", "Leave them out")
    wanted = times_of(times)
    right = _Field(model, p / p.sum(), width)
    start = np.concatenate((a, x.ravel()))
    rows, sentence = sampled(right, start, wanted, rtol)
    states = [right.parts(row) for row in rows] or [right.parts(start)][:0]
    return MeanFieldRun(
        wanted[: len(rows)],
        right.weights,
        np.array([y[:, 0] for _, y in states]).reshape(len(rows), count),
        np.array([b for b, _ in states]).reshape(len(rows), count),
        states[-1][1] if states else x,
        np.array([right.loss(b, y) for b, y in states]),
        len(rows) == len(wanted),
        sentence,
    )


def gaussian_overlaps(d: float, nodes: int = 32) -> tuple[FloatArray, FloatArray]:
    """Return (R, weights) of random directions in d dimensions: a normal law of variance 1/d, by Gauss-Hermite nodes.

    Nodes beyond |R| = 1, of small d, are moved there.
    """
    from scipy.special import roots_hermitenorm

    if isinstance(d, bool) or not d >= 1.0:
        raise InputError("d", d, "must be at least 1", "For example 10**4")
    if isinstance(nodes, bool) or not isinstance(nodes, int) or not 1 <= nodes <= _MOST_NODES:
        raise InputError("nodes", nodes, f"must be a whole number from 1 to {_MOST_NODES}", "For example 32")
    z, weight = roots_hermitenorm(nodes)
    kept = weight > 1e-300
    return np.clip(z[kept] / np.sqrt(d), -1.0, 1.0), weight[kept] / weight.sum()


class _Field:
    """The velocity of the nodes."""

    def __init__(self, model: TwoLayer, weights: FloatArray, width: int) -> None:
        self.model, self.weights, self.width, self.calls = model, weights, width, 0
        self.rate = float(model.slow_rate)
        self.y = np.append(0.0, Network.of(model).b ** 2)
        self.slope = np.polynomial.polynomial.polyder(self.y)

    def parts(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return a and x."""
        count = len(self.weights)
        return state[:count], state[count:].reshape(count, self.width)

    def __call__(self, tau: float, state: FloatArray) -> FloatArray:
        """Return the derivative of the state."""
        from numpy.polynomial.polynomial import polyval

        self.calls += 1
        a, x = self.parts(state)
        overlap, share = x @ x.T, self.weights * a
        pull = self.model.S(x[:, 0], 1)
        push = polyval(overlap, self.slope) * share
        inward = (push * overlap).sum(axis=1) - pull * x[:, 0]
        velocity = inward[:, None] * x - push @ x
        velocity[:, 0] += pull
        da = self.rate * (self.model.S(x[:, 0]) - polyval(overlap, self.y) @ share)
        return np.concatenate((da, (a[:, None] * velocity).ravel()))

    def loss(self, a: FloatArray, x: FloatArray) -> float:
        """Return the test loss (1/2)(|sigma*|^2 - 2 int a S + int int a a' Y) + (1/2) noise^2."""
        from numpy.polynomial.polynomial import polyval

        share = self.weights * a
        constant = float(self.model.teacher_norm + self.model.noise**2)
        return float(0.5 * (constant - 2.0 * share @ self.model.S(x[:, 0]) + share @ polyval(x @ x.T, self.y) @ share))


def _coordinates(overlaps: ArrayLike) -> FloatArray:
    x = np.asarray(overlaps, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    rule, way_out = "must be the coordinates of some nodes, a row each, no longer than 1", "For example [0.1, -0.1]"
    if x.ndim != 2 or not 1 <= len(x) <= _MOST_NODES or x.shape[1] < 1:
        raise InputError("overlaps", f"an array of shape {x.shape}", rule, way_out)
    if not np.isfinite(x).all() or ((x**2).sum(axis=1) > 1.0 + 1e-12).any():
        raise InputError("overlaps", f"{len(x)} nodes", rule, way_out)
    return x
