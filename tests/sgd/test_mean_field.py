"""The mean field of equation (16): infinitely many neurons with any law of initial overlaps."""

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd.neurons import random_overlaps

FIG7 = fs.TwoLayer([1, 1, 1], [1, -2, 1])
NODES = np.array([[0.3, 0.2], [-0.2, 0.1], [0.1, -0.3]])
HEIGHTS = np.array([1.0, 0.6, 1.3])


def test_equal_neurons_are_the_two_variable_system():
    t = np.linspace(0.0, 2.0, 9)
    exact = fs.simulate(FIG7, 1, 2.0, times=t)
    run = fs.mean_field(FIG7, 1, t, overlaps=[0.0, 0.0, 0.0], weights=[1, 2, 3])
    assert run.done and abs(run.R - exact.x[:, None]).max() < 1e-7 and abs(run.a - exact.y[:, None]).max() < 1e-7
    assert run.loss == pytest.approx(FIG7.test_loss(run.R_mean, run.a_mean), rel=1e-12)
    assert (np.diff(run.loss) < 0).all()


def test_neurons_one_by_one_converge_at_first_order():
    """Groups of equal coordinates with different other directions, as the groups grow."""
    t = np.array([0.0, 0.1, 0.2, 0.3])
    field = fs.mean_field(FIG7, HEIGHTS, t, overlaps=NODES, rtol=1e-10)
    errors = []
    for size in (8, 16, 32):
        rows = np.repeat(NODES, size, axis=0)
        gram = np.eye(len(rows) + 1)
        gram[0, 1:] = gram[1:, 0] = rows[:, 0]
        gram[1:, 1:] = rows @ rows.T
        np.fill_diagonal(gram, 1.0)
        run = fs.simulate_neurons(FIG7, np.repeat(HEIGHTS, size), t, overlaps=gram)
        errors.append([abs(run.R[:, ::size] - field.R).max(), abs(run.a[:, ::size] - field.a).max()])
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert ((orders > 0.85) & (orders < 1.05)).all() and (abs(orders[1] - 1) < abs(orders[0] - 1)).all()


def test_random_neurons_spread_as_their_normal_law():
    """Permutation symmetry breaks: 100 random directions against the law of infinitely many."""
    d, t = 10**4, np.array([0.0, 0.005, 0.01])
    R, weights = fs.gaussian_overlaps(d)
    field = fs.mean_field("fig3-left", 4, t, overlaps=R, weights=weights)
    assert field.R_std[0] == pytest.approx(0.01, rel=1e-12) and field.R_std[-1] > 1.2 * field.R_std[0]
    spread = [
        fs.simulate_neurons("fig3-left", 4, t, overlaps=random_overlaps(100, d, seed=k), rtol=1e-6).R.std(axis=1)
        for k in range(2)
    ]
    # the error of a standard deviation of 200 neurons is 5 %
    assert np.mean(spread, axis=0) == pytest.approx(field.R_std, rel=0.16)


def test_nodes_refine_to_one_law():
    runs = []
    for nodes in (4, 8, 16):
        R, weights = fs.gaussian_overlaps(400, nodes)
        runs.append(fs.mean_field(FIG7, 1, [0.0, 1.0], overlaps=R, weights=weights, rtol=1e-11).a_mean[-1])
    assert abs(runs[1] - runs[2]) < 0.1 * abs(runs[0] - runs[2]) and abs(runs[1] - runs[2]) < 1e-6


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"overlaps": [1.1]}, "overlaps"),
        ({"overlaps": []}, "overlaps"),
        ({"overlaps": [0.1], "weights": [0.0]}, "weights"),
        ({"overlaps": [0.1], "weights": [1.0, 2.0]}, "weights"),
        ({"overlaps": [0.1], "a0": [1.0, 2.0]}, "a0"),
        ({"overlaps": [0.1], "times": [1.0, 0.0]}, "times"),
        ({"overlaps": [0.1], "system": "van_der_pol"}, "model"),
    ],
)
def test_bad_input_is_refused(change, field):
    arguments = {"system": "fig7", "a0": 1, "times": [0, 1]} | change
    with pytest.raises(fs.InputError) as error:
        fs.mean_field(arguments.pop("system"), arguments.pop("a0"), arguments.pop("times"), **arguments)
    assert error.value.field == field
