"""Score tests and intervals of a mean of bounded values, in strata: sound where nothing changed.

A mean over strata (gold labels) of means of values that have a least and a greatest possible value.
The variance is that of the most likely distribution under the null hypothesis, and this may put
weight on the least (greatest) possible value even if no unit has it. For one stratum of values
-1, 0 and 1 this is Tango's test and interval (1998, Statistics in Medicine 17:891), for values 0
and 1 Wilson's; with several strata it extends both as Miettinen and Nurminen (1985, ibid. 4:213)
do for two groups. An interval holds exactly the means that its test does not reject.

Shapes: B samples (levels or simulations), K strata, J distinct values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise
from scipy.special import ndtr, ndtri

from resect.stats.design_effect import effective_number
from resect.stats.intervals import Floats, Mask

FEW = 16
"""Distinct values up to which units are counted by value."""

_NEWTON = 40
"""The most steps of Newton's method; on this concave function it takes six or so."""


class Strata(NamedTuple):
    """How many units have which value, (B, K, J); `values` broadcast against it.

    Along J the first value is the least that a unit can have and the last the greatest. `weights`
    (K,) are what each stratum counts in the mean, and sum to 1.
    """

    counts: Floats
    values: Floats
    weights: Floats

    @property
    def n(self) -> Floats:
        """Units of each stratum, (B, K)."""
        return np.asarray(self.counts.sum(axis=-1))

    @property
    def mean(self) -> Floats:
        """The weighted mean, (B,); NaN where a stratum is empty."""
        with np.errstate(all="ignore"):
            each = (self.counts * self.values).sum(axis=-1) / self.n
        return np.asarray((each * self.weights).sum(axis=-1))

    def mirrored(self) -> Strata:
        """The same units with their values negated."""
        return Strata(self.counts[..., ::-1], -self.values[..., ::-1], self.weights)

    @property
    def unchanged(self) -> Strata:
        """The units of the first sample, all with the value 0: those of an identical copy."""
        least, most = self.values[:1, :, 0], self.values[:1, :, -1]
        n, nothing = self.n[:1], np.zeros_like(self.n[:1])
        counts = np.stack([nothing, n, nothing], axis=-1)
        values = np.stack([least, np.zeros_like(least), most], axis=-1)
        return Strata(counts, values, self.weights)

    def take(self, rows: NDArray[np.intp]) -> Strata:
        """Some of the samples."""
        values = self.values if len(self.values) == 1 else self.values[rows]
        return self._replace(counts=self.counts[rows], values=values)


def strata(values: Floats, group: NDArray[np.intp], weights: Floats, span: Floats) -> Strata:
    """Units by value: `values` (B, N), the stratum (N,) of each, and each stratum's `span`.

    `span` has the least and the greatest value that a unit of the stratum can have, (K, 2), or of
    each sample, (B, K, 2).
    """
    distinct = np.unique(values)
    if len(distinct) <= FEW or len(weights) > 1:
        member = (group == np.arange(len(weights))[:, None]).astype(float)  # (K, N)
        counts = np.stack([member @ (values == x).T for x in distinct], axis=-1).swapaxes(0, 1)
        middle = np.broadcast_to(distinct, (1, len(weights), len(distinct)))
    else:
        middle = np.sort(values, axis=1)[:, None, :]
        counts = np.ones(middle.shape)
    each = np.broadcast_shapes(span.shape, (len(middle), len(weights), 2))
    ends = np.broadcast_to(span, each)
    middle = np.clip(middle, ends[..., :1], ends[..., 1:])
    return Strata(
        np.pad(counts, ((0, 0), (0, 0), (1, 1))),
        np.concatenate([ends[..., :1], middle, ends[..., 1:]], axis=-1),
        weights,
    )


def score_p(sample: Strata, null: float) -> Floats:
    """One-sided p-value of H0: the mean is `null` or less, (B,); NaN where a stratum is empty."""
    z = np.full(len(sample.counts), np.nan)
    mean = sample.mean
    for rows, sign, part in (
        (np.flatnonzero(mean > null), 1.0, sample),
        (np.flatnonzero(mean < null), -1.0, sample.mirrored()),
    ):
        if len(rows):
            z[rows] = sign * _distance(part.take(rows), sign * null)
    z[mean == null] = 0.0
    return np.asarray(ndtr(-z))


def score_interval(sample: Strata, alpha: float = 0.025) -> tuple[Floats, Floats]:
    """The means that the test does not reject at one-sided `alpha` on either side, (B,) each."""
    low, high = _lower(sample, alpha), -_lower(sample.mirrored(), alpha)
    return low, high


# ── the most likely distribution under a lower mean ─────────────────────────────────────────────


def _distance(sample: Strata, null: float) -> Floats:
    """Standard errors under the null from it to the mean, which lies above it."""

    def above(tilt: Floats, rows: NDArray[np.intp]) -> Floats:
        return _moments(sample.take(rows), tilt)[0] - null

    null_is_least = (sample.values[..., 0] * sample.weights).sum(axis=-1) >= null
    tilt = _root(above, len(sample.counts))
    variance = _moments(sample, tilt)[1]
    with np.errstate(all="ignore"):
        return np.where(null_is_least, np.inf, (sample.mean - null) / np.sqrt(variance))


