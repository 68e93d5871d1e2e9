"""Run a sweep: give chunks to a place, keep what comes back, repeat what failed."""

from __future__ import annotations

import math
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastslow.errors import MISSING, InputError, SweepInterrupted
from fastslow.progress import Progress
from fastslow.sweeps.chunk_work import Task
from fastslow.sweeps.memory import Keeper, Memory
from fastslow.sweeps.places import Outcome, Place, Processes, ThisProcess
from fastslow.sweeps.store import Store
from fastslow.sweeps.sweep import Chunk, Sweep

if TYPE_CHECKING:
    import xarray

_TRIES = 3
_MOST_WORKERS = 1024


@dataclass(frozen=True)
class ChunkError:
    """A chunk that was set aside: its cells keep the fill value."""

    index: tuple[int, ...]
    start: tuple[int, ...]
    shape: tuple[int, ...]
    message: str

    @property
    def cells(self) -> int:
        """The number of its cells."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The values of a sweep.

    Attributes
    ----------
    sweep
        The sweep.
    store
        The directory that holds the values, or None in memory.
    arrays
        For each variable its values in the shape of the grid: arrays of numpy in memory; of zarr from a store,
        where a slice reads only what it needs and ``[...]`` reads all.
    errors
        The chunks that were set aside, with the reasons.
    cells_done
        The number of cells that have values.
    recomputed
        The number of chunks that were found damaged in a store, and were computed again.
    """

    sweep: Sweep
    store: Path | None
    arrays: Mapping[str, Any]
    errors: tuple[ChunkError, ...]
    cells_done: int
    recomputed: int

    @property
    def cells_set_aside(self) -> int:
        """The number of cells that keep the fill value because their chunk failed."""
        return sum(error.cells for error in self.errors)

    def __getitem__(self, name: str) -> Any:
        """Return the values of a variable, or of a coordinate."""
        return self.sweep.coords[name].values if name in self.sweep.coords else self.arrays[name]

    def dataset(self) -> xarray.Dataset:
        """Return the values as a dataset of xarray, with coordinates, units and long names.

        From a store it is read where it is used, as `xarray.open_zarr` does.
        """
        import xarray

        if self.store is not None:
            stored: xarray.Dataset = xarray.open_zarr(self.store, chunks=None)
            return stored
        described = {
            name: {"units": given.units, "long_name": given.long_name, **getattr(given, "attrs", {})}
            for name, given in (*self.sweep.coords.items(), *self.sweep.variables.items())
        }
        attrs = {name: {key: value for key, value in given.items() if value} for name, given in described.items()}
        dims, variables = tuple(self.sweep.coords), self.sweep.variables
        return xarray.Dataset(
            {n: ((*dims, *variables[n].within), array, attrs[n]) for n, array in self.arrays.items()},
            {name: (name, axis.values, attrs[name]) for name, axis in self.sweep.coords.items()},
            {"title": self.sweep.name},
        )


def run(
    sweep: Sweep,
    store: str | Path | None = None,
    *,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Progress | None = None,
    resume: bool = False,
) -> SweepResult:
    """Work on all cells of a sweep.

    The values do not depend on where they are computed, nor on interruptions: bit for bit, as far as the work
    itself does not. A chunk that fails three times, by raising or by the death of its process, is set aside: its
    cells keep the fill value, the others go on, and a resume tries it again.

    Parameters
    ----------
    sweep : Sweep
        What is computed.
    store : path, optional
        The directory (zarr, for `xarray.open_zarr`) that the values are written to, chunk by chunk, so that the
        memory is bounded by a few chunks. Without it, the values are held in memory.
    workers : int
        The number of processes; 0 computes in this one, where a chunk that kills its process ends the sweep.
    scheduler : str, optional
        The address of a scheduler of dask ("tcp://host:8786") whose workers compute instead. Workers best have
        one thread (``dask worker ADDRESS --nthreads 1``): a process works on one chunk at a time.
    progress : callable, optional
        Called as progress(done, total) with numbers of cells.
    resume : bool
        Whether finished chunks in the store are kept. Damaged ones are computed again, with one warning.

    Returns
    -------
    SweepResult
        The values, and which cells were set aside.

    Raises
    ------
    InputError
        For a store that is in use, or of another configuration or version, or too large for its disk, and for a
        scheduler that does not answer or whose workers are not like this process.
    FastSlowError
        If the store cannot be written any more, or the cluster is lost. What is done is kept.
    SweepInterrupted
        At Ctrl-C. What is done is kept.
    """
    _check_options(store, workers, scheduler, resume)
    # The place first: a wrong address must not leave an empty store behind, which the next attempt would refuse.
    place = _place(sweep, workers, scheduler)
    try:
        keeper: Keeper = Memory(sweep) if store is None else Store(sweep, Path(store), resume=resume)
        try:
            return _with(place, keeper, sweep, progress)
        finally:
            keeper.close()
    finally:
        place.close()


