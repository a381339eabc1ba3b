"""A seeded order of a task's items: halves that select and confirm, and looks that stop early.

Items of one parent stay together; parts are alike in their gold labels. Shapes: N items.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resect.findings.frame import TaskFrame
from resect.stats.intervals import Mask


def ranked(frame: TaskFrame, seed: int) -> list[str]:
    """Parents by the gold label of their first item, then by a hash of seed, task and name."""
    gold: dict[str, int] = {}
    for item, cluster in enumerate(frame.clusters):
        gold.setdefault(cluster, int(frame.gold[item]))
    key = {
        name: hashlib.sha256(f"{seed}\n{frame.name}\n{name}".encode()).hexdigest() for name in gold
    }
    return sorted(gold, key=lambda name: (gold[name], key[name]))


def halves(frame: TaskFrame, seed: int) -> tuple[Mask, Mask]:
    """The items that select and those that confirm, (N,) each: every other parent confirms."""
    confirms = set(ranked(frame, seed)[1::2])
    held = np.array([cluster in confirms for cluster in frame.clusters], dtype=bool)
    return ~held, held


def look_numbers(frame: TaskFrame, seed: int, shares: Sequence[float]) -> NDArray[np.intp]:
    """The look at which each item is first asked, from 1, (N,).

    Up to each look every gold label, and either half of it, has given its share of parents.
    """
    place = {cluster: item for item, cluster in reversed(list(enumerate(frame.clusters)))}
    of_label: dict[int, list[str]] = defaultdict(list)
    for name in ranked(frame, seed):
        of_label[int(frame.gold[place[name]])].append(name)
    look = {
        name: 1 + int(np.searchsorted(np.asarray(shares), (rank + 0.5) / len(names)))
        for names in of_label.values()
        for rank, name in enumerate(names)
    }
    return np.array([look[cluster] for cluster in frame.clusters], dtype=np.intp)
