"""Keep numba's disk cache honest: a cached caller does not notice that a helper in another file changed."""

import hashlib
import os
from pathlib import Path

_root = Path(__file__).parent
_digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted((_root / "fastslow" / "core").glob("*.py"))))
os.environ.setdefault("NUMBA_CACHE_DIR", str(_root / ".numba_cache" / _digest.hexdigest()[:16]))
os.environ.setdefault("MPLBACKEND", "Agg")
