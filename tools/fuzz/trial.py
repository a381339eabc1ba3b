"""One hostile input and what came of it, for every surface alike."""

from __future__ import annotations

import contextlib
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from resect.errors import RequestError, RunError

SLOW = 5.0
"""Seconds of computing after which a trial is a failure."""

HANGS = 60.0
"""Seconds of computing after which a trial is ended."""

LONGEST = 2000
"""Characters of a sentence at most."""

FAILURES = ("traceback", "slow", "wrong")


class Hang(BaseException):
    """A trial did not end. No `except Exception` of the code under trial takes it."""


class Trial(NamedTuple):
    """`outcome` is `read`, `sentence`, `traceback`, `slow` or `wrong` (something was let through).

    `message` is the sentence, or what was raised and where.
    """

    kind: str
    outcome: str
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether it came to anything but a result or one sentence."""
        return self.outcome in FAILURES


def changed(value: Any, hostile: Sequence[Any], dice: random.Random) -> Any:
    """The value with one part, however deep, replaced by a `hostile` one, removed or doubled.

    What it holds is changed in place.
    """
    holder = value
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return dice.choice(hostile)
        key = dice.choice(keys)
        if isinstance(holder[key], dict | list) and holder[key] and dice.random() < 0.7:
            holder = holder[key]
            continue
        kind = dice.random()
        if kind < 0.7:
            holder[key] = dice.choice(hostile)
        elif kind < 0.85 or not isinstance(holder, dict):
            del holder[key]
        else:
            holder[str(dice.choice(hostile))] = holder[key]
        return value


@contextlib.contextmanager
def bounded(seconds: float = HANGS) -> Iterator[None]:
    """Raise `Hang` where a block computes for longer; only in the main thread."""

    def end(*_: object) -> None:
        raise Hang(f"it did not end in {seconds:.0f} s of computing")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def tried(kind: str, action: Callable[[], object]) -> Trial:
    """The trial that an action is: what it raised, and whether it took too long.

    An action that returns a text says with it what was let through.
    """
    started = time.process_time()
    try:
        with bounded():
            result = action()
    except (RequestError, RunError) as error:
        trial = _sentence(kind, str(error))
    except Hang as error:
        trial = Trial(kind, "slow", str(error))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        trial = Trial(kind, "traceback", f"{type(error).__name__}: {error!s:.200} ({where})")
    else:
        trial = Trial(kind, "wrong", result) if isinstance(result, str) else Trial(kind, "read")
    seconds = time.process_time() - started
    if seconds > SLOW and not trial.failed:
        return Trial(kind, "slow", f"{seconds:.1f} s, {trial.message[:200]}")
    return trial


def _sentence(kind: str, message: str) -> Trial:
    if not message.strip() or len(message) > LONGEST:
        return Trial(kind, "wrong", f"a sentence of {len(message)} characters: {message[:100]}")
    return Trial(kind, "sentence", message)
