"""Numbers as they were given: every coefficient is kept as an exact rational."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from fastslow.errors import InputError

Real = int | float | str | Fraction
"""What is accepted as a real number. A float is the exact binary number that it is; the text 0.1 is 1/10."""

_LONGEST_TEXT = 400
_NUMBER = re.compile(r"[+-]?(\d+/\d+|(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?)", re.ASCII)
_LARGEST, _SMALLEST = Fraction(10) ** 290, Fraction(1, 10**290)


def exact(value: Any, field: str) -> Fraction:
    """Return `value` as an exact fraction.

    Parameters
    ----------
    value : int, float, str or Fraction
        A finite real number. Text may be an integer, a decimal or a fraction: ``"-99/64"``, ``"0.1"``, ``"1e-3"``.
    field : str
        Name of the input, for the message.

    Raises
    ------
    InputError
        If `value` is not a finite real number.
    """
    if isinstance(value, bool):
        raise InputError(field, value, "must be a number, not a truth value", "Write 1 or 0")
    if isinstance(value, str):
        return _within_doubles(_from_text(value, field), value, field)
    if isinstance(value, numbers.Rational):
        return _within_doubles(Fraction(int(value.numerator), int(value.denominator)), value, field)
    if isinstance(value, numbers.Real):
        number = float(value)
        if not math.isfinite(number):
            raise InputError(field, number, "must be finite", "Remove the NaN or infinite value")
        return _within_doubles(Fraction(number), value, field)
    if isinstance(value, numbers.Complex):
        raise InputError(field, value, "must be real, not complex", "Give the real coefficients of a real function")
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return exact(value.item(), field)
    raise InputError(field, value, "must be a real number", 'Give a number or text such as "-99/64" or "0.1"')


def _within_doubles(number: Fraction, value: Any, field: str) -> Fraction:
    size = abs(number)
    if size > _LARGEST or 0 < size < _SMALLEST:
        shown = value if isinstance(value, str | float) else f"a number of {len(str(number))} characters"
        rule = f"must be 0 or between {float(_SMALLEST):g} and {float(_LARGEST):g} in size, for doubles to hold it"
        raise InputError(field, shown, rule, "Rescale the problem")
    return number


def _from_text(text: str, field: str) -> Fraction:
    stripped = text.strip()
    way_out = 'Give a number such as 2, -0.5, 1e-3 or "-99/64"'
    if len(stripped) <= _LONGEST_TEXT and _NUMBER.fullmatch(stripped):
        try:
            return Fraction(stripped)
        except ZeroDivisionError:
            raise InputError(field, text, "divides by zero", way_out) from None
    if stripped.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        raise InputError(field, text, "must be finite", "Remove the NaN or infinite value")
    raise InputError(field, text, "is no number", way_out)


def exact_list(values: Any, field: str) -> tuple[Fraction, ...]:
    """Return a sequence of numbers, or comma-separated text, as exact fractions.

    Raises
    ------
    InputError
        If the sequence is empty or an entry is not a finite real number; the message names the entry.
    """
    if isinstance(values, str):
        values = values.split(",") if values.strip() else []
    if not isinstance(values, Iterable) or isinstance(values, dict | set | bytes):
        raise InputError(field, values, "must be a list of numbers", "For example 1,-1,1,1,1")
    result = tuple(exact(value, f"{field}[{i}]") for i, value in enumerate(values))
    if not result:
        raise InputError(field, values, "is empty", "Give at least one number, for example 1,-1,1")
    return result


def plain(value: Fraction) -> int | float | str:
    """Return the shortest way to write `value` that reads back to exactly the same number.

    An integer, a double where that is exact, otherwise the text of the fraction.
    """
    if value.denominator == 1 and abs(value.numerator) < 2**53:
        return value.numerator
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    return number if Fraction(number) == value else str(value)
