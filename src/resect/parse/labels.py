"""Tiers that find a label: it opens the text, is announced, stands in a list, or closes it."""

from __future__ import annotations

import re

from resect.parse.option_text import by_name, by_option
from resect.parse.reading import Reading, Verdict, fold
from resect.parse.statements import DECLINES


def _verdict(listed: list[str], outcome: str) -> Verdict | None:
    """One label commits, repeated it is a loop; several commit to nothing."""
    if len(set(listed)) > 1:
        cycle = any(len(listed) >= 3 * n and listed[n:] == listed[:-n] for n in (2, 3))
        return None, "degenerate" if cycle else "echo"
    return (listed[0], "degenerate" if len(listed) > 2 else outcome) if listed else None


def leading(reading: Reading) -> Verdict | None:
    """A label, or a list of them, opens the text; a copy of the options commits to none."""
    if _is_copy(reading) or _goes_through(reading):
        return _commitment(reading, 0) or (None, "echo")
    replied = reading.patterns.replied.match(reading.shown)
    if replied and (label := reading.label(replied)):
        return label, "recovered"
    if _OFFER.match(reading.shown):
        return None, "off_task"
    match = reading.patterns.leading.match(reading.shown)
    return _opened_by(reading, match) if match else None


def _opened_by(reading: Reading, match: re.Match[str]) -> Verdict | None:
    """What a text that a label opens, or a list of them, commits to."""
    if _contradicts(reading, match):
        return None, "echo"
    if DECLINES.match(reading.shown[match.end() :][:200].lstrip(" ,.!;:—–-")):
        return None  # "No, I can't answer that"
    listed = reading.listed(match)
    loop = len(listed) > 1 and reading.shown[0] in ".,;:/-"  # ". A. A", begun before the label
    verdict = _verdict(listed + listed[:loop], "answer")
    if verdict == (None, "echo"):  # a list, then a commitment
        return _commitment(reading, match.end()) or verdict
    return verdict


def _commitment(reading: Reading, start: int) -> Verdict | None:
    """The label that a text which began with a list of them comes to."""
    rest = Reading(reading.shown[start:], reading.labels, reading.options, "")
    announced = _announced(rest, len(rest.shown))
    return (announced[0], "recovered") if len(announced) == 1 else None


_OFFER = re.compile(  # "Yes, I can help you with that!"
    r"\W*(?:yes|no|sure|okay|of course|certainly|absolutely)\b(?:[^\w\n]{1,3}(?:i|we)"
    r"(?:'d|'ll|'m| would| can| could| will| am| are)\b[^.!?\n]{0,30}\b(?:help|assist)\b"
    r"|[^\w\n]{0,3}problem\b|[^\w\n]{1,3}(?:how|what) (?:can|may|would) (?:i|you)\b)",
    re.IGNORECASE,
)


def _contradicts(reading: Reading, match: re.Match[str]) -> bool:
    """Whether a letter is set equal to the whole text of another option ("A: Liver").

    After a stop ("A. Liver") the letter counts, as people who label answers count it.
    """
    if "." in reading.shown[match.end() : match.end() + 2]:
        return False
    rest = reading.texts.get(fold(reading.shown[match.end() :]))
    label = reading.label(match)
    if not rest or not label or rest == label:
        return False
    return reading.options.get(rest) != reading.options.get(label)


def _is_copy(reading: Reading) -> bool:
    """Whether the text goes through the options with their letters, the first and on to the next.

    A letter alone, or the first option alone, is an answer.
    """
    first, second, *_ = [*reading.labels, "", ""]
    if not {first, second} <= reading.options.keys():
        return False
    head = fold(f"{first} {reading.options[first]} {second}")
    following = fold(reading.options[second])
    rest = reading.folded[len(head) :].strip()
    return reading.folded.startswith(f"{head} ") and bool(
        rest and following.startswith(rest[: len(following)])
    )


def _goes_through(reading: Reading) -> bool:
    """Whether the text comments on the options one by one ("A: too early. B: right.")."""
    first, second, *_ = [*reading.labels, "", ""]
    match = re.match(rf"\W{{0,9}}{re.escape(first)}([:)])", reading.shown) if second else None
    if not match:
        return False
    following = rf"(?:[.;\n]\s{{0,9}}|[ \t(]){re.escape(second)}{re.escape(match[1])}"
    return bool(re.search(following, reading.shown))


