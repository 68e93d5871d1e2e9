"""The critical manifold of systems of formulas: closed forms, polynomial systems as formulas, isolas, branch points."""

import math
import random
import re
import time

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.crossings import crossing_reports
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
    # u = 0 is a branch that no factor shows until it is divided out: 3u(1-u) - l(1-exp(-5u)), crossing at l = 3/5.
    m = manifold(["3*x*(1-x) - y*(1-exp(-5*x))", "x - 1/3"], "1", (("-1/2", 1), (0, 2)))
    assert m.complete
    first, second = m.of_kind("crossing")
    assert (first.x, first.y, len(first.curves)) == (0.0, 0.6, 2)
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


def test_branch_points_at_irrational_places_are_proved():
    m = manifold("y**2 - (x**2 - 2)**2*exp(x)*(x + 3) + sin(y)*y**3", "3 + x", ((-2, 2), ("-1/2", "1/2")))
    assert m.complete
    assert [(p.x, p.y, p.certified) for p in m.of_kind("crossing")] == [
        (pytest.approx(s * math.sqrt(2), abs=1e-15), 0, True) for s in (-1, 1)
    ]
    check_structure(m)


def test_isolas_are_found_each_with_its_folds():
    m = manifold("exp(x)*((x**2 - 1)**2 + (y**2 - 1)**2) - 1/10", "y - x*exp(x) - 3", ((-2, 2), (-2, 2)))
    assert m.complete
    assert len(m.of_kind("fold")) == len(m.arcs) == 8
    assert {arc.start.id for arc in m.arcs} == {p.id for p in m.of_kind("fold")}
    check_structure(m)


def test_a_tiny_isola_beside_a_branch_is_found():
    m = manifold("((x - 1/3)**2 + (y - 1/7)**2 - 1/10**8)*(y - sin(x))*exp(x)", "2 + x", ((-2, 2), (-2, 2)))
    assert m.complete
    folds = places(m.of_kind("fold"))
    assert pytest.approx(sorted(y for x, y in folds if abs(x - 1 / 3) < 1e-3)) == [1 / 7 - 1e-4, 1 / 7 + 1e-4]


def test_nested_loops_a_hair_apart_are_two_branches_of_one_factor():
    m = manifold("(x**2 + y**2 - 1)**2 - exp(-6) + 0*sin(x)", "3 + x", ((-2, 2), (-2, 2)))
    assert m.complete
    assert len(m.arcs) == 4
    radii = [math.sqrt(1 + s * math.exp(-3)) for s in (1, -1)]
    assert np.sort(places(m.of_kind("fold"))[:, 1]) == pytest.approx(
        [-radii[0], -radii[1], radii[1], radii[0]], abs=1e-15
    )


@pytest.mark.parametrize(
    ("gap", "equilibria", "multiplicity"),
    [("1/10**6", 2, 1), ("1/10**20", 2, 1), ("0", 1, 2), ("-1/10**20", 0, None), ("-1/10**6", 0, None)],
)
def test_close_pairs_tangencies_and_near_misses_are_told_apart(gap, equilibria, multiplicity):
    m = manifold(f"y - x**2*exp(x) + ({gap})", "y*(3 - x)", ((-1, 2), (-2, 3)))
    assert m.complete
    near = [p for p in m.of_kind("equilibrium") if abs(p.x) < 0.1]
    assert len(near) == equilibria
    assert all(p.certified and p.multiplicity["equilibrium"] == multiplicity for p in near)


def test_what_cannot_be_proved_is_listed():
    # That log(exp(1)) is 1 is no identity of polynomials, and no finite number of digits proves it.
    m = manifold("y - log(x)", "y*exp(1) - x", (("1/10", 5), (-2, 3)))
    assert not m.complete
    assert len(m.unmatched) == 1 and "double to 1024 bits" in m.unmatched[0]
    apart = float(re.search(r"two less than (\S+) apart", m.unmatched[0])[1])
    assert 2.0**-520 < apart < 1e-150
    (point,) = m.of_kind("equilibrium")
    assert (point.x, point.y, point.certified) == (pytest.approx(math.e), pytest.approx(1), False)


