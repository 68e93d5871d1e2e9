"""Special points followed in a parameter: all values at once, from exact roots at one of them.

Between the events that involve its locus q(u, s) = 0 a special point is an analytic function of s. It ends, at
most, in a square root, so in the angle t of s = low + (high - low) sin^2(t / 2) it is analytic up to the ends, and
its Chebyshev series in t converges fast. The series is the guess; Newton's method gives the last digits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastslow.bifurcation.events import Events, distinct
from fastslow.bifurcation.loci import FAST, PARAMETER, SLOW, Locus, Place, Role
from fastslow.errors import CertificateError
from fastslow.manifold.certificates import rational_between
from fastslow.systems.algebraic import Rational, RealRoot, nearest_double, real_roots
from fastslow.systems.polynomials import Polynomial, coefficients, fraction, univariate

Values = NDArray[np.float64]

_FIRST_NODES, _MOST_NODES = 32, 128
_TAIL = 1e-9
"""A series is long enough when its last coefficients are this small; Newton's method does the rest."""
_DISTINCT, _ROUNDING = 1e-11, 2e-16
_FOLLOWED = (Role.FOLD, Role.EQUILIBRIUM, Role.CROSSING, Role.LINE, Role.START, Role.EDGE)


class _Surface:
    """A polynomial in u and s (or y, u and s) in doubles, evaluated at many s at once."""

    def __init__(self, p: Polynomial, variable: int) -> None:
        degrees = p.degrees()
        self.table = np.zeros((max(degrees[variable], 0) + 1, max(degrees[PARAMETER], 0) + 1))
        for powers, value in p.to_dict().items():
            self.table[powers[variable], powers[PARAMETER]] = float(fraction(value))

    def rows(self, s: Values) -> Values:
        """Return the coefficients of u -> p(u, s), shape (degree + 1, len(s))."""
        return np.asarray(self.table @ s[None, :] ** np.arange(self.table.shape[1])[:, None])


def _polynomial(rows: Values, u: Values) -> tuple[Values, Values]:
    """Return value and slope by Horner's rule."""
    value, slope = np.zeros_like(u), np.zeros_like(u)
    for row in rows[::-1]:
        slope = slope * u + value
        value = value * u + row
    return value, slope


@dataclass(frozen=True, eq=False)
class Strand:
    """A special point for all parameters between two values.

    Attributes
    ----------
    role : Role
        What it is first of all.
    low, high : float
        The interval of the parameter.
    locus : Locus
        What its coordinate u solves.
    also : tuple of Role
        What else it is.
    number : int
        Its place among the points of the locus, in order of u.
    """

    role: Role
    low: float
    high: float
    locus: Locus
    also: tuple[Role, ...]
    number: int
    _series: Values = field(repr=False)
    _surface: _Surface = field(repr=False)
    _heights: tuple[_Surface, ...] = field(repr=False)
    """[p_0, p_1, ...] with p = sum_j p_j(x, s) y^j where u = x; the line where u = y."""
    _height_series: Values | None = field(default=None, repr=False)

    def coordinate(self, s: Values) -> Values:
        """Return u at parameters in [low, high]."""
        guess = self._summed(self._series, s)
        return _polished(self._surface.rows(s), np.tan(guess) if self.locus.variable == SLOW else guess)

    def _summed(self, series: Values, s: Values) -> Values:
        t = 2.0 / math.pi * _angle(s, self.low, self.high) - 1.0
        return np.asarray(np.polynomial.chebyshev.chebval(t, series), dtype=np.float64)

    def at(self, s: Values) -> tuple[Values, Values]:
        """Return (x, y) at parameters in [low, high]."""
        s = np.asarray(s, dtype=np.float64)
        u = self.coordinate(s)
        if self.locus.variable == SLOW:
            if not self._heights:
                return np.full_like(u, np.nan), u
            rows = self._heights[0].rows(s)
            return -rows[0] / rows[1] if len(rows) == 2 else np.full_like(u, np.nan), u
        rows = np.array([_polynomial(surface.rows(s), u)[0] for surface in self._heights])
        if self._height_series is None:
            with np.errstate(divide="ignore"):
                return u, -rows[0] / rows[1]
        return u, _polished(rows, np.tan(self._summed(self._height_series, s)))

    def spans(self, low: float, high: float) -> bool:
        """Whether it is there at all parameters of an interval."""
        return self.low <= low and high <= self.high


def _angle(s: Values, low: float, high: float) -> Values:
    return np.asarray(2.0 * np.arctan2(np.sqrt(np.maximum(s - low, 0.0)), np.sqrt(np.maximum(high - s, 0.0))))


def _parameter(t: Values, low: float, high: float) -> Values:
    return np.asarray(
        np.where(t < 1.5, low + (high - low) * np.sin(t / 2) ** 2, high - (high - low) * np.cos(t / 2) ** 2)
    )


