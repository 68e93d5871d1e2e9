"""Invariant lines x = c that no factor of f shows: they are divided out, or solutions near them are not believed."""

import math

import flint
import numpy as np
import pytest

import fastslow as fs
from fastslow.core.tape import tape_curve
from fastslow.systems.balls import enclosed
from fastslow.systems.divided_differences import divided_difference
from fastslow.systems.exact import exact
from fastslow.systems.exponential_quotients import LARGEST_PHI, phi, phi_ball
from fastslow.systems.expressions import Call, Variable, derivative, evaluate
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.formulas import parse_formula
from fastslow.systems.intervals import function_of_interval
from fastslow.systems.root_quotients import FAMILIES, root_quotient, root_quotient_ball
from fastslow.systems.tapes import curve_parameters

PLACES = np.array([-700.0, -31.0, -29.0, -3.0, -1e-3, -1e-9, 0.0, 1e-300, 1e-9, 0.5, 12.0, 29.0, 31.0, 300.0])


def system(f, g="v", window=(("-1/20", "6/5"), ("1/1000", 2)), **options):
    return FormulaSystem(f, g, fast=("u",), slow=("v",), window=window, slow_rate="1/50", **options)


def by_integral(order, x):
    """phi_k(x) = int_0^1 e^((1 - t) x) t^(k - 1) dt / (k - 1)!, by Arb."""
    value = flint.acb.integral(lambda t, _: ((1 - t) * x).exp() * t ** (order - 1), 0, 1)
    return value.real / math.factorial(order - 1)


@pytest.mark.parametrize("order", [1, 2, 3, 7, LARGEST_PHI])
def test_phi_of_doubles_balls_and_tapes(order):
    with flint.ctx.workprec(200):
        expected = np.array([float(by_integral(order, flint.arb(x)).mid()) for x in PLACES])
    assert phi(order, PLACES) == pytest.approx(expected, rel=1e-14, abs=0)
    wide = flint.arb(-2).union(flint.arb(3))
    for end in (-2, 3):
        assert phi_ball(order, wide).contains(phi_ball(order, flint.arb(end)))
    if order < LARGEST_PHI:
        x = Variable("u")
        e = Call(f"phi{order}", x)
        slopes = evaluate(derivative(e, "u"), {"u": PLACES})
        for place, value, slope in zip(PLACES, expected, slopes, strict=True):
            residual, jacobian = np.empty(1), np.empty((1, 2))
            tape_curve(np.array([place, 0.0]), curve_parameters([e], ("u", "v")), residual, jacobian, np.empty(0))
            assert residual[0] == pytest.approx(value, rel=1e-14, abs=0)
            assert jacobian[0, 0] == pytest.approx(slope, rel=1e-11, abs=0)


ROOTS = np.array([0.0, 1e-300, 1e-9, 0.3, 0.59, 0.61, 3.9, 4.1, 5.9, 6.1, 24.0, 26.0, 900.0])


