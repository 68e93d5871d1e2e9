"""Families: one number of a model is changed, all else stays; axes are read exactly."""

from fractions import Fraction

import numpy as np
import pytest

import fastslow as fs
from fastslow.systems.families import Axis, axis_of, family_of, parameters_of, start_names
from fastslow.systems.presets import system_of

MODEL = """
model = "polynomial"
fast = "u"
slow = "v"
f = "v + strength*u - u**3"
g = "shift**2 - u*v"
slow_rate = "1/50"
[parameters]
strength = 2
shift = "1/3"
"""


def test_one_number_is_changed():
    network = fs.TwoLayer([1, 2, 3], [1, -2, "1/3"], "1/7")
    assert family_of(network, "c_star[3]").at(5).c_star == (1, -2, 5)
    assert family_of(network, "c_1").at("1/9").c == (Fraction(1, 9), 2, 3)
    both = family_of(network, "c_star_2", "slow_rate")
    assert both.names == ("c_star[2]", "slow_rate")
    changed = both.at(-1, 2)
    assert (changed.c, changed.c_star, changed.slow_rate) == (network.c, (1, -1, Fraction(1, 3)), 2)
    assert family_of(fs.van_der_pol(), "a").at(3).slow_field == fs.van_der_pol(3).slow_field


def test_parameters_of_a_model_file_stay_parameters(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text(MODEL)
    system = system_of(str(path))
    family = family_of(str(path), "strength", "shift")
    changed = family.at(-1, 2)
    assert changed.f(0.5, 3.0) == 3.0 - 0.5 - 0.125
    assert changed.g(0.5, 3.0) == 4.0 - 1.5
    assert changed.parameters == {"strength": -1, "shift": 2}
    again = family_of(changed, "strength").at(7)
    assert again.f(1.0, 0.0) == 6.0
    assert again.g(0.5, 3.0) == changed.g(0.5, 3.0)
    assert parameters_of(system) == ("slow_rate", "start_fast", "strength", "shift")


def test_names():
    assert set(parameters_of(fs.TwoLayer([1, 1], [1, 2]))) == {
        *("slow_rate", "noise", "c[1]", "c[2]", "c_star[1]", "c_star[2]")
    }
    assert parameters_of(fs.fitzhugh_nagumo()) == ("current", "a", "b", "slow_rate")
    assert start_names(fs.TwoLayer([1, 1], [1, 1])) == ("R0", "a0")


@pytest.mark.parametrize("name", ["foo", "c_star[3]", "c[0]", "c", "model", "normalised", "c_star[-1]", "c_star[1"])
def test_no_parameter(name):
    with pytest.raises(fs.InputError, match="no parameter of this model") as caught:
        family_of(fs.TwoLayer([1, 1], [1, 2]), name)
    assert "Known: " in str(caught.value)


def test_a_parameter_named_twice():
    with pytest.raises(fs.InputError, match="twice"):
        family_of(fs.TwoLayer([1, 1], [1, 2]), "c[2]", "c_2")


def test_axes():
    axis = axis_of("c_star[3] = -5 : 5 : 101", "--x")
    assert axis == Axis("c_star[3]", Fraction(-5), Fraction(5), 101)
    assert axis.exact_values[51] == Fraction(1, 10)
    np.testing.assert_allclose(axis.values, np.linspace(-5, 5, 101), rtol=1e-15, atol=1e-15)
    assert axis_of("c_star_3=-99/64:0.1", "--x", 7) == Axis("c_star[3]", Fraction(-99, 64), Fraction(1, 10), 7)
    assert axis_of(axis, "--x") is axis
    assert axis_of(str(axis), "--x") == axis


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c_star[3]", "NAME=LOW:HIGH"),
        ("=1:2", "NAME=LOW:HIGH"),
        ("a0=1", "NAME=LOW:HIGH"),
        ("a0=1:2:3:4", "NAME=LOW:HIGH"),
        ("a0=2:1", "reversed"),
        ("a0=1:1", "empty"),
        ("a0=1:nan", "--x HIGH"),
        ("a0=1:2:1", "COUNT"),
        ("a0=1:2:-3", "COUNT"),
        ("a0=1:2:1e3", "COUNT"),
        ("a0=1:2:99999999999999999999", "COUNT"),
        ("a0=1:2:", "COUNT"),
    ],
)
def test_bad_axes(text, message):
    with pytest.raises(fs.InputError) as caught:
        axis_of(text, "--x")
    assert message in str(caught.value) and "--x" in str(caught.value)
