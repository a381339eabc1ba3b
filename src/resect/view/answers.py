"""What the view shows of answers: rows of a page, the strip of an item, an item with every text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
        sweeps = {hit.cell: _sweep(index, hit.cell) for hit in hits}
        rows = tuple(_row(index, hit, sweeps[hit.cell]) for hit in hits)
    return Page(total, outcomes, number, pages, rows)


def _row(index: AnswerIndex, hit: Hit, sweep: Sequence[PlannedCell]) -> Row:
    key, content, answer = index.db.execute(
        """SELECT i.key, i.content, a.answer FROM temp.asked n JOIN items i ON i.key = n.key
           JOIN answers a ON a.asking = ? AND a.item = n.key WHERE n.number = ?""",
        (hit.cell.asking, hit.item),
    ).fetchone()
    item = json.loads(content)
    marks = _marks(index, sweep, hit.item, hit.cell)
    question = item["question"] or item["prompt"]
    own = next(mark for mark in marks if mark.here)
    return Row(hit.cell, key, item["id"], question, own, answer, marks)


def _sweep(index: AnswerIndex, own: PlannedCell) -> list[PlannedCell]:
    """The cells of a strip: the intact model, then the levels of the recipe as they are planned."""
    return [
        cell
        for cell in index.cells
        if (cell.model, cell.runtime, cell.task) == (own.model, own.runtime, own.task)
        and (cell.recipe == "none" or (cell.recipe, cell.seed) == (own.recipe, own.seed))
    ]


def _marks(
    index: AnswerIndex, sweep: Iterable[PlannedCell], number: int, own: PlannedCell
) -> tuple[Mark, ...]:
    marks = []
    for cell in sweep:
        row = index.db.execute(
            "SELECT code FROM temp.hits WHERE cell = ? AND item = ?",
            (index.number(cell), number),
        ).fetchone()
        grading = ("", "", "") if row is None else parts(row[0])
        marks.append(Mark(cell.level, *grading, here=cell.id == own.id))
    return tuple(marks)


def item(index: AnswerIndex, task: str, key: str, recipe: str | None = None) -> ItemPage:
    """An item under `recipe` (the first, if the run has no such); `RequestError` without item."""
    with index.lock:
        cells = [cell for cell in index.cells if cell.task == task]
        row = index.db.execute(
            """SELECT n.number, i.content FROM temp.asked n JOIN items i ON i.key = n.key
               WHERE n.task = ? AND n.key = ?""",
            (task, key),
        ).fetchone()
        if row is None:
            raise RequestError("there is no such item in this run.")
        number, content = row[0], json.loads(row[1])
        names = [name for name in dict.fromkeys(map(recipe_name, cells)) if name != "none"]
        names = names or ["none"]
        shown = recipe if recipe in names else names[0]
        own = _under(cells, shown)
        levels = _levels(index, own, number, key)
        return ItemPage(
            task, key, content["id"], content["prompt"], content["gold"],
            content["options"] or {}, content["tags"], tuple(names), shown,
            tuple(dict.fromkeys(cell.model for cell in own)), tuple(levels.items()),
            _beside(index, task, number, -1), _beside(index, task, number, 1),
        )  # fmt: skip


def _under(cells: Sequence[PlannedCell], recipe: str) -> list[PlannedCell]:
    """The cells of a recipe with their intact ones: those that were asked in the same runtimes."""
    runtimes = {cell.runtime for cell in cells if recipe_name(cell) == recipe}
    return [
        cell for cell in cells if recipe_name(cell) in ("none", recipe) and cell.runtime in runtimes
    ]


def _levels(
    index: AnswerIndex, cells: Sequence[PlannedCell], number: int, key: str
) -> dict[float | None, dict[str, Text]]:
    """The texts of an item by level and model."""
    levels: dict[float | None, dict[str, Text]] = {}
    for cell in cells:
        texts = levels.setdefault(cell.level, {})
        if (text := _text(index, cell, number, key)) is not None:
            texts[cell.model] = text
    return levels


def recipe_name(cell: PlannedCell) -> str:
    """The recipe of a cell, with its seed where that is not the first."""
    return f"{cell.recipe}, seed {cell.seed}" if cell.seed else cell.recipe


def _beside(index: AnswerIndex, task: str, number: int, way: int) -> str | None:
    """The item before (`way` -1) or after one of a task."""
    than, order = ("<", "DESC") if way < 0 else (">", "ASC")
    row = index.db.execute(
        f"SELECT key FROM temp.asked WHERE task = ? AND number {than} ? ORDER BY number {order}",
        (task, number),
    ).fetchone()
    return None if row is None else str(row[0])


def _text(index: AnswerIndex, cell: PlannedCell, number: int, key: str) -> Text | None:
    """What came back in one cell; None where nothing is indexed."""
    row = index.db.execute(
        """SELECT a.answer, a.chosen, a.text, a.stopped, h.code FROM answers a
           JOIN temp.hits h ON h.cell = ? AND h.item = ?
           WHERE a.asking = ? AND a.item = ?""",
        (index.number(cell), number, cell.asking, key),
    ).fetchone()
    if row is None:
        return None
    answer, chosen, text, stopped, code = row
    return Text(cell, Mark(cell.level, *parts(code)), answer, chosen, text, stopped)
