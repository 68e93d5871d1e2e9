"""fastslow: bifurcation and continuation analysis of fast-slow dynamical systems.

>>> import fastslow as fs
>>> print(fs.analyze("fig4").summary())  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fastslow.analysis import Analysis as Analysis
    from fastslow.analysis import analyze as analyze
    from fastslow.batches import Batch as Batch
    from fastslow.batches import analyses as analyses
    from fastslow.bifurcation.canard_series import canard_series as canard_series
    from fastslow.bifurcation.continuation import continued as continued
    from fastslow.boundary.phase_boundary import phase_boundary as phase_boundary
    from fastslow.errors import FastSlowError as FastSlowError
    from fastslow.errors import InputError as InputError
    from fastslow.errors import RecordError as RecordError
    from fastslow.flow.singular_course import singular_course as singular_course
    from fastslow.flow.slow_manifold import first_order_correction as first_order_correction
    from fastslow.levels.validate import Validation as Validation
    from fastslow.levels.validate import validate as validate
    from fastslow.manifold.continuation import trace_curve as trace_curve
    from fastslow.manifold.critical_manifold import critical_manifold as critical_manifold
    from fastslow.ode.ensembles import Ensemble as Ensemble
    from fastslow.ode.ensembles import ensemble as ensemble
    from fastslow.ode.integrate import integrate as integrate
    from fastslow.ode.limit_cycles import LimitCycles as LimitCycles
    from fastslow.ode.limit_cycles import limit_cycles as limit_cycles
    from fastslow.ode.maximal_canards import maximal_canard as maximal_canard
    from fastslow.ode.simulation import Simulation as Simulation
    from fastslow.ode.simulation import simulate as simulate
    from fastslow.records import load as load
    from fastslow.scales.convergence import orders as orders
    from fastslow.scales.entry_exit import entry_exit as entry_exit
    from fastslow.scales.scaling import scaling as scaling
    from fastslow.scales.timescales import time_scales as time_scales
    from fastslow.separatrices.connections import connections as connections
    from fastslow.separatrices.thresholds import thresholds as thresholds
    from fastslow.sgd.finite_width import finite_width as finite_width
    from fastslow.sgd.finite_width_fates import finite_width_thresholds as finite_width_thresholds
    from fastslow.sgd.finite_width_manifold import finite_width_manifold as finite_width_manifold
    from fastslow.sgd.mean_field import gaussian_overlaps as gaussian_overlaps
    from fastslow.sgd.mean_field import mean_field as mean_field
    from fastslow.sgd.neurons import random_overlaps as random_overlaps
    from fastslow.sgd.neurons import simulate_neurons as simulate_neurons
    from fastslow.sgd.simulation import SGDRun as SGDRun
    from fastslow.sgd.simulation import simulate_sgd as simulate_sgd
    from fastslow.sgd.symmetry import symmetry as symmetry
    from fastslow.sgd.transverse import spread_growth as spread_growth
    from fastslow.sgd.width_diagram import width_diagram as width_diagram
    from fastslow.sgd.window import validity_window as validity_window
    from fastslow.sweeps.phase_map import PhaseMap as PhaseMap
    from fastslow.sweeps.phase_map import phase_map as phase_map
    from fastslow.sweeps.replicas import sgd_ensemble as sgd_ensemble
    from fastslow.systems.activations import HermiteExpansion as HermiteExpansion
    from fastslow.systems.activations import hermite_expansion as hermite_expansion
    from fastslow.systems.classics import fitzhugh_nagumo as fitzhugh_nagumo
    from fastslow.systems.classics import van_der_pol as van_der_pol
    from fastslow.systems.families import axis_of as axis_of
    from fastslow.systems.families import family_of as family_of
    from fastslow.systems.networks import two_layer as two_layer
    from fastslow.systems.polynomials import variables as variables
    from fastslow.systems.presets import PRESETS as PRESETS
    from fastslow.systems.system import FastSlowSystem as FastSlowSystem
    from fastslow.systems.two_layer import TwoLayer as TwoLayer

# Where each public name lives. They are imported at first use, so that `import fastslow` costs nothing.
_HOMES = {
    "Analysis": "fastslow.analysis",
    "Ensemble": "fastslow.ode.ensembles",
    "FastSlowError": "fastslow.errors",
    "FastSlowSystem": "fastslow.systems.system",
    "HermiteExpansion": "fastslow.systems.activations",
    "InputError": "fastslow.errors",
    "LimitCycles": "fastslow.ode.limit_cycles",
    "PRESETS": "fastslow.systems.presets",
    "Batch": "fastslow.batches",
    "PhaseMap": "fastslow.sweeps.phase_map",
    "RecordError": "fastslow.errors",
    "SGDRun": "fastslow.sgd.simulation",
    "Simulation": "fastslow.ode.simulation",
    "TwoLayer": "fastslow.systems.two_layer",
    "Validation": "fastslow.levels.validate",
    "analyze": "fastslow.analysis",
    "axis_of": "fastslow.systems.families",
    "canard_series": "fastslow.bifurcation.canard_series",
    "connections": "fastslow.separatrices.connections",
    "continued": "fastslow.bifurcation.continuation",
    "critical_manifold": "fastslow.manifold.critical_manifold",
    "ensemble": "fastslow.ode.ensembles",
    "entry_exit": "fastslow.scales.entry_exit",
    "family_of": "fastslow.systems.families",
    "finite_width": "fastslow.sgd.finite_width",
    "finite_width_manifold": "fastslow.sgd.finite_width_manifold",
    "finite_width_thresholds": "fastslow.sgd.finite_width_fates",
    "first_order_correction": "fastslow.flow.slow_manifold",
    "fitzhugh_nagumo": "fastslow.systems.classics",
    "gaussian_overlaps": "fastslow.sgd.mean_field",
    "hermite_expansion": "fastslow.systems.activations",
    "integrate": "fastslow.ode.integrate",
    "limit_cycles": "fastslow.ode.limit_cycles",
    "load": "fastslow.records",
    "mean_field": "fastslow.sgd.mean_field",
    "maximal_canard": "fastslow.ode.maximal_canards",
    "orders": "fastslow.scales.convergence",
    "phase_boundary": "fastslow.boundary.phase_boundary",
    "analyses": "fastslow.batches",
    "phase_map": "fastslow.sweeps.phase_map",
    "random_overlaps": "fastslow.sgd.neurons",
    "scaling": "fastslow.scales.scaling",
    "sgd_ensemble": "fastslow.sweeps.replicas",
    "simulate": "fastslow.ode.simulation",
    "simulate_neurons": "fastslow.sgd.neurons",
    "simulate_sgd": "fastslow.sgd.simulation",
    "singular_course": "fastslow.flow.singular_course",
    "spread_growth": "fastslow.sgd.transverse",
    "symmetry": "fastslow.sgd.symmetry",
    "thresholds": "fastslow.separatrices.thresholds",
    "time_scales": "fastslow.scales.timescales",
    "trace_curve": "fastslow.manifold.continuation",
    "two_layer": "fastslow.systems.networks",
    "validate": "fastslow.levels.validate",
    "validity_window": "fastslow.sgd.window",
    "van_der_pol": "fastslow.systems.classics",
    "variables": "fastslow.systems.polynomials",
    "width_diagram": "fastslow.sgd.width_diagram",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fastslow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
