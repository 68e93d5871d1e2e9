"""fastslow timescales: is there a fast and a slow variable, along solutions and on the way to infinity?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments

if TYPE_CHECKING:
    from fastslow.flow.branch_scales import PoleScales
    from fastslow.flow.singular_course import SingularCourse
    from fastslow.scales.convergence import Order
    from fastslow.scales.entry_exit import Passage
    from fastslow.scales.timescales import TimeScales
    from fastslow.systems.model_files import Study
    from fastslow.systems.system import Start

NOT_CERTAIN = 3
SCHEMA = "fastslow.timescales/1"
_CERTAIN = 1e-6
"""Relative error of the averages up to which they are called certain."""


@click.command(short_help="Time scales along solutions and branches; delayed loss of stability.")
@model_arguments
@click.option("--a0", metavar="LIST", help="Starts on the line of starts: initial scales of the second layer.")
@click.option("--start", "starts", metavar="X,Y", multiple=True, help="A start anywhere; may be repeated.")
@click.option("--tau", metavar="NUMBER", help="Time to average over; until the fate is known unless given.")
@click.option("--orders", "measured", is_flag=True, help="Measure the orders in the slow rate, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the text.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write results and pictures.")
def timescales(
    model: ModelArguments,
    a0: str | None,
    starts: tuple[str, ...],
    tau: str | None,
    measured: bool,
    as_json: bool,
    output: Path | None,
) -> int:
    """Time scales of MODEL, a preset such as fig4 or a TOML file, or of the network of --c and --c-star.

    For each start: the averages Λ_f and Λ_s of the moduli of the eigenvalues of the Jacobian, ε = Λ_s/Λ_f, the
    average |v_f · e| of the fast eigenvector with the axis of the fast variable, and where they are worst. For each
    branch to infinity: the power of |λ_s/λ_f| in the distance to the pole, predicted and measured. Where a solution
    passes along an invariant line that begins to repel: where it comes and goes, seen and predicted. With --orders:
    how fast solutions tend to the singular limit as the slow rate goes to 0, from 1 to 1e-7 whatever that of MODEL,
    on each arc and at each fold that the singular orbit passes.

    With -o the directory gets timescales.json and two pictures for each start, time-courses-N.png and
    timescales-N.png.

    \b
    JSON, schema fastslow.timescales/1:
      model      what a model file would say
      runs       start, tau (averaged over), mean_fast, mean_slow, epsilon,
                 mean_alignment, error (relative, of the averages), holds,
                 complex_pair, verdict, stopped, closest and least_aligned
                 (where), passages: line, crossing, distance, entry and exit
                 seen (tau, slow variable), predicted exit, error, singular
                 (entry, exit of the singular limit); orders, with --orders:
                 place (arc or fold), kind ("critical manifold", "slow manifold",
                 "fold"), at, predicted (exponent, prefactor), fitted (these and
                 their errors; null), agrees, slow_rates, distances, slopes
      branches   arc, node, pole, end, predicted and measured exponent,
                 coefficient, fast_exponent, fast_coefficient (re, im), decay
                 (p of d ~ tau^(-1/p)), distances, ratios, slopes, note

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but a run ended early, its averages
    are not certain, or a measured power is not the predicted one; 130 interrupted.
    """
    study = model.study()
    if output is not None:
        check_writable(output)
    from fastslow.flow.branch_scales import poles_of
    from fastslow.manifold.critical_manifold import critical_manifold

    chosen = _starts(study, a0, starts)
    manifold = critical_manifold(study.system)
    poles = poles_of(manifold)
    runs = [_run(manifold, start, tau, measured) for start in chosen]
    document = {
        "schema": SCHEMA,
        "model": study.system.table(),
        "runs": [run.document() for run in runs],
        "branches": [pole.document() for pole in poles],
    }
    if output is not None:
        _write(output, document, manifold, poles, [run.scales for run in runs])
    click.echo(_text(document) if as_json else _words(study, runs, poles))
    certain = all(run.certain for run in runs) and all(pole.agrees for pole in poles)
    return 0 if certain else NOT_CERTAIN


class _Run(NamedTuple):
    """What is found for a start; the orders are None where they were not asked for."""

    scales: TimeScales
    passages: tuple[Passage, ...]
    orders: tuple[Order, ...] | None

    @property
    def certain(self) -> bool:
        known = not self.scales.stopped and self.scales.error <= _CERTAIN
        return known and all(order.agrees for order in self.orders or ())

    def document(self) -> dict[str, Any]:
        found = {**self.scales.document(), "passages": [passage.document() for passage in self.passages]}
        return found if self.orders is None else {**found, "orders": [order.document() for order in self.orders]}


def _starts(study: Study, a0: str | None, starts: tuple[str, ...]) -> tuple[Start, ...]:
    from fastslow.systems.exact import exact_list
    from fastslow.systems.model_files import plane_starts, slow_starts

    if a0 is None and not starts:
        return study.starts
    own = () if a0 is None else slow_starts(study.system, a0)
    return own + plane_starts(study.system, [exact_list(text, "--start") for text in starts])


def _run(manifold: Any, start: Start, tau: str | None, measured: bool) -> _Run:
    from fastslow.ode.trajectories import Settling
    from fastslow.scales.entry_exit import entry_exit
    from fastslow.scales.timescales import time_scales

    system = manifold.system
    time: str | float = tau if tau is not None else Settling(manifold).run(start).final_time
    if not time:  # the fate is known at the start
        time = 1.0 / float(system.slow_rate)
    scales = time_scales(system, start, time)
    beside = system.chart_of(start.fast) is not None
    passages = entry_exit(manifold, start, tau) if beside else ()
    if not measured:
        return _Run(scales, passages, None)
    from fastslow.scales.convergence import orders

    return _Run(scales, passages, orders(manifold, start))


def _text(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, allow_nan=False)


def _words(study: Study, runs: list[_Run], poles: tuple[PoleScales, ...]) -> str:
    x, y = study.system.fast[0], study.system.slow[0]
    lines: list[str] = []
    for scales, passages, orders in runs:
        lines.append(f"start ({x}, {y}) = ({float(scales.start.fast):.6g}, {float(scales.start.slow):.6g})")
        lines += [f"  {part}" for part in f"{scales.verdict}.".split("; ")]
        lines.append(f"  Λ_f = {scales.mean_fast:.9g}, Λ_s = {scales.mean_slow:.9g}, relative error {scales.error:.1g}")
        lines += [f"  {_passage(passage, x, y)}" for passage in passages]
        lines += [] if orders is None else _order_lines(orders, x, y)
    for pole in poles:
        lines.append(f"branch {pole.arc.id} to {pole.node.id} ({x}, {y}) = ({pole.node.x:.6g}, {pole.node.y:+g})")
        lines.append(f"  {_pole(pole, x)}")
    return "\n".join(lines) if lines else "No start, and no branch that leaves to infinity."


def _passage(passage: Passage, x: str, y: str) -> str:
    gone = (
        "had not gone" if passage.exit is None else f"goes at {y} = {passage.exit[1]:.9g} (τ = {passage.exit[0]:.6g})"
    )
    come = f"comes at {y} = {passage.entry[1]:.9g} (τ = {passage.entry[0]:.6g})"
    expected = "never goes" if passage.predicted is None else f"goes at {passage.predicted:.9g}"
    limit = "" if passage.singular is None else ", singular limit {:.9g} to {:.9g}".format(*passage.singular)
    return (
        f"delayed loss of stability along {x} = {passage.line:g} past {passage.crossing.id} at {y} = "
        f"{passage.crossing.y:.9g}: {come}, {gone}; predicted: {expected}{limit}"
    )


def _order_lines(orders: tuple[Order, ...], x: str, y: str) -> list[str]:
    if not orders:
        return ["  orders in the slow rate: the singular orbit passes no fold, and no arc off invariant lines"]
    rows = [("", f"at ({x}, {y})", "distance", "power", "measured", "prefactor", "measured")]
    for order in orders:
        name = f"{y} beyond the fold" if order.kind == "fold" else f"{x} to the {order.kind}"
        at = f"({order.at[0]:.4g}, {order.at[1]:.4g})"
        fit, measured = order.fitted, ("not resolved", "not resolved")
        if fit is not None:
            measured = f"{fit.exponent:.7g} ± {fit.error:.1g}", f"{fit.prefactor:.7g} ± {fit.prefactor_error:.1g}"
        power, factor = measured
        rows.append((order.place, at, name, str(order.predicted), power, f"{order.constant:.7g}", factor))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return ["  orders in the slow rate, the slow manifold to first order in it:", *(f"    {line}" for line in table)]


def _pole(pole: PoleScales, x: str) -> str:
    if pole.exponent is None:
        return pole.note
    d = f"|{x}|" if pole.node.x == 0 else f"|{x} - {pole.node.x:.6g}|"
    decay = "" if not pole.decay or not pole.exponent else f", falls like τ^(-{pole.exponent / pole.decay})"
    note = f" ({pole.note})" if pole.note else ""
    predicted = f"|λ_s/λ_f| ~ {pole.coefficient:.6g} {d}^{pole.exponent} predicted"
    return f"{predicted}, power {pole.measured:.6g} measured{decay}{note}"


def _write(
    directory: Path, document: dict[str, Any], manifold: Any, poles: tuple[PoleScales, ...], runs: list[TimeScales]
) -> None:
    from fastslow.flow.singular_course import singular_course
    from fastslow.plot.time_courses import png_of, time_courses_figure
    from fastslow.plot.timescales import time_scales_figure
    from fastslow.records import write_whole

    write_whole(directory / "timescales.json", _text(document) + "\n")
    for number, scales in enumerate(runs, start=1):
        course: SingularCourse = singular_course(manifold, scales.start, scales.duration)
        for name, figure in (
            ("time-courses", time_courses_figure(scales, course)),
            ("timescales", time_scales_figure(scales, poles, course)),
        ):
            write_whole(directory / f"{name}-{number}.png", png_of(figure, scales.system))
    click.echo(f"Wrote timescales.json and {2 * len(runs)} pictures to {directory}", err=True)
