"""The whole way through: from a system and its starts to an analysis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastslow.bifurcation.canard_points import canard_points
from fastslow.errors import InputError
from fastslow.flow.crossings import crossing_reports
from fastslow.flow.flow_graph import FlowGraph, flow_graph
from fastslow.flow.generic_points import excitable_equilibria, fold_reports
from fastslow.flow.relaxation import relaxation_cycles
from fastslow.flow.singular_orbit import Segment, SingularFlow, SingularOrbit
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.ode.limit_cycles import LimitCycles, cycle_at, cycles_of
from fastslow.ode.trajectories import Settling, Trajectory
from fastslow.progress import Progress, counted
from fastslow.results import (
    ArcResult,
    BranchResult,
    FullGraphResult,
    GraphResult,
    ModelResult,
    OrbitResult,
    Point,
    SegmentResult,
    Theory,
    ThresholdResult,
    TrajectoryResult,
    Verdict,
)
from fastslow.separatrices.full_graph import full_graph, joined_to_cycles
from fastslow.separatrices.thresholds import Threshold
from fastslow.systems.exact import Real
from fastslow.systems.model_files import plane_starts, slow_starts, study_from
from fastslow.systems.presets import study_of
from fastslow.systems.system import FastSlowSystem, Start
from fastslow.validation import Comparison, checked_sizes, compare_levels, scale_ratio, window_of

if TYPE_CHECKING:
    import networkx
    from matplotlib.figure import Figure

_MOST_STARTS = 10_000
_KNOWN = 20
"""Trajectories that are computed first, to tell the fates of the basins."""
_MOST_PATHS = 100
"""Trajectories that are kept step by step; of later ones only the ends, so that memory does not grow with them."""


@dataclass(frozen=True)
class Analysis:
    """What is known of a system and its starts; made by `analyze`, read back by `fastslow.load`.

    Attributes
    ----------
    model : ModelResult
        The model, from which `system` is built again.
    branches : tuple of BranchResult
        The critical manifold with its arcs.
    points : tuple of Point
        Special points, infinity and starts.
    flow : GraphResult
        Edges, attractors, basins of the singular limit, cycles.
    orbits : tuple of OrbitResult
        One for each start.
    thresholds : tuple of ThresholdResult
        Where the fate in the full system changes on the line of starts.
    full_flow : FullGraphResult
        Separatrices of the full system, its basins, and how it differs from the singular limit.
    limit_cycles : LimitCycles
        Those of the full system, stable and unstable.
    theory : Theory
        What local theorems say of folds, crossings, relaxation cycles, canards and excitability.
    complete : bool
        Whether every special point is certified and every certificate was met by the traced branches.
    unmatched : tuple of str
        What was left over, in words.
    """

    model: ModelResult
    branches: tuple[BranchResult, ...]
    points: tuple[Point, ...]
    flow: GraphResult
    orbits: tuple[OrbitResult, ...]
    thresholds: tuple[ThresholdResult, ...]
    full_flow: FullGraphResult
    complete: bool
    unmatched: tuple[str, ...] = ()
    limit_cycles: LimitCycles = field(default_factory=LimitCycles)
    theory: Theory = field(default_factory=Theory)
    _system: list[FastSlowSystem] = field(default_factory=list, compare=False, repr=False)

    @property
    def system(self) -> FastSlowSystem:
        """The system, built again from the record where the analysis was loaded."""
        if not self._system:
            self._system.append(study_from(self.model.table).system)
        return self._system[0]

    @cached_property
    def graph(self) -> networkx.MultiDiGraph:
        """The flow graph as a networkx graph: nodes are points, edges slow arcs and jumps."""
        from fastslow.records import to_networkx

        return to_networkx(self)

    def point(self, id: str) -> Point:
        """Return the point of an id."""
        return next(point for point in self.points if point.id == id)

    def of_kind(self, kind: str) -> tuple[Point, ...]:
        """Return the points of a kind: "fold", "equilibrium", "crossing", "infinity", "start"."""
        return tuple(point for point in self.points if point.kind == kind)

    @property
    def alpha_roots(self) -> tuple[Point, ...]:
        """The equilibria on graphs y = h(x), where the slow flow on the branch reverses."""
        graphs = {branch.id for branch in self.branches if branch.shape == "graph"}
        return tuple(point for point in self.of_kind("equilibrium") if point.branch in graphs)

    @property
    def explained(self) -> bool:
        """Whether every disagreement between the levels has a cause that was computed."""
        return all(orbit.explained for orbit in self.orbits)

    def summary(self, width: int = 100) -> str:
        """Return the analysis in words: fates first, then the reasons."""
        from fastslow.summary import plain_summary

        return plain_summary(self, width)

    def plot(self, **options: Any) -> Figure:
        """Return the portrait in the plane of the fast and the slow variable; see ``fastslow.plot.portrait``."""
        from fastslow.plot.portrait import portrait_figure

        return portrait_figure(self, **options)

    def save(self, path: str | Path) -> Path:
        """Write the analysis as a JSON document from which ``fastslow.load`` reads back an equal one."""
        from fastslow.records import save

        return save(self, path)

    def to_graphml(self, path: str | Path) -> Path:
        """Write the flow graph as GraphML."""
        from fastslow.records import save_graph

        return save_graph(self, path)

    def _repr_html_(self) -> str:
        from fastslow.summary import html_summary

        return html_summary(self)


def analyze(
    model: FastSlowSystem | str,
    a0: Real | Sequence[Real] | None = None,
    *,
    starts: Iterable[tuple[Real, Real]] | None = None,
    n: int | None = None,
    d: int | None = None,
    m: int | None = None,
    gamma: float | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a fast-slow system: critical manifold, special points, flow graph, singular orbits, verdicts.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, the name of a preset such as "fig4", or the path of a TOML file.
    a0 : number or sequence of numbers, optional
        Slow coordinates of starts (start_fast, a0); for the two-layer network the initial scale.
    starts : iterable of pairs, optional
        Starts (fast, slow) anywhere in the window.
    n, d, m, gamma : numbers, optional
        Batch size, dimension, width and learning rate (1) of a network: each orbit of the two-layer network then gets
        the window in which two variables speak for SGD; see `validity_window`.
    progress : callable, optional
        Called as progress(starts done, starts) after each start.

    Returns
    -------
    Analysis
        With one orbit for each start; a preset or file brings its own starts where none are given.

    Raises
    ------
    InputError
        If the model or a start cannot be used; nothing long is begun before.

    Examples
    --------
    >>> import fastslow as fs
    >>> result = fs.analyze(fs.TwoLayer(c=[1, 1, 1, 1, 1], c_star=[1, -1, 1, 1, 1]), a0=[5, 9, 10])
    >>> [orbit.verdict.ode for orbit in result.orbits]
    ['learning', 'learning', 'unlearning']
    """
    own: tuple[Start, ...] = ()
    if isinstance(model, str):
        study = study_of(model)
        model, own = study.system, study.starts
    if not isinstance(model, FastSlowSystem):
        raise InputError("model", model, "must be a FastSlowSystem, a preset or a file", 'For example "fig4"')
    given: tuple[Start, ...] = ()
    if a0 is not None:
        given += slow_starts(model, a0)
    if starts is not None:
        given += plane_starts(model, list(starts) if isinstance(starts, Iterable) else starts)
    chosen = given if a0 is not None or starts is not None else own
    if len(chosen) > _MOST_STARTS:
        raise InputError(
            "a0", f"{len(chosen)} starts", f"are more than {_MOST_STARTS}", "Split them over several calls"
        )
    return _analyze(model, chosen, checked_sizes(model, chosen, n=n, d=d, m=m, gamma=gamma), progress)


