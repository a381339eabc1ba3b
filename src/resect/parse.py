"""Raw text to (answer, outcome, tier): what a careful reader would record. Torch-free.

Tiers, in order: a leading label; a declared label ("the answer is (B)"); the text of exactly one
option. Never a substring of a word. Every pattern is anchored or linear, so a long text costs
time in proportion to its length. Outcomes are defined in docs/glossary.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

VERSION = 1
"""Part of every stored reading; rises when a reading can change."""


class Parsed(NamedTuple):
    """`answer` is a label or None; `tier` names the rule that decided."""

    answer: str | None
    outcome: str
    tier: str


def parse(
    text: str,
    labels: Iterable[str],
    options: Mapping[str, str] | None = None,
    question: str | None = None,
) -> Parsed:
    """Read `text` as an answer among `labels`.

    `options` maps labels to their texts where the task has them; a label's own text counts as
    that label. Any string gives exactly one result and never an exception.
    """
    known = tuple(labels)
    shown = _visible(text)
    if not re.search(r"\w", shown):
        return Parsed(None, "degenerate", "empty" if not shown.strip() else "symbols")
    patterns = _patterns(known)
    found = _leading(shown, patterns, known)
    loop = _is_loop(shown)
    if isinstance(found, str):
        return Parsed(found, "degenerate" if loop else "answer", "leading")
    if found is Several:
        return Parsed(None, "degenerate" if loop else "echo", "several")
    if loop:
        return Parsed(None, "degenerate", "loop")
    declared = {_canonical(m, known) for m in patterns.declared.findall(shown)}
    if len(declared) == 1:
        return Parsed(declared.pop(), "recovered", "declared")
    if options:
        named = _by_option(shown, options)
        if len(named) == 1:
            return Parsed(named[0], "recovered", "option")
        if len(named) > 1:
            return Parsed(None, "echo", "options")
    return Parsed(None, "off_task" if _is_language(shown) else "degenerate", "none")


# "no data available" says what is not there; "no it does not" answers.
_DETERMINER = re.compile(
    r"[ \t]+(?!(?:it|they|he|she|we|i|you|this|that|these|those|the|a|an|there|because|since|as|"
    r"but|although|however|in|not)\b)[^\W\d_]"
)


class Several:
    """Marks a text that begins by listing several labels."""


class _Patterns(NamedTuple):
    leading: re.Pattern[str]
    another: re.Pattern[str]
    declared: re.Pattern[str]


@lru_cache(maxsize=256)
def _patterns(labels: tuple[str, ...]) -> _Patterns:
    one = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    opening = r"[\s\"'`*_(\[{#>.:,;-]*"
    short = all(len(label) == 1 for label in labels)
    # A lone letter is a label only where it cannot be a word: "A patient" is an article.
    closing = r"(?=\s*(?:[.):,;\]}\"'*/|]|\n|$))" if short else r"(?![\w'-])"
    return _Patterns(
        re.compile(rf"{opening}({one}){closing}", re.IGNORECASE),
        re.compile(
            rf"[\s\"'.)\]]*(?:[,/|&]|\bor\b|\band\b)[\s\"'(\[]*(?:or\s+)?({one})(?!\w)", re.I
        ),
        re.compile(
            rf"\b(?:answer|option|choice)\b(?:\s+is)?\s*[:=]?\s*[\"'(\[*]*({one})(?![\w'])", re.I
        ),
    )


def _leading(
    shown: str, patterns: _Patterns, labels: tuple[str, ...]
) -> str | type[Several] | None:
    match = patterns.leading.match(shown)
    if not match:
        return None
    first = _canonical(match[1], labels)
    if first.casefold() == "no" and _DETERMINER.match(shown, match.end()):
        return None
    after = patterns.another.match(shown, match.end())
    if after and _canonical(after[1], labels) != first:
        return Several
    return first


def _canonical(found: str, labels: tuple[str, ...]) -> str:
    folded = found.casefold()
    return found if found in labels else next(lb for lb in labels if lb.casefold() == folded)


def _by_option(shown: str, options: Mapping[str, str]) -> list[str]:
    """Labels whose option text stands in the text as whole words; longer texts win."""
    words = f" {_fold(shown)} "
    named: list[str] = []
    for label, option in sorted(options.items(), key=lambda pair: -len(pair[1])):
        folded = _fold(option)
        if folded and f" {folded} " in words:
            named.append(label)
            words = words.replace(f" {folded} ", " | ")
    return named


def _fold(text: str) -> str:
    """Lower case, words and numbers only, single blanks."""
    return " ".join(re.findall(r"\w+(?:[.,]\d+)?", text.casefold()))


def _visible(text: str) -> str:
    """Compatibility forms folded, control and format characters gone, line ends kept."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(c for c in normal if c in "\n\t" or unicodedata.category(c)[0] != "C")


def _is_loop(shown: str) -> bool:
    """One unit (a word, a few words, a symbol) repeated to the end: "no no no no"."""
    words = _fold(shown).split()
    if len(words) < 4:
        return False
    return any(
        len(words) >= 3 * size and words[:-size] == words[size:]
        for size in range(1, min(8, len(words) // 3) + 1)
    )


def _is_language(shown: str) -> bool:
    """At least two different words of letters, and letters make most of the text."""
    words = re.findall(r"[^\W\d_]{2,}", shown.casefold())
    letters = sum(map(len, words))
    return len(set(words)) >= 2 and letters * 2 >= len("".join(shown.split()))
