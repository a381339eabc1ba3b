"""Run one untrusted program behind walls and say how it ended. A process of its own.

Reads a JSON object from stdin (mode, program, seconds, memory, shown, root, token) and writes one
to stdout ({"how": ...}). Standard library only.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from resect.sandbox import kernel

WORK_BYTES = 16 << 20
HOW = {0: "passed", 3: "syntax", 4: "assertion", 5: "memory", 6: "exit", 7: "error", 8: "walls"}


def main() -> None:
    """Wall in, run, report."""
    asked = json.load(sys.stdin)
    nothing = os.open(os.devnull, os.O_RDWR)
    said, says = os.pipe()
    try:
        if asked["mode"] == "namespaces":
            _namespaces(asked)
    except (kernel.Unavailable, OSError) as error:
        _report("walls", str(error))
        return
    child = os.fork()
    if not child:
        os.close(said)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        _inside(asked, says)
    os.close(says)
    how, heard = _watch(child, said, float(asked["seconds"]))
    if how == "passed" and heard != asked["token"]:
        how = "exit"  # it left before its last line
    _report(how, heard if how in ("walls", "killed") else "")


def _report(how: str, detail: str = "") -> None:
    sys.stdout.write(json.dumps({"how": how, "detail": detail}))
    sys.stdout.flush()


def _namespaces(asked: dict[str, Any]) -> None:
    """A user, a network, processes and a file system of its own."""
    apart = kernel.NEWNS | kernel.NEWPID | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS
    if os.geteuid() == 0:
        kernel.unshare(apart)  # its own user follows when it is nobody
    else:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(apart | kernel.NEWUSER)
        kernel.map_nobody(uid, gid)
    kernel.small_root(asked["root"], asked["shown"], WORK_BYTES)


def _inside(asked: dict[str, Any], says: int) -> None:
    """The child: give every right away, then run the program in this very interpreter."""
    code = 8
    try:
        root = os.geteuid() == 0
        if root:
            os.setgroups([])
            os.setresgid(kernel.NOBODY, kernel.NOBODY, kernel.NOBODY)
            os.setresuid(kernel.NOBODY, kernel.NOBODY, kernel.NOBODY)
        if root and asked["mode"] == "namespaces":
            kernel.unshare(kernel.NEWUSER)
        kernel.die_with_parent()
        kernel.drop_rights()
        if asked["mode"] == "landlock":
            kernel.landlock(asked["shown"])
        _limits(asked["memory"], asked["seconds"])
        kernel.forbid_calls()
        code = _run(asked["program"])
        if code == 0:
            os.write(says, asked["token"].encode())
    except (kernel.Unavailable, OSError) as error:
        os.write(says, str(error).encode()[:200])
    finally:
        os._exit(code)


def _limits(memory: int, seconds: float) -> None:
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_NPROC: 64,
        resource.RLIMIT_FSIZE: WORK_BYTES // 2,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))


def _run(program: str) -> int:
    """The exit code that says how the program ended."""
    try:
        code = compile(program, "program.py", "exec")
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return 3
    except MemoryError:
        return 5
    try:
        exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
    except AssertionError:
        return 4
    except MemoryError:
        return 5
    except SystemExit:
        return 6
    except BaseException:
        return 7
    return 0


def _watch(child: int, said: int, seconds: float) -> tuple[str, str]:
    """How the child ended and what it said; when its time is over nothing of it is left."""
    deadline = time.monotonic() + seconds
    heard = b""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done or time.monotonic() > deadline:
            break
        left = max(0.0, min(0.02, deadline - time.monotonic()))
        if select.select([said], [], [], left)[0]:
            heard += os.read(said, 256)
            time.sleep(0.001)
    if not done:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout", ""
    heard += os.read(said, 256)
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        return ("timeout" if killed == signal.SIGXCPU else "killed"), signal.Signals(killed).name
    return HOW.get(os.WEXITSTATUS(status), "exit"), heard.decode(errors="replace")
