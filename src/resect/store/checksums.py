"""A checksum of every row: computed when the row is written, compared before it is used."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Row = tuple[Any, ...]

ORDER = {
    "models": "rowid",
    "tasks": "rowid",
    "items": "rowid",
    "item_sets": "name, position",
    "cells": "rowid",
    "answers": "asking, item",
    "likely": "asking, item",
    "measurements": "rowid",
    "plan": "rowid",
    "judgements": "judge, item, said",
    "facts": "rowid",
}
"""The tables, each with the order of its own tree: an index beside it may be damaged."""

_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)


def checksum(row: Row) -> int:
    """64 bits of a row without its checksum; texts count as their UTF-8 bytes."""
    values = tuple(value.encode() if isinstance(value, str) else value for value in row)
    code = hashlib.blake2b(repr(values).encode(), digest_size=8).digest()
    return int.from_bytes(code, "big", signed=True)


def put(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows with their checksums, over those of the same key; columns as they are declared."""
    columns = _columns(db, table)
    kinds = list(columns.values())
    stored = [tuple(map(_stored, kinds, row)) for row in rows]
    names, marks = ", ".join([*columns, "checksum"]), ", ".join("?" * (len(columns) + 1))
    db.executemany(
        f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",
        [(*row, checksum(row)) for row in stored],
    )


def read(db: sqlite3.Connection, table: str) -> Iterator[tuple[Row, bool]]:
    """Every row that can be read, texts as bytes, and whether it is as it was written.

    Where the file is broken in the middle, rows may come twice.
    """
    columns = ", ".join([*_columns(db, table), "checksum"])
    with as_bytes(db):
        for stored in _rows(db, table, columns):
            yield stored[:-1], checksum(stored[:-1]) == stored[-1]


def _rows(db: sqlite3.Connection, table: str, columns: str) -> Iterator[Row]:
    """Rows from the front; behind a broken page, from the other end; answers then by their keys."""
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{name} {direction}" for name in ORDER[table].split(", "))
        try:
            yield from db.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")
            return
        except _BROKEN:
            continue
    if table == "answers":
        query = f"SELECT {columns} FROM answers WHERE asking = ? AND item = ?"
        for key in _keys(db):
            with contextlib.suppress(*_BROKEN):
                yield from db.execute(query, key)


def _keys(db: sqlite3.Connection) -> list[Row]:
    """Keys of the answers that cells should have, as far as they can be read."""
    keys: list[Row] = []
    with contextlib.suppress(*_BROKEN):
        keys += db.execute("SELECT c.asking, s.item FROM cells c JOIN item_sets s "
                           "ON s.name = c.item_set")  # fmt: skip
    return [tuple(map(text, key)) for key in dict.fromkeys(keys)]


def seal(db: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Give every row of tables a checksum of what it holds now (they have the column already)."""
    for table in tables:
        names = list(_columns(db, table))
        keys = ORDER[table].split(", ")
        query = f"SELECT {', '.join([*keys, *names])} FROM {table}"
        with as_bytes(db):
            rows = db.execute(query).fetchall()
        where = " AND ".join(f"{key} = ?" for key in keys)
        db.executemany(
            f"UPDATE {table} SET checksum = ? WHERE {where}",
            [(checksum(row[len(keys) :]), *map(text, row[: len(keys)])) for row in rows],
        )


def text(value: Any) -> Any:
    """A value as Python has it, of one as `read` gives it; bytes that are no text stay so."""
    with contextlib.suppress(UnicodeDecodeError):
        return value.decode() if isinstance(value, bytes) else value
    return value


def _columns(db: sqlite3.Connection, table: str) -> dict[str, str]:
    """Declared types of a table's columns, without the checksum."""
    rows = db.execute(f"PRAGMA table_info({table})")
    columns = {text(name): text(kind) for _, name, kind, *_ in rows}
    columns.pop("checksum", None)
    return columns


def _stored(kind: str, value: Any) -> Any:
    """A value as SQLite will return it: without NaN, -0 and numpy types."""
    if value is None:
        return None
    if kind == "BLOB":
        return value.encode() if isinstance(value, str) else bytes(value)
    if kind == "REAL":
        return None if math.isnan(value) else float(value) + 0.0
    return int(value) if kind == "INTEGER" else str(value)


@contextlib.contextmanager
def as_bytes(db: sqlite3.Connection) -> Iterator[None]:
    """Texts come as bytes meanwhile: a damaged one may be no UTF-8."""
    db.text_factory = bytes
    try:
        yield
    finally:
        db.text_factory = str
