"""What the items of a task can show, before anything is asked: power, and the items needed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from resect.findings.utility import pooled
from resect.record import Item, TaskInfo
from resect.stats.design_effect import effective_number
from resect.stats.power import copy_passes, items_needed, power

FLIPS = 0.06
"""The share of answers that is taken to change without any loss; 4 bits change about as many."""

LOSS = 0.01
"""The loss that power is also told for: one point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskForecast:
    """One task: its items, what they can show, and what asking them takes.

    `groups` are the units of the test: items of each gold label (rare ones together), or parents
    where items share them. `same` is the power for a version that loses nothing while `FLIPS` of
    the answers change, `one_point` for one that loses a point; `needed` items bring `same` to 80 %.
    """

    task: str
    judged: bool
    items: int
    groups: tuple[int, ...]
    margin: float
    copy_passes: bool = False
    same: float = 0.0
    one_point: float = 0.0
    needed: int | None = None
    prompt_tokens: int | None = None
    seconds: float | None = None

    def halved(self, alpha: float) -> float:
        """The power without loss of half of the items: those that a choice is tested on."""
        return power([max(n // 2, 1) for n in self.groups], self.margin, alpha, FLIPS)


def task_forecast(
    info: TaskInfo, items: Sequence[Item], margin: float, alpha: float, judged: bool
) -> TaskForecast:
    """The forecast of a task's items; a task that is not judged has no power."""
    groups = tuple(units_of([item for item in items if item.variant is None], info))
    if not judged:
        return TaskForecast(
            task=info.name, judged=False, items=len(items), groups=groups, margin=margin
        )
    needed = items_needed(groups, margin, alpha, FLIPS)
    return TaskForecast(
        task=info.name,
        judged=True,
        items=len(items),
        groups=groups,
        margin=margin,
        copy_passes=copy_passes(groups, margin, alpha),
        same=power(groups, margin, alpha, FLIPS),
        one_point=power(groups, margin, alpha, FLIPS, LOSS),
        needed=None if needed is None else ceil(needed * len(items) / sum(groups)),
    )


def items_lacking(
    items: Sequence[Item], info: TaskInfo, margin: float, alpha: float, parts: int = 1
) -> int | None:
    """Items that a task needs for an identical copy to pass; None where it has them.

    The copy is tested on one of `parts` equal parts of them. 0 where no number would do.
    """
    units = [max(n // parts, 1) for n in units_of(items, info)]
    if copy_passes(units, margin, alpha):
        return None
    return ceil((items_needed(units, margin, alpha, FLIPS) or 0) * len(items) / sum(units))


def units_of(items: Sequence[Item], info: TaskInfo) -> list[int]:
    """The units of a task's test: items of each group of gold labels; parents where shared.

    Where an item weighs as many mentions as it has, Kish's effective number of units.
    """
    parents = {item.parent or item.id for item in items}
    if info.kind == "spans":
        size = Counter[str]()
        for item in items:
            size[item.parent or item.id] += len(json.loads(item.gold or "[]"))
        number = effective_number(list(size.values())) if size.total() else len(parents)
        return [int(number)]
    if len(parents) < len(items) or info.kind != "label":
        return [len(parents)]
    counts = np.array([sum(item.gold == label for item in items) for label in info.labels])
    return [int(n) for n in np.bincount(pooled(counts), counts) if n]
