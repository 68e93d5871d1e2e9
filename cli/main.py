"""The group of commands, and what is the same for all: errors, interrupts, exit codes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click
from fastslow_cli.analyze import analyze
from fastslow_cli.batch import batch
from fastslow_cli.boundary import boundary
from fastslow_cli.continuation import continuation
from fastslow_cli.finite_width import finite_width
from fastslow_cli.gallery import gallery
from fastslow_cli.phase_map import phase_map
from fastslow_cli.presets import presets
from fastslow_cli.scaling import scaling
from fastslow_cli.show import show
from fastslow_cli.simulate import simulate
from fastslow_cli.simulate_sgd import sgd as _sgd  # noqa: F401, joins the group
from fastslow_cli.thresholds import thresholds
from fastslow_cli.timescales import timescales
from fastslow_cli.validate import validate

from fastslow import __version__

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fastslow")
def cli() -> None:
    """Bifurcation and continuation analysis of fast-slow dynamical systems.

    \b
    fastslow analyze fig4                                       a setting of the paper
    fastslow analyze --c 1,1,1 --c-star 1,-1,1 --a0 3,5         your own network
    fastslow analyze --activation tanh --link "he1 + he3"       the same by functions
    fastslow analyze model.toml -o out                          a model file; pictures, JSON, graph
    """


cli.add_command(analyze)
cli.add_command(batch)
cli.add_command(boundary)
cli.add_command(continuation)
cli.add_command(gallery)
cli.add_command(finite_width)
cli.add_command(phase_map)
cli.add_command(presets)
cli.add_command(scaling)
cli.add_command(show)
cli.add_command(simulate)
cli.add_command(thresholds)
cli.add_command(timescales)
cli.add_command(validate)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # A command is short, and imports make many objects but no garbage: looking for it takes a tenth of the time.
    gc.disable()
    try:
        code = cli.main(args=arguments, prog_name="fastslow", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (head, a pager) has what it wanted.
        sys.stderr.close()
        code = DONE
    except OSError as error:
        click.echo(f"Error: the output cannot be written ({error.strerror or error}).", err=True)
        code = BAD_INPUT
    sys.exit(code if isinstance(code, int) else DONE)
