"""A process that runs courses: reads one on stdin, writes its events to stdout, until stdin ends.

Started by `local`, which reads the events; nothing else is written to its stdout.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any, BinaryIO


def main() -> int:
    """Courses in, (kind, event) pairs out: `event`, `notice`, `error` and, after each, `end`."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    from resect.course import walk

    source: BinaryIO = sys.stdin.buffer
    while True:
        try:
            course = pickle.load(source)
        except EOFError:
            return 0
        try:
            for event in walk(course, lambda text: _say(out, "notice", text)):
                _say(out, "event", event)
            _say(out, "end", None)
        except BrokenPipeError:
            return 1  # the driver is gone: what it had is stored
        except BaseException as error:
            _say(out, "error", error)
            return 1


def _say(out: BinaryIO, kind: str, what: Any) -> None:
    pickle.dump((kind, what), out)
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
