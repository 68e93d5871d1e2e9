"""The exact polynomials of a family agree with its members, and what is no polynomial is refused."""

from fractions import Fraction

import pytest

import fastslow as fs
from fastslow.systems.families import Family, family_of
from fastslow.systems.family_polynomials import polynomials_of
from fastslow.systems.polynomials import rational


def _at(p, values):
    return p.subs({f"parameter_{k}": rational(Fraction(v)) for k, v in enumerate(values, 1)}).to_dict()


@pytest.mark.parametrize(
    ("system", "names", "ranges", "values"),
    [
        (fs.TwoLayer([1, 2, 3], [1, -2, "1/3"]), ("c_star[3]",), [(-5, 5)], ("22/7",)),
        (fs.TwoLayer([1, 2, 3], [1, -2, "1/3"]), ("c[1]", "c_star[2]"), [(-1, 1), (0, 3)], ("22/7", -8)),
        (fs.TwoLayer([1, 2, 3], [1, -2, "1/3"]), ("slow_rate",), [(-1, 1)], ("22/7",)),
        (fs.fitzhugh_nagumo(), ("b", "current"), [(0, 1), (0, 1)], (7, "1/9")),
    ],
)
def test_members(system, names, ranges, values):
    family = family_of(system, *names)
    found = polynomials_of(family, [(Fraction(low), Fraction(high)) for low, high in ranges])
    member = family.at(*values)
    zeros = (0,) * len(names)

    def lifted(p):
        return {(*powers, *zeros): value for powers, value in p.to_dict().items()}

    assert [_at(p, values) for p in found.factors] == [lifted(f.polynomial) for f in member.factors]
    assert _at(found.slow_field, values) == lifted(member.slow_field)
    assert _at(found.slow_rate, values) == {(0, 0, *zeros): rational(member.slow_rate)}
    assert _at(found.fast_field, values) == lifted(member.fast_field)


def _built(power):
    x, y = fs.variables("x", "y")
    return Family(("p",), lambda p: fs.FastSlowSystem([y - x**3 + rational(p) ** power * x], x - y))


def test_high_degrees_and_what_is_none():
    found = polynomials_of(_built(12), [(Fraction(1), Fraction(2))])
    assert found.factors[0].degrees() == (3, 1, 12)
    with pytest.raises(fs.InputError, match="degree up to 16"):
        polynomials_of(_built(-1), [(Fraction(1), Fraction(2))])
    with pytest.raises(fs.InputError, match="degree up to 16"):
        polynomials_of(_built(25), [(Fraction(1), Fraction(2))])


def test_a_range_without_a_model():
    with pytest.raises(fs.InputError, match="slow_rate"):
        polynomials_of(family_of(fs.van_der_pol(), "slow_rate"), [(Fraction(-2), Fraction(-1))])
