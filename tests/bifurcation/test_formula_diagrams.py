"""Diagrams of systems of formulas: against the same systems as polynomials, closed forms and direct calculation."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import fastslow as fs
from fastslow.bifurcation.functions import Formula
from fastslow.systems.formulas import parse_formula

HIDDEN = "(sin(x)**2 + cos(x)**2)"
"""A factor 1 that is not recognised."""
OVER = "/(1 + x**2)"


def pair(tmp_path, f, g, slow_rate="1/10", window=((-3, 3), (-4, 4)), **parameters):
    """Return the paths of a polynomial model and of the same one whose f and g are formulas."""
    (low, high), slow = window
    numbers = "\n".join(f'{name} = "{value}"' for name, value in parameters.items())
    paths = []
    for kind, f_, g_, sides in (
        ("polynomial", f, g, f"[{low}, {high}]"),
        ("formula", f"({f})*{HIDDEN}", f"({g}){OVER}", f"[[{low}, {high}], [{slow[0]}, {slow[1]}]]"),
    ):
        text = f'model = "{kind}"\nf = "{f_}"\ng = "{g_}"\nslow_rate = "{slow_rate}"\nwindow = {sides}\n'
        path = tmp_path / f"{kind}.toml"
        path.write_text(f"{text}[parameters]\n{numbers}\n")
        paths.append(str(path))
    return paths


def continued(model, axis, other=None, kind="equilibrium"):
    axes = [fs.axis_of(text, "axis") for text in (axis, other) if text]
    return fs.continued(fs.family_of(model, *(a.name for a in axes)), *axes, kind=kind)


def listed(diagram):
    """Return the special points with |y| < 4, the window of the formulas."""
    rows = [(p.kind, *p.parameters, p.x, p.y) for p in diagram.points if abs(p.y) < 4]
    return sorted(rows, key=lambda row: (row[0], *(round(v, 8) for v in row[1:])))


def assert_alike(ours, exact):
    assert ours.complete
    assert all(point.certified for point in ours.points)
    assert [row[0] for row in listed(ours)] == [row[0] for row in listed(exact)]
    if listed(exact):
        np.testing.assert_allclose([r[1:] for r in listed(ours)], [r[1:] for r in listed(exact)], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("f", "g", "axis", "parameters"),
    [
        ("y + x - x**3/3", "a - x - y/2", "a=-2:2", {"a": 0}),
        (
            "x*(1 - x**2 - y + m*x)",
            "(y - 1/2)*(x - 1/3 - m/5)",
            "m=-1:3/2",
            {"m": 0},
        ),  # lines, crossings, and a fold on y = 1/2
        ("y**2 - x**2*(x + 1) + p", "x + y/3 - p", "p=-2:2", {"p": 0}),  # a node and an isola centre
    ],
)
@pytest.mark.parametrize("kind", ["fold", "equilibrium"])
def test_one_parameter_as_of_polynomials(tmp_path, f, g, axis, parameters, kind):
    """Times 1/(1 + x^2) the slow field has the same zeros; the Hopf points move, as those of polynomials do."""
    plain, hidden = pair(tmp_path, f, g, **parameters)
    ours, exact = continued(hidden, axis, kind=kind), continued(plain, axis, kind=kind)
    without = [p for p in listed(exact) if p[0] != "hopf"]
    assert ours.complete and exact.complete
    found = [p for p in listed(ours) if p[0] != "hopf"]
    assert [row[0] for row in found] == [row[0] for row in without] != []
    np.testing.assert_allclose([r[1:] for r in found], [r[1:] for r in without], rtol=0, atol=1e-13)
    assert all(p.certified for p in ours.points)
    for curve in ours.curves:
        assert len(curve.x) == len(curve.stability)


@pytest.mark.parametrize("kind", ["fold", "equilibrium"])
def test_two_parameters_as_of_polynomials(tmp_path, kind):
    """FitzHugh and Nagumo's system and a cusp in it: saddle-nodes, Hopf curves, their codimension-2 points."""
    f, g = "x - x**3/3 - y + m*x**2", "n + x - y*k"
    plain, hidden = pair(tmp_path, f, g, m=0, n="7/10", k=2)
    axes = ("n=-2:2", "k=1/2:2")
    ours, exact = continued(hidden, *axes, kind=kind), continued(plain, *axes, kind=kind)
    assert ours.complete
    kinds = {curve.kind for curve in exact.curves}
    assert {curve.kind for curve in ours.curves} == kinds
    for name in kinds - {"hopf"}:
        for mine, theirs in ((ours, exact), (exact, ours)):
            curves = [np.column_stack([*c.parameters, c.x, c.y]) for c in mine.curves if c.kind == name]
            others = np.concatenate(
                [np.column_stack([*c.parameters, c.x, c.y]) for c in theirs.curves if c.kind == name]
            )
            for points in curves:
                inside = points[np.abs(points[:, 3]) < 3.9]
                gaps = np.abs(inside[:, None, :] - others[None, :, :]).max(axis=2).min(axis=1)
                assert gaps.max() < 0.06  # the distance between points of a curve
    special = [row for row in listed(ours) if row[0] == "cusp"]
    wanted = [row for row in listed(exact) if row[0] == "cusp"]
    assert len(special) == len(wanted)
    np.testing.assert_allclose([r[1:] for r in special], [r[1:] for r in wanted], atol=1e-12)


