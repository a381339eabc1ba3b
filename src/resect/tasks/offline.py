"""Text and JSON Lines files: the offline files in a `data_dir`, or those of a user, within limits.

Lines come through pydantic's JSON reader, which limits nesting and the digits of numbers.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from pydantic_core import from_json

from resect.errors import RequestError

LONGEST = 16 << 20
"""Characters of a line at most."""

LARGEST = 256 << 20
"""Characters of a text that is read whole."""

Kinds = Mapping[str, type | tuple[type, ...]]


def rows(data_dir: Path | None, name: str, needed: Kinds) -> Iterator[dict[str, Any]]:
    """Records of `data_dir/name`, each with the `needed` fields of these types.

    Raises `RequestError` with the line number where a record is not like that.
    """
    if data_dir is None:
        raise RequestError(f"this task reads {name}: give the folder of that file with --data_dir.")
    path = data_dir / name
    if not path.is_file():
        raise RequestError(f"there is no {name} in {data_dir}: check --data_dir.")
    yield from lines(path, needed)


def opened(path: Path) -> TextIO:
    """A text file opened for reading: UTF-8, with or without a byte order mark; .gz is unpacked."""
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig"))
    return path.open(encoding="utf-8-sig")


def text(path: Path) -> str:
    """A whole text file (.gz is unpacked); raises `RequestError` where it cannot be read."""
    with _readable(path), opened(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise RequestError(f"{path} is longer than {LARGEST >> 20} MiB: split it.")
    return content


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file (.gz is unpacked) with their lines; empty lines are skipped.

    Raises `RequestError` with the line number for a line that is too long or no object.
    """
    number = 0
    with _readable(path), opened(path) as file:
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise RequestError(
                    f"{path} line {number} is longer than {LONGEST >> 20} MiB: leave it out."
                )
            if line.strip():
                yield number, _object(line, f"{path} line {number}")


def lines(path: Path, needed: Kinds) -> Iterator[dict[str, Any]]:
    """Records of a JSON Lines file (.gz is unpacked); empty lines are skipped.

    Raises `RequestError` with the line number for a record that lacks a field.
    """
    if not path.is_file():
        raise RequestError(f"there is no file {path}: check the path.")
    for number, row in objects(path):
        for field, kind in needed.items():
            if field not in row:
                raise RequestError(f"{path} line {number} has no field {field!r}.")
            if not isinstance(row[field], kind):
                raise RequestError(
                    f"{path} line {number}: {field} has the wrong type ({row[field]!r:.40})."
                )
        yield row


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = from_json(line)
    except ValueError as error:
        raise RequestError(f"{where} is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise RequestError(f"{where} is not a JSON object.")
    return row


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What reading a file raises, as one sentence."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from None