@pytest.mark.parametrize(
    ("f", "window", "x", "y"),
    [
        ("y - x**3*cosh(x)", ((-1, 2), (-2, 2)), 0, 0),  # both rational
        ("y*(1-x)*exp(4*x) - x", ((0, 1), ("1/100", "1/5")), 1 / 2, math.exp(-2)),  # the ab reaction at B = 16
        ("y - exp(x) + exp(1/3)*(x + (x - 1/3)**2/2)", ((0, 1), (-2, 2)), 1 / 3, math.exp(1 / 3) * 2 / 3),  # no square
        ("y - x**3*sqrt(2) + 6*x**2 - 6*sqrt(2)*x", ((1, 2), (-9, 9)), math.sqrt(2), 4),
        ("(x - y)**3 - (x + y - 1)*2/3 + 0*sin(y)", ((-1, 1), (-1, 1)), None, None),  # inflections only
        ("x**3 - 2*y*x + x**2*y - y", ((-1, 1), (-1, "1/4")), 0, 0),  # a polynomial
        ("exp(3*x) - 3*y*exp(x) + 2*y**2", ((-1, 1), ("1/2", 2)), None, None),
    ],
)
def test_cusps_are_proved_by_exact_arithmetic(f, window, x, y):
    m = manifold(f, "exp(x) + y**2", window)
    assert m.complete
    cusps = [(p.x, p.y) for p in m.of_kind("fold") if p.multiplicity["fold"] == 2]
    assert cusps == ([] if x is None else [pytest.approx((x, y), abs=1e-15)])
    assert all(p.certified for p in m.of_kind("fold"))
    check_structure(m)


def test_a_cusp_that_is_missed_by_a_hair_is_not_called_one():
    text = "y*(1-x)*exp((4 + {})*x) - x"
    for nearly, folds in (("1/10**20", [1, 1]), ("-1/10**20", []), ("-1/10**60", [])):
        m = manifold(text.format(nearly), "x - 1/4", ((0, 1), ("1/100", "1/5")))
        assert m.complete
        assert [p.multiplicity["fold"] for p in m.of_kind("fold")] == folds
    m = manifold(text.format("1/10**60"), "x - 1/4", ((0, 1), ("1/100", "1/5")))
    assert not m.complete and re.search(r"at most two less than 1e-30 apart, too close for doubles", m.unmatched[0])


def test_kinks_cut_the_window_and_corners_are_folds():
    m = manifold("x - y*(1 + 31/5*abs(1 - x))", "y - 3", ((0, 2), ("1/100", "7/5")))
    assert m.complete
    assert [(p.kind, p.x, p.y, p.note) for p in m.of_kind("fold")] == [("fold", 1.0, 1.0, "corner at a kink")]
    assert sorted(arc.stability for arc in m.arcs) == ["attracting", "repelling"]
    check_structure(m)
    # Where f_x keeps its sign, a kink is no end.
    through = manifold("y - abs(x) - 2*x + exp(x)/100", "y - 1", ((-2, 2), (-1, 2)))
    assert through.complete
    assert [p.kind for p in through.points] == ["equilibrium", "boundary", "boundary"]
    check_structure(through)


@pytest.mark.parametrize(
    ("f", "corners", "arcs", "curve"),
    [
        ("y - abs(x - y/2) - x/3", [(0, 0)], 4, lambda x: max(8 * x / 9, -4 * x / 3)),
        ("max", [], 4, None),
        ("abs(sin(3*x)) - y", [(-math.pi / 3, 0), (0, 0), (math.pi / 3, 0)], 8, lambda x: abs(math.sin(3 * x))),
        ("relu(x - y) + x**2 - 1", [], 4, None),
        ("y - x**3 + x + abs(x + y)/10", [], 4, None),
        ("(y - abs(x - y/2) - x/3)*(x - 1/2 - y)", [(0, 0)], 6, None),
    ],
)
def test_kinks_along_curves_are_followed_on_both_sides(f, corners, arcs, curve):
    text = "(x + y)/2 + abs(x - y)/2 - x**2" if f == "max" else f
    m = manifold(text, "y - 11/7 + x/5", ((-2, 2), (-2, 2)))
    assert m.complete
    assert [(p.x, p.y) for p in m.of_kind("fold") if "kink" in p.note] == [
        pytest.approx(corner, abs=1e-15) for corner in corners
    ]
    assert len(m.arcs) == arcs
    check_structure(m)
    ends = {p.id for arc in m.arcs for p in (arc.start, arc.end)}
    assert all(max(abs(p.x), abs(p.y)) == 2 for p in m.points if p.kind == "boundary") and len(ends) == len(m.points)
    for arc in m.arcs if curve else ():
        assert arc.y == pytest.approx([curve(x) for x in arc.x], abs=1e-12)


