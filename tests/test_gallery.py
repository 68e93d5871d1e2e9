"""`fastslow gallery`: what is made, kept, refused and survived."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from fastslow_cli.main import cli
from PIL import Image

import fastslow as fs
from fastslow.errors import InputError
from fastslow.plot.drawing import Task, draw, ffmpeg
from fastslow.plot.gallery import MANIFEST, make, pictures

HEAD = '"""\nA picture\n=========\n\nWhat is seen.\n"""\n\nimport matplotlib.pyplot as plt\n'
GOOD = (
    HEAD
    + "import fastslow as fs\nSEED = 7\nsystem = fs.TwoLayer([1, 1], [1, 1])\nplt.plot([0, 1], [0, 1])\nplt.show()\n"
)


def scripts(folder, **sources):
    for name, source in sources.items():
        (folder / f"plot_{name}.py").write_text(source)
    return folder


def task(folder, name, **options):
    settings = {"formats": ("png",), "themes": ("light",), "movie": "gif", "dpi": 40, **options}
    return Task(str(folder / f"plot_{name}.py"), name, "A picture", str(folder), **settings)


def test_every_script_is_a_short_page_that_uses_public_names():
    known = pictures()
    reference = (known["figure_7"].path.parent / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (fastslow\.[\w.]+)$", reference, re.M))
    assert {f"figure_{k}" for k in range(1, 9)} <= set(known)
    for name, picture in known.items():
        tree = ast.parse(picture.source)
        title, line, _, *text = ast.get_docstring(tree).splitlines()
        assert picture.title == title and line == "=" * len(title), name
        assert len(" ".join(text)) > 150, name
        body = picture.source.split('"""', 2)[2]
        assert len([line for line in body.splitlines() if line.strip()]) <= 40, name
        imported = [
            n
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for n in (node.module, *(a.name for a in node.names))
        ]
        used = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        assert not [n for n in imported + used if re.match(r"_[^_]", n.rsplit(".", 1)[-1])], name
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "fastslow":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert node.module == "fastslow.plot.style" or set(names) <= listed, f"{name}: {names}"
        assert "__file__" not in body, f"{name}: Sphinx-Gallery does not define it"
    records = (known["figure_7"].path.parent / "records").iterdir()
    # A picture is drawn again when a record changes that it names.
    assert all(any(path.name in picture.source for picture in known.values()) for path in records)


def test_made_kept_failed_and_made_again(tmp_path):
    folder, out = tmp_path / "scripts", tmp_path / "new" / "pictures"
    folder.mkdir()
    plain = HEAD + "plt.plot([0, 1])\n"
    ends = {"wrong": "raise ValueError('no such thing')\n", "dies": "import os\nos._exit(9)\n"}
    scripts(folder, good=plain, other=plain, third=plain, **{name: HEAD + end for name, end in ends.items()})
    told = []
    first = make([], out, folder=folder, dpi=40, workers=2, progress=lambda *at: told.append(at))
    assert told == [(k, 5) for k in range(1, 6)]
    first = {drawn.name: drawn for drawn in first}
    assert first["good"].files == ("good.png",) and first["good"].seconds > 0
    assert first["wrong"].error == "ValueError: no such thing"
    assert "9" in first["dies"].error
    assert set(json.loads((out / MANIFEST).read_text())) == {"good", "other", "third"}
    # What is damaged, or made of another script, is made again; the rest is left alone.
    (out / "good.png").write_bytes(b"")
    scripts(folder, other=plain + "# another\n")
    before = (out / "third.png").stat().st_mtime_ns
    again = {drawn.name: drawn for drawn in make(["third", "good", "other"], out, folder=folder, dpi=40, workers=1)}
    assert again["good"].seconds > 0 and again["other"].seconds > 0 and again["third"].seconds == 0
    assert (out / "third.png").stat().st_mtime_ns == before
    assert list(again) == ["third", "good", "other"]
    assert sorted(p.name for p in out.iterdir()) == [MANIFEST, "good.png", "other.png", "third.png"]


def test_a_broken_manifest_is_no_manifest(tmp_path):
    (tmp_path / MANIFEST).write_text("[1, 2")
    scripts(tmp_path, good=HEAD + "plt.plot([0, 1])\n")
    assert make(["good"], tmp_path, folder=tmp_path, dpi=40)[0].seconds > 0


def test_pictures_carry_what_made_them(tmp_path):
    scripts(tmp_path, good=GOOD)
    files, error = draw(task(tmp_path, "good", formats=("png", "svg", "pdf"), themes=("light", "dark")))
    assert not error and files == [f"good{t}.{f}" for t in ("", "-dark") for f in ("png", "svg", "pdf")]
    about = json.loads(Image.open(tmp_path / "good.png").text["Description"])
    assert about["fastslow"] == fs.__version__ and about["seed"] == 7 and about["source"] == GOOD
    assert fs.TwoLayer(about["models"]["system"]["c"], [1, 1]).table() == about["models"]["system"]
    assert "A picture" in (tmp_path / "good.svg").read_text()
    assert b"fastslow" in (tmp_path / "good.pdf").read_bytes()
    again = {name: (tmp_path / name).read_bytes() for name in files}
    draw(task(tmp_path, "good", formats=("png", "svg", "pdf"), themes=("light", "dark")))
    assert again == {name: (tmp_path / name).read_bytes() for name in files}


