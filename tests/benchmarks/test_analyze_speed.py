"""The speed of a whole analysis, as ratios to peers in the same run (medians); run with -m benchmark -s."""

import os
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

PEER = "import numba, scipy.integrate, matplotlib.pyplot, networkx"
"""What a script with libraries imports before it does anything; 0.88 s on the machine of the targets."""


def median_wall(*commands, repeats=7, **environment):
    """Median wall time of each of several commands, run in turn."""
    times = [[] for _ in commands]
    for _ in range(repeats):
        for kept, command in zip(times, commands, strict=True):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
            kept.append(time.perf_counter() - begin)
    return [statistics.median(kept) for kept in times]


def python(code):
    return [sys.executable, "-c", code]


def fastslow(*arguments):
    return python(f"import sys; sys.argv[1:] = {list(arguments)!r}; from fastslow_cli.main import main; main()")


def test_start_up(tmp_path):
    peer, numpy, package, help_, as_json, pictures = median_wall(
        python(PEER),
        python("import numpy"),
        python("import numpy, fastslow"),
        fastslow("--help"),
        fastslow("analyze", "fig4", "--json"),
        fastslow("analyze", "fig4", "-o", str(tmp_path)),
    )
    print(
        f"\npeer imports {peer:.2f} s; import fastslow beyond numpy {(package - numpy) / peer:.3f} of it (limit 0.17); "
    )
    print(
        f"--help {help_ / peer:.2f} (0.23); analyze --json {as_json / peer:.2f} (1.02); -o {pictures / peer:.2f} (1.48)"
    )
    assert package - numpy < 0.17 * peer
    assert help_ < 0.23 * peer
    assert as_json < 1.02 * peer
    assert pictures < 1.48 * peer


def test_first_run_after_an_install(tmp_path):
    (peer,) = median_wall(python(PEER))
    (cold,) = median_wall(fastslow("analyze", "fig4", "--json"), repeats=1, NUMBA_CACHE_DIR=str(tmp_path))
    print(f"\nfirst analysis with a cold cache {cold:.1f} s, {cold / peer:.1f} times the peer's imports (limit 11.4)")
    assert cold < 11.4 * peer


def random_network(k, seed):
    import fastslow as fs

    rng = np.random.default_rng(seed)
    c, c_star = rng.normal(size=k), rng.normal(size=k)
    return fs.TwoLayer(c.tolist(), c_star.tolist())


def test_exact_isolation():
    from fastslow.manifold.curves import irreducible_curves
    from fastslow.manifold.special_points import finite_points

    def seconds(k, seed):
        system = random_network(k, seed)
        begin = time.perf_counter()
        finite_points(system, irreducible_curves(system))
        return time.perf_counter() - begin

    def peer():
        begin = time.perf_counter()
        np.linalg.eigvals(np.random.default_rng(0).normal(size=(200, 200)))
        return time.perf_counter() - begin

    seconds(3, 0)
    unit = statistics.median(peer() for _ in range(9))
    for k, limit in ((8, 0.010), (40, 0.3)):
        value = statistics.median(seconds(k, seed) for seed in range(7))
        print(
            f"\nall special points at k = {k}: {1e3 * value:.1f} ms, {value / unit:.2f} eigenvalue problems of size 200"
        )
        assert value < limit * max(unit / 0.03, 1.0)


def test_no_kernel_is_compiled_twice():
    import fastslow as fs
    from fastslow.core import arclength, planar, polynomial

    fs.analyze("fig4")
    kernels = (arclength.trace, planar.advance_polynomial, polynomial.polynomial_curve, polynomial.polynomial_field)
    before = [len(kernel.signatures) for kernel in kernels]
    fs.analyze("fig6-left")
    fs.analyze("van_der_pol")
    assert [len(kernel.signatures) for kernel in kernels] == before == [1, 1, 1, 1]


def test_memory_is_flat_in_the_number_of_orbits():
    code = (
        "import sys, resource, fastslow as fs\n"
        "n = int(sys.argv[1])\n"
        "fs.analyze('fig4', a0=[5 + k / n for k in range(n)])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    few, many = (
        int(subprocess.run([*python(code), str(n)], capture_output=True, text=True, check=True).stdout)
        for n in (150, 1500)
    )
    print(f"\npeak memory: {few // 1024} MiB for 150 orbits, {many // 1024} MiB for 1500")
    assert many < 1.15 * few
