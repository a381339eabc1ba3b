"""The lock of a run folder: one process writes."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from resect.errors import RequestError

_TRIES = 6
"""How often the lock is tried, a tenth of a second apart: a reader may hold it for a moment."""


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Be the one writer of a run folder; `RequestError` where there is another."""
    with (folder / ".lock").open("w") as lock:
        for _ in range(_TRIES):
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.1)
        else:
            raise RequestError(
                f"another process is writing to {folder}: wait for it, or give another --out."
            )
        yield


@contextlib.contextmanager
def unwritten(folder: Path) -> Iterator[bool]:
    """Whether nobody writes to a run folder; no writer can start inside the block."""
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
