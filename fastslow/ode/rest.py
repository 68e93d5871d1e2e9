"""Where a solution has come to rest, up to a tolerance."""

from __future__ import annotations

import flint
import numpy as np

from fastslow.ode.solution import FloatArray
from fastslow.systems.polynomials import rational
from fastslow.systems.system import FastSlowSystem

_ZERO_SHARE = 1e-3
"""Tolerance of a coordinate that rests at zero, as a share of the relative one."""
_NEARBY = 1e3
"""Newton steps in doubles this many times the tolerance are not worth exact ones."""
_CONTRACTS = 0.1
"""Largest ratio of two Newton steps where the attraction is linear."""
_LAST_PLACES = 4.0
_MOST_STEPS = 6
_BITS = 1024


def resting_place(system: FastSlowSystem, x: float, y: float, tolerance: float) -> tuple[float, float] | None:
    """Return the attracting equilibrium that a state is at, up to a relative tolerance; None where there is none.

    All eigenvalues there have negative real parts and the state is where attraction is linear, so that the solution
    stays. Newton's method finds the equilibrium, with exact values of the field: the rounding of doubles, divided by
    a small eigenvalue, may be more than the tolerance.
    """
    u = np.array([x, y])
    allowed = tolerance * (np.abs(u) + _ZERO_SHARE)
    in_doubles = np.array([system.f(x, y), float(system.slow_rate) * system.g(x, y)])
    step = _newton(system, u, in_doubles)
    if step is None or (np.abs(step) > _NEARBY * allowed).any():
        return None
    last = np.inf
    for _ in range(_MOST_STEPS):
        step = _newton(system, u, _exact(system, u))
        if step is None:
            return None
        u = u - step
        if (np.abs(u - (x, y)) > allowed).any():
            return None
        size = float(np.max(np.abs(step) / allowed))
        if (np.abs(step) <= _LAST_PLACES * np.spacing(np.abs(u))).all():
            return float(u[0]), float(u[1])
        if size > _CONTRACTS * last:
            return None
        last = size
    return None


def _newton(system: FastSlowSystem, u: FloatArray, field: FloatArray) -> FloatArray | None:
    """Return the step of Newton's method, None where the Jacobian does not attract."""
    (a, b), (c, d) = system.jacobian(u[0], u[1])
    determinant = a * d - b * c
    if not (a + d < 0.0 < determinant):
        return None
    f, g = field
    return np.array([d * f - b * g, a * g - c * f]) / float(determinant)


def _exact(system: FastSlowSystem, u: FloatArray) -> FloatArray:
    """Return the field, rounded once."""
    with flint.ctx.workprec(_BITS):
        f, g = (system.enclose(of, 0, 0, *map(flint.arb, map(float, u))) for of in ("f", "g"))
        return np.array([float(f.mid()), float((g * rational(system.slow_rate)).mid())])
