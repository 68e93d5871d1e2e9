"""The critical manifold of systems of formulas: closed forms, polynomial systems as formulas, isolas, branch points."""

import math
import random

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import dense


def manifold(f, g, window, **options):
    return critical_manifold(FormulaSystem(f, g, window=window, **options))


def places(points):
    return np.array([(p.x, p.y) for p in points]).reshape(-1, 2)


def check_structure(m):
    """Arcs lie on the curve, run monotonically in y from node to node, and are stable as f_x says at every point."""
    for arc in m.arcs:
        assert (arc.x[0], arc.y[0]) == (arc.start.x, arc.start.y)
        assert (arc.x[-1], arc.y[-1]) == (arc.end.x, arc.end.y)
        slope = np.abs(m.system.partial("f", 1, 0, arc.x, arc.y)) + np.abs(m.system.partial("f", 0, 1, arc.x, arc.y))
        assert np.all(np.abs(m.system.partial("f", 0, 0, arc.x, arc.y)) <= 1e-12 * (1 + slope.max()))
        if arc.rise:
            assert np.all(arc.rise * np.diff(arc.y) > 0)
            f_x = m.system.partial("f", 1, 0, arc.x[1:-1], arc.y[1:-1])
            sign = {"repelling": 1, "attracting": -1, "neutral": 0}[arc.stability]
            assert np.all(np.sign(f_x) == sign)
            g = m.system.partial("g", 0, 0, arc.x[1:-1], arc.y[1:-1])
            assert np.all(np.sign(g) == arc.flow * arc.rise)


def test_the_ab_reaction_has_its_folds_where_they_are_known():
    m = manifold("y*(1-x)*exp(9*x/2) - x", "x - 1/2", ((0, 1), ("1/100", "1/5")))
    assert m.complete
    assert places(m.of_kind("fold")) == pytest.approx(
        np.array([(1 / 3, math.exp(-1.5) / 2), (2 / 3, 2 * math.exp(-3))]), abs=1e-15
    )
    assert [(e.x, e.stability) for e in m.of_kind("equilibrium")] == [(0.5, "saddle")]
    assert [arc.stability for arc in m.arcs] == ["attracting", "repelling", "repelling", "attracting"]
    # The coordinates are refined as far as wanted.
    fold = m.of_kind("fold")[1]
    assert fold.exact_y.ball(1000).rel_accuracy_bits() > 950
    check_structure(m)


def test_a_branch_point_in_one_factor_is_found_and_all_its_branches():
    # u = 0 is a branch that no factor shows: 3u(1-u) - l(1-exp(-5u)), crossing at l = 3/5.
    m = manifold(["3*x*(1-x) - y*(1-exp(-5*x))", "x - 1/3"], "1", (("-1/2", 1), (0, 2)))
    assert m.complete
    first, second = m.of_kind("crossing")
    assert (first.x, first.y, len(first.curves)) == (0.0, 0.6, 1)
    assert (second.x, second.y) == pytest.approx((1 / 3, 0.821904345374), abs=5e-13)
    (fold,) = m.of_kind("fold")
    assert (fold.x, fold.y) == pytest.approx((0.411161560751, 0.832929322234), abs=5e-13)
    meeting = [arc for arc in m.arcs if first in (arc.start, arc.end)]
    assert len(meeting) == 4
    assert sorted(arc.stability for arc in meeting) == ["attracting", "attracting", "repelling", "repelling"]
    check_structure(m)


def test_a_curve_that_crosses_itself_twice_over():
    m = manifold("x**2*(1-x**2) - y**2", "exp(x)", ((-2, 2), (-2, 2)))
    assert m.complete
    root = math.sqrt(0.5)
    assert places(m.of_kind("fold")) == pytest.approx(
        np.array([(-root, -0.5), (-root, 0.5), (root, -0.5), (root, 0.5)]), abs=1e-15
    )
    assert [(p.x, p.y) for p in m.of_kind("crossing")] == [(0.0, 0.0)]
    assert len(m.arcs) == 6
    check_structure(m)


@pytest.mark.parametrize("seed", range(20))
def test_polynomial_systems_as_formulas_have_the_same_points(seed):
    rng = random.Random(seed)
    x, y = fs.variables("x", "y")
    degree = 1 + seed % 2

    def polynomial(top):
        return sum(rng.randint(-4, 4) * x**i * y**j for i in range(4) for j in range(top + 1))

    f = [polynomial(degree) + y**degree + x + 5]  # not through the origin, where such curves often cross themselves
    if seed % 4 == 3:
        f.append(x - rng.randint(-1, 1) - y)
    g = polynomial(1) + 1
    exact = critical_manifold(PolynomialSystem(f, g, window=(-2, 2)))
    m = manifold(f, g, ((-2, 2), (-3, 3)))
    assert m.complete
    expected = [p for p in exact.points if abs(p.y) <= 3 and p.kind not in ("infinity", "boundary")]
    assert places(m.points[: len(expected)]) == pytest.approx(places(expected), rel=1e-14, abs=1e-300)
    assert [(p.kind, p.also, p.stability) for p in m.points[: len(expected)]] == [
        (p.kind, p.also, p.stability) for p in expected
    ]
    assert all(p.kind == "boundary" for p in m.points[len(expected) :])
    check_structure(m)
    # Every height is met as often as the exact roots say.
    for height in (-2.3, 0.123, 1.7):
        roots = [
            r.real
            for p in f
            for r in np.roots((dense(p) @ height ** np.arange(p.degrees()[1] + 1))[::-1])
            if abs(r.imag) < 1e-9 and -2 < r.real < 2
        ]
        met = [arc for arc in m.arcs if arc.rise and (arc.y[0] - height) * (arc.y[-1] - height) < 0]
        assert len(met) == len(roots)
