"""What the two ways of SGD have in common, and how a run that diverges ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.errors import FastSlowError
from fastslow.sgd.network import Network
from fastslow.sgd.streams import Streams

FloatArray = NDArray[np.float64]

GROWTH = 1e6
"""A second layer that grows beyond this many times max(1, |a0|) has diverged."""


class Diverged(FastSlowError):
    """The weights or the loss left the range in which anything can be learned; the text says how."""


@dataclass(frozen=True)
class Setting:
    """Sizes of an experiment: batch n, dimension d, width m, learning rate gamma, scale a0, precision, device."""

    n: int
    d: int
    m: int
    gamma: float
    a0: float
    dtype: str
    device: str = "cpu"


class Learner(ABC):
    """One network that is being trained: its state is `a` and what `gram` is computed from."""

    a: FloatArray

    def __init__(self, network: Network, setting: Setting, seed: np.random.SeedSequence) -> None:
        self.network, self.setting = network, setting
        self._streams = Streams(seed)
        self.a = np.full(setting.m, setting.a0)

    @abstractmethod
    def step(self) -> float:
        """Train on a fresh batch, and return its loss (1/2n) sum_s r_s^2 before the step.

        Raises
        ------
        Diverged
            If a weight or the loss is not finite, or the second layer has grown too much.
        """

    @abstractmethod
    def gram(self) -> FloatArray:
        """Return the Gram matrix of (w*, w_1, ..., w_m)/sqrt(d), shape (m + 1, m + 1)."""

    @abstractmethod
    def save(self) -> dict[str, NDArray[Any]]:
        """Return the state, with that of the random numbers, as arrays."""

    @abstractmethod
    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state."""

    @classmethod
    @abstractmethod
    def memory(cls, setting: Setting) -> float:
        """Return the bytes that training takes, estimated."""

    def _check_loss(self, loss: float) -> float:
        """Return the mean loss of a batch from the sum of squares."""
        if not np.isfinite(loss):
            reason = "overflowed single precision" if self.setting.dtype == "float32" else "is not finite"
            raise Diverged(f"the loss of the batch {reason}, with |a| up to {np.abs(self.a).max():.3g}")
        return 0.5 * loss / self.setting.n

    def _train_second(self, gradient: FloatArray) -> None:
        """Step (4): a_i += (slow_rate gamma / n m) sum_s r_s sigma(u_si)."""
        s = self.setting
        self.a += self.network.slow_rate * s.gamma / (s.n * s.m) * gradient
        largest = float(np.abs(self.a).max())
        if not largest <= GROWTH * max(1.0, abs(s.a0)):
            raise Diverged(f"|a| grew to {largest:.3g}, from {abs(s.a0):.3g} at the start")

    def _check_norms(self, norms: FloatArray) -> FloatArray:
        if not (np.isfinite(norms).all() and norms.min() > 0.0):
            raise Diverged(f"first-layer weights are not finite, with |a| up to {np.abs(self.a).max():.3g}")
        return norms
