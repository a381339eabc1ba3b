"""An index of a run's answers in a temporary database, so that every filter is a look-up in a tree.

The store itself is only read. A cell is indexed when it has ended; `refresh` takes what has come
since. `asked` numbers the items of each task, `hits` holds every answer once, by cell and by code,
and `counts` says how many there are of each code.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resect.record import OUTCOMES
from resect.store.opening import plain_errors, to_read

SCHEMA = """
    CREATE TEMP TABLE asked (
        number INTEGER PRIMARY KEY, task TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (task, key)
    );
    CREATE INDEX temp.asked_of_task ON asked (task, number);
    CREATE TEMP TABLE hits (
        cell INTEGER NOT NULL, item INTEGER NOT NULL, code INTEGER NOT NULL,
        PRIMARY KEY (cell, item)
    ) WITHOUT ROWID;
    CREATE INDEX temp.hits_by_code ON hits (cell, code, item);
    CREATE TEMP TABLE counts (
        cell INTEGER NOT NULL, code INTEGER NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (cell, code)
    ) WITHOUT ROWID;
"""

_PLAN = """
    SELECT p.position, p.cell, p.model, p.role, p.recipe, p.runtime, p.level, p.seed, p.task, p.n,
           coalesce(c.status, 'missing'), c.reason, c.asking, c.item_set
    FROM plan p LEFT JOIN cells c ON c.id = p.cell ORDER BY p.position
"""
# right: 2, wrong: 1, neither (a number, partly right): 0; without a text by the best option
_GRADE = """CASE WHEN {0}.score = 1 OR ({0}.score IS NULL AND {0}.chosen = i.gold) THEN 2
    WHEN {0}.score = 0 OR ({0}.score IS NULL AND {0}.chosen IS NOT NULL) THEN 1 ELSE 0 END"""
_CODES = f"""
    INSERT INTO temp.hits
    SELECT :cell, n.number, 16 * ({_GRADE.format("a")}) + 64 * ({_GRADE.format("b")})
        + CASE a.outcome {" ".join(f"WHEN '{name}' THEN {n}" for n, name in enumerate(OUTCOMES))}
          ELSE {len(OUTCOMES)} END
    FROM item_sets s JOIN temp.asked n ON n.task = :task AND n.key = s.item
    JOIN items i ON i.key = s.item
    JOIN answers a ON a.asking = :asking AND a.item = s.item
    LEFT JOIN answers b ON b.asking = :intact AND b.item = s.item
    WHERE s.name = :items
