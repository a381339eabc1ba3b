"""Tiers that read a sentence: it declines, or it affirms or denies what is asked (yes or no)."""

from __future__ import annotations

import re

from resect.parse.reading import AUXILIARIES, FUNCTION, Found, Reading, statement, stem, word_set

_IS = word_set("is are was were")
_BEFORE_OBJECTS = word_set("do does did has have had")
_DENIALS = word_set("not never missing absent lack lacks fails failed unlikely")
# Stems of what studies find; "no ..." of these denies, "is (significantly) ..." affirms.
FINDINGS = word_set(
    "assoc benef corre decre diffe effec evide feasi help impac impor impro incre influ need "
    "neces predi reduc relat role safe signi usefu"
)
# Verbs that report a finding, whatever verb the question has.
_REPORTS = re.compile(
    r"(?:improv|reduc|increas|decreas|predict|influenc|affect|support|play)(?:e|es|s|ed)?"
)
_ALIKE = word_set("same simil compa equal equiv uncha")
# A question, a list, a count of cases, an aim, or a compound of "no" states nothing.
_NO_STATEMENT = re.compile(
    r"\?|/(?:yes|no|maybe|\W*$)|^\W*(?:no-|\d+[/-]|\d[\d,]*\s+[a-z])"
    r"|[:,]\s*(?:is|are|do|does|did|can|should)\b"
    r"|\b(?:aim|aims|aimed|purpose|objective|hypothesis|whether|designed|included)\b",
    re.IGNORECASE,
)


def by_polarity(reading: Reading) -> Found | None:
    """A statement about the question's subject, read as yes or no."""
    sides = reading.patterns.canonical
    if "yes" not in sides or "no" not in sides or reading.loops:
        return None
    line = reading.shown.split("\n")[0]
    if _NO_STATEMENT.search(line, 0, 400):
        return None
    clause = re.split(r"[:;.?]\s", reading.question.rstrip())[-1]
    stand = _stand(statement(line), statement(clause), reading.topic)
    return None if stand is None else (sides["yes" if stand else "no"], "recovered")


def _stand(said: list[str], asked: list[str], topic: frozenset[str]) -> bool | None:
    """Whether `said` affirms (True) or denies (False) what is `asked`, if it does either."""
    if not said or said[0] in AUXILIARIES:
        return None
    told, denied = topic | FINDINGS, bool(_DENIALS.intersection(said))
    for i, word in enumerate(said):
        after = [stem(w) for w in said[i + 1 : i + 6] if w not in FUNCTION][:3]
        subject = bool(topic & set(map(stem, said[:i])) or {"it", "they"} & set(said[:i]))
        if word == "no" and said[i - 1] not in ("or", "and"):
            return False if told.intersection(after) else None  # "no data" denies nothing
        if not i or "no" in said:
            continue
        if word in _DENIALS and (subject or told.intersection(after)):
            return False
        if word in AUXILIARIES and _ALIKE.intersection(after[:2]) and not _ALIKE & topic:
            return False  # no difference, where one was asked for
        if denied or said[i - 1].startswith("wh"):
            continue  # a clause on the side ("who ...") claims nothing
        if "diffe" in after[:2] and _ALIKE & topic and "diffe" not in topic:
            return False  # a difference, where likeness was asked for
        if word in AUXILIARIES and _affirms(word, asked, after, told, subject):
            return True
        told_of = subject or (word.endswith("ed") and topic.intersection(after))
        if told_of and _is_verb(word, said[i - 1], asked):
            return True
    return None


def _affirms(
    verb: str, asked: list[str], after: list[str], told: frozenset[str], subject: bool
) -> bool:
    """A finding, or the question's own modal or predicate, said of its subject."""
    shared = told.intersection(after)
    if not subject:  # which may be named in other words: then the predicate must be known
        return verb in _IS and (len(shared) > 1 or bool(told.intersection(after[:1])))
    return bool(shared or (after and verb not in _BEFORE_OBJECTS))


def _is_verb(word: str, before: str, asked: list[str]) -> bool:
    """The verb asked about ("does X raise"), inflected, or as it stands after a plural."""
    auxiliary = next((i for i, w in enumerate(asked) if w in AUXILIARIES - _IS), None)
    if {word, before} & FUNCTION:
        return False
    if _REPORTS.fullmatch(word) and (word.endswith(("s", "ed")) or before.endswith("s")):
        return True
    if auxiliary is None:
        return False
    verbs = asked[auxiliary + 2 : auxiliary + 12]  # the subject stands between
    if word in verbs[:6] and before.endswith("s") and not word.endswith(("s", "ed", "ing")):
        return asked[auxiliary] != "does" and asked[asked.index(word) - 1] in (before, "they")
    forms = {word[:-1], word[:-2], word[:-3] + "y"}
    within = verbs if word.endswith("ed") else verbs[:6]
    return word.endswith(("s", "ed")) and any(len(b) > 2 and b in within for b in forms)


_DECLINES = re.compile(
    r"\b(?:as|i am|i'm) (?:just |only )?an? (?:ai|artificial|language|large language)\b"
    r"|\b(?:i|we)(?: am|'m| are|'re)? (?:cannot|can't|can not|won't|will not|unable to|not able to|"
    r"must decline|do not|don't|not qualified)(?: \w+){0,2}? (?:to )?(?:answer|provide|assist|"
    r"help|give|offer|comply|advise|respond|make|diagnose|comment)\b"
    r"|\bi(?: am|'m) (?:very )?sorry, (?:but )?i\b",
    re.IGNORECASE,
)


def declines(reading: Reading) -> Found | None:
    """The model says that it will not answer."""
    return (None, "refusal") if _DECLINES.search(reading.shown, 0, 400) else None
