"""Phase maps: the fate over a grid of two parameters, or of a parameter and the initial scale."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastslow.boundary.curves import check_line_at_rest
from fastslow.errors import InputError
from fastslow.ode.solution import LEAST_RTOL
from fastslow.progress import Progress
from fastslow.sweeps.fates import FATES, NOT_VALID, SET_ASIDE
from fastslow.sweeps.fields import ENDS, attractors_of, check_fields, fields_of, variables_of
from fastslow.sweeps.methods import METHODS, Fill, filling, one_by_one, reasons
from fastslow.sweeps.one_by_one import FOLLOWED
from fastslow.sweeps.plane import Plane, plane_of
from fastslow.systems.exact import Real
from fastslow.systems.families import Axis, axis_of, family_of
from fastslow.systems.formula_system import FormulaSystem, as_formulas
from fastslow.systems.model_files import study_from
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem, Start

if TYPE_CHECKING:
    from fastslow.boundary.curves import FullBoundary
    from fastslow.boundary.plane import CriticalLine
    from fastslow.boundary.singular import SingularBoundary

Method = Literal["exact", "singular", "ode"]
_COUNT = 100
_MOST_NOTES = 20
_CHUNK = 1_000_000
"""Cells of a chunk of a map whose cells cost next to nothing, and of one whose cells are integrated."""
_CHUNK_ODE = 50_000
_CHUNK_MEMBERS = 50
"""Values of the parameters in a chunk of a map whose systems are studied one by one, in 10 ms or more each."""


@dataclass(frozen=True, eq=False)
class PhaseMap:
    """The fates over a grid.

    Attributes
    ----------
    plane : Plane
        The model and the axes.
    method : str
        How the cells were filled.
    fates : tuple of str
        The fates that occur.
    index : ndarray of int, shape (y.count, x.count)
        The index of each cell's fate in `fates`; row by row from the lowest y.
    notes : tuple of str
        What is to be known about it: remarks on formulas (kinks, invariant lines that are not resolved), where the
        model is not valid and why, cells that were set aside.
    fields : dict of ndarray, shape (y.count, x.count)
        What else is known of each cell, by name. "doubtful", always with the method "singular": whether the full
        system may give another fate (``fastslow.boundary.doubt``). What was asked for: "loss", the energy (of a
        network the test loss) at the end of the solution, NaN where there is none; "jumps", their number in the
        singular limit, -1 where there is no orbit; "attractor", an index of `attractors`, with its place "end_fast"
        and "end_slow", NaN where there is none.
    """

    plane: Plane
    method: str
    fates: tuple[str, ...]
    index: NDArray[np.int8]
    notes: tuple[str, ...] = ()
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def loss(self) -> NDArray[np.float64] | None:
        """The energy at the end of each cell's solution, if it was asked for."""
        return self.fields.get("loss")

    @property
    def attractors(self) -> tuple[str, ...]:
        """What orbits can end at, in the order of the codes of the field "attractor"."""
        return attractors_of(self.system)

    @property
    def system(self) -> FastSlowSystem:
        """The model with the parameters that do not vary."""
        return self.plane.system

    @property
    def x(self) -> Axis:
        """The axis to the right."""
        return self.plane.x

    @property
    def y(self) -> Axis:
        """The axis upwards."""
        return self.plane.y

    def document(self) -> dict[str, Any]:
        """Return the map as JSON, schema fastslow.phase_map/1."""
        return {
            "schema": "fastslow.phase_map/1",
            "model": self.system.table(),
            "method": self.method,
            "x": {"name": self.x.name, "values": self.x.values.tolist()},
            "y": {"name": self.y.name, "values": self.y.values.tolist()},
            "fates": list(self.fates),
            "fate": self.index.tolist(),
            "notes": list(self.notes),
            **({"attractors": list(self.attractors)} if "attractor" in self.fields else {}),
            **{name: _with_none(values) for name, values in self.fields.items()},
        }

    def boundaries(self) -> tuple[SingularBoundary | FullBoundary, ...]:
        """Return the boundary curves of both limits in the plane of a parameter and the start, none in another.

        Of formulas only those of the singular limit, where they can be followed: those of the full system take longer
        than a map.
        """
        from fastslow.boundary.phase_boundary import phase_boundary

        starts = self.plane.start_axis
        if starts is None:
            return ()
        axis = self.x if starts is self.y else self.y
        reach = (float(starts.low), float(starts.high))
        if not isinstance(self.system, FormulaSystem):
            return tuple(phase_boundary(self.system, axis, limit=limit, starts=reach) for limit in ("singular", "ode"))
        try:
            return (phase_boundary(self.system, axis, limit="singular", starts=reach),)
        except InputError:
            return ()

    def lines(self) -> tuple[CriticalLine, ...]:
        """Return the curve of the full system in a plane of two parameters, none in another, nor of formulas."""
        from fastslow.boundary.plane import boundary_in_two

        if self.plane.start is None or isinstance(self.system, FormulaSystem):
            return ()
        family = family_of(self.system, self.x.name, self.y.name)
        return boundary_in_two(family, self.x, self.y, float(self.plane.start), tolerance=1e-6)

    def counts(self) -> dict[str, int]:
        """Return the number of cells of each fate."""
        return {name: int(np.count_nonzero(self.index == k)) for k, name in enumerate(self.fates)}


