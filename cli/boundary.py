"""fastslow boundary: critical initial scales as curves in a parameter, with their corners."""

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
    from fastslow.boundary.curves import FullBoundary
    from fastslow.boundary.plane import CriticalLine
    from fastslow.boundary.singular import SingularBoundary
    from fastslow.systems.families import Axis
    from fastslow.systems.system import FastSlowSystem

    Boundary = SingularBoundary | FullBoundary

NOT_CERTAIN = 3


@click.command(short_help="Critical initial scales as curves in a parameter.")
@model_arguments
@click.option("--x", "x", metavar="NAME=LOW:HIGH", required=True, help="The parameter: 'c_star[3]=-5:5'.")
@click.option("--y", "y", metavar="NAME=LOW:HIGH", help="The range of starts (a0=0.5:15), or a second parameter.")
@click.option("--a0", metavar="NUMBER", help="The initial scale, in a plane of two parameters.")
@click.option(
    "--limit",
    type=click.Choice(["singular", "ode"]),
    default="ode",
    show_default=True,
    help="The boundary of the full system at its slow rate, or of the limit slow_rate -> 0.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write the results into DIR.")
def boundary(
    model: ModelArguments, x: str, y: str | None, a0: str | None, limit: str, as_json: bool, output: Path | None
) -> int:
    """Compute where the fate of a start changes as a parameter of MODEL, or of the network of --c and --c-star, varies.

    A start on a curve has the critical initial scale of its parameter. In the full system that is where the stable
    manifold of a saddle meets the line of starts; in the singular limit, the height of a fold, of an equilibrium or of
    a crossing. Corners are where curves begin, end or change what they are made of.

    Without a Lyapunov function limit cycles may come and go: fates are compared at some parameters, and it is said that
    more changes are not excluded.

    With --y a second parameter and --a0, the curve in the plane of both on which that start is critical.

    \b
    JSON, schema fastslow.boundary/1:
      model     what a model file would say
      limit     singular, ode
      curves    kind, x, a0, R (of the responsible special point), below, above;
                a fast variable that is called x is written as fast
      corners   kind, x, a0, R, radius, certified
      gaps      intervals of x without a model or a result
      notes     what could not be decided, in words
      complete  whether nothing is left undecided; in the singular limit, whether that is proved

    With -o the directory gets boundary.json, boundary.txt and, in one parameter, boundary.png with both limits.

    \b
    Exit codes: 0 done; 2 bad input; 3 something is undecided; 130 interrupted.
    """
    from fastslow.errors import MISSING, InputError
    from fastslow.systems.exact import exact
    from fastslow.systems.families import axis_of, family_of, start_names

    system = model.study().system
    show_notes(system)
    first = axis_of(x, "--x", system=system)
    second = None if y is None else axis_of(y, "--y", system=system)
    for option, axis in (("--x", first), ("--y", second)):
        if axis is not None and axis.count is not None:
            raise InputError(option, str(axis), "has a COUNT, but a curve is no grid", "Write NAME=LOW:HIGH")
    start_name = start_names(system)[1]
    family_of(system, first.name)  # says at once if there is no such parameter
    in_two = second is not None and second.name != start_name
    if in_two and second is not None:
        family_of(system, first.name, second.name)  # its names are checked before anything else
    if in_two and a0 is None:
        raise InputError(
            "--a0", MISSING, "is missing, and beside two parameters it tells where orbits start", "Give --a0 5"
        )
    if a0 is not None and not in_two:
        raise InputError("--a0", a0, "is for a plane of two parameters", "Give a second parameter with --y")
    if output is not None:
        check_writable(output)
    quick_while_cold()
    if in_two and second is not None and a0 is not None:
        from fastslow.boundary.plane import boundary_in_two
        from fastslow.systems.system import Start

        two, start = family_of(system, first.name, second.name), exact(a0, "--a0")
        system.check_start(Start(system.start_fast, start))
        with progress_bar("Rows and columns") as progress:
            lines = boundary_in_two(two, first, second, float(start), limit=limit, progress=progress)  # type: ignore[arg-type]
        return _in_two(system, first, second, a0, lines, limit, as_json, output)
    from fastslow.boundary.phase_boundary import phase_boundary

    starts = None if second is None else (float(second.low), float(second.high))
    computed: dict[str, Boundary] = {}
    if limit == "ode" or output is not None:
        with progress_bar("Full system") as progress:
            computed["ode"] = phase_boundary(system, first, limit="ode", starts=starts, progress=progress)
    if limit == "singular" or output is not None:
        with progress_bar("Singular limit") as progress:
            computed["singular"] = phase_boundary(system, first, limit="singular", progress=progress)
    found = computed[limit]
    document = json.dumps(_document(system, found), allow_nan=False)
    words = "\n".join(_words(system, found))
    if output is not None:
        _write(output, system, document, words, computed, starts or _range(found, system))
    click.echo(document if as_json else words)
    decided = found.complete if limit == "ode" else getattr(found, "followed", False)
    return 0 if decided else NOT_CERTAIN


