"""Curves of equations in the variables and the parameters: traced, and met by exact sections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.bifurcation.functions import Formula, enclose
from fastslow.core.polynomial_curve import space_curve
from fastslow.core.tape import tape_curve
from fastslow.manifold.continuation import ContinuationOptions, StopReason, TracedCurve, trace_curve
from fastslow.systems.algebraic import Ball
from fastslow.systems.interval_tapes import Tape
from fastslow.systems.polynomials import Polynomial, fraction
from fastslow.systems.tapes import curve_parameters

Array = NDArray[np.float64]

_FAR = 1e8
"""How far a curve is followed in the slow variable, in units of its typical size."""
_SLOW_SCALE = 10.0
_OPTIONS = ContinuationOptions(max_step=0.01, first_step=1e-3)
_MEETS = 1e-3
"""Largest distance of a curve, interpolated between its points, from an exact point of it, in scaled variables."""
_NEWTON_BITS = 256
_NEWTON_STEPS = 12
_NEAR = 1e-5
"""Largest distance from a point on a curve, relative, of the zero that is proved for it."""


def sparse(p: Polynomial) -> Array:
    """Return [terms, coefficient, powers, coefficient, powers, ...], as ``core.polynomial_curve`` reads it."""
    terms = p.to_dict().items()
    numbers = [[float(fraction(value)), *map(float, powers)] for powers, value in terms]
    return np.concatenate(([float(len(numbers))], *numbers)) if numbers else np.zeros(1)


@dataclass(frozen=True, eq=False)
class SpaceCurve:
    """The curve of n - 1 polynomial equations in n variables (x, y, parameters), in a window.

    Attributes
    ----------
    equations : tuple of Polynomial
    tests : dict of str to Polynomial
        Functions whose zeros on the curve are wanted.
    lower, upper : ndarray, shape (n,)
        Bounds; those of y are not used.
    slow_size : float
        Typical size s of y: the curve is followed in v = asinh(y / s) to |y| = 1e8 s.
    """

    equations: tuple[Polynomial, ...]
    tests: dict[str, Polynomial]
    lower: Array
    upper: Array
    slow_size: float = 1.0

    def traced(self, start: ArrayLike) -> TracedCurve:
        """Follow the curve both ways from a point (x, y, parameters) of it; the result is in (x, v, parameters)."""
        low, high = self.lower.copy(), self.upper.copy()
        scales = high - low
        low[1], high[1], scales[1] = -math.asinh(_FAR), math.asinh(_FAR), _SLOW_SCALE
        # Uncompiled, the kernels warn of divisions by zero that they look after themselves.
        with np.errstate(all="ignore"):
            return trace_curve(
                space_curve,
                self.packed(),
                self.inner(np.asarray(start, dtype=np.float64)),
                lower=low,
                upper=high,
                scales=scales,
                fold_coordinates=(),
                test_names=tuple(self.tests),
                options=_OPTIONS,
            )

    def packed(self) -> Array:
        """Return the parameters of ``core.polynomial_curve.space_curve``."""
        n = len(self.lower)
        parts = [np.array([n, len(self.tests)], dtype=np.float64), np.zeros(n)]
        parts[1][1] = self.slow_size
        for p in self.equations:
            parts += [sparse(p), *(sparse(p.derivative(k)) for k in range(n))]
        return np.concatenate([*parts, *map(sparse, self.tests.values())])

    def inner(self, points: Array) -> Array:
        """Return points (x, y, parameters) as (x, v, parameters), shape (..., n)."""
        moved = points.copy()
        moved[..., 1] = np.arcsinh(points[..., 1] / self.slow_size)
        return moved

    def outer(self, points: Array) -> Array:
        """Return points (x, v, parameters) as (x, y, parameters), shape (..., n)."""
        moved = points.copy()
        moved[..., 1] = self.slow_size * np.sinh(points[..., 1])
        return moved

    def meetings(self, traced: TracedCurve, place: int, value: float, targets: Array) -> list[int]:
        """Return for each crossing of the plane u_place = value the index of the target that it meets, or -1.

        Parameters
        ----------
        targets : ndarray, shape (m, n)
            Points (x, y, parameters) on that plane.
        """
        u, tangents, found = traced.points, traced.tangents, []
        side = u[:, place] >= value
        inner = self.inner(targets)
        for k in np.flatnonzero(side[1:] != side[:-1]):
            step = (u[k + 1] - u[k]) / traced.scales
            arc = traced.arclength[k + 1] - traced.arclength[k]
            first, last = arc * tangents[k], arc * tangents[k + 1]
            level = (value - u[k, place]) / traced.scales[place]
            low, high = 0.0, 1.0
            for _ in range(60):
                x = 0.5 * (low + high)
                move = x * (first + x * ((3.0 * step - 2.0 * first - last) + x * (first + last - 2.0 * step)))
                if (move[place] >= level) == (step[place] >= level):
                    high = x
                else:
                    low = x
            at = u[k] + traced.scales * move
            gaps = np.abs((inner - at) / traced.scales).max(axis=1) if len(inner) else np.array([])
            nearest = int(np.argmin(gaps)) if len(gaps) else -1
            found.append(nearest if nearest >= 0 and gaps[nearest] <= _MEETS else -1)
        return found

    def distance(self, traced: TracedCurve, point: Array) -> tuple[float, int]:
        """Return the distance of a point from the polygon of a curve, in scaled variables, and the nearest segment."""
        u = traced.points / traced.scales
        at = self.inner(point) / traced.scales
        along = u[1:] - u[:-1]
        share = ((at - u[:-1]) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-300)
        nearest = u[:-1] + np.clip(share, 0.0, 1.0)[:, None] * along
        gaps = np.sqrt(((nearest - at) ** 2).sum(axis=1))
        k = int(np.argmin(gaps))
        return float(gaps[k]), k


@dataclass(frozen=True, eq=False)
class FormulaCurve(SpaceCurve):
    """The curve of n - 1 formulas in n variables, of x, y and parameters, in a window that bounds all of them.

    Attributes
    ----------
    turns : bool
        Whether the turning points of the last variable are wanted, as events of the kind "fold".
    """

    turns: bool = False

    def traced(self, start: ArrayLike) -> TracedCurve:
        """Follow the curve both ways from a point of it."""
        formulas = [e.expression for e in (*self.equations, *self.tests.values())]
        with np.errstate(all="ignore"):
            return trace_curve(
                tape_curve,
                curve_parameters(formulas, self.equations[0].names),
                np.clip(np.asarray(start, dtype=np.float64), self.lower, self.upper),
                lower=self.lower,
                upper=self.upper,
                fold_coordinates=(len(self.lower) - 1,) if self.turns else (),
                test_names=tuple(self.tests),
                options=_OPTIONS,
            )

    def inner(self, points: Array) -> Array:
        """Return points as they are."""
        return points

    def outer(self, points: Array) -> Array:
        """Return points as they are."""
        return points


def traced_through(
    space: SpaceCurve, places: Sequence[tuple[int, float, Array]]
) -> tuple[list[TracedCurve], list[str]]:
    """Trace a curve from each point of some sections that no earlier one passes through.

    Parameters
    ----------
    places : sequence of (place, value, points)
        Sections u_place = value with all, or some, of the points there, (x, y, parameters).

    Returns
    -------
    (list of TracedCurve, list of str)
        The curves, and in words where they do not pass through the points of a section each exactly once.
    """
    visits = [np.zeros(len(points), dtype=int) for _, _, points in places]
    strangers = np.zeros(len(places), dtype=int)
    traced: list[TracedCurve] = []
    notes: list[str] = []
    for i, (_, _, points) in enumerate(places):
        for j, start in enumerate(points):
            if visits[i][j]:
                continue
            curve = space.traced(start)
            if not curve.converged:
                notes.append(f"the curve from {start.tolist()} could not be started: {curve.status_sentence}")
                continue
            traced.append(curve)
            notes += [
                f"a curve through {start.tolist()} was not followed to its end: {reason.sentence}"
                for reason in set(curve.stop_reasons) - {StopReason.WINDOW, StopReason.CLOSED}
            ]
            for k, (place, value, targets) in enumerate(places):
                for met in space.meetings(curve, place, value, targets):
                    if met < 0:
                        strangers[k] += 1
                    else:
                        visits[k][met] += 1
    for (_, value, _), visit, strange in zip(places, visits, strangers, strict=True):
        if strange or not np.all(visit == 1):
            notes.append(
                f"the section at {value:.9g} has {len(visit)} points, and the curves meet {int((visit > 0).sum())} of "
                f"them {int(visit.sum())} times, and {strange} others"
            )
    return traced, notes


def middle_of(balls: Sequence[Ball]) -> Array:
    """Return the middle of enclosures; what is not told from zero is zero."""
    return np.array([0.0 if ball.contains(0) else float(ball.mid()) for ball in balls])


def proved_zero(equations: Sequence[Polynomial], guess: ArrayLike) -> tuple[Ball, ...] | None:
    """Return an enclosure of the one zero of n polynomials in n variables next to a guess, or None.

    Newton's method in 256 bits to a point m, and then Krawczyk's operator on a box U around it, with C = J(m)^-1:
    K(U) = m - C F(m) + (I - C J(U)) (U - m). Where K(U) lies inside U there is exactly one zero in U. None where that
    is not shown, as at a degenerate zero.

    References
    ----------
    R. Krawczyk, Computing 4 (1969) 187; R. E. Moore, SIAM J. Numer. Anal. 14 (1977) 611.
    """
    n = len(equations)
    system = _System(equations)
    with flint.ctx.workprec(_NEWTON_BITS):
        begin = [flint.arb(float(v)) for v in np.asarray(guess, dtype=np.float64)]
        at, inverse = begin, None
        for _ in range(_NEWTON_STEPS):
            now, slope = system.at(at)
            try:
                inverse = slope.inv()
            except (ZeroDivisionError, ValueError, ArithmeticError):
                return None
            step = _product(inverse, now)
            at = [(v - d).mid() for v, d in zip(at, step, strict=True)]
            if all(abs(d) < flint.arb(2) ** (24 - _NEWTON_BITS) * (1 + abs(v)) for d, v in zip(step, at, strict=True)):
                break
        if any(not abs(v - b) < _NEAR * (1 + abs(b)) for v, b in zip(at, begin, strict=True)):
            return None
        around = [flint.arb(0, 1e-30 * (1.0 + abs(float(v)))) for v in at]
        box = [v + d for v, d in zip(at, around, strict=True)]
        _, slope = system.at(box)
        columns = [_product(inverse, [slope[i, k] for i in range(n)]) for k in range(n)]
        image = [-d for d in _product(inverse, system.at(at)[0])]
        for k, column in enumerate(columns):
            image = [v + (int(i == k) - c) * around[k] for i, (v, c) in enumerate(zip(image, column, strict=True))]
        inside = all(d.contains_interior(v) for d, v in zip(around, image, strict=True)) and not system.jumps(box)
        return tuple(v + d for v, d in zip(at, image, strict=True)) if inside else None


class _System:
    """n functions of n variables with their derivatives, on balls."""

    def __init__(self, equations: Sequence[Polynomial | Formula]) -> None:
        self.n = n = len(equations)
        self.functions = [*equations, *(p.derivative(k) for p in equations for k in range(n))]
        self.tape: Tape | None = None
        if isinstance(equations[0], Formula):
            self.tape = Tape([p.expression for p in self.functions], equations[0].names)

    def at(self, balls: Sequence[Ball]) -> tuple[list[Ball], Any]:
        """Return the values and the matrix of the derivatives."""
        found = [enclose(p, *balls) for p in self.functions] if self.tape is None else self.tape.balls(balls)
        n = self.n
        return found[:n], flint.arb_mat([found[n * (i + 1) : n * (i + 2)] for i in range(n)])

    def jumps(self, balls: Sequence[Ball]) -> bool:
        """Whether a function may jump on a box, so that derivatives do not bound its changes."""
        if self.tape is None:
            return False
        low = np.nextafter([float(v.lower()) for v in balls], -np.inf)
        high = np.nextafter([float(v.upper()) for v in balls], np.inf)
        _, jumps = self.tape.intervals([(low[k : k + 1], high[k : k + 1]) for k in range(self.n)])
        return any(bool(jump.any()) for jump in jumps[: self.n])


def _product(matrix: Any, vector: Sequence[Ball]) -> list[Ball]:
    """Return matrix times vector."""
    return [sum((matrix[i, k] * v for k, v in enumerate(vector)), flint.arb(0)) for i in range(len(vector))]