def test_a_formula_for_one_changes_nothing(tmp_path):
    """With a factor sin^2 + cos^2 Hopf curves, Bautin and Bogdanov-Takens points stay what they are."""
    plain, hidden = pair(tmp_path, "y", "m + n*y + x**2 + x*y - y**3*x", m=0, n=0)
    Path(hidden).write_text(Path(hidden).read_text().replace(OVER, f"*{HIDDEN}"))
    axes = ("m=-1:1", "n=-1:1")
    ours, exact = continued(hidden, *axes), continued(plain, *axes)
    assert_alike(ours, exact)
    assert "Bogdanov-Takens" in {p.kind for p in ours.points}
    words = [{w for c in d.curves if c.kind == "hopf" for w, _ in c.pieces() if w != "center"} for d in (ours, exact)]
    assert words[0] == words[1] != set()


def test_the_cusp_of_the_ab_reaction():
    found = continued("ab_reaction", "B=15:20", kind="fold")
    (cusp,) = found.points_of("cusp")
    assert found.complete and cusp.certified
    assert (cusp.parameters[0], cusp.x, cusp.y) == pytest.approx((16, 0.5, math.exp(-2)), abs=1e-15)
    (curve,) = found.curves
    inner = (curve.x > 0) & (curve.x < 1)
    u = curve.x[inner]
    np.testing.assert_allclose(curve.parameters[0][inner], 4 / (u * (1 - u)), rtol=1e-12)
    # The cusp does not feel the slow rate; the proof holds in two parameters.
    twice = continued("ab_reaction", "B=15:17", "slow_rate=1/1000:1/10", kind="fold")
    assert twice.complete
    (cusps,) = [c for c in twice.curves if c.kind == "cusp"]
    np.testing.assert_allclose(cusps.parameters[0], 16, rtol=1e-13)


def guckenheimer_holmes(system, x, y):
    """Return a of r' = a r^3 at a Hopf point, their equation (3.4.11), in coordinates of pure rotation."""
    (a, b), (c, d) = system.jacobian(x, y)
    omega = math.sqrt(a * d - b * c)
    # Columns: real and minus imaginary part of an eigenvector, so that u' = -omega v, v' = omega u.
    basis = np.array([[b, 0.0], [-a, -omega]])
    inverse = np.linalg.inv(basis)
    rate = float(system.slow_rate)

    def tensor(of, order):
        table = np.empty((2,) * order)
        for index in np.ndindex(*table.shape):
            slow = sum(index)
            table[index] = float(system.partial(of, order - slow, slow, x, y)) * (rate if of == "g" else 1.0)
        return table

    def turned(order):
        rows = np.array([tensor("f", order), tensor("g", order)])
        for axis in range(1, order + 1):
            rows = np.moveaxis(np.tensordot(rows, basis, axes=(axis, 0)), -1, axis)
        return np.tensordot(inverse, rows, axes=1)

    two, three = turned(2), turned(3)
    f_xx, f_xy, f_yy = two[0][0, 0], two[0][0, 1], two[0][1, 1]
    g_xx, g_xy, g_yy = two[1][0, 0], two[1][0, 1], two[1][1, 1]
    cubic = three[0][0, 0, 0] + three[0][0, 1, 1] + three[1][0, 0, 1] + three[1][1, 1, 1]
    square = f_xy * (f_xx + f_yy) - g_xy * (g_xx + g_yy) - f_xx * g_xx + f_yy * g_yy
    return float(cubic + square / omega) / 16, omega


