"""SGD with the activation itself in place of its Hermite series."""

import math

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd.batch_noise import batch_noise
from fastslow.sgd.exact_activation import ExactActivation
from fastslow.sgd.finite_width_equilibria import equilibria
from fastslow.sgd.network import Batch, Network

ERF = "erf(x/sqrt(2))"


def kernel(name, gram):
    """E[sigma(u_i) sigma(u_j)], not centred: the arc-cosine and the arc-sine kernel, for u ~ N(0, gram)."""
    variance = np.diag(gram)
    if name == ERF:
        return 2.0 / math.pi * np.arcsin(gram / np.sqrt(np.outer(1.0 + variance, 1.0 + variance)))
    scale = np.sqrt(np.outer(variance, variance))
    rho = np.clip(gram / scale, -1.0, 1.0)
    return scale * (np.sqrt(1.0 - rho**2) + rho * (math.pi - np.arccos(rho))) / (2.0 * math.pi)


@pytest.mark.parametrize("spread", [1.0, 0.1])
@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("name", ["relu", ERF])
def test_the_test_loss_is_that_of_the_closed_kernels(name, unit, spread):
    """Where the link is u, E[u sigma(s z)] is the covariance times 1/2 (ReLU), or sqrt(2/pi)/sqrt(1 + s^2) (erf)."""
    rng, m = np.random.default_rng(4), 5
    # neurons that are almost alike are where a hundred orders of ReLU are too few
    vectors = rng.standard_normal((9, 1)) * (1.0 - spread) + spread * rng.standard_normal((9, m + 1))
    vectors /= np.linalg.norm(vectors, axis=0) * (np.ones(m + 1) if unit else rng.uniform(0.8, 1.2, m + 1))
    gram, a = vectors.T @ vectors, rng.standard_normal(m)
    # a trace of a second term, which TwoLayer asks for and which changes the loss by less than the tolerance
    network = Network.of(fs.two_layer(name, "he1 + 1e-9*he2 + 1e-9*he3", order=3, noise="1/2"), exact_activation=True)
    students, variance = gram[1:, 1:], np.diag(gram)[1:]
    own = kernel(name, students)
    slope = np.full(m, 0.5)
    if name == ERF:
        slope = np.sqrt(2.0 / math.pi) / np.sqrt(1.0 + variance)
    else:
        mean, means = 1.0 / math.sqrt(2.0 * math.pi), np.sqrt(variance / (2.0 * math.pi))
        own = own - mean * (means[:, None] + means) + mean**2
    expected = 0.5 * (gram[0, 0] - 2.0 / m * a @ (slope * gram[0, 1:]) + a @ own @ a / m**2) + 0.125
    assert network.test_loss(gram, a) == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_polynomial_itself_is_its_series(kind):
    network, rng, m = fs.two_layer("he1 - he2/2 + he3/3", "he1 - he2", noise="1/2"), np.random.default_rng(5), 7
    pre, noise, a = rng.standard_normal((33, m + 1)).astype(kind), rng.standard_normal(33), rng.standard_normal(m)
    found = []
    for exact in (False, True):
        batch, slopes = Batch(Network.of(network, exact), m, kind), pre.copy()
        batch.begin(a)
        batch.add(slopes, noise)
        found.append((slopes, batch.gradient, batch.loss))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=1e-11 if kind == "float64" else 1e-4, atol=1e-10 if kind == "float64" else 1e-3
        )


