"""One picture of each kind against a kept image, and what is drawn against what was computed.

`pytest tests/test_pictures.py --mpl-generate-path=tests/baseline` draws the kept images again. Titles and numbers
on axes are left out of them, so that they depend little on how a version of FreeType draws letters.
"""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import FancyArrowPatch

import fastslow as fs
from fastslow.plot import style
from fastslow.plot.bifurcation import bifurcation_figure
from fastslow.plot.dark import dark, exchanged
from fastslow.plot.finite_width import finite_width_figure
from fastslow.plot.flow_graph import flow_graph
from fastslow.plot.labels import Label, label_points
from fastslow.plot.legends import shared_legend
from fastslow.plot.levels import levels_figure
from fastslow.plot.phase_map import phase_map_figure
from fastslow.plot.portrait import portrait_figure
from fastslow.plot.sgd import sgd_figure, spread_figure
from fastslow.plot.style import INK, LEARNING, UNLEARNING, new_figure
from fastslow.plot.tails import tails_figure
from fastslow.plot.time_courses import time_course, time_courses_figure
from fastslow.plot.timescales import time_scales_figure

pytest.importorskip("pytest_mpl")

# A root mean square of 2 grey levels in 256 over an image is less than what one mark of a fold makes that is moved by
# two pixels (2.2), or one curve (2.7).
compared = pytest.mark.mpl_image_compare(
    baseline_dir="baseline", remove_text=True, tolerance=2.0, savefig_kwargs={"dpi": 50, "metadata": {"Software": None}}
)


@pytest.fixture(scope="module")
def fig4():
    return fs.analyze("fig4")


@compared
def test_portrait(fig4):
    return portrait_figure(fig4)


@compared
def test_dark_portrait(fig4):
    return dark(portrait_figure(fig4))


@compared
def test_flow_graph(fig4):
    with new_figure(8, 5) as figure:
        flow_graph(figure.add_subplot(), fig4)
    return figure


@compared
def test_phase_map():
    found = fs.phase_map("fig5-left", "c_star[3]=-5:5:40", "a0=0.5:15:40")
    return phase_map_figure(found, found.boundaries())


@compared
def test_time_courses():
    return time_courses_figure(fs.simulate("fig4", 9, 1000), fs.singular_course("fig4", 9, 1000))


@compared
def test_time_scales():
    return time_scales_figure(fs.time_scales("fig2-left", 4, 10))


@compared
def test_tails():
    return tails_figure([fs.scaling("fig6-right", 5, tau=1e10)])


@compared
def test_bifurcations():
    family = fs.family_of("cusp", "c_star[2]")
    return bifurcation_figure(fs.continued(family, fs.axis_of("c_star[2]=-2:2", "--x")))


@compared
def test_finite_width():
    return finite_width_figure(fs.finite_width_manifold("fig6-right", m=4000), starts=(4.6, 4.8))


@pytest.fixture(scope="module")
def trained():
    return fs.simulate_sgd("fig7", 1, n=200, d=200, m=10, gamma=0.1, steps=40, replicas=3, seed=1)


@compared
def test_sgd(trained):
    return sgd_figure(trained)


@compared
def test_spread_of_neurons(trained):
    return spread_figure(trained)


@compared
def test_levels():
    return levels_figure(fs.validate("fig7", 1, n=60, d=60, m=5, gamma=0.1, steps=20, replicas=2, seed=1))


