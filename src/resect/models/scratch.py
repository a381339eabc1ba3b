"""Folders that are written completely or not at all, and temporary folders; removed after a kill.

Unfinished folders lie beside the output. Their process holds a lock on them while it lives, and the
next start removes those without a lock, which may be as large as the model.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from resect.errors import RequestError, RunError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAYS_FULL = re.compile(
    r"No space left|File too large|quota exceeded|PytorchStreamWriter|unexpected pos"
    r"|os error 2[78]",
    re.IGNORECASE,
)
_PART = ".resect-part"
_PLACE = "RESECT_SCRATCH"  # in the environment, as workers are processes of their own


def refuse_taken(out: Path) -> None:
    """Raise `RequestError` if the folder to be written is not empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out} already exists: give another --out, or remove it.")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder that gets its name once it is complete; every `Scratch` lies beside it."""
    refuse_taken(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sweep(out.parent)
        made, held = _make(out.parent, out.name)
    except OSError as error:
        raise RequestError(
            f"{out} cannot be written to ({error.strerror}): give another --out."
        ) from None
    try:
        with under(out.parent), disk_errors(out, "nothing is written there"):
            yield made
        made.chmod(0o755)
        for path in [*made.iterdir(), made]:
            to_disk(path)
        os.replace(made, out)
        to_disk(out.parent)
    finally:
        _remove(made, held)


@contextmanager
def disk_errors(place: Path, kept: str) -> Iterator[None]:
    """Raise `RunError` where a full disk or a limit on files ends what writes to `place`.

    Libraries raise errors of their own for it; `kept` says what is left of the work.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        code = error.errno if isinstance(error, OSError) else None
        if code not in _FULL and not (code is None and _SAYS_FULL.search(str(error))):
            raise
        raise RunError(
            f"the disk is full, or files may not grow further, at {place}: {kept}. Make room, then "
            "run the same command again."
        ) from None


@contextmanager
def under(place: Path) -> Iterator[None]:
    """Put every `Scratch` of this process and its children into a folder."""
    sweep(place)
    before = os.environ.get(_PLACE)
    os.environ[_PLACE] = str(place.absolute())
    try:
        yield
    finally:
        del os.environ[_PLACE]
        if before is not None:
            os.environ[_PLACE] = before


class Scratch:
    """A folder at `path` while this object lives or its `with` block runs.

    It lies where `under` says, or else in the system's temporary folder.
    """

    def __init__(self, purpose: str) -> None:
        named = os.environ.get(_PLACE, "")
        place = Path(named if os.access(named, os.W_OK) else tempfile.gettempdir())
        sweep(place)
        self.path, held = _make(place, purpose)
        self._end = weakref.finalize(self, _remove, self.path, held)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self._end()


def sweep(place: Path) -> None:
    """Remove unfinished folders that a killed process of this user left behind."""
    for left in place.glob(f".*{_PART}"):
        with contextlib.suppress(OSError):  # somebody is writing it, or it is not ours
            if left.lstat().st_uid == os.getuid():
                _remove(left, _hold(left))


def to_disk(path: Path) -> None:
    """Flush a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(place: Path, name: str) -> tuple[Path, int]:
    """A new folder and the handle that holds it."""
    while True:
        made = Path(tempfile.mkdtemp(dir=place, prefix=f".{name}.", suffix=_PART))
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            held = _hold(made)
            if os.fstat(held).st_nlink:
                return made, held
            os.close(held)  # another process swept it before it was held


def _hold(folder: Path) -> int:
    """A handle that marks a folder as in use, until it is closed or this process ends.

    Raises `BlockingIOError` where another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove(folder: Path, held: int) -> None:
    """Remove a folder that is held, if it is still there under its name, and let go of it."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)
