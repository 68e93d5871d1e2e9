"""The fate of one start at finite width, predicted from the critical manifold and the equilibria."""

from __future__ import annotations

from dataclasses import dataclass

from fastslow.sgd.finite_width import FiniteWidth
from fastslow.sgd.finite_width_equilibria import at_rest
from fastslow.sgd.finite_width_manifold import finite_width_manifold
from fastslow.sgd.finite_width_orbits import singular_orbit


@dataclass(frozen=True)
class Prediction:
    """Where a network of finite width ends.

    Attributes
    ----------
    verdict : str
        The fate of the system in (R, Q, a), integrated to rest.
    singular : str
        What jumps and drifts on its critical manifold predict, the slow rate -> 0; "" for a single neuron.
    R, Q, a : float or None
        The place of rest, None where it comes to none.
    equilibria : int
        How many equilibria with a != 0 there are.
    certified : bool
        Whether that number and the place are proved.
    """

    verdict: str
    singular: str
    R: float | None
    Q: float | None
    a: float | None
    equilibria: int
    certified: bool

    @property
    def note(self) -> str:
        """In a few words, for a table."""
        return "" if self.a is None else f"ends at R = {self.R:.3g}, a = {self.a:.3g}"

    @property
    def sentence(self) -> str:
        """What is predicted, and whether the integration agrees."""
        if not self.singular:
            return "One neuron has no critical manifold in (R, Q, a)."
        proved = "proved" if self.certified else "not all proved"
        head = f"At finite width there are {self.equilibria} equilibria ({proved})"
        if self.singular == self.verdict:
            return f"{head}, and jumps and drifts on the critical manifold predict {self.singular}."
        told = "its integration is undecided" if self.verdict.startswith("undecided") else f"it goes to {self.verdict}"
        return f"{head}; jumps and drifts on the critical manifold predict {self.singular}, at its slow rate {told}."


def predicted(network: FiniteWidth, a0: float) -> Prediction:
    """Return the fate of a start, and what the critical manifold says of it."""
    rest = network.rest(a0)
    R, Q, a = (v if rest.settled else None for v in (rest.R, rest.Q, rest.a))
    if network.m <= 1.0:
        return Prediction(rest.verdict, "", R, Q, a, 0, False)
    manifold = finite_width_manifold(network)
    there = next((e for e in manifold.equilibria if e.id == at_rest(manifold.equilibria, rest)), None)
    proved = manifold.certified and (there is None or there.certified)
    singular = singular_orbit(manifold, a0).verdict
    return Prediction(rest.verdict, singular, R, Q, a, len(manifold.equilibria), proved)
