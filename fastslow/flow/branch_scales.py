"""Time scales along the critical manifold: local ratios on its arcs, and their powers on branches to infinity.

Far out on a branch to infinity the determinant of the Jacobian is a difference of nearly equal terms, so everything
here is exact: polynomials in the fast variable after y = h(x) has been put in, evaluated with enclosures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.arcs import Arc, CriticalManifold
from fastslow.manifold.curves import CURVED, Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.systems.algebraic import RealRoot
from fastslow.systems.polynomial_system import exactly
from fastslow.systems.polynomials import Polynomial, Univariate, by_slow_power, enclose, evaluate, rational
from fastslow.systems.system import FastSlowSystem

_PURPOSE = "the order of a time scale at infinity"
_BITS, _MOST_BITS = 256, 16384
_ACCURATE_BITS = 60
_DECADES = 16
"""Local slopes are measured over so many decades of the distance to the pole."""


@dataclass(frozen=True, eq=False)
class ArcScales:
    """Eigenvalues of the Jacobian along an arc of the critical manifold.

    Attributes
    ----------
    arc : Arc
        The arc.
    x, y : ndarray
        Its points.
    lambda_f, lambda_s : ndarray of complex
        Eigenvalues of the Jacobian of (f, slow_rate g) on the curve itself, the larger modulus first.
    ratio : ndarray
        |lambda_s / lambda_f|; small where the slow flow is slow as seen from the fast one.
    """

    arc: Arc
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    lambda_f: NDArray[np.complex128]
    lambda_s: NDArray[np.complex128]
    ratio: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PoleScales:
    """Time scales on a branch y = h(x) on its way to infinity, as powers of d = |x - x_pole|.

    Attributes
    ----------
    arc : Arc
        The arc that ends there.
    node : SpecialPoint
        Infinity.
    exponent : Fraction or None
        |lambda_s / lambda_f| = Theta(d^exponent), from the exact leading orders; None where `note` says why.
    coefficient : float
        Its limit |lambda_s / lambda_f| d^-exponent.
    fast_exponent, fast_coefficient : Fraction, complex
        lambda_f ~ coefficient d^exponent. For the two-layer network lambda_f R^2 -> -c*_1^2, for any slow rate.
    decay : int or None
        The p of d = Theta(tau^(-1/p)) on the reduced flow, so that the ratio falls like tau^(-exponent / p); for
        the two-layer network that of Theorem 3. None where the flow comes from infinity or d is no power of time.
    distances, ratios : ndarray
        d from 1/10 of the width of the arc downwards, by tens, and the ratio there.
    slopes : ndarray
        Local slopes of log ratio against log d, between neighbouring distances.
    note : str
        What the numbers do not say, "" where they say it all.
    """

    arc: Arc
    node: SpecialPoint
    exponent: Fraction | None
    coefficient: float
    fast_exponent: Fraction
    fast_coefficient: complex
    decay: int | None
    distances: NDArray[np.float64]
    ratios: NDArray[np.float64]
    slopes: NDArray[np.float64]
    note: str = ""

    @property
    def measured(self) -> float | None:
        """The exponent that was measured: the local slope nearest to the pole."""
        return float(self.slopes[-1]) if len(self.slopes) else None

    @property
    def agrees(self) -> bool:
        """Whether prediction and measurement are the same power; also where neither exists."""
        if self.exponent is None or self.measured is None:
            return self.exponent is None and self.measured is None
        return abs(self.measured - float(self.exponent)) <= 1e-3

    def document(self) -> dict[str, Any]:
        """Return the powers as plain data for JSON."""
        known = self.exponent is not None
        return {
            "arc": self.arc.id,
            "node": self.node.id,
            "pole": self.node.x,
            "end": "inf" if self.node.y > 0 else "-inf",
            "predicted": float(self.exponent) if self.exponent is not None else None,
            "measured": self.measured,
            "coefficient": self.coefficient if known else None,
            "fast_exponent": float(self.fast_exponent) if known else None,
            "fast_coefficient": [self.fast_coefficient.real, self.fast_coefficient.imag] if known else None,
            "decay": self.decay,
            "distances": self.distances.tolist(),
            "ratios": self.ratios.tolist(),
            "slopes": self.slopes.tolist(),
            "note": self.note,
        }


def arc_scales(system: FastSlowSystem, arc: Arc) -> ArcScales:
    """Return the eigenvalues of the Jacobian at the points of an arc, to double precision however far out they are.

    On a graph the points are (x, h(x)) with the x of the arc, on a line they are exact, and on any other curve
    they are found on it by Newton's method from the points of the arc.
    """
    trace, determinant = _trace(system), _determinant(system)
    fast, slow, ratio = [], [], []
    for x, y in zip(arc.x, arc.y, strict=True):
        values = _accurate(lambda bits, x=x, y=y: _place(arc, float(x), float(y), bits), trace, determinant)
        fast.append(values[0])
        slow.append(values[1])
        ratio.append(values[2])
    return ArcScales(arc, arc.x, arc.y, np.array(fast), np.array(slow), np.array(ratio))


def poles_of(manifold: CriticalManifold) -> tuple[PoleScales, ...]:
    """Return the time scales on every branch that leaves to infinity at a finite x."""
    curved = CURVED
    return tuple(
        pole_scales(manifold.system, arc, node)
        for arc in manifold.arcs
        if arc.curve.shape in curved
        for node in (arc.start, arc.end)
        if node.kind is Kind.INFINITY
    )


def pole_scales(system: FastSlowSystem, arc: Arc, node: SpecialPoint) -> PoleScales:
    """Return the powers of d = |x - x_pole| of the time scales on an arc of a graph that ends at infinity.

    On p_0(x) + p_1(x) y = 0 trace and determinant of the Jacobian are rational functions of x, with a power of p_1
    below. With their orders u and v at the root x_pole of p_1,

        2 u < v:  lambda_f ~ trace, lambda_s ~ determinant / trace, ratio = Theta(d^(v - 2 u)),
        2 u >= v: both are of the same order, ratio = Theta(1).

    The orders are exact: powers of the irreducible polynomial of the root. For the two-layer network the exponent is
    2 k1 + 2 in case (i) and k0 + 3 in case (ii).

    Raises
    ------
    ValueError
        If the arc does not end at that node.

    Notes
    -----
    The measurement does not use the orders: it evaluates the Jacobian near the pole in interval arithmetic.
    """
    if node not in (arc.start, arc.end):
        raise ValueError(f"{arc.id} does not end at {node.id}")
    if arc.curve.shape is not Shape.GRAPH:
        nothing = np.zeros(0)
        note = f"{arc.curve.equation} is no graph over {system.fast[0]}: its orders at infinity are not computed"
        return PoleScales(arc, node, None, math.nan, Fraction(0), math.nan, None, nothing, nothing, nothing, note)
    pole = node.exact_x
    assert isinstance(pole, RealRoot)
    side = 1 if arc.other_end(node).x > node.x else -1
    exponent, coefficient, fast_exponent, fast, note = _predicted(
        _leading(_trace(system), arc, pole, side), _leading(_determinant(system), arc, pole, side)
    )
    distances, logs = _measured(system, arc, pole, side, abs(arc.other_end(node).x - node.x))
    slopes = np.zeros(0) if exponent is None else -np.diff(logs) / math.log(10.0)
    decay = _decay(system, arc, pole) if arc.flow and arc.target is node else None
    return PoleScales(
        arc, node, exponent, coefficient, fast_exponent, fast, decay, distances, np.exp(logs), slopes, note
    )  # fmt: skip


def _predicted(
    trace: tuple[int | None, float], determinant: tuple[int | None, float]
) -> tuple[Fraction | None, float, Fraction, complex, str]:
    """Return exponent and coefficient of the ratio, those of lambda_f, and a note, from the leading orders."""
    (u, t), (v, d) = trace, determinant
    if v is None:
        note = "the determinant vanishes on the whole branch: there is no slow eigenvalue"
        return None, 0.0, Fraction(u or 0), t, note
    if u is not None and 2 * u < v:
        return Fraction(v - 2 * u), abs(d / t**2), Fraction(u), t, ""
    # Both of order d^(v / 2), with the roots of m^2 - t m + d = 0 before them, where t may be of higher order.
    half = 0.5 * t if u is not None and 2 * u == v else 0.0
    root = complex(half * half - d) ** 0.5
    fast, slow = sorted((half + root, half - root), key=abs, reverse=True)
    note = "both eigenvalues are of the same order: there is no fast variable out there"
    return Fraction(0), abs(slow / fast), Fraction(v, 2), complex(fast), note


def _decay(system: FastSlowSystem, arc: Arc, pole: RealRoot) -> int | None:
    """Return p of d ~ tau^(-1/p): with h ~ d^-m and g ~ d^w one has dtau = h' / g dd ~ d^(-m - w - 1) dd."""
    order = _leading(exactly(system, _PURPOSE).slow_field, arc, pole, 1)[0]
    assert order is not None
    p = order + _order(by_slow_power(arc.curve.polynomial)[1], pole)[0]
    return p if p > 0 else None