@pytest.mark.parametrize(("name", "link", "order"), [("relu", "he1 + he2/2", 15), (ERF, "he1 - he3/4", 5)])
def test_students_follow_the_finite_width_prediction(name, link, order):
    """An ensemble with ReLU or erf itself against the system of the series: mean R and a within 4 standard errors."""
    network, size = fs.two_layer(name, link, order=order), {"m": 20, "gamma": 0.1}
    run = fs.simulate_sgd(
        network, 1, n=400, d=2000, steps=400, every=100, replicas=12, seed=3, exact_activation=True, **size
    )
    course = fs.finite_width(network, delta=400 / 2000, **size).solve(1, run.tau)
    for column in ("R", "a"):
        values, own = run.course(f"{column}_mean")[:, 1:], getattr(course, column)[1:]
        z = (values.mean(0) - own) / (values.std(0, ddof=1) / math.sqrt(12))
        assert np.abs(z).max() < 4.0, (column, z)
    # the loss of the batches, with samples, is that of the Gram matrix, without
    gaps = run.course("train_loss")[:, 1:].mean() / run.course("test_loss")[:, 1:].mean() - 1.0
    assert abs(gaps) < 0.05


def test_noise_of_a_lower_order_is_that_of_the_shorter_model():
    """All but a part of order 1/m in the residual, a second moment, which keeps the whole series."""
    long, short = (fs.two_layer("relu", "he1 + he2/2", order=k) for k in (8, 4))
    state, options = (0.95, 0.91, 1.5), {"m": 20, "delta": 0.2}
    options["exact_activation"] = False
    own = [fs.finite_width(s, gamma=0.3, **options) for s in (long, short)]
    still = [fs.finite_width(s, gamma=0.0, **options) for s in (long, short)]
    noise = [noisy.rates(state)[0] - plain.rates(state)[0] for noisy, plain in zip(own, still, strict=True)]
    cut = own[0].with_noise_of(4)
    np.testing.assert_allclose(cut.rates(state)[0] - still[0].rates(state)[0], noise[1], rtol=1e-3, atol=1e-6)
    assert not np.allclose(noise[0], noise[1], rtol=0.05)
    np.testing.assert_array_equal(own[0].with_noise_of(8).parameters, own[0].parameters)


def test_noise_of_rare_samples_is_named_as_the_cause():
    """A network trained as a long series meets less noise than its moments say."""
    network, size = fs.two_layer("relu", "he1 + he2/2", order=12), {"n": 300, "d": 600, "m": 10, "gamma": 0.1}
    series = fs.validate(network, 1, **size, steps=300, replicas=8)
    assert series.level("finite width").consistent is False and series.explained
    assert "has noise from rare samples; that of the first 6 orders moves R by" in series.explanation


@pytest.mark.parametrize("R", [0.0, -0.7, 0.999])
@pytest.mark.parametrize("name", ["relu", ERF])
def test_noise_of_a_function_has_its_closed_form(name, R):
    """E[sigma'(u) sigma'(u')] at correlation R^2, and for the link u E[(z^2 + noise^2) sigma'(u)^2]."""
    network = Network.of(fs.two_layer(name, "he1 + 1e-9*he2 + 1e-9*he3", order=3, noise="1/2"))
    noise = batch_noise(ExactActivation.of_text(name), network)
    A0, *_, C = noise.at(np.array([R]))[:, 0]
    if name == ERF:  # sigma'^2 = (2/pi) exp(-u^2), whose mean over z comes with E[z^2] = 1 - 2 R^2/3
        expected = [2 / math.pi / math.sqrt(3) * (1.25 - 2 * R**2 / 3), 2 / math.pi / math.sqrt(4 - R**4)]
    else:
        expected = [1.25 / 2, (math.pi - math.acos(R**2)) / (2 * math.pi)]
    assert pytest.approx(expected, rel=1e-7) == [A0, C]
    assert noise.steepness == pytest.approx(0.5 if name == "relu" else 2 / math.pi / math.sqrt(3), rel=1e-9)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_noise_of_a_function_is_its_definition(name):
    """D1 = a^2 E[rho psi] and D2 = a^2 E[rho mu^2] by samples: a mean over x for every factor."""
    system, state, m = fs.two_layer(name, "he1 - he2/2", order=9, noise="1/2"), (0.8, 0.7, 1.3), 10
    noisy, quiet = (fs.finite_width(system, m, gamma, 0.2) for gamma in (0.3, 0.0))
    R, Q, a = state
    found = (noisy.rates(state)[0] - quiet.rates(state)[0])[:2] / noisy.noise_rate
    rng, activation = np.random.default_rng(6), ExactActivation.of(system)
    z, x = rng.standard_normal(400_000), rng.standard_normal((4, 400_000))
    value, slope = activation(R * z + math.sqrt(1 - R**2) * x)
    gaps = z - (z**2 - 1) / 2 - a * value
    spread = a**2 / m * float(sum(system.t) - sum(v * R ** (2 * k) for k, v in enumerate(map(float, system.t), 1)))
    rho = gaps[0] * gaps[1] + 0.25 + spread
    D1, D2 = a**2 * rho * slope[2] ** 2, a**2 * rho * slope[2] * slope[3]
    for samples, own in ((-0.5 * D1 * R, found[0]), (D2 - D1 * Q, found[1])):
        assert abs(samples.mean() - own) < 4 * samples.std() / math.sqrt(len(z)) < 0.05 * abs(own) + 0.01


