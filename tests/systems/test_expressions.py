"""Formulas: read exactly, differentiated exactly, and refused with a sentence where they are not formulas."""

import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import flint
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special

import fastslow as fs
from fastslow.systems.expression_facts import as_polynomial, coefficients, kinks, nodes, polynomially_bounded
from fastslow.systems.expression_format import formatted
from fastslow.systems.expression_text import LONGEST, NAMES, parse_expression
from fastslow.systems.expressions import FUNCTIONS, derivative, evaluate

GRID = np.linspace(-2.31, 2.4, 48)
REFERENCES = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "atan": np.arctan,
    "erf": special.erf,
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "gelu": lambda x: x * (1 + special.erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, x / 100),
}


def values(text, x=GRID):
    return evaluate(parse_expression(text), {"x": x})


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_functions_are_what_they_are_called(name):
    x = GRID if name not in ("log", "sqrt") else GRID + 3
    np.testing.assert_allclose(values(f"{name}(x)", x), REFERENCES[name](x), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(values(name, x), values(f"{name}(x)", x))
    assert set(REFERENCES) == FUNCTIONS


@pytest.mark.parametrize(
    ("text", "wanted"),
    {
        "-x**2": lambda x: -(x**2),
        "2 - x - 1": lambda x: 1 - x,
        "8/x/2/2": lambda x: 2 / x,
        "2*x^3/4": lambda x: x**3 / 2,
        "x**-2": lambda x: 1 / x**2,
        "x**(-3)": lambda x: 1 / x**3,
        "--x": lambda x: x,
        "+-+x": lambda x: -x,
        "1e-3*x": lambda x: x / 1000,
        ".5*x + 1.": lambda x: x / 2 + 1,
        "pi*x": lambda x: np.pi * x,
        "silu(2*x)": lambda x: 2 * x / (1 + np.exp(-2 * x)),
        "identity": lambda x: x,
        "he1 + 0.5*he3": lambda x: x + (x**3 - 3 * x) / 2,
        "he2(x/2)": lambda x: x**2 / 4 - 1,
        "he40/1e25": lambda x: special.eval_hermitenorm(40, x) / 1e25,
        "\n tanh( x )\t": np.tanh,
        "3": lambda x: 0 * x + 3,
    }.items(),
)
def test_arithmetic(text, wanted):
    np.testing.assert_allclose(values(text), wanted(GRID), rtol=1e-13, atol=1e-13)


def test_numbers_are_exact():
    assert coefficients(parse_expression("0.1*x + 1e-3 - x**2/3")) == (
        Fraction(1, 1000),
        Fraction(1, 10),
        Fraction(-1, 3),
    )
    assert coefficients(parse_expression("(1/3 + 1/6)*he3")) == (0, Fraction(-3, 2), 0, Fraction(1, 2))
    assert coefficients(parse_expression("x - x")) == (0,)
    assert coefficients(parse_expression("tanh")) is None
    assert coefficients(parse_expression("x**-1")) is None
    assert coefficients(parse_expression("x**256*x")) is None


def test_several_variables():
    e = parse_expression("x*y - tanh(y) + he2(x)", ("x", "y"))
    np.testing.assert_allclose(evaluate(e, {"x": 2.0, "y": [0.5, 1]}), 2 * np.array([0.5, 1]) - np.tanh([0.5, 1]) + 3)
    dy = derivative(e, "y")
    np.testing.assert_allclose(evaluate(dy, {"x": 2.0, "y": 0.5}), 2 - 1 + np.tanh(0.5) ** 2, rtol=1e-15)
    x, y = fs.variables("x", "y")
    p = as_polynomial(parse_expression("(x - y)**3/2 + he2(x*y)", ("x", "y")), {"x": x, "y": y})
    assert p == (x - y) ** 3 / 2 + x**2 * y**2 - 1
    with pytest.raises(fs.InputError, match="of which variable"):
        parse_expression("tanh + x", ("x", "y"))
    assert as_polynomial(e, {"x": x, "y": y}) is None


ATOMS = st.sampled_from(["x", "2", "0.5", "3", "pi", "he3", "x**2"])
SMOOTH = sorted(FUNCTIONS - {"abs", "sign", "relu", "leaky_relu", "log", "sqrt", "tan"})


def _grown(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
        st.tuples(st.sampled_from(SMOOTH), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.integers(1, 3)).map(lambda t: f"({t[0]})**{t[1]}"),
        inner.map(lambda t: f"1/(1 + ({t})**2)"),
        inner.map(lambda t: f"sqrt(1 + ({t})**2) + log(2 + ({t})**2)"),
    )


FORMULAS = st.recursive(ATOMS, _grown, max_leaves=5)


@settings(max_examples=150, deadline=None)
@given(text=FORMULAS, x=st.floats(-1.2, 1.2))
def test_derivatives_are_slopes(text, x):
    """Each derivative is the slope of the one before, by Richardson's extrapolation of central differences."""
    assume(len(text) <= LONGEST)
    e = parse_expression_or_none(text)
    assume(e is not None)
    for _ in range(3):
        slope = derivative(e, "x")
        h = 1e-2 * 0.5 ** np.arange(5)
        central = (evaluate(e, {"x": x + h}) - evaluate(e, {"x": x - h})) / (2 * h)
        assume(np.all(np.isfinite(central)) and np.max(np.abs(central)) < 1e4)
        table = [central]
        for k in range(1, 5):
            table.append((4**k * table[-1][1:] - table[-1][:-1]) / (4**k - 1))
        doubt = abs(table[3][1] - table[4][0]) + 1e-9 * (1 + np.abs(evaluate(e, {"x": x})))
        assume(doubt < 1e-4)
        assert abs(float(evaluate(slope, {"x": x})) - table[4][0]) <= 100 * doubt
        e = slope


def parse_expression_or_none(text):
    try:
        return parse_expression(text)
    except fs.InputError:
        return None


@settings(max_examples=150, deadline=None)
@given(text=FORMULAS)
def test_text_reads_back(text):
    assume(len(text) <= LONGEST // 8)
    e = parse_expression_or_none(text)
    assume(e is not None)
    written = formatted(e)
    assume(len(written) <= LONGEST)
    again = parse_expression(written)
    np.testing.assert_allclose(values(written), evaluate(e, {"x": GRID}), rtol=1e-12)
    assert formatted(again) == formatted(parse_expression(formatted(again)))


@settings(max_examples=100, deadline=None)
@given(c=st.lists(st.fractions(-5, 5, max_denominator=9), min_size=1, max_size=6))
def test_polynomials_are_found(c):
    text = " + ".join(f"({v})*x**{k}" for k, v in enumerate(c))
    wanted = tuple(c[: max((k + 1 for k, v in enumerate(c) if v), default=1)])
    assert coefficients(parse_expression(text)) == (wanted or (Fraction(0),))
    product = coefficients(parse_expression(f"({text})*({text})"))
    p = flint.fmpq_poly([flint.fmpq(v.numerator, v.denominator) for v in c])
    assert flint.fmpq_poly([flint.fmpq(v.numerator, v.denominator) for v in product]) == p * p


def test_derivatives_at_kinks_and_jumps():
    np.testing.assert_array_equal(
        evaluate(derivative(parse_expression("relu(x)"), "x"), {"x": [-1.0, 0.0, 2.0]}), [0.0, 0.5, 1.0]
    )
    np.testing.assert_array_equal(evaluate(derivative(parse_expression("abs(2*x)"), "x"), {"x": [-1.0, 3.0]}), [-2, 2])
    assert formatted(derivative(parse_expression("relu(x)"), "x", 2)) == "0"


def test_kinks_are_located():
    assert kinks(parse_expression("relu(3*x - 1) + abs(x + 2) + sign(7)")) == (-2.0, float(Fraction(1, 3)))
    assert kinks(parse_expression("relu(x/sqrt(2) - 1)")) == pytest.approx((np.sqrt(2),), rel=1e-15)
    assert kinks(parse_expression("tanh(abs(x**2 - 2))")) == pytest.approx((-np.sqrt(2), np.sqrt(2)), rel=1e-15)
    assert kinks(parse_expression("relu(tanh(x) - 1/2)")) == pytest.approx((np.arctanh(0.5),), rel=1e-15)
    assert kinks(parse_expression("tanh(x) + he3 + relu(2)")) == ()
    waves = kinks(parse_expression("abs(sin(5*x))"))
    np.testing.assert_allclose(waves, np.pi / 5 * np.arange(-60, 61), atol=1e-13)


@pytest.mark.parametrize(
    ("text", "orders"),
    {
        "tanh(x**2) + x*sin(x)": 3,
        "gelu": 3,
        "silu": 3,
        "softplus(3*x)": 3,
        "sqrt(1 + x**2)": 3,
        "log(2 + x**2)/(1 + x**4)": 3,
        "exp(-x**2)": 3,
        "relu(x)*abs(x)": 3,
        "he7": 3,
        "exp(x)": 0,
        "cosh(x)": 0,
        "exp(x**2)": 0,
        "sin(exp(x))": 1,
        "1/x": 0,
        "tan(x)": 0,
    }.items(),
)
def test_growth(text, orders):
    e = parse_expression(text)
    assert [polynomially_bounded(e, derivatives=n) for n in range(3)] == [n < orders for n in range(3)]


# Refusals ---------------------------------------------------------------------------------------------------


def corpus():
    rule, entries = "", []
    for line in (Path(__file__).parent / "hostile_formulas.txt").read_text().split("\n"):
        if line.startswith("==> "):
            rule = line[4:]
        elif line:
            entries.append((line.encode().decode("unicode_escape"), rule))
    return entries


LONG = {
    "(" * 1_000_000: "longer than",
    "x" * 1_000_000: "longer than",
    "x+" * 500_000: "longer than",
    "-" * 1_000_000 + "x": "longer than",
    "9" * 1_000_000: "longer than",
    " " * 1_000_000: "longer than",
    "\u0445" * 1_000_000: "longer than",
    "tanh(" * 250_000: "longer than",
    "(" * 900: "nested deeper",
    "tanh(" * 150 + "x" + ")" * 150: "nested deeper",
    "sqrt(" * 41 + "x" + ")" * 41: "nested deeper",
    "1+(" * 200 + "x" + ")" * 200: "nested deeper",
    "9" * 900: "is no number",
    "9" * 399: "between",
    "a" * 900: "unknown name",
    "x" * 900: "unknown name",
    "_" * 900: "underscore",
    "x**" * 300 + "2": "a power of a power",
    "-" * 999: "is missing",
    ")" * 900: "is missing",
    "exp(" * 30 + "x" + ")" * 30: "is not finite",
}
_heard: list[str] = []
_listening = False


def _listen(event, _):
    if _listening:
        _heard.append(event)


@pytest.fixture
def audit():
    """The audit events of Python, heard while `listening` is set: a hook stays for good."""
    global _listening
    if not getattr(_listen, "added", False):
        sys.addaudithook(_listen)
        _listen.added = True
    _heard.clear()

    def listening(on):
        global _listening
        _listening = on

    yield listening
    _listening = False


def test_hostile_formulas_are_refused_at_once_with_their_own_sentence(audit):
    entries = [*corpus(), *LONG.items()]
    assert len(entries) >= 400
    executed = {"exec", "compile", "import", "open", "os.system", "subprocess.Popen", "object.__getattr__"}
    with pytest.raises(fs.InputError):
        fs.hermite_expansion("1/x")  # what is imported at first use
    audit(True)
    eval("1 + 1")
    audit(False)
    assert executed & set(_heard)
    _heard.clear()
    sentences = set()
    for text, rule in entries:
        seconds = []
        for _ in range(3):
            audit(True)
            start = time.thread_time()
            with pytest.raises(fs.InputError) as refused:
                fs.hermite_expansion(text)
            seconds.append(time.thread_time() - start)
            audit(False)
        error = refused.value
        assert rule in error.rule, (text[:80], error.rule)
        assert error.way_out
        assert len(str(error)) < 700
        assert min(seconds) < 0.05, (text[:80], min(seconds))
        sentences.add(rule)
    assert len(sentences) > 25
    assert not executed & set(_heard)


def test_columns():
    for text, column in {"x + y": 5, "  tanh(z)": 8, "x**x": 4, "(x": 1, "x)": 2, "1/0": 3, "x + log(0)": 5}.items():
        with pytest.raises(fs.InputError, match=f"column {column}: "):
            parse_expression(text)


def test_what_is_no_text_is_refused():
    for value in (None, 1, b"x", ["x"]):
        with pytest.raises(fs.InputError, match="must be text"):
            parse_expression(value)


def test_a_near_miss_is_suggested():
    with pytest.raises(fs.InputError, match="Did you mean tanh"):
        parse_expression("tanhh(x)")


@pytest.mark.parametrize("function", ["tanh", "gelu", "silu", "leaky_relu", "softplus", "sin", "he1", "identity"])
def test_deep_formulas_are_no_trap(function):
    """Nodes are shared between derivatives: nothing is walked once for every path to it."""
    text = f"{function}(" * 39 + "1 + x/3" + ")" * 39
    fs.hermite_expansion("gelu")
    start = time.thread_time()
    assert fs.hermite_expansion(text).norm > 0
    with suppress(fs.InputError):
        derivative(parse_expression(text), "x", 3)
    middle = parse_expression(text[: 10 * len(function) + 10] + "x" + ")" * 10)
    assert evaluate(derivative(middle, "x", 3), {"x": GRID}).shape == GRID.shape
    assert time.thread_time() - start < 2.0


def test_derivatives_too_long_or_too_large_are_refused():
    e = parse_expression("*".join(["tanh(x)"] * 120))
    with pytest.raises(fs.InputError, match="too long"):
        derivative(e, "x", 3)
    with pytest.raises(fs.InputError, match="numbers"):
        derivative(parse_expression("1e288*x**100"), "x", 3)


PIECES = [*NAMES, *"xyz_.,()[]{}+-*/^%=<>!:;#'\"\\ \t\n", "**", "//", "1", "0", "1e9", "2.5", "lambda", "\u0445", "__"]


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_any_text_is_a_formula_or_refused(text):
    start = time.thread_time()
    e = parse_expression_or_none(text)
    if e is not None:
        assert evaluate(e, {"x": GRID}).shape == GRID.shape
        assert all(type(node).__module__ == "fastslow.systems.expressions" for node in nodes(e))
        assert text.isascii()
    assert time.thread_time() - start < 0.05


@settings(max_examples=60, deadline=None)
@given(text=FORMULAS)
def test_any_formula_is_expanded_or_refused(text):
    assume(len(text) <= LONGEST)
    with suppress(fs.InputError):
        found = fs.hermite_expansion(text, 12)
        assert np.isfinite([*map(float, found.coefficients), found.mean, found.tail, found.norm]).all()
        assert found.mean**2 + (found.normalised**2).sum() <= found.norm**2 * (1 + 1e-9)
