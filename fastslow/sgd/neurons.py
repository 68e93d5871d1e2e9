"""m neurons one by one in infinite dimension: equation (16), where neurons need not stay equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from fastslow.errors import InputError
from fastslow.ode.solution import FloatArray
from fastslow.sgd.network import Network
from fastslow.sgd.streams import Streams
from fastslow.systems.presets import network_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

_MOST_NEURONS = 2000
_MOST_CALLS = 200_000


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """A solution of equation (16) at given times.

    Attributes
    ----------
    tau : ndarray, shape (T,)
        Times; fewer than asked for where the run was given up, as `sentence` says.
    R, a : ndarray, shape (T, m)
        Alignment and second layer of each neuron.
    Q : ndarray, shape (m, m)
        Overlaps at the last time.
    Q_mean, Q_std : ndarray, shape (T,)
        Mean and standard deviation of the overlaps of different neurons; zero for one neuron.
    done : bool
        Whether the last time was reached.
    sentence : str
        How it ended.
    """

    tau: FloatArray
    R: FloatArray = field(repr=False)
    a: FloatArray = field(repr=False)
    Q: FloatArray = field(repr=False)
    Q_mean: FloatArray = field(repr=False)
    Q_std: FloatArray = field(repr=False)
    done: bool
    sentence: str


def random_overlaps(m: int, d: int, seed: int = 0) -> FloatArray:
    """Return the overlaps of the teacher and m neurons in random directions, as `simulate_neurons` takes them.

    Parameters
    ----------
    m : int
        Neurons.
    d : int
        Dimension of the input: overlaps of different directions are of size d^(-1/2).
    seed : int
        Seed of the random numbers.

    Returns
    -------
    ndarray, shape (m + 1, m + 1)
        The Gram matrix, teacher first, with unit diagonal.

    Examples
    --------
    >>> random_overlaps(3, 10**6).diagonal().round(12).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    for name, value in (("m", m), ("d", d)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(name, value, "must be a whole number from 1 on", "Neurons and dimensions are counted")
    factor = Streams(np.random.SeedSequence(seed)).wishart_factor(m + 1, d)
    gram = factor @ factor.T
    norm = np.sqrt(np.diag(gram))
    return np.asarray(gram / np.outer(norm, norm))


def simulate_neurons(
    system: FastSlowSystem | str,
    a0: ArrayLike,
    times: ArrayLike,
    *,
    overlaps: ArrayLike,
    rtol: float = 1e-8,
) -> NeuronRun:
    r"""Integrate the ODE of m neurons, the limit gamma -> 0, d -> infinity of SGD at finite width.

    With S(R) = sum_k k! c*_k c_k R^k and Y(q) = sum_k k! c_k^2 q^k,

        da_i/dtau = slow_rate (S(R_i) - (1/m) sum_j a_j Y(Q_ij))
        dR_i/dtau = a_i S'(R_i)(1 - R_i^2) - (a_i/m) sum_j a_j Y'(Q_ij)(R_j - Q_ij R_i)
        dQ_ij/dtau = a_i S'(R_i)(R_j - R_i Q_ij) - (a_i/m) sum_k a_k Y'(Q_ik)(Q_kj - Q_ik Q_ij) + (i <-> j)

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    a0 : float or array_like, shape (m,)
        Second layer at the start.
    times : array_like, shape (T,)
        Increasing times from 0 on.
    overlaps : array_like, shape (m + 1, m + 1)
        Correlations at the start, teacher first, with a unit diagonal: the identity for symmetric neurons in infinite
        dimension, or `random_overlaps(m, d)`.
    rtol : float
        Tolerance of the directions in one step of the explicit method (Dormand and Prince, order 8).

    Returns
    -------
    NeuronRun
        One step costs some 10 m^3 operations.

    References
    ----------
    arXiv:2602.07378, equation (16), where S and Y lack k!.
    """
    model = network_of(system)
    gram = _correlations(overlaps)
    m = len(gram) - 1
    a = scales_of(a0, m, "neurons")
    wanted = times_of(times)
    values, axes = np.linalg.eigh(gram)
    vectors = axes * np.sqrt(np.maximum(values, 0.0))
    right = _RightHandSide(model, vectors[0])
    start = np.concatenate((a, vectors[1:].ravel()))
    rows, sentence = sampled(right, start, wanted, rtol)
    R, overlap = map(np.array, zip(*(right.correlations(row)[1:] for row in rows), strict=True))
    pairs = overlap[:, *np.triu_indices(m, 1)] if m > 1 else np.zeros((len(rows), 1))
    return NeuronRun(
        wanted[: len(rows)],
        R,
        np.array([row[:m] for row in rows]),
        overlap[-1],
        pairs.mean(1),
        pairs.std(1),
        len(rows) == len(wanted),
        sentence,
    )


def scales_of(a0: ArrayLike, count: int, what: str) -> FloatArray:
    """Return the second layer at the start, one number for each of `count` neurons or nodes.

    Raises
    ------
    InputError
        If it is not finite, or of another number.
    """
    a = np.asarray(a0, dtype=np.float64)
    if a.shape not in {(), (count,)} or not np.isfinite(a).all():
        raise InputError("a0", a0, f"must be a finite number, or one for each of the {count} {what}", "For example 1")
    return np.broadcast_to(a, count)


def times_of(times: ArrayLike) -> FloatArray:
    """Return the times of a run as an array.

    Raises
    ------
    InputError
        If they do not increase from 0 or later.
    """
    wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if not np.isfinite(wanted).all() or wanted[0] < 0.0 or (np.diff(wanted) <= 0.0).any():
        raise InputError("times", times, "must be finite, increase and begin at 0 or later", "Sort them")
    return wanted


class CountedField(Protocol):
    """A right-hand side that counts its calls."""

    calls: int

    def __call__(self, tau: float, state: FloatArray) -> FloatArray:
        """Return the derivative of the state."""
        ...


def sampled(right: CountedField, start: FloatArray, wanted: FloatArray, rtol: float) -> tuple[list[FloatArray], str]:
    """Integrate from time 0 by the method of Dormand and Prince of order 8.

    Returns
    -------
    list of ndarray, str
        The states at the wanted times, fewer where the run was given up, and how it ended.
    """
    from scipy.integrate import DOP853

    solver = DOP853(right, 0.0, start, max(float(wanted[-1]), 1e-300), rtol=rtol, atol=1e-3 * rtol)
    rows = [solver.y] if wanted[0] == 0.0 else []
    while len(rows) < len(wanted):
        with np.errstate(over="ignore", invalid="ignore"):  # a trial step that is too long is made shorter
            message = solver.step() if right.calls < _MOST_CALLS else f"more than {_MOST_CALLS} evaluations"
        if solver.status == "failed" or message is not None:
            return rows, f"Given up at tau = {solver.t:g}: {message}."
        dense = solver.dense_output()
        while len(rows) < len(wanted) and wanted[len(rows)] <= solver.t:
            rows.append(dense(wanted[len(rows)]))
    return rows, "Reached the last time."


class _RightHandSide:
    """Equation (16) for directions in m + 1 dimensions, whose correlations are those of some vectors at all times.

    Integrated for R and Q themselves it can leave the matrices that are, by rounding, and then runs to infinity.
    """

    def __init__(self, model: TwoLayer, teacher: FloatArray) -> None:
        self.model, self.teacher, self.m, self.calls = model, teacher, len(teacher) - 1, 0
        self.rate = float(model.slow_rate)
        self.y = np.append(0.0, Network.of(model).b ** 2)
        self.y_slope = np.polynomial.polynomial.polyder(self.y)

    def correlations(self, state: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the unit directions, their alignments R and their overlaps Q."""
        vectors = state[self.m :].reshape(self.m, self.m + 1)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit, unit @ self.teacher, unit @ unit.T

    def __call__(self, tau: float, state: FloatArray) -> FloatArray:
        """Return the derivative of the state."""
        from numpy.polynomial.polynomial import polyval

        self.calls += 1
        a = state[: self.m]
        unit, R, Q = self.correlations(state)
        pull = a * self.model.S(R, 1)
        weight = np.outer(a, a) * polyval(Q, self.y_slope) / self.m
        inward = (weight * Q).sum(axis=1) - pull * R
        da = self.rate * (self.model.S(R) - polyval(Q, self.y) @ a / self.m)
        return np.concatenate((da, (np.outer(pull, self.teacher) - weight @ unit + inward[:, None] * unit).ravel()))


def _correlations(overlaps: Any) -> FloatArray:
    gram = np.asarray(overlaps, dtype=np.float64)
    rule = "must be a symmetric matrix of correlations, teacher first, with a unit diagonal"
    way_out = "For example np.eye(m + 1), or random_overlaps(m, d)"
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not 2 <= len(gram) <= _MOST_NEURONS + 1:
        raise InputError("overlaps", f"an array of shape {gram.shape}", rule, way_out)
    sound = np.isfinite(gram).all() and np.allclose(gram, gram.T) and np.allclose(np.diag(gram), 1.0)
    if not sound or np.linalg.eigvalsh(gram)[0] < -1e-9:
        raise InputError("overlaps", f"a matrix of size {len(gram)}", rule, way_out)
    return gram
