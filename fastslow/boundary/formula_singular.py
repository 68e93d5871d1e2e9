"""The boundary of the singular limit over a parameter, for families of formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.delays import Moving
from fastslow.bifurcation.events import Event
from fastslow.bifurcation.functions import Formula, values
from fastslow.bifurcation.heights import HeightEvent
from fastslow.boundary.formula_heights import heights_met, heights_proved
from fastslow.boundary.formula_strands import FormulaStrand, formula_strands, meetings, sources_of
from fastslow.boundary.pieces import Piece, pieces_between
from fastslow.flow.flow_graph import orbits_between
from fastslow.flow.singular_orbit import SingularFlow
from fastslow.manifold.arcs import Arc
from fastslow.progress import Progress, counted
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import FormulaFamily, formulas_of
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.interval_tapes import Tape

Values = NDArray[np.float64]

_BETWEEN = 129
"""Places between two points at which f is looked at."""
_SAME_VALUE = 1e-12


def formula_pieces(
    family: Family, axis: Axis, sample: FormulaSystem, progress: Progress | None = None
) -> tuple[list[Piece], list[Event], list[HeightEvent], list[FormulaStrand], list[str], list[str]]:
    """Return the pieces of a singular boundary, local and non-local events, the special points, and what is unproved.

    Local events, where special points begin, end or meet, and parameters at which two points that see each other along
    the fast direction have one height are isolated by interval arithmetic; what that leaves open of either is told.
    """
    formulas = formulas_of(family, sample)
    bounds = [*formulas.window, (axis.low, axis.high)]
    sources = list(sources_of(formulas, sample.start_fast, bounds))
    strands, cuts, notes = formula_strands(sources, bounds)
    events, unproved = meetings(formulas, sample.start_fast, bounds)
    low, high = float(axis.low), float(axis.high)
    events = _with_ends(events, cuts, strands)
    local = _distinct([low, high, *(event.parameter for event in events)], high - low)
    around = _Surroundings(formulas)
    met = [event for a, b in itertools.pairwise(local) for event in heights_met(around, strands, a, b)]
    heights, open_ = heights_proved(formulas, sources, around, met, local)
    ends = _distinct([*local, *(event.parameter for event in heights)], high - low)
    pieces = [
        piece
        for a, b in counted(list(itertools.pairwise(ends)), progress)
        for piece in pieces_between(family, around, strands, a, b, also=_heights_of)
    ]
    return pieces, events, heights, strands, [*notes, *unproved], list(dict.fromkeys(open_))


def _with_ends(events: list[Event], cuts: Sequence[float], strands: Sequence[FormulaStrand]) -> list[Event]:
    """Return the events with those at which a special point only begins or ends, in order."""
    width = max([abs(value) for value in cuts], default=1.0)
    found = list(events)
    for value in cuts:
        if any(abs(event.parameter - value) <= _SAME_VALUE * width for event in found):
            continue
        strand = next((t for t in strands if value in (t.low, t.high)), None)
        x, y = (math.nan, math.nan) if strand is None else (float(v[0]) for v in strand.at(np.array([value])))
        found.append(Event("special point begins or ends", value, abs(value) * 1e-15, x, y))
    return sorted(found, key=lambda event: event.parameter)


def _distinct(numbers: Sequence[float], width: float) -> list[float]:
    kept: list[float] = []
    for value in sorted(numbers):
        if not kept or value - kept[-1] > _SAME_VALUE * width:
            kept.append(value)
    return kept


class _Surroundings:
    """The fields of a family of formulas along a line x = const, and beside it."""

    def __init__(self, formulas: FormulaFamily) -> None:
        self.f = Formula(formulas.fast_field, formulas.names)
        self._along = Tape([self.f.derivative(0).expression, formulas.slow_field], formulas.names)
        low, high = formulas.window[0]
        self._near = _SAME_VALUE * float(high - low)

    def rate(self, x: float, y: Values, s: Values) -> Values:
        """Return f_x / g on the line at slow values of shape (len(s), ...)."""
        values = s.reshape(-1, *(1 for _ in y.shape[1:]))
        with np.errstate(all="ignore"):
            f_x, g = (np.broadcast_to(v, y.shape) for v in self._along.doubles([np.full_like(y, x), y, values]))
            return np.asarray(f_x / g)

    def on_line(self, point: Moving, arc: Arc, s: float) -> bool:
        """Whether a special point is on the line of an arc."""
        return abs(float(point.at(np.array([s]))[0][0]) - arc.target.x) <= self._near

    def sees(self, s: float, y: float, a: float, b: float) -> bool:
        """Whether f(., y) changes no sign between two fast coordinates, at places there; in doubt yes."""
        if not math.isfinite(a) or not math.isfinite(b) or a == b:
            return True
        x = a + (b - a) * np.linspace(1e-3, 1.0 - 1e-3, _BETWEEN)
        signs = np.sign(values(self.f, np.column_stack([x, np.full_like(x, y), np.full_like(x, s)]))[0])
        return bool(np.all(signs >= 0.0) or np.all(signs <= 0.0))


def _heights_of(flow: SingularFlow) -> list[float]:
    """Return the slow values at which the fates of one member may change without a delay, proved for it."""
    return [low for low, _, _ in orbits_between(flow)]
