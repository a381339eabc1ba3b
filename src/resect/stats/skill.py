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

from resect.stats.intervals import Floats, Weights

NO_ANSWER, MISSING = -1, -2
Codes = NDArray[np.int8]


class Tally(NamedTuple):
    """Weighted counts, each (K, R, L). `predicted` is per predicted label, the rest per gold.

    `named` counts answers that name a label which the sample (row 0) has items of.
    """

    asked: Floats
    answered: Floats
    right: Floats
    predicted: Floats
    named: Floats


def tally(weights: Weights, codes: Codes, gold: Codes, k: int) -> Tally:
    """Count answers (L, N) against gold (N,) under every row of weights (R, N)."""
    levels, n = codes.shape
    each = np.arange(k, dtype=np.int8)[:, None, None]
    of_gold = gold == each  # (K, 1, N)
    named = codes == each  # (K, L, N)
    hits = [(codes != MISSING) & of_gold, (codes >= 0) & of_gold, named & of_gold, named]
    present = (hits[0] & (weights[0] > 0)).any(axis=2)  # (K, L)
    if not present.all():
        hits.append((named & present[..., None]).any(axis=0) & of_gold)
    flat = np.stack(hits).reshape(-1, n).T.astype(np.float32)  # one product for everything
    counts = (weights @ flat).reshape(-1, len(hits), k, levels)  # (R, 4 or 5, K, L)
    if present.all():
        counts = counts[:, [0, 1, 2, 3, 1]]
    return Tally(*np.ascontiguousarray(np.moveaxis(counts, 0, 2), dtype=np.float64))


def credit(codes: Codes, gold: Codes, k: int) -> Floats:
    """What each item counts, (L, N): 1 right, 0 no answer, -1/(k-1) wrong, NaN not asked.

    Guessing between k labels then has expectation 0 (formula scoring; Thurstone 1919). Here k
    counts the labels that have items.
    """
    wrong = np.where(codes == gold, 1.0, -1.0 / (k - 1))
    return np.where(codes == MISSING, np.nan, np.where(codes == NO_ANSWER, 0.0, wrong))


def skill(t: Tally) -> Floats:
    """Mean credit within each gold label, then over the m labels with items in row 0, (R, L).

    A wrong answer counts -1/(m-1). One that names a label without items could never be right
    and counts 0, like silence; a label that only a resample lacks counts 0 there. So silence
    and a constant answer are exactly 0 and guessing is 0 in expectation, whichever labels the
    sample has. NaN where it has fewer than 2: no score can tell skill from a constant answer.
    """
    m = present_labels(t)
    drawn = t.asked > 0  # (K, R, L)
    with np.errstate(all="ignore"):
        right = np.where(drawn, t.right / t.asked, 0.0).sum(axis=0)
        named = np.where(drawn, t.named / t.asked, 0.0).sum(axis=0)
        mean = (right - (named - right) / (m - 1)) / m
    asked = drawn.any(axis=0)
    return np.asarray(np.where((m > 1) & asked, mean, np.nan))


def present_labels(t: Tally) -> NDArray[np.intp]:
    """How many labels have items in the sample at each level, (L,)."""
    return np.asarray((t.asked[:, 0] > 0).sum(axis=0))


class Confusion(NamedTuple):
    """Precision, recall and F1 per label, each (K, R, L); 0 where a denominator is 0."""

    precision: Floats
    recall: Floats
    f1: Floats

    def macro(self) -> tuple[Floats, Floats, Floats]:
        """Means over the task's labels, (R, L) each, in the order precision, recall, F1."""
        return self.precision.mean(axis=0), self.recall.mean(axis=0), self.f1.mean(axis=0)

    def weighted(self, t: Tally) -> tuple[Floats, Floats, Floats]:
        """Means over the labels, each by its share of the gold, (R, L): recall is accuracy."""
        with np.errstate(all="ignore"):
            share = t.asked / t.asked.sum(axis=0)
        precision, recall, f1 = ((values * share).sum(axis=0) for values in self)
        return precision, recall, f1


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


def encode(values: Sequence[str | None], labels: Sequence[str]) -> Codes:
    """Labels to codes (N,); whatever is not one of the labels is no answer."""
    place = {label: code for code, label in enumerate(labels)}
    return np.array([place.get(v, NO_ANSWER) if v else NO_ANSWER for v in values], dtype=np.int8)
