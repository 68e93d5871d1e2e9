"""Ways in which an integration cannot go on: each has a name and a sentence, and what was done is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from fastslow.core.signatures import EVENTS, FIELD
from fastslow.errors import InputError
from fastslow.ode.integrate import EventSet, Limits, Status, integrate, integrate_batch

EXACT, NAN, INFINITE, REFUSES, RAISES, NAN_JACOBIAN, DIVIDES = map(float, range(7))


@njit
def decay(u, p, du, jacobian, with_jacobian):
    """U' = -u, but below u = p[1] what p[0] names: not a number, infinite, a return of 1, an exception ..."""
    du[0], jacobian[0, 0] = -u[0], -1.0
    if u[0] < p[1]:
        if p[0] == NAN:
            du[0] = np.nan
        elif p[0] == INFINITE:
            du[0] = np.inf
        elif p[0] == REFUSES:
            return 1
        elif p[0] == RAISES:
            raise ValueError("below the edge")
        elif p[0] == NAN_JACOBIAN:
            jacobian[0, 0] = np.nan
        elif p[0] == DIVIDES:
            du[0] = 1.0 / (p[0] - DIVIDES)
    return 0


@njit
def explosion(u, p, du, jacobian, with_jacobian):
    du[0], jacobian[0, 0] = u[0] * u[0], 2.0 * u[0]
    return 0


