"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

Progress = Callable[[int, int], None]
"""Called as progress(done, total) after each part of a long piece of work."""


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """Yield items, and report each as done when the next one is asked for."""
    for done, item in enumerate(items):
        yield item
        if progress is not None:
            progress(done + 1, len(items))
