"""One network, one start, every level: theorem, singular limit, ODE, finite width, finite steps, SGD."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastslow.analysis import Analysis, analyze
from fastslow.errors import InputError
from fastslow.levels.causes import explain
from fastslow.levels.level import DIRECT, FINITE, GRAM, MEAN_STEP, ODE, SINGULAR, THEOREM, Level
from fastslow.ode.simulation import Simulation, simulate
from fastslow.ode.solution import FloatArray
from fastslow.progress import Progress
from fastslow.sgd.finite_width import Course, FiniteWidth
from fastslow.sgd.prediction import Prediction, predicted
from fastslow.sgd.simulation import SGDRun, free_memory, simulate_sgd
from fastslow.sgd.window import STEP, SYMMETRY, Window, validity_window
from fastslow.systems.exact import Real
from fastslow.systems.presets import network_of, start_of
from fastslow.systems.system import FastSlowSystem
from fastslow.systems.two_layer import TwoLayer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "fastslow.validation/1"
_COMPARED = 5
"""Times, evenly spaced in the window, at which an ensemble is compared with a level."""
_ERROR_RATE = 0.01
"""Chance that an ensemble of a level's own law exceeds the critical z at one of those times."""
_DIRECT_WORK, _DIRECT_REPLICAS, _LEAST_PART = 4e10, 8, 0.1
"""Operations and replicas that training on the weights may take here, and the least share of the steps."""
_HORIZON = 1e3
_APART = 0.5
"""Neurons have parted where the deviation of their alignments exceeds this share of the mean."""


@dataclass(frozen=True, eq=False)
class Validation:
    """All levels of one network and start; made by `validate`.

    Attributes
    ----------
    levels : tuple of Level
        From the theorem to SGD.
    window : Window
        Until when two variables speak for the network.
    agree : bool
        Whether all levels that give a verdict give the same.
    explained : bool
        Whether every difference, of verdicts and of the ensemble from the finite-width levels, has a computed cause.
    explanation : str
        Which levels agree, and why others do not.
    prediction : Prediction
        The fate at finite width, from its critical manifold and equilibria.
    """

    system: TwoLayer = field(repr=False)
    levels: tuple[Level, ...]
    window: Window
    agree: bool
    explained: bool
    explanation: str
    prediction: Prediction
    analysis: Analysis = field(repr=False)
    ode: Simulation = field(repr=False)
    finite: Course = field(repr=False)
    mean_step: Course = field(repr=False)
    gram: SGDRun = field(repr=False)
    direct: SGDRun | None = field(repr=False)

    def level(self, name: str) -> Level:
        """Return a level by name."""
        return next(level for level in self.levels if level.level == name)

    def document(self) -> dict[str, Any]:
        """Return plain numbers and text, ready for JSON."""
        kept = _kept(self.gram)
        courses: dict[str, Any] = {"tau": self.gram.tau.tolist()}
        for name, own in (("R", self.ode.x), ("a", self.ode.y)):
            values = self.gram.course(f"{name}_mean")[kept]
            courses[name] = {
                "ode": own.tolist(),
                "finite_width": getattr(self.finite, name).tolist(),
                "finite_steps": getattr(self.mean_step, name).tolist(),
                "gram": [[float(v) for v in row] for row in values],
            }
        return {
            "schema": SCHEMA,
            "model": self.system.table(),
            "options": self.gram.options,
            "levels": [asdict(level) | {"consistent": level.consistent} for level in self.levels],
            "window": self.window.document(),
            "agree": self.agree,
            "explained": self.explained,
            "explanation": self.explanation,
            "prediction": asdict(self.prediction),
            "courses": courses,
        }

    def plot(self, **options: Any) -> Figure:
        """Return the picture: the plane with the critical manifold, and time courses; see ``fastslow.plot.levels``."""
        from fastslow.plot.levels import levels_figure

        return levels_figure(self, **options)


