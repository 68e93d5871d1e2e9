"""An analysis in words: fates first, then the reasons, in under a screen."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

from fastslow.analysis import Analysis
from fastslow.results import OrbitResult, Point, SegmentResult
from fastslow.separatrices.thresholds import threshold_on
from fastslow.summary_of_theory import Line, number, place, theory_lines, wrapped
from fastslow.systems.networks import TRUNCATED

_STYLES = {"learning": "#d55e00", "unlearning": "#0072b2"}
_MOST_ORBITS = 6
_LONGEST = 40
"""Longer equations are not repeated where a branch is named."""


def plain_summary(analysis: Analysis, width: int = 100) -> str:
    """Return the summary as plain text."""
    return "\n".join(text for text, _ in summary_lines(analysis, width))


def html_summary(analysis: Analysis) -> str:
    """Return the summary as HTML for notebooks."""
    rows = []
    for text, style in summary_lines(analysis, 100):
        color = style.split()[-1] if "#" in style else ""
        weight = "font-weight:bold;" if "bold" in style else ""
        css = weight + (f"color:{color};" if color else "")
        escaped = html.escape(text) or "&nbsp;"
        rows.append(f'<span style="{css}">{escaped}</span>' if css else escaped)
    return "<pre>" + "\n".join(rows) + "</pre>"


def print_summary(analysis: Analysis, width: int | None = None) -> None:
    """Print the summary with colours to a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=width, highlight=False)
    for text, style in summary_lines(analysis, console.width):
        console.print(Text(text, style=style), soft_wrap=True)


def summary_lines(analysis: Analysis, width: int = 100) -> Iterator[Line]:
    """Yield the lines of the summary with their styles."""
    yield from wrapped(_title(analysis), width, "bold")
    for note in analysis.model.notes:
        yield from wrapped(f"Note: {note}", width, "italic")
    yield ("", "")
    if analysis.orbits:
        yield from _table(analysis)
        yield ("", "")
        yield from _reasons(analysis, width)
    yield from _windows(analysis, width)
    yield from _thresholds(analysis, width)
    yield from _points(analysis, width)
    yield from theory_lines(analysis, width)
    yield from _certificate(analysis, width)


def _title(analysis: Analysis) -> str:
    if "f" in analysis.model.table:
        return _written_title(analysis)
    parameters = "  ".join(
        f"{key} = {_listed(value)}" for key, value in analysis.model.table.items() if key not in ("model", "title")
    )
    return f"{analysis.model.name}  {parameters}"


def _written_title(analysis: Analysis) -> str:
    """Return the equations of a model that writes them out, with its parameters, window and slow rate."""
    model, table = analysis.model, analysis.model.table
    f, g = table["f"], table["g"]
    product = f if isinstance(f, str) else f[0] if len(f) == 1 else " * ".join(f"({factor})" for factor in f)
    values = {k: v["value"] if isinstance(v, dict) else v for k, v in table.get("parameters", {}).items()}
    settings = {**values, "window": table["window"], "slow_rate": table["slow_rate"]}
    shown = "  ".join(f"{key} = {_listed(value)}" for key, value in settings.items())
    return f"{model.name}  {model.fast[0]}' = {product}  {model.slow[0]}' = slow_rate ({g})  {shown}"


def _listed(value: object) -> str:
    return f"({', '.join(map(_listed, value))})" if isinstance(value, list) else str(value)


def _start_name(analysis: Analysis, orbit: OrbitResult) -> str:
    if orbit.start[0] == float(analysis.system.start_fast):
        return number(orbit.start[1], 9)
    return place(*orbit.start)


