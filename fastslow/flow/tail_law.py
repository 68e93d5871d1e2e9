"""Laws of tails to infinity, from the exact polynomials: powers of time, exponentials, infinity in finite time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import flint

from fastslow.errors import CertificateError
from fastslow.manifold.arcs import Arc
from fastslow.manifold.curves import Shape
from fastslow.systems.algebraic import Rational, roots_above
from fastslow.systems.polynomial_system import exactly
from fastslow.systems.polynomials import Polynomial, by_slow_power, enclose, rational
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

_FIRST_DEPTH, _FIRST_BITS, _MOST_BITS = 64, 1024, 1 << 17
_ACCURATE_BITS = 60


class Growth(StrEnum):
    """How a tail goes to infinity."""

    POWER = "power"
    EXPONENTIAL = "exponential"
    FINITE_TIME = "finite time"


@dataclass(frozen=True)
class TailLaw:
    """How solutions go to infinity along an attracting arc.

    With u = |x - x_0| the arc is |y| ~ |C| u^-r and g ~ D u^n on it, so the slow flow on it is

        d|y|/dt ~ slow_rate K |y|^(1 - p),   p = 1 + n / r,   K = |D| |C|^(n / r).

    For p > 0 therefore |y| ~ (p K slow_rate t)^(1/p) and u ~ (|C| / |y|)^(1/r). For p = 0 the growth is exponential,
    |y| = O(e^(K slow_rate t)); for p < 0 infinity is reached in finite time, |y| ~ (|p| K slow_rate (t* - t))^(1/p).

    Attributes
    ----------
    case : str
        Of Theorem 3 for the two-layer network: "i", "ii", "tie" or "higher order"; "general" for other systems.
    growth : Growth
        Which of the three.
    p : Fraction
        The exponent in the slow flow.
    K : float
        Its constant, without the slow rate.
    rate : float
        |p| K slow_rate; for exponential growth K slow_rate.
    prefactor : float
        rate^(1/p); for exponential growth the rate itself.
    sign : int
        The sign of y.
    pole : float
        x_0.
    order : Fraction or None
        r; None along an invariant line x = x_0.
    limit : float or None
        The limit of y |x - x_0|^r sign(x - x_0); for r = 1 that of (x - x_0) y, c*_1/c_1 for the two-layer network.
    note : str
        Why the law does not hold for the full system, "" where it does.

    References
    ----------
    arXiv:2602.07378, Theorem 3, which is p = 2 k1 or p = k0 + 1; its tie is covered.
    """

    case: str
    growth: Growth
    p: Fraction
    K: float
    rate: float
    prefactor: float
    sign: int
    pole: float
    order: Fraction | None
    limit: float | None
    note: str = ""

    @property
    def exponent(self) -> Fraction | None:
        """The power of t in |y|, None where the growth is no power."""
        return 1 / self.p if self.growth is Growth.POWER else None

    @property
    def fast_exponent(self) -> Fraction | None:
        """The power of t in |x - x_0|, None where there is none."""
        return None if self.exponent is None or self.order is None else -self.exponent / self.order

    @property
    def fast_prefactor(self) -> float | None:
        """The factor of that power."""
        if self.order is None or self.limit is None or self.growth is not Growth.POWER:
            return None
        return float((abs(self.limit) / self.prefactor) ** float(1 / self.order))

    def document(self) -> dict[str, Any]:
        """Return the law as JSON data; exponents as numbers, and as the exact text of a fraction."""
        exponent, fast = self.exponent, self.fast_exponent
        return {
            "case": self.case,
            "growth": str(self.growth),
            "exponent": None if exponent is None else float(exponent),
            "prefactor": self.prefactor,
            "exact_exponent": None if exponent is None else str(exponent),
            "fast_exponent": None if fast is None else float(fast),
            "fast_prefactor": self.fast_prefactor,
            "pole": self.pole,
            "pole_order": None if self.order is None else float(self.order),
        }

    def formula(self, slow: str) -> str:
        """Return the law as text, with the name of the slow variable."""
        if self.growth is Growth.EXPONENTIAL:
            return f"log |{slow}| ~ {self.rate:.6g} τ"
        time = "τ" if self.growth is Growth.POWER else "(τ* - τ)"
        if self.p == 1 and self.growth is Growth.POWER:
            law = f"|{slow}| ~ {self.prefactor:.6g} τ"
        elif 0.0 < self.rate < math.inf:
            law = f"|{slow}| ~ ({self.rate:.6g} {time})^({1 / self.p})"
        else:  # beyond doubles, unlike its root
            law = f"|{slow}| ~ {self.prefactor:.6g} {time}^({1 / self.p})"
        return law if self.growth is Growth.POWER else f"{law}, infinite at a finite τ*"


def tail_law(system: FastSlowSystem, arc: Arc) -> TailLaw:
    """Return the law of the tail along an attracting arc whose slow flow runs to infinity.

    Exponents are told from the values of y, g and f_x at distances 2^-k and 4^-k from the end, enclosed with as many
    bits as their cancellation takes: they are fractions with a denominator of at most the degree of the curve in y.

    Raises
    ------
    CertificateError
        If the leading orders are not reached with the most bits that are allowed.
    """
    system = exactly(system, "the law of a tail to infinity")
    depth = _FIRST_DEPTH * max(int(arc.curve.polynomial.degrees()[1]), 1)
    f, g = system.fast_field, system.slow_field
    (r, C), (n, D), (decay, _), *correction = _leading(arc, [g, f.derivative(0), *_correction(arc, f, g)], depth)
    r, m = -r, n / -r
    p = 1 + m
    rate = flint.arb(rational(system.slow_rate))
    with flint.ctx.workprec(128):
        K = abs(D) * abs(C) ** flint.arb(rational(m))
        scale = K * rate * (flint.arb(rational(abs(p))) ** (1 if p else 0))
        prefactor = scale ** flint.arb(rational(1 / p)) if p else scale
    on_line = arc.curve.shape is Shape.FAST_LINE
    growth = Growth.POWER if p > 0 else Growth.FINITE_TIME if p < 0 else Growth.EXPONENTIAL
    node, limit, note, case = arc.target, None if on_line else float(C) * _side(arc), "", "general"
    if n + r <= decay:
        note = "far out the fast flow is no faster than the slow one, so solutions leave the branch and no law is known"
    elif correction and correction[0][0] <= 2 * decay:
        note = "far out the distance from the branch, small as it is, changes the slow flow on it: no law is known"
    sign = 1 if C > 0 else -1
    if isinstance(system, TwoLayer) and not on_line and (named := system.scaling(sign)) is not None:
        case = named.case
    return TailLaw(
        case, growth, p, float(K), float(scale), float(prefactor), sign, node.x, None if on_line else r, limit, note
    )  # fmt: skip


def _correction(arc: Arc, f: Polynomial, g: Polynomial) -> list[Polynomial]:
    """Return [g_x f_y], empty where that vanishes on the arc.

    The slow manifold is beside the arc, at first order by -slow_rate g f_y / f_x^2 in x. That changes g by a factor
    of 1 - slow_rate g_x f_y / f_x^2, which must go to 1.
    """
    product = g.derivative(0) * f.derivative(1)
    return [] if product.is_zero() or not product.gcd(arc.curve.polynomial).is_constant() else [product]


@dataclass(frozen=True)
class _Beside:
    """The number x_0 + side 2^-depth."""

    pole: Any
    side: int
    depth: int

    def ball(self, bits: int) -> Any:
        return self.pole.ball(bits) + self.side * flint.arb(2) ** -self.depth


def _side(arc: Arc) -> int:
    """Return on which side of its end at infinity an arc is."""
    return 1 if arc.x[len(arc.x) // 2] > arc.target.x else -1


def _leading(arc: Arc, quantities: list[Polynomial], depth: int) -> list[tuple[Fraction, Any]]:
    """Return (n, c) with q ~ c u^n next to the end of an arc, for y and the quantities.

    u is the distance from the end, or 1 / |y| on a line x = const.
    """
    degree = max(int(arc.curve.polynomial.degrees()[1]), 1)
    while True:
        near, far = (_values(arc, quantities, d) for d in (depth, 2 * depth))
        found = []
        for a, b in zip(near, far, strict=True):
            power = float((abs(a) / abs(b)).log() / flint.arb(2).log()) / depth
            n = Fraction(power).limit_denominator(degree)
            with flint.ctx.workprec(256):
                found.append((n, b * flint.arb(2) ** (2 * depth * flint.arb(rational(n)))))
            if abs(power - n) > 1e-6 / degree:
                break
        else:
            return found
        depth *= 2


def _values(arc: Arc, quantities: list[Polynomial], depth: int) -> list[Any]:
    """Return y and the quantities at a depth of an arc, each with 60 accurate bits."""
    bits = _FIRST_BITS
    while bits <= _MOST_BITS:
        with flint.ctx.workprec(bits):
            x, y = _place(arc, depth, bits)
            found = [y, *(enclose(q, x, y) for q in quantities)]
            if min(v.rel_accuracy_bits() for v in found) >= _ACCURATE_BITS:
                return found
        bits *= 2
    raise CertificateError(f"the leading order of {arc.id} at infinity was not reached with {_MOST_BITS} bits")


def _place(arc: Arc, depth: int, bits: int) -> tuple[Any, Any]:
    """Return enclosures of x and y at a depth of an arc."""
    node, sign = arc.target, 1 if arc.target.y > 0 else -1
    if arc.curve.shape is Shape.FAST_LINE:
        return node.exact_x.ball(bits), sign * flint.arb(2) ** depth  # type: ignore[union-attr]
    x, rows = _Beside(node.exact_x, _side(arc), depth), tuple(by_slow_power(arc.curve.polynomial))
    heights = roots_above(x, rows, bits)  # type: ignore[arg-type]
    return x.ball(bits), heights[_rank(arc, rows)]


def _rank(arc: Arc, rows: tuple[Any, ...]) -> int:
    """Return which of the real y above x, in order, is the arc's: the same from its last traced point to its end."""
    order = slice(None, None, -1) if arc.target is arc.end else slice(None)
    x, y = next((u, v) for u, v in zip(arc.x[order], arc.y[order], strict=True) if u != arc.target.x)
    heights = [float(h.mid()) for h in roots_above(Rational(Fraction(float(x))), rows, _FIRST_BITS)]
    return min(range(len(heights)), key=lambda i: abs(heights[i] - y))
