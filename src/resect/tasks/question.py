"""A question before it becomes a prompt, and how one with lettered options is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from resect.errors import RequestError


@dataclass(frozen=True)
class Question:
    """One question, before it becomes a prompt. `gold` is what `read` compares with.

    `options` maps labels to texts where there are such; `means` and `parent` are the item's
    (several right answers, options that abstain; questions that are resampled together). As a
    worked example it is answered by `shown` (the gold, if empty), after `reasoning` where the
    answer is to be reasoned for.
    """

    id: str
    question: str
    gold: str
    labels: tuple[str, ...] = ()
    options: Mapping[str, str] | None = None
    context: str = ""
    means: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""
    reasoning: str = ""
    parent: str | None = None


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


def length(text: str) -> str:
    """The tag that says how long a question is, context and options included."""
    words = len(text.split())
    if words < 50:
        return "000-049 words"
    if words < 100:
        return "050-099 words"
    return "100-199 words" if words < 200 else "200 words or more"


def same(one: Question, other: Question) -> bool:
    """Whether showing `one` would give away the answer to `other`."""
    family = one.parent is not None and one.parent == other.parent
    equal = (one.question, one.context) == (other.question, other.context)
    return one.id == other.id or family or equal