def _document(system: FastSlowSystem, found: Boundary) -> dict[str, Any]:
    y0 = f"{system.slow[0]}0"
    x = "fast" if system.fast[0] == "x" else system.fast[0]  # x is the parameter
    return {
        "schema": "fastslow.boundary/1",
        "model": system.table(),
        "limit": found.limit,
        "x": {"name": found.axis.name, "low": float(found.axis.low), "high": float(found.axis.high)},
        "curves": [
            {
                "kind": curve.kind,
                "x": curve.parameter.tolist(),
                y0: [_number(v) for v in curve.y.tolist()],
                x: None if curve.x is None else [_number(v) for v in curve.x.tolist()],
                "below": curve.below,
                "above": curve.above,
            }
            for curve in found.curves
        ],
        "corners": [
            {
                "kind": corner.kind,
                "x": corner.parameter,
                y0: _number(corner.y),
                x: _number(corner.x),
                "radius": corner.radius,
                "certified": corner.certified,
            }
            for corner in found.corners
        ],
        "gaps": [list(gap) for gap in found.gaps],
        "notes": list(found.unresolved),
        "complete": found.complete,
    }


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _words(system: FastSlowSystem, found: Boundary) -> Iterator[str]:
    level = "singular limit" if found.limit == "singular" else "full system"
    if found.limit != "singular" and found.axis.name != "slow_rate":
        level += f" at slow rate {float(system.slow_rate):g}"
    name, y0 = found.axis.name, f"{system.slow[0]}0"
    yield f"Critical starts {y0} over {found.axis}, {level}"
    yield "" if found.curves else "  none"
    for curve in found.curves:
        ends = ((curve.parameter[k], curve.y[k]) for k in (0, -1))
        where = " to ".join(f"({p:.6g}, {y:.6g})" for p, y in ends)
        yield f"  {curve.kind:<20} ({name}, {y0}) from {where}: {curve.below} below, {curve.above} above"
    if found.corners:
        yield ""
        yield "Corners"
    for corner in found.corners:
        start = "" if math.isnan(corner.y) else f"{y0} = {corner.y:<16.10g}"
        at = "" if math.isnan(corner.x) else f"{system.fast[0]} = {corner.x:.9g}"
        yield f"  {corner.kind:<26} {name} = {corner.parameter:<18.12g} {start} {at}".rstrip()
    yield from (f"  no result for {name} from {low:g} to {high:g}" for low, high in found.gaps)
    word = "not proved" if found.limit == "singular" else "undecided"
    yield from (f"  {word}: {text}" for text in found.unresolved)


def _range(found: Boundary, system: FastSlowSystem) -> tuple[float, float]:
    """Return the range of starts that a picture shows when none is asked for."""
    import numpy as np

    y = np.concatenate([curve.y for curve in found.curves] or [np.array([-1.0, 1.0])])
    y = y[np.isfinite(y)]
    low, high = np.quantile(y, (0.05, 0.95)) if len(y) else (-1.0, 1.0)
    room = 0.25 * (high - low) + 0.05 * max(abs(low), abs(high), 1.0)
    edge = 0.02 * (high - low + 2.0 * room)
    bottom, top = system.slow_ends
    return max(float(low - room), bottom - edge), min(float(high + room), top + edge)


def _write(
    directory: Path,
    system: FastSlowSystem,
    document: str,
    words: str,
    computed: dict[str, Boundary],
    starts: tuple[float, float],
) -> None:
    from fastslow.files import write_whole
    from fastslow.plot.phase_map import boundary_figure
    from fastslow.plot.time_courses import png_of

    figure = boundary_figure(list(computed.values()), system, starts)
    write_whole(directory / "boundary.json", document + "\n")
    write_whole(directory / "boundary.txt", words + "\n")
    write_whole(directory / "boundary.png", png_of(figure, system))
    click.echo(f"Wrote boundary.json, boundary.txt and boundary.png to {directory}", err=True)


def _in_two(
    system: FastSlowSystem,
    first: Axis,
    second: Axis,
    a0: str,
    lines: tuple[CriticalLine, ...],
    limit: str,
    as_json: bool,
    output: Path | None,
) -> int:
    from fastslow.files import write_whole

    y0 = f"{system.slow[0]}0"
    document = json.dumps(
        {
            "schema": "fastslow.boundary/1",
            "model": system.table(),
            "limit": limit,
            "x": {"name": first.name, "low": float(first.low), "high": float(first.high)},
            "y": {"name": second.name, "low": float(second.low), "high": float(second.high)},
            y0: a0,
            "curves": [
                {
                    "kind": "critical start",
                    "x": n.x.tolist(),
                    "y": n.y.tolist(),
                    "across": n.across,
                    "below": n.below,
                    "above": n.above,
                }
                for n in lines
            ],
            "corners": [],
        },
        allow_nan=False,
    )
    level = "singular limit" if limit == "singular" else "full system"
    words = [f"Where the start {y0} = {a0} is critical, over {first} and {second}, {level}"]
    for n in lines:
        where = " to ".join(f"({n.x[k]:.6g}, {n.y[k]:.6g})" for k in (0, -1))
        words.append(
            f"  ({first.name}, {second.name}) from {where}: {n.below} at smaller {n.across}, {n.above} at larger"
        )
    if not lines:
        words.append("  nowhere")
    if output is not None:
        write_whole(output / "boundary.json", document + "\n")
        write_whole(output / "boundary.txt", "\n".join(words) + "\n")
        click.echo(f"Wrote boundary.json and boundary.txt to {output}", err=True)
    click.echo(document if as_json else "\n".join(words))
    return 0
