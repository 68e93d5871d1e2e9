"""The time courses drawn are those computed: levels, jump times, the power of the tail."""

import math
from fractions import Fraction as F

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.branch_scales import poles_of
from fastslow.flow.singular_course import singular_course
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.ode.trajectories import Settling
from fastslow.plot.style import INK, LEARNING, NEUTRAL, UNLEARNING
from fastslow.plot.time_courses import time_courses, time_courses_figure, time_courses_png
from fastslow.plot.timescales import in_tail, time_scales_figure
from fastslow.scales.timescales import time_scales
from fastslow.systems.system import Start

matplotlib = pytest.importorskip("matplotlib")


class Case:
    def __init__(self, system, y0, tau):
        self.system, self.tau = system, tau
        self.manifold = fs.critical_manifold(system)
        self.start = Start(system.start_fast, F(y0))
        self.run = time_scales(system, self.start, tau)
        self.course = singular_course(self.manifold, self.start, tau)


def fig4(rate=1):
    return fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1], slow_rate=rate)


@pytest.fixture(scope="module")
def staircase():
    return Case(fig4(), 9, 1000)


@pytest.fixture(scope="module")
def unlearning():
    return Case(fig4(), 10, 10**8)


def of_color(axis, color):
    return [line for line in axis.lines if line.get_color() == color]


def test_levels_are_the_losses_before_and_after_each_jump(staircase):
    axis = time_courses_figure(staircase.run, staircase.course).axes[2]
    orbit = SingularFlow(staircase.manifold).orbit(staircase.start)
    jumps = [s for s in orbit.segments if s.kind == "jump"]
    expected = [float(staircase.system.test_loss(*end)) for jump in jumps for end in (jump.start, jump.end)]
    assert len(expected) == 4
    levels = list(of_color(axis, NEUTRAL))
    assert [line.get_ydata()[0] for line in levels] == pytest.approx(expected, rel=1e-12)
    # The levels are one jump apart at frozen a: E falls by -a dS + a^2 dT / 2.
    S, T = staircase.system.S, staircase.system.T
    for jump, before, after in zip(jumps, expected[::2], expected[1::2], strict=True):
        (x0, a), (x1, _) = jump.start, jump.end
        drop = a * (S(x1) - S(x0)) - a**2 * (T(x1) - T(x0)) / 2
        assert before - after == pytest.approx(float(drop), rel=1e-9)
        assert drop > 0
    texts = [text.get_text() for text in axis.texts]
    assert texts[0].endswith(f"{expected[0]:.5g}") and f"ΔE {expected[2] - expected[3]:.3g}" in texts[3]
    assert all(axis.get_ylim()[0] <= level <= axis.get_ylim()[1] for level in expected)


def test_the_full_system_is_drawn_as_it_is(staircase):
    run = staircase.run
    for axis, values in zip(time_courses_figure(run).axes, (run.x, run.y, run.energy), strict=True):
        (line,) = axis.lines
        t, drawn = line.get_data()
        assert line.get_color() == INK
        later = run.t > t[0]
        assert drawn[0] == values[~later][-1]  # the last step before the axis begins is drawn there
        assert np.array_equal(drawn[1:], values[later])
        assert t[-1] == run.t[-1] == 1000
        assert axis.get_xscale() == "log"
    # What is left out before the axis begins is the start, to a hundredth of the way.
    assert abs(time_courses_figure(run).axes[0].lines[0].get_ydata()[0] - run.x[0]) < 0.01


def test_jumps_are_vertical_and_dashed_and_drift_is_on_the_manifold(staircase):
    axes = time_courses_figure(staircase.run, staircase.course).axes
    colored = of_color(axes[0], LEARNING)
    jumps = [line for line in colored if line.is_dashed()]
    drifts = [line for line in colored if not line.is_dashed()]
    assert len(jumps) == 2 and len(drifts) == 3
    for line in jumps:
        assert line.get_xdata()[0] == line.get_xdata()[1]
    fold = next(p for p in staircase.manifold.points if p.kind == "fold" and p.x > 0)
    assert jumps[1].get_ydata()[0] == pytest.approx(fold.x, rel=1e-12)
    for i in (0, 1):  # the drifts on a = h(R); the third is on R = 1
        R, a = drifts[i].get_ydata(), [li for li in of_color(axes[1], LEARNING) if not li.is_dashed()][i].get_ydata()
        assert np.allclose(staircase.system.h(R), a, rtol=1e-9)
    assert np.all(drifts[2].get_ydata() == 1.0)


def test_the_jump_is_drawn_when_the_full_system_jumps():
    # In the limit of a small slow rate; the delay at a fold is of the order of rate^(2/3) in slow time.
    off = []
    for rate in (F(1, 100), F(1, 10**4)):
        case = Case(fig4(rate), 9, 200 / rate)
        jump = list(of_color(time_courses_figure(case.run, case.course).axes[0], LEARNING))[2]
        assert jump.is_dashed()
        full = time_courses_figure(case.run).axes[0].lines[0]
        t, R = full.get_data()
        off.append(float(t[np.argmax(R > 0.4)] / jump.get_xdata()[0] - 1))
    assert 0 < off[1] < 1e-4
    assert math.log10(off[0] / off[1]) / 2 == pytest.approx(2 / 3, abs=0.1)


