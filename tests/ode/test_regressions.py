"""Cases that were once wrong, each with the answer that was computed independently."""

import math

import pytest

import fastslow as fs

S = fs.FastSlowSystem


def orbit(system, start):
    return fs.analyze(system, starts=[start]).orbits[0]


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 30, 3000, 1e8])
def test_thresholds_scale_with_the_link(scale):
    """c* -> s c*, a -> s a, slow rate -> s^2 slow rate leaves the system as it is."""
    system = fs.TwoLayer([1] * 5, [scale * v for v in (1, -1, 1, 1, 1)], scale**2)
    (threshold,) = fs.analyze(system).thresholds
    assert threshold.y / scale == pytest.approx(9.311751715419074, rel=1e-12)


def test_a_saddle_node_bounds_a_basin():
    """A double root of alpha at R = 1/2, a = 24/19; starts of 1.13 and 1.1778 part (scipy's Radau to t = 3e7)."""
    system = fs.TwoLayer([1, 1, 1], [1, "-8/19", "23/57"])
    (threshold,) = fs.analyze(system).thresholds
    assert 1.13 < threshold.y < 1.1778
    assert (threshold.below_node, threshold.above) == ("E4", "unlearning")


def test_a_delayed_orbit_leaves_the_line_to_the_side_it_came_from():
    """X = 0 is invariant, so x keeps its sign; entry at y = -1 and exit at y = 1 balance."""
    system = S(["x", "y - x**2"], "1 + x", slow_rate="1/1000")
    right, left = orbit(system, (1, -1)), orbit(system, (-1, -1))
    assert [s.delayed for s in right.segments].count(True) == 1
    assert right.final[0] == 3.0
    assert (right.verdict.singular, right.verdict.ode) == ("leaves the window of x",) * 2
    assert right.trajectory.final[1] == pytest.approx(9.0, abs=1e-3)
    assert (left.verdict.singular, left.verdict.ode) == ("settles at E1",) * 2
    on_line = orbit(system, (0, -1)).verdict
    assert (on_line.singular, on_line.ode) == ("leaves to y = +infinity",) * 2


def test_beside_an_invariant_line_x_keeps_its_sign():
    found = orbit(S(["x", "y - x**2 - x/10"], "1", slow_rate="1/100"), (1, -2))
    assert min(found.trajectory.x) >= 0.0
    assert found.verdict.ode == "leaves the window of x"


def test_a_tail_with_another_branch_in_it_proves_nothing():
    """The curve x y = 2 lies between h = 1 / x and G = 3 / x: the solution leaves at x = 5, y = 0.605, t = 1.53."""
    found = orbit(S(["1 - x*y", "2 - x*y"], "3 - x*y", slow_rate=10, window=(-1, 5)), ("1/2", 1))
    assert found.verdict.ode == "leaves the window of x"
    assert found.trajectory.final == (pytest.approx(5), pytest.approx(0.605, abs=1e-3))
    assert not found.agree


def test_leaving_on_opposite_sides_is_no_agreement():
    """X' = x - y, y' = 1 from (1/2, 0): x = t + 1 - e^t / 2 leaves at -3, the frozen jump at +3."""
    found = orbit(S(["x - y"], "1", slow_rate=1), ("1/2", 0))
    assert (found.final[0], round(found.trajectory.final[0])) == (3.0, -3)
    assert not found.agree


def test_a_small_cycle_is_no_relaxation_oscillation():
    """Just after the Hopf point x stays within [0.930, 1.069]."""
    found = orbit(fs.van_der_pol("0.9995", "1/100"), (2, 0))
    assert found.verdict.singular == "relaxation oscillation"
    assert found.verdict.ode == "small oscillation"
    assert not found.agree


@pytest.mark.parametrize("system", [S(["y + x - x**3/3"], "-x", window=(-1, 1)), S(["x - y"], "1 - x", window=(-1, 1))])
def test_a_start_on_the_edge_that_points_outwards_has_left(system):
    found = orbit(system, (1, 0))
    assert found.final == found.trajectory.final == (1.0, 0.0)
    assert found.agree


def test_an_equilibrium_that_the_slow_rate_stabilises_is_named():
    found = orbit(fs.fitzhugh_nagumo("0.3"), (0, 0))
    assert found.verdict.ode == "settles at E1"
    assert "beyond its Hopf point" in found.explanation