def test_noise_of_a_polynomial_is_that_of_its_series():
    system, state = fs.two_layer("he1 - he2/2 + he3/3", "he1 - he2", noise="1/2"), (0.6, 0.5, -1.1)
    series, function = (fs.finite_width(system, 9, 0.4, 0.5, exact_activation=e) for e in (False, True))
    for own, other in zip(series.rates(state), function.rates(state), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-6, atol=1e-8)
    assert fs.finite_width(system, 9, 0.4).noise is None  # the series is all of it


def test_equilibria_with_the_noise_of_relu_are_proved():
    network = fs.finite_width(fs.two_layer("relu", "he1 + he2/2", order=8), 20, 0.1, 0.2)
    found, complete = equilibria(network)
    assert complete and len(found) == 2 and all(e.certified and e.stability == "stable" for e in found)
    assert max(np.abs(network.rates(e.state)[0]).max() for e in found) < 1e-9
    rest = network.rest(1)
    assert found[1].state == pytest.approx([rest.R, rest.Q, rest.a], rel=1e-7)


def test_noise_without_a_fourth_moment_is_refused():
    network = fs.two_layer("x + exp(x**2/7)", "he1 + he2")
    with pytest.raises(fs.InputError, match="fourth moments"):
        fs.finite_width(network, 10, 0.1).rates((0.5, 0.4, 1.0))
    assert np.isfinite(fs.finite_width(network, 10).rates((0.5, 0.4, 1.0))[0]).all()


def test_processes_and_both_methods_train_the_activation_itself():
    network = fs.two_layer("relu", "he1 + he2", order=2)
    size = {"n": 40, "d": 60, "m": 4, "steps": 4, "gamma": 0.5, "replicas": 2}
    for method in ("gram", "direct"):
        exact, series = (fs.simulate_sgd(network, 1, **size, method=method, exact_activation=e) for e in (True, False))
        assert not np.allclose(exact.a, series.a, rtol=1e-4) and np.allclose(exact.a, series.a, rtol=0.2)
        again = fs.sgd_ensemble(network, 1, **size, method=method, exact_activation=True)
        np.testing.assert_array_equal(again.records, exact.records)


@pytest.mark.parametrize(
    ("model", "options", "field"),
    [
        (fs.TwoLayer([1, 1], [1, 1]), {}, "exact_activation"),
        (fs.two_layer(np.tanh, "he1 + he3"), {}, "exact_activation"),
        (fs.two_layer("x + sign(x - 1)", "he1 + he2"), {}, "exact_activation"),
        (fs.two_layer("relu", "he1 + he2"), {"method": "direct", "backend": "torch"}, "backend"),
    ],
)
def test_an_activation_that_cannot_be_evaluated_is_refused(model, options, field):
    pytest.importorskip("torch") if "backend" in options else None
    with pytest.raises(fs.InputError) as error:
        fs.simulate_sgd(model, 1, n=10, d=10, m=2, steps=1, exact_activation=True, **options)
    assert error.value.field == field
