"""What several commands share: the arguments that name a model, and checks before the work begins."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fastslow.files import check_writable as check_writable

if TYPE_CHECKING:
    from fastslow.systems.model_files import Study
    from fastslow.systems.system import FastSlowSystem

_OPTIONS = (
    click.argument("model", required=False),
    click.option("--c", "c", metavar="LIST", help="Hermite coefficients c_1,c_2,... of the activation."),
    click.option("--c-star", "c_star", metavar="LIST", help="Those c*_1,c*_2,... of the teacher's link."),
    click.option(
        "--activation", metavar="FORMULA", help="In place of --c: relu, gelu, 'tanh(2*x) + x/10', 'he1 + he2'."
    ),
    click.option("--link", metavar="FORMULA", help="In place of --c-star: the same for the teacher's link."),
    click.option("--order", metavar="K", help="Last Hermite coefficient of an activation or link; 15 if left out."),
    click.option("--slow-rate", metavar="NUMBER", help="Factor of the slow equation; the singular limit is 0."),
    click.option("--noise", metavar="NUMBER", help="Standard deviation of the label noise."),
    click.option("--normalised", is_flag=True, help="The coefficients are b_k = c_k sqrt(k!), for many of them."),
)

_MANY_PARTS = 20


@dataclass(frozen=True)
class ModelArguments:
    """The arguments that name a model: MODEL, or --c or --activation and --c-star or --link, and what changes it."""

    model: str | None
    c: str | None
    c_star: str | None
    activation: str | None
    link: str | None
    order: str | None
    slow_rate: str | None
    noise: str | None
    normalised: bool

    def study(self) -> Study:
        """Return the study that they stand for: a preset or file, changed by the options that are given."""
        from fastslow.errors import MISSING, InputError
        from fastslow.systems.model_files import Study, study_from
        from fastslow.systems.presets import study_of

        changes: dict[str, Any] = {"slow_rate": self.slow_rate, "noise": self.noise}
        changes = {key: value for key, value in changes.items() if value is not None}
        given = {key: getattr(self, key) for key in ("c", "c_star", "activation", "link", "order")}
        network = {key: value for key, value in given.items() if value is not None}
        if self.model is None:
            pairs = (("--c", self.c, "--activation", self.activation), ("--c-star", self.c_star, "--link", self.link))
            missing = [f"{one} (or {other})" for one, c, other, text in pairs if c is None and text is None]
            if missing:
                command = click.get_current_context().command_path
                rule = f"is missing, and so is {' and '.join(missing)}"
                raise InputError("MODEL", MISSING, rule, f"For example: {command} fig4")
            return study_from({"model": "two_layer", **network, "normalised": self.normalised, **changes})
        if network or self.normalised:
            options = ", ".join(f"--{key.replace('_', '-')}" for key in [*network, *["normalised"] * self.normalised])
            raise InputError("MODEL", self.model, f"cannot be combined with {options}", "Leave one of them out")
        study = study_of(self.model)
        if not changes:
            return study
        return Study(study_from({**study.system.table(), **changes}).system, study.starts)


def show_notes(system: FastSlowSystem) -> None:
    """Say what is to be known of a system, beside the output of a command that has no place for it."""
    for note in system.notes:
        click.echo(f"Note: {note}", err=True)


def usage_errors(command: Callable[..., int]) -> Callable[..., int]:
    """Turn what fastslow refuses on purpose into a usage error, which has exit code 2."""

    @functools.wraps(command)
    def with_errors(*arguments: Any, **options: Any) -> int:
        from fastslow.errors import FastSlowError

        try:
            return command(*arguments, **options)
        except FastSlowError as error:
            raise click.UsageError(str(error), click.get_current_context()) from None

    return with_errors


def model_arguments(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the arguments that name a model, as one `ModelArguments`, and bad input exit code 2.

    The command gets them as its first argument, and the others by name.
    """

    @usage_errors
    @functools.wraps(command)
    def with_model(**arguments: Any) -> int:
        names = ModelArguments.__dataclass_fields__
        named = ModelArguments(**{name: arguments.pop(name) for name in names})
        return command(named, **arguments)

    for option in reversed(_OPTIONS):
        with_model = option(with_model)
    return with_model


def training_options(replicas: int) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return what gives a command the options of networks trained by SGD, so many of them unless asked for."""
    options = (
        click.option("--a0", metavar="NUMBER", required=True, help="The scale of the second layer at the start."),
        click.option("--n", metavar="N", type=int, required=True, help="Batch size."),
        click.option("--d", metavar="N", type=int, required=True, help="Dimension of the input."),
        click.option("--m", metavar="N", type=int, required=True, help="Width of the network."),
        click.option("--gamma", metavar="NUMBER", default="1", show_default=True, help="Learning rate."),
        click.option("--steps", metavar="N", type=int, required=True, help="Steps; tau = gamma steps / m."),
        click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Seed of the random numbers."),
        click.option(
            "--replicas", metavar="N", type=int, default=replicas, show_default=True, help="Number of networks."
        ),
        click.option(
            "--exact-activation", is_flag=True, help="Train with the formula of --activation, not its series."
        ),
    )
    return lambda command: functools.reduce(lambda inner, option: option(inner), reversed(options), command)


def quick_while_cold() -> None:
    """Run the kernels uncompiled if they are not compiled yet; for work that is less than compiling."""
    from fastslow.core import run_interpreted_while_cold

    if run_interpreted_while_cold() and sys.stderr.isatty():
        click.echo("First run: the kernels run uncompiled, and are compiled in the background.", err=True)


@contextmanager
def progress_bar(label: str, parts: int | None = None) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function progress(done, total) that draws a bar on standard error, None where that is no terminal.

    Nothing is drawn for fewer than _MANY_PARTS parts, where their number is known.
    """
    if not sys.stderr.isatty() or (parts is not None and parts < _MANY_PARTS):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
