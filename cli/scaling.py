"""fastslow scaling: the law of a tail to infinity, predicted and fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, quick_while_cold

if TYPE_CHECKING:
    from fastslow.scales.scaling import Scaling
    from fastslow.scales.tail_fit import Estimate
    from fastslow.systems.model_files import Study
    from fastslow.systems.system import Start

NOT_CERTAIN = 3
_FEW_STARTS = 4
_LINES = 7
"""Lines of the table of local slopes."""


@click.command(short_help="Scaling laws of tails to infinity, predicted and fitted.")
@model_arguments
@click.option("--a0", metavar="LIST", help="Starts on the line of starts: initial scales of the second layer.")
@click.option("--start", "starts", metavar="X,Y", multiple=True, help="A start anywhere; may be repeated.")
@click.option("--tau", type=float, metavar="NUMBER", default=1e12, show_default=True, help="The last time, from 1e4.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the text.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write result and picture.")
def scaling(
    model: ModelArguments, a0: str | None, starts: tuple[str, ...], tau: float, as_json: bool, output: Path | None
) -> int:
    """Tell how solutions of MODEL, or of the network of --c and --c-star, go to infinity.

    The exponent and prefactor of a ~ prefactor τ^exponent are predicted from the exact polynomials (Theorem 3, its
    tie, and other systems) and fitted to the solution of the full system; limits are those of R a and the test
    loss. A start that learns has no tail: then "fitted" is null, and the verdict says why.

    \b
    JSON, schema fastslow.scaling/1:
      model      what a model file would say
      predicted  exponent, prefactor, case ("i", "ii", "tie", "higher order",
                 "general"), exact_exponent, growth ("power", "exponential",
                 "finite time"), the same for the fast variable; or null
      fitted     exponent, error, prefactor, prefactor_error; or null
      limits     Ra, Ra_error, Ra_predicted, loss, loss_error, loss_predicted
      slopes     tau, and the local slopes of log|a| and log|R| there
      a0, start, tau, fate, status, verdict, agrees
    For several starts these are the entries of a list, "tails".

    With -o the directory gets scaling.json and, where there is a tail, tails.png.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but a predicted power of time is not confirmed within
    the error of the fit, or not fitted, as the verdict says; 130 interrupted.
    """
    study = model.study()
    chosen = _starts(study, a0, starts)
    if output is not None:
        check_writable(output)
    if len(chosen) <= _FEW_STARTS:
        quick_while_cold()
    from fastslow.scales.scaling import scaling as run

    found = [run(study.system, start, tau) for start in chosen]
    tails = [one.document() for one in found]
    document = {
        "schema": "fastslow.scaling/1",
        "model": study.system.table(),
        **(tails[0] if len(tails) == 1 else {"tails": tails}),
    }
    text = json.dumps(document, allow_nan=False)
    if output is not None:
        _write(found, text, output)
    click.echo(text if as_json else "\n\n".join(_words(one) for one in found))
    return 0 if all(one.agrees for one in found) else NOT_CERTAIN


def _starts(study: Study, a0: str | None, starts: tuple[str, ...]) -> tuple[Start, ...]:
    from fastslow.errors import MISSING, InputError
    from fastslow.systems.exact import exact_list
    from fastslow.systems.model_files import plane_starts, slow_starts

    own = () if a0 is None else slow_starts(study.system, a0, "--a0")
    own += plane_starts(study.system, [exact_list(text, "--start") for text in starts])
    chosen = study.starts if a0 is None and not starts else own
    if not chosen:
        raise InputError("--a0", MISSING, "is missing", "Give a start: --a0 5, or --start 0,5")
    return chosen


def _words(found: Scaling) -> str:
    """Return a result as text: the verdict, prediction beside fit, local slopes."""
    x, y = found.system.fast[0], found.system.slow[0]
    lines = [f"{found.origin}. {found.verdict}"]
    law, fit = found.predicted, found.fitted
    if law is None or law.exponent is None:
        return lines[0]
    pole = x if law.pole == 0 else f"({x} - {law.pole:.6g})"
    product = f"{pole} {y}" if law.order == 1 else f"|{pole}|^({law.order}) {y}"
    exponent = f"{law.exponent} = {float(law.exponent):.9g}" if law.exponent.denominator > 1 else str(law.exponent)
    rows = [
        ("", "predicted", "fitted"),
        (f"exponent of {y}", exponent, "-" if fit is None else _pair(fit.exponent, fit.error)),
        ("prefactor", f"{law.prefactor:.9g}", "-" if fit is None else _pair(fit.prefactor, fit.prefactor_error)),
    ]
    if law.order is not None:
        rows.append((f"limit of {product}", _number(law.limit), _estimate(found.product)))
    if found.energy is not None or found.energy_predicted is not None:
        name = f"limit of the {found.system.energy_name}"
        rows.append((name, _number(found.energy_predicted), _estimate(found.energy)))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    lines += ["", *(f"  {a.ljust(widths[0])}   {b.ljust(widths[1])}   {c}".rstrip() for a, b, c in rows)]
    return "\n".join([*lines, *_slopes(found)])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.9g}"


def _estimate(found: Estimate | None) -> str:
    return "-" if found is None else _pair(found.value, found.error)


def _pair(value: float, error: float) -> str:
    return f"{value:.10g} ± {error:.1g}"


def _slopes(found: Scaling) -> list[str]:
    if not len(found.t):
        return []
    x, y, law = found.system.fast[0], found.system.slow[0], found.predicted
    assert law is not None  # there is no solution without it
    columns = [(f"|{y}|", found.slope_y)]
    if len(found.slope_x):
        columns.append((f"|{x}|" if law.pole == 0 else f"|{x} - {law.pole:.4g}|", found.slope_x))
    lines = ["", "   ".join([f"  {'τ':>8}", *(f"d log{name} / d log τ".rjust(20) for name, _ in columns)])]
    chosen = sorted({round(k * (len(found.t) - 1) / (_LINES - 1)) for k in range(_LINES)})
    rows = ([f"  {found.t[i]:8.2g}", *(f"{slopes[i]:20.9f}" for _, slopes in columns)] for i in chosen)
    return [*lines, *map("   ".join, rows)]


def _write(found: list[Scaling], text: str, directory: Path) -> None:
    from fastslow.plot.tails import tails_png
    from fastslow.records import write_whole

    write_whole(directory / "scaling.json", text + "\n")
    drawn: list[Any] = [one for one in found if len(one.t)]
    if drawn:
        write_whole(directory / "tails.png", tails_png(drawn))
    what = "scaling.json and tails.png" if drawn else "scaling.json (no tail to draw)"
    click.echo(f"Wrote {what} to {directory}", err=True)
