"""Systems of formulas: recognised, factored, enclosed, refused; one compiled field for all of them."""

import time
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastslow as fs
from fastslow.core.polynomial import polynomial_field
from fastslow.core.tape import tape_curve
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import FUNCTIONS, derivative, evaluate
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.model_files import study_from
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import rational
from fastslow.systems.presets import system_of
from fastslow.systems.tapes import curve_parameters

PREY = {"parameters": {"h": "1/5", "d": "3/10"}, "window": ((0, 2), (0, 1)), "start_fast": 1}
FILE = {"f": "D*(1 - u)*exp(B*u/4) - u", "g": "1 - D/10", "fast": "u", "slow": "D", "window": [[0, 1], ["1/20", "1/5"]]}


def prey():
    return fs.FastSlowSystem("x*(1 - x) - x*y/(h + x)", "x*y/(h + x) - d*y", **PREY)


@pytest.mark.parametrize(
    "f", ["y + x - x*x**2/3 + 0*sin(x)", "(x**2 - 1)/(x - 1) - y", "he3(x) - y", "x*exp(k*x) - y", "x*y/(1 + k*x)"]
)
def test_polynomials_are_recognised_however_they_are_written(f):
    system = fs.FastSlowSystem(f, "1 - x", parameters={"k": 0} if "k" in f else {})
    assert type(system) is PolynomialSystem
    e = parse_expression(f, ("x", "y"), constants={"k": Fraction(0)})
    assert system.f(0.3, 0.7) == pytest.approx(float(evaluate(e, {"x": 0.3, "y": 0.7})), rel=1e-14)


