"""Pairs of right and wrong: how many items were lost and gained, and how sure the change is.

Shapes: N items. A loss was right before and wrong after, a gain the other way round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from resect.stats.bounded_mean import Strata, score_interval, score_p, units
from resect.stats.intervals import Floats, Mask


class PairedChange(NamedTuple):
    """Items lost and gained of n, the change of the share, its interval and two-sided p-value."""

    n: int
    lost: int
    gained: int
    value: float
    low: float
    high: float
    p: float


def mcnemar(b: ArrayLike, c: ArrayLike) -> Floats:
    """Exact two-sided p-value: 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1.

    McNemar 1947 (Psychometrika 12:153); the exact conditional test of Fagerland, Lydersen and
    Laake 2013 (BMC Medical Research Methodology 13:91). 1 without discordant items.
    """
    b, c = np.asarray(b, dtype=float), np.asarray(c, dtype=float)
    return np.asarray(np.minimum(1.0, 2 * bdtr(np.minimum(b, c), (b + c).astype(int), 0.5)))


def paired_change(
    before: Mask, after: Mask, asked: Mask, clusters: NDArray[np.intp], alpha: float = 0.025
) -> PairedChange:
    """The change from `before` to `after`, (N,) each, over the items `asked` (N,).

    Tango's interval, each end at one-sided `alpha`, and McNemar's exact test; where items share
    parents these are the units, and the p-value is the score test's. NaN without items.
    """
    n = int(asked.sum())
    if not n:
        return PairedChange(0, 0, 0, *[float("nan")] * 4)
    lost, gained = int((before & ~after & asked).sum()), int((~before & after & asked).sum())
    sample = change_of_share(after.astype(float) - before, asked, clusters)
    low, high = (float(x[0]) for x in score_interval(sample, alpha))
    shared = len(np.unique(clusters[asked])) < n
    p = two_sided(sample) if shared else float(mcnemar(lost, gained))
    return PairedChange(n, lost, gained, (gained - lost) / n, low, high, p)


def change_of_share(change: Floats, asked: Mask, clusters: NDArray[np.intp]) -> Strata:
    """The units of one change (N,) of values from 0 to 1 over the items `asked` (N,)."""
    group, span = np.zeros(len(change), dtype=np.intp), np.array([[-1.0, 1.0]])
    return units(change[None], asked, group, np.ones(1), span, clusters)


def two_sided(sample: Strata) -> float:
    """Two-sided p-value that the mean of the first sample is 0, by the score test."""
    p = float(score_p(sample, 0.0)[0])
    return min(1.0, 2 * min(p, 1 - p))
