"""Runs of SGD: replicas, records, and how each ended."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.progress import Progress
from fastslow.sgd.checkpoints import deferred_interrupt, read_checkpoint, write_checkpoint
from fastslow.sgd.direct import DirectSGD
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Diverged, FloatArray, Learner, Setting
from fastslow.sgd.network import Network
from fastslow.sgd.threads import threads as limited_threads
from fastslow.systems.exact import Real
from fastslow.systems.model_files import system_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

Method = Literal["gram", "direct"]
Precision = Literal["float64", "float32"]
SCHEMA = "fastslow.sgd/1"
COLUMNS = ("R_mean", "R_std", "Q_mean", "Q_std", "a_mean", "a_std", "train_loss", "test_loss")
"""What is recorded, in the order of the axis of `SGDRun.records`."""
_LEARNERS: dict[str, type[Learner]] = {"gram": GramSGD, "direct": DirectSGD}
_MOST = 10**15
_MOST_NUMBERS = 10**8
_CHECKPOINT_SECONDS = 60.0
_LARGEST_SINGLE = 1e15
"""Normalised coefficients beyond this overflow single precision when they are squared and summed."""


@dataclass(frozen=True, eq=False)
class SGDRun:
    """What P replicas of an SGD experiment did.

    Attributes
    ----------
    system : TwoLayer
        The network.
    options : dict
        n, d, m, gamma, a0, steps, seed, replicas, method, dtype, every, threads.
    step : ndarray of int, shape (T,)
        Recorded steps, 0 the initial weights.
    records : ndarray, shape (P, T, 8)
        Mean and standard deviation over neurons of the alignments R_i = <w*, w_i>/d, the overlaps
        Q_ij = <w_i, w_j>/d (i < j) and the second layer a_i; loss of the batch that the step was made with,
        before it (NaN at step 0); exact test loss of the weights. NaN after the end of a replica that diverged.
    R, a : ndarray, shape (P, m)
        The last alignments and second layers.
    ended : ndarray of int, shape (P,)
        The step at which each replica ended: `steps`, or fewer where it diverged.
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

    def document(self) -> dict[str, Any]:
        """Return the run as plain numbers and text, ready for JSON; null where there is no number."""
        courses = {name: [[_plain(v) for v in row] for row in self.course(name)] for name in COLUMNS}
        return {
            "schema": SCHEMA,
            "model": self.system.table(),
            **self.options,
            "status": ["done" if end == self.options["steps"] else "diverged" for end in self.ended],
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
    model = system_of(system)
    if not isinstance(model, TwoLayer):
        raise InputError("model", model.name, "must be a two-layer network", "Give --c and --c-star, or a preset")
    if method not in _LEARNERS:
        raise InputError("method", method, "must be gram or direct", "gram is exact in law and faster")
    if dtype not in get_args(Precision):
        raise InputError("dtype", dtype, "must be float64 or float32", "float64 unless speed matters more")
    setting = Setting(
        _whole("n", n, "batch size"),
        _whole("d", d, "dimension of the input"),
        _whole("m", m, "width"),
        _positive("gamma", gamma),
        _finite("a0", a0),
        dtype,
    )
    steps = _whole("steps", steps, "number of steps")
    replicas = _whole("replicas", replicas, "number of networks", 10**6)
    threads = _whole("threads", threads, "number of threads", 1024)
    seed = _whole("seed", seed, "seed", 2**63, least=0)
    every = max(1, steps // 200) if every is None else _whole("every", every, "number of steps", steps)
    step = np.unique(np.append(np.arange(0, steps + 1, every), steps)) if steps // every < _MOST_NUMBERS else None
    if step is None or replicas * (len(step) * len(COLUMNS) + 2 * setting.m) > _MOST_NUMBERS:
        raise InputError("every", every, f"records of more than {_MOST_NUMBERS} numbers", "Record less often")
    network = Network.of(model)
    _check_setting(setting, network, method)
    if resume and checkpoint is None:
        raise InputError("resume", True, "there is no checkpoint to go on from", "Name its file (--checkpoint FILE)")
    options = {
        **{name: getattr(setting, name) for name in ("n", "d", "m", "gamma", "a0")},
        **{"steps": steps, "seed": seed, "replicas": replicas, "method": method, "dtype": dtype, "every": every},
        "threads": threads,
    }
    ensemble = _Ensemble(model, network, setting, options, step, None if checkpoint is None else Path(checkpoint))
    with limited_threads(threads):
        return ensemble.run(resume, progress)


def _whole(name: str, value: Any, what: str, most: int = _MOST, least: int = 1) -> int:
    right = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not right or not least <= value <= most:
        rule = f"the {what} must be a whole number from {least} to {most:g}"
        raise InputError(name, value, rule, "For example 1000" if least else "For example 0")
    return int(value)


def _finite(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(name, value, "must be a finite number", "For example 1")
    return number


def _positive(name: str, value: Any) -> float:
    number = _finite(name, value)
    if number <= 0.0:
        raise InputError(name, value, "must be positive", "The paper's learning rate is 1")
    return number


def _check_setting(setting: Setting, network: Network, method: str) -> None:
    if method == "gram" and setting.d <= setting.m + 1:
        rule = f"the Gram matrix of {setting.m + 1} vectors needs more than m + 1 = {setting.m + 1} dimensions"
        raise InputError("d", setting.d, rule, 'Take method="direct" (--method direct), which is no slower there')
    largest = float(max(np.abs(network.b).max(), np.abs(network.b_star).max()))
    if setting.dtype == "float32" and largest > _LARGEST_SINGLE:
        rule = f"normalised coefficients up to {largest:.3g} overflow single precision"
        raise InputError("dtype", setting.dtype, rule, "Take float64")
    wanted, free = _LEARNERS[method].memory(setting), free_memory()
    if wanted > free:
        rule = f"needs about {wanted / 1e9:.3g} GB of memory, {free / 1e9:.3g} GB are free"
        way_out = "Take a smaller m" if method == "gram" else "Take the method gram, whose memory does not depend on d"
        value = f"n = {setting.n}, d = {setting.d}, m = {setting.m}"
        raise InputError("m" if method == "gram" else "d", value, rule, way_out)


def free_memory() -> float:
    """Return the bytes of memory that are free, infinity where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return math.inf


class _Ensemble:
    """The replicas of one run, trained one after the other: what is recorded, and where they are."""

    def __init__(
        self,
        system: TwoLayer,
        network: Network,
        setting: Setting,
        options: dict[str, Any],
        step: NDArray[np.int64],
        checkpoint: Path | None,
    ) -> None:
        self.system, self.network, self.setting, self.options = system, network, setting, options
        self.step, self.checkpoint = step, checkpoint
        count = options["replicas"]
        self.records = np.full((count, len(step), len(COLUMNS)), np.nan)
        self.R, self.a = np.full((count, setting.m), np.nan), np.full((count, setting.m), np.nan)
        self.ended, self.sentences = np.zeros(count, np.int64), [""] * count
        self.replica = self.done = 0
        self.seeds = np.random.SeedSequence(options["seed"]).spawn(count)
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
        total, self._written = self.options["steps"], time.monotonic()
        with deferred_interrupt() if self.checkpoint is not None else nullcontext(list[int]()) as self._interrupts:
            while self.replica < self.options["replicas"]:
                if self.learner is None:
                    self.learner = self._new()
                self._train(self.learner, progress)
                self.learner, self.done = None, 0
                self.replica += 1
                if progress is not None:
                    progress(self.replica * total, self.options["replicas"] * total)
        if self.checkpoint is not None:
            self._write()
        return SGDRun(
            self.system, self.options, self.step, self.records, self.R, self.a, self.ended, tuple(self.sentences)
        )

    def _new(self) -> Learner:
        return _LEARNERS[self.options["method"]](self.network, self.setting, self.seeds[self.replica])

    def _train(self, learner: Learner, progress: Progress | None) -> None:
        """Make the steps that are left of one replica."""
        total, p = self.options["steps"], self.replica
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
                    progress(p * total + self.done, self.options["replicas"] * total)
            if self._interrupts:
                self._write()
                raise KeyboardInterrupt
            if self.checkpoint is not None and time.monotonic() - self._written > _CHECKPOINT_SECONDS:
                self._write()
        self.ended[p], self.sentences[p] = self.done, sentence
        self.R[p], self.a[p] = learner.gram()[0, 1:], learner.a

    def _record(self, learner: Learner, place: int, loss: float) -> None:
        gram, a, m = learner.gram(), learner.a, self.setting.m
        alignment = gram[0, 1:]
        overlaps = gram[1:, 1:][np.tril_indices(m, -1)] if m > 1 else np.full(1, np.nan)
        statistics = [f(v) for v in (alignment, overlaps, a) for f in (np.mean, np.std)]
        self.records[self.replica, place] = [*statistics, loss, self.network.test_loss(gram, a)]

    def _configuration(self) -> dict[str, Any]:
        return {**self.system.table(), **self.options}

    def _write(self) -> None:
        assert self.checkpoint is not None
        arrays = {
            "records": self.records,
            "R": self.R,
            "a": self.a,
            "ended": self.ended,
            "sentences": np.array(self.sentences),
            "place": np.array([self.replica, self.done]),
        }
        if self.learner is not None:
            arrays |= {f"state_{name}": value for name, value in self.learner.save().items()}
        write_checkpoint(self.checkpoint, self._configuration(), arrays)
        self._written = time.monotonic()

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.records, self.R, self.a, self.ended = (arrays[name] for name in ("records", "R", "a", "ended"))
        self.sentences = [str(text) for text in arrays["sentences"]]
        self.replica, self.done = map(int, arrays["place"])
        state = {name.removeprefix("state_"): value for name, value in arrays.items() if name.startswith("state_")}
        if state:
            self.learner = self._new()
            self.learner.restore(state)
