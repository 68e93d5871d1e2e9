"""Scaling laws of tails to infinity: predicted from the exact polynomials, fitted to solutions of the full system."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.flow.landing import fast_value
from fastslow.flow.tail_law import Growth, TailLaw, tail_law
from fastslow.manifold.arcs import Arc, CriticalManifold, FastStability
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind
from fastslow.ode.simulation import Simulation, simulate
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.scales.tail_fit import PER_DECADE, Estimate, Fit, limit_at_zero, log_slope, power_fit
from fastslow.systems.algebraic import Rational
from fastslow.systems.exact import Real, exact
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

FloatArray = NDArray[np.float64]

_RTOL = 1e-10
_ON_ARC = 0.01
"""Distance from an arc, relative to that from its pole, of a trajectory that follows it."""
_LEADING = 2.0
"""The speed may differ from the leading term of its expansion by this factor for a fit to mean something."""
_LEAST_DECADES = 3
"""A tail of fewer decades of time is not fitted."""
_NOISE = 3.0 * _RTOL
"""Relative error of a speed, from the tolerance of the states."""
_ROUNDING = 1e-14
"""Relative error of the energy, which errors of the state hardly change."""
_RESOLVED = 1e-7
"""Least distance from a pole that is not at 0, relative to it, that doubles resolve well enough for slopes."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """The tail of a solution: the law that is predicted, and what the solution shows.

    Attributes
    ----------
    system, start : FastSlowSystem, Start
        The system and the exact start.
    fate : str
        Where the solution goes.
    status : str
        "power law", "not asymptotic" (tau is too short for a fit), "no power law" (of the tail), "no tail", or
        "undecided".
    verdict : str
        The result in a sentence.
    predicted : TailLaw or None
        From the exact polynomials; None where there is no tail, or no law for it.
    fitted : Fit or None
        From the solution; None for every status but "power law".
    simulation : Simulation or None
        The solution; t, x and y at times that are evenly spaced in the logarithm.
    t, slope_y, slope_x : ndarray
        Times, and the local slopes d log|y| / d log t and d log|x - x_0| / d log t there. slope_x is empty on an
        invariant line, and where doubles do not resolve x - x_0.
    product : Estimate or None
        Limit of y |x - x_0|^r sign(x - x_0), "R a" for the two-layer network.
    energy : Estimate or None
        Limit of the energy, the test loss of the network.
    energy_predicted : float or None
        That limit as the model has it.
    """

    system: FastSlowSystem
    start: Start
    fate: str
    status: str
    verdict: str
    predicted: TailLaw | None = None
    fitted: Fit | None = None
    simulation: Simulation | None = field(default=None, repr=False)
    t: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    slope_y: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    slope_x: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    product: Estimate | None = None
    energy: Estimate | None = None
    energy_predicted: float | None = None

    @property
    def origin(self) -> str:
        """The start in words: "a0 = 5", or both coordinates where it is not on the line of starts."""
        (x,), (y,) = self.system.fast, self.system.slow
        slow = f"{float(self.start.slow):g}"
        on_line = self.start.fast == self.system.start_fast
        return f"{y}0 = {slow}" if on_line else f"({x}, {y}) = ({float(self.start.fast):g}, {slow})"

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the prediction: the fit has it within its error, or there is no power law."""
        law, fit = self.predicted, self.fitted
        if law is None or law.exponent is None:
            return self.status != "undecided"
        return fit is not None and abs(fit.exponent - float(law.exponent)) <= fit.error

    def document(self) -> dict[str, Any]:
        """Return the result as JSON data.

        The limits are named by the variables, "Ra" for the two-layer network.
        """
        x, y = self.system.fast[0], self.system.slow[0]
        law, fit, run = self.predicted, self.fitted, self.simulation
        limits = {x + y: (self.product, law and law.limit), "loss": (self.energy, self.energy_predicted)}
        return {
            f"{y}0": float(self.start.slow),
            "start": [float(self.start.fast), float(self.start.slow)],
            "tau": None if run is None else float(run.t[-1]),
            "fate": self.fate,
            "status": self.status,
            "verdict": self.verdict,
            "predicted": None if law is None else law.document(),
            "fitted": None if fit is None else asdict(fit),
            "agrees": self.agrees,
            "limits": {
                name + suffix: value
                for name, (found, expected) in limits.items()
                for suffix, value in (
                    ("", found and found.value),
                    ("_error", found and found.error),
                    ("_predicted", expected),
                )
            },
            "slopes": {"tau": self.t.tolist(), y: self.slope_y.tolist(), x: self.slope_x.tolist()},
        }


