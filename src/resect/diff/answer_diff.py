"""Two runs on the same questions: the right answers that each cell lost and gained.

Shapes: N items of a task, the items of both runs together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from resect.findings.estimates import finite
from resect.findings.frame import Key, TaskFrame, cells_of, frames
from resect.findings.paired_test import asked_both, versus
from resect.findings.rows import Level
from resect.record import TRANSFORMERS, TaskInfo, View
from resect.stats import skill as sk
from resect.stats.intervals import Mask
from resect.stats.multiplicity import holm

FIRST, SECOND = "first", "second"
TOLERANCE = 1e-6
"""How far apart (absolute, natural logs) the option scores of one answer may be."""

Run = tuple[pd.DataFrame, Mapping[str, TaskInfo]]
"""The answers of a run (columns in `frame.py`) and its tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellName:
    """One cell in one view, on one task."""

    model: str
    recipe: str
    seed: int
    level: Level
    view: View
    task: str
    runtime: str = TRANSFORMERS


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDiff(CellName):
    """One cell of both runs, over the `n` items that both asked; second minus first.

    `same` counts the very same answers, `changed` other ones; `lost` were right in the first
    run alone, `gained` in the second alone. Null is what a task does not have.
    """

    n: int
    only_first: int
    only_second: int
    same: int
    changed: int
    metric: str | None = None
    lost: int | None = None
    gained: int | None = None
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDiff:
    """Every cell of both runs; `family` counts those with a p, which Holm corrects together."""

    cells: tuple[CellDiff, ...]
    family: int
    only_first: tuple[CellName, ...]
    only_second: tuple[CellName, ...]
    unlike_tasks: tuple[str, ...]


def diff_answers(first: Run, second: Run, models: Mapping[str, str]) -> AnswerDiff:
    """Every cell that both runs asked, over the items (by key) asked in both; second minus first.

    `models` maps names of the second run to those of the first. The table of lost and gained is
    read as everywhere (`versus`), p corrected over all these cells (Holm). Variants aside.
    """
    tasks, unlike = _tasks(first[1], second[1])
    answers = second[0].assign(model=second[0]["model"].map(lambda name: models.get(name, name)))
    rows = pd.concat(
        [run.assign(model=f"{which}/" + run["model"].astype(str))
         for which, run in ((FIRST, first[0]), (SECOND, answers))],
        ignore_index=True,
    )  # fmt: skip
    rows = rows[rows["variant"].isna() & rows["task"].isin(list(tasks))]
    cells: list[CellDiff] = []
    only: dict[str, list[CellName]] = {FIRST: [], SECOND: []}
    for task, frame in frames(rows, tasks)[0].items():
        given = _given(rows[rows["task"] == task])
        for key in frame.codes:
            which, model = key.model.split("/", 1)
            twin = key._replace(model=f"{SECOND if which == FIRST else FIRST}/{model}")
            name = CellName(**key._replace(model=model)._asdict(), task=task)
            if twin not in frame.codes:
                only[which].append(name)
            elif which == FIRST:
                cells.append(_cell(name, frame, given, key, twin))
    tests = [cell.p for cell in cells if cell.p is not None]
    adjusted = iter(holm(tests))
    return AnswerDiff(
        cells=tuple(c if c.p is None else replace(c, p_holm=next(adjusted)) for c in cells),
        family=len(tests),
        only_first=tuple(only[FIRST]),
        only_second=tuple(only[SECOND]),
        unlike_tasks=tuple(unlike),
    )


def _tasks(
    first: Mapping[str, TaskInfo], second: Mapping[str, TaskInfo]
) -> tuple[dict[str, TaskInfo], list[str]]:
    """Tasks of both runs, and those that only share their name: other labels or another metric."""
    alike, unlike = {}, []
    for name in (name for name in first if name in second):
        what = [(info.kind, info.labels, info.primary) for info in (first[name], second[name])]
        if what[0] == what[1]:
            alike[name] = first[name]
        else:
            unlike.append(name)
    return alike, unlike


def _given(rows: pd.DataFrame) -> dict[Key, pd.DataFrame]:
    """What was answered in each cell of a task, by item; None where there is nothing.

    Of an item answered twice the first answer is read. The view of the keys is text.
    """
    names = ["text", "answer", "chosen", "option_scores"]
    whole = rows[names].astype(object).where(rows[names].notna(), None)
    whole.index = pd.Index(rows["item"].astype(str))
    cells = {cell: whole.iloc[members] for cell, members in cells_of(rows)}
    return {cell: answers[~answers.index.duplicated()] for cell, answers in cells.items()}


def _alike(
    before: pd.DataFrame, after: pd.DataFrame, items: list[str], view: View
) -> tuple[Mask, Mask]:
    """Which of the items got the very same answer in two cells, and which the same label."""
    label, content = ("answer", "text") if view == "text" else ("chosen", "option_scores")
    left, right = before.loc[items], after.loc[items]
    same = np.array([x == y for x, y in zip(left[label], right[label], strict=True)], bool)
    pairs = zip(left[content], right[content], strict=True)
    return same & np.array([_close(x, y) for x, y in pairs], bool), same


def _close(before: object, after: object) -> bool:
    """Whether two texts are the same, or two rows of option scores close."""
    if not isinstance(before, tuple | list) or not isinstance(after, tuple | list):
        return bool(before == after)
    return len(before) == len(after) and bool(
        np.allclose(before, after, rtol=0, atol=TOLERANCE, equal_nan=True)
    )


def _cell(
    name: CellName, frame: TaskFrame, given: Mapping[Key, pd.DataFrame], left: Key, right: Key
) -> CellDiff:
    """One cell of both runs: how many answers are alike, and the paired table of right ones."""
    asked = asked_both(frame, left, right)
    before, after = (given[key._replace(view="text")] for key in (left, right))
    items = [item for item, both in zip(frame.items, asked, strict=True) if both]
    alike, same = _alike(before, after, items, name.view)
    cell = CellDiff(
        **asdict(name),
        n=int(asked.sum()),
        only_first=int((frame.codes[left] != sk.MISSING).sum() - asked.sum()),
        only_second=int((frame.codes[right] != sk.MISSING).sum() - asked.sum()),
        same=int(alike.sum()),
        changed=int((~same).sum()),
    )
    if not frame.skilled or not asked.any():
        return cell
    test = versus(frame, right, left)
    return replace(
        cell,
        metric=test.metric, lost=test.only_b, gained=test.only_a,
        first=finite(test.accuracy_b), second=finite(test.accuracy_a),
        difference=finite(test.difference), low=finite(test.low), high=finite(test.high),
        p=finite(test.p),
    )  # fmt: skip
