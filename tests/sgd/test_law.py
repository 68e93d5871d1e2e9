"""The two ways of SGD have the same law, and a wrong factor in one of them would be seen."""

import functools

import numpy as np
import pytest

from fastslow.sgd import direct as direct_module
from fastslow.sgd import gram as gram_module
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sgd.streams import Streams
from tests.sgd.ensembles import CASES, KINDS, NAMES, NETWORK, p_values, statistics

REPLICAS = 2000
ALL_PASS = 1e-4
"""Chance that any of the comparisons of a correct program fails, were the seeds not fixed."""
LEAST = ALL_PASS / (len(CASES) * len(NAMES))


@functools.cache
def direct(case):
    return statistics(KINDS["direct"], CASES[case], REPLICAS, 1)


@pytest.mark.parametrize("case", CASES)
def test_gram_space_has_the_law_of_the_weights(case):
    values = p_values(statistics(KINDS["gram"], CASES[case], REPLICAS, 2), direct(case))
    assert values.min() > LEAST, dict(zip(NAMES, values, strict=True))


def test_several_blocks_of_samples_are_one_batch(monkeypatch):
    setting = Setting(150, 10, 3, 1.0, 1.0, "float64")
    whole = statistics(KINDS["gram"], setting, REPLICAS // 2, 1)
    monkeypatch.setattr(gram_module, "BLOCK", 64)
    monkeypatch.setattr(direct_module, "_BLOCK_BYTES", 1)
    assert direct_module.block_size(setting) == 64
    for kind in KINDS.values():
        assert p_values(statistics(kind, setting, REPLICAS // 2, 2), whole).min() > LEAST


def _no_rest(monkeypatch):
    outside = GramSGD._outside
    monkeypatch.setattr(GramSGD, "_outside", lambda *arguments: 0.0 * outside(*arguments))


def _one_degree_more(monkeypatch):
    outside = GramSGD._outside
    monkeypatch.setattr(GramSGD, "_outside", lambda self, s, q, dof, rate: outside(self, s, q, dof + 1, rate))


def _one_degree_less(monkeypatch):
    outside = GramSGD._outside
    monkeypatch.setattr(GramSGD, "_outside", lambda self, s, q, dof, rate: outside(self, s, q, dof - 1, rate))


def _larger_noise(monkeypatch):
    noise = Streams.noise
    monkeypatch.setattr(Streams, "noise", lambda self, count, scale: noise(self, count, 1.5 * scale))


def _half_the_drift(monkeypatch):
    normalised = GramSGD._normalised
    monkeypatch.setattr(
        GramSGD, "_normalised", lambda self, inside, rest: normalised(self, 0.5 * (inside + self.before), rest)
    )
    step = GramSGD.step

    def remembering(self):
        from fastslow.sgd.linalg import factor

        self.before = factor(self.matrix)[0].T
        return step(self)

    monkeypatch.setattr(GramSGD, "step", remembering)


def _teacher_of_unit_norm(monkeypatch):
    start = GramSGD.__init__

    def normalised(self, *arguments):
        start(self, *arguments)
        scale = np.ones(len(self.matrix))
        scale[0] = 1.0 / np.sqrt(self.matrix[0, 0])
        self.matrix = np.asfortranarray(self.matrix * np.outer(scale, scale))

    monkeypatch.setattr(GramSGD, "__init__", normalised)


@pytest.mark.parametrize(
    ("mutation", "case"),
    [
        (_no_rest, "n > m, d > 2m + 1"),
        (_no_rest, "n < m"),
        (_one_degree_more, "d = m + 2"),
        (_one_degree_less, "m + 1 < d < 2m + 1"),
        (_larger_noise, "n > m, d > 2m + 1"),
        (_half_the_drift, "n > m, d > 2m + 1"),
        (_teacher_of_unit_norm, "d just above 2m + 1"),
    ],
)
def test_a_wrong_term_is_detected(mutation, case, monkeypatch):
    expected = direct(case)
    mutation(monkeypatch)
    assert p_values(statistics(GramSGD, CASES[case], REPLICAS, 2), expected).min() < LEAST


def test_expected_drift_is_the_gradient_of_the_test_loss():
    """E[a-step] = -slow_rate gamma dE/da_i and E[<w_j, first-layer step of w_i>]/d = -gamma dE/de, w_i + e w_j."""
    setting, replicas = Setting(8, 30, 3, 0.6, 1.0, "float64"), 6000
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((6, 4))
    gram, a = vectors.T @ vectors / 6, np.array([1.0, -0.5, 2.0])
    steps, moves = np.empty((replicas, 3)), np.empty((replicas, 4, 4))
    for k, seed in enumerate(np.random.SeedSequence(6).spawn(replicas)):
        learner = GramSGD(NETWORK, setting, seed)
        learner.matrix, learner.a = np.asfortranarray(gram), a.copy()
        seen = []
        learner._normalised = lambda inside, rest, seen=seen: seen.append(inside) or gram
        learner.step()
        steps[k], moves[k] = learner.a - a, np.linalg.cholesky(gram) @ seen[0] - gram

    def slope(change, step=1e-4):
        return (change(step) - change(-step)) / (2.0 * step)

    def moved(i, j):
        def change(step):
            basis = np.eye(4)
            basis[j, i] += step
            return NETWORK.test_loss(basis.T @ gram @ basis, a)

        return change

    drift_a = [-1.5 * 0.6 * slope(lambda e, i=i: NETWORK.test_loss(gram, a + e * np.eye(3)[i])) for i in range(3)]
    drift_w = np.array([[-0.6 * slope(moved(i, j)) if i else 0.0 for i in range(4)] for j in range(4)])
    scores_a = (steps.mean(0) - drift_a) / (steps.std(0) / replicas**0.5)
    scores_w = (moves.mean(0) - drift_w)[:, 1:] / (moves.std(0)[:, 1:] / replicas**0.5)
    assert np.abs(np.append(scores_a, scores_w)).max() < 4.5
    assert (np.abs(drift_w[:, 1:]) > 10.0 * moves.std(0)[:, 1:] / replicas**0.5).sum() >= 6
    assert np.abs(moves[:, :, 0]).max() < 1e-12


def test_the_drift_of_a_wide_batch_is_that_of_the_ode():
    """From R = 0 the two-variable system moves by tau a0 c*_1 c_1 and tau g(0, a0) = 0, up to 1/m and tau^2."""
    m, gamma, a0 = 200, 1.0, 0.5
    learner = GramSGD(NETWORK, Setting(20_000, 10_000, m, gamma, a0, "float64"), np.random.SeedSequence(3))
    before = learner.gram()[0, 1:].mean()
    learner.step()
    # d R/d tau = a S'(0) = a c*_1 c_1
    assert (learner.gram()[0, 1:].mean() - before) * m / gamma == pytest.approx(a0, rel=0.15)
