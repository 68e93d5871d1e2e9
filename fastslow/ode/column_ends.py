"""Attracting equilibria and regions towards infinity of many systems of one family at once, in doubles with bounds.

The exact analysis of one system takes some ten milliseconds, its trajectories a tenth of that. Here nothing needs to be
complete: a trajectory that meets none of the ends that are found is followed again with the exact analysis. What is
found must be true, and is shown to be so with bounds of all roundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.core.polynomial import SLOW_RATE
from fastslow.core.polynomial_events import SETTLING
from fastslow.systems.chart import ChartKind
from fastslow.systems.many_polynomials import Polynomials, polynomials
from fastslow.systems.members import Tables

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

_NEAR = 1e-6
"""Size of the neighbourhood of an equilibrium in which a trajectory counts as settled, as in `trajectories`, ..."""
_ALONE = 1e3
"""... a thousandth of the distance within which there is no other equilibrium, ..."""
_SHARP = 1e-3
"""... and the share of it up to which the equilibrium itself has to be known."""
_SHRINKINGS = 6
_CLEAR = 1e-9
"""Share of its terms above which a sum has a sure sign."""
_LAST_TRIES = (1.0, 0.95, 0.85, 0.6, 0.3, 0.1)
_BEYOND = 1e300
_SCAN = np.unique(
    np.concatenate([np.linspace(-1, 1, 257)[1:-1], *(s * np.geomspace(1e-4, 0.999, 161) for s in (1, -1))])
)
_SCAN = _SCAN[_SCAN != 0.0]
_GATE_SCAN = np.linspace(0.0, 1.0, 257)[1:]
_GATE_TRIES = (0.002, 0.02, 0.1, 0.3)
_TAIL_SCAN = np.geomspace(1e-4, 0.999, 200)


@dataclass(frozen=True, eq=False)
class Ends:
    """Ends of trajectories of S systems, at most E for each.

    Attributes
    ----------
    events : ndarray, shape (S, ne)
        Parameters of ``core.polynomial_events.settling_events``.
    x, y : ndarray, shape (S, E)
        The limit that each event means, y infinite for the regions towards infinity; NaN where there is none.
    """

    events: Array
    x: Array
    y: Array


@dataclass(frozen=True, eq=False)
class _Found:
    """Ends of one kind, in order of the systems: their numbers, the rows of the events, and the limits."""

    system: Numbers
    rows: Array
    x: Array
    y: Array


@dataclass(frozen=True, eq=False)
class _Curves:
    """The graph y = h(x) = -p0 / p1, G = -g0 / g1, and what tells their special points, polynomials in x.

    On the graph g = alpha / p1; h' = fold / p1^2; G' = turn / g1^2.
    """

    p0: Any
    p1: Any
    g0: Any
    g1: Any
    alpha: Any
    fold: Any
    turn: Any

    NAMES = ("p0", "p1", "g0", "g1", "alpha", "fold", "turn")


def _curves(p0: Any, p1: Any, g0: Any, g1: Any) -> _Curves:
    return _Curves(
        p0,
        p1,
        g0,
        g1,
        alpha=g0 * p1 - g1 * p0,
        fold=p0 * p1.derivative() - p0.derivative() * p1,
        turn=g0 * g1.derivative() - g0.derivative() * g1,
    )


def ends_of(tables: Tables) -> Ends | None:
    """Return ends of the systems between two invariant lines with f = (x - lo) (hi - x) y^m (p0 + p1 y), m = 0 or 1.

    With g = g0 + g1 y. None for systems of another form, or without energy, whose time to follow is another.

    Where the flow is that of a gradient, the last ends are regions that energy lets no solution leave: a run is
    decided there long before it has settled.
    """
    present = {column for sample in tables.samples for (_, column), value in sample.items() if value}
    has_form = not {0, 2} <= present and 5 not in present and {1, 3, 4} <= present and present & {0, 2}
    if tables.chart.kind is not ChartKind.BETWEEN or not has_form or tables.model.energy_polynomial is None:
        return None
    on_zero = 0 not in present
    names = (1, 2, 3, 4) if on_zero else (0, 1, 3, 4)
    exact = [_curves(*(_univariate(sample, k) for k in names)) for sample in tables.samples]
    powers = {name: _valuation([getattr(c, name) for c in exact]) for name in _Curves.NAMES}
    if any(power is None for power in powers.values()):
        return None
    curves = _curves(*(polynomials(tables.column(k)) for k in names))
    equilibria = _Equilibria(tables, curves, on_zero)
    with np.errstate(divide="ignore", invalid="ignore"):  # at poles of h, which are no equilibria
        found = [equilibria.on_graph(powers["alpha"] or 0)]
    found += [equilibria.on_line(side, powers["alpha"] or 0) for side in (-1, 1)]
    if tables.chart.origin == 0 and powers["p1"] and not powers["p0"]:
        tails = [_tails(tables, curves, powers, on_zero, side) for side in (1, -1)]
    else:
        tails = []
    if tables.chart.origin == 0 and on_zero and _gradient(exact):
        tails += [equilibria.gates(targets, powers["alpha"] or 0) for targets in found]
    return _assembled(len(tables.fields), _merged(found), _merged(tails))


def _univariate(sample: dict[tuple[int, int], Any], column: int) -> Any:
    entries = {power: value for (power, k), value in sample.items() if k == column}
    return flint.fmpq_poly([entries.get(power, flint.fmpq(0)) for power in range(1 + max(entries, default=0))])


def _valuation(exact: list[Any]) -> int | None:
    """Return the lowest power that any of exact polynomials has; None where all vanish."""
    lows = [next(k for k, value in enumerate(p.coeffs()) if value) for p in exact if p]
    return min(lows, default=None)


class _Equilibria:
    """Search for attracting equilibria."""

    def __init__(self, tables: Tables, curves: _Curves, on_zero: bool) -> None:
        self.tables, self.curves, self.on_zero = tables, curves, on_zero
        self.origin, self.half = float(tables.chart.origin), float(tables.chart.size)
        self.width = float(tables.model.upper - tables.model.lower)
        self.rates = tables.fields[:, SLOW_RATE]

    def on_graph(self, power: int) -> _Found:
        """Return those on y = h(x), at roots of alpha."""
        alpha = self.curves.alpha.without(power)
        grid = self.origin + self.half * _SCAN
        values = alpha.on_grid(grid)
        system, j = np.nonzero(values[:, 1:] * values[:, :-1] < 0.0)
        x = _roots(alpha[system], grid[j], grid[j + 1])
        size, error = self.isolated(alpha[system].taylor(x), x)
        c = _Curves(*(getattr(self.curves, name)[system] for name in _Curves.NAMES))
        p1 = c.p1(x)
        y = -c.p0(x) / p1
        # lambda_f + lambda_s < 0 < lambda_f lambda_s, f_x and f_y divided by (x - lo) (hi - x) > 0 in the product
        slope, bend = c.p0.derivative(), c.p1.derivative()
        g_slope, g_bend = c.g0.derivative(), c.g1.derivative()
        line, g1, rate = (x - self.origin + self.half) * (self.origin + self.half - x), c.g1(x), self.rates[system]
        factor = y if self.on_zero else np.ones_like(y)
        f_x, g_x = slope(x) + bend(x) * y, g_slope(x) + g_bend(x) * y
        f_size = slope.size_at(x) + bend.size_at(x) * np.abs(y)
        g_size = g_slope.size_at(x) + g_bend.size_at(x) * np.abs(y)
        trace, trace_size = line * factor * f_x + rate * g1, line * np.abs(factor) * f_size + rate * c.g1.size_at(x)
        product = factor * (f_x * g1 - p1 * g_x)
        product_size = np.abs(factor) * (f_size * c.g1.size_at(x) + c.p1.size_at(x) * g_size)
        height = np.abs(y)
        known = error * np.abs(c.fold(x)) / p1**2 + 1e-3 * _CLEAR * height
        good = (size > 0.0) & (known < _SHARP * size * height) & _clear(p1, c.p1, x) & _clear(c.p0(x), c.p0, x)
        good &= (trace < -_CLEAR * trace_size) & (product > _CLEAR * product_size)
        return _found(good, system, x, y, size * self.width, size * height)

    def isolated(self, taylor: Polynomials, x: Array) -> tuple[Array, Array]:
        """Return sizes of neighbourhoods of roots, 0 where none can be used, and bounds of the roots' errors.

        A polynomial whose derivative is shown to have one sign on |x - x*| < r has one root there.
        """
        c, extra = np.abs(taylor.values), taylor.rounding * taylor.sizes
        k = np.arange(c.shape[1])
        to_line = self.half - np.abs(x - self.origin)
        found, error = np.zeros(len(x)), np.full(len(x), np.inf)
        for size in _NEAR * 10.0 ** -np.arange(_SHRINKINGS):
            r = _ALONE * size * self.width
            steepest = c[:, 1] - extra[:, 1] - (((c + extra) * k)[:, 2:] * r ** (k[2:] - 1)).sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                off = (c[:, 0] + extra[:, 0]) / steepest
            good = (found == 0.0) & (steepest > 0.0) & (off < _SHARP * size * self.width) & (to_line > r)
            found[good], error[good] = size, off[good]
        return found, error

    def on_line(self, side: int, power: int) -> _Found:
        """Return those on an invariant line, at y = G(x)."""
        c, count = self.curves, len(self.rates)
        x = np.full(count, self.origin + side * self.half)
        g1 = c.g1(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            y = -c.g0(x) / g1
        factor = y if self.on_zero else np.ones_like(y)
        fast = factor * (c.p0(x) + c.p1(x) * y)
        fast_size = np.abs(factor) * (c.p0.size_at(x) + c.p1.size_at(x) * np.abs(y))
        taylor = c.alpha.without(power).taylor(x)
        values, extra = np.abs(taylor.values), taylor.rounding * taylor.sizes
        k, size = np.arange(values.shape[1]), np.zeros(count)
        for trial in _NEAR * 10.0 ** -np.arange(_SHRINKINGS):
            r = _ALONE * trial * self.width
            least = values[:, 0] - extra[:, 0] - ((values + extra)[:, 1:] * r ** k[1:]).sum(axis=1)
            size[(size == 0.0) & (least > 0.0)] = trial
        good = (size > 0.0) & _clear(g1, c.g1, x) & (g1 < 0.0) & _clear(c.g0(x), c.g0, x)
        good &= side * fast > _CLEAR * fast_size
        return _found(good, np.arange(count), x, y, size * self.width, size * np.abs(y))

    def gates(self, targets: _Found, power: int) -> _Found:
        """Return regions around attracting equilibria that energy lets no solution leave, where E = -y g0 - y^2 g1 / 2.

        At fixed x no energy is below e = g0^2 / (2 g1), as g1 < 0. From where b < |x| on one side of x = 0 and
        E < e(b), therefore, a solution cannot come back to |x| = b. It is bounded, and E falls along it: it tends to
        an equilibrium. There is no other than the target if alpha has no other root from b to the line, e(b) < 0
        excludes y = 0, and the line repels if the target is not on it.
        """
        system, side = targets.system, np.sign(targets.x)
        alpha = _mirrored(self.curves.alpha[system], side).without(power)
        g0, g1 = (_mirrored(p[system], side) for p in (self.curves.g0, self.curves.g1))
        place, line = np.abs(targets.x), np.full(len(system), self.half)
        inner = place < self.half
        r = np.where(inner, _ALONE * targets.rows[:, 2], 0.0)
        x = side * self.half
        c = _Curves(*(getattr(self.curves, name)[system] for name in _Curves.NAMES))
        with np.errstate(divide="ignore", invalid="ignore"):
            there = -c.g0(x) / c.g1(x)
        fast = (there if self.on_zero else 1.0) * (c.p0(x) + c.p1(x) * there)
        size = (np.abs(there) if self.on_zero else 1.0) * (c.p0.size_at(x) + c.p1.size_at(x) * np.abs(there))
        repels = (c.g1(x) < 0.0) & _clear(c.g1(x), c.g1, x) & _clear(c.g0(x), c.g0, x) & (side * fast < -_CLEAR * size)
        outside = ~inner | (repels & (alpha.taylor(place + r).sign_up_to(np.maximum(self.half - place - r, 0.0)) != 0))
        # the last root before the target
        grid = self.half * _GATE_SCAN
        values = alpha.on_grid(grid)
        before = (values[:, 1:] * values[:, :-1] <= 0.0) & (grid[1:] < (place - r)[:, None])
        last = np.where(before.any(axis=1), grid[before.shape[1] - before[:, ::-1].argmax(axis=1)], grid[0])
        low, level = np.zeros(len(system)), np.zeros(len(system))
        for share in _GATE_TRIES:
            left = np.flatnonzero(outside & (low == 0.0))
            b = last[left] + share * (place - r - last)[left]
            with np.errstate(divide="ignore", invalid="ignore"):
                energy = g0[left](b) ** 2 / (2.0 * g1[left](b))
            shown = alpha[left].taylor(b).sign_up_to(np.maximum((place - r)[left] - b, 0.0)) != 0
            shown &= g1[left].taylor(b).sign_up_to(line[left] - b) < 0
            shown &= _clear(g0[left](b), g0[left], b) & (energy < 0.0) & (b < (place - r)[left])
            low[left[shown]], level[left[shown]] = b[shown], energy[shown] * (1.0 + _CLEAR)
        good = low > 0.0
        ends = np.sort(np.stack([side * low, side * self.half], axis=-1), axis=-1)
        zero = np.zeros(len(system))
        rows = np.stack([ends[:, 0], zero, ends[:, 1], zero, level, zero], axis=-1)
        return _Found(system[good], rows[good], targets.x[good], targets.y[good])


def _gradient(exact: list[_Curves]) -> bool:
    """Whether f = k (x - lo) (hi - x) y (g0' + y g1' / 2), k > 0: E = -y g0 - y^2 g1 / 2 falls along solutions."""
    slope = exact[0].g0.derivative()
    k = next((a / b for a, b in zip(exact[0].p0.coeffs(), slope.coeffs(), strict=False) if b), 0)
    return k > 0 and all(c.p0 == c.g0.derivative() * k and c.p1 == c.g1.derivative() * k / 2 for c in exact)


def _mirrored(p: Polynomials, side: Array) -> Polynomials:
    """Return the polynomials of side x."""
    return Polynomials(p.values * side[:, None] ** np.arange(p.values.shape[1]), p.sizes)


def _roots(p: Polynomials, low: Array, high: Array) -> Array:
    """Return roots in brackets: Newton's method, kept inside by bisection."""
    slope, rising = p.derivative(), p(high) > 0.0
    x = 0.5 * (low + high)
    for _ in range(12):
        value = p(x)
        above = (value > 0.0) == rising
        low, high = np.where(above, low, x), np.where(above, x, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = x - value / slope(x)
        x = np.where((low <= new) & (new <= high), new, 0.5 * (low + high))
    return x


def _clear(value: Array, p: Polynomials, x: Array) -> NDArray[np.bool_]:
    """Whether values of polynomials have sure signs and many sure digits."""
    return np.asarray(np.abs(value) > 1e6 * p.rounding * p.size_at(x))


def _found(good: NDArray[np.bool_], system: Numbers, x: Array, y: Array, r: Array, s: Array) -> _Found:
    rows = np.stack([x, y, r, s], axis=-1)
    return _Found(system[good], rows[good], x[good], y[good])


def _tails(tables: Tables, curves: _Curves, powers: dict[str, int | None], on_zero: bool, side: int) -> _Found:
    """Return the regions on one side of the pole x = 0 of h that no solution leaves: see ``fastslow.flow.tails``.

    Everything that could be special in 0 < side x <= last is shown to have one sign there.
    """
    count, half = len(tables.fields), float(tables.chart.size)
    parts, parity = {}, {}
    for name in _Curves.NAMES:
        power = powers[name] or 0
        p = getattr(curves, name).without(power)
        parts[name], parity[name] = (p if side > 0 else p.mirrored()), side**power
    used = [name for name in _Curves.NAMES if name != "g0"]

    def region(signs: dict[str, Any]) -> tuple[NDArray[np.bool_], Any]:
        up = -signs["p0"] * signs["p1"]
        power_of_y = up if on_zero else 1
        rise = (up * side * signs["fold"] < 0) & (up * side * signs["turn"] < 0)  # h and G rise to the end
        attracts = power_of_y * signs["fold"] * signs["p1"] > 0
        slow = up * signs["alpha"] * signs["p1"] > 0  # on h the field points to the end
        fast = side * power_of_y * signs["alpha"] * signs["g1"] > 0  # and on G
        return rise & attracts & slow & fast, up

    there = np.flatnonzero(region({name: parity[name] * np.sign(parts[name].values[:, 0]) for name in used})[0])
    parts = {name: p[there] for name, p in parts.items()}
    grid = half * _TAIL_SCAN
    first_bad = np.full(len(there), len(grid))
    for name in used:
        bad = parts[name].on_grid(grid) * parts[name].values[:, :1] <= 0.0
        first_bad = np.minimum(first_bad, np.where(bad.any(axis=1), bad.argmax(axis=1), len(grid)))
    furthest = np.where(first_bad > 0, grid[np.maximum(first_bad - 1, 0)], 0.0)
    last, sign = np.zeros(count), np.zeros(count)
    left = np.flatnonzero(furthest > 0.0)
    for share in _LAST_TRIES:
        length = share * furthest[left]
        good, up = region({name: parity[name] * parts[name][left].sign_up_to(length) for name in used})
        last[there[left[good]]], sign[there[left[good]]] = length[good], up[good]
        left = left[~good]
    system = np.flatnonzero(last > 0.0)
    last, sign = last[system], sign[system]
    x = side * last
    y = -curves.p0[system](x) / curves.p1[system](x)
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = np.stack([zero, side * one, x, sign, y, sign * _BEYOND], axis=-1)
    return _Found(system, rows, zero, sign * np.inf)


def _merged(parts: list[_Found]) -> _Found:
    """Return all in order of the systems."""
    if not parts:
        return _Found(np.empty(0, np.int64), np.empty((0, 6)), np.empty(0), np.empty(0))
    system = np.concatenate([part.system for part in parts])
    order = np.argsort(system, kind="stable")
    rows, x, y = (np.concatenate([getattr(part, name) for part in parts])[order] for name in ("rows", "x", "y"))
    return _Found(system[order], rows, x, y)


def _assembled(count: int, targets: _Found, tails: _Found) -> Ends:
    numbers = [np.bincount(found.system, minlength=count) for found in (targets, tails)]
    most = int((numbers[0] + numbers[1]).max(initial=0))
    events = np.zeros((count, 5 + 4 * int(numbers[0].max(initial=0)) + 6 * int(numbers[1].max(initial=0))))
    x, y = np.full((count, most), np.nan), np.full((count, most), np.nan)
    events[:, 0], events[:, 1], events[:, 2], events[:, 3] = SETTLING, events.shape[1], numbers[0], numbers[1]
    for found, own, before, offset in (
        (targets, numbers[0], np.zeros_like(numbers[0]), np.full(count, 5)),
        (tails, numbers[1], numbers[0], 5 + 4 * numbers[0]),
    ):
        rank = np.arange(len(found.system)) - (np.cumsum(own) - own)[found.system]
        x[found.system, before[found.system] + rank] = found.x
        y[found.system, before[found.system] + rank] = found.y
        width = found.rows.shape[1]
        places = offset[found.system] + width * rank
        events[found.system[:, None], places[:, None] + np.arange(width)] = found.rows
    return Ends(events, x, y)
