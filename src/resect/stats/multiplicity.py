"""Many tests at once: Holm's step-down correction, and fixed sequences of levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resect.stats.intervals import Floats, Mask

ALPHA_TWO_SIDED = 0.05
"""Two-sided family-wise error of the adjusted verdicts."""

ALPHA_ONE_SIDED = 0.025
"""Of non-inferiority, so that a drawn 95 % band and the verdict agree."""


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
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[at]))
        adjusted[at] = highest
    return adjusted


def fixed_sequence(passes: Mask) -> NDArray[np.intp]:
    """How many levels pass in a row from the first, over (..., T, L) tests and levels.

    A level counts only if every test passes there and at every level before it (Maurer, Hothorn
    and Lehmacher 1995), so each sweep as a whole errs at most at alpha; all tests must pass, so
    none of them is corrected (intersection-union, Berger 1982).
    """
    return np.asarray(np.logical_and.accumulate(passes.all(axis=-2), axis=-1).sum(axis=-1))
