"""Ensembles against single trajectories, and the fast kernels against the general one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

import fastslow as fs
from fastslow.core.planar_step import planar_step
from fastslow.core.polynomial import polynomial_field
from fastslow.core.rodas5p import JACOBIAN, SLOPE, STAGES, WORK_ROWS, step
from fastslow.core.signatures import FIELD
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.ensembles import ensemble
from fastslow.ode.integrate import integrate
from fastslow.ode.trajectories import Settling
from fastslow.systems.system import Start

x, y = fs.variables("x", "y")
NETWORK = fs.TwoLayer([1, 1, 1], [1, -1, 1])
CUBIC_IN_Y = fs.FastSlowSystem(["1 - x", "1 + x", "y - x - y**3"], "x - y/2", slow_rate="1/10")


def settling_of(system):
    return Settling(critical_manifold(system))


def single(system, x0, y0, tau, rtol=1e-12):
    chart = system.chart_of(Fraction(x0))
    state = chart.to_state(x0, y0)
    run = integrate(
        polynomial_field, system.field_parameters(chart), state, (0, tau), rtol=rtol, atol=1e-14, output="final"
    )
    return [float(v) for v in chart.from_state(run.final_state)]


@njit
def one_step(p, u, h, work, end):
    return planar_step(p, u, h, work, end)


@njit(FIELD.signature)
def pointer(u, p, du, jacobian, with_jacobian):
    return polynomial_field(u, p, du, jacobian, with_jacobian)


@njit
def general_step(p, u, h, work, pivots, end):
    return step(pointer, p, u, h, work, pivots, end)


@settings(deadline=None, max_examples=60)
@given(z=st.floats(-8, 8), a=st.floats(-20, 20), exponent=st.floats(-6, 3))
@pytest.mark.parametrize("system", [NETWORK, fs.van_der_pol(), CUBIC_IN_Y], ids=["table", "plain", "tape"])
def test_the_scalar_step_is_the_general_one(system, z, a, exponent):
    p = system.field_parameters(system.chart_of(Fraction(0)))
    u, h, results = np.array([z, a]), 10.0**exponent, []
    for scalar in (True, False):
        work, pivots, end = np.zeros((WORK_ROWS + 6, 2)), np.zeros(2, np.int64), np.empty(2)
        assert polynomial_field(u, p, work[SLOPE], work[JACOBIAN : JACOBIAN + 2], True) == 0
        status = one_step(p, u, h, work, end) if scalar else general_step(p, u, h, work, pivots, end)
        results.append((status, end, work[:STAGES].copy()))
    (status, end, stages), (status_, end_, stages_) = results
    assert status == status_
    if status == 0:
        scale = np.abs(stages_).max(axis=0) + np.abs(u)
        assert (np.abs(end - end_) <= 1e-7 * scale).all()
        if h * np.abs(work[JACOBIAN : JACOBIAN + 2]).max() < 10:
            assert (np.abs(stages - stages_) <= 1e-10 * scale).all()
            assert (np.abs(end - end_) <= 1e-10 * scale).all()


@pytest.mark.parametrize(
    ("system", "x0", "heights", "tau"),
    [
        (NETWORK, 0.0, np.linspace(0.3, 9, 37), 1e5),
        (NETWORK, 0.0, -np.linspace(0.3, 9, 37), 1e5),
        (NETWORK, 0.6, np.linspace(-3, 9, 36), 50.0),
        (fs.TwoLayer([1] * 5, [-1, -1, 2, "1/3", 1], slow_rate="1/10"), 0.0, np.linspace(0.3, 9, 21), 300.0),
        (fs.van_der_pol(), 0.5, np.linspace(-0.9, 0.9, 19), 30.0),
        (CUBIC_IN_Y, 0.25, np.linspace(-2, 2, 5), 20.0),
    ],
    ids=["unlearning", "a < 0", "any start", "five coefficients", "van der Pol", "no table"],
)
def test_states_at_a_time_are_those_of_single_runs(system, x0, heights, tau):
    """Rtol bounds one step; the sum over a run may be some ten times it, here at most a hundred."""
    found = ensemble(settling_of(system), heights, x0, tau=tau, rtol=1e-9)
    assert found.again == 0
    assert (found.t == tau).all()
    for i, height in enumerate(heights):
        assert (found.x[i], found.y[i]) == pytest.approx(single(system, x0, height, tau), rel=1e-7, abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(
    c=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    c_star=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    slow_rate=st.sampled_from(["1/20", "1", "4"]),
    heights=st.lists(st.floats(0.05, 12), min_size=1, max_size=6),
    sign=st.sampled_from([-1, 1]),
)
def test_fates_are_those_of_single_runs(c, c_star, slow_rate, heights, sign):
    try:
        settling = settling_of(fs.TwoLayer([1, *c], [2, *c_star], slow_rate=slow_rate))
    except InputError:
        return
    found = ensemble(settling, sign * np.array(heights))
    for i, height in enumerate(heights):
        one = settling.run(Start(Fraction(0), Fraction(sign * height)))
        if one.undecided:
            assert found.fate[i] == "undecided"
        else:
            assert found.fate[i] == one.verdict
            assert found.nodes[found.node[i]] == one.node.id


def test_a_trajectory_does_not_depend_on_its_neighbours():
    settling, rng = settling_of(NETWORK), np.random.default_rng(3)
    heights = np.linspace(0.001, 9, 1000)
    whole, order = ensemble(settling, heights, tau=1e3), rng.permutation(1000)
    mixed, alone = ensemble(settling, heights[order], tau=1e3), ensemble(settling, heights[:1], tau=1e3)
    for name in ("x", "y", "t", "steps", "node"):
        assert (getattr(mixed, name) == getattr(whole, name)[order]).all()
        assert getattr(alone, name)[0] == getattr(whole, name)[0]


def test_the_symmetries_of_the_network_are_exact():
    heights = np.linspace(0.5, 9, 50)
    found = ensemble(NETWORK, heights, tau=100.0)
    mirrored = ensemble(fs.TwoLayer([1, 1, 1], [-1, 1, -1]), -heights, tau=100.0)
    assert (mirrored.x == found.x).all() and (mirrored.y == -found.y).all()
    reflected = ensemble(fs.TwoLayer([1, 1, 1], [-1, -1, -1]), heights, tau=100.0)
    assert (reflected.x == -found.x).all() and (reflected.y == found.y).all()


def test_fates_change_at_the_threshold():
    settling = settling_of(fs.TwoLayer([1] * 5, [1, -1, 1, -1, 1]))
    edge = 4.507489606341759  # tests/data/reference_cases.json
    found = ensemble(settling, edge * (1 + np.array([-1e-3, -1e-6, 1e-6, 1e-3])), rtol=1e-10)
    assert list(found.fate) == ["learning", "learning", "unlearning", "unlearning"]
    assert (found.t < 1e6).all() and found.again == 0


def test_a_preset_by_its_name():
    assert list(ensemble("fig4", [5.0, 10.0]).fate) == ["learning", "unlearning"]
    with pytest.raises(InputError, match="preset"):
        ensemble(None, [5.0])


def test_a_start_that_leaves_the_window_has_no_node():
    system = fs.FastSlowSystem(["y - x"], "1", window=(-1, 1))
    found = ensemble(system, [0.0, 0.5])
    assert list(found.fate) == ["leaves the window of x"] * 2
    assert (found.x > 1).all() and (found.node == -1).all() and found.again == 0


@pytest.mark.parametrize(
    ("arguments", "options", "part"),
    [
        (([1.0, np.nan],), {}, r"y0\[1\]"),
        (([1.0], [np.inf]), {}, r"x0\[0\]"),
        (([1.0, 2.0], [0.1, 0.2, 0.3]), {}, "shape"),
        (([[1.0]],), {}, "one-dimensional"),
        (([1.0, 0.0],), {}, "must not be zero"),
        (([1.0], 1.5), {}, "window"),
        (([1.0],), {"tau": -1.0}, "tau"),
        (([1.0],), {"rtol": 0.0}, "rtol"),
        (([1.0], 1.0), {"tau": 10.0}, "invariant line"),
        (([1.0, 2.0, 3.0], [0.1, 1.0, 0.5]), {"tau": 10.0}, "invariant line"),
        (([],), {}, "y0"),
        ((["high"],), {}, "y0"),
        (([1.0], "left"), {}, "x0"),
        (([[1.0], [1.0, 2.0]],), {}, "y0"),
        (([1.0],), {"tau": "long"}, "tau"),
        (([1.0],), {"rtol": None}, "rtol"),
    ],
)
def test_bad_input_is_named(arguments, options, part):
    with pytest.raises(InputError, match=part):
        ensemble(NETWORK, *arguments, **options)
