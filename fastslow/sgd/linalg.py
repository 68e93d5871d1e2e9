"""Matrix products in place and factors of semidefinite matrices: scipy's BLAS and LAPACK on Fortran-ordered arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Blas:
    """The products that SGD needs, in one precision; all arrays are Fortran-ordered of that kind."""

    def __init__(self, kind: str) -> None:
        from scipy.linalg import blas

        letter = {"float64": "d", "float32": "s"}[kind]
        self.kind = np.dtype(kind)
        self._gemm = getattr(blas, letter + "gemm")
        self._trmm = getattr(blas, letter + "trmm")
        self._syrk = getattr(blas, letter + "syrk")

    def product(self, alpha: float, a: NDArray[Any], b: NDArray[Any], into: NDArray[Any], ta: int = 0) -> None:
        """Compute into = alpha a b, or alpha a' b."""
        self._same(self._gemm(alpha, a, b, 0.0, into, trans_a=ta, overwrite_c=1), into)

    def add_outer(self, alpha: float, a: NDArray[Any], b: NDArray[Any], into: NDArray[Any]) -> None:
        """Compute into += alpha a b'."""
        self._same(self._gemm(alpha, a, b, 1.0, into, trans_b=1, overwrite_c=1), into)

    def lower_times(self, lower: NDArray[Any], into: NDArray[Any], alpha: float = 1.0) -> None:
        """Compute into = alpha lower into, for a lower triangle."""
        self._same(self._trmm(alpha, lower, into, lower=1, overwrite_b=1), into)

    def add_square(self, alpha: float, a: NDArray[Any], into: NDArray[Any], trans: int = 0) -> None:
        """Compute the lower triangle of into += alpha a a', or of alpha a' a."""
        self._same(self._syrk(alpha, a, 1.0, into, trans=trans, lower=1, overwrite_c=1), into)

    @staticmethod
    def _same(result: NDArray[Any], into: NDArray[Any]) -> None:
        # A silent copy, of an array that is not Fortran-ordered, would leave the sum behind.
        assert np.shares_memory(result, into)


def mirrored(lower: FloatArray) -> FloatArray:
    """Return the symmetric matrix of a lower triangle."""
    full = np.tril(lower)
    full += np.tril(full, -1).T
    return np.asfortranarray(full)


def factor(matrix: FloatArray) -> tuple[FloatArray, bool]:
    """Return (F, triangular) with F F' equal to a positive semidefinite matrix, up to rounding.

    F is the Cholesky factor where there is one. A matrix of rank r to rounding, less than its size, has
    that of Cholesky's method with pivoting, of r columns: nothing is added to the diagonal.

    Parameters
    ----------
    matrix : ndarray, shape (p, p)
        Only the lower triangle is read.
    """
    from scipy.linalg import lapack

    whole, info = lapack.dpotrf(matrix, lower=1, clean=1)
    if info == 0:
        return whole, True
    found, pivots, rank, _ = lapack.dpstrf(matrix, lower=1)
    rows = np.zeros((len(matrix), rank), order="F")
    rows[pivots - 1] = np.tril(found)[:, :rank]
    return rows, False
