"""Falling fits of curves and where they reach a height: the half-level of each resample.

Shapes: R rows, L levels.
"""

from __future__ import annotations

import numpy as np

from resect.stats.intervals import Floats, Interval, quantile_interval


def falling(values: Floats) -> Floats:
    """Least-squares fit of each row (R, L) that never rises, equal weights.

    Isotonic regression by the min-max formula: fit_i = min over a <= i of max over b >= i of the
    mean of values a ... b (Barlow et al. 1972; Robertson, Wright and Dykstra 1988, section 1.4).
    NaN rows stay NaN.
    """
    rows, count = values.shape
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(values, axis=1)], axis=1)  # (R, L + 1)
    fit = np.full(values.shape, np.inf)
    for a in range(count):
        means = (sums[:, a + 1 :] - sums[:, a : a + 1]) / np.arange(1, count - a + 1)  # (R, L - a)
        highest = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        fit[:, a:] = np.minimum(fit[:, a:], highest)
    return fit


def crossing(levels: Floats, fit: Floats, height: float = 0.5) -> Floats:
    """Where falling rows (R, L) first reach `height`, linear between levels (L,), as (R,).

    Infinity for a row that never does, NaN for a row without values.
    """
    below = fit <= height  # (R, L)
    after = np.argmax(below, axis=1)
    row = np.arange(len(fit))
    before = np.maximum(after - 1, 0)
    drop = fit[row, before] - fit[row, after]
    with np.errstate(all="ignore"):
        share = np.where(drop > 0, (fit[row, before] - height) / drop, 0.0)
    place = levels[before] + share * (levels[after] - levels[before])
    place = np.where(below.any(axis=1), place, np.inf)
    return np.where(np.isnan(fit).any(axis=1), np.nan, place)


def half_levels(levels: Floats, retained: Floats) -> Floats:
    """The level at which half is gone in each row of the shares retained (R, L), as (R,)."""
    return crossing(levels, falling(retained))


def half_level(levels: Floats, retained: Floats) -> Interval:
    """The half-level of shares retained (R + 1, L) with its interval; None stands for never."""
    return quantile_interval(half_levels(levels, retained))
