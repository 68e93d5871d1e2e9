"""Formulas as text, the way a person writes them."""

from __future__ import annotations

from fractions import Fraction

from fastslow.systems.expressions import Call, Expression, Number, Power, Product, Sum, Variable, multiply

_MOST_DIGITS = 12


def formatted(e: Expression) -> str:
    """Return a formula as text that reads back to the same values."""
    match e:
        case Number(value):
            return number(value)
        case Variable(name):
            return name
        case Sum(terms):
            first, *others = map(formatted, terms)
            return first + "".join(f" - {text[1:]}" if text[0] == "-" else f" + {text}" for text in others)
        case Product(factors):
            return _product(factors)
        case Power(base, exponent):
            return f"{_atom(base)}**{exponent}" if exponent > 0 else f"1/{_below(base, -exponent)}"
        case Call("phi1", argument):  # which the language of formulas has not
            return f"((exp({formatted(argument)}) - 1)/{_atom(argument)})"
        case Call("sinq0", argument):
            return f"(sin(sqrt({formatted(argument)}))/sqrt({formatted(argument)}))"
        case Call("erfq0", argument):
            return f"(sqrt(atan(1))*erf(sqrt({formatted(argument)}))/sqrt({formatted(argument)}))"
        case Call("atanq0", Product((Number(value), *_)) as argument) if value < 0:
            root = f"sqrt({formatted(multiply(Number(Fraction(-1)), argument))})"
            return f"(log((1 + {root})/(1 - {root}))/(2*{root}))"
        case Call("atanq0", argument):
            return f"(atan(sqrt({formatted(argument)}))/sqrt({formatted(argument)}))"
        case Call(function, argument):
            return f"{function}({formatted(argument)})"
    return type(e).__name__


def number(value: Fraction) -> str:
    """Return an exact number as text: a short decimal where that is exact, else a fraction."""
    if value.denominator != 1:
        digits = next((n for n in range(1, _MOST_DIGITS) if 10**n % value.denominator == 0), None)
        if digits is not None and abs(value) < 10**_MOST_DIGITS:
            whole = abs(value.numerator) * (10**digits // value.denominator)
            text = str(whole).rjust(digits + 1, "0")
            return f"{'-' if value < 0 else ''}{text[:-digits]}.{text[-digits:]}"
    return str(value)


def _product(factors: tuple[Expression, ...]) -> str:
    """Numerators first, then each denominator after its own stroke."""
    value = Fraction(1)
    above: list[str] = []
    below: list[str] = []
    for factor in factors:
        if isinstance(factor, Number):
            value *= factor.value
        elif isinstance(factor, Power) and factor.exponent < 0:
            below.append(_below(factor.base, -factor.exponent))
        else:
            above.append(formatted(factor) if isinstance(factor, Power) else _atom(factor))
    sign, text = "-" if value < 0 else "", number(abs(value))
    if "/" in text:
        text, denominator = text.split("/")
        below.insert(0, denominator)
    if text != "1" or not above:
        above.insert(0, text)
    return sign + "/".join(["*".join(above), *below])


def _below(base: Expression, exponent: int) -> str:
    return _atom(base) if exponent == 1 else f"{_atom(base)}**{exponent}"


def _atom(e: Expression) -> str:
    text = formatted(e)
    plain = isinstance(e, Variable | Call) or (isinstance(e, Number) and text.replace(".", "").isdigit())
    return text if plain else f"({text})"
