"""The flow graph of the full system: every half of every saddle's manifolds, beside the singular limit."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.full_graph import full_graph
from fastslow.separatrices.halves import Backward, Forward, separatrices, time_reversed
from tests import naive

FIVE = [1] * 5


def graph_of(system):
    return full_graph(Settling(critical_manifold(system)))


def joined(graph):
    return {(e.start, e.end, e.kind, e.side) for e in graph.edges}


def test_every_edge_of_figure_4():
    """E2 = (0, 0), E3 is on the branch, E1 and E4 on R = -1 and 1; I1, I2 are at R = 0, I3, I4 at 1, I5, I6 at -1."""
    graph = graph_of(fs.TwoLayer(FIVE, [1, -1, 1, 1, 1]))
    assert joined(graph) == {
        ("E2", "E4", "unstable", 1),
        ("E2", "E1", "unstable", -1),
        ("I3", "E2", "stable", 1),
        ("I6", "E2", "stable", -1),
        ("E3", "E4", "unstable", 1),
        ("E3", "I2", "unstable", -1),
        ("I4", "E3", "stable", 1),
        ("I6", "E3", "stable", -1),
        ("I3", "E4", "line", 0),
        ("I4", "E4", "line", 0),
        ("I5", "E1", "line", 0),
        ("I6", "E1", "line", 0),
    }
    assert graph.differences == ()
    assert [(b.verdict, b.destination) for b in graph.basins] == [
        ("learning", "E1"),
        ("learning", "E4"),
        ("unlearning", "I2"),
    ]


def test_figure_7_differs_from_its_singular_limit():
    graph = graph_of(fs.TwoLayer([1, 1, 1], [1, -2, 1]))
    fold = min(float(y) for x, y, _ in naive.Network([1, 1, 1], [1, -2, 1]).folds() if x > 0)
    assert graph.differences == (
        "from E3 to larger R the singular limit gives learning (E5), the full system unlearning (I2)",
        f"for 0 < a0 < {fold:.9g} the singular limit gives learning (E5), the full system unlearning (I2)",
    )
    slow = graph_of(fs.TwoLayer([1, 1, 1], [1, -2, 1], "1/10"))
    assert slow.differences == ()
    # What moves is one edge, and with it a threshold appears.
    assert joined(graph) - joined(slow) >= {("E3", "I2", "unstable", 1)}
    assert ("E3", "E5", "unstable", 1) in joined(slow)
    assert len([t for t in graph.thresholds if t.y > 0]) == 0
    assert len([t for t in slow.thresholds if t.y > 0]) == 1


@pytest.mark.parametrize(
    ("c", "c_star", "rate"),
    [(FIVE, [1, -1, 1, 1, 1], 1.0), ([1, 1, 1], [1, -2, 1], 1.0), ([1, 1, 1], [-1, -2, 1], 0.2)],
)
def test_ends_against_scipy(c, c_star, rate):
    """Each half by Radau from 1e-5 beside its saddle, along numpy's eigenvectors, forward or backward."""
    system = fs.TwoLayer(c, c_star, rate)
    manifold, network = critical_manifold(system), naive.Network(c, c_star)
    S, T = ([float(v) for v in p] for p in (network.S, network.T))
    S1, T1 = ([float(v) for v in p] for p in (network.S1, network.T1))
    graph, checked = graph_of(system), 0
    places = {p.id: (p.x, p.y) for p in manifold.points}

    def field(_, u):
        R, a = np.clip(u[0], -1, 1), u[1]
        fast = a * (1 - R * R) * (2 * naive.value(S1, R) - a * naive.value(T1, R)) / 2
        return np.array([fast, rate * (naive.value(S, R) - a * naive.value(T, R))])

    def far(_, u):
        return abs(u[1]) - 200.0

    far.terminal = True
    for point in (p for p in manifold.of_kind(Kind.EQUILIBRIUM) if p.stability == "saddle" and abs(p.x) < 1):
        values, vectors = np.linalg.eig(system.jacobian(point.x, point.y))
        for value, vector in zip(values, vectors.T, strict=True):
            vector = vector if vector[0] > 0 else -vector
            for side in (1, -1):
                kind, sign = ("unstable", 1.0) if value > 0 else ("stable", -1.0)
                start = np.array([point.x, point.y]) + side * 1e-5 * vector
                run = solve_ivp(
                    lambda t, u, s=sign: s * field(t, u), (0, 1e5), start, method="Radau",
                    rtol=1e-9, atol=1e-12, events=far,
                )  # fmt: skip
                (edge,) = [
                    e for e in graph.edges
                    if e.kind == kind and e.side == side and (e.start if kind == "unstable" else e.end) == point.id
                ]  # fmt: skip
                x, y = places[edge.end if kind == "unstable" else edge.start]
                R, a = run.y[:, -1]
                if math.isinf(y):
                    assert a * y > 0 and (abs(a) > 5 or kind == "stable"), edge
                    assert abs(R - x) < 0.2, edge
                else:
                    assert (R, a) == pytest.approx((x, y), abs=1e-4), edge
                checked += 1
    assert checked >= 8


