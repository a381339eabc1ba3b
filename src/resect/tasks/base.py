"""The task contract: items to ask, and how a text is read. Torch-free.

A task has an `info` (`TaskInfo`), `items(...)` and `read(text, item) -> Reading`. Label tasks
inherit `LabelTask`, whose reader is `resect.parse`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from resect import parse
from resect.record import Item, Reading, TaskInfo

READER = f"parse:{parse.VERSION}"
"""What read a text, kept with every reading: an older one is read anew."""


@dataclass(frozen=True)
class Source:
    """Where items come from: offline files in `data_dir`, the first `limit` of them."""

    data_dir: Path | None = None
    limit: int | None = None
    seed: int = 0


def chosen(item: Item, scores: Sequence[float] | None, scored: str) -> str | None:
    """The label with the best score, None where the scores are no numbers.

    `text-normalised` divides by the bytes of the choice.
    """
    if not scores or not all(map(math.isfinite, scores)):
        return None
    sizes = [len(c.encode()) if scored == "text-normalised" else 1 for c in item.choices]
    values = [score / size for score, size in zip(scores, sizes, strict=True)]
    return item.labels[max(range(len(values)), key=values.__getitem__)]


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
        score = float(parse.same_option(parsed.answer, item.gold, item.options))
        return Reading(parsed.answer, parsed.outcome, parsed.tier, score)
