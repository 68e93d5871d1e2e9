"""fastslow gallery: the pictures of the gallery, made from its scripts."""

from __future__ import annotations

from pathlib import Path

import click
from fastslow_cli.options import progress_bar, usage_errors

FAILED = 3


@click.command(short_help="Make the pictures of the gallery: every figure of the paper, and more.")
@click.argument("names", nargs=-1)
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Where the pictures go.")
@click.option("--list", "listed", is_flag=True, help="List the names and titles; make nothing.")
@click.option("--format", "formats", default="png", show_default=True, metavar="LIST", help="Of png, svg and pdf.")
@click.option("--theme", "themes", default="light", show_default=True, metavar="LIST", help="Of light and dark.")
@click.option("--movie", default="gif", show_default=True, metavar="gif|mp4", help="Of animations; mp4 needs ffmpeg.")
@click.option("--dpi", type=int, default=150, show_default=True, metavar="N", help="Pixels an inch of png.")
@click.option("--workers", type=int, metavar="N", help="Processes; as many as processors if left out.")
@usage_errors
def gallery(
    names: tuple[str, ...],
    output: Path | None,
    listed: bool,
    formats: str,
    themes: str,
    movie: str,
    dpi: int,
    workers: int | None,
) -> int:
    """Make the pictures NAMES of the gallery in DIR, or all of them.

    Each carries its script, the models in it, the version and the seed as metadata. Pictures that are there and
    would come out the same are not made again: gallery.json in DIR remembers what made them. A dark picture has the
    ending -dark. After Ctrl-C the finished ones stay.

    \b
    Exit codes: 0 done; 2 bad input; 3 a picture failed, the others are made; 130 interrupted.
    """
    from fastslow.errors import MISSING, InputError
    from fastslow.plot.gallery import make, pictures

    known = pictures()
    if listed:
        width = max(map(len, known))
        for name, picture in known.items():
            click.echo(f"{name.ljust(width)}  {picture.title}")
        return 0
    if output is None:
        raise InputError("-o", MISSING, "is missing", "For example: fastslow gallery figure_4 -o pictures")
    with progress_bar("Pictures") as progress:
        found = make(
            names,
            output,
            formats=formats.split(","),
            themes=themes.split(","),
            movie=movie,
            dpi=dpi,
            workers=workers,
            progress=progress,
        )
    width = max(len(drawn.name) for drawn in found)
    for drawn in found:
        state = f"failed: {drawn.error}" if drawn.error else f"{drawn.seconds:.1f} s" if drawn.seconds else "unchanged"
        click.echo(f"{drawn.name.ljust(width)}  {state}")
    return FAILED if any(drawn.error for drawn in found) else 0
