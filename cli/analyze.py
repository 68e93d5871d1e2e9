"""fastslow analyze: critical manifold, special points, orbits, verdicts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fastslow.analysis import Analysis
    from fastslow.systems.presets import Study

NOT_CERTAIN = 3
_FEW_STARTS = 20
"""So many trajectories are followed uncompiled sooner than the kernels are compiled."""


@click.command(short_help="Critical manifold, special points, singular orbits and verdicts.")
@click.argument("model", required=False)
@click.option("--c", "c", metavar="LIST", help="Hermite coefficients c_1,c_2,... of the activation.")
@click.option("--c-star", "c_star", metavar="LIST", help="Hermite coefficients c*_1,c*_2,... of the teacher's link.")
@click.option("--a0", metavar="LIST", help="Starts on the line of starts: initial scales of the second layer.")
@click.option("--start", "starts", metavar="X,Y", multiple=True, help="A start anywhere; may be repeated.")
@click.option("--slow-rate", metavar="NUMBER", help="Factor of the slow equation; the singular limit is 0.")
@click.option("--noise", metavar="NUMBER", help="Standard deviation of the label noise.")
@click.option("--normalised", is_flag=True, help="The coefficients are b_k = c_k sqrt(k!), for many of them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def analyze(
    model: str | None,
    c: str | None,
    c_star: str | None,
    a0: str | None,
    starts: tuple[str, ...],
    slow_rate: str | None,
    noise: str | None,
    normalised: bool,
    as_json: bool,
    output: Path | None,
) -> int:
    """Analyse MODEL, a preset such as fig4 (see `fastslow presets`) or a TOML file, or the network of --c and --c-star.

    Numbers are kept exactly: 0.1 is 1/10, and -99/64 may be written so. With -o the directory gets
    analysis.json, summary.txt, portrait.png and graph.graphml.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but not certified, or levels disagree without explanation;
    130 interrupted.
    """
    from fastslow.errors import FastSlowError

    try:
        study = _study(model, c, c_star, slow_rate, noise, normalised)
        if output is not None:
            _check_writable(output)
        analysis = _run(study, a0, starts)
    except FastSlowError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
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


def _study(
    model: str | None, c: str | None, c_star: str | None, slow_rate: str | None, noise: str | None, normalised: bool
) -> Study:
    """Return the study that the arguments stand for: a preset or file, changed by the options that are given."""
    from fastslow.errors import MISSING, InputError
    from fastslow.systems.model_files import study_from, study_of
    from fastslow.systems.presets import Study

    changes: dict[str, Any] = {"slow_rate": slow_rate, "noise": noise}
    changes = {key: value for key, value in changes.items() if value is not None}
    if model is None:
        if c is None or c_star is None:
            missing = " and ".join(name for name, value in (("--c", c), ("--c-star", c_star)) if value is None)
            raise InputError("MODEL", MISSING, f"is missing, and so is {missing}", "For example: fastslow analyze fig4")
        table = {"model": "two_layer", "c": c, "c_star": c_star, "normalised": normalised, **changes}
        return study_from(table)
    if c is not None or c_star is not None or normalised:
        raise InputError(
            "MODEL", model, "cannot be combined with --c, --c-star or --normalised", "Leave one of them out"
        )
    study = study_of(model)
    if not changes:
        return study
    return Study(study_from({**study.system.table(), **changes}).system, study.starts)


def _run(study: Study, a0: str | None, starts: tuple[str, ...]) -> Analysis:
    from fastslow.core import run_interpreted_while_cold
    from fastslow.systems.exact import exact_list

    few = len(study.starts) <= _FEW_STARTS and (a0 or "").count(",") < _FEW_STARTS
    if few and run_interpreted_while_cold() and sys.stderr.isatty():
        click.echo("First run: the kernels run uncompiled, and are compiled in the background.", err=True)
    from fastslow.analysis import analyze as run

    if a0 is None and not starts:
        own = [(start.fast, start.slow) for start in study.starts]
        return run(study.system, starts=own)
    pairs = [exact_list(text, "--start") for text in starts]
    return run(study.system, a0, starts=pairs)  # type: ignore[arg-type]


def _check_writable(directory: Path) -> None:
    """Fail before the work, not after it."""
    import tempfile

    from fastslow.errors import InputError

    if directory.exists() and not directory.is_dir():
        raise InputError("-o", str(directory), "is a file", "Name a directory, or one that can be made")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("-o", str(directory), f"cannot be written ({reason})", "Choose another directory") from None


def _write(analysis: Analysis, directory: Path) -> None:
    from fastslow.plot.portrait import portrait_png
    from fastslow.records import save, save_graph, write_whole

    save(analysis, directory / "analysis.json")
    write_whole(directory / "summary.txt", analysis.summary() + "\n")
    save_graph(analysis, directory / "graph.graphml")
    write_whole(directory / "portrait.png", portrait_png(analysis))
    click.echo(f"Wrote analysis.json, summary.txt, portrait.png and graph.graphml to {directory}", err=True)
