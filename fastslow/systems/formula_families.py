"""Families of systems of formulas, with the parameters as variables of the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fastslow.errors import InputError
from fastslow.systems.expression_factors import Factored, factored
from fastslow.systems.expression_facts import nodes
from fastslow.systems.expressions import Expression, Number, Variable, multiply
from fastslow.systems.families import Family
from fastslow.systems.formula_system import FormulaSystem
from fastslow.systems.formulas import parse_formula
from fastslow.systems.parameters import parameter_values

Bounds = tuple[tuple[Fraction, Fraction], ...]

_SHARES = (Fraction(31, 83), Fraction(0), Fraction(1), Fraction(53, 83))
"""Where in the ranges of the parameters members are tried."""


@dataclass(frozen=True, eq=False)
class FormulaFamily:
    """x' = f, y' = slow_rate g with formulas in (x, y, parameters).

    Attributes
    ----------
    names : tuple of str
        x, y, and the parameters.
    window : pair of pairs of Fraction
        Of x and y.
    fast_field, slow_field, slow_rate : Expression
        f, g and the slow rate.
    factors : Factored
        f as a product; factors in the parameters alone are among its parts.
    """

    names: tuple[str, ...]
    window: Bounds
    fast_field: Expression
    slow_field: Expression
    slow_rate: Expression
    factors: Factored


def formula_member(family: Family, ranges: Bounds) -> FormulaSystem | None:
    """Return a member of a family that is a system of formulas, None where those that are tried are polynomials.

    A family such as x**n has polynomials among its members too.
    """
    for share in _SHARES:
        try:
            member = family.at(*(low + (high - low) * share for low, high in ranges))
        except InputError:
            continue
        if isinstance(member, FormulaSystem):
            return member
    return None


def formulas_of(family: Family, sample: FormulaSystem) -> FormulaFamily:
    """Return a family with its parameters as variables of its formulas.

    Parameters
    ----------
    family : Family
        Of systems of formulas.
    sample : FormulaSystem
        A member: the other parameters, the window and the names are read from it.

    Raises
    ------
    InputError
        If f and g cannot be written as formulas in a parameter, or neither f nor g nor the slow rate depends on it.
    """
    table = sample.table()
    names = (*sample.names, *family.names)
    values = {key: value for key, value in parameter_values(table).items() if key not in family.names}
    entries = [parse_formula(t, names, f"f[{i}]", values, family.names) for i, t in enumerate(table["f"])]
    g = parse_formula(table["g"], names, "g", values, family.names)
    rate = Variable("slow_rate") if "slow_rate" in names else Number(sample.slow_rate)
    f = multiply(*entries)
    used = {node.name for e in (f, g, rate) for node in nodes(e) if isinstance(node, Variable)}
    for name in family.names:
        if name not in used:
            rule = "enters neither f nor g nor the slow rate"
            raise InputError("parameter", name, rule, "Vary a parameter of the equations")
    window = ((sample.lower, sample.upper), sample.slow_window)
    return FormulaFamily(names, window, f, g, rate, factored(entries, names))
