"""Classical planar fast-slow systems."""

from __future__ import annotations

from fastslow.systems.exact import Real, exact, plain
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import rational, variables


def van_der_pol(a: Real = 0, slow_rate: Real = "1/100") -> PolynomialSystem:
    """Return the van der Pol system with constant forcing: x' = y + x - x^3/3, y' = slow_rate (a - x).

    Folds at x = 1, y = -2/3 and x = -1, y = 2/3; equilibrium at x = a. For |a| < 1 orbits end in a
    relaxation oscillation, with the singular period (3 - 2 ln 2) / slow_rate for a = 0; for |a| > 1
    at the equilibrium.

    Parameters
    ----------
    a : number
        The forcing.
    slow_rate : number
        Ratio of the time scales.

    References
    ----------
    van der Pol, Phil. Mag. 2 (1926) 978; Kuehn, Multiple Time Scale Dynamics (2015), section 1.3.
    """
    value = exact(a, "a")
    x, y = variables("x", "y")
    return PolynomialSystem(
        [y + x - x**3 / 3],
        rational(value) - x,
        slow_rate=slow_rate,
        window=(-3, 3),
        parameters={"a": plain(value), "slow_rate": plain(exact(slow_rate, "slow_rate"))},
        name="van_der_pol",
        kind="van_der_pol",
        title="van der Pol oscillator with constant forcing",
    )


def fitzhugh_nagumo(
    current: Real = "1/2", a: Real = "7/10", b: Real = "4/5", slow_rate: Real = "2/25"
) -> PolynomialSystem:
    """Return the FitzHugh-Nagumo system: v' = v - v^3/3 - w + current, w' = slow_rate (v + a - b w).

    Folds at v = -1 and v = 1. With the default a and b it is excitable for small currents (a stable
    equilibrium left of the first fold) and oscillates for middle ones.

    References
    ----------
    FitzHugh, Biophys. J. 1 (1961) 445; Nagumo, Arimoto and Yoshizawa, Proc. IRE 50 (1962) 2061.
    """
    values = {"current": exact(current, "current"), "a": exact(a, "a"), "b": exact(b, "b")}
    v, w = variables("v", "w")
    return PolynomialSystem(
        [v - v**3 / 3 - w + rational(values["current"])],
        v + rational(values["a"]) - rational(values["b"]) * w,
        fast=("v",),
        slow=("w",),
        slow_rate=slow_rate,
        window=(-3, 3),
        parameters={k: plain(x) for k, x in values.items()} | {"slow_rate": plain(exact(slow_rate, "slow_rate"))},
        name="fitzhugh_nagumo",
        kind="fitzhugh_nagumo",
        title="FitzHugh-Nagumo neuron",
    )