@pytest.mark.parametrize(
    ("model", "axis", "values"),
    [
        ("morris_lecar", "current=60:260", [93.857618, 212.018816]),  # 93.86 and 212, Rinzel and Ermentrout 1998
        ("predator_prey", "m=0.1:0.9", [7 / 13]),
        ("pp2", "l=0.5:0.8", [0.671594]),
    ],
)
def test_lyapunov_coefficients_by_guckenheimer_and_holmes(model, axis, values):
    family, found = fs.family_of(model, axis.split("=")[0]), continued(model, axis)
    assert found.complete
    points = found.points_of("hopf")
    assert [p.parameters[0] for p in points] == pytest.approx(values, abs=1e-6)
    for point in points:
        assert point.certified and point.radius < 1e-15
        member = family.at(Fraction(point.parameters[0]))
        a, omega = guckenheimer_holmes(member, point.x, point.y)
        f_y = float(member.partial("f", 0, 1, point.x, point.y))
        # x = b u here and x = 2 Re z there: r = 2 |z| / |b|, and l_1 = 4 a / (b^2 omega).
        assert point.lyapunov == pytest.approx(4 * a / (f_y**2 * omega), rel=1e-8)
        assert point.note == ("supercritical" if a < 0 else "subcritical")


def test_curves_of_morris_and_lecar_in_two_parameters():
    """Saddle-nodes where d current / d V = 0 at rest, Hopf points where the trace vanishes; their number is proved."""
    found = continued("morris_lecar", "current=0:300", "gCa=3:6")
    assert found.complete
    assert sorted(c.kind for c in found.curves) == ["hopf", "hopf", "saddle-node"]
    (cusp,), (bautin,) = found.points_of("cusp"), found.points_of("Bautin")
    assert cusp.certified and bautin.certified

    def m(v):
        return (1 + math.tanh((v + 1.2) / 18)) / 2

    def rest(v):
        return (1 + math.tanh((v - 2) / 30)) / 2

    def current(v, calcium):
        return 2 * (v + 60) + calcium * m(v) * (v - 120) + 8 * rest(v) * (v + 84)

    (nodes,) = [c for c in found.curves if c.kind == "saddle-node"]
    for k in range(0, len(nodes.x), 20):
        v, calcium = nodes.x[k], nodes.parameters[1][k]
        h = 1e-4
        assert nodes.parameters[0][k] == pytest.approx(current(v, calcium), rel=1e-11)
        assert abs(current(v + h, calcium) - current(v - h, calcium)) / (2 * h) < 1e-6
    for curve in (c for c in found.curves if c.kind == "hopf"):
        for k in range(0, len(curve.x), 30):
            v, calcium = curve.x[k], curve.parameters[1][k]
            slope = (1 - math.tanh((v + 1.2) / 18) ** 2) / 36
            trace = (-2 - calcium * (m(v) + (v - 120) * slope) - 8 * rest(v)) / 20 - math.cosh((v - 2) / 60) / 25
            assert abs(trace) < 1e-9
    # The coefficient changes its sign at the Bautin point.
    family = fs.family_of("morris_lecar", "current", "gCa")
    (curve,) = [c for c in found.curves if c.id in bautin.curves]
    place = int(np.flatnonzero(curve.x == bautin.x)[0])
    signs = {}
    for k in (place - 1, place, place + 1):
        member = family.at(*map(Fraction, curve.parameters[:, k]))
        signs[k] = guckenheimer_holmes(member, curve.x[k], curve.y[k])[0]
    assert signs[place - 1] * signs[place + 1] < 0
    assert abs(signs[place]) < 1e-6 * abs(signs[place + 1])
    words = {-1: "supercritical", 1: "subcritical"}
    for k in (place - 1, place + 1):
        assert curve.stability[k] == words[np.sign(signs[k])]


def test_harvested_prey_has_no_canard_on_the_line_of_extinction():
    folds = continued("pp2", "l=0.4:1", kind="fold")
    assert folds.complete
    (canard,) = folds.points_of("canard point")
    assert canard.x == pytest.approx(1 / 3)
    (meeting,) = folds.points_of("saddle-node")
    assert (meeting.y, round(meeting.parameters[0], 12)) == (0.0, 0.832929322234)


