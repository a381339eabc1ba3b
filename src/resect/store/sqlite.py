"""The store of a run: SQLite in WAL mode, one writer, a transaction per batch."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import pandas as pd

from resect.record import (
    Answer,
    CellResult,
    Item,
    Measurement,
    RawAnswer,
    Reading,
    TaskInfo,
    digest,
    packed,
)
from resect.store.checksums import put
from resect.store.health import Health
from resect.store.opening import plain_errors, to_read, to_write

_ANSWERS = """
    SELECT p.model, p.role, p.recipe, p.runtime, p.seed, p.level, p.task, c.status, s.item, a.text,
           a.stopped, a.tokens, a.option_scores, a.answer, a.outcome, a.tier, a.score, a.reader,
           a.chosen, a.recorded, a.parts
    FROM plan p JOIN cells c ON c.id = p.cell JOIN item_sets s ON s.name = c.item_set
    JOIN answers a ON a.asking = c.asking AND a.item = s.item
    WHERE c.status != 'failed' ORDER BY p.position, s.position
"""


_LIKELY = _ANSWERS.replace("a.parts", "a.parts, l.tokens AS likely").replace(
    "WHERE", "LEFT JOIN likely l ON l.asking = a.asking AND l.item = a.item WHERE"
)

_OF_TASK = {field.name for field in fields(TaskInfo)}
"""What is read of a stored task; older stores have more."""
_PLANNED = ("cell", "state", "model", "role", "recipe", "level", "seed", "task")


class Held(NamedTuple):
    """What is held of a measured state: the name of its shape, and whether the workload was run."""

    shape: str | None
    workload: bool


class Store:
    """Cells, answers and measurements of one run folder.

    Opened to read, it is one state of the store, compared with its checksums (unless `check` is
    off): `RequestError` where something is damaged. Opened to write, what is damaged is left out,
    so that it is asked again; `health` then says what that was.
    """

    def __init__(self, path: Path, write: bool = True, check: bool = True) -> None:
        self.path, self.write, self.health = path, write, Health()
        with plain_errors(path):
            try:
                if write:
                    self.db, self.health = to_write(path)
                else:
                    self.db = to_read(path, check)
            except UnicodeDecodeError:  # of a name that a message quotes
                raise sqlite3.DatabaseError("a name in it is not UTF-8") from None

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
        sets = {name: item_set(item.key for item in listed) for name, listed in items.items()}
        rows = [(i, n, sets[name]) for name, listed in items.items() for n, i in enumerate(listed)]
        with self.db:
            self.db.execute("DELETE FROM models")
            put(self.db, "models", [(model["name"], json.dumps(dict(model))) for model in models])
            put(self.db, "tasks", [(n, json.dumps(asdict(info))) for n, info in tasks.items()])
            contents = ((i, json.dumps(asdict(i), ensure_ascii=False)) for i, _, _ in rows)
            put(self.db, "items", [(i.key, i.id, i.gold, content) for i, content in contents])
            put(self.db, "item_sets", [(name, n, item.key) for item, n, name in rows])
            self.db.execute("DELETE FROM plan")
            planned = [
                (n, *(getattr(cell, name) for name in _PLANNED), len(cell.items), cell.runtime)
                for n, cell in enumerate(plan, start=1)
            ]
            put(self.db, "plan", planned)
            put(self.db, "facts", [(name, json.dumps(value)) for name, value in facts.items()])

    def put_answers(self, answers: Sequence[Answer]) -> None:
        """Keep a batch, all or nothing."""
        rows = []
        for answer in answers:
            raw, reading = answer.raw, answer.reading
            scores = None if raw.option_scores is None else json.dumps(raw.option_scores)
            parts = json.dumps(dict(reading.parts)) if reading.parts else None
            rows.append((
                answer.asking, answer.item, raw.text, raw.stopped, raw.tokens, scores,
                reading.value, reading.outcome, reading.tier, reading.score, answer.reader,
                answer.chosen, answer.recorded, parts,
            ))  # fmt: skip
        likely = [(a.asking, a.item, packed(a.raw.likely)) for a in answers if a.raw.likely]
        with self.db:
            put(self.db, "answers", rows)
            put(self.db, "likely", likely)

    def put_cell(self, cell: CellResult) -> None:
        """Keep how a cell ended, and the items that it was asked."""
        spec = json.dumps({k: v for k, v in cell.spec.items() if k != "items"})
        asked = item_set(cell.items)
        row = (
            cell.cell, cell.asking, cell.state, asked, cell.status, cell.reason, cell.seconds, spec,
        )  # fmt: skip
        with self.db:
            put(self.db, "item_sets", [(asked, n, key) for n, key in enumerate(cell.items)])
            put(self.db, "cells", [row])

    def put_measurement(self, measurement: Measurement) -> None:
        """Keep what was measured of one state; sizes alone do not replace memory and speed."""
        with self.db:
            if measurement.workload is None:
                earlier = self._measurement(measurement.state) or {}
                names = ("peak_memory", "tokens_per_second", "workload")
                speed: dict[str, Any] = {name: earlier.get(name) for name in names}
                measurement = replace(measurement, **speed)
            row = (measurement.state, json.dumps(asdict(measurement)))
            put(self.db, "measurements", [row])

    def put_judgements(
        self, judge: Mapping[str, Any], rows: Sequence[tuple[str, str, float | None, str]]
    ) -> None:
        """Keep (item, hash of the text, score or None, reply) of the judge that reports read."""
        name = digest(dict(judge))
        with self.db:
            put(self.db, "facts", [("judge", json.dumps(dict(judge)))])
            put(self.db, "judgements", [(name, *row) for row in rows])

    # ── what planning asks ──

    def answered(self, asking: str) -> set[str]:
        """Keys of the items answered under `asking`."""
        rows = self.db.execute("SELECT item FROM answers WHERE asking = ?", (asking,))
        return {key for (key,) in rows}

    def answers_to(self, asking: str, items: Collection[str]) -> tuple[Answer, ...]:
        """The answers to some items under `asking`, as they were put."""
        query = """SELECT item, text, stopped, tokens, option_scores, answer, outcome, tier, score,
                   reader, chosen, recorded, parts FROM answers WHERE asking = ?"""
        rows = self.db.execute(query, (asking,))
        return tuple(_answer(asking, row) for row in rows if row[0] in items)

    def finished(self, cell: str) -> bool:
        """Whether the cell ended well (a failed one is tried again)."""
        query = "SELECT 1 FROM cells WHERE id = ? AND status != 'failed'"
        return self.db.execute(query, (cell,)).fetchone() is not None

    def measured(self, state: str) -> Held | None:
        """What is held of a state, None where it was not measured."""
        info = self._measurement(state)
        return None if info is None else Held(info.get("shape"), bool(info.get("workload")))

    def _measurement(self, state: str) -> dict[str, Any] | None:
        query = "SELECT info FROM measurements WHERE state = ?"
        row = self.db.execute(query, (state,)).fetchone()
        return None if row is None else json.loads(row[0])

    # ── how far it is ──

    def progress(self) -> dict[str, int]:
        """How many cells of the plan ended how; `missing`: have not."""
        query = """SELECT coalesce(c.status, 'missing'), count(*)
                   FROM plan p LEFT JOIN cells c ON c.id = p.cell GROUP BY 1"""
        return dict(self.db.execute(query))

    def count(self) -> int:
        """How many answers there are, those outside the plan too."""
        return int(self.db.execute("SELECT count(*) FROM answers").fetchone()[0])

    def questions(self) -> tuple[int, int]:
        """How many questions damaged models were asked, and how many were planned."""
        query = """SELECT coalesce(sum((SELECT count(*) FROM item_sets s WHERE s.name = c.item_set)
                   ), 0), coalesce(sum(p.n), 0)
                   FROM plan p LEFT JOIN cells c ON c.id = p.cell AND c.status != 'failed'
                   WHERE p.recipe != 'none'"""
        asked, planned = self.db.execute(query).fetchone()
        return int(asked), int(planned)

    # ── what analysis reads ──

    def facts(self) -> dict[str, Any]:
        """Study, warnings, provenance: whatever was declared by name."""
        rows = self.db.execute("SELECT name, value FROM facts")
        return {name: json.loads(value) for name, value in rows}

    def models(self) -> list[dict[str, Any]]:
        """The models of the run, as declared."""
        rows = self.db.execute("SELECT info FROM models ORDER BY rowid")
        return [json.loads(info) for (info,) in rows]

    def tasks(self) -> dict[str, TaskInfo]:
        """The tasks of the run, in the order of the plan."""
        query = """SELECT p.task, t.info FROM plan p JOIN tasks t ON t.name = p.task
                   GROUP BY p.task ORDER BY min(p.position)"""
        infos = {}
        for name, info in self.db.execute(query):
            stored = json.loads(info)
            stored.update(labels=tuple(stored["labels"]), stop=tuple(stored["stop"]))
            known = {key: value for key, value in stored.items() if key in _OF_TASK}
            infos[name] = TaskInfo(**known)
        return infos

    def items(self) -> dict[str, Item]:
        """Items of the plan by key."""
        query = """SELECT DISTINCT i.key, i.content FROM items i JOIN item_sets s ON s.item = i.key
                   JOIN cells c ON c.item_set = s.name JOIN plan p ON p.cell = c.id"""
        return {key: _item(json.loads(content)) for key, content in self.db.execute(query)}

    def cells(self) -> pd.DataFrame:
        """One row a planned cell; status `missing` where it has not run."""
        query = """SELECT p.model, p.role, p.recipe, p.runtime, p.level, p.seed, p.task, p.n,
                   coalesce(c.status, 'missing') AS status, c.reason, c.seconds
                   FROM plan p LEFT JOIN cells c ON c.id = p.cell ORDER BY p.position"""
        return self._frame(query)

    def answers(self, likely: bool = False) -> pd.DataFrame:
        """One row an answer of the plan's cells (failed cells left out), with its item's fields.

        `likely` adds a column with the likeliest tokens as stored, None where they were not told.
        """
        # of no rows, or of none with a level, pandas does not know that levels are numbers
        frame = self._frame(_LIKELY if likely else _ANSWERS).astype({"level": float})
        items = self.items()
        for name in ("id", "gold", "parent", "variant", "tags", "prompt", "options"):
            column = {key: getattr(item, name) for key, item in items.items()}
            frame["item_id" if name == "id" else name] = [column[key] for key in frame["item"]]
        meant = {key: tuple(map(item.meaning, item.labels)) for key, item in items.items()}
        frame["meant"] = [meant[key] for key in frame["item"]]
        for name, kind in (("option_scores", tuple), ("parts", dict)):
            # where only some rows have a value, pandas turns the others into NaN
            values = [kind(json.loads(x)) if isinstance(x, str) else None for x in frame[name]]
            frame[name] = pd.Series(values, index=frame.index, dtype=object)
        return frame

    def judgements(self, judge: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
        """(item, hash of the text) to the score that this judge gave."""
        query = "SELECT item, said, score FROM judgements WHERE judge = ?"
        rows = self.db.execute(query, (digest(dict(judge)),))
        return {(item, text): score for item, text, score in rows}

    def measurements(self) -> list[dict[str, Any]]:
        """Measurements of the plan, one row a model, recipe, seed and level, in order."""
        query = """SELECT p.model, p.role, p.recipe, p.runtime, p.seed, p.level, m.info
                   FROM plan p JOIN measurements m ON m.state = p.state
                   GROUP BY p.model, p.recipe, p.runtime, p.seed, p.level
                   ORDER BY min(p.position)"""
        names = ("model", "role", "recipe", "runtime", "seed", "level")
        return [
            {**json.loads(info), **dict(zip(names, where, strict=True))}
            for *where, info in self.db.execute(query)
        ]

    def _frame(self, query: str) -> pd.DataFrame:
        cursor = self.db.execute(query)
        names = [column[0] for column in cursor.description]
        return pd.DataFrame.from_records(cursor.fetchall(), columns=names, coerce_float=True)


def item_set(keys: Iterable[str]) -> str:
    """Name of an item set: the hash of its keys in order."""
    return digest(list(keys))


def _answer(asking: str, row: tuple[Any, ...]) -> Answer:
    item, text, stopped, tokens, scores, value, outcome, tier, score, reader, *others = row
    chosen, recorded, parts = others
    raw = RawAnswer(text, stopped, tokens, tuple(json.loads(scores)) if scores else None)
    reading = Reading(value, outcome, tier, score, json.loads(parts) if parts else {})
    return Answer(asking, item, raw, reading, reader, chosen, recorded)


def _item(fields: dict[str, Any]) -> Item:
    fields.update(labels=tuple(fields["labels"]), choices=tuple(fields["choices"]))
    fields["turns"] = tuple((role, text) for role, text in fields.get("turns", ()))
    return Item(**fields)
