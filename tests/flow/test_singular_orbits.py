"""Singular orbits: known boundaries, brute force, the loss staircase, symmetries, starts exactly on a boundary."""

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastslow as fs
from fastslow.flow.flow_graph import basins_of
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.thresholds import thresholds
from fastslow.systems.system import Start
from tests import naive


def flow_of(c, c_star, **options):
    return SingularFlow(critical_manifold(fs.TwoLayer(c, c_star, **options)))


def from_axis(flow, a0):
    return flow.orbit(Start(Fraction(0), Fraction(a0)))


# Known boundaries ---------------------------------------------------------------------------------------

FIVE, SEVEN = [1] * 5, [1] * 7
BOUNDARIES = [  # c, c_star, the boundary a0 > 0 of the singular limit, what stands there
    (FIVE, [1, -1, 1, -1, 1], 4.514130551240373, Kind.EQUILIBRIUM),
    (FIVE, [1, -1, 1, 1, 1], 9.312353886016066, Kind.EQUILIBRIUM),
    (SEVEN, [1, 0, 0, 0, 0, 0, "1/2"], 9.017958430699256, Kind.EQUILIBRIUM),
    ([1, 1, 1], [1, -1, 1], 3.893796458832608, Kind.EQUILIBRIUM),
    ([1, 1, 1], [1, -2, 1], 0.3766204985257595, Kind.FOLD),
    ([1, 1, 1], [1, "-99/64", 1], 1.6923565778045804, Kind.EQUILIBRIUM),
]


@pytest.mark.parametrize(("c", "c_star", "boundary", "kind"), BOUNDARIES)
def test_boundary(c, c_star, boundary, kind):
    flow = flow_of(c, c_star)
    positive = [b for b in basins_of(flow) if b.high > 0]
    assert [b.verdict for b in positive] == ["learning", "unlearning"]
    assert positive[0].low == 0 and positive[1].high == math.inf
    assert positive[0].high == positive[1].low == pytest.approx(boundary, rel=1e-15)
    assert any(p.y == positive[1].low and p.is_a(kind) for p in flow.manifold.points)
    edge = Fraction(boundary)
    for share, verdict in ((-1e-12, "learning"), (1e-12, "unlearning"), (-0.5, "learning"), (1, "unlearning")):
        assert from_axis(flow, edge * (1 + Fraction(share))).verdict == verdict


def test_matched_teacher_unlearns_only_below():
    flow = flow_of(FIVE, FIVE)
    assert [b.verdict for b in basins_of(flow)] == ["unlearning", "learning", "learning"]
    assert from_axis(flow, "-4.5142").verdict == "unlearning"
    assert from_axis(flow, "-4.5141").verdict == "learning"


def test_figure_7_staircase():
    """a0 = 0.3: one jump over both folds to the branch or R = 1, then drift to (1, 1/3)."""
    orbit = from_axis(flow_of([1, 1, 1], [1, -2, 1]), "0.3")
    network = naive.Network([1, 1, 1], [1, -2, 1])
    _, R, a = naive.singular_fate(network, 0.3)
    assert (R, a) == pytest.approx((1, 1 / 3), rel=1e-2)
    assert orbit.end == (1.0, pytest.approx(1 / 3, rel=1e-15))
    assert [s.kind for s in orbit.segments] == [SegmentKind.JUMP, SegmentKind.SLOW]


def test_a_jump_at_a_fold():
    """From a0 between the fold (4.496) and the α-root (4.514) a drifts down to the fold and jumps there."""
    flow = flow_of(FIVE, [1, -1, 1, -1, 1])
    orbit = from_axis(flow, "4.505")
    fold = next(p for p in flow.manifold.points if p.kind is Kind.FOLD and 4 < p.y < 5)
    assert [s.kind for s in orbit.segments[:3]] == [SegmentKind.JUMP, SegmentKind.SLOW, SegmentKind.JUMP]
    assert orbit.segments[1].node is fold
    assert orbit.segments[2].start == (fold.x, fold.y)
    assert orbit.segments[2].end[1] == fold.y
    assert orbit.verdict == "learning"


# Brute force --------------------------------------------------------------------------------------------


def starts_for(network, seed):
    """Starts of both signs and many sizes, away from the heights of special points; none where heights crowd."""
    heights = network.heights()
    if any(0 < b - a < 5e-3 * max(abs(a), abs(b)) for a, b in itertools.pairwise(heights)):
        return []
    rng, largest = random.Random(seed), max(map(abs, heights))
    drawn = [sign * largest * 10 ** rng.uniform(-2.0, 0.3) for sign in (1, -1, 1, -1, 1)]
    return [a for a in drawn if all(abs(a - h) > 5e-3 * abs(h) for h in heights)]


