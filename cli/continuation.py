"""fastslow continue: folds and equilibria followed in one parameter, their bifurcations in two."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, quick_while_cold

if TYPE_CHECKING:
    from fastslow.bifurcation.diagrams import BifurcationCurve, BifurcationPoint, Diagram
    from fastslow.systems.families import Axis
    from fastslow.systems.system import FastSlowSystem

NOT_CERTAIN = 3


@click.command("continue", short_help="Folds, equilibria and their bifurcations in one or two parameters.")
@model_arguments
@click.option("--kind", required=True, metavar="fold|equilibrium", help="What to follow.")
@click.option("--x", "first", required=True, metavar="NAME=LOW:HIGH", help="The parameter and its interval.")
@click.option("--y", "second", metavar="NAME=LOW:HIGH", help="A second parameter, or the slow variable to show (a0).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write the results into DIR.")
def continuation(
    model: ModelArguments, kind: str, first: str, second: str | None, as_json: bool, output: Path | None
) -> int:
    """Follow the folds or the equilibria of MODEL, or of the network of --c and --c-star, in a parameter.

    With --kind fold: all folds of the critical manifold, with cusps, canard points (a fold that is an equilibrium) and
    folds on other branches. With --kind equilibrium: all equilibria and their stability at the given slow rate, with
    saddle-nodes, transcritical and Hopf points. It is shown that no curve is missing, or said that it is not; for
    formulas in the window of both variables, and with two parameters too.

    With a second parameter the curves of these special points are followed in the plane of both, with points of
    codimension 2 on them. With a range of the slow variable, such as a0=0.5:15, the curves are shown against that.

    \b
    JSON, schema fastslow.continuation/1:
      model     what a model file would say of a member of the family
      kind      fold, equilibrium
      x, y      name, low, high
      curves    id, kind, branch, x, y, R, a, stability, closed, ends
      points    kind, x, y, R, a, curves, certified, radius, lyapunov, note
      sections  x and the number of points there that the curves were checked against
      notes     gaps, and what was not shown
      complete  whether it was shown that no curve is missing
    x and y are the parameters (y only of two), R and a stand for the variables of the model: those called x or y are
    written as fast and slow.

    With -o the directory gets continuation.json, continuation.txt and bifurcation.png.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but with one parameter not shown to be complete; 130 interrupted.
    """
    system = model.study().system
    axes = [_axis(system, text, option) for text, option in ((first, "--x"), (second, "--y")) if text is not None]
    if output is not None:
        check_writable(output)
    quick_while_cold()
    from fastslow.bifurcation.continuation import continued

    diagram = continued(system, *axes, kind=kind)
    text = json.dumps(document(diagram), allow_nan=False)
    words = "\n".join(_words(diagram))
    if output is not None:
        from fastslow.plot.bifurcation import bifurcation_png
        from fastslow.records import write_whole

        write_whole(output / "continuation.json", text + "\n")
        write_whole(output / "continuation.txt", words + "\n")
        write_whole(output / "bifurcation.png", bifurcation_png(diagram))
        click.echo(f"Wrote continuation.json, continuation.txt and bifurcation.png to {output}", err=True)
    click.echo(text if as_json else words)
    return 0 if diagram.complete or len(diagram.family.names) == 2 else NOT_CERTAIN


def _axis(system: FastSlowSystem, text: str, option: str) -> Axis:
    from fastslow.errors import InputError
    from fastslow.systems.families import axis_of

    axis = axis_of(text, option, system=system)
    if axis.count is not None:
        raise InputError(option, text, "has a COUNT, but a curve is no grid", "Write NAME=LOW:HIGH")
    return axis


# JSON ----------------------------------------------------------------------------------------------------------------


def document(diagram: Diagram) -> dict[str, Any]:
    """Return a diagram as the JSON document of schema fastslow.continuation/1."""
    x, y = _keys(diagram.sample)
    found: dict[str, Any] = {
        "schema": "fastslow.continuation/1",
        "model": diagram.sample.table(),
        "kind": diagram.kind,
    }
    found |= {key: _interval(axis) for key, axis in zip("xy", diagram.axes, strict=False)}
    return found | {
        "curves": [_curve(curve, x, y) for curve in diagram.curves],
        "points": [_point(point, x, y) for point in diagram.points],
        "sections": [{"x": value, "points": count} for value, count in diagram.sections],
        "notes": list(diagram.notes),
        "complete": diagram.complete,
    }


def _keys(system: FastSlowSystem) -> tuple[str, str]:
    """Return the keys of the variables; x and y are those of the parameters."""
    fast, slow = system.fast[0], system.slow[0]
    return "fast" if fast in ("x", "y") else fast, "slow" if slow in ("x", "y") else slow


def _interval(axis: Axis) -> dict[str, Any]:
    return {"name": axis.name, "low": float(axis.low), "high": float(axis.high)}


def _curve(curve: BifurcationCurve, x: str, y: str) -> dict[str, Any]:
    return {
        "id": curve.id,
        "kind": curve.kind,
        "branch": curve.equation,
        **dict(zip("xy", curve.parameters.tolist(), strict=False)),
        x: curve.x.tolist(),
        y: curve.y.tolist(),
        "stability": list(curve.stability),
        "closed": curve.closed,
        "ends": list(curve.ends),
    }


def _point(point: BifurcationPoint, x: str, y: str) -> dict[str, Any]:
    return {
        "kind": point.kind,
        **dict(zip("xy", point.parameters, strict=False)),
        x: point.x,
        y: point.y,
        "curves": list(point.curves),
        "certified": point.certified,
        "radius": point.radius if math.isfinite(point.radius) else None,
        "lyapunov": point.lyapunov,
        "note": point.note,
    }


# Words ---------------------------------------------------------------------------------------------------------------


def _words(diagram: Diagram) -> Iterator[str]:
    x, y = diagram.sample.fast[0], diagram.sample.slow[0]
    what = {"fold": "Folds", "equilibrium": "Equilibria"}[diagram.kind]
    names = diagram.family.names
    intervals = " and ".join(
        f"{axis.name} from {axis.low} to {axis.high}" for axis in diagram.axes if axis.name in names
    )
    rate = "" if "slow_rate" in names else f", slow rate {float(diagram.sample.slow_rate):g}"
    yield f"{what if len(names) == 1 else f'Bifurcations of {what.lower()}'} for {intervals}{rate}"
    yield ""
    if diagram.points:
        rows = [["point", *names, x, y, "curves", ""]]
        for p in diagram.points:
            values = [*p.parameters, p.x, p.y]
            note = ", ".join(filter(None, (p.note, "" if p.certified else "not certified")))
            rows.append([p.kind, *(f"{value:.12g}" for value in values), " ".join(p.curves), note])
        yield from _table(rows)
    else:
        yield "No special points."
    yield ""
    rows = [["curve", "kind", "branch", *(f"{name} from, to" for name in names), "stability along it"]]
    for c in diagram.curves:
        ends = [f"{row[0]:.6g}, {row[-1]:.6g}" for row in c.parameters]
        stability = ", ".join(word for word, _ in c.pieces() if word not in ("", "center"))
        rows.append(
            [c.id, c.kind, c.equation, *ends, "closed" + f": {stability}" * bool(stability) if c.closed else stability]
        )
    yield from _table(rows) if diagram.curves else ["No curves."]
    yield ""
    if len(names) == 1 or diagram.complete:
        yield _completeness(diagram)
    yield from diagram.notes


def _completeness(diagram: Diagram) -> str:
    name, many = diagram.family.names[0], len(diagram.sections)
    if diagram.complete and len(diagram.family.names) == 2:
        return "Complete: no curve is missing."
    if diagram.complete:
        return f"Complete: no curve is missing (checked at {many} exact sections of {name}, one in each cell)."
    return "Not shown to be complete; see below."


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
