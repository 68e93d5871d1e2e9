"""One script of the gallery, run and saved with what made it."""

from __future__ import annotations

import io
import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastslow.errors import InputError
from fastslow.files import write_whole
from fastslow.plot.dark import dark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
MOVIES = ("gif", "mp4")
_SEED = "SEED"


class Ended(BaseException):
    """The process is to end: no error of a script."""


@dataclass(frozen=True)
class Task:
    """A script and how its picture is saved; see ``fastslow.plot.gallery.make``."""

    script: str
    name: str
    title: str
    directory: str
    formats: tuple[str, ...]
    themes: tuple[str, ...]
    movie: str
    dpi: int


def draw(task: Task) -> tuple[list[str], str]:
    """Run a script and save its picture; return the names of the files, and what went wrong."""
    import runpy

    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    try:
        # What scripts print is no result of the gallery; their style must not reach the next one.
        standard, sys.stdout = sys.stdout, sys.stderr
        with mpl.rc_context():
            made = runpy.run_path(task.script)
            return _saved(task, made), ""
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        print(traceback.format_exc(), file=sys.stderr)
        return [], f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        sys.stdout = standard
        plt.close("all")


def _saved(task: Task, made: dict[str, Any]) -> list[str]:
    import matplotlib.pyplot as plt

    numbers = plt.get_fignums()
    if len(numbers) != 1:
        raise InputError("figures", len(numbers), "a script must make one", "Divide it, or use subplots")
    figure = plt.figure(numbers[0])
    about = description(task, made)
    files, contents = [], []
    for theme in task.themes:
        if theme == "dark":
            dark(figure)
        stem = task.name if theme == "light" else f"{task.name}-{theme}"
        if "animation" in made:
            files.append(f"{stem}.{task.movie}")
            _save_animation(made["animation"], Path(task.directory) / files[-1], task, about)
            continue
        for format in task.formats:
            files.append(f"{stem}.{format}")
            contents.append(_bytes(figure, format, task, about))
    for file, content in zip(files, contents, strict=False):  # all or none, but for films
        write_whole(Path(task.directory) / file, content)
    return files


def description(task: Task, made: dict[str, Any]) -> dict[str, Any]:
    """Return what made a picture: the version, the script, its seed and the models among its variables."""
    import matplotlib
    import numpy

    from fastslow import __version__
    from fastslow.systems.system import FastSlowSystem

    models = {}
    for name, value in made.items():
        system = getattr(value, "system", value)
        if isinstance(system, FastSlowSystem):
            models[name] = system.table()
    return {
        "fastslow": __version__,
        "matplotlib": matplotlib.__version__,
        "numpy": numpy.__version__,
        "script": Path(task.script).name,
        "seed": made.get(_SEED),
        "models": models,
        "source": Path(task.script).read_text(encoding="utf-8"),
    }


def _bytes(figure: Figure, format: str, task: Task, about: dict[str, Any]) -> bytes:
    """Return a figure as a file that carries what made it, and no time, so that it is the same each time."""
    software, text = f"fastslow {about['fastslow']}", json.dumps(about)
    kinds: dict[str, dict[str, Any]] = {
        "png": {"Title": task.title, "Software": software, "Description": text},
        "svg": {"Title": task.title, "Creator": software, "Description": text, "Date": None},
        "pdf": {"Title": task.title, "Creator": software, "Subject": text, "CreationDate": None},
    }
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": task.name}):
        figure.savefig(stream, format=format, dpi=task.dpi, metadata=kinds[format])
    return stream.getvalue()


def _save_animation(animation: Any, path: Path, task: Task, about: dict[str, Any]) -> None:
    import os
    import tempfile

    import matplotlib as mpl
    import matplotlib.animation as writers

    if task.movie == "mp4":
        mpl.rcParams["animation.ffmpeg_path"] = ffmpeg()  # within the context of the script
    kind = writers.PillowWriter if task.movie == "gif" else writers.FFMpegWriter
    text = {"title": task.title, "comment": json.dumps(about)}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = os.path.join(folder, path.name)
        animation.save(temporary, writer=kind(fps=animation_rate(animation), metadata=text), dpi=min(task.dpi, 100))
        if task.movie == "gif":
            _comment(temporary, text["comment"])
        os.replace(temporary, path)


def ffmpeg() -> str | None:
    """Return where the program ffmpeg is: on the path, else that of imageio-ffmpeg; None where neither is."""
    import shutil

    import matplotlib as mpl

    found = shutil.which(str(mpl.rcParams["animation.ffmpeg_path"]))
    if found is not None:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def animation_rate(animation: Any) -> int:
    """Return the frames a second of an animation, from the milliseconds between them."""
    return round(1000.0 / float(animation.event_source.interval))


def _comment(path: str, text: str) -> None:
    """Put a comment into a GIF file: matplotlib's writer has no place for it."""
    content = Path(path).read_bytes()
    data = text.encode()
    blocks = b"".join(bytes([len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255)))
    # After the header (13 bytes) and the global colour table, whose size its fifth byte from the end tells.
    table = 3 * 2 ** ((content[10] & 7) + 1) if content[10] & 0x80 else 0
    end = 13 + table
    Path(path).write_bytes(content[:end] + b"\x21\xfe" + blocks + b"\x00" + content[end:])