"""


class PlannedCell(NamedTuple):
    """One planned cell, and where its answers are (None until it has ended)."""

    place: int
    id: str
    model: str
    role: str
    recipe: str
    runtime: str
    level: float | None
    seed: int
    task: str
    n: int
    status: str
    reason: str | None
    asking: str | None
    items: str | None


class Filters(NamedTuple):
    """Which answers are asked for; None means any. `level` is as in `level_name`."""

    task: str | None = None
    model: str | None = None
    recipe: str | None = None
    level: str | None = None
    outcome: str | None = None
    grade: str | None = None
    flip: str | None = None

    def take(self, cell: PlannedCell) -> bool:
        """Whether answers of a cell can be among them."""
        own = (cell.task, cell.model, cell.recipe, level_name(cell.level))
        return all(wanted in (None, value) for wanted, value in zip(self[:4], own, strict=True))

    def codes(self) -> list[int]:
        """The codes of the answers asked for."""
        wanted = (self.outcome, self.grade, self.flip)
        return [
            code
            for code in range(256)
            if all(w in (None, p) for w, p in zip(wanted, parts(code), strict=True))
        ]


class Hit(NamedTuple):
    """One answer: its cell, the number of its item, and its code."""

    cell: PlannedCell
    item: int
    code: int


GRADES = ("", "wrong", "right")
FLIPS = {("right", "wrong"): "lost", ("wrong", "right"): "gained"}
"""What became of an answer of the intact model."""


@functools.cache
def parts(code: int) -> tuple[str, str, str]:
    """Outcome, grade, and flip against the intact model, each empty where there is none."""
    outcome = code % 16
    grade, intact = (GRADES[min(code // size % 4, 2)] for size in (16, 64))
    return (
        OUTCOMES[outcome] if outcome < len(OUTCOMES) else "",
        grade,
        FLIPS.get((intact, grade), ""),
    )


def level_name(level: float | None) -> str:
    """A level as it stands in an address."""
    return "fixed" if level is None else f"{level:g}"


class AnswerIndex:
    """The plan of a run, the index of its answers, and the connection that both are read by.

    One request at a time: `lock` is held while the connection is used.
    """

    def __init__(self, store: Path) -> None:
        self.lock = threading.RLock()
        with plain_errors(store):
            self.db = to_read(store)
            self.db.commit()  # from here on every query sees what is stored by then
        self.db.close()
        self.db = sqlite3.connect(
            f"{store.absolute().as_uri()}?mode=ro", uri=True, timeout=30, check_same_thread=False
        )
        self.db.executescript(SCHEMA)
        self.cells: list[PlannedCell] = []
        self._indexed: dict[str, tuple[object, ...]] = {}
        self._numbers: dict[str, int] = {}
        self._counts: dict[int, dict[int, int]] = {}
        self._version: int | None = None
        self.refresh()

    def refresh(self) -> None:
        """Take what was stored since the last time."""
        with self.lock:
            (version,) = self.db.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return
            self.cells = [PlannedCell(*row) for row in self.db.execute(_PLAN)]
            intact = {
                (cell.model, cell.runtime, cell.task): cell.asking
                for cell in self.cells
                if cell.recipe == "none"
            }
            for cell in self.cells:
                same = (cell.model, cell.runtime, cell.task)
                state = (cell.asking, cell.items, intact.get(same))
                if cell.asking is not None and self._indexed.get(cell.id) != state:
                    self._index(cell, state[2])
                    self._indexed[cell.id] = state
            self.db.commit()
            self._counts = {}
            for number, code, many in self.db.execute("SELECT * FROM temp.counts"):
                self._counts.setdefault(number, {})[code] = many
            self._version = version

    def number(self, cell: PlannedCell) -> int:
        """The number by which the index knows a cell, wherever it stands in the plan."""
        return self._numbers.setdefault(cell.id, len(self._numbers))

    def _index(self, cell: PlannedCell, intact: str | None) -> None:
        number = self.number(cell)
        for table in ("hits", "counts"):
            self.db.execute(f"DELETE FROM temp.{table} WHERE cell = ?", (number,))
        self.db.execute(
            "INSERT OR IGNORE INTO temp.asked (task, key) "
            "SELECT ?, item FROM item_sets WHERE name = ? ORDER BY position",
            (cell.task, cell.items),
        )
        named = {"cell": number, "task": cell.task, "intact": intact}
        named |= {"asking": cell.asking, "items": cell.items}
        self.db.execute(_CODES, named)
        self.db.execute(
            "INSERT INTO temp.counts SELECT cell, code, count(*) FROM temp.hits "
            "WHERE cell = ? GROUP BY code",
            (number,),
        )

    def counts(self, filters: Filters) -> list[tuple[PlannedCell, dict[int, int]]]:
        """The cells that the filters take, each with its answers by code."""
        with self.lock:
            codes, taken = set(filters.codes()), []
            for cell in self.cells:
                if filters.take(cell):
                    every = self._counts.get(self.number(cell), {})
                    own = {code: number for code, number in every.items() if code in codes}
                    if own:
                        taken.append((cell, own))
            return taken

    def page(
        self, counted: Sequence[tuple[PlannedCell, dict[int, int]]], start: int, size: int
    ) -> list[Hit]:
        """Answers `start` to `start + size` of those counted, cell by cell, in order of items."""
        hits: list[Hit] = []
        with self.lock:
            for cell, codes in counted:
                number = sum(codes.values())
                if start >= number:
                    start -= number
                    continue
                marks = ", ".join("?" * len(codes))
                rows = self.db.execute(
                    f"SELECT item, code FROM temp.hits WHERE cell = ? AND code IN ({marks}) "
                    "ORDER BY item LIMIT ? OFFSET ?",
                    (self.number(cell), *codes, size - len(hits), start),
                )
                hits += [Hit(cell, item, code) for item, code in rows]
                start = 0
                if len(hits) >= size:
                    break
        return hits
