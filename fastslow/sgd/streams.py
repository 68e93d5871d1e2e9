"""Random numbers of one replica: bulk normal numbers by vector instructions, the few others from numpy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastslow.core.normals import STATE_SHAPE, fill32, fill64


class Streams:
    """Random numbers that a seed and the order of the calls determine.

    Parameters
    ----------
    seed : numpy.random.SeedSequence
        The seed of one replica.
    """

    def __init__(self, seed: np.random.SeedSequence) -> None:
        bulk, few = seed.spawn(2)
        words = bulk.generate_state(int(np.prod(STATE_SHAPE)), np.uint64)
        self._state = np.ascontiguousarray(words.reshape(STATE_SHAPE))
        self._few = np.random.Generator(np.random.SFC64(few))

    def normals(self, out: NDArray[Any]) -> None:
        """Fill a contiguous array, double or single, with standard normal numbers."""
        flat = out.ravel(order="K")
        assert np.shares_memory(flat, out)
        (fill64 if out.dtype == np.float64 else fill32)(self._state, flat)

    def noise(self, count: int, scale: float) -> NDArray[np.float64]:
        """Return normal numbers of a standard deviation; none are drawn where that is zero."""
        return scale * self._few.standard_normal(count) if scale else np.zeros(count)

    def wishart_factor(self, rows: int, dof: int) -> NDArray[np.float64]:
        """Return T, (rows, min(rows, dof)), so that T T' is a Wishart matrix of unit scale, after Bartlett.

        T is the triangular factor of a (rows, dof) matrix of normal numbers: below the diagonal they are normal,
        the i-th diagonal one is the root of a chi-square of dof - i degrees, i = 0, 1, .... With dof < rows the
        Wishart matrix is singular, T is a trapezoid, and the law is exact all the same.
        """
        columns = min(rows, dof)
        factor = np.empty((rows, columns), order="F")
        if columns:
            self.normals(factor)
            factor *= np.tri(rows, columns, dtype=np.float64)
            np.fill_diagonal(factor, np.sqrt(self._few.chisquare(dof - np.arange(columns, dtype=np.float64))))
        return factor

    def save(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays."""
        few = self._few.bit_generator.state
        words = np.asarray(few["state"]["state"], dtype=np.uint64)
        rest = json.dumps([int(few["has_uint32"]), int(few["uinteger"])])
        return {"bulk": self._state.copy(), "few": words, "few_rest": np.array(rest)}

    def restore(self, saved: dict[str, NDArray[Any]]) -> None:
        """Go on from a saved state."""
        self._state[:] = saved["bulk"]
        has, value = json.loads(str(saved["few_rest"]))
        self._few.bit_generator.state = {
            "bit_generator": "SFC64",
            "state": {"state": saved["few"]},
            "has_uint32": has,
            "uinteger": value,
        }
