"""How singular orbits pass points where two graphs cross, against the full system at a small slow rate."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.flow_graph import flow_graph
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow
from fastslow.ode.trajectories import Settling
from fastslow.systems.system import Start

CASES = [
    # f, g, start, a height beyond the crossing (None after a jump), x there
    ("(x - y)*(x - 2*y)", "-1", (0, "3/2"), None, 3),
    ("-(x - y)*(x - 2*y)", "-1", (3, 1), "-3/10", "-3/10"),
    ("(x - y)*(x + 2*y)", "1", (0, "-6/5"), "3/10", "-3/5"),
    ("(x - y)*(y - (x - y)**2)", "1", (0, "-3/2"), "1/4", "-1/4"),
    ("(x + y)*(y - (x + y)**2)", "1", (0, "-3/2"), "1/4", "1/4"),
    ("(x - y)*(y - (x - y)**2)", "-1", (3, 1), "-3/10", "-3/10"),
    ("(x - y)*(y + (x - y)**2)", "1", (-1, "-1/2"), None, -3),
    ("(x + y)*(y + (x + y)**2)", "1", (1, "-1/2"), None, 3),
]


@pytest.mark.parametrize("unit", ["1", "exp(y/2)"])
@pytest.mark.parametrize(("f", "g", "start", "height", "x"), CASES)
def test_passages_are_those_of_the_full_system(f, g, start, height, x, unit):
    """Transcritical points with ratios 3, -3, 1/3, and pitchfork points whose middle branch is no line; K.-S. 2001."""
    options = {"slow_rate": "1/10000", "window": ((-3, 3), (-2, 2))}
    system = fs.FastSlowSystem(f if unit == "1" else f"({f})*{unit}", g if unit == "1" else f"({g})*{unit}", **options)
    manifold, begin = fs.critical_manifold(system), Start(*map(Fraction, start))
    orbit, run = SingularFlow(manifold).orbit(begin), Settling(manifold).run(begin)
    (crossing,) = manifold.of_kind("crossing")
    at = next(k for k, segment in enumerate(orbit.segments) if segment.node is crossing)
    after = orbit.segments[at + 1]
    if height is None:
        assert (after.kind, after.end[0]) == (SegmentKind.JUMP, x)
        assert run.end == (pytest.approx(x), pytest.approx(0.0, abs=0.05))
    else:
        assert after.kind is SegmentKind.SLOW
        assert np.interp(float(Fraction(height)), *_sorted(after.arc.y, after.arc.x)) == pytest.approx(
            float(Fraction(x)), abs=1e-3
        )
        assert np.interp(float(Fraction(height)), *_sorted(run.y, run.x)) == pytest.approx(float(Fraction(x)), abs=0.01)
    assert not orbit.undecided


def _sorted(y, x):
    order = np.argsort(y, kind="stable")
    return np.asarray(y)[order], np.asarray(x)[order]


def test_jumps_at_crossings_are_edges_of_the_graph():
    system = fs.FastSlowSystem(["2 - x", "x - y", "x - 2*y"], "-1", slow_rate="1/100")
    flow = SingularFlow(fs.critical_manifold(system))
    (crossing,) = (p for p in flow.manifold.of_kind("crossing") if p.x == 0.0)
    jumps = [edge for edge in flow_graph(flow).edges if edge.start == crossing.id and edge.kind is SegmentKind.JUMP]
    assert [edge.landing for edge in jumps] == [(2.0, 0.0)]


def test_what_the_theory_leaves_open_is_undecided():
    """A ratio of one between two graphs is a canard: which way it ends, higher orders decide."""
    system = fs.FastSlowSystem(["x - y - y**3", "x + y**2 - x**2"], "-1", window=(-3, 3), slow_rate="1/100")
    orbit = SingularFlow(fs.critical_manifold(system)).orbit(Start(Fraction(-1, 2), Fraction(1, 2)))
    assert orbit.verdict.startswith("undecided: passage through the crossing")
