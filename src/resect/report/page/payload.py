"""The data that a page embeds, once: the summary and the figures that it opens without.

Rows become columns, numbers are rounded to five digits, and the JSON is gzipped in base64. The
page's script (unpack.js) unpacks it.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

DIGITS = 5
"""Significant digits of a number in a page."""

SCALARS = {int, float, str, bool, type(None)}


def packed(data: dict[str, Any]) -> str:
    """JSON-like data as base64, which holds no sign that could end a `script` element."""
    shown = json.dumps(compact(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(shown.encode(), mtime=0)).decode()


def compact(value: Any) -> Any:
    """JSON-like data with rounded numbers, and each list of objects as columns.

    A table is `{"#": rows, "columns": {key: values}}`; a column that some rows lack is
    `{"at": rows that have it, "values": values}`.
    """
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: compact(entry) for key, entry in value.items()}
    if not isinstance(value, list | tuple):
        return value
    types = set(map(type, value))
    if types <= SCALARS - {float}:
        return value
    if len(value) < 2 or types != {dict}:
        return [compact(entry) for entry in value]
    keys = dict.fromkeys(key for entry in value for key in entry)
    return {"#": len(value), "columns": {key: _column(value, key) for key in keys}}


def _column(rows: Sequence[dict[str, Any]], key: str) -> Any:
    having = [i for i, row in enumerate(rows) if key in row]
    values = {"values": compact([rows[i][key] for i in having])}
    return values if len(having) == len(rows) else {"at": having, **values}
