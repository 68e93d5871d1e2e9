"""Coordinates in which invariant lines x = const are at infinity, so that nearness to them never underflows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Chart:
    """A coordinate z of the fast variable on one side of, or between, invariant lines.

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
    """

    kind: ChartKind = ChartKind.PLAIN
    origin: Fraction = Fraction(0)
    size: Fraction = Fraction(1)
    lines: tuple[Fraction, ...] = ()
    scaled: bool = False

    def to_state(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the state u of ``core.polynomial.polynomial_field`` at points (x, y), shape (..., 2)."""
        z, y = np.broadcast_arrays(self.to_chart(x), np.asarray(y, dtype=np.float64))
        return np.stack([z * np.sqrt(1.0 + y * y) if self.scaled else z, y], axis=-1)

    def from_state(self, u: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points (x, y) of states u of shape (..., 2)."""
        z, y = np.moveaxis(np.asarray(u, dtype=np.float64), -1, 0)
        return self.from_chart(z / np.sqrt(1.0 + y * y) if self.scaled else z), y

    def to_chart(self, x: ArrayLike) -> NDArray[np.float64]:
        """Return z for x."""
        x = np.asarray(x, dtype=np.float64)
        if self.kind is ChartKind.PLAIN:
            return x
        scaled = (x - float(self.origin)) / float(self.size)
        return np.asarray(np.arctanh(scaled) if self.kind is ChartKind.BETWEEN else np.log(scaled))

    def from_chart(self, z: ArrayLike) -> NDArray[np.float64]:
        """Return x for z."""
        z = np.asarray(z, dtype=np.float64)
        if self.kind is ChartKind.PLAIN:
            return z
        scaled = np.tanh(z) if self.kind is ChartKind.BETWEEN else np.exp(np.minimum(z, 700.0))
        return np.asarray(float(self.origin) + float(self.size) * scaled)

    def holds(self, x: float) -> bool:
        """Whether x lies strictly inside the region."""
        if self.kind is ChartKind.PLAIN:
            return True
        scaled = (x - float(self.origin)) / float(self.size)
        return bool(-1.0 < scaled < 1.0 if self.kind is ChartKind.BETWEEN else scaled > 0.0)


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


def chart_between(below: Fraction | None, above: Fraction | None) -> Chart:
    """Return the chart of the region between the nearest invariant lines below and above, None where there is none."""
    if below is not None and above is not None:
        return Chart(ChartKind.BETWEEN, (below + above) / 2, (above - below) / 2, (below, above))
    if below is not None:
        return Chart(ChartKind.BESIDE, below, Fraction(1), (below,))
    if above is not None:
        return Chart(ChartKind.BESIDE, above, Fraction(-1), (above,))
    return Chart()
