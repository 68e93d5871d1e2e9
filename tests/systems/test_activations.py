"""Hermite series of activations: integrals, closed forms, kernels, tails, and networks made of them."""

import itertools
import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import fastslow as fs
from fastslow.systems.activations import _of_text, cut
from fastslow.systems.expression_facts import kinks
from fastslow.systems.expression_format import formatted
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import derivative, evaluate
from fastslow.systems.families import family_of, parameters_of
from fastslow.systems.gaussian_quadrature import project
from fastslow.systems.hermite_forms import closed_dual, closed_form, hermite_of_powers, root_factorial
from fastslow.systems.model_files import study_from

NAMED = (
    *("relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "erf", "softplus", "sin", "cos", "exp", "identity"),
    *("he1", "he7", "he40", "he1 + 0.5*he3", "tanh(2*x) + x/10"),
)


def integrated(text, order=40):
    e = parse_expression(text)

    def refuse(rule, way_out):
        return AssertionError(f"{text}: {rule}")

    return project(lambda x: evaluate(e, {"x": x}), order, kinks(e), refuse)


def gauss_hermite(function, order=40):
    """b_0, ..., b_order by Gauss-Hermite rules that are doubled until they agree."""
    before, n = None, 64
    while n <= 4096:
        x, w = special.roots_hermitenorm(n)
        w = w / math.sqrt(2 * math.pi)
        h = np.empty((order + 1, n))
        h[0], h[1] = 1.0, x
        for k in range(1, order):
            h[k + 1] = (x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1)
        now = (h * w) @ function(x)
        if before is not None and np.abs(now - before).max() < 1e-14:
            return now
        before, n = now, 2 * n
    raise AssertionError("Gauss-Hermite rules do not converge")


# Coefficients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("relu(x)", "relu(-2*x)", "relu(x - 1/3)", "relu(1 - 3*x)", "relu(5*x + 4)", "abs(x)", "abs(2*x - 1)"),
        *("sign(x)", "sign(1 - x)", "sign(2*x + 1)", "sin(x)", "sin(3*x - 1)", "cos(2*x)", "cos(x/3 + 2)", "exp(x)"),
        *("exp(-2*x + 1)", "erf(x)", "erf(-x/3)", "erf(x/sqrt(2))", "erf(7*x)", "x**3", "leaky_relu(x - 1)"),
        *("he5 - 2*he2", "sin(x) + cos(x)*3 - x**2/2 + relu(x)/sqrt(3)", "pi*sin(x/sqrt(2) + pi/3)"),
    ],
)
def test_closed_forms_equal_the_integrals(text):
    whole = integrated(text)
    b, errors = closed_form(parse_expression(text), 40)
    np.testing.assert_allclose(b, whole.b, rtol=0, atol=1e-12 * whole.norm)
    assert (np.abs(b - whole.b) <= errors + whole.errors).all()


@pytest.mark.parametrize("text", ["erf(x + 1)", "tanh(x)", "sin(x**2)", "x*sin(x)", "exp(x)**2", "sin(x)*cos(x)"])
def test_what_has_no_closed_form_is_said(text):
    assert closed_form(parse_expression(text), 10) is None


@pytest.mark.parametrize(
    ("text", "function"),
    {
        "exp": np.exp,
        "sin": np.sin,
        "cos": np.cos,
        "gelu": lambda x: x * special.ndtr(x),
        "silu": lambda x: x * special.expit(x),
        "tanh": np.tanh,
        "softplus": lambda x: np.logaddexp(0, x),
        "sigmoid": special.expit,
        "erf": special.erf,
        "tanh(x/2) + x/10": lambda x: np.tanh(x / 2) + x / 10,
        "1/(2 + x**2)": lambda x: 1 / (2 + x**2),
    }.items(),
)
def test_smooth_functions_agree_with_gauss_hermite_rules(text, function):
    found = fs.hermite_expansion(text, 40)
    b = gauss_hermite(function)
    np.testing.assert_allclose([found.mean, *found.normalised], b, rtol=0, atol=2e-12 * found.norm)