def _analyze(
    system: FastSlowSystem, starts: tuple[Start, ...], sizes: dict[str, Any], progress: Progress | None
) -> Analysis:
    manifold = critical_manifold(system)
    flow = SingularFlow(manifold)
    orbits = tuple(flow.orbit(start) for start in starts)
    graph = flow_graph(flow, orbits)
    settling = Settling(manifold)
    first = [settling.run(orbit.start) for orbit in orbits[:_KNOWN]]
    cycles = cycles_of(manifold, first)
    full = full_graph(settling, graph.basins, first, cycles.cycles)
    reports: list[OrbitResult] = []
    for k, orbit in counted([*enumerate(orbits)], progress):
        trajectory = first[k] if k < _KNOWN else settling.run(orbit.start)
        comparison = compare_levels(system, orbit, trajectory, graph.basins, full.thresholds, manifold.points)
        report = _orbit(system, orbit, trajectory, comparison, cycles, whole=len(reports) < _MOST_PATHS)
        window = window_of(system, trajectory, orbit.start, sizes) if sizes else None
        reports.append(replace(report, window=window))
    branch_ids = {id(branch.curve): branch.id for branch in manifold.branches}
    points = [entry for point in graph.points for entry in _points(point, branch_ids)]
    return Analysis(
        model=ModelResult(
            system.name,
            system.title,
            system.fast,
            system.slow,
            system.table(),
            system.formula(),
            system.energy_name,
            system.notes,
        ),
        branches=_branches(manifold),
        points=tuple(points),
        flow=_graph(graph),
        orbits=tuple(reports),
        thresholds=tuple(threshold_result(t) for t in full.thresholds),
        full_flow=FullGraphResult(joined_to_cycles(full.edges, cycles.cycles), full.basins, full.differences),
        complete=manifold.complete and all(point.certified for point in points),
        unmatched=manifold.unmatched,
        limit_cycles=cycles,
        theory=_theory(flow),
        _system=[system],
    )


