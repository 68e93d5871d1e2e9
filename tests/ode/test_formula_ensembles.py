"""Ensembles of systems without a table: tapes in lanes, against single runs, scipy and each other."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.cycle_traps import trap_of
from fastslow.ode.ensembles import ensemble
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.thresholds import edge_starts
from fastslow.systems.presets import study_of
from fastslow.systems.system import Start

LEFT_OF_A_LINE = fs.FastSlowSystem(
    "(1 - x)*(1/4 - x*exp(-y))", "1/5 - y + x/3", window=((-1, 1), (-1, 1)), start_fast=0
)
ALL_FUNCTIONS = fs.FastSlowSystem(
    "sin(x) - y + log(2 + x)/8 + erf(x)/9 + gelu(x)/7 + softplus(x)/6 + sqrt(3 + x)/5 + x**(-2)/4 + sinh(x/3)/9",
    "cosh(x/2) - atan(y) - silu(x)*sigmoid(y) - abs(x - 1)/3",
    window=((0.5, 3), (-1, 3)),
    start_fast=1,
    slow_rate="1/10",
)


def settling_of(model):
    return Settling(critical_manifold(study_of(model).system if isinstance(model, str) else model))


@pytest.mark.parametrize("model", ["pp2", "phase_retrieval", "fast_second_layer", LEFT_OF_A_LINE], ids=str)
def test_fates_are_those_of_single_runs(model):
    settling, rng = settling_of(model), np.random.default_rng(2)
    system = settling.system
    low, high = map(float, system.slow_window or (0.01, 0.99))
    x = rng.uniform(max(0.0, float(system.lower)), min(1.0, float(system.upper)), 40)
    found = ensemble(settling, rng.uniform(low, high, 40), x)
    for i, fate in enumerate(found.fate):
        one = settling.run(Start(Fraction(found.x0[i]), Fraction(found.y0[i])))
        assert fate == ("undecided" if one.undecided else one.verdict)
    assert found.again <= 1


@pytest.mark.parametrize("model", ["morris_lecar", "bonhoeffer_van_der_pol"])
def test_one_run_finds_the_cycle_for_all(model):
    """The others cross the trap beside it; those that single runs follow whole agree."""
    settling = settling_of(model)
    found = ensemble(settling, np.linspace(-0.2, 0.9, 50))
    assert found.again == 1 and set(found.fate) == {"relaxation oscillation"}
    for i in (7, 31):
        start = Start(settling.system.start_fast, Fraction(found.y0[i]))
        assert settling.run(start).verdict == "relaxation oscillation"
    trap = trap_of(settling.manifold, *settling.oscillations[0])
    assert trap is not None and trap.low < settling.oscillations[0][0].y[0] < trap.high


def test_a_trap_is_not_for_those_inside_an_unstable_cycle(tmp_path):
    """Before its subcritical Hopf point Morris and Lecar's fibre rests or fires, as the start says."""
    text = (Path(fs.__file__).parent / "models" / "morris_lecar.toml").read_text()
    path = tmp_path / "bistable.toml"
    path.write_text(text.replace("current = { value = 100", "current = { value = 90"))
    settling = settling_of(str(path))
    rest = settling.targets[0]
    found = ensemble(settling, np.linspace(rest.y - 0.05, rest.y + 0.3, 24), rest.x)
    assert found.again < 4 and len(set(found.fate)) == 2
    for i in range(0, 24, 3):
        assert found.fate[i] == settling.run(Start(Fraction(found.x0[i]), Fraction(found.y0[i]))).verdict


@pytest.mark.parametrize("model", ["morris_lecar", "pp2", LEFT_OF_A_LINE, ALL_FUNCTIONS], ids=str)
def test_states_at_a_time_are_those_of_scipy(model):
    settling = settling_of(model)
    system = settling.system
    low, high = map(float, system.slow_window)
    heights = np.linspace(low, high, 19)[1:-1]
    tau = 3.0 if model is not ALL_FUNCTIONS else 0.5
    found = ensemble(settling, heights, tau=tau, rtol=1e-10)
    assert found.again == 0 and (found.t == tau).all()
    rate = float(system.slow_rate)

    def field(_, u):
        return [system.f(*u), rate * system.g(*u)]

    for i in (0, 8, 16):
        x0 = float(system.start_fast)
        run = solve_ivp(field, (0.0, tau), [x0, heights[i]], method="DOP853", rtol=1e-12, atol=1e-13)
        scale = max(1.0, np.abs(run.y[0]).max())
        assert (found.x[i] / scale, found.y[i]) == pytest.approx((run.y[0, -1] / scale, run.y[1, -1]), abs=2e-8)


def test_a_trajectory_does_not_depend_on_its_neighbours():
    settling, rng = settling_of("predator_prey"), np.random.default_rng(3)
    heights, order = np.linspace(0.01, 0.49, 100), rng.permutation(100)
    whole, mixed = ensemble(settling, heights, tau=200.0), ensemble(settling, heights[order], tau=200.0)
    for name in ("x", "y", "t", "steps"):
        assert (getattr(mixed, name) == getattr(whole, name)[order]).all()


def test_the_edges_of_both_variables_end_runs():
    system = fs.FastSlowSystem("y - x - tanh(x)/9", "x + y + exp(x)/99", window=((-1, 1), (-1, 1)), slow_rate="1/9")
    found = ensemble(system, [-0.9, -0.5, 0.5, 0.9], [0.0, 0.0, 0.0, 0.0])
    assert set(found.fate) == {"leaves the window of y"}
    across = fs.FastSlowSystem("x + tanh(x)/9 + y", "-y + exp(x)/99", window=((-1, 1), (-1, 1)), slow_rate="1/9")
    assert set(ensemble(across, [0.1, 0.1], [-0.5, 0.5]).fate) == {"leaves the window of x"}


@pytest.mark.parametrize("window", [((-1, 1), (-3, 3)), ((-3, 3), ("-9/10", 3))])
def test_starts_that_only_just_leave_the_window(window):
    """Spirals that touch an edge between two steps, and those that cross it by 1e-7 of their size."""
    system = fs.FastSlowSystem("(y - x/20)*(sin(x)**2 + cos(x)**2)", "-x", slow_rate=1, window=window)
    edges = [y for y in edge_starts(Settling(fs.critical_manifold(system))) if 0.5 < y < 1.5]
    assert edges
    y = np.array([edge * (1 + side * 1e-7) for edge in edges for side in (-1, 1)])
    alone = [Settling(fs.critical_manifold(system)).run(Start(0, Fraction(v))).verdict for v in y]
    assert len(set(alone)) > 1
    assert list(fs.ensemble(system, y).fate) == alone
