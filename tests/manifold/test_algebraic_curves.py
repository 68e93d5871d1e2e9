"""Curves of degree two or more in the slow variable: every component found, with exact answers."""

import math
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomials import dense, rational

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


LEMNISCATE = (x**2 + y**2) ** 2 - x**2 + y**2
SELF_CROSSING = {
    "lemniscate": (LEMNISCATE, [(0, 0)], 6),
    "loop": (y**2 - x**2 * (x + 1), [(0, 0)], 5),
    "figure eight": (y**2 - x**2 * (1 - x**2), [(0, 0)], 6),
    "irrational": (y**2 - (x**2 - 2) ** 2 * (x + 3), [(-math.sqrt(2), 0), (math.sqrt(2), 0)], 9),
    "tangent to the axes": (x**3 + y**3 - 3 * x * y, [(0, 0)], 4),
    "moved": ((y - 1 - x / 3) ** 2 - (x - rational(Fraction(1, 7))) ** 2 * (x + 1), None, 5),
}


@pytest.mark.parametrize("name", SELF_CROSSING)
def test_a_curve_that_crosses_itself_is_traced_on_both_branches(name):
    """Every point of the curve at some heights lies on one arc, and the same arcs are found for the formula."""
    f, nodes, count = SELF_CROSSING[name]
    m = manifold([f], window=(-4, 4))
    assert m.complete and len(m.arcs) == count and all(p.certified for p in m.points)
    crossings = m.of_kind("crossing")
    if nodes is not None:
        assert [(p.x, p.y) for p in crossings] == [pytest.approx(node, abs=1e-15) for node in nodes]
    for node in crossings:
        assert sum((arc.start is node) + (arc.end is node) for arc in m.arcs) == 4
    for height in (-2.01, -0.31, -0.11, 0.07, 0.3, 1.013, 2.3):
        roots = np.roots((dense(f) @ height ** np.arange(f.degrees()[1] + 1))[::-1])
        real = sorted(r.real for r in roots if abs(r.imag) < 1e-9 and -4 < r.real < 4)
        met = [arc for arc in m.arcs if (arc.y[0] - height) * (arc.y[-1] - height) < 0]
        along = [np.interp(height, *((arc.y, arc.x) if arc.rise > 0 else (arc.y[::-1], arc.x[::-1]))) for arc in met]
        assert sorted(along) == pytest.approx(real, abs=1e-3)
        for arc, place in zip(met, along, strict=True):
            slope = m.system.partial("f", 1, 0, place, height)
            assert arc.stability == ("repelling" if slope > 0 else "attracting")
    if name == "tangent to the axes":  # a fold in the crossing: subdivision does not settle it
        return
    formula = critical_manifold(FormulaSystem([f], "3 + sin(x)", window=((-4, 4), (-50, 50))))
    assert formula.complete and len(formula.arcs) == count
    assert sorted(str(arc.stability) for arc in formula.arcs) == sorted(str(arc.stability) for arc in m.arcs)


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (x**3 - y**2, r"a singular point that is no simple crossing at \(0, 0\)"),
        ((y**2 - x**2) * (y - 2 * x) + x**5, r"no simple crossing"),
        (y**2 + x**2 * (1 - x), r"an isolated point at \(0, 0\)"),
    ],
)
def test_other_singular_points_are_refused_with_their_place(f, what):
    with pytest.raises(fs.InputError, match=what):
        manifold([f])


def test_orbits_of_a_system_that_crosses_itself():
    """With y' = epsilon (y - 1/5) the lower attracting branch is left downwards, and the node is transcritical."""
    system = fs.FastSlowSystem([x**2 * (1 + x) - y**2], y - rational(Fraction(1, 5)), window=(-2, 2))
    found = fs.analyze(system, starts=[("-1/5", "-3/10"), ("-1/5", "1/4")])
    assert found.complete and found.explained
    assert [point.id for point in found.points if point.kind == "crossing"] == ["X1"]
    assert [orbit.verdict.singular for orbit in found.orbits] == ["leaves the window of x"] * 2


def test_multiplicities_of_points_that_share_their_abscissa_are_exact():
    """Folds at the same irrational x, mirror images: each is a simple one, and proved."""
    m = manifold([LEMNISCATE])
    assert [p.multiplicity["fold"] for p in m.of_kind("fold")] == [1, 1, 1, 1]
    assert all(p.certified for p in m.points)
    # y^2 = (x^2 - 2)^3 + 1 has its folds at 0 and, twice each, at the irrational x = +-2^(1/2)
    m = manifold([y**2 - (x**2 - 2) ** 3 - 1])
    found = [(p.multiplicity["fold"], p.certified) for p in m.of_kind("fold") if abs(p.x) > 1]
    assert found == [(2, True)] * 4


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
