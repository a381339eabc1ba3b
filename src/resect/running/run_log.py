"""`run.log` of a run folder: notices, and what libraries warn of, which no terminal shows.

Libraries warn when they are imported, before there is a run folder: until then it is held.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from logging.handlers import MemoryHandler
from pathlib import Path

FILE = "run.log"
NOTICES = logging.getLogger("resect.notices")
"""Where the notices of a run go besides the terminal."""

_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
_MOST = 1000
_held = MemoryHandler(_MOST, flushLevel=logging.CRITICAL + 1, flushOnClose=False)


def hold() -> None:
    """Keep warnings of libraries off the terminal: they wait for a run's log.

    Libraries have handlers of their own that write to the terminal; none of them is called any
    more, only those of the root logger. For programs that own their process, not for imports.
    """
    logging.Logger.callHandlers = _to_root  # type: ignore[method-assign,assignment]
    for name in ("torchao", "bitsandbytes", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    root = logging.getLogger()
    if _held not in root.handlers:
        root.addHandler(_held)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    NOTICES.setLevel(logging.INFO)


def _to_root(_: logging.Logger, record: logging.LogRecord) -> None:
    for handler in logging.getLogger().handlers:
        if record.levelno >= handler.level:
            handler.handle(record)


def send(out: Callable[[str, int, str], None]) -> None:
    """Hand what libraries warn of to `out` (name, level, text), as a worker does to its driver."""

    class Sending(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with contextlib.suppress(OSError):  # the driver is gone
                out(record.name, record.levelno, record.getMessage())

    hold()
    root = logging.getLogger()
    root.removeHandler(_held)
    root.addHandler(Sending())


@contextlib.contextmanager
def written(folder: Path) -> Iterator[None]:
    """Write what was held, and all that comes while the block runs, to the log of a run folder."""
    root = logging.getLogger()
    file = logging.FileHandler(folder / FILE, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter(_FORMAT))
    _held.setTarget(file)
    _held.flush()
    _held.setTarget(None)
    root.addHandler(file)
    try:
        yield
    finally:
        root.removeHandler(file)
        file.close()
        _held.buffer.clear()
