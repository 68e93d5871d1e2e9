"""Simulation: exact solutions, other integrators in other coordinates, the tails of Theorem 3, bad input."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fastslow as fs
from fastslow.ode import simulation
from fastslow.ode.simulation import simulate
from fastslow.systems.system import Start

CASES = json.loads((Path(__file__).parents[1] / "data" / "reference_cases.json").read_text())["cases"]
ORBITS = [(name, orbit) for name, case in CASES.items() for orbit in case["orbits"]]
FIG6 = ([1, 1, 1], [1, -1, 1])

TAILS = {
    "case ii, p = 3": (*FIG6, 5.0),
    "case ii, p = 3, mirrored in a": ([1, 1, 1], [-1, 1, -1], -5.0),
    "case ii, p = 3, mirrored in R": ([1, 1, 1], [-1, -1, -1], 5.0),
    "case i, p = 4": ([1] * 7, [1, 0, 0, 0, 0, 0, 0.5], 10.0),
    "case i, p = 4, R < 0 and a < 0": ([1] * 7, [1, 0, 0, 0, 0, 0, 0.5], -10.0),
    "tie, p = 4": ([1, 1, 1], [1, 0, 0.1], 9.0),
    "case ii, p = 5": ([1, 0, 0, 0.2], [1, 0, 0, -0.1], 3.0),
    "case i, p = 8": ([1, 0, 0, 1, 0, 0, 0, 0.01], [1, 0, 0, 0, 0, 0, 0, 0.01], 3.0),
    "case i, p = 10": ([1, 0, 0, 0, 0.1, 0, 0, 0, 0, 1e-4], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1e-2], 60.0),
}


def in_tail_coordinates(c, c_star, a0, times, slow_rate=1.0, method="LSODA"):
    """Return R and a by scipy in d = R a - c*_1/c_1 and log |a|, in which nothing cancels near infinity."""
    orders = range(1, len(c) + 1)
    s = [math.factorial(k) * star * own for k, star, own in zip(orders, c_star, c, strict=True)]
    t = [math.factorial(k) * own**2 for k, own in zip(orders, c, strict=True)]
    ratio, sign = s[0] / t[0], math.copysign(1.0, a0)

    def field(_, u):
        a = sign * math.exp(u[1])
        q = ratio + u[0]
        R = q / a
        fast = sum(2 * k * (s[k - 1] * R ** (k - 1) - t[k - 1] * q * R ** (2 * k - 2)) for k in orders[1:])
        slow = sum(s[k - 1] * R ** (k - 1) - t[k - 1] * q * R ** (2 * k - 2) for k in orders[1:])
        R_rate = 0.5 * a * (1 - R * R) * (fast - 2 * t[0] * u[0])
        a_rate = slow_rate * R * (slow - t[0] * u[0])
        return [a_rate * R + a * R_rate, a_rate / a]

    start = [-ratio, math.log(abs(a0))]
    run = solve_ivp(field, (0, times[-1]), start, method=method, t_eval=times, rtol=1e-12, atol=[1e-25, 1e-14])
    assert run.success
    a = sign * np.exp(run.y[1])
    return (ratio + run.y[0]) / a, a


@pytest.mark.parametrize(("name", "orbit"), ORBITS, ids=[f"{name}-{orbit['a0']}" for name, orbit in ORBITS])
def test_states_of_an_independent_calculation(name, orbit):
    case = CASES[name]
    run = simulate(fs.TwoLayer(case["c"], case["c_star"]), orbit["a0"], orbit["tau"])
    assert run.status == "done" and run.t[-1] == orbit["tau"]
    assert run.final == (pytest.approx(orbit["R"], rel=1e-12), pytest.approx(orbit["a"], rel=1e-12))
    assert (run.switch_time is not None) == (orbit["fate"] == "unlearning")
    assert np.diff(run.energy).max() <= 1e-11 * run.energy[0]


def compared(name, method):
    """Return the times of a run to 1e8, over the switch, and the relative differences to another integrator."""
    c, c_star, a0 = TAILS[name]
    times = np.concatenate(([0], np.geomspace(1e-4, 1e8, 50)))
    run = simulate(fs.TwoLayer(c, c_star), a0, 1e8, times=times)
    R, a = in_tail_coordinates(c, c_star, a0, times, method=method)
    assert run.switch_time < 1e4 and run.switch_error < 1e-10
    assert run.x[0] == R[0] == 0.0
    return times, np.abs(run.x[1:] / R[1:] - 1), np.abs(run.y / a - 1)


@pytest.mark.parametrize("name", TAILS)
def test_the_whole_tail_against_lsoda_in_other_coordinates(name):
    _, R, a = compared(name, "LSODA")
    assert R.max() < 1e-9 and a.max() < 1e-10


@pytest.mark.parametrize("name", ["case ii, p = 3", "case i, p = 8"])
def test_the_whole_tail_against_radau_in_other_coordinates(name):
    """Slower and closer: the error is that of the tolerance, and far less in the tail."""
    times, R, a = compared(name, "Radau")
    assert R.max() < 2e-10 and a.max() < 1e-11
    assert R[times[1:] > 1e5].max() < 1e-12 and a[times > 1e5].max() < 1e-12


@pytest.mark.parametrize("slow_rate", ["1/1000", "1/10", 30])
def test_other_slow_rates(slow_rate):
    rate = float(Fraction(slow_rate))
    times = np.geomspace(1e-3, 1e7, 40)
    run = simulate(fs.TwoLayer(*FIG6, slow_rate), 6, 1e7, times=times)
    R, a = in_tail_coordinates(*FIG6, 6.0, times, rate)
    np.testing.assert_allclose(run.x, R, rtol=1e-9)
    np.testing.assert_allclose(run.y, a, rtol=1e-9)
    assert run.switch_time is not None


@pytest.mark.parametrize("name", TAILS)
def test_far_times_follow_theorem_3(name):
    """|a| / (p K tau)^(1/p) -> 1, R a -> c*_1/c_1, and the loss tends to its limit, for tau up to 1e100."""
    c, c_star, a0 = TAILS[name]
    system = fs.TwoLayer(c, c_star)
    law = system.scaling(int(math.copysign(1, a0)))
    gaps = []
    for tau in (1e12, 1e15, 1e30, 1e100):
        run = simulate(system, a0, tau, points=50)
        assert run.status == "done" and run.t[-1] == tau
        gaps.append(abs(run.final[1]) / (law.p * law.K * tau) ** (1 / law.p) - 1)
        assert run.final[0] * run.final[1] / (c_star[0] / c[0]) == pytest.approx(1, abs=30 / abs(run.final[1]) + 1e-13)
        assert np.diff(run.energy).max() <= 1e-12 * run.energy[0]
    assert abs(gaps[-1]) < 1e-8
    assert all(abs(b) <= abs(a) + 1e-13 for a, b in itertools.pairwise(gaps))
    assert run.energy[-1] == pytest.approx(system.energy_at_infinity(0.0, 1), rel=1e-8)


def test_figure_6_right_at_the_published_times():
    """The share a / (6 tau)^(1/3) = 0.964 at 1e6 and 0.998 at 1e10, from below."""
    shares = [simulate(fs.TwoLayer(*FIG6), 5, tau, points=2).final[1] / (6 * tau) ** (1 / 3) for tau in (1e6, 1e10)]
    assert [round(share, 3) for share in shares] == [0.964, 0.998]


@pytest.mark.parametrize("name", ["case ii, p = 3", "case i, p = 4", "tie, p = 4"])
def test_the_manifold_and_the_integration_agree(name, monkeypatch):
    """At 1e-12, to 1e5, where both are valid; and no jump at the switch."""
    c, c_star, a0 = TAILS[name]
    system = fs.TwoLayer(c, c_star)
    with_switch = simulate(system, a0, 1e5, rtol=1e-12)
    monkeypatch.setattr(simulation, "slow_tails", lambda _: ())
    without = simulate(system, a0, 1e5, rtol=1e-12)
    assert with_switch.switch_time is not None and without.switch_time is None
    np.testing.assert_allclose(with_switch.x[1:], without.x[1:], rtol=5e-12)
    np.testing.assert_allclose(with_switch.y, without.y, rtol=5e-12)


@pytest.mark.parametrize("rtol", [1e-4, 1e-7, 1e-10])
@pytest.mark.parametrize(
    ("c", "c_star", "a0"), [(*FIG6, 5), ([1] * 5, [1, -1, 1, 1, 1], 9), ([1] * 5, [1, -1, 1, -1, 1], 4)]
)
def test_the_tolerance_is_met_at_the_wanted_times(c, c_star, a0, rtol):
    """Also in between steps and through the late jump of figure 4 (a0 = 9), which magnifies errors."""
    system = fs.TwoLayer(c, c_star)
    run, reference = simulate(system, a0, 1e4, rtol=rtol), simulate(system, a0, 1e4, rtol=1e-13)
    error = np.abs(run.x[1:] / reference.x[1:] - 1).max(), np.abs(run.y / reference.y - 1).max()
    assert max(error) < (30 if a0 == 9 else 5) * rtol


@pytest.mark.parametrize("solver", ["LSODA", "Radau"])
def test_other_solvers(solver):
    system = fs.TwoLayer(*FIG6)
    run, ours = (simulate(system, 5, 1e3, rtol=1e-8, points=30, solver=s) for s in (solver, "rodas5p"))
    assert run.solver == solver and run.status == "done"
    np.testing.assert_allclose(run.x, ours.x, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(run.y, ours.y, rtol=1e-7)


# Exact solutions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [1, -1])
def test_on_the_invariant_line(fast):
    """On R = 1 the slow equation is linear: a = S/T + (a0 - S/T) exp(-slow_rate T tau), also where the line repels."""
    system = fs.TwoLayer(*FIG6, "1/7")
    run = simulate(system, Start(Fraction(fast), Fraction(3)), 1e30)
    S, T = float(system.S(fast)), float(system.T(fast))
    assert (run.x == fast).all()
    np.testing.assert_allclose(run.y, S / T + (3 - S / T) * np.exp(-T / 7 * np.minimum(run.t, 1e3)), rtol=1e-9)


def test_a_line_that_no_double_is_on():
    system = fs.FastSlowSystem(["x - 1/3", "y - 2"], "1 - y", slow_rate="1/2", window=(0, 1), start_fast="1/3")
    run = simulate(system, 5, 100)
    np.testing.assert_allclose(run.x, 1 / 3, rtol=1e-15)
    np.testing.assert_allclose(run.y, 1 + 4 * np.exp(-0.5 * run.t), rtol=1e-9)


def test_a_linear_system():
    """With x' = y - x, y' = -y / 2 from (0, 1), x = 2 (exp(-t/2) - exp(-t))."""
    system = fs.FastSlowSystem(["y - x"], "-y", slow_rate="1/2")
    run = simulate(system, 1, 10)
    np.testing.assert_allclose(run.x, 2 * (np.exp(-run.t / 2) - np.exp(-run.t)), rtol=2e-10, atol=1e-13)
    np.testing.assert_allclose(run.y, np.exp(-run.t / 2), rtol=1e-10)
    assert run.energy is None and run.document()["loss"] is None


def test_the_relaxation_oscillation_repeats():
    """Period 19.0783695669 of x'' - 10 (1 - x^2) x' + x = 0; the fast time is ten times as long."""
    period = 190.783695669
    times = np.array([100.0, 130.0, 160.0])
    times = np.concatenate((times, times + period))
    run = simulate(fs.van_der_pol(), Start(Fraction(2), Fraction(0)), 400, times=times)
    assert run.status == "done" and run.switch_time is None
    np.testing.assert_allclose(run.x[3:], run.x[:3], rtol=1e-7)
    np.testing.assert_allclose(run.y[3:], run.y[:3], rtol=1e-7)


