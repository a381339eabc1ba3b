"""Intervals of skill, retention and change that hold at the boundary: score tests turned round.

A bootstrap of a sample in which every answer is right has no spread and says "1.00 [1.00, 1.00]";
the score test does not. Shapes: N items, L levels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.findings.curves import Curve
from resect.stats import skill as sk
from resect.stats.bounded_mean import Strata, score_interval, units
from resect.stats.intervals import NOTHING, Floats, Interval, Mask
from resect.stats.paired import change_of_share
from resect.stats.ratios import ratio_interval


def skill_intervals(curve: Curve) -> list[Interval]:
    """Skill at every level over the items asked there."""
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    for asked, levels in _patterns(curve):
        sample = _credit(curve, asked).sample(levels, curve.frame.cluster)
        if sample is not None:
            for at, row in zip(levels, _rows(sample), strict=True):
                rows[at] = row
    return rows


def retention_intervals(curve: Curve) -> list[Interval]:
    """Skill over the intact model's, over the items asked at every level."""
    levels = [int(at) for at in np.flatnonzero(curve.present)]
    scored = _credit(curve, curve.shared)
    sample = scored.sample(levels, curve.frame.cluster)
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    if sample is None or not levels or levels[0] != 0:
        return rows
    credit = scored.values[:, curve.shared]
    each = _rows(sample)
    for place, at in enumerate(levels):
        rows[at] = ratio_interval(each[0], each[place], _correlation(credit[0], credit[at]))
    return rows


def change_intervals(curve: Curve) -> list[Interval]:
    """Accuracy less that of level 0, over the items asked at both."""
    rows: list[Interval] = [NOTHING] * len(curve.levels)
    right = curve.right.astype(float)
    for asked, levels in _patterns(curve):
        both = asked & (curve.codes[0] != sk.MISSING)
        if both.any():
            sample = change_of_share((right - right[0])[levels], both, curve.frame.cluster)
            for at, row in zip(levels, _rows(sample), strict=True):
                rows[at] = row
    return rows


def _patterns(curve: Curve) -> list[tuple[Mask, list[int]]]:
    """Levels that were asked the same items, with these items (N,)."""
    groups: dict[bytes, tuple[Mask, list[int]]] = {}
    for at in map(int, np.flatnonzero(curve.present)):
        asked = np.asarray(curve.codes[at] != sk.MISSING)
        groups.setdefault(asked.tobytes(), (asked, []))[1].append(at)
    return list(groups.values())


def _rows(sample: Strata) -> list[Interval]:
    low, high = score_interval(sample)
    return [
        Interval(float(value), float(a), float(b))
        for value, a, b in zip(sample.mean, low, high, strict=True)
    ]


class Credit(NamedTuple):
    """What every answer counts in the skill, (L, N), each item's stratum (N,), weights and `least`.

    Strata are gold labels among items with as many options. -1 marks items that tell nothing: those
    whose number of options has one gold label. `least` is what a wrong answer can count.
    """

    values: Floats
    stratum: NDArray[np.intp]
    weights: Floats
    least: float

    def sample(self, levels: list[int], clusters: NDArray[np.intp]) -> Strata | None:
        """The units of the skill at some levels; None where no skill can be told."""
        told = self.stratum >= 0
        if not told.any():
            return None
        span = np.tile([self.least, 1.0], (len(self.weights), 1))
        return units(self.values[levels], told, self.stratum, self.weights, span, clusters)


def _credit(curve: Curve, items: Mask) -> Credit:
    """The credit of all answers over some items (N,)."""
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
    kinds = len(np.unique(frame.gold[stratum >= 0]))
    least = min(float(credit[:, stratum >= 0].min(initial=0.0)), -1.0 / max(kinds - 1, 1))
    return Credit(credit, stratum, np.array(weights) / max(told, 1), least)


def _correlation(first: Floats, second: Floats) -> float:
    """Of two credits over items; 0 where either does not vary."""
    spread = float(first.std() * second.std())
    if spread <= 1e-12:
        return 0.0
    return float(
        np.clip(np.mean((first - first.mean()) * (second - second.mean())) / spread, -1, 1)
    )
