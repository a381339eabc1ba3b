"""Variants of questions: the same question asked again with one thing changed.

`permuted`  the options in other places, each of them moved: is the same one chosen?
`swapped`   the context of another question in place of its own: is the answer still given?
`unsure`    one more option, "I do not know.": is it taken where there is an answer?

A variant is drawn by the seed and the question's id alone, so a larger limit keeps it, but for the
context it borrows, which comes from the questions asked.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from string import ascii_uppercase

from resect.errors import unknown
from resect.record import ABSTAIN
from resect.tasks.question import Question

UNSURE = "I do not know."

# Options that speak of other options by their place, which would be others after a move.
_PLACED = re.compile(
    r"\b(?:above|below|preceding|foregoing)\b|\b[A-J] ?(?:,|and|&|or|\+) ?[A-J]\b"
    r"|\b(?:both|all|none) of (?:these|them|the)\b|^(?:both|all|none|neither)\W*$",
    re.IGNORECASE,
)


def permuted(question: Question, others: Sequence[Question], rng: random.Random) -> Question | None:
    """The options moved on by the same number of places; None where places are spoken of."""
    options = question.options or {}
    labels = list(options)
    if len(labels) < 2 or any(_PLACED.search(text) for text in options.values()):
        return None
    step = rng.randrange(1, len(labels))
    to = {label: labels[(i + step) % len(labels)] for i, label in enumerate(labels)}
    moved = {to[label]: text for label, text in options.items()}
    means = {to[a]: to.get(b, b) for a, b in question.means.items() if a in to}
    gold = to.get(question.gold, question.gold)
    shown = to.get(question.shown, question.shown)
    ordered = {label: moved[label] for label in labels}
    return replace(question, options=ordered, means=means, gold=gold, shown=shown)


def swapped(question: Question, others: Sequence[Question], rng: random.Random) -> Question | None:
    """With the context of another question; None where there is no other context.

    One whose own answer is another, where there is such: a model that reads has to change its own.
    """
    candidates = [q for q in others if q.context and q.context != question.context]
    if not question.context or not candidates:
        return None
    different = [q for q in candidates if q.gold != question.gold]
    return replace(question, context=rng.choice(different or candidates).context)


def unsure(question: Question, others: Sequence[Question], rng: random.Random) -> Question | None:
    """With an option that abstains, at any place: one that always takes the same letter then
    abstains as often as one that guesses. None where there are no lettered options, or such an
    option already; after all others where these speak of places.
    """
    options = question.options or {}
    letters = list(ascii_uppercase[: len(options) + 1])
    if len(options) < 2 or list(options) != letters[:-1] or ABSTAIN in question.means.values():
        return None
    texts = list(options.values())
    placed = any(_PLACED.search(text) for text in texts)
    at = len(texts) if placed else rng.randrange(len(letters))
    to = dict(zip(options, [*letters[:at], *letters[at + 1 :]], strict=True))
    texts.insert(at, UNSURE)
    return replace(
        question,
        options=dict(zip(letters, texts, strict=True)),
        labels=(*question.labels, letters[-1]),
        means={to[a]: to.get(b, b) for a, b in question.means.items()} | {letters[at]: ABSTAIN},
        gold=to.get(question.gold, question.gold),
        shown=to.get(question.shown, question.shown),
    )


VARIANTS: dict[
    str, Callable[[Question, Sequence[Question], random.Random], Question | None]
] = {"permuted": permuted, "swapped": swapped, "unsure": unsure}  # fmt: skip


def check(names: Sequence[str]) -> None:
    """Raise `RequestError` for a name that is no variant."""
    for name in names:
        if name not in VARIANTS:
            raise unknown("variant", name, VARIANTS)


def variants(
    asked: Sequence[Question], names: Sequence[str], seed: int
) -> Iterator[tuple[str, Question, Question]]:
    """(name, question, its variant) for every question that has such a variant."""
    for name in names:
        for question in asked:
            rng = random.Random(f"{seed} {name} {question.id}")
            variant = VARIANTS[name](question, asked, rng)
            if variant is not None:
                yield name, question, variant
