"""What is drawn is what was computed."""

import numpy as np
import pytest

import fastslow as fs
from fastslow.plot.portrait import portrait
from fastslow.plot.style import LEARNING, POINTS, UNLEARNING

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def fig4():
    return fs.analyze("fig4")


def marks(axes, name):
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(POINTS[name]["marker"])
    want = style.get_path().transformed(style.get_transform()).vertices
    face = matplotlib.colors.to_rgba(POINTS[name].get("facecolor", POINTS[name].get("color")))
    return [
        tuple(offset)
        for c in axes.collections
        if len(c.get_paths())
        and np.array_equal(c.get_paths()[0].vertices, want)
        and (not len(c.get_facecolor()) or tuple(c.get_facecolor()[0]) == face)
        for offset in c.get_offsets()
    ]


def test_marks_are_at_the_points(fig4):
    axes = fig4.plot().axes[0]
    assert any(np.allclose(m, (0.1273197829255744, 8.355460829310433), atol=1e-12) for m in marks(axes, "fold"))
    assert any(np.allclose(m, (0.09431703499058393, 9.312353886016066)) for m in marks(axes, "saddle"))
    assert any(np.allclose(m, (1.0, 0.9738562091503268)) for m in marks(axes, "stable"))


def test_orbits_have_the_colours_of_their_fates_and_jumps_are_dashed(fig4):
    axes = fig4.plot(full_system=False).axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    assert drawn["learning: jump"].get_color() == LEARNING
    assert drawn["unlearning: drift"].get_color() == UNLEARNING
    assert drawn["learning: jump"].is_dashed()
    assert not drawn["learning: drift"].is_dashed()
    x, y = drawn["learning: drift"].get_data()
    assert np.allclose(fig4.system.h(np.asarray(x)), y, rtol=1e-6)


def test_portrait_draws_on_given_axes_and_leaves_global_state_alone(fig4):
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    axes = Figure().add_subplot()
    assert portrait(axes, fig4) is axes
    assert fig4.plot() is not None
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", ["fig2-right", "fig3-left", "fig7", "fig8-3-3", "van_der_pol", "fitzhugh_nagumo"])
def test_every_start_and_end_is_inside_the_frame(name):
    result = fs.analyze(name)
    axes = result.plot().axes[0]
    low, high = axes.get_ylim()
    for orbit in result.orbits:
        assert low <= orbit.start[1] <= high
        for segment in orbit.segments:
            assert low <= segment.start[1] <= high


def test_a_system_without_starts_is_drawn():
    assert fs.analyze(fs.van_der_pol()).plot().axes[0].lines


def test_html(fig4):
    html = fig4._repr_html_()
    assert "unlearning" in html
    assert LEARNING in html.lower()
