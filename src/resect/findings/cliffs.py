"""The cliff: half-level, onset, steepest drop and divergence of a curve, as rows of summary.json.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resect.findings.curves import Sampled, axis, describe, thinned, unordered
from resect.findings.retention import RELIABILITY, Kept, reliability_kept, skill_kept
from resect.stats.changepoint import onset, ordered, steepest
from resect.stats.intervals import NOTHING, Floats, Interval, bounds

TRIVIAL = 0.01
"""A reliability metric has not diverged from skill while their retentions are closer than this."""


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
    """The half-level of retention (R + 1, L) and its interval; None stands for never reached."""
    return ordered(crossing(levels, falling(retention)))


def first_below(levels: Floats, gap: Floats) -> tuple[Interval, int | None]:
    """The first level from which `gap` (R + 1, L) lies below 0 with its 95 % interval, its index.

    At the next level it has to do so again (the last one has none): level by level, and
    uncorrected, one chance loss among twenty levels would pass for a divergence.

    The interval reruns this on every resample, each with the sample's own half-widths: the level
    at which the resample's gap first lies further below 0 than the sample's interval reaches up.
    Level 0, where both are whole, is left out, and so are gaps of less than a point, which large
    samples tell from 0 though nobody should care.
    """
    _, high = bounds(gap[1:])
    limit = high - gap[0]  # (L,)
    below = (gap + limit < 0) & (gap <= -TRIVIAL)
    below[:, 0] = False
    below[:, :-1] &= below[:, 1:]
    found = np.where(below.any(axis=1), levels[np.argmax(below, axis=1)], np.inf)
    found[np.isnan(gap).any(axis=1)] = np.nan
    return ordered(found), int(np.argmax(below[0])) if below[0].any() else None


def cliffs(sampled: Sampled) -> list[dict[str, Any]]:
    """Every cliff of one curve: of skill, and of the reliability metrics of its view."""
    skill = skill_kept(sampled)
    others = reliability_kept(sampled)
    rows = [_half(sampled, skill), _onset(sampled, skill), _steepest(sampled, skill)]
    for other in others:
        if RELIABILITY[other.metric].falls:  # the others have no half
            rows += [_half(sampled, other), _onset(sampled, other)]
        rows.append(_divergence(sampled, other, skill))
    return rows


def _half(sampled: Sampled, kept: Kept) -> dict[str, Any]:
    """Censored where the fit stays above one half through the last level."""
    reason = refused(sampled, kept)
    if reason or kept.share is None:
        return _row(sampled, kept, "half", NOTHING, False, reason)
    levels = axis(sampled.curve)
    found = half(levels, kept.share)
    notes = [_thin(sampled)]
    if found.value is None:
        notes.append(f"more than half is kept through the last level, {levels[-1]:g}")
    return _row(sampled, kept, "half", found, found.value is None, _joined(notes, levels, found))


def _onset(sampled: Sampled, kept: Kept) -> dict[str, Any]:
    """Censored where nothing is clearly lost through the last level, or no fit bends down."""
    reason = refused(sampled, kept)
    if reason or kept.share is None:
        return _row(sampled, kept, "onset", NOTHING, False, reason)
    levels = axis(sampled.curve)
    found, why = onset(levels, kept.share, falling(kept.share))
    if why:
        return _row(sampled, kept, "onset", NOTHING, False, why)
    notes = [_thin(sampled)]
    if found.value is None:
        notes.append(f"no bend down is seen through the last level, {levels[-1]:g}")
    return _row(sampled, kept, "onset", found, found.value is None, _joined(notes, levels, found))


def _steepest(sampled: Sampled, kept: Kept) -> dict[str, Any]:
    """Refused like the others; a curve that nowhere falls is censored."""
    reason = refused(sampled, kept)
    if reason or kept.share is None:
        return _row(sampled, kept, "steepest", NOTHING, False, reason)
    found = steepest(axis(sampled.curve), kept.share)
    if found["drop"] <= 0:
        return _row(sampled, kept, "steepest", NOTHING, True, "it falls between no two levels")
    return _row(sampled, kept, "steepest", NOTHING, False, _thin(sampled)) | found


def _divergence(sampled: Sampled, kept: Kept, skill: Kept) -> dict[str, Any]:
    """Where a reliability metric keeps clearly less of its baseline than skill does."""
    reason = refused(sampled, kept) or refused(sampled, skill)
    if reason or kept.share is None or skill.share is None:
        return _row(sampled, kept, "divergence", NOTHING, False, reason)
    levels = axis(sampled.curve)
    gap = kept.share - skill.share
    found, at = first_below(levels, gap)
    if at is None:
        why = (
            f"{kept.metric} keeps less than skill at no two levels in a row through the last "
            f"level, {levels[-1]:g}, nor at that one"
        )
        return _row(sampled, kept, "divergence", found, True, why)
    low, high = (float(x[at]) for x in bounds(gap[1:]))
    row = _row(sampled, kept, "divergence", found, False, _joined([], levels, found))
    return row | {"gap": float(gap[0, at]), "gap_low": low, "gap_high": high}


def refused(sampled: Sampled, kept: Kept) -> str | None:
    """Why no cliff of `kept` can be looked for, or None."""
    return unordered(sampled.curve) or kept.reason


def _thin(sampled: Sampled) -> str | None:
    return thinned(sampled.curve, sampled.curve.shared, sampled.curve.asked)


def _joined(notes: list[str | None], levels: Floats, found: Interval) -> str | None:
    if found.value is not None and found.high is None:
        notes = [*notes, f"the interval reaches beyond the last level, {levels[-1]:g}"]
    return "; ".join(note for note in notes if note) or None


def _row(
    sampled: Sampled, kept: Kept, kind: str, found: Interval, censored: bool, reason: str | None
) -> dict[str, Any]:
    return describe(
        sampled.curve, metric=kept.metric, kind=kind, level=found.value, low=found.low,
        high=found.high, censored=censored, reason=reason,
    )  # fmt: skip
