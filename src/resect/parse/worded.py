"""Tiers of yes-or-no tasks: a word of any language, a short reply, undecided evidence."""

from __future__ import annotations

import re

from resect.parse.reading import AUXILIARIES, Reading, Verdict, statement, stem

_MAYBE = "maybe"
_REPLY = re.compile(
    r"\W*(?:it|they|this|that|these|those|he|she|we|there) (?P<verb>[a-z]{2,6}?)"
    r"(?P<no> not|n't)?\W*",
    re.IGNORECASE,
)
_OPEN = (
    r"(?:inconclusive|unclear|uncertain|undetermined|unsettled|equivocal|debatable|"
    r"controversial)"
)
_UNDECIDED = re.compile(
    r"\b(?:evidence|results?|data|findings|studies|literature|trials?)\b[^.\n]{0,40}?\b(?:is|are|was|"
    rf"were|remains?|seems?|gives?|give) (?:\w{{2,12}} )?(?:{_OPEN}|mixed|conflicting|"
    r"inconsistent|contradictory|insufficient)\b"
    r"|\b(?:unable|impossible|not possible|cannot|can't|can not|could not|couldn't)"
    r" (?:be|to) (?:be )?(?:determined?|say|said(?! that)|tell|told|concluded?|established?"
    r"|decided?|answered)\b"
    r"|\b(?:insufficient|not enough) (?:evidence|data|information)\b"
    r"|^\W*(?:it|that|this)(?: \w{2,8})? depends\b|^\W*depends\b"
    rf"|^\W*{_OPEN}\b|^\W*(?:it|this|that)(?: (?:is|remains|was|has)|'s) (?:still )?"
    rf"(?:{_OPEN}|unknown|not (?:yet )?(?:been )?(?:clear|known|certain|established))\b",
    re.IGNORECASE,
)


def by_word(reading: Reading) -> Verdict | None:
    """A word for yes, no or maybe opens the text and stands alone there; "they do" is a reply."""
    match = reading.patterns.worded.match(reading.shown)
    if match and not reading.loops and (label := reading.label(match)):
        return label, "answer"
    sides = reading.patterns.canonical
    reply = _REPLY.fullmatch(reading.shown[:80]) if len(reading.shown) < 80 else None
    if not reply or reply["verb"].casefold() not in AUXILIARIES or "yes" not in sides:
        return None
    if not AUXILIARIES.intersection(statement(reading.question)):
        return None
    return sides["no" if reply["no"] else "yes"], "recovered"


def undecided(reading: Reading) -> Verdict | None:
    """The evidence is said to decide nothing, where "maybe" is on offer."""
    label = reading.patterns.canonical.get(_MAYBE)
    match = _UNDECIDED.search(reading.shown, 0, 300) if label else None
    if not match or reading.loops or "?" in reading.shown[: match.end()]:
        return None
    doubted = {stem(word) for word in statement(match[0])[-2:]} - {stem("evidence")}
    return None if doubted & reading.topic else (label, "recovered")
