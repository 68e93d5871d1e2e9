"""The work on one chunk, the same in this process, in another one and on a cluster."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow import __version__ as __version__
from fastslow.sweeps.sweep import Chunk, Sweep, Values, function_named

# One chunk at a time in a process: kernels of numba use all its threads, and not every threading layer
# stands two callers (a worker of dask has several threads).
_ONE_AT_A_TIME = threading.Lock()


class OtherVersion(Exception):
    """A worker has another version of fastslow."""


@dataclass(frozen=True)
class Task:
    """What every chunk of a sweep needs, small enough to be sent with each."""

    work: str
    job: str
    results: dict[str, tuple[str, tuple[int, ...]]]
    version: str

    @classmethod
    def of(cls, sweep: Sweep) -> Task:
        """Return the task of a sweep."""
        results = {name: (variable.dtype, variable.tail) for name, variable in sweep.variables.items()}
        return cls(str(sweep.work), json.dumps({**sweep.job, **sweep.beside}), results, __version__)


def compute(task: Task, chunk: Chunk) -> Values:
    """Work on one chunk, and return its values with the declared names, dtypes and shape.

    Raises
    ------
    OtherVersion
        If this process has another version of fastslow than the one that sent the task.
    Exception
        What the work raises, or a TypeError or ValueError if it returned something else than it declared.
    """
    if task.version != __version__:
        raise OtherVersion(__version__)
    # The job is read anew for each chunk, so that no chunk sees what another one changed in it.
    with _ONE_AT_A_TIME:
        returned = function_named(task.work)(json.loads(task.job), chunk)
    if not isinstance(returned, dict) or set(returned) != set(task.results):
        shown = sorted(returned) if isinstance(returned, dict) else type(returned).__name__
        raise TypeError(f"the work returned {shown}, not the variables {sorted(task.results)}")
    return {
        name: _as_declared(name, returned[name], np.dtype(dtype), chunk.shape + tail)
        for name, (dtype, tail) in task.results.items()
    }


def _as_declared(name: str, values: object, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    given = np.asarray(values)
    if given.shape != shape:
        raise ValueError(f"the work returned {name} of shape {given.shape}, not that of the chunk, {shape}")
    if given.dtype == dtype:
        return np.ascontiguousarray(given)
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise TypeError(f"the work returned {name} as {given.dtype}, which is no {dtype}")
    kept = np.ascontiguousarray(given, dtype=dtype)
    if dtype.kind in "iu" and not np.array_equal(kept, given):
        raise ValueError(f"the work returned values of {name} that {dtype} cannot hold")
    return kept
