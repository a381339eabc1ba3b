"""Tiers that find the text of one option."""

from __future__ import annotations

import re

from resect.parse.negation import denies_option
from resect.parse.physical_quantity import matching, quantity
from resect.parse.reading import AUXILIARIES, FUNCTION, Reading, Verdict, fold, statement, word_set

_ARTICLE = re.compile(r"(?:(?:the|an?|it is|it s|its) )+")
_MARKER = re.compile(r"(?:\d{1,2}|[^\W\d_])[.)]\s+(?=[^\W\d_])")
_QUESTION = re.compile(r"[^.!?\n]{0,200}\?(?=\s+\S)")
_REPLY = re.compile(  # "No, the heart"
    r"\A\W{0,4}(?:yes|no|well|so|thus|hence|therefore|probably|likely)[,:—–] ?"
    r"(?:(?:it is|it's|the|an?) ){0,2}",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[;:.!?\n](?=\s)|,(?=\s+(?:so|but|it)\b)")
_BUT_NOT = re.compile(
    r"[,;]?\s+(?:and |but )?(?:not|never|rather than|instead of)\b", re.IGNORECASE
)
_IS_NUMBER = re.compile(r"-?[\d.]+(?: %)?")


def by_option(reading: Reading) -> Verdict | None:
    """The whole text, its first line or sentence, or the beginning of one option alone."""
    texts, shown = reading.texts, _MARKER.sub("", reading.shown, count=1)
    whole = fold(shown) if _MARKER.match(reading.shown) else reading.folded
    if not texts or not whole:
        return None
    if label := _lettered(reading):
        return label, "answer"
    if label := _verbatim(reading):
        return label, "recovered"
    bare = _ARTICLE.sub("", whole, count=1) if _ARTICLE.match(whole) else whole
    sentence = fold(shown.split(". ")[0])
    before = fold(_BUT_NOT.split(shown, maxsplit=1)[0])
    reply = fold(_REPLY.sub("", shown, count=1))
    for candidate in (whole, bare, fold(shown.split("\n")[0]), sentence, before, reply):
        label = texts.get(candidate)
        if label and (candidate == whole or not _IS_NUMBER.fullmatch(sentence)):
            return label, "degenerate" if reading.loops else "recovered"
    label = _cut_short(texts, whole, bare) or _none_of_them(texts, whole)
    label = label or _by_value(reading)
    return (label, "recovered") if label else None


_SUMMARY = re.compile(
    r"(none|all|both|any|neither)(?: of)?(?: the)? "
    r"(?:above|these|them|those|options|choices|answers)"
    r"(?: (?:above|options|choices|answers))?(?: (?:is|are) (?:correct|right))?"
)


def _none_of_them(texts: dict[str, str | None], whole: str) -> str | None:
    """The option "none of the above", however its words are turned."""
    phrase = _SUMMARY.fullmatch(whole)
    labels = [
        label
        for text, label in texts.items()
        if phrase and (option := _SUMMARY.fullmatch(text)) and option[1] == phrase[1]
    ]
    return labels[0] if len(labels) == 1 else None


_ANNOUNCED = re.compile(r"\banswer\b[ \t]*(?:is\b|[:=]){1,2}|\\(?:boxed|fbox)\b", re.IGNORECASE)


def _by_value(reading: Reading) -> str | None:
    """The option of the same quantity, where all options are quantities."""
    answer = _ANNOUNCED.split(reading.shown)[-1]
    phrase = quantity(answer) or quantity(_BUT_NOT.split(answer, maxsplit=1)[0])
    options = [quantity(reading.options.get(label, "")) for label in reading.labels]
    known = [option for option in options if option]
    if not phrase or len(known) < len(options):
        return None
    places = matching(phrase, known)
    return reading.labels[places[0]] if len(places) == 1 else None


def _cut_short(texts: dict[str, str | None], whole: str, bare: str) -> str | None:
    """The one option that the text begins, else is most of ("12 hours" of "every 12 hours")."""
    begun = {
        label
        for text, label in texts.items()
        if _begins(text, whole) or _begins(_ARTICLE.sub("", text, count=1), bare)
    } or {label for text, label in texts.items() if _is_most_of(text, bare)}
    return begun.pop() if len(begun) == 1 else None


def _verbatim(reading: Reading) -> str | None:
    """The option with this very text, where only case or brackets tell options apart."""
    shown = " ".join(reading.shown.split())
    texts = {" ".join(reading.options.get(lb, "").split()): lb for lb in reversed(reading.labels)}
    return texts.get(shown) if shown else None


def _lettered(reading: Reading) -> str | None:
    """A letter that is no word, before the text of any option ("B kidney")."""
    match = re.match(r"([^\W\d_aAiI])[ \t]+(?=\w)", reading.shown)
    label = match and reading.patterns.canonical.get(match[1].casefold())
    if not match or not label:
        return None
    rest = fold(reading.shown[match.end() :])
    return label if any(_begins(text, rest) for text in reading.texts) else None


def _is_most_of(option: str, phrase: str) -> bool:
    """Two words or more that stand in the option and are half of it."""
    words = phrase.count(" ") + 1
    spoken = words > 1 and any(len(word) > 2 for word in phrase.split())
    return spoken and option.count(" ") < 2 * words and f" {phrase} " in f" {option} "


def _begins(option: str, phrase: str) -> bool:
    """A text cut short: the option goes on where it ends, though not within a number."""
    if phrase.isdigit() and option == f"{phrase} %":
        return True
    enough = len(phrase.replace(" ", "")) >= (2 if phrase[:1].isdigit() else 4)
    inside = phrase[-1:].isdigit() and option[len(phrase) :][:1] in tuple("0123456789.")
    return option.startswith(phrase) and enough and not inside


def by_name(reading: Reading) -> Verdict | None:
    """Option texts that stand in the text as whole words; longer texts win, "not X" is not X."""
    around, named = f" {fold(_QUESTION.sub(' ', reading.shown))} ", []
    clauses = f" {' | '.join(map(fold, _CLAUSE.split(reading.shown)))} "
    numbers = {t for t in around.split() if _IS_NUMBER.fullmatch(t)}
    for text in sorted(reading.texts, key=len, reverse=True):
        if not _is_telling(text, around, numbers):
            continue
        label = reading.texts[text]
        if label and f" {text} " in around:
            place = clauses.find(f" {text} ")
            if place < 0 or not denies_option(clauses, place, place + len(text) + 1):
                named.append(label)
        around = around.replace(f" {text} ", " | ")
    if not named:
        label = _inflected(reading, reading.shown) or _in_clauses(reading)
        return (label, "recovered") if label else None
    outcome = "degenerate" if reading.loops else "echo" if len(named) > 1 else "recovered"
    return None if len(named) > 1 else named[0], outcome


_BOUND = word_set(  # words that bind a sentence to a condition, or deny it
    "no not never unless if until before after instead without except cannot neither nor"
)
_PATIENT = frozenset(("patient", "patients"))


def _in_clauses(reading: Reading) -> str | None:
    """The same of the clauses of a sentence, where they name one option."""
    clauses = re.split(r"[,;:]\s|\.\s", reading.shown[:400])
    labels = {label for clause in clauses if (label := _inflected(reading, clause))}
    return labels.pop() if len(labels) == 1 and len(clauses) > 1 else None


def _inflected(reading: Reading, sentence: str) -> str | None:
    """The one option whose words, in other forms, are all that a short sentence says.

    "Lisinopril should be stopped" is "Stop lisinopril"; "lisinopril" alone is not.
    """
    phrase = _content(sentence)
    bound = _BOUND.intersection(statement(sentence))
    if not 2 <= len(phrase) <= 8 or reading.loops:
        return None
    labels = []
    for label in reading.labels:
        option = _content(reading.options.get(label, ""))
        if min(map(len, option), default=0) < 3 or len(option) < 2:
            continue
        missing = [a for a in option if not any(_is_form(a, b) for b in phrase)]
        extra = [b for b in {*phrase, *bound} - _PATIENT if not any(_is_form(a, b) for a in option)]
        if not missing and not extra:
            labels.append(label)
    return labels[0] if len(labels) == 1 else None


def _content(text: str) -> list[str]:
    """The words of a text that mean something."""
    words = statement(text[:200])
    return [w for w in words if len(w) > 1 and w not in FUNCTION and w not in AUXILIARIES | {"be"}]


def _is_form(a: str, b: str) -> bool:
    """Whether two words look like forms of one: a beginning of four letters or more in common."""
    short, long = sorted((a, b), key=len)
    return short == long or (
        len(short) > 2 and len(long) - len(short) < 5 and long.startswith(short.removesuffix("e"))
    )


def _is_telling(option: str, around: str, numbers: set[str]) -> bool:
    """The only number, and not the one that counts the line; else with a word in it, for a formula
    or a single letter stands for other things too.
    """
    if _IS_NUMBER.fullmatch(option):
        return numbers == {option.split()[0]} and not around.startswith(f" {option} ")
    return any(len(t) > 2 or (t > "\u036f" and t.isalpha()) for t in option.split())
