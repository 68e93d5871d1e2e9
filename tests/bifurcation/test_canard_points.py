"""Canard and singular Hopf points of a model in its parameters, against the exact series and Hopf points."""

import pytest

import fastslow as fs
from fastslow.bifurcation.canard_points import canard_points
from fastslow.systems.presets import system_of

CURVED = """
model = "polynomial"
fast = "x"
slow = "y"
f = "-y + x**2 - x**3/3 + x*y/5 + k*x/10"
g = "x - k + y/3 + x**2/7 + x*y/9"
slow_rate = "1/1000"
window = [-1, 1]

[parameters]
k = 0
"""


def found(system, parameter):
    points = canard_points(system, fs.critical_manifold(system).points)
    return [point for point in points if point.parameter == parameter]


def followed(model, axis, kind):
    """Return the family and the points of a kind on its folds (canard points) or equilibria (Hopf points)."""
    family = fs.family_of(model, axis.split("=")[0])
    curves = "equilibrium" if kind == "hopf" else "fold"
    return family, [p for p in fs.continued(family, fs.axis_of(axis, "x"), kind=curves).points if p.kind == kind]


def series(model, axis):
    family, (point, *_) = followed(model, axis, "canard point")
    return fs.canard_series(family, point, 1).coefficients


def test_first_order_is_that_of_the_exact_series(tmp_path):
    """Also where the parameter moves the fold, and every coefficient of the normal form counts."""
    (path := tmp_path / "curved.toml").write_text(CURVED)
    cases = [(fs.van_der_pol(0), "a=0.5:1.5"), (fs.fitzhugh_nagumo(), "current=0:1"), (str(path), "k=-0.2:0.2")]
    for model, axis in cases:
        value, slope = series(model, axis)
        system = system_of(model)
        point = min(found(system, axis.split("=")[0]), key=lambda p: abs(p.value - value))
        assert point.value == pytest.approx(value, abs=1e-12)
        assert point.canard_slope == pytest.approx(slope, rel=1e-7)


def test_the_singular_hopf_point_and_its_kind(tmp_path):
    """Against the exact Hopf points of the full system and the sign of their first Lyapunov coefficients."""
    (path := tmp_path / "curved.toml").write_text(CURVED)
    cases = [(fs.fitzhugh_nagumo(slow_rate="1/1000"), "current=0:1"), (str(path), "k=-0.2:0.2")]
    for model, axis in cases:
        _, (hopf,) = followed(model, axis, "hopf")
        system = system_of(model)
        point = min(found(system, axis.split("=")[0]), key=lambda p: abs(p.hopf - hopf.parameters[0]))
        assert point.hopf == pytest.approx(hopf.parameters[0], abs=1e-5)
        assert point.kind == hopf.note


OREGONATOR = """
fast = "x"
slow = "z"
f = "x*(1 - x) - h*z*(x - q)/(x + q)"
g = "k*x - l*z"
slow_rate = 0.01
window = [[0, "6/5"], [0, "6/5"]]

[parameters]
k = 1
l = 1
h = 0.8
q = 0.002
"""


def test_each_fold_of_formulas_in_each_parameter(tmp_path):
    """All that isolation finds along h, wherever h stands in the list; h = (1 - x) (x + q) / (x - q) at the folds."""
    (path := tmp_path / "oregonator.toml").write_text(OREGONATOR)
    points = found(system_of(str(path)), "h")
    _, known = followed(str(path), "h=0.3:3", "canard point")
    assert len(known) == len(points) == 2
    for point, other in zip(sorted(points, key=lambda p: p.value), known, strict=True):
        assert point.value == pytest.approx(other.parameters[0], rel=1e-9)
        assert point.value == pytest.approx((1 - point.x) * (point.x + 0.002) / (point.x - 0.002), rel=1e-9)


def test_folds_that_meet_on_the_way_do_not_give_one_canard_point_twice(tmp_path):
    """The two folds of a sigmoid meet where its slope is 1: the secants of both end at one place."""
    text = """
fast = "e"
slow = "i"
f = "-e + 1/(1 + exp(-(c*e - 12*i + 1.25 - 4)*1.2)) - 0.008"
g = "-i + 1/(1 + exp(-(15*e - 3*i - 3.7)*2))"
slow_rate = 0.05
window = [[-0.2, 1.2], [-0.2, 1.2]]

[parameters]
c = 16
"""
    (path := tmp_path / "wilson_cowan.toml").write_text(text)
    points = found(system_of(str(path)), "c")
    assert len({round(p.value, 6) for p in points}) == len(points) > 0


def test_folded_saddles_and_models_with_an_energy_have_none():
    faux = fs.FastSlowSystem(["y + x - x**3/3"], "x - 1", parameters={})
    assert not canard_points(faux, fs.critical_manifold(faux).points)
    network = fs.TwoLayer([1, 1, 1], [1, -2, 1])
    assert not canard_points(network, fs.critical_manifold(network).points)
