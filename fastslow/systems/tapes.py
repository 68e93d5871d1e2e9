"""Formulas as the lists of steps that kernels run (``fastslow.core.tape``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastslow.core import tape as core
from fastslow.systems.exponential_quotients import phi_order
from fastslow.systems.expressions import (
    FUNCTIONS,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    children,
    evaluate,
    hermite_order,
)
from fastslow.systems.root_quotients import FAMILIES, root_quotient_of

FloatArray = NDArray[np.float64]

_OPERATIONS = {name: int(getattr(core, name.upper())) for name in FUNCTIONS}


def tape(formulas: Sequence[Expression], names: Sequence[str]) -> FloatArray:
    """Return the tape of some formulas in some variables; what occurs more than once is evaluated once.

    Parameters
    ----------
    formulas : sequence of Expression
        The outputs.
    names : sequence of str
        The variables, in the order of the kernel's.
    """
    writer = _Writer(names)
    outputs = [writer.register(e) for e in formulas]
    steps = np.array(writer.steps, dtype=np.float64).reshape(-1)
    return np.concatenate(([len(writer.steps), len(outputs)], np.array(outputs, dtype=np.float64), steps))


def curve_parameters(formulas: Sequence[Expression], names: Sequence[str]) -> FloatArray:
    """Return the parameters of ``core.tape.tape_curve``: n - 1 formulas in n variables, then its test functions."""
    return np.concatenate(([float(len(names))], tape(formulas, names)))


class _Writer:
    def __init__(self, names: Sequence[str]) -> None:
        self.places = {name: i for i, name in enumerate(names)}
        self.steps: list[tuple[float, float, float]] = []
        self.written: dict[tuple[float, float, float], int] = {}
        self.known: dict[int, int] = {}
        self.kept: list[Expression] = []  # so that no id is used twice

    def step(self, operation: int, a: float, b: float) -> int:
        key = (float(operation), float(a), float(b))
        if key not in self.written:
            self.written[key] = len(self.places) + len(self.steps)
            self.steps.append(key)
        return self.written[key]

    def register(self, root: Expression) -> int:
        self.kept.append(root)
        # Below first, by hand: formulas may be deeper than Python's stack.
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self.known:
                stack.pop()
                continue
            below = [child for child in children(node) if id(child) not in self.known]
            if below:
                stack += below
            else:
                self.known[id(node)] = self.write(node)
                stack.pop()
        return self.known[id(root)]

    def write(self, node: Expression) -> int:
        match node:
            case Number(value):
                return self.step(core.CONSTANT, 0, float(value))
            case Variable(name):
                return self.places[name]
            case Sum(parts) | Product(parts):
                return self.chain(parts, isinstance(node, Sum))
            case Power(base, exponent):
                return self.step(core.POWER, self.known[id(base)], exponent)
            case Call(function, argument):
                order = hermite_order(function)
                at = self.known[id(argument)]
                if order is not None:
                    return self.step(core.HERMITE, at, order)
                if (phi := phi_order(function)) is not None:
                    return self.step(core.PHI, at, phi)
                if (quotient := root_quotient_of(function)) is not None:
                    number = core.FAMILY * FAMILIES.index(quotient[0]) + quotient[1]
                    return self.step(core.ROOT_QUOTIENT, at, number)
                if isinstance(argument, Number):
                    return self.step(core.CONSTANT, 0, float(evaluate(node, {})))
                return self.step(_OPERATIONS[function], at, 0)
        raise TypeError(f"{node!r} is no expression")

    def chain(self, parts: Sequence[Expression], is_sum: bool) -> int:
        """Sums and products of numbers and registers: the numbers are part of a step."""
        numbers = [float(part.value) for part in parts if isinstance(part, Number)]
        others = sorted(self.known[id(part)] for part in parts if not isinstance(part, Number))
        if not others:
            value = sum(numbers) if is_sum else float(np.prod(numbers))
            return self.step(core.CONSTANT, 0, value)
        total = others[0]
        for other in others[1:]:
            total = self.step(core.SUM if is_sum else core.PRODUCT, total, other)
        for value in numbers:
            total = self.step(core.SHIFTED if is_sum else core.SCALED, total, value)
        return total
