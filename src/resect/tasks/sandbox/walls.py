"""The sandbox of a process: bubblewrap with its own namespaces, and a seccomp allow-list.

Inside are only Python and the system's libraries, all read-only: no /proc, /dev, network, other
process or writable place. The filter is compiled by libseccomp, through ctypes:
its Python bindings on PyPI are not kept (the last release of pyseccomp is of 2021).
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from resect.errors import RequestError

_GET = (
    "programs that a model wrote only run inside bubblewrap with libseccomp: apt-get install "
    "bubblewrap libseccomp2 (Debian, Ubuntu) or dnf install bubblewrap libseccomp (Fedora)."
)
_PERMIT = (
    "programs that a model wrote only run inside bubblewrap, which cannot create namespaces here "
    "({}): permit them (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container --privileged)."
)

# ── bubblewrap ──────────────────────────────────────────────────────────────────────────────────

_HERE = Path(__file__).parent
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_APART = (
    "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--new-session", "--die-with-parent", "--clearenv", "--cap-drop", "ALL",
)  # fmt: skip
AS_NOBODY = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
"""Of root: the process leaves root's account by itself (`runner.settle`)."""
AS_MAPPED = ("--unshare-user", "--uid", "65534", "--gid", "65534")
"""Of everybody else: this account, which is called nobody inside."""


@functools.cache
def account() -> tuple[str, ...]:
    """Options of bubblewrap for this account; `RequestError` where it cannot wall in a process."""
    _bubblewrap()  # where it is not, the rest is not either
    reason = ""
    for options in (AS_MAPPED,) if os.geteuid() else (AS_NOBODY, AS_MAPPED):
        with os.fdopen(os.memfd_create("filter"), "w+b") as file:
            file.write(seccomp())
            file.seek(0)
            start = (
                "from resect.tasks.sandbox.runner import settle; settle(10, 1 << 29); import random"
            )
            probe = subprocess.run(
                command(options, file.fileno(), start),
                pass_fds=(file.fileno(),),
                capture_output=True,
                text=True,
                check=False,
            )
        if probe.returncode == 0:
            return options
        reason = reason or (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise RequestError(_PERMIT.format(reason))


def _bubblewrap() -> str:
    path = shutil.which("bwrap")
    if path is None:
        raise RequestError(_GET)
    return path


def command(account: Sequence[str], filter_: int, start: str) -> list[str]:
    """The command line that runs `start`, Python code, walled in; `filter_` is a descriptor."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sys.base_prefix, "lib")
    seen = [a for path in _SYSTEM for a in _show(Path(path))]
    for path in (library, python):
        if not path.is_relative_to("/usr/lib"):
            seen += _show(path)
    seen += ["--ro-bind", str(_HERE), "/code/resect/tasks/sandbox"]
    seen += ["--remount-ro", "/", "--chdir", "/"]
    start = f"import sys; sys.path.append('/code'); {start}"
    inside = [str(python), "-I", "-S", "-B", "-c", start]
    return [_bubblewrap(), *_APART, *account, *seen, "--seccomp", str(filter_), "--", *inside]


def _show(path: Path) -> list[str]:
    """Options that show `path` where it is; whoever may not enter its folders outside may here."""
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    if not path.exists():
        return []
    folders = [str(folder) for folder in reversed(path.parents)][1:]
    opened = [option for folder in folders for option in ("--perms", "0755", "--dir", folder)]
    return [*opened, "--ro-bind", str(path), str(path)]


# ── seccomp ─────────────────────────────────────────────────────────────────────────────────────

_ALLOWED = (
    "brk mmap munmap mprotect mremap madvise",
    "futex futex_time64 membarrier rseq set_robust_list set_tid_address arch_prctl execve wait4",
    "exit exit_group sched_yield sched_getaffinity rt_sigaction rt_sigprocmask rt_sigreturn",
    "sigaltstack pause alarm setitimer getitimer restart_syscall",
    "read write readv writev pread64 preadv lseek close close_range pipe pipe2 dup dup2 dup3",
    "poll ppoll select pselect6 open openat openat2 access faccessat faccessat2 stat lstat fstat",
    "newfstatat statx statfs fstatfs readlink readlinkat getdents64 getcwd chdir fchdir",
    "time gettimeofday clock_gettime clock_getres nanosleep clock_nanosleep times",
    "getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups",
    "getresuid getresgid setgroups setresuid setresgid getrlimit setrlimit getrusage",
    "uname sysinfo getrandom",
)
"""What Python needs to start and compute. Every other call does not exist (ENOSYS): no process,
thread, signal, socket, shared memory, file made or changed, mount, namespace, key, trace.
`execve` and `wait4` are the last calls of bubblewrap itself, so they cannot be left out; they grant
nothing, as the filter, the limits and the walls stay."""
_GUARDED = {
    "prlimit64": (0, (0,)),  # of this process only
    "fcntl": (1, (0, 1, 2, 3, 1030)),  # duplicate a descriptor, read and write its flags
    "ioctl": (1, (0x5401, 0x5450, 0x5451)),  # is it a terminal; keep it, close it, on execve
}
"""Calls that are allowed where the argument at a place has one of some values."""
_ALLOW, _ENOSYS, _EQUAL = 0x7FFF0000, 0x00050000 | 38, 4


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of libseccomp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


@functools.cache
def seccomp() -> bytes:
    """The compiled filter, for this machine's architecture."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise RequestError(_GET) from None
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ENOSYS)))
    try:
        for name in " ".join(_ALLOWED).split():
            _rule(library, context, name)
        for name, (argument, values) in _GUARDED.items():
            for value in values:
                _rule(library, context, name, _Comparison(argument, _EQUAL, value, 0))
        with os.fdopen(os.memfd_create("filter"), "w+b") as file:
            if library.seccomp_export_bpf(context, file.fileno()):
                raise RequestError(
                    "libseccomp cannot build a filter on this machine: update libseccomp."
                )
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(context)


def _rule(
    library: ctypes.CDLL, context: ctypes.c_void_p, name: str, *comparisons: _Comparison
) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # this architecture has no such call
    array = (_Comparison * len(comparisons))(*comparisons)
    action, count = ctypes.c_uint32(_ALLOW), ctypes.c_uint(len(comparisons))
    if library.seccomp_rule_add_array(context, action, ctypes.c_int(number), count, array):
        raise RequestError(f"libseccomp rejects the rule for {name}: update libseccomp.")
