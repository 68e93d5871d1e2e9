"""Unstable limit cycles part the starts inside them from those outside."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.trajectories import Settling
from fastslow.systems.model_files import study_from
from fastslow.systems.system import Start

# r' = r (1 - r^2) (4 - r^2) / 4 backward in r = 1: the unit circle repels, the origin and r = 2 attract; angle' = -1
R2 = "(x**2 + y**2)"
FIELDS = [f"-x*(1 - {R2})*(4 - {R2})/4 + y"], f"-y*(1 - {R2})*(4 - {R2})/4 - x"


def rings(start_fast):
    return fs.FastSlowSystem(*FIELDS, window=(-4, 4), start_fast=start_fast)


@pytest.mark.parametrize("x", ["0", "3/5"])
def test_a_circle_is_met_where_it_is(x):
    """The basin inside is -h < y < h with h = (1 - x^2)^(1/2), though one start alone need not fall into it."""
    below, above = fs.thresholds(rings(x))
    h = float(1 - Fraction(x) ** 2) ** 0.5
    assert (below.y, above.y) == (pytest.approx(-h, abs=1e-10), pytest.approx(h, abs=1e-10))
    assert below.where == above.where == "unstable cycle C1"
    assert above.below == "settles at E1" and above.above.endswith("oscillation")


def test_a_line_that_misses_the_cycle_has_no_threshold():
    assert fs.thresholds(rings("3/2")) == ()


def test_the_fibre_at_rest_and_firing():
    """Morris and Lecar's fibre is bistable at current 90: the basin of rest is inside an unstable cycle."""
    table = fs.family_of("morris_lecar", "current").at(90).table()
    below, above = fs.thresholds(study_from(table | {"start_fast": -25}).system)
    assert (below.below, below.above) == (above.above, above.below) == ("relaxation oscillation", "settles at E1")


def test_an_ensemble_tells_what_it_did_not_reach():
    system = rings("0")
    outside = fs.ensemble(system, np.linspace(1.2, 3.0, 4))
    assert outside.unreached() == ("E1",)
    assert fs.ensemble(system, [0.5, 0.1]).unreached() == ("C2",)
    assert fs.ensemble(system, [0.5, 1.5]).unreached() == ()


def test_starts_beside_a_threshold_part():
    system = rings("3/5")
    settling = Settling(critical_manifold(system))
    for threshold in fs.thresholds(system):
        for side, fate in ((-1, threshold.below), (1, threshold.above)):
            y = Fraction(threshold.y) + side * Fraction(1, 10**7)
            assert settling.run(Start(Fraction(3, 5), y)).verdict == fate
