"""A process that runs sweeps: reads one on stdin, writes its events to stdout, until stdin ends.

Started by `local`, which reads the events; nothing else is written to its stdout.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from typing import Any, BinaryIO


def main() -> int:
    """Sweeps in, (kind, event) pairs out: `event`, `notice` and, after each, `end`.

    What goes wrong is said as text, `refused` where the request is wrong and else `failed`: an
    exception of a library may not come through a pipe.
    """
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    from resect.errors import RequestError, RunError
    from resect.run.walk import walk

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


def _say(out: BinaryIO, kind: str, what: Any) -> None:
    out.write(pickle.dumps((kind, what)))  # whole or not at all
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
