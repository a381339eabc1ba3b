"""The errors that end a command, and the message for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RequestError(Exception):
    """The request is wrong (exit code 2). The message is one sentence that says what to do."""


class RunError(Exception):
    """The request was fine and the run failed (exit code 1). The message says what is kept."""


class Stopped(RunError):
    """Somebody stopped the run (exit code 130). The message says what is kept."""


def unknown(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """A `RequestError` for a name that is not in a table: nearest names first, else the list."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return RequestError(f"unknown {kind} {name!r}: did you mean {' or '.join(near)}?")
    return RequestError(f"unknown {kind} {name!r}: choose from {', '.join(names)}.")
