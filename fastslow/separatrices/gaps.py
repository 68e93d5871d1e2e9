"""How far apart an unstable half of one saddle and a stable half of another pass."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.special_points import Kind, SpecialPoint, Stability
from fastslow.ode.clocks import in_pieces
from fastslow.ode.event_sets import section as section_set
from fastslow.ode.trajectories import Trajectory
from fastslow.separatrices.halves import Backward, Forward, Half, departures, fate, limits, rates, surroundings
from fastslow.systems.polynomials import Polynomial, rational, variables
from fastslow.systems.slow_lines import packed_in
from fastslow.systems.system import FastSlowSystem, Start

UNDECIDED = "undecided"
SCAN_RTOL = 1e-8
"""Tolerance with which halves are followed to their ends."""
_NEAR_SADDLE = 0.02
"""Distance from the second saddle at which the section is put where there is no energy, in units of `surroundings`."""


@dataclass(frozen=True)
class Key:
    """One half of a saddle: its number among the saddles in order of (x, y), kind and side."""

    saddle: int
    kind: Half
    side: int


class Portrait:
    """The saddles of one member of a family and their halves, followed when they are asked for."""

    def __init__(self, system: FastSlowSystem) -> None:
        self.system, self.manifold = system, critical_manifold(system)
        self.forward = Forward(self.manifold, rtol=SCAN_RTOL)
        self.backward = Backward(self.manifold, rtol=SCAN_RTOL)
        self.equilibria = self.manifold.of_kind(Kind.EQUILIBRIUM)
        self.saddles = [p for p in self.equilibria if p.stability is Stability.SADDLE]
        self.starts: dict[Key, Start] = {}
        for number, saddle in enumerate(self.saddles):
            for kind, side, start in departures(self.forward.flow, saddle):
                self.starts[Key(number, kind, side)] = start
        self._runs: dict[Key, Trajectory] = {}

    def run(self, key: Key) -> Trajectory:
        if key not in self._runs:
            follower = self.forward if key.kind == "unstable" else self.backward
            self._runs[key] = follower.run(self.starts[key])
        return self._runs[key]

    def end(self, key: Key) -> str:
        """Return in words where a half ends, "undecided" where that is not known."""
        run = self.run(key)
        if run.undecided:
            return UNDECIDED
        verdict, node = fate(self.system, run)
        return f"{verdict} ({node})" if node else verdict

    def alike(self, other: Portrait) -> bool:
        """Whether both have the same equilibria, so that numbers and ids mean the same."""
        return [p.stability for p in self.equilibria] == [p.stability for p in other.equilibria] and set(
            self.starts
        ) == set(other.starts)

    def gap(self, a: Key, b: Key, rtol: float) -> Gap | None:
        """Return how far apart two halves pass a section between them, None where one does not reach it."""
        first, second = self.saddles[a.saddle], self.saddles[b.saddle]
        unit, _ = surroundings(self.forward.flow, second)
        section = self._section(first, second, b, unit)
        if section is None:
            return None
        ours, theirs = (self._hit(key, section, rtol) for key in (a, b))
        if ours is None or theirs is None:
            return None
        x, y = theirs
        flow = np.array([self.system.f(x, y), float(self.system.slow_rate) * self.system.g(x, y)]) / unit
        away = (ours - theirs) / unit
        return Gap(float((flow[0] * away[1] - flow[1] * away[0]) / np.hypot(*flow)), float(np.hypot(*away)))

    def _section(self, a: SpecialPoint, b: SpecialPoint, key: Key, unit: NDArray[np.float64]) -> Section | None:
        """Return the level of energy between two saddles, or without an energy a line across W^s(b) beside b."""
        q = self.system.energy_polynomial
        if q is not None:
            above, below = (float(self.system.energy(p.x, p.y)) for p in (a, b))  # type: ignore[arg-type]
            return Section(q, (above + below) / 2, None) if above > below else None
        path = self.run(key)
        away = np.hypot((path.x - b.x) / unit[0], (path.y - b.y) / unit[1])
        k = int(np.argmax(away >= _NEAR_SADDLE))
        if away[k] < _NEAR_SADDLE:
            return None
        x, y = float(path.x[k]), float(path.y[k])
        normal = np.array([self.system.f(x, y), float(self.system.slow_rate) * self.system.g(x, y)]) / unit**2
        normal /= np.hypot(*(normal * unit))
        fast, slow = variables(self.system.fast[0], self.system.slow[0])
        # The flow passes it from larger to smaller values, as a level of energy.
        line = -rational(Fraction(float(normal[0]))) * fast - rational(Fraction(float(normal[1]))) * slow
        return Section(line, -float(normal @ (x, y)), np.array([x, y]))

    def _hit(self, key: Key, section: Section, rtol: float) -> NDArray[np.float64] | None:
        """Return where a half passes a section with the flow; the passage nearest to its centre, or the only one."""
        start, system = self.starts[key], self.system
        chart = system.chart_of(start.fast, start.slow)
        assert chart is not None
        x, y = float(start.fast), float(start.slow)
        once = section.center is None
        fast, _ = rates(system, x, y)
        time = 1e15 / fast if once else 2.0 * float(self.run(key).t[-1])
        direction = 1.0 if key.kind == "unstable" else -1.0
        field = system.field_parameters(chart, direction)
        pieces = in_pieces(
            field,
            chart.state_of(start.fast, start.slow),
            time,
            limits=limits(fast, growth=(1e300, 1e9 * (abs(y) or 1.0))),
            rtol=rtol,
            atol=rtol * np.array([1e-4, 1e-4 * (1.0 if chart.slow else abs(y) or 1.0)]),
            output="final",
            events=section_set(
                field,
                0.0,
                packed_in(section.polynomial, (system.fast[0], system.slow[0]), chart),
                section.level,
                directions=[0, int(direction)],
                terminal=[False, once],
            ),
        )
        passed = [hit.state for piece in pieces for hit in piece.events if hit.index == 1]
        hits = [np.array(chart.from_state(state)) for state in passed]
        center = section.center
        if center is None or not hits:
            return hits[0] if hits else None
        return min(hits, key=lambda hit: float(np.hypot(*(hit - center))))


@dataclass(frozen=True)
class Gap:
    """The distance across the flow, with its sign, and the whole distance: both vanish at a connection."""

    across: float
    distance: float


@dataclass(frozen=True, eq=False)
class Section:
    """The curve where a polynomial has a value; with a centre, only the part near it is meant."""

    polynomial: Polynomial
    level: float
    center: NDArray[np.float64] | None
