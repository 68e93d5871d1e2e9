"""fastslow show: a saved analysis in words."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Print the summary or the flow graph of a saved analysis.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tree", is_flag=True, help="Print the flow graph as a tree instead.")
def show(file: Path, tree: bool) -> None:
    """Print the summary of FILE, the analysis.json that `fastslow analyze -o` wrote."""
    from fastslow.errors import FastSlowError
    from fastslow.records import load

    try:
        analysis = load(file)
    except FastSlowError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    click.echo(analysis.flow.tree if tree else analysis.summary())
