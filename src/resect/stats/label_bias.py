"""Leanings of answers: signal detection, distance from the gold shares, spread of recall.

Shapes: R + 1 rows of item weights (row 0 is the sample), L levels, K labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from resect.stats.distances import Distance
from resect.stats.intervals import Floats
from resect.stats.skill import Tally


class Detection(NamedTuple):
    """Signal detection of the positive label, each (R + 1, L)."""

    sensitivity: Floats
    criterion: Floats


def detection(t: Tally, positive: int) -> Detection:
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


def lean(t: Tally) -> Distance:
    """Distance of the answers given from the gold of the same items, from 0 to 1.

    Total variation, half the sum of |share of answers - share of gold| over labels, where the
    shares of gold are of all items asked. NaN without any answer.
    """
    with np.errstate(all="ignore"):
        answers = t.predicted / t.predicted.sum(axis=0)  # (K, R + 1, L)
        gold = t.asked / t.asked.sum(axis=0)
        return Distance(np.moveaxis((answers - gold) / 2, 0, -1), order=1)


def recall_spread(t: Tally) -> Distance:
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
