"""The compiled function of polynomial curves against the polynomials themselves."""

from __future__ import annotations

import flint
import numpy as np
import pytest

from fastslow.bifurcation.functions import values
from fastslow.bifurcation.space_curves import SpaceCurve, proved_zero
from fastslow.core.polynomial_curve import space_curve

NAMES = ("x", "y", "p", "q")


def random_polynomial(rng, names, terms=7, degree=4):
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.lex)
    return context.from_dict(
        {
            tuple(int(k) for k in rng.integers(0, degree + 1, len(names))): int(rng.integers(-9, 10))
            for _ in range(terms)
        }
    )


@pytest.mark.parametrize("n", [2, 3, 4])
def test_values_jacobian_and_tests_are_those_of_the_polynomials(n):
    rng = np.random.default_rng(n)
    names = NAMES[:n]
    equations = tuple(random_polynomial(rng, names) for _ in range(n - 1))
    tests = {str(k): random_polynomial(rng, names) for k in range(3)}
    scale = 1.75
    space = SpaceCurve(equations, tests, np.full(n, -2.0), np.full(n, 2.0), scale)
    p = space.packed()
    for _ in range(20):
        u = rng.uniform(-1.5, 1.5, n)
        residual, jacobian, found = np.zeros(n - 1), np.zeros((n - 1, n)), np.zeros(3)
        assert space_curve(u, p, residual, jacobian, found) == 0
        z = u.copy()
        z[1] = scale * np.sinh(u[1])
        assert np.allclose(residual, [values(f, z)[0] for f in equations], rtol=1e-12, atol=1e-10)
        assert np.allclose(found, [values(f, z)[0] for f in tests.values()], rtol=1e-12, atol=1e-10)
        stretch = np.ones(n)
        stretch[1] = scale * np.cosh(u[1])
        slopes = np.array([[values(f.derivative(k), z)[0] for k in range(n)] for f in equations])
        assert np.allclose(jacobian, slopes * stretch, rtol=1e-12, atol=1e-9)


def test_the_zero_polynomial_and_constants():
    context = flint.fmpq_mpoly_ctx.get(("x", "y"), flint.Ordering.lex)
    x, y = context.gens()
    space = SpaceCurve((x - y,), {"zero": 0 * x, "seven": 0 * x + 7}, np.full(2, -1.0), np.full(2, 1.0))
    tests = np.full(2, np.nan)
    assert space_curve(np.array([0.5, 0.5]), space.packed(), np.zeros(1), np.zeros((1, 2)), tests) == 0
    assert tests.tolist() == [0.0, 7.0]


def test_overflow_is_a_status_and_no_infinity():
    context = flint.fmpq_mpoly_ctx.get(("x", "y"), flint.Ordering.lex)
    x, y = context.gens()
    space = SpaceCurve((x - y**4,), {}, np.full(2, -1.0), np.full(2, 1.0))
    assert space_curve(np.array([0.0, 300.0]), space.packed(), np.zeros(1), np.zeros((1, 2)), np.zeros(0)) == 1


def test_a_circle_in_space_closes_and_its_zeros_are_located():
    # x^2 + p^2 = 1 and y = x p: y = 0 at the four axis points, |y| = 1/2 between.
    context = flint.fmpq_mpoly_ctx.get(("x", "y", "p"), flint.Ordering.lex)
    x, y, p = context.gens()
    space = SpaceCurve((x**2 + p**2 - 1, y - x * p), {"height": y}, np.full(3, -2.0), np.full(3, 2.0))
    traced = space.traced([1.0, 0.0, 0.0])
    assert traced.closed
    points = space.outer(traced.points)
    assert np.abs(points[:, 0] ** 2 + points[:, 2] ** 2 - 1).max() < 1e-13
    assert np.abs(points[:, 1] - points[:, 0] * points[:, 2]).max() < 1e-13
    zeros = np.array([event.point for event in traced.events_of("height")])
    assert len(zeros) == 4
    assert np.abs(np.sort(np.abs(zeros[:, [0, 2]]), axis=1) - [0.0, 1.0]).max() < 1e-13
    meetings = space.meetings(traced, 2, 0.6, np.array([[0.8, 0.48, 0.6], [-0.8, -0.48, 0.6], [0.0, 0.0, 0.6]]))
    assert sorted(meetings) == [0, 1]


def test_a_proof_of_a_zero_holds_only_where_there_is_one():
    context = flint.fmpq_mpoly_ctx.get(("x", "y"), flint.Ordering.lex)
    x, y = context.gens()
    balls = proved_zero((x**2 - 2, y - x), (1.41421, 1.41421))
    assert balls is not None
    with flint.ctx.workprec(256):
        assert all(ball.contains(flint.arb(2).sqrt()) and ball.rad() < 1e-40 for ball in balls)
    assert proved_zero((x**2 + y**2 + 1, y - x), (0.0, 0.0)) is None  # no real zero
    assert proved_zero((x**2, y - x), (1e-9, 1e-9)) is None  # a double zero
    assert proved_zero((x**2 - 2, y - x), (1.0, 1.0)) is None  # too far to be the one that was meant
    assert proved_zero((x, y), (1e-9, -1e-9)) is not None  # at zero exactly
