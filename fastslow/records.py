"""Saved analyses, written whole or not at all, and read back exactly. No pickle."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from fastslow.analysis import Analysis
from fastslow.documents import from_document, to_document
from fastslow.errors import RecordError
from fastslow.files import write_whole as write_whole

if TYPE_CHECKING:
    import networkx

_LARGEST_FILE = 2_000_000_000


def to_json(analysis: Analysis) -> str:
    """Return the document as text; every number reads back to the same double."""
    return json.dumps(to_document(analysis), allow_nan=False)


def save(analysis: Analysis, path: str | Path) -> Path:
    """Write an analysis to a file.

    Raises
    ------
    OSError
        If the file cannot be written; an older file at the path is then left as it was.
    """
    return write_whole(path, to_json(analysis) + "\n")


def load(path: str | Path) -> Analysis:
    """Read an analysis that ``Analysis.save`` or ``fastslow analyze -o`` wrote.

    Raises
    ------
    RecordError
        If the file is missing, truncated, edited, foreign, or of a newer schema.
    """
    source = Path(path)
    try:
        if source.stat().st_size > _LARGEST_FILE:
            raise RecordError(f"{source} is larger than {_LARGEST_FILE} bytes. Give a file that fastslow wrote.")
        document = json.loads(source.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise RecordError(f"{source} cannot be read ({error.strerror}). Check the path.") from None
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{source} is truncated or no JSON ({error}). Analyse again.") from None
    return from_document(document)


def _refuse(name: str) -> float:
    raise RecordError(f"{name} in the file: fastslow writes no such number. Restore the file.")


def to_networkx(analysis: Analysis) -> networkx.MultiDiGraph:
    """Return the flow graph as a ``networkx.MultiDiGraph`` with plain attributes, ready for GraphML."""
    import networkx

    graph = networkx.MultiDiGraph()
    for point in analysis.points:
        if not point.at:
            graph.add_node(
                point.id,
                kind=point.kind,
                x=point.x,
                y=point.y,
                stability=point.stability,
                attractor=point.id in analysis.flow.attractors,
            )
    for edge in analysis.flow.edges:
        x, y = edge.landing or (math.nan, math.nan)
        landing = {"landing_x": x, "landing_y": y} if edge.landing else {}
        graph.add_edge(
            edge.start,
            edge.end,
            kind=str(edge.kind),
            arc=edge.arc,
            fast_stability=edge.stability,
            delayed=edge.delayed,
            **landing,
        )
    return graph


def save_graph(analysis: Analysis, path: str | Path) -> Path:
    """Write the flow graph as GraphML."""
    import networkx

    stream = io.BytesIO()
    networkx.write_graphml(to_networkx(analysis), stream)
    return write_whole(path, stream.getvalue())
