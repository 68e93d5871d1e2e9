"""Speed of a step of SGD, in processor time: against the other way, and as a part of the rate of a matrix product.

One thread and the time of the processor, not of the clock, so that other programs on the machine count little.
"""

import time

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd.direct import DirectSGD
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sgd.linalg import Blas
from fastslow.sgd.network import Network
from fastslow.sgd.threads import threads

N, D, M = 10_000, 10_000, 500
NETWORK = Network.of(fs.TwoLayer([1, 1, 1], [1, -2, 1]))


def seconds(work, repeats):
    """Median time of the processor."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.thread_time()
        work()
        times.append(time.thread_time() - begin)
    return float(np.median(times))


def product_rate(dtype):
    """Operations a second of a product of the sizes of a step."""
    blas, rng = Blas(dtype), np.random.default_rng(0)
    a = np.asfortranarray(rng.standard_normal((M, 4 * M)), dtype=dtype)
    into = np.zeros((M, M), dtype, order="F")
    return 2.0 * M * M * 4 * M / seconds(lambda: blas.add_outer(1.0, a, a, into), 15)


def learner(kind, dtype, d=D):
    return kind(NETWORK, Setting(N, d, M, 1.0, 1.0, dtype), np.random.SeedSequence(0))


@pytest.mark.benchmark
@pytest.mark.parametrize(("dtype", "least"), [("float64", 10.0), ("float32", 8.0)])
def test_gram_step_against_the_direct_step(capsys, dtype, least):
    """At n = d = 10^4, m = 500, the sizes of Figure 7."""
    with threads(1):
        gram, rate = seconds(learner(GramSGD, dtype).step, 7), product_rate(dtype)
        direct = seconds(learner(DirectSGD, dtype).step, 3)
    part = 4.0 * N * M**2 / gram / rate
    with capsys.disabled():
        print(
            f"\n{dtype}: Gram step {1e3 * gram:.0f} ms ({100 * part:.0f} % of the rate of a product, "
            f"{1e-9 * rate:.0f} Gflop/s), direct step {1e3 * direct:.0f} ms "
            f"({400 * N * D * M / direct / rate:.0f} %); ratio {direct / gram:.1f}"
        )
    assert part >= 0.5
    assert direct / gram >= least


@pytest.mark.benchmark
@pytest.mark.parametrize(("dtype", "most"), [("float64", 1.0), ("float32", 1.2)])
def test_direct_step_against_pytorch(capsys, dtype, most):
    """PyTorch with samples of its own generator, which is how one would write it, and with ours."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from fastslow.sgd.torch_direct import TorchSGD

    with threads(1):
        ours, peers = learner(DirectSGD, dtype), [learner(TorchSGD, dtype), learner(TorchSGD, dtype)]
        peers[0]._generator = torch.Generator()
        first, *others = (seconds(one.step, 3) for one in (ours, *peers))
    with capsys.disabled():
        print(
            f"\n{dtype}: direct step {1e3 * first:.0f} ms; PyTorch {1e3 * others[0]:.0f} ms with its own normal "
            f"numbers, {1e3 * others[1]:.0f} ms with ours; ratio {first / others[0]:.2f}"
        )
    assert first <= most * others[0]


@pytest.mark.benchmark
def test_the_dimension_costs_nothing(capsys):
    with threads(1):
        small, large = (seconds(learner(GramSGD, "float64", d).step, 7) for d in (D, 10**9))
    with capsys.disabled():
        print(f"\nd = 10^4: {1e3 * small:.0f} ms, d = 10^9: {1e3 * large:.0f} ms")
    assert large < 1.3 * small
