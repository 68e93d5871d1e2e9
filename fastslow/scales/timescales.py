"""Time scales along a solution of the full system: eigenvalues of the Jacobian, their averages, and the ansatz.

The ansatz is that of a fast variable and a slow one: the eigenvalues are apart and the eigenvector of the larger
one points along the fast axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.ode.paths import RTOL, Path, Piece, follow
from fastslow.systems.exact import Real
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

CLOSE_SCALES = 0.1
"""Ratio of the averaged eigenvalues up to which they count as apart."""
ALIGNED = 0.9
"""Averaged |v_f . e_fast| from which the fast direction counts as that of the fast variable."""

_SIDES = ((-1, 1), (-1, -1), (1, -1), (1, 1))
_ROOT_7 = math.sqrt(7.0)
_NODES = np.array([-1.0, *(sign * math.sqrt(1 / 3 + side * 2 * _ROOT_7 / 21) for sign, side in _SIDES), 1.0])
_WEIGHTS = np.array([1 / 15, *((14 - side * _ROOT_7) / 30 for _, side in _SIDES), 1 / 15])
"""Gauss and Lobatto's rule with six nodes. It has the ends, so that a jump close to one, where the eigenvalues
exchange their order, is not overlooked."""
_QUADRATURE_TOLERANCE, _MOST_HALVINGS = 1e-9, 30
_GROWTH, _LEAST_INTERVALS = 2, 1000
"""Intervals that are still open may be so many times the steps, and so many in any case."""


@dataclass(frozen=True)
class Eigen:
    """Eigenvalues of the Jacobian at points, by modulus, and the direction of the fast one.

    Attributes
    ----------
    fast, slow : ndarray of complex
        lambda_f and lambda_s with |lambda_f| >= |lambda_s|; conjugate where they are a complex pair.
    ratio : ndarray
        |lambda_s / lambda_f|, at most 1; 1 where both vanish.
    alignment : ndarray
        |v_f . e_fast| for the normalised eigenvector v_f of lambda_f; 1 where every direction is one.
    """

    fast: NDArray[np.complex128]
    slow: NDArray[np.complex128]
    ratio: NDArray[np.float64]
    alignment: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TimeScales:
    """Time scales along a solution over [0, T], in the fast time.

    Attributes
    ----------
    start : Start
        The exact start.
    t, x, y : ndarray
        Times and states, one for each accepted step.
    lambda_f, lambda_s : ndarray of complex
        Eigenvalues of the Jacobian of (f, slow_rate g), the larger modulus first.
    ratio, alignment : ndarray
        |lambda_s / lambda_f| and |v_f . e_fast| at each point.
    mean_fast, mean_slow, mean_alignment : float
        Averages over [0, T]: Lambda_f, Lambda_s and that of the alignment.
    error : float
        Estimated error of the quadrature: relative for the eigenvalues, absolute for the alignment. That of the
        solution comes to it; compare with another `rtol`.
    duration : float
        T, less than asked where the solution could not be followed that far.
    stopped : str
        Why it ended early, "" where it did not.
    system : FastSlowSystem
        The system that was followed.
    """

    start: Start
    t: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lambda_f: NDArray[np.complex128]
    lambda_s: NDArray[np.complex128]
    ratio: NDArray[np.float64]
    alignment: NDArray[np.float64]
    mean_fast: float
    mean_slow: float
    mean_alignment: float
    error: float
    duration: float
    stopped: str
    system: FastSlowSystem = field(repr=False)

    @property
    def epsilon(self) -> float:
        """Lambda_s / Lambda_f, the small parameter of the paper's singularly perturbed system (7)."""
        return self.mean_slow / self.mean_fast if self.mean_fast else 1.0

    @property
    def oscillating(self) -> NDArray[np.bool_]:
        """Where the eigenvalues are a complex pair, so that neither is the slow one."""
        return np.asarray(self.lambda_f.imag != 0.0)

    @property
    def energy(self) -> NDArray[np.float64] | None:
        """The energy of the model at each point, None where it has none."""
        return self.system.energy(self.x, self.y)

    @property
    def holds(self) -> bool:
        """Whether the ansatz holds on average: scales apart, and the fast direction that of the fast variable."""
        return self.epsilon <= CLOSE_SCALES and self.mean_alignment >= ALIGNED

    @property
    def worst(self) -> int:
        """Index of the point where the scales are closest."""
        return int(np.argmax(self.ratio))

    @property
    def verdict(self) -> str:
        """Whether the ansatz holds along this run and where it is worst, as a sentence."""
        fast, slow = self.system.fast[0], self.system.slow[0]
        averages = f"ε = Λ_s/Λ_f = {self.epsilon:.3g}, alignment {self.mean_alignment:.5g}, to τ = {self.duration:.6g}"
        if self.holds:
            head = f"{fast} is the fast variable and {slow} the slow one along this run: {averages}"
        elif self.mean_alignment < ALIGNED:
            head = f"{fast} is not the fast variable along this run, the fast direction is another: {averages}"
        else:
            head = f"the time scales of {fast} and {slow} are not apart along this run: {averages}"
        i, j = self.worst, int(np.argmin(self.alignment))
        closest = f"scales are closest at {self._place(i)}, |λ_s/λ_f| = {self.ratio[i]:.3g}"
        turned = f"the fast direction is farthest from {fast} at {self._place(j)}, alignment {self.alignment[j]:.3g}"
        pair = "; in part of the run the eigenvalues are a complex pair" if self.oscillating.any() else ""
        ended = f". {self.stopped}" if self.stopped else ""
        return f"{head}; {closest}; {turned}{pair}{ended}"

    def document(self) -> dict[str, Any]:
        """Return the averages and the worst places as plain data for JSON."""
        i, j = self.worst, int(np.argmin(self.alignment))
        places = {
            name: {
                "tau": float(self.t[k]),
                self.system.fast[0]: float(self.x[k]),
                self.system.slow[0]: float(self.y[k]),
            }
            for name, k in (("closest", i), ("least_aligned", j))
        }
        places["closest"]["ratio"] = float(self.ratio[i])
        places["least_aligned"]["alignment"] = float(self.alignment[j])
        return {
            "start": [float(self.start.fast), float(self.start.slow)],
            "tau": self.duration,
            "mean_fast": self.mean_fast,
            "mean_slow": self.mean_slow,
            "epsilon": self.epsilon,
            "mean_alignment": self.mean_alignment,
            "error": self.error,
            "holds": self.holds,
            "complex_pair": bool(self.oscillating.any()),
            "verdict": self.verdict,
            "stopped": self.stopped,
            **places,
        }

    def _place(self, i: int) -> str:
        names = f"({self.system.fast[0]}, {self.system.slow[0]})"
        return f"{names} = ({self.x[i]:.4g}, {self.y[i]:.4g}), τ = {self.t[i]:.3g}"


