"""Two cells on the same items: which one is better, and how sure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from resect.findings.frame import Key, TaskFrame
from resect.findings.utility import influence
from resect.stats import skill as sk
from resect.stats.bounded_mean import score_interval
from resect.stats.intervals import Mask
from resect.stats.paired import change_interval, change_of_share, pairs, two_sided


class PairedTest(NamedTuple):
    """Metric of a minus that of b; `only_a` and `only_b` are None where items have a part."""

    metric: str
    accuracy_a: float
    accuracy_b: float
    only_a: int | None
    only_b: int | None
    difference: float
    low: float
    high: float
    p: float


def asked_both(frame: TaskFrame, left: Key, right: Key) -> Mask:
    """Items that both cells were asked, (N,)."""
    return np.asarray(
        (frame.codes[left] != sk.MISSING) & (frame.codes[right] != sk.MISSING), dtype=bool
    )


def versus(frame: TaskFrame, left: Key, right: Key) -> PairedTest:
    """Accuracy of `left` (a) minus `right` (b): Tango's interval, exact McNemar.

    Where items can be right in part the metric is the task's own, with the score test of it. Items
    that share a parent are one unit. At least one item must have been asked of both.
    """
    asked = asked_both(frame, left, right)
    if frame.graded:
        return _of_metric(frame, left, right, asked)
    right_a, right_b = frame.codes[left] == frame.gold, frame.codes[right] == frame.gold
    where = right_b, right_a, asked, frame.cluster
    moved, (low, high) = pairs(*where), change_interval(*where)
    return PairedTest(
        metric="accuracy" if frame.labels else frame.primary,
        accuracy_a=float(np.mean(right_a[asked])),
        accuracy_b=float(np.mean(right_b[asked])),
        only_a=moved.gained,
        only_b=moved.lost,
        difference=moved.change,
        low=low,
        high=high,
        p=moved.p,
    )


def _of_metric(frame: TaskFrame, left: Key, right: Key, asked: Mask) -> PairedTest:
    """The task's own metric of two cells."""
    assert frame.headline is not None
    sums = [frame.headline.sums(frame.parts[key]) for key in (right, left)]
    top, bottom = (np.stack(both) for both in zip(*sums, strict=True))
    values = influence(np.where(asked, top, 0.0), bottom, asked)
    sample = change_of_share(values[1:] - values[0], asked, frame.cluster)
    low, high = (float(x[0]) for x in score_interval(sample))
    b, a = (float(row[asked].mean()) for row in values)
    return PairedTest(
        metric=frame.primary, accuracy_a=a, accuracy_b=b, only_a=None, only_b=None,
        difference=a - b, low=low, high=high, p=two_sided(sample),
    )  # fmt: skip
