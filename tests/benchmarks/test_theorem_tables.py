"""Theorems 2 and 3 seen in the full system: the paper's two cases and ten random networks of each kind.

Run with ``pytest tests/benchmarks/test_theorem_tables.py -m benchmark -s``: it prints the tables.
"""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.systems.system import Start

pytestmark = pytest.mark.benchmark

PAPER = [((1, 0, 0, 0, 0, 0, "1/2"), (1,) * 7, 10), ((1, -1, 1), (1, 1, 1), 5)]
TAU = 1e12
KINDS = ("i", "ii", "tie")


def random_network(kind, rng):
    """Return (c*, c, a0) of a network of a kind in which the start lies above all folds and alpha-roots."""
    while True:
        k1 = 3 if kind == "tie" and rng.random() < 0.3 else int(rng.integers(2, 4))
        count = 2 * k1 + 2
        c = [int(rng.choice([-2, -1, 1, 2])), *[0] * (k1 - 2), *rng.choice([-2, -1, 1, 2], count - k1 + 1).tolist()]
        c_star = [int(rng.choice([-2, -1, 1, 2])), *rng.integers(-2, 3, count - 1).tolist()]
        shared = [k for k in range(2, count + 1) if c[k - 1] * c_star[k - 1]]
        if kind == "i":
            c_star[1 : 2 * k1 - 1] = [0] * (2 * k1 - 2)
        if kind == "tie":
            c_star[1 : 2 * k1 - 2] = [0] * (2 * k1 - 3)
            if not c_star[2 * k1 - 2] * c[2 * k1 - 2]:
                continue
        if kind == "ii" and not (shared and shared[0] < 2 * k1 - 1):
            continue
        try:
            network = fs.TwoLayer(c, c_star)
        except fs.InputError:
            continue
        sign = int(rng.choice([-1, 1]))
        law = network.scaling(sign)
        if law is None or law.case != kind:
            continue
        heights = [abs(p.y) for p in critical_manifold(network).points if np.isfinite(p.y)]
        a0 = sign * (int(2 * max(heights)) + 2)
        if abs(a0) < 50:
            return network, a0


@pytest.mark.parametrize("kind", ["paper", *KINDS])
def test_theorems_are_seen(kind):
    rng = np.random.default_rng(20)
    if kind == "paper":
        cases = [(fs.TwoLayer(c, c_star), a0) for c_star, c, a0 in PAPER]
    else:
        cases = [random_network(kind, rng) for _ in range(10)]
    print(f"\n{kind}: verdicts (theorem, singular, full system); exponent, prefactor at τ = {TAU:g} (predicted)")
    for network, a0 in cases:
        start = Start(Fraction(0), Fraction(a0))
        manifold = critical_manifold(network)
        verdicts = (
            network.theorem(start)[0],
            SingularFlow(manifold).orbit(start).verdict,
            Settling(manifold).run(start).verdict,
        )
        assert verdicts[1] == verdicts[2] == "unlearning"
        assert verdicts[0] in ("unlearning", "not covered")
        result = fs.scaling(network, a0, TAU)
        law, fit = result.predicted, result.fitted
        numbers = "not fitted: " + result.verdict
        if fit is not None:
            numbers = (
                f"{fit.exponent:.9f} ± {fit.error:.0e} ({law.exponent}), "
                f"{fit.prefactor:.7f} ± {fit.prefactor_error:.0e} ({law.prefactor:.7f})"
            )
        print(f"  a0 = {a0:4}  case {law.case:12}  {', '.join(verdicts)}  {numbers}")
        assert fit is not None
        assert abs(fit.exponent - float(law.exponent)) <= fit.error < 1e-4
        assert abs(fit.prefactor - law.prefactor) <= fit.prefactor_error
