"""Curves of degree two or more in the slow variable: every component found, with exact answers."""

import math

import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold

x, y = fs.variables("x", "y")


def manifold(factors, g=1 + 0 * x, window=(-2, 2)):
    return critical_manifold(fs.FastSlowSystem(factors, g, window=window))


def test_a_circle_is_one_loop_with_two_folds():
    m = manifold([x**2 + y**2 - 1])
    assert m.complete
    assert [(p.x, p.y) for p in m.of_kind("fold")] == [(0.0, -1.0), (0.0, 1.0)]
    assert [arc.stability for arc in m.arcs] == ["repelling", "attracting"]
    for arc in m.arcs:
        assert all(math.isclose(u * u + v * v, 1.0, rel_tol=1e-12) for u, v in zip(arc.x, arc.y, strict=True))


def test_isolas_are_found():
    ovals = (x**2 - 1) ** 2 + (y**2 - 1) ** 2 - x * y / 10
    m = manifold([10 * ovals - 5])
    assert m.complete
    assert len(m.of_kind("fold")) == 8
    assert len(m.arcs) == 8
    assert {arc.start.id for arc in m.arcs} == {p.id for p in m.of_kind("fold")}


def test_nested_and_close_loops_are_told_apart():
    inner, outer = x**2 + y**2 - 1, 1000 * (x**2 + y**2) - 1001
    m = manifold([inner * outer])
    assert m.complete
    assert len(m.branches) == 2
    assert len(m.arcs) == 4
    # Between the circles f < 0, so the right half of the outer one repels and of the inner one attracts.
    right = {arc.curve.equation: arc.stability for arc in m.arcs if arc.x.mean() > 0}
    assert sorted(right.values()) == ["attracting", "repelling"]


def test_a_hyperbola_leaves_to_infinity_at_its_pole():
    m = manifold([x * y**2 - 1 + x**2], y - 1)
    assert m.complete
    assert {(p.x, p.y) for p in m.of_kind("infinity")} == {(0.0, math.inf), (0.0, -math.inf)}
    golden = (math.sqrt(5) - 1) / 2
    assert [p.x for p in m.of_kind("equilibrium")] == pytest.approx([-1 / golden, golden], abs=1e-15)


def test_a_curve_that_crosses_itself_is_refused_with_its_place():
    lemniscate = (x**2 + y**2) ** 2 - x**2 + y**2
    with pytest.raises(fs.InputError, match=r"crosses itself at \(0, 0\)"):
        manifold([lemniscate])


def test_factors_are_found_in_a_product():
    m = manifold([(x**2 - 2) * (y - x) * (x**2 + 1)], -x - 1)
    assert sorted(b.equation for b in m.branches) == ["x - y = 0", "x = -1.41421", "x = 1.41421"]
    assert [p.x for p in m.of_kind("crossing")] == pytest.approx([-math.sqrt(2), math.sqrt(2)], abs=1e-15)
    assert m.complete


def test_a_common_curve_of_f_and_g_is_refused():
    with pytest.raises(fs.InputError, match="not isolated"):
        manifold([y * (x - y)], y * (1 + x))


def test_a_repeated_factor_is_neutral():
    m = manifold([(y - x) ** 2], -y)
    assert {arc.stability for arc in m.arcs} == {"neutral"}
