"""The operations of tapes as numbers: for who writes tapes, without numba."""

FUNCTIONS = 23
(
    EXP, LOG, SQRT, SIN, COS, TAN, SINH, COSH, TANH, ATAN,
    ERF, ABS, SIGN, RELU, SIGMOID, SOFTPLUS, GELU, SILU, LEAKY_RELU, PHI, POWER, HERMITE, ROOT_QUOTIENT,
) = range(FUNCTIONS)  # fmt: skip
"""Numbers of the functions; the last four have an order."""
FAMILY = 16
"""The order of a root quotient is its family times this, plus its order in the family."""
CONSTANT, AFFINE, SUM, PRODUCT = range(FUNCTIONS, FUNCTIONS + 4)
"""The other operations."""
HEAD = 2
"""Numbers of a tape before those of its outputs, ..."""
WIDTH = 6
"""... and in each of its steps."""