def test_a_start_jumps_off_a_corner_along_a_curve():
    """Y = |x - y/2| + x/3 attracts for x > 0 only, where x' = |x - y/2| + x/3 - y < 0 right of it."""
    system = FormulaSystem("y - abs(x - y/2) - x/3", "-1", window=((-2, 2), (-2, 2)), slow_rate="1/100")
    found = fs.analyze(system, starts=[("3/2", 1)])
    (orbit,) = found.orbits
    assert found.complete and orbit.verdict.singular == orbit.verdict.ode == "leaves the window of x"
    assert [segment.kind for segment in orbit.segments] == ["jump", "slow", "jump"]
    assert orbit.segments[1].end == (0, 0)


def test_a_formula_that_rests_on_a_piece_of_a_line_is_refused():
    with pytest.raises(fs.InputError, match=r"along a piece of the line y = 0.5, between kinks"):
        manifold("abs(x + y) + abs(x - y) - 1", "3 + x/3", ((-2, 2), (-2, 2)))


def test_thousands_of_loops_are_refused_at_once():
    begin = time.perf_counter()
    with pytest.raises(fs.InputError, match="Narrow the window"):
        manifold("sin(40*x)*cos(37*y) - 1/2", "3 + x", ((-2, 2), (-2, 2)))
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize(
    ("f", "corners"),
    [
        # For x > 0, y > 0: y = x - (x + y/3)/2 = x/2 - y/6, y = 3x/7; for x < 0: y = -x + |x + y/3|/2 = -9x/7.
        ("y - abs(x - abs(x + y/3)/2)", [(0, 0)]),
        ("y - abs(x - abs(y)/2 + y) + 1/2", [(3 / 4, -1 / 2)]),
        ("abs(abs(abs(x) - 1) - 1/2) - y", [(k / 2, (k % 2 == 0) / 2) for k in range(-3, 4)]),
        ("tanh(x - abs(x + y/3)/2) - abs(y - abs(x))", [(0, 0)]),
    ],
)
def test_kinks_in_kinks(f, corners):
    m = manifold(f, "x - 1/3 + y/9", ((-2, 2), (-2, 2)))
    assert m.complete
    assert places(m.of_kind("fold")) == pytest.approx(np.array(corners), abs=1e-15)
    assert {p.note for p in m.of_kind("fold")} == {"corner at a kink"}
    check_structure(m)


def test_a_curve_between_nested_kinks_is_where_it_is():
    m = manifold("y - abs(x - abs(x + y/3)/2)", "x - 1/3", ((-2, 2), (-2, 2)))
    for arc in m.arcs:
        np.testing.assert_allclose(arc.y, np.where(arc.x > 0, 3 / 7, -9 / 7) * arc.x, atol=1e-14)
    (equilibrium,) = m.of_kind("equilibrium")
    assert equilibrium.y == pytest.approx(1 / 7, abs=1e-15)


def test_more_curves_of_kinks_than_are_followed_are_told():
    f = "y - abs(x + y/3)/9 - abs(x + y/4)/9 - abs(x + y/5)/9 - abs(x + y/6)/9"
    m = manifold(f, "x - 1/3", ((-2, 2), (-2, 2)))
    assert not m.complete and any("f has a kink along x + y/6 = 0" in sentence for sentence in m.unmatched)


