"""What one level of description says of a network and a start."""

from __future__ import annotations

from dataclasses import dataclass

THEOREM, SINGULAR, ODE = "theorem", "singular limit", "ODE"
FINITE, MEAN_STEP, GRAM, DIRECT = "finite width", "finite steps", "Gram SGD", "direct SGD"


@dataclass(frozen=True)
class Level:
    """What one level says.

    Attributes
    ----------
    level : str
        Its name.
    verdict : str
        "learning", "unlearning", "not covered" (theorem), "finite-size state" (an equilibrium that infinite width
        does not have) or "undecided: ..."; of finite steps and SGD: where the
        finite-width system goes from their last state.
    z : float or None
        (mean of the Gram SGD ensemble - level) / standard error: the one of largest modulus among R and a at ten
        times up to `until`. None where nothing can be compared.
    critical : float or None
        Student's quantile for so many comparisons, error rate 1 % in all.
    deviation : float or None
        Largest relative distance to the ensemble's mean at the same times.
    until : float or None
        End of the comparison.
    note : str
        What else is to be said.
    """

    level: str
    verdict: str
    z: float | None = None
    critical: float | None = None
    deviation: float | None = None
    until: float | None = None
    note: str = ""

    @property
    def consistent(self) -> bool | None:
        """Whether the ensemble may be of this level; None where they were not compared."""
        return None if self.z is None or self.critical is None else abs(self.z) <= self.critical
