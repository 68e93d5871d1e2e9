"""Finite width as a fast-slow system: critical manifold, equilibria, thresholds, critical widths, predicted fates."""

import json

import numpy as np
import pytest
from fastslow_cli.main import main
from matplotlib.figure import Figure

import fastslow as fs
from fastslow.core.finite_width_curve import equilibrium_curve
from fastslow.plot.finite_width import finite_width_figure, finite_width_plane, width_equilibria
from fastslow.sgd.finite_width_equilibria import equilibria
from fastslow.sgd.finite_width_orbits import singular_orbit
from fastslow.sgd.noise_terms import noise_terms

ODD = fs.TwoLayer([1, "1/2", 0, "-1/5"], ["3/2", -1, "1/2", 0], noise="1/2", slow_rate="3/2")


@pytest.fixture(scope="module")
def wide():
    return fs.finite_width_manifold("fig6-right", m=4000)


@pytest.fixture(scope="module")
def noisy():
    return fs.finite_width_manifold("fig7", m=500, gamma=1)


@pytest.mark.parametrize("system", [ODD, fs.TwoLayer([1, 0.3, 0.2], [1, 0.5, -1], noise=0.3, normalised=True)])
def test_noise_terms_are_polynomials(system):
    network, quiet = (fs.finite_width(system, m=7, gamma=g) for g in (0.3, 0.0))
    R, Q, a = 0.35, 0.3, -1.4
    rows = [[sum(float(v.p) / float(v.q) * R**k for k, v in enumerate(p.coeffs())) for p in part]
            for part in noise_terms(system)]  # fmt: skip
    b, k = network.network.b, np.arange(1, len(network.network.b) + 1)
    spread = ((b**2).sum() - (b**2 * R ** (2 * k)).sum()) / 7
    slopes = (k * b**2).sum(), (k * b**2 * R ** (2 * k - 2)).sum()
    D1, D2 = (a**2 * (p[0] + a * p[1] + a**2 * (p[2] + spread * slope)) for p, slope in zip(rows, slopes, strict=True))
    difference = (network.rates([R, Q, a])[0] - quiet.rates([R, Q, a])[0]) / network.noise_rate
    assert difference == pytest.approx([-0.5 * D1 * R, D2 - D1 * Q, 0.0], rel=1e-12, abs=1e-12)


def test_without_noise_the_teacher_lies_in_the_span(wide):
    """Q = (R^2 - 1/m)/(1 - 1/m) and a = S'/(R Y'(Q)) on the nontrivial branch."""
    arc = next(arc for arc in wide.arcs if arc.a[0] > 0 and np.ptp(arc.R) > 0.9)
    assert pytest.approx((arc.R**2 - 1 / 4000) / (1 - 1 / 4000), abs=1e-12) == arc.Q
    slope = np.polynomial.polynomial.polyval(arc.Q, [1, 4, 18])
    assert arc.a == pytest.approx(wide.network.system.S(arc.R, 1) / (arc.R * slope))


def test_manifold_is_where_the_fast_field_vanishes(noisy):
    network = noisy.network
    assert (
        not noisy.unmet and noisy.certified and {arc.fast_stability for arc in noisy.arcs} == {"attracting", "saddle"}
    )
    for arc in noisy.arcs:
        for k in range(0, len(arc.a), 7):
            du, jacobian = network.rates((arc.R[k], arc.Q[k], arc.a[k]))
            assert abs(du[:2]).max() < 1e-9 * (1 + arc.a[k] ** 2)
            up = (np.linalg.eigvals(jacobian[:2, :2]).real > 0).sum()
            assert up == (arc.fast_stability == "saddle") or k in (0, len(arc.a) - 1)
    folds = noisy.of_kind("fold")
    assert len(folds) == 2
    for fold in folds:
        du, jacobian = network.rates(fold.state)
        fast = jacobian[:2, :2]
        assert abs(du[:2]).max() < 1e-13 and abs(np.linalg.det(fast)) < 1e-7 * np.linalg.norm(fast) ** 2


