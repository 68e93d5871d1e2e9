"""SGD in the space of Gram matrices: exact in law, at a cost that does not depend on the dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.sgd.learner import FloatArray, Learner, Setting
from fastslow.sgd.linalg import Blas, factor, mirrored
from fastslow.sgd.network import Batch, Network

BLOCK = 1024
"""Samples that are drawn and used at once."""


class GramSGD(Learner):
    r"""Equations (1) to (4) seen through the Gram matrix G of V = (w*, w_1, ..., w_m)/sqrt(d).

    A sample x enters only by its pre-activations u = V'x and, in the gradient, by its inner products. Let F F' = G
    with F of r columns. Then V = B F' with orthonormal columns B, z = B'x is normal, u = F z, and the rest of x,
    in d - r dimensions, is normal and independent of all that the batch computes. With l_si = r_s a_i sigma'(u_si)
    and k = gamma/(n m) the step w_i/sqrt(d) += k sum_s l_si x_s leads to

        V = B (F' + k Z'l) + k B_rest Z_rest'l,

    l having a zero column for the teacher, so that the new Gram matrix is

        (F' + k Z'l)'(F' + k Z'l) + k^2 W,   W ~ Wishart(l'l, d - r),

    and then the students' rows and columns are divided by their norms. W = (C T)(C T)' with C C' = l'l and Bartlett's
    factor T; for n <= m, where l'l is singular, C is l' itself. As a sum of squares the new matrix is semidefinite
    whatever the rounding. In single precision the batch is single, the matrices of size m remain double.

    A step takes 4 n m^2 + O(m^3) operations.
    """

    def __init__(self, network: Network, setting: Setting, seed: np.random.SeedSequence) -> None:
        super().__init__(network, setting, seed)
        size = setting.m + 1
        self._batch = Batch(network, setting.m, setting.dtype)
        self._blas, self._double = Blas(setting.dtype), Blas("float64")
        # w* and W0 are drawn, not normalised: a Wishart matrix of d degrees.
        start = self._streams.wishart_factor(size, setting.d)
        self.matrix: FloatArray = np.zeros((size, size), order="F")
        self._double.add_square(1.0 / setting.d, start, self.matrix)
        self.matrix = mirrored(self.matrix)
        self._whole = setting.n <= setting.m
        block = setting.n if self._whole else min(setting.n, BLOCK)
        self._normals = np.empty((size * block,), setting.dtype)
        self._pre = np.empty_like(self._normals)

    def step(self) -> float:
        """Train on a fresh batch, and return its loss before the step."""
        s, size = self.setting, self.setting.m + 1
        root, triangular = factor(self.matrix)
        single = np.asfortranarray(root, dtype=s.dtype)
        moved = np.zeros((root.shape[1], size), s.dtype, order="F")  # Z'l
        squares = np.zeros((size, size), s.dtype, order="F")  # l'l
        self._batch.begin(self.a)
        slopes = self._pre
        for begin in range(0, s.n, BLOCK if not self._whole else s.n):
            count = min(s.n - begin, BLOCK) if not self._whole else s.n
            z = self._normals[: root.shape[1] * count].reshape((root.shape[1], count), order="F")
            slopes = self._pre[: size * count].reshape((size, count), order="F")
            self._streams.normals(z)
            if triangular:
                slopes[:] = z
                self._blas.lower_times(single, slopes)
            else:
                self._blas.product(1.0, single, z, slopes)
            self._batch.add(slopes.T, self._streams.noise(count, self.network.noise))
            self._blas.add_outer(1.0, z, slopes, moved)
            if not self._whole:
                self._blas.add_square(1.0, slopes, squares)
        loss = self._check_loss(self._batch.loss)
        self._train_second(self._batch.gradient)
        rate = s.gamma / (s.n * s.m)
        inside = root.T + rate * moved
        self.matrix = self._normalised(inside, self._outside(slopes, squares, s.d - root.shape[1], rate))
        return loss

    def _outside(self, slopes: NDArray[Any], squares: NDArray[Any], dof: int, rate: float) -> FloatArray:
        """Return rate C T, a factor of rate^2 W, with a zero row for the teacher."""
        if self._whole:
            scale, triangular = slopes[1:].astype(np.float64), False
        else:
            scale, triangular = factor(np.asfortranarray(squares[1:, 1:], dtype=np.float64))
        bartlett = self._streams.wishart_factor(scale.shape[1], dof)
        out = np.zeros((self.setting.m + 1, bartlett.shape[1]), order="F")
        if triangular:
            self._double.lower_times(scale, bartlett, rate)
            out[1:] = bartlett
        elif bartlett.size:
            out[1:] = rate * (scale @ bartlett)
        return out

    def _normalised(self, inside: FloatArray, outside: FloatArray) -> FloatArray:
        """Return inside' inside + outside outside' with its students of unit norm."""
        matrix: FloatArray = np.zeros((self.setting.m + 1,) * 2, order="F")
        self._double.add_square(1.0, np.asfortranarray(inside), matrix, trans=1)
        if outside.shape[1]:
            self._double.add_square(1.0, outside, matrix)
        norms = self._check_norms(np.sqrt(np.diag(matrix)[1:]))
        inverse = np.append(1.0, 1.0 / norms)
        matrix *= inverse[:, np.newaxis]
        matrix *= inverse
        matrix = mirrored(matrix)
        np.fill_diagonal(matrix[1:, 1:], 1.0)
        return matrix

    def gram(self) -> FloatArray:
        """Return the Gram matrix."""
        return self.matrix

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays."""
        return {"a": self.a.copy(), "matrix": self.matrix.copy(), **self._streams.save()}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state."""
        self.a, self.matrix = saved["a"].copy(), np.asfortranarray(saved["matrix"])
        self._streams.restore(saved)

    @classmethod
    def memory(cls, setting: Setting) -> float:
        """Return the bytes that training takes: two blocks of samples and some matrices of size m."""
        block = setting.n if setting.n <= setting.m else min(setting.n, BLOCK)
        size = setting.m + 1.0
        return 2.0 * np.dtype(setting.dtype).itemsize * size * block + 12.0 * 8.0 * size**2
