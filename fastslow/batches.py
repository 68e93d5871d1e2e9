"""Batches of analyses: one for each point of a grid over parameters and the start, on the engine of sweeps."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.analysis import analyze
from fastslow.documents import to_document
from fastslow.errors import MISSING, InputError, suggestion
from fastslow.files import write_whole
from fastslow.progress import Progress
from fastslow.sweeps import Sweep, SweepResult, Variable, run
from fastslow.sweeps.fates import FATES, fate_code
from fastslow.systems.exact import Real, exact
from fastslow.systems.families import Axis, axis_of, family_of, parameters_of, start_names
from fastslow.systems.model_files import study_from
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem, Start

RECORDS = "records"
_NOT_COVERED = "not covered"
_FLAGS = {"flag_values": list(range(len(FATES))), "flag_meanings": ", ".join(FATES)}
_UNKNOWN = FATES.index("undecided")
VARIABLES = {
    "theorem": Variable("int8", fill=-1, long_name="verdict of the theorems, -1 not covered", attrs=_FLAGS),
    "singular": Variable("int8", fill=_UNKNOWN, long_name="verdict of the singular limit", attrs=_FLAGS),
    "ode": Variable("int8", fill=_UNKNOWN, long_name="verdict of the full system", attrs=_FLAGS),
    "agree": Variable("bool", fill=0, long_name="whether the levels agree"),
    "complete": Variable("bool", fill=0, long_name="whether the critical manifold is certified"),
    "final_fast": Variable("float64", fill=math.nan, long_name="limit of the fast variable"),
    "final_slow": Variable("float64", fill=math.nan, long_name="limit of the slow variable"),
    "thresholds": Variable("int16", fill=-1, long_name="number of thresholds on the line of starts"),
}


@dataclass(frozen=True, eq=False)
class Batch:
    """The analyses of a grid.

    Attributes
    ----------
    axes : tuple of Axis
        Parameters, and the slow coordinate of the start where that is one.
    result : SweepResult
        The verdicts and ends, by the names of `VARIABLES`: ``batch["ode"]`` in the shape of the grid; verdicts are
        indices of ``fastslow.sweeps.fates.FATES``. ``batch.result.errors`` are the points that were set aside.
    records : Path or None
        The directory of the records, which `fastslow.load` reads: for point n of the grid ``n.json``.
    """

    axes: tuple[Axis, ...]
    result: SweepResult
    records: Path | None

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the values of a variable in the shape of the grid."""
        return np.asarray(self.result[name][...])


def analyses(
    model: FastSlowSystem | str,
    axes: Sequence[Axis | str],
    *,
    a0: Real | None = None,
    store: str | Path | None = None,
    resume: bool = False,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Analyse a model at every point of a grid.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, a preset or a model file.
    axes : sequence of Axis or str
        Parameters of the model, or the slow coordinate of the start, as NAME=LOW:HIGH:COUNT.
    a0 : number, optional
        The slow coordinate of all starts, where no axis is that.
    store : path, optional
        Directory for the verdicts (batch.zarr) and the records; without it the verdicts are kept in memory only.
        Workers of a cluster write the records, so it must be on a disk that they share.
    resume : bool
        Go on with a store that was interrupted.
    workers, scheduler, progress
        As for ``fastslow.phase_map``.

    Raises
    ------
    InputError
        If an axis, the start or the store cannot be used.
    SweepInterrupted
        On Ctrl-C; what is done is in the store.

    Notes
    -----
    A point that the model does not allow, or whose analysis fails, is set aside with its error, and the others go on.

    Examples
    --------
    >>> batch = analyses("fig4", ["c_star[3]=0:1:2"], a0=5)
    >>> [FATES[code] for code in batch["ode"]]
    ['learning', 'learning']
    """
    system = system_of(model)
    read = tuple(axis_of(axis, "axes", system=system) for axis in axes)
    start = _checked(system, read, a0)
    folder = None if store is None else Path(store)
    job = {
        "model": system.table(),
        "axes": [str(axis) for axis in read],
        "a0": None if start is None else str(start),
        "records": None if folder is None else str((folder / RECORDS).resolve()),
    }
    coords = {axis.name: axis.values for axis in read}
    sweep = Sweep("analyses", work, job, coords=coords, variables=VARIABLES, chunks=(1,) * len(read))
    path = None if folder is None else folder / "batch.zarr"
    result = run(sweep, path, workers=workers, scheduler=scheduler, progress=progress, resume=resume)
    return Batch(read, result, None if folder is None else folder / RECORDS)


def _checked(system: FastSlowSystem, axes: Sequence[Axis], a0: Real | None) -> Any:
    """Return the start that all points have, None where it is an axis."""
    slow_start = start_names(system)[1]
    known, names = (*parameters_of(system), slow_start), [axis.name for axis in axes]
    if not axes:
        raise InputError("axes", "none", "must not be empty", "For example 'c_star[3]=-5:5:11'")
    for axis in axes:
        if axis.name not in known:
            rule = "is no parameter of this model that can be varied, and no start"
            raise InputError("axes", axis.name, rule, suggestion(axis.name, list(known)))
        if axis.count is None:
            raise InputError("axes", str(axis), "must have a number of values", f"For example {axis}:11")
        if names.count(axis.name) > 1:
            raise InputError("axes", axis.name, "is named twice", "Give different axes")
    if slow_start in names:
        if a0 is not None:
            raise InputError(slow_start, str(a0), "is an axis already", f"Leave out --{slow_start}")
        return None
    if a0 is None:
        raise InputError(
            slow_start,
            MISSING,
            "is missing, and it tells where orbits start",
            f"Give --a0 5, or an axis {slow_start}=0:1:5",
        )
    height = exact(a0, slow_start)
    system.check_start(Start(system.start_fast, height))
    return height


def work(job: dict[str, Any], chunk: Any) -> dict[str, NDArray[Any]]:
    """Analyse one point of a batch, and write its record: its sweep's work."""
    base = study_from(job["model"]).system
    axes = [axis_of(text, "axes") for text in job["axes"]]
    at = {axis.name: axis.exact_values[part.start] for axis, part in zip(axes, chunk.slices, strict=True)}
    start = at.pop(start_names(base)[1], job["a0"])
    system = family_of(base, *at).at(*at.values()) if at else base
    found = analyze(system, [start])
    if job["records"] is not None:
        Path(job["records"]).mkdir(parents=True, exist_ok=True)
        record = json.dumps(to_document(found), allow_nan=False)
        write_whole(Path(job["records"]) / f"{int(chunk.numbers().ravel()[0])}.json", record + "\n")
    (orbit,) = found.orbits
    verdict = orbit.verdict
    values = {
        "theorem": -1 if verdict.theorem == _NOT_COVERED else fate_code(verdict.theorem),
        "singular": fate_code(verdict.singular),
        "ode": fate_code(verdict.ode),
        "agree": orbit.agree,
        "complete": found.complete,
        "final_fast": orbit.final[0],
        "final_slow": orbit.final[1],
        "thresholds": len(found.thresholds),
    }
    return {name: np.full(chunk.shape, value, VARIABLES[name].dtype) for name, value in values.items()}