@pytest.mark.parametrize(
    "text", ["tanh", "gelu", "silu", "softplus(5*x)", "erf(3*x - 1)", "log(1 + x**2)", "sin(x)**2"]
)
def test_coefficients_of_the_derivative(text):
    """Stein's identity: k c_k(sigma) = c_{k-1}(sigma')."""
    own = fs.hermite_expansion(text, 40)
    slope = fs.hermite_expansion(formatted(derivative(parse_expression(text), "x")), 39)
    k = np.arange(1, 41)
    np.testing.assert_allclose(
        own.normalised * np.sqrt(k), [slope.mean, *slope.normalised], rtol=0, atol=1e-12 * (own.norm + slope.norm)
    )


def test_kernel_of_erf():
    """For erf(x / sqrt 2) the sum of b_k^2 rho^k is (2/pi) asin(rho/2) (Williams 1997)."""
    b = fs.hermite_expansion("erf(x/sqrt(2))", 100).normalised
    for rho in (-0.9, -0.3, 0.2, 0.7, 1.0):
        wanted = 2 / math.pi * math.asin(rho / 2)
        assert b**2 @ rho ** np.arange(1.0, 101) == pytest.approx(wanted, abs=1e-14)


def test_kernel_of_relu():
    """The arc-cosine kernel of order one (Cho and Saul 2009)."""
    found = fs.hermite_expansion("relu", 100)
    for rho in (-0.7, -0.3, 0.2, 0.6, 0.7):
        kernel = (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) / (2 * math.pi)
        total = found.mean**2 + found.normalised**2 @ rho ** np.arange(1.0, 101)
        assert total == pytest.approx(kernel, abs=1e-14 + found.tail**2 * abs(rho) ** 101)


def test_exact_zeros():
    """Odd and even functions have no other terms, and x/2 + even functions no odd ones behind the first."""
    for text in ("tanh", "sin", "erf", "tanh(2*x) + x/10", "atan(x**3)", "sign", "x*abs(x)", "sin(x)*exp(-x**2)"):
        found = fs.hermite_expansion(text, 40)
        assert found.mean == 0.0
        assert not any(found.coefficients[1::2])
        assert all(found.coefficients[0:5:2])
    for text in ("cos", "abs", "exp(-x**2)", "log(1 + x**2)", "tanh(x)**2"):
        assert not any(fs.hermite_expansion(text, 40).coefficients[0::2])
    for text in ("relu", "gelu", "silu", "softplus", "leaky_relu", "relu(x) + x"):
        found = fs.hermite_expansion(text, 40)
        assert not any(found.coefficients[2::2])
        assert all(found.coefficients[1:8:2])
    assert not any(fs.hermite_expansion("sigmoid", 40).coefficients[1::2])


