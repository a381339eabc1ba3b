"""The errors that end a command, and the message for an unknown name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST, _LONGEST_WORD = 1500, 300
"""Characters of a message and of one word at most: what it quotes may be of any length."""


class _Sentence(Exception):
    """An error whose message stays readable."""

    def __init__(self, message: str = "") -> None:
        message = re.sub(rf"(\S{{100}})\S{{{_LONGEST_WORD},}}(\S{{20}})", r"\1...\2", message)
        if len(message) > _LONGEST:
            half = _LONGEST // 2 - 2
            message = f"{message[:half]} ... {message[-half:]}"
        super().__init__(message)


class RequestError(_Sentence):
    """The request is wrong (exit code 2); the message says what to do."""


class RunError(_Sentence):
    """The request was right but the run failed (exit code 1); the message says what is kept."""


class Stopped(RunError):
    """The user stopped the run (exit code 130); the message says what is kept."""


def unknown(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """A `RequestError` for an unknown name, with the nearest names or else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return RequestError(f"unknown {kind} {name!r}: did you mean {' or '.join(near)}?")
    return RequestError(f"unknown {kind} {name!r}: choose from {', '.join(names)}.")
