"""The boundary of the singular limit in a parameter: never another fate than that of single systems."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.boundary.singular import singular_boundary
from fastslow.errors import InputError
from fastslow.flow.flow_graph import basins_of
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.systems.families import Family, axis_of, family_of
from fastslow.systems.polynomials import rational
from fastslow.systems.system import Start


def boundary_of(model, text):
    axis = axis_of(text, "x")
    return singular_boundary(family_of(model, axis.name), axis)


def flow_of(boundary, s):
    return SingularFlow(critical_manifold(boundary.family.at(s)))


@pytest.fixture(scope="module")
def figure():
    return boundary_of("fig5-left", "c_star[3]=-5:5")


def test_phase_map_and_its_corner(figure):
    corners = {corner.kind: corner for corner in figure.corners if corner.y > 0}
    corner = corners["canard point"]
    assert corner.certified and corner.parameter == pytest.approx(-0.328664, abs=5e-7)
    curves = [c for c in figure.curves if c.changes_fate and c.y.max() > 0.1]
    assert [curve.kind for curve in curves] == ["fold", "equilibrium"]
    fold, saddle = curves
    assert fold.parameter[-1] == saddle.parameter[0] == corner.parameter
    assert (fold.y[-1], saddle.y[0]) == pytest.approx((corner.y, corner.y), abs=1e-12)
    assert fold.below == saddle.below == "learning"
    assert fold.above == saddle.above == "unlearning"
    equilibria = critical_manifold(fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1])).of_kind("equilibrium")
    saddles = [point.y for point in equilibria if point.stability == "saddle"]
    assert figure.thresholds_at([1.0])[0, -1] == pytest.approx(max(saddles), rel=1e-14)


def test_against_basins_of_single_systems(figure):
    rng = random.Random(5)
    for _ in range(12):
        s = Fraction(rng.randint(-50000, 50000), 10007)
        basins = basins_of(flow_of(figure, s))
        edges = [b.low for a, b in itertools.pairwise(basins) if a.verdict != b.verdict]
        thresholds = figure.thresholds_at([float(s)])[0]
        assert thresholds[np.isfinite(thresholds)] == pytest.approx(edges, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_random_families(seed):
    rng = random.Random(seed)
    length = rng.randint(2, 5)
    c, c_star = ([Fraction(rng.choice([-1, 1]) * rng.randint(1, 30), 10) for _ in range(length)] for _ in range(2))
    name = f"{rng.choice(['c', 'c_star'])}[{rng.randint(1, length)}]"
    boundary = boundary_of(fs.TwoLayer(c, c_star), f"{name}=-5:5")
    for _ in range(5):
        s = Fraction(rng.randint(-50000, 50000), 10007)
        flow = flow_of(boundary, s)
        y = [rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 2) for _ in range(10)]
        codes = boundary.fates_at([float(s)], y)[0]
        expected = [flow.orbit(Start(Fraction(0), Fraction(v))).verdict for v in y]
        assert [boundary.names[code] for code in codes] == expected, (c, c_star, name, s)


def test_map_is_what_the_thresholds_say(figure):
    values, y = np.linspace(-5, 5, 83), np.linspace(-9, 11, 57)
    codes = figure.fates_at(values, y).T
    thresholds = figure.thresholds_at(values)
    counts = (y[:, None, None] > thresholds[None]).sum(axis=2)
    for column in range(len(values)):
        for count in range(counts[:, column].max() + 1):
            assert len(set(codes[counts[:, column] == count, column])) <= 1
    assert codes.shape == (57, 83) and set(codes.ravel()) == {0, 1}
    # In any order of starts and parameters.
    assert np.array_equal(figure.fates_at(values[::-1], y[::-1]).T, codes[::-1, ::-1])
    distance = figure.distance(values, y)
    assert distance[3, 5] == np.abs(y[3] - thresholds[5]).min()


def test_exit_after_delay_bounds_the_fates():
    """On x = 0, f_x / g = y: who comes at y leaves at -y, and misses the fold at y = -1/s if y > 1/s."""
    x, y = fs.variables("x", "y")

    def build(s):
        return fs.FastSlowSystem([x, -y - 2 * x + rational(s) * x**2], 4 * x - 1, start_fast="1/2")

    boundary = singular_boundary(Family(("s",), build), axis_of("s=1/2:2", "x"))
    delayed = [curve for curve in boundary.curves if curve.kind == "delayed exit"]
    assert delayed and not boundary.followed
    values = np.linspace(0.5, 2, 41)
    best = np.abs(boundary.thresholds_at(values) - 1 / values[:, None]).min(axis=1)
    assert best.max() < 1e-12


def test_gaps_have_no_fate():
    boundary = boundary_of(fs.TwoLayer([1, 1, 1], [1, -1, 1]), "c[1]=-1:1")
    assert boundary.gaps == ((0.0, 0.0),)
    assert boundary.fates_at([0.0], [1.0, 2.0]).tolist() == [[-1, -1]]
    assert np.all(np.isinf(boundary.thresholds_at([0.0])))


def test_a_parameter_of_the_pace_changes_nothing():
    boundary = boundary_of("fig4", "slow_rate=1/10:3")
    thresholds = boundary.thresholds_at(np.linspace(0.1, 3, 7))
    assert np.all(thresholds == thresholds[0]) and boundary.corners == ()
    assert thresholds[0, -1] == pytest.approx(9.312354, abs=1e-6)


def test_relaxation_oscillations_begin_at_canard_points():
    boundary = boundary_of(fs.van_der_pol(), "a=-2:2")
    codes = boundary.fates_at([-1.5, -0.5, 0.5, 1.5], [0.25])[:, 0]
    names = [boundary.names[code] for code in codes]
    assert names[1] == names[2] == "relaxation oscillation"
    assert names[0].startswith("settles") and names[3].startswith("settles")
    assert {corner.parameter for corner in boundary.corners} == {-1, 1}


def test_parameters_outside(figure):
    with pytest.raises(InputError, match="must lie in"):
        figure.thresholds_at([5.5])
    with pytest.raises(InputError, match="must lie in"):
        figure.fates_at([float("nan")], [1.0])


def test_heights_are_isolated_exactly():
    """Each non-local event is a root of a resultant, and nothing is missing; only delayed exits are not proved."""
    boundary = singular_boundary(family_of("fig5-left", "c_star[3]"), axis_of("c_star[3]=-5:2", "--x"))
    assert len(boundary.crossings) == 6
    for event in boundary.crossings:
        assert event.certified and event.radius < 1e-12
        first, second = (strand.at(np.array([event.parameter]))[1][0] for strand in event.strands)
        assert first == pytest.approx(second, rel=1e-9)
    assert boundary.followed and boundary.complete
    wider = singular_boundary(family_of("fig5-left", "c_star[3]"), axis_of("c_star[3]=-5:5", "--x"))
    assert not wider.followed and not wider.complete
