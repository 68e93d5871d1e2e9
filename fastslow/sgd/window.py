"""How long the two-variable system speaks for a network of given size: what limits it, and from when on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.ode.simulation import Simulation, simulate
from fastslow.ode.solution import FloatArray
from fastslow.sgd.finite_width import Course, FiniteWidth
from fastslow.sgd.transverse import spread_growth, transverse_growth
from fastslow.systems.exact import Real
from fastslow.systems.presets import network_of, start_of
from fastslow.systems.system import FastSlowSystem, Start

DEPARTURE = 0.1
"""An effect that changes R or a by more than this share has ended the comparison."""
_POINTS, _COARSE = 20_000, 4_000
_LEAST_NEURONS = 3
_FIRST_TIME = 1e-4
"""Of the time in which R grows by one at the start."""
_MOST_STEPS = 2_000_000
SYMMETRY, NOISE, WIDTH, STEP = "permutation symmetry", "batch noise", "self-interaction", "step length"


@dataclass(frozen=True, eq=False)
class Window:
    """Until when a comparison with the two-variable system is valid.

    Attributes
    ----------
    tau : float
        The least of `times`; infinite where nothing was found to limit it until `horizon`.
    limited_by : str
        What has that time, "" where nothing has.
    times : dict
        "permutation symmetry": first tau at which the initial spread d^(-1/2) of the overlaps has grown to order one,
        so that neurons are no longer equal: the growth, int mu_perp dtau along the orbit or, where that is sooner,
        that of equation (16) linearised along the finite-width solution, reaches (1/2) ln d. What the noise of the
        batches adds to the spread is not counted.
        "batch noise", "self-interaction", "step length": first tau at which the three-variable system with the noise
        of the batches alone, with the terms of order 1/m alone, or SGD's mean step of length gamma/m with neither,
        is more than 10 % of R or of a away from the two-variable system.
        Infinite where that does not happen until `horizon` (the step length: in the first 2e6 steps).
    max_transverse_growth : float
        Largest int mu_perp dtau up to the horizon.
    horizon : float
        How far the orbit was followed.
    tau_grid, growth : ndarray
        Times and int_0^tau mu_perp.
    """

    tau: float
    limited_by: str
    times: dict[str, float]
    max_transverse_growth: float
    horizon: float
    tau_grid: FloatArray = field(repr=False)
    growth: FloatArray = field(repr=False)

    def document(self) -> dict[str, object]:
        """Return the window as plain numbers, null for infinite times."""
        return {
            "tau": _finite(self.tau),
            "limited_by": self.limited_by or None,
            "times": {name: _finite(time) for name, time in self.times.items()},
            "max_transverse_growth": self.max_transverse_growth,
            "horizon": self.horizon,
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def validity_window(
    system: FastSlowSystem | str,
    start: Start | Real | tuple[Real, Real],
    *,
    n: int,
    d: int,
    m: int,
    gamma: float,
    tau: float = 1e4,
    exact_activation: bool | None = None,
) -> Window:
    """Return until when SGD on a network of width m can be compared with the two-variable system.

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    start : Start or number
        The start, or the initial scale a0.
    n, d, m : int
        Batch size, dimension of the input, width.
    gamma : float
        Learning rate.
    tau : float
        How far the orbit is followed.
    exact_activation : bool, optional
        Whose batch noise; see `FiniteWidth`.

    Returns
    -------
    Window
        Each time is found on a logarithmic grid of 20 000 points, to about a thousandth of itself.

    Notes
    -----
    A neuron with (R + r_i, Q_ij + q_ij) beside the others moves away from them at the rate

        mu_perp = -2 R a (S' - a R Y') + a (1 - R^2)(S'' - a R^2 Y''),    arguments R and R^2.

    Examples
    --------
    >>> import fastslow as fs
    >>> window = fs.validity_window("fig6-right", 5, n=10**4, d=10**4, m=10**6, gamma=0.01)
    >>> print(window.limited_by, round(window.max_transverse_growth))
    permutation symmetry 166
    """
    model = network_of(system)
    begin = start_of(model, start)
    check_sizes(n=n, d=d, m=m, gamma=gamma, tau=tau)
    network = FiniteWidth(model, m, gamma, n / d, exact_activation)
    rate = max(abs(model.f(float(begin.fast), float(begin.slow))), 1.0 / tau)
    grid = np.append(0.0, np.geomspace(min(_FIRST_TIME / rate, 1e-3 * tau), tau, _POINTS))
    orbit = simulate(model, begin, tau, times=grid)
    growth = transverse_growth(model, orbit)
    x, y = float(begin.fast), float(begin.slow)
    u = np.array([x, x * x, y])
    times = {
        SYMMETRY: min(_first(orbit.t, growth >= 0.5 * math.log(d)), _neurons_part(network, u, tau, d)),
        NOISE: _departs(orbit, network.scaled(0.0, 1.0).solve(u, orbit.t)),
        WIDTH: _departs(orbit, network.scaled(1.0, 0.0).solve(u, orbit.t)),
        STEP: _steps_depart(orbit, network.scaled(0.0, 0.0), u),
    }
    limited = min(times, key=lambda name: times[name])
    least = times[limited]
    named = limited if math.isfinite(least) else ""
    return Window(least, named, times, float(growth.max()), float(orbit.t[-1]), orbit.t, growth)


def check_sizes(**sizes: Any) -> None:
    """Refuse numbers that are not positive."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < math.inf:
            raise InputError(name, value, "must be a positive number", "For example 1000" if name in "ndm" else "")


