"""How a free text agrees with a reference and leans on a context: overlap, omission, copying.

Words are runs of letters and digits in lower case, as in ROUGE (Lin 2004) and its Python package,
without stemming. Everything is counted exactly, in time that is linear for all practical lengths.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from resect.parse.reading import AUXILIARIES, FUNCTION, Reading, visible, word_set
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer
from resect.parse.statements import declines

NGRAM = 4
"""Words in a row that count as copied or repeated (seq-rep-4: Welleck et al. 2020)."""

MOST = 2000
"""Words of a text that are read; far above every token budget."""

_WORD = re.compile(r"[a-z0-9]+")
_LONG = 8
"""From so many words on a text is language where one in ten ties the others together."""

_TIES = FUNCTION | AUXILIARIES
_ARTICLES = frozenset(("a", "an", "the"))
_EMPTY = _TIES | word_set(
    "also although among because been being between both but each either however if into its more "
    "most only other our over same so some such than their them then there these they those "
    "through thus under upon very what when where which while who whose within without"
)  # fmt: skip
_RUNAWAY = re.compile(r"\n[ \t]*(?:question|abstract|context|q)[ \t]*:", re.IGNORECASE)


def answer(text: str) -> tuple[str | None, str, str]:
    """(the text that answers or None, outcome, tier). Any text in, never an exception."""
    shown = spoken(text)
    if shown is None:
        return UNFINISHED
    runaway = _RUNAWAY.search(shown)
    free = (shown[: runaway.start()] if runaway else shown).strip()
    reading, terms = Reading(visible(free), (), {}, ""), words(free)
    if declines(reading):
        return None, "refusal", "refusal"
    if reading.loops or not terms:
        return None, *without_answer(reading)
    tied = sum(word in _TIES for word in terms)
    if len(terms) >= _LONG and tied * 10 >= len(terms):
        return free, "answer", "text"
    outcome, tier = without_answer(reading)
    return (free, "answer", "text") if outcome == "off_task" else (None, outcome, tier)


def words(text: str) -> list[str]:
    """Its first words, lower case."""
    return _WORD.findall(text.lower())[:MOST]


def common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, by bits of whole numbers (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    whole = (1 << len(a)) - 1
    row = whole
    for word in b:
        hit = row & places.get(word, 0)
        row = ((row + hit) | (row - hit)) & whole
    return len(a) - row.bit_count()


def rouge_l(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of the longest common subsequence, over the two lengths (ROUGE-L, Lin 2004)."""
    return _f1(common(candidate, reference), len(candidate), len(reference))


def token_f1(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of the bags of words without articles, as SQuAD scores free answers."""
    ours, theirs = (
        Counter(w for w in side if w not in _ARTICLES) for side in (candidate, reference)
    )
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def _f1(shared: int, candidate: int, wanted: int) -> float:
    return 2 * shared / (candidate + wanted) if shared else 0.0


def content(text: Sequence[str]) -> frozenset[str]:
    """The distinct words that carry what is said: no function words, numbers kept."""
    return frozenset(w for w in text if (len(w) > 2 or w.isdigit()) and w not in _EMPTY)


def ngrams(text: Sequence[str]) -> list[tuple[str, ...]]:
    """Its runs of four words, repeated ones too."""
    return [tuple(text[i : i + NGRAM]) for i in range(len(text) - NGRAM + 1)]


def parts(text: str | None, reference: str, context: str) -> dict[str, float]:
    """What the metrics of free text are made of, for one item; None is no answer.

    `omission` is the share of the reference's content words that are missing; `copied` and
    `repeated` count among the `ngrams` said those that stand in the context (left out without
    one) and those that were said before.
    """
    candidate, wanted = words(text or ""), words(reference)
    terms, keys, runs = content(candidate), content(wanted), ngrams(candidate)
    counts: dict[str, float] = {
        "rouge_l": rouge_l(candidate, wanted),
        "token_f1": token_f1(candidate, wanted),
        "words": len(candidate),
        "reference_words": len(wanted),
        "ngrams": len(runs),
        "repeated": len(runs) - len(set(runs)),
    }
    if keys:
        counts["omission"] = len(keys - terms) / len(keys)
    if context:
        given = set(ngrams(words(context)))
        counts["copied"] = sum(run in given for run in runs)
    return counts
