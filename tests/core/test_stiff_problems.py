"""Rodas5P on stiff problems with known answers: orders, work and precision, periods, reference values.

Bounds on errors are multiples of rtol, which bounds the error of one step; they are stated where they are used.
"""

from fractions import Fraction

import numpy as np
import pytest
from numba import njit

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.core.signatures import EVENTS
from fastslow.ode.integrate import EventSet, Limits, Status, integrate
from tests import problems

FIVE = [1] * 5


def fixed_step(h):
    return {"rtol": 0.1, "atol": 1e12, "limits": Limits(first_step=h, max_step=h)}


def errors_of(field, k, start, end, exact, counts, dense=False):
    """Largest error of x at the end, or with dense output at eight times in each step, with fixed steps."""
    errors = []
    for count in counts:
        times = np.linspace(0.0, end, 8 * count + 1) if dense else [end]
        run = integrate(field, [k], start, (0.0, end), output=times, **fixed_step(end / count))
        assert run.n_steps == count
        errors.append(np.abs(run.u[:, 0] - exact(np.asarray(times))).max())
    return np.array(errors)


def orders(errors):
    return np.log2(errors[:-1] / errors[1:])


def test_orders_without_stiffness():
    counts = [8, 16, 32, 64]
    arguments = (problems.kaps, 1.0, [1.0, 1.0], 1.0, lambda t: np.exp(-2.0 * t))
    np.testing.assert_allclose(orders(errors_of(*arguments, counts)), 5.0, atol=0.2)
    arguments = (problems.prothero_robinson, 1.0, [0.0, 0.0], 2.0, np.sin)
    np.testing.assert_allclose(orders(errors_of(*arguments, counts)), 5.0, atol=0.2)


@pytest.mark.parametrize(
    ("field", "start", "end", "exact", "order"),
    [
        (problems.prothero_robinson, [0.0, 0.0], 2.0, np.sin, 3.0),
        (problems.kaps, [1.0, 1.0], 1.0, lambda t: np.exp(-2.0 * t), 2.0),
    ],
    ids=["linear", "nonlinear"],
)
def test_order_reduction(field, start, end, exact, order):
    """With step times stiffness large the order at the ends of steps falls to 3, or 2 for a nonlinear problem.

    The factor of that power is 1 / stiffness: the reduced error is small (below 1e-8 for steps of 1/8), and the
    dense output within the steps keeps an error of h^4, which no order reduction touches.
    """
    counts, k = np.array([8, 16, 32, 64]), 1e6
    ends = errors_of(field, k, start, end, exact, counts)
    np.testing.assert_allclose(orders(ends), order, atol=0.2)
    assert ends[0] < 1e-8
    stiffer = errors_of(field, 10.0 * k, start, end, exact, counts[:1])
    assert stiffer[0] < 0.2 * ends[0]
    dense = orders(errors_of(field, k, start, end, exact, counts, dense=True))
    np.testing.assert_allclose(dense, 4.0, atol=0.3)


def test_six_unknowns_with_a_hidden_stiff_spectrum():
    """U' = Q D Q u: rates 1 to 1e8 mixed into every component, so that no row tells fast from slow."""
    rates = np.array([1.0, 7.0, 1e2, 1e4, 1e6, 1e8])
    v = np.array([1.0, -2.0, 3.0, 1.0, 0.5, 2.0])
    mirror = np.eye(6) - 2.0 * np.outer(v, v) / (v @ v)
    matrix = -(mirror * rates) @ mirror
    start = mirror @ np.ones(6)
    for rtol in (1e-4, 1e-6, 1e-8):
        for end in (1e-9, 1e-5, 0.1, 2.0):
            run = integrate(problems.linear, matrix.ravel(), start, (0.0, end), rtol=rtol, atol=rtol)
            exact = mirror @ np.exp(-rates * end)
            assert np.abs(run.final_state - exact).max() < rtol
    assert run.n_steps < 300


@pytest.mark.parametrize("name", ["robertson", "oregonator", "hires"])
def test_reference_values(name):
    """All components to within one rtol, relatively, over eight decades of it; at 1e-13 rounding adds its part."""
    field, start, end, known = problems.STIFF_ENDS[name]
    small = {"robertson": 1e-14, "oregonator": 1e-2, "hires": 1e-3}[name]
    errors, tolerances = [], 10.0 ** -np.arange(4, 13, 2)
    for rtol in tolerances:
        run = integrate(field, [], start, (0.0, end), rtol=rtol, atol=rtol * small, output="final")
        assert run.status is Status.DONE
        errors.append(np.abs(run.final_state / known - 1.0).max())
    assert (np.array(errors) < tolerances).all()
    assert (np.diff(errors) < 0.0).all()


