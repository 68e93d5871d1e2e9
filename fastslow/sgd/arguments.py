"""What an experiment of SGD is given, checked before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import InputError
from fastslow.sgd.direct import DirectSGD
from fastslow.sgd.gram import GramSGD
from fastslow.sgd.learner import Learner, Setting
from fastslow.sgd.network import Network
from fastslow.systems.exact import Real
from fastslow.systems.presets import network_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

Method = Literal["gram", "direct"]
Precision = Literal["float64", "float32"]
Backend = Literal["numpy", "torch"]
Device = Literal["cpu", "cuda"]
COLUMNS = ("R_mean", "R_std", "Q_mean", "Q_std", "a_mean", "a_std", "train_loss", "test_loss")
"""What is recorded, in the order of the axis of `SGDRun.records`."""
_MOST = 10**15
_MOST_NUMBERS = 10**8
_LARGEST_SINGLE = 1e15
"""Normalised coefficients beyond this overflow single precision when they are squared and summed."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """What is trained, how, and at which steps it is recorded.

    Attributes
    ----------
    system : TwoLayer
        The network.
    network : Network
        Its coefficients as SGD wants them.
    setting : Setting
        The sizes.
    options : dict
        See `SGDRun`.
    step : ndarray of int, shape (T,)
        Steps that are recorded.
    """

    system: TwoLayer
    network: Network
    setting: Setting
    options: dict[str, Any]
    step: NDArray[np.int64]

    @property
    def kind(self) -> type[Learner]:
        """The class that trains one replica."""
        return _learner(self.options["method"], self.options["backend"])

    def learner(self, replica: int) -> Learner:
        """Return a replica at its start; its random numbers do not depend on how many replicas there are."""
        seed = np.random.SeedSequence(self.options["seed"], spawn_key=(replica,))
        return self.kind(self.network, self.setting, seed)

    def configuration(self) -> dict[str, Any]:
        """Return all that the numbers depend on, as JSON; what is as in the first version is left out."""
        usual = {"backend": "numpy", "device": "cpu", "exact_activation": False}
        changed = {name: value for name, value in self.options.items() if usual.get(name) != value}
        return {**self.system.table(), **changed}


def experiment(
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
    at_once: int = 1,
) -> Experiment:
    """Check the arguments of `simulate_sgd`; so many replicas as `at_once` need memory at the same time.

    Raises
    ------
    InputError
        For an argument that cannot be used, or memory that does not suffice.
    """
    model = network_of(system)
    _one_of("method", method, Method, "gram is exact in law and faster")
    _one_of("dtype", dtype, Precision, "float64 unless speed matters more")
    _one_of("backend", backend, Backend, "numpy unless there is a GPU")
    _one_of("device", device, Device, "cpu unless there is a GPU")
    setting = Setting(
        _whole("n", n, "batch size"),
        _whole("d", d, "dimension of the input"),
        _whole("m", m, "width"),
        _positive("gamma", gamma),
        _finite("a0", a0),
        dtype,
        device,
    )
    steps = _whole("steps", steps, "number of steps")
    replicas = _whole("replicas", replicas, "number of networks", 10**6)
    threads = _whole("threads", threads, "number of threads", 1024)
    seed = _whole("seed", seed, "seed", 2**63, least=0)
    every = max(1, steps // 200) if every is None else _whole("every", every, "number of steps", steps)
    step = np.unique(np.append(np.arange(0, steps + 1, every), steps)) if steps // every < _MOST_NUMBERS else None
    _check_backend(method, backend, device)
    if exact_activation and backend == "torch":
        rule = "evaluates Hermite series, not the activation itself"
        raise InputError("backend", backend, rule, "Take numpy, or leave exact_activation (--exact-activation) out")
    network = Network.of(model, exact_activation)
    _check_setting(setting, network, _learner(method, backend), min(at_once, replicas))
    if step is None or replicas * (len(step) * len(COLUMNS) + 2 * setting.m) > _MOST_NUMBERS:
        raise InputError("every", every, f"records of more than {_MOST_NUMBERS} numbers", "Record less often")
    options = {
        **{name: getattr(setting, name) for name in ("n", "d", "m", "gamma", "a0")},
        **{"steps": steps, "seed": seed, "replicas": replicas, "method": method, "dtype": dtype, "every": every},
        **{"threads": threads, "backend": backend, "device": device},
        "exact_activation": bool(exact_activation),
    }
    return Experiment(model, network, setting, options, step)


def _learner(method: str, backend: str) -> type[Learner]:
    if backend == "torch":
        from fastslow.sgd.torch_direct import TorchSGD

        return TorchSGD
    return GramSGD if method == "gram" else DirectSGD


def _one_of(name: str, value: Any, kind: Any, way_out: str) -> None:
    if value not in get_args(kind):
        raise InputError(name, value, f"must be {' or '.join(get_args(kind))}", way_out)


def _check_backend(method: str, backend: str, device: str) -> None:
    if backend == "numpy":
        if device != "cpu":
            rule = "the numpy backend computes on the cpu"
            raise InputError("device", device, rule, 'Add backend="torch" (--backend torch)')
        return
    if method != "direct":
        rule = "trains the weights, not their Gram matrix"
        raise InputError("backend", backend, rule, 'Add method="direct" (--method direct)')
    from importlib.util import find_spec

    if find_spec("torch") is None:
        way_out = "Install it: pip install 'fastslow[torch]'"
        raise InputError("backend", backend, "needs PyTorch, which is not installed", way_out)
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", device, "PyTorch finds no CUDA device", 'Take device="cpu" (--device cpu)')


def _whole(name: str, value: Any, what: str, most: int = _MOST, least: int = 1) -> int:
    right = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not right or not least <= value <= most:
        rule = f"the {what} must be a whole number from {least} to {most:g}"
        raise InputError(name, value, rule, f"For example {min(1000, most) if least else 0}")
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


def _check_setting(setting: Setting, network: Network, kind: type[Learner], at_once: int) -> None:
    gram = kind is GramSGD
    if gram and setting.d <= setting.m + 1:
        rule = f"the Gram matrix of {setting.m + 1} vectors needs more than m + 1 = {setting.m + 1} dimensions"
        raise InputError("d", setting.d, rule, 'Take method="direct" (--method direct), which is no slower there')
    largest = float(max(np.abs(network.b).max(), np.abs(network.b_star).max()))
    if setting.dtype == "float32" and largest > _LARGEST_SINGLE:
        rule = f"normalised coefficients up to {largest:.3g} overflow single precision"
        raise InputError("dtype", setting.dtype, rule, "Take float64")
    wanted, free = at_once * kind.memory(setting), _free(setting.device)
    if wanted > free:
        several = f" for {at_once} replicas at once" if at_once > 1 else ""
        rule = f"needs about {wanted / 1e9:.3g} GB of memory{several}, {free / 1e9:.3g} GB are free"
        way_out = "Take a smaller m" if gram else "Take the method gram, whose memory does not depend on d"
        value = f"n = {setting.n}, d = {setting.d}, m = {setting.m}"
        raise InputError("m" if gram else "d", value, rule, way_out if at_once == 1 else "Take fewer workers")


def _free(device: str) -> float:
    if device == "cpu":
        return free_memory()
    import torch

    return float(torch.cuda.mem_get_info()[0])


def free_memory() -> float:
    """Return the bytes of memory that are free, infinity where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return math.inf
