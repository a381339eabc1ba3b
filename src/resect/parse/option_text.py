"""Tiers that find the text of one option."""

from __future__ import annotations

import re

from resect.parse.reading import Found, Reading, fold

_ARTICLE = re.compile(r"(?:(?:the|an?|it is|it s|its) )+")
_MARKER = re.compile(r"(?:\d{1,2}|[^\W\d_])[.)]\s+(?=[^\W\d_])")
_IS_NUMBER = re.compile(r"-?[\d.]+(?: %)?")


def by_option(reading: Reading) -> Found | None:
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
    for candidate in (whole, bare, fold(shown.split("\n")[0]), sentence):
        label = texts.get(candidate)
        if label and (candidate == whole or not _IS_NUMBER.fullmatch(sentence)):
            return label, "degenerate" if reading.loops else "recovered"
    label = _cut_short(texts, whole, bare)
    return (label, "recovered") if label else None


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


def _is_most_of(option: str, said: str) -> bool:
    """Two words or more that stand in the option and are half of it."""
    words = said.count(" ") + 1
    spoken = words > 1 and any(len(word) > 2 for word in said.split())
    return spoken and option.count(" ") < 2 * words and f" {said} " in f" {option} "


def _begins(option: str, said: str) -> bool:
    """A text cut short: the option goes on where it ends, though not within a number."""
    if said.isdigit() and option == f"{said} %":
        return True
    enough = len(said.replace(" ", "")) >= (2 if said[:1].isdigit() else 4)
    inside = said[-1:].isdigit() and option[len(said) :][:1] in tuple("0123456789.")
    return option.startswith(said) and enough and not inside


def by_name(reading: Reading) -> Found | None:
    """Option texts that stand in the text as whole words; longer texts win, "not X" is not X."""
    around, named = f" {reading.folded} ", []
    numbers = {t for t in around.split() if _IS_NUMBER.fullmatch(t)}
    for text in sorted(reading.texts, key=len, reverse=True):
        if not _is_telling(text, around, numbers):
            continue
        denied = rf" not (?:the |an? )?{re.escape(text)} | {re.escape(text)} (?:is|are|was) not "
        label = reading.texts[text]
        if label and f" {text} " in around and not re.search(denied, around):
            named.append(label)
        around = around.replace(f" {text} ", " | ")
    if not named:
        return None
    outcome = "degenerate" if reading.loops else "echo" if len(named) > 1 else "recovered"
    return None if len(named) > 1 else named[0], outcome


def _is_telling(option: str, around: str, numbers: set[str]) -> bool:
    """The only number, and not the one that counts the line; else with a word in it, for a formula
    or a single letter stands for other things too.
    """
    if _IS_NUMBER.fullmatch(option):
        return numbers == {option.split()[0]} and not around.startswith(f" {option} ")
    return any(len(t) > 2 or (t > "\u036f" and t.isalpha()) for t in option.split())
