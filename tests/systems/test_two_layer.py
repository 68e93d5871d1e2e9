"""The two-layer network: its functions, its theorems with their constants, and what it refuses."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.systems.system import Start
from tests import naive

# Functions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5000, 5020))
def test_functions_against_exact_ones(seed):
    c, c_star = naive.random_coefficients(seed)
    network, system = naive.Network(c, c_star), fs.TwoLayer(c, c_star, noise="1/2")
    rng = random.Random(seed)
    for R in [rng.uniform(-1, 1) for _ in range(8)] + [1.0, -1.0, 1e-6]:
        x, a = Fraction(R), Fraction(rng.uniform(-20, 20))
        size = float(sum(abs(v) for v in network.S) + sum(network.T))  # of the terms that cancel
        tolerance = {"rtol": 1e-13, "atol": 1e-13 * size}
        for order, (S, T) in enumerate(derivatives(network)):
            grow = {"rtol": 1e-13, "atol": 1e-13 * size * 20**order}
            np.testing.assert_allclose(system.S(R, order), float(naive.value(S, x)), **grow)
            np.testing.assert_allclose(system.T(R, order), float(naive.value(T, x)), **grow)
        both = float(2 * naive.value(network.S1, x))
        np.testing.assert_allclose(system.h(R) * system.T(R, 1), both, atol=size * 1e-12)
        np.testing.assert_allclose(system.alpha(R), float(naive.value(network.alpha, x)), atol=1e-12 * size**2)
        np.testing.assert_allclose(system.f(R, float(a)), float(network.f(x, a)), atol=1e-11 * size * 400)
        np.testing.assert_allclose(system.g(R, float(a)), float(network.g(x, a)), **tolerance | {"atol": 1e-11 * size})
        loss = float(network.loss(x, a)) + 0.125
        np.testing.assert_allclose(system.test_loss(R, float(a)), loss, rtol=1e-12, atol=1e-11 * size * 400)
    assert system.s == (*network.S[1:], *[0] * (len(c) + 1 - len(network.S)))


def derivatives(network):
    S, T = network.S, network.T
    for _ in range(3):
        yield S, T
        S, T = naive.derivative(S), naive.derivative(T)


def test_a_network_by_hand():
    """With c = (1, 2), c* = (3, -1): S = 3 z - 4 z², T = R² + 8 R⁴."""
    system = fs.TwoLayer([1, 2], [3, -1])
    assert (system.S(2.0), system.S(2.0, 1), system.T(2.0), system.T(2.0, 1)) == (-10.0, -13.0, 132.0, 260.0)
    assert system.h(0.5) == pytest.approx(2 * (3 - 4) / (1 + 4))
    assert system.g(0.5, 2.0) == pytest.approx(0.5 - 2 * 0.75)
    assert system.f(0.5, 2.0) == pytest.approx(0.5 * 2 * 0.75 * (2 * -1 - 2 * 5))
    assert system.test_loss(0.5, 2.0) == pytest.approx((11 - 2 * 2 * 0.5 + 4 * 0.75) / 2)
    assert system.energy_at_infinity(0.0, 1) == 1.0
    assert (system.k0, system.k1) == (2, 2)


def test_normalised_coefficients_are_the_same_network():
    b = [Fraction(3, 2), Fraction(-1, 3), Fraction(2)]
    b_star = [Fraction(1), Fraction(4), Fraction(-1)]
    system = fs.TwoLayer(b, b_star, normalised=True)
    assert system.s == tuple(x * y for x, y in zip(b, b_star, strict=True))
    assert system.t == tuple(x * x for x in b)
    assert system.teacher_norm == sum(y * y for y in b_star)


def test_the_loss_is_a_lyapunov_function_at_every_slow_rate():
    """dE/dτ = -(1 - R²) E_R² - η E_a², exactly."""
    network = naive.Network([1, 2, Fraction(1, 3)], [2, -1, 5])
    system = fs.TwoLayer(network.c, network.c_star, "1/7")
    R, a = Fraction(3, 7), Fraction(-5, 4)
    E_R = -a * naive.value(network.S1, R) + a * a * naive.value(network.T1, R) / 2
    E_a = -naive.value(network.S, R) + a * naive.value(network.T, R)
    f, g = network.f(R, a), network.g(R, a)
    assert E_R * f + E_a * g / 7 == -(1 - R * R) * E_R**2 - E_a**2 / 7
    assert (system.f(float(R), float(a)), system.g(float(R), float(a))) == pytest.approx((float(f), float(g)))


# Exactness of what is given ---------------------------------------------------------------------------------


def test_floats_are_the_binary_numbers_that_they_are():
    as_text, as_float = fs.TwoLayer(["1", "0.1"], "1,-99/64"), fs.TwoLayer([1, 0.1], [1, -1.546875])
    assert as_text.c == (1, Fraction(1, 10))
    assert as_float.c == (1, Fraction(3602879701896397, 36028797018963968))
    assert as_text.c_star == as_float.c_star == (1, Fraction(-99, 64))
    assert fs.TwoLayer([1, np.float64(0.1)], np.array([1, 2])).c == as_float.c
    assert fs.TwoLayer([1, Fraction(1, 3)], [1, "1e-3"]).c_star[1] == Fraction(1, 1000)
    assert fs.TwoLayer(" 1 , 2 ", "+1,-.5").c_star == (1, Fraction(-1, 2))


def test_a_table_builds_the_same_network_again():
    system = fs.TwoLayer([1, 0.1, "1/3"], ["2", 7, "-99/64"], "1/1000", "0.3")
    table = system.table()
    assert table.pop("model") == "two_layer"
    again = fs.TwoLayer(**table)
    assert (again.c, again.c_star) == (system.c, system.c_star)
    assert (again.slow_rate, again.noise) == (Fraction(1, 1000), Fraction(3, 10))


# Bad input --------------------------------------------------------------------------------------------------

BAD = [  # c, c_star, options, words of the message
    ([1, float("nan")], [1, 1], {}, ("c[1]", "finite")),
    ([1, 1], [float("inf"), 1], {}, ("c_star[0]", "finite")),
    ([1, -np.inf], [1, 1], {}, ("c[1]", "finite")),
    ("1,nan", "1,1", {}, ("c[1]", "finite")),
    ("1,inf", "1,1", {}, ("c[1]", "finite")),
    ([1, 1 + 2j], [1, 1], {}, ("c[1]", "real, not complex")),
    ([], [1, 1], {}, ("c = []", "empty")),
    ("", "1,1", {}, ("c = ", "empty")),
    ("1,,1", "1,1,1", {}, ("c[1]", "no number")),
    ("1,two", "1,1", {}, ("c[1]", "'two'", "no number")),
    ([1, "1/0"], [1, 1], {}, ("c[1]", "divides by zero")),
    ([1, "1e999"], [1, 1], {}, ("c[1]", "1e999")),
    ([1, None], [1, 1], {}, ("c[1]", "None")),
    ([1, True], [1, 1], {}, ("c[1]", "truth value")),
    ([1, [1]], [1, 1], {}, ("c[1]", "real number")),
    (3, [1, 1], {}, ("c = 3", "list of numbers")),
    (None, [1, 1], {}, ("c = None", "list of numbers")),
    ([1, 1, 1], [1, 2], {}, ("3 and 2", "same length", "c_star = 1,2,0")),
    ([1], [1, 2, "1/2"], {}, ("1 and 3", "same length", "c = 1,0,0")),
    ([0, 1], [1, 1], {}, ("c[0]", "c_1 must not be zero")),
    ([1, 1], [0, 1], {}, ("c_star[0]", "c*_1 c_1 must not be zero")),
    ([1, 0, 2], [1, 1, 0], {}, ("c, c_star", "some product c*_k c_k with k >= 2")),
    ([1, 0, 0], [1, 1, 1], {}, ("c = ", "some c_k with k >= 2 must not be zero")),
    ([1], [1], {}, ("some c_k with k >= 2 must not be zero",)),
    ([1, 1], [1, 1], {"slow_rate": 0}, ("slow_rate", "positive")),
    ([1, 1], [1, 1], {"slow_rate": -1}, ("slow_rate", "positive")),
    ([1, 1], [1, 1], {"slow_rate": float("nan")}, ("slow_rate", "finite")),
    ([1, 1], [1, 1], {"noise": -1}, ("noise", "negative")),
    ([1, 1], [1, 1], {"noise": float("inf")}, ("noise", "finite")),
    ([1] * 101, [1] * 101, {}, ("101 coefficients", "100")),
    ([1] * 100, [1e150] * 100, {}, ("normalised",)),
    ([1, 10**400], [1, 1], {}, ("c[1]", "doubles")),
    ([1, 1e200], [1, 1], {}, ("normalised",)),
    ([1, "1e130"], [1, "1"], {}, ("normalised",)),
]


@pytest.mark.parametrize(("c", "c_star", "options", "words"), BAD)
def test_bad_input_is_refused_by_name(c, c_star, options, words):
    with pytest.raises(fs.InputError) as caught:
        fs.TwoLayer(c, c_star, **options)
    for word in words:
        assert word in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("bad", [0, 0.0, "0", "-0.0", float("nan"), "inf", 1j, "", "x", [1, None], [], {}])
def test_bad_starts_are_refused(bad):
    with pytest.raises(fs.InputError):
        fs.analyze(fs.TwoLayer([1, 1], [1, 1]), a0=bad)


def test_a_start_outside_the_window_is_refused():
    with pytest.raises(fs.InputError, match="window"):
        fs.analyze(fs.TwoLayer([1, 1], [1, 1]), starts=[("1.01", 1)])


def test_a_long_sequence_within_doubles_only_when_normalised():
    b = [1] * 90
    system = fs.TwoLayer(b, b, normalised=True)
    assert max(float(v) for v in (*system.s, *system.t)) == 1.0
    with pytest.raises(fs.InputError, match="normalised=True"):
        fs.TwoLayer([1] * 100, [1e100] * 100)


def test_a_negative_product_works_and_says_so():
    negative, positive = fs.TwoLayer([1, 1, 1], [-1, -1, -1]), fs.TwoLayer([1, 1, 1], [1, -1, 1])
    assert positive.notes == ()
    (note,) = negative.notes
    assert "c*_1 c_1 < 0" in note and "odd c*_k" in note
    one, two = (fs.analyze(system, a0=["5", "2"]) for system in (negative, positive))
    for a, b in zip(one.orbits, two.orbits, strict=True):
        assert (a.verdict.theorem, a.verdict.singular, a.verdict.ode) == (
            b.verdict.theorem,
            b.verdict.singular,
            b.verdict.ode,
        )
        assert (-a.final[0], a.final[1]) == b.final
    assert [o.verdict.ode for o in one.orbits] == ["unlearning", "learning"]


# Theorems ------------------------------------------------------------------------------------------------------


def law_by_exact_series(c, c_star):
    """Theorem 3's (p, K) from the first term of α / T' on a = h(R), for c*_1 c_1 > 0."""
    network = naive.Network(c, c_star)
    q = next(k for k, v in enumerate(network.alpha) if v)
    ratio = network.c_star[0] / network.c[0]
    return q, network.alpha[q] * ratio ** (q - 1) / (2 * network.c[0] ** 2)


LAWS = [  # c, c_star, case, p, K
    ([1] * 7, [1, 0, 0, 0, 0, 0, "1/2"], "i", 4, Fraction(2)),
    ([2, "1/3", 0, 1], [3, 0, 0, 1], "i", 4, 2 * Fraction(1, 9) * Fraction(3, 2) ** 4),
    ([1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, -1], "i", 6, Fraction(2 * 6)),
    ([1, 1, 1], [1, -1, 1], "ii", 3, Fraction(2)),
    ([1, 1, 1], [1, -2, 1], "ii", 3, Fraction(4)),
    ([2, 3, 1], [1, "-1/2", 5], "ii", 3, Fraction(2) * Fraction(3, 2) * Fraction(1, 4)),
    ([1, 0, 1, 1], [1, 0, -2, 1], "ii", 4, Fraction(2 * 6 * 2)),
    ([1, 1, 1], [1, 0, "1/7"], "tie", 4, None),
]


@pytest.mark.parametrize(("c", "c_star", "case", "p", "K"), LAWS)
def test_the_scaling_law(c, c_star, case, p, K):
    system = fs.TwoLayer(c, c_star)
    law = system.scaling()
    exact_p, exact_K = law_by_exact_series(c, c_star)
    assert (law.case, law.p) == (case, p)
    assert p == exact_p
    assert pytest.approx(float(exact_K), rel=1e-15) == law.K
    assert law.ratio == pytest.approx(float(Fraction(c_star[0]) / Fraction(c[0])), rel=1e-15)
    if K is not None:
        assert exact_K == K  # the constants of Theorem 3, with one power of c*_1/c_1 less than printed in (ii)
    verdict, reasons = system.theorem(Start(Fraction(0), Fraction(10**6)))
    assert verdict == "unlearning"
    assert any("Theorem 3" in reason for reason in reasons)


@pytest.mark.parametrize("entry", [0, 3, 5, 6])
def test_the_scaling_law_along_a_solution(entry):
    """At slow rate η, a^p/τ tends to η p K and R a to its limit, slowly: three times are compared, not one tested."""
    c, c_star, *_ = LAWS[entry]
    network = naive.Network(c, c_star)
    law = fs.TwoLayer(c, c_star, "1/3").scaling()
    start = 3 * max(abs(v) for v in network.heights())
    unit = start**law.p / (law.p * law.K / 3)  # the law's own time to get as far as the start
    times = unit * np.array([1e2, 1e4, 1e6])
    run = naive.ode(network, start, times[-1], slow_rate=1 / 3, rtol=1e-7, atol=1e-10, t_eval=times)
    assert run.success
    errors = np.abs(run.y[1] ** law.p / (times * law.p * law.K / 3) - 1)
    assert errors[2] < 0.02 and errors[2] < 0.5 * errors[1] < 0.25 * errors[0]
    assert run.y[0, -1] * run.y[1, -1] == pytest.approx(law.ratio, rel=1e-2)


TIES = [  # c3* of c = (1, 1, 1), c* = (1, 0, x): unlearning iff c*_3 c_3 c_1 < c*_1 c_2^2 / 6
    ("1/7", "tie", "unlearning"),
    ("-3", "tie", "unlearning"),
    ("1/5", None, "learning"),
    ("0.16666666666666666", "tie", "unlearning"),
    (Fraction(1, 6) + Fraction(1, 10**20), None, "learning"),
]


@pytest.mark.parametrize(("x", "case", "verdict"), TIES)
def test_the_tie(x, case, verdict):
    system = fs.TwoLayer([1, 1, 1], [1, 0, x])
    law = system.scaling()
    found = law.case if law else None
    assert found == case
    assert system.theorem(Start(Fraction(0), Fraction(10**30)))[0] == verdict
    six = next(a for a in system.assumptions(1) if a.number == 6)
    assert not six.holds and "tie" in six.reason


def test_the_tie_whose_leading_terms_cancel():
    """c*_3 = 1/6 exactly: the next term of α decides, here R^6."""
    c, c_star = [1, 1, 1], [1, 0, "1/6"]
    network = naive.Network(c, c_star)
    order = next(k for k, v in enumerate(network.alpha) if v)
    assert order > 4
    law = fs.TwoLayer(c, c_star).scaling()
    assert (law is None) == (network.alpha[order] < 0)
    if law is not None:
        assert (law.case, law.p) == ("higher order", order)


def test_degenerate_matched_teacher_case():
    """k0 + 1 < 2 k1 with c*_k0 c_k0 > 0: infinity repels, whatever the start."""
    system = fs.TwoLayer([1] * 5, [1] * 5)
    assert system.scaling(1) is None
    for a0 in ("1/1000", 5, 10**6):
        assert system.theorem(Start(Fraction(0), Fraction(a0)))[0] == "learning"
    assert system.scaling(-1) is not None
    assert system.theorem(Start(Fraction(0), Fraction(-5)))[0] == "unlearning"
    assert system.theorem(Start(Fraction(0), Fraction(-1, 2)))[0] == "not covered"
    assert system.theorem(Start(Fraction(1, 2), Fraction(-5)))[0] == "not covered"


@pytest.mark.parametrize("off", ["1e-12", "1e-30"])
def test_assumption_7_turns_at_the_first_obstacle(off):
    """Figure 4: the α-root at h = 9.312353886016066 comes before the fold at 8.355."""
    system = fs.TwoLayer([1] * 5, [1, -1, 1, 1, 1])
    network = naive.Network([1] * 5, [1, -1, 1, 1, 1])
    (edge,) = [a for _, a, _ in network.alpha_roots()]
    tiny = Fraction(off)
    for a0, holds in ((edge - tiny, False), (edge + tiny, True)):
        seven = next(a for a in system.assumptions(a0) if a.number == 7)
        assert seven.holds is holds
        assert "α-root" in seven.reason and "0.094317" in seven.reason


@pytest.mark.parametrize("block", range(5))
def test_theorem_verdicts_are_true_of_the_singular_limit(block):
    """Theorem 2 and its converse against brute force: sufficient conditions may not be wrong anywhere."""
    seen = []
    for seed in range(6000 + 30 * block, 6030 + 30 * block):
        c, c_star = naive.random_coefficients(seed, largest=6)
        network, system = naive.Network(c, c_star), fs.TwoLayer(c, c_star)
        heights = network.heights()
        for share in (0.3, 2, -0.3, -2):
            a0 = share * max(map(abs, heights))
            crowded = any(0 < abs(a - b) < 5e-3 * abs(a) for a, b in itertools.pairwise(heights))
            if crowded or any(abs(a0 - h) < 5e-3 * abs(h) for h in heights):
                continue
            verdict = system.theorem(Start(Fraction(0), Fraction(a0)))[0]
            if verdict != "not covered":
                assert verdict == naive.singular_fate(network, a0, share=2e-3)[0], (seed, a0)
            # Theorem 2 to the letter, in the quadrant that the start moves to.
            assert (verdict == "unlearning") == naive_theorem_2(network, a0), (seed, a0)
            seen.append(verdict)
    assert {"learning", "unlearning"} <= set(seen) and len(seen) > 50


def naive_theorem_2(network, a0):
    """Whether α > 0 near R = 0 on the start's side and a0 = h(R) for an R before the first fold or α-root."""
    side = 1 if a0 * float(network.c[0] * network.c_star[0]) > 0 else -1
    near = side * Fraction(1, 10**12)
    # g on the branch is α / T': it must carry |a| up.
    if naive.value(network.alpha, near) / naive.value(network.T1, near) * (1 if a0 > 0 else -1) < 0:
        return False
    obstacles = [abs(float(R)) for R, *_ in (*network.folds(), *network.alpha_roots()) if R * side > 0]
    R = side * min([*obstacles, 1.0])
    sign = 1 if a0 > 0 else -1
    # h falls from infinity (on the start's side) to h(R*), past zero where the branch crosses a = 0.
    return sign * a0 > sign * float(network.h(Fraction(R)))
