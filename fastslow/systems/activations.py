"""Activations and links of any form as Hermite series, with what is dropped and how sure each coefficient is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastslow.errors import InputError
from fastslow.systems.exact import exact_list
from fastslow.systems.expression_facts import coefficients, kinks, polynomially_bounded
from fastslow.systems.expression_text import parse_expression
from fastslow.systems.expressions import evaluate, hermite_rows
from fastslow.systems.gaussian_quadrature import EDGE, Projection, RealFunction, hermite_functions, project
from fastslow.systems.hermite_forms import closed_form, hermite_of_powers, root_factorial

FloatArray = NDArray[np.float64]

Activation = str | Callable[[FloatArray], ArrayLike] | Sequence[Any]
"""A name or formula, a function of arrays, samples (x, values), or coefficients c_1, c_2, ..."""

MOST_ORDERS = 100
USUAL_ORDER = 15
"""The order of a series that does not end by itself, where none is given."""
_USUAL_TOLERANCE = 1e-12
_MOST_SAMPLES = 2000
_LEAST_COVER = 5.0
_SMALLEST = 1e-60
"""Of the norm: the squares of smaller coefficients would leave the range of doubles."""


@dataclass(frozen=True)
class HermiteExpansion:
    """The series sigma(z) ~ mean + sum_k c_k He_k(z), k = 1, ..., K, in the probabilists' polynomials.

    Attributes
    ----------
    name : str
        What was expanded.
    coefficients : tuple of float or Fraction
        c_k = E[sigma(z) He_k(z)] / k!, k = 1, ..., K. Fractions are exact. What cannot be told from zero is zero.
    mean : float
        The term k = 0, E[sigma(z)], which the network leaves out: its functions are centred.
    errors : tuple of float
        Estimates of the errors of the coefficients, zero where they are exact.
    tail : float
        What the series leaves out, (sum_{k > K} k! c_k^2)^(1/2), rounding included.
    norm : float
        E[sigma(z)^2]^(1/2).
    method : str
        "polynomial" and "coefficients" are exact; "closed form", "quadrature", "samples".
    kinks : tuple of float
        Where the function has kinks or jumps, as far as they are known.
    bounded : tuple of int
        The derivatives, 0 the function itself, that are shown to exist everywhere and to be bounded by polynomials.
    """

    name: str
    coefficients: tuple[float | Fraction, ...]
    mean: float
    errors: tuple[float, ...]
    tail: float
    norm: float
    method: str
    kinks: tuple[float, ...] = ()
    bounded: tuple[int, ...] = ()
    text: str | None = field(default=None, repr=False)
    """The formula, where there is one to expand again."""

    @property
    def order(self) -> int:
        """The last k."""
        return len(self.coefficients)

    @property
    def exact(self) -> bool:
        """Whether the coefficients are exact."""
        return self.method in ("polynomial", "coefficients")

    @property
    def normalised(self) -> FloatArray:
        """b_k = c_k sqrt(k!), k = 1, ..., K."""
        return np.array([float(v) * root_factorial(k) for k, v in enumerate(self.coefficients, start=1)])

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Return the value mean + sum_k c_k He_k(x) of the series."""
        rows = hermite_rows(np.asarray(x, dtype=np.float64), self.order)
        return np.asarray(
            sum(c * row for c, row in zip([self.mean, *map(float, self.coefficients)], rows, strict=True))
        )


def hermite_expansion(
    activation: Activation,
    order: int | None = None,
    *,
    tolerance: float = _USUAL_TOLERANCE,
    kinks: Sequence[float] = (),
) -> HermiteExpansion:
    """Expand a function of a standard normal variable in Hermite polynomials.

    Parameters
    ----------
    activation : str, callable, samples or coefficients
        A name or formula of `parse_expression` ("gelu", "he1 + 0.5*he3", "tanh(2*x) + x/10"); a function of arrays;
        a pair (x, values) of up to 2000 samples on [-5, 5] or more, joined by a cubic spline and continued by straight
        lines, with an error told by every second sample; or numbers c_1, c_2, ...
    order : int, optional
        The last k, 1 to 100. Without it, the degree of a polynomial, 15 for all else.
    tolerance : float, optional
        Largest error of b_k = c_k sqrt(k!), relative to E[sigma^2]^(1/2).
    kinks : sequence of float, optional
        Where a function has kinks, which saves time; those of formulas are known.

    Returns
    -------
    HermiteExpansion

    Raises
    ------
    InputError
        If the formula cannot be read, or the function is not finite, grows too fast (exp(x**2)), is not square
        integrable or cannot be resolved to the tolerance.

    Notes
    -----
    Integrals by Gauss-Legendre panels that are halved until nothing changes, or in closed form; a polynomial is
    expanded exactly. The tail is the norm of what is left, so that it is right to about 1e-15 of the norm, where
    the difference E[sigma^2] - sum_k k! c_k^2 of Parseval's theorem would hide all below 1e-8.

    Examples
    --------
    >>> from fastslow import hermite_expansion
    >>> relu = hermite_expansion("relu", 4)
    >>> [float(round(c, 6)) for c in relu.coefficients], round(relu.mean, 6), round(relu.tail, 6)
    ([0.5, 0.199471, 0.0, -0.016623], 0.398942, 0.068089)
    """
    if order is not None:
        order = _order(order)
    _check_tolerance(tolerance)
    if isinstance(activation, HermiteExpansion):
        return activation if order is None else cut(activation, order)
    if isinstance(activation, str):
        return _of_text(activation, order, tolerance)
    if callable(activation):
        return _of_function(activation, order or USUAL_ORDER, tolerance, kinks)
    if _is_pair(activation):
        return _of_samples(activation[0], activation[1], order or USUAL_ORDER)
    return _of_coefficients(exact_list(activation, "activation"), order)


