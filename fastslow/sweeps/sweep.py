"""What a sweep is: a grid cut into chunks, the work on one chunk, and what comes out of it."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import MISSING, InputError

Values = dict[str, NDArray[Any]]
"""The values of each variable on one chunk."""

_MOST_CELLS = 10**11
_MOST_CHUNKS = 10**6
_MOST_BYTES_OF_CHUNK = 2**30
_RESERVED = ("zarr.json", "chunks.jsonl")


@dataclass(frozen=True)
class Variable:
    """A result with one value, or one array, in each cell.

    Parameters
    ----------
    dtype : str
        A dtype of numpy of booleans, integers or reals ("int16", "float64").
    fill : number
        The value of cells that are not computed; it must be one of the dtype (NaN is one of a real dtype).
    units, long_name : str
        Shown by xarray, and on axes.
    attrs : mapping
        More attributes of the stored variable, as JSON (`flag_values`, `flag_meanings` ...).
    within : mapping
        Names and lengths of the dimensions of the array in each cell; they come behind those of the grid.
    """

    dtype: str
    fill: float
    units: str = ""
    long_name: str = ""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    within: Mapping[str, int] = field(default_factory=dict)

    @property
    def tail(self) -> tuple[int, ...]:
        """The shape of one cell."""
        return tuple(self.within.values())


@dataclass(frozen=True, eq=False)
class Axis:
    """The values of one coordinate, with its units and long name."""

    values: NDArray[Any]
    units: str = ""
    long_name: str = ""


@dataclass(frozen=True, eq=False)
class Chunk:
    """A rectangular part of the grid: what the work function is given.

    Attributes
    ----------
    index
        Which chunk it is, along each dimension.
    start
        The index of its first cell in the grid.
    coords
        The coordinates of its cells: one array for each dimension.
    grid_shape
        The shape of the whole grid.
    """

    index: tuple[int, ...]
    start: tuple[int, ...]
    coords: Mapping[str, NDArray[Any]]
    grid_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that every result must have."""
        return tuple(len(values) for values in self.coords.values())

    @property
    def size(self) -> int:
        """The number of cells."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where it lies in the grid."""
        return tuple(slice(start, start + count) for start, count in zip(self.start, self.shape, strict=True))

    def grid(self) -> Values:
        """Return each coordinate in every cell, in the shape of the chunk."""
        return dict(zip(self.coords, np.meshgrid(*self.coords.values(), indexing="ij"), strict=True))

    def numbers(self) -> NDArray[np.int64]:
        """Return the number of each cell in the whole grid, row by row.

        A random stream that is seeded with it does not depend on how the grid is cut into chunks.
        """
        along = [np.arange(part.start, part.stop, dtype=np.int64) for part in self.slices]
        return np.asarray(np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), self.grid_shape), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Sweep:
    """The same work on every cell of a grid.

    Parameters
    ----------
    name : str
        What is swept, for people ("fate").
    work : str or callable
        A function of a module, or its name "package.module:function"; see `fastslow.sweeps`.
    job : dict
        The configuration that all cells share, as JSON: model table, method, rtol ...
    coords : mapping
        For each dimension its values: a one-dimensional array of finite numbers, or an `Axis`.
    variables : mapping
        The results: a `Variable` for each name.
    chunks : sequence of int
        The shape of a chunk, the part that is computed, written and repeated as one. A chunk should take
        from a tenth of a second to a minute.
    beside : dict
        What the work is given besides, in the job, and on which no value depends: a directory for files, say. A
        sweep is resumed whatever it is.

    Raises
    ------
    InputError
        For whatever of these cannot be used.
    """

    name: str
    work: str | Callable[..., Any]
    job: Mapping[str, Any]
    coords: Mapping[str, Any]
    variables: Mapping[str, Variable]
    chunks: Sequence[int]
    beside: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what is given, and keep it in one form."""
        set_field = object.__setattr__
        set_field(self, "work", _name_of(self.work))
        set_field(self, "job", json.loads(_as_json("job", dict(self.job))))
        set_field(self, "beside", json.loads(_as_json("beside", dict(self.beside))))
        set_field(self, "coords", {name: _axis(name, values) for name, values in self.coords.items()})
        set_field(self, "variables", {name: _variable(name, value) for name, value in self.variables.items()})
        for kind in ("coords", "variables"):
            if not getattr(self, kind):
                raise InputError(kind, MISSING, "is empty", "Give at least one")
        for name in self.coords:
            if name in self.variables:
                raise InputError("variables", name, "is the name of a coordinate as well", "Rename one of them")
        lengths: dict[str, int] = {}
        for name, variable in self.variables.items():
            for dimension, length in variable.within.items():
                if dimension in self.coords or lengths.setdefault(dimension, length) != length:
                    where = f"variables.{name}.within"
                    raise InputError(where, dimension, "is a dimension of another length", "Rename it")
        set_field(self, "chunks", _chunk_shape(self.chunks, self.shape))
        self._check_counts()

    def _check_counts(self) -> None:
        if self.size > _MOST_CELLS:
            raise InputError("coords", self.shape, f"makes more than {_MOST_CELLS:.0e} cells", "Take fewer values")
        if self.chunk_count > _MOST_CHUNKS:
            rule = f"cuts the grid {self.shape} into {self.chunk_count} chunks, more than {_MOST_CHUNKS}"
            raise InputError("chunks", self.chunks, rule, "Take larger chunks")
        if math.prod(self.chunks) * self.bytes_of_cell > _MOST_BYTES_OF_CHUNK:
            raise InputError("chunks", self.chunks, "makes chunks of more than 1 GiB", "Take smaller chunks")

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each dimension."""
        return tuple(len(axis.values) for axis in self.coords.values())

    @property
    def size(self) -> int:
        """The number of cells."""
        return math.prod(self.shape)

    @property
    def chunk_count(self) -> int:
        """The number of chunks."""
        return math.prod(self._counts)

    @property
    def bytes_of_cell(self) -> int:
        """The bytes of one cell of all variables."""
        return sum(np.dtype(v.dtype).itemsize * math.prod(v.tail) for v in self.variables.values())

    @property
    def _counts(self) -> list[int]:
        return [-(-count // size) for count, size in zip(self.shape, self.chunks, strict=True)]

    def chunk(self, index: tuple[int, ...]) -> Chunk:
        """Return one chunk; those at the end of a dimension may be smaller."""
        start = tuple(i * size for i, size in zip(index, self.chunks, strict=True))
        coords = {
            name: axis.values[first : first + size].copy()
            for (name, axis), first, size in zip(self.coords.items(), start, self.chunks, strict=True)
        }
        return Chunk(index, start, coords, self.shape)

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the indices of all chunks, row by row."""
        return itertools.product(*(range(count) for count in self._counts))

    def configuration(self) -> dict[str, Any]:
        """Return all that the cells depend on, as JSON; units and long names are not in it."""
        return {
            "name": self.name,
            "work": self.work,
            "dims": list(self.coords),
            "coords": {
                name: {"count": len(axis.values), "dtype": axis.values.dtype.name, "sha256": digest(axis.values)}
                for name, axis in self.coords.items()
            },
            "variables": {
                name: {"dtype": v.dtype, "fill": repr(v.fill), **({"within": dict(v.within)} if v.within else {})}
                for name, v in self.variables.items()
            },
            "chunks": list(self.chunks),
            "job": dict(self.job),
        }


def digest(*arrays: NDArray[Any]) -> str:
    """Return the sha256 of the values of arrays, the same on every machine."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data.cast("B"))
    return total.hexdigest()


def digest_of(configuration: Mapping[str, Any]) -> str:
    """Return the sha256 of a configuration."""
    return hashlib.sha256(_as_json("configuration", configuration).encode()).hexdigest()


def first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the path of the first field in which two JSON documents differ, and both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            below = f"{path}.{key}" if path else str(key)
            found = first_difference(old.get(key, "nothing"), new.get(key, "nothing"), below)
            if found is not None:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        parts = (first_difference(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(old, new, strict=True)))
        return next((found for found in parts if found is not None), None)
    # As text, because 1, 1.0 and True are equal to Python, and not to the work.
    return None if json.dumps(old) == json.dumps(new) else (path, old, new)


def function_named(name: str) -> Callable[..., Any]:
    """Return the function "package.module:function"."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        way_out = 'Give a function of a module that can be imported, as "package.module:function"'
        raise InputError("work", name, f"cannot be imported ({error})", way_out) from None
    if not callable(found):
        raise InputError("work", name, "is no function", 'Name one, as "package.module:function"')
    return found  # type: ignore[no-any-return]


def _as_json(name: str, document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(document, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        way_out = "Use dicts with text as keys, lists, text, finite numbers, true, false and None"
        raise InputError(name, document, f"is no JSON ({error})", way_out) from None


def _name_of(work: object) -> str:
    if not callable(work):
        function_named(str(work))
        return str(work)
    name = f"{work.__module__}:{getattr(work, '__qualname__', '')}"
    if "<" in name or function_named(name) is not work:
        rule = "is not what its module has under its name, so that no other process finds it"
        raise InputError("work", name, rule, "Give a function of a module: no lambda, no inner function")
    return name


def _check_name(kind: str, name: object) -> None:
    usable = isinstance(name, str) and name.isprintable() and name.strip() == name and name not in ("", *_RESERVED)
    if not usable or "/" in str(name) or "\\" in str(name) or str(name).startswith((".", "__")):
        rule = "is no name for an array that is kept in a file"
        raise InputError(kind, name, rule, "Use letters, digits, brackets and underscores, without slashes")


def _axis(name: str, given: Any) -> Axis:
    _check_name("coords", name)
    axis = given if isinstance(given, Axis) else Axis(given)
    try:
        values = np.array(axis.values)
    except ValueError as error:
        raise InputError(f"coords.{name}", given, f"is no array ({error})", "Give a list of numbers") from None
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iuf":
        raise InputError(f"coords.{name}", given, "is no one-dimensional array of numbers", "Give a list of numbers")
    bad = values[~np.isfinite(values)]
    if bad.size:
        raise InputError(f"coords.{name}", float(bad[0]), "is not finite", "Give finite numbers")
    values.setflags(write=False)
    return Axis(values, axis.units, axis.long_name)


def _variable(name: str, given: Variable) -> Variable:
    _check_name("variables", name)
    where = f"variables.{name}"
    try:
        dtype = np.dtype(given.dtype)
        with np.errstate(all="ignore"):
            kept = np.array(given.fill).astype(dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(where, given, f"has a dtype or fill value that is none ({error})", "See Variable") from None
    if dtype.kind not in "biuf":
        raise InputError(f"{where}.dtype", given.dtype, "holds no booleans, integers or reals", "See Variable")
    if not (kept == given.fill or (kept != kept and given.fill != given.fill)):
        raise InputError(f"{where}.fill", given.fill, f"is no {dtype.name}", "Take a value that the dtype can hold")
    _as_json(f"{where}.attrs", dict(given.attrs))
    for dimension, length in given.within.items():
        _check_name(f"{where}.within", dimension)
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise InputError(f"{where}.within.{dimension}", length, "is no length", "Take a whole number from 1")
    return Variable(dtype.name, kept.item(), given.units, given.long_name, dict(given.attrs), dict(given.within))


def _chunk_shape(chunks: Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    usable = len(chunks) == len(shape) and all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 1 for size in chunks
    )
    if not usable:
        rule = f"must be one whole number, at least 1, for each of the {len(shape)} dimensions"
        raise InputError("chunks", tuple(chunks), rule, "For example: (100, 100) for a map of two axes")
    return tuple(min(int(size), count) for size, count in zip(chunks, shape, strict=True))