def test_a_course_is_where_it_was_computed():
    run, course = fs.simulate("fig4", 9, 1000), fs.singular_course("fig4", 9, 1000)
    with new_figure(5, 4) as figure:
        axes = time_course(figure.add_subplot(), run, "energy", course)
    full, jump, drift = axes.lines[:3]
    t, loss = full.get_data()
    assert np.allclose(
        loss, fs.analyze("fig4").system.energy(*np.array([np.interp(t, run.t, v) for v in (run.x, run.y)]))
    )
    assert jump.get_color() == LEARNING and jump.is_dashed() and not drift.is_dashed()
    # The levels of the staircase: before and after both jumps of this start, the loss of R = 0 first.
    levels = sorted({line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"})
    drops = [s.loss_drop for s in fs.analyze("fig4", 9).orbits[0].segments]
    assert levels[-1] == pytest.approx(76.5) and levels[-2] == pytest.approx(76.5 - drops[0])
    assert levels[0] == pytest.approx(76.5 - sum(drops[:3]))


def test_a_second_course_on_the_same_axes_widens_them():
    with new_figure(5, 4) as figure:
        axes = figure.add_subplot()
        for tau in (10, 1000):
            time_course(axes, fs.simulate("fig4", 5, tau), "x")
    assert axes.get_xlim()[1] >= 1000


def test_the_flow_graph_has_the_nodes_and_fates(fig4):
    with new_figure(8, 5) as figure:
        axes = flow_graph(figure.add_subplot(), fig4)
    boxes = {text.get_text(): text for text in axes.texts if text.get_bbox_patch() and text.get_fontweight() == "bold"}
    kept = [e for e in fig4.flow.edges if e.kind == "jump" or e.stability == "attracting"]
    assert set(boxes) == {id for edge in kept for id in (edge.start, edge.end)}
    assert boxes["E4"].get_bbox_patch().get_facecolor() == to_rgba(LEARNING)
    assert boxes["I2"].get_bbox_patch().get_facecolor() == to_rgba(UNLEARNING)
    height = {name: text.xy[1] for name, text in boxes.items()}
    assert all(height[edge.start] > height[edge.end] for edge in kept)


@pytest.mark.parametrize("name", ["fig4", "fig7", "fig8-2-2", "van_der_pol"])
def test_edges_of_the_flow_graph_meet_no_other_node(name):
    result = fs.analyze(name)
    with new_figure(8, 5) as figure:
        axes = flow_graph(figure.add_axes((0, 0, 1, 1)), result)
    boxes = [text for text in axes.texts if text.get_bbox_patch() and text.get_fontweight() == "bold"]
    nodes = {text.get_text(): axes.transData.transform(text.xy) for text in boxes}
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    kept = [e for e in result.flow.edges if e.kind == "jump" or e.stability == "attracting"]
    drawn = list(dict.fromkeys((e.start, e.end) for e in kept))
    assert ("F2", "F1") in drawn or name != "van_der_pol"
    for arrow in arrows:
        way = arrow.get_transform().transform(arrow.get_path().vertices)
        for name, at in nodes.items():
            near = np.hypot(*(way - at).T)
            assert near.min() > 10 or min(near[0], near[-1]) < 30, name
    ways = {pair: arrow.get_path().vertices[30, 1] for pair, arrow in zip(drawn, arrows, strict=True)}
    assert all(abs(ways[pair] - ways[pair[::-1]]) > 0.1 for pair in ways if pair[::-1] in ways)  # there and back


def test_labels_hide_no_line_and_stay_by_their_points(fig4):
    figure = portrait_figure(fig4)
    axes = figure.axes[0]
    figure.draw_without_rendering()
    named = {t.get_text(): t for t in axes.texts if re.fullmatch(r"[EFX]\d|9\.31175", t.get_text())}
    assert {"E3", "F3", "E4", "9.31175"} <= set(named)
    points = {p.id: (p.x, p.y) for p in fig4.points} | {"9.31175": (0, fig4.thresholds[0].y)}
    for name, text in named.items():
        box = text.get_window_extent()
        at = axes.transData.transform(points[name])
        middle = np.array([0.5 * (box.x0 + box.x1), 0.5 * (box.y0 + box.y1)])
        assert np.hypot(*(middle - at)) * 72 / figure.dpi < 35, name
        for line in axes.lines:
            if line.get_linestyle() != "None" and len(line.get_xdata()) > 1:
                path = line.get_path().interpolated(20) if len(line.get_xdata()) < 5 else line.get_path()
                assert not line.get_transform().transform_path(path).intersects_bbox(box, filled=False), name


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_label_keeps_off_lines_marks_and_labels(scale):
    with new_figure(4, 3) as figure:
        axes = figure.add_subplot()
        axes.plot([1, 10], [1, 10])
        axes.axhline(5)
        axes.scatter([5.4], [5.6])
        axes.plot([np.nan, 1, 2], [1, np.nan, 3])
        axes.set(xscale=scale, yscale=scale)
        label_points(axes, [Label((name,), (5, 5), style={"zorder": 3}) for name in ("E1", "F1")])
        label_points(axes, [])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for box in boxes:
        assert not any(box.contains(*axes.transData.transform(at)) for at in [(5, 5), (5.4, 5.6)])
        for line in axes.lines[:2]:
            path = line.get_transform().transform_path(line.get_path().interpolated(50))
            assert not path.intersects_bbox(box, filled=False)
    assert not boxes[0].overlaps(boxes[1])


def _contrast(one, other):
    light = []
    for rgb in (one, other):
        c = np.asarray(rgb[:3])
        light.append(float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)))
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_colours_are_readable_light_and_dark():
    white = to_rgb("white")
    paper = exchanged([white])[0]
    for name, least in (("INK", 12), ("LEARNING", 3), ("UNLEARNING", 4.5), ("MANIFOLD", 4.5), ("REPELLING", 2.2)):
        color = to_rgb(getattr(style, name))
        assert _contrast(color, white) > least, name
        assert _contrast(exchanged([color])[0], paper) > least, name
    assert exchanged([to_rgb("#f0e442")])[0] == pytest.approx(to_rgb("#f0e442"), abs=1e-6)  # the yellow of thresholds


