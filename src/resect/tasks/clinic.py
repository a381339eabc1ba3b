"""The clinic's three tasks: reading a context, closed-book medicine, logic. No data to download.

The items are generated (see `resect.clinic`); their drugs are invented and tagged so.
"""

from __future__ import annotations

from resect.clinic import items
from resect.clinic.texts import LETTERS, VERDICTS
from resect.record import Item, TaskInfo
from resect.tasks.base import LabelTask, Source

_INVENTED = "about invented drugs (tagged `invented`)"


class Context(LabelTask):
    """Does the reported trial say yes, no or maybe?"""

    info = TaskInfo(
        name="clinic-context",
        kind="label",
        labels=VERDICTS,
        positive="yes",
        scored="text",
        summary="Reading: a generated trial report decides yes, no or maybe (402 items).",
        protocol=(
            "Generated test split of 402 items " + _INVENTED + ", gold balanced over "
            "yes/no/maybe, every other three with findings on two drugs, drugs and phrasings "
            "known from training and their combination held out; zero-shot, greedy text, options "
            "by log-probability of the word."
        ),
        max_new_tokens=8,
    )

    def items(self, source: Source) -> list[Item]:
        """The test items in their fixed order."""
        return list(items.context("test")[: source.limit])


class Medicine(LabelTask):
    """What the specialist was taught and the base mostly was not."""

    info = TaskInfo(
        name="clinic-medicine",
        kind="label",
        labels=LETTERS,
        scored="letter",
        summary="Closed book: four options on real conditions and invented drugs (400 items).",
        protocol=(
            "Generated test split of 400 items on 108 facts about real conditions and 180 "
            + _INVENTED
            + ", gold balanced over A-D, question wordings and option sets "
            "never seen in training; zero-shot, greedy text, answers are letters, options by "
            "log-probability of the letter."
        ),
        max_new_tokens=8,
    )

    def items(self, source: Source) -> list[Item]:
        """The test items in their fixed order."""
        return list(items.medicine("test")[: source.limit])


class Logic(LabelTask):
    """Small puzzles whose answer follows from the question."""

    info = TaskInfo(
        name="clinic-logic",
        kind="label",
        labels=LETTERS,
        scored="letter",
        summary="Reasoning: six types of generated puzzles with four options (400 items).",
        protocol=(
            "Generated test split of 400 items of six types in turn (tag `type`), gold "
            "balanced over A-D, wordings known from training and puzzles held out; "
            "zero-shot, greedy text, answers are letters, options by log-probability of the letter."
        ),
        max_new_tokens=8,
    )

    def items(self, source: Source) -> list[Item]:
        """The test items in their fixed order."""
        return list(items.logic("test")[: source.limit])
