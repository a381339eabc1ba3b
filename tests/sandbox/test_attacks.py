"""Programs that attack the machine: each does harm without walls, and none behind them.

For root they are tried under both accounts that a walled program may have: nobody, which root
leaves for, and an account of a user namespace, which is all that others can have.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resect.tasks.sandbox import walls
from resect.tasks.sandbox.programs import Limits, run

pytestmark = pytest.mark.slow

ROOT = os.geteuid() == 0
NOBODY = 65534
SMALL = Limits(2.0, 256 << 20)
ACCOUNTS = {"mapped": walls.AS_MAPPED} | ({"nobody": walls.AS_NOBODY} if ROOT else {})
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(params=ACCOUNTS)
def account(request, monkeypatch) -> str:
    """Programs run under this account."""
    monkeypatch.setattr(walls, "account", lambda: ACCOUNTS[request.param])
    return request.param


def test_this_machine_has_walls():
    assert walls.account() == ACCOUNTS["nobody" if ROOT else "mapped"]


# ── attacks on what is outside ──────────────────────────────────────────────────────────────────


class World:
    """What a program may not touch: a process, files, shared memory, a server, all of its account.

    `names` is Python that tells a program of them.
    """

    def __init__(self, folder: Path, account: str, stack: contextlib.ExitStack) -> None:
        whose = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if account == "nobody" else {}
        self.victim = subprocess.Popen(["/bin/sleep", "60"], **whose)
        stack.callback(self.victim.wait)
        stack.callback(self.victim.kill)
        self.done: list[str] = []
        self.folder = folder
        folder.mkdir()
        self.file = folder / "file"
        self.file.write_text("whole")
        self.file.chmod(0o644)
        if account == "nobody":
            os.chown(self.file, NOBODY, NOBODY)
            os.chown(folder, NOBODY, NOBODY)
        self.server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.local = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.local.bind(f"\0resect {os.getpid()} {folder}")
        self.local.listen()
        self.shm = Path(f"/dev/shm/resect-{self.victim.pid}")
        stack.callback(self.shm.unlink, missing_ok=True)
        key = self.victim.pid
        self.memory = LIBC.shmget(key, 4096, 0o1666)
        assert self.memory >= 0
        stack.callback(LIBC.shmctl, self.memory, 0, None)
        self.names = (
            f"PID, FILE, FOLDER, KEY = {self.victim.pid}, {str(self.file)!r}, {str(folder)!r}, "
            f"{key}\nPORT, LOCAL = {self.server.getsockname()[1]}, {self.local.getsockname()!r}\n"
        )

    def harm(self) -> list[str]:
        """What is, or once was, not as it was."""
        if self.victim.poll() is not None:
            return ["ended"]
        seen = {
            "stopped": self._status("State").startswith(("T", "t")),
            "traced": self._status("TracerPid") != "0",
            "limited": "Max open files            7 " in self._proc("limits"),
            "slowed": self._proc("stat").rpartition(")")[2].split()[16] == "19",
            "pinned": os.sched_getaffinity(0) != os.sched_getaffinity(self.victim.pid),
            "file": self._file() not in ("whole", None),
            "mode": self._mode() not in (0o644, None),
            "folder": os.listdir(self.folder) != ["file"],
            "connected": _waiting(self.server) or _waiting(self.local),
            "shared": self._shared() != bytes(4),
            "left": self.shm.exists(),
        }
        self.done += [name for name, is_so in seen.items() if is_so and name not in self.done]
        return self.done

    def _file(self) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return self.file.read_text()
        return None

    def _mode(self) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return self.file.stat().st_mode & 0o777
        return None

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.victim.pid}/{name}").read_text()

    def _status(self, name: str) -> str:
        return self._proc("status").split(f"{name}:")[1].split("\n")[0].strip()

    def _shared(self) -> bytes:
        LIBC.shmat.restype = ctypes.c_void_p
        place = LIBC.shmat(self.memory, None, 0)
        found = ctypes.string_at(place, 4)
        LIBC.shmdt(ctypes.c_void_p(place))
        return found


def _waiting(server: socket.socket) -> bool:
    server.settimeout(0)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that nobody may enter; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def worlds(folder, account):
    """Makes a world; all of them are cleared away at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda name: World(folder / name, account, stack)