@njit
def rotation(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = p[0] * u[1], -p[0] * u[0]
    jacobian[0, 0], jacobian[0, 1], jacobian[1, 0], jacobian[1, 1] = 0.0, p[0], -p[0], 0.0
    return 0


@njit
def infinite_stiffness(u, p, du, jacobian, with_jacobian):
    """A Jacobian whose product with a step above 1 is infinite."""
    du[0], jacobian[0, 0] = 1.0, -1e308
    return 0


@njit
def without_jacobian(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = -u[0], -u[1]
    return 0


@njit
def sparse_jacobian(u, p, du, jacobian, with_jacobian):
    """Writes only what is not zero."""
    du[0], du[1] = -u[0], -u[1]
    jacobian[0, 0] = jacobian[1, 1] = -1.0
    return 0


@njit
def three_unknowns(u, p, du, jacobian, with_jacobian):
    for i in range(3):
        du[i] = -u[i]
        for j in range(3):
            jacobian[i, j] = -1.0 if i == j else 0.0
    return 0


@njit
def two_parameters(u, p, du, jacobian, with_jacobian):
    du[0], jacobian[0, 0] = -p[1] * u[0], -p[1]
    return 0


@njit
def finite_differences(u, p, du, jacobian, with_jacobian):
    """The way out that the message on a missing Jacobian names."""
    if with_jacobian:
        for i in range(2):
            v = u.copy()
            step = 1e-7 * max(abs(u[i]), 1e-3)
            v[i] += step
            for j in range(2):
                jacobian[j, i] = (-p[j] * v[j] ** 3 + p[j] * u[j] ** 3) / step
    du[0], du[1] = -p[0] * u[0] ** 3, -p[1] * u[1] ** 3
    return 0


@njit("int64(float64[::1], float64[::1])")
def other_signature(u, p):
    return 0


def python_field(u, p, du, jacobian, with_jacobian):
    du[0], jacobian[0, 0] = -u[0], -1.0
    return 0


@njit(EVENTS.signature)
def level(u, p, values):
    values[0] = u[0] - p[2]
    return 0


@njit(EVENTS.signature)
def two_levels(u, p, values):
    values[0], values[1] = u[0] - 0.5, u[0] - 0.25
    return 0


@njit(EVENTS.signature)
def bounded_level(u, p, values):
    """Outside its domain below p[1], by return or by NaN."""
    values[0] = u[0] - 0.9 if u[0] > p[1] or p[0] == REFUSES else np.nan
    return 1 if p[0] == REFUSES and u[0] < p[1] else 0


@pytest.mark.parametrize("how", [NAN, INFINITE, REFUSES, NAN_JACOBIAN])
def test_a_field_that_ends_later(how):
    """LSODA returns success for a NaN; here the run stops at the edge, and all before it is right."""
    run = integrate(decay, [how, 0.5], [1.0], (0.0, 2.0))
    assert run.status is Status.OUTSIDE
    assert "outside its domain or not finite" in run.sentence
    np.testing.assert_allclose(run.u[:, 0], np.exp(-run.t), rtol=1e-9)
    if how != NAN_JACOBIAN:  # a Jacobian is asked for only where a step begins
        assert run.final_time == pytest.approx(np.log(2.0), abs=1e-12)
    assert run.final_time == run.t[-1] and run.final_state[0] == run.u[-1, 0]
    assert len(run.t) == run.n_steps + 1


@pytest.mark.parametrize("how", [NAN, INFINITE, REFUSES, NAN_JACOBIAN, RAISES, DIVIDES])
def test_a_field_that_ends_at_once(how):
    run = integrate(decay, [how, 2.0], [1.0], (0.0, 2.0))
    assert (run.status, run.n_steps, run.final_time) == (Status.OUTSIDE, 0, 0.0)
    np.testing.assert_array_equal(run.u, [[1.0]])


@pytest.mark.parametrize(("how", "words"), [(RAISES, "ValueError: below the edge"), (DIVIDES, "ZeroDivisionError")])
def test_a_field_that_raises_keeps_what_was_done(how, words):
    run = integrate(decay, [how, 0.5], [1.0], (0.0, 2.0))
    assert run.status is Status.OUTSIDE
    assert words in run.sentence
    assert len(run.t) == run.n_steps + 1 > 5
    np.testing.assert_allclose(run.u[:, 0], np.exp(-run.t), rtol=1e-9)
    assert 0.5 < run.final_state[0] < 0.6
    other = integrate(decay, [how, 0.5], [1.0], (0.0, 2.0), solver="Radau")
    assert other.status is Status.OUTSIDE and words in other.sentence
    short = integrate(decay, [how, 0.5], [1.0], (0.0, 2.0), output=[0.1, 0.2, 1.9])
    np.testing.assert_allclose(short.u[:, 0], np.exp([-0.1, -0.2]), rtol=1e-8)


@pytest.mark.parametrize("how", [NAN, REFUSES, RAISES])
def test_a_batch_keeps_its_other_trajectories(how):
    """1500 starts are two chunks; every third reaches the edge."""
    starts = np.ones((1500, 1))
    parameters = np.tile([[EXACT, 0.5], [EXACT, 0.5], [how, 0.5]], (500, 1))
    batch = integrate_batch(decay, parameters, starts, (0.0, 2.0), rtol=1e-6)
    assert batch.statuses == (Status.DONE, Status.DONE, Status.OUTSIDE) * 500
    single = [integrate(decay, parameters[i], starts[i], (0.0, 2.0), rtol=1e-6) for i in range(3)]
    for i in range(1500):
        assert batch.final_states[i] == single[i % 3].final_state
        assert batch.final_times[i] == single[i % 3].final_time


def test_finite_time_blow_up():
    """X' = x^2 from 1: x = 1 / (1 - t)."""
    limited = integrate(explosion, [], [1.0], (0.0, 2.0), limits=Limits(growth=1e6))
    assert limited.status is Status.GROWTH and "growth" in limited.sentence
    assert limited.u[-2, 0] <= 1e6 < limited.final_state[0] < 1e8
    early = limited.u[:, 0] < 1e3
    np.testing.assert_allclose(limited.u[early, 0], 1.0 / (1.0 - limited.t[early]), rtol=1e-7)
    for sign in (1.0, -1.0):  # backward from -1 it is the same
        free = integrate(explosion, [], [sign], (0.0, 2.0 * sign))
        assert free.status is Status.STEP_TOO_SMALL
        assert free.final_time == pytest.approx(sign, abs=1e-9)
        assert abs(free.final_state[0]) > 1e9


def test_too_many_steps_keeps_them():
    run = integrate(rotation, [1.0], [0.0, 1.0], (0.0, 1e6), limits=Limits(max_steps=50))
    assert run.status is Status.MAX_STEPS
    assert run.n_steps + run.n_rejected == 50
    np.testing.assert_allclose(run.u[:, 0], np.sin(run.t), atol=1e-9)


def test_singular_matrix():
    run = integrate(infinite_stiffness, [], [1.0], (1.0, 1e6), limits=Limits(first_step=10.0, min_step=5.0))
    assert run.status is Status.SINGULAR
    assert (run.n_steps, run.final_state[0]) == (0, 1.0)


def test_events_outside_their_domain_keep_what_was_done():
    for how in (NAN, REFUSES):
        run = integrate(
            decay, [EXACT, 0.0], [1.0], (0.0, 2.0), events=EventSet(bounded_level, 1, parameters=[how, 0.4])
        )
        assert run.status is Status.EVENTS_OUTSIDE
        assert [hit.time for hit in run.events] == [pytest.approx(-np.log(0.9), abs=1e-10)]
        assert 0.4 < run.final_state[0] < 0.9
        assert len(run.t) == run.n_steps + 1
        np.testing.assert_allclose(run.u[:, 0], np.exp(-run.t), rtol=1e-9)
    at_once = integrate(
        decay, [EXACT, 0.0], [0.3], (0.0, 2.0), events=EventSet(bounded_level, 1, parameters=[NAN, 0.4])
    )
    assert (at_once.status, at_once.n_steps) == (Status.EVENTS_OUTSIDE, 0)


def test_an_event_that_never_comes():
    run = integrate(decay, [EXACT, 0.0, -1.0], [1.0], (0.0, 50.0), events=EventSet(level, 1, terminal=[True]))
    assert run.status is Status.DONE and run.events == ()
    assert run.final_time == 50.0


@pytest.mark.parametrize("begin", [-3.0, 0.0, 1e6])
@pytest.mark.parametrize("span", [2.0, -2.0])
def test_negative_and_reversed_times(begin, span):
    run = integrate(decay, [EXACT, -np.finfo(float).max], [1.0], (begin, begin + span))
    assert run.status is Status.DONE and run.final_time == begin + span
    assert run.final_state[0] == pytest.approx(np.exp(-span), rel=1e-9)
    assert (np.sign(np.diff(run.t)) == np.sign(span)).all()


@pytest.mark.parametrize("end", [1e40, 1e300, 5e-324, 1e-300, -1e300])
def test_extreme_lengths_of_time(end):
    """Steps grow from the scale of the field to any length, and no time is too short to be one step."""
    run = integrate(decay, [EXACT, -1.0], [1.0 if end > 0.0 else 0.0], (0.0, end))
    assert run.status is Status.DONE and run.final_time == end
    assert run.n_steps < 2000
    assert run.final_state[0] == pytest.approx(np.exp(-end) if end > 0.0 else 0.0, abs=1e-11)


def test_steps_that_the_clock_cannot_tell():
    """At t = 1e17 the clock goes by 16: a rotation by 64 takes steps that would leave it where it is."""
    run = integrate(rotation, [1.0], [0.0, 1.0], (1e17, 1e17 + 64.0))
    assert (run.status, run.n_steps) == (Status.STEP_TOO_SMALL, 0)
    slow = integrate(rotation, [1e-12], [0.0, 1.0], (1e17, 1e17 + 64.0))
    assert slow.status is Status.DONE
    np.testing.assert_allclose(slow.final_state, [np.sin(64e-12), 1.0], rtol=1e-10)


def test_a_smallest_step_is_no_smaller_first_step():
    """The first step that would be chosen is shorter than the bound, and need not be."""
    run = integrate(decay, [EXACT, 0.0], [1.0], (0.0, 10.0), rtol=1e-3, atol=1e-3, limits=Limits(min_step=0.05))
    assert run.status is Status.DONE
    assert np.diff(run.t)[:-2].min() >= 0.05
    assert run.final_state[0] == pytest.approx(np.exp(-10.0), abs=1e-3)


@pytest.mark.parametrize("solver", ["rodas5p", "Radau", "LSODA"])
@pytest.mark.parametrize(
    ("field", "p", "start", "words"),
    [
        (without_jacobian, [], [1.0, 1.0], r"does not write jacobian\[0, 0\].*difference quotients"),
        (sparse_jacobian, [], [1.0, 1.0], r"does not write jacobian\[0, 1\].*zeros too"),
        (three_unknowns, [], [1.0, 1.0], "writes beyond the end"),
        (three_unknowns, [], [1.0, 1.0, 1.0, 1.0], r"does not write du\[3\].*4 unknowns"),
        (two_parameters, [1.0], [1.0], r"makes du\[0\] of more than .* 1 parameters"),
    ],
)
def test_arrays_of_the_wrong_size_are_not_read_from_memory(field, p, start, words, solver):
    """Compiled code checks no index: each of these would give wrong numbers, and none an error."""
    with pytest.raises(InputError, match=words):
        integrate(field, p, start, (0.0, 1.0), solver=solver)
    if solver == "rodas5p":
        with pytest.raises(InputError, match=words):
            integrate_batch(field, p, [start, start], (0.0, 1.0))


def test_a_jacobian_by_differences_will_do():
    run = integrate(finite_differences, [1.0, 1e4], [1.0, 2.0], (0.0, 3.0))
    exact = [1.0 / np.sqrt(1.0 + 6.0), 2.0 / np.sqrt(1.0 + 24e4)]
    np.testing.assert_allclose(run.final_state, exact, rtol=1e-8)


@pytest.mark.parametrize(
    ("count", "words"), [(1, "writes beyond the end"), (3, r"does not write values\[2\]")], ids=["few", "many"]
)
def test_a_wrong_number_of_events(count, words):
    with pytest.raises(InputError, match=words) as caught:
        integrate(decay, [EXACT, 0.0], [1.0], (0.0, 2.0), events=EventSet(two_levels, count))
    assert caught.value.field == "events.function"


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="everything is a Python function then")
@pytest.mark.parametrize("function", [python_field, other_signature, None, "field"])
def test_what_is_not_compiled_is_told_how(function):
    with pytest.raises(InputError, match=r"must be compiled.*numba\.njit\(FIELD\.signature\)"):
        integrate(function, [], [1.0], (0.0, 1.0))
    with pytest.raises(InputError, match=r"must be compiled.*numba\.njit\(EVENTS\.signature\)"):
        integrate(decay, [EXACT, 0.0], [1.0], (0.0, 1.0), events=EventSet(function, 1))


def test_compiled_with_or_without_a_signature():
    def flat(u, p, du, jacobian, with_jacobian):
        du[0], jacobian[0, 0] = -u[0], -1.0
        return 0

    ends = [integrate(njit(*how)(flat), [], [1.0], (0.0, 1.0)).final_state[0] for how in ([FIELD.signature], [])]
    assert ends[0] == ends[1] == pytest.approx(np.exp(-1.0), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"t_span": ("a", 1.0)}, "t_span"),
        ({"t_span": None}, "t_span"),
        ({"t_span": (np.nan, 1.0)}, "t_span"),
        ({"t_span": (0.0, np.inf)}, "t_span"),
        ({"t_span": (-1e308, 1e308)}, "t_span"),
        ({"rtol": "small"}, "rtol"),
        ({"rtol": 9.9e-15}, "rtol"),
        ({"rtol": 1.0}, "rtol"),
        ({"rtol": [1e-3, 1e-3]}, "rtol"),
        ({"atol": -1.0}, "atol"),
        ({"atol": "small"}, "atol"),
        ({"atol": np.nan}, "atol"),
        ({"start": [1.0 + 1.0j]}, "start"),
        ({"start": np.ones(65)}, "start"),
        ({"limits": Limits(first_step=0.1, min_step=0.2)}, "limits.first_step"),
        ({"limits": Limits(min_step=2.0, max_step=1.0)}, "limits.min_step"),
        ({"limits": Limits(growth="large")}, "limits.growth"),
        ({"rtol": None}, "rtol"),
        ({"limits": {"max_steps": 3}}, "limits"),
        ({"limits": Limits(max_steps="many")}, "limits.max_steps"),
        ({"limits": Limits(max_step=[0.1, 0.2])}, "limits.max_step"),
        ({"limits": Limits(min_step="small")}, "limits.min_step"),
        ({"limits": Limits(first_step="small")}, "limits.first_step"),
        ({"events": two_levels}, "events"),
        ({"events": EventSet(two_levels, 2.5)}, "events.count"),
        ({"events": EventSet(two_levels, 2, directions=["up", "down"])}, "events.directions"),
        ({"events": EventSet(two_levels, 2, terminal=True)}, "events.terminal"),
        ({"events": EventSet(two_levels, 2, terminal=["yes", "no"])}, "events.terminal"),
        ({"events": EventSet(two_levels, 2, tolerance="small")}, "events.tolerance"),
    ],
)
def test_what_no_run_can_use(change, name):
    given = {"field": decay, "parameters": [EXACT, 0.0], "start": [1.0], "t_span": (0.0, 1.0)} | change
    with pytest.raises(InputError) as caught:
        integrate(**given)
    assert caught.value.field == name


