"""fastslow presets: the settings that `analyze` knows by name."""

from __future__ import annotations

import click


@click.command(short_help="List the settings that analyze knows by name.")
def presets() -> None:
    """List the presets: every setting of the paper's figures, and classical systems."""
    from fastslow.systems.presets import PRESETS

    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        click.echo(f"{name.ljust(width)}  {preset.title}")
