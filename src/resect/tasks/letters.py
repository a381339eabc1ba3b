"""Questions with lettered options, and seeded places for the right option."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from resect.errors import RequestError
from resect.tasks.question import Question


def lettered(
    name: str,
    question: str,
    options: Sequence[str],
    gold: str,
    tags: Mapping[str, str],
    reasoning: str = "",
) -> Question:
    """A question whose options get letters in their order; `gold` is the right one's letter."""
    labels = tuple(ascii_uppercase[: len(options)])
    if gold not in labels or len(options) < 2:
        raise RequestError(f"question {name}: answer {gold!r} is not one of {', '.join(labels)}.")
    return Question(
        id=name,
        question=question,
        gold=gold,
        labels=labels,
        options=dict(zip(labels, map(str, options), strict=True)),
        tags=tags,
        reasoning=reasoning,
    )


class Places:
    """Places for the right option, equally frequent among questions with k options.

    They come in shuffled blocks that hold each place once, so every letter is right for 1/k of the
    questions with k options (except in an incomplete last block).
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.left: dict[int, Iterator[int]] = {}

    def place(self, k: int) -> int:
        """The place for the next question with `k` options."""
        if k not in self.left:
            self.left[k] = _blocks(random.Random(f"{self.seed} places of {k}"), k)
        return next(self.left[k])


def _blocks(rng: random.Random, k: int) -> Iterator[int]:
    while True:
        yield from rng.sample(range(k), k)
