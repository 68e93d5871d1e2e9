"""Families: the systems that a model is for each value of some of its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError, suggestion
from fastslow.systems.exact import Real, exact
from fastslow.systems.formula_system import FormulaSystem, as_formulas
from fastslow.systems.model_files import study_from
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

_ENTRY = re.compile(r"(c|c_star)(?:\[([0-9]{1,4})\]|_([0-9]{1,4}))", re.ASCII)
_SETTINGS = frozenset(("model", "name", "title", "fast", "slow", "f", "g", "normalised"))
"""What a table of a model says beside numbers."""
_MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class Family:
    """The systems x' = f(x, y; p), y' = slow_rate g(x, y; p) for each value of one or more parameters.

    Attributes
    ----------
    names : tuple of str
        The parameters, as `family_of` writes them.
    build : callable
        The system for one exact value of each.
    """

    names: tuple[str, ...]
    build: Callable[..., FastSlowSystem] = field(repr=False)

    def at(self, *values: Real) -> FastSlowSystem:
        """Return the system for one value of each parameter.

        Raises
        ------
        InputError
            Where the model is not valid at these values.
        """
        return self.build(*(exact(value, name) for name, value in zip(self.names, values, strict=True)))


@dataclass(frozen=True)
class Axis:
    """An interval low..high of a parameter or of a start, with `count` values if it is a grid."""

    name: str
    low: Fraction
    high: Fraction
    count: int | None = None

    @cached_property
    def exact_values(self) -> tuple[Fraction, ...]:
        """The values of the grid, evenly spaced, both ends included."""
        steps = (self.count or 2) - 1
        return tuple(self.low + (self.high - self.low) * k / steps for k in range(steps + 1))

    @property
    def values(self) -> NDArray[np.float64]:
        """The values of the grid as doubles."""
        return np.array([float(value) for value in self.exact_values])

    def __str__(self) -> str:
        return f"{self.name}={self.low}:{self.high}" + ("" if self.count is None else f":{self.count}")


def axis_of(text: str | Axis, field: str, count: int | None = None, system: FastSlowSystem | None = None) -> Axis:
    """Return the axis that a text NAME=LOW:HIGH or NAME=LOW:HIGH:COUNT describes, or NAME where a model has a range.

    Parameters
    ----------
    text : str or Axis
        For example ``"c_star[3]=-5:5:100"``.
    field : str
        Name of the input, for messages.
    count : int, optional
        The number of values where the text gives none.
    system : FastSlowSystem, optional
        The model whose ranges are taken where the text is a name only: of its parameters, and of the slow coordinate
        of starts the window.

    Raises
    ------
    InputError
        If the text is no axis, its range is empty, reversed or not known, or the number of values cannot be used.
    """
    if isinstance(text, Axis):
        return text
    way_out = "For example c_star[3]=-5:5:100"
    if system is not None and "=" not in text and ":" not in text and text.strip():
        name = _canonical(text.strip())
        return Axis(name, *_range_of(system, name, field), count)
    name, equals, rest = text.partition("=")
    parts = rest.split(":")
    if not equals or not name.strip() or len(parts) not in (2, 3):
        raise InputError(field, text, "must be NAME=LOW:HIGH or NAME=LOW:HIGH:COUNT", way_out)
    low, high = (exact(part.strip(), f"{field} {end}") for end, part in zip(("LOW", "HIGH"), parts, strict=False))
    if low >= high:
        rule = "is an empty range" if low == high else "is a reversed range"
        raise InputError(field, text, rule, "Write the lower end first, and a higher one second")
    if len(parts) == 3:
        digits = parts[2].strip()
        if not digits.isascii() or not digits.isdigit() or not 2 <= int(digits[:12]) <= _MOST_POINTS:
            raise InputError(field, text, f"must have a COUNT from 2 to {_MOST_POINTS}", way_out)
        count = int(digits)
    return Axis(_canonical(name.strip()), low, high, count)


def _range_of(system: FastSlowSystem, name: str, field: str) -> tuple[Fraction, Fraction]:
    """Return the range of a parameter as the model says it, or the window of the starts."""
    if name == start_names(system)[1] and system.slow_window is not None:
        return system.slow_window
    entry = system.written_out().get("parameters", {}).get(name)
    ends = entry.get("range") if isinstance(entry, Mapping) else None
    if ends is None:
        if name not in (*parameters_of(system), start_names(system)[1]):
            rule = "is no parameter of this model that can be varied, and no start"
            raise InputError(field, name, rule, suggestion(name, [*parameters_of(system), start_names(system)[1]]))
        in_file = f", or {name} = {{ value = 1, range = [0, 2] }} in the model file" if entry is not None else ""
        raise InputError(field, name, "has no range in the model", f"Write {name}=LOW:HIGH{in_file}")
    low, high = (exact(end, field) for end in ends)
    if low == high:
        raise InputError(field, name, "has an empty range in the model", f"Write {name}=LOW:HIGH")
    return low, high


def _canonical(name: str) -> str:
    entry = _ENTRY.fullmatch(name)
    return f"{entry[1]}[{int(entry[2] or entry[3])}]" if entry else name


def parameters_of(system: FastSlowSystem) -> tuple[str, ...]:
    """Return the names of the parameters of a system that can be varied."""
    table = system.written_out()
    names = [key for key, value in table.items() if key not in _SETTINGS and _is_number(value)]
    for key in ("c", "c_star"):
        names += [f"{key}[{k}]" for k in range(1, len(table.get(key, ())) + 1)]
    return (*names, *table.get("parameters", {}))


def start_names(system: FastSlowSystem) -> tuple[str, str]:
    """Return what the fast and the slow coordinate of a start are called on an axis: R0 and a0, x0 and y0."""
    return f"{system.fast[0]}0", f"{system.slow[0]}0"


def family_of(model: FastSlowSystem | str, *names: str) -> Family:
    """Return the family of a model in some of its parameters.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, a preset or a model file.
    *names : str
        A number of the model such as "slow_rate", a parameter of its own, or "c[2]", "c_star[3]" of a two-layer
        network, counted from 1.

    Raises
    ------
    InputError
        If the model has no such parameter, or one is named twice.
    """
    system = system_of(model)
    table, known = system.written_out(), parameters_of(system)
    wanted = tuple(_canonical(str(name)) for name in names)
    for name in wanted:
        if name not in known:
            rule = "is no parameter of this model that can be varied"
            raise InputError("parameter", name, rule, suggestion(name, list(known)))
        if wanted.count(name) > 1:
            raise InputError("parameter", name, "is named twice", "Vary two different parameters")

    def build(*values: Fraction) -> FastSlowSystem:
        changed = dict(table)
        for name, value in zip(wanted, values, strict=True):
            _set(changed, name, value)
        member = study_from(changed).system
        # A formula that is a polynomial at one value of its parameters is no system of another kind there.
        return as_formulas(member) if isinstance(system, FormulaSystem) else member

    return Family(wanted, build)


def _set(table: dict[str, Any], name: str, value: Fraction) -> None:
    """Set one parameter in a table, whose lists and tables are not changed in place."""
    entry = _ENTRY.fullmatch(name)
    if entry:
        listed = list(table[entry[1]])
        listed[int(entry[2]) - 1] = value
        table[entry[1]] = listed
    elif name in table.get("parameters", {}):
        # A range bounds what is asked for, not what is tried beside it.
        table["parameters"] = {**table["parameters"], name: value}
    else:
        table[name] = value


def _is_number(value: Any) -> bool:
    if isinstance(value, Mapping | list | tuple):
        return False
    try:
        exact(value, "")
    except InputError:
        return False
    return True
