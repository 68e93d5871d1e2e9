"""Singular limit, runs, ensembles, thresholds and scipy on random networks: they agree, or it is said why not."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.ensembles import ensemble
from fastslow.ode.trajectories import Settling
from fastslow.separatrices.full_graph import full_graph
from fastslow.systems.system import Start
from fastslow.validation import compare_levels
from tests import naive

RATES = [Fraction(1, 500), Fraction(1, 30), Fraction(3, 7), 1, 8]
GRID = np.geomspace(1e-3, 50, 150)
BESIDE = np.array([1 - 1e-2, 1 - 1e-5, 1 - 1e-7, 1 + 1e-7, 1 + 1e-5, 1 + 1e-2])


@pytest.mark.parametrize("block", range(8))
def test_all_ways_to_a_fate_agree(block):
    disagreements = starts = 0
    for seed in range(9000 + 5 * block, 9005 + 5 * block):
        c, c_star = naive.random_coefficients(seed)
        system = fs.TwoLayer(c, c_star, RATES[seed % 5])
        manifold = critical_manifold(system)
        settling = Settling(manifold)
        graph = full_graph(settling)
        beside = np.concatenate([t.y * BESIDE for t in graph.thresholds] or [[]])
        heights = np.concatenate((GRID, -GRID, beside))
        found = ensemble(settling, heights)

        def basin(y, basins=graph.basins):
            return next(b for b in basins if b.low < y < b.high)

        for i, y in enumerate(heights):
            ended = (found.fate[i], found.nodes[found.node[i]])
            assert ended == (basin(y).verdict, basin(y).destination), (seed, y)
        singular = fs.analyze(system).flow.basins
        for y in (*GRID[25::40], *-GRID[25::40], *beside):
            start = Start(Fraction(0), Fraction(y))
            run, orbit = settling.run(start), settling.flow.orbit(start)
            assert (run.verdict, run.node.id) == (basin(y).verdict, basin(y).destination), (seed, y)
            assert (orbit.verdict, orbit.node.id) == (basin(y, singular).verdict, basin(y, singular).destination)
            compared = compare_levels(system, orbit, run, singular, graph.thresholds, manifold.points)
            assert compared.explained, (seed, y, compared.explanation)
            starts += 1
            disagreements += not compared.agree
    assert disagreements < starts / 4


@pytest.mark.parametrize("seed", [9001, 9008, 9013, 9017, 9022, 9031])
def test_fates_against_scipy(seed):
    c, c_star = naive.random_coefficients(seed)
    system, network = fs.TwoLayer(c, c_star, RATES[seed % 5]), naive.Network(c, c_star)
    settling = Settling(critical_manifold(system))
    for y in (0.7, -0.7, 6.0, -6.0):
        wanted = naive.ode_fate(network, y, slow_rate=float(system.slow_rate))
        assert settling.run(Start(Fraction(0), Fraction(y))).verdict == wanted, y
