"""The two-layer network of Imai, Nishiyama and Imaizumi (arXiv:2602.07378)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.exact import Real, exact, exact_list, plain
from fastslow.systems.polynomial_system import Factor, PolynomialSystem
from fastslow.systems.polynomials import rational, variables
from fastslow.systems.system import Start
from fastslow.systems.theorem import Assumption, ScalingLaw, judge, list_assumptions, scaling_law

MOST_COEFFICIENTS = 100
"""Beyond this many coefficients exact isolation takes minutes."""


class TwoLayer(PolynomialSystem):
    r"""Macroscopic dynamics of a wide two-layer network trained by SGD on a single-index teacher.

    With S(z) = sum_k k! c*_k c_k z^k and T(R) = sum_k k! c_k^2 R^(2k),

        dR/dtau = f(R, a) = (1/2) a (1 - R^2) (2 S'(R) - a T'(R)),
        da/dtau = slow_rate g(R, a),   g(R, a) = S(R) - a T(R),

    from (R, a) = (0, a0). R is the alignment of the first layer with the teacher and
    a the scale of the second layer. The paper has slow_rate = 1.

    Parameters
    ----------
    c, c_star : sequence of number or text
        Hermite coefficients c_k of the activation and c*_k of the teacher's link, k = 1, 2, ...,
        in the probabilists' basis He_k: c_k = E[sigma(z) He_k(z)] / k!. Integers, floats,
        fractions or text; kept exactly. There is no k = 0 term: both functions are centred.
    slow_rate : number, optional
        Factor of the slow equation, positive.
    noise : number, optional
        Standard deviation of the label noise, non-negative; it adds noise^2 / 2 to the test loss.
    normalised : bool, optional
        Whether the coefficients are the normalised b_k = c_k sqrt(k!), which stay moderate for large k.
    source : mapping, optional
        What `parameters` and `table` say in place of c and c_star: the activation and the link they came from.
    remarks : sequence of str, optional
        Further notes for the reader.

    Raises
    ------
    InputError
        If the coefficients do not define the model: of different lengths, c_1 = 0, c*_1 = 0,
        no k >= 2 with c_k c*_k != 0, not finite, or too large for doubles.

    References
    ----------
    arXiv:2602.07378, equation (6). The paper's slips in S, Y, T and the test loss are corrected.
    """

    energy_name = "test loss"

    def __init__(
        self,
        c: Sequence[Real] | str,
        c_star: Sequence[Real] | str,
        slow_rate: Real = 1,
        noise: Real = 0,
        *,
        normalised: bool = False,
        source: Mapping[str, Any] | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        for values, name in ((c, "c"), (c_star, "c_star")):
            count = values.count(",") + 1 if isinstance(values, str) else getattr(values, "__len__", int)()
            if count > MOST_COEFFICIENTS:
                rule = f"more than {MOST_COEFFICIENTS} cannot be certified"
                raise InputError(name, f"{count} coefficients", rule, "Truncate")
        self.c, self.c_star = exact_list(c, "c"), exact_list(c_star, "c_star")
        self.noise = exact(noise, "noise")
        self.normalised = bool(normalised)
        self._check_coefficients()
        weights = [Fraction(1) if normalised else Fraction(math.factorial(k)) for k in self._orders]
        try:
            self.s = tuple(w * star * own for w, star, own in zip(weights, self.c_star, self.c, strict=True))
            self.t = tuple(w * own**2 for w, own in zip(weights, self.c, strict=True))
            self.teacher_norm = sum((w * star**2 for w, star in zip(weights, self.c_star, strict=True)), Fraction(0))
            sizes = [float(abs(v) * k * k) for v, k in zip((*self.s, *self.t), self._orders * 2, strict=True) if v]
            sizes.append(float(self.teacher_norm + self.noise**2))
        except OverflowError:
            sizes = [math.inf]
        if max(sizes) > 1e250 or min(sizes) < 1e-250:
            raise InputError(
                "c",
                f"{len(self.c)} coefficients",
                "k! c_k^2 or k! c*_k c_k is beyond what doubles hold",
                "Give the normalised coefficients b_k = c_k sqrt(k!) and say normalised=True (--normalised)",
            )
        R, a = variables("R", "a")
        S = sum((rational(v) * R**k for v, k in zip(self.s, self._orders, strict=True)), R * 0)
        T = sum((rational(v) * R ** (2 * k) for v, k in zip(self.t, self._orders, strict=True)), R * 0)
        super().__init__(
            [
                Factor(a / 2, "a = 0"),
                Factor(1 - R, "R = 1"),
                Factor(1 + R, "R = -1"),
                Factor(2 * S.derivative(0) - a * T.derivative(0), "a = h(R)"),
            ],
            S - a * T,
            fast=("R",),
            slow=("a",),
            slow_rate=slow_rate,
            window=(-1, 1),
            start_fast=0,
            name="two_layer",
            kind="two_layer",
            title="two-layer network, infinite width (arXiv:2602.07378)",
            parameters={},
        )
        self._coefficients = {"c": [plain(v) for v in self.c], "c_star": [plain(v) for v in self.c_star]}
        self._numbers = {"slow_rate": plain(self.slow_rate), "noise": plain(self.noise)} | (
            {"normalised": True} if normalised else {}
        )
        self.parameters = {**(source or self._coefficients), **self._numbers}
        self.energy_polynomial = (rational(self.teacher_norm + self.noise**2) - 2 * a * S + a**2 * T) / 2
        self.notes = (*self._notes(), *remarks)

    def written_out(self) -> dict[str, Any]:
        """Return the table with the coefficients in place of the names or formulas that they came from."""
        return {"model": self.kind, **self._coefficients, **self._numbers}

    @property
    def _orders(self) -> tuple[int, ...]:
        return tuple(range(1, len(self.c) + 1))

    def _check_coefficients(self) -> None:
        c, c_star = self.c, self.c_star
        if len(c) != len(c_star):
            short, name = (c, "c") if len(c) < len(c_star) else (c_star, "c_star")
            padded = [*map(str, short), *["0"] * abs(len(c) - len(c_star))]
            raise InputError(
                "c, c_star",
                f"{len(c)} and {len(c_star)} coefficients",
                "must have the same length",
                f"Pad the shorter with zeros: {name} = {','.join(padded)}",
            )
        if c[0] == 0:
            raise InputError(
                "c[0]",
                "0",
                "c_1 must not be zero (Assumption 4)",
                "Without it R = 0 is invariant for T and h",
            )
        if c_star[0] == 0:
            raise InputError(
                "c_star[0]",
                "0",
                "c*_1 c_1 must not be zero (Assumption 4)",
                "Without it the start R = 0 is an equilibrium of the fast flow and nothing is ever learned",
            )
        if not any(c[1:]):
            raise InputError(
                "c",
                ",".join(map(str, c)),
                "some c_k with k >= 2 must not be zero",
                "The student would be linear",
            )
        if not any(own * star for own, star in zip(c[1:], c_star[1:], strict=True)):
            raise InputError(
                "c, c_star",
                ",".join(str(own * star) for own, star in zip(c, c_star, strict=True)),
                "some product c*_k c_k with k >= 2 must not be zero (Assumption 4)",
                "Teacher and student share no nonlinear term; add one",
            )
        if self.noise < 0:
            raise InputError("noise", float(self.noise), "must not be negative", "It is a standard deviation")

    def _notes(self) -> tuple[str, ...]:
        if self.s[0] > 0:
            return ()
        return (
            "c*_1 c_1 < 0: the start moves to R < 0 for a0 > 0; the same as flipping the sign of R and of "
            "every odd c*_k",
        )

    def check_start(self, start: Start) -> None:
        """Raise InputError where a start cannot be used: a0 = 0 is a line of fast equilibria."""
        super().check_start(start)
        if start.slow == 0:
            raise InputError(
                "a0", 0, "must not be zero", "On a = 0 nothing moves fast; give a positive or negative scale"
            )

    # The paper's functions ------------------------------------------------------------------------

    @cached_property
    def _s_array(self) -> NDArray[np.float64]:
        return np.array([0.0, *map(float, self.s)])

    @cached_property
    def _t_array(self) -> NDArray[np.float64]:
        array = np.zeros(2 * len(self.t) + 1)
        array[2::2] = [float(v) for v in self.t]
        return array

    def S(self, z: ArrayLike, derivative: int = 0) -> NDArray[np.float64]:
        """Return S(z) = sum_k k! c*_k c_k z^k or one of its derivatives; exact coefficients, rounded once."""
        return _horner(_derive(self._s_array, derivative), z)

    def T(self, R: ArrayLike, derivative: int = 0) -> NDArray[np.float64]:
        """Return T(R) = sum_k k! c_k^2 R^(2k) or one of its derivatives."""
        return _horner(_derive(self._t_array, derivative), R)

    def h(self, R: ArrayLike) -> NDArray[np.float64]:
        """Return h(R) = 2 S'(R) / T'(R), the nontrivial branch a = h(R); infinite at R = 0."""
        with np.errstate(divide="ignore"):
            return np.asarray(2 * self.S(R, 1) / self.T(R, 1))

    def alpha(self, R: ArrayLike) -> NDArray[np.float64]:
        """Return alpha(R) = S T' - 2 S' T; on a = h(R) the slow field is g = alpha / T' (Assumption 7)."""
        return np.asarray(self.S(R) * self.T(R, 1) - 2 * self.S(R, 1) * self.T(R))

    def test_loss(self, R: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
        """Return the test loss E = (1/2)(|sigma*|^2 - 2 a S(R) + a^2 T(R)) + (1/2) noise^2.

        E never increases along a solution, for any slow_rate > 0:
        dE/dtau = -(1 - R^2) E_R^2 - slow_rate E_a^2.
        """
        a = np.asarray(a, dtype=np.float64)
        constant = float(self.teacher_norm + self.noise**2)
        return np.asarray(0.5 * (constant - 2 * a * self.S(R) + a**2 * self.T(R)))

    def energy(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the test loss; see ``test_loss``."""
        return self.test_loss(x, y)

    def energy_at_infinity(self, x: float, sign: int) -> float | None:
        """Return the loss that unlearning ends with, (1/2) sum_{k >= 2} k! c*_k^2 + (1/2) noise^2, at x = 0."""
        if x != 0:
            return None
        first = self.c_star[0] ** 2
        return float((self.teacher_norm - first + self.noise**2) / 2)

    def fate(self, x: float, y: float) -> str | None:
        """Return "learning" where |R| ends above zero, "unlearning" where R -> 0 and |a| -> infinity."""
        if math.isinf(y) and x == 0:
            return "unlearning"
        return "learning" if x != 0 and math.isfinite(y) else None

    # Theorems --------------------------------------------------------------------------------------

    @property
    def k0(self) -> int:
        """The smallest k >= 2 with c*_k c_k != 0."""
        return next(k for k, v in zip(self._orders, self.s, strict=True) if k >= 2 and v)

    @property
    def k1(self) -> int:
        """The smallest k >= 2 with c_k != 0."""
        return next(k for k, v in zip(self._orders, self.t, strict=True) if k >= 2 and v)

    def reflected(self, a0_sign: int) -> tuple[tuple[Fraction, ...], int, int]:
        """Return (s, sign of R, sign of a) that carry an orbit from (0, a0) to the quadrant R, a > 0.

        With R = r_sign r and a = a_sign b the system for (r, b) has the coefficients
        a_sign r_sign^k s_k, the first of which is positive.
        """
        r_sign = a0_sign * (1 if self.s[0] > 0 else -1)
        return (
            tuple(a0_sign * r_sign**k * v for k, v in zip(self._orders, self.s, strict=True)),
            r_sign,
            a0_sign,
        )

    def assumptions(self, a0: Real) -> tuple[Assumption, ...]:
        """Return Assumptions 3 to 7 of the paper for the start (0, a0), each with the reason why it holds or fails."""
        return list_assumptions(self.reflected(self._sign(a0))[0], self.t, abs(exact(a0, "a0")), self.k0, self.k1)

    def theorem(self, start: Start) -> tuple[str, tuple[str, ...]]:
        """Return the verdict of Theorem 2 for a start, "learning", "unlearning" or "not covered", and its reasons."""
        if start.fast != 0:
            return "not covered", ("the theorems start at R = 0",)
        sign = 1 if start.slow > 0 else -1
        verdict, reasons = judge(self.reflected(sign)[0], self.t, abs(start.slow), self.k0, self.k1)
        law = self.scaling(sign)
        if verdict == "unlearning" and law is not None:
            speed = law.p * law.K * float(self.slow_rate)
            tail = f"Theorem 3, case {law.case}: |a| ~ ({speed:.6g} τ)^(1/{law.p}), |R a| → {law.ratio:.6g}"
            reasons = (*reasons, tail)
        return verdict, reasons

    def scaling(self, a0_sign: int = 1) -> ScalingLaw | None:
        """Return Theorem 3's law |a| ~ (p K slow_rate tau)^(1/p), R a -> ratio, or None where infinity repels.

        The exponent and the constant come from the leading term of alpha at R = 0, which covers
        both cases of Assumption 6 and the tie k0 + 1 = 2 k1 that the paper leaves out.
        """
        return scaling_law(self.reflected(a0_sign)[0], self.t, self.k0, self.k1)

    def _sign(self, a0: Real) -> int:
        value = exact(a0, "a0")
        self.check_start(Start(Fraction(0), value))
        return 1 if value > 0 else -1


def _derive(coefficients: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    for _ in range(order):
        coefficients = coefficients[1:] * np.arange(1, len(coefficients))
    return coefficients


def _horner(coefficients: NDArray[np.float64], x: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(x, dtype=np.float64)
    total = np.zeros_like(x)
    for value in coefficients[::-1]:
        total = total * x + value
    return total
