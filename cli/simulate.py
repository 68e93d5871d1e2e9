"""fastslow simulate: solutions at given times."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, quick_while_cold

if TYPE_CHECKING:
    from fastslow.ode.simulation import Simulation
    from fastslow.systems.model_files import Study
    from fastslow.systems.system import Start

NOT_DONE = 3
_MOST_LINES = 24
_DRAWN = 2000
"""Times of a picture, spaced evenly in the logarithm, and as many spaced evenly."""


@click.group(short_help="Solutions at given times.")
def simulate() -> None:
    """Follow one start of a model through time."""


@simulate.command()
@model_arguments
@click.option("--a0", metavar="NUMBER", help="The start on the line of starts: initial scale of the second layer.")
@click.option("--start", metavar="X,Y", help="A start anywhere, instead.")
@click.option("--tau", metavar="NUMBER", required=True, help="The last time, up to 1e100.")
@click.option("--rtol", metavar="NUMBER", default="1e-10", show_default=True, help="Relative tolerance.")
@click.option("--points", metavar="N", default=200, show_default=True, help="Number of times, from 0 to tau.")
@click.option("--solver", metavar="NAME", default="rodas5p", show_default=True, help="rodas5p, LSODA or Radau.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def ode(
    model: ModelArguments,
    a0: str | None,
    start: str | None,
    tau: str,
    rtol: str,
    points: int,
    solver: str,
    as_json: bool,
    output: Path | None,
) -> int:
    """Integrate the ODE of MODEL, a preset or a TOML file, or the network of --c and --c-star, from one start to tau.

    The times are spaced evenly in the logarithm, from a hundredth of the fastest time of the start (at most
    tau / 1000) to tau. Where the solution runs to infinity along a slow manifold, that is followed instead of
    integrated: tau may be 1e30. With -o the directory gets trajectory.json, trajectory.csv and time_courses.png,
    the solution over the singular orbit of its start.

    \b
    Exit codes: 0 done; 2 bad input; 3 ended before tau, as the status says; 130 interrupted.
    """
    study = model.study()
    one = _start(study, a0, start)
    if output is not None:
        check_writable(output)
    if study.system.energy_polynomial is not None:
        # It settles or runs to infinity in some thousands of steps; others may oscillate up to tau.
        quick_while_cold()
    import numpy as np

    from fastslow.ode.simulation import simulate as run

    found = run(study.system, one, tau, rtol=rtol, points=points, solver=solver)  # type: ignore[arg-type]
    if output is not None:
        _write(found, output)
        if found.t[-1] > 0.0:
            # A picture needs the times of late jumps and oscillations, too.
            times = np.union1d(np.geomspace(found.t[0], found.t[-1], _DRAWN), np.linspace(0.0, found.t[-1], _DRAWN))
            _draw(run(study.system, one, tau, rtol=rtol, times=times, solver=solver), output)  # type: ignore[arg-type]
    click.echo(_json(found) if as_json else _table(found))
    return 0 if found.status == "done" else NOT_DONE


def _start(study: Study, a0: str | None, start: str | None) -> Start:
    """Return the one start that is asked for, or the one that the model brings."""
    from fastslow.errors import MISSING, InputError
    from fastslow.systems.exact import exact_list
    from fastslow.systems.model_files import plane_starts, slow_starts

    given = () if a0 is None else slow_starts(study.system, a0, "--a0")
    if start is not None:
        given += plane_starts(study.system, [exact_list(start, "--start")])
    own = a0 is None and start is None
    starts = study.starts if own else given
    if not starts:
        raise InputError("--a0", MISSING, "is missing", "Give a start: --a0 5, or --start 0,5")
    if len(starts) > 1:
        shown = ", ".join(f"({float(one.fast):g}, {float(one.slow):g})" for one in starts[:5])
        way_out = "Choose one with --a0 or --start" if own else "Call once for each"
        raise InputError("MODEL" if own else "--a0, --start", shown, "are several starts, must be one", way_out)
    return starts[0]


def _json(run: Simulation) -> str:
    return json.dumps(run.document(), allow_nan=False)


def _columns(run: Simulation) -> tuple[list[str], list[tuple[float, ...]]]:
    """Return the names and the rows of the table of a run."""
    document = run.document()
    names = ["tau", run.system.fast[0], run.system.slow[0]]
    names += ["loss"] if document["loss"] is not None else []
    return names, list(zip(*(document[name] for name in names), strict=True))


def _table(run: Simulation) -> str:
    """Return the run to read: what happened, and some of its rows, the first and the last among them."""
    names, rows = _columns(run)
    shown = min(len(rows), _MOST_LINES)
    chosen = [rows[round(k * (len(rows) - 1) / max(shown - 1, 1))] for k in range(shown)]
    lines = [run.sentence]
    if run.switch_time is not None:
        lines.append(f"On the slow manifold to infinity from tau = {run.switch_time:.6g} on.")
    lines += ["", "".join(name.rjust(20) for name in names)]
    lines += ["".join(f"{value:20.12g}" for value in row) for row in chosen]
    if len(rows) > shown:
        lines += ["", f"{shown} of {len(rows)} times; --json prints all."]
    return "\n".join(lines)


def _write(run: Simulation, directory: Path) -> None:
    from fastslow.records import write_whole

    names, rows = _columns(run)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    write_whole(directory / "trajectory.json", _json(run) + "\n")
    write_whole(directory / "trajectory.csv", text.getvalue())
    click.echo(f"Wrote trajectory.json and trajectory.csv to {directory}", err=True)


def _draw(run: Simulation, directory: Path) -> None:
    """Draw a run over the singular orbit of its start."""
    from fastslow.flow.singular_course import singular_course
    from fastslow.manifold.critical_manifold import critical_manifold
    from fastslow.plot.time_courses import time_courses_png
    from fastslow.records import write_whole

    course = singular_course(critical_manifold(run.system), run.start, float(run.t[-1]))
    write_whole(directory / "time_courses.png", time_courses_png(run, course))
    click.echo(f"Wrote time_courses.png to {directory}", err=True)
