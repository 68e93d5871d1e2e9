"""Folds, cycles, canards and excitability of an analysis in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastslow.flow.crossings import CrossingReport
from fastslow.flow.generic_points import FoldReport

if TYPE_CHECKING:
    from fastslow.analysis import Analysis

Line = tuple[str, str]
"""Text and its style, a rich style name, empty for plain."""

_MOST_CANARDS, _MOST_FOLDS, _MOST_CYCLES = 4, 8, 8


def theory_lines(analysis: Analysis, width: int) -> Iterator[Line]:
    """Yield what is known of cycles, folds, crossings, canards and excitability."""
    yield from _cycles(analysis, width)
    said = [*_folds(analysis), *_crossings(analysis.theory.crossings)]
    if said:
        yield ("Local theory", "bold")
    for text in said:
        yield from wrapped(f"  {text}", width)
    yield from _excitable(analysis, width)
    yield from _canards(analysis, width)


def _cycles(analysis: Analysis, width: int) -> Iterator[Line]:
    cycles, notes = analysis.limit_cycles.cycles, analysis.limit_cycles.notes
    relaxation = analysis.theory.relaxation_cycles
    if not cycles and not relaxation and not notes:
        return
    yield ("Cycles", "bold")
    rate = float(analysis.system.slow_rate)
    for limit in relaxation:
        order = "to two orders" if limit.fold_constant is not None else f"to leading order ({limit.note})"
        constant = "" if limit.fold_constant is None else f" + {limit.fold_constant:.6g} ε^(-1/3)"
        yield from wrapped(
            f"  singular limit: relaxation cycle through {', '.join(limit.folds)}, period "
            f"{limit.slow_period:.9g}/ε{constant} {order}: {limit.period:.6g} at ε = {rate:g}",
            width,
        )
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    for cycle in cycles[:_MOST_CYCLES]:
        around = ", ".join(cycle.encloses)
        article = "an" if cycle.stability == "unstable" else "a"
        doubt = "" if cycle.certainty == "converged" else f", a {cycle.certainty}: errors up to {cycle.strayed:.1g}"
        yield from wrapped(
            f"  full system: {cycle.id}, {article} {cycle.stability} {cycle.kind} round {around}: "
            f"period {cycle.period:.9g} (± {cycle.period_error:.1g}), log of the multiplier {cycle.exponent:.6g}, "
            f"{x} from {min(cycle.x):.5g} to {max(cycle.x):.5g}, "
            f"{y} from {min(cycle.y):.5g} to {max(cycle.y):.5g}{doubt}",
            width,
        )
    if len(cycles) > _MOST_CYCLES:
        yield (f"  ... and {len(cycles) - _MOST_CYCLES} more cycles", "")
    for note in notes:
        yield from wrapped(f"  full system: {note}", width)


def _folds(analysis: Analysis) -> Iterator[str]:
    folds = analysis.theory.folds
    told = [fold for fold in folds if fold.kind != "left by the slow flow"]
    yield from (_fold(analysis, fold) for fold in told[:_MOST_FOLDS])
    if left := [fold.id for fold in folds if fold not in told]:
        yield f"{', '.join(left)}: left by the slow flow"


def _fold(analysis: Analysis, fold: FoldReport) -> str:
    text = f"{fold.id}: {fold.kind} (f_xx = {fold.f_xx:.5g}, f_y = {fold.f_y:.5g}, g = {fold.g:.5g})"
    if fold.landing is None:
        return text
    onto = f" on {fold.target}, then to {fold.next}" if fold.next else f" at {fold.target}" if fold.target else ""
    return f"{text}, jumps to {analysis.model.fast[0]} = {number(fold.landing[0])}{onto or ', out of the window'}"


def _crossings(crossings: tuple[CrossingReport, ...]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for crossing in crossings:
        if crossing.passage:
            groups.setdefault((crossing.kind, crossing.passage), []).append(crossing.id)
    for (kind, passage), ids in groups.items():
        yield f"{', '.join(ids)}: {kind}{'s' if len(ids) > 1 else ''}; {passage}"


def _excitable(analysis: Analysis, width: int) -> Iterator[Line]:
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    for each in analysis.theory.excitable:
        rest = analysis.point(each.equilibrium)
        yield from wrapped(
            f"  Excitable: {each.equilibrium} is stable, {each.distance:.4g} from the fold {each.fold}. With {y} = "
            f"{number(rest.y)} held, a start beyond {x} = {each.threshold:.9g} (on the repelling arc; "
            f"{abs(each.threshold - rest.x):.4g} away) jumps to {x} = {each.peak:.5g} and comes back over "
            f"{', '.join(each.folds)}; a smaller kick decays",
            width,
        )


def _canards(analysis: Analysis, width: int) -> Iterator[Line]:
    near = sorted(analysis.theory.canards, key=lambda c: abs(c.value - c.present) / max(1.0, abs(c.present)))
    for canard in near[:_MOST_CANARDS]:
        yield from wrapped(
            f"  Canard point of {canard.fold} at {canard.parameter} = {canard.value:.9g}; to first order in ε = "
            f"{canard.slow_rate:g} a {canard.kind} singular Hopf point at {canard.hopf:.6g} and the maximal canard at "
            f"{canard.canard:.6g}",
            width,
        )
    if len(near) > _MOST_CANARDS:
        yield (f"  ... and {len(near) - _MOST_CANARDS} more canard points in other parameters", "")


def number(value: float, digits: int = 6) -> str:
    """Return a number with a few digits, infinity by its sign."""
    if math.isinf(value):
        return "+∞" if value > 0 else "-∞"
    return f"{value + 0.0:.{digits}g}"


def place(x: float, y: float) -> str:
    """Return a point of the plane as text."""
    return f"({number(x)}, {number(y)})"


def wrapped(text: str, width: int, style: str = "") -> Iterator[Line]:
    """Break a line at spaces, with a hanging indent."""
    import textwrap

    indent = len(text) - len(text.lstrip())
    for line in textwrap.wrap(
        text, max(width, 40), subsequent_indent=" " * (indent + 2), break_long_words=False, break_on_hyphens=False
    ):
        yield (line, style)
