"""Which of two half-levels comes first, by how much, and how often among resamples.

Shapes: R + 1 rows (row 0 is the sample).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from resect.stats.intervals import HIGH, LOW, Floats, Interval


class Lag(NamedTuple):
    """How much later one comes than the other: infinite where the later one never does.

    `before` and `after` are the shares of resamples with a lag above and below 0.
    """

    value: float
    low: float
    high: float
    before: float
    after: float

    @property
    def interval(self) -> Interval:
        """The lag with its 95 % interval, None for what is infinite."""
        ends = (self.value, self.low, self.high)
        return Interval(*(x if np.isfinite(x) else None for x in ends))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def lag(first: Floats, second: Floats) -> Lag | None:
    """`second` minus `first`, (R + 1,) each; infinity means never.

    Percentiles are order statistics, so that none is made of a finite and an infinite lag. None
    where neither comes in the sample, or in any resample.
    """
    with np.errstate(invalid="ignore"):
        draws = second - first  # never minus never is no number
    rest = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not rest.size:
        return None
    low, high = np.quantile(rest, [LOW, HIGH], method="inverted_cdf")
    return Lag(
        float(draws[0]), float(low), float(high), float(np.mean(rest > 0)), float(np.mean(rest < 0))
    )