def test_polynomials_are_exact():
    found = fs.hermite_expansion("he1 + 0.5*he3")
    assert found.coefficients == (1, 0, Fraction(1, 2))
    assert (found.mean, found.tail, found.method, found.exact) == (0.0, 0.0, "polynomial", True)
    cube = fs.hermite_expansion("x**4/3 + 7")
    assert cube.coefficients == (0, 2, 0, Fraction(1, 3))
    assert cube.mean == 8.0
    short = fs.hermite_expansion("he1 + 0.5*he3 + he5/10", 3)
    assert short.coefficients == (1, 0, Fraction(1, 2))
    assert short.tail == pytest.approx(math.sqrt(120) / 10, rel=1e-15)
    assert fs.hermite_expansion("he40").coefficients == (0,) * 39 + (1,)
    assert fs.hermite_expansion("he2", 6).coefficients == (0, 1, 0, 0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(c=st.lists(st.fractions(-9, 9, max_denominator=50), min_size=1, max_size=12))
def test_powers_and_hermite_polynomials(c):
    """The sum of c_k He_k, multiplied out and back."""
    powers = [Fraction(0)] * len(c)
    for k, value in enumerate(c):
        for j, entry in enumerate(np.polynomial.hermite_e.herme2poly([0] * k + [1])):
            powers[j] += value * int(entry)
    assert hermite_of_powers(powers) == tuple(c)


@pytest.mark.parametrize("text", NAMED)
def test_forty_coefficients_fast_and_to_twelve_digits(text):
    fs.hermite_expansion(text, 40)  # what is imported at first use
    seconds = []
    for _ in range(3):
        _of_text.cache_clear()
        start = time.thread_time()
        found = fs.hermite_expansion(text, 40)
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.2
    errors = np.array(found.errors) * [root_factorial(k) for k in range(1, 41)]
    assert (errors <= 1e-12 * found.norm).all()
    b = integrated(text).b[1:]
    np.testing.assert_allclose(found.normalised, b, rtol=0, atol=1e-12 * found.norm)


def test_value_of_the_series():
    x = np.linspace(-3, 3, 21)
    found = fs.hermite_expansion("sin(x) + x**2", 40)
    np.testing.assert_allclose(found(x), np.sin(x) + x**2, atol=1e-10)


# Tails ------------------------------------------------------------------------------------------------------


def test_tails_in_closed_form():
    """sin: k! c_k^2 = exp(-1)/k! for odd k; exp: e/k!; both far below what Parseval's difference shows."""
    for order in (3, 8, 13):
        odd = sum(1 / math.factorial(k) for k in range(order + 1, 60) if k % 2)
        every = sum(1 / math.factorial(k) for k in range(order + 1, 60))
        assert fs.hermite_expansion("sin", order).tail == pytest.approx(math.sqrt(odd / math.e), rel=1e-3, abs=1e-15)
        assert fs.hermite_expansion("exp", order).tail == pytest.approx(math.sqrt(every * math.e), rel=1e-3, abs=3e-15)
    tail = fs.hermite_expansion("sin", 11).tail
    assert 1e-6 < tail < 1e-5
    assert tail == pytest.approx(math.sqrt(sum(1 / math.factorial(k) for k in range(13, 60, 2)) / math.e), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "second"),
    {"relu": 0.5, "abs": 1.0, "sign": 1.0, "sin": (1 - math.exp(-2)) / 2, "erf(x/sqrt(2))": 1 / 3}.items(),
)
@pytest.mark.parametrize("order", [2, 9, 30])
def test_parseval(text, second, order):
    found = fs.hermite_expansion(text, order)
    assert found.norm**2 == pytest.approx(second, rel=1e-14)
    rest = second - found.mean**2 - (found.normalised**2).sum()
    assert found.tail**2 == pytest.approx(rest, abs=2e-15)


def test_a_tail_is_that_of_a_longer_series():
    long = fs.hermite_expansion("gelu", 80)
    short = fs.hermite_expansion("gelu", 12)
    assert short.tail == pytest.approx(math.hypot(long.tail, *long.normalised[12:]), rel=1e-12)
    assert cut(long, 12).tail == pytest.approx(short.tail, rel=1e-12)
    np.testing.assert_allclose(cut(long, 12).normalised, short.normalised, rtol=0, atol=1e-14)
    with pytest.raises(fs.InputError, match="12 known coefficients"):
        cut(short, 13)


# Functions and samples --------------------------------------------------------------------------------------


def test_functions_are_formulas():
    for function, text in ((np.tanh, "tanh"), (lambda x: np.maximum(x, 0), "relu"), (lambda x: 1.0, "1")):
        own = fs.hermite_expansion(function, 20, kinks=(0,))
        other = fs.hermite_expansion(text, 20)
        assert own.mean == pytest.approx(other.mean, abs=1e-14)
        np.testing.assert_allclose(own.normalised, other.normalised, rtol=0, atol=1e-13)
        assert own.text is None
    assert fs.hermite_expansion(np.tanh).name == "tanh"