def test_four_arcs_that_meet_at_a_kink_are_a_crossing():
    m = manifold("abs(x) - abs(y)", "x - 1/3", ((-2, 2), (-2, 2)))
    assert m.complete
    (point,) = m.of_kind("crossing")
    assert (point.x, point.y, point.note) == (0, 0, "4 arcs meet at a kink")
    meeting = [arc for arc in m.arcs if point in (arc.start, arc.end)]
    assert sorted(arc.stability for arc in meeting) == ["attracting"] * 2 + ["repelling"] * 2
    assert crossing_reports(m.system, (point,))[0].kind == "degenerate"
    check_structure(m)


def test_lines_and_the_four_edges():
    m = manifold(["x - 1/3", "sin(3*y)", "x - y*exp(y)"], "x + y - 3/10", ((-1, 1), (-1, 2)))
    assert m.complete
    lines = {b.equation: b for b in m.branches}
    assert {"x = 0.333333", "y = 0", "y = 1.0472"} <= set(lines)
    assert lines["x = 0.333333"].arcs[0].start.y == -1.0
    assert lines["x = 0.333333"].arcs[-1].end.y == 2.0
    assert {arc.stability for arc in lines["y = 0"].arcs} == {"neutral"}
    edges = {(p.x, p.y) for p in m.of_kind("boundary")}
    assert {(-1.0, 0.0), (1.0, 0.0)} <= edges
    check_structure(m)


def test_bad_geometry_is_refused_in_words():
    with pytest.raises(fs.InputError, match="no zero in the window"):
        manifold("exp(x) + y**2", "x", ((-1, 1), (-1, 1)))
    with pytest.raises(fs.InputError, match="cannot be isolated"):
        manifold("y - sin(x)", "(y - sin(x))*exp(x)", ((-1, 1), (-2, 2)))
    with pytest.raises(fs.InputError, match="Move this edge"):
        manifold("3*x*(1-x) - y*(erf(1 + 5*x) - erf(1))", "1", ((0, 1), (0, 2)))


def test_a_short_arc_between_the_edge_and_a_fold_stays_short():
    f = "8*cos(y**2 + 2/3)/3 + sin(x - y - 2/3)/5 - 2*cos(3*y**2 + 2/3)"
    m = manifold(f, "x + y + 3/10", ((-2, 2), (-2, 2)))
    assert m.complete
    lengths = [np.abs(np.diff(arc.x)).max() for arc in m.arcs]
    assert max(lengths) < 0.1
    check_structure(m)


def test_branch_points_on_a_hidden_line_are_proved_at_irrational_heights():
    # x = 0 is a branch, since sin(0) = atan(0) = 0 in every term; it is crossed where the slope in x vanishes.
    m = manifold("x*y*atan(2*x - y - 1/3) + 7/5*sin(x)", "y", ((-2, 2), (-2, 2)))
    assert m.complete
    crossings = m.of_kind("crossing")
    assert [len([a for a in m.arcs if p in (a.start, a.end)]) for p in crossings] == [4, 4]
    for p in crossings:
        assert abs(p.x) < 1e-30 and p.y * math.atan(-p.y - 1 / 3) + 1.4 == pytest.approx(0, abs=1e-14)
    check_structure(m)


def test_zeros_whose_first_boxes_are_wide_are_refined():
    m = manifold("8/3*x + y*atan(y + 2/3) - 6/5*x**2", "-4*tanh(2*y + 1/3) - 3/2*atan(x + y)", ((-2, 2), (-2, 2)))
    assert m.complete
    assert all(p.exact_y.ball(300).rel_accuracy_bits() > 250 for p in m.of_kind("fold"))


@pytest.mark.parametrize(
    ("f", "g", "expected"),
    [
        ("y*(1 + exp(x))", "(x + x)**3", [(0, 0, 3)]),
        ("y - tanh(x)", "(x - y/2)**2*(y - 1/3)*exp(x)", [(0, 0, 2), (math.atanh(1 / 3), 1 / 3, 1)]),
        ("exp(x) - y", "tanh(x**3)", [(0, 1, 3)]),
        ("y - exp(x) + 1", "(x - y)**2", [(0, 0, 4)]),
    ],
)
def test_equilibria_at_repeated_factors_of_g(f, g, expected):
    m = manifold(f, g, ((-2, 2), (-2, 2)))
    assert m.complete
    found = [(e.x, e.y, e.multiplicity["equilibrium"]) for e in m.of_kind("equilibrium")]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert all(e.certified for e in m.of_kind("equilibrium"))
    # The sign of g changes at odd zeros only.
    check_structure(m)


