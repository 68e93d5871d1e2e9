"""Checkpoints: the state of a run in one npz file, written whole or not at all, and never of another run."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError, RecordError
from fastslow.files import write_whole

_SCHEMA = "fastslow.sgd-checkpoint/1"
Arrays = dict[str, NDArray[Any]]


def _digest(arrays: Arrays) -> str:
    hashed = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        hashed.update(f"{name} {value.dtype.str} {arrays[name].shape} ".encode())
        hashed.update(value.tobytes())
    return hashed.hexdigest()


def write_checkpoint(path: Path, configuration: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays and the configuration that they belong to.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = json.dumps({"schema": _SCHEMA, "configuration": configuration}, sort_keys=True)
    whole = {**arrays, "configuration": np.array(text)}
    stream = io.BytesIO()
    np.savez(stream, digest=np.array(_digest(whole)), **whole)  # type: ignore[arg-type]
    try:
        write_whole(path, stream.getvalue())
    except OSError as error:
        rule = f"cannot be written ({error.strerror or error})"
        raise InputError("checkpoint", str(path), rule, "Name a file in a directory that is there") from None


def read_checkpoint(path: Path, configuration: dict[str, Any]) -> Arrays:
    """Return the arrays of a checkpoint of the same configuration.

    Raises
    ------
    InputError
        If there is no such file, or it belongs to another run: the first difference is named.
    RecordError
        If it is cut short, edited or foreign.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        digest = str(arrays.pop("digest"))
        document = json.loads(str(arrays["configuration"]))
        schema, theirs = document["schema"], document["configuration"]
    except FileNotFoundError:
        raise InputError("checkpoint", str(path), "is not there", "Leave resume away to begin the run") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror or error}). Check the path.") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise RecordError(f"{path} is cut short or no checkpoint ({error}). Begin the run again.") from None
    if digest != _digest(arrays):
        raise RecordError(f"{path} has been edited: its contents do not match their digest. Begin the run again.")
    if schema != _SCHEMA:
        raise RecordError(f"{path} has the schema {schema}, not {_SCHEMA}. Begin the run again.")
    ours = json.loads(json.dumps(configuration))
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            rule = f"is of another run: {name} is {theirs.get(name)} there, {ours.get(name)} here"
            raise InputError("checkpoint", str(path), rule, "Give the same arguments, or name another file")
    arrays.pop("configuration")
    return arrays


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """Collect the first interrupt (Ctrl-C) in a list instead of raising it in the middle of a step; a second raises.

    A process that ignores interrupts, a worker whose parent has them, goes on ignoring them.
    """
    caught: list[int] = []
    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield caught
        return

    def note(number: int, _: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)