@pytest.mark.parametrize("place", [0.3, -1.2345, math.sqrt(2), 5.1])
def test_kinks_and_jumps_that_nobody_named_are_found(place):
    kinked = fs.hermite_expansion(lambda x: np.maximum(x - place, 0), 30)
    wanted, _ = closed_form(parse_expression(f"relu(x - {place!r})"), 30)
    np.testing.assert_allclose([kinked.mean, *kinked.normalised], wanted, rtol=0, atol=1e-12)
    stepped = fs.hermite_expansion(lambda x: np.where(x > place, 1.0, -1.0), 30)
    wanted, _ = closed_form(parse_expression(f"sign(x - {place!r})"), 30)
    np.testing.assert_allclose([stepped.mean, *stepped.normalised], wanted, rtol=0, atol=1e-12)


def _raises(x):
    raise KeyError("no")


@pytest.mark.parametrize(
    ("function", "rule"),
    [
        (_raises, "raised KeyError"),
        (math.tanh, "raised TypeError"),
        (lambda x: x[:1], "shape"),
        (lambda x: x + 1j, "complex"),
        (lambda x: None, "object"),
        (lambda x: np.log(x), "not finite and real"),
        (lambda x: np.exp(x**2), "grows too fast"),
        (lambda x: 1 / x, "square integrable"),
        (lambda x: 0 * x, "vanishes"),
        (lambda x: np.full(x.shape, "a"), "returned"),
    ],
)
def test_functions_that_cannot_be_used(function, rule):
    with pytest.raises(fs.InputError, match=rule):
        fs.hermite_expansion(function)


@pytest.mark.parametrize(
    ("function", "text", "rate"),
    [
        (np.tanh, "tanh", 4),
        (lambda x: x * special.ndtr(x), "gelu", 4),
        (np.sin, "sin(x)", 4),
        (lambda x: np.maximum(x - 0.213, 0), "relu(x - 0.213)", 1.5),
    ],
)
def test_samples(function, text, rate):
    """The error is not larger than estimated; the estimate falls as (number of samples)^-rate."""
    exact = fs.hermite_expansion(text, 9)
    largest = []
    for count in (81, 321, 1281):
        x = np.linspace(-8, 8, count)
        found = fs.hermite_expansion((x, function(x)), 9)
        errors = np.array(found.errors) * [root_factorial(k) for k in range(1, 10)]
        assert (np.abs(found.normalised - exact.normalised) <= errors).all()
        assert found.method == "samples"
        largest.append(errors.max())
    fall = np.log2(largest[0] / largest[2]) / 4
    assert 0.7 * rate < fall < 1.6 * rate


@pytest.mark.parametrize(
    ("x", "values", "rule"),
    [
        (np.linspace(-4, 4, 50), np.zeros(50), "cover"),
        (np.linspace(-7, 7, 50), np.zeros(49), "same length"),
        (np.linspace(-7, 7, 5), np.zeros(5), "8 to"),
        (np.linspace(7, -7, 50), np.zeros(50), "increasing"),
        (np.linspace(-7, 7, 50), np.full(50, np.nan), "finite"),
        (np.linspace(-7, 7, 50), np.zeros(50), "vanishes"),
        (np.linspace(-7, 7, 6000), np.zeros(6000), "8 to"),
        ([*"abcdefgh"], range(8), "real numbers"),
        ([[1, 2], [3]], [[1, 2], [3]], "real numbers"),
    ],
)
def test_samples_that_cannot_be_used(x, values, rule):
    with pytest.raises(fs.InputError, match=rule):
        fs.hermite_expansion((x, values))


