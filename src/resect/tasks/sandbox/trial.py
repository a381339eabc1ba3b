"""One trial: the process of a program, the process of its tests, and the result.

They communicate through pipes; only the process of the tests can write the result.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from resect.tasks.sandbox import runner, tester, walls

STARTING = 30.0
"""Seconds in which both processes have to stand behind their walls."""
PATIENCE = 3
"""Wall time in units of CPU time: a verdict should not depend on what else the machine does."""


class Limits(NamedTuple):
    """CPU time in seconds, and address space in bytes, of each process."""

    seconds: float
    memory: int


class Ran(NamedTuple):
    """How a program fared.

    `how` is passed, assertion, error, syntax, exit (it left before its tests were through),
    memory, timeout, killed, or walls (it was not run; `detail` says why).
    """

    passed: bool
    how: str
    detail: str = ""


def trial(program: bytes, tests: bytes, account: Sequence[str], limits: Limits) -> Ran:
    """Try `program` (source) with `tests` (what `tester.main` reads)."""
    with contextlib.ExitStack() as stack:
        asked, asks = os.pipe()
        answers, says = os.pipe()
        verdict, judges = os.pipe()
        stack.callback(os.close, verdict)
        with contextlib.ExitStack() as given:
            for pipe in (asked, asks, answers, says, judges):
                given.callback(os.close, pipe)
            judge = _start(tester, tests, (asks, answers, judges), account, limits, stack)
            runs = _start(runner, program, (asked, says), account, limits, stack)
        heard = _hear(verdict, STARTING)
        if not heard or not heard.startswith(tester.STARTED):
            return Ran(False, "walls", "bubblewrap, or what the tests are to start with, failed")
        how = heard[len(tester.STARTED) :] or _hear(verdict, PATIENCE * limits.seconds)
        if how is None:
            return Ran(False, "timeout")
        if how in (b"gone", b""):
            return _gone(runs if how else judge)
        return Ran(how == b"passed", how.decode())


def _start(
    module: ModuleType,
    data: bytes,
    pipes: tuple[int, ...],
    account: Sequence[str],
    limits: Limits,
    stack: contextlib.ExitStack,
) -> subprocess.Popen[bytes]:
    """Start `module.main` behind walls with `data` on its standard input, until `stack` closes."""
    numbers = ", ".join(map(str, (*pipes, math.ceil(limits.seconds), limits.memory)))
    start = f"from {module.__name__} import main; main({numbers})"
    told, tells = os.pipe()
    stack.callback(os.close, told)
    with contextlib.ExitStack() as given:
        given.callback(os.close, tells)
        filter_, source = (_file(content, given) for content in (walls.seccomp(), data))
        process = subprocess.Popen(
            walls.command((*account, "--info-fd", str(tells)), filter_, start),
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(filter_, tells, *pipes),
            env={},
        )
    stack.callback(_end, process, told)
    return process


def _end(process: subprocess.Popen[bytes], told: int) -> None:
    """Kill the first process inside, and so all; bubblewrap ends when it has reaped that.

    Were bubblewrap killed, what is inside would die too, but be left to init as a zombie.
    """
    if process.poll() is None:
        with contextlib.suppress(ValueError, LookupError, ProcessLookupError):
            os.kill(json.loads(os.read(told, 4096))["child-pid"], signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5.0)
    process.kill()
    process.wait()


def _file(content: bytes, stack: contextlib.ExitStack) -> int:
    """A descriptor from which `content` is read, on no disk; open until `stack` closes."""
    file = os.memfd_create("resect")
    stack.callback(os.close, file)
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _hear(pipe: int, seconds: float) -> bytes | None:
    """What comes next: nothing if the other end is closed, None if the time is over."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return os.read(pipe, 64) if poll.poll(seconds * 1000) else None


def _gone(process: subprocess.Popen[bytes]) -> Ran:
    """How a process left before the verdict, from the exit code that bubblewrap passes on."""
    with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
        name = signal.Signals(process.wait(1.0) - 128).name
        return Ran(False, "timeout" if name == "SIGXCPU" else "killed", name)
    return Ran(False, "exit")
