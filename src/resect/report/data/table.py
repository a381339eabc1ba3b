"""The shape of every data table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

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


def table(caption: str, heads: Sequence[str], body: Iterable[tuple[str, ...]]) -> Table:
    """A table without the columns in which every cell is a dash."""
    return without_empty(Table(caption, columns(heads), tuple(body)))


def without_empty(table: Table) -> Table:
    """The table without columns in which every cell is a dash."""
    shown = [
        i for i in range(len(table.columns))
        if not table.body or any(row[i] != text.DASH for row in table.body)
    ]  # fmt: skip
    return Table(
        table.caption,
        tuple(table.columns[i] for i in shown),
        tuple(tuple(row[i] for i in shown) for row in table.body),
    )
