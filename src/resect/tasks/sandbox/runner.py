"""The process that runs an untrusted program: it answers calls with values, and sees no test.

Started behind the walls as `main(calls, answers, seconds, memory)`, the program on its standard
input. It reads calls from one pipe and writes what they return into the other; whatever the program
does to this process, it can only send other values. Standard library only.
"""

from __future__ import annotations

import os
import sys

from resect.tasks.sandbox import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOBODY = 65534


def settle(seconds: int, memory: int) -> None:
    """Become nobody, where this is root, and take limits that cannot be raised again."""
    import resource  # not on every system that imports this module

    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def main(calls: int, answers: int, seconds: int, memory: int) -> None:
    """Say `started`, `compiled` and `ready`, or what is wrong with the program; answer calls."""
    settle(seconds, memory)
    wire.send(answers, wire.encode(("started",)))
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        source = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
        code = compile(source, "program.py", "exec", dont_inherit=True)
        wire.send(answers, wire.encode(("compiled",)))
        exec(code, names)
        wire.send(answers, wire.encode(("ready",)))
        while True:
            wire.send(answers, _answer(names, wire.receive(calls)))
    except wire.Gone:
        return
    except BaseException as error:
        wire.send(answers, _raised(error))


def _answer(names: dict[str, Any], call: Any) -> bytes:
    """Call a function of the program; the message with its value or its exception."""
    try:
        name, positional, keywords = call
        if name not in names:
            raise NameError(f"name {name!r} is not defined")
        value = names[name](*positional, **keywords)
        return wire.encode(("value", value), strict=False)
    except BaseException as error:
        return _raised(error)


def _raised(error: BaseException) -> bytes:
    """The message of an exception: the name of its nearest builtin class, and its text."""
    kind = next(x for x in type(error).__mro__ if x.__module__ == "builtins")
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    return wire.encode(("raised", kind.__name__, text))
