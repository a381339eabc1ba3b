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

LARGEST = 1 << 30
"""Bytes of one file that are read at most."""

ARCHIVES = (".tar.xz", ".tar.gz", ".tgz", ".tar")


class File(NamedTuple):
    """One file: its name below the path that was given, and its bytes."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.data).hexdigest()


def names(path: Path) -> list[str]:
    """Names of the files below a folder or in an archive; a plain file is one name."""
    if path.is_dir():
        return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
    if path.name.endswith(ARCHIVES):
        with _archive(path) as tar:
            return sorted(member.name for member in tar if member.isfile())
    return [path.name]


def read(path: Path, wanted: Callable[[str], bool]) -> Iterator[File]:
    """The wanted files, in the order of their names (an archive: in its own order)."""
    if path.is_dir():
        for name in names(path):
            if wanted(name):
                yield File(name, _bytes(path / name))
        return
    if not path.name.endswith(ARCHIVES):
        yield File(path.name, _bytes(path))
        return
    with _archive(path) as tar:
        for member in tar:
            if member.isfile() and wanted(member.name):
                if member.size > LARGEST:
                    raise RequestError(f"{member.name} in {path} is larger than 1 GiB.")
                handle = tar.extractfile(member)
                yield File(member.name, handle.read() if handle else b"")


def text(file: File) -> str:
    """The file as UTF-8 text; says where it is something else."""
    data = file.data
    if file.name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise RequestError(f"{file.name} is damaged: {error}.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RequestError(
            f"{file.name} is not UTF-8 at line {line} (byte {data[error.start]:#04x}): convert "
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
        yield number, row


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise RequestError(f"{path} is larger than 1 GiB.")
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
