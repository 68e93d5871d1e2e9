"""Networks of finite width and batch in three variables: the levels between two variables and SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastslow.errors import InputError
from fastslow.ode.integrate import integrate
from fastslow.ode.solution import FloatArray, Limits, Status
from fastslow.sgd.batch_noise import BatchNoise, batch_noise, hermite_table
from fastslow.sgd.exact_activation import ExactActivation
from fastslow.sgd.network import Network
from fastslow.systems.presets import network_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

_PIECE = 100_000
"""Steps of a map between two chances for Ctrl-C."""
_MOST_STEPS = 10**9
_LONGEST = 1e12
_MOST_REST_STEPS = 50_000
"""Steps to a time and to its double in which an orbit is given up that does not come to rest."""
_CLOSE = 1e-7
"""A Newton step this small, relative, from an attracting equilibrium counts as rest."""
_LEAST_SHARE, _LEAST_MOVE, _COARSE_MOVE = 1e-6, 1e-7, 1e-3
_FALL = 0.5
"""An equilibrium whose |R| falls below this share of its value while the width grows goes to R = 0."""


FINITE_SIZE = "finite-size state"
"""The verdict on an equilibrium that noise or self-interaction make, and that infinite width has not."""


@dataclass(frozen=True, eq=False)
class Course:
    """Times and states (R, Q, a) of the three-variable system, and how it ended."""

    tau: FloatArray
    R: FloatArray
    Q: FloatArray
    a: FloatArray
    done: bool
    sentence: str


@dataclass(frozen=True)
class Rest:
    """Where a network of finite width comes to rest.

    Attributes
    ----------
    R, Q, a : float
        The state, at rest where `settled`.
    settled : bool
        Whether it is an equilibrium with eigenvalues in the left half-plane.
    verdict : str
        "learning" or "unlearning": what becomes of the equilibrium as width and batch grow together to infinity,
        R -> 0 with |a| -> infinity being unlearning. "finite-size state" where it ends at a fold before, so that
        infinite width knows nothing of it; "undecided: ..." where it does not come to rest.
    eigenvalues : tuple of complex
        Of the linearisation there.
    tau : float
        How long it was followed.
    """

    R: float
    Q: float
    a: float
    settled: bool
    verdict: str
    eigenvalues: tuple[complex, ...]
    tau: float


@dataclass(eq=False)
class FiniteWidth:
    r"""The symmetric network of width m with batches of delta d samples, d -> infinity, in the variables (R, Q, a).

    dR/dtau = a(1-R^2)S' - a^2(1-1/m)(1-Q)R Y'(Q) - (gamma/2 m delta) D1 R
    dQ/dtau = 2aR(1-Q)S' - (2a^2/m)(1-Q)Y'(Q)[1+(m-1)Q] + (gamma/m delta)(D2 - D1 Q)
    da/dtau = slow_rate (S - a[(1-1/m)Y(Q) + Y(1)/m])

    with D1 = a^2 E[rho psi] and D2 = a^2 E[rho mu^2] (``fastslow.core.finite_width``), by quadrature. For m and
    batch to infinity Q = R^2 and (R, a) is the two-variable system; errors of that are of order 1/m and gamma/(m
    delta).

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    m : float
        Width, at least 1; infinity leaves out what is of order 1/m.
    gamma : float
        Learning rate; 0 leaves out the noise of the batches.
    delta : float
        Samples of a batch per dimension, n/d.
    exact_activation : bool, optional
        Whether the noise is that of the activation itself, as in SGD with `exact_activation`, and not of its Hermite
        series, which S and Y are always those of. By default it is where the model knows the formula.

    References
    ----------
    arXiv:2602.07378, equations (8) and (16) with equal neurons; the terms of the noise are not in the paper.
    """

    system: TwoLayer = field(repr=False)
    m: float
    gamma: float = 0.0
    delta: float = 1.0
    exact_activation: bool | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least, open_ in (("m", 1.0, False), ("gamma", 0.0, False), ("delta", 0.0, True)):
            value = getattr(self, name)
            right = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not right or not (value > least or (value == least and not open_)):
                rule = f"must be {'above' if open_ else 'at least'} {least:g}"
                raise InputError(name, value, rule, "For example 1")
        if math.isinf(self.gamma):
            raise InputError("gamma", self.gamma, "must be finite", "The paper's learning rate is 1")

    @cached_property
    def network(self) -> Network:
        """Coefficients of student and teacher."""
        return Network.of(self.system)

    @cached_property
    def parameters(self) -> FloatArray:
        """Parameters of ``fastslow.core.finite_width.finite_width_field``."""
        return self._packed(len(self.network.b))

    @cached_property
    def activation(self) -> ExactActivation | None:
        """The activation whose noise this is, None where it is that of the Hermite series."""
        if self.exact_activation is None:
            return ExactActivation.where_known(self.system)
        return ExactActivation.of(self.system) if self.exact_activation else None

    @cached_property
    def noise(self) -> BatchNoise | None:
        """The noise of the batches of that activation, None where it is that of the series or zero."""
        activation = self.activation if self.gamma > 0.0 else None
        return None if activation is None else batch_noise(activation, self.network)

    def with_noise_of(self, order: int) -> FiniteWidth:
        """Return the system whose noise is that of the Hermite series cut at a lower order.

        A series converges in the mean square, its fourth moments need not; see `fastslow.sgd.batch_noise`. A network
        that is trained with a long one rarely meets the samples that make them.
        """
        other = replace(self, exact_activation=False)
        other.parameters = other._packed(order)
        return other

    def _packed(self, noise_order: int) -> FloatArray:
        net, noise = self.network, self.noise
        b, star = net.b, net.b_star
        order = len(b)
        common = np.zeros(order)
        common[: min(order, len(star))] = star[:order]
        curvature = np.zeros(order)  # b_(k+2) sqrt((k+1)(k+2)), the coefficient of sigma'' in h_k
        k = np.arange(1.0, order - 1.0)
        curvature[: order - 2] = b[2:] * np.sqrt((k + 1.0) * (k + 2.0))
        head = [1.0 / self.m, self.noise_rate, net.slow_rate, net.noise**2, order]
        middle = [b * common, b**2, common * curvature, b * curvature]
        if noise is not None:
            ends = [0.0, noise.series.shape[1], noise.steepness]
            return np.concatenate([head, ends, *middle, noise.series.ravel()])
        nodes, parts = _series_noise(b, star, noise_order)
        return np.concatenate([head, [nodes, 0.0, 0.0], *middle, *parts])

    @property
    def noise_rate(self) -> float:
        """The factor gamma/(m delta) of the noise; with infinite m there is none."""
        return self.gamma / (self.m * self.delta)

    @property
    def step_length(self) -> float:
        """Time gamma/m of one step of SGD."""
        return self.gamma / self.m

    def rates(self, u: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return d(R, Q, a)/dtau and its Jacobian at a state."""
        from fastslow.core.finite_width import finite_width_field

        du, jacobian = np.zeros(3), np.zeros((3, 3))
        finite_width_field(np.array(u, dtype=np.float64), self.parameters, du, jacobian, True)
        return du, jacobian

    def equilibrium_near(self, state: ArrayLike) -> FloatArray | None:
        """Return the equilibrium that Newton's method finds from a state, None where it does not converge."""
        return _newton(self, _state(state))

    def solve(self, start: ArrayLike, times: ArrayLike, *, rtol: float = 1e-9) -> Course:
        """Return the solution from (R, Q, a), or from (0, 0, a0) where one number is given, at times from 0 on.

        Errors are those of ``fastslow.integrate`` with `rtol`.
        """
        from fastslow.core.finite_width import finite_width_field

        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        run = integrate(
            finite_width_field, self.parameters, _state(start), (0.0, float(wanted[-1])), rtol=rtol, atol=1e-3 * rtol,
            output=wanted,
        )  # fmt: skip
        count = len(run.t)
        R, Q, a = run.u.T
        return Course(wanted[:count], R, Q, a, run.status is Status.DONE, run.sentence)

    def iterate(self, start: ArrayLike, step: ArrayLike, *, equation_8: bool = False) -> Course:
        """Return the mean of SGD with finite steps, tau = gamma/m each, at increasing numbers of steps.

        One step is exact for n, d -> infinity at fixed delta, but for errors of order 1/m in the noise terms; it has
        the paper's equation (8) as its leading part: with `equation_8` the step is that, u + (gamma/m) F(u) with
        neither 1/m nor noise in F.
        """
        from fastslow.core.finite_width import KAPPA, NU, iterate

        counts = np.atleast_1d(np.asarray(step, dtype=np.int64))
        if counts[-1] > _MOST_STEPS:
            raise InputError("steps", int(counts[-1]), f"are more than {_MOST_STEPS:g}", "Take fewer")
        p = self.parameters.copy()
        if equation_8:
            p[KAPPA] = p[NU] = 0.0
        u, rows, done = _state(start), np.empty((len(counts), 3)), 0
        ends = np.unique(np.append(np.arange(0, counts[-1], _PIECE), counts[-1] + 1))
        for end in ends:
            part = slice(int(np.searchsorted(counts, done)), int(np.searchsorted(counts, end)))
            stops = np.append(counts[part] - done, min(end, counts[-1]) - done)
            found = np.empty((len(stops), 3))
            iterate(u, p, self.step_length, equation_8, stops, found)
            rows[part], done = found[:-1], int(min(end, counts[-1]))
        finite = int(np.cumprod(np.isfinite(rows).all(axis=1)).sum())
        sentence = "Made all steps." if finite == len(rows) else f"Diverged before step {counts[finite]}."
        tau = np.asarray(self.step_length * counts[:finite], dtype=np.float64)
        R, Q, a = rows[:finite].T
        return Course(tau, R, Q, a, finite == len(rows), sentence)

    def rest(self, start: ArrayLike, *, rtol: float = 1e-9) -> Rest:
        """Return where the solution from a start comes to rest, and whether that is learning."""
        from fastslow.core.finite_width import finite_width_field

        u, tau, span, limits = _state(start), 0.0, 1.0, Limits(max_steps=_MOST_REST_STEPS)
        while tau < _LONGEST:
            run = integrate(
                finite_width_field, self.parameters, u, (0.0, span), rtol=rtol, atol=1e-3 * rtol, output="final",
                limits=limits,
            )  # fmt: skip
            u, tau = run.final_state, tau + run.final_time
            if run.status is not Status.DONE:
                return Rest(float(u[0]), float(u[1]), float(u[2]), False, f"undecided: {run.sentence}", (), tau)
            place = _newton(self, u)
            if place is not None and (np.abs(place - u) <= _CLOSE * (np.abs(u) + _CLOSE)).all():
                values = np.linalg.eigvals(self.rates(place)[1])
                if (values.real < 0.0).all():
                    eigenvalues = tuple(complex(v) for v in np.sort_complex(values))
                    return Rest(
                        float(place[0]), float(place[1]), float(place[2]), True, self.fate_of(place), eigenvalues, tau
                    )
            span *= 2.0
        return Rest(float(u[0]), float(u[1]), float(u[2]), False, "undecided: does not come to rest", (), tau)

    def fate_of(self, place: FloatArray) -> str:
        """Follow an equilibrium as 1/m and the noise go to zero together; say where it goes.

        In log |R|, log Q, log |a| against the log of the share that is left power laws are straight lines, which a
        secant predicts; a predictor that Newton's method cannot correct is tried shorter, and so is one from which it
        finds the other equilibrium of a fold, whose determinant has the other sign. A multiple equilibrium, such as a
        perfect copy of the teacher, has none but by rounding: it is followed without.
        """
        found = self._followed(place, _side(self, place), _LEAST_MOVE)
        return found if found != FINITE_SIZE else self._followed(place, 0, _COARSE_MOVE)

    def _followed(self, place: FloatArray, side: int, least: float) -> str:
        share, move, last = 1.0, 0.5, np.log(np.abs(place))
        now, slope = last, np.zeros(3)
        sign = np.array([math.copysign(1.0, place[0]), 1.0, math.copysign(1.0, place[2])])
        while share > _LEAST_SHARE:
            less = self.scaled(share * math.exp(-move), share * math.exp(-move))
            guess = sign * np.exp(now + slope * move)
            found = _newton(less, guess)
            moved = None if found is None or side * _side(less, found) < 0 else np.log(np.abs(found)) - now
            if found is None or moved is None or (found * sign <= 0.0).any() or np.abs(moved).max() > 0.5:
                move /= 2.0
                if move < least:
                    return FINITE_SIZE
                continue
            slope, now, share = moved / move, now + moved, share * math.exp(-move)
            move = min(1.5 * move, 1.0)
        return "unlearning" if now[0] < last[0] + math.log(_FALL) and now[2] > last[2] else "learning"

    def scaled(self, width: float, noise: float) -> FiniteWidth:
        """Return the system with its terms of order 1/m and those of the noise times a factor each."""
        from fastslow.core.finite_width import KAPPA, NU

        other = replace(self)
        other.noise, other.parameters = self.noise, self.parameters.copy()
        other.parameters[KAPPA] *= width
        other.parameters[NU] *= noise
        return other


