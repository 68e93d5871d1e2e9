"""The README and the pages tell the truth: every code block in them is run, in its order, in one directory a page."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import numba  # noqa: F401, its presence keeps commands from running the kernels uncompiled here
import pytest
from click.testing import CliRunner
from fastslow_cli.main import cli

import fastslow as fs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "gallery" / "docs").glob("*.md"))]
LIGHTER = {
    ":100": ":20",
    ":60 ": ":12 ",
    "=-2:2:9' --axis a0=1:13:5 -o batch --workers 2": "=-2:2:2' --axis a0=1:13:2 -o batch",
    "--widths 100,1e6": "--widths 3000,5000",
    "gallery figure_4 energy_landscape": "gallery figure_4 --dpi 40",
    "gallery --format svg,pdf --theme light,dark": "gallery figure_4 --format svg --theme dark",
    "fig5-left --x 'c_star[3]=-5:5' --y 'c_star[2]=-3:3' --a0 6": (
        "fig7 --x 'c_star[3]=0.9:1' --y 'c_star[2]=-1:-0.9' --a0 1"
    ),
    "--n 4000 --d 4000 --m 50": "--n 400 --d 4000 --m 20",
    "--steps 1000": "--steps 20",
    "--steps 800": "--steps 20",
}
"""Commands of the README whose work is cut here to a few seconds; what they print is not shown there."""


def blocks(page):
    """Return (language, line, text) of the code blocks of a page; directives of Sphinx are none."""
    source = page.read_text()
    for match in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", source, re.M):
        if not match[1].startswith("{"):
            yield match[1], source.count("\n", 0, match.start()) + 1, match[2]


class Session:
    """What the blocks of one page share."""

    def __init__(self, page):
        self.page, self.names, self.printed = page, {}, ""

    def python(self, text):
        if ">>>" not in text:
            exec(compile(text, self.page.name, "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(text, self.names, self.page.name, str(self.page), 0)
        found = []
        doctest.DocTestRunner().run(test, out=found.append, clear_globs=False)
        self.names = test.globs
        assert not found, "".join(found)

    def sh(self, text):
        if self.page.name == "README.md":
            for long, short in LIGHTER.items():
                text = text.replace(long, short)
        for line in text.replace("\\\n", " ").splitlines():
            *before, words = [shlex.split(part, comments=True) for part in line.split("&&")]
            if not words:
                continue
            # What makes an environment of its own is run by .ci/run.
            assert not before or before[0][:3] == ["python3", "-m", "venv"], f"nothing runs {line}"
            if Path(words[0]).name == "fastslow":
                done = CliRunner().invoke(cli, words[1:], standalone_mode=False)
                assert done.exception is None, f"{line}: {done.exception!r}"
                assert (done.return_value or 0) in (0, 3), line
                self.printed = done.stdout
            else:
                assert before, f"nothing runs {line}"

    def text(self, text):
        pattern = ".*?".join(re.escape(part) for part in text.strip().split("..."))
        assert re.search(pattern, self.printed, re.S), f"{text}\nis not what is printed:\n{self.printed}"

    def toml(self, text):
        name = re.match(r"# (\w+\.toml)\n", text)[1]
        Path(name).write_text(text)
        assert fs.analyze(name).complete


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_code_blocks(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = Session(page)
    for language, line, text in blocks(page):
        assert language in ("python", "sh", "text", "toml"), f"{page.name}:{line}: nothing runs {language}"
        try:
            getattr(session, language)(text)
        except Exception as error:
            raise AssertionError(f"{page.name}:{line}: {error}") from error


def test_every_public_name_has_its_place_in_the_reference():
    listed = re.findall(r"^   fastslow\.(\w+)$", (ROOT / "gallery" / "docs" / "reference.md").read_text(), re.M)
    assert sorted(listed) == sorted({*fs.__all__} - {"__version__"})


@pytest.mark.parametrize(
    "name",
    [
        *("analysis", "boundary.phase_boundary", "boundary.singular", "levels.validate", "sgd.finite_width"),
        *("sgd.finite_width_fates", "sgd.finite_width_manifold", "sgd.mean_field", "sgd.width_diagram", "sgd.symmetry"),
        *("sgd.neurons", "sgd.transverse"),
        *("sgd.simulation", "sgd.window", "systems.activations", "systems.networks", "systems.polynomials"),
    ],
)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(f"fastslow.{name}")).failed == 0