def _with(place: Place, keeper: Keeper, sweep: Sweep, progress: Progress | None) -> SweepResult:
    if keeper.recomputed:
        warnings.warn(f"{keeper.recomputed} damaged chunks of {keeper.path} are computed again", stacklevel=3)
    work = _Run(sweep, keeper, progress)
    try:
        work.all_chunks(place)
        keeper.finish([{**vars(error), "cells": error.cells} for error in work.errors])
    except KeyboardInterrupt:
        raise SweepInterrupted(work.cells_done, sweep.size, keeper.path, work.result()) from None
    return work.result()


def _check_options(store: object, workers: int, scheduler: str | None, resume: bool) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or not 0 <= workers <= _MOST_WORKERS:
        raise InputError("workers", workers, f"must be a whole number from 0 to {_MOST_WORKERS}", "0: this process")
    if scheduler is not None and workers:
        raise InputError("workers", workers, "cannot be combined with a scheduler, which has its own", "Leave one out")
    if resume and store is None:
        rule = "is missing, and a sweep in memory cannot be resumed"
        raise InputError("store", MISSING, rule, "Give the directory of the sweep")


def _place(sweep: Sweep, workers: int, scheduler: str | None) -> Place:
    task = Task.of(sweep)
    if scheduler is not None or workers:
        if task.work.startswith("__main__:"):
            rule = "is a function of a script, which other processes do not find"
            raise InputError("work", task.work, rule, "Put it into a module, or take workers=0")
        if scheduler is not None:
            from fastslow.sweeps.cluster import Cluster

            return Cluster(task, scheduler)
        return Processes(task, min(workers, sweep.chunk_count))
    return ThisProcess(task)


class _Run:
    """The chunks that are left, and what became of the others."""

    def __init__(self, sweep: Sweep, keeper: Keeper, progress: Progress | None) -> None:
        self._sweep, self._keeper, self._progress = sweep, keeper, progress
        self.cells_done = sum(sweep.chunk(index).size for index in keeper.done)
        self.errors: list[ChunkError] = []
        self._failures: Counter[tuple[int, ...]] = Counter()
        self._again: deque[Chunk] = deque()
        self._suspects: deque[Chunk] = deque()

    def result(self) -> SweepResult:
        """Return what is known now."""
        keeper = self._keeper
        errors = tuple(sorted(self.errors, key=lambda error: error.index))
        return SweepResult(self._sweep, keeper.path, keeper.arrays(), errors, self.cells_done, keeper.recomputed)

    def all_chunks(self, place: Place) -> None:
        """Give chunks to the place until none is left."""
        done = frozenset(self._keeper.done)
        left = (self._sweep.chunk(index) for index in self._sweep.indices() if index not in done)
        flying = 0
        self._report()
        while True:
            for chunk in self._next(left, place.slots, flying):
                place.submit(chunk)
                flying += 1
            if not flying:
                return
            for outcome in place.wait():
                flying -= 1
                self._take(outcome)
                self._report()

    def _next(self, left: Iterator[Chunk], slots: int, flying: int) -> Iterator[Chunk]:
        """Yield the chunks to begin now: failed ones first, and suspects alone."""
        if self._suspects:
            if not flying:
                yield self._suspects.popleft()
            return
        for _ in range(slots - flying):
            chunk = self._again.popleft() if self._again else next(left, None)
            if chunk is None:
                return
            yield chunk

    def _take(self, outcome: Outcome) -> None:
        chunk = outcome.chunk
        if outcome.values is not None:
            self._keeper.write(chunk, outcome.values)
            self.cells_done += chunk.size
        elif self._failed(chunk, outcome.failures) < _TRIES:
            (self._suspects if outcome.suspect else self._again).append(chunk)
        else:
            self._keeper.set_aside(chunk, outcome.error)
            self.errors.append(ChunkError(chunk.index, chunk.start, chunk.shape, outcome.error))

    def _failed(self, chunk: Chunk, failures: int) -> int:
        self._failures[chunk.index] += failures
        return self._failures[chunk.index]

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self.cells_done + sum(error.cells for error in self.errors), self._sweep.size)
