"""Speed of the integrator, as ratios to other solvers on the same problem in the same run, for the same accuracy."""

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.ensembles import ensemble
from fastslow.ode.integrate import integrate
from fastslow.ode.trajectories import Settling

NETWORK = fs.TwoLayer((1, 1, 1), (1, -1, 1))
START, END = [0.0, 5.0], 1e8
ROUNDS = 15


@njit("float64[::1](float64, float64[::1])")
def rate(_, u):
    """The network in (R, a), as the peers get it."""
    r, a = u
    s = r * (1.0 + r * (-2.0 + r * 6.0))
    slope = 1.0 + r * (-4.0 + r * 18.0)
    q = r * r
    t = q * (1.0 + q * (2.0 + q * 6.0))
    bend = r * (2.0 + q * (8.0 + q * 36.0))
    du = np.empty(2)
    du[0], du[1] = 0.5 * a * (1.0 - q) * (2.0 * slope - a * bend), s - a * t
    return du


CHART = NETWORK.chart_of(Fraction(0))
PARAMETERS, STATE = NETWORK.field_parameters(CHART), CHART.to_state(*START)


def own(rtol, end=END):
    return integrate(polynomial_field, PARAMETERS, STATE, (0.0, end), rtol=rtol, atol=rtol, output="final")


def place(run):
    return np.array(CHART.from_state(run.final_state))


def lsoda(end=END):
    from scipy.integrate import solve_ivp

    return solve_ivp(rate, (0.0, end), START, method="LSODA", rtol=1e-8, atol=1e-8).y[:, -1]


def numbalsoda(end=END):
    """Return a function that solves by LSODA without Python in its loop; skips where that is not installed."""
    package = pytest.importorskip("numbalsoda")
    from numba import carray, cfunc

    @cfunc(package.lsoda_sig)
    def right_hand_side(t, u, du, p):
        values = rate(t, carray(u, (2,)))
        into = carray(du, (2,))
        into[0], into[1] = values[0], values[1]

    address, times, start = right_hand_side.address, np.array([0.0, end]), np.array(START)

    def solve():
        states, success = package.lsoda(address, start, times, rtol=1e-8, atol=1e-8)
        assert success
        return states[-1]

    return solve


def seconds(work, repeats=1):
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begin) / repeats


def as_accurate_as(error, exact):
    """Loosest of 1e-5, 3e-6, 1e-6, ... at which the own error is not larger."""
    for rtol in (digit * 10.0**-exponent for exponent in range(5, 13) for digit in (1.0, 0.3)):
        if np.abs(place(own(rtol)) / exact - 1.0).max() <= error:
            return rtol
    raise AssertionError("no tolerance is as accurate")


def compare(capsys, name, peer, repeats):
    """Median over interleaved rounds of the ratio of times, at the accuracy of the peer."""
    exact = place(own(1e-13))
    error = np.abs(peer() / exact - 1.0).max()
    rtol = as_accurate_as(error, exact)
    run = own(rtol)
    pairs = [(seconds(lambda: own(rtol), 20), seconds(peer, repeats)) for _ in range(ROUNDS)]
    ratio = float(np.median([theirs / mine for mine, theirs in pairs]))
    mine, theirs = np.median(pairs, axis=0)
    with capsys.disabled():
        print(
            f"\nto tau = {END:g}: rtol {rtol:.0e}, error {np.abs(place(run) / exact - 1.0).max():.1e}, {run.n_steps} "
            f"steps, {1e3 * mine:.3f} ms; {name}: error {error:.1e}, {1e3 * theirs:.3f} ms; ratio {ratio:.1f}"
        )
    return ratio


@pytest.mark.benchmark
def test_one_trajectory_against_lsoda(capsys):
    """Unlearning to tau = 1e8, LSODA with a compiled right-hand side at 1e-8."""
    assert compare(capsys, "LSODA", lsoda, 1) >= 40.0


@pytest.mark.benchmark
def test_one_trajectory_against_compiled_lsoda(capsys):
    """Without any Python in the loop LSODA has no overhead left: what remains is the method."""
    assert compare(capsys, "numbalsoda", numbalsoda(), 5) >= 1.0


@pytest.mark.benchmark
@pytest.mark.parametrize(("tau", "least"), [(1e5, 100.0), (None, 170.0)], ids=["to a time", "to a fate"])
def test_ensembles_against_lsoda(capsys, tau, least):
    """Starts a second, against LSODA to tau = 1e5 one after the other (its rate for a few of the same starts)."""
    settling = Settling(critical_manifold(NETWORK))
    heights = np.linspace(1.0, 10.0, 40_000)
    ensemble(settling, heights[:1000], tau=tau, rtol=1e-6)

    def peer():
        from scipy.integrate import solve_ivp

        for a0 in heights[::5000]:
            solve_ivp(rate, (0.0, 1e5), [0.0, a0], method="LSODA", rtol=1e-6, atol=1e-6)

    peer()
    pairs = [
        (seconds(lambda: ensemble(settling, heights, tau=tau, rtol=1e-6)) / len(heights), seconds(peer) / 8)
        for _ in range(5)
    ]
    ratio = float(np.median([theirs / mine for mine, theirs in pairs]))
    mine, theirs = np.median(pairs, axis=0)
    with capsys.disabled():
        print(f"\n{1 / mine:.0f} starts a second, LSODA {1 / theirs:.0f}; ratio {ratio:.0f}")
    assert ratio >= least


PROBE = """
import resource, sys, time
import numpy as np
import fastslow as fs
from fastslow.ode.ensembles import ensemble
from fastslow.ode.trajectories import Settling
from fastslow.manifold.critical_manifold import critical_manifold

settling = Settling(critical_manifold(fs.TwoLayer((1, 1, 1), (1, -1, 1))))
count = int(sys.argv[1])
ensemble(settling, np.linspace(1.0, 10.0, 2000), tau=1e5, rtol=1e-6)
times = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter()
    ensemble(settling, np.linspace(1.0, 10.0, count), tau=1e5, rtol=1e-6)
    times.append(time.perf_counter() - begin)
print(min(times), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def probe(count, repeats, threads):
    """Seconds for an ensemble, and the largest memory in KiB, in a process of its own."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"NUMBA_NUM_THREADS": str(threads), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", PROBE, str(count), str(repeats)]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.split()]


@pytest.mark.benchmark
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_two_threads_are_nearly_twice_as_fast(capsys):
    """The best of several tries each: another process on the second core is no fault of the kernel."""
    pairs = [(probe(40_000, 4, 1)[0], probe(40_000, 4, 2)[0]) for _ in range(3)]
    one, two = np.min(pairs, axis=0)
    with capsys.disabled():
        print(f"\ntwo threads: {one / two:.2f} times one")
    assert one / two > 1.5


@pytest.mark.benchmark
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss in KiB")
def test_memory_of_an_ensemble_is_that_of_its_results(capsys):
    """Some 25 doubles a start (arguments, results and copies), whatever the lengths of the runs."""
    (_, few), (_, many) = probe(20_000, 1, 2), probe(200_000, 1, 2)
    with capsys.disabled():
        print(f"\n{few / 1024:.0f} MiB for 20 000 starts, {many / 1024:.0f} MiB for 200 000")
    assert (many - few) * 1024 < 180_000 * 25 * 8
