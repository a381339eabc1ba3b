"""The shape of every data table, and small helpers to fill one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from resect.report import formatting as text


class Column(NamedTuple):
    """One column of a data table: its head, and the view that hides with it (or empty)."""

    head: str
    view: str


class Table(NamedTuple):
    """A data table: the first cell of each row is its head."""

    caption: str
    columns: tuple[Column, ...]
    body: tuple[tuple[str, ...], ...]


def columns(heads: Sequence[str]) -> tuple[Column, ...]:
    """Columns that belong to no view."""
    return tuple(Column(head, "") for head in heads)


def without_empty(table: Table) -> Table:
    """The table without columns in which every cell is a dash."""
    keep = [
        i
        for i in range(len(table.columns))
        if not table.body or any(row[i] != text.DASH for row in table.body)
    ]
    kept = tuple(table.columns[i] for i in keep)
    return Table(table.caption, kept, tuple(tuple(row[i] for i in keep) for row in table.body))


def points(value: Any, digits: int = 1) -> str:
    """A difference of shares in points, signed: `−3.2`."""
    number = text.finite(value)
    if number is None:
        return text.DASH
    shown = f"{number * 100:+.{digits}f}"
    return shown.replace("-", "\u2212") if float(shown) else f"{0:.{digits}f}"


def change(row: Any) -> str:
    """A difference with its interval, in points: `−3.2 [−5.8, −1.1]`."""
    shown = points(row.get("difference"))
    if text.finite(row.get("low")) is None or text.finite(row.get("high")) is None:
        return shown
    return f"{shown} [{points(row['low'])}, {points(row['high'])}]"