@pytest.mark.parametrize("order", [0, -1, 101, 2.5, True, "x", "", "1e3", None.__class__, "9" * 50])
def test_orders_that_cannot_be_used(order):
    with pytest.raises(fs.InputError, match="whole number from 1 to 100"):
        fs.hermite_expansion("tanh", order)


def test_a_tolerance_that_is_not_met_is_refused():
    with pytest.raises(fs.InputError, match="of the norm, not to 1e-14"):
        fs.hermite_expansion("cos(exp(x))", 20, tolerance=1e-14)
    for tolerance in (0, -1, "x", 1e-15, True, math.nan):
        with pytest.raises(fs.InputError, match="tolerance"):
            fs.hermite_expansion("tanh", tolerance=tolerance)


# Networks ---------------------------------------------------------------------------------------------------


def test_a_network_of_names():
    network = fs.two_layer("tanh", "he1 + 0.5*he3", order=9, noise="1/10")
    assert network.c_star == (1, 0, Fraction(1, 2), 0, 0, 0, 0, 0, 0)
    assert tuple(map(float, network.c)) == fs.hermite_expansion("tanh", 9).coefficients
    assert network.table() == {
        **{"model": "two_layer", "activation": "tanh", "link": "he1 + 0.5*he3", "order": 9},
        **{"slow_rate": 1, "noise": "1/10"},
    }
    again = study_from(network.table()).system
    assert (again.c, again.c_star, again.noise, again.notes) == (
        network.c,
        network.c_star,
        network.noise,
        network.notes,
    )
    plain = study_from(network.written_out()).system
    assert (plain.c, plain.c_star) == (network.c, network.c_star)
    assert "activation" not in plain.table()


def test_orders_and_padding():
    assert len(fs.two_layer("tanh", "he1 + he3").c) == 15
    assert len(fs.two_layer("he1 + he2", "he1 + he2 + he5").c) == 5
    assert len(fs.two_layer("he1 + he2", "he1 + he2 + he20").c) == 20
    assert len(fs.two_layer("relu", "he1 + he2 + he20").c) == 20
    mixed = fs.two_layer("relu", [1, 0, "1/2", -1], order=6)
    assert mixed.c_star == (1, 0, Fraction(1, 2), -1, 0, 0)
    assert mixed.table()["c_star"] == [1, 0, 0.5, -1, 0, 0]
    assert study_from(mixed.table()).system.table() == mixed.table()
    lists = fs.two_layer([1, 1, 1], [1, -1])
    assert (lists.c, lists.c_star) == ((1, 1, 1), (1, -1, 0))
    assert lists.table() == fs.TwoLayer([1, 1, 1], [1, -1, 0]).table()
    expanded = fs.hermite_expansion("gelu", 8)
    assert len(fs.two_layer(expanded, "he1 + he2").c) == 8
    assert fs.two_layer(expanded, "he1 + he2").table()["activation"] == "gelu"
    shorter = fs.two_layer(expanded, "he1 + he2", order=5)
    assert study_from(shorter.table()).system.c == shorter.c


def test_a_network_of_functions_is_written_with_its_coefficients():
    network = fs.two_layer(np.tanh, lambda x: x + x**3 / 10, order=7)
    assert set(network.table()) == {"model", "c", "c_star", "slow_rate", "noise"}
    assert study_from(network.table()).system.c == network.c
    assert any("not checked for the link" in note for note in network.notes)


