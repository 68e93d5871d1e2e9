"""fastslow batch: the analysis of a model at every point of a grid."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar

NOT_CERTAIN, INTERRUPTED = 3, 130


@click.command(short_help="The analysis at every point of a grid.")
@model_arguments
@click.option("--axis", "axes", metavar="AXIS", multiple=True, required=True, help="'c_star[3]=-5:5:11'; one or more.")
@click.option("--a0", metavar="NUMBER", help="The initial scale, where no axis is a0.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Write the records and the table into DIR.",
)
@click.option("--resume", is_flag=True, help="Go on with the batch in DIR that was interrupted.")
@click.option("--workers", type=int, default=0, show_default=True, metavar="N", help="Processes; 0 for this one.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on a dask cluster: tcp://host:port.")
def batch(
    model: ModelArguments,
    axes: tuple[str, ...],
    a0: str | None,
    output: Path,
    resume: bool,
    workers: int,
    scheduler: str | None,
) -> int:
    """Analyse MODEL, or the network of --c and --c-star, at every point of a grid of one or more axes.

    An axis is NAME=LOW:HIGH:COUNT, a parameter of the model or a0. The directory gets records/N.json, the document of
    `fastslow analyze --json` at point N (fastslow.load reads it), and batch.zarr with the verdicts and ends of all
    points (xarray.open_zarr reads it). Ctrl-C keeps all finished points.

    \b
    Exit codes: 0 done; 2 bad input; 3 some points set aside; 130 interrupted.
    """
    from fastslow.batches import RECORDS, analyses
    from fastslow.errors import SweepInterrupted
    from fastslow.sweeps.fates import FATES

    system = model.study().system
    check_writable(output)
    try:
        with progress_bar("Analyses") as progress:
            found = analyses(
                system,
                axes,
                a0=a0,
                store=output,
                resume=resume,
                workers=workers,
                scheduler=scheduler,
                progress=progress,
            )
    except SweepInterrupted as interrupted:
        click.echo(str(interrupted), err=True)
        again = [word for word in sys.argv[1:] if word != "--resume"]
        click.echo(f"To go on: {shlex.join(['fastslow', *again, '--resume'])}", err=True)
        return INTERRUPTED
    ode, total = found["ode"], found["ode"].size
    click.echo(f"{total} analyses over {', '.join(map(str, found.axes))}")
    done = found["thresholds"] >= 0
    for code, name in enumerate(FATES):
        if number := int((done & (ode == code)).sum()):
            click.echo(f"  {name:<24}{number:>8}  {100 * number / total:6.2f} %")
    click.echo(f"  levels disagree at {int((done & ~found['agree']).sum())} points")
    for error in found.result.errors:
        click.echo(f"  set aside, point {error.start}: {error.message}")
    click.echo(f"Wrote {RECORDS} and batch.zarr to {output}", err=True)
    return NOT_CERTAIN if found.result.errors else 0
