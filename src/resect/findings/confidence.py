"""How far option probabilities can be believed: calibration error, Brier score, risk-coverage.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels. The
confidence in an answer is the probability that the softmax over the item's options gives to the
option chosen. (Where options are scored per byte, the chosen one need not be the likeliest.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from resect.findings.curves import Curve, Sampled
from resect.findings.encoding import Singles
from resect.stats.distances import Distance
from resect.stats.intervals import BLOCK, Floats, Weights
from resect.stats.skill import Codes

BINS, FILLED = 15, 10
"""Bins of a calibration error, and how many items each has at least: of fewer noise is unknown."""
SURE = 0.8
"""From this probability on an answer counts as confident."""


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Chosen options (L, N), their probabilities, and those of all options (L, N, K)."""

    codes: Codes
    gold: Codes
    probabilities: Singles

    @cached_property
    def known(self) -> np.ndarray:
        """Items with an answer chosen and a probability for it, (L, N)."""
        found = (self.codes >= 0) & ~np.isnan(self.probabilities).any(axis=2)
        return np.asarray(found)

    @cached_property
    def confidence(self) -> Floats:
        """Probability of the chosen option, (L, N); 0 where not known."""
        at = np.maximum(self.codes, 0)[..., None].astype(np.intp)
        picked = np.take_along_axis(self.probabilities, at, axis=2)[..., 0]
        return np.where(self.known, picked, 0.0).astype(float)

    @cached_property
    def right(self) -> np.ndarray:
        """Items answered right, (L, N)."""
        return np.asarray(self.codes == self.gold)

    @cached_property
    def brier(self) -> Floats:
        """Squared distance of the probabilities from the gold answer, (L, N), from 0 to 2."""
        gold = np.arange(self.probabilities.shape[2]) == self.gold[:, None]  # (N, K)
        with np.errstate(all="ignore"):
            return np.asarray(((self.probabilities - gold) ** 2).sum(axis=2), dtype=float)

    @property
    def sure(self) -> np.ndarray:
        """Items answered with a probability of at least 0.8, (L, N)."""
        return self.known & (self.confidence >= SURE)


def beliefs(curve: Curve) -> Beliefs | None:
    """What a curve of the options view believed, or None where no probabilities are kept."""
    frame = curve.frame
    if curve.view != "options" or not any(key in frame.probabilities for key in curve.keys):
        return None
    empty = np.full((len(frame.items), len(frame.labels)), np.nan, dtype=np.float32)
    table = np.stack([frame.probabilities.get(key, empty) for key in curve.keys])
    return Beliefs(curve.codes, frame.gold, table)