@pytest.mark.parametrize("block", range(6))
def test_against_brute_force(block):
    tried = 0
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        c, c_star = naive.random_coefficients(seed, largest=6)
        network = naive.Network(c, c_star)
        starts = starts_for(network, seed)
        if not starts:
            continue
        flow = flow_of(c, c_star)
        for a0 in starts:
            orbit = from_axis(flow, a0)
            fate, R, a = naive.singular_fate(network, a0)
            assert orbit.verdict == fate, (seed, a0)
            if fate == "learning":
                # The staircase of 1e-3 steps stops within a few steps of the equilibrium, less sharply where flat.
                assert orbit.end == (pytest.approx(R, abs=2e-2), pytest.approx(a, rel=2e-2, abs=1e-3)), (seed, a0)
            else:
                assert orbit.end == (0.0, math.copysign(math.inf, a0))
            tried += 1
    assert tried >= 40


# The loss staircase ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2000, 2030))
def test_the_loss_falls_at_every_step_and_the_drops_add_up(seed):
    c, c_star = naive.random_coefficients(seed, largest=6)
    network, flow = naive.Network(c, c_star), flow_of(c, c_star, noise="1/2")
    largest = max(map(abs, network.heights()))
    for share in (0.03, 0.4, 1.7, -0.2, -1.2):
        a0 = Fraction(share * largest)
        orbit = from_axis(flow, a0)
        assert not orbit.undecided
        scale = float(network.teacher) + 1.0
        first = float(network.loss(Fraction(0), a0))
        if math.isinf(orbit.end[1]):
            last = float(sum(math.factorial(k) * v**2 for k, v in enumerate(network.c_star, start=1) if k >= 2) / 2)
        else:
            last = float(network.loss(*map(Fraction, orbit.end)))
        # |σ*|²/2 at R = 0: nothing in the first loss may depend on a0.
        assert first == float(network.teacher) / 2
        drops = [s.energy_drop for s in orbit.segments]
        size = max(scale, *(abs(float(s.start[1] ** 2 * naive.value(network.T, Fraction(s.start[0])))) for s in
                            orbit.segments))  # fmt: skip
        assert min(drops) >= -1e-14 * size
        assert math.fsum(drops) == pytest.approx(first - last, abs=1e-13 * size * len(drops))
        for a, b in itertools.pairwise(orbit.segments):
            assert a.end == b.start
        for s in orbit.segments:
            if s.kind is SegmentKind.JUMP:
                (R1, a), (R2, _) = s.start, s.end
                S = float(naive.value(network.S, Fraction(R2)) - naive.value(network.S, Fraction(R1)))
                T = float(naive.value(network.T, Fraction(R2)) - naive.value(network.T, Fraction(R1)))
                assert s.start[1] == s.end[1]
                assert -s.energy_drop == pytest.approx(-a * S + a * a * T / 2, abs=1e-13 * size)
                assert s.energy_drop > 0 or abs(R2 - R1) < 1e-3
            if s.delayed:
                assert abs(s.start[0]) == 1.0


# Symmetries -----------------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-4, 4),
    st.fractions(min_value=-3, max_value=3, max_denominator=9),
)


@st.composite
def systems(draw):
    k = draw(st.integers(2, 5))
    c = draw(st.lists(NUMBERS, min_size=k, max_size=k))
    c_star = draw(st.lists(NUMBERS, min_size=k, max_size=k))
    assume(c[0] and c_star[0] and any(a * b for a, b in zip(c[1:], c_star[1:], strict=True)))
    return c, c_star


def mirrored(c_star, sign_R, sign_a):
    """c* of the system in (sign_R R, sign_a a)."""
    return [sign_a * sign_R**k * v for k, v in enumerate(c_star, start=1)]


