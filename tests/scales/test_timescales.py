"""Time scales: exact eigenvalues, averages against scipy, powers against the formula, delays against exact exits."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.branch_scales import arc_scales, pole_scales, poles_of
from fastslow.flow.singular_course import singular_course
from fastslow.ode.trajectories import Settling
from fastslow.scales.entry_exit import entry_exit
from fastslow.scales.timescales import eigen, time_scales
from fastslow.systems.presets import preset
from fastslow.systems.system import Start

ONES = [1] * 5


def start(x, y):
    return Start(F(x), F(y))


def two_layer(c, c_star, rate=1):
    return fs.TwoLayer(c, c_star, slow_rate=rate)


# Eigenvalues --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system",
    [two_layer(ONES, [1, -1, 1, -1, 1]), two_layer([1, 2, -1], [-2, 1, 3], "7"), fs.van_der_pol()],
    ids=["paper", "fast a", "van der pol"],
)
def test_eigenvalues_are_those_of_lapack_by_modulus(system):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.99, 0.99, 200), rng.uniform(-6, 6, 200)
    found = eigen(system, x, y)
    pairs = 0
    for i, matrix in enumerate(np.moveaxis(system.jacobian(x, y), 2, 0)):
        values, vectors = np.linalg.eig(matrix)
        order = np.argsort(-np.abs(values))
        assert np.allclose(np.abs(values[order]), np.abs([found.fast[i], found.slow[i]]), rtol=1e-9)
        assert found.ratio[i] == pytest.approx(abs(values[order[1]] / values[order[0]]), rel=1e-9)
        assert found.alignment[i] == pytest.approx(abs(vectors[0, order[0]]), rel=1e-8, abs=1e-12)
        if np.iscomplex(values).any():
            pairs += 1
            assert found.slow[i] == pytest.approx(np.conj(found.fast[i]), rel=1e-9)
        else:
            assert found.fast[i] == pytest.approx(values[order[0]], rel=1e-9)
    assert (pairs > 0) == (system.name == "van_der_pol")  # the network is a gradient flow: real eigenvalues


def linear(rate):
    return fs.FastSlowSystem("y - x", "-x - 2*y", slow_rate=rate, window=(-50, 50))


@pytest.mark.parametrize("rate", ["1/10", "1", "100"])
def test_averages_of_a_linear_system_are_its_eigenvalues(rate):
    result = time_scales(linear(rate), start(1, 1), 3)
    values, vectors = np.linalg.eig(np.array([[-1, 1], [-float(F(rate)), -2 * float(F(rate))]]))
    fast = int(np.argmax(np.abs(values)))
    assert result.mean_fast == pytest.approx(abs(values[fast]), rel=1e-12)
    assert result.mean_slow == pytest.approx(abs(values[1 - fast]), rel=1e-12)
    assert result.mean_alignment == pytest.approx(abs(vectors[0, fast]), rel=1e-12)
    assert result.oscillating.all() == (rate == "1")
    assert ("complex pair" in result.verdict) == (rate == "1")
    assert result.holds == (rate == "1/10" and result.epsilon <= 0.1)
    if rate == "100":
        assert "not the fast variable" in result.verdict


# Averages -----------------------------------------------------------------------------------------


def by_scipy(system, y0, T):
    """Averages of the moduli and the alignment by scipy: an explicit method, and quad on its dense output."""
    from scipy.integrate import quad, solve_ivp

    rate = float(system.slow_rate)
    s = np.poly1d([float(v) for v in system.s[::-1]] + [0.0])
    t = np.poly1d([float(v) for w in system.t[::-1] for v in (w, 0)] + [0.0])
    s1, t1, s2, t2 = s.deriv(), t.deriv(), s.deriv(2), t.deriv(2)
    solution = solve_ivp(
        lambda _, u: [u[1] * (1 - u[0] ** 2) * (2 * s1(u[0]) - u[1] * t1(u[0])) / 2, rate * (s(u[0]) - u[1] * t(u[0]))],
        (0, T), [0.0, y0], method="DOP853", rtol=1e-12, atol=1e-14, dense_output=True,
    )  # fmt: skip

    def at(tau, k):
        R, a = solution.sol(tau)
        inner, slope = 2 * s1(R) - a * t1(R), 2 * s2(R) - a * t2(R)
        f_R, f_a = a * (-R * inner + (1 - R * R) * slope / 2), (1 - R * R) * (s1(R) - a * t1(R))
        values, vectors = np.linalg.eig([[f_R, f_a], [rate * (s1(R) - a * t1(R)), -rate * t(R)]])
        fast = int(np.argmax(np.abs(values)))
        return (abs(values[fast]), abs(values[1 - fast]), abs(vectors[0, fast]))[k]

    edges = [0.0, *np.geomspace(T / 100, T, 6)]
    parts = [[quad(at, a, b, (k,), limit=60, epsrel=1e-7)[0] for a, b in pairwise(edges)] for k in range(3)]
    return [sum(part) / T for part in parts]


@pytest.mark.parametrize(
    ("system", "y0", "T"),
    [(two_layer([1, 1, 1], [1, -2, 1]), 2.0, 3.0), (two_layer([1, 1, 1], [-1, 1, 1], "1/4"), -3.0, 2.0)],
    ids=["fig 7", "negative, slow"],
)
def test_averages_are_those_of_scipy(system, y0, T):
    found = time_scales(system, start(0, F(y0)), F(T))
    expected = by_scipy(system, y0, T)
    assert [found.mean_fast, found.mean_slow, found.mean_alignment] == pytest.approx(expected, rel=1e-6)
    assert found.epsilon == found.mean_slow / found.mean_fast


def test_a_learning_run_fails_the_ansatz():
    # Figure 2 (left) to T = 10: ratio 0.27 and alignment 0.09, measured independently.
    study = preset("fig2-left")
    result = time_scales(study.system, study.starts[0], 10)
    assert result.epsilon == pytest.approx(0.27, abs=0.005)
    assert result.mean_alignment == pytest.approx(0.09, abs=0.005)
    assert not result.holds
    assert result.verdict.startswith("R is not the fast variable along this run")


@pytest.mark.parametrize(("name", "which"), [("fig3-right", 4), ("fig4", 2), ("fig6-left", 0), ("fig6-right", 0)])
def test_unlearning_runs_hold_it(name, which):
    study = preset(name)
    run = Settling(fs.critical_manifold(study.system)).run(study.starts[which])
    assert run.verdict == "unlearning"
    result = time_scales(study.system, study.starts[which], run.final_time)
    assert 1e-7 < result.epsilon < 1e-3
    assert result.mean_alignment > 0.999
    assert result.holds and "is the fast variable" in result.verdict


@pytest.mark.parametrize(("name", "which", "tau"), [("fig2-left", 0, 10), ("fig4", 1, 200), ("fig4", 2, 10**8)])
def test_averages_converge_with_the_steps_and_the_error_is_honest(name, which, tau):
    study = preset(name)
    rough, fine, finest = (time_scales(study.system, study.starts[which], tau, rtol=r) for r in (1e-6, 1e-9, 1e-12))
    exact = np.array([finest.mean_fast, finest.mean_slow, finest.mean_alignment])

    def away(result):
        return np.max(np.abs(np.array([result.mean_fast, result.mean_slow, result.mean_alignment]) / exact - 1))

    assert len(rough.t) < len(fine.t) < len(finest.t)
    assert away(rough) < 1e-4
    assert away(fine) < 1e-7
    assert max(r.error for r in (rough, fine, finest)) < 1e-7  # of the quadrature


def test_averages_of_a_long_tail_add_up():
    # [0, 1e10] against [0, 1e4] and a new start from there: other steps, another clock, a large weight of the tail.
    system, first, whole = preset("fig6-right").system, 10**4, 10**10
    all_, begin = time_scales(system, start(0, 5), whole), time_scales(system, start(0, 5), first)
    rest = time_scales(system, start(begin.x[-1], begin.y[-1]), whole - first)
    for name in ("mean_fast", "mean_slow", "mean_alignment"):
        sums = getattr(begin, name) * first + getattr(rest, name) * (whole - first)
        assert getattr(all_, name) * whole == pytest.approx(sums, rel=1e-7)


def test_the_tail_of_the_average_is_the_integral_of_its_power():
    # lambda_f ~ -c*_1^2 / R^2 and R ~ 1 / a, a ~ (6 tau)^(1/3): T Lambda_f -> (3/5) 6^(2/3) T^(5/3), from above.
    system = preset("fig6-right").system
    off = [time_scales(system, start(0, 5), T).mean_fast / (0.6 * (6 * T) ** (2 / 3)) - 1 for T in (1e6, 1e9, 1e12)]
    assert abs(off[2]) < abs(off[1]) < abs(off[0]) < 0.1
    assert abs(off[2]) < 0.01


@pytest.mark.parametrize(("c_star", "sign"), [([-1, -1, -1, -1, -1], 1), ([-1, 1, -1, 1, -1], -1)])
def test_symmetries(c_star, sign):
    # (R; c*_k) -> (-R; (-1)^k c*_k) and (a; c*) -> (-a; -c*) of figure 2 (left).
    reference = time_scales(two_layer(ONES, [1, -1, 1, -1, 1]), start(0, 4), 10)
    mirrored = time_scales(two_layer(ONES, c_star), start(0, 4 * sign), 10)
    assert np.sign(mirrored.x[-1]) == -sign or sign < 0
    for name in ("mean_fast", "mean_slow", "mean_alignment"):
        assert getattr(mirrored, name) == pytest.approx(getattr(reference, name), rel=1e-9)


def test_a_start_on_an_invariant_line_stays_on_it():
    from scipy.integrate import quad

    system = two_layer([1, 1], [1, F(1, 2)])  # on R = 1: S = 2, T = 3, 2 S' = 6, T' = 10
    result = time_scales(system, start(1, F(1, 5)), 1)
    assert np.all(result.x == 1.0)

    def a(t):
        return 2 / 3 + (0.2 - 2 / 3) * math.exp(-3 * t)

    def moduli(t):
        return sorted((abs(a(t) * (6 - 10 * a(t))), 3.0))

    for k, found in ((1, result.mean_fast), (0, result.mean_slow)):
        assert found == pytest.approx(quad(lambda t, k=k: moduli(t)[k], 0, 1, points=[0.3, 0.4])[0], rel=1e-7)


def test_bad_input():
    system = two_layer(ONES, ONES)
    for tau in (0, -1, "nan"):
        with pytest.raises(fs.InputError, match="tau"):
            time_scales(system, start(0, 1), tau)
    for rtol in (None, "small", 0):
        with pytest.raises(fs.InputError, match="rtol"):
            time_scales(system, start(0, 1), 10, rtol=rtol)
    with pytest.raises(fs.InputError, match="a0"):
        time_scales(system, start(0, 0), 1)
    with pytest.raises(fs.InputError, match="window"):
        time_scales(system, start(2, 1), 1)


def test_a_solution_that_blows_up_says_so():
    result = time_scales(fs.FastSlowSystem("x**2 + y", "1"), start(1, 0), 10)
    assert result.duration < 1.0 and result.stopped
    assert result.stopped in result.verdict


# Powers on branches to infinity ---------------------------------------------------------------------


def leading_alpha(c, c_star):
    """Return (q, A) of alpha = S T' - 2 S' T ~ A R^q, with plain fractions."""
    n = len(c)
    S = [F(0)] + [math.factorial(k + 1) * F(c[k]) * F(c_star[k]) for k in range(n)]
    T = [F(0)] * (2 * n + 1)
    for k in range(n):
        T[2 * k + 2] = math.factorial(k + 1) * F(c[k]) ** 2
    alpha = [F(0)] * (3 * n + 1)
    for i, s in enumerate(S):
        for j, t in enumerate(T):
            if s * t:
                alpha[i + j - 1] += s * t * (j - 2 * i)
    return next((q, A) for q, A in enumerate(alpha) if A)


@pytest.mark.parametrize(
    ("c", "c_star", "exponent"),
    [
        ([1, 1, 1], [1, 0, 0], None),
        ([1] * 7, [1, 0, 0, 0, 0, 0, F(1, 2)], 6),  # case (i): k1 = 2, k0 = 7
        ([1, 0, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 2], 8),  # case (i): k1 = 3, k0 = 7
        ([1, 1, 1], [1, -1, 1], 5),  # case (ii): k0 = 2
        ([2, 0, 0, -1], [-3, 0, 0, 1], 7),  # case (ii): k0 = k1 = 4
        ([1, 1, 1], [1, 0, 1], 6),  # a tie, k0 + 1 = 4 = 2 k1
        ([1, 1, 1], [1, 0, F(1, 6)], 8),  # a tie whose terms cancel; then the next ones, here at R^6
    ],
)
@pytest.mark.parametrize("rate", [1, F(1, 3)])
def test_the_power_of_the_ratio_is_that_of_the_formula(c, c_star, exponent, rate):
    if exponent is None:
        with pytest.raises(fs.InputError):
            two_layer(c, c_star)
        return
    system = two_layer(c, c_star, rate)
    q, A = leading_alpha(c, c_star)
    rho, slope = F(c_star[0]) / F(c[0]), 2 * F(c[0]) ** 2
    # On a = h(R): lambda_f ~ -c*_1^2 / R^2, lambda_s = slow_rate d(alpha / T')/da, a ~ rho / R.
    coefficient = F(rate) * (q - 1) * abs(A) / (slope * abs(rho) * F(c_star[0]) ** 2)
    found = poles_of(fs.critical_manifold(system))
    assert len(found) == 2
    for pole in found:
        assert pole.exponent == exponent == q + 2
        assert pole.measured == pytest.approx(exponent, abs=1e-9)
        assert pole.coefficient == pytest.approx(float(coefficient), rel=1e-14)
        assert pole.ratios[-1] / pole.distances[-1] ** exponent == pytest.approx(float(coefficient), rel=1e-8)
        assert pole.fast_exponent == -2
        assert pole.fast_coefficient == pytest.approx(-(float(c_star[0]) ** 2), rel=1e-14)
        assert pole.agrees and pole.note == ""


@pytest.mark.parametrize("name", ["fig6-left", "fig6-right", "fig4"])
def test_the_decay_is_that_of_theorem_3(name):
    system = preset(name).system
    decays = {pole.node.y: pole.decay for pole in poles_of(fs.critical_manifold(system))}
    for sign in (1, -1):
        law = system.scaling(sign)
        assert decays[sign * math.inf] == (None if law is None else law.p)


def general(f, g, rate="1/10"):
    system = fs.FastSlowSystem(f, g, slow_rate=rate)
    return poles_of(fs.critical_manifold(system))


def test_a_pole_at_an_irrational_place():
    found = general("(x**2 - 2)*y - x - 3", "x - y", "1/3")
    assert [round(pole.node.x, 6) for pole in found] == [-1.414214] * 2 + [1.414214] * 2
    for pole in found:
        # f_x ~ 2 x h, h ~ (x + 3) / (2 x (x - x0)); the determinant has the same order, so the power is 1.
        assert pole.fast_exponent == -1 and pole.exponent == 1
        x0 = pole.node.x
        side = 1 if pole.arc.other_end(pole.node).x > x0 else -1
        assert pole.fast_coefficient == pytest.approx(side * (x0 + 3), rel=1e-14)
        assert pole.measured == pytest.approx(1, abs=1e-9)
        assert pole.ratios[-1] / pole.distances[-1] == pytest.approx(pole.coefficient, rel=1e-9)


def test_a_double_pole():
    # h = (x - 1)^-2: f_x = 2 / (x - 1), determinant ~ -2 rate / (x - 1): ratio ~ (rate / 2) d.
    for pole in general("(x - 1)**2*y - 1", "x - y", "1/3"):
        assert (pole.fast_exponent, pole.exponent, pole.decay) == (-1, 1, None)
        assert pole.coefficient == pytest.approx(1 / 6, rel=1e-14)
        assert pole.agrees


def test_where_no_variable_is_fast_it_is_said():
    # h = 1 / x: the Jacobian has the eigenvalues 1 / x and 2 rate / x to leading order.
    for pole in general("x*y - 1", "y**2"):
        assert pole.exponent == 0 and pole.coefficient == pytest.approx(0.2, rel=1e-14)
        assert "no fast variable" in pole.note and pole.agrees
    for pole in general("x*y - 1", "1"):
        assert pole.exponent is None and pole.measured is None
        assert "no slow eigenvalue" in pole.note and pole.agrees
    found = general("(x**2 - 2)*y**2 - x - 3", "x - y")
    assert found and all(pole.exponent is None and "no graph" in pole.note for pole in found)


def test_a_measured_power_can_disagree():
    import dataclasses

    pole = poles_of(fs.critical_manifold(two_layer([1, 1, 1], [1, -1, 1])))[0]
    assert not dataclasses.replace(pole, exponent=pole.exponent + 1).agrees
    manifold = fs.critical_manifold(two_layer([1, 1, 1], [1, -1, 1]))
    with pytest.raises(ValueError, match="does not end"):
        pole_scales(manifold.system, manifold.arcs[-1], manifold.points[0])


# Along arcs ---------------------------------------------------------------------------------------


def by_decimals(system, R):
    """Return the ratio on a = h(R) with 80 digits, from sums of the coefficients of S and T."""
    getcontext().prec = 80
    R, eta = F(R), system.slow_rate
    s = dict(enumerate(system.s, start=1))
    t = {2 * k: v for k, v in enumerate(system.t, start=1)}

    def d(p, n):
        return sum(v * math.perm(k, n) * R ** (k - n) for k, v in p.items() if k >= n)

    a = 2 * d(s, 1) / d(t, 1)
    inner = 2 * d(s, 2) - a * d(t, 2)
    f_R, g_R, g_a = a * (1 - R * R) * inner / 2, eta * (d(s, 1) - a * d(t, 1)), -eta * d(t, 0)
    f_a = -a * (1 - R * R) * d(t, 1) / 2
    trace, determinant = f_R + g_a, f_R * g_a - f_a * g_R

    def decimal(v):
        return Decimal(v.numerator) / Decimal(v.denominator)

    root = (decimal(trace * trace / 4 - determinant)).sqrt()
    fast = decimal(trace / 2) + (root if trace > 0 else -root)
    return float(abs(decimal(determinant)) / fast**2)


@pytest.mark.parametrize("rate", [1, F(1, 7)])
def test_ratios_on_the_branch_are_right_however_small(rate):
    system = two_layer([1, 1, 1, 1, 1], [-1, -1, 1, -1, 1], rate)
    smallest = 1.0
    for arc in fs.critical_manifold(system).arcs:
        if arc.curve.equation != "a = h(R)":
            continue
        found = arc_scales(system, arc)
        smallest = min(smallest, found.ratio[1:-1].min())
        for i in range(1, len(arc.x) - 1, 7):
            assert found.ratio[i] == pytest.approx(by_decimals(system, arc.x[i]), rel=1e-12)
    assert smallest < 1e-30


def test_arcs_of_every_shape_agree_with_the_jacobian():
    systems = [two_layer([1, 1], [1, F(1, 2)]), fs.FastSlowSystem("x - x**3/3 + y**2 - y/2", "-x", slow_rate="1/100")]
    for system in systems:
        for arc in fs.critical_manifold(system).arcs:
            found, direct = arc_scales(system, arc), eigen(system, arc.x, arc.y)
            near = np.abs(arc.y) < 5
            assert np.allclose(found.lambda_f[near].real, direct.fast[near].real, rtol=1e-6, atol=1e-9)
            assert np.allclose(found.ratio[near], direct.ratio[near], rtol=1e-5, atol=1e-8)


# Delayed loss of stability ----------------------------------------------------------------------------


def delayed(rate, mirror=1, sign=1):
    c_star = [sign * mirror, sign * F(1, 2)]  # on R = mirror: attracts below 3/5, drifts to 2/3
    return fs.critical_manifold(two_layer([1, 1], c_star, rate)), start(0, sign * F(1, 5))


def test_the_exit_seen_is_the_exit_predicted_as_the_slow_rate_falls():
    from scipy.integrate import quad

    from_seen, from_singular = [], []
    for rate in (F(1, 100), F(1, 1000), F(1, 10000)):
        (passage,) = entry_exit(*delayed(rate))
        assert passage.line == 1.0 and passage.crossing.y == pytest.approx(0.6)
        assert passage.singular[0] == 0.2 < passage.entry[1] < 0.6 < passage.exit[1] < 2 / 3
        # f_R / g on R = 1, with S' = 3, T' = 10, S = 2, T = 3.
        balance = quad(lambda a: -a * (6 - 10 * a) / (2 - 3 * a), passage.entry[1], passage.predicted, limit=200)[0]
        assert balance == pytest.approx(0, abs=1e-7)
        from_seen.append(abs(passage.error))
        from_singular.append(abs(passage.exit[1] - passage.singular[1]))
    orders = np.log10(np.array([from_seen, from_singular]))
    assert np.allclose(np.diff(orders, axis=1), -1, atol=0.15)  # both of first order
    assert from_seen[-1] < 2e-6
    assert from_seen[0] < 0.1 * from_singular[0]


def test_the_error_is_of_the_order_of_the_distance():
    errors = [abs(entry_exit(*delayed(F(1, 1000)), distance=d)[0].error) for d in (F(1, 100), F(1, 1000), F(1, 10000))]
    assert np.allclose(np.diff(np.log10(errors)), -1, atol=0.2)


@pytest.mark.parametrize(("mirror", "sign"), [(-1, 1), (1, -1), (-1, -1)])
def test_a_mirrored_passage_is_the_mirror_image(mirror, sign):
    (here,), (there,) = entry_exit(*delayed(F(1, 1000))), entry_exit(*delayed(F(1, 1000), mirror, sign))
    assert there.line == mirror
    assert there.entry[1] == pytest.approx(sign * here.entry[1], rel=1e-8)
    assert there.exit[1] == pytest.approx(sign * here.exit[1], rel=1e-8)
    assert there.predicted == pytest.approx(sign * here.predicted, rel=1e-8)


@pytest.mark.parametrize("rate", [F(1, 20), F(1, 500)])
def test_a_transcritical_passage_leaves_where_it_came_mirrored(rate):
    # On x = 0: f_x = y, g = 1, so the way out is as long as the way in. It passes exp(-1 / (2 rate)) from the line.
    manifold = fs.critical_manifold(fs.FastSlowSystem(["x", "y - x"], "1", slow_rate=rate))
    (passage,) = entry_exit(manifold, start(1, -1), 3 / rate)
    assert passage.line == 0.0 and passage.crossing.y == 0.0
    assert passage.predicted == pytest.approx(-passage.entry[1], rel=1e-12)
    assert passage.exit[1] == pytest.approx(passage.predicted, abs=1e-2 * float(rate))


def test_where_nothing_is_delayed_there_is_no_passage():
    study = preset("fig2-left")
    assert entry_exit(fs.critical_manifold(study.system), study.starts[0]) == ()
    assert entry_exit(fs.critical_manifold(fs.van_der_pol()), start(2, 0), 10) == ()


def test_a_fate_that_is_known_on_the_line_does_not_hide_the_exit():
    # The solution is in the region that goes to infinity while it is still beside R = -1.
    manifold = fs.critical_manifold(two_layer([-1, F(1, 3), 0], [2, F(-1, 100), -1], F(1, 1000)))
    begin = start(0, F(4, 7))
    (passage,) = entry_exit(manifold, begin)
    assert passage.line == -1.0
    assert passage.exit[0] > Settling(manifold).run(begin).final_time
    assert passage.exit[1] == pytest.approx(passage.predicted, abs=1e-5)


def test_drift_near_the_start_is_not_lost_in_rounding():
    # The first steps of the drift are of the size of rounding: they must not be halved for ever.
    system = two_layer([-1, F(1, 3), 2, -1, -2], [1, F(1, 3), 0, F(-1, 100), F(1, 3)], 5)
    course = singular_course(fs.critical_manifold(system), start(0, F(-60, 7)), 2000)
    full = time_scales(two_layer(system.c, system.c_star, F(1, 1000)), start(0, F(-60, 7)), 10**7)
    late = [piece for piece in course.pieces if not piece.jumps][1]
    slow_time = np.interp(-3.0, full.y[1:], full.t[1:]) / 1000
    assert 5 * np.interp(-3.0, late.y, late.t) == pytest.approx(slow_time, rel=0.01)


def test_a_run_that_ends_on_the_line_has_no_exit():
    manifold, begin = delayed(F(1, 1000))
    (passage,) = entry_exit(manifold, begin, 500)
    assert passage.exit is None and passage.error is None and passage.predicted is not None


def test_bad_input_for_passages():
    manifold, begin = delayed(F(1, 1000))
    with pytest.raises(fs.InputError, match="invariant line"):
        entry_exit(manifold, start(1, F(1, 5)))
    with pytest.raises(fs.InputError, match="distance"):
        entry_exit(manifold, begin, distance=0)


# The singular orbit in time -----------------------------------------------------------------------


def test_the_period_of_van_der_pol():
    rate = F(1, 100)
    course = singular_course(fs.critical_manifold(fs.van_der_pol()), start(2, 0), 10**4)
    half = (course.jump_times[2] - course.jump_times[1]) * float(rate)
    assert half == pytest.approx(1.5 - math.log(2), rel=1e-12)
    assert course.pieces[-1].t[-1] == pytest.approx(course.jump_times[1] + 2 * half / float(rate), rel=1e-12)


def test_drift_along_lines_is_exponential():
    # On R = 1: da/dtau = rate (2 - 3 a), from 1/5 past 3/5 to the exit.
    manifold, begin = delayed(F(1, 100))
    course = singular_course(manifold, begin, 10**4)
    line = [piece for piece in course.pieces if not piece.jumps][:2]
    assert [piece.segment.delayed for piece in line] == [False, True]
    for piece in line:
        expected = -np.log((2 / 3 - piece.y) / (2 / 3 - 0.2)) / (3 * 0.01)
        assert np.allclose(piece.t, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("a0", [1e10, 1e20, 1e30])
def test_a_tail_that_moves_by_less_than_rounding(a0):
    """No interval of it has a width."""
    piece = singular_course(fs.critical_manifold(preset("fig6-right").system), start(0, a0), 10).pieces[-1]
    assert piece.t[-1] == 10 and np.isfinite(piece.t).all()
    assert np.allclose(piece.y, a0, rtol=1e-9, atol=0) and np.allclose(piece.x, 1 / a0, rtol=1e-9, atol=0)


def test_the_tail_in_time_is_the_law_of_theorem_3():
    system = preset("fig6-right").system
    tau = 10**14
    piece = singular_course(fs.critical_manifold(system), start(0, 5), tau).pieces[-1]
    law = system.scaling()
    assert np.all(np.diff(piece.t) > 0)
    slopes = np.diff(np.log(piece.y[1:])) / np.diff(np.log(piece.t[1:]))
    early, late = np.searchsorted(piece.t, 1e9), len(slopes) - 2
    off = slopes - 1 / law.p  # falls like 1 / a, the next order of alpha
    assert off[late] / off[early] == pytest.approx(piece.y[early + 1] / piece.y[late + 1], rel=0.02)
    assert abs(off[late]) < 1e-4
    assert piece.y[-1] == pytest.approx((law.p * law.K * tau) ** (1 / law.p), rel=2e-4)
    assert np.allclose(system.h(piece.x), piece.y, rtol=1e-12)
    assert piece.t[-1] == tau


def test_drift_on_an_algebraic_curve():
    from scipy.integrate import quad

    system = fs.FastSlowSystem("x**2 + y**2 - 1", "x + 2", slow_rate="1/100")
    course = singular_course(fs.critical_manifold(system), start(0, F(1, 10)), 1000)
    time = quad(lambda y: 100 / (2 - math.sqrt(1 - y * y)), 0.1, 1)[0]
    assert course.jump_times[1] == pytest.approx(time, rel=2e-3)  # of second order in the spacing of the polygon


def test_the_full_system_passes_the_fold_at_the_time_of_the_reduced_flow():
    # Figure 4, a0 = 9: in slow time the passage is late by the order of rate^(2/3).
    late = []
    for rate in (F(1, 100), F(1, 10**4)):
        system = two_layer(ONES, [1, -1, 1, 1, 1], rate)
        course = singular_course(fs.critical_manifold(system), start(0, 9), 200 / rate)
        full = time_scales(system, start(0, 9), 200 / rate)
        late.append(float(rate) * (np.interp(0.4, full.x[: np.argmax(full.x)], full.t[: np.argmax(full.x)])
                                   - course.jump_times[1]))  # fmt: skip
    assert 0 < late[1] < 0.01
    assert math.log10(late[0] / late[1]) / 2 == pytest.approx(2 / 3, abs=0.05)
