"""The slow manifold: its first order, the measured orders of the singular limit, and the flow on it to infinity."""

import math
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.flow.slow_manifold import first_order_correction, slow_tails
from fastslow.ode.integrate import integrate
from fastslow.ode.simulation import simulate
from fastslow.systems.system import Start
from tests import naive

AIRY_ZERO = 2.338107410459767
"""The smallest zero of Ai(-z), Omega_0 of Krupa and Szmolyan, SIAM J. Math. Anal. 33 (2001) 286."""

NETWORKS = [
    ([1, 1, 1], [1, -1, 1]),
    ([1, 1, 1], [-1, 1, 1]),
    ([1] * 5, [1, -1, 1, -1, 1]),
    ([2, Fraction(-1, 3), 1], [Fraction(1, 2), 1, -1]),
]


def test_points_of_a_preset_and_what_are_none():
    x, y = [0.5, 0.6], [3.0, 4.0]
    assert (first_order_correction("fig6-right", x, y) == first_order_correction(fs.TwoLayer(*NETWORKS[0]), x, y)).all()
    for bad in (("left", 1.0), ([0.1, 0.2], [1.0, 2.0, 3.0])):
        with pytest.raises(fs.InputError, match="x, y"):
            first_order_correction("fig6-right", *bad)


def order(rates, distances):
    """Return the exponents p of distance ~ rate^p between neighbouring rates."""
    return np.diff(np.log(np.abs(distances))) / np.diff(np.log(np.array([float(Fraction(r)) for r in rates])))


def by_integration(system, x, y, time, rtol=1e-13):
    """Return the state after a time, integrated in (x, y)."""
    chart = system.chart_of(Fraction(x))
    start = chart.to_state(x, y)
    field = system.field_parameters(chart)
    run = integrate(polynomial_field, field, start, (0.0, time), rtol=rtol, atol=1e-18, output="final")
    assert run.status == "done"
    x, y = chart.from_state(run.final_state)
    return float(x), float(y)


# First order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("c", "c_star"), NETWORKS)
@pytest.mark.parametrize("slow_rate", [1, "1/7"])
def test_first_order_on_the_network_is_the_papers_expression(c, c_star, slow_rate):
    """R - xi(a) = slow_rate alpha / (T' h'^2 S' (1 - R^2)), here with exact fractions; the slow rate is not in X_1."""
    system, network = fs.TwoLayer(c, c_star, slow_rate), naive.Network(c, c_star)
    places = [Fraction(n, 97) for n in (-90, -41, -7, 3, 11, 50, 88)]
    fold = [naive.value(network.fold, R) for R in places]
    T1, S1 = [naive.value(network.T1, R) for R in places], [naive.value(network.S1, R) for R in places]
    # h = 2 S'/T', h' = 2 (S''T' - S'T'') / T'^2
    exact = [
        float(naive.value(network.alpha, R) / (t * (2 * w / t**2) ** 2 * s * (1 - R * R)))
        for R, w, t, s in zip(places, fold, T1, S1, strict=True)
    ]
    x = np.array([float(R) for R in places])
    y = np.array([float(network.h(R)) for R in places])
    np.testing.assert_allclose(first_order_correction(system, x, y), exact, rtol=1e-9)
    assert first_order_correction(system, x[:6].reshape(2, 3), y[:6].reshape(2, 3)).shape == (2, 3)


def test_first_order_is_infinite_at_a_fold():
    system = fs.van_der_pol()
    assert np.isinf(first_order_correction(system, 1.0, -2 / 3))
    near = first_order_correction(system, 1 + np.array([1e-2, 1e-3]), 0.0)
    assert near[1] / near[0] == pytest.approx(100, rel=0.02)  # f_x^2 ~ distance^2


def test_orders_on_an_arc_of_the_van_der_pol_system():
    """Order 1 without the correction, 2 with it."""
    rates = ["1/100", "1/200", "1/400", "1/800"]
    bare, corrected = [], []
    for rate in rates:
        system = fs.van_der_pol(slow_rate=rate)
        x, y = by_integration(system, 2.0, 2 / 3, 0.5 / float(Fraction(rate)))
        on = max(np.roots([-1 / 3, 0, 1, y]).real)
        bare.append(x - on)
        corrected.append(x - on - float(Fraction(rate)) * float(first_order_correction(system, on, y)))
    np.testing.assert_allclose(order(rates, bare)[-1], 1, atol=0.02)
    np.testing.assert_allclose(order(rates, corrected)[-1], 2, atol=0.02)


