"""Numba kernels: functions of floats and arrays that return arrays and an integer status.

Nothing in here knows of a model, an object or an exception; the public modules
above wrap each kernel, call it once per branch or batch, and turn its status
into a sentence.

Kernels are compiled when their module is first imported, about ten seconds, and then
come from numba's cache on disk. While the cache is cold, a second process compiles the
integrator as this one compiles the continuation; a short command can instead run the
kernels as plain Python and leave the compiling to the background
(`run_interpreted_while_cold`).
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_GUARD = "FASTSLOW_COMPILING_ASIDE"
_KERNELS = ("arclength.trace", "planar.advance_polynomial")
_ASIDE = "import fastslow.core.planar"
_ALL = "import fastslow.core.arclength, fastslow.core.planar, fastslow.core.polynomial_curve"
_LONGEST_COMPILE = 120.0


def _cached(kernel: str) -> bool | None:
    """Whether numba's cache on disk has a kernel; None where its place cannot be known or written."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return any(Path(chosen).glob(f"*/{kernel}-*.nbi"))
    own = Path(__file__).parent / "__pycache__"
    return any(own.glob(f"{kernel}-*.nbi")) if os.access(own.parent, os.W_OK) else None


def _may_compile() -> bool:
    return _GUARD not in os.environ and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"


def _start(code: str, guarded: bool) -> None:
    environment = {**os.environ, _GUARD: "1"} if guarded else dict(os.environ)
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )
    # Nobody needs its result (should it fail, the kernels are compiled where they are used), but it is to be reaped.
    threading.Thread(target=process.wait, daemon=True).start()


def run_interpreted_while_cold() -> bool:
    """Run the kernels as plain Python in this process if the cache is cold, and fill the cache in the background.

    To be called before numba is imported. For a single analysis that is faster than compiling, some seconds;
    for many it is not. Returns whether it was done.
    """
    if "numba" in sys.modules or not _may_compile() or all(_cached(kernel) is not False for kernel in _KERNELS):
        return False
    user = getattr(os, "getuid", int)()
    place = f"{user} {Path(__file__).parent} {os.environ.get('NUMBA_CACHE_DIR', '')}"
    lock = Path(tempfile.gettempdir()) / f"fastslow-compiling-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    if not (lock.exists() and time.time() - lock.stat().st_mtime < _LONGEST_COMPILE):
        lock.touch()
        # The background gives way to whatever the user does meanwhile.
        _start(
            f"import os\nos.nice(10)\n{_ALL}\nimport pathlib\npathlib.Path({str(lock)!r}).unlink(missing_ok=True)",
            guarded=False,
        )
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    return True


def compile_aside() -> None:
    """Compile the integrator in a second process while the cache is cold; called before the first kernel."""
    if _may_compile() and (os.cpu_count() or 1) > 1 and _cached("planar.advance_polynomial") is False:
        _start(_ASIDE, guarded=True)
