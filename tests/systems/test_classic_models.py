"""The files of classical models, against what is known of them and against solvers that are not ours."""

import math

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.relaxation import FIRST_AIRY_ZERO, relaxation_cycles
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.systems.presets import study_of


def points(name, kind):
    return np.array([(p.x, p.y) for p in fs.critical_manifold(study_of(name).system).of_kind(kind)])


def scipys_period(field, start, section, skip):
    """Return the time between two rising crossings of x = section, after some, with DOP853."""
    from scipy.integrate import solve_ivp

    def crosses(_, u):
        return u[0] - section

    crosses.direction = 1.0
    run = solve_ivp(field, (0, skip), start, method="DOP853", rtol=1e-12, atol=1e-13, events=crosses)
    times = run.t_events[0]
    return times[-1] - times[-2]


def test_bonhoeffer_van_der_pol_is_fitzhugh_nagumo_in_a_mirror():
    """With v = -x, current = -z and slow rate 1 / c^2, c = 3."""
    (cycle,) = fs.limit_cycles("bonhoeffer_van_der_pol").cycles
    (mirror,) = fs.limit_cycles(fs.fitzhugh_nagumo(current="2/5", slow_rate="1/9")).cycles
    assert cycle.period == pytest.approx(mirror.period, rel=1e-9)
    assert cycle.amplitude == pytest.approx(mirror.amplitude, rel=1e-4)


def test_stommels_boxes_have_two_states_for_middle_forcing():
    """F = s (1 + m (1 - s)^2) has its extrema at s = (2 -+ sqrt(1 - 3 / m)) / 3; for m = 6.2: 0.96 < F < 1.30."""
    m = 6.2
    at = [(2 + sign * math.sqrt(1 - 3 / m)) / 3 for sign in (-1, 1)]
    assert points("stommel", "fold") == pytest.approx(
        np.array([(s, s * (1 + m * (1 - s) ** 2)) for s in at]), abs=1e-15
    )
    orbit = fs.analyze("stommel").orbits[0]
    assert [s.kind for s in orbit.segments] == ["jump", "slow", "jump", "slow"]


def test_a_forced_cusp_tips_late_by_two_thirds_of_a_power():
    """At x = 0 the parameter is beyond the fold by W slow_rate^(2/3) / 3^(1/6) + O(slow_rate log slow_rate)."""
    assert points("tipping", "fold") == pytest.approx(
        np.array([(s * 3**-0.5, -s * 2 / 27**0.5) for s in (-1, 1)]), abs=1e-15
    )
    family = fs.family_of("tipping", "slow_rate")
    lags = []
    for rate in (1e-4, 1e-6):
        late = FIRST_AIRY_ZERO * rate ** (2 / 3) / 3 ** (1 / 6)
        times = (2 / 27**0.5 + 0.5 + late * np.linspace(0, 2, 2001)) / rate
        run = fs.simulate(family.at(str(rate)), (-1.2, -0.5), tau=times[-1], times=times)
        lags.append((run.y[np.flatnonzero(run.x > 0)[0]] - 2 / 27**0.5) / late)
    assert lags[1] == pytest.approx(1, abs=0.01)
    assert abs(lags[1] - 1) < abs(lags[0] - 1) / 2


def test_gradient_descent_for_phase_retrieval_follows_the_plane():
    """SGD with fresh batches in 8 dimensions, variance 50 along e_2, signal e_1, against the system."""
    study = study_of("phase_retrieval")
    rng = np.random.default_rng(1)
    spike, dim, batch, step = 50.0, 8, 1500, 1e-3
    scale = np.ones(dim)
    scale[1] = math.sqrt(spike)
    w = np.zeros(dim)
    w[0], w[1] = np.array([0.05, 0.01 / math.sqrt(spike)]) / math.sqrt(3)
    states = {}
    for k in range(1, 2501):
        x = rng.standard_normal((batch, dim)) * scale
        z = x @ w
        w = w - step * ((z**2 - x[:, 0] ** 2) * z) @ x / batch
        if k in (300, 1000, 1400, 2500):
            states[k] = math.sqrt(3) * np.array([abs(w[1]) * math.sqrt(spike), w[0]])
    run = fs.simulate(study.system, study.starts[0], tau=2.5 * spike, times=[spike * step * k for k in states])
    for k, (u, y) in enumerate(states.values()):
        assert (u, y) == pytest.approx((run.x[k], run.y[k]), abs=0.06)


def test_the_fast_second_layer_is_the_two_layer_network_the_other_way_round():
    """The same orbit as `two_layer` with slow rate 100, in 100 times its time; it ends at R = 1/2, a = 2."""
    network = fs.TwoLayer([1, 1], [1, "1/2"], slow_rate=100)
    run = fs.simulate(study_of("fast_second_layer").system, (1, "1/10"), tau=200)
    other = fs.simulate(network, ("1/10", 1), tau=2)
    assert (run.final[0], run.final[1]) == pytest.approx((other.final[1], other.final[0]), rel=1e-7)
    assert fs.analyze("fast_second_layer").orbits[0].trajectory.final == (2.0, 0.5)


