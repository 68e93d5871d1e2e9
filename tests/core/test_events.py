"""Events: every zero of every function, once, in order of time, where it is; ties, touches, and both directions."""

import numpy as np
import pytest
from numba import njit

from fastslow.core.signatures import EVENTS
from fastslow.ode.integrate import EventSet, Limits, Status, integrate, integrate_batch

TIGHT = {"rtol": 1e-13, "atol": 1e-15}


@njit
def clock(u, p, du, jacobian, with_jacobian):
    """U = t: what an event function of it finds is known exactly, and a step may be as long as is allowed."""
    du[0], jacobian[0, 0] = 1.0, 0.0
    return 0


@njit
def rotation(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = u[1], -u[0]
    jacobian[0, 0], jacobian[0, 1], jacobian[1, 0], jacobian[1, 1] = 0.0, 1.0, -1.0, 0.0
    return 0


@njit(EVENTS.signature)
def cubic(u, p, values):
    """P[0] prod_k (t - p_k), k = 1 ... 3: three zeros, two of them close or equal if wanted."""
    values[0] = p[0] * (u[0] - p[1]) * (u[0] - p[2]) * (u[0] - p[3])
    return 0


@njit(EVENTS.signature)
def three_waves(u, p, values):
    values[0], values[1], values[2] = u[0], u[0] - 0.5, u[1] * u[0]
    return 0


@njit(EVENTS.signature)
def twins(u, p, values):
    """The same function three times."""
    values[0] = values[1] = values[2] = u[0] - p[0]
    return 0


@njit(EVENTS.signature)
def below(u, p, values):
    """Negative beyond p[0]; and a zero at p[1]."""
    values[0], values[1] = p[0] - u[0], u[0] - p[1]
    return 0


def zeros_of(p, span=(0.0, 4.0), step=np.inf, **options):
    run = integrate(clock, [], [span[0]], span, events=EventSet(cubic, 1, parameters=p, **options),
                    limits=Limits(max_step=step))  # fmt: skip
    return run, [(hit.time, hit.kind, hit.direction) for hit in run.events]


@pytest.mark.parametrize("step", [4.0, 0.3])
@pytest.mark.parametrize("gap", [0.4, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("backward", [False, True])
def test_close_pairs(gap, step, backward):
    """A dip of gap^2 / 4 between samples of the same sign: a scan of signs would miss it."""
    span = (4.0, 0.0) if backward else (0.0, 4.0)
    _, hits = zeros_of([1.0, 1.3, 1.3 + gap, 3.1], span, step, tolerance=1e-16)
    times = sorted([1.3, 1.3 + gap, 3.1], reverse=backward)
    assert [kind for _, kind, _ in hits] == ["crossing"] * 3
    assert [direction for _, _, direction in hits] == ([-1, 1, -1] if backward else [1, -1, 1])
    np.testing.assert_allclose([time for time, _, _ in hits], times, atol=1e-12 + 1e-16 / gap)


@pytest.mark.parametrize("step", [4.0, 0.3, 0.25])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_double_zero_is_tangential(step, sign):
    """Also at the very end of a step: with steps of 1/4 the zero at 3/2 is."""
    _, hits = zeros_of([sign, 1.5, 1.5, 3.1], step=step)
    (touch, kind, direction), crossing = hits
    assert (kind, direction) == ("tangential", 0)
    assert touch == pytest.approx(1.5, abs=2e-5)  # the square root of the tolerance
    assert crossing[1:] == ("crossing", sign)
    assert crossing[0] == pytest.approx(3.1, abs=1e-12)


@pytest.mark.parametrize("step", [4.0, 0.3, 0.25])
def test_a_triple_zero_is_one_crossing(step):
    _, hits = zeros_of([1.0, 1.5, 1.5, 1.5], step=step)
    ((time, kind, direction),) = hits
    assert (kind, direction) == ("crossing", 1)
    assert time == pytest.approx(1.5, abs=5e-4)  # the third root of the tolerance


@pytest.mark.parametrize("shift", [0.0, 1e-15, -1e-15, 1e-9, -1e-9])
@pytest.mark.parametrize("step", [0.25, 0.125])
def test_zeros_at_the_ends_of_steps_are_found_once(step, shift):
    zeros = [0.5 + shift, 1.5 + shift, 2.25 + shift]
    _, hits = zeros_of([1.0, *zeros], step=step)
    assert [direction for _, _, direction in hits] == [1, -1, 1]
    np.testing.assert_allclose([time for time, _, _ in hits], zeros, atol=1e-14)


def test_a_terminal_zero_at_the_end_of_the_run():
    run, hits = zeros_of([1.0, 1.0, 2.0, 5.0], (0.0, 2.0 + 1e-9), terminal=[True], directions=[-1])
    assert run.status is Status.EVENT and len(hits) == 1
    assert run.final_time == pytest.approx(2.0, abs=1e-12)


def test_all_functions_in_the_order_of_time():
    end = 40.0
    run = integrate(rotation, [], [0.0, 1.0], (0.0, end), events=EventSet(three_waves, 3), **TIGHT)
    k = np.arange(1, 27)
    half = np.arcsin(0.5)
    expected = sorted(
        [(t, 0) for t in k * np.pi]
        + [(t, 1) for m in range(8) for t in (half + 2 * m * np.pi, np.pi - half + 2 * m * np.pi)]
        + [(t, 2) for t in k * np.pi / 2],
        key=lambda pair: (round(pair[0], 9), pair[1]),
    )
    expected = [pair for pair in expected if pair[0] < end]
    found = sorted(((hit.time, hit.index) for hit in run.events), key=lambda pair: (round(pair[0], 9), pair[1]))
    assert [index for _, index in found] == [index for _, index in expected]
    np.testing.assert_allclose([t for t, _ in found], [t for t, _ in expected], atol=3e-12)
    times = [hit.time for hit in run.events]
    assert times == sorted(times)
    for hit in run.events:
        np.testing.assert_allclose(hit.state, [np.sin(hit.time), np.cos(hit.time)], atol=3e-12)
    assert max(np.diff(run.t)) < 2.0, "not a single step"


def test_backward_mirrors_forward():
    """Directions are along the integration: backward in time, a rising zero is one that falls in time."""
    forward = integrate(rotation, [], [0.0, 1.0], (0.0, 20.0), events=EventSet(three_waves, 3), **TIGHT)
    options = {"events": EventSet(three_waves, 3, directions=[1, -1, 0])}
    backward = integrate(rotation, [], forward.final_state, (20.0, 0.0), **options, **TIGHT)
    rule = {0: -1, 1: 1}
    wanted = [(h.index, -h.direction) for h in forward.events if rule.get(h.index, h.direction) == h.direction]
    found = [(h.index, h.direction) for h in backward.events]
    assert sorted(found) == sorted(wanted)
    times = [h.time for h in backward.events]
    assert times == sorted(times, reverse=True)
    known = sorted(h.time for h in forward.events if rule.get(h.index, h.direction) == h.direction)
    np.testing.assert_allclose(times[::-1], known, atol=5e-12)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_equal_functions_are_all_reported_with_the_terminal_one(which):
    terminal = [index == which for index in range(3)]
    run = integrate(
        rotation, [], [0.0, 1.0], (0.0, 9.0), events=EventSet(twins, 3, terminal=terminal, parameters=[0.3])
    )
    assert run.status is Status.EVENT
    assert which in {hit.index for hit in run.events}
    assert len({hit.time for hit in run.events}) == 1
    assert run.final_state[0] == pytest.approx(0.3, abs=1e-15)


def test_after_the_step_that_ends_a_run():
    """A "step end" function stops the run at an accepted step, later than its zero; zeros on the way are located."""
    events = EventSet(below, 2, terminal=["step end", False], parameters=[1.1, 0.35])
    run = integrate(clock, [], [0.0], (0.0, 4.0), events=events, limits=Limits(first_step=0.25, max_step=0.25))
    assert run.status is Status.EVENT
    assert run.final_time == run.t[-1] == 1.25
    assert [(hit.index, hit.time) for hit in run.events] == [(1, pytest.approx(0.35, abs=1e-14)), (0, 1.25)]
    np.testing.assert_array_equal(run.events[-1].state, run.final_state)
    steps = integrate(clock, [], [0.0], (0.0, 4.0), limits=Limits(first_step=0.25, max_step=0.25))
    np.testing.assert_array_equal(run.t, steps.t[: len(run.t)])
    # what is negative from the start on ends the run after one step; what is not, never
    at_once = integrate(clock, [], [2.0], (2.0, 4.0), events=events, limits=Limits(first_step=0.25, max_step=0.25))
    assert at_once.n_steps == 1
    never = EventSet(below, 2, terminal=["step end", "step end"], directions=[0, 0], parameters=[9.0, -9.0])
    assert integrate(clock, [], [0.0], (0.0, 4.0), events=never).status is Status.DONE


@pytest.mark.parametrize("solver", ["Radau", "LSODA"])
def test_the_second_opinion_stops_where_a_function_turns_negative(solver):
    """For a "step end" function scipy locates the zero; where the value turns positive it must not stop."""
    events = EventSet(three_waves, 3, terminal=["step end", False, False], directions=[0, -1, 0])
    options = {"events": events, "solver": solver, "rtol": 1e-8}
    run = integrate(rotation, [], [0.5, np.sqrt(0.75)], (0.0, 9.0), **options)
    assert run.status is Status.EVENT
    assert run.final_time == pytest.approx(np.pi - np.arcsin(0.5), abs=1e-6)
    assert [(hit.index, hit.direction) for hit in run.events] == [(2, 0), (1, -1), (0, -1)]
    at_once = integrate(rotation, [], [-0.5, np.sqrt(0.75)], (0.0, 9.0), **options)
    assert (at_once.status, at_once.final_time, len(at_once.events)) == (Status.EVENT, 0.0, 1)


def test_events_of_a_batch_with_parameters_of_their_own():
    levels = np.array([[0.2], [0.9], [1.1]])
    events = EventSet(twins, 3, directions=[1, -1, 0], parameters=levels)
    batch = integrate_batch(rotation, [], np.tile([0.0, 1.0], (3, 1)), (0.0, 6.0), events=events, **TIGHT)
    for level, hits in zip(levels[:, 0], batch.events, strict=True):
        if level > 1.0:
            assert hits == ()
            continue
        up, down = np.arcsin(level), np.pi - np.arcsin(level)
        found = sorted((hit.index, hit.direction) for hit in hits)
        assert found == [(0, 1), (1, -1), (2, -1), (2, 1)]
        for hit in hits:
            assert hit.time == pytest.approx(up if hit.direction == 1 else down, abs=3e-12)
