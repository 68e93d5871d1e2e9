"""Where a function changes sign, without the time that scipy.optimize takes to import; and the nearest known place."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def sign_change(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a zero of a function that has different signs at `low` and `high`.

    The regula falsi in the Illinois form, with a bisection wherever three steps did not halve the bracket.
    """
    f_low, f_high = function(low), function(high)
    if f_low == 0.0 or f_high == 0.0:
        return low if f_low == 0.0 else high
    width, kept = high - low, 0
    for step in range(1, 200):
        middle = high - f_high * (high - low) / (f_high - f_low)
        if step % 3 == 0:
            if high - low > 0.5 * width:
                middle = 0.5 * (low + high)
            width = high - low
        if not low < middle < high:
            middle = 0.5 * (low + high)
            if not low < middle < high:
                break
        f = function(middle)
        if f == 0.0:
            return middle
        if (f > 0.0) == (f_high > 0.0):
            high, f_high = middle, f
            f_low, kept = (0.5 * f_low if kept > 0 else f_low), 1
        else:
            low, f_low = middle, f
            f_high, kept = (0.5 * f_high if kept < 0 else f_high), -1
        if high - low <= 2.3e-16 * (abs(low) + abs(high)):
            break
    return 0.5 * (low + high)


def snapped(value: float, places: Sequence[float], least: float) -> float:
    """Return the place nearest to a value where it is within `least` of it, else the value."""
    near = min(places, key=lambda place: abs(place - value))
    return near if abs(near - value) <= least else value