def test_the_folds_of_the_ab_reaction():
    """Doedel's example, eliminated: D = u e^(-4.5 u) / (1 - u)."""
    known = np.array([(1 / 3, math.exp(-1.5) / 2), (2 / 3, 2 * math.exp(-3))])
    assert points("ab_reaction", "fold") == pytest.approx(known, abs=1e-15)
    (cycle,) = relaxation_cycles(SingularFlow(fs.critical_manifold(study_of("ab_reaction").system)))
    assert cycle.folds == ("F1", "F2")


def test_morris_and_lecars_cycle_against_scipy():
    system = study_of("morris_lecar").system
    (cycle,) = fs.limit_cycles(system).cycles

    def field(_, u):
        v, w = u
        m, rest = (1 + math.tanh((v + 1.2) / 18)) / 2, (1 + math.tanh((v - 2) / 30)) / 2
        current = 100 - 2 * (v + 60) - 4.4 * m * (v - 120) - 8 * w * (v + 84)
        return current / 20, 0.04 * math.cosh((v - 2) / 60) * (rest - w)

    assert cycle.period == pytest.approx(scipys_period(field, (20, 0.1), 0.0, 500), rel=1e-9)
    assert cycle.stability == "stable"


def test_morris_and_lecars_hopf_point():
    """The focus loses its stability between currents 93.8 and 93.9 (93.86, Rinzel and Ermentrout 1998)."""
    family = fs.family_of("morris_lecar", "current")
    traces = []
    for current in ("93.8", "93.9"):
        system, (v, w) = family.at(current), (-25.0, 0.14)
        for _ in range(20):
            matrix = np.array([[float(system.partial(of, 1 - k, k, v, w)) for k in (0, 1)] for of in ("f", "g")])
            v, w = np.array([v, w]) - np.linalg.solve(matrix, [system.f(v, w), system.g(v, w)])
        assert abs(system.f(v, w)) < 1e-12
        traces.append(float(np.trace(system.jacobian(v, w))))
    assert traces[0] < 0 < traces[1]


def test_harvested_prey_branches_where_it_is_known():
    """Doedel's example pp2: branch points at 3/5 and 0.821904345374, a fold at 0.832929322234."""
    family, axis = fs.family_of("pp2", "l"), fs.axis_of("l=0.4:1", "axis")
    found = {
        (p.kind, round(p.parameters[0], 12), round(p.x, 12))
        for p in fs.continued(family, axis, kind="equilibrium").points
    }
    third = round(1 / 3, 12)
    assert found == {
        ("transcritical", 0.6, 0.0),
        ("hopf", 0.671593847479, third),
        ("canard point", 0.671593847479, third),
        ("branch point", 0.821904345374, third),
        ("saddle-node", 0.832929322234, 0.411161560751),
    }
    # The prey's line u = 0 is no factor as f is written; it is one of its curves, crossed at v = 3 - 5 l.
    assert points("pp2", "crossing") == pytest.approx(np.array([(0, 0.5)]), abs=1e-15)
    assert family.at("0.81").invariant_lines == (0,)
    assert not fs.analyze(family.at("0.81")).theory.canards  # on v = 0, where g vanishes, the fold is none


def test_harvested_prey_comes_back_late_and_dies_out():
    """From the line u = 0 orbits come back where int (3 - v - 5 l) dv / v vanishes; beyond the fold there is none."""
    family = fs.family_of("pp2", "l")
    orbit = fs.analyze(family.at("0.3"), starts=[("1/2", "5/2")]).orbits[0]
    (late,) = [s for s in orbit.segments if s.delayed]
    entry, exit_ = 2.5, late.end[1]
    assert late.start == (0.0, 1.5) and exit_ < 1.5
    assert 1.5 * math.log(entry) - entry == pytest.approx(1.5 * math.log(exit_) - exit_, rel=1e-12)
    dead = fs.analyze(family.at("0.9"), starts=[("1/2", "1/2")])
    assert dead.orbits[0].verdict.ode == dead.orbits[0].verdict.singular == "settles at E1"
    assert (dead.of_kind("equilibrium")[0].x, dead.of_kind("equilibrium")[0].y) == (0, 0)


def test_the_prey_comes_back_late():
    """On x = 0 entry and exit have y e^(-y / h) alike (Rinaldi and Muratori 1992); the cycle against scipy."""
    analysis = fs.analyze("predator_prey")
    h, m, top = 0.3, 0.4, 1.3**2 / 4
    (late,) = [s for s in analysis.orbits[0].segments if s.delayed]
    exit_ = late.end[1]
    assert exit_ < h and exit_ * math.exp(-exit_ / h) == pytest.approx(top * math.exp(-top / h), rel=1e-12)
    assert analysis.theory.crossings[0].kind == "transcritical point"
    (cycle,) = analysis.limit_cycles.cycles
    assert cycle.kind == analysis.orbits[0].verdict.singular == analysis.orbits[0].verdict.ode

    def field(_, u):
        x, y = math.exp(u[0]), u[1]
        return 1 - x - y / (h + x), 0.01 * y * (x / (h + x) - m)

    assert cycle.period == pytest.approx(scipys_period(field, (math.log(0.5), 0.2), -1.0, 2500), rel=1e-8)


def test_every_classical_preset_has_a_title_and_starts():
    for name in fs.PRESETS:
        if not name.startswith("fig"):
            study = study_of(name)
            assert study.starts and fs.PRESETS[name].title
