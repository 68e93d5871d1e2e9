"""Saddle-saddle connections of the full system, located in a parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.progress import Progress, counted
from fastslow.separatrices.gaps import SCAN_RTOL, UNDECIDED, Key, Portrait
from fastslow.systems.exact import Real, exact
from fastslow.systems.families import family_of
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

_RTOL, _LOOSE_RTOL = 1e-12, 1e-10
_MEETS = 1e-6
"""Distance on the section, in these units, below which the two manifolds meet at a root of the gap."""
_MARGIN = 1e-5
_MOST_HALVINGS = 40
_BESIDE = 1e-3

Build = Callable[[Fraction], FastSlowSystem]


@dataclass(frozen=True)
class Connection:
    """A value of a parameter at which an unstable half of one saddle is a stable half of another.

    Attributes
    ----------
    parameter : str
        Its name.
    value, error : float
        The value, and an estimate of its error from two tolerances of the integration.
    source, target : str
        Ids of the saddles at that value.
    source_at, target_at : tuple of float
        Where they are, (x, y).
    side : int
        1 where the connection leaves the first saddle to larger x, else -1.
    below, above : str
        Where the half of the first saddle ends for parameters a little smaller and larger.
    """

    parameter: str
    value: float
    error: float
    source: str
    target: str
    source_at: tuple[float, float]
    target_at: tuple[float, float]
    side: int
    below: str
    above: str


@dataclass(frozen=True)
class Connections:
    """The connections found in an interval of a parameter, and changes that no connection explains.

    Attributes
    ----------
    parameter : str
        Its name.
    between : tuple of float
        The interval.
    found : tuple of Connection
        In order of the parameter.
    unresolved : tuple of str
        In words: where the equilibria change, or a half changes its end and no connection was found.
    """

    parameter: str
    between: tuple[float, float]
    found: tuple[Connection, ...]
    unresolved: tuple[str, ...]


def connections(
    system: FastSlowSystem | str | Build,
    parameter: str,
    between: tuple[Real, Real],
    *,
    source: str | None = None,
    target: str | None = None,
    samples: int = 24,
    progress: Progress | None = None,
) -> Connections:
    """Locate the saddle-saddle connections of the full system between two values of a parameter.

    For each pair of an unstable half of A and a stable half of B the gap is their signed distance on a section: the
    level (E_A + E_B) / 2 of the energy, which each half crosses once, or without an energy a line across W^s(B)
    beside B. Sign changes of the gap between samples are refined by Brent's method.

    Parameters
    ----------
    system : FastSlowSystem, str or callable
        The system, a preset or a file; or the system for each value of the parameter.
    parameter : str
        A number of the system's table such as "slow_rate", or "c[2]" or "c_star[2]" of a two-layer network.
    between : pair of numbers
        The interval.
    source, target : str, optional
        Ids of A and B at the lower end of the interval; all saddles unless given.
    samples : int
        Steps of the scan. Two connections of the same pair within one step cancel and are missed, unless an end
        changes.
    progress : callable, optional
        Called as progress(steps done, steps) after each step of the scan.

    Raises
    ------
    InputError
        If the parameter or the interval cannot be used, or a saddle is not there.
    """
    if callable(system):
        family = system
    else:
        named = family_of(system, parameter)
        (parameter,), family = named.names, named.build
    try:
        low, high = (exact(v, "between") for v in between)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("between", between, "must be two numbers", "For example (0.1, 0.5)") from None
    if low >= high:
        raise InputError("between", f"{between[0]},{between[1]}", "must have its lower end below its upper end")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise InputError("samples", samples, "must be a whole number, at least 1")
    scan = _Scan(family, parameter, source, target)
    saddles = [saddle.id for saddle in scan.portrait(low).saddles]
    for name, id in (("source", source), ("target", target)):
        if id is not None and id not in saddles:
            there = f"Saddles there: {', '.join(saddles) or 'none'}"
            raise InputError(name, id, f"is no saddle at {parameter} = {float(low):.6g}", there)
    values = [low + (high - low) * k / samples for k in range(samples + 1)]
    steps = counted(list(itertools.pairwise(values)), progress)
    found = sorted((c for a, b in steps for c in scan.within(a, b)), key=lambda c: c.value)
    return Connections(parameter, (float(low), float(high)), tuple(found), tuple(scan.unresolved))


class _Scan:
    """Looks for connections in steps of a parameter."""

    def __init__(self, family: Build, parameter: str, source: str | None, target: str | None) -> None:
        self.family, self.parameter = family, parameter
        self.source, self.target = source, target
        self.unresolved: list[str] = []
        self._last: dict[Fraction, Portrait] = {}

    def portrait(self, value: Fraction) -> Portrait:
        if value not in self._last:
            self._last = dict([*self._last.items()][-8:])
            self._last[value] = Portrait(system_of(self.family(value)))
        return self._last[value]

    def within(self, a: Fraction, b: Fraction, halvings: int = 8) -> Iterator[Connection]:
        """Yield the connections between two neighbouring values; a step in which equilibria change is halved."""
        first, second = self.portrait(a), self.portrait(b)
        if not first.alike(second):
            if halvings == 0:
                self.unresolved.append(f"between {float(a):.7g} and {float(b):.7g} the equilibria change")
                return
            middle = (a + b) / 2
            yield from self.within(a, middle, halvings - 1)
            yield from self.within(middle, b, halvings - 1)
            return
        for half in (key for key in first.starts if key.kind == "unstable" and self._is(first, key, self.source)):
            found = list(self._of_half(half, a, b))
            yield from found
            ends = {first.end(half), second.end(half)}
            if len(ends) == 2 and UNDECIDED not in ends and not found and self.target is None:
                yield from self._by_ends(half, a, b)

    @staticmethod
    def _is(portrait: Portrait, key: Key, id: str | None) -> bool:
        return id is None or portrait.saddles[key.saddle].id == id

    def _of_half(self, half: Key, a: Fraction, b: Fraction) -> Iterator[Connection]:
        """Yield the connections of one unstable half to all stable halves whose gap changes sign."""
        first, second = self.portrait(a), self.portrait(b)
        for other in (key for key in first.starts if key.kind == "stable" and self._is(first, key, self.target)):
            system = first.system
            if system.energy_polynomial is not None and other.saddle == half.saddle:
                continue
            if system.chart_of(first.starts[half].fast) != system.chart_of(first.starts[other].fast):
                continue
            gaps = [portrait.gap(half, other, SCAN_RTOL) for portrait in (first, second)]
            across = [gap.across for gap in gaps if gap is not None]
            if len(across) == 2 and across[0] != 0.0 and across[0] * across[1] <= 0.0:
                connection = self._refined(half, other, a, b)
                if connection is not None:
                    yield connection

    def _by_ends(self, half: Key, a: Fraction, b: Fraction) -> Iterator[Connection]:
        """Halve the step where a half changes its end until the gap to some stable half changes sign."""
        low, high = a, b
        for _ in range(_MOST_HALVINGS):
            middle = (low + high) / 2
            if not self.portrait(middle).alike(self.portrait(low)):
                break
            same = self.portrait(middle).end(half) == self.portrait(low).end(half)
            low, high = (middle, high) if same else (low, middle)
            found = list(self._of_half(half, low, high))
            if found:
                yield from found
                return
        name = self.portrait(a).saddles[half.saddle].id
        self.unresolved.append(
            f"at {(float(low) + float(high)) / 2:.9g} the unstable half of {name} on side {half.side} changes its end "
            f"from {self.portrait(low).end(half)} to {self.portrait(high).end(half)}, but no connection was found"
        )

    def _refined(self, half: Key, other: Key, a: Fraction, b: Fraction) -> Connection | None:
        """Return the connection at the root of a gap, None where the gap jumps and has no root."""
        from scipy.optimize import brentq

        span = float(b - a)

        def gap(value: float) -> float:
            result = self.portrait(Fraction(value)).gap(half, other, _RTOL)
            if result is None:
                raise ArithmeticError
            return result.across

        low, high = float(a), float(b)
        try:
            if gap(low) * gap(high) > 0.0:
                # an end is a root, up to the tolerance of the scan
                low, high = low - _MARGIN * span, high + _MARGIN * span
            root = float(brentq(gap, low, high, xtol=1e-14 * max(abs(float(a)), abs(float(b))), rtol=1e-14))
            portrait = self.portrait(Fraction(root))
            at_root, loose = portrait.gap(half, other, _RTOL), portrait.gap(half, other, _LOOSE_RTOL)
            step = 1e-4 * span
            slope = (gap(root + step) - gap(root - step)) / (2 * step)
        except (ArithmeticError, ValueError):
            return None
        if loose is None or at_root is None or at_root.distance > _MEETS or slope == 0.0:
            return None
        source, target = portrait.saddles[half.saddle], portrait.saddles[other.saddle]
        error = (abs(loose.across - at_root.across) + abs(at_root.across)) / abs(slope) + math.ulp(root)
        below, above = (self.portrait(Fraction(root + s * _BESIDE * span)).end(half) for s in (-1.0, 1.0))
        return Connection(
            self.parameter,
            root,
            error,
            source.id,
            target.id,
            (source.x, source.y),
            (target.x, target.y),
            half.side,
            below,
            above,
        )