def test_rest():
    run = simulate(fs.TwoLayer(*FIG6), Start(Fraction(1), Fraction(5, 9)), 1e50, points=5)
    assert run.status == "done" and "equilibrium" in run.sentence
    assert (run.x == 1).all() and (run.y == 5 / 9).all()
    settled = simulate(fs.van_der_pol(2), Start(Fraction(-5, 2), Fraction(0)), 1e100)
    assert settled.status == "done" and settled.final == (pytest.approx(2), pytest.approx(2 / 3))


@pytest.mark.parametrize("a0", ["1e-12", 1e12, "-1e30"])
def test_extreme_starts(a0):
    system = fs.TwoLayer([1, 1, 1], [1, 0, "1/10"])
    run = simulate(system, a0, 1e6)
    assert run.status == "done" and np.isfinite([run.x, run.y]).all()
    if abs(float(a0)) > 1:
        # R' = a s_1 - a^2 t_1 R at first, with nothing to disturb it.
        a = float(a0)
        np.testing.assert_allclose(run.x, -np.expm1(-a * a * run.t) / a, rtol=1e-9, atol=0)
        np.testing.assert_allclose(run.y, a, rtol=1e-12)


# How runs end -------------------------------------------------------------------------------------------------


def ends(factors, g, start, tau, **options):
    return simulate(fs.FastSlowSystem(factors, g, **options), Start(*map(Fraction, start)), tau)


