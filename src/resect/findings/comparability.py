"""Whether there are enough items to say which of two curves retains more.

Shapes: N items, L levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resect.findings.curves import Curve
from resect.stats.intervals import Floats, Mask
from resect.stats.sample_size import DIFFERING, needed, skill_weights


def weight(curve: Curve, items: Mask) -> Floats:
    """The share of each item in the skill over `items` (N,): (N,), 0 for the others."""
    frame = curve.frame
    if frame.headline is not None:
        return np.asarray(items / items.sum())
    return skill_weights(frame.gold, frame.sizes, items)


def differing(a: Curve, b: Curve, items: Mask) -> Mask:
    """Items (N,) that count otherwise in one curve than in the other at any level."""
    apart = np.zeros(len(items), dtype=bool)
    for counts_a, counts_b in zip(_counted(a), _counted(b), strict=True):
        apart |= (counts_a != counts_b).any(axis=0)
    return np.asarray(apart & items)


def _counted(curve: Curve) -> Sequence[Floats]:
    """What the skill is made of, (L, N) each."""
    main = curve.frame.headline
    if main is not None:
        return curve.sums(main)
    return curve.right.astype(float), (curve.codes >= 0).astype(float)


def too_few(a: Curve, b: Curve, items: Mask) -> str | None:
    """What is lacking for a verdict over `items` (N,), asked at every level of both; or None."""
    n, cluster = int(items.sum()), a.frame.cluster
    enough = needed(weight(a, items), cluster, items)
    if enough > n:
        return f"{n} items are too few, it takes about {enough} like them"
    apart = len(np.unique(cluster[differing(a, b, items)]))
    if apart < DIFFERING:
        alone = len(np.unique(cluster[items])) == n
        where = f"{apart} of {n} items" if alone else f"items of {apart} parents"
        return f"the two differ on {where}, it takes {DIFFERING}"
    return None
