"""Models in text, end to end: against closed forms, against scipy, and against the same systems as polynomials."""

import json
import math
import time

import numpy as np
import pytest
from fastslow_cli.main import main
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, fsolve

import fastslow as fs

ML = """
name = "morris_lecar"
fast = "v"
slow = "w"
f = "(I - gl*(v + 60) - gk*w*(v + 84) - gca*(1 + tanh((v + 1.2)/18))/2*(v - 120))/C"
g = "cosh((v - 2)/60)*((1 + tanh((v - 2)/30))/2 - w)"
slow_rate = 0.04
window = [[-80, 80], [-0.5, 1]]
starts = [[-30, 0], [-26, 0.13]]
[parameters]
I = { value = 90, range = [0, 250] }
gl = 2
gk = 8
gca = 4.4
C = 20
"""
PREY = {
    "window": ((0, "3/2"), (0, 1)),
    "start_fast": "1/2",
    "slow_rate": "1/100",
    "parameters": {"h": "1/5", "d": "3/10"},
}
ONE = "(sin(x)**2 + cos(x)**2)"
"""A factor 1 that is not recognised."""


@pytest.fixture(scope="module")
def morris_lecar(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ml.toml"
    path.write_text(ML)
    return path, fs.analyze(str(path))


def w_of(v, current=90):
    return (current - 2 * (v + 60) - 2.2 * (1 + np.tanh((v + 1.2) / 18)) * (v - 120)) / (8 * (v + 84))


def slope(v):
    return (w_of(v + 1e-5) - w_of(v - 1e-5)) / 2e-5


def test_morris_lecar(morris_lecar):
    _, analysis = morris_lecar
    assert analysis.complete
    folds = sorted(point.x for point in analysis.of_kind("fold"))
    np.testing.assert_allclose(folds, [brentq(slope, -40, -20), brentq(slope, 0, 30)], atol=1e-4)
    for fold in analysis.of_kind("fold"):
        assert fold.certified
        assert fold.y == pytest.approx(w_of(fold.x), rel=1e-13)
    (rest,) = analysis.of_kind("equilibrium")
    v = brentq(lambda v: w_of(v) - (1 + math.tanh((v - 2) / 30)) / 2, -40, 0, xtol=1e-14)
    assert (rest.x, rest.stability) == (pytest.approx(v, rel=1e-13), "stable")
    away, near = analysis.orbits
    assert (away.verdict.singular, away.verdict.ode) == ("relaxation oscillation",) * 2
    assert near.verdict.ode == f"settles at {rest.id}"  # a stable equilibrium inside a stable cycle
    assert analysis.flow.cycles == (("F1", "F2"),)
    # Each drift ends at a fold, each jump is at frozen w.
    for segment in away.segments:
        assert segment.kind == "slow" or segment.start[1] == segment.end[1]
        assert w_of(segment.end[0]) == pytest.approx(segment.end[1], abs=1e-10)


def test_a_new_model_is_analysed_at_once(morris_lecar):
    """Nothing is compiled for it."""
    path, _ = morris_lecar
    system = fs.family_of(str(path), "gca").at("4.6")
    begin = time.thread_time()
    analysis = fs.analyze(system, starts=[(-30, 0)])
    assert time.thread_time() - begin < 3.0
    assert analysis.complete


def test_solutions_agree_with_scipy(morris_lecar):
    path, _ = morris_lecar
    run = fs.simulate(str(path), (-30, 0), 200, rtol=1e-10, points=40)

    def field(t, u):
        v, w = u
        current = 90 - 2 * (v + 60) - 8 * w * (v + 84) - 2.2 * (1 + math.tanh((v + 1.2) / 18)) * (v - 120)
        return current / 20, 0.04 * math.cosh((v - 2) / 60) * ((1 + math.tanh((v - 2) / 30)) / 2 - w)

    wanted = solve_ivp(field, (0, 200), (-30, 0), method="Radau", rtol=1e-11, atol=1e-12, t_eval=run.t)
    np.testing.assert_allclose(run.x, wanted.y[0], atol=2e-6)
    np.testing.assert_allclose(run.y, wanted.y[1], atol=2e-8)


def test_records_and_pictures_of_formulas(morris_lecar, tmp_path, capsys):
    path, analysis = morris_lecar
    with pytest.raises(SystemExit) as left:
        main(["analyze", str(path), "-o", str(tmp_path / "out")])
    assert left.value.code == 0
    assert "cosh((v - 2)/60)" in capsys.readouterr().out
    assert (tmp_path / "out" / "portrait.png").stat().st_size > 20_000
    document = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert document["model"]["parameters"]["parameters"]["I"] == {"value": 90.0, "range": [0.0, 250.0]}
    assert document["branches"][0]["shape"] == "implicit"
    loaded = fs.load(tmp_path / "out" / "analysis.json")
    assert loaded.points == analysis.points
    assert loaded.system.table() == analysis.system.table()


def test_hopf_points_are_followed_in_a_parameter(morris_lecar, capsys):
    """Where the trace of the Jacobian vanishes on the curve of equilibria: 93.86 and 212.0, as is well known."""
    path, _ = morris_lecar
    system = fs.family_of(str(path), "I")

    def at_rest_without_trace(u):
        v, w, current = u
        member = system.at(current)
        (a, _), (_, d) = member.jacobian(v, w)
        return member.f(v, w), member.g(v, w), a + d

    diagram = fs.continued(system, fs.axis_of("I=60:260", "x"), kind="equilibrium")
    found = [(p.x, p.y, *p.parameters) for p in diagram.points_of("hopf")]
    for place, guess in zip(found, ((-25, 0.14, 94), (8, 0.6, 212)), strict=True):
        np.testing.assert_allclose(place, fsolve(at_rest_without_trace, guess, xtol=1e-12), rtol=1e-7)
    assert diagram.complete  # by interval arithmetic
    assert [word for word, _ in diagram.curves[0].pieces()] == ["stable", "unstable", "stable"]
    folds = fs.continued(system, fs.axis_of("I=60:260", "x"), kind="fold")
    assert {p.kind for p in folds.points} == {"canard point"}
    for curve in folds.curves:
        np.testing.assert_allclose([w_of(v, i) for v, i in zip(curve.x, curve.parameters[0], strict=True)], curve.y)


def test_phase_maps_of_formulas_are_integrated(morris_lecar):
    path, _ = morris_lecar
    found = fs.phase_map(str(path), "I=60:120:2", "w0=0:0.4:2")
    assert found.method == "ode"
    assert found.fates == ("settles", "relaxation oscillation")
    np.testing.assert_array_equal(found.index, [[0, 1], [0, 1]])
    for method in ("exact", "singular"):
        with pytest.raises(fs.InputError, match=f"no polynomials, which method {method} needs"):
            fs.phase_map(str(path), "I=60:120:2", "w0=0:0.4:2", method=method)


def test_ab_reaction_has_its_folds():
    """U' = -u + D (1 - u) e^(B u / 4): folds D = e^(-3/2) / 2 at u = 1/3 and 2 e^(-3) at u = 2/3 for B = 18."""
    system = fs.FastSlowSystem(
        "-u + D*(1 - u)*exp(B*u/4)", "1 - D/10", fast=("u",), slow=("D",), parameters={"B": 18},
        window=((0, 1), ("1/20", "1/5")), start_fast="1/10", slow_rate="1/1000",
    )  # fmt: skip
    analysis = fs.analyze(system, a0="0.06")
    assert analysis.complete
    folds = [(p.x, p.y) for p in analysis.of_kind("fold")]
    np.testing.assert_allclose(folds, [(1 / 3, math.exp(-1.5) / 2), (2 / 3, 2 * math.exp(-3))], rtol=1e-14)
    (orbit,) = analysis.orbits
    assert orbit.verdict.singular == orbit.verdict.ode == "leaves the window of D"
    assert [s.kind for s in orbit.segments] == ["jump", "slow", "jump", "slow"]


def test_predator_and_prey_leave_the_line_after_a_delay():
    """On x = 0 the prey grows at rate 1 - y/h and y' = -slow_rate d y: log(y/y_in) = (y - y_in)/h at the exit."""
    analysis = fs.analyze(fs.FastSlowSystem("x*(1 - x) - x*y/(h + x)", "x*y/(h + x) - d*y", **PREY), a0="1/5")
    assert analysis.complete
    (orbit,) = analysis.orbits
    assert (orbit.verdict.singular, orbit.verdict.ode) == ("relaxation oscillation",) * 2
    (fold,), (crossing,) = analysis.of_kind("fold"), analysis.of_kind("crossing")
    assert (fold.x, fold.y, crossing.x, crossing.y) == pytest.approx((0.4, 0.36, 0, 0.2), abs=1e-15)
    exit_ = next(s.end[1] for s in orbit.segments if s.delayed)
    assert exit_ == pytest.approx(brentq(lambda y: math.log(y / 0.36) - (y - 0.36) / 0.2, 0.01, 0.19), rel=1e-10)


HIDDEN = {
    "van der Pol": (f"y + x*{ONE} - x**3/3", "y + x - x**3/3", "1/2 - x", "1/20", [(2, 0), ("-1/2", "1/2")]),
    "saddle": (f"x*{ONE} - x**3 - y", "x - x**3 - y", "x/2 - y", "3/10", [("1/2", "1/4"), ("1/2", "3/4")]),
    "two curves": (f"x*({ONE}*y - x**2 + 1)", "x*(y - x**2 + 1)", "x - y/2", "1/10", [("1/2", "1/2"), ("1/2", -1)]),
    "closed": (f"{ONE} - x**2 - y**2", "1 - x**2 - y**2", "x - 1/3", "1/10", [("1/2", "1/4")]),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_formulas_answer_as_polynomials_do(name):
    f, plain, g, rate, starts = HIDDEN[name]
    options = {"slow_rate": rate, "start_fast": "1/2"}
    ours = fs.analyze(fs.FastSlowSystem(f, g, window=((-3, 3), (-4, 4)), **options), starts=starts)
    exact = fs.analyze(fs.FastSlowSystem(plain, g, window=(-3, 3), **options), starts=starts)
    assert ours.complete
    for kind in ("fold", "equilibrium", "crossing"):
        inside = [p for p in exact.of_kind(kind) if abs(p.y) <= 4]
        places = [(p.x, p.y) for p in ours.of_kind(kind)]
        np.testing.assert_allclose(places, [(p.x, p.y) for p in inside], rtol=1e-14, atol=1e-14)
        assert [p.stability for p in ours.of_kind(kind)] == [p.stability for p in inside]
    for mine, theirs in zip(ours.orbits, exact.orbits, strict=True):
        away = any(abs(segment.end[1]) > 4 for segment in theirs.segments)
        assert away or mine.verdict.singular == theirs.verdict.singular
        ends = [(s.kind, *s.end) for s in mine.segments]
        for (kind, *end), segment in zip(ends, theirs.segments, strict=False):
            if abs(segment.end[1]) <= 4:
                assert kind == segment.kind
                np.testing.assert_allclose(end, segment.end, rtol=1e-10, atol=1e-10)
        if "leaves" not in theirs.verdict.ode and "leaves" not in mine.verdict.ode:
            assert mine.verdict.ode == theirs.verdict.ode
    inner = [t for t in exact.thresholds if abs(t.y) < 3]
    assert [t.y for t in ours.thresholds if abs(t.y) < 3] == pytest.approx([t.y for t in inner], rel=1e-9)
    for mine, theirs in zip((t for t in ours.thresholds if abs(t.y) < 3), inner, strict=True):
        for one, other in ((mine.singular, theirs.singular), (mine.first_order, theirs.first_order)):
            assert one == (other if other is None else pytest.approx(other, rel=1e-9))


def test_stommel_tips_at_its_fold_and_returns_at_the_corner():
    """The curve y (1 + mu |1 - y|) = p has a fold at y = (1 + mu)/(2 mu), a corner at y = 1, p = 1."""
    mu = 6.2
    top = (1 + mu) ** 2 / (4 * mu)
    up, down = (
        fs.analyze(
            fs.FastSlowSystem(
                "p - y*(1 + mu*abs(1 - y))", g, fast=("y",), slow=("p",), parameters={"mu": "31/5"},
                window=((0, 2), ("1/10", "5/2")), slow_rate="1/1000", start_fast="1/10",
            ),
            starts=[start],
        )
        for g, start in (("3 - p", ("1/10", "1/2")), ("-p", ("3/2", 2)))
    )  # fmt: skip
    for analysis in (up, down):
        assert analysis.complete
        folds = [(p.x, p.y) for p in analysis.of_kind("fold")]
        np.testing.assert_allclose(folds, [((1 + mu) / (2 * mu), top), (1, 1)], rtol=1e-12)
    high = next(s for s in up.orbits[0].segments[1:] if s.kind == "jump")
    assert high.start[1] == high.end[1] == pytest.approx(top)
    assert high.end[0] * (1 + mu * (high.end[0] - 1)) == pytest.approx(top)
    low = next(s for s in down.orbits[0].segments[1:] if s.kind == "jump")
    assert low.start == pytest.approx((1, 1))
    assert low.end[0] * (1 + mu * (1 - low.end[0])) == pytest.approx(1)


def test_starts_on_edges_and_lines():
    system = fs.FastSlowSystem("x*(1 - x) - x*y/(h + x)", "x*y/(h + x) - d*y", **PREY)
    run = fs.simulate(system, (0, "1/2"), 1000)  # without prey predators decay at rate slow_rate d
    assert (run.x[-1], run.y[-1]) == (0.0, pytest.approx(0.5 * math.exp(-3), rel=1e-8))
    orbits = fs.analyze(system, starts=[(0, "1/2"), (1, 1), ("3/2", "1/2")]).orbits
    assert [orbit.verdict.ode for orbit in orbits] == [
        "settles at E1",
        "leaves the window of y",
        "relaxation oscillation",
    ]
    with pytest.raises(fs.InputError, match=r"start y = 2.0: must lie in the window \[0, 1\]"):
        fs.simulate(system, (1, 2), 10)
