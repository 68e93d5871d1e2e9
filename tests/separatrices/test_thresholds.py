"""Thresholds of the full system: exact cases, first order, singular counterparts, symmetries, basins."""

import itertools
import math
from fractions import Fraction

import pytest
from scipy.integrate import quad, solve_ivp

import fastslow as fs
from fastslow.flow.flow_graph import basins_of
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.full_graph import full_graph
from fastslow.separatrices.thresholds import thresholds
from fastslow.systems.system import Start
from tests import naive

FIVE = [1] * 5
FIG4 = [1, -1, 1, 1, 1]
SADDLE_LIMITED = [(FIVE, FIG4), (FIVE, [1, -1, 1, -1, 1]), ([1, 1, 1], [1, -1, 1])]


def settling_of(system):
    return Settling(critical_manifold(system))


def found(c, c_star, slow_rate=1):
    return thresholds(settling_of(fs.TwoLayer(c, c_star, slow_rate)))


def test_the_threshold_of_figure_4_and_what_stands_beside_it():
    """9.311751715419074 by an independent backward integration (data/reference_cases.json)."""
    (threshold,) = found(FIVE, FIG4)
    ((R, a),) = [(float(x), float(y)) for x, y, _ in naive.Network(FIVE, FIG4).alpha_roots()]
    assert threshold.y == pytest.approx(9.311751715419074, abs=1e-11)
    assert (threshold.saddle.x, threshold.saddle.y) == pytest.approx((R, a), rel=1e-14)
    assert threshold.singular == pytest.approx(a, rel=1e-14)
    assert (threshold.below, threshold.above) == ("learning", "unlearning")
    assert (threshold.below_node, threshold.above_node) == ("E4", "I2")


@pytest.mark.parametrize("slow_rate", ["1/10", 1, 3])
def test_a_stable_eigenvector_that_is_a_line(slow_rate):
    """For x' = x - y, y' = -slow_rate y, W^s(0, 0) is y = (1 + slow_rate) x, beside the repelling arc."""
    system = fs.FastSlowSystem(["x - y"], "-y", start_fast=1, slow_rate=slow_rate)
    (threshold,) = thresholds(settling_of(system))
    exact = 1 + float(Fraction(slow_rate))
    assert threshold.y == pytest.approx(exact, rel=1e-12)
    assert (threshold.singular, threshold.first_order) == (1.0, pytest.approx(exact, rel=1e-15))
    assert threshold.below.endswith("upper edge") and threshold.above.endswith("lower edge")
    assert "repelling arc" in threshold.note


@pytest.mark.parametrize("slow_rate", ["1/10", 1, 3])
def test_a_saddle_on_an_invariant_line(slow_rate):
    """For x' = -x, y' = s (y - x) with the slow rate s, W^s(0, 0) is y = k x, k = s / (1 + s) = s - s^2 + ..."""
    system = fs.FastSlowSystem(["-x"], "y - x", start_fast=1, slow_rate=slow_rate)
    (threshold,) = thresholds(settling_of(system))
    s = float(Fraction(slow_rate))
    assert threshold.y == pytest.approx(s / (1 + s), rel=1e-11)
    assert (threshold.singular, threshold.first_order) == (0.0, pytest.approx(s, rel=1e-14))
    assert (threshold.below, threshold.above) == ("leaves to y = -infinity", "leaves to y = +infinity")


