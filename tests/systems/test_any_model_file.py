"""Model files of valid and broken parts: each is read or refused in words, never anything else, and quickly."""

import contextlib
import re
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


BASE = 'f = "y - a*x"\ng = "x - y/2"\nwindow = [[-1, 1], [-1, 1]]\n[parameters]\na = 1\n'


@pytest.mark.parametrize(
    ("content", "says"),
    {
        "dotted key": (".".join(["a"] * 20_000) + " = 1", "names in names"),
        "dotted table": ("[" + ".".join(["a"] * 20_000) + "]", "names in names"),
        "quoted names": ('"a b" . ' * 5000 + "c = 1", "names in names"),
        "arrays in arrays": ("starts = " + "[" * 5000 + "]" * 5000, "is no TOML"),
        "tables in tables": ("g = " + "{a = " * 3000 + "1" + "}" * 3000, "is no TOML"),
        "many coefficients": ("c = [" + "1," * 8000 + "]\nc_star = [1]", "cannot be certified"),
        "unused parameter": (BASE + "b = 1\n", "parameters.b = 1: is used in neither"),
        "a parameter inside a word": (BASE.replace("a*x", "tanh(x)"), "parameters.a = 1: is used in neither"),
        "a start as parameter": (BASE.replace("a*x", "y0*x").replace("a = 1", "y0 = 1"), "what an axis calls"),
        "the slow rate as parameter": (BASE.replace("a*x", "slow_rate*x").replace("a = 1", "slow_rate = 1"), "an axis"),
        "an escape sequence": ('title = "\\u001b[2J"\n' + BASE, "printable"),
        "a list as name": ('name = ["a"]\n' + BASE, "printable"),
        "no bytes of UTF-8": (b'title = "\xe9"', "is no UTF-8"),
        "UTF-16": (BASE.encode("utf-16"), "is no UTF-8"),
        "twice": (BASE + "a = 2\n", "is no TOML"),
        "divided by nothing": (BASE.replace("y - a*x", "a*y/(x - x)"), "finite"),
        "a power of nothing": (BASE.replace("y - a*x", "a/(x - x)"), "finite"),
        "nothing times something": (
            BASE.replace("y - a*x", "(x + a*tanh(y))**2 - x**2 - 2*x*tanh(y) - tanh(y)**2"),
            "vanish",
        ),
    }.values(),
)
def test_hostile_files_are_refused_at_once(tmp_path, content, says):
    path = tmp_path / "model.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if "c_star" in str(content):
        path.write_text('model = "two_layer"\n' + str(content))
    with contextlib.suppress(InputError):
        study_of(str(path))  # what is imported at first use
    before = time.thread_time()
    with pytest.raises(InputError, match=re.escape(says)):
        study_of(str(path))
    assert time.thread_time() - before < 0.05


def test_endless_files_are_not_read_to_their_end(tmp_path):
    link = tmp_path / "model.toml"
    link.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="is larger than"):
        study_of(str(link))
    (tmp_path / "round.toml").symlink_to(tmp_path / "round.toml")
    for path in (tmp_path / "round.toml", tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            study_of(f"{path}/" if path is tmp_path else str(path))


@pytest.mark.parametrize("change", [lambda b: b"\xef\xbb\xbf" + b, lambda b: b.replace(b"\n", b"\r\n")])
def test_what_editors_on_windows_write_is_read(tmp_path, change):
    path = tmp_path / "model.toml"
    path.write_bytes(change(BASE.encode()))
    assert study_of(str(path)).system.parameters == {"a": 1}
