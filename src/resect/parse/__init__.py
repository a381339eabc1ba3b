"""Raw text to (answer, outcome, tier): what a careful reader would record. Torch-free.

Closed blocks of reasoning are removed first; a text whose reasoning does not end is truncated. Then
the tiers of `_TIERS` read it in order, and the first that decides wins:

structured JSON, a tool call, ticked boxes, rows with a verdict: their value is read as a text
corrected  what follows the last "Wait, ..." or "Actually, ...", if it commits to a label
leading    a label opens the text ("B. Kidney", "yes, but", "option C"); several labels are a list
declared   a label is announced or committed to ("the answer is (B)", "so B", "not A but B")
listed     labels strung together further on ("(yes/no/maybe):"): an echo, or a loop of one label
word       yes/no tasks: a word for yes, no or maybe in any language of `languages`; "they do"
option     the text is, opens with, is most of, or (cut short) begins the text of exactly one option
last       a label closes the text, on a line of its own or after a stop
named      the text contains the text of exactly one option
refusal    the model declines ("As an AI language model ...")
undecided  yes/no/maybe tasks: the evidence decides nothing ("the results are inconclusive")
polarity   yes/no tasks: a statement that affirms or denies what the question asks

A label or an option that the words around it take back ("not B", "C is wrong") is not read.
What none of the tiers decides is an echo of the template, a loop, language (off task) or debris.
Nothing matches inside a word. Only the first and last `WINDOW` characters are read, and every
pattern is bounded within them, so that time is linear in the text with a tiny constant.
Outcomes are defined in docs/glossary.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from resect.parse.labels import corrected, declared, last, leading, listed
from resect.parse.option_text import by_name, by_option
from resect.parse.reading import WINDOW, Reading, Verdict, visible
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer
from resect.parse.statements import by_polarity, declines
from resect.parse.structures import inner
from resect.parse.worded import by_word, undecided

VERSION = 6
"""Part of every stored reading; rises when a reading can change."""


def structured(reading: Reading) -> Verdict | None:
    """The answer of a structure, read as a text of its own; several are none."""
    texts = inner(reading)
    if texts is None or reading.loops:
        return None
    if len(texts) != 1:
        return None, "echo" if texts else "off_task"
    value = Reading(texts[0].strip(), reading.labels, reading.options, reading.question)
    if value.shown in reading.labels:
        return value.shown, "recovered"
    verdict = _decide(value)
    return (verdict.answer, "recovered" if verdict.answer else verdict.outcome)


_TIERS: tuple[tuple[str, Callable[[Reading], Verdict | None]], ...] = (
    ("structured", structured),
    ("corrected", corrected),
    ("leading", leading),
    ("declared", declared),
    ("listed", listed),
    ("word", by_word),
    ("option", by_option),
    ("last", last),
    ("named", by_name),
    ("refusal", declines),
    ("undecided", undecided),
    ("polarity", by_polarity),
)


class Parsed(NamedTuple):
    """`answer` is a label or None; `tier` names the rule that decided."""

    answer: str | None
    outcome: str
    tier: str


def parse(
    text: str,
    labels: Iterable[str],
    options: Mapping[str, str] | None = None,
    question: str | None = None,
) -> Parsed:
    """Read `text` as an answer among `labels`.

    `options` maps labels to their texts where the task has them. Of two options with equal texts
    the first is the answer; the caller counts it as right where the gold option's text is equal
    (`same_option`). Any string gives exactly one result and never an exception.
    """
    known, answer = tuple(labels), spoken(text)
    if answer is None:
        return Parsed(*UNFINISHED)
    if answer.strip() in known and answer.strip():
        return Parsed(answer.strip(), "answer", "leading")
    return _decide(Reading(visible(answer), known, dict(options or {}), (question or "")[-WINDOW:]))


def _decide(reading: Reading) -> Parsed:
    for name, tier in _TIERS:
        verdict = tier(reading)
        if verdict is not None:
            return Parsed(*verdict, name)
    return Parsed(None, *without_answer(reading))


def same_option(a: str | None, b: str | None, options: Mapping[str, str] | None) -> bool:
    """Whether two labels are the same answer: equal, or labels of options with equal texts."""
    if a is None or b is None:
        return False
    return a == b or bool(options and a in options and options[a] == options.get(b))
