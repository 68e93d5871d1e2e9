"""Models from TOML files. Numbers keep their text (0.1 is 1/10); formulas are parsed, never evaluated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastslow.errors import MISSING, InputError, suggestion
from fastslow.systems.classics import fitzhugh_nagumo, van_der_pol
from fastslow.systems.exact import exact, exact_list, plain
from fastslow.systems.formulas import parse_formula
from fastslow.systems.networks import two_layer
from fastslow.systems.parameters import check_keys, check_used, checked_name, read_parameters
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.system import FastSlowSystem, Start
from fastslow.systems.two_layer import TwoLayer

_LARGEST_FILE = 1_000_000
_NESTED = re.compile(r"(?<![^\n=,.\[\]{}#])(?:[^\n=,.\[\]{}#]+\.){20}")
"""Twenty names joined by dots: a model has two at most, and readers of TOML take minutes for thousands."""
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class Study:
    """A system and the starts to follow in it."""

    system: FastSlowSystem
    starts: tuple[Start, ...]


def load_study(path: Path) -> Study:
    """Return the system and starts that a TOML file describes.

    Raises
    ------
    InputError
        If the file is missing, too large, no TOML, or has a key or value that cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)  # a device may have no end
        if len(content) > _LARGEST_FILE:
            raise InputError("MODEL", str(path), f"is larger than {_LARGEST_FILE} bytes", "A model file is a few lines")
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        if _NESTED.search(text):
            raise InputError("MODEL", str(path), "has names in names in names", "Write a table as [parameters]")
        table = tomllib.loads(text, parse_float=_number_text)
    except OSError as error:
        raise InputError("MODEL", str(path), f"cannot be read ({error.strerror})", "Check the path") from None
    except UnicodeDecodeError:
        raise InputError("MODEL", str(path), "is no UTF-8 text", "Save the file as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("MODEL", str(path), f"is no TOML: {error}", "See the README for an example") from None
    if "f" in table:
        table.setdefault("name", path.stem)
    return study_from(table, str(path))


def _number_text(text: str) -> Any:
    return exact(text.replace("_", ""), "a number in the file")


def study_from(table: dict[str, Any], source: str = "the model") -> Study:
    """Return the study that a table of a model file describes.

    Raises
    ------
    InputError
        If a key or value cannot be used.
    """
    table = dict(table)
    kind = table.pop("model", "formula" if "f" in table else None)
    if kind is None:
        raise InputError(
            "model", source, "has no key 'model'", f"Give f and g, or model = one of {', '.join(_READERS)}"
        )
    if not isinstance(kind, str) or kind not in _READERS:
        raise InputError("model", kind, "is no known model", suggestion(str(kind), list(_READERS)))
    return _READERS[kind](table)


def _two_layer(table: dict[str, Any]) -> Study:
    check_keys(table, ["c", "c_star", "activation", "link", "order", "slow_rate", "noise", "normalised", "a0"])
    for key, text in (("c", "activation"), ("c_star", "link")):
        if key not in table and text not in table:
            raise InputError(key, MISSING, "is missing", f'Write {key} = [1, -1, 1], or {text} = "tanh"')
        if key in table and text in table:
            raise InputError(text, table[text], f"cannot stand beside {key}", "Leave one of them out")
        if text in table and not isinstance(table[text], str):
            raise InputError(text, table[text], "must be a name or formula", f'For example {text} = "tanh(2*x)"')
    normalised = table.get("normalised", False)
    if not isinstance(normalised, bool):
        raise InputError("normalised", normalised, "must be true or false", "Write normalised = true")
    numbers = {key: table[key] for key in ("slow_rate", "noise") if key in table}
    if "activation" in table or "link" in table:
        if normalised:
            raise InputError("normalised", True, "is for coefficients c and c_star only", "Leave it out")
        own, star = (
            table[text] if text in table else exact_list(table[key], key)
            for key, text in (("c", "activation"), ("c_star", "link"))
        )
        system = two_layer(own, star, order=table.get("order"), **numbers)
    elif "order" in table:
        raise InputError("order", table["order"], "is for an activation or link only", "Leave it out")
    else:
        system = TwoLayer(table["c"], table["c_star"], normalised=normalised, **numbers)
    return Study(system, slow_starts(system, table["a0"]) if "a0" in table else ())


def slow_starts(system: FastSlowSystem, values: Any, field: str = "a0") -> tuple[Start, ...]:
    """Return the starts (start_fast, y) for a list of slow values."""
    values = [values] if isinstance(values, int | float | Fraction) else values
    starts = tuple(Start(system.start_fast, value) for value in exact_list(values, field))
    for start in starts:
        system.check_start(start)
    return starts


def plane_starts(system: FastSlowSystem, values: Any) -> tuple[Start, ...]:
    """Return the starts for a list of pairs (x, y)."""
    way_out = "For example starts = [[2, 0], [0, 1]]"
    if not isinstance(values, list | tuple):
        raise InputError("starts", values, "must be a list of pairs", way_out)
    starts = []
    for i, pair in enumerate(values):
        if not isinstance(pair, list | tuple):
            raise InputError(f"starts[{i}]", pair, "must be a pair (fast, slow)", way_out)
        numbers = exact_list(pair, f"starts[{i}]")
        if len(numbers) != 2:
            raise InputError(f"starts[{i}]", pair, "must be a pair (fast, slow)", "For example [2, 0]")
        starts.append(Start(*numbers))
        system.check_start(starts[-1])
    return tuple(starts)


def _classic(build: Callable[..., FastSlowSystem], parameters: list[str]) -> Callable[[dict[str, Any]], Study]:
    def read(table: dict[str, Any]) -> Study:
        check_keys(table, [*parameters, "starts"])
        system = build(**{key: table[key] for key in parameters if key in table})
        return Study(system, plane_starts(system, table.get("starts", [])))

    return read


def _formulas(kind: str) -> Callable[[dict[str, Any]], Study]:
    """Return the reader of models that write f and g out."""

    def read(table: dict[str, Any]) -> Study:
        known = ["name", "title", "fast", "slow", "f", "g", "parameters", "window", "slow_rate", "start_fast"]
        check_keys(table, [*known, "starts"])
        for key in ("f", "g"):
            if key not in table:
                raise InputError(key, MISSING, "is missing", f'Write {key} = "a formula in the two variables"')
        fast, slow = (checked_name(table.get(key, default), key) for key, default in (("fast", "x"), ("slow", "y")))
        values, written = read_parameters(table.get("parameters", {}), (fast, slow))
        factors = table["f"] if isinstance(table["f"], list) else [table["f"]]
        for i, text in enumerate([*factors, table["g"]]):
            if not isinstance(text, str):
                raise InputError("g" if i == len(factors) else f"f[{i}]", text, "must be text", 'Quote it: "x - y"')
        formulas = [parse_formula(text, (fast, slow), f"f[{i}]", values) for i, text in enumerate(factors)]
        slow_field = parse_formula(table["g"], (fast, slow), "g", values)
        check_used(values, [*factors, table["g"]])
        system = {"polynomial": PolynomialSystem, "formula": FastSlowSystem}[kind](
            formulas,
            slow_field,
            fast=(fast,),
            slow=(slow,),
            slow_rate=table.get("slow_rate", "1/100"),
            window=_window(table.get("window", [-3, 3])),
            start_fast=table.get("start_fast"),
            name=_text(table.get("name", kind), "name"),
            title=_text(table.get("title", ""), "title"),
            parameters={key: plain(value) for key, value in values.items()},
            kind=kind,
            source={"f": factors, "g": table["g"], "parameters": written},
        )
        return Study(system, plane_starts(system, table.get("starts", [])))

    return read


def _window(window: Any) -> Any:
    if not isinstance(window, list) or len(window) != 2:
        raise InputError("window", window, "must be a pair of numbers", "Write window = [-3, 3]")
    return window


def _text(value: Any, field: str) -> str:
    """Return a line for the reader, which must not steer the terminal that shows it."""
    if not isinstance(value, str) or len(value) > _LONGEST_TITLE or not value.isprintable():
        rule = f"must be a line of at most {_LONGEST_TITLE} printable characters"
        raise InputError(field, value, rule, f'Write {field} = "a few words"')
    return value


_READERS: dict[str, Callable[[dict[str, Any]], Study]] = {
    "two_layer": _two_layer,
    "van_der_pol": _classic(van_der_pol, ["a", "slow_rate"]),
    "fitzhugh_nagumo": _classic(fitzhugh_nagumo, ["current", "a", "b", "slow_rate"]),
    "polynomial": _formulas("polynomial"),
    "formula": _formulas("formula"),
}