def scaling(system: FastSlowSystem | str, start: Start | Real | tuple[Real, Real], tau: float = 1e12) -> Scaling:
    """Return the scaling law of the tail of a solution: predicted, and fitted to the solution up to a time.

    Parameters
    ----------
    system : FastSlowSystem or str
        The system, a preset or a file.
    start : Start, number or pair
        The start, its slow coordinate on the line of starts (the initial scale a0 of a network), or (fast, slow).
    tau : float
        How long the solution is followed, at least 1e4; the longer, the smaller the errors.

    Returns
    -------
    Scaling
        Also for a start without a tail: its `status` and `verdict` say so.

    Raises
    ------
    InputError
        If the start or tau cannot be used.

    Notes
    -----
    On the slow manifold the speed v = d|y|/dt is a function of y alone, analytic in z = |y|^(-1/r):
    v = z^(r (p - 1)) (c_0 + c_1 z + ...). So this is fitted, with p unknown, to the speeds of the solution: unlike
    the local slopes d log|y| / d log t it knows neither the origin of time nor logarithms. Each fit of an order k to
    a window of time is a least-squares problem; errors are from the spread over orders and windows.
    A solution far from its asymptote can look like another power for many decades, so nothing is fitted where the
    leading term of the predicted speed is not within a factor of two of the speed at the end. What is fitted then
    has the prediction within its error for more than 95 % of random networks from tau = 1e6 on, 90 % at 1e5.

    Examples
    --------
    >>> import fastslow as fs
    >>> result = scaling(fs.TwoLayer(c=[1, 1, 1], c_star=[1, -1, 1]), 5)
    >>> print(result.predicted.exponent, round(result.fitted.exponent, 6))
    1/3 0.333333
    """
    system = system_of(system)
    start = start_of(system, start)
    tau = float(exact(tau, "tau"))
    if not 1e4 <= tau <= 1e100:
        raise InputError("tau", tau, "must be from 1e4 to 1e100", "Tails converge slowly: 1e12 is a good choice")
    manifold = critical_manifold(system)
    settling = Settling(manifold)
    run = settling.run(start)
    arc = _arc_to_infinity(manifold, run)
    if arc is None:
        return _without_tail(system, start, run)
    fate = settling.flow.fate_of(arc.target)
    law = tail_law(system, arc)
    found = Scaling(system, start, fate, "no power law", f"{fate}: {law.formula(system.slow[0])}.", law)
    found = replace(found, energy_predicted=system.energy_at_infinity(law.pole, law.sign))
    if law.note:
        return replace(found, predicted=None, verdict=f"{fate}: {law.note}.")
    return found if law.growth is not Growth.POWER else _fitted(found, law, tau)


def _arc_to_infinity(manifold: CriticalManifold, run: Trajectory) -> Arc | None:
    """Return the attracting arc along which a trajectory goes to infinity, None where it does not.

    Of one whose fate was not proved it is asked that it ends on the arc.
    """
    arcs = [a for a in manifold.arcs if a.target.kind is Kind.INFINITY and a.stability is FastStability.ATTRACTING]
    if not run.undecided:
        return next((arc for arc in arcs if arc.target is run.node), None)
    x, y = run.end
    for arc in arcs:
        if math.isfinite(y) and arc.spans(Rational(Fraction(y))):
            distance = abs(fast_value(arc, y) - x)
            if distance <= _ON_ARC * abs(x - arc.target.x) or x == arc.target.x == fast_value(arc, y):
                return arc
    return None


