"""SGD on the weights themselves: equations (1) to (4) to the letter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.sgd.learner import FloatArray, Learner, Setting
from fastslow.sgd.linalg import Blas, mirrored
from fastslow.sgd.network import Batch, Network

_BLOCK_BYTES = 1 << 26
"""Memory of the samples, with their pre-activations, that are drawn and used at once."""


def block_size(setting: Setting, larger: int = 1) -> int:
    """Return the number of samples in a block, or in one that is so many times larger."""
    sample = (setting.d + setting.m + 1) * np.dtype(setting.dtype).itemsize
    return min(setting.n, max(larger * _BLOCK_BYTES // sample, 64))


class DirectSGD(Learner):
    """Weights W, d x (m + 1), whose column 0 is the teacher w*, and samples x ~ N(0, I_d).

    w* and the columns of W0 are standard normal and not normalised. A step draws n samples,

        w_i <- w_i - gamma d grad_i L = w_i + (gamma sqrt(d) / n m) sum_s r_s a_i sigma'(<w_i, x_s>/sqrt(d)) x_s,

    divides w_i by its norm over sqrt(d), and a_i <- a_i + (gamma / n m) sum_s r_s sigma(<w_i, x_s>/sqrt(d)).

    A step takes 4 n d m operations, and memory for two copies of W and one block of samples: O(d m), never n d.
    """

    def __init__(self, network: Network, setting: Setting, seed: np.random.SeedSequence) -> None:
        super().__init__(network, setting, seed)
        shape, kind = (setting.d, setting.m + 1), setting.dtype
        self._batch = Batch(network, setting.m, kind)
        self._blas = Blas(kind)
        self.weights: NDArray[Any] = np.empty(shape, kind, order="F")
        self._streams.normals(self.weights)
        self._moved = np.empty(shape, kind, order="F")
        block = block_size(setting)
        self._samples = np.empty(setting.d * block, kind)
        self._pre = np.empty((setting.m + 1) * block, kind)

    def step(self) -> float:
        """Train on a fresh batch, and return its loss before the step."""
        s = self.setting
        root = float(np.sqrt(s.d))
        moved, block = self._moved, block_size(s)
        moved[:] = self.weights
        self._batch.begin(self.a)
        for begin in range(0, s.n, block):
            count = min(block, s.n - begin)
            x = self._samples[: s.d * count].reshape((s.d, count), order="F")
            slopes = self._pre[: (s.m + 1) * count].reshape((s.m + 1, count), order="F")
            self._streams.normals(x)
            self._blas.product(1.0 / root, self.weights, x, slopes, ta=1)
            self._batch.add(slopes.T, self._streams.noise(count, self.network.noise))
            # The teacher's row of slopes is zero: it stays.
            self._blas.add_outer(s.gamma * root / (s.n * s.m), x, slopes, moved)
        loss = self._check_loss(self._batch.loss)
        self._train_second(self._batch.gradient)
        norms = self._check_norms(np.sqrt(np.einsum("ij,ij->j", moved[:, 1:], moved[:, 1:], dtype=np.float64)))
        moved[:, 1:] *= (root / norms).astype(s.dtype)
        self.weights, self._moved = moved, self.weights
        return loss

    def gram(self) -> FloatArray:
        """Return the Gram matrix."""
        lower = np.zeros((self.setting.m + 1,) * 2, self.setting.dtype, order="F")
        self._blas.add_square(1.0 / self.setting.d, self.weights, lower, trans=1)
        return mirrored(lower.astype(np.float64))

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays."""
        return {"a": self.a.copy(), "weights": self.weights.copy(), **self._streams.save()}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state."""
        self.a, self.weights = saved["a"].copy(), np.asfortranarray(saved["weights"])
        self._streams.restore(saved)

    @classmethod
    def memory(cls, setting: Setting) -> float:
        """Return the bytes that training takes: W twice, a block of samples, and the Gram matrix of a record."""
        item, size = np.dtype(setting.dtype).itemsize, setting.m + 1.0
        block = block_size(setting)
        return item * (2.0 * setting.d * size + block * (setting.d + size)) + 4.0 * 8.0 * size**2