def eigen(system: FastSlowSystem, x: ArrayLike, y: ArrayLike) -> Eigen:
    """Return the eigenvalues of the Jacobian of (f, slow_rate g) at points, by modulus, and the fast direction.

    By modulus: ordered by value, the fast direction of an attracting arc would be called slow.
    The smaller one is the determinant over the larger one. Where the determinant cancels to less than rounding
    of its terms, as far out on a branch to infinity, it is no better than that: see ``branch_scales`` there.
    """
    x, y = np.atleast_1d(np.asarray(x, dtype=np.float64)), np.atleast_1d(np.asarray(y, dtype=np.float64))
    (a, b), (c, d) = system.jacobian(x, y)
    fast, slow = by_modulus(a + d, a * d - b * c)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(fast != 0.0, np.minimum(np.abs(slow) / np.abs(fast), 1.0), 1.0)
        # Two ways to write the eigenvector; the longer one is not the zero vector.
        along, across = np.abs(fast - d), np.abs(c)
        along_2, across_2 = np.abs(b), np.abs(fast - a)
        first = np.hypot(along, across) >= np.hypot(along_2, across_2)
        along, across = np.where(first, along, along_2), np.where(first, across, across_2)
        length = np.hypot(along, across)
        alignment = np.where(length > 0.0, along / length, 1.0)
    return Eigen(fast, slow, ratio, alignment)