_OPTIONS = re.compile(r"\W*(?:options|choices)[ \t]*:", re.IGNORECASE)
_RUNAWAY = re.compile(r"^[ \t]*(?:question|q|context)[ \t]*:", re.IGNORECASE | re.MULTILINE)


def declared(reading: Reading) -> Verdict | None:
    """The last announcement before the model asks itself a new question, or options named."""
    runaway = _RUNAWAY.search(reading.shown, 1)
    end = runaway.start() if runaway else len(reading.shown)
    if announced := _announced(reading, end):
        return _verdict(announced, "recovered")
    if _OPTIONS.match(reading.shown):
        return None, "echo"
    for pattern in (reading.patterns.hedged, reading.patterns.mentioned):
        matches = map(reading.listed, pattern.finditer(reading.shown, 0, end))
        if mentioned := sorted({label for listed in matches for label in listed}):
            return _verdict(mentioned, "recovered")
    return None


def _announced(reading: Reading, end: int) -> list[str]:
    """The labels of the last commitment, whatever its form."""
    patterns = reading.patterns
    commitments = [
        (match.end(), listed[:2])
        for match in patterns.announced.finditer(reading.shown, 0, end)
        if (listed := reading.listed(match))
    ]
    for pattern in (patterns.endorsed, patterns.conclusive, patterns.contrasted):
        for match in pattern.finditer(reading.shown, 0, end):
            if label := reading.label(match):
                commitments.append((match.end(), [label]))
    for match in patterns.excepted.finditer(reading.shown, 0, end):
        commitments.append((match.end(), [label] if (label := reading.canonical(match)) else []))
    return max(commitments, key=lambda row: row[0])[1] if commitments else []


_WITHDRAWN = (  # what came before no longer stands
    r"(?:(?<=[.!?,;:…—–\n])|^|\b(?:no|oh|but|hmm|ah),?)[ \t]*\bwait\b"
    r"(?=[ \t]*(?:[,.!…:;—–-]|$|that\b|no\b|i\b))"
    r"|\bscratch that\b|\blet me (?:reconsider|rethink|re-?evaluate|correct|revise|think again)\w*"
    r"|\bi (?:was wrong|made an? (?:mistake|error)|take that back|stand corrected|misread\b)"
    r"|\bmy mistake\b|\bon second thoughts?\b"
)
_TURN = re.compile(
    rf"(?P<withdrawn>{_WITHDRAWN})|(?:(?<=[.!?…\n—–;])|(?<=[.—–;]\s))[ \t]*(?:but )?"
    r"(?:actually|correction|on reflection|oops|sorry|i mean|no, sorry)\b",
    re.IGNORECASE,
)


def corrected(reading: Reading) -> Verdict | None:
    """What follows the last turn ("Wait, ...", "Actually, ...") where it commits to a label.

    Where the answer before it is taken back and none follows, there is none.
    """
    turns = [turn for turn in _TURN.finditer(reading.shown) if _turns(reading, turn)]
    if not turns or reading.loops:
        return None
    rest = Reading(
        reading.shown[turns[-1].end() :].lstrip(" \t,;:.!…—–-\n"),
        reading.labels,
        reading.options,
        reading.question,
    )
    for tier in (leading, declared, last, by_option, by_name):
        verdict = tier(rest)
        if verdict and verdict[0]:
            return verdict[0], "recovered"
    return (None, "off_task") if any(turn["withdrawn"] for turn in turns) else None


def _turns(reading: Reading, turn: re.Match[str]) -> bool:
    """Whether the words are the model's own and no option's ("Wait and see")."""
    words = fold(turn.group())
    return not any(words in text for text in reading.texts)


def listed(reading: Reading) -> Verdict | None:
    """Labels strung together with strokes or hyphens inside the text."""
    match = reading.patterns.joined.search(reading.shown)
    listed = reading.listed(match) if match else []
    if match and len(listed) == 1:  # "(yes/", "/maybe/": the template, cut short
        opened = reading.shown[: match.start()].endswith(("(", "/"))
        opened = opened and not reading.loops
        return (None, "echo") if opened and reading.shown[match.end() :][:1] in "/" else None
    return _verdict(listed, "recovered")


def last(reading: Reading) -> Verdict | None:
    """A label closes the text."""
    match = reading.patterns.last.search(reading.shown, max(0, len(reading.shown) - 120))
    label = match and reading.label(match)
    if not match or not label or reading.loops or re.fullmatch(r"\n[aA]", match[0]):
        return None  # the article that began the next line, cut short
    return label, "recovered"
