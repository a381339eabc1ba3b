"""Design effect and effective sample size of clustered items.

Shapes: N items. `clusters` (N,) numbers each item's parent from 0, an item without one being its
own. Where every item is its own parent nothing changes: the normal and exact formulas hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from resect.stats.intervals import Floats, Interval, Z, wilson

USUAL = 0.1
"""How alike the items of one parent are taken to be where these items do not say it."""

TELLING = 2
"""Items a parent, of those that an estimate rests on, at which it counts as much as `USUAL`."""


class DesignEffect(NamedTuple):
    """What items that share parents are worth for the mean of some values.

    `deff` is by how much sharing inflates the variance of the mean, at least 1. `parents` are
    counted as if of equal size, n^2 / sum of size^2 (Carter, Schnepel and Steigerwald 2017), and
    `freedom` is one less: the degrees of freedom of Student's t; infinite where none is shared.
    """

    deff: float
    parents: float
    freedom: float


def effective_number(size: ArrayLike) -> float:
    """How many units of one size those of these sizes are worth (Kish 1965); not all may be 0."""
    sizes = np.asarray(size)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def design_effect(
    values: NDArray[np.float64] | NDArray[np.bool_],
    among: NDArray[np.bool_],
    clusters: NDArray[np.intp],
) -> DesignEffect:
    """Of the values (N,) of some items (N,).

    The effect is 1 + (size - 1) x correlation (Kish 1965), the correlation within parents being
    that of the variance between the sums of parents over that of independent items. A few items
    that differ from the rest cannot say how they hang together: a low correlation is raised
    towards `USUAL`, by the more the fewer items (sum of squares squared over the sum of fourth
    powers: the rarer of right and wrong ones) it rests on. Without any it is `USUAL`.
    """
    group = clusters[among]
    size = np.bincount(group)
    used = np.flatnonzero(size)
    n, count = len(group), len(used)
    if n == count:
        return DesignEffect(1.0, float(n), np.inf)
    parents = effective_number(size)
    each = n / parents  # the size of the parent of a random item
    apart = values[among] - np.mean(values[among], dtype=float)
    alone = float((apart**2).sum())
    seen = known = 0.0
    if count > 1 and alone > 1e-12 * n:
        between = float((np.bincount(group, apart)[used] ** 2).sum()) * count / (count - 1)
        seen = max(0.0, (between / (alone * n / (n - 1)) - 1) / (each - 1))
        known = alone**2 / float((apart**4).sum())
    weight = known / (known + TELLING * parents)
    alike = max(seen, weight * seen + (1 - weight) * USUAL)
    return DesignEffect(1 + (each - 1) * alike, parents, max(parents - 1, 1.0))


def share(
    hits: NDArray[np.bool_], among: NDArray[np.bool_], clusters: NDArray[np.intp]
) -> Interval:
    """The share of `hits` (N,) `among` some items (N,), with its 95 % interval; None of none.

    Wilson's, of counts divided by their own design effect (Rao and Scott 1992, Biometrics
    48:577) and with Student's t for the normal where items share parents.
    """
    right, n = int((hits & among).sum()), int(among.sum())
    deff, _, freedom = design_effect(hits, among, clusters)
    ends = wilson(right / deff, n / deff, z95(freedom))
    return ends._replace(value=right / n) if n else ends


def z95(freedom: float) -> float:
    """What a 95 % interval reaches on either side, in standard errors."""
    return Z if np.isinf(freedom) else float(quantile(0.025, freedom))


def quantile(alpha: float, freedom: ArrayLike) -> Floats:
    """What Student's t exceeds with probability `alpha`; the normal for infinite `freedom`."""
    return np.asarray(np.where(np.isinf(freedom), ndtri(1 - alpha), stdtrit(freedom, 1 - alpha)))
