"""The levels between two variables and SGD: three variables, finite steps, neurons one by one."""

import numpy as np
import pytest
from numpy.polynomial import hermite_e

import fastslow as fs
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Setting
from fastslow.sgd.network import Network
from fastslow.sgd.neurons import random_overlaps
from fastslow.sgd.threads import threads

FIG7 = fs.TwoLayer([1, 1, 1], [1, -2, 1])
ODD = fs.TwoLayer([1, "1/2", 0, "-1/5"], ["3/2", -1, "1/2", 0], noise="1/2", slow_rate="3/2")
STATE = np.array([0.35, 0.3, -1.4])


def series(c, x, derivative=0):
    return hermite_e.hermeval(x, hermite_e.hermeder([0.0, *map(float, c)], derivative))


def plain_diffusion(system, m, R, a):
    """D1 and D2 of the definition, by quadrature on a grid in (z, x)."""
    x, w = hermite_e.hermegauss(40)
    w = w / w.sum()
    z, other, weight = x[:, None], x[None, :], w[None, :]
    u = R * z + np.sqrt(1 - R**2) * other
    mean, mu = ((series(system.c, u, k) * weight).sum(1) for k in (0, 1))
    psi = (series(system.c, u, 1) ** 2 * weight).sum(1)
    Y = [sum(float(v) * q**k for k, v in enumerate(system.t, start=1)) for q in (1.0, R**2)]
    rho = (series(system.c_star, x) - a * mean) ** 2 + float(system.noise) ** 2 + a**2 / m * (Y[0] - Y[1])
    return a**2 * (w * rho * psi).sum(), a**2 * (w * rho * mu**2).sum()


@pytest.mark.parametrize("system", [FIG7, ODD], ids=["fig7", "odd"])
def test_noise_terms_are_those_of_their_definition(system):
    noisy, quiet = (fs.finite_width(system, m=7, gamma=gamma, delta=0.4) for gamma in (0.3, 0.0))
    R, Q, a = STATE
    difference = (noisy.rates(STATE)[0] - quiet.rates(STATE)[0]) / noisy.noise_rate
    D1, D2 = plain_diffusion(system, 7, R, a)
    assert difference == pytest.approx([-0.5 * D1 * R, D2 - D1 * Q, 0.0], rel=1e-12, abs=1e-12)


def test_damping_of_the_start_has_its_closed_form():
    a, c, c_star = 1.3, np.ones(3), np.array([1.0, -2.0, 1.0])
    factorial = np.array([1.0, 2.0, 6.0])
    expected = a**2 * (factorial * c_star**2).sum() * (factorial * np.arange(1, 4) * c**2).sum()
    noisy, quiet = (fs.finite_width(FIG7, m=10**12, gamma=gamma, delta=1e-12) for gamma in (1.0, 0.0))
    slope = [system.rates([0.0, 0.0, a])[1][0, 0] for system in (noisy, quiet)]
    assert slope[0] - slope[1] == pytest.approx(-0.5 * expected, rel=1e-9)


