"""Many small replicas of the two ways of SGD, and what is compared between them."""

import numpy as np
from scipy import stats

import fastslow as fs
from fastslow.sgd.direct import DirectSGD
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sgd.network import Network
from fastslow.sgd.threads import threads

NAMES = ("R", "Q", "a", "train loss", "test loss", "volume")
NETWORK = Network.of(fs.TwoLayer([1, "1/2", "1/3"], [1, -1, "1/2"], noise="1/2", slow_rate="3/2"))


def statistics(kind, setting, replicas, seed, steps=2, network=NETWORK):
    """One alignment, overlap and second-layer weight, the losses and log det G of each replica after some steps."""
    found = np.empty((replicas, len(NAMES)))
    with threads(1):
        for row, seeds in zip(found, np.random.SeedSequence(seed).spawn(replicas), strict=True):
            learner = kind(network, setting, seeds)
            for _ in range(steps):
                loss = learner.step()
            gram = learner.gram()
            volume = np.linalg.slogdet(gram)[1]
            row[:] = gram[0, 1], gram[1, 2], learner.a[0], loss, network.test_loss(gram, learner.a), volume
    return found


def p_values(one, other):
    """Kolmogorov-Smirnov p-value of each statistic."""
    return np.array([stats.ks_2samp(x, y, method="asymp").pvalue for x, y in zip(one.T, other.T, strict=True)])


CASES = {
    "n > m, d > 2m + 1": Setting(12, 10, 3, 0.7, 1.0, "float64"),
    "n < m": Setting(3, 16, 5, 0.7, 1.0, "float64"),
    "n = m": Setting(4, 12, 4, 0.7, -1.0, "float64"),
    "d just above 2m + 1": Setting(9, 10, 4, 0.7, 1.0, "float64"),
    "m + 1 < d < 2m + 1": Setting(9, 8, 5, 4.0, 1.0, "float64"),
    "d = m + 2": Setting(9, 6, 4, 6.0, 1.0, "float64"),
    "single precision": Setting(9, 10, 3, 0.7, 1.0, "float32"),
    "n < m, d < 2m + 1": Setting(3, 8, 5, 0.7, 1.0, "float64"),
}
KINDS = {"gram": GramSGD, "direct": DirectSGD}
