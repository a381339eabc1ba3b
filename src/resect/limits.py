"""Limits on foreign code that must run in this process: seconds of computing, bytes of memory."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType


class TooMuch(Exception):
    """What ran under a limit took too long or too much memory."""


@contextlib.contextmanager
def bounded(seconds: float, room: int) -> Iterator[None]:
    """Raise `TooMuch` after so many seconds of computing, or beyond `room` more bytes.

    Seconds are the process's own, so that a busy machine changes nothing. In a thread other than
    the main one, and where the system has no such limits, there are none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGVTALRM, _end)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_lower(_size() + room, soft), hard))
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    except MemoryError:
        raise TooMuch("it takes too much memory") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, handler or signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    raise TooMuch("it takes too long")


def _lower(limit: int, present: int) -> int:
    return limit if present == resource.RLIM_INFINITY else min(limit, present)


def _size() -> int:
    """Bytes of this process's address space; no limit comes of it where the system hides them."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 1 << 60
    return pages * resource.getpagesize()