def test_pyrolysis():
    """E5: 1e-290 to 1e-3 in one state. y_2 = y_3 + y_4 holds for all time, and decides about the end.

    In four unknowns it holds but for the tolerance (1e-12 of the largest y_2), of which nothing is left at t = 1e13,
    when y_2 has fallen by twelve decades. The known values there break it too, by 1.3e-25, which is rounding in
    y_2 and leaves their mean as it is. In three unknowns it holds by construction.
    """
    field, start, _, known = problems.STIFF_ENDS["pyrolysis"]
    run = integrate(field, [], start, (0.0, 1e7), rtol=1e-12, atol=1e-30)
    y = run.u
    highest = y[:, 1].max()
    assert np.abs(y[:, 1] - y[:, 2] - y[:, 3]).max() < 1e-12 * highest
    other = integrate(field, [], start, (0.0, 1e7), rtol=1e-10, atol=1e-28, solver="Radau", output="final")
    np.testing.assert_allclose(run.final_state, other.final_state, rtol=1e-5)

    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        end = integrate(problems.pyrolysis_reduced, [], start[:3], (0.0, 1e13), rtol=rtol, atol=1e-20 * rtol)
        errors.append(abs(end.final_state[1] / (0.5 * (known[1] + known[2])) - 1.0))
        assert end.final_state[1] - end.final_state[2] == end.final_state[1]
        assert abs(end.final_state[0]) < 1e-50
    # the mean of the known values is 1.7e-7 off by the square of their difference times t
    assert (np.array(errors) < 10.0 * np.array([1e-4, 1e-6, 1e-8]) + 3e-7).all()


@njit(EVENTS.signature)
def axes(u, p, values):
    values[0], values[1] = u[0], u[1]
    return 0


@pytest.mark.parametrize("mu", problems.VAN_DER_POL_PERIODS)
def test_van_der_pol_periods(mu):
    """Between zeros of x, and between maxima: to all twelve digits that are known."""
    known = problems.VAN_DER_POL_PERIODS[mu]
    options = {"events": EventSet(axes, 2, directions=[1, -1]), "output": "final"}
    for rtol, bound in ((1e-8, 5e-9), (1e-10, 5e-11), (1e-12, 6e-12)):
        run = integrate(problems.van_der_pol, [mu], [2.0, 0.0], (0.0, 3.6 * known), rtol=rtol, atol=0.1 * rtol,
                        **options)  # fmt: skip
        for index in (0, 1):
            times = [hit.time for hit in run.events if hit.index == index]
            assert len(times) == 3
            assert times[2] - times[1] == pytest.approx(known, rel=bound)


def flagship(c_star, a0, **options):
    system = fs.TwoLayer([1] * len(c_star), c_star, **options)
    chart = system.chart_of(Fraction(0))
    return chart, polynomial_field, system.field_parameters(chart), chart.to_state(0.0, a0)


FLAGSHIPS = {
    "learning": (flagship([1, -1, 1, 1, 1], 5.0), 2.0),
    "late jump": (flagship([1, -1, 1, 1, 1], 9.0), 139.0),
    "unlearning": (flagship([1, -1, 1], 5.0), 1e3),
    "below": (flagship([-1, "-1/2", 2, 1, 1], -3.0, slow_rate="1/4"), 60.0),
}


@pytest.mark.parametrize("name", FLAGSHIPS)
def test_work_and_precision_of_the_flagship(name):
    """Against Radau at 1e-12, on the way through the jump and at the end, from rtol = 1e-4 to 1e-11.

    A jump turns an error in the time at which it begins into one of place: the relative error may be as many rtol
    as the solution moves, relatively, for a relative change of a0, times 30.
    """
    (chart, field, p, start), end = FLAGSHIPS[name]
    known = integrate(field, p, start, (0.0, end), rtol=1e-12, atol=1e-14, solver="Radau")
    x, y = chart.from_state(known.u)
    half = int(np.argmin(np.abs(x - 0.6 * x[-1])))
    tolerances = 10.0 ** -np.arange(4, 12)
    for i in (half, len(x) - 1):
        exact = np.array([x[i], y[i]])

        def place(rtol, scale=1.0, i=i):
            run = integrate(field, p, scale * start, (0.0, known.t[i]), rtol=rtol, atol=0.01 * rtol, output="final")
            return np.array(chart.from_state(run.final_state))

        moved = np.abs((place(1e-11, 1.0 + 1e-7) - place(1e-11)) / exact).max() / 1e-7
        errors = np.array([np.abs(place(rtol) / exact - 1.0).max() for rtol in tolerances])
        assert (errors < 30.0 * (1.0 + moved) * tolerances + 1e-13).all()
        # monotone over two decades of rtol (an error may cross zero), where it is not below rtol anyway
        assert ((errors[2:] < errors[:-2]) | (errors[2:] < tolerances[2:])).all()


def test_work_and_precision_of_van_der_pol():
    """Mu = 1000, after the first jump, against Radau at 1e-12: error below 2 rtol, and monotone."""
    mu, end = 1000.0, 900.0
    known = integrate(problems.van_der_pol, [mu], [2.0, 0.0], (0.0, end), rtol=1e-12, atol=1e-14, solver="Radau",
                      output="final")  # fmt: skip
    tolerances = 10.0 ** -np.arange(3, 13)
    errors = []
    for rtol in tolerances:
        run = integrate(problems.van_der_pol, [mu], [2.0, 0.0], (0.0, end), rtol=rtol, atol=0.01 * rtol)
        errors.append(np.abs(run.final_state / known.final_state - 1.0).max())
    errors = np.array(errors)
    assert (errors < 2.0 * tolerances).all()
    assert (errors[1:] < errors[:-1]).all()
