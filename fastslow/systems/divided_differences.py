"""The quotient (e(x) - e(c)) / (x - c) of a formula as a formula that is as good at x = c as elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from fastslow.systems.expression_facts import substituted
from fastslow.systems.expressions import (
    ONE,
    PI,
    TWO,
    ZERO,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    add,
    multiply,
    negative,
    once_each,
    power,
)

_HALF = Number(Fraction(1, 2))


class _Unknown(ArithmeticError):
    """A function whose divided difference is not written."""


def divided_difference(e: Expression, variable: str, at: Fraction) -> Expression | None:
    """Return (e(x) - e(c)) / (x - c), exact; None where it meets a function for which that is not written.

    Sums, products and powers are divided by the rules of differences, a function F of u(x) by
    (F(u) - F(v)) / (u - v) with v = u(c): for exp that is exp(v) phi_1(u - v), for sqrt 1 / (sqrt u + sqrt v). For erf
    it is written where v = 0 only.

    Parameters
    ----------
    e : Expression
        The formula, which may have other variables.
    variable : str
        The name of x.
    at : Fraction
        c.
    """

    def there(node: Expression) -> Expression:
        return substituted(node, {variable: at})

    @once_each
    def of(node: Expression) -> Expression:
        match node:
            case Variable(name):
                return ONE if name == variable else ZERO
            case Sum(terms):
                return add(*map(of, terms))
            case Product(factors):
                # a b c - a' b' c' = (a - a') b c + a' (b - b') c + a' b' (c - c'), no more than the first where a' = 0
                ordered = sorted(factors, key=lambda factor: there(factor) != ZERO)
                parts: list[Expression] = []
                before: Expression = ONE
                for i, factor in enumerate(ordered):
                    if before == ZERO:
                        break
                    if of(factor) != ZERO:
                        parts.append(multiply(before, of(factor), *ordered[i + 1 :]))
                    before = multiply(before, there(factor))
                return add(*parts)
            case Power(base, exponent):
                u, v, n = base, there(base), abs(exponent)
                rise = multiply(of(base), add(*(multiply(power(u, i), power(v, n - 1 - i)) for i in range(n))))
                return rise if exponent > 0 else negative(multiply(rise, power(u, -n), power(v, -n)))
            case Call(function, argument):
                inner = of(argument)
                if inner == ZERO:
                    return ZERO
                if function not in _SLOPES_BETWEEN:
                    raise _Unknown(function)
                return multiply(inner, _SLOPES_BETWEEN[function](argument, there(argument)))
        return ZERO

    try:
        return of(e)
    except _Unknown:
        return None


def _called(function: str, u: Expression) -> Expression:
    """Return a function value, exact where it is plainly rational."""
    return substituted(Call(function, u), {})


def _exp(u: Expression, v: Expression) -> Expression:
    return multiply(_called("exp", v), Call("phi1", add(u, negative(v))))


def _tanh(u: Expression, v: Expression) -> Expression:
    # tanh(u) - tanh(v) = tanh(d) (1 - tanh(u) tanh(v)), d = u - v, and tanh(d) / d = 2 phi_1(-2d) / (1 + e^(-2d)),
    # where 1 / (1 + e^(-2d)) is the sigmoid of 2d
    twice = multiply(TWO, add(u, negative(v)))
    head = multiply(TWO, Call("phi1", negative(twice)), Call("sigmoid", twice))
    return multiply(head, add(ONE, negative(multiply(_called("tanh", u), _called("tanh", v)))))


def _sigmoid(u: Expression, v: Expression) -> Expression:
    return multiply(Number(Fraction(1, 4)), _tanh(multiply(_HALF, u), multiply(_HALF, v)))


def _sinh_over(u: Expression, v: Expression) -> Expression:
    """Return 2 sinh(d / 2) / d with d = u - v: e^(-d / 2) phi_1(d)."""
    d = add(u, negative(v))
    return multiply(_called("exp", negative(multiply(_HALF, d))), Call("phi1", d))


def _sinh(u: Expression, v: Expression) -> Expression:
    return multiply(_called("cosh", multiply(_HALF, add(u, v))), _sinh_over(u, v))


def _cosh(u: Expression, v: Expression) -> Expression:
    return multiply(_called("sinh", multiply(_HALF, add(u, v))), _sinh_over(u, v))


def _sqrt(u: Expression, v: Expression) -> Expression:
    return power(add(_called("sqrt", u), _called("sqrt", v)), -1)


def _sin(u: Expression, v: Expression) -> Expression:
    return multiply(_called("cos", multiply(_HALF, add(u, v))), _sine_over(u, v))


def _cos(u: Expression, v: Expression) -> Expression:
    return negative(multiply(_called("sin", multiply(_HALF, add(u, v))), _sine_over(u, v)))


def _sine_over(u: Expression, v: Expression) -> Expression:
    """Return 2 sin(d / 2) / d with d = u - v."""
    return Call("sinq0", power(multiply(_HALF, add(u, negative(v))), 2))


def _tan(u: Expression, v: Expression) -> Expression:
    # tan(u) - tan(v) = sin(d) / (cos(u) cos(v))
    sine = Call("sinq0", power(add(u, negative(v)), 2))
    return multiply(sine, power(_called("cos", u), -1), power(_called("cos", v), -1))


def _log(u: Expression, v: Expression) -> Expression:
    # log(u / v) = 2 atanh(z), z = (u - v) / (u + v), and |z| < 1 where both are positive
    inverse = power(add(u, v), -1)
    return multiply(TWO, inverse, Call("atanq0", negative(power(multiply(add(u, negative(v)), inverse), 2))))


def _atan(u: Expression, v: Expression) -> Expression:
    # With p = (1 + u^2)^(1/2), q = (1 + v^2)^(1/2) the tangent of half of atan(u) - atan(v) is (u q - v p) / (p + q),
    # which is (u - v) k with k = (p q + 1 - u v) / (p + q)^2 > 0; the half is less than a right angle.
    p, q = (_called("sqrt", add(ONE, power(w, 2))) for w in (u, v))
    k = multiply(add(multiply(p, q), ONE, negative(multiply(u, v))), power(add(p, q), -2))
    return multiply(TWO, k, Call("atanq0", power(multiply(add(u, negative(v)), k), 2)))


def _erf(u: Expression, v: Expression) -> Expression:
    if v != ZERO:  # then it is no function of one number
        raise _Unknown("erf")
    return multiply(TWO, power(Call("sqrt", PI), -1), Call("erfq0", power(u, 2)))


_SLOPES_BETWEEN: dict[str, Callable[[Expression, Expression], Expression]] = {
    "exp": _exp,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "sinh": _sinh,
    "cosh": _cosh,
    "sqrt": _sqrt,
    "sin": _sin,
    "cos": _cos,
    "tan": _tan,
    "log": _log,
    "atan": _atan,
    "erf": _erf,
}
"""(F(u) - F(v)) / (u - v) of u and v."""
