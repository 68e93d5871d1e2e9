"""fastslow validate: every level of one network side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar, training_options

if TYPE_CHECKING:
    from fastslow.levels.validate import Validation

NOT_EXPLAINED = 3


@click.command(short_help="Theorem, singular limit, ODE, finite width and SGD side by side.")
@model_arguments
@training_options(replicas=16)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def validate(
    model: ModelArguments,
    a0: str,
    n: int,
    d: int,
    m: int,
    gamma: str,
    steps: int,
    replicas: int,
    seed: int,
    exact_activation: bool,
    as_json: bool,
    output: Path | None,
) -> int:
    """Say which levels of description agree on a network, MODEL or that of --c and --c-star, and why others do not.

    Theorem, singular limit and ODE are those of infinite width. Finite width is the system of (R, Q, a) with
    self-interaction and batch noise, finite steps the same with SGD's step length. z is the distance of the mean of
    the Gram SGD ensemble from a level in standard errors, where it is largest, up to the time "until". SGD on the
    weights is run as far as little time allows. The window says until when two variables speak for the network.
    With -o the directory gets validation.json and validation.png.

    \b
    JSON: {"schema": "fastslow.validation/1", "levels": [{"level", "verdict", "z", "critical", "deviation", "until",
           "consistent", "note"}], "window": {"tau", "limited_by", "times", "max_transverse_growth", "horizon"},
           "agree", "explained", "explanation", "prediction": {"verdict", "singular", "R", "Q", "a", "equilibria",
           "certified"}, "courses", "options", "model"}
    Exit codes: 0 done; 2 bad input; 3 a difference has no computed cause; 130 interrupted.
    """
    from fastslow.systems.exact import exact

    system = model.study().system
    scale, rate = exact(a0, "--a0"), float(exact(gamma, "--gamma"))
    if output is not None:
        check_writable(output)
    from fastslow.levels.validate import validate as run

    with progress_bar("SGD") as progress:
        found = run(
            system, scale, n=n, d=d, m=m, gamma=rate, steps=steps, replicas=replicas, seed=seed,
            exact_activation=exact_activation, progress=progress,
        )  # fmt: skip
    text = json.dumps(found.document(), allow_nan=False)
    if output is not None:
        from fastslow.files import write_whole
        from fastslow.plot.levels import levels_png

        write_whole(output / "validation.json", text + "\n")
        write_whole(output / "validation.png", levels_png(found))
        click.echo(f"Wrote validation.json and validation.png to {output}", err=True)
    click.echo(text if as_json else _table(found))
    return 0 if found.explained else NOT_EXPLAINED


def _table(found: Validation) -> str:
    """Return the levels, the window and the explanation."""
    import math
    import textwrap

    rows = [("level", "verdict", "z", "critical", "deviation", "until τ", "")]
    for level in found.levels:
        numbers = [level.z, level.critical, None if level.deviation is None else 100.0 * level.deviation, level.until]
        texts = ["" if v is None else form.format(v) for v, form in zip(numbers, _FORMS, strict=True)]
        rows.append((level.level, level.verdict or "-", *texts, level.note))
    widths = [max(len(row[k]) for row in rows) for k in range(6)]
    lines = [
        "  ".join(
            text.rjust(w) if 2 <= k < 6 else text.ljust(w)
            for k, (text, w) in enumerate(zip(row, [*widths, 0], strict=True))
        )
        for row in rows
    ]
    times = ", ".join(
        f"{name} {f'τ = {time:.4g}' if math.isfinite(time) else 'never'}" for name, time in found.window.times.items()
    )
    until = (
        f"Followed until τ = {found.window.horizon:g}: {times}; largest ∫μ⊥ {found.window.max_transverse_growth:.4g}."
    )
    body = textwrap.fill(found.explanation, 110)
    return "\n".join([*(line.rstrip() for line in lines), "", *textwrap.wrap(until, 110), "", body])


_FORMS = ("{:.1f}", "{:.1f}", "{:.2g} %", "{:.4g}")
