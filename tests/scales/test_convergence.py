"""Measured orders against laws that are derived by hand, and against the Airy function."""

import math
from fractions import Fraction as F

import numpy as np
import pytest
from scipy.special import ai_zeros

import fastslow as fs
from fastslow.scales.convergence import OMEGA_0, orders
from fastslow.systems.presets import preset


def by_kind(found, kind):
    return [order for order in found if order.kind == kind]


def test_omega_0_is_the_first_zero_of_airys_function():
    assert pytest.approx(-ai_zeros(1)[0][0], rel=1e-15) == OMEGA_0


def test_linear_system_has_the_exact_slow_manifold():
    """For x' = y - x, y' = -e y it is x = y / (1 - e) = y + e y + e^2 y + ..."""
    system = fs.FastSlowSystem("y - x", "-y", window=(-5, 5))
    first, second = orders(system, (0, 2))
    assert first.at == second.at == (1, 1)
    assert (first.predicted, second.predicted) == (1, 2)
    assert first.constant == second.constant == 1
    for order in (first, second):
        kept = np.array(order.slow_rates) < 0.02  # above that the start is not forgotten yet
        rates, distances = np.array(order.slow_rates)[kept], np.array(order.distances)[kept]
        assert distances == pytest.approx(rates ** int(order.predicted) / (1 - rates), rel=1e-8, abs=1e-12)
    assert first.fitted.error < 1e-4 and second.fitted.error < 1e-2
    assert first.agrees and second.agrees


def test_van_der_pol_by_hand():
    """At (-sqrt 3, 0): X_1 = -g f_y / f_x^2 with f_x = -2, g = sqrt 3, and X_2 = 11 sqrt 3 / 32."""
    found = orders(fs.van_der_pol(), (2, 0))
    assert [(order.kind, order.predicted) for order in found] == [
        *(("critical manifold", 1), ("slow manifold", 2), ("fold", F(2, 3))) * 2,
        ("critical manifold", 1),
        ("slow manifold", 2),
    ]
    first, second = found[3:5]
    assert first.at == pytest.approx((-math.sqrt(3), 0), abs=1e-12)
    assert first.constant == pytest.approx(math.sqrt(3) / 4, rel=1e-12)
    assert second.constant == pytest.approx(11 * math.sqrt(3) / 32, rel=1e-12)
    for order in found:
        assert order.agrees, order
        assert order.fitted.exponent == pytest.approx(float(order.predicted), abs=2e-3)
        assert order.fitted.prefactor == pytest.approx(order.constant, rel=1e-3)
        assert order.slopes[-1] == pytest.approx(float(order.predicted), abs=5e-3)


def test_the_fold_law_has_the_scale_of_any_fold():
    """Scaled variables X = p x, Y = q y and time: the law keeps its form, whatever f_xx, f_y and g at the fold are."""
    p, q, s = F(3), F(1, 5), F(7)
    plain = by_kind(orders(fs.FastSlowSystem("y + x**2", "1", window=(-3, 3)), (-1, -1)), "fold")[0]
    scaled = fs.FastSlowSystem(f"{s * p / q}*y + {s / p}*x**2", "1", window=(-9, 9))
    found = by_kind(orders(scaled, (-3, F(-1, 5))), "fold")[0]
    assert plain.constant == pytest.approx(OMEGA_0, rel=1e-14)
    # Y = q y and T = t / s turn dY/dT = e into dy/dt = e / (q s)
    assert found.constant == pytest.approx(OMEGA_0 * float(q) * float(1 / (q * s)) ** (2 / 3), rel=1e-13)
    for order in (plain, found):
        assert order.agrees and order.fitted.prefactor == pytest.approx(order.constant, rel=2e-3)


def test_the_late_jump_of_figure_4_is_behind_its_fold():
    """c* = (1, -1, 1, 1, 1), a0 = 9: the slow flow passes the fold at (0.1273, 8.355)."""
    study = preset("fig4")
    (fold,) = by_kind(orders(study.system, 9), "fold")
    assert fold.at == pytest.approx((0.1273198, 8.3554608), abs=1e-6)
    system = study.system
    R, a = fold.at
    h = 1e-5  # f_xx and f_y by differences of the paper's formula f = a (1 - R^2) (2 S' - a T') / 2
    f = [system.f(R + k * h, a) for k in (-1, 0, 1)]
    f_y = (system.f(R, a + h) - system.f(R, a - h)) / (2 * h)
    expected = OMEGA_0 * (2 * system.g(R, a) ** 2 / abs((f[0] - 2 * f[1] + f[2]) / h**2 * f_y)) ** (1 / 3)
    assert fold.constant == pytest.approx(expected, rel=1e-4)
    assert fold.agrees
    assert fold.fitted.exponent == pytest.approx(2 / 3, abs=1e-4)
    assert fold.fitted.prefactor == pytest.approx(fold.constant, rel=1e-4)


def test_the_first_correction_of_the_network_is_the_papers():
    """X_1 = alpha / (T' h'^2 S' (1 - R^2)) on a = h(R); a negative a0 is the mirror image."""
    c_star = [1, -1, 1]
    found = orders(fs.TwoLayer([1, 1, 1], c_star), 1)
    mirrored = orders(fs.TwoLayer([1, 1, 1], [-v for v in c_star]), -1)
    system, (R, _) = fs.TwoLayer([1, 1, 1], c_star), found[0].at
    slope = (system.h(R + 1e-6) - system.h(R - 1e-6)) / 2e-6
    paper = system.alpha(R) / (system.T(R, 1) * slope**2 * system.S(R, 1) * (1 - R**2))
    assert found[0].constant == pytest.approx(abs(paper), rel=1e-7)
    assert [order.constant for order in mirrored] == pytest.approx([order.constant for order in found], rel=1e-12)
    assert all(order.agrees for order in (*found, *mirrored))


def test_nothing_to_measure_on_invariant_lines_or_at_rest():
    assert orders("fig2-right", 1) == ()  # jumps to R = 1 at once
    assert orders("fig4", (1, 3)) == ()  # starts on it
    assert orders("cusp", (0, 1)) != ()


def test_unresolved_orders_say_so_and_too_few_rates_are_no_fit():
    _, second = orders("fig4", 10)
    assert second.fitted is None and second.agrees
    few = orders(fs.van_der_pol(), (2, 0), ["1/10", "1/100"])
    assert all(order.fitted is None and len(order.slow_rates) == 2 for order in few)
    assert few[0].document()["fitted"] is None


@pytest.mark.parametrize("rates", [[], [0], ["1/10", -1], None, 5])
def test_slow_rates_must_be_positive(rates):
    with pytest.raises(fs.InputError, match="slow_rates"):
        orders("fig4", 5, rates)
