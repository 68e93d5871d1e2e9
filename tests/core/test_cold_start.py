"""A first command with a cold cache answers at once and leaves a warm one behind."""

import json
import os
import subprocess
import sys
import time

import pytest


def test_a_cold_command_equals_a_warm_one_and_fills_the_cache(tmp_path):
    command = [sys.executable, "-c", "from fastslow_cli.main import main; main()", "analyze", "fig6-right", "--json"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA_", "FASTSLOW_"))}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    (tmp_path / "cache").mkdir()

    def run():
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    cold = run()
    assert cold.stderr == ""
    assert not list((tmp_path / "cache").glob("*/arclength.trace-*.nbi"))
    deadline = time.monotonic() + 120
    while list(tmp_path.glob("fastslow-compiling-*")) and time.monotonic() < deadline:
        time.sleep(0.5)
    for kernel in ("arclength.trace", "planar.advance_polynomial"):
        assert list((tmp_path / "cache").glob(f"*/{kernel}-*.nbi"))
    warm, cold = json.loads(run().stdout), json.loads(cold.stdout)
    assert warm["points"] == cold["points"]
    for a, b in zip(warm["orbits"], cold["orbits"], strict=True):
        assert a["verdict"] == b["verdict"]
        assert a["segments"] == b["segments"]
        # Compiled kernels fuse multiplications with additions: the steps, chosen by error estimates near
        # rounding, are a little longer or shorter, the states at their ends follow.
        assert a["trajectory"]["R"] == pytest.approx(b["trajectory"]["R"], rel=1e-4)


def test_a_model_of_formulas_is_read_without_numba():
    """What is loaded before the command decides to run the kernels uncompiled must not load it."""
    code = "import sys; from fastslow.systems.presets import study_of; study_of('morris_lecar')"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'numba' not in sys.modules"], check=True)
