"""Systems of polynomials: exact derivatives, charts, and input that cannot be used."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.systems.polynomials import rational

x, y = fs.variables("x", "y")
SYSTEMS = {
    "two layers": fs.TwoLayer([1, 2, 3], [1, -1, "1/3"], slow_rate="1/2"),
    "van der Pol": fs.van_der_pol(),
    "one line": fs.FastSlowSystem(["x", "y - x**2"], "1 + x", slow_rate="1/10"),
    "two lines, the upper in front": fs.FastSlowSystem(["3 - 2*x", "(x + 2)*(y**2 - x)"], "1 + x*y"),
    "a line above": fs.FastSlowSystem(["2*x - 4", "y - x"], "1"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_derivatives_are_those_of_the_exact_polynomials(name):
    system = SYSTEMS[name]
    u, v = Fraction(1, 3), Fraction(-5, 7)
    for of, p in (("f", system.fast_field), ("g", system.slow_field)):
        for i, j in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
            q = p
            for k, order in enumerate((i, j)):
                for _ in range(order):
                    q = q.derivative(k)
            value = q(rational(u), rational(v))
            exact = int(value.p) / int(value.q)
            assert float(system.partial(of, i, j, float(u), float(v))) == pytest.approx(exact, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("name", SYSTEMS)
@given(place=st.floats(0.02, 0.98), v=st.floats(-3, 3))
def test_the_chart_carries_the_same_field(name, place, v):
    """The state moves as (f, slow_rate g) says, its Jacobian is the derivative of its field."""
    system = SYSTEMS[name]
    low, high = float(system.lower), float(system.upper)
    u = low + place * (high - low)
    chart = system.chart_of(Fraction(u))
    if chart is None:
        return
    state = chart.to_state(u, v)
    assert chart.from_state(state) == (pytest.approx(u, rel=1e-9, abs=1e-9), v)
    parameters = system.field_parameters(chart)

    def field(w, h):
        out, lean, jacobian = np.empty(2), np.empty(2), np.empty((2, 2))
        assert polynomial_field(np.array([w, h]), parameters, out, jacobian, True) == 0
        assert polynomial_field(np.array([w, h]), parameters, lean, jacobian, False) == 0
        np.testing.assert_allclose(lean, out, rtol=1e-12, atol=1e-14 * scale)
        return out, jacobian

    step, scale = 1e-6, 1.0
    rates, jacobian = field(*state)
    scale = 1 + abs(system.f(u, v)) + np.abs(jacobian).max()
    before, after = (chart.from_state(state + sign * step * rates)[0] for sign in (-1, 1))
    assert (after - before) / (2 * step) == pytest.approx(system.f(u, v), rel=1e-5, abs=1e-5 * scale)
    assert rates[1] == pytest.approx(float(system.slow_rate) * system.g(u, v), rel=1e-9, abs=1e-9)
    for column, change in enumerate(((step, 0), (0, step))):
        slope = (field(*(state + change))[0] - field(*(state - change))[0]) / (2 * step)
        np.testing.assert_allclose(jacobian[:, column], slope, rtol=1e-5, atol=1e-5 * scale)


BAD = {
    "same names": (lambda: fs.FastSlowSystem(["x - y"], "1", fast=("x",), slow=("x",)), "differ"),
    "reserved name": (lambda: fs.FastSlowSystem(["id"], "1", fast=("id",)), "none of"),
    "other variables": (lambda: fs.FastSlowSystem([fs.variables("u", "w")[0]], "1"), "polynomial in x and y"),
    "float": (lambda: fs.FastSlowSystem([0.5], "1"), "polynomial in x and y"),
    "no factors": (lambda: fs.FastSlowSystem([], "1"), "empty"),
    "zero f": (lambda: fs.FastSlowSystem(["x - x"], "1"), "vanish"),
    "zero g": (lambda: fs.FastSlowSystem(["x - y"], "0"), "vanish"),
    "slow rate": (lambda: fs.FastSlowSystem(["x - y"], "1", slow_rate=0), "positive"),
    "window": (lambda: fs.FastSlowSystem(["x - y"], "1", window=(1, 1)), "below"),
    "start line": (lambda: fs.FastSlowSystem(["x - y"], "1", start_fast=9), "inside the window"),
    "function": (lambda: fs.FastSlowSystem(["sin(x) - y"], "1"), "must bound both variables"),
    "attribute": (lambda: fs.FastSlowSystem(["x.real - y"], "1"), "column 2: a formula has no attributes"),
    "huge power": (lambda: fs.FastSlowSystem(["x**999 - y"], "1"), "power"),
    "huge number": (lambda: fs.FastSlowSystem(["((9**64)**64)**64 - y"], "1"), "digits"),
    "division": (lambda: fs.FastSlowSystem(["1/x - y"], "1", window=((-1, 1), (-1, 1))), "finite values near x = "),
    "no zero": (lambda: fs.analyze(fs.FastSlowSystem(["x**2 + 1"], "1")), "no zero in the window"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_with_the_rule(case):
    build, rule = BAD[case]
    with pytest.raises(fs.InputError, match=rule):
        build()


def test_starts_far_away_are_refused():
    with pytest.raises(fs.InputError, match="at most 1e"):
        fs.analyze(fs.van_der_pol(), starts=[(0, "1e200")])
