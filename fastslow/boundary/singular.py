"""Critical initial values of the singular limit as curves in a parameter, with their corners."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.bifurcation.delays import PolynomialSurroundings
from fastslow.bifurcation.events import Events, events_of, is_valid
from fastslow.bifurcation.heights import HeightEvent, are_compared, certified_heights, height_events
from fastslow.bifurcation.loci import Role
from fastslow.bifurcation.strands import Strand, strands_of
from fastslow.boundary.curves import BoundaryCurve, Corner, check_line_at_rest
from fastslow.boundary.formula_singular import formula_pieces
from fastslow.boundary.formula_strands import FormulaStrand
from fastslow.boundary.pieces import Fate, Piece, pieces_between, sample_between
from fastslow.boundary.singular_curves import joined_pieces
from fastslow.errors import InputError
from fastslow.progress import Progress, counted
from fastslow.systems.families import Axis, Family
from fastslow.systems.formula_families import formula_member
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.system import FastSlowSystem

Values = NDArray[np.float64]

_NO_FATE = Fate("model not valid", "")


@dataclass(frozen=True, eq=False)
class SingularBoundary:
    """The boundary between fates of starts (start_fast, y) in the singular limit, over a parameter.

    Attributes
    ----------
    family : Family
        In one parameter.
    axis : Axis
        The interval.
    curves : tuple of BoundaryCurve
        All curves, in order of their first parameter.
    corners : tuple of Corner
        Where they end or change what they are made of.
    events : Events or None
        The local events, isolated exactly; None for systems of formulas, whose corners show them.
    crossings : tuple of HeightEvent
        The non-local events between them: two special points at one height.
    gaps : tuple of (float, float)
        Where the model is not valid.
    followed : bool
        Whether every local event was located, every threshold belongs to a special point that was followed, and no
        delayed loss of stability takes part.
    complete : bool
        Whether it is also proved that nothing else happens: also every parameter at which two heights are equal was
        isolated, by resultants or interval arithmetic, or no jump can pass a special point.
    """

    family: Family
    axis: Axis
    curves: tuple[BoundaryCurve, ...]
    corners: tuple[Corner, ...]
    events: Events | None = field(repr=False)
    crossings: tuple[HeightEvent, ...] = field(repr=False)
    gaps: tuple[tuple[float, float], ...]
    followed: bool
    complete: bool
    _pieces: tuple[Piece, ...] = field(repr=False)
    _strands: tuple[Strand | FormulaStrand, ...] = field(repr=False)
    _notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def fates(self) -> tuple[Fate, ...]:
        """The fates, in the order of their codes."""
        return tuple(dict.fromkeys(fate for piece in self._pieces for fate in piece.fates))

    @property
    def names(self) -> tuple[str, ...]:
        """The verdicts, in the order of the codes of `fates_at`."""
        return tuple(dict.fromkeys(fate.verdict for piece in self._pieces for fate in piece.fates))

    @property
    def limit(self) -> str:
        """The level of description, "singular"."""
        return "singular"

    @property
    def sample(self) -> FastSlowSystem:
        """Some member of the family."""
        return self.family.at(self._pieces[0].sample)

    @property
    def equilibria(self) -> tuple[Strand | FormulaStrand, ...]:
        """The equilibria with a slow value of their own, each over an interval of the parameter."""
        return tuple(strand for strand in self._strands if Role.EQUILIBRIUM in (strand.role, *strand.also))

    @property
    def unresolved(self) -> tuple[str, ...]:
        """What is not proved, in words; empty where the boundary is complete."""
        if self.complete:
            return ()
        found = [] if self.events is None or self.events.complete else ["local events that were not located"]
        found += [note.removeprefix("Not shown: ") for note in self._notes]
        found += [
            f"{what} for {self.axis.name} from {low:.6g} to {high:.6g}"
            for what, pieces in (
                ("delayed exits on a line take part, and that no two of them meet is not proved", self._delayed()),
                ("a threshold belongs to no special point", [p for p in self._pieces if p.unmatched]),
            )
            for low, high in _joined_intervals(pieces)
        ]
        return tuple(found) or ("that no two heights are equal between local events is known by evaluation only",)

    def _delayed(self) -> list[Piece]:
        return [piece for piece in self._pieces if piece.delayed]

    @property
    def ends(self) -> tuple[float, ...]:
        """The values of the parameter at which something changes, and the ends of the interval."""
        return tuple(sorted({end for piece in self._pieces for end in (piece.low, piece.high)}))

    def thresholds_at(self, values: ArrayLike, every: bool = False) -> Values:
        """Return the critical slow values at parameters, in order.

        Parameters
        ----------
        values : array_like, shape (n,)
            Parameters in the interval.
        every : bool
            Whether to give those too where only the place changes at which orbits end.

        Returns
        -------
        ndarray, shape (n, most)
            Each row ascending, filled up with infinity; a parameter at which the model is not valid has none.

        Raises
        ------
        InputError
            If a parameter lies outside the interval.
        """
        s, owner = self._owners(values)
        listed = [self._heights(k, s[owner == k], every)[0] for k in range(len(self._pieces))]
        result = np.full((len(s), max((len(rows) for rows in listed), default=0)), np.inf)
        for k, rows in enumerate(listed):
            result[np.flatnonzero(owner == k)[:, None], np.arange(len(rows))[None, :]] = rows.T
        return result

    def fates_at(self, values: ArrayLike, y: ArrayLike) -> NDArray[np.int16]:
        """Return codes of the verdicts, indices of `names`, of all starts (start_fast, y) at all parameters.

        Parameters
        ----------
        values : array_like, shape (n,)
            Parameters in the interval.
        y : array_like, shape (m,)
            Slow values of starts. One that lies on a threshold gets the fate below it.

        Returns
        -------
        ndarray, shape (n, m)
            Codes; -1 where the model is not valid.
        """
        s, owner = self._owners(values)
        slow = np.asarray(y, dtype=np.float64)
        names = self.names
        codes = np.full((len(slow), len(s)), -1, dtype=np.int16)
        order = np.argsort(slow)
        for k in range(len(self._pieces)):
            columns = np.flatnonzero(owner == k)
            if not len(columns):
                continue
            heights, fates = self._heights(k, s[columns], False)
            table = np.array([names.index(fate.verdict) for fate in fates], dtype=np.int16)
            # The number of starts up to each threshold tells where the rows of a column change.
            first = np.searchsorted(slow[order], heights.ravel(), side="right").reshape(heights.shape)
            counts = np.zeros((len(slow) + 1, len(columns)), dtype=np.int16)
            for row in first:
                np.add.at(counts, (row, np.arange(len(columns))), 1)
            codes[np.ix_(order, columns)] = table[np.cumsum(counts[:-1], axis=0)]
        return codes.T

    def distance(self, values: ArrayLike, y: ArrayLike) -> Values:
        """Return the distance in y of starts to the nearest threshold of their parameter, shape (m, n)."""
        thresholds = self.thresholds_at(values)
        slow = np.asarray(y, dtype=np.float64)
        result = np.full((len(slow), len(thresholds)), np.inf)
        for column in thresholds.T:
            np.minimum(result, np.abs(slow[:, None] - column[None, :]), out=result)
        return result

    def _owners(self, values: ArrayLike) -> tuple[Values, NDArray[np.int64]]:
        """Return the parameters and which piece each lies in, -1 for none."""
        s = np.atleast_1d(np.asarray(values, dtype=np.float64))
        low, high = float(self.axis.low), float(self.axis.high)
        if s.size and not (low <= s.min() and s.max() <= high):
            bad = float(s[(s < low) | (s > high) | np.isnan(s)][0])
            raise InputError(self.axis.name, bad, f"must lie in [{low:g}, {high:g}]", "Compute a wider boundary")
        owner = np.full(len(s), -1, dtype=np.int64)
        for k, piece in enumerate(self._pieces):
            owner[(owner < 0) & (s >= piece.low) & (s <= piece.high)] = k
        for a, b in self.gaps:
            owner[(s > a) & (s < b)] = -1
            for end in {a, b} & set(s.tolist()):
                if not is_valid(self.family, Fraction(end)):
                    owner[s == end] = -1
        return s, owner

    def _heights(self, k: int, s: Values, every: bool) -> tuple[Values, tuple[Fate, ...]]:
        piece = self._pieces[k]
        keep = [i for i, (a, b) in enumerate(itertools.pairwise(piece.fates)) if every or a.verdict != b.verdict]
        fates = (piece.fates[0], *(piece.fates[i + 1] for i in keep))
        return piece.heights(s)[keep], fates


def singular_boundary(family: Family, axis: Axis, *, progress: Progress | None = None) -> SingularBoundary:
    """Return the boundary between the fates of starts in the singular limit over a parameter.

    Between events the thresholds are slow values of special points, analytic in the parameter. The local events are
    isolated exactly (``bifurcation.events``), and so are parameters at which two heights are equal
    (``bifurcation.heights``); delayed exits are found by evaluation (``bifurcation.delays``). Singular orbits of one
    member between each two neighbours say which special points bound the fates (as in ``flow.flow_graph.basins_of``),
    and these are followed to both ends.

    Parameters
    ----------
    family : Family
        In one parameter, polynomial in it.
    axis : Axis
        The interval.
    progress : callable, optional
        Called as progress(intervals done, all), the intervals between events.

    Raises
    ------
    InputError
        If the family has no valid member, or is neither polynomial nor of formulas.

    Notes
    -----
    Of formulas the local events and equal heights are isolated by interval arithmetic (``formula_singular``).

    Examples
    --------
    >>> from fastslow.systems.families import axis_of, family_of
    >>> axis = axis_of("c_star[3]=-5:5", "--x")
    >>> boundary = singular_boundary(family_of("fig4", axis.name), axis)
    >>> float(boundary.thresholds_at([1.0])[0, -1].round(9))
    9.312353886
    >>> [(corner.kind, round(corner.parameter, 9)) for corner in boundary.corners if corner.y > 1.1]
    [('canard point', -0.328664152)]
    """
    check_line_at_rest(axis)
    member = formula_member(family, ((axis.low, axis.high),))
    if member is not None:
        return _of_formulas(family, axis, member, progress)
    events = events_of(family, axis)
    low, high = float(axis.low), float(axis.high)
    sample = family.at(sample_between(*_valid_interval(events)))
    strands = strands_of(events, (sample.lower, sample.upper))
    crossings, all_heights = certified_heights(events, strands, height_events(events, strands))
    cuts = {low, high, *(e.parameter for e in (*events.events, *crossings)), *(v for gap in events.gaps for v in gap)}
    pieces: list[Piece] = []
    for a, b in counted(list(itertools.pairwise(sorted(cuts))), progress):
        if any(gap[0] <= a and b <= gap[1] for gap in events.gaps):
            continue
        pieces += pieces_between(family, PolynomialSurroundings(events), strands, a, b)
    curves, corners = joined_pieces(pieces, [*events.events, *crossings], events.gaps)
    followed = events.complete and not any(piece.delayed or piece.unmatched for piece in pieces)
    complete = followed and (all_heights or not are_compared(events, strands))
    return SingularBoundary(
        family, axis, curves, corners, events, crossings, events.gaps, followed, complete, tuple(pieces), strands
    )


def _of_formulas(family: Family, axis: Axis, sample: FormulaSystem, progress: Progress | None) -> SingularBoundary:
    pieces, events, heights, strands, notes, open_ = formula_pieces(family, axis, sample, progress)
    curves, corners = joined_pieces(pieces, [*events, *heights], ())
    followed = not notes and not any(piece.delayed or piece.unmatched for piece in pieces)
    return SingularBoundary(
        family, axis, curves, corners, None, tuple(heights), (), followed, followed and not open_, tuple(pieces),
        tuple(strands), (*notes, *open_),
    )  # fmt: skip


def _valid_interval(events: Events) -> tuple[float, float]:
    cuts = sorted({float(events.axis.low), float(events.axis.high), *(v for gap in events.gaps for v in gap)})
    free = [(a, b) for a, b in itertools.pairwise(cuts) if (a, b) not in events.gaps]
    if not free:
        raise InputError(events.axis.name, str(events.axis), "has no valid member", "Choose another range")
    return free[0]


def _joined_intervals(pieces: Iterable[Piece]) -> list[tuple[float, float]]:
    """Return the intervals of pieces, neighbours joined."""
    found: list[tuple[float, float]] = []
    for piece in pieces:
        low = found.pop()[0] if found and found[-1][1] == piece.low else piece.low
        found.append((low, piece.high))
    return found
