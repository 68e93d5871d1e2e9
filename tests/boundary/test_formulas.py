"""Boundaries of systems of formulas: against those of the same polynomials, single systems and known bifurcations."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import fastslow as fs
from fastslow.boundary.curves import FullBoundary
from fastslow.boundary.fates import changes_of
from fastslow.boundary.formula_members import FormulaMembers
from fastslow.boundary.plane import boundary_in_two
from fastslow.systems.formula_families import formula_member

HIDDEN = "(sin(x)**2 + cos(x)**2)"
"""A factor 1 that is not recognised."""


def pair(directory: Path, f: str, g: str, start: str) -> tuple[str, str]:
    """Return the paths of a polynomial model and of the same one with a factor 1 that makes it a formula."""
    paths = []
    for name, factor, window in (("plain", "1", "[-3, 3]"), ("hidden", HIDDEN, "[[-3, 3], [-4, 4]]")):
        (path := directory / f"{name}.toml").write_text(
            f'f = "({f})*{factor}"\ng = "{g}"\nslow_rate = "3/10"\nstart_fast = "{start}"\nwindow = {window}\n'
            f'model = "{"polynomial" if name == "plain" else "formula"}"\n[parameters]\nk = 0\n'
        )
        paths.append(str(path))
    return paths[0], paths[1]


def table(boundary: object, values: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array(boundary.names)[boundary.fates_at(values, y)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("f", "g", "start", "axis", "kinds"),
    [
        ("x - x**3 - y", "x/2 - y + k", "1/2", "k=-3/10:3/10", ["canard point"] * 2),
        ("(x - x**3 - y + k*x**2)*(y - x/2 - 1/4)", "1/3 - x - y", "1/10", "k=-1/2:1/2", None),
        ("x**2 - x**4 - y*x/2 - y**2 + k", "1/3 - x - y", "1/10", "k=-1/10:1/3", None),  # a branch point
    ],
)
def test_the_singular_limit_is_that_of_the_polynomials(
    tmp_path: Path, f: str, g: str, start: str, axis: str, kinds: list[str] | None
) -> None:
    plain, hidden = pair(tmp_path, f, g, start)
    exact, ours = (fs.phase_boundary(path, axis, limit="singular") for path in (plain, hidden))
    assert ours.complete and exact.complete
    # Nor do both know different parameters at which two heights are equal, on jumps that no fate feels.
    known = [[event.parameter for event in each.crossings if event.certified] for each in (ours, exact)]  # type: ignore[union-attr]
    np.testing.assert_allclose(*known, atol=1e-12)
    inside = [(c.kind, c.parameter, c.y, c.x) for c in exact.corners if abs(c.y) < 4]
    found = [(c.kind, c.parameter, c.y, c.x) for c in ours.corners]
    assert [row[0] for row in found] == [row[0] for row in inside]
    assert kinds is None or [row[0] for row in found] == kinds
    np.testing.assert_allclose([row[1:] for row in found], [row[1:] for row in inside], atol=1e-12)
    values = np.linspace(float(ours.axis.low), float(ours.axis.high), 38)[1:-1] + 1e-3
    y = np.linspace(-3.9, 3.9, 201)
    np.testing.assert_array_equal(table(ours, values, y), table(exact, values, y))


def test_delayed_exits_are_followed_as_those_of_the_polynomials(tmp_path: Path) -> None:
    """On x = 0, f_x / g = y: who comes at y leaves at -y, and misses the fold at y = -1/k if y > 1/k."""
    plain, hidden = pair(tmp_path, "x*(-y - 2*x + k*x**2)", "4*x - 1", "1/2")
    exact, ours = (fs.phase_boundary(path, "k=1/2:2", limit="singular") for path in (plain, hidden))
    assert [curve.kind for curve in ours.curves] == ["fold", "delayed exit"]
    assert not ours.complete and all("delayed" in text for text in ours.unresolved)
    values, y = np.linspace(0.51, 1.99, 23), np.linspace(-3.9, 3.9, 201)
    np.testing.assert_array_equal(table(ours, values, y), table(exact, values, y))
    delayed = [curve for curve in ours.curves if curve.kind == "delayed exit"]
    for curve in delayed:
        np.testing.assert_allclose(curve.y, 1 / curve.parameter, rtol=1e-12)


def test_canard_points_leave_nothing_unproved() -> None:
    """At a canard point fold and equilibrium merge: Rolle's theorem tells that they have no other height in common."""
    boundary = fs.phase_boundary("morris_lecar", "current=60:240", limit="singular")
    assert boundary.complete
    assert [corner.kind for corner in boundary.corners] == ["canard point"] * 2
    assert [corner.parameter for corner in boundary.corners] == pytest.approx([83.645531767, 222.452513411])
    # Where the cusp is an equilibrium it does not, and just this is said.
    cusp = fs.phase_boundary("ab_reaction", "B=31/2:33/2", limit="singular")
    assert cusp.unresolved == ("all parameters at which equilibrium and fold have one height.",)


