"""Until when two variables speak for a network."""

import math

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd.neurons import random_overlaps
from fastslow.sgd.transverse import _exponentials, spread_growth, transverse_growth
from fastslow.sgd.window import NOISE, STEP, SYMMETRY, WIDTH

WIDE = {"n": 10**4, "d": 10**4, "m": 10**6, "gamma": 0.01}


@pytest.mark.parametrize(
    ("name", "a0", "largest"),
    [("fig2-left", 4, 108), ("fig3-left", 4, 49), ("fig3-right", 5, 184), ("fig6-right", 5, 166), ("fig7", 1, 0)],
)
def test_transverse_growth_of_the_figures(name, a0, largest):
    window = fs.validity_window(name, a0, **WIDE, tau=1000)
    assert round(window.max_transverse_growth) == largest
    if largest == 0:
        assert window.times[SYMMETRY] == math.inf
    else:
        at = window.times[SYMMETRY]
        assert window.limited_by == SYMMETRY and window.tau == at
        assert np.interp(at, window.tau_grid, window.growth) == pytest.approx(0.5 * math.log(1e4), rel=1e-2)


@pytest.mark.parametrize(("name", "a0", "m", "tau"), [("fig6-right", 5, 20, 0.5), ("fig6-right", 5, 60, 0.8)])
def test_spread_of_neurons_grows_as_linearised(name, a0, m, tau):
    """Equation (16) with random directions in a large dimension, against its linearisation at equal neurons."""
    grid, t = np.linspace(0.0, tau, 2001), np.linspace(0.0, tau, 5)
    network = fs.finite_width(name, m=m)
    growth = np.interp(t, grid, spread_growth(network, network.solve(a0, grid)))
    runs = [
        fs.simulate_neurons(name, a0, t, overlaps=random_overlaps(m, 10**14, seed=seed), rtol=1e-8) for seed in range(3)
    ]
    seen = np.mean([np.log(run.R.std(axis=1) / run.R[0].std()) for run in runs], axis=0)
    assert growth[-1] > 3.0 and abs(growth - seen).max() < 0.05


def test_linearised_spread_comes_down_to_the_transverse_rate():
    """Its growth is int mu_perp at infinite width; the difference falls like 1/m."""
    grid = np.append(0.0, np.geomspace(1e-4, 1.0, 3000))
    ode = fs.simulate("fig6-right", 5, 1.0, times=grid)
    exact, gaps = transverse_growth(ode.system, ode)[-1], []
    for m in (10**4, 2 * 10**4):
        network = fs.finite_width("fig6-right", m=m)
        gaps.append(spread_growth(network, network.solve(5, grid))[-1] - exact)
    assert gaps[0] > 0 and abs(gaps[0]) < 0.03 * exact
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.2)


def test_exponentials_are_those_of_scipy():
    from scipy.linalg import expm

    matrices = np.random.default_rng(3).standard_normal((20, 3, 3)) * np.geomspace(0.01, 10, 20)[:, None, None]
    for found, matrix in zip(_exponentials(matrices), matrices, strict=True):
        assert abs(found - expm(matrix)).max() <= 1e-11 * abs(expm(matrix)).max()


@pytest.mark.parametrize("cause", [NOISE, WIDTH, STEP])
def test_each_cause_has_its_own_time(cause):
    """Where one is made strong and the others weak it is what limits the window, at a departure of ten per cent."""
    size = {
        NOISE: {"n": 1000, "d": 10**6, "m": 10**6, "gamma": 100},
        WIDTH: {"n": 10**9, "d": 10**4, "m": 30, "gamma": 1e-3},
        STEP: {"n": 10**12, "d": 10**4, "m": 10**7, "gamma": 4e6},
    }[cause]
    window = fs.validity_window("fig7", 1, **size, tau=100)
    assert window.limited_by == cause and window.tau < 100
    t = np.array([0.0, window.tau])
    network = fs.finite_width("fig7", m=size["m"], gamma=size["gamma"], delta=size["n"] / size["d"])
    if cause == STEP:
        steps = round(window.tau / network.step_length)
        course = network.iterate(1, [0, steps])
    else:
        course = network.scaled(cause == WIDTH, cause == NOISE).solve(1, t)
    ode = fs.simulate("fig7", 1, window.tau, times=t)
    away = max(abs(course.R[1] / ode.x[1] - 1), abs(course.a[1] / ode.y[1] - 1))
    assert away > 0.1 and (cause == STEP or away == pytest.approx(0.1, rel=0.02))


def test_document_has_null_for_never():
    document = fs.validity_window("fig7", 1, **WIDE, tau=50).document()
    assert document["tau"] is None and document["limited_by"] is None
    assert set(document["times"]) == {SYMMETRY, NOISE, WIDTH, STEP}


@pytest.mark.parametrize(("name", "value"), [("n", 0), ("d", -1), ("m", True), ("gamma", math.nan), ("tau", "x")])
def test_bad_input_is_refused(name, value):
    with pytest.raises(fs.InputError) as error:
        fs.validity_window("fig7", 1, **{**WIDE, name: value})
    assert error.value.field == name


def test_growth_beyond_doubles_is_told_without_warnings():
    window = fs.validity_window("fig3-left", 1, n=10**4, d=10**8, m=10**6, gamma=1e-3)
    assert window.limited_by == "batch noise"