def _neurons_part(network: FiniteWidth, u: FloatArray, tau: float, d: float) -> float:
    """Return when the spread of the alignments has grown by sqrt(d) along the finite-width solution."""
    if network.m < _LEAST_NEURONS:
        return math.inf
    rates = network.rates(u)[0]
    first = _FIRST_TIME / max(float(np.abs(rates).max()), 1.0 / tau)
    course = network.solve(u, np.append(0.0, np.geomspace(min(first, 1e-3 * tau), tau, _COARSE)))
    return _first(course.tau, spread_growth(network, course) >= 0.5 * math.log(d))


def _first(t: FloatArray, marks: NDArray[np.bool_]) -> float:
    """Return the first time that is marked, infinity where none is."""
    found = np.flatnonzero(marks)
    return float(t[found[0]]) if len(found) else math.inf


def _departs(orbit: Simulation, course: Course) -> float:
    """Return when a course has left an orbit, given at the same times; also where it ended before."""
    count = len(course.tau)
    R, a = orbit.x[:count], orbit.y[:count]
    away = (np.abs(course.R - R) > DEPARTURE * np.abs(R)) | (np.abs(course.a - a) > DEPARTURE * np.abs(a))
    time = _first(orbit.t[:count], away)
    return time if math.isfinite(time) or count == len(orbit.t) else float(orbit.t[count - 1])


def _steps_depart(orbit: Simulation, network: FiniteWidth, u: FloatArray) -> float:
    """Return when finite steps have left the orbit; asked at whole steps, some thousand of them."""
    last = min(int(orbit.t[-1] / network.step_length), _MOST_STEPS)
    if last < 1:
        return network.step_length
    step = np.unique(np.geomspace(1, last, 2000).astype(np.int64))
    course = network.iterate(u, step)
    count = len(course.tau)
    R, a = (np.interp(course.tau, orbit.t, values) for values in (orbit.x, orbit.y))
    away = (np.abs(course.R - R) > DEPARTURE * np.abs(R)) | (np.abs(course.a - a) > DEPARTURE * np.abs(a))
    time = _first(course.tau, away)
    return time if math.isfinite(time) or course.done else float(network.step_length * step[count])
