"""Settings by name: those of the paper's figures, and the classical systems; what a name or path stands for."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastslow.errors import InputError
from fastslow.systems.classics import fitzhugh_nagumo, van_der_pol
from fastslow.systems.model_files import Study, load_study, plane_starts, slow_starts
from fastslow.systems.system import FastSlowSystem, Start
from fastslow.systems.two_layer import TwoLayer


@dataclass(frozen=True)
class Preset:
    """A named setting: how to build it, and a line that says what it is."""

    name: str
    title: str
    build: Callable[[], Study]


def two_layer_study(c: str, c_star: str, a0: str) -> Study:
    """Return a two-layer network with the starts (0, a0)."""
    return Study(TwoLayer(c, c_star), tuple(Start(Fraction(0), Fraction(value)) for value in a0.split(",")))


def _paper(name: str, title: str, c: str, c_star: str, a0: str) -> Preset:
    return Preset(name, f"c = ({c}), c* = ({c_star}), a0 = {a0}: {title}", lambda: two_layer_study(c, c_star, a0))


def _classic(name: str, title: str, build: Callable[[], FastSlowSystem], *starts: tuple[str, str]) -> Preset:
    return Preset(name, title, lambda: Study(build(), tuple(Start(Fraction(x), Fraction(y)) for x, y in starts)))


def _file(path: Path) -> Preset:
    title = tomllib.loads(path.read_text(encoding="utf-8"))["title"]
    return Preset(path.stem, title, lambda: load_study(path))


MODELS = Path(__file__).parent.parent / "models"
"""Where the files of the classical models are."""

_FIVE = "1,1,1,1,1"
_SEVEN = "1,1,1,1,1,1,1"
_FIG8 = ("-5", "-1.67", "1.67", "5")

_ALL = (
    _paper(
        "fig1", "both fates; the setting is that of figure 3 (right), the paper gives none", _FIVE, "1,-1,1,-1,1", "4,6"
    ),
    _paper("fig2-left", "two time scales", _FIVE, "1,-1,1,-1,1", "4"),
    _paper("fig2-right", "two time scales, all link coefficients positive", _FIVE, "2,4,6,8,10", "1"),
    _paper("fig3-left", "matched teacher; nothing with a0 > 0 unlearns", _FIVE, _FIVE, "0.5,1,2,4,6,10,-5"),
    _paper("fig3-right", "learning and unlearning", _FIVE, "1,-1,1,-1,1", "1,2,3,4,6,8,10"),
    _paper("fig4", "immediate learning, late jump, unlearning", _FIVE, "1,-1,1,1,1", "5,9,10"),
    _paper("fig5-left", "a column of the phase map, c*_3 = -1/2", _FIVE, "1,-1,-1/2,1,1", "1,3,5,7,9"),
    _paper("fig5-right", "a column of the phase map, c*_4 = -1", _FIVE, "1,1,-1,-1,1", "1,5,9,-1,-5,-9"),
    _paper("fig6-left", "scaling law, case (i)", _SEVEN, "1,0,0,0,0,0,1/2", "10"),
    _paper("fig6-right", "scaling law, case (ii)", "1,1,1", "1,-1,1", "5"),
    _paper("fig7", "the system of the SGD runs; a0 is not given", "1,1,1", "1,-2,1", "1/10,3/10,1,2,3,5"),
    *(
        _paper(
            f"fig8-{i}-{j}", "a panel of the table; other coefficients 1", _SEVEN, f"1,{c2},{c3},1,1,1,1", "1,3,5,10"
        )
        for i, c2 in enumerate(_FIG8, start=1)
        for j, c3 in enumerate(_FIG8, start=1)
    ),
    _paper("cusp", "the hysteresis point at R = 1/3, a = 27/16", "1,1,1", "1,-99/64,1", "1,2"),
    _classic("van_der_pol", "relaxation oscillation", van_der_pol, ("2", "0"), ("-1/2", "1/2")),
    _classic("fitzhugh_nagumo", "oscillating neuron", fitzhugh_nagumo, ("0", "0")),
    _classic(
        "fitzhugh_nagumo_excitable",
        "excitable neuron: without current, a kick and a smaller one",
        lambda: fitzhugh_nagumo(current=0),
        ("-3/4", "-62426/100000"),
        ("-4/5", "-62426/100000"),
    ),
    *(_file(path) for path in sorted(MODELS.glob("*.toml"))),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""All presets by name."""


def preset(name: str) -> Study:
    """Return the setting of a preset.

    Raises
    ------
    InputError
        If there is no such preset; the message suggests the nearest.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise InputError(
            "MODEL", name, "is neither a preset nor a TOML file", f"{hint}`fastslow presets` lists them all"
        )
    return PRESETS[name].build()


def study_of(model: str) -> Study:
    """Return the study that a preset name or the path of a TOML file stands for.

    Raises
    ------
    InputError
        If it is neither, or the file cannot be used.
    """
    if model.endswith(".json"):
        raise InputError("MODEL", model, "is no model", "A saved analysis is printed by `fastslow show`")
    if model.endswith(".toml") or "/" in model or "\\" in model:
        return load_study(Path(model))
    return preset(model)


def system_of(model: FastSlowSystem | str) -> FastSlowSystem:
    """Return a system, or that of a preset or file."""
    if isinstance(model, str):
        return study_of(model).system
    if not isinstance(model, FastSlowSystem):
        raise InputError("model", model, "must be a FastSlowSystem, a preset or a file", 'For example "fig4"')
    return model


def network_of(model: FastSlowSystem | str) -> TwoLayer:
    """Return a two-layer network, or that of a preset or file.

    Raises
    ------
    InputError
        If it is another system.
    """
    system = system_of(model)
    if not isinstance(system, TwoLayer):
        raise InputError("model", system.name, "must be a two-layer network", "Give --c and --c-star, or a preset")
    return system


def start_of(system: FastSlowSystem, start: Any) -> Start:
    """Return one start: as it is, from its slow coordinate on the line of starts, or from (fast, slow)."""
    if not isinstance(start, Start):
        pair = isinstance(start, tuple) and len(start) == 2
        found = plane_starts(system, [start]) if pair else slow_starts(system, start)
        if len(found) != 1:
            raise InputError("start", f"{len(found)} starts", "must be one start", "Call once for each")
        (start,) = found
    system.check_start(start)
    checked: Start = start
    return checked