def _without_tail(system: FastSlowSystem, start: Start, run: Trajectory) -> Scaling:
    """Return what is to be said of a start that does not go to infinity along an arc."""
    node = run.node
    if run.undecided:
        return Scaling(system, start, run.verdict, "undecided", f"{run.verdict.rstrip('.')}; a law cannot be told.")
    if node is not None and node.kind is Kind.INFINITY:
        verdict = f"{run.verdict}: no attracting arc leads there, so no law is known."
        return Scaling(system, start, run.verdict, "no power law", verdict)
    where = f" at ({node.x:.6g}, {node.y:.6g})" if node is not None else ""
    verdict = f"{run.verdict}{where}: {system.slow[0]} does not go to infinity, so there is no tail and no scaling law."
    return Scaling(system, start, run.verdict, "no tail", verdict)


def _fitted(found: Scaling, law: TailLaw, tau: float) -> Scaling:
    """Return the scaling with what the solution up to tau shows."""
    system = found.system
    first = min(1.0, 1e-6 * tau)
    times = np.geomspace(first, tau, math.ceil(PER_DECADE * math.log10(tau / first)) + 1)
    run = simulate(system, found.start, tau, rtol=_RTOL, times=times)
    found = replace(found, simulation=run, status="not asymptotic")
    if run.t.shape != times.shape:
        return replace(found, verdict=f"{found.fate}, but the solution was not followed to tau: {run.sentence}")
    side, u = np.sign(run.x - law.pole), np.abs(run.x - law.pole)
    same = (np.sign(run.y) == law.sign) & ((side == side[-1]) if law.order else True)
    begin = int(np.flatnonzero(~same)[-1]) + 1 if not same.all() else 0
    t, x, y, u = run.t[begin:], run.x[begin:], np.abs(run.y[begin:]), u[begin:]
    if len(t) < PER_DECADE * _LEAST_DECADES:
        return replace(found, verdict=_too_short(found, tau, "it has hardly begun"))
    inner, slope = slice(4, -4), log_slope(t, y)
    resolved = law.order is not None and bool((u > _RESOLVED * abs(law.pole)).all())
    found = replace(found, t=t[inner], slope_y=slope, slope_x=log_slope(t, u) if resolved else np.empty(0))
    speed = slope * y[inner] / t[inner]
    rate = law.K * float(system.slow_rate)
    leading = math.log(rate) + (1.0 - float(law.p)) * math.log(y[inner][-1])
    share = math.exp(min(leading - math.log(speed[-1]), 700.0)) if speed[-1] > 0 else 0.0
    if not 1.0 / _LEADING < share < _LEADING:
        return replace(found, verdict=_too_short(found, tau, f"the leading term of its speed is {share:.3g} of it"))
    r = float(law.order or 1)
    fit = power_fit(t[inner], y[inner], speed, r, _NOISE)
    if fit is None:
        return replace(found, verdict=_too_short(found, tau, f"no fit settles, its local slope is {slope[-1]:.3g}"))
    named = "" if law.case == "general" else f", case {law.case}"
    z = y ** (-1.0 / r)
    product = limit_at_zero(t, z, run.y[begin:] * u**r * np.sign(x - law.pole), _RTOL) if resolved else None
    energy = run.energy
    return replace(
        found,
        status="power law",
        verdict=f"{found.fate}: {law.formula(system.slow[0])}{named}; "
        f"fitted exponent {fit.exponent:.9g} ± {fit.error:.1g}.",
        fitted=fit,
        product=product,
        energy=None if energy is None else limit_at_zero(t, z, energy[begin:], _ROUNDING),
    )


def _too_short(found: Scaling, tau: float, reason: str) -> str:
    law = found.predicted
    assert law is not None
    formula = law.formula(found.system.slow[0])
    return f"{found.fate}: {formula}, but at τ = {tau:g} the tail is not asymptotic, {reason}; follow it longer."
