"""fastslow thresholds: where the fate of a start changes in the full system, and where that changes in a parameter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import (
    ModelArguments,
    check_writable,
    model_arguments,
    progress_bar,
    quick_while_cold,
    show_notes,
)

if TYPE_CHECKING:
    from fastslow.flow.flow_graph import Basin
    from fastslow.separatrices.connections import Connections
    from fastslow.separatrices.full_graph import FullGraph
    from fastslow.separatrices.thresholds import Threshold
    from fastslow.systems.system import FastSlowSystem

NOT_CERTAIN = 3


@click.command(short_help="Critical starts of the full system, and saddle connections in a parameter.")
@model_arguments
@click.option("--connections", "parameter", metavar="NAME", help="Look for saddle connections in this parameter.")
@click.option("--between", metavar="LOW,HIGH", help="The interval of that parameter.")
@click.option("--samples", type=int, default=24, show_default=True, metavar="N", help="Steps of the scan.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write the results into DIR.")
def thresholds(
    model: ModelArguments, parameter: str | None, between: str | None, samples: int, as_json: bool, output: Path | None
) -> int:
    """Tell where on its line of starts the fate changes in MODEL, or in the network of --c and --c-star.

    A threshold is a start on the stable manifold of a saddle, or on an unstable limit cycle, at the given slow rate.
    Beside it stand the boundary of the singular limit that it tends to, and that boundary corrected to first order in
    the slow rate.

    With --connections the command also locates the values of a parameter (slow_rate, c[2], c_star[2], ...) between
    LOW and HIGH at which the unstable manifold of one saddle is the stable one of another: there thresholds appear
    or vanish.

    \b
    JSON, schema fastslow.thresholds/1:
      model         what a model file would say
      thresholds    a0, saddle {id, R, a} (or C1, ... and the start: an unstable
                    cycle), below, above, below_node, above_node, singular,
                    first_order, note
      basins        low, high, verdict, destination in the full system
      differences   from the singular limit, in words
      connections   parameter, value, error, source and target {id, R, a}, side,
                    below, above
      unresolved    what the scan for connections could not tell, in words
    The last two only with --connections.

    With -o the directory gets thresholds.json and thresholds.txt.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but something is undecided or unresolved; 130 interrupted.
    """
    system = model.study().system
    show_notes(system)
    interval = _interval(parameter, between)
    if output is not None:
        check_writable(output)
    if interval is None:
        quick_while_cold()
    from fastslow.manifold.critical_manifold import critical_manifold
    from fastslow.ode.trajectories import Settling
    from fastslow.separatrices.connections import connections
    from fastslow.separatrices.full_graph import full_graph

    scan = None
    if parameter is not None and interval is not None:
        with progress_bar("Steps of the scan") as progress:
            scan = connections(system, parameter, interval, samples=samples, progress=progress)
    manifold = critical_manifold(system)
    graph = full_graph(Settling(manifold))
    text = json.dumps(_document(system, graph, scan), allow_nan=False)
    words = "\n".join(_words(system, graph, scan))
    if output is not None:
        from fastslow.records import write_whole

        write_whole(output / "thresholds.json", text + "\n")
        write_whole(output / "thresholds.txt", words + "\n")
        click.echo(f"Wrote thresholds.json and thresholds.txt to {output}", err=True)
    click.echo(text if as_json else words)
    undecided = any(basin.verdict.startswith("undecided") for basin in graph.basins)
    unresolved = scan is not None and scan.unresolved
    return NOT_CERTAIN if undecided or unresolved or not manifold.complete else 0


def _interval(parameter: str | None, between: str | None) -> tuple[Any, Any] | None:
    from fastslow.errors import MISSING, InputError
    from fastslow.systems.exact import exact_list

    if (parameter is None) != (between is None):
        missing, other = ("--between", "--connections") if between is None else ("--connections", "--between")
        raise InputError(
            missing, MISSING, f"is missing beside {other}", "Give --connections slow_rate --between 1/5,2/5"
        )
    if between is None:
        return None
    ends = exact_list(between, "--between")
    if len(ends) != 2:
        raise InputError("--between", between, "must be two numbers", "For example 1/5,2/5")
    return ends[0], ends[1]


# JSON ----------------------------------------------------------------------------------------------------------------


def _document(system: FastSlowSystem, graph: FullGraph, scan: Connections | None) -> dict[str, Any]:
    x, y = system.fast[0], system.slow[0]
    document: dict[str, Any] = {
        "schema": "fastslow.thresholds/1",
        "model": system.table(),
        "thresholds": [_threshold(t, x, y) for t in graph.thresholds],
        "basins": [_basin(b) for b in graph.basins],
        "differences": list(graph.differences),
    }
    if scan is not None:
        document["connections"] = [
            {
                "parameter": c.parameter,
                "value": c.value,
                "error": c.error,
                "source": {"id": c.source, x: c.source_at[0], y: c.source_at[1]},
                "target": {"id": c.target, x: c.target_at[0], y: c.target_at[1]},
                "side": c.side,
                "below": c.below,
                "above": c.above,
            }
            for c in scan.found
        ]
        document["unresolved"] = list(scan.unresolved)
    return document


def _threshold(t: Threshold, x: str, y: str) -> dict[str, Any]:
    return {
        f"{y}0": t.y,
        "saddle": {"id": t.saddle.id, x: t.saddle.x, y: t.saddle.y},
        "below": t.below,
        "above": t.above,
        "below_node": t.below_node,
        "above_node": t.above_node,
        "singular": t.singular,
        "first_order": t.first_order,
        "note": t.note,
    }


def _basin(b: Basin) -> dict[str, Any]:
    low, high = (v if math.isfinite(v) else ("inf" if v > 0 else "-inf") for v in (b.low, b.high))
    return {"low": low, "high": high, "verdict": b.verdict, "destination": b.destination}


# Words ---------------------------------------------------------------------------------------------------------------


def _words(system: FastSlowSystem, graph: FullGraph, scan: Connections | None) -> Iterator[str]:
    x, y = system.fast[0], system.slow[0]
    start = f"({x}, {y}) = ({float(system.start_fast):g}, {y}0)"
    yield f"Starts {start} of the full system at slow rate {float(system.slow_rate):g}"
    yield ""
    if graph.thresholds:
        yield from _table(graph, y)
    else:
        yield "No threshold."
    yield ""
    yield "Basins"
    for b in graph.basins:
        end = f" ({b.destination})" if b.destination else ""
        yield f"  {b.low:>16.10g} < {y}0 < {b.high:<16.10g}  {b.verdict}{end}"
    if graph.differences:
        yield ""
        yield "Not as in the singular limit"
        yield from (f"  {difference}" for difference in graph.differences)
    if scan is not None:
        yield ""
        yield from _connections(scan)


def _table(graph: FullGraph, y: str) -> Iterator[str]:
    head = [f"threshold {y}0", "to first order", "singular limit", "saddle", "below", "above"]
    rows = [
        [f"{t.y:.12g}", _number(t.first_order), _number(t.singular), t.saddle.id, t.below, t.above]
        for t in graph.thresholds
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for t in graph.thresholds:
        yield f"  {y}0 = {t.y:.6g}: {t.note}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.9g}"


def _connections(scan: Connections) -> Iterator[str]:
    low, high = scan.between
    yield f"Saddle connections for {scan.parameter} from {low:g} to {high:g}"
    if not scan.found:
        yield "  none found"
    for c in scan.found:
        yield (
            f"  {c.parameter} = {c.value:.12g} ± {c.error:.1g}: from {c.source} to {c.target}; "
            f"that half of {c.source} ends: below {c.below}, above {c.above}"
        )
    yield from (f"  unresolved: {text}" for text in scan.unresolved)
