"""Ensembles: the fates of very many starts of one system."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.core.lane_blocks import REACHED_END
from fastslow.core.polynomial import polynomial_field
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind, Stability
from fastslow.ode.abreast import Abreast, Charts
from fastslow.ode.integrate import integrate
from fastslow.ode.limit_cycles import cycle_at, cycles_of
from fastslow.ode.solution import LEAST_RTOL, number, real_numbers
from fastslow.ode.trajectories import Settling
from fastslow.ode.undivided import lost_line, told
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem, Start

_UNDECIDED = "undecided"


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Where N starts (x0, y0) went.

    Attributes
    ----------
    x0, y0 : ndarray, shape (N,)
        The starts.
    t, x, y : ndarray, shape (N,)
        The time and place at which each run ended: where its fate was known, or at the end of time. Not a number
        where rounding decides the state at the end of time (`elsewhere` says why).
    node : ndarray of int, shape (N,)
        Index into `nodes` of the point where each ends; -1 where that is not known.
    nodes : tuple of str
        Ids of the attractors, infinity included.
    fates : tuple of str
        The fate that each of `nodes` means.
    steps : ndarray of int, shape (N,)
        Steps tried.
    again : int
        How many runs were not decided by the ensemble kernel and were followed one by one.
    elsewhere : dict
        The fates in words of starts, by their number, that end at no point: cycles, and exits from the window.
    """

    system: FastSlowSystem = field(repr=False)
    x0: NDArray[np.float64]
    y0: NDArray[np.float64]
    t: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    node: NDArray[np.int64]
    nodes: tuple[str, ...]
    fates: tuple[str, ...]
    steps: NDArray[np.int64]
    again: int
    elsewhere: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def fate(self) -> NDArray[np.str_]:
        """The fate of each start in words; "undecided" where it is not known."""
        words = list(dict.fromkeys(self.elsewhere.values()))
        index = np.where(self.node < 0, len(self.fates) + len(words), self.node)
        for i, word in self.elsewhere.items():
            index[i] = len(self.fates) + words.index(word)
        return np.array([*self.fates, *words, _UNDECIDED])[index]

    def unreached(self) -> tuple[str, ...]:
        """Return the ids of attractors to which no start went, of an ensemble that was followed to its fates.

        These are stable equilibria, and stable limit cycles as `limit_cycles` finds and numbers them by their return
        maps, whatever the starts. A basin that is thinner than the spacing of the starts shows here.
        """
        manifold = critical_manifold(self.system)
        reached = {self.nodes[k] for k in self.node if k >= 0}
        stable = [p.id for p in manifold.of_kind(Kind.EQUILIBRIUM) if p.stability is Stability.STABLE]
        cycles = [cycle for cycle in cycles_of(manifold).cycles if cycle.stability == "stable"]
        turning = [i for i, word in self.elsewhere.items() if word.endswith("oscillation")]
        reached |= {cycle_at(cycles, self.x[i : i + 1], self.y[i : i + 1]) for i in turning}
        return tuple(id for id in (*stable, *(cycle.id for cycle in cycles)) if id not in reached)