@pytest.mark.parametrize("order", [0, 1, 3, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_root_quotients_of_doubles_balls_intervals_and_tapes(family, order):
    """Against arb's hypergeometric series, and on wide intervals: what an enclosure must hold."""
    places = np.append(ROOTS, [-0.3, -0.7]) if family == "atanq" else ROOTS
    with flint.ctx.workprec(200):
        exact_values = [root_quotient_ball(family, order, flint.arb(s)) for s in places]
        expected = np.array([float(v.mid()) for v in exact_values])
        wide = root_quotient_ball(family, order, flint.arb(5, 4))
        for inside in (1, 3, 9):
            assert wide.contains(root_quotient_ball(family, order, flint.arb(inside)))
    error = 1e-13 * abs(expected) + 1e-15 * abs(expected[0])
    assert (abs(root_quotient(family, order, places) - expected) <= error).all()
    low, high = function_of_interval(f"{family}{order}", (places, places + 0.1))
    for end in (0.0, 0.03, 0.1):
        inner = root_quotient(family, order, places + end)
        assert ((low <= inner) & (inner <= high)).all()
    fall = abs(root_quotient(family, order, places) - root_quotient(family, order, places + 0.1))
    steepest = 0.1 * root_quotient("sinq", order + 1, np.zeros(1))
    assert (high - low <= (steepest if family == "sinq" else fall) * 1.01 + 1e-12 * expected.max()).all()
    e = Call(f"{family}{order}", Variable("u"))
    slopes = evaluate(derivative(e, "u"), {"u": places})
    for place, value, slope in zip(places, expected, slopes, strict=True):
        residual, jacobian = np.empty(1), np.empty((1, 2))
        tape_curve(np.array([place, 0.0]), curve_parameters([e], ("u", "v")), residual, jacobian, np.empty(0))
        assert residual[0] == pytest.approx(value, rel=1e-13, abs=1e-15)
        assert jacobian[0, 0] == pytest.approx(slope, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "exp(-3*u*v)",
        "tanh(2*u + v)",
        "sigmoid(u*v)",
        "sinh(u - v)",
        "cosh(u**2 + v)",
        "sqrt(1 + u*v)",
        "u**3/(2 + u)**2",
        "sin(3*u - v)",
        "cos(u + 9*v)",
        "tan(u - v)",
        "log(2 + u*v)",
        "atan(5*u - 7*v)",
        "erf(u - 1/3)",
    ],
)
def test_divided_differences_against_300_bits(text):
    e = parse_formula(text, ("u", "v"), "f", {})
    quotient = divided_difference(e, "u", exact("1/3", "c"))
    with flint.ctx.workprec(300):
        c, v = flint.arb(1) / 3, flint.arb(3) / 4
        for at in (-1.0, 1 / 3, 1 / 3 + 1e-12, 1.4):
            difference = enclosed(e, {"u": flint.arb(at), "v": v}) - enclosed(e, {"u": c, "v": v})
            wanted = difference / (flint.arb(at) - c)
            assert enclosed(quotient, {"u": flint.arb(at), "v": v}).overlaps(wanted)
            assert evaluate(quotient, {"u": at, "v": 0.75}) == pytest.approx(float(wanted.mid()), rel=1e-13)


@pytest.mark.parametrize(
    ("f", "lines"),
    [
        ("3*u*(1-u) - u*v - (1 - exp(-5*u))", [0]),
        ("u*tanh(v + u) + v*tanh(2*u)", [0]),
        ("v*sinh(u - 1/3) + cosh(u - 1/3) - exp(3*u - 1)", ["1/3"]),
        ("sqrt(1 + u*v) - exp(u)", [0]),
        ("u/(2 + u) - 3*u/(1 + v)/(2 + u)", [0]),
        ("sin(u)*(1 - v) - (1 - cos(u))*v", [0]),
        ("log(1 + u) - u*v + atan(2*u)*v**2", [0]),
        ("erf(3*u - 1) + (u - 1/3)*v", ["1/3"]),
        ("(u - 1/3)*v + exp(u)*u - exp(1/3)/3", []),  # zero at u = 1/3, which nothing hints at
        ("exp(u) - 1 - u*v + v/1000", []),
    ],
)
def test_hidden_lines_are_divided_out_and_f_is_the_same(f, lines):
    s = system(f)
    assert list(s.invariant_lines) == [exact(line, "line") for line in lines]
    u, v = np.linspace(-0.04, 1.1, 7), np.linspace(0.1, 1.9, 7)
    written = evaluate(parse_formula(f, ("u", "v"), "f", {}), {"u": u, "v": v})
    assert s.partial("f", 0, 0, u, v) == pytest.approx(written, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("function", ["exp(u) - 1", "sin(u)", "log(1 + u)", "atan(3*u)", "erf(u)", "tan(u)"])
def test_a_line_is_divided_out_twice_where_the_quotient_vanishes_again(function):
    s = system(f"u**2*v - ({function})**2")
    assert s.multiplicities == (2, 1) and str(s.fast_expressions[0]) == "u" and s.undivided_lines == ()
    assert s.partial("f", 0, 0, 0.7, 0.3) == pytest.approx(
        0.147 - float(evaluate(parse_formula(function, ("u", "v"), "f", {}), {"u": 0.7})) ** 2, rel=1e-13
    )


def test_an_edge_may_be_a_hidden_line():
    s = system("exp(u) - exp(1/2) - (u - 1/2)*v", window=(("1/2", 2), ("1/1000", 3)))
    assert s.invariant_lines == (exact("1/2", "line"),)


def test_lines_that_cannot_be_divided_out_are_told_and_no_solution_passes_them():
    # u = 0 attracts where v > 1 and repels below: doubles lose how near a solution came.
    s = system("sin(u)*(1 - v) - (erf(1 + u) - erf(1))*v", "-v/10")
    assert s.undivided_lines == (0,) and s.invariant_lines == ()
    assert "u = 0 is invariant" in s.notes[0]
    late = fs.analyze(s, starts=[("1/2", "3/2")]).orbits[0].verdict.ode
    assert late == "undecided: at the invariant line u = 0 f is rounding"
    # Where it attracts throughout, nothing is lost.
    s = system("sin(u)*(1/2 - v) - (erf(1 + u) - erf(1))*v", "v/10", window=(("-1/20", "6/5"), (1, 2)))
    assert fs.analyze(s, starts=[("1/2", "3/2")]).orbits[0].verdict.ode == "leaves the window of v"


def test_maps_ensembles_and_cycles_know_lines_that_cannot_be_divided_out():
    s = system("sin(u)*(1 - v) - (erf(1 + u) - erf(1))*v", "-v/10", start_fast="1/2")
    assert s.undivided_lines == (0,)
    rounding = "at the invariant line u = 0 f is rounding"
    # The state of the first start is known; the other one comes within rounding of the line before it is repelled.
    found = fs.ensemble(s, [0.5, 1.5], tau=1000)
    assert np.isfinite(found.x[0]) and np.isnan(found.x[1]) and np.isnan(found.y[1])
    assert list(found.fate) == ["undecided", f"undecided: {rounding}"]
    assert fs.limit_cycles(s).notes == (f"cycles that come near are not resolved: {rounding}",)
    for method in ("exact", "ode"):
        mapped = fs.phase_map(s, "slow_rate=1/200:1/100:2", "v0=0.5:1.5:2", method=method)
        assert [mapped.fates[k] for k in mapped.index[:, 1]] == ["leaves the window", "undecided"]
        assert mapped.notes[0] == s.notes[0] and rounding in mapped.notes[-1]
