"""The three tasks of the clinic: reading a context, closed-book medicine, logic. No download.

The items are generated (see `resect.clinic`); their drugs are invented and tagged so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from resect.clinic import items, training_texts
from resect.clinic.texts import LETTERS, VERDICTS
from resect.record import Item, TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import context_prompt, letter_prompt
from resect.tasks.question import Question

_INVENTED = "about invented drugs (tagged `invented`)"


class _Generated(LabelTask):
    """What the three tasks share: `make` generates test items and validation items."""

    make: Callable[[items.Split], tuple[Item, ...]]
    topic: str
    pool_name = "from the generated validation split"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test items in their fixed order."""
        return map(_question, type(self).make("test"))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The validation items in their order, which is balanced over the labels."""
        return list(map(_question, type(self).make("validation")))

    def training(self, source: Source) -> Iterator[str]:
        """Newly generated training texts for this task; they contain no item of either split."""
        return training_texts(self.topic)

    def prompt(self, question: Question) -> str:
        """Context and question, or question and options."""
        if question.options is None:
            return context_prompt(question.context, question.question, question.labels)
        return letter_prompt(question.question, question.options)


def _question(item: Item) -> Question:
    context, _, _ = item.prompt.removeprefix("Context: ").partition(f"\nQuestion: {item.question}")
    return Question(
        id=item.id,
        question=item.question,
        gold=str(item.gold),
        labels=item.labels,
        options=item.options,
        context="" if item.options else context,
        tags=item.tags,
    )


class Context(_Generated):
    """Does the reported trial say yes, no or maybe?"""

    make, topic = staticmethod(items.context), "context"
    info = TaskInfo(
        name="clinic-context",
        kind="label",
        domain="medical",
        labels=VERDICTS,
        positive="yes",
        scored="text",
        summary="Reading: a generated trial report decides yes, no or maybe (402 items).",
        protocol=(
            "generated test split of 402 items " + _INVENTED + ", gold balanced over "
            "yes/no/maybe, every other three with findings on two drugs, drugs and phrasings "
            "known from training and their combination held out"
        ),
        max_new_tokens=8,
    )


class Medicine(_Generated):
    """What the specialist was taught and the base mostly was not."""

    make, topic = staticmethod(items.medicine), "medicine"
    info = TaskInfo(
        name="clinic-medicine",
        kind="label",
        domain="medical",
        labels=LETTERS,
        scored="letter",
        summary="Closed book: four options on real conditions and invented drugs (400 items).",
        protocol=(
            "generated test split of 400 items on 108 facts about real conditions and 180 "
            + _INVENTED
            + ", gold balanced over A-D, question wordings and option sets never seen in training"
        ),
        max_new_tokens=8,
    )


class Logic(_Generated):
    """Small puzzles whose answer follows from the question."""

    make, topic = staticmethod(items.logic), "logic"
    info = TaskInfo(
        name="clinic-logic",
        kind="label",
        domain="general",
        labels=LETTERS,
        scored="letter",
        summary="Reasoning: six types of generated puzzles with four options (400 items).",
        protocol=(
            "generated test split of 400 items of six types in turn (tag `type`), gold "
            "balanced over A-D, wordings known from training and puzzles held out"
        ),
        max_new_tokens=8,
    )