def _theory(flow: SingularFlow) -> Theory:
    system, points = flow.system, flow.manifold.points
    return Theory(
        fold_reports(flow),
        crossing_reports(system, points),
        relaxation_cycles(flow),
        tuple(excitable_equilibria(flow)),
        canard_points(system, points),
    )


def _points(point: SpecialPoint, branch_ids: dict[int, str]) -> list[Point]:
    """Return the entry of a point, and one more for each other kind that it is, marked with `at`."""
    branches = tuple(branch_ids[id(c)] for c in point.curves if id(c) in branch_ids)  # of curves that were followed
    entries = []
    for kind in (point.kind, *point.also):
        first = kind is point.kind
        # A second kind is named by the curve, not by the line that names an equilibrium on it.
        branch = (branches[0] if first else min(branches)) if branches else ""
        entries.append(
            Point(
                id=point.id if first else f"{point.id}/{kind}",
                kind=str(kind),
                x=point.x,
                y=point.y,
                branch=branch,
                branches=branches,
                multiplicity=point.multiplicity.get(kind, 1),
                stability=str(point.stability or "") if kind is Kind.EQUILIBRIUM else "",
                eigenvalues=point.eigenvalues if kind is Kind.EQUILIBRIUM else (),
                certified=point.certified,
                radius=point.radius,
                note=point.note,
                at="" if first else point.id,
            )
        )
    return entries


def _branches(manifold: CriticalManifold) -> tuple[BranchResult, ...]:
    return tuple(
        BranchResult(
            branch.id,
            branch.equation,
            str(branch.curve.shape),
            tuple(
                ArcResult(
                    arc.id,
                    str(arc.stability),
                    arc.start.id,
                    arc.end.id,
                    arc.flow,
                    tuple(arc.x.tolist()),
                    tuple(arc.y.tolist()),
                )
                for arc in branch.arcs
            ),
        )
        for branch in manifold.branches
    )


def _graph(graph: FlowGraph) -> GraphResult:
    return GraphResult(graph.edges, graph.attractors, graph.basins, graph.cycles, graph.tree())


def _orbit(
    system: FastSlowSystem,
    orbit: SingularOrbit,
    trajectory: Trajectory,
    comparison: Comparison,
    cycles: LimitCycles,
    whole: bool,
) -> OrbitResult:
    theorem, reasons = system.theorem(orbit.start)
    energy = trajectory.energy
    kept = slice(None) if whole else slice(None, None, max(len(trajectory.t) - 1, 1))
    path = TrajectoryResult(
        t=tuple(trajectory.t[kept].tolist()),
        x=tuple(trajectory.x[kept].tolist()),
        y=tuple(trajectory.y[kept].tolist()),
        energy=() if energy is None else tuple(energy[kept].tolist()),
        final=trajectory.end,
        node=trajectory.node.id if trajectory.node is not None else "",
        solver=trajectory.solver,
        proof=trajectory.proof,
        time_scale_ratio=scale_ratio(trajectory).value,
        cycle=cycle_at(cycles.cycles, trajectory.x, trajectory.y) if trajectory.oscillates else "",
    )
    return OrbitResult(
        start=(float(orbit.start.fast), float(orbit.start.slow)),
        exact_start=(str(orbit.start.fast), str(orbit.start.slow)),
        verdict=Verdict(theorem, orbit.verdict, trajectory.verdict),
        agree=comparison.agree,
        explained=comparison.explained,
        explanation=comparison.explanation,
        reasons=reasons,
        segments=tuple(_segment(segment) for segment in orbit.segments),
        final=orbit.end,
        node=orbit.node.id if orbit.node is not None else "",
        trajectory=path,
    )


def _segment(segment: Segment) -> SegmentResult:
    return SegmentResult(
        str(segment.kind),
        segment.start,
        segment.end,
        segment.arc.id if segment.arc is not None else "",
        segment.node.id if segment.node is not None else "",
        segment.energy_drop,
        segment.duration,
        segment.delayed,
    )


def threshold_result(threshold: Threshold) -> ThresholdResult:
    """Return a threshold as plain data."""
    return ThresholdResult(
        threshold.y,
        threshold.saddle.id,
        threshold.below,
        threshold.above,
        threshold.below_node,
        threshold.above_node,
        threshold.singular,
        threshold.first_order,
        threshold.note,
    )
