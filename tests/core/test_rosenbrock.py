"""Rodas5P: order, stiff problems with known answers, events, and the ways a run can end."""

import math
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from fastslow.core.signatures import EVENTS, FIELD
from fastslow.errors import InputError
from fastslow.ode import integrate as module
from fastslow.ode.integrate import EventSet, Limits, Status, integrate, integrate_batch

TIGHT = {"rtol": 1e-12, "atol": 1e-14}


@njit(FIELD.signature)
def volterra(u, p, du, jacobian, with_jacobian):
    x, y = u
    du[0], du[1] = x * (1.0 - y), y * (x - 1.0)
    jacobian[0, 0], jacobian[0, 1] = 1.0 - y, -x
    jacobian[1, 0], jacobian[1, 1] = y, x - 1.0
    return 0


@njit(FIELD.signature)
def oscillator(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = u[1], -u[0]
    jacobian[0, 0], jacobian[0, 1] = 0.0, 1.0
    jacobian[1, 0], jacobian[1, 1] = -1.0, 0.0
    return 0


@njit(FIELD.signature)
def relaxation(u, p, du, jacobian, with_jacobian):
    """X' = -k (x - y), y' = -y: x follows y for large k."""
    du[0], du[1] = -p[0] * (u[0] - u[1]), -u[1]
    jacobian[0, 0], jacobian[0, 1] = -p[0], p[0]
    jacobian[1, 0], jacobian[1, 1] = 0.0, -1.0
    return 0


@njit(FIELD.signature)
def robertson(u, p, du, jacobian, with_jacobian):
    a, b, c = 0.04, 1e4, 3e7
    x, y, z = u
    du[0] = -a * x + b * y * z
    du[2] = c * y * y
    du[1] = -du[0] - du[2]
    jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = -a, b * z, b * y
    jacobian[2, 0], jacobian[2, 1], jacobian[2, 2] = 0.0, 2.0 * c * y, 0.0
    for j in range(3):
        jacobian[1, j] = -jacobian[0, j] - jacobian[2, j]
    return 0


@njit(FIELD.signature)
def van_der_pol(u, p, du, jacobian, with_jacobian):
    x, v = u
    du[0], du[1] = v, p[0] * (1.0 - x * x) * v - x
    jacobian[0, 0], jacobian[0, 1] = 0.0, 1.0
    jacobian[1, 0], jacobian[1, 1] = -2.0 * p[0] * x * v - 1.0, p[0] * (1.0 - x * x)
    return 0


@njit(FIELD.signature)
def network(u, p, du, jacobian, with_jacobian):
    """Two-layer network with c = (1, 1, 1), c* = (1, -1, 1) in (R, a)."""
    r, a = u
    s0, s1, s2 = r - 2.0 * r**2 + 6.0 * r**3, 1.0 - 4.0 * r + 18.0 * r**2, -4.0 + 36.0 * r
    t0, t1 = r**2 + 2.0 * r**4 + 6.0 * r**6, 2.0 * r + 8.0 * r**3 + 36.0 * r**5
    t2 = 2.0 + 24.0 * r**2 + 180.0 * r**4
    q = 1.0 - r * r
    force = 2.0 * s1 - a * t1
    du[0], du[1] = 0.5 * a * q * force, s0 - a * t0
    jacobian[0, 0] = 0.5 * a * (-2.0 * r * force + q * (2.0 * s2 - a * t2))
    jacobian[0, 1] = 0.5 * q * (force - a * t1)
    jacobian[1, 0], jacobian[1, 1] = s1 - a * t1, -t0
    return 0


@njit(FIELD.signature)
def explosion(u, p, du, jacobian, with_jacobian):
    du[0], jacobian[0, 0] = u[0] * u[0], 2.0 * u[0]
    return 0


@njit(FIELD.signature)
def root(u, p, du, jacobian, with_jacobian):
    """The field of u' = -sqrt(u) - 1 reaches the edge of its domain; with p = 1 it says so, else it is NaN."""
    if u[0] < 0.0 and p[0] == 1.0:
        return 1
    du[0] = -np.sqrt(u[0]) - 1.0
    jacobian[0, 0] = -0.5 / np.sqrt(u[0])
    return 0


@njit(EVENTS.signature)
def axes(u, p, values):
    values[0], values[1] = u[0], u[1]
    return 0


@njit(EVENTS.signature)
def level(u, p, values):
    values[0] = u[0] - p[0]
    return 0


@njit(EVENTS.signature)
def many(u, p, values):
    """sin(40 phi) on the circle: many zeros in one step."""
    values[0] = np.sin(40.0 * np.arctan2(u[0], u[1]))
    return 0


@njit(EVENTS.signature)
def bad_events(u, p, values):
    values[0] = np.nan
    return 0


def one_step_size(h):
    """Options that make every step `h` long."""
    return {"rtol": 0.1, "atol": 1e12, "limits": Limits(first_step=h, max_step=h)}


def slopes(sizes, errors):
    return np.diff(np.log(errors)) / np.diff(np.log(sizes))


def test_order_is_five():
    start, span = [1.5, 0.7], (0.0, 5.0)
    exact = integrate(volterra, [], start, span, rtol=1e-14, atol=1e-16, limits=Limits(max_step=0.004))
    counts = np.array([32, 64, 128, 256])
    errors = []
    for k in counts:
        run = integrate(volterra, [], start, span, **one_step_size(5.0 / k))
        assert run.n_steps == k
        errors.append(np.abs(run.final_state - exact.final_state).max())
    np.testing.assert_allclose(slopes(5.0 / counts, errors), 5.0, atol=0.2)


def test_dense_output_is_of_order_four():
    # one step from the same point: the error of an interpolant of order 4 is O(h^5), that of the step O(h^6)
    sizes = np.array([0.1, 0.05, 0.025])
    errors, ends = [], []
    for h in sizes:
        times = h * np.array([0.25, 0.5, 0.75, 1.0])
        exact = integrate(volterra, [], [1.5, 0.7], (0.0, h), output=times, rtol=1e-14, atol=1e-16,
                          limits=Limits(max_step=h / 64))  # fmt: skip
        once = integrate(volterra, [], [1.5, 0.7], (0.0, h), output=times, **one_step_size(h))
        assert once.n_steps == 1
        errors.append(np.abs(once.u - exact.u)[:3].max())
        ends.append(np.abs(once.u - exact.u)[3].max())
    np.testing.assert_allclose(slopes(sizes, errors), 5.0, atol=0.3)
    assert (slopes(sizes, ends) > 5.5).all()


def test_stiff_linear():
    k = 1e9
    run = integrate(relaxation, [k], [2.0, 1.0], (0.0, 3.0))
    slaved = k / (k - 1.0) * np.exp(-3.0)
    np.testing.assert_allclose(run.final_state, [slaved, np.exp(-3.0)], rtol=3e-9)
    assert run.status is Status.DONE
    assert run.n_steps < 600


def test_robertson():
    run = integrate(robertson, [], [1.0, 0.0, 0.0], (0.0, 40.0), output=[40.0], **TIGHT)
    np.testing.assert_allclose(run.u[0], [0.7158270688, 9.1855347e-6, 0.2841637457], rtol=2e-8)
    assert run.u[0].sum() == pytest.approx(1.0, abs=1e-12)
    late = integrate(robertson, [], [1.0, 0.0, 0.0], (0.0, 1e11), rtol=1e-10, atol=1e-20)
    known = [0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050]
    np.testing.assert_allclose(late.final_state, known, rtol=1e-6)


@pytest.mark.parametrize(("mu", "period"), [(10.0, 19.0783695669), (100.0, 162.837071092), (1000.0, 1614.40112581)])
def test_van_der_pol_period(mu, period):
    # the first crossings still feel the start; the last two do not
    events = EventSet(axes, 2, directions=[1, 1])
    run = integrate(van_der_pol, [mu], [2.0, 0.0], (0.0, 3.6 * period), events=events, rtol=1e-12, atol=1e-13)
    times = [hit.time for hit in run.events if hit.index == 0]
    assert times[-1] - times[-2] == pytest.approx(period, rel=2e-10)


def test_agrees_with_scipy():
    mu, end = 5.0, 20.0
    own = integrate(van_der_pol, [mu], [2.0, 0.0], (0.0, end), **TIGHT)
    for solver in ("Radau", "LSODA"):
        other = integrate(van_der_pol, [mu], [2.0, 0.0], (0.0, end), solver=solver, output="final", **TIGHT)
        assert other.status is Status.DONE
        np.testing.assert_allclose(own.final_state, other.final_state, rtol=1e-8)
        if solver == "Radau":
            assert own.n_field_calls < other.n_field_calls


@pytest.mark.parametrize("rtol", [1e-6, 1e-8, 1e-10, 1e-12, 1e-13])
def test_error_follows_the_tolerance(rtol):
    end = 20.0
    run = integrate(oscillator, [], [0.0, 1.0], (0.0, end), rtol=rtol, atol=rtol)
    error = np.abs(run.final_state - [np.sin(end), np.cos(end)]).max()
    assert error < 20.0 * rtol


def test_zeros_are_located():
    run = integrate(oscillator, [], [0.0, 1.0], (0.0, 20.0), events=EventSet(axes, 2), **TIGHT)
    sines = [hit for hit in run.events if hit.index == 0]
    assert len(sines) == 6
    for k, hit in enumerate(sines, start=1):
        assert hit.kind == "crossing"
        assert hit.direction == (-1) ** k
        assert hit.time == pytest.approx(k * np.pi, abs=2e-11)
        np.testing.assert_allclose(hit.state, [0.0, (-1.0) ** k], atol=2e-11)
    times = [hit.time for hit in run.events]
    assert times == sorted(times)
    falling = integrate(oscillator, [], [0.0, 1.0], (0.0, 20.0), events=EventSet(axes, 2, directions=[-1, 1]))
    assert [(hit.index, hit.direction) for hit in falling.events] == [(0, -1), (1, 1)] * 3


def test_several_zeros_in_one_step():
    run = integrate(oscillator, [], [np.sin(0.01), np.cos(0.01)], (0.0, 3.0), rtol=1e-8, events=EventSet(many, 1))
    expected = np.arange(1, 39) * np.pi / 40.0 - 0.01
    times = np.array([hit.time for hit in run.events])
    assert run.n_steps < expected.size
    np.testing.assert_allclose(times, expected, atol=1e-6)


def test_event_state_has_the_accuracy_of_the_steps():
    # one long step: the interpolant alone would be much worse than the refined event
    start, span, events = [1.5, 0.7], (0.0, 0.3), EventSet(level, 1, parameters=[1.54])
    hit = integrate(volterra, [], start, span, events=events, **one_step_size(0.3)).events[0]
    fine = integrate(volterra, [], start, span, events=events, **TIGHT).events[0]
    assert hit.state[0] == pytest.approx(1.54, abs=1e-15)
    assert abs(hit.time - fine.time) < 3e-8


@pytest.mark.parametrize("offset", [0.0, 3e-11, -3e-11])
def test_tangential_zero(offset):
    events = EventSet(level, 1, parameters=[1.0 + offset], tolerance=1e-10)
    run = integrate(oscillator, [], [0.0, 1.0], (0.0, 5.0), events=events, **TIGHT)
    (hit,) = run.events
    assert (hit.kind, hit.direction) == ("tangential", 0)
    assert hit.time == pytest.approx(np.pi / 2, abs=2e-5)
    assert run.status is Status.DONE


def test_near_miss_and_shallow_dip():
    miss = EventSet(level, 1, parameters=[1.0 + 1e-6])
    assert integrate(oscillator, [], [0.0, 1.0], (0.0, 5.0), events=miss, **TIGHT).events == ()
    dip = EventSet(level, 1, parameters=[1.0 - 1e-8])
    up, down = integrate(oscillator, [], [0.0, 1.0], (0.0, 5.0), events=dip, **TIGHT).events
    assert (up.direction, down.direction) == (1, -1)
    half = np.arccos(1.0 - 1e-8)
    assert down.time - up.time == pytest.approx(2.0 * half, rel=1e-3)


def test_terminal_event_stops_and_can_be_continued():
    events = EventSet(axes, 2, terminal=[True, False])
    run = integrate(oscillator, [], [0.0, 1.0], (0.0, 20.0), events=events, **TIGHT)
    assert run.status is Status.EVENT
    assert run.final_time == run.t[-1] == run.events[-1].time
    assert run.final_time == pytest.approx(np.pi, abs=1e-11)
    assert [hit.index for hit in run.events] == [1, 0]
    np.testing.assert_array_equal(run.u[-1], run.final_state)
    # a start on the zero set is no event
    again = integrate(oscillator, [], run.final_state, (run.final_time, 20.0), events=events, **TIGHT)
    assert again.final_time == pytest.approx(2.0 * np.pi, abs=1e-10)


def test_backward():
    there = integrate(volterra, [], [1.5, 0.7], (0.0, 5.0), **TIGHT)
    back = integrate(volterra, [], there.final_state, (5.0, 0.0), events=EventSet(level, 1, parameters=[1.0]), **TIGHT)
    np.testing.assert_allclose(back.final_state, [1.5, 0.7], rtol=1e-10)
    assert (np.diff(back.t) < 0.0).all()
    times = [hit.time for hit in back.events]
    assert times == sorted(times, reverse=True)
    forth = integrate(volterra, [], [1.5, 0.7], (0.0, 5.0), events=EventSet(level, 1, parameters=[1.0]), **TIGHT)
    np.testing.assert_allclose(times[::-1], [hit.time for hit in forth.events], atol=1e-10)


def test_pieces_equal_one_go(monkeypatch):
    options = {"events": EventSet(axes, 2), "rtol": 1e-9}
    whole = integrate(van_der_pol, [50.0], [2.0, 0.0], (0.0, 300.0), **options)
    monkeypatch.setattr(module, "FIRST_PIECE", 3)
    monkeypatch.setattr(module, "MOST_PIECE", 7)
    monkeypatch.setattr("fastslow.ode.solution.FIRST_PIECE", 3)
    pieces = integrate(van_der_pol, [50.0], [2.0, 0.0], (0.0, 300.0), **options)
    np.testing.assert_array_equal(whole.t, pieces.t)
    np.testing.assert_array_equal(whole.u, pieces.u)
    assert [hit.time for hit in whole.events] == [hit.time for hit in pieces.events]
    assert whole.n_rejected == pieces.n_rejected > 0


def test_batch_equals_single():
    mu = np.linspace(1.0, 60.0, 23)[:, None]
    starts = np.column_stack([np.linspace(0.5, 2.0, 23), np.zeros(23)])
    events = EventSet(level, 1, parameters=[0.3])
    batch = integrate_batch(van_der_pol, mu, starts, (0.0, 100.0), events=events)
    for i in range(23):
        one = integrate(van_der_pol, mu[i], starts[i], (0.0, 100.0), events=events)
        np.testing.assert_array_equal(batch.final_states[i], one.final_state)
        assert batch.statuses[i] is one.status
        assert batch.n_steps[i] == one.n_steps
        assert [(hit.time, *hit.state) for hit in batch.events[i]] == [(hit.time, *hit.state) for hit in one.events]


def test_batch_keeps_statuses_apart():
    batch = integrate_batch(explosion, [], [[-1.0], [2.0], [0.1]], (0.0, 5.0), limits=Limits(growth=1e6))
    assert batch.statuses == (Status.DONE, Status.GROWTH, Status.DONE)
    np.testing.assert_allclose(batch.final_states[[0, 2], 0], [-1.0 / 6.0, 0.2], rtol=1e-9)


def test_output_times_and_final():
    times = [0.0, 1.0, 2.5, 2.5, 5.0]
    run = integrate(oscillator, [], [0.0, 1.0], (0.0, 5.0), output=times)
    np.testing.assert_array_equal(run.t, times)
    np.testing.assert_allclose(run.u[:, 0], np.sin(times), atol=1e-8)
    np.testing.assert_array_equal(run.u[-1], run.final_state)
    last = integrate(oscillator, [], [0.0, 1.0], (0.0, 5.0), output="final")
    assert last.u.shape == (1, 2)
    np.testing.assert_array_equal(last.u[0], run.final_state)
    stay = integrate(oscillator, [], [0.0, 1.0], (2.0, 2.0))
    assert (stay.status, stay.n_steps) == (Status.DONE, 0)


def test_ways_to_end():
    assert integrate(explosion, [], [1.0], (0.0, 2.0), limits=Limits(growth=1e8)).status is Status.GROWTH
    blown = integrate(explosion, [], [1.0], (0.0, 2.0))
    assert blown.status in {Status.STEP_TOO_SMALL, Status.OUTSIDE}
    assert blown.final_time == pytest.approx(1.0, abs=1e-8)
    assert integrate(oscillator, [], [0.0, 1.0], (0.0, 1e6), limits=Limits(max_steps=50)).status is Status.MAX_STEPS
    slow = integrate(oscillator, [], [0.0, 1.0], (0.0, 9.0), rtol=1e-13, limits=Limits(min_step=0.2, first_step=0.5))
    assert slow.status is Status.STEP_TOO_SMALL
    assert "step" in slow.sentence
    bad = integrate(oscillator, [], [0.0, 1.0], (0.0, 9.0), events=EventSet(bad_events, 1))
    assert bad.status is Status.EVENTS_OUTSIDE


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # without JIT numpy warns in the field
@pytest.mark.parametrize("says_so", [0.0, 1.0])
def test_edge_of_the_domain(says_so):
    run = integrate(root, [says_so], [1.0], (0.0, 5.0))
    assert run.status is Status.OUTSIDE
    assert np.isfinite(run.u).all()
    assert run.final_time == pytest.approx(2.0 - 2.0 * np.log(2.0), abs=1e-6)
    assert integrate(root, [says_so], [-1.0], (0.0, 5.0)).n_steps == 0


def test_network_runs_away():
    run = integrate(network, [], [0.0, 5.0], (0.0, 1e6), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(run.final_state, [0.0055813778994669855, 175.24585166793227], rtol=1e-9)
    r, a = run.u.T
    teacher = 1.0 + 2.0 + 6.0
    loss = 0.5 * (teacher - 2.0 * a * (r - 2.0 * r**2 + 6.0 * r**3) + a**2 * (r**2 + 2.0 * r**4 + 6.0 * r**6))
    assert (np.diff(loss) <= 4.0 * np.finfo(float).eps * loss[1:]).all()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"start": [np.nan, 1.0]}, "start"),
        ({"start": [[1.0]]}, "start"),
        ({"start": []}, "start"),
        ({"start": ["x"]}, "start"),
        ({"parameters": [np.inf]}, "parameters"),
        ({"t_span": (0.0, np.nan)}, "t_span"),
        ({"t_span": (0.0,)}, "t_span"),
        ({"rtol": 1e-16}, "rtol"),
        ({"rtol": np.nan}, "rtol"),
        ({"atol": 0.0}, "atol"),
        ({"atol": np.inf}, "atol"),
        ({"atol": [1.0, 1.0, 1.0]}, "atol"),
        ({"output": "all"}, "output"),
        ({"output": [0.5, 0.2]}, "output"),
        ({"output": [0.5, 2.0]}, "output"),
        ({"limits": Limits(max_steps=0)}, "limits.max_steps"),
        ({"limits": Limits(max_step=0.0)}, "limits.max_step"),
        ({"limits": Limits(min_step=-1.0)}, "limits.min_step"),
        ({"limits": Limits(first_step=0.0)}, "limits.first_step"),
        ({"limits": Limits(growth=np.nan)}, "limits.growth"),
        ({"events": EventSet(axes, 0)}, "events.count"),
        ({"events": EventSet(axes, 2, directions=[2, 0])}, "events.directions"),
        ({"events": EventSet(axes, 2, terminal=[True])}, "events.terminal"),
        ({"events": EventSet(axes, 2, tolerance=-1.0)}, "events.tolerance"),
        ({"events": EventSet(axes, 2, parameters=[np.nan])}, "events.parameters"),
        ({"solver": "Euler"}, "solver"),
        ({"field": len}, "field or events.function"),
    ],
)
def test_input_is_checked(change, name):
    given = {"field": oscillator, "parameters": [], "start": [0.0, 1.0], "t_span": (0.0, 1.0)} | change
    with pytest.raises(InputError) as caught:
        integrate(**given)
    assert caught.value.field == name


