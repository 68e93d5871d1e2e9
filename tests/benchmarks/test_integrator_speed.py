"""Speed of the integrator, as a ratio to scipy's LSODA on the same problem in the same run."""

import time

import numpy as np
import pytest
from numba import njit

from fastslow.core.signatures import FIELD
from fastslow.ode.integrate import integrate

END, RTOL, ATOL = 1e8, 1e-8, 1e-10


@njit(FIELD.signature)
def network(u, p, du, jacobian, with_jacobian):
    """Two-layer network with c = (1, 1, 1), c* = (1, -1, 1) in (R, a)."""
    r, a = u
    s0, s1, s2 = r - 2.0 * r**2 + 6.0 * r**3, 1.0 - 4.0 * r + 18.0 * r**2, -4.0 + 36.0 * r
    t0, t1 = r**2 + 2.0 * r**4 + 6.0 * r**6, 2.0 * r + 8.0 * r**3 + 36.0 * r**5
    t2 = 2.0 + 24.0 * r**2 + 180.0 * r**4
    q = 1.0 - r * r
    force = 2.0 * s1 - a * t1
    du[0], du[1] = 0.5 * a * q * force, s0 - a * t0
    jacobian[0, 0] = 0.5 * a * (-2.0 * r * force + q * (2.0 * s2 - a * t2))
    jacobian[0, 1] = 0.5 * q * (force - a * t1)
    jacobian[1, 0], jacobian[1, 1] = s1 - a * t1, -t0
    return 0


@njit("float64[::1](float64, float64[::1])")
def rate(_, u):
    du, jacobian = np.empty(2), np.empty((2, 2))
    network(u, u, du, jacobian, True)
    return du


@njit("float64[:, ::1](float64, float64[::1])")
def rate_jacobian(_, u):
    du, jacobian = np.empty(2), np.empty((2, 2))
    network(u, u, du, jacobian, True)
    return jacobian


@pytest.mark.benchmark
def test_faster_than_lsoda(capsys):
    from scipy.integrate import solve_ivp

    def own():
        return integrate(network, [], [0.0, 5.0], (0.0, END), rtol=RTOL, atol=ATOL)

    def peer():
        return solve_ivp(rate, (0.0, END), [0.0, 5.0], method="LSODA", jac=rate_jacobian, rtol=RTOL, atol=ATOL)

    mine, theirs = own(), peer()
    exact = integrate(network, [], [0.0, 5.0], (0.0, END), rtol=1e-13, atol=1e-14, output="final").final_state
    ratios, seconds = [], []
    for _ in range(11):
        begin = time.perf_counter()
        for _ in range(5):
            own()
        middle = time.perf_counter()
        peer()
        end = time.perf_counter()
        seconds.append((middle - begin) / 5)
        ratios.append((end - middle) / seconds[-1])
    with capsys.disabled():
        print(
            f"\nRodas5P {1e3 * np.median(seconds):.3f} ms, {mine.n_steps} steps, relative error "
            f"{np.abs(mine.final_state / exact - 1).max():.1e}; LSODA {theirs.t.size - 1} steps, error "
            f"{np.abs(theirs.y[:, -1] / exact - 1).max():.1e}; median ratio of times {np.median(ratios):.1f}"
        )
    assert np.median(ratios) > 3.0
