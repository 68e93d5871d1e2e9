"""Fates in many systems at once, against those of each system by itself."""

from fractions import Fraction as F

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastslow as fs
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.column_ends import ends_of
from fastslow.ode.columns import FORBIDDEN, REFUSED, UNDECIDED, FateTable, fates
from fastslow.ode.ensembles import ensemble
from fastslow.ode.trajectories import Settling
from fastslow.systems.members import Members

ONES = [1] * 5
DOUBLE_ROOT = F("-6.745680264877690")


def along_c_star(k, c=ONES, c_star=(1, -1, 1, 1, 1), **options):
    return lambda v: fs.TwoLayer(c, [*c_star[:k], v, *c_star[k + 1 :]], **options)


def figure_5_left(v):
    return along_c_star(2)(v)


def spread(low, high, count):
    return [F(low) + (F(high) - F(low)) * i / (count - 1) for i in range(count)]


def check_against_single_systems(family, values, starts, table=None) -> FateTable:
    """Every cell has the fate and the limit that `ensemble` gives with the exact analysis of its system."""
    table = fates(family, values, starts) if table is None else table
    for i, value in enumerate(values):
        settling = Settling(critical_manifold(family(value)))
        found = ensemble(settling, starts)
        points = {point.id: point for point in settling.manifold.points}
        assert list(table.names[i]) == list(found.fate), value
        for j, node in enumerate(found.node):
            if node >= 0:
                point = points[found.nodes[node]]
                assert table.node[i, j] == ("equilibrium" if np.isfinite(point.y) else "infinity")
                assert table.x[i, j] == pytest.approx(point.x, rel=1e-8, abs=1e-9)
                assert table.y[i, j] == pytest.approx(point.y, rel=1e-8)
    return table


def test_the_plane_of_figure_5_left():
    values, starts = spread(-5, 5, 41), np.linspace(0.5, 15, 24)
    table = check_against_single_systems(figure_5_left, values, starts)
    assert table.again == 0 and table.undecided == 0
    assert {"learning", "unlearning"} == set(table.fates)
    assert table.fate.shape == table.x.shape == table.steps.shape == (41, 24)
    assert (table.steps > 0).all()


@pytest.mark.parametrize(
    ("family", "values", "sign"),
    [
        (along_c_star(1, c_star=ONES), spread(DOUBLE_ROOT - F(1, 100), DOUBLE_ROOT + F(1, 100), 7), -1),
        (along_c_star(1, c_star=ONES), [DOUBLE_ROOT + F(s, 10**k) for k in (4, 8, 12, 15) for s in (-1, 1)], 1),
        (along_c_star(2), spread("2.0", "2.2", 9), 1),  # an equilibrium crosses R = 1
        (lambda v: fs.TwoLayer(ONES, [1, v, 1, 1, 1]), spread(-9, 9, 10), 1),
        (lambda v: fs.TwoLayer([v, 1, 1], [1, -1, 1]), [F(1, 10**k) for k in range(7)], 1),  # c_1 -> 0
        (lambda v: fs.TwoLayer([1, v, 1], [1, -1, 1]), spread(-2, 2, 8), 1),
        (lambda v: fs.TwoLayer([1, 1, 1], [1, -2, 1], slow_rate=v), [F(i, 20) for i in range(1, 8)], 1),
        (lambda v: fs.TwoLayer([1, 1, 1], [1, -1, 1], noise=v), spread(0, 1, 6), -1),
    ],
    ids=["double root, a < 0", "double root", "crossing of R = 1", "cusps", "small c_1", "c_2", "slow rate", "noise"],
)
def test_families_through_bifurcations(family, values, sign):
    check_against_single_systems(family, values, sign * np.linspace(0.3, 12, 9))


@settings(deadline=None, max_examples=8)
@given(
    c=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    c_star=st.lists(st.integers(-3, 3), min_size=3, max_size=3),
    k=st.integers(1, 3),
    sign=st.sampled_from([-1, 1]),
)
def test_random_families(c, c_star, k, sign):
    def family(v):
        return along_c_star(k, [1, *c], [2, *c_star])(v)

    values = spread("-2.9", "3.1", 6)
    try:
        for value in values:
            family(value)
    except InputError:
        assume(False)
    check_against_single_systems(family, values, sign * np.array([0.2, 1.0, 3.0, 8.0]))


@pytest.mark.parametrize("values", [spread(-5, 5, 21), spread("-4.9", "4.9", 4)])
def test_tables_are_those_of_the_members(values):
    for family in (figure_5_left, lambda v: fs.TwoLayer([1, 1, v, 1, 1], [1, -1, 1, "1/3", 1], slow_rate=v * v + 1)):
        tables = Members(family, values).tables()
        for column, row in zip(tables.columns, tables.fields, strict=True):
            own = family(values[column]).field_parameters(tables.chart)
            assert (row[: len(own)] == own).all() or len(own) < len(row)