def test_an_exit_beside_an_equilibrium_is_an_exit() -> None:
    """On u = 0 the exit solves (3 - 5l) log(v_in / v_out) = v_in - v_out: at l = 0.5992 near e^-150 v_in."""
    system = fs.family_of("pp2", "l").at("749/1250")
    (orbit,) = fs.analyze(system, starts=[("1/2", "3/5")]).orbits
    assert orbit.verdict.singular == "settles at E2"


@pytest.fixture(scope="module")
def bistable(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, FullBoundary]:
    _, hidden = pair(tmp_path_factory.mktemp("models"), "x - x**3 - y", "x/2 - y + k", "1/2")
    return hidden, fs.phase_boundary(hidden, "k=-1/10:1/10")  # type: ignore[return-value]


def test_stable_manifolds_over_a_parameter(bistable: tuple[str, FullBoundary]) -> None:
    path, boundary = bistable
    family = fs.family_of(path, "k")
    (curve,) = boundary.curves
    assert (curve.kind, curve.below, curve.above) == ("stable manifold", "settles at E3", "settles at E1")
    for value in ("-7/97", "1/89", "8/101"):
        (threshold,) = fs.thresholds(family.at(value))
        (found,) = boundary.thresholds_at(float(Fraction(value)))[0]
        assert found == pytest.approx(threshold.y, rel=1e-8)
    # Cycles without a change of equilibria are looked for at some values of the parameter only.
    assert not boundary.complete
    assert all("limit cycles" in text for text in boundary.unresolved)
    y = np.linspace(-3, 3, 25)
    for value in (-0.08, 0.03):
        codes = boundary.fates_at([value], y)[0]
        fates = fs.ensemble(family.at(Fraction(value)), y).fate
        assert [boundary.names[code] for code in codes] == list(fates)


def test_the_line_in_a_plane_is_where_the_start_is_critical(bistable: tuple[str, FullBoundary]) -> None:
    path, boundary = bistable
    start = float(boundary.thresholds_at(0.04)[0][0])
    family = fs.family_of(path, "k", "slow_rate")
    axes = fs.axis_of("k=-1/10:1/10", "x"), fs.axis_of("slow_rate=3/10:7/20", "y")
    lines = boundary_in_two(family, *axes, start, rows=2, tolerance=1e-7)
    assert {line.across for line in lines} == {"k"}
    points = np.concatenate([np.column_stack([line.x, line.y]) for line in lines])
    here = points[np.isclose(points[:, 1], 0.3), 0]
    assert len(here) and np.abs(here - 0.04).max() < 1e-7
    for x, y in points:
        beside = [family.at(Fraction(x + step), Fraction(y)) for step in (-1e-5, 1e-5)]
        assert [fs.ensemble(member, [start]).fate[0] for member in beside] == [lines[0].below, lines[0].above]


def test_cycles_are_born_where_no_equilibrium_changes() -> None:
    """Morris and Lecar's fibre fires from a saddle-node of cycles on, before the Hopf point at 93.86.

    With DOP853 at 1e-11 a turn from the section of the equilibrium misses it by 9e-6 at the nearest at 88.292,
    and by more than it left at 88.294. The unstable cycle crosses the line of starts up to 89.3.
    """
    boundary = fs.phase_boundary("morris_lecar", "current=87:93")
    cycle = boundary.strips[0].high  # type: ignore[union-attr]
    assert 88.292 < cycle < 88.294
    assert boundary.strips[0].fates == ("settles at E1",)  # type: ignore[union-attr]
    assert boundary.strips[-1].fates == ("relaxation oscillation",)  # type: ignore[union-attr]
    assert [strip.fates for strip in boundary.strips[1:-1]] == [("undecided",)]  # type: ignore[union-attr]
    assert 89.3 < boundary.strips[-1].low < 89.4  # type: ignore[union-attr]
    assert any("unstable limit cycle" in text for text in boundary.unresolved)
    assert {corner.kind for corner in boundary.corners} == {"limit cycles change"}
    family = fs.family_of("morris_lecar", "current")
    before, after = (set(fs.ensemble(family.at(Fraction(cycle + d)), [-0.2, 0.3, 0.9]).fate) for d in (-0.1, 1))
    assert (before, after) == ({"settles at E1"}, {"relaxation oscillation"})


