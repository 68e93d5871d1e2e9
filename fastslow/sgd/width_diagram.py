"""Equilibria of a network followed in its width, and the widths at which the fate of a start changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.progress import Progress
from fastslow.sgd.finite_width import FiniteWidth, finite_width
from fastslow.sgd.finite_width_equilibria import equilibria
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

if TYPE_CHECKING:
    from fastslow.manifold.traced_curve import TracedCurve

Array = NDArray[np.float64]

_CERTIFIED_AT = 3
"""Widths, evenly in the logarithm, at which all equilibria are isolated to begin branches from."""
_NARROW = 1e-9
_SAME = 1e-6
_AT_NODE = 5e-6
"""Of a change of fate so near, relative, to a saddle-node it is said that it is there; the last orbits are too slow."""


@dataclass(frozen=True, eq=False)
class WidthBranch:
    """Equilibria along a curve in the width: points (m, R, Q, a), and the number of unstable directions of each."""

    m: Array = field(repr=False)
    R: Array = field(repr=False)
    Q: Array = field(repr=False)
    a: Array = field(repr=False)
    unstable: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True)
class WidthPoint:
    """A "saddle-node", at which two equilibria are born or lost as the width changes, or a "hopf" point."""

    kind: str
    m: float
    R: float
    Q: float
    a: float


@dataclass(frozen=True)
class CriticalWidth:
    """A width at which the fate of a start changes.

    Attributes
    ----------
    m : float
        The width.
    error : float
        Half the last bracket.
    below, above : str
        Verdicts of narrower and wider networks.
    cause : str
        "saddle-node" where the place that it goes to on one side is born there (within 5e-6), "stable manifold of a
        saddle" where the start passes from one basin into another.
    """

    m: float
    error: float
    below: str
    above: str
    cause: str


@dataclass(frozen=True, eq=False)
class WidthDiagram:
    """What becomes of equilibria and starts as the width changes; made by `width_diagram`.

    Attributes
    ----------
    between : (float, float)
        The widths.
    branches : tuple of WidthBranch
        Equilibria, through all that were isolated at three widths.
    points : tuple of WidthPoint
        Saddle-nodes and Hopf points on them, in order of m.
    critical : dict of float to tuple of CriticalWidth
        For each start a0.
    """

    between: tuple[float, float]
    branches: tuple[WidthBranch, ...] = field(repr=False)
    points: tuple[WidthPoint, ...]
    critical: dict[float, tuple[CriticalWidth, ...]]


def width_diagram(
    system: FastSlowSystem | str,
    between: tuple[float, float],
    gamma: float = 0.0,
    delta: float = 1.0,
    *,
    a0: tuple[float, ...] = (),
    samples: int = 24,
    progress: Progress | None = None,
) -> WidthDiagram:
    """Follow the equilibria of a network in its width m, and find the widths at which starts change their fate.

    R' = Q' = a' = 0 is continued in (R, Q, log |a|, log 1/m), the noise gamma/(m delta) with it, from all equilibria at
    three widths. A saddle-node is a turning point in m. The fate of each start is found at `samples` widths, and two
    neighbours that differ are halved.

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    between : (float, float)
        Widths, above 1.
    gamma, delta : float
        Learning rate; samples of a batch per dimension.
    a0 : tuple of float
        Starts.
    samples : int
        Widths of the scan of each start.
    progress : callable, optional
        Called as progress(done, total).

    Examples
    --------
    >>> import fastslow as fs
    >>> found = fs.width_diagram("fig6-right", (100, 1e5), a0=(5,))
    >>> [(round(p.m, 2), round(p.a, 4)) for p in found.points if p.kind == "saddle-node"]
    [(3851.41, 5.0159)]
    >>> [(round(c.m, 2), c.below, c.above, c.cause) for c in found.critical[5]]
    [(3851.6, 'learning', 'unlearning', 'stable manifold of a saddle')]
    """
    low, high = (float(v) for v in between)
    if not 1.0 < low < high < math.inf:
        raise InputError("between", between, "must be 1 < low < high, finite", "For example (100, 100000)")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise InputError("samples", samples, "must be a whole number above 1", "For example 24")
    first = finite_width(system, low, gamma, delta)
    model = first.system
    curves = _followed(model, low, high, gamma, delta)
    branches = tuple(_branch(model, sign, curve, gamma, delta) for sign, curve in curves)
    points = sorted((p for sign, curve in curves for p in _points(sign, curve)), key=lambda p: p.m)
    points = [p for p in points if p.kind != "hopf" or _turns(p, FiniteWidth(model, p.m, gamma, delta))]
    distinct: list[WidthPoint] = []
    for p in points:
        if not any(q.kind == p.kind and abs(q.m / p.m - 1.0) < _SAME and abs(q.a - p.a) < _SAME for q in distinct):
            distinct.append(p)
    nodes = [p for p in distinct if p.kind == "saddle-node"]
    critical = {}
    for k, start in enumerate(a0):
        scan = _Scan(model, float(start), gamma, delta, nodes)

        def told(done: int, total: int, k: int = k) -> None:
            if progress is not None:
                progress(k * total + done, len(a0) * total)

        critical[start] = scan.critical(low, high, samples, told)
    return WidthDiagram((low, high), branches, tuple(distinct), critical)


def _followed(model: TwoLayer, low: float, high: float, gamma: float, delta: float) -> list[tuple[float, TracedCurve]]:
    from fastslow.core.finite_width_curve import equilibrium_curve
    from fastslow.manifold.continuation import ContinuationOptions, trace_curve

    curves: list[tuple[float, TracedCurve]] = []
    for m in np.geomspace(low, high, _CERTIFIED_AT):
        network = FiniteWidth(model, float(m), gamma, delta)
        for e in equilibria(network)[0]:
            if not e.certified:
                continue
            sign = math.copysign(1.0, e.a)
            start = np.array([e.R, e.Q, math.log(abs(e.a)), -math.log(m)])
            lower = np.array([-1.0, -1.0 / (low - 1.0), start[2] - 20.0, -math.log(high)])
            upper = np.array([1.0, 1.0, start[2] + 20.0, -math.log(low)])
            parameters = np.concatenate((network.parameters, [gamma / delta, sign]))
            curve = trace_curve(
                equilibrium_curve, parameters, np.clip(start, lower, upper), lower=lower, upper=upper,
                scales=(1.0, 1.0, 3.0, 3.0), fold_coordinates=(3,), test_names=("hopf",),
                options=ContinuationOptions(max_points=4000, max_step=0.05),
            )  # fmt: skip
            if curve.converged and not any(s == sign and _same(curve, c) for s, c in curves):
                curves.append((sign, curve))
    return curves


def _same(one: TracedCurve, other: TracedCurve) -> bool:
    ends = other.points[[0, -1]]
    return any(np.allclose(one.points[[0, -1]], pair, rtol=0.0, atol=_SAME) for pair in (ends, ends[::-1]))


def _branch(model: TwoLayer, sign: float, curve: TracedCurve, gamma: float, delta: float) -> WidthBranch:
    u = curve.points
    m, a = np.exp(-u[:, 3]), sign * np.exp(u[:, 2])
    up = [
        int((np.linalg.eigvals(FiniteWidth(model, max(v, 1.0), gamma, delta).rates(s)[1]).real > 0.0).sum())
        for v, s in zip(m, np.stack((u[:, 0], u[:, 1], a), axis=1), strict=True)
    ]
    return WidthBranch(m, u[:, 0], u[:, 1], a, np.array(up))


def _points(sign: float, curve: TracedCurve) -> list[WidthPoint]:
    return [
        WidthPoint(
            "saddle-node" if event.kind == "fold" else "hopf",
            math.exp(-event.point[3]), float(event.point[0]), float(event.point[1]), sign * math.exp(event.point[2]),
        )
        for event in curve.events
        if event.kind in ("fold", "hopf")
    ]  # fmt: skip


def _turns(point: WidthPoint, network: FiniteWidth) -> bool:
    """Whether a pair of eigenvalues is imaginary, and not real of opposite sign."""
    values = np.linalg.eigvals(network.rates((point.R, point.Q, point.a))[1])
    return bool((np.abs(values.imag) > 1e3 * np.abs(values.real)).any())


class _Scan:
    """The fate of one start against the width."""

    def __init__(self, model: TwoLayer, a0: float, gamma: float, delta: float, nodes: list[WidthPoint]) -> None:
        self.model, self.a0, self.gamma, self.delta, self.nodes = model, a0, gamma, delta, nodes

    def fate(self, m: float) -> str:
        return FiniteWidth(self.model, m, self.gamma, self.delta).rest(self.a0).verdict

    def critical(self, low: float, high: float, samples: int, progress: Progress) -> tuple[CriticalWidth, ...]:
        widths = np.geomspace(low, high, samples)
        fates = []
        for k, m in enumerate(widths):
            fates.append(self.fate(float(m)))
            progress(k + 1, samples)
        found: list[CriticalWidth] = []
        for k in range(1, samples):
            found += self._between(float(widths[k - 1]), fates[k - 1], float(widths[k]), fates[k])
        return tuple(found)

    def _between(self, low: float, below: str, high: float, above: str) -> list[CriticalWidth]:
        if below == above:
            return []
        a, b = low, high
        while b - a > _NARROW * b:
            node = next((n for n in self.nodes if a * (1.0 - _AT_NODE) <= n.m <= b * (1.0 + _AT_NODE)), None)
            if node is not None and b - a <= _AT_NODE * b:
                return [CriticalWidth(node.m, 0.5 * (b - a), below, above, "saddle-node")]
            middle = math.sqrt(a * b)
            if not a < middle < b:
                break
            fate = self.fate(middle)
            if fate == below:
                a = middle
            elif fate == above:
                b = middle
            else:
                return self._between(a, below, middle, fate) + self._between(middle, fate, b, above)
        m = math.sqrt(a * b)
        return [CriticalWidth(m, 0.5 * (b - a), below, above, "stable manifold of a saddle")]