def test_first_order_against_exact_division():
    """With the saddle of c* = (1, s, 1) at the rational R* = 1/5, f and g are divided by R - R* exactly."""
    R = Fraction(1, 5)
    at = [naive.value(naive.Network([1, 1, 1], [1, s, 1]).alpha, R) for s in (0, 1)]
    c, c_star = [1, 1, 1], [1, at[0] / (at[0] - at[1]), 1]
    network = naive.Network(c, c_star)
    a = network.h(R)
    f = naive.multiply([a / 2, 0, -a / 2], naive.add([2 * v for v in network.S1], network.T1, -a))
    g = naive.add(network.S, network.T, -a)
    (top, rest), (bottom, remainder) = (naive.divided(p, [-R, 1]) for p in (g, f))
    assert rest == remainder == []

    def ratio(r):
        r = Fraction(r)
        return float(naive.value(top, r) / naive.value(bottom, r))

    drift = quad(ratio, 0.0, float(R), epsabs=1e-14, epsrel=1e-14)[0]
    for slow_rate in ("1/100", 2):
        (threshold,) = [t for t in found(c, c_star, slow_rate) if t.y > 0]
        shift = threshold.first_order - threshold.singular
        assert shift == pytest.approx(-float(Fraction(slow_rate)) * drift, rel=1e-11)
        assert threshold.singular == pytest.approx(float(a), rel=1e-15)


@pytest.mark.parametrize(("c", "c_star"), SADDLE_LIMITED)
def test_the_error_of_first_order_is_of_second(c, c_star):
    errors = []
    for rate in ("2/5", "1/5", "1/10"):  # below, the error is near rounding
        (threshold,) = [t for t in found(c, c_star, rate) if t.y > 0]
        assert threshold.note == f"on the fast fibre of {threshold.saddle.id}"
        errors.append(threshold.y - threshold.first_order)
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(2.0, abs=0.03)


def test_a_fold_limited_threshold_tends_to_its_fold():
    """Figure 7's system: the exponent tends to 2/3 and there is no first order."""
    c, c_star = [1, 1, 1], [1, -2, 1]
    fold = min(float(y) for x, y, _ in naive.Network(c, c_star).folds() if x > 0)
    shifts = []
    for rate in ("1e-3", "1e-4", "1e-5", "1e-6"):
        (threshold,) = [t for t in found(c, c_star, rate) if t.y > 0]
        assert threshold.singular == pytest.approx(fold, rel=1e-14)
        assert threshold.first_order is None and "fold F1" in threshold.note and "2/3" in threshold.note
        shifts.append(fold - threshold.y)
    exponents = [math.log10(a / b) for a, b in itertools.pairwise(shifts)]
    assert exponents[-1] == pytest.approx(2 / 3, abs=3e-3)
    assert abs(exponents[2] - 2 / 3) < abs(exponents[1] - 2 / 3) < abs(exponents[0] - 2 / 3)


@pytest.mark.parametrize("slow_rate", ["1/3", 2])
@pytest.mark.parametrize("c_star", [FIG4, [1, "-8/5", 1]])
def test_symmetries(c_star, slow_rate):
    """(R, a; c*_k) -> (-R, a; (-1)^k c*_k) keeps thresholds, (R, -a; -c*) turns their signs and sides."""
    c_star = [Fraction(v) for v in c_star]
    c = [1] * len(c_star)
    original = found(c, c_star, slow_rate)
    mirrored = found(c, [(-1) ** k * v for k, v in enumerate(c_star, start=1)], slow_rate)
    turned = found(c, [-v for v in c_star], slow_rate)[::-1]
    assert len(original) == len(mirrored) == len(turned) >= 1
    for t, m, n in zip(original, mirrored, turned, strict=True):
        assert (m.y, -n.y) == pytest.approx((t.y, t.y), rel=1e-12)
        assert (m.saddle.x, n.saddle.x) == (-t.saddle.x, t.saddle.x)
        assert (m.below, m.above) == (n.above, n.below) == (t.below, t.above)
        for name in ("singular", "first_order"):
            values = [getattr(v, name) for v in (t, m, n)]
            if values[0] is None:
                assert values == [None] * 3
            else:
                assert (values[1], -values[2]) == pytest.approx((values[0], values[0]), rel=1e-14)


def random_network(seed):
    c, c_star = naive.random_coefficients(seed, largest=6)
    return c, c_star, [Fraction(1, 20), Fraction(1, 3), 1, 5][seed % 4]