def test_loss_is_a_staircase_down(staircase, unlearning):
    for case in (staircase, unlearning):
        drawn = np.concatenate([piece.energy for piece in case.course.pieces])
        assert np.all(np.diff(drawn) <= 1e-12 * drawn[0])


def test_unlearning_is_blue_and_logarithmic_where_it_runs_away(unlearning):
    axes = time_courses_figure(unlearning.run, unlearning.course).axes
    assert of_color(axes[0], UNLEARNING) and not of_color(axes[0], LEARNING)
    assert [axis.get_yscale() for axis in axes] == ["linear", "log", "linear"]
    drift = of_color(axes[1], UNLEARNING)[-1]
    assert drift.get_ydata()[-1] == pytest.approx(unlearning.run.y[-1], rel=2e-3)


def test_a_scale_that_runs_to_minus_infinity():
    case = Case(fs.TwoLayer([1] * 5, [-1, 1, -1, -1, -1]), -10, 10**6)
    figure = time_courses_figure(case.run, case.course)
    assert figure.axes[1].get_yscale() == "linear"
    mirrored = Case(fs.TwoLayer([1] * 5, [-1, 1, -1, -1, -1]), -10, 10**9)
    axis = time_courses_figure(mirrored.run, mirrored.course).axes[1]
    assert axis.get_yscale() == "symlog"
    assert min(of_color(axis, UNLEARNING)[-1].get_ydata()) < -1000


def test_a_model_without_energy_has_two_panels_and_a_trajectory_is_a_run():
    system = fs.van_der_pol()
    manifold = fs.critical_manifold(system)
    start = Start(F(2), F(0))
    run = Settling(manifold).run(start)
    figure = time_courses_figure(run, singular_course(manifold, start, 200))
    assert len(figure.axes) == 2
    assert figure.axes[0].lines[0].get_xdata()[-1] == run.t[-1]


def test_given_axes_are_drawn_on_and_global_state_is_left_alone(staircase):
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    axes = list(Figure().subplots(3, 1))
    assert time_courses(axes, staircase.run, staircase.course) is axes
    time_scales_figure(staircase.run, poles_of(staircase.manifold), staircase.course)
    assert dict(matplotlib.rcParams) == before


# Time scales --------------------------------------------------------------------------------------


def test_the_ratio_drawn_is_the_ratio_and_epsilon_a_level(unlearning):
    ratio, alignment = time_scales_figure(unlearning.run, poles_of(unlearning.manifold), unlearning.course).axes
    t, drawn = of_color(ratio, INK)[0].get_data()
    assert np.array_equal(drawn[1:], unlearning.run.ratio[unlearning.run.t > t[0]])
    level = next(line for line in ratio.lines if "average" in str(line.get_label()))
    assert level.get_ydata()[0] == unlearning.run.epsilon
    assert np.array_equal(of_color(alignment, INK)[0].get_ydata()[-5:], unlearning.run.alignment[-5:])


def test_the_tail_is_drawn_with_its_power(unlearning):
    ratio = time_scales_figure(unlearning.run, poles_of(unlearning.manifold)).axes[0]
    tail = next(line for line in ratio.lines if "tail" in str(line.get_label()))
    assert "-5/3" in tail.get_label().replace("$-$", "-")
    t, predicted = tail.get_data()
    measured = np.interp(t, unlearning.run.t, unlearning.run.ratio)
    # On the curve to a tenth where it begins, closer and closer, with the slope in time.
    off = np.abs(measured / predicted - 1)
    assert off[0] <= 0.1
    assert off[-1] < 0.02 < off[0]
    assert math.log(measured[-1] / measured[-200]) / math.log(t[-1] / t[-200]) == pytest.approx(-5 / 3, abs=0.03)


def test_there_is_no_tail_where_the_solution_does_not_go(staircase, unlearning):
    poles = poles_of(staircase.manifold)
    assert not any(in_tail(staircase.run, pole).any() for pole in poles)
    assert [in_tail(unlearning.run, pole).any() for pole in poles] == [p.node.y > 0 for p in poles]


def test_jump_times_are_marked(staircase):
    ratio = time_scales_figure(staircase.run, (), staircase.course).axes[0]
    marks = [line.get_xdata()[0] for line in of_color(ratio, NEUTRAL)]
    assert marks == [staircase.course.jump_times[1]]  # no logarithmic axis has the one at time 0


def test_the_title_is_the_start_and_late_events_are_not_on_the_edge(staircase):
    late = fs.simulate(staircase.manifold.system, 9, 200, times=np.geomspace(1, 200, 300))
    axis = time_courses_figure(late, staircase.course).axes[0]
    assert axis.get_title(loc="left") == "from (R, a) = (0, 9), slow rate 1"
    assert axis.get_xlim()[0] < 1 and axis.get_xlim()[1] > 200


def test_an_oscillation_says_where_its_singular_orbit_ends():
    system = fs.van_der_pol()
    run = fs.simulate(system, (2, 0), 400)
    axes = time_courses_figure(run, singular_course(fs.critical_manifold(system), run.start, 400)).axes
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert labels == ["full system", "singular limit, jump", "singular limit, drift until it repeats itself"]
    assert time_courses_png(run)[:4] == b"\x89PNG"
