"""Whether items suffice for a comparison: what each weighs in the skill, and how many it takes.

Shapes: N items.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from resect.stats.intervals import Floats, Mask
from resect.stats.skill import Codes

ITEMS = 50
"""No item may weigh more than one in this many in the skill: with fewer, or with a rare label's
few, percentile intervals of a bootstrap are too narrow (Hesterberg 2015, The American Statistician
69:371). In simulations without a true difference (2 to 4 labels, even and uneven, 2 to 10 levels)
8 % of studies of 12 items had an interval without 0 in it, from here on 6 % in either kind."""

DIFFERING = 6
"""Items on which two curves have to differ: of five that all go one way an exact two-sided p is
still 0.0625, where the bootstrap calls it from four on."""


def skill_weights(gold: Codes, sizes: NDArray[np.intp], items: Mask) -> Floats:
    """The share of each item in the skill over `items` (N,): (N,), 0 for the others.

    Within each number of options (`sizes`) the labels weigh alike, and so do the items of one
    label. Items of one label alone tell nothing of skill.
    """
    weights = np.zeros(len(items))
    for size in np.unique(sizes[items]):
        these = items & (sizes == size)
        labels, place, counts = np.unique(gold[these], return_inverse=True, return_counts=True)
        if len(labels) > 1:
            weights[these] = these.sum() / len(labels) / counts[place]
    return np.asarray(weights / weights.sum())


def needed(weights: Floats, clusters: NDArray[np.intp], items: Mask) -> int:
    """How many items like these it takes until no cluster weighs more than one in `ITEMS`."""
    heaviest = float(np.bincount(clusters, weights).max())
    return ceil(int(items.sum()) * heaviest * ITEMS - 1e-6)
