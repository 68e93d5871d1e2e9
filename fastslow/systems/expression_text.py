"""Formulas from text, by a grammar of our own. Nothing of the text is evaluated, compiled or looked up.

sum      = product { ("+" | "-") product }
product  = signed { ("*" | "/") signed }
signed   = { "+" | "-" } power
power    = atom [ ("**" | "^") [ "-" ] exponent ]
exponent = number | constant | "(" sum ")", without variables
atom     = number | variable | function [ "(" sum ")" ] | "(" sum ")"
"""

from __future__ import annotations

import difflib
import keyword
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from fastslow.errors import InputError
from fastslow.systems.exact import exact
from fastslow.systems.expression_facts import LARGEST_DEGREE, exact_value, is_constant, nodes
from fastslow.systems.expressions import (
    FUNCTIONS,
    LARGEST_HERMITE,
    PI,
    BeyondDoubles,
    Call,
    Expression,
    Number,
    Variable,
    add,
    evaluate,
    hermite_order,
    multiply,
    negative,
    power,
)

LONGEST = 1000
_DEEPEST = 40
_SHOWN = 60
_TOKEN = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[A-Za-z_][A-Za-z_0-9]*|\*\*|[-+*/^()]", re.ASCII)
_SPACE = " \t\r\n"

_FOREIGN = {
    ".": "a formula has no attributes",
    ",": "functions take one argument and a formula is one, not a list",
    "[": "a formula has no lists and no subscripts",
    "]": "a formula has no lists and no subscripts",
    "{": "a formula has no sets and no braces",
    "}": "a formula has no sets and no braces",
    "'": "a formula has no text in it",
    '"': "a formula has no text in it",
    "`": "a formula has no text in it",
    "=": "nothing is assigned or compared in a formula",
    "<": "nothing is compared in a formula",
    ">": "nothing is compared in a formula",
    "!": "nothing is compared in a formula, and there is no factorial",
    ":": "a formula has no colon",
    ";": "a formula is one expression, without statements",
    "#": "a formula has no comments",
    "\\": "a formula has no backslash",
}

NAMES = (*sorted(FUNCTIONS | {"identity"}), "he1", "...", f"he{LARGEST_HERMITE}")
"""The functions that text may name."""


def parse_expression(
    text: str,
    names: Sequence[str] = ("x",),
    field: str = "formula",
    *,
    constants: Mapping[str, Fraction] | None = None,
    longest: int = LONGEST,
    exponents: Sequence[str] = (),
) -> Expression:
    """Return the formula that a text writes with numbers, variables, + - * / ** (or ^), parentheses and functions.

    Decimals are exact: 0.1 is 1/10. A power is an integer of at most 256 in size, or another number p: then u**p is
    exp(p log(u)), for u > 0, and u**(n/2) a power of sqrt(u). The functions are exp log sqrt sin cos tan sinh cosh tanh
    atan erf abs sign relu leaky_relu sigmoid softplus gelu silu identity, and the Hermite polynomials he1 ... he40; pi
    is a number. With one variable a function may stand alone: "he1 + tanh/2" is he1(x) + tanh(x)/2.

    Parameters
    ----------
    text : str
        At most `longest` characters.
    names : sequence of str, optional
        The variables.
    field : str, optional
        What the input is called in messages.
    constants : mapping, optional
        Names of numbers.
    longest : int, optional
        The most characters.
    exponents : sequence of str, optional
        The variables that may stand in exponents, parameters that are varied: u**p is exp(p log(u)) for them too.

    Raises
    ------
    InputError
        With the column of the first thing that is not allowed.
    """
    if not isinstance(text, str):
        raise InputError(field, text, "must be text", 'For example "tanh(2*x) + x/10"')
    if len(text) > longest:
        raise InputError(field, f"{text[:_SHOWN]}...", f"is longer than {longest} characters", "Shorten it")
    return _Parser(text, tuple(names), field, dict(constants or {}), frozenset(exponents)).parse()


def names_in(text: str) -> set[str]:
    """Return the names of variables, numbers and functions that occur in the text of a formula."""
    return {token for token in _TOKEN.findall(text) if token[0].isalpha() or token[0] == "_"}


@dataclass(frozen=True)
class _Token:
    text: str
    column: int


