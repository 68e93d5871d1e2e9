"""An analysis as one JSON document, versioned and with a digest, and back to an equal object."""

from __future__ import annotations

import hashlib
import json
import math
from fractions import Fraction
from typing import Any

from fastslow.analysis import Analysis
from fastslow.errors import RecordError
from fastslow.flow.flow_graph import Basin, Edge
from fastslow.flow.singular_orbit import SegmentKind
from fastslow.results import (
    ArcResult,
    BranchResult,
    FullGraphResult,
    GraphResult,
    ModelResult,
    OrbitResult,
    Point,
    SegmentResult,
    ThresholdResult,
    TrajectoryResult,
    Verdict,
)
from fastslow.separatrices.full_graph import FullEdge
from fastslow.systems.model_files import study_from

SCHEMA = "fastslow.analysis/1"

Json = dict[str, Any]


def _number(value: float) -> float | str:
    """Return a number as JSON has it: infinities as text."""
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _float(value: float | str) -> float:
    return float(value)


def to_document(analysis: Analysis) -> Json:
    """Return an analysis as the JSON document of schema fastslow.analysis/1."""
    x, y = analysis.model.fast[0], analysis.model.slow[0]
    document: Json = {
        "schema": SCHEMA,
        "model": _model_out(analysis.model),
        "branches": [
            {"id": b.id, "equation": b.equation, "shape": b.shape, "arcs": [_arc_out(arc, x, y) for arc in b.arcs]}
            for b in analysis.branches
        ],
        "points": [_point_out(point, x, y) for point in analysis.points],
        "graph": {
            "nodes": [point.id for point in analysis.points if not point.at],
            "edges": [_edge_out(edge) for edge in analysis.flow.edges],
            "attractors": list(analysis.flow.attractors),
            "basins": [basin_out(b) for b in analysis.flow.basins],
            "cycles": [list(cycle) for cycle in analysis.flow.cycles],
            "tree": analysis.flow.tree,
        },
        "orbits": [_orbit_out(orbit, x, y) for orbit in analysis.orbits],
        "thresholds": [_threshold_out(t, y) for t in analysis.thresholds],
        "full_graph": full_graph_out(analysis.full_flow, x, y),
        "complete": analysis.complete,
        "unmatched": list(analysis.unmatched),
    }
    document["digest"] = digest(document)
    return document


_NO_PARAMETERS = ("model", "name", "title", "fast", "slow", "f", "g")
_FORMULAS = ("activation", "link")