@pytest.mark.parametrize(("c", "c_star", "R"), [([1] * 5, [1, -1, 1, 1, 1], 0.2), ([1, 1, 1], [-1, 1, 1], -0.3)])
def test_orders_on_an_arc_of_the_network(c, c_star, R):
    """The same on a = h(R), at a place on the way of a solution that began on the arc."""
    rates = ["1/10", "1/20", "1/40", "1/80"]
    bare, corrected = [], []
    for rate in rates:
        system = fs.TwoLayer(c, c_star, rate)
        x, y = by_integration(system, R, float(system.h(R)), 1.0 / float(Fraction(rate)))
        roots = np.roots(np.polysub(2 * np.poly1d(s_coefficients(system)), y * np.poly1d(t_coefficients(system))))
        real = roots[abs(roots.imag) < 1e-12].real
        on = real[np.argmin(abs(real - x))]
        bare.append(x - on)
        corrected.append(x - on - float(Fraction(rate)) * float(first_order_correction(system, on, y)))
    np.testing.assert_allclose(order(rates, bare)[-1], 1, atol=0.03)
    np.testing.assert_allclose(order(rates, corrected)[-1], 2, atol=0.06)


def s_coefficients(system):
    """S' with the highest power first."""
    return [k * float(v) for k, v in enumerate(system.s, start=1)][::-1]


def t_coefficients(system):
    """T' with the highest power first."""
    full = [0.0] * (2 * len(system.t))
    for k, v in enumerate(system.t, start=1):
        full[2 * k - 1] = 2 * k * float(v)
    return full[::-1]


def test_order_at_a_fold():
    """Riccati's equation x' = x^2 - y, y' = -rate leaves the fold at y = -Omega_0 rate^(2/3) + O(rate log rate)."""
    rates, delays = ["1e-3", "1e-4", "1e-5", "1e-6"], []
    for rate in rates:
        system = fs.FastSlowSystem(["x**2 - y"], "0*x - 1", slow_rate=rate, window=(-2, 1))
        run = simulate(system, Start(Fraction(-1), Fraction(1)), 2 / float(rate), rtol=1e-11, points=2)
        assert run.status == "left the window" and run.final[0] == pytest.approx(1, abs=1e-9)
        delays.append(-run.final[1])
    found = order(rates, delays)
    assert abs(found[-1] - 2 / 3) < 0.01 and abs(found[-1] - 2 / 3) < abs(found[0] - 2 / 3)
    # The rest, from x = 1 to infinity, takes the time 1 and so rate in y.
    for rate, delay in zip(rates, delays, strict=True):
        assert delay + float(rate) == pytest.approx(AIRY_ZERO * float(rate) ** (2 / 3), rel=5 * float(rate) ** (2 / 3))


# Beside a pole ------------------------------------------------------------------------------------------


def only_tail(system):
    (tail,) = slow_tails(system)
    return tail


@pytest.mark.parametrize(
    ("c", "c_star", "signs"),
    [
        ([1, 1, 1], [1, -1, 1], [1]),
        ([1, 1, 1], [-1, -1, -1], [1]),
        ([1, 1, 1], [-1, 1, 1], [-1]),
        ([1, 1, 1], [1, 0, "1/10"], [-1, 1]),  # a tie
        ([1, 1, 1], [1, 0, 1], []),
    ],
)
def test_which_poles_are_ends(c, c_star, signs):
    """They are those for which Theorem 3 has a law, one for each sign of a."""
    system = fs.TwoLayer(c, c_star)
    tails = slow_tails(system)
    assert all(tail.pole.exact == 0 for tail in tails)
    assert sorted(tail.at(5.0).sign for tail in tails) == signs
    assert signs == [sign for sign in (-1, 1) if system.scaling(sign) is not None]
    ratio = math.copysign(1, c_star[0])
    assert all(tail.side == ratio * tail.at(5.0).sign for tail in tails)


@pytest.mark.parametrize(
    ("c", "c_star"), [([1, 1, 1], [1, -1, 1]), ([1, 0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 1])]
)
@pytest.mark.parametrize("slow_rate", ["1", "1/1000", "50"])
def test_the_pace_next_to_the_pole_is_exact(c, c_star, slow_rate):
    """At R = 1e-25 doubles lose g wholly. Exact: dt / d depth = R |h'| T' / (slow_rate alpha), up to order R^4."""
    network, system = naive.Network(c, c_star), fs.TwoLayer(c, c_star, slow_rate)
    R = Fraction(1, 10**25)
    T1 = naive.value(network.T1, R)
    slope = 2 * naive.value(network.fold, R) / T1**2
    pace = -R * slope * T1 / (Fraction(slow_rate) * naive.value(network.alpha, R))
    place = slow_tails(system)[0].at(25 * math.log(10))
    assert place.log_pace == pytest.approx(math.log(pace.numerator) - math.log(pace.denominator), abs=1e-12)
    assert place.log_height == pytest.approx(math.log(network.h(R)), abs=1e-13)
    assert place.error < 1e-70