def _table(analysis: Analysis) -> Iterator[Line]:
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    has_energy = analysis.system.energy_polynomial is not None
    first = f"{y}0" if all(o.start[0] == float(analysis.system.start_fast) for o in analysis.orbits) else "start"
    energy = f"{analysis.model.energy_name} there" if has_energy else ""
    head = [first, "singular limit", "full system", "theorem", f"ends at ({x}, {y})", energy, ""]
    rows = []
    for orbit in analysis.orbits:
        verdict = orbit.verdict
        mark = "" if orbit.agree else ("differs, explained below" if orbit.explained else "DIFFERS, not explained")
        short = [v if len(v) <= 28 else v[:27] + "…" for v in (verdict.singular, verdict.ode)]
        end = place(*orbit.trajectory.final) if orbit.trajectory.node else f"cycle {orbit.trajectory.cycle}".strip()
        end = "-" if end == "cycle" else end
        name = _start_name(analysis, orbit)
        rows.append(([name, *short, verdict.theorem, end, _energy_at_end(analysis, orbit), mark], verdict.ode))
    widths = [max(len(row[k]) for row, _ in [(head, ""), *rows]) for k in range(len(head))]

    def line(cells: list[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    yield (line(head), "bold")
    for cells, fate in rows:
        yield (line(cells), _STYLES.get(fate, ""))


def _energy_at_end(analysis: Analysis, orbit: OrbitResult) -> str:
    (x, y), system = orbit.trajectory.final, analysis.system
    if math.isinf(y):
        value = system.energy_at_infinity(x, 1 if y > 0 else -1)
    else:
        energy = system.energy(x, y)
        value = None if energy is None else float(energy)
    return "" if value is None or not orbit.trajectory.node else f"{max(value, 0.0):.4g}"


def _reasons(analysis: Analysis, width: int) -> Iterator[Line]:
    y = analysis.model.slow[0]
    yield ("Why", "bold")
    for orbit in analysis.orbits[:_MOST_ORBITS]:
        name = f"{y}0 = {_start_name(analysis, orbit)}"
        steps = "; ".join(_step(analysis, segment) for segment in orbit.segments)
        yield from wrapped(f"  {name}: {steps or orbit.verdict.singular}.", width)
        if not orbit.agree:
            yield from wrapped(f"    ! {orbit.explanation}.", width, "bold")
        elif orbit.verdict.theorem != "not covered":
            kept = [r for r in orbit.reasons if not r.startswith("Assumption")]
            yield from wrapped(f"    {'. '.join(kept)}.", width)
    if len(analysis.orbits) > _MOST_ORBITS:
        yield (f"  ... and {len(analysis.orbits) - _MOST_ORBITS} more starts", "")


def _windows(analysis: Analysis, width: int) -> Iterator[Line]:
    y = analysis.model.slow[0]
    windows = [(orbit, orbit.window) for orbit in analysis.orbits if orbit.window is not None]
    for orbit, window in windows[:_MOST_ORBITS]:
        text = f"{'' if window.valid else 'Warning: '}{y}0 = {_start_name(analysis, orbit)}: {window.sentence}."
        yield from wrapped(text, width, "" if window.valid else "bold")


def _step(analysis: Analysis, segment: SegmentResult) -> str:
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    loss = "" if segment.loss_drop is None else f" ({analysis.model.energy_name} ↓ {segment.loss_drop:.4g})"
    if segment.kind == "jump":
        return f"jumps to {x} = {segment.end[0]:.4g}{loss}"
    own = next((b for b in analysis.branches if any(a.id == segment.arc for a in b.arcs)), None)
    branch = segment.arc if own is None else own.equation if len(own.equation) <= _LONGEST else f"f = 0 ({own.id})"
    if segment.delayed:
        return f"stays on {branch} past its loss of stability to {y} = {segment.end[1]:.6g}{loss}"
    to = segment.node
    point = next((p for p in analysis.points if p.id == to), None)
    if point is not None and not point.finite:
        return f"drifts along {branch} to {place(point.x, point.y)}{loss}"
    kind = f"{point.kind} {to}" if point is not None else place(*segment.end)
    return f"drifts along {branch} to {kind}{loss}"


def _thresholds(analysis: Analysis, width: int) -> Iterator[Line]:
    y = analysis.model.slow[0]
    rate = float(analysis.system.slow_rate)
    for t in analysis.thresholds:
        sides = f"{_fate(t.below, t.below_node)} below, {_fate(t.above, t.above_node)} above"
        text = f"Threshold {y}0 = {t.y:.12g} at slow rate {rate:g} ({threshold_on(t.saddle)}): {sides}"
        yield from wrapped(text, width)
        limit = "" if t.singular is None else f"singular limit {t.singular:.9g}, "
        first = "" if t.first_order is None else f"to first order {t.first_order:.9g}, "
        yield from wrapped(f"  {limit}{first}{t.note}", width)
    if not analysis.thresholds:
        yield from wrapped(f"No threshold of the full system at slow rate {rate:g} on the line of starts", width)
    for difference in analysis.full_flow.differences:
        yield from wrapped(f"The full system differs: {difference}", width, "bold")
    if len(analysis.flow.basins) > 1:
        listed = "; ".join(
            f"{_fate(b.verdict, b.destination)} for {_interval(b.low, b.high, f'{y}0')}" for b in analysis.flow.basins
        )
        yield from wrapped(f"Singular limit: {listed}", width)


def _fate(verdict: str, node: str) -> str:
    return f"{verdict} ({node})" if node else verdict


def _interval(low: float, high: float, name: str) -> str:
    if math.isinf(low):
        return f"{name} < {high:.9g}"
    return f"{name} > {low:.9g}" if math.isinf(high) else f"{low:.9g} < {name} < {high:.9g}"


def _points(analysis: Analysis, width: int) -> Iterator[Line]:
    yield ("", "")
    yield ("Special points", "bold")
    for kind, title in (("fold", "folds"), ("equilibrium", "equilibria"), ("crossing", "crossings")):
        points = analysis.of_kind(kind)
        if points:
            listed = "; ".join(_named(point) for point in points)
            yield from wrapped(f"  {len(points)} {title if len(points) > 1 else kind}: {listed}", width)


def _named(point: Point) -> str:
    extra = " ".join(part for part in (point.stability, f"[{point.note}]" if point.note else "") if part)
    return f"{point.id} {place(point.x, point.y)}{' ' + extra if extra else ''}"


def _certificate(analysis: Analysis, width: int) -> Iterator[Line]:
    if analysis.complete:
        text = "Complete: every point above is isolated exactly, none is missing, and the traced branches met them all."
        if any(note.startswith(TRUNCATED) for note in analysis.model.notes):
            text += " That holds for the truncated model; a note above bounds what its series leave out."
        yield from wrapped(text, width)
        return
    uncertain = [p.id for p in analysis.points if not p.certified]
    left = [*analysis.unmatched, *([f"not certified: {', '.join(uncertain)}"] if uncertain else [])]
    yield from wrapped(f"NOT complete: {'; '.join(left)}", width, "bold red")