def test_edges_follow_the_symmetry():
    """(R, a) -> (-R, a): the edges of the mirror image are the mirrored ones, by the places of their ends."""

    def places(c_star):
        system = fs.TwoLayer([1, 1, 1], c_star, "1/2")
        at = {p.id: (p.x, p.y) for p in critical_manifold(system).points}
        return {(at[e.start], at[e.end], e.kind, e.side) for e in graph_of(system).edges}

    mirrored = {((-a, b), (-x, y), kind, -side) for (a, b), (x, y), kind, side in places([1, -2, 1])}
    ours = places([-1, -2, -1])
    rounded = [
        sorted((tuple(np.round(a, 9) + 0.0), tuple(np.round(b, 9) + 0.0), k, s + 0) for a, b, k, s in edges)
        for edges in (ours, mirrored)
    ]
    assert rounded[0] == rounded[1]


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_graph_does_not_depend_on_units(scale):
    """c* -> s c*, a -> s a, slow rate -> s^2 slow rate."""
    for c_star in ([1, -1, 1, 1, 1], [1, -2, 1, 0, 0]):
        one, other = (graph_of(fs.TwoLayer(FIVE, [s * v for v in c_star], s**2)) for s in (1, scale))
        assert joined(one) == joined(other)
        assert len(one.differences) == len(other.differences) == (0 if c_star[1] == -1 else 2)


def test_the_separatrices_of_a_saddle_node():
    """A double root of alpha at R = 1/2: two strong stable halves and one half of the centre manifold."""
    system = fs.TwoLayer([1, 1, 1], [1, "-8/19", "23/57"])
    graph = graph_of(system)
    assert {e for e in joined(graph) if "E4" in (e[0], e[1]) and e[2] == "stable"} == {
        ("I4", "E4", "stable", 1),
        ("I6", "E4", "stable", -1),
    }
    assert {e for e in joined(graph) if e[0] == "E4"} == {("E4", "I2", "unstable", -1)}
    (threshold,) = graph.thresholds
    assert (threshold.below_node, threshold.above_node) == ("E4", "I2")


def test_energy_falls_along_every_half():
    system = fs.TwoLayer([1, 1, 1], [1, -2, 1])
    manifold = critical_manifold(system)
    halves = separatrices(Forward(manifold), Backward(manifold))
    assert len(halves) == 9
    for half in halves:
        energy = system.energy(*half.path())
        steps = np.diff(energy) if half.kind == "unstable" else -np.diff(energy)
        assert steps.max() <= 1e-9 * abs(energy).max()
        assert half.end is not None


def test_halves_are_tangent_to_the_eigenvectors():
    """J v = value v for the first step of each half, at several slow rates."""
    for rate in (Fraction(1, 50), 1, 20):
        system = fs.TwoLayer(FIVE, [1, -1, 1, 1, 1], rate)
        manifold = critical_manifold(system)
        for half in separatrices(Forward(manifold, rtol=1e-6), Backward(manifold, rtol=1e-6)):
            v = np.array([float(half.start.fast) - half.saddle.x, float(half.start.slow) - half.saddle.y])
            wanted = (max if half.kind == "unstable" else min)(e.real for e in half.saddle.eigenvalues)
            image = system.jacobian(half.saddle.x, half.saddle.y) @ v
            np.testing.assert_allclose(image, wanted * v, rtol=1e-5, atol=1e-5 * abs(wanted) * np.abs(v).max())


def test_reversal_twice_changes_nothing():
    manifold = critical_manifold(fs.TwoLayer([1, 1, 1], [1, -2, 1]))
    once = time_reversed(manifold)
    twice = time_reversed(once)
    assert [a.flow for a in once.arcs] == [-a.flow for a in manifold.arcs]
    assert [a.source.id for a in once.arcs if a.flow] == [a.target.id for a in manifold.arcs if a.flow]
    for a, b in zip(manifold.arcs, twice.arcs, strict=True):
        assert (a.id, a.flow, a.stability, a.start.id, a.end.id) == (b.id, b.flow, b.stability, b.start.id, b.end.id)
    for p, q in zip(manifold.points, twice.points, strict=True):
        assert (p.id, p.stability, p.eigenvalues) == (q.id, q.stability, q.eigenvalues)
    assert once.system.f(0.3, 0.7) == -manifold.system.f(0.3, 0.7)
    assert once.system.energy(0.3, 0.7) == -manifold.system.energy(0.3, 0.7)


def test_edges_that_leave_the_window_or_go_to_infinity_say_so():
    graph = graph_of(fs.FastSlowSystem(["x - y"], "-y", start_fast=1, slow_rate="1/10"))
    assert {(e.start, e.end, e.kind, e.note) for e in graph.edges} == {
        ("E1", "", "unstable", "leaves the window of x at its upper edge"),
        ("E1", "", "unstable", "leaves the window of x at its lower edge"),
        ("", "E1", "stable", "enters the window of x at its upper edge"),
        ("", "E1", "stable", "enters the window of x at its lower edge"),
    }
    line = graph_of(fs.FastSlowSystem(["-x"], "y - x", start_fast=1))
    assert {(e.start, e.end) for e in line.edges if e.kind == "line"} == {("E1", "I1"), ("E1", "I2")}


def test_a_system_without_saddles_has_no_separatrices():
    graph = graph_of(fs.van_der_pol())
    assert graph.edges == () and graph.thresholds == ()


def test_the_analysis_keeps_the_graph():
    result = fs.analyze("fig7", a0=[1])
    assert len(result.full_flow.edges) == 13
    assert len(result.full_flow.differences) == 2
    assert "The full system differs: from E3 to larger R" in result.summary()
    saddle = result.point("E4")
    for edge in result.full_flow.edges:
        if edge.kind != "line" and "E4" in (edge.start, edge.end):
            assert (edge.x[0], edge.y[0]) == (saddle.x, saddle.y)
            assert len(edge.x) == len(edge.y) >= 2
