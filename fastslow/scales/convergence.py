"""Measured orders: how fast the full system tends to the singular limit as the slow rate goes to zero."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fastslow.errors import InputError
from fastslow.flow.landing import fast_value
from fastslow.flow.singular_course import singular_course
from fastslow.flow.slow_manifold import first_order_correction
from fastslow.manifold.arcs import Arc, CriticalManifold
from fastslow.manifold.critical_manifold import critical_manifold
from fastslow.manifold.curves import Shape
from fastslow.manifold.special_points import Kind, SpecialPoint
from fastslow.ode.clocks import in_pieces
from fastslow.ode.event_sets import section
from fastslow.ode.solution import FloatArray, Limits, Status
from fastslow.scales.tail_fit import Fit
from fastslow.systems.exact import Real, exact
from fastslow.systems.model_files import study_from
from fastslow.systems.presets import start_of, system_of
from fastslow.systems.system import FastSlowSystem, Start

OMEGA_0 = 2.338107410459767
"""Minus the first zero of Airy's function Ai."""
SLOW_RATES = (*(Fraction(m, 10**k) for k in range(1, 8) for m in (10, 3)), Fraction(1, 10**7))
"""From 1 to 1e-7."""
FOLD = "fold"
_HEIGHT = np.array([1.0, 2.0, 0.0, 1.0])
"""The function y as kernels read it."""
_RTOL = 1e-13
_NOISE, _RESOLVED = 2e-13, 1e-10
"""Error of a distance from that of the integration, and the least distance that is used; relative to the state."""
_MOST, _LEAST = 8, 5
"""A fit uses so many distances, those at the smallest slow rates, and takes at least so many."""
_SAFETY = 3.0
"""Errors are so many times the largest difference to fits with more corrections, or without the largest slow rate."""
_LONG = 1e6
"""Slow time for which the singular orbit is looked at."""
_PATIENCE = 10.0
"""A place is given up after so many times the time that the singular orbit takes to it."""

Correction = Callable[[FloatArray], FloatArray]
_ALONG: tuple[Correction, ...] = (lambda e: e, lambda e: e**2, lambda e: e**3)
_OVER: tuple[Correction, ...] = (
    lambda e: e ** (1 / 3) * np.log(e),
    lambda e: e ** (1 / 3),
    lambda e: e ** (2 / 3) * np.log(e),
    lambda e: e ** (2 / 3),
)
_CORRECTIONS = 2
"""Terms of log(distance) after the law itself, on an arc and at a fold, and how many of them a fit uses."""


