"""Asking in looks: the items that a level is asked next, and when a level ends a sweep.

The decisions are those of the verdict (`resect.findings.looks`), made from the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd

from resect.findings.choice import SPENT
from resect.findings.frame import TaskFrame, frames
from resect.findings.guardrails import guardrails
from resect.findings.item_order import halves
from resect.findings.looks import SHARES, Evidence, Looks
from resect.findings.planned import curves_of
from resect.findings.primary_test import Rule
from resect.findings.rows import Word
from resect.findings.verdicts import evidence, sweeps
from resect.record import Answer, Item, TaskInfo


@dataclass(frozen=True)
class Plan:
    """What a sweep needs to know before it can stop early. Everything is by task.

    `rules` of the judged tasks; `intact` answers of the model; `held` those to cells of this sweep
    that are stored already, by cell. `confirms`: a choice among recipes is tested on half of the
    items, so that this half has to pass too.
    """

    rules: Mapping[str, Rule]
    seed: int
    confirms: bool
    intact: Mapping[str, tuple[Answer, ...]]
    held: Mapping[str, tuple[Answer, ...]]


class Asked(Protocol):
    """A cell of one level, as `walk` knows it."""

    @property
    def recipe(self) -> str:
        """The name of its recipe."""
        ...

    @property
    def level(self) -> float | None:
        """Its level."""
        ...

    @property
    def info(self) -> TaskInfo:
        """Its task."""
        ...

    @property
    def items(self) -> tuple[Item, ...]:
        """Its items."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """Their keys."""
        ...


@dataclass
class Course:
    """The looks of one sweep as it goes from level to level; `stopped` says where it ended."""

    plan: Plan
    stopped: str | None = None
    _looks: dict[str, dict[str, int]] = field(default_factory=dict)
    _passed: dict[str, Evidence] = field(default_factory=dict)

    def judges(self, cell: Asked) -> bool:
        """Whether a cell's task counts in the verdict."""
        return cell.info.name in self.plan.rules

    def due(self, cell: Asked, look: int) -> list[int]:
        """The rows of a judged cell's items that are asked by a look."""
        name = cell.info.name
        if name not in self._looks:
            self._looks[name] = self._units(cell)
        units = self._looks[name]
        return [
            row for row, item in enumerate(cell.items)
            if units.get(item.parent or item.id, len(SHARES)) <= look
        ]  # fmt: skip

    def _units(self, cell: Asked) -> dict[str, int]:
        """Parent to its look, by the intact answers."""
        frame = self._frame(cell, table(cell, self.plan.intact[cell.info.name], "none", 0.0))
        numbers = Looks.of({frame.name: frame}, self.plan.seed).numbers[frame.name]
        return dict(zip(frame.clusters, map(int, numbers), strict=True))

    def _frame(self, cell: Asked, rows: pd.DataFrame) -> TaskFrame:
        return frames(rows, {cell.info.name: cell.info})[0][cell.info.name]

    def decided(self, cell: Asked, answers: Sequence[Answer], look: int) -> bool:
        """Whether a cell has been asked enough; `stopped` is set where it did not pass."""
        word = self._word(cell, answers, look)
        if word not in (None, Word.PASSED):
            self._stop(cell.info.name, cell.level)
        return word is not None

    def end_level(self) -> None:
        """All judged tasks have passed their tests; `stopped` is set where a guardrail trips."""
        levels = {e.test.curve.levels[-1] for e in self._passed.values()}
        for level in levels:
            tripped = [g for g in guardrails(self._passed, level) if g.tripped]
            if tripped:
                self._stop(tripped[0].task, level)
        self._passed = {}

    def _stop(self, task: str, level: float | None) -> None:
        where = "its only level" if level is None else f"level {level:g}"
        self.stopped = f"not asked: {task} decided {where}"

    def _word(self, cell: Asked, answers: Sequence[Answer], look: int) -> Word | None:
        """What a look at one cell decides; None where more has to be asked."""
        name, recipe = cell.info.name, cell.recipe
        intact = table(cell, self.plan.intact[name], "none", 0.0)
        frame = self._frame(cell, pd.concat([intact, table(cell, answers, recipe, cell.level)]))
        looks = Looks.of({name: frame}, self.plan.seed)
        curves = curves_of(frame, [], [], {MODEL: MODEL})
        judged = sweeps(list(evidence(curves, cell.info, self.plan.rules[name], {})), [name], looks)
        if not judged:  # no curve but that of the intact model
            return Word.UNDETERMINED
        ((deciding, *_),) = judged.values()
        own, (level,) = deciding.tasks[name], deciding.levels
        word = looks.decision(own, level, look)
        if word is Word.PASSED and self.plan.confirms and look < len(SHARES):
            part = looks.decision(self._confirming(own, frame), level, look)
            word = Word.PASSED if part is Word.PASSED else None
        if word is Word.PASSED:
            self._passed[name] = looks.at(own, look)
        return word

    def _confirming(self, own: Evidence, frame: TaskFrame) -> Evidence:
        """The evidence on the half of the items that confirms a choice."""
        return own.on(halves(frame, self.plan.seed)[1], own.test.alpha * SPENT)


LOOKS = range(1, len(SHARES) + 1)
"""The numbers of the looks."""

MODEL = "model"
"""What a sweep calls its own model in rows that nobody else sees."""


def table(cell: Asked, answers: Iterable[Answer], recipe: str, level: float | None) -> pd.DataFrame:
    """Answers to a cell's items as the findings read them."""
    place = dict(zip(cell.keys, cell.items, strict=True))
    columns: dict[str, list[object]] = defaultdict(list)
    for answer in answers:
        item, raw, reading = place[answer.item], answer.raw, answer.reading
        row = {
            "task": cell.info.name, "model": MODEL, "recipe": recipe, "level": level, "seed": 0,
            "item": answer.item, "item_id": item.id, "gold": item.gold, "parent": item.parent,
            "variant": item.variant, "tags": item.tags, "options": item.options,
            "meant": tuple(map(item.meaning, item.labels)), "text": raw.text,
            "stopped": raw.stopped, "tokens": raw.tokens, "option_scores": raw.option_scores,
            "answer": reading.value, "outcome": reading.outcome, "score": reading.score,
            "parts": dict(reading.parts) or None, "chosen": answer.chosen,
        }  # fmt: skip
        for name, value in row.items():
            columns[name].append(value)
    objects = {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    return pd.DataFrame(objects)
