"""The same integration by scipy's LSODA or Radau, as a second opinion on `fastslow.ode.integrate`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastslow.errors import InputError
from fastslow.ode.solution import (
    Compiled,
    EventHit,
    EventSet,
    FloatArray,
    Solution,
    Status,
    event_parameters,
    sentence,
)

_CALLS_PER_STEP = 20
"""Calls of the field that a step may take before the limit on steps counts as reached."""


class _BudgetError(Exception):
    """The field was called too often; scipy's solvers know no limit."""

    status = Status.MAX_STEPS


class _OutsideError(Exception):
    """The right-hand side is outside its domain; scipy's solvers know no way back from there."""

    status = Status.OUTSIDE


class _EventsOutsideError(Exception):
    """An event function is outside its domain or not finite."""

    status = Status.EVENTS_OUTSIDE


def integrate_by_scipy(
    field: Compiled,
    p: FloatArray,
    start: FloatArray,
    t_span: tuple[float, float],
    options: FloatArray,
    scales: FloatArray,
    output: object,
    times: FloatArray | None,
    events: EventSet | None,
    solver: str,
) -> Solution:
    """Integrate with `scipy.integrate.solve_ivp`; arguments as prepared by `integrate`.

    The limit on steps bounds the calls of the field; that on growth does not apply. Steps are not counted where
    times are requested. Where a limit is reached or the field leaves its domain only the start is returned. A
    "step end" function ends the run at its zero, or at once. Directions of crossings are those that were asked for.
    """
    if solver not in {"LSODA", "Radau"}:
        raise InputError("solver", solver, "must be 'rodas5p', 'LSODA' or 'Radau'")
    from scipy.integrate import solve_ivp

    n = start.shape[0]
    # solve_ivp takes no time twice
    new = None if times is None else np.append(True, np.diff(times) != 0.0)[: times.size]
    slope, jacobian = np.empty(n), np.empty((n, n))

    calls = 0

    def evaluate(u: FloatArray) -> None:
        nonlocal calls
        calls += 1
        if calls > _CALLS_PER_STEP * options[3]:
            raise _BudgetError
        try:
            outside = field(np.ascontiguousarray(u), p, slope, jacobian, True) != 0
        except Exception as error:
            raise _OutsideError(f" ({type(error).__name__}: {error})") from error
        if outside or not np.isfinite(slope).all():
            raise _OutsideError

    def rate(_: float, u: FloatArray) -> FloatArray:
        evaluate(u)
        return slope.copy()

    def rate_jacobian(_: float, u: FloatArray) -> FloatArray:
        evaluate(u)
        return jacobian.copy()

    solve: Any = solve_ivp
    sections = [] if events is None else _sections(events, event_parameters(events, p))
    begin = np.array(t_span[:1])
    try:
        ended = next((i for i, each in enumerate(sections) if each.at_step_end and each(0.0, start) < 0.0), None)
        if ended is not None:
            hit = EventHit(ended, float(t_span[0]), start.copy(), "crossing", -1)
            return _solution(
                begin, start[None], Status.EVENT, (hit,), float(t_span[0]), start, (0, 0), solver, options, scales
            )
        # What a solver warns of shows in its status.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = solve(
                rate,
                t_span,
                start,
                method=solver,
                jac=rate_jacobian,
                rtol=options[0],
                atol=scales[0],
                max_step=options[1],
                t_eval=None if times is None else times[new],
                events=sections or None,
            )
    except (_OutsideError, _EventsOutsideError, _BudgetError) as error:
        return _solution(
            begin,
            start[None],
            error.status,
            (),
            float(t_span[0]),
            start,
            (0, 0),
            solver,
            options,
            scales,
            str(error),
        )
    hits = [
        EventHit(i, float(t), np.array(u), "crossing", int(sections[i].direction))
        for i in range(len(sections))
        for t, u in zip(run.t_events[i], run.y_events[i], strict=True)
    ]
    hits.sort(key=lambda hit: hit.time, reverse=t_span[1] < t_span[0])
    status = (Status.DONE, Status.EVENT, Status.STEP_TOO_SMALL)[run.status]
    # Where it ends before the first requested time, there are empty lists.
    t, u = np.asarray(run.t, dtype=float), np.ascontiguousarray(np.reshape(run.y, (n, -1)).T)
    if new is not None:
        order = np.cumsum(new) - 1
        t, u = (rows[order[order < len(t)]] for rows in (t, u))
    end, state = float(t_span[0]), start
    if status is Status.EVENT:
        end, state = hits[-1].time, hits[-1].state
    elif times is None:
        end, state = float(t[-1]), u[-1]
    elif status is Status.DONE:
        # solve_ivp keeps no final state beside the requested times
        last = integrate_by_scipy(field, p, start, t_span, options, scales, "final", None, None, solver)
        end, state = last.final_time, last.final_state
    steps = len(t) - 1 if times is None else 0
    if isinstance(output, str) and output == "final":
        t, u = t[-1:], u[-1:]
    return _solution(t, u, status, tuple(hits), end, state, (steps, int(run.nfev)), solver, options, scales)


def _solution(
    t: FloatArray,
    u: FloatArray,
    status: Status,
    hits: tuple[EventHit, ...],
    end: float,
    state: FloatArray,
    counts: tuple[int, int],
    solver: str,
    options: FloatArray,
    scales: FloatArray,
    more: str = "",
) -> Solution:
    return Solution(
        t=t,
        u=u,
        status=status,
        sentence=sentence(status, end) + more,
        events=hits,
        final_time=end,
        final_state=state,
        n_steps=counts[0],
        n_rejected=0,
        n_field_calls=counts[1],
        solver=solver,
        rtol=float(options[0]),
        atol=scales[0].copy(),
    )


def _sections(events: EventSet, p: FloatArray) -> list[Any]:
    """One function of (t, u) for each event, with the attributes that scipy reads."""
    settings = events.options()
    values = np.empty(events.count)

    def section(index: int) -> Any:
        def value(_: float, u: FloatArray) -> float:
            if events.function(np.ascontiguousarray(u), p, values) != 0 or not np.isfinite(values[index]):
                raise _EventsOutsideError
            return float(values[index])

        at_step_end = settings[1, index] == 2.0
        value.at_step_end = at_step_end  # type: ignore[attr-defined]
        value.direction = -1.0 if at_step_end else settings[0, index]  # type: ignore[attr-defined]
        value.terminal = bool(settings[1, index])  # type: ignore[attr-defined]
        return value

    return [section(index) for index in range(events.count)]
