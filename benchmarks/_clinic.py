"""What benchmarks ask of the embedded specialist: shares right by task, and how much is unread."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from resect import methods, models, tasks
from resect.course import asker
from resect.methods.base import Context
from resect.record import StepReport
from resect.spec import ModelRef, Step
from resect.tasks import Source
from resect.tasks.base import chosen

SPECIALIST = ModelRef(role="model", id="clinic:specialist")


class Shares(NamedTuple):
    """Shares of the items: right by text, right by options, and without an answer in the text."""

    text: float
    options: float
    unread: float


class Asked:
    """The embedded specialist and the items it is asked, tokenized once."""

    def __init__(self, names: Sequence[str], limit: int | None) -> None:
        self.loaded = models.load(SPECIALIST, "cpu")
        self.parts = {}
        for name in names:
            task, source = tasks.get(name), Source(limit=limit)
            items, info = task.items(source), task.describe(source)
            self.parts[name] = task, items, asker(self.loaded, info, items)

    def shares(self, model: Any) -> dict[str, Shares]:
        """What a model answers, by task."""
        with models.threads(model):
            return {name: _shares(model, *part) for name, part in self.parts.items()}

    def at(
        self, step: str, levels: Sequence[float], context: Context
    ) -> list[tuple[StepReport, Any, dict[str, Shares]]]:
        """Report, model size and shares at each rising level of a step, as a course walks them."""
        method = methods.make(Step.parse(step))
        model = copy.deepcopy(self.loaded.model)
        with models.threads(model):
            method.prepare(model, levels, context)
        found = []
        for level in levels:
            with models.threads(model):
                model, report = method.apply(model, level)
            found.append((report, copy.deepcopy(model), self.shares(model)))
        return found


def _shares(model: Any, task: Any, items: Any, asking: Any) -> Shares:
    right, best, unread = 0, 0, 0
    for batch in asking.ask(model):
        for row, raw in zip(batch.rows, batch.answers, strict=True):
            value = task.read(raw.text, items[row]).value
            right += value == items[row].gold
            unread += value is None
            best += chosen(items[row], raw.option_scores, task.info.scored) == items[row].gold
    return Shares(right / len(items), best / len(items), unread / len(items))