@dataclass(frozen=True)
class Order:
    """A distance of the full system from its singular limit, which falls like constant * slow_rate^predicted.

    Attributes
    ----------
    place : str
        Id of the attracting arc, or of the fold.
    kind : str
        What is measured: "critical manifold", the distance from it in x at fixed y; "slow manifold", the same
        with its first-order correction; "fold", the distance in y from it, at fixed x beyond it.
    at : tuple of float
        The point (x, y) of the critical manifold.
    slow_rates, distances : tuple of float
        Those that are resolved, from the largest slow rate to the smallest; distances in units of x, at a fold of y.
    predicted : Fraction
        The power in the limit: 1, 2, or 2/3.
    constant : float
        The prefactor in the limit.
    fitted : Fit or None
        The power that is fitted, and the prefactor that is fitted with the predicted power; None where too few
        distances are resolved.
    """

    place: str
    kind: str
    at: tuple[float, float]
    slow_rates: tuple[float, ...]
    distances: tuple[float, ...]
    predicted: Fraction
    constant: float
    fitted: Fit | None

    @property
    def slopes(self) -> tuple[float, ...]:
        """Local slopes d log(distance) / d log(slow rate), between neighbouring slow rates."""
        return tuple((np.diff(np.log(self.distances)) / np.diff(np.log(self.slow_rates))).tolist())

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the prediction: it is within the errors, or too little is resolved."""
        fit = self.fitted
        if fit is None:
            return True
        power = abs(fit.exponent - float(self.predicted)) <= fit.error
        return power and abs(fit.prefactor - self.constant) <= fit.prefactor_error

    def document(self) -> dict[str, Any]:
        """Return the order as plain data for JSON."""
        return {
            "place": self.place,
            "kind": self.kind,
            "at": list(self.at),
            "predicted": {"exponent": float(self.predicted), "prefactor": self.constant},
            "fitted": None if self.fitted is None else asdict(self.fitted),
            "agrees": self.agrees,
            "slow_rates": list(self.slow_rates),
            "distances": list(self.distances),
            "slopes": list(self.slopes),
        }


def orders(
    system: FastSlowSystem | CriticalManifold | str,
    start: Start | Real | tuple[Real, Real],
    slow_rates: Sequence[Real] = SLOW_RATES,
) -> tuple[Order, ...]:
    r"""Return how fast the solution from a start tends to the singular orbit as the slow rate e goes to zero.

    The full system is integrated at each slow rate, whatever its own. Beside an attracting arc x = X_0(y) it comes to

        x = X_0 + e X_1 + e^2 X_2 + O(e^3),   X_1 = -g f_y / f_x^2,
        X_2 = (g X_1' + g_x X_1 X_0' - f_xx X_1^2 / 2) / f_x,

    where ' is d/dy along the arc, X_0' = -f_y / f_x. So its distance from the critical manifold is of order 1, that
    from its first-order correction of order 2. At a generic fold, with u and v for x and y from there,
    u' = f_xx u^2 / 2 + f_y v and v' = e g; w = exp(-\int f_xx u / 2) is a solution of Airy's equation, and where it
    vanishes the solution jumps:

        |v| = Omega_0 (2 e^2 g^2 / |f_xx f_y|)^(1/3) + O(e log e),   Omega_0 = 2.338107...

    Parameters
    ----------
    system : FastSlowSystem, CriticalManifold or str
        The system, a preset or a file; its critical manifold, if one is at hand, saves time.
    start : Start, number or pair
        Where the solution starts; a number is a slow coordinate on the line of starts.
    slow_rates : sequence of number
        Positive. A fit takes at least five, and uses the eight smallest whose distances are resolved.

    Returns
    -------
    tuple of Order
        In the order in which the singular orbit passes: the middle of each arc, and each generic fold. Invariant lines
        are left out, as no power of e tells the distance from them.

    Raises
    ------
    InputError
        If a slow rate is not positive, or the start cannot be used.

    References
    ----------
    Fenichel, J. Differ. Equ. 31 (1979) 53; Krupa and Szmolyan, SIAM J. Math. Anal. 33 (2001) 286, theorem 2.1.

    Examples
    --------
    >>> import fastslow as fs
    >>> [(one.kind, round(one.fitted.exponent, 3)) for one in orders(fs.van_der_pol(), (2, 0))[:3]]
    [('critical manifold', 1.0), ('slow manifold', 2.0), ('fold', 0.667)]
    """
    manifold = system if isinstance(system, CriticalManifold) else critical_manifold(system_of(system))
    start = start_of(manifold.system, start)
    try:
        rates = sorted({exact(rate, "slow_rates") for rate in slow_rates}, reverse=True)
    except TypeError:
        raise InputError("slow_rates", slow_rates, "must be a list of numbers", "Leave them out") from None
    if not rates or rates[-1] <= 0:
        raise InputError("slow_rates", [float(rate) for rate in rates], "must be positive numbers", "Leave them out")
    places = list(_places(manifold, start))
    found: dict[_Law, list[tuple[float, float, float]]] = {law: [] for place in places for law in place.laws}
    for rate in rates if places else ():
        member = study_from({**manifold.system.table(), "slow_rate": rate}).system
        for place, (x, y) in zip(places, _passes(member, start, places), strict=False):
            for law in place.laws:
                distance = abs(law.distance(x, y, float(rate)))
                size = abs(y if law.kind == FOLD else x)
                if distance > _RESOLVED * size:
                    found[law].append((float(rate), distance, _NOISE * size / distance))
    return tuple(_order(place, law, found[law]) for place in places for law in place.laws)


# Places -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Law:
    """A distance, as a function of x, y and the slow rate where a solution passes, and what is predicted of it."""

    kind: str
    predicted: Fraction
    constant: float
    distance: Callable[[float, float, float], float]
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, eq=False)
class _Place:
    """A section, x or y = const as `across` is 0 or 1, and the direction and slow time in which it is passed."""

    id: str
    at: tuple[float, float]
    across: int
    level: float
    direction: int
    time: float
    laws: tuple[_Law, ...]


def _places(manifold: CriticalManifold, start: Start) -> Iterator[_Place]:
    system, rate = manifold.system, float(manifold.system.slow_rate)
    if system.chart_of(start.fast) is None:
        return
    pieces = singular_course(manifold, start, _LONG / rate).pieces
    for piece, onward in itertools.zip_longest(pieces, pieces[1:]):
        (_, y0), (x1, y1), arc = piece.segment.start, piece.segment.end, piece.segment.arc
        if piece.jumps or arc is None or piece.segment.delayed:
            continue
        rises = 1 if y1 > y0 else -1
        y = 0.5 * (y0 + y1) if math.isfinite(y1) else y0 + rises * max(abs(y0), 1.0)
        time = float(np.interp(rises * y, rises * piece.y, piece.t))
        laws = tuple(_arc_laws(system, arc, y))
        if laws:
            yield _Place(arc.id, (fast_value(arc, y), y), 1, y, rises, rate * time, laws)
        node = piece.segment.node
        if node is not None and node.multiplicity.get(Kind.FOLD) == 1 and onward is not None and onward.jumps:
            x = 0.5 * float(onward.x[0] + onward.x[-1])
            law = _fold_law(system, node)
            yield _Place(node.id, (node.x, node.y), 0, x, 1 if x > x1 else -1, rate * float(piece.t[-1]), (law,))


def _arc_laws(system: FastSlowSystem, arc: Arc, y: float) -> Iterator[_Law]:
    """Yield what holds where an arc passes y; nothing on an invariant line, where X_1 = 0."""
    if arc.curve.shape is Shape.FAST_LINE:
        return
    x = fast_value(arc, y)
    f_x, f_y, f_xx, f_xy, f_yy = (
        float(system.partial("f", i, j, x, y)) for i, j in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    )
    g, g_x, g_y = (float(system.partial("g", i, j, x, y)) for i, j in ((0, 0), (1, 0), (0, 1)))
    first, slope = float(first_order_correction(system, x, y)), -f_y / f_x
    change = -((g_y + g_x * slope) * f_y + g * (f_yy + f_xy * slope)) / f_x**2
    change += 2.0 * g * f_y * (f_xy + f_xx * slope) / f_x**3
    second = (g * change + g_x * first * slope - 0.5 * f_xx * first**2) / f_x

    def beside(x: float, y: float, _: float) -> float:
        return x - fast_value(arc, y)

    def corrected(x: float, y: float, rate: float) -> float:
        below = fast_value(arc, y)
        return x - below - rate * float(first_order_correction(system, below, y))

    if first:
        yield _Law("critical manifold", Fraction(1), abs(first), beside, _ALONG)
    if first and second:
        yield _Law("slow manifold", Fraction(2), abs(second), corrected, _ALONG)


def _fold_law(system: FastSlowSystem, fold: SpecialPoint) -> _Law:
    f_y, f_xx = (float(system.partial("f", i, j, fold.x, fold.y)) for i, j in ((0, 1), (2, 0)))
    constant = OMEGA_0 * (2.0 * system.g(fold.x, fold.y) ** 2 / abs(f_xx * f_y)) ** (1 / 3)
    return _Law(FOLD, Fraction(2, 3), constant, lambda _x, y, _rate: y - fold.y, _OVER)


# Measurements -------------------------------------------------------------------------------------


def _passes(system: FastSlowSystem, start: Start, places: list[_Place]) -> Iterator[tuple[float, float]]:
    """Yield (x, y) where the solution from a start passes each place, until it does not find the next."""
    chart = system.chart_of(start.fast)
    assert chart is not None  # else there are no places
    field, u = system.field_parameters(chart), chart.to_state(float(start.fast), float(start.slow))
    height = min(abs(float(start.slow)) or 1.0, 1.0)
    for place in places:
        x, y = (place.level, None) if place.across == 0 else (place.at[0], _HEIGHT)
        events = section(
            field,
            x,
            y,
            place.level,
            directions=(place.direction, -place.direction),  # the second value is level - y
            terminal=(place.across == 0, place.across == 1),
        )
        pieces = in_pieces(
            field,
            u,
            _PATIENCE * (1.0 + place.time) / float(system.slow_rate),
            rtol=_RTOL,
            atol=1e-3 * _RTOL * np.array([1.0, height]),
            events=events,
            output="final",
            limits=Limits(max_steps=100_000, growth=1e300),
        )
        if pieces[-1].status is not Status.EVENT:
            return
        u = pieces[-1].final_state
        here = chart.from_state(u)
        yield float(here[0]), float(here[1])


def _order(place: _Place, law: _Law, found: list[tuple[float, float, float]]) -> Order:
    e, d, noise = np.array(found).reshape(-1, 3).T
    fit = None
    if len(e) >= _LEAST:
        last = slice(-_MOST, None)
        logs, values = np.log(e[last]), np.log(d[last])
        ones, terms = np.ones_like(logs), [correction(e[last]) for correction in law.corrections]
        power = _fitted([logs, ones, *terms], 2, values, noise[last])
        value, error = _fitted([ones, *terms], 1, values - float(law.predicted) * logs, noise[last])
        fit = Fit(*power, math.exp(value), math.exp(value) * error)
    return Order(place.id, law.kind, place.at, tuple(e.tolist()), tuple(d.tolist()), law.predicted, law.constant, fit)


def _fitted(columns: list[FloatArray], first: int, values: FloatArray, noise: FloatArray) -> tuple[float, float]:
    """Return the coefficient of the first column in a fit, and its error; corrections are the columns from `first`."""
    used = first + _CORRECTIONS
    fits = [np.linalg.pinv(np.column_stack(columns[:k]))[0] for k in range(used, min(len(columns), len(values)) + 1)]
    value = float(fits[0] @ values)
    others = [float(fit @ values) for fit in fits[1:]]
    others.append(float(np.linalg.pinv(np.column_stack(columns[:used])[1:])[0] @ values[1:]))
    spread = max(abs(value - other) for other in others)
    return value, _SAFETY * (spread + float(np.linalg.norm(fits[0] * noise)))