def ensemble(
    system: FastSlowSystem | Settling | str,
    y0: ArrayLike,
    x0: ArrayLike | None = None,
    *,
    tau: float | None = None,
    rtol: float = 1e-8,
) -> Ensemble:
    """Follow N starts of the full system at once, some hundred thousand in a second.

    Parameters
    ----------
    system : FastSlowSystem, Settling or str
        A system, a preset or a file; a Settling, if one is at hand, saves the analysis of the critical manifold.
    y0 : array_like
        Slow coordinates of the starts.
    x0 : array_like, optional
        Fast coordinates, one or as many; on the line of starts unless given.
    tau : float, optional
        Follow each start to this time and give the state there; unless given, each run ends as soon as its
        fate is proved, as in `Settling.run`.
    rtol : float
        Relative tolerance of the steps.

    Raises
    ------
    InputError
        For starts that are not finite, not in the window or on an invariant line, or a time or tolerance that
        cannot be used.

    Notes
    -----
    Runs that the kernel (``fastslow.core.lanes``) leaves undecided (the end of time, too many steps, a step too small)
    are followed again by `Settling.run`, with all its means; what that finds of one (a cycle, patience that pays)
    decides others. Systems with invariant lines that cannot be divided out of f are followed one by one.

    Each start has its own fate; a basin with no start in it is not seen: see ``Ensemble.unreached``.
    """
    model = system.system if isinstance(system, Settling) else system_of(system)
    starts_x, starts_y = _starts(model, x0, y0)
    tau = None if tau is None else number("tau", tau)
    if tau is not None and not 0.0 < tau < np.inf:
        raise InputError("tau", tau, "must be positive and finite")
    rtol = number("rtol", rtol)
    if not LEAST_RTOL <= rtol < 1.0:
        raise InputError("rtol", rtol, f"must be from {LEAST_RTOL:g} to below 1")
    charts = _by_chart(model, starts_x, starts_y)
    if tau is not None and (on_line := [members[0] for chart, members in charts if chart is None]):
        raise InputError("x0", float(starts_x[on_line[0]]), "must not be on an invariant line where tau is given")
    settling = system if isinstance(system, Settling) else Settling(critical_manifold(model))
    nodes = [*settling.targets, *(tail.node for tail in settling.tails)]
    names = list(dict.fromkeys(point.id for point in nodes))
    fates = {point.id: settling.flow.fate_of(point) for point in nodes}
    runs = Abreast(settling, charts, starts_x, starts_y, rtol)
    everyone = np.arange(len(starts_y))
    runs.follow(everyone, tau or settling.horizon, stop=tau is None)
    alone: dict[int, str] = {}  # the node of each run that was followed by itself, or no node
    elsewhere: dict[int, str] = {}
    open_ = everyone[runs.codes < (0 if tau is None else REACHED_END)].tolist()
    if tau is None:
        open_ = sorted({*open_, *_beyond_centers(settling, runs, starts_x)})
    longer = False
    while open_:
        i = open_.pop(0)
        start = Start(Fraction(starts_x[i]), Fraction(starts_y[i]))
        alone[i] = ""
        if tau is not None:
            runs.t[i], end, taken, lost = _alone(model, start, tau, rtol)
            runs.end(i, (np.nan, np.nan) if lost else end, taken)
            if lost:
                elsewhere[i] = f"{_UNDECIDED}: {lost}"
            continue
        one = settling.run(start)
        runs.t[i] = one.final_time
        runs.end(i, one.end, len(one.t))
        if one.node is not None and not one.undecided:
            alone[i] = one.node.id
            fates.setdefault(one.node.id, one.verdict)
        elif not one.undecided:
            elsewhere[i] = one.verdict
        # What is found out of one run may decide the others that came to the end of time.
        late = np.array([j for j in open_ if runs.codes[j] == REACHED_END], dtype=np.int64)
        if one.oscillates and len(late):
            same = runs.in_trap(late, *settling.oscillations[-1])
            elsewhere |= dict.fromkeys(same, one.verdict)
            open_ = [j for j in open_ if j not in same]
        elif len(late) and not longer and model.energy_polynomial is None and runs.codes[i] == REACHED_END:
            longer = True
            runs.follow(late, (settling.patience - 1.0) * settling.horizon)
            beyond = _beyond_centers(settling, runs, starts_x)
            open_ = [j for j in open_ if runs.codes[j] < 0 or j in beyond]
    names += [name for name in fates if name not in names]
    index = np.array([*(names.index(point.id) for point in nodes), -1])
    node = index[np.where((runs.codes >= 0) & (runs.codes < len(nodes)), runs.codes, -1)]
    for i, name in alone.items():
        node[i] = names.index(name) if name else -1
    if tau is None:
        # The events behind those of the nodes are the edges of the window.
        for i in np.flatnonzero(runs.codes >= len(nodes)).tolist():
            if i not in alone:
                elsewhere[i] = f"leaves the window of {model.edge_left(int(runs.codes[i]) - len(nodes))}"
    x, y = runs.places()
    return Ensemble(
        system=model,
        x0=starts_x,
        y0=starts_y,
        t=runs.t,
        x=x,
        y=y,
        node=node,
        nodes=tuple(names),
        fates=tuple(fates[name] for name in names),
        steps=runs.steps,
        again=len(alone),
        elsewhere=elsewhere,
    )