def cut(expansion: HermiteExpansion, order: int) -> HermiteExpansion:
    """Return a series with fewer terms, or an exact one with zeros behind it.

    Raises
    ------
    InputError
        If terms are wanted that are not known.
    """
    c, errors, more = expansion.coefficients, expansion.errors, order - expansion.order
    if more > 0 and expansion.tail > 0:
        rule = f"has {expansion.order} known coefficients, not {order}"
        raise InputError("order", order, f"the expansion {expansion.name} {rule}", "Expand the function again")
    lost = expansion.normalised[order:]
    return replace(
        expansion,
        coefficients=(*c[:order], *([Fraction(0)] * more)),
        errors=(*errors[:order], *([0.0] * more)),
        tail=math.hypot(expansion.tail, *lost),
        # The formula, expanded to another order, may differ in the last digit.
        text=expansion.text if expansion.exact or order == expansion.order else None,
    )


@lru_cache(maxsize=256)
def _of_text(text: str, order: int | None, tolerance: float) -> HermiteExpansion:
    e = parse_expression(text, field="activation")
    corners = kinks(e)
    powers = coefficients(e)
    if powers is not None and len(powers) > MOST_ORDERS + 1:
        rule = f"is a polynomial of degree {len(powers) - 1}, beyond {MOST_ORDERS}"
        raise InputError("activation", text, rule, "Lower the degree")
    if powers is not None:
        found = _of_coefficients(hermite_of_powers(powers)[1:] or (Fraction(0),), order, hermite_of_powers(powers)[0])
        return replace(found, name=text, text=text, method="polynomial")
    order = order or USUAL_ORDER
    whole = project(lambda x: evaluate(e, {"x": x}), order, corners, _refusal(text))
    found = _assembled(text, whole, tolerance, *(closed_form(e, order) or ()))
    smooth = [n for n in range(3) if polynomially_bounded(e, derivatives=n) and (n == 0 or not corners)]
    again = text if tolerance <= _USUAL_TOLERANCE else None
    return replace(found, text=again, kinks=corners, bounded=tuple(smooth))


def _of_coefficients(c: Sequence[Fraction], order: int | None, mean: Fraction = Fraction(0)) -> HermiteExpansion:
    if len(c) > MOST_ORDERS:
        raise InputError("activation", f"{len(c)} coefficients", f"are more than {MOST_ORDERS}", "Truncate")
    order = order or len(c)
    kept = (*c[:order], *([Fraction(0)] * (order - len(c))))
    squares = [math.factorial(k) * v**2 for k, v in enumerate(c, start=1)]
    try:
        norm, tail = math.sqrt(sum(squares) + mean**2), math.sqrt(sum(squares[order:]))
    except OverflowError:
        raise InputError("activation", f"{len(c)} coefficients", "k! c_k^2 is beyond doubles", "Rescale it") from None
    return HermiteExpansion(
        f"the series with {len(c)} coefficients",
        kept,
        float(mean),
        (0.0,) * order,
        tail,
        norm,
        "coefficients",
        bounded=(0, 1, 2),
    )


def _of_function(
    function: Callable[[FloatArray], ArrayLike], order: int, tolerance: float, kinks: Sequence[float]
) -> HermiteExpansion:
    name = getattr(function, "__name__", type(function).__name__)
    way_out = "It gets an array and must return one of the same shape, as numpy.tanh does"

    def values(x: FloatArray) -> FloatArray:
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(function(x))
        except Exception as error:
            raise InputError("activation", name, f"raised {type(error).__name__}: {error}", way_out) from error
        if found.shape not in (x.shape, ()) or found.dtype.kind not in "fiub":
            rule = f"returned {found.dtype} of shape {found.shape} for {x.shape}"
            raise InputError("activation", name, rule, way_out)
        return np.broadcast_to(found, x.shape).astype(np.float64)

    corners = tuple(sorted({float(place) for place in kinks}))
    return replace(_assembled(name, project(values, order, corners, _refusal(name)), tolerance), kinks=corners)