@pytest.mark.parametrize("signs", [(-1, 1), (1, -1), (-1, -1)])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=systems(), share=st.fractions(min_value="1/50", max_value=2, max_denominator=50))
def test_symmetry(signs, data, share):
    r, s = signs
    c, c_star = data
    one = flow_of(c, c_star)
    two = flow_of(c, mirrored(c_star, r, s))
    for kind in (Kind.FOLD, Kind.EQUILIBRIUM, Kind.CROSSING):
        mapped = sorted((r * p.x, s * p.y, p.multiplicity[kind], str(p.stability)) for p in one.manifold.of_kind(kind))
        direct = sorted((p.x, p.y, p.multiplicity[kind], str(p.stability)) for p in two.manifold.of_kind(kind))
        assert mapped == direct
    height = max(abs(p.y) for p in one.manifold.points if math.isfinite(p.y))
    for a0 in (share * Fraction(height), -share * Fraction(height)):
        a, b = from_axis(one, a0), from_axis(two, s * a0)
        assert a.verdict.split(" of ")[0] == b.verdict.split(" of ")[0]
        assert (r * a.end[0], s * a.end[1]) == pytest.approx(b.end, rel=1e-12)
        assert len(a.segments) == len(b.segments)
        for first, second in zip(a.segments, b.segments, strict=True):
            assert (r * first.end[0], s * first.end[1]) == pytest.approx(second.end, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("signs", [(-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize(
    ("c", "c_star"),
    [(FIVE, [1, -1, 1, 1, 1]), ([1, 1, 1], [1, -1, 1]), (SEVEN, [1, 0, 0, 0, 0, 0, "1/2"]), (FIVE, FIVE)],
)
def test_symmetry_of_thresholds(c, c_star, signs):
    r, s = signs
    c_star = [Fraction(v) for v in c_star]
    one, two = (thresholds(Settling(flow_of(c, v).manifold)) for v in (c_star, mirrored(c_star, r, s)))
    assert len(one) > 0
    by_height = sorted(one, key=lambda t: s * t.y)
    assert [s * t.y for t in by_height] == pytest.approx([t.y for t in two], rel=1e-13)
    sides = [(t.below, t.above) if s > 0 else (t.above, t.below) for t in by_height]
    assert sides == [(t.below, t.above) for t in two]
    assert [(r * t.saddle.x, s * t.saddle.y) for t in by_height] == [(t.saddle.x, t.saddle.y) for t in two]


# Exactly on a boundary ---------------------------------------------------------------------------------------


def with_root_at(R, what):
    """The rational s for which c = (1, 1, 1), c* = (1, s, 1) has its fold or α-root at R: both are linear in s."""
    at_0, at_1 = (naive.value(getattr(naive.Network([1, 1, 1], [1, s, 1]), what), R) for s in (0, 1))
    return at_0 / (at_0 - at_1)


@pytest.mark.parametrize(
    ("R", "what", "kind"), [(Fraction(1, 5), "alpha", Kind.EQUILIBRIUM), (Fraction(1, 4), "fold", Kind.FOLD)]
)
def test_a_start_exactly_on_a_boundary_is_undecided(R, what, kind):
    s = with_root_at(R, what)
    a0 = naive.Network([1, 1, 1], [1, s, 1]).h(R)
    flow = flow_of([1, 1, 1], [1, s, 1])
    (point,) = [p for p in flow.manifold.points if p.kind is kind and p.exact_x.exact == R]
    assert point.exact_y.exact == a0
    orbit = from_axis(flow, a0)
    assert orbit.verdict == f"undecided: on the separatrix of {point.id}"
    assert orbit.undecided and orbit.node is point
    tiny = Fraction(1, 10**30)
    assert from_axis(flow, a0 - tiny).verdict == "learning"
    assert from_axis(flow, a0 + tiny).verdict == "unlearning"


def test_text_of_a_start_is_exact():
    """The boundary is at 16/25: 0.64 as text is on it, the double 0.64 is a little above."""
    s = with_root_at(Fraction(1, 4), "fold")
    assert s == Fraction(-1531, 800)
    result = fs.analyze(fs.TwoLayer([1, 1, 1], [1, s, 1]), a0=["0.64", "16/25", 0.64, "0.6399999999999999999999999"])
    verdicts = [orbit.verdict.singular for orbit in result.orbits]
    assert verdicts[0] == verdicts[1] and verdicts[0].startswith("undecided: on the separatrix of F")
    assert Fraction(0.64) > Fraction(16, 25)
    assert verdicts[2:] == ["unlearning", "learning"]
    assert result.orbits[0].exact_start == ("0", "16/25")
    assert result.orbits[3].start == (0.0, 0.64)


def test_a_start_that_jumps_exactly_to_a_stable_node_is_at_its_end():
    """With c = (1, 1), c* = (1, s): α = 4 R³ (R - s), so the node is at (s, 1/s)."""
    flow = flow_of([1, 1], [1, "1/2"])
    orbit = from_axis(flow, 2)
    assert orbit.verdict == "learning" and orbit.end == (0.5, 2.0)
    assert [segment.kind for segment in orbit.segments] == [SegmentKind.JUMP]
    assert orbit.node.stability == "stable"


def test_van_der_pol_fold_met_by_the_first_jump():
    """From x < -1 at y = 2/3 the jump ends on the fold (-1, 2/3) itself; a = -3/2 makes it a true boundary."""
    flow = SingularFlow(critical_manifold(fs.van_der_pol("-3/2")))
    tiny = Fraction(1, 10**30)
    start = Start(Fraction(-5, 2), Fraction(2, 3))
    assert flow.orbit(start).verdict == "undecided: on the separatrix of F1"
    above, below = (flow.orbit(Start(start.fast, start.slow + d)) for d in (tiny, -tiny))
    assert above.verdict == below.verdict == "settles at E1"
    assert (len(above.segments), len(below.segments)) == (4, 2)
    assert flow.orbit(Start(start.fast, Fraction(2 / 3))).verdict == "settles at E1"


def test_van_der_pol_cycle():
    flow = SingularFlow(critical_manifold(fs.van_der_pol()))
    orbit = flow.orbit(Start(Fraction(2), Fraction(0)))
    assert orbit.verdict == "relaxation oscillation"
    jumps = [s for s in orbit.segments if s.kind is SegmentKind.JUMP]
    assert [s.start for s in jumps[1:3]] == [
        pytest.approx((1, -2 / 3), rel=1e-15),
        pytest.approx((-1, 2 / 3), rel=1e-15),
    ]
    assert [s.end for s in jumps[1:3]] == [
        pytest.approx((-2, -2 / 3), rel=1e-15),
        pytest.approx((2, 2 / 3), rel=1e-15),
    ]


def test_a_zero_start_is_refused():
    with pytest.raises(fs.InputError, match="a0 = 0: must not be zero"):
        from_axis(flow_of([1, 1], [1, 1]), 0)
