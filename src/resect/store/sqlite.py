"""The store of a run: SQLite in WAL mode, one writer, a transaction per batch."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import pandas as pd

from resect.errors import RequestError, RunError
from resect.record import Answer, CellResult, Item, Measurement, TaskInfo, digest
from resect.store.migrations import MIGRATIONS, migrate

_ANSWERS = """
    SELECT p.model, p.role, p.recipe, p.seed, p.level, p.task, c.status, s.item, a.text,
           a.stopped, a.tokens, a.option_scores, a.answer, a.outcome, a.tier, a.score, a.reader,
           a.chosen, a.recorded, a.parts
    FROM plan p JOIN cells c ON c.id = p.cell JOIN item_sets s ON s.name = c.item_set
    JOIN answers a ON a.asking = c.asking AND a.item = s.item
    WHERE c.status != 'failed' ORDER BY p.position, s.position
"""


_PLANNED = ("cell", "state", "model", "role", "recipe", "level", "seed", "task")


class Held(NamedTuple):
    """What is held of a measured state: the name of its shape, and whether the workload was run."""

    shape: str | None
    workload: bool


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in a sentence what SQLite found wrong with `path`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if any(word in str(error) for word in ("full", "I/O", "locked", "readonly", "read-only")):
            raise RunError(
                f"{path} cannot be written ({error}): what is stored is kept, make room or wait, "
                "and run the same command to go on."
            ) from None
        raise RequestError(f"{path} is not a resect store: {error}.") from None


class Store:
    """Cells, answers and measurements of one run folder."""

    def __init__(self, path: Path, write: bool = True) -> None:
        if not write and not path.is_file():
            raise RequestError(f"there is no run at {path.parent}: it has no {path.name}.")
        self.path = path
        self.write = write
        mode = "rwc" if write else "ro"
        with plain_errors(path):
            where = f"{path.absolute().as_uri()}?mode={mode}"
            self.db = sqlite3.connect(where, uri=True, timeout=30)
            version = self.db.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise RequestError(f"{path} was written by a newer resect: update this one.")
            if write:
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = NORMAL")
                migrate(self.db)
            elif version == 0:
                raise RequestError(f"{path} holds no study: run one into its folder.")
            elif version < len(MIGRATIONS):
                with contextlib.closing(sqlite3.connect(path, timeout=30)) as older:
                    migrate(older)  # an earlier resect wrote it

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.write and error is None:
            # One plain file is left, which a reader need not write beside; not while one reads.
            with contextlib.suppress(sqlite3.OperationalError):
                self.db.execute("PRAGMA busy_timeout = 0")
                self.db.execute("PRAGMA journal_mode = DELETE")
        self.db.close()

    # ── writing ──

    def put_study(
        self,
        models: Iterable[Mapping[str, Any]],
        tasks: Mapping[str, TaskInfo],
        items: Mapping[str, Sequence[Item]],
        plan: Iterable[CellResult],
        facts: Mapping[str, Any],
    ) -> None:
        """Declare what this run is: replaces the plan, keeps every answer already there.

        `plan` holds the cells asked for, in order: the one place that says which model, role,
        recipe and level a cell stands for. A cell may stand in several places.
        """
        rows = [(item, n, name) for name, got in items.items() for n, item in enumerate(got)]
        sets = {name: item_set(item.key for item in got) for name, got in items.items()}
        with self.db:
            self.db.execute("DELETE FROM models")
            self.db.executemany(
                "INSERT INTO models VALUES (?, ?)",
                [(model["name"], json.dumps(dict(model))) for model in models],
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO tasks VALUES (?, ?)",
                [(name, json.dumps(asdict(info))) for name, info in tasks.items()],
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)",
                [
                    (i.key, i.id, i.gold, json.dumps(asdict(i), ensure_ascii=False))
                    for i, _, _ in rows
                ],
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO item_sets VALUES (?, ?, ?)",
                [(sets[name], position, item.key) for item, position, name in rows],
            )
            self.db.execute("DELETE FROM plan")
            self.db.executemany(
                "INSERT INTO plan VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*(getattr(cell, name) for name in _PLANNED), len(cell.items)) for cell in plan],
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in facts.items()],
            )

    def put_answers(self, answers: Sequence[Answer]) -> None:
        """Keep a batch, all or nothing."""
        rows = [
            (
                answer.asking,
                answer.item,
                answer.raw.text,
                answer.raw.stopped,
                answer.raw.tokens,
                None if answer.raw.option_scores is None else json.dumps(answer.raw.option_scores),
                answer.reading.value,
                answer.reading.outcome,
                answer.reading.tier,
                answer.reading.score,
                answer.reader,
                answer.chosen,
                answer.recorded,
                json.dumps(dict(answer.reading.parts)) if answer.reading.parts else None,
            )
            for answer in answers
        ]
        with self.db:
            marks = ", ".join("?" * 14)
            self.db.executemany(f"INSERT OR REPLACE INTO answers VALUES ({marks})", rows)

    def put_cell(self, cell: CellResult) -> None:
        """Keep how a cell ended."""
        row = (
            cell.cell,
            cell.asking,
            cell.state,
            item_set(cell.items),
            cell.status,
            cell.reason,
            cell.seconds,
            json.dumps({k: v for k, v in cell.spec.items() if k != "items"}),
        )
        with self.db:
            marks = ", ".join("?" * len(row))
            self.db.execute(f"INSERT OR REPLACE INTO cells VALUES ({marks})", row)

    def put_measurement(self, measurement: Measurement) -> None:
        """Keep what was measured of one state; sizes alone do not replace memory and speed."""
        with self.db:
            if measurement.workload is None:
                measurement = replace(measurement, **self._workload(measurement.state))
            self.db.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?)",
                (measurement.state, json.dumps(asdict(measurement))),
            )

    def put_judgements(
        self, judge: Mapping[str, Any], rows: Sequence[tuple[str, str, float | None, str]]
    ) -> None:
        """Keep (item, hash of the text, score or None, reply) of the judge that reports read."""
        name = digest(dict(judge))
        with self.db:
            self.db.execute(
                "INSERT OR REPLACE INTO facts VALUES ('judge', ?)", (json.dumps(dict(judge)),)
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?)",
                [(name, *row) for row in rows],
            )

    # ── what planning asks ──

    def answered(self, asking: str) -> set[str]:
        """Keys of the items answered under `asking`."""
        return {
            row[0]
            for row in self.db.execute("SELECT item FROM answers WHERE asking = ?", (asking,))
        }

    def finished(self, cell: str) -> bool:
        """Whether the cell ended well (a failed one is tried again)."""
        query = "SELECT 1 FROM cells WHERE id = ? AND status != 'failed'"
        return self.db.execute(query, (cell,)).fetchone() is not None

    def measured(self, state: str) -> Held | None:
        """What is held of a state, None where it was not measured."""
        found = self._measurement(state)
        return None if found is None else Held(found.get("shape"), bool(found.get("workload")))

    def _measurement(self, state: str) -> dict[str, Any] | None:
        query = "SELECT info FROM measurements WHERE state = ?"
        row = self.db.execute(query, (state,)).fetchone()
        return None if row is None else json.loads(row[0])

    def _workload(self, state: str) -> dict[str, Any]:
        """What the workload showed of a state, if it was run."""
        found = self._measurement(state) or {}
        return {key: found.get(key) for key in ("peak_memory", "tokens_per_second", "workload")}

    # ── what analysis reads ──

    def facts(self) -> dict[str, Any]:
        """Study, warnings, provenance: whatever was declared by name."""
        return {name: json.loads(value) for name, value in self.db.execute("SELECT * FROM facts")}

    def models(self) -> list[dict[str, Any]]:
        """The models of the run, as declared."""
        return [
            json.loads(row[0]) for row in self.db.execute("SELECT info FROM models ORDER BY rowid")
        ]

    def tasks(self) -> dict[str, TaskInfo]:
        """The tasks of the run, in the order of the plan."""
        query = """SELECT p.task, t.info FROM plan p JOIN tasks t ON t.name = p.task
                   GROUP BY p.task ORDER BY min(p.position)"""
        found = {}
        for name, info in self.db.execute(query):
            fields = json.loads(info)
            fields.update(labels=tuple(fields["labels"]), stop=tuple(fields["stop"]))
            found[name] = TaskInfo(**fields)
        return found

    def items(self) -> dict[str, Item]:
        """Items of the plan by key."""
        query = """SELECT DISTINCT i.key, i.content FROM items i JOIN item_sets s ON s.item = i.key
                   JOIN cells c ON c.item_set = s.name JOIN plan p ON p.cell = c.id"""
        return {key: _item(json.loads(content)) for key, content in self.db.execute(query)}

    def cells(self) -> pd.DataFrame:
        """One row a planned cell; status `missing` where it has not run."""
        query = """SELECT p.model, p.role, p.recipe, p.level, p.seed, p.task, p.n,
                   coalesce(c.status, 'missing') AS status, c.reason, c.seconds
                   FROM plan p LEFT JOIN cells c ON c.id = p.cell ORDER BY p.position"""
        return pd.read_sql_query(query, self.db)

    def answers(self) -> pd.DataFrame:
        """One row an answer of the plan's cells (failed cells left out), with its item's fields."""
        # of no rows, or of none with a level, pandas does not know that levels are numbers
        frame = pd.read_sql_query(_ANSWERS, self.db).astype({"level": float})
        items = self.items()
        for name in ("id", "gold", "parent", "variant", "tags", "prompt", "options"):
            column = {key: getattr(item, name) for key, item in items.items()}
            frame["item_id" if name == "id" else name] = [column[key] for key in frame["item"]]
        meant = {key: tuple(map(item.meaning, item.labels)) for key, item in items.items()}
        frame["meant"] = [meant[key] for key in frame["item"]]
        for name, kind in (("option_scores", tuple), ("parts", dict)):
            # where only some rows have a value, pandas turns the others into NaN
            found = [kind(json.loads(x)) if isinstance(x, str) else None for x in frame[name]]
            frame[name] = pd.Series(found, index=frame.index, dtype=object)
        return frame

    def judgements(self, judge: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
        """(item, hash of the text) to the score that this judge gave."""
        query = "SELECT item, said, score FROM judgements WHERE judge = ?"
        found = self.db.execute(query, (digest(dict(judge)),))
        return {(item, said): score for item, said, score in found}

    def measurements(self) -> list[dict[str, Any]]:
        """Measurements of the plan, one row a model, recipe, seed and level, in order."""
        query = """SELECT p.model, p.role, p.recipe, p.seed, p.level, m.info
                   FROM plan p JOIN measurements m ON m.state = p.state
                   GROUP BY p.model, p.recipe, p.seed, p.level ORDER BY min(p.position)"""
        names = ("model", "role", "recipe", "seed", "level")
        return [
            {**json.loads(info), **dict(zip(names, where, strict=True))}
            for *where, info in self.db.execute(query)
        ]


def item_set(keys: Iterable[str]) -> str:
    """Name of an item set: the hash of its keys in order."""
    return digest(list(keys))


def _item(fields: dict[str, Any]) -> Item:
    fields.update(labels=tuple(fields["labels"]), choices=tuple(fields["choices"]))
    fields["turns"] = tuple((role, text) for role, text in fields.get("turns", ()))
    return Item(**fields)
