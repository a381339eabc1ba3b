"""The same questions asked in two runs: which right answers were lost and gained in every cell.

Shapes: N items of a task, the items of both runs together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resect.findings.frame import Key, TaskFrame, cells_of, frames
from resect.findings.paired_test import asked_both, versus
from resect.findings.plain import plain
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.intervals import Mask
from resect.stats.multiplicity import holm

FIRST, SECOND = "first", "second"
TOLERANCE = 1e-6
"""How far apart (absolute, natural logs) the option scores of one answer may be."""

VERSUS = {
    "metric": "metric", "lost": "only_b", "gained": "only_a", "first": "accuracy_b",
    "second": "accuracy_a", "difference": "difference", "low": "low", "high": "high", "p": "p",
    "design_effect": "design_effect",
}  # fmt: skip
"""What a cell has of `versus`, in which the second run is a and the first is b."""

Row = dict[str, Any]
Run = tuple[pd.DataFrame, Mapping[str, TaskInfo]]
"""The answers of a run (columns in `frame.py`) and its tasks."""


def reasked(first: Run, second: Run, models: Mapping[str, str]) -> Row:
    """Every cell that both runs asked, over the items (by key) asked in both; second minus first.

    `models` maps names of the second run to those of the first. The table of lost and gained is
    read as everywhere (`versus`), p corrected over all these cells (Holm). Variants aside.
    """
    tasks, unlike = _tasks(first[1], second[1])
    theirs = second[0].assign(model=second[0]["model"].map(lambda name: models.get(name, name)))
    rows = pd.concat(
        [run.assign(model=f"{which}/" + run["model"].astype(str))
         for which, run in ((FIRST, first[0]), (SECOND, theirs))],
        ignore_index=True,
    )  # fmt: skip
    rows = rows[rows["variant"].isna() & rows["task"].isin(list(tasks))]
    cells: list[Row] = []
    only: dict[str, list[Row]] = {FIRST: [], SECOND: []}
    for name, frame in frames(rows, tasks)[0].items():
        said = _Said.of(frame, rows[rows["task"] == name])
        for key in frame.codes:
            which, model = key.model.split("/", 1)
            twin = key._replace(model=f"{SECOND if which == FIRST else FIRST}/{model}")
            cell = {**key._asdict(), "model": model, "task": name}
            if twin not in frame.codes:
                only[which].append(cell)
            elif which == FIRST:
                cells.append({**cell, **_cell(frame, said, key, twin)})
    tested = [cell for cell in cells if cell["p"] is not None]
    for cell, p in zip(tested, holm([cell["p"] for cell in tested]), strict=True):
        cell["p_holm"] = p
    return {
        "cells": cells,
        "family": len(tested),
        "only_first": only[FIRST],
        "only_second": only[SECOND],
        "unlike_tasks": unlike,
    }


def _tasks(
    first: Mapping[str, TaskInfo], second: Mapping[str, TaskInfo]
) -> tuple[dict[str, TaskInfo], list[str]]:
    """Tasks of both runs, and those that only share their name: other labels or another metric."""
    shared = {name: info for name, info in first.items() if name in second}
    kept = {
        name: info
        for name, info in shared.items()
        if (info.kind, info.labels, info.primary)
        == (second[name].kind, second[name].labels, second[name].primary)
    }
    return kept, [name for name in shared if name not in kept]


@dataclass(frozen=True)
class _Said:
    """What was said in the cells of a task: columns of its answers, None where there is nothing.

    `at[cell]` is (N,): where the answer to each item stands in them. `view` of its keys is text.
    """

    at: dict[Key, NDArray[np.intp]]
    columns: dict[str, NDArray[np.object_]]

    @classmethod
    def of(cls, frame: TaskFrame, rows: pd.DataFrame) -> _Said:
        place = {item: i for i, item in enumerate(frame.items)}
        places = np.array([place.get(item, -1) for item in rows["item"].astype(str)], dtype=int)
        at = {}
        for cell, members in cells_of(rows):
            known = members[places[members] >= 0][::-1]  # of repeated items the first is read
            at[cell] = np.full(len(frame.items), -1, dtype=np.intp)
            at[cell][places[known]] = known
        names = ("text", "answer", "chosen", "option_scores")
        columns = {n: rows[n].astype(object).where(rows[n].notna(), None).to_numpy() for n in names}
        return cls(at, columns)

    def alike(self, left: Key, right: Key, asked: Mask) -> tuple[Mask, Mask]:
        """Which of the items `asked` got the very same answer, and which the same label."""
        one, other = (self.at[key._replace(view="text")][asked] for key in (left, right))
        said, label = ("text", "answer") if left.view == "text" else ("option_scores", "chosen")
        labels, saids = self.columns[label], self.columns[said]
        same = np.array([labels[i] == labels[j] for i, j in zip(one, other, strict=True)], bool)
        very = np.array([_alike(saids[i], saids[j]) for i, j in zip(one, other, strict=True)], bool)
        return same & very, same


def _alike(one: Any, other: Any) -> bool:
    """Whether two texts are the same, or two rows of option scores close."""
    if one is None or other is None or isinstance(one, str):
        return bool(one == other)
    return len(one) == len(other) and all(
        abs(x - y) <= TOLERANCE or x == y or (x != x and y != y)
        for x, y in zip(one, other, strict=True)
    )


def _cell(frame: TaskFrame, said: _Said, left: Key, right: Key) -> Row:
    """One cell of both runs: how many answers are alike, and the paired table of right ones."""
    asked = asked_both(frame, left, right)
    alike, same = said.alike(left, right, asked)
    found: Row = {
        "n": int(asked.sum()),
        "only_first": int((frame.codes[left] != sk.MISSING).sum() - asked.sum()),
        "only_second": int((frame.codes[right] != sk.MISSING).sum() - asked.sum()),
        "same": int(alike.sum()),
        "changed": int((~same).sum()),
    }
    tested = versus(frame, right, left)._asdict() if frame.skilled and asked.any() else {}
    found |= {key: tested.get(name) for key, name in VERSUS.items()}
    return {**plain(found), "p_holm": None}