class _Parser:
    def __init__(
        self, text: str, names: tuple[str, ...], field: str, constants: dict[str, Fraction], exponents: frozenset[str]
    ) -> None:
        self.text, self.names, self.field, self.constants, self.exponents = text, names, field, constants, exponents
        self.tokens = self.split()
        self.place = 0

    def refuse(self, column: int, rule: str, way_out: str) -> NoReturn:
        raise InputError(self.field, self.text, f"column {column}: {rule}", way_out)

    def split(self) -> list[_Token]:
        tokens, place = [], 0
        while place < len(self.text):
            if self.text[place] in _SPACE:
                place += 1
            elif found := _TOKEN.match(self.text, place):
                tokens.append(_Token(found[0], place + 1))
                place = found.end()
            else:
                self.refuse_character(self.text[place], place + 1)
        return [*tokens, _Token("", len(self.text) + 1)]

    def refuse_character(self, character: str, column: int) -> NoReturn:
        if not character.isascii():
            name = unicodedata.name(character, f"character {ord(character):#x}").lower()
            self.refuse(column, f"{character!a} ({name}) is no ASCII character", "Type it again in ASCII")
        rule = _FOREIGN.get(character, f"{character!r} is not one of + - * / ** ^")
        self.refuse(column, rule, "Write numbers, x, + - * / ** and functions such as tanh(x)")

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> _Token | None:
        if self.now.text not in texts:
            return None
        self.place += 1
        return self.tokens[self.place - 1]

    def parse(self) -> Expression:
        if not self.now.text:
            self.refuse(1, "the formula is empty", 'For example "tanh(2*x) + x/10"')
        whole = self.sum(0)
        if self.now.text == ")":
            self.refuse(self.now.column, "this parenthesis was never opened", "Take it away, or open it")
        if self.now.text:
            rule = f"{self.now.text[:_SHOWN]!r} follows without an operator"
            self.refuse(self.now.column, rule, "Write products as 2*x")
        return whole

    def made(self, column: int, build: Callable[..., Expression], *parts: Any) -> Expression:
        try:
            return build(*parts)
        except BeyondDoubles:
            self.refuse(column, "a number here is beyond what doubles hold or has too many digits", "Rescale")
        except ZeroDivisionError:
            self.refuse(column, "division by zero", "Divide by something else")

    def sum(self, depth: int) -> Expression:
        column = self.now.column
        if depth > _DEEPEST:
            self.refuse(column, f"nested deeper than {_DEEPEST}", "Simplify the formula")
        terms = [self.product(depth)]
        while sign := self.take("+", "-"):
            term = self.product(depth)
            terms.append(negative(term) if sign.text == "-" else term)
        return self.made(column, add, *terms)

    def product(self, depth: int) -> Expression:
        column = self.now.column
        factors = [self.signed(depth)]
        while operator := self.take("*", "/"):
            if operator.text == "/" and self.now.text == "/":
                self.refuse(self.now.column, "there is no whole division //", "Write a / b")
            where = self.now.column
            factor = self.signed(depth)
            factors.append(self.made(where, power, factor, -1) if operator.text == "/" else factor)
            self.check_constant(factors[-1], where)
        return self.made(column, multiply, *factors)

    def signed(self, depth: int) -> Expression:
        minus = False
        while sign := self.take("+", "-"):
            minus ^= sign.text == "-"
        inner = self.powered(depth)
        return negative(inner) if minus else inner

    def powered(self, depth: int) -> Expression:
        base = self.atom(depth)
        if (operator := self.take("**", "^")) is None:
            return base
        column = self.now.column
        minus = self.take("-") is not None
        exponent = self.atom(depth)
        if self.now.text in ("**", "^"):
            self.refuse(self.now.column, "a power of a power needs parentheses", "Write (x**2)**3")
        if any(isinstance(node, Variable) and node.name not in self.exponents for node in nodes(exponent)):
            self.refuse(column, "a power must be a number", "Write x**3, sqrt(x) or exp(y*log(x))")
        result = self.made(operator.column, self.raised, base, negative(exponent) if minus else exponent, column)
        self.check_constant(result, operator.column)
        return result

    def raised(self, base: Expression, exponent: Expression, column: int) -> Expression:
        """Return a power with an exponent without x and y: integer, half an integer, or any other."""
        value = exponent.value if isinstance(exponent, Number) else None
        if value is not None and abs(value) > LARGEST_DEGREE:
            self.refuse(column, f"a power must be at most {LARGEST_DEGREE} in size", "Write x**3 or exp(x)")
        if value is not None and value.denominator == 1:
            return power(base, int(value))
        if value is not None and value.denominator == 2:
            return power(Call("sqrt", base), int(2 * value))
        return Call("exp", multiply(exponent, Call("log", base)))

    def atom(self, depth: int) -> Expression:
        token = self.now
        self.place += bool(token.text)
        if token.text == "(":
            return self.closed(token, depth)
        if token.text[:1].isdigit() or token.text[:1] == ".":
            return self.number(token)
        if token.text[:1].isalpha() or token.text[:1] == "_":
            return self.named(token, depth)
        what = f"{token.text!r}" if token.text else "the end"
        self.refuse(
            token.column, f"a number, a variable or a function is missing before {what}", "Complete the formula"
        )

    def closed(self, opening: _Token, depth: int) -> Expression:
        """What stands in parentheses."""
        if self.now.text == ")":
            self.refuse(self.now.column, "nothing stands between the parentheses", "Write tanh(x), or tanh alone")
        inner = self.sum(depth + 1)
        if not self.now.text:
            self.refuse(opening.column, "this parenthesis is never closed", "Close it")
        if not self.take(")"):
            rule = f"{self.now.text[:_SHOWN]!r} follows without an operator"
            self.refuse(self.now.column, rule, "Write products as 2*x")
        return inner

    def number(self, token: _Token) -> Expression:
        try:
            value = exact(token.text, self.field)
        except InputError as error:
            self.refuse(token.column, f"{token.text[:_SHOWN]!r} {error.rule}", error.way_out)
        following = self.now.text[:1]
        if following.isalpha() or (following and following in "_("):
            self.refuse(self.now.column, f"{self.now.text[:_SHOWN]!r} follows a number", "Write products as 2*x")
        return Number(value)

    def named(self, token: _Token, depth: int) -> Expression:
        name, called = token.text, self.now.text == "("
        if name in self.names or name in self.constants or name == "pi":
            if called:
                self.refuse(self.now.column, f"{name} is no function", f"Write products as {name}*(...)")
            if name in self.constants:
                return Number(self.constants[name])
            return Variable(name) if name in self.names else PI
        if name not in FUNCTIONS and name != "identity" and hermite_order(name) is None:
            self.refuse_name(token)
        if called:
            opening = self.now
            self.place += 1
            argument = self.closed(opening, depth)
        elif len(self.names) == 1:
            argument = Variable(self.names[0])
        else:
            self.refuse(token.column, f"{name} is a function of which variable?", f"Write {name}({self.names[0]})")
        result = argument if name == "identity" else Call(name, argument)
        if isinstance(argument, Number) and name in FUNCTIONS and (value := exact_value(result, {})) is not None:
            result = Number(value)  # exp(0) is 1
        self.check_constant(result, token.column)
        return result

    def refuse_name(self, token: _Token) -> NoReturn:
        name = token.text if len(token.text) <= _SHOWN else f"{token.text[:_SHOWN]}..."
        numbers = f"; numbers: {', '.join(self.constants)}" if self.constants else ""
        known = f"Variables: {', '.join(self.names)}{numbers}; functions: {' '.join(NAMES)}"
        if name.startswith("_"):
            self.refuse(token.column, f"names do not begin with an underscore: {name!r}", known)
        if keyword.iskeyword(name):
            self.refuse(token.column, f"{name!r} is a word of Python, not of formulas", known)
        near = difflib.get_close_matches(name, (*self.names, *self.constants, *NAMES), n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}? " if near else ""
        self.refuse(token.column, f"unknown name {name!r}", hint + known)

    def check_constant(self, e: Expression, column: int) -> None:
        """A number that is none, such as sqrt(-1) or 1/sin(0), is refused where it stands."""
        if is_constant(e) and not np.isfinite(evaluate(e, {})):
            self.refuse(
                column, "this is no finite real number", "Divide by non-zero numbers, take roots of positive ones"
            )