@pytest.mark.parametrize("pair", [("relu", "tanh(2*x) - 0.5*he2"), ("gelu", "sign(x) + abs(x)"), ("tanh", "he1 + he3")])
@pytest.mark.parametrize("order", [3, 8])
def test_what_is_cut_off_is_as_small_as_said(pair, order):
    """|S - S_K| <= t t* |R|^(K+1), 0 <= T - T_K <= t^2 R^(2K+2), and the loss lacks t*^2/2."""
    short, long = (fs.two_layer(*pair, order=k) for k in (order, 100))
    own, star = (fs.hermite_expansion(text, order) for text in pair)
    R = np.linspace(-0.95, 0.95, 39)
    room = 1 + 1e-12
    assert (np.abs(long.S(R) - short.S(R)) <= room * own.tail * star.tail * np.abs(R) ** (order + 1) + 1e-14).all()
    more = long.T(R) - short.T(R)
    assert (more >= -1e-14).all()
    assert (more <= room * own.tail**2 * R ** (2 * order + 2) + 1e-14).all()
    loss = float(long.teacher_norm - short.teacher_norm) / 2
    assert 0 <= loss <= room * star.tail**2 / 2 + 1e-14


def test_notes_say_what_is_dropped():
    notes = fs.two_layer("relu", "gelu - 1.5*he2", order=9).notes
    (dropped,) = [note for note in notes if note.startswith("Dropped")]
    assert "E[relu] = 0.398942" in dropped
    assert "0.282095" in dropped
    (tail,) = [note for note in notes if "truncated at k = 9" in note]
    own = fs.hermite_expansion("relu", 9)
    assert f"{own.tail:.3g} of 0.707" in tail
    assert f"{own.tail**2:.3g} R^20" in tail
    (fourth,) = [note for note in notes if note.startswith("Assumption 4")]
    assert "not so for the activation relu, with a kink or jump at x = 0" in fourth
    (third,) = [note for note in notes if note.startswith("Assumption 3")]
    assert "smooth and polynomially bounded" in third
    exact = fs.two_layer("he1 + he2", "he1 - he2").notes
    assert len(exact) == 2
    assert all("is a polynomial" in note for note in exact)
    assert "not shown for the activation exp" in fs.two_layer("exp", "he1 + he2").notes[-1]


@pytest.mark.parametrize(
    ("activation", "link", "rule"),
    [
        ("he2", "tanh", "c_1 must not be zero"),
        ("cos", "he1 + he2", "c_1 must not be zero"),
        ("tanh", "cos", "c\\*_1 c_1 must not be zero"),
        ("x", "tanh", "some c_k with k >= 2"),
        ("tanh", "he1 + he2", "share no nonlinear term"),
        ("log(x)", "tanh", "^activation = .*not finite"),
        ("tanh", "log(x)", "^link = .*not finite"),
        ("tanh", "y", "^link = .*unknown name"),
        ("tanh", np.log, "^link = .*not finite"),
    ],
)
def test_networks_that_are_none(activation, link, rule):
    with pytest.raises(fs.InputError, match=rule):
        fs.two_layer(activation, link)


def test_families_of_named_networks():
    network = fs.two_layer("tanh", "he1 + 0.5*he3", order=5)
    assert "c_star[3]" in parameters_of(network)
    member = family_of(network, "c_star[3]", "slow_rate").at("-1/2", "1/10")
    assert member.c == network.c
    assert member.c_star == (1, 0, Fraction(-1, 2), 0, 0)
    assert member.slow_rate == Fraction(1, 10)


def test_an_analysis_is_saved_and_read_back(tmp_path):
    analysis = fs.analyze(fs.two_layer("tanh", "he1 + 0.5*he3", order=7), a0=[5])
    assert analysis.complete
    back = fs.load(analysis.save(tmp_path / "analysis.json"))
    assert back == analysis
    assert back.model.table["activation"] == "tanh"
    assert back.model.notes == analysis.model.notes
    assert "truncated at k = 7" in back.summary()


def test_the_same_network_from_coefficients():
    """he-polynomials as text are the coefficients: everything that follows is the same."""
    named = fs.analyze(fs.two_layer("he1 + he2 + he3", "he1 - 2*he2 + he3"), a0=[1])
    listed = fs.analyze(fs.TwoLayer([1, 1, 1], [1, -2, 1]), a0=[1])
    assert named.orbits == listed.orbits
    assert named.thresholds == listed.thresholds


