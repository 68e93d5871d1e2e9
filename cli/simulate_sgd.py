"""fastslow simulate sgd: networks of finite width, trained."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar, training_options
from fastslow_cli.simulate import NOT_DONE, simulate

if TYPE_CHECKING:
    from fastslow.sgd.simulation import SGDRun
    from fastslow.systems.system import FastSlowSystem

_MOST_LINES, INTERRUPTED = 24, 130


@simulate.command()
@model_arguments
@training_options(replicas=1)
@click.option("--method", metavar="NAME", default="gram", show_default=True, help="gram, exact in law, or direct.")
@click.option("--dtype", metavar="NAME", default="float64", show_default=True, help="float64 or float32.")
@click.option("--every", metavar="N", type=int, help="Steps between records; about 200 records unless given.")
@click.option("--threads", metavar="N", type=int, default=1, show_default=True, help="Threads of matrix products.")
@click.option("--backend", metavar="NAME", default="numpy", show_default=True, help="For direct: numpy or torch.")
@click.option("--device", metavar="NAME", default="cpu", show_default=True, help="For torch: cpu or cuda.")
@click.option("--workers", metavar="N", type=int, default=0, show_default=True, help="Processes; 0 for this one.")
@click.option("--scheduler", metavar="ADDRESS", help="Train on a dask cluster: tcp://host:port.")
@click.option(
    "--checkpoint",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Save the state every minute: a file, with workers a directory.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def sgd(
    model: ModelArguments,
    a0: str,
    n: int,
    d: int,
    m: int,
    gamma: str,
    steps: int,
    seed: int,
    replicas: int,
    method: str,
    dtype: str,
    every: int | None,
    threads: int,
    backend: str,
    device: str,
    exact_activation: bool,
    workers: int,
    scheduler: str | None,
    checkpoint: Path | None,
    resume: bool,
    as_json: bool,
    output: Path | None,
) -> int:
    """Train networks of finite width, MODEL or that of --c and --c-star, by online SGD on a teacher.

    Each step draws a fresh batch; the first layer makes a step gamma d and is normalised, the second a step gamma.
    Recorded are mean and standard deviation over neurons of the alignments R_i, the overlaps Q_ij and the second
    layer a_i, the loss of the batch and the exact test loss. The method gram trains the Gram matrix of the
    weights, in law the same as the weights themselves, at a cost that does not depend on d.

    A step takes 4 n m^2 + O(m^3) operations by the method gram and 4 n d m by direct; memory for 12 (m+1)^2 doubles
    and two blocks of 1024 samples, or for two copies of the d x (m+1) weights and a block of 64 MiB. With --workers
    replicas train at once; results do not depend on how many do, nor on interruptions.

    With -o the directory gets sgd.json and sgd.png, the replicas over the solution of the two-variable system.

    \b
    JSON: {"schema": "fastslow.sgd/1", "step": [...], "tau": [...], "R_mean": [one list a replica], "R_std": ...,
           "Q_mean", "Q_std", "a_mean", "a_std", "train_loss", "test_loss", "ended", "status", ...}
    Exit codes: 0 done; 2 bad input; 3 a replica diverged or failed, as its sentence says; 130 interrupted.
    """
    from fastslow.systems.exact import exact

    system = model.study().system
    scale, rate = float(exact(a0, "--a0")), float(exact(gamma, "--gamma"))
    if output is not None:
        check_writable(output)
    from fastslow.sgd.simulation import simulate_sgd

    options: dict[str, Any] = {
        **{"n": n, "d": d, "m": m, "gamma": rate, "steps": steps, "seed": seed, "replicas": replicas},
        **{"method": method, "dtype": dtype, "every": every, "threads": threads, "backend": backend, "device": device},
        **{"exact_activation": exact_activation, "checkpoint": checkpoint, "resume": resume},
    }
    if workers or scheduler is not None or (checkpoint is not None and checkpoint.is_dir()):
        ensemble: SGDRun | None = _ensemble(system, scale, {**options, "workers": workers, "scheduler": scheduler})
        if ensemble is None:
            return INTERRUPTED
        run = ensemble
    else:
        with progress_bar("Steps") as progress:
            run = simulate_sgd(system, scale, **options, progress=progress)
    text = json.dumps(run.document(), allow_nan=False)
    if output is not None:
        from fastslow.files import write_whole
        from fastslow.plot.sgd import sgd_png

        write_whole(output / "sgd.json", text + "\n")
        write_whole(output / "sgd.png", sgd_png(run))
        click.echo(f"Wrote sgd.json and sgd.png to {output}", err=True)
    click.echo(text if as_json else _table(run))
    return 0 if run.done else NOT_DONE


def _ensemble(system: FastSlowSystem, a0: float, options: dict[str, Any]) -> SGDRun | None:
    """Train replicas at once; None where that was interrupted, and how to go on."""
    from fastslow.errors import SweepInterrupted
    from fastslow.sweeps.replicas import sgd_ensemble

    try:
        with progress_bar("Replicas") as progress:
            return sgd_ensemble(system, a0, **options, progress=progress)
    except SweepInterrupted as interrupted:
        click.echo(f"Interrupted: {interrupted.done} of {interrupted.total} replicas are done.", err=True)
        if options["checkpoint"] is not None:
            again = [word for word in sys.argv[1:] if word != "--resume"]
            click.echo(f"To go on: {shlex.join(['fastslow', *again, '--resume'])}", err=True)
        return None


def _table(run: SGDRun) -> str:
    """Return the mean over replicas of what was recorded, at some of the times, and how the replicas ended."""
    import numpy as np

    options = run.options
    count = options["replicas"]
    lines = [
        f"{count} network{'s' if count > 1 else ''}, width {options['m']}, dimension {options['d']}, batch "
        f"{options['n']}, gamma {options['gamma']:g}, a0 {options['a0']:g}, method {options['method']}"
    ]
    lost = [p for p in range(count) if run.ended[p] < options["steps"]]
    lines += [f"Replica {p}: {run.sentences[p]}" for p in lost[:5]]
    if len(lost) > 5:
        lines.append(f"{len(lost)} of {count} replicas did not make all steps.")
    lines += ["", "step".rjust(10) + "tau".rjust(12) + "".join(name.rjust(15) for name in ("R", "a", "test loss"))]
    shown = min(len(run.step), _MOST_LINES)
    for k in [round(i * (len(run.step) - 1) / max(shown - 1, 1)) for i in range(shown)]:
        values = [run.course(name)[:, k] for name in ("R_mean", "a_mean", "test_loss")]
        means = [float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for v in values]
        lines.append(f"{run.step[k]:10d}{run.tau[k]:12.6g}" + "".join(f"{value:15.8g}" for value in means))
    rest = "means over neurons" + (" and replicas" if count > 1 else "")
    return "\n".join([*lines, "", f"R and a are {rest}; --json prints all."])