def test_a_parameter_in_an_exponent(tmp_path):
    """Hill's function x^n / (1 + x^n) - x/2 + y: folds where n x^(n-1) / (1 + x^n)^2 = 1/2."""
    (path := tmp_path / "hill.toml").write_text(
        'f = "x**n/(1 + x**n) - x/2 + y"\ng = "1/4 - y"\nwindow = [["1/5", 2], [-1, 1]]\n'
        "start_fast = 1\n[parameters]\nn = 4\n"
    )
    found = continued(str(path), "n=4:5", kind="fold")
    assert found.complete and len(found.curves) == 2
    for curve in found.curves:
        n, x = curve.parameters[0], curve.x
        np.testing.assert_allclose(n * x ** (n - 1) / (1 + x**n) ** 2, 0.5, rtol=1e-12)
    # At n = 4, where the member is a rational function, they are its folds.
    folds = fs.critical_manifold(fs.family_of(str(path), "n").at(4)).of_kind("fold")
    ends = sorted((c.x[k], c.y[k]) for c in found.curves for k in (0, -1) if c.parameters[0][k] == 4)
    np.testing.assert_allclose(ends, sorted((p.x, p.y) for p in folds), rtol=1e-12)


def test_values_without_a_formula_and_edges():
    with pytest.raises(fs.InputError, match="enters neither f nor g"):
        continued("pp2", "start_fast=1/4:3/4", kind="fold")
    # 1/(1 + x^2) - k has no zero for k > 1.
    empty = fs.FastSlowSystem("(y - 1)*(exp(x) + 1)", "x", window=((-1, 1), (-1, "1/2")), slow_rate="1/10")
    assert continued(empty, "slow_rate=0.01:0.1", kind="equilibrium").curves == ()


def test_where_there_is_no_model_is_said(tmp_path):
    (path := tmp_path / "gap.toml").write_text(
        'f = "p*(y - tanh(x))"\ng = "x - 1/2 + y"\nwindow = [[-2, 2], [-2, 2]]\n[parameters]\np = 1\n'
    )
    found = continued(str(path), "p=-1:1")
    assert any(note.startswith("Gap: at p = 0") for note in found.notes)
    (curve,) = found.curves
    assert [word for word, _ in curve.pieces()] == ["unstable", "saddle"]


def test_a_pole_and_a_kink_are_not_called_complete(tmp_path):
    for k, f in enumerate(("y - x/(p + 1/2)", "y - abs(x) + p*x/2")):
        (path := tmp_path / f"{k}.toml").write_text(
            f'f = "{f}"\ng = "exp(x) - 1 - y"\nwindow = [[-2, 2], [-2, 2]]\n[parameters]\np = 2\n'
        )
        found = continued(str(path), "p=-1:1")
        assert not found.complete and any(note.startswith("Not shown") for note in found.notes)


def test_lines_among_formulas():
    """Formulas with kinks have constant derivatives without being lines."""

    def line(text, place=0):
        names = ("x", "y")
        return Formula(parse_formula(text, names, "f"), names).line(place)

    assert line("3*x - 2 + x") == (Fraction(1, 2), 4)
    assert line("2*y - 1", 1) == (Fraction(1, 2), 2)
    for text in ("sign(x - 1)", "x + sign(x - 1)", "abs(x - 1)", "x + y", "x**2", "exp(x) - 1", "2*y - 1", "3"):
        assert line(text) is None, text


def test_a_field_with_kinks_has_a_boundary(tmp_path):
    (path := tmp_path / "mckean.toml").write_text("""
f = "-x + abs(x + 1/2) - abs(x - 1/2) - y + current"
g = "x - 3*y/10"
slow_rate = 0.05
window = [[-3, 3], [-3, 3]]

[parameters]
current = 0.1
""")
    found = fs.phase_boundary(str(path), "current=0:0.2")
    assert {curve.kind for curve in found.curves} == {"window's edge"}
    # the equations are odd: f(-x, -y; -I) = -f(x, y; I)
    edges = sorted((curve.y[0], curve.y[-1]) for curve in found.curves)
    assert edges[0][0] == pytest.approx(-edges[-1][0], abs=1e-8)
