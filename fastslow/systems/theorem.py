"""Theorems 2 and 3 of arXiv:2602.07378 with their constants, the tie they leave out, and a converse.

Everything here is for the quadrant R, a > 0 with c*_1 c_1 > 0: callers reflect first.
Coefficients are s_k = k! c*_k c_k and t_k = k! c_k^2, exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import flint

from fastslow.systems.algebraic import Rational, compare, nearest_double, real_roots
from fastslow.systems.polynomials import Univariate, evaluate, rational

_BITS = 512
"""Precision of the comparison of a start with h(R*): equal numbers cannot be told apart and count as not above."""


@dataclass(frozen=True)
class Assumption:
    """One of the paper's assumptions: its number, whether it holds, and why."""

    number: int
    holds: bool
    reason: str


@dataclass(frozen=True)
class ScalingLaw:
    """The tail of unlearning: a ~ (p K slow_rate tau)^(1/p), R a -> ratio.

    Attributes
    ----------
    case : str
        "i", "ii", "tie" (k0 + 1 = 2 k1), or "higher order" where the leading terms of a tie cancel.
    p : int
        Exponent: a grows like tau^(1/p).
    K : float
        Constant of da/dtau ~ slow_rate K a^(1 - p).
    ratio : float
        Limit of R a, c*_1 / c_1 in the quadrant R, a > 0.
    """

    case: str
    p: int
    K: float
    ratio: float


def s_polynomial(s: Sequence[Fraction]) -> Univariate:
    """Return S(z) = sum_k s_k z^k."""
    return flint.fmpq_poly([flint.fmpq(0), *map(rational, s)])


def t_polynomial(t: Sequence[Fraction]) -> Univariate:
    """Return T(R) = sum_k t_k R^(2k)."""
    coefficients = [flint.fmpq(0)] * (2 * len(t) + 1)
    coefficients[2::2] = [rational(v) for v in t]
    return flint.fmpq_poly(coefficients)


def alpha_polynomial(s: Sequence[Fraction], t: Sequence[Fraction]) -> Univariate:
    """Return alpha(R) = S T' - 2 S' T."""
    S, T = s_polynomial(s), t_polynomial(t)
    return S * T.derivative() - 2 * S.derivative() * T


def leading_alpha(s: Sequence[Fraction], t: Sequence[Fraction]) -> tuple[int, Fraction]:
    """Return (q, A) with alpha(R) = A R^q + O(R^(q + 1)); A = 0 where alpha vanishes identically."""
    for q, value in enumerate(alpha_polynomial(s, t).coeffs()):
        if value != 0:
            return q, Fraction(int(value.p), int(value.q))
    return 0, Fraction(0)


def scaling_law(s: Sequence[Fraction], t: Sequence[Fraction], k0: int, k1: int) -> ScalingLaw | None:
    """Return the law of the unlearning tail, or None where infinity repels (alpha < 0 near R = 0).

    On a = h(R) near R = 0 one has R ~ rho / a with rho = s_1 / t_1 and da/dtau = alpha / T' with
    T' ~ 2 t_1 R, so alpha ~ A R^q gives da/dtau ~ K a^(1 - q), K = A rho^(q - 1) / (2 t_1).
    """
    q, leading = leading_alpha(s, t)
    if leading <= 0:
        return None
    rho = s[0] / t[0]
    if q != min(k0 + 1, 2 * k1):
        case = "higher order"
    elif k0 + 1 == 2 * k1:
        case = "tie"
    else:
        case = "i" if k0 + 1 > 2 * k1 else "ii"
    return ScalingLaw(case, q, float(leading * rho ** (q - 1) / (2 * t[0])), float(rho))


def list_assumptions(
    s: Sequence[Fraction], t: Sequence[Fraction], a0: Fraction, k0: int, k1: int
) -> tuple[Assumption, ...]:
    """Return Assumptions 3 to 7 for the start (0, a0), a0 > 0."""
    return (
        Assumption(3, True, "the link is a polynomial in Hermite form"),
        Assumption(4, True, f"c*_1 c_1 != 0 (positive after reflection) and c*_k c_k != 0 for k = {k0}"),
        Assumption(5, True, "symmetric start (positive after reflection)"),
        _assumption_6(s, k0, k1),
        _assumption_7(s, t, a0),
    )


