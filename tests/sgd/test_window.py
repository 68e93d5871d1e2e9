"""Until when two variables speak for a network."""

import math

import numpy as np
import pytest

import fastslow as fs
from fastslow.sgd.neurons import random_overlaps
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


def test_spread_of_neurons_grows_at_the_transverse_rate():
    """The rate is that of infinite width; its error falls like 1/m."""
    t, excess = np.array([0.0, 0.2, 0.5, 0.8]), []
    window = fs.validity_window("fig6-right", 5, **WIDE, tau=10)
    growth = np.diff(np.interp(t, window.tau_grid, window.growth))[1:]
    for m in (60, 180):
        run = fs.simulate_neurons("fig6-right", 5, t, overlaps=random_overlaps(m, 10**10), rtol=1e-6)
        seen = np.diff(np.log(run.R.std(axis=1)))[1:]
        excess.append((seen / growth - 1) * m)
        assert (seen > growth).all()
    assert excess[1] == pytest.approx(excess[0], rel=0.15)


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
