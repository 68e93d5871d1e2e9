"""Why two levels differ: one cause after the other is taken alone, and what it does is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastslow.levels.level import DIRECT, FINITE, GRAM, MEAN_STEP, ODE, Level
from fastslow.ode.simulation import Simulation
from fastslow.ode.solution import FloatArray
from fastslow.results import OrbitResult
from fastslow.sgd.finite_width import Course, FiniteWidth
from fastslow.sgd.network import Network
from fastslow.sgd.simulation import SGDRun
from fastslow.sgd.window import SYMMETRY, Window

_SHARE = 0.5
"""A cause is one where it makes at least this share of what is seen."""
_NOISE_ORDER = 6
"""The noise of a longer series may be that of samples too rare to be met; see `FiniteWidth.with_noise_of`."""


def explain(
    levels: Sequence[Level],
    network: FiniteWidth,
    orbit: OrbitResult,
    window: Window,
    gram: SGDRun,
    ode: Simulation,
    finite: Course,
    agree: bool,
) -> tuple[bool, str]:
    """Return whether every difference has a computed cause, and the sentences that say which levels agree and why."""
    by = {level.level: level for level in levels}
    groups: dict[str, list[str]] = {}
    for level in levels:
        if level.verdict not in ("", "not covered"):
            groups.setdefault(level.verdict, []).append(level.level)
    told = [f"{', '.join(names)}: {verdict}" for verdict, names in groups.items()]
    head = f"All levels that give a verdict agree: {told[0].split(': ', 1)[1]}" if agree else "; ".join(told)
    causes: list[tuple[bool, str]] = []
    if not orbit.agree:
        causes.append((orbit.explained, orbit.explanation))
    infinite, wide, steps, trained = (by[name].verdict for name in (ODE, FINITE, MEAN_STEP, GRAM))
    if wide != infinite:
        causes.append(_fate_cause(network, float(orbit.start[1]), infinite, wide))
    if steps != wide:
        text = f"steps of length γ/m = {network.step_length:.3g} lead the mean of SGD elsewhere than small steps do"
        causes.append((steps != "" and not steps.startswith("undecided"), text))
    if trained not in (steps, wide):
        causes.append(_ensemble_cause(trained, window, gram))
    causes += _distances(by, network, window, gram, ode, finite)
    sentences = [head, _window_sentence(window, float(gram.tau[-1])), *(text for _, text in causes)]
    return all(found for found, _ in causes), ". ".join(s[0].upper() + s[1:] for s in sentences if s) + "."


def _window_sentence(window: Window, end: float) -> str:
    if window.tau > end:
        return f"two variables are valid over the whole run, τ = {end:.4g}"
    return f"two variables are valid until τ = {window.tau:.3g} of {end:.4g}, limited by {window.limited_by}"


def _fate_cause(network: FiniteWidth, a0: float, infinite: str, wide: str) -> tuple[bool, str]:
    """Say which of the two effects of finite size, taken alone, changes the fate."""
    alone = {
        "the noise of the batches": network.scaled(0.0, 1.0).rest(a0).verdict,
        f"the self-interaction of {network.m:g} neurons": network.scaled(1.0, 0.0).rest(a0).verdict,
    }
    makers = [name for name, verdict in alone.items() if verdict == wide]
    what = f"the fate changes from {infinite} to {wide} with the width"
    if makers:
        return True, f"{what}: {' and '.join(makers)}{' each' if len(makers) == 2 else ''} does it alone"
    return False, f"{what}: neither noise nor self-interaction does it alone"


def _ensemble_cause(trained: str, window: Window, gram: SGDRun) -> tuple[bool, str]:
    """Say why the ensemble does not go where the mean of SGD goes."""
    lost = np.flatnonzero(gram.ended < gram.options["steps"])
    if len(lost) == len(gram.ended):
        return True, gram.sentences[int(lost[0])].rstrip(".")
    if window.times[SYMMETRY] < float(gram.tau[-1]):
        return True, f"the neurons part: ∫μ⊥ reaches ½ ln d at τ = {window.times[SYMMETRY]:.3g}, before the last step"
    if "learning" in trained and trained.startswith("undecided"):
        return True, "the replicas lie on both sides of the boundary between the fates"
    return False, "the ensemble leaves the mean of SGD, and no cause was found"


def _distances(
    by: dict[str, Level], network: FiniteWidth, window: Window, gram: SGDRun, ode: Simulation, finite: Course
) -> list[tuple[bool, str]]:
    """Say what the z of each level means."""
    found: list[tuple[bool, str]] = []
    own, wide, steps, direct = (by[name] for name in (ODE, FINITE, MEAN_STEP, DIRECT))
    if own.consistent is False:
        effects = _effects(network, window, ode, float(own.until or 0.0))
        text = f"the ensemble is up to {100 * (own.deviation or 0.0):.2g} % from the ODE (z = {own.z:.1f}); {effects}"
        found.append((True, text))
    if wide.consistent:
        text = f"no difference from the finite-width system is seen until τ = {wide.until:.3g}"
        found.append((True, f"{text} (z = {wide.z:.1f}, critical {wide.critical:.1f})"))
    elif wide.consistent is False:
        text = f"it is up to {100 * (wide.deviation or 0.0):.2g} % from the finite-width system (z = {wide.z:.1f})"
        if steps.consistent:
            found.append((True, f"{text}, not from that with finite steps: the step length is the cause"))
        elif cause := _rare_noise(network, gram, finite, float(wide.until or 0.0)):
            found.append((True, f"{text}: {cause}"))
        else:
            shift, seen = _spread_shift(network, gram, finite, float(wide.until or 0.0))
            spread, mean = _spread(gram, float(wide.until or 0.0))
            known = (shift * seen > 0.0 and abs(shift) >= _SHARE * abs(seen)) or spread > _SHARE * mean
            part = (
                f"the neurons' alignments spread by {spread:.2g} about {mean:.2g}, which by its variance moves a by "
                f"{shift:.2g}; seen is {seen:.2g}"
            )
            found.append((known, f"{text}: {part}" + ("" if known else ". That is too little, no cause was found")))
    if direct.consistent is False:
        found.append((False, f"SGD on the weights and on the Gram matrix differ (z = {direct.z:.1f})"))
    return found


def _rare_noise(network: FiniteWidth, gram: SGDRun, finite: Course, until: float) -> str:
    """Say by how much the noise of a long series moves R or a, where most of what is seen goes without it; or ""."""
    kept, at = np.flatnonzero(gram.ended == gram.options["steps"]), _last(gram, until)
    order = len(network.network.b)
    if order <= _NOISE_ORDER:
        return ""
    less = network.with_noise_of(_NOISE_ORDER).solve(float(gram.options["a0"]), gram.tau[: at + 1])
    if not less.done:
        return ""
    texts = []
    for name in ("R", "a"):
        own, other = getattr(finite, name)[at], getattr(less, name)[-1]
        seen = float(gram.course(f"{name}_mean")[kept, at].mean()) - own
        # what is left must be small
        if abs(seen - (other - own)) <= (1.0 - _SHARE) * abs(seen):
            texts.append(f"{name} by {other - own:+.2g} of the {seen:+.2g} seen")
    cause = f"the series cut at {order} has noise from rare samples; that of the first {_NOISE_ORDER} orders moves"
    return f"{cause} {' and '.join(texts)}" if texts else ""


def _last(gram: SGDRun, until: float) -> int:
    return int(np.searchsorted(gram.tau, until * (1.0 - 1e-12)))


def _effects(network: FiniteWidth, window: Window, ode: Simulation, until: float) -> str:
    """Return what noise and self-interaction, each alone, change by the end of a comparison, in per cent."""
    at = int(np.searchsorted(ode.t, until * (1.0 - 1e-12)))
    t, R, a = np.array([0.0, ode.t[at]]), float(ode.x[at]), float(ode.y[at])
    texts = []
    for name, scales in (("batch noise", (0.0, 1.0)), ("self-interaction", (1.0, 0.0))):
        course = network.scaled(*scales).solve(float(ode.start.slow), t)
        shares = [100.0 * (v / w - 1.0) for v, w in ((course.R[-1], R), (course.a[-1], a))]
        texts.append(f"{name} alone makes {shares[0]:+.2g} % of R, {shares[1]:+.2g} % of a")
    return ", ".join(texts) + " there"


def _spread(gram: SGDRun, until: float) -> tuple[float, float]:
    """Return the standard deviation of the R_i within a replica, and the size of their mean, at a time."""
    kept = np.flatnonzero(gram.ended == gram.options["steps"])
    at = _last(gram, until)
    return float(gram.course("R_std")[kept, at].mean()), float(abs(gram.course("R_mean")[kept, at].mean()))


def _spread_shift(network: FiniteWidth, gram: SGDRun, finite: Course, until: float) -> tuple[float, float]:
    """Return by how much the spread of R_i and Q_ij moves a until a time, and by how much a is seen to be moved.

    To second order in the spread da/dtau has slow_rate (1/2)(S'' Var R - a (1 - 1/m) Y'' Var Q) more; that is
    integrated with the damping of a along the finite-width solution.
    """
    from numpy.polynomial.polynomial import polyder, polyval

    kept = np.flatnonzero(gram.ended == gram.options["steps"])
    at = _last(gram, until)
    variances: list[FloatArray] = []
    for name in ("R", "Q"):
        within, between = gram.course(f"{name}_std")[kept] ** 2, gram.course(f"{name}_mean")[kept].var(axis=0, ddof=1)
        variances.append(np.nan_to_num(within.mean(axis=0) + between)[: at + 1])
    model, rate, kappa = network.system, float(network.system.slow_rate), 1.0 / network.m
    y = np.append(0.0, Network.of(model).b ** 2)
    R, Q, a, tau = finite.R[: at + 1], finite.Q[: at + 1], finite.a[: at + 1], gram.tau[: at + 1]
    push = 0.5 * rate * (model.S(R, 2) * variances[0] - a * (1.0 - kappa) * polyval(Q, polyder(y, 2)) * variances[1])
    damping = rate * ((1.0 - kappa) * polyval(Q, y) + kappa * polyval(1.0, y))
    shift = 0.0
    for k in range(at):
        width = float(tau[k + 1] - tau[k])
        shift = shift * math.exp(-width * float(damping[k])) + width * float(0.5 * (push[k] + push[k + 1]))
    return shift, float(gram.course("a_mean")[kept, at].mean() - a[-1])
