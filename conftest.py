"""Keep numba's disk cache honest: a cached caller does not notice that a helper in another file changed."""

import hashlib
import os
from pathlib import Path

import pytest

_root = Path(__file__).parent
_digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted((_root / "fastslow" / "core").glob("*.py"))))
os.environ.setdefault("NUMBA_CACHE_DIR", str(_root / ".numba_cache" / _digest.hexdigest()[:16]))
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Compare pictures in every run, where the plugin is there, and not only where --mpl is given."""
    if hasattr(config.option, "mpl") and not config.option.mpl_generate_path:
        config.option.mpl = True
