"""Scaling laws of tails: the prediction against exact rational arithmetic, the fit against the prediction."""

import json
import math
import random
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.flow.tail_law import Growth, tail_law
from fastslow.scales.scaling import scaling
from fastslow.scales.tail_fit import PER_DECADE, limit_at_zero, log_slope, power_fit
from fastslow.systems.system import Start
from tests import naive

FIG6_LEFT = ([1] * 7, [1, 0, 0, 0, 0, 0, "1/2"])
FIG6_RIGHT = ([1, 1, 1], [1, -1, 1])


def attracting_tails(system):
    """The arcs of the graph of a network that attract and lead to infinity."""
    arcs = fs.critical_manifold(system).arcs
    return [a for a in arcs if a.target.kind == "infinity" and a.stability == "attracting" and a.target.x == 0]


def naive_law(c, c_star, slow_rate, sign):
    """(p, K, limit of R a) for a sign of a: the slow flow alpha / T' on a = h(R), exact at R = 1e-60 and 1e-61."""
    c, c_star = ([Fraction(v) for v in values] for values in (c, c_star))
    s = [0, *(math.factorial(k) * a * b for k, (a, b) in enumerate(zip(c, c_star, strict=True), 1))]
    t = [0] * (2 * len(c) + 1)
    t[2::2] = [math.factorial(k) * a**2 for k, a in enumerate(c, 1)]
    ds, dt = naive.derivative(s), naive.derivative(t)
    alpha = naive.add(naive.multiply(s, dt), naive.multiply(ds, t), -2)

    def branch(R):
        return 2 * naive.value(ds, R) / naive.value(dt, R), naive.value(alpha, R) / naive.value(dt, R)

    side = sign if s[1] > 0 else -sign
    (a1, g1), (a2, g2) = (branch(side * Fraction(1, 10**k)) for k in (60, 61))
    slope = math.log(abs(g2 / g1)) / math.log(abs(a2 / a1))
    p = 1 - round(slope)
    assert abs(1 - slope - p) < 1e-9
    assert g1 * sign > 0
    return p, float(abs(g1) * abs(a1) ** (p - 1)), float(a1 * side / Fraction(10**60))


def random_network(rng, case):
    """A random network of a case of Theorem 3 whose tail to infinity attracts; also the sign of a."""
    while True:
        n = rng.randint(3, 6)
        c = [rng.choice([-2, -1, 1, 2]) * rng.choice([1, Fraction(1, 2)]) for _ in range(n)]
        c_star = [rng.choice([-1, 1]) * Fraction(rng.randint(1, 12), 4) for _ in range(n)]
        k1 = rng.choice([2, 2, 3]) if case == "i" else 2
        c[1 : k1 - 1] = [0] * (k1 - 2)
        last = {"i": 2 * k1 - 1, "ii": 1, "tie": 2 * k1 - 2}[case]
        c_star[1:last] = [0] * (min(last, n) - 1)
        slow_rate = rng.choice([1, 1, Fraction(1, 10), 3])
        if not any(a * b for a, b in zip(c[1:], c_star[1:], strict=True)):
            continue
        system = fs.TwoLayer(c, c_star, slow_rate=slow_rate)
        sign = rng.choice([-1, 1])
        law = system.scaling(sign)
        if law is not None and law.case == case:
            return system, sign


def unlearning(rng, case):
    """A random network and start that Theorem 2 has unlearn, where the law is reached before tau = 1e12."""
    while True:
        system, sign = random_network(rng, case)
        for a0 in (4, 12, 40):
            start = Start(Fraction(0), Fraction(sign * a0))
            if system.theorem(start)[0] == "unlearning":
                return system, start


# Predicted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["i", "ii", "tie"])
def test_predicted_law_is_that_of_theorem_3_and_of_exact_arithmetic(case):
    rng = random.Random(f"predicted {case}")
    signs = set()
    for _ in range(12):
        system, sign = random_network(rng, case)
        (arc,) = [a for a in attracting_tails(system) if a.target.y * sign > 0]
        law, theorem = tail_law(system, arc), system.scaling(sign)
        p, K, limit = naive_law(system.c, system.c_star, system.slow_rate, sign)
        assert (law.p, law.case, law.growth, law.order, law.note) == (p, case, Growth.POWER, 1, "")
        assert law.p == theorem.p
        assert pytest.approx(theorem.K, rel=1e-13) == law.K == pytest.approx(K, rel=1e-13)
        assert law.limit == pytest.approx(limit, rel=1e-13)
        assert abs(law.limit) == pytest.approx(theorem.ratio, rel=1e-14)
        assert law.prefactor == pytest.approx((p * K * float(system.slow_rate)) ** (1 / p), rel=1e-13)
        assert (law.sign, law.exponent, law.fast_exponent) == (sign, Fraction(1, p), Fraction(-1, p))
        assert law.fast_prefactor == pytest.approx(abs(limit) / law.prefactor, rel=1e-13)
        signs.add((sign, system.s[0] > 0))
    assert len(signs) == 4  # both signs of a and of c*_1 c_1


