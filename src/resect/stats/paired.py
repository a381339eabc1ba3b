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


class Pairs(NamedTuple):
    """Items lost and gained of n, and the two-sided p-value that neither is commoner."""

    n: int
    lost: int
    gained: int
    p: float

    @property
    def change(self) -> float:
        """How much the share rose; NaN without items."""
        return (self.gained - self.lost) / self.n if self.n else float("nan")


def mcnemar(b: ArrayLike, c: ArrayLike) -> Floats:
    """Exact two-sided p-value: 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1.

    McNemar 1947 (Psychometrika 12:153); the exact conditional test of Fagerland, Lydersen and
    Laake 2013 (BMC Medical Research Methodology 13:91). 1 without discordant items.
    """
    b, c = np.asarray(b, dtype=float), np.asarray(c, dtype=float)
    return np.asarray(np.minimum(1.0, 2 * bdtr(np.minimum(b, c), (b + c).astype(int), 0.5)))


def pairs(before: Mask, after: Mask, asked: Mask, clusters: NDArray[np.intp]) -> Pairs:
    """What changed from `before` to `after`, (N,) each, over the items `asked` (N,).

    By McNemar's exact test; where items share parents these are the units of the score test.
    """
    n = int(asked.sum())
    lost, gained = int((before & ~after & asked).sum()), int((~before & after & asked).sum())
    if n and len(np.unique(clusters[asked])) < n:
        return Pairs(n, lost, gained, two_sided(_sample(before, after, asked, clusters)))
    return Pairs(n, lost, gained, float(mcnemar(lost, gained)))


def change_interval(
    before: Mask, after: Mask, asked: Mask, clusters: NDArray[np.intp], alpha: float = 0.025
) -> tuple[float, float]:
    """Tango's interval of the change, each end at one-sided `alpha`; at least one item asked."""
    low, high = score_interval(_sample(before, after, asked, clusters), alpha)
    return float(low[0]), float(high[0])


def _sample(before: Mask, after: Mask, asked: Mask, clusters: NDArray[np.intp]) -> Strata:
    return change_of_share((after.astype(float) - before)[None], asked, clusters)


def change_of_share(change: Floats, asked: Mask, clusters: NDArray[np.intp]) -> Strata:
    """The units of changes (B, N) of values from 0 to 1 over the items `asked` (N,)."""
    group, span = np.zeros(change.shape[1], dtype=np.intp), np.array([[-1.0, 1.0]])
    return units(change, asked, group, np.ones(1), span, clusters)


def two_sided(sample: Strata) -> float:
    """Two-sided p-value that the mean of the first sample is 0, by the score test."""
    p = float(score_p(sample, 0.0)[0])
    return min(1.0, 2 * min(p, 1 - p))
