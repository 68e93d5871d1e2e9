"""How fast neurons that are nearly equal become unequal: at infinite width, and at finite width."""

from __future__ import annotations

import numpy as np

from fastslow.errors import InputError
from fastslow.ode.simulation import Simulation
from fastslow.ode.solution import FloatArray
from fastslow.sgd.finite_width import Course, FiniteWidth
from fastslow.sgd.network import Network
from fastslow.systems.two_layer import TwoLayer

_LEAST = 3
"""Neurons: the spread of fewer is fixed by its sums being zero."""
_TINY = 1e-300
_SMALL = 0.25
"""Norm below which Taylor's series of order 9 is exact to rounding."""


def transverse_rate(model: TwoLayer, R: FloatArray, a: FloatArray) -> FloatArray:
    """Return mu_perp, the rate at which one neuron leaves the others, at states of the two-variable system."""
    from numpy.polynomial.polynomial import polyder, polyval

    y = np.array([0.0, *map(float, model.t)])
    first, second = (polyval(R**2, polyder(y, k)) for k in (1, 2))
    tilt = -2.0 * R * a * (model.S(R, 1) - a * R * first)
    return np.asarray(tilt + a * (1.0 - R**2) * (model.S(R, 2) - a * R**2 * second))


def transverse_growth(model: TwoLayer, orbit: Simulation) -> FloatArray:
    """Return int_0^tau mu_perp at the times of a solution that begins at 0, by the trapezoidal rule."""
    rate = transverse_rate(model, orbit.x, orbit.y)
    return np.append(0.0, np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(orbit.t)))


def spread_growth(network: FiniteWidth, course: Course) -> FloatArray:
    """Return the log of the factor by which the spread of the R_i has grown, at the times of a finite-width course.

    Equation (16) linearised at equal neurons, R_i = R + r_i, a_i = a + alpha_i, Q_ij = Q + p_i + p_j with sums zero,
    is a linear system in (r, p, alpha) for each neuron. Random directions begin with r^2 = 1/d, p^2 = 1/(d (m - 2)),
    alpha = 0. For m to infinity and p = R r the rate is mu_perp, but for what alpha adds.

    Parameters
    ----------
    network : FiniteWidth
        The network, of width 3 at least.
    course : Course
        A solution of it from the start, on a grid fine enough for a midpoint rule.

    Returns
    -------
    ndarray, shape (T,)
        Zero at the start; neurons part where it is (1/2) ln d.

    Examples
    --------
    >>> import fastslow as fs
    >>> network = fs.finite_width("fig7", m=50)
    >>> bool(spread_growth(network, network.solve(1, np.linspace(0, 5, 500)))[-1] < -3)     # neurons become alike
    True
    """
    if network.m < _LEAST:
        raise InputError("m", network.m, "has no spread of its own", f"Take at least {_LEAST} neurons")
    R, Q, a = (0.5 * (v[1:] + v[:-1]) for v in (course.R, course.Q, course.a))
    steps = _exponentials(np.diff(course.tau)[:, None, None] * _neuron_rates(network, R, Q, a))
    now = np.diag([1.0, 1.0 / np.sqrt(network.m - 2.0), 0.0])
    growth, scale = np.zeros(len(course.tau)), 0.0
    for k, step in enumerate(steps, start=1):
        with np.errstate(over="ignore", invalid="ignore"):
            now = step @ now
        size = float(np.abs(now).max()) + _TINY
        if not np.isfinite(size):
            growth[k:] = np.inf  # beyond doubles in one step
            break
        now, scale = now / size, scale + np.log(size)
        growth[k] = scale + np.log(np.hypot(now[0, 0], now[0, 1]) + _TINY)
    return growth


def _exponentials(matrices: FloatArray) -> FloatArray:
    """Return the exponentials of many small matrices, by Taylor's series of order 9 with scaling and squaring."""
    with np.errstate(over="ignore", invalid="ignore"):
        largest = float(np.abs(matrices).sum(axis=2).max(initial=0.0))
        halvings = max(int(np.ceil(np.log2(max(largest, _TINY) / _SMALL))), 0)
        scaled = matrices / 2.0**halvings
        unit = np.eye(matrices.shape[1])
        result = unit + scaled / 9.0
        for k in range(8, 0, -1):
            result = unit + scaled @ result / k
        for _ in range(halvings):
            result = result @ result
    return np.asarray(result)


def _neuron_rates(network: FiniteWidth, R: FloatArray, Q: FloatArray, a: FloatArray) -> FloatArray:
    """Return the matrices of the linear system in (r, p, alpha), shape (T, 3, 3)."""
    from numpy.polynomial.polynomial import polyder, polyval

    model, m = network.system, network.m
    y = np.append(0.0, Network.of(model).b ** 2)
    Y, Y1, Y2 = (polyval(Q, polyder(y, k)) for k in range(3))
    S1, S2 = model.S(R, 1), model.S(R, 2)
    rate, own = float(model.slow_rate), float(y.sum())
    some = (m - 2.0) / m
    matrix = np.empty((len(R), 3, 3))
    matrix[:, 0, 0] = a * (S2 * (1 - R**2) - 2 * R * S1) + a**2 * Y1 * (1 + (m - 1) * Q) / m
    matrix[:, 0, 1] = -(a**2) * some * R * (Y2 * (1 - Q) - Y1)
    matrix[:, 0, 2] = S1 * (1 - R**2) - a * some * Y1 * (1 - Q) * R
    matrix[:, 1, 0] = a * (1 - Q) * (S2 * R + S1)
    own_pairs = 2 * (Y2 * (1 - Q**2) - 2 * Y1 * Q)
    matrix[:, 1, 1] = (
        -2 * a * S1 * R
        - a**2 / m * (own_pairs + (m - 4) * Y2 * Q * (1 - Q) + Y1 * ((m - 4) * (1 - Q) - 2 * (m - 2) * Q))
    )  # fmt: skip
    matrix[:, 1, 2] = (
        S1 * R * (1 - Q)
        - a / m * Y1 * (2 * (1 - Q**2) + (m - 4) * Q * (1 - Q))
    )  # fmt: skip
    matrix[:, 2, 0] = rate * S1
    matrix[:, 2, 1] = -rate * a * some * Y1
    matrix[:, 2, 2] = -rate * (own - Y) / m
    return matrix
