"""Every special point of the two-layer network against exact isolation by other means: none lost, none invented."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind
from tests import naive

BLOCKS, BLOCK = 20, 25


def rounded(points):
    """The points as doubles, in the order that the analysis has."""
    return sorted((float(R), float(a), *m) for R, a, *m in points)


def close(a, b, ulps=1):
    return a == b or abs(a - b) <= ulps * math.ulp(max(abs(a), abs(b)))


def check_points(manifold, network, label):
    wanted = {
        Kind.FOLD: network.folds(),
        Kind.EQUILIBRIUM: network.equilibria(),
        Kind.CROSSING: network.crossings(),
    }
    for kind, points in wanted.items():
        found = rounded((p.x, p.y, p.multiplicity[kind]) for p in manifold.of_kind(kind))
        expected = rounded(points)
        assert len(found) == len(expected), (label, kind, found, expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert close(mine[0], theirs[0]) and close(mine[1], theirs[1]), (label, kind, mine, theirs)
            if kind is not Kind.CROSSING:
                assert mine[2] == theirs[2], (label, kind, mine, theirs)
    assert all(p.certified and p.radius < 1e-20 * max(1.0, abs(p.y)) for p in manifold.points if math.isfinite(p.y))
    assert manifold.complete, (label, manifold.unmatched)


def graph_of(manifold):
    (branch,) = [b for b in manifold.branches if b.curve.shape == "graph"]
    return branch


def check_graph(manifold, network, label):
    """The arcs of a = h(R) cover (-1, 0) and (0, 1) without a gap, and carry the right signs."""
    arcs = graph_of(manifold).arcs
    points = [*network.folds(), *network.alpha_roots(), *network.branch_at_zero()]
    inner = {float(R) for R, *_ in points} - {-1.0, 1.0}
    # Two edges, the pole from both sides and the points between cut both halves: one arc more than points each.
    assert len(arcs) == len(inner) + 2, label
    sign = 1.0 if network.c_star[0] * network.c[0] > 0 else -1.0
    left, right = [a for a in arcs if a.end.x <= 0.0], [a for a in arcs if a.start.x >= 0.0]
    assert [*left, *right] == list(arcs)
    assert (left[0].start.x, left[-1].end.x, left[-1].end.y) == (-1.0, 0.0, -sign * math.inf)
    assert (right[0].start.x, right[0].start.y, right[-1].end.x) == (0.0, sign * math.inf, 1.0)
    for half in (left, right):
        for a, b in itertools.pairwise(half):
            assert a.end is b.start
    for arc in arcs:
        assert np.all(np.diff(arc.x) > 0.0)
        for point, k in ((arc.start, 0), (arc.end, -1)):
            if math.isfinite(point.y):
                assert (arc.x[k], arc.y[k]) == (point.x, point.y)
            else:
                assert abs(arc.y[k]) >= 1e6
        for k in {1, len(arc.x) // 2, len(arc.x) - 2} - {0, len(arc.x) - 1}:
            R = Fraction(arc.x[k])
            a = network.h(R)
            slack = abs(network.h(R * (1 + Fraction(1, 10**14))) - a)
            # 2 S' and T' are summed in doubles: their terms are rounded, also where the sum is small.
            terms = sum(abs(coefficient * R**i) for i, coefficient in enumerate(network.S1))
            rounding = 4 * Fraction(2) ** -52 * 2 * terms / abs(sum(t * R**i for i, t in enumerate(network.T1)))
            assert abs(Fraction(arc.y[k]) - a) <= 4 * slack + rounding + abs(a) * Fraction(1, 10**12), (label, arc)
        if arc.end.x - arc.start.x > 1e-14:
            R = (Fraction(arc.start.x) + Fraction(arc.end.x)) / 2
            a = network.h(R)
            fast, slow = network.f_R(R, a), network.g(R, a)
            assert arc.stability == ("repelling" if fast > 0 else "attracting"), (label, arc)
            rise = slope_sign(network, R, a)
            assert arc.flow == (1 if slow * rise > 0 else -1), (label, arc)
            assert arc.rise == (1 if rise > 0 else -1), (label, arc)


def slope_sign(network, R, a):
    """A number with the sign of h'(R): with q = 2 S' - a T' = 0 on the branch, q_R = T' h'."""
    q_R = 2 * naive.value(naive.derivative(network.S1), R) - a * naive.value(naive.derivative(network.T1), R)
    return q_R if R > 0 else -q_R


