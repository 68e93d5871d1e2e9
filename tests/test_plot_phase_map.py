"""Pictures of phase maps: what is drawn is where it is."""

import numpy as np
import pytest

import fastslow as fs
from fastslow.plot.phase_map import LIMITS, axis_label, boundary_figure, phase_map_figure
from fastslow.plot.style import INK

AXES = "c_star[3]=-5:5:11", "a0=0.5:15:8"


@pytest.fixture(scope="module")
def found():
    return fs.phase_map("fig5-left", *AXES)


def _curves(axes, limit):
    style = LIMITS[limit]
    return [
        line for line in axes.lines if line.get_color() == style["color"] and line.get_linewidth() == style["linewidth"]
    ]


def test_cells_and_curves_are_where_they_are(found):
    boundaries = found.boundaries()
    (axes,) = phase_map_figure(found, boundaries).axes
    (image,) = axes.images
    pixels = image.get_array()
    assert pixels.shape == (8, 11, 3)
    for name in found.fates:
        cells = found.index == found.fates.index(name)
        assert len(np.unique(pixels[cells], axis=0)) == 1
    # A cell is drawn round its value.
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == pytest.approx((-5.5, 5.5, 0.5 - 14.5 / 14, 15 + 14.5 / 14))
    (full,) = _curves(axes, "ode")
    x, y = full.get_data()
    inside = (x > -2) & (x < 2)
    for p, height in zip(x[inside][::9], y[inside][::9], strict=True):
        (threshold,) = (t.y for t in fs.thresholds(fs.family_of("fig5-left", "c_star[3]").at(p)) if t.y > 0)
        assert height == pytest.approx(threshold, rel=1e-7)
    marks = np.concatenate([c.get_offsets() for c in axes.collections])
    assert np.abs(marks - (-0.328664152155, 5.377876337)).max(axis=1).min() < 1e-8


def test_axes_exchanged_are_drawn_exchanged():
    lying = fs.phase_map("fig5-left", *AXES[::-1])
    (axes,) = phase_map_figure(lying, lying.boundaries()).axes
    (full,) = _curves(axes, "ode")
    assert np.all(np.diff(full.get_ydata()) >= 0) and full.get_ydata()[0] == pytest.approx(-2.2, abs=0.1)
    assert (axes.get_xlabel(), axes.get_ylabel()) == (r"initial scale $\bar a$", "$c^*_{3}$")


def test_boundary_alone(found):
    figure = boundary_figure(found.boundaries(), found.system, (0.5, 15.0))
    (axes,) = figure.axes
    assert axes.get_ylim() == (0.5, 15.0)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        *("boundary, singular limit", "boundary, full system")
    ]
    assert all(text.get_color() == INK for text in axes.texts)


def test_labels():
    assert axis_label("c[12]") == "$c_{12}$"
    assert axis_label("current") == "current"


def test_a_boundary_from_minus_infinity_does_not_cross_the_map():
    edge = fs.phase_boundary("fig4", "c_star[2]=-2:1", limit="singular")
    ends = {(float(y), float(s)) for c in edge.curves for y, s in zip(c.y, c.parameter, strict=True) if np.isinf(y)}
    assert ends == {(-np.inf, 0.0), (np.inf, 0.0)}  # E3 leaves through a = +infinity as c*_2 -> 0 and comes from below
    (axes,) = boundary_figure([edge], fs.TwoLayer([1, 1, 1, 1, 1], [1, -1, 1, 1, 1]), (0.5, 15)).axes
    right = [line.get_ydata()[line.get_xdata() >= 0] for line in _curves(axes, "singular")]
    assert not any(((y > 0.5) & (y < 15)).any() or (y.max(initial=-1) > 15) & (y.min(initial=99) < 0) for y in right)
