"""Balanced accuracy: every gold label counts the same, whatever its share of the items.

Where 92 % of the items are "yes", a model that says nothing but "yes" has an accuracy of 0.92.
Its balanced accuracy is one half, and it falls there from wherever it was. Shapes: N items, L
levels, K labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.stats import skill as sk
from resect.stats.intervals import Floats, Mask, Weights, ratio

ENOUGH = 2.0
"""A label of at least this many items over the margin (40 at 5 points) is a group of its own. Of
two groups with so many each, a loss of the margin that lies in one is a tenth of its items, which
40 that stayed right rule out at a one-sided 0.025."""


class Balanced(NamedTuple):
    """What the items count, (L, N) from 0 to 1, the group of each (N,), and what a guess counts."""

    scores: Floats
    group: NDArray[np.intp]
    guess: float


def balanced(codes: sk.Codes, gold: sk.Codes, asked: Mask, margin: float) -> Balanced:
    """Balanced accuracy as the mean over groups of mean scores; `codes` and `asked` are (L, N).

    A group is a gold label, or several rare ones (`pooled`). A right answer counts 1, a wrong one
    0, and what names no label of these items counts `guess`: the most that one answer to all of
    them gets, 1/K where no label is pooled. Then silence and every constant answer get `guess`
    at the most, and nothing that looks at no item is better. It is 1/K + (K-1)/K x skill.
    """
    counts = np.bincount(gold[asked[0]], minlength=int(gold.max()) + 1)
    groups = pooled(counts, ENOUGH / margin)
    size = np.bincount(groups, counts)[groups]
    guess = float((counts / np.maximum(size, 1)).max()) / (int(groups.max()) + 1)
    named = np.isin(codes, np.flatnonzero(counts))
    scores = np.where(codes == gold, 1.0, np.where(named, 0.0, guess))
    return Balanced(np.where(asked, scores, 0.0), groups[gold], guess)


def pooled(counts: NDArray[np.intp], least: float) -> NDArray[np.intp]:
    """The group of each label, (K,), from its items (K,): the two smallest groups become one
    while the smallest has fewer than `least` items and more than two are left.
    """
    groups = sorted((int(n), [label]) for label, n in enumerate(counts) if n)
    while len(groups) > 2 and groups[0][0] < least:
        (few, one), (more, other), *rest = groups
        groups = sorted([(few + more, one + other), *rest])
    found = np.zeros(len(counts), dtype=np.intp)
    for number, (_, labels) in enumerate(groups):
        found[labels] = number
    return found


def beyond_guessing(found: Balanced, weights: Weights, asked: Mask) -> Floats:
    """Level 0 as a share of the way from a guess to all right, (R + 1,), over `asked` (N,).

    Skill, where no label is pooled and all items have as many options. A group that a resample
    lacks counts as a guess there.
    """
    first = found.scores[:1]
    each = [
        ratio(weights, first, np.ones_like(first), asked & (found.group == g))[:, 0]
        for g in np.unique(found.group[asked])
    ]
    mean = np.nan_to_num(np.array(each), nan=found.guess).mean(axis=0)
    return np.asarray((mean - found.guess) / (1 - found.guess))
