"""When the neurons of trained networks part, beside the prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastslow.errors import InputError
from fastslow.ode.simulation import simulate
from fastslow.ode.solution import FloatArray
from fastslow.sgd.finite_width import FiniteWidth
from fastslow.sgd.neurons import NeuronRun, random_overlaps, simulate_neurons
from fastslow.sgd.simulation import SGDRun
from fastslow.sgd.transverse import spread_growth, transverse_growth

_POINTS, _TIMES = 4000, 400
_FIRST = 1e-5
_LEAST_NEURONS = 3


@dataclass(frozen=True, eq=False)
class Symmetry:
    """The spread of neurons in an ensemble of SGD, and that of linear theory.

    Attributes
    ----------
    tau : ndarray, shape (T,)
        Times of the records.
    spread : ndarray, shape (P, T)
        Standard deviation of the alignments R_i over the neurons of each replica.
    grid : ndarray
        Times of the predictions, from 0 to the last record.
    infinite, finite : ndarray
        Log of the factor by which a small spread grows: int mu_perp dtau along the two-variable system, and
        equation (16) linearised along the finite-width system; the latter is empty for less than three neurons.
    R_infinite, R_finite : ndarray
        Alignment of equal neurons in the two systems.
    expected : float
        First time at which the growth at this width reaches (1/2) ln d, so that the initial spread d^(-1/2) is of
        order one; infinite where that does not happen. The noise of batches, which adds to the spread, is not in it.
    neurons : NeuronRun or None
        Equation (16), SGD without the noise of its batches, from other random directions.
    """

    tau: FloatArray
    spread: FloatArray = field(repr=False)
    grid: FloatArray = field(repr=False)
    infinite: FloatArray = field(repr=False)
    finite: FloatArray = field(repr=False)
    R_infinite: FloatArray = field(repr=False)
    R_finite: FloatArray = field(repr=False)
    expected: float
    neurons: NeuronRun | None = field(default=None, repr=False)

    def predicted(self, growth: FloatArray) -> FloatArray:
        """Return the spread that a growth leads to from the mean one at the start."""
        with np.errstate(over="ignore"):
            return np.asarray(self.spread[:, 0].mean() * np.exp(growth))


def symmetry(run: SGDRun, *, neurons: bool = False) -> Symmetry:
    """Return how the neurons of trained networks part, beside the prediction.

    Parameters
    ----------
    run : SGDRun
        Made by `simulate_sgd` or `sgd_ensemble`, of two neurons at least.
    neurons : bool
        Whether equation (16) is integrated too, at some 10 m^3 operations a step.

    Returns
    -------
    Symmetry

    Raises
    ------
    InputError
        For one neuron.

    Examples
    --------
    >>> import fastslow as fs
    >>> run = fs.simulate_sgd("fig3-right", 1, n=500, d=300, m=20, steps=100, gamma=0.01)
    >>> fs.symmetry(run).spread.shape
    (1, 101)
    """
    o = run.options
    if o["m"] < 2:
        raise InputError("m", o["m"], "has no neurons that part", "Take at least 2")
    end, spread = float(run.tau[-1]), run.course("R_std")
    grid = np.append(0.0, np.geomspace(_FIRST * end, end, _POINTS))
    orbit = simulate(run.system, o["a0"], end, times=grid)
    infinite = transverse_growth(run.system, orbit)
    network = FiniteWidth(run.system, o["m"], o["gamma"], o["n"] / o["d"], o["exact_activation"])
    course = network.solve(o["a0"], grid)
    finite = spread_growth(network, course) if o["m"] >= _LEAST_NEURONS else np.empty(0)
    enough = 0.5 * math.log(o["d"])
    growth = finite if len(finite) else infinite
    expected = _first(grid[: len(growth)], growth >= enough)
    other = None
    if neurons:
        overlaps = random_overlaps(o["m"], o["d"], seed=o["seed"])
        other = simulate_neurons(run.system, o["a0"], np.linspace(0.0, end, _TIMES), overlaps=overlaps)
    return Symmetry(run.tau, spread, grid, infinite, finite, orbit.x, course.R, expected, other)


def _first(times: FloatArray, marks: Any) -> float:
    found = np.flatnonzero(marks)
    return float(times[found[0]]) if len(found) else math.inf
