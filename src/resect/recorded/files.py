"""Read the files of others whole: from a folder, one file or an archive, within limits.

Archives are read in memory; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from resect.errors import RequestError

LARGEST, MOST = 1 << 30, 4 << 30
"""Decompressed bytes that are read at most: of one file, of all files below one path."""

LARGEST_DOCUMENT = 64 << 20
"""Bytes of a file of JSON that is one value."""

LONGEST = 16 << 20
"""Bytes of one line at most."""

_PIECE = 1 << 20

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
    for file in _opened(path, wanted):
        total += len(file.data)
        _bounded(total, path)
        yield file


def single(path: Path, folder: Path | None = None) -> File:
    """One file on disk. Where `folder` is given, no link may lead out of it."""
    with _stored(path, folder) as handle:
        return _whole(path.name, handle)


class _Stored:
    """The stored bytes of a file, hashed as they are read."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle, self.sha256 = handle, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.handle.read(size)
        self.sha256.update(data)
        return data


def _whole(name: str, handle: IO[bytes]) -> File:
    """A file from its stored bytes; a .gz is decompressed up to the largest size."""
    if not is_text(name):
        raise RequestError(f"the file name {name!a} is not UTF-8: rename the file.")
    stored = _Stored(handle)
    try:
        plain: Any = gzip.GzipFile(fileobj=cast(Any, stored)) if name.endswith(".gz") else stored
        data = _pieces(name, plain)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(f"{name} is damaged: {error}.") from None
    while stored.read(_PIECE):  # what stands after a compressed text
        pass
    return File(name, data, stored.sha256.hexdigest())


def _pieces(name: str, handle: Any) -> bytes:
    """All bytes, read piece by piece, so that a line or a cell that never ends fills no memory."""
    data, line, quoted = bytearray(), 0, False
    plain = name.removesuffix(".gz")
    lined, cells = plain.endswith((".jsonl", ".csv")), plain.endswith(".csv")
    most = LARGEST if lined else min(LARGEST, LARGEST_DOCUMENT)
    while piece := handle.read(_PIECE):
        if cells:
            end, quoted = _end_of_row(piece, quoted)
        else:
            end = piece.rfind(b"\n")
        line = line + len(piece) if end < 0 else len(piece) - end - 1
        if lined and line > LONGEST:
            what = "row" if cells else "line"
            raise RequestError(
                f"{name} has a {what} longer than {LONGEST >> 20} MiB: leave it out."
            )
        data += piece
        if len(data) > most:
            verb = "decompresses to" if name.endswith(".gz") else "is"
            raise RequestError(f"{name} {verb} more than {most >> 20:,} MiB: split it.")
    return bytes(data)


def _end_of_row(piece: bytes, quoted: bool) -> tuple[int, bool]:
    """Where the last row of CSV ends in a piece, -1 for nowhere; and whether a quote is open.

    `quoted` is whether one was open before. Line feeds between quotes are part of a cell.
    """
    after = inside = quoted ^ bool(piece.count(b'"') & 1)
    end = len(piece)
    while True:
        quote = piece.rfind(b'"', 0, end)
        feed = -1 if inside else piece.rfind(b"\n", max(quote, 0), end)
        if feed >= 0 or quote < 0:
            return feed, after
        end, inside = quote, not inside


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8: names of files may hold any bytes."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _opened(path: Path, wanted: Callable[[str], bool]) -> Iterator[File]:
    if path.is_dir():
        for name in filter(wanted, names(path)):
            with _stored(path / name, path) as handle:
                yield _whole(name, handle)
        return
    if not path.name.endswith(ARCHIVES):
        yield single(path)
        return
    with _archive(path) as tar:
        for member in _members(tar, path):
            held = tar.extractfile(member) if wanted(member.name) else None
            if held is not None:
                yield _whole(member.name, held)


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


@contextlib.contextmanager
def _stored(path: Path, folder: Path | None = None) -> Iterator[IO[bytes]]:
    """A file on disk, open. Where `folder` is given, no link may lead out of it."""
    try:
        if folder and not path.resolve().is_relative_to(folder.resolve()):
            raise RequestError(
                f"{path} is a link to a file outside of {folder}: copy that file into the folder."
            )
        if not path.is_file():
            raise RequestError(f"{path} is not an ordinary file: give a file or a folder.")
        if path.stat().st_size > LARGEST:
            raise RequestError(f"{path} is larger than {LARGEST >> 30} GiB: split it.")
        with path.open("rb") as handle:
            yield handle
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
