"""What is contained, by mode; what passes; and that nothing runs without leave or walls."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resect.errors import RequestError
from resect.sandbox import programs
from resect.sandbox.programs import OPT_IN, run

NAMESPACES = programs.walls() == "namespaces"
SMALL = {"seconds": 1.0, "memory": 256 << 20}


def test_this_machine_has_walls():
    assert programs.walls() in programs.MODES


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("assert 1 + 1 == 2", "passed"),
        ("import math, re, collections, itertools\nassert math.gcd(4, 6) == 2", "passed"),
        ("import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()", "passed"),
        ("print('x' * 10**6)", "passed"),
        ("assert 1 + 1 == 3", "assertion"),
        ("1 / 0", "error"),
        ("def f(: pass", "syntax"),
        ("import sys\nsys.exit(0)", "exit"),
        ("import os\nos._exit(0)", "exit"),
        ("import ctypes\nctypes.string_at(0)", "killed"),
        ("while True: pass", "timeout"),
        ("import time\ntime.sleep(60)", "timeout"),
    ],
)
def test_how_programs_end(program, how):
    started = time.monotonic()
    assert run(program, **SMALL).how == how
    assert time.monotonic() - started < 15


def test_a_fork_bomb_makes_no_process():
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    with adopting():
        before = children()
        assert run(bomb, **SMALL).how == "timeout"
        assert run("import os\nos.fork()", **SMALL).how == "error"
        assert children() == before
        # the same bomb without walls would be seen here
        subprocess.run([sys.executable, "-c", LEAVES], check=True)
        (left,) = children() - before
        os.kill(left, signal.SIGKILL)
        os.waitpid(left, 0)


LEAVES = "import os, time\nif os.fork() == 0: time.sleep(60)"


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Processes whose parents end become this one's children (PR_SET_CHILD_SUBREAPER)."""
    kernel = ctypes.CDLL(None)
    assert kernel.prctl(36, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        kernel.prctl(36, 0, 0, 0, 0)


def children() -> set[int]:
    """This process's own children, whatever else the machine runs."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def test_ten_gigabytes_are_not_had():
    assert run("x = bytearray(10 << 30)", **SMALL).how == "memory"
    slowly = "x = []\nwhile True: x.append(bytearray(1 << 20))"
    assert run(slowly, seconds=5, memory=256 << 20).how in ("memory", "timeout")


def test_nothing_is_written_outside(tmp_path):
    target = tmp_path / "evil.txt"
    tmp_path.chmod(0o777)
    program = f"open({str(target)!r}, 'w').write('x')"
    assert run(program, **SMALL).how == "error"
    assert not target.exists()
    for path in ("/evil", "/usr/lib/evil", f"{sys.base_prefix}/evil"):
        assert run(f"open({path!r}, 'w')", **SMALL).how == "error"
        assert not Path(path).exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/status", "/etc/hostname", __file__])
def test_nothing_outside_is_read(path):
    assert run(f"import os\nos.open({path!r}, os.O_RDONLY)", **SMALL).how == "error"


@pytest.mark.parametrize(
    "program",
    [
        "import socket\nsocket.socket()",
        "import subprocess\nsubprocess.run(['/bin/true'])",
        "import os\nos.execv('/bin/true', ['true'])",
        "import os\nos.kill(os.getppid() or 1, 9)",
        "import os, sys\nos.setuid(0)",
        "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
        "import ctypes\nassert ctypes.CDLL(None).mount(b'x', b'/', b'tmpfs', 0, None) == 0",
    ],
)
def test_no_network_program_signal_or_right(program):
    assert run(program, **SMALL).how in ("error", "assertion")


def test_a_program_is_nobody_and_may_write_its_own_folder_a_little():
    assert run("import os\nassert os.geteuid() != 0", **SMALL).passed
    own = "open('a', 'w').write('x')\nassert open('a').read() == 'x'"
    full = "for i in range(100): open(f'f{i}', 'wb').write(bytes(1 << 20))"
    if NAMESPACES:
        assert run(own, **SMALL).passed
        assert run(full, **SMALL).how == "error"
    else:  # under Landlock there is no folder of its own
        assert run(own, **SMALL).how == "error"


SCRIPT = """
import sys
sys.path.insert(0, {source!r})
from resect.sandbox import programs
bad = ["open({target!r}, 'w')", "import socket; socket.socket()", "import os; os.fork()",
       "open('/etc/passwd')", "import os; os.kill(os.getppid(), 9)"]
for mode in programs.MODES:
    ran = programs.run("assert 1 + 1 == 2", mode=mode)
    print(mode, ran.how, *(programs.run(b, mode=mode).how for b in bad))
"""


def test_both_modes_hold_for_somebody_who_is_not_root(tmp_path):
    """With a Python that nobody may read (the walls are put up by the account that runs it)."""
    python = next(
        (p for p in (sys.executable, "/usr/bin/python3") if p and _reachable(p)), None
    )  # fmt: skip
    if python is None:  # then Landlock, which leaves the files where they are, has to refuse
        assert run("assert True", mode="landlock").how == "walls"
        return
    source = tmp_path / "src"
    shutil.copytree(Path(programs.__file__).parents[1], source / "resect",
                    ignore=lambda folder, names: [n for n in names if n not in
                                                  ("__init__.py", "errors.py", "sandbox")]
                    if folder.endswith("resect") else [])  # fmt: skip
    for folder in [tmp_path, *tmp_path.parents]:
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(source=str(source), target=str(tmp_path / "evil")))
    command = [python, str(script)]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == list(programs.MODES)
    standing = [line for line in lines if line[1] == "passed"]
    assert standing  # at least one mode is to be had
    for line in lines:
        expected = ["error"] * 5 if line in standing else ["walls"] * 5
        assert line[2:] == expected, done.stdout
    assert not (tmp_path / "evil").exists()


def _reachable(python: str) -> bool:
    """Whether any account can start this Python: every folder on its way is open."""
    real = Path(python).resolve()
    return real.exists() and all(folder.stat().st_mode & 0o001 for folder in real.parents)


def test_without_the_opt_in_nothing_runs(monkeypatch):
    monkeypatch.delenv(OPT_IN, raising=False)
    with pytest.raises(RequestError, match=r"HF_ALLOW_CODE_EVAL=1 or give --confirm_run"):
        programs.check()
    monkeypatch.setenv(OPT_IN, "1")
    programs.check()


def test_without_walls_nothing_runs(monkeypatch):
    monkeypatch.setenv(OPT_IN, "1")
    monkeypatch.setattr(programs, "walls", lambda: None)
    with pytest.raises(RequestError, match="cannot be walled in here"):
        programs.check()
    assert run("assert True") == (False, "walls", "no mode")
