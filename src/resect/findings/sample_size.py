"""Whether there are enough items to say which of two curves keeps more."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from resect.findings.curves import Curve
from resect.stats.intervals import Floats, Mask

ITEMS = 50
"""No item may weigh more than one in this many in the skill: with fewer, or with a rare label's
few, percentile intervals of a bootstrap are too narrow (Hesterberg 2015, The American Statistician
69:371). In simulations without a true difference (2 to 4 labels, even and uneven, 2 to 10 levels)
8 % of studies of 12 items had an interval without 0 in it, from here on 6 % in either kind."""

DIFFERING = 6
"""Items on which two curves have to differ: of five that all go one way an exact two-sided p is
still 0.0625, where the bootstrap calls it from four on."""


def weight(curve: Curve, items: Mask) -> Floats:
    """The share of each item in the skill over `items` (N,): (N,), 0 for the others.

    As in `Sampled.skill_over`: within each number of options the labels weigh alike, and so do
    the items of one label.
    """
    frame = curve.frame
    if frame.headline is not None:
        return np.asarray(items / items.sum())
    found = np.zeros(len(items))
    for size in np.unique(frame.sizes[items]):
        these = items & (frame.sizes == size)
        labels, place, counts = np.unique(
            frame.gold[these], return_inverse=True, return_counts=True
        )
        if len(labels) > 1:  # items of one label tell nothing of skill
            found[these] = these.sum() / len(labels) / counts[place]
    return np.asarray(found / found.sum())


def differing(a: Curve, b: Curve, items: Mask) -> Mask:
    """Items (N,) that count otherwise in one curve than in the other at any level."""
    apart = np.zeros(len(items), dtype=bool)
    for one, other in zip(_counted(a), _counted(b), strict=True):
        apart |= (one != other).any(axis=0)
    return np.asarray(apart & items)


def _counted(curve: Curve) -> Sequence[Floats]:
    """What the skill is made of, (L, N) each."""
    main = curve.frame.headline
    if main is not None:
        return curve.sums(main)
    return curve.right.astype(float), (curve.codes >= 0).astype(float)


def too_few(a: Curve, b: Curve, items: Mask) -> str | None:
    """Why these items (N,) allow no verdict on two curves, with how many it takes; or None.

    Items of one parent are not independent, so that parents are what is counted and weighed.
    """
    n, cluster = int(items.sum()), a.frame.cluster
    heaviest = float(np.bincount(cluster, weight(a, items)).max())
    needed = ceil(n * heaviest * ITEMS - 1e-6)
    if needed > n:
        return f"{n} items are too few, it takes about {needed} like them"
    apart = len(np.unique(cluster[differing(a, b, items)]))
    if apart < DIFFERING:
        alone = len(np.unique(cluster[items])) == n
        where = f"{apart} of {n} items" if alone else f"items of {apart} parents"
        return f"the two differ on {where}, it takes {DIFFERING}"
    return None