def check_lines(manifold, network, label):
    """R = 1 and R = -1 are cut at a = 0, h and S / T; the signs on each piece are those in its middle."""
    for R in (Fraction(1), Fraction(-1)):
        (branch,) = [b for b in manifold.branches if b.curve.shape == "fast line" and b.curve.position.exact == R]
        rest = naive.value(network.S, R) / naive.value(network.T, R)
        cuts = sorted({Fraction(0), network.h(R), rest})
        assert [arc.end.y for arc in branch.arcs[:-1]] == [float(c) for c in cuts], label
        assert [branch.arcs[0].start.y, branch.arcs[-1].end.y] == [-math.inf, math.inf]
        middles = [cuts[0] - 1, *((a + b) / 2 for a, b in itertools.pairwise(cuts)), cuts[-1] + 1]
        for arc, a in zip(branch.arcs, middles, strict=True):
            assert arc.stability == ("repelling" if network.f_R(R, a) > 0 else "attracting"), (label, arc)
            assert arc.flow == (1 if network.g(R, a) > 0 else -1), (label, arc)


def check(c, c_star, label):
    network = naive.Network(c, c_star)
    manifold = critical_manifold(fs.TwoLayer(c, c_star))
    check_points(manifold, network, label)
    check_graph(manifold, network, label)
    check_lines(manifold, network, label)
    return network


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_systems(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        check(*naive.random_coefficients(seed), label=seed)


def test_the_random_systems_hold_what_is_hard():
    """The sample has no weight on the hard cases unless they are in it."""
    multiple = close_pairs = symmetric = tangent = 0
    for seed in range(BLOCKS * BLOCK):
        network = naive.Network(*naive.random_coefficients(seed))
        found = [*network.folds(), *network.alpha_roots()]
        multiple += any(m > 1 for *_, m in found)
        places = sorted(float(R) for R, *_ in found)
        close_pairs += any(0 < b - a < 1e-4 for a, b in itertools.pairwise(places))
        symmetric += not any(network.c_star[1::2])
        tangent += bool(network.branch_at_zero())
    assert multiple >= 5 and close_pairs >= 20 and symmetric >= 20 and tangent >= 100


@pytest.mark.parametrize(("k", "seed"), [(15, 0), (15, 1), (15, 2), (15, 3), (25, 0), (25, 1), (40, 0)])
def test_many_coefficients(k, seed):
    rng = random.Random(100 * k + seed)
    if seed % 2:
        c, c_star = [1] * k, [rng.choice([-2, -1, 1, 2]) for _ in range(k)]
    else:
        c, c_star = ([rng.gauss(0, 1) / math.sqrt(math.factorial(i)) for i in range(1, k + 1)] for _ in range(2))
    check(c, c_star, (k, seed))


CUSPS = [  # c, c_star, R, a, multiplicity as a fold
    ([1, 1, 1], [1, "-99/64", 1], Fraction(1, 3), Fraction(27, 16), 2),
    ([1, 1, 1], [1, "99/64", 1], Fraction(-1, 3), Fraction(-27, 16), 2),
]


@pytest.mark.parametrize(("c", "c_star", "R", "a", "m"), CUSPS)
def test_an_exact_cusp_is_one_double_fold(c, c_star, R, a, m):
    manifold = critical_manifold(fs.TwoLayer(c, c_star))
    (fold,) = manifold.of_kind(Kind.FOLD)
    assert (fold.exact_x.exact, fold.exact_y.exact, fold.multiplicity[Kind.FOLD]) == (R, a, m)
    assert "cusp" in fold.note


@pytest.mark.parametrize("off", ["0", "1e-12", "-1e-12", "1e-30", "-1e-30"])
def test_beside_a_cusp_there_are_two_folds_or_none(off):
    """At s = -99/64 + off the double fold splits; doubles of the coefficients cannot even tell 1e-30 from 0."""
    c_star = [1, Fraction(-99, 64) + Fraction(off), 1]
    network = naive.Network([1, 1, 1], c_star)
    manifold = critical_manifold(fs.TwoLayer([1, 1, 1], c_star))
    expected = [m for *_, m in network.folds()]
    assert [p.multiplicity[Kind.FOLD] for p in manifold.of_kind(Kind.FOLD)] == expected
    assert expected == {0: [2], 1: [], -1: [1, 1]}[(Fraction(off) > 0) - (Fraction(off) < 0)]
    if off == "-1e-30":  # 1e-15 apart: a trace in doubles cannot pass between them, and says so
        assert manifold.complete or manifold.unmatched == ("fold F2 at x = 0.333333333333 was not met by the trace",)
    else:
        assert manifold.complete


def test_a_factor_without_real_points_is_no_branch():
    """2 S' and T' share 1 + 3 R^2: the curve a = h(R) has a smaller equation, and nothing else is changed."""
    network = check([1, "3/2", 1], [1, 0, "1/6"], "shared factor")
    assert naive.divided(network.S1, [1, 0, 3])[1] == naive.divided(network.T1, [1, 0, 3])[1] == []


def test_a_double_root_of_h_on_the_axis():
    """S'(R) = (1 - 2 R)^2: the branch touches a = 0 at R = 1/2, fold and crossing at once."""
    network = check([1, 1, 1], [1, -1, "2/9"], "touching")
    assert network.S1 == [1, -4, 4]
    (point,) = [p for p in critical_manifold(fs.TwoLayer([1, 1, 1], [1, -1, "2/9"])).of_kind(Kind.FOLD) if p.x == 0.5]
    assert point.is_a(Kind.CROSSING) and not point.is_a(Kind.EQUILIBRIUM)


def test_an_equilibrium_at_the_corner_is_one_point():
    """The matched teacher: alpha(1) = 0, so the equilibrium on R = 1, that on the branch and the crossing coincide."""
    manifold = critical_manifold(fs.TwoLayer([1] * 5, [1] * 5))
    (corner,) = [p for p in manifold.points if (p.x, p.y) == (1.0, 1.0)]
    assert corner.kind is Kind.EQUILIBRIUM and corner.is_a(Kind.CROSSING)
    assert corner.stability == "center"
    assert min(map(abs, corner.eigenvalues)) == 0.0


EIGENVALUES = [
    ([1, 1, 1], [1, -2, 1], 1),
    ([1] * 5, [1, -1, 1, 1, 1], 1),
    ([1] * 5, [1, -1, 1, -1, 1], "1/1000"),
    ([2, "1/3", 0, 1], [-1, 1, 2, "1/2"], "1/10"),
]


@pytest.mark.parametrize(("c", "c_star", "rate"), EIGENVALUES)
def test_eigenvalues_and_stability(c, c_star, rate):
    """The Jacobian from exact derivatives, its eigenvalues by numpy; stability on R = 1 by the rule of 0 < a < h."""
    network, rate_value = naive.Network(c, c_star), float(Fraction(rate))
    manifold = critical_manifold(fs.TwoLayer(c, c_star, rate))
    assert len(manifold.of_kind(Kind.EQUILIBRIUM)) >= 4
    for p in manifold.of_kind(Kind.EQUILIBRIUM):
        R, a = Fraction(p.x), Fraction(p.y)
        mixed = naive.value(network.S1, R) - a * naive.value(network.T1, R)
        f_a = (1 - R * R) * mixed
        matrix = [
            [network.f_R(R, a), f_a],
            [rate_value * mixed, -rate_value * naive.value(network.T, R)],
        ]
        expected = np.linalg.eigvals(np.array(matrix, dtype=float))
        expected = sorted(expected, key=abs, reverse=True)
        np.testing.assert_allclose(p.eigenvalues, expected, rtol=1e-9, atol=1e-12)
        if p.x == 1.0:
            assert (p.stability == "stable") == (0 < a < network.h(Fraction(1)))
        if (p.x, p.y) == (0.0, 0.0):
            product = float(network.c[0] * network.c_star[0]) * math.sqrt(rate_value)
            np.testing.assert_allclose(sorted(v.real for v in p.eigenvalues), [-abs(product), abs(product)], rtol=1e-14)
            assert p.stability == "saddle"