@pytest.mark.parametrize("m", [1, 3, np.inf])
def test_jacobian_is_the_derivative(m):
    system = fs.finite_width(ODD, m=m, gamma=0.2).scaled(1.0, 1.0)
    if m == np.inf:
        system = fs.finite_width(ODD, m=5, gamma=0.2).scaled(0.0, 1.0)
    step = 1e-5 * np.eye(3)
    numeric = [(system.rates(STATE + e)[0] - system.rates(STATE - e)[0]) / 2e-5 for e in step]
    assert system.rates(STATE)[1] == pytest.approx(np.transpose(numeric), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("m", [1, 2, 5, 20])
def test_equal_neurons_one_by_one_are_the_three_variables(m):
    t = np.linspace(0.0, 3.0, 7)
    run = fs.simulate_neurons(ODD, 1, t, overlaps=np.eye(m + 1))
    symmetric = fs.finite_width(ODD, m=m).solve(1, t)
    assert run.done and symmetric.done
    assert abs(run.R - symmetric.R[:, None]).max() < 1e-7
    assert abs(run.a - symmetric.a[:, None]).max() < 1e-7
    assert m == 1 or run.Q_mean == pytest.approx(symmetric.Q, abs=1e-7)


def test_neurons_that_have_parted_keep_possible_correlations():
    run = fs.simulate_neurons("fig3-left", 4, np.linspace(0.0, 0.2, 5), overlaps=random_overlaps(12, 1000))
    assert run.done and np.linalg.eigvalsh(run.Q)[0] > -1e-12 and run.R[-1].std() > 0.1


def test_neurons_in_space_give_their_correlations():
    # gradient flow of the loss on vectors, as (16) says it for their correlations
    rng = np.random.default_rng(1)
    m, d, h = 3, 6, 1e-6
    v = rng.standard_normal((m + 1, d))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    a = np.array([0.7, -0.4, 1.1])
    s = np.array([0.0, *(float(x) for x in FIG7.s)])
    y = np.array([0.0, *(float(x) for x in FIG7.t)])

    def loss(v, a):
        u = v / np.linalg.norm(v, axis=1, keepdims=True)
        cross, own = u[1:] @ u[0], u[1:] @ u[1:].T
        return -(a * np.polyval(s[::-1], cross)).mean() + 0.5 * (np.outer(a, a) * np.polyval(y[::-1], own)).mean()

    moved = v.copy()
    for i in range(1, m + 1):
        for k in range(d):
            e = np.zeros_like(v)
            e[i, k] = h
            moved[i, k] -= m * 1e-4 * (loss(v + e, a) - loss(v - e, a)) / (2 * h)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    change = (moved @ moved.T - v @ v.T) / 1e-4
    run = fs.simulate_neurons(FIG7, a, [0.0, 1e-6], overlaps=v @ v.T)
    assert (run.R[1] - run.R[0]) / 1e-6 == pytest.approx(change[0, 1:], abs=5e-3)
    assert (run.Q - v[1:] @ v[1:].T) / 1e-6 == pytest.approx(change[1:, 1:], abs=5e-3)


def distance(one, other):
    return max(abs(one.R - other.R).max(), abs(one.a - other.a).max())


@pytest.mark.parametrize("what", ["width", "noise", "equation 8", "mean step", "neurons"])
def test_levels_come_down_to_two_variables_at_first_order(what):
    t = np.arange(0.0, 2.01, 0.25)
    exact = fs.simulate(FIG7, 1, 2.0, times=t)
    assert exact.status == "done"
    errors = []
    for m in (32, 64, 128) if what == "neurons" else (800, 1600, 3200):
        if what == "width":
            run = fs.finite_width(FIG7, m=m).solve(1, t)
        elif what == "noise":
            run = fs.finite_width(FIG7, m=m, gamma=0.05).scaled(0.0, 1.0).solve(1, t)
        elif what == "neurons":
            run = fs.simulate_neurons(FIG7, 1, t, overlaps=np.eye(m + 1), rtol=1e-6)
        else:
            quiet = fs.finite_width(FIG7, m=m, gamma=1).scaled(0.0, 0.0)
            run = quiet.iterate(1, np.rint(t * m).astype(int), equation_8=what == "equation 8")
        R, a = (np.reshape(v, (len(t), -1))[:, 0] for v in (run.R, run.a))
        errors.append(max(abs(R - exact.x).max(), abs(a - exact.y).max()))
    order = np.log2(np.divide(errors[:-1], errors[1:]))
    assert 0.85 < order[-1] < 1.1 and abs(order[-1] - 1) < abs(order[0] - 1) + 0.02


def test_three_variables_follow_sgd():
    """Within three standard errors of an ensemble, where two variables are not within thirty."""
    run = fs.simulate_sgd(FIG7, 1, n=1000, d=1000, m=20, gamma=0.1, steps=240, replicas=12, seed=3, every=60)
    system = fs.finite_width(FIG7, m=20, gamma=0.1, delta=1.0)
    ode = fs.simulate(FIG7, 1, float(run.tau[-1]), times=run.tau)
    for course, two in ((system.solve(1, run.tau), True), (system.iterate(1, run.step), False)):
        for name in ("R", "Q", "a"):
            values = run.course(f"{name}_mean")[:, 1:]
            error = values.std(axis=0, ddof=1) / np.sqrt(12)
            assert (abs(values.mean(axis=0) - getattr(course, name)[1:]) < 3 * error).all(), name
            if two and name == "a":
                assert (abs(values.mean(axis=0) - ode.y[1:]) > 30 * error).all()


def test_mean_step_is_that_of_large_batches():
    """One step of SGD at a large gamma, from equal neurons: not that of Euler."""
    m, gamma, start = 4, 1.0, (0.3, 0.2, 0.8)
    setting = Setting(100_000, 20, m, gamma, start[2], "float64")
    gram = np.full((m + 1, m + 1), start[1])
    gram[0], gram[:, 0] = start[0], start[0]
    np.fill_diagonal(gram, 1.0)
    rows = []
    for seeds in np.random.SeedSequence(7).spawn(8):
        learner = GramSGD(Network.of(FIG7), setting, seeds)
        learner.matrix, learner.a[:] = np.asfortranarray(gram), start[2]
        with threads(1):
            learner.step()
        G = learner.gram()
        rows.append([G[0, 1:].mean(), G[1:, 1:][np.triu_indices(m, 1)].mean(), learner.a.mean()])
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / np.sqrt(len(rows))
    system = fs.finite_width(FIG7, m=m, gamma=gamma, delta=setting.n / setting.d)
    course = system.iterate(start, [1])
    assert (abs(np.array([course.R[0], course.Q[0], course.a[0]]) - mean) < 4 * error).all()
    euler = np.array(start) + system.step_length * system.rates(start)[0]
    assert (abs(euler - mean)[:2] > 6 * error[:2]).all()


@pytest.mark.parametrize(("m", "fate"), [(500, "learning"), (1000, "learning"), (10**4, "unlearning")])
def test_width_decides_figure_6_right(m, fate):
    end = fs.finite_width("fig6-right", m=m).rest(5)
    assert end.settled and end.verdict == fate
    assert fs.analyze("fig6-right").orbits[0].verdict.ode == "unlearning"


@pytest.mark.parametrize(("name", "p", "K", "own"), [("fig6-right", 3, 2, 8), ("fig6-left", 4, 2, 5912)])
def test_width_ends_unlearning_at_the_height_of_its_law(name, p, K, own):
    """(m K / (Y(1) - c_1^2))^(1/p): overlaps rest at Q = R^2 - 1/m, which takes c_1^2/m off the self-interaction."""
    system = fs.TwoLayer([1] * 7, [1, 0, 0, 0, 0, 0, "1/2"]) if name == "fig6-left" else "fig6-right"
    gaps = []
    for m in (10**9, 10**12):
        end = fs.finite_width(system, m=m).rest(10)
        assert end.verdict == "unlearning"
        gaps.append(abs(end.a / (m * K / own) ** (1 / p) - 1))
        assert (end.R**2 - end.Q) * m == pytest.approx(1.0, rel=0.05)
    assert gaps[1] < 1e-3 and gaps[1] < gaps[0] / 5


def test_rest_is_an_attracting_equilibrium():
    system = fs.finite_width("fig7", m=500, gamma=1, delta=1)
    end = system.rest(1)
    du, jacobian = system.rates([end.R, end.Q, end.a])
    assert abs(du).max() < 1e-12 and np.linalg.eigvals(jacobian).real.max() < 0
    assert system.solve(1, [0.0, 1e4]).a[-1] == pytest.approx(end.a, rel=1e-6)


def test_a_state_that_the_noise_makes_is_named_so():
    """Figure 3 (left) learns; the noise of small batches holds it at a state that ends at a fold with less noise."""
    system = fs.finite_width("fig3-left", m=12, gamma=0.01)
    end = system.rest(4)
    assert end.verdict == "finite-size state" and end.settled and end.R < 0.5
    assert system.scaled(1, 0).rest(4).verdict == "learning"
    assert system.scaled(1, 1e-3).rest((end.R, end.Q, end.a)).verdict == "learning"


def test_a_teacher_longer_than_its_student_adds_noise_alone():
    short, long = fs.TwoLayer([1, 1, 0], [1, -1, 0]), fs.TwoLayer([1, 1, 0], [1, -1, 1])
    one, other = (fs.finite_width(s, m=9, gamma=0.5) for s in (short, long))
    assert one.scaled(1, 0).rates(STATE)[0] == pytest.approx(other.scaled(1, 0).rates(STATE)[0], rel=1e-14)
    D1 = plain_diffusion(long, 9, STATE[0], STATE[2])[0]
    difference = other.rates(STATE)[0] - other.scaled(1, 0).rates(STATE)[0]
    assert difference[0] == pytest.approx(-0.5 * other.noise_rate * D1 * STATE[0], rel=1e-12)


def test_steps_in_pieces_are_steps_at_once(monkeypatch):
    system = fs.finite_width(ODD, m=10, gamma=0.5)
    step = [0, 3, 7, 10, 11, 25]
    whole = system.iterate(1, step)
    monkeypatch.setattr("fastslow.sgd.finite_width._PIECE", 5)
    pieces = system.iterate(1, step)
    assert (pieces.R == whole.R).all() and (pieces.a == whole.a).all() and len(whole.R) == 6
    u = np.array([0.0, 0.0, 1.0])
    for _ in range(3):
        u = u + system.step_length * fs.finite_width(ODD, m=1e300).rates(u)[0]
    assert system.iterate(1, [3], equation_8=True).a[0] == pytest.approx(u[2], rel=1e-13)


def test_divergence_is_said():
    course = fs.finite_width("fig7", m=2, gamma=50).iterate(30, np.arange(400), equation_8=True)
    assert not course.done and course.sentence.startswith("Diverged before step")
    assert np.isfinite(course.a).all()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: fs.finite_width("van_der_pol", m=3), "model"),
        (lambda: fs.finite_width("fig7", m=0.5), "m"),
        (lambda: fs.finite_width("fig7", m=3, gamma=-1), "gamma"),
        (lambda: fs.finite_width("fig7", m=3, delta=0), "delta"),
        (lambda: fs.finite_width("fig7", m=3).solve([1, 2], [0, 1]), "start"),
        (lambda: fs.simulate_neurons("fig7", 1, [0, 1], overlaps=np.ones((3, 4))), "overlaps"),
        (lambda: fs.simulate_neurons("fig7", 1, [0, 1], overlaps=2 * np.eye(3)), "overlaps"),
        (lambda: fs.simulate_neurons("fig7", [1, 2], [0, 1], overlaps=np.eye(4)), "a0"),
        (lambda: fs.simulate_neurons("fig7", 1, [1, 0], overlaps=np.eye(4)), "times"),
    ],
)
def test_bad_input_is_refused(call, field):
    with pytest.raises(fs.InputError) as error:
        call()
    assert error.value.field == field


