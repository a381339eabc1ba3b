"""Read the files of others whole: from a folder, one file or an archive, within limits.

Archives are read in memory; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from resect.errors import RequestError

LARGEST, MOST = 1 << 30, 4 << 30
"""Decompressed bytes that are read at most: of one file, of all files below one path."""

MOST_FILES = 100_000
"""Files below one path at most."""

ARCHIVES = (".tar.xz", ".tar.gz", ".tgz", ".tar")


class File(NamedTuple):
    """One file: its name below the path that was given, its bytes (those of .gz decompressed)
    and the SHA-256 of the bytes as they are stored.
    """

    name: str
    data: bytes
    sha256: str


def names(path: Path) -> list[str]:
    """Names of the files below a folder or in an archive; a plain file is one name."""
    if path.is_dir():
        below = (str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
        listed = sorted(islice(below, MOST_FILES + 1))
    elif path.name.endswith(ARCHIVES):
        with _archive(path) as tar:
            listed = sorted(member.name for member in islice(_members(tar, path), MOST_FILES + 1))
    else:
        listed = [path.name]
    if len(listed) > MOST_FILES:
        raise RequestError(
            f"{path} holds more than {MOST_FILES:,} files: give the folder of the recorded answers."
        )
    return listed


def read(path: Path, wanted: Callable[[str], bool]) -> Iterator[File]:
    """The wanted files, in the order of their names (an archive: in its own order)."""
    total = 0
    for name, stored in _stored(path, wanted):
        file = unpacked(name, stored)
        total += len(file.data)
        _bounded(total, path)
        yield file


def unpacked(name: str, stored: bytes) -> File:
    """A file from its stored bytes; a .gz is decompressed up to the largest size."""
    if not is_text(name):
        raise RequestError(f"the file name {name!a} is not UTF-8: rename the file.")
    data = stored
    if name.endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(stored)) as handle:
                data = handle.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise RequestError(f"{name} is damaged: {error}.") from None
        if len(data) > LARGEST:
            raise RequestError(f"{name} decompresses to more than {LARGEST >> 30} GiB: split it.")
    return File(name, data, hashlib.sha256(stored).hexdigest())


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8: names of files may hold any bytes."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _stored(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for name in filter(wanted, names(path)):
            yield name, content(path / name, path)
        return
    if not path.name.endswith(ARCHIVES):
        yield path.name, content(path)
        return
    with _archive(path) as tar:
        for member in _members(tar, path):
            if wanted(member.name):
                if member.size > LARGEST:
                    raise RequestError(
                        f"{member.name} in {path} is larger than {LARGEST >> 30} GiB: split it."
                    )
                handle = tar.extractfile(member)
                yield member.name, handle.read() if handle else b""


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """The files of an archive. Going past a member decompresses it, so all of them count."""
    total = 0
    for member in tar:
        total += member.size
        _bounded(total, path)
        if member.isfile():
            yield member


def _bounded(total: int, path: Path) -> None:
    if total > MOST:
        raise RequestError(f"{path} decompresses to more than {MOST >> 30} GiB: audit it in parts.")


def content(path: Path, folder: Path | None = None) -> bytes:
    """The bytes of a file on disk. Where `folder` is given, no link may lead out of it."""
    try:
        if folder and not path.resolve().is_relative_to(folder.resolve()):
            raise RequestError(
                f"{path} is a link to a file outside of {folder}: copy that file into the folder."
            )
        if not path.is_file():
            raise RequestError(f"{path} is not an ordinary file: give a file or a folder.")
        if path.stat().st_size > LARGEST:
            raise RequestError(f"{path} is larger than {LARGEST >> 30} GiB: split it.")
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from None


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """An archive open for reading; what is wrong with it is one sentence."""
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, OSError, EOFError, ValueError, lzma.LZMAError, zlib.error):
        raise RequestError(
            f"{path} cannot be read as an archive: it is cut short or damaged, fetch it again."
        ) from None