def test_leaving_the_window():
    """With x' = 1 from 0 it leaves [-3, 1] at t = 1; what was found before is kept."""
    run = ends(["1 + 0*y"], "1 + 0*x", (0, 0), 10, window=(-3, 1))
    assert run.status == "left the window" and "Left the window of x" in run.sentence
    assert run.t[-1] == pytest.approx(1) and run.final == (pytest.approx(1), pytest.approx(1))
    assert len(run.t) > 100 and (np.diff(run.t) > 0).all()
    at_once = ends(["1 + 0*y"], "1 + 0*x", (1, 0), 10, window=(-3, 1))
    assert at_once.status == "left the window" and at_once.t.tolist() == [0.0]


def test_infinity_in_finite_time():
    run = ends(["-x"], "y**2", (1, 1), 10)
    assert run.status == "step too small" and run.t[-1] == pytest.approx(1, rel=1e-9)
    np.testing.assert_allclose(run.y[:-1], 1 / (1 - run.t[:-1]), rtol=1e-8)


def test_beyond_the_range_of_doubles():
    run = ends(["-x"], "y", (1, 1), 1e4)
    assert run.status == "outside the domain" and 700 < run.t[-1] < 710
    np.testing.assert_allclose(np.log(run.y), run.t, rtol=1e-8, atol=1e-12)
    tail = ends(["1 - (x**2 - 2)*y"], "y", (2, 1), 1e4, window=(0, 4))
    assert tail.status == "growth limit" and "beyond what doubles hold" in tail.sentence
    np.testing.assert_allclose(np.log(tail.y), tail.t, rtol=1e-8, atol=1e-12)


