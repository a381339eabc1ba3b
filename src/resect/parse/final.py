"""The answer at the end of a text that reasons: announced, boxed, or its last words.

Labels inside the reasoning ("a patient with A ...", "option B is wrong") are not answers, so
only what announces itself, or what a finished text closes with, counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from resect.parse.labels import corrected, declared, last
from resect.parse.option_text import by_name
from resect.parse.reading import WINDOW, Reading, visible
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer
from resect.parse.statements import declines

_FINAL = re.compile(
    r"\bfinal[ \t]+answer\b[^\S\n]*(?:is\b|\*\*)?[\s:*=-]*|<answer>|\\boxed\{", re.IGNORECASE
)
_STOP = re.compile(r"(?<=[.!?\n])\s+")


def announced(text: str) -> str | None:
    r"""What follows the last "Final answer:", `<answer>` or `\boxed{`, to the end of its line.

    None where nothing of the kind stands in the text, or nothing follows it.
    """
    shown = visible(spoken(text) or "")
    ends = [match.end() for match in _FINAL.finditer(shown)]
    line = shown[ends[-1] :].lstrip().split("\n")[0] if ends else ""
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
    answer = spoken(text)
    if answer is None:
        return UNFINISHED
    shown = visible(answer)
    whole = Reading(shown, tuple(labels), dict(options or {}), question[-WINDOW:])
    revised = corrected(whole)
    if revised and (revised[0] or finished):
        return (*revised, "concluded")
    if not revised and (verdict := declared(whole)):
        return (*verdict, "concluded")
    if not finished:
        return (None, "degenerate", "loop") if whole.loops else (None, "truncated", "length")
    if verdict := last(whole):
        return (*verdict, "concluded")
    sentence = _STOP.split(shown)[-1]
    if verdict := by_name(Reading(sentence, whole.labels, whole.options, "")):
        return (*verdict, "concluded")
    if verdict := declines(whole):
        return (*verdict, "refusal")
    return (None, *without_answer(whole))
