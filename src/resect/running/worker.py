"""A process that runs sweeps: reads them on stdin, writes their events to stdout, until stdin ends.

Started by `local_engine`, which reads the events; nothing else is written to its stdout. It ends
with the process that started it, however that one ends.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import traceback
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent ends."""


def main() -> int:
    """Sweeps in, (kind, event) pairs out: `event`, `notice` and, after each, `end`.

    Errors are sent as text, `refused` for a wrong request and `failed` for the rest, because a
    library's exception may not survive a pipe.
    """
    end_with(os.getppid())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    from resect.errors import RequestError, RunError
    from resect.running import run_log

    run_log.send(lambda *record: _say(out, "log", record))
    from resect.running.walk import walk

    source: BinaryIO = sys.stdin.buffer
    while True:
        try:
            sweep = pickle.load(source)
        except EOFError:
            return 0
        try:
            for event in walk(sweep, lambda text: _say(out, "notice", text)):
                _say(out, "event", event)
            _say(out, "end", None)
        except BrokenPipeError:
            return 1  # the driver is gone: what it had is stored
        except RequestError as error:
            _say(out, "refused", str(error))
            return 1
        except RunError as error:
            _say(out, "failed", str(error))
            return 1
        except BaseException as error:
            traceback.print_exc()
            _say(out, "failed", f"a worker ended with {type(error).__name__}: {error}")
            return 1


def end_with(parent: int) -> None:
    """End this process when its parent ends (Linux; elsewhere it ends at its next event).

    A killed driver frees its lock: a worker that went on would compute beside that of the next run.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the line above
            os._exit(1)


def _say(out: BinaryIO, kind: str, what: Any) -> None:
    out.write(pickle.dumps((kind, what)))  # whole or not at all
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
