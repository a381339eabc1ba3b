"""Bias: which answers a model leans to, whatever the question.

Shapes: R + 1 rows of item weights (row 0 is the sample), L levels, K labels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from resect.findings.curves import Sampled, describe
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.distances import Distance, Size
from resect.stats.intervals import Floats, Interval, intervals

LETTERS = frozenset("ABCDEFGHIJ")


class Detection(NamedTuple):
    """Signal detection of the positive label, each (R + 1, L)."""

    sensitivity: Floats
    criterion: Floats


def detection(t: sk.Tally, positive: int) -> Detection:
    """D' = z(H) - z(F) and c = -(z(H) + z(F)) / 2 for one label against the others.

    H: share of the answered gold-positive items answered positive, F: the same of the answered
    others. Silence is no answer to either question: counted as not saying yes it would look
    like a lean to no. Rates are (count + 1/2) / (answers + 1), the log-linear correction (Hautus
    1995, Behavior Research Methods 27:46), so that 0 and 1 stay finite. A criterion below 0
    leans to yes. NaN where one side has no answers.
    """
    hits, yes = t.right[positive], t.answered[positive]  # (R + 1, L)
    false = t.predicted[positive] - hits
    no = t.answered.sum(axis=0) - yes
    hit = ndtri((hits + 0.5) / (yes + 1))
    alarm = ndtri((false + 0.5) / (no + 1))
    both = (yes > 0) & (no > 0)
    return Detection(
        np.where(both, hit - alarm, np.nan), np.where(both, -(hit + alarm) / 2, np.nan)
    )


def lean(t: sk.Tally) -> Distance:
    """Distance of the answers given from the gold of the same items, from 0 to 1.

    Total variation, half the sum of |share of answers - share of gold| over labels, where the
    shares of gold are of all items asked. NaN without any answer.
    """
    with np.errstate(all="ignore"):
        said = t.predicted / t.predicted.sum(axis=0)  # (K, R + 1, L)
        gold = t.asked / t.asked.sum(axis=0)
        return Distance(np.moveaxis((said - gold) / 2, 0, -1), order=1)


def recall_spread(t: sk.Tally) -> Distance:
    """Standard deviation of recall over the labels that have items.

    The selection bias RStd of Zheng et al. 2024 (arXiv:2309.03882): 0 where no letter is
    favoured, whatever the accuracy.
    """
    with np.errstate(all="ignore"):
        present = t.asked > 0
        count = present.sum(axis=0)
        recall = np.where(present, t.right / t.asked, 0.0)
        apart = np.where(present, recall - recall.sum(axis=0) / count, 0.0)
        return Distance(np.moveaxis(apart / np.sqrt(count), 0, -1), order=2)


def bias(sampled: Sampled, positive: str | None) -> list[dict[str, Any]]:
    """One row for each level with answers of a label task."""
    curve, t = sampled.curve, sampled.counts
    labels = curve.frame.labels
    letters = set(labels) <= LETTERS
    leaning = lean(t).sizes
    spread = recall_spread(t).sizes if letters else []
    at_yes = labels.index(positive) if positive in labels else None
    signal = None if at_yes is None else [intervals(x) for x in detection(t, at_yes)]
    rows = []
    for at in np.flatnonzero(curve.present):
        gold = [int(x) for x in t.asked[:, 0, at]]
        said = [int(x) for x in t.predicted[:, 0, at]]
        n, codes, cluster = sum(gold), curve.codes[at], curve.frame.cluster
        given = [share(codes == i, codes != sk.MISSING, cluster) for i in range(len(labels))]
        row = describe(
            curve,
            level=curve.levels[at],
            n=n,
            answered=sum(said),
            predicted={x: _data(found) for x, found in zip(labels, given, strict=True)},
            gold={x: g / n for x, g in zip(labels, gold, strict=True)},
            lean=_data(leaning[at]),
            favourite=_favourite(labels, said, gold),
            letter_bias=_data(spread[at]) if letters else None,
            floors={
                "majority": max(gold) / n,
                "majority_label": labels[gold.index(max(gold))],
                "always_positive": None if at_yes is None else gold[at_yes] / n,
            },
        )
        if at_yes is not None and signal is not None:
            row["positive"] = positive
            row["positive_share"] = _data(share(codes == at_yes, codes >= 0, cluster))
            row["sensitivity"], row["criterion"] = (_data(x[at]) for x in signal)
        rows.append(row)
    return rows


def _favourite(labels: tuple[str, ...], said: list[int], gold: list[int]) -> dict[str, Any] | None:
    """The label answered most above its share of gold, and by how much of the answers."""
    if not sum(said):
        return None
    over = [s / sum(said) - g / sum(gold) for s, g in zip(said, gold, strict=True)]
    best = int(np.argmax(over))
    return {"label": labels[best], "excess": over[best]}


def _data(found: Interval | Size) -> dict[str, Any]:
    return dict(found._asdict())
