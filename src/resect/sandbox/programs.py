"""Programs that a model wrote, run behind walls: whether that is allowed, and how each one ended.

Nothing runs without the field's opt-in (`HF_ALLOW_CODE_EVAL=1`, or `--confirm_run_unsafe_code`).
A program is nobody, without capabilities, network, other processes or files but Python's own, with
limits on memory and time: in user, network, process and mount namespaces of its own, or under
Landlock where these cannot be had; in both a seccomp filter forbids processes, sockets, signals
and mounts. Where neither is possible nothing runs.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from resect.errors import RequestError

OPT_IN = "HF_ALLOW_CODE_EVAL"
MODES = ("namespaces", "landlock")
SECONDS, MEMORY = 10.0, 512 << 20
"""Of wall time, and of address space in bytes."""

_SOURCE = str(Path(__file__).parents[2])
_START = (
    f"import sys; sys.path.insert(0, {_SOURCE!r}); from resect.sandbox.jail import main; main()"
)

_PROBE = """
import os
for name in ("/etc/passwd", "/proc/self/status", "/tmp/probe"):
    try:
        os.open(name, os.O_RDONLY)
    except OSError:
        continue
    assert False, name
try:
    os.fork()
except OSError:
    pass
else:
    os._exit(7)
try:
    import socket
    socket.socket()
except OSError:
    pass
else:
    assert False, "socket"
assert os.geteuid() != 0
"""
"""Ends well only where the walls stand."""


class Ran(NamedTuple):
    """How a program ended.

    `how` is passed, assertion, error, syntax, exit (before its tests were through), memory,
    timeout, killed, or walls (it was not run).
    """

    passed: bool
    how: str
    detail: str


def allow() -> None:
    """Opt in for this process and those it starts."""
    os.environ[OPT_IN] = "1"


def allowed() -> bool:
    """Whether somebody opted in."""
    return os.environ.get(OPT_IN) == "1"


def check() -> None:
    """Raise `RequestError` where programs may not, or cannot safely, be run."""
    if not allowed():
        raise RequestError(
            f"this task runs programs that a model wrote: set {OPT_IN}=1 or give "
            "--confirm_run_unsafe_code if you want that."
        )
    if walls() is None:
        raise RequestError(
            "programs cannot be walled in here (neither user, network, process and mount "
            "namespaces nor Landlock with seccomp can be had), so none is run: use another machine."
        )


@functools.cache
def walls() -> str | None:
    """The first mode in which a probe finds every wall standing, None where none does."""
    for mode in MODES:
        if run(_PROBE, mode=mode).passed:
            return mode
    return None


def run(
    program: str, seconds: float = SECONDS, memory: int = MEMORY, mode: str | None = None
) -> Ran:
    """Run `program` to its end or to a limit; it passed if every line of it was run.

    Says `walls` and runs nothing where the walls do not stand; it tries again where they did
    before, for a busy kernel may be short of namespaces for a moment.
    """
    if mode is not None:
        return _once(program, seconds, memory, mode)
    mode, ran = walls(), Ran(False, "walls", "no mode")
    for wait in (0.0, 0.2, 1.0) if mode else ():
        time.sleep(wait)
        ran = _once(program, seconds, memory, str(mode))
        if ran.how != "walls":
            break
    return ran


def _once(program: str, seconds: float, memory: int, mode: str) -> Ran:
    """Run `program` in a jail of its own."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    with tempfile.TemporaryDirectory(prefix="resect-jail-") as root:
        asked = {"mode": mode, "program": program, "seconds": seconds, "memory": memory,
                 "root": root, "shown": _shown(mode), "token": secrets.token_hex(8)}  # fmt: skip
        try:
            done = subprocess.run(
                [str(python), "-E", "-s", "-S", "-B", "-c", _START],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                timeout=seconds + 20,
                check=False,
                env={"LANG": "C.UTF-8"},
            )
            found = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return Ran(False, "walls", str(error))
    return Ran(found["how"] == "passed", found["how"], found["detail"])


def _shown(mode: str) -> list[str]:
    """What of the file system a program sees: Python's own folder and the system's libraries."""
    base = sys.base_prefix
    libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"]
    found = [path for path in libraries if os.path.exists(path)]
    if mode == "landlock":
        found = [path for path in found if not os.path.islink(path)]
    more = [] if base == "/usr" else [base]
    return [*sorted(found, key=os.path.islink), *more]