def clustered(low: float, high: float, count: int) -> Values:
    """Return parameters strictly inside an interval, in order, that crowd at its ends like its square roots."""
    return _parameter(math.pi * (np.arange(count) + 0.5) / count, low, high)


def _polished(rows: Values, u: Values) -> Values:
    """Return roots by Newton's method from very near; the guess stays where rounding is worse (a double root)."""
    if len(rows) == 2:
        with np.errstate(divide="ignore"):
            return np.asarray(-rows[0] / rows[1] + 0.0)
    for _ in range(4):
        value, slope = _polynomial(rows, u)
        rounding = _ROUNDING * _polynomial(np.abs(rows), np.abs(u))[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = value / slope
        near = (np.abs(step) <= 1e-3 * (1.0 + np.abs(u))) & (rounding <= _TAIL * np.abs(slope) * (1.0 + np.abs(u)))
        u = np.where(near, u - np.where(near, step, 0.0), u)
    return u


def strands_of(events: Events, window: tuple[Fraction, Fraction]) -> tuple[Strand, ...]:
    """Return every special point of a family in the window as strands between the events that involve it.

    Raises
    ------
    CertificateError
        If the roots at a parameter are not as many as they are proved to be.
    """
    axis = events.axis
    ends: list[RealRoot] = [Rational(axis.low), Rational(axis.high)]
    common = [e.value for e in events.events if e.value is not None and (not e.loci or e.certified is False)]
    found: list[Strand] = []
    known: list[Locus] = []
    for locus in (*events.loci.loci, *events.loci.ends):
        place = next((p for p in locus.places if _has_height(events, locus, p)), None)
        if place is None or locus.places[0].role is Role.POLE:
            continue
        if any(locus is not q and locus.variable == q.variable and locus.polynomial == q.polynomial for q in known):
            continue  # the window's edge is a line of the manifold: a crossing
        known.append(locus)
        cuts = [e.value for e in events.events if locus in e.loci and e.value is not None]
        if locus in events.loci.ends:
            cuts += _own_cuts(locus, axis.low, axis.high)
        line = next((p for p in locus.places if p.role is Role.LINE), None)
        place = line if line is not None and locus.variable == SLOW else place
        for low, high in itertools.pairwise(distinct([*ends, *common, *cuts])):
            found += _between(events, locus, place, low, high, window)
    return tuple(found)


def _has_height(events: Events, locus: Locus, place: Place) -> bool:
    """Whether the points of a locus have a slow value of their own here: not those on a line y = const."""
    if place.role not in _FOLLOWED or place.curve is None:
        return False
    if locus.variable == SLOW:
        return True
    if place.role is Role.LINE or not events.loci.curves[place.curve].moves:
        return False
    if place.condition is None:
        return False
    # Crossings with lines x = const are followed in y, those with y = const are on the line.
    return place.role is not Role.CROSSING or min(place.condition.degrees()[:2]) > 0


def _own_cuts(locus: Locus, low: Fraction, high: Fraction) -> list[RealRoot]:
    """Return where the real roots in y of a locus can change in number."""
    q = locus.polynomial
    rows = [coefficients(q, SLOW)[-1]]
    if q.degrees()[SLOW] > 1:
        rows.append(q.discriminant(q.context().names()[SLOW]))
    listed = [univariate(row, PARAMETER) for row in rows]
    return [root for row in listed if row.degree() > 0 for root in real_roots(row, low, high)]


def _between(
    events: Events, locus: Locus, place: Place, low: RealRoot, high: RealRoot, window: tuple[Fraction, Fraction]
) -> list[Strand]:
    a, b = nearest_double(low), nearest_double(high)
    if not a < b:
        return []
    bounds = window if locus.variable == FAST else (None, None)

    def exact_roots(s: Fraction) -> Values:
        return np.array([nearest_double(root) for root in real_roots(locus.at(s), *bounds)])

    middle = rational_between(low, high)
    first = exact_roots(middle)
    if not len(first):
        return []
    surface = _Surface(locus.polynomial, locus.variable)
    count = _FIRST_NODES
    while True:
        t, u = _followed(surface, exact_roots, first, float(middle), a, b, count)
        # A slow value may grow without bound, its arc tangent does not.
        series = [_series(np.arctan(row) if locus.variable == SLOW else row) for row in u]
        if count >= _MOST_NODES or all(_short(row) for row in series):
            break
        count *= 2
    also = tuple(dict.fromkeys(p.role for p in locus.places if p.role in _FOLLOWED and p.role is not place.role))
    heights = _height_rows(events, locus, place)
    found = []
    for number, (row, path) in enumerate(zip(series, u, strict=True)):
        sheets: list[Values | None] = [None]
        if locus.variable == FAST and len(heights) > 2:
            sheets = [_series(np.arctan(y)) for y in _sheets(place, path, _parameter(t, a, b), heights)]
        found += [Strand(place.role, a, b, locus, also, number, row, surface, heights, sheet) for sheet in sheets]
    return found


def _height_rows(events: Events, locus: Locus, place: Place) -> tuple[_Surface, ...]:
    assert place.curve is not None
    p = events.loci.curves[place.curve].polynomial
    if locus.variable == FAST:
        return tuple(_Surface(row, FAST) for row in coefficients(p, SLOW))
    if place.role in (Role.START, Role.EDGE):
        return (_Surface(place.condition, FAST),)
    return (_Surface(p, FAST),) if p.degrees()[SLOW] <= 0 else ()


def _followed(
    surface: _Surface, exact_roots: object, first: Values, middle: float, low: float, high: float, count: int
) -> tuple[Values, Values]:
    """Return the nodes t and all roots there, shape (roots, count), in order: as many as at the sample.

    From node to node the last roots are carried on by extrapolation and Newton's method. What comes out is
    accepted if it is as many different roots, in order, as there are; otherwise they are isolated exactly.
    """
    t = 0.5 * math.pi * (1.0 - np.cos((2 * np.arange(count) + 1) * math.pi / (2 * count)))
    s = _parameter(t, low, high)
    rows = surface.rows(s)
    u = np.empty((len(first), count))
    start = int(_angle(np.array([middle]), low, high)[0] > t[0]) and int(
        np.searchsorted(t, _angle(np.array([middle]), low, high)[0])
    )
    for order in (range(start, count), range(start - 1, -1, -1)):
        known_t, known_u = [float(_angle(np.array([middle]), low, high)[0])], [first]
        for k in order:
            guess = known_u[-1]
            if len(known_t) > 1:
                guess = guess + (known_u[-1] - known_u[-2]) * (t[k] - known_t[-1]) / (known_t[-1] - known_t[-2])
            here = _corrected(rows[:, k], guess)
            if here is None:
                here = exact_roots(Fraction(float(s[k])))  # type: ignore[operator]
                if len(here) != len(first):
                    raise CertificateError(f"{len(here)} special points at {s[k]:.17g}, not {len(first)}")
            u[:, k] = here
            known_t.append(float(t[k]))
            known_u.append(here)
    return t, u


def _corrected(row: Values, guess: Values) -> Values | None:
    """Return different simple roots in order, one from each guess by Newton's method, or None."""
    coefficients = [float(c) for c in row[::-1]]
    found: list[float] = []
    side = 0.0
    for u in map(float, guess):
        slope = 0.0
        for _ in range(12):
            value = slope = 0.0
            for c in coefficients:
                slope = slope * u + value
                value = value * u + c
            if slope == 0.0 or not math.isfinite(value):
                return None
            step = value / slope
            u -= step
            if abs(step) <= 1e-13 * (1.0 + abs(u)):
                break
        else:
            return None
        if (found and u <= found[-1] + _DISTINCT * (1.0 + abs(u))) or slope * side > 0.0:
            return None
        side = slope
        found.append(u)
    return np.array(found)


def _series(values: Values) -> Values:
    """Return the Chebyshev coefficients of values at the nodes of `_followed`."""
    n = len(values)
    angles = (2 * np.arange(n) + 1) * math.pi / (2 * n)
    # The nodes run from -1 to 1, Chebyshev's angle from pi to 0.
    table = np.cos(np.arange(n)[:, None] * (math.pi - angles)[None, :])
    series: Values = 2.0 / n * table @ values
    series[0] *= 0.5
    return series


def _short(series: Values) -> bool:
    return bool(np.abs(series[-3:]).max() <= _TAIL * (np.abs(series).max() + 1e-300))


def _sheets(place: Place, x: Values, s: Values, heights: Sequence[_Surface]) -> list[Values]:
    """Return the slow values above a path x(s) on the sheets where the condition of its place holds too."""
    assert place.condition is not None
    condition = [_Surface(row, FAST) for row in coefficients(place.condition, SLOW)]
    middle = len(s) // 2
    rows = np.array([_polynomial(surface.rows(s), x)[0] for surface in heights])
    test = np.array([_polynomial(surface.rows(s), x)[0] for surface in condition])[:, middle]
    roots = np.polynomial.polynomial.polyroots(rows[:, middle])
    found = []
    for root in roots:
        if abs(root.imag) > 1e-7 * (1 + abs(root)):
            continue
        y = float(root.real)
        size = float(np.polynomial.polynomial.polyval(abs(y), np.abs(test)))
        if abs(np.polynomial.polynomial.polyval(y, test)) > 1e-7 * size:
            continue
        path = np.empty_like(s)
        for order in (range(middle, len(s)), range(middle - 1, -1, -1)):
            here = y
            for k in order:
                (here,) = _polished(rows[:, k : k + 1], np.array([here])) if k == middle else _newton(rows[:, k], here)
                path[k] = here
        found.append(path)
    return found


def _newton(row: Values, y: float) -> Values:
    for _ in range(20):
        value, slope = _polynomial(row[:, None], np.array([y]))
        if slope[0] == 0.0:
            break
        y -= float(value[0] / slope[0])
    return np.array([y])
