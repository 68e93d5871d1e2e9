"""The parts of a step, each against an independent calculation."""

import math

import numpy as np
import pytest
from numpy.polynomial import hermite_e
from scipy import stats

import fastslow as fs
from fastslow.core import hermite, normals
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sgd.linalg import factor
from fastslow.sgd.network import Network
from fastslow.sgd.streams import Streams

C, C_STAR = [1, "-1/2", "1/3", 0, "1/20"], [1, -1, "1/2", "1/7", 0]


def state(seed):
    words = np.random.SeedSequence(seed).generate_state(int(np.prod(normals.STATE_SHAPE)), np.uint64)
    return words.reshape(normals.STATE_SHAPE)


@pytest.mark.parametrize(("fill", "kind"), [(normals.fill64, np.float64), (normals.fill32, np.float32)])
def test_normal_numbers(fill, kind):
    z = np.empty(2_000_003, kind)
    fill(state(1), z)
    x = z.astype(np.float64)
    assert stats.kstest(x, "norm").pvalue > 1e-4 and stats.kstest(x[-1000:], "norm").pvalue > 1e-4
    for power in range(1, 9):
        moment = math.prod(range(1, power, 2)) if power % 2 == 0 else 0
        spread = math.sqrt(math.prod(range(1, 2 * power, 2)) - moment**2)
        assert abs(np.mean(x**power) - moment) < 4.5 * spread / len(x) ** 0.5
    assert abs((np.abs(x) > 4.0).sum() / (2.0 * stats.norm.sf(4.0) * len(x)) - 1.0) < 0.4
    # The two of a pair, the lanes, the streams
    for lag in (1, 16, 128, 256, -(-len(x) // normals.STREAMS)):
        for y in (x, x**2 - 1.0, np.abs(x) - math.sqrt(2.0 / math.pi)):
            product = y[lag:] * y[:-lag]
            assert abs(product.mean()) < 4.5 * product.std() / len(product) ** 0.5


def test_normal_numbers_continue_and_do_not_repeat():
    one, two = state(1), state(1)
    whole, parts = np.empty(5000), [np.empty(5000), np.empty(5000)]
    normals.fill64(one, whole)
    normals.fill64(two, parts[0])
    normals.fill64(two, parts[1])
    assert (whole == parts[0]).all() and not np.isin(parts[1], whole).any()
    assert len(np.unique(whole)) == 5000
    for size in (0, 1, 7, 129):
        normals.fill64(one, np.empty(size))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_residuals_equal_the_formulas(kind):
    network, rng, n, m = Network.of(fs.TwoLayer(C, C_STAR)), np.random.default_rng(2), 53, 11
    pre, noise, a = rng.standard_normal((n, m + 1)).astype(kind), rng.standard_normal(n), rng.standard_normal(m)
    slopes, groups = pre.copy(), -(-n // hermite.GROUP)
    gradients, losses = np.empty((groups, m + 1), kind), np.empty(groups)
    hermite.residuals(
        slopes,
        noise,
        np.append(0.0, a).astype(kind),
        network.table(np.dtype(kind).name),
        network.b_star,
        gradients,
        losses,
    )
    c, c_star = ([0.0, *map(float, v)] for v in (fs.TwoLayer(C, C_STAR).c, fs.TwoLayer(C, C_STAR).c_star))
    u = pre.astype(np.float64)
    sigma, slope = hermite_e.hermeval(u[:, 1:], c), hermite_e.hermeval(u[:, 1:], hermite_e.hermeder(c))
    r = hermite_e.hermeval(u[:, 0], c_star) + noise - sigma @ a / m
    tolerance = {"rtol": 1e-12, "atol": 1e-11} if kind is np.float64 else {"rtol": 1e-5, "atol": 1e-4}
    np.testing.assert_allclose(slopes[:, 1:], r[:, None] * a * slope, **tolerance)
    np.testing.assert_allclose(gradients.sum(0)[1:], r @ sigma, **tolerance)
    np.testing.assert_allclose(losses.sum(), r @ r, **tolerance)
    assert (slopes[:, 0] == 0.0).all()


def test_high_orders_are_stable():
    """h_60 at 3 by the recursion against exact integers."""
    he = [1, 3]
    for k in range(1, 60):
        he.append(3 * he[k] - k * he[k - 1])
    b = np.zeros(60)
    b[-1] = 1.0
    assert hermite.series(b, 3.0) == pytest.approx(he[60] / math.sqrt(math.factorial(60)), rel=1e-12)


def test_test_loss_at_unit_norms_is_the_formula():
    model, rng, m = fs.TwoLayer(C, C_STAR, noise="1/2"), np.random.default_rng(3), 5
    vectors = rng.standard_normal((4, m + 1))
    vectors /= np.linalg.norm(vectors, axis=0)
    gram, a = vectors.T @ vectors, rng.standard_normal(m)
    weights = [math.factorial(k) * float(v) ** 2 for k, v in enumerate(model.c, 1)]
    overlap = sum(w * gram[1:, 1:] ** k for k, w in enumerate(weights, 1))
    expected = 0.5 * (float(model.teacher_norm) - 2 / m * a @ model.S(gram[0, 1:]) + a @ overlap @ a / m**2) + 0.125
    assert Network.of(model).test_loss(gram, a) == pytest.approx(expected, rel=1e-12)


def test_test_loss_at_any_norms_is_the_integral():
    network, gram, a = Network.of(fs.TwoLayer(C, C_STAR)), np.array([[1.3, 0.4], [0.4, 0.7]]), np.array([1.7])
    x, weight = hermite_e.hermegauss(40)
    root = np.linalg.cholesky(gram)
    u = np.einsum("ij,jkl->ikl", root, np.stack(np.meshgrid(x, x, indexing="ij")))
    c, c_star = ([0.0, *map(float, v)] for v in (fs.TwoLayer(C, C_STAR).c, fs.TwoLayer(C, C_STAR).c_star))
    residual = hermite_e.hermeval(u[0], c_star) - 1.7 * hermite_e.hermeval(u[1], c)
    expected = 0.5 * weight @ residual**2 @ weight / (2.0 * math.pi)
    assert network.test_loss(gram, a) == pytest.approx(expected, rel=1e-11)


def test_normalised_coefficients_are_the_same_network():
    plain = Network.of(fs.TwoLayer(C, C_STAR))
    b, b_star = plain.b.tolist(), plain.b_star.tolist()
    b_star += [0] * (len(b) - len(b_star))
    other = Network.of(fs.TwoLayer(b, b_star, normalised=True))
    np.testing.assert_allclose(other.b, plain.b, rtol=1e-14)
    np.testing.assert_allclose(other.b_star, plain.b_star, rtol=1e-14)
    np.testing.assert_allclose(plain.b[:3], [1.0, -0.5 * 2**0.5, 6**0.5 / 3], rtol=1e-14)
    assert len(plain.b_star) == 4


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_factors_of_semidefinite_matrices(rank):
    rows = np.random.default_rng(4).standard_normal((6, rank))
    matrix = np.asfortranarray(rows @ rows.T)
    root, triangular = factor(matrix)
    np.testing.assert_allclose(root @ root.T, matrix, atol=1e-13 * matrix.max())
    assert triangular == (rank == 6) and root.shape[1] >= rank


@pytest.mark.parametrize(("rows", "dof"), [(4, 9), (4, 4), (4, 2), (4, 0)])
def test_wishart_factor(rows, dof):
    streams = Streams(np.random.SeedSequence(5))
    many = np.array([t @ t.T for t in (streams.wishart_factor(rows, dof) for _ in range(4000))])
    np.testing.assert_allclose(many.mean(0), dof * np.eye(rows), atol=0.3)
    if dof:
        assert np.linalg.matrix_rank(many[0]) == min(rows, dof)
        # every diagonal element is a chi-square, and (1, 1)(Wishart) is one for the last row just as for the first
        for k in range(rows):
            assert stats.kstest(many[:, k, k], stats.chi2(dof).cdf).pvalue > 1e-4
        spread = many.sum((1, 2)) / rows
        assert stats.kstest(spread, stats.chi2(dof).cdf).pvalue > 1e-4


def test_gram_matrix_stays_symmetric_of_unit_diagonal_and_semidefinite():
    network = Network.of(fs.TwoLayer(C, C_STAR))
    for n, d, m in ((50, 40, 6), (4, 40, 9), (50, 10, 8), (50, 10**9, 6)):
        learner = GramSGD(network, Setting(n, d, m, 0.3, 1.0, "float64"), np.random.SeedSequence(6))
        teacher = learner.gram()[0, 0]
        for _ in range(30):
            learner.step()
            gram = learner.gram()
            assert (gram == gram.T).all() and (np.diag(gram)[1:] == 1.0).all()
            assert gram[0, 0] == pytest.approx(teacher, rel=1e-12)
            assert np.linalg.eigvalsh(gram)[0] > -1e-13


def test_exactly_dependent_neurons_go_on():
    """All students equal to the teacher: a Gram matrix of rank one, l'l of rank one."""
    network = Network.of(fs.TwoLayer(C, C, noise="1/10"))
    learner = GramSGD(network, Setting(200, 50, 8, 1e-3, 1.0, "float64"), np.random.SeedSequence(7))
    learner.matrix = np.ones((9, 9), order="F")
    for _ in range(20):
        learner.step()
    gram = learner.gram()
    # They share their noise: all stay equal, and near the teacher.
    assert np.abs(gram[1:, 1:] - 1.0).max() < 1e-9 and gram[0, 1:].min() > 0.99
    assert np.abs(learner.a - learner.a[0]).max() < 1e-9