def test_factors_of_g_that_vanish_together_are_not_taken_for_one():
    m = manifold("y - exp(x) + 1", "x*y**2", ((-2, 2), (-2, 2)))
    (point,) = m.of_kind("equilibrium")
    assert not m.complete and not point.certified


def test_a_line_of_fast_equilibria_that_no_factor_shows():
    m = manifold("tanh(y) - x*y", "x - 1/3 + y", ((-2, 2), (-2, 2)))
    assert m.complete
    (crossing,) = m.of_kind("crossing")
    assert (crossing.x, crossing.y) == (1, 0)
    assert sorted(arc.stability for arc in m.arcs) == ["attracting"] + ["neutral"] * 3 + ["repelling"] * 2


def test_variables_that_cancel_do_not_count():
    m = manifold("exp(sin(y) - erf(y)) - (x - x + y*y)", "x*y + x", ((-2, 2), (-2, 2)))
    assert m.complete
    assert {arc.stability for arc in m.arcs} == {"neutral"}
    assert len(m.branches) == 2


@pytest.mark.parametrize(
    ("f", "passage"),
    [
        ("sinh(x)**3 - x*y - y**2*tanh(y + 1)/5", "gains stability"),
        ("x**3 - 8*x*y - y**2*(3 - tanh(x)) + x*y*(5 + x)/10", "loses its stability"),
        ("x**3/100000 - x*y + y**2/10 + sin(y)**3", "gains stability"),
    ],
)
def test_a_pitchfork_in_one_factor(f, passage):
    """One branch has its fold where the other passes through: x^3 - x y + ... with no factor x."""
    m = manifold(f, "1 + x/9" if passage[0] == "g" else "x/9 - 1/2", ((-2, 2), (-2, 2)))
    assert m.complete
    (point,) = [p for p in m.of_kind("crossing") if (p.x, p.y) == (0, 0)]
    assert point.is_a("fold") and point.certified and "a fold at a crossing" in point.note
    (report,) = crossing_reports(m.system, (point,))
    assert report.kind == "pitchfork point"
    meeting = [arc for arc in m.arcs if point in (arc.start, arc.end)]
    assert len(meeting) == 4
    # Both halves of the branch with the fold lie on its side of it.
    up = [arc for arc in meeting if (arc.y[len(arc.y) // 2] > 0)]
    assert len(up) in (1, 3)
    check_structure(m)


def test_folds_beside_a_branch_point_are_not_taken_for_one_at_it():
    """The branch y ~ x^3 + ... has an inflection there, no fold: nothing is claimed."""
    m = manifold("x**4 - x*y + y**2*exp(x)/10", "exp(x)", ((-2, 2), (-2, 2)))
    assert not m.complete and not any(p.certified for p in m.of_kind("fold"))


def test_an_extremum_beyond_the_smallest_double_is_said_in_words():
    m = manifold(
        "(sin(y*10000) - (x/10000)**3)*((x/10000 + 7/10)**2 + (y*10000 - 7/5)**2 - 1e-8)",
        "(x/10000)**2 + x/10000",
        ((-20000, 20000), ("-0.0002", "0.0002")),
    )
    assert not m.complete
    assert "zero and double to 1024 bits" in m.unmatched[0]


@pytest.mark.parametrize(
    ("f", "g", "kind", "times"),
    [
        ("y - sinh(x)**3", "y", "equilibrium", 3),
        ("y - tanh(x)*cos(y)", "x - y - x*y**2/2 + x**3/9", "equilibrium", 3),
        ("y - exp(x) + 1 + x + x**2/2", "y*cos(x)", "equilibrium", 3),
        ("y + sinh(x)**5/9", "x - 1/3", "fold", 4),
        ("y - x**4*exp(x)", "x - 1/3", "fold", 3),
    ],
)
def test_tangencies_of_higher_order(f, g, kind, times):
    m = manifold(f, g, ((-2, 2), (-2, 2)))
    assert m.complete
    (point,) = [p for p in m.of_kind(kind) if (p.x, p.y) == (0, 0)]
    assert point.certified and point.multiplicity[kind] == times
    check_structure(m)


def test_a_tangency_that_is_missed_by_a_hair_is_not_called_one():
    m = manifold("y - sinh(x)**3 - x/10**30", "y*exp(x)", ((-2, 2), (-2, 2)))
    assert not m.complete and not any(p.certified for p in m.of_kind("equilibrium"))


def test_kinks_of_constants_and_of_nothing_do_not_matter():
    m = manifold("abs(x*y - y*x) + y - tanh(x)*relu(atan(3))", "x - 1/3", ((-2, 2), (-2, 2)))
    assert m.complete and len(m.arcs) == 2


def test_simple_zeros_that_are_almost_tangent():
    m = manifold("(y - exp(x))*(y - exp(x) - (x**4)*2/5 + 1e-7)", "x - 1/3 + y/7", ((-2, 2), (-2, 2)))
    assert m.complete
    place = (2.5e-7) ** 0.25
    assert [(p.x, p.certified) for p in m.of_kind("crossing")] == [
        (pytest.approx(sign * place, rel=1e-12), True) for sign in (-1, 1)
    ]


@pytest.mark.parametrize(
    ("f", "curve"),
    [
        # An inner kink leaves an argument of one variable, which changes its sign where no cut was made before.
        ("y - relu(x + 7/6 - relu(258*y/100 - 232/100))*7/6 + x/3", lambda x: np.where(x < -7 / 6, -x / 3, None)),
        ("y - relu(cos(x) - relu(y**3 - 4)) + x/5", lambda x: np.maximum(np.cos(x), 0) - x / 5),
        ("y - abs(sin(abs(x)) - 1/3)", lambda x: np.abs(np.sin(np.abs(x)) - 1 / 3)),
        # Inner kinks outside of the window, and of a constant.
        ("y - relu(cos(x) - relu(y/26 - 2)) + x/5", lambda x: np.maximum(np.cos(x), 0) - x / 5),
        ("y - relu(cos(x) - abs(tanh(5))/3) + x/5", lambda x: np.maximum(np.cos(x) - np.tanh(5) / 3, 0) - x / 5),
    ],
)
def test_what_is_left_of_a_kink_in_a_kink_has_its_own_kinks(f, curve):
    m = manifold(f, "x - 1/3 + y/9", ((-2, 2), (-2, 2)))
    assert m.complete
    for x in (-1.9, -1.62, -1.2, -0.4, 0.7, 1.5, 1.9):
        wanted = curve(np.array(x)).item()
        met = [arc for arc in m.arcs if (arc.x[0] - x) * (arc.x[-1] - x) < 0]
        if wanted is not None:
            (arc,) = met
            order = np.argsort(arc.x)
            assert np.interp(x, arc.x[order], arc.y[order]) == pytest.approx(wanted, abs=1e-4)
    check_structure(m)


@pytest.mark.parametrize("gap", ["1/100", "1/10000", "166/100000000"])
def test_branches_that_almost_cross(gap):
    """(1 - x) (y + 1) = gap: two arcs that turn sharply near (1, -1), and never meet."""
    m = manifold(f"((1 - x)*(y + 1) - {gap})*exp(x)", "x - 1/3", ((-3, 3), (-3, 3)))
    assert m.complete
    assert not m.of_kind("crossing")
    lefts = sorted(arc.x.max() < 1 for arc in m.arcs)
    assert lefts == [False, True, True]  # the left one has the equilibrium
    check_structure(m)


def test_a_curve_that_is_not_followed_leaves_a_partial_result():
    system = FormulaSystem("(1 - x)*(y + 1) - exp(-x)/10**8", "tanh(y) - y/2 - x/9", window=((-3, 3), (-3, 3)))
    analysis = fs.analyze(system, starts=[(0, 1)])
    assert not analysis.complete and analysis.points
