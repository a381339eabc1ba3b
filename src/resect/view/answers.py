"""What the view shows of answers: rows of a page, the strip of an item, an item with every text."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from resect.errors import RequestError
from resect.view.answer_index import AnswerIndex, Filters, Hit, PlannedCell, parts

PAGE = 50
"""Answers on a page."""


class Mark(NamedTuple):
    """One level of a strip: what came back there. `here` is the level of the row."""

    level: float | None
    outcome: str
    grade: str
    flip: str
    here: bool = False


class Row(NamedTuple):
    """One answer of a list."""

    cell: PlannedCell
    item: str
    id: str
    question: str
    mark: Mark
    answer: str | None
    strip: tuple[Mark, ...]


class Page(NamedTuple):
    """A page of answers: how many there are in all, by outcome, and those shown."""

    total: int
    outcomes: Mapping[str, int]
    number: int
    pages: int
    rows: tuple[Row, ...]


class Text(NamedTuple):
    """One answer to an item: where, how it was read, and the text."""

    cell: PlannedCell
    mark: Mark
    answer: str | None
    chosen: str | None
    text: str
    stopped: str | None


class ItemPage(NamedTuple):
    """An item under one recipe: at every level the text of each model, the intact one first.

    `strips` are the same levels in short, by model; `before` and `after` the items beside it.
    """

    task: str
    key: str
    id: str
    prompt: str
    gold: str | None
    options: Mapping[str, str]
    tags: Mapping[str, str]
    recipes: tuple[str, ...]
    recipe: str
    models: tuple[str, ...]
    levels: tuple[tuple[float | None, Mapping[str, Text]], ...]
    before: str | None
    after: str | None

    @property
    def strips(self) -> dict[str, tuple[Mark, ...]]:
        """Model to its marks, rising in damage."""
        return {
            model: tuple(
                texts[model].mark if model in texts else Mark(level, "", "", "")
                for level, texts in self.levels
            )
            for model in self.models
        }


def page(index: AnswerIndex, filters: Filters, number: int = 1) -> Page:
    """Page `number` of the answers that the filters take; a page beyond the last is the last."""
    with index.lock:
        counted = index.counts(filters)
        outcomes: dict[str, int] = {}
        for _, codes in counted:
            for code, count in codes.items():
                name = parts(code)[0]
                outcomes[name] = outcomes.get(name, 0) + count
        total = sum(outcomes.values())
        pages = max(-(-total // PAGE), 1)
        number = min(max(number, 1), pages)
        hits = index.page(counted, (number - 1) * PAGE, PAGE)
        rows = tuple(_row(index, hit) for hit in hits)
    return Page(total, outcomes, number, pages, rows)


def _row(index: AnswerIndex, hit: Hit) -> Row:
    key, content, answer = index.db.execute(
        """SELECT i.key, i.content, a.answer FROM item_sets s JOIN items i ON i.key = s.item
           JOIN answers a ON a.asking = ? AND a.item = s.item
           WHERE s.name = ? AND s.position = ?""",
        (hit.cell.asking, hit.cell.items, hit.position),
    ).fetchone()
    item = json.loads(content)
    sweep = _sweep(index, hit.cell)
    marks = _marks(index, sweep, hit.position, hit.cell)
    question = item["question"] or item["prompt"]
    own = next(mark for mark in marks if mark.here)
    return Row(hit.cell, key, item["id"], question, own, answer, marks)


def _sweep(index: AnswerIndex, own: PlannedCell) -> list[PlannedCell]:
    """The cells of a strip: the intact model, then the levels of the recipe as they are planned."""
    return [
        cell
        for cell in index.cells
        if (cell.model, cell.task) == (own.model, own.task)
        and (cell.recipe == "none" or (cell.recipe, cell.seed) == (own.recipe, own.seed))
    ]


def _marks(
    index: AnswerIndex, sweep: Iterable[PlannedCell], position: int, own: PlannedCell
) -> tuple[Mark, ...]:
    marks = []
    for cell in sweep:
        row = index.db.execute(
            "SELECT code FROM temp.hits WHERE cell = ? AND position = ?",
            (index.number(cell), position),
        ).fetchone()
        found = ("", "", "") if row is None else parts(row[0])
        marks.append(Mark(cell.level, *found, here=cell.id == own.id))
    return tuple(marks)


def item(index: AnswerIndex, task: str, key: str, recipe: str | None = None) -> ItemPage:
    """An item under `recipe` (the first, if the run has no such); `RequestError` without item."""
    with index.lock:
        cells = [cell for cell in index.cells if cell.task == task]
        sets = {cell.items for cell in cells if cell.items}
        places = {name: at for name in sets if (at := _position(index.db, name, key)) is not None}
        row = index.db.execute("SELECT content FROM items WHERE key = ?", (key,)).fetchone()
        if row is None or not places:
            raise RequestError("there is no such item in this run.")
        names = [name for name in dict.fromkeys(map(recipe_name, cells)) if name != "none"]
        names = names or ["none"]
        shown = recipe if recipe in names else names[0]
        own = [cell for cell in cells if recipe_name(cell) in ("none", shown)]
        levels: dict[float | None, dict[str, Text]] = {}
        for cell in own:
            texts = levels.setdefault(cell.level, {})
            at = places.get(cell.items or "")
            if at is not None and (text := _text(index, cell, at, key)) is not None:
                texts[cell.model] = text
        content = json.loads(row[0])
        return ItemPage(
            task, key, content["id"], content["prompt"], content["gold"],
            content["options"] or {}, content["tags"], tuple(names), shown,
            tuple(dict.fromkeys(cell.model for cell in own)), tuple(levels.items()),
            *_beside(index.db, *min(places.items())),
        )  # fmt: skip


def recipe_name(cell: PlannedCell) -> str:
    """The recipe of a cell, with its seed where that is not the first."""
    return f"{cell.recipe}, seed {cell.seed}" if cell.seed else cell.recipe


def _position(db: sqlite3.Connection, items: str, key: str) -> int | None:
    """Where an item stands in a set of items; None where it is not in it."""
    query = "SELECT position FROM item_sets WHERE name = ? AND item = ?"
    row = db.execute(query, (items, key)).fetchone()
    return None if row is None else int(row[0])


def _beside(db: sqlite3.Connection, items: str, at: int) -> tuple[str | None, str | None]:
    """The items before and after a place in a set."""
    query = "SELECT position, item FROM item_sets WHERE name = ? AND position IN (?, ?)"
    near = dict(db.execute(query, (items, at - 1, at + 1)))
    return near.get(at - 1), near.get(at + 1)


def _text(index: AnswerIndex, cell: PlannedCell, at: int, key: str) -> Text | None:
    """What came back in one cell; None where nothing is indexed."""
    row = index.db.execute(
        """SELECT a.answer, a.chosen, a.text, a.stopped, h.code FROM answers a
           JOIN temp.hits h ON h.cell = ? AND h.position = ?
           WHERE a.asking = ? AND a.item = ?""",
        (index.number(cell), at, cell.asking, key),
    ).fetchone()
    if row is None:
        return None
    answer, chosen, text, stopped, code = row
    return Text(cell, Mark(cell.level, *parts(code)), answer, chosen, text, stopped)
