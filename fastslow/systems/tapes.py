"""Formulas as the lists of steps that kernels run (``fastslow.core.tape``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastslow.core import operations
from fastslow.core.operations import HEAD, WIDTH
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
    hermite_order,
)
from fastslow.systems.root_quotients import FAMILIES, root_quotient_of

FloatArray = NDArray[np.float64]

_OPERATIONS = {name: int(getattr(operations, name.upper())) for name in FUNCTIONS}
_SMALLEST, _LARGEST = 1e-150, 1e150
"""Beyond these, numbers are not taken out of a product, which could overflow."""


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
    outputs = [writer.output(e) for e in formulas]
    steps = np.array(writer.steps, dtype=np.float64).reshape(-1)
    return np.concatenate(([len(writer.steps), len(outputs)], np.array(outputs, dtype=np.float64), steps))


def curve_parameters(formulas: Sequence[Expression], names: Sequence[str]) -> FloatArray:
    """Return the parameters of ``core.tape.tape_curve``: n - 1 formulas in n variables, then its test functions."""
    return np.concatenate(([float(len(names))], tape(formulas, names)))


def member_tapes(steps: FloatArray, values: FloatArray) -> FloatArray:
    """Return the tape for each value of its last variable, which becomes a step of its own; shape (n, size)."""
    outputs = HEAD + int(steps[1])
    own = np.tile(
        np.concatenate((steps[:outputs], [operations.CONSTANT, *[0.0] * (WIDTH - 1)], steps[outputs:])),
        (len(values), 1),
    )
    own[:, 0] += 1.0
    own[:, outputs + 3] = values
    return own


@dataclass(frozen=True)
class _Term:
    """The number scale (r + before) + after, with r the content of a register; after alone where that is None.

    Numbers go along to the step that uses the register, and are added and multiplied in the order in which they are
    written: near a zero of x - c no digits are lost.
    """

    register: int | None
    scale: float = 1.0
    before: float = 0.0
    after: float = 0.0

    def plus(self, number: float) -> _Term:
        """Return the term with a number added."""
        if self.scale == 1.0 and self.after == 0.0:
            return replace(self, before=self.before + number)
        return replace(self, after=self.after + number)

    def times(self, number: float) -> _Term:
        """Return the term multiplied by a number."""
        return replace(self, scale=self.scale * number, after=self.after * number)


class _Writer:
    def __init__(self, names: Sequence[str]) -> None:
        self.places = {name: i for i, name in enumerate(names)}
        self.steps: list[tuple[float, ...]] = []
        self.written: dict[tuple[float, ...], int] = {}
        self.known: dict[int, _Term] = {}
        self.kept: list[Expression] = []  # so that no id is used twice

    def step(self, operation: int, a: int, b: int, *numbers: float) -> int:
        """Return the register of a step, written once."""
        key = (float(operation), float(a), float(b), *numbers)
        if key not in self.written:
            self.written[key] = len(self.places) + len(self.steps)
            self.steps.append(key)
        return self.written[key]

    def output(self, root: Expression) -> int:
        """Return the register of a formula."""
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
                self.known[id(node)] = self.term(node)
                stack.pop()
        return self.register(self.known[id(root)])

    def register(self, term: _Term) -> int:
        """Return a register with the value of a term."""
        if term.register is None:
            return self.step(operations.CONSTANT, 0, 0, term.after, 0.0, 0.0)
        if (term.scale, term.before, term.after) == (1.0, 0.0, 0.0):
            return term.register
        return self.step(operations.AFFINE, term.register, 0, term.scale, term.before, term.after)

    def term(self, node: Expression) -> _Term:
        match node:
            case Number(value):
                return _Term(None, after=float(value))
            case Variable(name):
                return _Term(self.places[name])
            case Sum(parts):
                return self.sum([self.known[id(part)] for part in parts])
            case Product(parts):
                return self.product([self.known[id(part)] for part in parts])
            case Power(base, exponent):
                return self.function(operations.POWER, exponent, self.known[id(base)])
            case Call(function, argument):
                inner = self.known[id(argument)]
                if (order := hermite_order(function)) is not None:
                    return self.function(operations.HERMITE, order, inner)
                if (order := phi_order(function)) is not None:
                    return self.function(operations.PHI, order, inner)
                if (quotient := root_quotient_of(function)) is not None:
                    number = operations.FAMILY * FAMILIES.index(quotient[0]) + quotient[1]
                    return self.function(operations.ROOT_QUOTIENT, number, inner)
                return self.function(_OPERATIONS[function], 0, inner)
        raise TypeError(f"{node!r} is no expression")

    def function(self, operation: int, order: int, inner: _Term) -> _Term:
        """A function of a term."""
        if inner.register is None:
            inner = _Term(self.register(inner))
        return _Term(self.step(operation, inner.register or 0, order, inner.scale, inner.before, inner.after))

    def sum(self, terms: Sequence[_Term]) -> _Term:
        """The sum of terms: numbers last."""
        number = sum(term.after for term in terms if term.register is None)
        others = sorted((t for t in terms if t.register is not None), key=lambda t: (t.register, t.scale))
        if len(others) < 2:
            return others[0].plus(number) if others else _Term(None, after=number)
        total = self.summand(others[0])
        for k, other in enumerate(others[1:]):
            a, s, v = total
            b, t, more = self.summand(other)
            v += more + (number if k == len(others) - 2 else 0.0)
            total = self.step(operations.SUM, a, b, s, t, v), 1.0, 0.0
        return _Term(total[0])

    def summand(self, term: _Term) -> tuple[int, float, float]:
        """A term as (register, scale, number): numbers that are added before others are multiplied stay so."""
        if term.before == 0.0 or term.scale == 1.0:
            return term.register or 0, term.scale, term.before + term.after
        return self.register(replace(term, scale=1.0, after=0.0)), term.scale, term.after

    def product(self, terms: Sequence[_Term]) -> _Term:
        """The product of terms: numbers that multiply them are taken out, to be part of a later step."""
        number = float(np.prod([term.after for term in terms if term.register is None]))
        others = [term for term in terms if term.register is not None]
        if len(others) < 2:
            return others[0].times(number) if others else _Term(None, after=number)
        factors = []
        for term in others:
            if term.after != 0.0 or not _SMALLEST < abs(number * term.scale) < _LARGEST:
                factors.append((self.register(term), 0.0))
            else:
                number *= term.scale
                factors.append((term.register or 0, term.before))
        total, *rest = sorted(factors)
        for other in rest:
            (a, s), (b, t) = sorted((total, other))
            total = self.step(operations.PRODUCT, a, b, s, t, 0.0), 0.0
        return _Term(total[0], number)