def test_a_tie_that_cancels_goes_to_the_next_order():
    # c*_3 c_3 c_1 = c*_1 c_2^2 / 6 is the boundary of the tie (k0, k1) = (3, 2): alpha loses its R^4.
    system = fs.TwoLayer([1, 1, 1], [1, 0, "1/6"])
    law = tail_law(system, attracting_tails(system)[0])
    p, K, _ = naive_law(system.c, system.c_star, 1, law.sign)
    assert law.case == "higher order"
    assert law.p == p > 4
    assert pytest.approx(K, rel=1e-13) == law.K


def test_the_papers_figures():
    for (c, c_star), a0, exponent, rate, case in (
        (FIG6_LEFT, 10, Fraction(1, 4), 8, "i"),
        (FIG6_RIGHT, 5, Fraction(1, 3), 6, "ii"),
    ):
        result = scaling(fs.TwoLayer(c, c_star), a0)
        law, fit = result.predicted, result.fitted
        assert (law.exponent, law.case, law.limit) == (exponent, case, 1.0)
        assert law.rate == pytest.approx(rate, rel=1e-14)
        assert abs(fit.exponent - exponent) <= fit.error < 1e-7
        assert abs(fit.prefactor - rate ** float(exponent)) <= fit.prefactor_error < 1e-5
        assert abs(result.product.value - 1) <= result.product.error < 1e-7
        # (1/2) sum_{k >= 2} k! c*_k^2
        loss = sum(math.factorial(k) * float(Fraction(v)) ** 2 for k, v in enumerate(c_star, 1) if k > 1) / 2
        assert result.energy_predicted == loss
        assert abs(result.energy.value - loss) <= result.energy.error < 1e-7 * loss
        assert result.agrees


def test_the_tail_converges_as_slowly_as_it_should():
    # Independent values: figure 6 (right) reaches 0.964 of its asymptote at tau = 1e6 and 0.998 at 1e10.
    run = scaling(fs.TwoLayer(*FIG6_RIGHT), 5).simulation
    share = run.y / (6 * run.t) ** (1 / 3)
    assert np.interp(6.0, np.log10(run.t), share) == pytest.approx(0.964, abs=5e-4)
    assert np.interp(10.0, np.log10(run.t), share) == pytest.approx(0.998, abs=5e-4)


# Fitted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["i", "ii", "tie"])
def test_theorem_singular_limit_and_solution_agree_and_the_fit_has_the_prediction_in_its_error(case):
    rng = random.Random(f"fitted {case}")
    fitted = 0
    for _ in range(10):
        system, start = unlearning(rng, case)
        assert SingularFlow(fs.critical_manifold(system)).orbit(start).verdict == "unlearning"
        result = scaling(system, start)
        assert result.fate == "unlearning"
        assert (result.predicted.case, result.predicted.sign) == (case, 1 if start.slow > 0 else -1)
        if result.fitted is None:  # far from asymptotic even at 1e12, and it says so
            assert result.status == "not asymptotic"
            continue
        fitted += 1
        law, fit = result.predicted, result.fitted
        assert result.agrees
        assert abs(fit.exponent - float(law.exponent)) <= fit.error < 1e-3
        assert abs(fit.prefactor - law.prefactor) <= fit.prefactor_error < 0.05 * law.prefactor
        assert abs(result.product.value - law.limit) <= result.product.error
        assert abs(result.energy.value - result.energy_predicted) <= result.energy.error
        assert result.slope_y[-1] == pytest.approx(-result.slope_x[-1], abs=0.02)
    assert fitted >= 9


def test_errors_are_honest_for_short_tails():
    rng = random.Random("short tails")
    inside = total = 0
    for case in ("i", "ii", "tie") * 8:
        result = scaling(*unlearning(rng, case), tau=1e7)
        if result.fitted is not None:
            total += 1
            inside += result.agrees
    assert total >= 12
    assert inside >= 0.95 * total


