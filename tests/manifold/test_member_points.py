"""The special points of many members at once, against those of the traced critical manifold of each."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.many_zeros import many_zeros
from fastslow.manifold.member_points import NotTraced, points_only
from fastslow.manifold.special_points import Kind
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.model_files import study_from


def _members(family, values):
    values = [Fraction(value) for value in values]
    return values, [family.at(value) for value in values]


def _system(f, g, window=((-2, 2), (-2, 2))):
    table = {"model": "formula", "f": f, "g": g, "slow_rate": "1/10", "parameters": {"p": "1/2"}}
    return study_from(table | {"window": [list(ends) for ends in window]}).system


@pytest.mark.parametrize(
    ("model", "parameter", "values"),
    [
        ("morris_lecar", "current", (60, 100, 230)),
        ("pp2", "l", ("2/5", "3/4", "9/10")),
        ("predator_prey", "m", ("1/5", "2/5", "3/5")),
        ("predator_prey", "slow_rate", ("1/100", "1/10")),
    ],
)
def test_the_same_points_as_with_the_curves(model, parameter, values):
    family = fs.family_of(model, parameter)
    values, members = _members(family, values)
    for member, known in zip(members, points_only(family, values, members), strict=True):
        whole = critical_manifold(member)
        assert known is not None and whole.complete
        for kind in Kind:
            theirs, ours = (sorted(m.of_kind(kind), key=lambda p: (p.x, p.y)) for m in (whole, known))
            assert [p.stability for p in ours] == [p.stability for p in theirs]
            at = [np.array([(p.x, p.y) for p in points]).reshape(-1, 2) for points in (ours, theirs)]
            np.testing.assert_allclose(*at, rtol=1e-12, atol=1e-13)
            for p, q in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(p.eigenvalues, q.eigenvalues, rtol=1e-9, atol=1e-14)


def test_the_curves_are_not_there():
    family = fs.family_of("pp2", "l")
    (known,) = points_only(family, *_members(family, ["1/2"]))
    assert known.complete and known.of_kind(Kind.FOLD)
    with pytest.raises(NotTraced):
        _ = known.arcs


def test_degenerate_members_are_not_told():
    """At the cusp B = 16, where two equilibria are one, on a kink, and where f has a double factor."""
    family = fs.family_of("ab_reaction", "B")
    found = points_only(family, *_members(family, [15, 16, 17]))
    assert [known is None for known in found] == [False, True, False]
    family = fs.family_of(_system("exp(x) - 1 - y", "p - y**2"), "p")
    found = points_only(family, *_members(family, ["-1", 0, 1]))
    assert [known is None for known in found] == [False, True, False]
    assert [len(known.of_kind(Kind.EQUILIBRIUM)) for known in found if known is not None] == [0, 1]
    for f in ("abs(x) - y - exp(p)", "(exp(x) - 1 - y + p)**2", "y*(exp(x) - 1 + p)"):
        family = fs.family_of(_system(f, "x - y"), "p")
        assert points_only(family, *_members(family, ["1/3", "1/2"])) == [None, None]


def test_a_line_on_the_edge_of_the_window():
    """An equilibrium at a corner where two lines x = 0 and y = 0 meet is one point, and no point of the edge."""
    family = fs.family_of(_system("x*(1 - x - y*exp(-p*x))", "y*(x - p)", window=((0, 2), (0, 2))), "p")
    values, members = _members(family, ["1/4", "1/2"])
    for member, known in zip(members, points_only(family, values, members), strict=True):
        places = [
            {(p.kind, round(p.x, 9), round(p.y, 9)) for p in m.points} for m in (known, critical_manifold(member))
        ]
        assert places[0] == places[1] and (Kind.EQUILIBRIUM, 0.0, 0.0) in places[0]


def test_all_zeros_for_each_value():
    """x^2 = p has two zeros, none, or one that is no simple one; a zero on the edge is not told to be inside."""
    e = parse_expression("x**2 - p", ("x", "p"), "e")
    given = np.array([[[p, p]] for p in (-1.0, 0.0, 0.25, 4.0, 9.0)])
    found = many_zeros([e], ["x"], [(Fraction(-2), Fraction(2))], ["p"], given)
    assert found.lost.tolist() == [False, True, False, True, False]
    at = found.box[found.number == 2, 0]
    assert at.mean(axis=1).tolist() == [-0.5, 0.5] or at.mean(axis=1).tolist() == [0.5, -0.5]
    assert np.ptp(at, axis=1).max() < 1e-14 and (found.number == 2).sum() == len(found.number)
    many = np.linspace(0.01, 3.9, 300)
    found = many_zeros([e], ["x"], [(Fraction(-2), Fraction(2))], ["p"], np.stack([many, many], axis=-1)[:, None])
    assert not found.lost.any() and np.bincount(found.number).tolist() == [2] * 300
    np.testing.assert_allclose(np.abs(found.box.mean(axis=2)[:, 0]), np.sqrt(many[found.number]), rtol=1e-14)
