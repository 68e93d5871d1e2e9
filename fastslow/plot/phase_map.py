"""Phase maps and phase boundaries: fates as areas, computed boundaries as curves over them, corners named."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastslow.plot.style import INK, NEUTRAL, fate_color, new_figure
from fastslow.plot.titles import axis_label, short
from fastslow.systems.families import start_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastslow.boundary.plane import CriticalLine
    from fastslow.sweeps.phase_map import PhaseMap
    from fastslow.systems.families import Axis
    from fastslow.systems.system import FastSlowSystem

_STRENGTH = 0.42
"""Share of the colour of a fate in its area; the rest is white, so that curves stand out."""
_SHADES = 1.1
"""How much stronger the colour of the last of a fate's attractors is at most."""
_MOST_PIXELS = 1500
_LONGEST = 80
"""Letters of a title that fit over a figure."""
_DENSE = 400
"""Least points of a curve."""

LIMITS: dict[str, dict[str, Any]] = {
    "ode": {"color": INK, "linestyle": "-", "linewidth": 1.7},
    "singular": {"color": INK, "linestyle": (0, (4, 2.2)), "linewidth": 1.2},
}
_ONLY_ENDS: dict[str, Any] = {"color": NEUTRAL, "linestyle": "-", "linewidth": 0.8}
_LABELS = {"ode": "boundary, full system", "singular": "boundary, singular limit"}
_LETTER, _LABEL_HEIGHT, _LABEL_POINTS, _ROWS = 0.0095, 0.075, 23.0, 4
"""Of a label: width of a letter and height as shares of the frame, height in points; rows that are tried."""
_SAME = 0.012
"""Distance, as a share of the frame, of corners of two limits that are one for the eye."""
_CORNER: dict[str, Any] = {"marker": "o", "s": 30, "facecolor": "white", "edgecolor": INK, "linewidth": 1.3}


class Boundary(Protocol):
    """The boundary of either limit, as far as it is drawn."""

    @property
    def axis(self) -> Axis:
        """The parameter."""

    @property
    def curves(self) -> Sequence[Any]:
        """The curves, with `parameter` and `y`."""

    @property
    def corners(self) -> Sequence[Any]:
        """The corners, with `kind`, `parameter` and `y`."""

    @property
    def limit(self) -> str:
        """The limit, "singular" or "ode"."""


def phase_map_figure(
    found: PhaseMap,
    boundaries: Sequence[Boundary] = (),
    lines: Sequence[CriticalLine] = (),
    *,
    size: tuple[float, float] = (7.6, 5.6),
) -> Figure:
    """Return a figure of a phase map with boundary curves over it, in a plane of two parameters with lines."""
    with new_figure(*size) as figure:
        axes = phase_map(figure.add_axes((0.1, 0.1, 0.86, 0.76)), found, boundaries, lines)
        axes.set_title(_title(found.system, (found.x.name, found.y.name)), fontsize=9.5, loc="left", pad=40)
    return figure