@pytest.mark.parametrize("shift", [0.0, 3e3, -40.0])
def test_the_origin_of_time_does_not_matter_and_errors_fall_with_time(shift):
    # t = y^3 / 6 + 2 y^2 - shift solves y' = 2 / (y^2 + 8 y): exponent 1/3, prefactor 6^(1/3).
    errors = []
    for decades in (7, 12):
        t = np.geomspace(10.0 ** (decades - 6), 10.0**decades, 6 * PER_DECADE + 1)
        y = (6 * t) ** (1 / 3)
        for _ in range(60):
            y -= (y**3 / 6 + 2 * y**2 - shift - t) / (y**2 / 2 + 4 * y)
        t, inner = t[y > 1], y[y > 1]
        slope = log_slope(t, inner)
        t, inner = t[4:-4], inner[4:-4]
        late = t > 1e3  # a difference cannot resolve how it starts at -shift
        assert slope[late] == pytest.approx((t / inner * 2 / (inner**2 + 8 * inner))[late], rel=1e-6)
        fit = power_fit(t, inner, slope * inner / t, 1.0, 1e-12)
        assert abs(fit.exponent - 1 / 3) <= fit.error
        assert abs(fit.prefactor - 6 ** (1 / 3)) <= fit.prefactor_error
        errors.append(fit.error)
    assert errors[1] < 1e-8
    assert errors[1] < 0.1 * errors[0]


def test_slopes_are_of_eighth_order():
    error = []
    for points in (PER_DECADE, 2 * PER_DECADE):
        t = np.geomspace(1.0, 100.0, 2 * points + 1)
        exact = 0.5 - 1.0 / (1.0 + t)  # of (t + 1) / sqrt(t), with the sign of the logarithm
        error.append(np.abs(log_slope(t, np.sqrt(t) * (1 + t) / t)[points - 4] - exact[points]))
    assert error[0] / error[1] > 2**7.5


def test_limits_of_series():
    t = np.geomspace(1.0, 1e6, 6 * PER_DECADE + 1)
    z = t**-0.25
    found = limit_at_zero(t, z, 3.0 - 2.0 * z + 5.0 * z**3 + 1.0 / (2.0 + z), 1e-13)
    assert abs(found.value - 3.5) <= found.error < 1e-5


def test_local_slopes_are_those_of_the_equations():
    system = fs.TwoLayer(*FIG6_RIGHT, slow_rate="1/10")
    result = scaling(system, 5, tau=1e8)
    run, times = result.simulation, np.log(result.t)
    R, a = (np.interp(times, np.log(run.t), v) for v in (run.x, run.y))
    g = np.array([system.g(u, v) for u, v in zip(R, a, strict=True)])
    late = result.t > 10  # the interpolated states are exact at the times of the run
    assert result.slope_y[late] == pytest.approx((result.t * 0.1 * g / a)[late], rel=1e-5)


# Other systems ----------------------------------------------------------------------------------------------

X, Y = fs.variables("x", "y")


def system_of(factors, g, start, slow_rate="1/2"):
    return fs.FastSlowSystem(factors, g, start_fast=start, slow_rate=slow_rate)


ROOT_3 = 3**0.5
POWERS = {
    # name: (factors, g, start, p, rate, order, limit of y |u|^r sign u): by hand from y = h(x)
    "simple pole": ([1 - X * Y], X, (0, 1), 2, 1.0, 1, 1.0),
    "double pole": ([1 - X**2 * Y], X, (1, 1), Fraction(3, 2), 0.75, 2, 1.0),
    "double pole from the left, downwards": ([-1 - X**2 * Y], X, (-1, -2), Fraction(3, 2), 0.75, 2, 1.0),
    "downwards": ([1 + X * Y], -(X**2), (1, -2), 3, 1.5, 1, -1.0),
    "rational pole": ([1 - (2 * X - 1) * Y], 2 * X - 1, (1, 2), 2, 1.0, 1, 0.5),
    "irrational pole": ([1 - (X**2 - 3) * Y], X**2 - 3, (2, 1), 2, 1.0, 1, 1 / (2 * ROOT_3)),
    "algebraic branch": ([1 - X**2 * Y**3], X, (1, 1), Fraction(5, 2), 1.25, Fraction(2, 3), 1.0),
    "algebraic branch, two terms": ([1 + Y - X**2 * Y**3], X, (1, 1), 2, 1.0, 1, 1.0),
    "constant slow field": ([1 - X * Y], 1 + 0 * X, (0, 1), 1, 0.5, 1, 1.0),
    "cancelled terms": ([1 + X - X * Y], (X * Y - 1 - X) * Y + X**3, (0, 3), 4, 2.0, 1, 1.0),
    "invariant line": ([1 - X], 1 + 0 * X, (0, 1), 1, 0.5, None, None),
}


