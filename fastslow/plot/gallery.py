"""The gallery: scripts that make one picture each, run in processes and kept with what made them."""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from fastslow.errors import MISSING, InputError, suggestion
from fastslow.files import check_writable, write_whole
from fastslow.plot.drawing import FORMATS, MOVIES, Ended, Task, draw, ffmpeg
from fastslow.progress import Progress

MANIFEST = "gallery.json"
_PATIENCE = 3.0
"""Seconds that a process has to take away what it has half written."""
_SCRIPTS, _PREFIX, _RECORDS = "fastslow_gallery", "plot_", "records"


@dataclass(frozen=True)
class Picture:
    """A script of the gallery: its name, its title and where it is."""

    name: str
    path: Path

    @cached_property
    def source(self) -> str:
        """The text of the script."""
        return self.path.read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """The first line of its docstring."""
        return (ast.get_docstring(ast.parse(self.source)) or self.name).splitlines()[0]

    @property
    def moves(self) -> bool:
        """Whether it is an animation."""
        return "matplotlib.animation" in self.source


@dataclass(frozen=True)
class Drawn:
    """What became of a picture: its files, or the error; `seconds` of processor time, 0 where it was there already."""

    name: str
    files: tuple[str, ...]
    seconds: float
    error: str = ""


def pictures(folder: Path | None = None) -> dict[str, Picture]:
    """Return the pictures of the gallery, or of another folder of scripts plot_*.py, by name."""
    if folder is None:
        from importlib.util import find_spec

        spec = find_spec(_SCRIPTS)
        places = [] if spec is None else list(spec.submodule_search_locations or ())
        if not places:
            raise InputError("gallery", MISSING, "is not installed", "Install fastslow again: pip install .")
        folder = Path(places[0])
    scripts = sorted(folder.glob(f"{_PREFIX}*.py"))
    return {path.stem.removeprefix(_PREFIX): Picture(path.stem.removeprefix(_PREFIX), path) for path in scripts}


def make(
    names: Sequence[str],
    directory: str | Path,
    *,
    formats: Sequence[str] = ("png",),
    themes: Sequence[str] = ("light",),
    movie: str = "gif",
    dpi: int = 150,
    workers: int | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Drawn]:
    """Make pictures of the gallery; those that are there and would come out the same are left alone.

    Parameters
    ----------
    names : sequence of str
        Names of pictures; all where there is none.
    directory : path
        Where they go; `gallery.json` in it remembers what made them.
    formats : sequence of str
        Of "png", "svg" and "pdf".
    themes : sequence of str
        Of "light" and "dark"; files of the dark theme end in ``-dark``.
    movie : str
        "gif", or "mp4", which needs ffmpeg (of the system, or of the extra `movie`): the format of animations.
    dpi : int
        Pixels an inch of PNG files.
    workers : int, optional
        Processes; as many as processors where it is left out.
    folder : path, optional
        Other scripts than those of the gallery.
    progress : callable, optional
        Called as progress(done, total) after each picture.

    Returns
    -------
    list of Drawn
        One for each picture, in order; a failure does not stop the others. A script that is interrupted leaves no
        file, those before it stay.

    Raises
    ------
    InputError
        Before the first picture, if a name or an option cannot be used or a tool is missing.
    """
    known = pictures(folder)
    for name in names:
        if name not in known:
            raise InputError("NAMES", name, "is no picture of the gallery", suggestion(name, list(known)))
    chosen = [known[name] for name in dict.fromkeys(names or known)]
    formats, themes = list(dict.fromkeys(formats)), list(dict.fromkeys(themes))
    _check("--format", formats, FORMATS)
    _check("--theme", themes, ("light", "dark"))
    _check("--movie", (movie,), MOVIES)
    if workers is not None and workers < 1:
        raise InputError("--workers", workers, "must be at least 1", "Leave it out for one on each processor")
    if not 10 <= dpi <= 1200:
        raise InputError("--dpi", dpi, "must be between 10 and 1200", "150 is for screens, 300 for print")
    if any(picture.moves for picture in chosen):
        _check_movie(movie)
    target = Path(directory)
    check_writable(target)
    kept = _kept(target)
    options = {"formats": list(formats), "themes": list(themes), "movie": movie, "dpi": dpi}
    base = _fingerprint(options)
    found: dict[str, Drawn] = {}
    tasks: dict[str, Task] = {}
    for picture in chosen:
        mark = hashlib.sha256(base + _inputs(picture)).hexdigest()
        before = kept.get(picture.name, {})
        if before.get("made_of") == mark and _intact(target, before["files"]):
            found[picture.name] = Drawn(picture.name, tuple(before["files"]), 0.0)
        else:
            tasks[picture.name] = Task(
                str(picture.path), picture.name, picture.title, str(target), tuple(formats), tuple(themes), movie, dpi
            )
            kept[picture.name] = {"made_of": mark}
    done = len(found)
    if progress is not None and done:
        progress(done, len(chosen))

    def keep(drawn: Drawn) -> None:
        nonlocal done
        found[drawn.name] = drawn
        done += 1
        files = {file: _digest(target / file) for file in drawn.files}
        kept[drawn.name].update(files=files, seconds=drawn.seconds)
        ready = {name: entry for name, entry in sorted(kept.items()) if "files" in entry and _succeeded(found, name)}
        write_whole(target / MANIFEST, json.dumps(ready, indent=1) + "\n")
        if progress is not None:
            progress(done, len(chosen))

    count = min(workers or os.cpu_count() or 1, len(tasks))
    _in_processes(list(tasks.values()), count, keep)
    return [found[picture.name] for picture in chosen]


