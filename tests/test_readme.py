"""The README tells the truth."""

import doctest
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import fastslow as fs
from fastslow.systems.model_files import study_from

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.S)


def test_python_examples():
    parser = doctest.DocTestParser()
    runner = doctest.DocTestRunner()
    for block in blocks("python"):
        runner.run(parser.get_doctest(block, {}, "README", str(README), 0))
    assert runner.failures == 0
    assert runner.tries > 5


def test_toml_example_is_a_model():
    for block in blocks("toml"):
        study = study_from(tomllib.loads(block))
        assert fs.analyze(study.system, starts=[(s.fast, s.slow) for s in study.starts]).complete


def test_printed_table_is_what_is_printed():
    (table,) = blocks("text")
    assert table.strip() in fs.analyze("fig4").summary()


@pytest.mark.parametrize(
    "name",
    [
        *("analysis", "boundary.phase_boundary", "boundary.singular", "levels.validate", "sgd.finite_width"),
        *("sgd.finite_width_fates", "sgd.finite_width_manifold", "sgd.mean_field", "sgd.width_diagram"),
        *("sgd.simulation", "sgd.window", "systems.activations", "systems.networks", "systems.polynomials"),
    ],
)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(f"fastslow.{name}")).failed == 0
