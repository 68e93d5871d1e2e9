"""Memory of SGD, as the peak of a process of its own: O(m^2) beside a block on Gram matrices, O(d m) on weights."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("resource", reason="no peak of memory is known here")

MEASURE = """
import resource, sys
import fastslow as fs
from fastslow.sgd.arguments import experiment

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

method, dtype, n, d, m = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
fs.simulate_sgd("fig7", 1, n=30, d=40, m=6, steps=2, method=method, dtype=dtype)
before, size = peak(), dict(n=n, d=d, m=m, steps=2, gamma=0.1, method=method, dtype=dtype)
fs.simulate_sgd("fig7", 1, **size)
found = experiment("fig7", 1, **size)
print(peak() - before, found.kind.memory(found.setting))
"""


def grown(method, dtype, n, d, m):
    """Bytes by which the peak grew with the training, and the estimate."""
    arguments = [method, dtype, str(n), str(d), str(m)]
    ended = subprocess.run([sys.executable, "-c", MEASURE, *arguments], check=True, capture_output=True, text=True)
    return [float(word) for word in ended.stdout.split()]


@pytest.mark.benchmark
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_memory_of_both_ways(capsys, dtype):
    """At n = d = 10^4, m = 500; twice the samples, or any dimension of Gram space, cost nothing."""
    item, block, m = np.dtype(dtype).itemsize, 1024, 500
    cases = [
        ("gram", 10**4, 10**4, 2 * item * (m + 1) * block + 12 * 8 * (m + 1) ** 2),
        ("gram", 2 * 10**4, 10**9, 2 * item * (m + 1) * block + 12 * 8 * (m + 1) ** 2),
        ("direct", 10**4, 10**4, 2 * item * (m + 1) * 10**4 + 2**26 + 4 * 8 * (m + 1) ** 2),
        ("direct", 2 * 10**4, 10**4, 2 * item * (m + 1) * 10**4 + 2**26 + 4 * 8 * (m + 1) ** 2),
    ]
    for method, n, d, stated in cases:
        seen, estimate = grown(method, dtype, n, d, m)
        with capsys.disabled():
            print(
                f"\n{dtype}, {method}, n = {n:g}, d = {d:g}: {1e-6 * seen:.0f} MB, estimated {1e-6 * estimate:.0f} MB"
            )
        assert estimate == pytest.approx(stated, rel=0.02)
        assert 0.5 * estimate < seen < 1.1 * estimate + 1e7
