"""Floors: what answering without knowledge gets on the very items used.

Shapes: N items, K labels.
"""

from __future__ import annotations

import math

import numpy as np

from resect.findings.frame import TaskFrame
from resect.findings.rows import Averages, Floors, Task
from resect.record import TaskInfo

NO_FLOORS = Floors(
    chance=None, majority=None, majority_label=None, majority_weighted=None, always_positive=None
)


def floors(frame: TaskFrame, positive: str | None) -> Floors:
    """Accuracies of guessing among each item's own options, of the commonest gold label, and of
    always saying `positive`.

    The first label of the task wins a tie for the commonest. None without items or labels.
    """
    counts = gold_counts(frame)
    n = sum(counts.values())
    if not n:
        return NO_FLOORS
    commonest = max(counts, key=lambda label: counts[label])
    share = counts[commonest] / n
    # of the weighted averages only the commonest label has a precision, its share
    weighted = Averages(precision=share**2, recall=share, f1=share * 2 * share / (share + 1))
    return Floors(
        chance=math.fsum(frame.guessed) / n,
        majority=share,
        majority_label=commonest,
        majority_weighted=weighted,
        always_positive=counts[positive] / n if positive in counts else None,
    )


def gold_counts(frame: TaskFrame) -> dict[str, int]:
    """How many items have each gold label."""
    return {label: int(np.sum(frame.gold == i)) for i, label in enumerate(frame.labels)}


def task_row(frame: TaskFrame, info: TaskInfo) -> Task:
    """A task with its gold labels and floors."""
    return Task(
        name=info.name,
        kind=info.kind,
        domain=info.domain,
        labels=tuple(info.labels),
        summary=info.summary,
        protocol=info.protocol,
        scored=info.scored,
        primary=info.primary,
        margin=info.margin,
        caps=dict(info.caps),
        losses=dict(info.losses),
        positive=info.positive,
        n=len(frame.items),
        gold=gold_counts(frame),
        floors=floors(frame, info.positive),
    )
