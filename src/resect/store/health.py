"""What is damaged in a store, which cells that concerns, and a new store of the sound rows."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from resect.errors import RequestError
from resect.record import digest
from resect.store import checksums
from resect.store.checksums import text
from resect.store.migrations import migrate

_WORDS = {
    "item_sets": "lists of items",
    "cells": "results of cells",
    "plan": "the plan",
    "likely": "likeliest tokens",
    "facts": "the description of the study",
}
_SHOWN = 5
"""Damaged cells that a sentence names."""

_READ = {
    "models": 0, "tasks": 0, "items": 0, "item_sets": 3, "cells": 5, "answers": 2,
    "likely": 0, "measurements": 0, "plan": 9, "judgements": 0, "facts": 1,
}  # fmt: skip
"""How many columns of each table say what is damaged."""


@dataclass(frozen=True)
class Health:
    """What is wrong with a store; nothing where it is sound.

    `structure` is what SQLite says of the file, `rows` counts damaged rows by table, `cells` names
    the cells of the plan whose answers are not all whole. `ended` counts the cells of the plan by
    status (`missing`: not ended), `answers` and `whole` answers and all rows that are as they were
    written; `audit`: somebody else recorded them.
    """

    structure: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    ended: Mapping[str, int] = field(default_factory=dict)
    answers: int = 0
    whole: int = 0
    audit: bool = False

    @property
    def planned(self) -> int:
        """Cells of the plan."""
        return sum(self.ended.values())

    @property
    def sound(self) -> bool:
        """Whether everything is as it was written."""
        return not (self.structure or self.rows or self.cells)

    def __str__(self) -> str:
        """What is damaged, as the part of a sentence."""
        more = len(self.cells) - _SHOWN
        named = [*self.cells[:_SHOWN], *([f"{more} more"] if more > 0 else [])]
        parts = [f"{len(self.cells)} of {self.planned} cells: {'; '.join(named)}"] if named else []
        others = [_WORDS.get(name, name) for name in self.rows if name != "answers" or not named]
        parts += [", ".join(others)] if others else []
        if self.structure and not parts:
            parts = [self.structure]
        return "; ".join(parts)


class Damaged(RequestError):
    """A store that findings may not be made from; the sentence says where and what to do."""

    def __init__(self, path: Path, health: Health) -> None:
        how = (
            "audit the same data into this folder again to rebuild it"
            if health.audit
            else f"run `resect run {path.parent}/study.yaml --out {path.parent}`, which asks for "
            "the lost answers again"
        )
        super().__init__(f"{path} is damaged ({health}): {how}.")
        self.health = health


def examine(db: sqlite3.Connection, known: str | None = None) -> Health:
    """Compare everything with its checksums; the schema of `db` is the newest.

    `known` is what is already known to be wrong with the file.
    """
    broken = known or structure(db)
    whole: dict[str, list[checksums.Row]] = {table: [] for table in checksums.ORDER}
    damaged: Counter[str] = Counter()
    unknown: set[bytes] = set()  # cells whose end is damaged
    for table, rows in whole.items():
        for row, good in checksums.read(db, table):
            if good:
                rows.append(row[: _READ[table]])
            else:
                damaged[table] += 1
                unknown |= {row[0]} if table == "cells" else set()
    lists = _lists(whole["item_sets"])
    damaged["item_sets"] += sum(
        digest([text(key) for key in keys]) != text(name) for name, keys in lists.items()
    )
    answers = {(asking, item) for asking, item in whole["answers"]}
    cells = {row[0]: row for row in whole["cells"]}

    def holds(cell: bytes) -> bool:
        """Whether a planned cell is whole, or has no answers to be so."""
        if cell not in cells:
            return cell not in unknown
        _, asking, _, items, status = cells[cell]
        return status == b"failed" or all((asking, key) in answers for key in lists.get(items, ()))

    plan = whole["plan"]
    return Health(
        structure=broken,
        rows=dict(+damaged),
        cells=tuple(dict.fromkeys(_name(row) for row in plan if not holds(row[1]))),
        ended=Counter(text(cells[row[1]][4]) if row[1] in cells else "missing" for row in plan),
        answers=len(answers),
        whole=sum(map(len, whole.values())),
        audit=(b"audit",) in whole["facts"],
    )


def _lists(rows: Iterable[checksums.Row]) -> dict[bytes, list[bytes]]:
    """The keys of each list of items, in their order."""
    lists: dict[bytes, list[bytes]] = defaultdict(list)
    for name, _, key in sorted(rows):
        lists[name].append(key)
    return lists


def structure(db: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with its own pages and indexes; None where nothing is."""
    try:
        # quick_check would not compare the indexes, and takes four fifths of the time
        report = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except (sqlite3.DatabaseError, UnicodeError) as error:
        report = str(error)
    return None if report == "ok" else " ".join(report.split())


def survey(path: Path, known: str) -> Health:
    """What is damaged in a store that SQLite will not read as it is, as far as it can be read."""
    with contextlib.closing(_lenient(path)) as db:
        return examine(db, known)


def mend(path: Path) -> None:
    """Put a store of the whole rows in the place of a damaged one, which stays beside it.

    Raises `RequestError` where no row can be read.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with contextlib.closing(_lenient(path)) as old:
            count = _copy(old, Path(name))
        with open(name, "rb") as whole:
            os.fsync(whole.fileno())
        if not count:
            raise RequestError(
                f"{path} is damaged and nothing in it can be read: move it away, then run again."
            )
        shutil.copyfile(path, path.with_name(f"{path.name}.damaged"))
        for ending in ("-wal", "-shm", "-journal"):  # of the old file: the new one is whole
            path.with_name(path.name + ending).unlink(missing_ok=True)
        os.chmod(name, path.stat().st_mode & 0o777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _lenient(path: Path) -> sqlite3.Connection:
    """A connection that reads what there is of a file, be it cut short."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    db.execute("PRAGMA writable_schema = ON")
    return db


def _copy(old: sqlite3.Connection, path: Path) -> int:
    """Write the whole rows of `old` into a new store; how many there are."""
    count = 0
    with contextlib.closing(sqlite3.connect(path)) as new, new:
        new.execute("PRAGMA synchronous = OFF")  # nobody knows of it yet: it is flushed once
        migrate(new)
        for table in checksums.ORDER:
            rows = [tuple(map(text, row)) for row, good in checksums.read(old, table) if good]
            checksums.put(new, table, rows)
            count += len(rows)
    return count


def _name(row: checksums.Row) -> str:
    """A row of the plan as a reader says which cell it is."""
    model, recipe, level, task = (text(row[number]) for number in (3, 5, 6, 8))
    how = "intact" if recipe == "none" else recipe
    if level is not None and recipe != "none":
        how += f" {level:g}"
    return f"{model}, {how}, {task}"


def mended(path: Path, health: Health) -> str:
    """The notice that a damaged store was repaired."""
    return (
        f"{path} was damaged ({health}): lost answers are asked for again, and the damaged file "
        f"is kept as {path.name}.damaged."
    )
