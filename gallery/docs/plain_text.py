"""Docstrings and help texts hold plain formulas: |x| is an absolute value there, an indented line a formula."""

from __future__ import annotations

import re
from typing import Any

_LITERAL = re.compile(r"(``.+?``)")


def escaped(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText that shows what stands there.

    Bars are no substitutions, and indented lines below a paragraph of the margin are set as they are.
    """
    result: list[str] = []
    margin, formula = "", False
    for i, line in enumerate(lines):
        indented = line.startswith("    ")
        if line and not indented:
            margin, formula = line, False
        starts = indented and i > 0 and not lines[i - 1].strip() and not margin.lstrip().startswith((":", ".."))
        if starts and not formula:
            result += ["::", ""]
            formula = True
        if formula or line.lstrip().startswith(">>>"):
            result.append(line)
        else:
            parts = _LITERAL.split(line)
            result.append("".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts))
    return result


def connect(app: Any) -> None:
    """Let Sphinx pass every docstring, and every help text of a command, through `escaped`."""

    def docstring(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
        lines[:] = escaped(lines)

    def help_text(app: Any, context: Any, lines: list[str]) -> None:
        lines[:] = [line.replace("|", r"\|") for line in lines]

    app.connect("autodoc-process-docstring", docstring, priority=900)  # after numpydoc
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", help_text)