BASE = {"model": "two_layer", "activation": "tanh", "link": "he1 + he3"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"c": [1, 1]}, "cannot stand beside c"),
        ({"c_star": [1, 1]}, "cannot stand beside c_star"),
        ({"normalised": True}, "for coefficients c and c_star only"),
        ({"activation": ["tanh"]}, "must be a name or formula"),
        ({"activation": 3}, "must be a name or formula"),
        ({"order": 0}, "from 1 to 100"),
        ({"order": "many"}, "from 1 to 100"),
        ({"activation": "x.real"}, "no attributes"),
        ({"links": "tanh"}, "Did you mean 'link'"),
    ],
)
def test_tables_that_cannot_be_used(change, rule):
    with pytest.raises(fs.InputError, match=rule):
        study_from({**BASE, **change})
    with pytest.raises(fs.InputError, match="order = 3: is for an activation or link only"):
        study_from({"model": "two_layer", "c": [1, 1], "c_star": [1, 1], "order": 3})
    with pytest.raises(fs.InputError, match="c_star: is missing"):
        study_from({"model": "two_layer", "activation": "tanh"})


# Duals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("relu", "relu(-2*x)", "3*leaky_relu(x)", "abs(x/2)/7", "erf", "erf(3*x)", "erf(x/sqrt(2))", "sin", "exp"),
        *("sin(2*x - 1)", "-2*cos(x/3 + 2)", "exp(x/2 + 1)/5", "cos(3*x)"),
    ],
)
def test_closed_duals_equal_the_quadrature(text):
    """E[sigma(s z) sigma(t w)], z and w of correlation rho, as an integral over the plane split at the kinks."""
    e = parse_expression(text)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    dual = closed_dual(e)

    def value(x):
        return np.asarray(evaluate(e, {"x": x}))

    for s, t, rho in ((1.0, 1.0, 0.3), (1.0, 1.0, -0.8), (0.7, 1.3, 0.95), (1.1, 0.9, 0.0)):
        ends = np.array([-12.0, -6, -3, 0, 3, 6, 12])
        z = np.concatenate([(a + b) / 2 + (b - a) / 2 * nodes for a, b in itertools.pairwise(ends)])
        w = np.concatenate([(b - a) / 2 * weights for a, b in itertools.pairwise(ends)])
        w = w * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        # w = rho z + r x is split where it is 0, at x = -rho z / r.
        r = math.sqrt(1 - rho**2)
        split = np.clip(-rho * z / r, -11.9, 11.9)
        edges = np.sort(np.stack([*(np.full_like(z, v) for v in (-12, -4, 4, 12)), split]), axis=0)
        inner = np.zeros_like(z)
        for low, high in itertools.pairwise(edges):
            x = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * nodes
            density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * (high - low)[:, None] / 2 * weights
            inner += (value(t * (rho * z[:, None] + r * x)) * density).sum(axis=1)
        wanted = float(w @ (value(s * z) * inner))
        assert float(dual(s * s, t * t, s * t * rho)) == pytest.approx(wanted, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("text", ["relu", "erf", "sin", "exp", "cos(2*x)"])
def test_closed_duals_are_the_kernels_of_the_series(text):
    found, dual = fs.hermite_expansion(text, 100), closed_dual(parse_expression(text))
    for rho in (-0.7, -0.2, 0.4, 0.7):
        total = found.mean**2 + found.normalised**2 @ rho ** np.arange(1.0, 101)
        assert float(dual(1.0, 1.0, rho)) == pytest.approx(total, abs=2e-15 + found.tail**2 * abs(rho) ** 101)


@pytest.mark.parametrize("text", ["tanh", "relu(x + 1)", "erf(x - 1)", "relu(x) + x", "x*sin(x)", "sin(x**2)"])
def test_what_has_no_closed_dual_is_said(text):
    assert closed_dual(parse_expression(text)) is None
