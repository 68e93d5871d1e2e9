"""What a picture is of, in one line over it and beside its axes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastslow.analysis import Analysis

_LONGEST = 110


def title(analysis: Analysis) -> str:
    """Return the coefficients or functions of a network, the title of another model, or its name."""
    table = analysis.model.table
    if analysis.model.name == "two_layer":
        rate = "" if table.get("slow_rate", 1) == 1 else f",  slow rate {table['slow_rate']}"
        named = (("c", "c", "activation", "σ"), ("c_star", "c*", "link", "σ*"))
        parts = [
            f"{letter} = ({', '.join(short(v) for v in table[key])})" if key in table else f"{sigma} = {table[text]}"
            for key, letter, text, sigma in named
        ]
        text = ",  ".join(parts) + rate
        if len(text) < _LONGEST:
            return text
        many = f", {len(table['c'])} Hermite coefficients" if "c" in table else ""
        return f"two-layer network{many}{rate}"
    return analysis.model.title or f"{analysis.model.name},  slow rate {table.get('slow_rate', 1)}"


def short(value: Any) -> str:
    """Return a number of a model in few letters; one that is given as text may be a fraction, other text stays."""
    try:
        return f"{float(Fraction(value)):.4g}" if isinstance(value, float | str) else str(value)
    except ValueError:
        return str(value)


def axis_label(name: str) -> str:
    """Return the paper's notation for a parameter or a start."""
    head, _, rest = name.partition("[")
    if rest and head in ("c", "c_star"):
        star = "^*" if head == "c_star" else ""
        return rf"$c{star}_{{{rest.rstrip(']')}}}$"
    named = {"a0": r"initial scale $\bar a$", "slow_rate": r"slow rate $\eta$", "noise": r"noise $\sigma_\varepsilon$"}
    return named.get(name, name)
