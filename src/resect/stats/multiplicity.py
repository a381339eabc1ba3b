"""Many comparisons at once: Holm's step-down correction over the tasks and kinds of one pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resect.stats.intervals import Floats

LEVEL = 0.05
"""Two-sided family-wise error of the adjusted verdicts."""


def bootstrap_p(draws: Floats) -> float | None:
    """Two-sided p-value that a difference is 0, from (R + 1,) draws; row 0 is the sample.

    Twice the smaller share of resamples on either side of 0, with one added to both counts
    (Davison and Hinkley 1997, chapter 4), so that it is at least 2 / (R + 1).
    """
    rest = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not rest.size:
        return None
    fewer = min(int((rest <= 0).sum()), int((rest >= 0).sum()))
    return min(1.0, 2 * (1 + fewer) / (1 + rest.size))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    order = np.argsort(p, kind="stable")
    found = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[at]))
        found[at] = highest
    return found
