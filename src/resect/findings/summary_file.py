"""Summaries as JSON and back: the one edge where rows are dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from resect.errors import RequestError
from resect.findings.plain_data import plain
from resect.findings.rows import Summary
from resect.record import TRANSFORMERS

Row = TypeVar("Row")


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)


def to_data(summary: Summary) -> dict[str, Any]:
    """A summary as plain data, ready for `json.dumps(..., allow_nan=False)`.

    A field that does not apply (one that stands at its default) is left out; a runtime is always
    told.
    """
    data = plain(_adapter().dump_python(summary, exclude_defaults=True))
    for name in ("curves", "verdicts", "measurements"):
        for row in data[name]:
            row.setdefault("runtime", TRANSFORMERS)
    return {"schema": summary.schema, **data}


def parsed(kind: type[Row], data: Any, source: str) -> Row:
    """Plain data as a row of some kind; `RequestError` names the first field that is wrong."""
    return _validated(TypeAdapter(kind), plain(data), source)


def from_data(data: Mapping[str, Any], source: str) -> Summary:
    """A summary of plain data; `RequestError` names the first field of `source` that is wrong."""
    return _validated(_adapter(), dict(data), source)


def _validated(adapter: TypeAdapter[Row], data: Any, source: str) -> Row:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RequestError(
            f"{source} is not a summary of this version ({where}: {first['msg'].lower()}): "
            "rebuild it with `resect report`."
        ) from None


def schema() -> dict[str, Any]:
    """The JSON Schema of summary.json."""
    return _adapter().json_schema(mode="serialization")