def _assumption_6(s: Sequence[Fraction], k0: int, k1: int) -> Assumption:
    if k0 + 1 > 2 * k1:
        return Assumption(6, True, f"case (i): k0 + 1 = {k0 + 1} > 2 k1 = {2 * k1}")
    if k0 + 1 == 2 * k1:
        return Assumption(6, False, f"tie k0 + 1 = 2 k1 = {2 * k1}, which the paper leaves out")
    sign = "<" if s[k0 - 1] < 0 else ">"
    return Assumption(
        6,
        s[k0 - 1] < 0,
        f"k0 + 1 = {k0 + 1} < 2 k1 = {2 * k1} and c*_{k0} c_{k0} {sign} 0 (case (ii) asks for < 0)",
    )


def _assumption_7(s: Sequence[Fraction], t: Sequence[Fraction], a0: Fraction) -> Assumption:
    """Assumption 7: a0 = h(R) for some R in (0, R*). There h falls from infinity to h(R*): the test is a0 > h(R*)."""
    R_star, name, height = _first_obstacle(tuple(s), tuple(t))
    place = f"R* = {R_star:.6g} ({name}), h(R*) = {float(height.mid()):.9g}"
    with flint.ctx.workprec(_BITS):
        above = bool(flint.arb(rational(a0)) > height)
    if above:
        return Assumption(7, True, f"a0 = {float(a0):g} = h(R) for some R in (0, R*): {place}")
    return Assumption(7, False, f"a0 = {float(a0):g} is not h(R) for any R in (0, R*): {place}")


@lru_cache(maxsize=64)
def _first_obstacle(s: tuple[Fraction, ...], t: tuple[Fraction, ...]) -> tuple[float, str, Any]:
    """Return (R*, what stands there, enclosure of h(R*)): the first fold or α-root in (0, 1), or R* = 1."""
    S1, T1 = s_polynomial(s).derivative(), t_polynomial(t).derivative()
    first, name = Rational(Fraction(1)), "no fold or α-root below 1"
    for p, label in ((S1.derivative() * T1 - S1 * T1.derivative(), "a fold"), (alpha_polynomial(s, t), "an α-root")):
        for root in real_roots(p, Fraction(0), Fraction(1)):
            if root.exact != 0 and compare(root, first) < 0:
                first, name = root, label
    with flint.ctx.workprec(_BITS):
        R_star = first.ball(_BITS)
        height = 2 * evaluate(S1, R_star) / evaluate(T1, R_star)
    return nearest_double(first), name, height


def judge(s: Sequence[Fraction], t: Sequence[Fraction], a0: Fraction, k0: int, k1: int) -> tuple[str, tuple[str, ...]]:
    """Return the verdict of the theorems for the start (0, a0), a0 > 0, and the reasons.

    "unlearning" is Theorem 2, with Assumption 6 widened to the tie by the sign of alpha.
    "learning" is its converse: where alpha < 0 near R = 0 the node at infinity repels, the test loss is a
    strict Lyapunov function and keeps R a bounded, so every orbit ends at a finite equilibrium
    with R != 0.
    """
    q, leading = leading_alpha(s, t)
    six, seven = _assumption_6(s, k0, k1), _assumption_7(s, t, a0)
    extended = k0 + 1 == 2 * k1
    sign = ">" if leading > 0 else "<"
    widened = f"; both terms of α count: α ~ {float(leading):.6g} R^{q}, {sign} 0 near R = 0" if extended else ""
    reasons = (f"Assumption 6: {six.reason}{widened}", f"Assumption 7: {seven.reason}")
    if leading > 0 and seven.holds:
        return "unlearning", (("Theorem 2 extended to the tie" if extended else "Theorem 2"), *reasons)
    if leading < 0:
        return "learning", (
            f"α ~ {float(leading):.6g} R^{q} < 0 near R = 0, so (0, ∞) repels and every orbit ends at R != 0",
            *reasons,
        )
    return "not covered", reasons
