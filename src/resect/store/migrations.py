"""The schema of `results.sqlite` as numbered steps. Append only: a step that shipped never changes.

The tables are described in docs/store.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable


def _m001_first(db: sqlite3.Connection) -> None:
    db.executescript(
        """
        CREATE TABLE models (name TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT;
        CREATE TABLE tasks (name TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT;
        CREATE TABLE items (
            key TEXT PRIMARY KEY, id TEXT NOT NULL, gold TEXT, content TEXT NOT NULL
        ) STRICT;
        CREATE TABLE item_sets (
            name TEXT NOT NULL, position INTEGER NOT NULL,
            item TEXT NOT NULL REFERENCES items (key),
            PRIMARY KEY (name, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE cells (
            id TEXT PRIMARY KEY, asking TEXT NOT NULL, state TEXT NOT NULL,
            model TEXT NOT NULL, role TEXT NOT NULL, treatment TEXT NOT NULL, level REAL,
            seed INTEGER NOT NULL, task TEXT NOT NULL, item_set TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('success', 'degraded', 'failed')),
            reason TEXT, seconds REAL, spec TEXT NOT NULL
        ) STRICT;
        CREATE TABLE answers (
            asking TEXT NOT NULL, item TEXT NOT NULL REFERENCES items (key),
            text TEXT NOT NULL, stopped TEXT, tokens INTEGER NOT NULL, option_scores TEXT,
            answer TEXT, outcome TEXT NOT NULL, tier TEXT NOT NULL, score REAL, chosen TEXT,
            PRIMARY KEY (asking, item)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE measurements (state TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT;
        CREATE TABLE plan (cell TEXT PRIMARY KEY, info TEXT NOT NULL) STRICT;
        CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        """
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_m001_first,)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database of any earlier version, or an empty one, to the newest schema."""
    done = db.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        step(db)
        db.execute(f"PRAGMA user_version = {number}")
        db.commit()