def validate(
    system: FastSlowSystem | str,
    a0: Real,
    *,
    n: int,
    d: int,
    m: int,
    steps: int,
    gamma: float = 1.0,
    replicas: int = 16,
    seed: int = 0,
    exact_activation: bool = False,
    progress: Progress | None = None,
) -> Validation:
    """Put all levels of one network side by side, and say which agree and why others do not.

    Theorem, singular limit and ODE (`analyze`); finite width and batch in three variables, as an ODE and with SGD's
    finite steps (`finite_width`); an ensemble of SGD on Gram matrices (`simulate_sgd`); SGD on the weights, as far as
    4e10 operations go.

    Parameters
    ----------
    system : TwoLayer or str
        The network, or a preset or file.
    a0 : number
        Initial scale of the second layer.
    n, d, m, gamma, steps, replicas, seed, exact_activation
        As in `simulate_sgd`; two replicas at least are needed for a standard error.
    progress : callable, optional
        Called as progress(done, total) with the steps of the ensemble.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        For an argument that cannot be used, before long work.

    Examples
    --------
    >>> import fastslow as fs
    >>> found = fs.validate("fig7", 1, n=400, d=400, m=20, gamma=0.1, steps=100)
    >>> print(found.level("ODE").verdict, found.level("Gram SGD").verdict, found.window.limited_by)
    unlearning learning self-interaction
    """
    model = network_of(system)
    start = start_of(model, a0)
    scale = float(start.slow)
    whole = isinstance(d, int) and isinstance(m, int)
    if whole and d <= m + 1:
        raise InputError("d", d, f"must be more than m + 1 = {m + 1}", "The theory is of large dimension; take more")
    size: dict[str, Any] = {"n": n, "d": d, "m": m, "gamma": gamma, "steps": steps}
    size["exact_activation"] = exact_activation
    gram = simulate_sgd(model, scale, **size, replicas=replicas, seed=seed, progress=progress)
    end = float(gram.tau[-1])
    trained: dict[str, Any] = {"n": n, "d": d, "m": m, "gamma": gamma, "exact_activation": exact_activation}
    window = validity_window(model, start, **trained, tau=max(end, _HORIZON))
    analysis = analyze(model, a0)
    network = FiniteWidth(model, m, gamma, n / d, exact_activation)
    levels = _Levels(
        network, analysis, window, gram, simulate(model, start, end, times=gram.tau), *_direct(gram),
        finite=network.solve(scale, gram.tau), mean_step=network.iterate(scale, gram.step),
    )  # fmt: skip
    return levels.validation()


def _kept(run: SGDRun) -> NDArray[np.int64]:
    """Return the numbers of the replicas that made all steps."""
    return np.flatnonzero(run.ended == run.options["steps"])


def _direct(gram: SGDRun) -> tuple[SGDRun | None, str]:
    """Return SGD on the weights, as many steps of some replicas as take little time, or None and why not."""
    from fastslow.sgd.direct import DirectSGD
    from fastslow.sgd.learner import Setting

    size = {name: gram.options[name] for name in ("n", "d", "m", "gamma", "seed", "every", "exact_activation")}
    steps, count = gram.options["steps"], min(gram.options["replicas"], _DIRECT_REPLICAS)
    work = 4.0 * size["n"] * size["d"] * size["m"] * count
    # whole records, so that the times are those of the other ensemble
    few = steps if work * steps <= _DIRECT_WORK else int(_DIRECT_WORK / work) // size["every"] * size["every"]
    if few < _LEAST_PART * steps:
        return None, f"not run: {count} replicas take {work * steps:.2g} operations"
    setting = Setting(size["n"], size["d"], size["m"], size["gamma"], gram.options["a0"], "float64")
    if DirectSGD.memory(setting) > free_memory():
        return None, "not run: too little memory is free"
    run = simulate_sgd(gram.system, gram.options["a0"], **size, steps=few, replicas=count, method="direct")
    return run, "" if few == steps else f"the first {few} of {steps} steps"