# Exact polynomials --------------------------------------------------------------------------------


def _trace(system: FastSlowSystem) -> Polynomial:
    system = exactly(system, _PURPOSE)
    return system.fast_field.derivative(0) + rational(system.slow_rate) * system.slow_field.derivative(1)


def _determinant(system: FastSlowSystem) -> Polynomial:
    system = exactly(system, _PURPOSE)
    f, g = system.fast_field, system.slow_field
    difference = f.derivative(0) * g.derivative(1) - f.derivative(1) * g.derivative(0)
    return rational(system.slow_rate) * difference


def on_graph(q: Polynomial, p: Polynomial) -> tuple[Univariate, int]:
    """Return (N, k) with q(x, h(x)) = N(x) / p_1(x)^k on the graph p_0(x) + p_1(x) y = 0; exact."""
    constant, slope = by_slow_power(p)
    rows = by_slow_power(q)
    k = len(rows) - 1
    total = flint.fmpq_poly([])
    for j, row in enumerate(rows):
        total += row * (-constant) ** j * slope ** (k - j)
    return total, k


def _leading(q: Polynomial, arc: Arc, pole: RealRoot, side: int) -> tuple[int | None, float]:
    """Return (n, A) with q(x, h(x)) ~ A d^n at distance d from a pole; (None, 0) where it vanishes identically."""
    above, k = on_graph(q, arc.curve.polynomial)
    if not above:
        return None, 0.0
    below = by_slow_power(arc.curve.polynomial)[1]
    m, a = _order(above, pole)
    n, b = _order(below, pole)
    order = m - k * n
    return order, float((a / b**k).mid()) * (side if order % 2 else 1)


