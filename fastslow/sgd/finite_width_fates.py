"""Fates of starts at finite width: basins on the line of starts, and the thresholds between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.progress import Progress
from fastslow.sgd.finite_width import FiniteWidth
from fastslow.sgd.finite_width_equilibria import FiniteWidthEquilibrium, at_rest
from fastslow.sgd.finite_width_manifold import FiniteWidthManifold, finite_width_manifold
from fastslow.systems.system import FastSlowSystem

_NARROW, _NARROWEST = 1e-6, 1e-12
"""Relative width of a bracket from which on the saddle is aimed at, and at which halving ends where that fails."""
_TIGHT = 1e-12
"""Tolerance of the integration that gives the last digits of a threshold."""
_ALONE = 1e-8
"""Relative error that is claimed of a threshold found by halving alone, with a tolerance of 1e-9."""
_NEAR = 0.05
"""Relative distance at which an orbit has come near to a saddle."""
_DECAYS, _MOST_GROWTH = 18.0, 25.0
"""Decay of the stable directions after that, and the largest growth of the unstable one, as logarithms."""


@dataclass(frozen=True)
class FiniteWidthBasin:
    """An interval of starts a0 with one fate: the equilibrium that they end at ("" where none is met), its verdict."""

    low: float
    high: float
    verdict: str
    equilibrium: str


@dataclass(frozen=True)
class FiniteWidthThreshold:
    """A start on the stable manifold of a saddle, which is a surface in (R, Q, a).

    Attributes
    ----------
    a0 : float
        The start.
    error : float
        The difference of two tolerances of the integration; of halving alone, 1e-8 relative.
    saddle : str
        The equilibrium with one unstable direction that the orbit runs into; "" where halving alone found it.
    below, above : str
        Verdicts on both sides.
    below_at, above_at : str
        The equilibria where these orbits end.
    """

    a0: float
    error: float
    saddle: str
    below: str
    above: str
    below_at: str
    above_at: str


@dataclass(frozen=True, eq=False)
class FiniteWidthFates:
    """What becomes of all starts (0, Q0, a0): made by `finite_width_thresholds`.

    Attributes
    ----------
    manifold : FiniteWidthManifold
        Critical manifold and equilibria.
    overlap : float
        Q0.
    basins : tuple of FiniteWidthBasin
        In order of a0; between the samples of the scan converged, not proved.
    thresholds : tuple of FiniteWidthThreshold
        Between basins of one sign of a0.
    """

    manifold: FiniteWidthManifold = field(repr=False)
    overlap: float
    basins: tuple[FiniteWidthBasin, ...]
    thresholds: tuple[FiniteWidthThreshold, ...]

    def predict(self, a0: float) -> FiniteWidthBasin:
        """Return the basin that a start lies in.

        Raises
        ------
        InputError
            If it lies outside of the range that was scanned.
        """
        for basin in self.basins:
            if basin.low <= a0 <= basin.high:
                return basin
        raise InputError("a0", a0, "lies outside of the range of starts", "Give a wider one by between")


def finite_width_thresholds(
    system: FastSlowSystem | str | FiniteWidth | FiniteWidthManifold,
    m: float | None = None,
    gamma: float = 0.0,
    delta: float = 1.0,
    *,
    between: tuple[float, float] | None = None,
    overlap: float = 0.0,
    samples: int = 32,
    progress: Progress | None = None,
) -> FiniteWidthFates:
    r"""Return where on the line of starts (R, Q) = (0, Q0) the fate of a network of finite width changes.

    A scan of \|a0\|, evenly in its logarithm, finds pairs of starts that end at different equilibria: an orbit is
    followed until Newton's method finds the attracting equilibrium next to it. Each pair is halved, and then the start
    is found whose orbit runs into the saddle that both come near to. Fates that change twice between two starts of the
    scan are missed.

    Parameters
    ----------
    system, m, gamma, delta
        As in `finite_width_manifold`, or what that returns.
    between : (float, float), optional
        The range of \|a0\|, positive; 0.05 to 20 times the scale of the teacher unless given. Both signs are scanned.
    overlap : float
        Q0, from -1/(m - 1) to below 1.
    samples : int
        Starts of the scan, each sign.
    progress : callable, optional
        Called as progress(done, total).

    Examples
    --------
    >>> import fastslow as fs
    >>> fates = fs.finite_width_thresholds("fig6-right", m=4000, between=(1, 8), samples=6)
    >>> [(round(t.a0, 6), t.below, t.above) for t in fates.thresholds if t.a0 > 0]
    [(4.680537, 'learning', 'unlearning')]
    """
    manifold = system if isinstance(system, FiniteWidthManifold) else finite_width_manifold(system, m, gamma, delta)
    network = manifold.network
    low, high = _range(network, between)
    if not -1.0 / (network.m - 1.0) <= overlap < 1.0:
        raise InputError("overlap", overlap, "must be at least -1/(m - 1) and below 1", "Independent neurons have 0")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise InputError("samples", samples, "must be a whole number above 1", "For example 32")
    judge = _Judge(manifold, overlap)
    basins: list[FiniteWidthBasin] = []
    thresholds: list[FiniteWidthThreshold] = []
    scale = np.geomspace(low, high, samples)
    for part, starts in enumerate((-scale[::-1], scale)):
        fates = []
        for k, a0 in enumerate(starts):
            fates.append(judge.fate(float(a0)))
            if progress is not None:
                progress(part * samples + k + 1, 2 * samples)
        edge, last = float(starts[0]), fates[0]
        for k in range(1, len(starts)):
            pieces = judge.parted(float(starts[k - 1]), fates[k - 1], float(starts[k]), fates[k])
            for threshold in pieces:
                thresholds.append(threshold)
                basins.append(FiniteWidthBasin(edge, threshold.a0, *last))
                edge, last = threshold.a0, (threshold.above, threshold.above_at)
        basins.append(FiniteWidthBasin(edge, float(starts[-1]), *last))
    return FiniteWidthFates(manifold, overlap, tuple(basins), tuple(thresholds))


def default_range(network: FiniteWidth) -> tuple[float, float]:
    """Return the range of |a0| in which thresholds are looked for: about the scale of teacher over student."""
    unit = math.sqrt(float(network.system.teacher_norm) / float(sum(network.system.t)))
    return 0.05 * unit, 20.0 * unit


def _range(network: FiniteWidth, between: tuple[float, float] | None) -> tuple[float, float]:
    if between is None:
        return default_range(network)
    low, high = (float(v) for v in between)
    if not 0.0 < low < high < math.inf:
        raise InputError("between", between, "must be 0 < low < high", "A range of |a0|; both signs are scanned")
    return low, high


Fate = tuple[str, str]
"""Verdict and equilibrium."""


class _Judge:
    """Fates of starts, and thresholds between two of them."""

    def __init__(self, manifold: FiniteWidthManifold, overlap: float) -> None:
        self.manifold, self.network, self.overlap = manifold, manifold.network, overlap
        self.saddles = [e for e in manifold.equilibria if sum(v.real > 0.0 for v in e.eigenvalues) == 1]

    def fate(self, a0: float, rtol: float = 1e-9) -> Fate:
        """Return where a start ends."""
        rest = self.network.rest((0.0, self.overlap, a0), rtol=rtol)
        return rest.verdict, at_rest(self.manifold.equilibria, rest)

    def parted(self, low: float, below: Fate, high: float, above: Fate) -> list[FiniteWidthThreshold]:
        """Return the thresholds between two starts."""
        if below == above:
            return []
        a, b, wide = low, high, _NARROW
        shot = None
        while b - a > wide * abs(b):
            middle = 0.5 * (a + b)
            if not a < middle < b:
                break
            fate = self.fate(middle)
            if fate == below:
                a = middle
            elif fate == above:
                b = middle
            else:
                # a third fate between them: a threshold on each side
                return self.parted(a, below, middle, fate) + self.parted(middle, fate, b, above)
            if wide == _NARROW and b - a <= wide * abs(b):
                shot = self._shot(a, b)
                wide = _NARROW if shot is not None else _NARROWEST
        value, error, saddle = shot if shot is not None else (0.5 * (a + b), 0.5 * (b - a) + _ALONE * abs(b), "")
        return [FiniteWidthThreshold(value, error, saddle, below[0], above[0], below[1], above[1])]

    def _shot(self, low: float, high: float) -> tuple[float, float, str] | None:
        """Return (a0, error, saddle) of the start between two that runs into a saddle, None where none is near.

        l (u(T; a0) - u*) = 0, with the left eigenvector l of the unstable eigenvalue and T at which the orbit is so
        near to the saddle u* that its stable manifold is a plane there to rounding.
        """
        from scipy.optimize import brentq

        saddle, near = self._nearest(low)
        if saddle is None:
            return None
        values, left = np.linalg.eig(self.network.rates(saddle.state)[1].T)
        up = int(np.argmax(values.real))
        stable = float(np.sort(values.real)[-2])
        wait = near + _DECAYS / abs(stable)
        if stable >= 0.0 or float(values.real[up]) * wait > _MOST_GROWTH:
            return None
        normal = left[:, up].real / np.linalg.norm(left[:, up].real)

        def side(a0: float, rtol: float) -> float:
            return float(normal @ (self._after(a0, wait, rtol) - saddle.state))

        found = []
        for rtol in (1e-9, _TIGHT):
            if side(low, rtol) * side(high, rtol) >= 0.0:
                return None
            found.append(float(brentq(side, low, high, args=(rtol,), xtol=1e-15 * abs(low), rtol=1e-14)))
        return found[1], abs(found[1] - found[0]) + 1e-13 * abs(low), saddle.id

    def _after(self, a0: float, time: float, rtol: float) -> NDArray[np.float64]:
        from fastslow.core.finite_width import finite_width_field
        from fastslow.ode.integrate import integrate

        run = integrate(
            finite_width_field, self.network.parameters, (0.0, self.overlap, a0), (0.0, time), rtol=rtol,
            atol=1e-3 * rtol, output="final",
        )  # fmt: skip
        return run.final_state

    def _nearest(self, a0: float) -> tuple[FiniteWidthEquilibrium | None, float]:
        """Return the saddle that the orbit from a start comes nearest to, and when."""
        from fastslow.core.finite_width import finite_width_field
        from fastslow.ode.integrate import integrate

        end = self.network.rest((0.0, self.overlap, a0)).tau
        run = integrate(finite_width_field, self.network.parameters, (0.0, self.overlap, a0), (0.0, end), rtol=1e-9)
        best, least, when = None, _NEAR, 0.0
        for saddle in self.saddles:
            away = np.abs(run.u / saddle.state - 1.0).max(axis=1)
            k = int(np.argmin(away))
            if away[k] < least:
                best, least, when = saddle, float(away[k]), float(run.t[k])
        return best, when
