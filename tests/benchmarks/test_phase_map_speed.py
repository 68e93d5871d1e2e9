"""Cells of a phase map per second, as a ratio to LSODA (scipy) on some of its cells in the same run."""

import math
import time
from fractions import Fraction as F

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fastslow as fs
from fastslow.ode.columns import fates
from fastslow.sweeps.phase_map import _prepared, phase_map

pytestmark = pytest.mark.benchmark


def system_at(x):
    """Return the systems of Fig. 5-left."""
    return fs.TwoLayer([1] * 5, [1, -1, x, 1, 1])


def peer(system, a0, end):
    """Follow (0, a0) to a time with LSODA."""
    orders = range(1, len(system.s) + 1)
    s, t = [float(v) for v in system.s], [float(v) for v in system.t]

    def field(_, u):
        R, a = u
        S = sum(v * R**k for k, v in zip(orders, s, strict=True))
        S1 = sum(k * v * R ** (k - 1) for k, v in zip(orders, s, strict=True))
        T = sum(v * R ** (2 * k) for k, v in zip(orders, t, strict=True))
        T1 = sum(2 * k * v * R ** (2 * k - 1) for k, v in zip(orders, t, strict=True))
        return [0.5 * a * (1 - R * R) * (2 * S1 - a * T1), S - a * T]

    run = solve_ivp(field, (0.0, end), [0.0, a0], method="LSODA", rtol=1e-8, atol=1e-9)
    assert run.success
    return run.y[:, -1]


@pytest.mark.parametrize("size", [100, 1000])
def test_cells_per_second(size):
    values = [F(-5) + F(10 * i, size - 1) for i in range(size)]
    starts = np.linspace(0.5, 15, size)
    fates(system_at, values[:: size // 5], starts[:3])  # compiled
    wall, cpu = time.perf_counter(), time.process_time()
    table = fates(system_at, values, starts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert table.undecided == 0
    rng, spent, count = np.random.default_rng(0), 0.0, 40
    for i, j in zip(rng.integers(size, size=count), rng.integers(size, size=count), strict=True):
        system = system_at(values[i])
        begin = time.process_time()
        R, a = peer(system, starts[j], 1e4)
        spent += time.process_time() - begin
        if math.isfinite(table.y[i, j]):
            assert (R, a) == pytest.approx((table.x[i, j], table.y[i, j]), rel=1e-2)
        else:
            assert R < 0.2
    print(
        f"\n{size}x{size}: {size**2 / wall:.0f} cells/s, {size**2 / cpu:.0f} per CPU second; "
        f"LSODA to t = 1e4 {count / spent:.0f} per CPU second; followed again {table.again}"
    )
    assert size**2 / cpu > 100 * count / spent


@pytest.mark.parametrize("size", [100, 1000])
def test_exact_maps_take_less_than_their_cells_integrated(size):
    """The map filled between computed curves, against 40 000 of its cells integrated."""
    axes = f"c_star[3]=-5:5:{size}", f"a0=0.5:15:{size}"
    values = [F(-5) + F(10 * i, 199) for i in range(200)]
    starts = np.linspace(0.5, 15, 200)
    walls, cpus, peers = [], [], []
    for _ in range(4):
        _prepared.cache_clear()  # the curves too are computed again
        wall, cpu = time.perf_counter(), time.process_time()
        phase_map(system_at(0), *axes, method="exact")
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        cpu = time.process_time()
        fates(system_at, values, starts)
        peers.append(time.process_time() - cpu)
    wall, cpu, peer = (np.median(times[1:]) for times in (walls, cpus, peers))  # the first ones compile
    print(f"\n{size}x{size}: exact {wall:.2f} s, {cpu:.2f} s CPU; 40 000 cells integrated {peer:.2f} s CPU")
    assert cpu < 4.0 * peer