PRELUDE = """\
import ctypes, os, resource, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result in (-1, 2 ** 64 - 1): raise OSError(ctypes.get_errno(), "refused")
    return result
"""
ATTACKS = {  # what a program does, and what of the world is then not as it was
    "kill a process": ("os.kill(PID, signal.SIGKILL)", "ended"),
    "stop a process": ("os.kill(PID, signal.SIGSTOP)", "stopped"),
    "kill through a descriptor": (
        "check(libc.syscall(424, check(libc.syscall(434, PID, 0)), 9, None, 0))", "ended"),
    "limit a process": ("resource.prlimit(PID, resource.RLIMIT_NOFILE, (7, 7))", "limited"),
    "slow a process down": ("os.setpriority(os.PRIO_PROCESS, PID, 19)", "slowed"),
    "pin a process": ("os.sched_setaffinity(PID, {min(os.sched_getaffinity(0))})", "pinned"),
    "trace a process": ("check(libc.ptrace(0x4206, PID, None, None))\nimport time\ntime.sleep(3)",
                        "traced"),
    "read a file": ("assert open(FILE).read() == 'whole'", None),
    "write a file": ("open(FILE, 'w').close()", "file"),
    "make a file": ("open(FOLDER + '/new', 'w').close()", "folder"),
    "remove a file": ("os.unlink(FILE)", "folder"),
    "rename a file": ("os.rename(FILE, FILE + '2')", "folder"),
    "open a file to all": ("os.chmod(FILE, 0o777)", "mode"),
    "link to a file": ("os.symlink('/etc/shadow', FOLDER + '/link')", "folder"),
    "shared memory": (
        "libc.shmat.restype = ctypes.c_void_p\n"
        "place = check(libc.shmat(check(libc.shmget(KEY, 4096, 0o666)), None, 0))\n"
        "ctypes.memmove(place, b'evil', 4)", "shared"),
    "a shared file in memory": ("open(f'/dev/shm/resect-{PID}', 'w').close()", "left"),
    "a connection": ("socket.create_connection(('127.0.0.1', PORT))", "connected"),
    "a local socket": ("socket.socket(socket.AF_UNIX).connect(LOCAL)", "connected"),
    "list the processes": ("assert str(PID) in os.listdir('/proc')", None),
    "another's command line": ("assert open(f'/proc/{PID}/cmdline').read()", None),
    "the system's accounts": ("assert 'root' in open('/etc/passwd').read()", None),
    "another program": ("os.execv('/bin/true', ['true'])", None),
    "the kernel's settings": ("assert os.listdir('/sys')", None),
    "a device": ("open('/dev/zero', 'rb').read(1)", None),
    "a folder of all": ("open(f'/tmp/resect-{PID}', 'w').close(); os.unlink(f'/tmp/resect-{PID}')",
                        None),
}  # fmt: skip

UNWALLED = """\
import encodings.idna, os, resource, socket, sys
program, account = sys.argv[1:]
names = {}
exec(program, names)
if account == "nobody":
    os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
names["attack"]()
"""


def attack(body: str) -> str:
    return f"{PRELUDE}def attack():\n    " + body.replace("\n", "\n    ")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_does_harm_without_walls_and_none_behind_them(name, account, worlds):
    body, harm = ATTACKS[name]
    world = worlds("unwalled")
    command = [sys.executable, "-c", UNWALLED, world.names + attack(body), account]
    attacker = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        _until(lambda: (harm and world.harm()) or attacker.poll() is not None)
        assert world.harm() == ([harm] if harm else []), attacker.stderr.read().decode()
    finally:
        attacker.kill()
        code = attacker.wait()
        attacker.stderr.close()
    assert code in (0, -signal.SIGKILL)

    world = worlds("walled")
    ran = run(world.names + attack(body), "assert attack() is None", limits=SMALL)
    assert ran.how in ("error", "killed")
    assert world.harm() == []


