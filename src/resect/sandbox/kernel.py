"""The kernel's walls, through libc: namespaces, mounts, capabilities, Landlock, seccomp.

Linux only. Standard library only: it is imported where no package is.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Sequence

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
NOBODY = 65534

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_KEPT = {os.ST_NOSUID: _MS_NOSUID, os.ST_NODEV: _MS_NODEV, os.ST_NOEXEC: _MS_NOEXEC,
         os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}  # fmt: skip
_MNT_DETACH = 2
_PDEATHSIG, _NO_NEW_PRIVS, _SECCOMP = 1, 38, 22

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """A wall that this kernel, or this account, does not have."""


def _check(result: int, what: str) -> int:
    if result < 0:
        raise Unavailable(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _syscall(name: str, *arguments: int | bytes | None) -> int:
    if name not in _NUMBERS:
        raise Unavailable(f"no {name} on {platform.machine()}")
    passed = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(_NUMBERS[name]), *passed), name)


# ── namespaces and mounts ───────────────────────────────────────────────────────────────────────


def unshare(flags: int) -> None:
    """Leave the namespaces named; a new process namespace is for children."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def map_nobody(uid: int, gid: int) -> None:
    """In a new user namespace: be nobody, who is `uid` and `gid` outside."""
    lines = {"setgroups": "deny", "uid_map": f"{NOBODY} {uid} 1", "gid_map": f"{NOBODY} {gid} 1"}
    for name, line in lines.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    texts = [None if x is None else x.encode() for x in (source, target, kind)]
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def small_root(place: str, shown: Iterable[str], bytes_: int) -> None:
    """Make `place` the root: only `shown` in it, read-only, and /work of so many bytes.

    Directories are bound, links made again. The old root is let go.
    """
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("root", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path in shown:
        target = place + path
        if os.path.islink(path):
            os.symlink(os.readlink(path), target)
            continue
        os.makedirs(target, exist_ok=True)
        _mount(path, target, None, _MS_BIND | _MS_REC)
        flags = os.statvfs(target).f_flag
        kept = sum(new for old, new in _KEPT.items() if flags & old)
        _mount("none", target, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | kept)
    work = f"{place}/work"
    os.mkdir(work)
    _mount("work", work, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
           f"size={bytes_},nr_inodes=256,mode=777")  # fmt: skip
    os.chdir(place)
    _syscall("pivot_root", b".", b".")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount2")
    _mount("none", "/", None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_BIND)
    os.chdir("/work")


# ── rights ──────────────────────────────────────────────────────────────────────────────────────


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _check(_libc.prctl(_PDEATHSIG, ctypes.c_ulong(9), 0, 0, 0), "PR_SET_PDEATHSIG")


def drop_rights() -> None:
    """No capability in any namespace, and none to be had again."""
    _check(_libc.prctl(_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    _syscall("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24))


def landlock(readable: Iterable[str]) -> None:
    """Reading below `readable` is all that files are good for from here on."""
    version = _syscall("landlock_create_ruleset", None, 0, 1)
    files = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (version >= 5) << 15
    rules = struct.pack("<QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall("landlock_create_ruleset", rules, size, 0)
    for path in readable:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        # read a file, list a directory, execute (a library is mapped so)
        _syscall("landlock_add_rule", ruleset, 1, struct.pack("<Qi", 1 | 4 | 8, handle), 0)
        os.close(handle)
    _syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


# ── system calls ────────────────────────────────────────────────────────────────────────────────

_BOTH = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsmount": 432, "pidfd_open": 434, "clone3": 435, "mount_setattr": 442,
    "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip
_X86 = {
    "shmget": 29, "socket": 41, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58,
    "execve": 59, "kill": 62, "ptrace": 101, "capset": 126, "pivot_root": 155, "chroot": 161,
    "mount": 165, "umount2": 166, "tkill": 200, "tgkill": 234, "add_key": 248,
    "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}  # fmt: skip
_ARM = {
    "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "capset": 91, "unshare": 97,
    "ptrace": 117, "kill": 129, "tkill": 130, "tgkill": 131, "shmget": 194, "socket": 198,
    "socketpair": 199, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220,
    "execve": 221, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "memfd_create": 279, "bpf": 280,
    "execveat": 281, "userfaultfd": 282,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}
_ARCH, _OWN = _MACHINES.get(platform.machine(), (0, {}))
_NUMBERS = {**_OWN, **_BOTH} if _OWN else {}
_ALLOWED = {"capset", "clone", "clone3", "landlock_create_ruleset", "landlock_add_rule",
            "landlock_restrict_self"}  # fmt: skip
_THREAD = 0x00010000
_EPERM, _ENOSYS = 1, 38


def forbid_calls() -> None:
    """No process, program, socket, signal, mount or namespace from here on; threads may be made.

    A seccomp filter; every forbidden call fails with EPERM.
    """
    if not _NUMBERS:
        raise Unavailable(f"no table of system calls for {platform.machine()}")
    denied = sorted(number for name, number in _NUMBERS.items() if name not in _ALLOWED)
    code = _filter(denied)
    program = b"".join(struct.pack("<HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(buffer))
    _check(_libc.prctl(_SECCOMP, ctypes.c_ulong(2), head, 0, 0), "seccomp")


def _filter(denied: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Lines of BPF: (operation, jump if true, jump if false, value)."""
    load, equal, at_least, bits, end = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    refuse = 0x00050000
    code = [
        (load, 0, 0, 4), (equal, 1, 0, _ARCH), (end, 0, 0, kill),  # another machine's calls
        (load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (end, 0, 0, kill),  # the x32 ones
        (equal, 0, 1, _NUMBERS["clone3"]), (end, 0, 0, refuse | _ENOSYS),
    ]  # fmt: skip
    for number in denied:
        code += [(equal, 0, 1, number), (end, 0, 0, refuse | _EPERM)]
    return [
        *code,
        (equal, 0, 3, _NUMBERS["clone"]), (load, 0, 0, 16), (bits, 1, 0, _THREAD),
        (end, 0, 0, refuse | _EPERM),
        (end, 0, 0, allow),
    ]  # fmt: skip
