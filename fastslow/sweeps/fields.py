"""What the cells of a phase map can tell beside their fate: doubt, loss, where the orbit ends, its jumps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.flow.singular_orbit import SegmentKind
from fastslow.sweeps.methods import Fill, Singular, final_energies, limits
from fastslow.sweeps.one_by_one import SingularOneByOne, intervals, manifold_of, member_at
from fastslow.sweeps.plane import Column
from fastslow.sweeps.sweep import Variable
from fastslow.systems.expressions import derivative, evaluate
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.polynomial_system import PolynomialSystem
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
    return (NOWHERE, *_curves(system), INFINITY, CYCLE)


def _curves(system: FastSlowSystem) -> list[str]:
    """Return the equations of the factors of f."""
    if isinstance(system, PolynomialSystem):
        return [factor.equation or f"{factor.polynomial} = 0" for factor in system.factors]
    assert isinstance(system, FormulaSystem)
    lines, x = system.factor_lines, system.names[0]
    return [f"{x} = {lines[i]}" if i in lines else f"{e} = 0" for i, e in enumerate(system.fast_expressions)]


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


def fields_of(
    column: Column, names: Iterable[str], fill: Fill, rtol: float, attractors: Sequence[str]
) -> dict[str, Values]:
    """Return the values of fields in a column, a row for each value of the parameter and a column for each start."""
    names, found = tuple(names), dict[str, Values]()
    if "doubtful" in names:
        assert isinstance(fill, Singular | SingularOneByOne)
        found["doubtful"] = fill.doubtful(column)
    if "loss" in names:
        found["loss"] = final_energies(column, rtol)
    wanted = {name for name in names if name in (*ENDS, "jumps")}
    if wanted - {"jumps"} and not isinstance(fill, Singular | SingularOneByOne):
        found |= _ends(column, attractors, *limits(column, rtol))
        wanted &= {"jumps"}
    if wanted:
        singular = _of_the_limit(column, attractors)
        found |= {name: singular[name] for name in wanted}
    return found


def _empty(column: Column, name: str) -> Values:
    shape = len(column.values), len(column.starts)
    if name == "jumps":
        return np.full(shape, -1, np.int16)
    return np.zeros(shape, np.int8) if name == "attractor" else np.full(shape, np.nan)


def _ends(column: Column, names: Sequence[str], x: Values, y: Values, cycle: Values) -> dict[str, Values]:
    """Return which attractor the limits (x, y) belong to, NaN where there is none."""
    attractor = _empty(column, "attractor")
    for i, value in enumerate(column.values):
        known = np.flatnonzero(np.isfinite(x[i]))
        if len(known) or cycle[i].any():
            system = column.family.at(value)
            attractor[i, known] = _attractors(names, system, x[i, known], y[i, known])
            attractor[i, cycle[i]] = names.index(CYCLE)
    return {"attractor": attractor, "end_fast": x, "end_slow": y}


def _attractors(names: Sequence[str], system: FastSlowSystem, x: Values, y: Values) -> Values:
    """Return the codes of attractors by their places: of equilibria, the curve that is nearest to first order."""
    finite = np.isfinite(y)
    apart = np.array([np.abs(p) / np.hypot(p_x, p_y) for p, p_x, p_y in _factor_values(system, x[finite], y[finite])])
    codes = np.full(len(x), names.index(INFINITY), np.int8)
    codes[finite] = np.array(_numbers(names[1:-2], _curves(system)))[apart.argmin(axis=0)]
    return codes


def _numbers(named: Sequence[str], own: Sequence[str]) -> list[int]:
    """Return the codes of a member's curves: by name, and the others, whose equations have the parameter, in order."""
    others = [1 + i for i, name in enumerate(named) if name not in own] or [len(named)]
    unnamed = iter([*others, *[others[-1]] * len(own)])
    return [1 + named.index(name) if name in named else next(unnamed) for name in own]


def _factor_values(system: FastSlowSystem, x: Values, y: Values) -> Iterator[tuple[Values, Values, Values]]:
    """Yield the values of each factor of f, and of its derivatives by x and y."""
    from numpy.polynomial.polynomial import polyder, polyval2d

    if isinstance(system, PolynomialSystem):
        for c in (dense(factor.polynomial) for factor in system.factors):
            yield polyval2d(x, y, c), polyval2d(x, y, polyder(c)), polyval2d(x, y, polyder(c, axis=1))
        return
    assert isinstance(system, FormulaSystem)
    at = dict(zip(system.names, (x, y), strict=True))
    for e in system.fast_expressions:
        p, p_x, p_y = (evaluate(part, at) for part in (e, *(derivative(e, name) for name in system.names)))
        yield p, p_x, p_y


def _of_the_limit(column: Column, attractors: Sequence[str]) -> dict[str, Values]:
    """Return jumps and ends of the singular orbits, one for each interval of starts between special points."""
    names = ("jumps", *ENDS)
    found = {name: _empty(column, name) for name in names}
    for i, value in enumerate(column.values):
        try:
            manifold = manifold_of(member_at(column.family, value))
        except InputError:
            continue
        for inside, orbit in intervals(manifold, column.starts):
            found["jumps"][i, inside] = sum(segment.kind is SegmentKind.JUMP for segment in orbit.segments)
            if orbit.node is not None and not orbit.undecided:
                found["end_fast"][i, inside], found["end_slow"][i, inside] = orbit.node.x, orbit.node.y
                place = np.array([orbit.node.x]), np.array([orbit.node.y])
                found["attractor"][i, inside] = _attractors(attractors, manifold.system, *place)
            elif orbit.verdict == "relaxation oscillation":
                found["attractor"][i, inside] = attractors.index(CYCLE)
    return found