def _order(p: Univariate, root: RealRoot) -> tuple[int, Any]:
    """Return (n, A) with p(x) = A (x - root)^n + ...: n exact, A enclosed."""
    factor = flint.fmpq_poly(root.polynomial)
    n = 0
    while True:
        quotient, rest = divmod(p, factor)
        if rest:
            break
        p, n = quotient, n + 1
    with flint.ctx.workprec(_BITS):
        x = root.ball(_BITS)
        return n, evaluate(p, x) * evaluate(factor.derivative(), x) ** n


# Enclosures ---------------------------------------------------------------------------------------


def _measured(
    system: FastSlowSystem, arc: Arc, pole: RealRoot, side: int, width: float
) -> tuple[NDArray[np.float64], ...]:
    """Return distances to the pole and the logarithm of the ratio there."""
    trace, determinant = _trace(system), _determinant(system)
    distances, logs = [], []
    for k in range(1, _DECADES + 1):
        d = rational(Fraction(width) / 10**k)

        def place(bits: int, d: Any = d) -> tuple[Any, Any]:
            x = pole.ball(bits) + side * d
            return x, _height(arc, x)

        distances.append(float(d.p) / float(d.q))
        logs.append(_accurate(place, trace, determinant)[3])
    return np.array(distances), np.array(logs)


def _height(arc: Arc, x: Any) -> Any:
    constant, slope = by_slow_power(arc.curve.polynomial)
    return -evaluate(constant, x) / evaluate(slope, x)


def _place(arc: Arc, x: float, y: float, bits: int) -> tuple[Any, Any]:
    """Return enclosures of a point of an arc that is given in doubles."""
    ball_x, ball_y = flint.arb(x), flint.arb(y)
    shape, position = arc.curve.shape, arc.curve.position
    if shape is Shape.GRAPH:
        return ball_x, _height(arc, ball_x)
    if shape in (Shape.FAST_LINE, Shape.SLOW_LINE):
        assert position is not None
        line = position.ball(bits)
        return (line, ball_y) if shape is Shape.FAST_LINE else (ball_x, line)
    p = arc.curve.polynomial
    p_x, p_y = p.derivative(0), p.derivative(1)
    for _ in range(bits.bit_length()):
        slope_x, slope_y = (enclose(q, ball_x, ball_y) for q in (p_x, p_y))
        value = enclose(p, ball_x, ball_y)
        if abs(slope_x) > abs(slope_y):
            ball_x = (ball_x - value / slope_x).mid()
        elif not slope_y.contains(0):
            ball_y = (ball_y - value / slope_y).mid()
    return ball_x, ball_y


def _accurate(place: Any, trace: Polynomial, determinant: Polynomial) -> tuple[complex, complex, float, float]:
    """Return (lambda_f, lambda_s, ratio, log ratio) at a place, with the bits that double precision takes."""
    bits = _BITS
    while True:
        with flint.ctx.workprec(bits):
            x, y = place(bits)
            t, d = enclose(trace, x, y), enclose(determinant, x, y)
            known = all(v.rel_accuracy_bits() >= _ACCURATE_BITS or v == 0 for v in (t, d))
            if known or bits >= _MOST_BITS:
                return _eigenvalues(t.mid(), d.mid())
        bits *= 4


def _eigenvalues(t: Any, d: Any) -> tuple[complex, complex, float, float]:
    spread = t * t / 4 - d
    if spread < 0:  # a complex pair, of one modulus
        pair = complex(float(t) / 2, math.sqrt(float(-spread)))
        return pair, pair.conjugate(), 1.0, 0.0
    fast = t / 2 + (spread.sqrt() if t >= 0 else -spread.sqrt())
    if fast == 0:
        return 0j, 0j, 1.0, 0.0
    if d == 0:
        return complex(float(fast)), 0j, 0.0, -math.inf
    slow = d / fast
    ratio = abs(slow) / abs(fast)
    return complex(float(fast)), complex(float(slow)), float(ratio), float(ratio.log())