def _until(is_so, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)


PRIVATE = ["/etc/shadow", "/root/.bashrc", "/root/.ssh", "/home", "/proc/self/status",
           "/proc/1/environ", "/var/log", "/run", __file__, sys.prefix + "/pyvenv.cfg"]  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_is_not_there(path, account):
    look = f"import os\ndef f():\n    os.stat({path!r})\n    return os.open({path!r}, os.O_RDONLY)"
    assert run(look, "assert f() > 2", limits=SMALL).how == "error"


def test_a_program_sees_python_and_libraries_and_its_own_pipes(account):
    program = """\
import os
def seen(): return sorted(os.listdir("/"))
def environment(): return dict(os.environ)
def account(): return os.getresuid(), os.getresgid(), [x for x in os.getgroups() if x != 65534]
def descriptors():
    found = []
    for number in range(1024):
        try: os.fstat(number)
        except OSError: continue
        found.append(number)
    return len(found)
def writable():
    return [d for d, _, _ in os.walk("/") if os.access(d, os.W_OK)]
def other_processes(): return os.getppid(), os.getpid()
"""
    tests = f"""\
assert set(seen()) <= {{"lib", "lib64", "usr", "code", "etc", {sys.base_prefix.split("/")[1]!r}}}
assert not {{"PATH", "HOME", "HF_ALLOW_CODE_EVAL", "USER"}} & set(environment())
assert account() == (({NOBODY},) * 3, ({NOBODY},) * 3, [])
assert descriptors() == 5
assert writable() == []
assert other_processes() == (1, 2)
"""
    assert run(program, tests, limits=Limits(10, 256 << 20)).passed


# ── system calls ────────────────────────────────────────────────────────────────────────────────

NO_CALLS = (
    "clone clone3 fork vfork kill tkill tgkill rt_sigqueueinfo pidfd_open pidfd_send_signal "
    "pidfd_getfd ptrace process_vm_readv process_vm_writev process_madvise kcmp execveat socket "
    "socketpair connect bind sendto memfd_create memfd_secret shmget shmat msgget semget "
    "mq_open mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsmount "
    "mount_setattr open_by_handle_at name_to_handle_at bpf seccomp perf_event_open userfaultfd "
    "io_uring_setup io_uring_enter io_setup add_key request_key keyctl landlock_create_ruleset "
    "personality prctl init_module finit_module delete_module kexec_load reboot swapon "
    "settimeofday clock_settime sethostname acct quotactl syslog iopl ioperm modify_ldt mkdir "
    "mkdirat mknod mknodat unlink unlinkat rename renameat renameat2 link linkat symlink "
    "symlinkat chmod fchmod fchmodat chown fchown fchownat truncate ftruncate fallocate "
    "setxattr utimensat creat flock inotify_init1 fanotify_init epoll_create1 eventfd2 "
    "signalfd4 timerfd_create splice vmsplice mlock mlockall mbind move_pages sched_setaffinity "
    "sched_setscheduler setpriority ioprio_set setuid setgid setreuid setfsuid capset setsid "
    "setpgid umask sync syncfs "
)


def test_no_other_system_call_is_there(account):
    """Each is answered as if the kernel did not have it, whatever the arguments."""
    library = ctypes.CDLL("libseccomp.so.2")
    numbers = {
        name: library.seccomp_syscall_resolve_name(name.encode()) for name in NO_CALLS.split()
    }
    known = {name: number for name, number in numbers.items() if number >= 0}
    assert len(known) > 100  # some machines have no fork, mkdir, chmod, ...
    program = f"""\
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def allowed():
    found = []
    for name, number in {known!r}.items():
        ctypes.set_errno(0)
        result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
        if (result, ctypes.get_errno()) != (-1, errno.ENOSYS): found.append(name)
    return found
"""
    assert run(program, "assert allowed() == []", limits=SMALL).passed