def test_the_shift_is_the_first_order_correction_up_to_second_order():
    rates, rest = ["1/10", "1/20", "1/40"], []
    for rate in rates:
        system = fs.TwoLayer([1, 1, 1], [1, -1, 1], rate)
        place = only_tail(system).at(-math.log(0.1))
        first = float(Fraction(rate)) * float(first_order_correction(system, 0.1, float(system.h(0.1))))
        rest.append(0.1 * place.relative_shift - first)
        assert abs(rest[-1]) < 0.1 * first
    np.testing.assert_allclose(order(rates, rest), 2, atol=0.02)


@pytest.mark.parametrize(("slow_rate", "time"), [(30, 3), (30, 20), (100, 1), (300, 0.3), (300, 5)])
def test_the_error_estimate_bounds_the_error(slow_rate, time):
    """An attracted solution shows where the slow manifold is: the error is below the estimate, not far below."""
    system = fs.TwoLayer([1, 1, 1], [1, -1, 1], slow_rate)
    R, a = by_integration(system, 0.15, float(system.h(0.15)), time)
    place = only_tail(system).meets(R, a, 1.0)
    error = abs(R / (math.exp(-place.depth) * (1 + place.relative_shift)) - 1)
    assert error <= place.error + 1e-13
    assert place.error < 1e4 * error + 1e-12


def test_a_state_off_the_slow_manifold_is_refused():
    system = fs.TwoLayer([1, 1, 1], [1, -1, 1])
    tail = only_tail(system)
    place = tail.at(3.0)
    x, y = math.exp(-3.0) * (1 + place.relative_shift), math.exp(place.log_height)
    assert tail.meets(x, y, 1e-10).depth == pytest.approx(3.0, abs=1e-14)
    assert tail.meets(x * (1 + 1e-9), y, 1e-10) is None
    assert tail.meets(x * (1 - 1e-9), y, 1e-10) is None
    assert tail.meets(math.exp(-3.0), y, 1e-10) is None  # on the critical manifold
    assert tail.meets(x, -y, 1e-10) is None and tail.meets(-x, y, 1e-10) is None
    assert tail.meets(0.0, y, 1e-10) is None and tail.meets(x, 0.0, 1e-10) is None
    assert tail.meets(x, y, 1e-23) is None  # not known so well
    assert only_tail(fs.TwoLayer([1, 1, 1], [1, -2, 1])).at(0.5) is None  # beyond the α-root it leads elsewhere


X, Y = fs.variables("x", "y")
POLES = {"rational": (8 * X**2 - 2 * X - 1, 0.5), "irrational": (X**2 - 2, math.sqrt(2)), "double": (X**2, 0.0)}


@pytest.mark.parametrize("pole", POLES)
@pytest.mark.parametrize("slow_rate", ["1/10", "1/1000"])
def test_a_pole_that_is_not_zero(pole, slow_rate):
    """With g = 1 the slow variable is y_0 + slow_rate t, exactly; x is compared with an integration."""
    p, place = POLES[pole]
    system = fs.FastSlowSystem([1 - p * Y], 1 + 0 * X, slow_rate=slow_rate, window=(0 if place else "-1/2", 4))
    tails = slow_tails(system)
    assert {tail.side for tail in tails} == {1}
    times = np.geomspace(1, 1e12, 20)
    run = simulate(system, Start(Fraction(1), Fraction(20)), 1e12, times=times, rtol=1e-10)
    assert run.status == "done" and 0 < run.switch_time < 1e9
    np.testing.assert_allclose(run.y, 20 + float(Fraction(slow_rate)) * times, rtol=1e-12)
    before = int(np.searchsorted(times, 1e6))
    finer = simulate(system, Start(Fraction(1), Fraction(20)), 1e6, times=times[:before], rtol=1e-13, solver="Radau")
    np.testing.assert_allclose(run.x[:before], finer.x, rtol=1e-9)
    assert run.final[0] == pytest.approx(place, abs=2e-4 if pole == "double" else 1e-7)


def test_infinity_in_finite_time_ends_with_a_name():
    """With y' = rate y^2, infinity at t = 1 / (rate y_0): the slow manifold is followed to the edge of doubles."""
    system = fs.FastSlowSystem([1 - (X**2 - 2) * Y], Y**2, slow_rate="1/1000", window=(0, 4))
    (tail,) = slow_tails(system)
    place = next(found for depth in range(1, 60) if (found := tail.at(depth)) and found.error < 1e-12)
    y0 = math.exp(place.log_height)
    end = 1000 / y0
    shares = np.append(np.linspace(0.1, 0.9, 9), 1.5)
    found = tail.follow(place, shares * end, 1e-12)
    assert found.infinite and found.time == pytest.approx(end, rel=1e-10)
    assert len(found.y) == 9
    np.testing.assert_allclose(found.y, y0 / (1 - shares[:9]), rtol=1e-10)
