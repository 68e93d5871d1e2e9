"""How kernels that only other kernels call are compiled."""

from numba import njit

_INNER = {"cache": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
HELPER = njit(**_INNER, forceinline=False, fastmath=False)
"""For functions called by other kernels only: without wrappers for Python they compile in half the time, and
with numpy's error model a division by zero gives an infinity and no exception. What is not said of the last two
options is taken from the first caller, and a function is then inlined wherever it is called."""
FUSED = njit(**_INNER, forceinline=False, fastmath={"contract"})
"""With fused multiply-adds, which halve the latency of sums and of Horner's rule."""
INLINED = njit(**_INNER, forceinline=True, fastmath={"contract"})
"""For the innermost functions: part of their caller, so that what is constant there is constant here."""
IN_LOOP = njit(**_INNER, inline="always", fastmath={"contract"})
"""For what loops over lanes call: inlined before LLVM sees the loop, which only then vectorises them."""
