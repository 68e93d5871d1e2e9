"""What the cells of a phase map can tell beside their fate: doubt, loss, where the orbit ends, its jumps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.flow.flow_graph import orbits_between
from fastslow.flow.singular_orbit import SegmentKind, SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.sweeps.methods import Fill, Singular, final_energies, limits
from fastslow.sweeps.plane import Column
from fastslow.sweeps.sweep import Variable
from fastslow.systems.polynomial_system import PolynomialSystem, exactly
from fastslow.systems.polynomials import dense
from fastslow.systems.system import FastSlowSystem

ENDS = ("attractor", "end_fast", "end_slow")
"""Which attractor, and where it is."""
NOWHERE, CYCLE, INFINITY = "no attractor", "cycle", "infinity"

Values = NDArray[Any]


def attractors_of(system: FastSlowSystem) -> tuple[str, ...]:
    """Return the names of what orbits can end at, in the order of the codes of the field "attractor".

    Equilibria are named by the curve of f = 0 that they are on.

    Examples
    --------
    >>> from fastslow.systems.presets import preset
    >>> attractors_of(preset("fig5-left").system)
    ('no attractor', 'a = 0', 'R = 1', 'R = -1', 'a = h(R)', 'infinity', 'cycle')
    """
    curves = (factor.equation or f"{factor.polynomial} = 0" for factor in _named(system).factors)
    return (NOWHERE, *curves, INFINITY, CYCLE)


def _named(system: FastSlowSystem) -> PolynomialSystem:
    """Return a system whose factors of f name the attractors, and refuse any other."""
    return exactly(system, "a map of jumps or ends", "Leave out jumps and ends")


def variables_of(system: FastSlowSystem, names: Iterable[str]) -> dict[str, Variable]:
    """Return the variables of fields for the store of a map."""
    names = tuple(names)
    attractors = attractors_of(system) if "attractor" in names else ()
    flags = {"flag_values": list(range(len(attractors))), "flag_meanings": ", ".join(attractors)}
    known = {
        "doubtful": Variable("bool", fill=0, long_name="the singular limit may be wrong"),
        "loss": Variable("float64", fill=math.nan, long_name=f"final {system.energy_name}"),
        "jumps": Variable("int16", fill=-1, long_name="jumps of the singular orbit"),
        "attractor": Variable("int8", fill=0, long_name="attractor", attrs=flags),
        "end_fast": Variable("float64", fill=math.nan, long_name=f"limit of {system.fast[0]}"),
        "end_slow": Variable("float64", fill=math.nan, long_name=f"limit of {system.slow[0]}"),
    }
    return {name: known[name] for name in names}


def check_fields(system: FastSlowSystem, names: Iterable[str], method: str) -> None:
    """Raise InputError where a field is asked for that this model or method has not."""
    if "loss" in names and (method == "singular" or system.energy_polynomial is None):
        rule = "is that of the full system" if method == "singular" else "is asked for, but the model has no energy"
        raise InputError("loss", True, rule, "Leave it out")
    if "jumps" in names or {*ENDS} & {*names}:
        _named(system)


def fields_of(column: Column, names: Iterable[str], fill: Fill, rtol: float) -> dict[str, Values]:
    """Return the values of fields in a column, a row for each value of the parameter and a column for each start."""
    names, found = tuple(names), dict[str, Values]()
    if "doubtful" in names:
        assert isinstance(fill, Singular)
        found["doubtful"] = fill.doubtful(column)
    if "loss" in names:
        found["loss"] = final_energies(column, rtol)
    wanted = {name for name in names if name in (*ENDS, "jumps")}
    if wanted - {"jumps"} and not isinstance(fill, Singular):
        found |= _ends(column, *limits(column, rtol))
        wanted &= {"jumps"}
    if wanted:
        singular = _of_the_limit(column)
        found |= {name: singular[name] for name in wanted}
    return found


def _empty(column: Column, name: str) -> Values:
    shape = len(column.values), len(column.starts)
    if name == "jumps":
        return np.full(shape, -1, np.int16)
    return np.zeros(shape, np.int8) if name == "attractor" else np.full(shape, np.nan)


def _ends(column: Column, x: Values, y: Values, cycle: Values) -> dict[str, Values]:
    """Return which attractor the limits (x, y) belong to, NaN where there is none."""
    attractor = _empty(column, "attractor")
    for i, value in enumerate(column.values):
        known = np.flatnonzero(np.isfinite(x[i]))
        if len(known) or cycle[i].any():
            system = column.family.at(value)
            attractor[i, known] = _attractors(system, x[i, known], y[i, known])
            attractor[i, cycle[i]] = attractors_of(system).index(CYCLE)
    return {"attractor": attractor, "end_fast": x, "end_slow": y}


def _attractors(system: FastSlowSystem, x: Values, y: Values) -> Values:
    """Return the codes of attractors by their places: of equilibria, the curve that is nearest to first order."""
    from numpy.polynomial.polynomial import polyder, polyval2d

    names, tables = attractors_of(system), [dense(factor.polynomial) for factor in _named(system).factors]
    finite = np.isfinite(y)
    u, v = x[finite], y[finite]
    apart = np.array(
        [
            np.abs(polyval2d(u, v, c)) / np.hypot(polyval2d(u, v, polyder(c)), polyval2d(u, v, polyder(c, axis=1)))
            for c in tables
        ]
    )
    codes = np.full(len(x), names.index(INFINITY), np.int8)
    codes[finite] = 1 + apart.argmin(axis=0)
    return codes


def _of_the_limit(column: Column) -> dict[str, Values]:
    """Return jumps and ends of the singular orbits, one for each interval of starts between special points."""
    names = ("jumps", *ENDS)
    found = {name: _empty(column, name) for name in names}
    for i, value in enumerate(column.values):
        try:
            system = column.family.at(value)
        except InputError:
            continue
        for low, high, orbit in orbits_between(SingularFlow(critical_manifold(system))):
            inside = (low < column.starts) & (column.starts <= high)
            if not inside.any():
                continue
            found["jumps"][i, inside] = sum(segment.kind is SegmentKind.JUMP for segment in orbit.segments)
            if orbit.node is not None and not orbit.undecided:
                found["end_fast"][i, inside], found["end_slow"][i, inside] = orbit.node.x, orbit.node.y
                place = np.array([orbit.node.x]), np.array([orbit.node.y])
                found["attractor"][i, inside] = _attractors(system, *place)
            elif orbit.verdict == "relaxation oscillation":
                found["attractor"][i, inside] = attractors_of(system).index(CYCLE)
    return found
