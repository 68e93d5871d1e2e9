"""The fates of a phase map: few names, the same for every system of a family."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

NOT_VALID = "not valid"
"""Where the model does not exist, c_1 = 0 say, or a start is not allowed."""

SET_ASIDE = "set aside"
"""Cells whose chunk failed."""

FATES = (
    "undecided",
    "learning",
    "unlearning",
    "settles",
    "relaxation oscillation",
    "small oscillation",
    "leaves to +infinity",
    "leaves to -infinity",
    "leaves the window",
    NOT_VALID,
    SET_ASIDE,
)


def fate_code(verdict: str) -> int:
    """Return the index in `FATES` of a verdict, whatever the ids of its points.

    Examples
    --------
    >>> FATES[fate_code("settles at E3")]
    'settles'
    >>> FATES[fate_code("leaves to a = +infinity")]
    'leaves to +infinity'
    """
    if verdict in FATES:
        return FATES.index(verdict)
    if verdict.startswith("leaves to "):
        return FATES.index("leaves to -infinity" if "-" in verdict else "leaves to +infinity")
    known = ("settles", "leaves the window", "relaxation oscillation", "small oscillation")
    found = next((name for name in known if verdict.startswith(name)), "undecided")
    return FATES.index(found)


def fate_codes(verdicts: Iterable[str]) -> NDArray[np.int8]:
    """Return the codes of several verdicts."""
    return np.array([fate_code(verdict) for verdict in verdicts], dtype=np.int8)
