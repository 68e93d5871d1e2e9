"""What compiled functions of others do with their arrays: checked by calling them before they go into a kernel.

Compiled code does not check indices. A field that is written for more unknowns than it gets, or that leaves its
Jacobian unwritten, would make wrong numbers out of whatever lies in memory, without a word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastslow.errors import InputError
from fastslow.ode.solution import Compiled, FloatArray

__all__ = ["check_events", "check_field"]

_MARGIN = 64
"""Numbers round each array, in which reading and writing beyond its end shows."""
_FILLINGS = (1.25, -0.75)


def check_field(field: Compiled, p: FloatArray, u: FloatArray) -> None:
    """Refuse a field that does not fill in du and its Jacobian, or that goes beyond the ends of its arrays.

    Two calls in differently filled surroundings: an answer that differs was not written, or was made of what lies
    beyond an end. A field that is outside its domain at u is not checked.

    Raises
    ------
    InputError
        With the element that is wrong.
    """
    n = len(u)
    answers = _answers(field, (u, p), ((n,), (n, n)), (True,))
    if answers is None:
        return
    names = [f"du[{i}]" for i in range(n)] + [f"jacobian[{i}, {j}]" for i in range(n) for j in range(n)]
    _judge("field", field, answers, names, f"the {n} unknowns of the start and the {len(p)} parameters")


def check_events(function: Compiled, p: FloatArray, u: FloatArray, count: int) -> None:
    """Refuse event functions that do not fill in `count` values, or that go beyond the ends of their arrays.

    Raises
    ------
    InputError
        With the element that is wrong.
    """
    answers = _answers(function, (u, p), ((count,),), ())
    if answers is not None:
        names = [f"values[{i}]" for i in range(count)]
        _judge("events.function", function, answers, names, f"the {len(u)} unknowns and the {len(p)} parameters")


def _answers(
    function: Compiled, given: Sequence[FloatArray], shapes: Sequence[tuple[int, ...]], last: tuple[bool, ...]
) -> list[FloatArray] | None:
    """Each filling's answer with its margins, one array after the other; None where the function gives no answer."""
    answers = []
    for filling in _FILLINGS:
        inputs = [_framed(array.shape, filling) for array in given]
        outputs = [_framed(shape, filling) for shape in shapes]
        for (_, inner), array in zip(inputs, given, strict=True):
            inner[:] = array
        try:
            with np.errstate(all="ignore"):
                if function(*(inner for _, inner in (*inputs, *outputs)), *last) != 0:
                    return None
        except Exception:
            # not compiled, or of another signature, or its own: for the kernel's caller to say
            return None
        answers.append(np.concatenate([*(inner.ravel() for _, inner in outputs), *(frame for frame, _ in outputs)]))
    return answers


def _framed(shape: tuple[int, ...], filling: float) -> tuple[FloatArray, FloatArray]:
    """What lies behind an array, and the array; both filled."""
    size = int(np.prod(shape))
    whole = np.full(size + _MARGIN, filling)
    return whole[size:], whole[:size].reshape(shape)


def _judge(name: str, function: Compiled, answers: list[FloatArray], names: list[str], what: str) -> None:
    first, second = (answer[: len(names)] for answer in answers)
    if not all((a[len(names) :] == filling).all() for a, filling in zip(answers, _FILLINGS, strict=True)):
        raise InputError(
            name, function, "writes beyond the end of its arrays", f"It must serve {what}: is one of them too short?"
        )
    wrong = np.flatnonzero(~((first == second) | (np.isnan(first) & np.isnan(second))))
    if wrong.size == 0:
        return
    i = int(wrong[0])
    if (first[i], second[i]) == _FILLINGS:
        way_out = f"Write every element at each call, zeros too, for {what}"
        if names[i].startswith("jacobian"):
            way_out += "; where there is no formula for the derivatives, difference quotients of du do"
        raise InputError(name, function, f"does not write {names[i]}", way_out)
    raise InputError(name, function, f"makes {names[i]} of more than {what}", "Is one of them too short?")
