"""The picture of tails: what is drawn is what was computed."""

import numpy as np
import pytest

import fastslow as fs
from fastslow.plot.style import INK, UNLEARNING
from fastslow.plot.tails import tails_figure, tails_png
from fastslow.scales.scaling import scaling

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def results():
    left = fs.TwoLayer([1] * 7, [1, 0, 0, 0, 0, 0, "1/2"])
    right = fs.TwoLayer([1, 1, 1], [1, -1, 1])
    return [scaling(left, 10), scaling(right, 5)]


@pytest.fixture(scope="module")
def figure(results):
    return tails_figure(results)


def coloured(axes, color):
    return [line for line in axes.lines if line.get_color() == color]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_curves_are_the_solution(figure, results):
    for result, axes in zip(results, figure.axes[::2], strict=True):
        a, R = coloured(axes, UNLEARNING)
        assert np.array_equal(a.get_xdata(), result.simulation.t)
        assert np.array_equal(a.get_ydata(), result.simulation.y)
        assert np.array_equal(R.get_ydata(), result.simulation.x)
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_asymptotes_are_the_papers_laws(figure):
    for (p, rate), axes in zip(((4, 8), (3, 6)), figure.axes[::2], strict=True):
        a, R = coloured(axes, INK)
        t = a.get_xdata()
        assert a.is_dashed()
        assert a.get_ydata() == pytest.approx((rate * t) ** (1 / p), rel=1e-12)
        assert R.get_ydata() == pytest.approx((rate * t) ** (-1 / p), rel=1e-12)


def test_triangles_have_the_slopes_that_they_are_labelled_with(figure):
    for slope, axes in zip((1 / 4, 1 / 3), figure.axes[::2], strict=True):
        label = f"1/{round(1 / slope)}"
        assert {label, f"−{label}", "|a|", "|R|"} <= set(texts(axes))
        triangles = [line for line in axes.lines if len(line.get_xdata()) == 4]
        low, high = axes.get_ylim()
        for triangle, sign in zip(triangles, (1, -1), strict=True):
            (x0, _, x1, _), (y0, _, y1, _) = triangle.get_data()
            assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(sign * slope)
            assert low < min(y0, y1) < max(y0, y1) < high


def test_triangles_stay_off_the_curves(figure, results):
    for result, axes in zip(results, figure.axes[::2], strict=True):
        rising, falling = [line for line in axes.lines if len(line.get_xdata()) == 4]
        for triangle, values, sign in ((rising, result.simulation.y, -1), (falling, result.simulation.x, 1)):
            x, y = triangle.get_data()
            curve = np.exp(np.interp(np.log(x), np.log(result.simulation.t), np.log(values)))
            assert (sign * np.log(y / curve) > 0.2).all()


def test_local_slopes_are_drawn_with_the_prediction(figure, results):
    for result, axes in zip(results, figure.axes[1::2], strict=True):
        a, R = coloured(axes, UNLEARNING)
        assert np.array_equal(a.get_ydata(), result.slope_y)
        assert np.array_equal(R.get_ydata(), -result.slope_x)
        (predicted,) = coloured(axes, INK)
        assert set(predicted.get_ydata()) == {float(result.predicted.exponent)}
        assert texts(axes) == [str(result.predicted.exponent)]
        low, high = axes.get_ylim()
        assert low < float(result.predicted.exponent) < high


def test_a_negative_scale_and_an_algebraic_power_are_drawn():
    x, y = fs.variables("x", "y")
    downwards = fs.FastSlowSystem([-1 - (2 * x - 1) ** 2 * y], 2 * x - 1, start_fast=0)
    figure = tails_figure([scaling(fs.TwoLayer([1, 1, 1], [1, 1, -1]), -5), scaling(downwards, -3)])
    assert "|x − 0.5|" in texts(figure.axes[2])
    assert {"2/3", "1/3"} == set(texts(figure.axes[3]))
    for axes in figure.axes[::2]:
        assert all((line.get_ydata() > 0).all() for line in axes.lines)


def test_png_and_untouched_state(results):
    before = dict(matplotlib.rcParams)
    assert tails_png(results, dpi=40).startswith(b"\x89PNG")
    assert dict(matplotlib.rcParams) == before


def test_without_a_tail_there_is_nothing_to_draw():
    with pytest.raises(fs.InputError, match="no tail"):
        tails_figure([scaling(fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1]), 5)])