@pytest.mark.parametrize("name", POWERS)
def test_general_systems(name):
    factors, g, (x0, y0), p, rate, order, limit = POWERS[name]
    result = scaling(system_of(factors, g, x0), y0)
    law, fit = result.predicted, result.fitted
    assert (law.case, law.growth, law.p, law.order) == ("general", Growth.POWER, p, order)
    assert law.rate == pytest.approx(rate, rel=1e-13)
    assert abs(fit.exponent - float(1 / Fraction(p))) <= fit.error < 1e-6
    assert abs(fit.prefactor / rate ** (1 / float(p)) - 1) <= fit.prefactor_error / law.prefactor < 1e-5
    if order is None:
        assert (law.limit, result.product, len(result.slope_x)) == (None, None, 0)
    else:
        assert law.limit == pytest.approx(limit, rel=1e-13)
        assert abs(result.product.value - limit) <= result.product.error < 1e-6
        assert result.slope_x[-1] == pytest.approx(float(law.fast_exponent), abs=1e-4)
    assert result.energy is result.energy_predicted is None


def test_exponential_growth_has_no_exponent():
    result = scaling(system_of([1 - X * Y], Y, 0, "1/10"), 1)
    assert (result.predicted.growth, result.predicted.p) == (Growth.EXPONENTIAL, 0)
    assert result.predicted.rate == pytest.approx(0.1)
    assert (result.predicted.exponent, result.fitted, result.status) == (None, None, "no power law")
    assert "log |y| ~ 0.1 τ" in result.verdict
    assert result.agrees


def test_infinity_in_finite_time():
    # y' = y^2 / 10 from y = 1 is infinite at t = 10, like (0.1 (10 - t))^(-1).
    result = scaling(system_of([1 - X * Y, 1 + Y**2], Y**2, 0, "1/10"), 1)
    assert (result.predicted.growth, result.predicted.p) == (Growth.FINITE_TIME, -1)
    assert result.predicted.prefactor == pytest.approx(10)
    assert (result.predicted.exponent, result.fitted) == (None, None)
    assert "finite" in result.verdict


def test_where_the_branch_is_not_followed_no_law_is_given():
    manifold = fs.critical_manifold(system_of([1 - X * Y], Y**2, 0, "1/10"))
    (arc,) = [a for a in manifold.arcs if a.stability == "attracting" and a.target.y == math.inf]
    assert "no faster" in tail_law(manifold.system, arc).note
    # On the branch g = x, but beside it (1 - x y) y^5 is larger.
    result = scaling(system_of([1 - X * Y], (1 - X * Y) * Y**5 + X, 0), 1)
    assert result.predicted is result.fitted is None
    assert "changes the slow flow" in result.verdict


# What has no law ------------------------------------------------------------------------------------------


def test_a_learning_start_says_so():
    result = scaling(fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1]), 5)
    assert (result.fate, result.status) == ("learning", "no tail")
    assert result.predicted is result.fitted is result.simulation is None
    assert result.verdict.startswith("learning at (1, 0.973856)")
    assert result.agrees


def test_an_oscillation_has_no_tail():
    assert scaling(fs.van_der_pol(), Start(Fraction(2), Fraction(0))).status == "no tail"


def test_a_tail_that_is_not_asymptotic_says_so():
    # At 1e4 the scale has hardly grown; from 1e6 there is no such growth to see within tau.
    for a0, tau in ((10, 1e4), (1_000_000, 1e12)):
        result = scaling(fs.TwoLayer(*FIG6_LEFT), a0, tau=tau)
        assert (result.status, result.fitted, result.agrees) == ("not asymptotic", None, False)
        assert result.predicted.exponent == Fraction(1, 4)
        assert "follow it longer" in result.verdict


@pytest.mark.parametrize("tau", [1e4, 1e30, 1e100])
def test_any_length_of_time(tau):
    result = scaling(fs.TwoLayer(*FIG6_RIGHT, slow_rate=3), 5, tau=tau)
    assert abs(result.fitted.exponent - 1 / 3) <= result.fitted.error


@pytest.mark.parametrize("tau", [0, 1e3, -1, math.nan, math.inf, 1e101])
def test_bad_times(tau):
    with pytest.raises(fs.InputError, match="tau"):
        scaling(fs.TwoLayer(*FIG6_RIGHT), 5, tau=tau)


def test_document_is_plain_data():
    for a0 in (5, 10):
        result = scaling(fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1]), a0)
        text = json.dumps(result.document(), allow_nan=False)
        assert json.loads(text)["a0"] == a0


def test_a_linear_law_is_written_without_a_power():
    linear = fs.FastSlowSystem(["1 - x*y"], "1/10", window=(0, 3))
    assert scaling(linear, (2, "1/2")).verdict.startswith("leaves to y = +infinity: |y| ~ 0.1 τ; fitted exponent 1 ")


def test_an_undecided_run_is_one_sentence():
    explodes = fs.FastSlowSystem(["1 - x*y"], "y**2/10", window=(0, 3))  # dy/dt / y is no slower than f_x = -y
    verdict = scaling(explodes, (2, "1/2")).verdict
    assert verdict.startswith("undecided: ") and verdict.endswith("growth limit; a law cannot be told.")
