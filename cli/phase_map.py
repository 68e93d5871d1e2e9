"""fastslow phase-map: the fate over a grid of two parameters, or of a parameter and the initial scale."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar, show_notes

if TYPE_CHECKING:
    from fastslow.sweeps.differences import Difference
    from fastslow.sweeps.phase_map import PhaseMap

METHODS = ("exact", "singular", "ode")
NOT_CERTAIN, INTERRUPTED = 3, 130
_STORE = "map.zarr"
_MOST_CELLS_JSON = 4_000_000


@click.command("phase-map", short_help="The fate over a grid of two axes.")
@model_arguments
@click.option("--x", "x", metavar="AXIS", required=True, help="For example 'c_star[3]=-5:5:100'.")
@click.option("--y", "y", metavar="AXIS", required=True, help="For example 'a0=0.5:15:100'.")
@click.option("--a0", metavar="NUMBER", help="The initial scale, where neither axis is a0.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="exact",
    show_default=True,
    help="exact: filled from the computed boundary; singular: from that of the singular limit; ode: each cell "
    "integrated.",
)
@click.option("--rtol", type=float, default=1e-8, show_default=True, help="Relative tolerance of --method ode.")
@click.option(
    "--compare", type=click.Choice(METHODS), multiple=True, help="Fill the map by this method too, and explain."
)
@click.option("--loss", is_flag=True, help="Integrate each cell for the energy (test loss) at its end, too.")
@click.option("--jumps", is_flag=True, help="Count the jumps of each cell's singular orbit, too.")
@click.option("--ends", is_flag=True, help="Tell which attractor each cell ends at, and where that is, too.")
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
    loss: bool,
    jumps: bool,
    ends: bool,
    compare: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    resume: bool,
    workers: int,
    scheduler: str | None,
) -> int:
    """Tell the fate over a grid of two axes of MODEL, or of the network of --c and --c-star.

    An axis is NAME=LOW:HIGH:COUNT, or NAME where the model file has a range for it. Its name is a parameter of the
    model (c[2], c_star[3], slow_rate, one of a model file), or a0, the initial scale (y0 of a system with the slow
    variable y).

    With -o the directory gets the map chunk by chunk as map.zarr (xarray.open_zarr reads it), phase_map.json and
    phase_map.png, with the boundary curves over it. Ctrl-C keeps all finished chunks.

    \b
    JSON, schema fastslow.phase_map/1:
      x, y      name, values
      fates     the fates that occur
      fate      for each y the index of the fate at each x
      notes     cells that are not valid or were set aside, and why
      doubtful  (with --method singular) for each y whether the full system may
                give another fate at each x
      loss      (with --loss) for each y the energy at the end at each x
      jumps     (with --jumps) likewise their number, -1 where there is no orbit
      attractors, attractor, end_fast, end_slow (with --ends) names, and likewise
                the index of the name, and the place, null where there is none
      differences (with --compare) parts of the map with another fate by the other method:
                method, cells, fate, other_fate, place {x, y}, explanation

    \b
    Exit codes: 0 done; 2 bad input; 3 some cells undecided or set aside; 130 interrupted.
    """
    from fastslow.errors import MISSING, InputError, SweepInterrupted

    system = model.study().system
    show_notes(system)
    if method in compare:
        raise InputError("--compare", method, "is the method of the map itself", "Compare with another")
    if output is not None:
        check_writable(output)
    elif resume:
        raise InputError("--resume", MISSING, "needs the directory of the map", "Give it with -o")
    from fastslow.sweeps.differences import compared
    from fastslow.sweeps.phase_map import phase_map as build

    options: dict[str, Any] = {"a0": a0, "rtol": rtol, "workers": workers, "scheduler": scheduler}
    fields = {"loss": loss, "jumps": jumps, "ends": ends}
    try:
        with progress_bar("Cells") as progress:
            store = None if output is None else output / _STORE
            found = build(
                system, x, y, method=method, store=store, resume=resume, progress=progress, **fields, **options
            )
            others = [
                build(system, x, y, method=other, progress=progress, **options) for other in dict.fromkeys(compare)
            ]
    except SweepInterrupted as interrupted:
        click.echo(str(interrupted), err=True)
        if output is not None:
            again = [word for word in sys.argv[1:] if word != "--resume"]
            click.echo(f"To go on: {shlex.join(['fastslow', *again, '--resume'])}", err=True)
        return INTERRUPTED
    differences = [difference for other in others for difference in compared(found, other)]
    words = "\n".join(_words(found, differences))
    if output is not None:
        _write(found, words, output)
    if as_json:
        document = found.document()
        if compare:
            document["differences"] = [vars(difference) for difference in differences]
        click.echo(json.dumps(document, allow_nan=False))
    else:
        click.echo(words)
    uncertain = {"undecided", "set aside"} & set(found.fates) or any(not d.explanation for d in differences)
    return NOT_CERTAIN if uncertain else 0


def _words(found: PhaseMap, differences: Sequence[Difference]) -> Iterator[str]:
    import numpy as np

    yield f"{found.x.count} x {found.y.count} cells over {found.x} and {found.y}, method {found.method}"
    total = found.index.size
    for name, count in found.counts().items():
        yield f"  {name:<24}{count:>12}  {100 * count / total:6.2f} %"
    for name, names in (("jumps", None), ("attractor", found.attractors)):
        if name in found.fields:
            codes, counts = np.unique(found.fields[name], return_counts=True)
            told = (f"{n} {names[k] if names else k}" for k, n in zip(codes, counts, strict=True))
            yield f"  cells by {name}: {', '.join(told)}"
    yield from (f"  {note}" for note in found.notes)
    for d in differences:
        place = ", ".join(f"{name} = {value:.9g}" for name, value in d.place.items())
        yield f"{d.cells} cells: {d.fate} by {found.method}, {d.other_fate} by {d.method}, as at {place}"
        yield f"  {d.explanation or 'No explanation was found.'}"


def _write(found: PhaseMap, words: str, directory: Path) -> None:
    """Write the map beside its store; the picture has the boundaries of both limits where they can be computed."""
    from fastslow.files import write_whole
    from fastslow.plot.phase_map import jumps_figure, loss_figure, phase_map_figure
    from fastslow.plot.time_courses import png_of

    write_whole(directory / "phase_map.txt", words + "\n")
    names = ["phase_map.txt", "phase_map.png", _STORE]
    if found.index.size <= _MOST_CELLS_JSON:
        write_whole(directory / "phase_map.json", json.dumps(found.document(), allow_nan=False) + "\n")
        names.insert(0, "phase_map.json")
    boundaries = found.boundaries()
    if found.loss is not None:
        write_whole(directory / "final_loss.png", png_of(loss_figure(found, boundaries), found.system))
        names.append("final_loss.png")
    if "jumps" in found.fields:
        write_whole(directory / "jumps.png", png_of(jumps_figure(found, boundaries), found.system))
        names.append("jumps.png")
    figure = phase_map_figure(found, boundaries, found.lines())
    write_whole(directory / "phase_map.png", png_of(figure, found.system))
    click.echo(f"Wrote {', '.join(names)} to {directory}", err=True)