def test_hidden_products_are_factors():
    system = prey()
    assert type(system) is FormulaSystem
    assert [str(e) for e in system.fast_expressions] == ["x", "5*x**2 - 4*x + 5*y - 1"]
    assert system.invariant_lines == (0,)
    both = fs.FastSlowSystem(["x*exp(-x) - x*y", "(x - 2)**2"], "1", window=((-1, 3), (0, 1)))
    assert [str(e) for e in both.fast_expressions] == ["y - exp(-x)", "x", "x - 2"]
    assert both.multiplicities == (1, 1, 2)
    assert both.invariant_lines == (0,)
    x, y = np.meshgrid(np.linspace(0.1, 1.9, 7), np.linspace(0.05, 0.9, 5))
    np.testing.assert_allclose(both.partial("f", 0, 0, x, y), (x * np.exp(-x) - x * y) * (x - 2) ** 2, rtol=1e-13)
    np.testing.assert_allclose(system.partial("f", 0, 0, x, y), x * (1 - x) - x * y / (0.2 + x), rtol=1e-13, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["exp({})", "tanh({})*x", "sqrt(1 + ({})**2)", "x/(2 + sin({}))", "log(3 + cos({})) - x**3"]),
    st.sampled_from(["x*y - 1/3", "y**2 + x", "abs(x - 3) - y", "he3(x)/9 + y"]),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_derivatives_lie_in_their_enclosures_and_agree_with_the_tape(outer, inner, x, y):
    f = outer.format(inner) + " - y"
    system = fs.FastSlowSystem(f, "x - y", window=((-2, 2), (-2, 2)))
    balls = (flint.arb(rational(Fraction(v))) for v in (x, y))
    at = tuple(balls)
    wide = tuple(ball + flint.arb(0, 0.01) for ball in at)
    for orders in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (3, 0), (1, 2)):
        value = float(system.partial("f", *orders, x, y))
        with flint.ctx.workprec(64):
            point, box = system.enclose("f", *orders, *at), system.enclose("f", *orders, *wide)
        assert abs(float(point.mid()) - value) <= 1e-12 * (1 + abs(value))
        assert box.contains(point)
    du, jacobian = np.empty(2), np.empty((2, 2))
    chart = system.chart_of(Fraction(1, 2))
    assert polynomial_field(np.array([x, y]), system.field_parameters(chart), du, jacobian, True) == 0
    np.testing.assert_allclose(du, [system.f(x, y), system.g(x, y)], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(jacobian, system.jacobian(x, y), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", [*sorted(FUNCTIONS), "he7"])
def test_a_tape_has_the_values_and_derivatives_of_its_formula(name):
    e = parse_expression(f"{name}(x*y + 1/3)**2/(x + y) - 2*{name}(y)**(-1)*x", ("x", "y"))
    parameters = curve_parameters([e, derivative(e, "x")], ("x", "y"))
    residual, jacobian, tests = np.empty(1), np.empty((1, 2)), np.empty(1)
    for x, y in ((0.3, 0.7), (1.2, 0.4), (2.0, 0.1)):
        assert tape_curve(np.array([x, y]), parameters, residual, jacobian, tests) == 0
        wanted = [float(evaluate(part, {"x": x, "y": y})) for part in (e, derivative(e, "x"), derivative(e, "y"))]
        np.testing.assert_allclose([residual[0], *jacobian[0]], wanted, rtol=1e-13)
        np.testing.assert_allclose(tests[0], wanted[1], rtol=1e-13)


def test_beyond_the_domain_a_tape_says_so():
    for text in ("log(x)", "sqrt(x)", "1/(x + 1)", "exp(exp(-100*x))", "cosh(1000*x) - sinh(-1000*x)"):
        parameters = curve_parameters([parse_expression(text, ("x", "y"))], ("x", "y"))
        status = tape_curve(np.array([-1.0, 0.0]), parameters, np.empty(1), np.empty((1, 2)), np.empty(0))
        assert status != 0, text


def test_charts_take_lines_out_of_formulas():
    """Beside x = 0 the chart has z' = f / x, forward and backward in time."""
    system = prey()
    chart = system.chart_of(Fraction(1, 3))
    du, jacobian = np.empty(2), np.empty((2, 2))
    for direction in (1.0, -1.0):
        parameters = system.field_parameters(chart, direction)
        polynomial_field(chart.to_state(0.3, 0.7), parameters, du, jacobian, True)
        np.testing.assert_allclose(du, direction * np.array([system.f(0.3, 0.7) / 0.3, system.g(0.3, 0.7)]), rtol=1e-13)
    assert system.chart_of(Fraction(0)) is None
    assert system.time_reversed().f(0.3, 0.7) == -system.f(0.3, 0.7)


BAD = {
    "no window of y": (("exp(x) - y", "1"), {"window": (0, 1)}, "must bound both variables"),
    "pole": (("1/(x - 1/3) - y", "1"), {}, "finite values near x = 0.333"),
    "pole in g": (("exp(x) - y", "1/(y - 1/2)"), {}, "finite values near .* y = 0.5"),
    "double pole": (("1/(x - y)**2 - 1", "1"), {}, "not proved to have finite values"),
    "logarithm": (("log(x - 1/2) - y", "1"), {}, "not proved to have finite values"),
    "root": (("sqrt(y - 1/2) - x", "1"), {}, "not proved to have finite values"),
    "jump": (("sign(x - 1/2) - y", "1"), {}, "jumps in the window"),
    "reversed window": (("exp(x) - y", "1"), {"window": ((0, 1), (1, 0))}, r"window\[1\].*below its upper end"),
    "three windows": (("exp(x) - y", "1"), {"window": ((0, 1), (1, 2), (0, 1))}, "must be a pair"),
    "g = 0": (("exp(x) - y", "0"), {}, "must not vanish"),
    "unknown name": (("exp(z) - y", "1"), {}, "column 5: unknown name 'z'"),
    "parameter as function": (("exp(k(x)) - y", "1"), {"parameters": {"k": 1}}, "column 6: k is no function"),
    "huge parameter": (("exp(k*x) - y", "1"), {"parameters": {"k": "1e300"}}, r"parameters\.k.*for doubles to hold it"),
    "root at the edge": (("sqrt(x) - y", "1"), {}, "finite values near x = 0,"),
    "overflow": (("exp(exp(exp(9*x))) - y", "1"), {}, "not proved to have finite values"),
    "power": (("x**y - exp(x)", "1"), {}, "column 4: a power must be a number"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_at_once(case):
    formulas, options, rule = BAD[case]
    seconds = []
    for _ in range(3):
        start = time.thread_time()
        with pytest.raises(fs.InputError, match=rule):
            fs.FastSlowSystem(*formulas, **{"window": ((0, 1), (0, 1)), **options})
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.05


def test_files_keep_their_formulas_and_ranges():
    table = {
        **FILE,
        "parameters": {"B": {"value": 18, "range": [10, 20]}},
        "slow_rate": "1/1000",
        "starts": [["1/10", "3/50"]],
    }
    study = study_from(table)
    again = study_from(study.system.table()).system
    assert again.table() == study.system.table()
    assert again.table()["parameters"] == {"B": {"value": 18, "range": [10, 20]}}
    assert again.formula() == study.system.formula()
    assert study.starts[0].slow == Fraction(3, 50)
    assert fs.family_of(study.system, "B").at(16).f(0.5, 0.1) == pytest.approx(-0.5 + 0.05 * np.exp(2))
    for wrong, rule in {
        "range": ({"B": {"value": 18, "range": [1, 2]}}, "with the value between them"),
        "no value": ({"B": {"range": [1, 2]}}, "has no value"),
        "variable": ({"B": 18, "u": 1}, "is the name of a variable"),
        "function": ({"B": 18, "exp": 1}, "is the name of a function"),
        "key": ({"B": {"value": 1, "rnge": [0, 2]}}, "Did you mean 'range'"),
    }.values():
        with pytest.raises(fs.InputError, match=rule):
            study_from({**table, "parameters": wrong})


def test_kinks_are_told():
    system = fs.FastSlowSystem("y - x*(1 + 5*abs(1 - x))", "1", window=((0, 2), (0, 2)))
    assert system.notes == ("abs(-x + 1) has a kink where -x + 1 = 0: derivatives jump there",)
    assert fs.FastSlowSystem("y - x*(1 + exp(abs(3 - x)))", "1", window=((0, 2), (0, 2))).notes == ()


def test_parameters_in_python_are_those_of_a_file(tmp_path):
    """With ranges; members, tables and axes are the same."""
    entries = {"h": {"value": "4/5", "range": ["3/10", 3]}, "q": "1/500"}
    f, g, window = "x*(1 - x) - h*z*(x - q)/(x + q)", "x - z", [[0, "6/5"], [0, "6/5"]]
    ours = fs.FastSlowSystem(
        f, g, slow=("z",), slow_rate="1/100", window=window, parameters=entries, name="oregonator"
    )  # fmt: skip
    (path := tmp_path / "oregonator.toml").write_text(
        f'f = "{f}"\ng = "{g}"\nslow = "z"\nslow_rate = "1/100"\nwindow = [[0, "6/5"], [0, "6/5"]]\n'
        '[parameters]\nh = { value = "4/5", range = ["3/10", 3] }\nq = "1/500"\n'
    )
    theirs = system_of(str(path))
    assert ours.table() == {**theirs.table(), "title": ours.title}
    assert ours.parameters == theirs.parameters
    for system in (ours, theirs):
        axis = fs.axis_of("h", "x", system=system)
        assert (axis.low, axis.high) == (Fraction(3, 10), 3)
        member = fs.family_of(system, "h").at(2)
        assert member.f(0.5, 0.25) == pytest.approx(0.25 - 0.5 * 0.498 / 0.502, rel=1e-15)
    with pytest.raises(fs.InputError, match=r"parameters\.k = 1: is used in neither"):
        fs.FastSlowSystem(f, g, slow=("z",), window=window, parameters={**entries, "k": 1})
    with pytest.raises(fs.InputError, match="must be a pair of numbers with the value between"):
        fs.FastSlowSystem("y - a*x", "x", parameters={"a": {"value": 1, "range": (2, 3)}})


def test_starts_on_a_line_that_no_solution_leaves_are_named():
    """By default they are not on the edge of a window, but may be on a line inside it."""
    for f in ("x*(1 - x - y)", "x*(exp(-x) - y)"):
        inside = fs.FastSlowSystem(f, "x - y", window=((-1, 2), (0, 1)))
        assert "no solution leaves the line x = 0" in inside.notes[-1]
        for window in (((0, 2), (0, 1)), ((-1, 2), (0, 1))):
            aside = fs.FastSlowSystem(f, "x - y", window=window, start_fast=None if window[0][0] == 0 else 1)
            assert aside.start_fast == 1
            assert not aside.notes
