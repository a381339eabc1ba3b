"""Many tests at once: p-values of resampled differences, and Holm's step-down correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from resect.stats.intervals import Floats, Z, interval

ALPHA_TWO_SIDED = 0.05
"""Two-sided family-wise error of the adjusted verdicts."""

ALPHA_ONE_SIDED = 0.025
"""Of non-inferiority, so that a drawn 95 % band and the verdict agree."""


def bootstrap_p(draws: Floats) -> float | None:
    """Two-sided p-value that a difference is 0, from (R + 1,) draws; row 0 is the sample.

    By the normal with the bootstrap's standard error (Efron and Tibshirani 1993, chapter 12), read
    off the width of the 95 % interval, so that it can be as small as many tests at once need it:
    counted resamples stop at 2 / (R + 1). 1 where no resample differs.
    """
    value, low, high = interval(draws)
    if value is None or low is None or high is None:
        return None
    if high == low:
        return 1.0
    return float(2 * ndtr(-abs(value) / ((high - low) / (2 * Z))))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    order = np.argsort(p, kind="stable")
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[at]))
        adjusted[at] = highest
    return adjusted
