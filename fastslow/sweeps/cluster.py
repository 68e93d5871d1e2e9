"""Chunks on a cluster, through the scheduler of dask.distributed."""

from __future__ import annotations

import queue
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from fastslow.errors import FastSlowError, InputError
from fastslow.sweeps.chunk_work import OtherVersion, Task, __version__, compute
from fastslow.sweeps.places import Outcome, said
from fastslow.sweeps.sweep import Chunk, function_named

_SECONDS_TO_CONNECT = 4.0
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_WITHOUT_WORKERS = 60.0
_CHUNKS_PER_WORKER = 2


class Cluster:
    """The workers of one scheduler of dask, a few chunks in flight for each.

    The scheduler itself repeats the chunks of a worker that died, and gives a chunk up (`KilledWorker`) after
    several workers died with it. It counts all chunks that the worker had; so a chunk that is given up is blamed
    only if nothing else was in flight, and is otherwise a suspect.

    Raises
    ------
    InputError
        If dask.distributed is missing, or no scheduler answers at the address, or it has no worker, or a worker
        has another version of fastslow or cannot import the work.
    """

    def __init__(self, task: Task, address: str) -> None:
        self._task, self._address = task, address
        self._client = _connected(address)
        self._back: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[Any, Chunk] = {}
        self._in_company: set[Any] = set()
        self._without_workers_since: float | None = None
        try:
            self.slots = _CHUNKS_PER_WORKER * self._checked_workers()
        except BaseException:
            self.close()
            raise

    def _checked_workers(self) -> int:
        answers = self._client.run(_ready, self._task.work, on_error="return")
        if not answers:
            way_out = f"Start some: dask worker {self._address} --nthreads 1"
            raise InputError("scheduler", self._address, "has no workers", way_out)
        names = {address: worker["name"] for address, worker in self._workers().items()}
        for address, answer in answers.items():
            where = f"worker {names.get(address, address)!r} at {address}"
            way_out = f"Install fastslow {__version__} and the module of the work where the worker runs"
            if isinstance(answer, BaseException):
                raise InputError("scheduler", self._address, f"{where} cannot work ({said(answer)})", way_out)
            if answer != __version__:
                rule = f"{where} has fastslow {answer}, and this is {__version__}"
                raise InputError("scheduler", self._address, rule, way_out)
        return len(answers)

    def _workers(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def submit(self, chunk: Chunk) -> None:
        """Begin a chunk on some worker."""
        future = self._client.submit(compute, self._task, chunk, pure=False)
        self._flying[future] = chunk
        if len(self._flying) > 1:
            self._in_company.update(self._flying)
        future.add_done_callback(self._back.put)

    def wait(self) -> list[Outcome]:
        """Wait for the next chunk, and see meanwhile whether the cluster still lives."""
        while True:
            try:
                return [self._outcome(self._back.get(timeout=_SECONDS_BETWEEN_LOOKS))]
            except queue.Empty:
                self._look()

    def _look(self) -> None:
        try:
            workers = self._workers()
        except Exception as error:
            raise self._lost(said(error)) from None
        if workers:
            self._without_workers_since = None
            self.slots = _CHUNKS_PER_WORKER * len(workers)
            return
        now = time.monotonic()
        self._without_workers_since = self._without_workers_since or now
        if now - self._without_workers_since > _SECONDS_WITHOUT_WORKERS:
            raise self._lost("it has had no worker for a minute")

    def _lost(self, why: str) -> FastSlowError:
        return FastSlowError(f"The cluster at {self._address} is lost: {why}.")

    def _outcome(self, future: Any) -> Outcome:
        from distributed import KilledWorker

        chunk = self._flying.pop(future)
        in_company = future in self._in_company
        self._in_company.discard(future)
        try:
            return Outcome(chunk, future.result())
        except OtherVersion as error:
            raise self._lost(f"a worker with fastslow {error} joined, and this is {__version__}") from None
        except KilledWorker as error:
            deaths = 0 if in_company else error.allowed_failures + 1
            return Outcome(chunk, error="its worker died", failures=deaths, suspect=True)
        except Exception as error:
            if future.status != "error":
                raise self._lost(f"it dropped a chunk ({future.status})") from None
            return Outcome(chunk, error=said(error), failures=1)

    def close(self) -> None:
        """Cancel what is in flight and disconnect; the scheduler and its workers go on."""
        from contextlib import suppress

        with suppress(Exception):
            self._client.cancel(list(self._flying))
        self._flying.clear()
        with suppress(Exception):
            self._client.close()


def _ready(work: str) -> str:
    function_named(work)
    return __version__


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        way_out = "Install it: pip install 'fastslow[cluster]'"
        raise InputError("scheduler", address, "needs dask.distributed, which is not installed", way_out) from None
    way_out = "Start one: dask scheduler; it prints its address (tcp://host:port)"
    try:
        _knock(address)
        return Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except Exception as error:
        raise InputError("scheduler", address, f"no scheduler answers there ({said(error)})", way_out) from None


def _knock(address: str) -> None:
    """Raise an OSError or ValueError if nothing that speaks like a scheduler answers.

    The client tries again until its time is over where nothing listens, and waits without end for a server that
    says nothing. A scheduler speaks first, and at once.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls"):
        raise ValueError("the address must begin with tcp:// or tls://")
    with socket.create_connection((parts.hostname or "", parts.port or 0), _SECONDS_TO_CONNECT) as connection:
        if parts.scheme == "tcp" and not connection.recv(1):
            raise OSError("it closed the connection")
