"""Open a store: check it before it is read, repair it before it is written."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from resect.errors import RequestError, RunError
from resect.store import health, lock, log
from resect.store.health import Health
from resect.store.migrations import MIGRATIONS, as_declared, migrate

_NEWEST = len(MIGRATIONS)
_UNWRITABLE = ("full", "I/O", "locked", "readonly", "read-only")


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in a sentence what SQLite found wrong with `path`."""
    try:
        yield
    except sqlite3.Error as error:
        if _writing(error):
            raise RunError(
                f"{path} cannot be written ({error}): nothing stored is lost; make room or "
                "wait, then run the same command to go on."
            ) from None
        raise RequestError(
            f"{path} is not a resect store, or is too damaged to read ({error}): move it away, "
            "or give another folder."
        ) from None


def to_read(path: Path, check: bool = True) -> sqlite3.Connection:
    """A connection that sees the store as it is now, whatever is written meanwhile.

    With `check`, everything has been compared with its checksums; `RequestError` where something
    is damaged.
    """
    if not path.is_file():
        raise RequestError(f"there is no run at {path.parent}: it has no {path.name}.")
    db = _connected(path, "ro")
    state = _examined(db, path, partial(_to_be_read, check=check))
    if not state.sound:
        raise health.Damaged(path, state)
    return db


def to_write(path: Path) -> tuple[sqlite3.Connection, Health]:
    """A connection for the one writer, and what was damaged: the store no longer holds that."""
    db = _connected(path, "rwc")
    state = _examined(db, path, _to_be_written)
    if not state.sound:
        health.mend(path)
        db = _connected(path, "rwc")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db, state


def _examined(
    db: sqlite3.Connection, path: Path, examine: Callable[[sqlite3.Connection, Path], Health]
) -> Health:
    """What is damaged in a store; closes the connection where something is, or `examine` fails."""
    try:
        state = examine(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        if _writing(error):
            raise
        state = health.survey(path, str(error))
        if not state.whole:  # nothing says that it is ours
            raise
        return state
    except BaseException:
        db.close()
        raise
    if not state.sound:
        db.close()
    return state


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"


def holds_audit(path: Path) -> bool:
    """Whether the store at `path`, be it damaged, holds answers that somebody else recorded."""
    with contextlib.suppress(sqlite3.Error):
        return health.survey(path, "").audit
    return False


def is_empty(path: Path) -> bool:
    """Whether the store at `path` was begun and nothing was put into it yet."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connected(path, "rw")) as db:
        names = [name for (name,) in db.execute(_TABLES)]
        return not any(db.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in names)
    return False


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30)


def _version(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > _NEWEST:
        raise RequestError(
            f"{path} was written by a newer resect, or is damaged: update this one, or move it."
        )
    return version


def _tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None


def _to_be_read(db: sqlite3.Connection, path: Path, check: bool) -> Health:
    """What is damaged in a store that is to be read; an older one is brought up first."""
    version = _version(db, path)
    if version == 0 and not _tables(db):
        raise RequestError(f"{path} holds no study: run one into its folder.")
    if version < _NEWEST and as_declared(db, version):
        with contextlib.closing(_connected(path, "rw")) as older:
            _upgrade(older, path)
    db.execute("BEGIN")
    if not as_declared(db, _NEWEST):
        return _other(db, path)
    if not check:
        return Health()
    state = health.examine(db)
    if state.sound:
        with lock.unwritten(path.parent) as unwritten:
            if unwritten and log.cut_off(path):
                return replace(state, structure="its last writes are lost")
    return state


def _other(db: sqlite3.Connection, path: Path) -> Health:
    """What is damaged where the tables are not those that the header says, and are ours."""
    state = health.examine(db, "its header or its tables are not as they were declared")
    if not state.whole:
        raise RequestError(f"{path} is not a resect store: move it away, or give another folder.")
    return state


def _to_be_written(db: sqlite3.Connection, path: Path) -> Health:
    """What is damaged in a store that is to be written to; an older one is brought up first."""
    version = _version(db, path)
    if version == 0 and not _tables(db):
        migrate(db)
        return Health()
    if not as_declared(db, version):
        return _other(db, path)
    if version < _NEWEST:
        _upgrade(db, path)
    return health.examine(db)


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Bring an older store to the newest schema; nothing of a broken one gets a checksum."""
    broken = health.structure(db)
    if broken:
        raise RequestError(
            f"{path} is damaged ({broken}), and an earlier resect wrote it, without checksums: "
            "move it away and run again."
        )
    migrate(db)


def _writing(error: sqlite3.Error) -> bool:
    """Whether the store could not be written or was locked, which does not damage it."""
    return any(word in str(error) for word in _UNWRITABLE)
