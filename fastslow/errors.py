"""The errors that users see, and the sentences for the statuses of kernels."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

MISSING = object()
"""The value of a field that was not given."""


class FastSlowError(Exception):
    """Base of all errors that fastslow raises on purpose."""


class InputError(FastSlowError, ValueError):
    """A value that cannot be used: names the field, the value, the rule and the way out."""

    def __init__(self, field: str, value: object, rule: str, way_out: str = "") -> None:
        self.field, self.value, self.rule, self.way_out = field, value, rule, way_out
        try:
            shown = repr(str(value)) if isinstance(value, Fraction) else repr(value)
        except RecursionError:
            shown = f"a {type(value).__name__} in many others"
        if len(shown) > 120:
            shown = shown[:117] + "..."
        text = f"{field}: {rule}" if value is MISSING else f"{field} = {shown}: {rule}"
        super().__init__(f"{text}. {way_out}" if way_out else f"{text}.")


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return the way out of a wrong name: the nearest known one, and all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(known)}"


class RecordError(FastSlowError, ValueError):
    """A result file that is truncated, edited, foreign, or from a newer schema."""


class CertificateError(FastSlowError, ArithmeticError):
    """A fact could not be proved at the precision that was allowed."""


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C in a sweep: how many cells are done, and where they are kept.

    It is a `KeyboardInterrupt`, so that whoever does not know it stops as at any other Ctrl-C.

    Attributes
    ----------
    done, total
        The numbers of cells that are done, and of all.
    store
        The directory that keeps them and with which the sweep is resumed, or None in memory.
    result
        The `SweepResult` so far: cells that are not done hold the fill value.
    """

    def __init__(self, done: int, total: int, store: Path | None, result: Any) -> None:
        self.done, self.total, self.store, self.result = done, total, store, result
        kept = "" if store is None else f"; {store} keeps them, and resuming goes on from there"
        super().__init__(f"Interrupted: {done} of {total} cells are done{kept}.")
