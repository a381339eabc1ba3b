"""The answer at the end of a text that reasons: announced, boxed, or its last words.

Labels inside the reasoning ("a patient with A ...", "option B is wrong") are not answers, so
only what announces itself, or what a finished text closes with, counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from resect.parse.labels import declared, last
from resect.parse.option_text import by_name
from resect.parse.reading import WINDOW, Reading, visible
from resect.parse.residue import without_answer
from resect.parse.statements import declines

_FINAL = re.compile(
    r"\bfinal[ \t]+answer\b[^\S\n]*(?:is\b|\*\*)?[\s:*=-]*|<answer>|\\boxed\{", re.IGNORECASE
)
_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
_STOP = re.compile(r"(?<=[.!?\n])\s+")


def announced(text: str) -> str | None:
    r"""What follows the last "Final answer:", `<answer>` or `\boxed{`, to the end of its line.

    None where nothing of the kind stands in the text, or nothing follows it.
    """
    shown = visible(text)
    found = None
    for match in _FINAL.finditer(shown):
        found = shown[match.end() :]
    line = "" if found is None else found.lstrip().split("\n")[0]
    return re.split(r"</answer>|\}(?=[^}]*$)", line)[0].strip() or None


def concluded(
    text: str,
    labels: Iterable[str],
    options: Mapping[str, str] | None,
    question: str,
    finished: bool,
) -> tuple[str | None, str, str]:
    """(answer, outcome, tier) of a text without a "Final answer:".

    The last announcement counts ("so the answer is B"); in a `finished` text also a label that
    closes it, or the one option that its last sentence names. An unfinished text without either
    is `truncated`, or `degenerate` where it only repeats itself.
    """
    shown = visible(_THOUGHT.sub("", text))
    whole = Reading(shown, tuple(labels), dict(options or {}), question[-WINDOW:])
    if found := declared(whole):
        return (*found, "concluded")
    if not finished:
        return (None, "degenerate", "loop") if whole.loops else (None, "truncated", "length")
    if found := last(whole):
        return (*found, "concluded")
    sentence = _STOP.split(shown)[-1]
    if found := by_name(Reading(sentence, whole.labels, whole.options, "")):
        return (*found, "concluded")
    if found := declines(whole):
        return (*found, "refusal")
    return (None, *without_answer(whole))
