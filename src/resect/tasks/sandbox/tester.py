"""The process that tests a program from outside: it runs the tests and decides the result.

Started behind walls of its own as `main(calls, answers, verdict, seconds, memory)`. The functions
under test are proxies: a call goes to the program's process, and a plain value comes back, so that
every comparison is made here, between builtin types. Standard library only.
"""

from __future__ import annotations

import builtins
import os
import sys
import time

from resect.tasks.sandbox import runner, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, NoReturn

STARTED = b"."
"""Written into the verdict's pipe when both processes stand; `how` follows."""


class _Ended(BaseException):
    """No test can go on."""


class _Raised(Exception):
    """An exception of the program that is no builtin `Exception`."""


def main(calls: int, answers: int, verdict: int, seconds: int, memory: int) -> None:
    """Read (names, context, tests) from standard input, test, write the verdict."""
    runner.settle(seconds, memory)
    names, context, tests = wire.decode(sys.stdin.buffer.read())
    known: dict[str, object] = {"__name__": "tests"}
    exec(compile(context, "context.py", "exec", dont_inherit=True), known)
    code = compile(tests, "tests.py", "exec", dont_inherit=True)
    program = _Program(calls, answers)
    program.expect("started", "walls")
    os.write(verdict, STARTED)
    how = _how(lambda: _test(program, code, names, known))
    os.write(verdict, (program.ended or how).encode())
    time.sleep(60)  # to be ended from outside leaves no zombie


def _test(program: _Program, code: CodeType, names: list[str], known: dict[str, object]) -> None:
    program.expect("compiled", "syntax")
    program.expect("ready")
    known.update({name: program.function(name) for name in names})
    exec(code, known)


def _how(step: Callable[[], None]) -> str:
    """How `step` ended."""
    try:
        step()
    except AssertionError:
        return "assertion"
    except MemoryError:
        return "memory"
    except (Exception, _Ended):
        return "error"
    return "passed"


class _Program:
    """The process of the program, at the other ends of two pipes.

    `ended` is how it ended before the tests did; a test that catches everything cannot hide it.
    """

    def __init__(self, calls: int, answers: int) -> None:
        self._calls, self._answers = calls, answers
        self.ended = ""

    def expect(self, word: str, otherwise: str = "") -> None:
        """Hear `word`; else end with `otherwise`, or raise what the program raised."""
        message = self._hear()
        if message == (word,):
            return
        if otherwise:
            self._end(otherwise)
        self._raise(message)

    def function(self, name: str) -> Callable[..., object]:
        """What calls the function `name` of the program."""

        def proxy(*positional: object, **keywords: object) -> object:
            call = wire.encode((name, positional, keywords))
            try:
                wire.send(self._calls, call)
            except wire.Gone:
                self._end("gone")
            message = self._hear()
            if type(message) is tuple and len(message) == 2 and message[0] == "value":
                return message[1]
            return self._raise(message)

        return proxy

    def _hear(self) -> Any:
        try:
            return wire.receive(self._answers)
        except wire.Gone:
            self._end("gone")
        except wire.Malformed:
            self._end("error")

    def _raise(self, message: Any) -> NoReturn:
        """Raise what the program raised."""
        if type(message) is not tuple or [type(part) for part in message] != [str, str, str]:
            self._end("error")
        _, name, text = message
        if name == "SystemExit":
            self._end("exit")
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            try:
                error: Exception = kind(text)
            except TypeError:  # it wants more than a text
                error = _Raised(name)
            raise error
        raise _Raised(name)

    def _end(self, how: str) -> NoReturn:
        self.ended = how
        raise _Ended(how)
