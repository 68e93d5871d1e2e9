"""Tapes: the values of their formulas, whatever their length, and steps that are few."""

import numpy as np
import pytest
from numba import njit

import fastslow as fs
from fastslow.core import operations
from fastslow.core.functions import function_and_slope, function_value
from fastslow.core.operations import WIDTH
from fastslow.core.polynomial import polynomial_field
from fastslow.core.tape import ROOM, tape_curve
from fastslow.systems.expressions import FUNCTIONS, Expression, derivative, evaluate
from fastslow.systems.formulas import parse_expression
from fastslow.systems.tapes import curve_parameters, member_tapes, tape

NAMES = ("x", "y")


def steps_of(*texts):
    return int(tape([parse_expression(text, NAMES) for text in texts], NAMES)[0])


@pytest.mark.parametrize("terms", [10, 30, 200])
def test_a_tape_too_long_for_the_stack_runs_too(terms):
    """Beyond ROOM registers, and a third of it with derivatives, they are in an array."""
    rows = [f"{k}*(x + {k}*y)*(y - {k})/{terms**3}" for k in range(1, terms + 1)]
    system = fs.FastSlowSystem(f"tanh(x) + {' + '.join(rows)}", "x - y", window=((-2, 2), (-2, 2)))
    parameters = system.field_parameters(system.chart_of(system.start_fast))
    registers = len(parameters) // WIDTH
    assert (3 * registers > ROOM, registers > ROOM) == (terms > 10, terms > 30)
    value, du, jacobian = np.empty(2), np.empty(2), np.empty((2, 2))
    for x, y in ((0.3, -0.7), (1.5, 1.25)):
        assert polynomial_field(np.array([x, y]), parameters, du, jacobian, True) == 0
        assert polynomial_field(np.array([x, y]), parameters, value, jacobian, False) == 0
        np.testing.assert_allclose(du, [system.f(x, y), system.g(x, y)], rtol=1e-13)
        np.testing.assert_allclose(value, du, rtol=1e-14)
        np.testing.assert_allclose(jacobian, system.jacobian(x, y), rtol=1e-12)


def test_numbers_are_part_of_the_steps():
    assert steps_of("tanh((x - 2)/3)") == 1
    assert steps_of("3*(x - 2)*(y + 1/2)", "5") == 3
    assert steps_of("2*x - 3*y + 4") == 1
    assert steps_of("(x + 1)**(-2)", "(x + 1)**(-2)*y") == 2
    assert steps_of("-x", "y") == 1


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("(x - 1/3)*1e6", 1 / 3 + 1e-14, 0.0),
        ("log((x - 1)*5)", 1.0 + 1e-13, 0.0),
        ("3*(2*(x - 1) + 4)*(7*(y + 2) - 1)", 0.1, 0.2),
        ("1e200*x*(1e-200*y + 1e-201)*1e150*(x - 1)*1e-140", 2.0, 3.0),
        ("(1e-200*x + 1e-200)*(1e-150*y)*1e290", 2.0, 3.0),
        ("5*(x - 2) - 7*(y + 1) + (2*x + 1) + 6", 2.0, -1.0),
        ("tanh(2)*x + exp(1)*(1 + sin(3))", 0.5, 0.5),
        ("0*x + 4", 1.0, 1.0),
    ],
)
def test_numbers_are_added_and_multiplied_as_written(text, x, y):
    e = parse_expression(text, NAMES)
    assert isinstance(e, Expression)
    residual, jacobian = np.empty(1), np.empty((1, 2))
    assert tape_curve(np.array([x, y]), curve_parameters([e], NAMES), residual, jacobian, np.empty(0)) == 0
    wanted = [float(evaluate(part, {"x": x, "y": y})) for part in (e, derivative(e, "x"), derivative(e, "y"))]
    np.testing.assert_allclose([residual[0], *jacobian[0]], wanted, rtol=1e-14, atol=0)


@njit
def value_slope_and_value(code, order, x):
    """Both kernels, which only other kernels may call."""
    value, slope = function_and_slope(code, order, x)
    return value, slope, function_value(code, order, x)


@pytest.mark.parametrize("name", [*sorted(FUNCTIONS), "phi", "power", "hermite"])
def test_values_alone_are_those_beside_derivatives(name):
    code, order = getattr(operations, name.upper()), 3
    for x in (-800.0, -31.0, -2.5, -0.49, 0.0, 1e-9, 0.51, 1.0, 4.0, 40.0, 800.0, np.inf, -np.inf):
        value, slope, again = value_slope_and_value(code, order, x)
        np.testing.assert_allclose(again, value, rtol=4e-16)
        if np.isfinite(value) and np.isfinite(slope) and 0.4 < abs(x) < 50.0:
            h = 1e-6 * abs(x)
            ends = [value_slope_and_value(code, order, x + side * h)[2] for side in (1, -1)]
            assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_the_last_variable_can_be_a_number_of_each_member():
    steps = tape(
        [parse_expression(text, ("x", "y", "p")) for text in ("p*x + tanh(p - y)", "x*y/(p + 3)")], ("x", "y", "p")
    )
    head, du, jacobian = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, -1.0], np.empty(2), np.empty((2, 2))
    for value, own in zip((0.5, -2.0), member_tapes(steps, np.array([0.5, -2.0])), strict=True):
        assert polynomial_field(np.array([1.5, 0.25]), np.concatenate((head, own)), du, jacobian, True) == 0
        np.testing.assert_allclose(du, [1.5 * value + np.tanh(value - 0.25), 0.375 / (value + 3)], rtol=1e-14)
