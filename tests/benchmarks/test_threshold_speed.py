"""Speed of a threshold on a stable manifold, as a ratio to the bisection by LSODA that it replaces."""

import time

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.halves import Backward, Forward, separatrices
from fastslow.separatrices.thresholds import _crossings
from tests import naive

C, C_STAR, EXACT = [1] * 5, [1, -1, 1, 1, 1], 9.31175171541941  # Fig. 4, tests/data/reference_cases.json


@pytest.mark.benchmark
def test_a_threshold_is_cheaper_than_one_trajectory_by_scipy():
    settling = Settling(critical_manifold(fs.TwoLayer(C, C_STAR)))
    halves = separatrices(Forward(settling.manifold), Backward(settling.manifold))
    (half,) = [h for h in halves if h.kind == "stable" and any(c.y > 0 for c in _crossings(settling, h))]
    network, own, peer = naive.Network(C, C_STAR), [], []
    for _ in range(9):
        begin = time.perf_counter()
        for _ in range(5):
            (found,) = _crossings(settling, half)
        own.append((time.perf_counter() - begin) / 5)
        begin = time.perf_counter()
        naive.ode_fate(network, 10.0)
        peer.append(time.perf_counter() - begin)
    error = abs(found.y - EXACT) / EXACT
    ratio = np.median(peer) / np.median(own)
    print(f"\nthreshold: {1e3 * np.median(own):.2f} ms, relative error {error:.0e}; one trajectory of a bisection by")
    print(f"scipy: {1e3 * np.median(peer):.1f} ms, ratio {ratio:.0f}, and a bisection to 1e-9 takes thirty")
    assert error < 1e-9
    assert ratio > 1
