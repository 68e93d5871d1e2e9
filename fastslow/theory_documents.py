"""Limit cycles and local theory as JSON, and back: additions to the document of an analysis."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any, TypeVar

from fastslow.bifurcation.canard_points import CanardPoint
from fastslow.flow.crossings import CrossingReport
from fastslow.flow.generic_points import Excitable, FoldReport
from fastslow.flow.relaxation import RelaxationCycle
from fastslow.ode.limit_cycles import LimitCycle, LimitCycles
from fastslow.results import Theory

Json = dict[str, Any]
T = TypeVar("T")

_SECTIONS = {
    "folds": FoldReport,
    "crossings": CrossingReport,
    "relaxation_cycles": RelaxationCycle,
    "excitable": Excitable,
    "canards": CanardPoint,
}
_EXTRA = {"relaxation_cycles": ("period",), "canards": ("kind", "hopf", "canard")}
"""What follows from the fields, for readers of the document."""


def theory_out(theory: Theory) -> Json:
    """Return the local theory as JSON: lists of tables, with the names of the fields of each result."""
    return {
        name: [
            {key: _plain(value) for key, value in asdict(entry).items()}
            | {key: getattr(entry, key) for key in _EXTRA.get(name, ())}
            for entry in getattr(theory, name)
        ]
        for name in _SECTIONS
    }


def theory_in(document: Json | None) -> Theory:
    """Return the local theory of a document; an older one has none."""
    if document is None:
        return Theory()
    return Theory(**{name: tuple(_built(kind, entry) for entry in document[name]) for name, kind in _SECTIONS.items()})


def cycles_out(found: LimitCycles, x: str, y: str) -> Json:
    """Return limit cycles as JSON, with the names of the variables."""
    cycles = []
    for cycle in found.cycles:
        entry = {key: _plain(value) for key, value in asdict(cycle).items() if key not in ("x", "y")}
        cycles.append({**entry, "amplitude": list(cycle.amplitude), "path": {x: list(cycle.x), y: list(cycle.y)}})
    return {"cycles": cycles, "notes": list(found.notes)}


def cycles_in(document: Json | None, x: str, y: str) -> LimitCycles:
    """Return the limit cycles of a document; an older one has none."""
    if document is None:
        return LimitCycles()
    cycles = [
        _built(LimitCycle, {**entry, "x": entry["path"][x], "y": entry["path"][y]}) for entry in document["cycles"]
    ]
    return LimitCycles(tuple(cycles), tuple(document["notes"]))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else "-inf"
    return value


def _built(kind: type[T], entry: Json) -> T:
    return kind(**{each.name: _back(entry[each.name]) for each in fields(kind)})  # type: ignore[arg-type]


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_back(each) for each in value)
    return float(value) if value in ("inf", "-inf") else value
