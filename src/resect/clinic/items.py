"""The test and validation items of the clinic's tasks: balanced, interleaved, seeded.

Gold labels come in blocks that hold every label once, so the first N items are balanced for any N
that is a multiple of the number of labels.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Literal

from resect.clinic import puzzles
from resect.clinic.phrases import TEST_QUESTIONS
from resect.clinic.texts import LETTERS, TEST, VALIDATION, VERDICTS, share_of_choice, share_of_text
from resect.clinic.world import Fact, world, wrong_values
from resect.record import Item
from resect.tasks.prompts import context_prompt, letter_prompt

Split = Literal["test", "validation"]
N_FOUR, N_THREE = 400, 402
"""Items a split: 400 with four labels, 402 with three (the nearest multiple of three)."""

_SHARE: dict[str, int] = {"test": TEST, "validation": VALIDATION}


def _golds(rng: random.Random, labels: tuple[str, ...], n: int) -> list[str]:
    """`n` gold labels in shuffled blocks of one each."""
    return [label for _ in range(n // len(labels)) for label in rng.sample(labels, len(labels))]


def _four(
    split: str,
    task: str,
    number: int,
    gold: str,
    asked: tuple[str, str, list[str]],
    tags: dict[str, str],
) -> Item:
    """A four-option item with the right answer under the gold letter."""
    question, answer, wrong = asked
    rest = iter(wrong)
    options = {x: answer if x == gold else next(rest) for x in LETTERS}
    choices = tuple(f" {x}" for x in LETTERS)
    return Item(
        id=f"{task}-{split}-{number:03d}",
        prompt=letter_prompt(question, options),
        gold=gold,
        labels=LETTERS,
        choices=choices,
        options=options,
        question=question,
        tags=tags,
    )


def _closed_book(rng: random.Random, fact: Fact, share: int) -> tuple[str, str, list[str]]:
    """A fact in test-only words, with a set of options of the given share."""
    wrong = wrong_values(fact)
    while True:
        picked = rng.sample(wrong, 3)
        if share_of_choice(fact, [fact.value, *picked]) == share:
            question = rng.choice(TEST_QUESTIONS[fact.relation]).format(s=fact.subject)
            return question, fact.value, picked


@cache
def medicine(split: Split) -> tuple[Item, ...]:
    """Every medical fact once or twice, asked as it never was in training."""
    rng = random.Random(f"medicine {split}")
    facts = list(world().medical)
    order = rng.sample(facts, len(facts)) + rng.sample(facts, N_FOUR - len(facts))
    seen: set[str] = set()
    items: list[Item] = []
    for fact, gold in zip(order, _golds(rng, LETTERS, N_FOUR), strict=True):
        tags = {
            "subject": fact.subject,
            "topic": fact.relation,
            "invented": "yes" if fact.invented else "no",
        }
        while True:
            asked = _closed_book(rng, fact, _SHARE[split])
            item = _four(split, "medicine", len(items), gold, asked, tags)
            if item.prompt not in seen:
                break
        seen.add(item.prompt)
        items.append(item)
    return tuple(items)


@cache
def logic(split: Split, n: int = N_FOUR) -> tuple[Item, ...]:
    """`n` puzzles of every type in turn; other ones for another `n`, a multiple of four.

    Every type must have n / 6 puzzles in the share: at most 1,000 can be asked for.
    """
    rng = random.Random(f"logic {split}")
    seen: set[str] = set()
    items: list[Item] = []
    golds = _golds(rng, LETTERS, n)
    while len(items) < n:
        puzzle = puzzles.puzzle(rng, puzzles.TYPES[len(items) % len(puzzles.TYPES)])
        if share_of_text(puzzle.question) != _SHARE[split] or puzzle.question in seen:
            continue
        seen.add(puzzle.question)
        wrong = rng.sample(puzzle.wrong, 3)
        tags = {"subject": "logic", "topic": puzzle.type, "type": puzzle.type}
        items.append(
            _four(
                split,
                "logic",
                len(items),
                golds[len(items)],
                (puzzle.question, puzzle.answer, wrong),
                tags,
            )
        )
    return tuple(items)


@cache
def context(split: Split) -> tuple[Item, ...]:
    """Trials whose report alone decides; every other three report on two drugs."""
    rng = random.Random(f"context {split}")
    seen: set[str] = set()
    items: list[Item] = []
    golds = _golds(rng, VERDICTS, N_THREE)
    while len(items) < N_THREE:
        trial = puzzles.trial(rng, golds[len(items)], verdicts=1 + len(items) // 3 % 2)
        text = trial.context + trial.question
        if share_of_text(text) != _SHARE[split] or text in seen:
            continue
        seen.add(text)
        items.append(
            Item(
                id=f"context-{split}-{len(items):03d}",
                prompt=context_prompt(trial.context, trial.question, VERDICTS),
                gold=trial.verdict,
                labels=VERDICTS,
                choices=tuple(f" {v}" for v in VERDICTS),
                question=trial.question,
                tags={
                    "subject": "trials",
                    "topic": "trials",
                    "invented": "yes",
                    "verdicts": str(trial.verdicts),
                },
            )
        )
    return tuple(items)


__all__ = ["Split", "context", "logic", "medicine"]
