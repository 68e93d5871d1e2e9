"""Numba kernels: functions of floats and arrays that return arrays and an integer status.

Nothing in here knows of a model, an object or an exception; the public modules
above wrap each kernel, call it once per branch or batch, and turn its status
into a sentence.

Kernels are compiled when their module is first imported and then come from numba's
cache on disk. While the cache is cold, a second process compiles the integrator as
this one compiles the continuation, which nearly halves the wait of a first analysis.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

_GUARD = "FASTSLOW_COMPILING_ASIDE"
_ASIDE = "import fastslow.core.rosenbrock, fastslow.core.settling, fastslow.core.section"


def _cache_is_cold() -> bool:
    """Whether numba's cache has no integrator; False where its place cannot be known or written."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return not any(Path(chosen).glob("*/rosenbrock.advance-*.nbi"))
    own = Path(__file__).parent / "__pycache__"
    return os.access(own.parent, os.W_OK) and not any(own.glob("rosenbrock.advance-*.nbi"))


def _compile_aside() -> None:
    if _GUARD in os.environ or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0" or (os.cpu_count() or 1) < 2:
        return
    if _cache_is_cold():
        process = subprocess.Popen(
            [sys.executable, "-c", _ASIDE],
            env={**os.environ, _GUARD: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Nobody needs its result (should it fail, this process compiles for itself), but it is to be reaped.
        threading.Thread(target=process.wait, daemon=True).start()


_compile_aside()
