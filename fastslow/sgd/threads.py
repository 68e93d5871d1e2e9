"""How many threads the matrix products use."""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

_MODULES = ("scipy.linalg._fblas", "numpy._core._multiarray_umath")
"""Extension modules that are linked to OpenBLAS: each package brings its own."""
_NAMES = ("scipy_openblas_{}_num_threads", "scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let the OpenBLAS of scipy and numpy, and PyTorch once it is imported, use so many; another BLAS is left as it is.

    Its default, all cores, is up to 100 times slower than one thread for narrow networks, or where other programs
    run: each product waits for the last of its threads.
    """
    with ExitStack() as stack:
        for module in _MODULES:
            found = _openblas(module)
            if found is not None:
                get, choose = found
                stack.callback(choose, get())
                choose(number)
        torch = sys.modules.get("torch")
        if torch is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(number)
        yield


def _openblas(module: str) -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return the functions that get and set the number of threads, None where there are none."""
    try:
        library = ctypes.CDLL(str(importlib.import_module(module).__file__))
    except (ImportError, OSError):
        return None
    for name in _NAMES:
        if hasattr(library, name.format("set")):
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None
