"""Coordinates in which invariant lines x = const and y = const are at infinity: nearness to them never underflows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.systems.polynomials import Polynomial, vertical_line


class ChartKind(IntEnum):
    """The coordinate z for x, as the kernels number it."""

    PLAIN = 0  # x = z
    BETWEEN = 1  # x = origin + size tanh z, between two invariant lines
    BESIDE = 2  # x = origin + size e^z, size = 1 or -1, beside one invariant line
    SOFT = 3  # y = origin + size log(1 + e^w): the same, for y without bounds, which is linear in w far from the line


@dataclass(frozen=True)
class Chart:
    """A coordinate z of the fast variable on one side of, or between, invariant lines, and the same of the slow one.

    Attributes
    ----------
    kind : ChartKind
        The form of x(z).
    origin, size : Fraction
        Its constants.
    lines : tuple of Fraction
        The invariant lines that bound the region.
    scaled : bool
        Whether the state has z sqrt(1 + y^2) in place of z: for systems with a branch that leaves along z ~ 1 / y.
    slow : Chart, optional
        The chart of y between invariant lines y = const: the state has its coordinate w in place of y.
    """

    kind: ChartKind = ChartKind.PLAIN
    origin: Fraction = Fraction(0)
    size: Fraction = Fraction(1)
    lines: tuple[Fraction, ...] = ()
    scaled: bool = False
    slow: Chart | None = None

    def to_state(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the state u of ``core.polynomial.polynomial_field`` at points (x, y), shape (..., 2)."""
        z, w = np.broadcast_arrays(self.to_chart(x), self.slow_coordinate.to_chart(y))
        return np.stack([z * np.sqrt(1.0 + w * w) if self.scaled else z, w], axis=-1)

    def state_of(self, x: Fraction, y: Fraction) -> NDArray[np.float64]:
        """Return the state at an exact point, also where doubles would put it on a line."""
        w = self.slow_coordinate.coordinate_of(y)
        z = self.coordinate_of(x)
        return np.array([z * math.sqrt(1.0 + w * w) if self.scaled else z, w])

    def from_state(self, u: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points (x, y) of states u of shape (..., 2)."""
        z, w = np.moveaxis(np.asarray(u, dtype=np.float64), -1, 0)
        return self.from_chart(z / np.sqrt(1.0 + w * w) if self.scaled else z), self.slow_coordinate.from_chart(w)

    def units(self, y: float) -> NDArray[np.float64]:
        """Return the units of absolute tolerances: 1, and for y itself the size of its start if that is below 1."""
        return np.array([1.0, 1.0 if self.slow is not None else min(abs(y) or 1.0, 1.0)])

    @property
    def slow_coordinate(self) -> Chart:
        """The chart of y, plain where there is none."""
        return self.slow or _PLAIN

    @property
    def orientation(self) -> int:
        """1 where the coordinate rises with the variable, -1 where it falls."""
        return 1 if self.size > 0 else -1

    def coordinate_of(self, x: Fraction) -> float:
        """Return z for an exact x inside the region; on a line that bounds it, its depth."""
        if self.kind is ChartKind.PLAIN:
            return float(x)
        away = (x - self.origin) / self.size
        if self.kind is ChartKind.SOFT and away > _SMALL:
            return float(away) + math.log(-math.expm1(-float(away)))
        if self.kind is ChartKind.BETWEEN:
            return 0.5 * _log((1 + away) / (1 - away)) if away != 1 else DEPTH
        return _log(away)

    def clipped(self, x: float) -> float:
        """Return z for x in the region, and the end of z that is nearest (infinite) for x that is not."""
        if self.kind is ChartKind.PLAIN or self.holds(x):
            return float(self.to_chart(x))
        if self.kind is ChartKind.BETWEEN:
            return math.inf if x > self.origin else -math.inf
        return -math.inf  # on the line or beyond it

    def to_chart(self, x: ArrayLike) -> NDArray[np.float64]:
        """Return z for x."""
        x = np.asarray(x, dtype=np.float64)
        if self.kind is ChartKind.PLAIN:
            return x
        scaled = (x - float(self.origin)) / float(self.size)
        with np.errstate(divide="ignore"):
            if self.kind is ChartKind.SOFT:
                z = scaled + np.log(-np.expm1(-scaled))
            else:
                z = np.arctanh(scaled) if self.kind is ChartKind.BETWEEN else np.log(scaled)
        return np.clip(z, -DEPTH, DEPTH)

    def from_chart(self, z: ArrayLike) -> NDArray[np.float64]:
        """Return x for z."""
        z = np.asarray(z, dtype=np.float64)
        if self.kind is ChartKind.PLAIN:
            return z
        if self.kind is ChartKind.SOFT:
            return np.asarray(float(self.origin) + float(self.size) * np.logaddexp(0.0, z))
        if self.kind is ChartKind.BETWEEN and self.origin == self.size:
            return 2.0 * float(self.size) * _sigmoid(2.0 * z)  # without rounding beside the line at 0
        scaled = np.tanh(z) if self.kind is ChartKind.BETWEEN else np.exp(np.minimum(z, 700.0))
        return np.asarray(float(self.origin) + float(self.size) * scaled)

    def holds(self, x: float) -> bool:
        """Whether x lies strictly inside the region."""
        if self.kind is ChartKind.PLAIN:
            return True
        scaled = (x - float(self.origin)) / float(self.size)
        return bool(-1.0 < scaled < 1.0 if self.kind is ChartKind.BETWEEN else scaled > 0.0)


_PLAIN = Chart()
DEPTH = 1e100
"""The size of the coordinate on a line, where it would be infinite."""
_SMALL = Fraction(1, 10**18)
"""Where log(1 + e^w) is e^w to rounding."""


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0.0, -z)))


def _log(value: Fraction) -> float:
    """Return the logarithm of a fraction, whose parts may be beyond what doubles hold; of 0 the depth of a line."""
    if not value:
        return -DEPTH
    near = value.limit_denominator(1) == 1 and 2 * abs(value - 1) < 1
    return math.log1p(float(value - 1)) if near else math.log(value.numerator) - math.log(value.denominator)


def without_lines(
    constant: Fraction, parts: Iterable[tuple[Polynomial, int]], chart: Chart
) -> tuple[Fraction, list[Polynomial]]:
    """Return a product of powers of irreducible factors without the invariant lines that a chart takes care of.

    The constant gets the slopes of the lines, with the sign of x - line in the chart, and the chart's orientation.
    """
    left: list[Polynomial] = []
    lines: list[tuple[Fraction, Fraction]] = []
    for part, multiplicity in parts:
        line = vertical_line(part)
        if line is not None and line[0] in chart.lines and multiplicity == 1:
            lines.append(line)
        else:
            left += [part] * multiplicity
    return constant * line_constant(lines, chart), left


def line_constant(lines: Iterable[tuple[Fraction, Fraction]], chart: Chart) -> Fraction:
    """Return what is left of factors slope (x - line), given as (line, slope), that a chart takes care of."""
    constant = chart.size if chart.kind is ChartKind.BESIDE else Fraction(1)
    for line, slope in lines:
        # The chart takes the line out: x - lo where it is below, hi - x where it is above.
        below = line == chart.lines[0] and not (chart.kind is ChartKind.BESIDE and chart.size < 0)
        constant *= slope if below else -slope
    return constant


def chart_at(x: Fraction, lines: Sequence[Fraction]) -> Chart | None:
    """Return the chart of the region between invariant lines that holds x; None on a line."""
    if x in lines:
        return None
    below = max((line for line in lines if line < x), default=None)
    above = min((line for line in lines if line > x), default=None)
    return chart_between(below, above)


def with_slow(chart: Chart | None, y: Fraction | None, lines: Sequence[Fraction], bounded: bool) -> Chart | None:
    """Return a chart with that of y between invariant lines y = const added; without y as it is.

    On a line it is the chart above: there a state can be at the depth of the line, where y is that of the line and
    stays so. `bounded` says whether y stays in a window.
    """
    if chart is None or y is None or not lines:
        return chart
    slow = chart_at(y, lines) or chart_between(y, min((line for line in lines if line > y), default=None))
    if slow.kind is ChartKind.BESIDE and not bounded:
        slow = replace(slow, kind=ChartKind.SOFT)
    return replace(chart, slow=slow)


def chart_between(below: Fraction | None, above: Fraction | None) -> Chart:
    """Return the chart of the region between the nearest invariant lines below and above, None where there is none."""
    if below is not None and above is not None:
        return Chart(ChartKind.BETWEEN, (below + above) / 2, (above - below) / 2, (below, above))
    if below is not None:
        return Chart(ChartKind.BESIDE, below, Fraction(1), (below,))
    if above is not None:
        return Chart(ChartKind.BESIDE, above, Fraction(-1), (above,))
    return Chart()
