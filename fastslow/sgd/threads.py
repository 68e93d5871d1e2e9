"""How many threads the matrix products use."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let scipy's OpenBLAS use so many threads; another BLAS is left as it is.

    Its default, all cores, is up to 100 times slower than one thread for narrow networks, or where other programs
    run: each product waits for the last of its threads.
    """
    from scipy.linalg import _fblas

    library = ctypes.CDLL(_fblas.__file__)
    name = next((name for name in _NAMES if hasattr(library, name.format("set"))), None)
    if name is None:
        yield
        return
    choose, before = getattr(library, name.format("set")), getattr(library, name.format("get"))()
    choose(number)
    try:
        yield
    finally:
        choose(before)
