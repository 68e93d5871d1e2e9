"""Keep numba's disk cache honest: a cached caller does not notice that a helper in another file changed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

_root = Path(__file__).parent
_digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted((_root / "fastslow" / "core").glob("*.py"))))
os.environ.setdefault("NUMBA_CACHE_DIR", str(_root / ".numba_cache" / _digest.hexdigest()[:16]))
os.environ.setdefault("MPLBACKEND", "Agg")

_KERNELS = (
    "import fastslow as fs, fastslow.core.arclength, fastslow.core.finite_width_curve\n"
    "fs.ensemble(fs.TwoLayer((1, 1), (1, 1)), [1.0], tau=1.0)",
    "import fastslow.core.planar, fastslow.core.general_batch\n"
    "from fastslow.core.polynomial import polynomial_field\n"
    "from fastslow.ode.integrate import integrate_batch\n"
    "integrate_batch(polynomial_field, [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], [[0.0, 0.0]], (0.0, 1.0))",
)
"""Two halves of the kernels, each some 35 s of compilation."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Compare pictures in every run, where the plugin is there, and not only where --mpl is given."""
    if hasattr(config.option, "mpl") and not config.option.mpl_generate_path:
        config.option.mpl = True
    # each worker would compile all of them
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        _compile_kernels()


def _compile_kernels():
    """Fill a cold cache with two processes, so that the workers find it warm."""
    cold = not list(Path(os.environ["NUMBA_CACHE_DIR"]).glob("*/batch.advance_each-*.nbi"))
    if cold and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0":
        environment = {**os.environ, "FASTSLOW_COMPILING_ASIDE": "1"}
        halves = [subprocess.Popen([sys.executable, "-c", code], cwd=_root, env=environment) for code in _KERNELS]
        for half in halves:
            half.wait()  # should one fail, its kernels are compiled where they are used
