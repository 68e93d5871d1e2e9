"""Many trajectories of one or many systems abreast, on all processors."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastslow.core.lane_blocks import TOO_MANY_STEPS
from fastslow.core.polynomial import FORM
from fastslow.core.polynomial_events import SETTLING
from fastslow.ode.cycle_traps import trap_of
from fastslow.ode.cycles import Turn
from fastslow.ode.trajectories import Settling
from fastslow.progress import Progress
from fastslow.systems.chart import Chart

_MOST_STEPS = 100_000
_PIECE_SECONDS = 0.1
_FIRST_PIECE = 2048
_BLOCK, _LEAST_BLOCKS, _MOST_BLOCKS = 256, 4, 16
"""Starts in a part of a piece, and parts, so that threads that finish early find more to do."""

Charts = list[tuple[Chart | None, NDArray[np.int64]]]
"""Charts, None on an invariant line, and the numbers of the starts in each."""


class Abreast:
    """Runs from N starts of one system.

    Attributes
    ----------
    t, codes, steps : ndarray, shape (N,)
        As ``fastslow.core.lanes.run_lanes`` tells them.
    """

    def __init__(
        self, settling: Settling, charts: Charts, x: NDArray[np.float64], y: NDArray[np.float64], rtol: float
    ) -> None:
        self.settling, self.charts, self.rtol = settling, charts, rtol
        self.t, self.codes, self.steps = np.zeros(len(x)), np.full(len(x), -1), np.zeros(len(x), np.int64)
        self._states = np.stack([x, y], axis=-1)
        for chart, members in charts:
            if chart is not None:
                self._states[members] = chart.to_state(x[members], y[members])
        self._ends: dict[int, tuple[float, float]] = {}

    def follow(self, runs: NDArray[np.int64], time: float, *, stop: bool = True) -> None:
        """Take runs on by some time, or until their fates are known where they are to `stop` there.

        Runs on invariant lines, and those that need their whole paths, count as having too many steps.
        """
        for chart, members in self.charts:
            mine = np.intersect1d(runs, members)
            if not len(mine):
                continue
            if chart is None or self.settling.system.undivided_lines:
                self.codes[mine] = TOO_MANY_STEPS
                continue
            field, ends = self.settling.equations(chart)
            events = np.array([SETTLING, 5.0, 0.0, 0.0, 0.0]) if ends is None else np.asarray(ends.parameters)
            states, system = self._states[mine], np.zeros(len(mine), np.int64)
            t, self.codes[mine], steps = follow(
                field[None], events[None], system, states, time, rtol=self.rtol, stop=stop
            )
            self._states[mine] = states
            self.t[mine] += t
            self.steps[mine] += steps

    def end(self, run: int, place: tuple[float, float], steps: int) -> None:
        """Note where a run ended that was followed otherwise, and how many steps that took."""
        self._ends[run] = place
        self.steps[run] += steps

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the runs are."""
        x, y = self._states.T.copy()
        for chart, members in self.charts:
            if chart is not None:
                x[members], y[members] = chart.from_state(self._states[members])
        for i, place in self._ends.items():
            x[i], y[i] = place
        return x, y

    def in_trap(self, runs: NDArray[np.int64], turn: Turn, verdict: str) -> set[int]:
        """Return which of the runs go to the cycle of a turn, as where they cross a line beside it shows."""
        trap, found = trap_of(self.settling.manifold, turn, verdict), set[int]()
        for chart, members in self.charts:
            mine = np.intersect1d(runs, members)
            if trap is not None and chart is not None and len(mine):
                field, _ = self.settling.equations(chart)
                found |= set(mine[trap.holds(self.settling.system, chart, field, self._states[mine])].tolist())
        return found


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
    from numba import get_num_threads

    from fastslow.core import lane_tables, lane_tapes
    from fastslow.core.lanes import run_lanes

    taped = fields[0, FORM] < 0.0
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
