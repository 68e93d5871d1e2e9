"""Folds and equilibria in one parameter, against exact answers that are derived in the comments."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from fastslow.bifurcation.canard_series import canard_series
from fastslow.bifurcation.continuation import continued
from fastslow.bifurcation.hopf import focal_value
from fastslow.errors import FastSlowError, InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind
from fastslow.ode.maximal_canards import maximal_canard
from fastslow.systems.classics import fitzhugh_nagumo, van_der_pol
from fastslow.systems.families import axis_of, family_of
from fastslow.systems.model_files import study_from
from fastslow.systems.two_layer import TwoLayer

FIVE = TwoLayer([1] * 5, [1, -1, 1, 1, 1])


def polynomial(f, g, window=(-3, 3), slow_rate=1, **parameters):
    table = {"model": "polynomial", "f": f, "g": g, "fast": "x", "slow": "y", "parameters": parameters}
    return study_from({**table, "window": list(window), "slow_rate": slow_rate}).system


def followed(model, text, kind):
    axis = axis_of(text, "x")
    return continued(family_of(model, axis.name), axis, kind=kind)


def places(points):
    return [(point.parameters[0], point.x, point.y) for point in points]


# Folds ---------------------------------------------------------------------------------------------------------------


def test_cusps_of_the_three_term_network():
    found = followed(TwoLayer([1, 1, 1], [1, -1, 1]), "c_star[2]=-3:3", "fold")
    assert found.complete
    # science.md, section 8: s = -99/64 at R = 1/3, a = 27/16, and the mirror image.
    expected = [(-99 / 64, 1 / 3, 27 / 16), (99 / 64, -1 / 3, -27 / 16)]
    assert np.allclose(places(found.points_of("cusp")), expected, rtol=0, atol=1e-14)
    assert all(point.certified and point.radius < 1e-30 for point in found.points)


def test_cusps_of_the_five_term_network():
    found = followed(FIVE, "c_star[2]=-10:10", "fold")
    assert found.complete
    cusps = [place[:2] for place in places(found.points_of("cusp"))]
    assert np.allclose(cusps, [(-2.80177272314612, -0.26922619), (8.59318741508392, 0.2135841)], rtol=0, atol=1e-8)
    assert [cusp[0] for cusp in cusps] == pytest.approx([-2.80177272314612, 8.59318741508392], abs=1e-13)
    # A cusp is where the curve turns in the parameter: it is its first or last value on either side.
    for point, curve in zip(found.points_of("cusp"), (found.curves[1], found.curves[0]), strict=True):
        s = curve.parameters[0]
        assert point.parameters[0] in (s.min(), s.max())
        k = int(np.flatnonzero(s == point.parameters[0])[0])
        assert {curve.stability[k - 1], curve.stability[k + 1]} == {"attracting below", "attracting above"}


def test_the_canard_point_of_figure_5():
    found = followed(FIVE, "c_star[3]=-5:5", "fold")
    assert found.complete
    canards = found.points_of("canard point")
    assert canards[1].parameters[0] == pytest.approx(-0.328664, abs=5e-7)
    # The equilibria of a gradient system have real eigenvalues: it is a saddle.
    assert all("faux" in point.note for point in canards)
    on_equilibria = followed(FIVE, "c_star[3]=-5:5", "equilibrium").points_of("canard point")
    assert np.allclose(places(on_equilibria), places(canards), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "value"), [("c_star[2]", -4), ("c_star[2]", 3), ("c[3]", Fraction(-7, 3)), ("c[1]", 2)]
)
def test_a_section_is_the_critical_manifold_there(name, value):
    folds, rest = followed(FIVE, f"{name}=-5:5", "fold"), followed(FIVE, f"{name}=-5:5", "equilibrium")
    assert folds.complete and rest.complete
    points = critical_manifold(family_of(FIVE, name).at(value)).points
    for diagram, kind in ((folds, Kind.FOLD), (rest, Kind.EQUILIBRIUM)):
        expected = sorted(point.x for point in points if point.is_a(kind))
        met = []
        for curve in diagram.curves:
            s = curve.parameters[0]
            for k in np.flatnonzero((s[1:] >= value) != (s[:-1] >= value)):
                share = (float(value) - s[k]) / (s[k + 1] - s[k])
                met.append(curve.x[k] + share * (curve.x[k + 1] - curve.x[k]))
        assert np.allclose(sorted(met), expected, rtol=0, atol=2e-4)


def test_a_closed_curve_of_folds_that_no_end_of_the_interval_shows():
    # f = y + x^3/3 - x (1 - p^2): folds x^2 = 1 - p^2, a circle; f_xx = 2x = 0 at p = -1, 1.
    found = followed(polynomial("y + x^3/3 - x*(1 - p^2)", "y - 1/10", p=0), "p=-2:2", "fold")
    assert found.complete
    (circle,) = found.curves
    assert circle.closed
    assert np.abs(circle.x**2 + circle.parameters[0] ** 2 - 1).max() < 1e-13
    assert places(found.points_of("cusp")) == [(-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)]
    # On it y = 2 x^3 / 3 = 1/10 where g = 0: x = (3/20)^(1/3). On y = 1/10 nothing drifts: the folds there are no
    # canard points, but two equilibria meet.
    x = (3 / 20) ** (1 / 3)
    p = math.sqrt(1 - x * x)
    assert not found.points_of("canard point")
    assert np.allclose(places(found.points_of("saddle-node")), [(-p, x, 0.1), (p, x, 0.1)], rtol=0, atol=1e-14)


def test_singular_points_of_the_critical_manifold():
    # y^2 = x^2 (x + 1) - p: a node at the origin for p = 0, and an oval that shrinks to (-2/3, 0) at p = 4/27.
    found = followed(polynomial("y^2 - x^2*(x + 1) + p", "x + 3", p=0), "p=-2:2", "fold")
    assert found.complete
    assert places(found.points_of("branch point")) == [(0.0, 0.0, 0.0)]
    assert np.allclose(places(found.points_of("isola centre")), [(4 / 27, -2 / 3, 0.0)], rtol=0, atol=1e-15)


def test_folds_attract_on_the_side_where_the_slope_is_negative():
    # Van der Pol: f_x = 1 - x^2 < 0 above x = 1 and below x = -1.
    found = followed(van_der_pol(), "a=-2:2", "fold")
    for curve in found.curves:
        side = "attracting above" if curve.x[0] > 0 else "attracting below"
        assert {word for word, _ in curve.pieces()} == {side}
        assert np.allclose(curve.x, math.copysign(1.0, curve.x[0]), rtol=0, atol=1e-15)


# Equilibria ----------------------------------------------------------------------------------------------------------


def test_saddle_node_of_the_network():
    found = followed(FIVE, "c_star[2]=-10:10", "equilibrium")
    assert found.complete
    (double,) = [point for point in found.points_of("saddle-node") if point.y != 0.0]
    assert double.parameters[0] == pytest.approx(-6.74568026487769, abs=1e-13)
    assert double.x == pytest.approx(-0.8517219, abs=1e-7)
    # At s = 1 the teacher is the student: the branch meets R = 1 at a = 1.
    assert (1.0, 1.0, 1.0) in places(found.points_of("transcritical"))
    assert not found.points_of("hopf")
    by_branch = {curve.id: curve for curve in found.curves}
    assert [word for word, _ in by_branch["E4"].pieces()] == ["stable", "saddle"]


def test_van_der_pol():
    # Trace 1 - x^2 and determinant eps: Hopf at x = a = -1, 1, which are the folds. In Kuznetsov's (5.39) with
    # q = (1, ..), p_1 = 1/2, omega = sqrt(eps) = 1/10: g_20 = g_11 = f_xx / 2 are real and drop out, and
    # l_1 = g_21 / (2 omega) = f_xxx / (4 omega) = -2 / 0.4 = -5.
    found = followed(van_der_pol(), "a=-2:2", "equilibrium")
    assert found.complete
    expected = [(-1.0, -1.0, 2 / 3), (1.0, 1.0, -2 / 3)]
    assert np.allclose(places(found.points_of("hopf")), expected, rtol=0, atol=1e-15)
    assert np.allclose(places(found.points_of("canard point")), expected, rtol=0, atol=1e-15)
    assert all(point.note == "supercritical" for point in found.points_of("hopf"))
    assert [point.lyapunov for point in found.points_of("hopf")] == pytest.approx([-5.0, -5.0], abs=1e-12)
    (curve,) = found.curves
    assert [word for word, _ in curve.pieces()] == ["stable", "unstable", "stable"]


def test_fitzhugh_nagumo():
    # Trace 1 - v^2 - eps b = 0: v = -+sqrt(1 - eps b) = -+sqrt(0.936); w = (v + a) / b; I = w - v + v^3 / 3.
    found = followed(fitzhugh_nagumo(), "current=-1:3", "equilibrium")
    expected = []
    for v in (-math.sqrt(0.936), math.sqrt(0.936)):
        w = (v + 0.7) / 0.8
        expected.append((w - v + v**3 / 3, v, w))
    assert np.allclose(places(found.points_of("hopf")), expected, rtol=0, atol=1e-14)
    # Troy's condition: subcritical where 1 - 2 b + b^2 eps < 0; here -0.549.
    assert all(point.note == "subcritical" and point.certified for point in found.points_of("hopf"))
    # Folds v = -1, 1 that are equilibria.
    canards = [((v + 0.7) / 0.8 - v + v**3 / 3, v, (v + 0.7) / 0.8) for v in (-1.0, 1.0)]
    assert np.allclose(places(found.points_of("canard point")), canards, rtol=0, atol=1e-14)


def test_first_lyapunov_coefficient_of_the_normal_form():
    # z' = (m + i) z - z |z|^2 with x + i y = 2 z gives l_1 = -4 for z' = i z - 4 z |z|^2.
    system = polynomial("m*x - y - x*(x^2 + y^2)", "x + m*y - y*(x^2 + y^2)", m=0)
    (hopf,) = followed(system, "m=-1:1", "equilibrium").points_of("hopf")
    assert (hopf.parameters, hopf.x, hopf.y) == ((0.0,), 0.0, 0.0)
    assert hopf.lyapunov == pytest.approx(-4.0, abs=1e-14)
    assert hopf.note == "supercritical"


def kuznetsov(f, g):
    """Return the first Lyapunov coefficient from Taylor coefficients, Kuznetsov (5.39), eigenvector (1, q_2)."""
    matrix = np.array([[f[1, 0], f[0, 1]], [g[1, 0], g[0, 1]]])
    omega = math.sqrt(np.linalg.det(matrix))
    value, vectors = np.linalg.eig(matrix)
    q = vectors[:, np.argmax(value.imag)]
    q = q / q[0]
    value, vectors = np.linalg.eig(matrix.T)
    p = vectors[:, np.argmin(value.imag)]
    p = p / np.conj(np.vdot(p, q))

    def form(*vs):
        n = len(vs)
        total = np.zeros(2, complex)
        for choice in np.ndindex(*(2,) * n):
            power = (n - sum(choice), sum(choice))
            weight = math.factorial(power[0]) * math.factorial(power[1])
            total += np.array([f[power], g[power]]) * weight * math.prod(v[c] for v, c in zip(vs, choice, strict=True))
        return total

    g20, g11 = np.vdot(p, form(q, q)), np.vdot(p, form(q, q.conj()))
    g21 = np.vdot(p, form(q, q, q.conj()))
    return float((1j * g20 * g11 + omega * g21).real / (2 * omega**2)), omega


def test_focal_value_is_the_first_lyapunov_coefficient():
    rng = np.random.default_rng(2)
    orders = [(i, j) for i in range(4) for j in range(4) if 1 <= i + j <= 3]
    for _ in range(20):
        f, g = ({o: float(v) for o, v in zip(orders, rng.normal(size=len(orders)), strict=True)} for _ in range(2))
        g[0, 1] = -f[1, 0]
        g[1, 0] = -(f[1, 0] ** 2 + 1.0) / f[0, 1]  # determinant 1
        expected, omega = kuznetsov(f, g)
        value = focal_value(lambda i, j, f=f: f[i, j], lambda i, j, g=g: g[i, j])
        assert -value / (2 * f[0, 1] * omega**3) == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_a_pitchfork_is_a_branch_point_and_an_isola_is_found():
    found = followed(polynomial("p*x - x^3 - y", "y", p=0), "p=-2:2", "equilibrium")
    assert found.complete
    assert places(found.points_of("branch point")) == [(0.0, 0.0, 0.0)]
    assert not found.points_of("saddle-node")
    # x^2 + p^2 = 1: two saddle-nodes.
    isola = followed(polynomial("x^2 + p^2 - 1 + y", "y", p=0), "p=-2:2", "equilibrium")
    assert isola.complete and isola.curves[0].closed
    assert places(isola.points_of("saddle-node")) == [(-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)]


def test_equations_that_are_linear_in_nothing():
    # x^2 + y^2 = 1 and y^2 = p x: x^2 + p x - 1 = 0; J = 4 x y + 2 p y = 2 y (2 x + p): zero at y = 0, p = 0.
    found = followed(polynomial("x^2 + y^2 - 1", "y^2 - p*x", p=0), "p=-2:2", "equilibrium")
    assert found.complete
    assert np.allclose(places(found.points_of("saddle-node")), [(0, -1, 0), (0, 1, 0)], rtol=0, atol=1e-14)
    assert all(point.certified for point in found.points)
    for curve in found.curves:
        assert np.abs(curve.x**2 + curve.parameters[0] * curve.x - 1).max() < 1e-12


def test_a_parameter_that_changes_no_place():
    found = followed(van_der_pol(1), "slow_rate=1/10:1", "equilibrium")
    assert found.complete
    assert not found.points
    assert any("hopf" in note for note in found.notes)


def test_gaps_are_said():
    found = followed(FIVE, "c[1]=-5:5", "fold")
    assert found.complete
    assert [note for note in found.notes if note.startswith("Gap: at c[1] = 0")]


# Canards -------------------------------------------------------------------------------------------------------------


def test_the_canard_series_of_van_der_pol():
    # Zvonkin and Shubin (1984): 1 - eps/8 - 3 eps^2/32 - 173 eps^3/1024.
    family = family_of(van_der_pol(), "a")
    point = followed(van_der_pol(), "a=-2:2", "fold").points_of("canard point")[1]
    series = canard_series(family, point, 8)
    assert series.coefficients[:4] == pytest.approx([1, -1 / 8, -3 / 32, -173 / 1024], abs=1e-15)
    # The four-term sum at eps = 0.01 is the number that is often quoted.
    assert series.at(0.01, 4) == pytest.approx(0.99874045142, abs=5e-12)


def test_the_maximal_canard_of_van_der_pol():
    family = family_of(van_der_pol(), "a")
    point = followed(van_der_pol(), "a=-2:2", "fold").points_of("canard point")[1]
    found = maximal_canard(family, point)
    # The series, whose terms fall to 1e-15 at this slow rate, is another way to the same number.
    assert found.parameter == pytest.approx(canard_series(family, point, 8).at(0.01), abs=1e-12)
    assert found.parameter == pytest.approx(0.998740451246, abs=1e-12)
    assert found.error < 1e-12


def test_no_canard_where_there_is_none():
    point = followed(FIVE, "c_star[3]=-5:5", "fold").points_of("canard point")[1]
    with pytest.raises(InputError, match="faux canard"):
        maximal_canard(family_of(FIVE, "c_star[3]"), point)
    thick = van_der_pol(0, "1/10")
    point = followed(thick, "a=-2:2", "fold").points_of("canard point")[1]
    with pytest.raises(FastSlowError, match="lower the slow rate"):
        maximal_canard(family_of(thick, "a"), point)
    cusp = followed(FIVE, "c_star[2]=-10:10", "fold").points_of("cusp")[0]
    with pytest.raises(InputError, match="point"):
        canard_series(family_of(FIVE, "c_star[2]"), cusp)


# Bad input -----------------------------------------------------------------------------------------------------------


def test_bad_input():
    family = family_of(FIVE, "c_star[2]")
    axis = axis_of("c_star[2]=-1:1", "x")
    for arguments, message in [
        ((family, axis, None, "folds"), "Did you mean 'fold'"),
        ((family, axis_of("c_star[3]=-1:1", "x"), None, "fold"), "is no parameter of the family"),
        ((family, axis, axis, "fold"), "same as the first axis"),
        ((family, axis, axis_of("b0=0:1", "y"), "fold"), "is no parameter of the family"),
        ((family_of(FIVE, "c[1]"), axis_of("c[1]=0:1", "x"), None, "fold"), "where there is no model"),
        ((family_of(FIVE, "noise"), axis_of("noise=0:1", "x"), None, "fold"), "enters neither"),
        ((family_of(FIVE, "c[1]", "c[2]"), axis_of("c[1]=1:2", "x"), None, "fold"), "each parameter"),
    ]:
        *positional, kind = arguments
        with pytest.raises(InputError, match=message.replace("[", r"\[")):
            continued(*positional, kind=kind)


def test_arcs_change_only_at_special_points_and_none_is_undecided():
    for model, text in ((FIVE, "c_star[2]=-10:10"), (FIVE, "c[3]=-5:5"), (fitzhugh_nagumo(), "current=-1:3")):
        found = followed(model, text, "equilibrium")
        special = {(point.x, point.y, point.parameters[0]) for point in found.points}
        for curve in found.curves:
            runs = list(curve.pieces())
            assert "center" not in {word for word, _ in runs}
            for _, piece in runs[1:]:
                k = piece.start
                assert (curve.x[k], curve.y[k], curve.parameters[0, k]) in special
