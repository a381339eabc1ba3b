"""What a text is that commits to nothing: template, loop, language or debris."""

from __future__ import annotations

import re
import unicodedata

from resect.parse.reading import AUXILIARIES, FUNCTION, Reading, stem, word_set
from resect.parse.statements import FINDINGS

_TEMPLATE = re.compile(r"\W*(?:answ(?:ers?)?|options?|choices?)\W*", re.IGNORECASE)
_STUTTER = re.compile(r"([^\W\d_]{2,5})\1|([^\W\d_])\2\2")  # "sususi", "zzz": few words do
# A lone letter at a hyphen or slash, and digits or words run into one ("1-s", "h-", "1/day").
_CRUMB = re.compile(
    r"\b[a-zA-Z](?=[-/])|(?<=[-/])[a-zA-Z]\b|\d[-/](?=[a-zA-Z])|[^\W\d_]/(?=[^\W\d_])"
)

_FREE = re.compile(r"(?<![\w/-])[^\W\d_]+(?![\w/-])")  # a word that hangs on to nothing

# Stems of what studies are about, which a text cut short may consist of.
_STUDIED = word_set(
    "age case cases child clini cohor data disea group healt hospi metho outco parti patie peopl "
    "perce point rando resul risk score study subje survi total treat trial women year years"
)
# One word alone is language only where it heads something.
_HEADING = re.compile(
    r"#|(?:solution|explanation|question|source|reference|context|abstract)s?\b", re.I
)
# Words, blanks and one stop at the end: nothing that debris has.
_PLAIN = re.compile(r"[#\s]*[^\W\d_]+(?:[ ',;:]+[^\W\d_]+)*[.,:;!?]?")


def without_answer(reading: Reading) -> tuple[str, str]:
    """Outcome and tier of a text that commits to nothing."""
    if not re.search(r"\w", reading.shown):
        return "degenerate", "symbols" if reading.shown.strip() else "empty"
    if _TEMPLATE.fullmatch(reading.shown):
        return "echo", "template"
    if reading.loops:
        return "degenerate", "loop"
    return ("off_task" if _is_language(reading) else "degenerate"), "none"


def _is_language(reading: Reading) -> bool:
    """Words that tie a text together or to the question outweigh crumbs and broken words."""
    words = {w for w in reading.words if len(w) > 1 or not w.isascii() or w == "i"}
    letters = "".join(words)
    if sum(c > "\u036f" for c in letters) * 2 > len(letters):  # no vowels to count on
        return len(set(letters)) > 3
    if re.search(r"\d\s?%", reading.shown[:80]):  # a figure that reports something
        return True
    familiar = _familiar(reading, words)
    debris = _debris(reading, words - familiar)
    if len(familiar) > debris and 5 * len(familiar) >= len(words):
        return True
    unknown = not reading.context and len(words) > 2  # nothing can be familiar
    plain = not debris and _PLAIN.fullmatch(reading.shown)
    return bool(plain and (unknown or _HEADING.match(reading.shown)))


def _familiar(reading: Reading, words: set[str]) -> set[str]:
    """The words of grammar, of the question and of reports."""
    familiar = set(_FREE.findall(reading.shown.casefold())) & (FUNCTION | AUXILIARIES) & words
    context = reading.context - FUNCTION
    familiar |= {w for w in words if len(w) > 2 and {w, f"{w}s", w[:-1]} & context}
    familiar |= {w for w in words if stem(w) in FINDINGS | _STUDIED}
    last = reading.words[-1] if reading.words else ""
    if len(last) > 2 and any(w.startswith(last) for w in reading.context):
        familiar.add(last)  # cut short
    return familiar


def _debris(reading: Reading, words: set[str]) -> int:
    """How many of these words are broken, and how many crumbs and strange symbols there are."""
    broken = sum(bool(_STUTTER.search(w)) for w in words)
    strange = sum(c > "\x7f" and unicodedata.category(c)[0] == "S" for c in reading.shown)
    return broken + len(_CRUMB.findall(reading.shown)) + strange
