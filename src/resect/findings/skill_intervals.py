"""Intervals of skill, retention and change that hold at the boundary: score tests turned round.

A bootstrap of a sample in which every answer is right has no spread and says "1.00 [1.00, 1.00]";
the score test does not. Shapes: N items, L levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resect.findings.curves import Curve
from resect.stats import skill as sk
from resect.stats.bounded_mean import Strata, score_interval, units
from resect.stats.intervals import NOTHING, Floats, Interval, Mask
from resect.stats.ratios import ratio_interval


def skill_intervals(curve: Curve, items: Mask | None = None) -> list[Interval]:
    """Skill at every level over the items asked there, or over `items` (N,)."""
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    for asked, levels in _patterns(curve, items):
        sample = _credits(curve, asked, levels)
        if sample is not None:
            for at, row in zip(levels, _rows(sample), strict=True):
                rows[at] = row
    return rows


def retention_intervals(curve: Curve) -> list[Interval]:
    """Skill over the intact model's, over the items asked at every level."""
    levels = [int(at) for at in np.flatnonzero(curve.present)]
    sample = _credits(curve, curve.shared, levels)
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    if sample is None or not levels or levels[0] != 0:
        return rows
    credit = _credit(curve, curve.shared)[0][:, curve.shared]
    each = _rows(sample)
    for place, at in enumerate(levels):
        rows[at] = ratio_interval(each[0], each[place], _correlation(credit[0], credit[at]))
    return rows


def change_intervals(curve: Curve) -> list[Interval]:
    """Accuracy less that of level 0, over the items asked at both."""
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    right = curve.right.astype(float)
    group = np.zeros(len(curve.frame.items), dtype=np.intp)
    for asked, levels in _patterns(curve, None):
        both = asked & (curve.codes[0] != sk.MISSING)
        if both.any():
            change = (right - right[0])[levels]
            sample = units(
                change, both, group, np.ones(1), np.array([[-1.0, 1.0]]), curve.frame.cluster
            )
            for at, row in zip(levels, _rows(sample), strict=True):
                rows[at] = row
    return rows


def _patterns(curve: Curve, items: Mask | None) -> list[tuple[Mask, list[int]]]:
    """Levels that were asked the same items, with these items (N,)."""
    groups: dict[bytes, tuple[Mask, list[int]]] = {}
    for at in map(int, np.flatnonzero(curve.present)):
        asked = (curve.codes[at] != sk.MISSING) & (True if items is None else items)
        groups.setdefault(asked.tobytes(), (asked, []))[1].append(at)
    return list(groups.values())


def _rows(sample: Strata) -> list[Interval]:
    low, high = score_interval(sample)
    return [
        Interval(float(value), float(a), float(b))
        for value, a, b in zip(sample.mean, low, high, strict=True)
    ]


def _credit(curve: Curve, items: Mask) -> tuple[Floats, NDArray[np.intp], Floats]:
    """What every answer counts in the skill, (L, N), the stratum of each item and its weight.

    Strata are gold labels among items with as many options. -1 marks items that tell nothing: those
    whose number of options has one gold label.
    """
    frame = curve.frame
    credit = np.zeros(curve.codes.shape)
    stratum = np.full(len(frame.items), -1, dtype=np.intp)
    weights: list[float] = []
    told = 0
    for size in np.unique(frame.sizes[items]):
        these = items & (frame.sizes == size)
        labels = np.unique(frame.gold[these])
        if len(labels) < 2:
            continue
        wrong = np.where(np.isin(curve.codes, labels), -1.0 / (len(labels) - 1), 0.0)
        credit = np.where(these, np.where(curve.codes == frame.gold, 1.0, wrong), credit)
        told += int(these.sum())
        for label in labels:
            stratum[these & (frame.gold == label)] = len(weights)
            weights.append(float(these.sum()) / len(labels))
    return credit, stratum, np.array(weights) / max(told, 1)


def _credits(curve: Curve, items: Mask, levels: list[int]) -> Strata | None:
    """The units of the skill at some levels; None where no skill can be told."""
    credit, stratum, weights = _credit(curve, items)
    told = items & (stratum >= 0)
    if not told.any():
        return None
    labels = len(np.unique(curve.frame.gold[told]))
    least = min(float(credit[:, told].min()), -1.0 / max(labels - 1, 1))
    span = np.tile([least, 1.0], (len(weights), 1))
    return units(credit[levels], told, stratum, weights, span, curve.frame.cluster)


def _correlation(first: Floats, second: Floats) -> float:
    """Of two credits over items; 0 where either does not vary."""
    spread = float(first.std() * second.std())
    if spread <= 1e-12:
        return 0.0
    return float(
        np.clip(np.mean((first - first.mean()) * (second - second.mean())) / spread, -1, 1)
    )