def test_folds_and_equilibria_tend_to_those_of_infinite_width():
    wide = [fs.finite_width_manifold("fig7", m=m, window=(0.05, 3)) for m in (10**4, 10**5)]
    exact = [p for p in fs.analyze("fig7").points if p.kind == "fold" and p.y > 0]
    gaps = [[min(abs(f.a - p.y) for f in manifold.of_kind("fold") if f.a > 0) for p in exact] for manifold in wide]
    assert np.divide(gaps[0], gaps[1]) == pytest.approx(10.0, rel=0.1) and np.max(gaps[1]) < 1e-2
    saddle = next(e for e in wide[1].equilibria if e.stability.startswith("saddle") and e.a > 0)
    assert abs(saddle.R - 0.35978) < 1e-3 and abs(saddle.a - 0.6901) < 1e-3


@pytest.mark.parametrize(("m", "gamma"), [(20, 0.0), (500, 1.0)])
def test_equilibria_are_all_that_newton_finds(m, gamma):
    network = fs.finite_width("fig7", m=m, gamma=gamma)
    found, proved = equilibria(network)
    assert proved
    rng, seen = np.random.default_rng(1), set()
    for _ in range(60):
        R = rng.uniform(-1, 1)
        s = rng.uniform(R * R, 1)
        u = np.array([R, (s - 1 / m) / (1 - 1 / m), rng.normal(0, 2)])
        for _ in range(40):
            du, jacobian = network.rates(u)
            step = np.linalg.solve(jacobian + 1e-300, -du)
            u = u + step * min(1.0, 0.5 / max(abs(step).max(), 1e-9))
        possible = 1 / m + (1 - 1 / m) * u[1] >= u[0] ** 2 - 1e-9 and u[1] <= 1 + 1e-9 and abs(u[0]) <= 1 + 1e-9
        if abs(network.rates(u)[0]).max() < 1e-10 and possible and abs(u[2]) > 1e-3:
            near = [e.id for e in found if np.allclose(e.state, u, atol=1e-6)]
            assert near, u
            seen.add(near[0])
    assert len(seen) >= 2
    for e in found:
        assert abs(network.rates(e.state)[0]).max() < 1e-11 and e.radius < 1e-9


def test_a_perfect_copy_is_a_multiple_equilibrium_and_not_called_proved(wide):
    assert not wide.certified
    copy = next(e for e in wide.equilibria if not e.certified)
    assert tuple(copy.state) == (-1, 1, -1) and copy.verdict == "learning"


def test_slope_in_the_width_is_exact():
    network = fs.finite_width(ODD, m=12, gamma=0.4)
    p = np.concatenate((network.parameters, [0.4, 1.0]))
    u, step = np.array([0.4, 0.3, 0.2, -np.log(12)]), 1e-6

    def at(v):
        residual, jacobian, tests = np.zeros(3), np.zeros((3, 4)), np.zeros(1)
        equilibrium_curve(v, p, residual, jacobian, tests)
        return residual, jacobian

    numeric = [(at(u + step * e)[0] - at(u - step * e)[0]) / (2 * step) for e in np.eye(4)]
    assert at(u)[1] == pytest.approx(np.transpose(numeric), rel=1e-7, abs=1e-7)


def test_threshold_lies_on_the_stable_manifold(wide):
    fates = fs.finite_width_thresholds(wide, between=(4, 6), samples=3)
    (threshold,) = [t for t in fates.thresholds if t.a0 > 0]
    assert (
        (threshold.below, threshold.above) == ("learning", "unlearning")
        and threshold.error < 1e-9
        and threshold.a0 == pytest.approx(4.680536769, abs=1e-8)
    )
    saddle = next(e for e in wide.equilibria if e.id == threshold.saddle)
    assert saddle.stability == "saddle, 1 unstable"
    # beside the saddle the orbit leaves along its unstable direction, more slowly the nearer the start
    ends = [fates.predict(threshold.a0 * (1 + d)).verdict for d in (-1e-6, 1e-6)]
    assert ends == ["learning", "unlearning"]
    assert [wide.network.rest(threshold.a0 * (1 + d)).verdict for d in (-1e-6, 1e-6)] == ends
    with pytest.raises(fs.InputError, match="range of starts"):
        fates.predict(7)


def test_singular_orbits_predict_the_full_system(wide, noisy):
    for manifold, a0s in ((wide, (1, 4, 5, 8)), (noisy, (0.5, 1, 3, -1))):
        for a0 in a0s:
            orbit, rest = singular_orbit(manifold, a0), manifold.network.rest(a0)
            assert orbit.verdict == rest.verdict
            place = next(e for e in manifold.equilibria if e.id == orbit.equilibrium)
            assert place.state == pytest.approx([rest.R, rest.Q, rest.a], rel=1e-6)
            jump = orbit.segments[0]
            assert jump.kind == "jump" and jump.start == (0, 0, a0) and jump.end[2] == a0
    # where the slow rate is not small the two disagree: Figure 7 at small a0
    assert singular_orbit(noisy, 0.2).verdict == "learning" and noisy.network.rest(0.2).verdict == "unlearning"