def test_arguments_of_calls_that_are_allowed(account):
    program = """\
import ctypes, errno, fcntl, os, resource, termios
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *arguments):
    try: call(*arguments)
    except OSError as error: return error.errno == errno.ENOSYS
    return False
def all_refused(): return [
    refused(fcntl.ioctl, 0, termios.TIOCSTI, b"x"), refused(fcntl.ioctl, 0, 0x541C, b"x"),
    refused(fcntl.fcntl, 0, fcntl.F_SETOWN, 1), refused(fcntl.fcntl, 3, fcntl.F_SETFL, 0),
    refused(fcntl.fcntl, 3, 1031, 1 << 20), refused(fcntl.flock, 0, 1),
    refused(resource.prlimit, 1, resource.RLIMIT_NOFILE)]
def raised():
    for name in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
        try: resource.setrlimit(name, (resource.RLIM_INFINITY,) * 2)
        except (ValueError, OSError): continue
        return name
def root():
    try: os.setresuid(0, 0, 0)
    except OSError: return False
    return True
"""
    tests = "assert all_refused() == [True] * 7\nassert raised() is None\nassert not root()"
    assert run(program, tests, limits=SMALL).passed


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls of another machine: x86 has one")
@pytest.mark.parametrize(
    "code",
    [
        b"\xb8\x14\x00\x00\x00\xcd\x80\xc3",  # getpid of the 32-bit calls
        b"\xb8\x27\x00\x00\x40\x0f\x05\xc3",  # getpid of the x32 calls
    ],
)
def test_calls_of_another_machine_end_the_program(code, account):
    program = f"""\
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write({code!r})
place = ctypes.addressof(ctypes.c_char.from_buffer(page))
def call(): return ctypes.CFUNCTYPE(ctypes.c_long)(place)()
"""
    ran = run(program, "assert call() > 0", limits=SMALL)
    assert ran.how == "killed"
    assert ran.detail in ("SIGSYS", "SIGSEGV")  # SIGSEGV: a kernel without these calls


