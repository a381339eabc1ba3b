"""Tiers that read a sentence: it declines, or it affirms or denies what is asked (yes or no)."""

from __future__ import annotations

import re

from resect.parse.negation import plain
from resect.parse.reading import AUXILIARIES, FUNCTION, Reading, Verdict, statement, stem, word_set

_SENTENCE = 60  # words
# Each sentence of a text of more words than this must share so many words with the question.
_LONG, _SHARED = 12, 2
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_IS = word_set("is are was were")
_PERFECT = word_set("has have had")
_PRONOUNS = word_set("it they we this these that he she")
_DENIALS = word_set("not never missing absent lack lacks fails failed unlikely")
# What "not (yet) ..." of says nothing about the world either: "it is not clear".
_DOUBT = word_set(
    "clear known certain sure understood established determined studied investigated evaluated "
    "examined tested assessed addressed enough sufficient sufficiently"
)
# What "no ..." of says nothing about the world.
_UNKNOWN = word_set("data information answer answers comment details result results response")
# Stems of what studies find; "no ..." of these denies, "is (significantly) ..." affirms.
FINDINGS = word_set(
    "assoc benef chang corre decre diffe effec evide feasi help impac impor impro incre influ need "
    "neces predi reduc relat role safe signi usefu valid"
)
_REPORTS = re.compile(
    r"(?:improv|reduc|increas|decreas|predict|influenc|affect|support|play)(?:e|es|s|ed)?"
)
_ALIKE = word_set("same simil compa equal equiv uncha")
# A question, a list, a count of cases, an aim, or a compound of "no" states nothing.
_NO_STATEMENT = re.compile(
    r"\?|/(?:yes|not?|maybe)\b|^\W*(?:no-|\d+[/).-]|\d[\d,]*\s+[a-z])"
    r"|[:,]\s*(?:is|are|do|does|did|can|should)\b"
    r"|\b(?:aim|aims|aimed|purpose|objective|hypothesis|whether|designed|included)\b",
    re.IGNORECASE,
)


def by_polarity(reading: Reading) -> Verdict | None:
    """What the statements about the question's subject, of the first line, agree on: yes or no."""
    sides = reading.patterns.canonical
    if "yes" not in sides or "no" not in sides or reading.loops:
        return None
    sentences = _SENTENCE_END.split(reading.shown.split("\n")[0][:3000])
    verdicts = {side for sentence in sentences if (side := _polarity(reading, sentence))}
    return (sides[verdicts.pop()], "recovered") if len(verdicts) == 1 else None


def _polarity(reading: Reading, sentence: str) -> str | None:
    """Whether a sentence affirms or denies what is asked; None where it does neither."""
    stated = None if _NO_STATEMENT.search(sentence, 0, 400) else plain(sentence[:1000])
    if not stated:
        return None
    line, turned = stated
    yes, no = ("no", "yes") if turned else ("yes", "no")
    terms = reading.topic | FINDINGS
    claim = _claim(reading, line, terms)
    if not claim or _opposes(claim, reading.topic):
        return None
    if _denies(claim, terms, reading.topic):
        return no
    clause = re.split(r"[:;.?]\s", reading.question.rstrip())[-1]
    affirming = not _DENIALS.intersection(claim) and "no" not in claim
    affirmed = affirming and _affirms(claim, statement(clause)[:_SENTENCE], reading.topic)
    return yes if affirmed else None


def _claim(reading: Reading, line: str, terms: frozenset[str]) -> list[str]:
    """The words of a statement on the question's subject, a last one that is cut short as the term
    that it begins; none where it asks, or speaks of something else.
    """
    claim = statement(line)[:_SENTENCE]
    if not claim or claim[0] in AUXILIARIES:
        return []
    shared = reading.topic.intersection(map(stem, claim))
    if len(reading.words) > _LONG and len(shared) < _SHARED:
        return []
    if 2 < len(claim[-1]) < 5 and claim[-1] not in terms:
        claim[-1] = min((t for t in terms if t.startswith(claim[-1])), default=claim[-1])
    return claim


_MORE, _LESS = word_set("incre raise rises highe eleva"), word_set("reduc decre lower fewer preve")


def _opposes(claim: list[str], topic: frozenset[str]) -> bool:
    """Whether it speaks of more where less was asked about, or the reverse."""
    spoken = frozenset(map(stem, claim))
    return any(
        topic & side and not topic & other and spoken & other and not spoken & side
        for side, other in ((_MORE, _LESS), (_LESS, _MORE))
    )


def _content(words: list[str]) -> list[str]:
    """Stems of the words that mean something, in order."""
    return [stem(w) for w in words if len(w) > 1 and w not in FUNCTION]


def _about(words: list[str], topic: frozenset[str]) -> bool:
    return bool(topic.intersection(map(stem, words)) or _PRONOUNS.intersection(words))


def _denies(claim: list[str], terms: frozenset[str], topic: frozenset[str]) -> bool:
    """No such finding, not so, or alike where a difference was asked for (and the reverse)."""
    for i, word in enumerate(claim):
        after = _content(claim[i + 1 : i + 6])[:3]
        if word == "no":
            listed = i > 0 and claim[i - 1] in ("or", "and")
            unknown = _UNKNOWN.intersection(claim[i + 1 : i + 2])
            return bool(terms.intersection(after)) and not listed and not unknown
        if not i or (word in ("not", "never") and _doubts(claim[i + 1 :], topic)):
            continue
        if word in _DENIALS and (_about(claim[:i], topic) or terms.intersection(after)):
            return True
        if _reverses(word, after[:2], topic):
            return True
    return False


