"""Ensembles of SGD as sweeps: the cells are replicas, trained in other processes or on a cluster."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fastslow.errors import InputError, RecordError
from fastslow.progress import Progress
from fastslow.sgd.arguments import COLUMNS, Experiment, experiment
from fastslow.sgd.simulation import SGDRun, train
from fastslow.sweeps.engine import SweepResult, run
from fastslow.sweeps.sweep import Chunk, Sweep, Values, Variable
from fastslow.systems.exact import Real
from fastslow.systems.model_files import study_from
from fastslow.systems.system import FastSlowSystem

STORE, UNFINISHED = "replicas.zarr", "unfinished"
"""What is kept in the directory of an ensemble: finished replicas, and checkpoints of the others."""
_OPERATIONS, _OVERHEAD = 1e10, 1e6
"""Of a chunk, about a second, and of a step beside its matrix products."""
_LEAST_CHUNKS = 16
_LONGEST = 240
"""Bytes of a sentence."""


def sgd_ensemble(
    system: FastSlowSystem | str,
    a0: Real,
    *,
    workers: int = 0,
    scheduler: str | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **arguments: Any,
) -> SGDRun:
    """Train the replicas of `simulate_sgd` in several processes, or on a cluster of dask.

    The result is that of `simulate_sgd`, bit for bit, whatever the number of workers and however often it was
    interrupted: replica p has the p-th spawned seed. (On other processors, matrix products may round differently.)
    A replica whose worker dies goes on from its last checkpoint in another; after three deaths or errors it is set
    aside, and the others go on.

    Parameters
    ----------
    system, a0, **arguments
        As in `simulate_sgd`: n, d, m, steps, gamma, seed, replicas, method, dtype, every, threads, backend, device,
        exact_activation.
    workers : int
        The number of processes; 0 trains in this one. Each needs the memory of one replica.
    scheduler : str, optional
        The address of a scheduler of dask ("tcp://host:8786") whose workers train instead.
    checkpoint : path, optional
        A directory that keeps finished replicas (replicas.zarr, for `xarray.open_zarr`) and each minute the state of
        those in training. A cluster needs it where all its workers see it; elsewhere replicas begin anew.
    resume : bool
        Go on from that directory.
    progress : callable, optional
        Called as progress(done, total) with numbers of replicas.

    Returns
    -------
    SGDRun
        Replicas that failed have `ended` -1 and the reason as their sentence.

    Raises
    ------
    InputError
        For an argument that cannot be used, memory that does not suffice, or a directory of another ensemble.
    SweepInterrupted
        At Ctrl-C. What is done is kept where there is a directory.

    Examples
    --------
    >>> import fastslow as fs
    >>> run = fs.sgd_ensemble("fig7", 1, n=100, d=100, m=5, steps=20, gamma=0.1, replicas=4)
    >>> run.records.shape, run.done
    ((4, 21, 8), True)
    """
    at_once = workers if isinstance(workers, int) else 1
    found = experiment(system, a0, **arguments, at_once=max(at_once, 1))
    directory = None if checkpoint is None else Path(checkpoint).absolute()
    if resume and directory is None:
        raise InputError("resume", True, "there is no directory to go on from", "Name it (--checkpoint DIR)")
    if directory is not None:
        _check_directory(directory, resume)
    sweep = _sweep(found, directory)
    store = None if directory is None else directory / STORE
    result = run(sweep, store, workers=workers, scheduler=scheduler, progress=progress, resume=resume)
    if directory is not None and not result.errors:
        shutil.rmtree(directory / UNFINISHED, ignore_errors=True)
    return _trained(found, result)


def _check_directory(directory: Path, resume: bool) -> None:
    """Refuse what is no directory of an ensemble, and one that is in use unless it is resumed."""
    if directory.exists() and not directory.is_dir():
        rule = "is a file, and an ensemble with workers is kept in a directory"
        raise InputError("checkpoint", str(directory), rule, "Name another, or train without workers")
    filled = (directory / STORE).exists()
    if resume and not filled:
        raise InputError("checkpoint", str(directory), "holds no ensemble", "Leave resume away to begin the run")
    if filled and not resume:
        way_out = "Say resume=True (--resume) to go on from it, or name another"
        raise InputError("checkpoint", str(directory), "is an ensemble that is there already", way_out)
    try:
        (directory / UNFINISHED).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        rule = f"cannot be written ({error.strerror or error})"
        raise InputError("checkpoint", str(directory), rule, "Choose another directory") from None


def _sweep(found: Experiment, directory: Path | None) -> Sweep:
    o, record, nan = found.options, {"record": len(found.step)}, float("nan")
    neuron = {"neuron": found.setting.m}
    length = o["n"] * (o["m"] ** 2 if o["method"] == "gram" else o["d"] * o["m"]) + o["m"] ** 3
    together = int(_OPERATIONS / (o["steps"] * (4.0 * length + _OVERHEAD)))
    return Sweep(
        "replicas of SGD",
        train_chunk,
        {"system": found.system.table(), "arguments": o},
        coords={"replica": np.arange(o["replicas"])},
        variables={
            **{name: Variable("float64", nan, within=record) for name in COLUMNS},
            "R": Variable("float64", nan, long_name="last alignments", within=neuron),
            "a": Variable("float64", nan, long_name="last second layer", within=neuron),
            "ended": Variable("int64", -1, long_name="last step"),
            "sentence": Variable("uint8", 0, long_name="how it ended, UTF-8", within={"byte": _LONGEST}),
        },
        # Nothing here may depend on the number of workers: a directory is resumed with any.
        chunks=(min(max(together, 1), max(o["replicas"] // _LEAST_CHUNKS, 1)),),
        beside={"unfinished": None if directory is None else str(directory / UNFINISHED)},
    )


def train_chunk(job: dict[str, Any], chunk: Chunk) -> Values:
    """Train the replicas of a chunk, from their checkpoint where there is a sound one of the same experiment."""
    found = experiment(study_from(job["system"]).system, **job["arguments"])
    first = chunk.start[0]
    numbers = range(first, first + chunk.size)
    path = None if job["unfinished"] is None else Path(job["unfinished"]) / f"{first}.npz"
    if path is None or not path.parent.is_dir():
        trained = train(found, numbers)
    else:
        try:
            trained = train(found, numbers, path, resume=path.exists())
        except (RecordError, InputError):
            path.unlink(missing_ok=True)
            trained = train(found, numbers, path)
        path.unlink(missing_ok=True)
    sentences = np.zeros((chunk.size, _LONGEST), np.uint8)
    for row, text in zip(sentences, trained.sentences, strict=True):
        encoded = text.encode()[:_LONGEST]
        row[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    columns = {name: trained.course(name) for name in COLUMNS}
    return {**columns, "R": trained.R, "a": trained.a, "ended": trained.ended, "sentence": sentences}


def _trained(found: Experiment, result: SweepResult) -> SGDRun:
    values = {name: np.asarray(array[...]) for name, array in result.arrays.items()}
    sentences = [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in values["sentence"]]
    for error in result.errors:
        for k in range(error.start[0], error.start[0] + error.shape[0]):
            sentences[k] = f"Failed: {error.message}."
    records = np.stack([values[name] for name in COLUMNS], axis=-1)
    step, ended = found.step, values["ended"]
    return SGDRun(found.system, found.options, step, records, values["R"], values["a"], ended, tuple(sentences))
