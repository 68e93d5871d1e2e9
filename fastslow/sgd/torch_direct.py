"""Direct SGD by PyTorch, on the CPU or on a GPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.sgd.direct import block_size
from fastslow.sgd.learner import FloatArray, Learner, Setting
from fastslow.sgd.linalg import mirrored
from fastslow.sgd.network import Network

_LARGER_ON_GPU = 8
"""Blocks of samples there, against those on the CPU."""


class TorchSGD(Learner):
    """The same steps as `DirectSGD`, with the weights in the rows of a tensor, (m + 1) x d, the teacher's the first.

    On the CPU all random numbers are those of `DirectSGD`, so that the same seed gives the same training up to
    rounding. On a GPU only the first weights and the label noise are; the samples come from a generator there.
    Residuals and sums over samples are in double precision, whatever that of the products is.
    """

    def __init__(self, network: Network, setting: Setting, seed: np.random.SeedSequence) -> None:
        super().__init__(network, setting, seed)
        import torch

        self._torch, self._device = torch, torch.device(setting.device)
        self._kind = getattr(torch, setting.dtype)
        drawn = torch.empty((setting.m + 1, setting.d), dtype=self._kind)
        self._streams.normals(drawn.numpy())
        self.weights = drawn.to(self._device)
        self._moved = torch.empty_like(self.weights)
        self._samples = torch.empty((_block(setting), setting.d), dtype=self._kind, device=self._device)
        self._b, self._b_star = network.b.tolist(), network.b_star.tolist()
        self._generator: Any = None
        if self._device.type != "cpu":
            self._generator = torch.Generator(self._device)
            # A generator takes 63 bits.
            self._generator.manual_seed(int(seed.spawn(1)[0].generate_state(1, np.uint64)[0] >> np.uint64(1)))

    def step(self) -> float:
        """Train on a fresh batch, and return its loss before the step."""
        s, torch, block = self.setting, self._torch, len(self._samples)
        root, double = float(np.sqrt(s.d)), {"dtype": torch.float64, "device": self._device}
        self._moved.copy_(self.weights)
        a, loss, gradient = torch.tensor(self.a, **double), torch.zeros((), **double), torch.zeros(s.m, **double)
        for begin in range(0, s.n, block):
            x = self._samples[: min(block, s.n - begin)]
            self._draw(x)
            noise = torch.tensor(self._streams.noise(len(x), self.network.noise), **double)
            pre = (x @ self.weights.T).mul_(1.0 / root).double()
            value, slope = _series(pre[:, 1:], self._b)
            residual = _series(pre[:, 0], self._b_star)[0] + noise - value @ a / s.m
            loss += residual @ residual
            gradient += residual @ value
            slopes = slope.mul_(a).mul_(residual[:, None]).to(self._kind)
            self._moved[1:].addmm_(slopes.T, x, alpha=s.gamma * root / (s.n * s.m))
        mean = self._check_loss(float(loss))
        self._train_second(gradient.cpu().numpy())
        norms = torch.linalg.vector_norm(self._moved[1:], dim=1, dtype=torch.float64)
        self._check_norms(norms.cpu().numpy())
        self._moved[1:].mul_((root / norms).to(self._kind)[:, None])
        self.weights, self._moved = self._moved, self.weights
        return mean

    def _draw(self, x: Any) -> None:
        if self._generator is None:
            self._streams.normals(x.numpy())
        else:
            x.normal_(generator=self._generator)

    def gram(self) -> FloatArray:
        """Return the Gram matrix."""
        product = (self.weights @ self.weights.T).double().cpu().numpy()
        return mirrored(product / self.setting.d)

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays."""
        own = {} if self._generator is None else {"generator": self._generator.get_state().numpy()}
        return {"a": self.a.copy(), "weights": self.weights.cpu().numpy().copy(), **own, **self._streams.save()}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state."""
        self.a = saved["a"].copy()
        self.weights.copy_(self._torch.from_numpy(saved["weights"]))
        if self._generator is not None:
            self._generator.set_state(self._torch.from_numpy(saved["generator"]))
        self._streams.restore(saved)

    @classmethod
    def memory(cls, setting: Setting) -> float:
        """Return the bytes that training takes: W twice, a block of samples with its series, and a Gram matrix."""
        item, size, block = np.dtype(setting.dtype).itemsize, setting.m + 1.0, _block(setting)
        series = block * size * (2.0 * item + 6.0 * 8.0)
        return item * (2.0 * setting.d * size + block * setting.d) + series + 4.0 * 8.0 * size**2


def _block(setting: Setting) -> int:
    return block_size(setting, 1 if setting.device == "cpu" else _LARGER_ON_GPU)


def _series(x: Any, b: list[float]) -> tuple[Any, Any]:
    """Return sum_k b_k h_k(x) and its derivative, k = 1, 2, ..., by the recursion of `fastslow.core.hermite`."""
    before, now = x.new_ones(()), x
    value, slope = b[0] * x, x.new_full(x.shape, b[0])
    for k, weight in enumerate(b[1:], start=2):
        slope.add_(now, alpha=weight * math.sqrt(k))
        before, now = now, (x * now - math.sqrt(k - 1.0) * before).mul_(1.0 / math.sqrt(k))
        value.add_(now, alpha=weight)
    return value, slope