def test_scipy_events_and_domain():
    events = EventSet(axes, 2, terminal=[True, False])
    run = integrate(oscillator, [], [0.0, 1.0], (0.1, 20.0), events=events, solver="Radau", rtol=1e-8)
    assert run.status is Status.EVENT
    outside = integrate(root, [1.0], [1.0], (0.0, 5.0), solver="Radau", rtol=1e-6)
    assert outside.status is Status.OUTSIDE


def test_import_is_light():
    code = "import sys, fastslow.ode.integrate; assert not {'scipy', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@njit(FIELD.signature)
def linear_saddle(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = u[0], -p[0] * u[1]
    jacobian[0, 0], jacobian[0, 1] = 1.0, 0.0
    jacobian[1, 0], jacobian[1, 1] = 0.0, -p[0]
    return 0


@pytest.mark.parametrize("stiffness", [1.0, 1e6])
@pytest.mark.parametrize("sign", [1, -1])
def test_motion_away_from_a_saddle_below_the_tolerance_is_not_damped(stiffness, sign):
    """An L-stable step of many times 1 / rate turns exp(h) into nearly 0 of either sign, with no error seen."""
    run = integrate(linear_saddle, [stiffness], [sign * 1e-12, 1.0], (0, 30), rtol=1e-6, atol=1e-9, output="final")
    assert run.final_state[0] == pytest.approx(sign * 1e-12 * math.exp(30), rel=1e-3)
    start, span = [1.0, sign * 1e-12], (0, -30 / stiffness)
    back = integrate(linear_saddle, [stiffness], start, span, rtol=1e-6, atol=1e-9, output="final")
    assert back.final_state[1] == pytest.approx(sign * 1e-12 * math.exp(30), rel=1e-3)