def phase_map(
    model: FastSlowSystem | str,
    x: Axis | str,
    y: Axis | str,
    *,
    method: Method | None = None,
    a0: Real | None = None,
    rtol: float = 1e-8,
    loss: bool = False,
    jumps: bool = False,
    ends: bool = False,
    store: str | Path | None = None,
    resume: bool = False,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> PhaseMap:
    """Return the fates over a grid of two axes.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, a preset or a model file.
    x, y : Axis or str
        Parameters of the model, or the slow coordinate of the start, as NAME=LOW:HIGH:COUNT; 100 values unless
        given, and NAME alone where a model file has a range for it.
    method : {"exact", "singular", "ode"}, optional
        "exact" unless given: cells are filled between the critical starts of the full system, which are curves in the
        parameter, of systems of formulas, or without energy, computed anew for each of its values; "singular": the
        same in the limit slow_rate -> 0; "ode": each cell is integrated to its fate.
    a0 : number, optional
        The slow coordinate of all starts, where neither axis is that.
    rtol : float
        Relative tolerance of "ode".
    loss : bool
        Whether to integrate each cell for the energy at its end too.
    jumps : bool
        Whether to count the jumps of each cell's singular orbit too.
    ends : bool
        Whether to tell which attractor each cell ends at, and where that is, too.
    store : path, optional
        Directory for the map, chunk by chunk; without it the map is kept in memory only.
    resume : bool
        Go on with a store that was interrupted.
    workers : int
        Processes; 0 for this one, whose kernels use all cores.
    scheduler : str, optional
        Address of a dask scheduler that computes the chunks.
    progress : callable, optional
        Called as progress(cells done, cells).

    Raises
    ------
    InputError
        If an axis, the start, the method or the store cannot be used.
    SweepInterrupted
        On Ctrl-C; what is done is in the store.
    """
    from fastslow.sweeps import Sweep, Variable, run

    if method is not None and method not in METHODS:
        raise InputError("method", method, "is no method", f"Known: {', '.join(METHODS)}")
    if not LEAST_RTOL <= rtol < 1.0:
        raise InputError("rtol", rtol, f"must be from {LEAST_RTOL:g} to below 1", "For example 1e-8")
    system = system_of(model)
    plane = plane_of(system, axis_of(x, "x", _COUNT, system), axis_of(y, "y", _COUNT, system), a0)
    plane = _as_formulas(plane)
    if method is None:
        method = "exact"
    if method != "ode" and isinstance(plane.system, PolynomialSystem):
        for axis in (plane.x, plane.y):
            check_line_at_rest(axis)
    asked = {"doubtful": method == "singular", "loss": loss, "jumps": jumps, **dict.fromkeys(ENDS, ends)}
    names = [name for name, wanted in asked.items() if wanted]
    check_fields(plane.system, names, method)
    job = {
        "model": plane.system.table(),
        "x": str(plane.x),
        "y": str(plane.y),
        "a0": None if plane.start is None else str(plane.start),
        "method": method,
        "rtol": rtol,
        "fields": names,
    }
    meanings = {"flag_values": list(range(len(FATES))), "flag_meanings": ", ".join(FATES)}
    variables = {"fate": Variable("int8", fill=FATES.index(SET_ASIDE), long_name="fate", attrs=meanings)}
    variables |= variables_of(plane.system, names)
    sweep = Sweep(
        "fate",
        fill,
        job,
        coords={plane.y.name: plane.y.values, plane.x.name: plane.x.values},
        variables=variables,
        chunks=_chunks(plane, "ode" if loss or jumps or ends else method),
    )
    result = run(sweep, store, workers=workers, scheduler=scheduler, progress=progress, resume=resume)
    codes = result["fate"][...]
    occurring = np.array([k for k in range(len(FATES)) if np.any(codes == k)])
    rank = np.zeros(len(FATES), np.int8)
    rank[occurring] = np.arange(len(occurring))
    fields = {name: result[name][...] for name in names}
    notes = [*(plane.system.notes if isinstance(plane.system, FormulaSystem) else ())]
    notes += [*_not_valid(plane, codes), *(f"set aside: {error.message}" for error in result.errors)]
    notes += [
        *_doubts(fields, plane.system),
        *_cycles_missed(plane, method, codes),
        *_undecided(plane, codes, _prepared(json.dumps(job))[1]),
    ]
    return PhaseMap(plane, method, tuple(FATES[k] for k in occurring), rank[codes], tuple(notes), fields)


def fill(job: dict[str, Any], chunk: Any) -> dict[str, NDArray[Any]]:
    """Return the fates of one chunk of a phase map, and the fields that are asked for: its sweep's work."""
    plane, fill_column = _prepared(json.dumps(job))
    rows, columns = chunk.slices
    found: dict[str, NDArray[Any]] = {"fate": np.full(chunk.shape, FATES.index(NOT_VALID), np.int8)}
    for name, variable in variables_of(plane.system, job["fields"]).items():
        found[name] = np.full(chunk.shape, variable.fill, variable.dtype)
    named = attractors_of(plane.system)
    for column, part, upright in plane.columns(rows, columns):
        values = {"fate": fill_column(column), **fields_of(column, job["fields"], fill_column, job["rtol"], named)}
        for name, array in found.items():
            array[part] = values[name].T if upright else values[name]
    return found


@functools.lru_cache(maxsize=4)
def _prepared(job: str) -> tuple[Plane, Fill]:
    """Return the plane and the method of a job; both keep what they compute for the chunks that follow."""
    given = json.loads(job)
    x, y = (axis_of(given[name], name) for name in ("x", "y"))
    plane = _as_formulas(plane_of(study_from(given["model"]).system, x, y, given["a0"]))
    return plane, filling(plane, given["method"], given["rtol"])


def _as_formulas(plane: Plane) -> Plane:
    """Return a plane in which some members are no polynomials with its model as formulas, too."""
    if not isinstance(plane.system, PolynomialSystem) or plane.system.kind != "formula":
        return plane
    for axis in (plane.x, plane.y):
        for value in axis.exact_values[:: max(1, len(axis.exact_values) - 1)] if axis is not plane.start_axis else ():
            try:
                member = family_of(plane.system, axis.name).at(value)
            except InputError as error:
                if plane.system.slow_lower is None and error.field == "window":
                    raise  # of what is no polynomial, which needs a window of both variables
                continue
            if isinstance(member, FormulaSystem):
                return replace(plane, system=as_formulas(plane.system))
    return plane


def _with_none(values: NDArray[Any]) -> list[list[Any]]:
    """Return a table for JSON, which has no NaN, and infinity as text."""
    if values.dtype.kind != "f":
        return values.tolist()  # type: ignore[no-any-return]

    def plain(value: float) -> float | str | None:
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return None if math.isnan(value) else value

    return [[plain(value) for value in row] for row in values.tolist()]


def _doubts(fields: dict[str, NDArray[Any]], system: FastSlowSystem) -> Iterator[str]:
    """Say where the singular limit may be wrong."""
    if "doubtful" in fields:
        number, size = int(fields["doubtful"].sum()), fields["doubtful"].size
        rule = (
            "at the slow rate or at twice it orbits pass a height that parts fates while they jump, or an equilibrium "
            "has complex eigenvalues"
        )
        if isinstance(system, FormulaSystem):
            rule += ", or the critical manifold is not proved to be complete"
        yield f"{number} cells of {size} may have another fate at this slow rate" + (f": {rule}" if number else "")


def _cycles_missed(plane: Plane, method: Method, codes: NDArray[np.int8]) -> Iterator[str]:
    """Say what an exact map cannot see between the starts that it follows, where there may be cycles."""
    starts = plane.start_axis
    ends = ("settles", "relaxation oscillation", "small oscillation")
    thinned = starts is not None and (starts.count or 0) > FOLLOWED
    if (
        method == "exact"
        and thinned
        and one_by_one(plane)
        and np.isin(codes, [FATES.index(name) for name in ends]).any()
    ):
        yield (
            f"between critical starts at least {FOLLOWED} starts of each system are followed: a basin of a cycle that "
            "is narrower than their distance may be missed"
        )


def _not_valid(plane: Plane, codes: NDArray[np.int8]) -> Iterator[str]:
    """Say why the model is not valid, or a start not allowed, in whole rows and columns of a map."""
    bad = codes == FATES.index(NOT_VALID)
    for axis, lines in ((plane.x, bad.all(axis=0)), (plane.y, bad.all(axis=1))):
        for i in np.flatnonzero(lines)[:_MOST_NOTES]:
            value = axis.exact_values[i]
            try:
                if axis.name == plane.slow_start:
                    plane.system.check_start(Start(plane.system.start_fast, value))
                else:
                    family_of(plane.system, axis.name).at(value)
            except InputError as error:
                yield f"not valid at {axis.name} = {float(value):g}: {error}"


def _undecided(plane: Plane, codes: NDArray[np.int8], fill_column: Fill) -> list[str]:
    """Say why cells are not decided: for the first such cell of each column of starts, or each row of parameters."""
    cells = np.argwhere(codes == FATES.index("undecided"))
    if plane.start_axis is None:
        first = {row: (row, column) for row, column in cells[::-1].tolist()}
    else:
        first = {0: tuple(cells[len(cells) // 2])} if len(cells) else {}
    found: dict[str, None] = {}
    for row, column in list(first.values())[:_MOST_NOTES]:
        for part, _, _ in plane.columns(slice(row, row + 1), slice(column, column + 1)):
            at = f"at {plane.x.name} = {plane.x.values[column]:g}, {plane.y.name} = {plane.y.values[row]:g}"
            found |= dict.fromkeys(f"undecided, as {at}: {text}" for text in reasons(part, fill_column))
    return list(found)[:_MOST_NOTES]


def _chunks(plane: Plane, method: Method) -> tuple[int, int]:
    """Return rows and columns of a chunk: whole columns of starts, or whole rows of two parameters, if they fit."""
    rows, columns = (axis.count or 2 for axis in (plane.y, plane.x))
    most = _CHUNK_ODE if method == "ode" else _CHUNK
    along = plane.start_axis
    if isinstance(plane.system, FormulaSystem) or (method == "exact" and one_by_one(plane)):
        # What costs is each value of the parameters, not each start.
        most = _CHUNK_MEMBERS * (1 if along is None else along.count or 2)
    if along is plane.y:
        return min(rows, most), max(1, min(columns, most // min(rows, most)))
    return max(1, min(rows, most // min(columns, most))), min(columns, most)
