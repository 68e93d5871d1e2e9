"""What keeps the values of finished chunks, and the keeper that has them in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.sweeps.sweep import Chunk, Sweep, Values

Index = tuple[int, ...]


class Keeper(Protocol):
    """What keeps the values of finished chunks."""

    @property
    def path(self) -> Path | None:
        """The directory, if there is one."""

    @property
    def done(self) -> set[Index]:
        """The indices of the finished chunks."""

    @property
    def recomputed(self) -> int:
        """The number of chunks that were found damaged, and are computed again."""

    def write(self, chunk: Chunk, values: Values) -> None:
        """Keep a finished chunk."""

    def set_aside(self, chunk: Chunk, error: str) -> None:
        """Keep the reason why a chunk has no values."""

    def arrays(self) -> Mapping[str, Any]:
        """Return the whole grid of each variable."""

    def finish(self, errors: list[dict[str, Any]]) -> None:
        """Note that no chunk is left to do."""

    def close(self) -> None:
        """Let go of files."""


class Memory:
    """Values in arrays.

    Raises
    ------
    InputError
        If they are larger than the memory of this machine.
    """

    path: Path | None = None
    recomputed = 0

    def __init__(self, sweep: Sweep) -> None:
        size = sweep.size * sweep.bytes_of_cell
        if hasattr(os, "sysconf") and size > (memory := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
            rule = f"the values take {shown(size)}, and the memory of this machine is {shown(memory)}"
            raise InputError("store", None, rule, "Give a directory: it is written chunk by chunk")
        self.done: set[Index] = set()
        self._arrays = {
            name: np.full(sweep.shape + variable.tail, variable.fill, dtype=variable.dtype)
            for name, variable in sweep.variables.items()
        }

    def write(self, chunk: Chunk, values: Values) -> None:
        """Copy the values into the arrays."""
        for name, array in self._arrays.items():
            array[chunk.slices] = values[name]
        self.done.add(chunk.index)

    def set_aside(self, chunk: Chunk, error: str) -> None:
        """The cells hold the fill value already."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays."""
        return self._arrays

    def finish(self, errors: list[dict[str, Any]]) -> None:
        """Nothing to note."""

    def close(self) -> None:
        """Nothing to let go."""


def shown(size: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
