"""Neurons part at the predicted time."""

import math
from dataclasses import replace

import numpy as np
import pytest

import fastslow as fs
from fastslow.plot.sgd import spread_figure
from fastslow.sgd.neurons import random_overlaps
from fastslow.sgd.transverse import spread_growth

SMALL = {"n": 600, "d": 200, "m": 12, "gamma": 0.003, "steps": 400, "every": 40}


@pytest.mark.parametrize("d", [10**8, 10**12])
def test_neurons_of_figure_3_right_part_at_the_predicted_time(d):
    """Equation (16), a0 = 5: their mean leaves that of equal neurons when growth has reached (1/2) ln d, not before."""
    m, grid, times = 60, np.append(0.0, np.geomspace(1e-5, 0.4, 4000)), np.linspace(0.0, 0.4, 401)
    network = fs.finite_width("fig3-right", m=m)
    equal = network.solve(5, grid)
    growth = spread_growth(network, equal)
    expected = grid[np.flatnonzero(growth >= 0.5 * math.log(d))[0]]
    run = fs.simulate_neurons("fig3-right", 5, times, overlaps=random_overlaps(m, d, seed=1))
    R, spread = np.interp(times, grid, equal.R), run.R.std(axis=1)
    away = np.abs(run.R.mean(axis=1) - R) > 0.1 * R
    assert times[np.flatnonzero(away & (times > 0.01))[0]] == pytest.approx(expected, rel=0.05)
    # until then the spread grows e-fold as the growth says
    small = spread < 0.03
    assert np.log(spread[small] / spread[0]).max() > 4.0
    assert np.abs(np.log(spread[small] / spread[0]) - np.interp(times[small], grid, growth)).max() < 0.05


def test_it_is_the_prediction_of_the_window_beside_what_was_seen():
    run = fs.simulate_sgd("fig3-right", 3, **SMALL, replicas=2)
    found = fs.symmetry(run)
    window = fs.validity_window("fig3-right", 3, n=600, d=200, m=12, gamma=0.003)
    own = [np.interp(found.grid[-1], window.tau_grid, window.growth), found.infinite[-1]]
    assert own[0] == pytest.approx(own[1], rel=1e-3)
    np.testing.assert_array_equal(found.spread, run.course("R_std"))
    assert found.predicted(np.array([0.0, 1.0])) == pytest.approx(found.spread[:, 0].mean() * np.array([1.0, math.e]))
    assert found.spread[:, 0].mean() == pytest.approx(200**-0.5, rel=0.5)
    assert found.expected == math.inf


def test_the_expected_time_is_that_of_the_width():
    run = fs.simulate_sgd("fig3-right", 3, n=100, d=200, m=20, gamma=0.05, steps=200)
    assert run.tau[-1] == 0.5
    found = fs.symmetry(replace(run, options={**run.options, "n": 10**12}))  # no noise
    enough = 0.5 * math.log(200)
    assert np.interp(found.expected, found.grid, found.finite) == pytest.approx(enough, rel=0.02)
    assert found.expected > 1.5 * found.grid[np.flatnonzero(found.infinite >= enough)[0]]


def test_picture_and_bad_input():
    run = fs.simulate_sgd("fig3-right", 3, **SMALL, replicas=2)
    above, below = spread_figure(run, neurons=True).axes
    assert above.get_yscale() == "log" and below.get_ylabel() == "mean alignment R"
    lines = {line.get_label(): line for line in below.get_lines()}
    assert {"SGD", "equation (16)", "infinite width", "finite width"} <= set(lines)
    np.testing.assert_array_equal(lines["SGD"].get_ydata(), run.course("R_mean")[0])
    with pytest.raises(fs.InputError, match="has no neurons that part"):
        fs.symmetry(fs.simulate_sgd("fig3-right", 3, **{**SMALL, "m": 1}))
    two = spread_figure(fs.simulate_sgd("fig3-right", 3, **{**SMALL, "m": 2})).axes
    assert len(two) == 2
