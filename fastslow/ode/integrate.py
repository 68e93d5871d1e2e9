"""Direct integration of u' = F(u; p): adaptive Rodas5P with located events, one trajectory or many.

The kernels are in `fastslow.core.rosenbrock` and are loaded at the first call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastslow.errors import InputError
from fastslow.ode.compiled_checks import check_events, check_field
from fastslow.ode.solution import (
    FIRST_PIECE,
    STATUSES,
    BatchSolution,
    Compiled,
    EventHit,
    EventSet,
    FloatArray,
    Limits,
    Solution,
    Status,
    check_size,
    event_parameters,
    output_times,
    own_parameters,
    plan,
    sentence,
    table,
    vector,
)

__all__ = ["BatchSolution", "EventHit", "EventSet", "Limits", "Solution", "Status", "integrate", "integrate_batch"]

MOST_PIECE = 1_000_000
PIECE_SECONDS = 0.1
"""Work between two chances for Ctrl-C; a piece may take up to twice this."""
BATCH_CHUNK = 1024
SPARE_HITS = 32


def integrate(
    field: Compiled,
    parameters: ArrayLike,
    start: ArrayLike,
    t_span: tuple[float, float],
    *,
    rtol: float = 1e-10,
    atol: ArrayLike = 1e-12,
    output: Literal["steps", "final"] | ArrayLike = "steps",
    events: EventSet | None = None,
    limits: Limits | None = None,
    solver: Literal["rodas5p", "LSODA", "Radau"] = "rodas5p",
) -> Solution:
    """Integrate u' = F(u; p) from `start` over `t_span`, forward or backward.

    Parameters
    ----------
    field : compiled function of type FIELD
        ``field(u, p, du, jacobian, with_jacobian) -> 0``, or a positive number outside its domain; compiled with
        ``numba.njit(FIELD.signature)``, FIELD from ``fastslow.core.signatures``.
    parameters : array_like, shape (np,)
        Parameters p of the field.
    start : array_like, shape (n,)
        State at the start, in the units of the field.
    t_span : (float, float)
        Start and end; the end may be smaller.
    rtol : float
        Relative tolerance of each component in one step, from 1e-14 to below 1.
    atol : float or array_like, shape (n,)
        Absolute tolerance, positive, in the units of the components.
    output : "steps", "final" or times
        The start and each accepted step; the end only; or the given times, by dense output of order 4 (their
        error may be some ten times that of the steps).
    events : EventSet, optional
        Functions whose zeros are located; crossings with the accuracy of the steps.
    limits : Limits, optional
        Bounds on steps and growth.
    solver : "rodas5p", "LSODA" or "Radau"
        The last two are scipy's, as a second opinion; they know no tangential zeros and no growth limit.

    Returns
    -------
    Solution
        Also where the run ended early: see its `status` and `sentence`. An exception that the field raises within the
        run ends it, and its sentence says so; a field that returns 1 outside its domain is tried with a shorter step.

    Raises
    ------
    InputError
        For an argument that cannot be used, a field without its Jacobian, and one for more unknowns or parameters.

    Notes
    -----
    G. Steinebach, BIT Numer. Math. 63:27 (2023): Rosenbrock method of order 5, stiffly accurate, L-stable.
    """
    u = vector("start", start)
    p = vector("parameters", parameters)
    n = u.shape[0]
    check_size("start", n)
    clock, options, scales = plan(n, t_span, rtol, atol, limits or Limits())
    begin = float(clock[0])
    wanted = output_times(output, begin, float(clock[1]))
    event_p = event_parameters(events, p)
    if not _built_in(field, events, n):
        _check_compiled(field, p, events, event_p, u)
    if wanted is not None and clock[0] == clock[1]:
        # no step that dense output could be of
        at_once = integrate(
            field, p, u, t_span, rtol=rtol, atol=atol, output="final", events=events, limits=limits, solver=solver
        )
        return replace(at_once, t=wanted, u=np.tile(at_once.final_state, (len(wanted), 1)))
    if solver != "rodas5p":
        from fastslow.ode.second_opinion import integrate_by_scipy

        return integrate_by_scipy(
            field, p, u, (begin, float(clock[1])), options, scales, output, wanted, events, solver
        )

    from fastslow.core import rosenbrock as kernel

    event_options = np.zeros((3, 0)) if events is None else events.options()
    advance = _kernel(field, events, n)
    m = event_options.shape[1]
    memory = np.zeros((2, m))
    hits = np.empty((_room(m), 4 + n))
    counters = np.zeros(8, np.int64)
    every_step = isinstance(output, str) and output == "steps"
    options[kernel.OUTPUT] = (
        kernel.AT_TIMES if wanted is not None else kernel.EVERY_STEP if every_step else kernel.FINAL_STATE
    )
    times = wanted if wanted is not None else np.empty(0)
    rows = np.empty((times.shape[0] if wanted is not None else FIRST_PIECE if every_step else 0, 1 + n))
    kept = [np.concatenate(([begin], u))[None]] if every_step else []
    found: list[EventHit] = []

    raised: list[str] = []

    def work() -> int:
        arrays = (p, event_p, u, clock, counters, options, scales, times, rows, event_options, memory, hits)
        try:
            code = advance(*arrays)
        except InputError:
            raise
        except Exception as error:
            # of the field's own: its arrays are as the last accepted step left them
            raised.append(f" ({type(error).__name__}: {error})")
            code = kernel.OUTSIDE
        if every_step:
            kept.append(rows[: counters[kernel.ROWS]].copy())
            counters[kernel.ROWS] = 0
        found.extend(_hit(row) for row in hits[: counters[kernel.HITS]])
        counters[kernel.HITS] = 0
        return code

    code = _in_pieces(work, options, kernel.PIECE_STEPS, kernel.PAUSED)
    if every_step:
        path = np.concatenate(kept)
    elif wanted is None:
        path = np.concatenate((clock[:1], u))[None]
    else:
        path = rows[: counters[kernel.ROWS]]
    status = STATUSES[code]
    return Solution(
        t=np.ascontiguousarray(path[:, 0]),
        u=np.ascontiguousarray(path[:, 1:]),
        status=status,
        sentence=sentence(status, clock[0]) + "".join(raised),
        events=tuple(found),
        final_time=float(clock[0]),
        final_state=u,
        n_steps=int(counters[kernel.ACCEPTED]),
        n_rejected=int(counters[kernel.REJECTED]),
        n_field_calls=int(counters[kernel.FIELD_CALLS]),
        solver="rodas5p",
        rtol=float(rtol),
        atol=scales[0].copy(),
    )


def integrate_batch(
    field: Compiled,
    parameters: ArrayLike,
    starts: ArrayLike,
    t_span: tuple[float, float],
    *,
    rtol: float = 1e-10,
    atol: ArrayLike = 1e-12,
    events: EventSet | None = None,
    limits: Limits | None = None,
) -> BatchSolution:
    """Integrate from N starts in parallel; each trajectory equals that of `integrate` bit for bit.

    Parameters
    ----------
    field, t_span, rtol, atol, events, limits
        As for `integrate`; `events.parameters` may have one row for each start.
    parameters : array_like, shape (np,), (1, np) or (N, np)
        Parameters p of the field, for all or for each.
    starts : array_like, shape (N, n)
        States at the start.

    Returns
    -------
    BatchSolution
        A trajectory that ends early says so in its own status and leaves the others alone.

    Raises
    ------
    InputError
        For an argument that cannot be used.
    """
    u = table("starts", starts, None)
    count, n = u.shape
    p = table("parameters", parameters, count)
    own = own_parameters(events)
    event_p = p if own is None else table("events.parameters", own, count)
    check_size("starts", n)
    first_clock, options, scales = plan(n, t_span, rtol, atol, limits or Limits())
    if count > 0 and not _built_in(field, events, n):
        _check_compiled(field, p[0], events, event_p[0], u[0])

    from fastslow.core import rosenbrock as kernel

    event_options = np.zeros((3, 0)) if events is None else events.options()
    m = event_options.shape[1]
    advance = _kernel(field, events, n, batch=True)
    clock = np.tile(first_clock, (count, 1))
    counters = np.zeros((count, 8), np.int64)
    status = np.full(count, kernel.PAUSED, np.int64)
    memory = np.zeros((count, 2, m))
    found: list[list[EventHit]] = [[] for _ in range(count)]
    options[kernel.OUTPUT] = kernel.FINAL_STATE
    hits = np.empty((min(count, BATCH_CHUNK), _room(m), 4 + n))
    for low in range(0, count, BATCH_CHUNK):
        part = slice(low, min(low + BATCH_CHUNK, count))

        def go(some: slice, base: int = low) -> None:
            rows = (p if p.shape[0] == 1 else p[some], event_p if event_p.shape[0] == 1 else event_p[some])
            advance(
                *rows, u[some], clock[some], counters[some], options, scales,
                event_options, memory[some], hits[some.start - base : some.stop - base], status[some],
            )  # fmt: skip

        def work(part: slice = part, go: Callable[[slice], None] = go) -> int:
            try:
                go(part)
            except InputError:
                raise
            except Exception:
                # a field's own, in one of them: one by one, to see in which
                for at in part.start + np.flatnonzero(status[part] == kernel.PAUSED):
                    try:
                        go(slice(at, at + 1))
                    except Exception:
                        status[at] = kernel.OUTSIDE
            for i in np.flatnonzero(counters[part, kernel.HITS]):
                at = part.start + int(i)
                found[at].extend(_hit(row) for row in hits[i, : counters[at, kernel.HITS]])
                counters[at, kernel.HITS] = 0
            return int(status[part].max())

        options[kernel.PIECE_STEPS] = FIRST_PIECE // 4
        _in_pieces(work, options, kernel.PIECE_STEPS, kernel.PAUSED)
    return BatchSolution(
        final_times=clock[:, 0].copy(),
        final_states=u,
        statuses=tuple(STATUSES[code] for code in status),
        events=tuple(tuple(each) for each in found),
        n_steps=counters[:, kernel.ACCEPTED].copy(),
        n_rejected=counters[:, kernel.REJECTED].copy(),
        rtol=float(rtol),
        atol=scales[0].copy(),
    )


def _built_in(field: Compiled, events: EventSet | None, n: int) -> bool:
    """Whether the kernel built for the polynomial family serves."""
    from fastslow.core.polynomial import polynomial_field
    from fastslow.core.polynomial_events import polynomial_events

    return field is polynomial_field and n == 2 and (events is None or events.function is polynomial_events)


def _check_compiled(
    field: Compiled, p: FloatArray, events: EventSet | None, event_p: FloatArray, u: FloatArray
) -> None:
    check_field(field, p, u)
    if events is not None:
        check_events(events.function, event_p, u, events.options().shape[1])


def _kernel(field: Compiled, events: EventSet | None, n: int, batch: bool = False) -> Callable[..., int]:
    """Return the kernel that takes trajectories on: the one built for the polynomial family where it serves."""
    if _built_in(field, events, n):
        if batch:
            from fastslow.core.batch import advance_each
            from fastslow.core.calls import BUILT_IN

            return partial(advance_each, BUILT_IN, BUILT_IN)
        from fastslow.core.planar import advance_polynomial

        return advance_polynomial  # type: ignore[no-any-return]
    from fastslow.core.general import advance, no_events

    kernel = advance
    if batch:
        from fastslow.core.general_batch import advance_batch as kernel
    function = no_events if events is None else events.function

    def general(*arrays: Any) -> int:
        try:
            return kernel(field, function, *arrays)  # type: ignore[no-any-return]
        except TypeError as error:
            raise _not_compiled(field) from error

    return general


def _in_pieces(work: Callable[[], int], options: FloatArray, slot: int, paused: int) -> int:
    """Call `work` until it is not paused, with pieces of a size that leaves Ctrl-C a chance."""
    while True:
        begin = time.perf_counter()
        code = work()
        if code != paused:
            return code
        share = PIECE_SECONDS / max(time.perf_counter() - begin, 1e-6)
        options[slot] = float(int(min(max(options[slot] * min(share, 4.0), 1.0), MOST_PIECE)))


def _room(m: int) -> int:
    """Rows for hits: the kernel pauses when what one step may need is not free."""
    if m == 0:
        return 0
    from fastslow.core.step_events import HITS_PER_STEP

    room: int = m * HITS_PER_STEP + SPARE_HITS
    return room


def _hit(row: FloatArray) -> EventHit:
    return EventHit(
        index=int(row[1]),
        time=float(row[0]),
        state=row[4:].copy(),
        kind="crossing" if row[2] == 0.0 else "tangential",
        direction=int(row[3]),
    )


def _not_compiled(field: object) -> InputError:
    return InputError(
        "field or events.function",
        field,
        "must be compiled with the signatures in fastslow.core.signatures",
        "Decorate it with numba.njit(FIELD.signature) or numba.njit(EVENTS.signature)",
    )