def test_dark_recolours_all_and_keeps_data(fig4):
    light, other = portrait_figure(fig4), dark(portrait_figure(fig4))
    assert _contrast(other.get_facecolor(), to_rgb("black")) < 1.3
    for one, two in zip(light.axes[0].lines, other.axes[0].lines, strict=True):
        assert np.array_equal(one.get_xydata(), two.get_xydata())
    for text in other.axes[0].texts:
        assert _contrast(to_rgb(text.get_color()), other.get_facecolor()) > 3, text.get_text()
    boxes = [text.get_bbox_patch() for text in other.axes[0].texts if text.get_bbox_patch()]
    assert boxes and not any(box.get_edgecolor()[3] for box in boxes)
    assert to_rgb(INK) not in {to_rgb(line.get_color()) for line in other.axes[0].lines}


def test_dark_exchanges_contour_lines_of_a_colour_and_not_those_of_a_map():
    with new_figure(4, 3) as figure:
        axes = figure.add_subplot()
        height = np.add.outer(np.arange(4.0), np.arange(4.0))
        white, mapped = axes.contour(height, colors="white"), axes.contour(height, cmap="viridis")
        before = mapped.get_edgecolor().copy()
        dark(figure)
        figure.draw_without_rendering()
    assert white.get_edgecolor()[:, :3] == pytest.approx(
        np.tile(exchanged([to_rgb("white")])[0], (len(white.levels), 1))
    )
    assert np.array_equal(mapped.get_edgecolor(), before)


def test_one_legend_for_several_axes():
    with new_figure(4, 3) as figure:
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            axes.plot([0, 1], label="curve, here")
        right.plot([1, 0], label="other")
        right.legend()
        legend = shared_legend(figure, (left, right), lambda name: name.split(",")[0])
    assert [text.get_text() for text in legend.texts] == ["curve", "other"]
    assert right.get_legend() is None and figure.legends == [legend]


def test_a_wide_window_does_not_crush_the_orbits():
    system = fs.FastSlowSystem("y + x - x**3/3", "-x", slow_rate="1/100", window=(-50, 50))
    axes = portrait_figure(fs.analyze(system, starts=[(2, 0)])).axes[0]
    left, right = axes.get_xlim()
    assert -4 < left < -2 and 2 < right < 4


def test_a_portrait_of_functions_has_a_title():
    axes = portrait_figure(fs.analyze(fs.two_layer("tanh", "he1 + 0.5*he3", order=5), [5])).axes[0]
    assert axes.get_title(loc="left") == "σ = tanh,  σ* = he1 + 0.5*he3"