MOVING = GOOD.replace("plt.show()", "import matplotlib.animation\nanimation = matplotlib.animation.FuncAnimation("
                      "plt.gcf(), lambda k: plt.plot([0, k], [k, 0]), frames=3, interval=50)")  # fmt: skip


def test_an_animation(tmp_path):
    scripts(tmp_path, moves=MOVING)
    assert pictures(tmp_path)["moves"].moves
    files, error = draw(task(tmp_path, "moves"))
    assert (files, error) == (["moves.gif"], "")
    with Image.open(tmp_path / "moves.gif") as image:
        assert image.n_frames == 3
        assert json.loads(image.info["comment"])["source"] == MOVING


def test_an_animation_as_mp4(tmp_path):
    scripts(tmp_path, moves=MOVING)
    (drawn,) = make(["moves"], tmp_path, folder=tmp_path, movie="mp4", dpi=43)  # odd sizes are made even
    assert (drawn.files, drawn.error) == (("moves.mp4",), "")
    film = (tmp_path / "moves.mp4").read_bytes()
    assert film[4:8] == b"ftyp" and b"avc1" in film and b"SEED = 7" in film
    told = subprocess.run([ffmpeg(), "-i", tmp_path / "moves.mp4", "-f", "null", "-"], capture_output=True, text=True)
    assert told.returncode == 0 and re.search(r"frame= *3\b", told.stderr) and " 20 fps" in told.stderr


def test_a_script_makes_one_figure(tmp_path):
    scripts(tmp_path, two=GOOD + "plt.figure()\n", none=HEAD, leaves=HEAD + "import sys\nsys.exit(4)\n")
    assert "2" in draw(task(tmp_path, "two"))[1] and "0" in draw(task(tmp_path, "none"))[1]
    assert draw(task(tmp_path, "leaves")) == ([], "SystemExit: 4")
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["figur_4"], "Did you mean 'figure_4'?"),
        (["figure_4", "--format", "jpg"], "Known: png, svg, pdf"),
        (["figure_4", "--format", ""], "Known: png, svg, pdf"),
        (["figure_4", "--theme", "drak"], "Did you mean 'dark'?"),
        (["figure_4", "--movie", "avi"], "Known: gif, mp4"),
        (["figure_4", "--workers", "0"], "at least 1"),
        (["figure_4", "--dpi", "5"], "between 10 and 1200"),
    ],
)
def test_bad_input_is_told_before_anything_is_made(tmp_path, options, said):
    found = CliRunner().invoke(cli, ["gallery", *options, "-o", str(tmp_path / "out")])
    assert found.exit_code == 2 and said in found.output
    assert not (tmp_path / "out").exists()


def test_directories_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        found = CliRunner().invoke(cli, ["gallery", "figure_4", "-o", str(tmp_path / place)])
        assert found.exit_code == 2 and "-o = " in found.output
    assert CliRunner().invoke(cli, ["gallery", "figure_4"]).exit_code == 2


def test_a_missing_tool_for_animations_is_told(tmp_path, monkeypatch):
    from matplotlib.animation import writers

    monkeypatch.setattr(writers, "is_available", lambda name: False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(InputError, match=r"needs ffmpeg, .*pip install 'fastslow\[movie\]'.*--movie gif"):
        make(["animation"], tmp_path, movie="mp4")
    with pytest.raises(InputError, match="pillow"):
        make(["figure_4", "animation"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_list():
    found = CliRunner().invoke(cli, ["gallery", "--list"])
    assert found.exit_code == 0 and len(found.output.splitlines()) == len(pictures())


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    slow = MOVING.replace("plt.plot([0, k], [k, 0])", "__import__('time').sleep(60 * k)")
    scripts(tmp_path, a_quick=GOOD, b_slow=slow)
    command = (
        "import sys\nfrom pathlib import Path\nfrom fastslow.plot.gallery import make\n"
        "if __name__ == '__main__':\n    make([], sys.argv[1], folder=Path(sys.argv[1]), dpi=40, workers=1)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(command)
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stderr=subprocess.DEVNULL)
    manifest = tmp_path / MANIFEST
    until = time.monotonic() + 50
    while not (manifest.exists() and any(tmp_path.glob(".b_slow*"))) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) != 0
    assert set(json.loads(manifest.read_text())) == {"a_quick"}
    made = {"a_quick.png", MANIFEST, script.name, "plot_a_quick.py", "plot_b_slow.py"}
    assert {path.name for path in tmp_path.iterdir()} == made  # nothing half written


def test_kept_runs_of_figure_7_are_those_of_its_system():
    """One network may be 0.1 from the finite-width system in a (noise that its start and batches make), a mean less."""
    records = sorted((pictures()["figure_7"].path.parent / "records").glob("figure_7*.json"))
    assert len(records) >= 2
    for path in records:
        run = json.loads(path.read_text())
        assert (run["model"]["c"], run["model"]["c_star"]) == ([1, 1, 1], [1, -2, 1])
        assert run["tau"][-1] == pytest.approx(run["gamma"] * run["steps"] / run["m"])
        network = fs.finite_width("fig7", m=run["m"], gamma=run["gamma"], delta=run["n"] / run["d"])
        course = network.solve(run["a0"], np.array(run["tau"]))
        for name, values, bound in (("R", course.R, 0.02), ("a", course.a, 0.12 / np.sqrt(run["replicas"]))):
            mean = np.mean(run[f"{name}_mean"], axis=0)
            assert np.abs(mean - values).max() < bound, (path.name, name)