def _succeeded(found: dict[str, Drawn], name: str) -> bool:
    return name not in found or not found[name].error


def _check(field: str, given: Sequence[str], known: Sequence[str]) -> None:
    if not given:
        raise InputError(field, MISSING, "is empty", f"Known: {', '.join(known)}")
    for value in given:
        if value not in known:
            raise InputError(field, value, "is not known", suggestion(value, list(known)))


def _check_movie(movie: str) -> None:
    """Fail before the work where the tool that writes animations is missing."""
    from matplotlib.animation import writers

    if movie == "gif" and not writers.is_available("pillow"):
        raise InputError("--movie", movie, "needs pillow, which is not installed", "pip install pillow")
    if movie == "mp4" and ffmpeg() is None:
        way_out = "pip install 'fastslow[movie]', install ffmpeg, or choose --movie gif"
        raise InputError("--movie", movie, "needs ffmpeg, which is not installed", way_out)


def _fingerprint(options: dict[str, Any]) -> bytes:
    """Return a digest of what all pictures depend on: the options, the versions, and the source of the package."""
    import matplotlib

    from fastslow import __version__

    digest = hashlib.sha256(json.dumps([options, __version__, matplotlib.__version__]).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def _inputs(picture: Picture) -> bytes:
    """Return the script and the records beside it that it reads."""
    records = sorted((picture.path.parent / _RECORDS).glob("*"))
    return picture.source.encode() + b"".join(path.read_bytes() for path in records if path.name in picture.source)


def _kept(directory: Path) -> dict[str, Any]:
    """Return what made the pictures that are in a directory; nothing where the manifest cannot be read."""
    try:
        document = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        return {name: entry for name, entry in document.items() if isinstance(entry["files"], dict)}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def _intact(directory: Path, files: dict[str, str]) -> bool:
    return all((directory / file).is_file() and _digest(directory / file) == mark for file, mark in files.items())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _in_processes(tasks: list[Task], workers: int, keep: Any) -> None:
    """Run tasks in processes of their own; one that dies takes only its task with it."""
    context = multiprocessing.get_context("spawn")
    busy: dict[Connection[Any, Any], tuple[Any, Task]] = {}
    idle: list[tuple[Connection[Any, Any], Any]] = []
    left = list(reversed(tasks))
    try:
        while left or busy:
            while left and len(busy) < workers:
                if idle:
                    connection, process = idle.pop()
                else:
                    connection, theirs = context.Pipe()
                    process = context.Process(target=_serve, args=(theirs,), daemon=True)
                    process.start()
                    theirs.close()
                task = left.pop()
                connection.send(asdict(task))
                busy[connection] = (process, task)
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                process, task = busy.pop(ready)
                try:
                    files, seconds, error = ready.recv()
                    idle.append((ready, process))
                except (EOFError, OSError):
                    process.join()
                    files, seconds, error = (), 0.0, f"its process ended with code {process.exitcode}"
                keep(Drawn(task.name, tuple(files), seconds, error))
    finally:
        ending = [process for process, _ in busy.values()] + [process for _, process in idle]
        for process in ending:
            process.terminate()
        for process in ending:
            process.join(_PATIENCE)
            process.kill()
            process.join()


def _serve(connection: Connection[Any, Any]) -> None:
    """Draw what comes through a connection, until this process is ended."""
    import signal

    def end(*_: Any) -> None:
        raise Ended  # so that what is half written is taken away

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that began this one, and it ends this
    signal.signal(signal.SIGTERM, end)
    with suppress(Ended, EOFError, OSError):
        while True:
            task = Task(**connection.recv())
            before = time.process_time()
            files, error = draw(task)
            connection.send((files, time.process_time() - before, error))
