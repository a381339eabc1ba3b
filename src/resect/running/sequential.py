"""Asking in looks: the items that a level is asked next, and when a level ends a sweep.

The decisions are those of the verdict (`resect.findings.looks`), made from the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import pandas as pd

from resect.findings.choice import alpha_of
from resect.findings.frame import TaskFrame, frames
from resect.findings.guardrails import guardrails
from resect.findings.item_order import halves
from resect.findings.looks import SHARES, Evidence, Looks
from resect.findings.planned import curves_of
from resect.findings.primary_test import Rule
from resect.findings.rows import Word
from resect.findings.verdicts import evidence, sweeps
from resect.record import Answer, Item, TaskInfo


class Stage(NamedTuple):
    """A test that a level has to pass: on all items or on one half, at a one-sided error."""

    half: Literal[0, 1] | None
    alpha: float


@dataclass(frozen=True)
class Plan:
    """What a sweep needs to know before it can stop early. Everything is by task.

    `rules` of the judged tasks; `intact` answers of the model; `held` those to cells of this sweep
    that are stored already, by cell. `confirms`: a choice among recipes is tested on half of the
    items, so that this half has to pass too. `stages` are passed one after the other. A level that
    writes fewer tokens a second than `min_speed` is not asked.
    """

    rules: Mapping[str, Rule]
    seed: int
    confirms: bool
    stages: tuple[Stage, ...]
    min_speed: float | None
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
    _units: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    _rows: dict[str, pd.DataFrame] = field(default_factory=dict)
    _passed: dict[str, Evidence] = field(default_factory=dict)

    def measured(self, speed: float | None) -> None:
        """`stopped` is set where a level is too slow."""
        least = self.plan.min_speed
        if least is not None and speed is not None and speed < least:
            self.stopped = f"not asked: {speed:.3g} tokens a second, fewer than {least:g}"

    def judges(self, cell: Asked) -> bool:
        """Whether a cell's task counts in the verdict."""
        return cell.info.name in self.plan.rules

    def due(self, cell: Asked, stage: Stage, look: int) -> list[int]:
        """The rows of a judged cell's items that a stage asks by a look."""
        name = cell.info.name
        if name not in self._units:
            self._units[name] = self._parts(cell)
        units, rows = self._units[name], []
        for row, item in enumerate(cell.items):
            number, half = units.get(item.parent or item.id, (len(SHARES), 0))
            if number <= look and stage.half in (None, half):
                rows.append(row)
        return rows

    def _parts(self, cell: Asked) -> dict[str, tuple[int, int]]:
        """Parent to its look and its half, by the intact answers."""
        frame = self._frame(cell, self._intact(cell))
        numbers = Looks.of({frame.name: frame}, self.plan.seed).numbers[frame.name]
        second = halves(frame, self.plan.seed)[1]
        pairs = zip(map(int, numbers), map(int, second), strict=True)
        return dict(zip(frame.clusters, pairs, strict=True))

    def _intact(self, cell: Asked) -> pd.DataFrame:
        """The intact answers to a cell's items."""
        name = cell.info.name
        if name not in self._rows:
            self._rows[name] = table(cell, self.plan.intact[name], "none", 0.0)
        return self._rows[name]

    def _frame(self, cell: Asked, rows: pd.DataFrame) -> TaskFrame:
        return frames(rows, {cell.info.name: cell.info})[0][cell.info.name]

    def decided(self, cell: Asked, answers: Sequence[Answer], stage: Stage, look: int) -> bool:
        """Whether a stage has asked a cell enough; `stopped` is set where it did not pass."""
        word = self._word(cell, answers, stage, look)
        if word not in (None, Word.PASSED):
            self._stop(cell.info.name, cell.level)
        return word is not None

    def end_stage(self) -> None:
        """All judged tasks have passed their tests; `stopped` is set where a guardrail trips."""
        for level in {e.test.curve.levels[-1] for e in self._passed.values()}:
            tripped = [g for g in guardrails(self._passed, level) if g.tripped]
            if tripped:
                self._stop(tripped[0].task, level)
        self._passed = {}

    def _stop(self, task: str, level: float | None) -> None:
        where = "its only level" if level is None else f"level {level:g}"
        self.stopped = f"not asked: {task} decided {where}"

    def _word(self, cell: Asked, answers: Sequence[Answer], stage: Stage, look: int) -> Word | None:
        """What a look at one cell decides; None where more has to be asked."""
        name = cell.info.name
        rows = table(cell, answers, cell.recipe, cell.level)
        frame = self._frame(cell, pd.concat([self._intact(cell), rows]))
        looks = Looks.of({name: frame}, self.plan.seed)
        curves = curves_of(frame, [], [], {MODEL: MODEL})
        judged = sweeps(list(evidence(curves, cell.info, self.plan.rules[name], {})), [name], looks)
        if not judged:  # no curve but that of the intact model
            return Word.UNDETERMINED
        ((deciding, *_),) = judged.values()
        whole, (level,) = deciding.tasks[name], deciding.levels
        own = self._of(stage, whole, frame)
        word = looks.decision(own, level, look)
        if word is Word.PASSED and self.plan.confirms and look < len(SHARES):
            half = self._of(Stage(1, alpha_of(0, own.test.alpha)), whole, frame)
            part = looks.decision(half, level, look)
            word = Word.PASSED if part is Word.PASSED else None
        if word is Word.PASSED:
            self._passed[name] = looks.at(own, look)
        return word

    def _of(self, stage: Stage, whole: Evidence, frame: TaskFrame) -> Evidence:
        """The evidence of a stage."""
        if stage.half is None:
            return whole
        return whole.on(halves(frame, self.plan.seed)[stage.half], stage.alpha)


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
