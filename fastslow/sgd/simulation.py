"""Runs of SGD: replicas, records, and how each ended."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.progress import Progress
from fastslow.sgd.arguments import COLUMNS as COLUMNS
from fastslow.sgd.arguments import Backend, Device, Experiment, Method, Precision, experiment
from fastslow.sgd.arguments import free_memory as free_memory
from fastslow.sgd.checkpoints import deferred_interrupt, read_checkpoint, write_checkpoint
from fastslow.sgd.learner import Diverged, FloatArray, Learner
from fastslow.sgd.threads import threads as limited_threads
from fastslow.systems.exact import Real
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

SCHEMA = "fastslow.sgd/1"
_CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class SGDRun:
    """What P replicas of an SGD experiment did.

    Attributes
    ----------
    system : TwoLayer
        The network.
    options : dict
        n, d, m, gamma, a0, steps, seed, replicas, method, dtype, every, threads, backend, device,
        exact_activation.
    step : ndarray of int, shape (T,)
        Recorded steps, 0 the initial weights.
    records : ndarray, shape (P, T, 8)
        Mean and standard deviation over neurons of the alignments R_i = <w*, w_i>/d, the overlaps
        Q_ij = <w_i, w_j>/d (i < j) and the second layer a_i; loss of the batch that the step was made with,
        before it (NaN at step 0); exact test loss of the weights. NaN after the end of a replica that diverged.
    R, a : ndarray, shape (P, m)
        The last alignments and second layers.
    ended : ndarray of int, shape (P,)
        The step at which each replica ended: `steps`, or fewer where it diverged; -1 for one that failed, which only
        happens in other processes (`sgd_ensemble`).
    sentences : tuple of str
        How each ended, in words.
    """

    system: TwoLayer = field(repr=False)
    options: dict[str, Any]
    step: NDArray[np.int64] = field(repr=False)
    records: FloatArray = field(repr=False)
    R: FloatArray = field(repr=False)
    a: FloatArray = field(repr=False)
    ended: NDArray[np.int64]
    sentences: tuple[str, ...]

    @property
    def tau(self) -> FloatArray:
        """Time of the two-variable system, tau = gamma step / m."""
        return np.asarray(self.options["gamma"] * self.step / self.options["m"])

    @property
    def done(self) -> bool:
        """Whether every replica made all steps."""
        return bool((self.ended == self.options["steps"]).all())

    def course(self, name: str) -> FloatArray:
        """Return one of `COLUMNS`, shape (P, T)."""
        return self.records[:, :, COLUMNS.index(name)]

    def _status(self, end: int) -> str:
        return "failed" if end < 0 else "done" if end == self.options["steps"] else "diverged"

    def document(self) -> dict[str, Any]:
        """Return the run as plain numbers and text, ready for JSON; null where there is no number."""
        courses = {name: [[_plain(v) for v in row] for row in self.course(name)] for name in COLUMNS}
        return {
            "schema": SCHEMA,
            "model": self.system.table(),
            **self.options,
            "status": [self._status(end) for end in self.ended],
            "sentences": list(self.sentences),
            "ended": self.ended.tolist(),
            "step": self.step.tolist(),
            "tau": self.tau.tolist(),
            **courses,
        }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def simulate_sgd(
    system: FastSlowSystem | str,
    a0: Real,
    *,
    n: int,
    d: int,
    m: int,
    steps: int,
    gamma: float = 1.0,
    seed: int = 0,
    replicas: int = 1,
    method: Method = "gram",
    dtype: Precision = "float64",
    every: int | None = None,
    threads: int = 1,
    backend: Backend = "numpy",
    device: Device = "cpu",
    exact_activation: bool = False,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> SGDRun:
    """Train two-layer networks by online SGD on a single-index teacher, and record their alignment and loss.

    Student (1/m) sum_i a_i sigma(<w_i, x>/sqrt(d)), teacher sigma*(<w*, x>/sqrt(d)) + noise, w* and W0 standard
    normal, a_i = a0; a fresh batch each step, step gamma d on W, then each w_i normalised to sqrt(d), and step
    slow_rate gamma on a: equations (1) to (4) of the paper, where slow_rate = 1.

    Parameters
    ----------
    system : TwoLayer or str
        The network, or the name of a preset or file.
    a0 : number
        Scale of the second layer at the start.
    n, d, m : int
        Batch size, dimension of the input, width.
    steps : int
        Number of steps; a step is gamma / m of the time tau of the two-variable system.
    gamma : float
        Learning rate.
    seed : int
        Replica p is the same for any number of replicas.
    replicas : int
        How many networks are trained, one after the other.
    method : "gram" or "direct"
        On the Gram matrix of the weights, exact in law, some 4 n m^2 operations a step whatever d > m + 1 is; or on
        the weights themselves, 4 n d m. The same seed gives different samples to the two.
    dtype : "float64" or "float32"
        Precision of the batches.
    every : int, optional
        Steps between records; about 200 records unless given. The last step is always recorded.
    threads : int
        Threads of the matrix products. More than one pays for wide networks (m of some hundreds) on free cores.
    backend : "numpy" or "torch"
        What computes the method direct; PyTorch is the extra ``fastslow[torch]``.
    device : "cpu" or "cuda"
        Where PyTorch computes: on the cpu with the samples of numpy, on a GPU with its own.
    exact_activation : bool
        Train the students with the formula that their activation was given by, less its mean, and not with the
        Hermite series cut at K; the teacher's link stays a series.
    checkpoint : path, optional
        A file that is written at the start, every minute, and at the end, also that by an interrupt.
    resume : bool
        Go on from the checkpoint; the result is the same, bit for bit, as that of a run without a break.
    progress : callable, optional
        Called as progress(done, total) with steps.

    Returns
    -------
    SGDRun
        Also where replicas diverged; see its `sentences`.

    Raises
    ------
    InputError
        For an argument that cannot be used, or memory that does not suffice, before any work.
    RecordError
        For a checkpoint that is damaged.

    Examples
    --------
    >>> import fastslow as fs
    >>> run = simulate_sgd("fig7", 1, n=1000, d=10**9, m=20, steps=50, gamma=0.1)
    >>> print(run.tau[-1], run.done)
    0.25 True

    References
    ----------
    arXiv:2602.07378, equations (1) to (5).
    """
    found = experiment(
        system, a0, n=n, d=d, m=m, steps=steps, gamma=gamma, seed=seed, replicas=replicas, method=method, dtype=dtype,
        every=every, threads=threads, backend=backend, device=device, exact_activation=exact_activation,
    )  # fmt: skip
    if resume and checkpoint is None:
        raise InputError("resume", True, "there is no checkpoint to go on from", "Name its file (--checkpoint FILE)")
    path = None if checkpoint is None else Path(checkpoint)
    return train(found, range(found.options["replicas"]), path, resume, progress)


def train(
    experiment: Experiment,
    numbers: range,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> SGDRun:
    """Train some of the replicas of an experiment, one after the other; see `simulate_sgd` for the rest."""
    with limited_threads(experiment.options["threads"]):
        return _Ensemble(experiment, numbers, checkpoint).run(resume, progress)


class _Ensemble:
    """Replicas that are trained one after the other: what is recorded, and where they are."""

    def __init__(self, experiment: Experiment, numbers: range, checkpoint: Path | None) -> None:
        self.experiment, self.numbers, self.checkpoint = experiment, numbers, checkpoint
        self.options, self.step = experiment.options, experiment.step
        count, m = len(numbers), experiment.setting.m
        self.records = np.full((count, len(self.step), len(COLUMNS)), np.nan)
        self.R, self.a = np.full((count, m), np.nan), np.full((count, m), np.nan)
        self.ended, self.sentences = np.zeros(count, np.int64), [""] * count
        self.place = self.done = 0
        self.learner: Learner | None = None
        self._written, self._interrupts = 0.0, list[int]()

    def run(self, resume: bool, progress: Progress | None) -> SGDRun:
        """Train from the start or the checkpoint to the end."""
        if self.checkpoint is not None:
            if resume:
                self._restore(read_checkpoint(self.checkpoint, self._configuration()))
            elif self.checkpoint.exists():
                way_out = "Say resume=True (--resume) to go on from it, or name another"
                raise InputError("checkpoint", str(self.checkpoint), "is a file that is there already", way_out)
            else:
                self._write()
        total, count, self._written = self.options["steps"], len(self.numbers), time.monotonic()
        with deferred_interrupt() if self.checkpoint is not None else nullcontext(list[int]()) as self._interrupts:
            while self.place < count:
                if self.learner is None:
                    self.learner = self.experiment.learner(self.numbers[self.place])
                self._train(self.learner, progress)
                self.learner, self.done = None, 0
                self.place += 1
                if progress is not None:
                    progress(self.place * total, count * total)
        if self.checkpoint is not None:
            self._write()
        return SGDRun(
            self.experiment.system,
            self.options,
            self.step,
            self.records,
            self.R,
            self.a,
            self.ended,
            tuple(self.sentences),
        )

    def _train(self, learner: Learner, progress: Progress | None) -> None:
        """Make the steps that are left of one replica."""
        total, p = self.options["steps"], self.place
        if self.done == 0:
            self._record(learner, 0, math.nan)
        sentence = f"Made all {total} steps."
        while self.done < total:
            with np.errstate(all="ignore"):
                try:
                    loss = learner.step()
                except Diverged as reason:
                    rule = "Take a smaller gamma"
                    sentence = f"Diverged at step {self.done + 1} of {total}: {reason}. {rule}."
                    break
            self.done += 1
            place = int(np.searchsorted(self.step, self.done))
            if self.step[place] == self.done:
                self._record(learner, place, loss)
                if progress is not None:
                    progress(p * total + self.done, len(self.numbers) * total)
            if self._interrupts:
                self._write()
                raise KeyboardInterrupt
            if self.checkpoint is not None and time.monotonic() - self._written > _CHECKPOINT_SECONDS:
                self._write()
        self.ended[p], self.sentences[p] = self.done, sentence
        self.R[p], self.a[p] = learner.gram()[0, 1:], learner.a

    def _record(self, learner: Learner, place: int, loss: float) -> None:
        gram, a, m = learner.gram(), learner.a, self.experiment.setting.m
        alignment = gram[0, 1:]
        overlaps = gram[1:, 1:][np.tril_indices(m, -1)] if m > 1 else np.full(1, np.nan)
        statistics = [f(v) for v in (alignment, overlaps, a) for f in (np.mean, np.std)]
        self.records[self.place, place] = [*statistics, loss, self.experiment.network.test_loss(gram, a)]

    def _configuration(self) -> dict[str, Any]:
        numbers = [self.numbers.start, self.numbers.stop]
        whole = numbers == [0, self.options["replicas"]]
        return {**self.experiment.configuration(), **({} if whole else {"numbers": numbers})}

    def _write(self) -> None:
        assert self.checkpoint is not None
        arrays = {
            "records": self.records,
            "R": self.R,
            "a": self.a,
            "ended": self.ended,
            "sentences": np.array(self.sentences),
            "place": np.array([self.place, self.done]),
        }
        if self.learner is not None:
            arrays |= {f"state_{name}": value for name, value in self.learner.save().items()}
        write_checkpoint(self.checkpoint, self._configuration(), arrays)
        self._written = time.monotonic()

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.records, self.R, self.a, self.ended = (arrays[name] for name in ("records", "R", "a", "ended"))
        self.sentences = [str(text) for text in arrays["sentences"]]
        self.place, self.done = map(int, arrays["place"])
        state = {name.removeprefix("state_"): value for name, value in arrays.items() if name.startswith("state_")}
        if state:
            self.learner = self.experiment.learner(self.numbers[self.place])
            self.learner.restore(state)