def test_critical_width_of_figure_6_right():
    """Learning at 500 and 1000, unlearning from 4000 on: the place where it ends is born at 3851.41."""
    found = fs.width_diagram("fig6-right", (1000, 20_000), a0=(5,), samples=3)
    (node,) = [p for p in found.points if p.kind == "saddle-node"]
    below, above = (equilibria(fs.finite_width("fig6-right", m=node.m * (1 + d)))[0] for d in (-1e-4, 1e-4))
    assert len(above) == len(below) + 2 and node.m == pytest.approx(3851.41, abs=0.01)
    (change,) = found.critical[5]
    assert (change.below, change.above) == ("learning", "unlearning") and change.cause.startswith("stable manifold")
    assert node.m < change.m < 1.001 * node.m
    fates = [fs.finite_width("fig6-right", m=change.m * (1 + d)).rest(5).verdict for d in (-1e-6, 1e-6)]
    assert fates == ["learning", "unlearning"]


def test_noise_can_make_an_oscillation():
    """No equilibrium attracts: folds on both sides of the only one, and the orbit turns for ever."""
    system = fs.TwoLayer([1] * 7, [1, 0, 0, 0, 0, 0, "1/2"])
    network = fs.finite_width(system, m=10**5, gamma=1e-3)
    manifold = fs.finite_width_manifold(network)
    assert manifold.certified and all(e.stability == "saddle, 2 unstable" for e in manifold.equilibria)
    assert singular_orbit(manifold, 10).verdict == "relaxation oscillation"
    course = network.solve(10, np.linspace(0, 300, 3001))
    late = course.a[1500:]
    low, high = sorted(p.a for p in manifold.of_kind("fold") if p.a > 0)
    assert (np.diff(np.sign(np.diff(late))) != 0).sum() > 20 and low * 0.95 < late.min() and late.max() < high * 1.05


def test_command_and_picture(wide, capsys, tmp_path):
    command = ["finite-width", "fig7", "--m", "500", "--a0", "0.2,1", "--between", "0.5,2", "-o", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and document["schema"] == "fastslow.finite-width/1" and document["certified"]
    assert [(o["a0"], o["singular"], o["verdict"]) for o in document["orbits"]] == [
        (0.2, "learning", ""), (1, "unlearning", "unlearning"),
    ]  # fmt: skip
    assert json.loads((tmp_path / "finite-width.json").read_text()) == document
    assert (tmp_path / "finite-width.png").read_bytes().startswith(b"\x89PNG")
    assert "Equilibria with a != 0 (all proved)" in (tmp_path / "finite-width.txt").read_text()
    plane = finite_width_figure(wide, starts=(5,)).axes[0]
    assert any(line.get_label() == "unlearning" for line in plane.get_lines())


def test_pictures_on_axes_of_ones_own(wide):
    plane, widths = Figure().subplots(1, 2)
    assert finite_width_plane(plane, wide, starts=(4.6,)) is plane
    assert any(line.get_label() == "learning" for line in plane.get_lines())
    assert width_equilibria(widths, fs.width_diagram("fig6-right", (3000, 6000)), m=4000) is widths
    (born,) = [mark.get_offsets()[0] for mark in widths.collections]
    assert tuple(born) == pytest.approx((3851.41, 5.01585), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: fs.finite_width_manifold("fig7", m=1), "m"),
        (lambda: fs.finite_width_manifold("fig7"), "m"),
        (lambda: fs.finite_width_manifold("fig7", m=10, window=(2, 1)), "window"),
        (lambda: fs.finite_width_thresholds("fig7", m=10, between=(0, 1)), "between"),
        (lambda: fs.finite_width_thresholds("fig7", m=10, overlap=1), "overlap"),
        (lambda: fs.finite_width_thresholds("fig7", m=10, samples=1), "samples"),
        (lambda: fs.width_diagram("fig7", (1, 10)), "between"),
    ],
)
def test_bad_input_is_refused(call, field):
    with pytest.raises(fs.InputError) as error:
        call()
    assert error.value.field == field
