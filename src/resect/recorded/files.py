"""Read files that others wrote: from a folder, one file or an archive, whole and strictly.

Archives are read in memory; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resect.errors import RequestError

LARGEST, MOST = 1 << 30, 4 << 30
"""Decompressed bytes that are read at most: of one file, of all files below one path."""

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
        return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
    if path.name.endswith(ARCHIVES):
        with _archive(path) as tar:
            return sorted(member.name for member in _members(tar, path))
    return [path.name]


def read(path: Path, wanted: Callable[[str], bool]) -> Iterator[File]:
    """The wanted files, in the order of their names (an archive: in its own order)."""
    total = 0
    for name, stored in _stored(path, wanted):
        found = one(name, stored)
        total += len(found.data)
        _bounded(total, path)
        yield found


def one(name: str, stored: bytes) -> File:
    """A file from its stored bytes; a .gz is decompressed up to the largest size."""
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


def _stored(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for name in names(path):
            if wanted(name):
                yield name, content(path / name)
        return
    if not path.name.endswith(ARCHIVES):
        yield path.name, content(path)
        return
    with _archive(path) as tar:
        for member in _members(tar, path):
            if wanted(member.name):
                if member.size > LARGEST:
                    raise RequestError(
                        f"{member.name} in {path} is larger than {LARGEST >> 30} GiB."
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


def text(file: File) -> str:
    """The file as UTF-8 text; says where it is something else."""
    try:
        return file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = file.data.count(b"\n", 0, error.start) + 1, file.data[error.start]
        raise RequestError(
            f"{file.name} is not UTF-8 at line {line} (byte {byte:#04x}): convert "
            "all files to UTF-8, for example with iconv."
        ) from None


def table(file: File) -> list[dict[str, str]]:
    """The rows of a CSV file with a head; a row cut short or too long is one sentence."""
    csv.field_size_limit(LARGEST)
    content = text(file)
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    rows = []
    try:
        head = next(reader, [])
        if len(set(head)) < len(head):
            raise RequestError(f"{file.name} names a column twice: {', '.join(head)}.")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(head):
                raise RequestError(
                    f"{file.name} line {reader.line_num} has {len(cells)} of {len(head)} columns: "
                    "the file is cut short or damaged."
                )
            rows.append(dict(zip(head, cells, strict=True)))
    except csv.Error as error:
        raise RequestError(
            f"{file.name} is cut short or damaged at line {reader.line_num}: {error}."
        ) from None
    if not rows:
        raise RequestError(f"{file.name} has no rows: leave the file out, or record it again.")
    return rows


def lines(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file with their line numbers."""
    # split("\n"), not splitlines(): a JSON string may hold other line separators as they are.
    for number, line in enumerate(text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RequestError(
                f"{file.name} line {number} is no JSON: the file is cut short or damaged ({error})."
            ) from None
        if not isinstance(row, dict):
            raise RequestError(f"{file.name} line {number} is no JSON object.")
        if "\\ud" in line.lower() and not _is_text(row):
            raise RequestError(f"{file.name} line {number} has half of a surrogate pair (\\ud...).")
        yield number, row


def _is_text(row: Any) -> bool:
    try:
        return bool(json.dumps(row, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def content(path: Path) -> bytes:
    """The bytes of a file on disk."""
    try:
        if path.stat().st_size > LARGEST:
            raise RequestError(f"{path} is larger than {LARGEST >> 30} GiB.")
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from None


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """An archive open for reading; what is wrong with it is one sentence."""
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error):
        raise RequestError(
            f"{path} cannot be read as an archive: it is cut short or damaged, fetch it again."
        ) from None
