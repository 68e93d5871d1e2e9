"""The parameters of models that write their formulas out: numbers, alone or with the range that they are varied in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from fastslow.errors import InputError, suggestion
from fastslow.systems.exact import exact, exact_list, plain
from fastslow.systems.expression_text import names_in
from fastslow.systems.expressions import FUNCTIONS, hermite_order


def read_parameters(table: Any, variables: tuple[str, str]) -> tuple[dict[str, Fraction], dict[str, Any]]:
    """Return the values of parameters, and the table as a record keeps it: numbers, or {value, range}.

    Raises
    ------
    InputError
        If a name is taken or no name, a value is no number, or a range does not hold it.
    """
    if not isinstance(table, Mapping):
        raise InputError("parameters", table, "must be a table", "Write [parameters] and a line for each")
    values: dict[str, Fraction] = {}
    written: dict[str, Any] = {}
    for key, entry in table.items():
        name, field = checked_name(key, "parameters"), f"parameters.{key}"
        if name in variables:
            raise InputError("parameters", name, "is the name of a variable", "Rename it")
        if name in ("slow_rate", "start_fast", *(f"{variable}0" for variable in variables)):
            raise InputError("parameters", name, "is what an axis calls the slow rate or a start", "Rename it")
        if name in FUNCTIONS or name == "pi" or hermite_order(name) is not None:
            raise InputError("parameters", name, "is the name of a function or constant of formulas", "Rename it")
        if not isinstance(entry, Mapping):
            values[name] = exact(entry, field)
            written[name] = plain(values[name])
            continue
        check_keys(entry, ["value", "range"])
        if "value" not in entry:
            raise InputError(field, entry, "has no value", f"Write {key} = {{ value = 1, range = [0, 2] }}")
        values[name] = exact(entry["value"], f"{field}.value")
        written[name] = {"value": plain(values[name])}
        if "range" in entry:
            ends = exact_list(entry["range"], f"{field}.range")
            if len(ends) != 2 or not ends[0] <= values[name] <= ends[1]:
                rule = "must be a pair of numbers with the value between them"
                raise InputError(f"{field}.range", entry["range"], rule, "Write range = [0, 2]")
            written[name]["range"] = [plain(end) for end in ends]
    return values, written


def parameter_values(table: Mapping[str, Any]) -> dict[str, Fraction]:
    """Return the values of the parameters in the table of a model that writes its formulas out."""
    entries = table.get("parameters", {})
    values = {key: entry["value"] if isinstance(entry, Mapping) else entry for key, entry in entries.items()}
    return {key: exact(value, f"parameters.{key}") for key, value in values.items()}


def check_used(values: Mapping[str, Fraction], texts: Iterable[str]) -> None:
    """Refuse parameters that occur in none of the texts of f and g: most are misspelt."""
    used = set().union(*map(names_in, texts))
    for key, value in values.items():
        if key not in used:
            raise InputError(f"parameters.{key}", plain(value), "is used in neither f nor g", "Use it or drop it")


def check_keys(table: Mapping[str, Any], known: list[str]) -> None:
    """Refuse a table with other keys than the known ones."""
    for key in table:
        if key not in known:
            raise InputError(str(key), table[key], "is no key of this model", suggestion(str(key), known))


def checked_name(value: Any, field: str) -> str:
    """Return a name of a variable or parameter."""
    if not isinstance(value, str) or not value.isidentifier() or not value.isascii() or len(value) > 32:
        raise InputError(field, value, "must be a short ASCII name", "Letters, digits and _")
    return value