@pytest.mark.parametrize(("m", "d", "field"), [(0, 5, "m"), (3, 0, "d"), (2.5, 4, "m"), (True, 4, "m"), (3, "4", "d")])
def test_random_overlaps_of_what_cannot_be_counted(m, d, field):
    with pytest.raises(fs.InputError, match=rf"^{field} = .*whole number from 1"):
        fs.random_overlaps(m, d)
    with pytest.raises(fs.InputError, match="at least 3"):
        fs.spread_growth(fs.finite_width("fig7", m=2), None)


def test_random_overlaps_have_their_spread():
    gram = random_overlaps(60, 400, seed=2)
    values = gram[np.triu_indices(61, 1)]
    assert np.diag(gram) == pytest.approx(np.ones(61)) and np.linalg.eigvalsh(gram)[0] > 0
    assert values.std() * 20 == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(values)))


def test_noise_terms_are_those_of_steps_of_sgd():
    """The part of one step that is even in the learning rate, of batches of one: -nu D1 R/2 and nu (D2 - D1 Q)."""
    system = fs.TwoLayer([1, "1/2"], ["3/2", -1], noise="1/2")
    m, d, h, R, a, steps = 200, 4000, 5e-5, 0.4, 0.9, 20_000
    rng = np.random.default_rng(5)
    x = rng.standard_normal((steps, m + 1))  # along the teacher and the other part of each neuron; then all the rest
    square = ((x**2).sum(axis=1) + rng.chisquare(d - m - 1, steps))[:, None]
    u = R * x[:, :1] + np.sqrt(1 - R**2) * x[:, 1:]
    gap = series(system.c_star, x[:, 0]) + 0.5 * rng.standard_normal(steps) - a * series(system.c, u).mean(axis=1)
    pull = gap[:, None] * a * series(system.c, u, 1)
    u2, pull2 = np.roll(u, 1, axis=1), np.roll(pull, 1, axis=1)
    even = np.zeros((2, steps))
    for s in (h, -h):
        norm = np.sqrt(1 + 2 * s * u * pull + s * s * pull**2 * square)
        even[0] += 0.5 * ((R + s * x[:, :1] * pull) / norm - R).mean(axis=1)
        other = R * R + s * (u * pull2 + u2 * pull) + s * s * pull * pull2 * square
        even[1] += 0.5 * (other / (norm * np.roll(norm, 1, axis=1)) - R * R).mean(axis=1)
    mean, error = even.mean(axis=1), even.std(axis=1, ddof=1) / np.sqrt(steps)
    D1, D2 = plain_diffusion(system, m, R, a)
    expected = h * h * d * np.array([-0.5 * D1 * R, D2 - D1 * R * R])
    assert (abs(mean - expected) < 4 * error).all() and (error < 0.1 * abs(expected)).all()
    network = fs.finite_width(system, m=m, gamma=h * m, delta=1 / d)
    noise = network.rates([R, R * R, a])[0] - network.scaled(1, 0).rates([R, R * R, a])[0]
    assert h * noise[:2] == pytest.approx(expected, rel=1e-10)
