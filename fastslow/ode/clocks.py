"""Integration over spans of time in which the steps of a late jump are below the resolution of the clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastslow.core.polynomial import polynomial_field
from fastslow.ode.integrate import integrate
from fastslow.ode.solution import FloatArray, Solution, Status

_MOST_CLOCKS = 8


def in_pieces(parameters: FloatArray, u: FloatArray, end: float, **options: Any) -> list[Solution]:
    """Integrate a polynomial field from u over [0, end], in pieces with clocks of their own.

    After a long drift the steps of a jump are below the resolution of the clock: it is set to zero there.
    `options` are those of ``fastslow.ode.integrate.integrate``.
    """
    pieces: list[Solution] = []
    for _ in range(_MOST_CLOCKS):
        solution = integrate(polynomial_field, parameters, u, (0.0, end), **options)
        pieces.append(solution)
        u, end = solution.final_state, end - solution.final_time
        if solution.status is not Status.STEP_TOO_SMALL or solution.final_time == 0.0:
            break
    return pieces


def begins(pieces: list[Solution]) -> list[float]:
    """Return the times at which pieces begin."""
    return [0.0, *np.cumsum([piece.final_time for piece in pieces[:-1]]).tolist()]


def joined(pieces: list[Solution]) -> Solution:
    """Return pieces as one solution on one clock."""
    late = begins(pieces)
    return replace(
        pieces[-1],
        t=np.concatenate([begin + piece.t for begin, piece in zip(late, pieces, strict=True)]),
        u=np.concatenate([piece.u for piece in pieces]),
        final_time=late[-1] + pieces[-1].final_time,
    )
