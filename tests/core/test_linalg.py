"""The small LU against numpy's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastslow.core.linalg import lu_determinant_sign, lu_factor, lu_solve, null_vector


@pytest.mark.parametrize("n", range(1, 13))
def test_solve_and_determinant(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        a, b = rng.normal(size=(n, n)), rng.normal(size=n)
        a[0, 0] = 0.0 if n > 1 else 1.0
        lu, x, pivots = a.copy(), b.copy(), np.zeros(n, np.int64)
        assert lu_factor(lu, pivots) == 0
        lu_solve(lu, pivots, x)
        assert_allclose(a @ x, b, atol=1e-12 * np.linalg.cond(a))
        assert lu_determinant_sign(lu, pivots) == np.sign(np.linalg.det(a))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_matrix_that_cannot_be_factored(bad):
    a = np.array([[1.0, 2.0], [bad, 2.0 * bad]])
    assert lu_factor(a, np.zeros(2, np.int64)) == 1


@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (5, 6), (3, 2), (6, 5), (4, 4)])
def test_null_vector(shape):
    rng = np.random.default_rng(1)
    rows, columns = shape
    a = rng.normal(size=(rows, columns - 1)) @ rng.normal(size=(columns - 1, columns))
    v = np.zeros(columns)
    assert null_vector(a.copy(), v, np.zeros(columns, np.int64)) == 0
    assert_allclose(a @ v, 0.0, atol=1e-13)
    assert_allclose(v @ v, 1.0, rtol=1e-14)


def test_a_null_vector_that_is_not_unique():
    assert null_vector(np.ones((3, 3)), np.zeros(3), np.zeros(3, np.int64)) == 1
