"""Raw text to lists of mentions, one list a type, and how two lists agree.

The form asked for is one line a type, mentions set apart by ` | `, `none` for an empty list. The
tiers, in order: `listed` (that form), `none`, then what a reader can recover: `lines` (a bullet
list), `json` (a list in brackets), `split` (semicolons, or commas between parts that all stand in
the sentence), `whole` (one mention alone). What is prose, a loop or nothing holds no list.

Mentions are compared as their characters without blanks and case: the corpora set blanks around
every sign, people do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resect.parse.reading import FUNCTION, Reading, visible
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer

Mention = tuple[str, str]
"""Type and text."""

_NONE = re.compile(
    r"(?:none|nothing|n/a|not (?:any|mentioned|applicable)|no (?:mentions?|entit(?:y|ies))"
    r"|\[\s*\]|-+)"
    r"(?:\s+(?:are |is )?(?:found|mentioned|named|here))*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_RUNAWAY = re.compile(r"\n\s*\n\s*\S*sentence|\n[ \t]*(?:sentence|text)[ \t]*:|\n\s*\n\s*\n", re.I)
_WORD = re.compile(r"\w+")
_PROSE = 8
"""A single part of more words than this that the sentence lacks is no mention."""


class Agreement(NamedTuple):
    """Counts of one item: mentions found word for word, found in part, said, wanted, invented."""

    correct: int
    partial: int
    said: int
    wanted: int
    invented: int


def mentions(
    text: str, headings: Mapping[str, str], sentence: str
) -> tuple[list[Mention] | None, str, str]:
    """(distinct mentions or None, outcome, tier); `headings` maps a line's heading to its type.

    The first heading is the cue that the text goes on from. Any text in, never an exception.
    """
    answer = spoken(text)
    if answer is None:
        return UNFINISHED
    shown = _RUNAWAY.split(visible(answer), maxsplit=1)[0]
    listed: list[Mention] = []
    tiers = []
    for heading, body in _sections(shown, tuple(headings)).items():
        if section := _list(body, sentence):
            parts, tier = section
            tiers.append(tier)
            listed += [(headings[heading], part) for part in parts]
    if not tiers:
        return None, *without_answer(Reading(shown, (), {}, sentence))
    distinct = list(
        {(kind, key(part)): (kind, part) for kind, part in listed if key(part)}.values()
    )
    if len(listed) > 2 and len(distinct) == 1:
        return distinct, "degenerate", "loop"
    whole = len(tiers) == len(headings) and set(tiers) <= {"listed", "none"}
    return distinct, "answer" if whole else "recovered", max(tiers, key=_RANK.index)


_RANK = ("none", "listed", "whole", "split", "lines", "json")


def key(text: str) -> str:
    """What is compared: the characters, without blanks, case and the stops at either end."""
    return "".join(text.split()).casefold().strip(".,;:\"'`*")


def agree(said: Sequence[Mention], wanted: Sequence[Mention], sentence: str) -> Agreement:
    """Distinct mentions against the gold ones, matched one to one, whole ones first.

    A mention is found in part where a word of it is a word of a gold mention of its type that is
    not found whole (the overlap of SemEval-2013 task 9.1, by words as there are no positions).
    """
    given = {(kind, key(text)): text for kind, text in said}
    gold = {(kind, key(text)): text for kind, text in wanted}
    exact = given.keys() & gold.keys()
    left = [(kind, _words(text)) for (kind, k), text in given.items() if (kind, k) not in exact]
    open_ = [(kind, _words(text)) for (kind, k), text in gold.items() if (kind, k) not in exact]
    edges = [[j for j, (t, w) in enumerate(open_) if t == kind and w & ours] for kind, ours in left]
    text = key(sentence)
    invented = sum(k not in text for _, k in given)
    return Agreement(len(exact), _matched(edges), len(given), len(gold), invented)


def _matched(edges: Sequence[Sequence[int]]) -> int:
    """How many can be matched one to one (augmenting paths; lists of a few)."""
    taken: dict[int, int] = {}

    def place(left: int, seen: set[int]) -> bool:
        for right in edges[left]:
            if right not in seen:
                seen.add(right)
                if right not in taken or place(taken[right], seen):
                    taken[right] = left
                    return True
        return False

    return sum(place(left, set()) for left in range(len(edges)))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - FUNCTION


def _sections(shown: str, headings: tuple[str, ...]) -> dict[str, str]:
    """The text under each heading that occurs; what comes before any belongs to the first."""
    named = "|".join(map(re.escape, headings))
    marks = re.split(rf"(?:^|\n)[ \t#*]*({named})[ \t*]*:", f"\n{shown}", flags=re.IGNORECASE)
    known = {heading.casefold(): heading for heading in headings}
    bodies: dict[str, str] = {}
    for mark, body in zip([headings[0], *marks[1::2]], marks[::2], strict=True):
        heading = known[mark.casefold()]
        if body.strip() and heading not in bodies:
            bodies[heading] = body.strip()
    return bodies


def _list(body: str, sentence: str) -> tuple[list[str], str] | None:
    """The mentions of one type and the tier that found them, None where it is no list."""
    lines = [line for line in body.split("\n") if line.strip()]
    first = lines[0].strip()
    if _NONE.fullmatch(first.rstrip(". ")):
        return [], "none"
    if "|" in first:
        return [part.strip() for part in first.strip("| ").split("|")], "listed"
    if first.startswith("[") and (array := _array(body)) is not None:
        return array, "json"
    if len(lines) > 1 and all(_BULLET.match(line) for line in lines[:2]):
        return [_BULLET.sub("", line).strip() for line in lines if _BULLET.match(line)], "lines"
    return _unmarked(_BULLET.sub("", first), key(sentence))


def _unmarked(first: str, text: str) -> tuple[list[str], str] | None:
    """A line without marks of a list: one mention, or several that its commas set apart.

    `text` is the key of the sentence.
    """
    if key(first) and key(first) in text:
        return [first], "listed"
    for sign in (";", ","):
        parts = [part.strip() for part in first.split(sign) if part.strip()]
        if len(parts) > 1 and (sign == ";" or all(key(part) in text for part in parts)):
            return parts, "split"
    words = _WORD.findall(first)
    if not words or len(words) > _PROSE or Reading(first, (), {}, "").loops:
        return None
    return [first], "whole"


def _array(body: str) -> list[str] | None:
    try:
        array = json.loads(body[: body.rindex("]") + 1])
    except (ValueError, RecursionError):
        return None
    return list(map(str, array)) if isinstance(array, list) else None
