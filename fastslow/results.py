"""Results as plain data: what an analysis keeps, saves, prints and draws.

Fields are numbers, text and tuples of them, so that a result can be compared, and saved and read back
exactly. The objects that computed them (exact numbers, compiled curves) stay behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastslow.bifurcation.canard_points import CanardPoint
from fastslow.flow.crossings import CrossingReport
from fastslow.flow.flow_graph import Basin, Edge
from fastslow.flow.generic_points import Excitable, FoldReport
from fastslow.flow.relaxation import RelaxationCycle
from fastslow.separatrices.full_graph import FullEdge


@dataclass(frozen=True)
class Point:
    """A special point; see ``fastslow.manifold.special_points.SpecialPoint`` for the fields.

    `branch` is the id of the branch that names it, `branches` of all that it lies on; `at` is the id of the
    point at the same place that stands for both, where this entry is its second kind.
    """

    id: str
    kind: str
    x: float
    y: float
    branch: str
    branches: tuple[str, ...]
    multiplicity: int
    stability: str
    eigenvalues: tuple[complex, ...]
    certified: bool
    radius: float
    note: str
    at: str

    @property
    def finite(self) -> bool:
        """Whether both coordinates are finite."""
        return math.isfinite(self.y)


@dataclass(frozen=True)
class ArcResult:
    """A piece of a branch between two special points, with its fast stability and slow direction."""

    id: str
    fast_stability: str
    start: str
    end: str
    flow: int
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class BranchResult:
    """A branch of the critical manifold."""

    id: str
    equation: str
    shape: str
    arcs: tuple[ArcResult, ...]


@dataclass(frozen=True)
class SegmentResult:
    """A jump or a drift of a singular orbit; `loss_drop` is None where the model has no energy."""

    kind: str
    start: tuple[float, float]
    end: tuple[float, float]
    arc: str
    node: str
    loss_drop: float | None
    duration: str
    delayed: bool


@dataclass(frozen=True)
class TrajectoryResult:
    """A solution of the full system, at the steps of the integrator, until its fate was known.

    `cycle` is the id of the limit cycle that it goes to.
    """

    t: tuple[float, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    energy: tuple[float, ...]
    final: tuple[float, float]
    node: str
    solver: str
    proof: str
    time_scale_ratio: float
    cycle: str = ""


@dataclass(frozen=True)
class Verdict:
    """The fate of a start at each level."""

    theorem: str
    singular: str
    ode: str


@dataclass(frozen=True)
class WindowResult:
    """Until when the two-variable system speaks for a network of given size; see ``fastslow.sgd.window.Window``.

    Infinite times are those that were not reached until the horizon. `decided` is the time at which the fate of the
    two-variable system was certain.
    """

    n: int
    d: int
    m: int
    gamma: float
    tau: float
    limited_by: str
    times: tuple[tuple[str, float], ...]
    max_transverse_growth: float
    horizon: float
    decided: float

    @property
    def valid(self) -> bool:
        """Whether nothing was found that ends the comparison."""
        return math.isinf(self.tau)

    @property
    def sentence(self) -> str:
        """The window in words."""
        size = f"n = {self.n:g}, d = {self.d:g}, m = {self.m:g}, gamma = {self.gamma:g}"
        if self.valid:
            return f"With {size} nothing was found that ends a comparison with SGD, until τ = {self.horizon:.4g}"
        until = f"τ = {self.tau:.4g} ({self.tau * self.m / self.gamma:.3g} steps)"
        early = f"; the fate above is certain only at τ = {self.decided:.4g} and need not be the network's"
        later = early if self.tau < self.decided else "; then a network of this size goes another way"
        return f"With {size} two variables speak for SGD only until {until}, limited by {self.limited_by}{later}"

    def document(self) -> dict[str, Any]:
        """Return the window as JSON, null for infinite times."""
        plain = {name: value for name, value in vars(self).items() if name != "times"}
        times = {name: _finite(time) for name, time in self.times}
        return {**plain, "tau": _finite(self.tau), "limited_by": self.limited_by or None, "times": times}

    @classmethod
    def of(cls, document: dict[str, Any]) -> WindowResult:
        """Return the window of a JSON document."""
        times = tuple((name, math.inf if t is None else t) for name, t in document["times"].items())
        tau = math.inf if document["tau"] is None else document["tau"]
        return cls(**{**document, "tau": tau, "limited_by": document["limited_by"] or "", "times": times})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class OrbitResult:
    """One start: its verdicts, whether they agree and why not, its staircase and its trajectory.

    `exact_start` is the start as exact text; `window` is None unless the size of a network was given.
    """

    start: tuple[float, float]
    exact_start: tuple[str, str]
    verdict: Verdict
    agree: bool
    explained: bool
    explanation: str
    reasons: tuple[str, ...]
    segments: tuple[SegmentResult, ...]
    final: tuple[float, float]
    node: str
    trajectory: TrajectoryResult
    window: WindowResult | None = None


@dataclass(frozen=True)
class ThresholdResult:
    """A start on the stable manifold of a saddle of the full system, or on an unstable cycle, `saddle` being its id.

    See ``fastslow.separatrices.thresholds.Threshold`` for the fields.
    """

    y: float
    saddle: str
    below: str
    above: str
    below_node: str
    above_node: str
    singular: float | None
    first_order: float | None
    note: str


@dataclass(frozen=True)
class GraphResult:
    """The flow graph as plain data; ``Analysis.graph`` is the networkx graph."""

    edges: tuple[Edge, ...]
    attractors: tuple[str, ...]
    basins: tuple[Basin, ...]
    cycles: tuple[tuple[str, ...], ...]
    tree: str


@dataclass(frozen=True)
class FullGraphResult:
    """The flow graph of the full system; see ``fastslow.separatrices.full_graph.FullGraph`` for the fields."""

    edges: tuple[FullEdge, ...]
    basins: tuple[Basin, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Theory:
    """What the geometric theory of planar fast-slow systems says of the model.

    Attributes
    ----------
    folds, crossings : tuple
        Generic conditions at each, and where orbits go from there.
    relaxation_cycles : tuple of RelaxationCycle
        Closed singular orbits with their periods.
    excitable : tuple of Excitable
        Rests from which a kick makes a long excursion.
    canards : tuple of CanardPoint
        Canard and singular Hopf points that one parameter of the model leads to.
    """

    folds: tuple[FoldReport, ...] = ()
    crossings: tuple[CrossingReport, ...] = ()
    relaxation_cycles: tuple[RelaxationCycle, ...] = ()
    excitable: tuple[Excitable, ...] = ()
    canards: tuple[CanardPoint, ...] = ()


@dataclass(frozen=True)
class ModelResult:
    """The model: `table` is what a model file would say, from which it is built again exactly."""

    name: str
    title: str
    fast: tuple[str, ...]
    slow: tuple[str, ...]
    table: dict[str, Any]
    formula: tuple[str, str]
    energy_name: str
    notes: tuple[str, ...]