def _of_samples(x: ArrayLike, values: ArrayLike, order: int) -> HermiteExpansion:
    try:
        place, value = np.asarray(x, dtype=np.float64), np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("activation", "samples", f"must be lists of real numbers ({error})", "(x, values)") from None
    if place.ndim != 1 or place.shape != value.shape or not 8 <= len(place) <= _MOST_SAMPLES:
        rule = f"must be two lists of the same length, 8 to {_MOST_SAMPLES}"
        raise InputError("activation", f"samples of shapes {place.shape} and {value.shape}", rule, "Give (x, values)")
    if not (np.isfinite(place).all() and np.isfinite(value).all() and (np.diff(place) > 0).all()):
        raise InputError("activation", "samples", "must be finite, with x increasing", "Sort them, and drop repeats")
    if place[0] > -_LEAST_COVER or place[-1] < _LEAST_COVER:
        rule = f"lie in [{place[0]:g}, {place[-1]:g}], and must cover [-5, 5]"
        raise InputError("activation", "samples", rule, "One normal number in 1.7 million lies outside of that")
    inside = (place > -EDGE) & (place < EDGE)
    fine, coarse = (_spline(place[::step], value[::step]) for step in (1, 2))
    whole = project(fine, order, list(place[inside]), _refusal("samples"))
    # No b_k changes by more than the norm of the difference of two functions.
    density = hermite_functions(whole.x, 0)[0]
    change = math.sqrt(float(whole.weights @ (whole.u - coarse(whole.x) * density) ** 2))
    outside = (whole.x < place[0]) | (whole.x > place[-1])
    missed = np.abs(whole.weights * whole.u)[outside] @ np.abs(hermite_functions(whole.x[outside], order)).T
    doubt = replace(whole, errors=whole.errors + change + missed)
    return replace(_assembled(f"{len(place)} samples", doubt, math.inf), method="samples")


def _spline(x: FloatArray, values: FloatArray) -> RealFunction:
    from scipy.interpolate import CubicSpline

    inner = CubicSpline(x, values)
    slopes = inner(x[[0, -1]], 1)

    def function(at: FloatArray) -> FloatArray:
        near = np.clip(at, x[0], x[-1])
        return np.asarray(inner(near) + np.where(at < near, slopes[0], slopes[1]) * (at - near))

    return function


def _assembled(
    name: str, whole: Projection, tolerance: float, b: FloatArray | None = None, errors: FloatArray | None = None
) -> HermiteExpansion:
    """Return the expansion of a projection; b_k and their errors are those of a closed form where there is one."""
    method = "quadrature" if b is None else "closed form"
    b, errors = (whole.b, whole.errors) if b is None or errors is None else (b, errors)
    if errors.max() > tolerance * whole.norm:
        rule = f"b_k are known to {errors.max() / whole.norm:.1g} of the norm, not to {tolerance:g}"
        raise InputError("activation", name, rule, "Name its kinks, or allow a larger tolerance")
    # A number that may be zero is zero: of odd functions every even coefficient is. So is one that underflows in S, T.
    b = np.where(np.abs(b) <= np.maximum(errors, _SMALLEST * whole.norm), 0.0, b)
    roots = [root_factorial(k) for k in range(1, len(b))]
    return HermiteExpansion(
        name,
        tuple(float(value) / root for value, root in zip(b[1:], roots, strict=True)),
        float(b[0]),
        tuple(float(value) / root for value, root in zip(errors[1:], roots, strict=True)),
        whole.residual(b),
        whole.norm,
        method,
    )


def _refusal(name: str) -> Callable[[str, str], InputError]:
    return lambda rule, way_out: InputError("activation", name, rule, way_out)


def _order(order: Any) -> int:
    digits = isinstance(order, str) and order.isascii() and order.strip().isdigit() and len(order) < 6
    value = int(order) if digits else order
    integral = isinstance(value, int | np.integer) or (isinstance(value, Fraction) and value.denominator == 1)
    if isinstance(value, bool) or not integral or not 1 <= value <= MOST_ORDERS:
        raise InputError("order", order, f"must be a whole number from 1 to {MOST_ORDERS}", "For example 15")
    return int(value)


def _check_tolerance(tolerance: float) -> None:
    if not isinstance(tolerance, int | float) or isinstance(tolerance, bool) or not 1e-14 <= tolerance < 1:
        raise InputError("tolerance", tolerance, "must be a number from 1e-14 to 1", "For example 1e-12")


def _is_pair(activation: Any) -> bool:
    lists = hasattr(activation, "__len__") and len(activation) == 2
    return lists and all(hasattr(part, "__len__") and not isinstance(part, str) for part in activation)
