"""Formulas as MathML, which browsers show by themselves: the pages need no network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml


def _inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(latex2mathml.tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _display(translator: Any, node: nodes.Element) -> None:
    translator.body.append(f'<div class="math">{latex2mathml.tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def connect(app: Any) -> None:
    """Make this the way in which HTML pages show formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
