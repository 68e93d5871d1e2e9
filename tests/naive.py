"""Slow, readable references that share nothing with fastslow: no import of it, and none of flint.

Polynomials are lists of Fractions or ints, the coefficient of x^k at index k. Real roots are counted by
Descartes' rule on integer polynomials under bisection (Vincent, Collins and Akritas), which is exact.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

# Polynomials ------------------------------------------------------------------------------------------


def trimmed(p):
    """Return p without zeros at its end."""
    p = list(p)
    while p and p[-1] == 0:
        p.pop()
    return p


def add(p, q, factor=1):
    """Return p + factor q."""
    size = max(len(p), len(q))
    p, q = list(p) + [0] * (size - len(p)), list(q) + [0] * (size - len(q))
    return trimmed(a + factor * b for a, b in zip(p, q, strict=True))


def multiply(p, q):
    """Return p q."""
    result = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return trimmed(result)


def derivative(p):
    """Return p'."""
    return [k * v for k, v in enumerate(p)][1:]


def value(p, x):
    """Return p(x) by Horner's rule."""
    total = 0 * x
    for coefficient in reversed(p):
        total = total * x + coefficient
    return total


def divided(p, q):
    """Return quotient and remainder of p by q over the rationals."""
    p, quotient = [Fraction(v) for v in p], [Fraction(0)] * max(len(p) - len(q) + 1, 0)
    while len(p) >= len(q):
        factor = p[-1] / q[-1]
        shift = len(p) - len(q)
        quotient[shift] = factor
        p = add(p, [0] * shift + list(q), -factor)
    return trimmed(quotient), p


def gcd(p, q):
    """Return the greatest common divisor over the rationals, by Euclid, with content 1."""
    p, q = primitive(p), primitive(q)
    while q:
        p, q = q, primitive(divided(p, q)[1])
    return p


