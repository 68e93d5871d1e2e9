"""The irreducible curves that make up the critical manifold f = 0."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fastslow.errors import InputError
from fastslow.systems.algebraic import Number, nearest_double, real_roots
from fastslow.systems.expressions import Expression
from fastslow.systems.polynomial_system import PolynomialSystem
from fastslow.systems.polynomials import Polynomial, by_fast_power, by_slow_power, formatted


class Shape(StrEnum):
    """How a curve lies in the plane of the fast variable x and the slow variable y."""

    FAST_LINE = "fast line"  # x = const: invariant under the flow
    SLOW_LINE = "slow line"  # y = const: every x is a fast equilibrium
    GRAPH = "graph"  # p_0(x) + p_1(x) y = 0
    ALGEBRAIC = "algebraic"  # degree two or more in y
    IMPLICIT = "implicit"  # a formula in both variables


CURVED = (Shape.GRAPH, Shape.ALGEBRAIC, Shape.IMPLICIT)
"""The shapes of curves that are no lines."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The zero set of one irreducible factor of f (of one real root of it, where it is a line).

    Attributes
    ----------
    polynomial : Polynomial or None
        Irreducible over the rationals; None where the factor is a formula.
    equation : str
        Its name, such as "a = h(R)".
    shape : Shape
        How it lies in the plane.
    position : Number or None
        The constant of a line.
    repeated : bool
        Whether the factor occurs more than once in f: then the curve is nowhere normally hyperbolic.
    expression : Expression or None
        The factor where it is a formula.
    names : tuple of str
        The fast and the slow variable of `expression`.
    factor : int
        The number of the factor of f where that is a formula; lines at several of its roots share it.
    """

    polynomial: Polynomial
    equation: str
    shape: Shape
    position: Number | None = None
    repeated: bool = False
    expression: Expression | None = None
    names: tuple[str, str] = ("x", "y")
    factor: int = -1


def irreducible_curves(system: PolynomialSystem) -> list[Curve]:
    """Return the curves of f = 0 that have real points in the window, graphs first.

    Raises
    ------
    InputError
        If f and g vanish together on a curve: then equilibria are not isolated.
    """
    counted: dict[str, tuple[Polynomial, int, str]] = {}
    for factor in system.factors:
        parts = factor.polynomial.factor()[1]
        for part, multiplicity in parts:
            key = formatted(part)
            seen = counted.get(key)
            equation = factor.equation if len(parts) == 1 else ""
            counted[key] = (part, multiplicity + (seen[1] if seen else 0), (seen[2] if seen else "") or equation)
    curves: list[Curve] = []
    for part, multiplicity, equation in counted.values():
        common = part.gcd(system.slow_field)
        if not common.is_constant():
            raise InputError(
                "slow_field",
                formatted(system.slow_field),
                f"vanishes with f on the whole curve {formatted(common)} = 0, so equilibria are not isolated",
                "Divide the common factor out of the system (a change of time) or change a coefficient",
            )
        curves += _curves_of(system, part, equation, multiplicity > 1)
    if not curves:
        raise InputError("factors", system.formula()[0], "has no zero in the window", "Widen the window")
    order = [Shape.GRAPH, Shape.ALGEBRAIC, Shape.FAST_LINE, Shape.SLOW_LINE]
    return sorted(curves, key=lambda curve: order.index(curve.shape))


def _curves_of(system: PolynomialSystem, p: Polynomial, equation: str, repeated: bool) -> list[Curve]:
    x, y = system.fast[0], system.slow[0]
    degree_x, degree_y = p.degrees()
    if degree_y <= 0:
        roots = real_roots(by_slow_power(p)[0], system.lower, system.upper)
        return [
            Curve(p, equation or f"{x} = {nearest_double(root):g}", Shape.FAST_LINE, root, repeated) for root in roots
        ]
    if degree_x <= 0:
        roots = real_roots(by_fast_power(p)[0])
        return [
            Curve(p, equation or f"{y} = {nearest_double(root):g}", Shape.SLOW_LINE, root, repeated) for root in roots
        ]
    shape = Shape.GRAPH if degree_y == 1 else Shape.ALGEBRAIC
    return [Curve(p, equation or f"{formatted(p)} = 0", shape, None, repeated)]
