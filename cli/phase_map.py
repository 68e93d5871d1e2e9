"""fastslow phase-map: the fate over a grid of two parameters, or of a parameter and the initial scale."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar

if TYPE_CHECKING:
    from fastslow.sweeps.phase_map import PhaseMap

NOT_CERTAIN, INTERRUPTED = 3, 130
_STORE = "map.zarr"


@click.command("phase-map", short_help="The fate over a grid of two axes.")
@model_arguments
@click.option("--x", "x", metavar="AXIS", required=True, help="For example 'c_star[3]=-5:5:100'.")
@click.option("--y", "y", metavar="AXIS", required=True, help="For example 'a0=0.5:15:100'.")
@click.option("--a0", metavar="NUMBER", help="The initial scale, where neither axis is a0.")
@click.option(
    "--method",
    type=click.Choice(["exact", "singular", "ode"]),
    default="exact",
    show_default=True,
    help="Filled from the computed boundary, from that of the singular limit, or each cell integrated.",
)
@click.option("--rtol", type=float, default=1e-8, show_default=True, help="Relative tolerance of --method ode.")
@click.option("--compare", metavar="METHOD", multiple=True, help="Fill the map by this method too, and explain.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a summary.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write the map into DIR.")
@click.option("--resume", is_flag=True, help="Go on with the map in DIR that was interrupted.")
@click.option("--workers", type=int, default=0, show_default=True, metavar="N", help="Processes; 0 for this one.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on a dask cluster: tcp://host:port.")
def phase_map(
    model: ModelArguments,
    x: str,
    y: str,
    a0: str | None,
    method: str,
    rtol: float,
    compare: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    resume: bool,
    workers: int,
    scheduler: str | None,
) -> int:
    """Tell the fate over a grid of two axes of MODEL, or of the network of --c and --c-star.

    An axis is NAME=LOW:HIGH:COUNT. Its name is a parameter of the model (c[2], c_star[3], slow_rate, one of a model
    file), or a0, the initial scale (y0 of a system with the slow variable y).

    With -o the directory gets the map chunk by chunk as map.zarr (xarray.open_zarr reads it), phase_map.json and
    phase_map.png, with the boundary curves over it. Ctrl-C keeps all finished chunks.

    \b
    JSON, schema fastslow.phase_map/1:
      x, y      name, values
      fates     the fates that occur
      fate      for each y the index of the fate at each x
      notes     cells that are not valid or were set aside, and why

    \b
    Exit codes: 0 done; 2 bad input; 3 some cells undecided or set aside; 130 interrupted.
    """
    from fastslow.errors import MISSING, InputError

    system = model.study().system
    if output is not None:
        check_writable(output)
    elif resume:
        raise InputError("--resume", MISSING, "needs the directory of the map", "Give it with -o")
    from fastslow.sweeps import SweepInterrupted
    from fastslow.sweeps.phase_map import phase_map as build

    store = None if output is None else output / _STORE
    try:
        with progress_bar("Cells") as progress:
            found = build(
                system,
                x,
                y,
                a0=a0,
                method=method,  # type: ignore[arg-type]
                rtol=rtol,
                store=store,
                resume=resume,
                workers=workers,
                scheduler=scheduler,
                progress=progress,
            )
    except SweepInterrupted as interrupted:
        click.echo(str(interrupted), err=True)
        if output is not None:
            again = [word for word in sys.argv[1:] if word != "--resume"]
            click.echo(f"To go on: {shlex.join(['fastslow', *again, '--resume'])}", err=True)
        return INTERRUPTED
