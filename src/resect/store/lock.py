"""The lock of a run folder: one process writes."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from resect.errors import RequestError

_TRIES = 6
"""How often the lock is tried, a tenth of a second apart: a reader may look at it just then."""


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Be the one writer of a run folder; `RequestError` where there is another."""
    with (folder / ".lock").open("w") as lock:
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if last:
                    raise RequestError(
                        f"another process is writing to {folder}: wait for it, or give another "
                        "--out."
                    ) from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def unwritten(folder: Path) -> Iterator[bool]:
    """Whether nobody writes to a run folder, and no one begins to meanwhile."""
    try:
        lock = (folder / ".lock").open()
    except OSError:  # no run of ours ever wrote there
        yield True
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