def _lower(sample: Strata, alpha: float) -> Floats:
    """The lower bound of the mean at one-sided `alpha`, (B,)."""
    z = float(ndtri(1 - alpha))
    mean = sample.mean
    least = np.broadcast_to((sample.values[..., 0] * sample.weights).sum(axis=-1), mean.shape)
    bound = np.where(np.isnan(mean), np.nan, least)
    rows = np.flatnonzero(mean > least + 1e-12)
    if not len(rows):
        return bound
    inside, top = sample.take(rows), mean[rows]

    def nearer(tilt: Floats, part: NDArray[np.intp]) -> Floats:
        lower, variance = _moments(inside.take(part), tilt)
        gap = z * np.sqrt(variance) - (top[part] - lower)
        return np.where(np.abs(gap) <= 1e-13, 1e-9, gap)  # 0 where nothing is tilted yet: no root

    tilt = _root(nearer, len(rows))
    bound[rows] = _moments(inside, tilt)[0]
    return bound


def _root(function: object, count: int) -> Floats:
    """Where a falling function of a tilt in [0, 1) crosses 0, for each of `count` samples."""
    rows = np.arange(count)
    bracket = (np.zeros(count), np.full(count, 1 - 1e-9))
    precise = {"xatol": 1e-12, "xrtol": 1e-10}
    root = elementwise.find_root(function, bracket, args=(rows,), tolerances=precise, maxiter=80).x
    return np.asarray(np.where(np.isfinite(root), root, bracket[1]))


def _moments(sample: Strata, tilt: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the mean, (B,), under the likeliest distributions with a tilt (B,)."""
    p = _tilted(sample, tilt / (1 - tilt) * sample.n.sum(axis=-1))
    each = (p * sample.values).sum(axis=-1)
    spread = (p * (sample.values - each[..., None]) ** 2).sum(axis=-1)
    return (
        np.asarray((sample.weights * each).sum(axis=-1)),
        np.asarray((sample.weights**2 * spread / sample.n).sum(axis=-1)),
    )


def _tilted(sample: Strata, multiplier: Floats) -> Floats:
    """Probabilities (B, K, J) that maximise the likelihood less `multiplier` (B,) times the mean.

    Those of a stratum are counts / (level + slope x (value - least)). The level makes them sum to
    1; where it would be negative it is 0 and the rest of the weight goes to the least value.
    """
    counts = sample.counts
    slope = multiplier[:, None, None] * sample.weights[:, None]
    offset = slope * (sample.values - sample.values[..., :1])
    there = counts > 0
    level = sample.n[..., None]
    for _ in range(_NEWTON):
        below = np.where(there, level + offset, 1.0)
        with np.errstate(all="ignore"):
            share = np.where(there, counts / below, 0.0)
            total = share.sum(axis=-1, keepdims=True)
            fall = np.where(there, share / below, 0.0).sum(axis=-1, keepdims=True)
            step = total * (total - 1) / fall
        before, level = level, np.maximum(level + np.where(np.isfinite(step), step, 0.0), 0.0)
        if np.all(np.abs(level - before) <= 1e-13 * sample.n[..., None]):
            break
    with np.errstate(all="ignore"):
        p = np.where(there, counts / np.where(there, level + offset, 1.0), 0.0)
    p = np.where(np.isfinite(p), p, 0.0)
    p[..., 0] += np.maximum(0.0, 1 - p.sum(axis=-1))
    return np.asarray(p / p.sum(axis=-1, keepdims=True))


def units(
    values: Floats,
    items: Mask,
    group: NDArray[np.intp],
    weights: Floats,
    span: Floats,
    clusters: NDArray[np.intp],
) -> Strata:
    """The units of a test of some `items` (N,) with values (B, N).

    Items are the units where no two share a parent. Else parents are: a parent's value is what its
    items add to the mean, and all parents are one stratum. The least value of a parent is then
    that of all items of a parent of mean size (each parent weighed by its size).
    """
    group, clusters, values = group[items], clusters[items], values[:, items]
    _, parent = np.unique(clusters, return_inverse=True)
    count = int(parent.max(initial=-1)) + 1
    if count == len(parent):
        return strata(values, group, weights, span)
    share = count * weights[group] / np.bincount(group, minlength=len(weights))[group]
    sums = np.stack([np.bincount(parent, share * row, count).astype(float) for row in values])
    size = np.bincount(parent, share, count)  # 1 in the mean
    heavy = count / effective_number(size)
    low = np.minimum(heavy * span[..., 0].min(axis=-1), sums.min(axis=1))
    high = np.maximum(heavy * span[..., 1].max(axis=-1), sums.max(axis=1))
    ends = np.stack([low, high], axis=-1)[:, None]
    return strata(sums, np.zeros(count, dtype=np.intp), np.ones(1), ends)
