"""Model files of valid and broken parts: each is read or refused in words, never anything else, and quickly."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastslow.errors import InputError
from fastslow.systems.presets import study_of

FORMULAS = (
    *('"exp(u)-1-u*v"', '"u*(1-u)-v"', '"sin(u)*v"', '["u", "1-v"]', '"(exp(u)-1)/u - v"', '"abs(u)-v"', '"u/(3+v)"'),
    *(
        '"u**"',
        "3",
        '""',
        '"log(u)"',
        '"0"',
        '"exp(1000*u)"',
        "[]",
        "true",
        '"phi1(u)"',
        '"tanh(1e300*u)-v"',
        '"u^257"',
    ),
    *('"exp(exp(exp(u)))-v"', '"1/(exp(u)-1)*u - v"', "{a = 1}", "nan", '"x"', '"a*u - exp(-v)"'),
)
PARTS = {
    "model": ('"formula"', '"polynomial"', '"odd"', "3"),
    "name": ('"a"', "3", '""', '"a b"'),
    "f": FORMULAS,
    "g": FORMULAS,
    "fast": ('"u"', '"x"', "3", '["u"]', '"exp"', '"phi1"', '"u v"', '""'),
    "slow": ('"v"', '"u"', "3", '["v"]', '"pi"'),
    "window": (
        *("[[0, 1], [0, 1]]", '[["-1/20", "6/5"], ["1/1000", 2]]', "[0, 1]", "[[0, 1]]", "[[1, 0], [0, 1]]", '"a"'),
        *("[[0, 0], [0, 1]]", "[[-1e300, 1e300], [0, 1]]", "[]", "[inf, 1]", "[[0, 1e-300], [0, 1]]"),
    ),
    "slow_rate": ('"1/100"', "1", "0", "-1", "1e-300", '"a"', "nan", "[1]", '"1/0"'),
    "starts": ("[[0.5, 0.5]]", "[]", "[[1]]", '"a"', "[[nan, 1]]", "[[5, 5]]", "3"),
}
TAILS = (
    "",
    "[parameters]\na = 0.3",
    "[parameters]\nexp = 1",
    '[parameters]\na = "b"',
    "[[parameters]]",
    "[odd]\nx = 1",
)


@st.composite
def texts(draw):
    """Mostly valid lines, so that what comes late in the checks is reached."""
    lines = []
    for key, values in PARTS.items():
        wanted = values[: 7 if values is FORMULAS else 2 if key == "window" else 1]
        broken = draw(st.integers(0, 6)) == 0
        value = draw(st.sampled_from(values if broken else wanted))
        if draw(st.integers(0, 30)):
            lines.append(f"{key} = {value}")
    return "\n".join([*lines, draw(st.sampled_from(TAILS[:2] * 4 + TAILS))])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts())
def test_any_model_file_is_read_or_refused(tmp_path, text):
    path = tmp_path / "model.toml"
    path.write_text(text)
    before = time.process_time()
    refusal = None
    try:
        assert study_of(str(path)).system.fast == ("u",)
    except InputError as error:
        refusal = error
    assert refusal is None or (refusal.field and refusal.rule)
    assert time.process_time() - before < 5.0


VALID = {
    "fast": '"u"',
    "slow": '"v"',
    "f": '"exp(u) - 1 - u*v"',
    "g": '"u*(1 - u) - v"',
    "window": "[[0, 1], [0, 1]]",
    "slow_rate": "0.01",
    "starts": "[[0.5, 0.5]]",
}


def with_lines(entry):
    """Return a valid model file whose keys are replaced by those of an entry, "key = value | [table] | key = value"."""
    lines = entry.split(" | ") if entry else []
    kept = [f"{key} = {value}" for key, value in VALID.items() if key not in {line.split(" =")[0] for line in lines}]
    return "\n".join([*kept, *lines])


def test_broken_files_are_refused_at_once_with_their_own_sentence(tmp_path):
    path, rule, rules, count = tmp_path / "model.toml", "", set(), 0
    path.write_text(with_lines(""))
    study_of(str(path))
    for line in (Path(__file__).parent / "hostile_files.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("==> "):
            rule = line[4:]
            continue
        path.write_text(with_lines(line), encoding="utf-8")
        seconds = []
        for _ in range(3):
            before = time.thread_time()
            with pytest.raises(InputError) as refused:
                study_of(str(path))
            seconds.append(time.thread_time() - before)
        assert rule in refused.value.rule, (line, str(refused.value))
        assert refused.value.field and refused.value.way_out
        assert min(seconds) < 0.05, (line, min(seconds))
        rules.add(rule)
        count += 1
    assert count >= 180 and len(rules) >= 30
