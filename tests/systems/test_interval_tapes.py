"""Enclosures of formulas over boxes: they hold every value, and are as narrow as they should be."""

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastslow.systems.balls import enclosed
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import FUNCTIONS, derivative
from fastslow.systems.interval_tapes import Tape

_numbers = st.floats(-30, 30, allow_subnormal=False) | st.sampled_from([0.0, 1.0, -1.0, np.pi / 2, np.pi, -np.pi])


@pytest.mark.parametrize("function", sorted(FUNCTIONS | {"he3", "he6"}))
@settings(max_examples=60, deadline=None)
@given(a=_numbers, b=_numbers, share=st.floats(0, 1))
def test_intervals_hold_every_value(function, a, b, share):
    low, high = min(a, b), max(a, b)
    x = min(max(low + share * (high - low), low), high)
    e = parse_expression(f"{function}(x)", ("x",))
    ((lower, upper),), _ = Tape([e], ("x",)).intervals([(np.array([low]), np.array([high]))])
    with flint.ctx.workprec(200):
        value = enclosed(e, {"x": flint.arb(x)})
        if np.isnan(lower[0]) or not value.is_finite():
            return
        assert not value < flint.arb(float(lower[0]))
        assert not value > flint.arb(float(upper[0]))


@settings(max_examples=60, deadline=None)
@given(
    corner=st.tuples(_numbers, _numbers),
    size=st.tuples(st.floats(0, 2), st.floats(0, 2)),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    powers=st.tuples(st.integers(-3, 5), st.integers(1, 6)),
)
def test_a_formula_and_its_derivatives_are_enclosed_over_boxes(corner, size, share, powers):
    e = parse_expression(f"(x - 2*y)**({powers[0]}) * exp(-x*y/50) + sin(x*y)**{powers[1]} - x*abs(y)/3", ("x", "y"))
    parts = [e, derivative(e, "x"), derivative(e, "y")]
    low = np.array(corner)
    high = low + np.array(size)
    at = np.minimum(low + np.array(share) * np.array(size), high)
    results, jumps = Tape(parts, ("x", "y")).intervals([(low[k : k + 1], high[k : k + 1]) for k in (0, 1)])
    with flint.ctx.workprec(200):
        for part, (lower, upper) in zip(parts, results, strict=True):
            value = enclosed(part, {"x": flint.arb(at[0]), "y": flint.arb(at[1])})
            if np.isnan(lower[0]) or np.isnan(upper[0]) or not value.is_finite():
                continue
            assert not value < flint.arb(float(lower[0]))
            assert not value > flint.arb(float(upper[0]))
    # The derivative in y jumps where y may be 0, the formula itself does not.
    assert [bool(jump[0]) for jump in jumps] == [False, False, low[1] <= 0 <= high[1]]


def test_intervals_are_narrow_and_poles_are_unknown():
    e = [parse_expression(text, ("x",)) for text in ("x**2", "exp(x)", "1/x", "log(x)", "sqrt(x)", "cos(x)", "tan(x)")]
    ends, _ = Tape(e, ("x",)).intervals([(np.array([-1.0, 1.0]), np.array([2.0, 1.5]))])
    square, exponential, quotient, logarithm, root, cosine, tangent = ends
    assert (square[0][0], square[1][0]) == (0.0, pytest.approx(4.0, rel=1e-15))
    assert (cosine[0][0], cosine[1][0]) == (pytest.approx(np.cos(2.0)), 1.0)
    assert [np.isnan(v[0][0]) for v in (quotient, logarithm, root, tangent)] == [True, True, True, True]
    assert quotient[0][1] == pytest.approx(1 / 1.5, rel=1e-15)
    assert Fraction(float(quotient[0][1])) <= Fraction(2, 3)
    assert exponential[1][1] - np.exp(1.5) < 1e-12


@pytest.mark.parametrize("middle", [0, 0.3, -2])
def test_the_absolute_value_of_a_ball_is_not_negative(middle):
    ball = enclosed(parse_expression("abs(x)", ("x",)), {"x": flint.arb(middle, 1)})
    assert ball.contains(flint.arb(abs(middle))) and (ball + flint.arb(2) ** -20) > 0
