"""JSON Lines files: the offline files in a `data_dir`, or those of a user."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from resect.errors import RequestError

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


def lines(path: Path, needed: Kinds) -> Iterator[dict[str, Any]]:
    """Records of a JSON Lines file (.gz is unpacked); empty lines are skipped.

    Raises `RequestError` with the line number for a record that lacks a field.
    """
    if not path.is_file():
        raise RequestError(f"there is no file {path}: check the path.")
    try:
        with opened(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise RequestError(f"{path} line {number} is not a JSON object.")
                for field, kind in needed.items():
                    if field not in row:
                        raise RequestError(f"{path} line {number} has no field {field!r}.")
                    if not isinstance(row[field], kind):
                        raise RequestError(
                            f"{path} line {number}: {field} has the wrong type "
                            f"({row[field]!r:.40})."
                        )
                yield row
    except json.JSONDecodeError as error:
        raise RequestError(f"{path} line {number} is not JSON: {error.msg}.") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from None