def _beyond_centers(settling: Settling, runs: Abreast, x0: NDArray[np.float64]) -> set[int]:
    """Return the runs that came to a degenerate equilibrium on a side on which its flow leaves."""
    found: set[int] = set()
    leaving = {k: settling.centers[p.id] for k, p in enumerate(settling.targets) if p.id in settling.centers}
    x, y = runs.places() if leaving else (x0, x0)
    for k, center in leaving.items():
        if any(center.leaves(side) for side in center.arcs):
            for i in np.flatnonzero(runs.codes == k).tolist():
                if center.leaves(center.side(float(x[i]), float(y[i]), float(x0[i]))):
                    found.add(i)
    return found


def _starts(system: FastSlowSystem, x0: ArrayLike | None, y0: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    y = np.atleast_1d(real_numbers("y0", y0))
    x = real_numbers("x0", float(system.start_fast) if x0 is None else x0)
    try:
        x, y = np.broadcast_arrays(x, y)
    except ValueError:
        raise InputError("x0", x.shape, f"must be one number or have the shape {y.shape} of y0") from None
    if y.ndim != 1:
        raise InputError("y0", y.shape, "must be one-dimensional", "Use .ravel(), and .reshape() on the results")
    if not len(y):
        raise InputError("y0", [], "must have a start", "Give at least one number")
    for name, values in (("x0", x), ("y0", y)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InputError(f"{name}[{bad[0]}]", float(values[bad[0]]), "must be finite")
    # What each start must satisfy depends on the system; the extremes and those nearest to zero can fail.
    for i in {int(f(v)) for v in (x, y) for f in (np.argmin, np.argmax, lambda v: np.argmin(np.abs(v)))}:
        system.check_start(Start(Fraction(x[i]), Fraction(y[i])))
    return x.copy(), y.copy()


def _by_chart(system: FastSlowSystem, x: NDArray[np.float64], y: NDArray[np.float64]) -> Charts:
    """Return the charts and the numbers of the starts in each."""
    places = []
    for exact, values in ((system.invariant_lines, x), (system.slow_lines, y)):
        lines = np.array([float(line) for line in exact])
        places.append(np.searchsorted(lines, values, "left") + np.searchsorted(lines, values, "right"))
    place = places[0] * (2 * len(system.slow_lines) + 1) + places[1]
    groups = [np.flatnonzero(place == value) for value in np.unique(place)]
    return [(system.chart_of(Fraction(x[group[0]]), Fraction(y[group[0]])), group) for group in groups]


def _alone(
    system: FastSlowSystem, start: Start, tau: float, rtol: float
) -> tuple[float, tuple[float, float], int, str]:
    """Follow one start to a time; (time reached, state there, steps, why the state is not known)."""
    chart = system.chart_of(start.fast, start.slow)
    assert chart is not None  # refused before
    state = chart.state_of(start.fast, start.slow)
    whole: Literal["steps", "final"] = "steps" if system.undivided_lines else "final"
    run = integrate(
        polynomial_field, system.field_parameters(chart), state, (0.0, tau), rtol=rtol, atol=0.1 * rtol, output=whole
    )
    line = lost_line(system, *chart.from_state(run.u)) if system.undivided_lines else None
    why = "" if line is None else told(system, line)
    x, y = chart.from_state(run.final_state)
    return run.final_time, (float(x), float(y)), run.n_steps, why
