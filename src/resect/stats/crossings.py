"""Where the lower envelope of a curve first reaches a height: half-levels and their intervals.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

import numpy as np

from resect.stats.intervals import HIGH, LOW, NOTHING, Floats, Interval


def envelope(values: Floats) -> Floats:
    """The least value so far of each row (R, L): a recovery does not undo a loss."""
    return np.minimum.accumulate(values, axis=1)


def crossing(levels: Floats, values: Floats, height: float = 0.5) -> Floats:
    """Where rows (R, L) first reach `height` from above, linear between levels (L,), as (R,).

    Infinity for a row that never does, NaN for a row without values.
    """
    below = values <= height
    after = np.argmax(below, axis=1)
    row = np.arange(len(values))
    before = np.maximum(after - 1, 0)
    drop = values[row, before] - values[row, after]
    with np.errstate(all="ignore"):
        share = np.where(drop > 0, (values[row, before] - height) / drop, 0.0)
    place = levels[before] + share * (levels[after] - levels[before])
    place = np.where(below.any(axis=1), place, np.inf)
    return np.where(np.isnan(values).any(axis=1), np.nan, place)


def half_levels(levels: Floats, retained: Floats) -> Floats:
    """The level at which half is gone in each row of the shares retained (R, L), as (R,)."""
    return crossing(levels, retained)


def half_level(levels: Floats, retained: Floats) -> Interval:
    """The half-level of shares retained (R + 1, L) with its interval; None stands for never.

    Between two levels nothing was asked, so that the ends are moved out to the levels that bracket
    them: the interval never claims more than the grid can tell.
    """
    return on_grid(levels, half_levels(levels, retained))


def on_grid(levels: Floats, draws: Floats) -> Interval:
    """Places (R + 1,) on a grid of levels: the sample's, and the levels around its percentiles."""
    rest = draws[1:][~np.isnan(draws[1:])]
    if not rest.size or np.isnan(draws[0]):
        return NOTHING
    low, high = np.quantile(rest, [LOW, HIGH], method="inverted_cdf")
    low, high = min(low, draws[0]), max(high, draws[0])
    outer_low = None
    if np.isfinite(low):
        outer_low = float(levels[max(np.searchsorted(levels, low, side="left") - 1, 0)])
    outer_high = None
    if np.isfinite(high):
        outer_high = float(levels[np.searchsorted(levels, high, side="left")])
    value = float(draws[0]) if np.isfinite(draws[0]) else None
    return Interval(value, outer_low, outer_high)


def recovery(levels: Floats, retained: Floats, height: float = 0.5) -> tuple[float, float] | None:
    """The highest share (L,) that a curve comes back to after it first reached `height`, and where.

    None where it stays below.
    """
    below = retained <= height
    if not below.any():
        return None
    rest = np.where(np.arange(len(levels)) > np.argmax(below), retained, -np.inf)
    best = int(np.argmax(rest))
    return (float(levels[best]), float(rest[best])) if rest[best] > height else None