# Times and input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [1e-30, 1.0, 12345.6789, 1e100])
@pytest.mark.parametrize("points", [2, 3, 37])
def test_times(tau, points):
    run = simulate(fs.TwoLayer(*FIG6), 5, tau, points=points)
    assert len(run.t) == points and run.t[-1] == tau
    assert (np.diff(run.t) > 0).all()
    # a hundredth of the time scale of the start: |f| / width + |f_x| = 5 / 2 + 25 - 10 S''(0) / 2
    assert run.t[0] == pytest.approx(min(tau / 1e3, 0.01 / (2.5 + 45)))
    ratios = run.t[1:] / run.t[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_given_times_are_kept_exactly():
    times = [0.1, 1 / 3, 7.0]
    run = simulate("fig6-right", 5, 100, times=times)
    assert run.t.tolist() == times
    assert run.final == (run.x[2], run.y[2])
    whole = simulate("fig6-right", 5, 7, times=times)
    np.testing.assert_allclose(whole.y, run.y, rtol=1e-12)


def test_the_document_reads_back():
    run = simulate(fs.TwoLayer(*FIG6), 5, 1e6, points=9)
    document = json.loads(json.dumps(run.document(), allow_nan=False))
    assert document["schema"] == "fastslow.trajectory/1"
    assert document["tau"] == run.t.tolist() and document["R"] == run.x.tolist()
    assert document["a"] == run.y.tolist() and document["loss"] == run.energy.tolist()


BAD = {
    "tau zero": ({"tau": 0}, "tau"),
    "tau negative": ({"tau": -1}, "tau"),
    "tau nan": ({"tau": math.nan}, "tau"),
    "tau infinite": ({"tau": math.inf}, "tau"),
    "tau too large": ({"tau": 1e101}, "tau"),
    "tau text": ({"tau": "long"}, "tau"),
    "rtol zero": ({"rtol": 0}, "rtol"),
    "rtol too small": ({"rtol": 1e-15}, "rtol"),
    "rtol too large": ({"rtol": 0.1}, "rtol"),
    "rtol nan": ({"rtol": math.nan}, "rtol"),
    "points one": ({"points": 1}, "points"),
    "points many": ({"points": 1_000_001}, "points"),
    "points broken": ({"points": 2.5}, "points"),
    "times empty": ({"times": []}, "times"),
    "times unsorted": ({"times": [1, 3, 2]}, "times"),
    "times twice": ({"times": [1, 1]}, "times"),
    "times beyond": ({"times": [1, 11]}, "times"),
    "times before": ({"times": [-1, 1]}, "times"),
    "times nan": ({"times": [1, math.nan]}, "times"),
    "times text": ({"times": "soon"}, "times"),
    "times table": ({"times": [[1, 2]]}, "times"),
    "solver": ({"solver": "euler"}, "solver"),
    "a0 zero": ({"start": 0}, "a0"),
    "a0 nan": ({"start": math.nan}, "a0"),
    "a0 several": ({"start": "1,2"}, "start"),
    "outside": ({"start": Start(Fraction(2), Fraction(1))}, "start R"),
    "model": ({"system": 3}, "model"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_any_work(case, monkeypatch):
    monkeypatch.setattr(simulation, "_Run", None)
    given, field = BAD[case]
    arguments = {"system": fs.TwoLayer(*FIG6), "start": 5, "tau": 10} | given
    with pytest.raises(fs.InputError, match=f"^{field}"):
        simulate(**arguments)


def test_interruption_passes_through(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulation, "integrate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(fs.TwoLayer(*FIG6), 5, 10)