def test_changes_of_fates_are_seen_past_values_that_are_undecided() -> None:
    rest, cycle, open_ = ("settles at E1", "E1"), ("relaxation oscillation", ""), ("undecided", "")
    values = [Fraction(k) for k in range(5)]
    told = [[cycle, rest], [open_, rest], [rest, open_], [rest, rest], [open_, open_]]
    assert changes_of(values, told) == [(0, 2, 0, cycle, rest)]
    assert changes_of(values, [[fate, fate] for fate in (cycle, open_, rest, rest, cycle)]) == [
        (0, 2, 0, cycle, rest),
        (3, 4, 0, rest, cycle),
    ]


def test_curves_end_in_connections_and_invariant_lines() -> None:
    """Beyond l = 0.67271 the stable manifold of the lower saddle winds round the focus; at 0.83293 saddles collide."""
    connection = fs.phase_boundary("pp2", "l=0.6726:0.6728")
    (corner,) = connection.corners
    assert (corner.kind, corner.certified) == ("saddle-saddle connection", False)
    assert corner.parameter == pytest.approx(0.672711865493, abs=1e-10)
    below, above = (set(strip.fates) for strip in (connection.strips[0], connection.strips[-1]))  # type: ignore[union-attr]
    assert below - above == {"small oscillation"}
    collision = fs.phase_boundary("pp2", "l=0.83:0.833")
    assert not [text for text in collision.unresolved if "limit cycles" not in text]
    lines = [curve for curve in collision.curves if curve.parameter[0] == 0.83 and curve.y[0] < 1]
    assert [set(curve.y) for curve in lines] == [{0.0}]  # the way along v = 0 is not integrated


def test_invariant_lines_and_edges_of_the_window_part_starts() -> None:
    """Without predators none come: v = 0 parts the starts; the orbit that touches v = 3 parts those that leave."""
    boundary = fs.phase_boundary("pp2", "l=0.4:0.5")
    extinction, top = boundary.curves
    assert (extinction.kind, top.kind) == ("stable manifold", "window's edge")
    np.testing.assert_array_equal(extinction.y, 0.0)
    assert top.above == "leaves the window of v at its upper edge"
    family = fs.family_of("pp2", "l")
    for value in ("41/97", "43/89"):
        y = float(boundary.thresholds_at(float(Fraction(value)))[0][-1])
        fates = fs.ensemble(family.at(value), [y - 1e-6, y + 1e-6]).fate
        assert list(fates) == ["settles at E2", "leaves the window of v"]


def test_cuts_are_the_bifurcations() -> None:
    family, axis = fs.family_of("pp2", "l"), fs.axis_of("l=0.55:0.9", "x")
    member = formula_member(family, ((axis.low, axis.high),))
    assert member is not None
    undecided: list[str] = []
    cuts = FormulaMembers(family, axis, member).cuts(undecided)
    assert not undecided
    for kind, value in (("crossing meets equilibrium", 0.6), ("equilibria collide", 0.821904345373991)):
        assert any(cut.kind == kind and cut.value == pytest.approx(value, abs=1e-14) for cut in cuts)
    assert any(cut.value == pytest.approx(0.832929322234, abs=1e-12) for cut in cuts)


def test_the_field_of_all_members_is_that_of_each() -> None:
    """The parameter is a step of its own in the tape that all members share."""
    from fastslow.core.polynomial import polynomial_field

    family, axis = fs.family_of("morris_lecar", "gCa"), fs.axis_of("gCa=4:5", "x")
    member = formula_member(family, ((axis.low, axis.high),))
    assert member is not None
    members = FormulaMembers(family, axis, member)
    chart = members.chart
    assert chart is not None
    values = np.array([4.0, 4.4, 5.0])
    u, du, jacobian = np.array([-20.0, 0.3]), np.zeros(2), np.zeros((2, 2))
    for value, row in zip(values, members.fields(values, chart, 1.0), strict=True):
        assert polynomial_field(u, np.ascontiguousarray(row), du, jacobian, True) == 0
        system = family.at(Fraction(value))
        assert du == pytest.approx([system.f(*u), float(system.slow_rate) * system.g(*u)], rel=1e-13)
        np.testing.assert_allclose(jacobian, system.jacobian(*u), rtol=1e-12)


def test_a_line_that_moves_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "moving.toml").write_text(
        'f = "(x - k)*(y + tanh(x))"\ng = "x - y"\nwindow = [[-2, 2], [-2, 2]]\nstart_fast = 1\n[parameters]\nk = 0\n'
    )
    with pytest.raises(fs.InputError, match="moves a line x = const"):
        fs.phase_boundary(str(path), "k=-1/2:1/2")
    with pytest.raises(fs.InputError, match="moves the line of starts"):
        fs.phase_boundary("pp2", "start_fast=1/4:1/2")