@pytest.mark.parametrize("family", [figure_5_left, lambda v: fs.TwoLayer([1, 1, 1], [1, v - 1, 1])])
def test_no_solution_leaves_a_gate_and_all_settle_where_it_says(family):
    values, rng, tried = spread(-4, 4, 9), np.random.default_rng(2), 0
    ends = ends_of(Members(family, values).tables())
    for value, events, at in zip(values, ends.events, zip(ends.x, ends.y, strict=True), strict=True):
        system, (targets, tails) = family(value), events[2:4].astype(int)
        origin = system.energy(0.0, 0.0)
        first = 5 + 4 * targets
        for k, row in enumerate(events[first : first + 6 * tails].reshape(-1, 6), start=targets):
            if row[3] != 0.0:
                continue  # a tail
            x, y = rng.uniform(row[0], row[2], 300), rng.uniform(-12, 12, 300)
            inside = np.array([system.energy(*p) - origin < row[4] for p in zip(x, y, strict=True)])
            if not inside.any():
                continue
            found = ensemble(system, y[inside], x0=x[inside])
            points = {point.id: point for point in critical_manifold(system).points}
            for node in found.node:
                point = points[found.nodes[node]]
                assert (point.x, point.y) == pytest.approx((at[0][k], at[1][k]), rel=1e-8)
            tried += inside.sum()
    assert tried > 100


def test_ends_that_are_found_are_ends_of_the_exact_analysis():
    values = spread(-5, 5, 31)
    tables = Members(figure_5_left, values).tables()
    ends = ends_of(tables)
    for i, value in enumerate(values):
        settling = Settling(critical_manifold(figure_5_left(value)))
        targets = {(round(p.x, 9), round(p.y, 9)) for p in settling.targets}
        count = int(ends.events[i, 2])
        found = list(zip(ends.x[i, :count].round(9), ends.y[i, :count].round(9), strict=True))
        assert set(found) <= targets and len(found) >= len(targets) - 1
        (own,) = settling.tails
        x_end, side, last, sign, y_last, _ = ends.events[i, 5 + 4 * count :][:6]
        assert (x_end, side, sign) == (own.x_end, own.side, own.sign)
        assert 0.8 * own.last < last <= own.last * (1 + 1e-12) and y_last >= own.y_last - 1e-9


def test_what_is_not_quadratic_in_the_parameter_and_what_has_no_table_is_followed_all_the_same():
    starts = np.array([0.5, 4.0, 9.0])
    check_against_single_systems(lambda v: fs.TwoLayer([1, 1, 1], [1, v**3, 1]), spread(-1, 1, 8)[:3], starts)
    check_against_single_systems(lambda v: fs.TwoLayer([1, 1, 1], [1, v**3 - 1, 1]), spread(-1, "0.9", 8), starts)

    def bistable(v):
        return fs.FastSlowSystem(["y + x - x**3"], f"{v} - x - y", slow_rate="1/10")

    table = check_against_single_systems(bistable, [F(1), F(2)], starts)
    assert table.again == 6


def test_starts_and_values_that_a_model_refuses_have_codes():
    table = fates(along_c_star(0), spread(-1, 1, 9), [-2.0, 0.0, 2.0])
    assert (table.fate[:, 1] == np.where(np.arange(9) == 4, REFUSED, FORBIDDEN)).all()
    assert (table.fate[4] == REFUSED).all() and "c*_1" in table.refused[4]
    assert table.names[4, 0] == "no system" and table.names[0, 1] == "no start"
    assert (table.fate[[0, 8]][:, [0, 2]] >= 0).all() and table.undecided == 0
    assert UNDECIDED not in table.fate


def test_threads_and_neighbours_do_not_matter():
    values, starts = spread(-5, 5, 20), np.linspace(0.5, 15, 200)
    whole, before = fates(figure_5_left, values, starts), numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = fates(figure_5_left, values, starts)
    finally:
        numba.set_num_threads(before)
    order = np.random.default_rng(1).permutation(200)
    mixed = fates(figure_5_left, values, starts[order])
    for name in ("fate", "x", "y", "steps"):
        assert (getattr(whole, name) == getattr(alone, name)).all()
    assert (whole.steps[:, order] == mixed.steps).all() and (whole.names[:, order] == mixed.names).all()


def test_progress_counts_the_starts():
    seen = []
    fates(figure_5_left, spread(-5, 5, 30), np.linspace(1, 9, 100), progress=lambda *done: seen.append(done))
    assert seen[-1] == (3000, 3000) and len(seen) > 1


@pytest.mark.parametrize(
    ("values", "starts", "rtol", "part"),
    [
        ([], [1.0], 1e-8, "values"),
        ([F(1)], [np.nan], 1e-8, r"starts\[0\]"),
        ([F(1)], [], 1e-8, "starts"),
        ([F(1)], [[1.0]], 1e-8, "one-dimensional"),
        ([F(1)], [1.0], 0.0, "rtol"),
    ],
)
def test_bad_input_is_named(values, starts, rtol, part):
    with pytest.raises(InputError, match=part):
        fates(figure_5_left, values, starts, rtol=rtol)
