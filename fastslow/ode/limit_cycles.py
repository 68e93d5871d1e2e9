"""Limit cycles of the full system: all fixed points of the return maps round its equilibria, stable or not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fastslow.flow.relaxation import is_relaxation
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.cycle_search import Found, Search, same
from fastslow.ode.solution import FloatArray
from fastslow.ode.trajectories import Trajectory
from fastslow.ode.undivided import told
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

_RESIDUAL, _STRAYED = 1e-8, 1e-2
"""Step of the return map, and distance from the true orbit on the way, in units of the size of a converged cycle."""
_MOST_EQUILIBRIA = 12


@dataclass(frozen=True)
class LimitCycle:
    """An isolated periodic orbit of the full system at its slow rate.

    Attributes
    ----------
    id : str
        C1, C2, ... from the inside out, round the equilibria in their order.
    stability : str
        "stable" or "unstable".
    kind : str
        "relaxation oscillation" where it passes folds on both sides or a singular cycle, else "small oscillation".
    period : float
        In the fast time.
    period_error : float
        Change of the period from a tolerance of 1e-10 to one of 1e-12.
    exponent : float
        Integral of the divergence over one period.
    multiplier : float
        exp(exponent), the derivative of the return map: 0 or infinite where that is beyond doubles.
    encloses : tuple of str
        Ids of the equilibria inside.
    certainty : str
        "converged", or "guess" where the residual or the errors on the way (along canards) are large.
    residual : float
        |P(Y) - Y| of the return map P, in units of the height of the cycle.
    strayed : float
        Bound on the distance of the computed from the true orbit on the way, in units of its size.
    x, y : tuple of float
        The steps of one turn.
    """

    id: str
    stability: str
    kind: str
    period: float
    period_error: float
    exponent: float
    multiplier: float
    encloses: tuple[str, ...]
    certainty: str
    residual: float
    strayed: float
    x: tuple[float, ...] = field(repr=False)
    y: tuple[float, ...] = field(repr=False)

    @property
    def amplitude(self) -> tuple[float, float]:
        """The ranges of x and of y."""
        return max(self.x) - min(self.x), max(self.y) - min(self.y)

    def is_near(self, x: float, y: float) -> bool:
        """Whether a point is on the cycle, up to a hundredth of its size."""
        width, height = self.amplitude
        u, v = (np.asarray(self.x) - x) / width, (np.asarray(self.y) - y) / height
        du, dv = np.diff(u), np.diff(v)
        share = np.clip(-(u[:-1] * du + v[:-1] * dv) / np.maximum(du**2 + dv**2, 1e-300), 0.0, 1.0)
        return bool(np.hypot(u[:-1] + share * du, v[:-1] + share * dv).min() <= 0.01)


@dataclass(frozen=True)
class LimitCycles:
    """The limit cycles of a system.

    Attributes
    ----------
    cycles : tuple of LimitCycle
        Those that were found.
    notes : tuple of str
        What was seen and is no limit cycle, or could not be resolved, in words.
    """

    cycles: tuple[LimitCycle, ...] = ()
    notes: tuple[str, ...] = ()


def limit_cycles(model: FastSlowSystem | str) -> LimitCycles:
    """Return the limit cycles of the full system at its slow rate, stable and unstable.

    A cycle goes round an equilibrium that is not a saddle, and it crosses the line x = const through it above it. That
    line is cut where f changes sign; each piece is crossed by a cycle once at most, and cycles are the fixed points of
    its first return map P. They are found as sign changes of P(Y) - Y between sampled heights Y, forward and backward
    in time, by iteration, and where |P(Y) - Y| is least. Cycles with a multiplier within 1e-5 of one, and those on
    which errors grow to their size (canards, long delays), may be missed. Cycles that leave the window are none.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, the name of a preset, or the path of a TOML file.

    Raises
    ------
    InputError
        If the model cannot be used.

    Notes
    -----
    Where the model has an energy that falls along every solution there is no cycle, and nothing is computed.

    Examples
    --------
    >>> import fastslow as fs
    >>> (cycle,) = fs.limit_cycles(fs.van_der_pol(0, "1/100")).cycles      # mu = 10, time in units of 1 / mu
    >>> f"{cycle.period / 10:.8f}", cycle.stability
    ('19.07836957', 'stable')
    """
    system = system_of(model)
    if system.energy_polynomial is not None:
        return LimitCycles()
    return cycles_of(critical_manifold(system))


def cycles_of(manifold: CriticalManifold, trajectories: Iterable[Trajectory] = ()) -> LimitCycles:
    """Return the limit cycles of the system of a critical manifold; trajectories that oscillate give starts, too."""
    if manifold.system.energy_polynomial is not None:
        return LimitCycles()
    found: list[Found] = []
    lines = manifold.system.undivided_lines
    notes = [f"cycles that come near are not resolved: {told(manifold.system, float(c))}" for c in lines]
    oscillating = [run for run in trajectories if run.oscillates]
    inner = [p for p in manifold.of_kind(Kind.EQUILIBRIUM) if _may_be_surrounded(p)]
    if len(inner) > _MOST_EQUILIBRIA:
        notes.append(f"cycles were looked for round {_MOST_EQUILIBRIA} of {len(inner)} equilibria")
    for point in inner[:_MOST_EQUILIBRIA]:
        search = Search(manifold, point)
        found += [cycle for cycle in search.run(oscillating) if not any(same(cycle.turn, c.turn) for c in found)]
        notes += [note for note in search.notes if note not in notes]
    flow = SingularFlow(manifold)
    return LimitCycles(tuple(_cycle(flow, c, f"C{k}") for k, c in enumerate(found, start=1)), tuple(notes))


def cycle_at(cycles: Sequence[LimitCycle], x: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray) -> str:
    """Return the id of the cycle that a path ends on, "" where it is on none of them."""
    return next((cycle.id for cycle in cycles if cycle.is_near(float(x[-1]), float(y[-1]))), "")


def _may_be_surrounded(point: SpecialPoint) -> bool:
    on_line = any(curve.shape is Shape.FAST_LINE for curve in point.curves)
    return point.stability is not Stability.SADDLE and not on_line


def _cycle(flow: SingularFlow, found: Found, id: str) -> LimitCycle:
    turn, exponent = found.turn, found.exponent
    residual = abs(turn.step) / turn.height
    relaxes = is_relaxation(flow, float(turn.x.min()), float(turn.x.max()))
    sure = residual <= _RESIDUAL and turn.strayed <= _STRAYED
    return LimitCycle(
        id=id,
        stability="stable" if exponent < 0.0 else "unstable",
        kind="relaxation oscillation" if relaxes else "small oscillation",
        period=found.period,
        period_error=found.period_error,
        exponent=exponent,
        multiplier=math.exp(exponent) if exponent < 700.0 else math.inf,
        encloses=tuple(p.id for p in flow.manifold.of_kind(Kind.EQUILIBRIUM) if turn.winds_round(p)),
        certainty="converged" if sure else "guess",
        residual=residual,
        strayed=turn.strayed,
        x=tuple(turn.x.tolist()),
        y=tuple(turn.y.tolist()),
    )
