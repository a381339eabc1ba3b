"""The schema of `results.sqlite` as numbered steps. Append only: a step that shipped never changes.

The tables are described in docs/store.md.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Callable

from resect.store import checksums

Step = tuple[str | Callable[[sqlite3.Connection], None], ...]

_FIRST = (
    "CREATE TABLE models (name TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT",
    "CREATE TABLE tasks (name TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT",
    """CREATE TABLE items (
        key TEXT PRIMARY KEY, id TEXT NOT NULL, gold TEXT, content TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE item_sets (
        name TEXT NOT NULL, position INTEGER NOT NULL, item TEXT NOT NULL REFERENCES items (key),
        PRIMARY KEY (name, position)
    ) STRICT, WITHOUT ROWID""",
    # What was asked of which weights, by hashes only: names and roles stand in the plan.
    """CREATE TABLE cells (
        id TEXT PRIMARY KEY, asking TEXT NOT NULL, state TEXT NOT NULL, item_set TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('success', 'degraded', 'failed')),
        reason TEXT, seconds REAL, spec TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE answers (
        asking TEXT NOT NULL, item TEXT NOT NULL REFERENCES items (key),
        text TEXT NOT NULL, stopped TEXT, tokens INTEGER NOT NULL, option_scores TEXT,
        answer TEXT, outcome TEXT NOT NULL, tier TEXT NOT NULL, score REAL, reader TEXT NOT NULL,
        chosen TEXT, recorded TEXT, PRIMARY KEY (asking, item)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE measurements (state TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT",
    """CREATE TABLE plan (
        position INTEGER PRIMARY KEY, cell TEXT NOT NULL, state TEXT NOT NULL,
        model TEXT NOT NULL, role TEXT NOT NULL, treatment TEXT NOT NULL, level REAL,
        seed INTEGER NOT NULL, task TEXT NOT NULL, n INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
)

# What metrics over all items are made of, beyond one score an item; JSON, null where there is none.
_PARTS = ("ALTER TABLE answers ADD COLUMN parts TEXT",)

# What another model said of a text: `said` is the hash of the text, `score` null if it gave none.
_JUDGEMENTS = (
    """CREATE TABLE judgements (
        judge TEXT NOT NULL, item TEXT NOT NULL, said TEXT NOT NULL,
        score REAL, reply TEXT NOT NULL, PRIMARY KEY (judge, item, said)
    ) STRICT, WITHOUT ROWID""",
)

# Steps in order are called a recipe; the level's meaning and all keys stay as they were.
_RECIPES = (
    "ALTER TABLE plan RENAME COLUMN treatment TO recipe",
    """UPDATE facts SET value = json_remove(
        json_set(value, '$.recipes', json(json_extract(value, '$.treatments'))), '$.treatments'
    ) WHERE name = 'study' AND json_type(value, '$.treatments') IS NOT NULL""",
)

# Of all other values of a row, so that damage is seen; a row that is written brings its own.
_CHECKED = (
    "models", "tasks", "items", "item_sets", "cells", "answers", "measurements", "plan",
    "judgements", "facts",
)  # fmt: skip
_CHECKSUMS: Step = (
    *(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER" for table in _CHECKED),
    functools.partial(checksums.seal, tables=_CHECKED),
)

# A cell may end without being asked; SQLite cannot change a check in place.
_SKIPPED = (
    """CREATE TABLE every_cell (
        id TEXT PRIMARY KEY, asking TEXT NOT NULL, state TEXT NOT NULL, item_set TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('success', 'degraded', 'failed', 'skipped')),
        reason TEXT, seconds REAL, spec TEXT NOT NULL, checksum INTEGER
    ) STRICT""",
    "INSERT INTO every_cell SELECT * FROM cells ORDER BY rowid",
    "DROP TABLE cells",
    "ALTER TABLE every_cell RENAME TO cells",
)


def _add_runtime(db: sqlite3.Connection) -> None:
    """Where a planned cell is asked; a row that was damaged before stays so."""
    damaged = [row[0] for row, good in checksums.read(db, "plan") if not good]
    db.execute("ALTER TABLE plan ADD COLUMN runtime TEXT NOT NULL DEFAULT 'transformers'")
    checksums.seal(db, ("plan",))
    db.executemany("UPDATE plan SET checksum = NULL WHERE position = ?", [(x,) for x in damaged])


# The likeliest tokens at the answer and at places of the prompt: what KL is computed from.
_RUNTIMES: Step = (
    _add_runtime,
    """CREATE TABLE likely (
        asking TEXT NOT NULL, item TEXT NOT NULL, tokens BLOB NOT NULL, checksum INTEGER,
        PRIMARY KEY (asking, item)
    ) STRICT, WITHOUT ROWID""",
)

MIGRATIONS: tuple[Step, ...] = (
    _FIRST, _PARTS, _JUDGEMENTS, _RECIPES, _CHECKSUMS, _SKIPPED, _RUNTIMES,
)  # fmt: skip


def migrate(db: sqlite3.Connection, version: int = len(MIGRATIONS)) -> None:
    """Bring a database of any earlier version, or an empty one, to the newest schema (`version`).

    Each step is one transaction with its number, so that a killed process leaves a whole schema.
    """
    done = db.execute("PRAGMA user_version").fetchone()[0]
    for number, statements in enumerate(MIGRATIONS[done:version], start=done + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                if callable(statement):
                    statement(db)
                else:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.commit()
        except BaseException:
            db.rollback()
            raise


def as_declared(db: sqlite3.Connection, version: int) -> bool:
    """Whether the tables of a database are those of `version` (not 0: of a store); others beside
    them may be there.
    """
    return version > 0 and _declared(version) <= _schema(db)


@functools.cache
def _declared(version: int) -> frozenset[tuple[bytes, bytes]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        migrate(fresh, version)
        return _schema(fresh)


def _schema(db: sqlite3.Connection) -> frozenset[tuple[bytes, bytes]]:
    with checksums.as_bytes(db):
        return frozenset(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
