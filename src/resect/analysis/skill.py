"""Skill and the confusion metrics, from weighted counts, for all levels and resamples at once.

Shapes: R rows of item weights, N items, L levels, K labels. An answer is a code: 0 ... K-1 for a
label, `NO_ANSWER` where none was given, `MISSING` where the item was not asked.

All counts are exact whole numbers, so results do not depend on the order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.analysis.intervals import Floats, Weights

NO_ANSWER, MISSING = -1, -2
Codes = NDArray[np.int8]


class Tally(NamedTuple):
    """Weighted counts, each (K, R, L). `predicted` is per predicted label, the rest per gold."""

    asked: Floats
    answered: Floats
    right: Floats
    predicted: Floats


def tally(weights: Weights, codes: Codes, gold: Codes, k: int) -> Tally:
    """Count answers (L, N) against gold (N,) under every row of weights (R, N)."""
    levels, n = codes.shape
    each = np.arange(k, dtype=np.int8)[:, None, None]
    of_gold = gold == each  # (K, 1, N)
    said = codes == each  # (K, L, N)
    hits = np.stack([(codes != MISSING) & of_gold, (codes >= 0) & of_gold, said & of_gold, said])
    flat = hits.reshape(4 * k * levels, n).T.astype(np.float32)  # one product for everything
    counts = (weights @ flat).reshape(-1, 4, k, levels)  # (R, 4, K, L)
    return Tally(*np.ascontiguousarray(np.moveaxis(counts, 0, 2), dtype=np.float64))


def credit(codes: Codes, gold: Codes, k: int) -> Floats:
    """What each item counts, (L, N): 1 right, 0 no answer, -1/(k-1) wrong, NaN not asked.

    Guessing between k labels then has expectation 0 (formula scoring; Thurstone 1919).
    """
    wrong = np.where(codes == gold, 1.0, -1.0 / (k - 1))
    return np.where(codes == MISSING, np.nan, np.where(codes == NO_ANSWER, 0.0, wrong))


def skill(t: Tally) -> Floats:
    """Mean credit within each gold label, then over the labels present, (R, L).

    Silence is 0; a constant answer is exactly 0 where every label is present; guessing is 0 in
    expectation. NaN where nothing was asked.
    """
    k = len(t.asked)
    present = t.asked > 0  # (K, R, L)
    with np.errstate(all="ignore"):
        right = np.where(present, t.right / t.asked, 0.0).sum(axis=0)
        answered = np.where(present, t.answered / t.asked, 0.0).sum(axis=0)
        return np.asarray((right - (answered - right) / (k - 1)) / present.sum(axis=0))


class Confusion(NamedTuple):
    """Precision, recall and F1 per label, each (K, R, L); 0 where a denominator is 0."""

    precision: Floats
    recall: Floats
    f1: Floats

    def macro(self) -> tuple[Floats, Floats, Floats]:
        """Means over the task's labels, (R, L) each, in the order precision, recall, F1."""
        return self.precision.mean(axis=0), self.recall.mean(axis=0), self.f1.mean(axis=0)


def confusion(t: Tally) -> Confusion:
    """Per-label metrics over the fixed labels; no answer is a miss and no class of its own.

    F1 = 2 TP / (predicted + gold). NaN at levels where nothing was asked.
    """

    def ratio(top: Floats, bottom: Floats) -> Floats:
        with np.errstate(all="ignore"):
            value = np.where(bottom > 0, top / bottom, 0.0)
        return np.where(t.asked.sum(axis=0) > 0, value, np.nan)

    return Confusion(
        ratio(t.right, t.predicted),
        ratio(t.right, t.asked),
        ratio(2 * t.right, t.predicted + t.asked),
    )


def no_answer(t: Tally) -> Floats:
    """Share of the asked items without an answer, (R, L); NaN where nothing was asked."""
    asked = t.asked.sum(axis=0)
    with np.errstate(all="ignore"):
        return np.asarray((asked - t.answered.sum(axis=0)) / asked)


def encode(values: Sequence[str | None], labels: Sequence[str]) -> Codes:
    """Labels to codes (N,); whatever is not one of the labels is no answer."""
    place = {label: code for code, label in enumerate(labels)}
    return np.array([place.get(v, NO_ANSWER) if v else NO_ANSWER for v in values], dtype=np.int8)


def tally_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Tally:
    """The counts of one list of answers, R = L = 1."""
    ones = np.ones((1, len(gold)), dtype=np.float32)
    return tally(ones, encode(answers, labels)[None, :], encode(gold, labels), len(labels))


def skill_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> float:
    """The skill of one list of answers (None is no answer) against its gold labels."""
    return float(skill(tally_of(gold, answers, labels))[0, 0])


def macro_f1_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> float:
    """Macro-F1 of one list of answers over the fixed labels."""
    return float(confusion(tally_of(gold, answers, labels)).macro()[2][0, 0])
