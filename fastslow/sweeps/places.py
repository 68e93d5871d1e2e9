"""Where chunks are computed: in this process, or in other processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

from fastslow.errors import FastSlowError
from fastslow.sweeps.chunk_work import Task, compute
from fastslow.sweeps.sweep import Chunk, Values


@dataclass(frozen=True, eq=False)
class Outcome:
    """A chunk that came back: with its values, or with the number of failures that are certainly its own.

    A suspect may have killed a worker that others were with. It is tried again alone, before it is blamed.
    """

    chunk: Chunk
    values: Values | None = None
    error: str = ""
    failures: int = 0
    suspect: bool = False


class Place(Protocol):
    """Where chunks are computed. A new kind of place needs these three methods and `slots`."""

    @property
    def slots(self) -> int:
        """How many chunks may be in flight."""

    def submit(self, chunk: Chunk) -> None:
        """Begin a chunk; called only while fewer than `slots` are in flight."""

    def wait(self) -> list[Outcome]:
        """Return the chunks that came back, at least one; called only while some are in flight."""

    def close(self) -> None:
        """Stop at once, dropping what is in flight."""


def said(error: BaseException) -> str:
    """Return an error as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__


class ThisProcess:
    """One chunk after the other, here: kernels of numba have their own threads."""

    slots = 1

    def __init__(self, task: Task) -> None:
        self._task, self._waiting = task, deque[Chunk]()

    def submit(self, chunk: Chunk) -> None:
        """Keep it for `wait`, which computes it."""
        self._waiting.append(chunk)

    def wait(self) -> list[Outcome]:
        """Compute the chunk."""
        chunk = self._waiting.popleft()
        try:
            return [Outcome(chunk, compute(self._task, chunk))]
        except Exception as error:
            return [Outcome(chunk, error=said(error), failures=1)]

    def close(self) -> None:
        """Nothing is left behind."""


class Processes:
    """Several processes, each a pool of its own with one chunk in flight.

    A pool that breaks fails all that is in it. In a pool of one process and one chunk that is the chunk whose
    worker died and no other, so that no innocent chunk is blamed, and the other processes go on.
    """

    def __init__(self, task: Task, workers: int) -> None:
        self._task, self.slots = task, workers
        self._context = get_context("spawn")
        # Workers hold the reading end. They stop when the writing end closes: by us, or because we were killed.
        self._stop_read, self._stop_write = self._context.Pipe(duplex=False)
        self._idle = [self._pool() for _ in range(workers)]
        self._flying: dict[Future[Values], tuple[Chunk, ProcessPoolExecutor]] = {}
        try:
            for greeting in [pool.submit(os.getpid) for pool in self._idle]:
                greeting.result()
        except BrokenProcessPool:
            self.close()
            raise FastSlowError(
                "The worker processes cannot start. In a script, sweep below `if __name__ == '__main__':`, "
                "because each worker imports the script; or take workers=0."
            ) from None
        except BaseException:
            self.close()
            raise

    def _pool(self) -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // self.slots)
        arguments = (self._stop_read, threads)
        return ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin, initargs=arguments)

    def submit(self, chunk: Chunk) -> None:
        """Begin a chunk in an idle process."""
        pool = self._idle.pop()
        try:
            future = pool.submit(compute, self._task, chunk)
        except BrokenProcessPool:
            # The process died while it was idle.
            pool.shutdown(wait=False)
            pool = self._pool()
            future = pool.submit(compute, self._task, chunk)
        self._flying[future] = (chunk, pool)

    def wait(self) -> list[Outcome]:
        """Wait for the next chunks, and give a chunk whose process died a fresh one."""
        return [self._outcome(future) for future in wait(self._flying, return_when=FIRST_COMPLETED).done]

    def _outcome(self, future: Future[Values]) -> Outcome:
        chunk, pool = self._flying.pop(future)
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            pool.shutdown(wait=False)
            self._idle.append(self._pool())
            return Outcome(chunk, error="its worker process died", failures=1)
        self._idle.append(pool)
        if error is not None:
            return Outcome(chunk, error=said(error), failures=1)
        return Outcome(chunk, future.result())

    def close(self) -> None:
        """Stop all processes at once."""
        self._stop_write.close()
        for pool in [*self._idle, *(pool for _, pool in self._flying.values())]:
            pool.shutdown(wait=True, cancel_futures=True)
        self._stop_read.close()


def _begin(stop: Connection, threads: int) -> None:
    """Prepare a worker process: Ctrl-C is for its parent, and it must not outlive that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    threading.Thread(target=_stop_with, args=(stop,), daemon=True).start()


def _stop_with(stop: Connection) -> None:
    # Nothing is ever sent: it becomes readable when its other end is closed.
    stop.poll(None)
    os._exit(0)