def phase_map(
    axes: Axes, found: PhaseMap, boundaries: Sequence[Boundary] = (), lines: Sequence[CriticalLine] = ()
) -> Axes:
    """Draw the fates of the cells, the boundaries over them and the corners, named; return the axes."""
    from matplotlib.patches import Patch

    step = [max(1, -(-n // _MOST_PIXELS)) for n in found.index.shape]
    thinned = (slice(None, None, step[0]), slice(None, None, step[1]))
    (x0, x1), (y0, y1) = (_edges(axis.values) for axis in (found.x, found.y))
    index, names, colors = _areas(found)
    image = colors[np.asarray(index[thinned])]
    axes.imshow(image, origin="lower", extent=(x0, x1, y0, y1), aspect="auto", interpolation="nearest", zorder=0)
    handles: list[Any] = [
        Patch(facecolor=tuple(color), edgecolor=NEUTRAL, linewidth=0.5, label=name)
        for color, name in zip(colors, names, strict=True)
    ]
    if found.fields.get("doubtful", np.zeros(1)).any():
        handles.append(_hatched(axes, found))
    upright = found.y.name == found.plane.slow_start
    handles += _curves(axes, boundaries, upright, (x0, x1, y0, y1))
    for line in lines:
        drawn = axes.plot(line.x, line.y, **LIMITS["ode"], zorder=4, label=_LABELS["ode"])
        handles = [handle for handle in handles if handle.get_label() != _LABELS["ode"]] + drawn
    return _framed(axes, (x0, x1, y0, y1), (found.x.name, found.y.name), handles)


def _areas(found: PhaseMap) -> tuple[NDArray[np.integer], list[str], NDArray[np.float64]]:
    """Return the index of each cell's area, and the areas' names and colours.

    An area is a fate or, where one fate has several attractors and these are known, a fate with its attractor in a
    shade of the fate's colour.
    """
    seen: list[str] = []
    plain = [_area(name, seen) for name in found.fates]
    attractor = found.fields.get("attractor")
    if attractor is None:
        return found.index, list(found.fates), np.array(plain)
    index = np.zeros(found.index.shape, dtype=np.int64)
    names, colors = list[str](), list[NDArray[np.float64]]()
    for k, fate in enumerate(found.fates):
        mine = found.index == k
        ends = np.unique(attractor[mine])
        for n, end in enumerate(ends):
            index[mine & (attractor == end)] = len(names)
            names.append(fate if len(ends) == 1 else f"{fate} ({found.attractors[end]})")
            colors.append(1.0 - (1.0 - np.array(plain[k])) * (1.0 + _SHADES * n / len(ends)))
    return index, names, np.clip(np.array(colors), 0.0, 1.0)


def _hatched(axes: Axes, found: PhaseMap) -> Any:
    """Hatch the cells in doubt, and outline them; return the handle of the legend."""
    from matplotlib.patches import Patch

    doubtful = np.pad(found.fields["doubtful"].astype(float), 1)
    x, y = (np.concatenate(([2 * v[0] - v[1]], v, [2 * v[-1] - v[-2]])) for v in (found.x.values, found.y.values))
    filled = axes.contourf(x, y, doubtful, [0.5, 1.5], colors="none", hatches=["////////"], zorder=2)
    filled.set_edgecolor(NEUTRAL)
    filled.set_linewidth(0.0)
    return Patch(facecolor="white", edgecolor=NEUTRAL, hatch="////////", linewidth=0.5, label="in doubt")


def jumps_figure(
    found: PhaseMap, boundaries: Sequence[Boundary] = (), *, size: tuple[float, float] = (7.6, 5.6)
) -> Figure:
    """Return a figure of the number of jumps of the singular orbits, with boundary curves over it."""
    return _field_figure(found, "jumps", "jumps of the singular orbit", boundaries, size)


def loss_figure(
    found: PhaseMap, boundaries: Sequence[Boundary] = (), *, size: tuple[float, float] = (7.6, 5.6)
) -> Figure:
    """Return a figure of the energy at the ends, with boundary curves over it."""
    return _field_figure(found, "loss", f"{found.system.energy_name} at the end", boundaries, size)


def _field_figure(
    found: PhaseMap, name: str, label: str, boundaries: Sequence[Boundary], size: tuple[float, float]
) -> Figure:
    from matplotlib.colors import BoundaryNorm

    values = np.asarray(found.fields[name])
    norm, ticks = None, None
    if values.dtype.kind == "i":
        values = np.ma.masked_less(values, 0)
        least, most = (int(values.min()), int(values.max())) if values.count() else (0, 0)
        ticks = np.arange(least, most + 1)
        norm = BoundaryNorm(np.arange(least, most + 2) - 0.5, 256, extend="neither")
    with new_figure(*size) as figure:
        axes = figure.add_axes((0.1, 0.1, 0.72, 0.76))
        frame = (*_edges(found.x.values), *_edges(found.y.values))
        options: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "cmap": "cividis"}
        image = axes.imshow(values, extent=frame, norm=norm, zorder=0, **options)
        handles = _curves(axes, boundaries, found.y.name == found.plane.slow_start, frame)
        _framed(axes, frame, (found.x.name, found.y.name), handles)
        bar = figure.colorbar(image, cax=figure.add_axes((0.85, 0.1, 0.025, 0.76)), ticks=ticks)
        bar.set_label(label)
        axes.set_title(_title(found.system, (found.x.name, found.y.name)), fontsize=9.5, loc="left", pad=40)
    return figure


def boundary_figure(
    boundaries: Sequence[Boundary],
    system: FastSlowSystem,
    starts: tuple[float, float],
    *,
    size: tuple[float, float] = (7.6, 5.6),
) -> Figure:
    """Return a figure of phase boundaries alone, with their corners."""
    with new_figure(*size) as figure:
        axes = figure.add_axes((0.1, 0.1, 0.86, 0.76))
        axis = boundaries[0].axis
        axes.set_title(_title(system, (axis.name,)), fontsize=9.5, loc="left", pad=40)
        frame = (float(axis.low), float(axis.high), *starts)
        handles = _curves(axes, boundaries, True, frame)
        _framed(axes, frame, (axis.name, start_names(system)[1]), handles)
    return figure


Frame = tuple[float, float, float, float]
Box = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The corners of a label, as shares of the frame."""


def _framed(axes: Axes, frame: Frame, names: tuple[str, str], handles: list[Any]) -> Axes:
    axes.set_xlim(frame[:2])
    axes.set_ylim(frame[2:])
    axes.set_xlabel(axis_label(names[0]))
    axes.set_ylabel(axis_label(names[1]))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handlelength=2.0)
    return axes


def _curves(axes: Axes, boundaries: Sequence[Boundary], upright: bool, frame: Frame) -> list[Any]:
    """Draw the curves and corners of boundaries; return the handles of the legend.

    Curves on which only the place changes where orbits end are thin, and their corners are not named.
    """
    from matplotlib.lines import Line2D

    taken: list[NDArray[np.float64]] = []
    labels: list[Box] = []
    corners: list[tuple[NDArray[np.float64], str]] = []
    only_ends = False
    for boundary in boundaries:
        ends: list[NDArray[np.float64]] = []
        for curve in boundary.curves:
            parameter, y = _dense(curve)
            points = np.stack((parameter, np.clip(y, -1e300, 1e300))[:: 1 if upright else -1], axis=-1)
            axes.plot(*points.T, **(LIMITS[boundary.limit] if curve.changes_fate else _ONLY_ENDS), zorder=4)
            share = (points - frame[::2]) / _widths(frame)
            shown = bool(np.any(np.all((share >= 0.0) & (share <= 1.0), axis=1)))
            only_ends |= shown and not curve.changes_fate
            taken.append(_resampled(share))
            if curve.changes_fate:
                ends += [share[0], share[-1]]
        for corner in boundary.corners:
            at = (corner.parameter, corner.y) if upright else (corner.y, corner.parameter)
            share = (np.array(at) - frame[::2]) / _widths(frame)
            inside = np.isfinite(share).all() and (share >= 0.0).all() and (share <= 1.0).all()
            if not inside or all(np.abs(share - end).max() > _SAME for end in ends):
                continue
            axes.scatter(*at, **_CORNER, zorder=6)
            if all(np.abs(share - other).max() > _SAME for other, _ in corners):
                corners.append((share, f"{corner.kind}\n({corner.parameter:.6g}, {corner.y:.6g})"))
    for share, text in corners:
        size = _LETTER * max(map(len, text.split("\n"))), _LABEL_HEIGHT
        right, up = _free_side(share, taken, labels, size)
        labels.append(_box(share, (right, up), size))
        axes.annotate(
            text,
            (float(share[0]), float(share[1])),
            (10 * right, up * 8 + (up - np.sign(up)) * _LABEL_POINTS),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="left" if right > 0 else "right",
            va="bottom" if up > 0 else "top",
            fontsize=7.5,
            color=INK,
            zorder=7,
        )
    handles = [Line2D([], [], **LIMITS[boundary.limit], label=_LABELS[boundary.limit]) for boundary in boundaries]
    return [*handles, Line2D([], [], **_ONLY_ENDS, label="another end, same fate")] if only_ends else handles


def _dense(curve: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points of a curve near enough to each other that it looks smooth."""
    if curve.value is None or curve.parameter[0] == curve.parameter[-1]:
        return curve.parameter, curve.y
    between = np.linspace(curve.parameter[0], curve.parameter[-1], _DENSE)
    parameter = np.unique(np.concatenate((curve.parameter, between[1:-1])))
    known = np.isin(parameter, curve.parameter)
    y = np.empty_like(parameter)
    y[known], y[~known] = np.interp(parameter[known], curve.parameter, curve.y), curve.value(parameter[~known])
    return parameter, y


def _widths(frame: Frame) -> NDArray[np.float64]:
    return np.array([frame[1] - frame[0], frame[3] - frame[2]])


def _resampled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points along a polygon, dense enough to tell whether it passes through a label."""
    t = np.linspace(0, len(points) - 1, 40 * len(points))
    return np.stack([np.interp(t, np.arange(len(points)), column) for column in points.T], axis=-1)


def _free_side(
    share: NDArray[np.float64], curves: Sequence[NDArray[np.float64]], labels: Sequence[Box], size: tuple[float, float]
) -> tuple[int, int]:
    """Return the direction and the row, up or down, in which a label covers no label and little of the curves."""

    def cost(side: tuple[int, int]) -> float:
        low, high = _box(share, side, size)
        covered = sum(int(np.all((c > low) & (c < high), axis=1).sum()) for c in curves)
        met = sum(bool(np.all((low < b) & (a < high))) for a, b in labels)
        far = 20.0 * (abs(side[1]) - 1)
        return covered + far + 1e4 * met + 1e6 * float(np.any((low < 0.0) | (high > 1.0)))

    rows = itertools.chain.from_iterable((row, -row) for row in range(1, _ROWS + 1))
    return min(((right, up) for up in rows for right in (1, -1)), key=cost)


def _box(share: NDArray[np.float64], side: tuple[int, int], size: tuple[float, float]) -> Box:
    """Return the corners of a label on a side of a point, in a row counted from there."""
    right, up = side
    ends = np.array(
        [
            share + np.array((0.0, (up - np.sign(up)) * _LABEL_HEIGHT)),
            share + np.array((right * size[0], up * _LABEL_HEIGHT)),
        ]
    )
    return ends.min(axis=0), ends.max(axis=0)


def _title(system: FastSlowSystem, varied: Sequence[str]) -> str:
    """Return what the model is, with a dot for each number that an axis varies; its name where that is too long."""
    parts = []
    for name, value in system.parameters.items():
        if isinstance(value, list):
            shown = ["·" if f"{name}[{k}]" in varied else short(v) for k, v in enumerate(value, 1)]
            parts.append(f"{name.replace('_star', '*')} = ({', '.join(shown)})")
        elif name not in varied and name != "noise":
            parts.append(f"{axis_label(name)} = {short(value)}")
    text = ", ".join(parts)
    if text and len(text.replace("$", "")) <= _LONGEST:
        return text
    rate = "" if "slow_rate" in varied else f", slow rate {float(system.slow_rate):g}"
    return f"{system.title or system.name}{rate}"


def _edges(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the edges of the area of cells that have their values in the middle."""
    half = 0.5 * (values[-1] - values[0]) / (len(values) - 1)
    return float(values[0] - half), float(values[-1] + half)


def _area(name: str, seen: list[str]) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    plain = {"not valid": (1.0, 1.0, 1.0), "undecided": (0.72, 0.72, 0.72), "set aside": (0.45, 0.45, 0.45)}
    if name in plain:
        return plain[name]
    return tuple(1.0 - _STRENGTH * (1.0 - part) for part in to_rgb(fate_color(name, seen)))