def finite_width(
    system: FastSlowSystem | str,
    m: float,
    gamma: float = 0.0,
    delta: float = 1.0,
    *,
    exact_activation: bool | None = None,
) -> FiniteWidth:
    """Return the three-variable system of a network of width m; see `FiniteWidth`.

    Notes
    -----
    Where infinite width unlearns, a ~ (p K tau)^(1/p), a finite width ends at a ~ (m K / (Y(1) - c_1^2))^(1/p): the
    overlaps rest at Q = R^2 - 1/m, so that the linear part of Y feels no self-interaction.

    Examples
    --------
    >>> import fastslow as fs
    >>> end = fs.finite_width("fig6-right", m=10**12).rest(5)
    >>> print(end.verdict, round(end.a / (2e12 / 8) ** (1 / 3), 3))      # p = 3, K = 2, Y(1) - c_1^2 = 8
    unlearning 0.999
    """
    model = network_of(system)
    return FiniteWidth(model, m, gamma, delta, exact_activation)


def _state(start: ArrayLike) -> FloatArray:
    u: Any = np.array(start, dtype=np.float64)
    if u.shape == ():
        u = np.array([0.0, 0.0, float(u)])
    if u.shape != (3,) or not np.isfinite(u).all():
        raise InputError("start", start, "must be a0, or the three finite numbers R, Q, a", "For example 1")
    return np.ascontiguousarray(u)


