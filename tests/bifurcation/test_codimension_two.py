"""Bifurcation curves in two parameters and the points of codimension 2 on them; answers derived in the comments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastslow.bifurcation.continuation import continued
from fastslow.systems.classics import fitzhugh_nagumo, van_der_pol
from fastslow.systems.families import axis_of, family_of
from fastslow.systems.two_layer import TwoLayer
from tests.bifurcation.test_diagrams import polynomial

THREE = TwoLayer([1, 1, 1], [1, -1, 1])


def followed(model, first, second, kind):
    axes = axis_of(first, "x"), axis_of(second, "y")
    return continued(family_of(model, axes[0].name, axes[1].name), *axes, kind=kind)


def of_kind(diagram, kind):
    return [curve for curve in diagram.curves if curve.kind == kind]


def test_the_cusp_of_two_saddle_nodes():
    # m + l x - x^3 = 0 = l - 3 x^2: m = -2 x^3, l = 3 x^2; at l = 1, m = +-2 / (3 sqrt 3) = +-0.384900179460.
    found = followed(polynomial("m + l*x - x^3 - y", "y", m=0, l=1), "m=-1:1", "l=-1:2", "equilibrium")
    (curve,) = found.curves
    m, slope = curve.parameters
    assert np.abs(m + 2 * curve.x**3).max() < 1e-13
    assert np.abs(slope - 3 * curve.x**2).max() < 1e-13
    (cusp,) = found.points
    assert (cusp.kind, cusp.parameters, cusp.certified, cusp.curves) == ("cusp", (0.0, 0.0), True, ("C1",))
    assert not found.complete
    # The same cusp where l is fixed, as saddle-nodes of one parameter.
    axis = axis_of("m=-1:1", "x")
    ends = continued(family_of(polynomial("m + l*x - x^3 - y", "y", m=0, l=1), "m"), axis, kind="equilibrium")
    values = [(p.parameters[0], p.x) for p in ends.points_of("saddle-node")]
    assert np.allclose(
        values, [(-0.384900179460, 0.577350269190), (0.384900179460, -0.577350269190)], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(("sign", "word"), [(1, "subcritical"), (-1, "supercritical")])
def test_bogdanov_takens_normal_form(sign, word):
    # x' = y, y' = m + n y + x^2 + s x y (Kuznetsov, section 8.4): saddle-nodes m = 0 (x = 0), a Bogdanov-Takens point
    # at the origin, Hopf points n = -s x, m = -x^2 where the determinant -2 x is positive: x = -sqrt(-m) and
    # n = s sqrt(-m); the cycle is unstable for s = 1 and stable for s = -1.
    system = polynomial("y", f"m + n*y + x^2 + {sign}*x*y", m=0, n=0)
    found = followed(system, "m=-1:1", "n=-1:1", "equilibrium")
    (nodes,) = of_kind(found, "saddle-node")
    assert np.abs(nodes.parameters[0]).max() < 1e-15
    (hopf,) = of_kind(found, "hopf")
    m, n = hopf.parameters
    assert hopf.x.max() <= 0.0
    assert np.abs(m + hopf.x**2).max() < 1e-13
    assert np.abs(n + sign * hopf.x).max() < 1e-13
    assert {name for name, _ in hopf.pieces()} == {word}
    (point,) = found.points
    assert (point.kind, point.parameters, point.x, point.certified) == ("Bogdanov-Takens", (0.0, 0.0), 0.0, True)
    assert set(point.curves) == {nodes.id, hopf.id}
    assert any("neutral saddles" in note for note in found.notes)


def test_bautin_normal_form():
    # z' = (m + i) z + b z |z|^2 - z |z|^4: Hopf at m = 0, l_1 has the sign of b.
    square = "(x^2 + y^2)"
    system = polynomial(f"m*x - y + b*x*{square} - x*{square}^2", f"x + m*y + b*y*{square} - y*{square}^2", m=0, b=0)
    found = followed(system, "m=-1:1", "b=-1:1", "equilibrium")
    (hopf,) = of_kind(found, "hopf")
    assert np.abs(hopf.parameters[0]).max() < 1e-15
    (bautin,) = found.points
    assert (bautin.kind, bautin.certified) == ("Bautin", True)
    assert np.abs(bautin.parameters).max() < 1e-15
    for k, word in enumerate(hopf.stability):
        b = hopf.parameters[1, k]
        if b != 0.0:
            assert word == ("subcritical" if b > 0 else "supercritical")


def test_fitzhugh_nagumo():
    # Hopf: v^2 = 1 - eps b. l_1 = 0 where 1 - 2 b + b^2 eps = 0: b = (1 - sqrt(1 - eps)) / eps. Saddle-nodes:
    # 1 - v^2 = 1 / b, so that b >= 1 with the cusp at v = 0, w = a / b, current = w.
    found = followed(fitzhugh_nagumo(), "current=-1:4", "b=1/5:3", "equilibrium")
    eps = 0.08
    b = (1 - math.sqrt(1 - eps)) / eps
    expected = []
    for sign in (-1, 1):
        v = sign * math.sqrt(1 - eps * b)
        w = (v + 0.7) / b
        expected.append((w - v + v**3 / 3, b, v))
    bautin = [(*point.parameters, point.x) for point in found.points_of("Bautin")]
    assert np.allclose(bautin, expected, rtol=0, atol=1e-13)
    (cusp,) = found.points_of("cusp")
    assert np.allclose((*cusp.parameters, cusp.x, cusp.y), (0.7, 1.0, 0.0, 0.7), rtol=0, atol=1e-14)
    assert all(point.certified for point in found.points)
    for curve in of_kind(found, "hopf"):
        assert np.abs(curve.x**2 - 1 + eps * curve.parameters[1]).max() < 1e-12


def test_hopf_curves_of_van_der_pol():
    found = followed(van_der_pol(), "a=-2:2", "slow_rate=1/100:1", "equilibrium")
    assert sorted(float(curve.parameters[0].mean()) for curve in found.curves) == pytest.approx([-1.0, 1.0], abs=1e-14)
    assert {word for curve in found.curves for word, _ in curve.pieces()} == {"supercritical"}


def test_cusps_and_canard_points_of_the_network():
    found = followed(THREE, "c_star[2]=-3:3", "c_star[3]=1/2:3", "fold")
    cusps = of_kind(found, "cusp")
    assert len(cusps) == 2
    # c*_3 = 1: s = -99/64 at R = 1/3, a = 27/16, and the mirror image.
    for curve in cusps:
        k = int(np.argmin(np.abs(curve.parameters[1] - 1.0)))
        side = math.copysign(1.0, curve.x[k])
        assert curve.parameters[0, k] == pytest.approx(-side * 99 / 64, abs=0.05)
    # Each point of the curves is a cusp: f_x = f_xx = 0 on a = h(R), exactly.
    curve = cusps[0]
    for k in range(0, len(curve.x), 20):
        system = TwoLayer([1, 1, 1], [1, *map(float, curve.parameters[:, k])])
        for order in (0, 1, 2):
            assert abs(float(system.partial("f", order, 0, curve.x[k], curve.y[k]))) < 1e-9
    # Where cusp and canard curve meet, f = f_x = f_xx = g = 0; found on both curves, once.
    points = found.points_of("canard point at cusp")
    assert len(points) == 2 and all(len(point.curves) == 2 and point.certified for point in points)
    for point in points:
        system = TwoLayer([1, 1, 1], [1, *point.parameters])
        assert abs(system.g(point.x, point.y)) < 1e-13
        assert abs(float(system.partial("f", 2, 0, point.x, point.y))) < 1e-12


def test_transcritical_curves_of_the_network():
    # The branch a = h(R) meets R = 1 in an equilibrium where S(1)/T(1) = 2 S'(1)/T'(1); with c = (1, 1, 1):
    # T = R^2 + 2 R^4 + 6 R^6: T(1) = 9, T'(1) = 46; S(1) = 1 + 2 s + 6 u, S'(1) = 1 + 4 s + 18 u:
    # 46 (1 + 2 s + 6 u) = 18 (1 + 4 s + 18 u), that is 28 + 20 s - 48 u = 0. The line a = 0 meets it where S(1) = 0.
    found = followed(THREE, "c_star[2]=-3:3", "c_star[3]=1/10:3", "equilibrium")
    on_line = [curve for curve in of_kind(found, "transcritical") if np.abs(curve.x - 1.0).max() < 1e-14]
    assert len(on_line) == 2
    for curve in on_line:
        s, u = curve.parameters
        zero = 1 + 2 * s + 6 * u if np.abs(curve.y).max() < 1e-14 else 28 + 20 * s - 48 * u
        assert np.abs(zero).max() < 1e-12


def test_a_start_axis_shows_the_curves_of_one_parameter():
    axes = axis_of("c_star[2]=-3:3", "x"), axis_of("a0=1/2:15", "y")
    found = continued(family_of(THREE, "c_star[2]"), *axes, kind="fold")
    assert found.slow_axis is axes[1]
    assert found.complete
    assert {point.kind for point in found.points} == {"cusp", "canard point", "fold at crossing"}
