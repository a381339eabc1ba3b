"""The cliff: at which level a monotone fit of retention crosses one half.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resect.analysis.curves import Sampled, axis, describe, thinned, unordered
from resect.analysis.intervals import HIGH, LOW, NOTHING, Floats, Interval


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
    at = np.argmax(below, axis=1)
    row = np.arange(len(fit))
    before = np.maximum(at - 1, 0)
    drop = fit[row, before] - fit[row, at]
    with np.errstate(all="ignore"):
        share = np.where(drop > 0, (fit[row, before] - height) / drop, 0.0)
    found = levels[before] + share * (levels[at] - levels[before])
    found = np.where(below.any(axis=1), found, np.inf)
    return np.where(np.isnan(fit).any(axis=1), np.nan, found)


def half(levels: Floats, retention: Floats) -> Interval:
    """The half-level of retention (R + 1, L) and its interval; None stands for never reached.

    Resamples that never cross count as infinitely late. Percentiles are order statistics
    (inverted empirical distribution), so that none is made of a finite and an infinite one.
    """
    found = crossing(levels, falling(retention))
    rest = found[1:][~np.isnan(found[1:])]
    if not rest.size:
        return NOTHING
    low, high = np.quantile(rest, [LOW, HIGH], method="inverted_cdf")
    return Interval(*(float(x) if np.isfinite(x) else None for x in (found[0], low, high)))


def half_level(sampled: Sampled) -> dict[str, Any]:
    """The half-level of one curve, as a row of summary.json.

    Censored where the fit stays above one half through the last level.
    """
    curve, draws = sampled.curve, sampled.draws
    reason = unordered(curve) or draws.reason
    found, censored = NOTHING, False
    if reason is None and draws.retention is not None:
        levels = axis(curve)
        found = half(levels, draws.retention)
        censored = found.value is None
        notes = [thinned(curve, curve.shared, curve.asked)]
        if censored:
            notes.append(f"more than half is kept through the last level, {levels[-1]:g}")
        elif found.high is None:
            notes.append(f"the interval reaches beyond the last level, {levels[-1]:g}")
        reason = "; ".join(note for note in notes if note) or None
    return describe(
        curve, kind="half", level=found.value, low=found.low, high=found.high,
        censored=censored, reason=reason,
    )  # fmt: skip
