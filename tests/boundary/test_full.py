"""Boundaries of the full system: against thresholds of single systems, connections, brute force and symmetry."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.boundary.curves import FullBoundary
from fastslow.boundary.cuts import cuts_of
from fastslow.boundary.full import full_boundary
from fastslow.boundary.interpolants import Variable, fitted, lobatto
from fastslow.boundary.members import Members
from fastslow.boundary.plane import boundary_in_two
from fastslow.systems.families import Axis, Family, axis_of, family_of

ONES = [1, 1, 1, 1, 1]


def family(c: list[object], c_star: list[object], name: str) -> Family:
    return family_of(fs.TwoLayer(c, c_star), name)


@pytest.fixture(scope="module")
def left() -> FullBoundary:
    return full_boundary(family(ONES, [1, -1, Fraction(1, 3), 1, 1], "c_star[3]"), axis_of("c_star[3]=-5:5", "x"))


@pytest.fixture(scope="module")
def connected() -> FullBoundary:
    return full_boundary(family([1, 1, 1], [1, -2, 1], "slow_rate"), axis_of("slow_rate=1/10:2/5", "x"))


def wrong_cells(boundary: FullBoundary, values: list[Fraction], y: np.ndarray) -> list[tuple[float, float]]:
    """Return the starts whose fate by direct integration is another, but for those within 1e-7 of a curve."""
    codes, names = boundary.fates_at([float(v) for v in values], y), boundary.names
    wrong = []
    for value, row in zip(values, codes, strict=True):
        found = fs.ensemble(boundary.family.at(value), y).fate
        curves = boundary.thresholds_at(float(value))[0]
        for start, code, fate in zip(y, row, found, strict=True):
            near = len(curves) and np.abs(curves - start).min() < 1e-7
            if names[code] != fate and not near:
                wrong.append((float(value), float(start)))
    return wrong


def test_curves_are_the_thresholds_of_each_system(left: FullBoundary) -> None:
    values = np.random.default_rng(4).uniform(-5.0, 5.0, 6)
    for value, found in zip(values, left.thresholds_at(values), strict=True):
        exact = [threshold.y for threshold in fs.thresholds(left.family.at(Fraction(value)))]
        np.testing.assert_allclose(found, exact, rtol=2e-9)
    assert left.complete


def test_no_cell_differs_from_direct_integration(left: FullBoundary) -> None:
    values = [Fraction(-5) + Fraction(10 * k, 9) for k in range(10)]
    y = np.linspace(-14.9, 15.0, 150)
    assert wrong_cells(left, values, y) == []


@pytest.mark.parametrize(
    ("c", "c_star", "axis"),
    [
        # an equilibrium leaves to infinity at 0
        ([2, -3, 2, Fraction(-1, 4), 0], [Fraction(3, 4), Fraction(-5, 4), 3, Fraction(-11, 4), -1], "c_star[2]=-2:2"),
        # equilibria cross a = 0
        ([-1, Fraction(-7, 4), 3, -2], [1, 1, Fraction(3, 4), Fraction(9, 4)], "c_star[2]=-3:1"),
        ([1, 2, Fraction(1, 2)], [1, -1, 1], "c[2]=1/2:3"),
    ],
)
def test_families_agree_with_direct_integration(c: list[object], c_star: list[object], axis: str) -> None:
    along = axis_of(axis, "x")
    boundary = full_boundary(family(c, c_star, along.name), along)
    values = [along.low + (along.high - along.low) * Fraction(2 * k + 1, 18) + Fraction(1, 997) for k in range(9)]
    sizes = np.geomspace(0.01, 30.0, 60)
    assert wrong_cells(boundary, values, np.concatenate((sizes, -sizes))) == []
    assert boundary.complete


def test_learning_begins_at_a_saddle_saddle_connection(connected: FullBoundary) -> None:
    (corner,) = connected.corners
    (reference,) = fs.connections(fs.TwoLayer([1, 1, 1], [1, -2, 1]), "slow_rate", ("0.25", "0.35"), samples=4).found
    assert corner.kind == "saddle-saddle connection"
    assert corner.parameter == pytest.approx(reference.value, abs=1e-9)
    codes = connected.fates_at([corner.parameter - 1e-3, corner.parameter + 1e-3], [0.005, 0.5])
    assert [[connected.names[code] for code in row] for row in codes] == [
        ["learning", "unlearning"],
        ["unlearning"] * 2,
    ]


def test_a_range_of_starts_leaves_out_the_rest(left: FullBoundary) -> None:
    part = full_boundary(left.family, left.axis, starts=(0.5, 15.0), tolerance=1e-7)
    values, y = np.linspace(-5.0, 5.0, 301), np.linspace(0.5, 15.0, 201)
    one, other = (np.array(found.names)[found.fates_at(values, y)] for found in (part, left))
    different = np.argwhere(one != other)
    for i, j in different:
        assert np.abs(left.thresholds_at(values[i])[0] - y[j]).min() < 1e-5
    assert len(different) < 3
    assert all(0.5 <= corner.y <= 15.0 for corner in part.corners)  # where a curve is cut off is no corner


def test_negative_scales_are_the_mirror_image(left: FullBoundary) -> None:
    # (R, a; c*_k) -> (-R, -a; -(-1)^k c*_k)
    mirrored = full_boundary(family(ONES, [1, 1, Fraction(1, 3), -1, 1], "c_star[3]"), left.axis)
    values = np.array([-4.1, -1.7, -0.3, 1.2, 4.9])
    for one, other in zip(left.thresholds_at(values), mirrored.thresholds_at(values), strict=True):
        np.testing.assert_allclose(one, -other[::-1], rtol=1e-8)


def test_equilibria_collide_at_the_known_double_root() -> None:
    along = axis_of("c_star[2]=-8:-6", "x")
    cuts = cuts_of(Members(family(ONES, [1, Fraction(1, 3), 1, 1, 1], along.name), along))
    assert min(abs(cut.value + 6.74568026487769) for cut in cuts) < 1e-13


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_square_roots_and_powers_are_resolved(power: float) -> None:
    p = np.linspace(1.0 + 1e-6, 1.9, 1000)
    variable = Variable(1.0, 2.0, "cosine", (1.0, 2.0))
    if power != 0.5:
        variable = Variable(1.0 + 1e-10, 2.0, "above", (1.0, 2.0))
    y = (variable.to_parameter(lobatto(64)) - 1.0) ** power
    np.testing.assert_allclose(fitted(variable, y).at(p), (p - 1.0) ** power, atol=2e-10)


def test_a_line_in_a_plane_of_two_parameters() -> None:
    two = family_of(fs.TwoLayer([1, 1, 1], [1, -2, 1]), "c_star[2]", "slow_rate")
    across, up = axis_of("c_star[2]=-5/2:-1/2", "x"), axis_of("slow_rate=1/4:3/4", "y")
    lines = boundary_in_two(two, across, up, 1.0, rows=3, tolerance=1e-8)
    points = [(x, y, line) for line in lines for x, y in zip(line.x, line.y, strict=True)]
    assert points
    for x, y, line in points:
        steps = ((s, 0.0) if line.across == across.name else (0.0, s) for s in (-1e-5, 1e-5))
        fates = [fs.ensemble(two.at(Fraction(x + u), Fraction(y + v)), [1.0]).fate[0] for u, v in steps]
        assert fates == [line.below, line.above]


def test_a_line_in_the_singular_limit() -> None:
    two = family_of(fs.TwoLayer(ONES, [1, -1, 1, 1, 1]), "c_star[3]", "c_star[2]")
    across, up = axis_of("c_star[3]=-3:3", "x"), axis_of("c_star[2]=-2:1", "y")
    lines = boundary_in_two(two, across, up, 6.0, rows=4, limit="singular")
    assert {line.across for line in lines} == {across.name, up.name}  # one part runs along the rows
    for line in lines:
        for x, y in zip(line.x, line.y, strict=True):
            steps = ((s, 0.0) if line.across == across.name else (0.0, s) for s in (-1e-6, 1e-6))
            members = [two.at(Fraction(x + u), Fraction(y + v)) for u, v in steps]
            assert [fs.analyze(m, [6]).orbits[0].verdict.singular for m in members] == [line.below, line.above]


@pytest.mark.parametrize("name", ["c_star[2]", "c[3]"])
def test_the_axis_must_be_that_of_the_family(left: FullBoundary, name: str) -> None:
    with pytest.raises(fs.InputError, match="one parameter"):
        full_boundary(left.family, Axis(name, Fraction(-1), Fraction(1)))


@pytest.mark.benchmark
def test_two_hundred_critical_starts_take_less_than_six_single_ones(left: FullBoundary) -> None:
    values = np.linspace(-2.2, 4.9, 200)
    many, few = [], []
    for _ in range(3):
        begin = time.perf_counter()
        full_boundary(left.family, left.axis, tolerance=1e-8, starts=(0.5, 15.0)).thresholds_at(values)
        many.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for value in values[::34]:
            fs.thresholds(left.family.at(Fraction(value)))
        few.append(time.perf_counter() - begin)
    assert min(many) < min(few)
