"""The values of a sweep in a directory that outlives the process."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastslow.errors import FastSlowError, InputError
from fastslow.sweeps.chunk_work import __version__
from fastslow.sweeps.memory import Index, shown
from fastslow.sweeps.sweep import Chunk, Sweep, Values, digest, digest_of, first_difference

SCHEMA = "fastslow.sweep/1"
LOG = "chunks.jsonl"

_BLOCK = 4096
"""Bytes that a file takes at least."""


class Store:
    """Values in a directory: a zarr group, and a log of the finished chunks with their checksums.

    Files of chunks are written beside their place and renamed (by zarr), and only then is a line added to the log:
    ``{"chunk": [i, j], "sha256": ...}``, of the values of all variables in their order. Whatever stops the process,
    and whatever happens to a file later, a chunk counts as done only if its values fit to its line.

    Parameters
    ----------
    sweep : Sweep
        The sweep that is kept.
    path : Path
        The directory.
    resume : bool
        Whether the chunks that it has are used. The directory is made if there is none.

    Raises
    ------
    InputError
        If the directory is not empty and `resume` is false; if it is no store of this sweep and this version; if
        another process writes it; if the disk has too little space or cannot be written.
    """

    def __init__(self, sweep: Sweep, path: Path, *, resume: bool) -> None:
        self.path: Path = path
        self.done: set[Index] = set()
        self.recomputed = 0
        self._sweep = sweep
        self._log: IO[bytes] | None = None
        self._lock: IO[bytes] | None = None
        try:
            filled = path.exists() and (not path.is_dir() or any(path.iterdir()))
            if filled and not resume:
                rule = "is not empty" if path.is_dir() else "is a file"
                raise InputError("store", str(path), rule, "Resume the sweep that is in it, or name another directory")
            if not filled:
                _check_space(sweep, path, sweep.size)
                _create(sweep, path)
            self._open(sweep, path)
        except OSError as error:
            self.close()
            rule = f"cannot be written ({error.strerror or error})"
            raise InputError("store", str(path), rule, "Choose another directory") from None
        except BaseException:
            self.close()
            raise

    def _open(self, sweep: Sweep, path: Path) -> None:
        import zarr

        _check_same(sweep, path)
        self._lock = _locked(path)
        group = zarr.open_group(path, mode="r+")
        self._zarr: dict[str, Any] = {name: group[name] for name in sweep.variables}
        for left in path.rglob("*.partial"):
            left.unlink()
        lines = self._fitting_lines(path / LOG)
        _check_space(sweep, path, sweep.size - sum(sweep.chunk(index).size for index in lines))
        _replace(path / LOG, b"".join(lines.values()))
        self.done = set(lines)
        if len(self.done) < sweep.chunk_count:
            self._note(complete=0)
        self._log = (path / LOG).open("ab", buffering=0)

    def _fitting_lines(self, log: Path) -> dict[Index, bytes]:
        """Return the lines of the chunks whose values fit to their checksums."""
        sums: dict[Index, str] = {}
        for line in log.read_bytes().splitlines() if log.exists() else []:
            try:
                record = json.loads(line)
                sums[tuple(record["chunk"])] = record["sha256"]
            except (ValueError, KeyError, TypeError):
                # The line that was being written when the process ended, or the message of a chunk set aside.
                continue
        lines = {}
        for index in self._sweep.indices():
            if index in sums:
                if self._digest(self._sweep.chunk(index)) == sums[index]:
                    lines[index] = _line(chunk=index, sha256=sums[index])
                else:
                    self.recomputed += 1
        return lines

    def _digest(self, chunk: Chunk) -> str:
        try:
            return digest(*(array[chunk.slices] for array in self._zarr.values()))
        except Exception:
            # The decompressor has many ways to say that a file is damaged.
            return ""

    def write(self, chunk: Chunk, values: Values) -> None:
        """Write the values, then the line that says so."""
        try:
            for name, array in self._zarr.items():
                array[chunk.slices] = values[name]
            self._add(_line(chunk=chunk.index, sha256=digest(*(values[name] for name in self._zarr))))
        except OSError as error:
            raise self._unwritten(error) from None
        self.done.add(chunk.index)

    def set_aside(self, chunk: Chunk, error: str) -> None:
        """Write the message into the log."""
        try:
            self._add(_line(chunk=chunk.index, error=error))
        except OSError as failure:
            raise self._unwritten(failure) from None

    def _add(self, line: bytes) -> None:
        assert self._log is not None
        if self._log.write(line) != len(line):
            # A full disk may take the beginning of a line; the next attempt says why, or ends it.
            self._log.write(b"\n" + line)

    def _unwritten(self, error: OSError) -> FastSlowError:
        done = sum(self._sweep.chunk(index).size for index in self.done)
        return FastSlowError(
            f"{self.path} cannot be written ({error.strerror or error}). {done} of {self._sweep.size} cells are done "
            "and kept. Make space, and resume the sweep."
        )

    def arrays(self) -> Mapping[str, Any]:
        """Return the arrays of zarr: a slice reads what it needs."""
        return self._zarr

    def finish(self, errors: list[dict[str, Any]]) -> None:
        """Write into the attributes that no chunk is left, and which are set aside."""
        cells = sum(error["cells"] for error in errors)
        try:
            self._note(complete=1, cells_set_aside=cells, errors=json.dumps(errors))
        except OSError as error:
            raise self._unwritten(error) from None

    def _note(self, **attributes: Any) -> None:
        # The group's file is JSON and is edited as such: zarr would drop the metadata of the arrays that it repeats.
        file = self.path / "zarr.json"
        document = json.loads(file.read_bytes())
        if any(document["attributes"].get(key) != value for key, value in attributes.items()):
            document["attributes"] |= attributes
            _replace(file, json.dumps(document, indent=2).encode())

    def close(self) -> None:
        """Close the log and let other processes write the store."""
        for stream in (self._log, self._lock):
            if stream is not None:
                stream.close()


def _line(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_space(sweep: Sweep, path: Path, cells: int) -> None:
    """Compare what the cells take at most (uncompressed, in whole blocks) with the free space."""
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    chunks = -(-cells // max(1, sweep.size // sweep.chunk_count))
    needed = cells * sweep.bytes_of_cell + chunks * len(sweep.variables) * _BLOCK
    free = shutil.disk_usage(there).free
    if needed > free:
        rule = f"the values take up to {shown(needed)}, and {shown(free)} are free there"
        raise InputError("store", str(path), rule, "Make space, name another disk, or take a smaller grid")


def _create(sweep: Sweep, path: Path) -> None:
    """Make the group beside its place and rename it, so that no half of one is ever there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        _write_group(sweep, made)
        (made / LOG).touch()
        # A temporary directory is private; the store gets the permissions of any new directory.
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o777 & ~mask)
        if path.exists():
            path.rmdir()
        made.rename(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _write_group(sweep: Sweep, path: Path) -> None:
    import warnings

    import zarr

    configuration = sweep.configuration()
    attributes = {
        "title": sweep.name,
        "schema": SCHEMA,
        "fastslow_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "work": sweep.work,
        "job": json.dumps(configuration["job"]),
        "configuration": json.dumps(configuration),
        "configuration_sha256": digest_of(configuration),
        "complete": 0,
    }
    group = zarr.create_group(path, attributes=attributes)
    for name, axis in sweep.coords.items():
        described = _described(axis.units, axis.long_name)
        array = group.create_array(
            name, shape=axis.values.shape, dtype=axis.values.dtype, dimension_names=(name,), attributes=described
        )
        array[:] = axis.values
    for name, variable in sweep.variables.items():
        group.create_array(
            name,
            shape=sweep.shape + variable.tail,
            chunks=tuple(sweep.chunks) + variable.tail,
            dtype=variable.dtype,
            fill_value=variable.fill,
            dimension_names=(*sweep.coords, *variable.within),
            attributes=_described(variable.units, variable.long_name) | dict(variable.attrs),
        )
    with warnings.catch_warnings():
        # xarray asks for the consolidated metadata and warns if there is none; zarr warns that its format 3 does
        # not describe them yet.
        warnings.filterwarnings("ignore", "Consolidated metadata")
        zarr.consolidate_metadata(group.store)


def _described(units: str, long_name: str) -> dict[str, Any]:
    return {key: value for key, value in (("units", units), ("long_name", long_name)) if value}


def _check_same(sweep: Sweep, path: Path) -> None:
    """Refuse a store of another version or configuration, and say what is different."""
    try:
        attributes = json.loads((path / "zarr.json").read_bytes())["attributes"]
        version, schema = attributes["fastslow_version"], attributes["schema"]
        old = json.loads(attributes["configuration"])
        intact = digest_of(old) == attributes["configuration_sha256"] and schema == SCHEMA
    except (OSError, ValueError, KeyError, TypeError):
        intact, version, old = False, "", {}
    way_out = "Name another directory"
    if version and version != __version__:
        rule = f"was begun by fastslow {version}, and this is {__version__}"
        raise InputError("store", str(path), rule, f"Install fastslow=={version} to resume it, or name another")
    if not intact:
        raise InputError("store", str(path), "is no store of a sweep, or was edited", way_out)
    new = sweep.configuration()
    found = first_difference({**old, "coords": 0}, {**new, "coords": 0})
    if found is None and old != new:
        found = _other_coordinates(sweep, path)
    found = found or first_difference(old, new)
    if found is not None:
        field, before, now = found
        raise InputError(
            field, now, f"the store {path} has {before!r}", f"Resume with the same settings, or {way_out.lower()}"
        )


def _other_coordinates(sweep: Sweep, path: Path) -> tuple[str, Any, Any] | None:
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    for name, axis in sweep.coords.items():
        stored = np.asarray(group[name][...])
        if stored.shape != axis.values.shape:
            return f"the number of values of {name}", len(stored), len(axis.values)
        for i in np.flatnonzero(stored != axis.values)[:1]:
            return f"{name}[{i}]", stored[i].item(), axis.values[i].item()
    return None


def _locked(path: Path) -> IO[bytes] | None:
    """Hold the lock of the store until it is closed or the process ends; None where the system has none."""
    try:
        import fcntl
    except ImportError:
        return None
    stream = (path / ".lock").open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise InputError("store", str(path), "is being written by another process", "Wait for it") from None
    except OSError:
        # Some network file systems have no locks.
        pass
    return stream
