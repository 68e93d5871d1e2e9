"""Files that are written whole or not at all, and directories that can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fastslow.errors import InputError


def write_whole(path: str | Path, content: bytes | str) -> Path:
    """Write a file whole or not at all: to a temporary file beside it, then renamed."""
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        # A temporary file is private; the result gets the permissions of any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def check_writable(directory: Path) -> None:
    """Make a directory and try to write there, so that work does not fail after it but before it."""
    if directory.exists() and not directory.is_dir():
        raise InputError("-o", str(directory), "is a file", "Name a directory, or one that can be made")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("-o", str(directory), f"cannot be written ({reason})", "Choose another directory") from None