@dataclass
class _Levels:
    """The results of all levels, from which verdicts, comparisons and causes are made."""

    network: FiniteWidth
    analysis: Analysis
    window: Window
    gram: SGDRun
    ode: Simulation
    direct: SGDRun | None
    direct_note: str
    finite: Course
    mean_step: Course

    def validation(self) -> Validation:
        """Compare all."""
        orbit, window, end = self.analysis.orbits[0], self.window, float(self.gram.tau[-1])
        scale, kept = float(self.gram.options["a0"]), _kept(self.gram)
        prediction = predicted(self.network, scale)
        equal = min(window.times[SYMMETRY], end)
        levels = [
            Level(THEOREM, orbit.verdict.theorem),
            Level(SINGULAR, orbit.verdict.singular),
            Level(ODE, orbit.verdict.ode, *self._compared(self.ode.x, self.ode.y, min(window.tau, end))),
            Level(
                FINITE,
                prediction.verdict,
                *self._compared(self.finite.R, self.finite.a, min(equal, window.times[STEP])),
                note=prediction.note,
            ),
            Level(
                MEAN_STEP,
                self._ahead(self.mean_step) if self.mean_step.done else f"undecided: {self.mean_step.sentence}",
                *self._compared(self.mean_step.R, self.mean_step.a, equal),
            ),
            Level(GRAM, self._trained(self.gram), note=_lost(self.gram, kept)),
        ]
        if self.direct is None:
            levels.append(Level(DIRECT, "", note=self.direct_note))
        else:
            means = [self.direct.course(f"{name}_mean")[_kept(self.direct)] for name in ("R", "a")]
            notes = [_lost(self.direct, _kept(self.direct)), *filter(None, [self.direct_note])]
            compared = self._compared(means[0], means[1], end)
            levels.append(Level(DIRECT, self._trained(self.direct), *compared, note=", ".join(notes)))
        verdicts = {level.verdict for level in levels} - {"", "not covered"}
        agree = len(verdicts) == 1 and not any(verdict.startswith("undecided") for verdict in verdicts)
        explained, explanation = explain(levels, self.network, orbit, window, self.gram, self.ode, self.finite, agree)
        return Validation(
            self.network.system, tuple(levels), window, agree, explained, f"{explanation} {prediction.sentence}",
            prediction, self.analysis, self.ode, self.finite, self.mean_step, self.gram, self.direct,
        )  # fmt: skip

    def _compared(
        self, R: FloatArray, a: FloatArray, until: float
    ) -> tuple[float | None, float | None, float | None, float | None]:
        """Return (z, critical, deviation, until) of a level, courses (T,), or of another ensemble, (P, T)."""
        from scipy import stats

        kept, tau = _kept(self.gram), self.gram.tau
        inside = np.flatnonzero((tau > 0.0) & (tau <= until * (1.0 + 1e-12)))
        inside = inside[inside < min(R.shape[-1], a.shape[-1])]
        others = R.shape[0] if R.ndim == 2 else 2
        if len(kept) < 2 or others < 2 or not len(inside):
            return None, None, None, until if len(inside) else None
        at = np.unique(inside[np.linspace(0, len(inside) - 1, _COMPARED + 1).astype(int)[1:]])
        scores, distances = [], []
        for name, level in (("R", R), ("a", a)):
            values = self.gram.course(f"{name}_mean")[kept][:, at]
            variance = values.var(axis=0, ddof=1) / len(kept)
            own = level[..., at]
            if own.ndim == 2:
                variance, own = variance + own.var(axis=0, ddof=1) / len(own), own.mean(axis=0)
            gap = values.mean(axis=0) - own
            scores += list(gap / np.sqrt(variance))
            distances += list(np.abs(gap) / np.abs(own))
        freedom = min(len(kept), others if R.ndim == 2 else len(kept)) - 1
        critical = float(stats.t.ppf(1.0 - 0.5 * _ERROR_RATE / len(scores), freedom))
        return float(max(scores, key=abs)), critical, float(max(distances)), float(tau[at[-1]])

    def _ahead(self, course: Course) -> str:
        """Return the fate of the finite-width system from the last state of a course."""
        return self.network.rest((course.R[-1], course.Q[-1], course.a[-1])).verdict

    def _trained(self, run: SGDRun) -> str:
        """Return the fate of the finite-width system from the last states of an ensemble, the mean over neurons each.

        Where the replicas differ, or their neurons have parted, that is said instead.
        """
        kept = _kept(run)
        if not len(kept):
            return "undecided: all replicas diverged"
        R, Q, a = (run.course(f"{name}_mean")[kept, -1] for name in ("R", "Q", "a"))
        Q = np.where(np.isnan(Q), 1.0, Q)  # one neuron has no overlap
        spread = run.course("R_std")[kept, -1]
        if run.tau[-1] > self.window.times[SYMMETRY] and spread.mean() > _APART * np.abs(R).mean():
            return "undecided: neurons have parted"
        fates = Counter(self.network.rest(state).verdict for state in zip(R, Q, a, strict=True))
        if len(fates) == 1:
            return next(iter(fates))
        return "undecided: " + ", ".join(f"{count} {fate.split(':')[0]}" for fate, count in fates.most_common())


def _lost(run: SGDRun, kept: NDArray[np.int64]) -> str:
    count = run.options["replicas"]
    return f"{count} replicas" if len(kept) == count else f"{count - len(kept)} of {count} replicas diverged"