def primitive(p):
    """Return an integer multiple of p whose coefficients have no common divisor, sign kept."""
    p = [Fraction(v) for v in trimmed(p)]
    if not p:
        return []
    common = math.lcm(*(v.denominator for v in p))
    whole = [int(v * common) for v in p]
    content = math.gcd(*whole)
    return [v // content for v in whole]


def is_squarefree(p):
    """Whether integer p surely has no multiple root: gcd(p, p') is constant modulo a prime."""
    prime = (1 << 61) - 1
    a = [v % prime for v in p]
    b = [v % prime for v in derivative(p)]
    if a[-1] == 0 or b[-1] == 0:
        return False
    while b:
        inverse = pow(b[-1], -1, prime)
        while len(a) >= len(b):
            factor = a[-1] * inverse % prime
            shift = len(a) - len(b)
            for k, v in enumerate(b):
                a[shift + k] = (a[shift + k] - factor * v) % prime
            a = trimmed(a)
        a, b = b, a
    return len(a) == 1


def squarefree_parts(p):
    """Return [(q, m), ...] with p = const prod q^m, each q squarefree (Yun)."""
    p = primitive(p)
    if len(p) < 2:
        return []
    if is_squarefree(p):
        return [(p, 1)]
    parts = []
    common = gcd(p, derivative(p))
    a, b = divided(p, common)[0], divided(derivative(p), common)[0]
    multiplicity = 1
    while len(a) > 1:
        rest = add(b, derivative(a), -1)
        part = gcd(a, rest) if rest else primitive(a)
        if len(part) > 1:
            parts.append((part, multiplicity))
        a, b = divided(a, part)[0], divided(rest, part)[0] if rest else []
        multiplicity += 1
    return parts


# Real roots -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Root:
    """A real root, its value to about 2^-200, and its multiplicity."""

    value: Fraction
    multiplicity: int


def variations(p):
    """Return the number of sign changes in the coefficients."""
    signs = [v > 0 for v in p if v]
    return sum(a != b for a, b in itertools.pairwise(signs))


def shifted(p):
    """Return p(x + 1)."""
    p = list(p)
    for i in range(len(p) - 1):
        for j in range(len(p) - 2, i - 1, -1):
            p[j] += p[j + 1]
    return p


def isolated(p, low, high):
    """Return disjoint intervals in (low, high), each with one root of the squarefree integer polynomial p.

    A root found exactly has an interval of no length. The window's ends are whole numbers.
    """
    width, centred = high - low, []
    for coefficient in reversed(p):  # p(low + width x), by Horner
        centred = add(multiply(centred, [low, width]) if centred else [], [coefficient])
    found, queue = [], [(centred, Fraction(low), Fraction(high))]
    while queue:
        q, a, b = queue.pop()
        count = variations(shifted(q[::-1]))
        if count == 0:
            continue
        if count == 1:
            found.append((a, b))
            continue
        middle = (a + b) / 2
        left = [v << (len(q) - 1 - k) for k, v in enumerate(q)]  # 2^n q(x / 2)
        right = shifted(left)
        if right[0] == 0:
            found.append((middle, middle))
            right = right[1:]
        queue += [(left, a, middle), (right, middle, b)]
    return sorted(found)


def refined(p, a, b, bits=170):
    """Return a rational within 2^-bits of the only root of p in the open interval (a, b) with dyadic ends.

    Newton's method proposes, the sign of p disposes.
    """
    if a == b:
        return a
    slope, scale = derivative(p), 2 ** (bits + 8)
    low, high = int(a * scale), int(b * scale)
    # An end may be a root itself, found on its own: the signs just inside tell this root.
    at_low, at_high = _scaled(p, low, bits + 8) or _scaled(slope, low, bits + 8), _scaled(p, high, bits + 8)
    assert (at_low > 0) != ((at_high or -_scaled(slope, high, bits + 8)) > 0)
    while high - low > 2:
        middle = (low + high) // 2
        steep = _scaled(slope, middle, bits + 8)
        # p = P / scale^n and p' = Q / scale^(n - 1), so p / p' in units of 1 / scale is P / Q.
        guess = middle - _scaled(p, middle, bits + 8) // steep if steep else middle
        small = max((high - low) ** 2 // scale, 1)
        for end in (guess - small, guess + small, middle):
            if low < end < high:
                here = _scaled(p, end, bits + 8)
                if here == 0:
                    return Fraction(end, scale)
                low, high = (end, high) if (here > 0) == (at_low > 0) else (low, end)
    return Fraction(low + high, 2 * scale)


def _scaled(p, numerator, bits):
    """Return p(numerator / 2^bits) 2^(bits deg p), whole numbers only."""
    total, shift = 0, 0
    for coefficient in reversed(p):
        total = total * numerator + (coefficient << shift)
        shift += bits
    return total


def real_roots(p, low=-1, high=1):
    """Return all roots of p in [low, high] in order, exact in number and multiplicity."""
    p, roots = primitive(p), []
    for known in sorted({low, high, 0}):
        multiplicity = 0
        while len(p) > 1 and value(p, known) == 0:
            p = primitive(divided(p, [-known, 1])[0])
            multiplicity += 1
        if multiplicity and low <= known <= high:
            roots.append(Root(Fraction(known), multiplicity))
    for part, multiplicity in squarefree_parts(p):
        roots += [Root(refined(part, a, b), multiplicity) for a, b in isolated(part, low, high)]
    return sorted(roots, key=lambda r: r.value)


# The two-layer network ----------------------------------------------------------------------------------


class Network:
    """S, T, h and alpha of the two-layer network, and everything special about them, from c_k and c*_k, k >= 1."""

    def __init__(self, c, c_star):
        self.c, self.c_star = [Fraction(v) for v in c], [Fraction(v) for v in c_star]
        orders = range(1, len(self.c) + 1)
        pairs = list(zip(orders, self.c, self.c_star, strict=True))
        self.S = trimmed([Fraction(0)] + [math.factorial(k) * star * own for k, own, star in pairs])
        self.T = [Fraction(0)] * (2 * len(self.c) + 1)
        for k, own, _ in pairs:
            self.T[2 * k] = math.factorial(k) * own**2
        self.T = trimmed(self.T)
        self.S1, self.T1 = derivative(self.S), derivative(self.T)
        self.teacher = sum(math.factorial(k) * star**2 for k, _, star in pairs)
        self.alpha = add(multiply(self.S, self.T1), multiply(self.S1, self.T), -2)
        self.fold = add(multiply(derivative(self.S1), self.T1), multiply(self.S1, derivative(self.T1)), -1)

    def h(self, R):
        """Return the branch a = h(R)."""
        return 2 * value(self.S1, R) / value(self.T1, R)

    def f(self, R, a):
        """Return the fast field."""
        return a * (1 - R * R) * (2 * value(self.S1, R) - a * value(self.T1, R)) / 2

    def g(self, R, a):
        """Return the slow field."""
        return value(self.S, R) - a * value(self.T, R)

    def loss(self, R, a):
        """Return the test loss without label noise."""
        return (self.teacher - 2 * a * value(self.S, R) + a * a * value(self.T, R)) / 2

    def f_R(self, R, a):
        """Return the derivative of f in R."""
        q = 2 * value(self.S1, R) - a * value(self.T1, R)
        q1 = 2 * value(derivative(self.S1), R) - a * value(derivative(self.T1), R)
        return a * (-2 * R * q + (1 - R * R) * q1) / 2

    def on_branch(self, p):
        """Return the roots R != 0 of p in [-1, 1] as (R, h(R), multiplicity), exact to 1e-40."""
        return [(r.value, self.h(r.value), r.multiplicity) for r in real_roots(p) if r.value != 0]

    def folds(self):
        """Return the folds (R, a, multiplicity)."""
        return self.on_branch(self.fold)

    def alpha_roots(self):
        """Return the equilibria on a = h(R), as (R, a, multiplicity)."""
        return self.on_branch(self.alpha)

    def crossings(self):
        """Return the crossings of two different curves, as (R, a)."""
        found = {(Fraction(R), Fraction(0)) for R in (-1, 1)} | {(Fraction(R), self.h(Fraction(R))) for R in (-1, 1)}
        return _merged([(R, a, 1) for R, a in found] + [(R, a, 1) for R, a, _ in self.branch_at_zero()])

    def branch_at_zero(self):
        """Return where a = h(R) meets a = 0."""
        return [(r.value, Fraction(0), r.multiplicity) for r in real_roots(self.S1) if r.value != 0]

    def equilibria(self):
        """Return all equilibria of the full system in the window, as (R, a, multiplicity)."""
        found = self.alpha_roots()
        found += [(r.value, Fraction(0), r.multiplicity) for r in real_roots(self.S)]
        found += [(Fraction(R), value(self.S, Fraction(R)) / value(self.T, Fraction(R)), 1) for R in (-1, 1)]
        return _merged(found)

    def heights(self):
        """Return the slow values of all special points, as floats."""
        points = [*self.folds(), *self.equilibria(), *self.crossings()]
        return sorted({float(a) for _, a, _ in points})


def _merged(points):
    """Return points with those at one place joined, the largest multiplicity kept."""
    kept = []
    for R, a, m in sorted(points):
        same = [i for i, (x, y, _) in enumerate(kept) if abs(x - R) < Fraction(1, 10**45) and abs(y - a) < 1e-30]
        if same:
            x, y, old = kept[same[0]]
            kept[same[0]] = (x, y, max(m, old))
        else:
            kept.append((R, a, m))
    return kept


# Fates by brute force ------------------------------------------------------------------------------------


@njit(cache=True)
def _poly(p, x):
    total = 0.0
    for k in range(len(p) - 1, -1, -1):
        total = total * x + p[k]
    return total


@njit(cache=True)
def _fast_limit(S1, T1, R, a):
    """Follow the fast flow at frozen a from R to the first zero of f: small steps, then bisection."""
    f = a * (2.0 * _poly(S1, R) - a * _poly(T1, R))
    if f == 0.0 or abs(R) >= 1.0:
        return R
    direction = 1.0 if f > 0.0 else -1.0
    step = 1e-6 * max(abs(R), 1e-6)
    x = R
    while True:
        y = x + direction * step
        if abs(y) >= 1.0:
            y = direction
        now = a * (2.0 * _poly(S1, y) - a * _poly(T1, y))
        if now * direction <= 0.0:
            low, high = x, y
            for _ in range(80):
                middle = 0.5 * (low + high)
                if a * (2.0 * _poly(S1, middle) - a * _poly(T1, middle)) * direction > 0.0:
                    low = middle
                else:
                    high = middle
            return 0.5 * (low + high)
        if abs(y) >= 1.0:
            return direction
        x = y
        step = min(step * 1.1, 1e-3, 2e-2 * max(abs(x), 1e-6))


@njit(cache=True)
def _staircase(S, S1, T, T1, R, a, share, largest):
    """Alternate fast limits and tiny slow moves; return (fate, R, a), fate 1 at rest, 2 gone to infinity, 0 lost."""
    depth = 0.0  # how far inside an invariant line: integral of f_R / g da, times -1
    for _ in range(2_000_000):
        if abs(R) < 1.0:
            R = _fast_limit(S1, T1, R, a)
            depth = 0.0
        slow = _poly(S, R) - a * _poly(T, R)
        move = share * abs(a)
        if slow < 0.0:
            move = -move
        if abs(R) >= 1.0:
            # Near the equilibrium of the line the integral grows without bound: approach it, never jump over it.
            gap = abs(slow) / _poly(T, R)
            rate = -R * a * (2.0 * _poly(S1, R) - a * _poly(T1, R))
            if gap < 1e-13 * abs(a):
                if rate < 0.0:
                    return 1, R, a
                R = R * (1.0 - 1e-9)
                continue
            if 0.1 * gap < abs(move):
                move *= 0.1 * gap / abs(move)
            depth += rate / slow * move
            if depth > 0.0:
                # The way out along the line is as long as the way in was.
                R = R * (1.0 - 1e-9)
                continue
        a += move
        if abs(R) < 1.0:
            new = _fast_limit(S1, T1, R, a)
            close = abs(new - R) < 0.05 * abs(R)
            if close and slow * (_poly(S, new) - a * _poly(T, new)) <= 0.0:
                return 1, new, a
            R = new
        if abs(a) > largest:
            return 2, R, a
    return 0, R, a


def singular_fate(network, a0, share=1e-3, largest=None):
    """Return ("learning" or "unlearning", R, a) in the singular limit, by a staircase of tiny slow moves."""
    if largest is None:
        largest = 30.0 * max(1.0, abs(float(a0)), *map(abs, network.heights()))
    arrays = [np.array([float(v) for v in p]) for p in (network.S, network.S1, network.T, network.T1)]
    fate, R, a = _staircase(*arrays, 0.0, float(a0), share, largest)
    return ("lost", "learning", "unlearning")[fate], R, a


def ode(network, a0, end, slow_rate=1.0, method="Radau", rtol=1e-9, atol=1e-11, **options):
    """Return scipy's solution of the full system from (0, a0) in (R, a)."""
    S, S1, T, T1 = ([float(v) for v in p] for p in (network.S, network.S1, network.T, network.T1))
    S2, T2 = derivative(S1), derivative(T1)

    def field(_, u):
        R, a = u
        return [
            0.5 * a * (1 - R * R) * (2 * value(S1, R) - a * value(T1, R)),
            slow_rate * (value(S, R) - a * value(T, R)),
        ]

    def jacobian(_, u):
        R, a = u
        s1, t1 = value(S1, R), value(T1, R)
        q, q1 = 2 * s1 - a * t1, 2 * value(S2, R) - a * value(T2, R)
        return [
            [a * (-2 * R * q + (1 - R * R) * q1) / 2, (1 - R * R) * (s1 - a * t1)],
            [slow_rate * (s1 - a * t1), -slow_rate * value(T, R)],
        ]

    start = [0.0, float(a0)]
    return solve_ivp(field, (0.0, end), start, method=method, jac=jacobian, rtol=rtol, atol=atol, **options)


def resolved(network, a0, end, slow_rate=1.0, rtol=1e-9, atol=1e-11, **options):
    """Return scipy's Radau solution from (0, a0) in (w, a), R = tanh w, in which R = 1 and -1 are at infinity.

    In R itself 1 - R falls below rounding along an attracting piece of such a line, and the way out is lost.
    """
    S, S1, T, T1 = ([float(v) for v in p] for p in (network.S, network.S1, network.T, network.T1))
    S2, T2 = derivative(S1), derivative(T1)

    def field(_, u):
        R, a = np.tanh(u[0]), u[1]
        return [0.5 * a * (2 * value(S1, R) - a * value(T1, R)), slow_rate * (value(S, R) - a * value(T, R))]

    def jacobian(_, u):
        R, a = np.tanh(u[0]), u[1]
        s1, t1, stretch = value(S1, R), value(T1, R), 1 - R * R
        return [
            [0.5 * a * (2 * value(S2, R) - a * value(T2, R)) * stretch, s1 - a * t1],
            [slow_rate * (s1 - a * t1) * stretch, -slow_rate * value(T, R)],
        ]

    return solve_ivp(field, (0.0, end), [0.0, float(a0)], "Radau", jac=jacobian, rtol=rtol, atol=atol, **options)


def ode_fate(network, a0, end=1e5, slow_rate=1.0):
    """Return "learning" or "unlearning" in the full system: the run is prolonged until it has come to its end.

    Learning: the last nine tenths of the time were spent at one equilibrium. Unlearning: above all special points, on
    the branch and rising.
    """
    ratio, highest = float(network.c_star[0] / network.c[0]), max(abs(v) for v in network.heights())
    rest = np.array([(float(R), float(a)) for R, a, _ in network.equilibria()])
    while True:
        run = resolved(network, a0, end, slow_rate, t_eval=[end / 10, end])
        assert run.success
        w, (before, a) = run.y
        R = np.tanh(w)
        away = np.abs(np.stack((R, run.y[1]), axis=-1)[:, None] - rest) / np.maximum(1, np.abs(rest))
        if (away.max(axis=(0, 2)) < 1e-2).any():
            return "learning"
        if abs(a) > max(highest, abs(before)) and abs(R[1]) < 0.06 and abs(R[1] * a / ratio - 1) < 0.6:
            return "unlearning"
        end *= 100
        assert end < 1e16


# Random systems ------------------------------------------------------------------------------------------


def random_coefficients(seed, largest=8, smallest=2):
    """Return (c, c_star) of a random usable network: whole numbers, fractions, floats, zeros, near degeneracy."""
    rng = random.Random(seed)
    while True:
        k = rng.randint(smallest, largest)
        kind = rng.choice(["whole", "fraction", "float", "sparse", "matched", "ones", "odd", "cusp", "pair"])
        draw = {
            "whole": lambda: rng.choice([-3, -2, -1, 1, 2, 3]),
            "fraction": lambda: Fraction(rng.randint(-9, 9), rng.randint(1, 12)),
            "float": lambda: rng.gauss(0, 1),
            "sparse": lambda: rng.choice([0, 0, 1, -1, Fraction(1, 2)]),
        }
        if kind == "matched":
            c = [draw["fraction"]() for _ in range(k)]
            scale = rng.choice([1, -1, Fraction(3, 2)])
            c_star = [scale * v for v in c]
        elif kind == "ones":
            c, c_star = [1] * k, [draw[rng.choice(["whole", "sparse", "float"])]() for _ in range(k)]
        elif kind == "odd":
            c = [draw["whole"]() for _ in range(k)]
            c_star = [draw["whole"]() if i % 2 == 0 else 0 for i in range(k)]
        elif kind == "cusp":
            off = rng.choice([0, 1, -1]) * Fraction(1, 10 ** rng.randint(2, 14))
            c, c_star = [1, 1, 1], [1, rng.choice([1, -1]) * (Fraction(99, 64) + off), 1]
        elif kind == "pair":
            # Near x = -6.74568026487769 two alpha-roots meet; near the others two folds do.
            at = rng.choice(["-6.74568026487769", "-2.80177272314612", "8.59318741508392"])
            off = rng.choice([1, -1]) * Fraction(1, 10 ** rng.randint(3, 11))
            c, c_star = [1] * 5, [1, Fraction(at) + off, 1, 1, 1]
        else:
            c, c_star = [draw[kind]() for _ in range(k)], [draw[kind]() for _ in range(k)]
        if c[0] and c_star[0] and any(a * b for a, b in zip(c[1:], c_star[1:], strict=True)):
            return c, c_star
