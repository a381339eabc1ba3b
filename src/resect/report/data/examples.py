"""Answers that the page shows as they are: the same question side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from resect.report import formatting as text
from resect.report.data.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """One answer with its question; every string in it is untrusted.

    `item` is set on answers of a `divergence`: both models' answers to one item.
    """

    model: str
    recipe: str
    level: float | None
    task: str
    item_id: str
    prompt: str | None
    gold: str | None
    text: str | None
    answer: str | None
    outcome: str | None
    chosen: str | None = None
    item: str | None = None
    divergence: bool = False


class Reply(NamedTuple):
    """What one model answered at one level, ready to print."""

    rank: float
    slot: int
    model: str
    level: str
    text: str | None
    answer: str | None
    mark: str
    outcome: str
    chosen: str | None


class Example(NamedTuple):
    """One question and what every model answered."""

    task: str
    item: str
    prompt: str
    gold: str
    answers: tuple[Reply, ...]


def examples(answers: Sequence[ShownAnswer], scope: Scope) -> list[Example]:
    """Answers grouped by question, in rising damage and in the order of the models."""
    grouped: dict[tuple[str, str], list[ShownAnswer]] = {}
    for answer in answers:
        if not answer.divergence:
            grouped.setdefault((answer.task, answer.item_id), []).append(answer)
    return [
        Example(
            task,
            item,
            group[0].prompt or "",
            text.plain(group[0].gold),
            tuple(sorted((_reply(answer, scope) for answer in group), key=lambda r: r[:2])),
        )
        for (task, item), group in grouped.items()
    ]


def _reply(row: ShownAnswer, scope: Scope) -> Reply:
    model, level = scope.by_name.get(row.model), row.level
    mark = "no answer" if row.answer is None else "right" if row.answer == row.gold else "wrong"
    return Reply(
        rank=99.0 if level is None else level if level < 1 else 50.0 - level,
        slot=model.slot if model else 0,
        model=model.label if model else row.model,
        level=text.level(level),
        text=row.text,
        answer=row.answer,
        mark=mark,
        outcome=(row.outcome or text.DASH).replace("_", " "),
        chosen=row.chosen,
    )