def _side(system: FiniteWidth, place: Any) -> int:
    """Return the sign of the determinant at an equilibrium, which a fold changes; 0 where it is but rounding."""
    jacobian = system.rates(place)[1]
    value = float(np.linalg.det(jacobian))
    return 0 if abs(value) < 1e-12 * float(np.linalg.norm(jacobian, axis=1).prod()) else int(np.sign(value))


def _newton(system: FiniteWidth, start: FloatArray) -> FloatArray | None:
    """Return the equilibrium that Newton's method finds from a start, None where it does not converge."""
    u = start.copy()
    for _ in range(20):
        du, jacobian = system.rates(u)
        try:
            step = np.linalg.solve(jacobian, -du)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        u = u + step
        if (np.abs(step) <= 1e-12 * np.abs(u) + 1e-15).all():
            return u
    return None


def _series_noise(b: FloatArray, star: FloatArray, noise_order: int) -> tuple[int, list[FloatArray]]:
    """Return the number of nodes, and what the kernel wants of the noise of a Hermite series."""
    from scipy.special import roots_hermitenorm

    order = len(b)
    size = 2 * order - 1
    nodes = max(order, len(star)) + order
    z, weight = roots_hermitenorm(nodes)
    table = hermite_table(z, max(size, len(star) + 1))
    noisy = np.where(np.arange(order) < noise_order, b, 0.0)
    slope = table[:, :order] @ (noisy * np.sqrt(np.arange(1.0, order + 1.0)))
    weight = weight / weight.sum()
    squared = table[:, :size].T @ (weight * slope**2)  # sigma'^2 in h_0, ..., h_(2K-2)
    return nodes, [noisy, squared, table[:, 1 : len(star) + 1] @ star, weight, table[:, :size].ravel()]
