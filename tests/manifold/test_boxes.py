"""Zeros of two functions in a rectangle: all found, none invented, multiple ones left undecided."""

import numpy as np
import pytest

from fastslow.manifold.boxes import Dual, Interval, series, zeros_in_box


def test_intervals_hold_exact_results():
    third, tenth = Interval(1.0, 1.0) / Interval(3.0, 3.0), Interval(0.1, 0.1)
    assert (third.low < third.high) and third.low * 3 <= 1 <= third.high * 3
    total = Interval(0.0, 0.0)
    for _ in range(10):
        total = total + tenth
    assert total.low < 10 * 0.1 < total.high or total.low <= 1.0 <= total.high
    product = Interval(-2.0, 3.0) * Interval(-5.0, 1.0)
    assert product.low <= -15 and product.high >= 10 and product.high - product.low < 25 + 1e-12
    assert (Interval(1.0, 1.0) / Interval(-1.0, 1.0)).high == np.inf


def test_derivatives_are_enclosed():
    x = Dual(Interval(np.array([0.3]), np.array([0.3])), (Interval(np.ones(1), np.ones(1)), Interval(0.0, 0.0)))
    p = series(Interval([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]), x) / (x + 1.0)
    value, slope = 1 - 0.6 + 0.045, -2 + 0.3
    assert p.value.low[0] <= value / 1.3 <= p.value.high[0]
    exact = slope / 1.3 - value / 1.3**2
    assert abs(p.by[0].low[0] - exact) < 1e-13 and p.by[0].low[0] <= exact <= p.by[0].high[0]


def test_all_zeros_with_their_radii_also_on_edges():
    # a circle and a cubic: (+-1, 0) on the edges of the first boxes, and two more
    found = zeros_in_box(lambda x, y: (x * x + y * y - 1.0, y - x * (x * x - 1.0) * 3.0), (-1.0, -1.0), (1.0, 1.0))
    x = np.roots([9, 0, -18, 0, 10, 0, -1])  # x^2 + 9 x^2 (x^2 - 1)^2 = 1
    expected = np.sort(x[abs(x.imag) < 1e-9].real)
    assert found.complete and np.sort(found.points[:, 0]) == pytest.approx(expected, abs=1e-12)
    assert found.radii.max() < 1e-9


def test_a_double_zero_is_not_claimed():
    found = zeros_in_box(lambda x, y: (x * x - y, y - 0.0), (-1.0, -1.0), (1.0, 1.0))
    assert (
        not found.complete
        and not len(found.points)
        and abs(found.undecided).max() < 1e-3
        and found.undecided.shape[1:] == (2, 2)
    )
