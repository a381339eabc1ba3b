"""The task contract: items to ask, and how a text is read. Torch-free.

A task has an `info` (`TaskInfo`), `items(...)` and `read(text, item) -> Reading`. Label tasks
inherit `LabelTask`, whose reader is `resect.parse`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from resect import parse
from resect.record import Item, Reading, TaskInfo


@dataclass(frozen=True)
class Source:
    """Where items come from: offline files in `data_dir`, the first `limit` of them."""

    data_dir: Path | None = None
    limit: int | None = None
    seed: int = 0


class Task(Protocol):
    """What the rest of resect knows of a task."""

    info: TaskInfo

    def items(self, source: Source) -> list[Item]:
        """The items in their fixed order; raises `RequestError` where the data is not at hand."""
        ...

    def read(self, text: str, item: Item) -> Reading:
        """How `text` answers `item`; any text in, one `Reading` out, never an exception."""
        ...


class LabelTask:
    """A task whose answer is one of a fixed set of labels (yes/no/maybe, letters)."""

    info: TaskInfo

    def read(self, text: str, item: Item) -> Reading:
        """Read with the tiered parser; 1.0 if the label is the gold, else 0.0."""
        parsed = parse.parse(text, labels=item.labels, options=item.options, question=item.question)
        score = float(parsed.answer is not None and parsed.answer == item.gold)
        return Reading(parsed.answer, parsed.outcome, parsed.tier, score)
