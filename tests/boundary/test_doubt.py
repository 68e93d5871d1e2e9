"""Where the singular limit may be wrong: against the full system, and against the laws of the shift."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.boundary.doubt import doubtful_starts
from fastslow.boundary.singular import singular_boundary
from fastslow.sweeps.phase_map import phase_map
from fastslow.systems.families import Family, axis_of, family_of
from tests import naive

FIG5_LEFT = fs.TwoLayer([1] * 5, [1, -1, 0, 1, 1])
FIG7 = fs.TwoLayer([1, 1, 1], [1, -2, 1])


def _boundary(system, text):
    axis = axis_of(text, "x")
    return singular_boundary(family_of(system, axis.name), axis)


def _compared(system, *axes):
    """Return which cells of a singular map are wrong, and which are in doubt."""
    singular, exact = (phase_map(system, *axes, method=method) for method in ("singular", "exact"))
    names, others = (np.array(m.fates)[m.index] for m in (singular, exact))
    return names != others, singular.fields["doubtful"]


def test_figure_5():
    """Every wrong cell is in doubt, and few others are."""
    wrong, doubtful = _compared(FIG5_LEFT, "c_star[3]=-5:5:100", "a0=0.5:15:100")
    assert wrong.sum() >= 10 and not np.any(wrong & ~doubtful)
    assert doubtful.sum() <= 3 * wrong.sum()


def test_figure_7_where_the_fast_variable_is_not_fast():
    """The limit predicts learning below 0.37662; above eta_c = 0.2966 nothing learns, and all of it is in doubt."""
    wrong, doubtful = _compared(FIG7, "slow_rate=0.01:1.2:40", "a0=0.05:1.5:40")
    assert wrong.mean() > 0.15 and not np.any(wrong & ~doubtful)
    assert doubtful.sum() <= 1.2 * wrong.sum()
    found = doubtful_starts(_boundary(FIG7, "slow_rate=0.001:1.2"), [0.001, 0.3, 1.0], [0.05, 0.2, 0.35, 0.38, 1.0])
    np.testing.assert_array_equal(found, [[False] * 5, [True] * 3 + [False] * 2, [True] * 3 + [False] * 2])


@pytest.mark.parametrize("seed", range(2))
def test_random_planes(seed):
    c, c_star = naive.random_coefficients(300 + seed)
    system = fs.TwoLayer(c, c_star, Fraction(1 + seed, 4))
    wrong, doubtful = _compared(system, "c_star[2]=-3:3:40", "a0=0.2:6:60")
    assert not np.any(wrong & ~doubtful)


@pytest.mark.parametrize("rate", ["1/1000", "1/100"])
def test_the_shift_at_a_fold_goes_like_a_power_of_two_thirds(rate):
    """Where x' = y + x^2, y' = -eta (x + 3/2), starts pass the fold above 2.338 (3/2 eta)^(2/3) (Airy's zero)."""
    system = fs.FastSlowSystem("y + x**2", "-x - 3/2", slow_rate=rate, window=(-2, 2), start_fast=-1)
    boundary = singular_boundary(Family(("p",), lambda p: system), axis_of("p=0:1", "x"))
    starts = np.linspace(-0.5, 0.5, 4001)
    found = starts[doubtful_starts(boundary, [0.5], starts)[0]]
    expected = 2.33810741 * (1.5 * float(Fraction(rate))) ** (2 / 3)
    assert -0.05 < found[0] <= 0.0 and expected < found[-1] < 2 * expected


def test_a_small_slow_rate_leaves_little_doubt():
    shares = []
    for rate in (1, Fraction(1, 10), Fraction(1, 1000)):
        boundary = _boundary(family_of(FIG5_LEFT, "slow_rate").at(rate), "c_star[3]=-2:2")
        shares.append(doubtful_starts(boundary, np.linspace(-2, 2, 21), np.linspace(0.5, 15, 2001)).mean())
    assert shares[0] > 3 * shares[1] > 30 * shares[2]


def test_the_canards_of_van_der_pol():
    """The cycles of |a| < 1 grow at 1 - eta / 8 and not at 1, and for |1 - a^2| < 2 sqrt(eta) it is a focus."""
    boundary = _boundary(fs.van_der_pol(), "a=0:2")
    assert doubtful_starts(boundary, [0.5, 0.8, 0.95, 0.999, 1.05, 1.2], [0.0, 0.5]).any(axis=1).tolist() == [
        *(False, False, True, True, True, False),
    ]
