"""Events in a parameter: the known ones to the last digits, and none other between them."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastslow as fs
from fastslow.bifurcation.events import Events, events_of
from fastslow.bifurcation.heights import height_events
from fastslow.bifurcation.strands import clustered, strands_of
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import irreducible_curves
from fastslow.manifold.special_points import Kind, finite_points
from fastslow.systems.families import Family, axis_of, family_of


def events(model, text) -> Events:
    axis = axis_of(text, "x")
    return events_of(family_of(model, axis.name), axis)


def family(build, name="s") -> Family:
    return Family((name,), build)


def network(c_star, length=5):
    return fs.TwoLayer([1] * length, c_star)


def test_cusps_of_three_coefficients_are_rational():
    found = events(network([1, -1, 1], 3), "c_star[2]=-5:5")
    cusps = found.of_kind("cusp")
    assert [event.value.exact for event in cusps] == [Fraction(-99, 64), Fraction(99, 64)]
    assert [(event.x, event.y) for event in cusps] == [
        (pytest.approx(1 / 3, abs=1e-15), pytest.approx(27 / 16, abs=1e-14)),
        (pytest.approx(-1 / 3, abs=1e-15), pytest.approx(-27 / 16, abs=1e-14)),
    ]
    assert found.complete and found.gaps == ()


def test_cusps_and_double_root_of_five_coefficients():
    found = events(network([1] * 5), "c_star[2]=-10:10")
    cusps = found.of_kind("cusp")
    assert [event.parameter for event in cusps] == pytest.approx([-2.80177272314612, 8.59318741508392], abs=1e-13)
    assert [event.x for event in cusps] == pytest.approx([-0.26922619, 0.2135841], abs=1e-8)
    (double,) = [event for event in found.of_kind("saddle-node") if event.y != 0]
    assert double.parameter == pytest.approx(-6.74568026487769, abs=1e-13)
    assert double.x == pytest.approx(-0.8517219, abs=1e-7)


def test_corner_of_the_phase_map():
    model = network([1, -1, 0, 1, 1])
    found = events(model, "c_star[3]=-1/2:0")
    (canard,) = found.events
    assert (canard.kind, canard.certified) == ("canard point", True)
    assert canard.parameter == pytest.approx(-0.328664, abs=5e-7)
    assert canard.radius < 1e-30
    # On its two sides the equilibrium lies on different sides of the fold.
    order = []
    for side in (-1, 1):
        member = family_of(model, "c_star[3]").at(Fraction(canard.parameter) + Fraction(side, 10**12))
        points = [p for p in finite_points(member, irreducible_curves(member)) if abs(p.x - canard.x) < 1e-6]
        assert {p.kind for p in points} == {Kind.FOLD, Kind.EQUILIBRIUM}
        order.append([p.kind for p in points])
        for point in points:
            assert (point.x, point.y) == pytest.approx((canard.x, canard.y), abs=1e-9)
    assert order[0] == order[1][::-1]


def test_captioned_family_of_the_second_phase_map():
    found = events(network([1, 1, -1, 0, 1]), "c_star[4]=-5:5")
    (double,) = [event for event in found.of_kind("saddle-node") if event.y != 0]
    canards = found.of_kind("canard point")
    assert len(canards) == 2
    assert double.y > 0 and {event.y > 0 for event in canards} == {True, False}
    for side in (-1, 1):
        member = family_of(network([1, 1, -1, 0, 1]), "c_star[4]").at(
            Fraction(double.parameter) + Fraction(side, 10**9)
        )
        near = [p for p in critical_manifold(member).of_kind("equilibrium") if abs(p.x - double.x) < 1e-3]
        assert len(near) in (0, 2)
        if near:
            assert [p.x for p in near] == pytest.approx([double.x] * 2, abs=1e-3)


def test_learning_equilibrium_meets_the_crossing():
    """S(1) T'(1) = 2 S'(1) T(1), linear in c*_3: the equilibrium on R = 1 meets h(1)."""
    found = events(network([1, -1, 0, 1, 1]), "c_star[3]=-5:5")
    weights = {k: Fraction(int(np.prod(range(1, k + 1)))) for k in range(1, 6)}
    T, Tp = sum(weights.values()), sum(2 * k * w for k, w in weights.items())
    fixed = {1: 1, 2: -1, 4: 1, 5: 1}
    rest = sum(weights[k] * v * (Tp - 2 * k * T) for k, v in fixed.items())
    expected = -rest / (weights[3] * (Tp - 6 * T))
    (event,) = [event for event in found.of_kind("equilibrium at crossing") if event.x == 1]
    assert event.value.exact == expected


def test_normal_forms():
    x, y = fs.variables("x", "y")

    def cusp(s):
        return fs.FastSlowSystem([y + fs.systems.polynomials.rational(s) * x - x**3], -x - 2)

    (event,) = events_of(family(cusp), axis_of("s=-1:2", "x")).of_kind("cusp")
    assert (event.parameter, event.x, event.y) == (0, 0, 0)

    def isola(s):
        return fs.FastSlowSystem([x**2 + y**2 - fs.systems.polynomials.rational(s)], x - 2)

    found = events_of(family(isola), axis_of("s=-1:3", "x"))
    assert [(event.kind, event.parameter) for event in found.events] == [("branch point", 0)]

    def loop(s):
        return fs.FastSlowSystem([y**2 - x**2 * (x + 1) - fs.systems.polynomials.rational(s)], 2 - x + 0 * y)

    found = events_of(family(loop), axis_of("s=-1/2:1/2", "x"))
    branch = [(event.parameter, event.x, event.y) for event in found.of_kind("branch point")]
    assert branch == [(pytest.approx(-4 / 27), pytest.approx(-2 / 3), 0), (0, 0, 0)]


def test_oscillators():
    assert [(e.kind, e.parameter) for e in events(fs.van_der_pol(), "a=-2:2").events] == [
        ("canard point", -1),
        ("equilibrium on the line of starts", 0),
        ("canard point", 1),
    ]
    canards = events(fs.fitzhugh_nagumo(), "current=-2:3").of_kind("canard point")
    assert [event.value.exact for event in canards] == [Fraction(7, 24), Fraction(35, 24)]


def test_nothing_happens_where_the_parameter_enters_only_the_pace():
    found = events(network([1, -1, 1, 1, 1]), "slow_rate=-1:2")
    assert found.events == () and found.gaps == ((-1.0, 0.0),)
    assert events(network([1, -1, 1, 1, 1]), "noise=0:2").events == ()
    # A fold that is an equilibrium for every value of the parameter is no event.
    assert events(fs.van_der_pol(1), "slow_rate=1/10:2").events == ()


def test_gap_where_the_model_is_not_valid():
    found = events(network([1, -1, 1, 1, 1]), "c[1]=-1:2")
    assert found.gaps == ((0.0, 0.0),)
    assert events(network([1, -1, 1], 3), "c_star[1]=-1:2").gaps == ((0.0, 0.0),)


def test_wrong_families():
    model = network([1, -1, 1, 1, 1])
    with pytest.raises(InputError, match="one parameter"):
        events_of(family_of(model, "c[2]", "c[3]"), axis_of("c[2]=0:1", "x"))
    x, y = fs.variables("x", "y")
    same = family(lambda s: fs.FastSlowSystem([y - x], (y - x) * (x + fs.systems.polynomials.rational(s))))
    with pytest.raises(InputError, match="vanishes"):
        events_of(same, axis_of("s=0:1", "x"))


def signature(member):
    """Kinds along every branch, in order of x (of y on lines x = const), with the stability of equilibria."""
    manifold = critical_manifold(member)
    assert manifold.complete
    return [
        [(a.start.kind, a.start.also, a.end.kind, a.stability, a.flow, a.rise, a.end.stability) for a in branch.arcs]
        for branch in manifold.branches
    ]


coefficient = st.integers(-30, 30).filter(bool).map(lambda k: Fraction(k, 10))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.lists(st.tuples(coefficient, coefficient), min_size=2, max_size=5), st.data())
def test_nothing_changes_between_events(pairs, data):
    c, c_star = zip(*pairs, strict=True)
    name = data.draw(st.sampled_from(["c", "c_star"])) + f"[{data.draw(st.integers(1, len(c)))}]"
    model = fs.TwoLayer(c, c_star)
    found = events(model, f"{name}=-4:4")
    assert found.complete
    cuts = sorted({-4.0, 4.0, *(event.parameter for event in found.events), *(v for gap in found.gaps for v in gap)})
    for low, high in itertools.islice(itertools.pairwise(cuts), 6):
        if high - low < 1e-9:
            continue
        near = [Fraction(low + (high - low) * share) for share in (0.001, 0.73)]
        first, second = (signature(family_of(model, name).at(s)) for s in near)
        assert first == second, (low, high)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.lists(st.tuples(coefficient, coefficient), min_size=2, max_size=6), st.data())
def test_special_points_are_followed_to_the_last_digits(pairs, data):
    c, c_star = zip(*pairs, strict=True)
    name = data.draw(st.sampled_from(["c", "c_star"])) + f"[{data.draw(st.integers(1, len(c)))}]"
    model = fs.TwoLayer(c, c_star)
    found = events(model, f"{name}=-4:4")
    strands = strands_of(found, (model.lower, model.upper))
    s = float(data.draw(st.floats(-4, 4)))
    if any(abs(event.parameter - s) < 1e-3 for event in found.events) or abs(s) < 1e-3:
        return
    member = family_of(model, name).at(s)
    exact = sorted({round(p.y, 300) for p in finite_points(member, irreducible_curves(member))})
    followed = sorted(float(t.at(np.array([s]))[1][0]) for t in strands if t.spans(s, s))
    assert all(min(abs(y - z) for z in followed) <= 1e-11 * (1 + abs(y)) for y in exact)
    assert all(min(abs(y - z) for z in exact) <= 1e-11 * (1 + abs(y)) for y in followed)


def test_heights_are_equal_where_they_are_said_to_be():
    found = events(network([1, -1, 1, 1, 1]), "c_star[3]=-5:5")
    crossings = height_events(found, strands_of(found, (Fraction(-1), Fraction(1))))
    assert crossings
    for event in crossings:
        member = family_of(network([1, -1, 1, 1, 1]), "c_star[3]").at(event.parameter)
        points = finite_points(member, irreducible_curves(member))
        for x in (event.x, event.second_x):
            near = min(points, key=lambda p: abs(p.x - x) + abs(p.y - event.y))
            assert (near.x, near.y) == pytest.approx((x, event.y), abs=1e-12)


def test_parameters_that_crowd_at_the_ends():
    s = clustered(-1.0, 3.0, 9)
    assert np.all(np.diff(s) > 0) and s[0] > -1 and s[-1] < 3
    assert s[4] == pytest.approx(1.0)
