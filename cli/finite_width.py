"""fastslow finite-width: critical manifold, equilibria, thresholds and critical widths of a network of width m."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from fastslow_cli.options import ModelArguments, check_writable, model_arguments, progress_bar

if TYPE_CHECKING:
    from fastslow.sgd.finite_width_equilibria import FiniteWidthEquilibrium
    from fastslow.sgd.finite_width_fates import FiniteWidthFates
    from fastslow.sgd.finite_width_manifold import FiniteWidthManifold
    from fastslow.sgd.finite_width_orbits import FiniteWidthOrbit
    from fastslow.sgd.width_diagram import WidthDiagram

NOT_CERTAIN = 3


@click.command(name="finite-width", short_help="What width and batch noise make of a network: fates predicted.")
@model_arguments
@click.option("--m", "m", metavar="NUMBER", required=True, help="Width of the network, above 1.")
@click.option("--gamma", metavar="NUMBER", default="0", show_default=True, help="Learning rate; 0 is no batch noise.")
@click.option(
    "--delta", metavar="NUMBER", default="1", show_default=True, help="Samples of a batch per dimension, n/d."
)
@click.option("--a0", metavar="LIST", help="Starts: initial scales of the second layer.")
@click.option("--between", metavar="LOW,HIGH", help="The range of |a0| in which thresholds are looked for.")
@click.option("--widths", metavar="LOW,HIGH", help="Follow the equilibria, and the fates of --a0, in the width.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the tables.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write all results into DIR.")
def finite_width(
    model: ModelArguments,
    m: str,
    gamma: str,
    delta: str,
    a0: str | None,
    between: str | None,
    widths: str | None,
    as_json: bool,
    output: Path | None,
) -> int:
    """Predict what becomes of MODEL, or the network of --c and --c-star, at finite width and batch.

    The symmetric network of m neurons is a system in the alignment R, the overlap Q of two neurons (both fast) and the
    scale a (slow). Its critical manifold is traced, its equilibria are isolated by interval arithmetic, and the line
    of starts (R, Q) = (0, 0) is parted by its thresholds. A verdict is what becomes of the equilibrium as width and
    batch grow to infinity: learning, unlearning, or "finite-size state" where there is none then.

    With --widths the equilibria are continued in the width (noise changes with it), and the widths are located at
    which they appear and at which each --a0 changes its fate.

    \b
    JSON: {"schema": "fastslow.finite-width/1", "model", "m", "gamma", "delta",
           "equilibria": [{"id", "R", "Q", "a", "stability", "eigenvalues", "fast_eigenvalues", "certified",
           "radius", "verdict"}], "certified", "points": [{"id", "kind", "R", "Q", "a"}],
           "branches": [{"arcs": [{"id", "fast_stability", "from", "to", "R", "Q", "a"}]}], "unmet",
           "basins": [{"low", "high", "verdict", "equilibrium"}],
           "thresholds": [{"a0", "error", "saddle", "below", "above", "below_at", "above_at"}],
           "orbits": [{"a0", "singular", "verdict", "equilibrium", "segments"}],
           "widths": {"points": [{"kind", "m", "R", "Q", "a"}], "branches": [{"m", "R", "Q", "a", "unstable"}],
           "critical": [{"a0", "m", "error", "below", "above", "cause"}]}}
    An eigenvalue is [real, imaginary]; "widths" only with --widths. With -o the directory gets finite-width.json,
    finite-width.txt and finite-width.png.

    \b
    Exit codes: 0 done; 2 bad input; 3 done, but not all equilibria are certified, or a fate is undecided;
    130 interrupted.
    """
    from fastslow.systems.exact import exact, exact_list

    system = model.study().system
    width, rate, batch = (float(exact(v, f"--{k}")) for k, v in (("m", m), ("gamma", gamma), ("delta", delta)))
    starts = [float(v) for v in exact_list(a0, "--a0")] if a0 is not None else []
    reach, range_ = (_pair(v, k) for v, k in ((between, "--between"), (widths, "--widths")))
    if output is not None:
        check_writable(output)
    from fastslow.sgd.finite_width_fates import finite_width_thresholds
    from fastslow.sgd.finite_width_manifold import finite_width_manifold
    from fastslow.sgd.finite_width_orbits import singular_orbit
    from fastslow.sgd.width_diagram import width_diagram

    manifold = finite_width_manifold(system, width, rate, batch)
    with progress_bar("Starts") as progress:
        fates = finite_width_thresholds(manifold, between=_reach(manifold, reach, starts), progress=progress)
    orbits = [singular_orbit(manifold, a0) for a0 in starts]
    diagram = None
    if range_ is not None:
        with progress_bar("Widths") as progress:
            diagram = width_diagram(system, range_, rate, batch, a0=tuple(starts), progress=progress)
    text = json.dumps(_document(manifold, fates, orbits, diagram), allow_nan=False)
    words = "\n".join(_words(manifold, fates, orbits, diagram))
    if output is not None:
        from fastslow.files import write_whole
        from fastslow.plot.finite_width import finite_width_png

        write_whole(output / "finite-width.json", text + "\n")
        write_whole(output / "finite-width.txt", words + "\n")
        write_whole(output / "finite-width.png", finite_width_png(manifold, fates=fates, starts=starts, widths=diagram))
        click.echo(f"Wrote finite-width.json, finite-width.txt and finite-width.png to {output}", err=True)
    click.echo(text if as_json else words)
    undecided = any(basin.verdict.startswith("undecided") for basin in fates.basins)
    return NOT_CERTAIN if undecided or manifold.unmet or not manifold.certified else 0


def _pair(text: str | None, name: str) -> tuple[float, float] | None:
    from fastslow.errors import InputError
    from fastslow.systems.exact import exact_list

    if text is None:
        return None
    ends = exact_list(text, name)
    if len(ends) != 2:
        raise InputError(name, text, "must be two numbers", "For example 100,10000")
    return float(ends[0]), float(ends[1])


def _reach(
    manifold: FiniteWidthManifold, given: tuple[float, float] | None, starts: Sequence[float]
) -> tuple[float, float] | None:
    """Return the range of |a0|, wide enough for all starts unless it is given."""
    from fastslow.errors import InputError
    from fastslow.sgd.finite_width_fates import default_range

    sizes = [abs(a0) for a0 in starts]
    if 0.0 in sizes:
        raise InputError(
            "--a0", 0, "must not be zero", "On a = 0 nothing moves fast; give a positive or negative scale"
        )
    low, high = given if given is not None else default_range(manifold.network)
    return (low, high) if given is not None else (min([low, *sizes]), max([high, *sizes]))


# JSON ----------------------------------------------------------------------------------------------------------------


def _document(
    manifold: FiniteWidthManifold,
    fates: FiniteWidthFates,
    orbits: Sequence[FiniteWidthOrbit],
    widths: WidthDiagram | None,
) -> dict[str, Any]:
    from dataclasses import asdict

    network = manifold.network
    document: dict[str, Any] = {
        "schema": "fastslow.finite-width/1",
        "model": network.system.table(),
        "m": network.m,
        "gamma": network.gamma,
        "delta": network.delta,
        "equilibria": [_equilibrium(e) for e in manifold.equilibria],
        "certified": manifold.certified,
        "points": [asdict(p) for p in manifold.points],
        "branches": [
            {
                "arcs": [
                    {
                        "id": arc.id, "fast_stability": arc.fast_stability, "from": arc.start, "to": arc.end,
                        **{name: getattr(arc, name).tolist() for name in ("R", "Q", "a")},
                    }
                    for arc in branch
                ]
            }
            for branch in manifold.branches
        ],
        "unmet": list(manifold.unmet),
        "basins": [asdict(b) for b in fates.basins],
        "thresholds": [asdict(t) for t in fates.thresholds],
        "orbits": [_orbit(o, fates) for o in orbits],
    }  # fmt: skip
    if widths is not None:
        document["widths"] = {
            "points": [asdict(p) for p in widths.points],
            "branches": [
                {name: getattr(b, name).tolist() for name in ("m", "R", "Q", "a", "unstable")} for b in widths.branches
            ],
            "critical": [{"a0": a0, **asdict(c)} for a0, found in widths.critical.items() for c in found],
        }
    return document


def _equilibrium(e: FiniteWidthEquilibrium) -> dict[str, Any]:
    from dataclasses import asdict

    plain = asdict(e)
    for name in ("eigenvalues", "fast_eigenvalues"):
        plain[name] = [[v.real, v.imag] for v in getattr(e, name)]
    return plain


def _orbit(orbit: FiniteWidthOrbit, fates: FiniteWidthFates) -> dict[str, Any]:
    basin = _basin(orbit.a0, fates)
    return {
        "a0": orbit.a0,
        "singular": orbit.verdict,
        "verdict": basin[0],
        "equilibrium": basin[1],
        "segments": [{"kind": s.kind, "from": list(s.start), "to": list(s.end), "arc": s.arc} for s in orbit.segments],
    }


def _basin(a0: float, fates: FiniteWidthFates) -> tuple[str, str]:
    from fastslow.errors import InputError

    try:
        basin = fates.predict(a0)
    except InputError:
        return "", ""
    return basin.verdict, basin.equilibrium


# Words ---------------------------------------------------------------------------------------------------------------


def _words(
    manifold: FiniteWidthManifold,
    fates: FiniteWidthFates,
    orbits: Sequence[FiniteWidthOrbit],
    widths: WidthDiagram | None,
) -> Iterator[str]:
    network = manifold.network
    yield f"{network.m:g} neurons, gamma = {network.gamma:g}, n/d = {network.delta:g}"
    yield ""
    if orbits:
        rows = [("a0", "singular limit", "full system", "ends at")]
        for orbit in orbits:
            verdict, at = _basin(orbit.a0, fates)
            rows.append((f"{orbit.a0:g}", orbit.verdict, verdict, at))
        yield from _columns(rows)
        yield ""
    proved = "all proved" if manifold.certified else "not all proved"
    yield f"Equilibria with a != 0 ({proved})"
    rows = [("", "R", "Q", "a", "stability", "with the width it becomes")]
    rows += [
        (
            e.id,
            f"{e.R:.6g}",
            f"{e.Q:.6g}",
            f"{e.a:.6g}",
            e.stability + ("" if e.certified else " (not proved)"),
            e.verdict,
        )
        for e in manifold.equilibria
    ]
    yield from _columns(rows)
    yield ""
    yield "Critical manifold"
    for arc in manifold.arcs:
        yield (
            f"  {arc.id:6} {arc.fast_stability:11} from {arc.start:5} (R, a) = ({arc.R[0]:.4g}, {arc.a[0]:.4g}) "
            f"to {arc.end:5} ({arc.R[-1]:.4g}, {arc.a[-1]:.4g})"
        )
    for p in manifold.points:
        yield f"  {p.id:6} {p.kind:11} (R, Q, a) = ({p.R:.9g}, {p.Q:.9g}, {p.a:.9g})"
    if manifold.unmet:
        yield f"  no traced branch passes {', '.join(manifold.unmet)}"
    yield ""
    yield "Starts (R, Q, a) = (0, 0, a0)"
    for b in fates.basins:
        at = f" ({b.equilibrium})" if b.equilibrium else ""
        yield f"  {b.low:>14.9g} < a0 < {b.high:<14.9g} {b.verdict}{at}"
    for t in fates.thresholds:
        saddle = f", on the stable manifold of {t.saddle}" if t.saddle else ""
        yield f"  threshold a0 = {t.a0:.12g} ± {t.error:.1g}{saddle}: {t.below} below, {t.above} above"
    if widths is not None:
        yield ""
        yield f"Widths from {widths.between[0]:g} to {widths.between[1]:g}"
        for w in widths.points:
            yield f"  {w.kind} at m = {w.m:.9g}, (R, Q, a) = ({w.R:.6g}, {w.Q:.6g}, {w.a:.6g})"
        for a0, found in widths.critical.items():
            for c in found:
                yield f"  a0 = {a0:g}: {c.below} below m = {c.m:.9g} ± {c.error:.1g}, {c.above} above ({c.cause})"
            if not found:
                yield f"  a0 = {a0:g}: one fate at all widths of the scan"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
