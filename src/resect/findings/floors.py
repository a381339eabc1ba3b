"""Floors: what answering without knowledge gets on the very items used.

Shapes: N items, K labels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from resect.findings.frame import TaskFrame
from resect.record import TaskInfo


def floors(frame: TaskFrame, positive: str | None) -> dict[str, Any]:
    """Accuracies of guessing among each item's own options, of the commonest gold label, and of
    always saying `positive`.

    The first label of the task wins a tie for the commonest. None without items or labels.
    """
    counts = gold_counts(frame)
    n = sum(counts.values())
    if not n:
        names = ("chance", "majority", "majority_label", "majority_weighted", "always_positive")
        return dict.fromkeys(names)
    commonest = max(counts, key=lambda label: counts[label])
    share = counts[commonest] / n
    return {
        "chance": math.fsum(frame.guessed) / n,
        "majority": share,
        "majority_label": commonest,
        # weighted averages: only the commonest label has a precision, its share
        "majority_weighted": {
            "precision": share**2,
            "recall": share,
            "f1": share * 2 * share / (share + 1),
        },
        "always_positive": counts[positive] / n if positive in counts else None,
    }


def gold_counts(frame: TaskFrame) -> dict[str, int]:
    """How many items have each gold label."""
    return {label: int(np.sum(frame.gold == i)) for i, label in enumerate(frame.labels)}


def task_row(frame: TaskFrame, info: TaskInfo) -> dict[str, Any]:
    """A task as a row of summary.json."""
    return {
        "name": info.name,
        "kind": info.kind,
        "domain": info.domain,
        "labels": list(info.labels),
        "summary": info.summary,
        "protocol": info.protocol,
        "scored": info.scored,
        "primary": info.primary,
        "margin": info.margin,
        "margins": {
            "no_answer": info.margin_no_answer,
            "miss": info.margin_miss,
            "confident_error": info.margin_confident_error,
        },
        "positive": info.positive,
        "n": len(frame.items),
        "gold": gold_counts(frame),
        "floors": floors(frame, info.positive),
    }