@pytest.mark.parametrize("block", range(2))
def test_no_boundary_is_missed(block):
    """Fates beside each threshold and on a grid, by forward integration; and both levels agree on what they bound."""
    count = 0
    for seed in range(7000 + 12 * block, 7012 + 12 * block):
        c, c_star, rate = random_network(seed)
        settling = settling_of(fs.TwoLayer(c, c_star, rate))
        graph = full_graph(settling)
        count += len(graph.thresholds)
        starts = [s * 10 ** (k / 2) for s in (1, -1) for k in range(-3, 5)]
        starts += [t.y * (1 + s * 1e-6) for t in graph.thresholds for s in (1, -1)]
        for start in starts:
            run = settling.run(Start(Fraction(0), Fraction(start)))
            basin = next(b for b in graph.basins if b.low < start < b.high)
            assert (run.verdict, run.node.id) == (basin.verdict, basin.destination), (seed, start)
        for t in graph.thresholds:
            assert t.singular is not None and ";" not in t.note, (seed, t.note)
    assert count >= 2


def test_thresholds_of_a_random_network_against_scipy():
    """Radau on both sides, 1e-4 from a threshold; for one network with c*_1 c_1 < 0 and one at another slow rate."""
    for c, c_star, rate in (([1, 1, 1], [-1, -1, -1], 1.0), (FIVE, FIG4, 0.3)):
        network = naive.Network(c, c_star)
        for t in found(c, c_star, rate):
            inner, outer = (t.below, t.above) if t.y > 0 else (t.above, t.below)
            assert naive.ode_fate(network, t.y * (1 - 1e-4), slow_rate=rate) == inner
            assert naive.ode_fate(network, t.y * (1 + 1e-4), slow_rate=rate) == outer


def test_a_bistable_system_without_energy():
    """A bistable FitzHugh-Nagumo system: W^s(0, 0) parts the basins of the outer equilibria, as scipy finds, too."""
    system = fs.FastSlowSystem(["x - x**3 - y"], "x/2 - y", start_fast="1/2", slow_rate="3/10", window=(-3, 3))
    graph = full_graph(settling_of(system))
    assert {p.verdict.split()[0] for p in graph.basins} <= {"settles", "leaves"}
    assert len(graph.thresholds) >= 1

    def end(y):
        def field(_, u):
            return (u[0] - u[0] ** 3 - u[1], 0.3 * (u[0] / 2 - u[1]))

        return solve_ivp(field, (0, 300), (0.5, y), rtol=1e-11, atol=1e-13).y[0, -1]

    for t in graph.thresholds:
        below, above = end(t.y - 1e-7), end(t.y + 1e-7)
        ends = {p.id: p.x for p in critical_manifold(system).points}
        assert (below, above) == pytest.approx((ends[t.below_node], ends[t.above_node]), abs=1e-6)


def test_starts_that_leave_the_window_are_told_apart():
    """Van der Pol: the boundary is the orbit that touches x = -3 or 3 from inside, 6.032 at the slow rate 1/100."""
    graph = full_graph(settling_of(fs.van_der_pol()))
    assert [b.verdict.split()[0] for b in graph.basins] == ["leaves", "relaxation", "leaves"]
    edge = graph.basins[1].high
    assert graph.basins[1].low == pytest.approx(-edge, rel=1e-9)

    def farthest(y):
        def field(_, u):
            return (u[1] + u[0] - u[0] ** 3 / 3, -0.01 * u[0])

        return solve_ivp(field, (0, 20), (0, y), rtol=1e-12, atol=1e-12, max_step=1e-2).y[0].max()

    assert farthest(edge - 1e-4) < 3 < farthest(edge + 1e-4)
    assert graph.thresholds == ()


def test_known_starts_change_nothing():
    settling = settling_of(fs.TwoLayer(FIVE, FIG4))
    runs = [settling.run(Start(Fraction(0), Fraction(y))) for y in (-3, 5, 9, 10)]
    singular = basins_of(settling.flow)
    assert full_graph(settling, singular, runs).basins == full_graph(settling, singular).basins
