"""Checks of an output folder, before anything is computed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from resect.errors import RequestError

_BLOCK = b"\0" * 4096


def destination(path: str | Path) -> Path:
    """`path` with `~` expanded: a folder that exists or can be created, and can be written to.

    Leaves nothing behind. Raises `RequestError` if something is in the way or the disk is full.
    """
    try:
        place = Path(path).expanduser()
        there = _nearest(place)
        if not there.exists():
            raise RequestError(f"{there} is a broken link: remove it, or give another --out.")
        if not there.is_dir():
            raise RequestError(f"{there} is a file, not a folder: give another --out.")
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(_BLOCK)
            file.flush()
            os.fsync(file.fileno())
    except (RuntimeError, ValueError) as error:  # ~ of nobody; a NUL byte
        raise RequestError(f"{path} is not a valid path ({error}): give another --out.") from None
    except OSError as error:
        raise RequestError(
            f"the output folder {path} cannot be written to ({error.strerror}): give another --out."
        ) from None
    return place


def _nearest(path: Path) -> Path:
    """The path, or its nearest parent, that exists (a broken link counts)."""
    return next(place for place in (path, *path.absolute().parents) if _is_there(place))


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
