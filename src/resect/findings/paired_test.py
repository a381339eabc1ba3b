"""Two cells on the same items: which one is better, and how sure."""

from __future__ import annotations

from typing import Any

import numpy as np

from resect.findings.frame import Key, TaskFrame
from resect.stats import skill as sk
from resect.stats.paired_change import Counts, Mask, Means


def asked_both(frame: TaskFrame, left: Key, right: Key) -> Mask:
    """Items that both cells were asked, (N,)."""
    return np.asarray(
        (frame.codes[left] != sk.MISSING) & (frame.codes[right] != sk.MISSING), dtype=bool
    )


def versus(frame: TaskFrame, left: Key, right: Key) -> dict[str, Any]:
    """Accuracy of `left` (a) minus `right` (b): Tango's interval, exact McNemar.

    Where items share a parent the table is divided by its design effect, and p is of the score
    test by Student's t: an exact test of counts has no such correction. Where items can be right
    in part the metric is the task's own, with Student's paired interval and test. p is 1 where
    nothing changed. At least one item must have been asked of both.
    """
    asked = asked_both(frame, left, right)
    found = (_parts if frame.graded else _counts)(frame, left, right, asked)
    if found["difference"] == 0 and np.isnan(found["p"]):  # no variance to divide by
        found["p"] = 1.0
    return found


def _counts(frame: TaskFrame, left: Key, right: Key, asked: Mask) -> dict[str, Any]:
    """Items that only one of two cells has right."""
    ours, theirs = frame.codes[left] == frame.gold, frame.codes[right] == frame.gold
    change = Counts.of(theirs, ours[None], asked[None], frame.cluster)
    only_b, only_a = change.counts(0)
    low, high = change.bounds(0, 0.025)
    return {
        "metric": "accuracy" if frame.labels else frame.primary,
        "accuracy_a": float(np.mean(ours[asked])),
        "accuracy_b": float(np.mean(theirs[asked])),
        "only_a": only_a,
        "only_b": only_b,
        "difference": float(change.value[0]),
        "low": low,
        "high": high,
        "p": change.unequal(0),
        "design_effect": float(change.effect[0]),
    }


def _parts(frame: TaskFrame, left: Key, right: Key, asked: Mask) -> dict[str, Any]:
    """The task's own metric of two cells."""
    assert frame.headline is not None
    sums = [frame.headline.sums(frame.parts[key]) for key in (right, left)]
    top, bottom = (np.stack(both) for both in zip(*sums, strict=True))
    change = Means.of(top, bottom, np.stack([asked, asked]), frame.cluster)
    low, high = change.bounds(1, 0.025)
    start, value = float(change.before[1]), float(change.value[1])
    return {
        "metric": frame.primary,
        "accuracy_a": start + value,
        "accuracy_b": start,
        "only_a": None,
        "only_b": None,
        "difference": value,
        "low": low,
        "high": high,
        "p": float(2 * min(change.p(0.0)[1], 1 - change.p(0.0)[1])),
        "design_effect": float(change.effect[1]),
    }
