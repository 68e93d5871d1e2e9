"""Singular orbits at finite width: jumps of (R, Q) at frozen a, drifts of a along the critical manifold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastslow.sgd.finite_width_equilibria import FiniteWidthEquilibrium
from fastslow.sgd.finite_width_manifold import FiniteWidthManifold


@dataclass(frozen=True)
class FiniteWidthSegment:
    """A fast jump at frozen a, or a slow drift along an arc, from one (R, Q, a) to another."""

    kind: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    arc: str


@dataclass(frozen=True)
class FiniteWidthOrbit:
    """The singular orbit of a start: what the slow rate -> 0 makes of it.

    Attributes
    ----------
    a0 : float
        The start.
    segments : tuple of FiniteWidthSegment
        Jumps and drifts.
    verdict : str
        That of the equilibrium at its end; "relaxation oscillation" where it comes back to an arc; "undecided: ...".
    equilibrium : str
        The one at its end.
    """

    a0: float
    segments: tuple[FiniteWidthSegment, ...] = field(repr=False)
    verdict: str
    equilibrium: str


def singular_orbit(manifold: FiniteWidthManifold, a0: float, overlap: float = 0.0) -> FiniteWidthOrbit:
    """Return the singular orbit from (0, Q0, a0): jumps of (R, Q) at frozen a, drifts of a along attracting arcs."""
    walk = _Walk(manifold)
    return walk.orbit(a0, overlap)


class _Walk:
    """Chains jumps and drifts on the critical manifold."""

    _MOST = 24

    def __init__(self, manifold: FiniteWidthManifold) -> None:
        self.manifold, self.network = manifold, manifold.network
        frozen = self.network.scaled(1.0, 1.0)
        from fastslow.core.finite_width import RATE

        frozen.parameters[RATE] = 0.0
        self.frozen = frozen

    def orbit(self, a0: float, overlap: float) -> FiniteWidthOrbit:
        segments: list[FiniteWidthSegment] = []
        state, seen = np.array([0.0, overlap, a0]), set()

        def ended(verdict: str, at: str = "") -> FiniteWidthOrbit:
            return FiniteWidthOrbit(a0, tuple(segments), verdict, at)

        for _ in range(self._MOST):
            landed = self._jump(state)
            place = None if landed is None else self._arc(landed)
            if landed is None or place is None:
                return ended("undecided: the jump does not end on an attracting arc in the window")
            arc, index = place
            segments.append(FiniteWidthSegment("jump", _triple(state), _triple(landed), ""))
            end, equilibrium, direction, stop = self._drift(arc, index, landed)
            segments.append(FiniteWidthSegment("slow", _triple(landed), _triple(end), arc.id))
            if equilibrium is not None:
                return ended(equilibrium.verdict, equilibrium.id)
            if stop == "edge":
                return ended("undecided: it drifts out of the window")
            if (arc.id, stop, direction) in seen:
                return ended("relaxation oscillation")
            seen.add((arc.id, stop, direction))
            # beyond the end of the arc, a little into the domain
            state = end * (1.0, 1.0, 1.0 + 1e-4 * direction)
            state[0] *= 1.0 - 1e-6
            state[1] = self._inside(state)
        return ended("undecided: too many jumps")

    def _inside(self, state: Any) -> float:
        kappa = 1.0 / self.network.m
        least = (state[0] ** 2 - kappa) / (1.0 - kappa)
        return float(min(max(state[1] * (1.0 - 1e-6), least), 1.0 - 1e-9))

    def _jump(self, state: Any) -> Any:
        """Return where (R, Q) come to rest at frozen a."""
        from fastslow.core.finite_width import finite_width_field
        from fastslow.ode.integrate import integrate

        u, span = state.copy(), 1.0 / abs(state[2])
        for _ in range(60):
            run = integrate(finite_width_field, self.frozen.parameters, u, (0.0, span), rtol=1e-9, output="final")
            u, span = run.final_state, 2.0 * span
            du, jacobian = self.frozen.rates(u)
            fast = jacobian[:2, :2]
            if (np.linalg.eigvals(fast).real < 0.0).all():
                step = np.linalg.solve(fast, -du[:2])
                if np.abs(step).max() < 1e-7:
                    return u + np.append(step, 0.0)
        return None

    def _arc(self, state: Any) -> tuple[Any, int] | None:
        """Return the attracting arc next to a state, and the point of it that precedes its height."""
        best, found = 1e-2, None
        for arc in self.manifold.arcs:
            if arc.fast_stability != "attracting":
                continue
            inside = (arc.a[:-1] - state[2]) * (arc.a[1:] - state[2]) <= 0.0
            for k in np.flatnonzero(inside):
                width = arc.a[k + 1] - arc.a[k]
                share = (state[2] - arc.a[k]) / width if width else 0.0
                away = max(
                    abs(arc.R[k] + share * (arc.R[k + 1] - arc.R[k]) - state[0]),
                    abs(arc.Q[k] + share * (arc.Q[k + 1] - arc.Q[k]) - state[1]),
                )
                if away < best:
                    best, found = away, (arc, int(k))
        return found

    def _drift(self, arc: Any, index: int, state: Any) -> tuple[Any, FiniteWidthEquilibrium | None, float, str]:
        """Follow the slow flow along an arc: (end, equilibrium or None, direction of a relative to |a|, what stops)."""
        rate = float(self.network.rates(state)[0][2])
        up = rate * float(state[2]) > 0.0
        forward = (abs(arc.a[index + 1]) > abs(arc.a[index])) == up
        rows = np.arange(index + 1, len(arc.a)) if forward else np.arange(index, -1, -1)
        last = state
        for k in rows:
            here = np.array([arc.R[k], arc.Q[k], arc.a[k]])
            if float(self.network.rates(here)[0][2]) * rate <= 0.0 or k == rows[-1]:
                rest = self._between(last, here)
                if rest is not None:
                    return rest.state, rest, 0.0, rest.id
            last = here
        return last, None, 1.0 if up else -1.0, arc.end if forward else arc.start

    def _between(self, one: Any, other: Any) -> FiniteWidthEquilibrium | None:
        """Return the equilibrium between two neighbouring points of an arc."""
        low, high = np.minimum(one, other), np.maximum(one, other)
        room = 0.1 * (high - low) + 1e-6 * np.maximum(np.abs(low), np.abs(high))
        inside = (e for e in self.manifold.equilibria if ((low - room <= e.state) & (e.state <= high + room)).all())
        return next(inside, None)


def _triple(state: Any) -> tuple[float, float, float]:
    return float(state[0]), float(state[1]), float(state[2])