def calibration_error(weights: Weights, found: Beliefs, bins: int = BINS) -> Distance:
    """Expected calibration error over up to `bins` bins of equal mass.

    Sum over bins of |sum of (confidence - right)| / items (Naeini et al. 2015; equal-mass bins:
    Nixon et al. 2019, arXiv:1904.01685). Bins are cut at the sample's quantiles, and resamples
    keep them. A calibrated model has it too, the more the fewer items: the gaps of its bins are
    noise, which the sizes leave out.
    """
    columns = []
    for at in range(len(found.codes)):
        known = found.known[at]
        gap = np.where(known, found.confidence[at] - found.right[at], 0.0)
        order = np.argsort(found.confidence[at][known], kind="stable")
        place = np.full(known.shape, -1)
        some = max(1, min(bins, len(order) // FILLED))  # the bins after them stay empty
        place[np.flatnonzero(known)[order]] = np.arange(len(order)) * some // max(len(order), 1)
        inside = place == np.arange(bins)[:, None]  # (bins, N)
        sums = weights @ (inside * gap).T.astype(np.float32)  # (R + 1, bins)
        columns.append(sums / _mass(weights, known)[:, None])
    return Distance(np.stack(columns, axis=1), order=1)


def brier_score(weights: Weights, found: Beliefs) -> Floats:
    """Mean Brier score, (R + 1, L), from 0 to 2 (Brier 1950, all options)."""
    known = found.known
    sums = weights @ np.where(known, found.brier, 0.0).T.astype(np.float32)
    masses = np.stack([_mass(weights, row) for row in known], axis=1)
    return np.asarray(sums / masses)


def risk_coverage(weights: Weights, found: Beliefs) -> Floats:
    """Area under the risk-coverage curve, (R + 1, L); 0 is best.

    The mean, over how many of the most confident answers are kept, of the share of them that is
    wrong (Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206). Items of equal confidence share
    their mean error, so that their order does not matter.
    """
    columns = []
    for at in range(len(found.codes)):
        known = np.flatnonzero(found.known[at])
        sure = found.confidence[at][known]
        order = known[np.argsort(-sure, kind="stable")]
        wrong = (~found.right[at][order]).astype(float)
        _, group = np.unique(-np.sort(-sure), return_inverse=True)
        shared = np.bincount(group, wrong) / np.maximum(np.bincount(group), 1)
        rows = range(0, len(weights), BLOCK)
        parts = [_area(weights[at : at + BLOCK, order], shared[group]) for at in rows]
        columns.append(np.concatenate(parts))
    return np.stack(columns, axis=1)


def discrimination(weights: Weights, found: Beliefs) -> Floats:
    """AUROC of confidence between right and wrong answers, (R + 1, L); 1/2 tells nothing.

    The chance that an answer that is right was given with more confidence than one that is wrong,
    ties counting half (Hendrycks and Gimpel 2017, arXiv:1610.02136). NaN without either.
    """
    columns = []
    for at in range(len(found.codes)):
        known = np.flatnonzero(found.known[at])
        sure = found.confidence[at][known]
        order = known[np.argsort(sure, kind="stable")]
        starts = np.flatnonzero(np.diff(np.sort(sure), prepend=-1.0))  # of equal confidences
        right = found.right[at][order]
        rows = range(0, len(weights), BLOCK)
        parts = [_ranked(weights[row : row + BLOCK, order], right, starts) for row in rows]
        columns.append(np.concatenate(parts))
    return np.stack(columns, axis=1)


def _ranked(weights: Weights, right: np.ndarray, starts: np.ndarray) -> Floats:
    """AUROC (R,) of items in rising confidence, (n,); at `starts` the next higher one begins."""
    if not len(starts):
        return np.full(len(weights), np.nan)
    good = np.add.reduceat((weights * right).astype(float), starts, axis=1)  # (R, distinct)
    bad = np.add.reduceat((weights * ~right).astype(float), starts, axis=1)
    below = np.cumsum(bad, axis=1) - bad / 2
    with np.errstate(all="ignore"):
        return np.asarray((good * below).sum(axis=1) / (good.sum(axis=1) * bad.sum(axis=1)))


def told_apart(sampled: Sampled) -> Floats | None:
    """How well confidence tells right from wrong, (R + 1, L): 0 not at all, 1 always."""
    found = beliefs(sampled.curve)
    return None if found is None else 2 * auroc_of(sampled, found) - 1


def auroc_of(sampled: Sampled, found: Beliefs) -> Floats:
    """The AUROC of a sampled curve, computed once."""
    if "auroc" not in sampled.memo:
        sampled.memo["auroc"] = discrimination(sampled.weights, found)
    values: Floats = sampled.memo["auroc"]
    return values


def _area(weights: Weights, errors: Floats) -> Floats:
    """Area under one risk-coverage curve, (R,): items and errors in falling confidence, (n,)."""
    w = weights.astype(float)
    mass, risk = np.cumsum(w, axis=1), w * errors
    np.cumsum(risk, axis=1, out=risk)
    np.divide(risk, mass, out=risk, where=mass > 0)  # before any weight all are 0
    with np.errstate(all="ignore"):
        return np.asarray(np.einsum("rn,rn->r", risk, w) / mass[:, -1:].sum(axis=1))


def calibrated(sampled: Sampled) -> Floats | None:
    """One minus the calibration error, (R + 1, L), None without probabilities."""
    found = beliefs(sampled.curve)
    return None if found is None else 1 - error_of(sampled, found).draws


def error_of(sampled: Sampled, found: Beliefs) -> Distance:
    """The calibration error of a sampled curve, computed once."""
    if "calibration_error" not in sampled.memo:
        sampled.memo["calibration_error"] = calibration_error(sampled.weights, found)
    distance: Distance = sampled.memo["calibration_error"]
    return distance


def _mass(weights: Weights, known: np.ndarray) -> Floats:
    """Weighted count of the items in `known`, (R + 1,), NaN where there are none."""
    count = (weights @ known.astype(np.float32)).astype(float)
    return np.where(count > 0, count, np.nan)
