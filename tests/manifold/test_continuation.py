"""Traced curves against exact answers."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fastslow.errors import InputError
from fastslow.manifold.continuation import ContinuationOptions, StopReason, trace_curve
from tests import problems

BOX = {"lower": (-2.0, -2.0), "upper": (2.0, 2.0)}


def folds(curve, coordinate=None):
    return [e.point for e in curve.events if e.kind == "fold" and coordinate in (None, e.coordinate)]


def check_consistency(curve):
    """What holds for every curve."""
    assert np.all(np.diff(curve.arclength) > 0.0)
    assert_allclose(np.linalg.norm(curve.tangents, axis=1), 1.0, rtol=1e-12)
    steps = np.diff(curve.points, axis=0) / curve.scales
    assert np.all(np.einsum("ij,ij->i", steps, curve.tangents[:-1]) > 0.0)
    assert np.all(np.einsum("ij,ij->i", steps, curve.tangents[1:]) > 0.0)
    positions = [event.arclength for event in curve.events]
    assert positions == sorted(positions)
    for event in curve.events:
        assert curve.arclength[event.index] - 1e-12 <= event.arclength
        assert event.arclength <= curve.arclength[min(event.index + 1, len(curve.points) - 1)] + 1e-9


def test_circle():
    curve = trace_curve(problems.circle, [1.0], [0.9, 0.4], **BOX, fold_coordinates=(0, 1), scales=(1.0, 1.0))
    check_consistency(curve)
    assert curve.closed
    assert np.array_equal(curve.points[0], curve.points[-1])
    assert curve.stop_reasons == (StopReason.CLOSED, StopReason.CLOSED)
    assert_allclose(curve.arclength[-1], 2.0 * math.pi, rtol=1e-8)
    assert curve.max_residual < 1e-15
    assert_allclose(np.abs(folds(curve, 0)), [[1.0, 0.0]] * 2, atol=1e-14)
    assert_allclose(np.abs(folds(curve, 1)), [[0.0, 1.0]] * 2, atol=1e-14)
    quarters = np.diff([event.arclength for event in curve.events])
    assert_allclose(quarters, 0.5 * math.pi, rtol=1e-7)


def test_a_circle_that_touches_all_edges_of_its_window_is_closed():
    curve = trace_curve(problems.circle, [1.0], [0.6, 0.8], lower=(-1, -1), upper=(1, 1), fold_coordinates=(0, 1))
    assert curve.closed
    assert len(curve.events) == 4


def test_events_in_one_step_are_all_reported_in_order():
    angle = 0.3
    p = [1.0, math.cos(angle), math.sin(angle + 1e-7)]
    curve = trace_curve(problems.circle, p, [1.0, 0.0], **BOX, test_names=("first", "second"))
    check_consistency(curve)
    near = [e for e in curve.events if np.all(e.point > 0.0)]
    assert {e.kind for e in near} == {"first", "second"}
    assert near[0].index == near[1].index
    for event in near:
        x = math.cos(angle) if event.kind == "first" else math.cos(angle + 1e-7)
        assert_allclose(event.point[0], x, rtol=1e-14)


@pytest.mark.parametrize("start", [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)])
def test_a_fold_at_the_start_is_reported_once(start):
    curve = trace_curve(problems.circle, [1.0], start, **BOX, fold_coordinates=(0, 1))
    assert curve.closed
    assert len(curve.events) == 4
    half = trace_curve(problems.cubic, [1.0], (1.0, -2.0 / 3.0), **BOX, fold_coordinates=(1,))
    assert len(half.events) == 2


def test_a_start_where_a_coordinate_only_pauses_is_no_fold():
    flat = trace_curve(problems.cusp_section, [0.0], (0.0, 0.0), lower=(-1, -1), upper=(1, 1), fold_coordinates=(1,))
    assert not flat.events
    straight = trace_curve(problems.sharp_corner, [0.0], (1.0, 0.0), **BOX, fold_coordinates=(1,))
    assert [event.kind for event in straight.events] == ["branch point"]


def test_lemniscate_is_a_figure_eight():
    curve = trace_curve(problems.lemniscate, [0.0], [1.0, 0.1], **BOX, fold_coordinates=(1,), scales=(1, 1))
    check_consistency(curve)
    assert curve.closed
    # the lemniscate constant: half of the length of the unit lemniscate
    assert_allclose(curve.arclength[-1], 2.0 * 2.622057554292119, rtol=1e-7)
    branch_points = [e.point for e in curve.events if e.kind == "branch point"]
    assert len(branch_points) == 2
    assert_allclose(branch_points, np.zeros((2, 2)), atol=1e-14)
    tops = math.sqrt(0.125)
    assert_allclose(np.abs(folds(curve, 1)), [[math.sqrt(0.375), tops]] * 4, rtol=1e-13)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-10, -1e-3, -1e-6, -1e-10])
def test_nearly_a_lemniscate_has_no_branch_point(gap):
    curve = trace_curve(problems.lemniscate, [gap], [1.0, 0.1], **BOX)
    check_consistency(curve)
    assert curve.closed
    assert not curve.events
    # two ovals below zero, one waist above
    assert (curve.points[:, 0].min() > 0.0) == (gap < 0.0)


def test_cubic():
    curve = trace_curve(problems.cubic, [1.0], [-1.5, 0.4], lower=(-3, -3), upper=(3, 3), fold_coordinates=(0, 1))
    check_consistency(curve)
    assert curve.stop_reasons == (StopReason.WINDOW, StopReason.WINDOW)
    assert_allclose(folds(curve, 1), [[-1.0, 2.0 / 3.0], [1.0, -2.0 / 3.0]], rtol=1e-13)
    assert not folds(curve, 0)
    assert np.abs(curve.points[[0, -1], 1]).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("lam", [1.0, 1e-2, 1e-4, 1e-6])
def test_folds_near_a_cusp_are_a_pair(lam):
    curve = trace_curve(problems.cusp_section, [lam], [-0.8, 0.0], lower=(-1, -1), upper=(1, 1), fold_coordinates=(1,))
    x = math.sqrt(lam / 3.0)
    mu = 2.0 * x**3
    assert_allclose(folds(curve), [[-x, mu], [x, -mu]], rtol=1e-9, atol=1e-13)
    if lam == 1.0:
        assert_allclose(
            folds(curve), [[-0.577350269190, 0.384900179460], [0.577350269190, -0.384900179460]], rtol=1e-11
        )


def test_curve_of_folds_through_a_cusp():
    curve = trace_curve(
        problems.cusp_folds, [0.0], [0.4, -0.1, 0.5], lower=(-1, -2, -3), upper=(1, 2, 3), fold_coordinates=(1, 2)
    )
    check_consistency(curve)
    x, mu, lam = curve.points.T
    assert_allclose(mu, -2.0 * x**3, atol=1e-14)
    assert_allclose(lam, 3.0 * x * x, atol=1e-14)
    assert_allclose(curve.points[[0, -1]], [[1.0, -2.0, 3.0], [-1.0, 2.0, 3.0]][:: int(np.sign(x[0]))], atol=1e-14)
    # lam turns back at the cusp; mu only stops there
    assert_allclose([e.point for e in curve.events if e.coordinate == 2], [[0.0, 0.0, 0.0]], atol=1e-13)


def test_reactor():
    curve = trace_curve(problems.reactor, [0.0], [0.01, 0.01], lower=(0, 0), upper=(1, 1), fold_coordinates=(1,))
    exact = [[1.0 / 3.0, 0.5 * math.exp(-1.5)], [2.0 / 3.0, 2.0 * math.exp(-3.0)]]
    assert_allclose(folds(curve), exact, rtol=1e-13)


def test_bratu_with_five_inner_points():
    from scipy.optimize import fsolve

    curve = trace_curve(
        problems.bratu, [0.0], np.zeros(6), lower=[-1.0] * 5 + [0.0], upper=[8.0] * 5 + [5.0], fold_coordinates=(5,)
    )
    check_consistency(curve)
    assert curve.stop_reasons[0] == StopReason.WINDOW
    (fold,) = folds(curve)
    residual, jacobian = np.zeros(5), np.zeros((5, 6))

    def extended(z):
        problems.bratu(np.ascontiguousarray(z[:6]), np.zeros(1), residual, jacobian, np.zeros(0))
        return np.concatenate((residual, jacobian[:, :5] @ z[6:], [z[6:] @ z[6:] - 1.0]))

    guess = np.concatenate((np.sin(np.arange(1, 6) * math.pi / 6), [3.5], np.ones(5) / math.sqrt(5)))
    assert_allclose(fold, fsolve(extended, guess, xtol=1e-13)[:6], rtol=1e-11)
    assert_allclose(curve.points[:, 0], curve.points[:, 4], atol=1e-12)


def test_small_isola():
    curve = trace_curve(
        problems.circle, [0.01], [0.012, 0.0], **BOX, fold_coordinates=(1,), options=ContinuationOptions(max_step=0.02)
    )
    assert curve.closed
    assert_allclose(np.abs(folds(curve)), [[0.0, 0.01]] * 2, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-0.5, 0.5)] * 2, *[st.floats(0.01, 0.9)] * 2, st.floats(-0.95, 0.95)), st.floats(0, 6.3))
def test_quartic_ovals_are_closed_once(p, angle):
    start = (p[0] + 0.8 * p[2] * math.cos(angle), p[1] + 0.8 * p[3] * math.sin(angle))
    curve = trace_curve(problems.quartic_oval, p, start, **BOX, fold_coordinates=(0, 1))
    check_consistency(curve)
    assert curve.closed
    assert len(folds(curve, 0)) == 2
    assert len(folds(curve, 1)) == 2
    # once round the centre
    angles = np.unwrap(np.arctan2(curve.points[:, 1] - p[1], curve.points[:, 0] - p[0]))
    assert_allclose(abs(angles[-1] - angles[0]), 2.0 * math.pi, rtol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("size", [1e-4, 1e-8, 1e-12])
def test_sharp_corners_are_followed(size, sign):
    curve = trace_curve(problems.sharp_corner, [sign * size], [1.0, sign * size], **BOX)
    check_consistency(curve)
    assert not curve.events
    x, y = curve.points.T
    assert np.all(x > 0.0)
    assert_allclose(y * x, sign * size, rtol=1e-12)
    assert_allclose(np.sort(np.abs(curve.points[[0, -1]]), axis=None), [size / 2, size / 2, 2.0, 2.0], rtol=1e-11)


def test_a_crossing_is_passed_straight():
    curve = trace_curve(problems.sharp_corner, [0.0], [1.0, 0.0], **BOX)
    assert np.all(curve.points[:, 1] == 0.0)
    assert curve.points[[0, -1], 0].tolist() == [-2.0, 2.0]
    (event,) = curve.events
    assert event.kind == "branch point"
    assert_allclose(event.point, 0.0, atol=1e-15)


def test_a_pitchfork_in_three_variables():
    box = {"lower": (-1, -0.7, -2), "upper": (1, 0.6, 2), "fold_coordinates": (1,)}
    straight = trace_curve(problems.pitchfork, [0.0], (0.0, -0.5, -0.5), **box)
    assert np.all(straight.points[:, 0] == 0.0)
    assert straight.points[[0, -1], 1].tolist() == [-0.7, 0.6]
    assert [event.kind for event in straight.events] == ["branch point"]
    curved = trace_curve(problems.pitchfork, [0.0], (0.5, 0.25, 0.75), **box)
    assert_allclose(curved.points[:, 1], curved.points[:, 0] ** 2, atol=1e-14)
    assert {event.kind for event in curved.events} == {"branch point", "fold"}
    for event in (*straight.events, *curved.events):
        # a fold at a branch point is only located as well as the curve is defined there
        assert_allclose(event.point, 0.0, atol=1e-13 if event.kind == "branch point" else 1e-8)
    assert not trace_curve(problems.pitchfork, [1e-9], (0.0, -0.5, -0.5), **box).events


@pytest.mark.parametrize("gap", [3e-2, 1e-2, 1e-3, 3e-4, 1e-4])
@pytest.mark.parametrize("bend", [1.0, 8.0, 40.0])
def test_neighbouring_branches_are_not_mixed(gap, bend):
    for first_step in (1e-4, 2e-3, 2e-2):
        curve = trace_curve(
            problems.twins, [gap, bend], [0.0, 0.0], **BOX, options=ContinuationOptions(first_step=first_step)
        )
        x, y = curve.points.T
        assert_allclose(y, np.sin(bend * x) / bend, atol=1e-12)
        assert x[[0, -1]].tolist() == [-2.0, 2.0]


def test_very_different_scales():
    p = [1e8, 1e-8, 1e5]
    curve = trace_curve(
        problems.scaled_cubic, p, [-1.5e8, 0.4e-8], lower=(-3e8, -3e-8), upper=(3e8, 3e-8), fold_coordinates=(1,)
    )
    assert_allclose(folds(curve), [[-1e8, 2e-8 / 3.0], [1e8, -2e-8 / 3.0]], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(-8, 8), st.integers(-8, 8), st.integers(-8, 8))
def test_units_do_not_matter(k, m, rows):
    p = np.array([10.0**k, 10.0**m, 10.0**rows])
    reference = trace_curve(
        problems.scaled_cubic, [1.0, 1.0, 1.0], [-1.5, 0.4], lower=(-3, -3), upper=(3, 3), fold_coordinates=(1,)
    )
    curve = trace_curve(
        problems.scaled_cubic, p, [-1.5, 0.4] * p[:2], lower=-3.0 * p[:2], upper=3.0 * p[:2], fold_coordinates=(1,)
    )
    assert len(curve.points) == len(reference.points)
    assert_allclose(folds(curve) / p[:2], folds(reference), rtol=1e-12)


def test_small_values_are_relatively_accurate():
    curve = trace_curve(problems.exponential, [0.0], [1.0, 0.0], lower=(-1.0, -30.0), upper=(2.0, 1.0))
    x, y = curve.points.T
    assert x.min() < 1e-12
    assert_allclose(x, np.exp(y), rtol=1e-13)
    assert curve.points[0, 1] == -30.0


def test_the_edge_of_the_domain_is_a_reason():
    curve = trace_curve(problems.logarithm, [0.0], [0.5, -0.3], lower=(-1, -1), upper=(2, 2))
    assert curve.stop_reasons == (StopReason.DOMAIN, StopReason.WINDOW)
    assert "domain" in curve.status_sentence
    assert 0.0 < curve.points[0, 0] < 1e-8
    assert len(curve.points) < 1000


@settings(max_examples=80, deadline=None)
@given(st.tuples(*[st.floats(-1.2, -0.1)] * 2), st.tuples(*[st.floats(0.1, 1.2)] * 2), st.floats(0.0, 6.3))
def test_nothing_is_evaluated_outside_the_window(lower, upper, angle):
    start = (math.cos(angle), math.sin(angle))
    if not all(lo <= x <= hi for lo, x, hi in zip(lower, start, upper, strict=True)):
        return
    # A step may pass over a sliver outside the window that is thinner than its own sagitta (see the Notes).
    if any(abs(abs(bound) - 1.0) < 1e-3 for bound in (*lower, *upper)):
        return
    curve = trace_curve(problems.fenced_circle, (*lower, *upper), start, lower=lower, upper=upper)
    assert set(curve.stop_reasons) <= {StopReason.WINDOW, StopReason.CLOSED}
    if not curve.closed:
        for end in (curve.points[0], curve.points[-1]):
            assert np.any((end == lower) | (end == upper))


def test_a_start_on_the_edge():
    curve = trace_curve(problems.cubic, [1.0], [-1.0, 2.0 / 3.0], lower=(-1, -2), upper=(1, 2), fold_coordinates=(1,))
    assert curve.stop_reasons == (StopReason.WINDOW, StopReason.WINDOW)
    assert curve.start_index == 0
    assert_allclose(curve.points[[0, -1]], [[-1.0, 2.0 / 3.0], [1.0, -2.0 / 3.0]], rtol=1e-14)


@pytest.mark.parametrize(("options", "reason"), [({"max_length": 0.5}, "length"), ({"max_points": 7}, "max points")])
def test_limits(options, reason):
    curve = trace_curve(problems.cubic, [1.0], [0.0, 0.0], **BOX, options=ContinuationOptions(**options))
    assert curve.stop_reasons == (reason, reason)
    if reason == "length":
        assert_allclose(curve.arclength[-1], 1.0, rtol=1e-4)
    else:
        assert len(curve.points) == 13


def test_a_start_without_a_curve():
    curve = trace_curve(problems.circle, [5.0], [0.5, 0.5], **BOX)
    assert not curve.converged
    assert curve.stop_reasons[0] == StopReason.NO_START
    assert "nearer" in curve.status_sentence
    at_origin = trace_curve(problems.lemniscate, [0.0], [0.0, 0.0], **BOX)
    assert at_origin.stop_reasons[0] == StopReason.SINGULAR_START
    outside = trace_curve(problems.logarithm, [0.0], [-0.5, 0.0], **BOX)
    assert outside.stop_reasons[0] == StopReason.DOMAIN


def test_two_layer_network():
    curve = trace_curve(
        problems.two_layer, [1.0], [0.02, 4.5], lower=(1e-6, -20.0), upper=(1.0, 20.0), fold_coordinates=(1,)
    )
    found = sorted((x, math.sinh(v)) for x, v in folds(curve))
    assert_allclose(found, problems.TWO_LAYER_FOLDS, rtol=1e-12)
    assert curve.stop_reasons == (StopReason.WINDOW, StopReason.WINDOW)
    assert curve.points[:, 0].max() == 1.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start": [math.nan, 0.0]}, "start"),
        ({"start": [3.0, 0.0]}, "start"),
        ({"start": [0.5]}, "start"),
        ({"start": "here"}, "start"),
        ({"parameters": [math.nan]}, "parameters"),
        ({"lower": [2.0, -2.0]}, "lower"),
        ({"lower": [math.nan, -2.0]}, "lower"),
        ({"upper": [2.0]}, "upper"),
        ({"scales": [0.0, 1.0]}, "scales"),
        ({"fold_coordinates": [2]}, "fold_coordinates"),
        ({"test_names": "name"}, "test_names"),
    ],
)
def test_bad_input_is_named(change, field):
    arguments = {"parameters": [1.0], "start": [0.9, 0.4], **BOX} | change
    with pytest.raises(InputError) as caught:
        trace_curve(problems.circle, arguments.pop("parameters"), arguments.pop("start"), **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "options",
    [{"min_step": 0.0}, {"first_step": math.nan}, {"max_angle": 1.0}, {"max_length": -1.0}, {"max_points": 1}],
)
def test_bad_options_are_named(options):
    with pytest.raises(InputError):
        ContinuationOptions(**options)


def test_importing_brings_no_scipy():
    code = "import sys, numba; before = 'scipy' in sys.modules; import fastslow.manifold.continuation; "
    code += "sys.exit('scipy' in sys.modules and not before)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
