"""The store of a run: SQLite in WAL mode, one writer, a transaction per batch."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from resect.errors import RequestError
from resect.record import Answer, CellResult, Item, Measurement, TaskInfo, digest
from resect.store.migrations import MIGRATIONS, migrate

_ANSWERS = """
    SELECT c.model, c.role, c.treatment, c.seed, c.level, c.task, c.status, s.item, a.text,
           a.stopped, a.tokens, a.option_scores, a.answer, a.outcome, a.tier, a.score, a.chosen
    FROM plan p JOIN cells c ON c.id = p.cell JOIN item_sets s ON s.name = c.item_set
    JOIN answers a ON a.asking = c.asking AND a.item = s.item
    WHERE c.status != 'failed' ORDER BY c.model, c.treatment, c.seed, c.task, c.level, s.position
"""


class Store:
    """Cells, answers and measurements of one run folder."""

    def __init__(self, path: Path, write: bool = True) -> None:
        if not write and not path.is_file():
            raise RequestError(f"there is no run at {path.parent}: it has no {path.name}.")
        mode = "rwc" if write else "ro"
        try:
            where = f"{path.absolute().as_uri()}?mode={mode}"
            self.db = sqlite3.connect(where, uri=True, timeout=30)
            if self.db.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS):
                raise RequestError(f"{path} was written by a newer resect: update this one.")
            if write:
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = NORMAL")
                migrate(self.db)
        except sqlite3.DatabaseError as error:
            raise RequestError(f"{path} is not a resect store: {error}.") from None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

        `plan` holds the cells asked for, as far as they can be known beforehand.
        """
        rows = [
            (item, position, name)
            for name, got in items.items()
            for position, item in enumerate(got)
        ]
        sets = {name: item_set(item.key for item in got) for name, got in items.items()}
        with self.db:
            self.db.execute("DELETE FROM models")
            self.db.executemany(
                "INSERT INTO models VALUES (?, ?)",
                [(m["name"], json.dumps(dict(m))) for m in models],
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
                "INSERT INTO plan VALUES (?, ?)",
                [(cell.cell, json.dumps(_brief(cell))) for cell in plan],
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
                answer.chosen,
            )
            for answer in answers
        ]
        with self.db:
            marks = ", ".join("?" * 11)
            self.db.executemany(f"INSERT OR REPLACE INTO answers VALUES ({marks})", rows)

    def put_cell(self, cell: CellResult) -> None:
        """Keep how a cell ended."""
        row = (
            cell.cell,
            cell.asking,
            cell.state,
            cell.model,
            cell.role,
            cell.treatment,
            cell.level,
            cell.seed,
            cell.task,
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
        """Keep what was measured of one state."""
        with self.db:
            self.db.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?)",
                (measurement.state, json.dumps(asdict(measurement))),
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

    def measured(self, state: str) -> bool:
        """Whether the state was measured."""
        query = "SELECT 1 FROM measurements WHERE state = ?"
        return self.db.execute(query, (state,)).fetchone() is not None

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
        used = {
            row[0]
            for row in self.db.execute("SELECT DISTINCT json_extract(info, '$.task') FROM plan")
        }
        found = {}
        for name, info in self.db.execute("SELECT name, info FROM tasks ORDER BY rowid"):
            fields = json.loads(info)
            if name in used:
                fields.update(labels=tuple(fields["labels"]), stop=tuple(fields["stop"]))
                found[name] = TaskInfo(**fields)
        return found

    def items(self) -> dict[str, dict[str, Any]]:
        """Items of the plan by key: the fields of `Item`."""
        query = """SELECT DISTINCT i.key, i.content FROM items i JOIN item_sets s ON s.item = i.key
                   JOIN cells c ON c.item_set = s.name JOIN plan p ON p.cell = c.id"""
        return {key: json.loads(content) for key, content in self.db.execute(query)}

    def cells(self) -> pd.DataFrame:
        """One row a planned cell; status `missing` where it has not run."""
        query = """SELECT p.info, c.status, c.reason, c.seconds FROM plan p
                   LEFT JOIN cells c ON c.id = p.cell ORDER BY p.rowid"""
        rows = [
            {
                **json.loads(info),
                "status": status or "missing",
                "reason": reason,
                "seconds": seconds,
            }
            for info, status, reason, seconds in self.db.execute(query)
        ]
        columns = ["model", "role", "treatment", "level", "seed", "task", "n", "status", "reason"]
        return pd.DataFrame(rows, columns=[*columns, "seconds"])

    def answers(self) -> pd.DataFrame:
        """One row an answer of the plan's cells (failed cells left out), with its item's fields."""
        frame = pd.read_sql_query(_ANSWERS, self.db)
        items = self.items()
        for name in ("id", "gold", "parent", "variant", "tags", "prompt"):
            column = {key: item[name] for key, item in items.items()}
            frame["item_id" if name == "id" else name] = [column[key] for key in frame["item"]]
        scores = [tuple(json.loads(text)) if text else None for text in frame["option_scores"]]
        return frame.assign(option_scores=pd.Series(scores, index=frame.index, dtype=object))

    def measurements(self) -> list[dict[str, Any]]:
        """Measurements of the plan's states, models and levels in order."""
        query = """SELECT m.info FROM measurements m WHERE m.state IN
                   (SELECT c.state FROM cells c JOIN plan p ON p.cell = c.id)"""
        rows = [json.loads(row[0]) for row in self.db.execute(query)]
        return sorted(rows, key=lambda r: (r["model"], r["treatment"], r["level"] or 0.0))


def item_set(keys: Iterable[str]) -> str:
    """Name of an item set: the hash of its keys in order."""
    return digest(list(keys))


def _brief(cell: CellResult) -> dict[str, Any]:
    names = ("model", "role", "treatment", "level", "seed", "task")
    return {**{name: getattr(cell, name) for name in names}, "n": len(cell.items)}