def _doubles(value: Any) -> Any:
    """Return exact numbers of a model's table as the nearest doubles; the table itself keeps them exactly."""
    if isinstance(value, dict):
        return {key: _doubles(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_doubles(entry) for entry in value]
    return value if isinstance(value, bool) else float(Fraction(value))


def _model_out(model: ModelResult) -> Json:
    return {
        "name": model.name,
        "title": model.title,
        "fast": list(model.fast),
        "slow": list(model.slow),
        "parameters": {
            k: v if k in _FORMULAS else _doubles(v) for k, v in model.table.items() if k not in _NO_PARAMETERS
        },
        "table": model.table,
        "f": model.formula[0],
        "g": model.formula[1],
        "energy": model.energy_name,
        "notes": list(model.notes),
    }


def _arc_out(arc: ArcResult, x: str, y: str) -> Json:
    return {
        "id": arc.id,
        "fast_stability": arc.fast_stability,
        "from": arc.start,
        "to": arc.end,
        "flow": arc.flow,
        x: list(arc.x),
        y: list(arc.y),
    }


def _point_out(point: Point, x: str, y: str) -> Json:
    return {
        "id": point.id,
        "kind": point.kind,
        x: point.x,
        y: _number(point.y),
        "branch": point.branch or None,
        "branches": list(point.branches),
        "multiplicity": point.multiplicity,
        "stability": point.stability or None,
        "eigenvalues": [v.real if v.imag == 0 else [v.real, v.imag] for v in point.eigenvalues],
        "certified": point.certified,
        "radius": point.radius,
        "note": point.note,
        "at": point.at or None,
    }


def _edge_out(edge: Edge) -> Json:
    return {
        "from": edge.start,
        "to": edge.end,
        "kind": str(edge.kind),
        "arc": edge.arc or None,
        "fast_stability": edge.stability or None,
        "landing": list(edge.landing) if edge.landing else None,
        "delayed": edge.delayed,
    }


def basin_out(b: Basin) -> Json:
    """Return a basin as JSON."""
    return {"low": _number(b.low), "high": _number(b.high), "verdict": b.verdict, "destination": b.destination}


def _threshold_out(t: ThresholdResult, y: str) -> Json:
    return {
        f"{y}0": t.y,
        "saddle": t.saddle,
        "below": t.below,
        "above": t.above,
        "below_node": t.below_node,
        "above_node": t.above_node,
        "singular": t.singular,
        "first_order": t.first_order,
        "note": t.note,
    }


def full_graph_out(graph: FullGraphResult, x: str, y: str) -> Json:
    """Return the flow graph of the full system as JSON."""
    return {
        "edges": [
            {
                "from": edge.start or None,
                "to": edge.end or None,
                "kind": edge.kind,
                "side": edge.side,
                "note": edge.note,
                "path": {x: list(edge.x), y: list(edge.y)},
            }
            for edge in graph.edges
        ],
        "basins": [basin_out(b) for b in graph.basins],
        "differences": list(graph.differences),
    }


def _orbit_out(orbit: OrbitResult, x: str, y: str) -> Json:
    path = orbit.trajectory
    return {
        f"{y}0": orbit.start[1],
        "start": {x: orbit.start[0], y: orbit.start[1]},
        "exact_start": list(orbit.exact_start),
        "verdict": {"theorem": orbit.verdict.theorem, "singular": orbit.verdict.singular, "ode": orbit.verdict.ode},
        "agree": orbit.agree,
        "explained": orbit.explained,
        "explanation": orbit.explanation,
        "reasons": list(orbit.reasons),
        "segments": [
            {
                "kind": s.kind,
                "from": [_number(v) for v in s.start],
                "to": [_number(v) for v in s.end],
                "loss_drop": s.loss_drop,
                "arc": s.arc or None,
                "node": s.node or None,
                "duration": s.duration,
                "delayed": s.delayed,
            }
            for s in orbit.segments
        ],
        "final": {x: path.final[0], y: _number(path.final[1])},
        "singular_final": {x: orbit.final[0], y: _number(orbit.final[1]), "node": orbit.node or None},
        "trajectory": {
            "tau": list(path.t),
            x: list(path.x),
            y: list(path.y),
            "loss": list(path.energy),
            "node": path.node or None,
            "solver": path.solver,
            "proof": path.proof,
            "time_scale_ratio": path.time_scale_ratio,
        },
    }


def digest(document: Json) -> str:
    """Return the SHA-256 of a document without its digest, in canonical form."""
    body = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def from_document(document: Json) -> Analysis:
    """Return the analysis of a document.

    Raises
    ------
    RecordError
        If the document is foreign, of another schema, edited or incomplete.
    """
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith("fastslow.analysis/"):
        raise RecordError(f"schema = {schema!r}: this is no analysis of fastslow. Give a file that fastslow wrote.")
    if schema != SCHEMA:
        raise RecordError(f"schema = {schema!r}: this version reads {SCHEMA}. Upgrade fastslow or analyse again.")
    try:
        unchanged = document.get("digest") == digest(document)
        analysis = _analysis_in(document) if unchanged else None
        if analysis is not None:
            analysis._system.append(study_from(analysis.model.table).system)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RecordError(f"the document is incomplete or has a wrong value ({error!r}). Analyse again.") from error
    if analysis is None:
        raise RecordError("digest: the file was changed after it was saved. Analyse again, or restore the file.")
    return analysis


def _analysis_in(document: Json) -> Analysis:
    model, graph = document["model"], document["graph"]
    x, y = model["fast"][0], model["slow"][0]
    return Analysis(
        model=ModelResult(
            model["name"],
            model["title"],
            tuple(model["fast"]),
            tuple(model["slow"]),
            model["table"],
            (model["f"], model["g"]),
            model["energy"],
            tuple(model["notes"]),
        ),
        branches=tuple(
            BranchResult(b["id"], b["equation"], b["shape"], tuple(_arc_in(arc, x, y) for arc in b["arcs"]))
            for b in document["branches"]
        ),
        points=tuple(_point_in(point, x, y) for point in document["points"]),
        flow=GraphResult(
            tuple(_edge_in(edge) for edge in graph["edges"]),
            tuple(graph["attractors"]),
            tuple(_basin_in(b) for b in graph["basins"]),
            tuple(tuple(cycle) for cycle in graph["cycles"]),
            graph["tree"],
        ),
        orbits=tuple(_orbit_in(orbit, x, y) for orbit in document["orbits"]),
        thresholds=tuple(_threshold_in(t, y) for t in document["thresholds"]),
        full_flow=_full_graph_in(document["full_graph"], x, y),
        complete=_truth(document["complete"]),
        unmatched=tuple(document["unmatched"]),
    )


def _basin_in(b: Json) -> Basin:
    return Basin(_float(b["low"]), _float(b["high"]), b["verdict"], b["destination"])


def _threshold_in(t: Json, y: str) -> ThresholdResult:
    return ThresholdResult(
        t[f"{y}0"],
        t["saddle"],
        t["below"],
        t["above"],
        t["below_node"],
        t["above_node"],
        t["singular"],
        t["first_order"],
        t["note"],
    )


def _full_graph_in(graph: Json, x: str, y: str) -> FullGraphResult:
    return FullGraphResult(
        tuple(
            FullEdge(
                e["from"] or "", e["to"] or "", e["kind"], e["side"], e["note"], *(tuple(e["path"][v]) for v in (x, y))
            )
            for e in graph["edges"]
        ),
        tuple(_basin_in(b) for b in graph["basins"]),
        tuple(graph["differences"]),
    )


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is no truth value")
    return value


def _arc_in(arc: Json, x: str, y: str) -> ArcResult:
    return ArcResult(
        arc["id"], arc["fast_stability"], arc["from"], arc["to"], arc["flow"], tuple(arc[x]), tuple(arc[y])
    )


def _point_in(point: Json, x: str, y: str) -> Point:
    return Point(
        id=point["id"],
        kind=point["kind"],
        x=point[x],
        y=_float(point[y]),
        branch=point["branch"] or "",
        branches=tuple(point["branches"]),
        multiplicity=point["multiplicity"],
        stability=point["stability"] or "",
        eigenvalues=tuple(complex(*v) if isinstance(v, list) else complex(v) for v in point["eigenvalues"]),
        certified=point["certified"],
        radius=point["radius"],
        note=point["note"],
        at=point["at"] or "",
    )


def _edge_in(edge: Json) -> Edge:
    landing = edge["landing"]
    return Edge(
        edge["from"],
        edge["to"],
        SegmentKind(edge["kind"]),
        edge["arc"] or "",
        edge["fast_stability"] or "",
        (landing[0], landing[1]) if landing else None,
        edge["delayed"],
    )


def _orbit_in(orbit: Json, x: str, y: str) -> OrbitResult:
    path, verdict, final = orbit["trajectory"], orbit["verdict"], orbit["singular_final"]
    return OrbitResult(
        start=(orbit["start"][x], orbit["start"][y]),
        exact_start=(orbit["exact_start"][0], orbit["exact_start"][1]),
        verdict=Verdict(verdict["theorem"], verdict["singular"], verdict["ode"]),
        agree=orbit["agree"],
        explained=orbit["explained"],
        explanation=orbit["explanation"],
        reasons=tuple(orbit["reasons"]),
        segments=tuple(
            SegmentResult(
                s["kind"],
                (_float(s["from"][0]), _float(s["from"][1])),
                (_float(s["to"][0]), _float(s["to"][1])),
                s["arc"] or "",
                s["node"] or "",
                s["loss_drop"],
                s["duration"],
                s["delayed"],
            )
            for s in orbit["segments"]
        ),
        final=(_float(final[x]), _float(final[y])),
        node=final["node"] or "",
        trajectory=TrajectoryResult(
            tuple(path["tau"]),
            tuple(path[x]),
            tuple(path[y]),
            tuple(path["loss"]),
            (_float(orbit["final"][x]), _float(orbit["final"][y])),
            path["node"] or "",
            path["solver"],
            path["proof"],
            path["time_scale_ratio"],
        ),
    )
