"""Utility: 1 less what an answer costs, its mean within each gold label, then over the labels.

Shapes: N items, L levels, K groups of gold labels, A answers (the labels, then none).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.findings.curves import Curve
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.bounded_mean import Strata, units
from resect.stats.design_effect import effective_number
from resect.stats.intervals import Floats, Mask

RARE = 0.05
"""A gold label of a smaller share of the items is pooled with the other rare ones."""


class Utility(NamedTuple):
    """What every item is worth at every level, (L, N), and how the mean is taken.

    `group` (N,) numbers the items' groups, which weigh alike; `span` (K,), or (L, K) where levels
    differ, is the most that an item of each can lose. An item that a level lacks has lost it all.
    `floor` is the mean of the best constant answer, silence among them.
    """

    values: Floats
    group: NDArray[np.intp]
    span: Floats
    floor: float

    @property
    def weights(self) -> Floats:
        """What each group counts in the mean, (K,)."""
        groups = self.span.shape[-1]
        return np.full(groups, 1 / groups)

    def intact(self, items: Mask, clusters: NDArray[np.intp]) -> Strata:
        """The values of level 0 over some items (N,)."""
        values = self.values[:1]
        span = np.atleast_2d(self.span)[0]
        least = np.minimum(1 - span, values[:, items].min(initial=1.0))
        most = np.full(len(span), max(1.0, float(values[:, items].max(initial=1.0))))
        return units(values, items, self.group, self.weights, np.stack([least, most], 1), clusters)

    def change(self, items: Mask, clusters: NDArray[np.intp]) -> Strata:
        """The change of every level from level 0 over some items (N,)."""
        values = self.values - self.values[0]
        ends = np.stack([-self.span, self.span], axis=-1)
        return units(values, items, self.group, self.weights, ends, clusters)


def utility(curve: Curve, info: TaskInfo) -> Utility | None:
    """The utility of a curve; None of a task without skill, such as perplexity."""
    if not curve.frame.skilled:
        return None
    if curve.frame.labels:
        return _of_labels(curve, info)
    return of_metric(curve, curve.codes[0] != sk.MISSING) if curve.frame.graded else _of_hits(curve)


def _of_hits(curve: Curve) -> Utility:
    """Items that are right or wrong, all alike; silence is worth nothing."""
    group = np.zeros(len(curve.frame.items), dtype=np.intp)
    return Utility(curve.right.astype(float), group, np.ones(1), 0.0)


def of_metric(curve: Curve, items: Mask) -> Utility:
    """A metric that is a ratio of sums over some items (N,), by each one's influence on it.

    The influence of an item on top / bottom is (top - ratio x bottom) / mean bottom (Cochran 1977,
    section 6.3); with the ratio added its mean is the ratio. The loss of an item counts as that of
    one of mean size, each item weighed by its size, or as the largest of its level where that is
    more: what a destroyed level lost says nothing of the others.
    """
    assert curve.frame.headline is not None
    asked = curve.codes != sk.MISSING
    top, bottom = curve.sums(curve.frame.headline)
    bottom = np.where(asked, bottom, bottom[0])  # what a level lacks counts, and earned nothing
    top = np.where(asked, top, 0.0)
    values, size = influence(top, bottom, items), bottom[0, items]
    heavy = len(size) / effective_number(size) if size.any() else 1.0
    change = np.abs(values - values[0])[:, items].max(axis=1, initial=0.0)
    span = np.maximum(max(1.0, heavy), change)[:, None]
    return Utility(values, np.zeros(len(items), dtype=np.intp), span, 0.0)


def influence(top: Floats, bottom: Floats, items: Mask) -> Floats:
    """A ratio of sums plus each item's influence on it, (L, N): its mean over `items`."""
    with np.errstate(all="ignore"):
        mean = bottom[:, items].mean(axis=1, keepdims=True)
        ratio = top[:, items].mean(axis=1, keepdims=True) / mean
        return np.asarray(np.nan_to_num(ratio + (top - ratio * bottom) / mean))


def _of_labels(curve: Curve, info: TaskInfo) -> Utility:
    """Answers from a fixed set of labels, each costing what the task says."""
    frame, first = curve.frame, curve.codes[0] != sk.MISSING
    cost = costs(frame.labels, info)
    loss = cost[frame.gold, curve.codes.clip(sk.NO_ANSWER)]  # (L, N); no answer is the last column
    bold = info.losses.get("confident_error")
    if bold is not None and curve.beliefs is not None:
        sure = curve.beliefs.sure & ~curve.beliefs.right
        loss = np.where(sure, np.maximum(loss, bold), loss)
    counts = np.bincount(frame.gold[first], minlength=len(frame.labels))
    of_label = pooled(counts)
    group = of_label[frame.gold]
    present = counts > 0
    most = np.maximum(cost.max(axis=1), bold or 0.0)
    span = np.array(
        [most[present & (of_label == g)].max(initial=0.0) for g in range(of_label.max() + 1)]
    )
    loss = np.where(curve.codes == sk.MISSING, span[group], loss)
    size = np.bincount(of_label, counts)
    share = counts / np.maximum(size, 1)[of_label] / len(span)  # what each label counts, (A - 1,)
    return Utility(1 - loss, group, span, float((share @ (1 - cost)).max()) if first.any() else 0.0)


def costs(labels: tuple[str, ...], info: TaskInfo) -> Floats:
    """What each answer costs at each gold label, (labels, labels + 1): 0 right, else 1.

    The last column is no answer. A wrong answer to an item of the positive label costs
    `false_reassurance`, a wrong or missing one `missed_positive`, where the task says so.
    """
    cost = np.ones((len(labels), len(labels) + 1))
    np.fill_diagonal(cost, 0.0)
    if info.positive in labels:
        row = labels.index(info.positive)
        missed = info.losses.get("missed_positive", 1.0)
        cost[row, np.arange(len(labels) + 1) != row] = missed
        others = np.arange(len(labels)) != row
        reassured = info.losses.get("false_reassurance", missed)
        cost[row, : len(labels)][others] = max(missed, reassured)
    return cost


def pooled(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The group of each label, (labels,), from its items: labels of a share below `RARE` are one.

    By shares, so that more items of the same kind make the same groups. Where the rare ones
    together are still rare they join the rarest of the others. Labels without items are in 0.
    """
    share = counts / max(int(counts.sum()), 1)
    common = [int(x) for x in np.flatnonzero(share >= RARE)]
    rare = [int(x) for x in np.flatnonzero((share < RARE) & (counts > 0))]
    groups = [[label] for label in common]
    if rare and (share[rare].sum() >= RARE or not groups):
        groups.append(rare)
    elif rare:
        min(groups, key=lambda labels: (counts[labels[0]], labels[0])).extend(rare)
    group = np.zeros(len(counts), dtype=np.intp)
    for number, members in enumerate(groups):
        group[members] = number
    return group
