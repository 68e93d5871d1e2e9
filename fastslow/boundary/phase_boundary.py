"""The phase boundary of a model over one parameter, in either limit."""

from __future__ import annotations

from typing import Literal

from fastslow.boundary.curves import FullBoundary
from fastslow.boundary.full import full_boundary
from fastslow.boundary.singular import SingularBoundary, singular_boundary
from fastslow.errors import InputError
from fastslow.progress import Progress
from fastslow.systems.families import Axis, axis_of, family_of
from fastslow.systems.presets import system_of
from fastslow.systems.system import FastSlowSystem

Limit = Literal["singular", "ode"]


def phase_boundary(
    model: FastSlowSystem | str,
    x: Axis | str,
    *,
    limit: Limit = "ode",
    starts: tuple[float, float] | None = None,
    progress: Progress | None = None,
) -> FullBoundary | SingularBoundary:
    """Return where the fate of a start (start_fast, y) changes, as curves y(p) over a parameter p, with corners.

    Parameters
    ----------
    model : FastSlowSystem or str
        A system, a preset or a model file.
    x : Axis or str
        The parameter and its interval: "c_star[3]=-5:5", or its name alone where the model has a range for it.
    limit : {"ode", "singular"}
        The full system at its slow rate, where stable manifolds of saddles meet the line of starts; or the limit
        slow_rate -> 0, where the curves are heights of special points.
    starts : pair of float, optional
        The range of y that is wanted from the full system; all unless given.
    progress : callable, optional
        Called as progress(done, all) with intervals of the parameter that are done.

    Raises
    ------
    InputError
        If the model has no such parameter, or depends on it neither as a polynomial nor by formulas.

    Examples
    --------
    >>> found = phase_boundary("fig5-left", "c_star[3]=-5:5", starts=(0.5, 15))
    >>> print(f"{found.thresholds_at([1])[0][0]:.7f}")
    9.3117517
    """
    system = system_of(model)
    axis = axis_of(x, "x", system=system)
    family = family_of(system, axis.name)
    if limit == "ode":
        return full_boundary(family, axis, starts=starts, progress=progress)
    if limit == "singular":
        return singular_boundary(family, axis, progress=progress)
    raise InputError("limit", limit, "is no limit", "Known: ode, singular")
