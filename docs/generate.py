"""The reference of summary.json, from the types of `resect.findings.rows`.

The site shows `keys()` on its page (docs/site_pages.py). `python docs/generate.py` writes the JSON
Schema, docs/summary.schema.json; a test compares it with the types.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from resect.findings import rows
from resect.findings.summary_file import schema

SCHEMA = Path(__file__).parent / "summary.schema.json"
PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}


def row_types(kind: type) -> Iterator[type]:
    """A row and every row inside it, each once, outer ones first."""
    seen: dict[type, None] = {}
    waiting = [kind]
    while waiting:
        row = waiting.pop(0)
        if row not in seen:
            seen[row] = None
            hints = typing.get_type_hints(row)
            waiting += [r for f in dataclasses.fields(row) for r in _inside(hints[f.name])]
    return iter(seen)


def _inside(annotation: Any) -> Iterator[type]:
    """The rows that an annotation names."""
    if dataclasses.is_dataclass(annotation):
        yield typing.cast(type, annotation)
    for part in typing.get_args(annotation):
        yield from _inside(part)


def value_of(annotation: Any) -> str:
    """An annotation in words: `number or null`, `list of [StepShare](#stepshare)`."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "null"
    if annotation in PLAIN:
        return PLAIN[annotation]
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(value_of, parts))
    if origin is tuple:
        return f"list of {value_of(parts[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"{value_of(parts[0])} → {value_of(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def table(row: type) -> str:
    """One row type: what it is, and its keys; `?` marks keys that are left out at times."""
    hints = typing.get_type_hints(row)
    lines = [
        f"### {row.__name__}",
        "",
        inspect.getdoc(row) or "",
        "",
        "| key | value |",
        "|---|---|",
    ]
    for field in dataclasses.fields(row):
        always = field.default is dataclasses.MISSING or field.name == "schema"
        lines.append(f"| `{field.name}`{'' if always else '?'} | {value_of(hints[field.name])} |")
    return "\n".join(lines)


def keys() -> str:
    """The reference of every key: a heading and a table for each type of row."""
    intro = f"{inspect.getdoc(rows)}\n\nKeys marked `?` are written only where they apply."
    return "\n\n".join([intro, *map(table, row_types(rows.Summary))])


def json_schema() -> str:
    """The JSON Schema of summary.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(json_schema(), encoding="utf-8")