def by_modulus(
    trace: NDArray[np.float64], determinant: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the eigenvalues of 2 x 2 matrices from trace and determinant, the one of larger modulus first."""
    half = 0.5 * trace
    root = np.sqrt((half**2 - determinant).astype(np.complex128))
    fast: NDArray[np.complex128] = np.asarray(half + np.where(half >= 0.0, root, -root), dtype=np.complex128)
    with np.errstate(divide="ignore", invalid="ignore"):
        slow = np.where(fast != 0.0, determinant / fast, 0.0)
    return fast, slow.astype(np.complex128)


def time_scales(
    system: FastSlowSystem | str, start: Start | Real | tuple[Real, Real], tau: Real, *, rtol: float = RTOL
) -> TimeScales:
    r"""Return the time scales along the solution from a start over [0, T].

    With the eigenvalues of the Jacobian ordered by modulus,

        Lambda_f = (1/T) \int_0^T |lambda_f| dt,   Lambda_s = (1/T) \int_0^T |lambda_s| dt,
        epsilon = Lambda_s / Lambda_f,   alignment = (1/T) \int_0^T |v_f . e_fast| dt.

    Parameters
    ----------
    system : FastSlowSystem or str
        The full system at its slow rate, a preset or a file.
    start : Start, number or pair
        Where the solution starts; a number is a slow coordinate on the line of starts.
    tau : number
        T, positive, in the fast time.
    rtol : float
        Relative tolerance of the integration.

    Raises
    ------
    InputError
        If tau is not positive, or the start cannot be used.

    Notes
    -----
    Each step of the integrator is an interval of a Gauss-Lobatto rule, in the logarithm of time where it is long; the
    intervals are halved until the averages stand. |lambda_f| has a kink where the eigenvalues exchange their
    order or become a complex pair.

    References
    ----------
    arXiv:2602.07378, the ansatz of section 3.2, with the eigenvalues by modulus.
    """
    system = system_of(system)
    start = start_of(system, start)
    path = follow(system, start, tau, rtol=rtol)
    integrals, gaps = np.zeros(3), np.zeros(3)
    for piece in path.pieces:
        total, gap = _integrals(path, piece)
        integrals, gaps = integrals + total, gaps + gap
    scales = eigen(system, path.x, path.y)
    duration = float(path.t[-1])
    fast, slow, alignment = (float(v) for v in integrals / duration)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(integrals > 0.0, gaps / np.append(integrals[:2], duration), 0.0)
    return TimeScales(
        start,
        path.t,
        path.x,
        path.y,
        scales.fast,
        scales.slow,
        scales.ratio,
        scales.alignment,
        fast,
        slow,
        alignment,
        float(np.max(errors)),
        duration,
        path.stopped,
        system,
    )


# Averages -----------------------------------------------------------------------------------------


def _integrals(path: Path, piece: Piece) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the integrals of |lambda_f|, |lambda_s| and the alignment over a piece, and estimates of their errors."""
    t = piece.solution.t
    low, high = t[:-1], t[1:]
    if not len(low):
        return np.zeros(3), np.zeros(3)
    whole = _gauss(path, piece, low, high)
    # The alignment is at most 1, and may be nothing but rounding of 0.
    total, error, size = np.zeros(3), np.zeros(3), np.append(whole[:2].sum(axis=1), t[-1])
    most = _GROWTH * len(t) + _LEAST_INTERVALS
    for halving in range(_MOST_HALVINGS):
        middle = np.where(_long(low, high), np.sqrt(low * high), 0.5 * (low + high))
        edges = np.stack((low, middle, middle, high), axis=1).reshape(-1, 2)
        halves = _gauss(path, piece, edges[:, 0], edges[:, 1])
        sums = halves[:, ::2] + halves[:, 1::2]
        gap = np.abs(sums - whole)
        done = np.all(gap <= _QUADRATURE_TOLERANCE * size[:, None] / np.sqrt(len(t)), axis=0)
        done |= (middle <= low) | (middle >= high)
        if halving == _MOST_HALVINGS - 1 or 2 * np.count_nonzero(~done) > most:
            done[:] = True  # what is left tells in the error
        total, error = total + sums[:, done].sum(axis=1), error + gap[:, done].sum(axis=1)
        rest = np.repeat(~done, 2)
        low, high, whole = edges[rest, 0], edges[rest, 1], halves[:, rest]
        if not len(low):
            break
    return total, error


def _gauss(path: Path, piece: Piece, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the integrals over intervals, in the logarithm of time where an interval is long; shape (3, n)."""
    long = _long(low, high)
    u = np.where(long, np.log(np.where(long, low, 1.0)), low)
    v = np.where(long, np.log(np.where(long, high, 1.0)), high)
    nodes = 0.5 * (u + v)[:, None] + 0.5 * (v - u)[:, None] * _NODES
    times = np.where(long[:, None], np.exp(np.where(long[:, None], nodes, 0.0)), nodes)
    times = np.clip(times, low[:, None], high[:, None])
    x, y = path.at(piece, times.ravel())
    scales = eigen(path.system, x, y)
    values = np.stack((np.abs(scales.fast), np.abs(scales.slow), scales.alignment)).reshape(3, *times.shape)
    measure = 0.5 * (v - u)[:, None] * _WEIGHTS * np.where(long[:, None], times, 1.0)
    return np.asarray(np.sum(values * measure, axis=2))


def _long(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which intervals are long as seen from time zero: there solutions in a tail are powers of the time."""
    return np.asarray((low > 0.0) & (high > 2.0 * low))