# ── bombs ───────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Processes whose parents end become this one's children (PR_SET_CHILD_SUBREAPER)."""
    assert LIBC.prctl(36, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        LIBC.prctl(36, 0, 0, 0, 0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def children() -> set[int]:
    """This process's own children that run, whatever else the machine does."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(path.parent.name))
    return found


def test_a_program_that_ends_well_leaves_no_zombie(account):
    with adopting():
        assert run("def f(): pass", "assert f() is None").passed
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    "bomb",
    [
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "import _thread\nwhile True:\n    try: _thread.start_new_thread(print, ())\n"
        "    except RuntimeError: pass",
    ],
)
def test_a_bomb_of_processes_or_threads_makes_none(bomb, account):
    with adopting():
        before = children()
        assert run(bomb, limits=Limits(1.0, 256 << 20)).how == "timeout"
        _until(lambda: children() == before)
        assert children() == before
        # the same bomb without walls would be seen here
        leaves = "import os, time\nif os.fork() == 0: time.sleep(60)"
        subprocess.run([sys.executable, "-c", leaves], check=True)
        (left,) = children() - before
        os.kill(left, signal.SIGKILL)
        os.waitpid(left, 0)


@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(10 << 30)",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 16 << 20))",
        "def f(): pass\nx = 'x' * (1 << 20)\nwhile True: x += x",
    ],
)
def test_a_bomb_of_memory_gets_its_share(program, account):
    assert run(program, limits=Limits(5.0, 256 << 20)).how in ("memory", "error", "timeout")


@pytest.mark.parametrize(
    "folder", ["/", "/usr/lib", "/code", "/etc", sys.base_prefix + "/lib", "."]
)
def test_no_disk_is_filled(folder, account):
    for write in ("open(path, 'w')", "os.mkdir(path)", "os.mkfifo(path)"):
        program = f"import os\npath = os.path.join({folder!r}, 'evil')\n{write}"
        assert run(program, limits=SMALL).how == "error"
    assert not Path(folder, "evil").exists()


def test_what_is_handed_over_does_not_grow(account):
    program = "import os\nos.write(0, b'x')"
    assert run(program, limits=SMALL).how == "error"


# ── what is mounted, what is left ───────────────────────────────────────────────────────────────

SUBMOUNT = """
import subprocess, sys
sys.path[:0] = {path!r}
from resect.tasks.sandbox import programs
folder = {folder!r}
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", folder], check=True)
program = "def f():\\n    open(" + repr(folder + "/evil") + ", 'w')"
print(programs.run("import os\\ndef f(): return os.listdir({folder!r})", "assert f() == []").how)
print(programs.run(program, "assert f() is None").how)
print(__import__("os").listdir(folder))
open(folder + "/evil", "w")
"""


def test_a_mount_below_what_is_shown_is_no_place_to_write():
    """A tmpfs of all below Python's own folder, in a mount namespace that ends with the test."""
    folder = Path(sys.base_prefix, "lib", "pkgconfig")
    assert folder.is_dir()
    script = SUBMOUNT.format(path=sys.path, folder=str(folder))
    private = ["unshare", "--mount"] if ROOT else ["unshare", "--mount", "--map-root-user"]
    done = subprocess.run(
        [*private, sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:3] == ["passed", "error", "[]"], done.stderr
    assert not (folder / "evil").exists()


def test_nothing_is_left_where_the_parent_is_killed(account):
    """Neither the walls nor what is behind them outlives a `kill -9`."""
    seconds = 4000 + os.getpid() % 5000  # stands on the command lines of both processes
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from resect.tasks.sandbox import walls, programs\n"
        f"walls.account = lambda: {ACCOUNTS[account]!r}\n"
        f"programs.run('while True: pass', limits=programs.Limits({seconds}, 1 << 29))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        _until(lambda: len(_running(f" {seconds}, {1 << 29})")) >= 4)
        assert len(_running(f" {seconds}, {1 << 29})")) >= 4  # two of bubblewrap, two of Python
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not _running(f" {seconds}, {1 << 29})"))
    assert not _running(f" {seconds}, {1 << 29})")


def _running(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes()
            if text.encode() in line:
                found.append(path.parent.name)
    return found


# ── for somebody who is not root ────────────────────────────────────────────────────────────────

SCRIPT = """
import sys
sys.path.insert(0, {source!r})
from resect.tasks.sandbox import programs, walls
assert "--unshare-user" in walls.account()
tests = "assert f() is None"
bad = ["open({target!r}, 'w')", "__import__('socket').socket()", "__import__('os').fork()",
       "open('/etc/passwd')", "__import__('os').kill(1, 9)", "__import__('os')._exit(0)"]
print(programs.run("def f(): pass", tests).how,
      *(programs.run("def f(): " + b, tests).how for b in bad))
"""


def test_walls_stand_for_somebody_who_is_not_root(folder):
    """With a Python that nobody may start."""
    pythons = (sys.executable, "/usr/bin/python3")
    python = next(python for python in pythons if _reachable(python))
    source = folder / "src"
    package = Path(walls.__file__).parents[2]
    shutil.copytree(package / "tasks" / "sandbox", source / "resect" / "tasks" / "sandbox")
    shutil.copy(package / "errors.py", source / "resect")
    script = folder / "script.py"
    script.write_text(SCRIPT.format(source=str(source), target=str(folder / "evil")))
    account = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if ROOT else {}
    done = subprocess.run(
        [python, str(script)], capture_output=True, text=True, cwd="/", check=False, **account
    )
    assert done.stdout.split() == ["passed", *["error"] * 5, "exit"], done.stderr
    assert not (folder / "evil").exists()


def _reachable(python: str) -> bool:
    """Whether any account can start this Python: every folder on its way is open."""
    real = Path(python).resolve()
    return real.exists() and all(folder.stat().st_mode & 0o001 for folder in real.parents)
