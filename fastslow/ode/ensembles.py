"""Ensembles: the fates of very many starts of one system."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.core.lane_blocks import REACHED_END, TOO_MANY_STEPS
from fastslow.core.polynomial import FACTORS, polynomial_field
from fastslow.core.polynomial_events import SETTLING
from fastslow.errors import InputError
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.ode.cycle_traps import trap_of
from fastslow.ode.integrate import integrate
from fastslow.ode.solution import LEAST_RTOL, number, real_numbers
from fastslow.ode.trajectories import Settling
from fastslow.ode.undivided import lost_line, told
from fastslow.progress import Progress
from fastslow.systems.chart import Chart
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem, Start

_MOST_STEPS = 100_000
_PIECE_SECONDS = 0.1
_FIRST_PIECE = 2048
_BLOCK, _LEAST_BLOCKS, _MOST_BLOCKS = 256, 4, 16
"""Starts in a part of a piece, and parts, so that threads that finish early find more to do."""
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
    The kernel (``fastslow.core.lanes``) serves fields that are at most quadratic in y between invariant lines or
    in the plane; other systems are followed one by one. Runs that it leaves undecided (too many steps, a step
    too small) are followed again by `Settling.run`, with all its means.
    """
    model = system.system if isinstance(system, Settling) else system_of(system)
    starts_x, starts_y = _starts(model, x0, y0)
    tau = None if tau is None else number("tau", tau)
    if tau is not None and not 0.0 < tau < np.inf:
        raise InputError("tau", tau, "must be positive and finite")
    rtol = number("rtol", rtol)
    if not LEAST_RTOL <= rtol < 1.0:
        raise InputError("rtol", rtol, f"must be from {LEAST_RTOL:g} to below 1")
    charts = _by_chart(model, starts_x)
    if tau is not None and (on_line := [members[0] for chart, members in charts if chart is None]):
        raise InputError("x0", float(starts_x[on_line[0]]), "must not be on an invariant line where tau is given")
    settling = system if isinstance(system, Settling) else Settling(critical_manifold(model))
    nodes = [*settling.targets, *(tail.node for tail in settling.tails)]
    count = len(starts_y)
    t, codes, steps = np.zeros(count), np.full(count, -1), np.zeros(count, np.int64)
    ends = np.stack([starts_x, starts_y], axis=-1)
    for chart, members in charts:
        if chart is None or not _abreast(model, chart):
            codes[members] = TOO_MANY_STEPS
            continue
        states = chart.to_state(starts_x[members], starts_y[members])
        t[members], codes[members], steps[members] = _run(settling, chart, states, tau, rtol)
        ends[members] = np.stack(chart.from_state(states), axis=-1)
    again = np.flatnonzero(codes < (0 if tau is None else REACHED_END))
    names = list(dict.fromkeys(point.id for point in nodes))
    index = np.array([*(names.index(point.id) for point in nodes), -1])
    node = index[np.where((codes >= 0) & (codes < len(nodes)), codes, -1)]
    fates = {point.id: settling.flow.fate_of(point) for point in nodes}
    again = np.union1d(again, _beyond_centers(settling, codes, starts_x, ends)) if tau is None else again
    # The events behind those of the nodes are the edges of the window.
    left = np.flatnonzero((codes >= len(nodes)) & (tau is None)).tolist()
    elsewhere = {i: f"leaves the window of {model.edge_left(int(codes[i]) - len(nodes))}" for i in left}
    trapped: set[int] = set()
    for i in again.tolist():
        if i in trapped:
            continue
        start = Start(Fraction(starts_x[i]), Fraction(starts_y[i]))
        if tau is not None:
            t[i], ends[i], taken, lost = _alone(model, start, tau, rtol)
            steps[i] += taken
            if lost:
                ends[i], elsewhere[i] = np.nan, f"{_UNDECIDED}: {lost}"
            continue
        one = settling.run(start)
        t[i], ends[i], steps[i] = one.final_time, one.end, steps[i] + len(one.t)
        node[i] = -1
        if one.node is not None and not one.undecided:
            if one.node.id not in names:
                names.append(one.node.id)
                fates[one.node.id] = one.verdict
            node[i] = names.index(one.node.id)
        elif not one.undecided:
            elsewhere[i] = one.verdict
            if one.oscillates:
                others = [j for j in again.tolist() if j > i and j not in trapped and codes[j] == REACHED_END]
                same = _trapped(settling, charts, np.array(others, dtype=np.int64), ends)
                elsewhere |= dict.fromkeys(same, one.verdict)
                trapped |= set(same)
    return Ensemble(
        system=model,
        x0=starts_x,
        y0=starts_y,
        t=t,
        x=ends[:, 0],
        y=ends[:, 1],
        node=node,
        nodes=tuple(names),
        fates=tuple(fates[name] for name in names),
        steps=steps,
        again=len(again) - len(trapped),
        elsewhere=elsewhere,
    )


