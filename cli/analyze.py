"""fastslow analyze: critical manifold, special points, orbits, verdicts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar, quick_while_cold

if TYPE_CHECKING:
    from fastslow.analysis import Analysis
    from fastslow.systems.model_files import Study

NOT_CERTAIN = 3
_FEW_STARTS = 20
"""So many trajectories are followed uncompiled sooner than the kernels are compiled."""


@click.command(short_help="Critical manifold, special points, singular orbits and verdicts.")
@model_arguments
@click.option("--a0", metavar="LIST", help="Starts on the line of starts: initial scales of the second layer.")
@click.option("--start", "starts", metavar="X,Y", multiple=True, help="A start anywhere; may be repeated.")
@click.option("--n", metavar="N", type=int, help="Batch size of a network: until when do two variables speak for it?")
@click.option("--d", metavar="N", type=int, help="Its dimension of the input, ...")
@click.option("--m", metavar="N", type=int, help="... its width, ...")
@click.option("--gamma", metavar="NUMBER", help="... and its learning rate; 1 if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def analyze(
    model: ModelArguments,
    a0: str | None,
    starts: tuple[str, ...],
    n: int | None,
    d: int | None,
    m: int | None,
    gamma: str | None,
    as_json: bool,
    output: Path | None,
) -> int:
    """Analyse MODEL, a preset such as fig4 (see `fastslow presets`) or a TOML file, or the network of --c and --c-star.

    Numbers are kept exactly: 0.1 is 1/10, and -99/64 may be written so. With -o the directory gets
    analysis.json, summary.txt, portrait.png and graph.graphml.

    With --n, --d and --m each start is told until when SGD on a network of that size can be compared with the two
    variables, with a warning that names what ends it: permutation symmetry, batch noise, self-interaction or step
    length. In JSON it is the field "window" of an orbit.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but not certified, or levels disagree without explanation;
    130 interrupted.
    """
    study = model.study()
    if output is not None:
        check_writable(output)
    sizes: dict[str, Any] = {"n": n, "d": d, "m": m}
    if gamma is not None:
        from fastslow.systems.exact import exact

        sizes["gamma"] = float(exact(gamma, "--gamma"))
    analysis = _run(study, a0, starts, {name: value for name, value in sizes.items() if value is not None})
    if output is not None:
        _write(analysis, output)
    if as_json:
        from fastslow.records import to_json

        click.echo(to_json(analysis))
    elif sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        from fastslow.summary import print_summary

        print_summary(analysis)
    else:
        click.echo(analysis.summary())
    return 0 if analysis.complete and analysis.explained else NOT_CERTAIN


def _run(study: Study, a0: str | None, starts: tuple[str, ...], sizes: dict[str, Any]) -> Analysis:
    from fastslow.systems.exact import exact_list

    if not sizes and len(study.starts) <= _FEW_STARTS and (a0 or "").count(",") < _FEW_STARTS:
        quick_while_cold()
    from fastslow.analysis import analyze as run

    own = a0 is None and not starts
    pairs = [(start.fast, start.slow) for start in study.starts] if own else [exact_list(t, "--start") for t in starts]
    with progress_bar("Starts", len(pairs) + (a0 or "").count(",")) as progress:
        return run(study.system, a0, starts=pairs, **sizes, progress=progress)  # type: ignore[arg-type]


def _write(analysis: Analysis, directory: Path) -> None:
    from fastslow.plot.portrait import portrait_png
    from fastslow.records import save, save_graph, write_whole

    save(analysis, directory / "analysis.json")
    write_whole(directory / "summary.txt", analysis.summary() + "\n")
    save_graph(analysis, directory / "graph.graphml")
    write_whole(directory / "portrait.png", portrait_png(analysis))
    click.echo(f"Wrote analysis.json, summary.txt, portrait.png and graph.graphml to {directory}", err=True)