def _reverses(word: str, after: list[str], topic: frozenset[str]) -> bool:
    """Alike where a difference was asked for, or different where likeness was."""
    if _ALIKE & topic:
        return "diffe" in after and "diffe" not in topic
    return word in AUXILIARIES and bool(_ALIKE.intersection(after))


def _doubts(after: list[str], topic: frozenset[str]) -> bool:
    """Whether "not" denies only that something is known: "not yet established", "not possible to
    say". A word of the question is what is asked about.
    """
    near = _DOUBT.intersection(after[:3])
    unsaid = after[:2] in (["possible", "to"], ["able", "to"]) and after[2:3] in (["say"], ["tell"])
    return unsaid or bool(near and topic.isdisjoint(map(stem, near)))


def _affirms(claim: list[str], asked: list[str], topic: frozenset[str]) -> bool:
    """The subject with a finding, with the question's own modal, or with the verb it asks about."""
    terms = FINDINGS.union(_content(asked), ("able",))
    for i, word in enumerate(claim[1:], 1):
        if claim[i - 1].startswith("wh"):
            continue  # a clause on the side ("who ...") claims nothing
        after = _content(claim[i + 1 : i + 6])[:3]
        shared, subject = terms.intersection(after), _about(claim[:i], topic)
        if word not in AUXILIARIES:
            reports = bool(subject and shared) and _reports(word, claim[i - 1])
            claims = reports or _is_verb(claim, i, asked)
        elif subject:
            claims = bool(shared or (after and word not in _IS | _PERFECT))
        else:
            claims = len(shared) > 1 or (word in _IS and bool(terms.intersection(after[:1])))
        if claims:
            return True
    return False


def _reports(word: str, before: str) -> bool:
    """A verb of findings, whatever verb the question has."""
    return bool(_REPORTS.fullmatch(word)) and (word.endswith(("s", "ed")) or before.endswith("s"))


def _is_verb(claim: list[str], i: int, asked: list[str]) -> bool:
    """The verb asked about ("does X raise Y"), inflected, beside X or Y."""
    word, before = claim[i], claim[i - 1]
    auxiliary = next((k for k, w in enumerate(asked) if w in AUXILIARIES - _IS), None)
    if auxiliary is None or {word, before} & FUNCTION:
        return False
    terms, after = set(_content(claim[:i])), set(_content(claim[i + 1 :]))
    verbs = range(auxiliary + 2, [*asked, "be"].index("be"))
    pronoun = bool(_PRONOUNS.intersection(asked[auxiliary + 1 : auxiliary + 2]))
    for k in verbs[:1] if pronoun else verbs:  # the verb follows "can we" at once
        subject = pronoun or terms & set(_content(asked[auxiliary + 1 : k]))
        beside = subject or after & set(_content(asked))
        if beside and _is_form(word, before, asked[k - 1 : k + 1], asked[auxiliary]):
            return True
    return False


def _is_form(word: str, before: str, asked: list[str], auxiliary: str) -> bool:
    """Whether a word is the form that answers with the verb of `asked`: what stands before it in
    the question, and the verb.
    """
    behind, verb = asked
    if auxiliary in _PERFECT:
        return word == verb and word.endswith("ed")
    if word == verb:  # bare after a plural ("levels rise"), as the question has it
        return auxiliary != "does" and behind in (before, "they") and before[-1:] == "s"
    return behind not in FUNCTION - _PRONOUNS and _inflects(word, verb)


def _inflects(word: str, base: str) -> bool:
    """Whether "raises" or "raised" is "raise"."""
    forms = (word[:-1], word[:-2], word[:-3] + "y")
    return len(base) > 2 and word.endswith(("s", "ed")) and base in forms


DECLINES = re.compile(
    r"\b(?:as|i am|i'm) (?:just |only )?an? (?:ai|artificial|language|large language)\b"
    r"|\b(?:i|we)(?: am|'m| are|'re)? (?:cannot|can't|can not|won't|will not|unable to|not able to|"
    r"must decline|refuse to|decline to|do not|don't|not qualified)(?: \w+){0,2}? (?:to )?(?:"
    r"answer|provide|assist|help|give|offer|comply|advise|respond|make|diagnose|comment)\b"
    r"|\b(?:i|we)(?:'d| would) rather not\b|\bi must decline\b"
    r"|\b(?:i(?: am|'m) (?:very )?)?sorry,? (?:but )?i\b|^\W*no comment\b"
    r"|(?:^|[.!\n]\s{0,9})(?:please|you should)[^.\n]{0,20} (?:consult|see|speak to|talk to) "
    r"(?:an?|your) (?:\w+ ){0,2}?(?:doctor|physician|professional|clinician|provider)\b",
    re.IGNORECASE,
)


def declines(reading: Reading) -> Verdict | None:
    """The model says that it will not answer."""
    return (None, "refusal") if DECLINES.search(reading.shown, 0, 400) else None