def _trapped(
    settling: Settling,
    charts: list[tuple[Chart | None, NDArray[np.int64]]],
    runs: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> list[int]:
    """Return which runs that were followed to the end of time go to the cycle that was found last."""
    trap = trap_of(settling.manifold, *settling.oscillations[-1])
    if trap is None:
        return []
    found: list[int] = []
    for chart, members in charts:
        mine = np.intersect1d(runs, members)
        if chart is not None and len(mine):
            states = chart.to_state(*ends[mine].T)
            found += mine[trap.holds(settling.system, chart, settling.equations(chart)[0], states)].tolist()
    return found


def _beyond_centers(
    settling: Settling, codes: NDArray[np.int64], x0: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the runs that came to a degenerate equilibrium on a side on which its flow leaves."""
    found = [np.empty(0, np.int64)]
    for k, point in enumerate(settling.targets):
        center = settling.centers.get(point.id)
        if center is not None and any(center.leaves(side) for side in center.arcs):
            at = np.flatnonzero(codes == k)
            sides = [center.side(*map(float, (*ends[i], x0[i]))) for i in at]
            found.append(at[[center.leaves(side) for side in sides]] if len(at) else at)
    return np.concatenate(found)


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


def _by_chart(system: FastSlowSystem, x: NDArray[np.float64]) -> list[tuple[Chart | None, NDArray[np.int64]]]:
    """Return the charts and the numbers of the starts in each."""
    lines = np.array([float(line) for line in system.invariant_lines])
    place = np.searchsorted(lines, x, "left") + np.searchsorted(lines, x, "right")
    groups = [np.flatnonzero(place == value) for value in np.unique(place)]
    return [(system.chart_of(Fraction(x[group[0]])), group) for group in groups]


def _abreast(system: FastSlowSystem, chart: Chart) -> bool:
    return not system.undivided_lines and system.field_parameters(chart)[FACTORS] <= 0.0


def _alone(
    system: FastSlowSystem, start: Start, tau: float, rtol: float
) -> tuple[float, tuple[NDArray[np.float64], NDArray[np.float64]], int, str]:
    """Follow one start to a time; (time reached, state there, steps, why the state is not known)."""
    chart = system.chart_of(start.fast)
    assert chart is not None  # refused before
    state = chart.to_state(float(start.fast), float(start.slow))
    whole: Literal["steps", "final"] = "steps" if system.undivided_lines else "final"
    run = integrate(
        polynomial_field, system.field_parameters(chart), state, (0.0, tau), rtol=rtol, atol=0.1 * rtol, output=whole
    )
    line = lost_line(system, *chart.from_state(run.u)) if system.undivided_lines else None
    why = "" if line is None else told(system, line)
    return run.final_time, chart.from_state(run.final_state), run.n_steps, why


def _run(
    settling: Settling, chart: Chart, states: NDArray[np.float64], tau: float | None, rtol: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Follow states of one system, in place; (times, codes, steps)."""
    field, ends = settling.equations(chart)
    events = np.array([SETTLING, 5.0, 0.0, 0.0, 0.0]) if ends is None else np.asarray(ends.parameters)
    system = np.zeros(len(states), np.int64)
    end = tau or settling.horizon
    return follow(field[None], events[None], system, states, end, rtol=rtol, stop=tau is None)


def follow(
    fields: NDArray[np.float64],
    events: NDArray[np.float64],
    system: NDArray[np.int64],
    states: NDArray[np.float64],
    end: float,
    *,
    rtol: float,
    stop: bool = True,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Follow states of many systems, in place, in pieces of a size that leaves Ctrl-C a chance.

    Parameters
    ----------
    fields, events : ndarray, shapes (S, np) and (S, ne)
        Parameters of ``polynomial_field``, all in one chart, and of ``settling_events``.
    system : ndarray of int, shape (N,)
        The system of each state.
    states : ndarray, shape (N, 2)
        The starts in the chart; at the return the last states.
    end : float
        The time to follow them to.
    stop : bool
        Whether a run ends when an event function is negative.

    Returns
    -------
    times, codes, steps : ndarray, shape (N,)
        As ``fastslow.core.lanes.run_lanes`` tells them.
    """
    from concurrent.futures import ThreadPoolExecutor

    from numba import get_num_threads

    from fastslow.core import lane_tables, lane_tapes
    from fastslow.core.lanes import run_lanes

    taped = fields[0, FACTORS] < 0.0
    equations = (
        (lane_tapes.tape_values, lane_tapes.tape_derivatives)
        if taped
        else (lane_tables.table_values, lane_tables.table_derivatives)
    )
    options = np.array([rtol, 0.1 * rtol, end, _MOST_STEPS, float(stop)])
    count = len(states)
    t, codes, steps = np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.int64)

    def run(low: int, high: int) -> None:
        part = slice(low, high)
        run_lanes(*equations, fields, events, system[part], options, states[part], t[part], codes[part], steps[part])

    low, piece = 0, _FIRST_PIECE
    with ThreadPoolExecutor(get_num_threads()) as threads:
        while low < count:
            high = min(low + piece, count)
            begin = time.perf_counter()
            cuts = np.linspace(low, high, 1 + min(_MOST_BLOCKS, max(_LEAST_BLOCKS, (high - low) // _BLOCK))).astype(int)
            list(threads.map(run, cuts[:-1], cuts[1:]))
            low = high
            if progress is not None:
                progress(low, count)
            piece = int(piece * min(4.0, max(0.25, _PIECE_SECONDS / (time.perf_counter() - begin + 1e-6)))) + 1
    return t, codes, steps
