"""How the integrator calls a field and its event functions: through a pointer, or built in.

Where a kernel is given the integer BUILT_IN for them it is compiled for
`polynomial_field` and `polynomial_events` in two unknowns, which takes a third of
the time of the calls through pointers. `call_field` and its like choose by type,
so that there is one text of the integrator.
"""

import numpy as np
from numba import types
from numba.extending import overload

from fastslow.core.polynomial import polynomial_field
from fastslow.core.polynomial_events import polynomial_events

BUILT_IN = np.int64(0)
"""No literal: the kernel for one and that for many share what is compiled for this type."""


def call_field(field, u, p, du, jacobian, with_jacobian):
    """Evaluate the field, and its Jacobian where it is wanted."""
    if isinstance(field, np.integer):
        return polynomial_field(u, p, du, jacobian, with_jacobian)
    return field(u, p, du, jacobian, with_jacobian)


@overload(call_field)
def _compile_field(field, u, p, du, jacobian, with_jacobian):
    if isinstance(field, types.Integer):
        return lambda field, u, p, du, jacobian, with_jacobian: polynomial_field(u, p, du, jacobian, with_jacobian)
    return lambda field, u, p, du, jacobian, with_jacobian: field(u, p, du, jacobian, with_jacobian)


def call_events(events, u, p, values):
    """Evaluate the event functions."""
    if isinstance(events, np.integer):
        return polynomial_events(u, p, values)
    return events(u, p, values)


@overload(call_events)
def _compile_events(events, u, p, values):
    if isinstance(events, types.Integer):
        return lambda events, u, p, values: polynomial_events(u, p, values)
    return lambda events, u, p, values: events(u, p, values)
