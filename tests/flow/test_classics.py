"""Classical systems with known answers."""

import math

import pytest

import fastslow as fs


def test_van_der_pol_folds_and_relaxation_cycle():
    result = fs.analyze("van_der_pol")
    assert [(p.x, p.y) for p in result.of_kind("fold")] == [(-1.0, 2 / 3), (1.0, -2 / 3)]
    assert result.flow.cycles == (("F1", "F2"),)
    jumps = [s for s in result.orbits[0].segments if s.kind == "jump"][1:]
    assert [s.end[0] for s in jumps] == pytest.approx([-2.0, 2.0], abs=1e-14)
    assert all(o.verdict.singular == o.verdict.ode == "relaxation oscillation" for o in result.orbits)


@pytest.mark.parametrize(
    ("a", "fate"), [("3/2", "settles at E1"), ("-3/2", "settles at E1"), (0.9, "relaxation oscillation")]
)
def test_van_der_pol_by_forcing(a, fate):
    result = fs.analyze(fs.van_der_pol(a=a), starts=[(0, 1), (2, 0)])
    assert {o.verdict.singular for o in result.orbits} == {fate}
    assert {o.verdict.ode for o in result.orbits} == {fate}


def test_the_canard_point_is_named():
    result = fs.analyze(fs.van_der_pol(a=1), starts=[(2, 0)])
    (point,) = [p for p in result.of_kind("equilibrium") if "canard" in p.note]
    assert (point.x, point.stability) == (1.0, "center")
    assert "canard point" in result.orbits[0].verdict.singular


def test_fitzhugh_nagumo_is_excitable_at_rest_and_oscillates_when_driven():
    rest = fs.analyze(fs.fitzhugh_nagumo(current=0), starts=[(0.5, 0), (-1.5, -0.6)])
    assert {o.verdict.singular for o in rest.orbits} == {"settles at E1"}
    # A push over the middle branch makes a long excursion: two more jumps than a direct return.
    assert len(rest.orbits[0].segments) > len(rest.orbits[1].segments)
    (equilibrium,) = rest.of_kind("equilibrium")
    v = equilibrium.x
    assert v - v**3 / 3 == pytest.approx((v + 0.7) / 0.8, abs=1e-14)
    driven = fs.analyze(fs.fitzhugh_nagumo(current="1/2"), starts=[(0, 0)])
    assert driven.orbits[0].verdict.singular == driven.orbits[0].verdict.ode == "relaxation oscillation"


def test_starts_on_the_manifold():
    on_attracting = fs.analyze(fs.van_der_pol(a=0), starts=[(2, "2/3")])
    assert on_attracting.orbits[0].segments[0].kind == "slow"
    on_repelling = fs.analyze(fs.van_der_pol(a=0), starts=[("1/2", "-11/24")])
    assert on_repelling.orbits[0].verdict.singular.startswith("undecided: at rest on the repelling arc")


def test_a_jump_onto_a_fold_goes_on_where_the_drift_pushes_over_it():
    """From (2, -2/3) the first zero of f to the left is the fold (1, -2/3) itself, as for starts beside it."""
    starts = [(2, "-2/3"), (2, "-0.66"), (2, "-0.67")]
    result = fs.analyze(fs.van_der_pol(a=0), starts=starts)
    assert [o.verdict.singular for o in result.orbits] == ["relaxation oscillation"] * 3


def test_a_jump_onto_a_fold_that_the_drift_leaves_is_undecided():
    """Against the drift the orbits on both sides of the fold part."""
    x, y = fs.variables()
    system = fs.FastSlowSystem([y + x - x**3 / 3], x - 3 + 0 * y, slow_rate="1/100")
    orbits = fs.analyze(system, starts=[("-5/2", "2/3"), ("-5/2", "0.66"), ("-5/2", "0.67")]).orbits
    assert orbits[0].verdict.singular == "undecided: on the separatrix of F1"
    assert [s.end[0] > 0 for s in (orbits[1].segments[0], orbits[2].segments[0])] == [False, True]


def test_window_is_left():
    linear = fs.FastSlowSystem(["y - x"], "1", window=(-1, 1), slow_rate="1/10")
    orbit = fs.analyze(linear, starts=[(0, 0.5)]).orbits[0]
    assert orbit.verdict.singular == orbit.verdict.ode == "leaves the window of x"
    assert math.isclose(orbit.final[0], 1.0)
