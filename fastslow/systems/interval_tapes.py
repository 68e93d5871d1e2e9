"""Formulas on many boxes at once: lists of steps, run with intervals of doubles, flint's balls or doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from fastslow.systems.balls import Ball, function_of, powered
from fastslow.systems.expressions import (
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    hermite_order,
    hermite_rows,
    value_of,
)
from fastslow.systems.intervals import (
    Interval,
    added,
    function_of_interval,
    multiplied,
    powered_interval,
    rounded_out,
    subtracted,
)
from fastslow.systems.polynomials import rational

Array = NDArray[np.float64]


class Tape:
    """Formulas in the variables `names`, common parts computed once.

    Parameters
    ----------
    expressions : sequence of Expression
        What is computed.
    names : sequence of str
        The order of the variables.
    """

    def __init__(self, expressions: Sequence[Expression], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.steps: list[tuple[Any, ...]] = []
        self._place: dict[tuple[Any, ...], int] = {}
        self._known: dict[int, int] = {}
        self.expressions = tuple(expressions)
        self.outputs = tuple(self._add(e) for e in self.expressions)
        self.jumps = tuple(self._jumps_below(k) for k in self.outputs)

    def _step(self, *step: Any) -> int:
        if step not in self._place:
            self._place[step] = len(self.steps)
            self.steps.append(step)
        return self._place[step]

    def _add(self, e: Expression) -> int:
        if id(e) not in self._known:
            self._known[id(e)] = self._new(e)
        return self._known[id(e)]

    def _new(self, e: Expression) -> int:
        match e:
            case Number(value):
                return self._step("number", value)
            case Variable(name):
                return self._step("variable", self.names.index(name))
            case Sum(terms):
                total = self._add(terms[0])
                for term in terms[1:]:
                    total = self._step("add", total, self._add(term))
                return total
            case Product(factors):
                counted = Counter(self._add(factor) for factor in factors)
                places = [k if count == 1 else self._step("power", k, count) for k, count in counted.items()]
                total = places[0]
                for place in places[1:]:
                    total = self._step("multiply", total, place)
                return total
            case Power(base, exponent):
                return self._step("power", self._add(base), exponent)
            case Call(function, argument):
                return self._step("call", function, self._add(argument))
        raise TypeError(f"{e!r} is no expression")

    def _jumps_below(self, output: int) -> tuple[int, ...]:
        """The arguments of the sign functions on which an output depends: where one is zero, the output may jump."""
        seen: set[int] = set()
        found, stack = set(), [output]
        while stack:
            k = stack.pop()
            if k in seen:
                continue
            seen.add(k)
            kind, *rest = self.steps[k]
            if kind == "call":
                if rest[0] == "sign":
                    found.add(rest[1])
                stack.append(rest[1])
            elif kind == "power":
                stack.append(rest[0])
            elif kind in ("add", "multiply"):
                stack += rest
        return tuple(sorted(found))

    def _run(self, arithmetic: Any, values: Sequence[Any]) -> list[Any]:
        done: list[Any] = []
        for step in self.steps:
            match step:
                case ("number", value):
                    done.append(arithmetic.number(value))
                case ("variable", index):
                    done.append(values[index])
                case ("add", a, b):
                    done.append(arithmetic.add(done[a], done[b]))
                case ("multiply", a, b):
                    done.append(arithmetic.multiply(done[a], done[b]))
                case ("power", a, exponent):
                    done.append(arithmetic.power(done[a], exponent))
                case ("call", function, a):
                    order = hermite_order(function)
                    if order is None:
                        done.append(arithmetic.call(function, done[a]))
                    else:
                        done.append(arithmetic.hermite(done[a], order))
        return done

    def intervals(self, boxes: Sequence[Interval]) -> tuple[list[Interval], list[NDArray[np.bool_]]]:
        """Return enclosures of the outputs over boxes, and where each output may jump inside its box.

        Parameters
        ----------
        boxes : sequence of Interval
            Lower and upper ends of each variable, arrays of one shape.
        """
        shape = np.shape(boxes[0][0])
        with np.errstate(all="ignore"):
            done = self._run(_Intervals, boxes)
        results = [tuple(np.broadcast_to(end, shape) for end in done[k]) for k in self.outputs]
        jumps = []
        for places in self.jumps:
            jump = np.zeros(shape, dtype=bool)
            for k in places:
                jump |= ~((done[k][0] > 0) | (done[k][1] < 0))
            jumps.append(jump)
        return results, jumps  # type: ignore[return-value]

    def balls(self, values: Sequence[Ball]) -> list[Ball]:
        """Return enclosures of the outputs at flint's balls, with the working precision."""
        done = self._run(_Balls, values)
        return [done[k] for k in self.outputs]

    def doubles(self, values: Sequence[Any]) -> list[Any]:
        """Return the outputs at points, in doubles."""
        with np.errstate(all="ignore"):
            done = self._run(_Doubles, values)
        return [done[k] for k in self.outputs]


class _Intervals:
    number = staticmethod(rounded_out)
    add = staticmethod(added)
    multiply = staticmethod(multiplied)
    power = staticmethod(powered_interval)
    call = staticmethod(function_of_interval)

    @staticmethod
    def hermite(a: Interval, order: int) -> Interval:
        before, now = (0.0, 0.0), (1.0, 1.0)
        for k in range(order):
            before, now = now, subtracted(multiplied(a, now), multiplied((float(k), float(k)), before))
        return now


class _Balls:
    power = staticmethod(powered)
    call = staticmethod(function_of)

    @staticmethod
    def number(value: Fraction) -> Ball:
        return flint.arb(rational(value))

    @staticmethod
    def add(a: Ball, b: Ball) -> Ball:
        return a + b

    @staticmethod
    def multiply(a: Ball, b: Ball) -> Ball:
        return a * b

    @staticmethod
    def hermite(a: Ball, order: int) -> Ball:
        *_, last = hermite_rows(a, order)
        return last


class _Doubles:
    number = staticmethod(float)

    @staticmethod
    def add(a: Any, b: Any) -> Any:
        return a + b

    @staticmethod
    def multiply(a: Any, b: Any) -> Any:
        return a * b

    @staticmethod
    def power(a: Any, exponent: int) -> Any:
        return np.float64(a) ** float(exponent) if np.ndim(a) == 0 else a ** float(exponent)

    @staticmethod
    def call(function: str, a: Any) -> Any:
        return value_of(function, a)

    @staticmethod
    def hermite(a: Any, order: int) -> Any:
        *_, last = hermite_rows(a, order)
        return last
