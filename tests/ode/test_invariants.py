"""What holds along every trajectory of the network: the loss falls, lines are kept, mirror images are exact."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba import njit

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode import integrate as module
from fastslow.ode.ensembles import ensemble
from fastslow.ode.integrate import Limits, Status, integrate, integrate_batch
from fastslow.ode.trajectories import Settling
from fastslow.systems.chart import Chart
from fastslow.systems.system import Start

EPSILON = np.finfo(float).eps

coefficients = st.sampled_from(["-2", "-1", "-1/2", "1/4", "1", "3/2", "3"])
others = st.sampled_from(["-3", "-1", "-1/2", "0", "1/2", "1", "2"])
slow_rates = st.sampled_from(["1/100", "1/10", "1", "5", "50"])
initial_scales = st.builds(lambda sign, size: sign * 10.0**size, st.sampled_from([-1.0, 1.0]), st.floats(-2.0, 1.5))
tolerances = st.sampled_from([1e-5, 1e-8, 1e-11])


@st.composite
def networks(draw):
    """Random c and c* with c_1, c*_1 not zero, up to six of each."""
    count = draw(st.integers(1, 6))
    c = [draw(coefficients) for _ in range(count)]
    c_star = [draw(coefficients), *(draw(others) for _ in range(count - 1))]
    return c, c_star, draw(slow_rates)


def build(c, c_star, slow_rate):
    try:
        return fs.TwoLayer(c, c_star, slow_rate=slow_rate)
    except InputError:  # a network that the model refuses is no case
        assume(False)


def follow(system, x0, a0, tau, rtol=1e-9, **options):
    chart = system.chart_of(Fraction(x0))
    run = integrate(
        polynomial_field, system.field_parameters(chart), chart.to_state(x0, a0), (0.0, tau),
        rtol=rtol, atol=1e-3 * rtol, limits=Limits(max_steps=50_000), **options,
    )  # fmt: skip
    return run, *chart.from_state(run.u)


@settings(deadline=None, max_examples=250)
@given(network=networks(), x0=st.sampled_from([0.0, 0.0, 0.3, -0.7, 0.99]), a0=initial_scales, rtol=tolerances)
def test_the_test_loss_never_rises(network, x0, a0, rtol):
    """At any tolerance: between accepted steps it may rise by rounding only, 4 ulp of |sigma*|^2 + a^2 T.

    Those are the terms that its formula subtracts; it is the Lyapunov function for any slow rate.
    """
    system = build(*network)
    run, r, a = follow(system, x0, a0, 1e6, rtol)
    assert run.status is Status.DONE
    loss = system.test_loss(r, a)
    teacher = sum(math.factorial(k) * float(c) ** 2 for k, c in enumerate(system.c_star, start=1))
    size = teacher + a**2 * system.T(r)
    assert (np.diff(loss) <= 4.0 * EPSILON * size[1:]).all()
    assert (loss >= -4.0 * EPSILON * size).all()


@settings(deadline=None, max_examples=150)
@given(network=networks(), a0=initial_scales, rtol=tolerances)
def test_signs_and_bounds_from_the_line_of_starts(network, a0, rtol):
    """From (0, a0): a keeps its sign, R leaves 0 to the side of a0 c*_1 c_1 and never returns, and |R| <= 1."""
    system = build(*network)
    _, r, a = follow(system, 0.0, a0, 1e5, rtol)
    side = np.sign(a0 * float(system.c_star[0]) * float(system.c[0]))
    assert (np.sign(a) == np.sign(a0)).all()
    assert r[0] == 0.0 and (side * r[1:] > 0.0).all()
    assert (np.abs(r) <= 1.0).all()


@settings(deadline=None, max_examples=60)
@given(network=networks(), a0=initial_scales)
@pytest.mark.parametrize("line", [1, -1])
def test_r_of_modulus_one_is_invariant(line, network, a0):
    """The general field gives f = 0 on the line to the last bit, and there is no chart of it."""
    system = build(*network)
    assert system.chart_of(Fraction(line)) is None
    assert system.f(float(line), a0) == 0.0
    p = system.field_parameters(system.chart_of(Fraction(0)))
    # in the chart the line is at infinity: what comes near it stays on its side, and never gets there
    run = integrate(polynomial_field, p, [18.0 * line, a0], (0.0, 1e3), rtol=1e-8, output="final")
    assert run.status is Status.DONE


def test_starts_on_the_line_go_along_it():
    system = fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1])
    settling = Settling(critical_manifold(system))
    upper = float(system.S(1.0) / system.T(1.0))
    for a0 in (0.01, 0.5, 3.0, 9.0):
        run = settling.run(Start(Fraction(1), Fraction(a0)))
        assert run.end == pytest.approx((1.0, upper), abs=1e-12)
        assert set(run.x) == {1.0}


@njit
def plain_network(u, p, du, jacobian, with_jacobian):
    """Two-layer network with p = c*_1 c_1, 2 c*_2 c_2, c_1^2, 2 c_2^2 in (R, a), with no regard to its lines."""
    r, a = u
    s0, s1, s2 = r * (p[0] + p[1] * r), p[0] + 2.0 * p[1] * r, 2.0 * p[1]
    q = r * r
    t0, t1, t2 = q * (p[2] + p[3] * q), r * (2.0 * p[2] + 4.0 * p[3] * q), 2.0 * p[2] + 12.0 * p[3] * q
    width = 1.0 - q
    force = 2.0 * s1 - a * t1
    du[0], du[1] = 0.5 * a * width * force, s0 - a * t0
    jacobian[0, 0] = 0.5 * a * (width * (2.0 * s2 - a * t2) - 2.0 * r * force)
    jacobian[0, 1] = 0.5 * width * (force - a * t1)
    jacobian[1, 0], jacobian[1, 1] = s1 - a * t1, -t0
    return 0


@settings(deadline=None, max_examples=60)
@given(
    line=st.sampled_from([-1.0, 1.0]),
    a0=initial_scales,
    p=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 3), st.floats(0, 3)),
    rtol=tolerances,
)
def test_the_integrator_itself_stays_on_an_invariant_line(line, a0, p, rtol):
    """From R = 1 or -1 exactly, in plain coordinates, also where the line repels: no stage leaves it by a bit."""
    run = integrate(plain_network, p, [line, a0], (0.0, 100.0), rtol=rtol, limits=Limits(growth=1e6))
    assert (run.u[:, 0] == line).all()
    # and along it a solves a linear equation
    source, rate = line * (p[0] + line * p[1]), p[2] + p[3]
    exact = source / rate + (a0 - source / rate) * np.exp(-rate * run.t)
    np.testing.assert_allclose(run.u[:, 1], exact, rtol=20.0 * rtol, atol=20.0 * rtol * max(1.0, abs(source / rate)))


@settings(deadline=None, max_examples=60)
@given(line=st.sampled_from([-1.0, 1.0]), a0=initial_scales, rtol=tolerances)
def test_the_kernel_of_the_polynomial_family_stays_on_an_invariant_line(line, a0, rtol):
    """In the plain chart, which the package does not use for this system; its coefficients are whole numbers."""
    p = fs.TwoLayer([1, 1, 1], [1, -1, 1]).field_parameters(Chart())
    run = integrate(polynomial_field, p, [line, a0], (0.0, 100.0), rtol=rtol)
    assert run.status is Status.DONE
    assert (run.u[:, 0] == line).all()


@settings(deadline=None, max_examples=60)
@given(network=networks(), x0=st.sampled_from([0.0, 0.3]), a0=initial_scales, rtol=tolerances)
def test_symmetries_are_exact(network, x0, a0, rtol):
    """(R, a; c*_k) -> (-R, a; (-1)^k c*_k) and (R, -a; -c*): each number of each step, bit for bit."""
    c, c_star, rate = network
    run, r, a = follow(build(*network), x0, a0, 1e4, rtol)
    odd = [str((-1) ** k * Fraction(value)) for k, value in enumerate(c_star, start=1)]
    mirrored, r_, a_ = follow(build(c, odd, rate), -x0, a0, 1e4, rtol)
    np.testing.assert_array_equal(mirrored.t, run.t)
    np.testing.assert_array_equal([-r_, a_], [r, a])
    negative = [str(-Fraction(value)) for value in c_star]
    reflected, r_, a_ = follow(build(c, negative, rate), x0, -a0, 1e4, rtol)
    np.testing.assert_array_equal(reflected.t, run.t)
    np.testing.assert_array_equal([r_, -a_], [r, a])


@settings(deadline=None, max_examples=12)
@given(network=networks(), sizes=st.lists(st.floats(0.01, 20.0), min_size=1, max_size=40))
def test_symmetries_of_ensembles_are_exact(network, sizes):
    c, c_star, rate = network
    heights = np.array(sizes)
    found = ensemble(build(*network), heights, tau=1e3)
    odd = [str((-1) ** k * Fraction(value)) for k, value in enumerate(c_star, start=1)]
    mirrored = ensemble(build(c, odd, rate), heights, tau=1e3)
    negative = [str(-Fraction(value)) for value in c_star]
    reflected = ensemble(build(c, negative, rate), -heights, tau=1e3)
    for other, side, up in ((mirrored, -1.0, 1.0), (reflected, 1.0, -1.0)):
        np.testing.assert_array_equal(side * other.x, found.x)
        np.testing.assert_array_equal(up * other.y, found.y)
        np.testing.assert_array_equal(other.steps, found.steps)


@settings(deadline=None, max_examples=25)
@given(network=networks(), a0=initial_scales, rtol=tolerances, piece=st.integers(1, 40))
def test_pieces_equal_one_go(network, a0, rtol, piece):
    """The kernel of the polynomial family, cut anywhere."""
    system = build(*network)
    whole, *_ = follow(system, 0.0, a0, 1e4, rtol)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastslow.ode.solution.FIRST_PIECE", piece)
        patch.setattr(module, "FIRST_PIECE", piece)
        patch.setattr(module, "MOST_PIECE", piece)
        pieces, *_ = follow(system, 0.0, a0, 1e4, rtol)
    np.testing.assert_array_equal(pieces.t, whole.t)
    np.testing.assert_array_equal(pieces.u, whole.u)


@settings(deadline=None, max_examples=20)
@given(network=networks(), heights=st.lists(initial_scales, min_size=1, max_size=30), rtol=tolerances)
def test_a_batch_is_its_single_runs(network, heights, rtol):
    system = build(*network)
    chart = system.chart_of(Fraction(0))
    p, starts = system.field_parameters(chart), chart.to_state(np.zeros(len(heights)), np.array(heights))
    batch = integrate_batch(polynomial_field, p, starts, (0.0, 1e4), rtol=rtol)
    for i, start in enumerate(starts):
        one = integrate(polynomial_field, p, start, (0.0, 1e4), rtol=rtol, output="final")
        np.testing.assert_array_equal(batch.final_states[i], one.final_state)
        assert (batch.n_steps[i], batch.n_rejected[i]) == (one.n_steps, one.n_rejected)