def test_a_table_of_unequal_rows():
    with pytest.raises(InputError, match="parameters"):
        integrate_batch(decay, [[EXACT, 0.0], [EXACT]], [[1.0], [2.0]], (0.0, 1.0))


@pytest.mark.parametrize("solver", ["rodas5p", "Radau", "LSODA"])
@pytest.mark.parametrize(
    ("span", "times"),
    [((2.0, 2.0), [2.0, 2.0]), ((0.0, 1.0), [0.0, 0.5, 0.5, 1.0, 1.0]), ((1.0, 0.0), [1.0, 0.5, 0.5, 0.0])],
)
def test_states_at_each_time_that_is_asked_for(solver, span, times):
    """No span is too short for them, and a time may be given twice."""
    run = integrate(decay, [EXACT, 0.0], [1.0], span, output=times, solver=solver)
    assert run.status is Status.DONE and list(run.t) == times
    np.testing.assert_allclose(run.u[:, 0], np.exp(span[0] - np.array(times)), rtol=1e-8)


ENDLESS = """
import sys
import numpy as np
from numba import njit
from fastslow.core.polynomial import polynomial_field
from fastslow.ode.integrate import Limits, integrate, integrate_batch
import fastslow as fs
from fastslow.ode.ensembles import ensemble

@njit
def rotation(u, p, du, jacobian, with_jacobian):
    du[0], du[1] = u[1], -u[0]
    jacobian[0, 0], jacobian[0, 1], jacobian[1, 0], jacobian[1, 1] = 0.0, 1.0, -1.0, 0.0
    return 0

def one(end, steps=10**9):
    return integrate(rotation, [], [0.0, 1.0], (0.0, end), output="final", limits=Limits(max_steps=steps))

def batch(end, steps=10**9):
    return integrate_batch(rotation, [], np.ones((2000, 2)), (0.0, end), limits=Limits(max_steps=steps))

def many(end, steps=0):
    return ensemble(fs.van_der_pol(), np.linspace(-0.5, 0.5, 1000 if steps else 5_000_000), tau=end)

work = dict(one=one, batch=batch, many=many)[sys.argv[1]]
work(1.0, 10)
print("ready", flush=True)
try:
    work(1e9 if sys.argv[1] != "many" else 100.0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("kind", ["one", "batch", "many"])
def test_ctrl_c_is_heard(kind, tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, script, kind], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.7)  # well into pieces of full size
            sent = time.perf_counter()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            waited = time.perf_counter() - sent
        finally:
            process.kill()
    assert waited < 0.5


@pytest.mark.parametrize("end", [1e-9, 0.1, 3.0, 1e12, 1e30])
def test_times_are_written_as_short_as_they_read_back(end):
    sentence = integrate(decay, [EXACT, 0.0], [1.0], (0.0, end)).sentence
    assert sentence == f"Reached the end of the time span, t = {str(end).removesuffix('.0')}."
