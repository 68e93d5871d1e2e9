"""Work functions for the tests of sweeps. They note each chunk that they begin, so that tests can count."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from fastslow.sweeps import Sweep, Variable

VARIABLES = {
    "fate": Variable("int16", fill=-1, long_name="fate", attrs={"flag_values": [0, 1, 2]}),
    "loss": Variable("float64", fill=float("nan"), units="1", long_name="test loss"),
}


def values(job, chunk):
    """Return values that any slip in coordinates, order or job changes, down to the last bit."""
    cells = chunk.grid()
    loss = sum(np.sin(job["scale"] * (k + 1) * value) / 3 for k, value in enumerate(cells.values()))
    return {"fate": chunk.numbers() % 3, "loss": loss + chunk.numbers() * 1e-7}


def noted(job, chunk):
    """Note the chunk and the process in a file, then return its values, after what the job says happens first."""
    if "trace" in job:
        with open(job["trace"], "a") as stream:
            stream.write(f"{'-'.join(map(str, chunk.index))} {os.getpid()}\n")
    time.sleep(job.get("seconds", 0))
    if list(chunk.index) == job.get("chunk") and not _cured(job):
        _ill(job, chunk)
    return values(job, chunk)


def _cured(job):
    """Return whether the illness is over: it happens once, or until a file is there."""
    marker = Path(job.get("until", "/nowhere"))
    if job.get("once"):
        if marker.exists():
            return True
        marker.touch()
        return False
    return marker.exists()


def _ill(job, chunk):
    match job["illness"]:
        case "raise":
            raise ArithmeticError("no\nfate here")
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def grows(job, chunk):
    """Return values whose file is small, but for one chunk, whose values cannot be compressed."""
    loss = np.full(chunk.shape, float(chunk.numbers()[0, 0]))
    if list(chunk.index) == job["random_in"]:
        loss = np.random.default_rng(1).random(chunk.shape)
    return {"fate": np.zeros(chunk.shape, "int16"), "loss": loss}


def wrong_shape(job, chunk):
    """Return one cell too few."""
    return {name: array.ravel()[1:] for name, array in values(job, chunk).items()}


def wrong_name(job, chunk):
    """Forget a variable."""
    return {"fate": values(job, chunk)["fate"]}


def wrong_dtype(job, chunk):
    """Return reals where integers were declared."""
    return {**values(job, chunk), "fate": np.full(chunk.shape, 0.5)}


def too_large(job, chunk):
    """Return integers that wrap round in the declared dtype."""
    return {**values(job, chunk), "fate": np.full(chunk.shape, 70_000)}


def changes_its_job(job, chunk):
    """Change what it was given; no other chunk may see it."""
    job["scale"] += 1
    job["list"].append(1)
    for coordinate in chunk.coords.values():
        coordinate += 1
    return {"n": np.full(chunk.shape, job["scale"] + len(job["list"]))}


def constant(job, chunk):
    """Cost nothing."""
    return {"fate": np.full(chunk.shape, 1, dtype="int16")}


def sweep(work="noted", chunks=(3, 4), shape=(10, 9), variables=VARIABLES, coords=None, **job):
    """Return a sweep whose last chunks are smaller than the others."""
    axes = {"a0": np.linspace(0.1, 5, shape[0]), "c_star[3]": np.linspace(-1, 1, shape[1])}
    return Sweep("test", f"sweep_works:{work}", {"scale": 1.5, **job}, coords or axes, variables, chunks)
