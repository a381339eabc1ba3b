"""Text of others as typed values: JSON, JSON Lines and CSV, within limits, each fault a sentence.

Everything that comes out is plain data of known types: no nesting deeper than 200, no number of
more than 4,300 digits, no half of a surrogate pair (the limits of pydantic's own JSON reader).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from resect.errors import RequestError
from resect.recorded.files import LONGEST, File

MOST_LABELS = 100
"""Labels of a task or an item at most: codes of labels are stored in one byte."""

_WORDS = {
    "a valid string": "text",
    "a valid number": "a number",
    "a valid integer": "a whole number",
    "a valid dictionary": "a JSON object",
    "a valid list": "a list",
    "a valid tuple": "a list",
}
"""What pydantic says was expected, and the plain words for it."""

_ASIDE = re.compile(r" or instance of \w+| after validation|, unable to parse.*")
"""What pydantic says besides."""

_KIND = re.compile(r"int|str|(dict|tuple|list|constrained|function).*")
"""What pydantic adds to a field's name: which of several kinds it tried."""

Kind = TypeVar("Kind")


def document(file: File, kind: TypeAdapter[Kind]) -> Kind:
    """A whole JSON file as a value of the kind."""
    return value(kind, _json(file.data.removeprefix(b"\xef\xbb\xbf"), file, file.name), file.name)


def lines(file: File) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON Lines file, each with where it stands: `a.jsonl line 3`."""
    # by \n alone: a JSON string may hold other line separators as they are
    for number, line in enumerate(io.BytesIO(file.data), start=1):
        where = f"{file.name} line {number}"
        if len(line) > LONGEST:
            raise RequestError(f"{where} is longer than {LONGEST >> 20} MiB: leave it out.")
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        row = _json(text, file, where)
        if not isinstance(row, dict):
            raise RequestError(f"{where} is not a JSON object: write one object per line.")
        yield where, row


def table(file: File) -> list[dict[str, str]]:
    """The rows of a CSV file with a head; a row cut short or too long is one sentence."""
    csv.field_size_limit(LONGEST)
    reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    rows = []
    try:
        head = next(reader, [])
        if len(set(head)) < len(head):
            raise RequestError(f"{file.name} names a column twice: {', '.join(head)}.")
        for cells in filter(None, reader):
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


def value(kind: TypeAdapter[Kind], data: Any, where: str) -> Kind:
    """Plain data as a value of the kind; `where` says in the sentence where the data stand."""
    try:
        return kind.validate_python(data)
    except ValidationError as error:
        raise RequestError(f"{where}: {_fault(error)}.") from None


def _fault(error: ValidationError) -> str:
    """The first fault of a value, as in `labels.1 should be a valid string`."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(x for x in map(str, fault["loc"]) if not _KIND.fullmatch(x)) or "it"
    if fault["type"] == "missing":
        return f"{field} is missing"
    _, should, rest = fault["msg"].partition(" should ")
    for phrase, plain in _WORDS.items():
        rest = _ASIDE.sub("", rest.replace(phrase, plain))
    return f"{field} should {rest}" if should else f"{field} {fault['msg'].partition(', ')[2]}"


def _json(data: bytes, file: File, where: str) -> Any:
    try:
        return from_json(data)
    except ValueError as error:
        _text(file)  # another encoding has a sentence of its own
        raise RequestError(
            f"{where} cannot be read as JSON ({error}): the file is cut short or damaged."
        ) from None


def _text(file: File) -> str:
    """The file as UTF-8 text; says where it is something else."""
    try:
        return file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = file.data.count(b"\n", 0, error.start) + 1, file.data[error.start]
        raise RequestError(
            f"{file.name} is not UTF-8 at line {line} (byte {byte:#04x}): convert "
            "all files to UTF-8, for example with iconv."
        ) from None
