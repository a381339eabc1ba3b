"""Tasks answered in free text: what all of them share is how a text is read."""

from __future__ import annotations

from resect.parse import overlap
from resect.record import Item, Reading, Stopped
from resect.tasks.contract import QuestionTask


class TextTask(QuestionTask):
    """A task whose gold is a reference text; the score of an item is ROUGE-L."""

    reader = "overlap:1"

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """The text against the reference, and what of it stands in the context."""
        value, outcome, tier = overlap.answer(text)
        parts = overlap.parts(value, item.gold or "", item.context)
        return Reading(value, outcome, tier, parts["rouge_l"], parts)
