"""The two-layer curve with both folds: the compiled kernel against the same method in plain numpy."""

import math
import statistics
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastslow.manifold.continuation import ContinuationOptions, trace_curve
from tests import problems

pytestmark = pytest.mark.benchmark

LOWER, UPPER = np.array([0.01, 0.0]), np.array([1.0, 8.0])
START = np.array([0.02, 4.6])
STEP = 1.36e-3


def trace():
    """About 1000 points, both folds located."""
    return trace_curve(
        problems.two_layer, [1.0], START, lower=LOWER, upper=UPPER, fold_coordinates=(1,),
        options=ContinuationOptions(max_step=STEP),
    )  # fmt: skip


def plain_numpy(points):
    """Pseudo-arclength continuation as in a textbook, `points` steps of fixed length, no events."""
    scales = UPPER - LOWER
    residual, jacobian, tests, p = np.zeros(1), np.zeros((1, 2)), np.zeros(0), np.ones(1)
    u, tangent = START.copy(), np.array([1.0, -1.0]) / math.sqrt(2.0)
    branch = []
    for _ in range(points):
        guess = u + STEP * scales * tangent
        for _ in range(10):
            problems.two_layer(guess, p, residual, jacobian, tests)
            matrix = np.vstack((jacobian * scales, tangent))
            plane = tangent @ ((guess - u) / scales) - STEP
            change = np.linalg.solve(matrix, [-residual[0], -plane])
            guess = guess + scales * change
            if np.linalg.norm(change) < 1e-12:
                break
        tangent = np.linalg.solve(matrix, [0.0, 1.0])
        tangent /= np.linalg.norm(tangent)
        u = guess
        branch.append(u)
    return np.array(branch)


def median_time(function, repeats):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def test_a_thousand_points(capsys):
    curve = trace()
    found = sorted((e.point[0], math.sinh(e.point[1])) for e in curve.events)
    assert_allclose(found, problems.TWO_LAYER_FOLDS, rtol=1e-12)
    count = len(curve.points)
    assert 900 <= count <= 1100
    ours = median_time(trace, 51) * 1000 / count
    theirs = median_time(lambda: plain_numpy(count), 5) * 1000 / count
    with capsys.disabled():
        print(f"\n1000 points: fastslow {1e3 * ours:.3f} ms, numpy {1e3 * theirs:.1f} ms, ratio {theirs / ours:.0f}")
    assert theirs / ours > 30.0