def test_irrational_slow_values_have_all_digits():
    basins = fs.analyze(S(["y**2 - x"], "1 - x")).flow.basins
    assert [b.high for b in basins[:-1]] == [-math.sqrt(3), -1.0, math.sqrt(3)]
    lines = fs.analyze(S(["y**2 - 2", "x - y"], "1 - x"), starts=[(0, 0)])
    assert lines.orbits[0].verdict.ode == "settles at E2"


@pytest.mark.parametrize("a0", ["1e20", "1e-15"])
def test_extreme_scales_are_decided(a0):
    found = fs.analyze(fs.TwoLayer([1, 1, 1], [1, -1, 1]), a0=[a0]).orbits[0]
    fate = "unlearning" if a0 == "1e20" else "learning"
    assert (found.verdict.singular, found.verdict.ode) == (fate, fate)


def test_starts_on_an_invariant_line_stay_on_it():
    found = orbit(fs.TwoLayer([1, 1, 1], [1, -1, 1]), (1, "3/10"))
    assert (found.verdict.singular, found.verdict.ode) == ("learning", "learning")
    assert found.trajectory.final == (1.0, pytest.approx(5 / 9))


def test_start_inside_a_proved_tail_is_decided_at_once():
    system = S(["1 - x*y"], "2 - x*y")
    for start in ((1, "3/2"), ("1/2", 3), ("1/2", 1)):
        assert orbit(system, start).verdict.ode == "leaves to y = +infinity"


@pytest.mark.parametrize("exponent", [12, 18, 24, 30, 32])
def test_folds_closer_than_doubles_are_still_matched(exponent):
    system = fs.TwoLayer([1, 1, 1], [1, f"-{99 * 10**exponent + 64}/{64 * 10**exponent}", 1])
    result = fs.analyze(system)
    assert len([p for p in result.of_kind("fold") if p.x > 0]) == 2
    assert result.complete


SLOW = {
    "a jump after a long drift": (
        [-1.814056507416771, 0, 0, 0.017107412562955653, -1.289625158293325, 0, 1.3988901866081498, 1, 3],
        [0.018497865387436214, 1.7674311979216761, 0, 1, 0.9552452824374038, -0.12462013631053112, 3, -1, -2],
        1,
        22.84749666560503,
    ),
    "a target at a = 18119": (
        [0.35306691854348243, -0.03491658040749659, -1.918911089689647, -2, 0, -1],
        [-0.35306691854348243, -0.06983316081499318, -3.837822179379294, -2, 0, -1],
        1,
        0.8237635951162234,
    ),
    "rounding is no oscillation": (
        [4.586882466661736, 0, 0, -0.6755098190016519],
        [0.045711512318539003, -0.6288449299710355, -0.012284182464144276, -1],
        1,
        232.2053885481489,
    ),
}


@pytest.mark.parametrize("case", SLOW)
def test_drifts_that_take_1e13_and_more_are_decided(case):
    c, c_star, rate, a0 = SLOW[case]
    found = fs.analyze(fs.TwoLayer(c, c_star, rate), a0=[a0]).orbits[0]
    assert found.verdict.ode == found.verdict.singular == "learning"
    assert found.agree


def test_a_saddle_node_keeps_only_what_comes_from_its_stable_side():
    """Y' = y^2 / 10 rests at 0 from below and leaves it upwards, from however near."""
    x, y = fs.variables("x", "y")
    system = fs.FastSlowSystem([y - x], y**2, slow_rate="1/10", window=(-10, 10))
    found = [orbit(system, (3, y0)).verdict.ode for y0 in ("1/10000000", "-1/10000000")]
    assert found == ["leaves the window of x", "settles at E1"]
    assert list(fs.ensemble(system, [1e-7, -1e-7], 3.0).node) == [-1, 0]


def test_a_solution_at_rest_takes_no_steps_however_long_it_is_asked_for():
    run = fs.simulate(fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1]), 5, 1e30)
    assert run.status == "done" and run.n_steps < 10_000
    assert run.final == pytest.approx((1.0, 0.973856209150327), rel=1e-12)


def test_equilibria_on_the_line_of_fast_equilibria_are_analysed():
    """S = R (1 - 6R)^2 touches zero at R = 1/6: there an equilibrium lies on a = 0, where no start is allowed."""
    result = fs.analyze(fs.TwoLayer([1, 1, 1], [1, -6, 6]), a0=[1, 3])
    assert result.explained and any(p.x == pytest.approx(1 / 6) and p.y == 0 for p in result.of_kind("equilibrium"))
