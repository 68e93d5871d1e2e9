"""Two-layer networks from an activation and a link of any form."""

from __future__ import annotations

from typing import Any

from fastslow.errors import InputError
from fastslow.systems.activations import Activation, HermiteExpansion, hermite_expansion
from fastslow.systems.exact import Real, exact, plain
from fastslow.systems.hermite_forms import root_factorial
from fastslow.systems.two_layer import TwoLayer

TRUNCATED = "Certified is the model truncated at k ="
"""How the note on a series that was cut begins."""


def two_layer(
    activation: Activation | HermiteExpansion,
    link: Activation | HermiteExpansion,
    *,
    order: int | None = None,
    slow_rate: Real = 1,
    noise: Real = 0,
) -> TwoLayer:
    """Return the two-layer network of an activation sigma and a teacher's link sigma*, as Hermite series cut at K.

    Parameters
    ----------
    activation, link : str, callable, samples, coefficients or HermiteExpansion
        See `hermite_expansion`: "gelu", "he1 + 0.5*he3", numpy.tanh, (x, values), or c_1, c_2, ...
    order : int, optional
        The last k = K. Without it, 15 or the degree of a longer polynomial; the larger degree of two polynomials.
    slow_rate, noise : number, optional
        As in `TwoLayer`.

    Returns
    -------
    TwoLayer
        Its `table` names the activation and the link if both are text or coefficients; its `notes` say what the
        series leave out, |S - S_K| <= t t* |R|^(K+1) and 0 <= T - T_K <= t^2 R^(2K+2) with the tails t and t*, and what
        Assumptions 3 and 4 of the paper say about the functions.

    Raises
    ------
    InputError
        If a function cannot be expanded, or the coefficients do not define a network (see `TwoLayer`).

    Examples
    --------
    >>> network = two_layer("tanh", "he1 + 0.5*he3", order=9)
    >>> network.table()
    {'model': 'two_layer', 'activation': 'tanh', 'link': 'he1 + 0.5*he3', 'order': 9, 'slow_rate': 1, 'noise': 0}
    """
    if order is None:
        order = max(_expansion(activation, "activation").order, _expansion(link, "link").order)
    own, star = _expansion(activation, "activation", order), _expansion(link, "link", order)
    c, c_star = ([exact(v, name) for v in e.coefficients] for e, name in ((own, "c"), (star, "c_star")))
    source: dict[str, Any] = {}
    for e, name, letter, values in ((own, "activation", "c", c), (star, "link", "c_star", c_star)):
        source |= {letter: [plain(v) for v in values]} if e.text is None else {name: e.text}
    named = own.text is not None or star.text is not None
    return TwoLayer(
        c,
        c_star,
        slow_rate,
        noise,
        source={**source, "order": own.order} if named else None,
        remarks=_remarks(own, star),
    )


def _expansion(value: Activation | HermiteExpansion, field: str, order: int | None = None) -> HermiteExpansion:
    try:
        return hermite_expansion(value, order)
    except InputError as error:
        if error.field == "activation":
            raise InputError(field, error.value, error.rule, error.way_out) from error
        raise


def _remarks(own: HermiteExpansion, star: HermiteExpansion) -> tuple[str, ...]:
    """Return what the series leave out, and what Assumptions 3 and 4 say of the functions."""
    both = (("activation", own), ("link", star))
    means = [f"E[{e.name}] = {e.mean:.6g} of the {role}" for role, e in both if e.mean]
    remarks = (
        [f"Dropped: {' and '.join(means)}; the model has no k = 0 term, its functions are centred"] if means else []
    )
    tails = [f"{e.tail:.3g} of {e.norm:.3g} for the {role}" for role, e in both if e.tail]
    if tails:
        power, twice = own.order + 1, 2 * own.order + 2
        effects = [f"T by up to {own.tail**2:.3g} R^{twice}"] if own.tail else []
        effects += [f"S by up to {own.tail * star.tail:.3g} |R|^{power}"] if own.tail and star.tail else []
        effects += [f"the test loss by {star.tail**2 / 2:.3g}"] if star.tail else []
        remarks.append(
            f"{TRUNCATED} {own.order}. The tail (sum k! c_k^2)^(1/2) beyond is "
            f"{' and '.join(tails)}; it changes {', '.join(effects)}"
        )
    doubts = [f"{_largest_error(e):.1g} for the {role}" for role, e in both if not e.exact]
    if doubts:
        remarks.append(
            f"Coefficients are doubles with errors of c_k sqrt(k!) about {' and '.join(doubts)}; smaller ones are zero"
        )
    return (*remarks, _assumption(3, "link", star, 1), _assumption(4, "activation", own, 2))


def _largest_error(e: HermiteExpansion) -> float:
    return max(error * root_factorial(k) for k, error in enumerate(e.errors, start=1))


def _assumption(number: int, role: str, e: HermiteExpansion, derivatives: int) -> str:
    """Assumption 3 asks for sigma*', 4 for sigma' and sigma'', all polynomially bounded."""
    wanted = "its first derivative exists" if derivatives == 1 else "its first two derivatives exist"
    asks = f"Assumption {number} asks that {wanted} and all are polynomially bounded"
    if e.exact:
        return f"Assumption {number}: the {role} is a polynomial, smooth and polynomially bounded"
    if derivatives in e.bounded:
        return f"Assumption {number}: the {role} {e.name} and its derivatives are smooth and polynomially bounded"
    if e.kinks:
        places = ", ".join(f"{x:.6g}" for x in e.kinks[:3]) + (", ..." if len(e.kinks) > 3 else "")
        return f"{asks}: not so for the {role} {e.name}, with a kink or jump at x = {places}"
    if e.text is None:
        return f"{asks}: not checked for the {role} {e.name}"
    return f"{asks}: not shown for the {role} {e.name}"
