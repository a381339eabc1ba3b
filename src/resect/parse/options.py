"""Tiers that find the text of one option."""

from __future__ import annotations

import re

from resect.parse.reading import Found, Reading, fold

_ARTICLE = re.compile(r"(?:(?:the|an?|it is|it s|its) )+")
_MARKER = re.compile(r"(?:\d{1,2}|[^\W\d_])[.)]\s+(?=[^\W\d_])")
_IS_NUMBER = re.compile(r"[\d.]+(?: %)?")


def by_option(reading: Reading) -> Found | None:
    """The whole text, its first line or sentence, or the beginning of one option alone."""
    texts, shown = reading.texts, _MARKER.sub("", reading.shown, count=1)
    said = fold(shown) if _MARKER.match(reading.shown) else reading.folded
    if not texts or not said:
        return None
    bare = _ARTICLE.sub("", said, count=1) if _ARTICLE.match(said) else said
    sentence = fold(shown.split(". ")[0])
    for candidate in (said, bare, fold(shown.split("\n")[0]), sentence):
        if candidate in texts and (candidate == said or not _IS_NUMBER.fullmatch(sentence)):
            return texts[candidate], "degenerate" if reading.loops else "recovered"
    begun = {
        label
        for text, label in texts.items()
        if _begins(text, said) or _begins(_ARTICLE.sub("", text, count=1), bare)
    }
    return (begun.pop(), "recovered") if len(begun) == 1 else None


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
    numbers = {t for t in around.split() if t[0].isdigit()}
    for text in sorted(reading.texts, key=len, reverse=True):
        if _IS_NUMBER.fullmatch(text):  # the only number, and not the one that counts the line
            if numbers != {text.split()[0]} or around.startswith(f" {text} "):
                continue
        elif not any(len(t) > 2 or (t > "\u036f" and t.isalpha()) for t in text.split()):
            continue  # a formula or a single letter, which stands for other things too
        denied = rf" not (?:the |an? )?{re.escape(text)} | {re.escape(text)} (?:is|are|was) not "
        if f" {text} " in around and not re.search(denied, around):
            named.append(reading.texts[text])
        around = around.replace(f" {text} ", " | ")
    if not named:
        return None
    outcome = "degenerate" if reading.loops else "echo" if len(named) > 1 else "recovered"
    return None if len(named) > 1 else named[0], outcome
